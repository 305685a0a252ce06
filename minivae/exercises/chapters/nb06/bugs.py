"""Mistakes to be named from what a gradient check says, and the question to ask next."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub
from minivae.exercises.words import changed, judge_words

# ---- 06.name-the-bug -----------------------------------------------------------------------------

SUSPECTS = {  # as the notebook words them: the planted mistake
    "dW-over-B": "dense-weight-gradient-averaged",
    "dx-before-tanh": "dense-input-gradient-before-activation",
    "dmu-without-dz": "reparam-dmu-lost",
    "dlogvar-without-eps": "reparam-eps-lost",
    "variance-as-sigma": "reparam-variance-as-sigma-forward",
    "dlogvar-without-KL": "elbo-kl-path-to-logvar-lost",
    "KL-sign": "kl-gradient-sign",
    "dout-without-sigmoid": "bernoulli-gradient-of-logits",
}
RIGHT = {
    "A": "dx-before-tanh",
    "B": "variance-as-sigma",
    "C": "dlogvar-without-KL",
    "D": "KL-sign",
}


def patient(letter: str) -> str:
    """The mistake planted in patient A, B, C or D; the notebook shows what a check says."""
    return SUSPECTS[RIGHT[letter]]


def _judge_names(answer):
    if isinstance(answer, dict):
        answer = tuple(answer.get(letter) for letter in RIGHT)
    elif isinstance(answer, np.ndarray):
        answer = answer.tolist()
    if not isinstance(answer, list | tuple) or len(answer) != len(RIGHT):
        return "expected four names, in the order A, B, C, D"
    for name in answer:
        if not isinstance(name, str) or name not in SUSPECTS:
            return f"{name!r} is not one of the eight names"
    pairs = zip(RIGHT, answer, RIGHT.values(), strict=True)
    wrong = [letter for letter, a, b in pairs if a != b]
    return f"not yet right: {', '.join(wrong)}" if wrong else None


def _instead(letter, name):
    return tuple((RIGHT | {letter: name}).values())


NAME_THE_BUG = Exercise(
    id="06.name-the-bug",
    title="from the report to the mistake, four times",
    stub=stub("""
        # "dW-over-B": weight gradients divided by B once more.  "dx-before-tanh": a layer's dx from
        # dy, before tanh's derivative is multiplied in.  "dmu-without-dz".  "dlogvar-without-eps".
        # "variance-as-sigma": z = mu + exp(logvar) eps; backward through z, dz eps exp(logvar) / 2.
        # "dlogvar-without-KL".  "KL-sign": the KL's gradient has the wrong sign.
        # "dout-without-sigmoid": logits - x.
        names = ...    # in the order A, B, C, D
    """),
    reference=tuple(RIGHT.values()),
    judge=_judge_names,
    mistakes=(
        WrongAnswer(
            "A-logits",
            _instead("A", "dout-without-sigmoid"),
            "A: with the wrong gradient of the logits, out would be wrong too; here it is right.",
        ),
        WrongAnswer(
            "A-averaged",
            _instead("A", "dW-over-B"),
            "A: averaged weight gradients are wrong by a constant, in weights only.",
        ),
        WrongAnswer(
            "B-eps",
            _instead("B", "dlogvar-without-eps"),
            "B: without its eps, dlogvar would have no constant ratio at beta = 0; here it has.",
        ),
        WrongAnswer(
            "B-mu",
            _instead("B", "dmu-without-dz"),
            "B: mu's head is right.",
        ),
        WrongAnswer(
            "C-eps",
            _instead("C", "dlogvar-without-eps"),
            "C: at beta = 0 all is right, so the mistake is in a term of the KL.",
        ),
        WrongAnswer(
            "C-sign",
            _instead("C", "KL-sign"),
            "C: with the KL's sign wrong, mu's head would be wrong too.",
        ),
        WrongAnswer(
            "D-mu",
            _instead("D", "dmu-without-dz"),
            "D: with dmu lost on the way through z, logvar's head would be right.",
        ),
        WrongAnswer(
            "D-before-activation",
            _instead("D", "dx-before-tanh"),
            "D: at beta = 0 all is right, so the mistake is in a term of the KL.",
        ),
    ),
    hints=(
        "Which is the first wrong block on the way back? Which line is just before it?",
        "At beta = 0 the KL is gone: what is right there, and what has a ratio now?",
        "A: dec1 is right, all before it wrong. B: exactly half at beta = 0; which line has "
        "a half where its forward pass asks for none? C and D: "
        "right at beta = 0; C spoils one head, D both.",
    ),
    solution_text=stub("""
        names = (
            "dx-before-tanh",        # A: a layer right, its dx wrong
            "variance-as-sigma",     # B: dz/dlogvar is exp(logvar) eps, without a half
            "dlogvar-without-KL",    # C: logvar's head only, right at beta = 0
            "KL-sign",               # D: both heads, right at beta = 0
        )
    """),
)

# ---- 06.next-question ----------------------------------------------------------------------------

PAIRS = (  # the two mistakes of each pair, and the question that tells them apart
    ("kl-gradient-sign", "elbo-heads-swapped", "beta = 0"),
    ("reparam-eps-lost", "reparam-fresh-noise", "twice"),
    ("elbo-kl-summed-over-batch", "kl-gradient-sign", "B = 1"),
    ("kl-gradient-half-lost", "kl-gradient-one-lost", "none"),
)
ASKED = tuple(question for _, _, question in PAIRS)
QUESTIONS = ("beta = 0", "B = 1", "twice", "none")


NEXT_QUESTION = Exercise(
    id="06.next-question",
    title="which question tells two mistakes apart",
    stub=stub("""
        # 1. The KL's gradient has the wrong sign, or the gradients of the two heads are swapped.
        # 2. dlogvar lacks its eps, or has an eps of its own, drawn in the backward pass.
        # 3. The loss has the sum of the KL over the batch and the gradient its mean, or the KL's
        #    gradient has the wrong sign.
        # 4. In the KL's dlogvar, (sigma^2 - 1) / 2, the half is lost, or the 1 is lost.
        questions = ...    # four strings
    """),
    reference=ASKED,
    judge=judge_words(QUESTIONS, ASKED),
    mistakes=(
        WrongAnswer(
            "swapped-by-B",
            changed(ASKED, {1: "B = 1"}),
            "1: neither of the two depends on how many images there are.",
        ),
        WrongAnswer(
            "noise-by-beta",
            changed(ASKED, {2: "beta = 0"}),
            "2: both are in the term through z, which does not contain beta: it stays wrong at "
            "beta = 0.",
        ),
        WrongAnswer(
            "noise-by-none",
            changed(ASKED, {2: "none"}),
            "2: one of the two backward passes uses fresh noise. What does it give the next time?",
        ),
        WrongAnswer(
            "sum-by-beta",
            changed(ASKED, {3: "beta = 0"}),
            "3: both are in the KL's terms, so at beta = 0 all is right with either.",
        ),
        WrongAnswer(
            "half-by-beta",
            changed(ASKED, {4: "beta = 0"}),
            "4: both are in the KL's terms, so at beta = 0 all is right with either.",
        ),
        WrongAnswer(
            "half-by-B",
            changed(ASKED, {4: "B = 1"}),
            "4: with one image the term through z is still in logvar's head, so no ratio shows.",
        ),
    ),
    hints=(
        "For each question: would the report of the one mistake change, and that of the other?",
        "beta = 0 takes the KL's terms out, B = 1 makes a sum and a mean the same, and what is "
        "asked twice with the same eps shows noise of its own.",
        "Three of the four answers are different questions, and for one pair none of them helps: "
        "where both mistakes are in the same KL term, and neither in its B.",
    ),
    solution_text=stub("""
        questions = (
            "beta = 0",    # only the KL's gradient is right then
            "twice",       # only noise of its own gives another gradient
            "B = 1",       # a sum and a mean over one image are the same; the sign stays wrong
            "none",        # at beta = 0 both right, at B = 1 both wrong without a ratio
        )
    """),
)
