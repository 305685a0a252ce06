"""The profile of a training step: its parts are timed inside it, and add up to it."""

import itertools

import numpy as np
import pytest

from minivae import ops, plots, vae
from minivae.studies import step_profile
from minivae.studies.races import Timing
from minivae.studies.step_profile import PARTS, REST, Trainee

SPEC = vae.Spec(6, (5, 4), 2)
RNG = np.random.default_rng(0)
X = (RNG.random((3, 6)) < 0.5).astype(np.float32)
EPS = RNG.standard_normal((3, 2), dtype=np.float32)


def ticking():
    """A clock on which one second passes between any two looks."""
    count = itertools.count()
    return lambda: float(next(count))


def test_another_product_trains_the_same_model():
    plain = Trainee(step_profile.fused(ops), SPEC)
    swapped = Trainee(step_profile.with_product(lambda a, b: np.einsum("ik,kj->ij", a, b)), SPEC)
    losses = [[trainee.step(X, EPS) for _ in range(5)] for trainee in (plain, swapped)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    np.testing.assert_allclose(plain.flat, swapped.flat, atol=1e-5)
    assert losses[0][-1] < losses[0][0]


@pytest.mark.parametrize(
    ("make", "calls"),
    [
        # 7 layers: the products of 7 forwards, 7 dW and 5 dx (not those of the first layer, and
        # the two heads' gradients are two layers)
        (step_profile.with_product(np.matmul), {"products": 20, "bias and tanh": 14}),
        (step_profile.fused(ops), {"products": 14, "bias and tanh": 0}),
    ],
)
def test_each_function_counts_in_its_part(make, calls):
    """With the clock that ticks at each look, a part lasts as long as it has calls."""
    trainee = Trainee(make, SPEC, ticking())
    trainee.step(X, EPS)
    seconds = trainee.watch.seconds
    assert {part: seconds[part] for part in calls} == calls
    assert (seconds["likelihood"], seconds["Adam"]) == (2, 1)
    looks = 2 * sum(seconds[part] for part in PARTS if part != REST) + 2
    assert sum(seconds.values()) == looks - 1  # all of the step


def test_the_fastest_step_of_a_turn_counts_with_its_parts():
    trainee = Trainee(step_profile.fused(ops), SPEC, ticking())
    found = step_profile.profile({"numpy": trainee}, X, EPS, rounds=3, turn=0)["numpy"]
    assert set(found) == {*PARTS, "step"}
    assert sum(found[part] for part in PARTS) == found["step"]
    assert all(holds for holds in step_profile.contradictions({"numpy": found}).values())


def planted(**seconds):
    parts = dict(zip(PARTS, (3.0, 0.2, 0.5, 1.0, 0.6), strict=True)) | {"step": 5.3} | seconds
    return {name: Timing([1e-3 * value]) for name, value in parts.items()}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ({"products": 6.58}, "x: products take less than the step"),
        ({"Adam": -0.1}, "x: Adam take less than the step"),
        ({"step": 9.0}, "x: the parts add up to the step"),
    ],
)
def test_a_planted_contradiction_is_found(seconds, said):
    assert not step_profile.contradictions({"x": planted(**seconds)})[said]


def test_consistent_numbers_hold_no_contradiction():
    assert all(step_profile.contradictions({"x": planted()}).values())


def test_the_bars_are_drawn_with_their_numbers():
    _, ax = plots.figure()
    step_profile.draw(ax, {"before": planted(), "after": planted(products=1.0)})
    labels = [text.get_text().strip() for text in ax.texts]
    assert labels == ["3", "1", "0.2", "0.2", "0.5", "0.5", "1", "1", "0.6", "0.6"]
    assert [t.get_text().split("\n")[0] for t in ax.get_yticklabels()] == ["before", "after"]
