"""The reader's own answers as a backend."""

import numpy as np
import pytest
from answers import right_kl, twice

from minivae import exercises as api
from minivae import ops, vae
from minivae.exercises import checker, store
from minivae.exercises.catalogue import exercises
from minivae.exercises.own_backend import BLOCKS

pytestmark = pytest.mark.usefixtures("progress_file")


SPECS = [
    vae.Spec(5, (4,), 2),
    *(
        vae.Spec(5, (4, 3), 2, activation=activation, free_bits=0.1)
        for activation in ops.ACTIVATIONS
        if activation != "none"
    ),
    vae.Spec(5, (4,), 2, likelihood="gaussian"),
]


@pytest.mark.parametrize("spec", SPECS)
def test_my_backend_gives_the_gradients_of_ops(spec):
    backend = api.my_backend()
    rng = np.random.default_rng(0)
    params = vae.unpack(vae.init_params(spec, rng, dtype=np.float64), spec)
    x = (rng.random((3, 5)) < 0.5).astype(float)
    one, many = rng.standard_normal((3, 2)), rng.standard_normal((4, 3, 2))
    for objective, eps in ((vae.elbo_and_grads, one), (vae.iwae_and_grads, many)):
        mine = objective(params, x, eps, spec, ops=backend)
        right = objective(params, x, eps, spec)
        np.testing.assert_allclose(mine.loss, right.loss, rtol=1e-12)
        np.testing.assert_allclose(mine.flat_grads, right.flat_grads, rtol=1e-9, atol=1e-12)
    sampled = vae.sample(params, 4, np.random.default_rng(1), spec, ops=backend)
    np.testing.assert_allclose(sampled, vae.sample(params, 4, np.random.default_rng(1), spec))


def train(backend, steps=5):
    spec = SPECS[0]
    rng = np.random.default_rng(0)
    flat = vae.init_params(spec, rng)
    params, m, v = vae.unpack(flat, spec), np.zeros_like(flat), np.zeros_like(flat)
    for step in range(1, steps + 1):
        x = (rng.random((8, 5)) < 0.3).astype(np.float32)
        eps = rng.standard_normal((8, 2), dtype=np.float32)
        result = vae.elbo_and_grads(params, x, eps, spec, ops=backend)
        backend.adam_step(flat, result.flat_grads, m, v, step, 1e-2)
    return flat


def test_my_backend_trains_as_ops_does():
    np.testing.assert_allclose(train(api.my_backend()), train(ops), rtol=1e-4, atol=1e-6)


HELPER = 0.5


def helper(a):
    return a * HELPER


def kl_with_a_helper(mu, logvar):
    return helper((mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1))


def test_my_backend_finds_answers_of_another_session():
    """With the helpers, constants and imports that the answer used."""
    api.check("03.kl", kl_with_a_helper)
    checker.passed.clear()  # another session: only the progress file connects the two
    backend = api.my_backend()
    assert backend.yours == ("03.kl",)
    assert "03.kl" not in backend.borrowed
    kl, _ = backend.gaussian_kl_forward(np.ones((2, 3)), np.zeros((2, 3)))
    np.testing.assert_allclose(kl, 0.5)


@pytest.mark.parametrize(
    "source",
    [
        "def f(mu, logvar):\n    return mu",
        "def f(mu, logvar: return",
        "raise SystemError",
        "x = 3",
        "",
    ],
)
def test_a_kept_answer_that_no_longer_passes_is_not_used(source):
    api.check("03.kl", right_kl)
    store.update(lambda state: state["exercises"]["03.kl"].update(source=source))
    checker.passed.clear()  # another session: only the progress file connects the two
    assert api.my_backend().yours == ()


def test_a_failing_answer_is_not_in_the_backend():
    api.check("03.kl", twice)
    assert api.my_backend().yours == ()


def test_the_poster_counts_the_readers_functions(tmp_path):
    spec = SPECS[0]
    images = np.random.default_rng(0).random((9, 4, 4))
    none = api.poster(images, api.my_backend(), spec)
    assert "0 of the 11 functions" in none.axes[0].get_title()
    for id in BLOCKS:
        api.use(id, exercises()[id].reference)
    path = tmp_path / "poster.png"
    fig = api.poster(images, api.my_backend(), spec, path)
    assert fig.axes[0].get_title() == "drawn by gradients you wrote"
    assert path.read_bytes().startswith(b"\x89PNG")
