"""Two estimates from the draws of an encoder: of log p(x), and of the ELBO as a VAE computes it."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, call_for_results, stub


def estimates(log_likelihood, log_prior, log_q):
    """log of the average weight for each x, by its largest weight; the ELBO as -(nll + kl)"""
    log_w = log_likelihood + log_prior - log_q
    largest = log_w.max(axis=1)
    log_px = largest + np.log(np.exp(log_w - largest[:, None]).mean(axis=1))
    nll, kl = -log_likelihood.mean(), (log_q - log_prior).mean()
    return float(log_px.mean()), float(-(nll + kl))


def _cases():
    rng = np.random.default_rng(25)
    spread = np.round(rng.standard_normal((3, 4, 3)), 2)
    return [
        (
            np.array([[-1.3, -2.2]]),
            np.array([[-1.1, -0.9]]),
            np.array([[-0.4, -0.7]]),
        ),
        (spread[0] - 3.0, spread[1] - 1.4, spread[2] - 0.6),
        # an image has thousands of nats: the weights themselves are 0.0 in floating point
        (2 * spread[0] - 2150.0, spread[1] - 14.0, spread[2] - 6.0),
        # one x is 2000 nats more probable; and from few draws the KL may come out negative
        (
            np.array([[-2041.3, -2043.1], [-61.7, -60.2]]),
            spread[1, :2, :2] - 4.0,
            spread[2, :2, :2] - 6.0,
        ),
    ]


def _log_mean(log_w, axis=None):
    largest = log_w.max(axis=axis, keepdims=True)
    return np.log(np.exp(log_w - largest).mean(axis=axis)) + largest.squeeze(axis)


def _with(log_px=None, elbo=None):
    """A wrong answer: one of the two numbers, from fit, prior and q, made in another way."""

    def wrong(log_likelihood, log_prior, log_q):
        parts = log_likelihood, log_prior, log_q
        right = estimates(*parts)
        first = right[0] if log_px is None else log_px(*parts)
        return float(first), float(right[1] if elbo is None else elbo(*parts))

    return wrong


def _without_logs(fit, prior, q):
    with np.errstate(divide="ignore"):
        return np.log(np.exp(fit + prior - q).mean(axis=1)).mean()


def _one_largest(fit, prior, q):
    log_w = fit + prior - q
    with np.errstate(divide="ignore"):
        return log_w.max() + np.log(np.exp(log_w - log_w.max()).mean(axis=1)).mean()


ESTIMATES = Exercise(
    id="02.estimates",
    title="log p(x) and the ELBO of several x, from the draws of an encoder",
    stub=stub("""
        def estimates(log_likelihood, log_prior, log_q):    # log p(x_n|z_nk), log p(z_nk),
            ...    # log q(z_nk|x_n), each (N, K), z_nk ~ q(z|x_n) -> means over n: log p(x_n) by
                   # eq. (3), and the ELBO as -(nll + kl): two floats, nats
    """),
    reference=estimates,
    cases=_cases,
    observe=call_for_results(2),
    returns=("the mean of log p(x_n)", "the mean ELBO"),
    mistakes=(
        WrongAnswer(
            "exp-of-thousands",
            _with(log_px=_without_logs),
            "exp of minus a thousand nats is 0.0: take the largest log weight of each x out first.",
        ),
        WrongAnswer(
            "one-largest",
            _with(log_px=_one_largest),
            "You take one largest log weight out for all x's: an x that is 2000 nats less probable "
            "underflows. Take that of each x.",
        ),
        WrongAnswer(
            "kl-cut-at-zero",
            _with(elbo=lambda fit, prior, q: fit.mean() - max((q - prior).mean(), 0.0)),
            "A KL is never negative, but an estimate of it from draws may be: leave it as it is.",
        ),
        WrongAnswer(
            "elbo-twice",
            _with(log_px=lambda fit, prior, q: (fit + prior - q).mean()),
            "Your first number averages log w: that is the ELBO. Average w over the draws of each "
            "x, then take the log.",
        ),
        WrongAnswer(
            "one-average-for-all",
            _with(log_px=lambda fit, prior, q: _log_mean(fit + prior - q)),
            "You average the weights of different x's before the log: that is log of the mean "
            "p(x_n). Take the log for each x.",
        ),
        WrongAnswer(
            "without-the-weight",
            _with(log_px=lambda fit, prior, q: _log_mean(fit, 1).mean()),
            "Your first number averages p(x|z) as eq. (1) does. But these are draws of q, not of "
            "the prior: each is corrected by p(z) / q(z).",
        ),
        WrongAnswer(
            "without-the-prior",
            _with(log_px=lambda fit, prior, q: _log_mean(fit - q, 1).mean()),
            "The weight is p(x, z) / q(z), and p(x, z) contains p(z).",
        ),
        WrongAnswer(
            "sum-over-draws",
            _with(
                log_px=lambda fit, prior, q: (
                    (_log_mean(fit + prior - q, 1)).mean() + np.log(fit.shape[1])
                )
            ),
            "You add the weights of the draws; eq. (3) is their average.",
        ),
        WrongAnswer(
            "kl-added",
            _with(elbo=lambda fit, prior, q: (fit + q - prior).mean()),
            "The KL to the prior is a price: in the ELBO it is subtracted.",
        ),
        WrongAnswer(
            "kl-forgotten",
            _with(elbo=lambda fit, prior, q: fit.mean()),
            "Your second number is -nll: the KL to the prior is missing.",
        ),
        WrongAnswer(
            "loss",
            _with(elbo=lambda fit, prior, q: (q - fit - prior).mean()),
            "Your second number is the loss, minus the ELBO.",
        ),
    ),
    hints=(
        "The log weight is log p(x|z) + log p(z) - log q(z). The two numbers differ in the order "
        "of log and average.",
        "For the first: log of the mean of w over the draws of one x, then the mean over x. With "
        "the largest log weight taken out nothing underflows. nll is minus the mean log p(x|z).",
        "kl, from draws, is the mean of log q(z) - log p(z). For one x, with log_w and its largest "
        "m: m + log(mean(exp(log_w - m))).",
    ),
)
