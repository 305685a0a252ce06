"""Mistakes in the KL divergence: `ops.gaussian_kl_forward` and `ops.gaussian_kl_backward`."""

from minivae.mistakes.mistake import BLIND, in_ops
from minivae.mistakes.witnesses import KL_MONTE_CARLO

KL_MISTAKES = (
    in_ops(
        "kl-sign-of-logvar",
        ("gaussian_kl_forward", "expm1_minus(logvar)", "np.expm1(logvar) + logvar"),
        (
            "gaussian_kl_backward",
            "dkl * np.expm1(cache.logvar) / 2",
            "dkl * (np.exp(cache.logvar) + 1) / 2",
        ),
        sentence="The KL adds logvar where it must subtract it (both passes).",
        symptom=BLIND,
        witness=KL_MONTE_CARLO,
    ),
    in_ops(
        "kl-half-lost",
        ("gaussian_kl_forward", "(logvar)) / 2", "(logvar))"),
        (
            "gaussian_kl_backward",
            "dkl * cache.mu, dkl * np.expm1(cache.logvar) / 2",
            "2 * dkl * cache.mu, dkl * np.expm1(cache.logvar)",
        ),
        sentence="The KL lacks its half in both passes: beta is doubled, silently.",
        symptom=BLIND,
        witness=KL_MONTE_CARLO,
    ),
    in_ops(
        "kl-constant-lost",
        ("gaussian_kl_forward", "expm1_minus(logvar)", "np.exp(logvar) - logvar"),
        sentence="The KL lacks its -1, so that it is 1/2 where q is the prior.",
        symptom=BLIND,
        witness=KL_MONTE_CARLO,
    ),
    in_ops(
        "kl-logvar-as-log-sigma",
        ("gaussian_kl_forward", "expm1_minus(logvar)", "expm1_minus(2 * logvar)"),
        ("gaussian_kl_backward", "np.expm1(cache.logvar) / 2", "np.expm1(2 * cache.logvar)"),
        sentence="The KL takes logvar for log sigma (both passes).",
        symptom=BLIND,
        witness=KL_MONTE_CARLO,
    ),
    in_ops(
        "kl-logvar-lost",
        ("expm1_minus", "np.expm1(l) - l", "np.expm1(l)"),
        sentence="The KL lacks its -logvar, except near the prior, where a series has it.",
        symptom="logvar's head and the encoder are wrong, except where logvar is near 0.",
    ),
    in_ops(
        "kl-mean-over-latents",
        ("gaussian_kl_forward", "(logvar)) / 2", "(logvar)) / 2 / mu.shape[-1]"),
        ("gaussian_kl_backward", "    return", "    dkl = dkl / cache.mu.shape[-1]\n    return"),
        sentence="The KL is averaged over latents, not summed (both passes): beta is divided by L.",
        symptom=BLIND,
        witness=KL_MONTE_CARLO,
    ),
    in_ops(
        "kl-gradient-half-lost",
        ("gaussian_kl_backward", "np.expm1(cache.logvar) / 2", "np.expm1(cache.logvar)"),
        sentence="The KL's dlogvar lacks its half.",
        symptom="logvar's head and the encoder are wrong; the pair's dlogvar is exactly double.",
    ),
    in_ops(
        "kl-gradient-sigma-as-variance",
        ("gaussian_kl_backward", "np.expm1(cache.logvar)", "np.expm1(cache.logvar / 2)"),
        sentence="The KL's dlogvar has sigma where sigma^2 belongs.",
        symptom="logvar's head and the encoder are wrong, except at logvar = 0.",
    ),
    in_ops(
        "kl-gradient-one-lost",
        ("gaussian_kl_backward", "np.expm1(cache.logvar)", "np.exp(cache.logvar)"),
        sentence="The KL's dlogvar lacks its -1: it never keeps the variance from shrinking to 0.",
        symptom="logvar's head and the encoder are wrong; the pair's dlogvar is off by dkl / 2.",
    ),
    in_ops(
        "kl-gradient-one-sign",
        ("gaussian_kl_backward", "np.expm1(cache.logvar)", "(np.exp(cache.logvar) + 1)"),
        sentence="The KL's dlogvar has sigma^2 + 1 in place of sigma^2 - 1.",
        symptom="logvar's head and the encoder are wrong; the pair's dlogvar is off by dkl.",
    ),
    in_ops(
        "kl-gradient-mu-doubled",
        ("gaussian_kl_backward", "return dkl * cache.mu", "return dkl * 2 * cache.mu"),
        sentence="The KL's dmu is 2 mu: the half in front of mu^2 was forgotten.",
        symptom="mu's head and the encoder are wrong; the pair's dmu is exactly double.",
    ),
    in_ops(
        "kl-gradient-mu-lost",
        ("gaussian_kl_backward", "return dkl * cache.mu", "return 0 * cache.mu"),
        sentence="The KL does not pull mu towards 0.",
        symptom="mu's head and the encoder are wrong; the pair's dmu is zero.",
    ),
    in_ops(
        "kl-gradient-logvar-lost",
        ("gaussian_kl_backward", "dkl * np.expm1(cache.logvar) / 2", "0 * cache.logvar"),
        sentence="The KL does not pull the variance towards 1.",
        symptom="logvar's head and the encoder are wrong; the pair's dlogvar is zero.",
    ),
    in_ops(
        "kl-gradient-lost",
        ("gaussian_kl_backward", "    return", "    dkl = 0 * dkl\n    return"),
        sentence="The KL has no gradient: an autoencoder with noise.",
        symptom="Both heads and the encoder are wrong; at beta = 0 all is right.",
    ),
    in_ops(
        "kl-gradient-sign",
        ("gaussian_kl_backward", "    return", "    dkl = -dkl\n    return"),
        sentence="The KL is increased, not decreased.",
        symptom="Both heads and the encoder are wrong; the pair's ratio is exactly -1.",
    ),
)
