"""PNG files that Pillow would complete with pixels of its own are refused."""

import io
import zlib

import numpy as np
import pytest
from image_files import png_bytes, png_chunks
from PIL import Image
from refusals import refusal

from minivae import data


def paletted(indices, colours):
    """A PNG of 8-bit palette indices, with a palette of so many colours (0: without a palette)."""
    rows = b"".join(b"\0" + bytes(row) for row in indices)
    header = len(indices[0]).to_bytes(4, "big") + len(indices).to_bytes(4, "big")
    palette = [(b"PLTE", bytes(range(3 * colours)))] if colours else []
    end = [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return png_bytes([(b"IHDR", header + bytes([8, 3, 0, 0, 0])), *palette, *end])


def test_a_png_whose_palette_does_not_have_its_colours_is_refused(tmp_path):
    """Pillow would invent black pixels."""
    (tmp_path / "a.png").write_bytes(paletted([[0, 1], [2, 1]], 3))
    assert data.load(tmp_path).train.tolist() == [[1, 4, 7, 4]]
    for colours, said in ((2, "colour 2 of a palette of 2"), (0, "palette is missing")):
        (tmp_path / "a.png").write_bytes(paletted([[0, 1], [2, 1]], colours))
        assert said in refusal(data.load, tmp_path)


def _adam7(pixels):
    """Grey pixels as an interlaced PNG; Pillow cannot write one."""
    rows = b""
    starts = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4))
    for column, row, across, down in (*starts, (1, 0, 2, 2), (0, 1, 1, 2)):
        for line in pixels[row::down, column::across]:
            rows += b"\0" + line.tobytes() if line.size else b""
    sizes = pixels.shape[1].to_bytes(4, "big") + pixels.shape[0].to_bytes(4, "big")
    header = sizes + bytes([8, 0, 0, 0, 1])
    return png_bytes([(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])


ADAM7_PIXELS = 4 * np.arange(63, dtype=np.uint8).reshape(9, 7)
ADAM7_PNG = _adam7(ADAM7_PIXELS)


def _saved(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


KINDS = {
    mode: _saved(Image.new("L", (7, 9), 200).convert(mode))
    for mode in ("L", "RGB", "RGBA", "LA", "P", "1")
}
KINDS["16 bit"] = _saved(Image.fromarray(np.full((9, 7), 300, np.uint16)))
KINDS["interlaced"] = ADAM7_PNG


@pytest.mark.parametrize("kind", KINDS)
def test_a_png_without_all_its_rows_is_refused(tmp_path, kind):
    """Pillow would fill the missing pixels with zeros; here the very last byte is missing."""
    content = KINDS[kind]
    (tmp_path / "a.png").write_bytes(content)
    data.load(tmp_path)
    chunks = png_chunks(content)
    packed = b"".join(part for kind, part in chunks if kind == b"IDAT")
    rows = zlib.decompress(packed)
    chunks = [chunk for chunk in chunks if chunk[0] not in (b"IDAT", b"IEND")]
    short = [(b"IDAT", zlib.compress(rows[:-1])), (b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(png_bytes([*chunks, *short]))
    assert "bytes of pixels" in refusal(data.load, tmp_path)


def test_an_interlaced_png_gives_its_pixels(tmp_path):
    (tmp_path / "a.png").write_bytes(ADAM7_PNG)
    assert data.load(tmp_path).train.reshape(9, 7).tolist() == ADAM7_PIXELS.tolist()
