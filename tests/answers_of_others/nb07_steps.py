"""Notebook 07: answers to `07.adam` and `07.momentum-limit`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 07.adam -------------------------------------------------------------------------------------


@right("07.adam")
def towards_the_gradient(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    m += (1 - beta1) * (grad - m)
    v += (1 - beta2) * (grad * grad - v)
    flat -= lr * (m / (1 - beta1**step)) / (adam_eps + (v / (1 - beta2**step)) ** 0.5)


@right("07.adam")
def in_a_loop(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    for i, g in enumerate(grad):
        m[i] = beta1 * m[i] + (1 - beta1) * g
        v[i] = beta2 * v[i] + (1 - beta2) * g**2
        flat[i] -= lr * m[i] / (1 - beta1**step) / (np.sqrt(v[i] / (1 - beta2**step)) + adam_eps)


@right("07.adam")
def correction_in_the_rate(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    np.multiply(m, beta1, out=m)
    np.add(m, (1 - beta1) * grad, out=m)
    v[...] = np.average([v, np.square(grad)], axis=0, weights=[beta2, 1 - beta2])
    root = np.sqrt(1 - beta2**step)
    flat[:] = flat - lr * root / (1 - beta1**step) * m / (np.sqrt(v) + root * adam_eps)


def adam(*, power=lambda beta, step: 1 - beta**step, stepping=None):
    """Adam with another correction for the start, or another last line."""

    def answer(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
        old = m.copy()
        m[:] = beta1 * m + (1 - beta1) * grad
        v[:] = beta2 * v + (1 - beta2) * grad**2
        m_hat, v_hat = m / power(beta1, step), v / power(beta2, step)
        if stepping:
            flat -= stepping(lr, m_hat, v_hat, adam_eps, step, old)
        else:
            flat -= lr * m_hat / (np.sqrt(v_hat) + adam_eps)

    return answer


wrong(
    "07.adam",
    adam(power=lambda beta, step: 1 - beta ** (step + 1)),
    adam(power=lambda beta, step: 1 - beta * step),
    adam(power=lambda beta, step: 1 - beta),
    adam(stepping=lambda lr, m, v, eps, step, old: lr * m / np.sqrt(v) + eps),
    adam(stepping=lambda lr, m, v, eps, step, old: lr / step**0.5 * m / (np.sqrt(v) + eps)),
    adam(stepping=lambda lr, m, v, eps, step, old: lr * old / (np.sqrt(v) + eps)),
    adam(stepping=lambda lr, m, v, eps, step, old: lr * m / (np.sqrt(v.mean()) + eps)),
    adam(stepping=lambda lr, m, v, eps, step, old: lr * m / (np.sqrt(v) - eps)),
)


@wrong("07.adam")
def eps_beside_the_uncorrected_root(
    flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8
):
    m[:] = beta1 * m + (1 - beta1) * grad
    v[:] = beta2 * v + (1 - beta2) * grad**2
    rate = lr * np.sqrt(1 - beta2**step) / (1 - beta1**step)
    flat -= rate * m / (np.sqrt(v) + adam_eps)


@wrong("07.adam")
def corrected_means_kept(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    m[:] = (beta1 * m + (1 - beta1) * grad) / (1 - beta1**step)
    v[:] = (beta2 * v + (1 - beta2) * grad**2) / (1 - beta2**step)
    flat -= lr * m / (np.sqrt(v) + adam_eps)


@wrong("07.adam")
def whole_gradient_in_m(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    m[:] = beta1 * m + grad
    v[:] = beta2 * v + grad**2
    flat -= lr * (m / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + adam_eps)


@wrong("07.adam")
def largest_square(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    m[:] = beta1 * m + (1 - beta1) * grad
    v[:] = np.maximum(beta2 * v, grad**2)
    flat -= lr * (m / (1 - beta1**step)) / (np.sqrt(v) + adam_eps)


@wrong("07.adam")
def spread_about_m(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    m[:] = beta1 * m + (1 - beta1) * grad
    v[:] = beta2 * v + (1 - beta2) * (grad - m) ** 2
    flat -= lr * (m / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + adam_eps)


@wrong("07.adam")
def square_of_m(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    m[:] = beta1 * m + (1 - beta1) * grad
    v[:] = beta2 * v + (1 - beta2) * m**2
    flat -= lr * (m / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + adam_eps)


@wrong("07.adam")
def gradient_squared_in_place(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    m[:] = beta1 * m + (1 - beta1) * grad
    grad *= grad
    v[:] = beta2 * v + (1 - beta2) * grad
    flat -= lr * (m / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + adam_eps)


@wrong("07.adam", clue="adam-not-in-place")
def means_in_place_but_not_flat(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    m[:] = beta1 * m + (1 - beta1) * grad
    v[:] = beta2 * v + (1 - beta2) * grad**2
    flat = flat - lr * (m / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + adam_eps)
    return flat, m, v


@wrong("07.adam")
def flat_in_place_but_not_the_means(
    flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8
):
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    flat -= lr * (m / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + adam_eps)


# ---- 07.momentum-limit ---------------------------------------------------------------------------


@right("07.momentum-limit")
def spectral_norm(H, b):
    return (2 + 2 * b) / np.linalg.norm(H, 2)


@right("07.momentum-limit")
def largest_of_unsorted(H, b):
    return np.array([2 * (1 + b) / a for a in np.linalg.eigvals(H).real]).min()


@right("07.momentum-limit")
def by_bisection(H, b):
    P, low, high = len(H), 0.0, 100.0
    for _ in range(60):
        lr = (low + high) / 2
        step = np.block([[np.eye(P) - lr * H, -lr * b * np.eye(P)], [H, b * np.eye(P)]])
        if np.abs(np.linalg.eigvals(step)).max() < 1:
            low = lr
        else:
            high = lr
    return low


def by(rule):
    return lambda H, b: rule(H, np.linalg.eigvalsh(H), b)


wrong(
    "07.momentum-limit",
    by(lambda H, a, b: 2 * (1 + b) / np.linalg.norm(H)),
    by(lambda H, a, b: 2 * (1 + b) / H[0, 0]),
    by(lambda H, a, b: 2 * (1 + b) / np.abs(H).sum(axis=1).max()),
    by(lambda H, a, b: 2 * (1 + b) / np.linalg.det(H)),
    by(lambda H, a, b: 2 * (1 + b) / a.mean()),
    by(lambda H, a, b: 2 * (1 + b) / (a[0] + a[-1])),
    by(lambda H, a, b: 2 * (1 + b) * a[-1]),
    by(lambda H, a, b: 2 * (1 + b) / a),
    by(lambda H, a, b: 2 / (a[-1] * (1 - b))),
    by(lambda H, a, b: 2 / (a[-1] * (1 + b))),
    by(lambda H, a, b: 2 * (1 + b) ** 2 / a[-1]),
    by(lambda H, a, b: 2 * (1 + b**2) / a[-1]),
    by(lambda H, a, b: (1 + b**0.5) ** 2 / a[-1]),
    by(lambda H, a, b: (1 - b**0.5) ** 2 / a[-1]),
    by(lambda H, a, b: 2 * 1.9 / a[-1]),
    by(lambda H, a, b: (2 + b) / a[-1]),
    by(lambda H, a, b: 2 * (1 + b) / a[-1] ** 0.5),
)
wrong("07.momentum-limit", by(lambda H, a, b: 2 * (1 + b) / H.max()), clue="diagonal")
