"""Finite results for extreme inputs: the smallest images, constant ones, saturated networks.

Warnings are errors here, so a silent overflow anywhere on the way fails too.
"""

import numpy as np
import pytest
import tiny

from minivae import VAE, MinivaeError, data, evaluate, train, vae
from minivae.backend import load_backend
from minivae.spec import OUT_LOGVAR_FLOOR

# Except the warning about a Bernoulli on grey images, which these tests fit on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:the images are grey:UserWarning")

BACKENDS = ("numpy", "numba")
KINDS = {
    "bernoulli": {},
    "iwae": {"objective": "iwae", "samples": 3},
    "gaussian": {"likelihood": "gaussian"},
    "fixed variance": {"likelihood": "gaussian", "variance": 1e-4},
    "relu": {"activation": "relu"},
}
IMAGES = {
    "one pixel": np.arange(0, 256, 13, dtype=np.uint8)[:, None],
    "one example": tiny.images(1).reshape(1, 36),
    "one black pixel": np.zeros((1, 1), np.uint8),
    "all black": np.zeros((20, 9), np.uint8),
    "all white": np.full((20, 9), 255, np.uint8),
    "constant grey": np.full((20, 9), 0.3, np.float32),
    "one constant image": np.tile(tiny.images(1).reshape(1, 36), (20, 1)),
    "black and white": np.arange(180).reshape(20, 9) % 2 > 0,
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", IMAGES)
def test_dull_images_train_and_score(name, kind, backend):
    """All numbers of the training, the model and its scores are finite."""
    X = IMAGES[name]
    model = VAE(
        2,
        hidden=(4,),
        epochs=8,
        batch_size=min(10, len(X)),
        lr=0.05,
        backend=backend,
        random_state=0,
        **KINDS[kind],
    ).fit(X)
    assert np.isfinite(model.model_.flat).all()
    assert all(np.isfinite(list(row.values())).all() for row in model.history_)
    images = model.reconstruct(X)
    assert np.isfinite(images).all()
    assert np.isfinite(model.score_samples(X, 10)).all()
    assert np.isfinite(model.sample(5, random_state=0)).all()


def test_constant_images_are_learned_and_cost_nothing():
    """Black images: the logits fall, and p(x) goes to 1. log p(x) is never above 0."""
    model = VAE(2, hidden=(4,), epochs=200, batch_size=20, lr=0.1, backend="numpy", random_state=0)
    for pixel in (0, 255):
        X = np.full((20, 9), pixel, np.uint8)
        log_p = model.fit(X).score_samples(X, 50)
        assert -0.5 < log_p.mean() <= 1e-6
        assert abs(model.sample(3, random_state=0) - pixel / 255).max() < 0.05


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_learned_variance_stops_at_its_floor(backend):
    """On constant grey images the density would otherwise grow without bound."""
    grey = np.full((20, 9), 0.3, np.float32)
    made = data.Dataset("grey", grey, grey[:0], None, None, (3, 3), "")
    chosen = tiny.settings(likelihood="gaussian", hidden=(), lr=0.1, epochs=20, backend=backend)
    state = train.new_state(made, chosen)
    params = vae.unpack(state.flat, chosen.spec(9))
    params["out_W"][:] = 0  # the mean is right, so that only the variance is left to learn
    params["out_logvar"][:] = OUT_LOGVAR_FLOOR + 0.25
    train.train(made, chosen, state=state)
    assert params["out_logvar"][0] == np.float32(OUT_LOGVAR_FLOOR)
    assert np.isfinite(state.flat).all()
    assert np.isfinite([row["loss"] for row in state.history]).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("latent_dim", [1, 512])
def test_few_and_many_latents(latent_dim, backend):
    """512 latents have a KL of many nats at first, and most of them collapse to the prior."""
    made, chosen = tiny.dataset(), tiny.settings(latent_dim=latent_dim, backend=backend, epochs=3)
    state = train.train(made, chosen)
    assert np.isfinite(state.flat).all()
    spec, x = chosen.spec(36), data.test_images(made.test, chosen.likelihood)
    report = evaluate.evaluate(
        vae.unpack(state.flat, spec), x, spec, samples=20, ops=load_backend(backend)
    )
    assert np.isfinite([report["elbo"], report["log_likelihood"], report["stderr_mc"]]).all()
    assert report["latent_dim"] == latent_dim


# ---- saturated networks --------------------------------------------------------------------------


def saturated(out_b, logvar_b, dtype=np.float32):
    """A linear model of 4 pixels and 2 latents whose logits and logvar are these everywhere."""
    spec = vae.Spec(4, (), 2)
    flat = np.zeros(vae.n_params(spec), dtype)
    params = vae.unpack(flat, spec)
    params["out_b"][:] = out_b
    params["logvar_b"][:] = logvar_b
    return spec, params


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("logvar", [-80, 0, 80])
@pytest.mark.parametrize("logit", [-1e4, -80, 0, 80, 1e4])
def test_saturated_logits_and_variances(backend, dtype, logvar, logit):
    """The closed forms: nll = sum log(1 + e^l) - x l, KL = sum (e^logvar - 1 - logvar) / 2."""
    ops = load_backend(backend)
    spec, params = saturated(logit, logvar, dtype)
    x = np.array([[0, 0, 1, 1], [1, 1, 1, 0]], dtype)
    eps = np.array([[1, -1], [0.5, 2]], dtype)
    terms = vae.elbo_and_grads(params, x, eps, spec, ops=ops)
    softplus = max(logit, 0) + np.log1p(np.exp(-abs(logit)))
    nll = np.mean([4 * softplus - 2 * logit, 4 * softplus - 3 * logit])
    kl = np.expm1(logvar) - logvar  # two latents, half of it each
    np.testing.assert_allclose([terms.nll, terms.kl], [nll, kl], rtol=1e-5)
    np.testing.assert_allclose(terms.loss, nll + kl, rtol=1e-5)
    assert np.isfinite(terms.flat_grads).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_saturated_importance_weights(backend, logit):
    """log p(x) of images with probability e^-40000 or so, which underflows outside of logs."""
    ops = load_backend(backend)
    spec, params = saturated(logit, 0)
    x = np.array([[0, 0, 1, 1], [1, 1, 1, 0]], np.float32)
    rng = np.random.default_rng(0)
    log_p = evaluate.log_likelihood(params, x, spec, samples=5, rng=rng, ops=ops).log_p
    ones = np.array([2, 3])
    expected = logit * ones if logit < 0 else -logit * (4 - ones)
    np.testing.assert_allclose(log_p, expected, rtol=1e-6)
    eps = np.random.default_rng(1).standard_normal((5, 2, 2)).astype(np.float32)
    assert np.isfinite(vae.iwae_and_grads(params, x, eps, spec, ops=ops).flat_grads).all()


def test_a_training_that_starts_saturated_recovers_or_says_so():
    """Logits of 1e4 and logvar of 80 at the start, both far beyond any training."""
    made, chosen = tiny.dataset(), tiny.settings(hidden=(), lr=0.1)
    for name, value in (("out_b", 1e4), ("out_b", -1e4), ("logvar_b", 80), ("logvar_b", -80)):
        state = train.new_state(made, chosen)
        vae.unpack(state.flat, chosen.spec(36))[name][:] = value
        message = None
        try:
            train.train(made, chosen, state=state)
        except MinivaeError as error:
            message = str(error)
        if message is None:
            assert np.isfinite(state.flat).all()
            assert np.isfinite([row["loss"] for row in state.history]).all()
        else:
            assert "train again with a smaller lr" in message


def test_the_mean_of_many_large_images_does_not_lose_digits():
    """The output bias starts at the mean image: summed in float64, whatever the images are."""
    n = 70_000
    images = np.zeros((n, 2), np.uint8)
    images[:, 0] = 51
    made = data.Dataset("many", images, images[:0], None, None, (1, 2), "")
    state = train.new_state(made, tiny.settings(likelihood="gaussian"))
    out_b = vae.unpack(state.flat, tiny.settings(likelihood="gaussian").spec(2))["out_b"]
    np.testing.assert_allclose(out_b, [0.2, 0], rtol=1e-7)
