"""Predictions, recall questions, and the review of what was wrong."""

import pytest
from answers import right_kl, twice

from minivae import exercises as api
from minivae.exercises import questions, store
from minivae.exercises.catalogue import CHAPTERS, chapter_modules, exercises

pytestmark = pytest.mark.usefixtures("progress_file")


def test_a_prediction_is_stored_and_shown_beside_the_truth():
    api.predict("02.log-of-average", "high")
    card = api.reveal("02.log-of-average")
    assert card.title == "02.log-of-average: you predicted high, but it is low"
    assert "Jensen" in card.body


def test_a_right_prediction_says_so():
    api.predict("02.log-of-average", "low")
    assert "and that is right" in api.reveal("02.log-of-average").title


def test_an_open_prediction_is_asked_and_the_truth_shown_alone(progress_file):
    assert '"low" or "right" or "high"' in api.predict("02.log-of-average").body
    assert api.reveal("02.log-of-average").title == "02.log-of-average: low"
    assert not progress_file.exists()


@pytest.mark.parametrize("answer", ["lo", 3, None, ["low"]])
def test_a_prediction_outside_the_choices_is_not_stored(answer, progress_file):
    assert "not one of the answers" in api.predict("02.log-of-average", answer).title
    assert not progress_file.exists()


def test_a_truth_that_only_the_notebook_knows():
    """It is not asked again: outside the notebook, the answer could not be marked."""
    api.predict("10.chonk", "aligned")
    assert "it is encoded" in api.reveal("10.chonk", "encoded").title
    assert "missing" in api.reveal("10.chonk").title
    assert store.load()[0]["review"] == {}


def test_a_notebook_that_is_run_again_does_not_bring_back_what_was_learnt(clock):
    """Its cells still hold the first answers."""

    def run_all():
        api.predict("02.log-of-average", "high")
        api.reveal("02.log-of-average")
        api.recall("03", "a")

    run_all()
    missed = store.load()[0]["review"]
    assert "02.log-of-average" in missed
    store.update(lambda state: state["review"].clear())  # as after the last of the reviews
    run_all()
    assert store.load()[0]["review"] == {}
    api.predict("02.log-of-average", "right")
    api.reveal("02.log-of-average")
    assert "02.log-of-average" in store.load()[0]["review"], "another wrong answer is a new miss"


def test_unknown_predictions_suggest_the_closest():
    assert 'did you mean "02.step-up"' in api.predict("02.step_up", "falls").body
    assert "no such prediction" in api.reveal(7).title


def test_every_notebook_from_two_on_has_three_recall_questions():
    for n in range(2, 11):
        asked = questions.recall_of(f"{n:02d}")
        assert len(asked) == 3
        assert all(int(q.source) < n for q in asked)
        assert all(q.right in questions.LETTERS and len(q.options) == 3 for q in asked)


def test_question_ids_are_unique_and_truths_are_among_the_options():
    modules = chapter_modules("questions")
    ids = [q.id for module in modules for q in (*module.PREDICTIONS, *module.RECALL)]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & set(exercises())
    for notebook, module in zip(CHAPTERS, modules, strict=True):
        assert module.PREDICTIONS
        assert all(p.truth is None or p.truth in p.options for p in module.PREDICTIONS)
        assert all(q.id[:2] == notebook for q in (*module.PREDICTIONS, *module.RECALL))


@pytest.mark.parametrize("notebook", [*CHAPTERS[1:], "08b", "08c"])
def test_each_letter_is_right_once_in_a_notebook(notebook):
    """So that always choosing the same letter does not help."""
    right = [q.right for q in questions.recall_of(notebook)]
    assert sorted(right) == list(questions.LETTERS)


def test_recall_marks_each_answer():
    right = [q.right for q in questions.recall_of("03")]
    body = api.recall("03", right[0], ..., "d").body
    assert body.startswith("✓ 1.")
    assert "2. " in body
    assert "'d' is not one of a, b, c" in body
    wrong = "a" if right[1] != "a" else "b"
    assert "the right answer: " in api.recall("03", right[0], wrong).body


def test_recall_untouched_leaves_no_trace(progress_file):
    api.recall("03", ..., ..., ...)
    assert not progress_file.exists()


@pytest.mark.parametrize("notebook", ["01", "99", 3, None])
def test_recall_of_a_notebook_without_questions(notebook):
    assert "no questions" in api.recall(notebook).title


def due():
    return api.summary()["due"]


def test_a_missed_question_comes_back_after_1_3_and_7_days(clock):
    api.predict("02.log-of-average", "high")
    api.reveal("02.log-of-average")
    asked, said = [], []

    def answer(letter):
        def ask(prompt):
            asked.append(prompt)
            return letter

        return ask

    assert due() == []
    for days in (1, 3, 7):
        clock(days - 1)
        assert due() == []
        clock(1)
        assert due() == ["02.log-of-average"]
        api.review_session(answer("a"), said.append)  # "low" is the first
    assert due() == []
    clock(1000)
    assert due() == []
    assert len(asked) == 3


def test_a_wrong_answer_in_the_review_starts_the_intervals_again(clock):
    api.recall("03", "a")
    clock(1)
    api.review_session(lambda prompt: "b", lambda text: None)
    clock(3)
    assert due() == ["03.r1"]
    api.review_session(lambda prompt: "c", lambda text: None)
    assert due() == []
    clock(1)
    assert due() == ["03.r1"]


def test_a_missed_exercise_comes_back_until_it_passes_again(clock):
    api.check("03.kl", twice)
    api.check("03.kl", right_kl)
    clock(1)
    said = []
    api.review_session(lambda prompt: "a", said.append)
    assert "write it again in notebook 03" in said[-1]
    assert "write it again in notebook 03" in api.review().body
    assert due() == ["03.kl"]
    api.check("03.kl", right_kl)
    assert due() == []
    clock(3)
    assert due() == ["03.kl"]


def test_the_review_ends_with_the_input(clock):
    api.recall("03", "a", "a", "a")
    clock(1)

    def ask(prompt):
        raise EOFError

    api.review_session(ask, lambda text: None)
    assert len(due()) >= 2


def test_the_review_asks_again_for_what_is_no_answer(clock):
    api.predict("02.log-of-average", "high")
    api.reveal("02.log-of-average")
    clock(1)
    answers, said = iter(["", "lwo", "d", "  LOW. "]), []
    api.review_session(lambda prompt: next(answers), said.append)
    assert sum("please answer a, b, c" in line for line in said) == 3
    assert said[-1].startswith("✓")


def test_nothing_due():
    said = []
    api.review_session(lambda prompt: "a", said.append)
    assert said == ["nothing is due today"]
