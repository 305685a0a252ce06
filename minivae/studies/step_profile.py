"""Where the time of one training step goes: the bars that notebooks 08a to 08c begin and end with.

A profile is measured inside the step: each function of the backend is timed when the step calls it,
and what is left of the step is "Python and the rest". So the parts add up to the step. Each step
runs the lines of `elbo_and_grads`, which `train` records once and then replays
(kernels/recording.py).
"""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from minivae import ops, plots, vae
from minivae.studies.races import Timing, cpu_clock, rounds_needed

PARTS = ("products", "bias and tanh", "likelihood", "Adam", "Python and the rest")
REST = PARTS[-1]
COLORS = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.RED, plots.GREY)
FUSED = {  # part of a backend whose layers are one function each
    "dense_forward": "products",
    "dense_backward": "products",
    "bernoulli_nll_forward": "likelihood",
    "bernoulli_nll_backward": "likelihood",
    "adam_step": "Adam",
}
Product = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Stopwatch:
    """Adds up the seconds of each part."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.seconds = dict.fromkeys(PARTS, 0.0)

    def call(self, part: str, function: Callable, *args: Any, **kwargs: Any) -> Any:
        """function(*args, **kwargs), its time added to `part`."""
        start = self.clock()
        result = function(*args, **kwargs)
        self.seconds[part] += self.clock() - start
        return result


def with_product(product: Product) -> Callable[[Stopwatch], SimpleNamespace]:
    """NumPy's backend with another matrix product. Activations: "tanh" and "none"."""

    def timed(watch: Stopwatch) -> SimpleNamespace:
        def add_bias(a, b, activation):
            a += b
            return np.tanh(a, out=a) if activation == "tanh" else a

        def before_bias(dy, y, activation):
            da = dy * (1 - y * y) if activation == "tanh" else dy
            return da, ops.sum_rows(da)

        def dense_forward(x, W, b, activation):
            a = watch.call("products", product, x, W)
            y = watch.call("bias and tanh", add_bias, a, b, activation)
            return y, ops.DenseCache(x, W, y, activation)

        def dense_backward(dy, cache, *, out, need_dx=True):
            dW, db = out
            da, db[...] = watch.call("bias and tanh", before_bias, dy, cache.y, cache.activation)
            dW[...] = watch.call("products", product, cache.x.T, da)
            dx = watch.call("products", product, da, cache.W.T) if need_dx else None
            return dx, dW, db

        backend = fused(ops)(watch)
        backend.dense_forward, backend.dense_backward = dense_forward, dense_backward
        return backend

    return timed


def fused(backend: Any) -> Callable[[Stopwatch], SimpleNamespace]:
    """A backend as it is: a whole layer, with its bias and tanh, counts as "products"."""

    def timed(watch: Stopwatch) -> SimpleNamespace:
        names = [name for name in dir(backend) if not name.startswith("_")]
        functions = {name: getattr(backend, name) for name in names}
        for name, part in FUSED.items():
            functions[name] = _timed(watch, part, functions[name])
        return SimpleNamespace(**functions)

    return timed


def _timed(watch, part, function):
    return lambda *args, **kwargs: watch.call(part, function, *args, **kwargs)


class Trainee:
    """A model and its Adam state, trained by `step`, which times its parts."""

    def __init__(
        self, make: Callable, spec: vae.Spec, clock: Callable[[], float] = cpu_clock
    ) -> None:
        self.watch = Stopwatch(clock)
        self.backend, self.spec, self.count = make(self.watch), spec, 0
        self.flat = vae.init_params(spec, np.random.default_rng(0))
        self.m, self.v = np.zeros_like(self.flat), np.zeros_like(self.flat)

    def step(self, x: np.ndarray, eps: np.ndarray) -> float:
        """One step on x (B, D) with noise eps (B, L) -> the loss, nats."""
        self.watch.seconds = dict.fromkeys(PARTS, 0.0)
        start = self.watch.clock()
        params = vae.unpack(self.flat, self.spec)
        terms = vae.elbo_and_grads(params, x, eps, self.spec, ops=self.backend)
        self.count += 1
        grads = terms.flat_grads
        self.backend.adam_step(self.flat, grads, self.m, self.v, self.count, 1e-3)
        whole = self.watch.clock() - start
        self.watch.seconds[REST] = whole - sum(self.watch.seconds.values())
        return float(terms.loss)


def profile(
    trainees: dict[str, Trainee], x: np.ndarray, eps: np.ndarray, rounds: int = 7, turn: float = 0.1
) -> dict[str, dict[str, Timing]]:
    """{name: {part: seconds}} with "step" for the whole; the trainees take turns.

    In each turn the fastest step counts, with its parts; then the median over the rounds.
    """
    fastest: dict[str, list[dict[str, float]]] = {name: [] for name in trainees}
    for trainee in trainees.values():
        trainee.step(x, eps)
    for _ in range(rounds_needed(rounds)):
        for name, trainee in trainees.items():
            steps: list[dict[str, float]] = []
            end = time.perf_counter() + turn
            while not steps or time.perf_counter() < end:
                trainee.step(x, eps)
                steps.append(trainee.watch.seconds)
            fastest[name].append(min(steps, key=lambda parts: sum(parts.values())))
    return {
        name: {part: Timing([step[part] for step in best]) for part in PARTS}
        | {"step": Timing([sum(step.values()) for step in best])}
        for name, best in fastest.items()
    }


def contradictions(profiles: dict[str, dict[str, Timing]]) -> dict[str, bool]:
    """Claims for `checked`: a part takes less than its step, and the parts add up to it."""
    claims = {}
    for name, parts in profiles.items():
        for part in PARTS:
            claims[f"{name}: {part} take less than the step"] = 0 <= parts[part] < parts["step"]
        total = sum(parts[part] for part in PARTS)
        claims[f"{name}: the parts add up to the step"] = abs(total / parts["step"] - 1) < 0.1
    return claims


def draw(ax: Axes, profiles: dict[str, dict[str, Timing]]) -> None:
    """A group of bars for each profile, one for each part, in ms, with their quartiles."""
    height = 0.8 / len(PARTS)
    for i, (part, color) in enumerate(zip(PARTS, COLORS, strict=True)):
        at = [row + i * height - 0.32 for row in range(len(profiles))]
        timings = [1e3 * np.array([p[part].low, p[part], p[part].high]) for p in profiles.values()]
        middle = np.array([t[1] for t in timings])
        spread = np.array([[t[1] - t[0], t[2] - t[1]] for t in timings]).T
        ax.barh(at, middle, height, color=color, xerr=spread, label=part, error_kw={"lw": 1})
        for y, (_, ms, high) in zip(at, timings, strict=True):
            ax.text(high, y, f"  {ms:.3g}", va="center", fontsize=7)
    names = [f"{name}\n{1e3 * p['step']:.3g} ms a step" for name, p in profiles.items()]
    ax.set_yticks(range(len(profiles)), names)
    ax.set(xlabel="milliseconds of one training step")
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))  # a bar may be long
