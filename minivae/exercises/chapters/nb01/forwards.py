"""A story run forwards and backwards: a simulation that disagrees with its evidence."""

import inspect
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer

STANDARD_ERRORS = 5  # a right simulation is further off once in about two million shares


def simulate_symptoms(prior, cause, leak, n, seed):  # p(z_i = 1) (I,), eq. (2): (I, S), (S,)
    # n patients, and the symptoms that each of them has: -> (n, S) of 0 and 1
    coins = np.random.default_rng(seed)
    ill = coins.random((n, len(prior))) < prior
    leaks = coins.random((n, len(leak))) < leak
    attempts = coins.random((n, len(prior), 1)) < cause
    return leaks | (attempts & ill[:, :, None]).any(axis=1)


def mended_symptoms(prior, cause, leak, n, seed):
    # A coin for each attempt. One coin for all symptoms of a disease leaves each symptom as
    # frequent as it should be, but lets them come together too often.
    coins = np.random.default_rng(seed)
    ill = coins.random((n, len(prior))) < prior
    leaks = coins.random((n, len(leak))) < leak
    attempts = coins.random((n, len(prior), len(leak))) < cause
    return leaks | (attempts & ill[:, :, None]).any(axis=1)


def _cases():
    return [
        (np.array([0.3]), np.array([[0.6, 0.7]]), np.array([0.1, 0.2]), 20_000, 1),
        (
            np.array([0.2, 0.4]),
            np.array([[0.9, 0.5], [0.3, 0.8]]),
            np.array([0.05, 0.25]),
            40_000,
            2,
        ),
        (
            np.array([0.5, 0.3, 0.2]),
            np.array([[0.7, 0.4, 0.0], [0.2, 0.6, 0.9], [0.5, 0.5, 0.3]]),
            np.array([0.1, 0.0, 0.15]),
            40_000,
            3,
        ),
    ]


def exact_shares(
    prior: np.ndarray, cause: np.ndarray, leak: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """p(x_j = 1) (S,), and p(x) of every x (2^S,) in the order of itertools.product."""
    z = np.array(list(product((0, 1), repeat=len(prior))))
    p_z = np.where(z == 1, prior, 1 - prior).prod(axis=1)
    present = 1 - (1 - leak) * np.where(z[:, :, None] == 1, 1 - cause, 1.0).prod(axis=1)
    x = np.array(list(product((0, 1), repeat=len(leak))))
    p_x_given_z = np.where(x == 1, present[:, None], 1 - present[:, None]).prod(axis=2)
    return p_z @ present, p_z @ p_x_given_z


def _shares(answer: Callable[..., Any], *args: Any) -> tuple[np.ndarray, np.ndarray]:
    """The answer's shares; where they are near the exact ones, these, so that luck is no error."""
    prior, cause, leak, n, seed = args
    x = np.asarray(answer(*args))
    if x.shape != (n, len(leak)):
        raise ValueError(f"the shape is {x.shape}; expected {(n, len(leak))}")
    if x.dtype.kind not in "biuf" or not np.isin(x, (0, 1)).all():
        raise ValueError("the result holds something else than 0 and 1")
    few, again, others = (np.asarray(answer(*args[:3], 100, s)) for s in (seed, seed, seed + 1))
    if not np.array_equal(few, again):
        raise ValueError(
            "the same seed gives other patients: take all coins from default_rng(seed)"
        )
    if np.array_equal(few, others):
        raise ValueError("another seed gives the same patients: take all coins from "
                         "default_rng(seed)")  # fmt: skip
    number = x.astype(int) @ (1 << np.arange(len(leak))[::-1])
    counted = x.mean(axis=0), np.bincount(number, minlength=1 << len(leak)) / n
    alone, together = (
        np.where(abs(share - p) <= STANDARD_ERRORS * np.sqrt(p * (1 - p) / n), p, share)
        for share, p in zip(counted, exact_shares(prior, cause, leak), strict=True)
    )
    return alone, together


def _simulation(
    ill: Callable[..., np.ndarray] | None = None,
    leaks: Callable[..., np.ndarray] | None = None,
    attempts: Callable[..., np.ndarray] | None = None,
    join: Callable[..., np.ndarray] | None = None,
) -> Callable[..., np.ndarray]:
    """The right simulation with one of its lines replaced."""

    def wrong(prior, cause, leak, n, seed):
        coins, I, S = np.random.default_rng(seed), len(prior), len(leak)
        z = ill(coins, prior, n) if ill else coins.random((n, I)) < prior
        leaked = leaks(coins, leak, n) if leaks else coins.random((n, S)) < leak
        tried = attempts(coins, cause, n) if attempts else coins.random((n, I, S)) < cause
        return join(z, leaked, tried) if join else leaked | (tried & z[:, :, None]).any(axis=1)

    return wrong


def _from_marginals(prior, cause, leak, n, seed):
    alone = exact_shares(prior, cause, leak)[0]
    return np.random.default_rng(seed).random((n, len(leak))) < alone


def _added(prior, cause, leak, n, seed):
    coins = np.random.default_rng(seed)
    ill = coins.random((n, len(prior))) < prior
    return coins.random((n, len(leak))) < leak + ill @ cause


FORWARDS = Exercise(
    id="01.forwards",
    title="find the bug: a simulation that disagrees with the evidence",
    stub=inspect.getsource(simulate_symptoms).rstrip(),
    reference=mended_symptoms,
    given=simulate_symptoms,
    cases=_cases,
    observe=_shares,
    returns=(
        "the share of patients with each symptom",
        "the share with each combination of symptoms, from none to all",
    ),
    mistakes=(
        WrongAnswer(
            "one-coin-for-the-causes",
            _simulation(
                attempts=lambda coins, cause, n: coins.random((n, 1, cause.shape[1])) < cause
            ),
            "Each symptom has its coin now, but all diseases share it: each attempt needs its own.",
        ),
        WrongAnswer(
            "one-coin-for-all",
            _simulation(attempts=lambda coins, cause, n: coins.random((n, 1, 1)) < cause),
            "One coin serves all attempts of a patient: each attempt needs its own.",
        ),
        WrongAnswer(
            "one-coin-for-the-patients",
            _simulation(
                attempts=lambda coins, cause, n: (
                    (coins.random(cause.shape) < cause) & np.ones((n, 1, 1), bool)
                )
            ),
            "The attempts are thrown once and used for all patients.",
        ),
        WrongAnswer(
            "one-coin-for-the-leaks",
            _simulation(leaks=lambda coins, leak, n: coins.random((n, 1)) < leak),
            "The symptoms share the coin of the leak: each leak needs its own.",
        ),
        WrongAnswer(
            "one-coin-for-the-diseases",
            _simulation(ill=lambda coins, prior, n: coins.random((n, 1)) < prior),
            "The diseases share a coin; they are independent, so each needs its own.",
        ),
        WrongAnswer(
            "from-the-marginals",
            _from_marginals,
            "You throw each symptom with its own p(x_j = 1), independently. Given the diseases "
            "symptoms are independent; without them they are not.",
        ),
        WrongAnswer(
            "added",
            _added,
            "Chances do not add: with two causes of 0.6 the sum would be above 1. A symptom is "
            "absent only if every attempt failed.",
        ),
        WrongAnswer(
            "leak-forgotten",
            _simulation(join=lambda z, leaked, tried: (tried & z[:, :, None]).any(axis=1)),
            "The leak is missing: a symptom can come from nowhere.",
        ),
        WrongAnswer(
            "everybody-ill",
            _simulation(join=lambda z, leaked, tried: leaked | tried.any(axis=1)),
            "Diseases that are absent make attempts too: keep those of the ill.",
        ),
        WrongAnswer(
            "all",
            _simulation(join=lambda z, leaked, tried: leaked | (tried & z[:, :, None]).all(axis=1)),
            "One success is enough for a symptom: any, not all.",
        ),
    ),
    hints=(
        "Count the shares of cough, of fever and of both, and compare them with p(x) of 1.3, in "
        "standard errors. Which of them disagrees?",
        "Each symptom alone is right, the two together are too frequent. What do they share, "
        "besides the diseases?",
        "Look at the shapes: how many coins are thrown for a disease's attempts, and how many "
        "attempts are there?",
    ),
)
