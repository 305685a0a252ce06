"""What variational means, and what amortized."""

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

WORDS = ("variational", "amortized", "both", "neither")
RIGHT = ("neither", "both", "variational", "amortized", "neither")


def _judge(answer):
    if not isinstance(answer, list | tuple) or len(answer) != len(RIGHT):
        return "expected five words, one for each"
    for word in answer:
        if not isinstance(word, str) or word not in WORDS:
            return f'{word!r} is not one of "variational", "amortized", "both" and "neither"'
    wrong = [str(i) for i, (a, b) in enumerate(zip(answer, RIGHT, strict=True), start=1) if a != b]
    return f"not yet right: {', '.join(wrong)}" if wrong else None


def _instead(number, word):
    return (*RIGHT[: number - 1], word, *RIGHT[number:])


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
    judge=_judge,
    mistakes=(
        WrongAnswer(
            "grid-variational",
            _instead(1, "variational"),
            "1: no q is varied. The grid computes the posterior itself.",
        ),
        WrongAnswer(
            "steps-variational",
            _instead(2, "variational"),
            "2: it starts from what one network gives for any image, so it is amortized too.",
        ),
        WrongAnswer(
            "steps-amortized",
            _instead(2, "amortized"),
            "2: the twenty steps, like the encoder's training, raise the ELBO over q.",
        ),
        WrongAnswer(
            "table-both",
            _instead(3, "both"),
            "3: for an image that is not in the table, it has no q: nothing is shared.",
        ),
        WrongAnswer(
            "pairs-both",
            _instead(4, "both"),
            "4: one network gives q for any image, but what is raised is log q of pairs drawn from "
            "the model, not the ELBO.",
        ),
        WrongAnswer(
            "samples-variational",
            _instead(5, "variational"),
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
