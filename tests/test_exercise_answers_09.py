"""Chapter 09: right answers in other styles are accepted, wrong ones on no list are not."""

import numpy as np
import pytest

from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.catalogue import exercises
from minivae.exercises.grading import grade


def loops_missing(log_w, K):
    out = []
    for b in range(log_w.shape[1]):
        w = np.exp(log_w[:, b] - max(log_w[:, b]))
        ess = sum(w) ** 2 / sum(w**2)
        out.append((len(w) / ess - 1) / (2 * K))
    return np.array(out)


def missing_by_cumulants(log_w, K):
    def log_mean(a):
        top = a.max(axis=0)
        return top + np.log(np.exp(a - top).mean(axis=0))

    return np.expm1(log_mean(2 * log_w) - 2 * log_mean(log_w)) / (2 * K)


def density_at_z(log_joint, logvar, eps, widen):
    sigma = widen * np.exp(logvar / 2)
    off = sigma * eps
    log_q = np.log(np.exp(-((off / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))).sum(axis=1)
    return np.logaddexp.reduce(log_joint - log_q) - np.log(len(eps))


def volume_after(log_joint, logvar, eps, widen):
    log_w = log_joint + 0.5 * (eps**2 + logvar + np.log(2 * np.pi)).sum(axis=1)
    return np.logaddexp.reduce(log_w) - np.log(len(eps)) + eps.shape[1] * np.log(widen)


def gap_by_correlations(cov):
    """Scaled to unit variances the gap stays the same."""
    scale = np.sqrt(np.diag(cov))
    rho = cov / scale[:, None] / scale
    return float(np.log(np.linalg.det(rho) * np.prod(np.diag(np.linalg.inv(rho)))) / 2)


def gap_by_cholesky(cov):
    half = np.linalg.inv(np.linalg.cholesky(cov))
    return 0.5 * np.log((half**2).sum(axis=0)).sum() - np.log(np.diag(half)).sum()


def zooming_integral(log_f, tolerance):
    """Starts from a fine grid, and doubles the number of cells; a list for the sums."""
    n, sums = 1000, []
    while len(sums) < 2 or abs(sums[-1] - sums[-2]) > tolerance / 2:
        z = -6 + 12 * (np.arange(n) + 0.5) / n
        sums.append(np.logaddexp.reduce(log_f(z)) + np.log(12 / n))
        n *= 2
    return float(sums[-1])


def trapezoids(log_f, tolerance):
    before, n = np.inf, 16
    while True:
        a = log_f(np.linspace(-6, 6, n + 1))
        a[[0, -1]] -= np.log(2)
        now = np.logaddexp.reduce(a) + np.log(12 / n)
        if abs(now - before) < tolerance:
            return now
        before, n = now, 3 * n


def mixture_by_sums(log_joint, log_a, log_b, share):
    """The larger part is taken out of the density by hand."""
    top = np.maximum(log_a, log_b)
    log_q = top + np.log(share * np.exp(log_a - top) + (1 - share) * np.exp(log_b - top))
    return np.logaddexp.reduce(log_joint - log_q) - np.log(len(log_q))


def shares(log_w):
    return np.exp(log_w - np.logaddexp.reduce(log_w, axis=0))


def bound_by_image(nll, dnll_dz, z, eps, logvar):
    """The mended gradient, image by image."""
    dmu, dlogvar = np.zeros_like(logvar), np.zeros_like(logvar)
    for b in range(len(logvar)):
        w = shares(-nll[:, b] + ((eps[:, b] ** 2 - z[:, b] ** 2) / 2).sum(axis=1))
        dz = w @ (dnll_dz[:, b] + z[:, b]) / len(logvar)
        dz_eps = w @ ((dnll_dz[:, b] + z[:, b]) * eps[:, b]) / len(logvar)
        dmu[b], dlogvar[b] = dz, (dz_eps * np.exp(logvar[b] / 2) - 1 / len(logvar)) / 2
    return dmu, dlogvar


def doubly_by_sums(log_w, dlogw_dz, eps, logvar):
    dz = np.einsum("kb,kbl->kbl", shares(log_w) ** 2, dlogw_dz) / -len(logvar)
    return dz.sum(axis=0), np.einsum("kbl,kbl,bl->bl", dz, eps, np.exp(logvar / 2)) / 2


def below_by_logaddexp(estimates, delta):
    return np.logaddexp.reduce(np.log(delta) - np.log(len(estimates)) + estimates)


RIGHT = {
    "09.surely-below": (below_by_logaddexp,),
    "09.two-islands": (mixture_by_sums,),
    "09.bug": (bound_by_image,),
    "09.doubly": (doubly_by_sums,),
    "09.missing-nats": (loops_missing, missing_by_cumulants),
    "09.too-low": (density_at_z, volume_after),
    "09.family-gap": (gap_by_correlations, gap_by_cholesky),
    "09.refine": (zooming_integral, trapezoids),
}


@pytest.mark.parametrize(
    ("id", "answer"), [(id, answer) for id, answers in RIGHT.items() for answer in answers]
)
def test_right_answers_in_other_styles(id, answer):
    verdict = grade(exercises()[id], answer)
    assert verdict.status == CORRECT, str(verdict)


def one_grid(h):
    def answer(log_f, tolerance):
        return np.logaddexp.reduce(log_f(np.arange(-6 + h / 2, 6, h))) + np.log(h)

    return answer


@pytest.mark.parametrize("h", [0.01, 0.003, 1e-4, 3e-5])
def test_no_fixed_grid_refines(h):
    """Too coarse for the needle, or too many heights for the wide function."""
    assert grade(exercises()["09.refine"], one_grid(h)).status == NOT_YET


def test_the_family_gap_is_the_smallest_kl():
    """A search over q's variances, from the definition of the KL, finds the same number."""
    reference = exercises()["09.family-gap"]
    for (cov,) in reference.cases():
        precision, L = np.linalg.inv(cov), len(cov)

        def kl(log_v, precision=precision, cov=cov, L=L):
            v = np.exp(log_v)
            return (
                (np.diag(precision) * v).sum() - L - log_v.sum() + np.log(np.linalg.det(cov))
            ) / 2

        best = min(kl(log_v) for log_v in np.random.default_rng(0).normal(-2, 2, (20_000, L)))
        at = -np.log(np.diag(precision))
        assert reference.reference(cov) == pytest.approx(kl(at))
        assert reference.reference(cov) <= best < reference.reference(cov) + 0.3


def test_missing_nats_is_what_a_large_k_lacks():
    """Weights 0.5 and 1.5 with equal probability: E log of the mean of K, by the binomial sum."""
    K = 400
    heads = np.arange(K + 1)
    log_factorials = np.concatenate([[0], np.cumsum(np.log(np.arange(1, K + 1)))])
    log_p = log_factorials[-1] - log_factorials - log_factorials[::-1] - K * np.log(2)
    exact = -(np.exp(log_p) * np.log((0.5 * heads + 1.5 * (K - heads)) / K)).sum()
    formula = exercises()["09.missing-nats"].reference(np.log([[0.5], [1.5]]), K)
    np.testing.assert_allclose(formula, exact, rtol=0.01)


def test_surely_below_is_seldom_above():
    """p(x) = 1, and each of four estimates of it is 50 in one case of 50, and else nearly 0."""
    reference, rng, delta = exercises()["09.surely-below"].reference, np.random.default_rng(0), 0.1
    estimates = np.where(rng.random((20_000, 4)) < 0.02, np.log(50), -1000)
    above = np.mean([reference(four, delta) > 0 for four in estimates])
    assert 0.02 < above < delta
