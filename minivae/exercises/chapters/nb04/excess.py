"""By how much a sampler that is not the q of the KL moves the ELBO away from a bound."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 04.excess -----------------------------------------------------------------------------------


def excess(mu, logvar, drawn_sigma):
    """The KL of the q that is drawn from, minus the KL in the code, mean over the examples"""
    # both KLs contain mu^2 / 2 and -1 / 2; only the parts with the two sigmas differ
    owed = drawn_sigma**2 - 2 * np.log(drawn_sigma)
    charged = np.exp(logvar) - logvar
    return ((owed - charged) / 2).sum(axis=1).mean()


def _cases():
    rng = np.random.default_rng(52)
    small = np.array([[0.5]]), np.array([[-1.2]]), np.array([[0.3]])
    nearer = np.array([[-0.4]]), np.array([[-1.6]]), np.array([[0.9]])  # to 1: the KL owed is less
    return [
        small,
        nearer,
        (generic(rng, 3, 2), generic(rng, 3, 2), 0.1 + np.abs(generic(rng, 3, 2))),
    ]


def _kl(mu, variance):
    return 0.5 * (mu**2 + variance - 1 - np.log(variance))


def _by_kls(combine):
    """A wrong answer: combine(the KL owed, the KL charged), both (B, L)."""
    return lambda mu, logvar, s: combine(_kl(mu, s**2), _kl(mu, np.exp(logvar)))


EXCESS = Exercise(
    id="04.excess",
    title="how far a reported ELBO is from a bound, if the sampler is not the q of the KL",
    stub=stub("""
        def excess(mu, logvar, drawn_sigma):    # each (B, L)
            ...                                 # -> nats per example, a float
    """),
    reference=excess,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "sign",
            _by_kls(lambda owed, charged: (charged - owed).sum(axis=1).mean()),
            'The sign: if the KL owed is larger than the KL charged, the "ELBO" is too high.',
        ),
        WrongAnswer(
            "sum-over-examples",
            _by_kls(lambda owed, charged: (owed - charged).sum()),
            "Sum over the latents, but take the mean over the examples.",
        ),
        WrongAnswer(
            "mean-over-latents",
            _by_kls(lambda owed, charged: (owed - charged).mean()),
            "The latents' KLs add up: sum over them, and take the mean over the examples only.",
        ),
        WrongAnswer(
            "never-negative",
            _by_kls(lambda owed, charged: np.maximum(owed - charged, 0).sum(axis=1).mean()),
            "It can be negative: where the draws have a sigma nearer to 1 than the KL says, too "
            'much is charged, and the "ELBO" is a bound that is too low.',
        ),
        WrongAnswer(
            "distance",
            _by_kls(lambda owed, charged: np.abs(owed - charged).sum(axis=1).mean()),
            "The difference has a sign: an absolute value hides where too much is charged.",
        ),
        WrongAnswer(
            "mistake-of-4.6",
            lambda mu, logvar, s: (
                (_kl(mu, np.exp(2 * logvar)) - _kl(mu, np.exp(logvar))).sum(axis=1).mean()
            ),
            "This is for the mistake of 4.6, whose draws have the sigma exp(logvar). Use the "
            "drawn_sigma that you are given.",
        ),
        WrongAnswer(
            "sigma-as-variance",
            lambda mu, logvar, s: (_kl(mu, s) - _kl(mu, np.exp(logvar))).sum(axis=1).mean(),
            "drawn_sigma is a standard deviation: the KL needs its square.",
        ),
        WrongAnswer(
            "log-sigma-once",
            lambda mu, logvar, s: (
                ((s**2 - np.log(s)) - (np.exp(logvar) - logvar)).sum(axis=1).mean() / 2
            ),
            "The log variance of the draws is 2 log(drawn_sigma).",
        ),
        WrongAnswer(
            "charged-only",
            _by_kls(lambda owed, charged: charged.sum(axis=1).mean()),
            "This is the KL that the code has charged; what is asked is how far it is from the KL "
            "of the q that is drawn from.",
        ),
        WrongAnswer(
            "owed-only",
            _by_kls(lambda owed, charged: owed.sum(axis=1).mean()),
            "This is the KL that is owed; the code has charged a part of it already.",
        ),
        WrongAnswer(
            "kl-between-the-two",
            lambda mu, logvar, s: (
                ((s**2 / np.exp(logvar) - 1 - 2 * np.log(s) + logvar) / 2).sum(axis=1).mean()
            ),
            "This is the KL from one q to the other. The ELBO contains KLs to the prior: it is "
            "their difference that is missing.",
        ),
        WrongAnswer(
            "half-lost",
            _by_kls(lambda owed, charged: 2 * (owed - charged).sum(axis=1).mean()),
            "Twice too much: the KL has a factor 1/2.",
        ),
    ),
    hints=(
        "The reconstruction part is computed with the draws. Of which q are they, and what is its "
        "KL to the prior?",
        "The KL of the q that is drawn from, minus the KL that the code has charged, both to "
        "N(0, I) and both with the same mu.",
        "Sum (drawn_sigma^2 - 2 log drawn_sigma - exp(logvar) + logvar) / 2 over the latents, and "
        "take the mean over the examples. For the mistake of 4.6 it is never negative: "
        "exp(2 logvar) - exp(logvar) - logvar is smallest at logvar = 0.",
    ),
)
