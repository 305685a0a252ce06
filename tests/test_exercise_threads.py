"""The exercises of notebook 08c take right answers in other styles, and no wrong ones."""

from unittest import mock

import numpy as np
import pytest

from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises
from minivae.exercises.chapters.nb08 import sleeping
from minivae.exercises.grading import grade

pytestmark = pytest.mark.usefixtures("progress_file")


def ticket_by_flag(word, chunks, most):
    taken, n, end = False, 0, 0
    while not taken:
        n = word.load()
        end = n + most if n + most < chunks else chunks
        if n == end:
            break
        taken = word.swap(n, end)
    return [n, end]


def ticket_again(word, chunks, most):
    n = word.load()
    taken = range(chunks)[n : n + most]
    if len(taken) == 0:
        return chunks, chunks
    done = word.swap(n, taken[-1] + 1)
    return (n, taken[-1] + 1) if done else ticket_again(word, chunks, most)


def ticket_bounded(word, chunks, most):
    for _ in range(chunks + 1):
        n = word.load()
        count = min(most, chunks - n)
        if count <= 0 or word.swap(n, n + count):
            return np.int64(n), n + count
    raise AssertionError("as many tries as there are chunks")


def ticket_with_zeros_for_none(word, chunks, most):
    while (n := word.load()) < chunks:
        if word.swap(n, min(n + most, chunks)):
            return n, min(n + most, chunks)
    return 0, 0


def ticket_ends_where_the_word_is(word, chunks, most):
    while (n := word.load()) < chunks:
        if word.swap(n, min(n + most, chunks)):
            return n, word.load()
    return n, n


def ticket_by_three_tries(word, chunks, most):
    for _ in range(3):
        n = word.load()
        end = min(n + most, chunks)
        if n >= chunks or word.swap(n, end):
            return n, end
    return chunks, chunks


def ticket_of_one(word, chunks, most):
    while True:
        n = word.load()
        if n >= chunks or word.swap(n, n + 1):
            return n, min(n + 1, chunks)


RIGHT = {
    "08.ticket": (ticket_by_flag, ticket_again, ticket_bounded, ticket_with_zeros_for_none),
    "08.amdahl": (
        lambda one, several, n: (
            (several - one / n) / (one - one / n),
            (one - one / n) / (several - one / n),
        ),
        lambda one, several, n: [
            (1 / (one / several) - 1 / n) / (1 - 1 / n),
            (1 - 1 / n) / (several / one - 1 / n),
        ],
        lambda one, several, n: tuple(
            np.array([several * n - one, one * (n - 1)]) / [one * (n - 1), several * n - one]
        ),
    ),
}


@pytest.mark.parametrize("id", RIGHT)
def test_right_answers_in_other_styles_are_correct(id):
    for answer in RIGHT[id]:
        verdict = grade(exercises()[id], answer)
        assert verdict.status == CORRECT, f"{answer}: {verdict}"


WRONG = {
    "08.ticket": (
        lambda word, chunks, most: word.load(),
        lambda word, chunks, most: (chunks, chunks),
        ticket_by_three_tries,
        ticket_ends_where_the_word_is,
        ticket_of_one,
    ),
    "08.amdahl": (lambda one, several, n: (several / one - 1 / n, 1.0),),
}


@pytest.mark.parametrize("id", WRONG)
def test_other_wrong_answers_are_rejected(id):
    for answer in WRONG[id]:
        assert grade(exercises()[id], answer).status == NOT_YET, answer


SLEEPERS = {"reference": sleeping.next_job} | {m.name: m.wrong for m in sleeping.ASLEEP.mistakes}


def what_the_helper_sees(answer):
    stories = list(sleeping._stories(answer, jobs=2))
    seen = {(*(step for step in s.told if step.startswith("you")), wrong) for wrong, s in stories}
    return seen, len(stories)


@pytest.mark.parametrize("name", SLEEPERS)
def test_the_orders_that_are_left_out_make_no_difference(name, monkeypatch):
    """Here the leader takes any number of its steps before each call of the helper."""
    seen, tried = what_the_helper_sees(SLEEPERS[name])
    monkeypatch.setattr(sleeping, "CONCERNS", dict.fromkeys(sleeping.CONCERNS, mock.ANY))
    all_that_can_be_seen, every = what_the_helper_sees(SLEEPERS[name])
    assert seen == all_that_can_be_seen
    assert tried < every
