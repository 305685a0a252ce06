"""One training step of the same VAE, side by side: both backends, PyTorch and JAX; honestly.

How it is measured, so that the ratios mean something:
- a table is measured in one process of its own, started with the wanted number of threads for
  every library, and with as many cores, because JAX takes a thread for each core it finds;
- every contestant computes the same arithmetic from the same parameters, images and noise, and
  its losses and parameters of two steps are compared with float64 before anything is timed;
- rounds are interleaved: in each round everyone has a turn, in another order each time. A turn is
  a pause, in which the threads of the one before stop spinning, ten steps that do not count and
  twenty that do, of which the median counts. So all see the same weather on the machine, and all
  share what the numba backend asks of the allocator;
- reported are medians over rounds and quartiles; ratios are medians of the ratios within a round.
  A row says whom the numba backend loses to: those whose ratio's upper quartile is below 1.

The opponents at their best: data already theirs, weights (in, out), both heads of the encoder as
one product, PyTorch with its fused Adam, also compiled; JAX with the whole update compiled and its
buffers donated. The images are digits, as in training: most of their pixels are 0, and a backend
may leave out what is multiplied by them. So one table has images without zeros.
"""

import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from contextlib import contextmanager
from math import log
from pathlib import Path

import numpy as np

from minivae import data, vae
from minivae.backend import BACKENDS, load_backend
from minivae.errors import MinivaeError

CONTESTANTS = ("numba", "numpy", "torch", "torch.compile", "jax")
NAMES = {
    "numba": "minivae, numba",
    "numpy": "minivae, numpy",
    "torch": "PyTorch eager",
    "torch.compile": "torch.compile",
    "jax": "JAX jit",
}
BASE = {"batch": 100, "data_dim": 784, "hidden": 200, "latent": 50}
BATCHES = (20, 100, 500)
SWEEP = {
    "batch": (10, 20, 50, 100, 200, 500, 1000),
    "hidden": (50, 100, 200, 400, 800),
    "data_dim": (49, 196, 784, 3136),
    "latent": (2, 10, 50, 200),
}
SWEPT = ("numba", "numpy", "torch", "jax")  # torch.compile would compile for minutes
ROUNDS, QUICK_ROUNDS, SWEEP_ROUNDS = 25, 7, 8
LEARNING_RATE = 1e-3
PAUSE = 0.1  # seconds: OpenBLAS spins for 2^26 cycles, clang's and Intel's OpenMP as told here
OPENMP_SPINS = 50  # milliseconds instead of their 200; between the steps of a turn none sleeps
WARM_STEPS, TIMED_STEPS = 10, 20  # after a pause the first steps are slow; training goes on
YARDSTICK = (512, 784, 512)  # m, k, n of the product that measures what the machine can do
TABLES = {  # of steps, by their key in the report
    "steps": "One training step",
    "steps_on_one_thread": "One training step",
    "steps_on_dense_images": "A step on images without zeros",
}


# ---- the contestants -------------------------------------------------------------------------
#
# Each is a function of (spec, flat, x, eps) that returns (step, parameters): `step()` makes one
# training step and returns its loss when it is done; `parameters()` the flat vector as it is then.


def _minivae(backend):
    def contestant(spec, flat, x, eps):
        ops = load_backend(backend)
        flat = flat.copy()
        params = vae.unpack(flat, spec)
        m, v, steps = np.zeros_like(flat), np.zeros_like(flat), 0

        def step():
            nonlocal steps
            steps += 1
            result = vae.elbo_and_grads(params, x, eps, spec, ops=ops)
            ops.adam_step(flat, result.flat_grads, m, v, steps, LEARNING_RATE)
            return float(result.loss)

        return step, lambda: flat

    return contestant


def _torch(compiled):
    def contestant(spec, flat, x, eps):
        import torch
        from torch.nn import functional as F

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        layers = [
            torch.from_numpy(a.copy()).requires_grad_()
            for a in _layers(vae.unpack(flat, spec), spec)
        ]
        x, eps, depth = torch.from_numpy(x), torch.from_numpy(eps), len(spec.hidden)
        adam = torch.optim.Adam(layers, lr=LEARNING_RATE, fused=True)

        def loss_of(x, eps):
            pairs = list(zip(layers[::2], layers[1::2], strict=True))
            h = x
            for W, b in pairs[:depth]:
                h = torch.tanh(torch.addmm(b, h, W))
            W, b = pairs[depth]
            mu, logvar = torch.addmm(b, h, W).chunk(2, dim=1)
            h = mu + torch.exp(logvar / 2) * eps
            for W, b in pairs[depth + 1 : -1]:
                h = torch.tanh(torch.addmm(b, h, W))
            W, b = pairs[-1]
            logits = torch.addmm(b, h, W)
            nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
            kl = (mu * mu + torch.exp(logvar) - 1 - logvar).sum() / 2
            return (nll + kl) / len(x)

        if compiled:
            loss_of = torch.compile(loss_of)

        def step():
            adam.zero_grad(set_to_none=True)
            loss = loss_of(x, eps)
            loss.backward()
            adam.step()
            return loss.item()

        return step, lambda: _flat([a.detach().numpy() for a in layers], spec)

    return contestant


def _jax(spec, flat, x, eps):
    import jax
    import jax.numpy as jnp

    threads = int(os.environ["OMP_NUM_THREADS"])
    if not hasattr(os, "sched_setaffinity") and threads < os.cpu_count():
        raise RuntimeError(f"no way to hold JAX to {threads} of {os.cpu_count()} cores here")
    depth = len(spec.hidden)

    def loss_of(layers, x, eps):
        pairs = list(zip(layers[::2], layers[1::2], strict=True))
        h = x
        for W, b in pairs[:depth]:
            h = jnp.tanh(h @ W + b)
        W, b = pairs[depth]
        mu, logvar = jnp.split(h @ W + b, 2, axis=1)
        h = mu + jnp.exp(logvar / 2) * eps
        for W, b in pairs[depth + 1 : -1]:
            h = jnp.tanh(h @ W + b)
        W, b = pairs[-1]
        logits = h @ W + b
        nll = (jnp.maximum(logits, 0) - logits * x + jnp.log1p(jnp.exp(-jnp.abs(logits)))).sum()
        kl = (mu * mu + jnp.exp(logvar) - 1 - logvar).sum() / 2
        return (nll + kl) / len(x)

    def update(state, x, eps):
        layers, m, v, t = state
        loss, grads = jax.value_and_grad(loss_of)(layers, x, eps)
        t = t + 1
        m = [0.9 * a + 0.1 * g for a, g in zip(m, grads, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, grads, strict=True)]
        scale, v_scale = LEARNING_RATE / (1 - 0.9**t), 1 / (1 - 0.999**t)
        layers = [
            p - scale * a / (jnp.sqrt(b * v_scale) + 1e-8)
            for p, a, b in zip(layers, m, v, strict=True)
        ]
        return (layers, m, v, t), loss

    update = jax.jit(update, donate_argnums=0)
    layers = [jnp.array(a) for a in _layers(vae.unpack(flat, spec), spec)]
    state = (layers, *([jnp.zeros_like(a) for a in layers] for _ in range(2)), jnp.float32(0))
    x, eps = jnp.array(x), jnp.array(eps)

    def step():
        nonlocal state
        state, loss = update(state, x, eps)
        jax.block_until_ready(state)
        return float(loss)

    return step, lambda: _flat([np.asarray(a) for a in state[0]], spec)


RUNNERS = {
    "numba": _minivae("numba"),
    "numpy": _minivae("numpy"),
    "torch": _torch(compiled=False),
    "torch.compile": _torch(compiled=True),
    "jax": _jax,
}


def _layers(params, spec):
    """[W, b, W, b, ...] with the two heads side by side as one layer."""
    blocks = [params[name] for name, _ in vae.layout(spec)]
    head = 2 * len(spec.hidden)
    mu_W, mu_b, logvar_W, logvar_b = blocks[head : head + 4]
    joined = [np.hstack([mu_W, logvar_W]), np.hstack([mu_b, logvar_b])]
    return [*blocks[:head], *joined, *blocks[head + 4 :]]


def _flat(layers, spec):
    head = 2 * len(spec.hidden)
    (mu_W, logvar_W), (mu_b, logvar_b) = (np.split(a, 2, axis=-1) for a in layers[head : head + 2])
    blocks = [*layers[:head], mu_W, mu_b, logvar_W, logvar_b, *layers[head + 2 :]]
    return np.concatenate([block.ravel() for block in blocks])


def absent(contestant):
    """Why an opponent cannot take part, or None."""
    module = {"torch": "torch", "torch.compile": "torch", "jax": "jax"}.get(contestant)
    if module and importlib.util.find_spec(module) is None:
        return f"{module} is not installed"
    return None


# ---- in the process that measures ------------------------------------------------------------


def _setting(size, images="digits"):
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


def _enter(names, spec, flat, x, eps):
    """The contestants that can start and are right, warmed up; and why the others do not."""
    reference, right = RUNNERS["numpy"](spec, *(a.astype(np.float64) for a in (flat, x, eps)))
    losses = [reference(), reference()]
    steps, out = {}, {}
    for name in names:
        try:
            step, parameters = RUNNERS[name](spec, flat, x, eps)
            wrong = _difference([step(), step()], losses, parameters(), right(), flat)
        except Exception as error:  # an opponent's installation may be broken in any way
            if name in BACKENDS:
                raise
            out[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            continue
        if wrong:
            raise MinivaeError(f"{NAMES[name]} computes something else: {wrong}; nothing was timed")
        steps[name] = step
    return steps, out


def _difference(losses, right_losses, flat, right, start):
    """What is off after two steps from `start`, or None. Adam divides gradients by their size, so
    tiny ones move a parameter as far as large ones: hence the distance of the whole vectors.

    Seen in float32: losses off by 3e-7, steps by 2e-4.
    """
    if not np.allclose(losses, right_losses, rtol=1e-5):
        return f"its losses are {losses}, and should be {right_losses}"
    off = np.linalg.norm(flat - right) / np.linalg.norm(right - start)
    return f"its steps are off by {off:.1%}" if not off < 0.005 else None


def _turn(function):
    """The median time of one call, in seconds."""
    time.sleep(PAUSE)
    for _ in range(WARM_STEPS):
        function()
    times = []
    for _ in range(TIMED_STEPS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _race(functions, rounds):
    """{name: [seconds in each round]}: everyone has a turn in every round."""
    names, times = list(functions), {name: [] for name in functions}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(names):
            times[name].append(_turn(functions[name]))
    return times


def measure_steps(size, contestants, rounds, images="digits"):
    """One row of the table of steps: milliseconds, ratios, and the limit set by the products."""
    from minivae import kernels

    spec, flat, x, eps = _setting(size, images)
    steps, out = _enter(contestants, spec, flat, x, eps)
    m, k, n = YARDSTICK
    a, b, c = (np.ones(shape, np.float32) for shape in ((m, k), (k, n), (m, n)))
    yardsticks = {"kernel": lambda: kernels.matmul(a, b), "BLAS": lambda: np.matmul(a, b, out=c)}
    times = _race(steps | yardsticks, rounds)
    flops = step_flops(spec, len(x))
    rates = {name: 2e-9 * m * k * n / np.array(times.pop(name)) for name in yardsticks}
    best_rate = np.maximum(*rates.values())  # in each round, whoever was faster
    ours = np.array(times["numba"])
    ratios = {name: _spread(np.array(t) / ours) for name, t in times.items() if name != "numba"}
    opponents = {n: r["median"] for n, r in ratios.items() if n != "numpy"}
    fastest = min(opponents, key=opponents.get) if opponents else None
    return {
        **size,
        "images": images,
        "milliseconds": {name: _spread(1e3 * np.array(t)) for name, t in times.items()},
        "ratios": ratios,
        "fastest_opponent": fastest,
        "loses_to": _loses_to(ratios),
        "gflop": flops / 1e9,
        "best_gflop_per_second": _spread(best_rate),
        "limit_milliseconds": _spread(flops / best_rate / 1e6),
        "fraction_of_limit": _spread(flops / 1e9 / best_rate / ours),
        "did_not_start": out,
    }


def _loses_to(ratios):
    """Those who were faster than the numba backend by more than the spread: the upper quartile of
    their ratio is below 1, so that they were in about three rounds of four."""
    return [name for name, ratio in ratios.items() if ratio["high"] < 1]


def step_flops(spec, batch):
    """Two for each multiply-add of a step's products: x W, x' da, and da W' but for the first.

    A pixel that is 0 counts like any other.
    """
    shapes = [shape for name, shape in vae.layout(spec) if name.endswith("_W")]
    products = 3 * sum(i * o for i, o in shapes) - spec.data_dim * spec.hidden[0]
    return 2 * batch * products


def measure_products(size, rounds):
    """Each product of a step, in the order of the step, by the kernel and by NumPy's BLAS."""
    from minivae import kernels

    def by_kernel(a, b, turn_a, turn_b):
        return kernels.matmul(a, b, turn_a=turn_a, turn_b=turn_b)

    def by_blas(a, b, turn_a, turn_b):
        return np.matmul(a.T if turn_a else a, b.T if turn_b else b)

    products = _products(size)
    for name, *operands in products:
        if not np.allclose(by_kernel(*operands), by_blas(*operands), atol=1e-3):
            raise MinivaeError(f"the product {name} differs from BLAS; nothing was timed")
    times = {by_kernel: [], by_blas: []}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for multiply in rng.permutation(list(times)):
            times[multiply].append(_turn_of_products(multiply, products))
    kernel, blas = (np.array(t) for t in times.values())
    rows = []
    for j, (name, a, b, turn_a, turn_b) in enumerate(products):
        (m, k), n = a.shape[:: -1 if turn_a else 1], b.shape[not turn_b]
        rows.append({
            "product": name, "m": m, "k": k, "n": n,
            "kernel_microseconds": _spread(1e6 * kernel[:, j]),
            "blas_microseconds": _spread(1e6 * blas[:, j]),
            "ratio": _spread(blas[:, j] / kernel[:, j]),
        })  # fmt: skip
    return {"rows": rows, "sum_ratio": _spread(blas.sum(axis=1) / kernel.sum(axis=1))}


def _products(size):
    """[(name, a, b, turn_a, turn_b)] in the order of a step, each head a layer of its own."""
    spec, _, x, _ = _setting(size)
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


def _turn_of_products(multiply, products):
    """The median times of each product, in seconds, all of them done one after the other."""
    time.sleep(PAUSE)
    times = []
    for _ in range(WARM_STEPS + TIMED_STEPS):
        times.append([])
        for _, *operands in products:
            start = time.perf_counter()
            multiply(*operands)
            times[-1].append(time.perf_counter() - start)
    return np.median(times[WARM_STEPS:], axis=0)


def measure_memory(size, contestant):
    """The most memory that a process which trains with this contestant alone ever held, in MB."""
    spec, flat, x, eps = _setting(size)
    step, _ = RUNNERS[contestant](spec, flat, x, eps)
    for _ in range(10):
        step()
    return {"megabytes": _peak_memory()}


def _peak_memory():
    """In MB, or None where nobody counts it."""
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


def _spread(values):
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    return {"median": float(median), "low": float(low), "high": float(high)}


MEASUREMENTS = {"steps": measure_steps, "products": measure_products, "memory": measure_memory}


def main():
    """The measuring process: one job, as JSON, from standard input; its result to output."""
    job = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w") as output:
        os.dup2(2, 1)  # whatever a library prints, be it from C, is not the result
        try:
            result = MEASUREMENTS[job["measure"]](**job["arguments"])
        except MinivaeError as error:
            result = {"refused": str(error)}
        json.dump(result, output)


# ---- in the process that asks ----------------------------------------------------------------


def _ask(measure, threads, **arguments):
    """Runs one measurement in a process of its own, all libraries set to `threads` threads."""
    names = ("OMP", "OPENBLAS", "MKL", "MINIVAE", "VECLIB")
    environment = os.environ | {f"{name}_NUM_THREADS": str(threads) for name in names}
    environment |= {"KMP_BLOCKTIME": str(OPENMP_SPINS), "JAX_PLATFORMS": "cpu"}
    package = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [package, os.environ.get("PYTHONPATH", "")])
    )
    with _on_cores(threads):
        done = subprocess.run(
            [sys.executable, "-m", "minivae.studies.bench"],
            input=json.dumps({"measure": measure, "arguments": arguments}),
            env=environment, capture_output=True, text=True,
        )  # fmt: skip
    if done.returncode:
        sys.stderr.write(done.stderr)
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise MinivaeError(
            f"the measurement of {measure} ended with status {done.returncode}: {last[0]}"
        )
    result = json.loads(done.stdout)
    if "refused" in result:
        raise MinivaeError(result["refused"])
    return result


@contextmanager
def _on_cores(n):
    """What is started meanwhile sees n cores, where the system lets us choose."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[-n:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def run(*, quick=False, say=lambda line: None, sizes=None):
    """All tables, as plain data for JSON. `sizes` replaces BASE, for a smaller model.

    quick: fewer rounds, one batch size on one thread, no sweep.
    """
    kernels = load_backend("numba")
    base, rounds = {**BASE, **(sizes or {})}, QUICK_ROUNDS if quick else ROUNDS
    threads = kernels.thread_count()
    missing = {name: reason for name in CONTESTANTS if (reason := absent(name))}
    entered = [name for name in CONTESTANTS if name not in missing]
    batches = BATCHES if sizes is None else (base["batch"],)
    report = {"machine": _machine(threads), "absent": {NAMES[n]: r for n, r in missing.items()}}

    def steps(threads, batch, images="digits"):
        say(f"bench: a step at batch {batch}, {images}, threads: {threads}")
        row = _ask(
            "steps",
            threads,
            size={**base, "batch": batch},
            contestants=entered,
            rounds=rounds,
            images=images,
        )
        return {"threads": threads, **row}

    report["steps"] = [steps(threads, batch) for batch in batches]
    if threads > 1:
        single = (base["batch"],) if quick else batches
        report["steps_on_one_thread"] = [steps(1, batch) for batch in single]
    report["steps_on_dense_images"] = [steps(threads, base["batch"], "noise")]
    say("bench: the products of a step, the kernel against BLAS")
    report["products"] = _ask("products", threads, size=base, rounds=2 * rounds)
    say("bench: peak memory")
    report["memory"] = {
        name: _ask("memory", threads, size=base, contestant=name)["megabytes"]
        for name in entered
        if name not in report["steps"][0]["did_not_start"]
    }
    if not quick:
        swept = [name for name in SWEPT if name in entered]
        report["sweep"] = _sweep(base, threads, swept, say)
    return report


def _sweep(base, threads, contestants, say):
    """One size at a time away from the base: times, who wins, and how the time grows."""
    tables = {}
    for what, values in SWEEP.items():
        rows = []
        for value in values:
            say(f"bench: sweep, {what} {value}")
            size = {**base, what: value}
            row = _ask("steps", threads, size=size, contestants=contestants, rounds=SWEEP_ROUNDS)
            rows.append({"value": value, "threads": threads, **row})
        tables[what] = {"rows": rows, "growth_exponents": _growth(rows)}
    return tables


def _growth(rows):
    """p in time ~ size^p, between the two largest sizes, for each contestant."""
    last, largest = rows[-2:]
    step = log(largest["value"] / last["value"])
    return {
        name: log(t["median"] / last["milliseconds"][name]["median"]) / step
        for name, t in largest["milliseconds"].items()
        if name in last["milliseconds"]
    }


def _machine(threads):
    import numba

    from minivae import kernels

    versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }
    for module in ("torch", "jax"):
        if importlib.util.find_spec(module) is not None:
            versions[module] = importlib.metadata.version(module)
    return {
        "processor": _processor(), "cores": os.cpu_count(), "threads": threads,
        "float32_lanes": kernels.machine_lanes(), "versions": versions,
    }  # fmt: skip


def _processor():
    """The processor's name, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


# ---- the tables ------------------------------------------------------------------------------


def report(result):
    """The tables as text."""
    machine = result["machine"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, "
        f"registers of {machine['float32_lanes']} float32",
        ", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
        *(f"{name}: not in the race, {reason}" for name, reason in result["absent"].items()),
    ]
    for key, title in TABLES.items():
        for row in result.get(key, ()):
            lines += ["", *_step_lines(title, row)]
    lines += ["", *_product_lines(result["products"]), "", *_memory_lines(result["memory"])]
    for what, table in result.get("sweep", {}).items():
        lines += ["", *_sweep_lines(what, table)]
    return "\n".join(lines)


def _step_lines(title, row):
    size = f"{row['data_dim']}-{row['hidden']}-{row['hidden']}-{row['latent']}"
    yield f"{title}, {size}, batch {row['batch']}, threads: {row['threads']}"
    yield f"  {'':16}{'ms, median (quartiles)':>28}{'ratio to minivae, numba':>30}"
    for name, time_ in row["milliseconds"].items():
        ratio = _range(row["ratios"][name], 2) if name in row["ratios"] else "1"
        yield f"  {NAMES[name]:16}{_range(time_, 2):>28}{ratio:>30}"
    yield from _absence_lines(row)
    limit, part = row["limit_milliseconds"]["median"], row["fraction_of_limit"]["median"]
    rate = row["best_gflop_per_second"]["median"]
    yield (
        f"  limit: {row['gflop']:.3f} GFLOP at {rate:.0f} GFLOP/s, the best product seen: "
        f"{limit:.2f} ms; the numba step reaches {part:.0%} of it"
    )
    if row["fastest_opponent"]:
        ratio = row["ratios"][row["fastest_opponent"]]["median"]
        yield f"  against the fastest opponent, {NAMES[row['fastest_opponent']]}: {ratio:.2f}"
    if row["loses_to"]:
        yield f"  minivae, numba loses to {_names(row['loses_to'])}"


def _absence_lines(row):
    for name, reason in row["did_not_start"].items():
        yield f"  {NAMES[name]:16}did not start: {reason}"


def _names(contestants):
    return " and ".join(NAMES[name] for name in contestants)


def _product_lines(products):
    yield "The products of a step, microseconds: kernel, NumPy's BLAS, ratio"
    for row in products["rows"]:
        yield (
            f"  {row['product']:18}{row['m']:>5} x {row['k']:>4} x {row['n']:>4}"
            f"{row['kernel_microseconds']['median']:>10.0f}{row['blas_microseconds']['median']:>8.0f}"
            f"   {_range(row['ratio'], 2):>19}"
        )
    yield f"  all of them: {_range(products['sum_ratio'], 2)}"


def _memory_lines(memory):
    yield "Peak memory of a process that trains, MB"
    for name, megabytes in memory.items():
        yield f"  {NAMES[name]:16}" + (f"{megabytes:>8.0f}" if megabytes else " not counted here")


def _sweep_lines(what, table):
    names = [name for name in SWEPT if any(name in row["milliseconds"] for row in table["rows"])]
    yield f"A step, ms, by {what:10}" + "".join(f"{NAMES[name]:>18}" for name in names)
    for row in table["rows"]:
        medians = {name: time_["median"] for name, time_ in row["milliseconds"].items()}
        loses = f"   loses to {_names(row['loses_to'])}" if row["loses_to"] else ""
        yield f"  {row['value']:>22} " + _cells(medians, names) + loses
        yield from _absence_lines(row)
    yield f"  {'grows with power':>22} " + _cells(table["growth_exponents"], names)


def _cells(numbers, names):
    return "".join(f"{numbers[name]:>18.2f}" if name in numbers else f"{'-':>18}" for name in names)


def _range(spread, digits):
    low, median, high = (f"{spread[key]:.{digits}f}" for key in ("low", "median", "high"))
    return f"{median} ({low} to {high})"


if __name__ == "__main__":
    main()
