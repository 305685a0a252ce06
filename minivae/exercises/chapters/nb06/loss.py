"""What a line of code minimises: the beta that sums and means bring in."""

from minivae.exercises.exercise import Exercise, WrongAnswer, stub
from minivae.exercises.words import changed, judge_words

WEIGHTS = ("beta", "beta * B", "beta / B", "beta * L", "beta / L", "beta * D", "beta / D", "none")
RIGHT = ("beta", "beta / L", "beta * D", "beta * B", "beta / D", "none")


LOSS = Exercise(
    id="06.loss",
    title="which beta do these lines train with?",
    stub=stub("""
        # nll is (B, D), a share for each pixel; kl is (B, L).
        # 1. nll.sum() + beta * kl.sum()
        # 2. nll.sum(axis=1).mean() + beta * kl.mean()
        # 3. nll.mean() + beta * kl.sum(axis=1).mean()
        # 4. nll.sum(axis=1).mean() + beta * kl.sum()
        # 5. nll.sum() / B + beta * kl.sum() / (B * D)
        # 6. nll.sum(axis=1).mean() + beta * kl.sum(axis=1).max()
        weights = ...    # six strings
    """),
    reference=RIGHT,
    judge=judge_words(WEIGHTS, RIGHT),
    mistakes=(
        WrongAnswer(
            "both-sums",
            changed(RIGHT, {1: "beta * B"}),
            "1: both terms are B times those of eq. (2). A factor on the whole loss moves no "
            "minimum, so what counts is how the two compare.",
        ),
        WrongAnswer(
            "mean-over-latents",
            changed(RIGHT, {2: "beta"}),
            "2: kl.mean() also divides by the number of latents.",
        ),
        WrongAnswer(
            "mean-over-latents-turned",
            changed(RIGHT, {2: "beta * L"}),
            "2: the kl is L times too small, so beta is too.",
        ),
        WrongAnswer(
            "mean-over-pixels",
            changed(RIGHT, {3: "beta / D"}),
            "3: the nll is D times too small. Multiply the whole line by D: what stands before "
            "the kl then?",
        ),
        WrongAnswer(
            "sum-over-batch",
            changed(RIGHT, {4: "beta"}),
            "4: the nll is a mean over the batch, and the kl is a sum over it.",
        ),
        WrongAnswer(
            "pixels-in-the-kl",
            changed(RIGHT, {5: "beta * D"}),
            "5: here the kl is the one that is divided by D.",
        ),
        WrongAnswer(
            "the-largest",
            changed(RIGHT, {6: "beta"}),
            "6: the largest kl of the batch is not the mean times a number that depends on B, L "
            "and D alone.",
        ),
    ),
    hints=(
        "By which factor does each of the two terms differ from its term in eq. (2)?",
        "Divide the line by the nll's factor. What stands before the kl of eq. (2) is the beta.",
        "The factors of nll and kl: B and B; 1 and 1/L; 1/D and 1; 1 and B; 1 and 1/D. In line 6 "
        "the second is no factor.",
    ),
    solution_text=stub("""
        weights = (
            "beta",        # 1: B times eq. (2), and a factor moves no minimum
            "beta / L",    # 2: mean over latents in the kl
            "beta * D",    # 3: the line times D
            "beta * B",    # 4: sum over the batch in the kl
            "beta / D",    # 5
            "none",        # 6: the largest kl is not a mean times a number
        )
    """),
)
