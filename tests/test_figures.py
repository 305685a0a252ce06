"""The command `figures`: what is drawn, and what waits for the results of a long study."""

import numpy as np
import pytest
from refusals import refusal

from minivae import ops, plots
from minivae.estimator import VAE
from minivae.plots import latents
from minivae.studies import figures

pytest.importorskip("matplotlib")


def test_a_figure_without_its_results_is_left_out_and_said_so(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "FIGURES_FOLDER", tmp_path)
    monkeypatch.setattr(figures, "FIGURES", {"a.png": lambda path: None, "b.png": pytest.fail})
    monkeypatch.setattr(figures, "RESULTS", {"b.png": tmp_path / "missing.json"})
    said = []
    assert figures.draw_all(say=said.append) == {"files": [(tmp_path / "a.png").as_posix()]}
    missing = (tmp_path / "missing.json").as_posix()
    assert said[-1] == f"leaving out b.png: there is no {missing} yet"


def test_without_the_folder_nothing_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "FIGURES_FOLDER", tmp_path / "figures")
    monkeypatch.setattr(figures, "FIGURES", {"a.png": pytest.fail})
    assert "figures for the results; run this in a clone" in refusal(figures.draw_all, say=print)


def test_the_screenshot_is_left_out_where_there_is_no_browser(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "FIGURES_FOLDER", tmp_path)
    monkeypatch.setattr(figures, "FIGURES", {figures.SCREENSHOT: pytest.fail})
    monkeypatch.setattr(figures, "BROWSER", None)
    said = []
    assert figures.draw_all(say=said.append) == {"files": []}
    assert said == ["leaving out explorer.png: there is no Chromium on this machine"]


def test_every_result_file_belongs_to_a_figure():
    assert set(figures.RESULTS) < set(figures.FIGURES)


def ladder_results():
    """Two families of two seeds, one factor of 2 nats."""
    nats = {"a": (1.0, 0.5), "b": (2.0, 2.0)}
    rungs = ("whole", "best", "fifty")
    models = [
        {"family": name, "likelihood": "gaussian"}
        | {rung: {"nats": [n / (k + 1)], "r2": [n / 2 - k]} for k, rung in enumerate(rungs)}
        for name, values in nats.items()
        for n in values
    ]
    ceiling = {"gaussian": {"nats": [2.0]}}
    return {"models": models, "ceiling": ceiling, "factors": ["head tilt"]}


def test_bars_of_the_ladder_are_the_seeds_mean_and_standard_deviation():
    ax = plots.figure()[1]
    latents.rung_bars(ax, ladder_results(), ["a", "b"], [0])
    bars = [c for c in ax.containers if c.__class__.__name__ == "BarContainer"]
    heights = [[bar.get_height() for bar in container] for container in bars]
    np.testing.assert_allclose(heights, [[0.375, 1], [0.1875, 0.5], [0.125, 1 / 3]])
    segment = bars[0].errorbar[2][0].get_segments()[0]
    np.testing.assert_allclose(np.diff(segment[:, 1]), 2 * np.std([0.5, 0.25], ddof=1))


def test_maps_of_the_study_show_means_and_short_names():
    ax = plots.figure()[1]
    latents.share_map(ax, ladder_results(), ["a", "b"], "whole", "")
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.375], [1]])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["tilt"]
    ax = plots.figure()[1]
    latents.r2_map(ax, ladder_results(), ["a", "b"], "best", "")  # -0.5, -0.75: shown as 0
    np.testing.assert_allclose(ax.images[0].get_array(), [[0], [0]])


def test_a_traversal_has_one_row_for_each_latent_and_leaves_z_alone():
    model = VAE.pretrained("cats").model_
    z = np.zeros(model.spec.latent_dim, np.float32)
    fig = plots.traversals(model, z, [2, 0], ["two", "zero"], ops, steps=3)
    canvas = fig.axes[0].images[0].get_array()
    assert canvas.shape == (2 * 30 - 2, 3 * 30 - 2)
    middle = canvas[:28, 30:58], canvas[30:, 30:58]
    np.testing.assert_allclose(*middle, atol=1e-6)  # z is 0: in the middle, the same cat
    assert np.abs(canvas[:28, :28] - canvas[:28, 30:58]).max() > 0.1
    assert not z.any()
