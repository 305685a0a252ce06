"""Which files are read, and which are refused with one line that says why."""

import gzip
import sys
import zipfile

import numpy as np
import pytest
from image_files import GREY, LABELS, assert_split, idx_bytes, save_pngs
from PIL import Image
from refusals import refusal

from minivae import data
from minivae.data import png
from minivae.files import write_archive


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
    assert_split(data.load(tmp_path / "a.npz"), GREY, LABELS)


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
    assert "20 integers looks like labels" in message


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


def test_a_gzip_file_of_several_members_and_padding_is_read(tmp_path):
    whole = idx_bytes(GREY)
    packed = gzip.compress(whole[:50]) + gzip.compress(whole[50:]) + bytes(100_000)
    (tmp_path / "a.idx.gz").write_bytes(packed)
    assert_split(data.load(tmp_path / "a.idx.gz"), GREY)


def test_a_file_called_mnist_is_reached_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("mnist.npy", GREY)
    (tmp_path / "mnist.npy").rename("mnist")
    assert len(data.load("mnist").train) == 60000
    assert_split(data.load("./mnist"), GREY)


# ---- what is refused -----------------------------------------------------------------------------


REFUSED_FILES = {
    "empty": (b"", "is empty"),
    "pickle": (b"\x80\x04\x95\x00\x00.", "is a pickle"),
    "text": (b"the first line\nand the second\n", "not a table of numbers"),
    "zip without arrays": (b"PK\x05\x06" + bytes(18), "holds nothing"),
    "zip cut": (b"PK\x03\x04" + bytes(40), "is damaged"),
    "gzip of text": (gzip.compress(b"hello, world"), "not a table of numbers"),
    "gzip of noise": (gzip.compress(b"\xff\xfe noise"), "gzip data, but not IDX"),
    "gzip cut": (gzip.compress(idx_bytes(GREY))[:-40], "is damaged"),
    "gzip with a wrong checksum": (gzip.compress(idx_bytes(GREY))[:-8] + bytes(8), "is damaged"),
    "idx cut": (idx_bytes(GREY)[:-1], "is damaged"),
    "idx too long": (idx_bytes(GREY) + b"x", "is damaged"),
    "idx of an unknown type": (idx_bytes(GREY, code=7), "not IDX"),
    "idx without images": (idx_bytes(GREY[:0]), "holds no images"),
    "idx without dimensions": (b"\0\0\x08\0", "declares 0 dimensions"),
    "idx of two channels": (idx_bytes(np.zeros((2, 5, 5, 2), np.uint8)), "convert to grey"),
}


@pytest.mark.parametrize("case", REFUSED_FILES)
def test_broken_files_are_refused(tmp_path, case):
    content, said = REFUSED_FILES[case]
    (tmp_path / "file").write_bytes(content)
    message = refusal(data.load, tmp_path / "file")
    assert said in message
    assert (tmp_path / "file").as_posix() in message


REFUSED_ARRAYS = {
    "objects": (np.array([None, {}]), "a pickle, never opened"),
    "text": (np.array([["a"]]), "dtype <U1"),
    "structured": (np.zeros(3, [("a", "f4")]), "structured"),
    "complex": (np.zeros((2, 2), complex), "dtype <c16"),
    "no images": (np.zeros((0, 784)), "holds no images"),
    "scalar": (np.array(3.0), "0 dimensions"),
    "one flat image": (np.zeros(784), "X[None]"),
    "labels": (LABELS, "looks like labels"),
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
    Image.new("L", (png.MAX_SIDE + 1, 1)).save(path)
    assert "1025 x 1 pixels; make images at most 1024 x 1024" in refusal(data.load, tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs rights on Windows")
def test_links_that_lead_nowhere_are_refused(tmp_path):
    for name, target in (("a.npy", "missing"), ("b.npy", "b.npy"), ("c.npy", "/dev/zero")):
        (tmp_path / name).symlink_to(target)
        assert name in refusal(data.load, tmp_path / name)
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert "loop.png" in refusal(data.load, tmp_path)
