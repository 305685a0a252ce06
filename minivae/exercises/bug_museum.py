"""The bug museum: a symptom is shown, name the mistake behind it. Its exhibits: `mistakes.py`."""

import numpy as np

from minivae import mistakes
from minivae.exercises.questions import LETTERS

CHOICES = 3


def exhibits():
    """Every mistake as plain data, for `museum --json`."""
    listed = [
        {
            "name": m.name,
            "where": m.target,
            "symptom": m.symptom,
            "mistake": m.sentence,
            "caught_by": m.witness,
        }
        for m in mistakes.MISTAKES
    ]
    return {"exhibits": listed}


def museum(ask=input, say=print, rng=None):
    """Walk through the museum: `python -m minivae museum`. An empty answer or the end leaves it.

    Returns (right, asked).
    """
    rng = np.random.default_rng() if rng is None else rng
    order = rng.permutation(len(mistakes.MISTAKES))
    say(f"The bug museum: {len(order)} mistakes that people make. Name each from its symptom.")
    say("Answer a, b or c; an empty line leaves.")
    right = asked = 0
    for i in order:
        mistake = mistakes.MISTAKES[i]
        choices = _choices(mistake, rng)
        say(_question(mistake, choices))
        answer = _answer(ask, say)
        if answer is None:
            break
        asked += 1
        known = choices[LETTERS.index(answer)] is mistake
        right += known
        say(_explanation(mistake, known))
    say(f"\n{right} of {asked} named")
    return right, asked


def _choices(mistake, rng):
    """The mistake and two others with other symptoms, of the same module if there are enough."""
    others = [m for m in mistakes.MISTAKES if m.symptom != mistake.symptom]
    near = [m for m in others if m.module == mistake.module]
    picked = [near[i] for i in rng.choice(len(near), CHOICES - 1, replace=False)]
    picked.insert(rng.integers(CHOICES), mistake)
    return picked


def _question(mistake, choices):
    lines = ["", f"A gradient check of the whole VAE says: {mistake.symptom}"]
    if mistake.witness != mistakes.GRADIENT:
        lines.append(f"It is caught by {mistake.witness.split('.')[1]}.")
    lines += [f"  {letter}  {m.sentence}" for letter, m in zip(LETTERS, choices, strict=True)]
    return "\n".join(lines)


def _answer(ask, say):
    """One of the letters, or None to leave."""
    while True:
        try:
            answer = ask("which? ").strip().lower()
        except EOFError:
            return None
        if not answer:
            return None
        if answer in LETTERS:
            return answer
        say("a, b or c; an empty line leaves")


def _explanation(mistake, known):
    lines = ["Yes." if known else f"No: {mistake.sentence}"]
    lines.append(f"In {mistake.target} ({mistake.name}):")
    for edit in mistake.edits:
        lines += [f"    - {line.strip()}" for line in edit.right.splitlines() if line.strip()]
        lines += [f"    + {line.strip()}" for line in edit.wrong.splitlines() if line.strip()]
    return "\n".join(lines)
