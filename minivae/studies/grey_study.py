"""How a Gaussian model learns its variance: three ways compared on four grey data sets.

The variance of the pixels given z is one number, exp(out_logvar). It is learned from 1 by Adam;
from the variance of the training pixels by Adam; and from there by its own step
(`train.next_logvar`), as `python -m minivae train` does. All else is equal: the steps, the seeds
(three of each), and the held-out images that the ELBO is of. `python -m minivae grey-study` writes
figures/grey_study.json, about two minutes on a quiet core.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minivae import data, evaluate, files, train, vae
from minivae.backend import Backend, load_backend
from minivae.data import Dataset, cats
from minivae.settings import Settings
from minivae.studies.folder import FIGURES_FOLDER, check_folder

RESULTS = FIGURES_FOLDER / "grey_study.json"
SEEDS = (0, 1, 2)
STEPS = 500
SIDE = 28  # pixels along a side of the generated images
WAYS = {
    "from 1, by Adam": (False, False),  # (starts at the pixels' variance, takes its own step)
    "from the pixels' variance, by Adam": (True, False),
    "from the pixels' variance, by its own step": (True, True),
}
MAX_BYTES = 1 << 20


# ---- the images ------------------------------------------------------------------------------


def soft_shapes(n: int, rng: np.random.Generator) -> np.ndarray:
    """Ellipses with a soft edge, in one shade of grey each -> (n, SIDE * SIDE) uint8."""
    rows, columns = np.mgrid[:SIDE, :SIDE] / (SIDE - 1)
    at = rng.uniform(0.3, 0.7, (2, n, 1, 1))
    radius = rng.uniform(0.1, 0.3, (2, n, 1, 1))
    shade = rng.uniform(0.3, 1.0, (n, 1, 1))
    distance = np.hypot((rows - at[0]) / radius[0], (columns - at[1]) / radius[1])
    return _as_bytes(shade / (1 + np.exp(8 * (distance - 1))))


def waves(n: int, rng: np.random.Generator) -> np.ndarray:
    """One plane wave an image, any direction, one to three periods -> (n, SIDE * SIDE) uint8."""
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    angle, phase = rng.uniform(0, 2 * np.pi, (2, n, 1, 1))
    periods = rng.uniform(1, 3, (n, 1, 1))
    along = rows * np.sin(angle) + columns * np.cos(angle)
    return _as_bytes(0.5 + 0.4 * np.sin(2 * np.pi * periods * along + phase))


def _as_bytes(images):
    return np.rint(255 * images).astype(np.uint8).reshape(len(images), -1)


def datasets() -> dict[str, Dataset]:
    """The four data sets by name; all of them ship with the project or are generated."""
    rng = np.random.default_rng(2718)
    digits = data.load("mnist")
    few = digits._replace(train=digits.train[:500], test=digits.test[:500])
    return {
        "500 digits of MNIST, grey": few,
        "2,000 soft shapes": _generated("soft shapes", soft_shapes(2500, rng), 2000),
        "2,000 waves": _generated("waves", waves(2500, rng), 2000),
        "2,000 cats": cats.dataset(2000, 500),
    }


def _generated(name, images, n_train):
    return Dataset(name, images[:n_train], images[n_train:], None, None, (SIDE, SIDE), "")


# ---- the study -------------------------------------------------------------------------------


def run_study(*, say: Callable[[str], None], path: Path = RESULTS) -> dict[str, Any]:
    """Train every model -> the results, as in the file that is written."""
    check_folder(Path(path).parent)
    settings, ops, rows = Settings(likelihood="gaussian"), load_backend("numba"), []
    for name, dataset in datasets().items():
        for way in WAYS:
            for seed in SEEDS:
                row = one_run(dataset, settings._replace(seed=seed), way, STEPS, ops)
                rows.append({"data": name, **row})
            elbos = ", ".join(f"{row['elbo']:.1f}" for row in rows[-len(SEEDS) :])
            say(f"{name}, variance {way}: ELBO {elbos} nats")
    results = {"steps": STEPS, "batch_size": settings.batch_size, "lr": settings.lr, "runs": rows}
    text = json.dumps(results, allow_nan=False).replace('{"data"', '\n{"data"')
    files.atomic_write(path, (text + "\n").encode())
    return results


def one_run(
    dataset: Dataset, settings: Settings, way: str, steps: int, ops: Backend
) -> dict[str, Any]:
    """Train for `steps` steps, its variance learned in one of WAYS -> a row of the results.

    elbo, kl: of the held-out images, nats per image. logvar: the out_logvar at the end. best: the
    log of the mean squared error of these means, which is where out_logvar should be.
    """
    starts_there, own_step = WAYS[way]
    state, spec = train.new_state(dataset, settings), settings.spec(dataset.train.shape[1])
    params = vae.unpack(state.flat, spec)
    if not starts_there:
        params["out_logvar"][...] = 0
    order, noise = state.streams["order"], state.streams["noise"]
    for step in range(steps):
        batch = order.choice(len(dataset.train), settings.batch_size, replace=False)
        x = data.scale(dataset.train[batch])
        eps = noise.standard_normal((len(x), spec.latent_dim), dtype=np.float32)
        result = vae.elbo_and_grads(params, x, eps, spec, ops=ops)
        logvar = train.next_logvar(params, result.grads)
        lr = train.learning_rate(settings, step, steps)
        ops.adam_step(state.flat, result.flat_grads, state.m, state.v, step + 1, lr)
        if own_step:
            params["out_logvar"][...] = logvar
        vae.clamp_variance(params, spec)
    test = data.scale(dataset.test)
    terms = evaluate.elbo_terms(params, test, spec, rng=np.random.default_rng(0), ops=ops)
    s2, nll = float(np.exp(params["out_logvar"][0])), float(terms.nll)
    # nll = D/2 (log(2 pi s^2) + error / s^2), solved for the mean squared error
    error = s2 * (2 * nll / test.shape[1] - np.log(2 * np.pi * s2))
    row = {"elbo": terms.elbo, "kl": terms.kl, "logvar": np.log(s2), "best": np.log(error)}
    return {"way": way, "seed": settings.seed, **{n: round(float(v), 3) for n, v in row.items()}}


# ---- the results -----------------------------------------------------------------------------


def read(path: Path = RESULTS) -> dict[str, Any]:
    """The results of the study, or MinivaeError."""
    with files.reading(path) as (file, size):
        if size > MAX_BYTES:
            raise files.damaged_error(path, "it is far too large")
        results = json.loads(file.read().decode())
    rows = results.get("runs") if isinstance(results, dict) else None
    names = {"data", "way", "seed", "elbo", "kl", "logvar", "best"}
    if not (isinstance(rows, list) and all(isinstance(r, dict) and names <= set(r) for r in rows)):
        raise files.damaged_error(path, "it does not hold the results of the study")
    return results


def markdown_table(results: dict[str, Any]) -> str:
    """README's table: the mean ELBO of held-out images, and the lowest and the highest seed."""
    rows = results["runs"]
    lines = ["| | " + " | ".join(WAYS) + " |", "|---|" + "---|" * len(WAYS)]
    for name in dict.fromkeys(row["data"] for row in rows):
        cells = []
        for way in WAYS:
            elbos = [row["elbo"] for row in rows if (row["data"], row["way"]) == (name, way)]
            cells.append(f"{np.mean(elbos):.0f} ({min(elbos):.0f} to {max(elbos):.0f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
