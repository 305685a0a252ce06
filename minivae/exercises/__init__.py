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

The modules, lowest first:

    exercise         what an exercise is, and the wrong answers that it recognises
    chapters/        the exercises and the questions of each notebook
    catalogue        all exercises, in the order of the notebooks
    questions        what a prediction and a recall question are, and all of them
    inspection       what can be found out about a function without running it
    capture          an answer as text, so that another session can run it
    execution        runs an answer safely, within a time limit
    compare          says in words how a result differs from the expected one
    cards            what the reader sees, as text and as HTML
    words            judges an answer that is a list of words
    store            the progress file
    grading          grades one answer
    reviews          when a question is asked again, and the review itself
    checker          check, hint, solution, use
    study            predict and reveal, recall, progress, starting an exercise again
    own_backend      the reader's answers as a backend: my_backend, poster
    bug_museum       the quiz about the planted mistakes: exhibits, museum
    submissions      for teachers: a folder of notebooks is graded
    workbook         the reader's own copies of the notebooks, and their updates
"""

from minivae.exercises.bug_museum import exhibits, museum
from minivae.exercises.checker import check, hint, solution, use
from minivae.exercises.own_backend import my_backend, poster
from minivae.exercises.reviews import review, review_session
from minivae.exercises.study import (
    forget,
    predict,
    progress,
    recall,
    report,
    reveal,
    summary,
)

__all__ = [
    "check",
    "exhibits",
    "forget",
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
