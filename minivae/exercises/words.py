"""Exercises whose answer is a list of words."""

from collections.abc import Callable, Sequence

import numpy as np


def judge_words(words: Sequence[str], right: Sequence[str]) -> Callable[[object], str | None]:
    """A judge of a list as long as `right`, of some of these words: None, or what is wrong."""

    def judge(answer: object) -> str | None:
        answer = answer.tolist() if isinstance(answer, np.ndarray) else answer
        if not isinstance(answer, list | tuple) or len(answer) != len(right):
            return f"expected a list of {len(right)} words"
        strange = [a for a in answer if not isinstance(a, str) or a not in words]
        if strange:
            return f"{strange[0]!r} is not one of {', '.join(map(repr, words))}"
        # How many are wrong is not told: with that, they could be found one word at a time.
        return None if list(answer) == list(right) else f"not all {len(right)} are right"

    return judge


def changed(right: Sequence[str], changes: dict[int, str]) -> list[str]:
    """The right answers but for these, {number as in the notebook: answer}."""
    return [changes.get(i, word) for i, word in enumerate(right, start=1)]
