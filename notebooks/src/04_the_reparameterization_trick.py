# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 04 · The reparameterization trick
#
# **What you will be able to do**
# - take the gradient of an average over random draws, in two ways, and say which one scatters less
#   and why;
# - derive and code the two lines that carry a gradient back through a sample;
# - train your first VAE with them, and watch its ELBO climb to a log-likelihood that you can
#   compute exactly.
#
# **Builds on** notebook 02 (the ELBO) and notebook 03 (the KL and its gradient). Reading time: 35
# minutes.

# %%
import sys; sys.path[:0] = [".", ".."]

from functools import partial

import numpy as np

from minivae import exact, ops, plots, vae
from minivae.gradcheck.differences import central_differences
from minivae.exercises import check, hint, predict, recall, reveal, solution

plots.notebook_style()
rng = np.random.default_rng(4)

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("04", ..., ..., ...)

# %% [markdown]
# ## 4.1  Where is the slope of something random?
#
# The ELBO has two parts: an average over draws from $q$, $\mathbb{E}_{z\sim q}[\log p(x\mid z)]$,
# and a KL. Training needs the slope of both by $q$'s parameters, `mu` and `logvar`. The KL has a
# closed form, and notebook 03 has its slope. The average has none as soon as the decoder, the
# network that computes $p(x\mid z)$, is more than a straight line. All one can do is draw.
#
# Take a small stand-in for the decoder whose answer is known, $f(z) = \tfrac12(z-3)^2$: a penalty
# for being far from 3. With $z \sim N(\mu, \sigma^2)$, the distance from 3 has mean $\mu - 3$ and
# variance $\sigma^2$, and a mean square is a squared mean plus a variance:
#
# $$
# \mathbb{E}_q[f(z)] = \tfrac12\left((\mu-3)^2 + \sigma^2\right),
# \qquad \text{slope by } \mu:\ \mu - 3,
# \qquad \text{slope by \texttt{logvar}}:\ \tfrac12\sigma^2 .
# $$
#
# Pretend not to know this. What you have is a program that draws, and averages $f$ over the draws:

# %%
def f(z):
    return 0.5 * (z - 3) ** 2


def average_f(mu, logvar, generator, K=200):
    """The average of f over K draws from N(mu, exp(logvar))."""
    return f(generator.normal(mu, np.exp(logvar / 2), K)).mean()


mu, logvar = 1.0, np.log(0.8**2)
exact_dmu, exact_dlogvar = mu - 3, 0.5 * np.exp(logvar)
print(f"exact slopes: by mu {exact_dmu:+.2f}, by logvar {exact_dlogvar:+.2f}")

# %% [markdown]
# The slope by wiggling, as in notebook 03: run the program a little to the right, a little to the
# left, subtract, divide. The program is random, so there are two ways to do it: let it draw
# *afresh* each time, or start the generator from the *same seed* each time.

# %%
h = 1e-3
fresh, same = [], []
for seed in range(500):
    rise = average_f(mu + h, logvar, rng) - average_f(mu - h, logvar, rng)
    fresh.append(rise / (2 * h))
    one, other = np.random.default_rng(seed), np.random.default_rng(seed)
    rise = average_f(mu + h, logvar, one) - average_f(mu - h, logvar, other)
    same.append(rise / (2 * h))
print(f"slope by mu, fresh draws: {np.mean(fresh):+7.2f}, scatter {np.std(fresh):6.2f}")
print(f"slope by mu, same seed:   {np.mean(same):+7.2f}, scatter {np.std(same):6.2f}")

# %%
mus = np.linspace(0.8, 1.2, 41)
fig, axes = plots.figure(7.6, 3.2, 1, 2, sharey=True)
afresh = [average_f(m, logvar, rng) for m in mus]
held = [average_f(m, logvar, np.random.default_rng(7)) for m in mus]
for ax, curve, color, title in (
    (axes[0], afresh, plots.RED, "fresh draws: up and down by luck"),
    (axes[1], held, plots.BLUE, "the same draws: a smooth curve"),
):
    ax.plot(mus, curve, color=color, ls="-", lw=1, label="average of 200 draws")
    truth = 0.5 * ((mus - 3) ** 2 + np.exp(logvar))
    ax.plot(mus, truth, color=plots.INK, ls="--", lw=1, label="exact")
    ax.set(xlabel="mu", title=title)
    ax.legend()
axes[0].set_ylabel("average of f")
fig

# %% [markdown]
# With fresh draws, two neighbouring points differ by luck more than by `mu`. With the draws held
# still, what is left between neighbours is the effect of `mu` alone: the curve is a little off,
# and its slope is good. Keep this picture in mind. First, though, the older answer.

# %% [markdown]
# ## 4.2  First answer: follow the density
#
# Write the average as an integral, $\mathbb{E}_q[f(z)] = \int q(z)\, f(z)\,dz$. The parameter sits
# inside $q$, and $f$ knows nothing of it. Differentiate under the integral, and use
# $\partial \log q = \partial q / q$, that is $\partial q = q\,\partial\log q$, to get an average
# again:
#
# $$
# \begin{aligned}
# \frac{\partial}{\partial\mu}\,\mathbb{E}_q[f(z)]
# &= \int \frac{\partial q(z)}{\partial\mu}\, f(z)\, dz
#  = \int q(z)\,\frac{\partial \log q(z)}{\partial\mu}\, f(z)\, dz \\
# &= \mathbb{E}_q\!\left[f(z)\,\frac{\partial \log q(z)}{\partial\mu}\right]
# \end{aligned} \tag{1}
# $$
#
# and the same with `logvar` in the place of $\mu$. The slope of $\log q$ by a parameter is called
# the *score*. For a Gaussian,
# $\log q(z) = -\tfrac12\left((z-\mu)^2/\sigma^2 + \texttt{logvar} + \log 2\pi\right)$ with
# $1/\sigma^2 = e^{-\texttt{logvar}}$, so
#
# $$
# \frac{\partial\log q}{\partial\mu} = \frac{z-\mu}{\sigma^2},
# \qquad
# \frac{\partial\log q}{\partial\,\texttt{logvar}}
# = \frac12\left(\frac{(z-\mu)^2}{\sigma^2} - 1\right).
# $$
#
# In words: a draw above `mu` with a large $f$ says "raising `mu` would make this large value more
# frequent, so the average would rise". Only values of $f$ are used, never its slope.

# %%
def score_function(z, mu, logvar):
    """eq. (1) before averaging: one estimate of (dmu, dlogvar) for each draw z."""
    sigma = np.exp(logvar / 2)
    return f(z) * (z - mu) / sigma**2, f(z) * ((z - mu) ** 2 / sigma**2 - 1) / 2


z = rng.normal(mu, np.exp(logvar / 2), 100_000)
dmu, dlogvar = score_function(z, mu, logvar)
print(f"score function, {z.size:,} draws: {dmu.mean():+.3f}, {dlogvar.mean():+.3f}")
print(f"exact:                         {exact_dmu:+.3f}, {exact_dlogvar:+.3f}")

# %% [markdown]
# ## 4.3  Second answer: follow the sample
#
# What did the same seed do? NumPy's `normal` draws standard noise and then shifts and scales it:

# %%
eps = np.random.default_rng(7).standard_normal(5)
z = np.random.default_rng(7).normal(mu, np.exp(logvar / 2), 5)
print("mu + sigma * eps is what normal() drew:", np.allclose(mu + np.exp(logvar / 2) * eps, z))

# %% [markdown]
# So the randomness, `eps`, does not depend on the parameters at all; they come in afterwards, in a
# formula that can be differentiated. In general: suppose $z = g(\mu, \varepsilon)$, where the
# distribution of $\varepsilon$ contains no $\mu$. Then the average is over $\varepsilon$, which
# stays put while $\mu$ moves. The derivative passes inside the average, and the chain rule carries
# it through $f$ to $z$:
#
# $$
# \frac{\partial}{\partial\mu}\,\mathbb{E}_q[f(z)]
# = \frac{\partial}{\partial\mu}\,\mathbb{E}_\varepsilon\big[f(g(\mu,\varepsilon))\big]
# = \mathbb{E}_\varepsilon\!\left[f'(z)\,\frac{\partial z}{\partial\mu}\right] \tag{2}
# $$
#
# For the Gaussian of a VAE, with $\varepsilon \sim N(0, 1)$:
#
# $$
# z = \mu + \sigma\,\varepsilon, \qquad \sigma = e^{\texttt{logvar}/2} \tag{3}
# $$
#
# Each draw travels along a path as $\mu$ and $\sigma$ change, hence the name *pathwise*. This
# rewriting of a draw as parameters plus fixed noise is the **reparameterization trick**.

# %%
eps_shown = np.array([-1.5, -0.5, 0.3, 1.2])
fig, (left, right) = plots.figure(7.6, 3.2, 1, 2, sharey=True)
moving_mu, moving_logvar = np.linspace(-1, 3, 100), np.linspace(-4, 2, 100)
for e, ls in zip(eps_shown, ("-", "--", "-.", ":"), strict=True):
    left.plot(moving_mu, moving_mu + np.exp(logvar / 2) * e, color=plots.BLUE, ls=ls)
    z = mu + np.exp(moving_logvar / 2) * e
    right.plot(moving_logvar, z, color=plots.RED, ls=ls, label=f"eps = {e}")
left.set(xlabel="mu", ylabel="z", title="mu shifts every draw alike")
right.set(xlabel="logvar", title="logvar moves a draw by its eps")
right.legend(fontsize=8)
fig

# %% [markdown]
# Every draw is a smooth curve in `mu` and `logvar`, and a smooth curve has a slope: 1 for `mu`, and
# for `logvar` one that is steeper the further out the draw's `eps` lies.
#
# That second slope, in full:
# $\partial\sigma/\partial\,\texttt{logvar} = \tfrac12 e^{\texttt{logvar}/2} = \sigma/2$, so
# $\partial z/\partial\,\texttt{logvar} = \varepsilon\,\sigma/2$.

# %%
def df(z):
    """The slope of f."""
    return z - 3


def pathwise(eps, mu, logvar):
    """eq. (2) before averaging: one estimate of (dmu, dlogvar) for each eps."""
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps
    return df(z) * 1, df(z) * eps * sigma / 2


dmu, dlogvar = pathwise(rng.standard_normal(100_000), mu, logvar)
print(f"pathwise: {dmu.mean():+.3f}, {dlogvar.mean():+.3f}")
print(f"exact:    {exact_dmu:+.3f}, {exact_dlogvar:+.3f}")

# %% [markdown]
# ## 4.4  Which one scatters less?
#
# Both are right on average. In training one cannot afford 100,000 draws for each image; a VAE
# mostly takes one. So what matters is how far an estimate from a few draws scatters.
#
# **Predict first.** From the same number of draws, which estimate of `dmu` scatters less:
# `"score function"` or `"pathwise"`?

# %%
predict("04.variance", ...)

# %%
repeats, K = 2000, 50
eps = rng.standard_normal((repeats, K))
by_density = score_function(mu + np.exp(logvar / 2) * eps, mu, logvar)[0].mean(axis=1)
by_path = pathwise(eps, mu, logvar)[0].mean(axis=1)
for name, estimates in (("score function", by_density), ("pathwise", by_path)):
    print(f"{name:14s}: mean {estimates.mean():+.2f}, scatter {estimates.std():.2f}")
print(f"variances: {by_density.var() / by_path.var():.0f} to 1")

# %%
fig, ax = plots.figure(6.4, 3)
bins = np.linspace(-5, 1, 61)
ax.hist(by_density, bins, color=plots.RED, alpha=0.6, ec="white", label="score function")
ax.hist(by_path, bins, color=plots.BLUE, alpha=0.8, label="pathwise")
ax.axvline(exact_dmu, color=plots.INK, lw=1, ls="--", label="exact")
ax.set(xlabel=f"estimate of dmu from {K} draws", ylabel=f"of {repeats} repeats")
ax.set_title("same draws, same answer on average, not the same scatter")
ax.legend()
fig

# %%
reveal("04.variance")

# %% [markdown]
# The narrow hill is the pathwise estimate. It knows which way $f$ slopes at each draw; the score
# function has to find that out by comparing values of $f$ at many draws.
#
# How does it go with more latents? Let $z$ have $L$ entries and $f$ add up $L$ such penalties. We
# estimate one entry of the gradient, by $\mu_1$.
#
# To be fair to the score function, give it its best-known help too: subtract a constant from $f$, a
# *baseline*. That changes nothing on average, because the average score is 0:
# $\mathbb{E}_q[\partial\log q] = \int \partial q\,dz = \partial \int q\,dz = \partial 1 = 0$. The
# mean of $f$ is a good constant.

# %%
latents = np.array([1, 2, 4, 8, 16, 32, 64, 128])
scatter = np.empty((3, latents.size))
sigma = np.exp(logvar / 2)
for i, L in enumerate(latents):
    eps = rng.standard_normal((4000, L))
    z = mu + sigma * eps
    penalty = f(z).sum(axis=1)
    score = eps[:, 0] / sigma                               # (z_1 - mu) / sigma^2
    baseline = L * 0.5 * ((mu - 3) ** 2 + sigma**2)         # the exact mean of the penalty
    scatter[:, i] = (penalty * score).std(), ((penalty - baseline) * score).std(), df(z[:, 0]).std()

# %%
fig, ax = plots.figure(6.4, 3.2)
lines = (
    ("score function", plots.RED, "s--"),
    ("score function with a baseline", plots.ORANGE, "^-."),
    ("pathwise", plots.BLUE, "o-"),
)
for row, (name, color, style) in zip(scatter, lines, strict=True):
    ax.loglog(latents, row, style, color=color, label=name, ms=5)
ax.set(xlabel="latents L", ylabel="scatter of one draw's dmu_1")
ax.set_title("the pathwise scatter does not grow with the latents")
ax.legend()
fig

# %% [markdown]
# The pathwise line is flat: the penalties of the other latents do not contain $\mu_1$, so they do
# not disturb its slope. In the score function every latent's penalty multiplies the score of the
# first, and is noise to it; a baseline helps, and the scatter still grows. A scatter that is ten
# times as large takes a hundred times as many draws to bring down.
#
# The pathwise estimate has a price: $f$ needs a slope. Count a penalty of 1 where $z > 1.5$ and 0
# elsewhere, and the slope is 0 at every draw. The average, which is the probability of $z > 1.5$,
# still changes with `mu`: a small shift carries the density at 1.5, times the shift, over the
# step.

# %%
def is_beyond(z):
    return (z > 1.5).astype(float)


z = mu + sigma * rng.standard_normal(100_000)
truth = np.exp(-((1.5 - mu) ** 2) / sigma**2 / 2) / (sigma * np.sqrt(2 * np.pi))
by_score = (is_beyond(z) * (z - mu) / sigma**2).mean()
by_path = np.zeros_like(z).mean()                         # the slope of a step, at every draw
print(f"exact slope {truth:.3f}, score function {by_score:.3f}, pathwise {by_path:.3f}")

# %% [markdown]
# So steps and discrete latents need the score function, one of its relatives, or a smooth stand-in.
# A VAE's $z$ is continuous and its decoder smooth, so from here on the pathwise way is ours.

# %% [markdown]
# ## 4.5  Two lines of backward
#
# In the whole VAE, $f$ is everything that happens after $z$, and its slope by $z$ arrives from
# there as an array `dz`, of the shape of `z`: $\partial\,\mathrm{loss}/\partial z$. (All code here
# names slopes of the loss so: `dmu` is $\partial\,\mathrm{loss}/\partial\mu$.) Eq. (2) then asks
# for two products:
#
# $$
# \texttt{dmu} = \texttt{dz} \tag{4}
# $$
#
# $$
# \texttt{dlogvar} = \texttt{dz}\;\varepsilon\;\frac{\sigma}{2} \tag{5}
# $$
#
# Entry by entry: each example and latent has its own `mu`, `logvar` and `eps`, so nothing is
# summed.

# %%
def reparam(mu, logvar, eps):
    """eq. (3): all (B, L)."""
    return mu + np.exp(logvar / 2) * eps


def reparam_backward(dz, logvar, eps):
    """eqs. (4) and (5): all (B, L)."""
    return dz, dz * eps * np.exp(logvar / 2) / 2


# %% [markdown]
# Check it as in notebook 03, against differences; the package's `central_differences` does what your
# ten lines did, and chooses $h$ itself. The loss is $f$ summed, and **`eps` is an argument that both sides
# share**: with fresh noise in each call we would be back in the left half of the first picture.

# %%
def error(by_hand, by_numbers):
    """The largest difference, as a part of the largest entry."""
    return np.abs(by_hand - by_numbers).max() / np.abs(by_numbers).max()


mus, logvars, eps = rng.standard_normal((3, 4, 2))             # B = 4 examples, L = 2 latents
dmu, dlogvar = reparam_backward(df(reparam(mus, logvars, eps)), logvars, eps)
numeric_dmu = central_differences(lambda m: f(reparam(m, logvars, eps)).sum(), mus)
numeric_dlogvar = central_differences(lambda v: f(reparam(mus, v, eps)).sum(), logvars)
print("dmu, error below 1e-8:    ", error(dmu, numeric_dmu) < 1e-8)
print("dlogvar, error below 1e-8:", error(dlogvar, numeric_dlogvar) < 1e-8)

# %%
package_z, cache = ops.reparam_forward(mus, logvars, eps)
package = ops.reparam_backward(df(package_z), cache)
print("the package's pair agrees:", np.allclose((dmu, dlogvar), package))

# %% [markdown]
# The package's forward hands a `cache` to its backward: what the backward will need again, here
# `sigma` and `eps`. Every pair in `minivae/ops.py` has this form.

# %% [markdown]
# ## 4.6  What can a gradient check not see?
#
# A well-known mistake: `logvar` is taken for $\log\sigma$, so the code draws with `exp(logvar)` as
# the standard deviation. Suppose somebody makes it in both passes, consistently.
#
# **Predict first.** The gradient check of that code: `"passes"` or `"fails"`?

# %%
predict("04.blind", ...)

# %%
def wrong_reparam(mu, logvar, eps):
    return mu + np.exp(logvar) * eps


wrong_dlogvar = df(wrong_reparam(mus, logvars, eps)) * eps * np.exp(logvars)
numeric = central_differences(lambda v: f(wrong_reparam(mus, v, eps)).sum(), logvars)
print("gradient check of the wrong code, error below 1e-8:", error(wrong_dlogvar, numeric) < 1e-8)

# %%
many = rng.standard_normal(100_000)
for name, draw in (("right", reparam), ("wrong", wrong_reparam)):
    variance = draw(0.0, 1.0, many).var()
    print(f"{name}: logvar = 1 asks for variance {np.e:.2f}, the draws have {variance:.2f}")

# %%
reveal("04.blind")

# %% [markdown]
# The check compares a forward pass with its own backward pass, and these two agree. Only a check
# of another kind, here a *statistic* of the draws, sees that the forward pass is not what was
# meant. That is why everything in this project is checked in at least two ways, and why the next
# step trains a model whose exact answer is known.

# %% [markdown]
# ## 4.7  A VAE whose evidence is known
#
# Make the decoder a straight line. A latent $z$ of $L$ numbers, data $x$ of $D$, both as rows (a
# prime will mean the transpose):
#
# $$
# z \sim N(0, I), \qquad x = zW + b + \text{noise},
# \qquad \text{noise} \sim N(0, s^2 I), \qquad W: L \times D \tag{6}
# $$
#
# The code calls $s^2$ `variance` and keeps its logarithm, `out_logvar`. A sum of independent
# Gaussians is Gaussian, means add and variances add. The mean of $x$ is $b$, and its covariance
# has two parts, $\mathbb{E}[(zW)'(zW)] = W'\,\mathbb{E}[z'z]\,W = W'W$ and the noise's $s^2 I$. So
# $p(x)$, the integral that no grid can do for a network, is here a density one can write down:
#
# $$
# p(x) = N(x;\ b,\ W'W + s^2 I) \tag{7}
# $$
#
# Its log is the one of notebook 02, with a matrix $C$ in the place of the variances; for a diagonal $C$
# it is the sum that you know:
#
# $$
# \log N(x;\ b,\ C) = -\tfrac12\big((x - b)\,C^{-1}(x - b)' + \log\det C + D \log 2\pi\big)
# $$

# %%
def log_evidence(x, W, b, variance):
    """log of eq. (7): x (N, D) -> (N,), nats."""
    C = W.T @ W + variance * np.eye(x.shape[1])
    centred = x - b
    distance = (centred @ np.linalg.inv(C) * centred).sum(axis=1)
    return -0.5 * (distance + np.linalg.slogdet(C)[1] + x.shape[1] * np.log(2 * np.pi))


# %% [markdown]
# The true posterior is known as well. As a function of $z$, and up to what does not contain $z$
# (the two mixed terms of the square are one number and its transpose, so they add up),
#
# $$
# \begin{aligned}
# \log p(z\mid x) &= \log p(z) + \log p(x\mid z) + \dots
# = -\tfrac12\, z z' - \tfrac{1}{2s^2}\,(x-b-zW)(x-b-zW)' + \dots \\
# &= -\tfrac12\, z\left(I + \tfrac{1}{s^2}WW'\right)z' + \tfrac{1}{s^2}\, z\,W(x-b)' + \dots
# \end{aligned}
# $$
#
# This is quadratic in $z$, so the posterior is a Gaussian. Compare with
# $-\tfrac12 (z-m)S^{-1}(z-m)' = -\tfrac12 zS^{-1}z' + zS^{-1}m' + \dots$ to read off its
# covariance $S$ and its mean $m$:
#
# $$
# S = \left(I + \tfrac{1}{s^2}WW'\right)^{-1}, \qquad m = \tfrac{1}{s^2}\,(x-b)\,W'S \tag{8}
# $$
#
# Look at what eq. (8) says about an encoder. The mean is a *linear* function of $x$ (with a
# constant from $b$), and the covariance is *the same for all* $x$. A linear encoder is all that this
# model needs; with one latent, as in the next section, there are no correlations to miss either.

# %%
true_W, true_b = np.array([[1.6, 0.8]]), np.array([1.0, -0.5])
N = 400
x = rng.standard_normal((N, 1)) @ true_W + true_b + 0.5 * rng.standard_normal((N, 2))  # eq. (6)

by_us = log_evidence(x, true_W, true_b, 0.25)
by_package = exact.linear_log_evidence(exact.Linear(true_W, true_b, 0.25), x)
print("log p(x), ours and the package's agree:", np.allclose(by_us, by_package))
print(f"at the true parameters: {by_us.mean():.4f} nats per example")

# %% [markdown]
# ## 4.8  Your first trained VAE
#
# The parts: an encoder that outputs `mu = x @ mu_W + mu_b` and `logvar = x @ logvar_W + logvar_b`,
# the sample of eq. (3), a decoder that outputs `mean = z @ out_W + out_b` and keeps its noise in
# `out_logvar`, and the KL of notebook 03. The reconstruction part is $-\log p(x\mid z)$ for a
# Gaussian, called `nll`:
# $\tfrac12\left(\lVert x - \texttt{mean}\rVert^2/s^2 + D\log s^2 + D\log 2\pi\right)$. Forward
# first, line after line; `p` holds all parameters by name:

# %%
def forward(p, x, eps):
    """The ELBO, nats per example, and what the backward will need.  x (B, D), eps (B, L)"""
    mu = x @ p["mu_W"] + p["mu_b"]
    logvar = x @ p["logvar_W"] + p["logvar_b"]
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps                                             # eq. (3)
    mean = z @ p["out_W"] + p["out_b"]
    variance = np.exp(p["out_logvar"])
    squares = ((x - mean) ** 2).sum(axis=1)
    nll = 0.5 * (squares / variance + x.shape[1] * (p["out_logvar"] + np.log(2 * np.pi)))
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)     # notebook 03, eq. (2)
    return -(nll + kl).mean(), (mu, logvar, sigma, z, mean, variance, squares)


# %% [markdown]
# Now backward, for the loss $-\mathrm{elbo}$, the average of `nll + kl` over $B$ examples. Each
# line is one derivative:
#
# - `mean` sits in the squares: $(\texttt{mean}-x)/s^2$, divided by $B$;
# - `out_logvar`: $1/s^2 = e^{-\texttt{out\_logvar}}$, so the squares give $-\texttt{squares}/s^2$
#   and the other term $D$, both halved; all examples share this one number, so average over them;
# - `out_W`: its entry $W_{ld}$ multiplies $z_{nl}$ on the way to $\texttt{mean}_{nd}$, in every
#   example $n$. So its slope is $\sum_n z_{nl}\,\texttt{dmean}_{nd}$, which is the matrix product
#   `z.T @ dmean`; `out_b` is added in every example, so it collects the sum;
# - `z`: $z_{nl}$ reaches every $\texttt{mean}_{nd}$ with the weight $W_{ld}$: `dmean @ out_W.T`;
# - `mu` and `logvar`: from `dz` by eqs. (4) and (5), **plus** what the KL wants of them;
# - the encoder's weights: as the decoder's, with `x` in the place of `z`.

# %%
def elbo_and_grads(p, x, eps):
    """The ELBO, and d loss / d parameter by name, for loss = -elbo."""
    elbo, (mu, logvar, sigma, z, mean, variance, squares) = forward(p, x, eps)
    (B, D), g = x.shape, {}
    dmean = (mean - x) / variance / B
    g["out_logvar"] = ((D - squares / variance) / 2).mean(keepdims=True)
    g["out_W"], g["out_b"] = z.T @ dmean, dmean.sum(axis=0)
    dz = dmean @ p["out_W"].T
    dmu = dz + mu / B                                                # eq. (4) + notebook 03
    dlogvar = dz * eps * sigma / 2 + (np.exp(logvar) - 1) / 2 / B    # eq. (5) + notebook 03
    g["mu_W"], g["mu_b"] = x.T @ dmu, dmu.sum(axis=0)
    g["logvar_W"], g["logvar_b"] = x.T @ dlogvar, dlogvar.sum(axis=0)
    return elbo, g


# %% [markdown]
# Before training, the witnesses: differences for every parameter, and the package's
# `elbo_and_grads`, which is written for any network and knows nothing of this one.

# %%
spec = vae.Spec(data_dim=2, hidden=(), latent_dim=1, likelihood="gaussian")    # no hidden layers
start = {name: 0.3 * rng.standard_normal(shape) for name, shape in vae.layout(spec)}
eps = rng.standard_normal((N, 1))
elbo, grads = elbo_and_grads(start, x, eps)
package = vae.elbo_and_grads(start, x, eps, spec)
print(f"ELBO: ours {elbo:.6f}, the package's {package.elbo:.6f}")


# %%
def loss(name, block):
    """The loss with one parameter replaced."""
    return -forward(start | {name: block}, x, eps)[0]


for name, grad in grads.items():
    numeric = central_differences(partial(loss, name), start[name])
    as_numbers, as_package = error(grad, numeric) < 1e-8, error(grad, package.grads[name]) < 1e-12
    print(f"{name:10s} as the differences say: {as_numbers}, as the package says: {as_package}")

# %% [markdown]
# Now train. Each step draws fresh noise, one `eps` for each example, and goes a little downhill;
# the steps get shorter towards the end, so that the noise of the draws averages out.
#
# Every tenth step we also write down two numbers that need no luck. One is the exact $\log p(x)$
# of the present model, eq. (7). The other is its exact ELBO: at fixed parameters the ELBO here is
# a quadratic in `eps`, and the average of a quadratic needs only the mean 0 and the variance 1 of
# `eps`. The two values $+1$ and $-1$ have both.

# %%
def exact_numbers(p, x):
    """The exact ELBO and the exact log p(x), nats per example."""
    one = np.ones((len(x), 1))
    exact_elbo = (forward(p, x, one)[0] + forward(p, x, -one)[0]) / 2
    evidence = log_evidence(x, p["out_W"], p["out_b"], np.exp(p["out_logvar"]))
    return exact_elbo, evidence.mean()


def train(x, p, steps, rng, lr=0.05):
    p, history = dict(p), []
    for step in range(steps):
        elbo, grads = elbo_and_grads(p, x, rng.standard_normal((len(x), 1)))
        if step % 10 == 0:
            history.append((step, elbo, *exact_numbers(p, x)))
        for name in p:
            p[name] = p[name] - lr * (1 - step / steps) * grads[name]
    return p, np.array(history).T


# %%
trained, (step, sampled, exact_elbo, evidence) = train(x, start, 3000, rng)
print(f"after {step[0]:.0f} steps:    ELBO {exact_elbo[0]:.4f}, log p(x) {evidence[0]:.4f}")
print(f"after {step[-1]:.0f} steps: ELBO {exact_elbo[-1]:.4f}, log p(x) {evidence[-1]:.4f}")

# %% [markdown]
# How good could it be? Tipping and Bishop (1999) found the parameters of eq. (7) with the highest
# likelihood in closed form; they come from the principal axes of the data, and
# `exact.maximum_likelihood` computes them.

# %%
best = exact.linear_log_evidence(exact.maximum_likelihood(x, latent=1), x).mean()
print(f"highest log p(x) of any such model: {best:.4f}; ours reached {evidence[-1]:.4f}")
no_z = exact.Linear(np.zeros((1, 2)), x.mean(axis=0), x.var(axis=0).mean())
print(f"highest with W = 0, without z:      {exact.linear_log_evidence(no_z, x).mean():.4f}")

# %%
fig, (top, bottom) = plots.figure(6, 4.4, 2, 1, sharex=True, height_ratios=(2, 1))
top.axhline(best, color=plots.GREY, ls=":", label="highest possible log p(x)")
top.plot(step, evidence, color=plots.INK, ls="--", lw=1.4, label="log p(x) of the model, exact")
top.plot(step, exact_elbo, color=plots.BLUE, ls="-", label="ELBO, exact")
top.plot(step[::4], sampled[::4], ".", color=plots.BLUE, ms=3, label="ELBO, as sampled in training")
top.set(ylabel="nats per example", ylim=(-3.7, -2.65))
top.set_title("the ELBO climbs to the exact log-likelihood")
top.legend(loc="lower right", fontsize=8)
bottom.semilogy(step[::4], (evidence - exact_elbo)[::4], color=plots.RED, ls="-")
bottom.set(xlabel="step", ylabel="gap, nats", title="and the gap between the two closes")
fig

# %% [markdown]
# The solid line never crosses the dashed one, as notebook 02 promised, and ends on it; the dashed
# line ends on the dotted one. The dots do cross: each is an average over chance draws, and only the
# mean of such estimates is a lower bound. And the shoulder in the first two hundred steps? It lies
# at the height of the best model without $z$: the middle and the width of the cloud are learned
# first, and only then what $z$ is good for. Samples, and slopes derived by hand, did this.

# %%
fig, axes = plots.figure(7.6, 3.7, 1, 2, sharex=True, sharey=True)
for ax, p, title in ((axes[0], start, "before training"), (axes[1], trained, "after")):
    ax.plot(*x.T, ".", color=plots.GREY, ms=3, label="data x")
    line = np.linspace(-2, 2, 5)[:, None] @ p["out_W"] + p["out_b"]
    ax.plot(*line.T, "o-", color=plots.RED, ms=5, label="decoder at z = -2, -1, 0, 1, 2")
    ax.set(xlabel="x_1", title=title, aspect="equal")
axes[0].set_ylabel("x_2")
axes[1].legend(loc="upper left", fontsize=8)
fig

# %% [markdown]
# The decoder's line has found the long axis of the cloud. And the encoder? Eq. (8) says what it
# should have found.

# %%
mean, S = exact.linear_posterior(exact.as_linear(trained, spec), x)
mu, logvar = vae.encode(trained, x, spec)
sigma = np.exp(logvar / 2)
print("mu is the posterior's mean, to within 0.01:", np.abs(mu - mean).max() < 0.01)
print(f"sigma is {sigma.min():.3f} to {sigma.max():.3f}; the posterior's: {np.sqrt(S[0, 0]):.3f}")

# %% [markdown]
# The encoder was never told about posteriors. It learned to compute one, because that is where the
# ELBO is highest.

# %% [markdown]
# ## 4.9  Must it arrive?
#
# With one latent, a linear encoder can be the posterior of eq. (8) exactly. With more latents
# there is a catch: the encoder's $q$ has one variance per latent and no correlations, so it can be
# the posterior only if $S$ is diagonal. By eq. (8) that is so where $WW'$ is diagonal. Its entries
# are the inner products of the rows of $W$: the rows must be orthogonal.
#
# But the model leaves that choice free. Turn the latents by an orthogonal matrix $R$, $W \to RW$.
# Then $W'R'RW = W'W$: eq. (7) does not change at all. Among all these equal models, there is one
# whose rows are orthogonal: with the singular value decomposition $W = U\Lambda V'$, take $R = U'$,
# and $RW = \Lambda V'$ has the orthogonal rows of $V'$, scaled. For that one the bound is tight. So
# nothing is lost by the bound at the top:
#
# $$
# \max_{\text{encoder},\,W,\,b,\,s^2}\ \mathrm{ELBO} \;=\; \max_{W,\,b,\,s^2}\ \log p(x) \tag{9}
# $$
#
# "$\le$" holds because the ELBO is never above $\log p(x)$; "$\ge$" because at the best $W$,
# turned so that its rows are orthogonal, an encoder reaches it. (For a decoder that is not linear
# no such equality holds, and notebook 09 measures the gap that stays.)
#
# How much would be lost with another turn? The next cell turns the latents of a model with
# orthogonal rows, and gives each the best $q$ without correlations. Its mean is the posterior's. A
# variance $v_j$ enters the ELBO through $\tfrac12\log v_j$, from the entropy of $q$, and
# $-\tfrac12 (S^{-1})_{jj}\,v_j$, from the mean of the square above eq. (8); the sum is largest at
# $v_j = 1/(S^{-1})_{jj}$.

# %%
model = exact.Linear(np.array([[2.0, 0.0, 1.0], [0.0, 0.8, 0.0]]), np.zeros(3), 0.3)
x3 = exact.sample_linear(model, 200, rng)
degrees, gap, drift = np.arange(0, 181, 5), [], []
for angle in np.radians(degrees):
    R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = model._replace(W=R @ model.W)
    mean, S = exact.linear_posterior(turned, x3)
    best_q = np.diag(1 / np.diag(np.linalg.inv(S)))
    log_p = exact.linear_log_evidence(turned, x3)
    gap.append((log_p - exact.linear_faces(turned, x3, mean, best_q).evidence).mean())
    drift.append(np.abs(log_p - exact.linear_log_evidence(model, x3)).max())
print("log p(x) changes by less than 1e-10 nats under any turn:", max(drift) < 1e-10)

# %%
fig, ax = plots.figure(6.4, 2.8)
ax.plot(degrees, gap, "o-", color=plots.RED, ms=3)
ax.set(xlabel="the latents are turned by, degrees", xticks=range(0, 181, 45))
ax.set_ylabel("log p(x) - best ELBO, nats")
ax.set_title("p(x) does not care about the turn; a q without correlations does")
fig

# %% [markdown]
# The gap vanishes where the rows are orthogonal and nowhere else. So training, which raises the
# ELBO, also turns the latents until they fit $q$. The package's `train_linear_vae` does so with
# the same gradients. In place of random draws it takes the $2L$ *sigma points*
# $\varepsilon = \pm\sqrt{L}\,e_l$, where $e_l$ has a one at $l$ and zeros elsewhere. Their mean is 0
# and their covariance is $I$, so that the average of anything quadratic in $\varepsilon$ over them is its
# expectation, exactly: in a linear model that is the whole ELBO. (For one latent they are the $\pm1$ of
# `exact_numbers`.) Without noise it can also take longer steps than Adam, by L-BFGS, which learns the
# curvature from the last gradients. So the last digits settle too, and with them the turn, on which
# the ELBO hardly depends near the maximum.

# %%
fit = exact.train_linear_vae(x3, latent=2, rng=rng, steps=800)
W = exact.as_linear(fit.params, fit.spec).W
cosine = W[0] @ W[1] / np.linalg.norm(W[0]) / np.linalg.norm(W[1])
principal = exact.maximum_likelihood(x3, latent=2)
best = exact.linear_log_evidence(principal, x3).mean()
print(f"after {fit.elbo.size - 1} steps: ELBO {fit.elbo[-1]:.5f}, highest log p(x) {best:.5f} nats")
print(f"the angle between W's rows: {np.degrees(np.arccos(cosine)):.1f} degrees")
turned = np.degrees(exact.axes_angle(exact.as_linear(fit.params, fit.spec), principal))
print(f"and from the rows to the principal axes of the data: at most {turned:.2f} degrees")

# %% [markdown]
# ## Recap
#
# - A gradient of an average over draws can follow the density (score function, eq. (1)) or the
#   sample (pathwise, eq. (2)). Both are right on average; the pathwise one scatters far less, and
#   needs a smooth $f$.
# - $z = \mu + \sigma\varepsilon$ with $\sigma = e^{\texttt{logvar}/2}$: the noise is an argument,
#   eq. (3).
# - Backward it is two products: `dmu = dz`, `dlogvar = dz * eps * sigma / 2`, eqs. (4), (5).
# - A gradient check needs the same `eps` on both sides, and cannot see a forward pass that is
#   wrong on its own.
# - In the linear Gaussian model everything is known exactly, eqs. (7), (8), and training arrives
#   there, eq. (9): by samples with one latent, by exact averages with two.
#
# ## Exercises
#
# `hint("04.reparameterize")` gives a nudge, `solution("04.reparameterize")` the reference.

# %% [markdown]
# **The sample.** Eq. (3), for a batch.

# %%
def reparameterize(mu, logvar, eps):    # each (B, L) -> z (B, L)
    ...                                 # eps ~ N(0, I) is drawn for you


check("04.reparameterize", reparameterize)

# %% [markdown]
# **And back.** Eqs. (4) and (5), without looking.

# %%
def reparameterize_backward(dz, logvar, eps):    # each (B, L)
    ...                                          # -> dmu (B, L), dlogvar (B, L)


check("04.reparameterize-backward", reparameterize_backward)

# %% [markdown]
# **The score function.** You get the values $f(z_k)$ and the draws, nothing else.

# %%
def score_function_gradient(f, z, mu, logvar):    # f(z_k) (K,), z_k ~ N(mu, sigma^2) (K,),
    ...                                           # floats -> dmu, dlogvar of E f, floats


check("04.score-function", score_function_gradient)

# %% [markdown]
# **The pathwise gradient.** You get the slopes $f'(z_k)$ and the noise.

# %%
def pathwise_gradient(df, eps, logvar):    # f'(z_k) (K,), eps_k (K,), float
    ...                                    # -> dmu, dlogvar of E f(z), floats


check("04.pathwise", pathwise_gradient)

# %% [markdown]
# **The posterior of the linear model.** Eq. (8).

# %%
def linear_posterior(x, W, b, variance):    # z ~ N(0, I), x = z W + b + noise:
    ...                                     # (N, D), (L, D), (D,), float
                                            # -> mean (N, L), covariance (L, L) of p(z|x)


check("04.linear-posterior", linear_posterior)

# %% [markdown]
# **Its evidence.** The log of eq. (7). (For many pixels and few latents there is a way that inverts
# only an $L \times L$ matrix: the source of `exact.linear_log_evidence` has it.)

# %%
def linear_log_evidence(x, W, b, variance):    # (N, D), (L, D), (D,), float
    ...                                        # -> log p(x), (N,) nats


check("04.linear-evidence", linear_log_evidence)

# %% [markdown]
# **Find the bug.** It returns the sample and its two slopes, and the slopes pass every gradient
# check. Mend it, forward and backward.

# %%
def noisy_sample(mu, logvar, eps):
    # Its gradients pass every gradient check. Yet 10,000 samples at logvar = 2 have variance 55.
    std = np.exp(logvar)
    z = mu + std * eps
    dz_dmu = np.ones_like(mu)
    dz_dlogvar = std * eps
    return z, dz_dmu, dz_dlogvar


check("04.bug", noisy_sample)

# %% [markdown]
# **Next:** notebook 05 gives the decoder and the encoder hidden layers, and carries gradients back
# through them.
