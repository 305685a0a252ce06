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
# - estimate $\log p(x)$ from samples, and say how many it takes and why the log comes out low;
# - derive the ELBO line by line, show that the gap below $\log p(x)$ is a KL divergence, and make
#   that gap as small as a given kind of $q$ allows;
# - compute the ELBO in three forms that agree, and find the mistake in one that is no bound;
# - show what raising the ELBO does not promise.
#
# **Builds on** notebook 01: the evidence, the posterior, logs. Reading time: 35 minutes.

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
# Notebook 01 ended before an integral that no grid can do. It is an average over the prior, so draw
# from the prior and average:
#
# $$
# p_\theta(x) = \mathbb{E}_{z \sim p(z)}\big[\,p_\theta(x\mid z)\,\big]
# \;\approx\; \hat p_K(x) = \frac{1}{K}\sum_{k=1}^{K} p_\theta(x \mid z_k), \qquad z_k \sim p(z)
# \tag{1}
# $$
#
# ($\theta$ stands for the model's *parameters*, such as the weights of a decoder.) This *naive
# Monte Carlo* estimate is *unbiased*: each term has the mean $p_\theta(x)$, so their average has it
# too.
#
# To judge it, here is a model whose evidence is known: $L$ latents, each seen through noise of
# variance $v$, so that $\theta$ is the one number $v$. Independent Gaussians add up to a Gaussian,
# and their variances add:
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


# %%
x = np.array([1.0])                                          # one latent, one number seen
rng = np.random.default_rng(1)
K = 10_000
likelihoods = np.exp(log_likelihood(x, rng.standard_normal((K, 1))))
estimate, error = likelihoods.mean(), likelihoods.std() / np.sqrt(K)
print(f"exact p(x) = {np.exp(log_evidence(x)):.5f}")
print(f"{K:,} samples: {estimate:.5f}, standard error {error:.5f}")

# %% [markdown]
# ## 2.2  How many draws does it take?
#
# With one latent, averaging works. A VAE has tens of latents. Keep $v = 0.25$, let every entry of
# $x$ be 1, and raise $L$. Draw a thousand samples each time.

# %%
def errors(L, v, K, rng, runs=40):
    """log of eq. (1) - log p(x), nats, for K draws in each run; every x_i is 1."""
    x = np.ones(L)
    sums = [log_sum_exp(log_likelihood(x, rng.standard_normal((K, L)), v)) for _ in range(runs)]
    return np.array(sums) - np.log(K) - log_evidence(x, v)


rng = np.random.default_rng(2)
for L in (1, 5, 10, 20, 50):
    off = errors(L, 0.25, 1000, rng)
    print(f"{L:2} latents: median error {np.median(off):6.2f} nats, {np.mean(off < 0):.0%} too low")

# %% [markdown]
# At twenty and at fifty latents every estimate is too low. Eq. (1) is unbiased all the same: rare
# draws that count for enormously much make its mean right, and forty runs did not meet them.
#
# Is the number of latents to blame? **Predict first.** Fifty latents behind noise of variance 100,
# or one latent behind noise of variance $10^{-10}$: where do a thousand draws not suffice?
# (`"fifty"`, `"one"` or `"both"`)

# %%
predict("02.which-misses", ...)

# %%
for L, v in ((50, 100.0), (1, 1e-10)):
    off = errors(L, v, 1000, rng)
    print(f"L = {L:2}, v = {v:g}: median size of the error {np.median(abs(off)):.3f} nats")

# %%
reveal("02.which-misses")

# %% [markdown]
# What counts is how much $x$ tells about $z$. Completing the square in
# $\log p(z) + \log p_\theta(x\mid z)$ shows that each latent's posterior is Gaussian, with mean
# $x / (1 + v)$ and variance $v / (1 + v)$: nearly the prior if $v$ is large, narrow if $v$ is
# small. The *Kullback-Leibler divergence* measures how far apart two distributions are, by the
# average of a log ratio over the first:
#
# $$
# \mathrm{KL}(q \Vert p) = \mathbb{E}_{z \sim q}\!\left[\log\frac{q(z)}{p(z)}\right]
# $$
#
# It is how much more probable a draw from $q$ is under $q$ than under $p$, in nats, on average. Let
# $q$ be the posterior and $p$ the prior. Where the posterior's draws lie, it is about
# $e^{\mathrm{KL}}$ times as dense as the prior. So only about $e^{-\mathrm{KL}}$ of the prior's
# draws fall there, and the others add next to nothing: **the estimate needs about
# $\exp \mathrm{KL}(\text{posterior} \Vert \text{prior})$ draws.** Let us measure it. By Bayes' rule
# the log ratio is $\log p_\theta(x\mid z) - \log p_\theta(x)$, whose average has a closed form
# here.

# %%
def nats_told(x, v):
    """KL(posterior || prior): what x tells about z, nats."""
    mean, S = x / (1 + v), v / (1 + v)
    squares = (x - mean) ** 2 + S                            # the average of (x - z)^2
    average = -0.5 * (np.log(2 * np.pi * v) + squares / v).sum()      # of log p(x|z)
    return average - log_evidence(x, v)


def smallest_K(L, v, rng):
    """The first power of 2 with a median error below one nat."""
    K = 1
    while np.median(abs(errors(L, v, K, rng))) >= 1:
        K *= 2
    return K


families = {
    "L = 1 to 10, v = 0.25": [(1, 0.25), (2, 0.25), (5, 0.25), (8, 0.25), (10, 0.25)],
    "50 latents, much noise": [(50, 100.0), (50, 10.0), (50, 5.0), (50, 3.0)],
    "1 latent, little noise": [(1, 1e-2), (1, 1e-4), (1, 1e-6), (1, 1e-8)],
}
rng = np.random.default_rng(3)
needed = {name: np.array([(np.exp(nats_told(np.ones(L), v)), smallest_K(L, v, rng))
                          for L, v in family]) for name, family in families.items()}
ratios = np.concatenate([points[:, 1] / points[:, 0] for points in needed.values()])
print(f"draws needed / exp KL: from {ratios.min():.1f} to {ratios.max():.1f}")
for L in (20, 50):
    print(f"{L} latents at v = 0.25 would need {np.exp(nats_told(np.ones(L), 0.25)):.1e}")

# %%
fig, ax = plots.figure(5.6, 3.2)
for (name, points), marker in zip(needed.items(), "osD", strict=True):
    ax.loglog(*points.T, marker, label=name)
ax.loglog([1, 3e4], [1, 3e4], color=plots.INK, lw=1, ls="--", label="exp KL")
ax.set(xlabel="exp KL(posterior || prior)", ylabel="draws for an error below 1 nat")
ax.set_title("what counts is how much x tells about z")
ax.legend(fontsize=8)
fig

# %% [markdown]
# Many vague latents and one sharp one follow the same rule; twenty or fifty fairly sharp ones are
# off the picture. (The log ratio must vary little over the posterior. Conditions and proof:
# Chatterjee and Diaconis 2018, *The sample size required in importance sampling*.)

# %% [markdown]
# ## 2.3  Why does the log come out low?
#
# Back to one latent, where eq. (1) works well. We need the log of $p_\theta(x)$. So: take the log
# of the average? **Predict first.** Averaged over many repetitions, will $\log \hat p_K(x)$ come
# out too low, right, or too high? (`"low"`, `"right"` or `"high"`)

# %%
predict("02.log-of-average", ...)

# %%
rng = np.random.default_rng(4)
many_K = np.array([1, 3, 10, 30, 100, 300])
below, error = np.zeros(6), np.zeros(6)                      # nats below the truth
for i, K in enumerate(many_K):
    z = rng.standard_normal((10_000, K, 1))
    logs = log_sum_exp(log_likelihood(x, z), axis=1) - np.log(K)       # 10,000 estimates
    below[i], error[i] = log_evidence(x) - logs.mean(), logs.std() / 100
    print(f"K = {K:3}: mean {logs.mean():.4f}, that is {below[i]:.4f} nats below the truth "
          f"(standard error {error[i]:.4f})")

# %%
reveal("02.log-of-average")

# %% [markdown]
# Every mean lies below the truth. A function $f$ is *concave* if its curve lies on or below each of
# its tangents; the log is, because it bends downward everywhere. Let $w$ be a term
# $p_\theta(x \mid z_k)$ of eq. (1), or an average of such terms, and take the tangent at its mean:
#
# $$
# f(w) \;\le\; f(\mathbb{E}[w]) + f'(\mathbb{E}[w])\,\big(w - \mathbb{E}[w]\big)
# \qquad \text{for every } w .
# $$
#
# Average both sides. The last term becomes zero:
#
# $$
# \mathbb{E}[f(w)] \;\le\; f(\mathbb{E}[w]) \quad \text{for every concave } f,
# \qquad \text{so} \qquad \mathbb{E}[\log w] \;\le\; \log \mathbb{E}[w] \tag{2}
# $$
#
# This is *Jensen's inequality*, for any random $w$. The log touches its tangent in one point only,
# so the two sides are equal only if $w$ is constant.
#
# How wide is the gap? The next term of the Taylor series,
# $-(w - \mathbb{E}[w])^2 / 2\mathbb{E}[w]^2$, has the average
# $-\mathrm{Var}(w) / 2\mathbb{E}[w]^2$. An average of $K$ draws has one draw's variance divided by
# $K$, so to second order the gap shrinks as $1/K$:

# %%
grid = np.linspace(0.12, 4.2, 300)
w = np.array([0.4, 3.6])                                     # two values, each with probability 1/2
mean = w.mean()
fig, (left, right) = plots.figure(8, 3.3, 1, 2)
left.plot(grid, np.log(grid), color=plots.BLUE, label="the curve log w")
left.plot(grid, np.log(mean) + (grid - mean) / mean, color=plots.GREY, ls="--",
          label="tangent at the mean")
left.plot(w, np.log(w), "o-", color=plots.RED, lw=1, label="two equally likely w")
left.plot([mean, mean], [np.log(w).mean(), np.log(mean)], color=plots.INK, lw=3, ls="-")
for name, y, place in (("log E[w]", np.log(mean), (0.8, 1.15)),
                       ("E[log w]", np.log(w).mean(), (2.5, -0.45))):
    left.annotate(name, (mean, y), place, arrowprops={"arrowstyle": "->"})
left.set(xlabel="w", ylabel="nats", title="the thick bar is Jensen's gap")
left.legend(loc="lower right", fontsize=8)

second = likelihoods.var() / (2 * likelihoods.mean() ** 2 * many_K)                # from 2.1
right.errorbar(many_K, below, 2 * error, fmt="o", color=plots.BLUE, ls="none", label="measured")
right.plot(many_K, second, color=plots.GREY, ls="--", label="second order: Var(w) / 2 E[w]²")
right.set(xscale="log", yscale="log", xlabel="samples K", ylabel="gap, nats")
right.set_title("from K = 10 on, the gap falls as 1/K")
right.legend(fontsize=8)
fig

# %% [markdown]
# (Bars: two standard errors.) The second-order line is wrong at $K = 1$, where $w$ scatters much,
# and right where it scatters little. **To narrow the gap, make $w$ scatter less.**

# %% [markdown]
# ## 2.4  Can we draw where it counts?
#
# Suppose somebody looks at $x$ and suggests where to draw: a distribution $q_\phi(z)$, whose
# parameters $\phi$ are, say, a mean and a variance. Draw from it, and correct for it:
#
# $$
# p_\theta(x) = \int p_\theta(x, z)\, dz = \int q_\phi(z)\,\frac{p_\theta(x, z)}{q_\phi(z)}\, dz
# = \mathbb{E}_{z\sim q_\phi}[w], \qquad w = \frac{p_\theta(x, z)}{q_\phi(z)}
# $$
#
# This is *importance sampling*, and $w$ is the importance weight. ($q_\phi$ must not be zero where
# $p_\theta(x, z)$ is not.) With the prior as $q_\phi$ it is eq. (1). With the posterior every
# weight is $p_\theta(x)$, since $p_\theta(x, z) = p_\theta(z\mid x)\,p_\theta(x)$: one draw would
# do. So $q_\phi$ should be close to the posterior. But close in which sense? Ten latents, 200
# estimates from 100 draws each, four choices:

# %%
ones = np.ones(10)
m, S = 1 / 1.25, 0.25 / 1.25                                 # the posterior of each latent


def log_weights(z, q_mean, q_variance):
    """log p(x, z) - log q(z): z (K, 10) -> (K,)."""
    log_joint = log_likelihood(ones, z) + log_normal(z, 0.0, 1.0)
    return log_joint - log_normal(z, q_mean, q_variance)


def draw(mean, variance, K, rng):
    return mean + np.sqrt(variance) * rng.standard_normal((K, 10))


choices = {
    "prior N(0, 1)": (0.0, 1.0),
    "wide N(0.6, 0.35)": (0.6, 0.35),
    "narrow N(0.8, 0.09)": (0.8, 0.09),
    "posterior N(0.8, 0.2)": (m, S),
}
rng = np.random.default_rng(6)
print("q for each latent      KL(q || posterior)  KL(posterior || q)  scatter of the log estimate")
for name, q in choices.items():
    estimates = [log_sum_exp(log_weights(draw(*q, 100, rng), *q)) for _ in range(200)]
    forward = log_evidence(ones) - log_weights(draw(*q, 100_000, rng), *q).mean()
    backward = log_weights(draw(m, S, 100_000, rng), *q).mean() - log_evidence(ones)
    print(f"{name:22} {abs(forward):17.2f} {abs(backward):19.2f} {np.std(estimates):20.3f}")

# %% [markdown]
# By the first KL the narrow $q_\phi$ is closer than the wide one, and yet it scatters more. The
# second KL has the order right, for the reason of section 2.2: one needs about
# $\exp \mathrm{KL}(\text{posterior} \Vert q_\phi)$ draws. It averages over the posterior, so it
# sees what $q_\phi$ leaves out; the first averages over $q_\phi$ and hardly sees it.
#
# Too narrow is worse than the table shows. In one coordinate, let $q_\phi$ have the posterior's
# mean $m$ but the variance $s^2$ instead of $S$. Then
#
# $$
# w \propto \exp\!\left(\tfrac12\Big(\frac{1}{s^2} - \frac{1}{S}\Big)(z - m)^2\right),
# \qquad
# \mathbb{E}_{q_\phi}[w^2] \propto \int \exp\!\left(\tfrac12\Big(\frac{1}{s^2} -
# \frac{2}{S}\Big)(z - m)^2\right) dz .
# $$
#
# Unless $s^2 > S/2$ the second is infinite. The narrow one has $0.09 < 0.1$: **the variance of its
# weights is infinite**, and no standard error can be trusted. If $q_\phi$ is the wider of the two
# Gaussians, its weights are bounded.

# %%
rng = np.random.default_rng(7)
fig, ax = plots.figure(5.6, 3)
ranks = np.unique(np.geomspace(1, 1_000_000, 80).astype(int))
for name, color, dash in (("wide N(0.6, 0.35)", plots.BLUE, "-"),
                          ("narrow N(0.8, 0.09)", plots.RED, "--")):
    q = choices[name]
    ratio = np.sort(np.exp(log_weights(draw(*q, 1_000_000, rng), *q) - log_evidence(ones)))[::-1]
    ax.loglog(ratio[ranks - 1], ranks / 1e6, color=color, ls=dash, label=name)
    print(f"{name}: the largest of a million weights is {ratio[0]:,.0f} p(x)")
ax.set(xlabel="weight, in units of p(x)", ylabel="share of weights above", xlim=(1e-2, 1e5))
ax.set_title("a narrow q has a heavy tail")
ax.legend(fontsize=8)
fig

# %% [markdown]
# The wide one's curve falls steeply to its largest possible weight. The narrow one's goes on as
# nearly a straight line, a *heavy tail*: rare draws far from $m$ carry weights of thousands.

# %% [markdown]
# ## 2.5  The bound, line by line
#
# Put the last sections together: write $p_\theta(x)$ as an average under some $q_\phi$, and move
# the log inside.
#
# $$
# \begin{aligned}
# \log p_\theta(x) &= \log \sum_z p_\theta(x, z) && \text{(sum rule)}\\
# &= \log \sum_z q_\phi(z)\, \frac{p_\theta(x, z)}{q_\phi(z)} && \text{(times } q \text{ over } q)\\
# &\ge \sum_z q_\phi(z) \log \frac{p_\theta(x, z)}{q_\phi(z)} && \text{(Jensen)}
# \end{aligned} \tag{3}
# $$
#
# The last line is the *evidence lower bound*, the **ELBO**, a mean of $\log w$. How much is lost?
# With $p_\theta(x, z) = p_\theta(z\mid x)\,p_\theta(x)$, and since $q_\phi$ sums to one,
#
# $$
# \text{ELBO} = \sum_z q_\phi(z) \log \frac{p_\theta(z\mid x)\,p_\theta(x)}{q_\phi(z)}
# = \log p_\theta(x) - \mathrm{KL}\big(q_\phi(z) \,\Vert\, p_\theta(z\mid x)\big) \tag{4}
# $$
#
# So **the gap is a KL**: the one from $q_\phi$ to the posterior. A KL is never negative, by Jensen
# again: $-\mathrm{KL}(q\Vert p) = \mathbb{E}_q[\log (p/q)] \le \log \mathbb{E}_q[p/q] \le \log 1$,
# where the last average adds up $p$ wherever $q$ is not zero. And it is zero only if $p/q$ is
# constant and all of $p$ is counted: if the two are the same.
#
# Now in numbers. The patient of notebook 01 has cough and fever; the sums run over 32 combinations
# of diseases. Let $q_\phi$ keep the diseases independent, so that $\phi$ is five probabilities. One
# choice is each disease's own posterior probability, its *marginal*. Another is the five with the
# highest ELBO. They are found by *coordinate ascent*: with four of them held, the best value of the
# fifth is a formula; go round until nothing moves. (You will write it as an exercise.)

# %%
model = exact.diagnosis()
found = {"cough": 1, "fever": 1}
log_joint = exact.log_joint(model, found)                              # log p(x, z): (32,)
log_px = log_sum_exp(log_joint)
p_posterior = np.exp(log_joint - log_px)                               # p(z|x): (32,)
marginals = np.array(list(exact.disease_probabilities(model, found).values()))
best = exact.best_independent(model, found)
print("                     ", "  ".join(f"{name:>9}" for name in model.diseases))
print("posterior marginals  ", "  ".join(f"{p:9.3f}" for p in marginals))
print("best independent q   ", "  ".join(f"{p:9.3f}" for p in best))

# %%
from_marginals, from_best = (exact.independent(model, p) for p in (marginals, best))
sure = np.zeros(32)
sure[log_joint.argmax()] = 1.0                               # the most probable z: flu alone
five = {
    "prior": np.exp(exact.log_prior(model)),
    "one sure\npatient": sure,
    "posterior\nmarginals": from_marginals,
    "best\nindependent": from_best,
    "posterior": p_posterior,
}
print("q                      ELBO   + KL(q || posterior)  = log p(x)     KL(posterior || q)")
gaps = {}
for name, some_q in five.items():
    with np.errstate(divide="ignore"):                       # the sure patient's q has zeros
        ratio = np.log(some_q) - np.log(p_posterior)
    seen = some_q > 0                                        # 0 log 0 = 0
    gaps[name] = abs(some_q[seen] @ ratio[seen])
    bound = exact.diagnosis_faces(model, found, some_q).energy
    print(f"{' '.join(name.split()):20} {bound:7.3f} {gaps[name]:15.3f} {bound + gaps[name]:19.3f} "
          f"{abs(p_posterior @ ratio):17.3f}")

# %%
fig, ax = plots.figure(6.6, 3.4)
low = -7.0
elbos = np.array([log_px - gap for gap in gaps.values()])
ax.bar(list(gaps), elbos - low, 0.6, bottom=low, color=plots.BLUE, label="ELBO (top edge)")
ax.bar(list(gaps), list(gaps.values()), 0.6, bottom=elbos, color=plots.ORANGE, hatch="//",
       edgecolor="white", label="KL(q || posterior)")
ax.axhline(log_px, color=plots.INK, lw=1)
ax.annotate("log p(x)", (-0.45, log_px + 0.08))
for place, top in enumerate(elbos):
    ax.annotate(f"{top:.2f}", (place, top - 0.12), ha="center", va="top", color="white")
ax.set(ylim=(low, -2.2), ylabel="nats", title="ELBO + KL = log p(x), whatever q is")
ax.legend(loc="upper right", ncols=2, fontsize=8)
fig

# %%
how_many = exact.patients(model)[:, [0, 1, 3]].sum(axis=1)             # of cold, flu, pneumonia
for name, some_q in (("posterior", p_posterior), ("posterior marginals", from_marginals),
                     ("best independent", from_best)):
    none, one = some_q[how_many == 0].sum(), some_q[how_many == 1].sum()
    print(f"{name:20} none of the three {none:3.0%}, one {one:3.0%}, more {1 - none - one:3.0%}")

# %% [markdown]
# All five columns end at $\log p_\theta(x)$; only the division moves. Why do the marginals leave a
# gap of 0.763 nats, when each disease has its right probability? After looking at $x$ the diseases
# are not independent (explaining away), and that costs every independent $q_\phi$ at least 0.451.
# The rest is there because right marginals are not what this KL asks for: among independent
# $q_\phi$ they minimise the *other* one (last column). The posterior mostly has just one of cold,
# flu and pneumonia; drawn independently with the right marginals, it is often none or several,
# which the posterior finds improbable. The best $q_\phi$ commits to the flu. **Raising the ELBO has
# made it too sure**, the discrete form of too narrow, and by section 2.4 a worse place to draw
# from. Notebook 03 looks into the two directions.

# %% [markdown]
# ## 2.6  Which form can be computed?
#
# Eq. (4) contains the evidence and the posterior, which we do not have. But split
# $p_\theta(x, z) = p_\theta(x\mid z)\,p(z)$ in eq. (3) (the *product rule*). The average of a sum
# is the sum of the averages (*linearity*), and only known things remain:
#
# $$
# \text{ELBO} = \mathbb{E}_{q_\phi}\big[\log p_\theta(x\mid z)\big]
# - \mathrm{KL}\big(q_\phi(z) \,\Vert\, p(z)\big) \tag{5}
# $$
#
# How well do $q_\phi$'s causes explain $x$, minus how far is $q_\phi$ from the prior. A VAE
# computes this form. In code the first term with its sign turned is called `nll` and the second
# `kl`: ELBO $= -(\texttt{nll} + \texttt{kl})$, and `loss = nll + kl` is minimised. Or do not split
# at all:
#
# $$
# \text{ELBO} = \mathbb{E}_{q_\phi}\big[\log p_\theta(x, z)\big] + H(q_\phi),
# \qquad H(q_\phi) = -\mathbb{E}_{q_\phi}[\log q_\phi(z)] \tag{6}
# $$
#
# The *entropy* $H$ rewards $q_\phi$ for spreading out. Mind that there are **two KLs**. The one in
# eq. (4) is the gap, and zero is perfect. The one in eq. (5) is a price, and zero means that
# $q_\phi$ has not looked at $x$. With the posterior as $q_\phi$ it is the KL of section 2.2: what
# $x$ tells about $z$.
#
# Are the three forms equal? A check is worth something if it can fail. So compute
# $p_\theta(x\mid z)$ by notebook 01's eq. (2), and take the evidence and the posterior from the
# package, as above. The second time, plant a mistake: a leak that is ten times too small.

# %%
z = exact.patients(model)                                              # (32, 5)
prior = np.where(z == 1, model.prior, 1 - model.prior).prod(axis=1)


def likelihood_of(leak):
    """p(cough, fever | z) by notebook 01, eq. (2): (32,)."""
    absent = (1 - leak[:2]) * np.where(z[:, :, None] == 1, 1 - model.cause[:, :2], 1).prod(axis=1)
    return (1 - absent).prod(axis=1)


q = from_marginals
for name, leak in (("right", model.leak), ("the leak at a tenth", model.leak / 10)):
    likelihood = likelihood_of(leak)
    forms = (
        log_px - q @ np.log(q / p_posterior),                          # eq. (4)
        q @ np.log(likelihood) - q @ np.log(q / prior),                # eq. (5)
        q @ np.log(prior * likelihood) - q @ np.log(q),                # eq. (6)
    )
    print(f"{name:20}", "  ".join(f"{form:.10f}" for form in forms))

# %% [markdown]
# They agree, and the mistake shows: eqs. (5) and (6) part from (4).
#
# With a continuous $z$, densities take the place of probabilities, and integrals that of sums:
#
# $$
# \log p_\theta(x) \;\ge\; \int q_\phi(z) \log \frac{p_\theta(x, z)}{q_\phi(z)}\, dz = \text{ELBO}
# \tag{7}
# $$
#
# Take one latent of the model of 2.1 and $q_\phi = N(\mu, \sigma^2)$, so that $\phi$ is `mu` and
# `logvar` $= \log\sigma^2$. For such a $q_\phi$ the mean square around any $c$ is
# $\mathbb{E}[(z - c)^2] = (\mu - c)^2 + \sigma^2$, and eq. (6) becomes
#
# $$
# \begin{aligned}
# \mathbb{E}_{q_\phi}[\log p_\theta(x\mid z)]
# &= -\tfrac12 \log(2\pi v) - \frac{(x - \mu)^2 + \sigma^2}{2 v}\\
# \mathbb{E}_{q_\phi}[\log p(z)] &= -\tfrac12 \log(2\pi) - \tfrac12(\mu^2 + \sigma^2)\\
# H(q_\phi) &= \tfrac12 \log(2\pi\sigma^2) + \tfrac12\\
# \text{ELBO} &= \text{the sum of the three}
# \end{aligned} \tag{8}
# $$

# %%
def elbo(mu, logvar, x=1.0, v=0.25):
    """eq. (8), nats."""
    sigma2 = np.exp(logvar)
    log_likelihood = -0.5 * (np.log(2 * np.pi * v) + ((x - mu) ** 2 + sigma2) / v)
    log_prior = -0.5 * (np.log(2 * np.pi) + mu**2 + sigma2)
    entropy = 0.5 * (np.log(2 * np.pi) + logvar + 1)
    return log_likelihood + log_prior + entropy


linear = exact.Linear(W=np.eye(1), b=np.zeros(1), variance=0.25)           # x = z W + b + noise
package = exact.linear_faces(linear, x[None], np.array([[0.3]]), np.array([[0.5]]))
agree = np.allclose(np.concatenate(package), elbo(0.3, np.log(0.5)), rtol=1e-12)
print("ours and the package's three forms agree:", agree)
print(f"q = prior:     ELBO {elbo(0.0, 0.0):.3f}; section 2.3 at K = 1: "
      f"{log_evidence(x) - below[0]:.3f}, standard error {error[0]:.3f}")
print(f"q = posterior: ELBO {elbo(0.8, np.log(0.2)):.3f}; log p(x): {log_evidence(x):.3f}")

# %% [markdown]
# The second line ties two sections together: with $q_\phi$ the prior the KL in eq. (5) is zero, and
# what is left, $\mathbb{E}[\log p_\theta(x\mid z)]$, is the mean of the naive log estimate at
# $K = 1$.
#
# The third is eq. (4) with a gap of zero. Over `mu` and `logvar` the ELBO is a landscape, whose
# summit is the posterior and has the height $\log p_\theta(x)$. So **maximising the ELBO over
# $\phi$ is a way to compute a posterior**: an integration has become an optimisation. That is what
# *variational* means. (Drag $q$ up the hill with your own hand: open
# [touch_the_bound.html](touch_the_bound.html) in a browser.)

# %% [markdown]
# ## 2.7  What is the encoder?
#
# Each $x$ has a landscape and a best $q_\phi$ of its own. The idea of the VAE: do not climb anew
# for every $x$, but let one network look at $x$ and answer with `mu` and `logvar`. This is the
# *encoder*. One writes $q_\phi(z\mid x)$, and $\phi$ are now its weights, shared by all $x$.

# %%
fig, ax = plots.figure(5.6, 1.9)
ax.set(xlim=(0, 10), ylim=(0, 3.4), aspect="equal")
ax.axis("off")
for centre, name, color in ((2.6, "z", "white"), (7.4, "x", "#dddddd")):
    ax.plot(centre, 1.7, "o", ms=38, mfc=color, mec=plots.INK, mew=1.4)
    ax.annotate(name, (centre, 1.7), ha="center", va="center", fontsize=15, style="italic")
for start, end, y, color, dash, name in (
    (3.2, 6.8, 2.75, plots.INK, "-", r"decoder $p_\theta(x\mid z)$"),
    (6.8, 3.2, 0.4, plots.RED, "--", r"encoder $q_\phi(z\mid x)$"),
):
    style = {"arrowstyle": "-|>", "connectionstyle": "arc3,rad=-0.25", "shrinkA": 6, "shrinkB": 6}
    ax.annotate("", (end, 1.7), (start, 1.7), arrowprops=style | {"color": color, "ls": dash})
    ax.annotate(name, (5, y), ha="center", color=color)
ax.annotate("$p(z)$", (1.9, 1.7), (0.9, 1.7), ha="center", va="center",
            arrowprops={"arrowstyle": "-|>"})
fig

# %% [markdown]
# Solid: the story, from the hidden $z$ to the seen $x$. Dashed: the encoder's guess at which $z$ it
# was, no part of the story. Where it answers less well than a climb for this $x$ alone would, the
# gap is wider. And with a network as the decoder the average in eq. (5) has no closed form; it is
# estimated from draws of $q_\phi$ (notebook 04).
#
# This is the VAE of Kingma and Welling 2014, *Auto-Encoding Variational Bayes*. With
# $q_\phi(z\mid x)$ in the place of $q_\phi(z)$, our eq. (4) is their (1), our (6) is their (2), and
# our (5) is their (3). They write $\mathcal{L}(\theta, \phi; x)$ for the ELBO, $D_{KL}$ for the KL,
# and $p_\theta(z)$ for the prior, to allow it parameters too.

# %% [markdown]
# ## 2.8  Does raising the ELBO always raise log p(x)?
#
# Training wants a high $\log p_\theta(x)$, averaged over the data. It turns $\theta$ and $\phi$
# together, uphill on the ELBO. The bound rises. Does what it bounds rise too?
#
# **Predict first.** (`"always"` or `"not always"`)

# %%
predict("02.elbo-up", ...)

# %% [markdown]
# Two data points, $x = 3$ and $x = -3$. The model: $z \sim N(0, 1)$, $x\mid z \sim N(W z, 1)$, so
# $\theta$ is one weight $W$, and $p_\theta(x)$ is $N(0, W^2 + 1)$. Its variance should be 9, the
# mean square of the data: $W^2 = 8$. The encoder is $q_\phi = N(a x, \sigma^2)$, with $a$ and
# `logvar` to be learned. With $x - Wz$ in the place of eq. (8)'s $x - z$,
#
# $$
# \text{ELBO} = -\tfrac12\big(\log 2\pi + (1 - W a)^2 x^2 + W^2 \sigma^2\big)
# - \tfrac12\big(a^2 x^2 + \sigma^2 - 1 - \log \sigma^2\big) \tag{9}
# $$
#
# Start at $W = 1$ with an encoder that knows nothing, $a = 0$ and $\sigma^2 = 1$, and follow the
# whole gradient.

# %%
x2 = 9.0                                                     # x^2, for both points


def elbo_at(W, a, logvar):
    sigma2 = np.exp(logvar)                                  # eq. (9)
    fit = -0.5 * (np.log(2 * np.pi) + (1 - W * a) ** 2 * x2 + W**2 * sigma2)
    return fit - 0.5 * (a**2 * x2 + sigma2 - 1 - logvar)


def log_px_at(W):
    return -0.5 * np.log(2 * np.pi * (W**2 + 1)) - 0.5 * x2 / (W**2 + 1)


def climb(steps, lr, learn_width):
    """Gradient ascent on the ELBO from the ignorant start -> (steps + 1, 3): W, a, logvar."""
    W, a, logvar = 1.0, 0.0, 0.0
    path = [(W, a, logvar)]
    for _ in range(steps):
        sigma2 = np.exp(logvar)
        dW = (1 - W * a) * a * x2 - W * sigma2
        da = (1 - W * a) * W * x2 - a * x2
        dlogvar = -0.5 * (W**2 * sigma2 + sigma2 - 1) if learn_width else 0.0
        W, a, logvar = W + lr * dW, a + lr * da, logvar + lr * dlogvar
        path.append((W, a, logvar))
    return np.array(path)


# %%
before, after = climb(1, 0.1, learn_width=True)
for name, old, new in (("ELBO", elbo_at(*before), elbo_at(*after)),
                       ("log p(x)", log_px_at(before[0]), log_px_at(after[0]))):
    print(f"one step: {name:8} {old:.4f} -> {new:.4f}, a change of {new - old:+.4f} nats")
package = exact.ascent_that_lowers_evidence()["log p(x) after"]        # by the package's gradient
print("our new log p(x) and the package's agree:", np.allclose(package, log_px_at(after[0])))

# %%
reveal("02.elbo-up")

# %% [markdown]
# The ELBO gained by making the gap smaller. To a $q_\phi$ that knows nothing of $x$ the signal $Wz$
# is noise, and the ELBO wants less of it: with a smaller $W$ the posterior comes closer to the
# ignorant $q_\phi$. If the gap is closed before $\theta$ moves, this cannot happen: the ELBO then
# starts at $\log p_\theta(x)$, and wherever it ends, $\log p_\theta(x)$ is at least as high. Taking
# turns like that is the *EM algorithm*.
#
# A VAE takes no turns. Does it matter in the end? Climb on, once with the width learned, and once
# with $\sigma^2$ held at 1, a $q_\phi$ that cannot reach the posterior.

# %%
free, held = climb(4000, 0.02, learn_width=True), climb(4000, 0.02, learn_width=False)
for name, path in (("width learned", free), ("width held at 1", held)):
    W = path[-1, 0]
    print(f"{name:15} W = {W:.3f}, ELBO {elbo_at(*path[-1]):.4f}, log p(x) {log_px_at(W):.4f} nats")

# %%
fig, ax = plots.figure(5.6, 3.1)
Ws = np.linspace(0, 6, 200)
ax.plot(Ws, log_px_at(Ws), color=plots.INK, label="log p(x)")
ax.plot(Ws, elbo_at(Ws, Ws / (1 + Ws**2), 0.0), color=plots.RED, ls="--",
        label="best ELBO of a q with the width 1")
ax.plot(free[-1, 0], elbo_at(*free[-1]), "o", color=plots.INK)
ax.plot(held[-1, 0], elbo_at(*held[-1]), "o", color=plots.RED)
ax.axvline(1, color=plots.GREY, ls=":", label="start of both climbs")
ax.set(xlabel="W (dots: where the climbs end)", ylabel="nats, mean of the two points")
ax.set(ylim=(-5.6, -2.3), title="a restricted q moves the summit")
ax.legend(fontsize=8, loc="lower right")
fig

# %% [markdown]
# (For the dashed curve, $q_\phi$ has its best $a$ for each $W$, $W/(1 + W^2)$.) With the width
# learned the climb ends at the best $W$, $\sqrt 8$: turning $\theta$ and $\phi$ together did no
# lasting harm here. With the width held it ends at another, where the restricted $q_\phi$ is closer
# to the posterior. **The bias comes from what $q_\phi$ cannot reach**, and a VAE's $q_\phi$,
# independent Gaussians, cannot reach everything.

# %% [markdown]
# ## Recap
#
# - Estimating $p_\theta(x)$ with draws from $q_\phi$ (or from the prior) takes about
#   $\exp \mathrm{KL}(\text{posterior}\Vert q_\phi)$ of them. A Gaussian $q_\phi$ that is too narrow
#   has weights of infinite variance.
# - The log is concave, so the mean of the log lies below the log of the mean: Jensen, eq. (2).
# - $\log p_\theta(x) \ge$ ELBO, eqs. (3) and (7); the gap is
#   $\mathrm{KL}(q_\phi \Vert p_\theta(z\mid x))$, eq. (4).
# - A VAE computes eq. (5), reconstruction minus a KL to the prior; eq. (6) is energy plus entropy.
#   The encoder gives every $x$ its $q_\phi(z\mid x)$.
# - The ELBO may rise while $\log p_\theta(x)$ falls, and a restricted $q_\phi$ moves its summit.
#
# ## Exercises
#
# `check` says what is right, or shows the smallest input where it is not; `hint("02.draws")` gives
# a nudge.

# %% [markdown]
# **Importance sampling.** The estimate of section 2.4, from the logs of its parts, for each of $B$
# images. (With draws from the prior this is eq. (1).)

# %%
def importance_estimate(log_joint, log_q):    # log p(x, z_k), log q(z_k) at z_k ~ q: (K, B)
    ...                                       # -> the estimate of log p(x): (B,)


check("02.importance", importance_estimate)

# %% [markdown]
# **How many draws?** A story with finitely many $z$, and an $x$. About how many draws of the prior
# does its posterior ask for?

# %%
def draws_needed(prior, likelihood):    # p(z) (Z,), above 0; p(x|z) for this x (Z,)
    ...                                 # -> about how many draws of the prior: one float


check("02.draws", draws_needed)

# %% [markdown]
# **Jensen backwards.** Section 2.3 went from the weights to the gap. Go from the gap to the
# weights.

# %%
def weights_with_gap(gap):    # log E[w] - E[log w], nats, above 0
    ...                       # -> two equally likely weights whose mean is 1: floats,
                              #    the smaller one first


check("02.weights-with-gap", weights_with_gap)

# %% [markdown]
# **The KL, as a sum.** Mind the zeros: where $q$ is zero, and where only $p$ is.

# %%
def kl_discrete(q, p):    # (Z,), (Z,) -> KL(q || p), one float, nats
    ...                   # q may hold zeros, and 0 log 0 = 0; so may p


check("02.kl-discrete", kl_discrete)

# %% [markdown]
# **Three forms, six terms.** The two terms of each of eqs. (4), (5) and (6). See for yourself that
# they make one number three times.

# %%
def elbo_terms(q, prior, likelihood):    # q(z), p(z), p(x|z) for this x: (Z,), all above 0
    ...    # -> log p(x), KL(q || p(z|x)),  E_q log p(x|z), KL(q || p(z)),
           #    E_q log p(x, z), H(q): six floats, the terms of eqs. (4), (5) and (6)


check("02.elbo-three", elbo_terms)

# %% [markdown]
# **The best independent q.** Section 2.5 took it from the package. First derive the step: hold all
# probabilities but that of $z_i$, write the ELBO as a function of this one, and find its highest
# point. Then go round until nothing moves by more than $10^{-8}$.

# %%
def best_independent(log_joint, z):    # log p(x, z) (Z,); every z, of 0 and 1: (Z, n)
    ...                                # -> q(z_i = 1) of the best independent q: (n,)


check("02.best-independent", best_independent)

# %% [markdown]
# **The derivation, in order.** Without looking at sections 2.5 and 2.6, put the lines in order,
# each with what licenses it.

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
# **A decoder with a weight.** Eq. (8) had $x\mid z \sim N(z, v)$. Derive the same for
# $N(Wz, \text{variance})$. At the posterior it must be $\log N(x; 0, W^2 + \text{variance})$.

# %%
def gaussian_elbo(mu, logvar, x, W, variance):    # (B,), (B,), (B,), float, float
    # z ~ N(0, 1), x|z ~ N(W z, variance), q = N(mu, exp(logvar))
    ...                                           # -> the ELBO of each x: (B,), nats


check("02.gaussian-elbo", gaussian_elbo)

# %% [markdown]
# **Find the bug.** A lower bound that lies above what it bounds is none. Mend it.

# %%
def repo_elbo(q, prior, likelihood):
    # "How well q's causes explain x, minus how far q is from the prior."
    # Yet at the posterior this lower bound lies above log p(x).
    fit = np.log((q * likelihood).sum())
    kl = (q * np.log(q / prior)).sum()
    return fit - kl


check("02.bug", repo_elbo)

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
