"""The page "touch the bound" computes what Python computes, and follows the pointer."""

from pathlib import Path

import numpy as np
import pytest
from browser import needs_browser, selftest

PAGE = Path(__file__).resolve().parent.parent / "notebooks" / "touch_the_bound.html"
DECODERS = {"line": lambda z: z, "curve": lambda z: z * z / 2 + z, "fold": lambda z: z * z}


def log_normal(a, mean, sigma):
    return -0.5 * ((a - mean) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)


def expected(f, x, sigma, mean, width):
    """log p(x) and the ELBO of q = N(mean, width^2), by sums over a finer grid than the page's."""
    z, step = np.linspace(-20, 20, 40_001, retstep=True)
    log_joint = log_normal(z, 0, 1) + log_normal(x, f(z), sigma)
    log_q = log_normal(z, mean, width)
    elbo = (np.exp(log_q) * (log_joint - log_q)).sum() * step
    return np.log(np.exp(log_joint).sum() * step), elbo


def importance_weighted(f, x, sigma, mean, width, samples):
    """The importance-weighted bound by plain Monte Carlo, and its standard error."""
    eps = np.random.default_rng(0).standard_normal((samples, 100_000))
    z = mean + width * eps
    log_w = log_normal(z, 0, 1) + log_normal(x, f(z), sigma) - log_normal(z, mean, width)
    top = log_w.max(axis=0)
    each = top + np.log(np.exp(log_w - top).mean(axis=0))
    return each.mean(), each.std() / 100_000**0.5


@needs_browser
def test_the_page_shows_the_bound_as_it_is(tmp_path):
    report = selftest(PAGE, tmp_path)
    for name, f in DECODERS.items():
        shown = report["models"][name]
        start = expected(f, shown["x"], shown["sigma"], *shown["startQ"])
        end = expected(f, shown["x"], shown["sigma"], shown["mean"], shown["width"])
        np.testing.assert_allclose([shown["evidence"], shown["start"]["elbo"]], start, rtol=1e-8)
        np.testing.assert_allclose(shown["climbed"], end[1], rtol=1e-8)
        gap = shown["start"]["gap"]
        np.testing.assert_allclose(shown["evidence"] - gap, shown["start"]["elbo"], rtol=1e-8)
        assert shown["monotone"]
        assert shown["highest"] <= shown["climbed"] + 1e-6 <= shown["evidence"] + 2e-6
        ladder = shown["ladder"]
        assert np.all(np.diff(ladder) > 0)
        assert ladder[-1] < shown["evidence"] + 0.01
        assert ladder[0] == pytest.approx(shown["start"]["elbo"], abs=0.02)
        bound, error = importance_weighted(f, shown["x"], shown["sigma"], *shown["startQ"], 8)
        scatter = error * (100_000 / 512) ** 0.5  # the page has 4,096 draws, 512 groups of eight
        assert ladder[3] == pytest.approx(bound, abs=3 * scatter)
    moved = report["moved"]
    now = expected(DECODERS["curve"], 2.25, moved["sigma"], *moved["startQ"])
    np.testing.assert_allclose([moved["evidence"], moved["elbo"]], now, rtol=1e-8)
    assert "deviation 0.7, and x = 2.25 was observed" in moved["shown"]
    assert "Guess first" in report["before"]
    assert "hill" not in report["before"], "no verdict before the reader has moved anything"
    middle, hill = report["middle"], report["hill"]
    mean, width = middle["rest"]
    assert abs(mean) < 1e-6
    assert abs(middle["back"]) < 1e-3, "a local maximum: after a push q comes back"
    fold = report["models"]["fold"]
    top, left, right = (
        expected(DECODERS["fold"], fold["x"], fold["sigma"], m, width)[1] for m in (0, -0.01, 0.01)
    )
    curvature = (left - 2 * top + right) / 0.01**2
    assert curvature == pytest.approx(-1 / width**2, rel=0.01)  # as wherever the width is the best
    assert "local maximum" in middle["says"]
    assert hill["elbo"] > middle["elbo"] + 1
    assert "q has one of them" in hill["says"]
    assert report["steep"] < 0.01
    assert "hill" not in report["oneHill"], "two hills need x > sigma^2 / 2"
    lower, best, end = report["lower"]  # the bent decoder's posterior has two hills for a large x
    assert "only a local maximum" in lower
    assert "even the best q leaves a gap" in best
    assert "at the end of its slider" in end
    top, width = report["narrow"]
    assert width == 0.05
    assert top > 10, "the peak of a narrow q is inside the picture"
    assert report["samples"] == [16, "K = 16"]
    line = report["models"]["line"]
    assert line["climbed"] == pytest.approx(line["evidence"])
    mean_moved, width_ratio = report["drag"]
    assert mean_moved > 1
    assert width_ratio < 0.9
    assert report["key"] == pytest.approx(0.05)


def test_the_page_may_ask_for_nothing():
    text = PAGE.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert "http:" not in text
    assert "https:" not in text
