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
    found = []
    for block, n in numeric.items():
        ratio = (by_hand[block] * n).sum() / (n * n).sum()
        exact = np.abs(by_hand[block] - ratio * n).max() <= 1e-9 * np.abs(n).max()
        found.append(round(ratio, 6) if exact else "wrong")
    return tuple(found)


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
