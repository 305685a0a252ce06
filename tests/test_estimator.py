"""`minivae.VAE`: what a scikit-learn user expects, and what a NumPy user passes by mistake."""

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

SMALL = {"hidden": (7, 5), "epochs": 2, "batch_size": 20, "backend": "numpy", "random_state": 0}


def small(**changes):
    return VAE(**(SMALL | changes))


@pytest.fixture(scope="module")
def X():
    return tiny.images()


@pytest.fixture(scope="module")
def fitted(X):
    """Fitted once; tests must not fit it again."""
    return small().fit(X)


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
    assert params == {"verbose": False}


def test_set_params_changes_and_names_what_it_does_not_know():
    model = small()
    assert model.set_params(lr=0.5, hidden=(3,)) is model
    assert (model.lr, model.hidden) == (0.5, (3,))
    with pytest.raises(MinivaeError, match=r"VAE has no parameter latent; it has .*latent_dim"):
        model.set_params(latent=3)


def test_fit_returns_self_and_what_it_learned(X):
    model = small()
    assert model.fit(X, y="ignored") is model
    assert model.n_features_in_ == 36
    assert model.seed_ == 0
    assert [row["epoch"] for row in model.history_] == [1, 2]
    assert model.model_.spec == tiny.settings().spec(36)
    assert model.model_.image_shape == (6, 6)


def test_fit_warns_that_a_bernoulli_binarizes_grey_images(X):
    with pytest.warns(UserWarning, match='images are grey.*use likelihood="gaussian"') as caught:
        small().fit(X)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.filterwarnings("error")
def test_fit_does_not_warn_of_black_and_white_images_digits_or_with_a_gaussian(X):
    small().fit(X > 127)
    small().fit(data.load("mnist").train[:100])
    small(likelihood="gaussian").fit(X)


def test_the_same_seed_gives_the_same_bits(X, fitted):
    again = small().fit(X)
    assert again.model_.flat.tobytes() == fitted.model_.flat.tobytes()
    assert small(random_state=1).fit(X).model_.flat.tobytes() != fitted.model_.flat.tobytes()
    rngs = [np.random.default_rng(3), np.random.default_rng(3)]
    first, second = (small(random_state=rng).fit(X) for rng in rngs)
    assert first.model_.flat.tobytes() == second.model_.flat.tobytes()
    old = [small(random_state=np.random.RandomState(3)).fit(X) for _ in range(2)]
    assert old[0].seed_ == old[1].seed_
    assert small(random_state=None).fit(X).seed_ != small(random_state=None).fit(X).seed_


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
    model = small().fit(forms[change])
    assert model.model_.flat.tobytes() == fitted.model_.flat.tobytes()
    assert model.model_.image_shape == (6, 6)


def test_images_that_are_not_square_keep_their_shape():
    X = np.zeros((20, 2, 6))
    for form in (X, X[..., None], X[:, None]):
        assert small().fit(form).model_.image_shape == (2, 6)
    assert small().fit(X.reshape(20, 12)).model_.image_shape == (1, 12)


def test_images_are_not_changed(X):
    before = X.copy()
    model = small().fit(X)
    model.transform(X)
    model.score(X)
    assert (before == X).all()


def test_a_fit_that_fails_leaves_the_previous_one(X):
    model = small().fit(X)
    before = model.transform(X).tobytes()
    with pytest.raises(MinivaeError):
        model.set_params(lr=1e38, activation="relu").fit(X)
    assert model.transform(X).tobytes() == before


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_both_backends_fit(X, fitted, backend):
    model = small(backend=backend).fit(X)
    np.testing.assert_allclose(model.transform(X), fitted.transform(X), atol=1e-4)


def test_verbose_shows_a_bar_on_standard_error(X, capsys):
    small(verbose=True).fit(X)
    out, err = capsys.readouterr()
    assert out == ""
    assert "100%" in err
    small().fit(X)
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
    assert small().fit_transform(X).tobytes() == fitted.transform(X).tobytes()


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
    model = small(likelihood="gaussian", variance=0.1).fit(X)
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
    model = small(
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


# ---- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"latent_dim": None}, "latent_dim is None"),
        ({"hidden": "77"}, "hidden is '7'"),
        ({"hidden": None}, "hidden is None"),
        ({"hidden": [[7]]}, r"hidden is \[7\]"),
        ({"lr": "fast"}, "lr is 'fast'"),
        ({"lr": 10**400}, "lr is 1000"),
        ({"lr": np.array([1, 2])}, r"lr is array\(\[1, 2\]\)"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"batch_size": 61}, "there are only 60 training images"),
        ({"likelihood": None}, "likelihood is None"),
        ({"variance": 1.0}, "variance belongs to the gaussian"),
        ({"objective": "iwae", "beta": 2}, "iwae objective has no beta"),
        ({"backend": "torch"}, "backend is 'torch'"),
        ({"random_state": -1}, "random_state is -1"),
        ({"random_state": "seven"}, "random_state is 'seven'"),
        ({"random_state": True}, "random_state is True"),
        ({"random_state": 10**30}, "random_state is 1000"),
    ],
)
def test_wrong_parameters_are_named(X, changes, said):
    with pytest.raises(MinivaeError, match=said) as error:
        small(**changes).fit(X)
    assert len(str(error.value).splitlines()) == 1


WRONG_IMAGES = {
    "labels": np.arange(60) % 10,
    "one image": np.zeros(36),
    "none": np.zeros((0, 36)),
    "colour": np.zeros((5, 6, 6, 3)),
    "nan": np.full((60, 36), np.nan),
    "out of range": np.full((60, 36), 2.0),
    "negative": np.full((60, 36), -1),
    "text": np.full((60, 36), "a"),
    "complex": np.zeros((60, 36), complex),
    "objects": np.full((60, 36), None),
    "ragged": [[0, 1], [0]],
    "a scalar": 3,
    "nothing": None,
    "a path": "images.npy",
    "a dict": {"X": 1},
    "a function": len,
    "dates": np.zeros((60, 36), "M8[s]"),
}


@pytest.mark.parametrize("name", WRONG_IMAGES)
def test_wrong_images_are_refused_everywhere(fitted, name):
    wrong = WRONG_IMAGES[name]
    for method in (small().fit, fitted.transform, fitted.reconstruct, fitted.score):
        with pytest.raises(MinivaeError) as error:
            method(wrong)
        assert len(str(error.value).splitlines()) == 1
    if name != "one image":
        with pytest.raises(MinivaeError):
            fitted.interpolate(wrong, wrong)


def test_images_of_another_size_are_refused(fitted):
    with pytest.raises(MinivaeError, match="25 pixels an image; this model was fitted on 36"):
        fitted.transform(np.zeros((3, 25)))


def test_wrong_latents_are_refused(fitted):
    for Z in (
        np.zeros(2),
        np.zeros((3, 3)),
        np.zeros((0, 2)),
        [[np.nan, 0]],
        [[np.inf, 0]],
        [[1e300, 0]],
        [[10**30, 0]],
        [["a", "b"]],
        [[1], [2, 3]],
        None,
        1j * np.ones((1, 2)),
        np.zeros((1, 2), bool),
        np.array([[-(2**63), 0]]),
    ):
        with pytest.raises(MinivaeError, match="Z") as error:
            fitted.inverse_transform(Z)
        assert len(str(error.value).splitlines()) == 1
    assert fitted.inverse_transform([[0, 1]]).shape == (1, 36)


def test_a_model_of_enormous_numbers_gives_an_error_and_no_nan(X, fitted):
    hopeless = copy.deepcopy(fitted)
    hopeless.model_.flat[:] = np.where(np.arange(fitted.model_.flat.size) % 2, 3e38, -3e38)
    for use in (hopeless.transform, hopeless.reconstruct, hopeless.score):
        with pytest.raises(MinivaeError, match=r"enormous|finite"):
            use(X)
    assert np.isfinite(hopeless.sample(3)).all()  # all black and white, but numbers


def test_wrong_counts_are_refused(X, fitted):
    for count in (0, -1, 1.5, None, "3", True, 10**12, 10**5000):
        with pytest.raises(MinivaeError, match="n_samples"):
            fitted.sample(count)
        with pytest.raises(MinivaeError, match="steps"):
            fitted.interpolate(X[0], X[1], steps=count)
    for count in (0, -1, 1.5, None, "3", True, 10**12):
        with pytest.raises(MinivaeError, match="samples"):
            fitted.score_samples(X[:2], n_samples=count)
    with pytest.raises(MinivaeError, match="steps is 1"):
        fitted.interpolate(X[0], X[1], steps=1)
    with pytest.raises(MinivaeError, match="random_state"):
        fitted.sample(1, random_state=-3)


def test_not_fitted_yet_is_said(tmp_path, X):
    model = small()
    for use in (model.transform, model.reconstruct, model.score, model.inverse_transform):
        with pytest.raises(MinivaeError, match="not fitted yet; call fit"):
            use(X)
    for use in (
        model.sample,
        lambda: model.interpolate(X[0], X[1]),
        lambda: model.save(tmp_path / "m.npz"),
    ):
        with pytest.raises(MinivaeError, match="not fitted yet; call fit"):
            use()


@pytest.mark.parametrize("path", [3, None, "", b"model.npz", "nowhere/model.npz", "a\0b"])
def test_wrong_paths_are_refused(tmp_path, monkeypatch, fitted, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MinivaeError):
        fitted.save(path)
    with pytest.raises(MinivaeError):
        VAE.load(path)


# ---- scikit-learn's own tools --------------------------------------------------------------------


@pytest.fixture
def sklearn():
    return pytest.importorskip("sklearn", reason="scikit-learn is not installed")


def test_clone_copies_parameters_and_nothing_learned(sklearn, fitted):
    from sklearn.base import clone

    twin = clone(fitted)
    assert twin.get_params() == fitted.get_params()
    assert not hasattr(twin, "model_")
    assert clone(VAE(hidden=[3], random_state=np.random.default_rng(0))).hidden == [3]


def test_it_is_known_as_a_fitted_transformer(sklearn, fitted):
    from sklearn.utils import get_tags
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(fitted)
    assert get_tags(fitted).transformer_tags is not None
    assert not get_tags(fitted).target_tags.required


def test_it_works_in_a_pipeline(sklearn, X):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    bright = X.reshape(60, 36).mean(axis=1) > np.median(X.reshape(60, 36).mean(axis=1))
    model = make_pipeline(small(epochs=30, lr=0.02), LogisticRegression())
    assert model.fit(X.reshape(60, 36), bright).predict(X.reshape(60, 36)).shape == (60,)
    assert "vae" in repr(model)
    assert model.set_params(vae__lr=0.1).get_params()["vae__lr"] == 0.1


def test_it_can_be_chosen_by_cross_validation(sklearn, X):
    """`score` is higher for a better model, so a grid search finds the one that trained longer."""
    from sklearn.model_selection import GridSearchCV, cross_val_score

    flat = X.reshape(60, 36)
    model = small(batch_size=10)
    assert np.isfinite(cross_val_score(model, flat, cv=2)).all()
    search = GridSearchCV(model, {"epochs": [1, 40]}, cv=2).fit(flat)
    assert search.best_params_ == {"epochs": 40}
    assert search.best_estimator_.transform(flat).shape == (60, model.latent_dim)


def test_it_inherits_nothing():
    """The protocol needs no base class: only scikit-learn calls `__sklearn_tags__`."""
    assert VAE.__mro__ == (VAE, object)
