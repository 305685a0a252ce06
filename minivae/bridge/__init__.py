"""The way out: the same model in PyTorch and in JAX, and weights as a .safetensors file.

    module = to_torch(model)                an ordinary nn.Module; from_torch(module) comes back
    params, functions = to_jax(model)       arrays and pure functions; from_jax(params, model)
    save_safetensors(path, model)           load_safetensors(path) -> model

A `model` is a `runs.Model`. Values are copied, bit for bit, in the model's own float32 or float64;
what cannot be carried over that way is refused with a MinivaeError. The three libraries are
optional, and imported when they are used.
"""

import importlib
import json
from functools import partial
from types import SimpleNamespace

import numpy as np

from minivae import checks, files, runs, vae
from minivae.errors import MinivaeError

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
METADATA_KEY = "minivae"  # one key: the library writes several in no fixed order
FORMAT_VERSION = 1


# ---- PyTorch ---------------------------------------------------------------------------------


def to_torch(model):
    """A `torch_vae.TorchVAE`, an nn.Module with encode, decode, elbo and iwae, on the CPU."""
    torch_vae = _import_torch_vae()
    return torch_vae.TorchVAE(_checked(model))


def from_torch(module):
    """The Model of a module that `to_torch` made, copied from whatever device it is on.

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
    return _gather(torch_vae.arrays(state), module.spec, module.image_shape, "the module")


def to_torch_adam(module, *, m, v, step, lr):
    """torch.optim.Adam over the module, going on after `step` steps of minivae's Adam.

    m, v: (P,), the moments in a checkpoint, copied. Raises MinivaeError if they do not fit.
    """
    torch_vae = _import_torch_vae()
    torch = _import("torch")
    for name, flat in (("m", m), ("v", v)):
        _check_flat(flat, module.spec, f"Adam's {name}")
    m, v = (torch_vae.tensors(vae.unpack(flat, module.spec)) for flat in (m, v))
    optimizer = torch.optim.Adam(module.parameters(), lr=lr)
    for name, parameter in module.named_parameters():
        count = torch.tensor(float(step))
        optimizer.state[parameter] = {"step": count, "exp_avg": m[name], "exp_avg_sq": v[name]}
    return optimizer


def _check_module(module, torch_vae):
    if type(module) is not torch_vae.TorchVAE:
        raise MinivaeError(
            f"this is a {type(module).__name__}, and only a module made by to_torch comes back; "
            "of a wrapper such as DistributedDataParallel, give its .module"
        )
    if not isinstance(module.spec, vae.Spec):
        raise MinivaeError(f"the module's spec is {module.spec!r}; it must be a vae.Spec")
    for name, layer in module.named_modules():
        if name and type(layer) is not torch_vae.nn.Linear:
            found = type(layer).__name__
            raise MinivaeError(f"the module's {name} is a {found}; it must be a plain Linear")


# ---- JAX -------------------------------------------------------------------------------------


def to_jax(model):
    """(params, functions): a dict of JAX arrays under minivae's names, and what computes with it.

    functions.encode(params, x), .decode(params, z), .elbo(params, x, eps, beta=1.0),
    .iwae(params, x, eps) and .clamp_variance(params) are pure: jit, grad and vmap apply.
    """
    jax = _import("jax")
    jax_vae = importlib.import_module("minivae.bridge.jax_vae")
    model = _checked(model)
    if jax.dtypes.canonicalize_dtype(model.flat.dtype) != model.flat.dtype:
        raise MinivaeError(
            "the model is float64, which JAX would round to float32; "
            'call jax.config.update("jax_enable_x64", True) first'
        )
    names = ("encode", "decode", "elbo", "iwae", "clamp_variance")
    functions = {name: partial(getattr(jax_vae, name), spec=model.spec) for name in names}
    params = {name: jax.numpy.array(array) for name, array in model.params.items()}
    return params, SimpleNamespace(**functions)


def from_jax(params, model):
    """The Model with `model`'s spec and these parameters, copied; refused as by `from_torch`."""
    arrays = {name: np.asarray(array) for name, array in params.items()}
    return _gather(arrays, model.spec, model.image_shape, "params")


# ---- safetensors -----------------------------------------------------------------------------


def save_safetensors(path, model):
    """Write the parameters under their names, and the spec as JSON in the file's metadata."""
    safetensors = _import("safetensors.numpy")
    model = _checked(model)
    head = {
        "format_version": FORMAT_VERSION,
        "spec": model.spec._asdict(),
        "image_shape": model.image_shape,
    }
    metadata = {METADATA_KEY: json.dumps(head, sort_keys=True, default=np.generic.item)}
    files.atomic_write(path, safetensors.save(model.params, metadata))


def load_safetensors(path):
    """The Model in a file that `save_safetensors` wrote. Raises MinivaeError, naming the file."""
    safetensors = _import("safetensors")
    with files.reading(path):
        try:
            with safetensors.safe_open(path, framework="np") as file:
                metadata, tensors = file.metadata(), _read_tensors(file, path)
        except safetensors.SafetensorError as error:
            raise files.damaged(path, str(error)) from None
        if METADATA_KEY not in (metadata or {}):
            raise MinivaeError(
                f"{checks.printable(path)} does not say which minivae model it holds; "
                "give a file that save_safetensors wrote"
            )
        head = json.loads(metadata[METADATA_KEY])
        if not isinstance(head, dict) or head.get("format_version") != FORMAT_VERSION:
            raise files.damaged(path, f"its description is not of format {FORMAT_VERSION}")
        spec = runs.spec_from_json(head.get("spec"), path)
        image_shape = runs.image_shape_from_json(head.get("image_shape"), spec, path)
    return _gather(tensors, spec, image_shape, checks.printable(path))


def _read_tensors(file, path):
    for name in file.keys():
        dtype = file.get_slice(name).get_dtype()
        if dtype not in ("F32", "F64"):
            where = f"{checks.printable(path)}: tensor {checks.printable(name)}"
            raise MinivaeError(f"{where} has dtype {dtype}; a minivae model is F32 or F64")
    return {name: file.get_tensor(name) for name in file.keys()}


# ---- what is carried over --------------------------------------------------------------------


def _checked(model):
    """`model`, or MinivaeError unless it is a Model that the other side can hold unchanged."""
    if not isinstance(model, runs.Model):
        raise MinivaeError(f"this is a {type(model).__name__}; it must be a minivae.runs.Model")
    checks.check_spec(model.spec)
    _check_flat(model.flat, model.spec, "the model's flat vector")
    _check_numbers(model, "the model")
    return model


def _check_flat(flat, spec, what):
    n = vae.n_params(spec)
    shape, dtype = np.shape(flat), getattr(flat, "dtype", type(flat).__name__)
    if shape != (n,) or dtype not in FLOATS:
        raise MinivaeError(f"{what} is {dtype} {shape}; this spec takes float32 or float64 ({n},)")


def _check_numbers(model, where):
    if not np.isfinite(model.flat).all():
        raise MinivaeError(f"{where} holds NaN or infinity; carry over an earlier, finite state")
    if model.spec.learns_variance:
        found = model.params["out_logvar"][0]
        floor = model.flat.dtype.type(vae.OUT_LOGVAR_FLOOR)
        if found < floor:
            raise MinivaeError(
                f"{where} has out_logvar {found:.4g}, below minivae's floor of {floor:.4g}; "
                "call clamp_variance after every step of the optimizer"
            )


def _gather(arrays, spec, image_shape, where):
    """The one door for the way back: arrays by name -> a Model in new memory, or MinivaeError."""
    checks.check_spec(spec)
    shapes = dict(vae.layout(spec))
    missing, extra = shapes.keys() - arrays, arrays.keys() - shapes
    if missing or extra:
        name = checks.printable(min(missing or extra))
        raise MinivaeError(
            f"{where} {'lacks' if missing else 'has an extra'} tensor {name}; "
            f"this spec takes {', '.join(shapes)}"
        )
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            found = arrays[name].shape
            raise MinivaeError(f"{where} has {name} of shape {found}; this spec takes {shape}")
    dtypes = {array.dtype for array in arrays.values()}
    if len(dtypes) != 1 or not dtypes <= set(FLOATS):
        found = " and ".join(sorted(map(str, dtypes)))
        raise MinivaeError(f"{where} holds {found}; it must be all float32 or all float64")
    flat = np.concatenate([arrays[name].ravel() for name in shapes])
    model = runs.Model(spec, flat, image_shape)
    _check_numbers(model, where)
    return model


# ---- optional libraries ----------------------------------------------------------------------


def _import(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise MinivaeError(
            f"{package} cannot be imported ({error}); `python -m pip install {package}` installs it"
        ) from None


def _import_torch_vae():
    _import("torch")
    return importlib.import_module("minivae.bridge.torch_vae")
