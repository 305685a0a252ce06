"""The loss before the first step, on paper, for models that the text does not treat."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

RIGHT = (
    100 * np.log(4),
    100 * (5 + np.log(2 * np.pi)) / 2,
    100 * (1 + np.log(4) + np.log(2 * np.pi)) / 2,
    784 * np.log(2) + 20 * (0.25 - 1 - np.log(0.25)) / 2,
)


def _judge(answer):
    if isinstance(answer, dict):
        answer = [answer.get(letter) for letter in "ABCD"]
    try:
        given = np.asarray(answer, float)
    except (TypeError, ValueError):
        return "expected four numbers, in the order A, B, C, D"
    if given.shape != (4,):
        return "expected four numbers, in the order A, B, C, D"
    wrong = [c for c, a, b in zip("ABCD", given, RIGHT, strict=True) if not abs(a - b) < 0.002 * b]
    return f"not yet right: {', '.join(wrong)}" if wrong else None


def _instead(letter, value):
    return tuple(value if c == letter else b for c, b in zip("ABCD", RIGHT, strict=True))


FIRST_LOSS = Exercise(
    id="07.first-losses",
    title="the loss before the first step, for four other models",
    stub=stub("""
        # Every weight and bias is 0, but for what is said. The mean loss of an image, in nats?
        # A  100 pixels of four grey levels. The decoder has four outputs for each, and their
        #    softmax gives the four probabilities.
        # B  100 measurements, with mean 1 and variance 4 in the data; a Gaussian likelihood with
        #    logvar 0.
        # C  As B, but the output's bias is the data's mean, and logvar the log of its variance.
        # D  784 binary pixels and 20 latents; the bias of logvar's head is log 0.25.
        first_losses = ...    # (A, B, C, D)
    """),
    reference=RIGHT,
    judge=_judge,
    mistakes=(
        WrongAnswer(
            "A-two-levels",
            _instead("A", 100 * np.log(2)),
            "A: with four equal outputs each level has the probability 1/4.",
        ),
        WrongAnswer(
            "B-mean-forgotten",
            _instead("B", 100 * (4 + np.log(2 * np.pi)) / 2),
            "B: the decoder's mean is 0, and the squares about 0 are 4 + 1 on average.",
        ),
        WrongAnswer(
            "B-constant-forgotten",
            _instead("B", 250.0),
            "B: the density's log 2 pi / 2 for each measurement is missing.",
        ),
        WrongAnswer(
            "B-variance-one",
            _instead("B", 100 * (1 + np.log(2 * np.pi)) / 2),
            "B: the likelihood has the variance 1, but the data have 4 about a mean of 1.",
        ),
        WrongAnswer(
            "C-log-forgotten",
            _instead("C", 100 * (1 + np.log(2 * np.pi)) / 2),
            "C: the log of the variance, log 4, is a part of the nll.",
        ),
        WrongAnswer(
            "C-squares-not-divided",
            _instead("C", 100 * (4 + np.log(4) + np.log(2 * np.pi)) / 2),
            "C: the squares about the mean are divided by the variance, which leaves 1.",
        ),
        WrongAnswer(
            "D-kl-forgotten",
            _instead("D", 784 * np.log(2)),
            "D: q is not the prior, so the KL is not 0.",
        ),
        WrongAnswer(
            "D-one-latent",
            _instead("D", 784 * np.log(2) + (0.25 - 1 - np.log(0.25)) / 2),
            "D: each of the 20 latents has that KL.",
        ),
        WrongAnswer(
            "D-log-sigma",
            _instead("D", 784 * np.log(2) + 20 * (0.0625 - 1 - np.log(0.0625)) / 2),
            "D: exp(logvar) is the variance, 0.25, and not its root.",
        ),
    ),
    hints=(
        "What does the decoder say if all that it reads is multiplied by 0? What does that cost, "
        "on average over the data?",
        "B: the mean of (x - 0)^2 is the variance plus the square of the mean. D: notebook 03.",
        "100 log 4; 100 (5 + log 2 pi) / 2; 100 (1 + log 4 + log 2 pi) / 2; 784 log 2 + 20 KL, "
        "with the KL of a latent (0.25 - 1 - log 0.25) / 2.",
    ),
    solution_text=stub("""
        A = 100 * np.log(4)                                    # each level has probability 1/4
        B = 100 * (4 + 1**2 + 0 + np.log(2 * np.pi)) / 2       # the squares about 0
        C = 100 * (1 + np.log(4) + np.log(2 * np.pi)) / 2      # the squares about the mean, / 4
        D = 784 * np.log(2) + 20 * (0.25 - 1 - np.log(0.25)) / 2
        first_losses = (A, B, C, D)
    """),
)
