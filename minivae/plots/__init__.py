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
        shell.run_line_magic(
            "config",
            "InlineBackend.print_figure_kwargs = "
            "{'bbox_inches': 'tight', 'metadata': {'Software': None}}",
        )


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
        ax.annotate(
            f"{name}, published {published:.2f}",
            (0.99, published),
            color=color,
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=8,
        )
    values = [row[key] for row in rows for key in ("nll", "published")]
    ax.set(xlabel="minutes of training", ylabel="-log p(x), nats per image")
    ax.set_xlim(0, 1.15 * max(row["minutes"] for row in rows))
    ax.set_ylim(min(values) - 0.5, max(values) + 0.5)
    ax.set_title("a published table, trained again (dashed: as published)")
    ax.legend()
    return fig


# ---- the study of the cats' latents ----------------------------------------------------------


def information_map(ax, information, factors, title=""):
    """A heat map of normalised information, (F, L) from 0 to 1: light nothing, dark everything."""
    ax.imshow(information, vmin=0, vmax=1, cmap="Greys", aspect="auto")
    for f, latent in np.argwhere(information >= 0.1):
        share = information[f, latent]
        color = "white" if share > 0.5 else INK
        ax.text(latent, f, f"{share:.1f}", ha="center", va="center", fontsize=7, color=color)
    ax.set(yticks=range(len(factors)), xticks=range(information.shape[1]), title=title)
    ax.set_yticklabels(factors)
    ax.set_xlabel("latent")
    ax.grid(False)


def by_beta(models):
    """The rows of the study's result file -> {beta: its rows}, beta ascending."""
    return {b: [m for m in models if m["beta"] == b] for b in sorted({m["beta"] for m in models})}


def against_beta(ax, models, values, **style):
    """Mean over the seeds of the values, one a row, with bars of one standard deviation (of the
    seeds seen, n - 1; none for a single seed)."""
    betas = list(by_beta(models))
    groups = [[v for v, m in zip(values, models, strict=True) if m["beta"] == b] for b in betas]
    means = [np.mean(g) for g in groups]
    spread = [np.std(g, ddof=1) if len(g) > 1 else 0.0 for g in groups]
    ax.errorbar(betas, means, spread, capsize=3, **style)
    ax.set_xscale("log", base=2)
    ax.set(xticks=betas, xticklabels=[f"{beta:g}" for beta in betas], xlabel="beta")


def tracked_against_beta(ax, models, factors, threshold):
    """For each factor, the share of it that its best latent knows, against beta."""
    colors, markers = (RED, BLUE, GREEN, PURPLE, ORANGE, INK), "os^vD*"
    for f, name in enumerate(factors):
        style = {"color": colors[f % 6], "marker": markers[f % 6], "ms": 5, "lw": 1.2}
        share = [max(row["information"][f]) for row in models]
        against_beta(ax, models, share, label=name, **style)
    ax.axhline(threshold, color=GREY, ls=":", lw=1)
    ax.set(ylim=(0, 1), ylabel="share known by the best latent")
    ax.legend(fontsize=7, ncols=2)


def quality_against_gap(ax, models, held_out_distance):
    """Each model of the study: how far its samples are from real cats, against its gap."""
    markers = "osD^v"
    for i, (beta, rows) in enumerate(by_beta(models).items()):
        at = [row["mig"] for row in rows], [row["sample_distance"] for row in rows]
        shade = (BLUE, GREEN, ORANGE, RED, INK)[i % 5]
        ax.scatter(*at, marker=markers[i % 5], color=shade, s=28, label=f"beta {beta:g}")
    ax.axhline(held_out_distance, color=GREY, ls=":", lw=1)
    ax.set(xlabel="mutual information gap", ylabel="distance of samples to real cats")
    ax.legend(fontsize=7)


def traversals(model, z, order, labels, ops, *, steps=7, reach=2.0):
    """One row of pictures for each latent of `order`: it goes from -reach to reach, the others of
    z (L,) stay."""
    rows = np.repeat(z[None, None], len(order), axis=0).repeat(steps, axis=1)
    for row, latent in zip(rows, order, strict=True):
        row[:, latent] = np.linspace(-reach, reach, steps)
    flat = rows.reshape(-1, len(z)).astype(model.flat.dtype)
    images = as_images(vae.mean_image(model.params, flat, model.spec, ops), model)
    h = model.image_shape[0] + 2
    fig, ax = figure(6.4, 0.76 * len(order) + 0.6)
    fig.set_layout_engine("compressed")  # or the labels of square pictures are cut off
    ax.imshow(image_grid(images, steps, background=0.5), vmin=0, vmax=1, cmap="gray")
    ax.set(xticks=[], yticks=[h * i + h / 2 for i in range(len(order))])
    ax.set_yticklabels(labels, fontsize=8)
    ax.set_xlabel(f"one latent from {-reach:g} to {reach:g}, the others as they were")
    ax.grid(False)
    return fig
