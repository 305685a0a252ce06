"""The measuring process: one job of the bench, measured with a fixed number of threads.

`python -m minivae.studies.bench` reads a job as JSON from standard input and writes its result.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minivae import data, vae
from minivae.backend import BACKENDS
from minivae.errors import MinivaeError
from minivae.studies.bench import limit, runners

Size = dict[str, int]  # batch, data_dim, hidden, latent

# seconds: OpenBLAS spins for 2^26 cycles, clang's and Intel's OpenMP for OPENMP_SPINS (tables.py)
PAUSE = 0.1
WARM_STEPS, TIMED_STEPS = 10, 20  # after a pause the first steps are slow; training goes on
LEAST_CALLS = 5
CROWDED_TURN = 1.0  # seconds: each core goes round the processes that share it dozens of times


def make_setting(
    size: Size, images: str = "digits"
) -> tuple[vae.Spec, np.ndarray, np.ndarray, np.ndarray]:
    """The model, its parameters, a batch of `images` ("digits" or "noise"), and noise for z."""
    rng = np.random.default_rng(0)
    spec = vae.Spec(size["data_dim"], (size["hidden"],) * 2, size["latent"])
    draw = {"digits": _digits, "noise": _grey_noise}[images]
    x = draw(size["batch"], spec.data_dim, rng)
    eps = rng.standard_normal((len(x), spec.latent_dim)).astype(np.float32)
    return spec, vae.init_params(spec, rng), x, eps


def _digits(batch, data_dim, rng):
    """Zeros and ones, (batch, data_dim): some pixels of each digit, or all of them repeatedly."""
    digits = data.binarize(data.load("mnist").train[:batch], rng)
    n = digits.shape[1]
    # Spread over the whole digit: in its upper margin every pixel is 0.
    pixels = np.arange(data_dim) * max(1, n // data_dim) % n
    return np.ascontiguousarray(digits[:, pixels])


def _grey_noise(batch, data_dim, rng):
    return rng.uniform(0.01, 0.99, (batch, data_dim)).astype(np.float32)


def enter(
    names: Sequence[str], spec: vae.Spec, flat: np.ndarray, x: np.ndarray, eps: np.ndarray
) -> tuple[dict[str, Callable[[], float]], dict[str, str]]:
    """{name: step} of those that start and compute the right numbers; {name: why} of the others."""
    reference, right = runners.RUNNERS["numpy"](
        spec, *(a.astype(np.float64) for a in (flat, x, eps))
    )
    losses: list[float] = []  # of the reference, and its parameters after each step
    states: list[np.ndarray] = []
    steps, out = {}, {}
    for name in names:
        per_call = runners.STEPS_PER_CALL.get(name, 1)
        last = max(2, per_call)
        while len(losses) < last:
            losses.append(reference())
            states.append(right().copy())
        try:
            step, parameters = runners.RUNNERS[name](spec, flat, x, eps)
            found = [step() for _ in range(last // per_call)]
            wanted = losses[per_call - 1 : last : per_call]
            wrong = _difference(found, wanted, parameters(), states[last - 1], flat)
        except Exception as error:  # another library's installation may be broken in any way
            if name in BACKENDS:
                raise
            out[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            continue
        if wrong:
            raise MinivaeError(
                f"{runners.NAMES[name]} computes something else: {wrong}; nothing was timed"
            )
        steps[name] = step
    return steps, out


def _difference(losses, right_losses, flat, right, start):
    """What is off after some steps from `start`, or None. Adam divides gradients by their size, so
    tiny ones move a parameter as far as large ones: hence the distance of the whole vectors.

    Seen in float32: losses off by 3e-7, steps by 2e-4.
    """
    if not np.allclose(losses, right_losses, rtol=1e-5):
        return f"its losses are {losses}, and should be {right_losses}"
    off = np.linalg.norm(flat - right) / np.linalg.norm(right - start)
    return f"its steps are off by {off:.1%}" if not off < 0.005 else None


def time_turn(function: Callable[[], object], steps: int = 1) -> float:
    """The median time of a step, in seconds; `steps`: how many of them one call makes."""
    _warm_up(function, steps)
    times: list[float] = []
    for _ in range(max(TIMED_STEPS // steps, LEAST_CALLS)):
        start = time.perf_counter()
        function()
        times.append((time.perf_counter() - start) / steps)
    return float(np.median(times))


def time_crowded_turn(function: Callable[[], object], steps: int = 1) -> float:
    """The mean time of a step, in seconds, over a turn of CROWDED_TURN or more.

    For contestants that share the cores with other processes. A short step is rarely interrupted,
    but then for a long time: a median leaves that out, though a training has to wait for it.
    """
    _warm_up(function, steps)
    calls, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < CROWDED_TURN:
        function()
        calls += 1
    return seconds / (calls * steps)


def _warm_up(function, steps):
    time.sleep(PAUSE)
    for _ in range(-(-WARM_STEPS // steps)):
        function()


def race(
    functions: dict[str, Callable[[], object]], rounds: int, crowded: bool = False
) -> dict[str, list[float]]:
    """{name: [seconds in each round]}: each has a turn in every round, in random order.

    crowded: other processes use the same cores.
    """
    names, turn = list(functions), time_crowded_turn if crowded else time_turn
    times: dict[str, list[float]] = {name: [] for name in names}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(names):
            times[name].append(turn(functions[name], runners.STEPS_PER_CALL.get(name, 1)))
    return times


def measure_steps(
    size: Size,
    contestants: Sequence[str],
    rounds: int,
    images: str = "digits",
    crowded: bool = False,
) -> dict[str, Any]:
    """One row of the table of steps: milliseconds, ratios, and the limit of a step (limit.py)."""
    spec, flat, x, eps = make_setting(size, images)
    steps, out = enter(contestants, spec, flat, x, eps)
    with limit.yardsticks(len(flat)) as yardsticks:
        times = race({**steps, **yardsticks}, rounds, crowded)
    gflops, gigabytes = limit.rates({name: times.pop(name) for name in yardsticks}, len(flat))
    parts = limit.step_parts(spec, len(x))
    limits = {part.name: part.seconds(gflops, gigabytes) for part in parts}
    whole = np.sum(list(limits.values()), axis=0)
    ours = np.array(times["numba"])
    ratios = {name: quartiles(np.array(t) / ours) for name, t in times.items() if name != "numba"}
    opponents = {n: r["median"] for n, r in ratios.items() if n != "numpy"}
    fastest = min(opponents, key=lambda name: opponents[name]) if opponents else None
    return {
        **size,
        "images": images,
        "milliseconds": {name: quartiles(1e3 * np.array(t)) for name, t in times.items()},
        "ratios": ratios,
        "fastest_opponent": fastest,
        "loses_to": loses_to(ratios),
        "gflop": sum(part.flops for part in parts) / 1e9,
        "megabytes": sum(part.bytes for part in parts) / 1e6,
        "best_gflop_per_second": quartiles(gflops),
        "gigabytes_per_second": quartiles(gigabytes),
        "limit_parts_milliseconds": {n: quartiles(1e3 * t) for n, t in limits.items()},
        "limit_milliseconds": quartiles(1e3 * whole),
        "fraction_of_limit": quartiles(whole / ours),
        "did_not_start": out,
    }


def loses_to(ratios: dict[str, dict[str, float]]) -> list[str]:
    """The contestants that beat the numba backend by more than the spread: the upper quartile of
    their ratio is below 1, so that they were in about three rounds of four."""
    return [name for name, ratio in ratios.items() if ratio["high"] < 1]


def measure_products(size: Size, rounds: int) -> dict[str, Any]:
    """Each product of a step, in the order of the step, by the kernel and by NumPy's BLAS."""
    from minivae import kernels

    def by_kernel(a, b, transpose_a, transpose_b):
        return kernels.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)

    def by_blas(a, b, transpose_a, transpose_b):
        return np.matmul(a.T if transpose_a else a, b.T if transpose_b else b)

    products = _products(size)
    for name, *operands in products:
        if not np.allclose(by_kernel(*operands), by_blas(*operands), atol=1e-3):
            raise MinivaeError(f"the product {name} differs from BLAS; nothing was timed")
    multiply = {"kernel": by_kernel, "BLAS": by_blas}
    times: dict[str, list[np.ndarray]] = {name: [] for name in multiply}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(list(multiply)):
            times[name].append(time_products(multiply[name], products))
    kernel, blas = (np.array(t) for t in times.values())
    rows = []
    for j, (name, a, b, transpose_a, transpose_b) in enumerate(products):
        (m, k), n = a.shape[:: -1 if transpose_a else 1], b.shape[not transpose_b]
        rows.append({
            "product": name, "m": m, "k": k, "n": n,
            "kernel_microseconds": quartiles(1e6 * kernel[:, j]),
            "blas_microseconds": quartiles(1e6 * blas[:, j]),
            "ratio": quartiles(blas[:, j] / kernel[:, j]),
        })  # fmt: skip
    return {"rows": rows, "sum_ratio": quartiles(blas.sum(axis=1) / kernel.sum(axis=1))}


def _products(size):
    """[(name, a, b, transpose_a, transpose_b)] in the order of a step; each head is a layer."""
    spec, _, x, _ = make_setting(size)
    rng = np.random.default_rng(1)

    def draw(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    layers = [(name[:-2], shape) for name, shape in vae.layout(spec) if name.endswith("_W")]
    inputs = {name: x if name == "enc1" else np.tanh(draw(len(x), i)) for name, (i, _) in layers}
    products = [(f"{name}: x W", inputs[name], draw(i, o), False, False) for name, (i, o) in layers]
    for name, (i, o) in reversed(layers):
        da = draw(len(x), o)
        products.append((f"{name}: x' da", inputs[name], da, True, False))
        if name != "enc1":
            products.append((f"{name}: da W'", da, draw(i, o), False, True))
    return products


def time_products(multiply: Callable[..., np.ndarray], products: list[tuple]) -> np.ndarray:
    """The median times of each product, in seconds, all of them done one after the other."""
    time.sleep(PAUSE)
    times: list[list[float]] = []
    for _ in range(WARM_STEPS + TIMED_STEPS):
        times.append([])
        for _, *operands in products:
            start = time.perf_counter()
            multiply(*operands)
            times[-1].append(time.perf_counter() - start)
    return np.median(times[WARM_STEPS:], axis=0)


def measure_memory(size: Size, contestant: str) -> dict[str, float | None]:
    """The peak memory, in MB, of a process that trains with this contestant alone."""
    spec, flat, x, eps = make_setting(size)
    step, _ = runners.RUNNERS[contestant](spec, flat, x, eps)
    for _ in range(10):
        step()
    return {"megabytes": _peak_memory()}


def _peak_memory():
    """In MB, or None where the system does not report it."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where a process inherits its parent's `ru_maxrss`
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    try:
        import resource
    except ImportError:  # Windows has no such count
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def quartiles(values: np.ndarray | list[float]) -> dict[str, float]:
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    return {"median": float(median), "low": float(low), "high": float(high)}


MEASUREMENTS: dict[str, Callable[..., dict[str, Any]]] = {
    "steps": measure_steps,
    "products": measure_products,
    "memory": measure_memory,
}


def main() -> None:
    """The measuring process: one job, as JSON, from standard input; its result to output."""
    job = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w") as output:
        os.dup2(2, 1)  # keeps anything that a library prints, even from C, out of the result
        try:
            result = MEASUREMENTS[job["measure"]](**job["arguments"])
        except MinivaeError as error:
            result = {"refused": str(error)}
        json.dump(result, output)
