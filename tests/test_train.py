"""The training loop: schedules, the order of images, what is logged, and divergence."""

import numpy as np
import pytest
import tiny
from threadpoolctl import threadpool_info, threadpool_limits

from minivae import MinivaeError, data, ops, train, vae

COLUMNS = ["epoch", "step", "lr", "beta", "loss", "nll", "kl", "test_elbo", "test_nll", "test_kl"]


def trained(made=None, **changes):
    return train.train(tiny.dataset() if made is None else made, tiny.settings(**changes))


# ---- what is learned ---------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, again, other = trained(), trained(), trained(seed=1)
    assert first.flat.tobytes() == again.flat.tobytes()
    assert first.history == again.history
    assert first.flat.tobytes() != other.flat.tobytes()


def test_a_run_with_the_numpy_backend_does_not_depend_on_blas_threads():
    """BLAS cuts its sums by its threads, so training keeps it to one, and then gives them back."""
    images = np.random.default_rng(0).integers(0, 256, (900, 400), np.uint8)
    made = tiny.dataset()._replace(train=images, test=images[:50])

    def blas_threads():
        return {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"}

    def run(count, on_step=None):
        with threadpool_limits(count, user_api="blas"):
            chosen = tiny.settings(backend="numpy", hidden=(300,), batch_size=450, epochs=1)
            state = train.train(made, chosen, on_step=on_step)
            assert blas_threads() <= {count}
        return state.flat.tobytes(), state.history

    seen = []
    one = run(1)
    assert run(2, lambda *_: seen.append(blas_threads())) == one
    assert len(seen) == 2
    assert all(threads <= {1} for threads in seen)
    assert run(3) == one


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"samples": 3},
        {"objective": "iwae", "samples": 3},
        {"objective": "iwae", "samples": 3, "resampled": 2},
        {"objective": "iwae", "samples": 3, "gradient": "doubly"},
    ],
)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_training_learns(kind, likelihood):
    """The loss of the last epoch is far below that of the first, and so is the test ELBO's.

    In 40 epochs the Gaussian, whose variance shrinks, would overfit 53 images.
    """
    epochs = {"bernoulli": 40, "gaussian": 15}[likelihood]
    state = trained(epochs=epochs, lr=2e-2, likelihood=likelihood, **kind)
    first, last = state.history[0], state.history[-1]
    assert last["loss"] < first["loss"] - 1
    assert last["test_elbo"] > first["test_elbo"] + 1


def test_the_elbo_with_several_samples_averages_their_gradients(monkeypatch):
    """Of each image, with noise of its own for each sample; free bits count the mean KL once."""
    calls = []
    plain = vae.elbo_and_grads

    def record(params, x, eps, spec, **options):
        result = plain(params, x, eps, spec, **options)
        start = {name: block.astype(np.float64) for name, block in params.items()}
        calls.append((start, x, eps, spec, result))
        return result

    monkeypatch.setattr(vae, "elbo_and_grads", record)
    trained(epochs=1, samples=3, free_bits=0.1)
    assert len(calls) == tiny.STEPS_PER_EPOCH
    params, x, eps, spec, result = calls[0]
    assert x.shape == (60, 36)
    assert len(np.unique(eps)) == eps.size == 120
    each = [plain(params, x[k::3], eps[k::3], spec) for k in range(3)]
    assert (x[0::3] == x[1::3]).all()
    assert (x[0::3] == x[2::3]).all()
    assert result.loss == pytest.approx(np.mean([one.loss for one in each]), rel=1e-5)
    mean = np.mean([one.flat_grads for one in each], axis=0)
    np.testing.assert_allclose(result.flat_grads, mean, rtol=1e-4, atol=1e-5)


# ---- where training starts ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_learned_variance_starts_at_that_of_the_pixels_about_the_mean_image(dtype, monkeypatch):
    """Not at their variance about one grey for all pixels, which is larger."""
    monkeypatch.setattr(train, "ROWS_AT_ONCE", 20)  # 53 images come in three portions
    made = tiny.dataset()
    grey = made.train / 255
    if dtype == np.float32:
        made = made._replace(train=grey.astype(np.float32))
    chosen = tiny.settings(likelihood="gaussian")
    params = vae.unpack(train.new_state(made, chosen).flat, chosen.spec(36))
    about_mean_image = grey.var(axis=0).mean()
    assert about_mean_image < 0.95 * grey.var()
    assert params["out_logvar"].item() == pytest.approx(np.log(about_mean_image), rel=1e-5)


def small_grey_digits():
    digits = data.load("mnist").train[:1000].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    digits = digits.reshape(-1, 196).astype(np.float32)
    return tiny.dataset(train=digits[:800], test=digits[800:], image_shape=(14, 14))


def test_grey_digits_train_better_than_with_a_variance_from_1_by_adam(monkeypatch):
    """In as many steps: Adam leaves the variance far too large, and little but it is learned."""
    made = small_grey_digits()
    chosen = tiny.settings(likelihood="gaussian", hidden=(50,), epochs=10)
    new = train.train(made, chosen).history[-1]
    slow = train.new_state(made, chosen)
    vae.unpack(slow.flat, chosen.spec(196))["out_logvar"][:] = 0
    monkeypatch.setattr(train, "next_logvar", lambda params, grads: None)
    old = train.train(made, chosen, state=slow).history[-1]
    assert new["test_elbo"] > old["test_elbo"] + 100
    assert new["test_kl"] > old["test_kl"] + 1


@pytest.mark.parametrize("kind", [{}, {"objective": "iwae", "samples": 3}])
def test_one_step_takes_the_variance_a_tenth_of_the_way_to_the_mean_squared_error(kind):
    """Whatever the learning rate. The importance-weighted bound weighs the samples' errors."""
    made = tiny.dataset()
    chosen = tiny.settings(likelihood="gaussian", lr=1e-9, batch_size=53, epochs=1, **kind)
    spec = chosen.spec(36)
    state = train.new_state(made, chosen)
    params = vae.unpack(state.flat, spec)
    before = float(np.exp(params["out_logvar"][0]))
    start = {name: block.astype(np.float64) for name, block in params.items()}
    noise = train.new_state(made, chosen).streams["noise"]  # the same draws, in the same order
    order = train.new_state(made, chosen).draw_order(53)
    x = data.scale(made.train[order]).astype(np.float64)
    eps = noise.standard_normal((chosen.samples, 53, 2), dtype=np.float32).astype(np.float64)
    mu, logvar = vae.encode(start, x, spec)
    means = [vae.decode(start, mu + np.exp(logvar / 2) * e, spec) for e in eps]
    errors = np.stack([np.square(mean - x).mean(axis=1) for mean in means])
    log_w = vae.log_weights(start, x, eps, spec)
    weights = np.exp(log_w - log_w.max(axis=0))
    error = (weights / weights.sum(axis=0) * errors).sum(axis=0).mean()
    train.train(made, chosen, state=state)
    after = float(np.exp(params["out_logvar"][0]))
    assert abs(error - before) > 0.01 * before
    assert after == pytest.approx(0.9 * before + 0.1 * error, rel=1e-5)


def test_the_learned_variance_ends_at_the_mean_squared_error():
    made = small_grey_digits()
    chosen = tiny.settings(likelihood="gaussian", hidden=(50,), epochs=10)
    spec = chosen.spec(196)
    params = vae.unpack(train.train(made, chosen).flat, spec)
    x = made.train
    mu, logvar = vae.encode(params, x, spec)
    z = mu + np.exp(logvar / 2) * np.random.default_rng(0).standard_normal(mu.shape)
    error = np.square(vae.decode(params, z.astype(np.float32), spec) - x).mean()
    assert np.exp(params["out_logvar"][0]) == pytest.approx(error, rel=0.05)
    assert error < 0.9 * train.pixel_variance(x, x.mean(axis=0, dtype=np.float64))


@pytest.mark.parametrize("kind", [{}, {"likelihood": "gaussian", "variance": 0.1}])
def test_a_model_that_learns_no_variance_starts_from_the_mean_alone(kind, monkeypatch):
    """The same bits as ever, and no variance computed in vain."""
    made, chosen = tiny.dataset(), tiny.settings(**kind)
    monkeypatch.setattr(train, "pixel_variance", None)
    flat = train.new_state(made, chosen).flat
    init = np.random.default_rng(np.random.SeedSequence(0).spawn(len(train.STREAMS))[0])
    mean = made.train.mean(axis=0) / 255
    spec = chosen.spec(36)
    assert flat.tobytes() == vae.init_params(spec, init, data_mean=mean).tobytes()


def test_what_is_looked_at_does_not_change_what_is_learned():
    """Without test images nothing is evaluated: the streams of training must not notice."""
    made = tiny.dataset()
    seen = []
    watched = train.train(made, tiny.settings(), on_step=lambda *args: seen.append(args))
    blind = trained(made._replace(test=made.test[:0]))
    assert len(seen) == 6
    assert watched.flat.tobytes() == blind.flat.tobytes()
    assert list(blind.history[0]) == COLUMNS[:7]


def test_every_epoch_sees_every_image_once_in_another_order(monkeypatch):
    batches = []

    def draw(images, batch, *args):
        batches.append(batch)
        return data.scale(images[batch])

    monkeypatch.setattr(data, "draw_batch", draw)
    trained()
    assert [len(batch) for batch in batches] == [20, 20, 13] * 2
    first, second = np.concatenate(batches[:3]), np.concatenate(batches[3:])
    assert sorted(first) == sorted(second) == list(range(tiny.TRAIN))
    assert list(first) != list(second)


def test_grey_pixels_are_binarized_afresh_for_each_batch(monkeypatch):
    drawn = []
    gradient = vae.elbo_and_grads

    def watched(params, x, *args, **kwargs):
        drawn.append(x)
        return gradient(params, x, *args, **kwargs)

    monkeypatch.setattr(vae, "elbo_and_grads", watched)
    made = tiny.dataset()
    trained(made._replace(train=np.full((20, 36), 128, np.uint8)))
    assert len(drawn) == 2
    assert set(np.unique(drawn)) == {0, 1}
    assert (drawn[0] != drawn[1]).any()
    trained(made, likelihood="gaussian")
    assert drawn[-1].max() <= 1
    assert len(np.unique(drawn[-1])) > 50


# ---- history -----------------------------------------------------------------------------------


def test_history_has_these_columns_and_no_wall_times():
    state = trained()
    assert [list(row) for row in state.history] == [COLUMNS, COLUMNS]
    assert [(row["epoch"], row["step"]) for row in state.history] == [(1, 3), (2, 6)]


def test_history_averages_over_images_not_over_batches(monkeypatch):
    """The last batch is smaller, and must weigh less."""
    terms = iter([(3.0, 2.0, 1.0), (6.0, 4.0, 2.0), (53.0, 50.0, 3.0)])

    monkeypatch.setattr(train._Vae, "one_step", lambda *args: next(terms))
    row = trained(epochs=1).history[0]
    expected = [
        (20 * 3 + 20 * 6 + 13 * 53) / 53,
        (20 * 2 + 20 * 4 + 13 * 50) / 53,
        (20 + 20 * 2 + 13 * 3) / 53,
    ]
    np.testing.assert_allclose([row["loss"], row["nll"], row["kl"]], expected, rtol=1e-12)


def test_loss_is_nll_plus_kl_and_elbo_its_negative():
    for row in trained().history:
        assert row["loss"] == pytest.approx(row["nll"] + row["kl"], rel=1e-6)
        assert row["test_elbo"] == pytest.approx(-(row["test_nll"] + row["test_kl"]), rel=1e-12)


# ---- schedules ---------------------------------------------------------------------------------


def test_the_rate_falls_geometrically_to_a_twentieth():
    rates = [train.learning_rate(tiny.settings(lr=0.4), step, 9) for step in range(9)]
    assert rates[0] == 0.4
    assert rates[-1] == pytest.approx(0.02)
    np.testing.assert_allclose(np.divide(rates[1:], rates[:-1]), 0.05 ** (1 / 8))
    constant = tiny.settings(lr=0.4, schedule="constant")
    assert {train.learning_rate(constant, step, 9) for step in range(9)} == {0.4}


def test_one_single_step_takes_the_full_rate():
    assert train.learning_rate(tiny.settings(lr=0.4), 0, 1) == 0.4


def test_beta_rises_from_zero_over_the_warmup():
    chosen = tiny.settings(beta=4.0, warmup=2.0)
    weights = [train.kl_weight(chosen, step, 3) for step in (0, 3, 6, 7)]
    assert weights == [0, 2, 4, 4]
    assert train.kl_weight(tiny.settings(beta=4.0), 0, 3) == 4


# ---- divergence --------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("lr", [1e3, 1e10, 1e38, 1e300])
@pytest.mark.parametrize(
    "kind",
    [{}, {"objective": "iwae", "samples": 2}, {"objective": "iwae", "samples": 4, "resampled": 2}],
)
def test_a_rate_that_diverges_is_reported_or_the_numbers_are_finite(backend, lr, kind):
    """Never a silent NaN or infinity, and never a warning besides."""
    chosen = tiny.settings(backend=backend, lr=lr, activation="relu", likelihood="gaussian", **kind)
    state = train.new_state(tiny.dataset(), chosen)
    message = None
    try:
        train.train(tiny.dataset(), chosen, state=state)
    except MinivaeError as error:
        message = str(error)
    if message is None:
        assert np.isfinite(state.flat).all()
        assert all(np.isfinite(list(row.values())).all() for row in state.history)
    else:
        assert "step " in message
        assert "train again with a smaller lr" in message
        assert len(message.splitlines()) == 1
    assert (message is not None) or lr < 1e38


def test_the_step_that_diverges_leaves_the_state_as_it_was(monkeypatch):
    class Broken:
        """The NumPy backend, but the fourth loss is NaN."""

        calls = 0

        def __getattr__(self, name):
            return getattr(ops, name)

        def bernoulli_nll_forward(self, logits, x):
            nll, cache = ops.bernoulli_nll_forward(logits, x)
            self.calls += len(x) != tiny.TEST
            return (nll * np.nan if self.calls == 4 else nll), cache

    made, chosen = tiny.dataset(), tiny.settings()
    state = train.new_state(made, chosen)
    with pytest.raises(MinivaeError, match=r"the loss is not finite at step 4 \(lr 0"):
        train.train(made, chosen, state=state, ops=Broken())
    good = train.new_state(made, chosen)
    with pytest.raises(train.Interrupted):
        train.train(made, chosen, state=good, should_stop=tiny.stop_after(3))
    assert state.flat.tobytes() == good.flat.tobytes()
    assert (state.step, state.position) == (3, 0)


def test_a_moment_of_adam_that_overflows_is_reported(tmp_path):
    """A gradient of 1e20 squared is infinite in float32: Adam would silently stand still."""
    state = train.new_state(tiny.dataset(), tiny.settings())
    state.v[3] = np.inf
    with pytest.raises(MinivaeError, match=r"are not finite after step 3 .*with a smaller lr"):
        train.train(tiny.dataset(), tiny.settings(), state=state)
