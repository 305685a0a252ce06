"""Two cures for latents that do not line up with factors, each a second term of the loss.

    total correlation   weight * mean_B tc_i                          needs no labels
    labels              weight * mean_n sum_f (mu_f - v_f)^2 / 2      over n labelled pictures

The gradient of a sum is the sum of the gradients: each cure makes its own pass through the encoder,
and its gradient is added to that of the ELBO before Adam's step. `train_with` is the loop of
`train.train` with that one line more; without a cure it is the same run, to the bit.

Shapes: B a batch, L latents, n labelled pictures, F factors, P parameters.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from minivae import data, train, vae
from minivae.backend import Backend, reproducible_sums
from minivae.evaluate.total_correlation import total_correlation_backward, total_correlation_forward
from minivae.settings import Settings
from minivae.spec import Params, Spec

Array = np.ndarray


class Cure(Protocol):
    """x (B, D) and eps (B, L) of a step -> value of the term, its gradient (P,)."""

    def __call__(
        self, params: Params, x: Array, eps: Array, spec: Spec, ops: Backend
    ) -> tuple[float, Array]: ...


def total_correlation_cure(weight: float, n_data: int) -> Cure:
    """weight * mean_B tc_i, of n_data pictures; with beta = 1 it is Chen et al.'s loss with
    1 + weight before the total correlation."""

    def cure(params, x, eps, spec, ops):
        flat = np.zeros(vae.n_params(spec), x.dtype)
        mu, logvar, c_encoder = vae.encoder_forward(params, x, spec, ops)
        z, c_z = ops.reparam_forward(mu, logvar, eps)
        tc, c_tc = total_correlation_forward(z, mu, logvar, n_data)
        dtc = np.full(len(x), weight / len(x), x.dtype)
        dz, dmu, dlogvar = total_correlation_backward(dtc, c_tc)
        dmu_z, dlogvar_z = ops.reparam_backward(dz, c_z)
        grads = vae.unpack(flat, spec)
        vae.encoder_backward(dmu + dmu_z, dlogvar + dlogvar_z, c_encoder, grads, ops)
        return weight * tc.mean(), flat

    return cure


def label_cure(weight: float, draw_pictures: Callable[[], Array], labels: Array) -> Cure:
    """weight * mean_n sum_f (mu_f - v_f)^2 / 2: the first F latents are asked to be the factors.

    draw_pictures: -> (n, D), the labelled pictures, with fresh noise where there is noise.
    labels: (n, F), in standard deviations, as the prior expects of a latent.
    """

    def cure(params, x, eps, spec, ops):
        flat = np.zeros(vae.n_params(spec), x.dtype)
        n, F = labels.shape
        mu, logvar, c_encoder = vae.encoder_forward(params, draw_pictures(), spec, ops)
        dmu = np.zeros_like(mu)
        dmu[:, :F] = (mu[:, :F] - labels) * (weight / n)
        grads = vae.unpack(flat, spec)
        vae.encoder_backward(dmu, np.zeros_like(logvar), c_encoder, grads, ops)
        return weight / (2 * n) * np.square(mu[:, :F] - labels).sum(), flat

    return cure


def train_with(
    cure: Cure | None, dataset: data.Dataset, settings: Settings, ops: Backend
) -> train.State:
    """Train to the end on ELBO and cure -> State."""
    state = train.new_state(dataset, settings)
    spec = settings.spec(dataset.train.shape[1])
    params = vae.unpack(state.flat, spec)
    n = len(dataset.train)
    per_epoch = settings.steps_per_epoch(n)
    with reproducible_sums(ops):
        for _ in range(settings.epochs):
            order = state.draw_order(n)
            for first in range(0, n, settings.batch_size):
                batch = order[first : first + settings.batch_size]
                x = data.draw_batch(
                    dataset.train, batch, settings.likelihood, state.streams["binarize"]
                )
                _step(cure, state, params, x, spec, settings, per_epoch, ops)
    return state


def _step(cure, state, params, x, spec, settings, per_epoch, ops):
    eps = state.streams["noise"].standard_normal((len(x), spec.latent_dim), dtype=np.float32)
    beta = train.kl_weight(settings, state.step, per_epoch)
    result = vae.elbo_and_grads(params, x, eps, spec, beta=beta, ops=ops)
    if cure is not None:
        result.flat_grads[...] += cure(params, x, eps, spec, ops)[1]
    lr = train.learning_rate(settings, state.step, settings.epochs * per_epoch)
    logvar = train.next_logvar(params, result.grads) if spec.learns_variance else None
    ops.adam_step(state.flat, result.flat_grads, state.m, state.v, state.step + 1, lr)
    if logvar is not None:
        params["out_logvar"][...] = logvar
        vae.clamp_variance(params, spec)
    state.step += 1
