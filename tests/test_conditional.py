"""A conditional VAE: its formulas, and the ordinary VAE that it is for each label."""

import numpy as np
import pytest
from refusals import refusal

from minivae import conditional, vae
from minivae.backend import load_backend
from minivae.conditional import given, one_hot
from minivae.spec import Spec, init_params, layout, n_params, unpack

BACKENDS = ("numpy", "numba")
Y = np.array([2, 0, 1, 2, 2])


def model(hidden=(4, 3), likelihood="bernoulli", classes=3, **changes):
    """spec, flat (P,), x (5, 6), eps (5, 2)."""
    spec = Spec(6, hidden, 2, likelihood=likelihood, classes=classes, **changes)
    rng = np.random.default_rng(3)
    flat = init_params(spec, rng, dtype=np.float64) + 0.3 * rng.standard_normal(n_params(spec))
    return spec, flat, rng.random((5, 6)), rng.standard_normal((5, 2))


@pytest.fixture(name="conditional")
def conditional_module():
    """The module; `test_mistakes` passes the same with a mistake in it."""
    return conditional


MODELS = [model(), model(hidden=()), model(likelihood="gaussian"), model(free_bits=0.2)]


# ---- what the label is -------------------------------------------------------------------------


def test_the_first_layers_have_a_row_for_each_label():
    plain, labelled = Spec(6, (4, 3), 2), Spec(6, (4, 3), 2, classes=5)
    wider = {"enc1_W": (11, 4), "dec1_W": (7, 3)}
    assert dict(layout(labelled)) == dict(layout(plain)) | wider
    wider = {"mu_W": (11, 2), "logvar_W": (11, 2), "out_W": (7, 6)}
    assert dict(layout(Spec(6, (), 2, classes=5))) == dict(layout(Spec(6, (), 2))) | wider


def test_a_label_is_a_row_with_a_single_one():
    rows = one_hot(np.array([2, 0]), model()[0], np.float32)
    assert rows.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert rows.dtype == np.float32


def test_for_one_label_it_is_an_ordinary_vae(conditional):
    """Loss, q and pictures of each label are those of the model that `given` makes for it."""
    for hidden in ((4, 3), ()):
        spec, flat, x, eps = model(hidden)
        params = unpack(flat, spec)
        for label in range(3):
            y = np.full(len(x), label)
            own, plain = conditional.given(flat, spec, label)
            assert plain == spec._replace(classes=0)
            params_of_label = unpack(own, plain)
            expected = vae.elbo_and_grads(params_of_label, x, eps, plain, beta=2.0)
            found = conditional.elbo_and_grads(params, x, y, eps, spec, beta=2.0)
            alone = conditional.elbo(params, x, y, eps, spec, beta=2.0)
            np.testing.assert_allclose(found[:4], expected[:4], rtol=1e-12)
            np.testing.assert_allclose(alone, expected[:4], rtol=1e-12)
            np.testing.assert_allclose(
                conditional.encode(params, x, y, spec), vae.encode(params_of_label, x, plain)
            )
            np.testing.assert_allclose(
                conditional.mean_image(params, eps, y, spec),
                vae.mean_image(params_of_label, eps, plain),
            )


def test_another_label_gives_another_model():
    spec, flat, *_ = model()
    assert not np.allclose(given(flat, spec, 0)[0], given(flat, spec, 1)[0])


# ---- the gradient ------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("made", MODELS, ids=["deep", "flat", "gaussian", "free bits"])
def test_the_gradient_is_the_sum_of_the_ordinary_ones(made, backend):
    """Without free bits, which are a floor on the mean over the whole batch: the images of a label
    are a batch of the ordinary VAE, whose first bias has the gradient of the label's row."""
    spec, flat, x, eps = made
    spec = spec._replace(free_bits=0.0)
    ops = load_backend(backend)
    found = conditional.elbo_and_grads(unpack(flat, spec), x, Y, eps, spec, ops=ops).grads
    total = {name: np.zeros_like(g) for name, g in found.items()}
    for label in range(3):
        own, plain = given(flat, spec, label)
        at = label == Y
        part = vae.elbo_and_grads(unpack(own, plain), x[at], eps[at], plain)
        for name, g in part.grads.items():
            g = g * at.mean()
            if name.endswith("_b") and len(total[f"{name[:-1]}W"]) > len(
                part.grads[f"{name[:-1]}W"]
            ):
                total[f"{name[:-1]}W"][len(part.grads[f"{name[:-1]}W"]) + label] += g
            total[name][: len(g)] += g
    for name, g in found.items():
        np.testing.assert_allclose(g, total[name], atol=1e-13, err_msg=name)


@pytest.mark.parametrize("made", MODELS, ids=["deep", "flat", "gaussian", "free bits"])
def test_the_gradient_is_that_of_the_complex_step(made):
    spec, flat, x, eps = made
    found = conditional.elbo_and_grads(unpack(flat, spec), x, Y, eps, spec, beta=2.0)
    for i in range(len(flat)):
        moved = flat + 1e-30j * (np.arange(len(flat)) == i)
        loss = conditional.elbo(unpack(moved, spec), x, Y, eps, spec, beta=2.0).loss
        np.testing.assert_allclose(found.flat_grads[i], loss.imag / 1e-30, atol=1e-12)


def test_a_label_that_no_image_has_gets_no_gradient():
    spec, flat, x, eps = model()
    grads = conditional.elbo_and_grads(unpack(flat, spec), x, Y % 2, eps, spec).grads
    assert not grads["enc1_W"][6 + 2].any()
    assert not grads["dec1_W"][2 + 2].any()
    assert grads["enc1_W"][6:8].all()


# ---- wrong arguments ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.array([0, 1, 2, 3, 0]), "classes are 0 to 2"),
        (np.array([0, 1, -1, 0, 0]), "classes are 0 to 2"),
        (np.zeros(5), "float64 of shape"),
        (np.zeros(4, int), r"of shape \(4,\)"),
        (np.zeros((5, 3), int), r"of shape \(5, 3\)"),
        (None, "y is"),
    ],
)
def test_labels_that_are_none_are_refused(y, words):
    spec, flat, x, eps = model()
    params = unpack(flat, spec)
    for function, *inputs in (
        (conditional.elbo, x, y, eps),
        (conditional.elbo_and_grads, x, y, eps),
        (conditional.encode, x, y),
        (conditional.mean_image, eps, y),
    ):
        with pytest.raises(Exception, match=words) as caught:
            function(params, *inputs, spec)
        assert type(caught.value).__name__ == "MinivaeError"


def test_functions_of_an_ordinary_vae_refuse_a_conditional_one():
    spec, flat, x, eps = model()
    params = unpack(flat, spec)
    for function, *inputs in (
        (vae.elbo, x, eps), (vae.elbo_and_grads, x, eps), (vae.encode, x), (vae.decode, eps),
        (vae.log_weights, x, eps[None]), (vae.iwae_and_grads, x, eps[None]),
    ):  # fmt: skip
        assert "it needs the label" in refusal(function, params, *inputs, spec)
    assert "it needs the label" in refusal(vae.sample, params, 3, np.random.default_rng(0), spec)


def test_a_model_without_labels_takes_none():
    spec, flat, x, _ = model(classes=0)
    assert "knows no labels" in refusal(conditional.encode, unpack(flat, spec), x, Y, spec)
    for label in (-1, 3, 1.0, "1"):
        assert "label" in refusal(given, model()[1], model()[0], label)
