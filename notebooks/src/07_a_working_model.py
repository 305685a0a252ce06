# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 07 · A working model
#
# **What you will be able to do**
# - say why a gradient on a hundred images may stand in for one on all, and write Adam line by line;
# - train a VAE on MNIST with a loop of your own, and read its two curves;
# - recognise a silent `beta` and a collapsed latent, and mend them.
#
# **Builds on** notebook 06, whose gradient does all the work here. Reading time: 35 minutes.

# %%
import sys; sys.path[:0] = [".", ".."]

import numpy as np

from minivae import data, evaluate, plots, vae
from minivae import ops as plain_ops
from minivae.backend import load_backend
from minivae.exercises import (
    check,
    hint,
    my_backend,
    poster,
    predict,
    recall,
    reveal,
    solution,
)

plots.notebook_style()
rng = np.random.default_rng(7)
ops = load_backend("numba")        # the formulas of notebooks 03 to 05, compiled: notebook 08

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("07", ..., ..., ...)

# %% [markdown]
# ## 7.1  What does the model see?
#
# MNIST: handwritten digits, 28 by 28 pixels, grey from 0 to 255. Our decoder gives each pixel a
# probability of being 1, so a grey pixel needs a meaning. The usual one: grey *is* a
# probability. Each time an image is used, every pixel is drawn anew, 1 with
# probability grey / 255. (To train in seconds this notebook takes the first ten thousand images.)

# %%
mnist = data.load("mnist")
pictures = mnist.train[:10_000]
print(f"{len(mnist.train):,} training images, of which {len(pictures):,} are used here; {len(mnist.test):,} to test on")

grey = pictures[[7]]
drawn = [(rng.random(grey.shape) < grey / 255).astype(np.float32) for _ in range(3)]
fig, ax = plots.figure(5.6, 1.7)
plots.show_grid(ax, np.concatenate([grey / 255, *drawn]).reshape(-1, 28, 28), 4)
ax.set_title("one grey image, and three of the many that it stands for")
fig

# %% [markdown]
# Only the grey rim of the stroke differs from draw to draw. It is as if there were more data than there are,
# and it costs one line; `data.binarize` is that line, done fast.

# %% [markdown]
# ## 7.2  Must every step look at every image?
#
# The loss is a mean over all $N$ images, and so is its gradient: $\frac1N\sum_i g_i$, where $g_i$ is image $i$'s own.
# Computing all $g_i$ for a single step seems a waste; take a random batch $S$ of $B$ images instead:
#
# $$
# \mathbb{E}_S\Big[\frac1B\sum_{i\in S} g_i\Big]
# = \frac1B\sum_{b=1}^{B}\mathbb{E}\big[g_{i_b}\big]
# = \frac1B\sum_{b=1}^{B}\frac1N\sum_{i=1}^{N} g_i
# = \frac1N\sum_{i=1}^{N} g_i \tag{1}
# $$
#
# ($i_b$ is the image at place $b$ of the batch.) First step: the expectation of a sum is the sum of the expectations.
# Second step: whatever place we look at, each image is there with the same probability, $1/N$. So the batch's gradient
# is **unbiased**: wrong each time, right on average. (Nothing was said about independence, so drawing without replacement is fine too.)
#
# See it on a fresh model. `init_params` draws small random weights (were they all equal, the units of a layer would stay
# equal for ever) and sets the biases to zero, but for the output's: they start so that the decoder draws the average
# image. All parameters lie in one vector, `flat`; `params` are views of it, the same memory under names.
#
# For this experiment $N$ is 2,000 images, each with one `eps`. `full` is their gradient; beside it stand the gradients
# of 150 batches of 10 and of 150 batches of 100.

# %%
def a_new_model(spec, seed=0):
    """Parameters before the first step, and their parts by name."""
    flat = vae.init_params(spec, np.random.default_rng(seed), data_mean=pictures.mean(axis=0) / 255)
    return flat, vae.unpack(flat, spec)


spec = vae.Spec(784, hidden=(64,), latent_dim=2)
flat, params = a_new_model(spec)
x = data.binarize(pictures[:2000], rng)
eps = rng.standard_normal((2000, 2), dtype=np.float32)


def gradient(batch):
    return vae.elbo_and_grads(params, x[batch], eps[batch], spec, ops=ops).flat_grads


full = gradient(np.arange(2000))
batches = {B: [gradient(rng.choice(2000, B, replace=False)) for _ in range(150)] for B in (10, 100)}

# %% [markdown]
# A gradient has too many entries to draw. Draw two numbers of it: its component along `full`, and
# that along some direction at a right angle to `full`. The full gradient itself is the point (1, 0).

# %%
along = full / (full @ full)
across = batches[10][0] - (batches[10][0] @ along) * full
across /= np.linalg.norm(across) * np.linalg.norm(full)

fig, axes = plots.figure(6, 2.7, 1, 2, sharex=True, sharey=True)
for ax, (B, found) in zip(axes, batches.items()):
    found = np.array(found[1:])                            # without the batch that `across` is made from
    ax.plot(found @ along, found @ across, "o", ms=3, alpha=0.5, color=plots.BLUE)
    ax.plot(1, 0, "*", ms=14, color=plots.RED)
    spread = np.std(found @ along)
    error = spread / np.sqrt(len(found))
    print(f"B = {B:3d}: along full {np.mean(found @ along):.3f} on average "
          f"(standard error {error:.3f}), scatter {spread:.3f}")
    ax.set(title=f"batches of {B}", xlabel="along the full gradient")
axes[0].set_ylabel("across it")
fig.suptitle("every cloud is centred on the full gradient (star)")
fig

# %% [markdown]
# Ten times the images, and the cloud is about $\sqrt{10}$ times narrower. That is the trade: the error falls with the
# square root of $B$, the cost rises with $B$ itself. Far from the goal a rough direction is good enough, and many rough
# steps get further than a few exact ones. We take batches of a hundred.

# %% [markdown]
# ## 7.3  How long a step?
#
# *Stochastic gradient descent* is one line, `flat -= lr * grad`, with a *learning rate* `lr`. But which? Look at
# how large the gradient's entries are, block by block.

# %%
sizes = {name: np.sqrt((block**2).mean()) for name, block in vae.unpack(full, spec).items()}
for name, size in sizes.items():
    print(f"{name:10s} typical size of an entry {size:.4f}")
print(f"the largest is {max(sizes.values()) / min(sizes.values()):.0f} times the smallest")

# %% [markdown]
# One `lr` multiplies them all: too bold a step for one block is too timid for another. *Adam* (Kingma and Ba 2015) gives
# each number a step length of its own.
#
# ## 7.4  Adam, line by line
#
# For each parameter $\theta$ keep two running means: $m$ of its gradient $g$, and $v$ of $g^2$. Every step mixes a little
# of the new into the old:
#
# $$
# m \leftarrow \beta_1 m + (1-\beta_1)\,g, \qquad
# v \leftarrow \beta_2 v + (1-\beta_2)\,g^2 \tag{2}
# $$
#
# ($\beta_1 = 0.9$ remembers about $1/(1 - \beta_1)$, that is ten steps, $\beta_2 = 0.999$ about a thousand. They have nothing
# to do with the `beta` of the KL.) Both start at 0, and so at first they are too small. By how much? Unroll eq. (2) from
# $m = 0$: after step $t$
#
# $$
# m_t = (1-\beta_1)\sum_{s=1}^{t}\beta_1^{\,t-s} g_s
# \quad\Rightarrow\quad
# \mathbb{E}[m_t] = \mathbb{E}[g]\,(1-\beta_1)\sum_{s=1}^{t}\beta_1^{\,t-s} = \mathbb{E}[g]\,(1-\beta_1^{\,t}),
# $$
#
# if all the $g_s$ have one mean; the last step is the geometric series. The same goes for $v$, with $\beta_2$. So divide the
# factors out again:
#
# $$
# \hat m = \frac{m}{1-\beta_1^{\,t}}, \qquad \hat v = \frac{v}{1-\beta_2^{\,t}} \tag{3}
# $$
#
# and step along the mean, in units of the gradient's own typical size:
#
# $$
# \theta \leftarrow \theta - \mathtt{lr}\,\frac{\hat m}{\sqrt{\hat v} + \epsilon} \tag{4}
# $$
#
# ($\epsilon = 10^{-8}$, `adam_eps`, so that nothing is divided by zero.)

# %%
def one_adam_step(theta, g, m, v, t, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    """-> theta, m, v after the step: t counts from 1."""
    m = beta1 * m + (1 - beta1) * g                        # eq. (2)
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)                             # eq. (3)
    v_hat = v / (1 - beta2**t)
    return theta - lr * m_hat / (np.sqrt(v_hat) + adam_eps), m, v      # eq. (4)


theta, g = rng.standard_normal((2, 5))
for factor in (1, 1000):
    moved, _, _ = one_adam_step(theta, factor * g, np.zeros(5), np.zeros(5), t=1, lr=0.01)
    print(f"gradient times {factor:4d}: the first step is", (moved - theta).round(6))
print("sign of the gradient:               ", np.sign(g))

# %% [markdown]
# Two things to see. The first step is `lr` in every entry, against the sign of the gradient, whatever its size.
# And a loss a thousand times larger gives the same step: eq. (4) divides the size out. What is left to choose is one `lr`
# with a plain meaning: about how far a parameter may move in a step.
#
# Does eq. (3) matter? Here are a noisy gradient with mean 1, and what `m` makes of it. And suppose that `m` is corrected
# and `v` is not: then the first step is $g / \sqrt{(1 - \beta_2)\,g^2}$, where it should be $g / \sqrt{g^2}$.

# %%
noisy = 1 + 0.5 * rng.standard_normal(40)
m, raw = 0.0, []
for g in noisy:
    m = 0.9 * m + 0.1 * g
    raw.append(m)
t = np.arange(1, 41)
print(f"with v not corrected, the first step is {1 / np.sqrt(1 - 0.999):.0f} times too long")

# %%
fig, ax = plots.figure(5, 2.5)
ax.plot(t, noisy, ".", color=plots.GREY, label="the gradients")
ax.plot(t, raw, color=plots.RED, ls="--", label="m")
ax.plot(t, np.array(raw) / (1 - 0.9**t), color=plots.BLUE, label="m corrected")
ax.axhline(1, color=plots.INK, lw=1, ls=":")
ax.set(xlabel="step", ylabel="gradient", ylim=(-0.2, 2.9), title="without the correction, m crawls up from 0")
ax.legend(loc="upper center", ncols=3, fontsize=8)
fig

# %% [markdown]
# After a while the two lines are one. For $v$, with its long memory, the start lasts a thousand steps, and
# forgetting the correction does the harm printed above.
#
# The package's `adam_step` is the same, *in place*: it changes `flat`, `m` and `v` themselves, so that the views in
# `params` move too. And does it earn its keep? A hundred steps from the same start, for several `lr`.

# %%
def loss_after(lr, adam, steps=100, B=100):
    """The mean loss of the last twenty steps; not finite where the steps were too long."""
    flat, params = a_new_model(spec)
    m, v, losses = np.zeros_like(flat), np.zeros_like(flat), []
    rng = np.random.default_rng(0)                         # the same batches for every lr
    for step in range(1, steps + 1):
        x = data.binarize(pictures[rng.integers(len(pictures), size=B)], rng)
        eps = rng.standard_normal((B, 2), dtype=np.float32)
        result = vae.elbo_and_grads(params, x, eps, spec, ops=ops)
        losses.append(result.loss)
        if adam:
            ops.adam_step(flat, result.flat_grads, m, v, step, lr)
        else:
            flat -= np.float32(lr) * result.flat_grads
    return np.mean(losses[-20:])

# %%
rates = (0.001, 0.003, 0.01, 0.03, 0.1)
with np.errstate(all="ignore"):                            # one of them runs away to infinity
    sgd, adam = ([loss_after(lr, kind) for lr in rates] for kind in (False, True))
for lr, one, other in zip(rates, sgd, adam):
    print(f"lr {lr:5.3f}: gradient descent {one:6.1f}, Adam {other:6.1f} nats")

# %%
fig, ax = plots.figure(5.2, 2.7)
ax.plot(rates, sgd, "s--", color=plots.RED, label="gradient descent")
ax.plot(rates, adam, "o-", color=plots.BLUE, label="Adam")
ax.axhline(loss_after(0.0, False), color=plots.GREY, lw=1, ls=":", label="no training at all")
ax.set(xscale="log", xlabel="learning rate lr", ylabel="loss after 100 steps, nats", ylim=(172, 218))
ax.text(0.115, 199, "runs away", color=plots.RED, ha="right", fontsize=8)
ax.set_title("Adam works over a wide range of rates")
ax.legend(loc="upper center", ncols=3, fontsize=8)
fig

# %% [markdown]
# Gradient descent hardly moves at the small rates, and at the largest it runs away (`nan`: no square to draw); what works
# lies in a narrow window between. Adam, at most of the rates tried, is ahead of the best of it: one can start without
# knowing the scale of the gradient.

# %% [markdown]
# ## 7.5  The loop
#
# Everything is there. Draw a batch, make it black and white, draw `eps`, get the gradient, take a step. The rate
# falls slowly to a twentieth, so that the end is calmer than the start. (`beta` is a function of the step, for 7.8 and 7.10.)

# %%
def train(spec, steps, *, beta=lambda step: 1.0, lr=3e-3, B=100, ops=ops, keep=()):
    """-> the parameters, (nll, kl) of every step, and copies of the parameters after the steps `keep`."""
    rng = np.random.default_rng(0)
    flat, params = a_new_model(spec)
    m, v = np.zeros_like(flat), np.zeros_like(flat)
    history, kept = [], {0: flat.copy()}
    for step in range(1, steps + 1):
        x = data.binarize(pictures[rng.integers(len(pictures), size=B)], rng)
        eps = rng.standard_normal((B, spec.latent_dim), dtype=np.float32)
        result = vae.elbo_and_grads(params, x, eps, spec, beta=beta(step), ops=ops)
        ops.adam_step(flat, result.flat_grads, m, v, step, lr * 0.05 ** (step / steps))
        history.append((result.nll, result.kl))
        if step in keep:
            kept[step] = flat.copy()
    return params, np.array(history), kept

# %%
spec2 = vae.Spec(784, hidden=(100, 50), latent_dim=2)
params2, history2, kept = train(spec2, 1200, keep=(150, 1200))

# %%
def smooth(curve, window=25):
    """The mean over a sliding window of steps."""
    return np.convolve(curve, np.ones(window) / window, mode="valid")


nll, kl = history2.T
print(f"the first step: nll {nll[0]:.1f}, kl {kl[0]:.1f} nats per image")
print(f"last 25 steps:  nll {nll[-25:].mean():.1f}, kl {kl[-25:].mean():.1f}")
print(f"for each nat of kl, nll has fallen by {(nll[0] - nll[-25:].mean()) / (kl[-25:].mean() - kl[0]):.0f}")

# %%
fig, (left, right) = plots.figure(6.2, 2.5, 1, 2)
left.plot(smooth(nll), color=plots.RED, ls="--")
left.set(xlabel="step", ylabel="nats per image", title="nll: the misfit falls ...")
right.plot(smooth(kl), color=plots.BLUE)
right.set(xlabel="step", title="... and the kl is what it costs", ylim=(0, None))
fig

# %% [markdown]
# (Each curve is a mean over 25 steps, as every batch is another one.) Read the two together. At first $q$ is close to the
# prior, the kl is near zero, and the decoder draws the average digit. Then the encoder begins to *say something* about
# the image: the kl goes up by a few nats, and for each of them the nll goes down by many. The loss is their sum; a
# falling kl is no goal in itself.
#
# What does it draw? Take the same sixteen $z$ from the prior through the decoder of three moments.

# %%
def shown(images, levels=8):
    """Rows as pictures; a few shades of grey are enough for the eye, and keep the file small."""
    return np.round(images * (levels - 1)).reshape(-1, 28, 28) / (levels - 1)


z = rng.standard_normal((16, 2)).astype(np.float32)
fig, axes = plots.figure(7, 2.7, 1, 3)
names = {0: "untrained", 150: "after 150 steps", 1200: "after 1200 steps"}
for ax, (step, name) in zip(axes, names.items()):
    images = vae.mean_image(vae.unpack(kept[step], spec2), z, spec2, ops)
    plots.show_grid(ax, shown(images), 4, name)
fig.suptitle("the same sixteen z, decoded: from the average digit to digits")
fig

# %% [markdown]
# Untrained, every $z$ gives nearly the average image (the output's bias starts there). After 150 steps $z$ chooses between
# a few blurred shapes; after 1200, between digits, some of them still unsure. They stay soft: two latents are few, and the
# pictures show probabilities, not draws of pixels.

# %% [markdown]
# ## 7.6  What has it put where?
#
# With two latents one can see all of it: decode a grid of $z$, spaced so that each cell holds the same share of
# the prior.

# %%
z = plots.prior_grid(12).astype(np.float32)                 # (144, 2), the top row first
images = vae.mean_image(params2, z, spec2, ops)
fig, ax = plots.figure(4.2, 4.3)
ax.imshow(plots.image_grid(shown(images), 12, gap=0), vmin=0, vmax=1)
ax.set_title("the latent plane, decoded ($z_1$ to the right, $z_2$ up)")
ax.set_axis_off()
fig

# %% [markdown]
# A map: digits that look alike are neighbours, and one turns into the next without a jump, although nobody told
# the model which is which. (A longer training on all the images draws it crisper:
# `VAE.pretrained("mnist")`.)

# %% [markdown]
# ## 7.7  Twenty latents, and what to report
#
# Two latents are for looking. A model with twenty, trained by the same loop:

# %%
spec20 = vae.Spec(784, hidden=(100, 50), latent_dim=20)
params20, history20, _ = train(spec20, 800)

test = data.fixed_binarization(mnist.test[:1000], data.BINARIZATION_SEED)     # always the same pixels
for name, p, s in (("two", params2, spec2), ("twenty", params20, spec20)):
    terms = evaluate.elbo_terms(p, test, s, rng=np.random.default_rng(0), ops=ops)
    print(f"{name:6s} latents: nll {terms.nll:.2f} + kl {terms.kl:5.2f} = {-terms.elbo:.2f} nats, on test images")

# %% [markdown]
# The sum is $-\mathtt{elbo}$: the twenty latents cost more kl, and save far more nll. The test images were binarized
# *once*, with a fixed seed. Binarized anew at each evaluation, the figure would wander by itself, and two models would be
# compared on two data sets.
#
# Now a temptation. At test time the noise looks like a nuisance: why not decode the mean of $q$ in place of a draw?
#
# **Predict first.** The ELBO evaluated so is `"too good"`, `"right"` or `"too bad"`?

# %%
predict("07.mean-at-test", ...)

# %%
few = test[:300]
eps = rng.standard_normal((len(few), 20), dtype=np.float32)
sampled = vae.elbo(params20, few, eps, spec20, ops=ops).elbo
at_the_mean = vae.elbo(params20, few, 0 * eps, spec20, ops=ops).elbo       # eps = 0: z is the mean
log_p = evaluate.log_likelihood(params20, few, spec20, samples=200, rng=rng, ops=ops)
print(f"ELBO with draws of z:              {sampled:.1f} nats")
print(f"'ELBO' at the mean of q:           {at_the_mean:.1f} nats")
print(f"log p(x), estimated (notebook 09): {log_p.mean:.1f} nats")

# %%
reveal("07.mean-at-test")

# %% [markdown]
# The mean of $q$ is a better $z$ than most draws of $q$: its nll is lower. But the kl is the price of the whole of $q$, of
# a message as blurred as its draws; to name the mean exactly would cost far more (3.3: each digit its nats). So this
# is no average over $q$, and no bound: here it comes out higher than the estimate of $\log p(x)$ itself.
#
# ## 7.8  Sum or mean?
#
# Our `nll` is a sum over 784 pixels, our `kl` a sum over latents; only over the batch do we take the mean. It is easy to
# call `.mean()` and have it average over everything, pixels and latents too:
#
# $$
# \frac{\mathtt{nll}}{D} + \frac{\mathtt{kl}}{L} = \frac1D\Big(\mathtt{nll} + \frac{D}{L}\,\mathtt{kl}\Big).
# $$
#
# The factor in front is harmless (Adam divides it out). The factor inside is a `beta` that nobody chose.
#
# **Predict first.** A loss takes the mean over 784 pixels and the mean over 200 latents. In nats per example, does the KL weigh `"less"`, `"as much"` or `"more"` than it should?

# %%
predict("07.weight-of-the-kl", ...)

# %%
print(f"784 pixels, 200 latents: beta = {784 / 200:.2f}")
print(f"784 pixels, our 20:      beta = {784 / 20:.1f}")
silent = {784 / 200: 400, 784 / 20: 250}                   # beta: steps, fewer than 800: the fault shows early
spoiled = {beta: train(spec20, steps, beta=lambda step, beta=beta: beta) for beta, steps in silent.items()}
print(f"kl at the end of training, beta  1.00: {history20[-25:, 1].mean():6.3f} nats per image")
for beta, (_, history, _) in spoiled.items():
    print(f"                           beta {beta:5.2f}: {history[-25:, 1].mean():6.3f}")

# %%
digits = test[:10]
rows = [digits]
for p in (params20, *(run[0] for run in spoiled.values())):
    rows.append(vae.mean_image(p, vae.encode(p, digits, spec20, ops)[0], spec20, ops))
fig, ax = plots.figure(6.4, 2.9)
plots.show_grid(ax, shown(np.concatenate(rows)), 10)
for row, name in enumerate(["test image", "beta = 1", *(f"beta = {beta:.3g}" for beta in spoiled)]):
    ax.text(-6, 30 * row + 14, name, ha="right", va="center", fontsize=9)
ax.set_title("a mean in place of a sum, and the digits dissolve")
fig

# %%
reveal("07.weight-of-the-kl")

# %% [markdown]
# (The rows are decoded from the mean of $q$: right for looking, wrong for reporting.) At `beta` = 3.92 the digits come
# back vaguer. With the mean over our twenty latents the KL weighs so much that no nat of it is worth buying: every
# image is given the same $q$, the prior, and the decoder answers with the average digit. Nothing raises an error, and a
# gradient check passes, for the gradient is right. The cure is to count in nats per example, and to print `nll` and `kl`
# apart.

# %% [markdown]
# ## 7.9  A latent that says nothing
#
# Back to `beta` = 1. Here is the kl of each of the twenty latents, the average over test images, largest first.

# %%
def kl_per_latent(params, spec):
    mu, logvar = vae.encode(params, test, spec, ops)
    return ops.gaussian_kl_forward(mu, logvar)[0].mean(axis=0)


kls = kl_per_latent(params20, spec20)
fig, ax = plots.figure(5.4, 2.5)
ax.bar(np.arange(1, 21), np.sort(kls)[::-1], color=plots.BLUE)
ax.set(xlabel="latent, sorted", ylabel="kl, nats", title="some latents say next to nothing")
ax.set_xticks([1, 5, 10, 15, 20])
ax.grid(axis="x")
fig

# %% [markdown]
# **Predict first.** A latent has kl 0 for every image. What does the decoder learn from it: `"nothing"`, `"a little"` or
# `"the average image"`?

# %%
predict("07.collapse", ...)

# %%
best, worst = kls.argmax(), kls.argmin()
fig, ax = plots.figure(6, 1.9)
strips = []
for latent in (best, worst):
    z = np.zeros((9, 20), np.float32)
    z[:, latent] = np.linspace(-2, 2, 9)
    strips.append(vae.mean_image(params20, z, spec20, ops))
    change = np.abs(strips[-1][0] - strips[-1][-1]).sum()
    print(f"latent with kl {kls[latent]:.2f}: from z = -2 to 2 the image changes by {change:.1f} pixels in all")
plots.show_grid(ax, shown(np.concatenate(strips)), 9)
for row, latent in enumerate((best, worst)):
    ax.text(-6, 30 * row + 14, f"kl {kls[latent]:.2f}", ha="right", va="center", fontsize=9)
ax.set_title("turn a live latent (above) and a dead one (below)")
fig

# %%
reveal("07.collapse")

# %% [markdown]
# The upper row turns into another digit, the lower one hardly changes. That is *posterior collapse*: for a dead latent
# $q(z_j\mid x)$ is the prior, or nearly so, whatever $x$ is; it costs nothing and says nothing. How does it come about?
# Early in training the decoder cannot read the latents yet, so that they are pure cost, and the KL pulls them to the
# prior (notebook 03: the star). Once there, they carry nothing that the decoder could learn to read, and there they
# stay. If that is the reason, one should be able to do something about it.
#
# ## 7.10  Two remedies
#
# **Warm-up.** If the KL pulls too early, let it pull later. `beta` rises in a straight line from 0 to its value over
# the first $T$ steps:
#
# $$
# \beta_t = \beta\,\min\!\Big(1, \frac{t}{T}\Big) \tag{5}
# $$
#
# **Free bits.** Or make the first fraction of a nat free. Each latent's KL, averaged over the batch, costs at least
# $\lambda$ nats, whether it uses them or not:
#
# $$
# \mathtt{loss} = \mathtt{nll} + \beta\sum_{j=1}^{L}\max\!\Big(\lambda,\ \frac1B\sum_{b=1}^{B}\mathtt{kl}_{bj}\Big) \tag{6}
# $$
#
# Below $\lambda$ (`free_bits`, in nats) the maximum is flat: that latent's KL has no gradient, nothing pulls it to the prior,
# and it may as well be of use. The ELBO that one *reports* stays `-(nll + kl)` in both cases.

# %%
T, free = 300, 0.5
warm, warm_history, _ = train(spec20, 800, beta=lambda step: min(1, step / T))
spec_free = spec20._replace(free_bits=free)
freed, free_history, _ = train(spec_free, 800)

trained = {"plain": (params20, spec20, plots.BLUE, "-"), "warm-up": (warm, spec20, plots.RED, "--"),
           "free bits": (freed, spec_free, plots.GREEN, "-.")}
for name, (p, s, _, _) in trained.items():
    terms = evaluate.elbo_terms(p, test, s, rng=np.random.default_rng(0), ops=ops)
    alive = (kl_per_latent(p, s) > 0.1).sum()
    print(f"{name:9s}: {alive:2d} latents above 0.1 nats, nll {terms.nll:.2f} + kl {terms.kl:.2f} = {-terms.elbo:.2f}")

# %%
fig, ax = plots.figure(5.2, 2.6)
for name, (p, s, color, dash) in trained.items():
    ax.plot(np.arange(1, 21), np.sort(kl_per_latent(p, s))[::-1], color=color, ls=dash, marker=".", label=name)
ax.axhline(free, color=plots.GREY, lw=1, ls=":")
ax.set(xlabel="latent, sorted", ylabel="kl, nats", ylim=(0, None))
ax.set_xticks([1, 5, 10, 15, 20])
ax.set_title("warm-up and free bits keep more latents alive")
ax.legend()
fig

# %% [markdown]
# Both keep more latents alive. Whether the *bound* gains is another question, and the sums printed above answer it (the
# smaller, the better the ELBO): here the warm-up gains, and free bits, which make every latent spend its half nat, do not.
# The count of live latents is a symptom; the ELBO is the goal.
#
# Watch the kl in training, and the warm-up explains itself.

# %%
fig, ax = plots.figure(5.2, 2.5)
for name, history, color, dash in (("plain", history20, plots.BLUE, "-"), ("warm-up", warm_history, plots.RED, "--"),
                                   ("free bits", free_history, plots.GREEN, "-.")):
    ax.plot(smooth(history[:, 1]), color=color, ls=dash, label=name)
ax.axvline(T, color=plots.GREY, lw=1, ls=":")
ax.text(T + 8, 4, "end of warm-up", fontsize=8)
ax.set(xlabel="step", ylabel="kl, nats per image", ylim=(0, None), title="learn to read first, pay later")
ax.legend()
fig

# %% [markdown]
# While `beta` is small the encoder says far more than it will be able to afford, and the decoder learns to read all of it.
# As the price rises, what is not worth its price is given up, and the rest stays.
#
# Is a dead latent always a failure? No: where the data need fewer latents than there are, letting some go is what the ELBO
# asks for. It is one where the ELBO gets better with the latent alive, as it did with the warm-up.

# %% [markdown]
# ## Recap
#
# - A batch's gradient is unbiased, and its error falls with the square root of its size: eq. (1).
# - Adam: running means of $g$ and $g^2$, corrected for their start, and a step in units of the gradient's own
#   size: eqs. (2) to (4).
# - nll falls because kl is paid; look at both.
# - Report the ELBO with draws of $z$, on test images binarized once.
# - A mean over pixels or latents is a silent `beta`; too large a one, and every image gets the same $q$.
# - A collapsed latent has kl 0 and says nothing; warm-up, eq. (5), and free bits, eq. (6), keep it alive.
#
# The package's own loop, `minivae/train.py`, is this one with epochs, checkpoints and a progress bar:
# `python -m minivae train`.
#
# ## Exercises
#
# Each stub below is yours to fill in; `check` says what is right, or shows the smallest input where it is
# not. `hint("07.adam")` gives a nudge, `solution("07.adam")` the reference.

# %% [markdown]
# **Adam, in place.** As in 7.4, but `flat`, `m` and `v` are to be changed themselves. (What is the difference between
# `m = ...` and `m[:] = ...`?) It is a part of your backend.

# %%
def adam_step(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    ...      # all (P,); step counts from 1. Change flat, m and v in place; return nothing


check("07.adam", adam_step)

# %% [markdown]
# **Dynamic binarization.** The uniform numbers are an argument; as in 7.1, a small one makes the pixel 1.

# %%
def binarize(images, u):    # grey images (B, D) uint8 of 0..255, uniforms in [0, 1) (B, D)
    ...                     # -> (B, D) float32 of 0 and 1: x ~ Bernoulli(pixel / 255)


check("07.binarize", binarize)

# %% [markdown]
# **Warm-up.** Eq. (5).

# %%
def warmed_up_beta(step, warmup, beta):    # from 0 at step 0, linearly, to beta at `warmup`
    ...                                    # and after; warmup = 0 means none -> float


check("07.warmup", warmed_up_beta)

# %% [markdown]
# **Free bits.** Eq. (6); and then its slope by one entry `kl[b, j]`, which is the same for all $b$. Mind the $1/B$.

# %%
def free_bits_loss(nll, kl, beta, free_bits):    # (B,), (B, L), floats -> float
    ...      # each latent's KL, averaged over the batch, costs at least free_bits nats


check("07.free-bits", free_bits_loss)

# %%
def free_bits_backward(kl, beta, free_bits):    # (B, L), floats
    ...                                         # -> dkl (L,), the same for each example


check("07.free-bits-backward", free_bits_backward)

# %% [markdown]
# **A beta that nobody chose.** As in 7.8, on paper.

# %%
# A course writes loss = nll.mean() + kl.mean(), where nll is the mean over 784 pixels and
# kl the mean over 200 latents. Up to a constant factor this is nll + beta kl in nats per
# example. Which beta?
silent_beta = ...

check("07.silent-beta", silent_beta)

# %% [markdown]
# **Find the bug.** Compare 7.7.

# %%
def reported_elbo(mu, logvar, eps, nll_of):
    # The test ELBO of a published model, better than anyone's. It is no bound.
    kl = ((mu**2 + np.exp(logvar) - 1 - logvar) / 2).sum(axis=1)
    z = mu
    return -(nll_of(z) + kl)


check("07.bug", reported_elbo)

# %% [markdown]
# ## Capstone: train with your own gradients
#
# `my_backend()` collects the functions that you wrote in the exercises of notebooks 03, 04, 05 and this one, each where it has
# passed, and the reference elsewhere. Together they are a complete backend: it goes where `ops` went. Every gradient of
# the training below is computed by them.

# %%
mine = my_backend()

# %%
own_spec = vae.Spec(784, hidden=(100,), latent_dim=10)
own_params, own_history, _ = train(own_spec, 600, ops=mine)
total = own_history.sum(axis=1)
print(f"nll + kl: {total[:25].mean():.1f} nats at first, {total[-25:].mean():.1f} at the end")

reference_params, _, _ = train(own_spec, 20, ops=plain_ops)
again, _, _ = train(own_spec, 20, ops=mine)
same = np.allclose(again["out_W"], reference_params["out_W"], atol=1e-4)
print("after 20 steps it stands where the package's backend stands:", same)

# %% [markdown]
# And your poster. (Add a last argument, `"poster.png"`, to keep it; raise the 600 steps and the hidden layer for a better one.)

# %%
drawings = vae.sample(own_params, 36, np.random.default_rng(0), own_spec, mine)
poster(shown(drawings), mine, own_spec)

# %% [markdown]
# It says how many of the functions behind it are yours (this model needs 11 of the 14: no relu, no Gaussian). When all of
# them are, it says so.
#
# **Next:** notebook 08 asks why all this takes the time that it takes, and makes it faster.
