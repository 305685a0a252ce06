"""`minivae.VAE`: what a scikit-learn user expects of fitting, using and saving it."""

import copy
import pickle

import numpy as np
import pytest
import tiny

import minivae
from minivae import VAE, MinivaeError, data, runs, train
from minivae.settings import Settings

# Most tests fit a Bernoulli on grey blobs.
pytestmark = pytest.mark.filterwarnings("ignore:the images are grey:UserWarning")

# ---- fitting -------------------------------------------------------------------------------------


def test_the_constructor_only_stores():
    """Nothing is checked or converted before fit, so that clone and set_params can work."""
    hidden = np.array([7, 5])
    model = VAE("two", hidden=hidden, lr=-1)
    assert model.latent_dim == "two"
    assert model.hidden is hidden
    assert model.get_params()["lr"] == -1
    assert not [name for name in vars(model) if name.endswith("_")]


def test_parameters_are_those_of_the_command_line():
    """The same names and defaults, except that scikit-learn calls the seed random_state."""
    params = VAE().get_params()
    renamed = {"seed": "random_state"}
    for name, default in Settings()._asdict().items():
        assert params.pop(renamed.get(name, name)) == (None if name == "seed" else default)
    assert params == {
        "verbose": None,
        "warm_start": False,
        "early_stopping": False,
        "validation_fraction": 0.1,
        "n_iter_no_change": 5,
    }


def test_set_params_changes_and_names_what_it_does_not_know():
    model = tiny.estimator()
    assert model.set_params(lr=0.5, hidden=(3,)) is model
    assert (model.lr, model.hidden) == (0.5, (3,))
    with pytest.raises(MinivaeError, match=r"VAE has no parameter latent; it has .*latent_dim"):
        model.set_params(latent=3)


def test_fit_returns_self_and_what_it_learned(X):
    model = tiny.estimator()
    assert model.fit(X, y="ignored") is model
    assert model.n_features_in_ == 36
    assert model.seed_ == 0
    assert [row["epoch"] for row in model.history_] == [1, 2]
    assert model.model_.spec == tiny.settings().spec(36)
    assert model.model_.image_shape == (6, 6)


def test_fit_warns_that_a_bernoulli_binarizes_grey_images(X):
    with pytest.warns(UserWarning, match='images are grey.*use likelihood="gaussian"') as caught:
        tiny.estimator().fit(X)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.filterwarnings("error")
def test_fit_does_not_warn_of_black_and_white_images_digits_or_with_a_gaussian(X):
    tiny.estimator().fit(X > 127)
    tiny.estimator().fit(data.load("mnist").train[:100])
    tiny.estimator(likelihood="gaussian").fit(X)


def test_the_same_seed_gives_the_same_bits(X, fitted):
    again = tiny.estimator().fit(X)
    assert again.model_.flat.tobytes() == fitted.model_.flat.tobytes()
    other = tiny.estimator(random_state=1).fit(X)
    assert other.model_.flat.tobytes() != fitted.model_.flat.tobytes()
    rngs = [np.random.default_rng(3), np.random.default_rng(3)]
    first, second = (tiny.estimator(random_state=rng).fit(X) for rng in rngs)
    assert first.model_.flat.tobytes() == second.model_.flat.tobytes()
    old = [tiny.estimator(random_state=np.random.RandomState(3)).fit(X) for _ in range(2)]
    assert old[0].seed_ == old[1].seed_
    unseeded = [tiny.estimator(random_state=None).fit(X) for _ in range(2)]
    assert unseeded[0].seed_ != unseeded[1].seed_


def test_it_learns_what_the_command_line_learns(X, fitted):
    """One loop underneath: same seed, same images, same bits."""
    made = tiny.dataset(train=X.reshape(60, 36))
    state = train.train(made, tiny.settings())
    assert state.flat.tobytes() == fitted.model_.flat.tobytes()


@pytest.mark.parametrize("change", ["flat", "channel", "int64", "list", "strided"])
def test_images_in_any_usual_form_give_the_same_model(X, fitted, change):
    forms = {
        "flat": X.reshape(60, 36),
        "channel": X[..., None],
        "int64": X.astype(np.int64),
        "list": X.tolist(),
        "strided": np.repeat(X, 2, axis=0)[::2],
    }
    model = tiny.estimator().fit(forms[change])
    assert model.model_.flat.tobytes() == fitted.model_.flat.tobytes()
    assert model.model_.image_shape == (6, 6)


def test_images_that_are_not_square_keep_their_shape():
    X = np.zeros((20, 2, 6))
    for form in (X, X[..., None], X[:, None]):
        assert tiny.estimator().fit(form).model_.image_shape == (2, 6)
    assert tiny.estimator().fit(X.reshape(20, 12)).model_.image_shape == (1, 12)


def test_images_are_not_changed(X):
    before = X.copy()
    model = tiny.estimator().fit(X)
    model.transform(X)
    model.score(X)
    assert (before == X).all()


def test_a_fit_that_fails_leaves_the_previous_one(X):
    model = tiny.estimator().fit(X)
    before = model.transform(X).tobytes()
    with pytest.raises(MinivaeError):
        model.set_params(lr=1e38, activation="relu").fit(X)
    assert model.transform(X).tobytes() == before


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_both_backends_fit(X, fitted, backend):
    model = tiny.estimator(backend=backend).fit(X)
    np.testing.assert_allclose(model.transform(X), fitted.transform(X), atol=1e-4)


def test_verbose_shows_a_bar_on_standard_error(X, capsys):
    tiny.estimator(verbose=True).fit(X)
    out, err = capsys.readouterr()
    assert out == ""
    assert "100%" in err
    tiny.estimator().fit(X)
    assert capsys.readouterr() == ("", "")


# ---- using ---------------------------------------------------------------------------------------


def test_shapes_and_types(X, fitted):
    Z = fitted.transform(X)
    assert (Z.shape, Z.dtype) == ((60, 2), np.float32)
    for images in (fitted.inverse_transform(Z), fitted.reconstruct(X), fitted.sample(60)):
        assert images.shape == (60, 36)
        assert images.min() >= 0
        assert images.max() <= 1
    assert fitted.interpolate(X[0], X[1], steps=5).shape == (5, 36)
    assert fitted.score_samples(X, n_samples=10).shape == (60,)
    assert isinstance(fitted.score(X), float)


def test_reconstruct_is_transform_and_back(X, fitted):
    back = fitted.inverse_transform(fitted.transform(X))
    assert fitted.reconstruct(X).tobytes() == back.tobytes()
    assert tiny.estimator().fit_transform(X).tobytes() == fitted.transform(X).tobytes()


def test_interpolation_has_the_two_reconstructions_as_its_ends(X, fitted):
    walk = fitted.interpolate(X[3], X[4].ravel(), steps=3)
    np.testing.assert_allclose(walk[[0, 2]], fitted.reconstruct(X[3:5]), atol=1e-6)
    middle = fitted.transform(X[3:5]).mean(axis=0, keepdims=True)
    np.testing.assert_allclose(walk[1:2], fitted.inverse_transform(middle), atol=1e-6)


def test_samples_follow_their_seed(fitted):
    assert fitted.sample(5, random_state=1).tobytes() == fitted.sample(5, random_state=1).tobytes()
    assert fitted.sample(5, random_state=1).tobytes() != fitted.sample(5, random_state=2).tobytes()


def test_scores_are_log_probabilities_that_rise_with_samples(X, fitted):
    """The bound on log p(x) tightens with more importance samples, and is repeatable."""
    few, many = fitted.score_samples(X, n_samples=1), fitted.score_samples(X, n_samples=500)
    assert many.mean() > few.mean()
    assert fitted.score(X) == pytest.approx(many.mean())
    assert fitted.score_samples(X).tobytes() == many.tobytes()


def test_a_gaussian_scores_grey_pixels(X):
    model = tiny.estimator(likelihood="gaussian", variance=0.1).fit(X)
    assert np.isfinite(model.score(X))
    assert model.model_.spec.variance == 0.1


# ---- files ---------------------------------------------------------------------------------------


def test_save_and_load(tmp_path, X, fitted):
    fitted.save(tmp_path / "model.npz")
    back = VAE.load(tmp_path / "model.npz")
    assert back.transform(X).shape == (60, 2)
    assert back.set_params(backend="numpy").transform(X).tobytes() == fitted.transform(X).tobytes()
    params = back.get_params()
    assert (params["latent_dim"], params["hidden"]) == (2, (7, 5))
    assert back.set_params(batch_size=20).fit(X) is back


def test_parameters_of_numpy_types_can_be_saved(tmp_path, X):
    """As they come out of np.linspace and parameter grids."""
    model = tiny.estimator(
        latent_dim=np.int64(3),
        hidden=np.array([4]),
        free_bits=np.float32(0.5),
        lr=np.float64(0.1),
        random_state=np.int32(4),
    ).fit(X)
    model.save(tmp_path / "model.npz")
    assert runs.load_model(tmp_path / "model.npz").spec == model.model_.spec


def test_copies_are_equal_and_apart(X, fitted):
    for twin in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert twin.transform(X).tobytes() == fitted.transform(X).tobytes()
        twin.model_.flat[:] = 0
        assert fitted.model_.flat.any()


def test_repr_shows_what_was_changed():
    assert repr(VAE()) == "VAE()"
    assert repr(VAE(5, lr=0.1)) == "VAE(latent_dim=5, lr=0.1)"
    assert repr(VAE(hidden=np.array([3, 4]))) == "VAE(hidden=array([3, 4]))"


def test_the_class_is_imported_when_it_is_used():
    assert minivae.VAE is VAE
    with pytest.raises(AttributeError, match="no attribute 'GAN'"):
        _ = minivae.GAN
