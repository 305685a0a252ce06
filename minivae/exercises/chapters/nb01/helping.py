"""A symptom whose causes make each other more probable: explaining away, turned round."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

PRESENT = 0.1  # the prior probability of each cause


def _judge_symptom(answer):
    """None if knowing the second cause makes the first more probable, given the symptom."""
    try:
        table = np.asarray(answer, float)
    except (TypeError, ValueError):
        return "expected a table of numbers: [[., .], [., .]]"
    if table.shape != (2, 2):
        return f"the shape is {table.shape}; expected (2, 2): my_symptom[z1][z2]"
    if not ((table >= 0) & (table <= 1)).all():  # false for nan too
        return "it holds a number that is no probability"
    prior = np.array([1 - PRESENT, PRESENT])
    joint = prior[:, None] * prior * table  # p(z1, z2, symptom)
    if joint[:, 1].sum() == 0:
        return "with the second cause there is never a symptom, so the two are never seen together"
    seen = joint[1].sum() / joint.sum()
    both = joint[1, 1] / joint[:, 1].sum()
    if both > seen * (1 + 1e-9):
        return None
    change = "the same" if both >= seen * (1 - 1e-9) else "less"
    return (
        f"p(z1 = 1 | symptom) = {seen:.6g}, and p(z1 = 1 | symptom, z2 = 1) = {both:.6g}: {change}"
    )


HELPING = Exercise(
    id="01.helping",
    title="a symptom whose causes help each other",
    stub=stub("""
        # Two causes, each present with probability 0.1, independently, and a symptom. Choose its
        # probability for each pair: p(symptom | z1, z2) = my_symptom[z1][z2]. Once the symptom is
        # seen, z1 = 1 must be more probable if z2 = 1 is known as well.
        my_symptom = ...    # [[., .], [., .]]
    """),
    reference=[[0.01, 0.01], [0.01, 0.9]],
    judge=_judge_symptom,
    mistakes=(
        WrongAnswer(
            "noisy-or",
            [[0.1, 0.73], [0.73, 0.919]],
            "These are two causes that each do it alone, eq. (2): one explains the other away.",
        ),
        WrongAnswer(
            "or",
            [[0, 1], [1, 1]],
            "Either cause is enough here, so one that is known leaves nothing for the other to "
            "explain.",
        ),
        WrongAnswer(
            "and",
            [[0, 0], [0, 1]],
            "The idea is right: the causes need each other. But the symptom alone proves both, so "
            "nothing is left to learn: let it come from nowhere now and then.",
        ),
        WrongAnswer(
            "one-or-the-other",
            [[0, 1], [1, 0]],
            "Here the symptom means that exactly one is present: knowing one rules out the other.",
        ),
        WrongAnswer(
            "product",
            [[0.02, 0.1], [0.1, 0.5]],
            "Each cause multiplies the probability of the symptom by 5, whatever the other does: "
            "then they stay independent.",
        ),
        WrongAnswer(
            "no-symptom",
            [[0.5, 0.5], [0.5, 0.5]],
            "This symptom does not depend on the causes and tells nothing about them.",
        ),
    ),
    hints=(
        "Explaining away comes from causes that each do it alone. What if neither does?",
        "A poison of two parts, harmless one by one. And some symptom without any cause, or seeing "
        "it would prove both at once.",
        "p(symptom | 1, 1) p(symptom | 0, 0) must exceed p(symptom | 0, 1) p(symptom | 1, 0): try "
        "0.9 for both causes and 0.01 everywhere else.",
    ),
    solution_text=stub("""
        my_symptom = [[0.01, 0.01], [0.01, 0.9]]
        # The symptom is rare unless both are there. Seen alone it makes z1 = 1 about as probable as
        # not; once z2 = 1 is known, z1 = 1 is the likely way to have it.
    """),
)
