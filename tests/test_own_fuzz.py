"""Random own data through every reader and every method of the estimator.

Nothing raises but MinivaeError, and no meaning changes in silence: an image that was saved in one
form comes out of each reader with the same values, and gets the same code alone, in a batch, as
bytes and as floats.
"""

import gzip
import io
import warnings
import zipfile

import numpy as np
import pytest
from image_files import idx_bytes, npy_bytes
from own_data import mat, png
from PIL import Image

from minivae import VAE, data
from minivae.errors import MinivaeError

SEED = 20261129
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # which number is white; grey


def counts(fast, slow):
    return pytest.mark.parametrize(
        "count", [fast, pytest.param(slow, marks=pytest.mark.slow)], ids=["fast", "slow"]
    )


def one_line(error, words=""):
    """A refusal is one printable line, which holds certain words."""
    assert str(error).isprintable()
    assert words in str(error)


def pick(rng, options):
    return options[int(rng.integers(len(options)))]


def some_images(rng):
    """Images (N, h, w) of integers whose brightest is the white that a reader will find."""
    n, h, w = (int(size) for size in rng.integers((2, 2, 2), (9, 6, 6)))
    white = pick(rng, (1, 2, 16, 100, 255, 255, 255))
    X = rng.integers(0, white + 1, (n, h, w), dtype=np.uint8)
    X[0, 0, 0] = white
    return X, white


# ---- readers: the same images in every format ----------------------------------------------------


def save_npy(folder, X, rng):
    kind = pick(rng, (np.uint8, np.int16, np.int64, ">i4", np.uint16))
    content = npy_bytes(X.astype(kind), (pick(rng, (1, 2, 3)), 0))
    path = folder / pick(rng, ("a.npy", "a", "a.npy.gz"))
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def save_npz(folder, X, rng):
    path = folder / "a.npz"
    name = pick(rng, ("images", "x", "X", "data", "imgs", "arr_0", "anything"))
    pick(rng, (np.savez, np.savez_compressed))(path, **{name: X})
    return path


def save_idx(folder, X, rng):
    path = folder / pick(rng, ("a-images-idx3-ubyte", "images"))
    content = idx_bytes(X)
    path.write_bytes(pick(rng, (content, gzip.compress(content))))
    return path


def save_csv(folder, X, rng):
    path = folder / "a.csv"
    rows = X.reshape(len(X), -1).tolist()
    text = "\n".join(pick(rng, (",", ";", "\t")).join(map(str, row)) for row in rows[:1])
    delimiter = next(c for c in ",;\t" if c in text)
    names = [f"p{i}" for i in range(X[0].size)]
    path.write_text("\n".join(delimiter.join(map(str, row)) for row in [names, *rows]))
    return path


def save_mat(folder, X, rng):
    h, w = X.shape[1:]
    y = np.arange(len(X)) % 2
    if len(X) in (h, w):
        return save_npy(folder, X, rng)  # which axis counts the images cannot be known
    return mat(X=pick(rng, (X, np.moveaxis(X, 0, -1))), y=y)(folder)


def save_pngs(folder, X, rng):
    for i, x in enumerate(X):
        (folder / f"{i:03}.png").write_bytes(png(x))
    return folder


def save_zip(folder, X, rng):
    root = pick(rng, ("", "set/", "a/b/"))
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for i, x in enumerate(X):
            archive.writestr(f"{root}{i:03}.png", png(x))
    return folder / "a.zip"


SAVERS = (save_npy, save_npz, save_idx, save_csv, save_mat, save_pngs, save_zip)


@counts(60, 3000)
def test_images_mean_the_same_in_every_format(tmp_path, count):
    pytest.importorskip("scipy")
    rng = np.random.default_rng(SEED)
    for i in range(count):
        X, white = some_images(rng)
        save = pick(rng, SAVERS)
        folder = tmp_path / str(i)
        folder.mkdir()
        dataset = data.load(save(folder, X, rng))
        found = np.concatenate([dataset.train, dataset.test])
        expected = X.reshape(len(X), -1) / np.float32(white)
        as_floats = found / np.float32(255) if found.dtype == np.uint8 else found
        key = sorted(map(tuple, np.round(as_floats, 6).tolist()))
        assert key == sorted(map(tuple, np.round(expected, 6).tolist())), (save.__name__, i)
        assert dataset.white == white


# ---- readers: damaged and strange files ----------------------------------------------------------


def jpeg(rng):
    buffer = io.BytesIO()
    image = Image.fromarray(
        rng.integers(0, 256, (9, 7, pick(rng, (1, 3))), dtype=np.uint8).squeeze()
    )
    image.save(buffer, "JPEG", quality=int(rng.integers(5, 100)))
    return buffer.getvalue()


CELLS = ("0", "1", "255", "-1", "1e9", "nan", "inf", "", "x", "label", '"', "1,", "0.5", " 7 ", "é")


def table(rng):
    width, delimiter = int(rng.integers(1, 20)), pick(rng, (",", ";", "\t", " "))
    odd = rng.random() < 0.6
    lines = [
        delimiter.join(
            pick(rng, CELLS) if odd and rng.random() < 0.1 else str(rng.integers(0, 256))
            for _ in range(width + (odd and rng.random() < 0.05))
        )
        for _ in range(int(rng.integers(0, 6)))
    ]
    head = [pick(rng, ("label", "p", "1", "")) for _ in range(width)]
    return (
        pick(rng, ("\n", "\r\n")).join([delimiter.join(head), *lines][rng.integers(2) :]).encode()
    )


def labelled(rng):
    """An .npz with labels and factors of any kind."""
    n = int(rng.integers(1, 6))
    odd = (
        np.arange(n), np.eye(n), np.array(["a", "é"] * n)[:n], np.full(n, np.nan), np.zeros((n, 1)),
        np.arange(n + 1), np.array([b"x"] * n), np.zeros((n, 0)), np.array(3), np.full(n, 1e300),
        np.array([None] * n), np.array(["x" * 50] * n), np.full(n, 2**63, np.uint64),
        np.zeros(n) > 0,
    )  # fmt: skip
    arrays = {name: pick(rng, odd) for name in ("y", "factors", "factor_names", "y_test")}
    arrays = {name: array for name, array in arrays.items() if rng.random() < 0.7}
    images = rng.integers(0, 256, (n, 3, 3), dtype=np.uint8)
    extra = {"x_test": images[:1]} if rng.random() < 0.4 else {}
    buffer = io.BytesIO()
    np.savez(buffer, x=images, **extra, **arrays)
    return buffer.getvalue()


def matlab(rng, folder):
    n = int(rng.integers(2, 5))
    x = rng.integers(
        0, 256, pick(rng, ((n, 9), (n, 3, 3), (3, 3, n), (3, 3, 3, n))), dtype=np.uint8
    )
    return mat(X=pick(rng, (x, x / 255)), y=pick(rng, (np.arange(n), np.eye(n), "words")))(
        folder
    ).read_bytes()


def spoiled(rng, content):
    """Content with up to two random changes."""
    content = bytearray(content)
    for _ in range(int(rng.integers(0, 3))):
        at = int(rng.integers(0, len(content) + 1))
        change = rng.integers(4)
        if change == 0:
            del content[at:]
        elif change == 1:
            content[at : at + 1] = rng.bytes(1)
        elif change == 2:
            content[at:at] = rng.bytes(int(rng.integers(1, 9)))
        else:
            del content[at : at + int(rng.integers(1, 9))]
    return bytes(content)


@counts(150, 11_000)
def test_strange_files_are_read_or_refused(tmp_path, count):
    pytest.importorskip("scipy")
    rng = np.random.default_rng(SEED + 1)
    refused = 0
    path = tmp_path / "file"
    (tmp_path / "mat").mkdir()
    (tmp_path / "jpegs").mkdir()
    for i in range(count):
        make = pick(rng, (jpeg, table, labelled, lambda rng: matlab(rng, tmp_path / "mat")))
        content = spoiled(rng, make(rng))
        if make is jpeg:
            (tmp_path / "jpegs" / "0.jpg").write_bytes(content)
        path.write_bytes(content)
        options = data.Reading(
            pick(rng, (None, None, 255, 1000.0)), rng.random() < 0.2, rng.random() < 0.8
        )
        try:
            dataset = data.load(tmp_path / "jpegs" if make is jpeg else path, options)
        except MinivaeError as error:
            refused += 1
            one_line(error)
        except BaseException as error:
            raise AssertionError(f"{i}: {content[:2000]!r}") from error
        else:
            _assert_fits(dataset)
    assert 0.1 * count < refused < 0.9 * count


def _assert_fits(dataset):
    """A data set that can be trained on."""
    for images, labels, factors in (
        (dataset.train, dataset.train_labels, dataset.train_factors),
        (dataset.test, dataset.test_labels, dataset.test_factors),
    ):
        assert images.dtype in (np.uint8, np.float32)
        assert images.shape[1] == np.prod(dataset.image_shape)
        high = 255 if images.dtype == np.uint8 else 1
        assert images.min() >= 0
        assert images.max() <= high
        assert labels is None or (labels.shape == images.shape[:1] and labels.dtype == np.int64)
        assert factors is None or (len(factors) == len(images) and np.isfinite(factors).all())


# ---- the estimator -------------------------------------------------------------------------------

METHODS = ("transform", "encode", "reconstruct", "score_samples", "reconstruction_error")


@pytest.fixture(scope="module")
def models():
    """Models by what they were fitted on: the number that is white, or None for black and white."""
    rng = np.random.default_rng(SEED)
    fits = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for white in (1, 2, 16, 100, 255):
            X = rng.integers(0, white + 1, (20, 3, 4), dtype=np.uint8)
            X[0] = white
            fits[white] = small_model().fit(X)
        fits[None] = small_model().fit(X > 99)
    return fits


def small_model():
    return VAE(hidden=(4,), epochs=1, backend="numpy", random_state=0, verbose=False)


def numbers(model, method, X):
    """What a method computes, (N, ...) float."""
    values = model.score_samples(X, 2) if method == "score_samples" else getattr(model, method)(X)
    return np.concatenate(values, axis=1) if method == "encode" else values


def as_given(rng, X):
    """The same integers in another form."""
    shape = pick(rng, (X.shape, (len(X), 12), (*X.shape, 1), (len(X), 1, 3, 4)))
    X = X.reshape(shape)
    forms = (
        lambda: X, lambda: X.astype(np.int64), lambda: X.astype(">u2"), lambda: X.tolist(),
        lambda: np.asfortranarray(X), lambda: np.ma.masked_array(X),
    )  # fmt: skip
    return pick(rng, forms)()


@counts(120, 6000)
def test_an_image_has_one_code_in_every_form(models, count):
    rng = np.random.default_rng(SEED + 2)
    asked = 0
    for i in range(count):
        white = pick(rng, tuple(models))
        model, method = models[white], pick(rng, METHODS)
        top = (255 if rng.random() < 0.5 else 1) if white is None else white
        X = rng.integers(0, top + 1, (int(rng.integers(1, 6)), 3, 4), dtype=np.uint8)
        if rng.random() < 0.3:
            X[0] = X[0] > top // 2  # an image of zeros and ones among others
        try:
            together = numbers(model, method, as_given(rng, X))
        except MinivaeError as error:
            one_line(error, "black and white")
            asked += 1
            continue
        floats = X / (top if white is None else white)
        if white is None and X.max() <= 1:
            floats = X.astype(float)
        np.testing.assert_allclose(
            numbers(model, method, floats), together, rtol=1e-4, atol=1e-4, err_msg=f"{i} {method}"
        )
        for one, expected in zip(X, together, strict=True):
            if white is None and top == 255 and one.max() <= 1 < X.max():
                continue  # an all-black image
            alone = numbers(model, method, as_given(rng, one[None]))[0]
            np.testing.assert_allclose(
                alone, expected, rtol=1e-4, atol=1e-4, err_msg=f"{i} {method}"
            )
    assert asked < count / 2
