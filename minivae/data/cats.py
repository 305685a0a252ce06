"""Chonky cats: a generative process that can be read, with every true factor known.

Six independent factors z (the table FACTORS) decide the picture: `render(z)`. A renderer alone
gives samples but no density; the step to a probability model is the noise of each pixel,

    p(x | z) = prod_d Bernoulli(x_d; p_d(z)),   p(z) = clip(render(z), P_MIN, 1 - P_MIN)

and then the cats have a likelihood, and with two factors free an exact posterior: a sum over
a grid. The clip is a part of the model: every black and white picture is possible, if unlikely.

How the drawing works: the picture is 28 x 28 units at any size, so that one unit is one pixel of
the default picture; x runs to the right, y down. A shape is a signed distance d (units, negative
inside), and covers the share clip(1/2 - d * scale, 0, 1) of a pixel (scale: pixels per unit):
edges are smooth, and the same cat at another size is the same picture, sampled finer.

Shapes: B cats in a batch, S pixels along a side of the picture, D = S * S pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minivae.errors import MinivaeError


class Factor(NamedTuple):
    """One true factor: uniform on [low, high], independent of the others."""

    name: str
    low: float
    high: float
    unit: str
    meaning: str


FACTORS = (
    Factor("chonk", 3.0, 9.0, "kg", "weight: how wide and round the cat is, head included"),
    Factor("ear height", 0.12, 0.42, "head heights", "the tips of the ears above the crown"),
    Factor("tail curl", 10.0, 270.0, "degrees", "how far the end of the tail turns, outwards"),
    Factor("head tilt", -20.0, 20.0, "degrees", "positive: clockwise, as seen by you"),
    Factor("eye openness", 0.0, 1.0, "share", "0: asleep, 1: wide awake"),
    Factor("position", -0.08, 0.08, "picture widths", "across; positive: further to the right"),
)
NAMES = tuple(factor.name for factor in FACTORS)
LOW = np.array([factor.low for factor in FACTORS])
HIGH = np.array([factor.high for factor in FACTORS])

SIZES = (16, 128)  # smallest and largest side of a picture, pixels
SIZE = 28
P_MIN = 0.005  # the share of pixels, in black and in white, that the noise turns over
N_TRAIN, N_TEST, SEED = 50_000, 10_000, 9

UNITS = 28.0  # the side of every picture, units
CHUNK_PIXELS = 192 * 784  # drawn at a time: temporaries stay in the cache
PIECE_PIXELS = 2048 * 784  # grey floats held at a time, where they are only passed through

TAIL, BODY, BELLY, PAW, HEAD = 0.8, 0.84, 0.97, 1.0, 1.0  # the coat, 0 black to 1 white
TAIL_TIP, STRIPE, INNER_EAR, NOSE, WHISKER = 1.0, 0.4, 0.45, 0.25, 0.5
HEAD_Y, CHIN, GROUND = 12.0, 4.9, 26.3  # head's centre, its half-height, where the cat sits


# The generative process ------------------------------------------------------------------------


def sample_factors(n, rng):
    """z ~ p(z): n cats' factors (n, 6) float64, each uniform on its range, all independent."""
    n = _check_count(n, "cats")
    return _check_rng(rng).uniform(LOW, HIGH, (n, len(FACTORS)))


def draw(n, rng, size=SIZE):
    """Draw n random cats: grey pictures (n, S, S) float32 in [0, 1], and their factors (n, 6)."""
    factors = sample_factors(n, rng)
    return render(factors, size), factors


def pixel_probabilities(factors, size=SIZE):
    """p(z) = clip(render(z), P_MIN, 1 - P_MIN): factors (B, 6) -> (B, S, S) float32."""
    return np.clip(render(factors, size), P_MIN, 1 - P_MIN)


def sample_pixels(factors, rng, size=SIZE):
    """x ~ p(x | z): black and white pictures, (B, S, S) float32 of 0 and 1."""
    p = pixel_probabilities(factors, size)
    return (_check_rng(rng).random(p.shape) < p).astype(np.float32)


class CatData(NamedTuple):
    """A data set whose true factors are known. D = S * S; the pictures are grey, 0 to 255."""

    train: np.ndarray  # (N, D) uint8
    test: np.ndarray  # (M, D) uint8
    train_factors: np.ndarray  # (N, 6) float64, in the units of FACTORS
    test_factors: np.ndarray  # (M, 6)


def dataset(n_train=N_TRAIN, n_test=N_TEST, seed=SEED, size=SIZE):
    """The cats as a data set, the same at every call (60,000 at 28 x 28 take a few seconds).

    Training and test cats come from streams of their own: asking for more of one does not change
    the other, nor the cats that come first. Raises MinivaeError for impossible counts or sizes.
    """
    if not _is_whole(seed) or seed < 0:
        raise MinivaeError(f"the cats' seed is {seed!r}; it must be a whole number from 0 up")
    streams = np.random.SeedSequence(int(seed)).spawn(2)
    (train, train_factors), (test, test_factors) = (
        _byte_cats(n, np.random.default_rng(stream), size)
        for n, stream in zip((n_train, n_test), streams, strict=True)
    )
    return CatData(train, test, train_factors, test_factors)


def _byte_cats(n, rng, size):
    """n random cats as bytes, (n, D) uint8, and their factors; the grey floats live in pieces."""
    factors = sample_factors(n, rng)
    size = _check_size(size)
    images = np.empty((n, size * size), np.uint8)
    step = max(1, PIECE_PIXELS // size**2)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        images[rows] = np.rint(255 * render(factors[rows], size)).reshape(-1, size * size)
    return images, factors


# The likelihood, and the exact posterior -------------------------------------------------------


def log_likelihood(x, factors, seen=None):
    """log p(x | z) = sum_d log Bernoulli(x_d; p_d(z)) over the seen pixels, nats.

    x: black and white, (S, S) for every cat, or (B, S, S), one each; factors: (B, 6);
    seen: (S, S) bool, False where the picture is covered (nothing is, by default) -> (B,) float64.
    Raises MinivaeError where x holds anything but 0 and 1, or a shape does not fit.
    """
    factors = _check_factors(factors)
    x = _check_picture(x, len(factors))
    size = x.shape[-1]
    seen = _check_seen(seen, size)
    pictures = np.broadcast_to(x[..., seen], (len(factors), np.count_nonzero(seen)))
    result = np.empty(len(factors))
    step = max(1, PIECE_PIXELS // size**2)
    for start in range(0, len(factors), step):
        rows = slice(start, start + step)
        p = pixel_probabilities(factors[rows], size)[:, seen].astype(np.float64)
        result[rows] = np.log(np.where(pictures[rows], p, 1 - p)).sum(axis=1)
    return result


class ChonkPosterior(NamedTuple):
    """What one picture says about chonk, and about one other factor, the rest being known."""

    chonk: np.ndarray  # (G,) kg: the middles of G equal cells
    other: np.ndarray  # (M,) the other factor's cells, in its unit
    probability: np.ndarray  # (G,) p(chonk | x), the cells sum to 1
    joint: np.ndarray  # (G, M) p(chonk, other | x), sums to 1
    log_evidence: float  # log p(x | the known factors), nats


def chonk_posterior(x, known, other="tail curl", seen=None, cells=(121, 41)):
    """The exact posterior over chonk: Bayes' rule as a sum over a grid.

    p(chonk, other | x) = p(x | chonk, other) / sum of the same;  evidence = their mean, because
    the prior is uniform: every cell weighs 1 / (G M). It is exact for cats on the grid, and for
    all cats up to the width of a cell (the midpoint rule).

    x: (S, S) of 0 and 1; known: the factors (6,), of which chonk and `other` are not looked at;
    seen: (S, S) bool, False where the picture is covered; cells: (G, M).
    """
    column = _check_other(other)
    n_chonk, n_other = _check_cells(cells)
    known = _check_known(known)
    chonk, rest = _cell_middles(0, n_chonk), _cell_middles(column, n_other)
    factors = np.repeat(known[None], n_chonk * n_other, axis=0)
    factors[:, 0] = np.repeat(chonk, n_other)
    factors[:, column] = np.tile(rest, n_chonk)
    x = _check_picture(x, n_cats=0)
    log_p = log_likelihood(x, factors, seen).reshape(n_chonk, n_other)
    top = log_p.max()
    weights = np.exp(log_p - top)  # the largest is 1: nothing overflows, and the sum is not 0
    log_evidence = float(top + np.log(weights.mean()))
    joint = weights / weights.sum()
    return ChonkPosterior(chonk, rest, joint.sum(axis=1), joint, log_evidence)


def _cell_middles(column, n):
    """The middles of n equal cells of a factor's range."""
    return LOW[column] + (np.arange(n) + 0.5) / n * (HIGH[column] - LOW[column])


# Checks, at the doors --------------------------------------------------------------------------


def _is_whole(value):
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_numeric(value):
    """Whether NumPy can make real numbers of it."""
    try:
        return np.asarray(value).dtype.kind in "biuf"
    except ValueError:  # rows of different lengths
        return False


def _check_count(n, what):
    if not _is_whole(n) or n < 1:
        raise MinivaeError(f"the number of {what} is {n!r}; it must be a whole number from 1 up")
    return int(n)


def _check_size(size):
    if not _is_whole(size) or not SIZES[0] <= size <= SIZES[1]:
        raise MinivaeError(
            f"the size of the cats is {size!r}; it must be a whole number of pixels "
            f"from {SIZES[0]} to {SIZES[1]}"
        )
    return int(size)


def _check_rng(rng):
    if not isinstance(rng, np.random.Generator):
        raise MinivaeError(f"rng is {rng!r}; give a generator, such as np.random.default_rng(0)")
    return rng


def _check_factors(factors):
    """(B, 6) float64 within the ranges; rounding, as to float32, is forgiven and undone."""
    if not _is_numeric(factors) or np.ndim(factors) != 2 or np.shape(factors)[1] != len(FACTORS):
        shape = np.shape(factors) if _is_numeric(factors) else "of no array of numbers"
        raise MinivaeError(
            f"the factors have shape {shape}; they must be (B, {len(FACTORS)}), one row a cat: "
            f"{', '.join(NAMES)}"
        )
    factors = np.asarray(factors, np.float64)
    slack = 1e-6 * (HIGH - LOW)
    wrong = ~((factors >= LOW - slack) & (factors <= HIGH + slack))  # so a NaN is wrong
    if wrong.any():
        cat, column = np.argwhere(wrong)[0]
        factor = FACTORS[column]
        raise MinivaeError(
            f"the {factor.name} of cat {cat} is {factors[cat, column]:g}; "
            f"it must be from {factor.low:g} to {factor.high:g} ({factor.unit})"
        )
    return np.clip(factors, LOW, HIGH)


def _check_known(known):
    """One cat's factors (6,) float64; their ranges are checked once the free ones are filled in."""
    if not _is_numeric(known) or np.shape(known) != (len(FACTORS),):
        shape = np.shape(known) if _is_numeric(known) else "of no array of numbers"
        raise MinivaeError(
            f"the known factors have shape {shape}; they must be those of one cat, "
            f"({len(FACTORS)},): {', '.join(NAMES)}"
        )
    return np.asarray(known, np.float64)


def _check_picture(x, n_cats):
    """x as bool: (S, S), or (B, S, S) where there are B = n_cats pictures to compare with."""
    shape = np.shape(x) if _is_numeric(x) else ()
    square = len(shape) in (2, 3) and shape[-1] == shape[-2]
    if not square or shape[:-2] not in ((), (n_cats,)) or shape[:-2] == (0,):
        many = f", or one for each of the {n_cats} cats, ({n_cats}, S, S)" if n_cats else ""
        raise MinivaeError(
            f"x has shape {shape}; it must be one square picture of numbers, (S, S){many}"
        )
    _check_size(shape[-1])
    x = np.asarray(x)
    if not ((x == 0) | (x == 1)).all():
        raise MinivaeError(
            "x holds values other than 0 and 1; draw it with sample_pixels, or binarize it"
        )
    return x == 1


def _check_seen(seen, size):
    """(S, S) bool, all True where nothing is covered."""
    if seen is None:
        return np.ones((size, size), bool)
    if not _is_numeric(seen) or np.shape(seen) != (size, size) or np.asarray(seen).dtype != bool:
        raise MinivaeError(
            f"seen, the mask of x, must be ({size}, {size}) of bool, False where it is covered"
        )
    return np.asarray(seen)


def _check_other(other):
    if other not in NAMES[1:]:
        raise MinivaeError(
            f"the other free factor is {other!r}; it must be one of {', '.join(NAMES[1:])}"
        )
    return NAMES.index(other)


def _check_cells(cells):
    if not isinstance(cells, tuple | list) or len(cells) != 2:
        raise MinivaeError(f"cells is {cells!r}; it must be two numbers, (chonk's, the other's)")
    return tuple(_check_count(n, "cells of the grid") for n in cells)


# The drawing ---------------------------------------------------------------------------------


class _Cat(NamedTuple):
    """What the brush needs of each cat, units and radians, each (B,) float32."""

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


def render(factors, size=SIZE):
    """Draw cats: factors (B, 6), in the units of FACTORS -> pictures (B, S, S) float32 in [0, 1].

    size: S, 16 to 128. Raises MinivaeError for factors out of range, or of another shape.
    """
    size = _check_size(size)
    factors = _check_factors(factors)
    images = np.empty((len(factors), size, size), np.float32)
    step = max(1, CHUNK_PIXELS // size**2)
    for start in range(0, len(factors), step):
        rows = slice(start, start + step)
        images[rows] = _draw(factors[rows], size).transpose(2, 0, 1)
    return images


def _draw(factors, size):
    """Paint one batch from the back to the front: (B, 6) -> (S, S, B).

    The batch comes last, so that every operation runs along contiguous cats, and a number of each
    cat, (B,), broadcasts against pixels.
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


def _window(images, left, top, right, bottom):
    """The pixels that lie, in part, between these units: no shape pays for the whole picture."""
    size = len(images)
    scale = size / UNITS
    columns = slice(max(0, int(left * scale) - 1), min(size, int(right * scale) + 2))
    rows = slice(max(0, int(top * scale) - 1), min(size, int(bottom * scale) + 2))
    centres = ((np.arange(size) + 0.5) / scale).astype(np.float32)
    x, y = centres[columns, None], centres[rows, None, None]
    return _Window(images[rows, columns], x, y, scale)


def _paint(window, distance, value, opacity=None):
    """image <- (1 - cover) image + cover * value,  cover = clip(1/2 - distance * scale, 0, 1)."""
    cover = distance * -window.scale
    cover += 0.5
    _clip(cover)
    if opacity is not None:
        cover *= opacity
    change = value - window.image
    change *= cover
    np.add(window.image, change, out=window.image)


def _clip(share):
    """To [0, 1], in place (np.clip costs more on small arrays)."""
    np.maximum(share, 0.0, out=share)
    np.minimum(share, 1.0, out=share)


def _outline(window, distance, width):
    """Blacken what a shape grown by `width` covers: so it stands out from what is behind."""
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


def _paint_tail(images, cat):
    """Along the ground, up a stem, and then an arc of fixed length that turns by the curl."""
    window = _window(images, 9.5, 8.5, 28.0, 27.0)
    half_width, corner, stem_x, stem_top, length = 0.95, 2.6, 8.2, 17.6, 7.6
    x, y = window.x - cat.x, window.y
    # The stem: |max(p, 0)| + min(max(p_x, p_y), 0) - r is a corner rounded with radius r.
    px, py = x - (stem_x - corner), y - (GROUND - half_width - corner)
    stem = _circle(np.maximum(px, 0), np.maximum(py, 0), corner)
    stem += np.minimum(np.maximum(px, py), 0)
    np.abs(stem, out=stem)
    # It ends half a pixel inside the arc, or else a seam shows; and under the body, to the left.
    beside = np.maximum(stem_top - 0.5 / window.scale - y, 1.0 - x)
    np.maximum(stem, beside + half_width, out=stem)
    # The arc, about (stem_x + radius, stem_top), turned so that its middle lies on an axis.
    radius, half = length / cat.curl, cat.curl / 2
    cos, sin = np.cos(half), np.sin(half)
    cx, cy = x - (stem_x + radius), y - stem_top
    along, across = -cos * cx - sin * cy, sin * cx - cos * cy
    ring = np.abs(_circle(along, across, radius))
    tip = _circle(along - radius * cos, across - radius * sin, 0)
    arc = np.where(np.abs(across) * cos > along * sin, tip, ring)  # the stem ends it below
    tail = np.minimum(stem, arc)
    tail -= half_width
    _paint(window, tail, TAIL)
    _paint(window, np.maximum(tail, tip - 1.5), TAIL_TIP)


def _paint_body(images, cat):
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


def _paint_head(images, cat):
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
    """A window about the head's centre, and its pixels in the head's own, tilted axes.

    -> window, u (h, w, B), v (h, w, B): u to the right, v towards the chin. The head is its own
    mirror image: what is drawn in side = |u| is there twice.
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


def _paint_face(images, cat):
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
