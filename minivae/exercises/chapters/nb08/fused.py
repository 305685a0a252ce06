"""A fused kernel: loss and gradient in one pass over the logits."""

import numpy as np

from minivae.exercises.chapters.nb08.reads import Traced, watched
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def bernoulli_fused(logits, x):
    """nll and dlogits = sigmoid(logits) - x, in one pass: each logit is read once"""
    B, D = logits.shape
    nll, dlogits = np.zeros(B), np.zeros((B, D))
    for b in range(B):
        for d in range(D):
            l = logits[b, d]
            e = np.exp(-abs(l))
            nll[b] += max(l, 0.0) + np.log1p(e) - x[b, d] * l
            dlogits[b, d] = (1.0 if l > 0 else e) / (1 + e) - x[b, d]
    return nll, dlogits


def _fused_cases():
    rng = np.random.default_rng(82)
    return [
        (np.array([[0.5]]), np.array([[1.0]])),
        (generic(rng, 2, 3), np.round(rng.random((2, 3)))),
        (np.array([[-1000.0, 1000.0]]), np.array([[0.0, 1.0]])),
    ]


def _observe_reads(answer, logits, x):
    traced = Traced(logits)
    result = watched(answer, (traced, x), (logits, x))
    counts = np.bincount(traced.order(), minlength=logits.size).reshape(logits.shape)
    return (*result, counts) if isinstance(result, tuple) else result


def _fused(value, slope, *, reread=False, stop=0, mean=False):
    """The two loops with other formulas: value(l, x), slope(l, x)."""

    def wrong(logits, x):
        B, D = logits.shape
        nll, dlogits = np.zeros(B), np.zeros((B, D))
        for b in range(B):
            for d in range(D - stop):
                l = logits[b, d]
                nll[b] += value(l, x[b, d])
                dlogits[b, d] = slope(logits[b, d] if reread else l, x[b, d])
        return nll / D if mean else nll, dlogits

    return wrong


def _value(l, x):
    return max(l, 0.0) + np.log1p(np.exp(-abs(l))) - x * l


def _slope(l, x):
    e = np.exp(-abs(l))
    return (1.0 if l > 0 else e) / (1 + e) - x


FUSED = Exercise(
    id="08.fused",
    title="a fused kernel: loss and gradient in one pass",
    stub=stub("""
        def bernoulli_fused(logits, x):    # (B, D), (B, D) -> nll (B,), dlogits (B, D) for dnll = 1
            ...      # two loops, and each logit is read from memory once; +-1000 must work
                     # (np.exp, np.log1p, abs and max work on single numbers, and in numba)
    """),
    reference=bernoulli_fused,
    cases=_fused_cases,
    observe=_observe_reads,
    returns=("nll", "dlogits", "how often each logit is read"),
    mistakes=(
        WrongAnswer(
            "read-twice",
            _fused(_value, _slope, reread=True),
            "Each logit is read twice: keep it in a variable, l = logits[b, d].",
        ),
        WrongAnswer(
            "overflows",
            _fused(lambda l, x: np.log(1 + np.exp(l)) - x * l, _slope),
            "exp(1000) overflows: log(1 + exp(l)) = max(l, 0) + log1p(exp(-|l|)).",
        ),
        WrongAnswer(
            "gradient-sign",
            _fused(_value, lambda l, x: -_slope(l, x)),
            "dlogits has the wrong sign: sigmoid(l) - x.",
        ),
        WrongAnswer(
            "no-sigmoid",
            _fused(_value, lambda l, x: l - x),
            "dlogits = l - x: the sigmoid is missing.",
        ),
        WrongAnswer(
            "image-forgotten",
            _fused(_value, lambda l, x: _slope(l, 0.0)),
            "dlogits lacks the - x.",
        ),
        WrongAnswer(
            "mean",
            _fused(_value, _slope, mean=True),
            "nll is averaged over the pixels; sum over them.",
        ),
        WrongAnswer(
            "last-pixel",
            _fused(_value, _slope, stop=1),
            "The last pixel is left out: range(D) already ends at D - 1.",
        ),
        WrongAnswer(
            "sigmoid-of-negative",
            _fused(_value, lambda l, x: np.exp(-abs(l)) / (1 + np.exp(-abs(l))) - x),
            "For l > 0 the sigmoid is 1 / (1 + e) with e = exp(-|l|), not e / (1 + e).",
        ),
    ),
    hints=(
        "One pair of loops; inside it, do everything that needs this logit.",
        "e = exp(-|l|) serves both: log1p(e) for the loss, (1 or e) / (1 + e) for the sigmoid.",
        "nll[b] += max(l, 0) + log1p(e) - x l;  dlogits[b, d] = (1 if l > 0 else e) / (1 + e) - x.",
    ),
)
