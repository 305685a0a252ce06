"""Fitting further, stopping early, being interrupted; and what a number means after a fit."""

import numpy as np
import pytest
import tiny

from minivae import VAE, MinivaeError, train

pytestmark = pytest.mark.filterwarnings("ignore:the images are grey:UserWarning")


@pytest.fixture
def bits(X):
    """Images of 0 and 255, (60, 36) uint8."""
    return (X.reshape(60, 36) > 0.5 * X.max()).astype(np.uint8) * np.uint8(255)


# ---- more epochs, fewer epochs -----------------------------------------------------------------


def test_a_warm_start_goes_on_from_the_last_fit(X):
    model = tiny.estimator(epochs=3, warm_start=True).fit(X)
    first = model.score(X)
    before = model.model_.flat.copy()
    rows = []
    model.set_params(epochs=1, lr=1e-9).fit(X, callback=rows.append)
    assert np.allclose(model.model_.flat, before, atol=1e-6)  # it started there
    assert rows == model.history_
    assert rows[0]["epoch"] == 1
    model.set_params(epochs=30, lr=0.02).fit(X)
    assert model.score(X) > first
    assert model.n_iter_ == 30


def test_a_loaded_model_can_be_trained_on(X, tmp_path):
    tiny.estimator(epochs=3).fit(X).save(tmp_path / "model.npz")
    model = VAE.load(tmp_path / "model.npz").set_params(
        warm_start=True, epochs=1, lr=1e-9, batch_size=10
    )
    before = model.model_.flat.copy()
    assert np.allclose(model.fit(X).model_.flat, before, atol=1e-6)


def test_a_warm_start_of_another_model_is_refused(X):
    model = tiny.estimator(warm_start=True).fit(X)
    with pytest.raises(MinivaeError, match="latent_dim was 2 and is 3"):
        model.set_params(latent_dim=3).fit(X)


def test_early_stopping_keeps_the_best_epoch(X):
    """With a rate that is far too high the held-out ELBO soon gets worse."""
    model = tiny.estimator(epochs=60, lr=0.1, early_stopping=True, n_iter_no_change=4).fit(X)
    elbos = [row["test_elbo"] for row in model.history_]
    assert model.n_iter_ == len(elbos) == int(np.argmax(elbos)) + 1 + 4 < 60
    again = tiny.estimator(epochs=60, lr=0.1, early_stopping=True, n_iter_no_change=4)
    # ... and not the parameters after the last one:
    last = {}
    again.fit(X, callback=lambda row: last.update(row))
    assert last["test_elbo"] < max(elbos)
    assert np.array_equal(again.model_.flat, model.model_.flat)


def test_the_images_held_out_are_not_trained_on(X, monkeypatch):
    seen = []
    loop = train.run_loop
    monkeypatch.setattr(
        train, "run_loop", lambda data, *a, **k: (seen.append(data), loop(data, *a, **k))[1]
    )
    tiny.estimator(early_stopping=True, validation_fraction=0.25).fit(X)
    assert (len(seen[0].train), len(seen[0].test)) == (45, 15)
    rows = {row.tobytes() for row in seen[0].train} | {row.tobytes() for row in seen[0].test}
    assert rows == {row.tobytes() for row in X.reshape(60, 36)}


@pytest.mark.parametrize("fraction", [0.0, -1, 1.0, 0.001, float("nan")])
def test_a_fraction_that_leaves_nothing_is_refused(X, fraction):
    with pytest.raises(MinivaeError, match="validation_fraction"):
        tiny.estimator(early_stopping=True, validation_fraction=fraction).fit(X)


def test_ctrl_c_keeps_what_was_learned(X):
    model = tiny.estimator(epochs=50)

    def callback(row):
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted after 3 of 50 epochs .*what was learned is"):
        model.fit(X, callback=callback)
    assert model.transform(X).shape == (60, 2)
    assert len(model.history_) == 3


def test_ctrl_c_before_the_first_step_keeps_the_earlier_fit(X, monkeypatch):
    model = tiny.estimator().fit(X)
    before = model.model_

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "run_loop", stop)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert model.model_ is before


# ---- what a number means -----------------------------------------------------------------------


def test_an_image_has_the_same_code_alone_and_in_a_batch(X):
    """An image of zeros and ones, of 0..255, is nearly black wherever it stands."""
    grey = X.reshape(60, 36)
    dark = (grey > 128).astype(np.uint8)[:1]
    for given in (grey, grey / 255):
        model = tiny.estimator().fit(given)
        together = model.transform(np.concatenate([dark, grey]))[:1]
        assert np.allclose(model.transform(dark), together, atol=1e-6)
        assert np.allclose(model.transform(dark / 255), together, atol=1e-6)


def test_ones_stay_white_for_a_model_of_zeros_and_ones(bits):
    model = tiny.estimator().fit(bits // 255)
    assert np.array_equal(model.transform(bits[:3] // 255), model.transform(bits[:3] / 255))
    assert np.array_equal(model.transform(bits[:3] > 0), model.transform(bits[:3] / 255))
    with pytest.raises(MinivaeError, match="fitted on integers 0 and 1"):
        model.transform(bits)


def test_what_white_is_goes_with_the_file(X, tmp_path):
    grey = X.reshape(60, 36)
    dark = (grey > 128).astype(np.uint8)[:1]
    model = tiny.estimator().fit(grey)
    model.save(tmp_path / "model.npz")
    codes = VAE.load(tmp_path / "model.npz").transform(dark)
    assert np.allclose(codes, model.transform(dark), atol=1e-6)
    assert not np.allclose(codes, model.transform(255 * dark), atol=1e-6)


def test_the_same_image_has_the_same_score_anywhere(X):
    model = tiny.estimator(epochs=3).fit(X)
    scores = model.score_samples(X, n_samples=20)
    assert np.allclose(model.score_samples(X[::-1], n_samples=20)[::-1], scores, atol=1e-4)
    assert np.allclose(model.score_samples(X[7:8], n_samples=20), scores[7], atol=1e-4)
    assert np.allclose(model.score_samples(X / 255, n_samples=20), scores, atol=1e-4)


# ---- the posterior, errors, names --------------------------------------------------------------


def test_draws_of_the_posterior_have_its_mean_and_variance(fitted, X):
    mu, logvar = fitted.encode(X[:2])
    z = fitted.sample_posterior(X[:2], 20_000, random_state=0)
    assert z.shape == (20_000, 2, 2)
    sigma = np.exp(logvar / 2)
    assert np.abs(z.mean(axis=0) - mu).max() < 5 * sigma.max() / np.sqrt(20_000)
    assert np.abs(z.std(axis=0) / sigma - 1).max() < 0.03
    assert np.array_equal(mu, fitted.transform(X[:2]))


def test_the_reconstruction_error_is_the_cross_entropy_at_the_mean(fitted, X):
    x = X[:5].reshape(5, 36) / 255
    p = fitted.reconstruct(X[:5]).astype(float)
    expected = -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(axis=1)
    assert np.allclose(fitted.reconstruction_error(X[:5]), expected, rtol=1e-4)
    assert fitted.reconstruction_error(X[3:4]) == pytest.approx(expected[3], rel=1e-4)


def test_pandas_gets_named_columns_and_its_index(fitted, X):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X.reshape(60, 36)[:4], index=list("abcd"))
    model = VAE()
    model.model_ = fitted.model_
    z = model.set_output(transform="pandas").transform(frame)
    assert list(z.columns) == ["vae0", "vae1"]
    assert list(z.index) == list("abcd")
    with pytest.raises(MinivaeError, match="must be 'default' or 'pandas'"):
        model.set_output(transform="polars")


def test_an_unfitted_model_raises_what_scikit_learn_expects(X):
    exceptions = pytest.importorskip("sklearn.exceptions")
    with pytest.raises(exceptions.NotFittedError, match="not fitted yet"):
        VAE().transform(X)
    with pytest.raises(MinivaeError, match="not fitted yet"):
        VAE().transform(X)


# ---- in a notebook -----------------------------------------------------------------------------


def test_a_model_shows_itself_in_a_notebook(fitted):
    page = fitted._repr_html_()
    assert "36 &rarr;" in page
    assert page.count("data:image/png;base64,") == 2
    assert VAE(latent_dim=3)._repr_html_() == "<code>VAE(latent_dim=3)</code>"


def test_latents_are_drawn_on_the_given_axes(fitted, X):
    from minivae import plots

    ax = plots.figure()[1]
    labels = np.arange(60) % 3
    assert fitted.plot_latents(X, labels, ax=ax) is ax
    assert [len(dots.get_offsets()) for dots in ax.collections] == [20, 20, 20]
    assert len(fitted.plot_latents(X).collections) == 1
    with pytest.raises(MinivaeError, match="labels have shape"):
        fitted.plot_latents(X, labels[:5])


def test_the_class_is_among_the_names_of_the_package():
    import minivae

    assert "VAE" in dir(minivae)
