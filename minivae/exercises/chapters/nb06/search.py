"""A search for the best q of one image, with a full covariance."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub

NEAR = 0.01  # nats above the best
NEARLY = 0.5
AT_REST = 0.01  # the largest entry of the gradient where a search has ended
NEAR_ENOUGH = f"at most {NEAR} nats above the least"


def search_q(nll_and_dz, eps):
    """droot = mean of dz eps.T + root - 1 / root on the diagonal, its lower triangle"""
    L = eps.shape[1]
    mu, root = np.zeros(L), np.eye(L)
    for _ in range(1000):
        _, dz = nll_and_dz(mu + eps @ root.T)
        dmu = dz.mean(axis=0) + mu
        droot = np.tril(dz.T @ eps / len(eps) + root) - np.diag(1 / np.diag(root))
        mu, root = mu - 0.05 * dmu, root - 0.05 * droot
    return mu, root


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
    tilted = np.array([[1.2, 0.3, -0.8, 0.5, 0.9], [1.0, -0.4, -0.9, 0.8, 0.2]])
    return [
        (linear(np.array([[1.5]]), np.array([1.2])), generic(rng, 20, 1)),
        (linear(tilted, generic(rng, 5)), generic(rng, 20, 2)),
        (pixels(generic(rng, 2, 3), generic(rng, 3, 6), image), generic(rng, 20, 2)),
    ]


def _minus_elbo(nll_and_dz, eps, mu, root):
    nll, _ = nll_and_dz(mu + eps @ root.T)
    kl = (mu**2).sum() + (root**2).sum() - len(mu) - 2 * np.log(np.diag(root)).sum()
    return nll.mean() + kl / 2


def _slopes(nll_and_dz, eps, mu, root):
    """The gradient of -ELBO: (L,) and (L, L) in one vector."""
    (a, b), (c, d) = _terms(nll_and_dz(mu + eps @ root.T)[1], eps, mu, root)
    return np.append(a + c, np.tril(b + d))


def _nats_above(answer, nll_and_dz, eps):
    """In words, how far -ELBO at the answer is above the least, with these draws."""
    mu, root = (np.asarray(result, float) for result in answer(nll_and_dz, eps))
    L = eps.shape[1]
    if mu.shape != (L,) or root.shape != (L, L):
        return f"results of shapes {mu.shape} and {root.shape} instead of ({L},) and ({L}, {L})"
    if not (np.isfinite(mu).all() and np.isfinite(root).all()):
        return "not all numbers are finite"
    if _is_the_covariance(nll_and_dz, eps, mu, root):
        return "the second result looks like the covariance: return its lower triangular root"
    if np.triu(root, 1).any():
        return "root has entries above its diagonal: it must be lower triangular"
    if (np.diag(root) <= 0).any():
        return "root must have a positive diagonal"
    above = _minus_elbo(nll_and_dz, eps, mu, root)
    above -= _minus_elbo(nll_and_dz, eps, *search_q(nll_and_dz, eps))
    if above <= NEAR:
        return NEAR_ENOUGH
    says = f"{above:.2g} nats above it"
    if above < NEARLY:
        says += (
            "; near, but the gradient of -ELBO is not 0 there: unfinished, or with other `eps`, "
            "or with a wrong term?"
        )
    return says


def _is_the_covariance(nll_and_dz, eps, mu, found):
    """Whether a search has ended where root @ root.T is what was found.

    An unfinished search may come near the least under a wrong reading, but not to a gradient of 0.
    """
    if not np.allclose(found, found.T):
        return False
    try:
        root = np.linalg.cholesky(found)
    except np.linalg.LinAlgError:
        return False
    return np.abs(_slopes(nll_and_dz, eps, mu, root)).max() <= AT_REST


def _search_with(change):
    """A wrong answer: change(dz, eps, mu, root) -> dmu, droot."""

    def wrong(nll_and_dz, eps):
        L = eps.shape[1]
        mu, root = np.zeros(L), np.eye(L)
        for _ in range(1000):
            _, dz = nll_and_dz(mu + eps @ root.T)
            dmu, droot = change(dz, eps, mu, root)
            mu, root = mu - 0.01 * dmu, root - 0.01 * np.tril(droot)
            np.fill_diagonal(root, np.maximum(np.diag(root), 1e-4))
        return mu, root

    return wrong


def _terms(dz, eps, mu, root):
    """(through z, from the KL) of dmu, and of droot."""
    through = dz.mean(axis=0), dz.T @ eps / len(eps)
    return through, (mu, root - np.diag(1 / np.diag(root)))


def _kl_forgotten(*args):
    return _terms(*args)[0]


def _summed(dz, eps, mu, root):
    (a, b), (c, d) = _terms(dz, eps, mu, root)
    return len(eps) * a + c, len(eps) * b + d


def _width_kept(*args):
    (a, b), (c, _) = _terms(*args)
    return a + c, 0 * b


def _diagonal_only(*args):
    (a, b), (c, d) = _terms(*args)
    return a + c, np.diag(np.diag(b + d))


def _log_lost(dz, eps, mu, root):
    (a, b), (c, _) = _terms(dz, eps, mu, root)
    return a + c, b + root


def _log_twice(dz, eps, mu, root):
    (a, b), (c, d) = _terms(dz, eps, mu, root)
    return a + c, b + d - np.diag(1 / np.diag(root))


def _square_lost(dz, eps, mu, root):
    (a, b), (c, d) = _terms(dz, eps, mu, root)
    return a + c, b + d - root


def _transposed(dz, eps, mu, root):
    (a, b), (c, d) = _terms(dz, eps, mu, root)
    return a + c, b.T + d


def _means_multiplied(dz, eps, mu, root):
    (a, _), (c, d) = _terms(dz, eps, mu, root)
    return a + c, np.outer(a, eps.mean(axis=0)) + d


SEARCH_Q = Exercise(
    id="06.search-q",
    title="search for the best tilted q of one image",
    stub=stub("""
        def search_q(nll_and_dz, eps):    # nll_and_dz(z): (K, L) -> nll (K,), dz (K, L) of each
            ...                           # eps (K, L), fixed -> mu (L,), root (L, L)
    """),
    reference=search_q,
    cases=_search_cases,
    observe=_nats_above,
    mistakes=(
        WrongAnswer(
            "the-prior",
            lambda nll_and_dz, eps: (np.zeros(eps.shape[1]), np.eye(eps.shape[1])),
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
            "Only mu is searched for; root is a part of q too.",
        ),
        WrongAnswer(
            "diagonal-only",
            _search_with(_diagonal_only),
            "The entries of root below the diagonal stay 0: q has no tilt.",
        ),
        WrongAnswer(
            "log-lost",
            _search_with(_log_lost),
            "The log in the KL is missing, and it alone keeps root from shrinking to 0.",
        ),
        WrongAnswer(
            "log-twice",
            _search_with(_log_twice),
            "The KL has half of 2 log root_jj: its derivative is 1 / root_jj, once.",
        ),
        WrongAnswer(
            "square-lost",
            _search_with(_square_lost),
            "The squares of root in the KL are missing: half of root_ij squared has slope root_ij.",
        ),
        WrongAnswer(
            "transposed",
            _search_with(_transposed),
            "root_ij takes eps_j to z_i: its slope is the mean of dz_i eps_j, not of dz_j eps_i.",
        ),
        WrongAnswer(
            "means-multiplied",
            _search_with(_means_multiplied),
            "dz and eps are averaged before they are multiplied: they belong together draw by "
            "draw.",
        ),
    ),
    hints=(
        "z_i = mu_i + sum_j root_ij eps_j. Which local derivative does each entry of root have? "
        "And what is the log of the determinant of a triangular matrix?",
        "KL = (|mu|^2 + sum of root_ij^2 - L) / 2 - sum_j log root_jj; through z, the mean over "
        "the draws of dz_i eps_j.",
        "From zeros and the identity, a thousand steps of 0.05 against dmu = "
        "dz.mean(axis=0) + mu and droot = np.tril(dz.T @ eps / K + root) - np.diag(1 / root_jj).",
    ),
)
