"""A gradient that is NaN for large inputs, to be mended."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, call_with_warning


def class_nll(a, t):  # (N, C), one-hot (N, C) -> nll (N,), da (N, C) for dnll = 1
    p = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)  # softmax
    nll = -np.log((t * p).sum(axis=1))
    dp = -t / p
    return nll, p * (dp - (dp * p).sum(axis=1, keepdims=True))  # the rule of 5.2


def mended_class_nll(a, t):
    """On paper log p_t = a_t - log sum exp(a), and da = p - t: nothing divides by p any more"""
    a = a - a.max(axis=1, keepdims=True)
    e = np.exp(a)
    total = e.sum(axis=1)
    return np.log(total) - (t * a).sum(axis=1), e / total[:, None] - t


def _cases():
    def case(a, labels):
        a = np.array(a, np.float32)
        return a, np.eye(a.shape[1], dtype=np.float32)[labels]

    return [
        case([[0.5, -0.4, 1.2]], [1]),
        case([[1000, -1000], [-1000, 1000], [0.3, 0.8]], [1, 1, 0]),
        case([[-1000, -1000, -1000], [1000, 1000, 0.3], [0.7, -0.2, 0.1]], [0, 2, 1]),
    ]


def _rounded_and_warned(answer, a, t):
    """Rounded to what float32 can hold, and the first warning."""
    (nll, da), warned = call_with_warning(answer, a, t)
    return np.round(np.asarray(nll, float), 3), np.round(np.asarray(da, float), 4), warned


def _through_p(a, t, small=0.0):
    """The largest entry subtracted, but still by way of p."""
    e = np.exp(a - a.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True) + np.float32(small)
    dp = -t / p
    return -np.log((t * p).sum(axis=1)), p * (dp - (dp * p).sum(axis=1, keepdims=True))


def _one_maximum(a, t):
    e = np.exp(a - a.max())
    total = e.sum(axis=1)
    return np.log(total) - (t * (a - a.max())).sum(axis=1), e / total[:, None] - t


NAN_GRADIENT = Exercise(
    id="05.nan-gradient",
    title="mend a likelihood whose gradient is NaN for large inputs",
    stub=inspect.getsource(class_nll).rstrip(),
    reference=mended_class_nll,
    given=class_nll,
    cases=_cases,
    observe=_rounded_and_warned,
    returns=("nll", "da", "warnings"),
    mistakes=(
        WrongAnswer(
            "still-through-p",
            _through_p,
            "The largest entry is subtracted, so exp no longer overflows; but a p that rounds to 0 "
            "still meets the log and the division. Work log p and da out on paper.",
        ),
        WrongAnswer(
            "a-little-added",
            lambda a, t: _through_p(a, t, 1e-8),
            "Adding something small caps the loss, and the gradient vanishes there.",
        ),
        WrongAnswer(
            "clipped",
            lambda a, t: class_nll(np.clip(a, -40, 40), t),
            "Clipping changes the loss: a label that is given -1000 against 1000 costs 2000 nats.",
        ),
        WrongAnswer(
            "nan-replaced",
            lambda a, t: tuple(map(np.nan_to_num, class_nll(a, t))),
            "This puts a number in place of the NaN, and not the right one.",
        ),
        WrongAnswer(
            "loss-only",
            lambda a, t: (mended_class_nll(a, t)[0], _through_p(a, t)[1]),
            "The loss is mended; da still divides by p, which is 0 for some labels.",
        ),
        WrongAnswer(
            "gradient-only",
            lambda a, t: (_through_p(a, t)[0], mended_class_nll(a, t)[1]),
            "The gradient is mended; the loss still takes the log of a p that rounds to 0.",
        ),
        WrongAnswer(
            "one-maximum",
            _one_maximum,
            "One maximum is subtracted from all rows, and a row of -1000 beside one of 1000 "
            "becomes 0 / 0: each row needs its own.",
        ),
        WrongAnswer(
            "sign",
            lambda a, t: (mended_class_nll(a, t)[0], -mended_class_nll(a, t)[1]),
            "The sign of da is wrong: the loss falls as the right label's entry grows.",
        ),
        WrongAnswer(
            "label-lost",
            lambda a, t: (mended_class_nll(a, t)[0], mended_class_nll(a, t)[1] + t),
            "This da is p alone. The right label's own entry a_t is subtracted in the loss.",
        ),
    ),
    hints=(
        "Where does p become 0, and what do the log and -t / p do there?",
        "-log p_t = log(sum exp(a)) - a_t. Differentiate that, instead of going through p.",
        "Subtract each row's maximum from a; then nll = log(sum exp(a)) - sum(t * a), and "
        "da = exp(a) / sum exp(a) - t.",
    ),
)
