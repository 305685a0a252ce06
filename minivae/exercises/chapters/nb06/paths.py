"""Where two paths meet, their gradients add up: at mu and logvar, and at the last hidden layer."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 06.q-backward -------------------------------------------------------------------------------


def q_backward(dz, mu, logvar, eps, beta):
    """Each gradient has two terms: through z and from the KL      [notebook 06, eqs. 7 and 8]"""
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
    """A wrong answer: the terms of the two paths, weighted with z and kl."""

    def wrong(dz, mu, logvar, eps, beta):
        weight = kl * beta / (len(mu) if over_batch else 1)
        return (
            z * dz + weight * mu,
            z * dz * eps * np.exp(logvar / 2) / 2 + weight * (np.exp(logvar) - 1) / 2,
        )

    return wrong


Q_BACKWARD = Exercise(
    id="06.q-backward",
    title="the gradients of mu and logvar, where two paths meet",
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
            "The KL's term is missing: this trains an autoencoder with noise.",
        ),
        WrongAnswer(
            "z-forgotten",
            _q_parts(z=0.0),
            "The term through z is missing: the encoder would learn from the KL alone.",
        ),
        WrongAnswer(
            "kl-not-averaged",
            _q_parts(over_batch=False),
            "The KL's gradient lacks its 1/B, which amounts to multiplying beta by B.",
        ),
        WrongAnswer(
            "kl-sign",
            _q_parts(kl=-1.0),
            "The KL's term is subtracted; in the loss the KL has a plus.",
        ),
        WrongAnswer(
            "beta-forgotten",
            lambda dz, mu, logvar, eps, beta: q_backward(dz, mu, logvar, eps, 1.0),
            "beta multiplies the KL in the loss, so it multiplies the KL's gradient too.",
        ),
        WrongAnswer(
            "beta-on-both",
            lambda dz, mu, logvar, eps, beta: q_backward(beta * dz, mu, logvar, eps, beta),
            "beta multiplies the KL alone, not the gradient that comes through z.",
        ),
        WrongAnswer(
            "z-averaged-again",
            lambda dz, mu, logvar, eps, beta: q_backward(dz / len(mu), mu, logvar, eps, beta),
            "dz is divided by B a second time; it contains its 1/B already.",
        ),
        WrongAnswer(
            "kl-to-mu-alone",
            lambda dz, mu, logvar, eps, beta: (
                q_backward(dz, mu, logvar, eps, beta)[0],
                q_backward(dz, mu, logvar, eps, 0.0)[1],
            ),
            "The KL depends on logvar too: its term there is (sigma^2 - 1) / 2.",
        ),
        WrongAnswer(
            "kl-to-logvar-alone",
            lambda dz, mu, logvar, eps, beta: (
                dz.copy(),
                q_backward(dz, mu, logvar, eps, beta)[1],
            ),
            "The KL depends on mu too: its term there is mu, which pulls mu towards 0.",
        ),
        WrongAnswer(
            "fresh-noise",
            lambda dz, mu, logvar, eps, beta: q_backward(dz, mu, logvar, 0 * eps, beta),
            "The term through z is missing in dlogvar: it is dz eps sigma / 2.",
        ),
        WrongAnswer(
            "kl-half-lost",
            lambda dz, mu, logvar, eps, beta: (
                q_backward(dz, mu, logvar, eps, beta)[0],
                q_backward(dz, mu, logvar, eps, 0.0)[1] + beta / len(mu) * (np.exp(logvar) - 1),
            ),
            "The KL's term in dlogvar lacks its factor 1/2.",
        ),
    ),
    hints=(
        "Where two paths meet, their gradients add up.",
        "Through z: dz and dz eps sigma / 2. From the KL: mu and (sigma^2 - 1) / 2, times ...?",
        "The KL's terms are multiplied by beta / B.",
    ),
)

# ---- 06.heads-backward ---------------------------------------------------------------------------


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
            "The term of logvar's head is missing: h goes into both heads, so both add to dh.",
        ),
        WrongAnswer(
            "mu-forgotten",
            lambda dmu, dlogvar, mu_W, logvar_W: dlogvar @ logvar_W.T,
            "The term of mu's head is missing (was it overwritten by the other one?).",
        ),
        WrongAnswer(
            "mean",
            lambda dmu, dlogvar, mu_W, logvar_W: (dmu @ mu_W.T + dlogvar @ logvar_W.T) / 2,
            "The two terms are averaged; add them.",
        ),
        WrongAnswer(
            "swapped",
            lambda dmu, dlogvar, mu_W, logvar_W: dmu @ logvar_W.T + dlogvar @ mu_W.T,
            "The weights are swapped: each gradient goes back through its own head's weights.",
        ),
        WrongAnswer(
            "gradients-added-first",
            lambda dmu, dlogvar, mu_W, logvar_W: (dmu + dlogvar) @ mu_W.T,
            "The gradients are added too early: each goes back through its own weights first.",
        ),
        WrongAnswer(
            "both-mixed",
            lambda dmu, dlogvar, mu_W, logvar_W: (dmu + dlogvar) @ (mu_W + logvar_W).T,
            "This has two cross terms too many: dmu logvar_W' and dlogvar mu_W'.",
        ),
        WrongAnswer(
            "not-transposed",
            lambda dmu, dlogvar, mu_W, logvar_W: dmu @ mu_W + dlogvar @ logvar_W,
            "The weights have to be transposed on the way back.",
        ),
        WrongAnswer(
            "difference",
            lambda dmu, dlogvar, mu_W, logvar_W: dmu @ mu_W.T - dlogvar @ logvar_W.T,
            "One of the two terms is subtracted; add them.",
        ),
    ),
    hints=(
        "h is used twice. What does the chain rule say about a variable that is used twice?",
        "Back through each head: its gradient times its weights transposed.",
        "dmu @ mu_W.T + dlogvar @ logvar_W.T.",
    ),
)
