"""The bug museum: a quiz about the planted mistakes. A symptom is shown, and the reader names the
mistake behind it."""

from collections.abc import Callable

import numpy as np

from minivae import mistakes
from minivae.exercises.questions import LETTERS
from minivae.mistakes import Mistake

CHOICES = 3


def exhibits() -> dict[str, list[dict[str, str]]]:
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


def museum(
    ask: Callable[[str], str] = input,
    say: Callable[[str], object] = print,
    rng: np.random.Generator | None = None,
) -> tuple[int, int]:
    """Run the quiz, `python -m minivae museum` -> (right answers, questions answered).

    An empty answer or the end of the input stops it. ask and say: how to read and print; rng: draws
    the order of the questions.
    """
    rng = np.random.default_rng() if rng is None else rng
    order = rng.permutation(len(mistakes.MISTAKES))
    say(f"The bug museum: {len(order)} mistakes that people make. Name each from its symptom.")
    say("Answer a, b or c; an empty line quits.")
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


def _choices(mistake: Mistake, rng: np.random.Generator) -> list[Mistake]:
    """The mistake and two others of the same module with other symptoms, in random order."""
    others = [m for m in mistakes.MISTAKES if m.symptom != mistake.symptom]
    near = [m for m in others if m.module == mistake.module]
    picked = [near[i] for i in rng.choice(len(near), CHOICES - 1, replace=False)]
    picked.insert(int(rng.integers(CHOICES)), mistake)
    return picked


def _question(mistake: Mistake, choices: list[Mistake]) -> str:
    lines = ["", f"A gradient check of the whole VAE says: {mistake.symptom}"]
    if mistake.witness != mistakes.GRADIENT:
        lines.append(f"It is caught by {mistake.witness}.")
    lines += [f"  {letter}  {m.sentence}" for letter, m in zip(LETTERS, choices, strict=True)]
    return "\n".join(lines)


def _answer(ask: Callable[[str], str], say: Callable[[str], object]) -> str | None:
    """One of the letters, or None if the reader quits."""
    while True:
        try:
            answer = ask("which? ").strip().lower()
        except EOFError:
            return None
        if not answer:
            return None
        if answer in LETTERS:
            return answer
        say("a, b or c; an empty line quits")


def _explanation(mistake: Mistake, known: bool) -> str:
    lines = ["Yes." if known else f"No: {mistake.sentence}"]
    lines.append(f"In {mistake.target} ({mistake.name}):")
    for edit in mistake.edits:
        lines += [f"    - {line.strip()}" for line in edit.right.splitlines() if line.strip()]
        lines += [f"    + {line.strip()}" for line in edit.wrong.splitlines() if line.strip()]
    return "\n".join(lines)
