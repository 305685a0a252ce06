"""The bits of a float32: eq. (1) of notebook 08b puts one together, here one is taken apart."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, call_for_results, stub


def float_parts(x):
    """Bit 31 is the sign; bits 23 to 30 hold n + 127, and with 127 there the power is 2^0"""
    bits = x.view(np.int32)
    n = ((bits >> 23) & 255) - 127
    return n, (bits - (n << 23)).view(np.float32)


def _cases():
    below_8 = np.nextafter(np.float32(8), np.float32(0))
    rows = [[6.5], [0.75, 3.5], [-6.5, -0.3], [below_8, 8], [2.0**-126, 1e30, -1e-30, 3e38]]
    return [(np.array(row, np.float32),) for row in rows]


def _fresh(rng):
    sizes = 2.0 ** rng.integers(-100, 100, 4) * rng.uniform(1, 2, 4)
    return ((sizes * rng.choice([-1, 1], 4)).astype(np.float32),)


def _observe(answer, x):
    """What is returned; arrays of whole numbers count as float64, and so does n of any type."""
    parts = call_for_results(2)(answer, x)
    if not isinstance(parts, tuple):
        return parts
    if not all(isinstance(part, np.ndarray) and part.dtype.kind in "iuf" for part in parts):
        return parts
    n, *fraction = parts
    return n.astype(float), *(p if p.dtype.kind == "f" else p.astype(float) for p in fraction)


def _with_n(n_of):
    """An answer with this n, and what is left of x as its fraction."""

    def wrong(x):
        n = n_of(x, x.view(np.int32))
        return n, x.astype(float) * 2.0 ** -n.astype(float)

    return wrong


def _without_a_mask(bits):
    n = (bits >> 23) - 127
    return n, (bits - (n << 23)).view(np.float32)


def _with_fraction(fraction_of):
    """An answer with the right n, and something else made of the right fraction."""

    def wrong(x):
        n, fraction = float_parts(x)
        return n, fraction_of(fraction)

    return wrong


BITS = Exercise(
    id="08.bits",
    title="a float32, taken apart by its bits",
    stub=stub("""
        def float_parts(x):    # (N,) float32, 2^-126 <= |x| < 2^128 -> n (N,), fraction (N,):
            ...      # x = 2^n fraction with whole n, 1 <= |fraction| < 2; exact, also just
                     # below a power of two
    """),
    reference=float_parts,
    cases=_cases,
    fresh=_fresh,
    observe=_observe,
    returns=("n", "fraction"),
    mistakes=(
        WrongAnswer(
            "logarithm",
            _with_n(lambda x, bits: np.floor(np.log2(np.abs(x))).astype(int)),
            "Just below a power of two log2 rounds up to a whole number; the bits are exact.",
        ),
        WrongAnswer(
            "nearest",
            _with_n(lambda x, bits: np.rint(np.log2(np.abs(x))).astype(int)),
            "This rounds log2 |x| to the nearest whole number, so |fraction| can be below 1.",
        ),
        WrongAnswer(
            "towards-zero",
            _with_n(lambda x, bits: np.trunc(np.log2(np.abs(x))).astype(int)),
            "Where |x| < 1 this rounds n up, towards zero, so |fraction| is below 1.",
        ),
        WrongAnswer(
            "frexp",
            lambda x: np.frexp(x)[::-1],
            "This fraction lies between 1/2 and 1, as np.frexp has it, not between 1 and 2.",
        ),
        WrongAnswer(
            "no-bias",
            _with_n(lambda x, bits: (bits >> 23) & 255),
            "The bits hold n + 127: subtract 127.",
        ),
        WrongAnswer(
            "bias-128",
            _with_n(lambda x, bits: ((bits >> 23) & 255) - 128),
            "n is 1 too small: the bits hold n + 127, not n + 128.",
        ),
        WrongAnswer(
            "sign-in-n",
            lambda x: _without_a_mask(x.view(np.int32)),
            "For a negative x the sign, bit 31, is still in n: keep the lowest eight bits, & 255.",
        ),
        WrongAnswer(
            "sign-in-n-unsigned",
            _with_n(lambda x, bits: (x.view(np.uint32) >> 23).astype(int) - 127),
            "For a negative x the sign, bit 31, is still in n: keep the lowest eight bits, & 255.",
        ),
        WrongAnswer(
            "seven-bits",
            _with_n(lambda x, bits: ((bits >> 23) & 127) - 127),
            "n + 127 has eight bits, 23 to 30: & 255, not & 127.",
        ),
        WrongAnswer(
            "no-sign",
            _with_fraction(np.abs),
            "The fraction has lost the sign of x.",
        ),
        WrongAnswer(
            "no-one",
            _with_fraction(lambda fraction: fraction - np.sign(fraction)),
            "The 1 in front is missing: bits 0 to 22 hold only the digits behind it.",
        ),
        WrongAnswer(
            "whole-digits",
            lambda x: (float_parts(x)[0], x.view(np.int32) & 0x7FFFFF),
            "Bits 0 to 22 as a whole number: put 127 into bits 23 to 30 and view it as a float32.",
        ),
    ),
    hints=(
        "x.view(np.int32) gives the bits as a whole number; which of them hold n + 127?",
        "Shift them down by 23, keep eight of them with & 255, and subtract 127.",
        "The fraction has the same bits as x but 127 in the place of n + 127: subtract n << 23.",
    ),
)
