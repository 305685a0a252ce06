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
# - work out the loss of the first step, test a program on one batch learned by heart, and tell from
#   its curves what is wrong (`07.first-losses`, `07.one-batch`, `07.first-tests`);
# - say what limits the learning rate, with momentum too, and write Adam (`07.momentum-limit`,
#   `07.adam`);
# - write a training loop that can be stopped and resumed (`07.loop`);
# - choose, on images kept apart, which model to keep (`07.best-model`);
# - find the `beta` that nobody chose, and tell a collapsed latent from a weak one (`07.weights`,
#   `07.latents`, `07.free-bits-backward`).
#
# **Builds on** notebook 06, whose gradient does all the work here. Reading time: 40 minutes. The
# exercises take three hours more. Sections 7.12 to 7.16 are an appendix, 20 minutes; no later
# notebook needs it.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]

from pathlib import Path

import numpy as np

from minivae import data, evaluate, mistakes, plots, vae
from minivae import ops as plain_ops
from minivae.backend import load_backend
from minivae.plots.small import small_pictures
from minivae.studies import training_study
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
small_pictures()                   # 64 colours each: many pictures in a small file
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
# probability grey / 255.
#
# The images come in three parts: **training** images, which the gradient sees; **validation** images, on which we compare and choose; and
# **test** images, on which we only report. A setting that was chosen on the test images would look a little better there than it is.

# %%
mnist = data.load("mnist")
pictures, kept_apart = mnist.train[:50_000], mnist.train[50_000:]
print(f"{len(pictures):,} training images, {len(kept_apart):,} for validation, {len(mnist.test):,} to test on, "
      f"{pictures.shape[1]} pixels each")

grey = pictures[[7]]
drawn = [(rng.random(grey.shape) < grey / 255).astype(np.float32) for _ in range(3)]
fig, ax = plots.figure(5.6, 1.7)
plots.show_grid(ax, np.concatenate([grey / 255, *drawn]).reshape(-1, 28, 28), 4)
ax.set_title("one grey image, and three of the many that it stands for")
fig

# %% [markdown]
# It is mostly the grey rim of the stroke that differs from draw to draw. `data.binarize` does the same, faster. Validation and
# test images are binarized *once*, with a fixed seed, so that all models are compared on the same pixels.

# %%
test = data.fixed_binarization(mnist.test, data.BINARIZATION_SEED)     # (10000, 784), always the same pixels
valid = data.fixed_binarization(kept_apart, data.BINARIZATION_SEED)


def terms_on(images, params, spec):
    """elbo, nll, kl: means over the images, one draw of z each, with the same noise at each call."""
    return evaluate.elbo_terms(params, images, spec, rng=np.random.default_rng(0), ops=ops)


# %% [markdown]
# ## 7.2  What is the loss before the first step?
#
# It can be worked out on paper, which makes it the first test of a training program. Take the simplest start: every weight
# and bias is 0.
#
# **Predict first.** What is the loss of one image then, in nats: `"0"`, `"392"`, `"543"` or `"784"`?

# %%
predict("07.first-loss", ...)

# %%
spec2 = vae.Spec(784, hidden=(100, 50), latent_dim=2)
zeros = np.zeros(vae.n_params(spec2), np.float32)
start = terms_on(valid, vae.unpack(zeros, spec2), spec2)
print(f"all parameters zero: nll {start.nll:.2f} + kl {start.kl:.2f} nats;  784 log 2 = {784 * np.log(2):.2f}")

# %%
reveal("07.first-loss")

# %% [markdown]
# A better start costs nothing. As long as the decoder cannot tell images apart, the best that it can do is to draw the *mean
# image*: give each pixel the share of training images in which it is on. For this `out_b` must be the logit
# of the mean image; the rest may stay 0.

# %%
mean_image = np.clip(pictures.mean(axis=0) / 255, 0.001, 0.999)        # a logit of 0 or 1 would be infinite
at_the_mean = zeros.copy()
vae.unpack(at_the_mean, spec2)["out_b"][:] = np.log(mean_image / (1 - mean_image))
for name, images in (("validation", valid), ("test", test)):
    start = terms_on(images, vae.unpack(at_the_mean, spec2), spec2)
    print(f"output's bias at the mean image, {name} images: nll {start.nll:.1f} + kl {start.kl:.1f} nats")

# %% [markdown]
# A VAE with this bias and small random weights begins near this number. A first loss that is far from it means that something is wrong
# before anything is learned. If somebody took the mean over the pixels, for instance, the nll is smaller by a factor of 784. And with this likelihood and pixels between 0 and 1, neither nll nor kl
# is ever below 0.
#
# The weights themselves must not all be 0: then every hidden unit is 0, so that the gradient of the weights behind it is 0, and the
# gradient that is sent back passes through weights of 0 and vanishes too. Only `out_b` would move. They must not be large either (7.12).
# `init_params` draws them uniformly from $\pm\sqrt{6 / (\text{inputs} + \text{outputs})}$ (Glorot and Bengio 2010).
#
# ## 7.3  Can it learn ten images by heart?
#
# The second test: train on one small batch, always the same, until it is known by heart. It takes seconds, and shows many
# mistakes between the pixels and the optimizer.
#
# **Predict first.** Ten different images, a decoder as good as one likes. How low can the loss go on these ten:
# `"0"`, `"log 10"` or `"10"`?

# %%
predict("07.ten-by-heart", ...)

# %% [markdown]
# The model gives a probability to *every* image that there can be, and these sum to 1. So those of our $B$ different
# images sum to 1 at most, and with Jensen's inequality (notebook 02: the log of a mean is at least the mean of the logs)
#
# $$
# \frac1B\sum_b \log p(x_b) \;\le\; \log\Big(\frac1B\sum_b p(x_b)\Big) \;\le\; \log\frac1B .
# $$
#
# The ELBO is at most $\log p(x)$, so the loss is at least $-\log p(x)$. On average it cannot go below $\log B$: that is what it costs to say
# *which* of the $B$ images it is.

# %%
def a_new_model(spec, seed=0):
    """Parameters before the first step, and their parts by name."""
    flat = vae.init_params(spec, np.random.default_rng(seed), data_mean=pictures.mean(axis=0) / 255)
    return flat, vae.unpack(flat, spec)


def by_heart(x, steps=1500, model=vae, beta=1.0, lr=0.003):
    """loss, nll and kl of every step, trained on the batch x alone: (steps, 3)."""
    flat, params = a_new_model(spec2)
    m, v, noise, history = np.zeros_like(flat), np.zeros_like(flat), np.random.default_rng(1), []
    for step in range(1, steps + 1):
        eps = noise.standard_normal((len(x), 2), dtype=np.float32)
        result = model.elbo_and_grads(params, x, eps, spec2, beta=beta, ops=ops)
        ops.adam_step(flat, result.flat_grads, m, v, step, lr=lr)      # 7.6 takes it apart
        history.append((result.loss, result.nll, result.kl))
    return np.array(history)


ten = valid[:10]                                                        # any ten different images will do
spoiled = mistakes.plant(mistakes.find("elbo-path-through-z-lost"))    # dz never reaches the encoder
learned = {"right": by_heart(ten)[:, 0], "path through z lost": by_heart(ten, model=spoiled)[:, 0],
           "KL forgotten": by_heart(ten, beta=0.0)[:, 0]}
for name, losses in learned.items():
    print(f"{name:20s} first {losses[0]:6.1f}, mean of the last 300 steps {losses[-300:].mean():6.2f}")
p = np.clip(ten.mean(axis=0, dtype=np.float64), 1e-9, 1 - 1e-9)          # the mean of the ten, and what it costs:
print(f"the mean image of the ten costs {-(p * np.log(p) + (1 - p) * np.log(1 - p)).sum():.2f};  log 10 = {np.log(10):.2f}")

# %%
reveal("07.ten-by-heart")

# %%
def smooth(curve, window=25):
    """Steps and the mean over a window around each: the first point stands in the middle of its window."""
    means = np.convolve(curve, np.ones(window) / window, mode="valid")
    return np.arange(len(means)) + (window + 1) / 2, means


fig, ax = plots.figure(5.6, 2.8)
for (name, losses), color, dash in zip(learned.items(), (plots.BLUE, plots.RED, plots.ORANGE), ("-", "--", "-.")):
    ax.plot(*smooth(losses), color=color, ls=dash, label=name)
ax.axhline(np.log(10), color=plots.INK, lw=1, ls=":", label="log 10: no lower")
ax.set(xlabel="step", ylabel="loss, nats per image", yscale="log", ylim=(0.05, 400))
ax.set_title("ten images, the same at every step")
ax.legend(ncols=2, fontsize=8)
fig

# %% [markdown]
# The right program comes down to a few nats above the floor (more steps with a falling rate bring it nearer). With the encoder cut off, the decoder learns the mean of the ten images and no more. And
# with the KL forgotten the loss looks best of all, but it is *below* what is possible. **A loss that is too good is a mistake as well.**
#
# ## 7.4  Must every step look at every image?
#
# The loss is a mean over all $N$ images, and so is its gradient: $\frac1N\sum_i g_i$, where $g_i$ is image $i$'s own.
# That is a lot of work for a single step; take a random batch $S$ of $B$ images instead:
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
# See it on a fresh model. For this experiment $N$ is 2,000 images, each with one `eps`. `full` is their gradient; we compare the
# gradients of 200 batches of 10 and of 200 batches of 100. A gradient has too many entries to draw, so we draw two numbers of
# it, in units of the length of `full`: its component along `full`, and its component along one direction at a right angle to it. The full gradient itself is the point (1, 0).

# %%
flat, params = a_new_model(spec2)
x = data.binarize(pictures[:2000], rng)
eps = rng.standard_normal((2000, 2), dtype=np.float32)


def gradient(batch):
    return vae.elbo_and_grads(params, x[batch], eps[batch], spec2, ops=ops).flat_grads


full = gradient(np.arange(2000))
along = full / (full @ full)
across = gradient(np.array([0]))
across -= (across @ along) * full                          # what is left of image 0's gradient beside `full`
across /= np.linalg.norm(across) * np.linalg.norm(full)
clouds, errors = {}, {}
for B in (10, 100):
    found = np.array([gradient(rng.choice(2000, B, replace=False)) for _ in range(200)])
    clouds[B] = np.stack([found @ along, found @ across])
    errors[B] = np.sqrt(((found - full) ** 2).sum(axis=1).mean()) / np.linalg.norm(full)     # in all entries
    mean, error = clouds[B].mean(axis=1), clouds[B].std(axis=1) / np.sqrt(200)
    print(f"B = {B:3d}: mean ({mean[0]:.3f} +- {error[0]:.3f}, {mean[1]:.3f} +- {error[1]:.3f}), "
          f"error of all entries together {errors[B]:.3f} of the full gradient's length")
print(f"that error falls by a factor of {errors[10] / errors[100]:.2f};  sqrt(10) = {np.sqrt(10):.2f}, "
      f"and without replacement {np.sqrt(10 * (1 - 10 / 2000) / (1 - 100 / 2000)):.2f}")

# %%
fig, axes = plots.figure(6, 2.8, 1, 2, sharex=True, sharey=True)
for ax, (B, cloud) in zip(axes, clouds.items()):
    ax.plot(*cloud, "o", ms=3, alpha=0.4, color=plots.BLUE)
    ax.plot(1, 0, "*", ms=13, color=plots.RED)
    ax.plot(*cloud.mean(axis=1), "+", ms=16, mew=1.5, color=plots.INK)
    ax.set(title=f"batches of {B}", xlabel="along the full gradient")
axes[0].set_ylabel("across it")
fig.suptitle("each dot a batch's gradient; their mean (cross), the full gradient (star)", fontsize=10)
fig

# %% [markdown]
# The mean of each cloud is the full gradient, within about the error printed above. Ten times the images, and the error is about $\sqrt{10}$ times
# smaller, because the variance of a mean of $B$ independent draws is that of one draw divided by $B$. (Without replacement it is also multiplied by nearly $1 - B/N$.)
#
# What is that worth? `python -m minivae training-study` trained at equal work: every run sees the 50,000 images once, in 5,000 steps of 10, 500 steps of 100 or 50
# steps of 1,000, with four learning rates and three seeds each (with Adam, 7.6, and a rate that falls on the way, 7.7). We read its results from `figures/training_study.json`. For each size
# we choose the rate with the best *validation* ELBO; the *test* images then give the number to report.
#
# **Predict first.** At equal work and at its best rate, which batch ends lowest: `"10"`, `"100"` or `"1000"`?

# %%
predict("07.batch-size", ...)

# %%
folder = next(f for f in (Path("figures"), Path("..") / "figures") if f.is_dir())
study = training_study.read(folder / "training_study.json")["runs"]


def runs_with(**wanted):
    """The study's runs with these values, one for each seed."""
    return [run for run in study if all(run[name] == value for name, value in wanted.items())]


def mean_and_sd(runs, value=lambda run: -run["elbo"]):
    """Mean and standard deviation over the seeds; nan where a run became infinite."""
    values = [np.nan if run["elbo"] is None else value(run) for run in runs]
    return np.mean(values), np.std(values, ddof=1)


def against_rate(ax, curves, rates):
    """Validation -ELBO against the rate; no mark where any seed became infinite. Prints the test -ELBO at the best rate."""
    for (name, wanted), color, mark in zip(curves.items(), (plots.RED, plots.BLUE, plots.GREEN), "so^"):
        points = [mean_and_sd(runs_with(lr=lr, **wanted), lambda run: -run["validation_elbo"]) for lr in rates]
        ax.errorbar(rates, *zip(*points), color=color, marker=mark, ms=5, capsize=2, ls="-", label=name)
        chosen = rates[np.nanargmin([mean for mean, _ in points])]          # on validation images
        mean, sd = mean_and_sd(runs_with(lr=chosen, **wanted))              # on test images
        print(f"{name:16s} lr chosen: {chosen:g}; test -ELBO there: {mean:.1f} +- {sd:.1f} nats")
    ax.set(xscale="log", xlabel="learning rate lr", ylabel="validation -ELBO, nats")
    ax.legend(fontsize=8)


fig, ax = plots.figure(5.4, 2.9)
against_rate(ax, {f"{50_000 // B} steps of {B}": {"group": "batches", "batch": B} for B in (10, 100, 1000)},
             (0.001, 0.003, 0.01, 0.03))
ax.set_title("50,000 images in batches of three sizes (three seeds)")
fig

# %%
reveal("07.batch-size")

# %% [markdown]
# Here many rough steps get further than fewer, more exact ones. But this is *one* pass over the data; it says nothing about the end of a long training,
# where the noise of small batches may matter more. And equal images are not equal seconds: a step of 100 images
# takes less than ten times as long as a step of 10. We take a hundred.
#
# ## 7.5  How long may a step be?
#
# *Gradient descent* is one line, `flat -= lr * grad`, with a *learning rate* `lr`. How large may `lr` be? Take one parameter and
# a loss that is a parabola, $\frac a2\theta^2$. Its gradient is $a\theta$, and its second derivative $a$ is its *curvature*.
#
# **Predict first.** Start ten times as far from the minimum, so that the gradient is ten times as large. The largest `lr` that does not
# run away is then `"ten times smaller"`, `"the same"` or `"ten times larger"`?

# %%
predict("07.step-limit", ...)

# %% [markdown]
# A step takes $\theta$ to $\theta - \mathtt{lr}\,a\,\theta = (1 - \mathtt{lr}\,a)\,\theta$. The distance is multiplied by the same number at every
# step, wherever one starts, and shrinks if that lies between -1 and 1:
#
# $$
# \mathtt{lr} < \frac{2}{a} .
# $$

# %%
reveal("07.step-limit")

# %% [markdown]
# With many parameters the most curved direction sets the limit: $a$ is then the largest curvature. Our net's
# loss is no parabola, but close to one point it nearly is, so at each point there is a limit. We measure it
# while plain gradient descent runs, at two rates, on 200 images with fixed `eps`, so that nothing is random. The curvature along a direction $u$ follows from two gradients,
# $\big(g(\theta + hu) - g(\theta - hu)\big) / 2h$. Repeat this, each time with the result, scaled to length 1, as the next $u$, and $u$ turns into the direction of
# the largest curvature (in absolute value). This is the *power iteration* for the matrix of second derivatives.

# %%
x200, eps200 = x[:200], eps[:200]


def loss_and_gradient(flat):
    result = vae.elbo_and_grads(vae.unpack(flat, spec2), x200, eps200, spec2, ops=ops)
    return result.loss, result.flat_grads


def largest_curvature(flat, rounds=12, h=0.01):
    u = np.random.default_rng(1).standard_normal(flat.size).astype(np.float32)
    for _ in range(rounds):
        u /= np.linalg.norm(u)
        u = (loss_and_gradient(flat + h * u)[1] - loss_and_gradient(flat - h * u)[1]) / np.float32(2 * h)
    return np.linalg.norm(u)


limits, stops = {}, range(0, 301, 50)
for lr in (0.005, 0.01):
    flat, _ = a_new_model(spec2)
    limits[lr] = []
    for step in range(stops[-1] + 1):
        loss, grad = loss_and_gradient(flat)
        if step in stops:
            limits[lr].append(2 / largest_curvature(flat))
        flat -= np.float32(lr) * grad
    print(f"lr = {lr}: limit 2/a at first {limits[lr][0]:.4f}, at the end {limits[lr][-1]:.4f}; loss at the end {loss:.1f} nats")

# %%
fig, ax = plots.figure(5.4, 2.7)
for (lr, found), color, mark in zip(limits.items(), (plots.RED, plots.BLUE), "so"):
    ax.plot(stops, found, color=color, marker=mark, ms=4, ls="-", label=f"2/a on the way of lr = {lr}")
    ax.axhline(lr, color=color, ls="--", lw=1, label=f"lr = {lr}")
ax.set(xlabel="step", ylabel="learning rate", ylim=(0, None), title="the limit 2/a, measured during gradient descent")
ax.legend(fontsize=8)
fig

# %% [markdown]
# At first both rates are below the limit. Then the curvature grows and the limit falls, until it is about as small as the rate that is used; there it stays. On a
# parabola a rate above the limit carries $\theta$ off to infinity. Here it carries $\theta$ to places that are less curved, until the limit is about as large as the rate
# (Cohen et al. 2021 call this the *edge of stability*). So 2/a at one place does not say which rate is the best for a
# whole training. The larger rate is above the limit at which the smaller one has arrived, and ends at a lower loss; in 7.6 it is the best of six for plain descent. One has to try.
#
# As the most curved direction limits the rate, every step is short along the flatter ones.
#
# **Momentum** is the oldest remedy: step along a running sum of the gradients, `m = 0.9 * m + grad`, `flat -= lr * m`. Where the gradient
# stays the same, the sum grows to $1/(1 - 0.9)$, ten times the gradient; where it flips from step to step, the terms partly cancel. So along a flat
# direction momentum goes about ten times as fast, and on a parabola the limit that the most curved direction sets for `lr` does not shrink. (How large
# it is with momentum is an exercise.)
#
# The other remedy gives each number a step length of its own.
#
# ## 7.6  Adam, line by line
#
# *Adam* (Kingma and Ba 2015) keeps two running means for each parameter $\theta$: $m$ of its gradient $g$, and $v$ of $g^2$. Every step mixes a little
# of the new into the old:
#
# $$
# m \leftarrow \beta_1 m + (1-\beta_1)\,g, \qquad
# v \leftarrow \beta_2 v + (1-\beta_2)\,g^2 \tag{2}
# $$
#
# ($\beta_1 = 0.9$ remembers about $1/(1 - \beta_1)$, that is ten steps, $\beta_2 = 0.999$ about a thousand. Neither is
# the `beta` of the KL.) Both start at 0, so at first they are too small. By how much? Unroll eq. (2) from
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
print(f"with v not corrected, the first step would be {1 / np.sqrt(1 - 0.999):.0f} times too long")

# %% [markdown]
# The first step is `lr` in every entry whose gradient is far above `adam_eps`, against the sign of the gradient, whatever its size beyond that: eq. (4) divides the size out. What is left to choose is
# one `lr` with a plain meaning: about how far a parameter moves in a step while its gradients agree. (Where they flip it moves less, and
# the first large gradient after a long quiet time can move it a few times as far.) The package's `adam_step` is the same, *in place*: it changes
# `flat`, `m` and `v` themselves, so that the views in `params` move too.
#
# What does it buy? The study trained our net for 500 steps with each optimizer at six constant rates. (**Compare optimizers each at its best rate**: at any one
# rate, the one that it suits looks best. 7.16 shows it on two parameters.)

# %%
fig, ax = plots.figure(5.6, 3)
names = {"sgd": "gradient descent", "momentum": "momentum 0.9", "adam": "Adam"}
against_rate(ax, {label: {"group": "optimizers", "optimizer": kind} for kind, label in names.items()},
             (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1))
ax.set(ylim=(150, 215), title="after 500 steps (three seeds, mean and standard deviation)")
ax.legend(fontsize=8, ncols=3, loc="lower center")
for lr in (0.01, 0.03):
    losses = [-run["validation_elbo"] for run in runs_with(group="optimizers", optimizer="adam", lr=lr)]
    print(f"Adam at {lr}: the three seeds end at", ", ".join(f"{loss:.1f}" for loss in losses))
fig

# %% [markdown]
# (Where a mark is missing, at least one of the three seeds became infinite, or it lies above the picture.) Momentum gets further than plain descent, and Adam further still. (Momentum's best rate here is
# below that of plain descent, though on a parabola its limit is not. A net is no parabola, and the batches are noisy.) The rates are a
# factor of about three apart, so that each one's true best may lie between two of them. Adam is not safe from a rate that is too high either: one mark beyond its best, two of the three seeds end near the loss of the mean image.
#
# ## 7.7  The loop
#
# Everything is there. Draw a batch, make it black and white, draw `eps`, get the gradient, take a step. The rate
# falls on the way, to `end` times its first value, so that the end is calmer than the start.

# %%
def train(spec, steps, *, images=pictures, B=100, lr=3e-3, end=0.05, beta=1.0, pick=None, ops=ops, keep=(), seed=0):
    """-> the parameters; loss, nll and kl of every step (steps, 3); {step: parameters} for the steps in `keep`."""
    rng = np.random.default_rng(seed)
    flat, params = a_new_model(spec, seed)
    m, v = np.zeros_like(flat), np.zeros_like(flat)
    history, kept = [], {0: flat.copy()}
    for step in range(1, steps + 1):
        batch = rng.integers(len(images), size=B) if pick is None else pick(step)
        x = data.binarize(images[batch], rng)
        eps = rng.standard_normal((len(x), spec.latent_dim), dtype=np.float32)
        result = vae.elbo_and_grads(params, x, eps, spec, beta=beta, ops=ops)
        ops.adam_step(flat, result.flat_grads, m, v, step, lr * end ** (step / steps))
        history.append((result.loss, result.nll, result.kl))
        if step in keep:
            kept[step] = flat.copy()
    return params, np.array(history), kept


# %% [markdown]
# 6,000 steps of a hundred images are 600,000, as many as twelve passes over the training images. (Here they are drawn at random. A loop
# in which each comes exactly once a pass, and which can be stopped and resumed, is your exercise.)

# %%
looks = (100, 200, 400, 700, 1000, 1500, 2000, 3000, 4500, 6000)
plane_spec = vae.Spec(784, hidden=(200, 100), latent_dim=2)
plane_params, _, kept = train(plane_spec, 6000, keep=looks)

# %%
seen = data.fixed_binarization(pictures[:10_000], 1)                   # training images, binarized once as well
rows = []
for step, flat_then in kept.items():
    then = vae.unpack(flat_then, plane_spec)
    on_seen, on_valid = (terms_on(images, then, plane_spec) for images in (seen, valid))
    rows.append((step, -on_seen.elbo, -on_valid.elbo, on_valid.nll, on_valid.kl))
steps, train_loss, valid_loss, valid_nll, valid_kl = np.array(rows).T
for i in (0, 3, -1):
    print(f"step {steps[i]:4.0f}: training images {train_loss[i]:.1f}, validation images {valid_loss[i]:.1f} = nll {valid_nll[i]:.1f} + kl {valid_kl[i]:.1f}")
whole = terms_on(test, plane_params, plane_spec)
print(f"and at the end the test images: {-whole.elbo:.1f} = nll {whole.nll:.1f} + kl {whole.kl:.1f}")

# %%
fig, (left, right) = plots.figure(7.4, 3, 1, 2)
left.plot(steps, train_loss, "s--", ms=4, color=plots.RED, label="training images")
left.plot(steps, valid_loss, "o-", ms=4, color=plots.BLUE, label="validation images")
left.set(xlabel="step", ylabel="nll + kl, nats per image", title="what is minimised")
left.legend()
right.fill_between(steps, 0, valid_nll, color=plots.RED, alpha=0.35, lw=0)
right.fill_between(steps, valid_nll, valid_nll + valid_kl, color=plots.BLUE, alpha=0.8, lw=0)
right.text(3000, 70, "nll", fontsize=11)
right.annotate("kl", (3000, valid_loss[8] - 2), (3300, 185), arrowprops={"arrowstyle": "-", "color": plots.BLUE})
right.set(xlabel="step", title="validation images: the two parts", ylim=(0, 215))
fig

# %% [markdown]
# Left: training and validation images fall together, and end close to each other. (The test images cost about a nat more. They are a slightly harder set: the
# mean image of 7.2 costs a nat more on them, too.) A sign of learning by heart would be a validation curve that turns up while the other
# falls, as with the 100 images in 7.11. Right: the two terms on one scale. At first $q$ is close to the
# prior, and the decoder draws the mean image. Then the encoder begins to *say something* about the image. It costs a few nats of
# kl, the thin blue band, and saves many nats of nll.
#
# What does it draw? The same sixteen $z$ at four moments:

# %%
def shown(images, levels=8):
    """Rows as pictures; a few shades of grey are enough for the eye, and keep the file small."""
    return np.round(images * (levels - 1)).reshape(-1, 28, 28) / (levels - 1)


z = rng.standard_normal((16, 2)).astype(np.float32)
fig, axes = plots.figure(8, 2.4, 1, 4)
for ax, step in zip(axes, (0, 200, 1000, 6000)):
    images = vae.mean_image(vae.unpack(kept[step], plane_spec), z, plane_spec, ops)
    plots.show_grid(ax, shown(images), 4, f"after {step} steps")
fig

# %% [markdown]
# With two latents one can see all of the model at once. Decode a grid of $z$, spaced so that each cell holds the same share of
# the prior; and encode the test images, each a dot at its `mu`, coloured by its label. The labels were never used in the training.

# %%
grid = plots.prior_grid(16).astype(np.float32)              # (256, 2), the top row first
fig, ax = plots.figure(4.4, 4.5)
ax.imshow(plots.image_grid(shown(vae.mean_image(plane_params, grid, plane_spec, ops)), 16, gap=0), vmin=0, vmax=1)
ax.set_title("the plane decoded ($z_1$ to the right, $z_2$ up)")
ax.set_axis_off()
fig

# %%
mu, logvar = vae.encode(plane_params, test[:2500], plane_spec, ops)
labels = mnist.test_labels[:2500]
fig, ax = plots.figure(5.2, 4.4)
for label in range(10):
    color = plots.plt.get_cmap("tab10")(label)
    ax.plot(*mu[labels == label].T, ".", ms=3, color=color, label=str(label))
ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title="2,500 test images, at the mean of their $q$")
ax.legend(markerscale=4, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
fig

# %% [markdown]
# A map: neighbours look alike, and one digit turns into the next on the way between their regions. Where digits of a like shape
# overlap (4 and 9, or 3 and 5), the two latents of this net do not say which is which.
#
# ## 7.8  Twenty latents
#
# Two latents are for looking. The same net with twenty, in the same loop:

# %%
spec20 = vae.Spec(784, hidden=(200, 100), latent_dim=20)
moments = (50, 100, 200, 400, 600, 800, 1200, 2000, 3000, 6000)        # to look back at in 7.14
params20, _, kept20 = train(spec20, 6000, keep=moments)

# %%
whole20 = terms_on(test, params20, spec20)
for name, terms in (("two", whole), ("twenty", whole20)):
    print(f"{name:6s} latents: nll {terms.nll:5.1f} + kl {terms.kl:4.1f} = {-terms.elbo:.1f} nats, on all test images")

digits = test[[3, 2, 1, 18, 4, 8, 11, 0, 61, 7]]                       # one of each kind
rows = [digits]
for p, s in ((plane_params, plane_spec), (params20, spec20)):
    rows.append(vae.mean_image(p, vae.encode(p, digits, s, ops)[0], s, ops))
fig, ax = plots.figure(6.6, 2.2)
plots.show_grid(ax, shown(np.concatenate(rows)), 10)
for row, name in enumerate(("test image", "two latents", "twenty latents")):
    ax.text(-6, 30 * row + 14, name, ha="right", va="center", fontsize=9)
ax.set_title("decoded from the mean of $q$")
fig

# %% [markdown]
# Eighteen latents more cost more kl, and save far more nll. And here are digits that nobody has written, decoded from
# draws of the prior.

# %%
fig, ax = plots.figure(6.6, 3.5)
plots.show_grid(ax, shown(vae.sample(params20, 50, np.random.default_rng(1), spec20, ops)), 10)
ax.set_title("fifty draws from the prior, twenty latents, none left out")
fig

# %% [markdown]
# Some read as a digit at once; others fall between two digits, or are none. How good such a model is, and how one measures it, is the question of notebook 09.
#
# ## 7.9  Sum or mean?
#
# Our `nll` is a sum over 784 pixels, our `kl` a sum over latents; only over the batch do we take the mean. It is easy to
# call `.mean()` and have it average over everything, pixels and latents too.
#
# **Predict first.** Compared with the sums, does the KL then count `"less"`, `"as much"` or `"more"`?

# %%
predict("07.weight-of-the-kl", ...)

# %% [markdown]
# $$
# \frac{\mathtt{nll}}{D} + \frac{\mathtt{kl}}{L} = \frac1D\Big(\mathtt{nll} + \frac{D}{L}\,\mathtt{kl}\Big).
# $$
#
# The factor in front is nearly harmless (Adam divides it out). The factor inside is a `beta` that nobody chose. The study trained
# a smaller net (hidden layers as in 7.2) with it, and with other weights, at equal steps and three seeds each.

# %%
print(" latents   steps    beta      test kl              test -ELBO")
for L, steps in ((20, 4000), (200, 2000)):
    for beta in sorted({run["beta"] for run in study if (run["latent_dim"], run["steps"]) == (L, steps)}):
        runs = runs_with(latent_dim=L, steps=steps, beta=beta, warmup=0, free_bits=0.0)
        (kl, kl_sd), (loss, loss_sd) = mean_and_sd(runs, lambda run: run["kl"]), mean_and_sd(runs)
        print(f"{L:8d} {steps:7d} {beta:7g}   {abs(kl):5.1f} +- {kl_sd:.1f} nats     {loss:.1f} +- {loss_sd:.1f} nats"
              + (f"   <- 784 / {L}" if abs(beta - 784 / L) < 0.01 else ""))

# %%
reveal("07.weight-of-the-kl")

# %% [markdown]
# With the mean over twenty latents, a nat of kl has to save 39.2 nats of nll to be worth it. The encoder ends at kl 0: every image is given the same $q$, the prior, and the decoder
# answers with the mean image (compare the number for test images in 7.2). With 200 latents the weight is smaller, but more than twenty nats
# are lost. Nothing raises an error, and a gradient check passes, for the gradient is right. The cure is to
# count in nats per image, and to print `nll` and `kl` apart.
#
# ## 7.10  Latent by latent
#
# Back to `beta` = 1. Here is the kl of each of the twenty latents: the average over the test images, and the largest for any of them.

# %%
def kl_of_latents(params, spec, images=test[:5000]):
    """(N, L): what each latent costs for each image, nats."""
    mu, logvar = vae.encode(params, images, spec, ops)
    return ops.gaussian_kl_forward(mu, logvar)[0]


each = kl_of_latents(params20, spec20)
order = np.argsort(-each.mean(axis=0))
fig, ax = plots.figure(5.6, 2.6)
ax.bar(np.arange(1, 21), each.mean(axis=0)[order], color=plots.BLUE, label="average")
ax.plot(np.arange(1, 21), each.max(axis=0)[order], "_", ms=9, mew=2, color=plots.RED, label="largest")
ax.set(xlabel="latent, sorted", ylabel="kl, nats", title="kl over 5,000 test images")
ax.set_xticks([1, 5, 10, 15, 20])
ax.grid(axis="x")
ax.legend()
fig

# %% [markdown]
# **Predict first.** A latent has kl 0 for every image. What does the decoder learn from it: `"nothing"`, `"a little"` or
# `"the average image"`?

# %%
predict("07.collapse", ...)

# %%
fig, ax = plots.figure(6, 1.9)
strips = []
for latent in (order[0], order[-1]):
    z = np.zeros((9, 20), np.float32)
    z[:, latent] = np.linspace(-2, 2, 9)
    strips.append(vae.mean_image(params20, z, spec20, ops))
    change = np.abs(strips[-1][0] - strips[-1][-1]).max()
    print(f"latent with kl {each[:, latent].mean():.4f}: from z = -2 to 2 no pixel changes by more than {change:.2f}")
plots.show_grid(ax, shown(np.concatenate(strips)), 9)
for row, latent in enumerate((order[0], order[-1])):
    ax.text(-6, 30 * row + 14, f"kl {each[:, latent].mean():.2f}", ha="right", va="center", fontsize=9)
ax.set_title("one latent turned from -2 to 2, all others at 0")
fig

# %%
reveal("07.collapse")

# %% [markdown]
# The upper row turns from a 1 into a 0, the lower one hardly changes: this latent is nearly collapsed. *Posterior collapse* is the
# limit, where $q(z_j\mid x)$ is the prior, whatever $x$ is; such a latent costs nothing and says nothing.
#
# Not every latent with a small average is collapsed. It may be *weak*, and say a little about each image, or *rare*, and say nothing about most
# images and much about a few: look at the largest kl as well. And a latent whose $q(z_j\mid x)$ is one
# and the same for all images, but not the prior, costs nats and tells the decoder nothing.
#
# Two remedies lower the price of the kl: early in the training, or for the first part of a nat.
#
# **Warm-up.** `beta` rises in a straight line from 0 to its value over the first $T$ steps:
#
# $$
# \beta_t = \beta\,\min\!\Big(1, \frac{t}{T}\Big) \tag{5}
# $$
#
# **Free bits.** Each latent's KL, averaged over the batch, counts as $\lambda$ nats at least, whether they are used or not:
#
# $$
# \mathtt{loss} = \mathtt{nll} + \beta\sum_{j=1}^{L}\max\!\Big(\lambda,\ \frac1B\sum_{b=1}^{B}\mathtt{kl}_{bj}\Big) \tag{6}
# $$
#
# Below $\lambda$ (`free_bits`, in nats) the maximum is flat: that latent's KL has no gradient, and does not pull it to the prior.
# The ELBO that one *reports* stays `-(nll + kl)` in both cases.
#
# The study trained each with 800 steps (eight seeds) and with 4,000 (three seeds). (Twenty latents; warm-up over the first quarter of the steps; $\lambda$ = 0.5
# nats.) After 800 steps:

# %%
def remedy_runs(name, steps):
    changed = {"plain": {}, "warm-up": {"warmup": steps // 4}, "free bits": {"free_bits": 0.5}}[name]
    return runs_with(group="remedies", steps=steps, **{"warmup": 0, "free_bits": 0.0} | changed)


def report(steps):
    plain = [run["elbo"] for run in remedy_runs("plain", steps)]
    print(f"{steps} steps, {len(plain)} seeds    test -ELBO    latents above 0.1 nats    gain over plain, mean and its error    seeds that gain")
    for name in ("plain", "warm-up", "free bits"):
        runs = remedy_runs(name, steps)
        alive = np.mean([sum(kl > 0.1 for kl in run["kl_per_latent"]) for run in runs])
        gains = np.array([run["elbo"] - p for run, p in zip(runs, plain)])
        gain = f"{gains.mean():+10.1f} +- {gains.std(ddof=1) / np.sqrt(len(gains)):.1f} nats {(gains > 0).sum():25d}"
        print(f"  {name:10s} {mean_and_sd(runs)[0]:17.1f} {alive:16.1f}            {'' if name == 'plain' else gain}")


report(800)

# %% [markdown]
# Both keep more latents above 0.1 nats (free bits of 0.5 nearly by their construction). But what we want is a better ELBO. On
# average warm-up gains, and free bits lose. But the gain scatters from seed to seed about as much as its mean, so that the first three seeds alone would not
# have shown it. (The error of a mean is the standard deviation divided by the root of the number of seeds.)
#
# **Predict first.** And with more steps, do free bits then `"lose more"`, `"lose the same"` or `"gain"` against plain training?

# %%
predict("07.longer", ...)

# %%
report(4000)

# %%
reveal("07.longer")

# %% [markdown]
# With more steps free bits gain as well, though less than warm-up, and here all seeds agree. So the verdict depends on the length of the training (and perhaps on $\lambda$ and the warm-up's share of the steps, which were not varied). All of it is
# small beside what more steps give to each of the three.
#
# Is a collapsed latent always a failure? No: where the data need fewer latents than there are, letting some go is what the ELBO
# asks for. It is a failure where the ELBO gets better with the latent alive.
#
# ## 7.11  A clinic of sick curves
#
# Here are a healthy training and five sick ones, ten latents, 400 steps at a constant rate (`end=1`), and one thing changed in each: a rate of 0.1; a
# rate of 0.0001; the first 20,000 images, sorted by label; only 100 images; a `beta` of 39.2. Grey: the loss, a mean over 5 steps. Dots: the validation -ELBO.

# %%
spec10 = vae.Spec(784, hidden=(100, 50), latent_dim=10)
by_label = np.argsort(mnist.train_labels[:20_000], kind="stable")      # all 0s, then all 1s, ...
SICK = {
    "rate too high": {"lr": 0.1},
    "rate too low": {"lr": 0.0001},
    "sorted by label": {"pick": lambda step: by_label[100 * (step - 1) % 20_000 :][:100]},
    "only 100 images": {"images": pictures[:100]},
    "beta = 39.2": {"beta": 39.2},
}
letters = dict(zip("ABCDE", sorted(SICK, key=lambda name: name[::-1])))     # sorted from the last letter: the place tells nothing

fig, axes = plots.figure(6.4, 3.6, 2, 3, sharex=True, sharey=True)
for ax, letter in zip(axes.flat, ("healthy", *letters)):
    _, history, kept = train(spec10, 400, end=1.0, keep=range(40, 401, 40), **SICK.get(letters.get(letter), {}))
    checked = [step for step in kept if step]
    ax.plot(*(part[::2] for part in smooth(history[:, 0], 5)), color=plots.GREY, lw=1)
    ax.plot(checked, [-terms_on(valid, vae.unpack(kept[step], spec10), spec10).elbo for step in checked], "o-", ms=3, lw=1, color=plots.BLUE)
    ax.set_title(letter, fontsize=9)
    ax.set_ylim(60, 400)
    print(f"{letter:8s} first loss {history[0, 0]:6.1f}; last 40 steps: loss {history[-40:, 0].mean():6.1f}, nll {history[-40:, 1].mean():6.1f}, kl {history[-40:, 2].mean():5.2f}")
for ax in axes[:, 0]:
    ax.set_ylabel("nats per image")
for ax in axes[1]:
    ax.set_xlabel("step")
fig

# %% [markdown]
# **Predict first.** Which letter is which? Write down all five. And here: which one, `"A"` to `"E"`, is the training on only 100 images?

# %%
predict("07.clinic", ...)

# %%
print("; ".join(f"{letter}: {name}" for letter, name in letters.items()))

# %%
reveal("07.clinic")

# %% [markdown]
# - **Rate too high:** the loss jumps, and stays above what the mean image costs. Take a third of the rate, and again.
# - **Rate too low:** a smooth, slow line that is still falling when the training ends. It looks healthy until one compares: try three times the rate before
#   you wait three times as long.
# - **Sorted by label:** saw teeth. The model learns the digit that it is being shown, and gets worse at the others. Shuffle.
# - **Too few images:** loss and validation part. The loss goes on falling, and the validation ELBO gets worse. More data, a smaller net, or keep the parameters whose validation ELBO was best.
# - **beta = 39.2:** soon at the number of the mean image in 7.2, and the printed kl is 0: nothing is said. *Another* mistake comes to rest there too: the lost
#   path of 7.3. The first loss tells them apart: a lost path does not change it, while here the first kl counts 39.2 times.
#
# (A sixth one, whose loss becomes `nan`, is in the appendix, 7.15.)

# %% [markdown]
# ## Recap
#
# - Before a training: the first loss is what paper says ($784 \log 2$ from zero, the mean image's with its bias), and one batch by heart costs $\log B$ or more.
# - A batch's gradient is unbiased, eq. (1); its error falls about as $1/\sqrt{B}$.
# - On a parabola the largest curvature limits the rate; in a net the limit moves with the parameters. Adam gives each number a step length:
#   eqs. (2) to (4).
# - Choose on validation images, and report on test images: the ELBO with draws of $z$.
# - A mean over pixels or latents is a silent `beta`: print nll and kl apart, in nats per image.
# - A collapsed latent has kl 0 for every image. Warm-up, eq. (5), and free bits, eq. (6), keep more of them alive; whether that gains is for the ELBO to say,
#   at equal steps and with several seeds.
#
# The package's own loop, `minivae/train.py`, is this one with epochs, checkpoints and a progress bar:
# `python -m minivae train`.
#
# ## Exercises
#
# Each stub below is yours to fill in; `check` says what is right, or shows the smallest input where it is
# not. `hint("07.adam")` gives a nudge, `solution("07.adam")` the reference.
# `progress()` and `review()`, from `minivae.exercises`, list what is done and ask old questions again.

# %% [markdown]
# **Adam, in place.** As in 7.6, but `flat`, `m` and `v` are to be changed themselves. (What is the difference between
# `m = ...` and `m[:] = ...`?) It is a part of your backend.

# %%
def adam_step(flat, grad, m, v, step, lr, beta1=0.9, beta2=0.999, adam_eps=1e-8):
    ...      # all (P,); step counts from 1. Change flat, m and v in place; return nothing


check("07.adam", adam_step)

# %% [markdown]
# **Four first losses.** As in 7.2, on paper, for models that this text does not treat.

# %%
# Every weight and bias is 0, but for what is said. The mean loss of an image, in nats?
# A  100 pixels of four grey levels. The decoder has four outputs for each, and their
#    softmax gives the four probabilities.
# B  100 measurements, with mean 1 and variance 4 in the data; a Gaussian likelihood with
#    logvar 0.
# C  As B, but the output's bias is the data's mean, and logvar the log of its variance.
# D  784 binary pixels and 20 latents; the bias of logvar's head is log 0.25.
first_losses = ...    # (A, B, C, D)

check("07.first-losses", first_losses)

# %% [markdown]
# **One batch by heart.** Write the test of 7.3, for any model. (The check tries it on right and on wrong ones.)

# %%
def learns_one_batch(gradient, theta, x, rng):
    ...      # gradient(theta, x, eps) -> loss (nats per image, one draw each), grad (P,)
             # theta (P,), x (B, 12): different images, eps (B, 2)
             # -> True if training on x alone brings the loss, averaged over draws,
             # below 3 log B, and not below what is possible; else False


check("07.one-batch", learns_one_batch)

# %% [markdown]
# **Five programs.** Each learns the ten images of 7.3 by heart, or tries to; beside them the right one. What is wrong with each?

# %%
from minivae.exercises.chapters.nb07.first_tests import program

fig, axes = plots.figure(7.2, 2.2, 1, 5, sharey=True)
print("           first loss     nll      kl     mean of the last 100: loss      nll       kl")
for letter, ax in zip(("right", *"ABCDE"), (None, *axes)):
    with np.errstate(all="ignore"):                        # one of them explodes
        history = by_heart(ten, steps=500, **(program(letter) if ax else {}))
    print(f"{letter:10s} {history[0, 0]:10.1f} {history[0, 1]:7.1f} {history[0, 2]:7.2f} "
          + " " * 16 + "".join(f"{value:10.2f}" for value in history[-100:].mean(axis=0)))
    if ax:
        for column, (name, color) in enumerate((("nll", plots.RED), ("kl", plots.BLUE)), start=1):
            ax.plot(*smooth(history[:, column], 10), color=color, ls="-", lw=1.2, label=name)
        ax.set(title=letter, xlabel="step", yscale="log", ylim=(0.5, 400))
axes[0].set_ylabel("nats per image")
axes[0].legend(fontsize=8)
fig

# %%
# "nothing", "path through z lost", "KL forgotten" (beta = 0), "KL summed over the batch",
# "KL subtracted in the loss", "no KL gradient for mu", "heads swapped" (the gradients of
# mu's and logvar's head, one for the other) or "rate too low"; in the order A to E
ailments = ...

check("07.first-tests", ailments)

# %% [markdown]
# **The limit with momentum.** As in 7.5, for the steps `m = b * m + gradient`, `theta -= lr * m` on the loss $\tfrac12\theta^\top H\theta$. Derive it for one
# direction first.

# %%
def momentum_limit(H, b):    # H (P, P), symmetric, curvatures above 0; 0 <= b < 1
    ...                      # -> the lr above which the distance grows without end


check("07.momentum-limit", momentum_limit)

# %% [markdown]
# **The training loop.** Every image once an epoch in a new order, the last batch shorter, fresh noise for every image, and the epoch's loss a mean over *images*. And it
# can be resumed: one epoch, then four from the state that came back, must be the same as five.

# %%
def my_training(state, images, epochs, B, gradient, adam):
    ...      # state: a dict with theta, m, v (P,), step (0 before the first) and rng, all
             # that a checkpoint keeps. gradient(theta, x, eps) -> loss (mean over the
             # batch), grad (P,); x (b, D), eps (b, 2), b = B but for the last batch
             # of an epoch. adam(theta, grad, m, v, step) changes theta, m, v in place
             # -> the state afterwards (a dict), each epoch's mean loss (epochs,)


check("07.loop", my_training)

# %% [markdown]
# **The gradient of free bits.** The slope of eq. (6) by one entry `kl[b, j]`; it is the same for all $b$. Mind the $1/B$.

# %%
def free_bits_backward(kl, beta, free_bits):    # (B, L), floats
    ...                                         # -> dkl (L,), the same for each example


check("07.free-bits-backward", free_bits_backward)

# %% [markdown]
# **Betas that nobody chose.** As in 7.9, on paper.

# %%
# nll_px (B, 784): each pixel's nll; kl_z (B, 20): each latent's KL. Four losses, as they
# are found in public code. Each is a constant times nll + beta kl, both of them in nats
# per image. Which beta?
#   A  nll_px.sum() + kl_z.sum()
#   B  nll_px.mean() + kl_z.mean()
#   C  nll_px.mean() + kl_z.sum(axis=1).mean()
#   D  nll_px.sum(axis=1).mean() + kl_z.mean()
betas = ...

check("07.weights", betas)

# %% [markdown]
# **Collapsed or weak?** The kinds of latents of 7.10, from what the encoder gives.

# %%
def latent_states(mu, logvar):    # (N, L), (N, L): q of N images
    ...      # -> L words. "same" means: to within 0.05, in mu and in logvar.
             # "collapsed": q is the same as the prior, for every image
             # "constant": q is the same for all images, but not the prior
             # "active": neither, and the mean KL is 0.1 nats or more
             # "rare": neither; a mean KL below 0.1, but above 1 for some image
             # "weak": the rest


check("07.latents", latent_states)

# %% [markdown]
# **Find the bug.** A training with warm-up, of which the best model is to be kept.

# %%
def best_step(nll, kl, warmup):
    # nll, kl (steps,): on validation images, after each step of a training whose beta rises
    # from 0 to 1 in `warmup` steps. -> the index of the model to keep. It keeps bad ones.
    steps = np.arange(1, len(nll) + 1)
    beta = np.minimum(1, steps / warmup)
    loss = nll + beta * kl
    return int(np.argmin(loss))


check("07.best-model", best_step)

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
own_params, own_history, _ = train(own_spec, 300, ops=mine)
print(f"loss: {own_history[:25, 0].mean():.1f} nats at first, {own_history[-25:, 0].mean():.1f} at the end")

reference_params, _, _ = train(own_spec, 10, ops=plain_ops)
again, _, _ = train(own_spec, 10, ops=mine)
same = np.allclose(again["out_W"], reference_params["out_W"], atol=1e-4)
print("after 10 steps it stands where the package's backend stands:", same)

# %% [markdown]
# And your poster. (Add a last argument, `"poster.png"`, to keep it; raise the 300 steps and the hidden layer for a better one.)

# %%
drawings = vae.sample(own_params, 36, np.random.default_rng(0), own_spec, mine)
poster(shown(drawings), mine, own_spec)

# %% [markdown]
# It says how many of the functions behind it are yours (this model needs 11 of the 14: no relu, no Gaussian). When all of
# them are, it says so.
#
# **Next:** notebook 08 asks why all this takes the time that it takes, and makes it faster.

# %% [markdown]
# # Appendix (optional)
#
# No later notebook needs it.
#
# ## 7.12  Which first weights?
#
# The study trained five starts for 500 steps at one constant rate, 0.003, with three seeds each. "Scale" multiplies the usual random weights of 7.2.

# %%
print("weights        output's bias   first loss (median)   test -ELBO after 500 steps, seed by seed")
for scale, bias in ((0.0, "mean image"), (0.1, "mean image"), (1.0, "mean image"), (1.0, "zeros"), (10.0, "mean image")):
    runs = runs_with(group="starts", scale=scale, start=bias)
    first = np.median([run["first"] for run in runs])
    print(f"usual x {scale:4.1f}   {bias:13s} {first:11.3g}           ", *(f"{-run['elbo']:9.4g}" for run in runs))

# %% [markdown]
# With weights of zero nothing is learned but the mean image. With weights ten times too
# large, `logvar` is large for some images, and the KL takes its `exp`: the first loss is astronomical, and 500 steps do not
# mend it. At this rate the start from zero biases does learn, but is still behind, and weights of a tenth of the usual
# size are further behind. (These runs confirm the usual start. It was not chosen by them.)
#
# ## 7.13  Why not decode the mean of q?
#
# At test time the noise looks like a nuisance: why not decode the mean of $q$ in place of a draw, when the ELBO is computed?
#
# **Predict first.** The ELBO evaluated so is `"too good"`, `"right"` or `"too bad"`?

# %%
predict("07.mean-at-test", ...)

# %%
few = test[:300]
eps = rng.standard_normal((len(few), 20), dtype=np.float32)
sampled = vae.elbo(params20, few, eps, spec20, ops=ops).elbo
at_the_mu = vae.elbo(params20, few, 0 * eps, spec20, ops=ops).elbo         # eps = 0: z is the mean
log_p = evaluate.log_likelihood(params20, few, spec20, samples=200, rng=np.random.default_rng(2), ops=ops)
print(f"of {len(few)} test images: ELBO with draws of z: {sampled:.1f} nats")
print(f"                'ELBO' at the mean of q:  {at_the_mu:.1f} nats")
print(f"    log p(x), estimated (notebook 09):  {log_p.mean:.1f} nats")

# %%
reveal("07.mean-at-test")

# %% [markdown]
# The mean of $q$ is a better $z$ than most draws of $q$: its nll is lower. But the kl is the price of a $q$ that is as wide as it is; a $q$ narrowed
# down to its mean would have another, far larger kl. So this is no average over $q$, and no bound: here it comes out above the estimate
# of $\log p(x)$ itself. Use the mean to *look* at reconstructions, and draws to report a number.
#
# ## 7.14  How does a latent collapse?
#
# The training of 7.8 kept its parameters at a few moments. Here is the kl of each latent against the step:

# %%
path = np.array([kl_of_latents(vae.unpack(flat_then, spec20), spec20, test[:2000]).mean(axis=0) for flat_then in kept20.values()])
dead = path[-1] < 0.02
fig, ax = plots.figure(5.6, 2.8)
for latent in range(20):
    ax.plot(list(kept20), path[:, latent], color=plots.RED if dead[latent] else plots.BLUE, lw=1, ls="-")
ax.plot([], color=plots.RED, label="below 0.02 nats at the end")
ax.plot([], color=plots.BLUE, ls="-", label="the others")
ax.set(xlabel="step (from 50 on a log scale)", ylabel="kl, nats", title="the kl of each of twenty latents")
ax.set_xscale("symlog", linthresh=50)
ax.legend(fontsize=8)
fig

# %%
print("step           ", *(f"{step:5d}" for step in kept20))
print("below 0.02 nats", *(f"{(row < 0.02).sum():5d}" for row in path))
for latent in np.flatnonzero(path.min(axis=0) < 0.1):
    print(f"latent {latent + 1:2d}: kl  ", *(f"{kl:5.2f}" for kl in path[:, latent]))

# %% [markdown]
# (It is one training with one seed.) The latents that end near 0 do not die at once: their kl rises early on, and sinks while others rise. An
# explanation that fits these: the nearer a latent is to the prior, the less there is to read, and the less the decoder
# uses it. It cannot be all: some of the list are nearly as low after 400 steps, and rise again.
#
# ## 7.15  How does a loss become nan?
#
# Plain gradient descent with a rate that is far too high. We print the largest
# `mu` and the largest `logvar` of each batch.

# %%
flat, params = a_new_model(spec10)
noise = np.random.default_rng(0)
with np.errstate(all="ignore"):                            # it overflows, and that is the point
    for step in range(1, 40):
        batch = data.binarize(pictures[noise.integers(len(pictures), size=100)], noise)
        mu, logvar = vae.encode(params, batch, spec10, ops)
        eps = noise.standard_normal((100, 10), dtype=np.float32)
        result = vae.elbo_and_grads(params, batch, eps, spec10, ops=ops)
        print(f"step {step}: largest |mu| {np.abs(mu).max():8.3g}, largest logvar {logvar.max():8.3g}, "
              f"kl {result.kl:8.3g}, nll {result.nll:8.3g}, loss {result.loss:8.3g}")
        if not np.isfinite(result.loss):
            break
        flat -= np.float32(1.0) * result.flat_grads
print(f"exp(x) is infinite in float32 for x above {np.log(np.finfo(np.float32).max):.1f}")

# %% [markdown]
# `mu` and `logvar` are outputs of dense layers, so nothing bounds them. The KL has $\mu^2$ and $e^{\mathtt{logvar}}$ in it: once a `logvar` is
# near 15, as in step 4, the kl and its gradient are in the millions, the next step throws the parameters further still, and the `exp` is infinite. Then `sigma`, too, is infinite, and `z` has entries of `inf` and `-inf`; the decoder's
# products add them up, `inf - inf` makes `nan` in the nll, and one `nan` spreads to every parameter in a single step. So search for the *first* number that is not finite or absurdly large, not for the last. The cures: a lower rate, above all in the first steps; or
# shorten a gradient that is longer than some bound (*gradient clipping*). A clip inside the formula only hides it.
#
# ## 7.16  Where does Adam gain?
#
# A loss of two parameters is enough to see it: curvature 100 along one direction and 1 along the other. Once these
# directions are the parameters themselves, once bowl and start are turned by 45 degrees. Each optimizer gets 36 rates, and as the loss may swing, we take the worst of its last ten values.

# %%
def bowl(kind, H, theta, lr, steps=200):
    """The loss theta' H theta / 2 of every step, for one of three optimizers."""
    m, v, losses = np.zeros(2), np.zeros(2), []
    for t in range(1, steps + 1):
        losses.append(theta @ H @ theta / 2)
        g = H @ theta
        if kind == "Adam":
            theta, m, v = one_adam_step(theta, g, m, v, t, lr)
        else:
            m = (0.9 if kind == "momentum" else 0.0) * m + g
            theta = theta - lr * m
    return losses


turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
straight, start = np.diag([100.0, 1.0]), np.array([1.0, 0.6])
rates = np.geomspace(0.001, 3, 36)
fig, axes = plots.figure(6.6, 2.6, 1, 2, sharey=True)
for ax, H, theta, title in ((axes[0], straight, start, "along the parameters"),
                            (axes[1], turn @ straight @ turn.T, turn @ start, "at 45 degrees to them")):
    for kind, color, mark in (("gradient descent", plots.RED, "s"), ("momentum", plots.GREEN, "^"), ("Adam", plots.BLUE, "o")):
        with np.errstate(all="ignore"):                    # some run away, and that is the point
            worst = np.array([np.max(bowl(kind, H, theta, lr)[-10:]) for lr in rates])
        worst[~(worst < 1e6)] = np.nan                     # no mark
        ax.plot(rates, worst, color=color, marker=mark, ms=3, lw=1, label=kind)
        best, good = np.nanargmin(worst), rates[worst < 1e-6]
        print(f"{title:22s} {kind:16s} best {worst[best]:.0e} at lr {rates[best]:.3f}"
              + (f"; below 1e-6 from lr {good[0]:.3f} to {good[-1]:.3f}" if len(good) else ""))
    ax.set(xscale="log", yscale="log", xlabel="learning rate lr", title=title, ylim=(1e-8, 1e3))
axes[0].set_ylabel("loss after 200 steps")
axes[0].legend(fontsize=8)
fig

# %% [markdown]
# Gradient descent is held back by the flat direction: at its best rate, near 2/100, each step takes away 2 % of what is left there. Momentum and Adam, each at its best rate, end
# more than a thousand times lower, in both bowls. The turn changes nothing for the first two: their steps turn with the bowl. It costs Adam little at its best rate, but much at smaller ones: there both parameters see nearly the same mixture
# of the two curvatures, so that their two step lengths are nearly the same. At a rate of 0.05, beside the others at their best, Adam would have looked as good as momentum on the left, and the worst of the
# three on the right.
