"""The exercises on passes and on what threads share: counted and added up by other means."""

import itertools
from collections import Counter

import numpy as np
import pytest

from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises
from minivae.exercises.grading import grade

pytestmark = pytest.mark.usefixtures("progress_file")


class Counting(np.ndarray):
    """An array whose arithmetic counts its passes and their bytes."""

    passes = traffic = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = [np.asarray(a) if isinstance(a, np.ndarray) else a for a in inputs]
        result = getattr(ufunc, method)(*plain, **kwargs)
        arrays = [a for a in plain if isinstance(a, np.ndarray)]
        Counting.passes += 1
        Counting.traffic += sum(a.nbytes for a in arrays) + result.nbytes
        return result.view(Counting)


@pytest.mark.parametrize(("B", "D"), [(1, 1), (3, 5), (7, 20)])
def test_the_counted_passes_are_those_of_numpy(B, D):
    """The two lines of the exercise, run on arrays that count."""
    l, x = (np.ones((B, D), np.float32).view(Counting) for _ in range(2))
    Counting.passes = Counting.traffic = 0
    e = np.exp(-np.abs(l))
    nll = (np.maximum(l, 0) + np.log1p(e) - x * l).sum(axis=1)
    passes, numpys, fused = exercises()["08.passes"].reference(B, D)
    assert (passes, numpys) == (Counting.passes, Counting.traffic)
    assert fused == l.nbytes + x.nbytes + nll.nbytes


def by_interleaving(B, D, threads):
    return [(slice(None), slice(t, None, threads)) for t in range(threads)]


def by_ceiling(B, D, threads):
    n = -(-D // threads)
    return tuple((slice(0, B), slice(d, d + n)) for d in range(0, D, n))


def by_array_split(B, D, threads):
    parts = np.array_split(np.arange(D), threads)
    return [[slice(0, B), slice(p[0], p[-1] + 1)] for p in parts if len(p)]


def by_counting(address, places):
    """Pairs in a line, without those at one word."""
    lines = Counter((address + 8 * place) // 64 for place in places)
    words = Counter(places)
    pairs = sum(n * (n - 1) // 2 for n in lines.values())
    return pairs - sum(n * (n - 1) // 2 for n in words.values())


def by_broadcasting(address, places):
    words = address // 8 + np.array(places)
    same_line = words[:, None] // 8 == words // 8
    return np.triu(same_line & (words[:, None] != words), 1).sum()


RIGHT = {
    "08.passes": (
        lambda B, D: (9, 4 * B * (20 * D + 1), 4 * B * (2 * D + 1)),
        lambda B, D: [9, 80 * B * D + 4 * B, 8 * B * D + 4 * B],
    ),
    "08.same-bits": (by_interleaving, by_ceiling, by_array_split),
    "08.false-sharing": (by_counting, by_broadcasting),
}
WRONG = {
    "08.passes": (lambda B, D: (9, 4 * (20 * B * D + D), 4 * (2 * B * D + D)),),
    "08.same-bits": (
        lambda B, D, threads: [(slice(t, None, threads), slice(None)) for t in range(threads)],
        lambda B, D, threads: by_interleaving(B, D, threads)[1:],
        lambda B, D, threads: [(slice(0, B), np.arange(D))],
        lambda B, D, threads: [],
    ),
    "08.false-sharing": (
        lambda address, places: by_counting(address // 64 * 64, places),
        lambda address, places: by_counting(address, sorted(set(places))),
        lambda address, places: 0,
    ),
}


@pytest.mark.parametrize("id", RIGHT)
def test_right_answers_in_other_styles_are_correct(id):
    for answer in RIGHT[id]:
        verdict = grade(exercises()[id], answer)
        assert verdict.status == CORRECT, f"{answer}: {verdict}"


@pytest.mark.parametrize("id", WRONG)
def test_other_wrong_answers_are_rejected(id):
    for answer in WRONG[id]:
        assert grade(exercises()[id], answer).status == NOT_YET, answer


@pytest.mark.parametrize("seed", range(20))
def test_false_sharing_by_another_count(seed):
    rng = np.random.default_rng(seed)
    places = rng.integers(0, 30, 12).tolist()
    address = 8 * int(rng.integers(0, 99))
    got = exercises()["08.false-sharing"].reference(address, places)
    lines = [{(address + 8 * p + byte) // 64 for byte in range(8)} for p in places]
    pairs = itertools.combinations(range(12), 2)
    assert got == sum(lines[i] == lines[j] and places[i] != places[j] for i, j in pairs)
