"""`python -m minivae figures`: redraws what is under figures/ from committed models and results.

Nothing is trained here. Studies that take long have commands of their own, which write the result
files (figures/*.json) that are drawn here.
"""

from pathlib import Path

import numpy as np

from minivae import data, explorer, ops, plots, train
from minivae.errors import MinivaeError
from minivae.estimator import VAE

FOLDER = Path("figures")


def draw_all(*, say):
    """Draw every figure into figures/ of the current folder -> {"files": [...]}."""
    if not FOLDER.is_dir():
        raise MinivaeError("there is no folder figures/ here; run this from the project's root")
    drawn = []
    for name, draw in FIGURES.items():
        say(f"drawing {name}")
        path = FOLDER / name
        draw(path)
        drawn.append(path.as_posix())
    return {"files": drawn}


def hero(path):
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
    fig.get_layout_engine().set(h_pad=0.12)
    plots.save(fig, path)


def _explorer(name):
    def draw(path):
        model = VAE.pretrained(name).model_
        dataset = data.load(name)
        settings = train.Settings(likelihood=model.spec.likelihood)
        x = train.test_images(dataset, settings)
        title = f"minivae: the latent space of {'MNIST' if name == 'mnist' else 'chonky cats'}"
        factors = data.true_factors(name)
        explorer.write(path, model, dataset, x, title=title, ops=ops, factors=factors)

    return draw


FIGURES = {
    "hero.png": hero,
    "explorer_mnist.html": _explorer("mnist"),
    "explorer_cats.html": _explorer("cats"),
}
