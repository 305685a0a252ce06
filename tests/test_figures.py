"""The command `figures`: what is drawn, and what waits for the results of a long study."""

import numpy as np
import pytest
from refusals import refusal

from minivae import ops, plots
from minivae.estimator import VAE
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


def test_rows_of_the_study_are_grouped_by_beta_in_order():
    rows = [{"beta": b, "seed": s} for s in (0, 1) for b in (4.0, 1.0)]
    assert plots.by_beta(rows) == {
        1.0: [{"beta": 1.0, "seed": 0}, {"beta": 1.0, "seed": 1}],
        4.0: [{"beta": 4.0, "seed": 0}, {"beta": 4.0, "seed": 1}],
    }


def test_error_bars_are_the_seeds_mean_and_standard_deviation():
    ax = plots.figure()[1]
    rows = [{"beta": b} for b in (1.0, 1.0, 2.0)]
    plots.against_beta(ax, rows, [1.0, 3.0, 5.0])
    line, _, (bars,) = ax.containers[0]
    np.testing.assert_array_equal(line.get_xydata(), [[1, 2], [2, 5]])
    np.testing.assert_allclose(bars.get_segments()[0], [[1, 2 - 2**0.5], [1, 2 + 2**0.5]])


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
