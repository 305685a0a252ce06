"""Numbers that comments and docstrings state without a better place for their test."""

import math
import threading

import numpy as np
import pytest

from minivae import data, evaluate, runs, vae
from minivae.data import batches, cats
from minivae.data.loading import load
from minivae.errors import MinivaeError
from minivae.evaluate import interpretability
from minivae.gradcheck import differences


def test_the_shares_of_grey_and_of_ink_in_the_digits_and_cats():
    """data/batches.py: which images are grey; kernels/sparse_products.py: an eighth
    of the work, or a fifth."""

    def grey(pixels):
        low, high = batches.GREY
        return ((pixels > low) & (pixels < high)).mean()

    digits = load("mnist").train[:10_000]
    shrunk = (digits / 255).reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    assert grey(digits / 255) == pytest.approx(0.09, abs=0.005)
    assert grey(shrunk) == pytest.approx(0.17, abs=0.005)
    assert grey(cats.draw(500, np.random.default_rng(0))[0]) == pytest.approx(0.25, abs=0.01)
    assert (digits > 0).mean() == pytest.approx(1 / 5, abs=0.015)
    assert (digits / 255).mean() == pytest.approx(1 / 8, abs=0.01)


def test_the_standard_error_of_a_log_never_exceeds_one():
    """evaluate.log_likelihood: it is largest where one of K > 1 samples has all of the weight."""
    rng = np.random.default_rng(0)
    for K in (2, 3, 50):
        log_w = rng.standard_normal((K, 200)) * 10.0 ** rng.uniform(-2, 3, 200)
        log_w[0, 0] += 1e5
        _, stderr, ess = evaluate.summarise_weights([log_w], K)
        assert (stderr <= 1 + 1e-12).all()
        assert stderr[0] == pytest.approx(1)
        assert ess[0] == pytest.approx(1)
    one = evaluate.summarise_weights([log_w[:1]], 1)[1]
    assert (one == np.inf).all()


@pytest.mark.parametrize("S", [1, 3, 7])
def test_a_resampled_weight_is_never_two_draws_away_from_its_share(S):
    """vae.resample: weights of every size, u at both ends of its range and anywhere between."""
    rng = np.random.default_rng(1)
    weights = rng.random((6, 500)) ** 4
    weights /= weights.sum(axis=0)
    for u in (np.zeros((S, 500)), np.full((S, 500), 1 - 1e-12), rng.random((S, 500))):
        k = vae.resample(weights, u)
        counts = (k == np.arange(6)[:, None, None]).sum(axis=1)
        assert (np.abs(counts - S * weights) < 2).all()


def test_differences_in_float32_are_off_by_about_one_per_cent():
    """gradcheck/differences.py: why all of it needs float64. The median over 21 functions."""

    def f32(x):
        x = x.astype(np.float32)
        return float(np.sum(np.tanh(x) * x))

    errors = []
    for seed in range(21):
        x = np.random.default_rng(seed).standard_normal(20)
        right = np.tanh(x) + x * (1 - np.tanh(x) ** 2)
        off = np.abs(differences.central_differences(f32, x) - right)
        errors.append(off.max() / np.abs(right).max())
    assert 0.003 < np.median(errors) < 0.03


def test_two_runs_never_claim_the_same_folder(tmp_path, monkeypatch):
    """runs/folders.py: twenty at once, of which each gets a folder of its own."""
    monkeypatch.chdir(tmp_path)
    names, barrier = [], threading.Barrier(20)

    def claim():
        barrier.wait()
        names.append(runs.claim_folder("mnist").as_posix())

    threads = [threading.Thread(target=claim) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == len(names) == 20


def test_an_increasing_function_of_a_code_is_the_same_code():
    """evaluate/interpretability.py: to the bit, where the function keeps distinct values apart."""
    rng = np.random.default_rng(2)
    v, z = rng.random((10_001, 2)), rng.standard_normal((10_001, 1))
    codes = np.hstack([z, np.arctan(z), 5 * z + 3, (z > 0) * 1.0, (z > 0) * 7.0 - 2])
    table = interpretability.mutual_information_matrix(v, codes)
    np.testing.assert_array_equal(table[:, 3], table[:, 4])
    np.testing.assert_allclose(table[:, 1:3], table[:, [0, 0]], rtol=0, atol=1e-3)


def test_the_bias_of_the_information_of_unrelated_columns():
    """(a - 1) (b - 1) / 2N nats for a and b bins in use: also where one column has few values."""
    N = 20_000
    rng = np.random.default_rng(3)
    few = rng.integers(0, 3, (N, 12)).astype(float)
    found = interpretability.mutual_information_matrix(few, rng.random((N, 12)))
    assert found.mean() == pytest.approx(2 * 19 / (2 * N), rel=0.1)


def test_a_score_is_of_one_recorded_binarization():
    """data/batches.py: the test images are always the same zeros and ones."""
    images = load("mnist").test[:50]
    first, again = (data.test_images(images, "bernoulli") for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert set(np.unique(first)) == {0, 1}
    assert math.isclose(first.mean(), images.mean() / 255, rel_tol=0.02)


def test_a_wrong_number_of_groups_is_refused():
    """evaluate.importance_bounds: a K that leaves fewer than two groups has no error bar."""
    spec = vae.Spec(4, (3,), 2)
    params = vae.unpack(vae.init_params(spec, np.random.default_rng(0)), spec)
    x = np.zeros((2, 4), np.float32)
    options = {"rng": np.random.default_rng(0), "draws": 10}
    with pytest.raises(MinivaeError, match="two groups"):
        evaluate.importance_bounds(params, x, spec, samples=(6,), **options)
    assert evaluate.importance_bounds(params, x, spec, samples=(5,), **options).stderr > 0
