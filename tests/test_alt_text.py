"""Every picture of the notebooks says in words what it shows, and so does README's."""

import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from minivae import plots
from minivae.plots import alt_text

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]*.ipynb"))
SHORTEST = 20  # characters: a title, or two axes


@pytest.fixture
def ax():
    fig, ax = plots.figure()
    yield ax
    plt.close(fig)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_committed_picture_has_a_text(path):
    notebook = json.loads(path.read_text("utf-8"))
    shown = [
        (number, output["metadata"].get("image/png", {}).get("alt", ""))
        for number, cell in enumerate(notebook["cells"])
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert shown
    assert [number for number, alt in shown if len(alt) < SHORTEST] == []


def test_readmes_pictures_have_a_text():
    alts = re.findall(r"!\[(.*?)\]\(", (ROOT / "README.md").read_text("utf-8"))
    assert alts
    assert all(len(alt) >= SHORTEST for alt in alts)


def test_a_curve_is_described_by_its_own_words(ax):
    ax.plot([0, 1], label=r"$\log p(x \mid z)$")
    ax.plot([1, 0], label="ELBO")
    ax.set(title=r"the bound of $q_{\mu}$", xlabel="step", ylabel="nats\nper image")
    assert alt_text.description(ax.figure) == (
        "the bound of q_mu; nats per image against step; curves: log p(x | z), ELBO"
    )


def test_panels_are_numbered_and_empty_ones_left_out():
    fig, axes = plots.figure(rows=1, columns=3)
    axes[0].set_title("before")
    axes[2].imshow(np.eye(2))
    axes[2].set_title("after", loc="left")
    fig.suptitle("two pictures")
    assert alt_text.description(fig) == (
        "two pictures. 2 panels. 1: before. 2: after; shown as an image"
    )


def test_words_inside_a_drawing_are_told(ax):
    for word in ("x", "W", "x"):
        ax.text(0, 0, word)
    assert alt_text.description(ax.figure) == "with the words x, W"


def test_a_figure_without_words_has_no_description(ax):
    """So that the test above finds it."""
    ax.imshow(np.eye(2))
    assert alt_text.description(ax.figure) == ""


def test_a_long_description_ends(ax):
    ax.set_title("word " * 1000)
    text = alt_text.description(ax.figure)
    assert len(text) == alt_text.LONGEST
    assert text.endswith(" ...")


def test_a_notebooks_picture_carries_it_once():
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.pylabtools import select_figure_formats

    shell = InteractiveShell()
    select_figure_formats(shell, {"png"})
    fig, ax = plots.figure(1, 1)
    ax.set_title("a picture with a name")
    plain, _ = shell.display_formatter.format(fig)
    for _ in range(2):
        alt_text.attach(shell)
        data, metadata = shell.display_formatter.format(fig)
        assert metadata["image/png"]["alt"] == "a picture with a name"
        assert data["image/png"] == plain["image/png"]
    plt.close(fig)
