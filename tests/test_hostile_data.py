"""Malformed files: each reader returns a valid data set or raises MinivaeError, and nothing else.

Each reader gets valid files with a few mutations, and files that are built from the parts of the
format with absurd values. The seed is fixed, so that the files are the same each time.
"""

import gzip
import io
import os
import struct
import time
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from image_files import idx_bytes, npy_bytes, png_bytes, png_chunks, zip_bytes
from PIL import Image

from minivae import checks, data, files
from minivae.data import idx
from minivae.errors import MinivaeError
from minivae.files import archives

SEED = 20261123
FAST, FULL = 50, 3500  # files for each of the six readers: 21,000 in the full run
ROOT = Path(__file__).parent.parent
CORPUS = Path(__file__).parent / "corpus"

EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 10**11)
NAMES = (
    *("images", "x_train", "x", "y", "x_test", "y_test", "labels"),
    *("../../x", "/x", " ", "x\n", "é" * 99),
)
DESCRS = (
    *("'<f4'", "'>f8'", "'<f2'", "'|b1'", "'<i8'", "'>u2'", "'|i1'", "'<u8'", "'=f4'", "'f4'"),
    *("'|O'", "'<U8'", "'|S3'", "'<c16'", "'<M8[s]'", "'<f16'", "'<f3'", "'|V4'", "''", "'<'"),
    *("'float32'", "'é'", "'<f4\n'", f"'{'f' * 99}'", "'<f4,<f4'", "'(2,)<f4'", "'|u0'"),
    *("'|u1000000000'", "'\\'", "[('a', '<f4')]", "__import__('os').abort()", "None", ""),
)
SHAPES = (
    *("(12,)", "()", "(0, 4)", "(3, 0)", "(2, 3, 2)", "(2, 2, 3, 1)", "(-1, 4)", "(3, 4", "3, 4"),
    *("[3, 4]", "(3L, 4L)", "(3.0, 4)", "(3,,4)", "(1e3,)", "(0x3, 4)", "(99999999999, 1)"),
    *("(9999999999999999999999, 1)", "(4294967296, 4294967296)", f"({'1, ' * 40}12)"),
)
CHUNKS = (b"zTXt", b"iCCP", b"acTL", b"fcTL", b"fdAT", b"tRNS", b"PLTE", b"IHDR", b"gAMA", bytes(4))


# ---- valid files ---------------------------------------------------------------------------------


def valid_pngs():
    grey = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8) * 5)
    images = [grey.convert(mode) for mode in ("L", "1", "P", "LA", "RGB", "RGBA")]
    images.append(Image.fromarray(np.arange(48, dtype=np.uint16).reshape(6, 8) * 1365))
    for image in images:
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        yield buffer.getvalue()


GREY = np.random.default_rng(0).integers(0, 256, (6, 2, 3), dtype=np.uint8)
ARRAYS = (GREY, GREY / 255, (GREY / 255).astype(">f4"), GREY > 99, np.asfortranarray(GREY[0]))
PNGS = tuple(valid_pngs())
NPYS = tuple(npy_bytes(array, (1 + i % 3, 0)) for i, array in enumerate(ARRAYS))
IDXS = (idx_bytes(GREY), idx_bytes(GREY[0]), idx_bytes((GREY / 255).astype(">f4"), 0x0D))


# ---- mutations -----------------------------------------------------------------------------------


def pick(rng, options):
    return options[rng.integers(len(options))]


def mutate(rng, content):
    """One to three random changes."""
    content = bytearray(content)
    for _ in range(pick(rng, (1, 1, 1, 2, 3))):
        at, end = sorted(rng.integers(0, len(content) + 1, 2))
        if rng.random() < 0.5:  # readers decide most things by the beginning of a file
            at = min(at, int(rng.integers(0, 100)))
        change = rng.integers(8)
        if change == 0 and content:
            content[min(at, len(content) - 1)] ^= 1 << rng.integers(8)
        elif change == 1:
            content[at : at + 1] = rng.bytes(1)
        elif change == 2:
            del content[at:]
        elif change == 3:
            del content[at:end]
        elif change == 4:
            content[at:at] = content[at:end]
        elif change == 5:
            content[at:at] = rng.bytes(rng.integers(1, 20))
        elif change == 6:
            order = pick(rng, ("little", "big"))
            value = pick(rng, EXTREMES).to_bytes(8, order)
            width = pick(rng, (2, 4, 8))
            content[at : at + width] = value[:width] if order == "little" else value[-width:]
        else:
            content[at:at] = bytes([pick(rng, b"0123456789(),'\\\n\0")])
    return bytes(content)


def made_npy(rng):
    """An NPY array of 12 bytes with an odd part or two."""

    def part(good, odd):
        return good if rng.random() < 0.6 else pick(rng, odd)

    descr, shape = part("'|u1'", DESCRS), part("(3, 4)", SHAPES)
    order = part("False", ("True", "1", "None"))
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    version = part(b"\x01\0", (b"\x02\0", b"\x03\0", b"\x04\0", b"\0\0"))
    length = part(len(header), (0, 0xFFFF, rng.integers(0, 200)))
    field = int(length).to_bytes(4, "little")[: 2 if version[0] == 1 else 4]
    return b"\x93NUMPY" + version + field + header + rng.bytes(part(12, (0, 11, 24, 48, 96)))


def hostile_npy(rng):
    if rng.random() < 0.5:
        return made_npy(rng)
    return mutate(rng, pick(rng, NPYS))


def hostile_npz(rng):
    members = []
    for _ in range(rng.integers(1, 4)):
        content = pick(rng, (*NPYS, npy_bytes(np.arange(6)), hostile_npy(rng)))
        members.append((pick(rng, NAMES) + pick(rng, (".npy", ".npy", ".npy", "")), content))
    methods = (*[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED] * 9, zipfile.ZIP_LZMA)
    content = zip_bytes(members, pick(rng, methods))
    return mutate(rng, content) if rng.random() < 0.6 else content


def hostile_idx(rng):
    if rng.random() < 0.5:
        return mutate(rng, pick(rng, IDXS))
    n_dims = pick(rng, (0, 1, 2, 2, 3, 3, 4, 5))
    small = (1, 2, 3, 4)
    sizes = [pick(rng, small if rng.random() < 0.7 else EXTREMES[:-1]) for _ in range(n_dims)]
    code = pick(rng, (*idx.IDX_DTYPES, 0, 7, 255))
    n_bytes = int(np.prod([min(size, 9) for size in sizes])) * pick(rng, (1, 1, 4))
    head = bytes([0, 0, code, pick(rng, (n_dims, n_dims, n_dims, 255))])
    return head + np.array(sizes, ">u4").tobytes() + rng.bytes(n_bytes)


def hostile_gzip(rng):
    content = pick(rng, (hostile_idx(rng), pick(rng, IDXS), hostile_npy(rng), bytes(100_000)))
    zipped = gzip.compress(content, mtime=0)
    return mutate(rng, zipped) if rng.random() < 0.7 else zipped


def hostile_png(rng):
    if rng.random() < 0.3:
        return mutate(rng, pick(rng, PNGS))
    chunks = png_chunks(pick(rng, PNGS))
    for _ in range(rng.integers(1, 4)):
        at = rng.integers(len(chunks))
        kind, content = chunks[at]
        change = rng.integers(5)
        if change == 0:
            chunks[at] = (kind, mutate(rng, content))
        elif change == 1 and kind == b"IHDR":
            sides = [pick(rng, (6, 8, *EXTREMES[:-1])) for _ in range(2)]
            chunks[at] = (kind, struct.pack(">II", *sides) + content[8:])
        elif change == 2:
            chunks.insert(at, (pick(rng, CHUNKS), rng.bytes(pick(rng, (0, 1, 3, 13, 26)))))
        elif change == 3:
            chunks.append(chunks.pop(at))
        else:
            pixels = pick(rng, (b"", bytes(10), bytes(10**6), rng.bytes(200)))
            chunks[at] = (b"IDAT", pick(rng, (zlib.compress(pixels), pixels)))
    return png_bytes(chunks)


def hostile_archive(rng):
    """A model file with damaged content and a correct seal, which the checksum cannot detect."""
    head = (
        b'{"format": "minivae", "format_version": 1, "kind": "model", "meta": {}, '
        b'"arrays": {"a": ["float32", [2]], "b": ["uint8", [6, 2, 3]]}}'
    )
    a, b = npy_bytes(np.ones(2, np.float32)), npy_bytes(GREY)
    members = {"meta.json": head, "a.npy": a, "b.npy": b}
    if rng.random() < 0.7:
        name = pick(rng, tuple(members))
        members[name] = mutate(rng, members[name])
    content = archives.zip_bytes(members)
    if rng.random() < 0.5:
        content = mutate(rng, content[: -archives.SEAL_BYTES]) + bytes(archives.SEAL_BYTES)
    return archives.seal(content)


# ---- a valid result or one line ------------------------------------------------------------------


def check_dataset(dataset):
    train, test, train_labels, test_labels = dataset[1:5]
    height, width = dataset.image_shape
    assert dataset.note
    for images, labels in ((train, train_labels), (test, test_labels)):
        assert images.dtype in (np.uint8, np.float32)
        assert images.dtype == train.dtype
        assert images.shape == (len(images), height * width)
        assert images.size > 0
        assert images.min() >= 0
        assert images.max() <= (255 if images.dtype == np.uint8 else 1)
        assert labels is None or (labels.shape == (len(images),) and labels.dtype == np.int64)


def survives(read, *args):
    """Call a reader with warnings as errors: what it returns, or its one-line message as text."""
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = read(*args)
        except MinivaeError as error:
            result = str(error)
    assert time.perf_counter() - began < 10
    if isinstance(result, str):
        assert result.isprintable()
        assert ";" in result
    return result


def load_survives(path):
    result = survives(data.load, path)
    if not isinstance(result, str):
        check_dataset(result)
    return result


DOORS = {
    "npy": hostile_npy,
    "npz": hostile_npz,
    "idx": hostile_idx,
    "gzip": hostile_gzip,
    "png": hostile_png,
    "archive": hostile_archive,
}


def check_door(door, count, folder):
    """Some files must be accepted and some refused, or the generator tests little."""
    rng = np.random.default_rng([SEED, *door.encode()])
    refused = 0
    for i in range(count):
        content = DOORS[door](rng)
        (folder / "000.png").write_bytes(content)
        try:
            if door == "archive":
                result = survives(lambda: files.read_archive(folder / "000.png", kind="model"))
            else:
                result = load_survives(folder if door == "png" else folder / "000.png")
        except BaseException as error:
            raise AssertionError(f"{door} {i}: {content[:2000]!r}") from error
        refused += isinstance(result, str)
    assert 0 < refused < count
    assert os.listdir(folder) == ["000.png"]


@pytest.mark.parametrize("door", DOORS)
def test_malformed_files(door, tmp_path):
    check_door(door, FAST, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_thousands_of_malformed_files(door, tmp_path):
    check_door(door, FULL, tmp_path)


def test_a_broken_labels_file_is_refused_by_its_name(tmp_path):
    rng = np.random.default_rng(SEED)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(IDXS[0])
    labels = tmp_path / "train-labels-idx1-ubyte"
    good = idx_bytes(np.arange(6, dtype=np.uint8))
    for _ in range(60):
        labels.write_bytes(mutate(rng, good))
        result = load_survives(tmp_path / "train-images-idx3-ubyte")
        assert not isinstance(result, str) or "labels" in result


texts = st.text(st.sampled_from("amnist./\\~*?\0\n\x1b é猫\u202e\ud800"), max_size=30)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(texts | st.binary(max_size=9) | st.integers() | st.none() | st.floats())
def test_names_of_data_sets(name):
    if name not in data.NAMES:
        assert isinstance(load_survives(name), str)


dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(),
    hnp.complex_number_dtypes(),
    hnp.byte_string_dtypes(),
    hnp.datetime64_dtypes(),
    st.just(np.dtype(object)),
)
shapes = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)


@settings(
    derandomize=True, deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow]
)
@given(hnp.arrays(dtypes, shapes))
def test_arrays_of_any_kind_at_the_door_of_the_estimator(array):
    images = survives(checks.check_images, array)
    if not isinstance(images, str):
        assert images.shape == (len(array), array[0].size)
        assert images.dtype == (np.float32 if array.dtype.kind == "f" else np.uint8)
        assert images.max() <= (1 if images.dtype == np.float32 else 255)
        assert images.min() >= 0


nested = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=12,
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(nested)
def test_objects_of_any_kind_at_the_door_of_the_estimator(thing):
    survives(checks.check_images, thing)


# ---- found cases ---------------------------------------------------------------------------------


def corpus():
    return sorted(path.name for path in CORPUS.iterdir())


@pytest.mark.parametrize("name", corpus())
def test_found_cases_stay_solved(name, tmp_path):
    """Files that once made a reader fail, kept as they were found."""
    content = (CORPUS / name).read_bytes()
    (tmp_path / "000.png").write_bytes(content)
    load_survives(tmp_path)
    load_survives(CORPUS / name)
    survives(lambda: files.read_archive(CORPUS / name, kind="model"))
