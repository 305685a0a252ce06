"""A computation drawn as a graph."""

import numpy as np
import pytest

from minivae import plots

PLACES = {"mu": (0.0, 0.0), "z": (2.0, 1.0), "kl": (2.0, -1.0), "above": (0.0, 2.0)}
ARROWS = {("mu", "z"): "1", ("mu", "kl"): "", ("above", "mu"): "2"}


@pytest.fixture
def ax():
    _, ax = plots.figure(4, 3)
    plots.computation_graph(
        ax, PLACES, ARROWS, above={"mu": "1.20"}, below={"mu": "+0.56"}, shaded=("mu",)
    )
    return ax


def boxes(ax):
    """(left, bottom, right, top) of each box, by name."""
    edges = (patch.get_bbox().extents for patch in ax.patches)
    return dict(zip(PLACES, edges, strict=True))


def test_every_name_label_value_and_gradient_is_drawn(ax):
    texts = [text.get_text() for text in ax.texts if text.get_text()]
    assert sorted(texts) == sorted([*PLACES, "1", "2", "1.20", "+0.56"])
    at = {text.get_text(): text.get_position()[1] for text in ax.texts}
    _, bottom, _, top = boxes(ax)["mu"]
    assert at["1.20"] > top
    assert at["+0.56"] < bottom


def test_arrows_run_from_edge_to_edge(ax):
    """So that no arrowhead is hidden under its box."""
    drawn = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    for arrow, (start, end) in zip(drawn, ARROWS, strict=True):
        for point, name in ((arrow.xyann, start), (arrow.xy, end)):
            left, bottom, right, top = boxes(ax)[name]
            x, y = point
            assert left - 1e-9 <= x <= right + 1e-9
            assert bottom - 1e-9 <= y <= top + 1e-9
            assert np.isclose([x, x, y, y], [left, right, bottom, top]).any()


def test_only_the_shaded_boxes_are_filled(ax):
    colours = {name: p.get_facecolor() for name, p in zip(PLACES, ax.patches, strict=True)}
    assert colours["mu"] != colours["z"] == colours["kl"] == colours["above"]


@pytest.mark.parametrize(
    ("label_at", "expected"),
    [(0.8, {"1": 0.8, "2": 0.8}), ({("mu", "z"): 0.7}, {"1": 0.7, "2": 0.5})],
)
def test_labels_stand_where_they_are_asked_to(label_at, expected):
    _, ax = plots.figure(4, 3)
    plots.computation_graph(ax, PLACES, ARROWS, label_at=label_at)
    arrows = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    at = {text.get_text(): np.array(text.get_position()) for text in ax.texts}
    for arrow, label in zip(arrows, ARROWS.values(), strict=True):
        if label:
            tail, tip = np.array(arrow.xyann), np.array(arrow.xy)
            assert np.allclose(at[label], tail + expected[label] * (tip - tail))
