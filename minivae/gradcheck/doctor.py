"""The gradient doctor: what is wrong with a forward/backward pair, from the pattern of its error.

    print(diagnose(forward, backward, {"mu": mu, "logvar": logvar, "eps": eps}))

A gradient that is off by a constant, right at zero, different at each call, or right after one
more factor f'(a): each common mistake leaves its own pattern. A pattern is named only if it
explains the numbers; if none does, or if rounding alone explains the error, the answer is "I can't
tell".
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minivae.gradcheck.differences import block_error, private_rng
from minivae.gradcheck.pair import (
    CannotExamine,
    Finding,
    Inputs,
    Pair,
    examine_pair,
    is_float,
)
from minivae.gradcheck.patterns import known_pattern, where_to_look
from minivae.gradcheck.verdicts import RIGHT


class Examined(NamedTuple):
    """One gradient of the pair."""

    name: str  # of the input
    ok: bool  # every entry is right
    error: float  # max|by hand - numerical| / the largest entry; inf where the shapes differ


class Diagnosis(NamedTuple):
    """ok: every gradient is right. Otherwise, one finding for each gradient that is wrong."""

    ok: bool
    findings: tuple[Finding, ...]
    blocks: tuple[Examined, ...]

    def __str__(self) -> str:
        if self.ok:
            return "right: " + ", ".join(f"{b.name} ({b.error:.0e})" for b in self.blocks)
        return "\n".join(
            f"{finding.argument}: {finding.sentence}" if finding.argument else finding.sentence
            for finding in self.findings
        )


def diagnose(
    forward: Callable[..., Any], backward: Callable[..., Any], inputs: Inputs, *, seed: int = 0
) -> Diagnosis:
    """Examine a forward/backward pair and say which mistake it looks like -> Diagnosis.

    forward(*inputs) -> (y, cache), backward(dy, cache) -> gradients of the first inputs, in
    their order (one array, or a tuple; None for one that was not wanted). inputs: a tuple, or a
    dict by name; floats and float arrays are differentiated, the rest is passed on. Noise must
    be among the inputs. Small, generic inputs are the most informative: not square, no zeros, B = 3
    or more.

    The derivative of sum(dy * y), for a random dy, is compared with the gradient of each input. dy
    comes from the doctor's own stream, so it cannot be an input that was drawn with the same seed.
    Where they differ, each finding has a kind:

      raises, convention, float32, not-finite    the pair cannot be examined
      noise        another number at each call       mutates       changes what it was given
      shape, not-summed, transposed, order           the right numbers in the wrong place
      lost         the gradient is zero              unused        it should be zero
      ratio        a constant times too large or too small
      sign         wrong in some entries only        ignores-dy    does not depend on dy
      activation   a derivative f' missing or wrong  factor, term  one too many or too few
      at-zero      right at zero, wrong elsewhere    kink          the inputs are at a kink
      rounding     off by no more than rounding     nearly         right to five digits
      only, upstream, unknown                        no pattern: where to look, or "I can't tell"
    """
    with np.errstate(all="ignore"):
        try:
            pair = examine_pair(forward, backward, inputs, private_rng(seed))
        except CannotExamine as refusal:
            return Diagnosis(False, (refusal.finding,), ())
        return _diagnosis(pair)


def _diagnosis(pair: Pair) -> Diagnosis:
    sizes = _sizes(pair)
    blocks, findings, right = [], [], []
    for i, analytic in pair.analytic.items():
        fits = i in pair.verdicts
        block = Examined(
            pair.names[i],
            fits and bool((pair.verdicts[i].verdict == RIGHT).all()),
            block_error(analytic, pair.numeric[i]) if fits else float("inf"),
        )
        blocks.append(block)
        if block.ok:
            right.append(i)
    wrong = [i for i in pair.analytic if i not in right]
    for i in wrong:
        finding = known_pattern(pair, i, sizes) or where_to_look(pair, i, right, wrong)
        findings.append(Finding(pair.names[i], *finding))
    return Diagnosis(not findings, tuple(findings), tuple(blocks))


def _sizes(pair: Pair) -> dict[str, int]:
    """Axis lengths that a sum or a mean over the wrong axis would leave as a ratio."""
    sizes = {"the number of entries of the result": pair.y.size}
    arrays = [("the result", pair.y)] + [
        (name, a) for name, a in zip(pair.names, pair.args, strict=True) if is_float(a)
    ]
    seen = {pair.y.size} if pair.y.ndim != 1 else set()
    for name, array in arrays:
        for axis, size in enumerate(array.shape):
            if size not in seen:
                seen.add(size)
                batch = " (the batch size?)" if axis == 0 and array.ndim == 2 else ""
                sizes[f"the length of axis {axis} of {name}{batch}"] = size
    return sizes
