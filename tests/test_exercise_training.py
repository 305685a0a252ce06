"""Exercises of notebook 07: right answers in other styles, and wrong ones that no list holds."""

import numpy as np
import pytest

from minivae import exercises as api
from minivae.exercises.cards import CORRECT, NOT_YET
from minivae.exercises.chapters.nb07 import one_batch
from minivae.exercises.chapters.nb07.first_tests import LETTERS, SUSPECTS, program
from minivae.exercises.chapters.nb07.rate_limit import momentum_limit

pytestmark = pytest.mark.usefixtures("progress_file")

# ---- 07.loop -------------------------------------------------------------------------------------


def shuffled_copy(state, images, epochs, B, gradient, adam):
    """Shuffles a copy, cuts it with array_split-like slices, keeps everything in the dict."""
    losses = np.empty(epochs)
    for epoch in range(epochs):
        order = np.arange(len(images))
        state["rng"].shuffle(order)
        batches = np.split(images[order], range(B, len(images), B))
        noise = state["rng"].normal(size=(len(images), 2))
        values = []
        for x, eps in zip(batches, np.split(noise, range(B, len(images), B)), strict=True):
            loss, grad = gradient(state["theta"], x, eps)
            state["step"] += 1
            adam(state["theta"], grad, state["m"], state["v"], state["step"])
            values += [loss] * len(x)
        losses[epoch] = np.mean(values)
    return state, losses


def one_image_at_a_time(state, images, epochs, B, gradient, adam):
    """A while loop that pops images from a list; new arrays in a new dict; float32 noise."""
    theta, m, v = state["theta"].copy(), state["m"].copy(), state["v"].copy()
    step, rng, means = state["step"], state["rng"], []
    for _ in range(epochs):
        left = list(rng.permutation(len(images)))
        total = 0
        while left:
            batch = [left.pop() for _ in range(min(B, len(left)))]
            x = images[batch]
            loss, grad = gradient(theta, x, rng.standard_normal((len(x), 2), dtype=np.float32))
            step = step + 1
            adam(theta, grad, m, v, step)
            total = total + loss * len(batch)
        means.append(float(total / len(images)))
    return dict(theta=theta, m=m, v=v, step=step, rng=rng), tuple(means)


def shuffles_the_images_themselves(state, images, epochs, B, gradient, adam):
    """Their order is then a part of the state, and no checkpoint holds it."""
    losses = []
    for _ in range(epochs):
        state["rng"].shuffle(images)
        total = 0.0
        for first in range(0, len(images), B):
            x = images[first : first + B]
            loss, grad = gradient(state["theta"], x, state["rng"].standard_normal((len(x), 2)))
            state["step"] += 1
            adam(state["theta"], grad, state["m"], state["v"], state["step"])
            total += len(x) * loss
        losses.append(total / len(images))
    return state, losses


def forgets_to_give_the_step_back(state, images, epochs, B, gradient, adam):
    step = state["step"]
    after, losses = one_image_at_a_time(state, images, epochs, B, gradient, adam)
    return after | {"step": step}, losses


def numpys_own_generator(state, images, epochs, B, gradient, adam):
    return shuffled_copy(
        state | {"rng": np.random.default_rng()}, images, epochs, B, gradient, adam
    )


def wraps_around(state, images, epochs, B, gradient, adam):
    """Fills the last batch up with images that were used already."""
    losses = []
    for _ in range(epochs):
        order = state["rng"].permutation(len(images))
        values = []
        for first in range(0, len(images), B):
            x = images[np.take(order, range(first, first + B), mode="wrap")]
            loss, grad = gradient(state["theta"], x, state["rng"].standard_normal((B, 2)))
            state["step"] += 1
            adam(state["theta"], grad, state["m"], state["v"], state["step"])
            values.append(loss)
        losses.append(np.mean(values))
    return state, losses


def noise_for_the_batch(state, images, epochs, B, gradient, adam):
    """One draw of eps, given to all images of the batch."""

    def shared(theta, x, eps):
        return gradient(theta, x, np.repeat(eps[:1], len(x), axis=0))

    return shuffled_copy(state, images, epochs, B, shared, adam)


def another_noise(change):
    """The noise is change(eps), with eps standard normal."""

    def answer(state, images, epochs, B, gradient, adam):
        return shuffled_copy(
            state, images, epochs, B, lambda theta, x, eps: gradient(theta, x, change(eps)), adam
        )

    return answer


def counts_epochs(state, images, epochs, B, gradient, adam):
    """Adam is told the number of the epoch in place of the step."""
    return shuffled_copy(
        state,
        images,
        epochs,
        B,
        gradient,
        lambda theta, grad, m, v, step: adam(theta, grad, m, v, 1 + (step - 1) // 3),
    )


def sums(state, images, epochs, B, gradient, adam):
    after, losses = shuffled_copy(state, images, epochs, B, gradient, adam)
    return after, losses * len(images)


# ---- 07.latents ----------------------------------------------------------------------------------


def by_arrays(mu, logvar):
    """np.select in place of a loop; gives an array of words."""
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar)
    both = np.stack([mu, logvar])
    prior = (np.abs(both) < 0.05).all(axis=(0, 1))
    same = (both.max(axis=1) - both.min(axis=1) < 0.05).all(axis=0)
    words = ("collapsed", "constant", "active", "rare")
    tests = [prior, same, kl.mean(axis=0) >= 0.1, kl.max(axis=0) > 1]
    return np.select(tests, words, "weak")


def active_units(mu, logvar):
    """Burda et al.'s rule: the variance of mu over the images."""
    return ["active" if v > 0.01 else "collapsed" for v in mu.var(axis=0)]


def one_word(mu, logvar):
    return "active"


# ---- 07.one-batch --------------------------------------------------------------------------------


def plain_descent(gradient, theta, x, rng):
    """Gradient descent with momentum; a loss measured afterwards, with new draws."""
    theta, m = theta.copy(), np.zeros_like(theta)
    for step in range(400):
        m = 0.9 * m + gradient(theta, x, rng.standard_normal((len(x), 2)))[1]
        theta = theta - 0.03 * (1 - step / 400) * m
    losses = [gradient(theta, x, rng.standard_normal((len(x), 2)))[0] for _ in range(100)]
    return np.log(len(x)) <= np.mean(losses) <= 3 * np.log(len(x))


def a_single_draw_of_noise(gradient, theta, x, rng):
    """Always the same eps: the model learns it by heart, too."""
    eps = rng.standard_normal((len(x), 2))
    return one_batch.learns_by_heart(lambda t, x, _: gradient(t, x, eps), theta, x, rng)


def folded_adam(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    """Both corrections folded into the rate, as in the paper's section 2."""
    m += (1 - beta1) * (grad - m)
    v += (1 - beta2) * (grad**2 - v)
    root = np.sqrt(1 - beta2**step)
    flat -= lr * root / (1 - beta1**step) * m / (np.sqrt(v) + adam_eps * root)


def adam_with_its_own_betas(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    folded_adam(flat, grad, m, v, step, lr)


def fixed_bounds(gradient, theta, x, rng):
    losses = one_batch._trained(gradient, theta, x, rng)
    return 1.7 < np.mean(losses[-200:]) < 5.4


def half_the_floor(gradient, theta, x, rng):
    losses = one_batch._trained(gradient, theta, x, rng)
    return 0.5 * np.log(len(x)) < np.mean(losses[-100:]) < 3 * np.log(len(x))


def spread_below(mu, logvar):
    """The standard deviation in place of largest minus smallest."""
    same = np.stack([mu, logvar]).std(axis=1).max(axis=0) < 0.05
    words = by_arrays(mu, logvar)
    return np.where(same & (words != "collapsed"), "constant", words)


def largest_stable_by_matrix(H, b):
    """Bisection for the rate at which the matrix of a step has an eigenvalue of size 1."""
    P, low, high = len(H), 0.0, 100.0
    for _ in range(100):
        lr = (low + high) / 2
        step = np.block([[np.eye(P) - lr * H, -lr * b * np.eye(P)], [H, b * np.eye(P)]])
        low, high = (lr, high) if abs(np.linalg.eigvals(step)).max() <= 1 + 1e-12 else (low, lr)
    return low


RIGHT = (
    ("07.adam", folded_adam),
    ("07.loop", shuffled_copy),
    ("07.loop", one_image_at_a_time),
    ("07.latents", by_arrays),
    ("07.latents", lambda mu, logvar: tuple(by_arrays(mu, logvar).tolist())),
    ("07.one-batch", plain_descent),
    ("07.weights", [1, 39.2, 784, 0.05]),
    ("07.weights", np.array([1.0, 784 / 20, 784, 1 / 20])),
    ("07.first-tests", list(LETTERS.values())),
    ("07.first-tests", tuple(LETTERS.values())),
    ("07.first-losses", [138.63, 341.9, 211.2, 549.79]),
    ("07.momentum-limit", largest_stable_by_matrix),
    ("07.best-model", lambda nll, kl, warmup: min(range(len(nll)), key=lambda i: nll[i] + kl[i])),
)
WRONG = (
    ("07.loop", shuffles_the_images_themselves, "changes images in place"),
    ("07.loop", forgets_to_give_the_step_back, "when resumed"),
    ("07.loop", numpys_own_generator, "when resumed"),
    ("07.loop", wraps_around, "the images"),
    ("07.loop", noise_for_the_batch, "the noise"),
    ("07.loop", another_noise(lambda eps: 0.8 * eps), "the noise"),
    ("07.loop", another_noise(lambda eps: 0.95 * eps), "the noise"),
    ("07.loop", another_noise(lambda eps: 1.17 * eps), "the noise"),
    ("07.loop", another_noise(lambda eps: eps + 0.1), "the noise"),
    ("07.loop", another_noise(lambda eps: 2**0.5 * np.sin(4 * eps)), "the noise"),
    ("07.loop", counts_epochs, "the steps"),
    ("07.loop", sums, "the losses"),
    ("07.loop", lambda state, images, epochs, B, gradient, adam: state, "two results"),
    ("07.adam", adam_with_its_own_betas, "expected"),
    ("07.latents", active_units, "expected"),
    ("07.latents", spread_below, "expected"),
    ("07.one-batch", fixed_bounds, "expected"),
    ("07.one-batch", half_the_floor, "expected"),
    ("07.latents", one_word, "expected"),
    ("07.one-batch", a_single_draw_of_noise, "expected"),
    ("07.one-batch", lambda gradient, theta, x, rng: False, "expected"),
    ("07.weights", (1, 39.2, 784), "four numbers"),
    ("07.weights", "1, 39.2, 784, 0.05", "four numbers"),
    ("07.weights", (100, 39.2, 784, 0.05), "not yet right: A"),
    ("07.first-tests", ["nothing"] * 5, "not all 5 are right"),
    ("07.first-tests", ["ill"] * 5, "is not one of"),
    ("07.first-losses", (138.63, 341.9, 211.2, 543.43), "not yet right: D"),
    ("07.first-losses", "138", "four numbers"),
    ("07.best-model", lambda nll, kl, warmup: 0, "expected"),
    *(
        ("07.best-model", lambda nll, kl, warmup, b=b: int(np.argmin(nll + b * kl)), "expected")
        for b in (0.5, 0.9, 1.1, 2.0)
    ),
)


@pytest.mark.parametrize(("id", "answer"), RIGHT)
def test_right_answers_in_other_styles_pass(id, answer):
    verdict = api.check(id, answer)
    assert verdict.status == CORRECT, str(verdict)


@pytest.mark.parametrize(("id", "answer", "said"), WRONG)
def test_wrong_answers_of_other_kinds_are_refused(id, answer, said):
    verdict = api.check(id, answer)
    assert verdict.status == NOT_YET
    assert said in verdict.body


def test_every_program_is_another():
    """Each has a planted model or a setting of its own, which `by_heart` understands."""
    programs = [program(letter) for letter in LETTERS]
    assert all(set(given) <= {"model", "lr"} for given in programs)
    assert all(hasattr(given["model"], "elbo_and_grads") for given in programs)
    assert sorted(LETTERS.values()) == sorted(SUSPECTS)


def test_the_limit_with_momentum_is_where_descent_turns():
    """Just below the limit the distance shrinks, just above it grows, in a bowl of three axes."""
    H = np.array([[3.0, 1.0, 0.5], [1.0, 2.0, -0.4], [0.5, -0.4, 1.5]])
    for b in (0.0, 0.5, 0.9):
        for factor, shrinks in ((0.98, True), (1.02, False)):
            lr, theta, m = factor * momentum_limit(H, b), np.ones(3), np.zeros(3)
            for _ in range(400):
                m = b * m + H @ theta
                theta = theta - lr * m
            assert (np.linalg.norm(theta) < 1) == shrinks
