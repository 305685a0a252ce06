"""Exercises of notebooks 01 and 03 that are judged: right answers of many kinds, and edges."""

import numpy as np
import pytest

from minivae import exercises as api
from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises

pytestmark = pytest.mark.usefixtures("progress_file")

RIGHT = (
    ("01.story", ([0.9, 0.05, 0.05], [[0.9, 0.1], [0.2, 0.8], [0.2, 0.8]])),  # two explain it best
    ("01.story", ([1 - 1e-12, 1e-12], [[0.9, 0.1], [0.2, 0.8]])),
    ("01.story", ([0.99, 0.01], [[1 - 1e-12, 1e-12], [1 - 5e-12, 5e-12]])),
    ("01.helping", [[0.5, 0], [0.1, 1]]),
    ("01.helping", np.array([[0.2, 0.3], [0.1, 0.9]])),
    ("03.blind-spot", (np.array([[0.5, (1 + 2**0.5) / 2]]), np.array([[0.3, -0.8]]))),
    ("03.blind-spot", ([[2] + [0.5] * 8], [[1, 2, -1, 3, 0.4, 1, -2, 0.7, 0.1]])),
    ("03.parting", np.array([2.52])),
    ("03.turns", ["jump", "jump", "slide", "jump", "slide"]),
)

WRONG = (
    ("01.story", ([0.4, 0.6], [[0.5, 0.5], [0.5, 0.5]]), "also the likeliest given x"),
    ("01.helping", [[0.1, 0.73], [0.73, 0.919]], "less"),
    ("01.helping", [[0, 0], [0, 1]], "the same"),
    ("01.helping", [[0.1, 0], [0.3, 0]], "never a symptom"),
    ("01.helping", [[0.1, float("nan")], [0.3, 0]], "no probability"),
    ("01.helping", [0.1, 0.2], "expected (2, 2)"),
    ("03.blind-spot", ([[2, 3]], [[1, 2]]), "another value"),
    ("03.blind-spot", ([[1.5, 0.5, 0.5, 0.5]], [[0, 0, 0, 0]]), "so does: "),
    ("03.blind-spot", (np.array([[np.nan]]), np.array([[0.3]])), "finite"),
    ("03.blind-spot", (np.ones((2, 2)), np.ones((2, 2))), "expected (1, L)"),
    ("03.parting", 5.04, "the distance between the two hills"),
    ("03.parting", 2.54, "too far out"),
    ("03.parting", 1.25, "twice that"),
    ("03.parting", 7.0, "does not jump"),
    ("03.turns", ["jump"] * 5, "3 of 5"),
    ("03.turns", ["leap"] * 5, '"jump" or "slide"'),
)


@pytest.mark.parametrize(("id", "answer"), RIGHT)
def test_right_answers_of_other_kinds_pass(id, answer):
    assert api.check(id, answer).status == CORRECT


@pytest.mark.parametrize(("id", "answer", "said"), WRONG)
def test_wrong_answers_are_told_what_is_wrong(id, answer, said):
    verdict = api.check(id, answer)
    assert verdict.status == NOT_YET
    assert said in verdict.body


def test_an_impossible_picture_has_no_posterior():
    """01.log-posterior: log p(x) is -inf, and 0 / 0 is nan; the other x are not touched."""
    log_likelihood = np.array([[-np.inf, -1.0], [-np.inf, -2.0]])
    answer = exercises()["01.log-posterior"].reference(np.log([0.5, 0.5]), log_likelihood)
    assert answer[0][0] == -np.inf
    assert np.isnan(answer[1][:, 0]).all()
    assert np.isfinite(answer[0][1])
    assert answer[1][:, 1].sum() == pytest.approx(1)
