"""Notebook 03, KL between Gaussians."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, planted, stub

# ---- 03.kl -----------------------------------------------------------------------------------


def gaussian_kl(mu, logvar):
    """KL(N(mu, sigma^2) || N(0, 1)), summed over the latents     [notebook 03, eq. 2]"""
    return (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2


def _kl_cases():
    rng = np.random.default_rng(3)
    return [
        (np.array([[1.0]]), np.array([[0.5]])),
        (generic(rng, 1, 3), generic(rng, 1, 3)),
        (generic(rng, 4, 3), generic(rng, 4, 3)),
    ]


def _package_kl(ops):
    return lambda mu, logvar: ops.gaussian_kl_forward(mu, logvar)[0].sum(axis=1)


# Thirteen wrong KLs that return the right shape: also what 03.tell-apart must tell apart.
WRONG_KLS = (
    *planted(
        _package_kl,
        "kl-half-lost",
        "kl-sign-of-logvar",
        "kl-constant-lost",
        "kl-logvar-as-log-sigma",
        "kl-mean-over-latents",
    ),
    WrongAnswer(
        "sign",
        lambda mu, logvar: (1 + logvar - mu**2 - np.exp(logvar)).sum(axis=1) / 2,
        "The sign is turned around: this is -KL, which enters the ELBO; a KL is never negative.",
    ),
    WrongAnswer(
        "no-log",
        lambda mu, logvar: (mu**2 + np.exp(logvar) - 1).sum(axis=1) / 2,
        "-log sigma^2 is missing: without it nothing stops sigma from shrinking to 0.",
    ),
    WrongAnswer(
        "mu-not-squared",
        lambda mu, logvar: (mu + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2,
        "mu is not squared: a shift to the left must cost as much as one to the right.",
    ),
    WrongAnswer(
        "sigma-for-variance",
        lambda mu, logvar: (mu**2 + np.exp(logvar / 2) - 1 - logvar).sum(axis=1) / 2,
        "exp(logvar / 2) is sigma; the formula has sigma squared, which is exp(logvar).",
    ),
    WrongAnswer(
        "half-of-the-log",
        lambda mu, logvar: (mu**2 + np.exp(logvar) - 1 - logvar / 2).sum(axis=1) / 2,
        "The half comes twice to the log: log sigma = logvar / 2 is already half of log sigma^2.",
    ),
    WrongAnswer(
        "half-of-one-term",
        lambda mu, logvar: (mu**2 / 2 + np.exp(logvar) - 1 - logvar).sum(axis=1),
        "The half belongs to the whole sum; here it reaches mu^2 alone (a missing bracket?).",
    ),
    WrongAnswer(
        "reversed",
        lambda mu, logvar: ((1 + mu**2) * np.exp(-logvar) - 1 + logvar).sum(axis=1) / 2,
        "This is KL(p || q), the other direction: the average must be taken over q.",
    ),
    WrongAnswer(
        "square-of-sum",
        lambda mu, logvar: (mu.sum(axis=1) ** 2 + (np.exp(logvar) - 1 - logvar).sum(axis=1)) / 2,
        "mu is summed before it is squared; square each latent's mu, then sum.",
    ),
)

KL = Exercise(
    id="03.kl",
    title="the KL of a diagonal Gaussian against N(0, I)",
    stub=stub("""
        def gaussian_kl(mu, logvar):      # (B, L), (B, L) -> (B,) nats
            ...                           # your code
    """),
    reference=gaussian_kl,
    cases=_kl_cases,
    package=_package_kl,
    mistakes=(
        *WRONG_KLS,
        WrongAnswer(
            "not-summed",
            lambda mu, logvar: (mu**2 + np.exp(logvar) - 1 - logvar) / 2,
            "One KL for each latent: sum them over the last axis, one number for each example.",
        ),
        WrongAnswer(
            "wrong-axis",
            lambda mu, logvar: (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=0) / 2,
            "Summed over the batch (axis 0); sum over the latents, axis 1.",
        ),
        WrongAnswer(
            "one-number",
            lambda mu, logvar: (mu**2 + np.exp(logvar) - 1 - logvar).sum() / 2,
            "Summed over everything; keep one number for each example: axis=1.",
        ),
        WrongAnswer(
            "mean-of-all",
            lambda mu, logvar: (mu**2 + np.exp(logvar) - 1 - logvar).mean() / 2,
            "One mean over everything; sum over the latents and keep the examples apart.",
        ),
    ),
    hints=(
        "For each latent it is half of a sum of four terms, one of them a constant.",
        "sigma^2 = exp(logvar), and log sigma^2 is logvar itself: no log is needed.",
        "Sum (mu^2 + exp(logvar) - 1 - logvar) over axis 1, and take half.",
    ),
)

# ---- 03.kl-backward ----------------------------------------------------------------------------


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
    returns=("dmu", "dlogvar"),
    package=_package_kl_backward,
    mistakes=(
        *planted(
            _package_kl_backward,
            "kl-half-lost",
            "kl-logvar-as-log-sigma",
            "kl-mean-over-latents",
            "kl-gradient-half-lost",
            "kl-gradient-sigma-as-variance",
            "kl-gradient-one-lost",
            "kl-gradient-one-sign",
            "kl-gradient-mu-doubled",
            "kl-gradient-mu-lost",
            "kl-gradient-logvar-lost",
            "kl-gradient-lost",
            "kl-gradient-sign",
        ),
        WrongAnswer(
            "by-sigma",
            lambda dkl, mu, logvar: (
                dkl[:, None] * mu,
                dkl[:, None] * (np.exp(logvar / 2) - np.exp(-logvar / 2)),
            ),
            "This is the derivative by sigma; the variable is logvar = log sigma^2.",
        ),
        WrongAnswer(
            "by-variance",
            lambda dkl, mu, logvar: (dkl[:, None] * mu, dkl[:, None] * (1 - np.exp(-logvar)) / 2),
            "This is the derivative by sigma^2; by logvar it is multiplied by sigma^2.",
        ),
        WrongAnswer(
            "no-upstream",
            lambda dkl, mu, logvar: (mu.copy(), (np.exp(logvar) - 1) / 2),
            "dkl is not used: by the chain rule it multiplies both gradients.",
        ),
        WrongAnswer(
            "batch-mean",
            lambda dkl, mu, logvar: (
                dkl[:, None] * mu / len(mu),
                dkl[:, None] * (np.exp(logvar) - 1) / 2 / len(mu),
            ),
            "Divided by the batch size: a mean over the batch is in dkl already, if there is one.",
        ),
        WrongAnswer(
            "swapped",
            lambda dkl, mu, logvar: (dkl[:, None] * (np.exp(logvar) - 1) / 2, dkl[:, None] * mu),
            "The two results are swapped: first dmu, then dlogvar.",
        ),
    ),
    hints=(
        "Differentiate the KL of one latent, once by mu and once by logvar.",
        "d exp(logvar) / d logvar is exp(logvar) again; dkl (B,) needs a new axis: dkl[:, None].",
        "dmu = dkl mu, and dlogvar = dkl (exp(logvar) - 1) / 2.",
    ),
)

# ---- 03.kl-monte-carlo -------------------------------------------------------------------------


def kl_monte_carlo(mu, logvar, eps):
    """The average of log q(z) - log p(z) over z ~ q                  [notebook 03, eq. 1]"""
    z = mu + np.exp(logvar / 2) * eps
    log_q = -(eps**2 + logvar + np.log(2 * np.pi)) / 2
    log_p = -(z**2 + np.log(2 * np.pi)) / 2
    return (log_q - log_p).sum(axis=2).mean(axis=0)


def _log_ratio(mu, logvar, eps, scale=None):
    z = mu + (np.exp(logvar / 2) if scale is None else scale) * eps
    return (z**2 - eps**2 - logvar) / 2


def _kl_mc_cases():
    rng = np.random.default_rng(32)
    return [
        (np.array([[1.0]]), np.array([[0.5]]), np.array([[[0.3]]])),
        (np.array([[1.0]]), np.array([[0.5]]), np.array([[[0.3]], [[-1.2]]])),
        (generic(rng, 3, 2), generic(rng, 3, 2), generic(rng, 5, 3, 2)),
    ]


def _log_of_mean(mu, logvar, eps):
    ratio = _log_ratio(mu, logvar, eps).sum(axis=2)
    return np.log(np.exp(ratio).mean(axis=0))


KL_MONTE_CARLO = Exercise(
    id="03.kl-monte-carlo",
    title="the same KL, by Monte Carlo",
    stub=stub("""
        def kl_monte_carlo(mu, logvar, eps):    # (B, L), (B, L), (K, B, L)
            ...                                 # -> (B,) nats, the mean of K samples
    """),
    reference=kl_monte_carlo,
    cases=_kl_mc_cases,
    mistakes=(
        WrongAnswer(
            "sign",
            lambda mu, logvar, eps: -_log_ratio(mu, logvar, eps).sum(axis=2).mean(axis=0),
            "The sign is turned around: KL(q || p) averages log q - log p.",
        ),
        WrongAnswer(
            "variance-as-sigma",
            lambda mu, logvar, eps: (
                _log_ratio(mu, logvar, eps, np.exp(logvar)).sum(axis=2).mean(axis=0)
            ),
            "z = mu + exp(logvar) eps has the variance as its standard deviation; "
            "sigma is exp(logvar / 2).",
        ),
        WrongAnswer(
            "no-normaliser",
            lambda mu, logvar, eps: (
                (_log_ratio(mu, logvar, eps) + logvar / 2).sum(axis=2).mean(axis=0)
            ),
            "log q(z) lost -logvar / 2: the log 2 pi cancels against p's, this does not.",
        ),
        WrongAnswer(
            "not-standardised",
            lambda mu, logvar, eps: (
                (_log_ratio(mu, logvar, eps) + eps**2 * (1 - np.exp(logvar)) / 2)
                .sum(axis=2)
                .mean(axis=0)
            ),
            "log q(z) divides (z - mu)^2 by sigma^2; here it is not divided.",
        ),
        WrongAnswer(
            "sum-over-samples",
            lambda mu, logvar, eps: _log_ratio(mu, logvar, eps).sum(axis=(0, 2)),
            "Summed over the K samples; an expectation is their mean.",
        ),
        WrongAnswer(
            "mean-over-latents",
            lambda mu, logvar, eps: _log_ratio(mu, logvar, eps).mean(axis=(0, 2)),
            "The mean over the latents; the logs of independent latents add.",
        ),
        WrongAnswer(
            "log-of-mean",
            _log_of_mean,
            "The log of a mean: the KL is the mean of the logs, and these differ (Jensen).",
        ),
        WrongAnswer(
            "not-averaged",
            lambda mu, logvar, eps: _log_ratio(mu, logvar, eps).sum(axis=2),
            "One value for each sample: take the mean over axis 0.",
        ),
        WrongAnswer(
            "closed-form",
            lambda mu, logvar, eps: gaussian_kl(mu, logvar),
            "This is the closed form, the number that the samples scatter around; "
            "here the samples are wanted.",
        ),
    ),
    hints=(
        "Make z from eps; then two log densities at this z.",
        "(z - mu) / sigma is eps again: log q(z) = -(eps^2 + logvar + log 2 pi) / 2.",
        "Sum log q - log p over the latents (axis 2), then take the mean over the K samples.",
    ),
)

# ---- 03.kl-two-gaussians -----------------------------------------------------------------------


def kl_two_gaussians(mu1, logvar1, mu2, logvar2):
    """KL(N(mu1, sigma1^2) || N(mu2, sigma2^2)), summed over the latents"""
    variance_ratio = np.exp(logvar1 - logvar2)
    shift = (mu1 - mu2) ** 2 / np.exp(logvar2)
    return (shift + variance_ratio - 1 - (logvar1 - logvar2)).sum(axis=1) / 2


def _kl_two_cases():
    rng = np.random.default_rng(33)
    return [
        tuple(np.array([[v]]) for v in (1.0, 0.5, 0.2, -0.4)),
        tuple(generic(rng, 4, 3) for _ in range(4)),
    ]


def _kl_two(shift, ratio, log_ratio):
    return (shift + ratio - 1 - log_ratio).sum(axis=1) / 2


KL_TWO = Exercise(
    id="03.kl-two-gaussians",
    title="the KL between any two diagonal Gaussians",
    stub=stub("""
        def kl_two_gaussians(mu1, logvar1, mu2, logvar2):    # each (B, L) -> (B,) nats
            ...                                              # KL(first || second)
    """),
    reference=kl_two_gaussians,
    cases=_kl_two_cases,
    mistakes=(
        WrongAnswer(
            "reversed",
            lambda m1, v1, m2, v2: kl_two_gaussians(m2, v2, m1, v1),
            "This is KL(second || first): the KL is not symmetric.",
        ),
        WrongAnswer(
            "shift-not-scaled",
            lambda m1, v1, m2, v2: _kl_two((m1 - m2) ** 2, np.exp(v1 - v2), v1 - v2),
            "(mu1 - mu2)^2 must be divided by sigma2^2: a shift counts in units of sigma2.",
        ),
        WrongAnswer(
            "shift-by-first",
            lambda m1, v1, m2, v2: _kl_two((m1 - m2) ** 2 / np.exp(v1), np.exp(v1 - v2), v1 - v2),
            "(mu1 - mu2)^2 is divided by the first variance; it comes from the second's log.",
        ),
        WrongAnswer(
            "log-sign",
            lambda m1, v1, m2, v2: _kl_two((m1 - m2) ** 2 / np.exp(v2), np.exp(v1 - v2), v2 - v1),
            "The log of the ratio has the wrong sign: it is -(logvar1 - logvar2).",
        ),
        WrongAnswer(
            "ratio-reversed",
            lambda m1, v1, m2, v2: _kl_two((m1 - m2) ** 2 / np.exp(v2), np.exp(v2 - v1), v1 - v2),
            "The ratio of the variances is upside down: sigma1^2 / sigma2^2.",
        ),
        WrongAnswer(
            "no-half",
            lambda m1, v1, m2, v2: 2 * kl_two_gaussians(m1, v1, m2, v2),
            "The half is missing.",
        ),
        WrongAnswer(
            "no-minus-one",
            lambda m1, v1, m2, v2: kl_two_gaussians(m1, v1, m2, v2) + m1.shape[1] / 2,
            "The -1 of each latent is missing: two equal Gaussians have KL 0.",
        ),
        WrongAnswer(
            "difference-of-kls",
            lambda m1, v1, m2, v2: gaussian_kl(m1, v1) - gaussian_kl(m2, v2),
            "A difference of two KLs against N(0, 1) is not a KL: average log q1 - log q2 over q1.",
        ),
    ),
    hints=(
        "Write log q1(z) - log q2(z) and average it over z ~ q1.",
        "E over q1 of (z - mu2)^2 is sigma1^2 + (mu1 - mu2)^2, and it is divided by sigma2^2.",
        "((mu1 - mu2)^2 / var2 + var1 / var2 - 1 - log(var1 / var2)) / 2, summed over the latents.",
    ),
)

# ---- 03.bug ------------------------------------------------------------------------------------


def repo_kl(mu, logvar):
    # Found in public code, with 20 latents: trains, but reconstructs too well and samples badly.
    return -0.5 * np.mean(1 + logvar - mu**2 - np.exp(logvar), axis=1)


def mended_kl(mu, logvar):
    # The mean over L latents is a KL of 1/L the size: beta = 1/L, unannounced.
    return -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar), axis=1)


BUG = Exercise(
    id="03.bug",
    title="find the bug: a KL that is too weak",
    stub=inspect.getsource(repo_kl).rstrip(),
    reference=mended_kl,
    given=repo_kl,
    cases=_kl_cases,
    mistakes=(
        WrongAnswer(
            "wrong-axis",
            lambda mu, logvar: -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar), axis=0),
            "The sum is right, its axis is not: one KL for each example.",
        ),
        WrongAnswer(
            "sign",
            lambda mu, logvar: 0.5 * np.mean(1 + logvar - mu**2 - np.exp(logvar), axis=1),
            "The sign was right before: the bracket is negative, so -0.5 makes the KL positive.",
        ),
        WrongAnswer(
            "one-number",
            lambda mu, logvar: -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar)),
            "A sum over everything mixes the examples: axis=1.",
        ),
        WrongAnswer(
            "half-dropped",
            lambda mu, logvar: -np.sum(1 + logvar - mu**2 - np.exp(logvar), axis=1),
            "The half belongs there: the defect is elsewhere.",
        ),
        WrongAnswer(
            "half-of-logvar",
            lambda mu, logvar: -0.5 * np.mean(1 + logvar - mu**2 - np.exp(logvar / 2), axis=1),
            "exp(logvar) is sigma squared, which was right: the defect is elsewhere.",
        ),
    ),
    hints=(
        "Every term of the formula is right. What happens to the latents?",
        "With 20 latents this KL is 20 times too small.",
        "Independent latents add their KLs: np.sum in place of np.mean.",
    ),
)

# ---- 03.tell-apart -----------------------------------------------------------------------------


def _judge_inputs(answer):
    """None if the right KL and all thirteen wrong ones give different values at this input."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return "expected a pair: (mu, logvar)"
    mu, logvar = (np.asarray(a) for a in answer)
    if mu.dtype.kind not in "if" or logvar.dtype.kind not in "if":
        return "expected two arrays of real numbers"
    if mu.ndim != 2 or mu.shape != logvar.shape or mu.size == 0 or mu.size > 1000:
        return f"the shapes are {mu.shape} and {logvar.shape}; expected (B, L), the same for both"
    if not (np.isfinite(mu).all() and np.isfinite(logvar).all() and (np.abs(logvar) < 20).all()):
        return "expected finite numbers, and logvar between -20 and 20"
    values = {m.name: m.wrong(mu, logvar) for m in WRONG_KLS}
    right = gaussian_kl(mu, logvar)
    slip = [name for name, value in values.items() if np.allclose(value, right, rtol=1e-6)]
    if slip:
        return f"{len(slip)} of 13 wrong KLs give the right value here: {', '.join(slip)}"
    names = list(values)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if np.allclose(values[a], values[b], rtol=1e-6):
                return f"all thirteen are caught, but {a} and {b} give the same value here"
    return None


_ONE = np.ones((1, 1))

TELL_APART = Exercise(
    id="03.tell-apart",
    title="choose the input that tells thirteen wrong KLs apart",
    stub=stub("""
        # One input (mu, logvar), each (B, L), at which thirteen wrong KLs (the half dropped, a sign
        # turned, exp(logvar / 2) for exp(logvar), ...) differ from the right one and each other.
        inputs = ...
    """),
    reference=(
        np.array([[0.7, -1.3], [0.2, 0.9], [-0.4, 1.6]]),
        np.array([[0.3, -0.8], [-1.1, 0.5], [0.6, 0.1]]),
    ),
    judge=_judge_inputs,
    mistakes=(
        WrongAnswer(
            "zeros",
            (0 * _ONE, 0 * _ONE),
            "At mu = 0, logvar = 0 almost every formula gives 0: a gradient or a formula checked "
            "there is not checked.",
        ),
        WrongAnswer(
            "ones-and-zeros",
            (_ONE, 0 * _ONE),
            "At logvar = 0 every power of sigma is 1, and mu = 1 hides a missing square.",
        ),
        WrongAnswer(
            "ones",
            (_ONE, _ONE),
            "mu = 1 is its own square: a missing square cannot show.",
        ),
        WrongAnswer(
            "one-entry",
            (np.array([[0.7]]), np.array([[0.3]])),
            "With a single latent, sum and mean are the same: take at least two.",
        ),
    ),
    hints=(
        "Special numbers hide mistakes: 0 hides signs, 1 hides squares.",
        "With one latent, sum and mean agree. So how many at least?",
        "Any two arrays of shape (3, 2) with nothing special about them.",
    ),
    solution_text=stub("""
        inputs = (
            np.array([[0.7, -1.3], [0.2, 0.9], [-0.4, 1.6]]),
            np.array([[0.3, -0.8], [-1.1, 0.5], [0.6, 0.1]]),
        )
        # Generic, non-square, no zeros and no ones: what a good test input looks like.
    """),
)

EXERCISES = (KL, KL_BACKWARD, KL_MONTE_CARLO, KL_TWO, BUG, TELL_APART)
