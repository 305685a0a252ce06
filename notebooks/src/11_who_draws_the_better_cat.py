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
# - derive the loss of a GAN, its best discriminator, and the divergence that this one measures;
# - take the generator's gradient through the discriminator by hand, and check it;
# - compare the pictures of a VAE and of a GAN beside real ones, and say what each measure rewards;
# - say what the training of a GAN does not give you.
#
# **Builds on** notebook 05 (layers, the loss in logits), 09 ($\log p(x)$), 10 (cats measured).
# Reading time: 35 minutes, with the exercises an hour.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]

import numpy as np

from minivae import data, gan, gradcheck, mistakes, plots, spec, train, vae
from minivae.data import cats
from minivae.estimator import VAE
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
# A VAE's cats are blurred. Would a GAN draw better ones? A GAN (Goodfellow et al.
# 2014) learns to draw without any likelihood. Its *generator* $G$ turns $z \sim N(0, I)$ into a
# picture, as our decoder does. Its *discriminator* $D$ sees a picture and says how likely it
# is a real one. The discriminator is paid for being right, the generator for making it wrong:
#
# $$
# \min_G \max_D \; V(D, G) = E_{x \sim p}[\log D(x)] + E_{z}[\log(1 - D(G(z)))] \tag{1}
# $$
#
# $p$ is the distribution of real pictures, and we write $q$ for that of $G(z)$. There is no
# encoder, no KL, no $\log q(x)$: nobody ever computes the density of a picture. Only
# the discriminator's opinion counts. So what does it measure?

# %% [markdown]
# ## 11.2  The best discriminator
#
# Let the generator stand still. Both expectations are integrals over $x$:
#
# $$
# V = \int p(x) \log D(x) + q(x) \log(1 - D(x)) \, dx
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
# $\log 2$ where the two have nothing in common. So against the best discriminator, the generator
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
# A discriminator of finite size that has had a few hundred steps is not $D^*$. So equation (3) says
# what the game is about; it does not say that training gets there.
#
# ## 11.3  The discriminator's loss, in logits
#
# Our discriminator gives a score $s$, and $D = \mathrm{sigmoid}(s)$. It does what a Bernoulli
# likelihood does: it predicts a label, 1 for a real picture and 0 for a generated one. So its loss,
# $-V$ over a batch, is the pair that you know from notebook 05, in logits and without clipping:
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
# From the score on, it is a stack of dense layers. A small one, to see the numbers: 6 pixels, one
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
# The generator's part of (1) is $\log(1 - D(G(z)))$. At the start its pictures are noise, and the
# discriminator is soon nearly sure: $D(G(z))$ is near 0.

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
# which is once more the Bernoulli pair, with the label 1. Both losses pull every score upwards, but
# with other weights, so the game is no longer the one of (1), and (3) no longer holds for it.
#
# ## 11.5  Through the discriminator
#
# The generator does not see a real picture, ever. All it learns comes back through the
# discriminator's layers, down to the pixels: how would the score change with each of them?
#
# $$
# \frac{\partial \mathcal L_G}{\partial g_b}
#   = \frac{\partial \mathcal L_G}{\partial s_b} \frac{\partial s_b}{\partial g_b}, \qquad
# \frac{\partial s}{\partial g} = W_1 \left[ (1 - h^2) \odot w_{out} \right] \tag{8}
# $$
#
# for one hidden layer $h = \tanh(W_1^\top g + b)$. It is the `dx` of the first layer, which an
# encoder never needed. Then the sigmoid that made the pixels, and the generator's layers:
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
slope = ((1 - h**2) * params["dis_out_W"][:, 0]) @ params["dis1_W"].T      # eq. (8): (B, D)
dlogits = dscore[:, None] * slope * fake * (1 - fake)                      # eq. (9)
h_gen = np.tanh(z @ params["gen1_W"] + params["gen1_b"])
dW = h_gen.T @ dlogits                                                     # eq. (10)
own = gan.generator_loss_and_grads(params, z, small)
print("how the score of the first picture changes with its pixels:", slope[0].round(3))
print(f"largest difference from the package: {np.abs(dW - own.grads['gen_out_W']).max():.1e}")

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
# 5,000 cats, a hidden layer of 100, a few hundred updates of each player in turn. Real pictures
# are shown as grey levels: the generator's are grey too, and a black and white picture would be
# told apart by that alone.

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
# The same eight $z$ in each of the upper rows: from the mean cat to something with ears and a
# tail, in 800 updates. In the last of them the edges are sharp and the cats are ragged. The lowest
# row shows what they should look like.

# %%
for row in state.history[:: len(state.history) // 5]:
    print(f"epoch {row['epoch']:2d}   discriminator {row['discriminator_loss']:.2f}   generator "
          f"{row['generator_loss']:.2f} nats   {row['told_apart']:.0%} told apart")

# %% [markdown]
# "Told apart" is the share of pictures, real and generated, that the discriminator has right.
# Compare these numbers with the pictures. A VAE's loss says how good the model is; neither of these
# two does. Each is a score *against the present opponent*: when both players improve, both losses
# may stay where they are. That is why the study below measures pictures, and nothing else.
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
# Maximum likelihood, and so a VAE as far as its bound is tight, makes $\mathrm{KL}(p \| q)$ small:
# where real pictures are, $q$ must be too, and what $q$ does elsewhere costs little. The other way round,
# $\mathrm{KL}(q \| p)$ punishes every picture that is not like a real one, and a mode that is never drawn
# costs little. The GAN's JS is symmetric. The smallest example: real data with two modes,
# and a model that has only one Gaussian.

# %%
means = np.linspace(-3, 3, 121)
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


fig, axes = plots.figure(9, 2.4, 1, 3, sharey=True)
for ax, apart in zip(axes, (2.2, 2.0, 0.7)):
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
# In the middle, $\mathrm{KL}(p \| q)$ covers both modes and puts much of its mass between and around
# them, where no real data are: the pictures there are "blurred" cats, a bit of each. $\mathrm{KL}(q
# \| p)$ draws from one mode only and drops the other. And JS? Here it chooses what the first chooses.
# On the left the modes are a little farther apart, and JS drops one, too. On the right they are
# closer, and all three cover both. So what JS chooses depends on how far apart the modes are.
#
# So (3) alone does not say whether a GAN drops modes. And our GAN plays another game: its
# discriminator is not the best one, and its loss is (7). A VAE blurs not only because of its
# divergence: its picture is a mean over all $x$ that fit $z$. What happens has to be measured.
#
# ## 11.9  The study
#
# On 50,000 cats, for each of five seeds: a VAE and a GAN. Generator and decoder are the same network,
# both have equally many updates, and both rates fall by the same schedule. The GAN's settings
# were chosen before, with four short runs and a look at its own samples. The VAE was not tuned:
# it has the same size and the package's usual rate. All five seeds are shown, and real cats that
# neither model has seen are measured in the same way.
#
# What is compared decides the result. The VAE's picture is a mean, and means are often *nearer* to
# some cat than a sharp picture that is slightly wrong. So most rows below do not judge the grey
# picture $p$: both models, and the real cats, give a $p$, and what is judged is a draw
# $x \sim \mathrm{Bernoulli}(p)$, pixel by pixel. Its mean squared distance to a render $r$ is
#
# $$
# E \|x - r\|^2 = \sum_d p_d (1 - p_d) + \|p - r\|^2 \tag{11}
# $$
#
# The first term is the greyness. So a blurred $p$ gives noisy draws and pays for it, but a $p$ that
# is sharper than a real cat is rewarded. The fit's bar is one-sided, too: no draw is refused for
# too little noise. Read both rows beside the greyness, and beside the distance of $p$ itself.

# %%
predict("11.cats", ...)

# %%
results = gan_study.read()
real = results["real"]
of_model = {name: [row for row in results["models"] if row["model"] == name] for name in ("vae", "gan")}
assert {len(rows) for rows in of_model.values()} == {len(gan_study.SEEDS)}
shown = {
    "greyness": "variance of a draw, above real is blur",
    "distance": "of a draw to the nearest render",
    "distance_of_p": "of the grey p to the nearest render",
    "accepted": "share that a fit of the renderer accepts",
    "kinds": "share of 64 kinds that are not dropped",
    "uneven": "histograms of the factors, off by",
    "coverage": "share of real cats with a p nearby",
}
print(f"{'':54}{'real':>7}{'VAE':>16}{'GAN':>16}")
for name, meaning in shown.items():
    line = f"{name:<13} {meaning:<40}{np.mean(real[name]):7.2f}"
    for rows in of_model.values():
        values = [np.mean(row[name]) for row in rows]
        line += f"{np.mean(values):9.2f} ± {np.std(values):.2f} "
    print(line)
print(f"{of_model['gan'][0]['updates']:,} updates each; mean and standard deviation of five seeds")

# %% [markdown]
# The column "real" is what to compare with, and it is not 1: the bar of the renderer's fit is set so
# that it accepts 95 of 100 draws of other real cats, and so many real pictures cover only a part of
# all others.

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
# But its pictures are less grey than real ones: it is too sharp, where the VAE blurs. The pictures
# $p$ themselves are farther from the renders than the VAE's, so by (11) its lead in distance is
# its sharpness, and how much of its lead in acceptance is the same, these rows do not say. And it
# draws little more than half of the 64 kinds of cats, the VAE nearly all (a kind is dropped if fewer
# draws are fitted with it than a quarter of its share). The GAN's seeds scatter: in one of them fewer
# draws are accepted than the VAE's. The coverage, which is measured on $p$, is nearly zero for it.
#
# Neither is good. Real draws are accepted more than twice as often as those of either model, and
# nothing here says what tuning, larger networks and longer training could do.
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
# same fit, so what is not flat there comes from the fit and from chance. Here the dropped modes have
# a name: no draw of the GAN is fitted with a tail that curls little, in any seed, although three in
# ten real cats have one. The VAE's are, as often as with others. (Both are short of wide open eyes
# and high ears.)
#
# And stability: the distance of draws after each epoch, one line for each seed.

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
# ## 11.10  What a GAN does not tell
#
# Take this very cat, a test picture. How probable is it? How heavy is the cat?

# %%
one = cats.dataset(1, 1)
cat = data.fixed_binarization(one.test.reshape(1, -1), data.BINARIZATION_SEED)
shipped = VAE.pretrained("cats")
mu, logvar = vae.encode(shipped.model_.params, cat, shipped.model_.spec)
print(f"VAE: log p(x) is about {shipped.score(cat):.1f} nats, by importance sampling")
print(f"VAE: q(z|x) has mean {mu[0].round(1)}, and so draws more cats like this one")
truth = cats.chonk_posterior(cat.reshape(28, 28), one.test_factors[0])
chonk_mean = float(truth.probability @ truth.chonk)
print(f"renderer: chonk {chonk_mean:.2f} kg on average given x; the true one {one.test_factors[0][0]:.2f}")
print("GAN:", [name for name in ("encode", "log_weights", "elbo") if hasattr(gan, name)])

# %% [markdown]
# The GAN's list is empty. Its pictures $G(z)$, for all $z$ in 10 dimensions, are a surface in a
# space of 784: the surface has no volume, so there is no density to ask for, and the test cat, black
# and white, is not on it. Nothing in the training asked which $z$ belongs to a picture, so there is
# no $q(z \mid x)$ either. `python -m minivae evaluate` on the run of a GAN says so, in one line.
#
# One can add what is missing. With the draws of 11.9 as $p(x \mid z)$ there are a $\log p(x)$ and a
# posterior of $z$, and long sampling can estimate them (Wu et al. 2017 do it with Gaussian noise).
# But the training did not aim at either. The kilograms are the renderer's: neither model was ever
# told a weight.
#
# The VAE cannot do everything either: its $q$ is an approximation (notebook 09), and its single
# latents need not mean anything (notebook 10).
#
# ## Recap
#
# - Against the best discriminator, eq. (2), the generator minimises a Jensen-Shannon divergence,
#   eq. (3).
# - Both losses are Bernoulli losses in logits, eqs. (4) and (7); the non-saturating one keeps its
#   slope where the discriminator is sure, eq. (6).
# - The generator's gradient goes through the discriminator's layers to the pixels, eq. (8), and
#   each player has a gradient check of its own.
# - A player's loss is a score against the present opponent. Pictures are judged beside real
#   ones, and the distance of draws rewards sharpness, eq. (11).
# - A GAN draws. Its training gives no $\log p(x)$ and no $q(z \mid x)$.
#
# ## Exercises
#
# `hint("11.slopes")` gives a nudge, `solution("11.slopes")` the reference.

# %% [markdown]
# **The best discriminator,** eq. (2).

# %%
def best_discriminator(p, q):    # densities at N points: of real x (N,), of generated (N,)
    ...                          # -> D*(x) (N,)
check("11.optimal", best_discriminator)

# %% [markdown]
# **The divergence that it measures,** eq. (3).

# %%
def jensen_shannon(p, q):    # two tables of probabilities (N,), zeros allowed
    ...                      # -> JS(p, q) in nats, one float; 0 log 0 is 0
check("11.jensen-shannon", jensen_shannon)

# %% [markdown]
# **Saturating and not,** eq. (6).

# %%
def two_slopes(s):    # scores of generated images (B,), D = sigmoid(s)
    ...               # -> d log(1 - D) / ds (B,) and d(-log D) / ds (B,)
check("11.slopes", two_slopes)

# %% [markdown]
# **The generator's gradient,** eqs. (7) to (9).

# %%
def generator_gradient(score, slope, image):
    # of B generated images: the discriminator's scores (B,), their derivatives by
    # the pixels ds/dx (B, D), and the images g = sigmoid(logits) (B, D)
    ...    # -> d loss / d logits (B, D), loss = -mean_B log sigmoid(score)
check("11.generator-gradient", generator_gradient)

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
# **Dropped modes, counted.** The study calls a kind of cat dropped if it has less than a quarter of
# its share.

# %%
def dropped_kinds(kind, n, share):
    # kind (N,): which of n equally frequent kinds, 0 to n - 1, each sample is
    ...    # -> how many kinds have fewer than share * N / n samples, an int
check("11.dropped", dropped_kinds)

# %% [markdown]
# **Without a checker:** train the small GAN of 11.7 with the saturating loss. The gradient of (7)
# becomes $-D / B$; how does the first epoch end?
#
# **Next:** there is no notebook 12. You can derive a VAE and a GAN, write their gradients, check
# them, train them, measure them, and doubt them. The next one is yours.
