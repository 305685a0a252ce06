"""A dense layer and its backward pass."""

import numpy as np

from minivae.exercises.exercise import (
    Exercise,
    WrongAnswer,
    generic,
    planted,
    planted_in_words,
    stub,
)

# ---- 05.dense: mend a line that is right for other shapes ----------------------------------------


def other_library(x, W, b):  # (N, I), (I, O), (O,) -> (N, O)
    return W @ x + b


def my_dense(x, W, b):
    """a = x W + b                                                  [notebook 05, eq. 1]"""
    return x @ W + b


def _dense_cases():
    rng = np.random.default_rng(5)
    return [
        (np.array([[1.7]]), np.array([[0.5]]), np.array([0.3])),
        (generic(rng, 4, 3), generic(rng, 3, 2), generic(rng, 2)),
        (generic(rng, 2, 3), generic(rng, 3, 3), generic(rng, 3)),
    ]


def _package_dense(ops):
    return lambda x, W, b: ops.dense_forward(x, W, b, "none")[0]


DENSE = Exercise(
    id="05.dense",
    title="a dense layer, before its activation: mend a line for our shapes",
    stub=stub("""
        def my_dense(x, W, b):    # (N, I), (I, O), (O,) -> (N, O)
            return W @ x + b
    """),
    reference=my_dense,
    given=other_library,
    cases=_dense_cases,
    fresh=lambda rng: (generic(rng, 3, 2), generic(rng, 2, 5), generic(rng, 5)),
    package=_package_dense,
    mistakes=(
        *planted(_package_dense, "dense-bias-forgotten"),
        WrongAnswer(
            "weights-transposed",
            lambda x, W, b: x @ W.T + b,
            "W is (I, O) here: x W needs no transpose (some libraries store W the other way).",
        ),
        WrongAnswer(
            "bias-subtracted",
            lambda x, W, b: x @ W - b,
            "The bias is subtracted; it has to be added.",
        ),
        WrongAnswer(
            "bias-scaled",
            lambda x, W, b: (x + 1) @ W + b,
            "W multiplies x alone; here 1 was added to x first.",
        ),
        WrongAnswer(
            "with-tanh",
            lambda x, W, b: np.tanh(x @ W + b),
            "The activation is a separate step; this exercise asks for x W + b only.",
        ),
    ),
    hints=(
        "Each output is a weighted sum of the inputs, plus its own bias.",
        "All outputs of all examples at once are one matrix product.",
        "x @ W + b: the bias (O,) is added to every row.",
    ),
)

# ---- 05.dense-backward: before the text shows it -------------------------------------------------


def my_dense_backward(da, x, W):
    """dx = da @ W.T,  dW = x.T @ da,  db = sum_n da            [notebook 05, eqs. 3 to 5]"""
    dx = da @ W.T
    dW = x.T @ da
    db = da.sum(axis=0)
    return dx, dW, db


def _dense_backward_cases():
    rng = np.random.default_rng(51)
    return [
        (np.array([[1.7]]), np.array([[0.5]]), np.array([[0.3]])),
        (generic(rng, 4, 2), generic(rng, 4, 3), generic(rng, 3, 2)),
        (generic(rng, 2, 3), generic(rng, 2, 3), generic(rng, 3, 3)),
    ]


def _package_dense_backward(ops):
    def backward(da, x, W):
        return ops.dense_backward(da, ops.DenseCache(x, W, x @ W, "none"))

    return backward


DENSE_BACKWARD = Exercise(
    id="05.dense-backward",
    title="derive the backward pass of a dense layer, before the text shows it",
    stub=stub("""
        def my_dense_backward(da, x, W):    # (N, O), (N, I), (I, O)
            ...                             # -> dx (N, I), dW (I, O), db (O,)
    """),
    reference=my_dense_backward,
    cases=_dense_backward_cases,
    fresh=lambda rng: (generic(rng, 3, 5), generic(rng, 3, 2), generic(rng, 2, 5)),
    returns=("dx", "dW", "db"),
    package=_package_dense_backward,
    mistakes=(
        *planted_in_words(
            _package_dense_backward,
            {
                "dense-bias-gradient-averaged": "db is averaged over the examples; sum. (If the "
                "loss is a mean over them, da contains that 1/N already.)",
                "dense-weight-gradient-averaged": "dW is averaged over the examples; sum. (If the "
                "loss is a mean over them, da contains that 1/N already.)",
                "dense-weights-not-transposed": "dx = da W, without the transpose.",
            },
        ),
        WrongAnswer(
            "everything-averaged",
            lambda da, x, W: (da @ W.T, x.T @ da / len(x), da.mean(axis=0)),
            "dW and db are averaged over the examples; sum. (If the loss is a mean over them, da "
            "contains that 1/N already.)",
        ),
        WrongAnswer(
            "dW-transposed",
            lambda da, x, W: (da @ W.T, da.T @ x, da.sum(axis=0)),
            "dW is transposed: it must have the shape of W, (I, O), so it is x.T @ da.",
        ),
        WrongAnswer(
            "bias-wrong-axis",
            lambda da, x, W: (da @ W.T, x.T @ da, da.sum(axis=1)),
            "db must sum over the examples (axis 0): b has one entry for each output.",
        ),
        WrongAnswer(
            "bias-one-number",
            lambda da, x, W: (da @ W.T, x.T @ da, da.sum()),
            "db is summed over the outputs too; each bias has its own gradient.",
        ),
        WrongAnswer(
            "bias-not-summed",
            lambda da, x, W: (da @ W.T, x.T @ da, da.copy()),
            "b is shared by all examples, so its gradient is the sum over them.",
        ),
        WrongAnswer(
            "order",
            lambda da, x, W: (x.T @ da, da @ W.T, da.sum(axis=0)),
            "dx and dW are swapped: the order is dx, dW, db.",
        ),
        WrongAnswer(
            "sign",
            lambda da, x, W: (da @ W.T, -(x.T @ da), -da.sum(axis=0)),
            "dW and db have the wrong sign: the minus belongs to the update, not to the gradient.",
        ),
    ),
    hints=(
        "Each gradient has the shape of its variable. Where N, I and O differ, only one product of "
        "da with W or x fits.",
        "db: the bias is added to every example, so every example's da contributes.",
        "dx = da @ W.T, dW = x.T @ da, db = da.sum(axis=0).",
    ),
)
