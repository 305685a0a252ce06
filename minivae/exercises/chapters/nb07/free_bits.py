"""Free bits, and their gradient."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, planted, stub
from minivae.vae import Spec

# ---- 07.free-bits --------------------------------------------------------------------------------


def free_bits_loss(nll, kl, beta, free_bits):
    """mean nll + beta sum_j max(free_bits, mean_B kl_j)                [notebook 07, eq. 6]"""
    kl_per_latent = kl.mean(axis=0)
    return nll.mean() + beta * np.maximum(kl_per_latent, free_bits).sum()


def _free_bits_cases():
    kl = np.array([[0.01, 1.4, 0.9], [0.03, 2.2, 0.2], [0.02, 0.8, 0.1], [0.07, 1.9, 0.3]])
    nll = np.array([9.1, 7.3, 8.8, 6.2])
    return [
        (np.array([2.0]), np.array([[0.3]]), 1.0, 0.5),
        (nll, kl, 1.0, 0.0),
        (nll, kl, 4.0, 0.5),
    ]


def _spec(kl, free_bits):
    return Spec(data_dim=1, hidden=(), latent_dim=kl.shape[1], free_bits=free_bits)


def _package_free_bits(vae):
    def own(nll, kl, beta, free_bits):
        return vae.elbo_loss(nll, kl, beta, _spec(kl, free_bits))[0].loss

    return own


FREE_BITS = Exercise(
    id="07.free-bits",
    title="free bits",
    stub=stub("""
        def free_bits_loss(nll, kl, beta, free_bits):    # (B,), (B, L), floats -> float
            ...      # each latent's KL, averaged over the batch, costs at least free_bits nats
    """),
    reference=free_bits_loss,
    cases=_free_bits_cases,
    package=_package_free_bits,
    module="vae",
    mistakes=(
        *planted(
            _package_free_bits,
            "free-bits-for-all-latents",
            "elbo-kl-subtracted",
            "elbo-kl-summed-over-batch",
        ),
        WrongAnswer(
            "per-example",
            lambda nll, kl, beta, free_bits: (
                nll.mean() + beta * np.maximum(kl, free_bits).sum(axis=1).mean()
            ),
            "The floor is applied to each example's KL; apply it to the mean over the batch.",
        ),
        WrongAnswer(
            "minimum",
            lambda nll, kl, beta, free_bits: (
                nll.mean() + beta * np.minimum(kl.mean(axis=0), free_bits).sum()
            ),
            "This takes the smaller of the two, so a KL above free_bits would cost nothing more.",
        ),
        WrongAnswer(
            "excess",
            lambda nll, kl, beta, free_bits: (
                nll.mean() + beta * np.maximum(kl.mean(axis=0) - free_bits, 0).sum()
            ),
            "Only the excess over free_bits is counted. The gradient is the same, but the loss is "
            "too small by beta L free_bits, so it no longer compares with -elbo.",
        ),
        WrongAnswer(
            "latents-averaged",
            lambda nll, kl, beta, free_bits: (
                nll.mean() + beta * np.maximum(kl.mean(axis=0), free_bits).mean()
            ),
            "This averages over the latents; sum over them.",
        ),
        WrongAnswer(
            "added",
            lambda nll, kl, beta, free_bits: (
                nll.mean() + beta * (kl.mean(axis=0) + free_bits).sum()
            ),
            "free_bits is added; it is a floor: take the larger of the two.",
        ),
        WrongAnswer(
            "beta-inside",
            lambda nll, kl, beta, free_bits: (
                nll.mean() + np.maximum(beta * kl.mean(axis=0), free_bits).sum()
            ),
            "beta multiplies the KL before the floor is applied; apply the floor to the KL itself.",
        ),
    ),
    hints=(
        "First the average over the batch, for each latent; then the floor; then the sum.",
        "np.maximum compares entry by entry.",
        "nll.mean() + beta * np.maximum(kl.mean(axis=0), free_bits).sum().",
    ),
)

# ---- 07.free-bits-backward -----------------------------------------------------------------------


def free_bits_backward(kl, beta, free_bits):
    """d loss / d kl: beta / B for a latent above its floor, else 0"""
    above = kl.mean(axis=0) > free_bits
    return beta / len(kl) * above


def _free_bits_backward_cases():
    return [(kl, beta, bits) for _, kl, beta, bits in _free_bits_cases()[::-1]]


def _package_free_bits_backward(vae):
    def own(kl, beta, free_bits):
        return vae.elbo_loss(np.zeros(len(kl)), kl, beta, _spec(kl, free_bits))[1]

    return own


FREE_BITS_BACKWARD = Exercise(
    id="07.free-bits-backward",
    title="the gradient of free bits",
    stub=stub("""
        def free_bits_backward(kl, beta, free_bits):    # (B, L), floats
            ...                                         # -> dkl (L,), the same for each example
    """),
    reference=free_bits_backward,
    cases=_free_bits_backward_cases,
    package=_package_free_bits_backward,
    module="vae",
    mistakes=(
        *planted(
            _package_free_bits_backward,
            "elbo-beta-forgotten-in-gradient",
            "free-bits-gradient-not-gated",
            "free-bits-gate-inverted",
        ),
        WrongAnswer(
            "batch-forgotten",
            lambda kl, beta, free_bits: beta * (kl.mean(axis=0) > free_bits),
            "The 1/B of the batch mean is missing.",
        ),
        WrongAnswer(
            "gate-per-example",
            lambda kl, beta, free_bits: beta / len(kl) * (kl > free_bits),
            "This compares each example's KL with free_bits; compare each latent's batch mean.",
        ),
        WrongAnswer(
            "over-latents",
            lambda kl, beta, free_bits: beta / kl.shape[1] * (kl.mean(axis=0) > free_bits),
            "This divides by L; the mean is over the batch, so divide by B.",
        ),
        WrongAnswer(
            "kl-itself",
            lambda kl, beta, free_bits: beta / len(kl) * np.maximum(kl.mean(axis=0) - free_bits, 0),
            "The slope of max(a, c) is 0 or 1, not a - c.",
        ),
        WrongAnswer(
            "gate-on-the-sum",
            lambda kl, beta, free_bits: np.full(
                kl.shape[1], beta / len(kl) * (kl.mean(axis=0).sum() > free_bits)
            ),
            "This compares the sum over the latents with free_bits; each latent has its own floor.",
        ),
    ),
    hints=(
        "What is the derivative of max(a, c) with respect to a?",
        "0 below the floor and 1 above it, times beta and the 1/B of the mean.",
        "beta / len(kl) * (kl.mean(axis=0) > free_bits).",
    ),
)
