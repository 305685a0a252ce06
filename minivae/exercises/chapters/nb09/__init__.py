"""Notebook 09, how good is it? Importance weights, tighter bounds, and where the gap comes from."""

import numpy as np

from minivae.exercises.chapters.nb01 import log_sum_exp
from minivae.exercises.exercise import Exercise, Mistake, generic, planted, stub

# ---- 09.log-weights ----------------------------------------------------------------------------


def log_weights(nll, z, mu, logvar):
    """log w = log p(x|z) + log p(z) - log q(z|x)                   [notebook 09, eq. 1]"""
    log_p = -(z**2 + np.log(2 * np.pi)) / 2
    log_q = -((z - mu) ** 2 / np.exp(logvar) + logvar + np.log(2 * np.pi)) / 2
    return -nll + (log_p - log_q).sum(axis=2)


def _weights_cases():
    rng = np.random.default_rng(9)
    return [
        (np.array([[3.0]]), np.array([[[0.4]]]), np.array([[1.0]]), np.array([[0.5]])),
        (
            np.abs(generic(rng, 4, 3)) + 5,
            generic(rng, 4, 3, 2),
            generic(rng, 3, 2),
            generic(rng, 3, 2),
        ),
    ]


def _package_log_weights(vae):
    def own(nll, z, mu, logvar):
        return -nll - vae.log_q_over_p(z, (z - mu) / np.exp(logvar / 2), logvar)

    return own


def _ratio(z, mu, logvar, *, p=1.0, q=1.0, normaliser=1.0, variance=None):
    """log p(z) - log q(z|x), summed over the latents, with parts weighted or exchanged."""
    variance = np.exp(logvar) if variance is None else variance
    log_p = -(z**2) / 2
    log_q = -((z - mu) ** 2 / variance + normaliser * logvar) / 2
    return (p * log_p - q * log_q).sum(axis=2)


LOG_WEIGHTS = Exercise(
    id="09.log-weights",
    title="the log of an importance weight",
    stub=stub("""
        def log_weights(nll, z, mu, logvar):    # (K, B), z ~ q (K, B, L), q's (B, L) and (B, L)
            ...                                 # -> log w (K, B), nats; p(z) = N(0, I)
    """),
    reference=log_weights,
    cases=_weights_cases,
    package=_package_log_weights,
    module="vae",
    mistakes=(
        *planted(_package_log_weights, "iwae-posterior-density-logvar-lost"),
        Mistake(
            "ratio-reversed",
            lambda nll, z, mu, logvar: -nll - _ratio(z, mu, logvar),
            "The ratio is upside down: log p(z) - log q(z|x).",
        ),
        Mistake(
            "nll-sign",
            lambda nll, z, mu, logvar: nll + _ratio(z, mu, logvar),
            "nll is -log p(x|z): it enters with a minus.",
        ),
        Mistake(
            "prior-lost",
            lambda nll, z, mu, logvar: (
                -nll + _ratio(z, mu, logvar, p=0.0) - z.shape[2] * np.log(2 * np.pi) / 2
            ),
            "log p(z) is missing: w is the joint p(x, z) over q.",
        ),
        Mistake(
            "prior-lost-two-pi-too",
            lambda nll, z, mu, logvar: -nll + _ratio(z, mu, logvar, p=0.0),
            "log p(z) is missing: w is the joint p(x, z) over q.",
        ),
        Mistake(
            "q-lost",
            lambda nll, z, mu, logvar: (
                -nll + _ratio(z, mu, logvar, q=0.0) - z.shape[2] * np.log(2 * np.pi) / 2
            ),
            "log q(z|x) is not subtracted: samples that q draws often would count too often.",
        ),
        Mistake(
            "sigma-for-variance",
            lambda nll, z, mu, logvar: -nll + _ratio(z, mu, logvar, variance=np.exp(logvar / 2)),
            "(z - mu)^2 is divided by sigma; it is divided by sigma^2 = exp(logvar).",
        ),
        Mistake(
            "log-sigma-twice",
            lambda nll, z, mu, logvar: -nll + _ratio(z, mu, logvar, normaliser=2.0),
            "The normaliser of q is log sigma = logvar / 2: the half is missing there.",
        ),
        Mistake(
            "closed-form-kl",
            lambda nll, z, mu, logvar: -nll - (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2,
            "The closed-form KL is the average over q; each sample has its own log p - log q.",
        ),
        Mistake(
            "mean-over-latents",
            lambda nll, z, mu, logvar: -nll + _ratio(z, mu, logvar) / z.shape[2],
            "Averaged over the latents; log densities of independent latents add.",
        ),
    ),
    hints=(
        "Three log densities at the same z, two with a plus and one with a minus.",
        "log N(z; m, s^2) = -((z - m)^2 / s^2 + log s^2 + log 2 pi) / 2 for each latent.",
        "-nll + (log_p - log_q).sum(axis=2); the log 2 pi of both cancel.",
    ),
)

# ---- 09.iw-bound -------------------------------------------------------------------------------


def iw_bound(log_w):
    """log (1/K sum_k w_k)                                          [notebook 09, eq. 2]"""
    top = log_w.max(axis=0)
    return top + np.log(np.exp(log_w - top).mean(axis=0))


def _log_w_cases():
    rng = np.random.default_rng(91)
    return [
        (np.array([[-1.5], [-2.3]]),),
        (generic(rng, 5, 3) - 4,),
        (generic(rng, 5, 3) - 1000,),
    ]


def _package_bound(vae):
    def own(log_w):
        each = [log_w[:, [b]] for b in range(log_w.shape[1])]
        return np.array([-vae.iwae_loss(-w, np.zeros_like(w))[0].loss for w in each])

    return own


IW_BOUND = Exercise(
    id="09.iw-bound",
    title="the importance-weighted bound",
    stub=stub("""
        def iw_bound(log_w):    # (K, B) -> (B,): log of the mean weight
            ...
    """),
    reference=iw_bound,
    cases=_log_w_cases,
    package=_package_bound,
    module="vae",
    mistakes=(
        *planted(_package_bound, "iwae-log-k-lost", "iwae-mean-of-logs"),
        Mistake(
            "naive",
            lambda log_w: np.log(np.exp(log_w).mean(axis=0)),
            "exp(-1000) is 0.0: take the largest out before exp.",
        ),
        Mistake(
            "over-images",
            lambda log_w: log_sum_exp(log_w.T) - np.log(log_w.shape[1]),
            "Averaged over the images; the samples lie along axis 0.",
        ),
        Mistake(
            "batch-mean",
            lambda log_w: iw_bound(log_w).mean(),
            "Keep one bound for each image.",
        ),
        Mistake(
            "best-sample",
            lambda log_w: log_w.max(axis=0),
            "The best sample alone is no lower bound: it exceeds log p(x) as K grows.",
        ),
        Mistake(
            "best-over-k",
            lambda log_w: log_w.max(axis=0) - np.log(len(log_w)),
            "A bound, but only of the largest term; the others count too.",
        ),
        Mistake(
            "log-b",
            lambda log_w: log_sum_exp(log_w) - np.log(log_w.shape[1]),
            "log B is subtracted; the mean is over the K samples.",
        ),
        Mistake(
            "sign",
            lambda log_w: -iw_bound(log_w),
            "This is the loss, -bound.",
        ),
    ),
    hints=(
        "A mean of weights, of which you have the logs.",
        "Log-sum-exp over axis 0, minus log K.",
        "top = log_w.max(axis=0); top + np.log(np.exp(log_w - top).mean(axis=0)).",
    ),
)

# ---- 09.iwae-weights ---------------------------------------------------------------------------


def iwae_weights(log_w):
    """w_k / sum of w over the samples of the same image: a softmax over K"""
    w = np.exp(log_w - log_w.max(axis=0))
    return w / w.sum(axis=0)


def _package_weights(vae):
    return lambda log_w: vae.iwae_loss(-log_w, np.zeros_like(log_w))[1]


IWAE_WEIGHTS = Exercise(
    id="09.iwae-weights",
    title="how much each sample counts",
    stub=stub("""
        def iwae_weights(log_w):    # (K, B) -> (K, B): each image's weights, summing to one
            ...
    """),
    reference=iwae_weights,
    cases=_log_w_cases,
    package=_package_weights,
    module="vae",
    mistakes=(
        *planted(
            _package_weights,
            "iwae-plain-average-of-gradients",
            "iwae-softmax-over-batch",
            "iwae-softmax-sign",
            "iwae-weights-not-normalised",
        ),
        Mistake(
            "over-everything",
            lambda log_w: np.exp(log_w - log_w.max()) / np.exp(log_w - log_w.max()).sum(),
            "Normalised over images and samples together; each image's weights sum to one.",
        ),
        Mistake(
            "naive",
            lambda log_w: np.exp(log_w) / np.exp(log_w).sum(axis=0),
            "exp(-1000) is 0.0, and 0 / 0 is NaN: subtract the largest first.",
        ),
        Mistake(
            "logs-normalised",
            lambda log_w: log_w / log_w.sum(axis=0),
            "The logs are normalised; the weights are their exponentials.",
        ),
        Mistake(
            "best-takes-all",
            lambda log_w: (log_w == log_w.max(axis=0)).astype(float),
            "The best sample takes all; a softmax shares.",
        ),
        Mistake(
            "log-softmax",
            lambda log_w: log_w - log_sum_exp(log_w),
            "These are the logs of the weights.",
        ),
    ),
    hints=(
        "A softmax. Over which axis?",
        "The samples of one image compete, the images do not: axis 0.",
        "w = np.exp(log_w - log_w.max(axis=0)); w / w.sum(axis=0).",
    ),
)

# ---- 09.iwae-backward --------------------------------------------------------------------------


def iwae_backward(log_w):
    """d loss / d log w_kb = -softmax_k(log w)_kb / B               [notebook 09, eq. 3]"""
    w = np.exp(log_w - log_w.max(axis=0))
    return -w / w.sum(axis=0) / log_w.shape[1]


def _package_backward(vae):
    return lambda log_w: -_package_weights(vae)(log_w) / log_w.shape[1]


IWAE_BACKWARD = Exercise(
    id="09.iwae-backward",
    title="the gradient of the bound by its log weights",
    stub=stub("""
        def iwae_backward(log_w):    # (K, B); loss = -mean over B of log (1/K sum over K of w)
            ...                      # -> d loss / d log w, (K, B)
    """),
    reference=iwae_backward,
    cases=_log_w_cases,
    package=_package_backward,
    module="vae",
    mistakes=(
        *planted(
            _package_backward,
            "iwae-plain-average-of-gradients",
            "iwae-softmax-over-batch",
            "iwae-softmax-sign",
        ),
        Mistake(
            "sign",
            lambda log_w: iwae_weights(log_w) / log_w.shape[1],
            "The loss is minus the bound: the gradient is negative.",
        ),
        Mistake(
            "batch-forgotten",
            lambda log_w: -iwae_weights(log_w),
            "The 1/B of the mean over images is missing.",
        ),
        Mistake(
            "over-k",
            lambda log_w: -iwae_weights(log_w) / len(log_w),
            "Divided by K: the 1/K inside the log cancels.",
        ),
        Mistake(
            "over-both",
            lambda log_w: -iwae_weights(log_w) / log_w.size,
            "Divided by K too: the 1/K inside the log cancels.",
        ),
        Mistake(
            "by-w",
            lambda log_w: -1 / np.exp(log_w).sum(axis=0) / log_w.shape[1] + 0 * log_w,
            "This is the derivative by w; by log w it is multiplied by w.",
        ),
        Mistake(
            "centred",
            lambda log_w: -(iwae_weights(log_w) - 1 / len(log_w)) / log_w.shape[1],
            "1/K is subtracted: that is the difference to the ELBO's gradient.",
        ),
    ),
    hints=(
        "d log sum exp(a) / d a_k is a familiar function.",
        "It is the softmax; then the sign of the loss and the mean over the images.",
        "-softmax over axis 0, divided by B.",
    ),
)

# ---- 09.effective-samples ----------------------------------------------------------------------


def effective_samples(log_w):
    """(sum w)^2 / sum w^2, between 1 and K"""
    w = np.exp(log_w - log_w.max(axis=0))
    return w.sum(axis=0) ** 2 / (w**2).sum(axis=0)


EFFECTIVE_SAMPLES = Exercise(
    id="09.effective-samples",
    title="how many of the K samples do the work",
    stub=stub("""
        def effective_samples(log_w):    # (K, B) -> (B,): (sum of w)^2 over the sum of w^2
            ...
    """),
    reference=effective_samples,
    cases=_log_w_cases,
    package=lambda evaluate: lambda log_w: evaluate.summarise_weights([log_w], len(log_w))[2],
    module="evaluate",
    mistakes=(
        Mistake(
            "naive",
            lambda log_w: np.exp(log_w).sum(axis=0) ** 2 / (np.exp(log_w) ** 2).sum(axis=0),
            "exp(-1000) is 0.0, and 0 / 0 is NaN; a common factor cancels, so take it out.",
        ),
        Mistake(
            "share",
            lambda log_w: effective_samples(log_w) / len(log_w),
            "This is the share of K; the number itself lies between 1 and K.",
        ),
        Mistake(
            "upside-down",
            lambda log_w: 1 / effective_samples(log_w),
            "Upside down: with equal weights it must be K.",
        ),
        Mistake(
            "not-squared",
            lambda log_w: (
                np.exp(log_w - log_w.max(axis=0)).sum(axis=0)
                / np.exp(2 * (log_w - log_w.max(axis=0))).sum(axis=0)
            ),
            "The sum above is not squared.",
        ),
        Mistake(
            "of-the-logs",
            lambda log_w: log_w.sum(axis=0) ** 2 / (log_w**2).sum(axis=0),
            "The logs stand where the weights belong.",
        ),
        Mistake(
            "sum-over-best",
            lambda log_w: np.exp(log_w - log_w.max(axis=0)).sum(axis=0),
            "The sum over the largest is another count, one that looks at the best sample alone.",
        ),
        Mistake(
            "over-images",
            lambda log_w: effective_samples(log_w.T),
            "Summed over the images; the samples lie along axis 0.",
        ),
        Mistake(
            "perplexity",
            lambda log_w: np.exp(-(iwae_weights(log_w) * (log_w - log_sum_exp(log_w))).sum(axis=0)),
            "The exponential of the entropy is another way to count, not this one.",
        ),
    ),
    hints=(
        "Equal weights give K, one weight that dwarfs the others gives 1.",
        "A common factor cancels, so exp(log_w - max) will do.",
        "w.sum(axis=0) ** 2 / (w ** 2).sum(axis=0).",
    ),
)

# ---- 09.gap ------------------------------------------------------------------------------------


def split_gap(log_px, elbo_best, elbo_encoder):
    """approximation: log p(x) - best ELBO;  amortization: best ELBO - the encoder's"""
    return log_px - elbo_best, elbo_best - elbo_encoder


def _gap_cases():
    return [
        (np.array([-90.0]), np.array([-92.5]), np.array([-96.0])),
        (
            np.array([-85.2, -90.1, -77.7]),
            np.array([-86.6, -93.4, -78.0]),
            np.array([-89.9, -95.0, -81.3]),
        ),
    ]


GAP = Exercise(
    id="09.gap",
    title="the gap, split in two",
    stub=stub("""
        def split_gap(log_px, elbo_best, elbo_encoder):    # (B,): log p(x), the ELBO of the best q
            ...      # of the family for this x, the ELBO of the encoder's q
                     # -> approximation gap (B,), amortization gap (B,)
    """),
    reference=split_gap,
    cases=_gap_cases,
    returns=("approximation", "amortization"),
    mistakes=(
        Mistake(
            "swapped",
            lambda p, best, own: (best - own, p - best),
            "The two are swapped: what no q of the family can reach is the approximation gap.",
        ),
        Mistake(
            "total-first",
            lambda p, best, own: (p - own, best - own),
            "The first is the whole gap: up to the best q only.",
        ),
        Mistake(
            "total-second",
            lambda p, best, own: (p - best, p - own),
            "The second is the whole gap: from the best q on only.",
        ),
        Mistake(
            "signs",
            lambda p, best, own: (best - p, own - best),
            "Both are negative: a gap is the higher minus the lower.",
        ),
        Mistake(
            "means",
            lambda p, best, own: ((p - best).mean(), (best - own).mean()),
            "Averaged over the images; here each image has its own.",
        ),
    ),
    hints=(
        "Three numbers in order: log p(x) >= the best ELBO >= the encoder's.",
        "The two gaps add up to log p(x) - elbo_encoder.",
        "log_px - elbo_best, elbo_best - elbo_encoder.",
    ),
)

EXERCISES = (LOG_WEIGHTS, IW_BOUND, IWAE_WEIGHTS, IWAE_BACKWARD, EFFECTIVE_SAMPLES, GAP)
