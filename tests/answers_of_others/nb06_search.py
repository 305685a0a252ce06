"""Notebook 06: answers to `06.search-q`."""

import numpy as np
from answers_of_others.registry import right, wrong


@right("06.search-q")
def with_momentum(nll_and_dz, eps):
    K, L = eps.shape
    mu, root = np.zeros(L), np.eye(L)
    speed_mu, speed_root = np.zeros(L), np.zeros((L, L))
    for _ in range(1500):
        dz = nll_and_dz(mu + np.einsum("ij,kj->ki", root, eps))[1]
        slope = np.einsum("ki,kj->ij", dz, eps) / K + root - np.diag(1 / np.diag(root))
        speed_mu = 0.8 * speed_mu - 0.01 * (dz.mean(axis=0) + mu)
        speed_root = 0.8 * speed_root - 0.01 * np.tril(slope)
        mu, root = mu + speed_mu, root + speed_root
    return mu, root


@right("06.search-q")
def one_vector_and_halved_steps(nll_and_dz, eps):
    K, L = eps.shape
    rows, columns = np.tril_indices(L)
    q, step = np.concatenate([np.zeros(L), np.eye(L)[rows, columns]]), 0.5

    def unpacked(q):
        root = np.zeros((L, L))
        root[rows, columns] = q[L:]
        return q[:L], root

    def cost(q):
        mu, root = unpacked(q)
        if (np.diag(root) <= 0).any():
            return np.inf, None
        nll, dz = nll_and_dz(mu + eps @ root.T)
        kl = (mu @ mu + (root**2).sum() - L) / 2 - np.log(np.diag(root)).sum()
        droot = dz.T @ eps / K + root - np.diag(1 / np.diag(root))
        return nll.mean() + kl, np.concatenate([dz.mean(axis=0) + mu, droot[rows, columns]])

    now, slope = cost(q)
    for _ in range(2000):
        ahead = cost(q - step * slope)
        if ahead[0] < now:
            q, (now, slope), step = q - step * slope, ahead, 1.2 * step
        else:
            step /= 2
    return unpacked(q)


@right("06.search-q")
def draw_by_draw_in_loops(nll_and_dz, eps):
    K, L = eps.shape
    mu, root = [0.0] * L, [[float(i == j) for j in range(L)] for i in range(L)]
    for _ in range(600):
        _, dz = nll_and_dz(np.array(mu) + eps @ np.array(root).T)
        for i in range(L):
            for j in range(i + 1):
                slope = dz[:, i] @ eps[:, j] / K + root[i][j] - (i == j) / root[i][i]
                root[i][j] -= 0.04 * slope
            mu[i] -= 0.04 * (dz[:, i].sum() / K + mu[i])
    return mu, root


def descended(slopes, steps=1000, lr=0.02):
    """A search with its own slopes(dz, eps, mu, root) -> of mu, of root."""

    def search(nll_and_dz, eps):
        L = eps.shape[1]
        mu, root = np.zeros(L), np.eye(L)
        for _ in range(steps):
            _, dz = nll_and_dz(mu + eps @ root.T)
            dmu, droot = slopes(dz, eps, mu, root)
            mu, root = mu - lr * dmu, root - lr * np.tril(droot)
            np.fill_diagonal(root, np.maximum(np.diag(root), 1e-3))
        return mu, root

    search.__name__ = slopes.__name__
    return search


def right_slopes(dz, eps, mu, root):
    return dz.mean(axis=0) + mu, dz.T @ eps / len(eps) + root - np.diag(1 / np.diag(root))


found = descended(right_slopes)


@wrong("06.search-q")
@descended
def uphill_in_mu(dz, eps, mu, root):
    dmu, droot = right_slopes(dz, eps, mu, root)
    return 0.2 * np.clip(-dmu, -1, 1), droot


@wrong("06.search-q")
@descended
def kl_forgotten_for_mu(dz, eps, mu, root):
    return dz.mean(axis=0), right_slopes(dz, eps, mu, root)[1]


@wrong("06.search-q")
@descended
def kl_forgotten_for_root(dz, eps, mu, root):
    return right_slopes(dz, eps, mu, root)[0], dz.T @ eps / len(eps)


@wrong("06.search-q")
@descended
def kl_pulls_the_root_to_one(dz, eps, mu, root):
    return dz.mean(axis=0) + mu, dz.T @ eps / len(eps) + root - np.eye(len(mu))


@wrong("06.search-q")
@descended
def as_if_root_were_the_variance(dz, eps, mu, root):
    return dz.mean(axis=0) + mu, dz.T @ eps / len(eps) + (
        np.eye(len(mu)) - np.diag(1 / np.diag(root))
    ) / 2


@wrong("06.search-q")
@descended
def inverse_of_the_whole_root(dz, eps, mu, root):
    return dz.mean(axis=0) + mu, dz.T @ eps / len(eps) + root - np.linalg.inv(root)


@wrong("06.search-q")
@descended
def inverse_transposed(dz, eps, mu, root):
    return dz.mean(axis=0) + mu, dz.T @ eps / len(eps) + root.T - np.diag(1 / np.diag(root))


@wrong("06.search-q")
@descended
def half_of_the_way_through_z(dz, eps, mu, root):
    return dz.mean(axis=0) + mu, dz.T @ eps / len(eps) / 2 + root - np.diag(1 / np.diag(root))


@wrong("06.search-q")
@descended
def kl_counted_twice(dz, eps, mu, root):
    dmu, droot = right_slopes(dz, eps, mu, root)
    return dmu + mu, droot + root - np.diag(1 / np.diag(root))


@wrong("06.search-q")
@descended
def the_first_draw_only(dz, eps, mu, root):
    return dz[0] + mu, np.outer(dz[0], eps[0]) + root - np.diag(1 / np.diag(root))


@wrong("06.search-q")
@descended
def kl_divided_by_the_draws(dz, eps, mu, root):
    dmu, droot = right_slopes(dz, eps, mu, root)
    rest = 1 - 1 / len(eps)
    return dmu - rest * mu, droot - rest * (root - np.diag(1 / np.diag(root)))


@wrong("06.search-q")
@descended
def eps_left_out(dz, eps, mu, root):
    return dz.mean(axis=0) + mu, np.diag(dz.mean(axis=0)) + root - np.diag(1 / np.diag(root))


@wrong("06.search-q")
def fresh_draws_at_every_step(nll_and_dz, eps):
    rng, L = np.random.default_rng(0), eps.shape[1]
    mu, root = np.zeros(L), np.eye(L)
    for _ in range(500):
        noise = rng.standard_normal(eps.shape)
        dmu, droot = right_slopes(nll_and_dz(mu + noise @ root.T)[1], noise, mu, root)
        mu, root = mu - 0.02 * dmu, root - 0.02 * np.tril(droot)
    return mu, root


@wrong("06.search-q")
def twenty_steps(nll_and_dz, eps):
    return descended(right_slopes, steps=20)(nll_and_dz, eps)


@wrong("06.search-q")
def steps_too_short(nll_and_dz, eps):
    return descended(right_slopes, lr=1e-4)(nll_and_dz, eps)


@wrong("06.search-q")
def steps_too_long(nll_and_dz, eps):
    return descended(right_slopes, steps=50, lr=2.0)(nll_and_dz, eps)


@wrong("06.search-q")
def drawn_with_the_transposed_root(nll_and_dz, eps):
    L = eps.shape[1]
    mu, root = np.zeros(L), np.eye(L)
    for _ in range(1000):
        dmu, droot = right_slopes(nll_and_dz(mu + eps @ root)[1], eps, mu, root)
        mu, root = mu - 0.02 * dmu, root - 0.02 * np.tril(droot)
    return mu, root


@wrong("06.search-q")
def upper_triangle_kept(nll_and_dz, eps):
    L = eps.shape[1]
    mu, root = np.zeros(L), np.eye(L)
    for _ in range(1000):
        dz = nll_and_dz(mu + eps @ root.T)[1]
        mu, root = (
            mu - 0.02 * (dz.mean(axis=0) + mu),
            root - 0.02 * right_slopes(dz, eps, mu, root)[1],
        )
    return mu, root


@wrong("06.search-q")
def log_of_the_diagonal_returned(nll_and_dz, eps):
    mu, root = found(nll_and_dz, eps)
    return mu, np.tril(root, -1) + np.diag(np.log(np.diag(root)))


@wrong("06.search-q")
def precision_returned(nll_and_dz, eps):
    mu, root = found(nll_and_dz, eps)
    return mu, np.linalg.cholesky(np.linalg.inv(root @ root.T))


@wrong("06.search-q")
def inverse_returned(nll_and_dz, eps):
    mu, root = found(nll_and_dz, eps)
    return mu, np.linalg.inv(root)


@wrong("06.search-q")
def only_the_diagonal_returned(nll_and_dz, eps):
    mu, root = found(nll_and_dz, eps)
    return mu, np.diag(root)


@wrong("06.search-q")
def only_mu_returned(nll_and_dz, eps):
    return found(nll_and_dz, eps)[0]


@wrong("06.search-q")
def mu_as_a_row(nll_and_dz, eps):
    mu, root = found(nll_and_dz, eps)
    return mu[None], root


@wrong("06.search-q")
def tilt_cut_off_at_the_end(nll_and_dz, eps):
    mu, root = found(nll_and_dz, eps)
    return mu, np.diag(np.diag(root))


@wrong("06.search-q")
def likeliest_draw(nll_and_dz, eps):
    nll, _ = nll_and_dz(eps)
    return eps[nll.argmin()], 0.1 * np.eye(eps.shape[1])


@wrong("06.search-q")
def from_weighted_draws(nll_and_dz, eps):
    nll, _ = nll_and_dz(eps)
    w = np.exp(nll.min() - nll)
    mu = w @ eps / w.sum()
    cov = (w[:, None] * (eps - mu)).T @ (eps - mu) / w.sum()
    return mu, np.linalg.cholesky(cov + 1e-6 * np.eye(len(mu)))


@wrong("06.search-q")
def eps_centred_first(nll_and_dz, eps):
    return found(nll_and_dz, (eps - eps.mean(axis=0)) / eps.std(axis=0))


@wrong("06.search-q")
def eps_centred_in_place(nll_and_dz, eps):
    eps -= eps.mean(axis=0)
    return found(nll_and_dz, eps)
