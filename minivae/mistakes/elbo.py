"""Mistakes in the ELBO and its gradient, in `vae`: where the blocks are put together."""

from minivae.mistakes.mistake import in_vae
from minivae.mistakes.witnesses import TERMS

ELBO_MISTAKES = (
    in_vae(
        "elbo-likelihood-summed-over-batch",
        (
            "elbo_and_grads",
            "dnll = np.full(len(x), 1 / len(x), x.dtype)",
            "dnll = np.full(len(x), 1.0, x.dtype)",
        ),
        sentence="The likelihood's gradient is a sum over the batch, the loss and the KL a mean.",
        symptom="The decoder is exactly B times too large; the encoder is wrong too.",
    ),
    in_vae(
        "elbo-kl-path-to-mu-lost",
        ("elbo_and_grads", "    dmu = dmu + dmu_kl\n", ""),
        sentence="mu's gradient has two terms, and the KL's is missing.",
        symptom="mu's head and the encoder are wrong; at beta = 0 all is right.",
    ),
    in_vae(
        "elbo-kl-path-to-logvar-lost",
        ("elbo_and_grads", "    dlogvar = dlogvar + dlogvar_kl\n", ""),
        sentence="logvar's gradient has two terms, and the KL's is missing.",
        symptom="logvar's head and the encoder are wrong; at beta = 0 all is right.",
    ),
    in_vae(
        "elbo-path-through-z-lost",
        (
            "elbo_and_grads",
            "    dmu = dmu + dmu_kl\n    dlogvar = dlogvar + dlogvar_kl\n",
            "    dmu, dlogvar = dmu_kl, dlogvar_kl\n",
        ),
        sentence="The encoder learns from the KL alone; the gradient through z is missing.",
        symptom="The decoder is right; both heads and the encoder are wrong.",
    ),
    in_vae(
        "elbo-one-head-into-h",
        ("encoder_backward", "    dh = dh + layer_backward(", "    layer_backward("),
        sentence="Both heads read the same h, and the gradient from logvar's head is missing.",
        symptom="Decoder and both heads are right; the encoder's hidden layers are wrong.",
    ),
    in_vae(
        "elbo-heads-swapped",
        ("elbo_and_grads", "encoder_backward(dmu, dlogvar,", "encoder_backward(dlogvar, dmu,"),
        sentence="mu's head gets logvar's gradient, and vice versa.",
        symptom="The decoder is right; both heads and the encoder are wrong.",
    ),
    in_vae(
        "elbo-decoder-delta-reused",
        (
            "elbo_and_grads",
            "    encoder_backward(dmu, dlogvar, c_encoder, grads, ops)\n",
            "    encoder_backward(dmu, dlogvar, c_encoder, grads, ops)\n"
            '    dh = layer_backward("out", dout, c_decoder.out, grads, ops)\n'
            '    hidden_backward("enc", dh, c_encoder.hidden, grads, ops, need_dx=False)\n',
        ),
        sentence="The encoder's hidden layers get the decoder's gradient.",
        symptom="Decoder and both heads are right; the encoder's hidden layers are wrong. With "
        "hidden layers of different sizes it raises.",
    ),
    in_vae(
        "elbo-noise-forgotten",
        (
            "elbo_forward",
            "reparam_forward(mu, logvar, eps)",
            "reparam_forward(mu, logvar, 0 * eps)",
        ),
        sentence="The bound is evaluated at the mean of q, not at a sample.",
        symptom="Every block is wrong, with no constant ratio.",
    ),
    in_vae(
        "elbo-kl-subtracted",
        ("elbo_loss", "nll + beta * kl_counted", "nll - beta * kl_counted"),
        sentence="The loss subtracts the KL: minimising it drives q away from the prior.",
        symptom="The decoder is right; both heads and the encoder are wrong.",
    ),
    in_vae(
        "elbo-sign-of-the-report",
        ("elbo_loss", "-(nll + kl)", "-nll + kl"),
        sentence="The reported elbo adds the KL, so it can exceed log p(x).",
        symptom="It passes: the loss is right, the report is not.",
        witness=TERMS,
    ),
    in_vae(
        "elbo-beta-forgotten-in-gradient",
        ("elbo_loss", "type(beta / B)", "type(1 / B)"),
        sentence="The loss is weighted by beta, its gradient is not.",
        symptom="At beta = 1 all is right; at 4 the heads and the encoder are wrong.",
    ),
    in_vae(
        "elbo-beta-on-the-report",
        ("elbo_loss", "-(nll + kl), nll, kl)", "-(nll + beta * kl), nll, kl)"),
        sentence="beta also weights the reported elbo: with beta below 1 it can exceed log p(x).",
        symptom="It passes: the loss is right, the report is not.",
        witness=TERMS,
    ),
    in_vae(
        "elbo-kl-summed-over-batch",
        ("elbo_loss", "sum_rows(kl_each) / B", "sum_rows(kl_each)"),
        sentence="The loss has the KL's sum over the batch, the gradient that of its mean.",
        symptom="The decoder is right; both heads and the encoder are wrong.",
    ),
    in_vae(
        "free-bits-gradient-not-gated",
        ("elbo_loss", "dkl = above *", "dkl = np.ones_like(above) *"),
        sentence="Latents below their free bits still get the KL's gradient.",
        symptom="Without free bits all is right; where a latent is below them, "
        "the heads and the encoder are wrong.",
    ),
    in_vae(
        "free-bits-gate-inverted",
        ("elbo_loss", "dkl = above *", "dkl = ~above *"),
        sentence="The gate is inverted: only latents below their free bits get the KL's gradient.",
        symptom="Both heads and the encoder are wrong.",
    ),
    in_vae(
        "free-bits-for-all-latents",
        (
            "elbo_loss",
            "np.where(above, kl_per_latent, spec.free_bits).sum()",
            "kl_per_latent.sum()\n"
            "    if kl_counted.real <= spec.free_bits:\n        kl_counted = spec.free_bits",
        ),
        sentence="One floor for the sum over the latents; each latent should have its own.",
        symptom="Without free bits all is right; where a latent is below them and the sum is "
        "not, the heads and the encoder are wrong.",
    ),
)
