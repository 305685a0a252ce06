"""Every picture, in one style: colour-blind safe, readable in grey, one point each.

The functions draw on Matplotlib axes or return a figure; `save` writes a PNG whose bytes depend on
the picture alone. Colours are Okabe and Ito's (2008), in an order that also falls from dark to
light, with a marker or a dash of their own wherever two lines share an axis.
"""

import matplotlib

matplotlib.use("agg", force=False)

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from minivae import files, vae
from minivae.errors import MinivaeError

BLUE, ORANGE, GREEN, RED, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
INK, GREY = "#222222", "#999999"
STYLE = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.prop_cycle": matplotlib.cycler(
        color=[BLUE, RED, GREEN, PURPLE, ORANGE], linestyle=["-", "--", "-.", ":", "-"]
    ),
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "image.cmap": "gray_r",
    "image.interpolation": "nearest",
    "svg.hashsalt": "minivae",
}


def figure(width=6.4, height=3.6, rows=1, columns=1, **kwargs):
    """A figure and its axes in the house style, in inches."""
    with plt.rc_context(STYLE):
        fig = Figure(figsize=(width, height), layout="constrained")
        return fig, fig.subplots(rows, columns, **kwargs)


def save(fig, path):
    """Write a figure as PNG, atomically, without time stamps."""
    import io

    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    files.atomic_write(path, buffer.getvalue())


def image_grid(images, columns, *, gap=2, background=1.0):
    """Images (N, h, w) in [0, 1] side by side in one array, on a thin background grid."""
    n, h, w = images.shape
    rows = -(-n // columns)
    canvas = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap), background, np.float32)
    for i, image in enumerate(images):
        top, left = (i // columns) * (h + gap), (i % columns) * (w + gap)
        canvas[top : top + h, left : left + w] = image
    return canvas


def show_grid(ax, images, columns, title="", cmap="gray_r"):
    """Draw images (N, h, w) as a grid without axes: ink is dark, as on paper.

    cmap "gray": 1 is light, as cats are by night.
    """
    ax.imshow(image_grid(images, columns, background=0.0), vmin=0, vmax=1, cmap=cmap)
    ax.set_title(title)
    ax.set_axis_off()


# ---- the pictures of a run -------------------------------------------------------------------


def curves(history):
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


def samples(model, ops, *, n=64, seed=0):
    """n images drawn from the model: z ~ N(0, I), decoded."""
    rng = np.random.default_rng(seed)
    images = vae.sample(model.params, n, rng, model.spec, ops)
    columns = round(n**0.5)
    fig, ax = figure(5, 5)
    show_grid(ax, as_images(images, model), columns, f"{n} draws from the prior, decoded")
    return fig


def reconstructions(model, x, ops):
    """Test images above, what the model makes of them below."""
    mu, _ = vae.encode(model.params, x, model.spec, ops)
    back = vae.mean_image(model.params, mu, model.spec, ops)
    pairs = np.concatenate([as_images(x, model), as_images(back, model)])
    fig, ax = figure(8, 1.9)
    show_grid(ax, pairs, len(x), "test images, and below each its reconstruction from q's mean")
    return fig


def manifold(model, ops, *, side=20):
    """The whole 2-D latent plane, decoded: equal steps of the prior's probability."""
    z = prior_grid(side)
    images = vae.mean_image(model.params, z.astype(model.flat.dtype), model.spec, ops)
    fig, ax = figure(6, 6)
    ax.imshow(image_grid(as_images(images, model), side, gap=0), vmin=0, vmax=1, cmap="gray_r")
    ax.set_title(r"the latent plane, decoded ($z_1$ to the right, $z_2$ up)")
    ax.set_axis_off()
    return fig


def prior_grid(side):
    """(side * side, 2) points at the mid-quantiles of N(0, I), the top row first."""
    from statistics import NormalDist

    steps = [NormalDist().inv_cdf((i + 0.5) / side) for i in range(side)]
    right, up = np.meshgrid(steps, steps[::-1])
    return np.stack([right.ravel(), up.ravel()], axis=1)


def latent_scatter(model, x, labels, ops):
    """Where the encoder puts the test images in a 2-D latent, by label."""
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


def as_images(x, model):
    """Rows (N, D) as images (N, h, w), clipped to what can be drawn."""
    if not np.isfinite(x).all():
        raise MinivaeError(
            "the model's images hold NaN or infinite values, as its parameters are enormous; "
            "train it again with a lower learning rate"
        )
    return np.clip(x, 0, 1).reshape(-1, *model.image_shape)


def run_figures(folder, model, history, test, labels, ops):
    """All pictures of a finished run, written into its folder -> the paths."""
    figures = {"curves": curves(history), "samples": samples(model, ops)}
    if len(test):
        figures["reconstructions"] = reconstructions(model, test[:16], ops)
    if model.spec.latent_dim == 2:
        figures["manifold"] = manifold(model, ops)
        if len(test):
            shown = slice(0, 5000)
            some = None if labels is None else labels[shown]
            figures["latents"] = latent_scatter(model, test[shown], some, ops)
    paths = []
    for name, fig in figures.items():
        paths.append(folder / f"{name}.png")
        save(fig, paths[-1])
    return paths


def notebook_style():
    """The house style for every figure of a notebook; pictures carry no time or version stamp."""
    from IPython import get_ipython

    plt.rcParams.update(STYLE)
    shell = get_ipython()
    if shell is not None:
        shell.run_line_magic("matplotlib", "inline")
        shell.run_line_magic("config", "InlineBackend.print_figure_kwargs = "
                             "{'bbox_inches': 'tight', 'metadata': {'Software': None}}")


def reproduced_table(rows):
    """Test nll against minutes of training, a colour for each row; published values are dashed.

    rows: the results of `reproduce`.
    """
    fig, ax = figure(6.4, 4.0)
    names = sorted({row["row"] for row in rows}, reverse=True)
    for name, color, marker in zip(names, (BLUE, RED, GREEN), "osD", strict=False):
        ours = sorted((row["minutes"], row["nll"]) for row in rows if row["row"] == name)
        published = next(row["published"] for row in rows if row["row"] == name)
        ax.plot(*zip(*ours, strict=True), marker=marker, color=color, linestyle="-", label=name)
        ax.axhline(published, color=color, linestyle="--", linewidth=1)
        ax.annotate(f"published {published:.2f}", (0.99, published), color=color, fontsize=8,
                    xycoords=("axes fraction", "data"), ha="right", va="bottom")
    ax.set(xscale="log", xlabel="minutes of training, two cores")
    ax.set(ylabel="-log p(x), nats per image", title="Burda et al. 2016, Table 1, one layer")
    ax.legend()
    return fig
