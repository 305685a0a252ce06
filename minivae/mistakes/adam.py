"""Mistakes in `ops.adam_step`."""

from minivae.mistakes.mistake import in_ops
from minivae.mistakes.witnesses import ADAM

ADAM_MISTAKES = (
    in_ops(
        "adam-bias-correction-lost",
        ("adam_step", "m_hat_scale = 1 / (1 - beta1**step)", "m_hat_scale = 1"),
        ("adam_step", "v_hat_scale = 1 / (1 - beta2**step)", "v_hat_scale = 1"),
        sentence="Adam's moments are not corrected for starting at zero.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    in_ops(
        "adam-bias-correction-of-v-lost",
        ("adam_step", "v_hat_scale = 1 / (1 - beta2**step)", "v_hat_scale = 1"),
        sentence="Only m is corrected: the first step is more than 30 times too long.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    in_ops(
        "adam-eps-inside-the-root",
        (
            "adam_step",
            "(np.sqrt(v * v_hat_scale) + adam_eps)",
            "np.sqrt(v * v_hat_scale + adam_eps)",
        ),
        sentence="adam_eps is added under the root, where it is 10,000 times as strong.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    in_ops(
        "adam-gradient-not-squared",
        ("adam_step", "(1 - beta2) * grad * grad", "(1 - beta2) * np.abs(grad)"),
        sentence="The second moment averages |g|, not g^2.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    in_ops(
        "adam-betas-swapped",
        ("adam_step", "m *= beta1", "m *= beta2"),
        ("adam_step", "v *= beta2", "v *= beta1"),
        sentence="beta1 and beta2 decay the wrong moments.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    in_ops(
        "adam-climbs",
        ("adam_step", "flat -= (lr", "flat += (lr"),
        sentence="The step goes up the loss.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    in_ops(
        "adam-not-in-place",
        ("adam_step", "flat -= (lr", "flat = flat - (lr"),
        sentence="The name `flat` is rebound; the caller's parameters never move.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
)
