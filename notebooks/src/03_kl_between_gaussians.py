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
# - derive the KL divergence between two Gaussians in closed form, and say what a nat of it is worth
#   (`03.kl`, `03.kl-two-gaussians`, `03.evidence`);
# - find the best Gaussian for a target in both directions of the KL, and say when the direction
#   that a VAE uses covers two hills, when it chooses one, and how much too sure it is
#   (`03.moment-matching`, `03.too-sure`, `03.turns`, `03.parting`);
# - derive the KL's gradient, and check it with central differences that you write yourself
#   (`03.kl-backward`, `03.central-differences`, `03.bug`);
# - choose an input at which a check sees mistakes, and find one at which it is blind
#   (`03.blind-spot`).
#
# **Builds on** notebook 02, where the gap below $\log p(x)$ turned out to be a KL. Reading time:
# 40 minutes. The exercises, three of which stand in the text, take about two hours more.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]

import numpy as np

from minivae import ops, plots
from minivae.exercises import check, hint, predict, recall, reveal, solution, use

plots.notebook_style()
rng = np.random.default_rng(3)

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("03", ..., ..., ...)

# %% [markdown]
# ## 3.1  What is being measured?
#
# Notebook 02 found a bound, the ELBO, and in its eq. (5) a price: how far $q_\phi(z\mid x)$ lies
# from the prior $p(z)$. "How far" was this average, in nats:
#
# $$
# \mathrm{KL}(q \,\Vert\, p) = \mathbb{E}_{z \sim q}\!\left[\log \frac{q(z)}{p(z)}\right] \tag{1}
# $$
#
# Read it from the inside out. Draw a $z$ from $q$. The log ratio compares the two densities at this
# $z$: it is 0 where they are equal, and above 0 where $q$ is the larger. Average that over many
# draws.
#
# In the VAE of this course both sides are Gaussians: $p(z) = N(0, 1)$ for each latent, and
# $q_\phi(z\mid x)$ has a mean `mu` and a variance $\sigma^2$. ($\phi$ are the weights of the encoder;
# there is no network in this notebook, so we write $q(z)$.) In code $\sigma$ is given by `logvar`
# $= \log \sigma^2$, which can be any real number, so that a network may output it freely.
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
# The log ratio is negative in many places, and yet its average under $q$ is positive. Is that
# because most draws of $q$ fall where $q$ is larger than $p$? Try others, all centred on 0:

# %%
for sigma in (0.5, 1.1, 2.0):
    draws = sigma * rng.standard_normal(100_000)               # q = N(0, sigma^2)
    ratios = log_normal(draws, 0.0, 2 * np.log(sigma)) - log_normal(draws, 0.0, 0.0)
    print(f"q = N(0, {sigma}^2): q is larger for {np.mean(ratios > 0):.0%} of its draws, "
          f"and the average is {ratios.mean():+.3f} nats")

# %% [markdown]
# It is not. A majority of draws may fall where $p$ is larger, and the average is positive all the
# same. The reason is Jensen's inequality: $\mathbb{E}_q[\log p/q] \le \log \mathbb{E}_q[p/q]$, and
# $\mathbb{E}_q[p/q] = \int p = 1$, whose log is 0. The left side is minus the KL, and it is 0 only if
# $q$ is $p$.
#
# What does a number of nats mean here? One way to read it is **evidence**. Somebody shows you
# independent draws; you do not know whether they come from $q$ or from $p$, and at first you hold
# both for equally probable. Your *log odds* for $q$, the log of p(it is $q$) / p(it is $p$), are
# then 0. By Bayes' rule each draw adds its log ratio to them. If the draws do come from $q$, the KL
# is the evidence that each gives you, on average.

# %%
log_odds = log_ratio.reshape(-1, 5).cumsum(axis=1)             # 20,000 times five draws from q
for n in (1, 3, 5):
    wrong = np.mean(log_odds[:, n - 1] < 0)
    print(f"draws: {n}, log odds {log_odds[:, n - 1].mean():.2f} nats on average "
          f"({n} KL: {n * log_ratio.mean():.2f}); they favour p in {wrong:.1%} of the cases")

# %% [markdown]
# ## 3.2  Can the integral be done exactly?
#
# For Gaussians, yes. (The last two averages of notebook 02's eq. (7) add up to minus this KL.) Start
# from eq. (1) and write both log densities out; the constant $\frac12\log 2\pi$ is in both and
# cancels:
#
# $$
# \log \frac{q(z)}{p(z)}
# = -\frac{(z-\mu)^2}{2\sigma^2} - \frac12\log\sigma^2 + \frac{z^2}{2}.
# $$
#
# **Before you read on, do the rest yourself**: average the three terms over $z \sim q$, and add
# them up. With $L$ latents that are independent under both, log densities add, and so do KLs. Let
# your function take a batch of $B$ examples. The checker knows the usual mistakes, `hint("03.kl")`
# gives a nudge, and `solution("03.kl")` shows the reference.

# %%
def my_gaussian_kl(mu, logvar):      # (B, L), (B, L) -> (B,) nats
    ...                              # your code


check("03.kl", my_gaussian_kl)

# %% [markdown]
# Only two facts about $q$ are needed, and both follow from its mean being $\mu$ and its variance
# $\sigma^2$:
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

# %%
def gaussian_kl(mu, logvar):
    """eq. (2), nats, entry by entry."""
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar)


distance = abs(gaussian_kl(mu, logvar) - log_ratio.mean())
error = log_ratio.std() / np.sqrt(z.size)
print(f"closed form {gaussian_kl(mu, logvar):.4f}, sampled {log_ratio.mean():.4f} nats")
print(f"they differ by {distance / error:.1f} standard errors")

# %% [markdown]
# The package has the same formula, written so that no digits are lost near $\sigma = 1$, where
# nearly equal numbers are subtracted.

# %%
some_mu, some_logvar = rng.standard_normal((2, 4, 3))               # 4 examples, 3 latents
package, _ = ops.gaussian_kl_forward(some_mu, some_logvar)          # a cache comes with it
print("ours and the package's agree:", np.allclose(gaussian_kl(some_mu, some_logvar), package))

# %% [markdown]
# ## 3.3  What does this price ask of q?
#
# Eq. (2) has a part for `mu` and a part for `logvar`, and they do not mix. Draw each.

# %%
fig, (left, right) = plots.figure(7.6, 3.2, 1, 2, sharey=True)
steps = np.linspace(-3, 3, 200)
left.plot(steps, gaussian_kl(steps, 0.0), color=plots.BLUE)
left.set(xlabel="mu (logvar = 0)", ylabel="KL, nats", title="moving by mu costs half its square")
right.plot(steps, gaussian_kl(0.0, steps), color=plots.RED, ls="--")
right.set(xlabel="logvar (mu = 0)", title="for equal |logvar|, wide costs more")
fig

# %% [markdown]
# Both curves touch zero only where $q$ is the prior. The right one is lopsided: far to the left (a
# narrow, certain $q$) it approaches a straight line, far to the right it grows exponentially.
#
# An encoder that answers `mu = 0, logvar = 0` for every image pays nothing, and its $z$ says nothing
# about the image: it is noise from the prior. But a large KL does not mean that $z$ says much. An
# encoder that answers `mu = 2, logvar = 0` for every image pays 2 nats a latent, and its $z$ tells
# nothing either. What informs is that $q$ *differs* from image to image.
#
# ### A second way to read a KL
#
# In 3.1 the KL was evidence. It is also a **code length**. To write down what was drawn, give short
# words to frequent values: for a $z$ that takes separate values, the best code for $q$ spends about
# $-\log_2 q(z)$ bits on $z$, and one made for $p$ about $-\log_2 p(z)$. If the draws come from $q$,
# the second code wastes the average of the log ratio, which is the KL in bits. (A real $z$ is first
# rounded to a fine grid; in the log ratio the width of its cells cancels.) Here are two codes for
# the weather, made for two towns. In each no word begins with another of its words, so that a row
# of bits can be read without gaps.

# %%
here, there = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8]), np.array([1 / 8, 1 / 8, 1 / 4, 1 / 2])
code_here, code_there = ["0", "10", "110", "111"], ["111", "110", "10", "0"]     # sun ... snow
own, other = (here @ [len(word) for word in code] for code in (code_here, code_there))
kl_bits = (here * np.log2(here / there)).sum()
print(f"this town's weather: {own:.3f} bits a day in its own code, {other:.3f} in the other's")
print(f"wasted: {other - own:.3f} bits a day; KL: {kl_bits:.3f} bits, {kl_bits * np.log(2):.3f} nats")

# %% [markdown]
# ### What does it cost to tell images apart?
#
# Take an encoder that knows each $z$ to about $\sigma$. Let its `mu` be spread over the images like
# $N(0, 1 - \sigma^2)$: the variances add to 1, so all its draws together are distributed as the
# prior. Then $\mathbb{E}[\mu^2] = 1 - \sigma^2$, and eq. (2), averaged over the images, is exactly
# $-\log\sigma$.

# %%
for digits in (1, 2, 3):
    sigma = 10.0 ** -digits
    mu_of_images = np.sqrt(1 - sigma**2) * rng.standard_normal(200_000)
    kl = gaussian_kl(mu_of_images, 2 * np.log(sigma)).mean()
    print(f"z known to about {sigma:g}: {kl:.2f} nats an image, -log sigma = {-np.log(sigma):.2f}")
print(f"log 10 is {np.log(10):.2f} nats")

# %% [markdown]
# Each decimal digit of $z$ costs such an encoder $\log 10$ nats: the length of one digit, chosen out
# of ten. Here $p$'s code is for those who have not seen the image and $q$'s for those who have. The
# nats between them, averaged over the images, are what an image tells about $z$: the *mutual
# information* of the two. (If all draws together are not distributed as the prior, their own KL to
# it comes on top. The encoder with `mu = 2` for every image paid for nothing else.)

# %% [markdown]
# ## 3.4  Which direction?
#
# $\mathrm{KL}(q\Vert p)$ averages over $q$, $\mathrm{KL}(p\Vert q)$ over $p$, and the two are
# different numbers. The difference matters where $q$ cannot match $p$. So far $p$ was the prior, and
# the KL a price. The other KL of notebook 02 is the gap, and there the posterior stands in the place
# of $p$, which may have any shape. Let $p$ be such a target now: it has two hills, and $q$ must be
# one Gaussian.
#
# **Predict first.** The hills are $N(-1.5, 0.5^2)$ and $N(1.5, 0.5^2)$. You minimise
# $\mathrm{KL}(q\Vert p)$, the direction that a VAE uses. Does the best $q$ cover both hills, or sit
# on one? Put `"both"` or `"one"` in place of the `...`.

# %%
predict("03.direction", ...)

# %% [markdown]
# With two hills in $p$ there is no closed form, so eq. (1) becomes a sum over a fine grid of $z$,
# for every $q$ from a table of means and widths. The smallest entry is the answer, up to the steps of
# the table (0.02 in `mu`, 0.05 in $\sigma$).
# Negative `mu` are left out: the two hills are equally wide, and the one at `d` is never the smaller,
# so the mirror image of a $q$ on the left costs no more.

# %%
def log_two_hills(z, d, share=0.5):
    """log p(z): N(d, 0.5^2) with that share, and N(-d, 0.5^2) with the rest."""
    left, right = (log_normal(z, centre, 2 * np.log(0.5)) for centre in (-d, d))
    return np.logaddexp(np.log(1 - share) + left, np.log(share) + right)


z_grid, dz = np.linspace(-8, 8, 401, retstep=True)
mus = np.linspace(0, 3, 151)
logvars = 2 * np.log(np.linspace(0.2, 2.5, 47))
log_q = log_normal(z_grid, mus[:, None, None], logvars[:, None])       # (151, 47, 401)
density_q = np.exp(log_q)
mean_log_q = (density_q * log_q).sum(axis=2) * dz                      # E_q[log q]: (151, 47)


def q_to_p(log_p):
    """KL(q || p) = E_q[log q] - E_q[log p] for every q of the table, (151, 47)."""
    return mean_log_q - density_q @ log_p * dz


def p_to_q(log_p):
    """KL(p || q) for every q of the table, (151, 47)."""
    return (np.exp(log_p) * (log_p - log_q)).sum(axis=2) * dz


def least(table):
    """Where a table is smallest: (mu, logvar, the value)."""
    i, j = np.unravel_index(table.argmin(), table.shape)
    return mus[i], logvars[j], table[i, j]


# %%
fig, ax = plots.figure(6.4, 3.2)
log_p = log_two_hills(z_grid, 1.5)
p_grid = np.exp(log_p)
ax.fill_between(z_grid, p_grid, color=plots.GREY, alpha=0.35, label="p(z), two hills")
for table, name, color, dash in zip(
    (q_to_p(log_p), p_to_q(log_p)), ("KL(q || p)", "KL(p || q)"), (plots.BLUE, plots.RED),
    ("-", "--"),
    strict=True,
):
    m, v, value = least(table)
    curve = np.exp(log_normal(z_grid, m, v))
    ax.plot(z_grid, curve, color=color, ls=dash, label=f"the q with the least {name}")
    print(f"least {name}: mu {m:+.2f}, sigma {np.exp(v / 2):.2f}, {value:.3f} nats")
ax.set(xlabel="z", ylabel="density", xlim=(-4.5, 4.5), ylim=(0, 1.25))
ax.set_title("here one direction chooses a hill, the other covers both")
ax.legend(loc="upper right", fontsize=8)
fig

# %% [markdown]
# The solid $q$ sits on one hill and ignores the other (its mirror image on the other hill is
# exactly as good); the dashed one spreads over both, and puts its peak in the valley, where $p$
# has almost nothing.

# %%
reveal("03.direction")

# %% [markdown]
# The solid $q$ is almost equal to its hill, and $p$ is half of that hill there, so $\log q/p$ is close
# to $\log 2$ wherever $q$ draws. The dashed one follows from the definition:
# $\mathrm{KL}(p\Vert q) = \mathbb{E}_p[\log p] - \mathbb{E}_p[\log q]$, and only the second term depends
# on $q$. For a Gaussian it is
#
# $$
# -\mathbb{E}_p[\log q(z)]
# = \tfrac12\log(2\pi\sigma^2) + \frac{1}{2\sigma^2}\,\mathbb{E}_p\big[(z-\mu)^2\big],
# $$
#
# which is least where $\mu$ is the mean of $p$ and $\sigma^2$ its variance. This is *moment
# matching*: beyond these two numbers, the shape of $p$ does not matter. (The table has steps of 0.05
# in $\sigma$ and can only come near.)

# %%
print(f"log 2 = {np.log(2):.3f} nats")
mean = (p_grid * z_grid).sum() * dz
sd = np.sqrt((p_grid * (z_grid - mean) ** 2).sum() * dz)
print(f"p has mean {abs(mean):.2f} and standard deviation {sd:.2f}")

# %% [markdown]
# ### Is it a law?
#
# Does $\mathrm{KL}(q\Vert p)$ always choose? Slide the hills, in steps of 0.02. For each distance
# take the best $q$ in the middle (`mu` = 0), the best one centred on a hill (`mu` = `d`), and the best
# of the whole table; the last for uneven hills too.

# %%
distances = np.linspace(0.7, 1.8, 56)
tables = [q_to_p(log_two_hills(z_grid, d)) for d in distances]
in_the_middle = [table[0].min() for table in tables]                       # mus[0] is 0
on_a_hill = [table[np.isclose(mus, d)].min() for table, d in zip(tables, distances, strict=True)]
best_mu = {}
for share in (0.5, 0.8, 0.9):
    best_mu[share] = [least(q_to_p(log_two_hills(z_grid, d, share)))[0] for d in distances]
    moves = np.diff(best_mu[share])
    print(f"shares {1 - share:.1f}, {share}: one step of d moves the best mu by at most "
          f"{moves.max():.2f}, at d = {distances[moves.argmax()]:.2f}")

# %%
fig, (left, right) = plots.figure(7.6, 3.1, 1, 2)
left.plot(distances, in_the_middle, color=plots.RED, ls="--", label="best q with mu = 0: covers both")
left.plot(distances, on_a_hill, color=plots.BLUE, label="best q with mu = d: on one hill")
left.axhline(np.log(2), color=plots.GREY, lw=1, ls=":", label="log 2")
left.set(xlabel="d: even hills at -d and d", ylabel="least KL(q || p), nats", ylim=(0, 1.4))
left.set_title("even hills: the cheaper one wins")
left.legend(fontsize=8)
for (share, found), dash in zip(best_mu.items(), ("-", "--", "-."), strict=True):
    right.plot(distances, found, ls=dash, label=f"shares {1 - share:.1f}, {share}")
right.plot(distances, distances, color=plots.GREY, lw=1, label="on the hill")
right.set(xlabel="d", ylabel="mu of the best q", title="even: a jump; 0.8, 0.9: a slide")
right.legend(fontsize=8)
fig

# %% [markdown]
# What does covering pay for? Split the sum of eq. (1) by where the draws fall: in the valley
# between -1 and 1, beyond both hills, or on them.

# %%
covering = log_q[0, q_to_p(log_p)[0].argmin()]                   # d = 1.5, mu = 0: log q, (401,)
parts = np.exp(covering) * (covering - log_p) * dz
valley, beyond = np.abs(z_grid) < 1, np.abs(z_grid) > 2.5
print(f"covering both at d = 1.5: {parts.sum():.2f} nats: {parts[valley].sum():+.2f} in the valley, "
      f"{parts[beyond].sum():+.2f} beyond, {parts[~valley & ~beyond].sum():+.2f} on the hills")

# %% [markdown]
# (A part may be negative: on the hills $p$ is denser than this $q$, and the log ratio below 0.) So
# choosing is no law. A $q$ that covers both hills draws from the valley, where $p$ is small and the
# log ratio large. While the hills are close, the valley is shallow and this costs little. It costs
# more and more as they part, but choosing never costs more than $-\log$ of the hill's share,
# $\log 2$ here: if $q$ equals one hill, then $p$ is everywhere at least $q$ times that share. Where the
# two curves cross, near $d = 1.4$ or 2.8 widths of a hill, the best $q$ jumps. If one hill has a share
# of 0.8 or 0.9, no step of `d` moves `mu` by much: $q$ leans to the larger hill from the start, and
# slides onto it. Settling on one hill is called *mode seeking*.
#
# In the other direction the cost of leaving out a hill has no such limit: $\mathrm{KL}(p\Vert q)$
# averages $\log p/q$ over draws of $p$, half of them come from the hill that is left out, and the
# further away this hill lies, the smaller $q$ is there. That is called *mass covering*.
#
# A VAE uses the first direction. Its average is over $q$, the encoder's own Gaussian, from which one
# can draw at once. To draw from the true posterior of a network with many latents is much harder.

# %% [markdown]
# ### One tilted hill
#
# What does this direction cost where there is no second hill? Let two latents both brighten a
# pixel, $x = z_1 + z_2 + $ noise of variance $\frac19$. Once $x$ is seen, they explain each other
# away: if one is larger, the other is smaller. As a function of $z$,
#
# $$
# \log p(z\mid x) = -\tfrac12 z_1^2 - \tfrac12 z_2^2 - \tfrac92 (x - z_1 - z_2)^2 + \text{constant},
# $$
#
# a Gaussian with correlated latents, while a VAE's $q$ keeps them independent. In its KL to this $p$,
# $\log q$ brings $-\frac12\log\sigma_i^2$, as in eq. (2), and $z_i^2$, whose factors in $-\log p$ are
# $\frac12$ and $\frac92$, brings $\frac12(1 + 9)\sigma_i^2$. The sum is least at
# $\sigma_i^2 = \frac1{10}$. The other direction matches moments. Draw both:

# %%
side = np.linspace(-2.5, 3.5, 301)
z1, z2 = np.meshgrid(side, side)
cell = (side[1] - side[0]) ** 2
log_joint = -0.5 * z1**2 - 0.5 * z2**2 - 4.5 * (1.0 - z1 - z2) ** 2          # x = 1
posterior = np.exp(log_joint) / (np.exp(log_joint).sum() * cell)
mean = (posterior * z1).sum() * cell
variance = (posterior * (z1 - mean) ** 2).sum() * cell
fig, ax = plots.figure(4.6, 4.2)
ax.contourf(z1, z2, posterior, 6, cmap="Greys", alpha=0.6)
for name, v, color, dash in (("KL(q || p)", 0.1, plots.BLUE, "solid"),
                             ("KL(p || q)", variance, plots.RED, "dashed")):
    density = log_normal(z1, mean, np.log(v)) + log_normal(z2, mean, np.log(v))
    gap = (np.exp(density) * (density - np.log(posterior))).sum() * cell
    radius_2 = ((z1 - mean) ** 2 + (z2 - mean) ** 2) / v
    ax.contour(z1, z2, radius_2, [4], colors=color, linestyles=dash)           # two sigma
    ax.plot([], color=color, ls=dash, label=f"least {name}")
    print(f"least {name}: sigma {np.sqrt(v):.2f}; its KL(q || p) is {gap:.2f} nats")
ax.set(xlabel="z1", ylabel="z2", xlim=(-1.5, 2.5), ylim=(-1.5, 2.5), aspect="equal")
ax.set_title("circles: two sigma of q")
ax.legend(loc="upper right", fontsize=8)
fig

# %% [markdown]
# The grey posterior lets each latent range with the $\sigma$ of the dashed circle. The solid circle,
# which the ELBO prefers, is less than half as wide: it is as sure of $z_1$ as if $z_2$ were known.
# So $q$ is **too sure of itself**, and it takes no second hill for that: correlated latents are
# enough. (The best independent $q$ for the patient of notebook 02 was too sure as well: it chose one
# of three explanations.)

# %% [markdown]
# ## 3.5  Which way is downhill?
#
# Training needs the gradient of eq. (2). **Derive it before you read on**, with respect to `mu` and
# to `logvar`. In code the gradient of the loss with respect to `mu` is called `dmu`, and so on; so
# `dkl` is its gradient with respect to each example's KL, as it arrives from the rest of the loss.

# %%
def gaussian_kl_backward(dkl, mu, logvar):    # (B,), (B, L), (B, L)
    ...                                       # -> dmu (B, L), dlogvar (B, L)


check("03.kl-backward", gaussian_kl_backward)

# %% [markdown]
# For `mu`: only the term $\mu^2/2$ contains it.
#
# $$
# \frac{\partial\,\mathrm{KL}}{\partial \mu} = \mu \tag{3}
# $$
#
# For `logvar`, write $\sigma^2 = e^{\texttt{logvar}}$, whose derivative with respect to `logvar` is
# itself, and $\log\sigma^2 = \texttt{logvar}$, whose derivative is 1:
#
# $$
# \frac{\partial\,\mathrm{KL}}{\partial\,\texttt{logvar}}
# = \tfrac12\left(\sigma^2 - 1\right) \tag{4}
# $$
#
# They are zero together only at the prior, as the two curves promised. By the chain rule a `dkl` from
# above multiplies both.
#
# Check the derivation by a way that does not use it. For any function $f$ of an array $x$, move one
# entry up by $h$ and down by $h$, see by how much $f$ differs between the two places, and divide by
# their distance. These are *central differences*. **This too you write now**, in ten lines or fewer.
# Until yours passes, the next cell takes the reference.

# %%
def my_central_differences(f, x, h):    # f: array -> number, x (B, L) floats or integers
    ...                                 # -> df/dx (B, L), one entry moved by h at a time


check("03.central-differences", my_central_differences)

# %%
central_differences = use("03.central-differences", my_central_differences)

# %% [markdown]
# In a formula, where $e_i$ is 1 at entry $i$ and 0 everywhere else:
#
# $$
# \frac{\partial f}{\partial x_i} \approx \frac{f(x + h e_i) - f(x - h e_i)}{2h} \tag{5}
# $$

# %%
def gaussian_kl_gradient(mu, logvar):
    """eqs. (3) and (4)."""
    return mu, 0.5 * (np.exp(logvar) - 1)


dmu, dlogvar = gaussian_kl_gradient(some_mu, some_logvar)
numeric_dmu = central_differences(lambda m: gaussian_kl(m, some_logvar).sum(), some_mu, 1e-5)
numeric_dlogvar = central_differences(lambda v: gaussian_kl(some_mu, v).sum(), some_logvar, 1e-5)
print("dmu differs by less than 1e-9:    ", np.abs(dmu - numeric_dmu).max() < 1e-9)
print("dlogvar differs by less than 1e-9:", np.abs(dlogvar - numeric_dlogvar).max() < 1e-9)

# %% [markdown]
# They agree to within $10^{-9}$; notebook 05 explains what is left. And the check fails where it
# should: with the half of eq. (4) forgotten, derived over measured is 2 in every entry.

# %%
print(((np.exp(some_logvar) - 1) / numeric_dlogvar).round(6))

# %% [markdown]
# ## 3.6  At which input should one check?
#
# There are many ways to write eq. (2) wrongly. The package keeps a list of thirteen: the half lost,
# `exp(logvar / 2)` where `exp(logvar)` belongs, a sign flipped, and so on. You compare each
# with the right one, at a single input, and take the simplest: `mu = 0, logvar = 0`.
#
# **Predict first.** How many of the thirteen give the right value there: `"none"`, `"a few"` or
# `"most"`?

# %%
predict("03.zero-check", ...)

# %%
from minivae.exercises.chapters.nb03 import WRONG_KLS


def unseen(mu, logvar):
    """How many of the wrong KLs give the right value at one input, (1, L) each."""
    right = gaussian_kl(mu, logvar).sum(axis=1)
    return sum(np.allclose(entry.wrong(mu, logvar), right) for entry in WRONG_KLS)


for m, v in (([0.0], [0.0]), ([1.0], [0.0]), ([0.7], [0.0]), ([0.7, -1.3], [0.0, 0.0]),
             ([1.0], [0.3]), ([0.7], [0.3]), ([0.7, -1.3], [0.3, -0.8])):
    count = unseen(np.array([m]), np.array([v]))
    print(f"mu = {m}, logvar = {v}: {count} of {len(WRONG_KLS)} give the right value")

# %%
reveal("03.zero-check")

# %% [markdown]
# With `logvar = 0` more than half of the mistakes hide, whatever `mu` is: every power of $\sigma$ is
# 1 there, and every multiple of `logvar` is 0. With `mu = 0` as well the KL itself is 0, which hides
# a lost half and a turned sign. `mu = 1` hides one that forgets the square. The two that are left at
# `mu = [0.7], logvar = [0.3]` take a mean over the latents, or add the latents' `mu` before they
# square: with a single latent neither changes anything. So this project checks with several latents,
# at numbers with nothing special about them.

# %% [markdown]
# ## 3.7  Does walking downhill arrive at the prior?
#
# Follow the negative gradient from a few starting points, with nothing else in the loss.
#
# **Predict first.** One path starts very wide, at `logvar = 6` ($\sigma$ is about 20), where
# `dlogvar` is about 200. After 100 steps of size 0.15, where is its `logvar`: `"at 0"`,
# `"far below"` or `"far above"`?

# %%
predict("03.wall", ...)

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
fig, (ax, right) = plots.figure(7.2, 3.1, 1, 2, width_ratios=(2, 1))
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
ax.set(xlabel="mu", ylabel="logvar", title="three paths, left to the KL alone (star: the prior)")
wide = descend(0.0, 6.0, steps=400)
kl = gaussian_kl(*wide.T)
dlogvar = gaussian_kl_gradient(*wide[0])[1]
print(f"from mu 0, logvar 6: sigma {np.exp(wide[0, 1] / 2):.1f}, dlogvar {dlogvar:.0f};\n    logvar "
      f"after 1 step {wide[1, 1]:.1f}, after 100 {wide[100, 1]:.1f};\n    KL {kl[0]:.0f}, "
      f"after 100 steps {kl[100]:.2f}, below 0.001 after {np.argmax(kl < 1e-3)}")
right.plot(wide[:, 1], color=plots.ORANGE)
right.axhline(0, color=plots.GREY, lw=1, ls=":")
right.set(xlabel="step", ylabel="logvar", title="the wide path")
fig

# %% [markdown]
# On the left each dot is one step, and the rings are lines of equal KL, in nats. All three arrive. The
# path that starts narrow (bottom) creeps: where `logvar` is negative, `dlogvar` lies between
# $-\tfrac12$ and 0, however far away the prior is. The wide path (right) starts above the left picture
# and is below it after one step. It arrives too, hundreds of steps later.

# %%
reveal("03.wall")

# %% [markdown]
# In a VAE the reconstruction term pulls the other way, and each image's $q$ settles about where the
# two balance. A latent for which the reconstruction does not pull at all is left to the KL, which
# pulls it to the star: *posterior collapse*, which you will see in notebook 07.

# %% [markdown]
# ## Recap
#
# - $\mathrm{KL}(q\Vert p)$ is the average, over draws from $q$, of the log ratio of the densities,
#   eq. (1): the evidence of one draw, and what a code made for $p$ wastes on it.
# - For a diagonal Gaussian against $N(0, I)$ it is a sum of one closed term per latent: eq. (2).
# - A large KL alone does not inform: $q$ must differ between images. If all draws together are
#   distributed as the prior, the KL averaged over the images is what an image tells about $z$:
#   $\log 10$ nats for each decimal digit.
# - The VAE's direction made $q$ too sure: narrower than the posterior in each of two correlated
#   latents, and on one of two even hills where covering cost more. The other direction matches mean
#   and variance.
# - The gradient is `mu` and `(sigma^2 - 1) / 2`, eqs. (3) and (4), and central differences agree.
# - Where one checks matters: at zeros, at `mu = 1` or with one latent, some wrong formulas give the
#   right value.
#
# ## Exercises
#
# Three were above: `03.kl`, `03.kl-backward`, `03.central-differences`. `check` says what is right, or
# shows the smallest input where it is not. After `from minivae.exercises import progress, review`,
# `progress()` lists what is done and what comes next, and `review()` asks earlier questions again.

# %% [markdown]
# **Any two diagonal Gaussians.** Repeat the derivation of 3.2 with a second Gaussian in the place
# of $N(0, 1)$.

# %%
def kl_two_gaussians(mu1, logvar1, mu2, logvar2):    # each (B, L) -> (B,) nats
    ...                                              # KL(first || second)


check("03.kl-two-gaussians", kl_two_gaussians)

# %% [markdown]
# **What are the nats worth?** In 3.1 the draws came from $q$. Now they come from $p$: how fast does
# your evidence for $p$ grow, and how much does a code made for $q$ waste?

# %%
def draws_and_bits(mu, logvar):    # q = N(mu, exp(logvar)), one latent: two floats
    ...    # Even odds at first; the draws come from p = N(0, 1). -> after how many draws
           #    the log odds for p are log 1000 on average (a float), and how many bits a
           #    draw a code made for q wastes


check("03.evidence", draws_and_bits)

# %% [markdown]
# **The other direction, for any mixture.** Moment matching asks for the mean and the variance of $p$.
# Find them where $p$ has $K$ hills with shares, means and widths of their own.

# %%
def moment_matching(shares, mus, logvars):    # p: K hills, each (K,); the shares sum to 1
    ...                                       # -> mu, logvar of the q with least KL(p || q)


check("03.moment-matching", moment_matching)

# %% [markdown]
# **Too sure by how much?** Repeat the case of the tilted hill for any number of latents. In
# $\log p(z) = -\frac12 (z - m)^\top P (z - m) + \text{constant}$, $P$ is the inverse of the covariance.

# %%
def too_sure(covariance):    # of p, a Gaussian with L correlated latents: (L, L)
    ...    # -> sigma of the independent q with the least KL(q || p), divided by p's own
           #    sigma of that latent, (L,); and that KL, nats: one float


check("03.too-sure", too_sure)

# %% [markdown]
# **Jump or slide?** In 3.4 the best $q$ jumped for even hills, and slid where one had a share of 0.8
# or 0.9. Decide for five other targets, first by thinking, then by searching.

# %%
# As d grows, does the mu of the q with the least KL(q || p) jump or slide? p has hills at
# -d and d, with these shares and widths (left, right):
#   0.5, 0.5 and 1.0, 1.0    0.3, 0.7 and 0.5, 0.5    0.15, 0.85 and 0.5, 0.5
#   0.5, 0.5 and 0.5, 1.0    0.3, 0.7 and 1.0, 0.5
turns = ...    # five words, "jump" or "slide", in this order (row by row)

check("03.turns", turns)

# %% [markdown]
# **Uneven hills.** Where does $\mathrm{KL}(q\Vert p)$ begin to choose if one hill is larger than the
# other? Search as in 3.4; the answer is a number that you measure.

# %%
# p has a hill N(-d, 1) with a share of 0.4 and a hill N(d, 1) with a share of 0.6. Up to
# which d does the q with the least KL(q || p) cover both? Within 0.02.
parting = ...

check("03.parting", parting)

# %% [markdown]
# **Find the bug.** Some encoders do not answer with `logvar` but with a number $\rho$, and
# $\sigma = \log(1 + e^\rho)$, the *softplus*, which is positive too. Here the KL is right, and one
# gradient is not: your central differences can say which. Derive the right one.

# %%
def repo_softplus_kl(mu, rho):  # (B, L), (B, L) -> kl (B,); its gradient: dmu, drho (B, L)
    sigma = np.log1p(np.exp(rho))
    kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * np.log(sigma)).sum(axis=1)
    return kl, mu, 0.5 * (sigma**2 - 1)


check("03.bug", repo_softplus_kl)

# %% [markdown]
# **A blind spot.** In 3.6 one mistake of the thirteen hid behind `mu = 1`: the one that forgets the
# square. Find an input at which it alone gives the right value, and the other twelve do not. Its
# entries of `mu` may be neither 0 nor 1.

# %%
# One input (mu, logvar), each (1, L), no entry of mu 0 or 1: mu in place of mu^2 gives the
# right KL here, and each of the other twelve mistakes a wrong one.
blind = ...    # (mu, logvar)

check("03.blind-spot", blind)

# %% [markdown]
# **Next:** notebook 04 asks how a gradient gets through a random draw.
