"""The KL's weight, where it is set by accident."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 07.weights ----------------------------------------------------------------------------------

RIGHT = (1.0, 784 / 20, 784.0, 1 / 20)


def _judge_weights(answer):
    if isinstance(answer, dict):
        answer = [answer.get(letter) for letter in "ABCD"]
    try:
        given = np.asarray(answer, float)
    except (TypeError, ValueError):
        return "expected four numbers, in the order of the losses"
    if given.shape != (4,):
        return "expected four numbers, in the order of the losses"
    with np.errstate(all="ignore"):
        wrong = [
            c for c, a, b in zip("ABCD", given, RIGHT, strict=True) if not abs(a / b - 1) < 0.01
        ]
    return f"not yet right: {', '.join(wrong)}" if wrong else None


def _instead(letter, value):
    return tuple(value if c == letter else b for c, b in zip("ABCD", RIGHT, strict=True))


WEIGHTS = Exercise(
    id="07.weights",
    title="which beta do these losses have?",
    stub=stub("""
        # nll_px (B, 784): each pixel's nll; kl_z (B, 20): each latent's KL. Four losses, as they
        # are found in public code. Each is a constant times nll + beta kl, both of them in nats
        # per image. Which beta?
        #   A  nll_px.sum() + kl_z.sum()
        #   B  nll_px.mean() + kl_z.mean()
        #   C  nll_px.mean() + kl_z.sum(axis=1).mean()
        #   D  nll_px.sum(axis=1).mean() + kl_z.mean()
        betas = ...
    """),
    reference=RIGHT,
    judge=_judge_weights,
    mistakes=(
        WrongAnswer(
            "all-one",
            (1, 1, 1, 1),
            "Only A divides both terms by the same number, as nothing is divided.",
        ),
        WrongAnswer(
            "A-batch",
            _instead("A", 784 / 20),
            "A: nothing is divided by 784 or by 20; the batch size is a factor of both terms.",
        ),
        WrongAnswer(
            "B-one",
            _instead("B", 1),
            "B: nll_px.mean() is nll / 784, and kl_z.mean() is kl / 20.",
        ),
        WrongAnswer(
            "B-upside-down",
            _instead("B", 20 / 784),
            "B: nll / 784 + kl / 20 = (nll + beta kl) / 784; multiply both terms by 784.",
        ),
        WrongAnswer(
            "C-latents",
            _instead("C", 784 / 20),
            "C: the KL is summed over the latents, so that nothing is divided by 20.",
        ),
        WrongAnswer(
            "C-upside-down",
            _instead("C", 1 / 784),
            "C: it is the nll that is divided by 784, which makes the KL count more.",
        ),
        WrongAnswer(
            "D-upside-down",
            _instead("D", 20),
            "D: it is the KL that is divided by 20, which makes it count less.",
        ),
        WrongAnswer(
            "D-pixels",
            _instead("D", 784 / 20),
            "D: the nll is summed over the pixels, so that nothing is divided by 784.",
        ),
    ),
    hints=(
        "Write each loss with nll and kl, in nats per image: what is each of them divided by?",
        "The batch size does the same to both terms in all four. Then factor out what stands "
        "before nll.",
        "B is nll / 784 + kl / 20. C divides only the nll, D only the KL.",
    ),
    solution_text=stub("""
        betas = (1, 784 / 20, 784, 1 / 20)
        # A: B (nll + kl). B: nll / 784 + kl / 20 = (nll + 784 / 20 kl) / 784.
        # C: nll / 784 + kl = (nll + 784 kl) / 784. D: nll + kl / 20.
    """),
)
