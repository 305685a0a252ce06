"""Images in any usual form are accepted, and all else is refused."""

import numpy as np
import pytest
from image_files import GREY
from refusals import refusal

from minivae import checks


def test_uint8_is_not_copied():
    assert np.shares_memory(checks.check_images(GREY), GREY)


@pytest.mark.parametrize("shape", [(20, 12), (20, 4, 3), (20, 4, 3, 1), (20, 1, 4, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", ">u2", "float32", "float64"])
def test_images_of_any_usual_form_are_accepted(shape, dtype):
    images = GREY.reshape(shape).astype(dtype)
    if images.dtype.kind == "f":
        images = images / 255
    flat = checks.check_images(images)
    assert flat.shape == (20, 12)
    assert flat.flags.c_contiguous
    expected = GREY.reshape(20, 12)
    if images.dtype.kind == "f":
        expected = (expected / 255).astype(np.float32)
    assert flat.dtype == expected.dtype
    assert np.array_equal(flat, expected)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64"])
def test_zeros_and_ones_are_black_and_white(dtype):
    images = np.array([[0, 1, 0], [1, 1, 0]], dtype)
    assert np.array_equal(checks.check_images(images), [[0, 255, 0], [255, 255, 0]])
    assert checks.check_images(images).dtype == np.uint8


def test_lists_are_accepted():
    assert np.array_equal(checks.check_images([[0.0, 0.5], [1.0, 0.25]]), [[0, 0.5], [1, 0.25]])


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.array([[0.0, 1 + 1e-7]]), "floats up to 1.0000001, rounding errors above 1; clip them"),
        (GREY.astype(float), "floats up to 255; if they are grey levels 0..255, divide by 255"),
        (np.array([[0, -1]]), "integers from -1 to 0"),
        (np.array([[0, 256]]), "integers from 0 to 256"),
        (np.array([[-0.5, 0.5]]), "floats from -0.5 to 0.5; rescale or clip"),
        (np.array([[0.0, 1e6]]), "floats from 0 to 1e+06"),
        (np.array([[0.5, 0.5], [0.5, np.nan]]), "1 pixels are NaN or infinite"),
        (np.array([[0.5, 0.5], [0.5, np.nan]]), "the first in image 1 at [1]"),
        (np.array([[[0.5, np.inf]]]), "image 0 at [0, 1]"),
        (np.zeros((0, 784)), "holds no images"),
        (np.zeros((3, 0)), "holds no images"),
        (np.arange(10), "10 integers looks like labels"),
        (np.zeros(5), "X[None] for a single image"),
        (np.zeros((2, 5, 5, 3)), "colour channels; convert to grey"),
        (np.zeros((2, 3, 5, 5)), "colour channels; convert to grey"),
        (np.zeros((2, 5, 5, 5)), "4 dimensions"),
        (np.zeros((1, 2, 3, 4, 5)), "5 dimensions"),
        (np.float64(0.5), "0 dimensions"),
        (np.zeros((2, 2), complex), "complex numbers"),
        (np.array([[None]]), "Python objects"),
        (np.array([["a"]]), "not numbers (dtype <U1)"),
        (np.zeros((2, 2), "M8[s]"), "not numbers"),
        ([[0.5], [0.5, 0.5]], "not an array (setting an array element"),
        ("mnist", "not numbers"),
        (None, "Python objects"),
    ],
)
def test_arrays_out_of_order_are_refused(images, said):
    message = refusal(checks.check_images, images, "here")
    assert said in message
    assert message.startswith("here: ")
