"""The random points at which a whole model is checked: generic, and away from every kink."""

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from minivae import conditional, gan, vae
from minivae import ops as numpy_ops
from minivae.errors import MinivaeError
from minivae.gradcheck.cases import AnyCase, Case, GanCase
from minivae.spec import Params, n_params, unpack

MODULES = {"vae": vae, "conditional": conditional, "gan": gan}
KINKED = ("relu",)  # activations whose slope jumps at 0
KINK_MARGIN = 1e-3  # much larger than any step of the differences
FAINTEST = 1e-3  # a block whose gradient is smaller is lost in the rounding of the differences


def generic_point(case: AnyCase, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """flat (P,), x (B, D) and eps (B, L) or (K, B, L), at which the check is meaningful.

    For a GAN eps is z, and flat has both players. No block's gradient is nearly 0, and nothing is
    near a kink of an activation or of the free bits.
    Raises MinivaeError where none of 1000 draws is such a point.
    """
    rng = np.random.default_rng(seed)
    for _ in range(1000):
        flat, x, eps = _draw(case, rng)
        if _is_smooth(case, flat, x, eps) and _is_generic(case, flat, x, eps):
            return flat, x, eps
    raise MinivaeError(f"no point away from the kinks was found for {case.name}; try another seed")


def own_part(case: AnyCase, flat: np.ndarray) -> np.ndarray:
    """The parameters that are checked, a view of flat (P,): all, or those of a GAN's player."""
    if isinstance(case, GanCase):
        generator, discriminator = gan.split(flat, case.spec)
        return generator if case.player == "generator" else discriminator
    return flat


def own_blocks(case: AnyCase, flat: np.ndarray) -> Params:
    """`own_part` by name: views of flat."""
    params = unpack(flat, case.spec)
    if isinstance(case, GanCase):
        own = case.player == "generator"
        return {name: p for name, p in params.items() if name.startswith(gan.GENERATOR) == own}
    return params


def bound(model: ModuleType, case: AnyCase) -> Callable[..., Any]:
    """The case's bound, forward only: a function (params, x, eps, ops) -> Terms, without checks,
    which would take a sixth of its time. For a GAN, the player's loss.

    model: the case's module, such as `minivae.vae`, or the same module with a planted mistake.
    """
    if isinstance(case, GanCase):
        return _play(model, case, "_loss")

    def labelled(params, x, eps, ops):
        return model.elbo_forward(params, x, case.labels, eps, case.spec, case.beta, ops)

    def elbo(params, x, eps, ops):
        return model.elbo_forward(params, x, eps, case.spec, case.beta, ops)

    def iwae(params, x, eps, ops):
        mu, logvar, _ = model.encoder_forward(params, x, case.spec, ops)
        return model.iwae_forward(params, x, mu, logvar, eps, case.spec, ops)[0]

    if case.spec.classes:
        return labelled
    return iwae if case.samples else elbo


def bound_and_grads(model: ModuleType, case: AnyCase) -> Callable[..., Any]:
    """The case's bound and its gradient: a function (params, x, eps, ops) -> TermsAndGrads, or a
    player's LossAndGrads."""
    if isinstance(case, GanCase):
        return _play(model, case, "_loss_and_grads")

    def labelled(params, x, eps, ops):
        spec, beta = case.spec, case.beta
        return model.elbo_and_grads(params, x, case.labels, eps, spec, beta=beta, ops=ops)

    def elbo(params, x, eps, ops):
        return model.elbo_and_grads(params, x, eps, case.spec, beta=case.beta, ops=ops)

    def iwae(params, x, eps, ops):
        return model.iwae_and_grads(params, x, eps, case.spec, ops=ops)

    if case.spec.classes:
        return labelled
    return iwae if case.samples else elbo


def _play(model, case, what):
    function = getattr(model, case.player + what)

    def loss(params, x, z, ops):
        real = (x,) if case.player == "discriminator" else ()
        return function(params, *real, z, case.spec, ops=ops)

    return loss


def kl_per_latent(case: Case, params: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """The KL of each latent, averaged over the batch: (L,) nats."""
    if case.spec.classes:
        q = conditional.encode(params, x, case.labels, case.spec)
    else:
        q = vae.encode(params, x, case.spec)
    kl, _ = numpy_ops.gaussian_kl_forward(*q)
    return kl.mean(axis=0)


def _draw(case, rng):
    spec = case.spec
    flat = np.empty(n_params(spec))
    for name, block in unpack(flat, spec).items():
        spread = len(block) ** -0.5 if name.endswith("_W") else 0.5
        block[...] = spread * rng.standard_normal(block.shape)
    x = rng.random((case.batch, spec.data_dim))
    shape = (case.batch, spec.latent_dim)
    return flat, x, rng.standard_normal((case.samples, *shape) if case.samples else shape)


def _is_smooth(case, flat, x, eps):
    """No input of an activation with a kink is near 0, and no latent's KL is near its free bits."""
    distances = []

    def dense_forward(x, W, b, activation):
        if activation in KINKED:
            distances.append(np.abs(x @ W + b).min())
        return numpy_ops.dense_forward(x, W, b, activation)

    watched = SimpleNamespace(**vars(numpy_ops) | {"dense_forward": dense_forward})
    params = unpack(flat, case.spec)
    bound(MODULES[case.module], case)(params, x, eps, ops=watched)
    if isinstance(case, Case) and not case.samples and case.spec.free_bits:
        distances.append(np.abs(kl_per_latent(case, params, x) - case.spec.free_bits).min())
    return min(distances, default=1.0) > KINK_MARGIN


def _is_generic(case, flat, x, eps):
    """Each block's gradient is large enough for differences to see, and the KL of some latents, but
    not of all, is above the free bits."""
    params = unpack(flat, case.spec)
    grads = bound_and_grads(MODULES[case.module], case)(params, x, eps, ops=numpy_ops).grads
    if min(np.abs(g).max() for g in grads.values()) < FAINTEST:
        return False
    if isinstance(case, GanCase) or case.samples or not case.spec.free_bits:
        return True
    above = kl_per_latent(case, params, x) > case.spec.free_bits
    return above.any() and not above.all()
