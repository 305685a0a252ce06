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
# - take the gradient of an average over random draws in two ways, for other distributions than the
#   Gaussian too, and say when each is right (`04.logistic`, `04.yes-or-no`, `04.allowed`);
# - compare how far the two scatter, and mend a baseline that spoils a gradient (`04.winners`,
#   `04.bug`, `04.factor`, `04.variances`);
# - code the two lines that carry a gradient back through a sample, and test that the sample is what
#   was meant (`04.reparameterize`, `04.reparameterize-backward`, `04.sampler-test`, `04.ends`);
# - use the exact posterior and density of a linear Gaussian model (`04.posterior`, `04.same-cat`);
# - derive the gradient of a linear VAE, and train it until its ELBO meets the highest
#   $\log p(x)$ (`04.linear-vae`, `04.train`).
#
# **Builds on** notebook 02 (the ELBO) and notebook 03 (the KL and its gradient); 4.9 also uses the
# inverse and the determinant of a matrix. Reading time: 40 minutes. The ten core exercises take
# three hours more. Sections 4.11 to 4.15 are an optional appendix of half an hour; no later
# notebook needs them.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]

from functools import partial
from statistics import NormalDist

import numpy as np

from minivae import exact, plots
from minivae.gradcheck.differences import central_differences
from minivae.exercises import check, hint, predict, recall, reveal, solution

plots.notebook_style()
rng = np.random.default_rng(4)

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("04", ..., ..., ...)

# %% [markdown]
# ## 4.1  What is the gradient of something random?
#
# The ELBO has two parts: an average over draws from $q$, $\mathbb{E}_{z\sim q}[\log p(x\mid z)]$,
# and a KL. Training needs the gradient of both with respect to $q$'s parameters, `mu` and `logvar`;
# its two parts we call `dmu` and `dlogvar`. For the KL, notebook 03 has them. The average has no
# closed form, in general, where the decoder is a network.
#
# Take a small stand-in for the decoder whose answer is known, $f(z) = \tfrac12(z-3)^2$: a penalty
# for being far from 3. With $z \sim N(\mu, \sigma^2)$, the distance from 3 has mean $\mu - 3$ and
# variance $\sigma^2$, and a mean square is a squared mean plus a variance:
#
# $$
# \mathbb{E}_q[f(z)] = \tfrac12\left((\mu-3)^2 + \sigma^2\right),
# \qquad \texttt{dmu} = \mu - 3,
# \qquad \texttt{dlogvar} = \tfrac12\sigma^2 .
# $$
#
# Pretend not to know this. You have a program that draws, and averages $f$ over the draws:

# %%
def f(z):
    return 0.5 * (z - 3) ** 2


def average_f(mu, logvar, generator, K=200):
    """The average of f over K draws from N(mu, exp(logvar))."""
    return f(generator.normal(mu, np.exp(logvar / 2), K)).mean()


mu, logvar = 1.0, np.log(0.8**2)
sigma = np.exp(logvar / 2)
exact_dmu, exact_dlogvar = mu - 3, 0.5 * sigma**2
print(f"exact: dmu {exact_dmu:+.2f}, dlogvar {exact_dlogvar:+.2f}")

# %% [markdown]
# Plot it for several `mu`: once drawing *afresh* at each point, once starting the generator from
# the *same seed* each time.

# %%
mus = np.linspace(0.8, 1.2, 21)
fig, ax = plots.figure(4.6, 2.2)
afresh = [average_f(at, logvar, rng) for at in mus]
held = [average_f(at, logvar, np.random.default_rng(7)) for at in mus]
ax.plot(mus, afresh, color=plots.RED, marker=".", ls="-", lw=1, label="fresh draws at each point")
ax.plot(mus, held, color=plots.BLUE, ls="-", label="the same draws at each point")
truth = 0.5 * ((mus - 3) ** 2 + sigma**2)
ax.plot(mus, truth, color=plots.INK, ls="--", lw=1, label="exact")
ax.set(xlabel="mu", ylabel="average of f", ylim=(1.7, 3.4), title="averages of 200 draws")
ax.legend(loc="upper right", fontsize=8)
fig

# %% [markdown]
# With fresh draws, neighbouring points differ by luck more than by `mu`. With the draws held still,
# all points share their luck: the curve may lie too high or too low, but its slope is about right.
# What does that mean for differences? We repeat both 500 times. *Scatter* will mean the standard
# deviation of an estimate over repetitions; that of their mean is printed after `+-`.

# %%
def difference(right, left, step=0.001):
    """dmu from two averages. Two generators with the same seed give both the same draws."""
    rise = average_f(mu + step, logvar, right) - average_f(mu - step, logvar, left)
    return rise / (2 * step)


def mean_and_error(estimates):
    return f"{np.mean(estimates):+7.3f} +- {np.std(estimates) / np.sqrt(np.size(estimates)):.3f}"


from_seed = np.random.default_rng
fresh = [difference(rng, rng) for _ in range(500)]
same = [difference(from_seed(seed), from_seed(seed)) for seed in range(500)]
print(f"fresh draws: mean {mean_and_error(fresh)}, scatter {np.std(fresh):6.2f}")
print(f"same seed:   mean {mean_and_error(same)}, scatter {np.std(same):6.2f}")

# %% [markdown]
# The difference divides the luck of fresh draws by the small `2 * step`. The next two sections find
# `dmu` without differences: first from values of $f$ alone, then from its slope.

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
# The same holds for `logvar`. Other distributions need a condition, which comes in 4.6; for a
# discrete $z$, sums take the place of the integrals.
#
# The derivative of $\log q$ with respect to a parameter is called the *score*. For a Gaussian,
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
# The estimate has several names: *score function*; *likelihood ratio*; *log-derivative trick*,
# after the step in the middle; and REINFORCE, in reinforcement learning, where $f$ is a reward
# (Williams 1992, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement
# Learning").

# %%
def score_function(z, f_of_z, mu, logvar):
    """eq. (1) before averaging: one estimate of (dmu, dlogvar) for each draw z."""
    variance = np.exp(logvar)
    return f_of_z * (z - mu) / variance, f_of_z * ((z - mu) ** 2 / variance - 1) / 2


z = rng.normal(mu, sigma, 100_000)
dmu, dlogvar = score_function(z, f(z), mu, logvar)
print(f"dmu:     score function {dmu.mean():+.2f}, exact {exact_dmu:+.2f}")
print(f"dlogvar: score function {dlogvar.mean():+.2f}, exact {exact_dlogvar:+.2f}")

# %% [markdown]
# ## 4.3  Second answer: follow the sample
#
# What did the same seed do? NumPy's `normal` draws standard noise and then shifts and scales it:

# %%
eps = np.random.default_rng(7).standard_normal(5)
z = np.random.default_rng(7).normal(mu, sigma, 5)
print("mu + sigma * eps is what normal() drew:", np.allclose(mu + sigma * eps, z))

# %% [markdown]
# So the randomness, `eps`, does not depend on the parameters; they come in afterwards, in a formula
# that can be differentiated. In general, let $z = T(\mu, \varepsilon)$, where the distribution of
# $\varepsilon$ contains no $\mu$. Then the average is over $\varepsilon$, the derivative passes
# inside it (4.6 says when it may), and the chain rule carries it through $f$ to $z$:
#
# $$
# \frac{\partial}{\partial\mu}\,\mathbb{E}_q[f(z)]
# = \frac{\partial}{\partial\mu}\,\mathbb{E}_\varepsilon\big[f(T(\mu,\varepsilon))\big]
# = \mathbb{E}_\varepsilon\!\left[f'(z)\,\frac{\partial z}{\partial\mu}\right] \tag{2}
# $$
#
# For the Gaussian of a VAE, with $\varepsilon \sim N(0, 1)$:
#
# $$
# z = \mu + \sigma\,\varepsilon, \qquad \sigma = e^{\texttt{logvar}/2} \tag{3}
# $$
#
# Each draw travels along a path as $\mu$ and $\sigma$ change, hence the name *pathwise*. Rewriting
# a draw as a function of parameters and fixed noise is the **reparameterization trick**: Kingma and
# Welling 2014, "Auto-Encoding Variational Bayes", where the variational autoencoder gets its name,
# and Rezende, Mohamed and Wierstra 2014, "Stochastic Backpropagation and Approximate Inference in
# Deep Generative Models". (In PyTorch, a distribution's `rsample()` does it, and `sample()` lets no
# gradient through.)

# %%
plots.where_the_noise_enters()

# %% [markdown]
# On the left there is no derivative of "draw". On the right the noise comes in from the side, and
# every arrow from a parameter to $f$ can be differentiated. By eq. (3)
# $\partial z/\partial\mu = 1$, and $\partial\sigma/\partial\,\texttt{logvar} = \sigma/2$, so
# $\partial z/\partial\,\texttt{logvar} = \varepsilon\,\sigma/2$.

# %%
def df(z):
    """The slope of f."""
    return z - 3


def pathwise(eps, slope, logvar):
    """eq. (2) before averaging: one estimate of (dmu, dlogvar) for each eps; slope = f'(z)."""
    return slope * 1, slope * eps * np.exp(logvar / 2) / 2


eps = rng.standard_normal(100_000)
dmu, dlogvar = pathwise(eps, df(mu + sigma * eps), logvar)
print(f"dmu:     pathwise {dmu.mean():+.2f}, exact {exact_dmu:+.2f}")
print(f"dlogvar: pathwise {dlogvar.mean():+.2f}, exact {exact_dlogvar:+.2f}")

# %%
plots.two_ways_to_a_gradient(f, mu, sigma, by=0.4)

# %% [markdown]
# Both see the average of $f$ fall as `mu` rises. On the left, large values of $f$ become rarer and
# small ones more frequent. On the right the draws themselves move, each by the same step,
# and the slope says what that does to its $f$.

# %% [markdown]
# Eq. (2) is not only for Gaussians. Let $F(z)$ be the probability of a draw below $z$, the
# *distribution function*, and $u$ uniform between 0 and 1. Where $F$ can be inverted,
# $z = F^{-1}(u)$ lies below a given $z_0$ just when $u < F(z_0)$, which has the probability
# $F(z_0)$: so $z$ has the distribution $F$, and $u$ is the noise. For an exponential distribution
# with mean $\tau$, $F(z) = 1 - e^{-z/\tau}$, so that
#
# $$
# z = -\tau\log(1-u), \qquad \frac{\partial z}{\partial\tau} = -\log(1-u) = \frac{z}{\tau}.
# $$
#
# Try it on $\mathbb{E}[z^2] = 2\tau^2$, whose derivative is $4\tau$:

# %%
tau = 0.7
waiting = -tau * np.log(1 - rng.random(100_000))              # z = F^-1(u)
estimates = 2 * waiting * waiting / tau                       # f'(z) dz/dtau, with f(z) = z^2
print(f"pathwise {mean_and_error(estimates)}, exact {4 * tau:.3f}")

# %% [markdown]
# ## 4.4  Which one scatters less?
#
# Both are right on average here. A VAE mostly takes one draw for each image, so we ask how far *one
# draw's* estimate scatters. (4.14 measures what scatter costs.)
#
# **Predict first.** For our parabola $f$, and from the same draw, which estimate of `dmu` scatters
# less: `"score function"` or `"pathwise"`?

# %%
predict("04.variance", ...)

# %%
rng = np.random.default_rng(44)
eps = rng.standard_normal(1_000_000)                          # a million times one draw
z = mu + sigma * eps
score = eps / sigma                                           # with respect to mu
print(f"scatter of one draw's dmu: score function {(f(z) * score).std():.2f}, "
      f"pathwise {df(z).std():.2f}")

# %%
reveal("04.variance")

# %% [markdown]
# One draw gives, for `dmu`, $f'(z)$ in the pathwise way and $f(z)\,\varepsilon/\sigma$ by the score
# function. Add 10 to $f$: no gradient changes, and no slope, but $f\varepsilon/\sigma$ does. So a
# constant can also be *subtracted* from $f$ to help the score function, a **baseline**. On average
# that changes nothing, because the mean score is 0: put $f = 1$ into eq. (1), whose average is 1
# whatever the parameter. A common choice is the mean of $f$:

# %%
def show(name, value, slope, shift):
    """How far one draw's dmu scatters: pathwise, and score function with three constants."""
    print(f"{name}: pathwise {slope.std():.2f}, score function")
    for label, constant in (("as it is", 0), (f"plus {shift}", -shift),
                            ("minus its mean", value.mean())):
        print(f"    f {label:14s} {((value - constant) * score).std():5.2f}")


show("parabola", f(z), df(z), 10)

# %% [markdown]
# The baseline helps; the pathwise estimate still scatters less here.

# %% [markdown]
# ## 4.5  Does the pathwise one always win?
#
# Now take a wave, $f(z) = \sin(2z)$, without a baseline.
#
# **Predict first.** With the same `mu` and `sigma`, and the same draw for both, which estimate of
# `dmu` scatters less: `"score function"` or `"pathwise"`?

# %%
predict("04.wave", ...)

# %%
slope = 2 * np.cos(2 * z)
show("sin(2 z)", np.sin(2 * z), slope, 2)
for name, slopes in (("parabola", df(z)), ("sin(2 z)", slope)):
    print(f"{name}: the slope has the mean {slopes.mean():+.2f}, scatter {slopes.std():.2f}")

# %%
reveal("04.wave")

# %% [markdown]
# So "the pathwise estimate scatters less" is no law (more in Mohamed et al. 2020, "Monte Carlo
# Gradient Estimation in Machine Learning"). The constant decides too: with 2 added, the order turns
# round, and subtracting the mean does harm here.
#
# What one can say, for `dmu` of a Gaussian and an $f$ that is continuous and made of smooth pieces:
# **where the slope of $f$ scatters under $q$ by less than $1/\sqrt2 \approx 0.7$ of the size of its
# mean, the pathwise estimate scatters less, whatever constant is subtracted.** The parabola, which
# bends little across $q$, is such a case. Where the slope varies more, the rule is silent: compute
# both. (4.13 has the proof.)

# %% [markdown]
# ## 4.6  When is each right on average?
#
# Two functions under our Gaussian: one with a *kink*, $f = \max(z - 1.5, 0)$, and one with a
# *jump*, 1 where $z > 1.5$, else 0. The exact `dmu` of both is known. For the kink it is the
# probability of $z > 1.5$. This probability is also the average of the jump, whose `dmu` is the
# density at 1.5, which a shift of `mu` carries across.

# %%
q, beyond = NormalDist(mu, sigma), (z > 1.5).astype(float)
print(f"kink: exact {1 - q.cdf(1.5):+.3f}, score function "
      f"{mean_and_error(np.maximum(z - 1.5, 0) * score)}, pathwise {mean_and_error(beyond)}")
print(f"jump: exact {q.pdf(1.5):+.3f}, score function "
      f"{mean_and_error(beyond * score)}, pathwise {mean_and_error(0 * z)}")

# %% [markdown]
# At a kink the slope is missing at one point only, and a draw from a density hits it with
# probability 0. At a jump the pathwise estimate fails: the slope is 0 at each draw, and no draw
# sees the jump that it is about to cross. So **eq. (2) is right if $f$ is continuous and made of
# smooth pieces** (a network of relus qualifies), and $z$ has a density and moves smoothly with the
# parameter.
#
# For eq. (1) the trouble is a jump of $q$ that moves. Let $z = \theta u$ be uniform between 0 and
# $\theta$, and $f(z) = z$. The average is $\theta/2$. The density is $1/\theta$, so the score is
# $-1/\theta$ at every draw.

# %%
theta, u = 2.0, rng.random(1_000_000)
print(f"edge: exact {1 / 2:+.3f}, score function {mean_and_error(theta * u * (-1 / theta))}, "
      f"pathwise {mean_and_error(u)}")

# %% [markdown]
# The score function watches the height of $q$ at each place, and no place sees the edge arrive:
# what it leaves out is $q(\theta)\,f(\theta) = 1$. So **eq. (1) is right if no jump of $q$ moves
# with the parameter**; for a discrete $z$, if its values stay where they are. (Both also need
# a bound, which holds in all our examples; 4.13 states it.)
#
# A *discrete* latent itself jumps as its probabilities move, for fixed noise, so eq. (2) is out:
# sum over its values if they are few, or use the score function or a smooth stand-in (Jang et al.
# 2017, "Categorical Reparameterization with Gumbel-Softmax"). In this project $z$ is Gaussian and
# the decoder has no jumps: from here on the pathwise way is ours.

# %% [markdown]
# ## 4.7  Two lines of backward
#
# In the whole VAE, $f$ is everything that happens after $z$, and the gradient of the loss with
# respect to $z$ arrives from there as an array `dz`. (In all code here, `dmu` is the gradient of
# the loss with respect to `mu`, and so on.) Eq. (2) then asks for two products:
#
# $$
# \texttt{dmu} = \texttt{dz} \tag{4}
# $$
#
# $$
# \texttt{dlogvar} = \texttt{dz}\;\varepsilon\;\frac{\sigma}{2} \tag{5}
# $$
#
# Each example and latent has its own `mu`, `logvar` and `eps`, so nothing is summed. The `eps` is
# the one that the forward pass drew. With fresh noise, independent of `dz`, `dlogvar` would average
# to 0.

# %%
def reparam(mu, logvar, eps):
    """eq. (3): all (B, L)."""
    return mu + np.exp(logvar / 2) * eps


def reparam_backward(dz, logvar, eps):
    """eqs. (4) and (5): all (B, L)."""
    return dz, dz * eps * np.exp(logvar / 2) / 2


# %% [markdown]
# Check it against differences, with the package's `central_differences`. The loss is $f$ summed,
# and **`eps` is an argument that both sides share**: with fresh noise in each call we would be back
# at the jagged line of the first picture.

# %%
def error(by_hand, by_numbers):
    """The largest difference, as a part of the largest entry."""
    return np.abs(by_hand - by_numbers).max() / np.abs(by_numbers).max()


some_mu, some_logvar, some_eps = rng.standard_normal((3, 4, 2))    # 4 examples, 2 latents
dmu, dlogvar = reparam_backward(df(reparam(some_mu, some_logvar, some_eps)), some_logvar, some_eps)
by_mu = central_differences(lambda at: f(reparam(at, some_logvar, some_eps)).sum(), some_mu)
by_logvar = central_differences(lambda at: f(reparam(some_mu, at, some_eps)).sum(), some_logvar)
print("dmu, error below 1e-7:    ", error(dmu, by_mu) < 1e-7)
print("dlogvar, error below 1e-7:", error(dlogvar, by_logvar) < 1e-7)

# %% [markdown]
# ## 4.8  A mistake in both passes
#
# Suppose that `logvar` is taken for $\log\sigma$ in both passes, so that the code draws with
# `exp(logvar)` as the standard deviation.
#
# **Predict first.** The gradient check of that code: `"passes"` or `"fails"`?

# %%
predict("04.blind", ...)

# %%
def wrong_reparam(mu, logvar, eps):
    return mu + np.exp(logvar) * eps


wrong_dlogvar = df(wrong_reparam(some_mu, some_logvar, some_eps)) * some_eps * np.exp(some_logvar)
numeric = central_differences(lambda at: f(wrong_reparam(some_mu, at, some_eps)).sum(), some_logvar)
print("gradient check of the wrong code, error below 1e-7:", error(wrong_dlogvar, numeric) < 1e-7)
many = rng.standard_normal(100_000)
for name, draw in (("right", reparam), ("wrong", wrong_reparam)):
    variance = draw(0.0, 1.0, many).var()
    print(f"{name}: logvar = 1 asks for variance {np.e:.2f}, the draws have {variance:.2f}")

# %%
reveal("04.blind")

# %% [markdown]
# The check compares a forward pass with its own backward pass, and these two agree. A *statistic*
# of the draws, here their variance, sees that the forward pass is not what was meant. A second
# witness is a model whose highest $\log p(x)$ is known. The next section builds one, and 4.15
# trains it with this mistake.

# %% [markdown]
# ## 4.9  A VAE whose evidence is known
#
# Make the decoder a straight line. A latent $z$ of $L$ numbers, data $x$ of $D$, both as rows:
#
# $$
# z \sim N(0, I), \qquad x = zW + b + \text{noise},
# \qquad \text{noise} \sim N(0, s^2 I), \qquad W: L \times D \tag{6}
# $$
#
# Every weighted sum of $x$'s entries adds up independent Gaussian numbers, so $x$ is Gaussian. Its
# mean is $b$. Its *covariance* $C$ is the table of the averages of all products of two entries of
# $x - b$, with the variances on the diagonal. The parts $zW$ and noise are independent, so their
# covariances add up ($W^\top$ is the transpose of $W$):
#
# $$
# C = \mathbb{E}[(x-b)^\top(x-b)] = W^\top\,\mathbb{E}[z^\top z]\,W + s^2 I = W^\top W + s^2 I
# $$
#
# The Gaussian with this mean and covariance has the density (4.12 derives it; for $D = 1$ it is the
# familiar one)
#
# $$
# p(x) = N(x;\ b,\ C), \qquad
# \log N(x;\ b,\ C) = -\tfrac12\big((x - b)\,C^{-1}(x - b)^\top + \log\det C + D \log 2\pi\big)
# \tag{7}
# $$

# %%
def log_gaussian(x, b, C):
    """log N(x; b, C): x (N, D) -> (N,), nats."""
    away = x - b
    distance = (away @ np.linalg.inv(C) * away).sum(axis=1)
    return -0.5 * (distance + np.linalg.slogdet(C)[1] + x.shape[1] * np.log(2 * np.pi))


def log_evidence(x, W, b, variance):
    """log of eq. (7), variance = s^2: x (N, D) -> (N,), nats."""
    return log_gaussian(x, b, W.T @ W + variance * np.eye(x.shape[1]))


# %% [markdown]
# The posterior is known as well. Up to what does not contain $z$,
#
# $$
# \begin{aligned}
# \log p(z\mid x) &= -\tfrac12\, z z^\top - \tfrac{1}{2s^2}\,(x-b-zW)(x-b-zW)^\top + \dots \\
# &= -\tfrac12\, z\left(I + \tfrac{1}{s^2}WW^\top\right)z^\top
#    + \tfrac{1}{s^2}\,(x-b)\,W^\top z^\top + \dots
# \end{aligned}
# $$
#
# This is quadratic in $z$: a Gaussian. Compare it with
# $-\tfrac12 (z-m)S^{-1}(z-m)^\top = -\tfrac12 zS^{-1}z^\top + mS^{-1}z^\top + \dots$ to read off
# its covariance $S$ and its mean $m$:
#
# $$
# S = \left(I + \tfrac{1}{s^2}WW^\top\right)^{-1}, \qquad
# m = \tfrac{1}{s^2}\,(x-b)\,W^\top S \tag{8}
# $$
#
# The mean is a *linear* function of $x$ (with a constant from $b$), and the covariance is *the same
# for all* $x$. So with one latent, a linear encoder can be the posterior.

# %%
def posterior(x, W, b, variance):
    """eq. (8): x (N, D) -> the means (N, L), and the covariance (L, L) that all x share."""
    S = np.linalg.inv(np.eye(len(W)) + W @ W.T / variance)
    return (x - b) @ W.T @ S / variance, S


# %%
true_W, true_b = np.array([[1.6, 0.8]]), np.array([1.0, -0.5])
rng, N = np.random.default_rng(48), 400
x = rng.standard_normal((N, 1)) @ true_W + true_b + 0.5 * rng.standard_normal((N, 2))  # eq. (6)
one_x = np.array([[3.0, -0.8]])
m, S = posterior(one_x, true_W, true_b, 0.25)
spread = m + [[-2], [2]] * np.sqrt(S)
fig, ax = plots.figure(4.8, 2.8)
ax.plot(*x.T, ".", color=plots.GREY, ms=2)
ax.plot(*(true_b + [[-3], [3]] * true_W).T, color=plots.BLUE, ls="--", lw=1, label="z W + b")
ax.plot(*(true_b + spread @ true_W).T, color=plots.ORANGE, lw=4, label="z W + b, given one x")
ax.plot(*one_x.T, "o", color=plots.RED, ms=5, label="one x")
ax.set(xlabel="first entry of x", ylabel="second entry", title="400 draws of x; one posterior")
ax.set_aspect("equal")
ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
fig

# %% [markdown]
# Given the one $x$, the point $zW + b$ lies near the place of the line that is nearest to $x$, a
# little towards $b$, because the prior pulls $z$ towards 0. (The thick line reaches two standard
# deviations from the mean.)

# %% [markdown]
# ## 4.10  Your first trained VAE
#
# The parts: an encoder, `mu = x @ mu_W + mu_b` and `logvar = x @ logvar_W + logvar_b`; the sample
# of eq. (3); a decoder, `mean = z @ out_W + out_b`, with its noise in `out_logvar` $= \log s^2$;
# the KL of notebook 03; and the reconstruction part `nll`, $-\log p(x\mid z)$ for a Gaussian,
# $\tfrac12\left(\lVert x - \texttt{mean}\rVert^2/s^2 + D\log s^2 + D\log 2\pi\right)$. Forward
# first; `params` holds all parameters by name. (The last argument lets 4.15 put in a wrong sample.)

# %%
def forward(params, x, eps, sample=reparam):
    """The ELBO, nats per example, and what the backward will need.  x (B, D), eps (B, L)"""
    mu = x @ params["mu_W"] + params["mu_b"]
    logvar = x @ params["logvar_W"] + params["logvar_b"]
    z = sample(mu, logvar, eps)                                      # eq. (3)
    mean = z @ params["out_W"] + params["out_b"]
    variance, D = np.exp(params["out_logvar"]), x.shape[1]
    squares = ((x - mean) ** 2).sum(axis=1)
    nll = 0.5 * (squares / variance + D * (params["out_logvar"] + np.log(2 * np.pi)))
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)     # notebook 03, eq. (2)
    return -(nll + kl).mean(), (logvar, mu, z, mean, variance, squares)


# %% [markdown]
# Now backward, for the loss $-\mathrm{elbo}$, the average of `nll + kl` over $B$ examples. Each
# line is one derivative:
#
# - `mean` sits in the squares: $(\texttt{mean}-x)/s^2$, divided by $B$;
# - `out_logvar`: $1/s^2 = e^{-\texttt{out\_logvar}}$, so the squares give $-\texttt{squares}/s^2$
#   and the other term $D$, both halved; all examples share this one number, so average over them;
# - `out_W`: its entry $W_{ld}$ multiplies $z_{nl}$ on the way to $\texttt{mean}_{nd}$, in every
#   example $n$. So its gradient is $\sum_n z_{nl}\,\texttt{dmean}_{nd}$, the matrix product
#   `z.T @ dmean`; `out_b` is added in every example and collects the sum;
# - `z`: $z_{nl}$ reaches every $\texttt{mean}_{nd}$ with the weight $W_{ld}$: `dmean @ out_W.T`;
# - `mu` and `logvar`: from `dz` by eqs. (4) and (5), **plus** what the KL adds (notebook 03), whose
#   average over the examples brings the same $1/B$;
# - the encoder's weights: as the decoder's, with `x` in the place of `z`.

# %%
def elbo_and_grads(params, x, eps, sample=reparam, sample_backward=reparam_backward):
    """The ELBO, and d loss / d parameter by name, for loss = -elbo."""
    elbo, (logvar, mu, z, mean, variance, squares) = forward(params, x, eps, sample)
    (B, D), grads = x.shape, {}
    dmean = (mean - x) / variance / B
    grads["out_logvar"] = ((D - squares / variance) / 2).mean(keepdims=True)      # (1,)
    grads["out_W"], grads["out_b"] = z.T @ dmean, dmean.sum(axis=0)
    dz = dmean @ params["out_W"].T
    dmu, dlogvar = sample_backward(dz, logvar, eps)                  # eqs. (4) and (5)
    dmu = dmu + mu / B                                               # notebook 03
    dlogvar = dlogvar + (np.exp(logvar) - 1) / 2 / B                 # notebook 03
    grads["mu_W"], grads["mu_b"] = x.T @ dmu, dmu.sum(axis=0)
    grads["logvar_W"], grads["logvar_b"] = x.T @ dlogvar, dlogvar.sum(axis=0)
    return elbo, grads


# %% [markdown]
# Before training, differences for every parameter:

# %%
shapes = {"mu_W": (2, 1), "mu_b": (1,), "logvar_W": (2, 1), "logvar_b": (1,),
          "out_W": (1, 2), "out_b": (2,), "out_logvar": (1,)}        # D = 2, L = 1
point = {name: 0.3 * rng.standard_normal(shape) for name, shape in shapes.items()}
one_eps = rng.standard_normal((N, 1))


def loss(name, block):
    """The loss with one parameter replaced."""
    return -forward(point | {name: block}, x, one_eps)[0]


for name, grad in elbo_and_grads(point, x, one_eps)[1].items():
    numeric = central_differences(partial(loss, name), point[name])
    print(f"{name:10s} error below 1e-7: {error(grad, numeric) < 1e-7}")

# %% [markdown]
# Now train, from small random weights. Each step draws fresh noise and goes a little downhill. The
# steps get shorter, so that the noise of the last ones counts for less.
#
# Every tenth step we also write down two exact numbers: the $\log p(x)$ of the present model, eq.
# (7), and its ELBO. The ELBO here is a quadratic in `eps`, whose average needs only the mean 0 and
# the variance 1 of `eps`: the two values $+1$ and $-1$ have both.

# %%
def exact_log_p(params, x):
    """The exact log p(x), nats per example."""
    variance = np.exp(params["out_logvar"])
    return log_evidence(x, params["out_W"], params["out_b"], variance).mean()


def exact_elbo_of(params, x, model):
    """The exact ELBO: the average of the model's over eps = +1 and -1."""
    one = np.ones((len(x), 1))
    return (model(params, x, one)[0] + model(params, x, -one)[0]) / 2


def train(x, params, steps, rng, model=elbo_and_grads):
    """The trained parameters, and every tenth step's number, sampled and exact ELBO, log p(x)."""
    params, history = dict(params), []
    for step in range(steps):
        elbo, grads = model(params, x, rng.standard_normal((len(x), 1)))
        if step % 10 == 0:
            history.append((step, elbo, exact_elbo_of(params, x, model), exact_log_p(params, x)))
        for name in params:
            params[name] = params[name] - 0.03 * (1 - step / steps) * grads[name]
    return params, np.array(history).T


# %% [markdown]
# And the highest $\log p(x)$ of any such model? It is that of the Gaussian with the data's own mean
# and covariance: no Gaussian gives these data more, and with $D = 2$ and $L = 1$ our model can be
# that one (both in 4.12). To compare, we also compute the best that a decoder without $z$ can do,
# $W = 0$.

# %%
best = log_gaussian(x, x.mean(axis=0), np.cov(x.T, bias=True)).mean()
without_z = log_gaussian(x, x.mean(axis=0), x.var(axis=0).mean() * np.eye(2)).mean()
true_log_p = log_evidence(x, true_W, true_b, 0.25).mean()
print(f"highest log p(x) {best:.4f}, with W = 0 {without_z:.4f}, true parameters {true_log_p:.4f}")

# %% [markdown]
# **Predict first.** From small weights, do the ELBO and $\log p(x)$ climb without a rest
# (`"no rest"`), or do they wait at the level of $W = 0$ (`"at W = 0"`) or of the true parameters
# (`"true"`)?

# %%
predict("04.wait", ...)

# %%
start = {name: 0.02 * block for name, block in point.items()}
trained, (step, sampled, exact_elbo, evidence) = train(x, start, 5000, rng)
gap = evidence - exact_elbo
for at in (0, 20, 65, -1):
    print(f"after {step[at]:4.0f} steps: ELBO {exact_elbo[at]:.4f}, log p(x) {evidence[at]:.4f}, "
          f"gap {gap[at]:.4f}")
print("the exact ELBO was never above log p(x):", (exact_elbo <= evidence).all())

# %%
fig, (ax, below) = plots.figure(5, 3.6, 2, 1, sharex=True, height_ratios=(2, 1))
ax.axhline(best, color=plots.GREY, ls=":", label="highest possible log p(x)")
ax.axhline(without_z, color=plots.GREY, ls="-.", lw=1, label="highest with W = 0")
ax.plot(step, evidence, color=plots.INK, ls="--", lw=1.4, label="log p(x) of the model, exact")
ax.plot(step, exact_elbo, color=plots.BLUE, ls="-", label="ELBO, exact")
ax.plot(step[::12], sampled[::12], ".", color=plots.BLUE, ms=3, label="ELBO, as sampled")
ax.set(ylabel="nats per example", ylim=(-3.7, -2.65))
ax.set_title("the ELBO and log p(x) climb together")
ax.legend(loc="center right", fontsize=8, bbox_to_anchor=(1, 0.6))
below.semilogy(step[::10], gap[::10], color=plots.INK, ls="-", lw=1)
below.set(xlabel="step", ylabel="the gap, nats")
fig

# %%
reveal("04.wait")

# %% [markdown]
# The solid line never crosses the dashed one, as notebook 02 promised, and ends close below it. The
# dots do cross: each is an average over chance draws, and only their mean is a lower bound. The
# dashed line ends above the value of the *true* parameters, because it was fitted to these 400
# rows.
#
# The first rise, mostly below the picture's edge, needs no $z$. Then both halves wait for each
# other: `dz` is tiny because $W$ is tiny, and the gradient of $W$ is tiny on average because `mu`
# hardly depends on $x$ yet. The gap is tiny there too: a small gap is no sign of a good model. (A
# VAE that stays there has *collapsed*: notebook 07.) As $W$ grows, the posterior moves away from
# the prior, and the gap opens before the encoder has followed.
#
# What should the encoder have found? Eq. (8), for the decoder that was trained.

# %%
W, b, s2 = trained["out_W"], trained["out_b"], np.exp(trained["out_logvar"])
posterior_mean, S = posterior(x, W, b, s2)
q_mean = x @ trained["mu_W"] + trained["mu_b"]
q_sigma = np.exp((x @ trained["logvar_W"] + trained["logvar_b"]) / 2)
posterior_sigma, off = np.sqrt(S[0, 0]), np.abs(q_mean - posterior_mean).max()
print(f"mu runs from {q_mean.min():.2f} to {q_mean.max():.2f}; "
      f"it is at most {off:.3f} from the posterior's mean")
print(f"sigma runs from {q_sigma.min():.3f} to {q_sigma.max():.3f}; "
      f"the posterior's is {posterior_sigma:.3f}")

# %% [markdown]
# The encoder was never told about posteriors. It learned to compute one, because for each decoder
# that is where the ELBO is highest.

# %% [markdown]
# ## Recap
#
# | | score function, REINFORCE, eq. (1) | pathwise, eq. (2) |
# |---|---|---|
# | follows | the density | the sample |
# | is right if (and a bound holds, 4.13) | no jump of $q$ moves with the parameter | $f$ is continuous and made of smooth pieces, $z$ has a density and moves smoothly with the parameter |
# | discrete latents | yes, if their values stay | no |
# | one draw's `dmu`, Gaussian | $(f - \text{baseline})\,\varepsilon/\sigma$ | $f'(z)$; scatters less if the scatter of the slope is below $1/\sqrt2$ of its mean's size, and $f$ is as in the second row |
#
# - $z = \mu + \sigma\varepsilon$, the noise is an argument, eq. (3). Backward: `dmu = dz`,
#   `dlogvar = dz * eps * sigma / 2`, eqs. (4), (5).
# - A gradient check cannot see that a forward pass is not what was meant. A statistic of the draws
#   may show it, or a linear model: there the ELBO must stay below a known $\log p(x)$, and arrive.
#
# ## Exercises
#
# Ten are the core; five more are marked optional. The first two repeat what stands above.
# `hint("04.reparameterize")` gives a nudge, `solution("04.reparameterize")` the reference;
# `progress()` and `review()`, from the same `minivae.exercises`, list what is done and ask old
# questions again.

# %% [markdown]
# **The sample (optional).** Eq. (3), for a batch.

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
# **A logistic latent.** The logistic distribution has the distribution function
# $F(z) = 1/(1 + e^{-(z-\mu)/\rho})$, and we keep `log_rho` $= \log\rho$. Sample it by
# $z = F^{-1}(u)$, and give the slopes with respect to $\mu$ and to `log_rho`.

# %%
def logistic_sample(u, mu, log_rho):    # u (K,), between 0 and 1; mu, log_rho: floats
    ...                                 # -> z, dz/dmu, dz/dlog_rho, each (K,)


check("04.logistic", logistic_sample)

# %% [markdown]
# **Which is allowed?** Which estimate is right on average: `"both"`, `"score function"`,
# `"pathwise"` or `"neither"`? The derivative is with respect to the parameter named last.
#
# 1. $f(z) = |z|$, $z \sim N(\mu, 1)$; $\mu$.
# 2. $f(z) = 1$ where $z > 0$, else 0, $z \sim N(1, \sigma^2)$; $\sigma$.
# 3. $f(z) = z^2$, $z$ uniform between 0 and $\theta$; $\theta$.
# 4. $f(z) = \max(z - 1, 0)$, $z$ exponential with mean $\tau$, which begins at 0; $\tau$.
# 5. $f(z) = e^{-z}$, $z = \theta$ plus an exponential number with mean 1; $\theta$.
# 6. $f(z) = 1$ where $z > 1$, else 0, $z$ uniform between 0 and $\theta > 1$; $\theta$.
# 7. $f(z) = (z - 0.3)^2$, $z = 1$ with the probability $p$, else 0; $p$.
# 8. $f(z) = 1$ where $z > 1$, else 0, and the density of $z$ is $6z(\theta - z)/\theta^3$ between 0
#    and $\theta > 1$; $\theta$.

# %%
allowed = ...    # ["both", ...], eight words

check("04.allowed", allowed)

# %% [markdown]
# **Who wins?** The score function subtracts the constant that makes the scatter of its `dmu`
# smallest; derive a formula for that constant first. Which estimate of `dmu` scatters less? Answer
# `"rule"` if the rule of 4.5 says so for pathwise; `"pathwise"` if it wins and the rule does not
# say so; `"score function"` if that one wins, or pathwise is wrong on average. Where the rule is
# silent, write a few lines that compute both.
#
# 1. $f(z) = z^2$, $z \sim N(2, 0.5^2)$.
# 2. $f(z) = z^2$, $z \sim N(0.5, 1)$.
# 3. $f(z) = |z|$, $z \sim N(0.5, 1)$.
# 4. $f(z) = \max(z, 0)$, $z \sim N(2, 1)$.
# 5. $f(z) = z^3$, $z \sim N(0, 1)$.
# 6. $f(z) = \sin(5z)$, $z \sim N(0, 1)$.
# 7. $f(z) = 3z$ where $z < 0$ and $3z + 1$ elsewhere, $z \sim N(0, 1)$.

# %%
winners = ...    # ["rule", ...], seven words

check("04.winners", winners)

# %% [markdown]
# **A latent that is yes or no.** No reparameterization here: $z$ is 1 with the probability
# $1/(1 + e^{-\texttt{logit}})$, else 0. You get draws and the values $f(z_k)$. Derive the score,
# and estimate the gradient with respect to the logit by eq. (1), without a baseline. The logit may
# be as large as 800 or as small as -800.

# %%
def bernoulli_gradient(values, z, logit):    # f(z_k) (K,), draws z_k, 0.0 or 1.0 (K,)
    ...                                      # -> d E[f(z)] / d logit, a float


check("04.yes-or-no", bernoulli_gradient)

# %% [markdown]
# **Find the bug.** A score-function gradient with a baseline made from the draws themselves. It
# must become right on average. The baseline shall be made of as many of the draws as can be, all
# with the same weight.

# %%
def with_baseline(values, score):
    # values: f(z_k) (K,), score: d log q(z_k) / dmu (K,) -> the estimate of dmu, a float.
    # It scatters little. But averaged over very many runs it comes out too small, and the fewer
    # draws, the smaller.
    baseline = values.mean()
    return ((values - baseline) * score).mean()


check("04.bug", with_baseline)

# %% [markdown]
# **The test that a gradient check cannot replace.** Write a test of a sampler; how it makes its
# noise from `rng` you do not know. It must accept three right ones, which do that in different
# ways, with each of 50 seeds, and reject seven wrong ones each time. Some of them have the right
# mean and variance at every entry. (Some thousand draws are enough. Make them by one call with a
# large batch: all 500 runs together have five seconds.)

# %%
def sampler_is_right(sample, rng):    # sample(mu, logvar, rng) -> z, all (B, L) as you like
    ...                               # -> True or False


check("04.sampler-test", sampler_is_right)

# %% [markdown]
# **Another VAE, backward.** As 4.10, but each entry of $x$ has its own noise variance $s_d^2$, so
# `out_logvar` is (D,), and the encoder is `mu = x @ mu_W + mu_b` with *one* `logvar`, (L,), shared
# by all examples. (Here too the posterior has one covariance for all $x$.) The loss
# is $-\mathrm{elbo}$, a mean over the examples. Check your answer with `central_differences` first.
# (Differences are not accepted as the answer: one case has a pixel with so little noise that the
# loss is huge, and its differences lose the digits of the small entries.)

# %%
def linear_vae_gradients(params, x, eps):    # x (B, D), eps (B, L), params: mu_W (D, L),
    ...                                      # mu_b (L,), logvar (L,), out_W (L, D),
                                             # out_b (D,), out_logvar (D,)
                                             # -> a dict with the same keys: d loss / d each


check("04.linear-vae", linear_vae_gradients)

# %% [markdown]
# **Fill in the missing pixels.** The model of the last exercise, $x = zW + b + \text{noise}$ with a
# variance $s_d^2$ for each entry (it is called factor analysis), but only some entries of $x$ are
# known, perhaps none or all. Give the mean of $p(x_d \mid \text{the known entries})$ for each entry
# $d$ that is not, and its variance, noise included. For a known entry, give $x_d$ and 0.

# %%
def fill_in(x, known, W, b, variances):    # x (D,), NaN if unknown; known (D,) of bool;
    ...                                    # W (L, D), b (D,), variances (D,)
                                           # -> mean (D,), variance (D,)


check("04.posterior", fill_in)

# %% [markdown]
# **By what factor (optional)?** Let $f(z) = \texttt{tilt}\,z + \texttt{bend}\,z^2/2$ with
# $\texttt{bend} \ne 0$ and $z \sim N(\mu, \sigma^2)$. The score function subtracts the constant
# that is best for `dmu`. Its scatter of one draw's `dmu`, divided by the pathwise one's, in closed
# form. Can it be below 1? (Compare with draws before you check.)

# %%
def scatter_factor(tilt, bend, mu, sigma):    # floats, bend not 0
    ...                                       # -> score function's scatter / pathwise's


check("04.factor", scatter_factor)

# %% [markdown]
# **How far do they scatter (optional)?** One draw's `dmu`, $z \sim N(\mu, \sigma^2)$, no baseline.
# In closed form, the *variances* of three estimates: the score function's for
# $f(z) = \tfrac12 z^2$, the pathwise one's for the same $f$, and the score function's for the step,
# 1 where $z > \texttt{edge}$ and 0 elsewhere. (Compare with draws before you check.)

# %%
def gradient_variances(mu, sigma, edge):    # floats
    ...                                     # -> three floats: score function and
                                            #    pathwise for f = z^2 / 2, score
                                            #    function for the step at edge


check("04.variances", gradient_variances)

# %% [markdown]
# **Below, at, above (optional).** After 4.15: eight slips in the VAE of 4.10, each in both passes,
# so that the gradient check passes. All else is as it was: the KL is that of $N(\mu, \sigma^2)$,
# `sigma` is `exp(logvar / 2)`, and the average over the noise is trained for very long.
# Where does this "ELBO" end, relative to the highest $\log p(x)$ of any such model: `"below"`,
# `"at"` or `"above"`?
#
# 1. `z = mu + 0.5 * sigma * eps`.
# 2. `z = mu + 2 * sigma * eps`.
# 3. `z = mu + 1 + sigma * eps`.
# 4. `z = mu - sigma * eps`.
# 5. `z = mu`: the decoder gets the mean. (Still, `logvar` is in the KL.)
# 6. `eps` is uniform between $-\sqrt3$ and $\sqrt3$.
# 7. All examples share one `eps`.
# 8. The KL has lost its factor $\tfrac12$.

# %%
ends = ...    # ["below", ...], eight words

check("04.ends", ends)

# %% [markdown]
# **The same cat (optional)?** Two rows, $x_1$ and $x_2$, each made by eq. (6) with its own noise.
# Did one $z$ make both? Give $\log p(x_1, x_2)$ for one $z$, minus $\log p(x_1) + \log p(x_2)$,
# what it is for two.

# %%
def same_cat(x1, x2, W, b, variance):    # x1, x2, b (D,), W (L, D), float
    ...                                  # -> nats, a float


check("04.same-cat", same_cat)

# %% [markdown]
# **And trained.** Train the VAE of `04.linear-vae` on data with five pixels of very
# different noise and one latent. It passes if the model's mean $\log p(x)$ ends within 0.01 nats of
# the highest, and the exact ELBO within 0.01 of that. You have five seconds. (`check` gives you the
# reference of that exercise as `gradient`. Train with your own, too.)

# %%
def trained_factor_vae(x, params, gradient, rng):    # x (N, 5), params as above with L = 1;
    ...                                              # gradient(params, x, eps) -> a dict
                                                     # -> the trained params, a dict


check("04.train", trained_factor_vae)

# %% [markdown]
# **Next:** notebook 05 gives the decoder and the encoder hidden layers, and carries gradients back
# through them.

# %% [markdown]
# # Appendix (optional)
#
# ## 4.11  Should the KL be sampled too? (`dmu`)
#
# We put the KL's closed form into the loss. One could as well sample it, with the same $z$:
# $\log q(z) - \log p(z)$ at $z = \mu + \sigma\varepsilon$. There
# $\log q(z) = -\tfrac12(\varepsilon^2 + \texttt{logvar} + \log 2\pi)$ does not contain $\mu$ at
# all, and $-\log p(z)$ has the slope $z$: one example's `dmu` is `dz + z` in the place of
# `dz + mu`. The two have the same mean.
#
# And there is a third estimate. $\log q(z)$ depends on $\mu$ in two ways, through $z$ and through
# its own parameter, and above the two cancelled. The second is the score, whose mean is 0 (4.4), so
# it may be left out. What remains is the way through $z$, with the slope
# $-(z-\mu)/\sigma^2 = -\varepsilon/\sigma$, and the estimate `dz + z - eps / sigma` (Roeder, Wu and
# Duvenaud 2017, "Sticking the Landing: Simple, Lower-Variance Gradient Estimators for Variational
# Inference").
#
# Which of the three scatters least? Take the trained decoder, one example, a $q$ with the
# posterior's mean, and change its sigma. All three are linear in
# $\varepsilon$, so the answer is also known exactly. With $\sigma_p$ the posterior's sigma,
# `dz` at $z = m + \sigma\varepsilon$ has the slope $1/\sigma_p^2 - 1$ in $z$ (the posterior's
# precision is the prior's 1 plus the decoder's part), and the mean $-m$. So, with
# $r = \sigma/\sigma_p$,
#
# $$
# \begin{aligned}
# \texttt{dz + m} &= (1-\sigma_p^2)\,\tfrac{r}{\sigma_p}\,\varepsilon, \\
# \texttt{dz + z} &= \tfrac{r}{\sigma_p}\,\varepsilon, \\
# \texttt{dz + z - eps / sigma} &= \left(r - \tfrac1r\right)\tfrac{1}{\sigma_p}\,\varepsilon .
# \end{aligned}
# $$
#
# All three have the mean 0, as `dmu` must have at the best mean. To see that a mean other than 0
# agrees too, we take $q$'s mean 0.1 to the right of $m$. Then `dmu` is $0.1/\sigma_p^2$ for all
# three, and the scatters stay. As in 4.10, the two values $\pm1$ of `eps` are enough: what is
# linear in $\varepsilon$ has its exact mean and standard deviation over them.

# %%
first_x, shift = x[:1], 0.1
q_mu = posterior_mean[0, 0] + shift                           # of the trained model
both = np.array([[1.0], [-1.0]])
r = np.linspace(0.3, 1.4 / posterior_sigma, 100)             # sigma of q / sigma of the posterior


def three_dmus(sigma):
    """Each estimate at eps = +1 and -1: (3, 2)."""
    z = q_mu + sigma * both
    dz = -(first_x - b - z @ W) @ W.T / s2
    return np.hstack([dz + q_mu, dz + z, dz + z - both / sigma]).T


dmus = np.stack([three_dmus(ratio * posterior_sigma) for ratio in r], axis=1)   # (3, 100, 2)
truth = shift / posterior_sigma**2
formulas = np.array([(1 - posterior_sigma**2) * r, r, np.abs(r - 1 / r)]) / posterior_sigma
print(f"exact dmu {truth:.3f}; so is each mean:", np.allclose(dmus.mean(axis=2), truth))
print("the scatters are those of the formulas:", np.allclose(dmus.std(axis=2), formulas))

# %%
fig, ax = plots.figure(4.6, 2.4)
styles = (
    ("KL in closed form", plots.RED, "--"),
    ("KL sampled", plots.BLUE, "-"),
    ("KL sampled, without the score", plots.GREEN, "-."),
)
for row, (name, color, ls) in zip(formulas, styles, strict=True):
    ax.plot(r, row, color=color, ls=ls, label=name)
at = 1 / np.sqrt(np.array([2, 2 - posterior_sigma**2, posterior_sigma**2]))
height = at * np.array([1, 1 - posterior_sigma**2, 1 - posterior_sigma**2]) / posterior_sigma
ax.plot(at, height, "o", color=plots.INK, ms=4, label="the third equals another")
print("equal at r =", ", ".join(f"{r:.3f}" for r in at))
ax.set(xlabel="r = sigma of q / sigma of the posterior", ylabel="scatter of one draw's dmu")
ax.set_title("no estimate is best for every q")
ax.legend(fontsize=8, loc="lower right", labelspacing=0.2, borderaxespad=0.1)
fig

# %% [markdown]
# Where $q$ is the posterior, $r = 1$, the estimate without the score does not scatter at all. It is
# ahead of the sampled KL from $r = 1/\sqrt2 \approx 0.71$ on, and for narrower $q$ behind, the more
# the narrower, since `eps / sigma` is then large. Against the closed form it wins between
# $r = 1/\sqrt{2-\sigma_p^2}$ and $r = 1/\sigma_p$, that is, until $q$ is as wide as the prior. The
# plain sampled KL is never the best here: $(1-\sigma_p^2)\,r < r$. All this is for `dmu` and a
# linear decoder. This project uses the closed form.

# %% [markdown]
# ## 4.12  Must it arrive?
#
# ### The highest log p(x) of 4.10
#
# Of all Gaussians, the one with the data's own mean and covariance gives these data the highest
# average of $\log p(x)$. By eq. (7) this average contains no more of the data than these two, so it
# is as if they were draws of that Gaussian; and for its draws no other density has a higher average
# of the log, because the difference is a KL.
#
# With $D = 2$ and $L = 1$ the model can have that covariance. The data's covariance $C$ has $D$
# perpendicular directions that it only stretches, $vC = \lambda v$: its *eigenvectors*, called the
# *principal axes* of the data. Along them the data are uncorrelated, with the variances $\lambda$,
# the *eigenvalues*. Make $s^2$ the smaller one, and let $W$ add what the larger one has more, along
# its axis. (For larger $D$ see Tipping and Bishop 1999, "Probabilistic Principal Component
# Analysis".)
#
# ### More than one latent
#
# With one latent, a linear encoder can be the posterior of eq. (8) exactly. With more latents
# there is a catch: the encoder's $q$ has one variance per latent and no correlations, so it can be
# the posterior only if $S$ is diagonal. By eq. (8) that is so where $WW^\top$ is diagonal. Its
# entries are the inner products of the rows of $W$: the rows must be orthogonal.
#
# But the model leaves that choice free. Turn the latents by an orthogonal matrix $R$, $W \to RW$.
# Then $W^\top R^\top RW = W^\top W$: eq. (7) does not change at all. Among all these equal models,
# there is one whose rows are orthogonal. Every matrix is a turn, a stretch along the axes, and a
# turn again (a turn may include a mirror image). That is its *singular value decomposition*,
# $W = U\Lambda V^\top$, with $\Lambda$ diagonal and the columns of $U$, and of $V$, perpendicular
# and of length 1. Take $R = U^\top$, and $RW = \Lambda V^\top$ has the perpendicular rows of
# $V^\top$, scaled. For that one the bound is tight. So nothing is lost by the bound at the top:
#
# $$
# \max_{\text{encoder},\,W,\,b,\,s^2}\ \frac1N\sum_n \mathrm{ELBO}(x_n)
# \;=\; \max_{W,\,b,\,s^2}\ \frac1N\sum_n \log p(x_n) \tag{9}
# $$
#
# Both are means over the data, which must not lie in a plane of $L$ dimensions: of a single $x$,
# $\log p(x)$ has no maximum, since with $b = x$ it grows without end as $s^2$ goes to 0. "$\le$"
# holds because the ELBO is never above $\log p(x)$; "$\ge$" because at the best $W$, turned so that
# its rows are orthogonal, an encoder reaches it (Lucas et al. 2019, "Don't Blame the ELBO! A Linear
# VAE Perspective on Posterior Collapse"). For a decoder that is not linear there is no such
# equality in general; notebook 09 measures the gap that stays.
#
# How much would be lost with another turn? The next cell turns the latents of a model with
# orthogonal rows, and gives each the best $q$ without correlations. Its mean is the posterior's. A
# variance $v_j$ enters the ELBO through $\tfrac12\log v_j$, from the entropy of $q$, and
# $-\tfrac12 (S^{-1})_{jj}\,v_j$, from the mean of the square above eq. (8); the sum is largest at
# $v_j = 1/(S^{-1})_{jj}$.

# %%
two_latents = exact.Linear(np.array([[2.0, 0.0, 1.0], [0.0, 0.8, 0.0]]), np.zeros(3), 0.3)
x3 = exact.sample_linear(two_latents, 200, rng)
degrees, lost, drift = np.arange(0, 181, 15), [], []
for angle in np.radians(degrees):
    R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = two_latents._replace(W=R @ two_latents.W)
    mean_of_z, turned_S = exact.linear_posterior(turned, x3)
    best_q = np.diag(1 / np.diag(np.linalg.inv(turned_S)))
    log_p = exact.linear_log_evidence(turned, x3)
    lost.append((log_p - exact.linear_faces(turned, x3, mean_of_z, best_q).evidence).mean())
    drift.append(np.abs(log_p - exact.linear_log_evidence(two_latents, x3)).max())
print("log p(x) changes by less than 1e-10 nats under any turn:", max(drift) < 1e-10)
print("turned by, degrees:       ", "".join(f"{d:7d}" for d in degrees))
print("log p(x) - best ELBO, nats:", "".join(f"{g:7.3f}" for g in np.round(lost, 6) + 0.0))

# %% [markdown]
# The gap vanishes where the rows are orthogonal, at every quarter turn, and not between. So an
# optimiser on the exact ELBO also turns the latents until they fit $q$. The package's
# `train_linear_vae` is one; its notes say how it scales the data and chooses its steps, and
# `converged` whether it arrived. In place of random draws it takes the $2L$ *sigma points*
# $\varepsilon = \pm\sqrt{L}\,e_l$, where $e_l$ has a one at $l$ and zeros elsewhere. Their mean is
# 0 and their covariance is $I$, so that the average of anything quadratic in $\varepsilon$ over
# them is its expectation, exactly: in a linear model that is the whole ELBO. (For one latent they
# are the $\pm1$ of `train`.)
#
# Where do the rows of $W$ end? At the maximum $W^\top W + s^2 I$ must keep the $L$ principal axes
# of largest variance (Tipping and Bishop). Now $W^\top W = \sum_l w_l^\top w_l$, and if its rows
# $w_l$ are orthogonal, each of them is an eigenvector of this sum: multiply from the left by $w_l$,
# and only $\lVert w_l\rVert^2\, w_l$ is left. So the rows lie along those axes, as long as their
# lengths differ.

# %%
fit = exact.train_linear_vae(x3, latent=2, rng=rng, steps=800)
rows = exact.as_linear(fit.params, fit.spec).W
cosine = rows[0] @ rows[1] / np.linalg.norm(rows[0]) / np.linalg.norm(rows[1])
principal = exact.maximum_likelihood(x3, latent=2)
highest = exact.linear_log_evidence(principal, x3).mean()
print(f"arrived: {fit.converged}; ELBO {fit.elbo[-1]:.5f}, highest log p(x) {highest:.5f} nats")
print(f"the angle between W's rows: {np.degrees(np.arccos(cosine)):.1f} degrees")
off_axes = np.degrees(exact.axes_angle(exact.as_linear(fit.params, fit.spec), principal))
print(f"and from the rows to the principal axes of the data: at most {off_axes:.2f} degrees")

# %% [markdown]
# ### The density of eq. (7)
#
# Write eq. (6) as $x = b + \varepsilon A$, where the row $\varepsilon$ has $L + D$ standard normal
# numbers, those in $z$ and those of the noise divided by $s$, and $A$ is $W$ on top of $sI$; then
# $C = A^\top A$.
#
# First let $A$ be square. If it has an inverse, it stretches the volume of a small box of
# $\varepsilon$'s by $|\det A|$ and thins the draws out: $p(x) = p(\varepsilon) / |\det A|$ with
# $\varepsilon = (x-b)A^{-1}$. With
# $\varepsilon\varepsilon^\top = (x-b)\,C^{-1}(x-b)^\top$ and $\det C = (\det A)^2$, the log is eq.
# (7).
#
# Our $A$ has $D$ columns and more rows. Let it be $U\Lambda V^\top$, with
# $A^\top A = V\Lambda^2 V^\top$ invertible. Then $\varepsilon A = (\varepsilon U)\,\Lambda V^\top$.
# The density of $\varepsilon$ depends on its length only, so its entries along any perpendicular
# directions of length 1, as the $D$ columns of $U$ are, are independent standard normal numbers.
# What is left is a square map of $D$ such numbers, $\Lambda V^\top$, with the same $C$.

# %% [markdown]
# ## 4.13  Which one scatters less? Continued
#
# ### Why the rule of 4.5 holds
#
# For standard normal noise and a continuous $w$ made of smooth pieces,
# $\mathbb{E}[\varepsilon\,w(\varepsilon)] = \mathbb{E}[w'(\varepsilon)]$: integrate by parts, since
# the density's slope is $-\varepsilon$ times the density. Write $P = f'(z)$ for one
# pathwise draw of `dmu`, $G = (f(z) - c)\,\varepsilon/\sigma$ for one of the score function with
# any constant $c$, and $t = (\varepsilon^2 - 1)/\sqrt2$, which has the mean 0 and the
# variance 1. Use the identity twice, and $\partial f/\partial\varepsilon = \sigma P$:
#
# $$
# \mathbb{E}[G\,t]
# = \tfrac{1}{\sqrt2\,\sigma}\,\mathbb{E}\big[\varepsilon\,(f-c)(\varepsilon^2-1)\big]
# = \tfrac{1}{\sqrt2\,\sigma}\,\mathbb{E}\big[\sigma P(\varepsilon^2-1) + 2\varepsilon(f-c)\big]
# = \mathbb{E}[P\,t] + \sqrt2\,\texttt{dmu} .
# $$
#
# Here `dmu` is the exact one. A covariance is at most the product of the two scatters, and $t$
# scatters by 1. So the scatter of $G$ is at least $\sqrt2\,|\texttt{dmu}|$ minus the scatter of
# $P$. If the latter is below $|\texttt{dmu}|/\sqrt2$, the former is above it.
#
# ### The bounds of 4.6
#
# Let $\theta$ be any parameter of $q$. For eq. (2), $|f'(z)\,\partial z/\partial\theta|$ must stay,
# for all nearby parameters, below one function of the noise whose average is finite; for eq. (1),
# $|f\,\partial q/\partial\theta|$ below one function of $z$ whose integral (or sum) is finite. Then
# derivative and average may be exchanged.
#
# ### Where waves change over
#
# For $f = \sin(kz)$ what counts is the product $k\sigma$, how far the wave turns within $\sigma$,
# and where on the wave $q$ sits. We take 25 places, compute both scatters, each gradient with its
# own best constant, and divide score function by pathwise. (The best constant makes the mean of
# $((f - c)\cdot\text{score})^2$ smallest,
# $c = \mathbb{E}[f\cdot\text{score}^2]/\mathbb{E}[\text{score}^2]$: the squared mean, which the
# variance subtracts, does not depend on $c$.) The averages are sums over Gauss and
# Hermite's points, which are exact for polynomials up to the degree 239.

# %%
nodes, weights = np.polynomial.hermite_e.hermegauss(120)      # eps, and how much each counts
weights /= weights.sum()


def both_scatters(value, slope, by_q, path):
    """One draw's scatter, score function (by_q) with its best constant, and pathwise: (places,)."""
    constant = (value * by_q**2) @ weights / (by_q**2 @ weights)
    estimates = (value - constant[:, None]) * by_q, slope * path
    return [np.sqrt((e**2) @ weights - (e @ weights) ** 2) for e in estimates]


# %%
products, places = np.geomspace(0.3, 4, 200), np.linspace(0, np.pi, 25)    # k sigma; sigma is 1
ratios = {}
for name, by_q, path in (("dmu", nodes, 1), ("dlogvar", (nodes**2 - 1) / 2, nodes / 2)):
    pairs = []
    for k in products:
        angle = k * nodes + places[:, None]
        pairs.append(both_scatters(np.sin(angle), k * np.cos(angle), by_q, path))
    ratios[name] = np.array([by_score / by_path for by_score, by_path in pairs])

# %%
fig, ax = plots.figure(4.8, 2.3)
for (name, ratio), color in zip(ratios.items(), (plots.BLUE, plots.ORANGE), strict=True):
    low, high = ratio.min(axis=1), ratio.max(axis=1)
    ax.fill_between(products, low, high, color=color, alpha=0.5, label=f"{name}, 25 places")
    crossing = products[low < 1].min(), products[high > 1].max()
    print(f"{name:7s}: equal at k sigma between {crossing[0]:.2f} and {crossing[1]:.2f}")
ax.axhline(1, color=plots.INK, lw=1, ls="--")
ax.set(xscale="log", yscale="log", ylim=(0.1, 30), xlabel="k sigma, f = sin(k z) - best constant")
ax.set(ylabel="score f. / pathwise", title="above 1 pathwise scatters less")
ax.set_xticks([0.3, 0.5, 1, 2, 4], ["0.3", "0.5", "1", "2", "4"], minor=False)
ax.minorticks_off()
ax.legend()
fig

# %% [markdown]
# On the left the wave turns little across $q$, and pathwise scatters less, on the right it swings
# within $\sigma$, and the score function does.
#
# ### Many latents
#
# Let $z$ have $L$ entries; we estimate `dmu` of the first. Take two functions: the penalties added
# up, $\sum_l \tfrac12(z_l-3)^2$, and a penalty on the sum, $\tfrac12\big(\sum_l (z_l-3)\big)^2$.
# The baseline is the mean of $f$.

# %%
def three_scatters(value, average, by_q, slope):
    """Of one draw's dmu_1: score function (by_q), the same with a baseline, pathwise."""
    return (value * by_q).std(), ((value - average) * by_q).std(), slope.std()


print("scatter of one draw's dmu_1     score function   baseline   pathwise   exact dmu_1")
for L in (1, 8, 128):
    noise = rng.standard_normal((20_000, L))
    away, score_1 = mu + sigma * noise - 3, noise[:, 0] / sigma
    total, spread_out = away.sum(axis=1), L * sigma**2 / 2
    added = three_scatters((away**2).sum(axis=1) / 2, L * (mu - 3) ** 2 / 2 + spread_out, score_1,
                           away[:, 0])
    of_sum = three_scatters(total**2 / 2, (L * (mu - 3)) ** 2 / 2 + spread_out, score_1, total)
    for name, row, truth in (("added up", added, mu - 3), ("of the sum", of_sum, L * (mu - 3))):
        print(f"L = {L:3d}, penalties {name:10s} "
              f"{row[0]:17.1f} {row[1]:10.1f} {row[2]:10.2f} {truth:13.0f}")

# %% [markdown]
# Added up, the penalties of the other latents do not contain $z_1$, so they do not disturb its
# slope: the pathwise scatter stays. In the penalty on the sum the slope along $z_1$ is
# $\sum_l (z_l-3)$, every latent is in it, and its scatter grows as $\sigma\sqrt L$ (the gradient
# itself grows faster). In a decoder, too, the latents meet: each pixel depends on several of them.
# In the score function, all that makes $f$ vary is noise to the score of the first latent; here it
# loses in both, even with the baseline. Added up, one can help it: the terms without $z_1$ have the
# average 0 under the score of $z_1$, and without them its scatter is that of the row $L = 1$.

# %% [markdown]
# ## 4.14  What scatter costs
#
# Walk `mu` downhill on our parabola, from 1 towards 3, with one gradient estimate a step. A
# thousand walks each, 200 steps; the score function as it is, with the baseline $f(\mu)$, and with
# that and an average over 4 draws. A walk counts as lost if it ends more than 100 away.

# %%
def walk(estimate, draws, lr):
    """Where 1000 walks end: (1000,)."""
    at, noise = np.full((1000, 1), mu), np.random.default_rng(4)
    for _ in range(200):
        eps = noise.standard_normal((1000, draws))
        at = at - lr * estimate(at, eps).mean(axis=1, keepdims=True)
    return at[:, 0]


# %%
ways = (
    ("pathwise", lambda at, eps: df(at + sigma * eps), 1),
    ("score function", lambda at, eps: f(at + sigma * eps) * eps / sigma, 1),
    ("baseline", lambda at, eps: (f(at + sigma * eps) - f(at)) * eps / sigma, 1),
    ("baseline, 4 draws", lambda at, eps: (f(at + sigma * eps) - f(at)) * eps / sigma, 4),
)
print("root mean square distance from 3 of the walks that are not lost, and how many are lost")
print("step size        ", "".join(f"{lr:8.2f}{'':10s}" for lr in (0.05, 0.1, 0.2, 0.4)))
with np.errstate(all="ignore"):                               # a walk that is lost may overflow
    for name, estimate, draws in ways:
        row = ""
        for lr in (0.05, 0.1, 0.2, 0.4):
            distance = np.abs(walk(estimate, draws, lr) - 3)
            kept = distance[distance < 100]
            row += f"{np.sqrt((kept**2).mean()):8.2f}{1000 - kept.size:5d} lost"
        print(f"{name:17s}", row)

# %% [markdown]
# With one draw each, the pathwise walks end nearer to the minimum. At it, one score-function draw
# is $\sigma\varepsilon^3/2$, with the variance $\tfrac{15}{4}\sigma^2$, against $\sigma^2$ for
# pathwise: an average of four draws makes up for that, as the table shows. In this table the
# longest steps lose walks only without the baseline: there $f$, and with it the scatter, grows as
# the square of the distance from 3. (With the baseline it grows too, far out in proportion to the
# distance.)

# %% [markdown]
# ## 4.15  The second witness
#
# Train the model of 4.10 with the mistake of 4.8, `exp(logvar)` as the standard deviation of `z`,
# forward and backward. "ELBO" is what this code believes to be one.
#
# **Predict first.** Where will the "ELBO" end, relative to the highest $\log p(x)$ of any such
# model: `"below"` or `"above"`?

# %%
predict("04.ceiling", ...)

# %%
def with_power(power):
    """elbo_and_grads with exp(power * logvar) as sigma, in both passes."""
    def sample(mu, logvar, eps):
        return mu + np.exp(power * logvar) * eps

    def sample_backward(dz, logvar, eps):
        return dz, dz * eps * power * np.exp(power * logvar)

    return partial(elbo_and_grads, sample=sample, sample_backward=sample_backward)


wrong, (steps, _, wrong_elbo, wrong_evidence) = train(x, start, 3000, rng, with_power(1))
print(f'"ELBO" at the end {wrong_elbo[-1]:.3f}, log p(x) of that model {wrong_evidence[-1]:.3f}, '
      f"highest possible {best:.3f}")

# %%
fig, ax = plots.figure(4.6, 2.2)
ax.axhline(best, color=plots.GREY, ls=":", label="highest possible log p(x)")
ax.plot(steps, wrong_elbo, color=plots.RED, ls="-", lw=1, label='"ELBO" with the mistake')
ax.plot(steps, wrong_evidence, color=plots.INK, ls="--", lw=1.4,
        label="log p(x) of its model, exact")
ax.set(xlabel="step", ylabel="nats per example", ylim=(-4.6, -1.6))
ax.set_title("no lower bound rises above the ceiling")
ax.legend(loc="lower right", fontsize=8)
fig

# %%
reveal("04.ceiling")

# %% [markdown]
# While the encoder returns the prior, the mistake does not show: at `logvar = 0` both standard
# deviations are 1. Later the KL is that of another $q$ than the one that is drawn from. Charge the
# KL of the $q$ that is really drawn from, whose log variance is `2 * logvar`, and there is a bound
# again:

# %%
def mean_kl(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1).mean()


wrong_mu = x @ wrong["mu_W"] + wrong["mu_b"]
wrong_logvar = x @ wrong["logvar_W"] + wrong["logvar_b"]
charged, owed = mean_kl(wrong_mu, wrong_logvar), mean_kl(wrong_mu, 2 * wrong_logvar)
print(f"logvar is {wrong_logvar.mean():.2f} on average; KL charged {charged:.3f}, owed {owed:.3f}")
print(f'"ELBO" with the KL that is owed: {wrong_elbo[-1] - (owed - charged):.3f}, '
      f"log p(x) of that model {wrong_evidence[-1]:.3f}")

# %% [markdown]
# Now the opposite slip: `exp(logvar / 4)`.
#
# **Predict first.** Where will *this* "ELBO" end, relative to the highest $\log p(x)$: `"below"`,
# `"at it"` or `"above"`?

# %%
predict("04.below", ...)

# %%
_, (_, _, quarter_elbo, quarter_evidence) = train(x, start, 5000, rng, with_power(1 / 4))
print(f'"ELBO" at the end {quarter_elbo[-1]:.3f}, log p(x) of that model '
      f"{quarter_evidence[-1]:.3f}, highest possible {best:.3f}")

# %%
reveal("04.below")

# %% [markdown]
# To be below the ceiling proves nothing. The witness is that it does not *reach* it when it is
# trained to the end, as the right code did.
