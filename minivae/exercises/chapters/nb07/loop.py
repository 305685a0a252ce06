"""The training loop: every image once an epoch, fresh noise, and nothing lost at a checkpoint."""

import copy
import itertools

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

L = 2  # latents of the noise
MANY = 1000  # rows of noise: enough to see that two columns are correlated
WITHIN_ONE = 0.6827  # the share of a standard normal's draws between -1 and 1


def train_on(state, images, epochs, B, gradient, adam):
    """Everything that the next step depends on comes from `state` and goes back into it"""
    theta, m, v, step, rng = (state[name] for name in ("theta", "m", "v", "step", "rng"))
    losses = []
    for _ in range(epochs):
        order, total = rng.permutation(len(images)), 0.0
        for first in range(0, len(images), B):
            x = images[order[first : first + B]]
            eps = rng.standard_normal((len(x), 2))
            loss, grad = gradient(theta, x, eps)
            step += 1
            adam(theta, grad, m, v, step)
            total += len(x) * loss
        losses.append(total / len(images))
    return {"theta": theta, "m": m, "v": v, "step": step, "rng": rng}, losses


# ---- what a loop is seen to do -------------------------------------------------------------------


class _Witness:
    """A gradient and an optimizer that write down how they are called."""

    def __init__(self) -> None:
        self.batches: list[np.ndarray] = []  # the numbers of the images
        self.noise: list[np.ndarray] = []
        self.losses: list[float] = []
        self.steps: list[int] = []
        self.thetas: list[np.ndarray] = []  # before each step
        self.moments: list[tuple] = []  # m and v before each step
        self.after: tuple = ()  # theta, m and v after the last step
        self.kept = True  # each step began with what the last one left

    def gradient(self, theta, x, eps):
        x, eps = np.asarray(x), np.asarray(eps)
        if x.ndim != 2 or len(x) == 0 or eps.shape != (len(x), L):
            raise ValueError(f"gradient got x {x.shape} and eps {eps.shape}; eps is ({len(x)}, 2)")
        self.batches.append(np.rint(x[:, 0]).astype(int))
        self.noise.append(eps.copy())
        each = (theta - x) ** 2 / 2 + 0.1 * eps[:, :1] * theta
        self.losses.append(float(each.sum(axis=1).mean()))
        return self.losses[-1], theta - x.mean(axis=0) + 0.1 * eps[:, 0].mean()

    def adam(self, theta, grad, m, v, step):
        self.steps.append(int(step))
        self.kept &= all(map(np.array_equal, self.after, (theta, m, v)))
        self.thetas.append(theta.copy())
        self.moments.append((m.copy(), v.copy()))
        m[:] = 0.9 * m + 0.1 * grad
        v[:] = 0.999 * v + 0.001 * grad**2
        theta -= 0.05 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        self.after = theta.copy(), m.copy(), v.copy()


def _observe(answer, state, images, epochs, B):
    """What the loop does with the images, in words."""
    seen = _Witness()
    _, losses = _run(answer, _fresh(state), images, epochs, B, seen)
    return (
        _images_of(seen, len(images), epochs),
        _sizes_of(seen, len(images), epochs, B),
        _noise_of(seen),
        _losses_of(seen, losses, len(images), epochs),
        _steps_of(seen),
        _resumed(answer, state, images, epochs, B, seen),
    )


def _fresh(state):
    return copy.deepcopy(state) | {"rng": np.random.default_rng(7)}


def _run(answer, state, images, epochs, B, seen):
    given = images.copy()
    result = answer(state, given, epochs, B, seen.gradient, seen.adam)
    if not np.array_equal(given, images):
        raise ValueError("it changes images in place: draw an order of their numbers instead")
    if not isinstance(result, tuple | list) or len(result) != 2 or not isinstance(result[0], dict):
        raise TypeError("expected two results: the state (a dict), and the loss of each epoch")
    lacking = {"theta", "m", "v", "step", "rng"} - set(result[0])
    if lacking:
        raise TypeError(f"the state that comes back has no {', '.join(sorted(lacking))}")
    return result


def _images_of(seen, N, epochs):
    if not seen.batches:
        return "the gradient is never asked for"
    shown = np.concatenate(seen.batches)
    counts = np.bincount(shown, minlength=N)
    if len(shown) < epochs * N:
        return f"{epochs * N - len(shown)} of the {epochs * N} are left out"
    parts = [shown[e * N : (e + 1) * N] for e in range(epochs)]
    if counts.max() > epochs or any(len(set(part)) < N for part in parts):
        return "some come more than once in an epoch"
    if any((np.diff(part) == 1).all() for part in parts):
        return "each once an epoch, but in the order of the array"
    if any((a == b).all() for a, b in itertools.pairwise(parts)):
        return "each once an epoch, but in the same order in every epoch"
    return "each once an epoch, in a new order"


def _sizes_of(seen, N, epochs, B):
    right = [min(B, N - first) for first in range(0, N, B)] * epochs
    return "B, the last one what is left" if [len(b) for b in seen.batches] == right else "others"


def _noise_of(seen):
    rows = np.concatenate(seen.noise) if seen.noise else np.zeros((0, L))
    if not rows.any():
        return "none"
    products = rows.prod(axis=1)  # 0 on average, if the latents' numbers are independent
    if np.array_equal(rows[:, 0], rows[:, 1]):
        return "the same for both latents"
    if len(rows) >= MANY and abs(products.mean()) > 5 * products.std() / np.sqrt(len(rows)):
        return "the numbers of the two latents depend on each other"
    if len(np.unique(rows)) < 0.99 * rows.size:  # in single precision a few agree by chance
        return "some of it is used again"
    error = 1 / np.sqrt(rows.size)  # standard error of the mean; below, five errors are the bar
    if abs(rows.mean()) > 5 * error:
        return "its mean is not 0"
    if abs(rows.std() - 1) > 5 * error / np.sqrt(2):
        return "its standard deviation is not 1"
    if abs((np.abs(rows) < 1).mean() - WITHIN_ONE) > 5 * error / 2:
        return "it is not normally distributed"
    return "fresh for every image, from N(0, 1)"


def _losses_of(seen, losses, N, epochs):
    try:
        losses = np.asarray(losses, float)
    except (TypeError, ValueError):
        return "not numbers"
    if losses.shape != (epochs,):
        return f"shape {losses.shape}, not ({epochs},)"
    sizes = np.array([len(b) for b in seen.batches])
    epoch = (np.cumsum(sizes) - 1) // N  # of each batch
    parts = [epoch == e for e in range(epochs)]
    if not all(part.any() for part in parts):
        return "of epochs without a batch"
    each = np.array(seen.losses)
    for says, values in (
        ("the mean over the images of each epoch", [sizes[p] @ each[p] / N for p in parts]),
        ("the mean over the batches of each epoch", [each[p].mean() for p in parts]),
        ("the last batch's of each epoch", [each[p][-1] for p in parts]),
    ):
        if np.allclose(losses, values, rtol=1e-9):
            return says
    return "not the mean over the images of each epoch"


def _steps_of(seen):
    if not seen.kept:
        return "theta, m or v is changed between two of them"
    steps = np.array(seen.steps)
    if len(steps) != len(seen.batches):
        return f"{len(steps)} of them for {len(seen.batches)} batches"
    if (np.diff(steps) == 1).all():
        return f"one for each batch, counted from {steps[0]}" if len(steps) else "none"
    return "their number starts again" if 1 in steps[1:] else "counted in another way"


def _resumed(answer, start, images, epochs, B, whole):
    """One epoch, then the rest from the state that came back, as after a checkpoint."""
    first, rest = _Witness(), _Witness()
    state, _ = _run(answer, _fresh(start), images, 1, B, first)
    _run(answer, _fresh(start), images, epochs, B, _Witness())  # something between
    _run(answer, copy.deepcopy(state), images, epochs - 1, B, rest)
    n = slice(len(first.steps), len(first.steps) + 1)  # the first step of the rest
    order, noise = "the images come in another order", "other noise is drawn"
    pairs = (
        (order, whole.batches[: len(first.batches)], first.batches),
        (noise, whole.noise[: len(first.noise)], first.noise),
        ("the step number starts again", whole.steps[n], rest.steps[:1]),
        ("theta is not that of before", whole.thetas[n], rest.thetas[:1]),
        ("Adam's m and v are not those of before", whole.moments[n], rest.moments[:1]),
        (order, whole.batches, first.batches + rest.batches),
        (noise, whole.noise, first.noise + rest.noise),
        ("theta takes another way", whole.thetas, first.thetas + rest.thetas),
    )
    for says, a, b in pairs:
        if not _alike(a, b):
            return says
    return "the same as in one go"


def _alike(a, b):
    return len(a) == len(b) and all(
        np.shape(x) == np.shape(y) and np.allclose(x, y) for x, y in zip(a, b, strict=True)
    )


def _cases():
    """A short last batch; none; fewer images than B; one image left; enough noise to judge it."""
    columns = np.random.default_rng(74).random((1000, 2)).round(2)
    images = np.column_stack([np.arange(1000.0), columns])
    start = {name: np.zeros(3) for name in ("theta", "m", "v")} | {"step": 0}
    sizes = ((10, 3, 4), (9, 3, 3), (7, 2, 20), (49, 4, 8), (1000, 5, 64))
    return [(start, images[:N], epochs, B) for N, epochs, B in sizes]


# ---- known mistakes ------------------------------------------------------------------------------


def _loop(
    *,
    order=lambda rng, N, kept: rng.permutation(N),
    noise=lambda rng, b, kept: rng.standard_normal((b, L)),
    mean=lambda losses, sizes, N: np.dot(losses, sizes) / N,
    begin=lambda state: state,
    last=True,
    each_epoch=lambda state: None,
):
    """A wrong answer: the reference with one part changed."""

    def wrong(state, images, epochs, B, gradient, adam):
        state, N, kept, means = begin(dict(state)), len(images), {}, []
        for _ in range(epochs):
            each_epoch(state)
            places, losses, sizes = order(state["rng"], N, kept), [], []
            for first in range(0, N if last else N - B + 1, B):
                x = images[places[first : first + B]]
                loss, grad = gradient(state["theta"], x, noise(state["rng"], len(x), kept))
                state["step"] += 1
                adam(state["theta"], grad, state["m"], state["v"], state["step"])
                losses.append(loss)
                sizes.append(len(x))
            means.append(mean(losses, sizes, N))
        return state, means

    return wrong


def _with_replacement(state, images, epochs, B, gradient, adam):
    state, losses = dict(state), []
    for _ in range(epochs):
        total = 0.0
        for first in range(0, len(images), B):
            size = min(B, len(images) - first)
            x = images[state["rng"].integers(len(images), size=size)]
            loss, grad = gradient(state["theta"], x, state["rng"].standard_normal((size, L)))
            state["step"] += 1
            adam(state["theta"], grad, state["m"], state["v"], state["step"])
            total += size * loss
        losses.append(total / len(images))
    return state, losses


def _kept_noise(rng, b, kept):
    if "noise" not in kept:
        kept["noise"] = rng.standard_normal((1000, L))
    return kept["noise"][:b]


def _kept_order(rng, N, kept):
    return kept.setdefault("order", rng.permutation(N))


def _new_rng(state):
    return state | {"rng": np.random.default_rng(0)}


def _new_moments(state):
    return state | {name: np.zeros_like(state[name]) for name in ("m", "v")}


MISTAKES = (
    WrongAnswer(
        "with-replacement",
        _with_replacement,
        "Each batch is drawn from all images again, so that in an epoch some images come twice and "
        "others not at all. Draw one order for the epoch, and cut it into batches.",
    ),
    WrongAnswer(
        "in-order",
        _loop(order=lambda rng, N, kept: np.arange(N)),
        "The images come in the order of the array. If that is sorted by label, each batch "
        "holds one kind of image: draw rng.permutation(len(images)).",
    ),
    WrongAnswer(
        "one-order",
        _loop(order=_kept_order),
        "The order is drawn once and kept; draw a new one in each epoch.",
    ),
    WrongAnswer(
        "last-batch-dropped",
        _loop(last=False),
        "The images of the last, shorter batch are never used: go on while images are left.",
    ),
    WrongAnswer(
        "noise-kept",
        _loop(noise=_kept_noise),
        "The same noise is used again and again. The expectation over q needs new draws.",
    ),
    WrongAnswer(
        "one-noise-for-both-latents",
        _loop(noise=lambda rng, b, kept: np.repeat(rng.standard_normal((b, 1)), L, axis=1)),
        "Both latents of an image get the same number; each needs a draw of its own.",
    ),
    WrongAnswer(
        "opposite-noise",
        _loop(noise=lambda rng, b, kept: rng.standard_normal((b, 1)) * [1, -1]),
        "One latent's noise is minus the other's; each needs a draw of its own.",
    ),
    WrongAnswer(
        "no-noise",
        _loop(noise=lambda rng, b, kept: np.zeros((b, L))),
        "There is no noise: z is always the mean of q, so that logvar has no part in the nll.",
    ),
    WrongAnswer(
        "uniform-noise",
        _loop(noise=lambda rng, b, kept: rng.random((b, L))),
        "The noise is uniform on [0, 1); eps is standard normal.",
    ),
    WrongAnswer(
        "noise-too-narrow",
        _loop(noise=lambda rng, b, kept: 0.9 * rng.standard_normal((b, L))),
        "The noise has a standard deviation of 0.9; that of eps is 1, and sigma scales it later.",
    ),
    WrongAnswer(
        "uniform-with-the-right-spread",
        _loop(noise=lambda rng, b, kept: rng.uniform(-(3**0.5), 3**0.5, (b, L))),
        "Mean 0 and variance 1 are right, but the noise is uniform; eps is standard normal.",
    ),
    WrongAnswer(
        "batches-weigh-the-same",
        _loop(mean=lambda losses, sizes, N: np.mean(losses)),
        "The mean over batches gives an image of the short last batch more weight than the others. "
        "Weigh each batch's loss by its number of images.",
    ),
    WrongAnswer(
        "last-loss",
        _loop(mean=lambda losses, sizes, N: losses[-1]),
        "This reports the last batch's loss; the epoch's is the mean over all its images.",
    ),
    WrongAnswer(
        "seeded-inside",
        _loop(begin=_new_rng),
        "A resumed run does not go on with the orders and the noise that were due: draw both from "
        "state['rng'] itself, and give it back as it is afterwards.",
    ),
    WrongAnswer(
        "moments-from-zero",
        _loop(begin=_new_moments),
        "m and v start at zero in each call: a resumed run forgets Adam's running means.",
    ),
    WrongAnswer(
        "steps-from-zero",
        _loop(begin=lambda state: state | {"step": 0}),
        "step starts at zero in each call, so that a resumed run corrects m and v for a start that "
        "lies far behind.",
    ),
    WrongAnswer(
        "steps-from-zero-each-epoch",
        _loop(each_epoch=lambda state: state.update(step=0)),
        "step starts again in each epoch; it counts all batches since the first.",
    ),
)


LOOP = Exercise(
    id="07.loop",
    title="the training loop, which can be resumed",
    stub=stub("""
        def my_training(state, images, epochs, B, gradient, adam):
            ...      # state: a dict with theta, m, v (P,), step (0 before the first) and rng, all
                     # that a checkpoint keeps. gradient(theta, x, eps) -> loss (mean over the
                     # batch), grad (P,); x (b, D), eps (b, 2), b = B but for the last batch
                     # of an epoch. adam(theta, grad, m, v, step) changes theta, m, v in place
                     # -> the state afterwards (a dict), each epoch's mean loss (epochs,)
    """),
    reference=train_on,
    cases=_cases,
    observe=_observe,
    returns=("the images", "the batches", "the noise", "the losses", "the steps", "when resumed"),
    mistakes=MISTAKES,
    hints=(
        "One order of all images an epoch; cut it into pieces of B. What does the slice "
        "order[first : first + B] give at the end?",
        "Two things have to survive from one call to the next that are easily started anew: the "
        "number of the step, and the generator.",
        "order = rng.permutation(len(images)); for first in range(0, len(images), B): ...; "
        "total += len(x) * loss; and give back all five entries of the state.",
    ),
)
