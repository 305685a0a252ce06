"""Data sets: what the readers accept, what the checks refuse, and what the model sees."""

import functools
import gzip
import hashlib
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minivae import data
from minivae.data.shipped.make_mnist import FILES
from minivae.errors import MinivaeError
from minivae.files import write_archive

GREY = np.random.default_rng(0).integers(0, 256, (20, 4, 3), dtype=np.uint8)
LABELS = np.arange(20) % 7


def refusal(call, *args, **kwargs):
    """The message of the MinivaeError that the call must raise: one line."""
    with pytest.raises(MinivaeError) as caught:
        call(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    assert ";" in message  # what is wrong; what would be right
    return message


def idx_bytes(array, code=8):
    sizes = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.tobytes()


def save_pngs(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:03}.png")


def assert_split(dataset, images, labels=None):
    """A tenth held out; together the two parts are all the images, each with its own label."""
    flat = images.reshape(len(images), -1)
    assert len(dataset.test) == max(1, len(flat) // 10)
    both = np.concatenate([dataset.train, dataset.test])
    assert sorted(map(bytes, both)) == sorted(map(bytes, flat))
    if labels is None:
        assert dataset.train_labels is None
        assert dataset.test_labels is None
    else:
        label_of = {bytes(image): label for image, label in zip(flat, labels, strict=True)}
        both_labels = np.concatenate([dataset.train_labels, dataset.test_labels])
        assert [label_of[bytes(image)] for image in both] == list(both_labels)


# --- MNIST -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mnist():
    return data.load("mnist")


def test_the_shipped_mnist_is_the_original(mnist):
    """Put back into IDX files, the arrays have the checksums of the published files."""
    arrays = {
        "x_train": mnist.train.reshape(-1, 28, 28),
        "y_train": mnist.train_labels.astype(np.uint8),
        "x_test": mnist.test.reshape(-1, 28, 28),
        "y_test": mnist.test_labels.astype(np.uint8),
    }
    for name, (_, checksum) in FILES.items():
        assert hashlib.sha256(idx_bytes(arrays[name])).hexdigest() == checksum
    assert mnist.image_shape == (28, 28)
    assert mnist.train.dtype == np.uint8
    assert mnist.name == "mnist"
    assert "60000 training images, and 10000 test images of its own" in mnist.note


def test_the_fingerprint_of_mnist_is_the_same_everywhere(mnist):
    known = "fadbfa807d0b813cebbe3bfc68d38b1f3e051806a3156fceb3dd83293c7405d7"
    assert data.fingerprint(mnist) == known


def test_the_licence_of_mnist_lies_beside_it():
    readme = (data.MNIST.parent / "README.md").read_text()
    checksums = [checksum for _, checksum in FILES.values()]
    for text in ("LeCun", "Cortes", "ShareAlike 3.0", *checksums):
        assert text in readme


# --- formats -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".npy", ".dat"])
@pytest.mark.parametrize("images", [GREY, GREY.reshape(20, 12), np.asfortranarray(GREY)])
def test_npy_by_its_content_not_its_name(tmp_path, suffix, images):
    with open(tmp_path / f"a{suffix}", "wb") as file:
        np.save(file, images)
    dataset = data.load(tmp_path / f"a{suffix}")
    assert_split(dataset, GREY)
    assert dataset.image_shape == ((4, 3) if images.ndim == 3 else (1, 12))
    assert dataset.name == "a"
    assert "2 held out at random (seed 2014)" in dataset.note


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "<f2"])
def test_floats_become_float32(tmp_path, dtype):
    values = np.linspace(0, 1, 40).reshape(10, 4).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    dataset = data.load(tmp_path / "a.npy")
    assert dataset.train.dtype == np.float32
    assert dataset.train.dtype.isnative
    assert_split(dataset, values.astype(np.float32))
    assert dataset.image_shape == (2, 2)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_npy(tmp_path, version):
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array(file, GREY, version=version)
    assert_split(data.load(tmp_path / "a.npy"), GREY)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y"), ("X", "Y"), ("data", "y")])
def test_npz_with_labels(tmp_path, save, names):
    save(tmp_path / "a.npz", **dict(zip(names, (GREY, LABELS), strict=True)))
    dataset = data.load(tmp_path / "a.npz")
    assert_split(dataset, GREY, LABELS)
    assert dataset.train_labels.dtype == np.int64


def test_npz_with_its_own_test_set(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x_train=GREY[:15], y_train=LABELS[:15], x_test=GREY[15:], y_test=LABELS[15:])
    dataset = data.load(path)
    assert np.array_equal(dataset.train, GREY[:15].reshape(15, 12))
    assert np.array_equal(dataset.test, GREY[15:].reshape(5, 12))
    assert np.array_equal(dataset.train_labels, LABELS[:15])
    assert np.array_equal(dataset.test_labels, LABELS[15:])
    assert "5 test images of its own" in dataset.note


def test_npz_with_one_array_needs_no_name(tmp_path):
    np.savez(tmp_path / "a.npz", GREY)
    assert_split(data.load(tmp_path / "a.npz"), GREY)
    np.savez(tmp_path / "a.npz", GREY, LABELS)
    assert "arr_0, arr_1" in refusal(data.load, tmp_path / "a.npz")


@pytest.mark.parametrize("zipped_images", [False, True])
@pytest.mark.parametrize("zipped_labels", [False, True])
def test_idx_with_labels_beside(tmp_path, zipped_images, zipped_labels):
    for name, array, zipped in (
        ("train-images-idx3-ubyte", GREY, zipped_images),
        ("train-labels-idx1-ubyte", LABELS.astype(np.uint8), zipped_labels),
    ):
        content = idx_bytes(array)
        path = tmp_path / (name + ".gz" * zipped)
        path.write_bytes(gzip.compress(content) if zipped else content)
    path = tmp_path / ("train-images-idx3-ubyte" + ".gz" * zipped_images)
    dataset = data.load(str(path))
    assert_split(dataset, GREY, LABELS)
    assert "labels from train-labels-idx1-ubyte" in dataset.note
    assert dataset.image_shape == (4, 3)


@pytest.mark.parametrize(("code", "dtype"), [(9, "i1"), (0xB, ">i2"), (0xC, ">i4"), (0xD, ">f4")])
def test_idx_of_other_types(tmp_path, code, dtype):
    values = (np.arange(24).reshape(6, 4) % 2).astype(dtype)
    (tmp_path / "a").write_bytes(idx_bytes(values, code))
    dataset = data.load(tmp_path / "a")
    expected = values.astype(np.float32) if code == 0xD else values.astype(np.uint8) * 255
    assert_split(dataset, expected.astype(dataset.train.dtype))


def test_idx_labels_given_as_images(tmp_path):
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS.astype(np.uint8)))
    message = refusal(data.load, tmp_path / "train-labels-idx1-ubyte")
    assert "20 integers in a row are labels" in message


def test_a_folder_of_pngs(tmp_path):
    save_pngs(tmp_path / "my set", GREY)
    (tmp_path / "my set" / "._000.png").write_bytes(b"what a Mac leaves")
    (tmp_path / "my set" / "readme.txt").write_bytes(b"hello")
    dataset = data.load(tmp_path / "my set")
    assert_split(dataset, GREY)
    assert dataset.image_shape == (4, 3)
    assert dataset.name == "my-set"


@pytest.mark.parametrize(
    ("names", "numbers"), [(("10", "2"), (10, 2)), (("cat", "dog"), (0, 1)), (("1", "x"), (0, 1))]
)
def test_subfolders_of_pngs_give_labels(tmp_path, names, numbers):
    save_pngs(tmp_path / names[0], GREY[:8])
    save_pngs(tmp_path / names[1], GREY[8:])
    (tmp_path / "empty").mkdir()
    dataset = data.load(tmp_path)
    assert_split(dataset, GREY, np.repeat(numbers, [8, 12]))
    assert f"{numbers[0]} = {names[0]}, {numbers[1]} = {names[1]}" in dataset.note


def png_of(tmp_path, image, **options):
    image.save(tmp_path / "a.png", **options)
    return data.load(tmp_path).train.reshape(image.height, image.width)


def test_every_kind_of_png_becomes_grey(tmp_path):
    grey = Image.fromarray(GREY[0])
    for mode in ("L", "RGB", "RGBA", "LA", "P"):
        assert np.array_equal(png_of(tmp_path, grey.convert(mode)), GREY[0]), mode
    assert set(png_of(tmp_path, grey.convert("1")).ravel()) <= {0, 255}
    red = Image.new("RGB", (2, 2), "red")
    assert (png_of(tmp_path, red) == 76).all()  # 0.299 * 255: luma


def test_sixteen_bit_png_is_scaled_not_clipped(tmp_path):
    deep = np.array([[0, 1, 256], [257, 32768, 65535]], np.uint16)
    expected = [[0, 0, 1], [1, 128, 255]]
    assert np.array_equal(png_of(tmp_path, Image.fromarray(deep)), expected)


def test_transparent_pixels_are_white(tmp_path):
    clear = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    clear.putpixel((1, 0), (0, 0, 0, 0))
    assert png_of(tmp_path, clear).tolist() == [[0, 255]]
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 10, 10, 10])
    palette.putpixel((1, 0), 1)
    assert png_of(tmp_path, palette, transparency=1).tolist() == [[0, 255]]


def test_a_file_called_mnist_is_reached_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("mnist.npy", GREY)
    (tmp_path / "mnist.npy").rename("mnist")
    assert len(data.load("mnist").train) == 60000
    assert_split(data.load("./mnist"), GREY)


@pytest.mark.parametrize(
    ("path", "name"),
    [("a b/c d.x.npy", "c-d"), ("a/b/..", "a"), ("é.npy", "data"), (".npy", "data"), ("/", "data")],
)
def test_a_data_set_is_named_after_its_file(path, name):
    """The name becomes a part of a run folder's name, so that only plain letters are kept."""
    assert data.plain_name(Path(path)) == name


# --- what is refused ---------------------------------------------------------------------------


def test_unknown_names_are_answered_with_the_known_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = refusal(data.load, "nmist")
    assert "nmist (did you mean mnist?); known names are mnist and cats" in message
    assert "did you mean cats?" in refusal(data.load, "CAT")
    assert "did you mean" not in refusal(data.load, "data/missing.npz")
    for wrong in ("", "a\0b", None, 3, b"mnist", "a" * 5000, "\ud800"):
        assert refusal(data.load, wrong).isprintable()


def test_the_cats_are_a_data_set_like_any_other(monkeypatch):
    monkeypatch.setattr(data.cats, "dataset", functools.partial(data.cats.dataset, 30, 20))
    loaded, made = data.load("cats"), data.cats.dataset()
    assert loaded.image_shape == (28, 28)
    assert loaded.train_labels is None
    np.testing.assert_array_equal(loaded.train, made.train)
    np.testing.assert_array_equal(loaded.test, made.test)
    assert "30 generated cats to train on and 20 others" in loaded.note


REFUSED_FILES = {
    "empty": (b"", "is empty"),
    "pickle": (b"\x80\x04\x95\x00\x00.", "is a pickle"),
    "text": (b"1,2,3\n4,5,6\n", "no format that can be read"),
    "zip without arrays": (b"PK\x05\x06" + bytes(18), "holds nothing"),
    "zip cut": (b"PK\x03\x04" + bytes(40), "is damaged"),
    "gzip of text": (gzip.compress(b"hello, world"), "something else than IDX"),
    "gzip cut": (gzip.compress(idx_bytes(GREY))[:-40], "is damaged"),
    "gzip with a wrong checksum": (gzip.compress(idx_bytes(GREY))[:-8] + bytes(8), "is damaged"),
    "idx cut": (idx_bytes(GREY)[:-1], "is damaged"),
    "idx too long": (idx_bytes(GREY) + b"x", "is damaged"),
    "idx of an unknown type": (idx_bytes(GREY, code=7), "not IDX"),
    "idx without images": (idx_bytes(GREY[:0]), "holds no images"),
    "idx without dimensions": (b"\0\0\x08\0", "announces 0 dimensions"),
    "idx in colour": (idx_bytes(np.zeros((2, 4, 4, 3), np.uint8)), "convert to grey"),
}


@pytest.mark.parametrize("case", REFUSED_FILES)
def test_broken_files_are_refused(tmp_path, case):
    content, said = REFUSED_FILES[case]
    (tmp_path / "file").write_bytes(content)
    message = refusal(data.load, tmp_path / "file")
    assert said in message
    assert str(tmp_path / "file") in message


REFUSED_ARRAYS = {
    "objects": (np.array([None, {}]), "a pickle, never opened"),
    "text": (np.array([["a"]]), "dtype <U1"),
    "structured": (np.zeros(3, [("a", "f4")]), "structured"),
    "complex": (np.zeros((2, 2), complex), "dtype <c16"),
    "no images": (np.zeros((0, 784)), "holds no images"),
    "scalar": (np.array(3.0), "0 dimensions"),
    "one flat image": (np.zeros(784), "X[None]"),
    "labels": (LABELS, "are labels"),
}


@pytest.mark.parametrize("case", REFUSED_ARRAYS)
def test_arrays_that_are_not_images_are_refused(tmp_path, case):
    array, said = REFUSED_ARRAYS[case]
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    message = refusal(data.load, tmp_path / "a.npy")
    assert said in message
    assert "a.npy" in message


def test_npz_that_does_not_fit_together_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    for arrays, said in (
        ({"x": GREY, "y": LABELS[:5]}, "labels are int64 of shape (5,) for 20 images"),
        ({"x": GREY, "y": LABELS / 2}, "labels are float64"),
        ({"x": GREY, "y": np.eye(20)}, "shape (20, 20)"),
        ({"x": GREY, "y": LABELS.astype(np.uint64) << 60}, "small integers"),
        ({"x_train": GREY, "x_test": GREY[:, :2]}, "save both with one size"),
        ({"x_train": GREY, "x_test": GREY / 255}, "save both with one size"),
        ({"a": GREY, "b": LABELS}, "holds a, b; name the images x_train"),
    ):
        np.savez(path, **arrays)
        assert said in refusal(data.load, path)
    np.savez(path, images=np.array([None]))
    assert "pickle" in refusal(data.load, path)
    write_archive(path, {"enc_W": np.zeros((3, 2)), "enc_b": np.zeros(2)}, {"kind": "model"})
    assert "holds enc_b, enc_w; name the images x_train" in refusal(data.load, path)


def test_a_zip_compressed_in_another_way_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("images.npy", bytes(1000))
    assert "NumPy does not write" in refusal(data.load, tmp_path / "a.npz")


def test_folders_without_a_set_of_pngs_are_refused(tmp_path):
    assert "holds no PNG images" in refusal(data.load, tmp_path)
    save_pngs(tmp_path, GREY[:2])
    save_pngs(tmp_path / "sub", GREY[:2])
    assert "keep one of the two" in refusal(data.load, tmp_path)
    save_pngs(tmp_path / "mixed", [GREY[0], GREY[1].T.copy()])
    message = refusal(data.load, tmp_path / "mixed")
    assert "001.png is 4 x 3 pixels, 000.png 3 x 4" in message
    assert "put the images into a folder" in refusal(data.load, tmp_path / "000.png")


def test_pngs_that_are_none_are_refused(tmp_path):
    path = tmp_path / "000.png"
    save_pngs(tmp_path, GREY[:1])
    good = path.read_bytes()
    for content, said in (
        (b"", "is not a PNG"),
        (b"\xff\xd8\xff\xe0 a JPEG", "is not a PNG"),
        (good[:40], "is damaged"),
        (good[:-12], "is damaged"),
        (good.replace(b"IDAT", b"IDAX"), "is damaged"),
    ):
        path.write_bytes(content)
        message = refusal(data.load, tmp_path)
        assert said in message
        assert "000.png" in message
    Image.new("L", (data.MAX_PNG_SIDE + 1, 1)).save(path)
    assert "1025 x 1 pixels; make images at most 1024 x 1024" in refusal(data.load, tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs rights on Windows")
def test_links_that_lead_nowhere_are_refused(tmp_path):
    for name, target in (("a.npy", "missing"), ("b.npy", "b.npy"), ("c.npy", "/dev/zero")):
        (tmp_path / name).symlink_to(target)
        assert name in refusal(data.load, tmp_path / name)
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert "loop.png" in refusal(data.load, tmp_path)


# --- check_images ------------------------------------------------------------------------------


def test_uint8_is_not_copied():
    assert np.shares_memory(data.check_images(GREY), GREY)


@pytest.mark.parametrize("shape", [(20, 12), (20, 4, 3), (20, 4, 3, 1), (20, 1, 4, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", ">u2", "float32", "float64"])
def test_images_of_any_usual_form_are_accepted(shape, dtype):
    images = GREY.reshape(shape).astype(dtype)
    if images.dtype.kind == "f":
        images = images / 255
    flat = data.check_images(images)
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
    assert np.array_equal(data.check_images(images), [[0, 255, 0], [255, 255, 0]])
    assert data.check_images(images).dtype == np.uint8


def test_lists_are_accepted():
    assert np.array_equal(data.check_images([[0.0, 0.5], [1.0, 0.25]]), [[0, 0.5], [1, 0.25]])


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
        (np.arange(10), "10 integers in a row are labels"),
        (np.zeros(5), "X[None] for a single image"),
        (np.zeros((2, 5, 5, 3)), "colour channels; convert to grey"),
        (np.zeros((2, 3, 5, 5)), "colour channels; convert to grey"),
        (np.zeros((2, 5, 5, 5)), "4 dimensions"),
        (np.zeros((1, 2, 3, 4, 5)), "5 dimensions"),
        (np.float64(0.5), "0 dimensions"),
        (np.zeros((2, 2), complex), "complex numbers"),
        (np.array([[None]]), "Python objects"),
        (np.array([["a"]]), "no numbers (dtype <U1)"),
        (np.zeros((2, 2), "M8[s]"), "no numbers"),
        ([[0.5], [0.5, 0.5]], "not an array of images"),
        ("mnist", "no numbers"),
        (None, "Python objects"),
    ],
)
def test_arrays_out_of_order_are_refused(images, said):
    message = refusal(data.check_images, images, "here")
    assert said in message
    assert message.startswith("here: ")


# --- splits and fingerprints -------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 9, 10, 11, 100])
def test_a_tenth_is_held_out_the_same_each_time(n):
    train, test, _ = data._hold_out(n)
    assert len(test) == max(1, n // 10)
    assert sorted([*train, *test]) == list(range(n))
    again = data._hold_out(n)
    assert np.array_equal(train, again[0])
    assert np.array_equal(test, again[1])


def test_one_image_is_both_sets_and_says_so(tmp_path):
    np.save(tmp_path / "a.npy", GREY[:1])
    dataset = data.load(tmp_path / "a.npy")
    assert len(dataset.train) == len(dataset.test) == 1
    assert "training set and test set alike" in dataset.note


def test_the_fingerprint_sees_every_part(tmp_path):
    np.savez(tmp_path / "a.npz", x=GREY, y=LABELS)
    dataset = data.load(tmp_path / "a.npz")
    again = data.load(tmp_path / "a.npz")
    assert data.fingerprint(dataset) == data.fingerprint(again)
    changed = dataset.test.copy()
    changed[1, 5] ^= 1
    others = [
        dataset._replace(test=changed),
        dataset._replace(train=dataset.train[::-1]),
        dataset._replace(train=dataset.train.reshape(-1, 6)),
        dataset._replace(train=dataset.train.view(np.int8)),
        dataset._replace(train_labels=None),
        dataset._replace(test_labels=dataset.test_labels + 1),
        dataset._replace(image_shape=(3, 4)),
    ]
    prints = {data.fingerprint(other) for other in [dataset, *others]}
    assert len(prints) == 1 + len(others)
    assert data.fingerprint(dataset._replace(name="b", note="")) == data.fingerprint(dataset)


# --- what the model sees -----------------------------------------------------------------------


def check_probability(images, pixel):
    """Mean of many draws within chance of the pixel: each level, and all of them together."""
    rng = np.random.default_rng(1)
    rounds = 400
    ones = sum(data.binarize(images, rng) for _ in range(rounds)).sum(axis=0, dtype=np.float64)
    n = rounds * len(images)
    inner = (pixel > 0) & (pixel < 1)
    z = (ones - n * pixel)[inner] / np.sqrt(n * pixel * (1 - pixel))[inner]
    assert (ones[pixel == 0] == 0).all()
    assert (ones[pixel == 1] == n).all()
    assert np.abs(z).max() < 5.5
    assert abs((z**2).mean() - 1) < 6 * np.sqrt(2 / z.size)
    return z


def test_binarization_of_uint8_has_probability_pixel_over_255():
    """p / 256, the tempting error of comparing with a random byte, fails the sum of squares."""
    levels = np.arange(256)
    images = np.tile(levels.astype(np.uint8), (500, 1))
    z = check_probability(images, levels / 255)
    n = 400 * 500
    shift = n * (levels / 255 - levels / 256)[1:-1]
    wrong = z + shift / np.sqrt(n * (levels / 255) * (1 - levels / 255))[1:-1]
    assert abs((wrong**2).mean() - 1) > 6 * np.sqrt(2 / z.size)


def test_binarization_of_floats_has_the_pixel_as_probability():
    pixel = np.linspace(0, 1, 101, dtype=np.float32)
    check_probability(np.tile(pixel, (500, 1)), pixel.astype(np.float64))


def test_a_pixel_that_is_nan_does_not_become_black():
    """u < NaN is false for every u."""
    images = np.full((2, 3), 0.5, np.float32)
    images[1, 2] = np.nan
    with pytest.raises(MinivaeError, match="NaN"):
        data.binarize(images, np.random.default_rng(0))


def test_binarized_pixels_are_independent():
    half = np.full((20_000, 9), 128, np.uint8)
    x = data.binarize(half, np.random.default_rng(2))
    assert np.abs(np.corrcoef(x.T) - np.eye(9)).max() < 6 / np.sqrt(20_000)
    assert abs(np.corrcoef(x[:-1, 0], x[1:, 0])[0, 1]) < 6 / np.sqrt(20_000)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 9), (2, 8), (0, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_binarization_is_float32_of_zeros_and_ones_for_any_size(shape, dtype):
    x = data.binarize(np.ones(shape, dtype), np.random.default_rng(0))
    assert x.dtype == np.float32
    assert x.shape == shape
    assert set(x.ravel()) <= {0.0, 1.0}


def test_a_fixed_binarization_depends_on_the_seed_alone():
    images = GREY.reshape(20, 12)
    first = data.fixed_binarization(images, 3)
    assert np.array_equal(first, data.fixed_binarization(images, 3))
    assert not np.array_equal(first, data.fixed_binarization(images, 4))


def test_scaling_is_exact():
    levels = np.arange(256, dtype=np.uint8)[None]
    scaled = data.scale(levels)
    assert scaled.dtype == np.float32
    assert np.array_equal(scaled, levels.astype(np.float32) / np.float32(255))
    assert scaled[0, 255] == 1
    assert data.scale(scaled) is scaled
