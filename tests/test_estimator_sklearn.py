"""`minivae.VAE` in scikit-learn's own tools."""

import numpy as np
import pytest
import tiny

from minivae import VAE

# Most tests fit a Bernoulli on grey blobs.
pytestmark = pytest.mark.filterwarnings("ignore:the images are grey:UserWarning")


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
    model = make_pipeline(tiny.estimator(epochs=30, lr=0.02), LogisticRegression())
    assert model.fit(X.reshape(60, 36), bright).predict(X.reshape(60, 36)).shape == (60,)
    assert "vae" in repr(model)
    assert model.set_params(vae__lr=0.1).get_params()["vae__lr"] == 0.1


def test_it_can_be_chosen_by_cross_validation(sklearn, X):
    """`score` is higher for a better model, so a grid search finds the one that trained longer."""
    from sklearn.model_selection import GridSearchCV, cross_val_score

    flat = X.reshape(60, 36)
    model = tiny.estimator(batch_size=10)
    assert np.isfinite(cross_val_score(model, flat, cv=2)).all()
    search = GridSearchCV(model, {"epochs": [1, 40]}, cv=2).fit(flat)
    assert search.best_params_ == {"epochs": 40}
    assert search.best_estimator_.transform(flat).shape == (60, model.latent_dim)


def test_it_inherits_nothing():
    """The protocol needs no base class: only scikit-learn calls `__sklearn_tags__`."""
    assert VAE.__mro__ == (VAE, object)
