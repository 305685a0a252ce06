# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 11 · Who draws the better cat?
#
# **What you will be able to do**
# - derive the best discriminator of a game, and what its loss says about a divergence
#   (`11.smoothed`, `11.bound`);
# - take the generator's gradient through the discriminator by hand, and check it
#   (`11.pixels`, `11.generator-gradient`, `11.bug`);
# - compare the pictures of a VAE and of a GAN beside real ones, and say what a measure rewards
#   (`11.sharpest`, `11.dropped`).
#
# **Builds on** notebook 05 (layers, the loss in logits), 09 ($\log p(x)$), 10 (cats measured).
# Reading time: 35 minutes; the exercises take about 40 more. Section 11.12, on conditional VAEs, is
# an appendix, 10 minutes.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]

import numpy as np

from minivae import data, gan, gradcheck, mistakes, plots, spec, train, vae
from minivae.data import cats
from minivae.estimator import VAE
from minivae.evaluate.sample_quality import nearest
from minivae.exercises import check, hint, predict, recall, reveal, solution
from minivae.gradcheck import GanCase
from minivae.settings import GanSettings
from minivae.studies import gan_study

plots.notebook_style()
rng = np.random.default_rng(11)

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("11", ..., ..., ...)

# %% [markdown]
# ## 11.1  Two players
#
# A VAE's cats are blurred. Would a GAN draw better ones? A GAN, a generative adversarial network
# (Goodfellow et al. 2014),
# learns to draw without any likelihood. Its *generator* $G$ turns $z \sim N(0, I)$ into a
# picture, as our decoder does. Its *discriminator* $D$ sees a picture and says how likely it
# is a real one. The discriminator is paid for being right, the generator for making it wrong:
#
# $$
# \min_G \max_D \; V(D, G) = E_{x \sim p}[\log D(x)] + E_{z}[\log(1 - D(G(z)))] \tag{1}
# $$
#
# $p$ is the distribution of real pictures, and we write $q$ for that of $G(z)$. There is no
# encoder, no KL, no $\log q(x)$: the density of a picture is never computed. Then what does a
# generator make small when it plays this game?

# %% [markdown]
# ## 11.2  The best discriminator
#
# Let the generator stand still. Both expectations are integrals over $x$:
#
# $$
# V = \int \left[ p(x) \log D(x) + q(x) \log(1 - D(x)) \right] dx
# $$
#
# and $D$ may choose its value at each $x$ separately. There the derivative
# $p / D - q / (1 - D)$ must be zero:
#
# $$
# D^*(x) = \frac{p(x)}{p(x) + q(x)} \tag{2}
# $$
#
# One point, tried out: $p = 0.6$ and $q = 0.2$, and every $D$ between 0 and 1.

# %%
D_tried = np.linspace(0.001, 0.999, 999)
value_at_x = 0.6 * np.log(D_tried) + 0.2 * np.log(1 - D_tried)
print(f"best D by search {D_tried[value_at_x.argmax()]:.3f}, by eq. (2) {0.6 / (0.6 + 0.2):.3f}")

# %% [markdown]
# Now put $D^*$ into (1), and write $m = (p + q) / 2$ for the mixture. Then $D^* = p / 2m$, and
#
# $$
# V(D^*, G) = E_p\!\left[\log \tfrac{p}{2m}\right] + E_q\!\left[\log \tfrac{q}{2m}\right]
#   = \mathrm{KL}(p \| m) + \mathrm{KL}(q \| m) - 2 \log 2
#   = 2 \, \mathrm{JS}(p, q) - \log 4 \tag{3}
# $$
#
# JS is the *Jensen-Shannon divergence*, the mean of both KLs to the mixture: 0 if $p = q$, and
# $\log 2$ if the two have nothing in common. So against the best discriminator, the generator
# minimises a divergence between its pictures and the real ones. On a grid:

# %%
at = np.linspace(-8, 8, 4001)
dx = at[1] - at[0]


def normal(x, mean, sigma):
    return np.exp(-(((x - mean) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))


def kl(a, b):
    """KL(a || b) of two densities on the grid, nats."""
    there = a > 0
    return np.sum(a[there] * np.log(a[there] / np.maximum(b[there], 1e-300))) * dx


def js(a, b):
    return (kl(a, (a + b) / 2) + kl(b, (a + b) / 2)) / 2


p, q = normal(at, 0, 1), normal(at, 1, 0.7)
D_star = p / (p + q)                                            # and 1 - D* is q / (p + q)
V_star = np.sum(p * np.log(D_star) + q * np.log(q / (p + q))) * dx
print(f"V(D*, G) {V_star:.4f}    2 JS - log 4 = {2 * js(p, q) - np.log(4):.4f}")

# %% [markdown]
# The discriminator that we train is not $D^*$: it has a limited size and a limited number of steps.
# And we took for granted that $p$ and $q$ are densities; 11.11 comes back to that. So (3) describes
# the ideal game. What training reaches is another question.
#
# ## 11.3  The discriminator's loss, in logits
#
# Our discriminator gives a score $s$, and $D = \mathrm{sigmoid}(s)$. It is a
# classifier: it predicts a label, 1 for a real picture and 0 for a generated one. So its loss,
# $-V$ over a batch, is the Bernoulli loss that you know from notebook 05, in logits:
#
# $$
# \mathcal L_D = \frac1B \sum_b \log(1 + e^{-s(x_b)}) + \frac1B \sum_b \log(1 + e^{s(G(z_b))})
# \tag{4}
# $$
#
# $$
# \frac{\partial \mathcal L_D}{\partial s(x_b)} = \frac{D(x_b) - 1}{B}, \qquad
# \frac{\partial \mathcal L_D}{\partial s(G(z_b))} = \frac{D(G(z_b))}{B} \tag{5}
# $$
#
# The score itself comes from a stack of dense layers. A small one, to see the numbers: 6 pixels, one
# hidden layer of 4, a generator with 2 latents.

# %%
small = spec.GanSpec(data_dim=6, hidden=(4,), latent_dim=2, activation="tanh")
flat = rng.normal(scale=0.7, size=small.n_params)
params = spec.unpack(flat, small)
x, z = rng.random((3, 6)), rng.standard_normal((3, 2))
print({name: block.shape for name, block in params.items()})


def net(h, side):
    """A hidden layer and an output, written out: the generator ("gen") or discriminator ("dis")."""
    h = np.tanh(h @ params[f"{side}1_W"] + params[f"{side}1_b"])
    return h @ params[f"{side}_out_W"] + params[f"{side}_out_b"]


fake = 1 / (1 + np.exp(-net(z, "gen")))                         # G(z): pictures in [0, 1]
s_real, s_fake = net(x, "dis")[:, 0], net(fake, "dis")[:, 0]
D_loss = np.log1p(np.exp(-s_real)).mean() + np.log1p(np.exp(s_fake)).mean()
theirs = gan.discriminator_loss_and_grads(params, x, z, small)
db = (1 / (1 + np.exp(-s_real)) - 1).sum() / 3 + (1 / (1 + np.exp(-s_fake))).sum() / 3   # eq. (5)
print(f"loss by eq. (4) {D_loss:.6f}    the package's {theirs.loss:.6f}")
print(f"d loss / d dis_out_b by eq. (5) {db:.6f}    the package's {theirs.grads['dis_out_b'][0]:.6f}")

# %% [markdown]
# A discriminator that guesses, $s = 0$, pays $\log 4 = 1.39$ nats. Keep that number: a loss of $D$
# near it means that the pictures cannot be told apart, *or* that this discriminator cannot.
#
# ## 11.4  Saturating or not
#
# The generator's part of (1) is $\log(1 - D(G(z)))$. Suppose that the discriminator learns faster than
# the generator, and is nearly sure that the generated pictures are false: $D(G(z))$ is near 0.

# %%
predict("11.start", ...)

# %% [markdown]
# By the score of a generated picture, the derivatives of two possible losses are
#
# $$
# \frac{\partial}{\partial s} \log(1 - D) = -D, \qquad
# \frac{\partial}{\partial s} (-\log D) = -(1 - D) \tag{6}
# $$

# %%
scores = np.linspace(-6, 6, 200)
D_of = 1 / (1 + np.exp(-scores))
fig, ax = plots.figure(6, 2.6)
ax.plot(scores, D_of, label="log(1 - D): saturates")
ax.plot(scores, 1 - D_of, label="-log D: does not")
ax.set(xlabel="score of a generated picture (left: surely false)", ylabel="size of the slope")
ax.legend()
fig

# %% [markdown]
# Where the discriminator is sure, on the left, the first curve is flat at zero: the worse the
# picture, the less the generator learns from it. The second is largest there.

# %%
reveal("11.start")

# %% [markdown]
# So the generator minimises the *non-saturating* loss (Goodfellow et al. 2014 already do),
#
# $$
# \mathcal L_G = -\frac1B \sum_b \log D(G(z_b)) = \frac1B \sum_b \log(1 + e^{-s(G(z_b))}),
# \qquad \frac{\partial \mathcal L_G}{\partial s_b} = -\frac{1 - D(G(z_b))}{B} \tag{7}
# $$
#
# which is once more the Bernoulli loss, with the label 1. Both losses push every score upwards, but
# with other weights. So the generator no longer plays the game of (1): even against the best
# discriminator, its gradient is not that of the divergence (3).
#
# ## 11.5  Through the discriminator
#
# The generator's loss contains no real picture. All it learns comes back through the discriminator's
# layers, down to the pixels: how would the score change with each of them?
#
# $$
# \frac{\partial \mathcal L_G}{\partial g_b}
#   = \frac{\partial \mathcal L_G}{\partial s_b} \frac{\partial s_b}{\partial g_b}, \qquad
# \frac{\partial s}{\partial g} = W_1 \left[ (1 - h^2) \odot w_{out} \right] \tag{8}
# $$
#
# for one hidden layer $h = \tanh(W_1^\top g + b)$. In notebook 05's words
# $\partial \mathcal L_G / \partial g_b$ is the `dx` of the first layer. Then the sigmoid that made the
# pixels, and the generator's layers:
#
# $$
# \frac{\partial \mathcal L_G}{\partial \mathrm{logits}}
#   = \frac{\partial \mathcal L_G}{\partial g} \odot g \odot (1 - g) \tag{9}
# $$
#
# $$
# \frac{\partial \mathcal L_G}{\partial W_{out}} = h_G^\top
#   \frac{\partial \mathcal L_G}{\partial \mathrm{logits}} \tag{10}
# $$

# %%
D_fake = 1 / (1 + np.exp(-s_fake))
dscore = -(1 - D_fake) / len(z)                                            # eq. (7)
h = np.tanh(fake @ params["dis1_W"] + params["dis1_b"])
slope = ((1 - h**2) * params["dis_out_W"][:, 0]) @ params["dis1_W"].T      # eq. (8): (B, pixels)
dlogits = dscore[:, None] * slope * fake * (1 - fake)                      # eq. (9)
h_gen = np.tanh(z @ params["gen1_W"] + params["gen1_b"])
dW = h_gen.T @ dlogits                                                     # eq. (10)
own = gan.generator_loss_and_grads(params, z, small)
print("how the score of the first picture changes with its pixels:", slope[0].round(3))
print("differs from the package by less than 1e-14:", np.abs(dW - own.grads["gen_out_W"]).max() < 1e-14)

# %% [markdown]
# The package's `gan.generator_loss_and_grads` is these lines, layer by layer, for any depth:
#
# ```python
# dscore = ops.bernoulli_nll_backward(dnll, c_nll)  # -(1 - D(G(z))) / B
# dfake = discriminator_backward(dscore, c_dis, None, ops, need_dx=True)
# dlogits = dfake * fake * (1 - fake)
# generator_backward(dlogits, c_gen, grads, ops)
# ```
#
# `None` stands where the discriminator's own gradients would go: when the generator learns, the
# discriminator stands still.
#
# ## 11.6  Checked, like everything
#
# Each player's gradient is the derivative of *its* loss by *its* parameters. So there are two checks:

# %%
two = [GanCase(spec.GanSpec(5, (4, 3), 2, "tanh"), who) for who in ("discriminator", "generator")]
report = gradcheck.check_backends(["numpy"], cases=two)
for player in two:
    rows = [row for row in report["blocks"] if row["case"] == player.name]
    worst = max(row["complex_step"] for row in rows)
    right = all(row["verdict"] == "right" for row in rows)
    print(f"{player.player:<14} {len(rows)} blocks, all right: {right}, worst below 1e-12: {worst < 1e-12}")

# %% [markdown]
# And the check is checked: the sigmoid's slope forgotten, equation (9) without $g (1 - g)$.

# %%
wrong = gradcheck.check_backends(plant="gan-sigmoid-slope-lost", cases=two)
print(mistakes.find("gan-sigmoid-slope-lost").sentence)
print("wrong blocks:", *(row["block"] for row in wrong["blocks"] if row["verdict"] == "wrong"))

# %% [markdown]
# ## 11.7  A small GAN, live
#
# 5,000 cats, a hidden layer of 100, and 800 updates of each player in turn. The discriminator sees
# real pictures as grey levels. The generator's are grey too, and it could tell black and white ones
# apart by that alone.

# %%
few = cats.dataset(5_000, 1)
few_cats = data.Dataset("cats", few.train, few.test, None, None, (28, 28), "")
quick = GanSettings(hidden=(100,), epochs=16, lr=1e-3)
fixed_z = np.random.default_rng(0).standard_normal((8, quick.latent_dim)).astype(np.float32)
album = []


def keep_pictures(state):
    if state.epoch in (1, 4, 16):
        made = spec.unpack(state.flat, quick.spec(784))
        album.append(gan.generate(made, fixed_z, quick.spec(784)))


state = train.train(few_cats, quick, on_epoch=keep_pictures)
grey = np.round(np.concatenate([*album, few.train[:8] / 255]) * 9) / 9
fig, ax = plots.figure(5.2, 2.9)
ax.imshow(plots.image_grid(grey.reshape(-1, 28, 28), 8, background=0.5), cmap="gray")
ax.set(xticks=[], yticks=30 * np.arange(4) + 14)
ax.set_yticklabels(["epoch 1", "epoch 4", "epoch 16", "real cats"], fontsize=8)
ax.set_title("the generator's pictures as it learns, from the same eight z")
ax.grid(False)
fig

# %% [markdown]
# Each column of the upper three rows has the same $z$. At first all pictures are like the mean cat,
# where the generator's last bias starts.
# In the end they have ears, tails and sharp edges, but also holes that no real cat has.

# %%
epoch, D_losses, G_losses, told_apart = np.array([
    [row[name] for name in ("epoch", "discriminator_loss", "generator_loss", "told_apart")]
    for row in state.history
]).T
fig, ax = plots.figure(6, 2.4)
ax.plot(epoch, G_losses, label="generator")
ax.plot(epoch, D_losses, label="discriminator")
ax.axhline(np.log(4), color="grey", ls=":", label="a discriminator that guesses")
ax.set(xlabel="epoch", ylabel="loss, nats", ylim=(0, 2.4))
ax.legend(fontsize=8)
print(f"epoch 1: discriminator {D_losses[0]:.2f}, generator {G_losses[0]:.2f} nats")
print("In each of the last four epochs the discriminator's loss is below 0.8:", (D_losses[-4:] < 0.8).all())
print("  the generator's is above 1.5:", (G_losses[-4:] > 1.5).all())
print("  and three quarters of the pictures or more are told apart:", (told_apart[-4:] > 0.75).all())
print("In all epochs a typical D(G(z)) is above 0.1:", (np.exp(-G_losses) > 0.1).all())
fig

# %% [markdown]
# "Told apart" is the share of pictures, real and generated, that the discriminator has right. The
# pictures have become better, while the generator's loss has gone up. A VAE's loss is a bound on $-\log p(x)$,
# and can be compared between epochs and between runs. A player's loss here depends on its present
# opponent, who improves too. That is why the study below measures pictures. (A typical
# $D(G(z))$ of an epoch is computed from the generator's loss, $e^{-\mathcal L_G}$. It stays well above 0, so in
# this game the saturating loss might do as well. The last exercise before the appendix tries it.)
#
# Why no more digits of the last epochs? Two players who answer each other are *chaotic*: if another
# processor rounds one last bit otherwise, the difference grows with every update. So the later part of the
# curves, and the later pictures, may be others on your machine. The four lines hold for all that we tried.
#
# The whole thing is one command, and is resumed to the bit like a VAE:
#
# ```sh
# python -m minivae train --model gan --data cats
# python -m minivae sample runs/cats
# ```
#
# ## 11.8  Blur or gaps: two KLs
#
# Maximum likelihood makes $\mathrm{KL}(p \| q)$ small, and a VAE does so through a bound. This KL is
# large if $q$ is nearly zero where real pictures are. The other KL, $\mathrm{KL}(q \| p)$, is large
# if $q$ draws where hardly any real pictures are; a model that draws only one of two equal
# modes pays just $\log 2$. The JS of (3) treats $p$ and $q$ alike. The smallest example: real data
# with two modes, and a model that has only one Gaussian. (The data are symmetric, so a mean of $-m$ is as
# good as $m$. We only try those that are not negative.)

# %%
means = np.linspace(0, 3, 61)
sigmas = np.geomspace(0.2, 3, 60)


def best_gaussian(divergence):
    """The mean and sigma with the least divergence, by trying all of a grid."""
    table = [[divergence(normal(at, m, sigma)) for sigma in sigmas] for m in means]
    i, j = np.unravel_index(np.argmin(table), (len(means), len(sigmas)))
    return means[i], sigmas[j]


def three_fits(apart):
    p = (normal(at, -apart, 0.5) + normal(at, apart, 0.5)) / 2
    choices = {"KL(p || q)": lambda q: kl(p, q), "KL(q || p)": lambda q: kl(q, p),
               "JS(p, q)": lambda q: js(p, q)}
    return p, {name: best_gaussian(divergence) for name, divergence in choices.items()}


fig, axes = plots.figure(7, 2.4, 1, 2, sharey=True)
for ax, apart in zip(axes, (2.0, 2.2)):
    p, fits = three_fits(apart)
    ax.fill_between(at, p, alpha=0.25, color="grey", label="p")
    for name, (m, sigma) in fits.items():
        ax.plot(at, normal(at, m, sigma), label=name)
        valley = np.sum(normal(at, m, sigma)[p < 0.02]) * dx
        print(f"modes at ±{apart}: {name:<11} mean {m:5.2f}, sigma {sigma:.2f}, "
              f"{valley:.0%} of its draws where p is below 0.02")
    ax.set(xlim=(-5, 5), title=f"modes at ±{apart}")
axes[-1].legend(fontsize=7)
fig

# %% [markdown]
# In both pictures (where two curves are equal, one hides the other) $\mathrm{KL}(p \| q)$ covers both
# modes, and over 40 per cent of its draws lie where hardly any real data are. $\mathrm{KL}(q \| p)$ draws
# from one mode and drops the other. And JS changes sides: it covers both modes on the left, and drops one
# on the right, where they are a little farther apart. So (3) does not say whether a GAN drops modes. It
# has to be measured.
#
# ## 11.9  What a measure rewards
#
# How should pictures be compared? Both models give a grey picture, and here and in 11.10 $p$ stands for
# that picture. If $p$ itself is compared with renders of cats, blur may be rewarded: the mean of two cats
# is nearer to each of them than they are to each other. So we mostly judge a draw
# $x \sim \mathrm{Bernoulli}(p)$,
# pixel by pixel. Its mean squared distance to a render $r$ is
#
# $$
# E \|x - r\|^2 = \sum_d p_d (1 - p_d) + \|p - r\|^2 \tag{11}
# $$
#
# The first term is the *greyness* of $p$. A blurred $p$ pays for it. (The tables below give the distance
# itself, not its square.) Is the measure fair? A control: real cats with all logits multiplied by a
# factor. Above 1, it gives each cat too much contrast.

# %%
predict("11.sharpened", ...)

# %%
renders = cats.draw(3_000, rng)[0].reshape(-1, 784)
some_cats = cats.draw(300, rng)[0].reshape(-1, 784)
for factor in (0.7, 1, 1.3, 2):
    changed = gan_study.with_contrast(some_cats, factor)
    drawn = data.binarize(changed, np.random.default_rng(0))
    print(f"logits times {factor:<4} greyness {gan_study.greyness(changed):5.1f}   distance of draws "
          f"{nearest(drawn, renders)[0].mean():.2f}   of p {nearest(changed, renders)[0].mean():.2f}")

# %%
reveal("11.sharpened")

# %% [markdown]
# The draws come nearer with every step of contrast, also beyond that of real cats; the distance of
# $p$ is least for the real ones. So a model that is too sharp can beat the truth in the distance of
# draws. Four more measures follow. The *energy distance* (Székely and Rizzo 2013) compares all draws
# with draws of real cats, and is 0 only if both have the same distribution:
#
# $$
# 2 E\|x - y\| - E\|x - x'\| - E\|y - y'\| \tag{12}
# $$
#
# with $x, x'$ from the model and $y, y'$ real. (Estimated from draws, it may come out slightly below 0.)
# *Accepted* is the share of draws that a fit of the renderer explains as well as it explains 95 of 100
# real draws; none is refused for too little noise. *Kinds*: each of the six factors is high or low, which
# makes 64 kinds of cats. A kind is dropped if fewer draws are fitted with it than a quarter of its share.
# (All draws are fitted, accepted or not.) Coverage is that of notebook 10.
#
# ## 11.10  The study
#
# On 50,000 cats, for each of five seeds: a VAE and a GAN. Decoder and generator are the same network,
# both models have equally many updates, and both learning rates fall by the same schedule. Two things
# differ. The GAN has half the VAE's learning rate, and Adam's $\beta_1$ at 0.5 instead of 0.9: its settings
# were chosen with four short runs and a look at its samples, the VAE's rate is the package's default. And
# the discriminator sees the real cats' grey levels, while the VAE sees black and white draws of them.
#
# Here are the first eight pictures of each model, seed 0, none of them picked out.

# %%
results = gan_study.read()
of_model = {name: [row for row in results["models"] if row["model"] == name] for name in ("vae", "gan")}
assert {len(rows) for rows in of_model.values()} == {len(gan_study.SEEDS)}
p_rows = [some_cats[:8], *(gan_study.shown_pictures(of_model[name][0]) for name in ("vae", "gan"))]
shown_rows = [row for p_row in p_rows for row in (p_row, data.binarize(p_row.astype(np.float32), rng))]
shown_grey = np.round(np.concatenate(shown_rows) * 9) / 9
fig, ax = plots.figure(5.6, 4.4)
ax.imshow(plots.image_grid(shown_grey.reshape(-1, 28, 28), 8, background=0.5), cmap="gray")
ax.set(xticks=[], yticks=30 * np.arange(6) + 14)
ax.set_yticklabels(["real p", "real draw", "VAE p", "VAE draw", "GAN p", "GAN draw"], fontsize=8)
ax.set_title("real cats, the VAE's and the GAN's: p, and a draw from it")
ax.grid(False)
fig

# %% [markdown]
# The VAE's cats are clean and soft, and some of their tails fade. The GAN's have hard, ragged edges, and
# their tails all curl in much the same way. Now the measures, with real cats in one column and real
# cats with the logits times 1.3 in the next.

# %%
predict("11.cats", ...)

# %%
real, sharpened = results["real"], results["sharpened"]
shown = {
    "greyness": "variance of a draw",
    "distance": "of a draw to the nearest render",
    "distance_of_p": "of the grey p to the nearest render",
    "accepted": "share that a fit of the renderer accepts",
    "kinds": "share of 64 kinds that are not dropped",
    "coverage": "share of real cats with a p nearby",
}
print(f"{'':54}{'real':>7}{'x 1.3':>7}{'VAE':>14}{'GAN':>15}")
for name, meaning in shown.items():
    line = f"{name:<13} {meaning:<40}{np.mean(real[name]):7.2f}{np.mean(sharpened[name]):7.2f}"
    for rows in of_model.values():
        values = [np.mean(row[name]) for row in rows]
        line += f"{np.mean(values):8.2f} ± {np.std(values):.2f}"
    print(line)
print(f"{of_model['gan'][0]['updates']:,} updates of each network; mean and standard deviation of five seeds")

# %%
means_of = {
    name: {key: float(np.mean([np.mean(row[key]) for row in rows])) for key in shown}
    for name, rows in of_model.items()
}
more_accepted = "the VAE's" if means_of["vae"]["accepted"] > means_of["gan"]["accepted"] else "the GAN's"
reveal("11.cats", more_accepted)
by_seed = list(zip(of_model["vae"], of_model["gan"]))
for name, better in (("accepted", max), ("distance", min), ("kinds", max)):
    wins = sum(better(v[name], g[name]) == g[name] and v[name] != g[name] for v, g in by_seed)
    print(f"{name}: the GAN is better in {wins} of {len(by_seed)} seeds")

# %% [markdown]
# The GAN's draws are nearer to a render in every seed, and in most seeds more of them are accepted.
# But look at the column "x 1.3": real cats with too much contrast beat real cats in both of these
# rows. And the GAN's pictures are less grey than real ones, while the VAE's are greyer. The other rows
# speak against the GAN: it drops nearly half of the kinds, and its grey pictures are farther from the
# renders and cover almost no real cats. (These two rows compare $p$ itself, so they may reward blur, and
# coverage falls for real cats with too much contrast.)
#
# So is the GAN's lead in the two rows only its contrast? Take the contrast out: multiply all logits of
# a model by the one factor that gives its pictures the greyness of real cats, and measure again.

# %%
columns = ("greyness", "distance", "distance_of_p", "accepted", "energy")
table = [("real", 1, real), ("real", gan_study.SHARPER, sharpened)]
for name, rows in of_model.items():
    for factor, chosen in (
        (1, rows),
        (np.mean([row["matched"]["factor"] for row in rows]), [row["matched"] for row in rows]),
    ):
        table.append((name, factor, {c: np.mean([row[c] for row in chosen]) for c in columns}))
print(f"{'':6}{'logits times':>13}" + "".join(f"{name:>15}" for name in columns))
for name, factor, row in table:
    print(f"{name:6}{factor:13.2f}" + "".join(f"{row[column]:15.3f}" for column in columns))
pairs = [(v["matched"], g["matched"]) for v, g in by_seed]
print("at the greyness of real cats, by seed:")
print(f"the VAE's draws are nearer in {sum(v['distance'] < g['distance'] for v, g in pairs)} of {len(pairs)}, "
      f"more of them are accepted in {sum(v['accepted'] > g['accepted'] for v, g in pairs)}")

# %% [markdown]
# At equal greyness the order turns: the VAE's draws are nearer, and more of them are accepted. So the
# GAN's lead was its contrast. (The factor shows where the lead came from, and is no recipe: the VAE's
# energy distance grows by it.) The energy distance does not
# reward contrast (see the two rows of real cats), and it is far smaller for the VAE, before and after.
#
# So which one draws the better cat? In this study the VAE. Still, neither is good: a real cat's draw is
# accepted far more often than those of either model. And the answer holds for these
# settings. Nothing here says what more tuning, larger networks and longer training would do.
#
# Are all kinds of cats drawn equally often? Each factor is uniform, so its histogram should be
# flat. These are the factors of the cat that explains each draw best, for all draws:

# %%
fig, axes = plots.figure(9, 2.3, 1, 6, sharey=True)
for f, ax in enumerate(axes):
    for name, rows, color in (("VAE", of_model["vae"], plots.BLUE), ("GAN", of_model["gan"], plots.RED)):
        average = np.mean([row["histograms"][f] for row in rows], axis=0)
        ax.stairs(average, color=color, label=name)
    ax.stairs(real["histograms"][f], color="grey", ls=":", label="real")
    ax.set(title=cats.NAMES[f], xticks=[])
    ax.title.set_fontsize(8)
axes[0].set_ylim(bottom=0)
axes[0].legend(fontsize=6)
for name, rows in of_model.items():
    low = sum(round(gan_study.SAMPLES * sum(row["histograms"][2][:3])) for row in rows)
    print(f"{name}: {low:,} of {gan_study.SAMPLES * len(rows):,} draws have a tail in the lowest "
          "three bins of curl")
fig

# %% [markdown]
# From the lowest to the highest value of each factor, in ten bins. Dotted: real cats through the
# same fit, so what is not flat there comes from the fit and from chance. Here is a mode that the GAN
# drops: none of its draws is fitted with a tail that curls little, in any seed, although three in
# ten real cats have one. The VAE draws those tails as often as others. (The GAN draws hardly any
# cats far to the right either. Both models are short of wide open eyes and of high ears.)
#
# How steady is the training? The distance of draws after each epoch, one line for each seed. (There
# are fewer renders than in the table, so the nearest one is farther away and the values are larger.)

# %%
fig, ax = plots.figure(6, 2.6)
for name, color in (("vae", plots.BLUE), ("gan", plots.RED)):
    for row in of_model[name]:
        ax.plot(range(1, len(row["by_epoch"]) + 1), row["by_epoch"], color=color, lw=1)
    relapses = [row["relapse"] for row in of_model[name]]
    print(f"{name}: largest step back after an epoch {max(relapses):.3f}, spread of the seeds at the end "
          f"{np.std([row['by_epoch'][-1] for row in of_model[name]]):.3f}")
ax.set(xlabel="epoch", ylabel="distance of draws", title="five seeds each; blue: VAE, red: GAN")
fig

# %% [markdown]
# The VAE's curves fall after every epoch. The GAN's go up and down, and its seeds end farther apart. (They
# end below the VAE's: the contrast again.)
#
# ## 11.11  What a GAN does not tell
#
# Take this very cat, a test picture. How probable is it? How heavy is the cat? (From here on $p(x)$ is
# the model's again, as in the other notebooks.)

# %%
one = cats.dataset(1, 1)
cat = data.fixed_binarization(one.test.reshape(1, -1), data.BINARIZATION_SEED)
shipped = VAE.pretrained("cats")
mu, logvar = vae.encode(shipped.model_.params, cat, shipped.model_.spec)
print(f"VAE: log p(x) is about {shipped.score(cat):.1f} nats, by importance sampling")
print(f"VAE: q(z|x) has mean {mu[0].round(1)}")
truth = cats.chonk_posterior(cat.reshape(28, 28), one.test_factors[0])
chonk_mean = float(truth.probability @ truth.chonk)
print(f"renderer, told all factors but chonk and tail: chonk {chonk_mean:.2f} kg on average given x; "
      f"the true one {one.test_factors[0][0]:.2f}")

# %% [markdown]
# The GAN has no such lines. Its pictures $G(z)$, for all $z$ in 10 dimensions, are a surface in a
# space of 784 dimensions. A surface has no volume there, so it has no density $q(x)$, and a black
# and white test cat is not on it. The training never asked which $z$ belongs to a picture, so
# there is no $q(z \mid x)$ either. `python -m minivae evaluate` on the run of a GAN says so.
# (The grey real cats, with their six factors, are such a surface too. If the two surfaces hardly meet, a
# perfect discriminator tells all pictures apart, and JS is $\log 2$ however similar they look: Arjovsky
# and Bottou 2017.)
#
# One can add what is missing. If a picture is a draw $x \sim \mathrm{Bernoulli}(G(z))$, as in 11.9,
# then there are a $\log p(x)$ and a posterior of $z$, and long sampling can estimate them (Wu et al.
# 2017, with Gaussian noise). But the training did not aim at them.
#
# A VAE has its own limits: its $q$ is an approximation (notebook 09), and its single latents need
# not mean anything (notebook 10). The kilograms above are the renderer's. Neither model knows them.
#
# ## Recap
#
# - In the game (1), against the best discriminator, eq. (2), the generator minimises a Jensen-Shannon
#   divergence, eq. (3).
# - Both losses are Bernoulli losses in logits, eqs. (4) and (7); the non-saturating one keeps its
#   slope where the discriminator is sure, eq. (6).
# - The generator's gradient goes through the discriminator's layers to the pixels, eq. (8), and
#   each player has a gradient check of its own.
# - A player's loss depends on the present opponent. Pictures are judged beside real ones, and
#   a measure is first tried on pictures that are known to be wrong: the distance of draws rewards
#   too much contrast, eq. (11).
# - A GAN draws. Its training gives no $\log p(x)$ and no $q(z \mid x)$.
#
# ## Exercises
#
# `hint("11.smoothed")` gives a nudge, `solution("11.smoothed")` the reference.
# `progress()` and `review()`, from `minivae.exercises`, list what is done and ask old questions again.

# %% [markdown]
# **Smoothed labels.** Some train the discriminator with a label below 1 for real pictures. Derive the
# best $D$ for such labels, as in 11.2.

# %%
def best_smoothed(p, q, a):
    # densities at N points, of real pictures (N,) and generated (N,); 0 < a <= 1.
    # A real picture has the label a, and not 1:
    # V = E_p[a log D + (1 - a) log(1 - D)] + E_q[log(1 - D)]
    ...    # -> the best D(x) (N,)
check("11.smoothed", best_smoothed)

# %% [markdown]
# **What one discriminator shows.** Derive a lower bound on JS from (3) and (4).

# %%
def js_at_least(s_real, s_fake):    # scores of N real pictures (N,), of M generated (M,)
    # No D reaches a larger V than D*. So what must JS(p, q) be at least, in nats,
    # if these scores are all pictures there are? Scores may be as large as 900.
    ...    # -> the bound, one float; of a bad D it is below 0
check("11.bound", js_at_least)

# %% [markdown]
# **Down to the pixels,** eq. (8) for a discriminator with one more layer.

# %%
def pixel_slope(g, W1, b1, W2, b2, w):
    # images g (B, P); h1 = tanh(g W1 + b1), h2 = tanh(h1 W2 + b2), score = h2 . w + b
    # W1 (P, H), b1 (H,), W2 (H, K), b2 (K,), w (K,)
    ...    # -> d score / d g (B, P), a row for each image
check("11.pixels", pixel_slope)

# %% [markdown]
# **The generator's gradient** for another loss: the *least-squares GAN* (Mao et al. 2017) wants every
# generated picture to have the score 1.

# %%
def least_squares_gradient(score, slope, image):
    # of B generated images: the discriminator's scores (B,), their derivatives by
    # the pixels ds/dg (B, P), and the images g = sigmoid(logits) (B, P)
    ...    # -> d loss / d logits (B, P), loss = mean_B (score - 1)^2 / 2
check("11.generator-gradient", least_squares_gradient)

# %% [markdown]
# **Find the bug.** With this slope a discriminator learns to trust forgeries. Mend it.

# %%
def fake_side_slope(score):
    # The discriminator's loss on B generated images is mean log(1 + e^s).
    # scores (B,) -> d loss / ds (B,)
    D = 1 / (1 + np.exp(-score))
    return (D - 1) / len(score)
check("11.bug", fake_side_slope)

# %% [markdown]
# **What the distance rewards.** For one render $r$, which $p$ makes (11) least? It is not $p = r$.

# %%
def nearest_p(r):    # one render, or several: numbers in [0, 1], none of them exactly 1/2
    ...              # -> the p in [0, 1], as r, whose draws are nearest to r: eq. (11)
check("11.sharpest", nearest_p)

# %% [markdown]
# **Dropped modes, counted.** The study calls a kind of cat dropped if it has less than a quarter of
# its share.

# %%
def dropped_kinds(kind, n, share):
    # kind (N,): which of n equally frequent kinds, 0 to n - 1, each sample is
    ...    # -> how many kinds have fewer than share * N / n samples, an int
check("11.dropped", dropped_kinds)

# %% [markdown]
# **Without a checker:** train the small GAN of 11.7 with the saturating loss, for a few seeds. In
# `generator_loss_and_grads` (`minivae/gan.py`) `dscore` becomes `-ops.sigmoid(score) / len(z)`; restart the
# kernel, and undo the change afterwards. How do $D(G(z))$ and the pictures compare?

# %% [markdown]
# ## 11.12  Appendix: a model that draws what it is told
#
# Neither model of this notebook can be asked for a *particular* picture: $z$ is drawn, and what
# comes out comes out. If the images have labels, a VAE can be given them. A *conditional* VAE has
# the label $y$ as a second input of both networks:
#
# $$
# q(z \mid x, y), \qquad p(x \mid z, y), \qquad
# \log p(x \mid y) \;\ge\; \mathbb E_{q(z|x,y)} \log p(x \mid z, y) - \mathrm{KL}(q(z \mid x, y)
# \,\|\, p(z)). \tag{13}
# $$
#
# The prior of $z$ stays $\mathcal N(0, I)$, the same for all labels. The derivation of the bound is
# that of notebook 02 with $y$ written behind every bar, and $y$ is never predicted: it is given.
#
# How does a label enter a network? As a *one-hot* vector $e_y$: $C$ numbers for $C$ classes, a 1 in
# place $y$ and 0 elsewhere. It stands behind $x$ in the encoder's input, and behind $z$ in the
# decoder's. Take the decoder's first layer, with $W$ of $L + C$ rows:
#
# $$
# a = [z,\, e_y]\, W + b = z\, W_z + (W_y + b), \tag{14}
# $$
#
# where $W_z$ are the first $L$ rows and $W_y$ is the one row that belongs to the label. So **a label
# chooses a bias**, and for one fixed label a conditional VAE is an ordinary VAE. Backward, the layer
# passes on a gradient for its whole input, and only the part of $z$ is wanted:
#
# $$
# \mathrm d[z,\, e_y] = \mathrm da\, W^\top, \qquad
# \mathrm dz = \text{its first } L \text{ columns}. \tag{15}
# $$
#
# The other $C$ columns say how the loss would change with the label, and nobody can change that.
# The gradient of $W$ is $[z, e_y]^\top \mathrm da$ as for any dense layer; the row of a label gets
# the sum of $\mathrm da$ over the images that have it. Nothing else in notebook 06 changes:
# `elbo_and_grads` in `minivae/conditional.py` has the label in both inputs, and the cut of (15).
# Checked in the same way:

# %%
from minivae import conditional
from minivae.gradcheck import Case
from minivae.runs import ConditionalModel
from minivae.settings import Settings
from minivae.spec import Spec

labelled = Case(Spec(5, (4, 3), 2, classes=2))
rows = gradcheck.check_backends(cases=[labelled])["blocks"]
print(len(rows), "blocks, all right:", all(row["verdict"] == "right" for row in rows))
wrong = gradcheck.check_backends(plant="label-gradient-taken-for-that-of-z", cases=[labelled])
print("dz cut from the wrong end, wrong blocks:",
      *(row["block"] for row in wrong["blocks"] if row["verdict"] == "wrong"))

# %% [markdown]
# Now 10,000 digits with their labels, once with the label given and once without; everything else
# is the same. Both with four latents and with ten:

# %%
mnist = data.load("mnist")
digits = mnist._replace(
    train=mnist.train[:10_000], train_labels=mnist.train_labels[:10_000],
    test=mnist.test[:1000], test_labels=mnist.test_labels[:1000],
)
told = Settings(latent_dim=4, hidden=(100,), epochs=8, condition="labels")
runs_of = {}
for latents in (4, 10):
    for condition in ("labels", "none"):
        chosen = told._replace(latent_dim=latents, condition=condition)
        state = runs_of[latents, condition] = train.train(digits, chosen)
        last = state.history[-1]
        print(f"{latents:2} latents, {condition:<6} test ELBO {last['test_elbo']:8.2f} = "
              f"-(nll {last['test_nll']:.2f} + kl {last['test_kl']:.2f})")
    elbos = [runs_of[latents, condition].history[-1]["test_elbo"] for condition in ("labels", "none")]
    print(f"{latents:2} latents, difference {elbos[0] - elbos[1]:.2f} nats")
print(f"naming one of ten equally frequent digits takes log 10 = {np.log(10):.2f}")

# %% [markdown]
# The two ELBOs bound different quantities, $\log p(x \mid y)$ and $\log p(x)$: one model was told
# something. If both models were perfect, the difference would be on average the information that an
# image and its label share, at most $\log 10$ for ten equally frequent digits. With four latents it is
# several times that, so something else is in it: four numbers are too few for a digit, and a model
# that is told which one it is has all four left for the rest. With ten latents, less than half of the
# difference is left. It is still more than $\log 10$, so these models are not perfect either.
#
# The model with four latents, told the label:

# %%
state = runs_of[4, "labels"]
shape = train.spec_of(digits, told)
model = ConditionalModel(shape, state.flat, (28, 28), data.class_labels(digits))
plots.label_rows(model, vae.numpy_ops, n=6)

# %% [markdown]
# Each column has one $z$ and ten labels. Look down a column: slant and thickness of the stroke stay
# roughly the same while the digit changes.
#
# But not every picture of a row is that digit. In the fourth column several look like a thick 0, so this
# $z$ still says something of the class. How much do the codes $\mu$ say? Guess the label of a test digit
# from the training digit whose $\mu$ is nearest:

# %%
pixels = [data.fixed_binarization(images.reshape(len(images), -1), data.BINARIZATION_SEED)
          for images in (digits.train, digits.test)]
labels = digits.train_labels, digits.test_labels
params = spec.unpack(state.flat, shape)
untold = train.spec_of(digits, told._replace(condition="none"))
untold_params = spec.unpack(runs_of[4, "none"].flat, untold)
codes = {
    "told": [conditional.encode(params, x, y, shape)[0] for x, y in zip(pixels, labels)],
    "not told": [vae.encode(untold_params, x, untold)[0] for x in pixels],
}
for name, (mu_train, mu_test) in codes.items():
    guess = labels[0][nearest(mu_test, mu_train)[1]]
    print(f"{name:<9} {np.mean(guess == labels[1]):.0%} of the labels guessed from mu")

# %% [markdown]
# By chance it would be about a tenth. So $\mu$ says less of the class than without the label, but not
# nothing. In a perfect model, a $z$ drawn from $q(z \mid x, y)$ would say nothing: the posteriors of all
# images of one label would average to the prior, whatever the label. (Their means alone could still differ.)
#
# From the command line:
#
# ```sh
# python -m minivae train --condition labels --latent 10      # MNIST; or --data with labels
# python -m minivae sample runs/mnist --label 7
# python -m minivae evaluate runs/mnist                       # log p(x|y), with the labels
# ```

# %% [markdown]
# **The conditional gradient, from the one you have** (notebook 06), eqs. (14) and (15).

# %%
def conditional_grads(params, x, y, eps):
    # dict of arrays, x (B, D), labels y (B,) from 0 to C - 1, eps (B, L).
    # Start from the gradient of notebook 06. New: the one-hot label (B, C)
    # stands behind x in the encoder's input and behind z in the decoder's, so that
    # enc1_W is (D + C, H) and dec1_W (L + C, H); all else is as it was
    ...    # -> loss (float), gradients (dict, the same keys)
check("11.conditional", conditional_grads)

# %% [markdown]
# This was the last notebook.
