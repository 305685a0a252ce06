"""Functions with right and with wrong gradients, for a gradient check to judge."""

import numpy as np

from minivae import mistakes, ops
from minivae.exercises.exercise import generic, planted_module


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
        *_rounded_pairs(a),
    ]


def _rounded_pairs(a):
    """Functions that are rounded to more than a few u |f|, and entries hidden in rounding error."""
    sure, prior = np.array([11.3, 12.1, 12.8]), 0.1 * a

    def right_and_sure(x):
        return (np.logaddexp(0, x) - x).sum()

    def d_right_and_sure(x):
        return -1 / (1 + np.exp(x))

    def kl(x):
        return (np.exp(x) - 1 - x).sum() / 2

    def hidden(x):
        return float(1e8 + 1e-6 * (x + x**3).sum())  # so that it takes no complex numbers

    return [
        _named_case("right_and_sure", right_and_sure, d_right_and_sure, sure),
        _named_case(
            "sure_1.01",
            lambda x: right_and_sure(x),
            lambda x: d_right_and_sure(x) * [1, 1.01, 1],
            sure,
        ),
        _named_case("kl_near_the_prior", kl, lambda x: (np.exp(x) - 1) / 2, prior),
        _named_case("kl_one_lost", lambda x: kl(x), lambda x: np.exp(x) / 2, prior),
        _named_case("hidden", hidden, lambda x: 1e-6 * (1 + 3 * x**2), a),
        _named_case("hidden_1.03", lambda x: hidden(x), lambda x: 1.03e-6 * (1 + 3 * x**2), a),
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


def check_cases():
    return _simple_pairs() + _planted_pairs()
