"""Training curves of five patients, whose diagnosis is asked."""

from typing import Any

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

PATIENTS = {  # letter: what was changed
    "A": "no KL in the loss",
    "B": "too few images",
    "C": "rate too low",
    "D": "sorted by label",
    "E": "beta too large",
}
SUSPECTS = (
    "healthy",
    "rate too high",
    "rate too low",
    "beta too large",
    "no KL in the loss",
    "sorted by label",
    "too few images",
    "pixels averaged",
)
RIGHT = tuple(PATIENTS.values())


def treatment(letter: str, images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """What the notebook's `train` is given for this patient: images (N, D), labels (N,)."""
    by_label = np.argsort(labels[:20_000], kind="stable")
    given: dict[str, dict[str, Any]] = {
        "no KL in the loss": {"beta": 0.0},
        "too few images": {"images": images[:100]},
        "rate too low": {"lr": 1e-4},
        "sorted by label": {"pick": lambda step: by_label[100 * (step - 1) % 20_000 :][:100]},
        "beta too large": {"beta": 39.2},
    }
    return given[PATIENTS[letter]]


def _judge_diagnoses(answer):
    if isinstance(answer, dict):
        answer = tuple(answer.get(letter) for letter in PATIENTS)
    if not isinstance(answer, list | tuple) or len(answer) != len(RIGHT):
        return "expected five diagnoses, in the order A, B, C, D, E"
    for name in answer:
        if not isinstance(name, str) or name not in SUSPECTS:
            return f"{name!r} is not one of the eight"
    wrong = [letter for letter, a, b in zip(PATIENTS, answer, RIGHT, strict=True) if a != b]
    return f"not yet right: {', '.join(wrong)}" if wrong else None


def _instead(letter, name):
    return tuple((PATIENTS | {letter: name}).values())


CURVES = Exercise(
    id="07.curves",
    title="five sick curves",
    stub=stub("""
        # "healthy", "rate too high", "rate too low", "beta too large", "no KL in the loss",
        # "sorted by label", "too few images" or "pixels averaged" (the mean over pixels in
        # the nll, the sum over latents in the kl); in the order A, B, C, D, E
        diagnoses = ...
    """),
    reference=RIGHT,
    judge=_judge_diagnoses,
    mistakes=(
        WrongAnswer(
            "A-few",
            _instead("A", "too few images"),
            "A: its kl is far larger than the others', and in the printed numbers its loss is the "
            "nll alone.",
        ),
        WrongAnswer(
            "A-rate",
            _instead("A", "rate too high"),
            "A: the loss that is minimised falls without a jump. The test -ELBO is far above it: "
            "what is in the one and not in the other?",
        ),
        WrongAnswer(
            "B-healthy",
            _instead("B", "healthy"),
            "B: the loss goes on falling, while the test -ELBO stays where it is.",
        ),
        WrongAnswer(
            "B-no-kl",
            _instead("B", "no KL in the loss"),
            "B: in the printed numbers its loss is nll + kl, as it should be.",
        ),
        WrongAnswer(
            "C-healthy",
            _instead("C", "healthy"),
            "C: it falls, but after 400 steps it is far from where a healthy one is.",
        ),
        WrongAnswer(
            "C-beta",
            _instead("C", "beta too large"),
            "C: the kl rises and the loss falls, slowly; with too large a beta the kl would go to "
            "0.",
        ),
        WrongAnswer(
            "D-rate",
            _instead("D", "rate too high"),
            "D: it jumps, but at equal distances and back down again each time: what has that "
            "period?",
        ),
        WrongAnswer(
            "E-rate",
            _instead("E", "rate too low"),
            "E: with a low rate the kl would still rise; here it falls to 0.",
        ),
        WrongAnswer(
            "E-averaged",
            _instead("E", "pixels averaged"),
            "E: with the mean over the pixels the loss itself would be below 1.",
        ),
    ),
    hints=(
        "The kl first: for which patient is it 0, for which does it run away?",
        "Then the two curves above: do they part? Does the loss jump at equal distances?",
        "A: the loss is the nll alone. B: they part. C: slow, and still falling. D: it jumps each "
        "20 steps. E: the kl is 0.",
    ),
    solution_text=stub("""
        diagnoses = (
            "no KL in the loss",    # A: the loss is the nll alone, and the kl grows
            "too few images",       # B: the loss falls, the test -ELBO does not
            "rate too low",         # C: healthy, but slow
            "sorted by label",      # D: saw teeth, a digit long
            "beta too large",       # E: the kl is 0, the loss the mean image's
        )
    """),
)
