"""Are the latents interpretable, and which VAEs have such latents? The study behind notebook 10.

Fifty models, all else equal, trained on cats whose true factors are known, five seeds each: two
likelihoods (Bernoulli on black and white pictures, Gaussian on grey ones) at beta 1, 2, 4 and 8,
and two cures, the total correlation penalty and the labels of a hundred cats, both with the
Gaussian at beta 1. Each is measured on the ladder of `evaluate.ladder`, under the ceiling of the
ideal observer.

The bar was set before the study was run. For a factor f with a ceiling of c_f nats, what a rung
knows is its nats as a share of c_f, with 20 bins; a rung *passes* if that is at least 0.5 in at
least four of five seeds; and a factor of a family of models is

    aligned       the best single latent passes
    encoded       it does not, but the nonlinear probe of the whole code does
    missing       neither does

A cell is *forced* if the code could not pass whatever the training did, because its KL is below
half of c_f nats on average over the seeds: information costs at least as much KL. That is a limit
for each factor alone. The factors are independent, so all those that pass together need a KL of at
least the sum of their bars.

`python -m minivae cat-study` trains the models that are missing from figures/cat_study.json, seed
by seed, and writes that file after each.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minivae import checks, data, files, runs
from minivae.backend import load_backend
from minivae.data import cats
from minivae.errors import MinivaeError
from minivae.evaluate import interpretability
from minivae.settings import Settings
from minivae.studies import cat_measures, cures
from minivae.studies.folder import FIGURES_FOLDER, check_folder

RESULTS = FIGURES_FOLDER / "cat_study.json"
SEEDS = (0, 1, 2, 3, 4)
BAR = interpretability.TRACKS  # 0.5; and `interpretability.tracks` asks for four of five seeds
SETTINGS = Settings(
    latent_dim=10, hidden=(128, 64), epochs=5, batch_size=50, warmup=1, backend="numba"
)
MAX_BYTES = 1 << 22


class Family(NamedTuple):
    """What the five seeds of a group of models share."""

    name: str
    likelihood: str
    beta: float
    cure: str = ""  # "total correlation", "labels", or none


FAMILIES = (
    *(
        Family(f"{likelihood} {beta:g}", likelihood, beta)
        for likelihood in ("bernoulli", "gaussian")
        for beta in (1.0, 2.0, 4.0, 8.0)
    ),
    Family("total correlation", "gaussian", 1.0, "total correlation"),
    Family("labels", "gaussian", 1.0, "labels"),
)
# The weights of the cures were tried once, on a seed outside of the study, and kept.
TC_WEIGHT = 8.0
N_LABELS, LABEL_WEIGHT = 100, 20.0


def run_study(
    *,
    say: Callable[[str], None],
    path: Path | None = None,
    settings: Settings = SETTINGS,
    seeds: Sequence[int] = SEEDS,
    families: Sequence[Family] = FAMILIES,
) -> dict[str, Any]:
    """Train and measure what the result file lacks -> the results, as in the file."""
    path = RESULTS if path is None else path
    check_folder(Path(path).parent)
    results = read(path) if Path(path).exists() else _fresh(settings)
    if runs.with_current_names(results["settings"], Settings) != _plain(settings):
        raise MinivaeError(
            f"{checks.printable(path)} was made with other settings; move it away first"
        )
    done = {(row["seed"], row["family"]) for row in results["models"]}
    missing = [(s, f) for s in seeds for f in families if (s, f.name) not in done]
    if missing:
        ground = cat_measures.Ground(load_backend(settings.backend))
        if "ceiling" not in results:
            results["ceiling"] = ground.ceilings()
            results["references"] = ground.reference_quality()
            _write(path, results)
    for seed, family in missing:
        row = _one_model(settings, seed, family, ground)
        results["models"].append(row)
        _write(path, results)
        best = cat_measures.share(row["best"]["nats"], results["ceiling"][family.likelihood])
        say(f"seed {seed}, {family.name}: chonk's best latent {best[0]:.2f} of the ceiling")
    return results


def read(path: Path | None = None) -> dict[str, Any]:
    """The results of the study, or MinivaeError."""
    path = RESULTS if path is None else path
    with files.reading(path) as (file, size):
        if size > MAX_BYTES:
            raise files.damaged_error(path, "it is far too large")
        results = json.loads(file.read().decode())
    whole = isinstance(results, dict) and {"settings", "factors", "models"} <= set(results)
    if not (whole and isinstance(results["settings"], dict)):
        raise files.damaged_error(path, "it does not hold the results of the study")
    return results


def of_family(results: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows of a family of models, in the order of their seeds."""
    rows = [row for row in results["models"] if row["family"] == name]
    return sorted(rows, key=lambda row: row["seed"])


def shares(results: dict[str, Any], name: str, rung: str) -> np.ndarray:
    """Nats of "whole", "best" or "fifty" as shares of the ceiling: (seeds, F)."""
    return np.array(
        [
            cat_measures.share(row[rung]["nats"], results["ceiling"][row["likelihood"]])
            for row in of_family(results, name)
        ]
    )


def verdicts(results: dict[str, Any], name: str) -> list[str]:
    """For each factor "aligned", "encoded" or "missing", with " (forced)" where it is."""
    rows = of_family(results, name)
    aligned = interpretability.tracks(shares(results, name, "best")[:, :, None])
    encoded = interpretability.tracks(shares(results, name, "whole")[:, :, None])
    kl = np.mean([row["kl"] for row in rows])
    ceiling = np.array(results["ceiling"][rows[0]["likelihood"]]["nats"])
    words = np.where(aligned, "aligned", np.where(encoded, "encoded", "missing"))
    forced = kl < BAR * ceiling
    return [f"{w} (forced)" if no else str(w) for w, no in zip(words, forced, strict=True)]


def _fresh(settings):
    return {"settings": _plain(settings), "factors": list(cats.NAMES), "models": []}


def _plain(settings):
    """The settings that all models of the study share, and the weights of the cures."""
    shared = settings._replace(seed=0, beta=1.0)._asdict()
    own = {"tc_weight": TC_WEIGHT, "n_labels": N_LABELS, "label_weight": LABEL_WEIGHT}
    return json.loads(json.dumps(shared | own))


def _write(path, results):
    files.atomic_write(path, (json.dumps(results, allow_nan=False) + "\n").encode())


def _one_model(settings, seed, family, ground):
    settings = settings._replace(seed=seed, beta=family.beta, likelihood=family.likelihood)
    cure = _cure(family, seed, ground)
    state = cures.train_with(cure, ground.dataset, settings, ground.ops)
    row = {"family": family.name, "likelihood": family.likelihood, "beta": family.beta}
    row |= {"cure": family.cure, "seed": seed}
    return row | cat_measures.measure(state.flat, settings, ground)


def _cure(family, seed, ground):
    if family.cure == "total correlation":
        return cures.total_correlation_cure(TC_WEIGHT, len(ground.dataset.train))
    if family.cure == "labels":
        rng = np.random.default_rng([seed, 100])
        few = rng.choice(len(ground.dataset.train), N_LABELS, replace=False)
        spread = (cats.HIGH - cats.LOW) / 12**0.5
        labels = (ground.made.train_factors[few] - (cats.LOW + cats.HIGH) / 2) / spread

        def pictures():
            return data.draw_batch(ground.dataset.train, few, family.likelihood, rng)

        return cures.label_cure(LABEL_WEIGHT, pictures, labels.astype(np.float32))
    return None
