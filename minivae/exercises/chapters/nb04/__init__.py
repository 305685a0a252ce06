"""Notebook 04, the reparameterization trick."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, planted, stub

# ---- 04.reparameterize -------------------------------------------------------------------------


def reparameterize(mu, logvar, eps):
    """z = mu + sigma eps,  sigma = exp(logvar / 2)                  [notebook 04, eq. 3]"""
    return mu + np.exp(logvar / 2) * eps


def _cases():
    rng = np.random.default_rng(4)
    return [
        (np.array([[1.0]]), np.array([[0.5]]), np.array([[0.3]])),
        tuple(generic(rng, 3, 2) for _ in range(3)),
    ]


def _package(ops):
    return lambda mu, logvar, eps: ops.reparam_forward(mu, logvar, eps)[0]


REPARAMETERIZE = Exercise(
    id="04.reparameterize",
    title="a sample of q that mu and logvar can be differentiated through",
    stub=stub("""
        def reparameterize(mu, logvar, eps):    # each (B, L) -> z (B, L)
            ...                                 # eps ~ N(0, I) is drawn for you
    """),
    reference=reparameterize,
    cases=_cases,
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
            "The half belongs into the exponent: exp(logvar / 2) is the root of the variance, "
            "exp(logvar) / 2 is half of it.",
        ),
        WrongAnswer(
            "precision",
            lambda mu, logvar, eps: mu + np.exp(-logvar / 2) * eps,
            "The sign in the exponent: this divides by sigma, as one does to standardise z.",
        ),
        WrongAnswer(
            "no-mu",
            lambda mu, logvar, eps: np.exp(logvar / 2) * eps,
            "mu is not added: the sample sits around 0 whatever the encoder says.",
        ),
        WrongAnswer(
            "mu-scaled",
            lambda mu, logvar, eps: (mu + eps) * np.exp(logvar / 2),
            "sigma scales the noise alone, not mu.",
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
            "base-two",
            lambda mu, logvar, eps: mu + np.sqrt(2**logvar) * eps,
            "logvar is a natural logarithm: exp, not a power of two.",
        ),
    ),
    hints=(
        "z has mean mu and variance exp(logvar). Build it from noise with mean 0 and variance 1.",
        "Noise times s has variance s^2. Which s, in terms of logvar?",
        "sigma = exp(logvar / 2), and z = mu + sigma * eps.",
    ),
)

# ---- 04.reparameterize-backward ----------------------------------------------------------------


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
    title="back through the sample",
    stub=stub("""
        def reparameterize_backward(dz, logvar, eps):    # each (B, L)
            ...                                          # -> dmu (B, L), dlogvar (B, L)
    """),
    reference=reparameterize_backward,
    cases=_backward_cases,
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
            "dz eps is the derivative by sigma; by logvar it is multiplied by "
            "d sigma / d logvar = sigma / 2.",
        ),
        WrongAnswer(
            "half-and-sigma-lost-dz",
            lambda dz, logvar, eps: (dz.copy(), _half_sigma_eps(logvar, eps)),
            "dlogvar is not multiplied by dz: the chain rule begins with what comes from above.",
        ),
        WrongAnswer(
            "dmu-is-one",
            lambda dz, logvar, eps: (np.ones_like(dz), dz * _half_sigma_eps(logvar, eps)),
            "dz / dmu is 1, but dmu is d loss / d mu: dz times that 1.",
        ),
        WrongAnswer(
            "dmu-scaled",
            lambda dz, logvar, eps: (
                dz * np.exp(logvar / 2),
                dz * _half_sigma_eps(logvar, eps),
            ),
            "sigma does not multiply mu in the forward pass, and so not in dmu.",
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
            "summed-over-batch",
            lambda dz, logvar, eps: (
                dz.sum(axis=0),
                (dz * _half_sigma_eps(logvar, eps)).sum(axis=0),
            ),
            "Summed over the batch: each example has its own mu and logvar, so nothing is summed.",
        ),
    ),
    hints=(
        "z = mu + sigma eps: differentiate by mu, then by sigma, then sigma by logvar.",
        "sigma = exp(logvar / 2), so d sigma / d logvar = sigma / 2.",
        "dmu = dz (a copy of it), and dlogvar = dz * eps * sigma / 2.",
    ),
)

# ---- 04.score-function -------------------------------------------------------------------------


def score_function_gradient(f, z, mu, logvar):
    """d/dmu and d/dlogvar of E[f(z)] from values of f alone: mean of f times the score [eq. 1]"""
    standardised = (z - mu) / np.exp(logvar / 2)
    dmu = (f * standardised / np.exp(logvar / 2)).mean()
    dlogvar = (f * (standardised**2 - 1) / 2).mean()
    return dmu, dlogvar


def _score_cases():
    rng = np.random.default_rng(42)
    return [
        (np.array([2.0]), np.array([1.6]), 1.0, 0.5),
        (generic(rng, 5) + 2, generic(rng, 5), 0.7, -0.6),
    ]


def _scores(z, mu, logvar):
    variance = np.exp(logvar)
    return (z - mu) / variance, ((z - mu) ** 2 / variance - 1) / 2


def _score_variant(change):
    """A wrong answer: change(f, dmu's score, dlogvar's score, z, mu, logvar)."""
    return lambda f, z, mu, logvar: change(f, *_scores(z, mu, logvar), z, mu, logvar)


SCORE_FUNCTION = Exercise(
    id="04.score-function",
    title="a gradient from values of f alone",
    stub=stub("""
        def score_function_gradient(f, z, mu, logvar):    # f(z_k) (K,), z_k ~ N(mu, sigma^2) (K,),
            ...                                           # floats -> dmu, dlogvar of E f, floats
    """),
    reference=score_function_gradient,
    cases=_score_cases,
    returns=("dmu", "dlogvar"),
    mistakes=(
        WrongAnswer(
            "by-sigma",
            _score_variant(
                lambda f, a, b, z, mu, logvar: (
                    (f * a).mean(),
                    (f * 2 * b / np.exp(logvar / 2)).mean(),
                )
            ),
            "The second is the derivative by sigma; by logvar it is times sigma / 2.",
        ),
        WrongAnswer(
            "no-minus-one",
            _score_variant(lambda f, a, b, z, mu, logvar: ((f * a).mean(), (f * (b + 0.5)).mean())),
            "The score of logvar lost its -1, which comes from the normaliser -logvar / 2.",
        ),
        WrongAnswer(
            "no-half",
            _score_variant(lambda f, a, b, z, mu, logvar: ((f * a).mean(), (f * 2 * b).mean())),
            "The score of logvar lost its half.",
        ),
        WrongAnswer(
            "sum",
            _score_variant(lambda f, a, b, z, mu, logvar: ((f * a).sum(), (f * b).sum())),
            "Summed over the samples; an expectation is their mean.",
        ),
        WrongAnswer(
            "no-f",
            _score_variant(lambda f, a, b, z, mu, logvar: (a.mean(), b.mean())),
            "f is missing: without it this estimates E of the score, which is 0.",
        ),
        WrongAnswer(
            "means-multiplied",
            _score_variant(
                lambda f, a, b, z, mu, logvar: (f.mean() * a.mean(), f.mean() * b.mean())
            ),
            "The mean of a product is not the product of the means: multiply first.",
        ),
        WrongAnswer(
            "sigma-for-variance",
            _score_variant(
                lambda f, a, b, z, mu, logvar: (
                    (f * a).mean() * np.exp(logvar / 2),
                    (f * b).mean(),
                )
            ),
            "The score of mu is (z - mu) / sigma^2; here it is divided by sigma once.",
        ),
        WrongAnswer(
            "sign",
            _score_variant(lambda f, a, b, z, mu, logvar: (-(f * a).mean(), (f * b).mean())),
            "dmu has the wrong sign: samples above mu with a large f say that mu should grow.",
        ),
    ),
    hints=(
        "The gradient of E f is E of f times the gradient of log q(z).",
        "log q(z) = -((z - mu)^2 / sigma^2 + logvar + log 2 pi) / 2: differentiate it twice.",
        "dmu = mean of f (z - mu) / sigma^2; dlogvar = mean of f ((z - mu)^2 / sigma^2 - 1) / 2.",
    ),
)

# ---- 04.pathwise -------------------------------------------------------------------------------


def pathwise_gradient(df, eps, logvar):
    """d/dmu and d/dlogvar of E[f(z)] through z = mu + sigma eps         [notebook 04, eq. 2]"""
    dmu = df.mean()
    dlogvar = (df * eps * np.exp(logvar / 2) / 2).mean()
    return dmu, dlogvar


def _pathwise_cases():
    rng = np.random.default_rng(43)
    return [
        (np.array([2.0]), np.array([0.3]), 0.5),
        (generic(rng, 5), generic(rng, 5), -0.6),
    ]


PATHWISE = Exercise(
    id="04.pathwise",
    title="the same gradient through the sample",
    stub=stub("""
        def pathwise_gradient(df, eps, logvar):    # f'(z_k) (K,), eps_k (K,), float
            ...                                    # -> dmu, dlogvar of E f(z), floats
    """),
    reference=pathwise_gradient,
    cases=_pathwise_cases,
    returns=("dmu", "dlogvar"),
    mistakes=(
        WrongAnswer(
            "no-half",
            lambda df, eps, logvar: (df.mean(), (df * eps).mean() * np.exp(logvar / 2)),
            "The half of d sigma / d logvar = sigma / 2 is missing.",
        ),
        WrongAnswer(
            "by-sigma",
            lambda df, eps, logvar: (df.mean(), (df * eps).mean()),
            "This is the derivative by sigma; by logvar it is times sigma / 2.",
        ),
        WrongAnswer(
            "variance",
            lambda df, eps, logvar: (df.mean(), (df * eps).mean() * np.exp(logvar) / 2),
            "exp(logvar) is the variance; sigma is exp(logvar / 2).",
        ),
        WrongAnswer(
            "sum",
            lambda df, eps, logvar: (df.sum(), (df * eps).sum() * np.exp(logvar / 2) / 2),
            "Summed over the samples; an expectation is their mean.",
        ),
        WrongAnswer(
            "means-multiplied",
            lambda df, eps, logvar: (
                df.mean(),
                df.mean() * eps.mean() * np.exp(logvar / 2) / 2,
            ),
            "The mean of a product is not the product of the means: multiply first.",
        ),
        WrongAnswer(
            "no-noise",
            lambda df, eps, logvar: (df.mean(), df.mean() * np.exp(logvar / 2) / 2),
            "eps is missing: how far sigma moves a sample depends on the noise that made it.",
        ),
        WrongAnswer(
            "score-of-mu",
            lambda df, eps, logvar: (
                (df * eps).mean() / np.exp(logvar / 2),
                (df * eps).mean() * np.exp(logvar / 2) / 2,
            ),
            "dmu is multiplied by a score; along the path dz / dmu is 1.",
        ),
    ),
    hints=(
        "With the noise held fixed, z is a function of mu and logvar. Use the chain rule on f(z).",
        "dz / dmu = 1, and dz / dlogvar = eps sigma / 2.",
        "dmu = mean of f'; dlogvar = mean of f' eps sigma / 2.",
    ),
)

# ---- 04.linear-posterior -----------------------------------------------------------------------


def linear_posterior(x, W, b, variance):
    """p(z|x) = N(mean, S):  S = variance M^-1,  mean = M^-1 W (x - b),  M = W W' + variance I"""
    M = W @ W.T + variance * np.eye(len(W))
    mean = np.linalg.solve(M, W @ (x - b).T).T
    return mean, variance * np.linalg.inv(M)


def _linear_cases():
    rng = np.random.default_rng(44)
    return [
        (np.array([[2.0]]), np.array([[0.5]]), np.array([0.4]), 0.3),
        (generic(rng, 3, 4), generic(rng, 2, 4), generic(rng, 4), 0.3),
    ]


def _package_posterior(exact):
    return lambda x, W, b, variance: exact.linear_posterior(exact.Linear(W, b, variance), x)


def _posterior_with(x, W, b, variance, *, M=None, centred=None, scale=None, factor=1.0):
    """The posterior with one part of the formula exchanged."""
    M = W @ W.T + variance * np.eye(len(W)) if M is None else M
    centred = x - b if centred is None else centred
    inverse = np.linalg.inv(M)
    return factor * (centred @ W.T @ inverse), (variance if scale is None else scale) * inverse


LINEAR_POSTERIOR = Exercise(
    id="04.linear-posterior",
    title="the exact posterior of the linear model",
    stub=stub("""
        def linear_posterior(x, W, b, variance):    # z ~ N(0, I), x = z W + b + noise:
            ...                                     # (N, D), (L, D), (D,), float
                                                    # -> mean (N, L), covariance (L, L) of p(z|x)
    """),
    reference=linear_posterior,
    cases=_linear_cases,
    returns=("mean", "covariance"),
    package=_package_posterior,
    module="exact",
    mistakes=(
        WrongAnswer(
            "not-centred",
            lambda x, W, b, variance: _posterior_with(x, W, b, variance, centred=x),
            "b is not subtracted: z explains what is left of x after b.",
        ),
        WrongAnswer(
            "precision-for-covariance",
            lambda x, W, b, variance: (
                linear_posterior(x, W, b, variance)[0],
                (W @ W.T + variance * np.eye(len(W))) / variance,
            ),
            "This is the precision of the posterior; its inverse is the covariance.",
        ),
        WrongAnswer(
            "prior-forgotten",
            lambda x, W, b, variance: _posterior_with(
                x, W, b, variance, M=W @ W.T + 1e-12 * np.eye(len(W))
            ),
            "Without the prior's share, variance * I, this is least squares: no pull towards 0.",
        ),
        WrongAnswer(
            "identity-not-scaled",
            lambda x, W, b, variance: _posterior_with(
                x, W, b, variance, M=W @ W.T + np.eye(len(W))
            ),
            "The identity in M is multiplied by the noise variance.",
        ),
        WrongAnswer(
            "covariance-not-scaled",
            lambda x, W, b, variance: _posterior_with(x, W, b, variance, scale=1.0),
            "The covariance is variance * M^-1: less noise, a sharper posterior.",
        ),
        WrongAnswer(
            "mean-scaled",
            lambda x, W, b, variance: _posterior_with(x, W, b, variance, factor=variance),
            "The mean has no factor variance: it cancels against W (x - b) / variance.",
        ),
        WrongAnswer(
            "sigma-for-variance",
            lambda x, W, b, variance: _posterior_with(x, W, b, np.sqrt(variance)),
            "The root of the variance is used; the formulas hold the variance itself.",
        ),
    ),
    hints=(
        "log p(z) + log p(x|z) is quadratic in z: read off the precision, then the mean.",
        "The precision is I + W W' / variance.",
        "M = W W' + variance I;  mean = M^-1 W (x - b);  covariance = variance M^-1.",
    ),
)

# ---- 04.linear-evidence ------------------------------------------------------------------------


def linear_log_evidence(x, W, b, variance):
    """log N(x; b, W'W + variance I), which is log p(x) exactly"""
    D = x.shape[1]
    C = W.T @ W + variance * np.eye(D)
    centred = x - b
    distance = (centred * np.linalg.solve(C, centred.T).T).sum(axis=1)
    return -(distance + np.linalg.slogdet(C)[1] + D * np.log(2 * np.pi)) / 2


def _package_evidence(exact):
    return lambda x, W, b, variance: exact.linear_log_evidence(exact.Linear(W, b, variance), x)


def _evidence_from(x, C, b, *, D_log=True, half=0.5, det=1.0):
    centred = x - b
    distance = (centred * np.linalg.solve(C, centred.T).T).sum(axis=1)
    constant = x.shape[1] * np.log(2 * np.pi) if D_log else 0.0
    return -half * (distance + det * np.linalg.slogdet(C)[1] + constant)


def _marginal(W, variance):
    return W.T @ W + variance * np.eye(W.shape[1])


LINEAR_EVIDENCE = Exercise(
    id="04.linear-evidence",
    title="the exact evidence of the linear model",
    stub=stub("""
        def linear_log_evidence(x, W, b, variance):    # (N, D), (L, D), (D,), float
            ...                                        # -> log p(x), (N,) nats
    """),
    reference=linear_log_evidence,
    cases=_linear_cases,
    package=_package_evidence,
    module="exact",
    mistakes=(
        WrongAnswer(
            "noise-forgotten",
            lambda x, W, b, variance: _evidence_from(x, W.T @ W + 1e-9 * np.eye(W.shape[1]), b),
            "The covariance of x is W'W + variance I: without the noise it is singular.",
        ),
        WrongAnswer(
            "no-constant",
            lambda x, W, b, variance: _evidence_from(x, _marginal(W, variance), b, D_log=False),
            "D log 2 pi is missing: the density does not integrate to one.",
        ),
        WrongAnswer(
            "no-half",
            lambda x, W, b, variance: _evidence_from(x, _marginal(W, variance), b, half=1.0),
            "The half in front of everything is missing.",
        ),
        WrongAnswer(
            "determinant-forgotten",
            lambda x, W, b, variance: _evidence_from(x, _marginal(W, variance), b, det=0.0),
            "log det of the covariance is missing.",
        ),
        WrongAnswer(
            "determinant-halved",
            lambda x, W, b, variance: _evidence_from(x, _marginal(W, variance), b, det=0.5),
            "log det is halved twice: the half stands in front of the whole bracket.",
        ),
        WrongAnswer(
            "not-centred",
            lambda x, W, b, variance: _evidence_from(x, _marginal(W, variance), 0 * b),
            "b is not subtracted: it is the mean of x.",
        ),
        WrongAnswer(
            "sign",
            lambda x, W, b, variance: -linear_log_evidence(x, W, b, variance),
            "The sign is turned around: this is -log p(x).",
        ),
        WrongAnswer(
            "sigma-for-variance",
            lambda x, W, b, variance: _evidence_from(x, _marginal(W, variance**0.5), b),
            "The root of the variance is on the diagonal; the variance itself belongs there.",
        ),
    ),
    hints=(
        "A sum of Gaussians is Gaussian: which mean and which covariance has x?",
        "x ~ N(b, W'W + variance I).",
        "-(d' C^-1 d + log det C + D log 2 pi) / 2 with d = x - b: np.linalg.solve and slogdet.",
    ),
)

# ---- 04.bug ------------------------------------------------------------------------------------


def noisy_sample(mu, logvar, eps):
    # Its gradients pass every gradient check. Yet 10,000 samples at logvar = 2 have variance 55.
    std = np.exp(logvar)
    z = mu + std * eps
    dz_dmu = np.ones_like(mu)
    dz_dlogvar = std * eps
    return z, dz_dmu, dz_dlogvar


def mended_sample(mu, logvar, eps):
    std = np.exp(logvar / 2)  # logvar is log sigma^2, so sigma is the exponential of its half
    z = mu + std * eps
    dz_dmu = np.ones_like(mu)
    dz_dlogvar = std * eps / 2
    return z, dz_dmu, dz_dlogvar


BUG = Exercise(
    id="04.bug",
    title="find the bug: the one that no gradient check can see",
    stub=inspect.getsource(noisy_sample).rstrip(),
    reference=mended_sample,
    given=noisy_sample,
    cases=_cases,
    returns=("z", "dz_dmu", "dz_dlogvar"),
    mistakes=(
        WrongAnswer(
            "gradient-not-mended",
            lambda mu, logvar, eps: (
                mu + np.exp(logvar / 2) * eps,
                np.ones_like(mu),
                np.exp(logvar / 2) * eps,
            ),
            "z is right now, and dz_dlogvar is not any more: it needs the half of the exponent.",
        ),
        WrongAnswer(
            "gradient-changed-alone",
            lambda mu, logvar, eps: (
                mu + np.exp(logvar) * eps,
                np.ones_like(mu),
                np.exp(logvar) * eps / 2,
            ),
            "The gradient fitted the forward pass before; it is the forward pass that is wrong.",
        ),
        WrongAnswer(
            "half-outside",
            lambda mu, logvar, eps: (
                mu + np.exp(logvar) / 2 * eps,
                np.ones_like(mu),
                np.exp(logvar) / 2 * eps,
            ),
            "Half of the variance is not its root: the half belongs into the exponent.",
        ),
        WrongAnswer(
            "root-of-logvar",
            lambda mu, logvar, eps: (
                mu + np.sqrt(np.abs(logvar)) * eps,
                np.ones_like(mu),
                eps / (2 * np.sqrt(np.abs(logvar))),
            ),
            "The root is to be taken of the variance, exp(logvar), not of its logarithm.",
        ),
    ),
    hints=(
        "The gradients belong to this forward pass. Is it the right forward pass?",
        "The variance should be exp(2) = 7.4 there, and 55 is its square.",
        "std = exp(logvar / 2); then dz_dlogvar gets a half as well.",
    ),
)

EXERCISES = (
    REPARAMETERIZE,
    REPARAMETERIZE_BACKWARD,
    SCORE_FUNCTION,
    PATHWISE,
    LINEAR_POSTERIOR,
    LINEAR_EVIDENCE,
    BUG,
)
