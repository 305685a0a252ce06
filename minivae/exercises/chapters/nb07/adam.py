"""The optimiser: one step of Adam."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, planted, stub


def adam_step(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    """One step of Adam, in place                                [notebook 07, eqs. 2 to 4]"""
    m[:] = beta1 * m + (1 - beta1) * grad
    v[:] = beta2 * v + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    flat -= lr * m_hat / (np.sqrt(v_hat) + adam_eps)


def _adam_cases():
    rng = np.random.default_rng(7)
    tiny = np.array([1e-7, 0.02, -0.01, 3e-8])  # so small that adam_eps matters
    return [
        (np.array([0.5]), np.array([0.02]), np.zeros(1), np.zeros(1), 1, 0.1),
        (generic(rng, 4), tiny, np.zeros(4), np.zeros(4), 1, 0.01),
        (
            generic(rng, 4),
            generic(rng, 4) / 50,
            generic(rng, 4) / 50,
            generic(rng, 4) ** 2 / 2500,
            3,
            0.01,
        ),
        # none of the constants is the default: beta1, beta2 and adam_eps are arguments
        (
            np.array([0.5]),
            np.array([0.02]),
            np.array([0.01]),
            np.array([3e-4]),
            2,
            0.1,
            0.8,
            0.99,
            0.01,
        ),
    ]


def _observe_adam(answer, flat, grad, m, v, step, lr, *constants):
    flat, m, v = flat.copy(), m.copy(), v.copy()
    answer(flat, grad, m, v, step, lr, *constants)
    return flat, m, v


def _adam_variant(change):
    """A wrong answer that subtracts change(grad, m_hat, v_hat, lr, adam_eps, v)."""

    def wrong(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
        m[:] = beta1 * m + (1 - beta1) * grad
        v[:] = beta2 * v + (1 - beta2) * grad**2
        m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
        flat -= change(grad, m_hat, v_hat, lr, adam_eps, v)

    return wrong


def _package_adam(ops):
    return ops.adam_step


ADAM = Exercise(
    id="07.adam",
    title="one step of Adam",
    stub=stub("""
        def adam_step(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
            ...      # all (P,); step counts from 1. Change flat, m and v in place; return nothing
    """),
    reference=adam_step,
    cases=_adam_cases,
    fresh=lambda rng: (
        generic(rng, 5),
        generic(rng, 5),
        generic(rng, 5),
        rng.random(5),
        int(rng.integers(1, 20)),
        0.01,
    ),
    observe=_observe_adam,
    returns=("flat", "m", "v"),
    package=_package_adam,
    mistakes=(
        *planted(
            _package_adam,
            "adam-bias-correction-lost",
            "adam-bias-correction-of-v-lost",
            "adam-eps-inside-the-root",
            "adam-gradient-not-squared",
            "adam-betas-swapped",
            "adam-climbs",
            "adam-not-in-place",
        ),
        WrongAnswer(
            "constants-written-in",
            lambda flat, grad, m, v, step, lr, *constants: adam_step(flat, grad, m, v, step, lr),
            "0.9, 0.999 or 1e-8 is written in: use the arguments beta1, beta2 and adam_eps.",
        ),
        WrongAnswer(
            "root-forgotten",
            _adam_variant(lambda g, m, v, lr, eps, raw: lr * m / (v + eps)),
            "The square root of v_hat is missing: v holds squares.",
        ),
        WrongAnswer(
            "eps-forgotten",
            _adam_variant(lambda g, m, v, lr, eps, raw: lr * m / np.sqrt(v)),
            "adam_eps is not used: a parameter whose gradient is always 0 would become NaN.",
        ),
        WrongAnswer(
            "root-before-correction",
            _adam_variant(lambda g, m, v, lr, eps, raw: lr * m / (v / np.sqrt(raw) + eps)),
            "The bias correction belongs under the root: sqrt(v / (1 - beta2^step)).",
        ),
        WrongAnswer(
            "gradient-for-m",
            _adam_variant(lambda g, m, v, lr, eps, raw: lr * g / (np.sqrt(v) + eps)),
            "This steps along the raw gradient, as RMSprop does; Adam steps along m_hat.",
        ),
        WrongAnswer(
            "plain-momentum",
            _adam_variant(lambda g, m, v, lr, eps, raw: lr * m),
            "v is not used: divide the step by the gradient's typical size, sqrt(v_hat).",
        ),
        WrongAnswer(
            "sign-of-gradient",
            _adam_variant(lambda g, m, v, lr, eps, raw: lr * np.sign(g)),
            "This steps by the sign of the gradient; that is right for Adam's first step only.",
        ),
    ),
    hints=(
        "Two running means, of grad and of grad squared, each corrected for its start at 0.",
        "m[:] = ... changes the array; m = ... only gives the name m to another array.",
        "m_hat = m / (1 - beta1**step), v_hat alike; flat -= lr m_hat / (sqrt(v_hat) + adam_eps).",
    ),
)
