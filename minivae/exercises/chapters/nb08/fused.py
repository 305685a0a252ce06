"""A fused kernel: loss and gradient in one pass over the logits."""

import math
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from minivae.exercises.chapters.nb08.reads import Traced, as_array, watched
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
        (generic(rng, 2, 3), rng.random((2, 3))),
        (np.array([[-1000.0, 1000.0]]), np.array([[0.0, 1.0]])),
        (np.array([[-1000.0, 1000.0]]), np.array([[1.0, 0.25]])),  # far off, so nll is large
    ]


class CountingExp:
    """A module, numpy or math, whose exp counts the numbers that it is given."""

    def __init__(self, module: ModuleType, counts: list[int]) -> None:
        self._module, self._counts = module, counts

    def __getattr__(self, name: str) -> Any:
        return self._exp if name == "exp" else getattr(self._module, name)

    def _exp(self, numbers: Any, *args: Any, **kwargs: Any) -> Any:
        self._counts.append(math.prod(np.shape(numbers)))
        return self._module.exp(numbers, *args, **kwargs)


def _counted(answer, counts):
    """The answer, with a counting exp where it says np.exp or math.exp itself."""
    if not isinstance(answer, FunctionType):
        return answer
    modules = {
        name: CountingExp(value, counts)
        for name, value in answer.__globals__.items()
        if value is np or value is math
    }
    copy = FunctionType(
        answer.__code__,
        answer.__globals__ | modules,
        answer.__name__,
        answer.__defaults__,
        answer.__closure__,
    )
    copy.__kwdefaults__ = answer.__kwdefaults__
    return copy


def _in_one_pass(events):
    """Whether everything that needs a logit's pixel is done before the next logit is read.

    events: (which matrix, flat indices) of each read, in order.
    """
    logits, pixels, current = set(), set(), set()
    for which, index in events:
        places = set(index.ravel().tolist())
        if which == "logits":
            if logits - pixels or len(places) > 1:  # on many, each operation is a pass
                return False
            logits |= places
            current = places
        else:
            if places & (logits - current):
                return False
            pixels |= places
    return True


class _Log(list):
    """The reads of one matrix; `events` collects those of several, in order."""

    def __init__(self, which: str, events: list) -> None:
        super().__init__()
        self.which, self.events = which, events

    def append(self, index: np.ndarray) -> None:
        super().append(index)
        self.events.append((self.which, index))


def _observe_reads(answer, logits, x):
    traced, pixels, events, exps = Traced(logits), Traced(x), [], []
    traced.reads, pixels.reads = _Log("logits", events), _Log("x", events)
    _counted(getattr(answer, "py_func", answer), exps)(traced, pixels)
    result = watched(answer, (Traced(logits), Traced(x)), (logits, x))
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise TypeError("two results are asked for: nll (B,) and dlogits (B, D)")
    counts = np.bincount(traced.order(), minlength=logits.size).reshape(logits.shape)
    once = sum(exps) <= logits.size
    return (*map(as_array, result), counts, once, _in_one_pass(events))


def _fused(value, slope, *, reread=False, stop=0, mean=False):
    """The two loops with other formulas: value(l, x, e), slope(l, x, e) with e = exp(-|l|)."""

    def wrong(logits, x):
        B, D = logits.shape
        nll, dlogits = np.zeros(B), np.zeros((B, D))
        for b in range(B):
            for d in range(D - stop):
                l = logits[b, d]
                e = np.exp(-abs(l))
                nll[b] += value(l, x[b, d], e)
                dlogits[b, d] = slope(logits[b, d] if reread else l, x[b, d], e)
        return nll / D if mean else nll, dlogits

    return wrong


def _value(l, x, e):
    return max(l, 0.0) + np.log1p(e) - x * l


def _slope(l, x, e):
    return (1.0 if l > 0 else e) / (1 + e) - x


def _exp_again(logits, x):
    B, D = logits.shape
    nll, dlogits = np.zeros(B), np.zeros((B, D))
    for b in range(B):
        for d in range(D):
            l = logits[b, d]
            nll[b] += max(l, 0.0) + np.log1p(np.exp(-abs(l))) - x[b, d] * l
            dlogits[b, d] = (1.0 if l > 0 else np.exp(-abs(l))) / (1 + np.exp(-abs(l))) - x[b, d]
    return nll, dlogits


def _in_passes(logits, x):
    copy = np.array([[logits[b, d] for d in range(logits.shape[1])] for b in range(len(logits))])
    e = np.exp(-np.abs(copy))
    pixels = np.array([[x[b, d] for d in range(x.shape[1])] for b in range(len(x))])
    nll = (np.maximum(copy, 0) + np.log1p(e) - pixels * copy).sum(axis=1)
    return nll, np.where(copy > 0, 1, e) / (1 + e) - pixels


def _binary_only(logits, x):
    B, D = logits.shape
    nll, dlogits = np.zeros(B), np.zeros((B, D))
    for b in range(B):
        for d in range(D):
            l = logits[b, d]
            e, against = np.exp(-abs(l)), -l if x[b, d] > 0.5 else l
            nll[b] += max(against, 0.0) + np.log1p(e)
            dlogits[b, d] = (1.0 if l > 0 else e) / (1 + e) - x[b, d]
    return nll, dlogits


FUSED = Exercise(
    id="08.fused",
    title="a fused kernel: loss and gradient in one pass",
    stub=stub("""
        def bernoulli_fused(logits, x):    # (B, D), (B, D) -> nll (B,), dlogits (B, D) for dnll = 1
            ...      # one pass, with one exp at most and one read for each logit; x from 0 to 1,
                     # logits up to +-1000 (np.exp, np.log1p, abs and max work on single numbers)
    """),
    reference=bernoulli_fused,
    cases=_fused_cases,
    observe=_observe_reads,
    returns=(
        "nll",
        "dlogits",
        "how often each logit is read",
        "at most one exp for a logit",
        "one pass",
    ),
    mistakes=(
        WrongAnswer(
            "read-twice",
            _fused(_value, _slope, reread=True),
            "Each logit is read twice: keep it in a variable, l = logits[b, d].",
        ),
        WrongAnswer(
            "exp-again",
            _exp_again,
            "exp(-|l|) is computed more than once for a logit: keep it in a variable.",
        ),
        WrongAnswer(
            "passes",
            _in_passes,
            "This takes many logits, a row or a copy, and goes over them again and again: do all "
            "that needs a logit before the next one is read.",
        ),
        WrongAnswer(
            "binary-only",
            _binary_only,
            "nll is right only for pixels that are 0 or 1; log(1 + exp(l)) - x l holds for grey.",
        ),
        WrongAnswer(
            "overflows",
            _fused(lambda l, x, e: np.log(1 + np.exp(l)) - x * l, _slope),
            "exp(1000) overflows: log(1 + exp(l)) = max(l, 0) + log1p(exp(-|l|)).",
        ),
        WrongAnswer(
            "gradient-sign",
            _fused(_value, lambda l, x, e: -_slope(l, x, e)),
            "dlogits has the wrong sign: sigmoid(l) - x.",
        ),
        WrongAnswer(
            "no-sigmoid",
            _fused(_value, lambda l, x, e: l - x),
            "dlogits = l - x: the sigmoid is missing.",
        ),
        WrongAnswer(
            "image-forgotten",
            _fused(_value, lambda l, x, e: _slope(l, 0.0, e)),
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
            _fused(_value, lambda l, x, e: e / (1 + e) - x),
            "For l > 0 the sigmoid is 1 / (1 + e) with e = exp(-|l|), not e / (1 + e).",
        ),
    ),
    hints=(
        "One pair of loops; inside it, do everything that needs this logit.",
        "e = exp(-|l|) serves both: log1p(e) for the loss, (1 or e) / (1 + e) for the sigmoid.",
        "nll[b] += max(l, 0) + log1p(e) - x l;  dlogits[b, d] = (1 if l > 0 else e) / (1 + e) - x.",
    ),
)
