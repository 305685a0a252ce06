"""The sample z = mu + sigma eps: forward and backward."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, planted, stub

# ---- 04.reparameterize ---------------------------------------------------------------------------


def reparameterize(mu, logvar, eps):
    """z = mu + sigma eps,  sigma = exp(logvar / 2)                  [notebook 04, eq. 3]"""
    return mu + np.exp(logvar / 2) * eps


FAR = np.array([[-25.0, 22.0]])  # logvar may be any real number: no clipping


def _cases():
    rng = np.random.default_rng(4)
    return [
        (np.array([[1.0]]), np.array([[0.5]]), np.array([[0.3]])),
        tuple(generic(rng, 3, 2) for _ in range(3)),
        (np.array([[0.0, 1.0]]), FAR, np.array([[0.7, -0.4]])),
    ]


def _package(ops):
    return lambda mu, logvar, eps: ops.reparam_forward(mu, logvar, eps)[0]


REPARAMETERIZE = Exercise(
    id="04.reparameterize",
    title="a sample of q that can be differentiated with respect to mu and logvar",
    stub=stub("""
        def reparameterize(mu, logvar, eps):    # each (B, L) -> z (B, L)
            ...                                 # eps ~ N(0, I) is drawn for you
    """),
    reference=reparameterize,
    cases=_cases,
    fresh=lambda rng: tuple(generic(rng, 3, 5) for _ in range(3)),
    package=_package,
    mistakes=(
        *planted(_package, "reparam-variance-as-sigma", "reparam-noise-shared"),
        WrongAnswer(
            "logvar-as-sigma",
            lambda mu, logvar, eps: mu + logvar * eps,
            "logvar itself is used as the standard deviation; it can be negative. "
            "sigma = exp(logvar / 2).",
        ),
        WrongAnswer(
            "half-outside",
            lambda mu, logvar, eps: mu + np.exp(logvar) / 2 * eps,
            "The half belongs in the exponent: exp(logvar / 2) is the square root of the "
            "variance, exp(logvar) / 2 is half of it.",
        ),
        WrongAnswer(
            "precision",
            lambda mu, logvar, eps: mu + np.exp(-logvar / 2) * eps,
            "The sign in the exponent is wrong: this divides the noise by sigma.",
        ),
        WrongAnswer(
            "no-mu",
            lambda mu, logvar, eps: np.exp(logvar / 2) * eps,
            "mu is not added: the samples have mean 0, whatever the encoder outputs.",
        ),
        WrongAnswer(
            "mu-scaled",
            lambda mu, logvar, eps: (mu + eps) * np.exp(logvar / 2),
            "sigma multiplies only the noise, not mu.",
        ),
        WrongAnswer(
            "noise-not-scaled",
            lambda mu, logvar, eps: mu + eps,
            "The noise is not scaled: every q has variance 1.",
        ),
        WrongAnswer(
            "sigma-added",
            lambda mu, logvar, eps: mu + np.exp(logvar / 2) + eps,
            "sigma multiplies the noise; it is not added.",
        ),
        WrongAnswer(
            "clipped",
            lambda mu, logvar, eps: mu + np.exp(np.clip(logvar, -10, 10) / 2) * eps,
            "logvar is clipped: beyond the bounds sigma is wrong, and its gradient is zero.",
        ),
        WrongAnswer(
            "base-two",
            lambda mu, logvar, eps: mu + np.sqrt(2**logvar) * eps,
            "logvar is a natural logarithm: use exp, not a power of two.",
        ),
    ),
    hints=(
        "z has mean mu and variance exp(logvar). Build it from noise with mean 0 and variance 1.",
        "Noise times s has variance s^2. Which s, in terms of logvar?",
        "sigma = exp(logvar / 2), and z = mu + sigma * eps.",
    ),
)

# ---- 04.reparameterize-backward ------------------------------------------------------------------


def reparameterize_backward(dz, logvar, eps):
    """dmu = dz,  dlogvar = dz eps sigma / 2               [notebook 04, eqs. 4 and 5]"""
    dmu = dz.copy()
    dlogvar = dz * eps * np.exp(logvar / 2) / 2
    return dmu, dlogvar


def _backward_cases():
    rng = np.random.default_rng(41)
    return [
        (np.array([[1.0]]), np.array([[0.5]]), np.array([[0.3]])),
        tuple(generic(rng, 3, 2) for _ in range(3)),
        (np.array([[1.3, -0.2]]), FAR, np.array([[0.7, -0.4]])),
    ]


def _package_backward(ops):
    def backward(dz, logvar, eps):
        _, cache = ops.reparam_forward(np.zeros_like(logvar), logvar, eps)
        dmu, dlogvar = ops.reparam_backward(dz, cache)
        return dmu.copy(), dlogvar

    return backward


def _half_sigma_eps(logvar, eps):
    return eps * np.exp(logvar / 2) / 2


REPARAMETERIZE_BACKWARD = Exercise(
    id="04.reparameterize-backward",
    title="the backward pass of the sample",
    stub=stub("""
        def reparameterize_backward(dz, logvar, eps):    # each (B, L)
            ...                                          # -> dmu (B, L), dlogvar (B, L)
    """),
    reference=reparameterize_backward,
    cases=_backward_cases,
    fresh=lambda rng: tuple(generic(rng, 3, 5) for _ in range(3)),
    returns=("dmu", "dlogvar"),
    package=_package_backward,
    mistakes=(
        *planted(
            _package_backward,
            "reparam-variance-as-sigma",
            "reparam-half-lost",
            "reparam-sigma-lost",
            "reparam-eps-lost",
            "reparam-dmu-lost",
        ),
        WrongAnswer(
            "by-sigma",
            lambda dz, logvar, eps: (dz.copy(), dz * eps),
            "dz eps is the gradient with respect to sigma; for logvar, multiply it by d sigma / d "
            "logvar = sigma / 2.",
        ),
        WrongAnswer(
            "half-and-sigma-lost-dz",
            lambda dz, logvar, eps: (dz.copy(), _half_sigma_eps(logvar, eps)),
            "dlogvar is not multiplied by dz: the chain rule starts with the gradient with "
            "respect to z.",
        ),
        WrongAnswer(
            "dmu-is-one",
            lambda dz, logvar, eps: (np.ones_like(dz), dz * _half_sigma_eps(logvar, eps)),
            "You return the derivative of z with respect to mu, which is 1; dmu is d loss / d mu, "
            "which is dz times 1.",
        ),
        WrongAnswer(
            "dmu-scaled",
            lambda dz, logvar, eps: (
                dz * np.exp(logvar / 2),
                dz * _half_sigma_eps(logvar, eps),
            ),
            "mu is not multiplied by sigma in the forward pass, so sigma is not in dmu.",
        ),
        WrongAnswer(
            "minus",
            lambda dz, logvar, eps: (dz.copy(), -dz * _half_sigma_eps(logvar, eps)),
            "dlogvar has the wrong sign: a larger sigma moves z in the direction of eps.",
        ),
        WrongAnswer(
            "swapped",
            lambda dz, logvar, eps: (dz * _half_sigma_eps(logvar, eps), dz.copy()),
            "The two results are swapped: first dmu, then dlogvar.",
        ),
        WrongAnswer(
            "clipped",
            lambda dz, logvar, eps: (
                dz.copy(),
                dz * _half_sigma_eps(np.clip(logvar, -10, 10), eps),
            ),
            "logvar is clipped here, and not in the forward pass.",
        ),
        WrongAnswer(
            "summed-over-batch",
            lambda dz, logvar, eps: (
                dz.sum(axis=0),
                (dz * _half_sigma_eps(logvar, eps)).sum(axis=0),
            ),
            "You sum over the batch; each example has its own mu and logvar, so nothing is summed.",
        ),
    ),
    hints=(
        "z = mu + sigma eps: differentiate it with respect to mu and to sigma, then sigma with "
        "respect to logvar.",
        "sigma = exp(logvar / 2), so d sigma / d logvar = sigma / 2.",
        "dmu = dz (a copy of it), and dlogvar = dz * eps * sigma / 2.",
    ),
)
