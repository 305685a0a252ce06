# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 05 · Backpropagation by hand
#
# **What you will be able to do**
# - carry numbers forward and gradients backward through a graph (`05.graph`);
# - say why backward is cheap, and when it would not be (`05.cost`, `05.directions`);
# - derive the backward pass of a layer that you have never seen (`05.dense-backward`, `05.logsumexp-backward`,
#   `05.layer-norm-backward`, `05.tied-backward`, `05.skip-backward`), and predict what a mistake in it spoils (`05.spoiled`);
# - write likelihoods with their gradients, without a NaN at the edges (`05.bernoulli-nll`, `05.sigmoid`,
#   `05.gaussian-nll-backward`, `05.nan-gradient`);
# - say what a step that is too small or too large does to a difference, and choose one (`05.choose-h`);
# - take a derivative by the complex step (`05.complex-ready`, `05.slope-along`);
# - name what no gradient check can see (`05.blind-pair`).
#
# **Builds on** notebooks 03 (the KL and its derivatives, central differences) and 04 (`z = mu + sigma * eps`, a
# decoder without hidden layers). Reading time: about 40 minutes without the exercises. Nine of them, marked *Your turn*, stand in the text where
# you can derive what comes next. They are parts of *your backend*, with which notebook 07 trains on MNIST. The others come after the
# text, and then an optional appendix (35 minutes).

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]

import numpy as np

from minivae import gradcheck, ops, plots, vae
from minivae.gradcheck.differences import central_differences
from minivae.exercises import check, hint, predict, recall, reveal, solution, use
from minivae.plots.tables import jacobian_blocks, number_tables

plots.notebook_style()
rng = np.random.default_rng(5)

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("05", ..., ..., ...)

# %% [markdown]
# ## 5.1  A gradient, one number at a time
#
# Here is the smallest VAE there is: one pixel `x`, one latent, and three weights. The encoder is
# `mu = x * W_mu`, `logvar = x * W_logvar`; the decoder is `mean = z * W_out`; the likelihood is a
# Gaussian with variance 1 around `mean` (its constant $\frac12\log 2\pi$ is left out). Forward, each
# line uses the ones above it:

# %%
x, eps = 2.0, 0.8
W_mu, W_logvar, W_out = 0.6, -0.7, -0.9

mu = x * W_mu
logvar = x * W_logvar
sigma = np.exp(logvar / 2)
z = mu + sigma * eps
mean = z * W_out
nll = (x - mean) ** 2 / 2
kl = (mu**2 + sigma**2 - 1 - logvar) / 2
loss = nll + kl

# %% [markdown]
# Draw each value as a box, with an arrow to whatever is computed from it. Each arrow has a **local
# derivative**: how fast the value at its tip changes with the value at its start, all other inputs
# held fixed. `mean = z * W_out`, so from `z` to `mean` it is `W_out`, and from `W_out` to `mean` it is `z`.

# %%
PLACES = {
    "W_mu": (0, 0.9), "W_logvar": (0, -1.1), "mu": (1.4, 0.9), "logvar": (1.5, -1.1),
    "sigma": (2.7, -0.2), "z": (4.1, 0.9), "W_out": (4.2, 1.9), "mean": (5.4, 0.9),
    "nll": (6.9, 0.9), "kl": (6.9, -1.1), "loss": (8.2, -0.1),
}
LOCAL = {
    ("W_mu", "mu"): x, ("W_logvar", "logvar"): x, ("mu", "z"): 1, ("mu", "kl"): mu,
    ("logvar", "sigma"): sigma / 2, ("logvar", "kl"): -1 / 2, ("sigma", "z"): eps,
    ("sigma", "kl"): sigma, ("z", "mean"): W_out, ("W_out", "mean"): z,
    ("mean", "nll"): mean - x, ("nll", "loss"): 1, ("kl", "loss"): 1,
}
VALUES = {name: f"{globals()[name]:.2f}" for name in PLACES}


def draw(title, gradients):
    """The graph: values above the boxes, local derivatives on the arrows, gradients below."""
    fig, ax = plots.figure(7.2, 3.4)
    labels = {arrow: f"{slope:.3g}" for arrow, slope in LOCAL.items()}
    below = {name: f"{gradient:+.2f}" for name, gradient in gradients.items()}
    plots.computation_graph(ax, PLACES, labels, above=VALUES, below=below, label_at=0.6,
                            shaded=("mu", "logvar", "sigma"))
    ax.set_title(title)
    return fig


draw("forward: the values (above), and a local derivative on each arrow", {})

# %% [markdown]
# (`x` and `eps` are given, and are left out. Shaded: the boxes that *two* arrows leave.)
#
# Now backward. We want, for each box, the **gradient**: how fast the loss changes with that value.
# For the loss itself it is 1. `nll` and `kl` are added to give the loss, so theirs is 1 too. A change of `mean`
# changes `nll` by `mean - x` times as much, and `nll` changes the loss by 1 times that. So multiply along the way, and
# write `dmean` for the gradient with respect to `mean`:

# %%
d = {"loss": 1.0}
d["nll"] = d["loss"] * 1
d["kl"] = d["loss"] * 1
d["mean"] = d["nll"] * (mean - x)
d["W_out"] = d["mean"] * z
d["z"] = d["mean"] * W_out
print("so far:", ", ".join(f"d{name} = {value:.2f}" for name, value in d.items()))

# %% [markdown]
# Next would be `mu`. It is used twice: `z` is computed from it, and so is `kl`. The way through `z`
# brings `dz * 1`, the way through the KL brings `dkl * mu`.
#
# **Predict first.** `dmu` is `"the one through z"`, `"their sum"`, or `"their mean"`?

# %%
predict("05.used-twice", ...)

# %%
d["mu"] = d["z"] * 1 + d["kl"] * mu
d["sigma"] = d["z"] * eps + d["kl"] * sigma
d["logvar"] = d["sigma"] * sigma / 2 + d["kl"] * -1 / 2
d["W_mu"] = d["mu"] * x
d["W_logvar"] = d["logvar"] * x

reveal("05.used-twice")
draw("backward, all of it: the gradients below the boxes", d)

# %% [markdown]
# If `mu` grows by a little, both of its arrows carry the change to the loss, and the loss changes by
# both amounts. So the two are added, and likewise for `sigma` and `logvar`.
#
# That is the whole of backpropagation: **the gradient of a box is the sum, over the arrows
# that leave it, of the gradient at the tip times the local derivative.** A box has its turn once all
# boxes that its arrows lead to have had theirs.
#
# Is it right? Move each weight by a millionth, and watch the loss:

# %%
def tiny_loss(W_mu, W_logvar, W_out):
    mu, logvar = x * W_mu, x * W_logvar
    sigma = np.exp(logvar / 2)
    mean = (mu + sigma * eps) * W_out
    return (x - mean) ** 2 / 2 + (mu**2 + sigma**2 - 1 - logvar) / 2


weights = {"W_mu": W_mu, "W_logvar": W_logvar, "W_out": W_out}
for name, value in weights.items():
    moved = tiny_loss(**(weights | {name: value + 1e-6}))
    print(f"{name:9s} by hand {d[name]:+.4f}, by moving it {(moved - loss) / 1e-6:+.4f}")

# %% [markdown]
# Now the same with arrays in the boxes.
#
# ## 5.2  What does a backward pass compute?
#
# An arrow between arrays carries a local derivative $\partial y_j/\partial x_i$
# for each entry $i$ at its start and each entry $j$ at its tip. That is the *Jacobian*. Between 784
# inputs and 200 outputs for each of 100 digits it has 20,000 rows and 78,400 columns. Nobody
# stores that, and the rule of 5.1 asks only for a sum over the tips:
#
# $$
# \frac{\partial\,\mathrm{loss}}{\partial x_i}
# = \sum_j \frac{\partial\,\mathrm{loss}}{\partial y_j}\,\frac{\partial y_j}{\partial x_i},
# \qquad\text{in code: } \texttt{dx}_i = \sum_j \texttt{dy}_j\,\frac{\partial y_j}{\partial x_i}.
# $$
#
# Write all entries of `dy` in one row and all of `dx` in another: the row `dy`, times the Jacobian,
# is the row `dx`. That is a **vector-Jacobian product**. A backward pass is a function that computes
# this product without writing the Jacobian down. (`dx` always means
# $\partial\,\mathrm{loss}/\partial x$, an array of the shape of `x`.)
#
# For a layer small enough, write it down anyway and look: weighted sums of 3 inputs, and a tanh of each.

# %%
inputs, W, b = rng.standard_normal((4, 3)), 0.5 * rng.standard_normal((3, 2)), rng.standard_normal(2)


def layer(rows):
    return np.tanh(rows @ W + b)                          # (4, 3) -> (4, 2)


jacobian = np.empty((8, 12))                              # every output by every input
for row in range(8):                                      # (row=row keeps the row of this turn)
    slopes = central_differences(lambda rows, row=row: layer(rows).ravel()[row], inputs)
    jacobian[row] = slopes.ravel()

dy = rng.standard_normal((4, 2))
dx = (dy.ravel() @ jacobian).reshape(4, 3)                # a row times the Jacobian is a row
shortcut = central_differences(lambda rows: (dy * layer(rows)).sum(), inputs)
print("dy times the Jacobian is the gradient of the number sum(dy * y):", np.allclose(dx, shortcut))

# %%
fig, ax = plots.figure(5.2, 3.2)
jacobian_blocks(ax, jacobian, outputs=2, inputs=3)
ax.set_title("a layer's Jacobian: the white blocks are zero")
fig

# %% [markdown]
# An example's outputs depend on its own inputs alone, so only the blocks on the diagonal are not zero.
#
# The line printed above is worth keeping: `dx` is the gradient of the plain number
# `sum(dy * y)`, with any `dy` that is held fixed. So every backward pass can be checked alone, with a random `dy`:

# %%
def error(by_hand, by_numbers):
    """The largest difference, as a part of the largest entry."""
    return np.abs(by_hand - by_numbers).max() / np.abs(by_numbers).max()


def errors(forward, args, dy, gradients):
    """One error for each argument of forward: its gradient by hand against differences."""
    found = []
    for i, by_hand in enumerate(gradients):
        def number(arg, i=i):
            return (dy * forward(*args[:i], arg, *args[i + 1 :])).sum()

        found.append(error(by_hand, central_differences(number, args[i])))
    return np.array(found)

# %% [markdown]
# **A layer that you have not met.** *Softmax* turns $n$ numbers into $n$ positive ones that sum to 1:
# $y_j = e^{a_j} / \sum_k e^{a_k}$. The same four steps serve for other layers:
#
# 1. *One output, one input.* By the quotient rule $\partial y_j/\partial a_j = y_j - y_j^2$, and for
#    another input $\partial y_j/\partial a_i = -y_j\,y_i$.
# 2. *Multiply by `dy` and sum over the outputs.* The outputs $j \ne i$ bring
#    $-\sum_{j \ne i} \texttt{dy}_j\, y_j\, y_i$, and the output $i$ brings $\texttt{dy}_i\,(y_i - y_i^2)$.
# 3. *Collect:*
#    $\texttt{da}_i = y_i\,\big(\texttt{dy}_i - \sum_j \texttt{dy}_j\, y_j\big)$, the sum now over all $j$.
# 4. *Write it in arrays, and check it with a random `dy`.* The sum is one number for each row.

# %%
def softmax(a):
    e = np.exp(a - a.max(axis=1, keepdims=True))          # the same value, without overflow
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(dy, y):
    return y * (dy - (dy * y).sum(axis=1, keepdims=True))


scores, dy = rng.standard_normal((4, 7)), rng.standard_normal((4, 7))
found = errors(softmax, (scores,), dy, (softmax_backward(dy, softmax(scores)),))
print("softmax: error below 1e-8:", found[0] < 1e-8)

# %% [markdown]
# A row of $n > 1$ numbers has a Jacobian of $n^2$ entries, none of them zero, and the backward pass
# needed $2n$ multiplications.
#
# ## 5.3  How does a gradient pass a dense layer?
#
# The decoder of notebook 04 was linear. Two such layers, one after the other,
# are linear again: $(zW_1 + b_1)\,W_2 + b_2 = z\,(W_1W_2) + (b_1W_2 + b_2)$. Something must bend in
# between. A **multilayer perceptron** (MLP) puts a function $\mathrm{act}$, its *activation*, after each
# layer but the last. Common ones are `tanh`, `relu` (the larger of its input and 0) and *softplus*,
# $\log(1 + e^a)$. One layer, with $N$ examples as the rows of $x$ (a batch of $B$ images, or several samples of each):
#
# $$
# a_{no} = \sum_i x_{ni}W_{io} + b_o, \qquad y_{no} = \mathrm{act}(a_{no}) \tag{1}
# $$
#
# Backward, the activation comes first. $y_{no}$ depends on its own $a_{no}$ only, so the product with
# its Jacobian is entry by entry ($\mathrm{act}'$ is the derivative of $\mathrm{act}$):
#
# $$
# \texttt{da}_{no} = \texttt{dy}_{no}\; \mathrm{act}'(a_{no}) \tag{2}
# $$
#
# Can $\mathrm{act}'(a)$ be had from the output $y$ alone? Then a layer need not keep $a$. For softplus, $e^y = 1 + e^a$, so the
# derivative $e^a/(1 + e^a)$ is $(e^y - 1)/e^y = 1 - e^{-y}$.
#
# **Your turn: tanh.** The same for $\tanh = \sinh/\cosh$. Two blanks.

# %%
def tanh_backward(dy, y):    # (N, O), y = tanh(a) (N, O) -> da (N, O)
    slope = ...              # tanh'(a), written with y alone
    da = ...                 # the chain rule
    return da


check("05.tanh-backward", tanh_backward)

# %% [markdown]
# **Your turn: relu.** At 0 it has a *kink* and no derivative; take 0 there.

# %%
def relu_backward(dy, y):    # (N, O), y = max(a, 0) (N, O) -> da (N, O)
    ...


check("05.relu-backward", relu_backward)

# %% [markdown]
# **Your turn: dense, forward.** The line below is right in a library that keeps `W` as (O, I) and takes one example, a
# column, at a time. Mend it, so that it gives the $a$ of eq. (1).

# %%
def my_dense(x, W, b):    # (N, I), (I, O), (O,) -> (N, O)
    return W @ x + b


check("05.dense", my_dense)

# %% [markdown]
# **Your turn: dense, backward.** Notebook 04 had this for its decoder. Without looking back, take the four steps of 5.2 with $a_{no} = \sum_i x_{ni}W_{io} + b_o$. Which entries of `a` does
# $W_{io}$ reach, and with which factor? And $b_o$? And $x_{ni}$?

# %%
def my_dense_backward(da, x, W):    # (N, O), (N, I), (I, O)
    ...                             # -> dx (N, I), dW (I, O), db (O,)


check("05.dense-backward", my_dense_backward)

# %% [markdown]
# Now the answers. The quotient rule gives $\tanh' = (\cosh^2 - \sinh^2)/\cosh^2 = 1 - \tanh^2$,
# which is $1 - y^2$. relu has the slope 1 where it is on, and 0
# where it is off: such a unit learns nothing from that example.
#
# $W_{io}$ reaches $a_{no}$ in every example $n$, with the factor $x_{ni}$; $b_o$
# does so with the factor 1; $x_{ni}$ reaches $a_{no}$ for every output $o$, with the factor $W_{io}$ ($x^\top$ is the transpose):
#
# $$
# \texttt{dW}_{io} = \sum_n x_{ni}\,\texttt{da}_{no}
# \quad\Longrightarrow\quad \texttt{dW} = x^\top\,\texttt{da} \tag{3}
# $$
#
# $$
# \texttt{db}_o = \sum_n \texttt{da}_{no} \tag{4}
# $$
#
# $$
# \texttt{dx}_{ni} = \sum_o \texttt{da}_{no}\,W_{io}
# \quad\Longrightarrow\quad \texttt{dx} = \texttt{da}\,W^\top \tag{5}
# $$
#
# In numbers: three examples, two inputs, two relu units, no bias. Shaded is what $W_{01}$ meets forward, and what its gradient is made of.

# %%
few = {"x": np.array([[1, 2], [-1, 1], [2, 0]]), "W": np.array([[2, -1], [1, 1]])}
few["a"] = few["x"] @ few["W"]
few["y"] = np.maximum(few["a"], 0)
few["dy"] = np.array([[1, 2], [3, -1], [-2, 4]])
few["da"] = few["dy"] * (few["a"] > 0)                    # eq. (2): relu's slope is 1 or 0
few["dW"] = few["x"].T @ few["da"]                        # eq. (3)
few["dx"] = few["da"] @ few["W"].T                        # eq. (5)

# %%
second = np.s_[:, 1]                                      # the second unit, in every example
touched = {"x": np.s_[:, 0], "W": np.s_[0, 1], "dW": np.s_[0, 1]} | dict.fromkeys(("a", "y", "dy", "da"), second)
fig, axes = plots.figure(6.4, 2.9, 2, 4)
number_tables(axes.flat, {name: few[name] for name in ("x", "W", "a", "y", "dx", "dW", "da", "dy")}, touched)
fig

# %% [markdown]
# Read the upper row from the left (forward), the lower one from the right (backward). $W_{01}$ multiplies the first input of every example, and
# adds to the second unit of every example. So its
# gradient is the first column of $x$ times the second column of `da`: $1\cdot2 + (-1)(-1) + 2\cdot0 = 3$.
# (The 4 of `dy` does not arrive: that unit is off.)
#
# What is shared in the forward pass is summed in the backward pass: $W$ and $b$ serve all
# examples.

# %%
ACT = {"tanh": np.tanh, "relu": lambda a: np.maximum(a, 0), "softplus": lambda a: np.log1p(np.exp(a)),
       "none": lambda a: a}                               # softplus overflows for large a: 5.5 mends that
SLOPE = {"tanh": lambda y: 1 - y**2, "relu": lambda y: y > 0, "softplus": lambda y: 1 - np.exp(-y),
         "none": lambda y: 1}                             # from the output y


def dense(x, W, b, activation):
    """eq. (1): x (N, I), W (I, O), b (O,) -> y (N, O), and what the backward needs."""
    y = ACT[activation](x @ W + b)
    return y, (x, W, y, activation)


def dense_backward(dy, cache):
    """eqs. (2) to (5): dy (N, O) -> dx (N, I), dW (I, O), db (O,)."""
    x, W, y, activation = cache
    da = dy * SLOPE[activation](y)                        # eq. (2)
    return da @ W.T, x.T @ da, da.sum(axis=0)             # eqs. (5), (3), (4)


dy = rng.standard_normal((4, 2))
for activation in ACT:
    by_hand = dense_backward(dy, dense(inputs, W, b, activation)[1])
    found = errors(lambda *args, kind=activation: dense(*args, kind)[0], (inputs, W, b), dy, by_hand)
    package = ops.dense_backward(dy, ops.dense_forward(inputs, W, b, activation)[1])
    same = all(np.allclose(ours, its) for ours, its in zip(by_hand, package, strict=True))
    print(f"{activation}: dx, dW, db, errors below 1e-8: {(found < 1e-8).all()}; as ops: {same}")

# %% [markdown]
# ## 5.4  Why go backward?
#
# Moving each weight gave the gradient too, without any calculus. Compare the cost, in multiplications, for a usual VAE. A
# product of a layer needs as many for each image as the layer has weights; what is done once for each *unit*, as `tanh`, is left out.
#
# **Predict first.** A backward pass, with the gradients of all 423,600 weights, costs `"less than two"`, `"about seven"` (one for each
# weight matrix), or `"about 423,600"` forward passes?

# %%
predict("05.backward-cost", ...)

# %%
spec = vae.Spec(data_dim=784, hidden=(200, 200), latent_dim=50)
flat = vae.init_params(spec, rng)                         # all parameters in one vector
weights_of = {name: W.shape for name, W in vae.unpack(flat, spec).items() if name.endswith("_W")}
forward = sum(rows * columns for rows, columns in weights_of.values())
backward_cost = 2 * forward - np.prod(weights_of["enc1_W"])  # a product for dW and one for dx,
                                                             # which the image does not need
print(f"forward pass       {forward:15,d} multiplications")
print(f"backward pass      {backward_cost:15,d}, which is {backward_cost / forward:.2f} forward passes")
evaluations = flat.size + 1                               # one for each parameter moved, and one with none moved
print(f"differences        {evaluations * forward:15,d}, which is {evaluations:,} forward passes")
reveal("05.backward-cost")

# %% [markdown]
# A backward pass serves all parameters at once, for two reasons. All paths *through* a box share its gradient, which is computed once: `dz` in 5.1 serves `mu`, `sigma`, and all
# that lies before them. And a loss is *one* number, so what comes back to an array is an array of its own shape, not a matrix with
# a row for each output.
#
# The other direction works too. Start at one weight, go along the same arrows towards the loss, and find for each value how fast it
# changes with that weight:

# %%
def carried_forward(weight):
    """How fast each value of 5.1 changes with this weight."""
    rate = dict.fromkeys(PLACES, 0.0) | {weight: 1.0}
    for (start, tip), slope in LOCAL.items():             # in the order of the lines of 5.1
        rate[tip] += rate[start] * slope
    return rate


for weight in weights:
    rate = carried_forward(weight)
    print(f"from {weight:9s}", ", ".join(f"{name} {rate[name]:+.2f}" for name in rate if rate[name]))

# %% [markdown]
# Each row ends with a gradient of 5.1, but with that of one weight alone: the next one needs a pass of its own. This is called
# *forward mode*, and a backward pass *reverse mode*. For a function of few inputs with many outputs, forward mode is usually
# the cheaper one; you count both in `05.directions`.
#
# The price of going backward is memory: it asks for values of the forward pass (`mean - x`, `z`, `sigma`), which are kept until
# then: the *cache* in the code of 5.3.
#
# ## 5.5  What should a network say about a black-and-white pixel?
#
# A binary pixel $x$ is 1 with a probability $p$ and 0 otherwise, and a decoder has to output $p$
# for each. A dense layer outputs any real number $l$, a **logit**, and takes it to be the
# logarithm of the odds, $l = \log\frac{p}{1-p}$. Solve for $p$: $e^l = p/(1-p)$, so
# $p\,(1 + e^l) = e^l$, and
#
# $$
# p = \frac{e^l}{1+e^l} = \frac{1}{1+e^{-l}} = \mathrm{sigmoid}(l) \tag{6}
# $$
#
# The loss for the pixel is $-\log$ of the probability that the decoder gave to the pixel's value:
# $-x\log p - (1-x)\log(1-p)$. From eq. (6), $\log p = l - \log(1+e^l)$ and
# $\log(1-p) = -\log(1+e^l)$. Put both in, sum over the $D$ pixels of an image, and
#
# $$
# \texttt{nll} = -\log p(x\mid z) = \sum_d \log\!\left(1+e^{l_d}\right) - x_d\, l_d \tag{7}
# $$
#
# (For a grey $x$ between 0 and 1 this is the *cross-entropy*: the average loss if the pixel were drawn with that
# probability.)
#
# In a computer, the ways to write eq. (7) differ. Take a decoder that is sure that a
# pixel is 1, with ever larger logits, once where it is wrong ($x = 0$, the loss should be about
# $l$) and once where it is right ($x = 1$, the loss should be about $e^{-l}$). In float32.
#
# **Predict first.** Compute $p$ by eq. (6), then $-\log(1 - p)$, for a logit of 20 and $x = 0$. The loss is `"about 20"`, `"0"` or
# `"infinite"`?

# %%
predict("05.at-twenty", ...)

# %%
def through_p(l, x):
    p = 1 / (1 + np.exp(-l))
    return -np.log(p if x else 1 - p)


def with_small(l, x):
    p = 1 / (1 + np.exp(-l))
    return -np.log((p if x else 1 - p) + np.float32(1e-8))


def as_it_stands(l, x):
    return np.log(1 + np.exp(l)) - x * l


sure = np.array([5, 15, 20, 100], np.float32)
for pixel in (0, 1):
    print(f"x = {pixel}, logits              " + "".join(f"{v:10.3g}" for v in sure))
    for form in (through_p, with_small, as_it_stands):
        with np.errstate(all="ignore"):                   # some of these overflow, on purpose
            print(f"       {form.__name__:20s}" + "".join(f"{v + 0:10.3g}" for v in form(sure, pixel)))
reveal("05.at-twenty")

# %% [markdown]
# - `through_p`: off at 15 already, since few digits of $1 - p$ are left. At 20, $p$ has rounded to exactly 1, and
#   the loss is infinite where $x = 0$ and 0 where $x = 1$.
# - `with_small`: the popular `+ 1e-8` is finite and wrong. It caps the loss near 18 nats where the decoder is
#   wrong. And since $p$ has rounded to 1 there, the gradient is 0: nothing in this pixel mends the mistake.
# - `as_it_stands`: eq. (7). Its exponential overflows at 100; and where $x = 1$ it computes
#   $l + (\text{something tiny}) - l$, and the tiny part, which is the loss, is lost.
#
# **Your turn: the likelihood.** Write eq. (7) so that no logit gives an infinite loss, and so that the small loss of a pixel which is
# right and almost sure is kept. Do the subtraction on paper, for $l > 0$ and for $l \le 0$.

# %%
def my_bernoulli_nll(logits, x):    # (B, D), (B, D) -> (B,) nats; x from 0 to 1, grey too
    ...                             # logits of +-1000 must work


check("05.bernoulli-nll", my_bernoulli_nll)

# %% [markdown]
# For $l > 0$, $\log(1 + e^l) - xl = (1 - x)\,l + \log(1 + e^{-l})$; for $l \le 0$, it is $-x\,l + \log(1 + e^{l})$. In one line:
#
# $$
# \log(1+e^l) - x\,l = \big([l > 0] - x\big)\,l + \log\!\big(1 + e^{-|l|}\big),
# \qquad [l > 0] = 1 \text{ or } 0
# $$
#
# For $x$ between 0 and 1 neither term is ever negative, so the two cannot cancel. This is the form of `ops.py`.

# %%
def bernoulli_nll(logits, x):
    """eq. (7): (B, D), (B, D) -> (B,) nats."""
    return (((logits > 0) - x) * logits + np.log1p(np.exp(-np.abs(logits)))).sum(axis=1)


for pixel in (0, 1):
    rows = np.full((len(sure), 1), pixel, np.float32)
    print(f"x = {pixel}, logits 5 to 100: " + "".join(f"{v:10.3g}" for v in bernoulli_nll(sure[:, None], rows)))

# %% [markdown]
# **Your turn: the sigmoid.** Eq. (6) has two forms, and each overflows on one side: there one of them gives NaN, the other 0 with a
# warning. Write one that does neither, and keeps the digits of tiny probabilities.

# %%
def my_sigmoid(logits):    # any shape -> the same shape; logits of +-1000 must work
    ...


check("05.sigmoid", my_sigmoid)

# %% [markdown]
# **Your turn: the gradient.** Differentiate eq. (7) with respect to a logit. One `dnll` arrives
# for each image.

# %%
def my_bernoulli_nll_backward(dnll, logits, x):    # (B,), (B, D), (B, D) -> dlogits (B, D)
    ...                                            # logits of +-1000 must work


check("05.bernoulli-nll-backward", my_bernoulli_nll_backward)

# %% [markdown]
# The derivative of $\log(1+e^l)$ is $e^l/(1+e^l)$, which is the sigmoid, and that of $-x\,l$ is $-x$:
#
# $$
# \texttt{dlogits} = \texttt{dnll}\,\left(\mathrm{sigmoid}(l) - x\right) \tag{8}
# $$
#
# Probability minus truth: no logarithm and no division by something small is left. (Where $x = 1$ and $p$ is nearly 1, float32 loses
# digits of $p - 1$. They would hardly move a weight.)

# %%
def bernoulli_nll_backward(dnll, logits, x):
    """eq. (8): (B,), (B, D), (B, D) -> (B, D)."""
    small = np.exp(-np.abs(logits))                       # between 0 and 1: nothing overflows
    p = np.where(logits > 0, 1, small) / (1 + small)
    return dnll[:, None] * (p - x)


logits, pixels = rng.standard_normal((3, 5)), (rng.random((3, 5)) < 0.5).astype(float)
dnll = rng.standard_normal(3)
dlogits = bernoulli_nll_backward(dnll, logits, pixels)
found = errors(lambda l: bernoulli_nll(l, pixels), (logits,), dnll, (dlogits,))
package_nll, cache = ops.bernoulli_nll_forward(logits, pixels)
print("dlogits has an error below 1e-8:", found[0] < 1e-8)
print("nll as ops:", np.allclose(package_nll, bernoulli_nll(logits, pixels)), end="; ")
print("dlogits as ops:", np.allclose(dlogits, ops.bernoulli_nll_backward(dnll, cache)))

# %% [markdown]
# ## 5.6  And about a measured number?
#
# For pixels or measurements that take any value, notebook 04 had a Gaussian around a mean, with a learned variance: one number
# `logvar` $= \log\sigma^2$, shared by all pixels of all images.
#
# **Your turn: the Gaussian.** Take it from the density
# $p(x_d\mid z) = e^{-(x_d - \texttt{mean}_d)^2/2\sigma^2} / \sqrt{2\pi\sigma^2}$.

# %%
def my_gaussian_nll(mean, logvar, x):    # (B, D), (1,), (B, D) -> (B,) nats
    ...                                  # all pixels share one variance exp(logvar)


check("05.gaussian-nll", my_gaussian_nll)

# %% [markdown]
# **Your turn: its gradients.** Of `mean` and of the one `logvar`.

# %%
def my_gaussian_nll_backward(dnll, mean, logvar, x):    # (B,), (B, D), (1,), (B, D)
    ...                                                 # -> dmean (B, D), dlogvar (1,)


check("05.gaussian-nll-backward", my_gaussian_nll_backward)

# %% [markdown]
# The answers, with $n$ for the image:
#
# $$
# \texttt{nll} = \tfrac12\sum_d\left(\frac{(x_d - \texttt{mean}_d)^2}{\sigma^2}
# + \texttt{logvar} + \log 2\pi\right) \tag{9}
# $$
#
# $$
# \texttt{dmean} = \texttt{dnll}\;\frac{\texttt{mean} - x}{\sigma^2} \tag{10}
# $$
#
# $$
# \texttt{dlogvar} = \sum_n \texttt{dnll}_n\;\tfrac12\left(D
# - \sum_d \frac{(x_{nd}-\texttt{mean}_{nd})^2}{\sigma^2}\right) \tag{11}
# $$
#
# Eq. (11) sums over everything that shares the variance, here all pixels of all images.

# %%
def gaussian_nll(mean, logvar, x):
    """eq. (9): (B, D), (1,), (B, D) -> (B,) nats."""
    return 0.5 * ((x - mean) ** 2 * np.exp(-logvar) + logvar + np.log(2 * np.pi)).sum(axis=1)


def gaussian_nll_backward(dnll, mean, logvar, x):
    """eqs. (10), (11) -> dmean (B, D), dlogvar (1,)."""
    dmean = dnll[:, None] * (mean - x) * np.exp(-logvar)
    each = dnll[:, None] * 0.5 * (1 - (x - mean) ** 2 * np.exp(-logvar))
    return dmean, each.sum(keepdims=True)[0]


means, values, shared = rng.standard_normal((3, 5)), rng.standard_normal((3, 5)), np.array([0.4])
by_hand = gaussian_nll_backward(dnll, means, shared, values)
found = errors(lambda m, v: gaussian_nll(m, v, values), (means, shared), dnll, by_hand)
print("dmean, dlogvar have errors below 1e-8:", (found < 1e-8).all())

# %% [markdown]
# And the mean squared error, `((x - mean)**2).mean()`? At a fixed $\sigma^2$, eq. (9) is $\mathrm{squares}/2\sigma^2$ plus a constant,
# and the mean over $D$ pixels is $\mathrm{squares}/D$. So it is a Gaussian with $\sigma^2 = D/2$: for 784 pixels $\sigma = \sqrt{392} \approx 20$, though
# pixels between 0 and 1 are never further than 1 apart. The squares then count for little beside a KL.
#
# ## 5.7  Does the chain hold, and what does a mistake spoil?
#
# For a whole network, run the layers forward, keep the caches, and run them
# backward in the opposite order, each `dx` being the `dy` of the one before. Here: dense with tanh,
# dense, Gaussian. Three mistakes can be switched on: `dmean` doubled, `dW2` divided by the number of
# examples, the slope of tanh forgotten.

# %%
def loss_and_grads(params, z, x, mistake=None):
    """A network z -> x with one hidden layer: its mean nll and the gradient of each block."""
    y1, cache1 = dense(z, params["W1"], params["b1"], "tanh")
    mean, cache2 = dense(y1, params["W2"], params["b2"], "none")
    nll = gaussian_nll(mean, params["logvar"], x)
    grads = {}
    dnll = np.full(len(x), 1 / len(x))                    # loss = mean of nll
    dmean, grads["logvar"] = gaussian_nll_backward(dnll, mean, params["logvar"], x)
    if mistake == "dmean doubled":
        dmean = 2 * dmean
    dy1, grads["W2"], grads["b2"] = dense_backward(dmean, cache2)
    if mistake == "dW2 divided by N":
        grads["W2"] = grads["W2"] / len(x)
    if mistake == "1 - y**2 forgotten":
        cache1 = (*cache1[:-1], "none")
    _, grads["W1"], grads["b1"] = dense_backward(dy1, cache1)
    return nll.mean(), grads


curve_z = rng.uniform(-3, 3, (300, 1))
noise = 0.2                                               # its standard deviation
curve_x = np.sin(2 * curve_z) + noise * rng.standard_normal((300, 1))
net = {"W1": 2 * rng.standard_normal((1, 20)), "b1": 2 * rng.standard_normal(20)}
net |= {"W2": 0.1 * rng.standard_normal((20, 1)), "b2": np.zeros(1), "logvar": np.zeros(1)}

# %% [markdown]
# **Predict first.** If `dW2` is divided by the number of examples by mistake, which other gradients are wrong: `"none"`,
# `"those of W1 and b1"`, or `"all"`?

# %%
predict("05.what-it-spoils", ...)

# %%
numeric = {
    name: central_differences(
        lambda block, name=name: loss_and_grads(net | {name: block}, curve_z, curve_x)[0], net[name]
    )
    for name in net
}
for mistake in (None, "dW2 divided by N", "dmean doubled", "1 - y**2 forgotten"):
    _, grads = loss_and_grads(net, curve_z, curve_x, mistake)
    wrong = [name for name in net if not error(grads[name], numeric[name]) < 1e-8]
    print(f"{mistake or 'as it should be':20s} wrong: {', '.join(wrong) or 'nothing'}")
reveal("05.what-it-spoils")

# %% [markdown]
# A mistake in the backward pass can spoil only what is computed from it. From `dW2` nothing is computed. `dmean` is passed to all blocks
# before it; `logvar` is beside it. So read a check from the last layer to the first, and look for the mistake at the first wrong block
# that you meet, or between it and the last right one.
#
# And a mistake in the *loss*? Somebody forgets the `logvar` in eq. (9), and derives the gradient of what is left with care.
#
# **Predict first.** The check says of `dlogvar`: `"right"` or `"wrong"`?

# %%
predict("05.wrong-loss", ...)

# %%
def without_logvar(mean, logvar, x):
    return 0.5 * ((x - mean) ** 2 * np.exp(-logvar) + np.log(2 * np.pi)).sum(axis=1)


careful = (-0.5 * dnll[:, None] * (values - means) ** 2 * np.exp(-shared)).sum(keepdims=True)[0]
found = errors(lambda v: without_logvar(means, v, values), (shared,), dnll, (careful,))
print("the wrong loss: dlogvar has an error below 1e-8:", found[0] < 1e-8)
at_three = [without_logvar(means, np.array([v]), values).mean() for v in (0.0, 5.0, 50.0)]
print("and its values at logvar = 0, 5, 50:", ", ".join(f"{value:.2f}" for value in at_three))
reveal("05.wrong-loss")

# %% [markdown]
# A check compares a loss with its gradient: it tests the *pair*, not the loss. Training with this pair would only ever raise `logvar`. What finds such a
# mistake is a statement about what the loss should *be*; here, for instance, that $p(x\mid z)$ integrates to 1. Notebook 06 goes on with it.
#
# ## 5.8  How far can a difference be trusted?
#
# The checks so far accepted an error below 1e-8. Why not 1e-15, if the gradients are right? The other side of the
# comparison is a central difference with step $h$, which the package has chosen so far:
#
# $$
# \frac{\partial f}{\partial x_i} \approx D(h) = \frac{f(x + h\,e_i) - f(x - h\,e_i)}{2h} \tag{12}
# $$
#
# where $f$ is the function under test, and $e_i$ is 1 in entry $i$ and 0 elsewhere. Expand $f$ around $x$ (one
# variable is enough):
#
# $$
# \begin{aligned}
# f(x \pm h) &= f \pm h f' + \tfrac{h^2}{2}f'' \pm \tfrac{h^3}{6}f''' + \dots \\
# D(h) &= f' + \tfrac{h^2}{6}f''' + \dots
# \end{aligned}
# $$
#
# The even terms cancel, which is why one steps to both sides. What is left is called the **truncation** error, and for
# small $h$ it falls with $h^2$. So the smaller, the better?
#
# Try it on the loss of a small Bernoulli decoder, as a function of its first weights `W1`.
# One of its three latents is measured in other units, so that it is a billion times smaller than the others.

# %%
B, L, H, D = 8, 3, 12, 20
codes, images = rng.standard_normal((B, L)) * [1, 1, 1e-9], (rng.random((B, D)) < 0.5).astype(float)
W1, b1 = rng.standard_normal((L, H)), 0.5 * rng.standard_normal(H)
W2, b2 = 0.5 * rng.standard_normal((H, D)), 0.5 * rng.standard_normal(D)


def decoder_loss(W1, dtype=float):
    y1, _ = ops.dense_forward(codes.astype(dtype), W1, b1.astype(dtype), "tanh")
    logits, _ = ops.dense_forward(y1, W2.astype(dtype), b2.astype(dtype), "none")
    return ops.bernoulli_nll_forward(logits, images.astype(dtype))[0].mean()


def decoder_gradient(W1):
    """dW1, by eqs. (1) to (8)."""
    y1, cache1 = dense(codes, W1, b1, "tanh")
    logits, cache2 = dense(y1, W2, b2, "none")
    dlogits = bernoulli_nll_backward(np.full(B, 1 / B), logits, images)
    dy1, _, _ = dense_backward(dlogits, cache2)
    return dense_backward(dy1, cache1)[1]


decoder_by_hand = decoder_gradient(W1)
entries = list(np.ndindex(W1.shape))
usual, faint = (0, 4), (2, 4)                             # the second belongs to the small latent
print("; ".join(f"entry {i} of dW1: {decoder_by_hand[i]:.0e}" for i in (usual, faint)))

# %% [markdown]
# **Predict first.** For the entry (0, 4), in float64, $h$ goes from $10^{-5}$ down to $10^{-10}$. The error `"falls"`,
# `"stays"` or `"rises"`?

# %%
predict("05.smaller-h", ...)

# %%
def ends(f, x, i, h):
    """f to both sides of the entry i of x, and the distance between the two."""
    right, left = x.copy(), x.copy()
    right[i] += h
    left[i] -= h
    return f(right), f(left), right[i] - left[i]          # 2 h, as rounded: x + h is rounded too


def difference(f, x, i, h):
    """eq. (12): D(h) for the entry i of x."""
    above, below, distance = ends(f, x, i, h)
    return (above - below) / distance


def off_by(i, h):
    """The error of D(h), as a part of the entry."""
    return abs(difference(decoder_loss, W1, i, h) / decoder_by_hand[i] - 1)

# %%
steps = 10.0 ** np.arange(-12, 6.1, 0.25)
u = np.finfo(float).eps
fig, ax = plots.figure(5.8, 3.0)
for i, marker, color in ((usual, "o", plots.BLUE), (faint, "^", plots.RED)):
    label = f"entry {i} of dW1, which is {decoder_by_hand[i]:.0e}"
    ax.loglog(steps, [off_by(i, h) for h in steps], marker, color=color, ms=4, label=label)
    ax.loglog(steps, u * decoder_loss(W1) / abs(decoder_by_hand[i]) / steps, color=color, ls=":", lw=1)
ax.set(xlabel="h", ylabel="error, as a part of the entry", ylim=(1e-14, 30))
ax.set_title("the V: too small is as bad as too large")
ax.legend(loc="lower left", fontsize=8)
reveal("05.smaller-h")
fig

# %% [markdown]
# To the right, each V rises with $h^2$, until tanh saturates: truncation. To the left it rises with $1/h$: that is **rounding**. Numbers near 1 are
# $u \approx 2\cdot 10^{-16}$ apart in float64, so reckon with an error of $u|f|$ in each value of $f$. The subtraction keeps it,
# and the division by $2h$ magnifies it, to $u|f|/h$ at most if both values are off by that much (dotted lines). Where the points lie level at 1, $D(h)$ is 0 or
# nearly so: the step is too small to change $f$, or far too large.
#
# The two entries need steps that are far apart: where one V is lowest, the other is high. How could one find a good $h$ for each, without
# knowing the answer? `05.choose-h` asks you, and 5.11 in the appendix goes on to an error bar.
#
# ## 5.9  A derivative without a difference
#
# The digits were lost in $f(x + h) - f(x - h)$. Suppose that the code of $f$ can compute with complex numbers, and that what it
# computes is **analytic**: it has a Taylor series in the complex variable. Take the step along the imaginary axis, where $i^2 = -1$:
# $f(x + ih) = f + ih f' - \tfrac{h^2}{2}f'' - \tfrac{ih^3}{6}f''' + \dots$ For a real $x$ the imaginary part is $hf'$, up to a term with $h^3$. Read off the slope, here for
# entry $j$ of $x$ (the $i$ is the imaginary unit):
#
# $$
# \frac{\partial f}{\partial x_j} \approx \frac{\mathrm{Im}\, f(x + ih\,e_j)}{h} \tag{13}
# $$
#
# The truncation is $h^2f'''/6$ in size, as before, but no two values of $f$ are subtracted, so $h$ can be $10^{-30}$, whose square is too small to
# matter (Squire and Trapp 1998, *Using complex variables to estimate derivatives of real functions*). This is the **complex step**.

# %%
def by_complex_step(f, x, h=1e-30):
    """eq. (13), entry by entry."""
    gradient = np.empty_like(x)
    for j in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[j] += 1j * h
        gradient[j] = f(moved).imag / h
    return gradient


exact = by_complex_step(decoder_loss, W1)
spoiled = decoder_by_hand.copy()
spoiled[faint] *= -1                                      # a mistake: one faint entry gets the wrong sign
for name, gradient in (("as derived", decoder_by_hand), ("spoiled", spoiled)):
    own = abs(gradient / exact - 1)                       # each entry by its own size
    print(f"{name:10s} by the block's largest entry: error below 1e-8: {error(gradient, exact) < 1e-8}; "
          f"by its own size: {(own < 1e-12).sum()} of {own.size} entries agree to 1e-12")

# %% [markdown]
# The spoiled gradient passes the check that this notebook has used so far, which divides by the *largest* entry of the block. Judged by its own size the
# entry is wrong.
#
# The complex step has its price:

# %%
place = np.array([0.7])
for text, f in (("v**2", lambda v: (v**2).sum()), ("abs(v)**2", lambda v: (np.abs(v) ** 2).sum())):
    print(f"slope of {text:9s} at 0.7 by complex step: {by_complex_step(f, place)[0]:.1f}")

# %% [markdown]
# $f$ must be analytic, and that is more than smooth. On real numbers `v**2` and `abs(v)**2` are one function with
# the slope 1.4, but `abs` of a complex number is real, and the slope is gone. Sums, products, `exp` and `tanh` are analytic around every real number; quotients and `log` too,
# where they are defined; `abs`, `conj` and `.real` are not. So `ops.py` takes no absolute value and compares real parts only; our own
# `bernoulli_nll`, with its `np.abs`, would not do.
#
# For a function of your own there is `gradcheck.check_grad(f, gradient, x)`, which takes the complex step where it can; 5.12 says what
# to give it.

# %% [markdown]
# ## Recap
#
# - The gradient of a value is the sum, over the arrows that leave it, of the gradient at the tip
#   times the local derivative. For arrays that is a vector-Jacobian product: `dy` in, `dx` out, for *all*
#   parameters of our VAE at less than twice the multiplications of the forward pass.
# - Dense: `da = dy * act'(a)`, `dW = x.T @ da`, `db = da.sum(axis=0)`, `dx = da @ W.T`. What is shared forward is summed backward.
# - Bernoulli: `log(1 + exp(l)) - x * l`, written as two terms that are never negative; its gradient is `sigmoid(l) - x`.
# - A difference has a truncation and a rounding error. The complex step subtracts no values of $f$, but $f$ must be analytic.
# - A check compares a loss with its gradient. It cannot know whether the loss is the right one.
#
# ## Exercises
#
# `hint("05.graph")` nudges, `solution("05.graph")` shows the reference. After `from minivae.exercises import
# progress, review`, `progress()` shows what is solved and what comes next, and `review()` asks again what you missed.
#
# ### The rule and its price

# %% [markdown]
# **Numbers through a graph.** Draw the graph on paper, carry the numbers forward, and the gradients back.

# %%
# v = 2,  w = -3,  s = v * w,  t = s + v,  y = t * s,  loss = y / 2 - w
gradients = ...    # (dt, ds, dv, dw)

check("05.graph", gradients)

# %% [markdown]
# **Count.** A bottleneck without biases ties its weights: `y = tanh(x @ W) @ W.T`, with `W` of shape (500, 20). For one
# example, how many multiplications do its matrix products need forward, and backward if `x` needs no gradient? And
# central differences for every entry of `W`?

# %%
costs = ...    # (forward, backward, differences)

check("05.cost", costs)

# %% [markdown]
# **Two directions.** A chain of layers $y = x\,W_1W_2\cdots W_k$ has the Jacobian $W_1W_2\cdots W_k$ (or its transpose). It can be
# multiplied together from the inputs' side, $((W_1W_2)W_3)\cdots$, which carries derivatives forward, or from the outputs' side,
# $W_1\cdots(W_{k-1}W_k)$, which carries them backward. How many multiplications does each take? Then try yours on the widths
# `[2, 1, 100, 100]`. There are fewer inputs than outputs: why is the outputs' side the cheaper one even so?

# %%
def jacobian_costs(widths):    # [inputs, ..., outputs], two layers or more
    ...                        # -> (from the inputs' side, from the outputs' side)


check("05.directions", jacobian_costs)

# %% [markdown]
# ### Mistakes

# %% [markdown]
# **What does it spoil?** No code: predict. A layer computes `y = relu(x @ W + b)` for two examples, and its backward pass
# forgets the derivative of relu, so that it takes `da = dy`. Mark with `True` the entries that are wrong.

# %%
# x = [[0, 2],      y = [[0, 4],      no entry of dy is 0
#      [1, 3]]           [2, 0]]
# da and dW: two rows of two, such as [[True, False], [True, False]]; in dW row i belongs to
# input i and column o to output o. db: two entries, such as [True, False].
spoiled_entries = ...    # (da, dW, db)

check("05.spoiled", spoiled_entries)

# %% [markdown]
# **What no check can see.** Write a Gaussian likelihood with a mistake, and the gradients of *that*, so that a gradient check says right.
# The loss should be lowest where `exp(logvar)` is *twice* the mean of `(x - mean)**2`.

# %%
def wrong_pair(mean, logvar, x):    # (B, D), (1,), (B, D)
    ...                             # -> nll (B,), dmean (B, D), dlogvar (1,), each dnll 1


check("05.blind-pair", wrong_pair)

# %% [markdown]
# **Mend the NaN.** The likelihood of one label among $C$, as minus the log of a softmax, and its gradient. It is right on paper. In
# float32, with entries of $\pm 1000$, it should be right without a NaN and without a warning.

# %%
def class_nll(a, t):  # (N, C), one-hot (N, C) -> nll (N,), da (N, C) for dnll = 1
    p = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)  # softmax
    nll = -np.log((t * p).sum(axis=1))
    dp = -t / p
    return nll, p * (dp - (dp * p).sum(axis=1, keepdims=True))  # the rule of 5.2


check("05.nan-gradient", class_nll)

# %% [markdown]
# ### Layers that this text left out
#
# Derive each backward pass with the four steps of 5.2. The cell below each of them asks the gradient check of the package.

# %%
def verdict_on(f, gradient, x):
    """What the package's check says of a gradient, once there is one."""
    return "nothing to check yet" if gradient(x) is None else gradcheck.check_grad(f, gradient, x).sentence

# %% [markdown]
# **The log of a sum of exponentials.** $y_n = \log\sum_i e^{a_{ni}}$, one number for each row. Notebooks 09 and 10 need its gradient.

# %%
def logsumexp_backward(dy, a):    # (N,), (N, I) -> da (N, I); a of +-1000 must work
    ...


check("05.logsumexp-backward", logsumexp_backward)

# %%
random_dy, point = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
verdict_on(
    lambda a: (random_dy[:, 0] * np.log(np.exp(a).sum(axis=1))).sum(),
    lambda a: logsumexp_backward(random_dy[:, 0], a),
    point,
)

# %% [markdown]
# **Layer normalisation.** Each row is shifted and scaled so that it has mean 0 and variance 1: `y = (x - m) / s`, where `m`
# and `s` are the row's own mean and standard deviation (`s**2` is the mean of `(x - m)**2`). Both depend on every
# entry of the row.

# %%
def layer_norm_backward(dy, x):    # (N, I), (N, I) -> dx (N, I)
    ...


check("05.layer-norm-backward", layer_norm_backward)

# %%
def normalised_loss(x):
    return (random_dy * (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)).sum()


verdict_on(normalised_loss, lambda x: layer_norm_backward(random_dy, x), point)

# %% [markdown]
# **Tied weights.** `y = tanh(x @ W) @ W.T`. `W` is used twice.

# %%
def tied_backward(dy, x, W):    # (N, I), (N, I), (I, H)
    ...                         # -> dx (N, I), dW (I, H)


check("05.tied-backward", tied_backward)

# %%
def tied_part(k, *args):
    """The part k of the answer: dx or dW."""
    found = tied_backward(random_dy, *args)
    return found[k] if found is not None else None


def tied_loss(x, W):
    return (random_dy * (np.tanh(x @ W) @ W.T)).sum()


tied_W = rng.standard_normal((3, 2))
[
    verdict_on(lambda x: tied_loss(x, tied_W), lambda x: tied_part(0, x, tied_W), point),
    verdict_on(lambda W: tied_loss(point, W), lambda W: tied_part(1, point, W), tied_W),
]

# %% [markdown]
# **A bottleneck with a skip connection.** `y = x + tanh(x @ W1) @ W2`, from I to fewer (H) and back to I.

# %%
def skip_backward(dy, x, W1, W2):    # (N, I), (N, I), (I, H), (H, I)
    ...                              # -> dx (N, I), dW1 (I, H), dW2 (H, I)


check("05.skip-backward", skip_backward)

# %%
narrow, wide = rng.standard_normal((3, 2)), rng.standard_normal((2, 3))


def part(k, *args):
    """The part k of the answer: dx, dW1 or dW2."""
    found = skip_backward(random_dy, *args)
    return found[k] if found is not None else None


def skip_loss(x, W1, W2):
    return (random_dy * (x + np.tanh(x @ W1) @ W2)).sum()


[
    verdict_on(lambda x: skip_loss(x, narrow, wide), lambda x: part(0, x, narrow, wide), point),
    verdict_on(lambda W1: skip_loss(point, W1, wide), lambda W1: part(1, point, W1, wide), narrow),
    verdict_on(lambda W2: skip_loss(point, narrow, W2), lambda W2: part(2, point, narrow, W2), wide),
]

# %% [markdown]
# ### Differences and the complex step

# %% [markdown]
# **Choose h.** The function is unknown: you can only call it. `u` is the distance between numbers near 1 in the
# precision that it computes in. The error at your `h` may be at most ten times the best one. (By what factor does the truncation
# error grow from $h$ to $2h$? What does that make of $D(2h) - D(h)$?)

# %%
def choose_h(f, x, u):    # f: number -> number; x: number; u: 2.2e-16 or 1.2e-7
    ...                   # -> h for (f(x + h) - f(x - h)) / (2 * h)


check("05.choose-h", choose_h)

# %% [markdown]
# **Ready for the complex step.** The Huber loss is a square near 0 and a straight line further out. This code has the right
# value for real residuals, and its complex step gives nonsense. Mend it.

# %%
def huber(r):  # (N,), real or complex -> a number
    size = np.abs(r)
    return np.where(size <= 1, size**2 / 2, size - 0.5).sum()


check("05.complex-ready", huber)

# %% [markdown]
# **Along a direction.** The complex step of 5.9 needs one evaluation for each entry. If only the slope along a direction is
# wanted, as in a check of a large net, one is enough.

# %%
def slope_along(f, x, v):    # f: array -> number, analytic; x, v: arrays of one shape
    ...                      # -> d/dt f(x + t v) at t = 0, from one evaluation of f


check("05.slope-along", slope_along)

# %% [markdown]
# **Next:** notebook 06 joins encoder, sample, decoder and KL into one graph, and takes the
# gradient of all of it.

# %% [markdown]
# # Appendix
#
# No later notebook needs it.
#
# ## 5.10  A graph that records itself
#
# In 5.1 we typed the local derivatives of the graph into a table. But every line of the forward pass knows its own: a product its two factors, a sum
# its ones. So let the numbers record their arrows while they are computed. First the rule of 5.1 as code, for any graph without a cycle:

# %%
def backward(local, last):
    """The gradient of `last` for every box; local: {(start, tip): local derivative}."""
    gradient = {last: 1.0}
    waiting = {box for arrow in local for box in arrow} - {last}
    while waiting:
        for box in sorted(waiting):
            leaving = {tip: slope for (start, tip), slope in local.items() if start == box}
            if all(tip in gradient for tip in leaving):
                gradient[box] = sum(gradient[tip] * slope for tip, slope in leaving.items())
        waiting -= gradient.keys()
    return gradient


by_rule = backward(LOCAL, "loss")
print("the gradients of 5.1, from its table of arrows:", all(np.isclose(by_rule[name], d[name]) for name in d))

# %%
arrows = {}                                               # {(start, tip): local derivative}


class Box:
    """A number that notes the local derivative of every arrow that leads to it."""

    def __init__(self, value, name, **slopes):
        self.value, self.name = value, name
        arrows.update({(start, name): slope for start, slope in slopes.items()})


def times(a, b, name):
    return Box(a.value * b.value, name, **{a.name: b.value, b.name: a.value})


def plus(a, b, name):
    return Box(a.value + b.value, name, **{a.name: 1.0, b.name: 1.0})


def apply(function, slope, a, name):
    return Box(function(a.value), name, **{a.name: slope(a.value)})


# %% [markdown]
# The tiny VAE once more. Each line computes a number, and nobody writes a derivative of the whole:

# %%
arrows.clear()
box = {name: Box(value, name) for name, value in {**weights, "x": x, "eps": eps}.items()}
box["mu"] = times(box["x"], box["W_mu"], "mu")
box["logvar"] = times(box["x"], box["W_logvar"], "logvar")
box["sigma"] = apply(lambda v: np.exp(v / 2), lambda v: np.exp(v / 2) / 2, box["logvar"], "sigma")
box["noise"] = times(box["sigma"], box["eps"], "noise")
box["z"] = plus(box["mu"], box["noise"], "z")
box["mean"] = times(box["z"], box["W_out"], "mean")
box["nll"] = apply(lambda v: (x - v) ** 2 / 2, lambda v: v - x, box["mean"], "nll")
box["mu part"] = apply(lambda v: v**2 / 2, lambda v: v, box["mu"], "mu part")
box["sigma part"] = apply(lambda v: (v**2 - 1) / 2, lambda v: v, box["sigma"], "sigma part")
box["logvar part"] = apply(lambda v: -v / 2, lambda v: -0.5, box["logvar"], "logvar part")
box["two parts"] = plus(box["mu part"], box["sigma part"], "two parts")
box["kl"] = plus(box["two parts"], box["logvar part"], "kl")
box["loss"] = plus(box["nll"], box["kl"], "loss")

recorded = backward(arrows, "loss")
print(f"loss {box['loss'].value:.4f}, by the lines of 5.1 {loss:.4f}; {len(arrows)} arrows were recorded")
print("the gradients of 5.1:", all(np.isclose(recorded[name], d[name]) for name in d))

# %% [markdown]
# This is how PyTorch's *automatic differentiation* works: it records the graph of the forward pass, and knows a vector-Jacobian product for each
# of its operations. (Ours is a sketch: `times` and `plus` need two different boxes, since with `a` twice one of its two arrows would be lost; and `nll`
# takes `x` as a plain number, so that arrow is missing from the gradient of `x`.)
#
# ## 5.11  An error bar for a difference
#
# (`05.choose-h` is the first half of this; try it before you read on.) How good is the best single $h$ for all entries of `dW1`?

# %%
at_best = min(max(off_by(i, h) for i in entries) for h in steps)
print(f"one h for all {len(entries)} entries, the best there is: the worst entry is off by more than "
      f"1e-3 of its size: {at_best > 1e-3}")

# %% [markdown]
# So each entry should have its own, and both errors can be estimated from values of $f$. The step $2h$ has about four times the truncation
# error of $h$, so $D(2h) - D(h)$ is about three times that of $D(h)$: take a third. Rounding: four times the dotted line of 5.8, for safety, with the
# largest of the values that are subtracted:
#
# $$
# \mathrm{bar}(h) = \frac{|D(2h) - D(h)|}{3} + \frac{4\,u\,\max\big(|f(x \pm h)|, |f(x \pm 2h)|\big)}{h} \tag{14}
# $$
#
# Start with a small $h$, enlarge it step by step, and keep the one with the smallest bar. Stop when truncation is the
# larger part: much further out, the expansion may no longer hold.

# %%
def slope_and_bar(f, x, i):
    """The central difference for entry i with the smallest error bar, and that bar: eq. (14)."""
    best = np.nan, np.inf
    for h in 10.0 ** np.arange(-8, 7.1, 0.25):
        above, below, near = ends(f, x, i, h)
        further_above, further_below, far = ends(f, x, i, 2 * h)
        slope = (above - below) / near
        truncation = abs((further_above - further_below) / far - slope) / 3
        rounding = 4 * u * max(abs(v) for v in (above, below, further_above, further_below)) / h
        if truncation + rounding < best[1]:
            best = slope, truncation + rounding
        if truncation > rounding:
            break
    return best


def verdict(a, slope, bar):
    """One entry: by hand a, against slope +- bar."""
    if not abs(a - slope) <= bar:                         # so that NaN is wrong too
        return "wrong"
    return "right" if bar < 1e-3 * abs(slope) else "cannot tell"


def count_verdicts(gradient, slopes, bars):
    said = [verdict(*entry) for entry in zip(gradient.ravel(), slopes, bars)]
    return ", ".join(f"{said.count(v)} {v}" for v in ("right", "wrong", "cannot tell"))

# %% [markdown]
# The gradient as derived, and the spoiled one of 5.9, each entry by its own bar:

# %%
slopes, bars = np.array([slope_and_bar(decoder_loss, W1, i) for i in entries]).T
print("as derived:", count_verdicts(decoder_by_hand, slopes, bars))
print("spoiled   :", count_verdicts(spoiled, slopes, bars))

# %% [markdown]
# (*Cannot tell* means that the two agree within the bar, but that the bar is wider than a thousandth of the slope. So a derivative of 0, as for
# the weights of a relu unit that is off, is never called right here. The check of the package also looks whether $f$ changes at all, and can call it right.)
#
# **Where the bar fails.** It is an estimate, not a bound. It reckons with a rounding error of a few $u|f|$, and a function whose parts are larger than
# itself can be off by more. Take the KL of one latent with $\mu = 0$ near the prior: $e^{\texttt{logvar}} - 1 - \texttt{logvar}$ is a small difference of
# numbers near 1. In the second line 1 is added to it, so that the bar reckons with $u\cdot1$:

# %%
def one_kl(logvar):
    return ((np.exp(logvar) - 1 - logvar) / 2).sum()


near_prior = 0.1 * rng.standard_normal((300, 1))          # 300 values of logvar
kl_slopes = (np.exp(near_prior) - 1) / 2                  # right: notebook 03
for name, f in (("the KL", one_kl), ("the KL + 1", lambda v: 1 + one_kl(v))):
    said = [verdict(a, *slope_and_bar(f, v, 0)) for a, v in zip(kl_slopes.ravel(), near_prior)]
    share = said.count("wrong") / len(said)
    how_many = "more than half" if share > 0.5 else "some" if share > 0 else "none"
    print(f"{name:11s} right derivatives near the prior called wrong: {how_many} of {len(said)}")

# %% [markdown]
# (How many exactly depends on the last bit of each `np.exp`, and so on the processor.) So "wrong" means: look. And "right" trusts that $f$ is
# smooth within the steps taken: at the kink of a relu every $D(h)$ is $\tfrac12$, with a tiny bar (5.12).
#
# ## 5.12  What does the package's check say, and when can it not tell?
#
# `check_grad` takes the complex step where $f$ accepts complex numbers, unless differences contradict it for some entry; and before it calls
# an entry wrong by that alone, differences must confirm it for at least one entry. Elsewhere it uses differences, at many steps, with a bar in which the rounding error of $f$ is measured: values at points very near each other should lie on a straight line, and what does
# not is noise.
#
# It takes the function, its gradient by hand, and a point. Give it float64, a small net with few examples, the same `eps` in every
# call (so that $f$ is a function and not a draw), and a random point, the biases too: with biases of 0, an example that is all 0
# puts every relu of the first layer on its kink.

# %%
def verdict_of(f, gradient, x, name):
    return gradcheck.check_grad(f, gradient, x, name=name).sentence


for name, gradient in (
    ("as derived", decoder_gradient),
    ("spoiled", lambda W1: spoiled),
    ("summed over the batch", lambda W1: B * decoder_gradient(W1)),
):
    print(f"{name:22s} {verdict_of(decoder_loss, gradient, W1, 'W1')}")

# %% [markdown]
# It names the one faint entry, and finds the factor where the mean over the batch was forgotten.
# (For `report = gradcheck.check_grad(...)`, `print(report)` shows a table of the worst entries with their bars, and `report.plot()` the V of each.)
#
# **Where it cannot tell.** Add the constant $10^8$ to the loss. The gradient is the same, but each value is now rounded to about
# $10^{-8}$, and differences lose about half of their digits. The complex step loses none: a constant sits in the real part. But it is only available to the
# first of these two functions; the second uses our own `bernoulli_nll`, with its `np.abs`:

# %%
def raised_loss(W1):
    return decoder_loss(W1) + 1e8


def raised_real_loss(W1):
    y1, _ = dense(codes, W1, b1, "tanh")
    return bernoulli_nll(dense(y1, W2, b2, "none")[0], images).mean() + 1e8


print("takes complex numbers:", verdict_of(raised_loss, decoder_gradient, W1, "W1"))
print("real numbers only:    ", verdict_of(raised_real_loss, decoder_gradient, W1, "W1"))

# %% [markdown]
# "Right" is said of an entry that is not 0 only if its bar is so small that a factor of 1.0001 would show.
#
# **A kink.** At 0 relu has no derivative. Yet every central difference there is one half, and eq. (14) has a tiny bar. The package's check
# looks at both sides:

# %%
def relu_at(v):
    return np.maximum(v, 0).sum()


at_zero = np.array([0.0])
print("eq. (14): {:.3f} +- {:.0e}".format(*slope_and_bar(relu_at, at_zero, 0)))
print("check_grad:", verdict_of(relu_at, lambda v: 1.0 * (v > 0), at_zero, "v"))

# %% [markdown]
# ## 5.13  Does it work in float32?
#
# Networks train in float32, whose $u$ is about $10^{-7}$. It is tempting to check them there as well.
#
# **Predict first.** The same right gradient, all arrays in float32, $h = 10^{-5}$. The error, as a part of the
# largest entry, is about `"1e-7"`, `"1e-4"`, or `"1e-2 or more"`?

# %%
predict("05.float32", ...)

# %%
def block_errors(gradient_at, steps):
    """The error of the whole block dW1, as a part of its largest entry, for each step."""
    return np.array([error(decoder_by_hand, gradient_at(h)) for h in steps])


def by_differences(f, x, h):
    return np.array([difference(f, x, i, h) for i in np.ndindex(x.shape)]).reshape(x.shape)


def loss32(W):
    return decoder_loss(W, np.float32)


block_steps = 10.0 ** np.arange(-14, 0.1, 0.5)
steps32 = (10.0 ** np.arange(-6, 0.1, 0.5)).astype(np.float32)
central64 = block_errors(lambda h: by_differences(decoder_loss, W1, h), block_steps)
central32 = block_errors(lambda h: by_differences(loss32, W1.astype(np.float32), h), steps32)
print("float32, h = 1e-5: error above 1e-2:", central32[np.isclose(steps32, 1e-5)][0] > 1e-2)
print("digits that are right at the best h of all:", int(-np.log10(central32.min())))
print("the same in float64:", int(-np.log10(central64.min())))
reveal("05.float32")

# %% [markdown]
# With seven digits to begin with, even the best $h$ leaves only these few here, and a small mistake cannot be seen. So this
# project trains in float32 and *verifies in float64*, with the same code. Beside the complex step of 5.9:

# %%
imaginary = block_errors(lambda h: by_complex_step(decoder_loss, W1, h), block_steps)

fig, ax = plots.figure(5.6, 3.0)
ax.loglog(steps32, central32, "s--", color=plots.RED, ms=4, label="central differences, float32")
ax.loglog(block_steps, central64, "o-", color=plots.BLUE, ms=4, label="central differences, float64")
shown = np.maximum(imaginary, 1e-17)                      # a perfect 0 has no place on a log axis
ax.loglog(block_steps, shown, "^-.", color=plots.GREEN, ms=4, label="complex step, float64")
ax.axhline(u, color=plots.GREY, ls=":", lw=1, label="u of float64")
ax.set(xlabel="h", ylabel="error of the block", ylim=(1e-17, 10))
ax.set_title("only the complex step goes down to the last digits")
ax.legend(loc="center", bbox_to_anchor=(0.3, 0.3), fontsize=8)
fig

# %% [markdown]
# The complex step follows the same $h^2$ down, goes on where the differences turn back, and then stays near $u$.
#
# ## 5.14  What do other checkers say?
#
# The same functions, each with its right gradient and with wrong ones (one entry, a sign, a transposed block, a lost term, and the
# smallest, a factor of 1 + 1e-4), given to several checkers. The numbers come from a file that
# `python -m minivae compare-checkers` writes. Here are the smooth functions in float64:

# %%
from pathlib import Path

from minivae.studies.checkers import results

folder = next(f for f in (Path("figures"), Path("..") / "figures") if f.is_dir())
compared = results.read(folder / "gradient_checkers.json")
print(f"{'':30s}{'right called wrong':>20s}{'wrong called right':>20s}{'1e-4 off called right':>24s}{'cannot tell':>13s}")
for row in (results.how_many(compared, results.SMOOTH), *results.rows(compared, results.SMOOTH)):
    print(f"{row.name:30s}{row.right_called_wrong:20,d}{row.wrong_called_right:20,d}"
          f"{row.slightly_wrong_called_right:24,d}{row.cannot_tell:13,d}")

# %% [markdown]
# The first row says of how many. Read it with care: minivae's check was mended where it failed on these very functions, and the others never saw
# them; PyTorch's takes a difference of a thousandth for right by default; SciPy's documents no bound, so two are shown; JAX's and
# autograd's look along one random direction only, with a few calls of $f$. The README has the other functions, with kinks, noise and
# float32.
#
# ## 5.15  Does it learn?
#
# The network of 5.7, trained with its gradients, learns a curve and its noise:

# %%
n_steps, losses, trained = 3000, [], dict(net)
for step in range(n_steps):
    loss_now, grads = loss_and_grads(trained, curve_z, curve_x)
    losses.append(loss_now)
    for name in trained:
        trained[name] = trained[name] - 0.04 * (1 - step / n_steps) * grads[name]

learned = np.exp(trained["logvar"][0] / 2)
grid = np.linspace(-3, 3, 200)[:, None]
curve = np.tanh(grid @ trained["W1"] + trained["b1"]) @ trained["W2"] + trained["b2"]
print(f"nll from {losses[0]:.2f} to {losses[-1]:.2f} nats; learned sigma {learned:.2f}, the data's noise {noise:.2f}")

fig, ax = plots.figure(5.4, 2.1)
ax.plot(curve_z, curve_x, ".", color=plots.GREY, ms=3, label="data")
ax.fill_between(grid[:, 0], *(curve + [-2 * learned, 2 * learned]).T, color=plots.BLUE, alpha=0.2)
ax.plot(grid, curve, color=plots.BLUE, ls="-", label="mean, and 2 sigma to each side")
ax.set(xlabel="z", ylabel="x", ylim=(-1.7, 2.3), title="a small decoder, trained with these gradients")
ax.legend(loc="upper right", fontsize=7, ncols=2)
fig

# %% [markdown]
# (A negative nll is no mistake: where a density exceeds 1, minus its log is below zero.) This is a decoder; notebook 06 puts
# an encoder before it.
#
# ## Exercises of the appendix

# %% [markdown]
# **An error bar for another difference.** $D(h) = (f(x + h) - f(x))/h$ steps to one side only. What is its truncation, and how
# does it show in $D(2h) - D(h)$? The bar should be at least the error, and at most forty times as large.

# %%
def one_sided_bar(f, x, h, u):    # f: number -> number; u: 2.2e-16 or 1.2e-7
    ...                           # -> a bar for the error of (f(x + h) - f(x)) / h


check("05.one-sided-bar", one_sided_bar)

# %% [markdown]
# **Write the check.** Planted mistakes wait for it: a lost factor, a wrong last entry, a wrong
# shape, a NaN, a faint entry. A right gradient must pass, and none of these may. Some entries are hidden in the rounding error of $f$, and there
# (no bar is below a thousandth of the entry) the answer is `False`, whatever the gradient. No gradient here has an entry that should be 0, which no such
# bar can confirm. `slope_and_bar` is a start and not enough, since some of these $f$ are rounded to
# more than a few $u|f|$, as the KL of 5.11 is. How could you measure it? (Not every $f$ here takes complex numbers.)

# %%
def gradient_check(f, df, x):    # f: array -> float; df: array -> array; x: any shape
    ...                          # -> True if df(x) is seen to be the gradient, else False


check("05.gradient-check", gradient_check)

# %% [markdown]
# Your check (the reference's, until yours passes) on the gradients that you derived for layer normalisation and for the skip connection. It says
# `False` while there is nothing to check.

# %%
own_check = use("05.gradient-check", gradient_check)
print("layer normalisation:", own_check(normalised_loss, lambda x: layer_norm_backward(random_dy, x), point))
print("skip connection, dx:", own_check(lambda x: skip_loss(x, narrow, wide), lambda x: part(0, x, narrow, wide), point))

# %% [markdown]
# **After the appendix:** notebook 06 takes the gradient of a whole VAE, and checks it by differences and by the complex step.
