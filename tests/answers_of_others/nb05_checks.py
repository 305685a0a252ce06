"""Notebook 05: answers to `05.one-sided-bar`, `05.blind-pair` and `05.gradient-check`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 05.one-sided-bar ----------------------------------------------------------------------------


@right("05.one-sided-bar")
def from_the_second_derivative(f, x, h, u):
    f0, f1, f2 = f(x), f(x + h), f(x + 2 * h)
    second = (f0 - 2 * f1 + f2) / h**2
    return h / 2 * abs(second) + 4 * u * (abs(f0) + abs(f1)) / h


@right("05.one-sided-bar")
def against_the_central_difference(f, x, h, u):
    one_sided, central = (f(x + h) - f(x)) / h, (f(x + h) - f(x - h)) / (2 * h)
    return 1.5 * abs(one_sided - central) + 5 * u * abs(f(x)) / h


@right("05.one-sided-bar")
def against_half_the_step(f, x, h, u):
    def D(k):
        return (f(x + k) - f(x)) / k

    return max(2.5 * abs(D(h) - D(h / 2)), 6 * u * abs(f(x)) / h)


@wrong("05.one-sided-bar")
def rounding_alone(f, x, h, u):
    return 2 * u * max(abs(f(x)), abs(f(x + h))) / h


@wrong("05.one-sided-bar")
def truncation_alone(f, x, h, u):
    return abs((f(x + 2 * h) - f(x)) / (2 * h) - (f(x + h) - f(x)) / h)


@wrong("05.one-sided-bar")
def rounding_times_h(f, x, h, u):
    truncation = abs((f(x + 2 * h) - f(x)) / (2 * h) - (f(x + h) - f(x)) / h)
    return truncation + 4 * u * abs(f(x)) * h


@wrong("05.one-sided-bar")
def value_not_in_the_rounding(f, x, h, u):
    truncation = abs((f(x + 2 * h) - f(x)) / (2 * h) - (f(x + h) - f(x)) / h)
    return truncation + 4 * u / h


@wrong("05.one-sided-bar")
def difference_not_divided(f, x, h, u):
    return abs(f(x + 2 * h) - 2 * f(x + h) + f(x)) + 4 * u * abs(f(x)) / h


@wrong("05.one-sided-bar")
def second_step_divided_by_h(f, x, h, u):
    truncation = abs((f(x + 2 * h) - f(x)) / h - (f(x + h) - f(x)) / h)
    return truncation + 4 * u * abs(f(x)) / h


@wrong("05.one-sided-bar")
def with_its_sign(f, x, h, u):
    truncation = (f(x + h) - f(x)) / h - (f(x + 2 * h) - f(x)) / (2 * h)
    return -abs(truncation) - 4 * u * abs(f(x)) / h


@wrong("05.one-sided-bar")
def a_hundred_times_for_safety(f, x, h, u):
    truncation = abs((f(x + 2 * h) - f(x)) / (2 * h) - (f(x + h) - f(x)) / h)
    return 100 * (truncation + 4 * u * abs(f(x)) / h)


@wrong("05.one-sided-bar")
def of_the_central_difference(f, x, h, u):
    D, D2 = (f(x + h) - f(x - h)) / (2 * h), (f(x + 2 * h) - f(x - 2 * h)) / (4 * h)
    return abs(D2 - D) / 3 + 4 * u * abs(f(x)) / h


@wrong("05.one-sided-bar")
def smaller_of_the_two(f, x, h, u):
    truncation = abs((f(x + 2 * h) - f(x)) / (2 * h) - (f(x + h) - f(x)) / h)
    return min(truncation, 4 * u * abs(f(x)) / h)


@wrong("05.one-sided-bar")
def u_of_float64_written_in(f, x, h, u):
    truncation = abs((f(x + 2 * h) - f(x)) / (2 * h) - (f(x + h) - f(x)) / h)
    return truncation + 4 * 2.2e-16 * abs(f(x)) / h


@wrong("05.one-sided-bar")
def the_difference_itself(f, x, h, u):
    return abs((f(x + h) - f(x)) / h)


# ---- 05.blind-pair -------------------------------------------------------------------------------


@right("05.blind-pair")
def half_of_logvar_lost_again(mean, logvar, x):
    v = np.exp(logvar)
    nll = ((x - mean) ** 2 / (2 * v) + 0.25 * logvar).sum(axis=1)
    each = 0.25 - (x - mean) ** 2 / (2 * v)
    return nll, (mean - x) / v, each.sum(keepdims=True)[0]


@right("05.blind-pair")
def half_the_variance_meant(mean, logvar, x):
    v = np.exp(logvar - np.log(2))
    r = mean - x
    nll = 0.5 * (np.einsum("bd,bd->b", r, r) / v + r.shape[1] * np.log(2 * np.pi * v))
    return [nll, r / v, (0.5 * (x.size - (r**2).sum() / v)).reshape(1)]


@right("05.blind-pair")
def ten_times_as_large(mean, logvar, x):
    nll, dmean, dlogvar = half_of_logvar_lost_again(mean, logvar, x)
    return 10 * nll - 3, 10 * dmean, 10 * dlogvar


def _pair(squares, normaliser):
    """Right gradients of squares * r^2 / v + normaliser * logvar, summed over the pixels."""

    def pair(mean, logvar, x):
        q = (x - mean) ** 2 / np.exp(logvar)
        dlogvar = (normaliser * np.ones_like(q) - squares * q).sum(keepdims=True)[0]
        dmean = 2 * squares * (mean - x) / np.exp(logvar)
        return (squares * q + normaliser * logvar).sum(axis=1), dmean, dlogvar

    return pair


_mistaken = _pair(1, 0.5)

wrong("05.blind-pair", _pair(2, 0.5), _pair(-1, -0.5))
wrong("05.blind-pair", _pair(1, 2), clue="the-other-way")
wrong("05.blind-pair", _pair(0.5, -0.25), clue="logvar-lost")


@wrong("05.blind-pair")
def normaliser_once(mean, logvar, x):
    q = (x - mean) ** 2 / np.exp(logvar)
    return (
        0.5 * q.sum(axis=1) + 0.5 * logvar,
        (mean - x) / np.exp(logvar),
        0.5 * (len(x) - q.sum(keepdims=True)[0]),
    )


@wrong("05.blind-pair")
def one_loss_for_the_batch(mean, logvar, x):
    nll, dmean, dlogvar = _mistaken(mean, logvar, x)
    return nll.sum(), dmean, dlogvar


@wrong("05.blind-pair")
def averaged_over_the_batch(mean, logvar, x):
    nll, dmean, dlogvar = _mistaken(mean, logvar, x)
    return nll.mean(), dmean / len(x), dlogvar / len(x)


@wrong("05.blind-pair")
def a_loss_for_each_pixel(mean, logvar, x):
    _, dmean, dlogvar = _mistaken(mean, logvar, x)
    return (x - mean) ** 2 / np.exp(logvar) + logvar / 2, dmean, dlogvar


@wrong("05.blind-pair")
def dlogvar_as_a_number(mean, logvar, x):
    nll, dmean, dlogvar = _mistaken(mean, logvar, x)
    return nll, dmean, float(dlogvar[0])


@wrong("05.blind-pair")
def dlogvar_for_each_example(mean, logvar, x):
    nll, dmean, _ = _mistaken(mean, logvar, x)
    return nll, dmean, (0.5 - (x - mean) ** 2 / np.exp(logvar)).sum(axis=1)


@wrong("05.blind-pair")
def dmean_not_doubled(mean, logvar, x):
    nll, dmean, dlogvar = _mistaken(mean, logvar, x)
    return nll, dmean / 2, dlogvar


@wrong("05.blind-pair")
def dmean_with_the_other_sign(mean, logvar, x):
    nll, dmean, dlogvar = _mistaken(mean, logvar, x)
    return nll, -dmean, dlogvar


@wrong("05.blind-pair")
def sigma_for_its_square(mean, logvar, x):
    return _pair(0.5, 0.25)(mean, logvar / 2, x)


@wrong("05.blind-pair")
def gradients_only(mean, logvar, x):
    return _mistaken(mean, logvar, x)[1:]


@wrong("05.blind-pair")
def x_centred_in_place(mean, logvar, x):
    x -= mean
    return _mistaken(0 * mean, logvar, x)


# ---- 05.gradient-check ---------------------------------------------------------------------------


def _moved(f, x, i):
    def at(t):
        y = x.copy()
        y[i] += t
        return f(y)

    return at


def _bars(at, size, factor=2.0, first=1e-8):
    """(difference, bar) at ever larger steps, the rounding of f measured, until truncation wins."""
    line = [at(k * 2e-9 * max(1, size)) for k in range(7)]
    noise = max(abs(line[k] - 2 * line[k + 1] + line[k + 2]) for k in range(5))
    h = first
    while h < 1e7:
        a, b, c, d = at(h), at(-h), at(2 * h), at(-2 * h)
        D, D2 = (a - b) / (2 * h), (c - d) / (4 * h)
        truncation = abs(D2 - D) / 3
        rounding = max(noise, 4 * np.finfo(float).eps * max(map(abs, (a, b, c, d)))) / h
        yield D, truncation + rounding
        if truncation > rounding:
            return
        h *= factor


@right("05.gradient-check")
def smallest_bar(f, df, x):
    g = np.asarray(df(x))
    if g.shape != x.shape or not np.isfinite(g).all():
        return False
    for i in np.ndindex(*x.shape):
        D, bar = min(_bars(_moved(f, x, i), abs(x[i])), key=lambda pair: pair[1])
        if abs(D) * 1e-3 <= bar or abs(g[i] - D) > bar + 1e-7 * abs(D):
            return False
    return True


@right("05.gradient-check")
def fourth_order(f, df, x):
    g, u = df(x), np.finfo(float).eps
    if np.shape(g) != np.shape(x):
        return False

    def seen(i):
        at = _moved(f, x, i)
        line = [at(k * 1e-9) for k in range(-5, 6)]
        noise = np.abs(np.diff(line, 2)).max()
        best, bar = 0, np.inf
        for h in 3.0 ** np.arange(-17, 15):
            D, D2 = (_two(at, h), _two(at, 2 * h))
            rounding = max(noise, 4 * u * abs(at(h)), 4 * u * abs(at(-2 * h))) * 2 / h
            if abs(D2 - D) / 3 + rounding < bar:
                best, bar = (4 * D - D2) / 3, abs(D2 - D) / 3 + rounding
            if abs(D2 - D) / 3 > rounding:
                break
        return abs(g[i] - best) < 1e-6 * abs(best) + bar and bar < 1e-3 * abs(best)

    return all(map(seen, np.ndindex(x.shape)))


@right("05.gradient-check")
def list_of_entries(f, df, x):
    gradient = np.array(df(x), float)
    if gradient.shape != x.shape:
        return False
    verdicts = []
    for place in range(x.size):
        i = np.unravel_index(place, x.shape)
        pairs = list(_bars(_moved(f, x, i), abs(x[i]), factor=10**0.25, first=3e-9))
        D, bar = sorted(pairs, key=lambda pair: pair[1])[0]
        near = np.isclose(gradient[i], D, rtol=1e-6, atol=bar)
        verdicts.append(bool(near and bar / abs(D) < 1e-3))
    return False not in verdicts


@right("05.gradient-check")
def the_last_hint_to_the_letter(f, df, x):
    a, u = np.asarray(df(x)), np.finfo(float).eps
    if a.shape != x.shape:
        return False
    for i in np.ndindex(x.shape):
        at, D, bar = _moved(f, x, i), 0, np.inf
        noise = np.abs(np.diff([at(k * 1e-8) for k in range(9)], 2)).max()
        for h in 10.0 ** np.arange(-8, 7.1, 0.25):
            largest = max(abs(at(t)) for t in (h, -h, 2 * h, -2 * h))
            truncation = abs(_two(at, 2 * h) - _two(at, h)) / 3
            rounding = max(4 * u * largest, noise) / h
            if truncation + rounding < bar:
                D, bar = _two(at, h), truncation + rounding
            if truncation > rounding:
                break
        if not (abs(a[i] - D) <= bar and bar < 1e-3 * abs(D)):
            return False
    return True


def _central(f, x, h):
    return np.array([_two(_moved(f, x, i), h) for i in np.ndindex(x.shape)]).reshape(x.shape)


def _two(at, h):
    return (at(h) - at(-h)) / (2 * h)


def _compared(rule, h=1e-5):
    def check(f, df, x):
        a = np.asarray(df(x))
        return a.shape == x.shape and bool(rule(a, _central(f, x, h)))

    return check


def _each(a, n, tolerance):
    return (np.abs(a - n) <= tolerance).all()


wrong(
    "05.gradient-check",
    _compared(lambda a, n: np.allclose(a, n)),
    _compared(lambda a, n: np.allclose(a, n, rtol=1e-4, atol=0)),
    _compared(lambda a, n: np.allclose(a, n, rtol=1e-5, atol=1e-12), h=1e-3),
    _compared(lambda a, n: np.linalg.norm(a - n) / np.linalg.norm(a + n) < 1e-6),
    _compared(lambda a, n: np.abs(a - n).mean() < 1e-6),
    _compared(lambda a, n: (np.sign(a) == np.sign(n)).all()),
    _compared(lambda a, n: _each(a, n, 1e-6 * (np.abs(a) + np.abs(n)))),
    _compared(lambda a, n: (np.abs(a - n) <= 1e-3 * np.abs(n)).any()),
    _compared(lambda a, n: np.median(np.abs(a / n - 1)) < 1e-6),
    _compared(lambda a, n: abs(np.linalg.norm(a) - np.linalg.norm(n)) < 1e-6),
)
wrong(
    "05.gradient-check",
    _compared(lambda a, n: np.array_equal(np.round(a, 5), np.round(n, 5))),
    clue="one-at-least",
)


@wrong("05.gradient-check")
def always_false(f, df, x):
    return False


@wrong("05.gradient-check")
def by_complex_step(f, df, x):
    n = (
        np.array([_moved(f, x.astype(complex), i)(1e-30j).imag for i in np.ndindex(x.shape)])
        / 1e-30
    )
    return np.shape(df(x)) == x.shape and bool(np.allclose(df(x).ravel(), n, rtol=1e-8, atol=0))


@wrong("05.gradient-check")
def one_random_direction(f, df, x):
    v = np.random.default_rng(0).standard_normal(x.shape)
    numeric = (f(x + 1e-6 * v) - f(x - 1e-6 * v)) / 2e-6
    return np.shape(df(x)) == x.shape and bool(abs((df(x) * v).sum() / numeric - 1) < 1e-5)


@wrong("05.gradient-check")
def where_there_are_rows(f, df, x):
    return len(x.shape) == 2 and smallest_bar(f, df, x)
