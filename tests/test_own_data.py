"""The table of files that people bring: what comes out of each, or its one line."""

import numpy as np
import pytest
from image_files import assert_split
from own_data import CASES, DSPRITES, FACTORS, MASK
from refusals import refusal

from minivae import data


def test_the_table_has_more_than_sixty_files():
    assert len(CASES) > 60


@pytest.mark.parametrize("name", CASES)
def test_what_comes_out(tmp_path, name):
    make, out, options = CASES[name]
    path = make(tmp_path)
    if isinstance(out, str):
        assert out in refusal(data.load, path, options)
        return
    dataset = data.load(path, options)
    for words in out.says:
        assert words in dataset.note
    if out.classes is not None:
        assert dataset.classes == out.classes
    flat = out.images.reshape(len(out.images), -1)
    assert dataset.train.dtype == (np.uint8 if flat.dtype == np.uint8 else np.float32)
    if out.images.ndim == 3:
        assert dataset.image_shape == out.images.shape[1:]
    if out.test is None and len(flat) > 1 and len({bytes(image) for image in flat}) == len(flat):
        assert_split(dataset, flat.astype(dataset.train.dtype), out.labels)
        assert not dataset.own_test
    elif out.test is None:
        both = dataset.train if len(flat) == 1 else np.concatenate([dataset.train, dataset.test])
        assert sorted(map(bytes, both)) == sorted(map(bytes, flat.astype(both.dtype)))
    else:
        np.testing.assert_allclose(dataset.train, flat, rtol=1e-6)
        np.testing.assert_allclose(dataset.test, out.test.reshape(len(out.test), -1), rtol=1e-6)
        _assert_labels(dataset.train_labels, out.labels)
        _assert_labels(dataset.test_labels, out.test_labels)


def _assert_labels(labels, expected):
    if expected is None:
        assert labels is None
    else:
        assert labels.dtype == np.int64
        assert labels.tolist() == expected.tolist()


def test_the_factors_of_dsprites_stay_with_their_images(tmp_path):
    """A row of factors goes where its image goes; a factor that never changes is not studied."""
    dataset = data.load(FACTORS(tmp_path))
    assert dataset.factor_names == ("color", "shape", "scale", "orientation", "x", "y")
    images = np.concatenate([dataset.train, dataset.test])
    factors = np.concatenate([dataset.train_factors, dataset.test_factors])
    known = {
        bytes(image): row for image, row in zip(255 * MASK.reshape(20, 12), DSPRITES, strict=True)
    }
    assert all((known[bytes(x)] == row).all() for x, row in zip(images, factors, strict=True))
    assert len(dataset.test) == 2
    assert "color" not in data.true_factors(dataset)
    assert "not used: latents_values" in dataset.note


@pytest.mark.parametrize("factors", [np.zeros(3), np.full((20, 2), np.nan), np.zeros((20, 0))])
def test_factors_that_do_not_fit_are_left_out_and_named(tmp_path, factors):
    np.savez(tmp_path / "a.npz", images=MASK, factors=factors)
    dataset = data.load(tmp_path / "a.npz")
    assert dataset.train_factors is None
    assert data.true_factors(dataset) is None
    assert "factors left out" in dataset.note


def test_factors_have_the_names_that_the_file_gives(tmp_path):
    np.savez(tmp_path / "a.npz", x=MASK, factors=DSPRITES[:, 1:3], factor_names=["size", "angle"])
    assert data.load(tmp_path / "a.npz").factor_names == ("size", "angle")
