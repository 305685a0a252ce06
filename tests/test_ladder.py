"""The ladder, DCI and the decoder's curvature, on codes and decoders whose answer is known."""

import numpy as np
import pytest

from minivae import vae
from minivae.evaluate import dci, decoder_metric, ladder
from minivae.evaluate.interpretability import mutual_information_gap
from minivae.spec import Spec

N = 10_000


@pytest.fixture(scope="module")
def factors():
    rng = np.random.default_rng(1)
    return rng.uniform(-1.7, 1.7, (N, 3)), rng.uniform(-1.7, 1.7, (N, 3))


def rungs(code, factors):
    return ladder.climb(code(factors[0]), factors[0], code(factors[1]), factors[1], _rng())


def _rng():
    return np.random.default_rng(4)


def turn(v):
    c = np.sqrt(0.5)
    return v @ np.array([[c, -c, 0], [c, c, 0], [0, 0, 1]]).T


def test_factors_as_codes_reach_the_top_of_every_rung(factors):
    found = rungs(lambda v: v, factors)
    for rung in (found.whole, found.best, found.fifty):
        assert (rung.r2 > 0.98).all()  # the ridge takes a little from fifty labels
        assert (rung.nats > 2.0).all()
    assert found.chosen.tolist() == [0, 1, 2]
    assert (np.abs(np.diag(found.knobs)) > 0.99).all()


def test_a_turned_code_is_encoded_but_not_aligned(factors):
    found = rungs(turn, factors)
    assert (found.whole.r2 > 0.999).all()
    assert (found.best.r2[:2] < 0.55).all()
    assert (found.fifty.r2 > 0.97).all()
    assert found.best.r2[2] > 0.999


def test_a_squared_factor_is_found_by_the_probe_and_not_by_fifty_labels(factors):
    """A code in which the factor is the product of two latents."""
    rng = np.random.default_rng(8)

    def code(v):
        sign = rng.choice([-1.0, 1.0], len(v))
        return np.column_stack([sign, sign * v[:, 0], v[:, 1:]])

    found = rungs(code, factors)
    assert found.whole.r2[0] > 0.999
    assert found.best.r2[0] < 0.05
    assert found.fifty.r2[0] < 0.1


def test_strangers_know_nothing_but_the_bias_of_counting(factors):
    found = rungs(lambda v: np.random.default_rng(len(v)).standard_normal((N, 4)), factors)
    assert (np.abs(found.whole.r2) < 0.02).all()
    assert (found.best.nats < 0.03).all()


def test_measured_nats_are_those_of_two_gaussians():
    rng = np.random.default_rng(5)
    v = rng.standard_normal((40_000, 1))
    seen = v + rng.standard_normal(v.shape)
    found = ladder.measure(seen / 2, v)
    assert found.r2[0] == pytest.approx(0.5, abs=0.02)
    assert found.nats[0] == pytest.approx(-np.log(1 - 0.5) / 2, abs=0.02)


def scores(code, factors):
    first, second = code(factors[0]), code(factors[1])
    return dci.dci(first, factors[0], second, factors[1], _rng())


def test_dci_of_the_factors_is_perfect_and_of_a_turned_code_is_not(factors):
    best, turned = scores(lambda v: v, factors), scores(turn, factors)
    assert min(best[:3]) > 0.99
    assert turned.informativeness > 0.99
    assert turned.disentanglement < 0.7
    assert turned.completeness < 0.7


def test_dci_of_known_importances():
    assert dci.scores(np.eye(3)) == (1.0, 1.0)
    assert dci.scores(np.ones((4, 3))) == pytest.approx((0.0, 0.0), abs=1e-12)
    one, complete = dci.scores(np.array([[2.0, 0, 0], [0, 1, 1], [0, 0, 0]]))
    assert one == pytest.approx((2 * 1 + 2 * (1 - np.log(2) / np.log(3))) / 4)
    assert complete == pytest.approx(1.0)


def test_the_gap_is_fooled_by_forgetting_and_by_a_copy(factors):
    rng = np.random.default_rng(6)

    def gap(code):
        return mutual_information_gap(factors[1], code(factors[1])).mig

    def buried(v):
        return turn(v) + np.array([0, 4.0, 0]) * rng.standard_normal(v.shape)

    def twice(v):
        return np.concatenate([v, 2 * v], axis=1)

    assert gap(buried) > gap(turn) + 0.05
    assert scores(buried, factors).informativeness < 0.8
    assert gap(twice) < 0.01
    assert scores(twice, factors).disentanglement > 0.99


def test_dci_is_fooled_by_a_faint_trace(factors):
    rng = np.random.default_rng(7)
    found = scores(lambda v: 0.3 * v + rng.standard_normal(v.shape), factors)
    assert found.disentanglement > 0.9
    assert found.informativeness < 0.15


SPEC = Spec(784, (12, 9), 3)


@pytest.fixture
def params():
    flat = vae.init_params(SPEC, np.random.default_rng(3), dtype=np.float64)
    return vae.unpack(flat, SPEC)


def test_the_jacobian_is_the_decoder_by_complex_step(params):
    z = np.random.default_rng(4).standard_normal((4, 3))
    J = decoder_metric.output_jacobian(params, z, SPEC)
    for l in range(3):
        step = z.astype(complex)
        step[:, l] += 1e-30j
        out = vae.decoder_forward(params, step, SPEC, decoder_metric.numpy_ops)[0]
        assert np.allclose(J[:, :, l], out.imag / 1e-30, rtol=1e-12, atol=1e-14)


def test_the_curvature_is_the_mean_second_derivative_of_the_nll(params):
    """E over x ~ p(x|z) of the Hessian of -log p(x|z): the Fisher information about z."""
    z = np.array([[0.3, -0.4, 0.8]])
    logits = vae.decode(params, z, SPEC)
    p = 1 / (1 + np.exp(-logits))

    def expected_nll(at):
        out = vae.decode(params, at, SPEC)
        return (np.log1p(np.exp(out)) - p * out).sum()

    h = 1e-4
    G = decoder_metric.curvature(params, z, SPEC)[0]
    for i in range(3):
        for j in range(3):
            a, b = h * np.eye(3)[[i]], h * np.eye(3)[[j]]
            ends = expected_nll(z + a + b) - expected_nll(z + a - b)
            ends += expected_nll(z - a - b) - expected_nll(z - a + b)
            assert ends / (4 * h * h) == pytest.approx(G[i, j], rel=1e-3, abs=2e-5)


def test_cosines_of_known_columns():
    J = np.array([[1.0, 1, 0], [0, 1, 0], [0, 0, 2]])
    found = decoder_metric.cosines((J.T @ J)[None])
    assert np.allclose(found, [[1, 0.5**0.5, 0], [0.5**0.5, 1, 0], [0, 0, 1]])
