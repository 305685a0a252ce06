"""Right answers of others pass, wrong ones do not, and what `check` names is what is wrong."""

import importlib
from pathlib import Path

import pytest
from answers_of_others import registry

from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises
from minivae.exercises.grading import grade

for file in sorted((Path(__file__).parent / "answers_of_others").glob("nb*.py")):
    importlib.import_module(f"answers_of_others.{file.stem}")

pytestmark = pytest.mark.usefixtures("no_progress")


def cases(answers):
    """(id, answer), by the name of the answer."""
    for id in sorted(answers):
        for number, answer in enumerate(answers[id]):
            name = getattr(answer.what, "__name__", str(number))
            yield pytest.param(id, answer, id=f"{id}-{name}")


@pytest.mark.parametrize(("id", "answer"), list(cases(registry.RIGHT)))
def test_a_right_answer_passes(id, answer):
    verdict = grade(exercises()[id], answer.what)
    assert verdict.status == CORRECT, str(verdict)


@pytest.mark.parametrize(("id", "answer"), list(cases(registry.WRONG)))
def test_a_wrong_answer_is_refused_and_its_clue_is_true(id, answer):
    verdict = grade(exercises()[id], answer.what)
    assert verdict.status == NOT_YET, str(verdict)
    assert verdict.mistake == answer.clue, str(verdict)


@pytest.mark.parametrize("id", sorted(exercises()))
def test_every_exercise_has_answers_of_others(id):
    assert len(registry.RIGHT[id]) >= 3
    assert len(registry.WRONG[id]) >= 10
