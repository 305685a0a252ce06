"""What variational means, and what amortized."""

from minivae.exercises.exercise import Exercise, WrongAnswer, stub
from minivae.exercises.words import changed, judge_words

WORDS = ("variational", "amortized", "both", "neither")
RIGHT = ("neither", "both", "variational", "amortized", "neither")


WHICH_INFERENCE = Exercise(
    id="06.which-inference",
    title="variational, amortized, both or neither",
    stub=stub("""
        # 1. A grid: p(x|z) p(z) at each of its points, divided by their sum.
        # 2. An encoder trained on the ELBO, then twenty steps up each image's ELBO from there.
        # 3. A table with a mu and a logvar for each training image, all of it raised on the ELBO.
        # 4. Draw pairs (z, x) from the model, and train a network to raise log q(z|x) on them.
        # 5. For each image: accept or reject steps of z, with p(x|z) p(z) (Metropolis).
        inference = ...    # five words
    """),
    reference=RIGHT,
    judge=judge_words(WORDS, RIGHT),
    mistakes=(
        WrongAnswer(
            "grid-variational",
            changed(RIGHT, {1: "variational"}),
            "1: no q is varied. The grid computes the posterior itself.",
        ),
        WrongAnswer(
            "steps-variational",
            changed(RIGHT, {2: "variational"}),
            "2: it starts from what one network gives for any image, so it is amortized too.",
        ),
        WrongAnswer(
            "steps-amortized",
            changed(RIGHT, {2: "amortized"}),
            "2: the twenty steps, like the encoder's training, raise the ELBO over q.",
        ),
        WrongAnswer(
            "table-both",
            changed(RIGHT, {3: "both"}),
            "3: for an image that is not in the table, it has no q: nothing is shared.",
        ),
        WrongAnswer(
            "pairs-both",
            changed(RIGHT, {4: "both"}),
            "4: one network gives q for any image, but what is raised is log q of pairs drawn from "
            "the model, not the ELBO.",
        ),
        WrongAnswer(
            "samples-variational",
            changed(RIGHT, {5: "variational"}),
            "5: it draws from the posterior, and has neither a q nor an ELBO.",
        ),
    ),
    hints=(
        "Ask two things of each: what is raised, and what would it do with a new image?",
        "Two have no q that is fitted. Two have a network, one of them with another objective.",
        "1 and 5 fit no q. 2 has the encoder and climbs the ELBO. 3 has no network. 4 has one, and "
        "does not use the ELBO.",
    ),
    solution_text=stub("""
        inference = (
            "neither",        # 1: the posterior itself, on a grid
            "both",           # 2: an encoder, improved by a search of its own
            "variational",    # 3: the ELBO, but a q of its own for each image
            "amortized",      # 4: a network, but another objective than the ELBO
            "neither",        # 5: draws, and no q
        )
    """),
)
