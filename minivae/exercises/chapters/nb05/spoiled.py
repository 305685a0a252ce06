"""Which entries does a mistake spoil?"""

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

RIGHT = ([[True, False], [False, True]], [[False, True], [True, True]], [True, True])
NAMES = ("da", "dW", "db")
SHAPES = ("two rows of two", "two rows of two", "two entries")


def _as_lists(part):
    """An array, or nested tuples, as nested lists."""
    part = part.tolist() if hasattr(part, "tolist") else part
    return [_as_lists(p) for p in part] if isinstance(part, list | tuple) else part


def _has_shape(part, like):
    if not isinstance(like, list):
        return isinstance(part, int | float) and part in (0, 1)  # 1 for True is plain enough
    return (
        isinstance(part, list)
        and len(part) == len(like)
        and all(map(_has_shape, part, like))
    )  # fmt: skip


def _judge(answer):
    if isinstance(answer, dict):
        answer = [answer.get(name) for name in NAMES]
    parts = _as_lists(answer)
    if not isinstance(parts, list) or len(parts) != 3:
        return "expected three parts: da, dW, db"
    wrong = []
    for name, part, right, shape in zip(NAMES, parts, RIGHT, SHAPES, strict=True):
        if not _has_shape(part, right):
            return f"{name} must be {shape}, each True or False"
        if part != right:
            wrong.append(name)
    return f"not yet right: {', '.join(wrong)}" if wrong else None


SPOILED = Exercise(
    id="05.spoiled",
    title="predict which entries a planted mistake spoils",
    stub=stub("""
        # x = [[0, 2],      y = [[0, 4],      no entry of dy is 0
        #      [1, 3]]           [2, 0]]
        # da and dW: two rows of two, such as [[True, False], [True, False]]; in dW row i belongs to
        # input i and column o to output o. db: two entries, such as [True, False].
        spoiled_entries = ...    # (da, dW, db)
    """),
    reference=RIGHT,
    judge=_judge,
    mistakes=(
        WrongAnswer(
            "all-of-dW",
            ([[True, False], [False, True]], [[True, True], [True, True]], [True, True]),
            "One entry of dW is right: a wrong da is multiplied by an x that is 0.",
        ),
        WrongAnswer(
            "inverted",
            ([[False, True], [True, False]], [[True, False], [True, True]], [True, True]),
            "relu's derivative is 1 where y > 0: there da = dy is right.",
        ),
        WrongAnswer(
            "same-places",
            ([[True, False], [False, True]], [[True, False], [False, True]], [True, True]),
            "dW has other axes than da: entry (i, o) is the sum over examples of x[n, i] da[n, o].",
        ),
        WrongAnswer(
            "db-untouched",
            ([[True, False], [False, True]], [[False, True], [True, True]], [False, False]),
            "db sums each column of da, and each column has a wrong entry.",
        ),
        WrongAnswer(
            "everything",
            ([[True, True], [True, True]], [[True, True], [True, True]], [True, True]),
            "Where y > 0, relu's derivative is 1, and forgetting it changes nothing.",
        ),
    ),
    hints=(
        "Where is relu's derivative not 1? There da is wrong, and nowhere else.",
        "dW[i, o] is the sum over examples n of x[n, i] * da[n, o]. Which x is 0?",
        "da is wrong at (0, 0) and (1, 1). The first reaches dW[0, 0] with x = 0, dW[1, 0] with 2.",
    ),
    solution_text=stub("""
        spoiled_entries = (
            [[True, False], [False, True]],    # da: where y is 0, it should be 0 and is dy
            [[False, True], [True, True]],     # dW: of da[0, 0], x[0, 0] = 0 keeps dW[0, 0] right
            [True, True],                      # db: each column of da has a wrong entry
        )
    """),
)
