"""Models whose evidence is known, so that every bound can be compared with the exact answer.

diseases      discrete and small: log p(x) and p(z|x) by enumeration        [notebooks 01, 02]
linear        linear Gaussian, probabilistic PCA: all in closed form        [notebooks 02, 04]
              (linear_training: a linear VAE climbs to its known maximum)
integral      any VAE with one or two latents: quadrature over z            [notebook 09]

Everything is float64 and in nats. The ELBO can be written in three forms, which give the same
number for each model:

    evidence          log p(x) - KL(q(z) || p(z|x))
    reconstruction    E_q[log p(x|z)] - KL(q(z) || p(z))
    energy            E_q[log p(x, z)] + H(q)
"""

from minivae.exact.diseases import (
    DiseaseModel,
    best_independent,
    diagnosis,
    diagnosis_faces,
    disease_probabilities,
    independent,
    log_evidence,
    log_joint,
    log_prior,
    patients,
    posterior,
    sample_patients,
)
from minivae.exact.faces import LOG_2PI, Faces, log_sum_exp
from minivae.exact.integral import (
    PosteriorGrid,
    Quadrature,
    posterior_grid,
    quadrature,
    vae_faces,
)
from minivae.exact.linear import (
    Linear,
    as_linear,
    ascent_that_lowers_evidence,
    axes_angle,
    exact_linear_elbo_and_grads,
    linear_analytic_kl,
    linear_faces,
    linear_integrands,
    linear_log_evidence,
    linear_posterior,
    log_likelihood_linear,
    log_normal,
    maximum_likelihood,
    sample_linear,
    sigma_points,
)
from minivae.exact.linear_training import LinearFit, train_linear_vae

__all__ = [
    "LOG_2PI",
    "DiseaseModel",
    "Faces",
    "Linear",
    "LinearFit",
    "PosteriorGrid",
    "Quadrature",
    "as_linear",
    "ascent_that_lowers_evidence",
    "axes_angle",
    "best_independent",
    "diagnosis",
    "diagnosis_faces",
    "disease_probabilities",
    "exact_linear_elbo_and_grads",
    "independent",
    "linear_analytic_kl",
    "linear_faces",
    "linear_integrands",
    "linear_log_evidence",
    "linear_posterior",
    "log_evidence",
    "log_joint",
    "log_likelihood_linear",
    "log_normal",
    "log_prior",
    "log_sum_exp",
    "maximum_likelihood",
    "patients",
    "posterior",
    "posterior_grid",
    "quadrature",
    "sample_linear",
    "sample_patients",
    "sigma_points",
    "train_linear_vae",
    "vae_faces",
]
