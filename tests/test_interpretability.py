"""The interpretability metric and the quality of samples, against answers that are known."""

import math

import numpy as np
import pytest

from minivae.data import cats
from minivae.errors import MinivaeError
from minivae.evaluate import interpretability as interp
from minivae.evaluate import sample_quality as quality

N = 20_000
LOG_BINS = math.log(20)
BIAS = 19**2 / (2 * N)  # of the mutual information of a 20 x 20 table of unrelated numbers


def uniform(columns, seed=0):
    return np.random.default_rng(seed).uniform(size=(N, columns))


# ---- information ---------------------------------------------------------------------------------


def test_a_perfect_code_knows_everything_and_its_gap_is_one():
    """Permuted, stretched, curved and reversed: any increasing or decreasing map gives the same."""
    v = uniform(3)
    codes = np.stack([np.exp(5 * v[:, 2]), -(v[:, 0] ** 3), 1e6 * v[:, 1]], axis=1)
    gap = interp.mutual_information_gap(v, codes)
    assert gap.best.tolist() == [1, 2, 0]
    np.testing.assert_allclose(gap.entropy, LOG_BINS, rtol=1e-6)
    np.testing.assert_allclose(gap.information[np.arange(3), gap.best], LOG_BINS, rtol=1e-4)
    assert gap.mig == pytest.approx(1 - BIAS / LOG_BINS, abs=0.003)
    assert interp.tracks(interp.normalised_information(v, codes)).all()


def test_a_rotated_code_knows_as_much_but_has_no_gap():
    """Rotated by 45 degrees, both latents know half of each factor: the gap must be small.

    Gaussian factors, so that the truth is known: correlation 1/sqrt(2), I = log(2) / 2 nats.
    """
    v = np.random.default_rng(1).standard_normal((N, 2))
    turned = v @ np.array([[1, -1], [1, 1]]) / math.sqrt(2)
    gap = interp.mutual_information_gap(v, turned)
    # Cutting into bins loses a little, counting adds the bias.
    np.testing.assert_allclose(gap.information, math.log(2) / 2, atol=0.03)
    assert gap.mig < 0.01
    assert not interp.tracks(gap.information / gap.entropy[:, None]).any()
    straight = interp.mutual_information_gap(v, v)
    assert straight.mig > 0.98


def test_the_information_of_correlated_gaussians():
    """I = -log(1 - rho^2) / 2, from below: bins can only lose."""
    rng = np.random.default_rng(2)
    v, noise = rng.standard_normal((2, N, 1))
    rho = np.array([0.3, 0.6, 0.9])
    codes = rho * v + np.sqrt(1 - rho**2) * noise
    found = interp.mutual_information_matrix(v, codes)[0]
    exact = -np.log(1 - rho**2) / 2
    np.testing.assert_allclose(found - BIAS, exact, rtol=0.06, atol=0.01)
    assert found[2] - BIAS < exact[2]


def test_the_matrix_is_the_sum_over_cells():
    """Four by four bins, counted one example at a time."""
    v, c = uniform(1, 3)[:, 0], uniform(1, 4)[:, 0]
    c = c + v
    cells = [np.argsort(np.argsort(values)) * 4 // N for values in (v, c)]
    joint = np.zeros((4, 4))
    for a, b in zip(*cells, strict=True):
        joint[a, b] += 1 / N
    expected = sum(
        p * math.log(p / (joint[a].sum() * joint[:, b].sum()))
        for (a, b), p in np.ndenumerate(joint)
        if p > 0
    )
    found = interp.mutual_information_matrix(v[:, None], c[:, None], bins=4)
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(expected, rel=1e-9)


def test_noise_knows_the_bias_and_the_baseline_says_so():
    v, codes = uniform(3), np.random.default_rng(5).standard_normal((N, 4))
    gap = interp.mutual_information_gap(v, codes)
    baseline = interp.permutation_baseline(v, codes, np.random.default_rng(6))
    assert baseline.information.shape == baseline.spread.shape == (3, 4)
    np.testing.assert_allclose(baseline.information, BIAS, rtol=0.1)
    assert (np.abs(gap.information - baseline.information) < 5 * baseline.spread).all()
    assert gap.mig < 2 * baseline.migs.max() < 0.003


def test_the_baseline_of_a_perfect_code_is_that_of_noise():
    v = uniform(2)
    baseline = interp.permutation_baseline(v, v, np.random.default_rng(6), permutations=8)
    np.testing.assert_allclose(baseline.information, BIAS, rtol=0.15)
    assert baseline.migs.shape == (8,)


@pytest.mark.parametrize("order", ["as they come", "sorted"])
def test_a_latent_that_never_changes_knows_nothing(order):
    """Also where the examples are sorted by the factor: ties are never broken by position."""
    v = uniform(1)
    v = np.sort(v, axis=0) if order == "sorted" else v
    codes = np.concatenate([np.full((N, 1), 0.25), v], axis=1)
    information = interp.mutual_information_matrix(v, codes)
    assert information[0, 0] == pytest.approx(0, abs=1e-12)
    assert interp.mutual_information_gap(v, codes).mig == pytest.approx(1)


def test_a_collapsed_latent_is_found_out_by_draws_and_not_by_means():
    """Why a code is a draw from q(z | x): here mu follows the factor, drowned by sigma = 1."""
    v = uniform(1)
    mu = 1e-3 * v
    z = mu + np.random.default_rng(3).standard_normal((N, 1))
    assert interp.normalised_information(v, mu)[0, 0] > 0.99
    assert interp.normalised_information(v, z)[0, 0] < 1.3 * BIAS / LOG_BINS


def test_tracking_needs_half_of_the_entropy_in_four_of_five_seeds():
    normalised = np.zeros((5, 3, 2))
    normalised[:4, 0, 1] = 0.5  # four seeds, exactly at the threshold
    normalised[:3, 1, 0] = 0.9  # three seeds
    normalised[:, 2] = 0.49  # nearly, always
    assert interp.tracks(normalised).tolist() == [True, False, False]
    assert interp.tracks(normalised[0]).tolist() == [True, True, False]
    normalised[[0, 1], 0] = normalised[[0, 1], 0, ::-1]  # another latent in other seeds
    assert interp.tracks(normalised)[0]


def quantile_bins(values, bins=20):
    """Bins of equal mass, as they are defined where no values are equal."""
    cuts = np.quantile(values, np.arange(1, bins) / bins, axis=0)
    return np.stack(
        [np.searchsorted(c, v, side="right") for c, v in zip(cuts.T, values.T, strict=True)], axis=1
    )


@pytest.mark.parametrize("n", [10_000, 10_001])  # with 10,001 the cuts are values of the column
def test_bins_of_continuous_factors_are_quantile_bins_to_the_bit(n):
    """The cats' factors and codes: the rules for equal values must not move a single one."""
    rng = np.random.default_rng(4)
    z, codes = cats.sample_factors(n, rng), rng.standard_normal((n, 3))
    for values in (z, codes):
        np.testing.assert_array_equal(interp._into_bins(values, 20), quantile_bins(values))


@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])
def test_a_binary_factor_knows_itself_however_rare_it_is(share):
    """A 0/1 factor has the information H(share) with itself and with its negation."""
    rng = np.random.default_rng(3)
    v = (rng.random((N, 1)) < share).astype(float)
    codes = np.concatenate([v, 1 - v, rng.standard_normal((N, 1))], axis=1)
    p = v.mean()
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    gap = interp.mutual_information_gap(v, codes)
    np.testing.assert_allclose(gap.entropy, entropy, rtol=1e-12)
    np.testing.assert_allclose(gap.information[0, :2], entropy, rtol=1e-12)
    assert gap.information[0, 2] == pytest.approx(19 / (2 * N), abs=19 / (2 * N))  # the bias
    assert interp.mutual_information_gap(v, codes[:, 1:]).mig > 0.98


def test_few_distinct_values_have_a_bin_each():
    """Three values, two of them rare: none is thrown together with another."""
    v = np.random.default_rng(3).choice([-1.0, 5.0, 5.5], (N, 1), p=[0.97, 0.015, 0.015])
    shares = np.array([(v == value).mean() for value in (-1, 5, 5.5)])
    found = interp.mutual_information_matrix(v, np.concatenate([v, -v], axis=1))
    np.testing.assert_allclose(found, -(shares * np.log(shares)).sum(), rtol=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_frequent_value_among_many_is_kept_apart_from_its_neighbours(sign):
    """Half of the numbers are 0, the others continuous on both sides of it: in which of the three
    groups a number is must be known exactly, whichever way the column runs."""
    rng = np.random.default_rng(3)
    v = rng.choice([-1.0, 0.0, 1.0], (N, 1), p=[0.23, 0.54, 0.23])
    code = sign * v * rng.uniform(0.1, 2, (N, 1))
    cells = interp._into_bins(code, 20)[:, 0]
    for a, b in ((-1, 0), (0, 1)):
        low, high = cells[np.sign(code[:, 0]) == a], cells[np.sign(code[:, 0]) == b]
        assert low.max() < high.min()
    assert len(np.unique(cells[code[:, 0] == 0])) == 1
    np.testing.assert_allclose(interp.normalised_information(v, code), 1, rtol=1e-12)


# ---- the quality of samples ----------------------------------------------------------------------


def test_nearest_is_the_smallest_of_all_distances(monkeypatch):
    rng = np.random.default_rng(7)
    pictures, references = rng.random((23, 30)), rng.random((17, 30))
    table = np.sqrt(((pictures[:, None] - references) ** 2).sum(axis=-1))
    for chunk in (1 << 22, 40):
        monkeypatch.setattr(quality, "CHUNK_DISTANCES", chunk)
        distances, index = quality.nearest(pictures, references)
        np.testing.assert_array_equal(index, table.argmin(axis=1))
        np.testing.assert_allclose(distances, table.min(axis=1), rtol=1e-6)


def test_the_nearest_of_a_reference_is_itself_at_exactly_zero():
    references = cats.draw(50, np.random.default_rng(1))[0].reshape(50, -1)
    distances, index = quality.nearest(references, references)
    assert (distances == 0).all()
    assert index.tolist() == list(range(50))


def test_the_radius_is_the_distance_to_the_kth_other(monkeypatch):
    line = np.array([0.0, 1.0, 3.0, 7.0])[:, None]
    for chunk in (1 << 22, 5):
        monkeypatch.setattr(quality, "CHUNK_DISTANCES", chunk)
        np.testing.assert_allclose(quality.neighbour_radii(line, k=1), [1, 1, 2, 4])
        np.testing.assert_allclose(quality.neighbour_radii(line, k=2), [3, 2, 3, 6])


def test_distances_of_nearly_equal_pictures_do_not_cancel():
    """Pictures of length 28 that differ by 1e-4 or less: |p|^2 - 2 p.r + |r|^2 in float32 is off by
    1e-3 there, so it gives neither the distances nor which is the nearest."""
    rng = np.random.default_rng(7)
    base = np.ones((1, 784), np.float32)
    bright = np.unique(rng.integers(1, 800, 60))
    pictures = np.repeat(base, len(bright), axis=0)
    pictures[:, 5] += np.float32(2**-23) * bright.astype(np.float32)
    exact = np.abs(np.subtract.outer(*2 * [pictures[:, 5].astype(np.float64)]))
    np.testing.assert_allclose(
        quality.neighbour_radii(pictures, k=3), np.sort(exact, axis=1)[:, 3], rtol=1e-12
    )
    distances, index = quality.nearest(pictures[::2], pictures[1::2])
    np.testing.assert_array_equal(index, exact[::2, 1::2].argmin(axis=1))
    np.testing.assert_allclose(distances, exact[::2, 1::2].min(axis=1), rtol=1e-12)
    radii = quality.neighbour_radii(pictures, k=1)
    assert quality.coverage(pictures, pictures, radii * 0) == 1
    covered = exact[::2, 1::2].min(axis=1) <= radii[::2]
    assert quality.coverage(pictures[1::2], pictures[::2], radii[::2]) == covered.mean()


def test_pictures_too_bright_for_a_float32_square_are_still_measured():
    """1e30 squared is infinite in float32: every pair is then computed from its difference."""
    pictures = np.array([[1.0], [2.0], [5.0]]) * 1e30
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(quality.neighbour_radii(pictures, k=1), [1e30, 1e30, 3e30])


def test_coverage_of_the_same_distribution_is_the_one_of_exchangeable_points():
    """Nothing covers a point if its k nearest are all real: one in about 2^k times."""
    rng = np.random.default_rng(8)
    references, samples = rng.random((2, 3000, 4))
    radii = quality.neighbour_radii(references, k=3)
    uncovered = np.prod([(2999 - i) / (5999 - i) for i in range(3)])  # 1/8, nearly
    assert quality.coverage(samples, references, radii) == pytest.approx(1 - uncovered, abs=0.025)
    assert quality.coverage(references, references, radii) == 1
    assert quality.coverage(samples + 10, references, radii) == 0
    half = samples[samples[:, 0] < 0.5]
    assert 0.4 < quality.coverage(half, references, radii) < 0.6


def test_the_energy_distance_of_a_few_points_and_of_one_distribution():
    near, far = np.array([[0.0], [2.0]]), np.array([[5.0], [9.0]])
    assert quality.energy_distance(near, far) == pytest.approx(2 * 6 - 2 - 4)
    rng = np.random.default_rng(3)
    estimates = [
        quality.energy_distance(rng.standard_normal((20, 3)), rng.standard_normal((30, 3)))
        for _ in range(400)
    ]
    assert abs(np.mean(estimates)) < 4 * np.std(estimates) / 20  # unbiased


def measured(samples, references, held_out, radii):
    """Distance of the samples, distance of real pictures not among the references, coverage."""
    distances = (quality.nearest(p, references)[0].mean() for p in (samples, held_out))
    return *distances, quality.coverage(samples, references, radii)


def test_quality_tells_good_cats_from_blurred_and_from_monotonous_ones():
    rng = np.random.default_rng(9)
    references, held_out, fresh = (
        cats.draw(n, rng, 16)[0].reshape(n, -1) for n in (1500, 200, 300)
    )
    blurred = 0.6 * fresh + 0.4 * references.mean(axis=0)
    same = np.repeat(references[:1], 300, axis=0)
    radii = quality.neighbour_radii(references)
    good, dull, stuck = (
        measured(samples, references, held_out, radii) for samples in (fresh, blurred, same)
    )
    distance, held_out_distance, coverage = good
    assert distance == pytest.approx(held_out_distance, rel=0.1)
    assert dull[0] > 1.2 * distance
    assert stuck[0] == 0
    assert stuck[2] < 0.02 < coverage


# ---- bad input -----------------------------------------------------------------------------------

V = np.random.default_rng(0).random((interp.MIN_EXAMPLES, 2))
HOLED = np.where(np.arange(len(V))[:, None] == 7, math.nan, V)
P = np.zeros((4, 9))
RNG = np.random.default_rng(0)

WRONG = [
    (lambda: interp.mutual_information_matrix(V[:500], V[:500]), "500 examples; .* at least 10000"),
    (lambda: interp.mutual_information_matrix(V, V[1:]), "10000 rows of factors and 9999 of codes"),
    (lambda: interp.mutual_information_matrix(V[:, 0], V), r"factors: float64 of shape \(10000,\)"),
    (lambda: interp.mutual_information_matrix(V, HOLED), "codes holds NaN or infinity in row 7"),
    (lambda: interp.mutual_information_matrix(V, "codes"), "table of numbers"),
    (lambda: interp.mutual_information_matrix(V, [[1], [2, 3]]), "codes: not an array"),
    (lambda: interp.mutual_information_matrix(V, V, bins=1), "bins is 1"),
    (lambda: interp.mutual_information_matrix(V, V, bins=20.0), "bins is 20.0"),
    (lambda: interp.mutual_information_gap(V, V[:, :1]), "give at least two"),
    (lambda: interp.mutual_information_gap(np.ones_like(V), V), "factor 0 never changes"),
    (lambda: interp.permutation_baseline(V, V, 3), "rng is 3"),
    (
        lambda: interp.permutation_baseline(V, V, RNG, permutations=1),
        "permutations is 1; .* from 2 up",
    ),
    (lambda: interp.tracks([0.5, 0.6]), r"\(S, F, L\)"),
    (lambda: interp.tracks("chonk"), "normalised is 'chonk'; it must hold real numbers"),
    (lambda: interp.tracks([[math.nan]]), "normalised holds NaN"),
    (lambda: quality.energy_distance(P[:1], P), "number of samples"),
    (lambda: quality.nearest(P, P[:, 1:]), "9 pixels and references of 8"),
    (lambda: quality.nearest(P[:0], P), "shape"),
    (lambda: quality.neighbour_radii(P, k=4), "from 1 to 3"),
    (lambda: quality.neighbour_radii(P, k=0), "from 1 to 3"),
    (lambda: quality.coverage(P, P, np.ones(3)), "one for each of the 4"),
    (lambda: quality.coverage(P, P, [1, 1, -1, 1]), "radius 2 is -1; a distance is at least 0"),
    (lambda: quality.coverage(P, P, "radii"), "radii is 'radii'; it must hold real numbers"),
    (lambda: quality.nearest(np.ma.masked_less(P, 9), P), "the pictures: .* are masked"),
    (lambda: interp.mutual_information_matrix(np.ma.masked_less(V, 9), V), "are masked"),
    (lambda: interp.tracks(np.ma.masked_less([[0.5, 0.6]], 0.55)), "are masked"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_arguments_are_refused_in_one_line(call, message):
    with pytest.raises(MinivaeError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
