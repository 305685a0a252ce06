"""The exercise 06.name-the-bug can be solved from what the notebook shows."""

from pathlib import Path

import numpy as np

from minivae import mistakes, ops, vae
from minivae.exercises.chapters.nb06.bugs import PATIENTS, SUSPECTS
from minivae.gradcheck.differences import complex_step

SPEC = vae.Spec(data_dim=6, hidden=(4,), latent_dim=2)
SOURCE = Path(__file__).parents[1] / "notebooks" / "src" / "06_the_gradient_of_a_whole_vae.py"


def report(name, beta):
    """For each block, the constant ratio of the gradient by hand, or "wrong"."""
    rng = np.random.default_rng(0)
    flat = vae.init_params(SPEC, rng, dtype=np.float64)
    flat += 0.5 * rng.standard_normal(flat.size)
    x = np.array([[1, 0, 1, 0, 0, 1.0], [0, 1, 1, 0, 1, 0], [1, 1, 0, 1, 0, 0]])
    eps = rng.standard_normal((3, 2))
    mistake = mistakes.find(name)
    spoiled = mistakes.plant(mistake)
    model, its_ops = (vae, spoiled) if mistake.module == "ops" else (spoiled, ops)

    def loss(flat):
        return model.elbo(vae.unpack(flat, SPEC), x, eps, SPEC, beta=beta, ops=its_ops).loss

    params = vae.unpack(flat, SPEC)
    by_hand = model.elbo_and_grads(params, x, eps, SPEC, beta=beta, ops=its_ops).grads
    found = []
    for block, n in vae.unpack(complex_step(loss, flat), SPEC).items():
        ratio = (by_hand[block] * n).sum() / (n * n).sum()
        exact = np.abs(by_hand[block] - ratio * n).max() <= 1e-9 * np.abs(n).max()
        found.append(round(ratio, 6) if exact else "wrong")
    return tuple(found)


def test_each_suspect_has_a_report_of_its_own():
    reports = {name: (report(name, 1.5), report(name, 0.0)) for name in SUSPECTS}
    assert len(set(reports.values())) == len(SUSPECTS)


def test_the_patients_are_suspects_that_the_text_did_not_show():
    assert set(PATIENTS.values()) < set(SUSPECTS)
    text = SOURCE.read_text(encoding="utf-8").split("## Exercises")[0]
    assert [name for name in PATIENTS.values() if f'"{name}"' in text] == []
