"""Five programs with a mistake each, to be told by the tests that come before a training."""

from typing import Any

from minivae import mistakes, vae
from minivae.exercises.exercise import Exercise, WrongAnswer, stub
from minivae.exercises.words import changed, judge_words

SUSPECTS: dict[
    str, Any
] = {  # what is wrong: the mistake of the collection, or what `by_heart` is given
    "KL summed over the batch": "elbo-kl-summed-over-batch",
    "no KL gradient for mu": "elbo-kl-path-to-mu-lost",
    "KL subtracted in the loss": "elbo-kl-subtracted",
    "heads swapped": "elbo-heads-swapped",
    "rate too low": {"lr": 3e-4},
}
DECOYS = ("nothing", "path through z lost", "KL forgotten")
LETTERS = {
    "A": "no KL gradient for mu",
    "B": "rate too low",
    "C": "KL summed over the batch",
    "D": "heads swapped",
    "E": "KL subtracted in the loss",
}
RIGHT = list(LETTERS.values())
WORDS = (*DECOYS, *sorted(SUSPECTS))


def program(letter: str) -> dict[str, Any]:
    """What the notebook's `by_heart` is given for this program."""
    given = SUSPECTS[LETTERS[letter]]
    if isinstance(given, dict):
        return {"model": vae, **given}
    return {"model": mistakes.plant(mistakes.find(given))}


FIRST_TESTS = Exercise(
    id="07.first-tests",
    title="five programs, told by the tests before the training",
    stub=stub("""
        # "nothing", "path through z lost", "KL forgotten" (beta = 0), "KL summed over the batch",
        # "KL subtracted in the loss", "no KL gradient for mu", "heads swapped" (the gradients of
        # mu's and logvar's head, one for the other) or "rate too low"; in the order A to E
        ailments = ...
    """),
    reference=RIGHT,
    judge=judge_words(WORDS, RIGHT),
    mistakes=(
        WrongAnswer(
            "A-forgotten",
            changed(RIGHT, {1: "KL forgotten"}),
            "A: were the KL forgotten, the printed loss would be the nll alone.",
        ),
        WrongAnswer(
            "A-summed",
            changed(RIGHT, {1: "KL summed over the batch"}),
            "A: its first kl is like the healthy one's. With a sum it would be ten times as large.",
        ),
        WrongAnswer(
            "B-nothing",
            changed(RIGHT, {2: "nothing"}),
            "B: nothing is impossible about it, but it ends far above the healthy one.",
        ),
        WrongAnswer(
            "B-path",
            changed(RIGHT, {2: "path through z lost"}),
            "B: with that path lost the kl would go to 0, and the nll stay at the mean image of "
            "the ten. Here both are still on their way.",
        ),
        WrongAnswer(
            "C-mu",
            changed(RIGHT, {3: "no KL gradient for mu"}),
            "C: look at the kl before the first step, when no gradient has done anything yet.",
        ),
        WrongAnswer(
            "D-rate",
            changed(RIGHT, {4: "rate too low"}),
            "D: the kl runs away; with a low rate everything is slow.",
        ),
        WrongAnswer(
            "E-forgotten",
            changed(RIGHT, {5: "KL forgotten"}),
            "E: were the KL forgotten, the loss would be the nll. Here it is the nll less the kl.",
        ),
        WrongAnswer(
            "E-nothing",
            changed(RIGHT, {5: "nothing"}),
            "E: its loss is below log 10, which is not possible.",
        ),
    ),
    hints=(
        "Is loss = nll + kl in every row? Is any loss lower than it can be?",
        "What differs before the first step cannot come from a gradient. What differs only later "
        "does, or from the rate.",
        "C's first kl is ten times the healthy one's. The kl of A grows to many times the healthy "
        "one's, and that of D explodes.",
    ),
    solution_text=stub("""
        ailments = [
            "no KL gradient for mu",        # A: nll falls, mu runs away and the kl with it
            "rate too low",                 # B: like the healthy one, but late
            "KL summed over the batch",     # C: ten times the kl, from the first step on
            "heads swapped",                # D: logvar follows mu's gradient, and explodes
            "KL subtracted in the loss",    # E: loss = nll - kl; the gradient is right
        ]
    """),
)
