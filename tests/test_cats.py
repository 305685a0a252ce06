"""The procedural cats: the drawing, the true factors, and the density that they define."""

import itertools
import math

import numpy as np
import pytest

from minivae.data import cats
from minivae.data.cats import posterior, renderer
from minivae.errors import MinivaeError

MIDDLE = (cats.LOW + cats.HIGH) / 2
CORNERS = np.array(list(itertools.product(*zip(cats.LOW, MIDDLE, cats.HIGH, strict=True))))


def some(n, seed=0):
    return cats.sample_factors(n, np.random.default_rng(seed))


def sweep(column, n):
    """Cats that differ in one factor only, everything else in the middle."""
    factors = np.repeat(MIDDLE[None], n, axis=0)
    factors[:, column] = np.linspace(cats.LOW[column], cats.HIGH[column], n)
    return factors


# ---- the factors ---------------------------------------------------------------------------------


def test_factors_fill_their_ranges_and_are_independent():
    factors = some(20_000)
    assert factors.dtype == np.float64
    assert (factors >= cats.LOW).all()
    assert (factors <= cats.HIGH).all()
    share = (factors - cats.LOW) / (cats.HIGH - cats.LOW)
    # Uniform on [0, 1]: mean 1/2, variance 1/12; six standard errors of 20,000 draws.
    np.testing.assert_allclose(share.mean(axis=0), 1 / 2, atol=6 * (1 / 12 / 20_000) ** 0.5)
    np.testing.assert_allclose(share.var(axis=0), 1 / 12, rtol=0.04)
    correlation = np.corrcoef(share.T) - np.eye(6)
    assert np.abs(correlation).max() < 6 / 20_000**0.5


def test_the_table_of_factors_is_complete():
    assert cats.NAMES == (
        "chonk",
        "ear height",
        "tail curl",
        "head tilt",
        "eye openness",
        "position",
    )
    for factor in cats.FACTORS:
        assert factor.low < factor.high
        assert factor.unit
        assert factor.meaning


# ---- the drawing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [16, 28, 45, 128])
def test_pictures_are_grey_levels_of_the_size_asked_for(size):
    images, factors = cats.draw(9, np.random.default_rng(3), size)
    assert images.shape == (9, size, size)
    assert images.dtype == np.float32
    assert factors.shape == (9, 6)
    assert images.min() == 0.0
    assert 0.99 < images.max() <= 1.0
    assert len(np.unique(images)) > 50  # smooth edges, not black and white


def test_the_same_seed_draws_the_same_cats():
    once, twice = (cats.draw(40, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(once[0], twice[0])
    np.testing.assert_array_equal(once[1], twice[1])


def test_a_cat_does_not_depend_on_its_company(monkeypatch):
    factors = some(7)
    together = cats.render(factors)
    monkeypatch.setattr(renderer, "CACHE_PIXELS", 2 * 784)
    np.testing.assert_allclose(cats.render(factors), together, atol=1e-5)
    np.testing.assert_allclose(cats.render(factors[4:5])[0], together[4], atol=1e-5)


def test_windows_only_save_time(monkeypatch):
    """No window cuts a shape off, at any corner of the factors."""
    inside = cats.render(CORNERS)
    window = renderer._window
    monkeypatch.setattr(renderer, "_window", lambda images, *_: window(images, 0, 0, 28, 28))
    np.testing.assert_allclose(cats.render(CORNERS), inside, atol=1e-5)


def test_nothing_is_cut_by_the_frame():
    """At 112 pixels the outermost ring stays black for all corners of the factors."""
    for piece in np.array_split(CORNERS, 9):
        images = cats.render(piece, 112)
        for edge in (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]):
            assert edge.max() == 0.0


def test_ink_grows_with_chonk():
    for others in some(12, seed=1):
        factors = np.repeat(others[None], 25, axis=0)
        factors[:, 0] = np.linspace(cats.LOW[0], cats.HIGH[0], 25)
        ink = cats.render(factors).sum(axis=(1, 2))
        assert (np.diff(ink) > 0).all()
        assert ink[-1] > 1.25 * ink[0]


def test_a_chonkier_cat_is_wider_where_its_belly_is():
    images = cats.render(sweep(0, 2))
    width = (images[:, 21, :18] > 0.5).sum(axis=1)
    assert width[1] >= width[0] + 6


@pytest.mark.parametrize("column", range(6), ids=cats.NAMES)
def test_each_factor_shows_whatever_the_others_are(column):
    """From one end to the other, at least eight pixels' worth of grey change at 28 x 28."""
    low = CORNERS[CORNERS[:, column] == cats.LOW[column]]
    high = low.copy()
    high[:, column] = cats.HIGH[column]
    change = np.abs(cats.render(high) - cats.render(low)).sum(axis=(1, 2))
    assert change.min() > 8


@pytest.mark.parametrize("column", range(6), ids=cats.NAMES)
def test_each_factor_changes_the_picture_at_every_step_of_its_range(column):
    images = cats.render(sweep(column, 13))
    assert (np.abs(np.diff(images, axis=0)).sum(axis=(1, 2)) > 0.3).all()


def test_position_moves_the_cat_and_nothing_else():
    still, moved = np.repeat(MIDDLE[None], 2, axis=0)
    still[5], moved[5] = 0, 2 / 28
    images = cats.render(np.array([still, moved]))
    np.testing.assert_allclose(images[1][:, 2:], images[0][:, :-2], atol=1e-5)


def test_the_head_tilts_clockwise():
    """The right ear's tip sinks and the left one's rises."""
    left, right = sweep(3, 3)[[0, 2]]
    images = cats.render(np.array([left, right]), 56)
    middle = 22
    top_of = [
        [np.argmax(half.max(axis=1) > 0.5) for half in (i[:, :middle], i[:, middle:36])]
        for i in images
    ]
    assert top_of[0][0] > top_of[0][1]
    assert top_of[1][0] < top_of[1][1]


def test_another_size_is_the_same_picture():
    """Averaging blocks of a fine picture gives the coarse one, up to the edges' approximation."""
    factors = some(30, seed=2)
    coarse = cats.render(factors, 28)
    fine = cats.render(factors, 112).reshape(30, 28, 4, 28, 4).mean(axis=(2, 4))
    assert np.abs(fine - coarse).mean() < 0.015
    assert np.corrcoef(fine.ravel(), coarse.ravel())[0, 1] > 0.99


# ---- the data set --------------------------------------------------------------------------------


def test_the_data_set_is_the_same_every_time_and_says_its_factors():
    data = cats.dataset(60, 20, seed=4)
    again = cats.dataset(60, 20, seed=4)
    for ours, theirs in zip(data, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert data.train.shape == (60, 784)
    assert data.test.shape == (20, 784)
    assert data.train.dtype == data.test.dtype == np.uint8
    drawn = 255 * cats.render(data.test_factors).reshape(20, 784)
    assert np.abs(drawn - data.test).max() < 0.5001


def test_more_cats_leave_the_first_ones_and_the_test_set_alone():
    small, large = cats.dataset(10, 10, seed=4), cats.dataset(30, 10, seed=4)
    np.testing.assert_array_equal(large.train_factors[:10], small.train_factors)
    np.testing.assert_array_equal(large.test, small.test)
    assert not np.isin(small.train_factors, small.test_factors).any()
    assert not np.array_equal(cats.dataset(10, 10, seed=5).train, small.train)


# ---- the likelihood ------------------------------------------------------------------------------


def test_pixels_are_drawn_with_their_probabilities():
    factors = np.repeat(some(1), 3000, axis=0)
    p = cats.pixel_probabilities(factors[:1]).astype(np.float64)[0]
    assert p.min() == pytest.approx(cats.P_MIN)
    assert p.max() == pytest.approx(1 - cats.P_MIN)
    mean = cats.sample_pixels(factors, np.random.default_rng(8)).mean(axis=0, dtype=np.float64)
    z = (mean - p) / np.sqrt(p * (1 - p) / 3000)
    assert np.abs(z).max() < 6
    assert 0.9 < z.std() < 1.1


def test_the_likelihood_sums_to_one_over_all_pictures():
    """Over all 512 values of nine seen pixels on the edge of a cat."""
    seen = np.zeros((16, 16), bool)
    seen[9:12, 3:6] = True
    pictures = np.zeros((512, 16, 16))
    pictures[:, seen] = list(itertools.product((0, 1), repeat=9))
    factors = np.repeat(some(1, seed=6), 512, axis=0)
    probability = np.exp(cats.log_likelihood(pictures, factors, seen))
    assert probability.sum() == pytest.approx(1, abs=1e-12)
    assert probability.max() < 0.99


def test_the_likelihood_is_the_sum_over_pixels():
    factors = some(3)
    x = cats.sample_pixels(factors, np.random.default_rng(1))
    p = cats.pixel_probabilities(factors).astype(np.float64)
    expected = [
        math.fsum(
            math.log(q if bit else 1 - q) for bit, q in zip(x[i].ravel(), p[i].ravel(), strict=True)
        )
        for i in range(3)
    ]
    np.testing.assert_allclose(cats.log_likelihood(x, factors), expected, rtol=1e-12)
    np.testing.assert_allclose(cats.log_likelihood(x[0], factors)[0], expected[0], rtol=1e-12)


def test_what_is_seen_and_what_is_covered_add_up(monkeypatch):
    factors = some(5)
    x = cats.sample_pixels(factors, np.random.default_rng(1))
    whole = cats.log_likelihood(x, factors)
    seen = np.random.default_rng(2).random((28, 28)) < 0.5
    parts = cats.log_likelihood(x, factors, seen) + cats.log_likelihood(x, factors, ~seen)
    np.testing.assert_allclose(parts, whole, rtol=1e-12)
    monkeypatch.setattr(posterior, "MEMORY_PIXELS", 2 * 784)
    np.testing.assert_allclose(cats.log_likelihood(x, factors), whole, rtol=1e-6)


def test_the_likelihood_of_an_impossible_picture_is_finite():
    inverted = 1 - np.rint(cats.render(MIDDLE[None]))
    log_p = cats.log_likelihood(inverted, MIDDLE[None])
    assert np.isfinite(log_p).all()
    assert log_p[0] < -2000


# ---- the posterior -------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["tail curl", "position"])
def test_the_posterior_is_bayes_rule_cell_by_cell(other):
    truth = some(1, seed=3)
    x = cats.sample_pixels(truth, np.random.default_rng(4))[0]
    seen = np.zeros((28, 28), bool)
    seen[14:17] = True
    posterior = cats.chonk_posterior(x, truth[0], other, seen, cells=(5, 4))
    column = cats.NAMES.index(other)
    joint = np.empty((5, 4))
    for i, j in np.ndindex(5, 4):
        z = truth.copy()
        z[0, 0] = 3 + (i + 0.5) / 5 * 6
        low, high = cats.LOW[column], cats.HIGH[column]
        z[0, column] = low + (j + 0.5) / 4 * (high - low)
        assert posterior.chonk[i] == pytest.approx(z[0, 0])
        assert posterior.other[j] == pytest.approx(z[0, column])
        p = cats.pixel_probabilities(z).astype(np.float64)[0][seen]
        joint[i, j] = np.prod(np.where(x[seen] == 1, p, 1 - p)) / 20  # likelihood times prior
    assert posterior.log_evidence == pytest.approx(math.log(joint.sum()), rel=1e-6)
    np.testing.assert_allclose(posterior.joint, joint / joint.sum(), rtol=1e-4)
    np.testing.assert_allclose(posterior.probability, posterior.joint.sum(axis=1))
    assert posterior.probability.sum() == pytest.approx(1, abs=1e-12)


def moments(posterior):
    mean = posterior.probability @ posterior.chonk
    return mean, math.sqrt(posterior.probability @ (posterior.chonk - mean) ** 2)


def test_covering_half_of_the_picture_widens_the_posterior_which_stays_calibrated():
    """Over 16 random cats: more than twice as wide, and errors that match the stated width."""
    truths = some(16, seed=11)
    pictures = cats.sample_pixels(truths, np.random.default_rng(12))
    upper = np.ones((28, 28), bool)
    upper[14:] = False
    width, error = {}, {}
    for name, seen in (("whole", None), ("upper half", upper)):
        found = [
            moments(cats.chonk_posterior(x, z, "position", seen, cells=(61, 9)))
            for x, z in zip(pictures, truths, strict=True)
        ]
        width[name] = np.array([sd for _, sd in found])
        error[name] = np.array([mean for mean, _ in found]) - truths[:, 0]
        assert 0.4 < np.mean((error[name] / width[name]) ** 2) < 2.2
    assert width["upper half"].mean() > 2 * width["whole"].mean()


def test_an_unseen_picture_leaves_the_prior():
    nothing = np.zeros((28, 28), bool)
    posterior = cats.chonk_posterior(np.ones((28, 28)), MIDDLE, seen=nothing, cells=(6, 3))
    np.testing.assert_allclose(posterior.joint, 1 / 18)
    assert posterior.log_evidence == pytest.approx(0)


# ---- bad input -----------------------------------------------------------------------------------

X, Z = np.zeros((28, 28)), MIDDLE[None]


def changed(column, value):
    z = Z.copy()
    z[0, column] = value
    return z


WRONG = [
    (lambda: cats.render(Z, 15), "from 16 to 128"),
    (lambda: cats.render(Z, 129), "from 16 to 128"),
    (lambda: cats.render(Z, 28.0), "whole number"),
    (lambda: cats.render(Z, True), "whole number"),
    (lambda: cats.render(changed(0, 12)), r"chonk of cat 0 is 12; it must be from 3 to 9 \(kg\)"),
    (lambda: cats.render(changed(2, -1)), "tail curl"),
    (lambda: cats.render(changed(4, math.nan)), "eye openness of cat 0 is nan"),
    (lambda: cats.render(changed(1, math.inf)), "ear height"),
    (lambda: cats.render(MIDDLE), r"factors is float64 of shape \(6,\); it must be \(B, 6\)"),
    (lambda: cats.render(Z[:, :5]), r"shape \(1, 5\)"),
    (lambda: cats.render("a cat"), r"factors is <U5 of shape \(\)"),
    (lambda: cats.render([[1, 2], [3]]), "factors: not an array"),
    (lambda: cats.sample_factors(0, np.random.default_rng(0)), "cats is 0; .* from 1 to"),
    (lambda: cats.draw(-3, np.random.default_rng(0)), "cats is -3; .* from 1 to"),
    (lambda: cats.draw(3, 0), "rng is 0"),
    (lambda: cats.sample_pixels(Z, None), "rng is None"),
    (lambda: cats.dataset(10, 0), "cats is 0; .* from 1 to"),
    (lambda: cats.dataset(10, 10, seed=-1), "seed is -1"),
    (lambda: cats.dataset(10, 10, size=200), "from 16 to 128"),
    (lambda: cats.log_likelihood(X + 0.5, Z), "other than 0 and 1"),
    (lambda: cats.log_likelihood(X * math.nan, Z), "other than 0 and 1"),
    (lambda: cats.log_likelihood(X[1:], Z), r"shape \(27, 28\)"),
    (lambda: cats.log_likelihood(np.zeros((2, 28, 28)), Z), r"\(1, S, S\)"),
    (lambda: cats.log_likelihood(np.zeros((8, 8)), Z), "from 16 to 128"),
    (lambda: cats.log_likelihood(X, Z, seen=X), "mask"),
    (lambda: cats.log_likelihood(X, Z, seen=np.ones((16, 16), bool)), "mask"),
    (lambda: cats.chonk_posterior(X, MIDDLE, other="chonk"), "other free factor is 'chonk'"),
    (lambda: cats.chonk_posterior(X, MIDDLE, other="paws"), "one of ear height, tail curl"),
    (lambda: cats.chonk_posterior(X, Z), r"known is float64 of shape \(1, 6\)"),
    (lambda: cats.chonk_posterior(X, changed(4, 2)[0]), "eye openness"),
    (lambda: cats.chonk_posterior(X[None], MIDDLE), r"one square picture"),
    (lambda: cats.chonk_posterior(X, MIDDLE, cells=5), "two numbers"),
    (lambda: cats.chonk_posterior(X, MIDDLE, cells=(0, 5)), "from 1 up"),
    (lambda: cats.chonk_posterior(X, MIDDLE, cells=(10**6, 10**6)), "1000000 x 1000000 cells"),
    (lambda: cats.chonk_posterior(X, changed(1, 9)[0], "position"), "the known ear height is 9;"),
    (lambda: cats.sample_factors(10**12, np.random.default_rng(0)), "number of cats is 10000"),
    (lambda: cats.draw(10**7, np.random.default_rng(0)), "from 1 to 342392"),
    (lambda: cats.dataset(10**12, 1), "number of cats is 10000"),
    (lambda: cats.dataset(1, 10**12), "number of cats is 10000"),
    (lambda: cats.log_likelihood(X, Z, seen=np.ma.masked_equal(X, 0)), "seen: .* are masked"),
    (lambda: cats.log_likelihood(np.ma.masked_equal(X, 0), Z), "x: .* are masked"),
    (lambda: cats.render(np.ma.masked_less(Z, 1)), "factors: .* are masked"),
    (lambda: cats.chonk_posterior(X, np.ma.masked_less(MIDDLE, 1)), "known: .* are masked"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_mistakes_are_answered_in_one_line(call, message):
    with pytest.raises(MinivaeError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_rounding_of_factors_is_forgiven():
    """The ends of the ranges survive a trip through float32."""
    ends = np.array([cats.LOW, cats.HIGH]).astype(np.float32)
    np.testing.assert_allclose(cats.render(ends), cats.render(ends.astype(float)), atol=1e-5)


def test_the_free_factors_of_the_known_cat_are_not_looked_at():
    known = MIDDLE.copy()
    known[[0, 2]] = math.nan
    free = cats.chonk_posterior(X, known, cells=(3, 2))
    np.testing.assert_array_equal(free.joint, cats.chonk_posterior(X, MIDDLE, cells=(3, 2)).joint)
