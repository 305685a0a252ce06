"""Notebook 11: answers to `11.pixels` and `11.generator-gradient`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 11.pixels -----------------------------------------------------------------------------------


def _layers(g, W1, b1, W2, b2):
    h1 = np.tanh(g @ W1 + b1)
    return h1, np.tanh(h1 @ W2 + b2)


@right("11.pixels")
def one_einsum(g, W1, b1, W2, b2, w):
    h1, h2 = _layers(g, W1, b1, W2, b2)
    return np.einsum("k,bk,hk,bh,ph->bp", w, 1 - h2**2, W2, 1 - h1**2, W1)


@right("11.pixels")
def image_by_image(g, W1, b1, W2, b2, w):
    rows = []
    for image in g:
        h1, h2 = _layers(image, W1, b1, W2, b2)
        rows.append(W1 @ np.diag(1 - h1**2) @ W2 @ np.diag(1 - h2**2) @ w)
    return np.array(rows)


@right("11.pixels")
def forward_with_the_pixels(g, W1, b1, W2, b2, w):
    dh1 = W1 / np.cosh(g @ W1 + b1)[:, None] ** 2
    _, h2 = _layers(g, W1, b1, W2, b2)
    return (dh1 @ W2 * (1 - h2**2)[:, None]) @ w


@right("11.pixels")
def by_complex_steps(g, W1, b1, W2, b2, w):
    slope = np.empty_like(g)
    for p in range(g.shape[1]):
        moved = g.astype(complex)
        moved[:, p] += 1e-30j
        slope[:, p] = (_layers(moved, W1, b1, W2, b2)[1] @ w).imag / 1e-30
    return slope


@wrong("11.pixels")
def as_columns(g, W1, b1, W2, b2, w):
    return one_einsum(g, W1, b1, W2, b2, w).T


@wrong("11.pixels")
def mean_over_the_images(g, W1, b1, W2, b2, w):
    return one_einsum(g, W1, b1, W2, b2, w).mean(axis=0)


@wrong("11.pixels")
def divided_by_the_batch(g, W1, b1, W2, b2, w):
    return one_einsum(g, W1, b1, W2, b2, w) / len(g)


@wrong("11.pixels")
def mean_image_for_all(g, W1, b1, W2, b2, w):
    h1, h2 = _layers(g, W1, b1, W2, b2)
    slope = ((1 - h1.mean(axis=0) ** 2) * (((1 - h2.mean(axis=0) ** 2) * w) @ W2.T)) @ W1.T
    return np.tile(slope, (len(g), 1))


@wrong("11.pixels")
def first_image_for_all(g, W1, b1, W2, b2, w):
    return np.repeat(one_einsum(g[:1], W1, b1, W2, b2, w), len(g), axis=0)


@wrong("11.pixels")
def one_minus_h(g, W1, b1, W2, b2, w):
    h1, h2 = _layers(g, W1, b1, W2, b2)
    return ((1 - h1) * (((1 - h2) * w) @ W2.T)) @ W1.T


@wrong("11.pixels")
def slopes_of_sigmoids(g, W1, b1, W2, b2, w):
    h1, h2 = _layers(g, W1, b1, W2, b2)
    return (h1 * (1 - h1) * ((h2 * (1 - h2) * w) @ W2.T)) @ W1.T


@wrong("11.pixels")
def slope_not_squared_by_cosh(g, W1, b1, W2, b2, w):
    h1, _ = _layers(g, W1, b1, W2, b2)
    return (((w / np.cosh(h1 @ W2 + b2)) @ W2.T) / np.cosh(g @ W1 + b1)) @ W1.T


@wrong("11.pixels")
def biases_forgotten(g, W1, b1, W2, b2, w):
    return one_einsum(g, W1, 0 * b1, W2, 0 * b2, w)


@wrong("11.pixels")
def second_bias_forgotten(g, W1, b1, W2, b2, w):
    return one_einsum(g, W1, b1, W2, 0 * b2, w)


@wrong("11.pixels")
def w_forgotten(g, W1, b1, W2, b2, w):
    return one_einsum(g, W1, b1, W2, b2, np.ones_like(w))


@wrong("11.pixels")
def w_inside_the_square(g, W1, b1, W2, b2, w):
    h1, h2 = _layers(g, W1, b1, W2, b2)
    return ((1 - h1**2) * ((1 - (h2 * w) ** 2) @ W2.T)) @ W1.T


@wrong("11.pixels")
def matrices_not_transposed(g, W1, b1, W2, b2, w):
    h1, h2 = _layers(g, W1, b1, W2, b2)
    return ((1 - h1**2) * (((1 - h2**2) * w) @ W2)) @ W1


@wrong("11.pixels")
def first_slope_after_the_first_matrix(g, W1, b1, W2, b2, w):
    _, h2 = _layers(g, W1, b1, W2, b2)
    return (((1 - h2**2) * w) @ W2.T) @ W1.T * (1 - np.tanh(g) ** 2)


@wrong("11.pixels")
def slope_of_d(g, W1, b1, W2, b2, w):
    _, h2 = _layers(g, W1, b1, W2, b2)
    D = 1 / (1 + np.exp(-h2 @ w))
    return (D * (1 - D))[:, None] * one_einsum(g, W1, b1, W2, b2, w)


@wrong("11.pixels")
def slope_by_the_logits(g, W1, b1, W2, b2, w):
    return one_einsum(g, W1, b1, W2, b2, w) * g * (1 - g)


@wrong("11.pixels")
def by_rough_differences(g, W1, b1, W2, b2, w):
    slope = np.empty_like(g)
    for p in range(g.shape[1]):
        step = np.zeros(g.shape[1])
        step[p] = 1e-3
        high, low = (_layers(g + k * step, W1, b1, W2, b2)[1] @ w for k in (1, -1))
        slope[:, p] = (high - low) / 2e-3
    return slope


@wrong("11.pixels")
def score_kept_in_w(g, W1, b1, W2, b2, w):
    slope = one_einsum(g, W1, b1, W2, b2, w)
    w /= len(w) + 1
    return slope


# ---- 11.generator-gradient -----------------------------------------------------------------------


@right("11.generator-gradient")
def with_einsum(score, slope, image):
    return np.einsum("b,bp,bp->bp", score - 1, slope, image - image**2) / score.size


@right("11.generator-gradient")
def image_by_image_backward(score, slope, image):
    B = len(image)
    rows = [
        [(s - 1) * d * g * (1 - g) / B for d, g in zip(ds, gs, strict=True)]
        for s, ds, gs in zip(score, slope, image, strict=True)
    ]
    return np.array(rows)


@right("11.generator-gradient")
def transposed(score, slope, image):
    return ((score - 1) / len(score) * (slope * image * (1 - image)).T).T


@right("11.generator-gradient")
def with_a_diagonal_matrix(score, slope, image):
    return np.diag(score - 1) @ (slope * image * (1.0 - image)) / image.shape[0]


def _product(dscore, dimage=lambda g: g * (1 - g)):
    """An answer made of d loss / d score, and of dg / d logits."""
    return lambda score, slope, image: dscore(score)[:, None] * slope * dimage(image)


wrong(
    "11.generator-gradient",
    _product(lambda s: (s + 1) / len(s)),
    _product(lambda s: (s - 1) ** 2 / 2 / len(s)),
    _product(lambda s: (s - 1) / len(s) / 2),
    _product(lambda s: np.abs(s - 1) / len(s)),
    _product(lambda s: (s.mean() - 1) * np.ones(len(s)) / len(s)),
    _product(lambda s: 1 / len(s) * np.ones(len(s))),
    _product(lambda s: s - 1 / len(s)),
    _product(lambda s: np.minimum(s - 1, 0) / len(s)),
    _product(lambda s: (s - 1) / len(s), lambda g: 1 - g**2),
    _product(lambda s: (s - 1) / len(s), lambda g: g),
    _product(lambda s: (s - 1) / len(s), lambda g: g * (1 - g) ** 2),
    _product(lambda s: 1 / (1 + np.exp(-s)) / len(s)),
)


wrong("11.generator-gradient", _product(lambda s: s / len(s)), clue="label-0")
wrong(
    "11.generator-gradient",
    _product(lambda s: (s - 1) / len(s), lambda g: g * (g - 1)),
    clue="sign",
)


@wrong("11.generator-gradient")
def slope_forgotten(score, slope, image):
    return (score - 1)[:, None] / len(score) * image * (1 - image)


@wrong("11.generator-gradient")
def summed_over_the_images(score, slope, image):
    return ((score - 1)[:, None] / len(score) * slope * image * (1 - image)).sum(axis=0)


@wrong("11.generator-gradient")
def score_along_the_pixels(score, slope, image):
    return (score - 1) / len(score) * slope * image * (1 - image)


@wrong("11.generator-gradient")
def divided_by_the_sigmoids_slope(score, slope, image):
    return (score - 1)[:, None] / len(score) * slope / (image * (1 - image))


@wrong("11.generator-gradient")
def one_subtracted_in_place(score, slope, image):
    score -= 1
    return score[:, None] / len(score) * slope * image * (1 - image)
