"""`check_grad`: is df the gradient of f at x? Right, wrong, or cannot tell, entry by entry."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from minivae.checks.values import check_samples
from minivae.errors import MinivaeError
from minivae.gradcheck.check_report import GradReport
from minivae.gradcheck.differences import block_error, private_rng
from minivae.gradcheck.directions import Directions
from minivae.gradcheck.entries import Numerics, Surroundings, scales_of
from minivae.gradcheck.explain import explain
from minivae.gradcheck.inputs import Function, Gradient, Misfit, Point, make_point
from minivae.gradcheck.ladder import Estimate
from minivae.gradcheck.noise import EPS32, EPS64, near, noise_of, roughness
from minivae.gradcheck.symptoms import block_sizes
from minivae.gradcheck.verdicts import CANNOT_TELL, REASONS, WRONG, Entries, judge, whole

MOST_ENTRIES = 1000  # above it, random directions
CALLS = 4  # of f at the point, to see whether it is random
SAME = 100.0  # roundings: values that differ by more are random
OWN_BARS = 4.0  # times the roughness of the gradient by hand is taken for its error

Structure = Any  # an array, a dict of arrays, or a list or tuple of them


def check_grad(
    f: Callable[[Any], Any],
    df: Callable[[Any], Any],
    x: Structure,
    *,
    name: str = "x",
    sizes: dict[str, int] | None = None,
    n: int = 4,
    seed: int = 0,
) -> GradReport:
    """Is df the gradient of f at x?  f: x -> number, df: x -> the structure of x; -> GradReport.

    x: an array, or a dict, list or tuple of arrays. Every entry is compared with its numerical
    derivative, each with an error bar: by differences over a ladder of steps (`ladder`), and by the
    complex step where f takes it and no difference contradicts it; differences must confirm it on
    some entry before one is called wrong by it alone (`entries`). `verdicts` says how an entry is
    judged. The whole is "wrong" if any entry is; "right" if all are; else "cannot tell".
    A function that is random is "cannot tell", always.

    With more than 1000 entries, n random directions for each group of entries of like size are
    taken instead, and a wrong one is followed to its entries (`directions`).

    sizes: {"the batch size B": 4, ...}, factors that a wrong sum or mean would leave. Take a
    generic point: no zeros, no ones, not square. Of notebook 03's thirteen wrong Gaussian KLs,
    eight have the right gradient at zero. Raises MinivaeError where x, f or df cannot be checked at
    all. A wrong formula whose gradient is right passes.
    """
    n = check_samples(n, "n")
    point = make_point(x, name)
    return _check(f, df, point, name, sizes, n, seed, point.flat.size > MOST_ENTRIES)


def check_directions(
    f: Callable[[Any], Any],
    df: Callable[[Any], Any],
    x: Structure,
    *,
    n: int = 4,
    seed: int = 0,
    name: str = "x",
    sizes: dict[str, int] | None = None,
) -> GradReport:
    """`check_grad` along random directions, however few the entries -> GradReport.

    The directions come from the check's own stream (`private_rng`), not from that of an x drawn
    with `seed`.
    """
    n = check_samples(n, "n")
    return _check(f, df, make_point(x, name), name, sizes, n, seed, True)


def _check(
    f: Callable[[Any], Any],
    df: Callable[[Any], Any],
    point: Point,
    name: str,
    sizes: dict[str, int] | None,
    n: int,
    seed: int,
    along_directions: bool,
) -> GradReport:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        rng = private_rng(seed)
        function, gradient = Function(f, point), Gradient(df, point)
        values = np.array([function.at_point() for _ in range(CALLS)])
        try:
            analytic, again = gradient(point.flat), gradient(point.flat)
        except Misfit as misfit:
            return _refused(point, name, WRONG, str(misfit), function)
        if not np.isfinite(values).all():
            return _refused(point, name, CANNOT_TELL, _words("not finite"), function)
        if _is_random(values, function) or _is_random(np.stack([analytic, again]), gradient):
            reason = "random" if _is_random(values, function) else "random gradient"
            return _refused(point, name, CANNOT_TELL, _words(reason), function)
        value = float(values[0])
        noise = max(noise_of(function, point.flat, value, rng), float(np.ptp(values)))
        if function.single:
            noise = max(noise, EPS32 / 2 * abs(value))
        around = Surroundings(function, point.flat, value, noise, scales_of(point.flat), rng)
        own = own_bars(gradient, analytic, rng)
        kind = _by_directions if along_directions else _by_entries
        report = kind(point, around, gradient, analytic, own, name, sizes or {}, n)
        last = function.at_point()
        if _is_random(np.array([value, last]), function):
            return _refused(point, name, CANNOT_TELL, _words("random"), function)
    notes = [*point.notes, *report.notes]
    if function.changes_x:
        notes.append("f changes its argument in place (it was given a copy)")
    if gradient.changes_x:
        notes.append("df changes its argument in place (it was given a copy)")
    return report._replace(notes=tuple(notes), evaluations=function.calls)


def own_bars(gradient: Gradient, analytic: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rounding of the gradient by hand itself, from how rough it is as x moves by many
    roundings: (N,). An ill-conditioned formula shows, and one in float32."""
    x, eps = gradient.point.flat, gradient.eps
    calls = [analytic]
    try:
        calls += [gradient(at) for at in near(x, eps, rng)]
        calls += [gradient(x * (1 + 2 * eps * rng.uniform(-1, 1, x.size)))]
    except (MinivaeError, Misfit):  # not defined so close to x
        return OWN_BARS * eps * np.abs(analytic)
    line, moved = np.array(calls[:-1]), calls[-1]
    rough = np.maximum(roughness(line), np.abs(moved - analytic))
    return OWN_BARS * (np.where(np.isfinite(rough), rough, 0.0) + eps * np.abs(analytic))


def _is_random(calls: np.ndarray, made: Function | Gradient) -> bool:
    """Do repeated calls differ by more than rounding? calls: (n,) or (n, N)."""
    single = made.single if isinstance(made, Function) else made.eps > EPS64
    sizes = np.abs(calls).max()
    spread = np.ptp(calls, axis=0)
    return bool((spread > SAME * (EPS32 if single else EPS64) * sizes).any())


def _words(reason: str) -> str:
    matter, advice = REASONS[reason]
    return f"I can't tell: {matter}; {advice}"


def _refused(
    point: Point, name: str, verdict: str, sentence: str, function: Function
) -> GradReport:
    """A report without entries: nothing could be compared."""
    none = np.zeros(0)
    entries = Entries(none, none, none, none.astype(object), none.astype(object))
    nowhere = (0,) * len(point.shapes[0])

    def trace(_: int) -> Estimate:
        raise MinivaeError("there is nothing to plot: no entry was compared")

    return GradReport(
        verdict, name, float("inf"), nowhere, np.nan, np.nan, None, sentence, (), entries,
        point.notes, function.calls, trace,
    )  # fmt: skip


def _by_entries(
    point: Point,
    around: Surroundings,
    gradient: Gradient,
    analytic: np.ndarray,
    own: np.ndarray,
    name: str,
    sizes: dict[str, int],
    _n: int,
) -> GradReport:
    numerics = Numerics(around)
    numerics.take()
    entries = judge(numerics, analytic, own, gradient)
    labels = tuple(point.label(i) for i in range(analytic.size))
    sentence, ratio, worst = explain(point, entries, sizes)
    index = point.locate(worst)[1]
    return GradReport(
        whole(entries), name, block_error(analytic, entries.numeric), index,
        float(analytic[worst]), float(entries.numeric[worst]), ratio, sentence, labels, entries,
        tuple(numerics.notes), 0, numerics.climb,
    )  # fmt: skip


def _by_directions(
    point: Point,
    around: Surroundings,
    _gradient: Gradient,
    analytic: np.ndarray,
    own: np.ndarray,
    name: str,
    sizes: dict[str, int],
    n: int,
) -> GradReport:
    directions = Directions(around, analytic, own, n)
    entries, labels = directions.judge(point.label)
    sizes = sizes | block_sizes(point.names, point.shapes)
    sentence, ratio, worst = directions.explain(entries, labels, sizes)
    index = point.locate(directions.found[0])[1] if directions.found else (worst,)
    error = block_error(entries.analytic, entries.numeric)
    return GradReport(
        whole(entries), f"{name} along {len(directions.lines)} directions", error, index,
        float(entries.analytic[worst]), float(entries.numeric[worst]), ratio, sentence, labels,
        entries, tuple(directions.notes), 0, directions.trace,
    )  # fmt: skip
