"""The pictures of a run: its curves, and what its model draws, reconstructs and encodes."""

from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from minivae import gan, vae
from minivae.backend import Backend
from minivae.plots.images import as_images, image_grid, show_grid
from minivae.plots.style import BLUE, GREY, figure, house_style, save
from minivae.runs import GanModel, Model


@house_style()
def curves(history: Sequence[dict[str, Any]]) -> Figure:
    """Loss = nll + kl over the epochs, with the test ELBO where there is one."""
    fig, (left, right) = figure(8.4, 3.4, 1, 2)
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) == 1 else None
    left.plot(epochs, [row["nll"] + row["kl"] for row in history], label="train", marker=marker)
    if "test_elbo" in history[-1]:
        test = [-row["test_elbo"] for row in history]
        left.plot(epochs, test, label="test", marker=marker)
    left.set(xlabel="epoch", ylabel="nats per image", title="-ELBO = nll + kl")
    left.legend()
    right.plot(epochs, [row["nll"] for row in history], label="nll: misfit", marker=marker)
    right.plot(epochs, [row["kl"] for row in history], label="kl: code length", marker=marker)
    right.set(xlabel="epoch", ylabel="nats per image", title="its parts (train)", ylim=(0, None))
    right.legend()
    return fig


@house_style()
def gan_curves(history: Sequence[dict[str, Any]]) -> Figure:
    """Both players' losses over the epochs, and the share of images that are told apart."""
    fig, (left, right) = figure(8.4, 3.4, 1, 2)
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) == 1 else None
    for player in ("discriminator", "generator"):
        losses = [row[f"{player}_loss"] for row in history]
        left.plot(epochs, losses, label=player, marker=marker)
    left.set(xlabel="epoch", ylabel="nats per image", title="both losses (train)", ylim=(0, None))
    left.legend()
    right.plot(epochs, [row["told_apart"] for row in history], marker=marker)
    right.axhline(0.5, color=GREY, ls=":")
    right.set(xlabel="epoch", ylabel="share", title="images told apart (dots: by guessing)")
    right.set_ylim(0, 1.02)
    return fig


@house_style()
def samples(model: Model | GanModel, ops: Backend, *, n: int = 64, seed: int = 0) -> Figure:
    """n images drawn from the model: z ~ N(0, I), decoded."""
    rng = np.random.default_rng(seed)
    if isinstance(model, GanModel):
        images = gan.sample(model.params, n, rng, model.spec, ops)
    else:
        images = vae.sample(model.params, n, rng, model.spec, ops)
    columns = round(n**0.5)
    fig, ax = figure(5, 5)
    show_grid(ax, as_images(images, model), columns, f"{n} draws from the prior, decoded")
    return fig


@house_style()
def reconstructions(model: Model, x: np.ndarray, ops: Backend) -> Figure:
    """Test images x (N, D) in the upper row, their reconstructions in the lower one."""
    mu, _ = vae.encode(model.params, x, model.spec, ops)
    back = vae.mean_image(model.params, mu, model.spec, ops)
    pairs = np.concatenate([as_images(x, model), as_images(back, model)])
    fig, ax = figure(8, 1.9)
    show_grid(ax, pairs, len(x), "test images, and below each its reconstruction from q's mean")
    return fig


@house_style()
def manifold(model: Model, ops: Backend, *, side: int = 20) -> Figure:
    """The 2-D latent plane, decoded at the side * side points of `prior_grid`."""
    z = prior_grid(side)
    images = vae.mean_image(model.params, z.astype(model.flat.dtype), model.spec, ops)
    fig, ax = figure(6, 6)
    ax.imshow(image_grid(as_images(images, model), side, gap=0), vmin=0, vmax=1, cmap="gray_r")
    ax.set_title(r"the latent plane, decoded ($z_1$ to the right, $z_2$ up)")
    ax.set_axis_off()
    return fig


def prior_grid(side: int) -> np.ndarray:
    """(side * side, 2) points at the mid-quantiles of N(0, I), the top row first."""
    steps = [NormalDist().inv_cdf((i + 0.5) / side) for i in range(side)]
    right, up = np.meshgrid(steps, steps[::-1])
    return np.stack([right.ravel(), up.ravel()], axis=1)


@house_style()
def latent_scatter(model: Model, x: np.ndarray, labels: np.ndarray | None, ops: Backend) -> Figure:
    """The means of q(z|x) of test images x (N, D) in a 2-D latent, coloured by label (N,)."""
    mu, _ = vae.encode(model.params, x, model.spec, ops)
    fig, ax = figure(5.6, 5)
    if labels is None:
        ax.scatter(mu[:, 0], mu[:, 1], s=3, color=BLUE, alpha=0.5, linewidths=0)
    else:
        cmap = matplotlib.colormaps["tab10"]
        for i, label in enumerate(np.unique(labels)):
            at = mu[labels == label]
            ax.scatter(at[:, 0], at[:, 1], s=3, color=cmap(i % 10), alpha=0.5, linewidths=0)
            middle = np.median(at, axis=0)
            box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": cmap(i % 10), "alpha": 0.9}
            ax.text(*middle, str(label), ha="center", va="center", fontweight="bold", bbox=box)
    ax.set(xlabel="$z_1$", ylabel="$z_2$", title="test images in the latent plane (q's means)")
    ax.set_aspect("equal")
    return fig


def run_figures(
    folder: Path,
    model: Model,
    history: Sequence[dict[str, Any]],
    test: np.ndarray,
    labels: np.ndarray | None,
    ops: Backend,
) -> list[Path]:
    """Write all pictures of a finished run into its folder -> the paths.

    test: test images as the model takes them, (N, D), perhaps none; labels: theirs, (N,).
    """
    figures = {"curves": curves(history), "samples": samples(model, ops)}
    if len(test):
        figures["reconstructions"] = reconstructions(model, test[:16], ops)
    if model.spec.latent_dim == 2:
        figures["manifold"] = manifold(model, ops)
        if len(test):
            shown = slice(0, 5000)
            some = None if labels is None else labels[shown]
            figures["latents"] = latent_scatter(model, test[shown], some, ops)
    return save_all(folder, figures)


def gan_figures(
    folder: Path, model: GanModel, history: Sequence[dict[str, Any]], ops: Backend
) -> list[Path]:
    """Write the pictures of a finished run of a GAN into its folder -> the paths."""
    return save_all(folder, {"curves": gan_curves(history), "samples": samples(model, ops)})


def save_all(folder: Path, figures: dict[str, Figure]) -> list[Path]:
    """Write figures into a folder as name.png -> the paths."""
    paths = []
    for name, fig in figures.items():
        paths.append(folder / f"{name}.png")
        save(fig, paths[-1])
    return paths
