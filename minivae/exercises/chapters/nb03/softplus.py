"""A KL of an encoder that answers with rho, where sigma = log(1 + exp(rho))."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic


def repo_softplus_kl(mu, rho):  # (B, L), (B, L) -> kl (B,); its gradient: dmu, drho (B, L)
    sigma = np.log1p(np.exp(rho))
    kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * np.log(sigma)).sum(axis=1)
    return kl, mu, 0.5 * (sigma**2 - 1)


def softplus_kl(mu, rho):
    # Equation (4) is the derivative by logvar. Here d KL / d sigma = sigma - 1 / sigma, and
    # d sigma / d rho = 1 / (1 + exp(-rho)).
    sigma = np.log1p(np.exp(rho))
    kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * np.log(sigma)).sum(axis=1)
    return kl, mu, (sigma - 1 / sigma) / (1 + np.exp(-rho))


def _cases():
    rng = np.random.default_rng(37)
    return [
        (np.array([[0.8]]), np.array([[0.5]])),
        (generic(rng, 1, 3), generic(rng, 1, 3)),
        (generic(rng, 4, 3), generic(rng, 4, 3)),
        (np.array([[0.4, -0.9]]), np.array([[-6.5, 5.5]])),
    ]


def _with(gradient):
    """The KL as it is, with drho = gradient(sigma, rho)."""

    def answer(mu, rho):
        kl, dmu, _ = softplus_kl(mu, rho)
        return kl, dmu, gradient(np.log1p(np.exp(rho)), rho)

    return answer


def _sigmoid(rho):
    return 1 / (1 + np.exp(-rho))


BUG = Exercise(
    id="03.bug",
    title="find the bug: a gradient by another variable",
    stub=inspect.getsource(repo_softplus_kl).rstrip(),
    reference=softplus_kl,
    given=repo_softplus_kl,
    cases=_cases,
    fresh=lambda rng: (generic(rng, 3, 2), generic(rng, 3, 2)),
    returns=("kl", "dmu", "drho"),
    mistakes=(
        WrongAnswer(
            "by-sigma",
            _with(lambda sigma, rho: sigma - 1 / sigma),
            "This drho is the derivative by sigma: multiply it by d sigma / d rho.",
        ),
        WrongAnswer(
            "by-logvar-times-slope",
            _with(lambda sigma, rho: 0.5 * (sigma**2 - 1) * _sigmoid(rho)),
            "You multiply the derivative by logvar with d sigma / d rho; what belongs there is "
            "d logvar / d rho, where logvar = 2 log sigma.",
        ),
        WrongAnswer(
            "by-log-sigma",
            _with(lambda sigma, rho: sigma**2 - 1),
            "This drho is the derivative by log sigma: multiply it by d log sigma / d rho.",
        ),
        WrongAnswer(
            "by-log-sigma-times-slope",
            _with(lambda sigma, rho: (sigma**2 - 1) * _sigmoid(rho)),
            "You multiply the derivative by log sigma with d sigma / d rho; what belongs there is "
            "d log sigma / d rho.",
        ),
        WrongAnswer(
            "rho-as-logvar-in-the-gradient",
            _with(lambda sigma, rho: 0.5 * (np.exp(rho) - 1)),
            "This is equation (4) with rho in the place of logvar; here logvar is 2 log sigma.",
        ),
        WrongAnswer(
            "exp-as-slope",
            _with(lambda sigma, rho: (sigma - 1 / sigma) * np.exp(rho)),
            "The slope of log(1 + e^rho) is not e^rho: the log has a derivative too.",
        ),
        WrongAnswer(
            "slope-turned",
            _with(lambda sigma, rho: (sigma - 1 / sigma) * _sigmoid(-rho)),
            "d sigma / d rho is e^rho / (1 + e^rho), which is near 1 where rho is large; yours is "
            "near 0 there.",
        ),
        WrongAnswer(
            "divided-by-the-slope",
            _with(lambda sigma, rho: (sigma - 1 / sigma) / _sigmoid(rho)),
            "The chain rule multiplies by d sigma / d rho; you divide by it.",
        ),
        WrongAnswer(
            "log-halved",
            _with(lambda sigma, rho: (sigma - 0.5 / sigma) * _sigmoid(rho)),
            "The KL contains -log sigma, whose derivative is -1 / sigma.",
        ),
        WrongAnswer(
            "log-lost",
            _with(lambda sigma, rho: sigma * _sigmoid(rho)),
            "The derivative of the log term is missing.",
        ),
        WrongAnswer(
            "sign",
            _with(lambda sigma, rho: (1 / sigma - sigma) * _sigmoid(rho)),
            "drho has the wrong sign: for a large sigma the KL grows with rho.",
        ),
        WrongAnswer(
            "rho-as-logvar",
            lambda mu, rho: (
                0.5 * (mu**2 + np.exp(rho) - 1 - rho).sum(axis=1),
                mu,
                0.5 * (np.exp(rho) - 1),
            ),
            "That is another encoder, with rho as logvar. Leave sigma and the KL as they are, and "
            "mend the gradient.",
        ),
    ),
    hints=(
        "Take central differences of lambda r: repo_softplus_kl(mu, r)[0].sum(). Equation (4) is a "
        "derivative by logvar; by which variable is drho?",
        "The chain rule: d KL / d rho = d KL / d sigma times d sigma / d rho.",
        "d KL / d sigma is sigma - 1 / sigma, and d sigma / d rho is 1 / (1 + exp(-rho)).",
    ),
)
