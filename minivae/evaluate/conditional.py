"""The numbers of a conditional model: all of log p(x|y), with the label of each image given.

The importance-weighted estimate is that of the ordinary VAE which the model is for one label
(`conditional.given`), label by label. Values are nats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minivae import checks, conditional, vae
from minivae import ops as numpy_ops
from minivae.evaluate.likelihood import (
    ENCODER_ROWS,
    LogLikelihood,
    Noise,
    Progress,
    log_likelihood_of_q,
    mean_terms,
    noise_streams,
    report_of,
    slices,
)
from minivae.vae import Params, Spec, unpack

if TYPE_CHECKING:
    from minivae.backend import Backend

Array = np.ndarray


def evaluate_conditional(
    flat: Array,
    x: Array,
    y: Array,
    spec: Spec,
    *,
    samples: int = 5000,
    seed: int = 0,
    ops: Backend = numpy_ops,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """What `evaluate` reports, of a conditional model: flat (P,), x (N, D), y (N,) classes -> dict.

    elbo bounds log p(x|y), and log_likelihood estimates it; nothing is said of p(y). `classes` is
    C. Each image has noise of its own, whatever its label. Raises MinivaeError as `evaluate` does,
    and for a y that is no class.
    """
    checks.check_samples(samples)
    seed = checks.check_whole(seed, "seed", *checks.INTEGER_RANGES["seed"])
    x = checks.check_observed(x, spec._replace(classes=0), flat.dtype)
    y = checks.check_classes(y, len(x), spec)
    elbo_rng, iw_rng = np.random.default_rng(seed).spawn(2)
    params = unpack(flat, spec)
    terms = conditional_elbo_terms(params, x, y, spec, rng=elbo_rng, ops=ops)
    found = LogLikelihood(*np.empty((3, len(x))))
    noise, done = noise_streams(iw_rng), 0
    for label in np.unique(y):
        own, plain = conditional.given(flat, spec, int(label))
        at = np.flatnonzero(y == label)
        own_noise = _of_images(noise, at)
        each = log_likelihood_of_q(unpack(own, plain), x[at], plain, samples, own_noise, None, ops)
        for array, values in zip(found, each, strict=True):
            array[at] = values
        done += len(at)
        if progress is not None:
            progress(done, len(x))
    means = (
        conditional.encode(params, x[rows], y[rows], spec, ops)[0]
        for rows in slices(len(x), ENCODER_ROWS)
    )
    return report_of(found, terms, means, seed, samples) | {"classes": spec.classes}


def _of_images(noise: Noise, at: Array) -> Noise:
    """The noise of the images `at`, (n,), numbered from 0."""
    return lambda i: noise(int(at[i]))


def conditional_elbo_terms(
    params: Params,
    x: Array,
    y: Array,
    spec: Spec,
    *,
    rng: np.random.Generator,
    ops: Backend = numpy_ops,
) -> vae.Terms:
    """`elbo_terms` of a conditional model: x (N, D), y (N,) classes -> vae.Terms of floats.

    Raises MinivaeError as `elbo_terms` does, and for a y that is no class.
    """
    checks.check_generator(rng)
    x = checks.check_observed(x, spec._replace(classes=0), params["mu_b"].dtype)
    y = checks.check_classes(y, len(x), spec)
    plain = spec._replace(free_bits=0.0)

    def terms_of(rows, eps):
        return conditional.elbo_forward(params, x[rows], y[rows], eps, plain, 1.0, ops)

    return mean_terms(terms_of, x, spec, rng)
