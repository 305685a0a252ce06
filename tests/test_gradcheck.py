"""The gradient of the whole VAE, derived by hand, is that of its loss; and the report."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from minivae import mistakes, ops, vae
from minivae.backend import BACKENDS
from minivae.errors import MinivaeError
from minivae.gradcheck import (
    ALL_CASES,
    CONDITIONAL_CASES,
    DEFAULT_CASES,
    GAN_CASES,
    Case,
    check_backends,
    format_report,
    model,
)
from minivae.gradcheck.cases import (
    ACTIVATIONS,
    DEFAULT_CONDITIONAL_CASES,
    DEFAULT_GAN_CASES,
)
from minivae.gradcheck.points import KINK_MARGIN, generic_point, kl_per_latent, own_blocks

TINY = (Case(vae.Spec(5, (4,), 2), beta=4.0),)


@pytest.fixture(scope="module")
def report():
    return check_backends()


def test_every_block_of_every_default_model_is_right_by_both_numerical_gradients(report):
    far = [b for b in report["blocks"] if b["central_diff"] >= 1e-7 or b["complex_step"] >= 1e-12]
    assert far == []
    assert {b["verdict"] for b in report["blocks"]} == {"right"}
    assert report["ok"] is True


def test_every_entry_of_a_small_model_is_judged(report):
    case = DEFAULT_CASES[0]
    rows = [b for b in report["blocks"] if b["backend"] == "numpy" and b["case"] == case.name]
    judged = {b["block"]: sum(b["entries"].values()) for b in rows}
    shapes = {name: b.size for name, b in vae.unpack(np.zeros(39), case.spec).items()}
    assert judged == shapes


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_every_block_of_every_model(seed):
    """The product of likelihoods, activations, depths, betas and free bits; IWAE; 784 pixels;
    conditional models; and both players of GANs of every activation and depth."""
    result = check_backends(cases=(*ALL_CASES, *CONDITIONAL_CASES, *GAN_CASES), seed=seed)
    assert [b for b in result["blocks"] if b["verdict"] != "right"] == []


def test_every_backend_and_every_parameter_is_in_the_report(report):
    absent = {line.split(":")[0] for line in report.get("not_checked", ())}
    for backend in set(BACKENDS) - absent:
        blocks = {b["block"] for b in report["blocks"] if b["backend"] == backend}
        deepest = vae.Spec(5, (4, 3, 3), 2, likelihood="gaussian")
        of_gans = {name for case in DEFAULT_GAN_CASES for name in own_blocks(case, whole(case))}
        assert blocks == {name for name, _ in vae.layout(deepest)} | of_gans
        assert {"gen1_W", "gen_out_b", "dis1_W", "dis_out_b"} <= of_gans
    assert "numpy" not in absent


def whole(case):
    return np.zeros(case.spec.n_params)


def settings(cases):
    """Every setting that some case has."""
    return {
        *(case.spec.likelihood for case in cases),
        *(case.spec.activation for case in cases),
        *(("variance", case.spec.variance) for case in cases),
        *(("hidden", len(case.spec.hidden)) for case in cases),
        *(("beta", case.beta) for case in cases),
        *(("free bits", bool(case.spec.free_bits)) for case in cases),
        *(("iwae", bool(case.samples)) for case in cases),
        *(("wide", case.spec.data_dim == 784) for case in cases),
    }


def test_the_default_models_step_through_every_setting():
    assert settings(DEFAULT_CASES) == settings(ALL_CASES)
    assert settings(DEFAULT_CONDITIONAL_CASES) == settings(CONDITIONAL_CASES)
    assert all(case.spec.classes for case in CONDITIONAL_CASES)
    assert {case.module for case in CONDITIONAL_CASES} == {"conditional"}
    assert {("hidden", n) for n in range(4)} <= settings(ALL_CASES)
    assert {("beta", beta) for beta in (0, 1, 4)} <= settings(ALL_CASES)
    each = 2 * len(ACTIVATIONS)  # with either likelihood
    assert len(ALL_CASES) == each * 4 * 3 * 2 + each * 4 + 1 + each
    for case in ALL_CASES:  # every entry on small nets, directions on wide ones
        assert (case.directions is None) == (case.spec.data_dim <= 30)


def test_the_labels_of_a_checked_batch_differ_and_one_comes_twice():
    """So that a gradient of one label's row is a sum over images."""
    assert DEFAULT_CONDITIONAL_CASES[0].labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize("case", DEFAULT_CASES, ids=lambda case: case.name)
def test_the_points_are_generic_and_away_from_kinks(case):
    """No block's gradient vanishes, so that agreement means something."""
    flat, x, eps = generic_point(case, 0)
    params = vae.unpack(flat, case.spec)
    if case.samples:
        grads = vae.iwae_and_grads(params, x, eps, case.spec).grads
    else:
        grads = vae.elbo_and_grads(params, x, eps, case.spec, beta=case.beta).grads
        kl = kl_per_latent(case, params, x)
        if case.spec.free_bits:
            assert kl.min() < case.spec.free_bits < kl.max()
    assert all(np.abs(g).max() > 1e-9 for g in grads.values())
    h, relu = x, lambda a: np.maximum(a, 0)
    if case.spec.activation == "relu":
        for i in range(1, len(case.spec.hidden) + 1):
            a = h @ params[f"enc{i}_W"] + params[f"enc{i}_b"]
            assert np.abs(a).min() > KINK_MARGIN
            h = relu(a)


def test_the_report_is_json_with_the_promised_keys(report):
    again = json.loads(json.dumps(report, allow_nan=False))
    promised = {"backend", "block", "case", "central_diff", "complex_step"}
    assert set(again["blocks"][0]) == promised | {"verdict", "sentence", "entries"}
    assert {"ok", "blocks"} <= set(again)


def test_the_printed_report_fits_a_line_of_100_and_names_every_block(report):
    text = format_report(report)
    assert "Right: every block of every model, by both numerical gradients." in text
    assert max(map(len, text.splitlines())) <= 100
    for name in ("enc1_W", "logvar_b", "out_logvar"):
        assert name in text
    assert "central differences" in text
    assert "complex step" in text


def test_a_readers_own_backend_is_checked_and_its_error_named():
    """The report of a wrong backend says which blocks are wrong."""

    def kl_backward(dkl, cache):
        dmu, dlogvar = ops.gaussian_kl_backward(dkl, cache)
        return 2 * dmu, dlogvar

    mine = SimpleNamespace(**vars(ops) | {"gaussian_kl_backward": kl_backward})
    result = check_backends(backends={"mine": mine}, cases=TINY)
    assert not result["ok"]
    wrong = {b["block"] for b in result["blocks"] if b["verdict"] == "wrong"}
    assert wrong == {"enc1_W", "enc1_b", "mu_W", "mu_b"}
    assert "mine backend" in format_report(result)
    assert check_backends(backends={"mine": ops}, cases=TINY)["ok"]


@pytest.mark.parametrize("case", [TINY[0], TINY[0]._replace(directions=3)])
def test_a_planted_mistake_is_shown_with_its_ratio(case):
    result = check_backends(plant="dense-bias-gradient-averaged", cases=[case])
    text = format_report(result)
    assert not result["ok"]
    assert result["planted"] == "dense-bias-gradient-averaged"
    assert "3 times too small, and 3 is the batch size B" in " ".join(text.split())
    assert "- db[...] = sum_rows(da)" in text
    assert "+ db[...] = da.mean(axis=0)" in text
    assert "What to expect: Every bias is wrong" in text
    assert max(map(len, text.splitlines())) <= 100
    wrong = {b["block"] for b in result["blocks"] if b["verdict"] == "wrong"}
    assert wrong == {"enc1_b", "mu_b", "logvar_b", "dec1_b", "out_b"}


def test_a_planted_mistake_that_raises_is_reported_not_raised():
    result = check_backends(plant="dense-weights-not-transposed", cases=TINY)
    assert not result["ok"]
    assert all(b["central_diff"] is None for b in result["blocks"])
    assert "the backward pass raises" in format_report(result)
    json.dumps(result, allow_nan=False)


def test_the_report_says_what_catches_a_mistake_that_no_gradient_check_sees():
    result = check_backends(plant="reparam-variance-as-sigma", cases=TINY)
    assert result["ok"]
    text = format_report(result)
    assert "What to expect: It passes" in text
    assert "What catches it: the mean and the covariance of sampled z." in text


def test_planting_leaves_the_real_model_alone():
    check_backends(plant="kl-gradient-lost", cases=TINY)
    assert check_backends(backends=["numpy"], cases=TINY)["ok"]


def test_the_list_of_mistakes_is_a_report_too():
    result = check_backends(plant="list")
    assert result["ok"]
    text = format_report(result)
    for mistake in mistakes.MISTAKES:
        assert mistake.name in result["mistakes"]
        assert f"  {mistake.name}\n" in text


def test_wrong_arguments_end_in_one_line():
    with pytest.raises(MinivaeError, match="did you mean kl-half-lost"):
        check_backends(plant="kl-half")
    with pytest.raises(MinivaeError, match="must be one of"):
        check_backends(backends=["cuda"])
    with pytest.raises(MinivaeError, match="leave backends out"):
        check_backends(backends=["numpy"], plant="kl-half-lost")


def test_a_missing_backend_is_said_and_not_taken_for_right(monkeypatch):
    def load(name):
        if name == "numba":
            raise MinivaeError("the numba backend is not available (no module)")
        return ops

    monkeypatch.setattr(model, "load_backend", load)
    result = check_backends(cases=TINY)
    assert result["ok"]
    assert "not checked: numba" in format_report(result)
    with pytest.raises(MinivaeError, match="not available"):
        check_backends(backends=["numba"], cases=TINY)
