"""Files as people have them, and what must come out of each: the table of test_own_data.py.

A case makes its file in an empty folder and returns what to load. `Out` says what comes out: all
images, of which a tenth is held out, or training images and a test set of their own; labels; parts
of the note. A refused case has the words of its one line. More than 400 lines because it is one
table.
"""

import gzip
import io
import zipfile
import zlib
from typing import NamedTuple

import numpy as np
import pytest
from image_files import GREY, LABELS, idx_bytes, npy_bytes, png_bytes, png_chunks, save_pngs
from PIL import Image

from minivae import data

X, Y = GREY, LABELS
FLAT = X.reshape(20, 12)
DIGITS = (np.arange(20 * 16).reshape(20, 4, 4) % 17).astype(np.uint8)  # 0..16, as scikit-learn's
MASK = (X > 127).astype(np.uint8)
RGB = np.stack([X, X // 2, X // 4], axis=-1)
LUMA = np.rint(RGB @ [0.299, 0.587, 0.114]).astype(np.uint8)
WORDS = np.array(["cat", "dog", "owl"])[np.arange(20) % 3]
SPLIT = (X[:15], Y[:15], X[15:], Y[15:])


class Out(NamedTuple):
    """What must come out. labels True: left out, and the note says so."""

    images: np.ndarray
    labels: np.ndarray | None = None
    test: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    says: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None


class Case(NamedTuple):
    make: object  # (folder) -> what to load
    out: Out | str  # or the words of the refusal
    options: data.Reading = data.Reading()


def file(name, content):
    def make(folder):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content() if callable(content) else content)
        return path

    return make


def npz(save=np.savez, **arrays):
    return file("a.npz", lambda: _saved(save, **arrays))


def positional(*arrays):
    return file("a.npz", lambda: _saved(np.savez, *arrays))


def _saved(save, *args, **kwargs):
    buffer = io.BytesIO()
    save(buffer, *args, **kwargs)
    return buffer.getvalue()


def several(*makes, load=None):
    """Several files; what is loaded is the first one, or the folder `load` ("" for all)."""

    def make(folder):
        paths = [one(folder) for one in makes]
        return paths[0] if load is None else folder / load

    return make


def idx(name, array):
    return file(name, idx_bytes(np.asarray(array, np.uint8)))


def pngs(*parts, load=""):
    """Folders of PNGs: (subfolder, images), ..."""

    def make(folder):
        for name, images in parts:
            save_pngs(folder / name, images)
        return folder / load

    return make


COARSE = np.kron(X // 128 * 200, np.ones((1, 8, 8), np.uint8))  # as JPEG keeps it well


def jpeg(image):
    return _saved(lambda buffer: Image.fromarray(image).save(buffer, "JPEG", quality=100))


def opened(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"))


def png(image, **options):
    return _saved(lambda buffer: Image.fromarray(image).save(buffer, "PNG", **options))


def with_transparency(content, level):
    """A grey PNG in which one level is transparent: chunk tRNS, two bytes."""
    head, *rest = png_chunks(content)
    return png_bytes([head, (b"tRNS", level.to_bytes(2, "big")), *rest])


def two_bits(rows):
    """A grey PNG of 2 bits a pixel, four pixels wide; Pillow cannot write one."""
    packed = b"".join(bytes([0, sum(v << (6 - 2 * i) for i, v in enumerate(r))]) for r in rows)
    head = (4).to_bytes(4, "big") + len(rows).to_bytes(4, "big") + bytes([2, 0, 0, 0, 0])
    return png_bytes([(b"IHDR", head), (b"IDAT", zlib.compress(packed)), (b"IEND", b"")])


def png_set(*contents):
    return several(*(file(f"{i}.png", c) for i, c in enumerate(contents)), load="")


def zipped(entries):
    def content():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, image in entries:
                archive.writestr(name, png(image))
        return buffer.getvalue()

    return file("a.zip", content)


def _pt():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02.")
    return buffer.getvalue()


def csv(rows, header=None, delimiter=","):
    lines = [delimiter.join(map(str, row)) for row in rows]
    return file("a.csv", "\n".join(([header] if header else []) + lines).encode())


def mat(compressed=False, **arrays):
    def content():
        scipy = pytest.importorskip("scipy.io")
        return _saved(lambda b: scipy.savemat(b, arrays, do_compression=compressed))

    return file("a.mat", content)


def rows_of(images, labels=None, last=False):
    table = [list(map(int, image.ravel())) for image in images]
    if labels is None:
        return table
    return [[*row, y] if last else [y, *row] for row, y in zip(table, labels, strict=True)]


PIXELS = ",".join(f"pixel{i}" for i in range(12))
SQUARE = DIGITS.reshape(20, 16) * 15  # 0..240
LAST_BLACK, FIRST_BLACK = SQUARE * (np.arange(16) < 15), SQUARE * (np.arange(16) > 0)
DEEP = (X.astype(np.uint16) * 16)[..., :3]  # 12 bits
DEEP_8 = np.rint(DEEP * (255 / DEEP.max())).astype(np.uint8)
DSPRITES = np.stack([np.ones(20), *(np.arange(20) // k % 3 for k in (1, 2, 3, 4, 5))], axis=1)
EIGHT = dict(labels=Y[:8], test=X[8:], test_labels=Y[8:])
TRAIN_IDX, TRAIN_Y = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IDX, TEST_Y = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
MNIST_FILES = (idx(TRAIN_IDX, X[:8]), idx(TRAIN_Y, Y[:8]), idx(TEST_IDX, X[8:]), idx(TEST_Y, Y[8:]))

RANGES = {
    "digits 0..16 as uint8": Case(
        file("a.npy", npy_bytes(DIGITS)),
        Out(DIGITS / np.float32(16), says=("the brightest pixel is 16: scaled by 16",)),
    ),
    "digits 0..16 of a known white": Case(
        file("a.npy", npy_bytes(DIGITS)), Out(DIGITS / np.float32(32)), data.Reading(max_value=32)
    ),
    "digits 0..16 as floats": Case(
        file("a.npy", npy_bytes(DIGITS.astype(float))), "--max-value 16"
    ),
    "digits 0..16 as floats, white given": Case(
        file("a.npy", npy_bytes(DIGITS.astype(float))),
        Out(DIGITS / np.float32(16)),
        data.Reading(max_value=16),
    ),
    "floats 0..255": Case(file("a.npy", npy_bytes(X.astype(float))), "divide by 255"),
    "a pixel above the white given": Case(
        file("a.npy", npy_bytes(X)),
        "a --max-value that no pixel exceeds",
        data.Reading(max_value=100),
    ),
    "a white below 0": Case(file("a.npy", npy_bytes(X)), "above 0", data.Reading(max_value=-1)),
    "12 bits in uint16": Case(
        file("a.npy", npy_bytes(X.astype(np.uint16) * 16)),
        Out(X / np.float32(X.max()), says=(f"scaled by {16 * int(X.max())}",)),
    ),
    "integers of 64 bits above 255": Case(
        file("a.npy", npy_bytes(X.astype(int) * 2)), "--max-value"
    ),
    "negative integers": Case(file("a.npy", npy_bytes(X.astype(np.int16) - 9)), "integers from -9"),
    "a mask of 0 and 1": Case(file("a.npy", npy_bytes(MASK)), Out(MASK * 255)),
    "a mask of booleans": Case(file("a.npy", npy_bytes(MASK > 0)), Out(MASK * 255)),
    "16-bit PNGs up to 65535": Case(png_set(*(png(x.astype(np.uint16) * 257) for x in X)), Out(X)),
    "16-bit PNGs up to 12 bits": Case(
        png_set(*(png(x) for x in DEEP)), Out(DEEP_8, says=(f"scaled by {DEEP.max()}",))
    ),
    "16-bit PNGs of a known white": Case(
        png_set(*(png(x) for x in DEEP)),
        Out(np.rint(DEEP * (255 / 4095)).astype(np.uint8)),
        data.Reading(max_value=4095),
    ),
    "16-bit masks of 0 and 1": Case(
        png_set(*(png(x.astype(np.uint16)) for x in MASK)), Out(MASK * 255)
    ),
    "8-bit masks of 0 and 1": Case(png_set(*map(png, MASK)), Out(MASK * 255)),
    "8-bit PNGs of digits 0..16": Case(
        png_set(*map(png, DIGITS)),
        Out(DIGITS / np.float32(16), says=("the brightest pixel is 16: scaled by 16",)),
    ),
    "16-bit grey, one level transparent": Case(
        png_set(with_transparency(png(np.array([[7, 65535], [257, 0]], np.uint16)), 7)),
        Out(np.array([[[255, 255], [1, 0]]], np.uint8)),
    ),
    "2-bit grey, one level transparent": Case(
        png_set(with_transparency(two_bits([[0, 1, 2, 3]]), 1)),
        Out(np.array([[[0, 255, 170, 255]]], np.uint8)),
    ),
    "2-bit grey": Case(
        png_set(two_bits([[0, 1, 2, 3]])), Out(np.array([[[0, 85, 170, 255]]], np.uint8))
    ),
    "8-bit grey, one level transparent": Case(
        png_set(with_transparency(png(np.array([[9, 200]], np.uint8)), 9)),
        Out(np.array([[[255, 200]]], np.uint8)),
    ),
    "train and test of one range": Case(
        npz(x_train=DIGITS[:15], x_test=DIGITS[15:] // 2),
        Out(DIGITS[:15] / np.float32(16), test=DIGITS[15:] // 2 / np.float32(16)),
    ),
}

SPLITS = {
    "folders train and test": Case(
        pngs(("train", X[:8]), ("test", X[8:])), Out(X[:8], test=X[8:], says=("of its own",))
    ),
    "folders train and test with classes": Case(
        pngs(("train/0", X[:5]), ("train/1", X[5:8]), ("test/0", X[8:9]), ("test/1", X[9:])),
        Out(X[:8], np.repeat([0, 1], [5, 3]), X[8:], np.repeat([0, 1], [1, 11])),
    ),
    "folders training and validation": Case(
        pngs(("training", X[:8]), ("validation", X[8:])), Out(X[:8], test=X[8:])
    ),
    "folders train, test and val": Case(
        pngs(("train", X[:8]), ("test", X[8:12]), ("val", X[12:])),
        Out(X[:8], test=X[8:12], says=("not used: the folder val",)),
    ),
    "a folder train alone": Case(
        pngs(("train/a", X[:8]), ("train/b", X[8:])),
        Out(X, np.repeat([0, 1], [8, 12]), classes=("a", "b")),
    ),
    "folders 1 and 01": Case(
        pngs(("01", X[:8]), ("1", X[8:])),
        Out(X, np.repeat([0, 1], [8, 12]), says=("0 = 01, 1 = 1",)),
    ),
    "folders of folders": Case(pngs(("a/b", X[:8]), ("c/d", X[8:])), "folders of folders"),
    "IDX with its test files": Case(several(*MNIST_FILES), Out(X[:8], **EIGHT)),
    "IDX with EMNIST's names": Case(
        several(
            idx("emnist-letters-train-images-idx3-ubyte", X[:8]),
            idx("emnist-letters-test-images-idx3-ubyte", X[8:]),
        ),
        Out(X[:8], test=X[8:], says=("test set from emnist-letters-test-images",)),
    ),
    "the IDX test file alone": Case(several(MNIST_FILES[2], MNIST_FILES[3]), Out(X[8:], Y[8:])),
    "torchvision's folder raw": Case(several(*MNIST_FILES, load=""), Out(X[:8], **EIGHT)),
    "the folder above raw": Case(
        several(idx(f"raw/{TRAIN_IDX}", X[:8]), idx(f"raw/{TEST_IDX}", X[8:]), load=""),
        Out(X[:8], test=X[8:]),
    ),
    "raw with both, plain and .gz": Case(
        several(idx(TRAIN_IDX, X), file(f"{TRAIN_IDX}.gz", gzip.compress(idx_bytes(X))), load=""),
        Out(X),
    ),
    "two IDX sets in a folder": Case(
        several(idx("a-train-images-idx3", X), idx("b-train-images-idx3", X), load=""),
        "several data sets",
    ),
    "x_test is x_train": Case(
        npz(x_train=X, x_test=X),
        Out(X, test=X, says=("all 20 test images are training images too",)),
    ),
    "an image in both sets": Case(
        npz(x_train=X[:16], x_test=X[15:]),
        Out(X[:16], test=X[15:], says=("1 of the 5 test images are training images too",)),
    ),
    "every image twice": Case(
        file("a.npy", npy_bytes(np.repeat(X[:10], 2, axis=0))),
        Out(np.repeat(X[:10], 2, axis=0), says=("test images are training images too",)),
    ),
    "a test set of another size": Case(npz(x_train=X, x_test=X[:, :2]), "save both with one size"),
    "a test set of another type": Case(npz(x_train=X, x_test=X / 255), "save both with one size"),
    "all of them to test on": Case(
        file("a.npy", npy_bytes(X)),
        Out(X, test=X, says=("all 20 images to test on",)),
        data.Reading(hold_out=False),
    ),
}

NAMED = {
    "Keras": Case(
        npz(x_train=SPLIT[0], y_train=SPLIT[1], x_test=SPLIT[2], y_test=SPLIT[3]),
        Out(*SPLIT),
    ),
    "MedMNIST": Case(
        npz(
            train_images=X[:12],
            val_images=X[12:15],
            test_images=X[15:],
            train_labels=Y[:12, None],
            val_labels=Y[12:15, None],
            test_labels=Y[15:, None],
        ),
        Out(X[:12], Y[:12], X[15:], Y[15:], ("not used: val_images, val_labels",)),
    ),
    "arr_0 and arr_1": Case(
        positional(X, Y), Out(X, Y, says=("arr_0 as images, arr_1 as labels",))
    ),
    "X, y, X_test, y_test in this order": Case(positional(*SPLIT), Out(*SPLIT)),
    "X, X_test, y, y_test in this order": Case(
        positional(SPLIT[0], SPLIT[2], SPLIT[1], SPLIT[3]), Out(*SPLIT)
    ),
    "a key that is not used": Case(
        npz(images=X, labels=Y, ids=np.arange(20)), Out(X, Y, says=("not used: ids",))
    ),
    "an object beside the images": Case(
        npz(images=X, metadata=np.array({"a": 1}, dtype=object)),
        Out(X, says=("not used: metadata",)),
    ),
    "words as labels": Case(
        npz(x=X, y=WORDS),
        Out(
            X,
            np.arange(20) % 3,
            says=("labels 0 = cat, 1 = dog, 2 = owl",),
            classes=("cat", "dog", "owl"),
        ),
    ),
    "bytes as labels": Case(
        npz(x=X, y=WORDS.astype("S3")), Out(X, np.arange(20) % 3, classes=("cat", "dog", "owl"))
    ),
    "numbers in quotes as labels": Case(npz(x=X, y=(Y + 8).astype(str)), Out(X, Y + 8)),
    "one-hot labels": Case(npz(x=X, y=np.eye(7)[Y]), Out(X, Y)),
    "whole floats as labels": Case(npz(x=X, y=Y.astype(float)), Out(X, Y)),
    "labels of several findings": Case(
        npz(x=X, y=np.ones((20, 3), int)), Out(X, says=("labels left out: int64",))
    ),
    "too few labels": Case(npz(x=X, y=Y[:5]), Out(X, says=("of shape (5,)",))),
    "labels that are no numbers of classes": Case(
        npz(x=X, y=Y / 2), Out(X, says=("no small whole numbers",))
    ),
    "objects as labels": Case(
        npz(x=X, y=np.array([None] * 20)), Out(X, says=("labels left out", "a pickle"))
    ),
    "labels switched off": Case(npz(x=X, y=Y), Out(X), data.Reading(labels=False)),
    "labels of a folder switched off": Case(
        pngs(("a", X[:8]), ("b", X[8:])), Out(X), data.Reading(labels=False)
    ),
    "no name of images": Case(npz(a=X, b=Y), "holds a, b; name the images"),
    "text as images": Case(npz(x=WORDS), "not numbers"),
}

FORMATS = {
    ".npy.gz": Case(file("a.npy.gz", gzip.compress(npy_bytes(X))), Out(X)),
    ".csv.gz": Case(
        file("a.csv.gz", gzip.compress("\n".join(",".join(map(str, r)) for r in FLAT).encode())),
        Out(FLAT),
    ),
    "CSV, label column first": Case(
        csv(rows_of(X, Y), f"label,{PIXELS}"), Out(FLAT, Y, says=("labels from the column label",))
    ),
    "CSV, label column last": Case(csv(rows_of(X, Y, True), f"{PIXELS},class"), Out(FLAT, Y)),
    "CSV, words as labels": Case(
        csv(rows_of(X, WORDS), f"label,{PIXELS}"), Out(FLAT, np.arange(20) % 3)
    ),
    "CSV without a label": Case(csv(rows_of(X), PIXELS), Out(FLAT)),
    "CSV with row numbers": Case(
        csv([[i, *row] for i, row in enumerate(rows_of(X))], f",{PIXELS}"),
        Out(FLAT, says=("not used: the column without a name",)),
    ),
    "CSV without a header, square": Case(csv(SQUARE), Out(SQUARE)),
    "CSV without a header, label first": Case(
        csv([[y, *row] for y, row in zip(Y, LAST_BLACK, strict=True)]),
        Out(LAST_BLACK, Y, says=("labels from the first column",)),
    ),
    "CSV without a header, label last": Case(
        csv([[*row, y] for y, row in zip(Y, FIRST_BLACK, strict=True)]),
        Out(FIRST_BLACK, Y, says=("labels from the last column",)),
    ),
    "CSV without a header, either end": Case(
        csv([[y, *row[:-1], y] for y, row in zip(Y, SQUARE, strict=True)]),
        "the first or the last",
    ),
    "CSV, labels switched off": Case(
        csv(rows_of(X, Y), f"label,{PIXELS}"),
        Out(FLAT, says=("not used: the column label",)),
        data.Reading(labels=False),
    ),
    "CSV without a header, pixels that vary at both ends": Case(
        csv([[y, *row] for y, row in zip(Y, SQUARE, strict=True)]),
        Out(SQUARE, Y, says=("labels from the first column",)),
    ),
    "CSV with semicolons": Case(csv(rows_of(X), None, ";"), Out(FLAT)),
    "CSV with tabs, in Windows' lines": Case(
        file("a.tsv", "\r\n".join("\t".join(map(str, r)) for r in FLAT).encode()), Out(FLAT)
    ),
    "CSV of floats": Case(csv((FLAT / 256).tolist()), Out((FLAT / 256).astype(np.float32))),
    "CSV with an empty cell": Case(file("a.csv", b"1,2,3,4\n5,,7,8\n"), "in each cell"),
    "CSV with lines of several lengths": Case(file("a.csv", b"1,2,3,4\n5,6,7\n"), "row"),
    "text": Case(file("a.txt", b"only words\nand more\n"), "not a table of numbers"),
    "JSON": Case(file("a.json", b'{"images": [[1, 2], [3, 4]]}\n'), "not a table of numbers"),
    "a folder of JPEGs": Case(
        several(*(file(f"{i:02}.jpg", jpeg(x)) for i, x in enumerate(COARSE)), load=""),
        Out(np.stack([opened(jpeg(x)) for x in COARSE]), says=("JPEG images",)),
    ),
    "a zip of PNGs": Case(zipped([(f"{i:02}.png", x) for i, x in enumerate(X)]), Out(X)),
    "a zip of classes": Case(
        zipped([(f"set/{'ab'[i % 2]}/{i:02}.png", x) for i, x in enumerate(X)]),
        Out(X, np.arange(20) % 2, classes=("a", "b")),
    ),
    "a zip of train and test, from a Mac": Case(
        zipped(
            [(f"{'train' if i < 8 else 'test'}/{i:02}.png", x) for i, x in enumerate(X)]
            + [("__MACOSX/._0.png", X[0])]
        ),
        Out(X[:8], test=X[8:]),
    ),
    ".mat of vectors": Case(mat(X=FLAT, y=Y[:, None]), Out(FLAT, Y)),
    ".mat with images along the last axis": Case(
        mat(X=np.moveaxis(X, 0, -1), y=Y[:, None]), Out(X, Y, says=("along the last axis",))
    ),
    ".mat that is compressed": Case(
        mat(True, X=X.astype(float) / 255, y=Y), Out((X / 255).astype(np.float32), Y)
    ),
    ".mat of masks": Case(mat(x=MASK > 0), Out(MASK * 255)),
    ".mat with words as labels": Case(mat(x=X, y=WORDS), Out(X, np.arange(20) % 3)),
    ".mat with a structure beside": Case(mat(x=X, info={"a": 1}), Out(X, says=("not used: info",))),
    ".mat of columns": Case(mat(data=FLAT.T, labels=Y[None]), Out(FLAT, Y)),
    ".mat in colour": Case(
        mat(X=np.moveaxis(RGB, 0, -1), y=Y[:, None]), Out(LUMA, Y, says=("became grey",))
    ),
    ".mat of version 7.3": Case(
        file("a.mat", b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(90)), "HDF5"
    ),
    "colour, channels last": Case(
        file("a.npy", npy_bytes(RGB)), Out(LUMA, says=("colours became grey by their luminance",))
    ),
    "colour, channels first": Case(
        file("a.npy", npy_bytes(np.moveaxis(RGB[:, :, :2], 3, 1))), Out(LUMA[:, :, :2])
    ),
    "colour PNGs": Case(
        png_set(*map(png, RGB)),
        Out(
            np.stack([np.asarray(Image.fromarray(i).convert("L")) for i in RGB]),
            says=("colours became grey",),
        ),
    ),
    "EMNIST, turned": Case(
        file("a.npy", npy_bytes(X)), Out(X.swapaxes(1, 2)), data.Reading(transpose=True)
    ),
    "flat EMNIST, turned": Case(
        file("a.npy", npy_bytes(SQUARE)),
        Out(SQUARE.reshape(20, 4, 4).swapaxes(1, 2)),
        data.Reading(transpose=True),
    ),
    "rows that cannot be turned": Case(
        file("a.npy", npy_bytes(FLAT)), "no columns to swap", data.Reading(transpose=True)
    ),
    "a pickle": Case(file("a.pkl", b"\x80\x04\x95\x00\x00."), "np.save"),
    "CIFAR's batch, a pickle": Case(file("data_batch_1", b"\x80\x02}q\x00."), "is a pickle"),
    "a tensor": Case(file("a.pt", b"PK\x03\x04"), "load it in PyTorch"),
    "a tensor of another name": Case(file("a", lambda: _pt()), "load it in PyTorch"),
    "HDF5": Case(file("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(90)), "is HDF5"),
    "Parquet": Case(file("a.parquet", b"PAR1" + bytes(9)), "is a Parquet file"),
    "one JPEG": Case(file("a.jpg", b"\xff\xd8\xff\xe0" + bytes(9)), "put the images into a folder"),
    "a folder of GIFs": Case(several(file("a.gif", b"GIF89a"), load=""), "it holds a.gif"),
    "GIFs beside PNGs": Case(
        several(
            file("a.gif", b"GIF89a"),
            *(file(f"{i:02}.png", png(x)) for i, x in enumerate(X)),
            load="",
        ),
        Out(X, says=("not used: 1 images of other formats",)),
    ),
}


CASES = RANGES | SPLITS | NAMED | FORMATS
FACTORS = npz(imgs=MASK, latents_classes=DSPRITES.astype(np.int64), latents_values=DSPRITES)
