"""Notebook 06, the gradient of a whole VAE."""

import inspect

import numpy as np

from minivae import vae
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, planted, stub
from minivae.vae import Spec, init_params, unpack

# ---- 06.loss -----------------------------------------------------------------------------------


def loss_terms(nll, kl, beta):
    """loss = mean nll + beta sum_j mean kl_j;  elbo = -(nll + kl) always   [notebook 06, eq. 2]"""
    nll = nll.mean()
    kl = kl.sum(axis=1).mean()
    return nll + beta * kl, -(nll + kl), nll, kl


def _loss_cases():
    rng = np.random.default_rng(6)
    return [
        (np.array([2.0]), np.array([[0.5]]), 1.0),
        (np.abs(generic(rng, 4)) + 5, np.abs(generic(rng, 4, 3)), 1.0),
        (np.abs(generic(rng, 4)) + 5, np.abs(generic(rng, 4, 3)), 4.0),
    ]


def _loss_with(nll, kl, beta):
    return nll + beta * kl, -(nll + kl), nll, kl


LOSS = Exercise(
    id="06.loss",
    title="what is minimised, and what is reported",
    stub=stub("""
        def loss_terms(nll, kl, beta):    # (B,), (B, L), float
            ...                           # -> loss, elbo, nll, kl: floats, nats per example
    """),
    reference=loss_terms,
    cases=_loss_cases,
    returns=("loss", "elbo", "nll", "kl"),
    mistakes=(
        WrongAnswer(
            "mean-over-latents",
            lambda nll, kl, beta: _loss_with(nll.mean(), kl.mean(), beta),
            "The KL is averaged over the latents: sum over them, average over the batch only.",
        ),
        WrongAnswer(
            "sum-over-batch",
            lambda nll, kl, beta: _loss_with(nll.sum(), kl.sum(), beta),
            "Summed over the batch: nats per example are a mean over it.",
        ),
        WrongAnswer(
            "kl-sum-nll-mean",
            lambda nll, kl, beta: _loss_with(nll.mean(), kl.sum(), beta),
            "The KL is summed over the batch and the nll averaged: a silent beta of B.",
        ),
        WrongAnswer(
            "kl-subtracted",
            lambda nll, kl, beta: (
                nll.mean() - beta * kl.sum(axis=1).mean(),
                *loss_terms(nll, kl, beta)[1:],
            ),
            "The KL is subtracted from the loss; it is a cost.",
        ),
        WrongAnswer(
            "beta-in-the-elbo",
            lambda nll, kl, beta: (
                loss_terms(nll, kl, beta)[0],
                -loss_terms(nll, kl, beta)[0],
                *loss_terms(nll, kl, beta)[2:],
            ),
            "elbo = -(nll + kl) always: with beta in it, it is no bound on log p(x).",
        ),
        WrongAnswer(
            "kl-reported-with-beta",
            lambda nll, kl, beta: (
                *loss_terms(nll, kl, beta)[:3],
                beta * loss_terms(nll, kl, beta)[3],
            ),
            "kl is reported as it is; beta belongs to the loss alone.",
        ),
        WrongAnswer(
            "beta-on-the-nll",
            lambda nll, kl, beta: (
                beta * nll.mean() + kl.sum(axis=1).mean(),
                *loss_terms(nll, kl, beta)[1:],
            ),
            "beta weighs the KL, not the likelihood.",
        ),
        WrongAnswer(
            "elbo-sign",
            lambda nll, kl, beta: (
                loss_terms(nll, kl, beta)[0],
                -loss_terms(nll, kl, beta)[1],
                *loss_terms(nll, kl, beta)[2:],
            ),
            "The elbo is minus (nll + kl): a lower bound on log p(x), so usually negative.",
        ),
    ),
    hints=(
        "Sum over what belongs to one example, average over the examples.",
        "Only the loss knows beta.",
        "nll = nll.mean(); kl = kl.sum(axis=1).mean(); nll + beta * kl, -(nll + kl), nll, kl.",
    ),
)

# ---- 06.q-backward -----------------------------------------------------------------------------


def q_backward(dz, mu, logvar, eps, beta):
    """Both are fed from two sides: through z, and from the KL     [notebook 06, eqs. 7 and 8]"""
    B = len(mu)
    sigma = np.exp(logvar / 2)
    dmu = dz + beta / B * mu
    dlogvar = dz * eps * sigma / 2 + beta / B * (np.exp(logvar) - 1) / 2
    return dmu, dlogvar


def _q_cases():
    rng = np.random.default_rng(61)
    return [
        (*(np.array([[v]]) for v in (0.6, 1.0, 0.5, 0.3)), 1.0),
        (*(generic(rng, 3, 2) for _ in range(4)), 1.0),
        (*(generic(rng, 3, 2) for _ in range(4)), 4.0),
    ]


def _q_parts(z=1.0, kl=1.0, over_batch=True):
    """The two paths with other weights."""

    def wrong(dz, mu, logvar, eps, beta):
        weight = kl * beta / (len(mu) if over_batch else 1)
        return (
            z * dz + weight * mu,
            z * dz * eps * np.exp(logvar / 2) / 2 + weight * (np.exp(logvar) - 1) / 2,
        )

    return wrong


Q_BACKWARD = Exercise(
    id="06.q-backward",
    title="mu and logvar, fed from two sides",
    stub=stub("""
        def q_backward(dz, mu, logvar, eps, beta):    # each (B, L), and a float
            ...                                       # loss = mean_B nll + beta mean_B kl;
                                                      # dz holds its 1/B already
                                                      # -> dmu (B, L), dlogvar (B, L)
    """),
    reference=q_backward,
    cases=_q_cases,
    returns=("dmu", "dlogvar"),
    mistakes=(
        WrongAnswer(
            "kl-forgotten",
            _q_parts(kl=0.0),
            "The KL's share is missing: an autoencoder with noise.",
        ),
        WrongAnswer(
            "z-forgotten",
            _q_parts(z=0.0),
            "What comes back through z is missing: the encoder would learn from the KL alone.",
        ),
        WrongAnswer(
            "kl-not-averaged",
            _q_parts(over_batch=False),
            "The KL's gradient lacks its 1/B: a silent beta of B.",
        ),
        WrongAnswer(
            "kl-sign",
            _q_parts(kl=-1.0),
            "The KL's share is subtracted; both terms of the loss have a plus.",
        ),
        WrongAnswer(
            "beta-forgotten",
            lambda dz, mu, logvar, eps, beta: q_backward(dz, mu, logvar, eps, 1.0),
            "beta weighs the KL in the loss, and so in its gradient.",
        ),
        WrongAnswer(
            "beta-on-both",
            lambda dz, mu, logvar, eps, beta: q_backward(beta * dz, mu, logvar, eps, beta),
            "beta weighs the KL alone, not what comes back through z.",
        ),
        WrongAnswer(
            "z-averaged-again",
            lambda dz, mu, logvar, eps, beta: q_backward(dz / len(mu), mu, logvar, eps, beta),
            "dz is divided by B once more; its 1/B is in it already.",
        ),
        WrongAnswer(
            "kl-to-mu-alone",
            lambda dz, mu, logvar, eps, beta: (
                q_backward(dz, mu, logvar, eps, beta)[0],
                q_backward(dz, mu, logvar, eps, 0.0)[1],
            ),
            "The KL feeds logvar too: (sigma^2 - 1) / 2.",
        ),
        WrongAnswer(
            "kl-to-logvar-alone",
            lambda dz, mu, logvar, eps, beta: (
                dz.copy(),
                q_backward(dz, mu, logvar, eps, beta)[1],
            ),
            "The KL feeds mu too: it pulls it to 0 with mu itself.",
        ),
        WrongAnswer(
            "fresh-noise",
            lambda dz, mu, logvar, eps, beta: q_backward(dz, mu, logvar, 0 * eps, beta),
            "The path through z lost its noise: dlogvar = dz eps sigma / 2 + ...",
        ),
        WrongAnswer(
            "kl-half-lost",
            lambda dz, mu, logvar, eps, beta: (
                q_backward(dz, mu, logvar, eps, beta)[0],
                q_backward(dz, mu, logvar, eps, 0.0)[1] + beta / len(mu) * (np.exp(logvar) - 1),
            ),
            "The KL's dlogvar lost its half.",
        ),
    ),
    hints=(
        "Where two paths meet, their gradients add up.",
        "Through z: dz and dz eps sigma / 2. From the KL: mu and (sigma^2 - 1) / 2, times ...?",
        "The KL's share is multiplied by beta / B.",
    ),
)

# ---- 06.heads-backward -------------------------------------------------------------------------


def heads_backward(dmu, dlogvar, mu_W, logvar_W):
    """Both heads read the same h, so dh = dmu mu_W' + dlogvar logvar_W'    [notebook 06, eq. 9]"""
    return dmu @ mu_W.T + dlogvar @ logvar_W.T


def _heads_cases():
    rng = np.random.default_rng(62)
    return [
        tuple(np.array([[v]]) for v in (0.6, -0.4, 0.5, 0.3)),
        (generic(rng, 4, 2), generic(rng, 4, 2), generic(rng, 3, 2), generic(rng, 3, 2)),
    ]


HEADS_BACKWARD = Exercise(
    id="06.heads-backward",
    title="two heads, one hidden layer",
    stub=stub("""
        def heads_backward(dmu, dlogvar, mu_W, logvar_W):    # (B, L), (B, L), (H, L), (H, L)
            ...                                              # -> dh (B, H)
    """),
    reference=heads_backward,
    cases=_heads_cases,
    mistakes=(
        WrongAnswer(
            "logvar-forgotten",
            lambda dmu, dlogvar, mu_W, logvar_W: dmu @ mu_W.T,
            "The share of logvar's head is missing: what flows out twice comes back twice.",
        ),
        WrongAnswer(
            "mu-forgotten",
            lambda dmu, dlogvar, mu_W, logvar_W: dlogvar @ logvar_W.T,
            "The share of mu's head is missing (overwritten by the other?).",
        ),
        WrongAnswer(
            "mean",
            lambda dmu, dlogvar, mu_W, logvar_W: (dmu @ mu_W.T + dlogvar @ logvar_W.T) / 2,
            "The two are averaged; they add up.",
        ),
        WrongAnswer(
            "swapped",
            lambda dmu, dlogvar, mu_W, logvar_W: dmu @ logvar_W.T + dlogvar @ mu_W.T,
            "Each gradient goes back through its own head's weights.",
        ),
        WrongAnswer(
            "gradients-added-first",
            lambda dmu, dlogvar, mu_W, logvar_W: (dmu + dlogvar) @ mu_W.T,
            "The gradients may be added only after each has passed its own weights.",
        ),
        WrongAnswer(
            "both-mixed",
            lambda dmu, dlogvar, mu_W, logvar_W: (dmu + dlogvar) @ (mu_W + logvar_W).T,
            "This has two cross terms too many: dmu logvar_W' and dlogvar mu_W'.",
        ),
        WrongAnswer(
            "not-transposed",
            lambda dmu, dlogvar, mu_W, logvar_W: dmu @ mu_W + dlogvar @ logvar_W,
            "The weights are transposed on the way back.",
        ),
        WrongAnswer(
            "difference",
            lambda dmu, dlogvar, mu_W, logvar_W: dmu @ mu_W.T - dlogvar @ logvar_W.T,
            "The two add up; here one is subtracted.",
        ),
    ),
    hints=(
        "h is used twice. What does the chain rule say of a variable that is used twice?",
        "Back through each head: its gradient times its weights transposed.",
        "dmu @ mu_W.T + dlogvar @ logvar_W.T.",
    ),
)

# ---- 06.elbo-and-grads -------------------------------------------------------------------------

SPEC = Spec(data_dim=4, hidden=(3,), latent_dim=2)


def elbo_and_grads(params, x, eps):
    """loss = mean_B nll + mean_B kl and its gradients, one hidden layer   [notebook 06]"""
    p, B, grads = params, len(x), {}
    # forward
    h = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    mu = h @ p["mu_W"] + p["mu_b"]
    logvar = h @ p["logvar_W"] + p["logvar_b"]
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps
    g = np.tanh(z @ p["dec1_W"] + p["dec1_b"])
    logits = g @ p["out_W"] + p["out_b"]
    nll = (np.logaddexp(0, logits) - x * logits).sum() / B
    kl = (mu**2 + sigma**2 - 1 - logvar).sum() / 2 / B
    # backward, the decoder
    dlogits = (1 / (1 + np.exp(-logits)) - x) / B
    grads["out_W"], grads["out_b"] = g.T @ dlogits, dlogits.sum(axis=0)
    da = dlogits @ p["out_W"].T * (1 - g**2)
    grads["dec1_W"], grads["dec1_b"] = z.T @ da, da.sum(axis=0)
    dz = da @ p["dec1_W"].T
    # backward, q: fed from two sides
    dmu = dz + mu / B
    dlogvar = dz * eps * sigma / 2 + (sigma**2 - 1) / 2 / B
    # backward, the encoder: both heads lead into one h
    grads["mu_W"], grads["mu_b"] = h.T @ dmu, dmu.sum(axis=0)
    grads["logvar_W"], grads["logvar_b"] = h.T @ dlogvar, dlogvar.sum(axis=0)
    da = (dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T) * (1 - h**2)
    grads["enc1_W"], grads["enc1_b"] = x.T @ da, da.sum(axis=0)
    return nll + kl, grads


def _whole_cases():
    cases = []
    for seed, B in ((63, 1), (64, 5)):
        rng = np.random.default_rng(seed)
        flat = init_params(SPEC, rng, dtype=np.float64)
        flat += 0.3 * rng.standard_normal(len(flat))  # biases too, so that each is told apart
        x = (rng.random((B, SPEC.data_dim)) < 0.5).astype(float)
        cases.append((unpack(flat, SPEC), x, generic(rng, B, SPEC.latent_dim)))
    return cases


def _package_whole(module):
    def own(params, x, eps):
        result = module.elbo_and_grads(params, x, eps, SPEC)
        return float(result.loss), result.grads

    return own


def _package_with_ops(planted_ops):
    """The real model on a spoiled backend."""

    def own(params, x, eps):
        result = vae.elbo_and_grads(params, x, eps, SPEC, ops=planted_ops)
        return float(result.loss), result.grads

    return own


ELBO_AND_GRADS = Exercise(
    id="06.elbo-and-grads",
    title="the whole gradient, by hand",
    stub=stub("""
        def elbo_and_grads(params, x, eps):    # dict of arrays, (B, D), (B, L)
            ...      # encoder x -> h = tanh(x enc1_W + enc1_b) -> mu, logvar (mu_W, mu_b, logvar_W,
                     # logvar_b), decoder z -> tanh(z dec1_W + dec1_b) -> logits (out_W, out_b)
                     # -> loss = mean_B nll + mean_B kl (float), gradients (dict, the same keys)
    """),
    reference=elbo_and_grads,
    cases=_whole_cases,
    returns=("loss", "gradients"),
    package=_package_whole,
    module="vae",
    mistakes=(
        *planted(
            _package_whole,
            "elbo-likelihood-summed-over-batch",
            "elbo-kl-path-to-mu-lost",
            "elbo-kl-path-to-logvar-lost",
            "elbo-path-through-z-lost",
            "elbo-one-head-into-h",
            "elbo-heads-swapped",
            "elbo-kl-subtracted",
            "elbo-kl-summed-over-batch",
        ),
        *planted(
            _package_with_ops,
            "dense-bias-gradient-averaged",
            "dense-weight-gradient-averaged",
            "dense-tanh-derivative-lost",
            "dense-weight-gradient-before-activation",
            "dense-input-gradient-before-activation",
            "reparam-variance-as-sigma",
            "reparam-half-lost",
            "reparam-eps-lost",
            "reparam-dmu-lost",
            "kl-half-lost",
            "kl-mean-over-latents",
            "kl-gradient-half-lost",
            "kl-gradient-mu-doubled",
            "kl-gradient-one-lost",
            "kl-gradient-sign",
            "bernoulli-mean-over-pixels",
            "bernoulli-gradient-sign",
            "bernoulli-gradient-sigmoid-twice",
        ),
    ),
    hints=(
        "Forward first, and keep every intermediate: each backward line needs one.",
        "dlogits = (sigmoid(logits) - x) / B, then down the decoder to dz. Where does dmu get fed?",
        "dmu = dz + mu / B; dlogvar = dz eps sigma / 2 + (sigma^2 - 1) / (2 B); dh from both.",
    ),
)

# ---- 06.bug ------------------------------------------------------------------------------------


def encoder_gradients(dz, mu, logvar, eps, h, mu_W, logvar_W):
    # "The encoder is the decoder's mirror image." A gradient check: mu_W right, logvar_W right,
    # and every block below them wrong.
    B = len(mu)
    dmu = dz + mu / B
    dlogvar = dz * eps * np.exp(logvar / 2) / 2 + (np.exp(logvar) - 1) / 2 / B
    dmu_W, dlogvar_W = h.T @ dmu, h.T @ dlogvar
    dh = dmu @ mu_W.T
    dh = dlogvar @ logvar_W.T
    return dmu_W, dlogvar_W, dh * (1 - h**2)


def mended_encoder_gradients(dz, mu, logvar, eps, h, mu_W, logvar_W):
    B = len(mu)
    dmu = dz + mu / B
    dlogvar = dz * eps * np.exp(logvar / 2) / 2 + (np.exp(logvar) - 1) / 2 / B
    dmu_W, dlogvar_W = h.T @ dmu, h.T @ dlogvar
    dh = dmu @ mu_W.T
    dh = dh + dlogvar @ logvar_W.T  # added: both heads read the same h
    return dmu_W, dlogvar_W, dh * (1 - h**2)


def _bug_cases():
    rng = np.random.default_rng(65)
    h = np.round(np.tanh(generic(rng, 4, 3)), 2)
    return [
        tuple(np.array([[v]]) for v in (0.6, 1.0, 0.5, 0.3, 0.4, 0.7, -0.2)),
        (*(generic(rng, 4, 2) for _ in range(4)), h, generic(rng, 3, 2), generic(rng, 3, 2)),
    ]


def _with_da(change):
    """The mended code with another last result: change(dh from mu, dh from logvar, h)."""

    def wrong(dz, mu, logvar, eps, h, mu_W, logvar_W):
        dmu_W, dlogvar_W, _ = mended_encoder_gradients(dz, mu, logvar, eps, h, mu_W, logvar_W)
        dmu = dz + mu / len(mu)
        dlogvar = dz * eps * np.exp(logvar / 2) / 2 + (np.exp(logvar) - 1) / 2 / len(mu)
        return dmu_W, dlogvar_W, change(dmu @ mu_W.T, dlogvar @ logvar_W.T, h)

    return wrong


BUG = Exercise(
    id="06.bug",
    title="find the bug: right heads, wrong encoder",
    stub=inspect.getsource(encoder_gradients).rstrip(),
    reference=mended_encoder_gradients,
    given=encoder_gradients,
    cases=_bug_cases,
    returns=("dmu_W", "dlogvar_W", "da"),
    mistakes=(
        WrongAnswer(
            "the-other-head",
            _with_da(lambda a, b, h: a * (1 - h**2)),
            "Now logvar's share is lost in place of mu's: h feeds both.",
        ),
        WrongAnswer(
            "averaged",
            _with_da(lambda a, b, h: (a + b) / 2 * (1 - h**2)),
            "The two shares add up; they are not averaged.",
        ),
        WrongAnswer(
            "slope-lost",
            _with_da(lambda a, b, h: a + b),
            "The shares add up now, but the slope of tanh got lost.",
        ),
        WrongAnswer(
            "slope-on-one",
            _with_da(lambda a, b, h: a + b * (1 - h**2)),
            "The slope of tanh multiplies the whole sum: a bracket is missing.",
        ),
        WrongAnswer(
            "slope-twice",
            _with_da(lambda a, b, h: (a * (1 - h**2) + b) * (1 - h**2)),
            "The slope of tanh is applied twice to mu's share.",
        ),
    ),
    hints=(
        "What is right tells as much as what is wrong: the defect lies after dlogvar_W.",
        "How many lines assign dh, and what becomes of the first?",
        "dh = dh + dlogvar @ logvar_W.T.",
    ),
)

# ---- 06.name-the-bug -----------------------------------------------------------------------------

SUSPECTS = (
    "dense-tanh-derivative-lost",
    "elbo-likelihood-summed-over-batch",
    "elbo-kl-path-to-mu-lost",
    "reparam-half-lost",
    "reparam-fresh-noise",
    "elbo-one-head-into-h",
)


def _judge_name(answer):
    if not isinstance(answer, str):
        return f"expected one name: {', '.join(SUSPECTS)}"
    if answer not in SUSPECTS:
        return f"this is not one of {', '.join(SUSPECTS)}"
    if answer != "reparam-fresh-noise":
        return "its symptom would be another one"
    return None


NAME_THE_BUG = Exercise(
    id="06.name-the-bug",
    title="from the symptom to the mistake",
    stub=stub("""
        # A gradient check of a whole VAE says: the decoder is right, mu's head is right, logvar's
        # head and all before it are wrong. Run again, the wrong blocks are wrong by other numbers.
        # Which mistake is it?  "dense-tanh-derivative-lost", "elbo-likelihood-summed-over-batch",
        # "elbo-kl-path-to-mu-lost", "reparam-half-lost", "reparam-fresh-noise" or
        # "elbo-one-head-into-h"
        which = ...
    """),
    reference="reparam-fresh-noise",
    judge=_judge_name,
    mistakes=(
        WrongAnswer(
            "half",
            "reparam-half-lost",
            "A lost half makes the same blocks wrong, but by the same numbers at every run.",
        ),
        WrongAnswer(
            "head",
            "elbo-one-head-into-h",
            "Then both heads would be right: the sum dh comes after them.",
        ),
        WrongAnswer(
            "kl",
            "elbo-kl-path-to-mu-lost",
            "Then mu's head would be wrong; here it is right.",
        ),
        WrongAnswer(
            "batch",
            "elbo-likelihood-summed-over-batch",
            "Then the decoder would be wrong, by exactly B.",
        ),
        WrongAnswer(
            "tanh",
            "dense-tanh-derivative-lost",
            "Then the decoder's hidden layer would be wrong too.",
        ),
    ),
    hints=(
        "Which line touches logvar's gradient and not mu's?",
        "A formula gives the same number each time. What does not?",
        "The backward pass draws its own noise.",
    ),
    solution_text=stub("""
        which = "reparam-fresh-noise"
        # dlogvar = dz eps sigma / 2 is the one line of the backward pass with noise in it: drawn
        # afresh there, it belongs to another z than the one that the loss was computed at.
    """),
)

EXERCISES = (LOSS, Q_BACKWARD, HEADS_BACKWARD, ELBO_AND_GRADS, BUG, NAME_THE_BUG)
