"""The tables of the bench: what is measured for each, in processes of their own."""

import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import log
from pathlib import Path
from typing import Any

import numpy as np

from minivae.backend import load_backend
from minivae.errors import MinivaeError
from minivae.studies.bench import runners

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
OPENMP_SPINS = 50  # milliseconds instead of the default 200; within a turn, no thread goes to sleep


def measure_all(
    *,
    quick: bool = False,
    say: Callable[[str], None] = lambda line: None,
    sizes: dict[str, int] | None = None,
    busy: int = 0,
) -> dict[str, Any]:
    """All tables, as plain data for JSON. `sizes` replaces BASE, for a smaller model.

    quick: fewer rounds, one batch size on one thread, no sweep.
    busy: how many other processes keep the same cores busy all the while. If there are any, only
    the steps of each batch size are measured.
    """
    load_backend("numba")  # raises MinivaeError where it is missing
    from minivae import kernels

    base, rounds = {**BASE, **(sizes or {})}, QUICK_ROUNDS if quick else ROUNDS
    threads = kernels.thread_count()
    missing = {name: reason for name in runners.CONTESTANTS if (reason := runners.absent(name))}
    entered = [name for name in runners.CONTESTANTS if name not in missing]
    batches = BATCHES if sizes is None else (base["batch"],)
    report = {
        "machine": _machine(threads),
        "absent": {runners.NAMES[n]: r for n, r in missing.items()},
    }

    def steps(threads, batch, images="digits"):
        say(f"bench: a step at batch {batch}, {images}, threads: {threads}")
        row = ask(
            "steps",
            threads,
            size={**base, "batch": batch},
            contestants=entered,
            rounds=rounds,
            images=images,
            busy=busy,
            crowded=busy > 0,
        )
        return {"threads": threads, "busy": busy, **row}

    report["steps"] = [steps(threads, batch) for batch in batches]
    if busy:
        return report
    if threads > 1:
        single = (base["batch"],) if quick else batches
        report["steps_on_one_thread"] = [steps(1, batch) for batch in single]
    report["steps_on_dense_images"] = [steps(threads, base["batch"], "noise")]
    say("bench: the products of a step, the kernel against BLAS")
    report["products"] = ask("products", threads, size=base, rounds=2 * rounds)
    say("bench: peak memory")
    report["memory"] = {
        name: ask("memory", threads, size=base, contestant=name)["megabytes"]
        for name in entered
        if name not in report["steps"][0]["did_not_start"]
    }
    if not quick:
        swept = [name for name in SWEPT if name in entered]
        report["sweep"] = _sweep(base, threads, swept, say)
    return report


def _sweep(base, threads, contestants, say):
    """One size is varied at a time: times, who wins, and how the time grows."""
    tables = {}
    for what, values in SWEEP.items():
        rows = []
        for value in values:
            say(f"bench: sweep, {what} {value}")
            size = {**base, what: value}
            row = ask("steps", threads, size=size, contestants=contestants, rounds=SWEEP_ROUNDS)
            rows.append({"value": value, "threads": threads, **row})
        tables[what] = {"rows": rows, "growth_exponents": growth_exponents(rows)}
    return tables


def growth_exponents(rows: list[dict[str, Any]]) -> dict[str, float]:
    """p in time ~ size^p, between the two largest sizes, for each contestant."""
    second_largest, largest = rows[-2:]
    step = log(largest["value"] / second_largest["value"])
    return {
        name: log(t["median"] / second_largest["milliseconds"][name]["median"]) / step
        for name, t in largest["milliseconds"].items()
        if name in second_largest["milliseconds"]
    }


def ask(measure: str, threads: int, busy: int = 0, **arguments: Any) -> dict[str, Any]:
    """Runs one measurement in a process of its own, all libraries set to `threads` threads, beside
    `busy` processes that only spin on the same cores."""
    names = ("OMP", "OPENBLAS", "MKL", "MINIVAE", "VECLIB")
    environment = os.environ | {f"{name}_NUM_THREADS": str(threads) for name in names}
    environment |= {"KMP_BLOCKTIME": str(OPENMP_SPINS), "JAX_PLATFORMS": "cpu"}
    package = str(Path(__file__).parents[3])
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [package, os.environ.get("PYTHONPATH", "")])
    )
    with on_cores(threads), spinning(busy):
        done = subprocess.run(
            [sys.executable, "-m", "minivae.studies.bench"],
            input=json.dumps({"measure": measure, "arguments": arguments}),
            env=environment, capture_output=True, text=True,
        )  # fmt: skip
    if done.returncode:
        sys.stderr.write(done.stderr)
        last = done.stderr.strip().splitlines()[-1:] or ["no error message"]
        raise MinivaeError(
            f"the measurement of {measure} ended with status {done.returncode}: {last[0]}"
        )
    result = json.loads(done.stdout)
    if "refused" in result:
        raise MinivaeError(result["refused"])
    return result


@contextmanager
def on_cores(n: int) -> Iterator[None]:
    """Processes started in this block may use n cores, where the system can limit them."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[-n:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def spinning(n: int) -> Iterator[list[subprocess.Popen]]:
    """In this block, n processes do nothing but use their time."""
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield spinners
    finally:
        for spinner in spinners:
            spinner.kill()
        for spinner in spinners:
            spinner.wait()


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
    """The processor's name, if the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
