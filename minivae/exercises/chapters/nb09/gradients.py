"""The doubly reparameterized gradient, and a bug in a gradient of the bound."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

FAR = np.array([4900, 3000, 5000, 3000])  # nats below zero, of the samples of one image


def iwae_weights(log_w):
    """w_k / sum of w over the samples of the same image: a softmax over K"""
    w = np.exp(log_w - log_w.max(axis=0))
    return w / w.sum(axis=0)


# ---- 09.doubly -----------------------------------------------------------------------------------


def doubly_reparameterized(log_w, dlogw_dz, eps, logvar):
    """dz = -w~^2 / B * d log w / dz; then through z = mu + sigma eps    [notebook 09, eq. 9]"""
    w = np.exp(log_w - log_w.max(axis=0))
    share = w / w.sum(axis=0)
    dz = -(share[..., None] ** 2) * dlogw_dz / log_w.shape[1]
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2


def _doubly_cases():
    rng = np.random.default_rng(93)
    return [
        (
            np.array([[-1.5], [-2.3]]),
            np.array([[[0.8]], [[-1.1]]]),
            np.array([[[0.4]], [[-0.7]]]),
            np.array([[0.6]]),
        ),
        (generic(rng, 4, 3), generic(rng, 4, 3, 2), generic(rng, 4, 3, 2), generic(rng, 3, 2)),
        (
            generic(rng, 4, 3) - [1000, 0, 2000],  # images far apart, each with its own largest
            generic(rng, 4, 3, 2),
            generic(rng, 4, 3, 2),
            generic(rng, 3, 2),
        ),
        (
            generic(rng, 4, 3) - FAR[:, None],  # samples far apart: take out the largest
            generic(rng, 4, 3, 2),
            generic(rng, 4, 3, 2),
            generic(rng, 3, 2),
        ),
    ]


def _one_maximum(log_w):
    """The weights with one maximum for all images."""
    with np.errstate(invalid="ignore"):
        w = np.exp(log_w - log_w.max())
        return w / w.sum(axis=0)


def _through_z(dz, eps, logvar, *, scale=None, score=0.0):
    """dmu and dlogvar from dz (K, B, L), with a wrong scale for sigma / 2, or a score term."""
    scale = np.exp(logvar / 2) / 2 if scale is None else scale
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * scale - score


def _dz(log_w, dlogw_dz, share):
    return -share[..., None] * dlogw_dz / log_w.shape[1]


def _right_dz(log_w, dlogw_dz):
    return _dz(log_w, dlogw_dz, iwae_weights(log_w) ** 2)


DOUBLY = Exercise(
    id="09.doubly",
    title="the doubly reparameterized gradient",
    stub=stub("""
        def doubly_reparameterized(log_w, dlogw_dz, eps, logvar):
            ...    # (K, B), (K, B, L) with q's mu and logvar held, (K, B, L), (B, L)
                   # loss = -mean over B of log (1/K sum over K of w) -> dmu (B, L), dlogvar (B, L)
    """),
    reference=doubly_reparameterized,
    cases=_doubly_cases,
    returns=("dmu", "dlogvar"),
    mistakes=(
        WrongAnswer(
            "not-squared",
            lambda w, g, e, v: _through_z(_dz(w, g, iwae_weights(w)), e, v),
            "The weights are not squared: this is the way through z alone, without the score term.",
        ),
        WrongAnswer(
            "score-not-removed",
            lambda w, g, e, v: _through_z(_right_dz(w, g), e, v, score=1 / (2 * w.shape[1])),
            "The -1/(2B) of eq. (8) is still there; here no term of logvar alone is left.",
        ),
        WrongAnswer(
            "score-only",
            lambda w, g, e, v: _through_z(_dz(w, g, iwae_weights(w) * (1 - iwae_weights(w))), e, v),
            "w~ (1 - w~) is what the score term contributes, with the other sign; add both terms.",
        ),
        WrongAnswer(
            "score-with-the-wrong-sign",
            lambda w, g, e, v: _through_z(_dz(w, g, iwae_weights(w) * (2 - iwae_weights(w))), e, v),
            "The score term is added with the wrong sign: w~ - w~ (1 - w~) is w~^2.",
        ),
        WrongAnswer(
            "sign",
            lambda w, g, e, v: _through_z(-_right_dz(w, g), e, v),
            "The sign is wrong: the loss is minus the bound.",
        ),
        WrongAnswer(
            "batch-forgotten",
            lambda w, g, e, v: _through_z(_right_dz(w, g) * w.shape[1], e, v),
            "The 1/B of the mean over images is missing.",
        ),
        WrongAnswer(
            "over-images",
            lambda w, g, e, v: _through_z(_dz(w, g, iwae_weights(w.T).T ** 2), e, v),
            "The weights are normalised over the images; the samples of one image compete.",
        ),
        WrongAnswer(
            "renormalised",
            lambda w, g, e, v: _through_z(
                _dz(w, g, iwae_weights(w) ** 2 / (iwae_weights(w) ** 2).sum(axis=0)), e, v
            ),
            "Your squares sum to one. Normalise the weights first and then square: what comes out "
            "need not sum to one.",
        ),
        WrongAnswer(
            "one-maximum",
            lambda w, g, e, v: _through_z(_dz(w, g, _one_maximum(w) ** 2), e, v),
            "One maximum for all images: those that lie 1000 nats lower become 0 / 0. Each image "
            "needs its own, log_w.max(axis=0).",
        ),
        WrongAnswer(
            "sigma-lost",
            lambda w, g, e, v: _through_z(_right_dz(w, g), e, v, scale=0.5),
            "dlogvar lacks sigma: dz / dlogvar = eps sigma / 2.",
        ),
        WrongAnswer(
            "half-lost",
            lambda w, g, e, v: _through_z(_right_dz(w, g), e, v, scale=np.exp(v / 2)),
            "dlogvar lacks the half: sigma = exp(logvar / 2), so dz / dlogvar = eps sigma / 2.",
        ),
        WrongAnswer(
            "variance-for-sigma",
            lambda w, g, e, v: _through_z(_right_dz(w, g), e, v, scale=np.exp(v) / 2),
            "dlogvar has sigma^2 where sigma belongs.",
        ),
    ),
    hints=(
        "Eq. (9): every sample's derivative of log w, times the square of its weight.",
        "dz = -(w~ ** 2) / B * dlogw_dz; then as in eq. (7), and nothing like eq. (8).",
        "dmu = dz.sum(axis=0), dlogvar = (dz * eps).sum(axis=0) * sigma / 2.",
    ),
)

# ---- 09.bug --------------------------------------------------------------------------------------


def bound_gradient(nll, dnll_dz, z, eps, logvar):
    # (K, B), three times (K, B, L), (B, L) -> dmu, dlogvar. Trains, but differences disagree.
    log_w = -nll - 0.5 * (z**2).sum(axis=-1)
    w = np.exp(log_w - log_w.max(axis=0))
    share = w / w.sum(axis=0) / nll.shape[1]
    dz = share[..., None] * (dnll_dz + z)
    dlogvar = (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / (2 * nll.shape[1])
    return dz.sum(axis=0), dlogvar


def mended_gradient(nll, dnll_dz, z, eps, logvar):
    # w divides by q: -log q is 0.5 eps^2 + ..., and what is the same for all K samples cancels.
    log_w = -nll + 0.5 * (eps**2 - z**2).sum(axis=-1)
    w = np.exp(log_w - log_w.max(axis=0))
    share = w / w.sum(axis=0) / nll.shape[1]
    dz = share[..., None] * (dnll_dz + z)
    dlogvar = (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / (2 * nll.shape[1])
    return dz.sum(axis=0), dlogvar


def _with_weights(log_weights, *, score=1.0, softmax=iwae_weights):
    """`mended_gradient` with other log weights, another softmax, or another share of q's term."""

    def gradient(nll, dnll_dz, z, eps, logvar):
        B = nll.shape[1]
        share = softmax(log_weights(nll, z, eps)) / B
        dz = share[..., None] * (dnll_dz + z)
        dlogvar = (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - score / (2 * B)
        return dz.sum(axis=0), dlogvar

    return gradient


def _right_weights(nll, z, eps):
    return -nll + 0.5 * (eps**2 - z**2).sum(axis=-1)


def _joint(nll, z, eps):
    return -nll - 0.5 * (z**2).sum(axis=-1)


def _bug_cases():
    rng = np.random.default_rng(94)

    def case(K, B, L, apart=0, far=0):
        big = (generic(rng, K, B, L) for _ in range(3))
        nll = np.abs(generic(rng, K, B)) + 1 + apart * np.arange(B) + far
        return (nll, *big, generic(rng, B, L))

    return [
        case(2, 1, 1),
        case(4, 3, 2),
        case(5, 2, 3),
        case(4, 3, 2, apart=1000),
        case(4, 3, 2, far=FAR[:, None]),
    ]


BUG = Exercise(
    id="09.bug",
    title="find the bug: an importance-weighted autoencoder that trains",
    stub=inspect.getsource(bound_gradient).rstrip(),
    reference=mended_gradient,
    given=bound_gradient,
    cases=_bug_cases,
    returns=("dmu", "dlogvar"),
    mistakes=(
        WrongAnswer(
            "score-dropped",
            _with_weights(_joint, score=0.0),
            "The -1/(2B) was right: it is q's own share, eq. (8). The bug is elsewhere.",
        ),
        WrongAnswer(
            "score-dropped-after-all",
            _with_weights(_right_weights, score=0.0),
            "The weights are right now, but the -1/(2B) belongs there: it is q's share, eq. (8).",
        ),
        WrongAnswer(
            "score-sign",
            _with_weights(_right_weights, score=-1.0),
            "The weights are right now, but the sign of 1/(2B) was right before: eq. (8).",
        ),
        WrongAnswer(
            "wrong-sign-of-eps",
            _with_weights(lambda nll, z, eps: -nll - 0.5 * (eps**2 + z**2).sum(axis=-1)),
            "log q is subtracted, and log q holds -eps^2 / 2: in log w it becomes + eps^2 / 2.",
        ),
        WrongAnswer(
            "no-prior",
            _with_weights(lambda nll, z, eps: -nll),
            "log p(z) belongs into the weight; it was right before.",
        ),
        WrongAnswer(
            "q-without-prior",
            _with_weights(lambda nll, z, eps: -nll + 0.5 * (eps**2).sum(axis=-1)),
            "q's density is in the weight now, but log p(z) was lost.",
        ),
        WrongAnswer(
            "half-of-eps",
            _with_weights(lambda nll, z, eps: -nll + (eps**2 - 0.5 * z**2).sum(axis=-1)),
            "The half belongs to eps^2 too.",
        ),
        WrongAnswer(
            "plain-average",
            _with_weights(lambda nll, z, eps: 0 * nll),
            "All samples weigh the same here: that is the ELBO's gradient, not the bound's.",
        ),
        WrongAnswer(
            "one-maximum",
            _with_weights(_right_weights, softmax=_one_maximum),
            "The weights are right now, but one maximum for all images gives 0 / 0 for those that "
            "lie 1000 nats lower: log_w.max(axis=0), as it was.",
        ),
    ),
    hints=(
        "The way back is right. What do the samples weigh?",
        "An importance weight has three densities, eq. (1). Which one is missing?",
        "log_w = -nll + 0.5 * (eps**2 - z**2).sum(axis=-1).",
    ),
)
