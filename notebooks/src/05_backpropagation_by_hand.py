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
# - say what a multilayer perceptron is, and carry a gradient back through each of its parts;
# - write the Bernoulli and the Gaussian likelihood with their gradients, without a NaN at the
#   edges;
# - check a gradient to sixteen digits, and say how far each kind of check can be trusted.
#
# **Builds on** notebooks 03 and 04, and on their central differences. Reading time: 40 minutes.

# %%
import sys; sys.path[:0] = [".", ".."]

import numpy as np

from minivae import ops, plots
from minivae.gradcheck.differences import central_differences
from minivae.exercises import check, hint, predict, recall, reveal, solution

plots.notebook_style()
rng = np.random.default_rng(5)

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("05", ..., ..., ...)

# %% [markdown]
# ## 5.1  What is between z and x?
#
# The decoder of notebook 04 was `z @ W + b`, a straight line. Digits do not lie on a straight
# line. Would two such layers, one after the other, do better? Multiply out:
#
# $$
# (zW_1 + b_1)\,W_2 + b_2 = z\,(W_1W_2) + (b_1W_2 + b_2)
# $$
#
# That is one straight line again. Something must bend in between. A **multilayer perceptron**
# (MLP) puts a bend $f$, its *activation*, after each layer but the last. The usual bends are `tanh`,
# and `relu`, which is the larger of its input and 0.

# %%
H = 6                                                     # hidden units
W1 = np.full((1, H), 2.0)                                 # chosen by hand, for a clear picture
b1 = -2 * np.linspace(-2.5, 2.5, H)
W2, b2 = np.array([[0.5], [-0.9], [0.6], [0.6], [-0.9], [0.5]]), np.zeros(1)
z = np.linspace(-3, 3, 200)[:, None]                      # (200, 1)
hidden = np.tanh(z @ W1 + b1)                             # (200, H)
bent, straight = hidden @ W2 + b2, (z @ W1 + b1) @ W2 + b2

# %%
fig, (left, right) = plots.figure(7.6, 3.2, 1, 2)
left.plot(z, hidden, color=plots.GREY, ls="-", lw=1.2)
left.set(xlabel="z", ylabel="tanh(z W1 + b1)", title=f"{H} hidden units: a bend each")
right.plot(z, bent, color=plots.BLUE, ls="-", label="with tanh between")
right.plot(z, straight, color=plots.RED, ls="--", label="without")
right.set(xlabel="z", ylabel="output", title="their weighted sum is a curve")
right.legend(fontsize=8)
fig

# %% [markdown]
# Each hidden unit contributes one bend, at a place and of a steepness that `W1` and `b1` set; `W2`
# weighs and adds them. With enough units the sum comes as close as one likes to any continuous
# curve on an interval (Cybenko 1989), and training has to find the weights. For that it needs the
# slope of the loss by every one of them.

# %% [markdown]
# ## 5.2  What does a backward pass compute?
#
# A layer takes an array $x$ to an array $y$. All its slopes together, $\partial y_j/\partial x_i$
# for each pair of entries, are its *Jacobian*. How large is that for one layer of a VAE on a batch
# of digits?

# %%
B, D, H = 100, 784, 200
print(f"outputs {B * H:,}, inputs {B * D:,}, entries of the Jacobian {B * H * B * D:,}")

# %% [markdown]
# Nobody stores that, and nobody needs it. The loss is *one number*, and the chain rule asks for a
# sum over outputs only:
#
# $$
# \frac{\partial\,\mathrm{loss}}{\partial x_i}
# = \sum_j \frac{\partial\,\mathrm{loss}}{\partial y_j}\,\frac{\partial y_j}{\partial x_i},
# \qquad\text{in code: } \texttt{dx}_i = \sum_j \texttt{dy}_j\,\frac{\partial y_j}{\partial x_i}.
# $$
#
# Write all entries of `dy` in one row and all of `dx` in another: the row `dy`, times the Jacobian,
# is the row `dx`. That is a **vector-Jacobian product**. A backward pass is a function that computes this
# product without ever writing the Jacobian down. (`dx` always means
# $\partial\,\mathrm{loss}/\partial x$, an array of the shape of `x`.)
#
# For a layer small enough, write it down anyway and look.

# %%
x, W, b = rng.standard_normal((4, 3)), rng.standard_normal((3, 2)), rng.standard_normal(2)


def layer(x):
    return np.tanh(x @ W + b)                             # (4, 3) -> (4, 2)


jacobian = np.empty((4, 2, 4, 3))                         # every output by every input
for n, o in np.ndindex(4, 2):
    jacobian[n, o] = central_differences(lambda x, n=n, o=o: layer(x)[n, o], x)

dy = rng.standard_normal((4, 2))
dx = np.einsum("no,noki->ki", dy, jacobian)               # dy times the Jacobian
shortcut = central_differences(lambda x: (dy * layer(x)).sum(), x)
print("dy times the Jacobian is the slope of the number sum(dy * y):", np.allclose(dx, shortcut))

# %%
fig, ax = plots.figure(5.2, 3.2)
picture = ax.imshow(np.abs(jacobian).reshape(8, 12), cmap="gray_r")
ax.grid(False)
ax.set(xlabel="inputs: 4 examples of 3", ylabel="outputs: 4 of 2")
ax.set(xticks=np.arange(-0.5, 12, 3), yticks=np.arange(-0.5, 8, 2), xticklabels=[], yticklabels=[])
ax.set_title("a Jacobian is mostly zeros")
fig.colorbar(picture, label="size of the slope")
fig

# %% [markdown]
# An example's outputs depend on its own inputs alone, so only the blocks on the diagonal are not
# zero. (The last block is faint: its units sit where tanh is nearly flat, see 5.3.) The
# vector-Jacobian product never touches the rest.
#
# And the line printed above is worth keeping: `dx` is the gradient of the plain number
# `sum(dy * y)`, whatever `dy` is. So every backward pass can be checked alone, with a random `dy`, as
# if the loss were that sum. Two small functions do it, for use all through this notebook:

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
# ## 5.3  How does a gradient pass a dense layer?
#
# A dense layer is a weighted sum, a shift and a bend. For $N$ examples as the rows of $x$:
#
# $$
# a = xW + b, \qquad y = f(a), \qquad\text{entry by entry}\quad
# a_{no} = \sum_i x_{ni}W_{io} + b_o \tag{1}
# $$
#
# Backward goes through it in the opposite order. The bend first: $y_{no}$ depends on its own
# $a_{no}$ only, so the Jacobian of $f$ is diagonal, and the product with it is entry by entry:
#
# $$
# \texttt{da} = \texttt{dy}\; f'(a) \tag{2}
# $$
#
# For relu the slope is 1 where $a > 0$ and 0 elsewhere. For $\tanh = \sinh/\cosh$ the quotient
# rule gives
#
# $$
# \tanh' = \frac{\cosh\cdot\cosh - \sinh\cdot\sinh}{\cosh^2} = 1 - \tanh^2 .
# $$
#
# Both can be read off $y$: $1 - y^2$, and $y > 0$. So a layer needs to keep its output, and $a$
# can be forgotten.

# %%
a = np.linspace(-4, 4, 200)
fig, axes = plots.figure(7.6, 2.9, 1, 2)
for ax, name, y, slope in (
    (axes[0], "tanh", np.tanh(a), 1 - np.tanh(a) ** 2),
    (axes[1], "relu", np.maximum(a, 0), (a > 0).astype(float)),
):
    ax.plot(a, y, color=plots.BLUE, ls="-", label=name)
    ax.plot(a, slope, color=plots.RED, ls="--", label="its slope")
    ax.set(xlabel="a", ylim=(-1.2, 2.2))
    ax.legend()
axes[0].set_title("far out, tanh is flat ...")
axes[1].set_title("... relu on one side only")
fig

# %% [markdown]
# Where the slope is zero, eq. (2) lets nothing through: a unit far out on the flat part of tanh
# hardly learns, and a relu unit that is off for an example learns nothing from it.
#
# Next, the weighted sum. Which entries of $a$ does $W_{io}$ reach? In every example $n$ the entry
# $a_{no}$, with the factor $x_{ni}$. So the chain rule sums over the examples, and that sum is a
# matrix product (a prime on an array is its transpose):
#
# $$
# \texttt{dW}_{io} = \sum_n x_{ni}\,\texttt{da}_{no}
# \quad\Longrightarrow\quad \texttt{dW} = x'\,\texttt{da} \tag{3}
# $$
#
# $b_o$ reaches $a_{no}$ in every example, with the factor 1:
#
# $$
# \texttt{db}_o = \sum_n \texttt{da}_{no} \tag{4}
# $$
#
# And $x_{ni}$ reaches $a_{no}$ for every output $o$, with the factor $W_{io}$:
#
# $$
# \texttt{dx}_{ni} = \sum_o \texttt{da}_{no}\,W_{io}
# \quad\Longrightarrow\quad \texttt{dx} = \texttt{da}\,W' \tag{5}
# $$
#
# What is shared in the forward pass is summed in the backward pass: $W$ and $b$ serve all
# examples, so their gradients are sums over examples. And shapes are a guide: of all products of
# `da`, `x` and `W`, with and without transposes, only these have the shapes of `W` and `x`.

# %%
def dense(x, W, b, activation):
    """eq. (1): x (N, I), W (I, O), b (O,) -> y (N, O), and what the backward needs."""
    a = x @ W + b
    y = {"tanh": np.tanh(a), "relu": np.maximum(a, 0), "none": a}[activation]
    return y, (x, W, y, activation)


def dense_backward(dy, cache):
    """eqs. (2) to (5): dy (N, O) -> dx (N, I), dW (I, O), db (O,)."""
    x, W, y, activation = cache
    slope = {"tanh": 1 - y**2, "relu": y > 0, "none": 1}[activation]
    da = dy * slope                                       # eq. (2)
    return da @ W.T, x.T @ da, da.sum(axis=0)             # eqs. (5), (3), (4)


# %%
for activation in ("tanh", "relu", "none"):
    _, cache = dense(x, W, b, activation)
    by_hand = dense_backward(dy, cache)
    found = errors(lambda *args, f=activation: dense(*args, f)[0], (x, W, b), dy, by_hand)
    package = ops.dense_backward(dy, ops.dense_forward(x, W, b, activation)[1])
    same = all(np.allclose(ours, its) for ours, its in zip(by_hand, package, strict=True))
    print(f"{activation}: dx, dW, db, errors below 1e-8: {(found < 1e-8).all()}; as ops: {same}")

# %% [markdown]
# ## 5.4  What should a network say about a black-and-white pixel?
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
# The loss for the pixel is $-\log$ of the probability that the decoder gave to what it is:
# $-x\log p - (1-x)\log(1-p)$. From eq. (6), $\log p = l - \log(1+e^l)$ and
# $\log(1-p) = -\log(1+e^l)$. Put both in, sum over the $D$ pixels of an image, and
#
# $$
# \texttt{nll} = -\log p(x\mid z) = \sum_d \log\!\left(1+e^{l_d}\right) - x_d\, l_d \tag{7}
# $$
#
# On paper, eq. (7) and the formula with $p$ are the same. In a computer they are not. Suppose a
# pixel is 0 and the decoder is sure that it is 1, with ever larger logits. The loss should be
# about $l$ nats. In float32:

# %%
l = np.array([5, 15, 20, 100], np.float32)
with np.errstate(all="ignore"):                           # the naive forms overflow on purpose
    p = 1 / (1 + np.exp(-l))
    through_p = -np.log(1 - p)
    through_small = -np.log(1 - p + np.float32(1e-8))
    as_written = np.log(1 + np.exp(l))
in_logits = np.maximum(l, 0) + np.log1p(np.exp(-np.abs(l)))
print("logit                 ", l)
print("-log(1 - p)           ", through_p.round(3))
print("-log(1 - p + 1e-8)    ", through_small.round(3))
print("log(1 + exp(l))       ", as_written.round(3))
print("the form used here    ", in_logits.round(3))

# %% [markdown]
# At 15 the log of $1 - p$ has lost digits already; at 20, $p$ has rounded to exactly 1 and the log
# of 0 is infinite. The popular remedy, `+ 1e-8`, is finite and wrong: it caps the loss near 18
# nats. Eq. (7) as it stands overflows in the last column. The form that never fails splits off the larger term,
# $\log(1+e^l) = \max(l, 0) + \log(1 + e^{-|l|})$. For $l > 0$ that is the step
# $1 + e^l = e^l(1 + e^{-l})$, and for $l \le 0$ it is no change at all. Its exponential is never
# above 1.

# %%
grid = np.linspace(0, 40, 400, dtype=np.float32)
with np.errstate(all="ignore"):
    capped = -np.log(1 - 1 / (1 + np.exp(-grid)) + np.float32(1e-8))
stable = np.maximum(grid, 0) + np.log1p(np.exp(-np.abs(grid)))
fig, ax = plots.figure(6.4, 3.2)
ax.plot(grid, stable, color=plots.BLUE, ls="-", label="from logits")
ax.plot(grid, capped, color=plots.RED, ls="--", label="-log(1 - p + 1e-8)")
ax.set(xlabel="logit of a pixel that is 0", ylabel="nll, nats")
ax.set_title("capped losses stop where the mistake is largest")
ax.legend()
fig

# %% [markdown]
# The dashed loss frays near 16, as $p$ runs out of digits, and then stays flat: the surer the
# decoder is of its mistake, the less it is told. The solid one keeps its slope.
#
# That slope, in full: the derivative of $\log(1+e^l)$ is $e^l/(1+e^l)$, which is the sigmoid, and
# that of $-x\,l$ is $-x$. With the factor that arrives from above, one `dnll` for each image,
#
# $$
# \texttt{dlogits} = \texttt{dnll}\,\left(\mathrm{sigmoid}(l) - x\right) \tag{8}
# $$
#
# Probability minus truth: no logarithm and no division by something small is left. (The sigmoid
# itself still has to be written so that `exp` never sees a large number; that is an exercise
# below.)

# %%
def bernoulli_nll(logits, x):
    """eq. (7): (B, D), (B, D) -> (B,) nats."""
    return (np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits))) - x * logits).sum(axis=1)


def bernoulli_nll_backward(dnll, logits, x):
    """eq. (8): (B,), (B, D), (B, D) -> (B, D)."""
    return dnll[:, None] * (1 / (1 + np.exp(-logits)) - x)

# %%
logits, pixels = rng.standard_normal((3, 5)), (rng.random((3, 5)) < 0.5).astype(float)
dnll = rng.standard_normal(3)
dlogits = bernoulli_nll_backward(dnll, logits, pixels)
found = errors(lambda l: bernoulli_nll(l, pixels), (logits,), dnll, (dlogits,))
nll, cache = ops.bernoulli_nll_forward(logits, pixels)
print("dlogits has an error below 1e-8:", found[0] < 1e-8)
print("nll as ops:", np.allclose(nll, bernoulli_nll(logits, pixels)), end="; ")
print("dlogits as ops:", np.allclose(dlogits, ops.bernoulli_nll_backward(dnll, cache)))

# %% [markdown]
# ## 5.5  And about a measured number?
#
# For pixels or measurements that take any value, the decoder outputs a mean, and the likelihood is
# a Gaussian around it. Its variance can be learned too: one number `logvar` $= \log\sigma^2$,
# shared by all pixels. Minus the log of the density, summed over pixels:
#
# $$
# \texttt{nll} = \tfrac12\sum_d\left(\frac{(x_d - \texttt{mean}_d)^2}{\sigma^2}
# + \texttt{logvar} + \log 2\pi\right) \tag{9}
# $$
#
# `mean` sits in the square, whose derivative brings down a 2 and cancels the half:
#
# $$
# \texttt{dmean} = \texttt{dnll}\;\frac{\texttt{mean} - x}{\sigma^2} \tag{10}
# $$
#
# `logvar` sits in $1/\sigma^2 = e^{-\texttt{logvar}}$, whose derivative is its own negative, and
# in $D$ plain terms. It is shared by all pixels *and* all examples $n$, so it collects from all of
# them:
#
# $$
# \texttt{dlogvar} = \sum_n \texttt{dnll}_n\;\tfrac12\left(D
# - \sum_d \frac{(x_{nd}-\texttt{mean}_{nd})^2}{\sigma^2}\right) \tag{11}
# $$

# %%
def gaussian_nll(mean, logvar, x):
    """eq. (9): (B, D), (1,), (B, D) -> (B,) nats."""
    return 0.5 * ((x - mean) ** 2 * np.exp(-logvar) + logvar + np.log(2 * np.pi)).sum(axis=1)


def gaussian_nll_backward(dnll, mean, logvar, x):
    """eqs. (10), (11) -> dmean (B, D), dlogvar (1,)."""
    dmean = dnll[:, None] * (mean - x) * np.exp(-logvar)
    squares = ((x - mean) ** 2).sum(axis=1)
    dlogvar = (dnll * 0.5 * (x.shape[1] - squares * np.exp(-logvar))).sum(keepdims=True)
    return dmean, dlogvar

# %%
mean, logvar, values = rng.standard_normal((3, 5)), np.array([0.4]), rng.standard_normal((3, 5))
by_hand = gaussian_nll_backward(dnll, mean, logvar, values)
found = errors(lambda m, v: gaussian_nll(m, v, values), (mean, logvar), dnll, by_hand)
package = ops.gaussian_nll_backward(dnll, ops.gaussian_nll_forward(mean, logvar, values)[1])
print("dmean, dlogvar have errors below 1e-8:", (found < 1e-8).all())
print("as ops:", all(np.allclose(ours, its) for ours, its in zip(by_hand, package, strict=True)))

# %% [markdown]
# It is tempting to take the mean squared error instead, `((x - mean)**2).mean()`, and to leave the
# likelihood at that. Which likelihood would it be? Eq. (9) at a fixed $\sigma^2$ is $\mathrm{squares}/2\sigma^2$ plus a
# constant, and the mean over $D$ pixels is $\mathrm{squares}/D$. The two agree where
# $\sigma^2 = D/2$.

# %%
D = 784
print(f"the mean squared error over {D} pixels is a Gaussian with variance {D / 2:.0f},")
print(f"a standard deviation of {np.sqrt(D / 2):.1f}, for pixels that lie between 0 and 1")

# %% [markdown]
# Beside so much noise every misfit looks small, and the KL wins. Whoever then weakens the KL by
# hand is repairing a variance that was never chosen. Learning `logvar` chooses it.

# %% [markdown]
# ## 5.6  Does the chain hold?
#
# Backpropagation is nothing more than this: run the pairs forward, keep the caches, run the pairs
# backward in the opposite order, each `dx` being the `dy` of the one before. Here is a whole
# network: dense with tanh, dense, Gaussian.

# %%
def loss_and_grads(p, z, x):
    """A network z -> x with one hidden layer: its mean nll and the gradient of each block."""
    h, cache1 = dense(z, p["W1"], p["b1"], "tanh")
    mean, cache2 = dense(h, p["W2"], p["b2"], "none")
    nll = gaussian_nll(mean, p["logvar"], x)
    g = {}
    dnll = np.full(len(x), 1 / len(x))                    # loss = mean of nll
    dmean, g["logvar"] = gaussian_nll_backward(dnll, mean, p["logvar"], x)
    dh, g["W2"], g["b2"] = dense_backward(dmean, cache2)
    _, g["W1"], g["b1"] = dense_backward(dh, cache1)
    return nll.mean(), g


# %%
z = rng.uniform(-3, 3, (300, 1))
noise = 0.2                                               # its standard deviation
x = np.sin(2 * z) + noise * rng.standard_normal((300, 1))
H = 20
p = {"W1": 2 * rng.standard_normal((1, H)), "b1": 2 * rng.standard_normal(H), "b2": np.zeros(1)}
p |= {"W2": 0.1 * rng.standard_normal((H, 1)), "logvar": np.zeros(1)}

# %%
_, grads = loss_and_grads(p, z, x)
for name in p:
    def loss(block, name=name):
        return loss_and_grads(p | {name: block}, z, x)[0]

    numeric = central_differences(loss, p[name])
    print(f"{name:6s} error below 1e-8: {error(grads[name], numeric) < 1e-8}")

# %%
steps, losses = 3000, []
for step in range(steps):
    loss, grads = loss_and_grads(p, z, x)
    losses.append(loss)
    for name in p:
        p[name] = p[name] - 0.04 * (1 - step / steps) * grads[name]
print(f"nll from {losses[0]:.2f} to {losses[-1]:.2f} nats")
print(f"learned sigma {np.exp(p['logvar'][0] / 2):.2f}; the data's noise had {noise:.2f}")

# %%
fig, ax = plots.figure(6.4, 3.2)
grid = np.linspace(-3, 3, 200)[:, None]
curve = np.tanh(grid @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
sigma = np.exp(p["logvar"] / 2)
ax.plot(z, x, ".", color=plots.GREY, ms=3, label="data")
ax.fill_between(grid[:, 0], *(curve + [-2, 2] * sigma).T, color=plots.BLUE, alpha=0.2)
ax.plot(grid, curve, color=plots.BLUE, ls="-", label="mean, and 2 sigma to each side")
ax.set(xlabel="z", ylabel="x", ylim=(-1.7, 2.3), title="trained with these gradients alone")
ax.legend(loc="upper right", fontsize=8, ncols=2)
fig

# %% [markdown]
# The network has bent itself to the data, and its band has the width of their noise. (A negative
# nll is no mistake: where a density exceeds 1, minus its log is below zero.) This is a decoder;
# notebook 06 puts an encoder before it.

# %% [markdown]
# ## 5.7  How far can the witness be trusted?
#
# Every check so far said "error below 1e-8". Why not 1e-16, if the gradients are right? Look at
# the witness, the central difference with step $h$ (so far the package has chosen $h$ for us):
#
# $$
# \frac{\partial f}{\partial x_j} \approx \frac{f(x + h\,e_j) - f(x - h\,e_j)}{2h} \tag{12}
# $$
#
# where $f$ is now the whole function under test, from parameters to one number, and $e_j$ is 1 in
# entry $j$ and 0 elsewhere. Expand $f$ around $x$ (one variable is enough):
#
# $$
# \begin{aligned}
# f(x \pm h) &= f \pm h f' + \tfrac{h^2}{2}f'' \pm \tfrac{h^3}{6}f''' + \dots \\
# \frac{f(x+h) - f(x-h)}{2h} &= f' + \tfrac{h^2}{6}f''' + \dots
# \end{aligned}
# $$
#
# The even terms cancel, which is why one steps to both sides, and an error proportional to $h^2$
# is left. So the smaller, the better?
#
# **Predict first.** In float64, $h$ goes from $10^{-5}$ down to $10^{-10}$. The error `"falls"`,
# `"stays"` or `"rises"`?

# %%
predict("05.smaller-h", ...)

# %% [markdown]
# The test function is the loss of a small Bernoulli decoder, as a function of its first weights.
# The package's forward functions are used here; the reason comes below.

# %%
B, L, H, D = 8, 3, 12, 20
z, x = rng.standard_normal((B, L)), (rng.random((B, D)) < 0.5).astype(float)
W1, b1 = rng.standard_normal((L, H)), 0.5 * rng.standard_normal(H)
W2, b2 = 0.5 * rng.standard_normal((H, D)), 0.5 * rng.standard_normal(D)


def decoder_loss(W1, dtype=float):
    hidden, _ = ops.dense_forward(z.astype(dtype), W1, b1.astype(dtype), "tanh")
    logits, _ = ops.dense_forward(hidden, W2.astype(dtype), b2.astype(dtype), "none")
    return ops.bernoulli_nll_forward(logits, x.astype(dtype))[0].mean()

# %%
hidden, cache1 = dense(z, W1, b1, "tanh")
logits, cache2 = dense(hidden, W2, b2, "none")
dlogits = bernoulli_nll_backward(np.full(B, 1 / B), logits, x)
dhidden, _, _ = dense_backward(dlogits, cache2)
_, by_hand, _ = dense_backward(dhidden, cache1)           # dW1, by eqs. (2) to (8)

# %%
def by_differences(f, x, h):
    """eq. (12), entry by entry."""
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        gradient[i] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient


steps = 10.0 ** np.arange(-14, 0.1, 0.5)
central64 = np.array([error(by_differences(decoder_loss, W1, h), by_hand) for h in steps])

# %%
fig, ax = plots.figure(6.4, 3.6)
ax.loglog(steps, central64, "o-", color=plots.BLUE, ms=4, label="central differences, float64")
rounding = np.finfo(float).eps * decoder_loss(W1) / np.abs(by_hand).max()
ax.loglog(steps, rounding / steps, color=plots.GREY, ls=":", label="falls as 1 / h")
at = np.flatnonzero(steps > 0.02)[0]                      # the dashed line starts from this point
parabola = central64[at] * (steps / steps[at]) ** 2
ax.loglog(steps, parabola, color=plots.GREY, ls="--", label="rises as h^2")
ax.set(xlabel="h", ylabel="error of the gradient", ylim=(1e-13, 10))
ax.set_title("the V: too small is as bad as too large")
ax.legend(loc="upper center", fontsize=8)
fig

# %%
reveal("05.smaller-h")

# %% [markdown]
# To the right the error follows $h^2$, as it should. To the left it follows $1/h$: that is
# rounding. Floats near 1 are a distance $u$ apart, about $10^{-16}$ in float64, so each of the two
# values of $f$ is off by up to some $u|f|$. The subtraction keeps that error, and the division by
# $2h$ magnifies it to $u|f|/h$ (the dotted line).
#
# The best $h$ is where the two meet. Setting the derivative of $u|f|/h + h^2|f'''|/6$ by $h$ to
# zero gives $h^3 = 3u|f|/|f'''|$: if $f$ and $f'''$ are of size 1, about the cube root of $u$.

# %%
u = np.finfo(np.float64).eps
print(f"float64: u = {u:.1e}, and its cube root is {np.cbrt(u):.0e}")
print(f"the best h tried is {steps[central64.argmin()]:.0e}")
print(f"digits that are right there: {int(-np.log10(central64.min()))}")

# %% [markdown]
# No choice of $h$ gives more: of the sixteen digits of a float64, a difference can confirm a little
# over half.

# %% [markdown]
# ## 5.8  Does it work in float32?
#
# Networks train in float32, whose $u$ is about $10^{-7}$. It is tempting to check them there as well.
#
# **Predict first.** The same right gradient, all arrays in float32, $h = 10^{-5}$. The relative
# error is about `"1e-7"`, `"1e-4"`, or `"1e-2 or more"`?

# %%
predict("05.float32", ...)

# %%
W1_32 = W1.astype(np.float32)


def loss32(W):
    return decoder_loss(W, np.float32)


steps32 = (10.0 ** np.arange(-7, 0.1, 0.5)).astype(np.float32)
central32 = np.array([error(by_differences(loss32, W1_32, h), by_hand) for h in steps32])
print("h = 1e-5: error above 1e-2:", central32[np.isclose(steps32, 1e-5)][0] > 1e-2)
print("digits that are right at the best h of all:", int(-np.log10(central32.min())))

# %%
reveal("05.float32")

# %% [markdown]
# With seven digits to begin with, even the best $h$ leaves only these few. A right gradient looks
# wrong, and a small mistake cannot be seen. So this project trains in float32 and *verifies in
# float64*, with the same code.

# %% [markdown]
# ## 5.9  Can a check have sixteen digits?
#
# The digits were lost in the subtraction. Here is a way without one. Suppose that the formulas in
# $f$ can be computed with complex numbers, and that $f$ is smooth there. Take the step along the
# imaginary axis, where $i^2 = -1$:
#
# $$
# f(x + ih) = f + ih f' - \tfrac{h^2}{2}f'' - \tfrac{ih^3}{6}f''' + \dots
# $$
#
# For a real $x$ the value sits in the real part, and the slope in the imaginary part, where no
# large number hides it. Read it off:
#
# $$
# \frac{\partial f}{\partial x_j} \approx \frac{\mathrm{Im}\, f(x + ih\,e_j)}{h} \tag{13}
# $$
#
# The error is of size $h^2f'''/6$ again, but nothing is subtracted, so $h$ may be as small as one
# likes: at $10^{-30}$ the square is too small to change any digit (Squire and Trapp 1998).

# %%
def by_complex_step(f, x, h=1e-30):
    """eq. (13), entry by entry."""
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[i] += 1j * h
        gradient[i] = f(moved).imag / h
    return gradient


imaginary = np.array([error(by_complex_step(decoder_loss, W1, h), by_hand) for h in steps])
print("h = 1e-30: error below 1e-15:", error(by_complex_step(decoder_loss, W1), by_hand) < 1e-15)

# %%
fig, ax = plots.figure(6.4, 3.8)
ax.loglog(steps32, central32, "s--", color=plots.RED, ms=4, label="central differences, float32")
ax.loglog(steps, central64, "o-", color=plots.BLUE, ms=4, label="central differences, float64")
shown = np.maximum(imaginary, 1e-17)                      # a perfect 0 has no place on a log axis
ax.loglog(steps, shown, "^-.", color=plots.GREEN, ms=4, label="complex step, float64")
ax.axhline(np.finfo(float).eps, color=plots.GREY, ls=":", lw=1, label="u of float64")
ax.set(xlabel="h", ylabel="error of the gradient", ylim=(1e-17, 10))
ax.set_title("only the complex step goes down to the last digit")
ax.legend(loc="center", bbox_to_anchor=(0.3, 0.3), fontsize=8)
fig

# %% [markdown]
# The complex step follows the same $h^2$ down, and where the others turn back it stays at the
# floor: the gradient by hand is confirmed to the last digit of float64.
#
# Its price: the code must be able to compute with complex numbers. The package's `ops.py` can (it
# takes no absolute value, and compares real parts only), which is why it was used above. Ours, with
# its `np.maximum` and `np.abs`, cannot: the absolute value of a complex number mixes its imaginary
# part into a real number, and the slope is gone.

# %%
point = np.array([0.7])
print("slope of x^2 at 0.7:", by_complex_step(lambda v: (v**2).sum(), point)[0])
print("slope of |x| at 0.7:", by_complex_step(lambda v: np.abs(v).sum(), point)[0], "(it is 1)")

# %% [markdown]
# ## 5.10  How should two gradients be compared?
#
# Our `error` divides by the *largest* entry. Why not divide each difference by its own entry?
# Compare all entries of `dW1` with their central differences, at the best $h$ of the V.

# %%
numeric = by_differences(decoder_loss, W1, 1e-5)
sizes, differences = np.abs(by_hand).ravel(), np.abs(by_hand - numeric).ravel()
fig, ax = plots.figure(6.4, 3.2)
for divisor, style, color, label in (
    (sizes, "o", plots.RED, "by its own size"),
    (sizes.max(), "^", plots.BLUE, "by the largest entry"),
):
    ax.loglog(sizes, differences / divisor, style, color=color, ms=4, label=label)
ax.set(xlabel="size of the entry of dW1", ylabel="difference, divided")
ax.set_title("a tiny entry looks wrong beside its own size")
ax.legend(fontsize=8)
fig

# %% [markdown]
# The differences have about the same size everywhere, as they come from the rounding of one and
# the same loss. Divided by a tiny entry, they look like a mistake (circles rise to the left);
# divided by the block's largest, they do not.
#
# The package's `minivae/gradcheck/differences.py` has all of this: `central_differences`, `complex_step`,
# and `compare`. The last divides by the largest entry of the two gradients, much as we do, asks whether the error is below a
# bound, and if not, what the ratio may mean. Give it our gradient, and one that sums over the batch
# where the loss takes the mean:

# %%
from minivae.gradcheck.differences import COMPLEX_BOUND, compare, complex_step

numeric = complex_step(decoder_loss, W1)
sizes = {"the batch size B": B}
print(f"the bound: {COMPLEX_BOUND}")
print("ours:     ", compare("dW1", by_hand, numeric, COMPLEX_BOUND, sizes).sentence)
print("B * dW1:  ", compare("dW1", B * by_hand, numeric, COMPLEX_BOUND, sizes).sentence)

# %% [markdown]
# ## Recap
#
# - A backward pass computes a vector-Jacobian product: `dy` in, `dx` out, and no Jacobian is ever
#   written down.
# - Dense: `da = dy * f'(a)`, `dW = x.T @ da`, `db = da.sum(axis=0)`, `dx = da @ W.T`: eqs. (1) to
#   (5). What is shared forward is summed backward.
# - Bernoulli, from logits: `log(1 + exp(l)) - x * l`, and its gradient is `sigmoid(l) - x`: eqs.
#   (6) to (8).
# - Gaussian, with a learned variance: eqs. (9) to (11). A mean squared error is a Gaussian whose
#   variance nobody chose.
# - Central differences keep about half of a float's digits, which in float32 is too few; the complex
#   step keeps all of them: eqs. (12), (13).
#
# ## Exercises
#
# Write them from the formulas, without looking at the code above. `hint("05.dense")` nudges,
# `solution("05.dense")` shows the reference. These functions, with those of
# notebooks 03 and 04, become *your backend*: notebook 07 trains on MNIST with it.

# %% [markdown]
# **Dense, forward**, before its bend.

# %%
def dense(x, W, b):    # (N, I), (I, O), (O,) -> (N, O)
    ...


check("05.dense", dense)

# %% [markdown]
# **Dense, backward**: eqs. (3) to (5), now without looking.

# %%
def dense_backward(da, x, W):    # (N, O), (N, I), (I, O)
    ...                          # -> dx (N, I), dW (I, O), db (O,)


check("05.dense-backward", dense_backward)

# %% [markdown]
# **tanh, backward**: two blanks.

# %%
def tanh_backward(dy, y):    # (N, O), y = tanh(a) (N, O) -> da (N, O)
    slope = ...              # tanh'(a), written with y alone
    da = ...                 # the chain rule
    return da


check("05.tanh-backward", tanh_backward)

# %% [markdown]
# **relu, backward**.

# %%
def relu_backward(dy, y):    # (N, O), y = max(a, 0) (N, O) -> da (N, O)
    ...


check("05.relu-backward", relu_backward)

# %% [markdown]
# **The sigmoid**, also where the logit is enormous. Eq. (6) has two forms, and each overflows on one
# side: there one of them gives NaN, the other is right but warns. Can you do without both?

# %%
def sigmoid(logits):    # any shape -> the same shape; logits of +-1000 must work
    ...


check("05.sigmoid", sigmoid)

# %% [markdown]
# **The Bernoulli likelihood**: eq. (7), in the form that never overflows.

# %%
def bernoulli_nll(logits, x):    # (B, D), (B, D) -> (B,) nats
    ...                          # logits of +-1000 must work


check("05.bernoulli-nll", bernoulli_nll)

# %% [markdown]
# **Its gradient**: eq. (8), with your sigmoid.

# %%
def bernoulli_nll_backward(dnll, logits, x):    # (B,), (B, D), (B, D) -> dlogits (B, D)
    ...


check("05.bernoulli-nll-backward", bernoulli_nll_backward)

# %% [markdown]
# **The Gaussian likelihood**: eq. (9).

# %%
def gaussian_nll(mean, logvar, x):    # (B, D), (1,), (B, D) -> (B,) nats
    ...                               # all pixels share one variance exp(logvar)


check("05.gaussian-nll", gaussian_nll)

# %% [markdown]
# **Its gradient**, the shared variance included. Derive it yourself before you look at eqs. (10)
# and (11).

# %%
def gaussian_nll_backward(dnll, mean, logvar, x):    # (B,), (B, D), (1,), (B, D)
    ...                                              # -> dmean (B, D), dlogvar (1,)


check("05.gaussian-nll-backward", gaussian_nll_backward)

# %% [markdown]
# **Central differences**: eq. (12).

# %%
def central_difference(f, x, h):    # f: array -> float, x: any shape, step h
    ...                             # -> the gradient, of the shape of x


check("05.central-difference", central_difference)

# %% [markdown]
# **The complex step**: eq. (13).

# %%
def complex_step(f, x):    # f: array, real or complex -> number; x: any shape, real
    ...                    # -> the gradient, real, of the shape of x


check("05.complex-step", complex_step)

# %% [markdown]
# **Write the check.** Planted mistakes wait for it: a lost factor, a wrong last entry, a wrong
# shape, a NaN. A right gradient must pass, and none of these may. (Section 5.7 says which `h`, 5.10
# what to divide by.)

# %%
def gradient_check(f, df, x):    # f: array -> float; df: array -> array; x: any shape
    ...                          # -> True if df(x) is the gradient of f at x, else False


check("05.gradient-check", gradient_check)

# %% [markdown]
# **Next:** notebook 06 joins encoder, sample, decoder and KL into one graph, and takes the
# gradient of all of it.
