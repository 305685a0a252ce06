"""The KL of a diagonal Gaussian from N(0, I): its value and its gradient."""

import numpy as np

from minivae.exercises.exercise import (
    Exercise,
    WrongAnswer,
    generic,
    planted,
    planted_in_words,
    stub,
)

# ---- 03.kl ---------------------------------------------------------------------------------------


def gaussian_kl(mu, logvar):
    """KL(N(mu, sigma^2) || N(0, 1)), summed over the latents     [notebook 03, eq. 2]"""
    return (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2


def _kl_cases():
    rng = np.random.default_rng(3)
    return [
        (np.array([[1.0]]), np.array([[0.5]])),
        (generic(rng, 1, 3), generic(rng, 1, 3)),
        (generic(rng, 4, 3), generic(rng, 4, 3)),
        (np.array([[0.3, -1.2]]), np.array([[-14.0, 12.0]])),  # very narrow, very wide
    ]


def _package_kl(ops):
    return lambda mu, logvar: ops.gaussian_kl_forward(mu, logvar)[0].sum(axis=1)


# Thirteen wrong KLs that return the right shape; 03.blind-spot asks for an input that hides one.
WRONG_KLS = (
    *planted_in_words(
        _package_kl,
        {
            "kl-half-lost": "The KL lacks its half.",
            "kl-sign-of-logvar": "The KL adds logvar where it must subtract it.",
            "kl-constant-lost": "The -1 of each latent is missing: where q is the prior, the KL "
            "must be 0.",
            "kl-logvar-as-log-sigma": "You take logvar for log sigma; it is log sigma^2.",
            "kl-mean-over-latents": "You average over the latents; they are independent, so their "
            "KLs add.",
        },
    ),
    WrongAnswer(
        "sign",
        lambda mu, logvar: (1 + logvar - mu**2 - np.exp(logvar)).sum(axis=1) / 2,
        "The sign is wrong: this is -KL, as it stands in the ELBO; a KL is never negative.",
    ),
    WrongAnswer(
        "no-log",
        lambda mu, logvar: (mu**2 + np.exp(logvar) - 1).sum(axis=1) / 2,
        "-log sigma^2 is missing: without it nothing stops sigma from shrinking to 0.",
    ),
    WrongAnswer(
        "mu-not-squared",
        lambda mu, logvar: (mu + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2,
        "mu is not squared: a negative mu must cost as much as a positive one.",
    ),
    WrongAnswer(
        "sigma-for-variance",
        lambda mu, logvar: (mu**2 + np.exp(logvar / 2) - 1 - logvar).sum(axis=1) / 2,
        "exp(logvar / 2) is sigma; the formula has sigma squared, which is exp(logvar).",
    ),
    WrongAnswer(
        "half-of-the-log",
        lambda mu, logvar: (mu**2 + np.exp(logvar) - 1 - logvar / 2).sum(axis=1) / 2,
        "The log is halved twice: logvar / 2 is log sigma, but the bracket holds log sigma^2.",
    ),
    WrongAnswer(
        "half-of-one-term",
        lambda mu, logvar: (mu**2 / 2 + np.exp(logvar) - 1 - logvar).sum(axis=1),
        "The factor 1/2 belongs to the whole sum; here it multiplies mu^2 only (a missing "
        "bracket?).",
    ),
    WrongAnswer(
        "reversed",
        lambda mu, logvar: ((1 + mu**2) * np.exp(-logvar) - 1 + logvar).sum(axis=1) / 2,
        "This is KL(p || q), the other direction: average over q.",
    ),
    WrongAnswer(
        "square-of-sum",
        lambda mu, logvar: (mu.sum(axis=1) ** 2 + (np.exp(logvar) - 1 - logvar).sum(axis=1)) / 2,
        "You sum mu before you square it; square each latent's mu, then sum.",
    ),
)

KL = Exercise(
    id="03.kl",
    title="the KL of a diagonal Gaussian from N(0, I)",
    stub=stub("""
        def my_gaussian_kl(mu, logvar):      # (B, L), (B, L) -> (B,) nats
            ...                              # your code
    """),
    reference=gaussian_kl,
    cases=_kl_cases,
    fresh=lambda rng: (generic(rng, 3, 5), generic(rng, 3, 5)),
    package=_package_kl,
    mistakes=(
        *WRONG_KLS,
        WrongAnswer(
            "logvar-clipped",
            lambda mu, logvar: gaussian_kl(mu, np.clip(logvar, -10, 10)),
            "logvar is clipped: outside of the limits the KL is another one, and its derivative by "
            "logvar is 0.",
        ),
        WrongAnswer(
            "not-summed",
            lambda mu, logvar: (mu**2 + np.exp(logvar) - 1 - logvar) / 2,
            "You return one KL for each latent; sum them over the last axis, to get one for each "
            "example.",
        ),
        WrongAnswer(
            "wrong-axis",
            lambda mu, logvar: (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=0) / 2,
            "You sum over the batch (axis 0); sum over the latents, axis 1.",
        ),
        WrongAnswer(
            "one-number",
            lambda mu, logvar: (mu**2 + np.exp(logvar) - 1 - logvar).sum() / 2,
            "You sum over everything; keep one number for each example: axis=1.",
        ),
        WrongAnswer(
            "mean-of-all",
            lambda mu, logvar: (mu**2 + np.exp(logvar) - 1 - logvar).mean() / 2,
            "You take one mean over everything; sum over the latents, for each example.",
        ),
    ),
    hints=(
        "The average of (z - mu)^2 over q is its variance. For that of z^2, write z as "
        "mu + (z - mu), and square.",
        "For each latent you get half of a sum of four terms, one of them a constant. sigma^2 is "
        "exp(logvar), and log sigma^2 is logvar itself: no log is needed.",
        "Sum (mu^2 + exp(logvar) - 1 - logvar) over axis 1, and divide by 2.",
    ),
)

# ---- 03.kl-backward ------------------------------------------------------------------------------


def gaussian_kl_backward(dkl, mu, logvar):
    """dmu = dkl mu,  dlogvar = dkl (sigma^2 - 1) / 2              [notebook 03, eqs. 3 and 4]"""
    dmu = dkl[:, None] * mu
    dlogvar = dkl[:, None] * (np.exp(logvar) - 1) / 2
    return dmu, dlogvar


def _kl_backward_cases():
    rng = np.random.default_rng(31)
    return [
        (np.array([1.0]), np.array([[0.8]]), np.array([[0.5]])),
        (np.array([1.0, 1.0]), generic(rng, 2, 3), generic(rng, 2, 3)),
        (generic(rng, 4), generic(rng, 4, 3), generic(rng, 4, 3)),
        (np.array([0.6]), np.array([[0.3, -1.2]]), np.array([[-14.0, 12.0]])),
    ]


def _package_kl_backward(ops):
    def backward(dkl, mu, logvar):
        _, cache = ops.gaussian_kl_forward(mu, logvar)
        return ops.gaussian_kl_backward(np.repeat(dkl[:, None], mu.shape[1], axis=1), cache)

    return backward


KL_BACKWARD = Exercise(
    id="03.kl-backward",
    title="the gradient of that KL",
    stub=stub("""
        def gaussian_kl_backward(dkl, mu, logvar):    # (B,), (B, L), (B, L)
            ...                                       # -> dmu (B, L), dlogvar (B, L)
    """),
    reference=gaussian_kl_backward,
    cases=_kl_backward_cases,
    fresh=lambda rng: (generic(rng, 3), generic(rng, 3, 5), generic(rng, 3, 5)),
    returns=("dmu", "dlogvar"),
    package=_package_kl_backward,
    mistakes=(
        *planted_in_words(
            _package_kl_backward,
            {
                "kl-half-lost": "Both gradients lack the half of the KL.",
                "kl-logvar-as-log-sigma": "You take logvar for log sigma; it is log sigma^2.",
                "kl-mean-over-latents": "You divide by the number of latents; the KL is a sum over "
                "them, not a mean.",
                "kl-gradient-lost": "Both gradients are 0; the KL depends on mu and on logvar.",
                "kl-gradient-sign": "Both signs are wrong: this is the gradient of -KL.",
            },
        ),
        *planted(
            _package_kl_backward,
            "kl-gradient-half-lost",
            "kl-gradient-sigma-as-variance",
            "kl-gradient-one-lost",
            "kl-gradient-one-sign",
            "kl-gradient-mu-doubled",
            "kl-gradient-mu-lost",
            "kl-gradient-logvar-lost",
        ),
        WrongAnswer(
            "logvar-clipped",
            lambda dkl, mu, logvar: gaussian_kl_backward(dkl, mu, np.clip(logvar, -10, 10)),
            "logvar is clipped: the formula holds for every logvar.",
        ),
        WrongAnswer(
            "by-sigma",
            lambda dkl, mu, logvar: (
                dkl[:, None] * mu,
                dkl[:, None] * (np.exp(logvar / 2) - np.exp(-logvar / 2)),
            ),
            "This is the derivative with respect to sigma; the variable is logvar = log sigma^2.",
        ),
        WrongAnswer(
            "by-variance",
            lambda dkl, mu, logvar: (dkl[:, None] * mu, dkl[:, None] * (1 - np.exp(-logvar)) / 2),
            "This is the derivative with respect to sigma^2; multiply it by sigma^2 for that with "
            "respect to logvar.",
        ),
        WrongAnswer(
            "no-upstream",
            lambda dkl, mu, logvar: (mu.copy(), (np.exp(logvar) - 1) / 2),
            "dkl is not used: by the chain rule, it multiplies both gradients.",
        ),
        WrongAnswer(
            "batch-mean",
            lambda dkl, mu, logvar: (
                dkl[:, None] * mu / len(mu),
                dkl[:, None] * (np.exp(logvar) - 1) / 2 / len(mu),
            ),
            "You divide by the batch size; if the loss is a mean over the batch, dkl already "
            "contains that factor.",
        ),
        WrongAnswer(
            "swapped",
            lambda dkl, mu, logvar: (dkl[:, None] * (np.exp(logvar) - 1) / 2, dkl[:, None] * mu),
            "The two results are swapped: first dmu, then dlogvar.",
        ),
    ),
    hints=(
        "Differentiate the KL of one latent, once with respect to mu and once with respect to "
        "logvar.",
        "d exp(logvar) / d logvar is exp(logvar) again; dkl (B,) needs a new axis: dkl[:, None].",
        "dmu = dkl mu, and dlogvar = dkl (exp(logvar) - 1) / 2.",
    ),
)
