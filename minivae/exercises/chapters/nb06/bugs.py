"""Mistakes to be named from what a gradient check says."""

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# letter: the mistake planted there; the notebook shows what a check says
PATIENTS = {
    "A": "dense-input-gradient-before-activation",
    "B": "reparam-variance-as-sigma-forward",
    "C": "elbo-kl-path-to-logvar-lost",
    "D": "kl-gradient-sign",
}
SUSPECTS = (
    "dense-weight-gradient-averaged",
    "dense-input-gradient-before-activation",
    "reparam-dmu-lost",
    "reparam-eps-lost",
    "reparam-variance-as-sigma-forward",
    "elbo-kl-path-to-logvar-lost",
    "kl-gradient-sign",
    "bernoulli-gradient-of-logits",
)
RIGHT = tuple(PATIENTS.values())


def _judge_names(answer):
    if isinstance(answer, dict):
        answer = tuple(answer.get(letter) for letter in PATIENTS)
    if not isinstance(answer, list | tuple) or len(answer) != len(RIGHT):
        return "expected four names, in the order A, B, C, D"
    for name in answer:
        if not isinstance(name, str) or name not in SUSPECTS:
            return f"{name!r} is not one of the eight names"
    wrong = [letter for letter, a, b in zip(PATIENTS, answer, RIGHT, strict=True) if a != b]
    return f"not yet right: {', '.join(wrong)}" if wrong else None


def _instead(letter, name):
    return tuple((PATIENTS | {letter: name}).values())


NAME_THE_BUG = Exercise(
    id="06.name-the-bug",
    title="from the report to the mistake, four times",
    stub=stub("""
        # "dense-weight-gradient-averaged", "dense-input-gradient-before-activation",
        # "reparam-dmu-lost", "reparam-eps-lost", "reparam-variance-as-sigma-forward",
        # "elbo-kl-path-to-logvar-lost", "kl-gradient-sign" or "bernoulli-gradient-of-logits";
        # in the order A, B, C, D
        names = ...
    """),
    reference=RIGHT,
    judge=_judge_names,
    mistakes=(
        WrongAnswer(
            "A-logits",
            _instead("A", "bernoulli-gradient-of-logits"),
            "A: with the wrong gradient of the logits, out would be wrong too; here it is right.",
        ),
        WrongAnswer(
            "A-averaged",
            _instead("A", "dense-weight-gradient-averaged"),
            "A: averaged weight gradients are wrong by a constant, in weights only.",
        ),
        WrongAnswer(
            "B-eps",
            _instead("B", "reparam-eps-lost"),
            "B: without its eps, dlogvar would have no constant ratio at beta = 0; here it has.",
        ),
        WrongAnswer(
            "B-mu",
            _instead("B", "reparam-dmu-lost"),
            "B: mu's head is right.",
        ),
        WrongAnswer(
            "C-eps",
            _instead("C", "reparam-eps-lost"),
            "C: at beta = 0 all is right, so the mistake is in a term of the KL.",
        ),
        WrongAnswer(
            "D-mu",
            _instead("D", "reparam-dmu-lost"),
            "D: with dmu lost on the way through z, logvar's head would be right.",
        ),
        WrongAnswer(
            "D-before-activation",
            _instead("D", "dense-input-gradient-before-activation"),
            "D: at beta = 0 all is right, so the mistake is in a term of the KL.",
        ),
    ),
    hints=(
        "Which is the first wrong block on the way back? Which line is just before it?",
        "At beta = 0 the KL is gone: what is right there, and what has a ratio now?",
        "A: dec1 is right, all before it wrong. B: exactly half at beta = 0. C and D: "
        "right at beta = 0; C spoils one head, D both.",
    ),
    solution_text=stub("""
        names = (
            "dense-input-gradient-before-activation",    # A: a layer right, its dx wrong
            "reparam-variance-as-sigma-forward",         # B: d/dlogvar exp(logvar) has no half
            "elbo-kl-path-to-logvar-lost",               # C: logvar's head only, right at beta = 0
            "kl-gradient-sign",                          # D: both heads, right at beta = 0
        )
    """),
)
