# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 02 · Jensen's inequality and the ELBO
#
# **What you will be able to do**
# - estimate $p(x)$ by sampling, say why that fails with many latents, and why its log comes out
#   low;
# - derive the ELBO line by line, and show that the distance to $\log p(x)$ is a KL divergence;
# - compute the ELBO in three ways that agree to the last digits, and name what raising it does not
#   promise.
#
# **Builds on** notebook 01: the evidence, the posterior, logs. Reading time: 40 minutes.

# %%
import sys; sys.path[:0] = [".", ".."]

import numpy as np

from minivae import exact, plots
from minivae.exact import log_sum_exp
from minivae.exercises import check, hint, predict, recall, reveal, solution

plots.notebook_style()

# %% [markdown]
# Three questions from notebook 01 first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("02", ..., ..., ...)

# %% [markdown]
# ## 2.1  Can we average our way to p(x)?
#
# Notebook 01 ended before an integral that no grid can do, and with the remark that it is an
# average:
#
# $$
# p(x) = \mathbb{E}_{z \sim p(z)}\big[\,p(x\mid z)\,\big]
# \;\approx\; \hat p_K(x) = \frac{1}{K}\sum_{k=1}^{K} p(x \mid z_k), \qquad z_k \sim p(z) \tag{1}
# $$
#
# Draw $K$ causes from the prior, ask each how probable it makes $x$, and average. This is the
# *naive Monte Carlo* estimate. It is *unbiased*: over many repetitions, the mean of $\hat p_K(x)$
# is $p(x)$, because each of its terms has that mean.
#
# To judge an estimate one needs the truth beside it. Here is a model whose evidence is known. There
# are $L$ latents, and each is seen through a little noise of its own:
#
# $$
# z \sim N(0, I), \qquad x \mid z \sim N(z, \text{variance} \cdot I),
# \qquad \text{so that} \qquad x \sim N(0, (1 + \text{variance}) \cdot I),
# $$
#
# the last because independent Gaussians add up to a Gaussian and their variances add.

# %%
variance = 0.25


def log_normal(x, mean, variance):
    """log N(x; mean, variance), summed over the last axis, nats."""
    return -0.5 * ((x - mean) ** 2 / variance + np.log(2 * np.pi * variance)).sum(axis=-1)


def log_likelihood(x, z):
    """log p(x|z), nats: x (L,), z (..., L) -> (...)."""
    return log_normal(x, z, variance)


def log_evidence(x):
    return log_normal(x, np.zeros_like(x), 1 + variance)


# %%
x = np.array([1.0])                                          # one latent, one number seen
print(f"exact p(x) = {np.exp(log_evidence(x)):.5f}, a density")
linear = exact.Linear(W=np.eye(1), b=np.zeros(1), variance=variance)       # x = z W + b + noise
package = exact.linear_log_evidence(linear, x[None])
print("the package agrees:", np.allclose(log_evidence(x), package))

# %%
rng = np.random.default_rng(1)
K = 10_000
likelihoods = np.exp(log_likelihood(x, rng.standard_normal((K, 1))))
estimate, error = likelihoods.mean(), likelihoods.std() / np.sqrt(K)
print(f"{K:,} samples: {estimate:.5f}, standard error {error:.5f}")
print(f"off by {abs(estimate - np.exp(log_evidence(x))) / error:.1f} standard errors")

# %% [markdown]
# With one latent, averaging works: no grid, no cells, and an error bar comes with it.

# %% [markdown]
# ## 2.2  What do more latents do to it?
#
# A VAE has tens of latents. Keep the model, let every entry of $x$ be 1, and raise $L$.
# The number of samples stays at a thousand.
#
# **Predict first.** Does the estimate get `"better"`, `"the same"` or `"worse"`?

# %%
predict("02.dimensions", ...)

# %%
def log_evidence_estimate(x, K, rng):
    """log of eq. (1), nats."""
    z = rng.standard_normal((K, len(x)))
    return log_sum_exp(log_likelihood(x, z)) - np.log(K)


rng = np.random.default_rng(2)
many_L = (1, 2, 5, 10, 20, 50)
off = {}
for L in many_L:
    x_L = np.ones(L)
    logs = [log_evidence_estimate(x_L, 1000, rng) for _ in range(40)]
    off[L] = logs - log_evidence(x_L)
    print(f"{L:2} latents: median of 40 is off by {np.median(off[L]):6.2f} nats, "
          f"{np.mean(off[L] < 0):4.0%} are too low")

# %%
fig, ax = plots.figure(6.4, 3)
for place, L in enumerate(many_L):
    ax.plot(place + np.linspace(-0.25, 0.25, 40), off[L], ".", color=plots.BLUE, ms=4)
ax.axhline(0, color=plots.INK, lw=1, label="exact")
ax.set(xticks=range(len(many_L)), xticklabels=many_L)
ax.set(xlabel="latents L (each dot: an estimate from 1000 samples)")
ax.set(ylabel="log estimate - log p(x), nats", title="with many latents the prior hardly ever hits")
ax.legend()
fig

# %%
reveal("02.dimensions")

# %% [markdown]
# At twenty latents and more, every single estimate is too low, most by many nats. That looks like a
# contradiction: was eq. (1) not unbiased?
#
# It is, and this is how. Which $z$ explain $x$? For one coordinate, the logs of $p(z)$ and
# $p(x\mid z)$ add up to a parabola in $z$. Completing the square,
#
# $$
# -\frac{z^2}{2} - \frac{(x - z)^2}{2v}
# = -\frac{1 + v}{2v}\left(z - \frac{x}{1 + v}\right)^2 + \text{(no } z \text{)},
# \qquad v = \text{variance},
# $$
#
# so the posterior is a Gaussian with mean $x / (1 + v)$ and variance $v / (1 + v)$. To count for
# something, a $z$ must be near that mean in *every* coordinate. The next cell asks how often a draw
# of the prior is within two posterior standard deviations of it, in all $L$.

# %%
posterior_mean, posterior_sd = 1 / (1 + variance), np.sqrt(variance / (1 + variance))
draws = np.random.default_rng(3).standard_normal(1_000_000)
near = np.mean(np.abs(draws - posterior_mean) < 2 * posterior_sd)
for L in many_L:
    print(f"{L:2} latents: one draw in {near ** -float(L):.2g} comes near")

# %% [markdown]
# The mean of $\hat p_K$ is right thanks to rare draws that hit and count for enormously much.
# Whoever repeats the estimate a few times never sees them, and sees only misses. An unbiased
# estimate can be wrong nearly always.

# %% [markdown]
# ## 2.3  The log of an average is not the average of the log
#
# Back to one latent, where eq. (1) works well. We do not want $p(x)$ but $\log p(x)$, since only
# logs fit into a computer. So: take the log of the average?
#
# **Predict first.** Averaged over many repetitions, will $\log \hat p_K(x)$ come out too low,
# right, or too high? (`"low"`, `"right"` or `"high"`)

# %%
predict("02.log-of-average", ...)

# %%
rng = np.random.default_rng(4)
estimates = {K: np.array([log_evidence_estimate(x, K, rng) for _ in range(10_000)])
             for K in (1, 10, 100)}
for K, logs in estimates.items():
    below = log_evidence(x) - logs.mean()
    print(f"K = {K:3}: mean {logs.mean():.4f}, that is {below:.4f} nats below the truth "
          f"(standard error {logs.std() / np.sqrt(10_000):.4f})")

# %%
fig, ax = plots.figure(6.4, 3.2)
jitter = np.random.default_rng(5).uniform(-0.28, 0.28, 300)
for place, logs in enumerate(estimates.values()):
    ax.plot(place + jitter, logs[:300], ".", color=plots.GREY, ms=3, alpha=0.6)
    ax.plot(place, logs.mean(), "D", color=plots.RED)
ax.plot([], [], "D", color=plots.RED, label="mean of the logs")
ax.axhline(log_evidence(x), color=plots.INK, lw=1, label="log p(x), exact")
ax.set(xticks=range(3), xticklabels=estimates, xlabel="samples K in each estimate", ylim=(-13, 0.5))
ax.set(ylabel="log of the estimate, nats", title="the mean of the logs lies below log p(x)")
ax.legend(loc="lower right")
fig

# %%
reveal("02.log-of-average")

# %% [markdown]
# Every cloud's mean lies *below* the line, and more samples only shrink the distance; at
# $K = 10$ and $100$ it takes the printed numbers to see it. (The picture holds 300 dots for each $K$; a few of the
# first cloud lie far below its frame.) Nothing is wrong with the code: the log bends downward, and
# averaging before a bend is not averaging after it.

# %% [markdown]
# ## 2.4  Why always low?
#
# Let $w$ be any positive random number, with mean $m = \mathbb{E}[w]$. The curve $\log w$ bends
# downward everywhere, so it lies below each of its tangents. Take the tangent at $m$: it has slope
# $1/m$, and
#
# $$
# \log w \;\le\; \log m + \frac{w - m}{m} \qquad \text{for every } w > 0.
# $$
#
# (The difference, right minus left, is $u - 1 - \log u$ with $u = w/m$. Its derivative $1 - 1/u$ is
# negative below $u = 1$ and positive above, so its smallest value is the one at $u = 1$, which is
# zero.)
#
# Now average both sides. The right side is a straight line in $w$, and $\mathbb{E}[w - m] = 0$, so
# only $\log m$ is left:
#
# $$
# \mathbb{E}[\log w] \;\le\; \log \mathbb{E}[w] \tag{2}
# $$
#
# This is *Jensen's inequality* for the log. The two sides are equal only if $w$ never leaves the
# one point where curve and tangent touch: if $w$ is constant.

# %%
grid = np.linspace(0.12, 4.2, 300)
w = np.array([0.4, 3.6])                                     # two values, each with probability 1/2
m = w.mean()
fig, ax = plots.figure(6.4, 3.4)
ax.plot(grid, np.log(grid), color=plots.BLUE, label="the curve log w")
ax.plot(grid, np.log(m) + (grid - m) / m, color=plots.GREY, ls="--", label="tangent at the mean")
ax.plot(w, np.log(w), "o-", color=plots.RED, lw=1, label="chord of two equally likely w")
ax.plot([m, m], [np.log(w).mean(), np.log(m)], color=plots.INK, lw=3, ls="-")
ax.annotate("Jensen's gap", (m, (np.log(w).mean() + np.log(m)) / 2), (m + 0.15, 0.0), fontsize=9)
ax.set(xlabel="w", ylabel="log w, nats", title="the mean of the log lies below the log of the mean")
ax.legend(loc="lower right")
fig

# %% [markdown]
# The middle of the chord is $\mathbb{E}[\log w]$, the point of the curve above it is
# $\log\mathbb{E}[w]$, and the thick bar between them is the gap. It is wider where $w$ scatters
# more. With one more term of the Taylor series one can say how wide: to second order
# $\log w \approx \log m + \frac{w-m}{m} - \frac{(w-m)^2}{2m^2}$, whose average is
# $\log m - \mathrm{Var}(w) / 2m^2$. For $w = \hat p_K$, whose variance is that of one term divided
# by $K$:

# %%
m, spread = np.exp(log_evidence(x)), likelihoods.var()       # likelihoods: from section 2.1
for K, logs in estimates.items():
    print(f"K = {K:3}: gap measured {log_evidence(x) - logs.mean():.4f}, "
          f"second order {spread / (2 * K * m**2):.4f} nats")

# %% [markdown]
# Good for a small scatter, poor for a large one, as is the way of a second-order formula. What
# matters: **to narrow the gap, make $w$ scatter less.**

# %% [markdown]
# ## 2.5  Can we draw where it counts?
#
# The prior's draws miss. Suppose somebody looks at $x$ and suggests where to draw: a distribution
# $q(z)$. We may draw from $q$ if we correct for it. Multiply and divide by $q(z)$ inside the
# integral:
#
# $$
# p(x) = \int p(x, z)\, dz = \int q(z)\,\frac{p(x, z)}{q(z)}\, dz
# = \mathbb{E}_{z\sim q}\!\left[\frac{p(x, z)}{q(z)}\right]
# $$
#
# This is *importance sampling*, and $w = p(x,z)/q(z)$ is the importance weight. (Where
# $p(x, z) > 0$, $q$ must not be zero.) With $q = p(z)$ it is eq. (1) again. Ten latents, a hundred
# samples, three choices of $q$:

# %%
x10 = np.ones(10)


def log_weights(q_mean, q_variance, K, rng):
    """log p(x, z_k) - log q(z_k) at z_k ~ q: (K,)."""
    z = q_mean + np.sqrt(q_variance) * rng.standard_normal((K, 10))
    log_joint = log_likelihood(x10, z) + log_normal(z, 0.0, 1.0)
    return log_joint - log_normal(z, q_mean, q_variance)


choices = {
    "the prior": (0.0, 1.0),
    "a rough guess": (0.6, 0.35),
    "the posterior": (posterior_mean, posterior_sd**2),
}
rng = np.random.default_rng(6)
results = {name: [log_sum_exp(log_weights(*q, 100, rng)) - np.log(100) for _ in range(60)]
           for name, q in choices.items()}

# %%
fig, ax = plots.figure(6.4, 3)
for place, (name, values) in enumerate(results.items()):
    ax.plot(place + np.linspace(-0.25, 0.25, 60), values, ".", color=plots.BLUE, ms=4)
    print(f"q is {name}: mean {np.mean(values):.3f}, standard deviation {np.std(values):.4f} nats")
print(f"log p(x), exact: {log_evidence(x10):.3f} nats")
ax.axhline(log_evidence(x10), color=plots.INK, lw=1, label="log p(x), exact")
ax.set(xticks=range(3), xticklabels=results, xlabel="q, where the samples are drawn")
ax.set(ylabel="log of the estimate, nats", title="with the posterior as q, nothing scatters")
ax.legend(loc="lower right")
fig

# %% [markdown]
# A rough guess at the posterior saves nearly everything. And with the posterior itself, the
# estimate does not scatter at all: since $p(x, z) = p(z\mid x)\,p(x)$, every weight is
#
# $$
# w = \frac{p(x, z)}{p(z\mid x)} = p(x),
# $$
#
# a constant, whatever $z$ was drawn. One sample would do. Whoever has the posterior has $p(x)$
# already. But now there is a direction in which to improve: *bring $q$ closer to the posterior.*

# %% [markdown]
# ## 2.6  The bound, line by line
#
# Put the last three sections together. Write $p(x)$ as an average under some $q$, and move the log
# inside:
#
# $$
# \begin{aligned}
# \log p(x) &= \log \sum_z p(x, z) && \text{(sum rule)}\\
# &= \log \sum_z q(z)\, \frac{p(x, z)}{q(z)} && \text{(times } q \text{ over } q)\\
# &\ge \sum_z q(z) \log \frac{p(x, z)}{q(z)} && \text{(Jensen)}
# \end{aligned} \tag{3}
# $$
#
# The last line is the *evidence lower bound*, the **ELBO**. It depends on $q$, and whatever $q$ we
# choose, it never exceeds $\log p(x)$. There are only finite sums here, so let us watch every line
# as a number. The patient of notebook 01 has cough and fever; the sums run over 32 combinations of
# diseases. For $q$, take the prior's form: independent diseases, each with its probability given
# $x$.

# %%
model = exact.diagnosis()
found = {"cough": 1, "fever": 1}
log_joint = exact.log_joint(model, found)                              # log p(x, z): (32,)
q = exact.independent(model, list(exact.disease_probabilities(model, found).values()))
log_q = np.log(q)
print(f"log of the sum of p(x, z):           {np.log(np.exp(log_joint).sum()):.6f}")
print(f"log of the sum of q p(x, z) / q:     {np.log((q * np.exp(log_joint - log_q)).sum()):.6f}")
print(f"sum of q log(p(x, z) / q), the ELBO: {(q * (log_joint - log_q)).sum():.6f}")

# %% [markdown]
# Two lines are equal, and at Jensen something is lost. How much? Subtract. With
# $p(x, z) = p(z\mid x)\,p(x)$, and since $q$ sums to one,
#
# $$
# \text{ELBO} = \sum_z q(z) \log \frac{p(z\mid x)\,p(x)}{q(z)}
# = \log p(x) - \sum_z q(z) \log\frac{q(z)}{p(z\mid x)} .
# $$
#
# The last sum is the *Kullback-Leibler divergence* from $q$ to the posterior, the average over $q$
# of a log ratio:
#
# $$
# \mathrm{KL}(q \Vert p) = \mathbb{E}_{q}\!\left[\log\frac{q(z)}{p(z)}\right] \ge 0 .
# $$
#
# It is never negative, by Jensen once more:
# $-\mathrm{KL} = \mathbb{E}_q[\log (p/q)] \le \log \mathbb{E}_q[p/q] \le \log 1$, the last because
# that average adds up $p$ wherever $q$ is not zero. And it is zero only where $p/q$ is constant, so
# where the two are the same. So the first face of the ELBO says what it *means*:
#
# $$
# \text{ELBO} = \log p(x) - \mathrm{KL}\big(q(z) \,\Vert\, p(z\mid x)\big) \tag{4}
# $$
#
# It contains two things that we do not have, the evidence and the posterior. But split
# $p(x, z) = p(x\mid z)\,p(z)$ in eq. (3) instead (the *product rule* of probability). The average of a
# sum is the sum of the averages (*linearity*), and only known things remain:
#
# $$
# \begin{aligned}
# \text{ELBO} &= \mathbb{E}_q\big[\log p(x\mid z)\big]
# + \mathbb{E}_q\!\left[\log \frac{p(z)}{q(z)}\right] \\
# &= \mathbb{E}_q\big[\log p(x\mid z)\big] - \mathrm{KL}\big(q(z) \,\Vert\, p(z)\big)
# \end{aligned} \tag{5}
# $$
#
# How well do $q$'s causes explain $x$, minus how far is $q$ from the prior. This is the face that a
# VAE computes. Or do not split at all:
#
# $$
# \text{ELBO} = \mathbb{E}_q\big[\log p(x, z)\big] + H(q),
# \qquad H(q) = -\mathbb{E}_q[\log q(z)] \tag{6}
# $$
#
# The *entropy* $H(q)$ rewards $q$ for spreading out, the first term for sitting where the joint is
# large. Three faces, three different sums:

# %%
def mean(values):
    return (q * values).sum()                                # the average over q


log_prior = exact.log_prior(model)                           # log p(z)
log_px = log_sum_exp(log_joint)                              # log p(x)
log_posterior = log_joint - log_px                           # log p(z|x)

evidence_face = log_px - mean(log_q - log_posterior)                          # eq. (4)
reconstruction_face = mean(log_joint - log_prior) - mean(log_q - log_prior)   # eq. (5)
energy_face = mean(log_joint) - mean(log_q)                                   # eq. (6)
faces = np.array([evidence_face, reconstruction_face, energy_face])
print("the three faces:", [f"{face:.12f}" for face in faces])
print("equal to ten digits:", np.ptp(faces) < 1e-10 * abs(faces[0]))
package = exact.diagnosis_faces(model, found, q)
print("and the package agrees:", np.allclose(faces, package, rtol=1e-12))

# %% [markdown]
# Why is there a gap at all, when each disease has its right probability? Because this $q$ keeps the
# diseases independent, and after looking at $x$ they are not: explaining away. Whatever
# probabilities one chooses, an independent $q$ never reaches this posterior. Four choices, and what
# becomes of each term:

# %%
sure = np.zeros(32)
sure[log_joint.argmax()] = 1.0                               # the single most probable patient
choices = {
    "the prior": np.exp(log_prior),
    "one sure patient": sure,
    "independent diseases": q,
    "the posterior": np.exp(log_posterior),
}

# %%
print("q                      E_q[log p(x|z)]  KL to prior    ELBO   KL to posterior")
for name, choice in choices.items():
    fit = choice @ (log_joint - log_prior)
    seen = choice > 0                                        # 0 log 0 = 0
    some_q, log_some_q = choice[seen], np.log(choice[seen])
    to_prior = some_q @ (log_some_q - log_prior[seen])
    to_posterior = abs(some_q @ (log_some_q - log_posterior[seen]))     # abs: no -0.000
    print(f"{name:21} {fit:16.3f} {to_prior:12.3f} {fit - to_prior:7.3f} {to_posterior:17.3f}")
print(f"log p(x) = {log_px:.3f}: in each row, ELBO + KL to posterior")

# %% [markdown]
# The prior pays nothing to itself and explains badly. The sure patient explains best, and pays
# dearly for being sure. The ELBO weighs the two, and it is highest, with nothing left over, at the
# posterior. Mind that there are **two KLs** here. The one to the posterior is the gap, and zero
# is perfect. The one to the prior is a price, and zero means that $q$ has not looked at $x$.

# %% [markdown]
# ## 2.7  Does it hold for integrals?
#
# Nothing in eq. (3) used that the sum was finite. With a continuous $z$, densities take the place
# of probabilities:
#
# $$
# \log p(x) = \log \int q(z)\, \frac{p(x, z)}{q(z)}\, dz
# \;\ge\; \int q(z) \log \frac{p(x, z)}{q(z)}\, dz = \text{ELBO} \tag{7}
# $$
#
# Take one latent of the model of 2.1 and a Gaussian $q = N(\texttt{mu}, \sigma^2)$, with `logvar`
# $= \log\sigma^2$. The integrals are averages of squares, and for a Gaussian
# $\mathbb{E}_q[(z - c)^2] = (\mu - c)^2 + \sigma^2$ for every $c$ (a variance is a mean square
# around the mean; moving the centre adds the squared distance). In the entropy, that is the one
# half at the end: $\mathbb{E}_q[(z-\mu)^2] / 2\sigma^2$. Term by term, from eq. (6):
#
# $$
# \begin{aligned}
# \mathbb{E}_q[\log p(x\mid z)]
# &= -\tfrac12 \log(2\pi v) - \frac{(x - \mu)^2 + \sigma^2}{2 v} && (v \text{ is the variance})\\
# \mathbb{E}_q[\log p(z)] &= -\tfrac12 \log(2\pi) - \tfrac12(\mu^2 + \sigma^2)\\
# H(q) &= \tfrac12 \log(2\pi\sigma^2) + \tfrac12\\
# \text{ELBO} &= \text{the sum of the three}
# \end{aligned} \tag{8}
# $$

# %%
def elbo(mu, logvar, x=1.0):
    """eq. (8), nats."""
    sigma2 = np.exp(logvar)
    log_likelihood = -0.5 * (np.log(2 * np.pi * variance) + ((x - mu) ** 2 + sigma2) / variance)
    log_prior = -0.5 * (np.log(2 * np.pi) + mu**2 + sigma2)
    entropy = 0.5 * (np.log(2 * np.pi) + logvar + 1)
    return log_likelihood + log_prior + entropy


package = exact.linear_faces(linear, x[None], np.array([[0.3]]), np.array([[0.5]]))
print(f"ours at mu = 0.3, sigma^2 = 0.5: {elbo(0.3, np.log(0.5)):.12f}")
print("the package's three faces:      ", [f"{face[0]:.12f}" for face in package])

# %% [markdown]
# `exact.linear_faces` does the same with matrices, for any number of latents. With two parameters,
# the whole bound is a landscape over `mu` and `logvar`. Draw it, and cut it along `mu`:

# %%
mus, logvars = np.linspace(-0.6, 2.2, 57), np.linspace(-4, 0.8, 49)
best_mu, best_logvar = posterior_mean, np.log(posterior_sd**2)
gap = log_evidence(x) - elbo(mus, logvars[:, None])          # how far below log p(x), nats
fig, (left, right) = plots.figure(7, 2.9, 1, 2)
lines = left.contour(mus, logvars, gap, [0.1, 0.5, 1, 2, 4], colors=plots.BLUE, linewidths=1)
left.clabel(lines, fmt="%g", fontsize=8)
left.plot(best_mu, best_logvar, "*", color=plots.RED, ms=13)
left.set(xlabel="mu", ylabel="logvar", title="nats below log p(x)")
right.plot(mus, elbo(mus, best_logvar), color=plots.BLUE, label="logvar of the posterior")
right.plot(mus, elbo(mus, -3.2), color=plots.GREEN, ls="-.", label="logvar = -3.2")
right.axhline(log_evidence(x), color=plots.INK, lw=1, label="log p(x)")
right.set(xlabel="mu", ylabel="nats", ylim=(-6, -1), title="one cut touches, one cannot")
right.legend(fontsize=8, loc="lower center")
fig

# %%
i, j = np.unravel_index(gap.argmin(), gap.shape)
print(f"highest on the grid: mu {mus[j]:.2f}, logvar {logvars[i]:.2f}")
print(f"the posterior:       mu {best_mu:.2f}, logvar {best_logvar:.2f}")
top = elbo(best_mu, best_logvar)
print(f"ELBO at the posterior: {top:.12f} nats")
print(f"log p(x):              {log_evidence(x):.12f} nats")

# %% [markdown]
# The landscape has one summit. It stands on the posterior (the star), and touches $\log p(x)$
# there. So **maximising the ELBO over $q$ is a way to compute a posterior**: an integration has
# become an optimisation. That is what *variational* means. (Drag $q$ up the hill with your own
# hand: open [touch_the_bound.html](touch_the_bound.html) in a browser.)
#
# Each $x$ has a landscape and a best $q$ of its own. In a VAE a network, the *encoder*, looks at
# $x$ and outputs `mu` and `logvar`, and one writes $q(z\mid x)$. And there the average over $q$ in
# eq. (5) has no closed form, because $p(x\mid z)$ is a network. It will be estimated from samples
# of $q$, and usually from one. The three faces then become three integrands whose averages agree.
# Do they agree for a single $z$?

# %%
z = np.array([0.1, 0.8, 1.9]).reshape(3, 1, 1)               # three draws, one x, one latent
for name, values in exact.linear_integrands(
    linear, x[None], np.array([[0.3]]), np.array([[0.5]]), z
)._asdict().items():
    print(f"{name:14}", values[:, 0].round(6))

# %% [markdown]
# They do: the integrand is $\log p(x, z) - \log q(z)$ in three spellings. A real difference arises
# only if one part is not sampled. The KL to the prior has a closed form (notebook 03), so there are
# two estimates of eq. (5): sample both terms, or sample the first and put in the exact KL. Move $q$
# away from the posterior, step by step, and see which of the two scatters less.

# %%
rng = np.random.default_rng(7)
eps = rng.standard_normal((20_000, 1, 1))
S = np.array([[posterior_sd**2]])
shifts = np.linspace(0, 1.5, 16)
scatter = {"sampled KL": [], "exact KL": []}
for shift in shifts:
    q_mean = np.array([[posterior_mean - shift]])
    z = q_mean + posterior_sd * eps
    sampled = exact.linear_integrands(linear, x[None], q_mean, S, z).reconstruction
    analytic = exact.linear_analytic_kl(linear, x[None], q_mean, S, z)
    scatter["sampled KL"].append(sampled.std())
    scatter["exact KL"].append(analytic.std())
for name, values in scatter.items():
    print(f"at the posterior, {name}: standard deviation {values[0]:.4f} nats")
apart = sampled - analytic                                   # at the last shift
error = apart.std() / np.sqrt(apart.size)
print(f"{shift:.1f} away from it the two differ by up to {abs(apart).max():.1f} nats at one z, and "
      f"by {abs(apart.mean()) / error:.1f} standard errors on average")

# %%
fig, ax = plots.figure(6.4, 3)
ax.plot(shifts, scatter["sampled KL"], color=plots.BLUE, label="both terms sampled")
ax.plot(shifts, scatter["exact KL"], color=plots.RED, ls="--", label="KL in closed form")
ax.set(xlabel="distance of q's mean from the posterior's", ylabel="scatter of one sample, nats")
ax.set(title="near the posterior, sampling everything scatters less")
ax.legend()
fig

# %% [markdown]
# At the posterior the sampled version does not scatter at all, for the reason of 2.5, and the
# "exact" one does: the noise of the two sampled terms cancels, and replacing one of them by its
# mean leaves the other's noise alone. [Roeder et al. 2017] Further away the two curves cross. On
# average the two agree everywhere: no more than luck separates their means.
# Neither is always better; this project uses the closed form, and notebook 04 will measure such
# scatter where it matters most, in gradients.

# %% [markdown]
# ## 2.8  What does all this maximise?
#
# Training raises the average of $\log p(x)$ over the data (through its bound). Why that? Let $d(x)$
# be the distribution that the data come from. Then
#
# $$
# \mathrm{KL}\big(d(x) \,\Vert\, p(x)\big)
# = \underbrace{\mathbb{E}_{x\sim d}[\log d(x)]}_{\text{the model is not in it}}
# - \mathbb{E}_{x\sim d}[\log p(x)] \tag{9}
# $$
#
# so *maximising the likelihood is minimising the KL from the data to the model*. Watch the two
# mirror each other: data from the diagnosis model, and a model that is right except for its belief
# about how common the flu is.

# %%
def log_px_table(flu):
    """log p(x) of the four findings on cough and fever, if p(flu) is as given: (4,)."""
    prior = model.prior.copy()
    prior[1] = flu
    changed = model._replace(prior=prior)
    return np.array([exact.log_evidence(changed, {"cough": c, "fever": f})
                     for c in (0, 1) for f in (0, 1)])


log_d = log_px_table(model.prior[1])                         # the truth
flus = np.linspace(0.005, 0.15, 30)
likelihood = np.array([np.exp(log_d) @ log_px_table(flu) for flu in flus])
kl = np.array([np.exp(log_d) @ (log_d - log_px_table(flu)) for flu in flus])
both = likelihood + kl
print(f"E[log p(x)] + KL, over all 30 models: from {both.min():.10f} to {both.max():.10f}")
best = flus[likelihood.argmax()]
print(f"best p(flu) among the 30: {best:.3f}; the truth is {model.prior[1]:.3f}")

# %%
fig, ax = plots.figure(6.4, 2.8)
lifted = likelihood - likelihood.max()
ax.plot(flus, lifted, color=plots.BLUE, label="E[log p(x)], minus its maximum")
ax.plot(flus, kl, color=plots.RED, ls="--", label="KL(data || model)")
ax.axvline(model.prior[1], color=plots.GREY, ls=":", label="the true p(flu)")
ax.set(xlabel="the model's p(flu)", ylabel="nats", title="one rises exactly as the other falls")
ax.legend(fontsize=8)
fig

# %% [markdown]
# Their sum is one constant, so both point at the true value.
#
# Now the signs, which go wrong more often than anything else in this subject:
#
# - *"A VAE maximises the reconstruction loss."* It maximises $\mathbb{E}_q[\log p(x\mid z)]$. The
#   loss, called `nll`, is minus that, and is minimised.
# - *"The loss is nll minus kl."* $\text{ELBO} = -(\texttt{nll} + \texttt{kl})$, so the loss is
#   `nll + kl`: both are prices.
# - *"The KL should go to zero."* The KL to the posterior should. Where the KL to the prior is zero,
#   $q$ has not looked at $x$.
# - *"$\log p(x)$ is negative."* For 0s and 1s it is. A density may exceed 1, and then its log is
#   positive.
# - *"A lower loss is a better model"*, on other data. The zero means nothing: it moves with the
#   units of $x$, with $D$, and with whether $x$ is discrete.
#
# The fourth, as a number:

# %%
sharp = exact.Linear(W=np.ones((1, 3)), b=np.zeros(3), variance=1e-3)
log_p = exact.linear_log_evidence(sharp, np.full((1, 3), 0.5))[0]
print(f"log p(x) under a sharp Gaussian: {log_p:+.2f} nats")

# %% [markdown]
# ## 2.9  Does raising the ELBO always raise log p(x)?
#
# Training turns the weights of the model and of $q$ together, uphill on the ELBO. The bound rises.
# Does what it bounds rise too?
#
# **Predict first.** (`"always"` or `"not always"`)

# %%
predict("02.elbo-up", ...)

# %% [markdown]
# Two data points, $x = 3$ and $x = -3$. The model: $z \sim N(0, 1)$, $x\mid z \sim N(w z, 1)$, with
# one weight $w = 1$. So $p(x)$ is $N(0, w^2 + 1)$, and the data would like a larger $w$: with
# $s = w^2 + 1$, the slope of $\log p(x) = -\frac12 \log 2\pi s - x^2/2s$ by $s$ is
# $(x^2 - s) / 2s^2$, positive until $s$ reaches $x^2 = 9$. But $q$ has not learned anything yet. It
# says $N(0, 1)$ for both points, the prior. Then in eq. (5) the KL is zero, and since
# $\mathbb{E}_q[(x - wz)^2] = x^2 + w^2$,
#
# $$
# \text{ELBO}(w) = -\tfrac12\log 2\pi - \tfrac12(x^2 + w^2),
# \qquad \frac{d\,\text{ELBO}}{dw} = -w \tag{10}
# $$
#
# To a $q$ that knows nothing of $x$, the signal $wz$ is noise, and the ELBO wants less of it. Take
# one step by that gradient:

# %%
x2 = 9.0                                                     # x^2, for both points


def elbo_at(w):
    return -0.5 * np.log(2 * np.pi) - 0.5 * (x2 + w**2)      # eq. (10)


def log_px_at(w):
    return -0.5 * np.log(2 * np.pi * (w**2 + 1)) - 0.5 * x2 / (w**2 + 1)


w, lr = 1.0, 0.1
new_w = w + lr * -w                                          # one step up the ELBO, by its gradient
print(f"w: {w:.2f} -> {new_w:.2f}")
for name, f in (("ELBO", elbo_at), ("log p(x)", log_px_at)):
    print(f"{name:8} {f(w):.4f} -> {f(new_w):.4f}, a change of {f(new_w) - f(w):+.4f} nats")

# %%
fig, ax = plots.figure(6.4, 3.2)
ws = np.linspace(0, 4, 200)
ax.plot(ws, log_px_at(ws), color=plots.INK, label="log p(x)")
ax.plot(ws, elbo_at(ws), color=plots.BLUE, ls="--", label="ELBO, q = N(0, 1)")
for curve, color in ((log_px_at, plots.INK), (elbo_at, plots.BLUE)):
    arrow = {"arrowstyle": "->", "color": color, "lw": 2}
    ax.annotate("", (0.55, curve(0.55)), (1, curve(1)), arrowprops=arrow)
    ax.plot(1, curve(1), "o", color=color)
ax.set(xlabel="w", ylabel="nats, mean of the two points", ylim=(-9.5, -1))
ax.set_title("uphill on the bound, downhill on what it bounds")
ax.legend(loc="lower left")
fig

# %%
reveal("02.elbo-up")

# %% [markdown]
# (The arrows show where the step goes, and are longer than it.) The ELBO gained by making the gap
# smaller: with a smaller $w$, the posterior is closer to the
# ignorant $q$. Eq. (4) can be read both ways: $q$ may move to the posterior, or the posterior to
# $q$.
#
# Is it because $q$ was held still? No: `exact.ascent_that_lowers_evidence` takes the same step with
# the whole gradient, that of the encoder's weights included.

# %%
for name, value in exact.ascent_that_lowers_evidence().items():
    print(f"{name:16} {value:.4f} nats")

# %% [markdown]
# When is a step safe? If the gap is closed first. Then ELBO before $= \log p(x)$ before, and since
# ELBO after $\le \log p(x)$ after, whatever the ELBO gains $\log p(x)$ gains at least. Taking
# turns, closing the gap and then raising the bound, is the *EM algorithm*. A VAE climbs both at
# once, and pays for it with a bias towards models whose posteriors its $q$ can follow.

# %% [markdown]
# ## Recap
#
# - Naive Monte Carlo for $p(x)$ is unbiased, and useless for many latents: the prior misses. Eq.
#   (1).
# - The log of an average lies above the average of the log: Jensen, eq. (2). The gap grows with the
#   scatter of the weights.
# - Draws from $q$ with weights $p(x,z)/q(z)$ scatter less the closer $q$ is to the posterior, and
#   not at all there.
# - $\log p(x) \ge$ ELBO, eqs. (3) and (7); the gap is $\mathrm{KL}(q \Vert p(z\mid x))$, eq. (4).
# - The face that a VAE computes is eq. (5), reconstruction minus a KL to the prior; eq. (6) is
#   energy plus entropy.
# - Maximum likelihood is the least KL from data to model, eq. (9). The ELBO may rise while
#   $\log p(x)$ falls.
#
# ## Exercises
#
# `check` says what is right, or shows the smallest input where it is not; `hint("02.kl-discrete")`
# gives a nudge.

# %% [markdown]
# **Naive Monte Carlo, for many images.** The log of eq. (1) from the log-likelihoods of $K$
# samples, for each of $B$ images, without underflow.

# %%
def log_evidence_estimate(log_likelihood):    # log p(x|z_k) at z_k ~ p(z): (K, B)
    ...                                       # -> log of the estimate of p(x): (B,)


check("02.log-evidence", log_evidence_estimate)

# %% [markdown]
# **Jensen's gap.** By how much does the mean of the log lie below the log of the mean?

# %%
def jensen_gap(w):    # (K, B), positive -> (B,): how far the mean of the log
    ...               # lies below the log of the mean


check("02.jensen-gap", jensen_gap)

# %% [markdown]
# **Importance sampling.** The estimate of section 2.5, from the logs of its parts, for each of $B$
# images.

# %%
def importance_estimate(log_joint, log_q):    # log p(x, z_k), log q(z_k) at z_k ~ q: (K, B)
    ...                                       # -> the estimate of log p(x): (B,)


check("02.importance", importance_estimate)

# %% [markdown]
# **The KL, as a sum.** In section 2.6 the sure patient had zeros in $q$; mind them.

# %%
def kl_discrete(q, p):    # (Z,), (Z,) -> KL(q || p), one float, nats
    ...                   # q may hold zeros, and 0 log 0 = 0


check("02.kl-discrete", kl_discrete)

# %% [markdown]
# **Three faces, one number.** Eqs. (4), (5) and (6), each computed as it reads.

# %%
def elbo_three_ways(q, prior, likelihood):    # q(z) (Z,), p(z) (Z,), p(x|z) for this x (Z,)
    ...      # -> log p(x) - KL(q || p(z|x)),  E_q log p(x|z) - KL(q || p(z)),
             #    E_q log p(x, z) + H(q): three floats, each computed as it reads


check("02.elbo-three", elbo_three_ways)

# %% [markdown]
# **The derivation, in order.** Without looking at section 2.6, put the lines in order, each with
# what licenses it.

# %%
# log p(x) is:
#   A   E_q[log p(x|z)] + E_q[log p(z) - log q(z)]
#   B   log of the sum over z of p(x, z)
#   C   E_q[log p(x|z)] - KL(q || p(z))
#   D   log of E_q[p(x, z) / q(z)]
#   E   E_q[log(p(x, z) / q(z))]                        (here = becomes >=)
#   F   E_q[log p(x|z) + log p(z) - log q(z)]
# Each step is justified by one of: "sum rule", "times q over q", "Jensen", "product rule",
# "linearity", "definition". Put them in order: [("B", "sum rule"), ...]
order = ...

check("02.order", order)

# %% [markdown]
# **Find the bug.** At the posterior the ELBO is $\log p(x)$ itself. This one stays below it even
# there. Mend it.

# %%
def repo_elbo(q, log_joint):
    # "The ELBO is the expected log joint plus the entropy." Yet at the posterior it is too low.
    return (q * log_joint).sum() + (q * np.log(q)).sum()


check("02.bug", repo_elbo)

# %% [markdown]
# **Next:** notebook 03 takes the KL in eq. (5) apart, for Gaussians.
