"""Arrays and tables that people give to `minivae.VAE`: what is used of them, what is refused.

What a number means, and which column is which pixel, is fixed by `fit`; the same image gets the
same code in every form.
"""

import warnings

import numpy as np
import pytest
from refusals import refusal

from minivae import VAE, checks

rng = np.random.default_rng(0)
GREY = rng.integers(0, 256, (30, 4, 4), dtype=np.uint8)
FLAT = GREY.reshape(30, 16)
DIGITS = (FLAT // 16 + (FLAT == 255)).astype(np.uint8)  # 0..16
BITS = (FLAT > 127).astype(np.uint8)
NAMES = [f"pixel{i}" for i in range(16)]
pytestmark = pytest.mark.filterwarnings("ignore:the images are grey:UserWarning")


def model(**changes):
    return VAE(hidden=(4,), epochs=1, backend="numpy", random_state=0, **changes)


@pytest.fixture(scope="module")
def fitted():
    return model(likelihood="gaussian").fit(GREY)


def fit_digits(X):
    with pytest.warns(UserWarning, match="the brightest pixel is 16: scaled by 16"):
        return model(likelihood="gaussian").fit(X)


# ---- what a number means -------------------------------------------------------------------------


def test_dark_integers_are_scaled_by_their_brightest_pixel_and_it_is_said():
    digits = fit_digits(DIGITS)
    assert digits.model_.white == 16
    floats = model(likelihood="gaussian").fit(DIGITS / 16)
    assert np.array_equal(digits.model_.flat, floats.model_.flat)


def test_white_stays_what_it_was_in_the_fit(tmp_path):
    """Images without a pixel of 16 are not scaled by their own brightest; brighter are refused."""
    digits = fit_digits(DIGITS)
    code = digits.transform(DIGITS / 16)
    np.testing.assert_allclose(digits.transform(DIGITS), code, atol=1e-6)
    for i in range(5):
        np.testing.assert_allclose(
            digits.transform(DIGITS[i : i + 1] // 3 * 3)[0],
            digits.transform(DIGITS // 3 * 3)[i],
            atol=1e-6,
        )
    assert "integers up to 255, and this model was fitted on integers 0 to 16" in refusal(
        digits.transform, GREY
    )
    digits.save(tmp_path / "m.npz")
    again = VAE.load(tmp_path / "m.npz")
    np.testing.assert_allclose(again.transform(DIGITS), digits.transform(DIGITS), atol=1e-6)


@pytest.mark.parametrize("binary", [BITS.astype(bool), BITS.astype(float)])
def test_a_model_of_black_and_white_asks_where_one_is_not_clear(binary):
    bits = model().fit(binary)
    code = bits.transform(binary)
    np.testing.assert_array_equal(bits.transform(BITS), code)
    np.testing.assert_array_equal(bits.transform(BITS * 255), code)
    both = np.concatenate([BITS[:1], FLAT[1:]])
    assert "image 0 holds only 0 and 1, others more" in refusal(bits.transform, both)


@pytest.mark.parametrize("white", [2, 16, 100, 127, 255])
def test_an_image_has_one_code_alone_in_a_batch_and_as_floats(white):
    X = (FLAT.astype(int) * white // 255).astype(np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which number is white
        fit = model().fit(X)
    code = fit.transform(X)
    np.testing.assert_allclose(fit.transform(X / white), code, atol=1e-6)
    np.testing.assert_allclose(fit.transform(X.astype(np.int64)), code, atol=1e-6)
    alone = np.concatenate([fit.transform(x[None]) for x in X])
    np.testing.assert_allclose(alone, code, atol=1e-6)


@pytest.mark.parametrize(
    ("highest", "bits", "white"),
    [(0, 8, 255), (1, 8, 1), (2, 8, 2), (16, 8, 16), (127, 8, 127), (128, 8, 255), (255, 8, 255),
     (256, 8, 256), (4095, 8, 4095), (40000, 8, 65535), (65535, 8, 65535), (1, 16, 1),
     (255, 16, 255), (4095, 16, 4095), (32768, 16, 65535)],
)  # fmt: skip
def test_which_integer_is_white(highest, bits, white):
    assert checks.white_of(highest, bits) == white


# ---- shapes --------------------------------------------------------------------------------------


def test_images_of_another_shape_are_refused_though_they_have_as_many_pixels(fitted):
    said = refusal(fitted.transform, GREY.reshape(30, 2, 8))
    assert "images of (2, 8), and this model was fitted on (4, 4)" in said
    np.testing.assert_array_equal(fitted.transform(FLAT), fitted.transform(GREY))


@pytest.mark.parametrize("x", [GREY[0], FLAT[0], GREY[0] / 255, FLAT[0] / 255])
def test_one_image_is_answered_with_how_to_give_one(fitted, x):
    assert "that of one image; give X[None]" in refusal(fitted.transform, x)
    assert fitted.transform(x[None]).shape == (1, 2)


def test_a_mask_is_not_dropped(fitted):
    masked = np.ma.masked_array(FLAT, FLAT > 250)
    for call in (fitted.transform, model().fit):
        assert "masked, which means missing" in refusal(call, masked)


def test_fewer_images_than_a_batch_are_one_batch():
    assert model().fit(FLAT[:7]).history_[-1]["step"] == 1
    assert "only 7 training images" in refusal(model(batch_size=8).fit, FLAT[:7])


# ---- tables --------------------------------------------------------------------------------------


class Frame:
    """What the checks use of a data frame, for machines without pandas."""

    def __init__(self, values, columns):
        self.values, self.columns = np.asarray(values), list(columns)
        self.dtypes = [self.values.dtype] * len(self.columns)

    def isna(self):
        missing = self.values != self.values
        return Frame(missing, self.columns)

    def to_numpy(self, dtype=None):
        return self.values.astype(dtype or self.values.dtype)


class Polars(Frame):
    """A frame of polars has no isna, and types of its own."""

    isna = property()  # raises AttributeError

    def __init__(self, values, columns):
        super().__init__(values, columns)
        self.dtypes = ["UInt8"] * len(self.columns)


def pandas_frame(values, columns):
    return pytest.importorskip("pandas").DataFrame(values, columns=columns)


each_frame = pytest.mark.parametrize("frame", [Frame, pandas_frame])
with_polars = pytest.mark.parametrize("frame", [Frame, pandas_frame, Polars])


@with_polars
def test_columns_in_another_order_are_put_in_order(tmp_path, frame):
    fit = model(likelihood="gaussian").fit(frame(FLAT, NAMES))
    assert list(fit.feature_names_in_) == NAMES
    code = fit.transform(FLAT)
    order = np.random.default_rng(1).permutation(16)
    shuffled = frame(FLAT[:, order], [NAMES[i] for i in order])
    np.testing.assert_array_equal(fit.transform(shuffled), code)
    fit.save(tmp_path / "m.npz")
    loaded = VAE.load(tmp_path / "m.npz").transform(shuffled)
    np.testing.assert_allclose(loaded, code, atol=1e-6)


@with_polars
def test_other_columns_are_refused(frame):
    fit = model(likelihood="gaussian").fit(frame(FLAT, NAMES))
    other = frame(FLAT, [*NAMES[:15], "width"])
    assert "pixel15 is missing, width is new" in refusal(fit.transform, other)


@with_polars
@pytest.mark.parametrize("name", ["label", "Class", "target", "y"])
def test_a_label_is_no_pixel(frame, name):
    table = frame(np.c_[FLAT % 10, FLAT], [name, *NAMES, *[f"p{i}" for i in range(15)]])
    said = refusal(model().fit, table)
    assert f"a column {name}, which is no pixel; leave it out: X.drop(columns='{name}')" in said


@each_frame
def test_missing_values_are_named(frame):
    holes = FLAT / 255
    holes[3, 2] = np.nan
    said = refusal(model().fit, frame(holes, NAMES))
    assert "1 values are missing, the first in row 3 of column pixel2" in said


@each_frame
def test_words_in_a_table_are_named(frame):
    assert "pixel0 that holds no numbers" in refusal(model().fit, frame(FLAT.astype(str), NAMES))


def test_nullable_columns_are_converted():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(FLAT, columns=NAMES)
    plain = model(likelihood="gaussian").fit(FLAT).model_.flat
    for dtype in ("UInt8", "Int64"):
        nullable = model(likelihood="gaussian").fit(table.astype(dtype))
        assert np.array_equal(nullable.model_.flat, plain)
    holes = table.astype("Int64")
    holes.iloc[2, 1] = pandas.NA
    assert "row 2 of column pixel1" in refusal(model().fit, holes)


def test_sparse_matrices_are_used_with_their_zeros(fitted):
    class Sparse:
        nnz = 1

        def toarray(self):
            return FLAT

    np.testing.assert_array_equal(fitted.transform(Sparse()), fitted.transform(FLAT))


# ---- scores --------------------------------------------------------------------------------------


def test_scores_of_two_likelihoods_on_the_same_images_are_warned_about():
    X = BITS[:9]
    bernoulli, gaussian = model().fit(X), model(likelihood="gaussian").fit(X)
    bernoulli.score(X)
    with pytest.warns(UserWarning, match=r"cannot be compared.*bits_per_dim"):
        gaussian.score(X)
    with pytest.warns(UserWarning, match="cannot be compared"):
        bernoulli.score(X)


def test_a_bernoulli_of_half_costs_one_bit_a_pixel():
    fit = model().fit(BITS)
    fit.model_.flat[:] = 0  # q is the prior, and every pixel has probability 1/2
    np.testing.assert_allclose(fit.bits_per_dim(BITS, 3), 1, rtol=1e-5)


def test_a_gaussian_that_is_uniform_over_the_bytes_costs_eight_bits_a_pixel():
    """With the mean at the image and variance 1 / (2 pi), the density of each pixel is 1: the
    probability of its byte is then 1 / 255."""
    X = np.full((5, 16), 128, np.uint8)
    fit = model(likelihood="gaussian", variance=1 / (2 * np.pi)).fit(X)
    fit.model_.flat[:] = 0
    fit.model_.params["out_b"][:] = 128 / 255
    np.testing.assert_allclose(fit.bits_per_dim(X, 3), np.log2(255), rtol=1e-5)
