"""What the tests of the bench share: a tiny size, a contestant that can be told to go wrong,
and made-up rows."""

from pathlib import Path

import numpy as np

from minivae import ops, vae
from minivae.studies.bench import runners, tables

ROOT = Path(__file__).parents[1]


SIZE = {"batch": 6, "data_dim": 36, "hidden": 7, "latent": 2}


def plant(monkeypatch, name, contestant):
    monkeypatch.setattr(runners, "RUNNERS", runners.RUNNERS | {name: contestant})


def numpy_step(
    *, lr=1e-3, beta=1.0, moves=True, shown=lambda start, now: now, loss_of=lambda r: r.loss
):
    """A contestant that is right unless it is told to go wrong."""

    def contestant(spec, flat, x, eps):
        flat, start, steps = flat.copy(), flat.copy(), 0
        params, m, v = vae.unpack(flat, spec), np.zeros_like(flat), np.zeros_like(flat)

        def step():
            nonlocal steps
            steps += 1
            result = vae.elbo_and_grads(params, x, eps, spec, beta=beta)
            if moves:
                ops.adam_step(flat, result.flat_grads, m, v, steps, lr)
            return float(loss_of(result))

        return step, lambda: shown(start, flat)

    return contestant


def without(monkeypatch, *modules):
    """As if these modules were not installed."""
    find_spec = tables.importlib.util.find_spec
    monkeypatch.setattr(
        tables.importlib.util,
        "find_spec",
        lambda name, *rest: None if name in modules else find_spec(name, *rest),
    )


def spread(median, low=None, high=None):
    return {"median": median, "low": low or median, "high": high or median}


def step_row(size, contestants=("numba", "numpy"), **changes):
    """A made-up row of a table of steps: each contestant takes as many ms as its place, from 1."""
    times = {name: float(i) for i, name in enumerate(contestants, 1)}
    ratios = {name: spread(t) for name, t in times.items() if name != "numba"}
    return {
        **size, "images": "digits", "milliseconds": {n: spread(t) for n, t in times.items()},
        "ratios": ratios, "fastest_opponent": None, "loses_to": [], "gflop": 0.2,
        "best_gflop_per_second": spread(90.0), "megabytes": 20.0,
        "gigabytes_per_second": spread(30.0), "limit_milliseconds": spread(2.5),
        "limit_parts_milliseconds": {"products": spread(2.2), "Adam": spread(0.3)},
        "fraction_of_limit": spread(0.6), "did_not_start": {}, **changes,
    }  # fmt: skip
