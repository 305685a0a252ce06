"""The drawing: factors (B, 6) -> grey pictures (B, S, S), by signed distances.

The picture is 28 x 28 units at any size, so that one unit is one pixel of the default picture;
x runs to the right, y down. A shape is a signed distance d (units, negative inside), and covers the
share clip(1/2 - d * scale, 0, 1) of a pixel (scale: pixels per unit): edges are smooth, and the
same cat at another size is the same picture, sampled finer.
"""

from typing import NamedTuple

import numpy as np

from minivae.checks.cats import check_factors, check_picture_size
from minivae.data.cats.factors import FACTORS

SIZES = (16, 128)  # smallest and largest side of a picture, pixels
SIZE = 28

UNITS = 28.0  # the side of every picture, units
CACHE_PIXELS = 192 * 784  # drawn at a time, so that temporaries stay in the processor's cache
MEMORY_PIXELS = 2048 * 784  # drawn at a time where the floats are not kept

TAIL, BODY, BELLY, PAW, HEAD = 0.8, 0.84, 0.97, 1.0, 1.0  # the coat, 0 black to 1 white
TAIL_TIP, STRIPE, INNER_EAR, NOSE, WHISKER = 1.0, 0.4, 0.45, 0.25, 0.5
HEAD_Y, CHIN, GROUND = 12.0, 4.9, 26.3  # head's centre, its half-height, where the cat sits


class _Cat(NamedTuple):
    """A batch of cats in units and radians, as the drawing needs them; each (B,) float32."""

    chonk: np.ndarray  # 0 for the lightest, 1 for the heaviest
    x: np.ndarray  # the middle of the cat
    ear: np.ndarray
    curl: np.ndarray
    tilt: np.ndarray
    eye: np.ndarray


class _Window(NamedTuple):
    """A part of the picture, and where its pixels' centres are, units."""

    image: np.ndarray  # (h, w, B), a view
    x: np.ndarray  # (w, 1)
    y: np.ndarray  # (h, 1, 1)
    scale: float  # pixels per unit


def render(factors: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Draw cats: factors (B, 6), in the units of FACTORS -> pictures (B, S, S) float32 in [0, 1].

    size: S, 16 to 128. Raises MinivaeError for factors out of range, or of another shape.
    """
    size = check_picture_size(size, SIZES)
    return render_checked(check_factors(factors, FACTORS), size)


def render_checked(factors: np.ndarray, size: int) -> np.ndarray:
    """`render` for factors (B, 6) float64 and a size that have been checked."""
    images = np.empty((len(factors), size, size), np.float32)
    step = max(1, CACHE_PIXELS // size**2)
    for start in range(0, len(factors), step):
        rows = slice(start, start + step)
        images[rows] = _draw(factors[rows], size).transpose(2, 0, 1)
    return images


def _draw(factors: np.ndarray, size: int) -> np.ndarray:
    """Paint one batch from the back to the front: (B, 6) -> (S, S, B).

    The batch is the last axis, so that every operation runs over contiguous memory, and a number
    per cat, (B,), broadcasts against pixels.
    """
    chonk, ear, curl, tilt, eye, position = np.ascontiguousarray(factors.T, np.float32)
    cat = _Cat(
        chonk=(chonk - FACTORS[0].low) / (FACTORS[0].high - FACTORS[0].low),
        x=10.75 + position * UNITS,
        ear=ear * 2 * CHIN,
        curl=np.radians(curl),
        tilt=np.radians(tilt),
        eye=eye,
    )
    images = np.zeros((size, size, len(factors)), np.float32)
    _paint_tail(images, cat)
    _paint_body(images, cat)
    _paint_head(images, cat)
    return images


def _window(images: np.ndarray, left: float, top: float, right: float, bottom: float) -> _Window:
    """The pixels at least partly inside these bounds (units): each shape computes only its own."""
    size = len(images)
    scale = size / UNITS
    columns = slice(max(0, int(left * scale) - 1), min(size, int(right * scale) + 2))
    rows = slice(max(0, int(top * scale) - 1), min(size, int(bottom * scale) + 2))
    centres = ((np.arange(size) + 0.5) / scale).astype(np.float32)
    x, y = centres[columns, None], centres[rows, None, None]
    return _Window(images[rows, columns], x, y, scale)


def _paint(
    window: _Window,
    distance: np.ndarray,
    value: float,
    opacity: np.ndarray | float | None = None,
) -> None:
    """image <- (1 - cover) image + cover * value,  cover = clip(1/2 - distance * scale, 0, 1)."""
    cover = distance * -window.scale
    cover += 0.5
    _clip(cover)
    if opacity is not None:
        cover *= opacity
    change = value - window.image
    change *= cover
    np.add(window.image, change, out=window.image)


def _clip(share: np.ndarray) -> None:
    """Clip to [0, 1] in place (np.clip is slower on small arrays)."""
    np.maximum(share, 0.0, out=share)
    np.minimum(share, 1.0, out=share)


def _outline(window: _Window, distance: np.ndarray, width: float) -> None:
    """Paint a black margin of `width` around a shape, which separates it from what is behind."""
    seen = distance * window.scale
    seen += 0.5 - width * window.scale
    _clip(seen)
    np.multiply(window.image, seen, out=window.image)


def _thin(half_width, scale):
    """A line thinner than a pixel is drawn a pixel wide, and fainter: (half-width, opacity)."""
    drawn = np.maximum(half_width, 0.5 / scale, dtype=np.float32)
    return drawn, half_width / drawn


def _ellipse(x, y, a, b):
    """The distance to the ellipse (x/a)^2 + (y/b)^2 = 1, to first order near its edge.

    With k0 = |(x/a, y/b)| and k1 = |(x/a^2, y/b^2)|, the length of k0's gradient is k1 / k0, and
    the distance (k0 - 1) k0 / k1; the small number keeps the centre finite and inside.
    """
    x2, y2 = np.square(x / a), np.square(y / b)
    k0 = x2 + y2
    np.sqrt(k0, out=k0)
    k1 = x2 / a**2 + y2 / b**2
    np.sqrt(k1, out=k1)
    k0 += 1e-6
    k1 += 1e-6
    distance = k0 - 1
    distance *= k0
    distance /= k1
    return distance


def _circle(x, y, radius):
    distance = np.sqrt(x * x + y * y)
    distance -= radius
    return distance


def _paint_tail(images: np.ndarray, cat: _Cat) -> None:
    """Along the ground, up a stem, and then an arc of fixed length that turns by the curl."""
    window = _window(images, 9.5, 8.5, 28.0, 27.0)
    half_width, corner, stem_x, stem_top, length = 0.95, 2.6, 8.2, 17.6, 7.6
    x, y = window.x - cat.x, window.y
    # The stem: |max(p, 0)| + min(max(p_x, p_y), 0) - r is a corner rounded with radius r.
    px, py = x - (stem_x - corner), y - (GROUND - half_width - corner)
    stem = _circle(np.maximum(px, 0), np.maximum(py, 0), corner)
    stem += np.minimum(np.maximum(px, py), 0)
    np.abs(stem, out=stem)
    # It ends half a pixel inside the arc, to hide the seam; to the left it ends under the body.
    beside = np.maximum(stem_top - 0.5 / window.scale - y, 1.0 - x)
    np.maximum(stem, beside + half_width, out=stem)
    # The arc, about (stem_x + radius, stem_top), turned so that its middle lies on an axis.
    radius, half = length / cat.curl, cat.curl / 2
    cos, sin = np.cos(half), np.sin(half)
    cx, cy = x - (stem_x + radius), y - stem_top
    along, across = -cos * cx - sin * cy, sin * cx - cos * cy
    ring = np.abs(_circle(along, across, radius))
    tip = _circle(along - radius * cos, across - radius * sin, 0)
    arc = np.where(np.abs(across) * cos > along * sin, tip, ring)  # below, the stem takes over
    tail = np.minimum(stem, arc)
    tail -= half_width
    _paint(window, tail, TAIL)
    _paint(window, np.maximum(tail, tip - 1.5), TAIL_TIP)


def _paint_body(images: np.ndarray, cat: _Cat) -> None:
    """A pear that turns into a ball, sitting flat, with a belly and two front paws."""
    window = _window(images, 0.0, 12.5, 20.7, 27.0)
    x, y = window.x - cat.x, window.y
    tall = 6.6 + 0.5 * cat.chonk
    height = (y - (GROUND - 0.2 - tall)) / tall  # -1 at the top, 1 on the ground
    flat = np.where(height > 0, 0.55 * height + 0.45 * height**3, height) * tall
    wide = (3.9 + 3.6 * cat.chonk) * (1 + (0.22 - 0.12 * cat.chonk) * np.clip(height, -1, 1))
    body = _ellipse(x, flat, wide, tall)
    _outline(window, body, 0.6)
    _paint(window, body, BODY)
    window = _window(images, 3.0, 17.0, 18.0, 27.0)
    x, y = window.x - cat.x, window.y
    belly = _ellipse(x, y - 21.6, 2.4 + 2.2 * cat.chonk, 4.0 + 0.5 * cat.chonk)
    _paint(window, belly, BELLY)
    window = _window(images, 4.0, 23.5, 17.0, 27.0)
    paw = _ellipse(np.abs(window.x - cat.x) - 1.85, window.y - (GROUND - 1.0), 1.7, 1.2)
    _outline(window, paw, 0.35)
    _paint(window, paw, PAW)


def _paint_head(images: np.ndarray, cat: _Cat) -> None:
    """Skull and ears, then the markings, the whiskers and the face."""
    window, u, v = _head_window(images, cat, 8.4, -10.5, 6.6)
    side = np.abs(u)
    cheeks = 5.5 + 0.9 * cat.chonk
    tip_u, tip_v = 0.8 * cheeks, -(CHIN + cat.ear)
    outer = _edge(side, v, tip_u, tip_v, 0.97 * cheeks, -0.8)
    inner = _edge(side, v, 0.9, -4.0, tip_u, tip_v)
    ears = np.maximum(outer, inner)
    head = np.minimum(_ellipse(side, v, cheeks, CHIN), np.maximum(ears, v + 1.5))
    _outline(window, head, 0.7)
    _paint(window, head, HEAD)
    _paint(window, np.maximum(ears + 0.9, v + 3.9), INNER_EAR)
    window, u, v = _head_window(images, cat, 3.7, -5.5, -1.5)
    side = np.abs(u)
    middle = _ellipse(side, v + 3.7, 0.42, 1.25)
    beside = _ellipse(side - 1.55, v + 3.6, 0.38, 0.95)
    _paint(window, np.minimum(middle, beside), STRIPE)
    window, u, v = _head_window(images, cat, 8.2, -1.5, 5.2)
    side = np.abs(u)
    half, opacity = _thin(0.09, window.scale)
    whisker = np.minimum(np.abs(v - 2.1 + 0.12 * side), np.abs(v - 2.4 - 0.05 * side))
    reach = np.maximum(side - cheeks - 1.3, cheeks - 2.1 - side)
    _paint(window, np.maximum(whisker - half, reach), WHISKER, opacity)
    _paint_face(images, cat)


def _head_window(images, cat, reach, top, bottom):
    """A window about the head's centre, and its pixels in the tilted axes of the head.

    -> window, u (h, w, B), v (h, w, B): u to the right, v towards the chin. The head is
    symmetric: what is drawn in side = |u| appears on both sides.
    """
    window = _window(images, 8.5 - reach, HEAD_Y + top, 13.0 + reach, HEAD_Y + bottom)
    x, y = window.x - cat.x, window.y - HEAD_Y
    cos, sin = np.cos(cat.tilt), np.sin(cat.tilt)
    u, v = cos * x + sin * y, cos * y - sin * x
    return window, u, v


def _edge(u, v, u0, v0, u1, v1):
    """The distance from the line through two points, positive to the left of their direction."""
    normal_u, normal_v = v1 - v0, u0 - u1
    length = np.sqrt(normal_u**2 + normal_v**2)
    normal_u, normal_v = normal_u / length, normal_v / length
    distance = normal_u * u
    distance += normal_v * v
    distance -= normal_u * u0 + normal_v * v0
    return distance


def _paint_face(images: np.ndarray, cat: _Cat) -> None:
    """Eyes that close to a smile, a nose and a mouth."""
    window, u, v = _head_window(images, cat, 4.6, -3.6, 3.9)
    side = np.abs(u)
    eye_u, eye_v = side - 2.6, v - 0.1
    smile = (1 - cat.eye) * 0.5
    half, opacity = _thin(0.45 + 1.25 * cat.eye, window.scale)
    eye = _ellipse(eye_u, eye_v - smile * ((eye_u / 1.5) ** 2 - 0.5), 1.5, half)
    _paint(window, eye, 0.0, opacity)
    glint = _circle(u - np.copysign(2.6, u) - 0.45, eye_v + 0.55, 0.36)
    _paint(window, np.maximum(glint, eye + 0.3), 1.0)
    nose = np.maximum(0.75 * side + 0.65 * (v - 2.55), 1.85 - v)
    _paint(window, nose, NOSE)
    half, opacity = _thin(0.2, window.scale)
    mouth = np.abs(_circle(side - 0.75, v - 2.7, 0.75))
    _paint(window, np.maximum(mouth - half, 2.8 - v), NOSE, opacity)
