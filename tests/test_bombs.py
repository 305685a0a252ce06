"""Files that announce or unpack to far more than their size take no memory."""

import gzip
import json
import os
import struct
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from image_files import npy_bytes, png_bytes, zip_bytes

from minivae import data, vae
from minivae.data.png import PNG_START
from minivae.files import archives

ROOT = Path(__file__).parent.parent


def bombs():
    """Small files that announce 100 GB, or unpack to 60 MB: (name, content)."""
    header = npy_bytes(np.zeros((10, 90), np.uint8))[:-900]
    lying = header.replace(b"(10, 90), }" + b" " * 9, b"(100000000, 1000), }")
    assert len(lying) == len(header)
    yield "plain.npy", lying + bytes(900)
    for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        yield f"{name}.npz", zip_bytes([("x.npy", lying + bytes(900))], method)
    honest = zip_bytes([("x.npy", header + bytes(900))], zipfile.ZIP_DEFLATED)
    size = (len(header) + 900).to_bytes(4, "little")
    yield "directory.npz", honest.replace(size, (2**32 - 2).to_bytes(4, "little"))
    yield (
        "model",
        archives.seal(archives.zip_bytes({"meta.json": b"{}", "a.npy": lying + bytes(900)})),
    )

    zeros = bytes(60_000_000)
    array = npy_bytes(np.frombuffer(zeros, np.uint8).reshape(60_000, 1000))
    yield "bomb.npz", zip_bytes([("x.npy", array)], zipfile.ZIP_DEFLATED)

    hundred_gb = b"\0\0\x08\x03" + struct.pack(">III", 10**5, 10**3, 10**3)
    yield "plain.idx", hundred_gb + bytes(900)
    yield "plain.idx.gz", gzip.compress(hundred_gb + bytes(900))
    all_there = b"\0\0\x08\x02" + struct.pack(">II", 60_000, 1000)
    yield "bomb.idx.gz", gzip.compress(all_there + zeros)
    yield "longer.idx.gz", gzip.compress(b"\0\0\x08\x02" + struct.pack(">II", 10, 10) + zeros)

    half = npy_bytes(np.frombuffer(bytes(400_000_000), np.float16).reshape(-1, 1000))
    yield "half.npz", zip_bytes([("x.npy", half)], zipfile.ZIP_DEFLATED)
    yield "padded.idx.gz", gzip.compress(b"\0\0\x08\x02" + bytes(8)) + bytes(900_000)
    spec = {"hidden": [1] * 300_000, "data_dim": 1, "latent_dim": 1}
    layers = vae.Spec(1, (1,), 1)._asdict() | spec
    meta = {"kind": "model", "minivae": "0", "spec": layers, "image_shape": [1, 1]}
    head = {"format": "minivae", "format_version": 1, "kind": "model", "arrays": {}, "meta": meta}
    text = json.dumps(head).encode()
    yield "layers", archives.seal(archives.zip_bytes({"meta.json": text}))

    large = (b"IHDR", struct.pack(">IIBBBBB", 10**5, 10**6, 8, 0, 0, 0, 0))
    small = (b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0))
    pixels = (b"IDAT", zlib.compress(bytes(29 * 28)))
    zeros = zlib.compress(zeros)
    yield "size.png", png_bytes([large, pixels, (b"IEND", b"")])
    yield "twice.png", png_bytes([small, large, pixels, (b"IEND", b"")])
    yield "length.png", PNG_START + struct.pack(">I", 2**31 - 1) + b"IHDR" + bytes(99)
    texts = [(b"zTXt", b"a\0\0" + zeros)] * 9 + [(b"iCCP", b"a\0\0" + zeros)]
    yield "text.png", png_bytes([small, *texts, pixels, (b"IEND", b"")])
    yield "chunks.png", png_bytes([small, *[(b"IDAT", b"")] * 60_000, pixels, (b"IEND", b"")])
    yield "pixels.png", png_bytes([small, (b"IDAT", zeros), (b"IEND", b"")])


WATCH = """
import re, sys
from pathlib import Path
import PIL.Image, PIL.PngImagePlugin
from minivae import data, runs
from minivae.errors import MinivaeError

def peak():
    return 1024 * int(re.search(r"VmHWM:\\s*([0-9]+) kB", Path("/proc/self/status").read_text())[1])

before = peak()
for folder in sorted(Path(sys.argv[1]).iterdir()):
    path = next(folder.iterdir())
    for read in (lambda: data.load(folder), lambda: data.load(path),
                 lambda: runs.load_model(path)):
        try:
            read()
        except MinivaeError:
            continue
        print("accepted", path.name)
print(peak() - before)
ballast = b"x" * 60_000_000
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_bombs_are_refused_and_take_no_memory(tmp_path):
    """The peak of resident memory, which includes Pillow's; a known allocation must show in it."""
    for name, content in bombs():
        assert len(content) < 1_000_000
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", WATCH, tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    *accepted, added, with_ballast = done.stdout.splitlines()
    # Two are valid 28 x 28 images, with the bomb in a part that is never unpacked.
    assert accepted == ["accepted pixels.png", "accepted text.png"]
    assert int(added) < 50e6
    assert int(with_ballast) > 50e6
    assert done.stderr == ""


def test_a_large_honest_file_is_read_within_its_size(tmp_path):
    """The reader holds the array and one copy for the split."""
    np.save(tmp_path / "a.npy", np.zeros((40_000, 500), np.uint8))
    tracemalloc.start()
    try:
        data.load(tmp_path / "a.npy")
        assert tracemalloc.get_traced_memory()[1] < 2.3 * 20e6
    finally:
        tracemalloc.stop()
