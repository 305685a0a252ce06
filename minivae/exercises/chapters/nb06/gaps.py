"""What an encoder's q loses, where everything can be computed: a linear decoder."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def gaps_of_q(W, b, s, x, mu, logvar):
    """Both gaps are differences of KL(q || p(z|x)), and the posterior is N(m, inv(P))"""
    P = np.eye(len(W)) + W @ W.T / s**2
    m = np.linalg.solve(P, W @ (x - b).T / s**2).T
    best = (np.log(np.diag(P)).sum() - np.linalg.slogdet(P)[1]) / 2
    away, variance = mu - m, np.exp(logvar)
    quadratic = ((away @ P) * away).sum(axis=1)
    kl = quadratic + (variance * np.diag(P) - 1 - logvar).sum(axis=1) - np.linalg.slogdet(P)[1]
    return kl / 2 - best, np.full(len(x), best)


def _cases():
    rng = np.random.default_rng(84)
    return [
        (
            np.array([[1.5]]),
            np.array([0.3]),
            0.8,
            np.array([[1.2]]),
            np.array([[0.2]]),
            np.array([[-0.5]]),
        ),
        *(
            (
                generic(rng, L, D),
                generic(rng, D),
                s,
                generic(rng, B, D),
                generic(rng, B, L),
                generic(rng, B, L),
            )
            for B, D, L, s in ((2, 4, 2, 0.7), (3, 5, 3, 1.3))
        ),
    ]


def _edited(*edits):
    """The reference with these edits."""
    source = inspect.getsource(gaps_of_q)
    for right, wrong in edits:
        assert source.count(right) == 1
        source = source.replace(right, wrong)
    namespace = {"np": np}
    exec(source, namespace)
    return namespace["gaps_of_q"]


GAPS_OF_Q = Exercise(
    id="06.gaps",
    title="what is lost by amortizing, and what by a simple family",
    stub=stub("""
        def gaps_of_q(W, b, s, x, mu, logvar):    # (L, D), (D,), float; (B, D), (B, L), (B, L)
            ...                                   # -> amortization gap (B,), approximation gap (B,)
    """),
    reference=gaps_of_q,
    cases=_cases,
    returns=("the amortization gap", "the approximation gap"),
    mistakes=(
        WrongAnswer(
            "swapped",
            lambda *args: gaps_of_q(*args)[::-1],
            "The two are swapped: a search of its own for the image mends what is lost by "
            "amortizing, and cannot leave the family.",
        ),
        WrongAnswer(
            "whole-gap",
            lambda *args: (sum(gaps_of_q(*args)), gaps_of_q(*args)[1]),
            "The first is log p(x) - ELBO in all. A search within the family would not get all of "
            "it back.",
        ),
        WrongAnswer(
            "signs",
            lambda *args: tuple(-gap for gap in gaps_of_q(*args)),
            "Both are losses: an ELBO of the family is at most log p(x), and its best is at least "
            "the encoder's.",
        ),
        WrongAnswer(
            "no-gap-of-the-family",
            lambda *args: (sum(gaps_of_q(*args)), 0 * gaps_of_q(*args)[1]),
            "The posterior is tilted where the rows of W are not orthogonal; no diagonal Gaussian "
            "is.",
        ),
        WrongAnswer(
            "marginal-widths",
            _edited(
                (
                    "np.log(np.diag(P)).sum() - np.linalg.slogdet(P)[1]",
                    "(np.diag(P) * np.diag(np.linalg.inv(P)) - 1 "
                    "- np.log(np.diag(np.linalg.inv(P)))).sum() - np.linalg.slogdet(P)[1]",
                )
            ),
            "This is the KL of a q as wide as the posterior in each latent; the best one is "
            "narrower.",
        ),
        WrongAnswer(
            "mean-only",
            _edited(("quadratic + (variance * np.diag(P) - 1 - logvar).sum(axis=1)", "quadratic")),
            "Only the mean of the encoder's q is compared; its widths lose nats too.",
        ),
        WrongAnswer(
            "widths-only",
            _edited(("kl = quadratic + ", "kl = ")),
            "Only the widths of the encoder's q are compared; its mean loses nats too.",
        ),
        WrongAnswer(
            "distance-in-each-latent-alone",
            _edited(("((away @ P) * away)", "(away**2 * np.diag(P))")),
            "The distance of the means is taken in each latent alone: the posterior's precision "
            "has entries off its diagonal.",
        ),
        WrongAnswer(
            "offset-forgotten",
            lambda W, b, s, x, mu, logvar: gaps_of_q(W, 0 * b, s, x, mu, logvar),
            "b is missing: the decoder's mean is z W + b.",
        ),
        WrongAnswer(
            "prior-forgotten",
            _edited(("np.eye(len(W)) + W @ W.T", "1e-9 * np.eye(len(W)) + W @ W.T")),
            "The prior is missing in the posterior: its precision has an identity matrix in it.",
        ),
        WrongAnswer(
            "s-not-squared",
            lambda W, b, s, *q: gaps_of_q(W, b, s**0.5, *q),
            "The noise's variance is s**2.",
        ),
        WrongAnswer(
            "half-lost",
            lambda *args: tuple(2 * gap for gap in gaps_of_q(*args)),
            "Both are twice too large: the KL of two Gaussians has a half in front.",
        ),
        WrongAnswer(
            "averaged",
            lambda *args: tuple(gap.mean() for gap in gaps_of_q(*args)),
            "Give both gaps for each image, without a mean over the batch.",
        ),
    ),
    hints=(
        "log p(x) - ELBO = KL(q || p(z|x)), for any q. Which q has the smallest?",
        "The posterior is a Gaussian with precision P = I + W W.T / s^2 and mean "
        "inv(P) W (x - b) / s^2. The best diagonal q has its mean, and variances 1 / P_jj.",
        "With d = mu - m: KL = (d P d + sum_j (sigma_j^2 P_jj - 1 - logvar_j) - log det P) / 2. "
        "For the best q that is (sum_j log P_jj - log det P) / 2.",
    ),
)
