"""Every exercise: its solution passes, its stub is no attempt, each wrong answer is recognised."""

import importlib
import itertools

import numpy as np
import pytest

from minivae.exercises import compare
from minivae.exercises.cards import CORRECT, NOT_ATTEMPTED, NOT_YET
from minivae.exercises.catalogue import CHAPTERS, chapter_modules, exercises
from minivae.exercises.execution import copy_args, outcome_of
from minivae.exercises.grading import grade, recognise, same_outcome
from minivae.exercises.known import known_outcomes

pytestmark = pytest.mark.usefixtures("no_progress")
ALL = list(exercises().values())
FUNCTIONS = [e for e in ALL if e.cases]


def by_id(exercise):
    return exercise.id


def stub_of(exercise):
    namespace = {"np": np}
    exec(exercise.stub, namespace)
    return namespace[exercise.name]


def test_each_chapter_holds_its_own_exercises_once():
    """The catalogue is a dict, in which two exercises with one id would be one."""
    for notebook, module in zip(CHAPTERS, chapter_modules(), strict=True):
        ids = [exercise.id for exercise in module.EXERCISES]
        assert len(set(ids)) == len(ids)
        assert ids == [exercise.id for exercise in ALL if exercise.notebook == notebook]


@pytest.mark.parametrize("exercise", ALL, ids=by_id)
def test_the_solution_is_correct(exercise):
    verdict = grade(exercise, exercise.reference)
    assert verdict.status == CORRECT, str(verdict)
    assert verdict.body == ""  # no warning, nothing printed, no shared memory


@pytest.mark.parametrize("exercise", ALL, ids=by_id)
def test_the_shown_solution_is_what_checks(exercise):
    """The text of `solution`, run on its own, is a correct answer: it needs nothing but NumPy."""
    namespace = {"np": np}
    exec(exercise.source(), namespace)
    assert grade(exercise, namespace[exercise.name]).status == CORRECT


@pytest.mark.parametrize("exercise", ALL, ids=by_id)
def test_the_stub_is_no_attempt(exercise):
    assert grade(exercise, stub_of(exercise)).status == NOT_ATTEMPTED


@pytest.mark.parametrize("exercise", ALL, ids=by_id)
def test_each_mistake_is_rejected_and_named(exercise):
    for mistake in exercise.mistakes:
        verdict = grade(exercise, mistake.wrong)
        assert verdict.status == NOT_YET, mistake.name
        assert verdict.mistake == mistake.name
        if exercise.cases:
            assert verdict.body.startswith("at        ")  # with the failing input


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=by_id)
def test_mistakes_are_told_apart(exercise):
    """No two known mistakes, nor the right answer, give the same outcomes on the cases."""
    cases = exercise.cases()
    answers = {"right": exercise.reference} | {m.name: m.wrong for m in exercise.mistakes}
    assert len(answers) == 1 + len(exercise.mistakes), "two mistakes share a name"
    outcomes = {name: list(known_outcomes(exercise, f, cases)) for name, f in answers.items()}
    for a, b in itertools.combinations(outcomes, 2):
        assert not all(map(same_outcome, outcomes[a], outcomes[b])), f"{a} and {b} look the same"


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=by_id)
def test_cases_are_the_same_each_time_and_not_changed_by_a_check(exercise):
    cases = exercise.cases()
    kept = [copy_args(args) for args in cases]
    grade(exercise, exercise.reference)
    for a, b, c in zip(cases, kept, exercise.cases(), strict=True):
        for x, y, z in zip(a, b, c, strict=True):
            if isinstance(x, np.ndarray):
                np.testing.assert_array_equal(x, y)
                np.testing.assert_array_equal(x, z)


@pytest.mark.parametrize("exercise", ALL, ids=by_id)
def test_three_hints_and_a_sentence_for_each_mistake(exercise):
    assert len(exercise.hints) == 3
    assert all(hint.strip() for hint in exercise.hints)
    assert exercise.mistakes
    assert all(mistake.says.strip() for mistake in exercise.mistakes)


PACKAGED = [e for e in FUNCTIONS if e.package]


@pytest.mark.parametrize("exercise", PACKAGED, ids=by_id)
def test_the_reference_is_the_packages_own_formula(exercise):
    """What a reader learns to write is what the package runs: neither can change alone."""
    own = exercise.package(importlib.import_module(f"minivae.{exercise.module}"))
    verdict = grade(exercise, lambda *args: own(*args))
    assert verdict.status == CORRECT, str(verdict)


def test_recognise_needs_every_case_to_match():
    exercise = exercises()["03.kl"]
    cases = exercise.cases()
    wrong = exercise.mistakes[0].wrong
    mixed = [outcome_of(wrong, cases[0], exercise.observe)]
    mixed += [outcome_of(exercise.reference, args, exercise.observe) for args in cases[1:]]
    assert recognise(exercise, cases, mixed) is None


def two_units_up(fraction):
    return np.nextafter(np.nextafter(fraction, np.float32(9)), np.float32(9))


def test_a_mistake_is_recognised_in_spite_of_the_last_bits_of_its_float32():
    """On some processors np.exp2(n), a natural way to go on after log2, is two units off."""
    exercise = exercises()["08.bits"]

    def by_log2(x):
        n = np.floor(np.log2(np.abs(x)))
        return n, two_units_up((x / 2.0 ** n.astype(float)).astype(np.float32))

    verdict = grade(exercise, by_log2)
    assert (verdict.status, verdict.mistake) == (NOT_YET, "logarithm")


def test_a_fraction_that_is_off_by_last_bits_is_not_exact():
    exercise = exercises()["08.bits"]

    def nearly(x):
        n, fraction = exercise.reference(x)
        return n, two_units_up(fraction)

    verdict = grade(exercise, nearly)
    assert (verdict.status, verdict.mistake) == (NOT_YET, None)


def test_float64_is_told_apart_beyond_its_rounding():
    a = np.array([1.7])
    assert not compare.same(a, a * (1 + 3e-7))
    assert compare.same(a.astype(np.float32), a * (1 + 3e-7))  # one of them is no finer
    assert not compare.same(a.astype(np.float32), a * (1 + 3e-6))
