"""`minivae.VAE`: wrong arguments, images, latents and paths are refused in one line."""

import copy

import numpy as np
import pytest
import tiny
from refusals import refusal

from minivae import VAE, MinivaeError

# Most tests fit a Bernoulli on grey blobs.
pytestmark = pytest.mark.filterwarnings("ignore:the images are grey:UserWarning")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"latent_dim": None}, "latent_dim is None"),
        ({"hidden": "77"}, "hidden is '7'"),
        ({"hidden": None}, "hidden is None"),
        ({"hidden": [[7]]}, "hidden is [7]"),
        ({"lr": "fast"}, "lr is 'fast'"),
        ({"lr": 10**400}, "lr is 1000"),
        ({"lr": np.array([1, 2])}, "lr is array([1, 2])"),
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
    assert said in refusal(tiny.estimator(**changes).fit, X)


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
    for method in (tiny.estimator().fit, fitted.transform, fitted.reconstruct, fitted.score):
        refusal(method, wrong)
    if name != "one image":
        refusal(fitted.interpolate, wrong, wrong)


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
        assert "Z" in refusal(fitted.inverse_transform, Z)
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
    model = tiny.estimator()
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
    refusal(fitted.save, path)
    refusal(VAE.load, path)
