"""Mistakes in the reparameterization: `ops.reparam_forward` and `ops.reparam_backward`."""

from minivae.mistakes.mistake import BLIND, in_ops
from minivae.mistakes.witnesses import Z_MOMENTS

REPARAM_MISTAKES = (
    in_ops(
        "reparam-variance-as-sigma",
        ("reparam_forward", "sigma = np.exp(logvar / 2)", "sigma = np.exp(logvar)"),
        ("reparam_backward", "cache.sigma / 2", "cache.sigma"),
        sentence="exp(logvar), the variance, is used as the standard deviation.",
        symptom=BLIND,
        witness=Z_MOMENTS,
    ),
    in_ops(
        "reparam-variance-as-sigma-forward",
        ("reparam_forward", "sigma = np.exp(logvar / 2)", "sigma = np.exp(logvar)"),
        sentence="exp(logvar) is used as the standard deviation; the backward still halves.",
        symptom="logvar's head and the encoder are wrong; the pair's dlogvar is exactly half.",
    ),
    in_ops(
        "reparam-noise-shared",
        ("reparam_forward", "    sigma =", "    eps = eps[..., :1, :] + 0 * eps\n    sigma ="),
        sentence="All examples of a batch get the first one's noise.",
        symptom=BLIND,
        witness=Z_MOMENTS,
    ),
    in_ops(
        "reparam-half-lost",
        ("reparam_backward", "cache.sigma / 2", "cache.sigma"),
        sentence="sigma = exp(logvar / 2) is differentiated without the half.",
        symptom="logvar's head and the encoder are wrong; the pair's dlogvar is exactly double.",
    ),
    in_ops(
        "reparam-sigma-lost",
        ("reparam_backward", "dz * cache.eps * cache.sigma / 2", "dz * cache.eps / 2"),
        sentence="dlogvar lacks the factor sigma.",
        symptom="logvar's head and the encoder are wrong; at logvar = 0 nothing shows.",
    ),
    in_ops(
        "reparam-eps-lost",
        ("reparam_backward", "dz * cache.eps * cache.sigma / 2", "dz * cache.sigma / 2"),
        sentence="dlogvar lacks the noise.",
        symptom="logvar's head and the encoder are wrong, with no constant ratio.",
    ),
    in_ops(
        "reparam-fresh-noise",
        (
            "reparam_backward",
            "dz * cache.eps *",
            "dz * np.random.default_rng().standard_normal(dz.shape) *",
        ),
        sentence="The backward pass draws its own noise; it needs the noise that made z.",
        symptom="logvar's head and the encoder are wrong, by another number at each call.",
    ),
    in_ops(
        "reparam-dmu-lost",
        ("reparam_backward", "dmu, dlogvar = dz,", "dmu, dlogvar = 0 * dz,"),
        sentence="dmu = dz is missing: the mean learns nothing from the reconstruction.",
        symptom="mu's head and the encoder are wrong; logvar's head is right.",
    ),
    in_ops(
        "reparam-mean-over-samples",
        (
            "reparam_backward",
            "dmu.sum(axis=0), dlogvar.sum(axis=0)",
            "dmu.mean(axis=0), dlogvar.mean(axis=0)",
        ),
        sentence="The K samples' gradients are averaged; they share mu and logvar, so they add up.",
        symptom="Right for the ELBO; for the IWAE bound the heads and the encoder are wrong.",
    ),
)
