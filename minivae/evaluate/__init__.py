"""How good is a trained model? Test ELBO, importance-weighted log p(x), gaps, active units.

conditional         the same numbers of a conditional model, given the labels
likelihood          the test set as a whole, and log p(x) by importance sampling   [notebook 09]
proposals           a second proposal, to find mass that the first one missed      [notebook 09]
total_correlation   dependence of the latents, as a penalty with its gradient   [notebook 10]
inference_gap       log p(x) - ELBO split in two: the family of q, and the encoder  [notebook 09]
interpretability    how much information latents have about known factors          [notebook 10]
ladder              what is known of a factor: picture, code, latent, fifty labels [notebook 10]
dci                 disentanglement, completeness, informativeness                 [notebook 10]
decoder_metric      J'J of the decoder, and what a step in the code moves          [notebook 10]
renderer_fit        the factors of a cat, read off its picture; the ceiling       [notebook 10]
sample_quality      how far samples are from real pictures, and what they cover    [notebook 10]
"""

from minivae.evaluate.conditional import conditional_elbo_terms, evaluate_conditional
from minivae.evaluate.inference_gap import Gaps, best_q, gaps
from minivae.evaluate.likelihood import (
    ACTIVE_VARIANCE,
    Bounds,
    LogLikelihood,
    active_units,
    elbo_terms,
    evaluate,
    importance_bounds,
    latent_activity,
    log_likelihood,
    log_likelihood_of_q,
    summarise_weights,
)
from minivae.evaluate.proposals import Proposals, compare_proposals

__all__ = [
    "ACTIVE_VARIANCE",
    "Bounds",
    "Gaps",
    "LogLikelihood",
    "Proposals",
    "active_units",
    "best_q",
    "compare_proposals",
    "conditional_elbo_terms",
    "elbo_terms",
    "evaluate",
    "evaluate_conditional",
    "gaps",
    "importance_bounds",
    "latent_activity",
    "log_likelihood",
    "log_likelihood_of_q",
    "summarise_weights",
]
