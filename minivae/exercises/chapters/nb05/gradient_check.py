"""A gradient check, tried on right gradients and on planted mistakes."""

import numpy as np

from minivae import mistakes, ops
from minivae.exercises.chapters.nb05.differences import central_difference, entry_by_entry
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, planted_module, stub


def gradient_check(f, df, x):
    """True if every entry of df(x) lies within the error bar of its own difference, or within 1e-6
    of its own size"""
    gradient, u = df(x), np.finfo(float).eps
    if np.shape(gradient) != x.shape:
        return False
    for i in np.ndindex(x.shape):
        slope, bar = np.nan, np.inf
        for h in 10.0 ** np.arange(-8, 2.1, 0.5):
            step = np.zeros(x.shape)
            step[i] = h
            values = [f(x + k * step) for k in (1, -1, 2, -2)]
            D, D2 = (values[0] - values[1]) / (2 * h), (values[2] - values[3]) / (4 * h)
            truncation, rounding = abs(D2 - D) / 3, 4 * u * np.abs(values).max() / h
            if truncation + rounding < bar:
                slope, bar = D, truncation + rounding
            if truncation > rounding:  # far out, D(2h) - D(h) says nothing
                break
        if not abs(gradient[i] - slope) <= 1e-6 * abs(slope) + bar:  # NaN fails too
            return False
    return True


def _named_case(name, f, df, x):
    """(f, df, x), after naming the functions as the card shows them."""
    f.__name__, df.__name__ = name, f"d_{name}"
    return f, df, x


def _simple_pairs():
    """(f, df, x): right gradients, and a wrong one for each flaw that a check may have."""
    a = np.array([0.7, -1.3, 0.4])
    m = np.array([[0.3, -1.1], [0.8, 0.5], [0.2, -0.6]])
    c = np.array([[1.0, 2.0], [-1.0, 0.5], [3.0, -2.0]])

    def square(x):
        return (x**2).sum()

    def weighted(x):
        return (c * x).sum() + x[0, 0] * x[2, 1]

    def d_weighted(x):
        d = c.copy()
        d[0, 0] += x[2, 1]
        d[2, 1] += x[0, 0]
        return d

    def last_entry_off(x):
        d = d_weighted(x)
        d[2, 1] += 0.01
        return d

    def faint(x):
        return 1e-3 * (x**2).sum()

    def fainter(x):
        return 1e-8 * (x**2).sum()

    scales = np.array([1e5, 1e-3, 1.0])

    def two_sizes(x):
        return (scales * x**2).sum()

    def with_small_input(size):
        """(f, df): one of two inputs is this small, and so are the gradients of its weights"""
        z = np.array([[0.6, 0.4], [-1.1, 0.9], [0.3, -0.7]]) * [1, size]
        target = np.array([1.0, 0.0, 1.0])

        def f(x):
            logits = np.tanh(z @ x) @ np.array([1.5, -0.8, 0.4])
            return (np.log1p(np.exp(logits)) - target * logits).sum()

        def df(x):
            y, W = np.tanh(z @ x), np.array([1.5, -0.8, 0.4])
            dlogits = 1 / (1 + np.exp(-(y @ W))) - target
            return z.T @ (np.outer(dlogits, W) * (1 - y**2))

        return f, df

    small_input, d_small_input = with_small_input(1e-6)
    tiny_input, d_tiny_input = with_small_input(1e-10)

    def faint_sign_lost(x):
        d = d_small_input(x)
        d[1, 2] *= -1
        return d

    def tiny_entry_off(x):
        d = d_tiny_input(x)
        d[1, 2] *= 1.05
        return d

    return [
        _named_case("square", lambda x: square(x), lambda x: 2 * x, a),
        _named_case("weighted", lambda x: weighted(x), d_weighted, m),
        _named_case("kinked", lambda x: np.abs(x).sum(), lambda x: np.sign(x), m),
        _named_case("steep", lambda x: 1e4 * (x**3).sum(), lambda x: 3e4 * x**2, a),
        _named_case("half_lost", lambda x: square(x) / 2, lambda x: 2 * x, a),
        _named_case("sign_lost", lambda x: square(x), lambda x: -2 * x, a),
        _named_case("last_entry", lambda x: weighted(x), last_entry_off, m),
        _named_case("reordered", lambda x: square(x), lambda x: 2 * x[::-1], a),
        _named_case("one_number", lambda x: x.sum() * 2, lambda x: np.array(2.0), a),
        _named_case("not_a_number", lambda x: square(x), lambda x: 2 * x + np.nan, a),
        _named_case("faint_and_wrong", faint, lambda x: 2.2e-3 * x, a),
        _named_case("fainter", lambda x: fainter(x), lambda x: 2e-8 * x, a),
        _named_case("five_times_too_large", lambda x: fainter(x), lambda x: 1e-7 * x, a),
        _named_case("two_sizes", lambda x: two_sizes(x), lambda x: 2 * scales * x, a),
        _named_case("the_small_one_lost", two_sizes, lambda x: 2 * scales * x * [1, 0, 1], a),
        _named_case("scaled_by_1.01", lambda x: square(x), lambda x: 2.02 * x, a),
        _named_case("small_input", small_input, d_small_input, m.T),
        _named_case("faint_sign_lost", lambda x: small_input(x), faint_sign_lost, m.T),
        _named_case("tiny_input", tiny_input, d_tiny_input, m.T),
        _named_case("tiny_entry_off", lambda x: tiny_input(x), tiny_entry_off, m.T),
        _named_case(
            "fast", lambda x: 200 + np.sin(300 * x).sum(), lambda x: 300 * np.cos(300 * x), a
        ),
        _named_case("scaled_by_1.002", lambda x: square(x), lambda x: 2.004 * x, a),
        _named_case("raised", lambda x: 1e8 + square(x), lambda x: 2 * x, a),
        _named_case("raised_sign_lost", lambda x: 1e8 + square(x), lambda x: -2 * x, a),
        _named_case("right_at_zero_only", lambda x: (x**2).sum() + x.sum(), lambda x: x**2 + 1, a),
    ]


def _planted_pairs():
    """(f, df, x) from the planted mistakes: f is right, df is the gradient with the mistake."""
    rng = np.random.default_rng(59)
    eps, c, image = generic(rng, 3, 2), generic(rng, 3, 2), np.round(rng.random((3, 2)))

    def kl(module):
        def f(x):
            return ops.gaussian_kl_forward(x[0], x[1])[0].sum()

        def df(x):
            _, cache = module.gaussian_kl_forward(x[0], x[1])
            return np.stack(module.gaussian_kl_backward(np.ones((3, 2)), cache))

        return f, df, generic(rng, 2, 3, 2)

    def sample(module):
        def f(x):
            return (c * module.reparam_forward(x[0], x[1], eps)[0]).sum()

        def df(x):
            _, cache = module.reparam_forward(x[0], x[1], eps)
            return np.stack(module.reparam_backward(c, cache))

        return f, df, generic(rng, 2, 3, 2)

    def bernoulli(module):
        def f(x):
            return ops.bernoulli_nll_forward(x, image)[0].sum()

        def df(x):
            cache = module.bernoulli_nll_forward(x, image)[1]
            return module.bernoulli_nll_backward(np.ones(3), cache)

        return f, df, generic(rng, 3, 2)

    def tanh_layer(module):
        W, b = generic(rng, 4, 2), generic(rng, 2)

        def f(x):
            return (c * ops.dense_forward(x, W, b, "tanh")[0]).sum()

        def df(x):
            return module.dense_backward(c, module.dense_forward(x, W, b, "tanh")[1])[0]

        return f, df, generic(rng, 3, 4)

    makers = {
        "kl-gradient": kl,
        "reparam": sample,
        "bernoulli-gradient": bernoulli,
        "dense-tanh": tanh_layer,
    }
    pairs = []
    for mistake in mistakes.MISTAKES:
        maker = next((m for prefix, m in makers.items() if mistake.name.startswith(prefix)), None)
        # Left out: what no gradient check sees, and a mean over the samples (there is one here).
        unseen = mistake.witness != mistakes.GRADIENT or mistake.name == "reparam-mean-over-samples"
        if maker and not unseen:
            pairs.append(_named_case(mistake.name, *maker(planted_module(mistake.name))))
    return pairs


def _check_cases():
    return _simple_pairs() + _planted_pairs()


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
            ...                          # -> True if df(x) is the gradient of f at x, else False
    """),
    reference=gradient_check,
    cases=_check_cases,
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
            "max(1, |n|) makes the tolerance absolute for entries below 1: a gradient of size 1e-8 "
            "passes whatever it is. Compare with the entry's own size.",
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
        "entry beside a large f? A difference is off by about u |f| / h through rounding alone.",
        "False unless the shapes agree and `not abs(a - D) <= bar` holds for no entry: D and bar "
        "of eq. (13), with the step that suits the entry, as `slope_and_bar` of section 5.8 does.",
    ),
)
