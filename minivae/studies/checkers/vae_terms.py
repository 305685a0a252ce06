"""Pieces of variational autoencoders and flows: divergences, bounds, and a whole model."""

import numpy as np

from minivae import spec, vae
from minivae.studies.checkers.case import Field, Problem, normal, uniform
from minivae.studies.checkers.losses import log_softmax, softmax

field = Field("variational")


def sigmoid(a: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-a))"""
    return 1 / (1 + np.exp(-a))


@field("KL to the prior, of mu and logvar")
def _kl():
    def f(x):
        mu, logvar = x
        return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum() / len(mu)

    def df(x):
        mu, logvar = x
        return np.array([mu, (np.exp(logvar) - 1) / 2]) / len(mu)

    mistakes = {
        "half lost": lambda x: np.array([x[0], np.exp(x[1]) - 1]) / 4,
        "-1 lost": lambda x: np.array([x[0], np.exp(x[1]) / 2]) / 4,
    }
    return Problem(f, df, np.array([normal(1, 4, 3), normal(2, 4, 3) - 1]), mistakes)


@field("KL to the prior, log variances from -14 to 6")
def _kl_wide():
    return Problem(
        lambda v: 0.5 * (np.exp(v) - 1 - v).sum(),
        lambda v: (np.exp(v) - 1) / 2,
        np.array([-14.0, -9, -4, -1, -1e-4, 1e-3, 2, 6]),
    )


@field("residual of 3e4 beside log variances near 0")
def _residual():
    t = np.array([3e4, 0.2, -0.1])

    def f(x):
        return 0.5 * ((t - x[0]) ** 2 + np.exp(x[1]) - x[1]).sum()

    def df(x):
        return np.array([x[0] - t, (np.exp(x[1]) - 1) / 2])

    def half_signs(x):
        return df(x) * np.array([[1.0, 1, 1], [1, -1, -1]])

    x = np.array([[0.0, 0.1, 0.3], [0.4, -0.3, 0.2]])
    return Problem(f, df, x, {"sign of two log variances": half_signs})


@field("KL between two Gaussians, of all four parameters")
def _kl_two():
    def f(x):
        m, v, n, w = x
        return 0.5 * (np.exp(v - w) + (m - n) ** 2 * np.exp(-w) - 1 + w - v).sum()

    def df(x):
        m, v, n, w = x
        pull = (m - n) * np.exp(-w)
        ratio = np.exp(v - w)
        return np.array([pull, (ratio - 1) / 2, -pull, (1 - ratio - (m - n) ** 2 * np.exp(-w)) / 2])

    def dropped(x):
        return np.array([*df(x)[:3], (1 - np.exp(x[1] - x[3])) / 2])

    return Problem(f, df, normal(3, 4, 5), {"distance lost": dropped})


@field("reparameterized sample in a Gaussian likelihood")
def _reparam():
    eps, t = normal(4, 3, 4), normal(5, 3, 4)

    def f(x):
        z = x[0] + np.exp(x[1] / 2) * eps
        return ((z - t) ** 2).sum() / (2 * 0.1**2)

    def df(x):
        dz = (x[0] + np.exp(x[1] / 2) * eps - t) / 0.1**2
        return np.array([dz, dz * eps * np.exp(x[1] / 2) / 2])

    def no_half(x):
        return df(x) * np.array([1.0, 2.0])[:, None, None]

    return Problem(f, df, normal(6, 2, 3, 4), {"half of dlogvar lost": no_half})


@field("ELBO with a linear decoder, of mu and logvar")
def _elbo():
    W, t, eps = normal(7, 3, 6), normal(8, 6), normal(9, 3)

    def f(x):
        mu, v = x
        r = t - (mu + np.exp(v / 2) * eps) @ W
        return -(r @ r) / 2 - 0.5 * (mu * mu + np.exp(v) - 1 - v).sum()

    def df(x):
        mu, v = x
        dz = W @ (t - (mu + np.exp(v / 2) * eps) @ W)
        return np.array([dz - mu, dz * eps * np.exp(v / 2) / 2 - (np.exp(v) - 1) / 2])

    def no_kl(x):
        mu, v = x
        return df(x) + np.array([mu, (np.exp(v) - 1) / 2])

    return Problem(f, df, normal(10, 2, 3), {"KL lost": no_kl})


@field("importance-weighted bound of mu and logvar, K = 5")
def _iwae():
    W, t, eps = normal(11, 2, 5), normal(12, 5), normal(13, 5, 2)

    def weights(x):
        z = x[0] + np.exp(x[1] / 2) * eps
        r = t - z @ W
        return -(r * r).sum(1) / 2 - (z * z).sum(1) / 2 + (eps * eps + x[1]).sum(1) / 2, z, r

    def f(x):
        log_w = weights(x)[0]
        top = log_w.real.max()
        return top + np.log(np.exp(log_w - top).mean())

    def df(x):
        log_w, z, r = weights(x)
        dz = softmax(log_w)[:, None] * (r @ W.T - z)
        return np.array([dz.sum(0), (dz * eps).sum(0) * np.exp(x[1] / 2) / 2 + 0.5])

    def uniform_weights(x):
        _, z, r = weights(x)
        dz = (r @ W.T - z) / len(eps)
        return np.array([dz.sum(0), (dz * eps).sum(0) * np.exp(x[1] / 2) / 2 + 0.5])

    return Problem(f, df, 0.5 * normal(14, 2, 2), {"weights all equal": uniform_weights})


@field("Bernoulli decoder of its weights")
def _decoder():
    z, t = normal(15, 8, 2), (normal(16, 8, 6) > 0).astype(float)
    return Problem(
        lambda W: (np.log(1 + np.exp(z @ W)) - t * (z @ W)).sum() / len(z),
        lambda W: z.T @ (sigmoid(z @ W) - t) / len(z),
        normal(17, 2, 6),
    )


@field("Gaussian decoder with one learned variance")
def _learned_variance():
    r2 = 1e-3 * normal(18, 5, 30) ** 2

    def f(v):
        return 0.5 * (r2 * np.exp(-v) + v + np.log(2 * np.pi)).sum() / len(r2)

    return Problem(
        f,
        lambda v: np.atleast_1d(0.5 * (30 - (r2 * np.exp(-v)).sum() / len(r2))),
        np.array([-6.2]),
    )


@field("free bits, one latent above and one below")
def _free_bits():
    def kls(x):
        return 0.5 * (x[0] ** 2 + np.exp(x[1]) - 1 - x[1]).mean(axis=0)

    def f(x):
        kl = kls(x)
        return np.where(kl.real > 0.5, kl, 0.5).sum()

    def df(x):
        on = kls(x) > 0.5
        return on * np.array([x[0], (np.exp(x[1]) - 1) / 2]) / x.shape[1]

    x = np.array([[[1.5, 0.1]] * 3, [[-1.0, 0.2]] * 3]) + 0.1 * normal(19, 2, 3, 2)
    return Problem(f, df, x)


@field("vector quantization: commitment loss")
def _commitment():
    codes = 2 * normal(20, 5, 3)
    z = codes[[0, 3, 3, 1]] + 0.2 * normal(21, 4, 3)

    def nearest(z):
        return codes[((z.real[:, None] - codes) ** 2).sum(2).argmin(1)]

    return Problem(
        lambda z: 0.25 * ((z - nearest(z)) ** 2).mean(),
        lambda z: 0.5 * (z - nearest(z)) / z.size,
        z,
        {"mean over the batch alone": lambda z: 0.5 * (z - nearest(z)) / len(z)},
    )


@field("affine coupling layer: log density under the prior")
def _coupling():
    x, W = normal(22, 6, 4), normal(23, 2, 2)

    def parts(V):
        scale = np.tanh(x[:, :2] @ V)
        return scale, x[:, 2:] * np.exp(scale) + x[:, :2] @ W

    def f(V):
        scale, y = parts(V)
        return (y * y / 2 - scale).sum()

    def df(V):
        scale, y = parts(V)
        return x[:, :2].T @ ((y * x[:, 2:] * np.exp(scale) - 1) * (1 - scale**2))

    def no_log_det(V):
        scale, y = parts(V)
        return x[:, :2].T @ (y * x[:, 2:] * np.exp(scale) * (1 - scale**2))

    return Problem(f, df, normal(24, 2, 2), {"log determinant lost": no_log_det})


@field("planar flow: log |1 + u psi(z)|")
def _planar():
    z, w = normal(25, 7, 3), normal(26, 3)

    def f(u):
        return -np.log(1 + (1 - np.tanh(z @ w) ** 2) * (w @ u)).sum()

    def df(u):
        slope = 1 - np.tanh(z @ w) ** 2
        return -(slope / (1 + slope * (w @ u))).sum() * w

    u = normal(27, 3)
    return Problem(f, df, u + w * (0.5 - w @ u) / (w @ w))


@field("categorical KL to the uniform distribution")
def _categorical():
    def f(a):
        return (softmax(a) * (log_softmax(a) + np.log(5))).sum()

    def df(a):
        p, log_p = softmax(a), log_softmax(a)
        return p * (log_p - (p * log_p).sum(axis=1, keepdims=True))

    return Problem(f, df, 2 * normal(28, 3, 5), {"not centred": lambda a: softmax(a) * a})


@field("Gumbel softmax at temperature 0.3")
def _gumbel():
    noise, t = -np.log(-np.log(uniform(29, 0.02, 0.98, 4, 3))), normal(30, 4, 3)

    def f(a):
        return (softmax((a + noise) / 0.3) * t).sum()

    def df(a):
        p = softmax((a + noise) / 0.3)
        return p * (t - (p * t).sum(axis=1, keepdims=True)) / 0.3

    return Problem(f, df, normal(31, 4, 3), {"temperature forgotten": lambda a: 0.3 * df(a)})


@field("maximum mean discrepancy with a Gaussian kernel")
def _mmd():
    y = normal(32, 6, 2)

    def kernel(a, b):
        d = a[:, None] - b
        return np.exp(-(d**2).sum(2) / 2), d

    def f(x):
        return kernel(x, x)[0].mean() - 2 * kernel(x, y)[0].mean()

    def df(x):
        (own, d), (other, e) = kernel(x, x), kernel(x, y)
        attract = 2 * (other[..., None] * e).sum(1) / other.size
        return attract - 2 * (own[..., None] * d).sum(1) / own.size

    def one_side(x):
        (own, d), (other, e) = kernel(x, x), kernel(x, y)
        return (
            2 * (other[..., None] * e).sum(1) / other.size - (own[..., None] * d).sum(1) / own.size
        )

    return Problem(f, df, normal(33, 5, 2) + 0.5, {"own kernel once": one_side})


@field("a whole VAE of 12 pixels, of its parameter vector")
def _whole():
    shape = spec.Spec(12, (5,), 2)
    x = (normal(34, 3, 12) > 0).astype(float)
    eps = normal(35, 3, 2)
    flat = 0.5 * normal(36, spec.n_params(shape))

    def f(flat):
        return vae.elbo(spec.unpack(flat, shape), x, eps, shape).loss

    def df(flat):
        return vae.elbo_and_grads(spec.unpack(flat, shape), x, eps, shape).flat_grads

    return Problem(f, df, flat)
