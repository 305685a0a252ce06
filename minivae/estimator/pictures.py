"""How a model shows itself: its HTML in a notebook, its plane of latents."""

import base64
import html
import io
from typing import Any

import numpy as np

from minivae import runs
from minivae.backend import Backend


def as_html(title: str, model: runs.Model, history: list[dict[str, float]], ops: Backend) -> str:
    """One table row: the architecture, the curve of the loss if there is one, and samples."""
    spec = model.spec
    layers = [spec.data_dim, *spec.hidden, spec.latent_dim]
    words = [
        f"<b>{html.escape(title)}</b>",
        f"{' &rarr; '.join(map(str, layers))} latents and back",
        f"{spec.activation}, {spec.likelihood}, {model.flat.size:,} parameters",
    ]
    if history:
        last = history[-1]
        words.append(
            f"{len(history)} epochs: loss {last['loss']:.2f}, nll {last['nll']:.2f}, kl "
            f"{last['kl']:.2f} nats per image"
        )
    cells = [f"<td>{'<br>'.join(words)}</td>"]
    cells += [f"<td>{picture}</td>" for picture in _pictures(model, history, ops)]
    return f"<table><tr>{''.join(cells)}</tr></table>"


def _pictures(model, history, ops):
    from minivae import plots

    with plots.house_style():
        if len(history) > 1:
            yield _image(plots.curves(history), "the curves of the training")
        yield _image(plots.samples(model, ops, n=16), "images that the model draws")


def _image(figure, alt):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{alt}" src="data:image/png;base64,{encoded}">'


def plot_latents(mu: np.ndarray, labels: np.ndarray | None, ax: Any) -> Any:
    """A dot at the first two latents of each image, mu (N, L), coloured by label -> the axes."""
    from minivae import plots

    if ax is None:
        with plots.house_style():
            ax = plots.figure(4.6, 4.2)[1]
    second = mu[:, 1] if mu.shape[1] > 1 else np.zeros(len(mu))
    for label in [None] if labels is None else np.unique(labels):
        chosen = slice(None) if label is None else labels == label
        name = None if label is None else str(label)
        ax.scatter(mu[chosen, 0], second[chosen], s=4, alpha=0.6, linewidths=0, label=name)
    ax.set(xlabel="latent 1", ylabel="latent 2" if mu.shape[1] > 1 else "")
    if labels is not None:
        ax.legend(markerscale=3, fontsize=8, title="label")
    return ax
