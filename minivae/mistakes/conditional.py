"""Mistakes in a conditional VAE, in `conditional`: where the label comes in, and where it ends."""

from minivae.mistakes.mistake import in_conditional
from minivae.mistakes.witnesses import ONE_LABEL

CONDITIONAL_MISTAKES = (
    in_conditional(
        "label-gradient-taken-for-that-of-z",
        ("elbo_and_grads", "[:, : spec.latent_dim]", "[:, -spec.latent_dim :]"),
        sentence="dz is cut from the wrong end: these columns belong to the label.",
        symptom="The decoder is right; both heads and the encoder are wrong.",
    ),
    in_conditional(
        "label-gradient-not-cut-off",
        ("elbo_and_grads", "[:, : spec.latent_dim]", ""),
        sentence="The columns of the label stay in dz.",
        symptom="The shapes do not fit, so it raises.",
    ),
    in_conditional(
        "label-before-z",
        ("elbo_and_grads", "np.hstack([z, label])", "np.hstack([label, z])"),
        sentence="In the pass with gradients the label stands before z, elsewhere behind it.",
        symptom="Every block is wrong, with no constant ratio.",
    ),
    in_conditional(
        "label-of-another-image",
        (
            "elbo_and_grads",
            "decoder_forward(params, np.hstack([z, label])",
            "decoder_forward(params, np.hstack([z, np.roll(label, 1, axis=0)])",
        ),
        sentence="The decoder's labels were not shuffled together with the images.",
        symptom="Every block is wrong, with no constant ratio.",
    ),
    in_conditional(
        "label-only-for-the-decoder-in-training",
        (
            "elbo_and_grads",
            "encoder_forward(params, np.hstack([x, label])",
            "encoder_forward(params, np.hstack([x, 0 * label])",
        ),
        sentence="In the pass with gradients the encoder is not told the label.",
        symptom="Every block is wrong, with no constant ratio.",
    ),
    in_conditional(
        "label-as-a-number",
        ("one_hot", "rows[np.arange(len(y)), y] = 1", "rows[:, 0] = y"),
        sentence="The label goes in as one number, as if class 4 were twice class 2.",
        symptom="It passes: the gradient of the wrong model is right.",
        witness=ONE_LABEL,
    ),
    in_conditional(
        "label-never-reaches-the-decoder",
        ("elbo_forward", "np.hstack([z, label])", "np.hstack([z, 0 * label])"),
        ("elbo_and_grads", "np.hstack([z, label])", "np.hstack([z, 0 * label])"),
        sentence="The decoder is never told the label, so no label can be asked for.",
        symptom="It passes: the gradient of the wrong model is right.",
        witness=ONE_LABEL,
    ),
    in_conditional(
        "label-row-counted-from-the-start",
        ("given", "params[W][n + label]", "params[W][label]"),
        sentence="The bias of one label takes a row of a pixel, of z, or of another label.",
        symptom="It passes: training is right, and the model for one label is not.",
        witness=ONE_LABEL,
    ),
    in_conditional(
        "label-forgotten-in-the-bias",
        ("given", "params[name] + params[W][n + label]", "params[name]"),
        sentence="The model for one label is the same for all labels.",
        symptom="It passes: training is right, and the model for one label is not.",
        witness=ONE_LABEL,
    ),
)
