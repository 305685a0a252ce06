"""Pictures do not depend on the user's settings of Matplotlib, nor does a training."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image

from minivae import plots
from minivae.plots.small import COLOURS, small_png

ROOT = Path(__file__).parents[1]
MATPLOTLIBRC = "text.usetex: True\nfont.size: 30\nsavefig.facecolor: red\naxes.grid.axis: y\n"
SETTINGS = {
    "matplotlibrc": {"MATPLOTLIBRC": "matplotlibrc"},  # with LaTeX, which may not be there
    "no such backend": {"MPLBACKEND": "nonsense"},
    "no number for tqdm": {"TQDM_MININTERVAL": "abc"},
}


def train(folder, out, **environment):
    """A small run, and the bytes of its pictures."""
    line = ["-m", "minivae", "train", *tiny.OPTIONS, "--out", out]
    result = subprocess.run(
        [sys.executable, *line], cwd=folder, capture_output=True, text=True, timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"} | environment,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    return {path.name: path.read_bytes() for path in (folder / out).glob("*.png")}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    folder = tmp_path_factory.mktemp("style")
    np.save(folder / "tiny.npy", tiny.images() > 127)
    (folder / "matplotlibrc").write_text(MATPLOTLIBRC)
    return folder, train(folder, "usual")


@pytest.mark.parametrize("setting", SETTINGS)
def test_pictures_have_the_same_bytes_whatever_the_users_settings(usual, setting):
    folder, pictures = usual
    assert pictures
    assert train(folder, f"run with {setting}", **SETTINGS[setting]) == pictures


def test_a_small_picture_has_few_colours_and_the_same_bytes_each_time():
    def drawn():
        fig, ax = plots.figure(3, 2)
        ax.imshow(np.linspace(0, 1, 400).reshape(20, 20), cmap="viridis")
        return small_png(fig)

    picture = drawn()
    assert picture == drawn()
    assert len(Image.open(io.BytesIO(picture)).getcolors()) <= COLOURS
