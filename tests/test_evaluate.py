"""Estimates of log p(x) against exact values, and the summary of a test set."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from trained import small_vae

from minivae import evaluate, exact, ops, vae
from minivae.errors import MinivaeError
from minivae.evaluate import inference_gap
from minivae.evaluate import likelihood as streamed
from minivae.evaluate.inference_gap import q_grads

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def trained():
    """spec, params, x, its quadrature."""
    spec, params, x = small_vae()
    return spec, params, x, exact.quadrature(params, x, spec)


def likelihood(params, x, spec, *, samples, seed=0, **options):
    rng = np.random.default_rng(seed)
    return evaluate.log_likelihood(params, x, spec, samples=samples, rng=rng, **options)


def test_it_agrees_with_quadrature_image_by_image(trained):
    """Within three Monte Carlo standard errors plus the 1/K bias; the errors are right."""
    spec, params, x, truth = trained
    estimate = likelihood(params, x, spec, samples=2000)
    bias = estimate.mc_stderr**2 / 2
    difference = estimate.log_p - truth.log_p
    assert (np.abs(difference) < 3 * estimate.mc_stderr + bias).all()
    assert abs(difference.mean()) < 3 * estimate.stderr_mc + bias.mean()
    score = (difference + bias) / estimate.mc_stderr
    assert 0.7 < np.sqrt((score**2).mean()) < 1.4


def test_the_standard_error_is_the_scatter_over_repetitions(trained):
    spec, params, x, _ = trained
    runs = [likelihood(params, x[:8], spec, samples=200, seed=seed) for seed in range(60)]
    scatter = np.std([run.log_p for run in runs], axis=0, ddof=1)
    claimed = np.sqrt(np.mean([run.mc_stderr**2 for run in runs], axis=0))
    np.testing.assert_allclose(claimed, scatter, rtol=0.35)
    of_mean = np.std([run.mean for run in runs], ddof=1)
    assert np.mean([run.stderr_mc for run in runs]) == pytest.approx(of_mean, rel=0.35)


def test_streaming_is_the_plain_formula(trained):
    spec, params, x, _ = trained
    blocks = list(
        streamed.log_weight_blocks(
            params,
            x[:3],
            *vae.encode(params, x[:3], spec),
            700,
            [np.random.default_rng(i) for i in range(3)],
            spec,
            ops,
        )
    )
    assert len(blocks) > 1
    w = np.exp(np.concatenate(blocks))
    log_p, stderr, ess = evaluate.summarise_weights(blocks, 700)
    np.testing.assert_allclose(log_p, np.log(w.mean(axis=0)), rtol=1e-12)
    np.testing.assert_allclose(stderr, w.std(axis=0, ddof=1) / 700**0.5 / w.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(ess, w.sum(axis=0) ** 2 / (w * w).sum(axis=0), rtol=1e-12)


def test_weights_far_below_the_smallest_float_are_summed_in_logs():
    rng = np.random.default_rng(0)
    log_w = rng.standard_normal((40, 2))
    far = evaluate.summarise_weights(iter([log_w[:7] - 2000, log_w[7:] - 2000]), 40)
    near = evaluate.summarise_weights([log_w], 40)
    np.testing.assert_allclose(far[0] + 2000, near[0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(far[1:], near[1:], rtol=1e-9)


def test_an_images_estimate_does_not_depend_on_the_other_images(trained, monkeypatch):
    """Not on the number of images, nor on the size of the pieces."""
    spec, params, x, _ = trained
    whole = likelihood(params, x[:20], spec, samples=30)
    np.testing.assert_allclose(likelihood(params, x[:4], spec, samples=30).log_p, whole.log_p[:4])
    monkeypatch.setattr(streamed, "ROWS", 25)
    np.testing.assert_allclose(likelihood(params, x[:20], spec, samples=30).log_p, whole.log_p)


def test_with_the_exact_posterior_as_q_there_is_no_monte_carlo_error():
    rng = np.random.default_rng(0)
    spec = vae.Spec(4, (), 1, likelihood="gaussian", variance=0.5)
    params = vae.unpack(vae.init_params(spec, rng, dtype=np.float64), spec)
    x = rng.standard_normal((5, 4))
    model = exact.as_linear(params, spec)
    mean, covariance = exact.linear_posterior(model, x)
    q = mean, np.full((5, 1), np.log(covariance[0, 0]))
    estimate = likelihood(params, x, spec, samples=50, q=q)
    np.testing.assert_allclose(estimate.log_p, exact.linear_log_evidence(model, x), atol=1e-12)
    np.testing.assert_allclose(estimate.ess, 50)
    assert estimate.stderr_mc < 1e-8
    assert estimate.stderr_images > 0.01


def test_memory_depends_on_neither_images_nor_samples(trained):
    spec, params, x, _ = trained
    many = np.tile(x, (2, 1))

    def peak(x, samples):
        tracemalloc.start()
        likelihood(params, x, spec, samples=samples)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    small = peak(x[:12], 600)
    assert peak(many, 600) < 1.2 * small
    assert peak(x[:1], 60_000) < 1.1 * small, "60,000 kept log weights alone would double it"


def test_evaluate_reports_plain_numbers(trained):
    spec, params, x, truth = trained
    report = evaluate.evaluate(params, x, spec, samples=300, seed=4)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report == evaluate.evaluate(params, x, spec, samples=300, seed=4)
    assert report["elbo"] == pytest.approx(-(report["nll"] + report["kl"]))
    assert report["log_likelihood"] == pytest.approx(truth.log_p.mean(), abs=0.1)
    assert report["elbo"] < report["log_likelihood"]
    assert report["active_units"] == 2
    assert 1 <= report["ess"] <= 300
    one = evaluate.evaluate(params, x[:1], spec, samples=1)
    assert one["stderr_images"] is None
    assert one["stderr_mc"] is None


def test_elbo_terms_leave_free_bits_out_and_weigh_a_short_last_batch(trained, monkeypatch):
    spec, params, x, _ = trained
    monkeypatch.setattr(streamed, "ENCODER_ROWS", 25)  # 60 images: 25, 25, 10
    terms = evaluate.elbo_terms(
        params, x, spec._replace(free_bits=3.0), rng=np.random.default_rng(0)
    )
    eps = np.random.default_rng(0).standard_normal((60, 2))
    plain = vae.elbo(params, x, eps, spec)
    np.testing.assert_allclose(terms, plain, rtol=1e-12)
    assert terms.loss == -terms.elbo


@pytest.mark.parametrize("offset", [1e3, 1e6, 123456789.123])
def test_the_activity_of_latents_keeps_its_digits_far_from_zero(offset):
    """E[mu^2] - E[mu]^2 gave 20 instead of 0.066 at the largest offset, and can give it for 0."""
    spec = vae.Spec(5, (), 2)
    rng = np.random.default_rng(1)
    params = vae.unpack(vae.init_params(spec, rng, dtype=np.float64), spec)
    params["mu_W"][:, 0] = 0
    x = rng.random((3000, 5))
    scatter = (x @ params["mu_W"]).var(axis=0)
    params["mu_b"][...] = offset
    activity = evaluate.latent_activity(params, x, spec)
    assert activity[0] == 0
    assert activity[1] == pytest.approx(scatter[1], abs=1e-7)


def test_the_effective_sample_size_stays_between_1_and_k():
    """Almost equal weights: without rounding K - 1e-17 or so, with it up to K + 7e-15."""
    for seed in range(300):
        rng = np.random.default_rng(seed)
        K = int(rng.integers(1, 50))
        log_w = rng.normal(size=(K, 3)) * 10 ** rng.uniform(-8, 3)
        _, _, ess = evaluate.summarise_weights([log_w], K)
        assert (ess >= 1).all()
        assert (ess <= K).all()


def test_active_units_are_those_whose_mean_moves(trained):
    _, _, x, _ = trained
    spec = vae.Spec(20, (), 3)
    params = vae.unpack(np.zeros(vae.n_params(spec)), spec)
    params["mu_W"][:, 0] = 1.0
    params["mu_W"][0, 1] = 0.01
    params["mu_b"][2] = 5.0
    activity = evaluate.latent_activity(params, x, spec)
    np.testing.assert_allclose(activity, (x @ params["mu_W"]).var(axis=0), atol=1e-12)
    assert evaluate.active_units(params, x, spec) == 1
    params["mu_b"][2] = np.nan  # NaN > 0.01 is false: it must not count as inactive
    with pytest.raises(MinivaeError, match="not finite; train again with a smaller lr"):
        evaluate.active_units(params, x, spec)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory where Linux shows it")
def test_a_model_of_50_latents_is_scored_within_a_gibibyte():
    """K = 5000 with numba, in a process of its own, the whole test set in memory."""
    code = """
import numpy as np
from minivae import evaluate, vae
from minivae.backend import load_backend
rng = np.random.default_rng(0)
spec = vae.Spec(784, (200, 200), 50)
params = vae.unpack(vae.init_params(spec, rng), spec)
x = (rng.random((10_000, 784), dtype=np.float32) < 0.1).astype(np.float32)
ops = load_backend("numba")
evaluate.log_likelihood(params, x[:60], spec, samples=5000, rng=rng, ops=ops)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(status["VmHWM"].split()[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert int(done.stdout) < 2**20, "kilobytes"


# ---- gaps --------------------------------------------------------------------------------------


def test_the_search_for_the_best_q_begins_at_the_given_one(trained):
    spec, params, x, _ = trained
    mu, logvar = np.full((60, 2), 0.3), np.full((60, 2), -1.2)
    rng = np.random.default_rng(0)
    found = evaluate.best_q(params, x, mu, logvar, spec, rng=rng, steps=2, lr=1e-6)
    np.testing.assert_allclose(found, [mu, logvar], rtol=0, atol=3e-6)


def test_gaps_start_at_the_encoder_and_are_scored_on_fresh_noise(trained, monkeypatch):
    spec, params, x, _ = trained
    seen = {}

    def best_q(params, x, start, spec, rng, *options):
        seen["start"], seen["search"] = start, rng
        return start

    def paired(params, x, best, encoder, spec, rng, samples, ops):
        seen["score"] = rng
        return np.zeros((2, len(x))), np.zeros((2, len(x)))

    monkeypatch.setattr(inference_gap, "_best_q", best_q)
    monkeypatch.setattr(inference_gap, "_paired_elbos", paired)
    evaluate.gaps(params, x, spec, rng=np.random.default_rng(0), samples=2)
    np.testing.assert_array_equal(seen["start"], vae.encode(params, x, spec))
    assert not np.isin(seen["search"].random(100), seen["score"].random(100)).any()


def test_the_gaps_of_a_trained_model_add_up_and_have_signs(trained):
    spec, params, x, truth = trained
    x, truth = x[:10], exact.Quadrature(*(column[:10] for column in truth))
    options = {"rng": np.random.default_rng(0), "steps": 200, "lr": 0.1}
    gaps = evaluate.gaps(params, x, spec, **options, log_p=truth.log_p)
    np.testing.assert_allclose(gaps.approximation + gaps.amortization, gaps.total, rtol=1e-12)
    np.testing.assert_allclose(gaps.log_p - gaps.elbo_encoder, gaps.total, rtol=1e-9)
    assert (gaps.amortization > -4 * gaps.amortization_stderr - 2e-3).all()
    assert (gaps.approximation > -4 * gaps.approximation_stderr).all()
    assert gaps.amortization.mean() > 0.05
    assert gaps.approximation.mean() > 4 * gaps.approximation_stderr.mean()
    elbo = exact.vae_faces(params, x, spec, truth).evidence
    bar = 5 * np.hypot(gaps.approximation_stderr, gaps.amortization_stderr)
    assert (np.abs(gaps.elbo_encoder - elbo) < bar).all()
    by_sampling = evaluate.gaps(params, x, spec, **options, samples=2000)
    np.testing.assert_allclose(by_sampling.log_p, truth.log_p, atol=0.1)


def test_the_best_q_of_a_linear_model_is_known():
    """With orthogonal axes it is the posterior, so the whole gap is amortization."""
    rng = np.random.default_rng(1)
    spec = vae.Spec(4, (), 2, likelihood="gaussian", variance=0.4)
    params = vae.unpack(vae.init_params(spec, rng, dtype=np.float64), spec)
    params["out_W"][...] = [[1.5, 0, 1, 0], [0, 0.7, 0, -0.7]]
    x = exact.sample_linear(exact.as_linear(params, spec), 6, rng)
    mean, covariance = exact.linear_posterior(exact.as_linear(params, spec), x)
    q = vae.encode(params, x, spec)
    mu, logvar = evaluate.best_q(params, x, *q, spec, rng=rng, steps=800)
    np.testing.assert_allclose(mu, mean, atol=0.02)
    np.testing.assert_allclose(logvar, np.tile(np.log(np.diag(covariance)), (6, 1)), atol=0.1)
    gaps = evaluate.gaps(params, x, spec, rng=rng, steps=800)
    np.testing.assert_allclose(gaps.approximation, 0, atol=0.01)
    assert gaps.approximation_stderr.max() < 0.005, "log w does not scatter at the posterior"
    assert gaps.amortization.min() > 0.2
    one_draw = evaluate.gaps(params, x, spec, rng=rng, steps=1, score_noise=1)
    assert np.isinf(one_draw.amortization_stderr).all(), "one number does not scatter"


@pytest.mark.parametrize("spec", [vae.Spec(6, (5, 4), 2), vae.Spec(6, (5,), 2, "relu", "gaussian")])
def test_the_gradient_for_q_is_that_of_the_elbo(spec):
    """Against central differences of nll + kl, each image on its own."""
    rng = np.random.default_rng(0)
    params = vae.unpack(vae.init_params(spec, rng, dtype=np.float64), spec)
    x = np.round(rng.random((3, 6)))
    q = rng.standard_normal((2, 3, 2))
    eps = rng.standard_normal((4, 3, 2))

    def loss(q):
        z, _ = ops.reparam_forward(*q, eps)
        out = vae.decode(params, z.reshape(-1, 2), spec).reshape(4, 3, 6)
        nll = vae.nll_forward(params, out, x, spec)[0].mean(axis=0)
        return (nll + ops.gaussian_kl_forward(*q)[0].sum(axis=1)).sum()

    numeric = np.empty_like(q)
    for i in np.ndindex(q.shape):
        h = np.zeros_like(q)
        h[i] = 1e-5
        numeric[i] = (loss(q + h) - loss(q - h)) / 2e-5
    by_hand = np.stack(q_grads(params, x, *q, eps, spec, ops))
    np.testing.assert_allclose(by_hand, numeric, rtol=0, atol=1e-7 * np.abs(numeric).max())


# ---- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [0, -1, 2.5, True, "many", None])
def test_a_number_of_samples_that_is_not_a_count_is_refused(trained, samples):
    spec, params, x, _ = trained
    with pytest.raises(MinivaeError, match="samples is"):
        likelihood(params, x, spec, samples=samples)


def test_images_are_checked(trained):
    spec, params, x, _ = trained
    grey = x.copy()
    grey[7, 3] = 0.5
    with pytest.raises(MinivaeError, match=r"image 7 has pixels between 0 and 1.*binarize"):
        evaluate.evaluate(params, grey, spec, samples=5)
    wrong = (x[:, :5], "takes"), (x[:0], "empty"), (x * np.nan, "NaN"), (x * 3, "0 to 1")
    for bad, says in wrong:
        with pytest.raises(MinivaeError, match=says):
            likelihood(params, bad, spec, samples=5)


@pytest.mark.parametrize("logvar", [-np.inf, -5000.0, np.inf, np.nan])
def test_a_q_that_is_no_density_is_refused(trained, logvar):
    spec, params, x, _ = trained
    mu, other = np.zeros((2, len(x), 2))
    other[3] = logvar
    with pytest.raises(MinivaeError, match=r"image 3 .*variance"):
        likelihood(params, x, spec, samples=600, q=(mu, other))


def test_a_decoder_full_of_nan_is_an_error_and_not_a_result(trained):
    spec, params, x, _ = trained
    broken = {name: array.copy() for name, array in params.items()}
    broken["out_b"][0] = np.nan
    with pytest.raises(MinivaeError, match="not finite; train again with a smaller lr"):
        likelihood(broken, x, spec, samples=5)
    with pytest.raises(MinivaeError, match="not finite; train again with a smaller lr"):
        evaluate.elbo_terms(broken, x, spec, rng=np.random.default_rng(0))


def test_bounds_need_two_groups_for_an_error_bar(trained):
    spec, params, x, _ = trained
    rng = np.random.default_rng(0)
    with pytest.raises(MinivaeError, match="two groups"):
        evaluate.importance_bounds(params, x, spec, rng=rng, samples=(1, 60), draws=100)


@pytest.mark.parametrize(
    ("log_p", "message"),
    [
        ([1.0], r"log_p has shape \(1,\); it must be \(3,\), one per image"),
        ([-3.0, np.nan, -2.0], "log_p holds NaN or infinity at image 1; all must be finite"),
        ("exact", "log_p is 'exact'; it must hold real numbers"),
    ],
)
def test_log_p_given_for_the_gaps_must_be_one_for_each_image(trained, log_p, message):
    spec, params, x, _ = trained
    rng = np.random.default_rng(0)
    with pytest.raises(MinivaeError, match=message):
        evaluate.gaps(params, x[:3], spec, rng=rng, steps=1, log_p=log_p)


@pytest.mark.parametrize("name", ["steps", "noise", "score_noise", "samples"])
def test_a_count_of_0_is_refused_by_its_name(trained, name):
    spec, params, x, _ = trained
    options = {"steps": 1, "noise": 1, "score_noise": 2, "samples": 2} | {name: 0}
    with pytest.raises(MinivaeError, match=f"^{name} is 0"):
        evaluate.gaps(params, x[:3], spec, rng=np.random.default_rng(0), **options)


def test_every_function_that_gives_a_bound_refuses_grey_pixels_and_a_q_of_another_size(trained):
    spec, params, x, _ = trained
    rng = np.random.default_rng(0)
    q = np.zeros((2, 60, 2))
    with pytest.raises(MinivaeError, match="between 0 and 1"):
        evaluate.elbo_terms(params, x / 2, spec, rng=rng)
    with pytest.raises(MinivaeError, match="between 0 and 1"):
        evaluate.best_q(params, x / 2, *q, spec, rng=rng)
    with pytest.raises(MinivaeError, match="q has shapes"):
        evaluate.best_q(params, x, *q[:, :7], spec, rng=rng)
    with pytest.raises(MinivaeError, match="q has shapes"):
        likelihood(params, x, spec, samples=2, q=q[:, :7])
    with pytest.raises(MinivaeError, match="draws is"):
        evaluate.importance_bounds(params, x, spec, rng=rng, samples=(1,), draws=2.5)
