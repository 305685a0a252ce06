"""Checks of what a user passes to `minivae.VAE`, besides the settings of its training."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from minivae.checks.settings import INTEGER_RANGES
from minivae.checks.values import check_whole, describe, printable
from minivae.errors import MinivaeError

if TYPE_CHECKING:
    from minivae.estimator import VAE
    from minivae.spec import Spec


def check_parameter_names(names: Collection[str], known: Collection[str]) -> None:
    """Raise MinivaeError unless all names are those of constructor arguments."""
    for name in names:
        if name not in known:
            raise MinivaeError(f"VAE has no parameter {printable(name)}; it has {', '.join(known)}")


def check_pretrained_name(name: Any, known: Collection[str]) -> None:
    """Raise MinivaeError unless a model of this name is shipped."""
    if not isinstance(name, str) or name not in known:
        raise MinivaeError(
            f"no shipped model is called {describe(name)}; the shipped ones are "
            f"{' and '.join(known)}"
        )


def check_fitted(estimator: VAE) -> None:
    """Raise MinivaeError if `fit` has not been called."""
    if not hasattr(estimator, "model_"):
        raise _not_fitted_error()("this VAE is not fitted yet; call fit(X) first")


def _not_fitted_error() -> type[MinivaeError]:
    """MinivaeError, and scikit-learn's NotFittedError too, where somebody can expect that one."""
    if "sklearn" not in sys.modules:
        return MinivaeError
    from sklearn.exceptions import NotFittedError

    return type("NotFitted", (MinivaeError, NotFittedError), {})


def check_same_spec(before: Spec, now: Spec) -> None:
    """Raise MinivaeError unless a fit with the spec `now` can go on from a model of `before`."""
    differing = [name for name in now._fields if getattr(before, name) != getattr(now, name)]
    if differing:
        changes = ", ".join(
            f"{name} was {getattr(before, name)} and is {getattr(now, name)}" for name in differing
        )
        raise MinivaeError(f"warm_start goes on with the same model, but {changes}")


def check_output(name: Any) -> None:
    """Raise MinivaeError unless `transform` can return this, "default" or "pandas"."""
    if name not in ("default", "pandas"):
        raise MinivaeError(f"the output is {describe(name)}; it must be 'default' or 'pandas'")
    if name == "pandas" and importlib.util.find_spec("pandas") is None:
        raise MinivaeError("pandas is not installed; install it, or leave the output as it is")


def check_one_for_each(values: Any, n: int, name: str) -> np.ndarray:
    """`values` as an array (n,), one for each image, or MinivaeError."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise MinivaeError(f"{name} have shape {array.shape} for {n} images; give one for each")
    return array


def seed_from(random_state: Any) -> int:
    """An integer seed from None, an integer, or a NumPy random generator (Generator or
    RandomState).

    None gives a different seed at each call; a generator supplies one draw. Raises MinivaeError for
    anything else.
    """
    if random_state is None:
        random_state = np.random.default_rng()
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**32, dtype=np.uint64))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**32))
    return check_whole(random_state, "random_state", *INTEGER_RANGES["seed"])
