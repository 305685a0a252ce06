"""A symptom with several possible causes: noisy-or."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub


def noisy_or(present, cause, leak):
    """p(symptom) = 1 - (1 - leak) prod over the diseases present of (1 - cause)"""
    absent = (1 - leak) * np.prod(1 - present[:, :, None] * cause, axis=1)
    return 1 - absent


def _noisy_or_cases():
    rng = np.random.default_rng(12)
    cause, leak = np.round(rng.uniform(0.1, 0.9, (3, 4)), 2), np.round(rng.uniform(0, 0.2, 4), 2)
    return [
        (np.array([[1.0]]), np.array([[0.7]]), np.array([0.1])),
        (np.array([[1.0, 1.0]]), np.array([[0.7], [0.4]]), np.array([0.1])),
        (np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])[:2], cause, leak),
        (rng.integers(0, 2, (5, 3)).astype(float), cause, leak),
        (np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0], [0.4]]), np.array([0.0])),
    ]


NOISY_OR = Exercise(
    id="01.noisy-or",
    title="a symptom with several possible causes",
    stub=stub("""
        def noisy_or(present, cause, leak):    # (N, Z) of 0 and 1, (Z, S), (S,) -> (N, S)
            ...                                # p(symptom): absent only if nothing caused it
    """),
    reference=noisy_or,
    cases=_noisy_or_cases,
    mistakes=(
        WrongAnswer(
            "sum",
            lambda present, cause, leak: present @ cause + leak,
            "Probabilities of causes do not add: with two strong ones this exceeds 1.",
        ),
        WrongAnswer(
            "sum-clipped",
            lambda present, cause, leak: np.minimum(present @ cause + leak, 1),
            "A sum clipped at 1 is a probability, but not the right one: multiply the "
            "probabilities that each cause fails.",
        ),
        WrongAnswer(
            "absent",
            lambda present, cause, leak: 1 - noisy_or(present, cause, leak),
            "This is the probability that the symptom is absent: subtract it from 1.",
        ),
        WrongAnswer(
            "leak-forgotten",
            lambda present, cause, leak: noisy_or(present, cause, 0 * leak),
            "The leak is missing: even a healthy patient coughs now and then.",
        ),
        WrongAnswer(
            "all-diseases",
            lambda present, cause, leak: noisy_or(np.ones_like(present), cause, leak),
            "You count all diseases; only those that are present can cause the symptom.",
        ),
        WrongAnswer(
            "and",
            lambda present, cause, leak: (
                1 - (1 - leak) * (1 - np.prod(np.where(present[:, :, None] > 0, cause, 1), axis=1))
            ),
            "This is a logical and: every disease present would have to cause the symptom.",
        ),
        WrongAnswer(
            "strongest",
            lambda present, cause, leak: np.maximum(
                (present[:, :, None] * cause).max(axis=1), leak
            ),
            "You take only the strongest cause; each of the others can cause the symptom as well.",
        ),
        WrongAnswer(
            "log-of-zero",
            lambda present, cause, leak: 1 - (1 - leak) * np.exp(present @ np.log1p(-cause)),
            "A cause that never fails has log(1 - cause) = -inf, and times 0, where it is absent, "
            "that is NaN.",
        ),
        WrongAnswer(
            "leak-added",
            lambda present, cause, leak: noisy_or(present, cause, 0 * leak) + leak,
            "The leak is one more possible cause, so it does not add: multiply the failures by 1 "
            "- leak.",
        ),
    ),
    hints=(
        "When is the symptom absent? Only if the leak and every disease present all fail to cause "
        "it.",
        "Failures are independent, so their probabilities multiply.",
        "1 - (1 - leak) * np.prod(1 - present[:, :, None] * cause, axis=1).",
    ),
)
