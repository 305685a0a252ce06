"""What the study of the cats measures of each model, and what it compares with.

Shapes: F = 6 factors, L latents.
"""

from typing import Any

import numpy as np

from minivae import data, evaluate, vae
from minivae.backend import Backend
from minivae.data import cats
from minivae.evaluate import dci, decoder_metric, interpretability, ladder, sample_quality
from minivae.evaluate.renderer_fit import fit, ideal_estimates
from minivae.evaluate.total_correlation import total_correlation_forward
from minivae.settings import Settings

Array = np.ndarray
FIT_CATS = 10_000  # training cats whose codes fit the probes
CHECKED = 300  # pictures on which the ceiling is checked by fits
OTHER_BINS = (5, 20, 40)
REFERENCES, SAMPLES = 4_000, 1_000  # of coverage
FITTED_SAMPLES = 40
MOVED = 12  # codes that are moved along each direction
METRIC_CODES = 100
TC_CODES = 1_000


class Ground:
    """What every model is compared with: the data, the ceilings, and cats no model has seen."""

    def __init__(self, ops: Backend) -> None:
        self.ops = ops
        self.dataset = data.load("cats")
        self.made = cats.dataset()
        rng = np.random.default_rng(20)
        self.references = cats.draw(REFERENCES, rng)[0].reshape(REFERENCES, -1)
        self.held_out = cats.draw(SAMPLES, rng)[0].reshape(SAMPLES, -1)
        self.radii = sample_quality.neighbour_radii(self.references)

    def ceilings(self) -> dict[str, Any]:
        """The ideal observer's ladder for each likelihood, and fits that check it."""
        factors = self.made.test_factors
        result = {}
        for likelihood in ("bernoulli", "gaussian"):
            rng = np.random.default_rng(21)
            ideal = ideal_estimates(factors, rng, likelihood)
            x = data.test_images(self.dataset.test, likelihood)[:CHECKED]
            read = fit(x, likelihood).factors
            result[likelihood] = (
                _plain(ladder.measure(ideal, factors))
                | {
                    f"nats at {bins} bins": _list(ladder.measure(ideal, factors, bins).nats)
                    for bins in OTHER_BINS
                }
                | {
                    "r2 of fits": _list(_r2(read, factors[:CHECKED])),
                    "r2 of the same cats": _list(_r2(ideal[:CHECKED], factors[:CHECKED])),
                }
            )
        return result

    def reference_quality(self) -> dict[str, float]:
        """What real cats, which no model has seen, reach as samples."""
        return {"coverage": sample_quality.coverage(self.held_out, self.references, self.radii)}


def share(nats: Any, ceiling: dict[str, Any]) -> Array:
    """Nats (F,) as a share of the ceiling's."""
    return np.asarray(nats) / np.asarray(ceiling["nats"])


def measure(flat: Array, settings: Settings, ground: Ground) -> dict[str, Any]:
    """All measures of one model, as JSON values."""
    spec = settings.spec(ground.dataset.train.shape[1])
    params = vae.unpack(flat, spec)
    rng = np.random.default_rng(settings.seed)
    made, ops = ground.made, ground.ops
    x = data.test_images(ground.dataset.test, settings.likelihood)
    some = np.arange(FIT_CATS)
    seen = data.draw_batch(ground.dataset.train, some, settings.likelihood, rng)
    factors, held = made.train_factors[some], made.test_factors
    codes = _codes(params, seen, spec, rng, ops)[2]
    mu, logvar, z = _codes(params, x, spec, rng, ops)

    rungs = ladder.climb(codes, factors, z, held, rng)
    gap = interpretability.mutual_information_gap(held, z)
    importance = dci.dci(codes, factors, z, held, rng)
    terms = evaluate.elbo_terms(params, x, spec, rng=rng, ops=ops)
    result = {
        "whole": _plain(rungs.whole),
        "best": _plain(rungs.best),
        "fifty": _plain(rungs.fifty),
        "chosen": rungs.chosen.tolist(),
        "information": _list(gap.information),
        "mig": round(gap.mig, 5),
        "gaps": _list(gap.gaps),
        "disentanglement": round(importance.disentanglement, 5),
        "completeness": round(importance.completeness, 5),
        "informativeness": round(importance.informativeness, 5),
        "importance": _list(importance.importance),
        "elbo": terms.elbo,
        "nll": terms.nll,
        "kl": terms.kl,
        "active_units": evaluate.active_units(params, x, spec, ops=ops),
    }
    result |= _decoder(params, mu, logvar, z, rungs.knobs, spec, settings.beta, ops)
    result |= _samples(params, spec, rng, ground)
    return result | _dependence(mu, logvar, z)


def _decoder(params, mu, logvar, z, knobs, spec, beta, ops):
    """J'J, and what moves when a latent or a knob is turned."""
    G = decoder_metric.curvature(params, mu[:METRIC_CODES], spec)
    wanted = 1 + np.einsum("nll->nl", G) / beta
    given = np.exp(-logvar[:METRIC_CODES].astype(np.float64))
    latents = decoder_metric.responses(params, z[:MOVED], np.eye(spec.latent_dim), spec, ops)
    turned = decoder_metric.responses(params, z[:MOVED], knobs, spec, ops)
    return {
        "metric": _list(G.mean(axis=0)),
        "cosines": _list(decoder_metric.cosines(G)),
        "cosines_turned": _list(decoder_metric.cosines(_turned(G))),
        "precision_wanted": _list(np.median(wanted, axis=0)),
        "precision_given": _list(np.median(given, axis=0)),
        "leak": _list(latents.mean),
        "leak_size": _list(latents.size),
        "leak_distance": latents.distance,
        "knob": _list(turned.mean),
        "knob_size": _list(turned.size),
    }


def _turned(G):
    """G in axes turned at random, the same for all models: what no alignment looks like."""
    R = np.linalg.qr(np.random.default_rng(22).standard_normal(G.shape[1:]))[0]
    return R @ G @ R.T


def _samples(params, spec, rng, ground):
    samples = np.clip(vae.sample(params, SAMPLES, rng, spec, ground.ops), 0, 1)
    return {
        "sample_distance": float(fit(samples[:FITTED_SAMPLES], "gaussian").distance.mean()),
        "coverage": sample_quality.coverage(samples, ground.references, ground.radii),
    }


def _dependence(mu, logvar, z):
    """The KL in three parts, with the mean of TC_CODES posteriors as q(z)."""
    mu, logvar, z = (a[:TC_CODES].astype(np.float64) for a in (mu, logvar, z))
    n = len(z)
    estimate = total_correlation_forward(z, mu, logvar, n)[0].mean()
    # weights 1 / n in place of 1 / n^2: q(z) is exactly the mean of these n posteriors
    tc = estimate - (z.shape[1] - 1) * np.log(n)
    correlations = np.corrcoef(z.T)
    gaussian = -np.linalg.slogdet(correlations)[1] / 2
    return {"total_correlation": float(tc), "total_correlation_gaussian": float(gaussian)}


def _codes(params, x, spec, rng, ops):
    """mu, logvar and z ~ q(z|x), one draw for each image."""
    mu, logvar = vae.encode(params, x, spec, ops)
    eps = rng.standard_normal(mu.shape, dtype=np.float32)
    return mu, logvar, ops.reparam_forward(mu, logvar, eps)[0]


def _r2(estimates, factors):
    return 1 - np.square(estimates - factors).mean(axis=0) / factors.var(axis=0)


def _plain(rung):
    return {"r2": _list(rung.r2), "nats": _list(rung.nats)}


def _list(values):
    return np.asarray(values, np.float64).round(5).tolist()
