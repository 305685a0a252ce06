"""Are the latents interpretable? The experiment behind notebook 10.

One VAE for each of five seeds and five betas, all else equal, trained on cats whose true factors
are known; for each, how much its latents know about each factor, how well it models the test cats,
and how good its samples are. `python -m minivae cat-study` trains the models that are missing from
figures/cat_study.json, in the order of the seeds, and writes that file after each model.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minivae import checks, data, evaluate, files, runs, train, vae
from minivae.backend import load_backend
from minivae.data import cats
from minivae.errors import MinivaeError
from minivae.evaluate import interpretability, sample_quality
from minivae.settings import Settings
from minivae.studies.folder import FIGURES_FOLDER, check_folder

RESULTS = FIGURES_FOLDER / "cat_study.json"
SEEDS = (0, 1, 2, 3, 4)
BETAS = (1.0, 2.0, 4.0, 8.0, 16.0)
SETTINGS = Settings(latent_dim=10, hidden=(200, 100), epochs=12, warmup=1, backend="numba")
REFERENCES = 20_000  # renders that samples are compared with
SAMPLES = 5_000
MAX_BYTES = 1 << 22


def run_study(
    *,
    say: Callable[[str], None],
    path: Path = RESULTS,
    settings: Settings = SETTINGS,
    seeds: Sequence[int] = SEEDS,
    betas: Sequence[float] = BETAS,
) -> dict[str, Any]:
    """Train and measure what the result file lacks -> the results, as in the file."""
    check_folder(Path(path).parent)
    results = read(path) if Path(path).exists() else _fresh(settings)
    recorded = runs.with_current_names(results["settings"])
    # a setting added later had its default value then
    if _plain(Settings()) | recorded != _plain(settings):
        raise MinivaeError(
            f"{checks.printable(path)} was made with other settings; move it away first"
        )
    missing = [(s, b) for s in seeds for b in betas if (s, b) not in _done(results)]
    if missing:
        ground = _Ground(load_backend(settings.backend), settings.latent_dim)
        results["baseline_mig"] = ground.baseline
        results["held_out_distance"] = ground.held_out_distance
    for seed, beta in missing:
        row = _one_model(settings._replace(seed=seed, beta=beta), ground)
        results["models"].append(row)
        files.atomic_write(path, (json.dumps(results, indent=1, allow_nan=False) + "\n").encode())
        say(f"seed {seed}, beta {beta:g}: gap {row['mig']:.3f}, test ELBO {row['elbo']:.1f} nats")
    return results


def read(path: Path = RESULTS) -> dict[str, Any]:
    """The results of the study, or MinivaeError."""
    with files.reading(path) as (file, size):
        if size > MAX_BYTES:
            raise files.damaged_error(path, "it is far too large")
        results = json.loads(file.read().decode())
    whole = isinstance(results, dict) and {"settings", "factors", "models"} <= set(results)
    if not (whole and isinstance(results["settings"], dict)):
        raise files.damaged_error(path, "it does not hold the results of the study")
    return results


def _fresh(settings):
    return {"settings": _plain(settings), "factors": list(cats.NAMES), "models": []}


def _plain(settings):
    """The settings that all models of the study share, as JSON values."""
    shared = settings._replace(seed=0, beta=1.0)._asdict()
    return json.loads(json.dumps(shared))


def _done(results):
    return {(row["seed"], row["beta"]) for row in results["models"]}


class _Ground:
    """What every model is compared with: the data, and real cats that no model has seen."""

    def __init__(self, ops, latent_dim):
        self.ops = ops
        self.dataset = data.load("cats")
        self.made = cats.dataset()
        rng = np.random.default_rng(20)
        self.references = cats.draw(REFERENCES, rng)[0].reshape(REFERENCES, -1)
        self.held_out = cats.draw(SAMPLES, rng)[0].reshape(SAMPLES, -1)
        self.radii = sample_quality.neighbour_radii(self.references)
        self.held_out_distance = float(
            sample_quality.nearest(self.held_out, self.references)[0].mean()
        )
        nothing = rng.standard_normal((len(self.made.test_factors), latent_dim))
        chance = interpretability.permutation_baseline(self.made.test_factors, nothing, rng)
        self.baseline = float(chance.migs.mean())


def _one_model(settings, ground):
    state = train.train(ground.dataset, settings, ops=ground.ops)
    spec = settings.spec(ground.dataset.train.shape[1])
    params = vae.unpack(state.flat, spec)
    rng = np.random.default_rng(settings.seed)
    x = data.test_images(ground.dataset.test, settings.likelihood)
    gap = interpretability.mutual_information_gap(
        ground.made.test_factors, _codes(params, x, spec, rng, ground.ops)
    )
    samples = np.clip(vae.sample(params, SAMPLES, rng, spec, ground.ops), 0, 1)
    terms = evaluate.elbo_terms(params, x, spec, rng=rng, ops=ground.ops)
    return {
        "seed": settings.seed,
        "beta": settings.beta,
        "mig": gap.mig,
        "gaps": gap.gaps.tolist(),
        "information": (gap.information / gap.entropy[:, None]).round(5).tolist(),
        "elbo": terms.elbo,
        "nll": terms.nll,
        "kl": terms.kl,
        "active_units": evaluate.active_units(params, x, spec, ops=ground.ops),
        "sample_distance": float(sample_quality.nearest(samples, ground.references)[0].mean()),
        "coverage": sample_quality.coverage(samples, ground.references, ground.radii),
    }


def _codes(params, x, spec, rng, ops):
    """z ~ q(z|x), one draw for each image: a collapsed latent's mean may follow a factor, its draw
    cannot."""
    mu, logvar = vae.encode(params, x, spec, ops)
    eps = rng.standard_normal(mu.shape, dtype=np.float32)
    return ops.reparam_forward(mu, logvar, eps)[0]
