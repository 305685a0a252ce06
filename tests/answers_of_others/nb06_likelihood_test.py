"""Notebook 06: answers to `06.likelihood-test`."""

import itertools

import numpy as np
from answers_of_others.registry import right, wrong

LOGITS = np.array([[0.8, -1.3, 0.4], [-0.6, 1.9, -0.2]])
IMAGES = np.array(list(itertools.product([0.0, 1.0], repeat=3)))


def probabilities(nll, logits=LOGITS, images=IMAGES):
    """exp(-nll) of every image, with every row of logits: (rows, images); None: a wrong shape."""
    value = nll(np.repeat(logits, len(images), axis=0), np.tile(images, (len(logits), 1)))
    if np.shape(value) != (len(logits) * len(images),):
        return None
    return np.exp(-np.asarray(value)).reshape(len(logits), len(images))


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


@right("06.likelihood-test")
def sums_and_shares(nll):
    p = probabilities(nll)
    return p is not None and bool(
        np.allclose(p.sum(axis=1), 1) and np.allclose(p @ IMAGES, sigmoid(LOGITS))
    )


@right("06.likelihood-test")
def odds_of_one_flip(nll):
    """A pixel switched on multiplies the probability by exp(logit), and all of them sum to 1."""
    rows, images = zip(*itertools.product(LOGITS, IMAGES), strict=True)
    logits, x = np.array(rows), np.array(images)
    value = nll(logits, x)
    if np.shape(value) != (16,):
        return False
    for d in range(3):
        dark, lit = x.copy(), x.copy()
        dark[:, d], lit[:, d] = 0, 1
        if not np.allclose(nll(logits, dark) - nll(logits, lit), logits[:, d]):
            return False
    return all(abs(total - 1) < 1e-9 for total in np.exp(-value).reshape(2, 8).sum(axis=1))


@right("06.likelihood-test")
def image_outside_logits_inside(nll):
    total, shares = np.zeros(2), np.zeros((2, 3))
    for image in IMAGES:
        value = nll(LOGITS, np.stack([image, image]))
        if np.shape(value) != (2,):
            return np.False_
        total += np.exp(-value)
        shares += np.exp(-value)[:, None] * image
    return (
        np.abs(total - 1).max() < 1e-8
        and np.abs(np.log(shares / (1 - shares)) - LOGITS).max() < 1e-6
    )


@wrong("06.likelihood-test", clue="one-example")
def each_row_for_itself(nll):
    parts = [probabilities(nll, row[None]) for row in LOGITS]
    return all(
        p is not None and np.allclose(p.sum(), 1) and np.allclose(p @ IMAGES, sigmoid(row))
        for p, row in zip(parts, LOGITS, strict=True)
    )


@wrong("06.likelihood-test")
def first_rows_shares_only(nll):
    p = probabilities(nll)
    return p is not None and bool(
        np.allclose(p.sum(axis=1), 1) and np.allclose((p @ IMAGES)[0], sigmoid(LOGITS[0]))
    )


@wrong("06.likelihood-test")
def mean_of_the_shares(nll):
    p = probabilities(nll)
    return p is not None and bool(
        np.allclose(p.sum(axis=1), 1)
        and np.allclose((p @ IMAGES).mean(), sigmoid(LOGITS).mean(), atol=0.02)
    )


@wrong("06.likelihood-test", clue="sum-only")
def sums_at_most_one(nll):
    p = probabilities(nll)
    return p is not None and bool((p.sum(axis=1) <= 1 + 1e-9).all() and (p >= 0).all())


@wrong("06.likelihood-test")
def never_negative(nll):
    p = probabilities(nll)
    return p is not None and bool((p <= 1).all())


@wrong("06.likelihood-test")
def likeliest_image_only(nll):
    p = probabilities(nll)
    if p is None:
        return False
    return bool((IMAGES[p.argmax(axis=1)] == (LOGITS > 0)).all() and np.allclose(p.sum(axis=1), 1))


@wrong("06.likelihood-test", clue="closed-form")
def dark_and_lit_only(nll):
    images = np.array([[0.0, 0, 0], [1, 1, 1]])
    p = probabilities(nll, images=images)
    expected = np.stack([(1 - sigmoid(LOGITS)).prod(axis=1), sigmoid(LOGITS).prod(axis=1)], axis=1)
    return p is not None and bool(np.allclose(p, expected))


@wrong("06.likelihood-test")
def by_the_gradient(nll):
    x = IMAGES[[3, 5]]
    slopes = [
        (nll(LOGITS + step, x) - nll(LOGITS - step, x)) / 2e-5 for step in 1e-5 * np.eye(3)[:, None]
    ]
    return bool(np.allclose(np.transpose(slopes), sigmoid(LOGITS) - x, atol=1e-6))


@wrong("06.likelihood-test")
def ordered_by_the_logits(nll):
    p = probabilities(nll)
    if p is None or not np.allclose(p.sum(axis=1), 1):
        return False
    return bool((((p @ IMAGES) > 0.5) == (LOGITS > 0)).all())


@wrong("06.likelihood-test")
def extreme_logits(nll):
    logits = np.array([[30.0, -30, 30], [-30, 30, 30]])
    p = probabilities(nll, logits)
    return p is not None and bool(
        np.allclose(p.sum(axis=1), 1) and np.allclose(p @ IMAGES, logits > 0)
    )


@wrong("06.likelihood-test")
def exp_of_plus_the_nll(nll):
    value = nll(np.repeat(LOGITS, 8, axis=0), np.tile(IMAGES, (2, 1)))
    return np.shape(value) == (16,) and bool(
        np.allclose(np.exp(value).reshape(2, 8).sum(axis=1), 1)
    )


@wrong("06.likelihood-test")
def all_rows_in_one_sum(nll):
    p = probabilities(nll)
    return p is not None and bool(
        abs(p.sum() - 2) < 1e-6 and np.allclose(p.sum(axis=0) @ IMAGES, sigmoid(LOGITS).sum(axis=0))
    )


@wrong("06.likelihood-test")
def by_drawn_images(nll):
    x = (np.random.default_rng(0).random((200, 3)) < sigmoid(LOGITS[0])).astype(float)
    value = nll(np.tile(LOGITS[0], (200, 1)), x)
    return np.shape(value) == (200,) and bool(abs(np.mean(value) - 1.7) < 0.3)


@wrong("06.likelihood-test")
def shape_not_compared(nll):
    value = nll(np.repeat(LOGITS, 8, axis=0), np.tile(IMAGES, (2, 1)))
    return bool(np.isfinite(value).all())


@wrong("06.likelihood-test")
def an_array_of_truths(nll):
    p = probabilities(nll)
    return False if p is None else np.isclose(p.sum(axis=1), 1)


@wrong("06.likelihood-test")
def exactly_one(nll):
    p = probabilities(nll)
    return p is not None and bool(
        (p.sum(axis=1) == 1).all() and (p @ IMAGES == sigmoid(LOGITS)).all()
    )


@wrong("06.likelihood-test")
def always(nll):
    return True


@wrong("06.likelihood-test")
def never(nll):
    return False
