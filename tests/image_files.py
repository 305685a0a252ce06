"""Image files in each format that is read, as bytes, and the data set that they must give."""

import io
import warnings
import zipfile
import zlib

import numpy as np
from PIL import Image

from minivae.data.png import PNG_START

GREY = np.random.default_rng(0).integers(0, 256, (20, 4, 3), dtype=np.uint8)
LABELS = np.arange(20) % 7


def npy_bytes(array, version=(1, 0)):
    """An array as a .npy file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=version)
    return buffer.getvalue()


def zip_bytes(members, method):
    """A zip of (name, content) pairs, in which a name may occur twice."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")  # duplicate names are meant
        for name, content in members:
            info = zipfile.ZipInfo(name)  # without the time of day
            archive.writestr(info, content, method)
    return buffer.getvalue()


def idx_bytes(array, code=8):
    """An array as an IDX file, without compression."""
    sizes = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.tobytes()


def chunk(kind, content):
    """One chunk of a PNG."""
    crc = zlib.crc32(kind + content)
    return len(content).to_bytes(4, "big") + kind + content + crc.to_bytes(4, "big")


def png_chunks(content):
    """[(kind, content), ...] of a whole PNG."""
    chunks, at = [], 8
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def png_bytes(chunks):
    return PNG_START + b"".join(chunk(kind, content) for kind, content in chunks)


def save_pngs(folder, images):
    """Save images (N, h, w) as 000.png, 001.png, ... in a folder."""
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
