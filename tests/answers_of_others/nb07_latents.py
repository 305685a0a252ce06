"""Notebook 07: answers to `07.latents`, `07.free-bits-backward` and `07.best-model`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 07.latents ----------------------------------------------------------------------------------


def kl_of(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - logvar - 1)


def within(a, tolerance=0.05):
    return np.abs(a).max(axis=0) < tolerance


@right("07.latents")
def by_select(mu, logvar):
    kl = kl_of(mu, logvar)
    prior = within(mu) & within(logvar)
    same = (np.ptp(mu, axis=0) < 0.05) & (np.ptp(logvar, axis=0) < 0.05)
    tests = [prior, same, kl.mean(axis=0) >= 0.1, kl.max(axis=0) > 1]
    return np.select(tests, ["collapsed", "constant", "active", "rare"], "weak")


@right("07.latents")
def beside_the_first_image(mu, logvar):
    words = ()
    for m, v in zip(mu.T, logvar.T, strict=True):
        kl = kl_of(m, v)
        q = np.stack([m, v])
        if np.allclose(q, 0, rtol=0, atol=0.05):
            words += ("collapsed",)
        elif np.allclose(q, q[:, :1], rtol=0, atol=0.05):
            words += ("constant",)
        elif np.average(kl) < 0.1:
            words += ("rare" if any(kl > 1) else "weak",)
        else:
            words += ("active",)
    return words


@right("07.latents")
def from_the_last_to_the_first(mu, logvar):
    kl, words = kl_of(mu, logvar), []
    for j in range(mu.shape[1]):
        word = "weak"
        if np.any(kl[:, j] > 1):
            word = "rare"
        if np.sum(kl[:, j]) / len(kl) >= 0.1:
            word = "active"
        ranges = [max(a[:, j]) - min(a[:, j]) for a in (mu, logvar)]
        if max(ranges) < 0.05:
            word = "constant"
        if all(abs(x) < 0.05 for a in (mu, logvar) for x in a[:, j]):
            word = "collapsed"
        words.append(word)
    return words


def states(prior, same, active=None, rare=None):
    """Words by tests of mu, logvar and kl, one latent at a time."""

    def answer(mu, logvar):
        words = []
        for m, v in zip(mu.T, logvar.T, strict=True):
            k = kl_of(m, v)
            if prior(m, v, k):
                words.append("collapsed")
            elif same(m, v, k):
                words.append("constant")
            elif (active or is_active)(m, v, k):
                words.append("active")
            else:
                words.append("rare" if (rare or is_rare)(m, v, k) else "weak")
        return words

    return answer


def is_prior(m, v, k):
    return within(m) and within(v)


def is_same(m, v, k):
    return np.ptp(m) < 0.05 and np.ptp(v) < 0.05


def is_active(m, v, k):
    return k.mean() >= 0.1


def is_rare(m, v, k):
    return k.max() > 1


wrong(
    "07.latents",
    states(lambda m, v, k: within(m) or within(v), is_same),
    states(is_prior, lambda m, v, k: np.ptp(m) < 0.05 or np.ptp(v) < 0.05),
    states(lambda m, v, k: abs(m[0]) < 0.05 and abs(v[0]) < 0.05, is_same),
    states(lambda m, v, k: np.any(np.abs(m) < 0.05) and np.any(np.abs(v) < 0.05), is_same),
    states(is_prior, lambda m, v, k: k.std() < 0.05),
    states(is_prior, lambda m, v, k: m.var() < 0.05 and v.var() < 0.05),
    states(is_prior, lambda m, v, k: abs(m[0] - m[-1]) < 0.05 and abs(v[0] - v[-1]) < 0.05),
    states(lambda m, v, k: within(m) and within(np.exp(v)), is_same),
    states(is_prior, is_same, lambda m, v, k: k.sum() >= 0.1),
    states(is_prior, is_same, lambda m, v, k: np.median(k) >= 0.1),
    states(is_prior, is_same, lambda m, v, k: m.var() >= 0.1),
    states(is_prior, is_same, lambda m, v, k: k.mean() >= 0.01),
    states(is_prior, is_same, lambda m, v, k: (m**2 / 2).mean() >= 0.1),
    states(is_prior, is_same, None, lambda m, v, k: np.abs(m).max() > 1 and m.max() > 1),
    states(is_prior, is_same, None, lambda m, v, k: k.max() > 0.1),
    states(is_prior, is_same, None, lambda m, v, k: np.mean(k > 1) > 0.01),
)


@wrong("07.latents")
def image_by_image(mu, logvar):
    return states(is_prior, is_same)(mu.T, logvar.T)


@wrong("07.latents")
def numbers_of_the_states(mu, logvar):
    order = ["collapsed", "constant", "active", "rare", "weak"]
    return [order.index(word) for word in by_select(mu, logvar)]


@wrong("07.latents")
def how_many_of_each(mu, logvar):
    words = list(by_select(mu, logvar))
    return {word: words.count(word) for word in words}


# ---- 07.free-bits-backward -----------------------------------------------------------------------


@right("07.free-bits-backward")
def by_where(kl, beta, free_bits):
    return np.where(np.average(kl, axis=0) > free_bits, beta / kl.shape[0], 0.0)


@right("07.free-bits-backward")
def by_heaviside(kl, beta, free_bits):
    B = len(kl)
    return np.heaviside(np.ones(B) @ kl - B * free_bits, 0) * beta / B


@right("07.free-bits-backward")
def latent_by_latent(kl, beta, free_bits):
    dkl = np.zeros(kl.shape[1])
    for j in range(kl.shape[1]):
        if sum(kl[:, j]) / len(kl[:, j]) > free_bits:
            dkl[j] = beta * 1 / len(kl[:, j])
    return dkl


def gated(gate, scale=lambda kl, beta: beta / len(kl)):
    return lambda kl, beta, free_bits: scale(kl, beta) * gate(kl, beta, free_bits)


def above(kl, beta, free_bits):
    return kl.mean(axis=0) > free_bits


wrong(
    "07.free-bits-backward",
    gated(lambda kl, beta, floor: kl.max(axis=0) > floor),
    gated(lambda kl, beta, floor: kl.min(axis=0) > floor),
    gated(lambda kl, beta, floor: kl[0] > floor),
    gated(lambda kl, beta, floor: kl[-1] > floor),
    gated(lambda kl, beta, floor: kl.sum(axis=0) > floor),
    gated(lambda kl, beta, floor: (kl > floor).mean(axis=0)),
    gated(lambda kl, beta, floor: (kl > floor).mean(axis=0) > 0.5),
    gated(lambda kl, beta, floor: beta * kl.mean(axis=0) > floor),
    gated(lambda kl, beta, floor: kl.mean(axis=0) > 0.5),
    gated(lambda kl, beta, floor: kl.mean(axis=0) > floor / kl.shape[1]),
    gated(lambda kl, beta, floor: np.sign(kl.mean(axis=0) - floor)),
    gated(lambda kl, beta, floor: np.ones(kl.shape[1]) * (kl.mean() > floor)),
    gated(above, lambda kl, beta: -beta / len(kl)),
    gated(above, lambda kl, beta: beta / kl.size),
    gated(above, lambda kl, beta: beta / max(len(kl) - 1, 1)),
    gated(above, lambda kl, beta: np.full((len(kl), 1), beta / len(kl))),
    gated(above, lambda kl, beta: kl.mean(axis=0) * beta / len(kl)),
    lambda kl, beta, floor: beta / len(kl) if kl.mean() > floor else 0.0,
)

# ---- 07.best-model -------------------------------------------------------------------------------


@right("07.best-model")
def by_sorting(nll, kl, warmup):
    return sorted(range(len(nll)), key=lambda i: nll[i] + kl[i])[0]


@right("07.best-model")
def largest_elbo(nll, kl, warmup):
    elbo = -nll - kl
    return elbo.argmax()


@right("07.best-model")
def in_a_search(nll, kl, warmup):
    best, lowest = 0, np.inf
    for i, loss in enumerate(np.add(nll, kl)):
        if loss < lowest:
            best, lowest = i, loss
    return best


def lowest(loss):
    return lambda nll, kl, warmup: int(np.argmin(loss(nll, kl, warmup)))


def betas(nll, warmup):
    return np.minimum(1, np.arange(1, len(nll) + 1) / warmup)


wrong(
    "07.best-model",
    lowest(lambda nll, kl, warmup: kl),
    lowest(lambda nll, kl, warmup: nll + np.arange(len(nll)) / warmup * kl),
    lowest(lambda nll, kl, warmup: nll / betas(nll, warmup) + kl),
    lowest(lambda nll, kl, warmup: (nll + kl) * betas(nll, warmup)),
    lowest(lambda nll, kl, warmup: (nll + kl) / betas(nll, warmup)),
    lowest(lambda nll, kl, warmup: nll * kl),
    lowest(lambda nll, kl, warmup: nll - kl),
    lowest(lambda nll, kl, warmup: nll + kl + betas(nll, warmup)),
    lowest(lambda nll, kl, warmup: (nll + kl)[warmup:]),
    lowest(lambda nll, kl, warmup: np.convolve(nll + kl, np.ones(3) / 3, "same")),
    lambda nll, kl, warmup: int(np.argmin(nll + kl)) + 1,
    lambda nll, kl, warmup: (nll + kl).min(),
    lambda nll, kl, warmup: (int(np.argmin(nll + kl)), (nll + kl).min()),
    lambda nll, kl, warmup: warmup,
)
wrong(
    "07.best-model",
    lowest(lambda nll, kl, warmup: nll + kl * betas(nll, warmup)[-1]),
    lowest(lambda nll, kl, warmup: nll + kl * betas(nll, warmup).mean()),
    clue="half-of-the-kl",
)


@wrong("07.best-model")
def beta_beyond_one(nll, kl, warmup):
    beta = np.arange(1, len(nll) + 1) / warmup
    return int(np.argmin(nll + beta * kl))
