"""The best q of one image: a search for it, and what its ELBO says about an encoder's."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

# ---- 06.search-q ---------------------------------------------------------------------------------

NEAR = 0.01  # nats above the best
NEARLY = 0.5
AT_REST = 0.01  # the largest entry of the gradient where a search has ended
NEAR_ENOUGH = f"at most {NEAR} nats above the least"


def search_q(nll_and_dz, eps):
    """Gradient descent by eqs. (7) and (8), the nll averaged over the K draws"""
    mu, logvar = np.zeros(eps.shape[1]), np.zeros(eps.shape[1])
    for _ in range(2000):
        sigma = np.exp(logvar / 2)
        _, dz = nll_and_dz(mu + sigma * eps)
        dmu = dz.mean(axis=0) + mu
        dlogvar = (dz * eps).mean(axis=0) * sigma / 2 + (sigma**2 - 1) / 2
        mu, logvar = mu - 0.03 * dmu, logvar - 0.03 * dlogvar
    return mu, logvar


def _search_cases():
    rng = np.random.default_rng(83)

    def linear(W, x):
        def linear_decoder(z):
            residual = z @ W - x
            return (residual**2).sum(axis=1) / 2, residual @ W.T

        return linear_decoder

    def pixels(W1, W2, x):
        def bernoulli_decoder(z):
            y = np.tanh(z @ W1)
            logits = y @ W2
            nll = (((logits > 0) - x) * logits + np.log1p(np.exp(-np.abs(logits)))).sum(axis=1)
            dlogits = 1 / (1 + np.exp(-logits)) - x
            return nll, (dlogits @ W2.T * (1 - y**2)) @ W1.T

        return bernoulli_decoder

    image = np.array([1.0, 1, 0, 0, 1, 0])
    return [
        (linear(np.array([[1.5]]), np.array([1.2])), generic(rng, 20, 1)),
        (linear(generic(rng, 2, 5), generic(rng, 5)), generic(rng, 20, 2)),
        (pixels(generic(rng, 2, 3), generic(rng, 3, 6), image), generic(rng, 20, 2)),
    ]


def _minus_elbo(nll_and_dz, eps, mu, logvar):
    nll, _ = nll_and_dz(mu + np.exp(logvar / 2) * eps)
    return nll.mean() + (mu**2 + np.exp(logvar) - 1 - logvar).sum() / 2


def _slopes(nll_and_dz, eps, mu, logvar):
    """The gradient of -ELBO with respect to mu and logvar, (2, L)."""
    _, dz = nll_and_dz(mu + np.exp(logvar / 2) * eps)
    return np.array([np.add(*terms) for terms in zip(*_terms(dz, eps, mu, logvar), strict=True)])


def _nats_above(answer, nll_and_dz, eps):
    """In words, how far -ELBO at the answer is above the least, with these draws."""
    mu, logvar = answer(nll_and_dz, eps)
    with np.errstate(all="ignore"):
        got = _minus_elbo(nll_and_dz, eps, np.asarray(mu), np.asarray(logvar))
    if not np.isfinite(got):
        return "-ELBO is not finite there"
    least = _minus_elbo(nll_and_dz, eps, *search_q(nll_and_dz, eps))
    if got - least <= NEAR:
        return NEAR_ENOUGH
    return f"{got - least:.2g} nats above it" + _what_it_may_be(
        lambda mu, logvar: _minus_elbo(nll_and_dz, eps, mu, logvar) - least,
        lambda mu, logvar: _slopes(nll_and_dz, eps, mu, logvar),
        mu,
        logvar,
    )


def _what_it_may_be(above, slopes, mu, logvar):
    """A reading of the two results under which a search has ended there, in words, or nothing.

    above(mu, logvar): how far -ELBO is above the least; slopes(mu, logvar): its gradient. An
    unfinished search may come near the least under a wrong reading, but not to a gradient of 0.
    """
    mu, second = np.asarray(mu, float), np.asarray(logvar, float)
    with np.errstate(all="ignore"):
        readings = (
            ("; the second result looks like sigma: return logvar", (mu, 2 * np.log(second))),
            ("; the second result looks like sigma^2: return its log", (mu, np.log(second))),
            ("; the second result looks like log sigma: logvar is twice that", (mu, 2 * second)),
            ("; the two results look swapped", (second, mu)),
        )
        for says, reading in readings:
            if above(*reading) <= NEAR and np.abs(slopes(*reading)).max() <= AT_REST:
                return says
        if above(mu, second) < NEARLY:
            return (
                "; near, but the gradient of -ELBO is not 0 there: unfinished, or with other "
                "`eps`, or with a wrong term?"
            )
    return ""


def _search_with(change):
    """A wrong answer: change(dz, eps, mu, logvar) -> dmu, dlogvar."""

    def wrong(nll_and_dz, eps):
        mu, logvar = np.zeros(eps.shape[1]), np.zeros(eps.shape[1])
        for _ in range(1000):
            _, dz = nll_and_dz(mu + np.exp(logvar / 2) * eps)
            dmu, dlogvar = change(dz, eps, mu, logvar)
            mu, logvar = mu - 0.01 * dmu, np.maximum(logvar - 0.01 * dlogvar, -20)
        return mu, logvar

    return wrong


def _terms(dz, eps, mu, logvar):
    """(through z, from the KL) of dmu, and of dlogvar."""
    sigma = np.exp(logvar / 2)
    through = dz.mean(axis=0), (dz * eps).mean(axis=0) * sigma / 2
    return through, (mu, (sigma**2 - 1) / 2)


def _kl_forgotten(*args):
    return _terms(*args)[0]


def _summed(dz, eps, mu, logvar):
    (a, b), (c, d) = _terms(dz, eps, mu, logvar)
    return len(eps) * a + c, len(eps) * b + d


def _width_kept(*args):
    (a, _), (c, _) = _terms(*args)
    return a + c, 0.0


def _half_lost(*args):
    (a, b), (c, d) = _terms(*args)
    return a + c, 2 * b + d


def _kl_half_lost(*args):
    (a, b), (c, d) = _terms(*args)
    return a + c, b + 2 * d


def _eps_lost(dz, eps, mu, logvar):
    (a, _), (c, d) = _terms(dz, eps, mu, logvar)
    return a + c, a * np.exp(logvar / 2) / 2 + d


def _means_multiplied(dz, eps, mu, logvar):
    (a, _), (c, d) = _terms(dz, eps, mu, logvar)
    return a + c, a * eps.mean(axis=0) * np.exp(logvar / 2) / 2 + d


SEARCH_Q = Exercise(
    id="06.search-q",
    title="search for the best q of one image",
    stub=stub("""
        def search_q(nll_and_dz, eps):    # nll_and_dz(z): (K, L) -> nll (K,), dz (K, L) of each
            ...                           # eps (K, L), fixed -> mu (L,), logvar (L,)
    """),
    reference=search_q,
    cases=_search_cases,
    observe=_nats_above,
    mistakes=(
        WrongAnswer(
            "the-prior",
            lambda nll_and_dz, eps: (np.zeros(eps.shape[1]), np.zeros(eps.shape[1])),
            "This is the prior: raise the ELBO from there.",
        ),
        WrongAnswer(
            "kl-forgotten",
            _search_with(_kl_forgotten),
            "The KL's terms are missing: q shrinks to the point that fits the image best.",
        ),
        WrongAnswer(
            "summed",
            _search_with(_summed),
            "The nll is a mean over the K draws: each has 1/K in front, or the KL counts too "
            "little.",
        ),
        WrongAnswer(
            "width-kept",
            _search_with(_width_kept),
            "Only mu is searched for; logvar is a part of q too.",
        ),
        WrongAnswer(
            "half-lost",
            _search_with(_half_lost),
            "The half is missing in the term of dlogvar through z: d sigma / d logvar = sigma / 2.",
        ),
        WrongAnswer(
            "kl-half-lost",
            _search_with(_kl_half_lost),
            "The half is missing in the KL's term of dlogvar, (sigma^2 - 1) / 2.",
        ),
        WrongAnswer(
            "eps-lost",
            _search_with(_eps_lost),
            "eps is missing in the term of dlogvar through z: it multiplies dz, draw by draw.",
        ),
        WrongAnswer(
            "means-multiplied",
            _search_with(_means_multiplied),
            "dz and eps are averaged before they are multiplied: they belong together draw by "
            "draw.",
        ),
    ),
    hints=(
        "Eqs. (7) and (8) with B = 1 and beta = 1 are the gradient. What stands for dz with K "
        "draws?",
        "dmu = dz.mean(axis=0) + mu; in dlogvar, the mean of dz * eps over the draws.",
        "A thousand steps or more of mu -= 0.03 * dmu, logvar -= 0.03 * dlogvar, from zeros.",
    ),
)

# ---- 06.gaps -------------------------------------------------------------------------------------

GAPS = (2.4, 1.1, 3.5)
WHAT = ("the amortization gap", "what the best diagonal Gaussian lacks", "the KL")


def _judge_gaps(answer):
    if not isinstance(answer, list | tuple) or len(answer) != len(GAPS):
        return "expected three numbers of nats"
    for what, got, right in zip(WHAT, answer, GAPS, strict=True):
        if not isinstance(got, int | float | np.number):
            return f"{what}: must be a number"
        if not abs(got - right) < 1e-6:
            return f"not yet right: {what}"
    return None


GAPS_OF_Q = Exercise(
    id="06.gaps",
    title="what is lost by amortizing, and what by a simple family",
    stub=stub("""
        # One image, in nats. log p(x): -126.0. The ELBO of the encoder's q: -129.5. The largest
        # ELBO of a diagonal Gaussian: -127.1, and of a Gaussian with a full covariance: -126.4.
        gaps = ...    # what the encoder's q lacks to the best diagonal Gaussian (the amortization
                      # gap); what that one lacks to log p(x); KL(q || p(z|x)) of the encoder's q
    """),
    reference=GAPS,
    judge=_judge_gaps,
    mistakes=(
        WrongAnswer(
            "the-first-two-swapped",
            (1.1, 2.4, 3.5),
            "The first two are swapped: a search of its own for the image mends what is lost by "
            "amortizing, and cannot leave the family.",
        ),
        WrongAnswer(
            "signs",
            (-2.4, -1.1, -3.5),
            "These are losses, counted as positive nats.",
        ),
        WrongAnswer(
            "diagonal-against-full",
            (2.4, 0.7, 3.5),
            "0.7 is what a full covariance would win; what the diagonal family loses is measured "
            "from log p(x).",
        ),
        WrongAnswer(
            "all-to-amortization",
            (3.5, 1.1, 3.5),
            "3.5 is lost in all. A search within the same family would not get all of it back.",
        ),
        WrongAnswer(
            "kl-from-the-best",
            (2.4, 1.1, 2.4),
            "The KL to the posterior is all of log p(x) - ELBO: notebook 02.",
        ),
    ),
    hints=(
        "log p(x) - ELBO = KL(q || p(z|x)), for any q.",
        "The encoder against the best diagonal Gaussian; that against log p(x); both together.",
        "-127.1 + 129.5, then -126.0 + 127.1, then their sum.",
    ),
    solution_text=stub("""
        gaps = (
            -127.1 + 129.5,    # the best diagonal q against the encoder's: amortization gap
            -126.0 + 127.1,    # log p(x) against the best q of the family
            -126.0 + 129.5,    # log p(x) - ELBO: the sum of both
        )
    """),
)
