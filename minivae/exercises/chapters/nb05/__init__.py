"""Notebook 05, backpropagation by hand. The help fades: worked out, two blanks, alone, transfer."""

import numpy as np

from minivae import mistakes, ops
from minivae.exercises.exercise import Exercise, WrongAnswer, generic, planted, planted_module, stub

# ---- 05.dense ----------------------------------------------------------------------------------


def dense(x, W, b):
    """a = x W + b                                                  [notebook 05, eq. 1]"""
    return x @ W + b


def _dense_cases():
    rng = np.random.default_rng(5)
    return [
        (np.array([[2.0]]), np.array([[0.5]]), np.array([0.3])),
        (generic(rng, 4, 3), generic(rng, 3, 2), generic(rng, 2)),
        (generic(rng, 2, 3), generic(rng, 3, 3), generic(rng, 3)),
    ]


def _package_dense(ops):
    return lambda x, W, b: ops.dense_forward(x, W, b, "none")[0]


DENSE = Exercise(
    id="05.dense",
    title="a dense layer, before its activation",
    stub=stub("""
        def dense(x, W, b):    # (N, I), (I, O), (O,) -> (N, O)
            ...
    """),
    reference=dense,
    cases=_dense_cases,
    package=_package_dense,
    mistakes=(
        *planted(_package_dense, "dense-bias-forgotten"),
        WrongAnswer(
            "weights-transposed",
            lambda x, W, b: x @ W.T + b,
            "W is (I, O) here: x W needs no transpose (some libraries store W the other way).",
        ),
        WrongAnswer(
            "weights-first",
            lambda x, W, b: W @ x + b,
            "The examples are the rows of x, so x stands on the left: x @ W.",
        ),
        WrongAnswer(
            "bias-subtracted",
            lambda x, W, b: x @ W - b,
            "The bias is added.",
        ),
        WrongAnswer(
            "bias-scaled",
            lambda x, W, b: (x + 1) @ W + b,
            "W multiplies x alone; here a 1 has slipped in with it.",
        ),
        WrongAnswer(
            "with-tanh",
            lambda x, W, b: np.tanh(x @ W + b),
            "The activation is a step of its own; here only x W + b is wanted.",
        ),
    ),
    hints=(
        "Each output is a weighted sum of the inputs, plus its own bias.",
        "All outputs of all examples at once are one matrix product.",
        "x @ W + b: the bias (O,) is added to every row.",
    ),
)

# ---- 05.dense-backward: worked out in the text ---------------------------------------------------


def dense_backward(da, x, W):
    """dx = da W',  dW = x' da,  db = sum_n da                  [notebook 05, eqs. 3 to 5]"""
    dx = da @ W.T
    dW = x.T @ da
    db = da.sum(axis=0)
    return dx, dW, db


def _dense_backward_cases():
    rng = np.random.default_rng(51)
    return [
        (np.array([[2.0]]), np.array([[0.5]]), np.array([[0.3]])),
        (generic(rng, 4, 2), generic(rng, 4, 3), generic(rng, 3, 2)),
        (generic(rng, 2, 3), generic(rng, 2, 3), generic(rng, 3, 3)),
    ]


def _package_dense_backward(ops):
    def backward(da, x, W):
        return ops.dense_backward(da, ops.DenseCache(x, W, x @ W, "none"))

    return backward


DENSE_BACKWARD = Exercise(
    id="05.dense-backward",
    title="back through a dense layer (the text works it out: now without looking)",
    stub=stub("""
        def dense_backward(da, x, W):    # (N, O), (N, I), (I, O)
            ...                          # -> dx (N, I), dW (I, O), db (O,)
    """),
    reference=dense_backward,
    cases=_dense_backward_cases,
    returns=("dx", "dW", "db"),
    package=_package_dense_backward,
    mistakes=(
        *planted(
            _package_dense_backward,
            "dense-bias-gradient-averaged",
            "dense-weight-gradient-averaged",
            "dense-weights-not-transposed",
        ),
        WrongAnswer(
            "everything-averaged",
            lambda da, x, W: (da @ W.T, x.T @ da / len(x), da.mean(axis=0)),
            "dW and db are means over the batch; the 1/B of the loss is in da already.",
        ),
        WrongAnswer(
            "dW-transposed",
            lambda da, x, W: (da @ W.T, da.T @ x, da.sum(axis=0)),
            "dW is transposed: it has the shape of W, (I, O), so x' da.",
        ),
        WrongAnswer(
            "bias-wrong-axis",
            lambda da, x, W: (da @ W.T, x.T @ da, da.sum(axis=1)),
            "db sums over the examples (axis 0): b has one entry for each output.",
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
            "The minus belongs to the step downhill, not to the gradient.",
        ),
    ),
    hints=(
        "Each gradient has the shape of its variable: only one product of da with W or x fits.",
        "db: the bias is added to every example, so every example's da counts.",
        "dx = da @ W.T, dW = x.T @ da, db = da.sum(axis=0).",
    ),
)

# ---- 05.tanh-backward: two blanks ----------------------------------------------------------------


def tanh_backward(dy, y):
    """da = dy (1 - y^2)                                            [notebook 05, eq. 2]"""
    slope = 1 - y**2
    return dy * slope


def _tanh_cases():
    rng = np.random.default_rng(52)
    return [
        (np.array([[2.0]]), np.array([[0.5]])),
        (generic(rng, 4, 3), np.round(np.tanh(generic(rng, 4, 3)), 2)),
    ]


def _package_activation(activation):
    """da from the package's dense_backward: with W the identity, its dx is da."""

    def package(ops):
        def backward(dy, y):
            eye = np.eye(y.shape[1])
            return ops.dense_backward(dy, ops.DenseCache(np.zeros_like(y), eye, y, activation))[0]

        return backward

    return package


_package_tanh = _package_activation("tanh")

TANH_BACKWARD = Exercise(
    id="05.tanh-backward",
    title="back through tanh: fill in two blanks",
    stub=stub("""
        def tanh_backward(dy, y):    # (N, O), y = tanh(a) (N, O) -> da (N, O)
            slope = ...              # tanh'(a), written with y alone
            da = ...                 # the chain rule
            return da
    """),
    reference=tanh_backward,
    cases=_tanh_cases,
    package=_package_tanh,
    mistakes=(
        *planted(
            _package_tanh,
            "dense-tanh-derivative-lost",
            "dense-tanh-derivative-of-sigmoid",
            "dense-tanh-derivative-twice-activated",
        ),
        WrongAnswer(
            "no-upstream",
            lambda dy, y: 1 - y**2,
            "dy is not used: the chain rule multiplies by what comes from above.",
        ),
        WrongAnswer(
            "not-squared",
            lambda dy, y: dy * (1 - y),
            "y is not squared: tanh' = 1 - tanh^2.",
        ),
        WrongAnswer(
            "plus",
            lambda dy, y: dy * (1 + y**2),
            "1 - y^2, not 1 + y^2: where tanh is flat (y near 1) the slope must vanish.",
        ),
        WrongAnswer(
            "tanh-again",
            lambda dy, y: dy * y,
            "dy is multiplied by tanh itself, not by its slope.",
        ),
        WrongAnswer(
            "divided",
            lambda dy, y: dy / (1 - y**2),
            "dy is divided by the slope; the chain rule multiplies.",
        ),
    ),
    hints=(
        "tanh' can be written with tanh alone: that is why y is all that is kept.",
        "tanh(a)^2 and tanh'(a) add up to one.",
        "slope = 1 - y**2, and da = dy * slope.",
    ),
)

# ---- 05.relu-backward ----------------------------------------------------------------------------


def relu_backward(dy, y):
    """da = dy where y > 0, else 0                                  [notebook 05, eq. 2]"""
    return dy * (y > 0)


def _relu_cases():
    rng = np.random.default_rng(53)
    return [
        (np.array([[2.0, -3.0]]), np.array([[0.5, 0.0]])),
        (generic(rng, 4, 3), np.maximum(generic(rng, 4, 3), 0)),
    ]


_package_relu = _package_activation("relu")

RELU_BACKWARD = Exercise(
    id="05.relu-backward",
    title="back through relu",
    stub=stub("""
        def relu_backward(dy, y):    # (N, O), y = max(a, 0) (N, O) -> da (N, O)
            ...
    """),
    reference=relu_backward,
    cases=_relu_cases,
    package=_package_relu,
    mistakes=(
        *planted(_package_relu, "dense-relu-derivative-lost"),
        WrongAnswer(
            "relu-of-dy",
            lambda dy, y: np.maximum(dy, 0),
            "relu is applied to dy; its slope is, at the unit's own output.",
        ),
        WrongAnswer(
            "times-y",
            lambda dy, y: dy * y,
            "dy is multiplied by y; the slope of relu is 1 where y > 0, not y.",
        ),
        WrongAnswer(
            "inverted",
            lambda dy, y: dy * (y <= 0),
            "The gate is turned around: it lets through what was switched off.",
        ),
        WrongAnswer(
            "no-upstream",
            lambda dy, y: (y > 0).astype(float),
            "dy is not used: the chain rule multiplies by what comes from above.",
        ),
    ),
    hints=(
        "The slope of max(a, 0) is 0 or 1.",
        "y tells which: y > 0 just where a > 0.",
        "dy * (y > 0).",
    ),
)

# ---- 05.sigmoid ----------------------------------------------------------------------------------


def sigmoid(logits):
    """1 / (1 + exp(-logits)), with no exp of a large number        [notebook 05, eq. 6]"""
    small = np.exp(-np.abs(logits))  # between 0 and 1
    return np.where(logits > 0, 1, small) / (1 + small)


def _sigmoid_cases():
    rng = np.random.default_rng(54)
    return [
        (np.array([0.5]),),
        (generic(rng, 2, 3),),
        (np.array([-1000.0, -30.0, 0.0, 30.0, 1000.0]),),
    ]


SIGMOID = Exercise(
    id="05.sigmoid",
    title="the sigmoid, also of large logits",
    stub=stub("""
        def sigmoid(logits):    # any shape -> the same shape; logits of +-1000 must work
            ...
    """),
    reference=sigmoid,
    cases=_sigmoid_cases,
    package=lambda ops: ops.sigmoid,
    mistakes=(
        WrongAnswer(
            "sign",
            lambda logits: 1 / (1 + np.exp(logits)),
            "The sign in the exponent: this falls from 1 to 0 as the logit grows.",
        ),
        WrongAnswer(
            "overflows",
            lambda logits: np.exp(logits) / (1 + np.exp(logits)),
            "exp(1000) is infinite, and infinite / infinite is NaN: keep the exponent below 0.",
        ),
        WrongAnswer(
            "clipped",
            lambda logits: 1 / (1 + np.exp(-np.clip(logits, -20, 20))),
            "Clipping changes the value: sigmoid(-30) is 1e-13, not 2e-9.",
        ),
        WrongAnswer(
            "tanh",
            lambda logits: (1 + np.tanh(logits)) / 2,
            "This is the sigmoid of 2 * logits: (1 + tanh(logits / 2)) / 2.",
        ),
        WrongAnswer(
            "tanh-itself",
            np.tanh,
            "tanh runs from -1 to 1; a probability runs from 0 to 1.",
        ),
        WrongAnswer(
            "no-one",
            lambda logits: 1 / np.exp(-logits),
            "The 1 + is missing in the denominator: this is exp(logits), which exceeds 1.",
        ),
        WrongAnswer(
            "softmax",
            lambda logits: np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum(),
            "This is the softmax, which makes all entries compete; each pixel stands alone.",
        ),
    ),
    hints=(
        "Two formulas are equal: 1 / (1 + exp(-l)) and exp(l) / (1 + exp(l)).",
        "Use for each sign of the logit the one whose exponent is negative.",
        "e = np.exp(-np.abs(l)); np.where(l > 0, 1, e) / (1 + e).",
    ),
)

# ---- 05.bernoulli-nll: alone ---------------------------------------------------------------------


def bernoulli_nll(logits, x):
    """-log p(x) = sum_d log(1 + exp(l_d)) - x_d l_d                [notebook 05, eq. 7]"""
    softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    return (softplus - x * logits).sum(axis=1)


def _bernoulli_cases():
    rng = np.random.default_rng(55)
    return [
        (np.array([[0.5]]), np.array([[1.0]])),
        (np.array([[0.5, -1.2]]), np.array([[0.0, 1.0]])),
        (generic(rng, 2, 4), np.round(rng.random((2, 4)), 2)),
        (np.array([[-1000.0, 1000.0], [1000.0, 30.0]]), np.array([[0.0, 1.0], [0.0, 0.0]])),
    ]


def _cross_entropy(p, x):
    return -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)


def _package_bernoulli(ops):
    return lambda logits, x: ops.bernoulli_nll_forward(logits, x)[0]


BERNOULLI = Exercise(
    id="05.bernoulli-nll",
    title="the Bernoulli likelihood, from logits",
    stub=stub("""
        def bernoulli_nll(logits, x):    # (B, D), (B, D) -> (B,) nats
            ...                          # logits of +-1000 must work
    """),
    reference=bernoulli_nll,
    cases=_bernoulli_cases,
    package=_package_bernoulli,
    mistakes=(
        *planted(
            _package_bernoulli,
            "bernoulli-mean-over-pixels",
            "bernoulli-black-pixels-forgotten",
            "bernoulli-overflows",
        ),
        WrongAnswer(
            "sign",
            lambda logits, x: -bernoulli_nll(logits, x),
            "The sign is turned around: this is log p(x), which is never positive.",
        ),
        WrongAnswer(
            "log-of-zero",
            lambda logits, x: _cross_entropy(sigmoid(logits), x),
            "At a logit of 40 the sigmoid rounds to 1 and log(1 - 1) is -inf: stay in logits, "
            "log(1 + exp(l)) - x l.",
        ),
        WrongAnswer(
            "eps-in-the-log",
            lambda logits, x: (
                -(
                    x * np.log(sigmoid(logits) + 1e-8)
                    + (1 - x) * np.log(1 - sigmoid(logits) + 1e-8)
                ).sum(axis=1)
            ),
            "The + 1e-8 makes the log finite and wrong: it caps the loss at 18 nats a pixel.",
        ),
        WrongAnswer(
            "clipped",
            lambda logits, x: _cross_entropy(np.clip(sigmoid(logits), 1e-7, 1 - 1e-7), x),
            "Clipping the probabilities caps the loss at 16 nats a pixel, with gradient 0 there.",
        ),
        WrongAnswer(
            "logits-clipped",
            lambda logits, x: bernoulli_nll(np.clip(logits, -20, 20), x),
            "The clipped logits cap the loss: a sure and wrong pixel must cost what it costs.",
        ),
        WrongAnswer(
            "probabilities-for-logits",
            lambda logits, x: _cross_entropy(logits, x),
            "Logits are not probabilities: the sigmoid lies between.",
        ),
        WrongAnswer(
            "sigmoid-twice",
            lambda logits, x: bernoulli_nll(sigmoid(logits), x),
            "The sigmoid is applied, and then the loss applies it again.",
        ),
        WrongAnswer(
            "one-number",
            lambda logits, x: bernoulli_nll(logits, x).sum(),
            "Summed over the batch too: keep one number for each example.",
        ),
        WrongAnswer(
            "batch-mean",
            lambda logits, x: bernoulli_nll(logits, x).mean(),
            "The mean over the batch comes later: keep one number for each example.",
        ),
        WrongAnswer(
            "not-summed",
            lambda logits, x: np.logaddexp(0, logits) - x * logits,
            "One value for each pixel: sum over the pixels, axis 1.",
        ),
        WrongAnswer(
            "swapped",
            lambda logits, x: bernoulli_nll(-logits, x),
            "The roles of 0 and 1 are swapped: a large logit must favour x = 1.",
        ),
        WrongAnswer(
            "bits",
            lambda logits, x: bernoulli_nll(logits, x) / np.log(2),
            "This is in bits; nats use the natural logarithm.",
        ),
        WrongAnswer(
            "squared-error",
            lambda logits, x: ((sigmoid(logits) - x) ** 2).sum(axis=1),
            "The squared error belongs to a Gaussian; a Bernoulli's is the cross-entropy.",
        ),
    ),
    hints=(
        "-log of sigmoid(l) is log(1 + exp(-l)); -log of 1 - sigmoid(l) is log(1 + exp(l)).",
        "Both cases of x in one: log(1 + exp(l)) - x l. Its exp overflows at l = 1000.",
        "log(1 + exp(l)) = max(l, 0) + log1p(exp(-|l|)), or np.logaddexp(0, l); sum over axis 1.",
    ),
)

# ---- 05.bernoulli-nll-backward -------------------------------------------------------------------


def bernoulli_nll_backward(dnll, logits, x):
    """dlogits = dnll (sigmoid(logits) - x)                         [notebook 05, eq. 8]"""
    return dnll[:, None] * (1 / (1 + np.exp(-logits)) - x)


def _bernoulli_backward_cases():
    rng = np.random.default_rng(56)
    return [
        (np.array([1.0]), np.array([[0.5]]), np.array([[1.0]])),
        (generic(rng, 3), generic(rng, 3, 4), np.round(rng.random((3, 4)), 2)),
    ]


def _package_bernoulli_backward(ops):
    def backward(dnll, logits, x):
        return ops.bernoulli_nll_backward(dnll, ops.bernoulli_nll_forward(logits, x)[1])

    return backward


BERNOULLI_BACKWARD = Exercise(
    id="05.bernoulli-nll-backward",
    title="its gradient, which is shorter than it has a right to be",
    stub=stub("""
        def bernoulli_nll_backward(dnll, logits, x):    # (B,), (B, D), (B, D) -> dlogits (B, D)
            ...
    """),
    reference=bernoulli_nll_backward,
    cases=_bernoulli_backward_cases,
    package=_package_bernoulli_backward,
    mistakes=(
        *planted(
            _package_bernoulli_backward,
            "bernoulli-gradient-mean-over-pixels",
            "bernoulli-gradient-sign",
            "bernoulli-gradient-image-lost",
            "bernoulli-gradient-of-logits",
            "bernoulli-gradient-sigmoid-twice",
        ),
        WrongAnswer(
            "no-upstream",
            lambda dnll, logits, x: sigmoid(logits) - x,
            "dnll is not used: it multiplies each example's row.",
        ),
        WrongAnswer(
            "batch-mean",
            lambda dnll, logits, x: dnll[:, None] * (sigmoid(logits) - x) / len(x),
            "Divided by the batch size: a mean over the batch is in dnll already, if there is one.",
        ),
        WrongAnswer(
            "by-probability",
            lambda dnll, logits, x: (
                dnll[:, None] * (sigmoid(logits) - x) / (sigmoid(logits) * (1 - sigmoid(logits)))
            ),
            "This is the derivative by the probability; the sigmoid's slope p (1 - p) is missing.",
        ),
        WrongAnswer(
            "squared",
            lambda dnll, logits, x: dnll[:, None] * 2 * (sigmoid(logits) - x),
            "The 2 is the squared error's; the cross-entropy has none.",
        ),
    ),
    hints=(
        "Differentiate log(1 + exp(l)) - x l by l.",
        "exp(l) / (1 + exp(l)) is the sigmoid.",
        "dnll[:, None] * (sigmoid(logits) - x).",
    ),
)

# ---- 05.gaussian-nll: transfer -------------------------------------------------------------------


def gaussian_nll(mean, logvar, x):
    """-log N(x; mean, exp(logvar) I)                               [notebook 05, eq. 9]"""
    D = x.shape[1]
    squares = ((x - mean) ** 2).sum(axis=1)
    return (squares / np.exp(logvar) + D * (logvar + np.log(2 * np.pi))) / 2


def _gaussian_cases():
    rng = np.random.default_rng(57)
    return [
        (np.array([[0.5]]), np.array([-0.4]), np.array([[1.0]])),
        (generic(rng, 3, 4), np.array([0.7]), generic(rng, 3, 4)),
    ]


def _package_gaussian(ops):
    return lambda mean, logvar, x: ops.gaussian_nll_forward(mean, logvar, x)[0]


def _squares(mean, x):
    return ((x - mean) ** 2).sum(axis=1)


GAUSSIAN = Exercise(
    id="05.gaussian-nll",
    title="a Gaussian likelihood whose one variance is learned",
    stub=stub("""
        def gaussian_nll(mean, logvar, x):    # (B, D), (1,), (B, D) -> (B,) nats
            ...                               # all pixels share one variance exp(logvar)
    """),
    reference=gaussian_nll,
    cases=_gaussian_cases,
    package=_package_gaussian,
    mistakes=(
        *planted(
            _package_gaussian,
            "gaussian-normaliser-lost",
            "gaussian-two-pi-lost",
            "gaussian-normaliser-once",
            "gaussian-variance-as-sigma",
        ),
        WrongAnswer(
            "no-half",
            lambda mean, logvar, x: 2 * gaussian_nll(mean, logvar, x),
            "The half is missing.",
        ),
        WrongAnswer(
            "sign",
            lambda mean, logvar, x: -gaussian_nll(mean, logvar, x),
            "The sign is turned around: this is log p(x).",
        ),
        WrongAnswer(
            "logvar-sign",
            lambda mean, logvar, x: gaussian_nll(mean, logvar, x) - x.shape[1] * logvar,
            "logvar has the wrong sign: a wider Gaussian is lower, so its -log p is larger.",
        ),
        WrongAnswer(
            "times-variance",
            lambda mean, logvar, x: (
                (_squares(mean, x) * np.exp(logvar) + x.shape[1] * (logvar + np.log(2 * np.pi))) / 2
            ),
            "The squares are multiplied by the variance; they are divided by it.",
        ),
        WrongAnswer(
            "mean-squared-error",
            lambda mean, logvar, x: ((x - mean) ** 2).mean(axis=1),
            "The mean squared error is a Gaussian with a variance nobody chose, and no normaliser.",
        ),
        WrongAnswer(
            "half-of-the-squares",
            lambda mean, logvar, x: (
                _squares(mean, x) / np.exp(logvar) / 2 + x.shape[1] * (logvar + np.log(2 * np.pi))
            ),
            "The half belongs to the normaliser too.",
        ),
    ),
    hints=(
        "A pixel's density is exp(-(x - m)^2 / (2 s^2)) / sqrt(2 pi s^2): take -log, and sum.",
        "-log of the root is (logvar + log 2 pi) / 2, once for each of the D pixels.",
        "(squares / exp(logvar) + D (logvar + log 2 pi)) / 2, with the squares summed over axis 1.",
    ),
)

# ---- 05.gaussian-nll-backward --------------------------------------------------------------------


def gaussian_nll_backward(dnll, mean, logvar, x):
    """dmean = dnll (mean - x) / sigma^2,  dlogvar = sum dnll (D - |x - mean|^2 / sigma^2) / 2"""
    D = x.shape[1]
    precision = np.exp(-logvar)
    squares = ((x - mean) ** 2).sum(axis=1)
    dmean = dnll[:, None] * (mean - x) * precision
    dlogvar = (dnll * (D - squares * precision) / 2).sum()
    return dmean, np.array([dlogvar])


def _gaussian_backward_cases():
    rng = np.random.default_rng(58)
    return [
        (np.array([1.0]), np.array([[0.5]]), np.array([-0.4]), np.array([[1.2]])),
        (generic(rng, 3), generic(rng, 3, 4), np.array([0.7]), generic(rng, 3, 4)),
    ]


def _package_gaussian_backward(ops):
    def backward(dnll, mean, logvar, x):
        return ops.gaussian_nll_backward(dnll, ops.gaussian_nll_forward(mean, logvar, x)[1])

    return backward


def _gaussian_backward_with(dnll, mean, logvar, x, change):
    dmean, dlogvar = gaussian_nll_backward(dnll, mean, logvar, x)
    return change(dmean, dlogvar, np.exp(logvar))


GAUSSIAN_BACKWARD = Exercise(
    id="05.gaussian-nll-backward",
    title="transfer: the gradient of that Gaussian, the shared variance included",
    stub=stub("""
        def gaussian_nll_backward(dnll, mean, logvar, x):    # (B,), (B, D), (1,), (B, D)
            ...                                              # -> dmean (B, D), dlogvar (1,)
    """),
    reference=gaussian_nll_backward,
    cases=_gaussian_backward_cases,
    returns=("dmean", "dlogvar"),
    package=_package_gaussian_backward,
    mistakes=(
        *planted(
            _package_gaussian_backward,
            "gaussian-variance-as-sigma",
            "gaussian-gradient-doubled",
            "gaussian-gradient-precision-lost",
            "gaussian-gradient-sign",
            "gaussian-logvar-gradient-once",
            "gaussian-logvar-gradient-averaged",
        ),
        WrongAnswer(
            "logvar-half-lost",
            lambda dnll, mean, logvar, x: _gaussian_backward_with(
                dnll, mean, logvar, x, lambda dm, dl, v: (dm, 2 * dl)
            ),
            "dlogvar lost its half.",
        ),
        WrongAnswer(
            "logvar-sign",
            lambda dnll, mean, logvar, x: _gaussian_backward_with(
                dnll, mean, logvar, x, lambda dm, dl, v: (dm, -dl)
            ),
            "dlogvar has the wrong sign: with large residuals the variance should grow, "
            "so its gradient is negative.",
        ),
        WrongAnswer(
            "by-variance",
            lambda dnll, mean, logvar, x: _gaussian_backward_with(
                dnll, mean, logvar, x, lambda dm, dl, v: (dm, dl / v)
            ),
            "This is the derivative by the variance; by its log it is multiplied by the variance.",
        ),
        WrongAnswer(
            "one-for-each-example",
            lambda dnll, mean, logvar, x: (
                gaussian_nll_backward(dnll, mean, logvar, x)[0],
                dnll * (x.shape[1] - _squares(mean, x) / np.exp(logvar)) / 2,
            ),
            "One variance is shared by the whole batch, so dlogvar is a sum over it, shape (1,).",
        ),
        WrongAnswer(
            "no-upstream-in-logvar",
            lambda dnll, mean, logvar, x: (
                gaussian_nll_backward(dnll, mean, logvar, x)[0],
                np.atleast_1d(((x.shape[1] - _squares(mean, x) / np.exp(logvar)) / 2).sum()),
            ),
            "dnll is missing in dlogvar: it weighs each example before the sum.",
        ),
        WrongAnswer(
            "squares-lost",
            lambda dnll, mean, logvar, x: (
                gaussian_nll_backward(dnll, mean, logvar, x)[0],
                np.atleast_1d((dnll * x.shape[1] / 2).sum()),
            ),
            "The squares are divided by exp(logvar), so they have a share in dlogvar too.",
        ),
    ),
    hints=(
        "Differentiate (squares exp(-logvar) + D logvar) / 2 by the mean and by logvar.",
        "logvar is one number for every pixel of every example: its gradient is one sum.",
        "dmean = dnll (mean - x) / var; dlogvar = sum of dnll (D - squares / var) / 2.",
    ),
)

# ---- 05.central-difference -----------------------------------------------------------------------


def central_difference(f, x, h):
    """(f(x + h e_i) - f(x - h e_i)) / 2h for every entry i         [notebook 05, eq. 12]"""
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[i] = h
        gradient[i] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient


def cubic(x):
    return (x**3).sum()


def wave(x):
    return np.sin(x).sum() + x.flat[0] * x.flat[-1]


def _difference_cases():
    return [
        (cubic, np.array([0.7]), 0.1),
        (wave, np.array([0.3, -1.1, 0.8]), 0.1),
        (cubic, np.array([[0.3, -1.1, 0.8], [0.5, 0.2, -0.6]]), 1e-3),
    ]


def _each(rule):
    """A wrong answer from its rule for one entry: rule(f, x, step, h)."""

    def wrong(f, x, h):
        gradient = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            step = np.zeros(x.shape)
            step[i] = h
            gradient[i] = rule(f, x, step, h)
        return gradient

    return wrong


def _never_steps_back(f, x, h):
    x, gradient = x.copy(), np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        up = f(x)
        x[i] -= 2 * h
        gradient[i] = (up - f(x)) / (2 * h)
    return gradient


CENTRAL = Exercise(
    id="05.central-difference",
    title="a gradient from values of f: central differences",
    stub=stub("""
        def central_difference(f, x, h):    # f: array -> float, x: any shape, step h
            ...                             # -> the gradient, of the shape of x
    """),
    reference=central_difference,
    cases=_difference_cases,
    mistakes=(
        WrongAnswer(
            "forward",
            _each(lambda f, x, step, h: (f(x + step) - f(x)) / h),
            "This is the one-sided difference: its error falls with h, the central one's with h^2.",
        ),
        WrongAnswer(
            "backward",
            _each(lambda f, x, step, h: (f(x) - f(x - step)) / h),
            "This is the one-sided difference, looking back: step to both sides.",
        ),
        WrongAnswer(
            "over-h",
            _each(lambda f, x, step, h: (f(x + step) - f(x - step)) / h),
            "From x - h to x + h it is 2 h: divide by 2 h.",
        ),
        WrongAnswer(
            "brackets",
            _each(lambda f, x, step, h: (f(x + step) - f(x - step)) / 2 * h),
            "/ 2 * h multiplies by h: write / (2 * h).",
        ),
        WrongAnswer(
            "sign",
            _each(lambda f, x, step, h: (f(x - step) - f(x + step)) / (2 * h)),
            "The two values are swapped: f(x + h) comes first.",
        ),
        WrongAnswer(
            "all-at-once",
            lambda f, x, h: np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h)),
            "All entries are moved at once: this is the sum of the gradient, in every entry.",
        ),
        WrongAnswer(
            "step-not-undone",
            _never_steps_back,
            "An entry that was moved is not moved back, so the later ones are taken elsewhere.",
        ),
        WrongAnswer(
            "flat",
            lambda f, x, h: central_difference(f, x, h).ravel(),
            "The gradient has the shape of x; this one is flattened.",
        ),
        WrongAnswer(
            "second-derivative",
            _each(lambda f, x, step, h: (f(x + step) - 2 * f(x) + f(x - step)) / h**2),
            "This estimates the second derivative.",
        ),
    ),
    hints=(
        "Move one entry of x at a time, up and down.",
        "np.ndindex(x.shape) runs over the entries of any shape. Work on copies of x.",
        "gradient[i] = (f(x + step) - f(x - step)) / (2 * h); step is h at i and 0 elsewhere.",
    ),
)

# ---- 05.complex-step -----------------------------------------------------------------------------


def complex_step(f, x):
    """Im f(x + i h e_j) / h, with h so small that no digit is lost  [notebook 05, eq. 13]"""
    h = 1e-20
    gradient = np.zeros(x.shape)
    for j in np.ndindex(x.shape):
        z = x.astype(complex)
        z[j] += 1j * h
        gradient[j] = f(z).imag / h
    return gradient


def raised_cubic(x):
    return (x**3).sum() + 1e6


def raised_wave(x):
    return (np.exp(x) * np.sin(x)).sum() + x.flat[0] * x.flat[-1] + 1e6


def _complex_cases():
    return [
        (raised_cubic, np.array([0.7])),
        (raised_wave, np.array([[0.3, -1.1, 0.8], [0.5, 0.2, -0.6]])),
    ]


def _each_complex(rule):
    def wrong(f, x):
        gradient = np.zeros(x.shape)
        for j in np.ndindex(x.shape):
            unit = np.zeros(x.shape)
            unit[j] = 1
            gradient[j] = rule(f, x, unit)
        return gradient

    return wrong


COMPLEX = Exercise(
    id="05.complex-step",
    title="the complex step: a derivative to sixteen digits",
    stub=stub("""
        def complex_step(f, x):    # f: array, real or complex -> number; x: any shape, real
            ...                    # -> the gradient, real, of the shape of x
    """),
    reference=complex_step,
    cases=_complex_cases,
    mistakes=(
        WrongAnswer(
            "real-part",
            _each_complex(lambda f, x, unit: f(x + 1e-20j * unit).real / 1e-20),
            "The real part is f itself; the slope is in the imaginary part.",
        ),
        WrongAnswer(
            "not-divided",
            _each_complex(lambda f, x, unit: f(x + 1e-20j * unit).imag),
            "This is almost 0: the step must be imaginary, and the imaginary part divided by h.",
        ),
        WrongAnswer(
            "large-step",
            _each_complex(lambda f, x, unit: f(x + 1e-2j * unit).imag / 1e-2),
            "h is too large: the error falls with h^2, and nothing is subtracted, so take 1e-20.",
        ),
        WrongAnswer(
            "central-difference",
            lambda f, x: central_difference(f, x, 1e-5),
            "This is a real difference: f is 1e6 here, and subtracting two such values "
            "leaves few digits. The complex step subtracts nothing.",
        ),
        WrongAnswer(
            "all-at-once",
            lambda f, x: np.full(x.shape, f(x + 1e-20j).imag / 1e-20),
            "All entries are moved at once: this is the sum of the gradient, in every entry.",
        ),
        WrongAnswer(
            "complex-result",
            _each_complex(lambda f, x, unit: abs(f(x + 1e-20j * unit) - f(x)) / 1e-20),
            "The absolute value loses the sign of the slope.",
        ),
    ),
    hints=(
        "f(x + ih) = f(x) + i h f'(x) - ...: where is f'(x)?",
        "Nothing is subtracted, so h may be 1e-20. Copy x as a complex array: x.astype(complex).",
        "Im f(x + i h e_j) / h, one entry j at a time.",
    ),
)

# ---- 05.gradient-check: write the check ----------------------------------------------------------


def gradient_check(f, df, x):
    """True if df(x) is the gradient of f at x, by central differences in every entry"""
    gradient, h = df(x), 1e-5
    if np.shape(gradient) != x.shape:
        return False
    for i in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[i] = h
        numeric = (f(x + step) - f(x - step)) / (2 * h)
        if not abs(gradient[i] - numeric) <= 1e-6 * max(1, abs(numeric)):  # NaN fails too
            return False
    return True


def _named(function, name):
    function.__name__ = name
    return function


def _pair(name, f, df, x):
    return _named(f, f"{name}"), _named(df, f"d_{name}"), x


def _simple_pairs():
    """(f, df, x): four right ones and, for each way to look away, a wrong one."""
    a = np.array([0.7, -1.3, 0.4])
    m = np.array([[0.3, -1.1], [0.8, 0.5], [0.2, -0.6]])
    c = np.array([[1.0, 2.0], [-1.0, 0.5], [3.0, -2.0]])

    def square(x):
        return (x**2).sum()

    def weighted(x):
        return (c * x).sum() + x[0, 0] * x[2, 1]

    def d_weighted(x):
        d = c.copy()
        d[0, 0] += x[2, 1]
        d[2, 1] += x[0, 0]
        return d

    def last_entry_off(x):
        d = d_weighted(x)
        d[2, 1] += 0.01
        return d

    def faint(x):
        return 1e-3 * (x**2).sum()

    return [
        _pair("square", lambda x: square(x), lambda x: 2 * x, a),
        _pair("weighted", weighted, d_weighted, m),
        _pair("kinked", lambda x: np.abs(x).sum(), lambda x: np.sign(x), m),
        _pair("steep", lambda x: 1e4 * (x**3).sum(), lambda x: 3e4 * x**2, a),
        _pair("half_lost", lambda x: square(x) / 2, lambda x: 2 * x, a),
        _pair("sign_lost", lambda x: square(x), lambda x: -2 * x, a),
        _pair("last_entry", weighted, last_entry_off, m),
        _pair("reordered", lambda x: square(x), lambda x: 2 * x[::-1], a),
        _pair("one_number", lambda x: x.sum() * 2, lambda x: np.array(2.0), a),
        _pair("not_a_number", lambda x: square(x), lambda x: 2 * x + np.nan, a),
        _pair("faint_and_wrong", faint, lambda x: 2.2e-3 * x, a),
        _pair("scaled_by_1.01", lambda x: square(x), lambda x: 2.02 * x, a),
        _pair("right_at_zero_only", lambda x: (x**2).sum() + x.sum(), lambda x: x**2 + 1, a),
    ]


def _planted_pairs():
    """The shared list's wrong gradients of ops, as (f, df, x)."""
    rng = np.random.default_rng(59)
    eps, c, image = generic(rng, 3, 2), generic(rng, 3, 2), np.round(rng.random((3, 2)))

    def kl(module):
        def f(x):
            return ops.gaussian_kl_forward(x[0], x[1])[0].sum()

        def df(x):
            _, cache = module.gaussian_kl_forward(x[0], x[1])
            return np.stack(module.gaussian_kl_backward(np.ones((3, 2)), cache))

        return f, df, generic(rng, 2, 3, 2)

    def sample(module):
        def f(x):
            return (c * module.reparam_forward(x[0], x[1], eps)[0]).sum()

        def df(x):
            _, cache = module.reparam_forward(x[0], x[1], eps)
            return np.stack(module.reparam_backward(c, cache))

        return f, df, generic(rng, 2, 3, 2)

    def bernoulli(module):
        def f(x):
            return ops.bernoulli_nll_forward(x, image)[0].sum()

        def df(x):
            cache = module.bernoulli_nll_forward(x, image)[1]
            return module.bernoulli_nll_backward(np.ones(3), cache)

        return f, df, generic(rng, 3, 2)

    def tanh_layer(module):
        W, b = generic(rng, 4, 2), generic(rng, 2)

        def f(x):
            return (c * ops.dense_forward(x, W, b, "tanh")[0]).sum()

        def df(x):
            return module.dense_backward(c, module.dense_forward(x, W, b, "tanh")[1])[0]

        return f, df, generic(rng, 3, 4)

    makers = {
        "kl-gradient": kl,
        "reparam": sample,
        "bernoulli-gradient": bernoulli,
        "dense-tanh": tanh_layer,
    }
    pairs = []
    for mistake in mistakes.MISTAKES:
        maker = next((m for prefix, m in makers.items() if mistake.name.startswith(prefix)), None)
        blind = mistake.witness != mistakes.GRADIENT or mistake.name == "reparam-mean-over-samples"
        if maker and not blind:
            pairs.append(_pair(mistake.name, *maker(planted_module(mistake.name))))
    return pairs


def _check_cases():
    return _simple_pairs() + _planted_pairs()


def _weak_check(rule):
    """A check with a flaw: rule(gradient, numeric) -> bool."""

    def check(f, df, x):
        with np.errstate(all="ignore"):
            return bool(rule(np.asarray(df(x)), central_difference(f, x, 1e-5)))

    return check


def _one_sided(f, df, x):
    gradient, h = df(x), 1e-5
    if np.shape(gradient) != x.shape:
        return False
    numeric = _each(lambda f, x, step, h: (f(x + step) - f(x)) / h)(f, x, h)
    return bool((np.abs(gradient - numeric) <= 1e-6 * np.maximum(1, np.abs(numeric))).all())


def _shaped(rule):
    return _weak_check(lambda a, n: a.shape == n.shape and rule(a, n))


GRADIENT_CHECK = Exercise(
    id="05.gradient-check",
    title="write the check: one that no planted mistake survives",
    stub=stub("""
        def gradient_check(f, df, x):    # f: array -> float; df: array -> array; x: any shape
            ...                          # -> True if df(x) is the gradient of f at x, else False
    """),
    reference=gradient_check,
    cases=_check_cases,
    mistakes=(
        WrongAnswer(
            "always-true",
            lambda f, df, x: True,
            "It finds every gradient right: a check must fail where it should.",
        ),
        WrongAnswer(
            "first-entry",
            _shaped(lambda a, n: abs(a.flat[0] - n.flat[0]) <= 1e-6 * max(1, abs(n.flat[0]))),
            "Only the first entry is looked at; the mistake may sit in the last.",
        ),
        WrongAnswer(
            "sums",
            _shaped(lambda a, n: abs(a.sum() - n.sum()) <= 1e-6 * max(1, abs(n.sum()))),
            "Only the sums are compared: entries that trade places go unseen.",
        ),
        WrongAnswer(
            "directions",
            _shaped(lambda a, n: (a * n).sum() > 0.999999 * np.linalg.norm(a) * np.linalg.norm(n)),
            "Only the directions are compared: a factor goes unseen.",
        ),
        WrongAnswer(
            "ten-per-cent",
            _shaped(lambda a, n: (np.abs(a - n) <= 0.1 * np.maximum(1, np.abs(n))).all()),
            "A tolerance of ten per cent lets real mistakes through; differences are good to 1e-8.",
        ),
        WrongAnswer(
            "absolute",
            _shaped(lambda a, n: (np.abs(a - n) <= 1e-3).all()),
            "The tolerance is absolute: a faint gradient may be wrong by any factor.",
        ),
        WrongAnswer(
            "too-strict",
            _shaped(lambda a, n: (np.abs(a - n) <= 1e-12 * np.maximum(1, np.abs(n))).all()),
            "Right gradients are turned down: differences in float64 are good to about 1e-8, "
            "relative to the size of the gradient.",
        ),
        WrongAnswer(
            "not-a-number-passes",
            _shaped(lambda a, n: not (np.abs(a - n) > 1e-6 * np.maximum(1, np.abs(n))).any()),
            "NaN > tolerance is False, so NaN passes: ask whether all are within, not whether one "
            "is beyond.",
        ),
        WrongAnswer(
            "broadcast",
            _weak_check(lambda a, n: (np.abs(a - n) <= 1e-6 * np.maximum(1, np.abs(n))).all()),
            "A gradient of the wrong shape is broadcast and passes: compare the shapes first.",
        ),
        WrongAnswer(
            "one-sided",
            _one_sided,
            "The one-sided difference is off by h f'' / 2, which turns right gradients down: "
            "step to both sides.",
        ),
    ),
    hints=(
        "Central differences in every entry, then a comparison relative to the size.",
        "What does your check say about a gradient of the wrong shape, and about NaN?",
        "False unless the shapes agree and |a - n| <= 1e-6 max(1, |n|) holds in every entry.",
    ),
)

EXERCISES = (
    DENSE,
    DENSE_BACKWARD,
    TANH_BACKWARD,
    RELU_BACKWARD,
    SIGMOID,
    BERNOULLI,
    BERNOULLI_BACKWARD,
    GAUSSIAN,
    GAUSSIAN_BACKWARD,
    CENTRAL,
    COMPLEX,
    GRADIENT_CHECK,
)
