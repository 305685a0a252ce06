"""Overfit one batch: a test of the whole chain, from the loss to the optimizer."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

D, H, L = 12, 10, 2
SHAPES = {
    "enc_W": (D, H), "enc_b": (H,), "mu_W": (H, L), "mu_b": (L,), "logvar_W": (H, L),
    "logvar_b": (L,), "dec_W": (L, H), "dec_b": (H,), "out_W": (H, D), "out_b": (D,),
}  # fmt: skip
SIZES = [int(np.prod(shape)) for shape in SHAPES.values()]
PLACES = [slice(end - n, end) for n, end in zip(SIZES, np.cumsum(SIZES).tolist(), strict=True)]


def learns_by_heart(gradient, theta, x, rng):
    """Adam on this batch alone; at the end the mean loss is between log B and three times that"""
    theta, steps = theta.copy(), 600
    m, v, losses = np.zeros_like(theta), np.zeros_like(theta), []
    for step in range(1, steps + 1):
        loss, grad = gradient(theta, x, rng.standard_normal((len(x), 2)))
        losses.append(loss)
        m += 0.1 * (grad - m)
        v += 0.001 * (grad**2 - v)
        lr = 0.05 * 0.05 ** (step / steps)
        theta -= lr * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return bool(np.log(len(x)) < np.mean(losses[-200:]) < 3 * np.log(len(x)))


# ---- the models that are tested ------------------------------------------------------------------


def _model(name, *, to_decoder=None, kl_weight=1.0, scale=1.0, shift=0.0, swing=0.0):
    """A function gradient(theta, x, eps) of a VAE with one hidden layer on each side.

    to_decoder(mu, eps): what the decoder reads in place of z. kl_weight: of the KL in loss and
    gradient. scale, shift: the loss is multiplied by the one, and the other is added.
    swing: is added to the loss for half of all draws and subtracted for the others: 0 on average.
    """

    def gradient(theta, x, eps):
        p = {n: theta[at].reshape(s) for (n, s), at in zip(SHAPES.items(), PLACES, strict=True)}
        B, g = len(x), {}
        y1 = np.tanh(x @ p["enc_W"] + p["enc_b"])
        mu, logvar = y1 @ p["mu_W"] + p["mu_b"], y1 @ p["logvar_W"] + p["logvar_b"]
        sigma = np.exp(logvar / 2)
        z = mu + sigma * eps if to_decoder is None else to_decoder(mu, eps)
        y2 = np.tanh(z @ p["dec_W"] + p["dec_b"])
        out = y2 @ p["out_W"] + p["out_b"]
        nll = (np.maximum(out, 0) - x * out + np.log1p(np.exp(-np.abs(out)))).sum() / B
        kl = (mu**2 + sigma**2 - 1 - logvar).sum() / 2 / B
        dout = ((1 + np.tanh(out / 2)) / 2 - x) / B  # the sigmoid, without overflow
        g["out_W"], g["out_b"] = y2.T @ dout, dout.sum(axis=0)
        da2 = dout @ p["out_W"].T * (1 - y2**2)
        g["dec_W"], g["dec_b"] = z.T @ da2, da2.sum(axis=0)
        dz = da2 @ p["dec_W"].T
        dmu = dz + kl_weight * mu / B
        dlogvar = dz * eps * sigma / 2 + kl_weight * (sigma**2 - 1) / 2 / B
        g["mu_W"], g["mu_b"] = y1.T @ dmu, dmu.sum(axis=0)
        g["logvar_W"], g["logvar_b"] = y1.T @ dlogvar, dlogvar.sum(axis=0)
        da1 = (dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T) * (1 - y1**2)
        g["enc_W"], g["enc_b"] = x.T @ da1, da1.sum(axis=0)
        flat = np.concatenate([g[n].ravel() for n in SHAPES])
        loss = scale * (nll + kl_weight * kl) + shift + swing * np.sign(eps[0, 0])
        return float(loss), flat

    gradient.__name__ = name
    return gradient


def _cases():
    rng = np.random.default_rng(76)

    def case(model, B=6):
        theta = np.concatenate(
            [
                rng.normal(0, shape[0] ** -0.5, shape).ravel() if len(shape) == 2 else np.zeros(n)
                for shape, n in zip(SHAPES.values(), SIZES, strict=True)
            ]
        )
        x = rng.permuted(np.tile(np.arange(D) % 2.0, (B, 1)), axis=1)
        return model, theta, x, np.random.default_rng(6)

    return [
        case(_model("right")),
        case(_model("decoder_reads_only_noise", to_decoder=lambda mu, eps: eps)),
        case(_model("kl_left_out", kl_weight=0.0)),
        case(_model("a_constant_left_out", shift=-5.0)),
        # other B: the two bounds move with it
        case(_model("right"), B=3),
        case(_model("a_constant_too_much", shift=2.9), B=3),  # ends above 4 log 3, below 3 log 6
        case(_model("a_part_of_the_loss", scale=0.42), B=12),  # ends between log 12 - 1 and log 12
        # right on average: the single losses, near 0.5 and 8.5, lie on both sides of the bounds
        case(_model("right_with_a_noisy_loss", swing=4.0), B=12),
    ]


# ---- known mistakes ------------------------------------------------------------------------------


def _trained(gradient, theta, x, rng, *, steps=600, lr=0.05):
    """The losses of a training with Adam on this batch."""
    theta = theta.copy()
    m, v, losses = np.zeros_like(theta), np.zeros_like(theta), []
    for step in range(1, steps + 1):
        loss, grad = gradient(theta, x, rng.standard_normal((len(x), L)))
        losses.append(loss)
        m += 0.1 * (grad - m)
        v += 0.001 * (grad**2 - v)
        rate = lr * 0.05 ** (step / steps)
        theta -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return losses


def _verdict(says, **kwargs):
    """A wrong answer: says(the losses, log B) of a training."""

    def wrong(gradient, theta, x, rng):
        with np.errstate(all="ignore"):
            return bool(says(_trained(gradient, theta, x, rng, **kwargs), np.log(len(x))))

    return wrong


ONE_BATCH = Exercise(
    id="07.one-batch",
    title="a test that overfits one batch",
    stub=stub("""
        def learns_one_batch(gradient, theta, x, rng):
            ...      # gradient(theta, x, eps) -> loss (nats per image, one draw each), grad (P,)
                     # theta (P,), x (B, 12): different images, eps (B, 2)
                     # -> True if training on x alone brings the loss, averaged over draws,
                     # below 3 log B, and not below what is possible; else False
    """),
    reference=learns_by_heart,
    cases=_cases,
    heavy=True,
    mistakes=(
        WrongAnswer(
            "it-falls",
            _verdict(lambda losses, log_B: np.mean(losses[-200:]) < losses[0]),
            "It says True for every model here. That the loss falls is not enough: it also falls "
            "if only the mean image is learned, or if the loss itself is wrong.",
        ),
        WrongAnswer(
            "no-floor",
            _verdict(lambda losses, log_B: np.mean(losses[-200:]) < 3 * log_B),
            "Nothing is said when the loss goes below log B. No right loss can.",
        ),
        WrongAnswer(
            "no-ceiling",
            _verdict(lambda losses, log_B: np.mean(losses[-200:]) > log_B),
            "Where nothing is learned the loss stays above 3 log B, and this says True.",
        ),
        WrongAnswer(
            "refuses-the-right-ones",
            _verdict(lambda losses, log_B: log_B < np.mean(losses[-10:]) < 3 * log_B, steps=40),
            "The right models are refused as well. Is the training long enough, are the steps of a "
            "good size, and is there fresh noise at each step?",
        ),
        WrongAnswer(
            "last-loss",
            _verdict(lambda losses, log_B: log_B < losses[-1] < 3 * log_B),
            "A single loss, the last or the lowest, is of one draw of the noise: average over "
            "many draws.",
        ),
        WrongAnswer(
            "zero-is-the-floor",
            _verdict(lambda losses, log_B: 0 < np.mean(losses[-200:]) < 3 * log_B),
            "0 is not the floor: the KL of q's that can be told apart is log B or more.",
        ),
        WrongAnswer(
            "bounds-written-in",
            _verdict(lambda losses, log_B: 1.7 < np.mean(losses[-200:]) < 5.4),
            "The bounds are written in as numbers; they have to follow B = len(x).",
        ),
        WrongAnswer(
            "half-the-floor",
            _verdict(lambda losses, log_B: log_B / 2 < np.mean(losses[-200:]) < 3 * log_B),
            "The floor is log B, not half of it: no right model's mean loss lies between the two.",
        ),
    ),
    hints=(
        "Train on the same x for 600 steps, with fresh noise at each and Adam at a rate near 0.02, "
        "and average the loss over the last two hundred.",
        "Two bounds: 7.3 says which loss no right model can go below.",
        "np.log(len(x)) < np.mean(losses[-200:]) < 3 * np.log(len(x)).",
    ),
)
