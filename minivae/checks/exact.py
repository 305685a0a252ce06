"""Checks of the models whose evidence is known (`minivae.exact`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minivae.checks.values import as_float64, check_number, check_whole
from minivae.errors import MinivaeError

if TYPE_CHECKING:
    from minivae.exact.diseases import DiseaseModel
    from minivae.exact.linear import Linear
    from minivae.spec import Spec


def check_disease_model(model: DiseaseModel) -> DiseaseModel:
    """The model with its probabilities as float64 arrays, or MinivaeError."""
    n, symptoms = len(model.diseases), len(model.symptoms)
    return model._replace(
        prior=_probabilities(model.prior, "prior", (n,)),
        cause=_probabilities(model.cause, "cause", (n, symptoms)),
        leak=_probabilities(model.leak, "leak", (symptoms,)),
    )


def _probabilities(p, name, shape):
    p = as_float64(p, name)
    if p.shape != shape or not ((p >= 0) & (p <= 1)).all():
        raise MinivaeError(
            f"{name} has shape {p.shape}; it must hold probabilities from 0 to 1, shape {shape}"
        )
    return p


def check_findings(findings: Mapping[str, Any], model: DiseaseModel) -> None:
    """Raise MinivaeError unless the findings are 0 or 1, of the model's symptoms and diseases."""
    for name, value in findings.items():
        if value not in (0, 1):
            raise MinivaeError(f"finding {name!r} is {value!r}; it must be 0 or 1")
        if name not in model.symptoms and name not in model.diseases:
            known = ", ".join(model.symptoms + model.diseases)
            raise MinivaeError(f"finding {name!r} is not in this model; it knows {known}")


def check_disease_probabilities(p: Any, model: DiseaseModel) -> np.ndarray:
    """One probability for each disease as float64 (n,), or MinivaeError."""
    return _probabilities(p, "probabilities", (len(model.diseases),))


def check_patient_distribution(q: Any, model: DiseaseModel) -> np.ndarray:
    """q as a float64 array (2^n,) of probabilities that sum to 1, or MinivaeError."""
    q = as_float64(q, "q")
    if q.shape != (2 ** len(model.diseases),) or (q < 0).any() or not np.isclose(q.sum(), 1):
        raise MinivaeError("q must hold one probability for each patient, summing to 1")
    return q


def check_linear(model: Linear) -> None:
    """Raise MinivaeError unless the variance of a `Linear` model is a number above 0."""
    check_number(model.variance, "the model's variance", above=0)


def check_linear_spec(spec: Spec) -> None:
    """Raise MinivaeError unless a VAE of this Spec is a linear Gaussian model."""
    if spec.hidden or spec.likelihood != "gaussian":
        raise MinivaeError("only a gaussian model with hidden = () is linear; this one is not")


def check_covariance(covariance: Any) -> None:
    """Raise MinivaeError unless covariance, (L, L) or (N, L, L), is that of a density."""
    covariance = np.asarray(covariance)
    square = covariance.ndim >= 2 and covariance.shape[-1] == covariance.shape[-2]
    if not (square and np.isfinite(covariance).all()):
        raise MinivaeError("q's covariance must be finite and of shape (L, L)")
    if np.linalg.eigvalsh(covariance).min() <= 0:
        raise MinivaeError("q's covariance has a variance of 0 or less; every one must be above 0")


def check_data(x: Any, latent: int) -> np.ndarray:
    """x as a float64 array (N, D) of finite numbers with D above `latent`, or MinivaeError."""
    x = as_float64(x, "x")
    if x.ndim != 2 or x.shape[1] < 2 or not (len(x) and np.isfinite(x).all()):
        raise MinivaeError(f"x has shape {x.shape}; it must hold finite numbers, (N, D), D > 1")
    check_whole(latent, "latent", 1, x.shape[1] - 1)
    return x


def check_quadrature(spec: Spec, tolerance: Any) -> None:
    """Raise MinivaeError unless the Spec has 1 or 2 latents and tolerance is above 0 nats."""
    if spec.latent_dim > 2:
        raise MinivaeError(
            f"quadrature sums over a grid of z, and this model has {spec.latent_dim} latents; it "
            "takes 1 or 2 (evaluate.log_likelihood estimates log p(x) for any number)"
        )
    check_number(tolerance, "tolerance", above=0)
