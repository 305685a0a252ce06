"""A gradient check, tried on right gradients and on planted mistakes."""

import numpy as np

from minivae.exercises.chapters.nb05.differences import central_difference, entry_by_entry
from minivae.exercises.chapters.nb05.gradient_pairs import check_cases
from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def gradient_check(f, df, x):
    """True if every entry of df(x) lies within the bar of its own difference, or 1e-6 of its size,
    and the bar is below a thousandth of it. The rounding error of f is measured"""
    gradient, u = df(x), np.finfo(float).eps
    if np.shape(gradient) != x.shape:
        return False
    for i in np.ndindex(x.shape):

        def at(t, i=i):
            moved = x.copy()
            moved[i] += t
            return f(moved)

        # f is straight between points so near each other; what bends between them is rounding.
        near = [at(k * 1e-8 * max(1, abs(x[i]))) for k in range(-4, 5)]
        noise = np.abs(np.diff(near, 2)).max()
        slope, bar = np.nan, np.inf
        for h in 10.0 ** np.arange(-8, 7.1, 0.5):
            values = [at(t) for t in (h, -h, 2 * h, -2 * h)]
            D, D2 = (values[0] - values[1]) / (2 * h), (values[2] - values[3]) / (4 * h)
            truncation, rounding = abs(D2 - D) / 3, max(4 * u * np.abs(values).max(), noise) / h
            if truncation + rounding < bar:
                slope, bar = D, truncation + rounding
            if truncation > rounding:  # far out, D(2h) - D(h) says nothing
                break
        if not abs(gradient[i] - slope) <= 1e-6 * abs(slope) + bar:  # NaN fails too
            return False
        if not bar < 1e-3 * abs(slope):  # hidden in rounding error
            return False
    return True


def _weak_check(rule):
    """A check with a flaw: rule(gradient, numeric) -> bool."""

    def check(f, df, x):
        with np.errstate(all="ignore"):
            return bool(rule(np.asarray(df(x)), central_difference(f, x, 1e-5)))

    return check


def _one_step(h, tolerance):
    """A check with this one step for all entries, and a relative tolerance for each."""

    def check(f, df, x):
        gradient = np.asarray(df(x))
        if gradient.shape != x.shape:
            return False
        with np.errstate(all="ignore"):
            numeric = central_difference(f, x, h)
        return bool((np.abs(gradient - numeric) <= tolerance * np.abs(numeric)).all())

    return check


def _slope_and_bar(f, x, i):
    """As section 5.11 has it."""
    best, step = (np.nan, np.inf), np.zeros(x.shape)
    for h in 10.0 ** np.arange(-8, 7.1, 0.25):
        step[i] = h
        values = [f(x + k * step) for k in (1, -1, 2, -2)]
        D, D2 = (values[0] - values[1]) / (2 * h), (values[2] - values[3]) / (4 * h)
        truncation = abs(D2 - D) / 3
        rounding = 4 * np.finfo(float).eps * np.abs(values).max() / h
        if truncation + rounding < best[1]:
            best = D, truncation + rounding
        if truncation > rounding:
            break
    return best


def _by_the_text(tolerance, hidden=1e-3):
    """Eq. (14) as section 5.11 has it; a larger bar than this share of the entry is refused."""

    def check(f, df, x):
        gradient = np.asarray(df(x))
        if gradient.shape != x.shape:
            return False
        for i in np.ndindex(x.shape):
            slope, bar = _slope_and_bar(f, x, i)
            if not abs(gradient[i] - slope) <= tolerance * abs(slope) + bar:
                return False
            if not bar < hidden * abs(slope):
                return False
        return True

    return check


def _one_sided(f, df, x):
    gradient, h = df(x), 1e-5
    if np.shape(gradient) != x.shape:
        return False
    numeric = entry_by_entry(lambda f, x, step, h: (f(x + step) - f(x)) / h)(f, x, h)
    return bool((np.abs(gradient - numeric) <= 1e-6 * np.maximum(1, np.abs(numeric))).all())


def _shaped(rule):
    return _weak_check(lambda a, n: a.shape == n.shape and rule(a, n))


GRADIENT_CHECK = Exercise(
    id="05.gradient-check",
    title="write a gradient check that judges every entry by its own size",
    stub=stub("""
        def gradient_check(f, df, x):    # f: array -> float; df: array -> array; x: any shape
            ...                          # -> True if df(x) is seen to be the gradient, else False
    """),
    reference=gradient_check,
    cases=check_cases,
    heavy=True,
    mistakes=(
        WrongAnswer(
            "always-true",
            lambda f, df, x: True,
            "It accepts every gradient; a check must also reject the wrong ones.",
        ),
        WrongAnswer(
            "first-entry",
            _shaped(lambda a, n: abs(a.flat[0] - n.flat[0]) <= 1e-6 * max(1, abs(n.flat[0]))),
            "Only the first entry is compared; the mistake may be in the last one.",
        ),
        WrongAnswer(
            "sums",
            _shaped(lambda a, n: abs(a.sum() - n.sum()) <= 1e-6 * max(1, abs(n.sum()))),
            "Only the sums are compared: entries in the wrong order go unnoticed.",
        ),
        WrongAnswer(
            "directions",
            _shaped(lambda a, n: (a * n).sum() > 0.999999 * np.linalg.norm(a) * np.linalg.norm(n)),
            "Only the directions are compared: a wrong factor goes unnoticed.",
        ),
        WrongAnswer(
            "ten-per-cent",
            _shaped(lambda a, n: (np.abs(a - n) <= 0.1 * np.maximum(1, np.abs(n))).all()),
            "A tolerance of ten per cent lets real mistakes through; central differences are "
            "accurate to about 1e-8.",
        ),
        WrongAnswer(
            "absolute",
            _shaped(lambda a, n: (np.abs(a - n) <= 1e-3).all()),
            "The tolerance is absolute and too coarse: a small gradient passes even if it is wrong "
            "by a large factor.",
        ),
        WrongAnswer(
            "one-at-least",
            _shaped(lambda a, n: (np.abs(a - n) <= 1e-6 * np.maximum(1, np.abs(n))).all()),
            "The tolerance is absolute for entries below 1 (max(1, |n|) makes it so): a gradient "
            "of size 1e-8 passes whatever it is. Compare with the entry's own size.",
        ),
        WrongAnswer(
            "largest-entry",
            _shaped(lambda a, n: (np.abs(a - n) <= 1e-6 * np.abs(n).max()).all()),
            "Every entry is compared with the largest one, so a small entry passes whatever it is: "
            "compare it with its own size, and allow for rounding.",
        ),
        WrongAnswer(
            "one-step-for-all",
            _one_step(1e-2, 1e-2),
            "One step for all entries, and a loose tolerance for each: the step is too large for a "
            "fast function, and the tolerance lets a factor of 1.002 pass. Each entry needs its "
            "own step, and a bar that says how far the difference can be off.",
        ),
        WrongAnswer(
            "one-step-a-thousandth",
            _one_step(1e-4, 1e-3),
            "One step for all entries: it is too small for an entry that is tiny beside the value "
            "of f, where a right gradient is rejected. Each entry needs its own step and bar.",
        ),
        WrongAnswer(
            "no-room-for-rounding",
            _shaped(lambda a, n: (np.abs(a - n) <= 1e-6 * np.abs(n)).all()),
            "A right gradient is rejected where one entry is tiny beside the value of f: the "
            "difference is off by about eps |f| / h, whatever the size of the entry.",
        ),
        WrongAnswer(
            "too-strict",
            _shaped(lambda a, n: (np.abs(a - n) <= 1e-12 * np.maximum(1, np.abs(n))).all()),
            "Right gradients are rejected: differences in float64 are accurate to about 1e-8, "
            "relative to the size of the gradient.",
        ),
        WrongAnswer(
            "not-a-number-passes",
            _shaped(lambda a, n: not (np.abs(a - n) > 1e-6 * np.maximum(1, np.abs(n))).any()),
            "NaN > tolerance is False, so NaN passes: ask whether all differences are within the "
            "tolerance, not whether one exceeds it.",
        ),
        WrongAnswer(
            "bar-of-the-text",
            _by_the_text(tolerance=0),
            "The bar of 5.11 reckons with a rounding error of a few u |f|. A function whose parts "
            "are larger than itself is off by more, so right gradients are rejected: measure the "
            "rounding error of f.",
        ),
        WrongAnswer(
            "hidden-passes",
            _by_the_text(tolerance=5e-4, hidden=np.inf),
            "Where the best bar is a large part of the entry, a mistake can lie within it: such an "
            "entry is not seen to be right, and the answer is False.",
        ),
        WrongAnswer(
            "broadcast",
            _weak_check(lambda a, n: (np.abs(a - n) <= 1e-6 * np.maximum(1, np.abs(n))).all()),
            "A gradient of the wrong shape is broadcast and passes: compare the shapes first.",
        ),
        WrongAnswer(
            "one-sided",
            _one_sided,
            "The one-sided difference is off by h f'' / 2, so right gradients are rejected: "
            "step to both sides.",
        ),
    ),
    hints=(
        "Central differences in every entry, then a comparison relative to that entry's own size.",
        "What does your check say about a gradient of the wrong shape, about NaN, and about a tiny "
        "entry beside a large f? And how far from a straight line are values of f 1e-8 apart?",
        "False unless the shapes agree and, in every entry, `abs(a - D) <= bar` and the bar is "
        "below a thousandth of D. As eq. (14), but the rounding of f is at least the largest of "
        "`np.abs(np.diff(values, 2))`, for nine values of f at points 1e-8 apart.",
    ),
)
