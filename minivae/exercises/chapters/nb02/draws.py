"""How many draws of the prior a posterior asks for."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def draws_needed(x, W, v):
    """KL(N(m, S) || N(0, 1)) of each latent; they add up, since the latents are independent"""
    m, S = W * x / (W**2 + v), v / (W**2 + v)
    kl = 0.5 * (S + m**2 - 1 - np.log(S))
    return float(np.exp(kl.sum()))


def _cases():
    return [
        (np.array([1.3]), np.array([1.4]), np.array([0.2])),
        (np.array([0.8, -2.1]), np.array([0.7, -1.2]), np.array([0.6, 0.35])),
        (np.array([0.0, 1.7, -0.4]), np.array([2.3, 0.9, 1.6]), np.array([0.4, 1.5, 0.08])),
    ]


def _posterior(x, W, v):
    return W * x / (W**2 + v), v / (W**2 + v)


def _exp_of(nats):
    """A wrong answer: the exp of these nats, a function of x, W, v, m and S."""

    def wrong(x, W, v):
        return float(np.exp(nats(x, W, v, *_posterior(x, W, v))))

    return wrong


def _ratio_at(z, x, W, v):
    """log p(x|z) - log p(x)"""
    fit = (x - W * z) ** 2 / v + np.log(v)
    return 0.5 * (x**2 / (W**2 + v) + np.log(W**2 + v) - fit).sum()


DRAWS = Exercise(
    id="02.draws",
    title="how many draws of the prior it takes",
    stub=stub("""
        def draws_needed(x, W, v):    # z_i ~ N(0, 1), x_i|z_i ~ N(W_i z_i, v_i): (L,), (L,), (L,)
            ...                       # -> exp KL(posterior || prior), exactly: one float
    """),
    reference=draws_needed,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "kl-itself",
            lambda x, W, v: float(np.log(draws_needed(x, W, v))),
            "This is the KL, in nats; the number of draws is its exp.",
        ),
        WrongAnswer(
            "reversed",
            _exp_of(lambda x, W, v, m, S: (0.5 * ((1 + m**2) / S - 1 + np.log(S))).sum()),
            "This is exp KL(prior || posterior). The log ratio is averaged over the posterior.",
        ),
        WrongAnswer(
            "ratio-at-the-mean",
            _exp_of(lambda x, W, v, m, S: _ratio_at(m, x, W, v)),
            "You took the log ratio at the posterior's mean. Its average over the posterior is "
            "lower: E[(x - W z)^2] is (x - W m)^2 + W^2 S.",
        ),
        WrongAnswer(
            "spread-without-the-weight",
            _exp_of(lambda x, W, v, m, S: _ratio_at(m, x, W, v) - 0.5 * (S / v).sum()),
            "Over the posterior W z has the variance W^2 S, not S.",
        ),
        WrongAnswer(
            "weight-one",
            lambda x, W, v: draws_needed(x, np.ones_like(W), v),
            "This is right for W = 1 only: the posterior depends on W.",
        ),
        WrongAnswer(
            "weight-twice",
            _exp_of(lambda x, W, v, m, S: (0.5 * (S + (x * (1 - S)) ** 2 - 1 - np.log(S))).sum()),
            "Each posterior has the mean W x / (W^2 + v): one W in the numerator, not two.",
        ),
        WrongAnswer(
            "mean-forgotten",
            lambda x, W, v: draws_needed(0 * x, W, v),
            "This is right for x = 0. An x far from 0 moves the posterior's mean away from the "
            "prior's, and that costs draws too.",
        ),
        WrongAnswer(
            "width-forgotten",
            _exp_of(lambda x, W, v, m, S: (0.5 * m**2).sum()),
            "You count how far the posterior's mean is from the prior's. That it is narrower costs "
            "draws too.",
        ),
        WrongAnswer(
            "deviation",
            _exp_of(lambda x, W, v, m, S: (0.5 * (S + m**2 - 1) - np.log(S)).sum()),
            "The log of the ratio of the two widths has the standard deviations: half of log S.",
        ),
        WrongAnswer(
            "half-forgotten",
            lambda x, W, v: draws_needed(x, W, v) ** 2,
            "This is the square of the right number: each term of the KL has a factor 1/2.",
        ),
        WrongAnswer(
            "noise-missing-in-the-width",
            _exp_of(
                lambda x, W, v, m, S: (0.5 * (S / v + m**2 - 1 - np.log(S / v))).sum(),
            ),
            "You took 1 / (W^2 + v) for the posterior's variance; it is v / (W^2 + v).",
        ),
        WrongAnswer(
            "sum-of-exps",
            lambda x, W, v: float(
                sum(draws_needed(x[i : i + 1], W[i : i + 1], v[i : i + 1]) for i in range(len(x)))
            ),
            "You add the draws that each latent asks for. The KLs add, so the draws multiply: a "
            "useful draw must be right in every latent at once.",
        ),
        WrongAnswer(
            "mean-over-latents",
            lambda x, W, v: draws_needed(x, W, v) ** (1 / len(x)),
            "You average the KL over the latents; they add up.",
        ),
        WrongAnswer(
            "one-over-evidence",
            lambda x, W, v: float(
                np.exp(0.5 * (x**2 / (W**2 + v) + np.log(2 * np.pi * (W**2 + v))).sum())
            ),
            "This is 1 / p(x), a density. The likelihood belongs to the log ratio too.",
        ),
    ),
    hints=(
        "The log ratio is log p(x|z) - log p(x), or log posterior(z) - log prior(z): both give the "
        "same average over the posterior. Which mean and variance has the posterior?",
        "Each latent has a posterior of its own: m = W x / (W^2 + v), S = v / (W^2 + v). Over it, "
        "E[z^2] = m^2 + S and E[(z - m)^2] = S.",
        "The KL of one latent is (S + m^2 - 1 - log S) / 2. Add over the latents, then exp.",
    ),
)
