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
    if p.shape != shape:
        raise MinivaeError(
            f"{name} has shape {p.shape}; it must hold probabilities from 0 to 1, shape {shape}"
        )
    outside = ~((p >= 0) & (p <= 1))  # true for NaN, too
    if outside.any():
        raise MinivaeError(
            f"{name} holds {p[outside][0]:g}; it must hold probabilities from 0 to 1"
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
    patients = 2 ** len(model.diseases)
    if q.shape != (patients,):
        raise MinivaeError(
            f"q has shape {q.shape}; it must hold one probability for each of the {patients} "
            "patients, summing to 1"
        )
    if not (q >= 0).all() or not np.isclose(q.sum(), 1):
        raise MinivaeError(
            f"q has a lowest value of {q.min():g} and a sum of {q.sum():g}; it must hold "
            "probabilities summing to 1"
        )
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
    covariance = as_float64(covariance, "q's covariance")
    shape = covariance.shape
    if len(shape) not in (2, 3) or shape[-1] != shape[-2] or covariance.size == 0:
        raise MinivaeError(f"q's covariance has shape {shape}; it must be (L, L) or (N, L, L)")
    if not np.isfinite(covariance).all():
        raise MinivaeError("q's covariance holds NaN or infinity; all must be finite")
    lowest = np.linalg.eigvalsh(covariance).min()
    if lowest <= 0:
        raise MinivaeError(
            f"q's covariance has a variance of {lowest:.3g} along one axis; every one must be "
            "above 0"
        )


def check_data(x: Any, latent: int) -> np.ndarray:
    """x as a float64 array (N, D) of finite numbers with D above `latent`, or MinivaeError."""
    x = as_float64(x, "x")
    if x.ndim != 2 or x.shape[1] < 2 or len(x) == 0:
        raise MinivaeError(f"x has shape {x.shape}; it must be (N, D), N > 0, D > 1")
    if not np.isfinite(x).all():
        row = int(np.argmin(np.isfinite(x).all(axis=1)))
        raise MinivaeError(f"x holds NaN or infinity in row {row}; all must be finite")
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
