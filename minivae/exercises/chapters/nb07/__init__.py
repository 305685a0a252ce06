"""Notebook 07, a working model: minibatches, Adam, warm-up, free bits."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, Mistake, generic, planted, stub
from minivae.vae import Spec

# ---- 07.adam -----------------------------------------------------------------------------------


def adam_step(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    """One step of Adam, in place                                [notebook 07, eqs. 2 to 4]"""
    m[:] = beta1 * m + (1 - beta1) * grad
    v[:] = beta2 * v + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    flat -= lr * m_hat / (np.sqrt(v_hat) + adam_eps)


def _adam_cases():
    rng = np.random.default_rng(7)
    tiny = np.array([1e-7, 0.02, -0.01, 3e-8])  # where adam_eps shows
    return [
        (np.array([0.5]), np.array([0.02]), np.zeros(1), np.zeros(1), 1, 0.1),
        (generic(rng, 4), tiny, np.zeros(4), np.zeros(4), 1, 0.01),
        (
            generic(rng, 4),
            generic(rng, 4) / 50,
            generic(rng, 4) / 50,
            generic(rng, 4) ** 2 / 2500,
            3,
            0.01,
        ),
    ]


def _observe_adam(answer, flat, grad, m, v, step, lr):
    flat, m, v = flat.copy(), m.copy(), v.copy()
    answer(flat, grad, m, v, step, lr)
    return flat, m, v


def _adam_variant(change):
    """A wrong answer: change(grad, m_hat, v_hat, lr, adam_eps, v) is what is subtracted."""

    def wrong(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
        m[:] = beta1 * m + (1 - beta1) * grad
        v[:] = beta2 * v + (1 - beta2) * grad**2
        m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
        flat -= change(grad, m_hat, v_hat, lr, adam_eps, v)

    return wrong


def _package_adam(ops):
    return ops.adam_step


ADAM = Exercise(
    id="07.adam",
    title="one step of Adam",
    stub=stub("""
        def adam_step(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
            ...      # all (P,); step counts from 1. Change flat, m and v in place; return nothing
    """),
    reference=adam_step,
    cases=_adam_cases,
    observe=_observe_adam,
    returns=("flat", "m", "v"),
    package=_package_adam,
    mistakes=(
        *planted(
            _package_adam,
            "adam-bias-correction-lost",
            "adam-bias-correction-of-v-lost",
            "adam-eps-inside-the-root",
            "adam-gradient-not-squared",
            "adam-betas-swapped",
            "adam-climbs",
            "adam-not-in-place",
        ),
        Mistake(
            "root-forgotten",
            _adam_variant(lambda g, m, v, lr, eps, raw: lr * m / (v + eps)),
            "The root of v is missing: v holds squares.",
        ),
        Mistake(
            "eps-forgotten",
            _adam_variant(lambda g, m, v, lr, eps, raw: lr * m / np.sqrt(v)),
            "adam_eps is not used: a parameter whose gradient is always 0 would become NaN.",
        ),
        Mistake(
            "root-before-correction",
            _adam_variant(lambda g, m, v, lr, eps, raw: lr * m / (v / np.sqrt(raw) + eps)),
            "The bias correction belongs under the root: sqrt(v / (1 - beta2^step)).",
        ),
        Mistake(
            "gradient-for-m",
            _adam_variant(lambda g, m, v, lr, eps, raw: lr * g / (np.sqrt(v) + eps)),
            "The raw gradient is stepped along (that is RMSprop); Adam steps along m_hat.",
        ),
        Mistake(
            "plain-momentum",
            _adam_variant(lambda g, m, v, lr, eps, raw: lr * m),
            "v is not used: the step is not divided by the gradient's own size.",
        ),
        Mistake(
            "sign-of-gradient",
            _adam_variant(lambda g, m, v, lr, eps, raw: lr * np.sign(g)),
            "The sign of the gradient alone: that is Adam's very first step only.",
        ),
    ),
    hints=(
        "Two running means, of grad and of grad squared; their start at 0 has to be undone.",
        "m[:] = ... changes the array; m = ... only rebinds the name.",
        "m_hat = m / (1 - beta1**step), v_hat so too; flat -= lr m_hat / (sqrt(v_hat) + adam_eps).",
    ),
)

# ---- 07.binarize -------------------------------------------------------------------------------


def binarize(images, u):
    """x ~ Bernoulli(pixel / 255), from uniform noise"""
    return (u < images / 255).astype(np.float32)


def _binarize_cases():
    rng = np.random.default_rng(71)
    images = np.array([[0, 30, 200, 255], [120, 128, 7, 0], [64, 250, 200, 255]], np.uint8)
    u = np.round(rng.random((3, 4)), 3)
    u[0], u[1] = (0.0, 0.11, 0.6, 0.999), (0.6, 0.2, 0.5, 0.1)
    u[2, 2] = 0.782  # between 200/256 and 200/255
    return [
        (np.array([[100]], np.uint8), np.array([[0.3]])),
        (images, u),
    ]


BINARIZE = Exercise(
    id="07.binarize",
    title="dynamic binarization",
    stub=stub("""
        def binarize(images, u):    # grey images (B, D) uint8 of 0..255, uniforms in [0, 1) (B, D)
            ...                     # -> (B, D) float32 of 0 and 1: x ~ Bernoulli(pixel / 255)
    """),
    reference=binarize,
    cases=_binarize_cases,
    mistakes=(
        Mistake(
            "threshold",
            lambda images, u: (images > 127).astype(np.float32),
            "A threshold makes the same picture each time; each pixel is to be drawn.",
        ),
        Mistake(
            "not-scaled",
            lambda images, u: (u < images).astype(np.float32),
            "Pixels of 0..255 are compared with numbers below 1: divide by 255.",
        ),
        Mistake(
            "inverted",
            lambda images, u: (u >= images / 255).astype(np.float32),
            "Turned around: a bright pixel comes out as 0.",
        ),
        Mistake(
            "not-strict",
            lambda images, u: (u <= images / 255).astype(np.float32),
            "u can be exactly 0, and then a black pixel comes out white: u < p, not u <= p.",
        ),
        Mistake(
            "over-256",
            lambda images, u: (u < images / 256).astype(np.float32),
            "Divided by 256: a pixel of 255 must be white for certain.",
        ),
        Mistake(
            "grey",
            lambda images, u: (images / 255).astype(np.float32),
            "These are the probabilities themselves, grey; draw 0 or 1 with them.",
        ),
        Mistake(
            "truth-values",
            lambda images, u: u < images / 255,
            "True and False, not numbers: .astype(np.float32).",
        ),
        Mistake(
            "one-draw-for-the-row",
            lambda images, u: (u[:, :1] < images / 255).astype(np.float32),
            "One draw for all pixels of an image: that is a random threshold.",
        ),
    ),
    hints=(
        "A uniform number lies below p with probability p.",
        "p = images / 255, exactly 0 for black and 1 for white.",
        "(u < images / 255).astype(np.float32).",
    ),
)

# ---- 07.warmup ---------------------------------------------------------------------------------


def warmed_up_beta(step, warmup, beta):
    """beta min(1, step / warmup), and beta itself without a warm-up     [notebook 07, eq. 5]"""
    if warmup == 0:
        return beta
    return beta * min(1.0, step / warmup)


def _warmup_cases():
    warm = [(5, 10, 1.0), (0, 10, 1.0), (25, 10, 4.0), (3, 10, 4.0), (10, 10, 2.0)]
    return [*warm, (3, 0, 2.0), (0, 0, 2.0)]


WARMUP = Exercise(
    id="07.warmup",
    title="a warm-up of the KL's weight",
    stub=stub("""
        def warmed_up_beta(step, warmup, beta):    # from 0 at step 0, linearly, to beta at `warmup`
            ...                                    # and after; warmup = 0 means none -> float
    """),
    reference=warmed_up_beta,
    cases=_warmup_cases,
    mistakes=(
        Mistake(
            "no-ceiling",
            lambda step, warmup, beta: beta * step / warmup if warmup else beta,
            "It grows on after the warm-up: min(1, ...).",
        ),
        Mistake(
            "one-is-the-ceiling",
            lambda step, warmup, beta: min(1.0, beta * step / warmup) if warmup else beta,
            "It ends at 1 whatever beta is: the min belongs around step / warmup alone.",
        ),
        Mistake(
            "beta-is-the-ceiling",
            lambda step, warmup, beta: min(beta, step / warmup) if warmup else beta,
            "It rises by 1 / warmup a step and reaches a beta above 1 too late.",
        ),
        Mistake(
            "falls",
            lambda step, warmup, beta: beta * max(0.0, 1 - step / warmup) if warmup else beta,
            "It falls; a warm-up begins with the likelihood alone.",
        ),
        Mistake(
            "switch",
            lambda step, warmup, beta: beta if step >= warmup else 0.0,
            "It switches on at once; it is to rise linearly.",
        ),
        Mistake(
            "divides-by-zero",
            lambda step, warmup, beta: beta * min(1.0, step / warmup),
            "Without a warm-up this divides by 0.",
        ),
        Mistake(
            "one-step-of-warmup",
            lambda step, warmup, beta: beta * min(1.0, step / max(warmup, 1)),
            "Without a warm-up beta is there from step 0 on.",
        ),
        Mistake(
            "no-beta",
            lambda step, warmup, beta: min(1.0, step / warmup) if warmup else 1.0,
            "beta itself is not used.",
        ),
    ),
    hints=(
        "A share that rises from 0 to 1, times beta.",
        "step / warmup, but at most 1; and warmup may be 0.",
        "beta if warmup == 0 else beta * min(1.0, step / warmup).",
    ),
)

# ---- 07.free-bits ------------------------------------------------------------------------------


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
        Mistake(
            "per-example",
            lambda nll, kl, beta, free_bits: (
                nll.mean() + beta * np.maximum(kl, free_bits).sum(axis=1).mean()
            ),
            "The floor is put under each example's KL; it belongs under the batch mean.",
        ),
        Mistake(
            "minimum",
            lambda nll, kl, beta, free_bits: (
                nll.mean() + beta * np.minimum(kl.mean(axis=0), free_bits).sum()
            ),
            "The smaller of the two: then more KL would cost nothing.",
        ),
        Mistake(
            "excess",
            lambda nll, kl, beta, free_bits: (
                nll.mean() + beta * np.maximum(kl.mean(axis=0) - free_bits, 0).sum()
            ),
            "Only the excess is counted: the same gradient, but the loss is below -elbo by L "
            "times free_bits, and the curves would not add up.",
        ),
        Mistake(
            "latents-averaged",
            lambda nll, kl, beta, free_bits: (
                nll.mean() + beta * np.maximum(kl.mean(axis=0), free_bits).mean()
            ),
            "Averaged over the latents; their costs add up.",
        ),
        Mistake(
            "added",
            lambda nll, kl, beta, free_bits: (
                nll.mean() + beta * (kl.mean(axis=0) + free_bits).sum()
            ),
            "free_bits is added; it is a floor: the larger of the two.",
        ),
        Mistake(
            "beta-inside",
            lambda nll, kl, beta, free_bits: (
                nll.mean() + np.maximum(beta * kl.mean(axis=0), free_bits).sum()
            ),
            "beta multiplies the KL before the floor; the floor is in nats of KL.",
        ),
    ),
    hints=(
        "First the average over the batch, for each latent; then the floor; then the sum.",
        "np.maximum compares entry by entry.",
        "nll.mean() + beta * np.maximum(kl.mean(axis=0), free_bits).sum().",
    ),
)

# ---- 07.free-bits-backward ---------------------------------------------------------------------


def free_bits_backward(kl, beta, free_bits):
    """d loss / d kl: beta / B for a latent above its floor, else 0"""
    paid = kl.mean(axis=0) > free_bits
    return beta / len(kl) * paid


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
        Mistake(
            "batch-forgotten",
            lambda kl, beta, free_bits: beta * (kl.mean(axis=0) > free_bits),
            "The 1/B of the batch mean is missing.",
        ),
        Mistake(
            "gate-per-example",
            lambda kl, beta, free_bits: beta / len(kl) * (kl > free_bits),
            "The gate looks at each example; the floor is under the batch mean, one gate a latent.",
        ),
        Mistake(
            "over-latents",
            lambda kl, beta, free_bits: beta / kl.shape[1] * (kl.mean(axis=0) > free_bits),
            "Divided by L; the mean is over the batch, so 1/B.",
        ),
        Mistake(
            "kl-itself",
            lambda kl, beta, free_bits: beta / len(kl) * np.maximum(kl.mean(axis=0) - free_bits, 0),
            "The slope of max(a, c) is 0 or 1, not a - c.",
        ),
        Mistake(
            "gate-on-the-sum",
            lambda kl, beta, free_bits: np.full(
                kl.shape[1], beta / len(kl) * (kl.mean(axis=0).sum() > free_bits)
            ),
            "One gate for the sum of the latents; each latent has its own.",
        ),
    ),
    hints=(
        "What is the slope of max(a, c) in a?",
        "0 below the floor and 1 above it, times what stands before the sum and inside the mean.",
        "beta / len(kl) * (kl.mean(axis=0) > free_bits).",
    ),
)

# ---- 07.silent-beta ----------------------------------------------------------------------------


def _judge_beta(answer):
    if isinstance(answer, bool) or not isinstance(answer, int | float | np.number):
        return "expected one number"
    if not abs(answer - 3.92) <= 0.005:
        return "expected the beta in: loss = a constant times (nll + beta kl), nll and kl as sums"
    return None


SILENT_BETA = Exercise(
    id="07.silent-beta",
    title="a beta that nobody chose",
    stub=stub("""
        # A course writes loss = nll.mean() + kl.mean(), where nll is the mean over 784 pixels and
        # kl the mean over 200 latents. Up to a constant factor this is nll + beta kl in nats per
        # example. Which beta?
        beta = ...
    """),
    reference=784 / 200,
    judge=_judge_beta,
    mistakes=(
        Mistake(
            "upside-down",
            200 / 784,
            "nll / 784 + kl / 200 = (nll + beta kl) / 784: multiply both by 784, not by 200.",
        ),
        Mistake("one", 1, "The two are divided by different numbers, so their balance changes."),
        Mistake("latents", 1 / 200, "That is the KL's factor; the nll has one too, 1/784."),
        Mistake("pixels", 784, "That is the nll's factor; the KL has one too, 1/200."),
        Mistake("product", 784 * 200, "One is divided by the other: 784 / 200."),
    ),
    hints=(
        "Write the loss with the sums: nll / 784 + kl / 200.",
        "Take 1/784 out of the bracket.",
        "784 / 200.",
    ),
    solution_text=stub("""
        beta = 784 / 200
        # nll / 784 + kl / 200 = (nll + 784 / 200 kl) / 784: the KL weighs 3.92 times as much.
    """),
)

# ---- 07.bug ------------------------------------------------------------------------------------


def reported_elbo(mu, logvar, eps, nll_of):
    # The test ELBO of a published model, better than anyone's. It is no bound.
    kl = ((mu**2 + np.exp(logvar) - 1 - logvar) / 2).sum(axis=1)
    z = mu
    return -(nll_of(z) + kl)


def mended_reported_elbo(mu, logvar, eps, nll_of):
    kl = ((mu**2 + np.exp(logvar) - 1 - logvar) / 2).sum(axis=1)
    z = mu + np.exp(logvar / 2) * eps  # E_q[nll] needs samples of q, not its mean
    return -(nll_of(z) + kl)


def decoder_nll(z):
    return 3 + ((z - 0.5) ** 2).sum(axis=1)


def _bug_cases():
    rng = np.random.default_rng(72)
    return [
        (*(np.array([[v]]) for v in (1.0, 0.5, 0.3)), decoder_nll),
        (*(generic(rng, 3, 2) for _ in range(3)), decoder_nll),
    ]


def _reported(z_of, sign=1.0):
    def wrong(mu, logvar, eps, nll_of):
        kl = ((mu**2 + np.exp(logvar) - 1 - logvar) / 2).sum(axis=1)
        return -(nll_of(z_of(mu, logvar, eps)) + sign * kl)

    return wrong


BUG = Exercise(
    id="07.bug",
    title="find the bug: a test ELBO that is too good",
    stub=inspect.getsource(reported_elbo).rstrip(),
    reference=mended_reported_elbo,
    given=reported_elbo,
    cases=_bug_cases,
    mistakes=(
        Mistake(
            "variance-as-sigma",
            _reported(lambda mu, logvar, eps: mu + np.exp(logvar) * eps),
            "A sample it is now, but with the variance as its standard deviation.",
        ),
        Mistake(
            "prior-sample",
            _reported(lambda mu, logvar, eps: 1.0 * eps),
            "This samples the prior; the ELBO averages over q.",
        ),
        Mistake(
            "kl-dropped",
            _reported(lambda mu, logvar, eps: mu + np.exp(logvar / 2) * eps, 0.0),
            "The KL was right and is needed.",
        ),
        Mistake(
            "kl-sign",
            _reported(lambda mu, logvar, eps: mu + np.exp(logvar / 2) * eps, -1.0),
            "The KL's sign was right: elbo = -(nll + kl).",
        ),
        Mistake(
            "unit-noise",
            _reported(lambda mu, logvar, eps: mu + eps),
            "The noise is not scaled by sigma.",
        ),
    ),
    hints=(
        "Which argument is never used?",
        "The expectation of the nll is over z ~ q, and the mean of q is one point.",
        "z = mu + np.exp(logvar / 2) * eps.",
    ),
)

EXERCISES = (ADAM, BINARIZE, WARMUP, FREE_BITS, FREE_BITS_BACKWARD, SILENT_BETA, BUG)
