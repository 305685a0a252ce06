"""Notebook 07: answers to `07.loop`."""

import copy

import numpy as np
from answers_of_others.registry import right, wrong


@right("07.loop")
def split_and_in_the_dict(state, images, epochs, B, gradient, adam):
    N, means = len(images), np.zeros(epochs)
    for e in range(epochs):
        for at in np.split(state["rng"].permutation(N), range(B, N, B)):
            eps = state["rng"].normal(size=(at.size, 2))
            loss, grad = gradient(state["theta"], images[at], eps)
            state["step"] += 1
            adam(state["theta"], grad, state["m"], state["v"], state["step"])
            means[e] += loss * at.size / N
    return state, means


@right("07.loop")
def noise_of_an_epoch_at_once(state, images, epochs, B, gradient, adam):
    state = copy.deepcopy(state)
    rng, losses = state["rng"], []
    for _ in range(epochs):
        shuffled = images[np.argsort(rng.random(len(images)))]
        noise = rng.standard_normal((len(images), 2))
        sums, start = [], 0
        while start < len(images):
            x, eps = shuffled[start : start + B], noise[start : start + B]
            loss, grad = gradient(state["theta"], x, eps)
            state["step"] = state["step"] + 1
            adam(state["theta"], grad, state["m"], state["v"], state["step"])
            sums.append(loss * x.shape[0])
            start += B
        losses.append(sum(sums) / len(images))
    return [state, losses]


@right("07.loop")
def shuffled_numbers(state, images, epochs, B, gradient, adam):
    rng, step, losses = state["rng"], state["step"], []
    theta, m, v = (state[k].copy() for k in ("theta", "m", "v"))
    numbers = list(range(len(images)))
    for _ in range(epochs):
        numbers.sort()
        rng.shuffle(numbers)
        values, weights = [], []
        for first in range(0, len(numbers), B):
            x = np.array([images[i] for i in numbers[first : first + B]])
            loss, grad = gradient(theta, x, rng.normal(0, 1, (len(x), 2)).astype(np.float32))
            step += 1
            adam(theta, grad, m, v, step)
            values.append(loss)
            weights.append(len(x))
        losses.append(np.average(values, weights=weights))
    return dict(state, theta=theta, m=m, v=v, step=step, rng=rng), losses


def loop(
    *,
    order=lambda rng, N: rng.permutation(N),
    noise=lambda rng, b: rng.standard_normal((b, 2)),
    stop=lambda N, B: N,
    mean=lambda losses, sizes, N, B: np.dot(losses, sizes) / N,
    number=lambda step: step,
    returned=lambda state, means: (state, means),
    rng_of=lambda state: state["rng"],
    each_epoch=lambda state: None,
):
    """A loop with one part changed."""

    def answer(state, images, epochs, B, gradient, adam):
        state, N, means = dict(state), len(images), []
        rng = rng_of(state)
        for _ in range(epochs):
            each_epoch(state)
            places, losses, sizes = order(rng, N), [], []
            for first in range(0, stop(N, B), B):
                x = images[places[first : first + B]]
                loss, grad = gradient(state["theta"], x, noise(rng, len(x)))
                state["step"] += 1
                adam(state["theta"], grad, state["m"], state["v"], number(state["step"]))
                losses.append(loss)
                sizes.append(len(x))
            means.append(mean(losses, sizes, N, B))
        return returned(state, means)

    return answer


def new_moments(state):
    state["m"], state["v"] = np.zeros_like(state["m"]), np.zeros_like(state["v"])


wrong(
    "07.loop",
    loop(stop=lambda N, B: N - 1),
    loop(stop=lambda N, B: N + 1),
    loop(number=lambda step: step - 1),
    loop(number=lambda step: step + 1),
    loop(mean=lambda losses, sizes, N, B: np.dot(losses, sizes)),
    loop(mean=lambda losses, sizes, N, B: B * np.sum(losses) / N),
    loop(mean=lambda losses, sizes, N, B: np.min(losses)),
    loop(mean=lambda losses, sizes, N, B: losses),
    loop(returned=lambda state, means: means),
    loop(returned=lambda state, means: (means, state)),
    loop(returned=lambda state, means: (state, np.mean(means))),
    loop(returned=lambda state, means: ({"theta": state["theta"], "step": state["step"]}, means)),
    loop(order=lambda rng, N: np.arange(N)[::-1]),
    loop(order=lambda rng, N: np.roll(np.arange(N), rng.integers(N))),
    loop(noise=lambda rng, b: np.random.default_rng().standard_normal((b, 2))),
    loop(noise=lambda rng, b: np.tile(rng.standard_normal((1, 2)), (b, 1))),
    loop(noise=lambda rng, b: rng.standard_normal((b, 3))),
    loop(noise=lambda rng, b: rng.standard_normal(2)),
    loop(noise=lambda rng, b: 2 * rng.standard_normal((b, 2))),
    loop(noise=lambda rng, b: np.abs(rng.standard_normal((b, 2)))),
    loop(noise=lambda rng, b: rng.standard_normal((b, 2)).clip(-1, 1)),
    loop(each_epoch=new_moments),
)
wrong(
    "07.loop",
    loop(order=lambda rng, N: np.random.default_rng().permutation(N)),
    loop(rng_of=lambda state: copy.deepcopy(state["rng"])),
    clue="seeded-inside",
)


@wrong("07.loop")
def images_shuffled_in_place(state, images, epochs, B, gradient, adam):
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


@wrong("07.loop")
def old_theta_returned(state, images, epochs, B, gradient, adam):
    trained, losses = split_and_in_the_dict(copy.deepcopy(state), images, epochs, B, gradient, adam)
    return trained | {"theta": state["theta"]}, losses


@wrong("07.loop")
def same_batches_in_another_order(state, images, epochs, B, gradient, adam):
    losses, starts = [], np.arange(0, len(images), B)
    for _ in range(epochs):
        total = 0.0
        for first in state["rng"].permutation(starts):
            x = images[first : first + B]
            loss, grad = gradient(state["theta"], x, state["rng"].standard_normal((len(x), 2)))
            state["step"] += 1
            adam(state["theta"], grad, state["m"], state["v"], state["step"])
            total += len(x) * loss
        losses.append(total / len(images))
    return state, losses


@wrong("07.loop")
def total_not_reset(state, images, epochs, B, gradient, adam):
    state, losses = split_and_in_the_dict(state, images, epochs, B, gradient, adam)
    return state, np.cumsum(losses)


@wrong("07.loop")
def one_epoch_only(state, images, epochs, B, gradient, adam):
    state, losses = split_and_in_the_dict(state, images, 1, B, gradient, adam)
    return state, np.repeat(losses, epochs)


@wrong("07.loop")
def gradient_asked_twice(state, images, epochs, B, gradient, adam):
    def again(theta, x, eps):
        return gradient(theta, x, eps)[0], gradient(theta, x, eps)[1]

    return split_and_in_the_dict(state, images, epochs, B, again, adam)
