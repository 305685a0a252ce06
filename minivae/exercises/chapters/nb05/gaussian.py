"""A Gaussian likelihood with one learned variance, and its gradient."""

import numpy as np

from minivae.exercises.exercise import (
    Exercise,
    WrongAnswer,
    generic,
    planted,
    planted_in_words,
    stub,
)

# ---- 05.gaussian-nll -----------------------------------------------------------------------------


def my_gaussian_nll(mean, logvar, x):
    """-log N(x; mean, exp(logvar) I)                               [notebook 05, eq. 9]"""
    D = x.shape[1]
    squares = ((x - mean) ** 2).sum(axis=1)
    return (squares / np.exp(logvar) + D * (logvar + np.log(2 * np.pi))) / 2


def _gaussian_cases():
    rng = np.random.default_rng(57)
    return [
        (np.array([[0.5]]), np.array([-0.4]), np.array([[1.0]])),
        (generic(rng, 3, 4), np.array([0.7]), generic(rng, 3, 4)),
    ]


def _package_gaussian(ops):
    return lambda mean, logvar, x: ops.gaussian_nll_forward(mean, logvar, x)[0]


def _squares(mean, x):
    return ((x - mean) ** 2).sum(axis=1)


GAUSSIAN = Exercise(
    id="05.gaussian-nll",
    title="a Gaussian likelihood with one learned variance",
    stub=stub("""
        def my_gaussian_nll(mean, logvar, x):    # (B, D), (1,), (B, D) -> (B,) nats
            ...                                  # all pixels share one variance exp(logvar)
    """),
    reference=my_gaussian_nll,
    cases=_gaussian_cases,
    fresh=lambda rng: (generic(rng, 3, 5), generic(rng, 1), generic(rng, 3, 5)),
    package=_package_gaussian,
    mistakes=(
        *planted(_package_gaussian, "gaussian-normaliser-lost", "gaussian-two-pi-lost"),
        *planted_in_words(
            _package_gaussian,
            {
                "gaussian-normaliser-once": "The logarithm of the square root is counted once for "
                "each image; each of its D pixels has one.",
                "gaussian-variance-as-sigma": "The squares are divided by sigma; divide them by "
                "sigma^2, which is exp(logvar).",
            },
        ),
        WrongAnswer(
            "no-half",
            lambda mean, logvar, x: 2 * my_gaussian_nll(mean, logvar, x),
            "The factor 1/2 is missing.",
        ),
        WrongAnswer(
            "sign",
            lambda mean, logvar, x: -my_gaussian_nll(mean, logvar, x),
            "The sign is wrong: this is log p(x).",
        ),
        WrongAnswer(
            "logvar-sign",
            lambda mean, logvar, x: my_gaussian_nll(mean, logvar, x) - x.shape[1] * logvar,
            "logvar has the wrong sign: a wider Gaussian has a lower peak, so a larger logvar adds "
            "to -log p.",
        ),
        WrongAnswer(
            "times-variance",
            lambda mean, logvar, x: (
                (_squares(mean, x) * np.exp(logvar) + x.shape[1] * (logvar + np.log(2 * np.pi))) / 2
            ),
            "The squares are multiplied by the variance; divide them by it.",
        ),
        WrongAnswer(
            "mean-squared-error",
            lambda mean, logvar, x: ((x - mean) ** 2).mean(axis=1),
            "This is the mean squared error: it ignores logvar and has no normaliser.",
        ),
        WrongAnswer(
            "half-of-the-squares",
            lambda mean, logvar, x: (
                _squares(mean, x) / np.exp(logvar) / 2 + x.shape[1] * (logvar + np.log(2 * np.pi))
            ),
            "The factor 1/2 applies to the normaliser too.",
        ),
    ),
    hints=(
        "A pixel's density is exp(-(x - m)^2 / (2 s^2)) / sqrt(2 pi s^2): take -log, and sum.",
        "log of the square root is (logvar + log 2 pi) / 2, once for each of the D pixels.",
        "(squares / exp(logvar) + D (logvar + log 2 pi)) / 2, with the squares summed over axis 1.",
    ),
)

# ---- 05.gaussian-nll-backward --------------------------------------------------------------------


def my_gaussian_nll_backward(dnll, mean, logvar, x):
    """dmean = dnll (mean - x) / sigma^2,  dlogvar = sum dnll (D - |x - mean|^2 / sigma^2) / 2"""
    D = x.shape[1]
    precision = np.exp(-logvar)
    squares = ((x - mean) ** 2).sum(axis=1)
    dmean = dnll[:, None] * (mean - x) * precision
    dlogvar = (dnll * (D - squares * precision) / 2).sum()
    return dmean, np.array([dlogvar])


def _gaussian_backward_cases():
    rng = np.random.default_rng(58)
    return [
        (np.array([1.0]), np.array([[0.5]]), np.array([-0.4]), np.array([[1.2]])),
        (generic(rng, 3), generic(rng, 3, 4), np.array([0.7]), generic(rng, 3, 4)),
    ]


def _package_gaussian_backward(ops):
    def backward(dnll, mean, logvar, x):
        return ops.gaussian_nll_backward(dnll, ops.gaussian_nll_forward(mean, logvar, x)[1])

    return backward


def _gaussian_backward_with(dnll, mean, logvar, x, change):
    dmean, dlogvar = my_gaussian_nll_backward(dnll, mean, logvar, x)
    return change(dmean, dlogvar, np.exp(logvar))


GAUSSIAN_BACKWARD = Exercise(
    id="05.gaussian-nll-backward",
    title="the gradient of the Gaussian likelihood, including the shared variance",
    stub=stub("""
        def my_gaussian_nll_backward(dnll, mean, logvar, x):    # (B,), (B, D), (1,), (B, D)
            ...                                                 # -> dmean (B, D), dlogvar (1,)
    """),
    reference=my_gaussian_nll_backward,
    cases=_gaussian_backward_cases,
    fresh=lambda rng: (
        generic(rng, 3),
        generic(rng, 3, 5),
        generic(rng, 1),
        generic(rng, 3, 5),
    ),
    returns=("dmean", "dlogvar"),
    package=_package_gaussian_backward,
    mistakes=(
        *planted(
            _package_gaussian_backward,
            "gaussian-gradient-doubled",
            "gaussian-gradient-precision-lost",
            "gaussian-gradient-sign",
        ),
        *planted_in_words(
            _package_gaussian_backward,
            {
                "gaussian-variance-as-sigma": "These are the gradients of squares divided by "
                "sigma; the density divides them by sigma^2, which is exp(logvar).",
                "gaussian-logvar-gradient-once": "dlogvar counts the logvar of the normaliser once "
                "for each image; each of its D pixels has one.",
                "gaussian-logvar-gradient-averaged": "dlogvar is averaged over the images; sum. "
                "(If the loss is a mean over them, dnll contains that 1/B already.)",
            },
        ),
        WrongAnswer(
            "divided-by-sigma",
            lambda dnll, mean, logvar, x: (
                dnll[:, None] * (mean - x) * np.exp(-logvar / 2),
                np.atleast_1d(
                    (dnll * (x.shape[1] - _squares(mean, x) * np.exp(-logvar / 2)) / 2).sum()
                ),
            ),
            "Both gradients divide by sigma; divide by sigma^2, which is exp(logvar).",
        ),
        WrongAnswer(
            "logvar-half-lost",
            lambda dnll, mean, logvar, x: _gaussian_backward_with(
                dnll, mean, logvar, x, lambda dm, dl, v: (dm, 2 * dl)
            ),
            "dlogvar is twice too large: its factor 1/2 is missing.",
        ),
        WrongAnswer(
            "logvar-sign",
            lambda dnll, mean, logvar, x: _gaussian_backward_with(
                dnll, mean, logvar, x, lambda dm, dl, v: (dm, -dl)
            ),
            "dlogvar has the wrong sign: with large residuals the variance should grow, "
            "so its gradient is negative.",
        ),
        WrongAnswer(
            "by-variance",
            lambda dnll, mean, logvar, x: _gaussian_backward_with(
                dnll, mean, logvar, x, lambda dm, dl, v: (dm, dl / v)
            ),
            "dlogvar is the derivative with respect to the variance; with respect to its log it is "
            "that times the variance.",
        ),
        WrongAnswer(
            "one-for-each-example",
            lambda dnll, mean, logvar, x: (
                my_gaussian_nll_backward(dnll, mean, logvar, x)[0],
                dnll * (x.shape[1] - _squares(mean, x) / np.exp(logvar)) / 2,
            ),
            "One variance is shared by the whole batch, so dlogvar is a sum over it, shape (1,).",
        ),
        WrongAnswer(
            "no-upstream-in-logvar",
            lambda dnll, mean, logvar, x: (
                my_gaussian_nll_backward(dnll, mean, logvar, x)[0],
                np.atleast_1d(((x.shape[1] - _squares(mean, x) / np.exp(logvar)) / 2).sum()),
            ),
            "dnll is missing in dlogvar: multiply each example by its dnll before the sum.",
        ),
        WrongAnswer(
            "squares-lost",
            lambda dnll, mean, logvar, x: (
                my_gaussian_nll_backward(dnll, mean, logvar, x)[0],
                np.atleast_1d((dnll * x.shape[1] / 2).sum()),
            ),
            "dlogvar lacks the term of the squares: they are divided by exp(logvar), so they "
            "depend on logvar too.",
        ),
    ),
    hints=(
        "Differentiate (squares exp(-logvar) + D logvar) / 2 with respect to mean and logvar.",
        "All pixels of all examples share one logvar: its gradient is a sum over all of them.",
        "dmean = dnll (mean - x) / var; dlogvar = sum of dnll (D - squares / var) / 2.",
    ),
)
