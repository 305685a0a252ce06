"""log p(x) of small models by brute force: an independent check of `exact.quadrature`.

Nothing here is taken from the package but the parameters' names: a decoder of its own, dense scans,
and Gauss rules between all kinks of the decoder. One latent: a scan of 100,000 points finds every
place that matters. Two latents: brute_force_plane.py.
"""

from typing import NamedTuple

import numpy as np

from minivae.vae import Spec, decode, n_params, unpack

NODES, WEIGHTS = np.polynomial.legendre.leggauss(6)
REACH = 20.0  # |z| that is looked at
DEPTH = 50.0  # nats below the highest value: less does not matter


class Case(NamedTuple):
    spec: Spec
    params: dict
    x: np.ndarray  # (D,)


def random_case(seed, latent, sharp=False):
    """A random model with an image: broad, sharp and kinked ones, plain and misfitting images.

    sharp: two latents are drawn with less noise than otherwise and longer weights, as one is.
    """
    rng = np.random.default_rng([seed, latent])
    activation = ("relu", "tanh", "softplus")[rng.choice(3, p=[0.5, 0.3, 0.2])]
    hidden = [(1,), (2,), (3,), (6,), (12,), (4, 3), (6, 6)][rng.integers(7)]
    bernoulli = rng.random() < 0.3
    sharp = sharp or latent == 1
    lowest = -3.0 if not sharp else -6.0 if latent == 1 else -4.5
    variance = None if bernoulli else 10 ** rng.uniform(lowest, 0.5)
    D = int(rng.integers(1, 9)) if latent == 1 else int(rng.integers(2, 7))
    spec = Spec(D, hidden, latent, activation, "bernoulli" if bernoulli else "gaussian", variance)
    params = unpack(rng.standard_normal(n_params(spec)), spec)
    gain = 10 ** rng.uniform(-0.3, 0.7 if sharp else 0.4)
    for name, values in params.items():
        if name.endswith("_W") and name[:3] in ("dec", "out"):
            values *= gain / len(values) ** 0.5
    z = rng.standard_normal((1, latent))
    out = decode(params, z, spec)[0]
    if bernoulli:
        x = (rng.random(D) < 1 / (1 + np.exp(-out))).astype(float)
    else:
        x = out + variance**0.5 * rng.standard_normal(D)
        if rng.random() < 0.2:
            x += 0.3 * rng.standard_normal(D)
    return Case(spec, params, x)


def spike_case(seed):
    """One latent and relu: a narrow peak between the points of any common grid, far from the rest.

    Like the smallest one known (test_quadrature.py), with other places, widths and heights.
    """
    rng = np.random.default_rng([seed, 77])
    variance = 10 ** rng.uniform(-6.5, -3)
    spec = Spec(1, (2,), 1, "relu", "gaussian", variance)
    params = unpack(np.zeros(n_params(spec)), spec)
    a, b = rng.uniform(1.5, 4), rng.uniform(-3, 0.5)
    c = a + (b - a) * rng.uniform(0.3, 0.7)
    params["dec1_W"][...] = [[1, -1]]
    params["dec1_b"][...] = [-c, c]
    params["out_W"][...] = [[10.0], [10 * rng.uniform(0.7, 1.4)]]
    return Case(spec, params, np.array([10 * (a - c)]))


def decode_alone(case, z):
    """The decoder's output: z (M, L) -> (M, D)."""
    spec, params, _ = case
    h = z
    for i in range(1, len(spec.hidden) + 1):
        h = _hidden(h @ params[f"dec{i}_W"] + params[f"dec{i}_b"], spec.activation)
    return h @ params["out_W"] + params["out_b"]


def log_joint(case, z):
    """log p(x, z): z (M, L) -> (M,)."""
    spec, _, x = case
    out = decode_alone(case, z)
    if spec.likelihood == "bernoulli":
        nll = np.logaddexp(0, np.where(x == 1, -out, out)).sum(axis=1)
    else:
        squares = ((out - x) ** 2).sum(axis=1) / spec.variance
        nll = (squares + len(x) * np.log(2 * np.pi * spec.variance)) / 2
    return -nll - ((z * z).sum(axis=1) + z.shape[1] * np.log(2 * np.pi)) / 2


def _hidden(a, activation):
    if activation == "softplus":
        return np.logaddexp(0, a)
    return np.tanh(a) if activation == "tanh" else np.maximum(a, 0)


def _log_sum(values):
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum()))


def _gauss(case, low, high):
    """log of the integral over all segments [low, high] (S,) of one latent."""
    middle, half = (low + high) / 2, (high - low) / 2
    z = middle[:, None] + half[:, None] * NODES
    with np.errstate(divide="ignore"):  # a segment of no length
        weight = np.log(half[:, None] * WEIGHTS)
    return _log_sum(log_joint(case, z.reshape(-1, 1)).reshape(z.shape) + weight)


def one_latent(case, scanned=100_000):
    """log p(x), and how far it may be off: two floats."""
    edges = np.linspace(-REACH, REACH, scanned + 1)
    f = log_joint(case, edges[:, None])
    top = np.maximum(f[:-1], f[1:])
    top += np.abs(f[:-1] - f[1:])  # it cannot be much higher in between
    matters = np.flatnonzero(top > f.max() - DEPTH)
    parts = int(np.clip(60_000 // len(matters), 1, 64))
    answers = []
    for n in (parts, 2 * parts):
        cuts = edges[matters, None] + np.arange(n + 1) * (edges[1] - edges[0]) / n
        low, high = cuts[:, :-1].ravel(), cuts[:, 1:].ravel()
        for kink in _kinks(case, np.zeros((1, 0)), -REACH, REACH)[0]:
            hit = np.flatnonzero((low < kink) & (kink < high))
            low, high = np.append(low, np.full(len(hit), kink)), np.append(high, high[hit])
            high[hit] = kink
        answers.append(_gauss(case, low, high))
    return answers[1], abs(answers[1] - answers[0])


def _kinks(case, before, low, high):
    """Where the decoder bends along the last latent, the others given: before (S, L - 1) -> (S, k).

    From layer to layer: between the kinks of the layers below every unit is linear, so a change of
    sign gives its kink. Rows with fewer kinks are filled with `high`.
    """
    spec, params = case.spec, case.params
    knots = np.tile([low, high], (len(before), 1)).astype(float)
    if spec.activation != "relu":
        return knots[:, :0]
    for layer in range(1, len(spec.hidden) + 1):
        S, k = knots.shape
        z = np.concatenate([np.repeat(before, k, axis=0), knots.reshape(-1, 1)], axis=1)
        h = z
        for i in range(1, layer + 1):
            a = h @ params[f"dec{i}_W"] + params[f"dec{i}_b"]
            h = np.maximum(a, 0)
        a = a.reshape(S, k, -1)
        left, right = a[:, :-1], a[:, 1:]
        crosses = (left < 0) != (right < 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(crosses, left / (left - right), 0)
        start, width = knots[:, :-1, None], np.diff(knots, axis=1)[:, :, None]
        new = np.where(crosses, start + share * width, high).reshape(S, -1)
        new = np.sort(new, axis=1)[:, : max(1, int(crosses.sum(axis=(1, 2)).max()))]
        knots = np.sort(np.concatenate([knots, new], axis=1), axis=1)
    return knots[:, 1:-1]
