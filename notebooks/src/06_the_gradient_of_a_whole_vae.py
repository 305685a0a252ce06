# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 06 · The gradient of a whole VAE
#
# **What you will be able to do**
# - say why inference is called *variational*, and why a VAE's is *amortized*;
# - derive the gradient of the whole loss, every block of it, and check it to fifteen digits;
# - read a gradient check as a doctor reads a symptom, and name the one mistake that it cannot see.
#
# **Builds on** notebook 03 (the KL and its slopes), 04 (`z = mu + sigma * eps`) and 05 (dense layers, the
# Bernoulli in logits, the two numerical checks). Reading time: 35 minutes.

# %%
import sys; sys.path[:0] = [".", ".."]

import inspect
from fractions import Fraction
from textwrap import dedent

import numpy as np

from minivae import VAE, data, mistakes, ops, plots, vae
from minivae.gradcheck.differences import central_differences, compare, complex_step
from minivae.exercises import check, hint, predict, recall, reveal, solution, use

plots.notebook_style()
rng = np.random.default_rng(6)

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("06", ..., ..., ...)

# %% [markdown]
# ## 6.1  Which z made this image?
#
# Suppose somebody hands you a finished decoder: it turns a point $z$ of the plane into the 784 logits of an
# image. (Here it is that of a small model shipped with the package; how it was trained is the
# question of this notebook and the next.) And here is one image `x`, its pixels made 0 or 1. Which $z$ did it come
# from?
#
# Bayes' rule gives the exact answer, $p(z\mid x) = p(x\mid z)\,p(z) / p(x)$. With two latents it can be
# computed: decode every point of a fine grid, and see how probable `x` is there.

# %%
shipped = VAE.pretrained("mnist").model_
images = data.fixed_binarization(data.load("mnist").test[:100], data.BINARIZATION_SEED)


def log_joint(z, x):
    """log p(x|z) + log p(z), nats:  z (N, 2), x (1, D) -> (N,)."""
    nll, _ = ops.bernoulli_nll_forward(vae.decode(shipped.params, z, shipped.spec), x)
    return -nll - (z**2 + np.log(2 * np.pi)).sum(axis=1) / 2


ONE = 0
x = images[[ONE]]
ticks = np.linspace(-3, 3, 121, dtype=np.float32)
grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
posterior = np.exp(log_joint(grid, x) - log_joint(grid, x).max()).reshape(121, 121)

# %%
fig, (left, right) = plots.figure(6.8, 3.3, 1, 2, width_ratios=(1, 1.5))
plots.show_grid(left, x.reshape(1, 28, 28), 1, "the image x")
right.contourf(ticks, ticks, posterior, levels=np.linspace(0.05, 1, 6), cmap="Blues", vmin=-0.4)
circle = np.linspace(0, 2 * np.pi, 100)
right.plot(2 * np.cos(circle), 2 * np.sin(circle), color=plots.GREY, ls="--", lw=1)
right.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
right.set_title("p(z | x): of the whole plane, one spot")
fig

# %% [markdown]
# Before seeing the image, $z$ could be anywhere inside the dashed circle (two standard deviations of the prior) or
# not far outside it. After, only the small spot is left; the darker, the more probable.
#
# With two latents, 121 points a side were a moment's work; with twenty they would be $121^{20}$ decodings. A grid is a
# luxury of two dimensions, and we need another way to find the spot.

# %% [markdown]
# ## 6.2  Can we search for it?
#
# Notebook 02 said how: the ELBO of any $q$ lies below $\log p(x)$ by exactly $\mathrm{KL}(q\,\Vert\,p(z\mid x))$.
# So raise the ELBO over $q$, and $q$ moves towards the posterior, which need not be known. Looking for the best
# *function*, here a density $q$, is what the calculus of variations does; hence **variational** inference. We look
# only in a small family: all Gaussians with a `mu` and a `logvar` for each latent.
#
# For one image this is a search over four numbers, and you have every slope that it needs: back through the decoder
# (notebook 05), through $z$ (notebook 04), and that of the KL (notebook 03).

# %%
def through_decoder(mu, logvar, x, eps):
    """nll (B,), and its slopes by mu and logvar:  x (B, D), eps (K, B, L); the mean over K samples."""
    K, B, L = eps.shape
    z, c_z = ops.reparam_forward(mu, logvar, eps)
    h, caches = z.reshape(K * B, L), []
    for name, activation in (("dec1", "tanh"), ("dec2", "tanh"), ("out", "none")):
        W, b = shipped.params[f"{name}_W"], shipped.params[f"{name}_b"]
        h, cache = ops.dense_forward(h, W, b, activation)
        caches.append(cache)
    nll, c_nll = ops.bernoulli_nll_forward(h.reshape(K, B, -1), x)
    dh = ops.bernoulli_nll_backward(np.full((K, B), 1 / K, np.float32), c_nll).reshape(K * B, -1)
    for cache in reversed(caches):
        dh, _, _ = ops.dense_backward(dh, cache)
    return nll.mean(axis=0), *ops.reparam_backward(dh.reshape(K, B, L), c_z)


# %% [markdown]
# Now search for the `q` of 32 images at once, each its own, all starting from the prior, with eight draws of $z$ a
# step. (`adam_step` is a gradient step with a well chosen length for each number; notebook 07 takes it apart. Its rate
# `lr` falls to zero, so that the search comes to rest.)

# %%
some = images[:32]
q = np.zeros((2, 32, 2), np.float32)                    # mu and logvar of each image: the prior
m, v = np.zeros(q.size, np.float32), np.zeros(q.size, np.float32)
costs, path = [], []
for step in range(1, 301):
    mu, logvar = q
    eps = rng.standard_normal((8, 32, 2), dtype=np.float32)
    nll, dmu, dlogvar = through_decoder(mu, logvar, some, eps)
    kl, _ = ops.gaussian_kl_forward(mu, logvar)
    costs.append(nll + kl.sum(axis=1))                  # (32,): minus each image's ELBO
    path.append(q[:, ONE].copy())
    slope = np.stack([dmu + mu, dlogvar + np.expm1(logvar) / 2])
    lr = 0.2 * (1 - step / 301)
    ops.adam_step(q.reshape(-1), slope.reshape(-1), m, v, step, lr, beta2=0.99)

# %% [markdown]
# For one of the images the posterior is known, from the grid. A finer grid around the spot gives its mean and its
# standard deviations, to lay beside those of $q$.

# %%
path = np.array(path)                                   # (300 steps, mu or logvar, 2 latents)
near = [np.linspace(c - 0.35, c + 0.35, 60, dtype=np.float32) for c in path[-1, 0]]
points = np.stack(np.meshgrid(*near), axis=-1).reshape(-1, 2)
fine = np.exp(log_joint(points, x) - log_joint(points, x).max())
weights = fine / fine.sum()
mean = weights @ points
sd = np.sqrt(weights @ (points - mean) ** 2)
print(f"posterior: mean ({mean[0]:.2f}, {mean[1]:.2f}), standard deviations ({sd[0]:.3f}, {sd[1]:.3f})")
mu, sigma = path[-1, 0], np.exp(path[-1, 1] / 2)
print(f"q:         mean ({mu[0]:.2f}, {mu[1]:.2f}), standard deviations ({sigma[0]:.3f}, {sigma[1]:.3f})")

# %%
def ellipse(mu, logvar):
    """The two-standard-deviation line of a diagonal Gaussian, (2, 100)."""
    return mu[:, None] + 2 * np.exp(logvar / 2)[:, None] * np.stack([np.cos(circle), np.sin(circle)])


fig, (left, right) = plots.figure(7.4, 3.6, 1, 2)
left.contourf(ticks, ticks, posterior, levels=np.linspace(0.05, 1, 6), cmap="Blues", vmin=-0.4)
left.plot(*path[:, 0].T, ".", color=plots.INK, ms=2)
for step, dash in ((0, ":"), (30, "-."), (80, "--")):
    left.plot(*ellipse(*path[step]), color=plots.RED, ls=dash, lw=1.3, label=f"q after {step} steps")
right.contourf(*near, fine.reshape(60, 60), levels=np.linspace(0.05, 1, 6), cmap="Blues", vmin=-0.4)
right.plot(*ellipse(*path[-1]), color=plots.RED, lw=1.6, label="q at the end")
left.set(xlabel="$z_1$", ylabel="$z_2$", ylim=(-3, 4.2), aspect="equal", title="raising the ELBO moves q ...")
right.set(xlabel="$z_1$", aspect="equal", title="... onto the posterior (close up)")
left.legend(loc="upper right", fontsize=8)
right.legend(loc="upper right", fontsize=8)
fig

# %% [markdown]
# Dots: the mean of $q$ after each step; ellipses: two standard deviations. The search never saw the posterior, only
# the ELBO's slopes, and it ended on the spot. Only the slight tilt is beyond it: the Gaussian is diagonal.

# %% [markdown]
# ## 6.3  Must every image be searched for?
#
# Three hundred steps for each image, and anew each time that the decoder changes: too dear for training.
# The remedy is to learn the *answer* of the search. A network, the **encoder**, takes the image and outputs
# `mu` and `logvar`:
#
# $$
# \begin{aligned}
# h &= \tanh(x\,\mathtt{enc1\_W} + \mathtt{enc1\_b}) \\
# \mu &= h\,\mathtt{mu\_W} + \mathtt{mu\_b}, \qquad
# \mathtt{logvar} = h\,\mathtt{logvar\_W} + \mathtt{logvar\_b} \\
# q(z\mid x) &= N\big(\mu(x),\ \mathrm{diag}\,\exp \mathtt{logvar}(x)\big)
# \end{aligned} \tag{1}
# $$
#
# (with as many hidden layers as one likes). `mu` and `logvar` are its two *heads*: two dense layers without
# an activation that read the same $h$. The price of inference is paid once, in training the encoder, and shared by
# all images: inference is **amortized**, as a machine is that pays for itself. The small model came with its encoder.
# How does that one pass compare with the search?

# %%
mu, logvar = vae.encode(shipped.params, some, shipped.spec)
eps = rng.standard_normal((100, 32, 2), dtype=np.float32)
nll, _, _ = through_decoder(mu, logvar, some, eps)
encoder_cost = nll + ops.gaussian_kl_forward(mu, logvar)[0].sum(axis=1)
searched_cost = through_decoder(*q, some, eps)[0] + ops.gaussian_kl_forward(*q)[0].sum(axis=1)
average, saved = np.mean(costs, axis=1), encoder_cost - searched_cost
print(f"-ELBO, on average: the encoder {encoder_cost.mean():.1f} nats, the search {searched_cost.mean():.1f}")
print(f"the search needs {np.argmax(average < encoder_cost.mean())} steps to come as low as the encoder on average")
print(f"it ends lower on {(saved > 0).sum()} of 32 images; the median image saves {np.median(saved):.1f} nats")
print(f"largest gain {saved.max():.0f} nats, largest loss {-saved.min():.0f} nats")
away = np.linalg.norm(q[0] - mu, axis=1)                # how far apart the two means of an image lie
print(f"the means lie {np.median(away):.2f} apart (median); where the loss is largest, {away[saved.argmin()]:.2f}")

# %%
fig, ax = plots.figure(5.6, 2.9)
ax.plot(average, color=plots.RED, label="a search for each image")
ax.axhline(encoder_cost.mean(), color=plots.BLUE, ls="--", label="the encoder: one pass")
ax.set(xlabel="steps of the search", ylabel="-ELBO, nats per image", ylim=(120, 330))
ax.set_title("one pass of the encoder is worth many steps of search")
ax.legend()
fig

# %% [markdown]
# The search needs many steps to come to where the encoder is at once. On most images it then ends a little lower: that
# difference is the *amortization gap*, measured in notebook 09. Neither is safe. Now and then the encoder places an
# image badly, which a search of its own would have mended; and now and then the search climbs a hill far from where
# the encoder looks, and stays on it, since a slope only points uphill.

# %% [markdown]
# ## 6.4  What is minimised?
#
# Over a batch of $B$ images, minus the ELBO on average (nats per example, summed over pixels and latents):
#
# $$
# \mathtt{loss} = \underbrace{\frac1B\sum_b \mathbb{E}_{q(z\mid x_b)}\big[-\log p(x_b\mid z)\big]}_{\mathtt{nll}}
# \;+\; \beta\,\underbrace{\frac1B\sum_b\sum_j \mathrm{KL}\big(N(\mu_{bj},\sigma^2_{bj})\,\Vert\,N(0,1)\big)}_{\mathtt{kl}} \tag{2}
# $$
#
# With $\beta = 1$ this is $-\mathtt{elbo}$. Another $\beta$ changes what is minimised, never what is
# reported: `elbo = -(nll + kl)` always.
#
# The KL is exact (notebook 03). The expectation is not: it is estimated with a single draw for each
# image, reparameterized so that a gradient can pass:
#
# $$
# \mathtt{nll} \approx \frac1B\sum_b -\log p\big(x_b \mid z_b\big), \qquad
# z_b = \mu_b + \sigma_b\,\varepsilon_b, \quad \varepsilon_b \sim N(0, I) \tag{3}
# $$
#
# It is unbiased: its average over `eps` is `nll` itself. But a *single* draw?

# %%
fig, ax = plots.figure(5.8, 2.8)
for row, B in enumerate((1, 10, 100)):
    draws = [vae.elbo(shipped.params, images[:B], rng.standard_normal((B, 2), dtype=np.float32),
                      shipped.spec).loss for _ in range(100)]
    noise = draws - np.mean(draws)
    ax.plot(noise, row + rng.uniform(-0.2, 0.2, 100), "o", ms=3, alpha=0.5, color=plots.BLUE)
    print(f"batch of {B:3d}: the loss scatters by {np.std(noise):.2f} nats from draw to draw of eps")
ax.set(yticks=range(3), yticklabels=["B = 1", "B = 10", "B = 100"], xlabel="loss minus its mean, nats")
ax.set_title("one draw for each image is enough: the batch averages")
fig

# %% [markdown]
# Every image brings a draw of its own, so that a batch averages over the draws too. A second draw for each image would
# cost another pass through the decoder, about half the price of a second image; and the second image comes with a draw
# *and* with new pixels.
#
# Now the whole forward pass, on a net small enough to look into: six pixels, four hidden units, two
# latents, three images. The sizes differ on purpose, so that a transposed matrix cannot hide.

# %%
spec = vae.Spec(data_dim=6, hidden=(4,), latent_dim=2)
B, beta = 3, 1.5
flat = vae.init_params(spec, rng, dtype=np.float64)     # every parameter in one vector
flat += 0.5 * rng.standard_normal(flat.size)            # biases too: no zeros where we check
params = vae.unpack(flat, spec)                         # its parts, by name
x = (rng.random((B, 6)) < 0.5).astype(float)
eps = rng.standard_normal((B, 2))
for name, array in params.items():
    print(f"{name:10s} {array.shape}")

# %%
p = params
h = np.tanh(x @ p["enc1_W"] + p["enc1_b"])              # (B, H)    eq. (1)
mu = h @ p["mu_W"] + p["mu_b"]                          # (B, L)
logvar = h @ p["logvar_W"] + p["logvar_b"]              # (B, L)
sigma = np.exp(logvar / 2)
z = mu + sigma * eps                                    # (B, L)    eq. (3)
g = np.tanh(z @ p["dec1_W"] + p["dec1_b"])              # (B, H)    the decoder's hidden layer
logits = g @ p["out_W"] + p["out_b"]                    # (B, D)
nll = (np.logaddexp(0, logits) - x * logits).sum(axis=1)            # (B,), notebook 05
kl = ((mu**2 + sigma**2 - 1 - logvar) / 2).sum(axis=1)              # (B,), notebook 03
loss = nll.mean() + beta * kl.mean()                    #           eq. (2)
print(f"loss {loss:.6f}, the package's {vae.elbo(params, x, eps, spec, beta=beta).loss:.6f} nats")

# %% [markdown]
# Ten lines, and that is the model. The package's forward pass says the same, with any number of hidden layers
# and with a cache from each step, which the way back will need:

# %%
def package(part):
    """The paragraph of the package's `elbo_and_grads` that begins with this comment."""
    paragraphs = dedent(inspect.getsource(vae.elbo_and_grads)).split("\n\n")
    print(dedent(next(text for text in paragraphs if part in text)))


package("# Forward")

# %% [markdown]
# `_hidden_forward` is a loop of `dense_forward` over the hidden layers; `out` are the logits; `nll_forward` is the
# Bernoulli or the Gaussian nll of notebook 05, as `spec` asks; `_elbo_terms` is eq. (2), and,
# for the backward pass, the slope `dkl` of the loss along the KL of each latent.
#
# ## 6.5  What does the graph look like?
#
# Draw each value as a node, with an arrow to whatever is computed from it. Backward, gradients run along the
# same arrows, the other way. **Before you look:** which values are used twice?

# %%
NODES = {"x": (0, 0), "h": (1, 0), "mu": (2, 0.9), "logvar": (2, -0.9), "eps": (3, -1.5), "z": (3.2, 0),
         "g": (4.2, 0), "logits": (5.2, 0), "nll": (6.3, 0), "kl": (3.4, 1.7), "loss": (7.3, 0.9)}
ARROWS = ("x h", "h mu", "h logvar", "mu z", "logvar z", "eps z", "z g", "g logits", "logits nll",
          "mu kl", "logvar kl", "nll loss", "kl loss")

fig, ax = plots.figure(8, 3.4)
for start, end in map(str.split, ARROWS):
    ax.annotate("", NODES[end], NODES[start],
                arrowprops={"arrowstyle": "-|>", "color": plots.GREY, "shrinkA": 15, "shrinkB": 17})
for name, at in NODES.items():
    twice = sum(arrow.split()[0] == name for arrow in ARROWS) == 2
    box = {"boxstyle": "round,pad=0.4", "fc": plots.ORANGE if twice else "white", "ec": plots.INK}
    ax.text(*at, name, ha="center", va="center", bbox=box, family="monospace")
ax.set(xlim=(-0.4, 7.8), ylim=(-1.9, 2.1), title="three values are used twice: there, gradients add up")
ax.set_axis_off()
fig

# %% [markdown]
# Shaded: `h` feeds both heads; `mu` and `logvar` feed $z$ and the KL. (If you also said `x`: right, the `nll` compares
# the logits with it. That arrow is left out, and so are the parameters, since nobody asks for a gradient by `x`.)
#
# The rule for a value that is used twice is the chain rule for several variables: if
# $\mathtt{loss} = F(u, w)$ and both $u$ and $w$ depend on $m$, then
# $\frac{d\,\mathtt{loss}}{dm} = \frac{\partial F}{\partial u}\frac{du}{dm} + \frac{\partial F}{\partial w}\frac{dw}{dm}$.
# What flows out twice comes back twice, and is added. Several of the mistakes at the end of this notebook are this
# rule, forgotten.
#
# As before, `dz` stands for the gradient of the loss by `z`, in `z`'s shape, and so for every name.

# %% [markdown]
# ## 6.6  Back through the decoder
#
# The first step back is the mean over the batch. In eq. (2) each image's nll stands with a $1/B$ in front:
#
# $$
# \mathtt{dnll}_b = \frac{\partial\,\mathtt{loss}}{\partial\,\mathtt{nll}_b} = \frac1B \tag{4}
# $$
#
# This is the only place where $1/B$ enters on this path. Every later formula multiplies by what arrives, so it is carried
# along; whoever divides again divides twice.
#
# Then the Bernoulli in logits, where notebook 05 found the slope of one pixel to be $\mathrm{sigmoid}(\mathtt{logits}) - x$:
#
# $$
# \mathtt{dout} = \mathtt{dnll}\,\big(\mathrm{sigmoid}(\mathtt{logits}) - x\big) \tag{5}
# $$
#
# (notebook 05 called it `dlogits`; a decoder that is not Bernoulli has another output, hence `dout`), and two dense layers, each by notebook 05: weights get *input transposed times gradient*, biases the sum over
# the batch, the input gets *gradient times weights transposed*. In between, $\tanh' = 1 - \tanh^2$. The end of it:
#
# $$
# \mathtt{dz} = \big[\,(\mathtt{dout}\;\mathtt{out\_W}') \odot (1 - g^2)\,\big]\;\mathtt{dec1\_W}' \tag{6}
# $$
#
# ($\odot$: entry by entry; a prime: the transpose.)

# %%
grads = {}
dnll = np.full(B, 1 / B)                                            # (B,)      eq. (4)
dout = dnll[:, None] * (1 / (1 + np.exp(-logits)) - x)              # (B, D)    eq. (5)
grads["out_W"], grads["out_b"] = g.T @ dout, dout.sum(axis=0)
da = (dout @ p["out_W"].T) * (1 - g**2)                             # (B, H)
grads["dec1_W"], grads["dec1_b"] = z.T @ da, da.sum(axis=0)
dz = da @ p["dec1_W"].T                                             # (B, L)    eq. (6)

package("# Backward, the decoder")

# %% [markdown]
# Step for step the same (`len(x)` is $B$): `_dense_backward` writes a layer's `dW` and `db` into `grads` and returns the
# gradient of its input, and `_hidden_backward` does so for each hidden layer, the last one first.

# %% [markdown]
# ## 6.7  mu and logvar, fed from two sides
#
# Here the graph forks. `mu` changes the loss through $z$ (the decoder sees another $z$) and through the KL. By
# eq. (3) $\partial z/\partial\mu = 1$, and by notebook 03 the KL's slope is $\mu$; in the loss it stands with $\beta/B$:
#
# $$
# \mathtt{dmu} = \underbrace{\mathtt{dz}}_{\text{through } z} + \underbrace{\frac{\beta}{B}\,\mu}_{\text{from the KL}} \tag{7}
# $$
#
# Likewise `logvar`: $\partial z/\partial\,\mathtt{logvar} = \varepsilon\,\sigma/2$, and the KL's slope is $(\sigma^2-1)/2$:
#
# $$
# \mathtt{dlogvar} = \underbrace{\mathtt{dz}\odot\varepsilon\odot\frac{\sigma}{2}}_{\text{through } z}
# + \underbrace{\frac{\beta}{B}\,\frac{\sigma^2 - 1}{2}}_{\text{from the KL}} \tag{8}
# $$
#
# The `eps` in eq. (8) is the very `eps` that made $z$: `dz` is the slope *at that z*.

# %%
dmu = dz + beta / B * mu                                            # (B, L)    eq. (7)
dlogvar = dz * eps * sigma / 2 + beta / B * (sigma**2 - 1) / 2      # (B, L)    eq. (8)
grads["mu_W"], grads["mu_b"] = h.T @ dmu, dmu.sum(axis=0)
grads["logvar_W"], grads["logvar_b"] = h.T @ dlogvar, dlogvar.sum(axis=0)

package("# Backward, q")

# %% [markdown]
# `dkl` is $\beta/B$, in the package's spelling: `gaussian_kl_backward` multiplies it by the two slopes. (It has one clause
# more, for *free bits*; notebook 07.)
#
# Two terms pull at one number, and they want different things. Go back to the image of 6.1 and the `q` that the search
# found for it; change the `logvar` of its first latent alone, and look at both parts of the loss.

# %%
mu_found, logvar_found = (np.repeat(q[part, ONE][None], 41, axis=0) for part in (0, 1))     # (41, 2)
tried = np.linspace(-9, 0, 41, dtype=np.float32)
logvar_found[:, 0] = tried
same_noise = np.repeat(rng.standard_normal((200, 1, 2), dtype=np.float32), 41, axis=1)
same_image = np.repeat(images[[ONE]], 41, axis=0)
nll_of, _, slope_of_nll = through_decoder(mu_found, logvar_found, same_image, same_noise)
kl_of = ops.gaussian_kl_forward(mu_found, logvar_found)[0].sum(axis=1)
slope_of_kl = np.expm1(tried) / 2
rest = np.argmin(nll_of + kl_of)
print(f"lowest at logvar = {tried[rest]:.2f}, where sigma = {np.exp(tried[rest] / 2):.3f}")
print(f"slopes there: through z {slope_of_nll[rest, 0]:+.2f}, from the KL {slope_of_kl[rest]:+.2f} nats")

# %%
fig, ax = plots.figure(5.8, 3.2)
ax.plot(tried, nll_of - nll_of.min(), color=plots.RED, ls="--", label="nll: wants q narrow")
ax.plot(tried, kl_of, color=plots.BLUE, ls="-.", label="kl: wants q wide")
ax.plot(tried, nll_of - nll_of.min() + kl_of, color=plots.INK, label="their sum")
ax.plot(tried[rest], (nll_of - nll_of.min() + kl_of)[rest], "*", color=plots.INK, ms=13)
ax.set(xlabel="logvar of the first latent", ylabel="nats (nll above its least)", ylim=(0, 25))
ax.set_title("q rests where the two slopes cancel")
ax.legend()
fig

# %% [markdown]
# At the star the two slopes printed above cancel, up to the spacing of the 41 values tried. To its left $q$ is so
# narrow that the decoder gains nothing more from it, and the KL widens it; to the right the draws of $z$ decode to
# other images, and the reconstruction narrows it. Leave out either slope, and one side wins.

# %% [markdown]
# ## 6.8  Two heads into one h
#
# `h` is the other value used twice. Each head sends back its gradient times its own weights, and the two are added:
#
# $$
# \mathtt{dh} = \mathtt{dmu}\;\mathtt{mu\_W}' + \mathtt{dlogvar}\;\mathtt{logvar\_W}' \tag{9}
# $$
#
# The last layer on the way back is dense with tanh again, and there it ends: nobody needs the gradient by the image.

# %%
dh = dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T                  # (B, H)    eq. (9)
da = dh * (1 - h**2)
grads["enc1_W"], grads["enc1_b"] = x.T @ da, da.sum(axis=0)

package("# Backward, the encoder")

# %% [markdown]
# That is the whole gradient: every name of `params` has its entry in `grads`. (`need_dx=False` spares the product
# that would give the gradient by the image.)

# %%
result = vae.elbo_and_grads(params, x, eps, spec, beta=beta)
print("every block has its gradient:      ", set(grads) == set(params))
print("ours and the package's are the same:", all(np.allclose(grads[n], result.grads[n]) for n in grads))

# %% [markdown]
# ## 6.9  Is it right?
#
# Agreeing with the package proves little: the same person may have made the same mistake twice. The
# two witnesses of notebook 05 know nothing of any derivation. They only ask for the loss as a function of the flat vector,
# with `eps` held fixed. (`compare` measures a block's error: its largest difference, as a share of its largest entry.)

# %%
def loss_at(flat):
    return vae.elbo(vae.unpack(flat, spec), x, eps, spec, beta=beta).loss


witnesses = {"central differences": central_differences, "complex step": complex_step}
numeric = {way: vae.unpack(gradient(loss_at, flat), spec) for way, gradient in witnesses.items()}
errors = {way: {name: compare(name, grads[name], numeric[way][name], bound=1e-7).error for name in grads}
          for way in witnesses}
for way in witnesses:
    print(f"{way:20s} worst of {len(grads)} blocks: {max(errors[way].values()):.1e}")

# %%
fig, ax = plots.figure(5.8, 3.2)
for way, color, marker in (("central differences", plots.RED, "s"), ("complex step", plots.BLUE, "o")):
    shown = [max(errors[way][name], 1e-17) for name in params]
    ax.plot(shown, list(params), marker, color=color, ls="", label=way)
ax.invert_yaxis()
ax.set(xscale="log", xlim=(1e-17, 1), xlabel="error, as a share of the block's largest entry")
ax.set_title("every block agrees, to all the digits that each witness has")
ax.legend(loc="center right", fontsize=8)
fig

# %% [markdown]
# Nine or ten digits from the differences, nearly all of the sixteen that there are from the complex step, in every
# block. A mistake would lie at the far right: how far, we shall see.
#
# The package does this for nets of every kind (both likelihoods, tanh and relu, with and without hidden
# layers, several `beta`), and for both backends: `python -m minivae gradcheck`.

# %% [markdown]
# ## 6.10  The bug museum
#
# A check that says "right" is only worth something if it says "wrong" when it should. And it can say more than that: a
# mistake spoils the blocks that it touches and those that come *after* it on the way back, and no others. So the pattern
# of wrong blocks points at the line.
#
# This is a museum of such mistakes, each easily made and hard to see by reading. (A survey of public NumPy code, made
# for this project, met several of them in use. That is a reason to look, and nothing that a cell here could show.) The
# next cell plants one of them in a copy of the package's own source, and asks for both gradients of our small net: the
# one by hand, and the one by complex step.

# %%
def with_mistake(name):
    """The gradient by hand, and by complex step, of this very VAE with that mistake planted in it."""
    mistake = mistakes.find(name)
    spoiled = mistakes.plant(mistake)
    model, its_ops = (vae, spoiled) if mistake.module == "ops" else (spoiled, ops)

    def loss_at(flat):
        return model.elbo(vae.unpack(flat, spec), x, eps, spec, beta=beta, ops=its_ops).loss

    by_hand = model.elbo_and_grads(params, x, eps, spec, beta=beta, ops=its_ops).flat_grads
    return vae.unpack(by_hand, spec), vae.unpack(complex_step(loss_at, flat), spec)


# %% [markdown]
# **Predict first.** The gradient of the KL is forgotten in the backward pass: eqs. (7) and (8) lose their second
# term. Which gradients are wrong: those of the `"encoder"` (with its heads), of the `"decoder"`, or of `"both"`?

# %%
predict("06.kl-forgotten", ...)

# %%
def blocks_that_are(ok, name):
    by_hand, numeric = with_mistake(name)
    return [n for n in params if compare(n, by_hand[n], numeric[n], bound=1e-12).ok == ok]


print("right:", *blocks_that_are(True, "kl-gradient-lost"))
print("wrong:", *blocks_that_are(False, "kl-gradient-lost"))

# %%
reveal("06.kl-forgotten")

# %% [markdown]
# **Predict again.** The backward pass draws its own `eps`, in place of the one that made $z$.
# Which gradients are wrong: `"all"`, `"logvar's head and before"` (on the way back, "before" is the encoder's
# hidden layers), or `"none"`, as fresh noise has the same distribution?

# %%
predict("06.fresh-noise", ...)

# %%
print("right:", *blocks_that_are(True, "reparam-fresh-noise"))
print("wrong:", *blocks_that_are(False, "reparam-fresh-noise"))
first, second = (with_mistake("reparam-fresh-noise")[0]["logvar_W"] for _ in range(2))
print("the same gradient when asked twice:", np.array_equal(first, second))

# %%
reveal("06.fresh-noise")

# %% [markdown]
# It is not a small error, either: the average of `dz * eps` over *fresh* `eps` is zero, so that the whole path
# from the reconstruction to `logvar` is lost, and noise put in its place.
#
# Now a whole room of exhibits: the name of each, and what was done.

# %%
ROOM = ("bernoulli-gradient-sign", "bernoulli-gradient-mean-over-pixels",
        "elbo-likelihood-summed-over-batch", "dense-bias-gradient-averaged",
        "dense-tanh-derivative-lost", "dense-weight-gradient-before-activation",
        "reparam-half-lost", "reparam-fresh-noise", "elbo-path-through-z-lost",
        "kl-gradient-mu-doubled", "kl-gradient-lost", "elbo-one-head-into-h",
        "elbo-decoder-delta-reused", "reparam-variance-as-sigma")
for name in ROOM:
    print(f"{name}\n    {mistakes.find(name).sentence}")

# %% [markdown]
# For each exhibit and each block, in the order in which the way back meets them: is it right (pale), wrong by one and the
# same ratio in all entries (the ratio is written in), or wrong without one (×)?

# %%
ORDER = ("out_W", "out_b", "dec1_W", "dec1_b", "mu_W", "mu_b", "logvar_W", "logvar_b", "enc1_W", "enc1_b")


def verdicts(name):
    by_hand, numeric = with_mistake(name)
    return [compare(block, by_hand[block], numeric[block], bound=1e-12) for block in ORDER]


exhibits = [verdicts(name) for name in ROOM]
least = min(verdict.error for row in exhibits for verdict in row if not verdict.ok)
print(f"the smallest error of any wrong block: {least:.1e}")

# %%
fig, ax = plots.figure(7.2, 4)
for row, verdict_row in enumerate(exhibits):
    for column, verdict in enumerate(verdict_row):
        ratio = "×" if verdict.ratio is None else str(Fraction(verdict.ratio).limit_denominator(50))
        color = "#eeeeee" if verdict.ok else plots.RED if verdict.ratio is None else plots.ORANGE
        ax.add_patch(plots.plt.Rectangle((column, row), 0.94, 0.9, color=color))
        ax.text(column + 0.47, row + 0.45, "" if verdict.ok else ratio, ha="center", va="center", fontsize=9)
ax.set(xlim=(0, len(ORDER)), ylim=(len(ROOM), 0))
ax.set_title("a mistake spoils what comes after it on the way back")
ax.set_xticks(np.arange(len(ORDER)) + 0.47, ORDER, fontsize=7, family="monospace", rotation=25)
ax.set_yticks(np.arange(len(ROOM)) + 0.45, ROOM, fontsize=7, family="monospace")
ax.grid(False)
fig

# %% [markdown]
# (And the distance promised in 6.9: a right block is off by rounding, a wrong one by the number printed above or more.)
#
# The way back runs from left to right, and each row is right up to the line with the mistake. Read some rows as a doctor
# would:
#
# - a constant ratio names the factor: -1 is a sign turned; one over the six pixels, a mean where a sum was meant; three
#   is the batch. (From the heads on the ratio is gone, as the KL's share there is right.)
# - only biases wrong, and nothing after them: `db` is a dead end, no other gradient is computed from it;
# - both heads right and `enc1` wrong: eq. (9) is the line between them;
# - `mu`'s head right and `logvar`'s wrong: eq. (8), or the reparameterization under it.
#
# For a forward and backward pair alone there is a doctor to ask: it compares, and looks for a pattern. (No axis of its
# inputs has length 2 here, lest a lost half look like a lost mean.)

# %%
from minivae.gradcheck import diagnose

spoiled = mistakes.plant(mistakes.find("reparam-half-lost"))
inputs = {name: rng.standard_normal((4, 3)) for name in ("mu", "logvar", "eps")}
print(diagnose(spoiled.reparam_forward, spoiled.reparam_backward, inputs))

# %% [markdown]
# ## 6.11  The one that no gradient check can see
#
# The last row of the picture is pale from end to end. Its mistake:

# %%
blind = mistakes.find("reparam-variance-as-sigma")
print(blind.sentence)
for edit in blind.edits:
    print(f"  {edit.function}:   {edit.right}   became   {edit.wrong}")

# %% [markdown]
# `exp(logvar)` is the variance, and here it serves as the standard deviation. The backward pass was derived
# from that wrong forward pass, with care, and without a slip. A gradient check compares the two passes with *each other*, so
# all is well: it is the right gradient of the wrong formula. (You have met it before, in 4.6 and in an exercise there.)
#
# What can see it is a statement about what $z$ should be, not about slopes: $(z-\mu)/\sigma$ is
# standard normal.

# %%
spoiled = mistakes.plant(blind)
many = rng.standard_normal((50_000, 1))
mean, log_variance = np.full((1, 1), 0.7), np.full((1, 1), 2 * np.log(0.4))
fig, ax = plots.figure(5.8, 3)
for name, its_ops, color, dash in (("right", ops, plots.BLUE, "-"), ("planted", spoiled, plots.RED, "--")):
    draws, _ = its_ops.reparam_forward(mean, log_variance, many)
    standard = (draws - 0.7) / 0.4                      # should be N(0, 1)
    ax.hist(standard, bins=np.linspace(-4, 4, 81), density=True, histtype="step", color=color, ls=dash, label=name)
    print(f"{name:8s} standard deviation of (z - mu) / sigma: {standard.std():.3f}")
ax.set(xlabel="(z - mu) / sigma, with sigma = 0.4", ylabel="density")
ax.set_title("the draws betray what the gradient hides")
ax.legend()
fig

# %% [markdown]
# The planted draws are too narrow by the factor `sigma` itself. At `sigma = 1` the two would be the same, so even this
# test needs an input with nothing special about it.
#
# Other mistakes pass as well: a formula wrong in both passes alike, or wrong only at inputs where nobody checks, or in
# what the gradient never sees, such as the step that uses it. Each needs a witness of its own, from statistics, a closed
# form or an extreme input, and the package's tests hold one for each. (Those of Adam belong to notebook 07, the last three
# to notebook 09.)

# %%
unseen = [m for m in mistakes.MISTAKES if m.witness != mistakes.GRADIENT]
print(f"of {len(mistakes.MISTAKES)} planted mistakes, {len(unseen)} pass the gradient check:")
for mistake in unseen:
    print(f"- {mistake.sentence}")

# %% [markdown]
# So: a gradient check is necessary, and not sufficient. (To walk through the whole collection, with a symptom shown and
# the mistake to be named: `python -m minivae museum`.)

# %% [markdown]
# ## Recap
#
# - The best Gaussian for one image can be searched for by raising the ELBO (*variational*); a network that
#   outputs it at once shares the price among all images (*amortized*): eq. (1).
# - The loss is nats per example, a sum over pixels and latents, a mean over the batch: eq. (2), with one draw each: eq. (3).
# - $1/B$ enters once: eq. (4). Then down the decoder: eqs. (5), (6).
# - What is used twice gets two gradients, added: `mu` and `logvar` in eqs. (7), (8), `h` in eq. (9).
# - The pattern of wrong blocks points at the wrong line; a constant ratio names the factor.
# - A formula that is wrong in both passes alike passes every gradient check.
#
# ## Exercises
#
# Each stub below is yours to fill in; `check` says what is right, or shows the smallest input where it is
# not. `hint("06.loss")` gives a nudge, `solution("06.loss")` the reference.

# %% [markdown]
# **What is minimised, and what is reported.** Eq. (2), from each example's terms.

# %%
def loss_terms(nll, kl, beta):    # (B,), (B, L), float
    ...                           # -> loss, elbo, nll, kl: floats, nats per example


check("06.loss", loss_terms)

# %% [markdown]
# **From two sides.** Eqs. (7) and (8).

# %%
def q_backward(dz, mu, logvar, eps, beta):    # each (B, L), and a float
    ...                                       # loss = mean_B nll + beta mean_B kl;
                                              # dz holds its 1/B already
                                              # -> dmu (B, L), dlogvar (B, L)


check("06.q-backward", q_backward)

# %% [markdown]
# **Two heads.** Eq. (9).

# %%
def heads_backward(dmu, dlogvar, mu_W, logvar_W):    # (B, L), (B, L), (H, L), (H, L)
    ...                                              # -> dh (B, H)


check("06.heads-backward", heads_backward)

# %% [markdown]
# **The whole gradient.** Close sections 6.4 to 6.8 and write it from the graph alone: one hidden layer, tanh,
# Bernoulli, `beta` = 1. This is the summit of the first six notebooks; take your time.

# %%
def elbo_and_grads(params, x, eps):    # dict of arrays, (B, D), (B, L)
    ...      # encoder x -> h = tanh(x enc1_W + enc1_b) -> mu, logvar (mu_W, mu_b, logvar_W,
             # logvar_b), decoder z -> tanh(z dec1_W + dec1_b) -> logits (out_W, out_b)
             # -> loss = mean_B nll + mean_B kl (float), gradients (dict, the same keys)


check("06.elbo-and-grads", elbo_and_grads)

# %% [markdown]
# Yours, if it passes, is checked here once more by the complex step; until then the reference is.

# %%
elbo_and_grads = use("06.elbo-and-grads", elbo_and_grads)
_, my_grads = elbo_and_grads(params, x, eps)
slopes = complex_step(lambda flat: vae.elbo(vae.unpack(flat, spec), x, eps, spec).loss, flat)
worst = max(compare(n, my_grads[n], block, 1e-12).error for n, block in vae.unpack(slopes, spec).items())
print("every block agrees with the complex step:", worst < 1e-12)

# %% [markdown]
# **Find the bug.** The comment says what the gradient check says. Mend it.

# %%
def encoder_gradients(dz, mu, logvar, eps, h, mu_W, logvar_W):
    # "The encoder is the decoder's mirror image." A gradient check: mu_W right, logvar_W right,
    # and every block below them wrong.
    B = len(mu)
    dmu = dz + mu / B
    dlogvar = dz * eps * np.exp(logvar / 2) / 2 + (np.exp(logvar) - 1) / 2 / B
    dmu_W, dlogvar_W = h.T @ dmu, h.T @ dlogvar
    dh = dmu @ mu_W.T
    dh = dlogvar @ logvar_W.T
    return dmu_W, dlogvar_W, dh * (1 - h**2)


check("06.bug", encoder_gradients)

# %% [markdown]
# **Name the bug.** From the symptom alone.

# %%
# A gradient check of a whole VAE says: the decoder is right, mu's head is right, logvar's
# head and all before it are wrong. Run again, the wrong blocks are wrong by other numbers.
# Which mistake is it?  "dense-tanh-derivative-lost", "elbo-likelihood-summed-over-batch",
# "elbo-kl-path-to-mu-lost", "reparam-half-lost", "reparam-fresh-noise" or
# "elbo-one-head-into-h"
which = ...

check("06.name-the-bug", which)

# %% [markdown]
# **Next:** notebook 07 takes this gradient, sixty thousand digits and an optimiser, and makes a model that draws.
