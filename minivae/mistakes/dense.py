"""Mistakes in `ops.dense_forward`, `ops.dense_backward` and its `ops.sum_rows`."""

from minivae.mistakes.mistake import in_ops

DENSE_MISTAKES = (
    in_ops(
        "dense-bias-forgotten",
        ("dense_forward", "    y += b\n", ""),
        sentence="The forward pass never adds the bias.",
        symptom="Every bias is wrong: by hand it has a gradient, but the loss ignores it.",
    ),
    in_ops(
        "dense-bias-gradient-averaged",
        ("dense_backward", "db[...] = sum_rows(da)", "db[...] = da.mean(axis=0)"),
        sentence="The bias gradient is the mean over the batch; the 1/B is already in dy.",
        symptom="Every bias is wrong, and exactly B times too small.",
    ),
    in_ops(
        "dense-last-rows-not-summed",
        ("sum_rows", "blocks.sum(axis=0) + a[whole:].sum(axis=0)", "blocks.sum(axis=0)"),
        sentence="The sum over the rows loses those after the last whole block.",
        symptom="Every bias is wrong: with a small batch, its gradient is zero.",
    ),
    in_ops(
        "dense-weight-gradient-averaged",
        (
            "multiply_rows",
            "np.matmul(x[:PRODUCT_BLOCK].T, da[:PRODUCT_BLOCK], out=out)",
            "np.matmul(x[:PRODUCT_BLOCK].T, da[:PRODUCT_BLOCK] / len(x), out=out)",
        ),
        sentence="dW is divided by B once more; the 1/B is already in dy.",
        symptom="Every weight matrix is wrong, and exactly B times too small; biases are right.",
    ),
    in_ops(
        "dense-tanh-derivative-lost",
        ("dense_backward", "da = dy * (1 - y * y)", "da = dy"),
        sentence="The derivative of tanh is not multiplied in.",
        symptom="With tanh, hidden layers are wrong, and so is everything before them.",
    ),
    in_ops(
        "dense-tanh-derivative-of-sigmoid",
        ("dense_backward", "da = dy * (1 - y * y)", "da = dy * y * (1 - y)"),
        sentence="The derivative of the sigmoid, y (1 - y), is used instead of tanh's, 1 - y^2.",
        symptom="With tanh, hidden layers are wrong, and so is everything before them.",
    ),
    in_ops(
        "dense-tanh-derivative-twice-activated",
        ("dense_backward", "da = dy * (1 - y * y)", "da = dy * (1 - np.tanh(y) ** 2)"),
        sentence="The derivative of tanh is taken at its output y, not at its input.",
        symptom="With tanh, hidden layers are wrong, and so is everything before them.",
    ),
    in_ops(
        "dense-relu-derivative-lost",
        ("dense_backward", "da = dy * np.where(y > 0, 1, y)", "da = dy"),
        sentence="The gradient flows back through units that relu had switched off.",
        symptom=(
            "With relu, hidden layers are wrong, and so is everything before them; "
            "with tanh all is right."
        ),
    ),
    in_ops(
        "dense-weight-gradient-before-activation",
        ("dense_backward", "multiply_rows(x, da, dW)", "multiply_rows(x, dy, dW)"),
        sentence="dW is taken from dy, before the activation's derivative is multiplied in.",
        symptom="The hidden layers' W are wrong while their b, and all before them, are right.",
    ),
    in_ops(
        "dense-input-gradient-before-activation",
        ("dense_backward", "(da @ W.T if", "(dy @ W.T if"),
        sentence="dx is taken from dy, before the activation's derivative is multiplied in.",
        symptom="The decoder's last hidden layer is right, and everything before it is wrong.",
    ),
    in_ops(
        "dense-weights-not-transposed",
        ("dense_backward", "(da @ W.T if", "(da @ W if"),
        sentence="dx = da W, without the transpose.",
        symptom="The shapes do not fit, so it raises (with square layers it would be silent).",
    ),
)
