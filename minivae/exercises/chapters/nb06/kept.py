"""Keeps what a slow judge says of the answers that it knows, which is the same each time."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minivae.exercises.exercise import Answer, Exercise


def kept(observe: Callable[..., Any], exercise: Callable[[], Exercise]) -> Callable[..., Any]:
    """`observe`, which looks only once at the reference and at each of the listed wrong answers.

    exercise(): the exercise that it belongs to. Its cases must be the same each time, and differ in
    the names of their functions or the shapes of their arrays.
    """
    known: dict[tuple, Any] = {}

    def observed(answer: Answer, *args: Any) -> Any:
        its = exercise()
        if answer is not its.reference and all(answer is not m.wrong for m in its.mistakes):
            return observe(answer, *args)
        key = (answer, *(getattr(a, "__name__", np.shape(a)) for a in args))
        if key not in known:
            known[key] = observe(answer, *args)
        return known[key]

    return observed
