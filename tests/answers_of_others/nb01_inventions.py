"""Notebook 01: answers to `01.helping`, `01.story` and `01.machine`."""

import math
from fractions import Fraction

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 01.helping ----------------------------------------------------------------------------------

right(
    "01.helping",
    [[0.01, 0.01], [0.01, 0.9]],
    ((0.5, 0.1), (0.1, 0.5)),
    np.array([[1, 0], [0, 1]]),
    [[Fraction(1, 5), Fraction(1, 3)], [Fraction(1, 3), 1]],
    np.array([[0.2, 0.3], [0.1, 0.4]], np.float32),
    [[0.9, 0.1], [0.5, 0.3]],
    [[0.01, 0.02], (0.04, 0.9)],
)
wrong(
    "01.helping",
    [[0, 0.1], [0.1, 1]],
    [[0.1, 0.4], [0.4, 0.9]],
    [[0.1, 0.2], [0.2, 0.4]],
    [[0.2, 0.3], [0.6, 0.9]],
    [[0.01, 0.3], [0.3, 0.99]],
    [[0.2, 0], [0, 0]],
    [[1, 1], [1, 90]],
    [0.01, 0.01, 0.01, 0.9],
    [[0.01, 0.01, 0.01], [0.01, 0.01, 0.9]],
    [[0.01, 0.01], [0.01, np.nan]],
    [["low", "low"], ["low", "high"]],
    [[-0.2, 0.1], [0.1, -0.9]],
    [[0.3, 0.7], [0.7, 0.9]],
    0.9,
    lambda z1, z2: 0.9 if z1 and z2 else 0.1,
)

# ---- 01.story ------------------------------------------------------------------------------------

right(
    "01.story",
    ((0.99, 0.01), [[0.9, 0.1], [0.1, 0.9]]),
    [np.array([0.7, 0.2, 0.1]), np.array([[0.6, 0.4], [0.5, 0.5], [0.1, 0.9]])],
    ([Fraction(9, 10), Fraction(1, 10)], [[Fraction(2, 3), Fraction(1, 3)], [0, 1]]),
    ((0.3, 0.7), ((0.25, 0.5, 0.25), (0.2, 0.4, 0.4))),
)
wrong(
    "01.story",
    ([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]]),
    ([0.9, 0.1], [[0.9, 0.1], [0.1, 0.9]]),
    ([0.3, 0.7], [[0.4, 0.6], [0.4, 0.6]]),
    ([0.6, 0.4], [[0.9, 0.1], [0.1, 0.9]]),
    ([0.99, 0.1], [[0.9, 0.1], [0.1, 0.9]]),
    ([0.99, 0.01], [[0.9, 0.3], [0.1, 0.7]]),
    ([0.99, 0.01], [[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]]),
    ([99, 1], [[90, 10], [10, 90]]),
    ([1.0], [[0.2, 0.8]]),
    ([1.2, -0.2], [[0.9, 0.1], [0.1, 0.9]]),
    ([0.99, 0.01], [[0.891, 0.099], [0.001, 0.009]]),
    [[0.9, 0.1], [0.1, 0.9]],
    ([0.99, 0.01], [0.1, 0.9]),
    ([[0.9, 0.1], [0.1, 0.9]], [0.99, 0.01]),
    ([np.nan, 0.01], [[0.9, 0.1], [0.1, 0.9]]),
    ({"healthy": 0.99, "ill": 0.01}, {"healthy": [0.9, 0.1], "ill": [0.1, 0.9]}),
    "a rare disease and a common finding",
)

# ---- 01.machine ----------------------------------------------------------------------------------


def coins_from(rng):
    return lambda p: int(rng.random() < p)


def fault_and_noise(coin):
    fault = coin(0.2)
    return fault, coin(0.7 if fault else 0.1)


def noises(n, rng):
    coin = coins_from(rng)
    return [fault_and_noise(coin)[1] for _ in range(n)]


def log_fault_and_noise(z, x):
    of_noise = 0.7 if z else 0.1
    return math.log(0.2 if z else 0.8) + math.log(of_noise if x else 1 - of_noise)


def log_noise(x):
    return math.log(0.2 * 0.7 + 0.8 * 0.1 if x else 0.2 * 0.3 + 0.8 * 0.9)


right("01.machine", (fault_and_noise, noises, log_fault_and_noise, log_noise))


def mood_and_purr(coin):
    mood = "happy" if coin(0.6) else "hungry" if coin(0.5) else "sleepy"
    if mood == "sleepy":
        return mood, ("silent", 0)
    return mood, ("purr", 1 + coin(0.5)) if mood == "happy" and coin(0.75) else ("silent", 0)


CATS = {
    ("happy", ("purr", 1)): 0.225,
    ("happy", ("purr", 2)): 0.225,
    ("happy", ("silent", 0)): 0.15,
    ("hungry", ("silent", 0)): 0.2,
    ("sleepy", ("silent", 0)): 0.2,
}


def log_or_minus_inf(p):
    with np.errstate(divide="ignore"):
        return np.log(p)


right(
    "01.machine",
    [
        mood_and_purr,
        lambda n, rng: [mood_and_purr(coins_from(rng))[1] for _ in range(n)],
        lambda z, x: log_or_minus_inf(CATS.get((z, x), 0.0)),
        lambda x: log_or_minus_inf(sum(p for (_, y), p in CATS.items() if y == x)),
    ],
)


def kittens(coin):
    born = sum(coin(0.5) for _ in range(3))
    return born, sum(coin(0.25) for _ in range(born))


def log_kittens(born, black):
    if black > born:
        return -math.inf
    chances = math.comb(3, born) * math.comb(born, black)
    return math.log(chances) - 3 * math.log(2) + math.log(0.25) * black + math.log(0.75) * (
        born - black
    )  # fmt: skip


def black_kittens(n, rng):
    return list(map(int, rng.binomial(rng.binomial(3, 0.5, n), 0.25)))


def log_black(black):
    return math.log(math.comb(3, black)) + black * math.log(0.125) + (3 - black) * math.log(0.875)


right("01.machine", (kittens, black_kittens, log_kittens, log_black))


def without_coin(coin):
    fault = int(np.random.default_rng().random() < 0.2)
    return fault, coin(0.7 if fault else 0.1)


def sample_of_a_fixed_seed(n, rng):
    return noises(n, np.random.default_rng(0))


def sample_with_the_fault_always(n, rng):
    coin = coins_from(rng)
    return [coin(0.7) for _ in range(n)]


def sample_that_throws_one_fault(n, rng):
    coin = coins_from(rng)
    fault = coin(0.2)
    return [coin(0.7 if fault else 0.1) for _ in range(n)]


def sample_with_one_uniform(n, rng):
    u = rng.random(n)
    return [int(a < (0.7 if a < 0.2 else 0.1)) for a in u]


def log_conditional(z, x):
    of_noise = 0.7 if z else 0.1
    return math.log(of_noise if x else 1 - of_noise)


wrong(
    "01.machine",
    (without_coin, noises, log_fault_and_noise, log_noise),
    (fault_and_noise, sample_of_a_fixed_seed, log_fault_and_noise, log_noise),
    (fault_and_noise, sample_with_the_fault_always, log_fault_and_noise, log_noise),
    (fault_and_noise, sample_that_throws_one_fault, log_fault_and_noise, log_noise),
    (fault_and_noise, sample_with_one_uniform, log_fault_and_noise, log_noise),
    (fault_and_noise, lambda n, rng: noises(n - 1, rng), log_fault_and_noise, log_noise),
    (fault_and_noise, lambda n, rng: noises(1, rng)[0], log_fault_and_noise, log_noise),
    (fault_and_noise, lambda n, rng: [fault_and_noise(coins_from(rng)) for _ in range(n)],
     log_fault_and_noise, log_noise),
    (fault_and_noise, lambda n, rng: [1 - x for x in noises(n, rng)], log_fault_and_noise,
     log_noise),
    (lambda coin: fault_and_noise(coin)[::-1], noises, log_fault_and_noise, log_noise),
    (fault_and_noise, noises, log_conditional, log_noise),
    (fault_and_noise, noises, lambda z, x: log_fault_and_noise(x, z), log_noise),
    (fault_and_noise, noises, lambda z, x: math.exp(log_fault_and_noise(z, x)), log_noise),
    (fault_and_noise, noises, log_fault_and_noise,
     lambda x: max(log_fault_and_noise(z, x) for z in (0, 1))),
    (fault_and_noise, noises, log_fault_and_noise,
     lambda x: sum(log_fault_and_noise(z, x) for z in (0, 1))),
    (fault_and_noise, noises, log_fault_and_noise, lambda x: log_noise(x) / math.log(2)),
    (fault_and_noise, noises, log_fault_and_noise, lambda x: log_noise(1)),
    (fault_and_noise, noises, log_fault_and_noise),
    (fault_and_noise, noises, log_noise, log_fault_and_noise),
    (kittens, black_kittens, lambda born, black: log_kittens(max(born, black), black), log_black),
    (mood_and_purr, lambda n, rng: [mood_and_purr(coins_from(rng))[1] for _ in range(n)],
     lambda z, x: math.log(CATS[z, x]),
     lambda x: math.log(sum(p for (_, y), p in CATS.items() if y == x))),
    (kittens, black_kittens, lambda born, black: log_kittens(born, black) + math.log(
        math.comb(3, born)), log_black),
    fault_and_noise,
)  # fmt: skip
