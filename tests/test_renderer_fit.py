"""Reading the factors off a picture, and the limit for every such reading."""

import numpy as np
import pytest

from minivae.data import cats
from minivae.errors import MinivaeError
from minivae.evaluate import renderer_fit


@pytest.fixture
def rng():
    return np.random.default_rng(25)


def r_squared(estimates, factors):
    return 1 - np.square(estimates - factors).mean(axis=0) / factors.var(axis=0)


def test_a_fit_reads_every_factor_off_a_grey_picture(rng):
    factors = cats.sample_factors(40, rng)
    grey = np.rint(255 * cats.render(factors)) / 255
    found = renderer_fit.fit(grey, "gaussian")
    assert (np.abs(found.factors - factors) < 0.01 * (cats.HIGH - cats.LOW)).all()
    assert (found.distance < 0.03).all()


def test_a_fit_of_noisy_pictures_is_at_least_as_likely_as_the_truth(rng):
    factors = cats.sample_factors(60, rng)
    x = cats.sample_pixels(factors, rng)
    found = renderer_fit.fit(x, start=factors)
    assert (found.nll <= -cats.log_likelihood(x, factors) + 1e-6).all()
    assert np.allclose(found.nll, -cats.log_likelihood(x, found.factors), atol=1e-4)


def test_fits_scatter_by_the_limit_or_a_little_more(rng):
    """Cramer and Rao: not less, up to the 400 fits' standard error; at most half as much again."""
    factors = np.repeat((0.45 * cats.LOW + 0.55 * cats.HIGH)[None], 400, axis=0)
    found = renderer_fit.fit(cats.sample_pixels(factors, rng), start=factors).factors
    limit = np.sqrt(np.diag(np.linalg.inv(renderer_fit.fisher_information(factors[:1])[0])))
    ratio = found.std(axis=0) / limit
    assert (ratio > 0.88).all(), ratio
    assert (ratio < 1.6).all(), ratio


def test_the_ideal_observer_knows_more_than_a_fit_and_less_than_all(rng):
    factors = cats.sample_factors(300, rng)
    ideal = r_squared(renderer_fit.ideal_estimates(factors, rng), factors)
    fitted = r_squared(renderer_fit.fit(cats.sample_pixels(factors, rng)).factors, factors)
    assert (ideal < 1).all()
    assert (fitted < ideal + 0.02).all()
    assert (fitted > ideal - 0.15).all()


def test_the_ideal_observer_is_the_mean_of_the_posterior(rng):
    """Its errors do not follow its answers: no rescaling of the answers would be nearer."""
    factors = cats.sample_factors(4000, rng)
    ideal = renderer_fit.ideal_estimates(factors, rng)
    for f in range(6):
        slope = np.polyfit(ideal[:, f], factors[:, f], 1)[0]
        assert abs(slope - 1) < 0.05, cats.NAMES[f]


def test_information_about_a_shift_is_the_squared_slope_of_the_pixels():
    """The gaussian information about position, against differences of whole pictures."""
    middle = ((cats.LOW + cats.HIGH) / 2)[None]
    up, down = middle.copy(), middle.copy()
    up[0, 5] += 1e-3
    down[0, 5] -= 1e-3
    slope = (cats.render(up) - cats.render(down)).astype(np.float64) / 2e-3
    found = renderer_fit.fisher_information(middle, "gaussian", variance=0.5)[0, 5, 5]
    assert found == pytest.approx(np.square(slope).sum() / 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 27, 27)),), "shape"),
        ((np.full((2, 784), 2.0),), "outside 0 to 1"),
        ((np.zeros((2, 784)), "poisson"), "likelihood"),
    ],
)
def test_wrong_pictures_are_refused(arguments, message):
    with pytest.raises(MinivaeError, match=message):
        renderer_fit.fit(*arguments)


def test_wrong_starts_and_variances_are_refused():
    middle = ((cats.LOW + cats.HIGH) / 2)[None]
    with pytest.raises(MinivaeError, match="1 starts for 2 pictures"):
        renderer_fit.fit(np.zeros((2, 784)), start=middle)
    with pytest.raises(MinivaeError, match="variance"):
        renderer_fit.fisher_information(middle, variance=0.0)
