"""The same model in PyTorch and in JAX, and as a .safetensors file.

    module = to_torch(model)                an ordinary nn.Module; from_torch(module) converts back
    params, functions = to_jax(model)       arrays and pure functions; from_jax(params, model)
    save_safetensors(path, model)           load_safetensors(path) -> model

A `model` is a `runs.Model`. Values are copied, bit for bit, in the model's own float32 or float64;
what cannot be converted exactly is refused with a MinivaeError. The three libraries are
optional, and imported when they are used.
"""

import importlib
from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from minivae import checks
from minivae.bridge.safetensors import load_safetensors, save_safetensors
from minivae.bridge.transfer import checked, gather, import_library
from minivae.errors import MinivaeError
from minivae.runs import Model
from minivae.spec import Spec, unpack

if TYPE_CHECKING:  # optional libraries
    import jax
    import torch

    from minivae.bridge.torch_vae import TorchVAE

__all__ = [
    "from_jax",
    "from_torch",
    "load_safetensors",
    "save_safetensors",
    "to_jax",
    "to_torch",
    "to_torch_adam",
]


# ---- PyTorch ---------------------------------------------------------------------------------


def to_torch(model: Model) -> "TorchVAE":
    """A `torch_vae.TorchVAE`, an nn.Module with encode, decode, elbo and iwae, on the CPU.

    Raises MinivaeError if `model` is no Model, or holds NaN or infinity.
    """
    torch_vae = _import_torch_vae()
    return torch_vae.TorchVAE(checked(model))


def from_torch(module: Any) -> Model:
    """The Model of a module that `to_torch` made, copied from any device.

    Raises MinivaeError if layers or tensors were exchanged, added or removed, are not all float32
    or all float64, hold NaN or infinity, or if the learned variance is below its floor.
    """
    torch_vae = _import_torch_vae()
    _check_module(module, torch_vae)
    state = module.state_dict()
    for name, tensor in state.items():
        if tensor.is_meta or str(tensor.dtype) not in ("torch.float32", "torch.float64"):
            found = "on the meta device" if tensor.is_meta else tensor.dtype
            raise MinivaeError(
                f"the module's {name} is {found}; it must hold float32 or float64 numbers"
            )
    return gather(torch_vae.arrays(state), module.spec, module.image_shape, "the module")


def to_torch_adam(
    module: "TorchVAE", *, m: np.ndarray, v: np.ndarray, step: int, lr: float
) -> "torch.optim.Adam":
    """torch.optim.Adam over the module, which continues after `step` steps of minivae's Adam.

    m, v: (P,), the moments in a checkpoint, copied. Raises MinivaeError if they do not fit.
    """
    torch_vae = _import_torch_vae()
    torch = import_library("torch")
    for name, flat in (("m", m), ("v", v)):
        checks.check_flat(flat, module.spec.n_params, f"Adam's {name}")
    first, second = (torch_vae.tensors(unpack(flat, module.spec)) for flat in (m, v))
    optimizer = torch.optim.Adam(module.parameters(), lr=lr)
    for name, parameter in module.named_parameters():
        count = torch.tensor(float(step))
        optimizer.state[parameter] = {
            "step": count,
            "exp_avg": first[name],
            "exp_avg_sq": second[name],
        }
    return optimizer


def _check_module(module: Any, torch_vae: Any) -> None:
    if type(module) is not torch_vae.TorchVAE:
        raise MinivaeError(
            f"this is a {type(module).__name__}, and only a module made by to_torch can be "
            "converted; of a wrapper such as DistributedDataParallel, give its .module"
        )
    if not isinstance(module.spec, Spec):
        raise MinivaeError(f"the module's spec is {module.spec!r}; it must be a minivae.vae.Spec")
    for name, layer in module.named_modules():
        if name and type(layer) is not torch_vae.nn.Linear:
            found = type(layer).__name__
            raise MinivaeError(f"the module's {name} is a {found}; it must be a plain Linear")


# ---- JAX -------------------------------------------------------------------------------------


def to_jax(model: Model) -> tuple[dict[str, "jax.Array"], SimpleNamespace]:
    """(params, functions): a dict of JAX arrays by minivae's names, and functions that take it.

    functions.encode(params, x), .decode(params, z), .elbo(params, x, eps, beta=1.0),
    .iwae(params, x, eps) and .clamp_variance(params) are pure: jit, grad and vmap apply. Raises
    MinivaeError as `to_torch`, and for a float64 model unless JAX is set to keep float64.
    """
    jax = import_library("jax")
    jax_vae = importlib.import_module("minivae.bridge.jax_vae")
    model = checked(model)
    if jax.dtypes.canonicalize_dtype(model.flat.dtype) != model.flat.dtype:
        raise MinivaeError(
            "the model is float64, which JAX would round to float32; "
            'call jax.config.update("jax_enable_x64", True) first'
        )
    names = ("encode", "decode", "elbo", "iwae", "clamp_variance")
    functions = {name: partial(getattr(jax_vae, name), spec=model.spec) for name in names}
    params = {name: jax.numpy.array(array) for name, array in model.params.items()}
    return params, SimpleNamespace(**functions)


def from_jax(params: Mapping[str, Any], model: Model) -> Model:
    """The Model with `model`'s spec and these parameters, copied; refused as by `from_torch`."""
    arrays = {name: np.asarray(array) for name, array in params.items()}
    return gather(arrays, model.spec, model.image_shape, "params")


def _import_torch_vae() -> Any:
    import_library("torch")
    return importlib.import_module("minivae.bridge.torch_vae")
