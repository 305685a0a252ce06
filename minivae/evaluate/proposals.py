"""Two proposals for the same log p(x): does the second find mass that the first one missed?"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minivae import checks, vae
from minivae import ops as numpy_ops
from minivae.evaluate.likelihood import LogLikelihood, log_likelihood_of_q, noise_streams
from minivae.vae import Params, Spec

if TYPE_CHECKING:
    from minivae.backend import Backend

Array = np.ndarray


class Proposals(NamedTuple):
    """log p(x) of N images by the encoder's q and by a second proposal; nats.

    `difference` is second - first, (N,), and `stderr` its Monte Carlo standard error, (N,).
    """

    first: LogLikelihood
    second: LogLikelihood
    difference: Array
    stderr: Array


def compare_proposals(
    params: Params,
    x: Array,
    spec: Spec,
    *,
    samples: int,
    rng: np.random.Generator,
    q: tuple[Array, Array] | None = None,
    width: float = 3.0,
    ops: Backend = numpy_ops,
) -> Proposals:
    """`log_likelihood` twice, the second time from another proposal: x (N, D) -> Proposals.

    The second proposal is `q`, a pair mu, logvar (N, L), or else the encoder's q made `width` times
    as wide. Good candidates for q are `best_q`, started away from the encoder's, and the prior
    (zeros and zeros), which lies wherever a posterior can, but has few samples near it if there are
    more than two or three latents.

    The mean of the weights is right on average whatever the proposal, so each estimate exceeds
    log p(x) by more than t nats with probability exp(-t) at most (Markov's inequality), and the
    higher of the two is the better. A difference far above 0 therefore says that the first missed
    mass. A difference near 0 is evidence only where the second proposal reaches what the first may
    have missed, and `second.ess` is not small: that both miss the same mode cannot be excluded.

    Raises MinivaeError as `log_likelihood` does, and unless width is above 1.
    """
    checks.check_samples(samples)
    checks.check_generator(rng)
    width = checks.check_number(width, "width", above=1)
    x = checks.check_observed(x, spec, params["mu_b"].dtype)
    mu, logvar, _ = vae.encoder_forward(params, x, spec, ops)
    if q is None:
        second_q = mu, logvar + 2 * log(width)
    else:
        second_q = checks.check_q_values(*q, len(x), spec)
    first_rng, second_rng = rng.spawn(2)
    first = log_likelihood_of_q(
        params, x, spec, samples, noise_streams(first_rng), (mu, logvar), ops
    )
    second = log_likelihood_of_q(params, x, spec, samples, noise_streams(second_rng), second_q, ops)
    return Proposals(
        first,
        second,
        difference=second.log_p - first.log_p,
        stderr=np.hypot(first.mc_stderr, second.mc_stderr),
    )
