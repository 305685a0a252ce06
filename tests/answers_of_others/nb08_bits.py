"""Notebook 08b: answers to `08.bits`."""

import struct

import numpy as np
from answers_of_others.registry import right, wrong


@right("08.bits")
def by_masks(x):
    bits = np.frombuffer(x.tobytes(), np.uint32)
    n = ((bits & 0x7F800000) >> 23).astype(int) - 127
    return n, ((bits & 0x807FFFFF) | 0x3F800000).astype(np.uint32).view(np.float32)


@right("08.bits")
def by_frexp(x):
    fraction, n = np.frexp(x)
    return n - 1, 2 * fraction


@right("08.bits")
def one_at_a_time(x):
    ns, fractions = [], []
    for number in x:
        (bits,) = struct.unpack("<I", struct.pack("<f", number))
        ns.append(bits // 2**23 % 256 - 127)
        fractions.append(float(number) / 2.0 ** ns[-1])
    return ns, fractions


@right("08.bits")
def by_halving(x):
    ns, fractions = [], []
    for number in x.tolist():
        n = 0
        while abs(number) >= 2:
            number, n = number / 2, n + 1
        while abs(number) < 1:
            number, n = number * 2, n - 1
        ns.append(n)
        fractions.append(number)
    return np.array([ns, fractions])


@wrong("08.bits", clue="logarithm")
def floor_of_log2(x):
    n = np.floor(np.log2(abs(x)))
    return n, x / np.exp2(n)


@wrong("08.bits", clue="towards-zero")
def whole_part_of_log2(x):
    n = np.array([int(np.log2(abs(number))) for number in x])
    return n, x / 2.0**n


@wrong("08.bits", clue="sign-in-n")
def sign_stays(x):
    n = (x.view(np.int32) >> 23) - 127
    return n, (x.view(np.int32) - (n << 23)).view(np.float32)


@wrong("08.bits", clue="sign-in-n-unsigned")
def sign_stays_unsigned(x):
    n = (x.view(np.uint32) >> 23).astype(int) - 127
    return n, x / 2.0**n


@wrong("08.bits", clue="no-sign")
def of_the_size(x):
    bits = np.abs(x).view(np.int32)
    n = (bits >> 23) - 127
    return n, (bits - (n << 23)).view(np.float32)


@wrong("08.bits", clue="no-one")
def digits_alone(x):
    bits = x.view(np.int32)
    n = ((bits >> 23) & 0xFF) - 127
    return n, np.sign(x) * (bits & 0x7FFFFF) / 2**23


@wrong("08.bits")
def exponent_left_in(x):
    bits = x.view(np.int32)
    n = ((bits >> 23) & 0xFF) - 127
    return n, (bits & 0x7FFFFF).view(np.float32)


@wrong("08.bits")
def shifted_too_little(x):
    n = ((x.view(np.int32) >> 22) & 0xFF) - 127
    return n, x / 2.0**n


@wrong("08.bits")
def shifted_too_far(x):
    n = ((x.view(np.int32) >> 24) & 0xFF) - 127
    return n, x / 2.0**n


@wrong("08.bits")
def converted_not_viewed(x):
    n = ((x.astype(np.int64) >> 23) & 0xFF) - 127
    return n, x.astype(float) / 2.0**n


@wrong("08.bits")
def upside_down(x):
    fraction, n = np.frexp(x)
    return 1 - n, 2 * fraction


@wrong("08.bits")
def parts_swapped(x):
    fraction, n = np.frexp(x)
    return 2 * fraction, n - 1


@wrong("08.bits", clue="no-bias")
def as_stored(x):
    n = np.frexp(x)[1]
    return n - 1 + 127, x / 2.0 ** (n - 1 + 127)


@wrong("08.bits", clue="whole-digits")
def digits_as_a_whole_number(x):
    bits = x.view(np.int32)
    return (bits >> 23 & 255) - 127, bits % 2**23
