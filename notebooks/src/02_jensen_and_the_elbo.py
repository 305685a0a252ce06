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
# - estimate $\log p(x)$ from draws, and say about how many it takes and what the log does to the
#   estimate (`02.draws`, `02.weights-with-gap`, `02.estimates`);
# - derive the ELBO of a model, and find the $q$ of a given kind whose gap is smallest
#   (`02.counts`, `02.best-independent`);
# - compute the ELBO of several $x$ as a VAE does, and say what a step up it may do to $\log p(x)$
#   (`02.batch-bug`, `02.step`, `02.rise-and-fall`).
#
# **Builds on** notebook 01: the evidence, the posterior, logs. Reading time: 40 minutes. The
# exercises take three hours more. Sections 2.9 and 2.10 are an appendix, 20 minutes; no later
# notebook needs it.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]

import numpy as np

from minivae import exact, plots
from minivae.exact import log_sum_exp
from minivae.exercises import check, hint, predict, recall, reveal, solution
from minivae.plots import diagrams

plots.notebook_style()

# %% [markdown]
# Three questions from notebook 01 first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("02", ..., ..., ...)

# %% [markdown]
# ## 2.1  Can we average our way to p(x)?
#
# Notebook 01 ended before an integral that no grid can do. It is an average over the prior, so draw
# from the prior and average:
#
# $$
# p_\theta(x) = \mathbb{E}_{z \sim p(z)}\big[\,p_\theta(x\mid z)\,\big]
# \;\approx\; \hat p_K(x) = \frac{1}{K}\sum_{k=1}^{K} p_\theta(x \mid z_k), \qquad z_k \sim p(z)
# \tag{1}
# $$
#
# ($\theta$ stands for the model's *parameters*, all numbers in a decoder.) This *naive Monte
# Carlo* estimate is *unbiased*: each term has the mean $p_\theta(x)$, and so has the average.
#
# To judge it, here is a model whose evidence is known: $L$ latents, each seen through noise of
# variance $v$. Independent Gaussians add up to a Gaussian, and their variances add:
#
# $$
# z \sim N(0, I), \qquad x \mid z \sim N(z, v I),
# \qquad \text{so that} \qquad x \sim N(0, (1 + v) I).
# $$

# %%
def log_normal(x, mean, variance):
    """log N(x; mean, variance), summed over the last axis, nats."""
    return -0.5 * ((x - mean) ** 2 / variance + np.log(2 * np.pi * variance)).sum(axis=-1)


def log_likelihood(x, z, v=0.25):
    """log p(x|z), nats: x (L,), z (..., L) -> (...)."""
    return log_normal(x, z, v)


def log_evidence(x, v=0.25):
    return log_normal(x, 0.0, 1 + v)


def errors(x, v, K, runs=400):
    """log of eq. (1) - log p(x), nats, for K draws in each run."""
    logs = [log_likelihood(x, rng.standard_normal((K, len(x))), v) for _ in range(runs)]
    return np.array([log_sum_exp(a) for a in logs]) - np.log(K) - log_evidence(x, v)


# %% [markdown]
# Let $v = 0.25$, and let every entry of $x$ be 1. Take a thousand draws, and repeat that 400 times:

# %%
rng = np.random.default_rng(2)
for L in (1, 5, 10, 20, 50):
    off = errors(np.ones(L), 0.25, 1000)
    print(f"L = {L:2}: median size of the error {np.median(abs(off)):6.2f} nats; "
          f"{np.mean(off < 0):4.0%} of the estimates too low")

# %% [markdown]
# With one latent, averaging works. With fifty, a few rare draws make up the average, and hardly any
# run meets them. Is the number of latents to blame? Keep fifty of them, and raise the noise to
# $v = 100$. **Predict first.** The median size of the error will be (`"20 nats"`, `"1 nat"` or
# `"below 0.1"`)

# %%
predict("02.fifty", ...)

# %%
for L, v in ((50, 100.0), (1, 1e-10)):
    off = errors(np.ones(L), v, 1000)
    print(f"L = {L:2}, v = {v:5g}: median size of the error {np.median(abs(off)):10.3f} nats")

# %%
reveal("02.fifty")

# %% [markdown]
# ## 2.2  How many draws does it take?
#
# Fifty latents may be easy, and one may defeat a thousand draws. What counts is how much $x$ tells
# about $z$, that is, how far the posterior is from the prior. The log of one latent's posterior is,
# up to terms without $z$,
#
# $$
# \log p(z) + \log p_\theta(x\mid z) = -\frac{z^2}{2} - \frac{(x - z)^2}{2v} + \dots
# = -\frac{1 + v}{2v}\Big(z - \frac{x}{1 + v}\Big)^2 + \dots
# $$
#
# This is a Gaussian, with mean $m = x / (1 + v)$ and variance $S = v / (1 + v)$.
#
# How far a distribution $f$ is from another, $g$, is measured by the *Kullback-Leibler divergence*,
# the average of a log ratio. The average is over the first of the two, so their order matters:
#
# $$
# \mathrm{KL}(f \Vert g) = \mathbb{E}_{z \sim f}\!\left[\log\frac{f(z)}{g(z)}\right]
# $$
#
# Let $f$ be the posterior and $g$ the prior. By Bayes' rule their log ratio is
# $\log p_\theta(x\mid z) - \log p_\theta(x)$. Here it is for ten latents, at draws of the posterior
# and at draws of the prior:

# %%
def log_ratio(x, v, z):
    """log p(z|x) - log p(z), nats: (...)."""
    return log_likelihood(x, z, v) - log_evidence(x, v)


def posterior_draws(x, v, noise):
    return x / (1 + v) + np.sqrt(v / (1 + v)) * noise


ten, v = np.ones(10), 0.25
noise = np.random.default_rng(3).standard_normal((100_000, 10))
of_prior, of_posterior = log_ratio(ten, v, noise), log_ratio(ten, v, posterior_draws(ten, v, noise))
kl = of_posterior.mean()
near = [np.mean(abs(draws - kl) < 2) for draws in (of_posterior, of_prior)]
print(f"KL(posterior || prior) = {kl:.1f} nats, exp KL = {np.exp(kl):,.0f}\nwithin 2 nats of it: "
      f"{near[0]:.0%} of the posterior's draws, one in {1 / near[1]:,.0f} of the prior's")

# %%
fig, ax = plots.figure(5.2, 2.6)
bins = np.arange(np.floor(of_prior.min()), 14)
for draws, name, color in ((of_prior, "draws of the prior", plots.BLUE),
                           (of_posterior, "draws of the posterior", plots.ORANGE)):
    ax.hist(draws, bins, weights=np.full(100_000, 1e-5), color=color, alpha=0.6, label=name)
ax.axvline(kl, color=plots.INK, ls="--", lw=1, label="KL(posterior || prior)")
ax.set(xlabel="log ratio of posterior to prior, nats", ylabel="share of draws", yscale="log",
       xlim=(-60, 15), ylim=(5e-6, 5))
ax.set_title("the prior hardly draws where the posterior does")
ax.legend(fontsize=8, loc="upper left")
fig

# %% [markdown]
# Where the log ratio is $t$, the prior's density is the posterior's divided by $e^t$. At most draws
# of the posterior $t$ is near the KL, so that only about one in $e^{\mathrm{KL}}$ draws of the
# prior falls there. **The estimate begins to work at about
# $\exp \mathrm{KL}(\text{posterior} \Vert \text{prior})$ draws.** Try that many, a sixteenth of
# them, and sixteen times as many:

# %%
rng = np.random.default_rng(3)
print(f"{'exp KL':>32}   median size of the error with\n{'':35}exp KL / 16   exp KL   exp KL * 16")
for L, var, x_i in ((5, 0.25, 1), (10, 0.25, 1), (50, 2.0, 1), (1, 1e-6, 1), (1, 2.0, 12)):
    x_all = np.full(L, x_i)
    z = posterior_draws(x_all, var, rng.standard_normal((100_000, L)))
    needed = np.exp(log_ratio(x_all, var, z).mean())
    sizes = [np.median(abs(errors(x_all, var, round(needed * f), 100))) for f in (1 / 16, 1, 16)]
    print(f"L = {L:2}, v = {var:5g}, x = {x_i:2}: {needed:7,.0f}",
          *(f"{size:11.2f}" for size in sizes))

# %% [markdown]
# With exp KL draws the error is about a nat in all five rows, whether the KL comes from many
# latents, from a narrow posterior, or, as in the last row, from an $x$ far from the prior's mean.
# This is a rule of thumb: how fast the error falls from there differs from row to row (2.9).

# %% [markdown]
# ## 2.3  The log of an average
#
# Back to one latent, where eq. (1) works well. We need the log of $p_\theta(x)$. So: take the log
# of the average? **Predict first.** Averaged over many repetitions, will $\log \hat p_K(x)$ come
# out too low, right, or too high? (`"low"`, `"right"` or `"high"`)

# %%
predict("02.log-of-average", ...)

# %%
rng, x_one, mean_error = np.random.default_rng(4), np.array([1.0]), {}
for K in (1, 3, 10, 30):
    z = rng.standard_normal((2_000_000 // K, K, 1))
    off = log_sum_exp(log_likelihood(x_one, z), axis=1) - np.log(K) - log_evidence(x_one)
    mean_error[K] = off.mean()
    print(f"K = {K:2}: {off.mean():+.4f} nats on average, "
          f"standard error {off.std() / np.sqrt(len(off)):.4f}")

# %%
reveal("02.log-of-average")

# %% [markdown]
# The log is *concave*: it bends downward everywhere, so it lies on or below each of its tangents.
# Let $w$ be a positive random number, such as a term of eq. (1) or an average of terms, and take
# the tangent at its mean:
#
# $$
# \log w \;\le\; \log \mathbb{E}[w] + \frac{w - \mathbb{E}[w]}{\mathbb{E}[w]}
# \qquad \text{for every } w > 0 .
# $$
#
# Average both sides. The last term becomes zero:
#
# $$
# \mathbb{E}[\log w] \;\le\; \log \mathbb{E}[w] \tag{2}
# $$
#
# This is *Jensen's inequality*. The log touches its tangent in one point only, so the two sides are
# equal only if $w$ is constant.

# %%
fig, ax = plots.figure(4.6, 3.1)
diagrams.jensen_gap(ax, 0.4, 3.6)                                      # two equally likely w
fig

# %% [markdown]
# $\mathbb{E}[\log w]$ is the middle of the red chord, which lies below the curve. So
# $\mathbb{E}[\log \hat p_K(x)]$ is a lower bound of $\log p_\theta(x)$ for every $K$. An average of
# more draws scatters less, and the gap shrinks.

# %% [markdown]
# ## 2.4  Can we draw where it counts?
#
# Somebody looks at $x$ and suggests where to draw: a distribution $q_\phi(z)$, whose parameters
# $\phi$ are, say, a mean and a variance. Draw from it, and correct for it:
#
# $$
# p_\theta(x) = \int p_\theta(x, z)\, dz = \int q_\phi(z)\,\frac{p_\theta(x, z)}{q_\phi(z)}\, dz
# = \mathbb{E}_{z\sim q_\phi}[w], \qquad w = \frac{p_\theta(x, z)}{q_\phi(z)} \tag{3}
# $$
#
# This is *importance sampling*, and $w$ is the importance weight. ($q_\phi$ must not be zero where
# $p_\theta(x, z)$ is not.) With the prior as $q_\phi$ it is eq. (1). With the posterior every
# weight is $p_\theta(x)$, since $p_\theta(x, z) = p_\theta(z\mid x)\,p_\theta(x)$: one draw would
# do. For any other $q_\phi$ the rule of thumb of 2.2 says: about
# $\exp \mathrm{KL}(\text{posterior} \Vert q_\phi)$ draws.

# %% [markdown]
# ## 2.5  The bound and its gap
#
# Take the log of eq. (3), and move it inside by Jensen. This is the *evidence lower bound*, the
# **ELBO**: the mean of $\log w$. With $p_\theta(x, z) = p_\theta(z\mid x)\,p_\theta(x)$ its gap has
# a name:
#
# $$
# \begin{aligned}
# \log p_\theta(x) = \log \mathbb{E}_{q_\phi}[w] \;&\ge\;
# \mathbb{E}_{q_\phi}\!\left[\log \frac{p_\theta(x, z)}{q_\phi(z)}\right] = \text{ELBO}\\
# &= \mathbb{E}_{q_\phi}\!\left[\log \frac{p_\theta(z\mid x)\,p_\theta(x)}{q_\phi(z)}\right]
# = \log p_\theta(x) - \mathrm{KL}\big(q_\phi(z) \,\Vert\, p_\theta(z\mid x)\big)
# \end{aligned} \tag{4}
# $$
#
# **The gap is a KL**, from $q_\phi$ to the posterior. By Jensen it is never negative, and it is
# zero only if $q_\phi$ is the posterior. As $\log p_\theta(x)$ does not depend on $\phi$, *raising
# the ELBO over $\phi$ narrows the gap*, though we know neither the gap nor $\log p_\theta(x)$.
#
# In numbers: the patient of notebook 01 has cough and fever, and averages are sums over 32
# combinations of diseases. Let $q_\phi$ keep the diseases independent, so that $\phi$ is five
# probabilities. One choice is each disease's own posterior probability, its *marginal*:

# %%
model = exact.diagnosis()
found = {"cough": 1, "fever": 1}
log_joint = exact.log_joint(model, found)                              # log p(x, z): (32,)
log_px = log_sum_exp(log_joint)
p_posterior = np.exp(log_joint - log_px)                               # p(z|x): (32,)
marginals = np.array(list(exact.disease_probabilities(model, found).values()))
print(*(f"{name} {p:.3f}" for name, p in zip(model.diseases, marginals, strict=True)), sep="   ")

# %% [markdown]
# Another choice is the five with the highest ELBO. *Coordinate ascent* finds them here: with four
# held, there is a formula for the best value of the fifth (an exercise); go round until nothing
# moves. **Predict first.** Compared with its marginal, the flu's probability will be (`"lower"`,
# `"the same"` or `"higher"`)

# %%
predict("02.best-flu", ...)

# %%
best = exact.best_independent(model, found)
print(*(f"{name} {p:.3f}" for name, p in zip(model.diseases, best, strict=True)), sep="   ")

# %%
reveal("02.best-flu")

# %%
flu_alone = exact.patients(model)[log_joint.argmax()]                  # the most probable z
five = {
    "prior": np.exp(exact.log_prior(model)),
    "nearly sure": exact.independent(model, np.where(flu_alone == 1, 0.99, 0.01)),
    "posterior marginals": exact.independent(model, marginals),
    "best independent": exact.independent(model, best),
    "posterior": p_posterior,
}
bounds, gaps = {}, {}
for name, q in five.items():
    bounds[name] = q @ (log_joint - np.log(q))                         # the first line of eq. (4)
    gaps[name] = q @ np.log(q / p_posterior)                           # the KL of the second
    print(f"{name:20} ELBO {bounds[name]:.3f} + KL {gaps[name]:.3f} = "
          f"{bounds[name] + gaps[name]:.3f}")
print(f"{'log p(x)':34}{log_px:.3f}")


# %%
def bound_bars(ax, names, elbos, gaps):
    """The ELBO of each q, a dot, and on it its gap, a bar, which ends at log p(x)."""
    names, elbos, gaps = list(names), np.array(elbos), np.array(gaps)
    ax.bar(names, gaps, 0.5, bottom=elbos, color=plots.ORANGE, hatch="//", edgecolor="white",
           label="KL(q || posterior)")
    ax.plot(names, elbos, "o", ls="none", color=plots.BLUE, label="ELBO")
    ax.plot(names, elbos + gaps, "_", ls="none", ms=26, mew=2, color=plots.INK, label="log p(x)")


fig, ax = plots.figure(6.2, 3.1)
bound_bars(ax, [name.replace(" ", "\n") for name in five], list(bounds.values()),
           list(gaps.values()))
ax.set(ylabel="nats", ylim=(-7, -2.8), title="ELBO + KL = log p(x), whatever q is")
ax.legend(loc="lower right", fontsize=8)
fig

# %% [markdown]
# No independent $q$ leaves a smaller gap than 0.451 nats. The marginals leave more, even more than
# `nearly sure` (0.99 for the flu, 0.01 for the rest). To see why, sort the 32 combinations by which
# of flu, cold and pneumonia they contain, and put $q$ beside the posterior:

# %%
ill = dict(zip(model.diseases, exact.patients(model).T, strict=True))  # each (32,), of 0 and 1
number = ill["flu"] + ill["cold"] + ill["pneumonia"]
groups = {f"{name}\nonly": (number == 1) & (ill[name] == 1) for name in ("flu", "cold", "pneumonia")}
groups |= {"two or\nthree": number > 1, "none of\nthe three": number == 0}
fig, ax = plots.figure(6.4, 2.9)
for shift, name, color in ((-0.27, "posterior", plots.INK), (0, "posterior marginals", plots.BLUE),
                           (0.27, "best independent", plots.ORANGE)):
    shares = [five[name][group].sum() for group in groups.values()]
    ax.bar(np.arange(5) + shift, shares, 0.25, color=color, label=name)
ax.set_xticks(range(5), groups)
ax.set(ylabel="probability", title="the marginals leave much to none, the best q picks the flu")
ax.legend(fontsize=8)
fig

# %% [markdown]
# Flu, cold and pneumonia can each explain the findings alone. The posterior says: one of the three,
# seldom more, hardly ever none. An independent $q$ cannot say that. The marginals put too much on
# two or three, and far too much on none. The best independent $q$ avoids most of this by committing
# to the flu: it is **too sure**.
#
# The marginals are best by the other KL, $\mathrm{KL}(\text{posterior}\Vert q_\phi)$, the one that
# says how many draws it takes. So **the $q_\phi$ with the smaller gap need not be the better one to
# draw from** (2.9).

# %% [markdown]
# ## 2.6  Which form can be computed?
#
# The gap of eq. (4) contains the posterior, which we do not have. But split
# $p_\theta(x, z) = p_\theta(x\mid z)\,p(z)$ in its first line, and only known things remain:
#
# $$
# \text{ELBO} = \mathbb{E}_{q_\phi}\big[\log p_\theta(x\mid z)\big]
# - \mathrm{KL}\big(q_\phi(z) \,\Vert\, p(z)\big) \tag{5}
# $$
#
# The first term says how well $q_\phi$'s causes explain $x$, the second how far $q_\phi$ is from
# the prior. The VAE of this course uses this form: minus the first term is `nll`, the second is
# `kl`, and `loss = nll + kl` is minimised. Or split off only $q_\phi$:
#
# $$
# \text{ELBO} = \mathbb{E}_{q_\phi}\big[\log p_\theta(x, z)\big] + H(q_\phi),
# \qquad H(q_\phi) = -\mathbb{E}_{q_\phi}[\log q_\phi(z)] \tag{6}
# $$
#
# The *entropy* $H$ rewards $q_\phi$ for spreading out. Mind the **two KLs**: the one in eq. (4) is
# the gap, and zero is perfect; the one in eq. (5) is a price, and zero means that $q_\phi$ is still
# the prior.
#
# Check eq. (5) against eq. (4): here $p_\theta(x\mid z)$ comes from notebook 01's eq. (2), there the
# posterior from 2.5.

# %%
patients = exact.patients(model)                                       # every z: (32, 5)
prior = np.where(patients == 1, model.prior, 1 - model.prior).prod(axis=1)
fails = np.where(patients[:, :, None] == 1, 1 - model.cause[:, :2], 1) # (32, 5, 2)
absent = (1 - model.leak[:2]) * fails.prod(axis=1)                     # eq. (2) there: (32, 2)
likelihood = (1 - absent).prod(axis=1)                                 # p(cough, fever | z)
q = five["posterior marginals"]
print(f"eq. (4)  {log_px - q @ np.log(q / p_posterior):.10f}")
print(f"eq. (5)  {q @ np.log(likelihood) - q @ np.log(q / prior):.10f}")

# %% [markdown]
# All of this holds for densities too, with integrals for sums. Take one latent of the model of 2.1
# and $q_\phi = N(\mu, \sigma^2)$; let $\phi$ be `mu` and `logvar` $= \log\sigma^2$. The mean square
# around any $c$ is $\mathbb{E}[(z - c)^2] = (\mu - c)^2 + \sigma^2$, and eq. (6) becomes
#
# $$
# \begin{aligned}
# \mathbb{E}_{q_\phi}[\log p_\theta(x\mid z)]
# &= -\tfrac12 \log(2\pi v) - \frac{(x - \mu)^2 + \sigma^2}{2 v}\\
# \mathbb{E}_{q_\phi}[\log p(z)] &= -\tfrac12 \log(2\pi) - \tfrac12(\mu^2 + \sigma^2)\\
# H(q_\phi) &= \tfrac12 \log(2\pi\sigma^2) + \tfrac12\\
# \text{ELBO} &= \text{the sum of the three}
# \end{aligned} \tag{7}
# $$

# %%
def elbo(mu, logvar, x=1.0, v=0.25):
    """eq. (7), nats."""
    sigma2 = np.exp(logvar)
    of_x_given_z = -0.5 * (np.log(2 * np.pi * v) + ((x - mu) ** 2 + sigma2) / v)
    of_z = -0.5 * (np.log(2 * np.pi) + mu**2 + sigma2)
    entropy = 0.5 * (np.log(2 * np.pi) + logvar + 1)
    return of_x_given_z + of_z + entropy


m, S = 1 / 1.25, 0.25 / 1.25                                 # the posterior at x = 1, by 2.2
three = {"prior": (0.0, 0.0), "N(0.3, 0.5)": (0.3, np.log(0.5)), "posterior": (m, np.log(S))}
log_px_one = log_evidence(x_one)
for name, place in three.items():
    print(f"q = {name:12} ELBO {elbo(*place):.3f} nats")
print(f"log p(x) {log_px_one:.3f} nats; in 2.3, the mean of the log at K = 1: "
      f"{log_px_one + mean_error[1]:.3f}")

# %% [markdown]
# With the posterior as $q_\phi$ the ELBO is $\log p_\theta(x)$. With the prior, $\log w$ is
# $\log p_\theta(x\mid z)$, and the ELBO is the mean that 2.3 measured at $K = 1$. Now look at all
# of $\phi$:

# %%
fig, (left, right) = plots.figure(7.2, 2.9, 1, 2)
grid = np.linspace(-2.5, 2.5, 300)
looks = ((plots.GREY, ":", "s"), (plots.BLUE, "--", "D"), (plots.INK, "-", "o"))
for (name, (mu, logvar)), (color, dash, marker) in zip(three.items(), looks, strict=True):
    left.plot(grid, np.exp(log_normal(grid[:, None], mu, np.exp(logvar))), color=color, ls=dash,
              label=name)
    right.plot(mu, logvar, marker, ls="none", color=color, label=name)
left.set(xlabel="z", ylabel="density", title="q beside the posterior")
left.legend(fontsize=8, loc="upper left")
mu, logvar = np.meshgrid(np.linspace(-0.7, 3.2, 160), np.linspace(-4.5, 1.7, 120))
levels = log_px_one - np.array([4, 2, 1, 0.5, 0.1])
hill = right.contour(mu, logvar, elbo(mu, logvar), levels, colors=plots.ORANGE, linestyles="-")
right.clabel(hill, fontsize=8, fmt="%.1f")
right.set(xlabel="mu", ylabel="logvar", title="the ELBO: its summit is log p(x)")
right.legend(fontsize=8, loc="upper right", frameon=True, framealpha=1)
fig

# %% [markdown]
# Each $q_\phi$ on the left is a point on the right. Where the family of $q_\phi$ contains the
# posterior, the highest point of the ELBO over $\phi$ **is the posterior**; otherwise it is the
# member with the smallest gap, as for the patient. An integral has become an optimisation over a
# distribution: that is what *variational* means. (Climb such a hill by hand: open
# [touch_the_bound.html](touch_the_bound.html) in a browser.)

# %% [markdown]
# ## 2.7  What is the encoder?
#
# Each $x$ has a landscape and a best $q_\phi$ of its own. The idea of the VAE: do not climb anew
# for every $x$, but let one network look at $x$ and answer with `mu` and `logvar`. This is the
# *encoder*. One writes $q_\phi(z\mid x)$, and $\phi$ are now its parameters, shared by all $x$.

# %%
diagrams.decoder_and_encoder()

# %% [markdown]
# Solid: the story, from the hidden $z$ to the seen $x$. Dashed: a guess at which $z$ it was.
#
# The smallest encoder answers with `mu` $= a x$ and the same `logvar` for every $x$: $\phi$ is two
# numbers. Climb eq. (7) with them, averaged over 200 $x$'s, and watch the gap at $x$'s that were
# not among the 200:

# %%
rng = np.random.default_rng(5)
seen, unseen = np.sqrt(1.25) * rng.standard_normal((2, 200))           # draws of p(x), v = 0.25
a, logvar = 0.0, 0.0
for step in range(301):
    if step in (0, 10, 50, 300):
        gap = log_normal(unseen[:, None], 0.0, 1.25) - elbo(a * unseen, logvar, unseen)
        print(f"step {step:3}: mu = {a:.3f} x, logvar = {logvar:+.3f}; "
              f"gap at unseen x: mean {gap.mean():.5f}, at most {gap.max():.5f} nats")
    by_mu = (seen - a * seen) / 0.25 - a * seen                        # eq. (7)'s derivatives
    by_logvar = 0.5 * (1 - np.exp(logvar) * (1 / 0.25 + 1))
    by_a = np.mean(by_mu * seen)                                       # mu = a x: chain rule
    a, logvar = a + 0.05 * by_a, logvar + 0.1 * by_logvar
print(f"posterior: mean {m:.3f} x, log variance {np.log(S):.3f}")

# %% [markdown]
# One climb has served every $x$, because here the posterior's mean is $a x$ with one $a$, and its
# variance is the same for all. In other models some $x$ may get something worse than the best
# $q_\phi$ for them (notebook 06).
#
# The VAE is from Kingma and Welling 2014, *Auto-Encoding Variational Bayes*, and, found
# independently, from Rezende, Mohamed and Wierstra 2014. With $q_\phi(z\mid x)$ for $q_\phi(z)$, our
# eq. (4) is (1) in Kingma and Welling, its first line their (2), and our (5) their (3). They write
# $\mathcal{L}(\theta, \phi; x)$ for the ELBO.

# %% [markdown]
# ## 2.8  What does a step up the ELBO do to log p(x)?
#
# Training wants a high $\log p_\theta(x)$, averaged over the data. It moves $\theta$ and $\phi$
# together, uphill on the ELBO. Does $\log p_\theta(x)$ rise with it?
#
# Two data points, $x = 3$ and $x = -3$. The model: $z \sim N(0, 1)$, $x\mid z \sim N(W z, 1)$, so
# $\theta$ is one slope $W$, and $p_\theta(x)$ is $N(0, W^2 + 1)$. The data are most probable if
# its variance is their mean square, 9: $W^2 = 8$. The encoder is again $q_\phi = N(a x, \sigma^2)$.
# With $x - Wz$ in the place of eq. (7)'s $x - z$,
#
# $$
# \text{ELBO} = -\tfrac12\big(\log 2\pi + (1 - W a)^2 x^2 + W^2 \sigma^2\big)
# - \tfrac12\big(a^2 x^2 + \sigma^2 - 1 - \log \sigma^2\big) \tag{8}
# $$

# %%
x2 = 9.0                                                     # x^2, for both points


def elbo_at(W, a, logvar):
    sigma2 = np.exp(logvar)                                  # eq. (8)
    fit = -0.5 * (np.log(2 * np.pi) + (1 - W * a) ** 2 * x2 + W**2 * sigma2)
    return fit - 0.5 * (a**2 * x2 + sigma2 - 1 - logvar)


def log_px_at(W):
    return -0.5 * np.log(2 * np.pi * (W**2 + 1)) - 0.5 * x2 / (W**2 + 1)


# %% [markdown]
# Start at $W = 1$ with an encoder that knows nothing, $a = 0$ and $\sigma^2 = 1$. There the
# derivative of eq. (8) by $W$ is $-W$. Hold the encoder, and move only $W$, by a tenth of that: the
# ELBO rises by 0.095 nats. **Predict first.** What does $\log p_\theta(x)$ do? (`"rises more"`,
# `"rises less"` or `"falls"`)

# %%
predict("02.step-up", ...)

# %%
W_new = 1.0 + 0.1 * -1.0
elbos = np.array([elbo_at(W, 0.0, 0.0) for W in (1.0, W_new)])
log_pxs = np.array([log_px_at(W) for W in (1.0, W_new)])
print(f"W from 1 to {W_new:.1f}: ELBO {np.diff(elbos)[0]:+.4f}, log p(x) {np.diff(log_pxs)[0]:+.4f}"
      f" nats, so the gap {np.diff(log_pxs - elbos)[0]:+.4f}")

# %%
reveal("02.step-up")

# %%
fig, ax = plots.figure(3.6, 2.6)
bound_bars(ax, ("W = 1", f"W = {W_new:.1f}"), elbos, log_pxs - elbos)
ax.set(ylabel="nats", ylim=(-6.2, -2.2), title="ELBO up, log p(x) down")
ax.legend(loc="upper center", fontsize=8)
fig

# %% [markdown]
# To a $q_\phi$ that knows nothing of $x$ the signal $Wz$ is noise: with a smaller $W$ the posterior
# comes closer to this $q_\phi$. But $W = 1$ was below $\sqrt 8$ already, so that $\log p_\theta(x)$
# falls.
#
# If the gap is closed before $\theta$ moves, this cannot happen: $\log p_\theta(x)$ starts level
# with the ELBO, the ELBO rises, and $\log p_\theta(x)$ is never below it. To close the gap, then
# raise the ELBO over $\theta$, and repeat, is the idea of the *EM algorithm*.
#
# A VAE moves everything at once, by small steps, and there $\log p_\theta(x)$ may fall too. And
# where no $\phi$ reaches the posterior, the ELBO may have its summit at another $\theta$ than
# $\log p_\theta(x)$: a lasting **bias, which comes from what $q_\phi$ cannot reach** (both: 2.10).

# %% [markdown]
# ## Recap
#
# - An estimate of $p_\theta(x)$ from draws of $q$ begins to work at about
#   $\exp \mathrm{KL}(\text{posterior}\Vert q)$ of them. On average its log is too low, unless all
#   weights are equal: Jensen, eq. (2).
# - $\log p_\theta(x) = \text{ELBO} + \mathrm{KL}(q_\phi \Vert p_\theta(z\mid x))$, eq. (4). Raising
#   the ELBO over $\phi$ narrows the gap. The best $q_\phi$ of a restricted family may be too sure,
#   and need not be the best to draw from.
# - Our VAE estimates eq. (5), reconstruction minus a KL to the prior. Its encoder gives every $x$ a
#   $q_\phi(z\mid x)$.
# - The ELBO may rise while $\log p_\theta(x)$ falls, and a restricted $q_\phi$ may move its summit.
#
# ## Exercises
#
# `check` shows the smallest input where an answer is wrong; `hint("02.draws")` gives a nudge.
# `progress()` and `review()`, from `minivae.exercises`, list what is done and ask old questions again.

# %% [markdown]
# **How many draws?** Section 2.2 averaged the log ratio over draws. Do it without any, when each
# latent has a slope $W_i$ and noise $v_i$ of its own.

# %%
def draws_needed(x, W, v):    # z_i ~ N(0, 1), x_i|z_i ~ N(W_i z_i, v_i): (L,), (L,), (L,)
    ...                       # -> exp KL(posterior || prior), exactly: one float


check("02.draws", draws_needed)

# %% [markdown]
# **Jensen backwards.** From the gap to the weights:

# %%
def weights_with_gap(gap):    # log E[w] - E[log w], nats, above 0
    ...                       # -> two equally likely weights whose mean is 1: floats,
                              #    the smaller one first


check("02.weights-with-gap", weights_with_gap)

# %% [markdown]
# **Two numbers from draws.** A decoder, a prior and an encoder are three functions that return
# logs. From draws of the encoder's $q$, estimate $\log p(x)$ and the ELBO.

# %%
def estimates(log_likelihood, log_prior, log_q):    # log p(x_n|z_nk), log p(z_nk),
    ...    # log q(z_nk|x_n), each (N, K), z_nk ~ q(z|x_n) -> means over n: log p(x_n) by
           # eq. (3), and the ELBO as -(nll + kl): two floats, nats


check("02.estimates", estimates)

# %% [markdown]
# **The ELBO of a count.** Let $x$ be a count, Poisson with the rate $e^{az + c}$, and
# $z \sim N(0, 1)$, so that $\log p(x\mid z) = x\,(az + c) - e^{az + c} - \log x!$. The posterior
# has no closed form, the ELBO of $q = N(\mu, \sigma^2)$ has one: derive it by eq. (5). (The mean of
# $e^{az}$ under $q$ is an integral in which you can complete the square. Compare with draws before
# you check.)

# %%
def count_elbo(x, mu, logvar, a, c):    # a count, and four floats; logvar = log sigma^2
    ...                                 # -> the ELBO, nats: one float


check("02.counts", count_elbo)

# %% [markdown]
# **The best independent q.** Hold all probabilities but that of $z_i$, write the ELBO as a function
# of this one, and find its highest point. Start at 1/2 each, move one at a time, and go round until
# nothing moves by more than $10^{-8}$. (This may stop below the highest ELBO, at a local optimum or
# even a saddle, and then other starts help. On the tables of the check it does not.)

# %%
def best_independent(log_joint, z):    # log p(x, z) (Z,); every z, of 0 and 1: (Z, n)
    ...                                # -> q(z_i = 1) of the best independent q: (n,)


check("02.best-independent", best_independent)

# %% [markdown]
# **Find the bug**, and mend it.

# %%
def repo_mean_elbo(q, prior, likelihood):  # q(z|x_n), p(x_n|z): (N, Z); p(z): (Z,)
    # "Mean over n: how well the causes explain x_n, minus how far q is from the prior."
    # It is right for one x. For several it may lie above the mean of log p(x_n).
    fit = (q * np.log(likelihood)).sum(axis=1).mean()
    q = q.mean(axis=0)
    kl = (q * np.log(q / prior)).sum()
    return fit - kl


check("02.batch-bug", repo_mean_elbo)

# %% [markdown]
# **What did a step do?** You have the log weights of the same draws of $q_\phi$, before and after a
# step of $\theta$, and nothing else.

# %%
def what_a_step_did(before, after):    # log w of the same z_k ~ q, two thetas: (K,), (K,)
    ...    # -> changes of the ELBO, log p(x) and the gap, estimated: three floats, nats


check("02.step", what_a_step_did)

# %% [markdown]
# **Up and down.** Section 2.8 had a Gaussian example of a step that raises the ELBO and lowers
# $\log p_\theta(x)$. Find one with two $z$.

# %%
# Two z, each with the prior 1/2. Give q(z), and p(x|z) before and after a step of theta:
# [(q_0, q_1), (before_0, before_1), (after_0, after_1)]
rise_and_fall = ...

check("02.rise-and-fall", rise_and_fall)

# %% [markdown]
# **Next:** notebook 03 takes the KL in eq. (5) apart, for Gaussians.

# %% [markdown]
# # Appendix (optional)
#
# No later notebook needs it.
#
# ## 2.9  What does a q that is too sure do to draws?
#
# At exp KL draws an estimate begins to work. How fast it becomes better from there depends on how
# much the log ratio of posterior to $q$ scatters over draws of the posterior: if by $s$ nats, it
# may take exp(KL + a few $s$) draws until the error is small (Chatterjee and Diaconis 2018, *The
# sample size required in importance sampling*). Estimate $\log p_\theta(x)$ for the patient of 2.5
# with two of the five q's:

# %%
rng = np.random.default_rng(10)
for name in ("posterior marginals", "best independent"):
    q, log_ratios = five[name], np.log(p_posterior / five[name])       # log w - log p(x)
    asked = p_posterior @ log_ratios                                   # KL(posterior || q)
    s = np.sqrt(p_posterior @ (log_ratios - asked) ** 2)
    print(f"{name}: exp KL(posterior || q) {np.exp(asked):.1f}, s {s:.1f} nats, "
          f"exp(KL + 2 s) {np.exp(asked + 2 * s):.0f}")
    for K in (1, 2, 30, 150, 1000):
        off = log_sum_exp(log_ratios[rng.choice(32, (3000, K), p=q)], axis=1) - np.log(K)
        print(f"    K = {K:4}: median size of the error {np.median(abs(off)):.2f} nats")
q = five["best independent"]
heavy = p_posterior / q > 10                                           # weights, in units of p(x)
named = (ill["flu"] == 0) & ((ill["cold"] == 1) | (ill["pneumonia"] == 1))
print(f"{heavy.sum()} z's have weights above 10 p(x) under the best independent q; they are those "
      f"without flu,\nbut with a cold or pneumonia: {np.array_equal(heavy, named)}. They hold "
      f"{p_posterior[heavy].sum():.2f} of the posterior and {q[heavy].sum():.4f} of q: "
      f"\n{(1 - q[heavy].sum()) ** 30:.0%} of the runs of 30 meet none. The log of what the others "
      f"hold is {np.log(p_posterior[~heavy].sum()):.2f}")

# %% [markdown]
# With one draw the best $q_\phi$ has the smaller error in $\log p_\theta(x)$, with thirty or more
# the larger one, and from 2 draws to 30 its error does not even fall. Being sure of the flu, it
# hardly draws the $z$'s that have a cold or pneumonia in its place. Most runs of thirty meet none
# of them, and find about the share of the others.
#
# (Why the marginals have the smaller $\mathrm{KL}(\text{posterior}\Vert q_\phi)$: for an
# independent $q_\phi$ it is a constant minus the sum over diseases of
# $\mathbb{E}_{\text{posterior}}[\log q_i(z_i)]$, and each term is highest at the marginal.)
#
# A Gaussian $q_\phi$ can be too sure as well. Take the ten latents of 2.2, and the same
# $N(\mu, \sigma^2)$ for each. The posterior of each is $N(0.8, 0.2)$. The wide $q_\phi$ and the
# narrow one have its mean and nearly the same gap, the displaced one has its variance.

# %%
def log_w(mu, sigma2, z):
    """log w - log p(x), nats, of q = N(mu, sigma2) at z (K, 10): (K,)"""
    log_joint = log_likelihood(ten, z) + log_normal(z, 0.0, 1.0)
    return log_joint - log_normal(z, mu, sigma2) - log_evidence(ten)


# %%
rng = np.random.default_rng(7)
eps = rng.standard_normal((1_000_000, 10))
weights = {}
print(f"{'median size of the error':>74}\n{'q':22}  gap  exp KL(posterior||q)     s   "
      f"{'K = 1':>8}{'30':>7}{'1000':>7}")
for name, mu, sigma2 in (("prior N(0, 1)", 0.0, 1.0), ("wide N(0.8, 0.34)", 0.8, 0.34),
                         ("narrow N(0.8, 0.105)", 0.8, 0.105),
                         ("displaced N(0.5, 0.2)", 0.5, 0.2)):
    logs = log_w(mu, sigma2, mu + np.sqrt(sigma2) * eps)
    at_posterior = log_w(mu, sigma2, m + np.sqrt(S) * eps[:100_000])   # at its draws
    sizes = [np.median(abs(log_sum_exp(logs[: 1000 * K].reshape(1000, K), axis=1) - np.log(K)))
             for K in (1, 30, 1000)]
    weights[name] = np.sort(np.exp(logs))[::-1]
    kl, s = at_posterior.mean(), at_posterior.std()
    print(f"{name:21}{-logs.mean():6.2f}{np.exp(kl):16.1f}{s:13.1f} ",
          *(f"{size:6.2f}" for size in sizes))

# %%
fig, ax = plots.figure(4.8, 2.9)
ranks = np.unique(np.geomspace(1, 1_000_000, 80).astype(int))
styles = ((plots.BLUE, "-."), (plots.INK, "-"), (plots.RED, "--"))
for name, (color, dash) in zip(list(weights)[1:], styles, strict=True):    # without the prior
    ax.loglog(weights[name][ranks - 1], ranks / 1e6, color=color, ls=dash, label=name)
ax.set(xlabel="weight, in units of p(x)", ylabel="share of weights above", xlim=(0.03, 3e4))
ax.set_title("narrow or displaced: a heavy tail")
ax.legend(fontsize=8, loc="lower left")
fig

# %% [markdown]
# The narrow $q_\phi$ has the larger $s$, and larger errors than the wide one at each $K$. It
# rarely draws in the posterior's flanks, where its weights are large: a *heavy tail*. The displaced
# one has such a tail too: it misses one flank.
#
# (With $\sigma^2$ below $S/2 = 0.1$ the variance of the weights is even infinite: the integrand of
# $\mathbb{E}_{q_\phi}[w^2]$ grows like $\exp\!\big(\tfrac12(1/\sigma^2 - 2/S)\,z^2\big)$ but for
# a factor $e^{cz}$. It need not be infinite to do harm, as 0.105 shows.)

# %% [markdown]
# ## 2.10  Where does the climb end?
#
# Section 2.8 moved $W$ alone, by one long step. Now move everything at once: with a hundredth of
# that step, with a thousandth, and there with an encoder ten times as fast.

# %%
def gradient(W, a, logvar):
    """The derivatives of eq. (8) by W, a and logvar."""
    sigma2, missed = np.exp(logvar), (1 - W * a) * x2
    return np.array([a * missed - W * sigma2, W * missed - a * x2,
                     0.5 * (1 - sigma2 - W**2 * sigma2)])


def climb(steps, lr, speeds=(1, 1, 1), logvar=0.0):
    """Gradient ascent on the ELBO -> (steps + 1, 3): W, a, logvar. speeds: 0 holds one."""
    path = [np.array([1.0, 0.0, logvar])]
    for _ in range(steps):
        path.append(path[-1] + lr * np.array(speeds) * gradient(*path[-1]))
    return np.array(path)


free = climb(60_000, 0.001)
for name, path in (("steps of 0.001", free), ("steps of 0.0001", climb(1000, 0.0001)),
                   ("0.0001, encoder x 10", climb(1000, 0.0001, (1, 10, 10)))):
    dip = log_px_at(path[:, 0]) - log_px_at(1.0)
    back = np.argmax((dip > 0) & (np.arange(len(dip)) > dip.argmin()))
    print(f"{name:22}: log p(x) falls by {-dip.min():.4f} nats and is back after {back} steps")

# %% [markdown]
# The dip does not come from the size of the steps: those a tenth as long dip nearly as deep. Here
# it comes from $W$ moving before the encoder knows $x$, while $q_\phi$ is wide: with the encoder
# ten times as fast it is a tenth as deep. And it passes. Where does the climb end, with the width
# $\sigma^2$ learned, and with the width held?

# %%
ends = {"learned": free[-1]}
for name, held in (("held at 1", 1.0), ("held at 1/9", 1 / 9), ("held at 0.03", 0.03)):
    ends[name] = climb(60_000, 0.001, (1, 1, 0), np.log(held))[-1]
for name, end in ends.items():
    print(f"sigma^2 {name:12} ends at W = {end[0]:.3f}, ELBO {elbo_at(*end):.4f}, "
          f"log p(x) {log_px_at(end[0]):.4f} nats")

# %%
W = 1.0
for _ in range(1000):                                        # at width 1, each to its best in turn
    a = W / (1 + W**2)
    W = a * x2 / (a**2 * x2 + 1)
print(f"sigma^2 held at 1, a and W in turn: W = {W:.3f}")

# %%
fig, ax = plots.figure(4.4, 2.7)
Ws = np.linspace(0, 6, 200)
best_a = Ws / (1 + Ws**2)                                    # at width 1, for each W
ax.plot(Ws, log_px_at(Ws), color=plots.INK)
ax.plot(Ws, elbo_at(Ws, best_a, 0.0), color=plots.RED, ls="--")
for name, color in (("learned", plots.INK), ("held at 1", plots.RED)):
    ax.plot(ends[name][0], elbo_at(*ends[name]), "o", color=color)
ax.annotate("log p(x)", (4.0, -2.45))
ax.annotate("ELBO at width 1,\nwith the best a", (2.7, -4.6), color=plots.RED, fontsize=9)
ax.set(xlabel="W (dots: where the climbs end)", ylabel="nats", ylim=(-6, -2.1))
ax.set_title("width 1 moves the summit")
fig

# %% [markdown]
# With the width learned, or held at 1/9, the posterior's variance at $\sqrt 8$, the climb ends at
# the best $W$, $\sqrt 8$. Held at 1, it ends at a smaller $W$, held at 0.03 at a larger one, where
# the posterior's variance is closer to that width and the gap smaller. This bias does not come from
# moving $\theta$ and $\phi$ together: taking turns ends at the same $W$. (More: Turner and Sahani
# 2011, *Two problems with variational expectation maximisation for time-series models*.)
