"""exp, expm1, log1p and tanh that LLVM can vectorize.

float32: polynomials in plain arithmetic, without a call into libm, so that a loop uses whole vector
registers. The coefficients were fitted for the smallest maximum error. The errors stated here, in
units in the last place (ulp), are tested over the whole range of float32.
float64: libm's functions.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from minivae.kernels.compilation import compiled

f32, i32 = np.float32, np.int32
LOG2_E = f32(1.4426950408889634)
LN2_HIGH = f32(0.693359375)  # 9 bits: n * LN2_HIGH is exact
LN2_LOW = f32(-2.12194440e-4)
ROUND = f32(12582912.0)  # 1.5 * 2^23: adding it rounds to a whole number, kept in the low bits
ROUND_BITS = i32(0x4B400000)
BIAS, SHIFT = i32(127), i32(23)  # 2^n has the bits (n + 127) << 23
ONE, TWO = f32(1), f32(2)


@compiled
def _reduce(x):
    """x = n ln 2 + r, |r| <= ln(2) / 2  ->  expm1(r), and n as two halves, as 2^n may underflow."""
    t = x * LOG2_E + ROUND
    n = i32(f32(t).view(i32) - ROUND_BITS)
    whole = t - ROUND
    r = (x - whole * LN2_HIGH) - whole * LN2_LOW
    p = f32(0.0013946669641882181)
    p = p * r + f32(0.008366710506379604)
    p = p * r + f32(0.04166628047823906)
    p = p * r + f32(0.16666541993618011)
    p = p * r + f32(0.5)
    half = i32(n >> i32(1))
    return p * (r * r) + r, half, i32(n - half)


@compiled
def _exp32(x):
    """exp(x), error at most 2 ulp; infinity from 88.73 on, NaN for NaN."""
    x = f32(-105) if x < f32(-105) else x  # comparisons with NaN are false: a NaN passes through
    x = f32(90) if x > f32(90) else x
    p, n1, n2 = _reduce(x)
    return (p + ONE) * i32((n1 + BIAS) << SHIFT).view(f32) * i32((n2 + BIAS) << SHIFT).view(f32)


@compiled
def _expm1_32(x):
    """exp(x) - 1 without cancellation near 0: 2^n expm1(r) + (2^n - 1), error at most 2 ulp."""
    x = f32(-20) if x < f32(-20) else x  # 1 - exp(-20) rounds to 1
    x = f32(90) if x > f32(90) else x
    p, n1, n2 = _reduce(x)
    low = i32((n1 + BIAS) << SHIFT).view(f32)
    high = i32((n2 + BIAS) << SHIFT).view(f32)
    inverse = i32((BIAS - n2) << SHIFT).view(f32)
    return (p * low + (low - inverse)) * high  # 2^n may overflow where the result does not


@compiled
def _expm1_minus_32(x):
    """exp(x) - 1 - x, without cancellation near 0, where it is its series: error at most 10 ulp."""
    p = f32(1 / 5040)
    p = p * x + f32(1 / 720)
    p = p * x + f32(1 / 120)
    p = p * x + f32(1 / 24)
    p = p * x + f32(1 / 6)
    p = p * x + f32(0.5)
    # At infinity the difference is NaN. Fused into one multiply-add with the last product of expm1,
    # which overflows there, it would be -infinity: so from 90 on x is not subtracted.
    rest = x if x < f32(90) else x - x
    return p * (x * x) if abs(x) < f32(0.25) else _expm1_32(x) - rest


@compiled
def _expm1_minus_64(x):
    """The same in float64, by a longer series."""
    p = 1 / 479001600
    p = p * x + 1 / 39916800
    p = p * x + 1 / 3628800
    p = p * x + 1 / 362880
    p = p * x + 1 / 40320
    p = p * x + 1 / 5040
    p = p * x + 1 / 720
    p = p * x + 1 / 120
    p = p * x + 1 / 24
    p = p * x + 1 / 6
    p = p * x + 0.5
    return p * (x * x) if abs(x) < 0.25 else math.expm1(x) - x


@compiled
def _log1p_unit32(x):
    """log(1 + x) for 0 <= x <= 1, such as x = exp(-|l|): error at most 3 ulp."""
    p = f32(-0.0032440212089568377)
    p = p * x + f32(0.01985144428908825)
    p = p * x + f32(-0.056959498673677444)
    p = p * x + f32(0.10603651404380798)
    p = p * x + f32(-0.15305590629577637)
    p = p * x + f32(0.1967593878507614)
    p = p * x + f32(-0.24954134225845337)
    p = p * x + f32(0.3332996368408203)
    p = p * x + f32(-0.4999990165233612)
    return p * (x * x) + x


@compiled
def _tanh32(x):
    """tanh(x) = e / (e + 2), e = exp(2x) - 1, error at most 4 ulp; NaN for NaN."""
    x = f32(-10) if x < f32(-10) else x
    x = f32(10) if x > f32(10) else x
    e = _expm1_32(x + x)
    return e / (e + TWO)


def _by_dtype(fast: Callable, exact: Callable) -> Callable[[Any], Any]:
    """A function of one number that is `fast` for float32 and `exact` for float64."""

    def stub(x):
        return fast(x) if isinstance(x, np.float32) else exact(x)

    @overload(stub)
    def choose(x):
        if x == types.float32:
            return lambda x: fast(x)
        return lambda x: exact(x)

    return stub


exp = _by_dtype(_exp32, math.exp)
expm1 = _by_dtype(_expm1_32, math.expm1)
expm1_minus = _by_dtype(_expm1_minus_32, _expm1_minus_64)
log1p_unit = _by_dtype(_log1p_unit32, math.log1p)  # for 0 <= x <= 1
tanh = _by_dtype(_tanh32, math.tanh)
