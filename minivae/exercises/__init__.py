"""Exercises that recognise what is wrong with an answer.

    check("03.kl", gaussian_kl)     is it right? If not: the smallest failing input
    hint("03.kl")                   three hints, from a nudge to almost the answer
    solution("03.kl")               the reference
    use("03.kl", gaussian_kl)       your function once it passes, else the reference
    predict("03.direction", ...)    before the cell that shows it; reveal("03.direction") after it
    recall("03", ..., ..., ...)     three questions about earlier notebooks
    progress(), review()            what is done, what comes next, what is due again
    my_backend()                    your functions as a backend that trains a model; poster(...)

`check` never raises. What you did is kept in one small file.

Where to find what: `exercise.py` says what an exercise is, `chapters/` holds them, `grading.py`
grades an answer (`execution.py` runs it, `compare.py` says how it differs), `store.py` keeps the
progress, `study.py` asks the questions.
"""

from minivae.exercises.bug_museum import exhibits, museum
from minivae.exercises.checker import check, hint, solution, use
from minivae.exercises.own_backend import my_backend, poster
from minivae.exercises.study import (
    predict,
    progress,
    recall,
    report,
    reveal,
    review,
    review_session,
    summary,
)

__all__ = [
    "check",
    "exhibits",
    "hint",
    "museum",
    "my_backend",
    "poster",
    "predict",
    "progress",
    "recall",
    "report",
    "reveal",
    "review",
    "review_session",
    "solution",
    "summary",
    "use",
]
