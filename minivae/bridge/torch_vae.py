"""The same VAE as an ordinary PyTorch module: what `bridge.to_torch` returns.

Nothing here is shared with `ops.py`: divergences and densities come from `torch.distributions` and
`torch.nn.functional`, gradients from autograd. So the module is also an independent check of ours.
Shapes: B batch, D data, L latent, K importance samples. Values are nats per example.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import log
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from minivae import checks
from minivae.bridge.transfer import PIXELS
from minivae.errors import MinivaeError
from minivae.runs import Model
from minivae.spec import OUT_LOGVAR_FLOOR, Spec, layout
from minivae.vae import Terms

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    # above the threshold PyTorch returns a itself; at its default of 20 that is 2e-9 off
    "softplus": partial(F.softplus, threshold=40),
}


def tensors(params: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Arrays by minivae's names, copied, as a state_dict: enc1_W (I, O) -> enc1.weight (O, I)."""
    state = {}
    for name, array in params.items():
        layer, _, part = name.rpartition("_")
        if part == "W":
            state[f"{layer}.weight"] = torch.tensor(array.T)
        elif part == "b":
            state[f"{layer}.bias"] = torch.tensor(array)
        else:
            state[name] = torch.tensor(array)
    return state


def arrays(state: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """The inverse of `tensors`: a state_dict's tensors, on any device, by minivae's names.

    The arrays may share the tensors' memory. A name that `tensors` does not make stays as it is.
    """
    params = {}
    for name, tensor in state.items():
        array = tensor.detach().cpu().numpy()
        if name.endswith(".weight"):
            params[name.removesuffix(".weight") + "_W"] = array.T
        elif name.endswith(".bias"):
            params[name.removesuffix(".bias") + "_b"] = array
        else:
            params[name] = array
    return params


class TorchVAE(nn.Module):
    """Linear layers under minivae's names: enc1, ..., mu, logvar, dec1, ..., out (and out_logvar).

    Inputs are tensors of the module's dtype and device; the pixels of a Bernoulli lie in 0 to 1.
    """

    def __init__(self, model: Model) -> None:
        """model: its parameters are copied."""
        super().__init__()
        self.spec: Spec = model.spec
        self.image_shape = model.image_shape
        for name, shape in layout(self.spec):
            if name.endswith("_W"):  # "meta": no memory, and no draw from PyTorch's generator
                n_in, n_out = shape
                self.add_module(name.removesuffix("_W"), nn.Linear(n_in, n_out, device="meta"))
        if self.spec.learns_variance:
            self.out_logvar = nn.Parameter(torch.empty(1, device="meta"))
        self.load_state_dict(tensors(model.params), assign=True)

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The parameters of q(z|x): x (B, D) -> mu, logvar (B, L). Raises MinivaeError for pixels
        that `vae.encode` refuses, and for any that are not floats."""
        self._check_pixels(x)
        return self._q(x)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """The parameters of p(x|z): z (..., L) -> Bernoulli logits, or Gaussian means, (..., D)."""
        return self._dense("out", self._hidden("dec", z))

    def elbo(self, x: torch.Tensor, eps: torch.Tensor, *, beta: float = 1.0) -> Terms:
        """The terms of `vae.elbo`, as tensors: x (B, D), eps (B, L) -> Terms.

        `loss` is what to call `backward()` on. Raises MinivaeError for what `vae.elbo` refuses.
        """
        self._check_pixels(x)
        self._check_noise(eps, len(x), self.spec.latent_dim)
        if not torch.compiler.is_compiling():
            checks.check_number(beta, "beta")
        mu, logvar = self._q(x)
        q = _normal(mu, logvar)
        nll = self._nll(self.decode(q.loc + q.scale * eps), x).mean()
        kl: Any = kl_divergence(q, _standard_normal(mu)).mean(dim=0)  # (L,)
        free_bits = self.spec.free_bits
        kl_counted = torch.where(kl <= free_bits, free_bits, kl)  # so a NaN stays a NaN
        return Terms(nll + beta * kl_counted.sum(), -(nll + kl.sum()), nll, kl.sum())

    def iwae(self, x: torch.Tensor, eps: torch.Tensor) -> Terms:
        """The terms of `vae.iwae`, as tensors: x (B, D), eps (K, B, L) -> Terms.

        Raises MinivaeError for what `vae.iwae` refuses.
        """
        self._check_pixels(x)
        self._check_noise(eps, len(eps), len(x), self.spec.latent_dim)
        mu, logvar = self._q(x)
        q = _normal(mu, logvar)
        z = q.loc + q.scale * eps
        nll = self._nll(self.decode(z), x)  # (K, B)
        kl = (q.log_prob(z) - _standard_normal(mu).log_prob(z)).sum(dim=-1)  # (K, B), sampled
        bound: Any = (torch.logsumexp(-nll - kl, dim=0) - log(len(eps))).mean()
        nll, kl = nll.mean(), kl.mean()
        return Terms(-bound, -(nll + kl), nll, kl)

    def forward(self, x: torch.Tensor, eps: torch.Tensor, *, beta: float = 1.0) -> Terms:
        """`elbo`, or `iwae` for an eps of (K, B, L): DistributedDataParallel calls only this."""
        if eps.ndim == 2:
            return self.elbo(x, eps, beta=beta)
        if beta != 1:
            raise MinivaeError(f"beta is {beta!r}; for the importance-weighted bound it must be 1")
        return self.iwae(x, eps)

    @torch.no_grad()
    def clamp_variance(self) -> None:
        """Raise the learned variance to its floor, as `vae.clamp_variance`: after every step."""
        if self.spec.learns_variance:
            self.out_logvar.clamp_(min=OUT_LOGVAR_FLOOR)

    def _q(self, x):
        h = self._hidden("enc", x)
        return self._dense("mu", h), self._dense("logvar", h)

    def _hidden(self, side, h):
        f = ACTIVATIONS[self.spec.activation]
        for i in range(1, len(self.spec.hidden) + 1):
            h = f(self._dense(f"{side}{i}", h))
        return h

    def _dense(self, name, h):
        return self.get_submodule(name)(h)

    def _nll(self, out, x):
        """-log p(x|z): out (..., B, D), x (B, D) -> (..., B)."""
        x = x.expand_as(out)
        if self.spec.likelihood == "bernoulli":
            return _bernoulli_nll(out, x).sum(dim=-1)
        if self.spec.learns_variance:
            return -_normal(out, self.out_logvar).log_prob(x).sum(dim=-1)
        return -Normal(out, self.spec.variance**0.5).log_prob(x).sum(dim=-1)

    def _check_pixels(self, x):
        """Values too, except while PyTorch compiles the module: that cannot look at them."""
        if not isinstance(x, torch.Tensor):
            raise MinivaeError(f"x is a {type(x).__name__}; this module takes a torch.Tensor")
        if not x.is_floating_point():
            raise MinivaeError(f"x has dtype {x.dtype}; {PIXELS}")
        if x.shape[1:] != (self.spec.data_dim,) or not len(x):
            shape = tuple(x.shape)
            raise MinivaeError(
                f"x has shape {shape}; this model takes (B, {self.spec.data_dim}), at least one row"
            )
        if not torch.compiler.is_compiling():
            low, high = torch.aminmax(x.detach())  # both are NaN if x holds a NaN
            checks.check_pixel_range(float(low), float(high), self.spec)

    def _check_noise(self, eps, *shape):
        if not isinstance(eps, torch.Tensor) or not eps.is_floating_point():
            kind = getattr(eps, "dtype", type(eps).__name__)
            raise MinivaeError(f"eps is {kind}; it must be a tensor of floats, {shape}")
        if eps.shape != shape or not eps.numel():
            raise MinivaeError(f"eps has shape {tuple(eps.shape)}; it must be {shape}")


def _bernoulli_nll(logits, x):
    """-log p of each pixel: 0 or infinity at an infinite logit, where PyTorch's own is NaN."""
    infinite = logits.isinf()
    nll = F.binary_cross_entropy_with_logits(logits.masked_fill(infinite, 0), x, reduction="none")
    factor = (logits > 0).to(x.dtype) - x  # d nll / d logit there
    at_infinity = logits.masked_fill(~infinite | (factor == 0), 0) * factor
    return torch.where(infinite, at_infinity, nll)


def _normal(mu, logvar):
    return Normal(mu, torch.exp(logvar / 2))  # logvar = log sigma^2


def _standard_normal(mu):
    return Normal(torch.zeros_like(mu), torch.ones_like(mu))
