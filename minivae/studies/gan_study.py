"""Who draws the better cat, a VAE or a GAN? The experiment behind notebook 11.

For each of five seeds a VAE and a GAN, whose decoder and generator are the same network, trained
with equally many updates on the same cats; and real cats that neither has seen, measured in the
same way, to compare with. `python -m minivae gan-study` trains the models that are
missing from figures/gan_study.json, seed by seed, and writes that file after each model.

Both models give a grey picture p, and distance, accepted, kinds and uneven are measured on a *draw*
x ~ Bernoulli(p), pixel by pixel, as the cats' own noise makes it. A blurred p gives noisy draws, so
blur is not rewarded, as it would be if p itself were compared with the nearest cat. A p sharper
than a real cat is rewarded by distance and accepted. Two controls show how much: `sharpened` are
real cats with all logits times 1.3, and `matched` are a model's own pictures, all logits times the
one factor that gives them the mean greyness of real cats. `matched` and energy are measured for
the seeds in CONTROLLED.

What was tuned: the GAN's settings, with four short runs and a look at its samples; of the VAE
nothing, its rate is the package's default. Adam's beta_1 is 0.5 for the GAN, 0.9 for the VAE.

    greyness   sum_d p_d (1 - p_d): the variance of a draw; more than that of real cats is blur
    energy     the energy distance between draws and draws of real cats; 0 only if both have
               the same distribution, so it rewards neither blur nor too much contrast
    distance   of a draw to the nearest of many renders; distance_of_p is that of p
    accepted   the share of draws that a fit of the renderer explains as well as it explains at
               least 95 of 100 draws of real cats; no draw is refused for too little noise
    kinds      each factor cut in the middle makes 64 kinds of cats, equally frequent; the share of
               kinds that have at least a quarter of their share among the fitted factors
    uneven     total variation between each fitted factor's histogram and the true, uniform one
    coverage   the share of real cats that have a picture p nearby (Naeem et al. 2020)
"""

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minivae import checks, data, evaluate, files, gan, train, vae
from minivae.backend import load_backend
from minivae.data import cats
from minivae.errors import MinivaeError
from minivae.evaluate import renderer_fit, sample_quality
from minivae.settings import AnySettings, GanSettings, Settings
from minivae.studies.folder import FIGURES_FOLDER, check_folder

RESULTS = FIGURES_FOLDER / "gan_study.json"
SEEDS = (0, 1, 2, 3, 4)
SHARED: dict[str, Any] = {
    "latent_dim": 10, "hidden": (200, 100), "activation": "relu", "epochs": 8, "schedule": "decay",
}  # fmt: skip
SETTINGS: dict[str, AnySettings] = {
    "vae": Settings(**SHARED),
    "gan": GanSettings(**SHARED, lr=1e-3),
}
REFERENCES = 10_000  # renders that pictures are compared with
SAMPLES = 1_000  # pictures of each model, and real ones
FIT_STEPS = 8
ACCEPTED = 0.95  # the share of draws of real cats that counts as well explained
BINS = 10  # of a factor's histogram
KIND_SHARE = 0.25
WATCHED, WATCHED_AGAINST = 250, 2_000  # pictures after each epoch, and the renders they are held to
CONTROLLED = (0, 1, 2)  # the seeds whose pictures the controls are measured on
SHARPER = 1.3  # the factor of the logits of real cats in the control
SHOWN = 8  # pictures of each model that the results keep
MAX_BYTES = 1 << 22


class Ground(NamedTuple):
    """What every model is measured with."""

    references: np.ndarray  # (M, D) renders
    factors: np.ndarray  # (M, 6) theirs
    radii: np.ndarray  # (M,) for the coverage
    bar: float  # draws with at most this misfit are accepted
    real_draws: np.ndarray  # (N, D) of real cats, for the energy distance


def run_study(
    *,
    say: Callable[[str], None],
    path: Path = RESULTS,
    settings: dict[str, AnySettings] = SETTINGS,
    seeds: Sequence[int] = SEEDS,
    dataset: data.Dataset | None = None,
    references: int = REFERENCES,
    samples: int = SAMPLES,
) -> dict[str, Any]:
    """Train and measure what the result file lacks -> the results, as in the file.

    dataset: the cats, unless others are given, as in tests. Raises MinivaeError if the file was
    made with other settings, or cannot be read or written.
    """
    check_folder(Path(path).parent)
    plan = {name: _plain(chosen) for name, chosen in settings.items()}
    fresh: dict[str, Any] = {"settings": plan, "models": []}
    results = read(path) if Path(path).exists() else fresh
    if results["settings"] != plan:
        raise MinivaeError(
            f"{checks.printable(path)} was made with other settings; move it away first"
        )
    done = {(row["seed"], row["model"]) for row in results["models"]}
    missing = [(s, name) for s in seeds for name in settings if (s, name) not in done]
    if not missing:
        return results
    ground, results["real"], results["sharpened"] = lay_ground(references, samples)
    dataset = data.load("cats") if dataset is None else dataset
    for seed, name in missing:
        chosen = settings[name]._replace(seed=seed)
        real_greyness = results["real"]["greyness"]
        row = {"model": name, "seed": seed}
        row |= _one_model(dataset, chosen, ground, samples, real_greyness)
        results["models"].append(row)
        files.atomic_write(path, (json.dumps(results, indent=1, allow_nan=False) + "\n").encode())
        say(
            f"seed {seed}, {name}: distance {row['distance']:.3f}, {row['accepted']:.0%} accepted, "
            f"{row['kinds']:.0%} of the kinds"
        )
    return results


def read(path: Path = RESULTS) -> dict[str, Any]:
    """The results of the study, or MinivaeError."""
    with files.reading(path) as (file, size):
        if size > MAX_BYTES:
            raise files.damaged_error(path, "it is far too large")
        results = json.loads(file.read().decode())
    if not (isinstance(results, dict) and {"settings", "models"} <= set(results)):
        raise files.damaged_error(path, "it does not hold the results of the study")
    return results


def lay_ground(references: int, samples: int) -> tuple[Ground, dict[str, Any], dict[str, Any]]:
    """What models are measured with; the measures of real cats that no model has seen, and of the
    same cats sharpened."""
    rng = np.random.default_rng(11)
    pictures, factors = cats.draw(references, rng)
    pictures = pictures.reshape(references, -1)
    tried = cats.draw(2 * samples, rng)[0].reshape(2 * samples, -1)
    # one half sets the bar, the other half is measured
    real_draws = _draws(tried[samples:], rng)
    radii = sample_quality.neighbour_radii(pictures)
    ground = Ground(pictures, factors, radii, np.inf, real_draws)
    misfits = fit_draws(real_draws, ground)[1]
    ground = ground._replace(bar=float(np.quantile(misfits, ACCEPTED)))
    pictures = tried[:samples]
    real = measure(pictures, ground, rng) | {"energy": energy(pictures, ground)}
    pictures = with_contrast(pictures, SHARPER)
    return ground, real, measure(pictures, ground, rng) | {"energy": energy(pictures, ground)}


def with_contrast(pictures: np.ndarray, factor: float) -> np.ndarray:
    """Grey pictures in [0, 1] with their logits times `factor`; 0, 1/2 and 1 stay: float32."""
    p = np.clip(pictures, 0, 1).astype(np.float64)
    light, dark = p**factor, (1 - p) ** factor
    return (light / (light + dark)).astype(np.float32)


def greyness(pictures: np.ndarray) -> float:
    """The mean variance of a draw, sum_d p_d (1 - p_d), of grey pictures (N, D)."""
    return float((pictures * (1 - pictures)).sum(axis=1).mean())


def contrast_for(pictures: np.ndarray, wanted: float) -> float:
    """The factor, between 1/4 and 4, with which the pictures have the mean greyness `wanted`."""
    low, high = 0.25, 4.0  # a larger factor makes every pixel less grey
    for _ in range(20):
        middle = np.sqrt(low * high)
        if greyness(with_contrast(pictures, middle)) > wanted:
            low = middle
        else:
            high = middle
    return float(np.sqrt(low * high))


def shown_pictures(row: dict[str, Any]) -> np.ndarray:
    """The first pictures of a model, from its row of the results: (SHOWN, 784) in [0, 1]."""
    levels = np.frombuffer(base64.b64decode(row["pictures"]), np.uint8)
    return levels.reshape(-1, cats.SIZE**2) / 255


def measure(pictures: np.ndarray, ground: Ground, rng: np.random.Generator) -> dict[str, Any]:
    """All measures of grey pictures (N, D) in [0, 1] that the head of this file explains."""
    draws = _draws(pictures, rng)
    fitted, misfits = fit_draws(draws, ground)
    unit = (fitted - cats.LOW) / (cats.HIGH - cats.LOW)
    histograms = [np.histogram(column, BINS, (0, 1))[0] / len(unit) for column in unit.T]
    kinds = np.bincount((unit > 0.5) @ (1 << np.arange(6)), minlength=64) / len(unit)
    return {
        "greyness": greyness(pictures),
        "distance": float(sample_quality.nearest(draws, ground.references)[0].mean()),
        "distance_of_p": float(sample_quality.nearest(pictures, ground.references)[0].mean()),
        "accepted": float((misfits <= ground.bar).mean()),
        "kinds": float((kinds >= KIND_SHARE / 64).mean()),
        "uneven": [float(np.abs(h - 1 / BINS).sum() / 2) for h in histograms],
        "histograms": [h.round(4).tolist() for h in histograms],
        "coverage": sample_quality.coverage(pictures, ground.references, ground.radii),
    }


def energy(pictures: np.ndarray, ground: Ground) -> float:
    """The energy distance between draws of pictures (N, D) and draws of real cats."""
    draws = _draws(pictures, np.random.default_rng(2))
    return sample_quality.energy_distance(draws, ground.real_draws)


def controls(pictures: np.ndarray, ground: Ground, real_greyness: float) -> dict[str, Any]:
    """Of a model's pictures (N, 784): measures at the greyness of real cats, and the first few."""
    factor = contrast_for(pictures, real_greyness)
    changed = with_contrast(pictures, factor)
    found = measure(changed, ground, np.random.default_rng(2))
    kept = {name: found[name] for name in ("greyness", "distance", "distance_of_p", "accepted")}
    first = (pictures[:SHOWN] * 255).round().astype(np.uint8)
    return {
        "energy": energy(pictures, ground),
        "matched": {"factor": factor, "energy": energy(changed, ground)} | kept,
        "pictures": base64.b64encode(first.tobytes()).decode(),
    }


def fit_draws(draws: np.ndarray, ground: Ground) -> tuple[np.ndarray, np.ndarray]:
    """The cat that explains each draw best, and how badly: (N, D) -> factors (N, 6), misfit (N,).

    The misfit is that of a log-likelihood with its own noise as the unit: for draws of the fitted
    cat itself, -log p(x) has the mean H and the variance V, sums over the pixels of the entropy and
    of p (1 - p) log^2(p / (1 - p)), and the misfit is (-log p(x) - H) / sqrt(V).
    """
    _, nearest = sample_quality.nearest(draws, ground.references)
    fit = renderer_fit.fit(draws, start=ground.factors[nearest], steps=FIT_STEPS)
    p = cats.pixel_probabilities(fit.factors).reshape(draws.shape).astype(np.float64)
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p)).sum(axis=1)
    variance = (p * (1 - p) * (np.log(p) - np.log1p(-p)) ** 2).sum(axis=1)
    return fit.factors, (fit.nll - entropy) / np.sqrt(variance)


def worst_relapse(distances: Sequence[float]) -> float:
    """How far the distance after an epoch rose above the best one before, at most; 0 if never."""
    best = np.minimum.accumulate(distances)
    return float(np.max(np.asarray(distances) - best))


def _draws(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return data.binarize(np.clip(pictures, 0, 1).astype(np.float32), rng)


def _one_model(dataset, settings, ground, samples, real_greyness):
    ops = load_backend(settings.backend)
    spec = settings.spec(dataset.train.shape[1])
    draw = gan.sample if isinstance(settings, GanSettings) else vae.sample
    watched = []

    def pictures(flat, n):
        rng = np.random.default_rng(settings.seed)  # the same latents each time
        return draw(vae.unpack(flat, spec), n, rng, spec, ops)

    def after_epoch(state):
        shown = _draws(pictures(state.flat, WATCHED), np.random.default_rng(1))
        near = sample_quality.nearest(shown, ground.references[:WATCHED_AGAINST])[0]
        watched.append(float(near.mean()))

    state = train.train(dataset, settings, on_epoch=after_epoch, ops=ops)
    rng = np.random.default_rng(settings.seed)
    made = np.clip(pictures(state.flat, samples), 0, 1)
    row = measure(made, ground, rng)
    if settings.seed in CONTROLLED:
        row |= controls(made, ground, real_greyness)
    row |= {"updates": state.step, "by_epoch": watched, "relapse": worst_relapse(watched)}
    if isinstance(settings, GanSettings):
        last = state.history[-1]
        return row | {name: last[name] for name in train.GAN_COLUMNS[3:]}
    x = data.test_images(dataset.test, settings.likelihood)
    terms = evaluate.elbo_terms(vae.unpack(state.flat, spec), x, spec, rng=rng, ops=ops)
    return row | {"elbo": terms.elbo, "kl": terms.kl}


def _plain(settings):
    """The settings that the seeds share, as JSON values."""
    return json.loads(json.dumps(settings._replace(seed=0)._asdict()))
