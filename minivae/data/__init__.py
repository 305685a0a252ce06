"""Data sets: the shipped MNIST, the generated cats, and images from the reader's own files.

Images are kept flat, N x D, as uint8 (0..255) or float32 (0..1), and turned into what the model
sees batch by batch: `binarize` draws x ~ Bernoulli(pixel), `scale` maps to [0, 1].

Foreign files are taken for what their first bytes say, not for what their name says:

    .npy             images (N, D) or (N, h, w)
    .npz             images under one of IMAGE_NAMES (or the only array there is), and, where
                     present, labels and a test set under LABEL_NAMES, TEST_NAMES, TEST_LABEL_NAMES
    IDX, IDX.gz      images; labels from the file beside it, named the MNIST way
                     (...images-idx3... and ...labels-idx1...)
    folder of PNGs   converted to grey (16 bit to 8 bit, transparent pixels to white);
                     labels from the names of the subfolders, if the PNGs lie in subfolders
"""

from __future__ import annotations

import contextlib
import difflib
import gzip
import hashlib
import io
import math
import os
import re
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minivae.checks import check_path, printable
from minivae.data import cats
from minivae.errors import MinivaeError
from minivae.files import (
    MAX_BYTES,
    damaged,
    most_unpacked,
    read_member,
    read_npy,
    read_numbers,
    reading,
    unpacks_too_far,
    zip_members,
)

NAMES = ("mnist", "cats")
MNIST = Path(__file__).parent / "shipped" / "mnist.npz"
SPLIT_SEED = 2014  # of the held-out part, where the data bring no test set of their own
ROUNDING = 1e-3  # floats no further above 1 than this are meant to lie in [0, 1]
GREY = (0.1, 0.9)  # pixels between these are grey: neither black nor white
# Of all pixels, MNIST has 9 per cent grey, shrunk to 14 x 14 17 per cent; the cats have 25, digits
# of 8 x 8 35, Fashion-MNIST 40, photographs 75.
GREY_SHARE = 0.2  # images with more are grey, and lose much when they are binarized
EVALUATION_SEED = 784  # of the one binarization in which test images are always scored

IMAGE_NAMES = ("x_train", "train_images", "train", "images", "imgs", "x", "data")
LABEL_NAMES = ("y_train", "train_labels", "labels", "y")
TEST_NAMES = ("x_test", "test_images", "test")
TEST_LABEL_NAMES = ("y_test", "test_labels")

IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_PNG_SIDE = 1024
MAX_PNG_BYTES = 16 << 20
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")

FORMATS = "a .npy, .npz or IDX file (also .gz), or a folder of PNG images"


class Dataset(NamedTuple):
    """Images to train and to test on, flat: D = h * w."""

    name: str
    train: np.ndarray  # (N, D) uint8, or float32 in [0, 1]
    test: np.ndarray  # (M, D), the same dtype
    train_labels: np.ndarray | None  # (N,) int64
    test_labels: np.ndarray | None  # (M,) int64
    image_shape: tuple[int, int]  # (h, w)
    note: str  # where the images come from and how the test set was chosen


class _Found(NamedTuple):
    """What a reader found, unchecked: arrays as they were in the file."""

    images: np.ndarray
    labels: np.ndarray | None = None
    test: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    note: str = ""


def load(name_or_path) -> Dataset:
    """Load a data set by name ("mnist", "cats") or by path (see the formats above).

    A file that is called mnist is reached as ./mnist.
    Raises MinivaeError, one line, for whatever is wrong with the name or the file.
    """
    path = check_path(name_or_path, "the data set")
    name = os.fspath(name_or_path)
    if name == "mnist":
        return _dataset("mnist", MNIST, _read_file(MNIST))
    if name == "cats":
        return _cats()
    if os.path.isdir(path):
        return _dataset(plain_name(path), path, _read_png_folder(path))
    if os.path.lexists(path):
        return _dataset(plain_name(path), path, _read_file(path))
    close = difflib.get_close_matches(name.lower(), NAMES, n=1)
    guess = f" (did you mean {close[0]}?)" if close else ""
    raise MinivaeError(
        f"no data set or file is called {printable(name)}{guess}; "
        f"known names are {' and '.join(NAMES)}, or give {FORMATS}"
    )


def plain_name(path: Path) -> str:
    """A file's name as a data set's name: fit to become a part of a folder's name."""
    stem = Path(os.path.abspath(path)).name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem)[:40].strip("-") or "data"


def _cats() -> Dataset:
    """The generated cats; `cats.dataset` makes the same ones again, with their true factors."""
    made = cats.dataset()
    note = (
        f"{len(made.train)} generated cats to train on and {len(made.test)} others to test on; "
        f"minivae.data.cats.dataset() has their true factors"
    )
    return Dataset("cats", made.train, made.test, None, None, (cats.SIZE, cats.SIZE), note)


def true_factors(name: str) -> dict[str, np.ndarray] | None:
    """The factors behind the test images of a generated data set, (M,) each; None for others."""
    if name != "cats":
        return None
    return dict(zip(cats.NAMES, cats.dataset().test_factors.T, strict=True))


def _dataset(name: str, path: Path, found: _Found) -> Dataset:
    """Check what a reader found, hold out a test set if there is none, and flatten."""
    where = printable(path)
    stack = as_stack(found.images, where)
    images, shape = check_images(stack, where), image_shape(stack)
    labels = _check_labels(found.labels, len(images), where)
    if found.test is None:
        train_rows, test_rows, split = _hold_out(len(images))
        train_labels, test_labels = None, None
        if labels is not None:
            train_labels, test_labels = labels[train_rows], labels[test_rows]
        train, test = images[train_rows], images[test_rows]
    else:
        test_stack = as_stack(found.test, f"{where}, test set")
        train, test = images, check_images(test_stack, f"{where}, test set")
        train_labels = labels
        test_labels = _check_labels(found.test_labels, len(test), f"{where}, test set")
        if image_shape(test_stack) != shape or test.dtype != train.dtype:
            raise MinivaeError(
                f"{where}: training images are {train.dtype} of {shape}, test images {test.dtype} "
                f"of {image_shape(test_stack)}; save both with one size and one type"
            )
        split = f"{len(train)} training images, and {len(test)} test images of its own"
    note = f"{found.note}; {split}" if found.note else split
    return Dataset(name, train, test, train_labels, test_labels, shape, note)


def _hold_out(n: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Rows to train on and rows to test on: a tenth, at least one, the same ones each time."""
    if n == 1:
        return np.arange(1), np.arange(1), "one image, training set and test set alike"
    n_test = max(1, n // 10)
    order = np.random.default_rng(SPLIT_SEED).permutation(n)
    split = f"{n - n_test} training images, and {n_test} held out at random (seed {SPLIT_SEED})"
    return np.sort(order[n_test:]), np.sort(order[:n_test]), split


# --- checks ----------------------------------------------------------------------------------


def check_images(X, where: str = "X") -> np.ndarray:
    """Images in any usual form -> (N, D), uint8 in 0..255 or float32 in [0, 1].

    X: (N, D) or (N, h, w), also with a grey channel axis of length 1. Integers must lie in 0..255;
    booleans, and integers that are all 0 or 1, are black and white (1 is white, not grey 1/255).
    Floats must lie in [0, 1]. uint8 comes back as it is, without a copy.
    Raises MinivaeError, which names `where` and says what would be right.
    """
    stack = as_stack(X, where)
    low, high = stack.min(), stack.max()  # NaN if there is one anywhere
    if stack.dtype.kind == "f":
        if not (low >= 0 and high <= 1):
            raise _float_range_error(stack, float(low), float(high), where)
        stack = stack.astype(np.float32, copy=False)
    else:
        if low < 0 or high > 255:
            raise MinivaeError(
                f"{where}: pixels are integers from {low} to {high}; "
                f"give integers in 0..255, or floats in [0, 1]"
            )
        stack = stack.astype(np.uint8, copy=False)
        if high == 1:
            stack = stack * np.uint8(255)
    return np.ascontiguousarray(stack.reshape(len(stack), -1))


def as_stack(X, where: str) -> np.ndarray:
    """X as an array of numbers, (N, D) or (N, h, w), with at least one pixel."""
    try:
        stack = np.asarray(X)
    except (TypeError, ValueError, RuntimeError) as exc:
        reason = printable(exc)
        raise MinivaeError(f"{where}: not an array of images ({reason}); give (N, D)") from None
    if stack.dtype.kind not in "biuf":
        what = {"O": "Python objects", "c": "complex numbers"}.get(stack.dtype.kind, "no numbers")
        raise MinivaeError(
            f"{where}: holds {what} (dtype {printable(stack.dtype)}); "
            f"give uint8 in 0..255, or floats in [0, 1]"
        )
    if stack.ndim == 4 and stack.shape[3] == 1:
        stack = stack[..., 0]
    elif stack.ndim == 4 and stack.shape[1] == 1:
        stack = stack[:, 0]
    if stack.ndim not in (2, 3):
        raise MinivaeError(f"{where}: {_shape_advice(stack)}")
    if stack.size == 0:
        raise MinivaeError(f"{where}: shape {stack.shape} holds no images; give at least one")
    return stack


def _shape_advice(X: np.ndarray) -> str:
    if X.ndim == 1 and X.dtype.kind in "iu":
        return f"{len(X)} integers in a row are labels; give the images, (N, D) or (N, h, w)"
    if X.ndim == 1:
        return f"shape {X.shape} is no stack of images; give (N, D), or X[None] for a single image"
    if X.ndim == 4 and (X.shape[3] in (2, 3, 4) or X.shape[1] in (2, 3, 4)):
        return f"shape {X.shape} has colour channels; convert to grey, (N, h, w)"
    return f"shape {X.shape} has {X.ndim} dimensions; give (N, D) or (N, h, w)"


def _float_range_error(X: np.ndarray, low: float, high: float, where: str) -> MinivaeError:
    finite = np.isfinite(X)
    if not finite.all():
        first = np.unravel_index(np.argmin(finite), X.shape)
        pixel = ", ".join(map(str, first[1:]))
        bad = f"{np.count_nonzero(~finite)} pixels are NaN or infinite"
        return MinivaeError(
            f"{where}: {bad}, the first in image {first[0]} at [{pixel}]; give floats in [0, 1]"
        )
    if low >= 0 and high <= 1 + ROUNDING:
        return MinivaeError(
            f"{where}: pixels are floats up to {high!r}, rounding errors above 1; clip them to "
            f"[0, 1]"
        )
    if low >= 0 and high <= 255:
        return MinivaeError(
            f"{where}: pixels are floats up to {high:g}; "
            f"if they are grey levels 0..255, divide by 255 or pass uint8"
        )
    return MinivaeError(
        f"{where}: pixels are floats from {low:g} to {high:g}; rescale or clip them to [0, 1]"
    )


def _check_labels(labels: np.ndarray | None, n: int, where: str) -> np.ndarray | None:
    if labels is None:
        return None
    if labels.shape != (n,) or labels.dtype.kind not in "biu":
        raise MinivaeError(
            f"{where}: labels are {labels.dtype} of shape {labels.shape} for {n} images; "
            f"give one integer for each image, or leave them out"
        )
    if labels.min() < -(2**31) or labels.max() >= 2**31:
        raise MinivaeError(f"{where}: labels reach {labels.max()}; give small integers")
    return labels.astype(np.int64)


def image_shape(images: np.ndarray) -> tuple[int, int]:
    """(h, w) of (N, h, w), or of (N, D): a square if D is one, else a single row of D pixels."""
    if images.ndim == 3:
        return images.shape[1:]
    data_dim = images.shape[1]
    side = math.isqrt(data_dim)
    return (side, side) if side * side == data_dim else (1, data_dim)


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 of the images and labels, their shapes and types, as 64 hex digits."""
    digest = hashlib.sha256(str(dataset.image_shape).encode())
    for array in (dataset.train, dataset.test, dataset.train_labels, dataset.test_labels):
        if array is None:
            digest.update(b"none")
        else:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


# --- what the model sees ---------------------------------------------------------------------


def binarize(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """x ~ Bernoulli(pixel), each pixel on its own; (B, D) -> (B, D) float32 of 0 and 1.

    For uint8 the probability is pixel / 255 exactly: x = 1 where u < pixel, u uniform on 0..254.
    Random bytes are uniform on 0..255; the few that are 255 are drawn again.
    Raises MinivaeError for NaN.
    """
    if images.dtype != np.uint8:
        if np.isnan(images).any():  # u < NaN is false: it would become a black pixel
            raise MinivaeError("the images hold NaN; every pixel must be a number from 0 to 1")
        return (rng.random(images.shape, np.float32) < images).astype(np.float32)
    words = rng.integers(0, 2**64, size=-(-images.size // 8), dtype=np.uint64)
    u = words.view(np.uint8)[: images.size]
    again = np.flatnonzero(u == 255)
    u[again] = rng.integers(0, 255, size=again.size, dtype=np.uint8)
    return (u.reshape(images.shape) < images).astype(np.float32)


def fixed_binarization(images: np.ndarray, seed: int) -> np.ndarray:
    """The one binarization of a test set that every evaluation shares; (N, D) float32."""
    return binarize(images, np.random.default_rng(seed))


def are_grey(images: np.ndarray) -> bool:
    """Whether more than GREY_SHARE of the pixels are grey; (N, D) uint8, or float32 in [0, 1]."""
    low, high = (255 * x if images.dtype == np.uint8 else x for x in GREY)
    return np.count_nonzero((images > low) & (images < high)) > GREY_SHARE * images.size


def scale(images: np.ndarray) -> np.ndarray:
    """Pixels as float32 in [0, 1]; (B, D) -> (B, D)."""
    if images.dtype != np.uint8:
        return images
    return np.divide(images, np.float32(255), dtype=np.float32)


# --- readers ---------------------------------------------------------------------------------


def _read_file(path: Path) -> _Found:
    with reading(path) as (file, size):
        start = file.read(8)
        file.seek(0)
        if start.startswith(b"\x93NUMPY"):
            return _Found(read_npy(file, size, path))
        if start.startswith(b"PK"):
            return _read_npz(file, size, path)
        if not _starts_like_idx(start):
            raise MinivaeError(f"{printable(path)} {_format_advice(start)}")
    labels_path = _labels_beside(path)
    if labels_path is None:
        return _Found(read_idx(path))
    note = f"labels from {printable(labels_path.name)}"
    return _Found(read_idx(path), read_idx(labels_path), note=note)


def _format_advice(start: bytes) -> str:
    if not start:
        return f"is empty; give {FORMATS}"
    if start.startswith(b"\x80"):
        return "is a pickle, never opened since it could run code; save the array with np.save"
    if start == PNG_START:
        return "is one PNG image; put the images into a folder and give the folder"
    return f"is in no format that can be read here; give {FORMATS}"


def _read_npz(file, size: int, path: Path) -> _Found:
    with zipfile.ZipFile(file) as archive:
        members = zip_members(archive, size, path)
        names = {name[:-4].lower(): name for name in members if name.endswith(".npy")}
        if not any(name in names for name in IMAGE_NAMES) and len(names) == 1:
            names = {IMAGE_NAMES[0]: next(iter(names.values()))}

        def read(wanted):
            found = next((names[name] for name in wanted if name in names), None)
            return None if found is None else read_member(archive, members[found], path)

        images = read(IMAGE_NAMES)
        if images is None:
            there = printable(", ".join(sorted(names)) or "nothing")
            raise MinivaeError(
                f"{printable(path)} holds {there}; name the images {' or '.join(IMAGE_NAMES)}"
            )
        return _Found(images, read(LABEL_NAMES), read(TEST_NAMES), read(TEST_LABEL_NAMES))


def _starts_like_idx(start: bytes) -> bool:
    return start.startswith((b"\x1f\x8b", b"\0\0"))


def read_idx(path: Path) -> np.ndarray:
    """One IDX array: two zero bytes, a type, the number of dimensions, their sizes, the numbers."""
    with reading(path) as (file, size), contextlib.ExitStack() as stack:
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = stack.enter_context(gzip.GzipFile(fileobj=file)) if zipped else file
        head = stream.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_DTYPES:
            what = "something else than IDX, zipped" if zipped else "not IDX"
            raise MinivaeError(f"{printable(path)} is {what}; give {FORMATS}")
        if not 1 <= head[3] <= 4:
            raise damaged(path, f"it announces {head[3]} dimensions")
        dtype = np.dtype(IDX_DTYPES[head[2]])
        sizes = stream.read(4 * head[3])
        shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
        announced = math.prod(shape) * dtype.itemsize
        if zipped and announced > most_unpacked(size):
            raise unpacks_too_far(path, announced)
        if not zipped and announced > size:
            raise damaged(path, f"it announces {announced} bytes of numbers in a file of {size}")
        numbers = read_numbers(stream, dtype, shape, path)
        if stream.read(1):
            raise damaged(path, f"it goes on after the {announced} bytes that it announces")
    return numbers


def _labels_beside(images_path: Path) -> Path | None:
    """train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte.gz, zipped or not, if it is there."""
    name = images_path.name
    if "images" not in name:
        return None
    plain = name.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz")
    candidates = [images_path.with_name(plain + end) for end in ("", ".gz")]
    return next((path for path in candidates if os.path.isfile(path)), None)


def _read_png_folder(folder: Path) -> _Found:
    entries = _list(folder)
    paths = _pngs(entries)
    groups = {e.name: _pngs(_list(e.path)) for e in entries if os.path.isdir(e.path)}
    groups = {name: pngs for name, pngs in groups.items() if pngs}
    if paths and groups:
        raise MinivaeError(
            f"{printable(folder)} holds PNG images and subfolders of PNG images; keep one of "
            "the two"
        )
    if paths:
        return _Found(_read_pngs(paths), note="PNG images")
    if not groups:
        raise MinivaeError(f"{printable(folder)}, a folder, holds no PNG images; give {FORMATS}")
    numbers = _label_numbers(list(groups))
    labels = np.repeat(list(numbers.values()), [len(pngs) for pngs in groups.values()])
    key = printable(", ".join(f"{i} = {name}" for name, i in numbers.items()))
    images = _read_pngs([path for pngs in groups.values() for path in pngs])
    return _Found(images, labels, note=f"PNG images, labels {key}")


def _list(folder) -> list[os.DirEntry]:
    """What a folder holds, by name; hidden files (a Mac leaves ._x.png behind) do not count."""
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as exc:
        message = f"cannot read the folder {printable(folder)}: {exc.strerror}"
        raise MinivaeError(f"{message}; check that you may read it") from None
    return sorted(visible, key=lambda entry: entry.name)


def _pngs(entries: list[os.DirEntry]) -> list[Path]:
    named = [Path(entry.path) for entry in entries if entry.name.lower().endswith(".png")]
    return [path for path in named if not os.path.isdir(path)]


def _label_numbers(names: list[str]) -> dict[str, int]:
    """Subfolders called 0, 1, 2, ... keep their numbers; others are counted in order of name."""
    if all(re.fullmatch(r"[0-9]{1,9}", name) for name in names):
        return {name: int(name) for name in names}
    return {name: i for i, name in enumerate(names)}


def _read_pngs(paths: list[Path]) -> np.ndarray:
    first = _read_png(paths[0])
    if len(paths) * first.size > MAX_BYTES:
        limit = f"at most {MAX_BYTES >> 30} GiB can be read"
        raise MinivaeError(f"{printable(paths[0].parent)} holds too many images; {limit}")
    images = np.empty((len(paths), *first.shape), np.uint8)
    for i, path in enumerate(paths):
        image = _read_png(path)
        if image.shape != first.shape:
            raise MinivaeError(
                f"{printable(path)} is {_size(image)} pixels, {printable(paths[0].name)} "
                f"{_size(first)}; "
                f"make all images one size"
            )
        images[i] = image
    return images


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"


def _read_png(path: Path) -> np.ndarray:
    """One PNG -> (h, w) uint8. Size checked before it is decoded; pixel chunks only."""
    from PIL import Image, UnidentifiedImageError

    with reading(path) as (file, size):
        if size > MAX_PNG_BYTES:
            limit = f"at most {MAX_PNG_BYTES >> 20} MiB can be read"
            raise MinivaeError(f"{printable(path)} is too large for one image; {limit}")
        pixels = _pixel_chunks(file.read(), path)
        try:
            with Image.open(io.BytesIO(pixels), formats=["PNG"]) as image:
                return _grey(image)
        except UnidentifiedImageError:  # its message is an address in memory
            raise damaged(path, "its header makes no sense") from None


def _pixel_chunks(data: bytes, path: Path) -> bytes:
    """A PNG without its texts, profiles and animations, which could unpack to any size."""
    if not data.startswith(PNG_START):
        raise MinivaeError(
            f"{printable(path)} is not a PNG image, whatever its name; convert it to PNG"
        )
    kept, at, kind = [PNG_START], len(PNG_START), b""
    while kind != b"IEND":
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise damaged(path, "it ends too early")
        if (kind == b"IHDR") != (len(kept) == 1):
            raise damaged(path, "its header is not where it belongs")
        if kind == b"IHDR":
            _check_png_size(data[at + 8 : end - 4], path)
        if kind in PNG_PIXEL_CHUNKS:
            if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise damaged(path, "a checksum does not match")
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _check_png_size(header: bytes, path: Path) -> None:
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (0, 4))
    if not (1 <= width <= MAX_PNG_SIDE and 1 <= height <= MAX_PNG_SIDE):
        raise MinivaeError(
            f"{printable(path)} is {width} x {height} pixels; "
            f"make images at most {MAX_PNG_SIDE} x {MAX_PNG_SIDE}"
        )


def _grey(image) -> np.ndarray:
    """A Pillow image as grey levels (h, w) uint8; what is transparent shows white."""
    from PIL import Image

    image.load()  # only now is all of its transparency known
    if image.mode.startswith("I"):  # 16 bit: 65535 = 257 * 255
        return ((np.asarray(image).astype(np.int64) + 128) // 257).astype(np.uint8)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("L"))
