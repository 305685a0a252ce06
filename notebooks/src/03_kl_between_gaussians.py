# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 03 · KL between Gaussians
#
# **What you will be able to do**
# - derive the KL divergence between two Gaussians in closed form, and check it by Monte Carlo;
# - say what the two directions of the KL want, and which one a VAE uses;
# - derive the KL's gradient, and check it with central differences that you write in ten lines.
#
# **Builds on** notebook 02, where the gap below $\log p(x)$ turned out to be a KL. Reading time:
# 25 minutes.

# %%
import sys; sys.path[:0] = [".", ".."]

import numpy as np

from minivae import ops, plots
from minivae.exercises import check, hint, predict, recall, reveal, solution

plots.notebook_style()
rng = np.random.default_rng(3)

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("03", ..., ..., ...)

# %% [markdown]
# ## 3.1  What is being measured?
#
# Notebook 02 ended with a bound, the ELBO, and a price inside it: how far $q(z\mid x)$ lies from
# the prior $p(z)$. "How far" was this average, in nats:
#
# $$
# \mathrm{KL}(q \,\Vert\, p) = \mathbb{E}_{z \sim q}\!\left[\log \frac{q(z)}{p(z)}\right] \tag{1}
# $$
#
# Read it from the inside out. Draw a $z$ from $q$. The log ratio says how much more probable $q$
# finds this $z$ than $p$ does. Average that over many draws.
#
# In a VAE both sides are Gaussians: $p(z) = N(0, 1)$ for each latent, and $q(z\mid x)$ has a mean
# `mu` and a variance $\sigma^2$. The code never stores $\sigma$ but `logvar` $= \log \sigma^2$,
# which can be any real number, so that a network may output it freely.
#
# Before any algebra: estimate eq. (1) as it stands, by drawing.

# %%
def log_normal(z, mu, logvar):
    """log of the density N(mu, exp(logvar)) at z, nats."""
    return -0.5 * ((z - mu) ** 2 * np.exp(-logvar) + logvar + np.log(2 * np.pi))


mu, logvar = 1.5, np.log(0.5**2)                 # q = N(1.5, 0.5^2)
z = mu + np.exp(logvar / 2) * rng.standard_normal(100_000)
log_ratio = log_normal(z, mu, logvar) - log_normal(z, 0.0, 0.0)
print(f"KL, the average of {z.size:,} draws: {log_ratio.mean():.4f} nats")
print(f"standard error of that average:      {log_ratio.std() / np.sqrt(z.size):.4f} nats")

# %%
grid = np.linspace(-3.5, 4, 400)
fig, (top, bottom) = plots.figure(6.4, 4.4, 2, 1, sharex=True)
top.plot(grid, np.exp(log_normal(grid, 0, 0)), color=plots.GREY, ls="--", label="p(z) = N(0, 1)")
top.plot(grid, np.exp(log_normal(grid, mu, logvar)), color=plots.BLUE, label="q(z)")
top.set(ylabel="density", title="KL(q || p) averages the log ratio where q puts its draws")
top.legend()
ratio = log_normal(grid, mu, logvar) - log_normal(grid, 0, 0)
bottom.plot(grid, ratio, color=plots.RED, ls="-", label="log of q(z) / p(z)")
bottom.axhline(log_ratio.mean(), color=plots.INK, lw=1, ls=":", label="its average under q")
bottom.plot(z[:60], np.full(60, -7.0), "|", color=plots.BLUE, ms=9)
bottom.set(xlabel="z (ticks: draws from q)", ylabel="nats", ylim=(-8, 3.5))
bottom.legend(loc="lower left")
fig

# %% [markdown]
# The log ratio is negative in many places, and yet its average under $q$ is positive: $q$ draws
# where the ratio is high, because that is where $q$ is large.

# %% [markdown]
# ## 3.2  Can the integral be done exactly?
#
# For Gaussians, yes. Write both log densities out; the constant $\frac12\log 2\pi$ is in both and
# cancels:
#
# $$
# \log \frac{q(z)}{p(z)}
# = -\frac{(z-\mu)^2}{2\sigma^2} - \frac12\log\sigma^2 + \frac{z^2}{2}.
# $$
#
# Now average over $z \sim q$, term by term. Only two facts about $q$ are needed, and both follow
# from its mean being $\mu$ and its variance $\sigma^2$:
#
# $$
# \begin{aligned}
# \mathbb{E}_q\!\left[(z-\mu)^2\right] &= \sigma^2 && \text{(the variance)}\\
# \mathbb{E}_q\!\left[z^2\right] &= \mu^2 + \sigma^2 && \text{(squared mean plus variance)}
# \end{aligned}
# $$
#
# The first term becomes $-\frac12$, the second has no $z$ in it and stays, the third becomes
# $\frac12(\mu^2+\sigma^2)$. Together:
#
# $$
# \mathrm{KL}\big(N(\mu,\sigma^2) \,\Vert\, N(0,1)\big)
# = \tfrac12\left(\mu^2 + \sigma^2 - 1 - \log\sigma^2\right) \tag{2}
# $$
#
# With $L$ latents that are independent under both, log densities add, so KLs add: one such term
# for each latent.

# %%
def gaussian_kl(mu, logvar):
    """eq. (2), nats, entry by entry."""
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar)


distance = abs(gaussian_kl(mu, logvar) - log_ratio.mean())
error = log_ratio.std() / np.sqrt(z.size)
print(f"closed form {gaussian_kl(mu, logvar):.4f}, sampled {log_ratio.mean():.4f} nats")
print(f"they differ by {distance / error:.1f} standard errors")

# %% [markdown]
# The package's version is the same formula, spelled otherwise. Close to $\sigma = 1$,
# `exp(logvar) - 1` subtracts two nearly equal numbers and loses digits, and so does taking
# `logvar` away from that: what is left is about $\tfrac12\mathrm{logvar}^2$. There the package
# (`ops.expm1_minus`) sums the series $\tfrac12\mathrm{logvar}^2 + \tfrac16\mathrm{logvar}^3 + \dots$,
# in which nothing cancels; elsewhere it takes `np.expm1(logvar) - logvar`.

# %%
zero, near = np.float32([[0.0]]), np.float32([[1e-3]])     # a latent that is almost the prior
plain = gaussian_kl(zero, near).item()
package = ops.gaussian_kl_forward(zero, near)[0].item()           # [0]: a cache comes with it
true = gaussian_kl(zero.astype(float), near.astype(float)).item()  # float64: digits to spare
print(f"true {true:.3e}   float32 as we spelled it {plain:.3e}   float32, the package {package:.3e}")

# %%
some_mu, some_logvar = rng.standard_normal((2, 4, 3))           # 4 examples, 3 latents
package, _ = ops.gaussian_kl_forward(some_mu, some_logvar)
print("ours and the package's agree:", np.allclose(gaussian_kl(some_mu, some_logvar), package))

# %% [markdown]
# Training runs in float32, with many latents that are almost the prior, so the spelling matters.

# %% [markdown]
# ## 3.3  What does this price ask of q?
#
# Eq. (2) has a part for `mu` and a part for `logvar`, and they do not mix. Draw each.

# %%
fig, (left, right) = plots.figure(7.6, 3.2, 1, 2, sharey=True)
steps = np.linspace(-3, 3, 200)
left.plot(steps, gaussian_kl(steps, 0.0), color=plots.BLUE)
left.set(xlabel="mu (logvar = 0)", ylabel="KL, nats", title="moving away costs its square")
right.plot(steps, gaussian_kl(0.0, steps), color=plots.RED, ls="--")
right.set(xlabel="logvar (mu = 0)", title="too wide costs more than too narrow")
fig

# %% [markdown]
# Both curves touch zero only where $q$ is the prior. The right one is lopsided: far to the left (a
# narrow, certain $q$) it grows along a straight line, far to the right it grows exponentially.
#
# So the KL term does more than hold the numbers down, as a penalty on weights does: it has a
# meaning. An encoder that answers `mu = 0, logvar = 0` for
# every image pays nothing, and its $z$ says nothing about the image: it is noise from the prior.
# To say something, $q$ must move away from 0 or become narrow, and both have a price. The next
# cell puts a price on being narrow.

# %%
for digits in (1, 2, 3):
    sigma = 10.0 ** -digits
    kl = gaussian_kl(0.0, 2 * np.log(sigma))
    print(f"to know z to about {sigma:g}: {kl:.2f} nats")
print(f"log 10 is {np.log(10):.2f} nats")

# %% [markdown]
# From each line to the next, $z$ is known to one more decimal digit, and the price goes up by
# $\log 10$ nats: what it takes to say one digit out of ten.

# %% [markdown]
# ## 3.4  Which direction?
#
# $\mathrm{KL}(q\Vert p)$ averages over $q$, $\mathrm{KL}(p\Vert q)$ over $p$, and the two are
# different numbers. The difference matters most where $q$ cannot match $p$. That is the case of the
# gap in notebook 02, eq. (4), where the posterior stands in the place of $p$. So let $p$ here be any
# target: it has two hills, and $q$ must be one Gaussian.
#
# **Predict first.** You minimise $\mathrm{KL}(q\Vert p)$, the direction that a VAE uses. Does the
# best $q$ cover both hills, or sit on one? Put `"both"` or `"one"` in place of the `...`.

# %%
predict("03.direction", ...)

# %%
def log_two_hills(z):
    """log p(z) for an even mixture of N(-1.5, 0.5^2) and N(1.5, 0.5^2)."""
    hills = [log_normal(z, centre, 2 * np.log(0.5)) for centre in (-1.5, 1.5)]
    return np.logaddexp(*hills) - np.log(2)


z_grid, dz = np.linspace(-8, 8, 401, retstep=True)
log_p = log_two_hills(z_grid)
mus = np.linspace(-2.5, 2.5, 51)
logvars = 2 * np.log(np.linspace(0.2, 2.5, 47))
log_q = log_normal(z_grid, mus[:, None, None], logvars[:, None])       # (51, 47, 401)
q_to_p = (np.exp(log_q) * (log_q - log_p)).sum(axis=2) * dz            # KL(q || p)
p_to_q = (np.exp(log_p) * (log_p - log_q)).sum(axis=2) * dz            # KL(p || q)

# %% [markdown]
# Between one hill and two there is no closed form, so eq. (1) becomes a sum over a fine grid of $z$.
# `q_to_p` and `p_to_q` hold the two divergences for every $q$ from a table of means and widths.
# There is no optimiser that could get stuck: the smallest entry of each is the answer.

# %%
fig, ax = plots.figure(6.4, 3.2)
ax.fill_between(z_grid, np.exp(log_p), color=plots.GREY, alpha=0.35, label="p(z), two hills")
for table, name, color, dash in (
    (q_to_p, "KL(q || p)", plots.BLUE, "-"),
    (p_to_q, "KL(p || q)", plots.RED, "--"),
):
    i, j = np.unravel_index(table.round(9).argmin(), table.shape)    # of equals, the first
    best = np.exp(log_normal(z_grid, mus[i], logvars[j]))
    ax.plot(z_grid, best, color=color, ls=dash, label=f"the q with the least {name}")
    sigma = np.exp(logvars[j] / 2)
    print(f"least {name}: mu {mus[i]:+.2f}, sigma {sigma:.2f}, {table[i, j]:.3f} nats")
ax.set(xlabel="z", ylabel="density", xlim=(-4.5, 4.5), ylim=(0, 1.25))
ax.set_title("one direction chooses a hill, the other covers both")
ax.legend(loc="upper right", fontsize=8)
fig

# %% [markdown]
# The solid $q$ sits on one hill and ignores the other (its mirror image on the other hill is
# exactly as good); the dashed one spreads over both, and puts its peak in the valley, where $p$
# has almost nothing.

# %%
reveal("03.direction")

# %% [markdown]
# The reason is in eq. (1). $\mathrm{KL}(q\Vert p)$ averages $\log q/p$ over draws of $q$: a $q$
# that covers both hills also draws from the valley, where $p$ is tiny and the log ratio enormous.
# So $q$ retreats onto one hill: *mode seeking*. $\mathrm{KL}(p\Vert q)$ averages $\log p/q$ over
# draws of $p$: leaving out a hill means draws where $q$ is tiny. So $q$ covers everything: *mass
# covering*.
#
# A VAE uses the first, and not by taste: it is what the ELBO leaves below $\log p(x)$, and its
# average is over $q$, the encoder's own Gaussian, from which one can draw. From the true posterior
# one cannot. The price is a $q$ that may be too sure of itself. Notebook
# 09 measures by how much.

# %% [markdown]
# ## 3.5  Which way is downhill?
#
# Training needs the slope of eq. (2). Take `mu` first: only the term $\mu^2/2$ contains it.
#
# $$
# \frac{\partial\,\mathrm{KL}}{\partial \mu} = \mu \tag{3}
# $$
#
# For `logvar`, write $\sigma^2 = e^{\texttt{logvar}}$, whose derivative by `logvar` is itself, and
# $\log\sigma^2 = \texttt{logvar}$, whose derivative is 1:
#
# $$
# \frac{\partial\,\mathrm{KL}}{\partial\,\texttt{logvar}}
# = \tfrac12\left(\sigma^2 - 1\right) \tag{4}
# $$
#
# Both are zero exactly at the prior, as the two curves promised.
#
# A derivation on paper deserves a check by a machine that knows nothing of the derivation. The
# definition of a derivative is such a check: wiggle one entry by $\pm h$, see how far the function
# moved.

# %%
def central_differences(f, x, h=1e-5):
    """df/dx, entry by entry: (f(x + h) - f(x - h)) / 2h.  f: array -> number."""
    grad = np.empty_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        grad[i] = (f(x + step) - f(x - step)) / (2 * h)
    return grad


def gaussian_kl_gradient(mu, logvar):
    """eqs. (3) and (4)."""
    return mu, 0.5 * (np.exp(logvar) - 1)


# %%
dmu, dlogvar = gaussian_kl_gradient(some_mu, some_logvar)
numeric_dmu = central_differences(lambda m: gaussian_kl(m, some_logvar).sum(), some_mu)
numeric_dlogvar = central_differences(lambda v: gaussian_kl(some_mu, v).sum(), some_logvar)
print("dmu differs by less than 1e-9:    ", np.abs(dmu - numeric_dmu).max() < 1e-9)
print("dlogvar differs by less than 1e-9:", np.abs(dlogvar - numeric_dlogvar).max() < 1e-9)

# %% [markdown]
# They agree to nine decimals at least. Notebook 05 explains where the rest went, and finds a check
# that keeps all sixteen digits.
#
# A checker is worth something only if it fails when it should. Plant a mistake, the half forgotten
# in eq. (4), and look at the ratio.

# %%
planted = np.exp(some_logvar) - 1                    # the half is gone
print("analytic / numeric, logvar:")
print((planted / numeric_dlogvar).round(6))

# %% [markdown]
# A ratio of two in every entry: the signature of a lost half. Reading such signatures is the
# subject of the bug museum in notebook 06.

# %% [markdown]
# ## 3.6  At which input should one check?
#
# There are many ways to write eq. (2) wrongly. The package keeps a list of thirteen: the half lost,
# `exp(logvar / 2)` where `exp(logvar)` belongs, a sign flipped, the mean over latents in place of
# the sum, and so on. You compare each with the right one, at a single input, and take the
# simplest: `mu = 0, logvar = 0`.
#
# **Predict first.** How many of the thirteen give the right value there: `"none"`, `"a few"` or
# `"most"`?

# %%
predict("03.zero-check", ...)

# %%
from minivae.exercises.chapters.nb03 import WRONG_KLS

for m, v in ((0.0, 0.0), (1.0, 0.0)):
    one_mu, one_logvar = np.full((1, 1), m), np.full((1, 1), v)
    right = gaussian_kl(one_mu, one_logvar).sum(axis=1)
    unseen = sum(np.allclose(wrong_kl.wrong(one_mu, one_logvar), right) for wrong_kl in WRONG_KLS)
    print(f"mu = {m:g}, logvar = {v:g}: {unseen} of {len(WRONG_KLS)} give the right value")

# %%
reveal("03.zero-check")

# %% [markdown]
# A zero hides lost factors, turned signs and lost exponents; a one hides lost squares. So this
# project checks at numbers with nothing special about them. Which input catches all thirteen is an
# exercise below.

# %% [markdown]
# ## 3.7  Does walking downhill arrive at the prior?
#
# Follow the negative gradient from a few starting points, with nothing else in the loss.

# %%
def descend(mu, logvar, steps=100, lr=0.15):
    """The path of plain gradient descent on eq. (2)."""
    path = [(mu, logvar)]
    for _ in range(steps):
        dmu, dlogvar = gaussian_kl_gradient(mu, logvar)
        mu, logvar = mu - lr * dmu, logvar - lr * dlogvar
        path.append((mu, logvar))
    return np.array(path)


# %%
fig, ax = plots.figure(6, 3.8)
m, v = np.meshgrid(np.linspace(-2.6, 2.6, 120), np.linspace(-4.5, 2.2, 120))
rings = ax.contour(m, v, gaussian_kl(m, v), [0.1, 0.5, 1, 2, 3], colors=plots.GREY, linewidths=0.8)
ax.clabel(rings, fmt="%g", fontsize=8, manual=[(a, -a) for a in (0.4, 0.9, 1.3, 1.8, 2.1)])
for start, color, marker in (
    ((2.2, 1.6), plots.BLUE, "o"),
    ((-2.2, -2.0), plots.RED, "s"),
    ((0.4, -4.2), plots.GREEN, "^"),
):
    path = descend(*start).T
    ax.plot(*path, marker=marker, ls="-", color=color, ms=2.5, lw=1)
    kl = gaussian_kl(*path)
    print(f"from mu {start[0]:+}, logvar {start[1]:+}: KL {kl[0]:.3f}, after 100 steps {kl[-1]:.3f}")
ax.plot(0, 0, "*", color=plots.INK, ms=13)
ax.set(xlabel="mu", ylabel="logvar", title="left alone, the KL pulls every q to the prior (star)")
fig

# %% [markdown]
# All three arrive; each dot is one step, and the rings are lines of equal KL, in nats. The path that
# starts narrow (bottom) creeps: there the slope by `logvar` is close to $-\tfrac12$ and never
# steeper. In a VAE the reconstruction term pulls the other way, and each image's $q$ settles where
# the two balance. A latent for which the reconstruction does not pull at all ends at the star:
# *posterior collapse*, seen in notebook 07.

# %% [markdown]
# ## Recap
#
# - $\mathrm{KL}(q\Vert p)$ is the average, over draws from $q$, of the log ratio of the densities:
#   eq. (1).
# - For a diagonal Gaussian against $N(0, I)$ it is a sum of one closed term per latent: eq. (2).
# - It asks $q$ to stay near 0 and not to be too sure; each digit of precision costs $\log 10$
#   nats.
# - The VAE's direction seeks a mode; the other covers the mass.
# - The slopes are `mu` and `(sigma^2 - 1) / 2`, and central differences agree: eqs. (3), (4).
# - A check is as good as its input: at zeros and ones, wrong formulas look right.
#
# ## Exercises
#
# Each stub below is yours to fill in; `check` says what is right, or shows the smallest input
# where it is not. `hint("03.kl")` gives a nudge, `solution("03.kl")` the reference.

# %% [markdown]
# **The KL of a diagonal Gaussian.** One number for each example: the latents are summed.

# %%
def gaussian_kl(mu, logvar):      # (B, L), (B, L) -> (B,) nats
    ...                           # your code


check("03.kl", gaussian_kl)

# %% [markdown]
# **Its gradient.** `dkl` is the slope of the loss by each example's KL, as it arrives from above.

# %%
def gaussian_kl_backward(dkl, mu, logvar):    # (B,), (B, L), (B, L)
    ...                                       # -> dmu (B, L), dlogvar (B, L)


check("03.kl-backward", gaussian_kl_backward)

# %% [markdown]
# **The same KL, by Monte Carlo.** The standard normal noise is an argument, as everywhere in this
# project: build $z$ from it as in 3.1, and sum the log ratio over the latents.

# %%
def kl_monte_carlo(mu, logvar, eps):    # (B, L), (B, L), (K, B, L)
    ...                                 # -> (B,) nats, the mean of K samples


check("03.kl-monte-carlo", kl_monte_carlo)

# %% [markdown]
# **Any two diagonal Gaussians.** Repeat the derivation of 3.2 with a second Gaussian in the place
# of $N(0, 1)$.

# %%
def kl_two_gaussians(mu1, logvar1, mu2, logvar2):    # each (B, L) -> (B,) nats
    ...                                              # KL(first || second)


check("03.kl-two-gaussians", kl_two_gaussians)

# %% [markdown]
# **Find the bug.** This KL is of a kind found in public code. The model trains, reconstructs a
# little too well, and samples badly. Mend it.

# %%
def repo_kl(mu, logvar):
    # Found in public code, with 20 latents: trains, but reconstructs too well and samples badly.
    return -0.5 * np.mean(1 + logvar - mu**2 - np.exp(logvar), axis=1)


check("03.bug", repo_kl)

# %% [markdown]
# **Write the check.** Thirteen wrong KLs wait. Choose one input at which every one of them differs
# from the right one, and from each other. Section 3.6 showed two that will not do.

# %%
# One input (mu, logvar), each (B, L), at which thirteen wrong KLs (the half dropped, a sign
# flipped, exp(logvar / 2) for exp(logvar), ...) differ from the right one and each other.
inputs = ...

check("03.tell-apart", inputs)

# %% [markdown]
# **Next:** notebook 04 asks how a gradient gets through a random draw.
