"""The exercises 06.name-the-bug and 06.next-question can be solved from what a check says."""

from pathlib import Path

import numpy as np
import pytest

from minivae import mistakes, ops, vae
from minivae.exercises.chapters.nb06.bugs import PAIRS, RIGHT, SUSPECTS, patient
from minivae.gradcheck.differences import complex_step

SPEC = vae.Spec(data_dim=6, hidden=(4,), latent_dim=2)
SOURCE = Path(__file__).parents[1] / "notebooks" / "src" / "06_the_gradient_of_a_whole_vae.py"


def both_gradients(name, beta, B=3):
    """The gradient by hand twice, as dicts, and the one by complex step."""
    rng = np.random.default_rng(0)
    flat = vae.init_params(SPEC, rng, dtype=np.float64)
    flat += 0.5 * rng.standard_normal(flat.size)
    x = np.array([[1, 0, 1, 0, 0, 1.0], [0, 1, 1, 0, 1, 0], [1, 1, 0, 1, 0, 0]])[:B]
    eps = rng.standard_normal((3, 2))[:B]
    mistake = mistakes.find(name)
    spoiled = mistakes.plant(mistake)
    model, its_ops = (vae, spoiled) if mistake.module == "ops" else (spoiled, ops)

    def loss(flat):
        return model.elbo(vae.unpack(flat, SPEC), x, eps, SPEC, beta=beta, ops=its_ops).loss

    params = vae.unpack(flat, SPEC)
    one, two = (
        model.elbo_and_grads(params, x, eps, SPEC, beta=beta, ops=its_ops).grads for _ in range(2)
    )
    return one, two, vae.unpack(complex_step(loss, flat), SPEC)


def report(name, beta, B=3):
    """For each block, the constant ratio of the gradient by hand, or "wrong"."""
    by_hand, _, numeric = both_gradients(name, beta, B)
    return tuple(constant_ratio(by_hand[block], n) for block, n in numeric.items())


def constant_ratio(by_hand, numeric):
    ratio = (by_hand * numeric).sum() / (numeric * numeric).sum()
    exact = np.abs(by_hand - ratio * numeric).max() <= 1e-9 * np.abs(numeric).max()
    return round(ratio, 6) if exact else "wrong"


def the_same_again(name):
    one, two, _ = both_gradients(name, 1.5)
    return all(np.array_equal(one[block], two[block]) for block in one)


def test_each_suspect_has_a_report_of_its_own():
    reports = {name: (report(name, 1.5), report(name, 0.0)) for name in SUSPECTS.values()}
    assert len(set(reports.values())) == len(SUSPECTS)


def test_the_patients_are_suspects_that_the_text_did_not_show():
    text = SOURCE.read_text(encoding="utf-8").split("## Exercises")[0]
    assert [letter for letter in RIGHT if f'"{patient(letter)}"' in text] == []


@pytest.mark.parametrize(("one", "other", "right"), PAIRS)
def test_the_right_question_and_no_other_tells_a_pair_apart(one, other, right):
    assert report(one, 1.5) == report(other, 1.5)
    tells = {
        "beta = 0": report(one, 0.0) != report(other, 0.0),
        "B = 1": report(one, 1.5, B=1) != report(other, 1.5, B=1),
        "twice": the_same_again(one) != the_same_again(other),
    }
    assert [question for question, apart in tells.items() if apart] == [right] * (right != "none")


# ---- the wordings --------------------------------------------------------------------------------


def as_worded(name, beta):
    """A VAE written out with the mistake exactly as the notebook words it: its report."""
    rng = np.random.default_rng(0)
    flat = vae.init_params(SPEC, rng, dtype=np.float64)
    flat += 0.5 * rng.standard_normal(flat.size)
    x = np.array([[1, 0, 1, 0, 0, 1.0], [0, 1, 1, 0, 1, 0], [1, 1, 0, 1, 0, 0]])
    eps, B = rng.standard_normal((3, 2)), 3

    def forward(flat):
        p = vae.unpack(flat, SPEC)
        y1 = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
        mu, logvar = y1 @ p["mu_W"] + p["mu_b"], y1 @ p["logvar_W"] + p["logvar_b"]
        sigma = np.exp(logvar if name == "variance-as-sigma" else logvar / 2)
        z = mu + sigma * eps
        y2 = np.tanh(z @ p["dec1_W"] + p["dec1_b"])
        logits = y2 @ p["out_W"] + p["out_b"]
        nll = np.log(1 + np.exp(logits)) - x * logits
        kl = (mu**2 + np.exp(logvar) - 1 - logvar) / 2
        return p, y1, mu, logvar, z, y2, logits, (nll.sum() + beta * kl.sum()) / B

    p, y1, mu, logvar, z, y2, logits, _ = forward(flat)
    grads, once_more = {}, B if name == "dW-over-B" else 1

    def dense_backward(layer, dy, inputs, y=None):
        da = dy if y is None else dy * (1 - y**2)
        grads[f"{layer}_W"], grads[f"{layer}_b"] = inputs.T @ da / once_more, da.sum(axis=0)
        return (dy if name == "dx-before-tanh" else da) @ p[f"{layer}_W"].T

    sigmoid = logits if name == "dout-without-sigmoid" else 1 / (1 + np.exp(-logits))
    dz = dense_backward("dec1", dense_backward("out", (sigmoid - x) / B, y2), z, y2)
    kl = -beta / B if name == "KL-sign" else beta / B
    dmu = (0 if name == "dmu-without-dz" else dz) + kl * mu
    factor = np.exp(logvar) if name == "variance-as-sigma" else np.exp(logvar / 2)
    through_z = dz * (1 if name == "dlogvar-without-eps" else eps) * factor / 2
    from_kl = 0 if name == "dlogvar-without-KL" else kl * (np.exp(logvar) - 1) / 2
    dy1 = dense_backward("mu", dmu, y1) + dense_backward("logvar", through_z + from_kl, y1)
    dense_backward("enc1", dy1, x, y1)
    numeric = vae.unpack(complex_step(lambda flat: forward(flat)[-1], flat), SPEC)
    return tuple(constant_ratio(grads[block], n) for block, n in numeric.items())


@pytest.mark.parametrize("name", SUSPECTS)
def test_each_wording_taken_literally_gives_the_report_of_its_mistake(name):
    for beta in (1.5, 0.0):
        assert as_worded(name, beta) == report(SUSPECTS[name], beta)
