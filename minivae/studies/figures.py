"""`python -m minivae figures`: redraws what is under figures/ from committed models and results.

Nothing is trained here. Studies that take long have commands of their own, which write the result
files (figures/*.json) that are drawn here.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from minivae import checks, data, files, ops, plots, vae
from minivae.data import cats
from minivae.errors import MinivaeError
from minivae.estimator import VAE
from minivae.evaluate import interpretability
from minivae.plots import explorer, latents
from minivae.studies import cat_study, published
from minivae.studies.folder import FIGURES_FOLDER, check_folder

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
SCREEN = "1180,762"  # pixels: large enough for the explorer's plane and its picture


def draw_all(*, say: Callable[[str], None]) -> dict[str, list[str]]:
    """Draw every figure into figures/ of the project -> {"files": [...]}, the paths."""
    check_folder(FIGURES_FOLDER)
    drawn = []
    for name, draw in FIGURES.items():
        lacking = _lacking(name)
        if lacking is not None:
            say(f"leaving out {name}: there is no {lacking}")
            continue
        say(f"drawing {name}")
        path = FIGURES_FOLDER / name
        with plots.house_style():
            draw(path)
        drawn.append(path.as_posix())
    return {"files": drawn}


def _lacking(name):
    """What is missing to draw a figure, or None."""
    needed = RESULTS.get(name)
    if needed is not None and not needed.exists():
        return f"{checks.printable(needed)} yet"
    return "Chromium on this machine" if name == SCREENSHOT and BROWSER is None else None


def hero(path: Path) -> None:
    """The README's picture: the digits' latent plane decoded, and cats that the model drew."""
    digits, cats = VAE.pretrained("mnist"), VAE.pretrained("cats")
    fig, (left, right) = plots.figure(9.2, 4.7, 1, 2)
    plane = plots.prior_grid(16).astype(np.float32)
    shown = digits.inverse_transform(plane).reshape(-1, 28, 28)
    left.imshow(plots.image_grid(shown, 16, gap=0), vmin=0, vmax=1, cmap="gray_r")
    left.set_title("a two-dimensional latent space, decoded")
    drawn = np.clip(cats.sample(64, random_state=4), 0, 1).reshape(-1, 28, 28)
    right.imshow(plots.image_grid(drawn, 8, gap=0), vmin=0, vmax=1, cmap="gray")
    right.set_title("cats that no one drew: z ~ N(0, I), decoded")
    for ax in (left, right):
        ax.set_axis_off()
    fig.set_layout_engine("constrained", h_pad=0.12)
    plots.save(fig, path)


def _explorer(name):
    def draw(path):
        model = VAE.pretrained(name).model_
        dataset = data.load(name)
        x = data.test_images(dataset.test, model.spec.likelihood)
        title = f"minivae: the latent space of {'MNIST' if name == 'mnist' else 'chonky cats'}"
        factors = data.true_factors(dataset)
        explorer.write(path, model, dataset, x, title=title, ops=ops, factors=factors)

    return draw


def _screenshot(path):
    """The digits' explorer as a browser shows it, for the README."""
    page = (FIGURES_FOLDER / "explorer_mnist.html").resolve()
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "page.png"
        try:
            subprocess.run(
                [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                 f"--user-data-dir={folder}", f"--window-size={SCREEN}",
                 "--virtual-time-budget=5000", f"--screenshot={picture}", page.as_uri()],
                check=True, capture_output=True, timeout=120,
            )  # fmt: skip
            image = picture.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise MinivaeError(f"{BROWSER} made no picture of {page.name}: {error}") from None
        files.atomic_write(path, image)


def _study(path):
    """What is known of chonk, and of all factors, on each rung of the ladder."""
    results = cat_study.read()
    families = [family.name for family in cat_study.FAMILIES]
    fig, (left, right) = plots.figure(10, 4.2, 1, 2)
    latents.rung_bars(left, results, families, [0])
    left.set_title("chonk")
    left.legend(fontsize=8)
    latents.rung_bars(right, results, families, range(len(results["factors"])))
    right.set_title("mean over the six factors")
    right.set_ylabel("")
    plots.save(fig, path)


def _information(path):
    """What the whole code, the best latent and fifty labels know, for each family and factor."""
    results = cat_study.read()
    families = [family.name for family in cat_study.FAMILIES]
    fig, axes = plots.figure(12, 3.8, 1, 3)
    for ax, (rung, label, _, _) in zip(axes, latents.RUNGS, strict=True):
        latents.share_map(ax, results, families, rung, f"{label}: share of the ceiling")
        if ax is not axes[0]:
            ax.set_yticklabels([])
    plots.save(fig, path)


def _traversals(path):
    """The shipped cats: every latent swept, the one that knows most about chonk first."""
    model = VAE.pretrained("cats").model_
    made = cats.dataset(1, interpretability.MIN_EXAMPLES)
    images = made.test.reshape(len(made.test), -1)
    x = data.test_images(images, model.spec.likelihood)
    mu, logvar = vae.encode(model.params, x, model.spec, ops)
    eps = np.random.default_rng(10).standard_normal(mu.shape, dtype=mu.dtype)
    codes = ops.reparam_forward(mu, logvar, eps)[0]
    known = interpretability.normalised_information(made.test_factors, codes)
    order = np.lexsort((-known.max(axis=0), known.argmax(axis=0)))  # by factor, chonk first
    labels = [f"{cats.NAMES[known[:, j].argmax()]} {known[:, j].max():.2f}" for j in order]
    fig = plots.traversals(model, mu[0], order, labels, ops)
    fig.axes[0].set_title("one latent at a time, and the factor that it knows best")
    plots.save(fig, path)


SCREENSHOT = "explorer.png"
RESULTS = {  # figures drawn from results that a long command of their own writes
    "cat_study.png": cat_study.RESULTS,
    "cat_information.png": cat_study.RESULTS,
    "iwae_table.png": published.TABLE,
}
FIGURES = {
    "hero.png": hero,
    "cat_traversals.png": _traversals,
    "cat_study.png": _study,
    "cat_information.png": _information,
    "iwae_table.png": lambda path: plots.save(plots.reproduced_table(published.read_table()), path),
    "explorer_mnist.html": _explorer("mnist"),
    "explorer_cats.html": _explorer("cats"),
    SCREENSHOT: _screenshot,
}
