"""A machine of the reader's own: run, sampled and scored, and compared with itself.

The reader's story throws coins, `coin(p)`. Going through all the ways in which they can fall gives
its joint distribution exactly, whatever the story is about.
"""

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

MOST_COINS = 20
MOST_WAYS = 4096
TOLERANCE = 1e-6  # nats
DRAWS = 20_000
FEW = 1000  # enough to tell whether two samples are equal
STANDARD_ERRORS = 5  # a right sampler is further off once in about two million shares

Joint = dict[tuple[Any, Any], float]  # p(z, x) of every pair that can occur


class _Unfit(Exception):
    """What is wrong with the answer, in one sentence."""


def _call(name, function, *args):
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # log 0 is -inf
            warnings.simplefilter("ignore")
            return function(*args)
    except _Unfit:
        raise
    except Exception as error:
        shown = ", ".join(map(repr, args)) if name in ("log_joint", "score") else "..."
        raise _Unfit(f"{name}({shown}) raised {type(error).__name__}: {error}") from error


def _plain(value):
    """A z or x that can be counted, and written out: NumPy's numbers become Python's."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, int | float | str):
        raise _Unfit(f"{value!r} is no z or x: expected numbers, words, or tuples of them")
    return value


# ---- all the ways in which the coins can fall ----------------------------------------------------


class _Coins:
    """Falls as `planned`, then to 0; `others` are the ways that branch off after the plan."""

    def __init__(self, planned):
        self.planned = planned
        self.fallen = ()
        self.others = []
        self.probability = 1.0

    def __call__(self, p):
        try:
            fits = 0 <= p <= 1
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise _Unfit(f"coin({p!r}): expected a probability")
        i = len(self.fallen)
        if i == MOST_COINS:
            raise _Unfit(f"run throws more than {MOST_COINS} coins; a smaller story will do")
        side = self.planned[i] if i < len(self.planned) else int(p == 1)
        if i >= len(self.planned) and 0 < p < 1:
            self.others.append((*self.fallen, 1))
        self.fallen += (side,)
        self.probability *= p if side else 1 - p
        return side


def _follow(run, planned):
    coins = _Coins(planned)
    pair = _call("run", run, coins)
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise _Unfit("run must return two things: z, x")
    return (_plain(pair[0]), _plain(pair[1])), coins


def joint_of_runs(run: Callable[..., Any]) -> Joint:
    """p(z, x) of every pair that run(coin) can return."""
    joint: Counter = Counter()
    ways, seen = [()], 0
    while ways:
        planned = ways.pop()
        pair, coins = _follow(run, planned)
        again, same = _follow(run, planned)
        if (again, same.fallen) != (pair, coins.fallen):
            raise _Unfit("run does something else when the coins fall in the same way: all chance "
                         "must come from coin")  # fmt: skip
        joint[pair] += coins.probability
        ways += coins.others
        seen += 1
        if seen == MOST_WAYS and ways:
            raise _Unfit(f"the coins can fall in more than {MOST_WAYS} ways; a smaller story will "
                         "do")  # fmt: skip
    return {pair: p for pair, p in joint.items() if p > 0}


# ---- what is wrong -------------------------------------------------------------------------------


def _judge_machine(answer):
    """None for four functions that describe one story."""
    if not isinstance(answer, tuple | list) or len(answer) != 4 or not all(map(callable, answer)):
        return "expected four functions: (run, sample, log_joint, score)"
    run, sample, log_joint, score = answer
    try:
        joint = joint_of_runs(run)
        zs, xs = (tuple(dict.fromkeys(part)) for part in zip(*joint, strict=True))
        table = np.array([[joint.get((z, x), 0.0) for x in xs] for z in zs])  # (Z, X)
        return (
            _without_a_secret(table)
            or _wrong_sample(sample, xs, table.sum(axis=0))
            or _wrong_joint(log_joint, zs, xs, table)
            or _wrong_score(score, xs, table)
        )
    except _Unfit as problem:
        return str(problem)


def _without_a_secret(table):
    Z, X = table.shape
    if Z < 2 or X < 2:
        return f"run can return {Z} z and {X} x; expected at least two of each"
    if np.abs(table - np.outer(table.sum(axis=1), table.sum(axis=0))).max() < 1e-9:
        return "x is independent of z, so z causes nothing"
    if ((table > 0).sum(axis=0) == 1).all():
        return "every x comes from one z only, so z is not hidden: let some x come from two"
    return None


def _wrong_sample(sample, xs, p_x):
    wanted = (DRAWS, 1), (FEW, 1), (FEW, 1), (FEW, 2)  # how many, and the seed
    draws = [_call("sample", sample, n, np.random.default_rng(seed)) for n, seed in wanted]
    try:
        first, few, again, other = ([_plain(x) for x in one] for one in draws)
    except TypeError:
        return "sample must return a list of x"
    if len(first) != DRAWS:
        return f"sample({DRAWS}, rng) returned {len(first)} x"
    if few != again:
        return "sample gives something else for an equal rng: all chance must come from rng"
    strange = next((x for x in first if x not in xs), None)
    if strange is not None:
        return f"sample gives {strange!r}, an x that run cannot return; it returns x without z"
    counted = Counter(first)
    for x, p in zip(xs, p_x, strict=True):
        share = counted[x] / DRAWS
        if abs(share - p) > STANDARD_ERRORS * np.sqrt(p * (1 - p) / DRAWS):
            return f"the share of x = {x!r} among {DRAWS} samples is {share:.4f}; p(x) is {p:.4f}"
    if few == other and (p_x @ p_x) ** FEW < 1e-9:  # the probability that this is luck
        return "sample gives the same for another rng: make its coins from the rng that it is given"
    return None


def _number(name, function, *args):
    value = _call(name, function, *args)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise _Unfit(f"{name}{args!r} is {value!r}; expected one number, nats") from None


def _same(a, b):
    return bool(np.isclose(a, b, rtol=0, atol=TOLERANCE).all())  # -inf is close to -inf


def _wrong_joint(log_joint, zs, xs, table):
    values = np.array([[_number("log_joint", log_joint, z, x) for x in xs] for z in zs])
    with np.errstate(all="ignore"):
        right, log_z = np.log(table), np.log(table.sum(axis=1, keepdims=True))
        log_x = np.log(table.sum(axis=0))
        total = np.exp(values).sum()
    if _same(values, right):
        return None
    known = {
        "this is p(z, x) itself; take its log": table,
        "this is -log p(z, x); the log of a probability is at most 0": -right,
        "this is log p(x|z): p(z) is missing": right - log_z,
        "this is log p(z|x): log p(x) was subtracted": right - log_x,
        "these are logs to the base 2; take the natural one": right / np.log(2),
    }
    clue = next((f"; {says}" for says, value in known.items() if _same(values, value)), "")
    if not abs(total - 1) < TOLERANCE:
        return f"exp(log_joint), added up over all z and x, is {total:.6g}; expected 1{clue}"
    i, j = np.argwhere(~np.isclose(values, right, rtol=0, atol=TOLERANCE))[0]
    return (
        f"log_joint({zs[i]!r}, {xs[j]!r}) is {values[i, j]:.6g}, and run gives this pair with the "
        f"log probability {right[i, j]:.6g}{clue}"
    )


def _wrong_score(score, xs, table):
    values = np.array([_number("score", score, x) for x in xs])
    right = np.log(table.sum(axis=0))
    if _same(values, right):
        return None
    with np.errstate(all="ignore"):
        known = {
            "this is p(x) itself; take its log": np.exp(right),
            "this is -log p(x)": -right,
            "these are logs to the base 2; take the natural one": right / np.log(2),
            "this is the best z alone; add up the joint over all z": np.log(table.max(axis=0)),
            "a sum of logs is the log of a product; add up probabilities, and then take the log":
                np.log(table).sum(axis=0),
            "this weighs every z equally; weigh it by p(z)":
                np.log((table / table.sum(axis=1, keepdims=True)).mean(axis=0)),
        }  # fmt: skip
    clue = next((f"; {says}" for says, value in known.items() if _same(values, value)), "")
    i = int(np.argmax(~np.isclose(values, right, rtol=0, atol=TOLERANCE)))
    return f"score({xs[i]!r}) is {values[i]:.6g}; expected {right[i]:.6g}{clue}"


# ---- one machine, and some that contradict themselves --------------------------------------------


def _run(coin):
    hungry = coin(0.3)
    return hungry, (coin(0.9 if hungry else 0.2), coin(0.3 if hungry else 0.6))


def _sample(n, rng):
    return [_run(lambda p: int(rng.random() < p))[1] for _ in range(n)]


def _log_likelihood(z, x):
    p = (0.9, 0.3) if z else (0.2, 0.6)
    return sum(np.log(p_j if x_j else 1 - p_j) for p_j, x_j in zip(p, x, strict=True))


def _log_joint(z, x):
    return np.log(0.3 if z else 0.7) + _log_likelihood(z, x)


def _score(x):
    return np.logaddexp(_log_joint(0, x), _log_joint(1, x))


MACHINE = Exercise(
    id="01.machine",
    title="a machine of your own",
    stub=stub("""
        # run(coin) -> z, x       your story, causes first. coin(p) is 1 with probability p, else 0,
        #                         and all chance comes from it. z and x: numbers, words, or tuples.
        # sample(n, rng) -> [x]   the x of n runs of your story, with coins made from rng
        # log_joint(z, x)         log p(z, x), nats; -np.inf for a pair that run cannot return
        # score(x)                log p(x), nats
        my_machine = ...    # (run, sample, log_joint, score)
    """),
    reference=(_run, _sample, _log_joint, _score),
    judge=_judge_machine,
    mistakes=(
        WrongAnswer(
            "prior-forgotten",
            (_run, _sample, _log_likelihood, _score),
            "p(z) is missing in log_joint: the story throws the coin of the cause first.",
        ),
        WrongAnswer(
            "best-z",
            (_run, _sample, _log_joint, lambda x: max(_log_joint(0, x), _log_joint(1, x))),
            "x can come about through every z: add up the joint over all of them.",
        ),
        WrongAnswer(
            "sum-of-logs",
            (_run, _sample, _log_joint, lambda x: _log_joint(0, x) + _log_joint(1, x)),
            "Adding logs multiplies probabilities: leave the logs, add, and take the log.",
        ),
        WrongAnswer(
            "another-story",
            (_run, _sample, lambda z, x: _log_joint(1 - z, x), _score),
            "It sums to one, but is the joint of another story than the one that runs.",
        ),
        WrongAnswer(
            "one-coin",
            (
                _run,
                lambda n, rng: [_run(lambda p, u=u: int(u < p))[1] for u in rng.random(n)],
                _log_joint,
                _score,
            ),
            "One random number serves all coins of a run: each throw needs its own.",
        ),
        WrongAnswer(
            "nothing-hidden",
            (
                lambda coin: (coin(0.3),) * 2,
                lambda n, rng: [int(u < 0.3) for u in rng.random(n)],
                lambda z, x: np.log(0.3 * z + 0.7 * (1 - z)) if z == x else -np.inf,
                lambda x: np.log(0.3 * x + 0.7 * (1 - x)),
            ),
            "Here x is z. Let the effect be noisy, so that it leaves the cause in doubt.",
        ),
    ),
    hints=(
        "A cat is hungry or not (z). It meows or not, and purrs or not (x): two coins, whose "
        "chances depend on the hunger.",
        "sample calls run with coins made from rng: lambda p: int(rng.random() < p). log_joint "
        "adds up the logs of what each coin of the story did, that of the cause too.",
        "score is the log of the sum of exp(log_joint(z, x)) over all z; for two of them, "
        "np.logaddexp(log_joint(0, x), log_joint(1, x)).",
    ),
    solution_text=stub("""
        def run(coin):
            hungry = coin(0.3)                             # z ~ p(z), and then x ~ p(x|z):
            return hungry, (coin(0.9 if hungry else 0.2),  # does it meow?
                            coin(0.3 if hungry else 0.6))  # does it purr?


        def sample(n, rng):
            return [run(lambda p: int(rng.random() < p))[1] for _ in range(n)]


        def log_joint(z, x):
            p = (0.9, 0.3) if z else (0.2, 0.6)
            log_p = np.log(0.3 if z else 0.7)
            for p_j, x_j in zip(p, x):
                log_p += np.log(p_j if x_j else 1 - p_j)
            return log_p


        def score(x):
            return np.logaddexp(log_joint(0, x), log_joint(1, x))


        my_machine = (run, sample, log_joint, score)
    """),
)
