"""The questions of the notebooks: predictions, and recall questions about earlier notebooks.

A prediction asks about a point where learners often go wrong, before the cell that shows the
answer. Each notebook from 02 on opens with three recall questions about earlier notebooks. The
questions themselves are in `chapters/nbNN/questions.py`.
"""

import functools
from typing import NamedTuple

from minivae.exercises.catalogue import chapter_modules

LETTERS = ("a", "b", "c")


class Prediction(NamedTuple):
    """A question to answer before the cell that shows it.

    truth: one of the options, or None where only the notebook computes it.
    """

    id: str
    question: str
    options: tuple[str, ...]
    truth: str | None
    why: str


class Recall(NamedTuple):
    """A question about an earlier notebook.

    id: "04.r2" is the second of the three that open notebook 04.
    source: the notebook that answers it.
    options: as they are shown; vary the place of the right one, so that no letter is a safe guess.
    right: the letter of the right option.
    """

    id: str
    source: str
    question: str
    options: tuple[str, str, str]
    right: str
    why: str


@functools.cache
def predictions() -> dict[str, Prediction]:
    """{id: Prediction}, in the order of the notebooks."""
    return {p.id: p for module in chapter_modules("questions") for p in module.PREDICTIONS}


@functools.cache
def recall_questions() -> dict[str, Recall]:
    """{id: Recall}, in the order of the notebooks."""
    return {q.id: q for module in chapter_modules("questions") for q in module.RECALL}


def recall_of(notebook: str) -> list[Recall]:
    """The three questions that open a notebook, or none."""
    return [q for q in recall_questions().values() if q.id.startswith(f"{notebook}.")]


def question(id: str) -> Prediction | Recall | None:
    """The prediction or recall question with this id, or None."""
    return predictions().get(id) or recall_questions().get(id)
