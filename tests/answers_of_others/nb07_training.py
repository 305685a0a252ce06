"""Notebook 07: answers to `07.one-batch`, whose check trains."""

import numpy as np
from answers_of_others.registry import right, wrong


def training(gradient, theta, x, rng, steps=600, noise=None, draws=None):
    """The losses of a training with Adam and a falling rate."""
    theta, losses = np.array(theta), []
    m, v = 0 * theta, 0 * theta
    for t in range(1, steps + 1):
        eps = rng.normal(size=(len(x), 2)) if noise is None else noise
        loss, grad = gradient(theta, x, eps)
        losses.append(loss)
        m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
        rate = 0.05 if t < steps / 2 else 0.01
        theta = theta - rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    if draws:
        return [gradient(theta, x, rng.normal(size=(len(x), 2)))[0] for _ in range(draws)]
    return losses


@right("07.one-batch")
def many_draws_after_the_training(gradient, theta, x, rng):
    loss = np.mean(training(gradient, theta, x, rng, draws=300))
    return np.log(len(x)) <= loss <= 3 * np.log(len(x))


@right("07.one-batch")
def last_hundreds(gradient, theta, x, rng):
    losses = np.array(training(gradient, theta, x, rng, steps=700))
    return abs(losses[-250:].mean() / np.log(len(x)) - 2) < 1


def by_momentum(gradient, theta, x, rng):
    m, total = np.zeros(len(theta)), 0.0
    for t in range(1000):
        loss, grad = gradient(theta, x, rng.standard_normal((x.shape[0], 2)))
        m = 0.9 * m + grad / max(1, np.linalg.norm(grad))
        theta -= (0.05 if t < 600 else 0.01) * m
        total += loss if t >= 700 else 0
    return np.log(len(x)) < total / 300 < np.log(len(x) ** 3)


@right("07.one-batch")
def momentum_and_clipped_gradients(gradient, theta, x, rng):
    return by_momentum(gradient, theta.copy(), x, rng)


def judged(says, **kwargs):
    """An answer that says(mean of the last 200 losses, B)."""

    def answer(gradient, theta, x, rng):
        losses = training(gradient, theta, x, rng, **kwargs)
        return bool(says(np.mean(losses[-200:]), len(x)))

    return answer


wrong(
    "07.one-batch",
    judged(lambda loss, B: np.log2(B) < loss < 3 * np.log2(B)),
    judged(lambda loss, B: np.log(12) < loss < 3 * np.log(12)),
    judged(lambda loss, B: not np.log(B) < loss < 3 * np.log(B)),
    judged(lambda loss, B: np.log(B) < loss / B < 3 * np.log(B)),
)


@wrong("07.one-batch")
def without_noise(gradient, theta, x, rng):
    losses = training(gradient, theta, x, rng, noise=np.zeros((len(x), 2)))
    return bool(np.log(len(x)) < np.mean(losses[-200:]) < 3 * np.log(len(x)))


@wrong("07.one-batch")
def the_loss_itself(gradient, theta, x, rng):
    return float(np.mean(training(gradient, theta, x, rng, steps=20)))


@wrong("07.one-batch")
def nothing_returned(gradient, theta, x, rng):
    losses = training(gradient, theta, x, rng, steps=20)
    assert np.isfinite(losses[-1])


@wrong("07.one-batch")
def noise_for_each_pixel(gradient, theta, x, rng):
    loss, _ = gradient(theta, x, rng.standard_normal(x.shape))
    return bool(np.log(len(x)) < loss < 3 * np.log(len(x)))


@wrong("07.one-batch")
def theta_trained_in_place(gradient, theta, x, rng):
    return by_momentum(gradient, theta, x, rng)


@wrong("07.one-batch", clue="it-falls")
def says_always_yes(gradient, theta, x, rng):
    return True


@wrong("07.one-batch")
def before_any_step(gradient, theta, x, rng):
    losses = [gradient(theta, x, rng.standard_normal((len(x), 2)))[0] for _ in range(50)]
    return bool(np.log(len(x)) < np.mean(losses) < 3 * np.log(len(x)))
