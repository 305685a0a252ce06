"""log p(x) of a model with two latents by brute force: triangles of the plane, divided until exact.

The kinks of a relu decoder are straight lines, layer by layer. Between them the decoder is linear,
so log p(x, z) is concave there, and its tangent at one point bounds it over the whole triangle: no
peak is missed. A smooth decoder has no such bound; it starts from triangles so small that a peak
would have to be narrower than 1/50 to pass unseen.
"""

import numpy as np
from brute_force import decode_alone, log_joint

NEAREST = 20.0  # |z_1|, |z_2| that are looked at, at least
START = 0.2  # side of the first triangles of a smooth decoder
DEEP = 45.0  # nats below log p(x): a triangle with less in it is left out
ROUGH = 10.0  # nats: over which log p(x, z) may vary in a triangle that is summed
EXACT = 1e-13  # of log p(x) or of the triangle's own share: the error of a triangle that is summed
BLOCK = 4000


def two_latents(case):
    """log p(x), and how far it may be off: two floats."""
    reach = _reach(case)
    start = _linear_regions if case.spec.activation == "relu" else _small_triangles
    triangles = start(case, reach)
    sums, errors = [np.full(1, -np.inf)], [_log_outside(case, reach)]
    floor = -np.inf
    while len(triangles):
        small, large, highest, lowest = _look(case, triangles)
        floor = max(floor, _log_sum(np.concatenate([*sums, large])))
        kept = highest + np.log(_areas(triangles)) > floor - DEEP
        errors.append((highest + np.log(_areas(triangles)))[~kept])
        apart = _log_difference(large, small)
        exact = apart < np.log(EXACT) + np.maximum(large, floor - 7)
        done = kept & exact & (highest - lowest < ROUGH)
        sums.append(large[done])
        errors.append(apart[done])
        triangles = _halved(triangles[kept & ~done])
    log_p = _log_sum(np.concatenate(sums))
    return log_p, float(np.exp(_log_sum(np.concatenate(errors)) - log_p)) + 1e-12


def _reach(case):
    """So far out that nothing is left beyond it, by the highest of some values of log p(x, z)."""
    axis = np.arange(-NEAREST, NEAREST, START)
    seen = log_joint(case, np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)).max()
    room = _highest_likelihood(case) - seen + DEEP
    return START * np.ceil(max(NEAREST, (2 * room) ** 0.5) / START)


def _log_outside(case, reach):
    """A bound of the log of the integral further out: the likelihood is nowhere above this."""
    return np.array([np.log(4) - reach**2 / 2 + _highest_likelihood(case)])


def _highest_likelihood(case):
    variance = case.spec.variance
    return 0.0 if variance is None else -len(case.x) * np.log(2 * np.pi * variance) / 2


def _rule(n):
    """Gauss's rule for the triangle (0, 0), (1, 0), (0, 1): points (n^2, 2), weights of sum 1."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    nodes, weights = (nodes + 1) / 2, weights / 2
    u, v = np.meshgrid(nodes, nodes, indexing="ij")
    points = np.stack([u, (1 - u) * v], axis=-1).reshape(-1, 2)
    return points, (2 * weights[:, None] * weights * (1 - u)).ravel()


SMALL, LARGE = _rule(5), _rule(7)


def _look(case, triangles):
    """log of the integral by two rules, and the highest and lowest log p(x, z): (M,) each."""
    columns, relu = [], case.spec.activation == "relu"
    for start in range(0, len(triangles), BLOCK):
        corners = triangles[start : start + BLOCK]
        edges = corners[:, 1:] - corners[:, :1]
        log_area = np.log(_areas(corners))
        row, seen = [], []
        for points, weights in (SMALL, LARGE):
            z = corners[:, :1] + points @ edges
            f = log_joint(case, z.reshape(-1, 2)).reshape(z.shape[:2])
            seen.append(f)
            row.append(_log_sum(f + np.log(weights), axis=1) + log_area)
        seen = np.concatenate(seen, axis=1)
        low, high = seen.min(axis=1), seen.max(axis=1)
        high = _tangent(case, corners) if relu else 2 * high - low
        columns.append([*row, high, low])
    return [np.concatenate(column) for column in zip(*columns, strict=True)]


def _tangent(case, corners):
    """The highest value in each triangle of the tangent plane at its centroid."""
    centre = corners.mean(axis=1)
    out = decode_alone(case, centre)
    if case.spec.likelihood == "bernoulli":
        slope = case.x - 1 / (1 + np.exp(-out))
    else:
        slope = (case.x - out) / case.spec.variance
    change = (
        decode_alone(case, corners.reshape(-1, 2)).reshape(*corners.shape[:2], -1) - out[:, None]
    )
    rise = (change * slope[:, None]).sum(axis=2)
    rise -= ((corners - centre[:, None]) * centre[:, None]).sum(axis=2)
    return log_joint(case, centre) + rise.max(axis=1)


def _areas(triangles):
    (a, b), (c, d) = (triangles[:, 1:] - triangles[:, :1]).transpose(1, 2, 0)
    return np.maximum(np.abs(a * d - b * c) / 2, 1e-300)


def _halved(triangles):
    """Each triangle cut from the middle of its longest side to the corner opposite."""
    lengths = ((triangles - np.roll(triangles, -1, axis=1)) ** 2).sum(axis=2)
    first = np.argmax(lengths, axis=1)[:, None]
    a, b, c = (np.take_along_axis(triangles, (first + i)[..., None] % 3, 1)[:, 0] for i in range(3))
    middle = (a + b) / 2
    return np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])


def _small_triangles(case, reach):
    """As far out as the prior leaves something: two triangles in each square of side START."""
    axis = np.arange(-reach, reach - START / 2, START)
    low = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    seen = log_joint(case, low[:, 0]).max() + 2 * np.log(START) - 10  # below log p(x), surely
    highest = _highest_likelihood(case) - (np.maximum(np.abs(low) - START, 0) ** 2).sum(axis=2) / 2
    low = low[highest[:, 0] > seen - DEEP]
    lower = low + START * np.array([[0, 0], [1, 0], [0, 1]])
    upper = low + START * np.array([[1, 1], [1, 0], [0, 1]])
    return np.concatenate([lower, upper])


def _linear_regions(case, reach):
    """Triangles in each of which a relu decoder is linear: (M, 3, 2)."""
    corner = reach * np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    polygons = [corner]
    for layer in range(1, len(case.spec.hidden) + 1):
        for unit in range(len(case.params[f"dec{layer}_b"])):
            polygons = [part for p in polygons for part in _cut(p, _unit(case, p, layer, unit))]
    return np.concatenate([_fan(p) for p in polygons])


def _unit(case, z, layer, unit):
    """What one unit of a layer gets, before its activation: z (k, 2) -> (k,)."""
    for i in range(1, layer + 1):
        a = z @ case.params[f"dec{i}_W"] + case.params[f"dec{i}_b"]
        z = np.maximum(a, 0)
    return a[:, unit]


def _cut(polygon, height):
    """The convex polygon (k, 2) in two along height = 0, given the height of its corners."""
    small = 1e-13 * np.abs(height).max()
    if height.min() >= -small or height.max() <= small:
        return [polygon]
    corners, heights = [], []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        corners.append(polygon[i])
        heights.append(height[i])
        if height[i] * height[j] < 0:
            share = height[i] / (height[i] - height[j])
            corners.append(polygon[i] + share * (polygon[j] - polygon[i]))
            heights.append(0.0)
    corners, heights = np.array(corners), np.array(heights)
    return [corners[heights >= 0], corners[heights <= 0]]


def _fan(polygon):
    """Triangles from the middle of the polygon to its sides."""
    middle = np.broadcast_to(polygon.mean(axis=0), polygon.shape)
    return np.stack([middle, polygon, np.roll(polygon, -1, axis=0)], axis=1)


def _log_sum(values, axis=None):
    top = values.max(axis=axis, keepdims=True)
    if not np.isfinite(top).all():
        return -np.inf
    total = np.log(np.exp(values - top).sum(axis=axis, keepdims=True)) + top
    return total.item() if axis is None else np.squeeze(total, axis)


def _log_difference(a, b):
    """log |e^a - e^b|."""
    with np.errstate(divide="ignore"):
        return np.maximum(a, b) + np.log(-np.expm1(-np.abs(a - b)))
