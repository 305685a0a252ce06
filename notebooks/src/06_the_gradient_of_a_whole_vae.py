# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 06 · The gradient of a whole VAE
#
# **What you will be able to do**
# - say which weight a line of code really gives to the KL (`06.loss`);
# - derive the whole gradient of a VAE that this text does not treat, and check it by complex step
#   (`06.elbo-and-grads`, `06.k-samples`, `06.variance-output`);
# - read the report of a gradient check as a doctor reads a symptom, and repair a VAE with several
#   mistakes at once (`06.name-the-bug`, `06.next-question`, `06.repair`);
# - write a test for what no gradient check can see (`06.kl-test`, `06.likelihood-test`);
# - find the best $q$ of one image, say what *variational* and *amortized* mean, and what an encoder loses
#   (`06.search-q`, `06.best-q`, `06.which-inference`, `06.gaps`).
#
# **Builds on** notebook 03 (the KL and its derivatives), 04 (`z = mu + sigma * eps`) and 05 (the graph, dense layers,
# the Bernoulli in logits, the complex step). Reading time: about 35 minutes. The exercises take some hours more, and the
# appendix, 6.10 to 6.13, is optional (15 minutes).

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]

import inspect
from collections import Counter
from fractions import Fraction

import numpy as np
from threadpoolctl import threadpool_limits

from minivae import VAE, data, mistakes, ops, plots, vae
from minivae.gradcheck.differences import central_differences, complex_step
from minivae.exercises import check, hint, predict, recall, reveal, solution, use

plots.notebook_style()
rng = np.random.default_rng(6)

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("06", ..., ..., ...)

# %% [markdown]
# ## 6.1  What is minimised?
#
# A VAE has two networks. The **encoder** takes an image $x$ of $D$ pixels and gives the `mu` and `logvar` of a Gaussian
# $q(z\mid x)$ over the $L$ latents. The **decoder** takes a point $z$ to the logits of an image. With one hidden layer each:
#
# $$
# \begin{aligned}
# y_1 &= \tanh(x\,\mathtt{enc1\_W} + \mathtt{enc1\_b}), \\
# \mu &= y_1\,\mathtt{mu\_W} + \mathtt{mu\_b}, \qquad
# \mathtt{logvar} = y_1\,\mathtt{logvar\_W} + \mathtt{logvar\_b}, \\
# q(z\mid x) &= N\big(\mu,\ \mathrm{diag}\,\exp \mathtt{logvar}\big); \\
# y_2 &= \tanh(z\,\mathtt{dec1\_W} + \mathtt{dec1\_b}), \qquad
# \mathtt{logits} = y_2\,\mathtt{out\_W} + \mathtt{out\_b}
# \end{aligned} \tag{1}
# $$
#
# `mu` and `logvar` are two *heads*: dense layers without an activation that read the same $y_1$. $p(x\mid z)$ is the Bernoulli of
# notebook 05, each pixel with its own logit. What is minimised, on average over a batch of $B$ images (nats per example, summed
# over pixels and latents), is
#
# $$
# \mathtt{loss} = \underbrace{\frac1B\sum_b \mathbb{E}_{q(z\mid x_b)}\big[-\log p(x_b\mid z)\big]}_{\mathtt{nll}}
# \;+\; \beta\,\underbrace{\frac1B\sum_b\sum_j \mathrm{KL}\big(N(\mu_{bj},\sigma^2_{bj})\,\Vert\,N(0,1)\big)}_{\mathtt{kl}} \tag{2}
# $$
#
# where $\beta$ is a weight. With $\beta = 1$ the loss is minus the ELBO. Whatever $\beta$ is, `elbo = -(nll + kl)` is what is reported.
#
# The KL is exact (notebook 03). The expectation is estimated with a single draw for each
# image, reparameterized so that a gradient can pass:
#
# $$
# \mathtt{nll} \approx \frac1B\sum_b -\log p\big(x_b \mid z_b\big), \qquad
# z_b = \mu_b + \sigma_b\,\varepsilon_b, \quad \varepsilon_b \sim N(0, I) \tag{3}
# $$
#
# Averaged over `eps`, this estimate is `nll` itself: it is unbiased.
#
# Now the whole forward pass, on a net small enough to look into: seven pixels, four hidden units, two
# latents, three images. The sizes differ on purpose, so that a transposed matrix cannot hide.

# %%
spec = vae.Spec(data_dim=7, hidden=(4,), latent_dim=2)
B, beta = 3, 1.5
flat = vae.init_params(spec, rng, dtype=np.float64)     # every parameter in one vector
flat += 0.5 * rng.standard_normal(flat.size)            # biases too: no zeros where we check
params = vae.unpack(flat, spec)                         # its parts, by name
x = np.array([[1, 0, 1, 0, 0, 1.0, 0], [0, 1, 1, 0, 1, 0, 1], [1, 1, 0, 1, 0, 0, 1]])  # each pixel is lit somewhere
eps = rng.standard_normal((B, 2))
print(", ".join(f"{name} {array.shape}" for name, array in params.items()))

# %%
p = params
y1 = np.tanh(x @ p["enc1_W"] + p["enc1_b"])             # (B, H)    eq. (1)
mu = y1 @ p["mu_W"] + p["mu_b"]                         # (B, L)
logvar = y1 @ p["logvar_W"] + p["logvar_b"]             # (B, L)
sigma = np.exp(logvar / 2)
z = mu + sigma * eps                                    # (B, L)    eq. (3)
y2 = np.tanh(z @ p["dec1_W"] + p["dec1_b"])             # (B, H)    eq. (1)
logits = y2 @ p["out_W"] + p["out_b"]                   # (B, D)
nll = (((logits > 0) - x) * logits + np.log1p(np.exp(-np.abs(logits)))).sum(axis=1)  # 05, eq. (7)
kl = ((mu**2 + sigma**2 - 1 - logvar) / 2).sum(axis=1)              # (B,), notebook 03
loss = nll.mean() + beta * kl.mean()                    #           eq. (2)
print(f"loss {loss:.6f}, the package's {vae.elbo(params, x, eps, spec, beta=beta).loss:.6f} nats")

# %% [markdown]
# ## 6.2  What does the graph look like?
#
# As in section 5.1: each value is a box, with an arrow to whatever is computed from it, and a local derivative on each
# arrow.
#
# **Predict first.** From which of the values computed on the way, from `y1` to `kl`, do two arrows or more leave: `"mu, logvar"`,
# `"y1, mu, logvar"` or `"y1, mu, logvar, sigma"`? Go through the ten lines, and count one arrow for each line that reads the value.

# %%
predict("06.used-twice", ...)

# %%
PLACES = {
    "x": (0, 0), "y1": (1.0, 0), "mu": (2.3, 1.0), "logvar": (2.3, -1.1), "sigma": (3.8, -0.42),
    "z": (5.1, 1.0), "y2": (5.95, 1.0), "logits": (7.4, 1.0), "nll": (9.6, 1.0), "kl": (6.5, -1.1),
    "loss": (10.5, -0.2),
}
SHAPES = {"x": "(B, D)", "y1": "(B, H)", "mu": "(B, L)", "logvar": "(B, L)", "sigma": "(B, L)", "z": "(B, L)",
          "y2": "(B, H)", "logits": "(B, D)", "nll": "(B,)", "kl": "(B,)"}
LOCAL = {
    ("x", "y1"): "", ("y1", "mu"): "mu_W", ("y1", "logvar"): "logvar_W", ("mu", "z"): "1", ("mu", "kl"): "mu",
    ("logvar", "sigma"): "sigma/2", ("logvar", "kl"): "-1/2", ("sigma", "z"): "eps",
    ("sigma", "kl"): "sigma", ("z", "y2"): "", ("y2", "logits"): "out_W", ("logits", "nll"): "sigmoid - x",
    ("nll", "loss"): "1/B", ("kl", "loss"): "beta/B",
}
fig, ax = plots.figure(8.8, 3.1)
plots.computation_graph(ax, PLACES, LOCAL, above=SHAPES, shaded=("y1", "mu", "logvar", "sigma"),
                        label_at={("mu", "kl"): 0.66, ("sigma", "z"): 0.6})
ax.set_title("the gradients of the four shaded values are sums")
reveal("06.used-twice")
fig

# %% [markdown]
# The shaded values are used twice, so their gradients will have two terms. A layer without an activation has its weights on the
# arrow; a hidden layer, with no label, has also the derivative of tanh: eqs. (2) to (5) of notebook 05. The parameters, `eps` and the
# arrow from `x` to the nll are left out.
#
# The rule is that of 5.1: a box's gradient is the sum, over the arrows that leave it, of the gradient at the tip times the local
# derivative. As before, `dz` stands for the gradient of the loss with respect to `z`, in `z`'s shape, and so for every name.
#
# ## 6.3  Back through the decoder
#
# The first step back is the mean over the batch. (In the code, and from here on, `nll` is one number for each image: $\mathtt{nll}_b$.)
#
# $$
# \mathtt{dnll}_b = \frac{\partial\,\mathtt{loss}}{\partial\,\mathtt{nll}_b} = \frac1B \tag{4}
# $$
#
# This is the only place where $1/B$ enters on this path. Every later formula multiplies by what arrives, so it is carried
# along, and must not be put in again.
#
# Then the Bernoulli in logits, by notebook 05:
#
# $$
# \mathtt{dout} = \mathtt{dnll}\,\big(\mathrm{sigmoid}(\mathtt{logits}) - x\big) \tag{5}
# $$
#
# (It was `dlogits` there.) Then two dense layers:
# weights get *input transposed times gradient*, biases the sum over the batch, the input gets *gradient times weights
# transposed*. In between, $\tanh' = 1 - \tanh^2$. So what arrives at $z$ is
#
# $$
# \mathtt{dz} = \big[\,(\mathtt{dout}\;\mathtt{out\_W}^\top) \odot (1 - y_2^2)\,\big]\;\mathtt{dec1\_W}^\top \tag{6}
# $$
#
# ($\odot$: entry by entry.)

# %%
grads = {}
dnll = np.full(B, 1 / B)                                            # (B,)      eq. (4)
dout = dnll[:, None] * (1 / (1 + np.exp(-logits)) - x)              # (B, D)    eq. (5)
grads["out_W"], grads["out_b"] = y2.T @ dout, dout.sum(axis=0)
da2 = (dout @ p["out_W"].T) * (1 - y2**2)                           # (B, H)
grads["dec1_W"], grads["dec1_b"] = z.T @ da2, da2.sum(axis=0)
dz = da2 @ p["dec1_W"].T                                            # (B, L)    eq. (6)

# %% [markdown]
# ## 6.4  mu and logvar, each with two terms
#
# `mu` changes the loss through $z$ (the decoder sees another $z$) and through the KL. By eq. (3)
# $\partial z/\partial\mu = 1$, and by notebook 03 the derivative of the KL is $\mu$; in the loss it stands with $\beta/B$:
#
# $$
# \mathtt{dmu} = \underbrace{\mathtt{dz}}_{\text{through } z} + \underbrace{\frac{\beta}{B}\,\mu}_{\text{from the KL}} \tag{7}
# $$
#
# Likewise `logvar`. In the graph three paths leave it: $\sigma \to z$, $\sigma \to$ KL, and straight to the KL. The first
# brings $\mathtt{dz}\,\varepsilon\cdot\sigma/2$. The other two are both from the KL, and together they are
# $\sigma\cdot\sigma/2 - 1/2$:
#
# $$
# \mathtt{dlogvar} = \underbrace{\mathtt{dz}\odot\varepsilon\odot\frac{\sigma}{2}}_{\text{through } z}
# + \underbrace{\frac{\beta}{B}\,\frac{\sigma^2 - 1}{2}}_{\text{from the KL}} \tag{8}
# $$
#
# The `eps` in eq. (8) is the very `eps` that made $z$: `dz` is the gradient *at that z*.

# %%
dmu = dz + beta / B * mu                                            # (B, L)    eq. (7)
dlogvar = dz * eps * sigma / 2 + beta / B * (sigma**2 - 1) / 2      # (B, L)    eq. (8)
grads["mu_W"], grads["mu_b"] = y1.T @ dmu, dmu.sum(axis=0)
grads["logvar_W"], grads["logvar_b"] = y1.T @ dlogvar, dlogvar.sum(axis=0)

# %% [markdown]
# ## 6.5  Two heads into one hidden layer
#
# `y1` is the last value that is used twice. Each head sends back its gradient times its own weights, and the two are added:
#
# $$
# \mathtt{dy1} = \mathtt{dmu}\;\mathtt{mu\_W}^\top + \mathtt{dlogvar}\;\mathtt{logvar\_W}^\top \tag{9}
# $$
#
# The last layer on the way back is dense with tanh again, and there it ends: behind the image there is no parameter.

# %%
dy1 = dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T                 # (B, H)    eq. (9)
da1 = dy1 * (1 - y1**2)
grads["enc1_W"], grads["enc1_b"] = x.T @ da1, da1.sum(axis=0)

# %%
result = vae.elbo_and_grads(params, x, eps, spec, beta=beta)
print("every block has its gradient:      ", set(grads) == set(params))
print("ours and the package's are the same:", all(np.allclose(grads[n], result.grads[n]) for n in grads))

# %% [markdown]
# The package has the same steps (only its KL comes before the decoder), for any number of hidden layers and for both likelihoods of
# notebook 05. Its names: `encoder_forward` is the encoder's part of eq. (1), and `encoder_backward` eq. (9) with the dense layers
# before the heads; `out` are the logits; each `c_...` is a cache; `elbo_loss` is eq. (2), and its `dkl` is $\beta/B$; the last
# comment's `h` is our $y_1$.

# %%
source = inspect.getsource(vae.elbo_and_grads)
print(inspect.cleandoc(source[source.index("    # Forward") :]))

# %% [markdown]
# ## 6.6  Is it right?
#
# Agreeing with the package proves little: the same person may have made the same mistake twice. The
# two checks of notebook 05 know nothing of any derivation. They only ask for the loss as a function of the flat vector,
# with `eps` held fixed.

# %%
def error(by_hand, numeric):
    """The largest difference, as a part of the block's largest entry."""
    return np.abs(by_hand - numeric).max() / np.abs(numeric).max()


def loss_at(flat):
    return vae.elbo(vae.unpack(flat, spec), x, eps, spec, beta=beta).loss


for way, gradient, bound in (
    ("central differences", central_differences, 1e-9),
    ("complex step", complex_step, 1e-14),
):
    numeric = vae.unpack(gradient(loss_at, flat), spec)
    worst = max(error(grads[name], numeric[name]) for name in grads)
    print(f"{way:20s} worst of {len(grads)} blocks below {bound:.0e}: {worst < bound}")
every = np.concatenate([grads[name].ravel() for name in params])
by_own_size = np.abs(every / complex_step(loss_at, flat) - 1).max()
print(f"entry by entry, by its own size, complex step: all below 1e-11: {by_own_size < 1e-11}, "
      f"all below 1e-14: {by_own_size < 1e-14}")

# %% [markdown]
# Nine digits or more from the differences and fourteen or more from the complex step, measured by the largest entry of a block. Measured
# by their own size, the smallest entries have fewer. (The loss here is that of `vae.elbo`, which takes complex numbers. Our own line for `nll`
# has `np.abs` in it, and its complex step would be wrong.)
#
# ## 6.7  The bug museum
#
# A check that says "right" is only worth something if it says "wrong" when it should. And it can say more than that: a
# check compares two passes, and the first block that it marks as wrong shows where they begin to *disagree*. A mistake in a line of the
# backward pass can spoil only the gradients computed from that line, *later on the way back*. So the pattern of wrong blocks points at a
# place in the code.
#
# The package holds a collection of such mistakes. `examine` plants one of them in a copy of the package's own source, asks for both
# gradients of our small net, by hand and by complex step, and compares them block by block.

# %%
ORDER = ("out_W", "out_b", "dec1_W", "dec1_b", "mu_W", "mu_b", "logvar_W", "logvar_b", "enc1_W", "enc1_b")


def examine(name, beta=beta):
    """For each block, with that mistake planted: 1 if right, another ratio, or None if wrong without one."""
    mistake = mistakes.find(name)
    spoiled = mistakes.plant(mistake)
    model, its_ops = (vae, spoiled) if mistake.module == "ops" else (spoiled, ops)

    def loss_at(flat):
        return model.elbo(vae.unpack(flat, spec), x, eps, spec, beta=beta, ops=its_ops).loss

    by_hand = model.elbo_and_grads(params, x, eps, spec, beta=beta, ops=its_ops).grads
    numeric = vae.unpack(complex_step(loss_at, flat), spec)
    return {block: ratio_of(by_hand[block], numeric[block]) for block in ORDER}


def ratio_of(a, n):
    """The number r for which a = r * n in every entry, or None."""
    if not n.any():
        return None                                     # the loss does not depend on this block
    r = (a * n).sum() / (n * n).sum()
    if np.abs(a - r * n).max() > 1e-9 * max(np.abs(a).max(), np.abs(n).max()):
        return None
    return round(float(r), 9) + 0.0


# %% [markdown]
# **Predict first.** The gradient of the KL is forgotten in the backward pass: eqs. (7) and (8) lose their second
# term. Which gradients are wrong: those of the `"encoder"` (with its heads), of the `"decoder"`, or of `"both"`?

# %%
predict("06.kl-forgotten", ...)

# %%
def right_and_wrong(name):
    ratios = examine(name)
    print("right:", *(block for block in ORDER if ratios[block] == 1))
    print("wrong:", *(block for block in ORDER if ratios[block] != 1))


right_and_wrong("kl-gradient-lost")
reveal("06.kl-forgotten")

# %% [markdown]
# **Predict again.** The backward pass draws its own `eps`, in place of the one that made $z$.
# Which gradients are wrong: `"all"`, `"logvar's head and enc1"`, or `"none"`?

# %%
predict("06.fresh-noise", ...)

# %%
right_and_wrong("reparam-fresh-noise")
reveal("06.fresh-noise")

# %% [markdown]
# Both mistakes were in the backward pass. Here is one in the *forward* pass: every layer forgets to add its `b`.
#
# **Predict a third time.** Which gradients are wrong: `"all"`, `"all but enc1's"` or `"the biases"`?

# %%
predict("06.bias-forgotten", ...)

# %%
print(mistakes.find("dense-bias-forgotten").sentence)
right_and_wrong("dense-bias-forgotten")
reveal("06.bias-forgotten")

# %% [markdown]
# So for a forward mistake, do not look for what comes after it; ask where the two passes disagree.
#
# Now a whole room of exhibits: what was done in each.

# %%
ROOM = ("bernoulli-gradient-sign", "bernoulli-gradient-mean-over-pixels",
        "elbo-likelihood-summed-over-batch", "dense-bias-gradient-averaged",
        "dense-weight-gradient-before-activation", "dense-tanh-derivative-lost",
        "reparam-half-lost", "reparam-fresh-noise", "kl-gradient-mu-doubled", "elbo-path-through-z-lost",
        "kl-gradient-lost", "elbo-one-head-into-h", "kl-half-lost")
for number, name in enumerate(ROOM, start=1):
    print(f"{number:2d}  {mistakes.find(name).sentence}")

# %% [markdown]
# Now what a check says of each. A row of the picture is one mistake, a column one block of parameters, in the order in which the way
# back meets them. Pale: the gradient of this block is right. A number: it is that many times the right one, in every entry. A cross: it is
# wrong, and there is no such number. So row 4 reads: every bias has a third of its gradient, and every weight is right.

# %%
exhibits = [examine(name) for name in ROOM]
fig, ax = plots.figure(7.2, 3.9)
for row, ratios in enumerate(exhibits):
    for column, block in enumerate(ORDER):
        r = ratios[block]
        color = "#eeeeee" if r == 1 else plots.RED if r is None else plots.ORANGE
        text = "" if r == 1 else "×" if r is None else str(Fraction(r).limit_denominator(50))
        ax.add_patch(plots.plt.Rectangle((column, row), 0.94, 0.9, color=color))
        ax.text(column + 0.47, row + 0.45, text, ha="center", va="center", fontsize=9)
ax.set(xlim=(0, len(ORDER)), ylim=(len(ROOM), 0))
ax.set_title("which blocks does each mistake spoil?")
ax.set_xticks(np.arange(len(ORDER)) + 0.47, ORDER, fontsize=7, family="monospace", rotation=25)
labels = [f"{name} {number:2d}" for number, name in enumerate(ROOM, start=1)]
ax.set_yticks(np.arange(len(ROOM)) + 0.45, labels, fontsize=7, family="monospace")
ax.grid(False)
key = len(ROOM) + 2.0
for at, color, text, meaning in ((-0.4, "#eeeeee", "", "right"), (1.5, plots.ORANGE, "3", "3 times the right gradient"),
                                 (5.9, plots.RED, "×", "wrong, by no single factor")):
    ax.add_patch(plots.plt.Rectangle((at, key), 0.6, 0.8, color=color, clip_on=False))
    ax.text(at + 0.3, key + 0.4, text, ha="center", va="center", fontsize=9)
    ax.text(at + 0.75, key + 0.4, meaning, va="center", fontsize=8)
fig

# %% [markdown]
# Read some more rows, as a doctor would:
#
# - 1 to 3, a constant ratio in the decoder names the factor: -1 is a sign turned; one over the seven pixels, a mean where a sum was
#   meant; three is the batch. From the heads on the ratio is gone, as the KL's share there is right.
# - 4 and 5, biases alone or weights alone: no other gradient is computed from a `db` or a `dW`, so a mistake in it spoils nothing
#   else. (5 is in the layers with tanh.)
# - 7 to 9, one head right and the other wrong: the passes disagree in eq. (7) or in eq. (8).
# - 12, both heads right and `enc1` wrong: eq. (9) is the line between them (or the derivative of tanh after it; the
#   package calls `y1` h).
#
# Several rows look alike: a pattern gives a *place*, and seldom the mistake. How seldom, over all mistakes of the collection that
# this net shows?

# %%
patterns, with_both = Counter(), Counter()
for mistake in mistakes.VAE_MISTAKES:
    try:
        ratios = examine(mistake.name)
    except ValueError:                                  # one of them does not even run: the shapes do not fit
        continue
    if any(r != 1 for r in ratios.values()):
        patterns[tuple(ratios.values())] += 1
        with_both[(*ratios.values(), *examine(mistake.name, 0.0).values())] += 1
alone = sum(n == 1 for n in patterns.values())
print(f"{patterns.total()} mistakes show here, in {len(patterns)} different patterns;")
print(f"{alone} patterns belong to one mistake alone, and the commonest is shared by {max(patterns.values())}")

# %% [markdown]
# So a second question is needed, and a good one is: *what happens at `beta = 0`?* Then the KL is out of the loss. Here for rows 7, 10 and
# 11, the last two of which look the same in the picture:

# %%
def show(ratios):
    """One line for a report, under the names in ORDER: r is right, x is wrong without a ratio."""
    words = ("r" if r == 1 else "x" if r is None else f"{r:.3g}" for r in ratios.values())
    return " ".join(f"{word:{len(block)}s}" for word, block in zip(words, ORDER)).rstrip()


print(" " * 44, " ".join(ORDER))
for name in ("reparam-half-lost", "elbo-path-through-z-lost", "kl-gradient-lost"):
    for weight in (1.5, 0.0):
        print(f"{name:31s} beta = {weight}:  {show(examine(name, weight))}")
alone = sum(n == 1 for n in with_both.values())
print(f"both questions together: {len(with_both)} patterns, of which {alone} belong to one mistake alone;")
print(f"the commonest is shared by {max(with_both.values())}")

# %% [markdown]
# Row 7: without the KL, which blurred the ratio, the lost half shows itself as a 2. Row 11: all is right, so the mistake was in the KL's
# part. Row 10: all that the encoder had learned from was the KL, so its gradient is 0 now.
#
# Two more questions are worth asking. Ask twice with the same `eps`: a backward pass that draws noise of its own gives two different
# answers. Ask with $B = 1$: a sum and a mean over the batch are the same there.
#
# ## 6.8  What no gradient check can see
#
# The last row of the picture is pale from end to end. Its mistake:

# %%
blind = mistakes.find("kl-half-lost")
print(blind.sentence)
for edit in blind.edits:
    print(f"  {edit.function}:   {edit.right}   became   {edit.wrong}")

# %% [markdown]
# The KL lacks its half, and the backward pass was derived from that wrong KL, with care, and without a slip. A gradient check
# compares the two passes with *each other*, so all is well: it is the right gradient of the wrong formula. Whoever trains with it
# gets twice the $\beta$ that was asked for, without knowing, and reports an ELBO that is too low.
#
# What can see it is a statement about what the number should *be*. The KL is defined as an average, of
# $\log q(z) - \log p(z)$ over draws from $q$, and an average can be taken:

# %%
spoiled = mistakes.plant(blind)
noise = rng.standard_normal(200_000)
print(" mu  sigma   the average   right KL   planted KL")
for m1, s1 in ((0.0, 1.0), (0.8, 0.5), (-1.5, 2.0)):
    draws = m1 + s1 * noise
    each = (draws**2 - noise**2) / 2 - np.log(s1)       # log q - log p; both log 2 pi cancel
    at = np.full((1, 1), m1), np.full((1, 1), 2 * np.log(s1))
    right, planted = (module.gaussian_kl_forward(*at)[0].item() for module in (ops, spoiled))
    bar = 4 * each.std() / np.sqrt(each.size)
    print(f"{m1:4.1f} {s1:5.1f}   {each.mean():6.3f} +- {bar:.3f}   {right:7.3f}   {planted:9.3f}")

# %% [markdown]
# The bar is four standard errors: two are exceeded by chance once in 22 comparisons. The right KL lies within the bar, and the planted
# one does not, except in the first row: where $q$ is the prior both are 0. So this test needs an input with nothing special about it.
#
# A gradient check is necessary, and not sufficient. Appendix 6.12 counts what it misses of the mistakes in a VAE.
#
# ## 6.9  Which z made this image?
#
# The gradient's first use: which $z$ did an image $x$ come from? Take a model that is shipped with the package (two latents, two
# hidden layers on either side), and a test image, with each grey pixel made 0 or 1 at random, its grey value being the probability of 1.
# Bayes' rule gives the exact answer, $p(z\mid x) = p(x\mid z)\,p(z) / p(x)$. With two latents it can be computed: decode every point of
# a fine grid. (With twenty latents, a grid of 121 points a side would be $121^{20}$ decodings.)

# %%
threadpool_limits(1)                                    # one thread: the searches' products are too small to share
shipped = VAE.pretrained("mnist").model_
images = data.fixed_binarization(data.load("mnist").test[:100], data.BINARIZATION_SEED)
first = images[[0]]


def log_joint(z, x):
    """log p(x|z) + log p(z), nats:  z (N, 2), x (1, D) -> (N,)."""
    nll, _ = ops.bernoulli_nll_forward(vae.decode(shipped.params, z, shipped.spec), x)
    return -nll - (z**2 + np.log(2 * np.pi)).sum(axis=1) / 2


ticks = np.linspace(-3, 3, 121, dtype=np.float32)
grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
log_p = log_joint(grid, first)
posterior = np.exp(log_p - log_p.max()).reshape(121, 121)

# %% [markdown]
# Notebook 02 knows another way, its eq. (4): the ELBO of any $q$ lies below $\log p(x)$ by exactly
# $\mathrm{KL}(q\,\Vert\,p(z\mid x))$. Raise the ELBO over $q$, and this KL falls, though the posterior need not be known:
# **variational** inference, as in 2.6, but now with a network for a decoder. We look only among the Gaussians with a `mu` and a
# `logvar` for each latent.
#
# That is a search over four numbers, and eqs. (7) and (8) with $B = 1$ and $\beta = 1$ are their gradient. The decoder has more
# layers than eq. (6), so the package goes back to `dz`:

# %%
unused = {name: np.empty_like(block) for name, block in shipped.params.items()}  # a bin for the weights' gradients


def back_to_z(z, x):
    """The nll of each draw and its gradient, nats: z (N, 2), x (1, D) -> nll (N,), dz (N, 2)."""
    out, c_decoder = vae.decoder_forward(shipped.params, z, shipped.spec, ops)
    nll, c_nll = ops.bernoulli_nll_forward(out, np.broadcast_to(x, out.shape))
    dout = ops.bernoulli_nll_backward(np.ones(len(z), np.float32), c_nll)
    return nll, vae.decoder_backward(dout, c_decoder, unused, ops)


# %% [markdown]
# One draw of $z$ a step, as in training: the gradient is right on average over the draws. `adam_step` is a gradient step with a length of
# its own for each number (notebook 07). The rate `lr` falls to zero, so that the search comes to rest. Ten searches run side by side, each
# with draws of its own, to see what depends on the draws.

# %%
def search(x, steps, lr, noise, runs):
    """q = (mu, logvar) of every run at every step, from the prior on: (steps + 1, 2, runs, 2)."""
    q = np.zeros((2, runs, 2), np.float32)
    path, m, v = [q.copy()], np.zeros(q.size, np.float32), np.zeros(q.size, np.float32)  # m, v: what Adam remembers
    for step in range(1, steps + 1):
        (mu, logvar), eps = q, noise.standard_normal((runs, 2), dtype=np.float32)
        sigma = np.exp(logvar / 2)
        dz = back_to_z(mu + sigma * eps, x)[1]
        dq = np.stack([dz + mu, dz * eps * sigma / 2 + (sigma**2 - 1) / 2])             # eqs. (7), (8)
        ops.adam_step(q.reshape(-1), dq.reshape(-1), m, v, step, lr=lr * (1 - step / (steps + 1)))
        path.append(q.copy())
    return np.array(path)


paths = search(first, 2000, 0.1, np.random.default_rng(1), runs=10)
path = paths[:, :, 0]                                               # of the first search: (steps + 1, 2, 2)

# %% [markdown]
# A finer grid around the spot where the first search ended, to see the posterior:

# %%
q = path[-1]
near = [np.linspace(c - 0.7, c + 0.7, 121, dtype=np.float32) for c in q[0]]
points = np.stack(np.meshgrid(*near), axis=-1).reshape(-1, 2)
log_p = log_joint(points, first)
fine = np.exp(log_p - log_p.max())
square = fine.reshape(121, 121)
edge = max(square[[0, -1]].max(), square[:, [0, -1]].max())
print(f"at the edge of this grid the posterior is at most {edge:.0e} of its top: nothing of it is cut off")

# %%
angle = np.linspace(0, 2 * np.pi, 100)
LEVELS = [*np.exp(-np.array([2, 1.5, 1, 0.5]) ** 2 / 2), 1]         # of a Gaussian: at 2, 1.5, 1, 0.5 sigma


def ellipse(mu, logvar):
    """The two-standard-deviation line of a diagonal Gaussian, (2, 100)."""
    return mu[:, None] + 2 * np.exp(logvar / 2)[:, None] * np.stack([np.cos(angle), np.sin(angle)])


fig, axes = plots.figure(8.4, 3.1, 1, 3, width_ratios=(0.6, 1, 1))
plots.show_grid(axes[0], first.reshape(1, 28, 28), 1, "the image x")
axes[1].contourf(ticks, ticks, posterior, levels=LEVELS, cmap="Blues", vmin=-0.4)
axes[1].plot(*path[:301, 0].T, "-", color=plots.GREY, lw=1, label="mean of q, 300 steps")
for step, color, dash in ((0, plots.RED, ":"), (50, plots.ORANGE, "--"), (300, plots.INK, "-.")):
    axes[1].plot(*ellipse(*path[step]), color=color, ls=dash, lw=1.3, label=f"q after {step} steps")
axes[2].contourf(*near, square, levels=LEVELS, cmap="Blues", vmin=-0.4)
axes[2].plot(*ellipse(*q), color=plots.INK, lw=1.6, label="q after 2000 steps")
window = [(c - 0.35, c + 0.35) for c in q[0]]
axes[1].indicate_inset([window[0][0], window[1][0], 0.7, 0.7], edgecolor=plots.BLUE, alpha=1)
axes[1].set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title="raising the ELBO moves q ...")
axes[2].set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title="... onto the posterior", xlim=window[0], ylim=window[1])
lines = [line for ax in axes[1:] for line in ax.get_lines()]
fig.legend(lines, [line.get_label() for line in lines], loc="lower left", fontsize=7)
fig

# %% [markdown]
# Middle: the first 300 steps of one search, from the prior on. Grey is the path of the mean of $q$; an ellipse is two standard deviations
# of $q$; the blue spot is the posterior. Right: the blue frame enlarged, and $q$ at the end; the outermost contour is where a Gaussian
# would have its two standard deviations. The search never saw the posterior, only estimates of the ELBO's gradient, and it ended on the spot. (Appendix 6.10
# asks what holds $q$ at its width.)
#
# All this was for one image, and has to be done again whenever the decoder changes. The remedy of 2.7 is the encoder: it gives `mu`
# and `logvar` of any image in one pass. The price of inference is paid once, in training, and shared by all images: inference is
# **amortized**. How good is that one pass? With two latents the ELBO can be averaged over `eps` without draws: on a few points, each with
# its share of a Gaussian (Gauss-Hermite quadrature).

# %%
def points_of_eps(n):
    """n x n points that stand for all draws of eps, and the share of each: (n^2, 2), (n^2,)."""
    nodes, share = np.polynomial.hermite_e.hermegauss(n)
    eps = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    return eps.astype(np.float32), (np.outer(share, share) / share.sum() ** 2).ravel().astype(np.float32)


def elbo_of(q, x, n=8):
    """The ELBO of one q = (mu, logvar) on one image, nats, averaged over n x n points."""
    eps, share = points_of_eps(n)
    nll, _ = back_to_z(q[0] + np.exp(q[1] / 2) * eps, x)
    return -share @ nll - ops.gaussian_kl_forward(*q[:, None])[0].sum()


# %%
encoder_q = np.stack(vae.encode(shipped.params, first, shipped.spec))[:, 0]
cell = np.prod([t[1] - t[0] for t in near])                         # the area that a point of the fine grid stands for
log_px, of_encoder = np.log(fine.sum() * cell) + log_p.max(), elbo_of(encoder_q, first)
ends = [elbo_of(paths[-1, :, run], first) for run in range(10)]
print(f"log p(x), from the finer grid  {log_px:.2f} nats")
print(f"ELBO of the searched q's       {min(ends):.2f} to {max(ends):.2f}: below it by {log_px - max(ends):.2f} to {log_px - min(ends):.2f}")
print(f"ELBO of the encoder's q        {of_encoder:.2f}: below it by {log_px - of_encoder:.2f}")
moved = max(abs(elbo_of(some_q, first, 16) - elbo_of(some_q, first)) for some_q in (q, encoder_q))
print(f"(with 16 x 16 points in place of 8 x 8, the ELBOs move by less than 0.001: {moved < 0.001})")

# %%
looked = np.arange(0, 2001, 50)
ahead = np.array([[elbo_of(paths[step, :, run], first) > of_encoder for run in range(10)] for step in looked])
once, for_good = looked[ahead.argmax(axis=0)], 2050 - looked[(~ahead[::-1]).argmax(axis=0)]
print(f"ten searches are ahead of the encoder for the first time after {once.min()} to {once.max()} steps,")
print(f"and stay ahead after {for_good.min()} to {for_good.max()} (looked at every 50)")

# %% [markdown]
# What is lost has two parts. How far even the best ELBO of the family is below $\log p(x)$ is the *approximation gap*: at most a few
# hundredths of a nat here, since one of the searches is left with no more. How far the encoder's ELBO is below that best one is the
# **amortization gap** (Cremer et al. 2018): more than a nat on this image. That is the price of having at once what took these searches
# hundreds of steps. Notebook 09 measures both gaps on more images.
#
# ## Recap
#
# - The loss is nats per example, a sum over pixels and latents, a mean over the batch: eqs. (1), (2), with one draw each: eq. (3).
# - $1/B$ enters once on each path: eq. (4) for the nll, $\beta/B$ for the KL. Then back through the decoder: eqs. (5), (6).
# - `mu`, `logvar`, `sigma` and `y1` are used twice, so their gradients are sums: eqs. (7), (8), (9).
# - The pattern of wrong blocks points at a place; a constant ratio and a second question, such as `beta = 0`, help to name the mistake.
# - A wrong formula with its own right gradient passes every gradient check. What can see it is a test of what the number should *be*.
# - The best diagonal Gaussian for one image can be searched for by raising the ELBO (*variational*); a network that
#   outputs it at once shares the price among all images (*amortized*). What even the best of the family lacks is the approximation gap;
#   what the encoder's lacks besides is the amortization gap.
#
# ## Exercises
#
# Each stub below is yours to fill in; `check` says what is right, or shows the smallest input where it is
# not. `hint("06.loss")` gives a nudge, `solution("06.loss")` the reference. After `from minivae.exercises import progress,
# review`, `progress()` shows what is solved and what comes next, and `review()` asks again what you missed. On a first pass, take
# `06.loss`, `06.elbo-and-grads`, `06.name-the-bug` and `06.kl-test`.
#
# ### Losses and gradients

# %% [markdown]
# **Whose beta?** Six people minimise these lines, all with the same `beta`. Each line but one has its minimum where eq. (2) has it with
# some weight in place of $\beta$. Which weight? Choose among `"beta"`, `"beta * B"`, `"beta / B"`, `"beta * L"`, `"beta / L"`, `"beta * D"`,
# `"beta / D"`, and `"none"` if there is no such weight.

# %%
# nll is (B, D), a share for each pixel; kl is (B, L).
# 1. nll.sum() + beta * kl.sum()
# 2. nll.sum(axis=1).mean() + beta * kl.mean()
# 3. nll.mean() + beta * kl.sum(axis=1).mean()
# 4. nll.sum(axis=1).mean() + beta * kl.sum()
# 5. nll.sum() / B + beta * kl.sum() / (B * D)
# 6. nll.sum(axis=1).mean() + beta * kl.sum(axis=1).max()
weights = ...    # six strings

check("06.loss", weights)

# %% [markdown]
# **The whole gradient, with a prior that learns.** Close sections 6.1 to 6.5. The prior is a Gaussian whose mean and log variance, one
# of each for every latent, are parameters too: `prior_mu` and `prior_logvar`. All else is as in the text (tanh, Bernoulli, $\beta = 1$).
# Draw the graph with its two new boxes, and derive every block. The KL between two Gaussians is exercise `03.kl-two-gaussians`. This is
# the summit of the first six notebooks; take your time.

# %%
def my_elbo_and_grads(params, x, eps):    # dict of arrays, (B, D), (B, L)
    ...      # eq. (1), with one prior N(prior_mu, diag exp prior_logvar), both (L,)
             # -> loss = mean_B nll + mean_B KL(q || prior) (float),
             # gradients (dict, the same keys as params)


check("06.elbo-and-grads", my_elbo_and_grads)

# %% [markdown]
# Yours, if it passes, is checked here once more (until then the reference is): with the prior at $N(0, I)$ it must give the gradient of
# the package's loss, by the complex step.

# %%
whole = use("06.elbo-and-grads", my_elbo_and_grads)
_, my_grads = whole(params | {"prior_mu": np.zeros(2), "prior_logvar": np.zeros(2)}, x, eps)
exact = complex_step(lambda flat: vae.elbo(vae.unpack(flat, spec), x, eps, spec).loss, flat)
worst = max(error(my_grads[n], block) for n, block in vae.unpack(exact, spec).items())
print("every block agrees with the complex step:", worst < 1e-12)

# %% [markdown]
# **K samples.** The nll is averaged over $K$ draws of $z$ for each image; the encoder runs once, the decoder $K$ times. The decoder's
# way back is the same with $K B$ examples, and arrives at `dz`, the gradient of the loss (`beta` = 1) with respect to each draw. From
# there: what is summed over $K$, and what is not?

# %%
def k_sample_q(dz, mu, logvar, eps):    # (K, B, L), (B, L), (B, L), (K, B, L)
    ...                                 # -> dmu (B, L), dlogvar (B, L)


check("06.k-samples", k_sample_q)

# %% [markdown]
# **A decoder that says how sure it is.** The likelihood is a Gaussian whose mean *and* log variance are outputs of the
# decoder, one of each for every pixel: a second output layer, `var_W` and `var_b`, beside `out_W` and `out_b`. The prior is
# $N(0, I)$ again. The text shows no part of this; check it with the complex step as you go.

# %%
def variance_output_grads(params, x, eps):    # dict, (B, D), (B, L)
    ...      # y2 -> mean = y2 out_W + out_b and v = y2 var_W + var_b, both (B, D)
             # nll = sum_d ((x - mean)^2 exp(-v) + v + log 2 pi) / 2
             # -> loss = mean_B nll + mean_B kl (float), gradients (dict, the same keys)


check("06.variance-output", variance_output_grads)

# %% [markdown]
# ### The best q

# %% [markdown]
# **Variational, amortized, or what?** Call inference *variational* if $q$ is found by raising the ELBO, and *amortized* if one
# trained network serves every image: it gives the $q$, or where its search starts. `"variational"`, `"amortized"`, `"both"` or `"neither"`?

# %%
# 1. A grid: p(x|z) p(z) at each of its points, divided by their sum.
# 2. An encoder trained on the ELBO, then twenty steps up each image's ELBO from there.
# 3. A table with a mu and a logvar for each training image, all of it raised on the ELBO.
# 4. Draw pairs (z, x) from the model, and train a network to raise log q(z|x) on them.
# 5. For each image: accept or reject steps of z, with p(x|z) p(z) (Metropolis).
inference = ...    # five words

check("06.which-inference", inference)

# %% [markdown]
# **The best tilted q, by a search.** Now $q = N(\mu,\ R R^\top)$ may be tilted: $z = \mu + R\,\varepsilon$ for each draw, with a lower
# triangular $R$ (`root`) that has a positive diagonal. Derive the gradient with respect to `root` (of the KL too), and search. You are given a function
# that says what each draw of $z$ costs, and its gradient; end within 0.01 nats of the largest ELBO for these draws.

# %%
def search_q(nll_and_dz, eps):    # nll_and_dz(z): (K, L) -> nll (K,), dz (K, L) of each
    ...                           # eps (K, L), fixed -> mu (L,), root (L, L)


check("06.search-q", search_q)

# %% [markdown]
# **The best q, without a search.** For a linear decoder with Gaussian noise, $x \sim N(zW + b,\ s^2 I)$, the terms of
# `dmu` and `dlogvar` can be averaged over `eps` on paper. Set both sums to zero and solve for the best diagonal Gaussian.

# %%
def best_gaussian(x, W, b, s):    # (B, D), (L, D), (D,), the noise's standard deviation
    ...                           # -> mu (B, L), logvar (B, L) with the largest ELBO


check("06.best-q", best_gaussian)

# %% [markdown]
# **What is lost where?** For this linear decoder everything is Gaussian, so both gaps of 6.9 can be had exactly. An encoder gave the
# diagonal Gaussians with these `mu` and `logvar`. Which part of $\log p(x) - \mathrm{ELBO}$ would a search within the family win back
# for each image (the amortization gap), and which part not (the approximation gap)?

# %%
def gaps_of_q(W, b, s, x, mu, logvar):    # (L, D), (D,), float; (B, D), (B, L), (B, L)
    ...                                   # -> amortization gap (B,), approximation gap (B,)


check("06.gaps", gaps_of_q)

# %% [markdown]
# ### Mistakes

# %% [markdown]
# **Name the bug.** Four mistakes from the collection that the text did not show, and what a check says about them. Four of
# the eight below are theirs. Reason from the reports alone.

# %%
from minivae.exercises.chapters.nb06.bugs import patient

print(" " * 15, " ".join(ORDER))
for letter in "ABCD":
    for weight in (1.5, 0.0):
        print(f"{letter}, beta = {weight}:  {show(examine(patient(letter), weight))}")

# %%
# "dW-over-B": weight gradients divided by B once more.  "dx-before-tanh": a layer's dx from
# dy, before tanh's derivative is multiplied in.  "dmu-without-dz".  "dlogvar-without-eps".
# "variance-as-sigma": z = mu + exp(logvar) eps; backward through z, dz eps exp(logvar) / 2.
# "dlogvar-without-KL".  "KL-sign": the KL's gradient has the wrong sign.
# "dout-without-sigmoid": logits - x.
names = ...    # in the order A, B, C, D

check("06.name-the-bug", names)

# %% [markdown]
# **The next question.** Four pairs of mistakes. The two of a pair have the same report at `beta` = 1.5 with three images. You may
# ask once more: at `"beta = 0"`, with `"B = 1"` (and `beta` = 1.5), or `"twice"` with the same `eps`, whether the gradient by hand is the
# same again. Which question tells the two apart? If none does: `"none"`.

# %%
# 1. The KL's gradient has the wrong sign, or the gradients of the two heads are swapped.
# 2. dlogvar lacks its eps, or has an eps of its own, drawn in the backward pass.
# 3. The loss has the sum of the KL over the batch and the gradient its mean, or the KL's
#    gradient has the wrong sign.
# 4. In the KL's dlogvar, (sigma^2 - 1) / 2, the half is lost, or the 1 is lost.
questions = ...    # four strings

check("06.next-question", questions)

# %% [markdown]
# **Repair.** This VAE has three mistakes at once. Two show in a gradient check, and the pattern of the one hides that of
# the other; the third does not show. Mend them all. (Its forward pass can take complex numbers; the cell below it is your check.)

# %%
def repaired_vae(params, x, eps):
    # loss = mean_B nll + mean_B kl in nats per example, and its gradients
    p, (B, L), grads = params, eps.shape, {}
    # forward
    y1 = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    mu = y1 @ p["mu_W"] + p["mu_b"]
    logvar = y1 @ p["logvar_W"] + p["logvar_b"]
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps
    y2 = np.tanh(z @ p["dec1_W"] + p["dec1_b"])
    logits = y2 @ p["out_W"] + p["out_b"]
    lit = logits.real > 0
    nll = ((lit - x) * logits + np.log1p(np.exp(np.where(lit, -logits, logits)))).sum(axis=1).mean()
    kl = ((mu**2 + sigma**2 - 1 - logvar) / 2).mean()
    # backward, the decoder
    dlogits = (1 / (1 + np.exp(-logits)) - x) / B
    grads["out_W"] = y2.T @ dlogits
    grads["out_b"] = dlogits.sum(axis=0)
    dy2 = dlogits @ p["out_W"].T
    da2 = dy2 * (1 - np.tanh(y2) ** 2)
    grads["dec1_W"] = z.T @ da2
    grads["dec1_b"] = da2.sum(axis=0)
    dz = da2 @ p["dec1_W"].T
    # backward, q
    dkl = 1 / B / L
    dmu = dz + dkl * mu
    dlogvar = dz * eps * sigma**2 / 2 + dkl * (sigma**2 - 1) / 2
    grads["mu_W"] = y1.T @ dmu
    grads["mu_b"] = dmu.sum(axis=0)
    grads["logvar_W"] = y1.T @ dlogvar
    grads["logvar_b"] = dlogvar.sum(axis=0)
    # backward, the encoder
    dy1 = dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T
    da1 = dy1 * (1 - y1**2)
    grads["enc1_W"] = x.T @ da1
    grads["enc1_b"] = da1.sum(axis=0)
    return nll + kl, grads


check("06.repair", repaired_vae)

# %%
numeric = vae.unpack(complex_step(lambda flat: repaired_vae(vae.unpack(flat, spec), x, eps)[0], flat), spec)
mended = repaired_vae(params, x, eps)[1]
print(" ".join(ORDER))
print(show({block: ratio_of(mended[block], numeric[block]) for block in ORDER}))

# %% [markdown]
# ### What no gradient check sees

# %% [markdown]
# **See what the gradient check cannot.** Write the test of 6.8 so that it accepts every right KL and none of the wrong ones,
# whatever their gradients, also with other draws than yours. (The check runs it on a right KL with twenty seeds. One of the wrong ones is only
# 0.04 nats too large in every entry.)

# %%
def kl_is_right(kl):    # kl(mu, logvar): (B, L), (B, L) -> (B, L) nats, against N(0, 1)
    ...                 # -> True or False, by draws from q


check("06.kl-test", kl_is_right)

# %% [markdown]
# **And a likelihood?** The same for the Bernoulli nll, where no draws are needed: with a few pixels you can write down every image that there is. What must
# their probabilities do? (Use no formula of the nll: a slip in it would be in both.)

# %%
def nll_is_right(nll):    # nll(logits, x): (B, D), (B, D) -> (B,) nats; x is 0 or 1
    ...                   # -> True or False, without the formula of the nll


check("06.likelihood-test", nll_is_right)

# %% [markdown]
# **Next:** notebook 07 takes this gradient, the digits of MNIST and an optimiser, and makes a model that draws.

# %% [markdown]
# # Appendix (optional)
#
# No later notebook needs it.
#
# ## 6.10  What holds q at its width?
#
# First the $q$ of 6.9, more exactly. Single draws leave it scattered about its goal. So go on for a hundred steps that average over `eps` on
# the 8 x 8 points of 6.9, in place of draws:

# %%
eps_points, share = points_of_eps(8)
q, m, v = path[-1].copy(), np.zeros(4, np.float32), np.zeros(4, np.float32)
for step in range(1, 101):
    sigma = np.exp(q[1] / 2)
    dz = back_to_z(q[0] + sigma * eps_points, first)[1]
    dq = np.stack([share @ dz + q[0], share @ (dz * eps_points) * sigma / 2 + (sigma**2 - 1) / 2])
    ops.adam_step(q.reshape(-1), dq.reshape(-1), m, v, step, lr=0.02 * (1 - step / 101))
best = elbo_of(q, first)
print(f"ELBO {best:.2f} nats: approximation gap {log_px - best:.2f}, amortization gap {best - of_encoder:.2f}")

# %% [markdown]
# The posterior's mean and standard deviations, from the fine grid, to compare with those of $q$. A diagonal Gaussian has no
# tilt. If the posterior were a Gaussian with correlation $\rho$, the best diagonal one would have its mean, and each latent's width
# *given the other latent*: $\sqrt{1 - \rho^2}$ times the standard deviation.

# %%
mass = fine / fine.sum()
mean = mass @ points
sd = np.sqrt(mass @ (points - mean) ** 2)
rho = mass @ (points - mean).prod(axis=1) / sd.prod()
skew, tails = (mass @ ((points - mean) / sd) ** power for power in (3, 4))
print(f"posterior: mean ({mean[0]:.2f}, {mean[1]:.2f}), rho {rho:.2f}")
print(f"q:         mean ({q[0, 0]:.2f}, {q[0, 1]:.2f})")
tilt, width = sd * np.sqrt(1 - rho**2), np.exp(q[1] / 2)
for what, each in (("the posterior's", sd), ("were it a Gaussian, the best q's", tilt), ("the searched q's", width)):
    print(f"standard deviations, {what:32s}  {each[0]:.4f}  {each[1]:.4f}")
print("share of the difference that is the tilt's:            {:.0%}     {:.0%}".format(*(sd - tilt) / (sd - width)))
print(f"posterior, mean of ((z - mean) / sd)^3 (Gaussian: 0):  {skew[0]:6.2f}  {skew[1]:6.2f}")
print(f"posterior, mean of ((z - mean) / sd)^4 (Gaussian: 3):  {tails[0]:6.2f}  {tails[1]:6.2f}")

# %% [markdown]
# $q$ is a little narrower than the posterior. For the first latent the tilt accounts for most of that, for the second for less than half: the rest
# comes from the posterior's not being a Gaussian. In $z_1$ it has heavier tails than a Gaussian (the fourth powers), in $z_2$ it leans to one
# side (the third powers).
#
# Two terms pull at `logvar`, and they want different things. Change the `logvar` of the first latent alone, and average both terms of eq. (8) over
# 1200 draws:

# %%
tried = np.linspace(-9, -2, 29, dtype=np.float32)
eps_few = rng.standard_normal((1200, 2), dtype=np.float32)
through_z, nll_tried = [], []
for value in tried:
    logvar_1 = np.array([value, q[1, 1]])
    nll_each, dz_each = back_to_z(q[0] + np.exp(logvar_1 / 2) * eps_few, first)
    through_z.append((dz_each * eps_few).mean(axis=0)[0] * np.exp(value / 2) / 2)
    nll_tried.append(nll_each.mean())
through_z, nll_tried, from_kl = np.array(through_z), np.array(nll_tried), (np.exp(tried) - 1) / 2
rest = np.abs(through_z + from_kl).argmin()
print(f"their sum is nearest to 0 at logvar = {tried[rest]:.2f}, where sigma = {np.exp(tried[rest] / 2):.3f}")
for k in (rest, rest - 4, rest - 8):
    print(f"at logvar {tried[k]:.2f} the nll is {nll_tried[k] - nll_tried.min():.2f} nats above its least")

# %%
fig, ax = plots.figure(5.4, 2.9)
ax.plot(tried, through_z, color=plots.RED, ls="--", label="through z: wants q narrow")
ax.plot(tried, from_kl, color=plots.BLUE, ls="-.", label="from the KL: wants q wide")
ax.plot(tried, through_z + from_kl, color=plots.INK, label="dlogvar, their sum")
ax.axhline(0, color=plots.GREY, lw=0.8)
ax.plot(tried[rest], 0, "*", color=plots.INK, ms=13)
ax.set(xlabel="logvar of the first latent", ylabel="nats per unit of logvar", ylim=(-1, 3))
ax.set_title("q rests where the two terms of eq. (8) cancel")
ax.legend()
fig

# %% [markdown]
# At the star the two terms cancel. To its left a narrower $q$ still lowers the nll, but by less than the KL charges. To its right the
# nll grows faster than the KL falls.
#
# ## 6.11  Is the encoder's q the best one, image by image?
#
# Search for the $q$ of 32 test images at once, each with eight draws a step. First the two terms again, with a row for each image;
# the mean over the $K$ draws is left to `back_to_z_of_all`.

# %%
some = images[:32]


def back_to_z_of_all(z, x):
    """The mean nll of each image and its gradient: z (K, B, 2), x (B, D) -> (B,), (K, B, 2)."""
    K, B, L = z.shape
    nll, dz = back_to_z(z.reshape(K * B, L), np.broadcast_to(x, (K, *x.shape)).reshape(K * B, -1))
    return nll.reshape(K, B).mean(axis=0), dz.reshape(K, B, L) / K


def minus_elbos(qs, x, eps):
    """-ELBO of each image and its gradient, nats: qs (2, B, 2), x (B, D), eps (K, B, 2) -> (B,), (2, B, 2)."""
    mu, logvar = qs
    z, c_z = ops.reparam_forward(mu, logvar, eps)
    nll, dz = back_to_z_of_all(z, x)
    kl, c_kl = ops.gaussian_kl_forward(mu, logvar)
    slopes = np.stack(ops.reparam_backward(dz, c_z)) + np.stack(ops.gaussian_kl_backward(np.ones(2, np.float32), c_kl))
    return nll + kl.sum(axis=1), slopes


# %%
def search_all(start, x, steps, lr, seed):
    """Where each image's search ends: start (2, B, 2) -> (2, B, 2)."""
    noise, qs = np.random.default_rng(seed), start.copy()
    m, v = np.zeros(qs.size, np.float32), np.zeros(qs.size, np.float32)
    for step in range(1, steps + 1):
        _, slopes = minus_elbos(qs, x, noise.standard_normal((8, *qs.shape[1:]), dtype=np.float32))
        ops.adam_step(qs.reshape(-1), slopes.reshape(-1), m, v, step, lr=lr * (1 - step / (steps + 1)))
    return qs


encoder_qs = np.stack(vae.encode(shipped.params, some, shipped.spec))
better = search_all(encoder_qs, some, 200, 0.05, seed=4)
eps_all = rng.standard_normal((200, 32, 2), dtype=np.float32)
encoded, improved = (minus_elbos(qs, some, eps_all)[0] for qs in (encoder_qs, better))
gain = encoded - improved
print(f"-ELBO: a search from the encoder's q ends lower on {(gain > 0).sum()} of 32 images")
print(f"by {np.median(gain):.1f} nats (median), {gain.mean():.1f} (mean), {gain.max():.0f} (most; without it the mean is"
      f" {(gain.sum() - gain.max()) / 31:.1f})")

# %% [markdown]
# One image holds most of the sum. What is wrong with the encoder's $q$, its mean or its widths? Give it the mean that the search found, and
# leave it its own widths; then the other way round:

# %%
placed = minus_elbos(np.stack([better[0], encoder_qs[1]]), some, eps_all)[0] - improved
widened = minus_elbos(np.stack([encoder_qs[0], better[1]]), some, eps_all)[0] - improved
for what, left in (("means", placed), ("widths", widened)):
    print(f"left of the gaps with the searched {what + ':':7s} {np.median(left):.2f} nats (median), {left.mean():.2f} (mean), {left.max():.1f}"
          f" (most), and {left[gain.argmax()]:.1f} of the largest gap")

# %% [markdown]
# It is the mean: with the searched means nearly all of the sum is gone, and with the searched widths alone nothing is.
#
# Does a search from the prior end at the same place? Count the images where it is behind, and let it go on, so that slow ones can
# arrive:

# %%
after_200 = search_all(np.zeros_like(encoder_qs), some, 200, 0.2, seed=1)
after_600 = search_all(after_200, some, 400, 0.05, seed=2)
for steps, found in ((200, after_200), (600, after_600)):
    behind = minus_elbos(found, some, eps_all)[0] - improved
    print(f"after {steps} steps from the prior: more than 0.3 nats behind on {(behind > 0.3).sum()} images, ahead by as much on"
          f" {(behind < -0.3).sum()}")
for image in np.flatnonzero(np.abs(behind) > 0.3):
    moved, apart = (np.linalg.norm(after_600[0, image] - other[0, image]) for other in (after_200, better))
    print(f"image {image:2d}: behind by {behind[image]:5.1f} nats; its mean moved {moved:.2f} in the last 400 steps and ends {apart:.2f}"
          f" from the other search's")

# %% [markdown]
# Most of those that were behind had only been slow. The images in the list hardly moved in 400 more steps, and are far from where
# the other search ended; on one of them, the end reached from the prior is the better one. Draw the gaps, and the landscape of the
# image with the largest difference:

# %%
apart = np.abs(behind).argmax()
heights = np.concatenate([log_joint(part, some[[apart]]) for part in np.array_split(grid, 20)]).reshape(121, 121)
order = gain.argsort()
fig, axes = plots.figure(8.4, 3.2, 1, 2)
axes[0].plot(gain[order], "o", color=plots.RED, ms=4, label="the encoder's q")
axes[0].plot(widened[order], "^", color=plots.GREY, ms=4, label="with the searched widths")
axes[0].plot(placed[order], "s", color=plots.BLUE, ms=4, label="with the searched mean")
axes[0].set(yscale="log", xlabel="images, by their gap", ylabel="nats behind the searched q", title="moving the mean closes the largest gaps")
axes[0].legend(fontsize=8)
axes[1].contourf(ticks, ticks, np.maximum(heights - heights.max(), -120), levels=[-120, -80, -60, -40, -30, -20, -10, 0], cmap="Blues")
axes[1].plot(*better[0, apart], "*", color=plots.RED, ms=12, label="searched from the encoder's q")
axes[1].plot(*after_600[0, apart], "X", color=plots.ORANGE, ms=9, label="searched from the prior")
axes[1].set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title=f"log p(x, z) of image {apart}")
axes[1].legend(fontsize=7, loc="upper left")
fig

# %% [markdown]
# Left: where the gap is largest, moving the encoder's mean alone wins nearly all of it back, and other widths alone next to nothing; of some
# small gaps the widths win back a part. (No square: nothing is left, or the search had not quite ended.) Right: the darkest blue is within ten nats of the top, and each lighter one reaches at least ten nats further
# down. The two searches ended on two hills: a gradient only points uphill.
#
# ## 6.12  Which mistakes does no gradient check see?
#
# Our small net cannot show all of the collection's mistakes in a VAE: it has no relu, no Gaussian likelihood, no free bits (notebook 07) and no
# importance samples (the IWAE, notebook 09). So run the check on nets that have them.

# %%
NETS = {"this net": (spec, None), "with relu": (spec._replace(activation="relu"), None),
        "with a Gaussian likelihood": (spec._replace(likelihood="gaussian"), None),
        "with free bits": (spec._replace(free_bits=0.5), None), "the IWAE, 3 samples": (spec, 3)}


def is_seen(mistake, spec, samples):
    """Whether a gradient check of this net sees the mistake: by hand against the complex step."""
    spoiled, noise = mistakes.plant(mistake), np.random.default_rng(0)
    model, its_ops = (vae, spoiled) if mistake.module == "ops" else (spoiled, ops)
    weights = vae.init_params(spec, noise, dtype=np.float64)
    weights += 0.5 * noise.standard_normal(weights.size)
    draws = noise.standard_normal((B, 2) if samples is None else (samples, B, 2))
    forward, by_hand = (model.elbo, model.elbo_and_grads) if samples is None else (model.iwae, model.iwae_and_grads)
    weighted = {"ops": its_ops} if samples else {"ops": its_ops, "beta": beta}
    slopes = by_hand(vae.unpack(weights, spec), x, draws, spec, **weighted).grads
    numeric = complex_step(lambda w: forward(vae.unpack(w, spec), x, draws, spec, **weighted).loss, weights)
    return any(ratio_of(slopes[name], n) != 1 for name, n in vae.unpack(numeric, spec).items())


def first_to_see(mistake):
    try:
        return next((net for net, setting in NETS.items() if is_seen(mistake, *setting)), "none of them")
    except ValueError:
        return "does not run"


found = [(first_to_see(mistake), mistake.symptom) for mistake in mistakes.VAE_MISTAKES]
seen_first = Counter(net for net, _ in found)
for net in (*NETS, "does not run", "none of them"):
    print(f"{seen_first[net]:3d}  {net}")
print(f"{seen_first.total():3d}  mistakes, each under the first net that shows it")
print("\nthe collection on those that none of them shows:")
for symptom, number in Counter(symptom for net, symptom in found if net == "none of them").most_common():
    print(f"{number:3d}  {symptom}")

# %% [markdown]
# The first line under the table is the kind of 6.8: the gradient is right, of the wrong formula. Two overflow, at logits that no net here has.
# "The plain gradient": three are in the doubly reparameterized gradient of notebook 09, which is right only on average over draws, so that
# the loss of one draw cannot check it. The others are in a step, a report, an evaluation or a drawing of samples, and nothing that was
# checked depends on those.
# (To walk through the collection, with a symptom shown and the mistake to be named: `python -m minivae museum`. It also has mistakes in
# the conditional VAE and in the GAN of notebook 11, which are not counted here.)
#
# ## 6.13  A doctor to ask
#
# For a forward and backward pair alone, the package compares the two and looks for a pattern. Here is row 7 of the museum:

# %%
from minivae.gradcheck import diagnose

spoiled = mistakes.plant(mistakes.find("reparam-half-lost"))
inputs = {name: rng.standard_normal((4, 3)) for name in ("mu", "logvar", "eps")}
print(diagnose(spoiled.reparam_forward, spoiled.reparam_backward, inputs))
