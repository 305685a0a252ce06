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
# - estimate $\log p(x)$ from samples, and say how many it takes and what the log does to it;
# - derive the ELBO, show that its gap is a KL divergence, and make that gap as small as a given
#   kind of $q$ allows;
# - compute the ELBO as a VAE does, and say what a step up it does to $\log p(x)$.
#
# **Builds on** notebook 01: the evidence, the posterior, logs. Reading time: 35 minutes.

# %%
import sys; sys.path[:0] = [".", ".."]

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
# ($\theta$ stands for the model's *parameters*, such as the weights of a decoder.) This *naive
# Monte Carlo* estimate is *unbiased*: each term has the mean $p_\theta(x)$, and so has the average.
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
# $x$ be 1, and raise $L$. Draw a thousand samples each time, and repeat all of it 400 times.

# %%
def errors(L, v, K, rng, runs=400):
    """log of eq. (1) - log p(x), nats, for K draws in each run; every x_i is 1."""
    x = np.ones(L)
    sums = [log_sum_exp(log_likelihood(x, rng.standard_normal((K, L)), v)) for _ in range(runs)]
    return np.array(sums) - np.log(K) - log_evidence(x, v)


rng = np.random.default_rng(2)
for L in (1, 5, 10, 20, 50):
    off = errors(L, 0.25, 1000, rng)
    print(f"L = {L:2}: median error {np.median(off):6.2f} nats, {np.mean(off < 0):6.1%} too low")

# %% [markdown]
# At twenty latents nearly every estimate is too low, at fifty every one. Eq. (1) is unbiased all
# the same: rare draws that count for enormously much make its mean right, and few runs meet them.
#
# Is the number of latents to blame? **Predict first.** Fifty latents behind noise of variance 100,
# or one latent behind noise of variance $10^{-10}$: where do a thousand draws not suffice?
# (`"fifty"`, `"one"` or `"both"`)

# %%
predict("02.which-misses", ...)

# %%
for L, v in ((50, 100.0), (1, 1e-10), (50, 0.25)):
    off = errors(L, v, 1000, rng)
    print(f"L = {L:2}, v = {v:5g}: median size of the error {np.median(abs(off)):10.3f} nats")

# %%
reveal("02.which-misses")

# %% [markdown]
# What counts is how much $x$ tells about $z$. Completing the square in
# $\log p(z) + \log p_\theta(x\mid z)$ shows that each latent's posterior is Gaussian, with mean
# $m = x / (1 + v)$ and variance $S = v / (1 + v)$: nearly the prior if $v$ is large, narrow if $v$
# is small. The *Kullback-Leibler divergence* measures how far apart two distributions are, by the
# average of a log ratio over the first:
#
# $$
# \mathrm{KL}(q \Vert p) = \mathbb{E}_{z \sim q}\!\left[\log\frac{q(z)}{p(z)}\right]
# $$
#
# Let $q$ be the posterior and $p$ the prior. Where the posterior's draws lie, it is typically about
# $e^{\mathrm{KL}}$ times as dense as the prior. So only about $e^{-\mathrm{KL}}$ of the prior's
# draws fall there, and the others add next to nothing: **the estimate begins to work at about
# $\exp \mathrm{KL}(\text{posterior} \Vert \text{prior})$ draws.** By Bayes' rule the log ratio is
# $\log p_\theta(x\mid z) - \log p_\theta(x)$; take it at draws of the posterior.

# %%
rng = np.random.default_rng(3)
asked = {}
for L, v in ((5, 0.25), (10, 0.25), (50, 2.0), (1, 1e-6), (20, 0.25), (50, 0.25)):
    x_all, m, S = np.ones(L), 1 / (1 + v), v / (1 + v)
    z = m + np.sqrt(S) * rng.standard_normal((100_000, L))
    ratio = log_likelihood(x_all, z, v) - log_evidence(x_all, v)
    asked[L, v] = np.exp(ratio.mean())
    print(f"L = {L:2}, v = {v:5g}: exp KL = {asked[L, v]:8.2g}, the log ratio scatters by "
          f"{ratio.std():.1f} nats")

# %%
fig, ax = plots.figure(5.6, 3.2)
for (L, v), marker in zip(list(asked)[:4], "osD^", strict=True):
    draws = np.round(asked[L, v] * 2.0 ** np.arange(-4, 5)).astype(int)
    sizes = [np.median(abs(errors(L, v, K, rng, runs=100))) for K in draws]
    ax.loglog(draws / asked[L, v], sizes, marker=marker, ms=4, label=f"L = {L}, v = {v:g}")
ax.axvline(1, color=plots.INK, lw=1, ls="--")
ax.axhline(1, color=plots.INK, lw=1, ls="--")
ax.set(xlabel="draws / exp KL(posterior || prior)", ylabel="median size of the error, nats")
ax.set_title("at about exp KL draws the error falls below a nat")
ax.legend(fontsize=8)
fig

# %% [markdown]
# A few fairly sharp latents, fifty vague ones and one very sharp one follow the same rule; the
# table's last row is out of reach. It is a rule to within a factor of about $e^s$, where $s$
# is the scatter of the log ratio (Chatterjee and Diaconis 2018, *The sample size required in
# importance sampling*).

# %% [markdown]
# ## 2.3  The log of an average
#
# Back to one latent, where eq. (1) works well. We need the log of $p_\theta(x)$. So: take the log
# of the average? **Predict first.** Averaged over many repetitions, will $\log \hat p_K(x)$ come
# out too low, right, or too high? (`"low"`, `"right"` or `"high"`)

# %%
predict("02.log-of-average", ...)

# %%
many_K = np.array([1, 3, 10, 30, 100, 300])
mean_off, error = np.zeros(6), np.zeros(6)                   # nats from log p(x)
rng = np.random.default_rng(4)
for i, K in enumerate(many_K):
    z = rng.standard_normal((2_000_000 // K, K, 1))
    raw = log_sum_exp(log_likelihood(x, z), axis=1) - np.log(K) - log_evidence(x)
    off = raw - np.expm1(raw)              # minus (estimate / p(x) - 1): its mean is 0, see below
    mean_off[i], error[i] = off.mean(), off.std() / np.sqrt(len(off))
    print(f"K = {K:3}: off by {mean_off[i]:+.4f} nats on average, standard error {error[i]:.5f}, "
          f"scatter cut by {1 - off.std() / raw.std():.0%}")

# %%
reveal("02.log-of-average")

# %% [markdown]
# Every mean lies below the truth. (What the cell subtracts has mean zero, because eq. (1) is
# unbiased. The mean stays, and scatter cancels, at large $K$ most of it, at $K = 1$ little: a
# *control variate*.)
#
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
#
# So $\mathbb{E}[\log \hat p_K(x)]$ is a lower bound of $\log p_\theta(x)$ for every $K$, and more
# draws never loosen it (Burda, Grosse and Salakhutdinov 2016, *Importance Weighted Autoencoders*).
# How wide is the gap? The next term of the log's Taylor series has the average
# $-\mathrm{Var}(w) / 2\mathbb{E}[w]^2$, and averaging $K$ draws divides the variance by $K$: to
# second order the gap shrinks as $1/K$.

# %%
fig, (left, right) = plots.figure(8, 3.3, 1, 2)
diagrams.jensen_gap(left, 0.4, 3.6)                                    # two equally likely w
second = likelihoods.var() / (2 * likelihoods.mean() ** 2 * many_K)                # from 2.1
right.plot(many_K, -mean_off, "o", color=plots.BLUE, ls="none", label="measured")
right.plot(many_K, second, color=plots.GREY, ls="--", label="second order: Var(w) / 2 E[w]²")
right.set(xscale="log", yscale="log", xlabel="samples K", ylabel="gap, nats")
right.set_title("from K = 30 on, the gap falls as 1/K")
right.legend(fontsize=8)
fig

# %% [markdown]
# (Standard errors are smaller than the dots.) The line is right where $w$ scatters little about its
# mean. Where it scatters much, as at $K = 1$, the variance does not even tell which of two gaps is
# the wider, as the next table shows.

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
# do. So $q_\phi$ should be close to the posterior. But close in which sense? Ten latents, and the
# same $N(\mu, \sigma^2)$ for each of them:

# %%
ones = np.ones(10)
m, S = 1 / 1.25, 0.25 / 1.25                                 # the posterior of each latent


def log_w(z, mu, sigma2):
    """log w - log p(x), nats: z (..., 10) -> (...)."""
    log_joint = log_likelihood(ones, z) + log_normal(z, 0.0, 1.0)
    return log_joint - log_normal(z, mu, sigma2) - log_evidence(ones)


def draw(mu, sigma2, *shape):
    return mu + np.sqrt(sigma2) * rng.standard_normal((*shape, 10))


choices = {
    "prior N(0, 1)": (0.0, 1.0),
    "wide N(0.6, 0.35)": (0.6, 0.35),
    "narrow N(0.8, 0.09)": (0.8, 0.09),
    "N(0.8, 0.11)": (0.8, 0.11),
    "posterior N(0.8, 0.2)": (m, S),
}

# %% [markdown]
# For each $q_\phi$, compute Jensen's gap at $K = 1$; the weights' mean square
# $\mathbb{E}[w^2] / p_\theta(x)^2$, which is 1 if they are constant; the KL of 2.2, with $q_\phi$
# for the prior; and, as in 2.2, the median size of the error of $\log \hat p_K(x)$ for four $K$.
# **Predict first.** Which of the two comes closer with 30 draws? (`"wide"` or `"narrow"`)

# %%
predict("02.wide-or-narrow", ...)

# %%
def three_numbers(mu, sigma2):
    """gap, E_q[w^2] / p(x)^2 and KL(posterior || q), by integrals over each of the ten latents."""
    z, dz = np.linspace(-15, 15, 30_001, retstep=True)
    log_q, log_p = (log_normal(z[:, None], *normal) for normal in ((mu, sigma2), (m, S)))
    gap = 10 * (np.exp(log_q) * (log_q - log_p)).sum() * dz
    backward = 10 * (np.exp(log_p) * (log_p - log_q)).sum() * dz
    if sigma2 <= S / 2:
        return gap, np.inf, backward                         # explained below
    return gap, (np.exp(2 * log_p - log_q).sum() * dz) ** 10, backward


def sizes(logs):
    """Median size of the error of log p_hat_K, nats, for four K; logs: log w - log p(x)."""
    errors_at = (log_sum_exp(logs.reshape(-1, K), axis=1) - np.log(K) for K in (1, 3, 30, 300))
    return [np.median(abs(off)) for off in errors_at]


def row(name, gap, square, backward, *medians):
    print(f"{name:21} {gap:8.3f} {square:10.2f} {backward:16.3f}   ",
          *(f"{size:6.2f}" for size in medians))


head = f"""q                       gap at   E[w²]/p²  KL(posterior||q)   median error at
{'K = 1':>29}{'K = 1':>36}{'3':>7}{'30':>7}{'300':>7}"""

# %%
rng = np.random.default_rng(6)
print(head)
for name, q in choices.items():
    row(name, *three_numbers(*q), *sizes(log_w(draw(*q, 300_000), *q)))

# %%
reveal("02.wide-or-narrow")

# %% [markdown]
# **Who wins changes with $K$.** With one draw the narrow $q_\phi$ comes closer than the wide one,
# with thirty or three hundred less close. The three numbers say three things:
# - At $K = 1$ the estimate is $\log w$. In this table the gap goes with its error: the narrow one
#   has the smaller gap, although the variance of its weights is infinite.
# - $\exp \mathrm{KL}(\text{posterior}\Vert q_\phi)$ says about when the estimate begins to work.
#   The prior has not begun at 300 draws; the others have at thirty.
# - The mean square says how well it works in the end: once $K$ is far above it, the standard
#   deviation is about $\sqrt{(\mathbb{E}[w^2]/p^2 - 1)/K}$, and the median size of a Gaussian error
#   two thirds of that. For the wide one this gives the last column; for $N(0.8, 0.11)$, $K = 300$
#   is not enough, and for the narrow one no $K$ is.
#
# Why infinite? In one latent, let $q_\phi$ have the posterior's mean $m$. Then
#
# $$
# w \propto \exp\!\left(\tfrac12\Big(\frac{1}{\sigma^2} - \frac{1}{S}\Big)(z - m)^2\right),
# \qquad
# \mathbb{E}_{q_\phi}[w^2] \propto \int \exp\!\left(\tfrac12\Big(\frac{1}{\sigma^2} -
# \frac{2}{S}\Big)(z - m)^2\right) dz ,
# $$
#
# which is finite only for $\sigma^2 > S/2 = 0.1$. Otherwise no standard error can be trusted.

# %%
rng = np.random.default_rng(7)
fig, (left, right) = plots.figure(8, 3, 1, 2)
line = np.linspace(-1.5, 2.7, 300)[:, None]
ranks = np.unique(np.geomspace(1, 1_000_000, 80).astype(int))
for name, color, dash in (("posterior N(0.8, 0.2)", plots.INK, "-"),
                          ("wide N(0.6, 0.35)", plots.BLUE, "-."),
                          ("narrow N(0.8, 0.09)", plots.RED, "--")):
    q = choices[name]
    left.plot(line, np.exp(log_normal(line, *q)), color=color, ls=dash, label=name)
    if color != plots.INK:                                   # its weights are all the same
        ratio = np.sort(np.exp(log_w(draw(*q, 1_000_000), *q)))[::-1]
        right.loglog(ratio[ranks - 1], ranks / 1e6, color=color, ls=dash)
        print(f"{name}: the largest of a million weights is {ratio[0]:,.0f} p(x)")
left.set(xlabel="z, one of the ten", ylabel="density", ylim=(0, 1.9))
left.set_title("the narrow q leaves out the flanks")
left.legend(fontsize=8, loc="upper left")
right.set(xlabel="weight, in units of p(x)", ylabel="share of weights above", xlim=(0.03, 3e4))
right.set_title("its weights have a heavy tail")
fig

# %% [markdown]
# The wide one's weights are bounded. The narrow one's curve goes on as nearly a straight line, a
# *heavy tail*: rare draws in the posterior's flanks carry weights of thousands.

# %% [markdown]
# ## 2.5  The bound and its gap
#
# Take the log of eq. (3), and move it inside by Jensen. This is the *evidence lower bound*, the
# **ELBO**: the mean of $\log w$, the estimate at $K = 1$. With
# $p_\theta(x, z) = p_\theta(z\mid x)\,p_\theta(x)$ its gap has a name:
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
# **The gap is a KL**, from $q_\phi$ to the posterior. A KL is never negative, by Jensen again:
# $-\mathrm{KL}(q\Vert p) = \mathbb{E}_q[\log (p/q)] \le \log \mathbb{E}_q[p/q] \le \log 1$, where
# the last average adds up $p$ wherever $q$ is not zero. And it is zero only if the two are the
# same. (Where $q_\phi$ is zero and $p_\theta(x, z)$ is not, $\mathbb{E}_{q_\phi}[w]$ misses a part
# of $p_\theta(x)$: the first $=$ becomes $\ge$, and the ELBO is still a bound.)
#
# So the first column of the table in 2.4 **is the ELBO's gap**, the one number of the three that
# prefers the narrow $q_\phi$. Why then maximise the ELBO? As $\log p_\theta(x)$ does not depend on
# $\phi$, raising the ELBO narrows the gap without knowing either. But $\mathbb{E}[w^2]$ is an
# average over $q_\phi$ too, and draws of $q_\phi$ estimate even
# $\mathrm{KL}(\text{posterior}\Vert q_\phi)$, if each counts in proportion to its weight. Do it,
# 300 times with 1000 draws:

# %%
rng = np.random.default_rng(8)
for name, q in list(choices.items())[:4]:
    logs = log_w(draw(*q, 300, 1000), *q)                              # log w - log p(x)
    w, elbos = np.exp(logs), logs.mean(axis=1)
    squares = (w**2).mean(axis=1)
    backwards = (w * logs).sum(axis=1) / w.sum(axis=1) - np.log(w.mean(axis=1))
    gap, square, backward = three_numbers(*q)                          # printed in brackets
    print(f"{name:20} gap {-elbos.mean():6.3f} ± {elbos.std():.3f} ({gap:6.3f})   median: "
          f"E[w²]/p² {np.median(squares):4.1f} ({square:6.1f}), "
          f"KL {np.median(backwards):.2f} ({backward:.2f})")

# %% [markdown]
# Where $q_\phi$ is bad, the draws that count most are mostly missing: the typical estimate of the
# other KL is too low, that of $\mathbb{E}[w^2]$ far too low. The ELBO averages the *log* of $w$:
# **of the three, only the ELBO can be estimated at a bad $q_\phi$**, and a search starts at one.
# One draw of $\log w$ estimates it without bias; its gradient can be estimated too (notebook 04).
#
# In numbers: the patient of notebook 01 has cough and fever, and averages are sums over 32
# combinations of diseases. Let $q_\phi$ keep the diseases independent, so that $\phi$ is five
# probabilities: each disease's own posterior probability, its *marginal*; or the five with the
# highest ELBO, found by *coordinate ascent* (an exercise): with four held, there is a formula for
# the best value of the fifth; go round until nothing moves. (In general
# this may end at a local optimum.) **Predict first.** Are these the marginals? (`"yes"` or `"no"`)

# %%
predict("02.best-five", ...)

# %%
model = exact.diagnosis()
found = {"cough": 1, "fever": 1}
log_joint = exact.log_joint(model, found)                              # log p(x, z): (32,)
log_px = log_sum_exp(log_joint)
p_posterior = np.exp(log_joint - log_px)                               # p(z|x): (32,)
marginals = np.array(list(exact.disease_probabilities(model, found).values()))
best = exact.best_independent(model, found)
print(" " * 21, *(f"{name:>10}" for name in model.diseases))
for name, p in (("posterior marginals", marginals), ("best independent", best)):
    print(f"{name:21}", *(f"{p_i:10.3f}" for p_i in p))

# %%
reveal("02.best-five")

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
          f"{bounds[name] + gaps[name]:.3f}    log p(x) {log_px:.3f}")

# %%
fig, ax = plots.figure(6.6, 3.2)
labels = [name.replace(" ", "\n", 1) for name in five]
ax.bar(labels, list(gaps.values()), 0.5, bottom=list(bounds.values()), color=plots.ORANGE,
       hatch="//", edgecolor="white", label="KL(q || posterior), hung on the ELBO")
ax.plot(labels, list(bounds.values()), "o", ls="none", color=plots.BLUE, label="ELBO")
ax.axhline(log_px, color=plots.INK, lw=1.2, ls="-", label="log p(x)")
ax.set(ylabel="nats", ylim=(-7, -2.8), title="ELBO + KL = log p(x), whatever q is")
ax.legend(loc="lower right", fontsize=8)
fig

# %%
rng = np.random.default_rng(10)
print(head)
for name in ("prior", "posterior marginals", "best independent", "posterior"):
    q, log_ratio = five[name], np.log(p_posterior / five[name])        # log w - log p(x)
    row(name, gaps[name], p_posterior @ np.exp(log_ratio), p_posterior @ log_ratio,
        *sizes(log_ratio[rng.choice(32, 3_000_000, p=q)]))

# %% [markdown]
# The bars all reach $\log p_\theta(x)$; only the division moves. Why do the marginals leave a gap,
# when each disease has its right probability? After looking at $x$ the diseases are not independent
# (explaining away), which costs every independent $q_\phi$ at least the gap of the best one. For
# the rest, right marginals are not what this KL asks for: among independent $q_\phi$ they minimise
# the *other* one (third column). The best one commits to the flu. **Raising the ELBO has made it
# too sure**, the discrete form of too narrow: for one draw it is the better place to draw from,
# for thirty the worse. Notebook 03 looks into the two directions of the KL.

# %% [markdown]
# ## 2.6  Which form can be computed?
#
# The gap of eq. (4) contains the posterior, which we do not have. But split
# $p_\theta(x, z) = p_\theta(x\mid z)\,p(z)$ in its first line (the *product rule*). The average of
# a sum is the sum of the averages (*linearity*), and only known things remain:
#
# $$
# \text{ELBO} = \mathbb{E}_{q_\phi}\big[\log p_\theta(x\mid z)\big]
# - \mathrm{KL}\big(q_\phi(z) \,\Vert\, p(z)\big) \tag{5}
# $$
#
# How well do $q_\phi$'s causes explain $x$, minus how far is $q_\phi$ from the prior. A VAE uses
# this form: minus the first term is `nll`, the second is `kl`, and `loss = nll + kl` is minimised.
# Or split off only $q_\phi$:
#
# $$
# \text{ELBO} = \mathbb{E}_{q_\phi}\big[\log p_\theta(x, z)\big] + H(q_\phi),
# \qquad H(q_\phi) = -\mathbb{E}_{q_\phi}[\log q_\phi(z)] \tag{6}
# $$
#
# The *entropy* $H$ rewards $q_\phi$ for spreading out. Mind the **two KLs**: the one in eq. (4) is
# the gap, and zero is perfect; the one in eq. (5) is a price, and zero means that $q_\phi$ has not
# looked at $x$. With the posterior as $q_\phi$ it is the KL of 2.2.
#
# Eqs. (5) and (6) are one sum in two orders, so that they agree proves little. Independent tests
# are sampling, and eq. (4) if its evidence and posterior come from elsewhere: here from the
# package, while $p_\theta(x\mid z)$ is computed anew by notebook 01's eq. (2). The second time,
# plant a mistake: a leak that is ten times too small.

# %%
patients = exact.patients(model)                                       # every z: (32, 5)
prior = np.where(patients == 1, model.prior, 1 - model.prior).prod(axis=1)
spared = np.where(patients[:, :, None] == 1, 1 - model.cause[:, :2], 1).prod(axis=1)
q = five["posterior marginals"]
print(f"eq. (4), from the package    {log_px - q @ np.log(q / p_posterior):.10f}")
for name, leak in (("right", model.leak[:2]), ("the leak at a tenth", model.leak[:2] / 10)):
    likelihood = (1 - (1 - leak) * spared).prod(axis=1)      # p(cough, fever | z): (32,)
    print(f"eq. (5), {name:19} {q @ np.log(likelihood) - q @ np.log(q / prior):.10f}")

# %% [markdown]
# The right one agrees, and the mistake shows.
#
# All of this holds for densities too, with integrals for sums. Take one latent of the model of 2.1
# and $q_\phi = N(\mu, \sigma^2)$; let $\phi$ be `mu` and `logvar` $= \log\sigma^2$. Then the mean
# square around any $c$ is $\mathbb{E}[(z - c)^2] = (\mu - c)^2 + \sigma^2$, and eq. (6) becomes
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


x = np.array([1.0])
linear = exact.Linear(W=np.eye(1), b=np.zeros(1), variance=0.25)           # x = z W + b + noise
faces = exact.linear_faces(linear, x[None], np.array([[0.3]]), np.array([[0.5]]))
print("the package's eq. (4) agrees:", np.allclose(faces.evidence, elbo(0.3, np.log(0.5))))
print(f"q = prior:     ELBO {elbo(0.0, 0.0):.3f}; section 2.3 at K = 1: "
      f"{log_evidence(x) + mean_off[0]:.3f}, standard error {error[0]:.3f}")
print(f"q = posterior: ELBO {elbo(m, np.log(S)):.3f}; log p(x): {log_evidence(x):.3f}")

# %%
fig, ax = plots.figure(5.2, 3)
mu, logvar = np.meshgrid(np.linspace(-1.8, 2.2, 160), np.linspace(-4.5, 1, 120))
levels = log_evidence(x) - np.array([4, 2, 1, 0.5, 0.2, 0.05])
hill = ax.contour(mu, logvar, elbo(mu, logvar), levels, colors=plots.BLUE, linestyles="-")
ax.clabel(hill, fontsize=8, fmt="%.1f")
ax.plot(0, 0, "s", color=plots.RED, label="q = prior")
ax.plot(m, np.log(S), "o", color=plots.INK, label="q = posterior")
ax.set(xlabel="mu", ylabel="logvar", title="the ELBO, nats: its summit is log p(x)")
ax.legend(fontsize=8, loc="lower left")
fig

# %% [markdown]
# With $q_\phi$ the prior the KL in eq. (5) is zero, and what is left is the mean of the naive log
# estimate at $K = 1$. At the posterior the gap is zero.
#
# So **where the family of $q_\phi$ contains the posterior, maximising the ELBO over $\phi$ finds
# it**; otherwise it finds the member with the smallest gap, as for the patient. An integration has
# become an optimisation, which is what *variational* means. (Climb such a hill by hand: open
# [touch_the_bound.html](touch_the_bound.html) in a browser. Its straight decoder is this model with
# $x = 1.2$ and $v = 0.49$.)

# %% [markdown]
# ## 2.7  What is the encoder?
#
# Each $x$ has a landscape and a best $q_\phi$ of its own. The idea of the VAE: do not climb anew
# for every $x$, but let one network look at $x$ and answer with `mu` and `logvar`. This is the
# *encoder*. One writes $q_\phi(z\mid x)$, and $\phi$ are now its weights, shared by all $x$.

# %%
diagrams.decoder_and_encoder()

# %% [markdown]
# Solid: the story, from the hidden $z$ to the seen $x$. Dashed: a guess at which $z$ it was.
#
# What does the sharing cost? Draw twenty $x$ from the model of 2.1 with one latent. Each could have
# a `mu` and a `logvar` of its own, forty numbers. Let instead an encoder with three numbers,
# $\mu = a x + c$ and one `logvar`, climb the mean of the twenty ELBOs. **Predict first.** Will it
# end `"lower"` than with the forty numbers, or `"equal"`?

# %%
predict("02.encoder", ...)

# %%
def fit_encoder(x, features, v=0.25, lr=0.05, steps=2000):
    """mu = features @ phi and one logvar, by gradient ascent on the mean of eq. (7) over x."""
    phi, logvar = np.zeros(features.shape[1]), 0.0
    for _ in range(steps):
        mu = features @ phi
        dmu = (x - mu) / v - mu                              # of each ELBO
        dlogvar = 0.5 - 0.5 * np.exp(logvar) * (1 + 1 / v)
        phi = phi + lr * features.T @ dmu / len(x)
        logvar = logvar + lr * dlogvar
    return phi, logvar


twenty = np.random.default_rng(9).standard_normal(20) * np.sqrt(1.25)
own = elbo(twenty / 1.25, np.log(0.2), twenty).mean()                 # each its posterior
one = np.ones(20)
for name, seen in (("x", twenty), ("the sign of x", np.sign(twenty))):
    features = np.stack([seen, one], axis=1)
    phi, logvar = fit_encoder(twenty, features)
    shared = elbo(features @ phi, logvar, twenty).mean()
    print(f"sees {name:13} a = {phi[0]:.3f}, c = {phi[1] + 0.0:.3f}, sigma^2 = "
          f"{np.exp(logvar):.3f}, mean ELBO {shared:.3f}, lower by {own - shared:.3f}")

# %%
reveal("02.encoder")

# %% [markdown]
# The mean ELBO with the family's best $q$ for each $x$, minus that of the encoder, is the
# *amortization gap* (Cremer, Li and Duvenaud 2018, *Inference Suboptimality in Variational
# Autoencoders*). Sharing alone costs nothing here; what costs is not giving every $x$ its best
# $q$: the second encoder has one answer for all $x$ of a sign. (With a network as the
# decoder the average in eq. (5) is estimated from draws of $q_\phi$, see notebook 04.)
#
# This is the VAE of Kingma and Welling 2014, *Auto-Encoding Variational Bayes*. With
# $q_\phi(z\mid x)$ for $q_\phi(z)$, our eq. (4) is their (1), its first line their (2), and our (5)
# their (3). They write $\mathcal{L}(\theta, \phi; x)$ for the ELBO, and $p_\theta(z)$ for the
# prior, to allow it parameters too.

# %% [markdown]
# ## 2.8  What does a step up the ELBO do to log p(x)?
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
# `logvar` to be learned. With $x - Wz$ in the place of eq. (7)'s $x - z$,
#
# $$
# \text{ELBO} = -\tfrac12\big(\log 2\pi + (1 - W a)^2 x^2 + W^2 \sigma^2\big)
# - \tfrac12\big(a^2 x^2 + \sigma^2 - 1 - \log \sigma^2\big) \tag{8}
# $$
#
# Start at $W = 1$ with an encoder that knows nothing, $a = 0$ and $\sigma^2 = 1$. First hold the
# encoder and move only $W$, by a tenth of its derivative.

# %%
x2 = 9.0                                                     # x^2, for both points


def elbo_at(W, a, logvar):
    sigma2 = np.exp(logvar)                                  # eq. (8)
    fit = -0.5 * (np.log(2 * np.pi) + (1 - W * a) ** 2 * x2 + W**2 * sigma2)
    return fit - 0.5 * (a**2 * x2 + sigma2 - 1 - logvar)


def log_px_at(W):
    return -0.5 * np.log(2 * np.pi * (W**2 + 1)) - 0.5 * x2 / (W**2 + 1)


def gradient(W, a, logvar):
    """The derivatives of eq. (8) by W, a and logvar."""
    sigma2 = np.exp(logvar)
    left = (1 - W * a) * x2
    return np.array([a * left - W * sigma2, W * left - a * x2,
                     0.5 * (1 - sigma2 - W**2 * sigma2)])


# %%
start = np.array([1.0, 0.0, 0.0])
W = start[0] + 0.1 * gradient(*start)[0]
elbo_change = elbo_at(W, 0.0, 0.0) - elbo_at(*start)
px_change = log_px_at(W) - log_px_at(start[0])
print(f"W from 1 to {W:.1f}: ELBO {elbo_change:+.4f}, log p(x) {px_change:+.4f} nats, "
      f"so the gap {px_change - elbo_change:+.4f}")
package = exact.ascent_that_lowers_evidence()                          # by the package's gradient
print("our new log p(x) and the package's agree:",
      np.allclose(package["log p(x) after"], log_px_at(W)))

# %%
reveal("02.elbo-up")

# %% [markdown]
# The ELBO gained because the gap shrank by more than $\log p_\theta(x)$ fell. To a $q_\phi$ that
# knows nothing of $x$ the signal $Wz$ is noise: with a smaller $W$ the posterior comes closer to
# this $q_\phi$. If the gap is closed before $\theta$ moves, this cannot happen: the ELBO starts at
# $\log p_\theta(x)$, which ends at least as high as the ELBO. Taking turns is the *EM algorithm*.
#
# A VAE moves everything at once, by small steps. How deep is the dip then, and does it last? Climb
# with a hundredth of that step, from two widths that are learned, and with three that are held.

# %%
def climb(steps, lr, learned=(1, 1, 1), logvar=0.0):
    """Gradient ascent on the ELBO -> (steps + 1, 3): W, a, logvar. learned: 1 or 0 for each."""
    path = [np.array([1.0, 0.0, logvar])]
    for _ in range(steps):
        path.append(path[-1] + lr * np.array(learned) * gradient(*path[-1]))
    return np.array(path)


free = climb(60_000, 0.001)
for name, path in (("steps of 0.001", free), ("steps of 0.0001", climb(500, 0.0001)),
                   ("0.001, from logvar = 2", climb(60_000, 0.001, logvar=2.0))):
    dip = log_px_at(path[:, 0]) - log_px_at(1.0)
    print(f"{name:22}: log p(x) falls by {-dip.min():.4f} nats, until step {dip.argmin()}")
print("the ELBO of the climb never falls:", (np.diff(elbo_at(*free.T)) > -1e-12).all())
ends = {"learned": free[-1]}
for name, held in (("held at 1", 1.0), ("held at 1/9", 1 / 9), ("held at 0.05", 0.05)):
    ends[name] = climb(60_000, 0.001, (1, 1, 0), np.log(held))[-1]
for name, end in ends.items():
    print(f"sigma^2 {name:12} ends at W = {end[0]:.3f}, ELBO {elbo_at(*end):.4f}, "
          f"log p(x) {log_px_at(end[0]):.4f} nats")

# %%
fig, (left, middle, right) = plots.figure(8.4, 2.7, 1, 3)
steps = np.arange(1, len(free))
left.semilogx(steps, log_px_at(free[1:, 0]), color=plots.INK, label="log p(x)")
left.semilogx(steps, elbo_at(*free[1:].T), color=plots.BLUE, ls="--", label="ELBO")
left.set(xlabel="step of 0.001", ylabel="nats, mean of the two points", title="the whole climb")
middle.plot(log_px_at(free[:61, 0]), color=plots.INK, label="log p(x)")
middle.axhline(log_px_at(1.0), color=plots.GREY, lw=1, ls=":", label="at the start")
middle.set(xlabel="step of 0.001", title="its first 60 steps: the dip")
for ax in (left, middle):
    ax.legend(fontsize=8, loc="lower right")
Ws = np.linspace(0, 6, 200)
best_a = Ws / (1 + Ws**2)                                    # at width 1, for each W
right.plot(Ws, log_px_at(Ws), color=plots.INK)
right.plot(Ws, elbo_at(Ws, best_a, 0.0), color=plots.RED, ls="--")
for name, color in (("learned", plots.INK), ("held at 1", plots.RED)):
    right.plot(ends[name][0], elbo_at(*ends[name]), "o", color=color)
right.annotate("log p(x)", (4.2, -2.4))
right.annotate("ELBO at width 1,\nwith the best a", (2.5, -4.4), color=plots.RED)
right.set(xlabel="W (dots: where the climbs end)", ylim=(-6, -2.1))
right.set_title("width 1 moves the summit")
fig

# %% [markdown]
# From $\sigma^2 = 1$ the dip is shallow and short; from the wider $q_\phi$ it is fifty times as
# deep. With the width learned the climb ends at the best $W$, $\sqrt 8$: moving $\theta$ and $\phi$
# together did no lasting harm here. With the width held at 1 or 0.05 it ends at another, where the
# restricted $q_\phi$ is closer to the posterior. **This bias comes from what $q_\phi$ cannot
# reach** (Turner and Sahani 2011, *Two problems with variational expectation maximisation for
# time-series models*). If $q_\phi$ can reach the posterior of some best $\theta$, the summit stays
# there: so at 1/9, the posterior's variance at $\sqrt 8$, and for a linear decoder and independent
# Gaussians, because among all rotations of the best $W$ one has a diagonal posterior (Lucas et al.
# 2019, *Don't Blame the ELBO! A Linear VAE Perspective on Posterior Collapse*).

# %% [markdown]
# ## Recap
#
# - $\exp \mathrm{KL}(\text{posterior}\Vert q_\phi)$: about how many draws of $q_\phi$ it takes to
#   estimate $p_\theta(x)$. $\mathbb{E}[w^2]$: how well they do in the end; infinite for a Gaussian
#   $q_\phi$ below half the posterior's variance.
# - $\log p_\theta(x) \ge$ ELBO, by Jensen, eq. (2); the gap is
#   $\mathrm{KL}(q_\phi \Vert p_\theta(z\mid x))$, eq. (4).
# - A VAE computes eq. (5), reconstruction minus a KL to the prior. Its encoder gives every $x$ a
#   $q_\phi(z\mid x)$; what an encoder loses against the best $q_\phi$ for each $x$ is
#   the amortization gap.
# - The ELBO may rise while $\log p_\theta(x)$ falls, and a restricted $q_\phi$ may move its summit.
#
# ## Exercises
#
# `check` shows the smallest input where an answer is wrong; `hint("02.sharing")` gives a nudge.

# %% [markdown]
# **The variance of the weights.** Section 2.4 took an integral. Find the formula, for one latent
# and any mean.

# %%
def weight_variance(mu, sigma2, m, S):    # q = N(mu, sigma2), the posterior N(m, S): floats
    ...                                   # -> Var(w) / p(x)^2 under q: one float, or np.inf


check("02.weight-variance", weight_variance)

# %% [markdown]
# **Which q to draw from?** A smaller gap is one thing, better draws are another:

# %%
# One latent, posterior N(-0.4, 0.5). Give two q, each as (mu, sigma2): the first with the
# smaller gap KL(q || posterior), the second with the smaller variance of its weights.
# Neither variance may be infinite: [(mu_1, sigma2_1), (mu_2, sigma2_2)]
two_qs = ...

check("02.two-qs", two_qs)

# %% [markdown]
# **Jensen backwards.** From the gap to the weights:

# %%
def weights_with_gap(gap):    # log E[w] - E[log w], nats, above 0
    ...                       # -> two equally likely weights whose mean is 1: floats,
                              #    the smaller one first


check("02.weights-with-gap", weights_with_gap)

# %% [markdown]
# **The best independent q.** Hold all probabilities but that of $z_i$, write the ELBO as a function
# of this one, and find its highest point. Start at 1/2 each, and go round until nothing moves by
# more than $10^{-8}$. (In general this finds a local optimum. Here it is the best.)

# %%
def best_independent(log_joint, z):    # log p(x, z) (Z,); every z, of 0 and 1: (Z, n)
    ...                                # -> q(z_i = 1) of the best independent q: (n,)


check("02.best-independent", best_independent)

# %% [markdown]
# **Find the bug**, and mend it.

# %%
def repo_elbo(q, prior, likelihood):
    # "How well q's causes explain x, minus how far q is from the prior."
    # Yet at the posterior this lower bound lies above log p(x).
    fit = np.log((q * likelihood).sum())
    kl = (q * np.log(q / prior)).sum()
    return fit - kl


check("02.bug", repo_elbo)

# %% [markdown]
# **The price of sharing.** In section 2.8 a climb found the best encoder of a linear decoder. Find
# it by setting derivatives to zero, when every $x_n$ has noise of its own variance $v_n$, which the
# encoder $N(a x, \sigma^2)$ does not see. What is its amortization gap?

# %%
def shared_encoder(x, v, W):    # z_n ~ N(0, 1), x_n|z_n ~ N(W z_n, v_n): (N,), (N,), float
    ...    # -> the a and sigma2 with the highest mean ELBO, and how far this is below the
           #    mean ELBO with a Gaussian of its own for every x_n: three floats


check("02.sharing", shared_encoder)

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
