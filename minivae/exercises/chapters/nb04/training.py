"""A VAE that the reader trains."""

import numpy as np

from minivae.exercises.chapters.nb04.linear_model import linear_vae_gradients
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 04.train ------------------------------------------------------------------------------------

CLOSE = 0.01  # nats per example


def trained_factor_vae(x, params, gradient, rng):
    """Gradient descent with fresh noise and steps that get shorter."""
    params, steps = dict(params), 2000
    for step in range(steps):
        grads = gradient(params, x, rng.standard_normal((len(x), 1)))
        for name in params:
            params[name] = params[name] - 0.05 * (1 - step / steps) * grads[name]
    return params


def exact_numbers(params, x):
    """The exact ELBO and log p(x), means over the data, nats."""
    variances, W = np.exp(params["out_logvar"]), params["out_W"]
    away, mu = x - params["out_b"], x @ params["mu_W"] + params["mu_b"]
    C = W.T @ W + np.diag(variances)
    log_2pi = np.log(2 * np.pi)
    squares = (away @ np.linalg.inv(C) * away).sum(axis=1).mean()
    evidence = -(squares + np.linalg.slogdet(C)[1] + x.shape[1] * log_2pi) / 2
    spread = np.exp(params["logvar"])  # of q; through W into the mean of the squares
    mean_squares = ((away - mu @ W) ** 2).mean(axis=0) + spread @ W**2
    nll = (mean_squares / variances + params["out_logvar"] + log_2pi).sum() / 2
    kl = ((mu**2).mean(axis=0) + spread - 1 - params["logvar"]).sum() / 2
    return -(nll + kl), evidence


def _cases():
    rng = np.random.default_rng(47)
    W = np.array([[1.5, 0.9, -0.6, 0.5, -1.1]])
    noise = np.array([0.5, 1.0, 0.4, 1.3, 0.7])
    z = rng.standard_normal((200, 1))
    x = np.round(z @ W + 0.3 + noise * rng.standard_normal((200, 5)), 2)
    shapes = {"mu_W": (5, 1), "mu_b": 1, "logvar": 1, "out_W": (1, 5), "out_b": 5, "out_logvar": 5}
    params = {name: 0.1 * generic(rng, *np.atleast_1d(shape)) for name, shape in shapes.items()}
    return [(x, params)]


def highest_log_p(x, steps=1000):
    """The highest mean log p(x) of one latent, by EM for factor analysis."""
    away = x - x.mean(axis=0)
    second = away.T @ away / len(x)
    W, variances = np.sqrt(np.diag(second) / 2)[None], np.diag(second) / 2
    for _ in range(steps):
        S = 1 / (1 + (W**2 / variances).sum())
        to_z = S * W[0] / variances  # E[z | x] = away @ to_z
        with_z = second @ to_z
        W = (with_z / (S + to_z @ with_z))[None]
        variances = np.diag(second) - W[0] * with_z
    params = {"out_W": W, "out_b": x.mean(axis=0), "out_logvar": np.log(variances)}
    rest = {"mu_W": np.zeros((x.shape[1], 1)), "mu_b": np.zeros(1), "logvar": np.zeros(1)}
    return exact_numbers(params | rest, x)[1]


def _arrives(answer, x, params):
    """Whether log p(x) is at its highest, and the ELBO at log p(x)."""
    trained = answer(x, params, linear_vae_gradients, np.random.default_rng(5))
    if not isinstance(trained, dict) or trained.keys() != params.keys():
        raise TypeError(f"expected a dict with the keys {', '.join(params)}")
    for name, block in params.items():
        if np.shape(trained[name]) != block.shape:
            raise ValueError(f"{name} has the shape {np.shape(trained[name])}, not {block.shape}")
    elbo, evidence = exact_numbers(trained, x)
    return bool(evidence > highest_log_p(x) - CLOSE), bool(elbo > evidence - CLOSE)


def _without_shorter_steps(x, params, gradient, rng):
    params = dict(params)
    for _ in range(500):
        grads = gradient(params, x, rng.standard_normal((len(x), 1)))
        for name in params:
            params[name] = params[name] - 0.05 * grads[name]
    return params


ENCODER = ("mu_W", "mu_b", "logvar")


TRAIN = Exercise(
    id="04.train",
    title="train a linear VAE until its ELBO meets the highest log p(x)",
    stub=stub("""
        def trained_factor_vae(x, params, gradient, rng):    # x (N, 5), params as above with L = 1;
            ...                                              # gradient(params, x, eps) -> a dict
                                                             # -> the trained params, a dict
    """),
    reference=trained_factor_vae,
    cases=_cases,
    observe=_arrives,
    returns=(
        "log p(x) is within 0.01 nats of the highest",
        "the exact ELBO is within 0.01 nats of log p(x)",
    ),
    mistakes=(
        WrongAnswer(
            "steps-of-one-size",
            _without_shorter_steps,
            "Neither has arrived. Are the steps too few, too short, too long (it never comes to "
            "rest, or overflows; let them get shorter towards the end), in the wrong direction? Is "
            "the noise standard normal, and fresh at each step? Do all parameters move together?",
        ),
        WrongAnswer(
            "decoder-forgotten",
            lambda x, params, gradient, rng: (
                trained_factor_vae(x, params, gradient, rng)
                | {name: block for name, block in params.items() if name not in ENCODER}
                | {name: 0 * params[name] for name in (*ENCODER, "out_W")}
            ),
            "The ELBO meets log p(x), but log p(x) is not the highest. Does the whole decoder "
            "move, long enough, and for all examples?",
        ),
        WrongAnswer(
            "encoder-forgotten",
            lambda x, params, gradient, rng: (
                trained_factor_vae(x, params, gradient, rng)
                | {name: params[name] for name in ENCODER}
            ),
            "The model has arrived, but the encoder's q is not yet its posterior. Does the whole "
            "encoder move?",
        ),
    ),
    hints=(
        "As `train` in 4.10: fresh noise at each step, and a step against the gradient.",
        "Shorten the steps towards the end: with 0.05 all the time it does not come to rest.",
        "2000 steps of 0.05 * (1 - step / 2000) times the gradient are enough.",
    ),
)
