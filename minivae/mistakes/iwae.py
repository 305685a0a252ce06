"""Mistakes in the importance-weighted bound and its weights, in `vae`."""

from minivae.mistakes.mistake import BLIND, in_vae
from minivae.mistakes.witnesses import DOUBLY, DRAWN, EVIDENCE, IWAE_COPIES

IWAE_MISTAKES = (
    in_vae(
        "iwae-log-k-lost",
        ("iwae_loss", " - log(len(log_w))", ""),
        sentence="The weights are summed, not averaged: the bound is log K too high.",
        symptom=BLIND,
        witness=IWAE_COPIES,
    ),
    in_vae(
        "iwae-mean-of-logs",
        ("iwae_loss", "(np.log(total) + top - log(len(log_w))).mean()", "log_w.mean()"),
        sentence="The mean of the logs, not the log of the mean: that is the ELBO again.",
        symptom="Every block of the IWAE bound is wrong.",
    ),
    in_vae(
        "iwae-plain-average-of-gradients",
        ("iwae_loss", "w / total", "np.full_like(w, 1 / len(w))"),
        sentence="Every sample has the weight 1/K: the ELBO's gradient under the IWAE's loss.",
        symptom="Every block of the IWAE bound is wrong.",
    ),
    in_vae(
        "iwae-softmax-over-batch",
        ("iwae_loss", "w / total", "w / w.sum(axis=1, keepdims=True)"),
        sentence="The weights are normalised over the images, not over an image's samples.",
        symptom="Every block of the IWAE bound is wrong.",
    ),
    in_vae(
        "iwae-softmax-sign",
        ("iwae_loss", "w / total", "(1 / w) / (1 / w).sum(axis=0)"),
        sentence="The softmax has the wrong sign: the worst sample counts most.",
        symptom="Every block of the IWAE bound is wrong.",
    ),
    in_vae(
        "iwae-weights-not-normalised",
        ("iwae_loss", "w / total", "w"),
        sentence="The weights of an image do not sum to one.",
        symptom="Every block of the IWAE bound is wrong.",
    ),
    in_vae(
        "iwae-prior-lost",
        ("iwae_and_grads", "    dz = dz + dnll[..., None] * z  # the term of log p(z)\n", ""),
        sentence="The gradient of log p(z) is missing.",
        symptom="The decoder is right; both heads and the encoder of the IWAE bound are wrong.",
    ),
    in_vae(
        "iwae-posterior-lost",
        ("iwae_and_grads", "dlogvar - np.asarray(1 / (2 * B), x.dtype)", "dlogvar"),
        sentence="log q(z|x) depends on logvar too, and that term is missing.",
        symptom="logvar's head and the encoder of the IWAE bound are wrong; mu's head is right.",
    ),
    in_vae(
        "iwae-posterior-density-logvar-lost",
        ("log_q_over_p", "z * z - eps * eps - logvar", "z * z - eps * eps"),
        sentence="log q(z|x) lacks its normaliser, -logvar / 2.",
        symptom="logvar's head and the encoder of the IWAE bound are wrong.",
    ),
    in_vae(
        "iwae-drawn-and-weighted",
        (
            "iwae_and_grads",
            "np.full_like(nll, 1 / K) +",
            "iwae_loss(nll, log_q_over_p(z, eps, logvar))[1] +",
        ),
        sentence="Samples drawn by their weights are weighted once more.",
        symptom="It passes: the check draws no samples.",
        witness=DRAWN,
    ),
    in_vae(
        "iwae-drawn-by-luck",
        ("resample", "(at[:, None] >= heights).sum(axis=1)", "(len(weights) * at).astype(int)"),
        sentence="The samples for the backward pass are drawn without regard to their weights.",
        symptom="It passes: the check draws no samples.",
        witness=DRAWN,
    ),
    in_vae(
        "iwae-doubly-weights-once",
        ("iwae_and_grads", "dz = weights[..., None] * (dz", "dz = 1 * (dz"),
        sentence="The encoder's doubly reparameterized gradient needs the squares of the weights.",
        symptom="It passes: the check takes the plain gradient.",
        witness=DOUBLY,
    ),
    in_vae(
        "iwae-doubly-posterior-lost",
        ("iwae_and_grads", "(dz - dnll[..., None] * eps / np.exp(logvar / 2))", "dz"),
        sentence="log q(z|x) moves with z, and that term is missing.",
        symptom="It passes: the check takes the plain gradient.",
        witness=DOUBLY,
    ),
    in_vae(
        "iwae-doubly-posterior-twice",
        ("iwae_and_grads", "    if not doubly:\n        dlogvar", "    if True:\n        dlogvar"),
        sentence="log q(z|x) counts through z and once more through logvar, which is held.",
        symptom="It passes: the check takes the plain gradient.",
        witness=DOUBLY,
    ),
    in_vae(
        "log-weights-density-sign",
        ("log_weights_of_q", "-nll - log_q_over_p", "-nll + log_q_over_p"),
        sentence="log w = log p(x|z) + log q - log p(z): the ratio is upside down.",
        symptom="It passes: the evaluation's weights are not part of the loss.",
        witness=EVIDENCE,
    ),
    in_vae(
        "log-weights-prior-lost",
        (
            "log_weights_of_q",
            "log_q_over_p(z, eps, logvar)",
            "(log_q_over_p(z, eps, logvar) - (z * z / 2).sum(axis=-1))",
        ),
        sentence="log w lacks the -z^2 / 2 of log p(z).",
        symptom="It passes: the evaluation's weights are not part of the loss.",
        witness=EVIDENCE,
    ),
)
