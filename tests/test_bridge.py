"""What all bridges share: what they refuse, NaN, and a library that is not installed."""

import sys

import numpy as np
import pytest
from bridges import SPECS, UNFIT_FOR_ANY, one_line, random_model

from minivae import MinivaeError, bridge, vae
from minivae.runs import Model


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"mu_W": np.ones((2, 2))}, "this is a dict"),
        (random_model(SPECS["bernoulli"])._replace(flat=np.zeros(7)), r"\(7,\); this spec takes"),
        (random_model(SPECS["bernoulli"], np.float16), "vector is float16"),
        (random_model(SPECS["bernoulli"], ">f4"), "vector is >f4"),
        (random_model(SPECS["bernoulli"])._replace(flat=[0.0]), "vector is list"),
        (random_model(SPECS["bernoulli"], seed=0)._replace(spec=vae.Spec(0, (), 1)), "data_dim"),
        (Model(vae.Spec(1, (), 1), np.full(6, np.inf), (1, 1)), "NaN or infinity"),
    ],
    ids=["dict", "length", "float16", "byte order", "list", "spec", "infinity"],
)
def test_what_is_no_model_is_refused(torch, safetensors, tmp_path, model, words):
    for convert in (bridge.to_torch, lambda model: bridge.save_safetensors(tmp_path / "m", model)):
        with pytest.raises(MinivaeError, match=words) as error:
            convert(model)
        assert one_line(error)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("spec", ["bernoulli", "fixed variance"])
@pytest.mark.parametrize("case", UNFIT_FOR_ANY)
def test_what_the_model_refuses_the_exported_ones_refuse(torch, jax, spec, case):
    x, eps, beta = UNFIT_FOR_ANY[case]
    model = random_model(SPECS[spec])
    module, (params, functions) = bridge.to_torch(model), bridge.to_jax(model)
    tensors = torch.from_numpy(x), torch.from_numpy(eps)
    for call in (
        lambda: vae.elbo(model.params, x, eps, model.spec, beta=beta),
        lambda: module.elbo(*tensors, beta=beta),
        lambda: functions.elbo(params, x, eps, beta=beta),
    ):
        with pytest.raises(MinivaeError) as error:
            call()
        assert one_line(error)


def test_integers_that_are_not_scaled_are_refused(torch, jax):
    """A Gaussian takes any number, so that bytes would pass for pixels 255 times too bright."""
    spec = SPECS["fixed variance"]
    model = random_model(spec)
    with pytest.raises(MinivaeError, match="integers up to 255, which are not scaled"):
        vae.encode(model.params, np.full((2, 6), 255, np.uint8), spec)
    mu = vae.encode(model.params, np.ones((2, 6), np.uint8), spec)[0]
    assert np.array_equal(mu, vae.encode(model.params, np.ones((2, 6), np.float32), spec)[0])


def test_free_bits_do_not_hide_a_kl_that_is_nan(torch, jax):
    """An infinite log variance: z is infinite, tanh(z) is 1, and only the KL shows it."""
    spec = vae.Spec(6, (4,), 1, free_bits=0.25)
    model = random_model(spec)
    x, eps = np.ones((3, 6), np.float32), np.ones((3, 1), np.float32)
    module = bridge.to_torch(model)
    with torch.no_grad():
        module.logvar.bias[:] = np.inf
    terms = module.elbo(torch.tensor(x), torch.tensor(eps))
    assert terms.nll.isfinite()
    assert terms.kl.isnan()
    assert terms.loss.isnan()
    params, functions = bridge.to_jax(model)
    params["logvar_b"] = np.full(1, np.inf, np.float32)
    terms = functions.elbo(params, x, eps)
    assert np.isfinite(terms.nll)
    assert np.isnan(terms.kl)
    assert np.isnan(terms.loss)


# ---- without the libraries -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("library", "call"),
    [
        ("torch", lambda path: bridge.to_torch(random_model(SPECS["bernoulli"]))),
        ("torch", lambda path: bridge.from_torch(None)),
        ("jax", lambda path: bridge.to_jax(random_model(SPECS["bernoulli"]))),
        ("safetensors", lambda path: bridge.save_safetensors(path, None)),
        ("safetensors", lambda path: bridge.load_safetensors(path)),
    ],
    ids=["to_torch", "from_torch", "to_jax", "save_safetensors", "load_safetensors"],
)
def test_a_missing_library_is_one_line_that_says_how_to_install_it(
    monkeypatch, tmp_path, library, call
):
    for name in [library, *(n for n in sys.modules if n.startswith(f"{library}."))]:
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(MinivaeError, match=f"python -m pip install {library}") as error:
        call(tmp_path / "model.safetensors")
    assert one_line(error)
