# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 09 · How good is it?
#
# **What you will be able to do**
# - estimate $\log p(x)$ with importance weights, and say how far off an estimate may be (`09.too-low`,
#   `09.missing-nats`, `09.surely-below`);
# - build a proposal that finds what the encoder misses (`09.two-islands`);
# - compute $\log p(x)$ on a grid that is fine enough (`09.refine`);
# - split the gap below $\log p(x)$ into what the family of $q$ costs and what the encoder costs
#   (`09.family-gap`);
# - in the appendix: train on a tighter bound, and say what that does to the encoder's gradient
#   (`09.bug`, `09.doubly`).
#
# **Builds on** notebook 02 (the gap is a KL), 06 (one $q$ for each image), 07 (a trained model).
# Reading time: 40 minutes, without the exercises. Sections 9.7 to 9.14 are an appendix, after the
# exercises: another 45 minutes.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]

from textwrap import fill

import numpy as np

from minivae import data, evaluate, exact, ops, plots, train, vae
from minivae.data import cats
from minivae.studies import published
from minivae.backend import load_backend
from minivae.gradcheck.differences import central_differences
from minivae.estimator import VAE
from minivae.evaluate.inference_gap import q_grads
from minivae.exercises import check, hint, predict, recall, reveal, solution, use
from minivae.settings import Settings

plots.notebook_style()
rng = np.random.default_rng(9)
fast = load_backend("numba")         # the kernels of notebook 08; `ops` would give the same numbers

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("09", ..., ..., ...)

# %% [markdown]
# ## 9.1  What does the ELBO not tell?
#
# Notebook 07 ended with a trained model and its test ELBO. The ELBO is a lower bound: the model
# is *at least* that good. How much better it may be, the bound does not say. This notebook finds
# out, in two ways: an estimate that can be had for any model, and an exact answer for small ones.
#
# We examine the shipped digit model, which has two latents, on the first nine images of MNIST's
# test set, made black and white.

# %%
model = VAE.pretrained("mnist").model_
params, spec = model.params, model.spec
x = data.fixed_binarization(data.load("mnist").test, seed=9)[:9]        # (B, D) = (9, 784)
mu, logvar = vae.encode(params, x, spec, fast)                          # (B, L) each
back = vae.mean_image(params, mu, spec, fast)

fig, ax = plots.figure(6.4, 1.8)
pairs = np.concatenate([x, back]).reshape(-1, 28, 28)
plots.show_grid(ax, pairs, 9, "the nine, and what the model makes of them")
fig

# %% [markdown]
# Images 0 to 8 from left to right, the originals above. Most come back as the digit they were. The
# fours turn into nines, and number 8, a badly drawn five, comes back as a four. Keep an eye on it.
#
# Notebook 02 had a better estimate of the evidence than the naive one: draw $z_k$ from $q$ and not
# from the prior, and weigh what you find. The logarithm of one such weight is
#
# $$
# \log w_k = \log p(x\mid z_k) + \log p(z_k) - \log q(z_k\mid x), \qquad z_k \sim q(z\mid x).
# \tag{1}
# $$
#
# The *mean of the log weights* estimates the ELBO. The *log of the mean weight* estimates
# $\log p(x)$. Both come from the same numbers, `log_w` of shape (K, B).

# %%
def log_normal(z, mu, logvar):
    """log N(z; mu, exp(logvar)), summed over the latents, nats."""
    return -0.5 * ((z - mu) ** 2 * np.exp(-logvar) + logvar + np.log(2 * np.pi)).sum(axis=-1)


def log_weights(x, mu, logvar, eps):
    """eq. (1): x (B, D), mu, logvar (B, L), eps (K, B, L) -> (K, B)."""
    z = mu + np.exp(logvar / 2) * eps
    logits = vae.decode(params, z.reshape(-1, 2), spec, fast).reshape(*z.shape[:2], -1)
    nll, _ = fast.bernoulli_nll_forward(logits, x)
    return -nll + log_normal(z, 0.0, np.zeros(2)) - log_normal(z, mu, logvar)


eps = rng.standard_normal((2000, 9, 2), dtype=np.float32)
log_w = log_weights(x, mu, logvar, eps).astype(float)
package = vae.log_weights(params, x, eps, spec, fast)
print("our weights and the package's agree:", np.allclose(log_w, package, atol=1e-3))

# %%
def log_mean_exp(log_w):
    """log of the mean of exp(log_w) over the first axis, without underflow (notebook 01)."""
    top = log_w.max(axis=0)
    return top + np.log(np.exp(log_w - top).mean(axis=0))


def draw_weights(ax, b):
    counts, *_ = ax.hist(log_w[:, b], bins=60, color=plots.GREY)
    ax.axvline(log_w[:, b].mean(), color=plots.BLUE, label="mean of log w")
    ax.axvline(log_mean_exp(log_w[:, b]), color=plots.RED, ls="--", label="log of mean w")
    ax.set(xlabel=f"log w of image {b}, nats", ylim=(0, 1.35 * counts.max()))


fig, (left, right) = plots.figure(7.6, 3, 1, 2)
draw_weights(left, 4)
draw_weights(right, 6)
left.set_ylabel("samples")
right.legend(loc="upper right", fontsize=8)
fig.suptitle("the log of the mean is drawn to the largest weights")
fig.set_dpi(80)
fig

# %% [markdown]
# The dashed line, the estimate of $\log p(x)$, lies to the right of the solid one, that of the ELBO,
# most of all where the cloud is wide (mind the two scales): in a mean of weights the large ones count
# most. For image 6 it stands in the right tail, beyond the bulk.

# %% [markdown]
# ## 9.2  Do more samples help?
#
# With one sample, the log of the mean weight *is* a log weight, and its average is the ELBO. With
# $K$ samples, the average of the estimate is called the importance-weighted bound:
#
# $$
# \mathrm{IW\text{-}ELBO}_K(x)
# = \mathbb{E}_{z_1 \ldots z_K \sim q}\!\left[\log \frac1K \sum_{k=1}^{K} w_k\right]
# \tag{2}
# $$
#
# **Predict first.** As $K$ grows, does it fall, stay, or rise? Put `"falls"`, `"stays"` or
# `"rises"` in place of the `...`.

# %%
predict("09.more-samples", ...)

# %%
def iw_elbo(log_w, K):
    """eq. (2), estimated: the samples (n, B) in groups of K -> the mean over groups, its error (B,)."""
    groups = log_w[: len(log_w) // K * K].reshape(-1, K, log_w.shape[1])
    each = log_mean_exp(groups.swapaxes(0, 1))                           # (groups, B)
    return each.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(len(each))


Ks = (1, 2, 5, 10, 20, 50, 100, 200, 400)
ladder, error = np.array([iw_elbo(log_w, K) for K in Ks]).swapaxes(0, 1)    # (len(Ks), B) each
shown = ((4, plots.BLUE, "o"), (6, plots.GREEN, "s"), (8, plots.RED, "^"))
fig, ax = plots.figure(6.4, 3.2)
for b, color, marker in shown:
    ax.errorbar(Ks, ladder[:, b] - ladder[0, b], error[:, b], color=color, marker=marker, ls="-",
                label=f"image {b}")
ax.set(xscale="log", xlabel="K, samples", ylabel="IW-ELBO$_K$ - ELBO, nats")
ax.set_title("every further sample lifts the bound")
ax.legend()
fig.set_dpi(80)
fig

# %%
reveal("09.more-samples")

# %% [markdown]
# All three curves rise: image 4's soon by hardly anything, image 6's more and more slowly, image 8's
# still steeply at the right edge. (A bar is one standard error, from the scatter of the groups; at
# $K = 400$ there are only five. With one latent you can watch it by hand: the slider $K$ in
# [touch_the_bound.html](touch_the_bound.html); JupyterLab asks you to press *Trust HTML* first.)
#
# Why it can never fall. Take $K$ weights and leave out all but $J$ of them, chosen at random. Averaged
# over the choice, the mean of the $J$ is the mean of the $K$: no weight is preferred. So
#
# $$
# \begin{aligned}
# \log \frac1K \sum_{k=1}^{K} w_k
# &= \log \mathbb{E}_{\text{choice}}\!\left[\frac1J \sum_{k \in \text{choice}} w_k\right]
# && \text{(the average over choices)}\\
# &\ge \mathbb{E}_{\text{choice}}\!\left[\log \frac1J \sum_{k \in \text{choice}} w_k\right]
# && \text{(Jensen, as in notebook 02)}
# \end{aligned}
# $$
#
# Now average both sides over the draws from $q$. The left becomes $\mathrm{IW\text{-}ELBO}_K$; on
# the right, any $J$ of $K$ draws are $J$ draws, so it becomes $\mathrm{IW\text{-}ELBO}_J$. And
# Jensen once more puts the exact answer on top: the average of the mean weight over all draws is
# $p(x)$, so the average of its log is at most $\log p(x)$. Together:
#
# $$
# \mathrm{ELBO} = \mathrm{IW\text{-}ELBO}_1 \le \mathrm{IW\text{-}ELBO}_J
# \le \mathrm{IW\text{-}ELBO}_K \le \log p(x) \qquad (J \le K)
# $$
#
# How many of the samples do the work? If one weight dwarfs all others, the mean is that one
# weight over $K$. The *effective sample size* $\left(\sum_k w_k\right)^2 / \sum_k w_k^2$ counts:
# it is $K$ if all weights are equal, and 1 if one has everything.

# %%
w = np.exp(log_w - log_w.max(axis=0))
ess = w.sum(axis=0) ** 2 / (w**2).sum(axis=0)
held = np.sort(w, axis=0)[::-1].cumsum(axis=0) / w.sum(axis=0)           # by the largest 1, 2, 3, ...
for b, _, _ in shown:
    print(f"image {b}: {len(log_w)} samples do the work of {ess[b]:.1f}; the largest weight holds "
          f"{held[0, b]:.0%} of the sum, the largest hundred {held[99, b]:.0%}")

# %% [markdown]
# For image 4 most of the samples count. For image 6 a hundred of them carry most of the sum, for image 8
# a single one does. Where would the curves end? Section 9.4 computes it.

# %% [markdown]
# ## 9.3  Why is there a gap at all?
#
# Notebook 02 named the gap: $\log p(x) - \mathrm{ELBO} = \mathrm{KL}(q(z\mid x) \,\Vert\, p(z\mid
# x))$. It is there because $q$ is not the posterior.
#
# **Predict first.** Suppose an image's true posterior is shaped like a banana. The encoder is
# perfect and trained for ever. What does the gap do: `"closes"` or `"stays in part"`?

# %%
predict("09.banana", ...)

# %% [markdown]
# There can be two reasons for a gap, and they have different cures:
#
# - the *family* is too poor: even the best diagonal Gaussian, call it $q^*$, is not the posterior;
# - the *encoder* misses $q^*$: one network answers for all images at once, and may need more training.
#
# (The split and its names are those of Cremer et al. 2018, "Inference Suboptimality in Variational
# Autoencoders".) Put the ELBO of $q^*$ between the two ends, and the gap falls into two pieces:
#
# $$
# \underbrace{\log p(x) - \mathrm{ELBO}(q)}_{\text{the gap}}
# = \underbrace{\log p(x) - \mathrm{ELBO}(q^*)}_{\text{approximation gap}} +
# \underbrace{\mathrm{ELBO}(q^*) - \mathrm{ELBO}(q)}_{\text{amortization gap}} \tag{3}
# $$
#
# For a given decoder, a better encoder helps with the second only. A richer family helps with the first,
# and can help with the second too, as the same paper found.

# %% [markdown]
# To *measure* eq. (3) three numbers are needed for each image. $\mathrm{ELBO}(q)$ we have. For
# $\mathrm{ELBO}(q^*)$, climb the ELBO for that one image, from the encoder's $q$ on, with the
# gradients of notebook 06: `evaluate.best_q` does this. The third number is $\log p(x)$, and the
# importance-weighted estimate lies below it on average, by an unknown amount. So:

# %% [markdown]
# ## 9.4  Can $\log p(x)$ be had exactly?
#
# The evidence is an integral over $z$, and here $z$ has two coordinates. An integral over a plane
# is a sum over small squares: lay a grid of width $h$, take $p(x\mid z)\,p(z)$ at the middle
# of each square, times the square's area. In logs:
#
# $$
# \log p(x) = \log \int p(x\mid z)\, p(z)\, dz
# \approx \log \sum_{\text{cells } i} \exp\big(\log p(x\mid z_i) + \log p(z_i)\big) + L \log h
# \tag{4}
# $$
#
# ($L = 2$ latents, so a square's area is $h^L$.) This is called quadrature. No sampling, no bound,
# nothing random. With 50 latents no grid is possible (notebook 01 counted its cells); with two, a
# few thousand cells may do.

# %%
def mesh(low, high, h):
    """The middles of all cells of width h in the square [low, high]^2: (cells, 2)."""
    axis = np.arange(low + h / 2, high, h)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def log_joint(params, spec, x, z):
    """log p(x|z) + log p(z) for every cell and image: z (cells, 2), x (B, D) -> (cells, B)."""
    logits = vae.decode(params, z.astype(np.float32), spec, fast)
    log_likelihood = logits @ x.T - np.logaddexp(0, logits).sum(axis=1, keepdims=True)
    return log_likelihood.astype(float) + log_normal(z, 0.0, np.zeros(2))[:, None]


sums = []
for h in (0.4, 0.2, 0.1):
    table = log_joint(params, spec, x, mesh(-6, 6, h))
    sums.append(exact.log_sum_exp(table, axis=0) + 2 * np.log(h))        # eq. (4)
    some = np.array2string(sums[-1][[0, 2, 4, 8]], precision=2)
    print(f"h = {h:.1f}, {len(table):6,} cells: {some}")
moved = np.abs(sums[-1] - sums[-2]).max()
print(f"the last halving of h moved the answer by up to {moved:.2f} nats (largest of the nine)")

# %% [markdown]
# Each line should repeat the one above, and does not: the four numbers (images 0, 2, 4 and 8) still
# move when the width is halved, up as well as down. Most of the nine posteriors are narrower than even the
# smallest of these squares, as we shall see, and such a grid steps over them.
#
# So ask two questions of every quadrature: *does it change if the step is halved?* and *does it
# change if the box grows?* `exact.quadrature` asks both. For each image it divides only those
# squares that may hold some of its mass, until the answer stands still. (For a network as large as this
# one, that is no proof: a peak between all points of the first grid would not be seen.)

# %%
truth = exact.quadrature(params, x, spec, tolerance=1e-2, ops=fast)
print("log p(x):", np.array2string(truth.log_p[[0, 2, 4, 8]], precision=2))
print(f"largest change on halving the step and enlarging the box: {truth.error.max():.4f} nats")
narrowest = truth.sd.min(axis=1)                              # of the two latents, (B,)
print("smallest standard deviation of each posterior:", np.array2string(narrowest, precision=3))
print("each step is smaller than that:", (truth.step < narrowest).all())

# %% [markdown]
# Now the steps are narrower than the posteriors, and the answer stands still to a hundredth of a nat.
# That gives the curves of 9.2 their upper limit.

# %%
fig, ax = plots.figure(6.4, 3.4)
for b, color, marker in shown:
    below = truth.log_p[b] - ladder[:, b]
    ax.errorbar(Ks, below, error[:, b], color=color, marker=marker, ls="-", label=f"image {b}")
ax.axhline(0, color=plots.INK, lw=1)
ax.set(xscale="log", xlabel="K, samples", ylabel=r"log p(x) - IW-ELBO$_K$, nats")
ax.set_title("what the bound with K samples still misses")
ax.legend()
fig.set_dpi(80)
fig

# %% [markdown]
# Image 4's curve meets the line at zero, where nothing is missing; image 6's comes nearer and nearer.
# Image 8's ends far from it: even with the most samples drawn here, the bound misses many nats. Would
# the error bar of an estimate have warned us?

# %%
draws = 500
# .mc_stderr: the estimate's standard error, from its own weights; .ess: their effective sample size
iw = evaluate.log_likelihood(params, x, spec, samples=draws, rng=np.random.default_rng(1), ops=fast)
elbo = log_w.mean(axis=0)
off = (iw.log_p - truth.log_p) / iw.mc_stderr
print("image   ELBO      IW, K = 500         exact    off, in standard errors")
for b in range(9):
    estimate = f"{iw.log_p[b]:8.2f} +- {iw.mc_stderr[b]:.2f}"
    print(f"  {b}   {elbo[b]:8.2f}  {estimate}  {truth.log_p[b]:8.2f}  {off[b]:+14.1f}")
print(f"mean  {elbo.mean():8.2f}  {iw.mean:8.2f} +- {iw.stderr_mc:.2f}  {truth.log_p.mean():8.2f}")

# %% [markdown]
# The last column counts how many of its own standard errors an estimate is off. One or two to either
# side are ordinary scatter; images 6, 7 and 8 lie too low by more, the last by dozens. Read as an
# error bar, image 8's claim to be right within a nat or so is false.
#
# It should be read as an alarm. The error of the log of a mean is, to first order, the *relative* error
# of the mean, and computed from $K$ weights this can never exceed 1: it is 1 if one weight has
# everything, however far off that weight may be. So an error near 1 says that one or two samples carry
# the estimate. It follows from the effective sample size.
#
# A second alarm looks at the largest weights. If their logs are spread widely, larger ones are likely
# to be still missing. The usual measure is the *Pareto* $\hat k$ (Vehtari et al. 2024, "Pareto Smoothed
# Importance Sampling"): above about 0.7, do not trust the mean. The cell has its simplest form, Hill's
# estimator: by how much the largest 100 log weights (of the 2,000 of 9.1) exceed the next one, on average.

# %%
from_ess = np.sqrt((draws / iw.ess - 1) / (draws - 1))     # standard error of the mean weight / the mean
print("the claimed errors follow from the effective sample sizes:",
      np.allclose(from_ess, iw.mc_stderr, rtol=1e-4))
largest = np.sort(log_w, axis=0)[:-102:-1]                 # the largest 101 of 2,000, from the top
k_hat = (largest[:100] - largest[100]).mean(axis=0)        # Hill's estimator
for b in range(9):
    print(f"image {b}: claimed error {iw.mc_stderr[b]:.2f}, effective samples {iw.ess[b]:5.1f} of {draws}, "
          f"k {k_hat[b]:.1f}; really off by {iw.log_p[b] - truth.log_p[b]:+.2f}")

# %% [markdown]
# The three images with $\hat k$ above 0.7 are the three that lie too low. (The limit is not sharp: with
# other noise, image 7 may be right, and an image with $\hat k$ near 0.6 too low.) And no alarm is no
# proof: both numbers are computed from the samples that were drawn, and know nothing of a place that none
# of them reached (9.5 has an example).

# %% [markdown]
# ## 9.5  Where does $q$ sit, and where is the posterior?
#
# The summands of eq. (4), divided by their sum, are the exact posterior. With it we draw $q$, as
# two ellipses at one and two sigma, and $q^*$, the best of its family.

# %%
search = np.random.default_rng(2)
best = evaluate.best_q(params, x, mu, logvar, spec, rng=search, steps=300, ops=fast)


def draw_density(ax, horizontal, vertical, density):
    """Grey terraces: darker where the density is higher."""
    levels = np.linspace(0.03, 1, 6)
    ax.contourf(horizontal, vertical, density / density.max(), levels, cmap="Greys")


def draw_q(ax, mu, logvar, color, ls, label):
    """Ellipses of one and two sigma around q's mean."""
    turn, sigma = np.linspace(0, 2 * np.pi, 80), np.exp(logvar / 2)
    for width in (1, 2):
        ax.plot(mu[0] + width * sigma[0] * np.cos(turn), mu[1] + width * sigma[1] * np.sin(turn),
                color=color, ls=ls, lw=1.3, label=label if width == 1 else None)


# Image 8's posterior is wide and has narrow parts: it needs more points.
grids = {b: exact.posterior_grid(params, x, spec, truth, image=b, points=n, ops=fast)
         for b, n in ((4, 61), (2, 61), (6, 61), (8, 301))}


def draw_posterior(ax, b):
    grid = grids[b]
    draw_density(ax, *grid.axes, np.exp(grid.log_density).T)
    draw_q(ax, mu[b], logvar[b], plots.RED, "--", "q, the encoder's")
    draw_q(ax, best[0][b], best[1][b], plots.BLUE, "-", "q*, the best")
    ax.set(xlabel="$z_1$", ylabel="$z_2$", title=f"image {b}")


fig, axes = plots.figure(6.4, 5.2, 2, 2)
for ax, b in zip(axes.flat, (4, 2, 6, 8), strict=True):
    draw_posterior(ax, b)
axes[1, 1].set_xlim(-1.7, 0.3)                                # between two far ends of empty sea
axes[0, 0].legend(fontsize=7)
fig.set_dpi(75)
fig

# %% [markdown]
# Four kinds of fit (grey: the exact posterior; each panel has a scale of its own). Image 4: $q^*$ fits,
# and $q$ is not far from it. Image 2: a tilted, bent posterior, which no diagonal Gaussian can follow.
# Image 6: a $q$ in the wrong place, which $q^*$ mends. Image 8: two separate islands, the encoder's $q$
# between them, and $q^*$ on one of the islands: mode seeking, as in notebook 03. That is why importance
# sampling failed there: $q$ is narrow, and far from both islands.
#
# A picture is a grid too, so ask the question of 9.4: does it change if the step is halved? On a fine
# grid, the density times the area of a square sums to one.

# %%
def mass_on(grid, every):
    """The posterior's mass on a grid, from every so-many-th point in both directions."""
    step = [every * (axis[1] - axis[0]) for axis in grid.axes]
    return np.exp(grid.log_density[::every, ::every]).sum() * step[0] * step[1]


for b, grid in grids.items():
    n = len(grid.axes[0])
    print(f"image {b}: {n} points a side, mass {mass_on(grid, 1):.3f}; half as many {mass_on(grid, 2):.3f}")
print(f"image 8 with 61 points, as the others: {mass_on(grids[8], 5):.3f}")

# %% [markdown]
# The 61 points that serve the others are too few for image 8's islands: the picture would show them with
# wrong shapes and shares. What is on the islands? Decode their highest points, and the mean of $q$
# between them.

# %%
fine = grids[8]
mass = np.exp(fine.log_density - exact.log_sum_exp(fine.log_density))     # sums to one
is_left = (fine.axes[0] < mu[8, 0])[:, None]                              # of the mean of q
peaks, shares = [], []
for side, island in (("left", is_left), ("right", ~is_left)):
    i, j = np.unravel_index((mass * island).argmax(), mass.shape)
    peaks.append((fine.axes[0][i], fine.axes[1][j]))
    shares.append((mass * island).sum())
    away = np.hypot(*((peaks[-1] - mu[8]) / np.exp(logvar[8] / 2)))
    print(f"the {side} island, around z_1 = {peaks[-1][0]:.2f}, holds {shares[-1]:.0%}; "
          f"its top is {away:.0f} of q's standard deviations away")

stops = np.array([peaks[0], mu[8], peaks[1]], np.float32)
decoded = np.concatenate([x[[8]], vae.mean_image(params, stops, spec, fast)])
fig, ax = plots.figure(5.2, 1.6)
plots.show_grid(ax, decoded.reshape(-1, 28, 28), 4)
ax.set_title("image 8, and decoded: left island, mean of q, right island", fontsize=9)
fig

# %%
fig, axes = plots.figure(6.4, 2.9, 1, 2)
for ax, peak, side in zip(axes, peaks, ("left", "right"), strict=True):
    near = mesh(-0.25, 0.25, 0.005) + peak
    height = np.exp(log_joint(params, spec, x[[8]], near)[:, 0] - truth.log_p[8]).reshape(100, 100)
    draw_density(ax, np.unique(near[:, 0]), np.unique(near[:, 1]), height)
    draw_q(ax, best[0][8], best[1][8], plots.BLUE, "-", "q*")
    ax.set(xlim=(near[0, 0], near[-1, 0]), ylim=(near[0, 1], near[-1, 1]), xlabel="$z_1$",
           title=f"the {side} island, close")
axes[0].set_ylabel("$z_2$")
axes[0].legend(fontsize=8)
fig.set_dpi(80)
fig

# %% [markdown]
# A nine on the left, an eight on the right: this model reads the badly drawn five as the one or the
# other, and the encoder answers with a place between them, which decodes to something like a four.
#
# Close up, $q^*$ sits on the left island. That suggests a cure for the failed estimates of 9.4: draw
# from another proposal. The mean weight of eq. (1) is $p(x)$ on average for any proposal whose density
# is above zero wherever $p(x, z)$ is. We try $q^*$, and the encoder's $q$ with its standard deviations
# multiplied by eight.

# %%
failed = [6, 8]
proposals = {"q": (mu[failed], logvar[failed]), "q*": (best[0][failed], best[1][failed]),
             "the wide q": (mu[failed], logvar[failed] + np.float32(2 * np.log(8)))}
from_proposal = {name: evaluate.log_likelihood(params, x[failed], spec, samples=5000, q=each,
                                               rng=np.random.default_rng(1), ops=fast)
                 for name, each in proposals.items()}
for i, b in enumerate(failed):
    print(f"image {b}: exact {truth.log_p[b]:.2f}")
    for name, it in from_proposal.items():
        print(f"    from {name:<10} {it.log_p[i]:8.2f} +- {it.mc_stderr[i]:.2f}, "
              f"effective samples {it.ess[i]:6.1f} of 5000")
print(f"log of the left island's share: {np.log(shares[0]):.2f} nats")

# %% [markdown]
# From $q^*$ image 6 is right within its error bar. Image 8 is right but for about the log of the left
# island's share: the samples from that island do not see the other one, and the small error bar does
# not know of it. This is the example that was promised in 9.4. The wide $q$ is right for both, to about
# its error bars, though fewer of its samples count. A proposal with a part for each island does better
# still; it is an exercise below.
#
# (With many latents a wide $q$ wastes nearly all of its samples. There one uses annealed importance
# sampling, Neal 2001, which moves samples from the prior to the posterior through many distributions
# between the two. *Bidirectional Monte Carlo*, Grosse et al. 2015, adds a bound from above. For an image
# that the model itself drew, the $z$ it was drawn from is a sample of the posterior; the same path run
# backwards from there gives an estimate of $\log p(x)$ that is too high on average, not too low.)
#
# Now eq. (3) can be filled in. Both ELBOs are means of eq. (1) over the noise of 9.1; $\log p(x)$ is
# exact.

# %%
log_w_best = log_weights(x, *best, eps).astype(float)
elbo_best = log_w_best.mean(axis=0)
approximation, amortization = truth.log_p - elbo_best, elbo_best - elbo          # eq. (3)
fig, ax = plots.figure(6.4, 3.2)
place = np.arange(9)
ax.bar(place - 0.2, approximation, 0.4, color=plots.BLUE, label="approximation: the family's")
ax.bar(place + 0.2, amortization, 0.4, color=plots.ORANGE, hatch="//",
       label="amortization: the encoder's")
ax.set_yscale("symlog", linthresh=0.1)
ax.set(xticks=place, xlabel="test image", ylabel="nats (linear up to 0.1, then log)")
ax.set_title("the encoder mostly loses more than the family does")
ax.legend(loc="upper left", fontsize=8)
fig.set_dpi(80)
fig

# %%
share = amortization.sum() / (approximation + amortization).sum()
print(f"approximation {np.median(approximation):.2f} nats, amortization "
      f"{np.median(amortization):.2f} nats (medians of the nine)")
without_8 = amortization[:8].sum() / (approximation + amortization)[:8].sum()
print(f"the encoder's share of the nine gaps together: {share:.0%}; without image 8: {without_8:.0%}")
print(f"image 2, whose posterior is tilted: approximation {approximation[2]:.2f}, "
      f"amortization {amortization[2]:.2f} nats")
its_errors = [each.std(axis=0, ddof=1).max() / len(eps) ** 0.5 for each in (log_w_best, log_w_best - log_w)]
print("largest standard errors: approximation {:.2f}, amortization {:.2f} nats".format(*its_errors))

# %%
reveal("09.banana")

# %% [markdown]
# For most images the encoder's loss is the larger one. For images 2 and 5 it is the family's, and
# that part no encoder could win back. `evaluate.gaps` measures both for any model, with an estimate of
# $\log p(x)$ if no exact value is given. (A $q^*$ that has not converged, or climbed the lower of two
# hills, makes the approximation gap look too large.)

# %% [markdown]
# ## 9.6  What happens to the gap during training?
#
# Last, the exact $\log p(x)$ and the ELBO from the first step of a training to the last. For that we
# need a model small enough to integrate at every snapshot: black-and-white cats of 16 by 16 pixels, two
# latents, two hidden layers of 64. `on_step` keeps a copy of the parameters now and then.

# %%
pictures = cats.draw(2024, np.random.default_rng(1), size=16)[0].reshape(-1, 256)
pictures = (pictures > 0.5).astype(np.float32)
kittens = data.Dataset("kittens", pictures[:2000], pictures[2000:], None, None, (16, 16), "")
settings = Settings(latent_dim=2, hidden=(64, 64), epochs=40, lr=4e-3, seed=9)
steps = np.unique(np.geomspace(1, 800, 22).astype(int))
snapshots = {0: train.new_state(kittens, settings).flat.copy()}


def keep(state, terms, beta):
    if state.step in steps:
        snapshots[state.step] = state.flat.copy()


train.train(kittens, settings, on_step=keep, ops=fast)
cat_spec = settings.spec(256)
print(f"{len(snapshots)} snapshots of {vae.n_params(cat_spec):,} parameters, "
      f"the last after step {max(snapshots)}")

# %% [markdown]
# For every snapshot: $\log p(x)$ by eq. (4) on one grid for all cats. The ELBO is a sum too, over a grid
# of width $h$ for $\varepsilon$, so that the places $z_i = \mu + \sigma\varepsilon_i$ follow each cat's $q$:
# $\sum_i N(\varepsilon_i; 0, I)\, h^2 \left(\log p(x, z_i) - \log q(z_i)\right)$. No sampling anywhere.

# %%
hidden_cats = kittens.test                                    # 24 cats that the training never saw


def exact_log_p(flat, h=0.1, box=5):
    """log p(x) of the hidden cats (24,), over the square [-box, box]^2."""
    table = log_joint(vae.unpack(flat, cat_spec), cat_spec, hidden_cats, mesh(-box, box, h))
    return exact.log_sum_exp(table, axis=0) + 2 * np.log(h)


def exact_elbo(flat, h=0.5, box=6):
    """The ELBO of the hidden cats (24,); h and box in standard deviations of q."""
    params = vae.unpack(flat, cat_spec)
    mu, logvar = (a.astype(float) for a in vae.encode(params, hidden_cats, cat_spec, fast))
    at = mesh(-box, box, h)                                                   # the eps, (cells, 2)
    density = np.exp(log_normal(at, 0.0, np.zeros(2))) * h**2                 # of the eps: sums to one
    elbo = []
    for x_b, m, v in zip(hidden_cats, mu, logvar, strict=True):
        z = m + np.exp(v / 2) * at
        elbo.append(density @ (log_joint(params, cat_spec, x_b[None], z)[:, 0] - log_normal(z, m, v)))
    return np.array(elbo)


course = {step: (exact_log_p(flat), exact_elbo(flat)) for step, flat in snapshots.items()}

# %% [markdown]
# Again the two questions, for all 24 cats at four snapshots: half the step, and a larger box.

# %%
final = vae.unpack(snapshots[800], cat_spec)
for step in (1, 17, 86, 800):
    now, (log_p, elbo_then) = snapshots[step], course[step]
    moved = np.abs(exact_log_p(now, 0.05, 6) - log_p).max(), np.abs(exact_elbo(now, 0.25, 7) - elbo_then).max()
    print("step {:3d}: log p(x) moved by up to {:.4f} nats, the ELBO by up to {:.4f}".format(step, *moved))

# %%
CAT, letters = 20, "abcde"
at = np.array(list(course)) + 1.0                             # a log axis has no place for step 0
log_p, its_elbo = (np.array([pair[i][CAT] for pair in course.values()]) for i in (0, 1))
moments = [int(np.argmin(abs(at - 1 - step))) for step in (1, 12, 45, 86, 800)]


def draw_moment(ax, i, half):
    """Posterior and q of the cat at snapshot number i, in the window [-half, half]^2."""
    step, near = list(course)[i], mesh(-half, half, half / 40)
    params = vae.unpack(snapshots[step], cat_spec)
    table = log_joint(params, cat_spec, hidden_cats[[CAT]], near).reshape(80, 80)
    axis = np.unique(near[:, 0])
    draw_density(ax, axis, axis, np.exp(table - table.max()))
    mu, logvar = vae.encode(params, hidden_cats[[CAT]], cat_spec, fast)
    draw_q(ax, mu[0], logvar[0], plots.RED, "--", None)
    ax.set(xlim=(-half, half), ylim=(-half, half), xlabel="$z_1$")
    ax.set_title(f"step {step}: gap {log_p[i] - its_elbo[i]:.2f}", fontsize=9)
    ax.grid(False)

# %%
fig = plots.figure(7.6, 5)[0]
fig.clear()
fig.set_dpi(75)
axes = fig.subplot_mosaic([["top"] * 5, list(letters)], height_ratios=(1.9, 1))
top = axes["top"]
top.fill_between(at, its_elbo, log_p, color=plots.ORANGE, alpha=0.5, label="the gap")
top.plot(at, log_p, color=plots.INK, ls="-", label="log p(x), exact")
top.plot(at, its_elbo, color=plots.BLUE, ls="--", label="ELBO")
top.set(xscale="log", xlabel="training step + 1", ylabel="nats")
top.set_title("log p(x) of one cat, and the ELBO below it")
top.legend(loc="upper left")
for letter, i, half in zip(letters, moments, (3, 3, 1.2, 1.2, 1.2), strict=True):
    draw_moment(axes[letter], i, half)
    top.axvline(at[i], color=plots.GREY, lw=0.8, ls=":")
axes["a"].set_ylabel("$z_2$")
fig

# %% [markdown]
# Above: the exact $\log p(x)$ of one cat and the ELBO under it, the gap shaded. Beneath, at the
# five dotted lines: the posterior (grey) and the encoder's $q$ (dashed, one and two sigma). The
# number over each panel is the height of the shading at that line, and $\mathrm{KL}(q \Vert
# p(z\mid x))$ between the two shapes below it. (The last three panels are magnified.)
#
# Read it from left to right. After one step the decoder hardly uses $z$, so the posterior is close to
# the prior, and Adam's first step has thrown $q$ aside. Then the decoder begins to use $z$, and the
# posterior narrows. In the third and fourth panel $q$ is wider than the posterior and beside it, and the
# gap is larger than in the second. At the end $q$ sits on a small posterior; what is left is the approximation
# gap and the amortization gap of 9.3.

# %%
gaps_then = {step: pair[0] - pair[1] for step, pair in course.items()}         # (24,) each
print("gap, nats        cat 20   mean of the 24")
for step in (0, 1, 12, 45, 86, 800):
    print(f"  step {step:3d}       {gaps_then[step][CAT]:6.2f}   {gaps_then[step].mean():6.2f}")
largest_at = max(gaps_then, key=lambda step: gaps_then[step].mean())
grown = (gaps_then[86] > gaps_then[12]).sum()
print(f"the mean gap is largest at step {largest_at}; larger at step 86 than at step 12 for {grown} cats")
print(f"cat 20's log p(x) fell from snapshot to snapshot {(np.diff(log_p) < 0).sum()} times of "
      f"{len(course) - 1}, by {-np.diff(log_p).min():.2f} nats at most")

# %% [markdown]
# Cat 20 was chosen because its gap swells visibly; the printed means show that this is not the rule. And
# $\log p(x)$ does not only rise. Training raises the mean ELBO of the *training* images, by noisy steps;
# that of a hidden cat may fall. Notebook 02 showed that even where the ELBO rises, $\log p(x)$ may fall,
# if the gap closes by more.

# %% [markdown]
# ## Recap
#
# - The mean of the log weights estimates the ELBO, the log of the mean weight $\log p(x)$: eqs. (1), (2).
#   On average, the second rises with $K$ and never passes $\log p(x)$.
# - The gap is approximation plus amortization: eq. (3).
# - With two latents $\log p(x)$ is a sum over squares, eq. (4), if the squares are small enough:
#   always ask what halving them changes.
# - A standard error knows nothing of places that were never sampled.
#
# ## Exercises
#
# `hint("09.too-low")` gives a nudge, `solution("09.too-low")` the reference. What you have solved so
# far, over all notebooks, is shown by `progress()`; `review()` asks for some of it again (both in
# `minivae.exercises`).

# %% [markdown]
# **Find the bug** in an estimate. A wider proposal misses less of the posterior, so draw with `widen` times
# $q$'s standard deviations. The estimates of images 0 to 5, beside the exact values:

# %%
def wide_estimate(log_joint, logvar, eps, widen):
    # log p(x, z_k) at z_k = mu + widen * sigma * eps_k: (K,), (L,), (K, L), a number -> log p(x)
    log_q = -0.5 * (eps**2 + logvar + np.log(2 * np.pi)).sum(axis=1)
    log_w = log_joint - log_q
    return log_w.max() + np.log(np.exp(log_w - log_w.max()).mean())


for K in (500, 5000):
    wide_eps = np.random.default_rng(K).standard_normal((K, 2))
    missed = []
    for b in range(6):
        wide_z = mu[b] + 2 * np.exp(logvar[b] / 2) * wide_eps
        joint = log_joint(params, spec, x[[b]], wide_z)[:, 0]
        missed.append(wide_estimate(joint, logvar[b], wide_eps, widen=2) - truth.log_p[b])
    print(f"K = {K:4d}: estimate - exact:", " ".join(f"{each:.2f}" for each in missed))
check("09.too-low", wide_estimate)

# %% [markdown]
# **How many samples?** The bound with $K$ samples stays below $\log p(x)$, by less and less. Derive by
# how much, for a large $K$ and weights with a finite variance: what is the mean of $\log(1 + d)$ for a
# small random $d$ with mean 0?

# %%
def missing_nats(log_w, K):    # log weights of a pilot run (n, B); the K that is planned
    ...    # -> log p(x) - IW-ELBO_K for a large K, nats (B,), with np.var of the pilot run
check("09.missing-nats", missing_nats)

# %% [markdown]
# Your formula against a measurement, for image 4, from the pilot run of 9.1:

# %%
below = use("09.missing-nats", missing_nats)
measured = evaluate.importance_bounds(params, x[[4]], spec, rng=np.random.default_rng(3),
                                      samples=(1, 2, 5, 10, 20), draws=8000, ops=fast)
for K, bound, stderr in zip(*measured):
    print(f"K = {K:2d}: missing {truth.log_p[4] - bound:.3f} +- {stderr:.3f} nats, "
          f"formula {below(log_w[:, [4]], K)[0]:.3f}")

# %% [markdown]
# **What does the family cost?** Let the posterior be a Gaussian, but a tilted one. Derive the
# approximation gap of eq. (3) from its covariance.

# %%
def family_gap(cov):    # the posterior is N(m, cov): cov (L, L)
    ...    # -> log p(x) - ELBO(q*), nats, for q* the best Gaussian with independent latents
check("09.family-gap", family_gap)

# %% [markdown]
# Is it the tilt that costs images 2, 4 and 6 their nats, or another shape? Their covariances, from the
# grids of 9.5:

# %%
tilt = use("09.family-gap", family_gap)
for b in (2, 4, 6):
    height = np.exp(grids[b].log_density)
    at_grid = np.stack(np.meshgrid(*grids[b].axes, indexing="ij"))               # (2, 61, 61)
    cov = np.cov(at_grid.reshape(2, -1), aweights=height.ravel(), ddof=0)
    print(f"image {b}: a Gaussian with its covariance would cost {tilt(cov):.2f} nats, "
          f"measured in 9.5: {approximation[b]:.2f}")

# %% [markdown]
# For images 2 and 6 it is mostly the tilt: the covariance alone gives nearly what was measured. (Not
# exactly: these posteriors are no Gaussians.) Image 4 loses hardly anything, to a tilt or otherwise.

# %% [markdown]
# **Two islands.** No single Gaussian covers image 8's posterior. Draw from a mixture of two, one for
# each island, and weigh: by which density must a weight divide? The formula is not in this notebook.

# %%
def mixture_estimate(log_joint, log_a, log_b, share):    # (K,), (K,), (K,), a number
    ...    # log p(x, z_k), log a(z_k), log b(z_k), for z_k ~ share * a + (1 - share) * b
           # -> the estimate of log p(x), one number
check("09.two-islands", mixture_estimate)

# %% [markdown]
# And used: a second search for $q^*$ that starts on the right island gives the second part. Both parts get
# 1.5 times their standard deviations. (Before you have solved it, the cell uses the reference.)

# %%
estimate = use("09.two-islands", mixture_estimate)
start = np.float32([peaks[1]]), np.full((1, 2), -7, np.float32)
right = evaluate.best_q(params, x[[8]], *start, spec, rng=np.random.default_rng(6), steps=300, ops=fast)
parts = [(m, v + 2 * np.log(1.5)) for m, v in ((best[0][8], best[1][8]), (right[0][0], right[1][0]))]
dice, many = np.random.default_rng(7), 5000
from_left = dice.random(many) < 0.5
center, spread = (np.where(from_left[:, None], left, right) for left, right in zip(*parts))
places = center + np.exp(spread / 2) * dice.standard_normal((many, 2))
each = [log_normal(places, *part) for part in parts]
heights = log_joint(params, spec, x[[8]], places)[:, 0]
answer = estimate(heights, *each, 0.5)
ten = [estimate(*(a[i::10] for a in (heights, *each)), 0.5) for i in range(10)]     # by tenths of the samples
print(f"image 8 from both islands: {answer:.2f} +- {np.std(ten, ddof=1) / 10**0.5:.2f}, exact "
      f"{truth.log_p[8]:.2f}; from q* alone: {from_proposal['q*'].log_p[1]:.2f}")

# %% [markdown]
# **What can be trusted?** In 9.5 the error bar of $q^*$ did not know of the missed island. But each mean
# weight is positive, and its average is $p(x)$, whatever the proposal missed: how often can it be far too
# high? Derive the highest number that you can promise from the mean of $R$ such estimates.

# %%
def surely_below(estimates, delta):    # R estimates of log p(x), (R,); a number in (0, 1)
    ...    # -> from their mean, by Markov: above log p(x) with probability <= delta
check("09.surely-below", surely_below)

# %%
promise = use("09.surely-below", surely_below)
three = np.array([it.log_p for it in from_proposal.values()])             # from q, q* and the wide q
for i, b in enumerate(failed):
    print(f"image {b}: estimates {three[:, i].round(2)}; but for at most one case in a hundred, log p(x) is "
          f"above {promise(three[:, i], 0.01):.2f}; exact {truth.log_p[b]:.2f}")

# %% [markdown]
# **Refine a grid until it holds.** One latent, and a function whose logarithm you are given. Nobody
# tells you how narrow it is. (A wide function must not cost you more than 100,000 heights.)

# %%
def refined_log_integral(log_f, tolerance):    # log_f: z (N,) -> log f(z) (N,)
    ...    # -> log of the integral of f over [-6, 6], off by less than the tolerance
check("09.refine", refined_log_integral)

# %% [markdown]
# **Next:** notebook 10 asks whether the latents of a good model *mean* anything.

# %% [markdown]
# # Appendix (optional)
#
# Notebook 10 asks back for eq. (5) in one opening question; nothing else needs the appendix.
#
# ## 9.7  Can one climb the better bound?
#
# Eq. (2) is higher than the ELBO and can be differentiated. So train on it: that is the
# importance-weighted autoencoder, IWAE (Burda et al. 2016, "Importance Weighted Autoencoders"). The
# loss is $-\frac1B\sum_b \log\frac1K\sum_k w_{kb}$. Its derivative with respect to one log weight:
# with $w_k = e^{\log w_k}$, that of $\log \sum_j w_j$ is $w_k / \sum_j w_j$, the softmax. So, writing
# $\tilde w_{kb}$ for it,
#
# $$
# \frac{\partial\,\mathrm{loss}}{\partial \log w_{kb}} = -\frac{\tilde w_{kb}}{B}, \qquad
# \tilde w_{kb} = \frac{w_{kb}}{\sum_j w_{jb}} \tag{5}
# $$
#
# Samples of small weight hardly pull. For $K = 1$ the only $\tilde w$ is 1, and
# we are back at the ELBO (with the KL as sampled).
#
# Next, how does $\log w$ depend on `mu` and `logvar`? Put $z = \mu + \sigma\varepsilon$ into eq.
# (1). There $z - \mu = \sigma\varepsilon$, so for each latent $\log q(z\mid x)$ is
# $-\frac12(\varepsilon^2 + \texttt{logvar} + \log 2\pi)$. The $\log 2\pi$ of prior and $q$ cancel:
#
# $$
# \log w = -\mathrm{nll}(z) +
# \tfrac12 \sum_l \left(\varepsilon_l^2 - z_l^2 + \texttt{logvar}_l\right).
# $$
#
# Two roads lead from $q$'s parameters into this. The first is through $z$, in the nll and in
# $z^2$. With eq. (5) in front:
#
# $$
# \texttt{dz}_{kb} = \frac{\tilde w_{kb}}{B}
# \left(\frac{\partial\,\mathrm{nll}}{\partial z_{kb}} + z_{kb}\right) \tag{6}
# $$
#
# From $z$ it goes on as in notebook 04, except that all $K$ samples share one `mu` and one
# `logvar`, so their shares add up:
#
# $$
# \texttt{dmu}_b = \sum_k \texttt{dz}_{kb}, \qquad
# \texttt{dlogvar}_b = \sum_k \texttt{dz}_{kb}\,\varepsilon_{kb}\,\frac{\sigma_b}{2} \tag{7}
# $$
#
# The second road is the `logvar` that stands there by itself: $q$'s own share. Its gradient is
# $-\tilde w_{kb}/B \cdot \frac12$, summed over $k$; and the $\tilde w$ of an image sum to one:
#
# $$
# \texttt{dlogvar}_b \mathrel{+}= -\frac{1}{2B} \tag{8}
# $$
#
# In code, for a decoder that is one dense layer, `logits = z @ W + bias`:

# %%
def iwae_loss(mu, logvar, eps, x, W, bias):
    """-> loss, and what the gradient needs: log w (K, B), z (K, B, L), logits (K, B, D)."""
    z = mu + np.exp(logvar / 2) * eps
    logits = z @ W + bias
    nll = ops.bernoulli_nll_forward(logits, x)[0]
    log_w = -nll + 0.5 * (eps**2 - z**2 + logvar).sum(axis=-1)
    return -log_mean_exp(log_w).mean(), log_w, z, logits


def iwae_gradient(mu, logvar, eps, x, W, bias):
    """eqs. (5) to (8) -> dmu, dlogvar (B, L)."""
    _, log_w, z, logits = iwae_loss(mu, logvar, eps, x, W, bias)
    w = np.exp(log_w - log_w.max(axis=0))
    share = w / w.sum(axis=0) / len(x)                         # eq. (5), without the minus
    dnll_dz = (ops.sigmoid(logits) - x) @ W.T                  # notebook 05
    dz = share[..., None] * (dnll_dz + z)                      # eq. (6)
    dmu = dz.sum(axis=0)                                       # eq. (7)
    dlogvar = (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / (2 * len(x))     # and (8)
    return dmu, dlogvar

# %% [markdown]
# Two judges: central differences, and the package's `vae.iwae_and_grads`, whose gradients for the
# biases of the two heads are the sums of `dmu` and of `dlogvar` over the batch.

# %%
tiny = vae.Spec(data_dim=7, hidden=(), latent_dim=2)
flat = 0.7 * rng.standard_normal(vae.n_params(tiny))
tiny_params = vae.unpack(flat, tiny)
tiny_x = (rng.random((3, 7)) < 0.5).astype(float)
tiny_eps = rng.standard_normal((5, 3, 2))                                # (K, B, L)
q = vae.encode(tiny_params, tiny_x, tiny)
rest = (tiny_eps, tiny_x, tiny_params["out_W"], tiny_params["out_b"])
dmu, dlogvar = iwae_gradient(*q, *rest)

by_mu = central_differences(lambda m: iwae_loss(m, q[1], *rest)[0], q[0])
by_logvar = central_differences(lambda v: iwae_loss(q[0], v, *rest)[0], q[1])
print("central differences agree to 1e-8:", np.allclose(dmu, by_mu, rtol=0, atol=1e-8),
      np.allclose(dlogvar, by_logvar, rtol=0, atol=1e-8))
grads = vae.iwae_and_grads(tiny_params, tiny_x, tiny_eps, tiny).grads
print("the package's mu_b and logvar_b agree:", np.allclose(grads["mu_b"], dmu.sum(axis=0)),
      np.allclose(grads["logvar_b"], dlogvar.sum(axis=0)))

# %% [markdown]
# (Samples of small weight hardly pull, but their way back costs as much. `vae.iwae_and_grads` with `u` draws
# a few by their $\tilde w$ and sends only these back, each with the same weight: the gradient is the
# same on average. Burda et al. propose it, with one sample, in their section 3.)

# %% [markdown]
# ## 9.8  How does this compare with what others publish?
#
# A number alone says little; it needs a neighbour. The classic one is Burda et al. 2016, Table 1:
# a VAE with 50 latents and two hidden layers of 200 tanh on each side, MNIST binarized afresh for
# each batch, $-\log p(x)$ on the test set from $K = 5000$ importance samples. A row's name says how
# it was trained: with the ELBO ("vae") or with the gradient of 9.7 ("iwae"), and with how many
# samples of $z$ for each image. (With several, a VAE averages their log weights, an IWAE their
# weights.)

# %%
rows = published.read_table()        # figures/iwae_table.json; `python -m minivae reproduce` makes it
ours = {row["row"]: row for row in sorted(rows, key=lambda row: row["minutes"])}     # the longest
binarized_once = 88.71               # vae-1, in the same paper
print("-log p(x), nats: published    rerun   this project")
for name, of in published.ROWS.items():
    print(f"{name:<12} {of.published:13.2f} {of.rerun:8.2f}   ", end="")
    mine = "{nll:.2f} +- {stderr_images:.2f}, Monte Carlo error {stderr_mc:.3f}" if name in ours else ""
    print(mine.format(**ours.get(name, {})))
loss = binarized_once - published.ROWS["vae-1"].published
print(f"vae-1, trained on images binarized once: {binarized_once:.2f}, or {loss:.2f} nats worse")

# %% [markdown]
# Lower is better. The second column is a public rerun by others (github.com/nbip/IWAE). A row without a
# third number was not trained here from random weights; some were trained on from another row's weights:
# see 9.9. Three things to look at before believing any such comparison, this one included:
#
# - **The data.** The authors' model, trained and tested on images that were binarized once, scores worse
#   by the nats printed under the table, and they report more overfitting. Always compare equal data.
# - **The estimate.** Also with $K = 5000$ from an encoder's $q$ it lies below $\log p(x)$ on average, and
#   9.4 showed that for a single image it may lie far below.
# - **Two error bars.** `stderr_images` (after the +-) answers "had other images been in the test set",
#   the Monte Carlo error "had other noise been drawn". A difference of two models on the same images has
#   an error of its own, that of the mean of the images' differences.
#
# ## 9.9  Does the objective decide how many latents are used?
#
# All rows have the same network. The cleanest test swaps the objective of one and the same model: take
# the finished weights, and go on with the other bound. (The authors did so too, in their second experiment,
# `experiments.py` in github.com/yburda/iwae.) Here a model was trained with the ELBO, then with 5 and with
# 50 samples of the better bound, and then with the ELBO again. Each line below is one training, and the
# second column says from which line's weights it started. A latent counts as *active* if its `mu` varies
# over the test images with a variance above 0.01, as in that paper; notebook 07 counted nats instead.

# %%
def stages(row):
    """The run that this one was continued from, the one before, ...: the first one first."""
    start = row.get("start_from")
    before = start and published.with_weights(rows, start["weights"])
    return [*(stages(before) if before else ()), row]


chains = [stages(row) for row in rows if row.get("start_from")]
runs = list({id(row): row for chain in sorted(chains, key=len) for row in chain}.values())
number = {row["weights"]: i for i, row in enumerate(runs, 1)}
print("   trained with  started from  epochs  minutes in all  -log p(x)  -ELBO  active latents")
for i, row in enumerate(runs, 1):
    before = number[row["start_from"]["weights"]] if row["start_from"] else "random"
    minutes = sum(stage["minutes"] for stage in stages(row))
    print(f"{i}: {published.last_stage(row['row']):<12} {before:>13} {row['epochs']:7} {minutes:15.0f} "
          f"{row['nll']:10.2f} {-row['test_elbo']:6.2f} {row['active_units']:15}")

# %%
for i, row in enumerate(runs, 1):
    if row["start_from"]:
        before = runs[number[row["start_from"]["weights"]] - 1]
        gained = before["nll"] - row["nll"], row["test_elbo"] - before["test_elbo"]
        print(f"{number[before['weights']]} -> {i}, {published.last_stage(before['row'])} to "
              f"{published.last_stage(row['row'])}: log p(x) {gained[0]:+.2f}, ELBO {gained[1]:+.2f} nats, "
              f"active latents {row['active_units'] - before['active_units']:+d}")

# %% [markdown]
# The objective has a say, with the same network: under the bound with 50 samples more latents become
# active (2 -> 3), and under the ELBO fewer are left (3 -> 4). With 5 samples the number did not change. From
# line 1 to line 3 the two scores go opposite ways: $\log p(x)$ rises while the ELBO falls. Line 4 brings
# the ELBO up again and gives up most of the gain in $\log p(x)$. (All of this comes from one seed, and
# the trainings differ in length, and some in batch size and learning rate.) How
# they differ from the paper's:

# %%
print(fill(runs[0]["differs"].split("; here: ")[0], 96))
for i, row in enumerate(runs, 1):
    print(fill(f"{i}: {row['differs'].split('; here: ')[1]}", 96, subsequent_indent="   "))

# %% [markdown]
# ## 9.10  Does a better likelihood mean better pictures?
#
# Not in general (Theis et al. 2016, "A note on the evaluation of generative models"). Take the shipped
# model of 9.1, and spoil it: in 99 of 100 cases the spoiled one draws white noise, in one case what the
# model would have drawn. Its $p(x)$ is at least a hundredth of the model's, so its $\log p(x)$ is not much
# lower:

# %%
print(f"{-np.log(0.01):.1f} nats at most; the model's own mean over the nine is {truth.log_p.mean():.1f}")

# %% [markdown]
# Models that are worth comparing differ by nats, too (9.8), but of this one's pictures 99 of 100 are noise.
# And the other way round: a model that only repeats its training images draws perfect pictures, and gives a
# new image the probability zero. A likelihood says how well a model *predicts* images; look at samples if
# you care for samples.
#
# ## 9.11  How far is a model from the truth?
#
# A published table ranks models, and does not say how much is left to gain. For data with a known origin
# one can know it. The cats are drawn by a program: six factors, uniform and independent, a picture of
# pixel probabilities for them, and each pixel drawn. That program *is* a latent variable model, with a
# $\log p(x)$ of its own, an integral over six factors. No model has a higher average over all cats, and
# the average of
#
# $$
# \log p_{\text{true}}(x) - \log p_\theta(x)
# $$
#
# is $\mathrm{KL}(p_{\text{true}} \Vert p_\theta)$. The integral is done by importance sampling. Its
# proposal is a Gaussian over the factors (each stretched from its range to the whole line by a logit),
# which starts at the factors that the cat was drawn with and is fitted to the weighted samples four
# times; the fifth round is the estimate. We do it twice, with different noise.

# %%
def true_log_p(picture, factors, rng, n=2000):
    """log p(x) of the program that draws the cats: -> estimate, effective sample size of n."""
    share = (factors - cats.LOW) / (cats.HIGH - cats.LOW)
    center, root = np.log(share / (1 - share)), 0.7 * np.eye(6)
    for _ in range(5):
        eps = rng.standard_normal((n, 6))
        place = center + eps @ root.T
        log_q = log_normal(eps, 0.0, np.zeros(6)) - np.log(np.diag(root)).sum()
        share = ops.sigmoid(place)
        log_prior = np.log(share * (1 - share)).sum(axis=1)     # uniform factors, as seen in `place`
        sampled = cats.LOW + share * (cats.HIGH - cats.LOW)
        log_w = cats.log_likelihood(picture, sampled) + log_prior - log_q
        w = np.exp(log_w - log_w.max())
        w /= w.sum()
        center = w @ place
        off = place - center
        root = np.linalg.cholesky(1.5 * (w[:, None] * off).T @ off + 1e-3 * np.eye(6))
    return log_mean_exp(log_w), 1 / (w**2).sum()

# %%
origin = np.random.default_rng(11)
true_factors = cats.sample_factors(2024, origin)
probabilities = cats.pixel_probabilities(true_factors, 16).reshape(-1, 256)
drawn = cats.sample_pixels(true_factors[2000:], origin, 16)                  # 24 cats to test on
twice = np.array([[true_log_p(*one, np.random.default_rng(seed + i))
                   for i, one in enumerate(zip(drawn, true_factors[2000:]))] for seed in (0, 1000)])
known, apart = log_mean_exp(twice[..., 0]), np.ptp(twice[..., 0], axis=0)          # (24,) each
worst = apart.argmax()
lower, higher = sorted(twice[:, worst].tolist())              # by the estimate
print(f"the two estimates of a cat differ by {np.median(apart):.2f} nats (median), at most by "
      f"{apart[worst]:.1f}; that cat's effective samples: {lower[1]:.0f} for the lower estimate, "
      f"{higher[1]:.0f} for the higher")

# %%
noisy = data.Dataset("noisy", probabilities[:2000], drawn.reshape(-1, 256), None, None, (16, 16), "")
learned = vae.unpack(train.train(noisy, settings, ops=fast).flat, cat_spec)
ours_log_p = exact.quadrature(learned, noisy.test, cat_spec, tolerance=1e-2, ops=fast).log_p
behind = known - ours_log_p
print(f"the true model: {known.mean():.1f} nats")
print(f"a VAE with two latents, 2,000 cats: {ours_log_p.mean():.1f}; behind by {behind.mean():.1f} +- "
      f"{behind.std(ddof=1) / 24**0.5:.1f} nats")

# %% [markdown]
# For one cat the lower estimate has missed most of the mass, with dozens of effective samples: no alarm
# again, as in 9.5. (We averaged the two estimates of $p(x)$; what both have missed would put the VAE
# further behind.) This model has two latents for six factors, a small network, and saw 2,000 cats: which
# of the three costs how much, further runs would tell.

# %% [markdown]
# ## 9.12  What does the better bound do to the gradient?
#
# With more samples the bound of eq. (2) rises. So why not train with thousands? Measure the gradient
# that training would use: its mean over many draws of the noise is the signal, its scatter the noise.
# A model with one latent will do, $z \sim N(0, 1)$ and $x\mid z \sim N(z + c, 1)$, with the posterior
# $N(x/2, 1/2)$ at $c = 0$. Let $c$ stand for the decoder, and the mean $m$ of $q = N(m, s^2)$ for the
# encoder.
#
# **Predict first.** As $K$ grows, the ratio of signal to noise, for the decoder's gradient and for the
# encoder's: `"both rise"`, `"decoder rises, encoder falls"` or `"both fall"`?

# %%
predict("09.signal", ...)

# %% [markdown]
# The cell computes a third gradient as well, for the encoder again, which will be explained below.

# %%
x_1, m_1, n_draws = 1.3, 0.2, 20_000


def toy_gradients(K, s):
    """Of the bound with K samples: d/dc, d/dm by eq. (7), d/dm by eq. (9), each (n_draws,)."""
    eps = np.random.default_rng(K).standard_normal((K, n_draws))
    z = m_1 + s * eps
    log_w = -0.5 * (x_1 - z) ** 2 - 0.5 * z**2 + 0.5 * eps**2       # but for a constant
    w = np.exp(log_w - log_w.max(axis=0))
    share = w / w.sum(axis=0)                                       # eq. (5)
    pull = (x_1 - z) - z                                            # -d nll/dz - z
    terms = share * (x_1 - z), share * pull, share**2 * (pull + eps / s)
    return [each.sum(axis=0) for each in terms]


def signal_to_noise(draws):
    """Length of the mean gradient over its scatter: draws (n, P). The mean's own noise is taken off."""
    noise = draws.var(axis=0, ddof=1).sum()
    signal = (draws.mean(axis=0) ** 2).sum() - noise / len(draws)
    return np.sqrt(max(signal, 0) / noise)


toy_Ks, widths = (1, 4, 16, 64, 256), (1.0, 0.6, 0.4)
toy = {s: {K: toy_gradients(K, s) for K in toy_Ks} for s in widths}
fig, axes = plots.figure(7.6, 3.2, 1, 3)
for ax, s in zip(axes, widths, strict=True):
    for i, (name, color, marker) in enumerate((("decoder", plots.INK, "o"),
            ("encoder, eq. (7)", plots.RED, "s"), ("encoder, eq. (9)", plots.BLUE, "^"))):
        ax.plot(toy_Ks, [signal_to_noise(toy[s][K][i][:, None]) for K in toy_Ks], color=color,
                marker=marker, ls="-", label=name)
    ax.set(xscale="log", yscale="log", xlabel="K, samples", ylim=(0.01, 30))
    ax.set_title(f"q of width {s}, posterior {0.5**0.5:.2f}", fontsize=9)
axes[0].set_ylabel("signal / noise")
axes[2].legend(fontsize=8, loc="lower left")
fig.set_dpi(72)
fig

# %%
reveal("09.signal")

# %% [markdown]
# Left, $q$ is wider than the posterior. The decoder's curve rises, the encoder's by eq. (7) falls. The
# third curve, the encoder by eq. (9), rises from $K = 4$ on. With the two narrower $q$ it falls from there
# on; at width 0.6 it still lies above that of eq. (7), at width 0.4 below.
#
# Why the encoder's falls: as $K$ grows the bound comes to $\log p(x)$ whatever $q$ is, so its gradient
# with respect to $q$ goes to zero, and faster than its scatter does (Rainforth et al. 2018, "Tighter
# Variational Bounds are Not Necessarily Better", who assume that the weights have four finite moments;
# here that takes $s^2 > 3/8$, and only the left panel has it). Does it happen in a network? The cats of
# 9.6, in the middle of their training and at its end:

# %%
batches = hidden_cats[:12].reshape(3, 4, 256)                            # three, of four cats each
for step in (45, 800):
    cat_params, dice = vae.unpack(snapshots[step], cat_spec), np.random.default_rng(0)
    for K in (1, 4, 16, 64):
        ratios = {"dec1_W": [], "enc1_W": []}
        for four in batches:
            drawn_grads = [vae.iwae_and_grads(cat_params, four, eps_k, cat_spec, ops=fast).grads
                           for eps_k in dice.standard_normal((200, K, 4, 2), dtype=np.float32)]
            for name, its in ratios.items():
                its.append(signal_to_noise(np.array([g[name].ravel() for g in drawn_grads], float)))
        print(f"step {step:3d}, K = {K:2d}: decoder", *(f"{ratio:.2f}" for ratio in ratios["dec1_W"]),
              "  encoder", *(f"{ratio:.2f}" for ratio in ratios["enc1_W"]))

# %% [markdown]
# Three batches of cats, so three numbers each. At both times the decoder's ratio ends higher than it began.
# The encoder's falls clearly in the middle of the training. At its end it is small from $K = 1$ on; its mean
# over the batches still falls. (Below about 0.2, 200 draws measure it only roughly.)
#
# **Where the third gradient comes from.** Write the gradient of $\log\frac1K\sum_k w_k$ with respect to a
# parameter $\phi$ of $q$ (`mu`, say) in two roads again, but cut them otherwise than in 9.7: through
# the place $z_k$, and through $q$'s density at a fixed place:
#
# $$
# \sum_k \tilde w_k \left[\frac{\partial \log w_k}{\partial z_k}\frac{\partial z_k}{\partial\phi}
# - \frac{\partial \log q(z_k\mid x)}{\partial\phi}\right],
# \qquad \frac{\partial\log w}{\partial z} = -\frac{\partial\,\mathrm{nll}}{\partial z} - z
# + \frac{\varepsilon}{\sigma}.
# $$
#
# The second term is a score, as in notebook 04's other estimator. There, two forms of one gradient
# were equal on average: $\mathbb{E}_q[f(z)\,\partial_\phi \log q(z)] =
# \mathbb{E}_q[f'(z)\,\partial_\phi z]$. Take $f = \tilde w_k$ as a function of $z_k$, with the other
# samples held. Since $\tilde w_k = w_k / \sum_j w_j$,
#
# $$
# \frac{\partial\tilde w_k}{\partial z_k}
# = \tilde w_k (1 - \tilde w_k)\frac{\partial\log w_k}{\partial z_k}.
# $$
#
# So on average the score term is $-\sum_k \tilde w_k(1 - \tilde w_k)\,\partial_{z}\log w_k\,
# \partial_\phi z_k$, and together with the first:
#
# $$
# \frac{\partial}{\partial\phi}\mathbb{E}\log\frac1K\sum_k w_k
# = \mathbb{E}\sum_k \tilde w_k^2\, \frac{\partial\log w_k}{\partial z_k}
# \frac{\partial z_k}{\partial\phi} \tag{9}
# $$
#
# Reparameterized twice: hence *doubly reparameterized* (Tucker et al. 2019, "Doubly Reparameterized
# Gradient Estimators for Monte Carlo Objectives"). It serves the encoder only; the decoder's gradient
# stays that of 9.7. When $q$ is the posterior, $\log w$ is constant in $z$, and eq. (9) is zero for every
# single draw, while eqs. (6) to (8) still scatter. The same on average as eq. (7)?

# %%
for s in widths:
    for K in toy_Ks:
        _, plain, twice = toy[s][K]
        difference = plain - twice                             # of the same draws
        t = difference.mean() / (difference.std(ddof=1) / np.sqrt(n_draws))
        print(f"width {s}, K = {K:3d}: the means differ by {t:+.1f} standard errors; "
              f"scatter {plain.std():.4f} and {twice.std():.4f}")

# %% [markdown]
# No difference is larger than two standard errors: chance. (At $K = 1$ it is the same in units of its
# error for all widths, $-\varepsilon/s$ averaged over the same draws.) The scatter is what differs: at the
# widths 1.0 and 0.6 that of eq. (9) is the smaller one at every $K$, at 0.4 it is the larger one. So
# measure with the $q$ at hand before you train with `Settings(objective="iwae", gradient="doubly")`.

# %% [markdown]
# ## 9.13  Does the encoder do better on its training images?
#
# The encoder's loss was the larger one in 9.5, on test images. Is it smaller on the images that it has
# learned from? Take 300 images of each set, drawn at random. No $\log p(x)$ is needed for
# the amortization gap, both ELBOs come from the same noise, and a shorter search for $q^*$ will do.

# %%
def amortization_gaps(x):
    """ELBO(q*) - ELBO(q) for each image: x (B, D) -> (B,)."""
    q = vae.encode(params, x, spec, fast)
    best = evaluate.best_q(params, x, *q, spec, rng=np.random.default_rng(4), steps=100, noise=4, ops=fast)
    eps = np.random.default_rng(5).standard_normal((100, len(x), 2), dtype=np.float32)
    return (log_weights(x, *best, eps) - log_weights(x, *q, eps)).astype(float).mean(axis=0)


digits, lot = data.load("mnist"), np.random.default_rng(0)
both_sets = []
for name, images in (("training", digits.train), ("test", digits.test)):
    some = images[np.sort(lot.choice(len(images), 300, replace=False))]
    both_sets.append(amortization_gaps(data.fixed_binarization(some, seed=9)))
    g = both_sets[-1]
    print(f"{name:>8} images: mean amortization gap {g.mean():.2f} +- {g.std(ddof=1) / 300**0.5:.2f} nats; "
          f"quartiles {np.round(np.quantile(g, (0.25, 0.5, 0.75)), 1)}; "
          f"the worst 15 hold {np.sort(g)[-15:].sum() / g.sum():.0%} of the sum")
more = both_sets[1].mean() - both_sets[0].mean()
its_error = np.hypot(*(g.std(ddof=1) for g in both_sets)) / 300**0.5
print(f"test - training: {more:+.2f} +- {its_error:.2f} nats")

# %% [markdown]
# Whether test images lose more, 300 of each set cannot tell: the difference is less than two of its errors.
# What they do tell is that the encoder loses several nats on the images that it was trained with, too. And
# the mean is carried by a few images, such as number 8: half of the images lose about a nat or less.
#
# What would a better encoder take? On the small cats of 9.6 it can be tried: more layers, more weights,
# or more steps.
#
# **Predict first.** Keep the decoder of 9.6's last snapshot, and train new encoders for it: some with the
# two hidden layers of 64 that it had, some with four. Which gap can shrink, `"approximation"`,
# `"amortization"` or `"both"`?

# %%
predict("09.deeper-encoder", ...)

# %%
def train_encoder(hidden, steps, seed):
    """A new encoder for the finished decoder -> its parameters and spec."""
    deep = cat_spec._replace(hidden=hidden)
    flat = vae.init_params(deep, np.random.default_rng(seed))
    own, (m, v) = vae.unpack(flat, deep), np.zeros((2, len(flat)), np.float32)
    dice = np.random.default_rng(100 + seed)
    for step in range(1, steps + 1):
        batch = kittens.train[dice.integers(0, 2000, 100)]
        mu, logvar, cache = vae.encoder_forward(own, batch, deep, fast)
        eps = dice.standard_normal((1, 100, 2), dtype=np.float32)
        dmu, dlogvar = q_grads(final, batch, mu, logvar, eps, cat_spec, fast)       # notebook 06
        flat_grads = np.zeros_like(flat)                        # the unused decoder's stay zero
        encoder_grads = vae.unpack(flat_grads, deep)
        vae.encoder_backward(dmu / 100, dlogvar / 100, cache, encoder_grads, fast)
        fast.adam_step(flat, flat_grads, m, v, step, 4e-3 * 0.05 ** (step / steps))
    return own, deep


kinds = {"2 layers of  64,  800 steps": ((64, 64), 800), "4 layers of  64,  800 steps": ((64,) * 4, 800),
         "2 layers of 160,  800 steps": ((160, 160), 800), "2 layers of  64, 1600 steps": ((64, 64), 1600)}
encoders = {name: [train_encoder(*kind, seed) for seed in range(3)] for name, kind in kinds.items()}

# %%
for name, some in (("24 hidden cats", hidden_cats), ("200 training cats", kittens.train[:200])):
    q_start = vae.encode(final, some, cat_spec, fast)
    top = evaluate.best_q(final, some, *q_start, cat_spec, rng=np.random.default_rng(3), steps=150,
                          noise=4, ops=fast)
    eps_cats = np.random.default_rng(5).standard_normal((500, len(some), 2), dtype=np.float32)
    best_log_w = vae.log_weights_of_q(final, some, *top, eps_cats, cat_spec, fast)
    print(f"{name}: mean amortization gap of three trainings, nats")
    for kind, three in encoders.items():
        g = [(best_log_w - vae.log_weights_of_q(final, some, *vae.encode(own, some, deep, fast), eps_cats,
                                                cat_spec, fast)).astype(float).mean() for own, deep in three]
        print(f"  {kind}:", "  ".join(f"{each:.3f}" for each in g))

# %%
reveal("09.deeper-encoder")

# %% [markdown]
# On the training cats each encoder with more layers, more weights or more steps loses less than each of the
# first kind, and twice the steps help most: these encoders were not trained to the end. (On the 24 hidden
# cats four layers do not clearly beat two.) Whether the same would close the digits' gap was not tried.

# %% [markdown]
# ## 9.14  Do the three faces of the ELBO agree in a network?
#
# The ELBO has three faces (notebook 02), here for a trained neural network:
#
# $$
# \begin{aligned}
# \mathrm{ELBO} &= \log p(x) - \mathrm{KL}(q \,\Vert\, p(z\mid x))\\
# &= \mathbb{E}_q[\log p(x\mid z)] - \mathrm{KL}(q \,\Vert\, p(z))\\
# &= \mathbb{E}_q[\log p(x, z)] + \mathrm{H}(q)
# \end{aligned} \tag{10}
# $$
#
# The first needs the exact evidence and the exact posterior, the second is what we train on, the
# third needs neither a KL nor an evidence. `exact.vae_faces` computes each from its own sums,
# without sampling.

# %%
few = [2, 4]
their_truth = exact.Quadrature(*(numbers[few] for numbers in truth))     # that of images 2 and 4
faces = exact.vae_faces(params, x[few], spec, their_truth, ops=fast)
for name, values in faces._asdict().items():
    print(f"{name:<15}", "  ".join(f"{value:.4f}" for value in values))
spread = np.ptp(np.array(faces), axis=0).max()
print(f"largest difference below {1e-4:g} nats: {spread < 1e-4}")

# %% [markdown]
# ## Exercises of the appendix

# %% [markdown]
# **Find the bug** in an importance-weighted autoencoder that trains. The function below is meant to be
# eqs. (5) to (8). First what the differences of 9.7 say of it:

# %%
def bound_gradient(nll, dnll_dz, z, eps, logvar):
    # (K, B), three times (K, B, L), (B, L) -> dmu, dlogvar. Trains, but differences disagree.
    log_w = -nll - 0.5 * (z**2).sum(axis=-1)
    w = np.exp(log_w - log_w.max(axis=0))
    share = w / w.sum(axis=0) / nll.shape[1]
    dz = share[..., None] * (dnll_dz + z)
    dlogvar = (dz * eps).sum(axis=0) * np.exp(logvar / 2) / 2 - 1 / (2 * nll.shape[1])
    return dz.sum(axis=0), dlogvar


_, _, tiny_z, tiny_logits = iwae_loss(*q, *rest)
tiny_nll = ops.bernoulli_nll_forward(tiny_logits, tiny_x)[0]
tiny_pull = (ops.sigmoid(tiny_logits) - tiny_x) @ tiny_params["out_W"].T             # d nll / dz
its = bound_gradient(tiny_nll, tiny_pull, tiny_z, tiny_eps, q[1])
for name, gradient, difference in zip(("dmu", "dlogvar"), its, (by_mu, by_logvar), strict=True):
    off_by = np.abs(gradient - difference).max() / np.abs(difference).max()
    print(f"{name}: off by {off_by:.0%} of the largest difference")
check("09.bug", bound_gradient)

# %% [markdown]
# **The doubly reparameterized gradient,** eq. (9), for `mu` and for `logvar`. (The second is not in
# the text: derive it.)

# %%
def doubly_reparameterized(log_w, dlogw_dz, eps, logvar):
    ...    # (K, B), (K, B, L) with q's mu and logvar held, (K, B, L), (B, L)
           # loss = -mean over B of log (1/K sum over K of w) -> dmu (B, L), dlogvar (B, L)
check("09.doubly", doubly_reparameterized)

# %% [markdown]
# And checked, not by differences of the loss, which it matches on average only: at $q$ = posterior it
# must be zero for every single draw. A model of one latent whose posterior is a Gaussian:
# $x\mid z \sim N(z, 1)$, so that $p(z\mid x) = N(x/2, 1/2)$.

# %%
doubly = use("09.doubly", doubly_reparameterized)
point, noise_5 = 1.3, np.random.default_rng(8).standard_normal((5, 1, 1))
for name, center, spread in (("q = posterior", point / 2, np.log(0.5)), ("another q", 0.2, 0.0)):
    logvar_1 = np.full((1, 1), spread)
    sigma_1 = np.exp(logvar_1 / 2)
    five = center + sigma_1 * noise_5                           # samples of z: (5, 1, 1)
    log_w_1 = (-0.5 * (point - five) ** 2 - 0.5 * five**2 + 0.5 * noise_5**2 + logvar_1 / 2)[..., 0]
    pull = (point - five) - five + noise_5 / sigma_1            # d log w / dz
    dmu_1, dlogvar_1 = doubly(log_w_1, pull, noise_5, logvar_1)
    print(f"{name}: zero to 1e-12: {max(abs(dmu_1.item()), abs(dlogvar_1.item())) < 1e-12}")

# %% [markdown]
# **Next:** notebook 10, as before the appendix.
