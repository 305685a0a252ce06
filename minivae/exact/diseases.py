"""Diagnosis: diseases cause symptoms. log p(x) and p(z|x) by enumeration.   [notebooks 01, 02]"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from minivae import checks
from minivae.errors import MinivaeError
from minivae.exact.faces import Faces, log_sum_exp

Findings = Mapping[str, int]
MOST_SWEEPS = 10_000  # of the coordinate ascent, which needs about 25 on the diagnosis


class DiseaseModel(NamedTuple):
    """Noisy-or: each disease that is present causes each symptom with some probability.

    prior: (diseases,) p(z_i = 1); cause: (diseases, symptoms) the probability that disease i
    alone brings on symptom j; leak: (symptoms,) the probability of a symptom
    without any disease.
    Source of the form: Pearl 1988, section 4.3. The numbers are made up.
    """

    diseases: tuple[str, ...]
    symptoms: tuple[str, ...]
    prior: np.ndarray
    cause: np.ndarray
    leak: np.ndarray


def diagnosis() -> DiseaseModel:
    """Five diseases, six symptoms, thirty-two possible patients."""
    return DiseaseModel(
        diseases=("cold", "flu", "hay fever", "pneumonia", "migraine"),
        symptoms=("cough", "fever", "sneezing", "headache", "fatigue", "itchy eyes"),
        prior=np.array([0.10, 0.04, 0.12, 0.01, 0.06]),
        cause=np.array(
            [
                [0.60, 0.15, 0.70, 0.30, 0.40, 0.05],
                [0.70, 0.90, 0.30, 0.70, 0.85, 0.05],
                [0.15, 0.01, 0.85, 0.20, 0.30, 0.80],
                [0.85, 0.85, 0.02, 0.40, 0.80, 0.01],
                [0.01, 0.01, 0.01, 0.95, 0.50, 0.05],
            ]
        ),
        leak=np.array([0.05, 0.01, 0.05, 0.10, 0.15, 0.03]),
    )


def patients(model: DiseaseModel) -> np.ndarray:
    """Every z: (2^n, n) of 0 and 1, in the order that all functions here use."""
    return np.array(list(product((0, 1), repeat=len(model.diseases))))


def log_prior(model: DiseaseModel) -> np.ndarray:
    """log p(z) = sum_i z_i log p_i + (1 - z_i) log(1 - p_i): (2^n,)

    Raises MinivaeError, as all functions here, for numbers that are not probabilities.
    """
    return _log_prior(checks.check_disease_model(model))


def _log_prior(model):
    z = patients(model)
    with np.errstate(divide="ignore"):  # a probability of 0 has the log -inf
        return np.where(z == 1, np.log(model.prior), np.log1p(-model.prior)).sum(axis=1)


def _log_symptoms(model):
    """log p(x_j = 0|z) and log p(x_j = 1|z): (2^n, symptoms) each.

    A symptom is absent when the leak and every disease present all fail to cause it:
    p(x_j = 0|z) = (1 - leak_j) prod_i (1 - cause_ij)^z_i
    """
    absent = _log_absent(model, patients(model))
    with np.errstate(divide="ignore"):  # a symptom with probability 0 or 1
        return absent, np.log(-np.expm1(absent))


def _log_absent(model, z):
    """log p(x_j = 0|z): z (M, diseases) of 0 and 1 -> (M, symptoms)."""
    with np.errstate(divide="ignore"):
        spared = np.where(z[:, :, None] == 1, np.log1p(-model.cause), 0.0)  # 0 log 0 = 0
        return np.log1p(-model.leak) + spared.sum(axis=1)


def log_joint(model: DiseaseModel, findings: Findings) -> np.ndarray:
    """log p(x, z) for every z: (2^n,).

    findings: {"cough": 1, "fever": 0, ...}. A symptom that was not examined is summed out, which
    leaves a factor of 1. A disease may be a finding too, if a test confirmed it or ruled it out:
    patients that contradict it get -inf. Raises MinivaeError for a finding that is not 0 or 1, or
    not in the model.
    """
    checks.check_findings(findings, model)
    return _log_joint(checks.check_disease_model(model), findings)


def _log_joint(model, findings):
    absent, present = _log_symptoms(model)
    z = patients(model)
    total = _log_prior(model)
    for name, value in findings.items():
        if name in model.symptoms:
            j = model.symptoms.index(name)
            total = total + (present if value else absent)[:, j]
        else:
            total = np.where(z[:, model.diseases.index(name)] == value, total, -np.inf)
    return total


def log_evidence(model: DiseaseModel, findings: Findings) -> float:
    """log p(x) = log sum_z p(x, z), in log space: the exact answer."""
    return float(log_sum_exp(log_joint(model, findings)))


def posterior(model: DiseaseModel, findings: Findings) -> np.ndarray:
    """p(z|x) = p(x, z) / p(x): (2^n,), summing to one. Raises MinivaeError where p(x) = 0."""
    joint = log_joint(model, findings)
    evidence = log_sum_exp(joint)
    if evidence == -np.inf:
        raise MinivaeError("no patient of this model has these findings: p(x) = 0, no posterior")
    return np.exp(joint - evidence)


def disease_probabilities(model: DiseaseModel, findings: Findings) -> dict[str, float]:
    """p(z_i = 1|x) as {disease: probability}.

    Explaining away: with cough and fever, flu and pneumonia are both likely; once a
    test shows flu, pneumonia is less likely than before, although the two are independent.
    """
    marginals = posterior(model, findings) @ patients(model)
    return dict(zip(model.diseases, marginals.tolist(), strict=True))


def sample_patients(
    model: DiseaseModel, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Ancestral sampling, causes before effects: z (n, diseases), x (n, symptoms), 0 and 1."""
    n = checks.check_samples(n, "n")
    model = checks.check_disease_model(model)
    z = (rng.random((n, len(model.diseases))) < model.prior).astype(int)
    absent = _log_absent(model, z)
    x = (rng.random(absent.shape) >= np.exp(absent)).astype(int)
    return z, x


def independent(model: DiseaseModel, probabilities: Sequence[float]) -> np.ndarray:
    """A q(z) under which the diseases are independent: (n,) -> (2^n,), summing to one.

    Raises MinivaeError unless there is one probability for each disease.
    """
    p = checks.check_disease_probabilities(probabilities, model)
    z = patients(model)
    return np.where(z == 1, p, 1 - p).prod(axis=1)


def best_independent(model: DiseaseModel, findings: Findings) -> np.ndarray:
    """The independent q with the highest ELBO: q(z_i = 1) for each disease, (n,).

    Coordinate ascent from 1/2: with the other probabilities held, the best log odds of disease i
    are E[log p(x, z) | z_i = 1] - E[log p(x, z) | z_i = 0], averages over q of the others. Each
    step raises the ELBO or leaves it. In general it may end at a local optimum; for a cough and a
    fever in `diagnosis` all starts end at the same one.               [notebook 02, section 2.5]

    Raises MinivaeError where the findings rule a patient out: log 0 has no average.
    """
    joint = log_joint(model, findings)
    if not np.isfinite(joint).all():
        raise MinivaeError("p(x, z) must be above 0 for every z; these findings rule patients out")
    return ascend_independent(joint, patients(model), np.full(len(model.diseases), 0.5))


def ascend_independent(log_joint: np.ndarray, z: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The ascent of `best_independent`: log p(x, z) (Z,), all z (Z, n), start (n,) -> (n,)."""
    p = np.array(start, float)
    for _ in range(MOST_SWEEPS):
        before = p.copy()
        for i in range(len(p)):
            factors = np.where(z == 1, p, 1 - p)
            others = np.delete(factors, i, axis=1).prod(axis=1)  # q(z) without disease i
            log_odds = (np.where(z[:, i] == 1, others, -others) * log_joint).sum()
            p[i] = np.exp(-np.logaddexp(0, -log_odds))
        if np.abs(p - before).max() < 1e-14:
            break
    return p


def diagnosis_faces(model: DiseaseModel, findings: Findings, q: np.ndarray) -> Faces:
    """The three faces of the ELBO as finite sums: q (2^n,) -> Faces.   [notebook 02, eqs. 4 to 6]

    -inf where q gives weight to a patient whom the findings rule out.
    """
    checks.check_findings(findings, model)
    model = checks.check_disease_model(model)
    q = checks.check_patient_distribution(q, model)
    joint, prior = _log_joint(model, findings), _log_prior(model)
    if (joint[q > 0] == -np.inf).any():
        return Faces(*np.full(3, -np.inf))
    evidence = log_sum_exp(joint)
    with np.errstate(divide="ignore"):
        log_q = np.log(q)

    def mean(values):
        return q[q > 0] @ values[q > 0]  # 0 log 0 = 0

    log_posterior = joint - evidence
    with np.errstate(invalid="ignore"):  # -inf - -inf, for patients whom `mean` leaves out
        return Faces(
            evidence=evidence - mean(log_q - log_posterior),
            reconstruction=mean(joint - prior) - mean(log_q - prior),
            energy=mean(joint) - mean(log_q),
        )
