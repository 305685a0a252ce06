"""Notebook 04: answers to `04.allowed`, `04.winners`, `04.ends` and `04.train`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 04.allowed ----------------------------------------------------------------------------------

B, S, P, N = "both", "score function", "pathwise", "neither"

right(
    "04.allowed",
    (B, S, P, B, P, N, S, S),
    "both, score function, pathwise, both, pathwise, neither, score function, score function".split(
        ", "
    ),
    [np.str_(word) for word in (B, S, P, B, P, N, S, S)],
)

wrong(
    "04.allowed",
    [B, N, P, B, P, N, S, S],
    [B, S, P, B, P, N, N, S],
    [B, S, S, B, P, N, S, S],
    [B, P, P, B, P, P, S, P],
    [P, S, P, P, P, N, S, S],
    [B, S, B, B, B, N, S, N],
    [B, S, P, B, P, S, S, N],
    [B] * 8,
    [S] * 8,
    [S, S, P, S, P, N, S, S, S],
    [B, S, P, B, P, N, S],
    [B, "score", P, B, P, N, "score", "score"],
    [1, 2, 3, 1, 3, 4, 2, 2],
    "both",
    {1: B, 2: S, 3: P, 4: B, 5: P, 6: N, 7: S, 8: S},
)

# ---- 04.winners ----------------------------------------------------------------------------------

R = "rule"

right(
    "04.winners",
    (R, P, S, R, P, S, S),
    [R, P] + [S, R, P] + 2 * [S],
    "rule,pathwise,score function,rule,pathwise,score function,score function".split(","),
)

wrong(
    "04.winners",
    [R, R, S, R, R, S, S],
    [R, P, R, R, P, S, S],
    [R, P, S, R, P, P, S],
    [R, R, R, R, R, S, S],
    [R, S, S, R, S, S, R],
    [P, P, S, P, P, S, P],
    [R, P, P, R, P, S, P],
    [S, P, S, R, P, S, S],
    [P] * 7,
    [R, P, S, R, P, S],
    [R, P, S, R, P, S, "neither"],
    ["Rule", "Pathwise", "Score function", "Rule", "Pathwise", "Score function", "Score function"],
)

wrong("04.winners", [R, P, S, S, P, S, S], clue="kinks-forbidden")

# ---- 04.ends -------------------------------------------------------------------------------------

BELOW, AT, ABOVE = "below", "at", "above"

right(
    "04.ends",
    (ABOVE, BELOW, AT, AT, ABOVE, AT, AT, BELOW),
    [ABOVE, BELOW, *2 * [AT], ABOVE, *2 * [AT], BELOW],
    "above below at at above at at below".split(),
)

wrong(
    "04.ends",
    [BELOW, ABOVE, AT, AT, BELOW, AT, AT, ABOVE],
    [ABOVE, BELOW, AT, AT, ABOVE, AT, AT, ABOVE],
    [ABOVE, BELOW, AT, AT, ABOVE, AT, ABOVE, BELOW],
    [ABOVE, BELOW, AT, ABOVE, ABOVE, AT, AT, BELOW],
    [ABOVE, BELOW, BELOW, AT, ABOVE, BELOW, BELOW, BELOW],
    [AT, BELOW, AT, AT, ABOVE, AT, AT, BELOW],
    [ABOVE, AT, AT, AT, ABOVE, AT, AT, BELOW],
    [ABOVE, BELOW, AT, AT, ABOVE, ABOVE, ABOVE, BELOW],
    [BELOW] * 8,
    [ABOVE] * 8,
    [ABOVE, BELOW, AT, AT, ABOVE, AT, AT],
    [ABOVE, BELOW, "at it", "at it", ABOVE, "at it", "at it", BELOW],
    [1, -1, 0, 0, 1, 0, 0, -1],
)

# ---- 04.train ------------------------------------------------------------------------------------


@right("04.train")
def adam(x, params, gradient, rng):
    params = {name: block.copy() for name, block in params.items()}
    m, v = ({name: np.zeros_like(block) for name, block in params.items()} for _ in range(2))
    for t in range(1, 2001):
        for name, g in gradient(params, x, rng.standard_normal((len(x), 1))).items():
            m[name] = 0.9 * m[name] + 0.1 * g
            v[name] = 0.999 * v[name] + 0.001 * g**2
            fall = m[name] / (1 - 0.9**t) / (np.sqrt(v[name] / (1 - 0.999**t)) + 1e-8)
            params[name] -= 0.05 * (1 - t / 2001) * fall
    return params


@right("04.train")
def with_noise_and_its_opposite(x, params, gradient, rng):
    params = dict(params)
    for step in range(1500):
        eps = rng.standard_normal((len(x), 1))
        one, other = gradient(params, x, eps), gradient(params, x, -eps)
        lr = 0.06 / (1 + step / 400)
        params = {k: p - lr * (one[k] + other[k]) / 2 for k, p in params.items()}
    return params


@right("04.train")
def two_values_for_the_noise(x, params, gradient, rng):
    params = {name: np.array(block) for name, block in params.items()}
    ones = np.ones((len(x), 1))
    for step in range(2000):
        one, other = gradient(params, x, ones), gradient(params, x, -ones)
        for name in params:
            params[name] -= 0.05 * (1 - step / 2000) * (one[name] + other[name]) / 2
    return params


def _descent(steps, lr, names=None, eps=None, sign=-1.0):
    """Gradient descent; lr(step); names: those that move; eps(rng, x, step): the noise."""

    def answer(x, params, gradient, rng):
        params = dict(params)
        with np.errstate(all="ignore"):
            for step in range(steps):
                noise = rng.standard_normal((len(x), 1)) if eps is None else eps(rng, x, step)
                grads = gradient(params, x, noise)
                params |= {k: params[k] + sign * lr(step) * grads[k] for k in names or params}
        return params

    return answer


ENCODER, DECODER = ("mu_W", "mu_b", "logvar"), ("out_W", "out_b", "out_logvar")

wrong("04.train", _descent(2000, lambda step: 0.05, ENCODER), clue="decoder-forgotten")
wrong(
    "04.train",
    _descent(2000, lambda step: 0.05, DECODER),
    _descent(2000, lambda step: 0.05, eps=lambda rng, x, step: 0 * x[:, :1]),
    _descent(2000, lambda step: 0.05, eps=lambda rng, x, step: 1 + 0 * x[:, :1]),
    _descent(50, lambda step: 0.05),
    _descent(2000, lambda step: 1e-4),
    _descent(50, lambda step: 0.05, sign=1.0),
    _descent(200, lambda step: 5.0),
    _descent(2000, lambda step: 0.05 * 0.9**step),
    _descent(1500, lambda step: 0.3),
    clue="steps-of-one-size",
)


@wrong("04.train", clue="decoder-forgotten")
def one_example_for_all(x, params, gradient, rng):
    return _descent(500, lambda step: 0.05)(x[:1], params, gradient, rng)


@wrong("04.train", clue="steps-of-one-size")
def decoder_after_the_encoder(x, params, gradient, rng):
    encoded = _descent(800, lambda step: 0.05, ENCODER)(x, params, gradient, rng)
    return _descent(800, lambda step: 0.05, DECODER)(x, encoded, gradient, rng)


@wrong("04.train", clue="steps-of-one-size")
def as_they_came(x, params, gradient, rng):
    return params


@wrong("04.train")
def values_only(x, params, gradient, rng):
    return list(_descent(5, lambda step: 0.05)(x, params, gradient, rng).values())


@wrong("04.train")
def moves_the_given_blocks(x, params, gradient, rng):
    for step in range(2000):
        grads = gradient(params, x, rng.standard_normal((len(x), 1)))
        for name in params:
            params[name] -= 0.05 * (1 - step / 2000) * grads[name]
    return params
