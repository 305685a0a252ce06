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
# - derive the gradient of the whole loss, every block of it, check it to fifteen digits, and do the same
#   for a VAE that this text does not treat;
# - search for the best $q$ of one image, and say what *variational* and *amortized* mean;
# - read the report of a gradient check as a doctor reads a symptom, and repair a VAE with several
#   mistakes at once;
# - write a test for what no gradient check can see.
#
# **Builds on** notebook 03 (the KL and its derivatives), 04 (`z = mu + sigma * eps`) and 05 (the graph, dense layers,
# the Bernoulli in logits, the complex step). Reading time: 35 minutes, without the exercises.

# %%
import sys; sys.path[:0] = [".", ".."]

import inspect
from collections import Counter
from fractions import Fraction

import numpy as np

from minivae import VAE, data, mistakes, ops, plots, vae
from minivae.gradcheck.differences import central_differences, complex_step
from minivae.exercises import check, hint, predict, recall, reveal, solution, use

plots.notebook_style()
rng = np.random.default_rng(6)

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("06", ..., ..., ...)

# %% [markdown]
# ## 6.1  What is minimised?
#
# A VAE has two networks. The **encoder** takes an image `x` and gives the `mu` and `logvar` of a Gaussian
# $q(z\mid x)$ over the latents. With one hidden layer:
#
# $$
# \begin{aligned}
# y_1 &= \tanh(x\,\mathtt{enc1\_W} + \mathtt{enc1\_b}) \\
# \mu &= y_1\,\mathtt{mu\_W} + \mathtt{mu\_b}, \qquad
# \mathtt{logvar} = y_1\,\mathtt{logvar\_W} + \mathtt{logvar\_b} \\
# q(z\mid x) &= N\big(\mu(x),\ \mathrm{diag}\,\exp \mathtt{logvar}(x)\big)
# \end{aligned} \tag{1}
# $$
#
# `mu` and `logvar` are its two *heads*: two dense layers without an activation that read the same $y_1$. The
# **decoder** takes a point $z$ to the logits of an image. What is minimised, on average over a batch of $B$ images (nats per
# example, summed over pixels and latents), is
#
# $$
# \mathtt{loss} = \underbrace{\frac1B\sum_b \mathbb{E}_{q(z\mid x_b)}\big[-\log p(x_b\mid z)\big]}_{\mathtt{nll}}
# \;+\; \beta\,\underbrace{\frac1B\sum_b\sum_j \mathrm{KL}\big(N(\mu_{bj},\sigma^2_{bj})\,\Vert\,N(0,1)\big)}_{\mathtt{kl}} \tag{2}
# $$
#
# where $\beta$ is a weight. With $\beta = 1$ the loss is minus the ELBO. Another $\beta$ changes what is minimised, never what is
# reported: `elbo = -(nll + kl)` always.
#
# The KL is exact (notebook 03). The expectation is estimated with a single draw for each
# image, reparameterized so that a gradient can pass:
#
# $$
# \mathtt{nll} \approx \frac1B\sum_b -\log p\big(x_b \mid z_b\big), \qquad
# z_b = \mu_b + \sigma_b\,\varepsilon_b, \quad \varepsilon_b \sim N(0, I) \tag{3}
# $$
#
# It is unbiased: its average over `eps` is `nll` itself. Every image brings a draw of its own, so the batch averages over
# draws too. How far does the loss still scatter from draw to draw? Take a small model that is shipped with the package,
# and evaluate it on the same images again and again:

# %%
shipped = VAE.pretrained("mnist").model_
images = data.fixed_binarization(data.load("mnist").test[:100], data.BINARIZATION_SEED)
for B in (1, 10, 100):
    draws = [vae.elbo(shipped.params, images[:B], rng.standard_normal((B, 2), dtype=np.float32),
                      shipped.spec).loss for _ in range(100)]
    print(f"batch of {B:3d}: loss {np.mean(draws):.1f} nats, which scatters by {np.std(draws):.2f} from draw to draw,"
          f" and times sqrt({B}): {np.std(draws) * np.sqrt(B):.1f}")

# %% [markdown]
# The scatter falls about as $1/\sqrt B$. Not exactly, since the images differ in how much each of them scatters (and in
# their loss: hence the three means).
#
# Now the whole forward pass, on a net small enough to look into: seven pixels, four hidden units, two
# latents, three images. The sizes differ on purpose, so that a transposed matrix cannot hide.

# %%
spec = vae.Spec(data_dim=7, hidden=(4,), latent_dim=2)
B, beta = 3, 1.5
flat = vae.init_params(spec, rng, dtype=np.float64)     # every parameter in one vector
flat += 0.5 * rng.standard_normal(flat.size)            # biases too: no zeros where we check
params = vae.unpack(flat, spec)                         # its parts, by name
x = np.array([[1, 0, 1, 0, 0, 1.0, 0], [0, 1, 1, 0, 1, 0, 1], [1, 1, 0, 1, 0, 0, 1]])  # each pixel is lit somewhere
eps = rng.standard_normal((B, 2))
print(", ".join(f"{name} {array.shape}" for name, array in params.items()))

# %%
p = params
y1 = np.tanh(x @ p["enc1_W"] + p["enc1_b"])             # (B, H)    eq. (1)
mu = y1 @ p["mu_W"] + p["mu_b"]                         # (B, L)
logvar = y1 @ p["logvar_W"] + p["logvar_b"]             # (B, L)
sigma = np.exp(logvar / 2)
z = mu + sigma * eps                                    # (B, L)    eq. (3)
y2 = np.tanh(z @ p["dec1_W"] + p["dec1_b"])             # (B, H)    the decoder's hidden layer
logits = y2 @ p["out_W"] + p["out_b"]                   # (B, D)
nll = (((logits > 0) - x) * logits + np.log1p(np.exp(-np.abs(logits)))).sum(axis=1)  # 05, eq. (7)
kl = ((mu**2 + sigma**2 - 1 - logvar) / 2).sum(axis=1)              # (B,), notebook 03
loss = nll.mean() + beta * kl.mean()                    #           eq. (2)
print(f"loss {loss:.6f}, the package's {vae.elbo(params, x, eps, spec, beta=beta).loss:.6f} nats")

# %% [markdown]
# Ten lines, and that is the model.
#
# ## 6.2  What does the graph look like?
#
# As in section 5.1: each value is a box, with an arrow to whatever is computed from it, and a local derivative on each
# arrow. **Before you look:** from which boxes do two arrows leave?

# %%
PLACES = {
    "x": (0, 0), "y1": (1.1, 0), "mu": (2.3, 1.0), "logvar": (2.2, -1.0), "sigma": (3.7, -0.3),
    "z": (4.9, 1.0), "y2": (6.0, 1.0), "logits": (7.4, 1.0), "nll": (8.8, 1.0), "kl": (6.5, -1.0),
    "loss": (10.1, -0.2),
}
SHAPES = {"x": "(B, D)", "y1": "(B, H)", "mu": "(B, L)", "logvar": "(B, L)", "sigma": "(B, L)", "z": "(B, L)",
          "y2": "(B, H)", "logits": "(B, D)", "nll": "(B,)", "kl": "(B,)"}
LOCAL = {
    ("x", "y1"): "", ("y1", "mu"): "mu_W", ("y1", "logvar"): "logvar_W", ("mu", "z"): "1", ("mu", "kl"): "mu",
    ("logvar", "sigma"): "sigma/2", ("logvar", "kl"): "-1/2", ("sigma", "z"): "eps",
    ("sigma", "kl"): "sigma", ("z", "y2"): "", ("y2", "logits"): "out_W", ("logits", "nll"): "p - x",
    ("nll", "loss"): "1/B", ("kl", "loss"): "beta/B",
}
fig, ax = plots.figure(8.8, 3.1)
plots.computation_graph(ax, PLACES, LOCAL, above=SHAPES, shaded=("y1", "mu", "logvar", "sigma"), label_at=0.5)
ax.set_title("four values are used twice: their gradients are sums of two terms")
fig

# %% [markdown]
# Shaded: `y1` feeds both heads, `mu` feeds $z$ and the KL, `logvar` feeds `sigma` and the KL, and `sigma` feeds $z$ and the
# KL. ($p$ is the sigmoid of the logits. Through a hidden layer the local derivative is that of a dense layer with tanh, eqs. (2) to
# (5) of notebook 05. If you also said `x`: right, the nll compares the logits with it. That arrow, the
# parameters and `eps` are left out; for `x` and `eps` nobody asks for a gradient.)
#
# The rule is that of 5.1: a box's gradient is the sum, over the arrows that leave it, of the gradient at the tip times the local
# derivative. As before, `dz` stands for the gradient of the loss with respect to `z`, in `z`'s shape, and so for every name.
#
# ## 6.3  Back through the decoder
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
# Then the Bernoulli in logits, by notebook 05:
#
# $$
# \mathtt{dout} = \mathtt{dnll}\,\big(\mathrm{sigmoid}(\mathtt{logits}) - x\big) \tag{5}
# $$
#
# (It was `dlogits` there. A decoder that is not Bernoulli has another output, hence `dout`.) Then two dense layers:
# weights get *input transposed times gradient*, biases the sum over the batch, the input gets *gradient times weights
# transposed*. In between, $\tanh' = 1 - \tanh^2$. The end of it:
#
# $$
# \mathtt{dz} = \big[\,(\mathtt{dout}\;\mathtt{out\_W}^\top) \odot (1 - y_2^2)\,\big]\;\mathtt{dec1\_W}^\top \tag{6}
# $$
#
# ($\odot$: entry by entry.)

# %%
grads = {}
dnll = np.full(B, 1 / B)                                            # (B,)      eq. (4)
dout = dnll[:, None] * (1 / (1 + np.exp(-logits)) - x)              # (B, D)    eq. (5)
grads["out_W"], grads["out_b"] = y2.T @ dout, dout.sum(axis=0)
da2 = (dout @ p["out_W"].T) * (1 - y2**2)                           # (B, H)
grads["dec1_W"], grads["dec1_b"] = z.T @ da2, da2.sum(axis=0)
dz = da2 @ p["dec1_W"].T                                            # (B, L)    eq. (6)

# %% [markdown]
# ## 6.4  mu and logvar, each with two terms
#
# `mu` changes the loss through $z$ (the decoder sees another $z$) and through the KL. By eq. (3)
# $\partial z/\partial\mu = 1$, and by notebook 03 the derivative of the KL is $\mu$; in the loss it stands with $\beta/B$:
#
# $$
# \mathtt{dmu} = \underbrace{\mathtt{dz}}_{\text{through } z} + \underbrace{\frac{\beta}{B}\,\mu}_{\text{from the KL}} \tag{7}
# $$
#
# Likewise `logvar`. In the graph three paths leave it: $\sigma \to z$, $\sigma \to$ KL, and straight to the KL. The first
# brings $\mathtt{dz}\,\varepsilon\cdot\sigma/2$. The other two are both from the KL, and together they are
# $\sigma\cdot\sigma/2 - 1/2$:
#
# $$
# \mathtt{dlogvar} = \underbrace{\mathtt{dz}\odot\varepsilon\odot\frac{\sigma}{2}}_{\text{through } z}
# + \underbrace{\frac{\beta}{B}\,\frac{\sigma^2 - 1}{2}}_{\text{from the KL}} \tag{8}
# $$
#
# The `eps` in eq. (8) is the very `eps` that made $z$: `dz` is the gradient *at that z*.

# %%
dmu = dz + beta / B * mu                                            # (B, L)    eq. (7)
dlogvar = dz * eps * sigma / 2 + beta / B * (sigma**2 - 1) / 2      # (B, L)    eq. (8)
grads["mu_W"], grads["mu_b"] = y1.T @ dmu, dmu.sum(axis=0)
grads["logvar_W"], grads["logvar_b"] = y1.T @ dlogvar, dlogvar.sum(axis=0)

# %% [markdown]
# ## 6.5  Two heads into one hidden layer
#
# `y1` is the last value that is used twice. Each head sends back its gradient times its own weights, and the two are added:
#
# $$
# \mathtt{dy1} = \mathtt{dmu}\;\mathtt{mu\_W}^\top + \mathtt{dlogvar}\;\mathtt{logvar\_W}^\top \tag{9}
# $$
#
# The last layer on the way back is dense with tanh again, and there it ends: nobody needs the gradient with respect to the image.

# %%
dy1 = dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T                 # (B, H)    eq. (9)
da1 = dy1 * (1 - y1**2)
grads["enc1_W"], grads["enc1_b"] = x.T @ da1, da1.sum(axis=0)

# %%
result = vae.elbo_and_grads(params, x, eps, spec, beta=beta)
print("every block has its gradient:      ", set(grads) == set(params))
print("ours and the package's are the same:", all(np.allclose(grads[n], result.grads[n]) for n in grads))

# %% [markdown]
# The package has the same steps in the same order, for any number of hidden layers and for both likelihoods of notebook 05. Its
# names: `encoder_forward` is eq. (1) and `encoder_backward` eq. (9) with the dense layers before the heads; `out` are the logits;
# each `c_...` is a cache; `elbo_loss` is eq. (2), and its `dkl` is $\beta/B$; the last comment's `h` is our $y_1$.

# %%
source = inspect.getsource(vae.elbo_and_grads)
print(inspect.cleandoc(source[source.index("    # Forward") :]))

# %% [markdown]
# ## 6.6  Is it right?
#
# Agreeing with the package proves little: the same person may have made the same mistake twice. The
# two checks of notebook 05 know nothing of any derivation. They only ask for the loss as a function of the flat vector,
# with `eps` held fixed.

# %%
def error(by_hand, numeric):
    """The largest difference, as a part of the block's largest entry."""
    return np.abs(by_hand - numeric).max() / np.abs(numeric).max()


def loss_at(flat):
    return vae.elbo(vae.unpack(flat, spec), x, eps, spec, beta=beta).loss


for way, gradient in (("central differences", central_differences), ("complex step", complex_step)):
    numeric = vae.unpack(gradient(loss_at, flat), spec)
    worst = max(error(grads[name], numeric[name]) for name in grads)
    print(f"{way:20s} worst of {len(grads)} blocks: {worst:.1e}")
every = np.concatenate([grads[name].ravel() for name in params])
print(f"entry by entry, by its own size, complex step: {np.abs(every / complex_step(loss_at, flat) - 1).max():.1e}")

# %% [markdown]
# About nine digits from the differences, about fifteen from the complex step, in every block. (What is checked is our gradient,
# against the loss of `vae.elbo`, whose every line is analytic. Our own line for `nll` takes `np.abs`, and its complex step would be
# wrong.) The package does this for nets of every kind (both likelihoods, every activation, with and
# without hidden layers, several `beta`), and for both backends: `python -m minivae gradcheck`.
#
# The gradient is there. The rest of this notebook puts it to use: on one image, and on mistakes.
#
# ## 6.7  Which z made this image?
#
# Here is one image `x`. Which $z$ did it come from? For the decoder of the shipped model, Bayes' rule gives the exact
# answer, $p(z\mid x) = p(x\mid z)\,p(z) / p(x)$. With two latents it
# can be computed: decode every point of a fine grid, and see how probable `x` is there.

# %%
first = images[[0]]


def log_joint(z, x):
    """log p(x|z) + log p(z), nats:  z (N, 2), x (1, D) -> (N,)."""
    nll, _ = ops.bernoulli_nll_forward(vae.decode(shipped.params, z, shipped.spec), x)
    return -nll - (z**2 + np.log(2 * np.pi)).sum(axis=1) / 2


ticks = np.linspace(-3, 3, 121, dtype=np.float32)
grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
log_p = log_joint(grid, first)
posterior = np.exp(log_p - log_p.max()).reshape(121, 121)

# %% [markdown]
# With two latents, 121 points a side are a moment's work; with twenty they would be $121^{20}$ decodings. Another way is
# needed.
#
# Notebook 02 said how: the ELBO of any $q$ lies below $\log p(x)$ by exactly $\mathrm{KL}(q\,\Vert\,p(z\mid x))$.
# So raise the ELBO over $q$, and $q$ moves towards the posterior, which need not be known. Looking for the best
# *function*, here a density $q$, is what the calculus of variations does; hence **variational** inference. We look
# only in a small family: all Gaussians with a `mu` and a `logvar` for each latent.
#
# For one image this is a search over four numbers, and eqs. (7) and (8) are their gradient, with $B = 1$ and $\beta = 1$.
# One draw makes it noisy, so average the nll over $K$ draws: each then has a $1/K$ in front, which enters where $1/B$ did, in `dnll`.

# %%
unused = {name: np.empty_like(block) for name, block in shipped.params.items()}  # the decoder stays as it is


def minus_elbo(mu, logvar, x, eps):
    """-ELBO of each image (B,), nats, and its gradient: mu, logvar (B, L), x (B, D), eps (K, B, L)."""
    K, B, L = eps.shape
    z, c_z = ops.reparam_forward(mu, logvar, eps)
    out, c_decoder = vae.decoder_forward(shipped.params, z.reshape(K * B, L), shipped.spec, ops)
    nll, c_nll = ops.bernoulli_nll_forward(out.reshape(K, B, -1), x)
    kl, c_kl = ops.gaussian_kl_forward(mu, logvar)

    dout = ops.bernoulli_nll_backward(np.full((K, B), 1 / K, np.float32), c_nll)
    dz = vae.decoder_backward(dout.reshape(K * B, -1), c_decoder, unused, ops).reshape(K, B, L)
    through_z = ops.reparam_backward(dz, c_z)                       # summed over the K samples
    from_kl = ops.gaussian_kl_backward(np.ones(L, np.float32), c_kl)
    return nll.mean(axis=0) + kl.sum(axis=1), np.stack(through_z), np.stack(from_kl)


# %% [markdown]
# Now search for the `q` of 32 images at once, each its own, all starting from the prior, with eight draws of $z$ a
# step. `adam_step` is a gradient step with a well chosen length for each number (notebook 07 takes it apart). The rate `lr` falls to
# zero, so that the search comes to rest.

# %%
some = images[:32]
prior = np.zeros((2, 32, 2), np.float32)                # mu and logvar of each image


def search(start, x, steps, lr, draws, seed):
    """q at every step (steps + 1, 2, B, 2), and its -ELBO with that step's noise (steps, B)."""
    noise = np.random.default_rng(seed)
    q, costs = start.copy(), []
    path, m, v = [q.copy()], np.zeros(q.size, np.float32), np.zeros(q.size, np.float32)
    for step in range(1, steps + 1):
        eps = noise.standard_normal((draws, *q.shape[1:]), dtype=np.float32)
        cost, through_z, from_kl = minus_elbo(*q, x, eps)
        ops.adam_step(q.reshape(-1), (through_z + from_kl).reshape(-1), m, v, step, lr=lr * (1 - step / (steps + 1)))
        path.append(q.copy())
        costs.append(cost)
    return np.array(path), np.array(costs)


path, costs = search(prior, some, 200, 0.2, 8, seed=1)

# %% [markdown]
# For the first image the posterior is known. A finer grid around the spot gives its mean and its standard deviations, to lay
# beside those of $q$. Eight draws a step leave some noise in $q$; so let the first image's search go on with 400.

# %%
fine_path, _ = search(path[-1][:, :1], first, 100, 0.03, 400, seed=2)
q = fine_path[-1][:, 0]                                 # its mu and its logvar, (2, 2)

# %%
near = [np.linspace(c - 0.35, c + 0.35, 60, dtype=np.float32) for c in q[0]]
points = np.stack(np.meshgrid(*near), axis=-1).reshape(-1, 2)
log_p = log_joint(points, first)
fine = np.exp(log_p - log_p.max())
weights = fine / fine.sum()
mean = weights @ points
sd = np.sqrt(weights @ (points - mean) ** 2)
print(f"posterior: mean ({mean[0]:.2f}, {mean[1]:.2f}), standard deviations ({sd[0]:.3f}, {sd[1]:.3f})")
at, spread = q[0], np.exp(q[1] / 2)
print(f"q:         mean ({at[0]:.2f}, {at[1]:.2f}), standard deviations ({spread[0]:.3f}, {spread[1]:.3f})")

# %%
angle = np.linspace(0, 2 * np.pi, 100)
LEVELS = [*np.exp(-np.array([2, 1.5, 1, 0.5]) ** 2 / 2), 1]         # of a Gaussian: at 2, 1.5, 1, 0.5 sigma


def ellipse(mu, logvar):
    """The two-standard-deviation line of a diagonal Gaussian, (2, 100)."""
    return mu[:, None] + 2 * np.exp(logvar / 2)[:, None] * np.stack([np.cos(angle), np.sin(angle)])


fig, axes = plots.figure(8.4, 3.1, 1, 3, width_ratios=(0.7, 1, 1))
plots.show_grid(axes[0], first.reshape(1, 28, 28), 1, "the image x")
axes[1].contourf(ticks, ticks, posterior, levels=LEVELS, cmap="Blues", vmin=-0.4)
axes[1].plot(*path[:, 0, 0].T, "-", color=plots.GREY, lw=1, label="mean of q")
for step, color, dash in ((0, plots.RED, ":"), (30, plots.ORANGE, "--"), (200, plots.INK, "-")):
    axes[1].plot(*ellipse(*path[step][:, 0]), color=color, ls=dash, lw=1.3, label=f"q after {step} steps")
axes[2].contourf(*near, fine.reshape(60, 60), levels=LEVELS, cmap="Blues", vmin=-0.4)
axes[2].plot(*ellipse(*q), color=plots.INK, lw=1.6, label="q at the end")
axes[1].set(xlabel="$z_1$", ylabel="$z_2$", ylim=(-3.2, 5.2), aspect="equal", title="raising the ELBO moves q ...")
axes[2].set(xlabel="$z_1$", aspect="equal", title="... onto the posterior")
axes[1].legend(loc="upper right", fontsize=7)
axes[2].legend(loc="upper right", fontsize=7)
fig

# %% [markdown]
# Line: the mean of $q$, step by step; it overshoots the spot and comes back. Ellipses: two standard deviations of $q$, and the
# outermost blue contour is where a Gaussian would have its two as well. The search never saw the posterior, only the gradient of the
# ELBO, and it ended on the spot. The slight tilt is beyond it, since this Gaussian is diagonal. And as the printed numbers say, it is
# a little narrower than the posterior in both latents. The tilt is one reason: for a tilted Gaussian, the best diagonal one has each
# latent's variance *given the other latent*, which is smaller than its variance alone. (The exercise 06.best-q derives it.) It need
# not be the only one: this posterior is not exactly a Gaussian.
#
# Why does $q$ stop at that width? Two terms pull at `logvar`, and they want different things. Change the `logvar` of the
# first latent alone, and look at both parts of the loss:

# %%
mu_found, logvar_found = (np.repeat(part[None], 41, axis=0) for part in q)            # (41, 2)
tried = np.linspace(-9, 0, 41, dtype=np.float32)
logvar_found[:, 0] = tried
same_noise = np.repeat(rng.standard_normal((200, 1, 2), dtype=np.float32), 41, axis=1)
cost, through_z, from_kl = minus_elbo(mu_found, logvar_found, np.repeat(first, 41, axis=0), same_noise)
kl_of = ops.gaussian_kl_forward(mu_found, logvar_found)[0].sum(axis=1)
nll_of = cost - kl_of
rest = cost.argmin()
print(f"lowest at logvar = {tried[rest]:.2f}, where sigma = {np.exp(tried[rest] / 2):.3f}")
print(f"dlogvar there: through z {through_z[1, rest, 0]:+.2f}, from the KL {from_kl[1, rest, 0]:+.2f} nats")

# %%
fig, ax = plots.figure(5.4, 2.9)
ax.plot(tried, nll_of - nll_of.min(), color=plots.RED, ls="--", label="nll: wants q narrow")
ax.plot(tried, kl_of, color=plots.BLUE, ls="-.", label="kl: wants q wide")
ax.plot(tried, cost - nll_of.min(), color=plots.INK, label="their sum")
ax.plot(tried[rest], (cost - nll_of.min())[rest], "*", color=plots.INK, ms=13)
ax.set(xlabel="logvar of the first latent", ylabel="nats (nll above its least)", ylim=(0, 25))
ax.set_title("q rests where the two terms of dlogvar cancel")
ax.legend()
fig

# %% [markdown]
# At the star the two terms of eq. (8) cancel, up to the spacing of the 41 values tried (for these 200 draws: the valley is flat,
# and other draws move its lowest point a little). To its left $q$ is so
# narrow that the decoder gains nothing more from it, and the KL widens it; to the right the draws of $z$ decode to
# other images, and the reconstruction narrows it.
#
# ## 6.8  Must every image be searched for?
#
# Two hundred steps for each image, and anew each time that the decoder changes: too dear for training.
# The remedy is to learn the *answer* of the search. That is the encoder, eq. (1): a network that takes the image and
# outputs `mu` and `logvar` in one pass. The price of inference is paid once, in training it, and shared by
# all images: inference is **amortized**, as the price of a machine is spread over all that it makes. How does that one
# pass compare with the search?

# %%
mu_encoded, logvar_encoded = vae.encode(shipped.params, some, shipped.spec)
eps_many = rng.standard_normal((100, 32, 2), dtype=np.float32)
encoder_q = np.stack([mu_encoded, logvar_encoded])
encoded, _, _ = minus_elbo(*encoder_q, some, eps_many)
for seed in (1, 2, 3):
    again, again_costs = (path, costs) if seed == 1 else search(prior, some, 200, 0.2, 8, seed)
    half = np.argmax((again_costs < encoded + 1).mean(axis=1) >= 0.5)
    print(f"search {seed} from the prior: half of the images within 1 nat of the encoder after {half} steps")

# %% [markdown]
# So one pass of the encoder does at once what a search needs dozens of steps for. Is the encoder's $q$ the best? Let a search start
# *there*, and go downhill gently:

# %%
better, _ = search(encoder_q, some, 100, 0.05, 8, seed=4)
improved, _, _ = minus_elbo(*better[-1], some, eps_many)
gain = encoded - improved
print(f"-ELBO, on average: the encoder {encoded.mean():.1f} nats, the search from there {improved.mean():.1f}")
print(f"it ends lower on {(gain > 0).sum()} of 32 images: by {np.median(gain):.1f} nats (median), by {gain.max():.0f} at most")
from_prior, _, _ = minus_elbo(*path[-1], some, eps_many)
print(f"the search from the prior ends more than 0.3 nats above it on {(from_prior > improved + 0.3).sum()} images,"
      f" and below it by as much on {(from_prior < improved - 0.3).sum()}")
worst = (from_prior - improved).argmax()
print(f"the worst of these ends {from_prior[worst] - improved[worst]:.0f} nats above, with its mean"
      f" {np.linalg.norm(path[-1][0, worst] - better[-1][0, worst]):.1f} away")

# %% [markdown]
# What the search gains is the *amortization gap*: how much is lost because one network serves all images. (If the search found the
# best $q$ of the family; if not, the gap is larger. Notebook 09 measures it.) The median is about a nat, and
# for a few images it is large: there the encoder places an image badly. But the search from the prior is not safe either. On some of
# the images where it is behind it may only need more steps, but as the last line shows, it can also climb a hill of the ELBO far
# from the best one, and stay on it, since a gradient only points uphill.
#
# ## 6.9  The bug museum
#
# A check that says "right" is only worth something if it says "wrong" when it should. And it can say more than that: a
# check compares two passes, and what it marks as wrong is where they *disagree*. A mistake in a line of the backward pass spoils the
# gradients computed from that line, *later on the way back*, and no others. So the pattern of wrong blocks points at a place in the code.
#
# The package holds a collection of such mistakes, each easily made and hard to see by reading. The
# next cell plants one of them in a copy of the package's own source, and asks for both gradients of our small net: the
# one by hand, and the one by complex step.

# %%
ORDER = ("out_W", "out_b", "dec1_W", "dec1_b", "mu_W", "mu_b", "logvar_W", "logvar_b", "enc1_W", "enc1_b")


def examine(name, beta=beta):
    """For each block, with that mistake planted: 1 if right, another ratio, or None if wrong without one."""
    mistake = mistakes.find(name)
    spoiled = mistakes.plant(mistake)
    model, its_ops = (vae, spoiled) if mistake.module == "ops" else (spoiled, ops)

    def loss_at(flat):
        return model.elbo(vae.unpack(flat, spec), x, eps, spec, beta=beta, ops=its_ops).loss

    by_hand = model.elbo_and_grads(params, x, eps, spec, beta=beta, ops=its_ops).grads
    numeric = vae.unpack(complex_step(loss_at, flat), spec)
    return {block: ratio_of(by_hand[block], numeric[block]) for block in ORDER}


def ratio_of(a, n):
    """The number r for which a = r * n in every entry, or None."""
    if not n.any():
        return None                                     # the loss does not depend on this block
    r = (a * n).sum() / (n * n).sum()
    if np.abs(a - r * n).max() > 1e-9 * max(np.abs(a).max(), np.abs(n).max()):
        return None
    return round(float(r), 9) + 0.0


# %% [markdown]
# **Predict first.** The gradient of the KL is forgotten in the backward pass: eqs. (7) and (8) lose their second
# term. Which gradients are wrong: those of the `"encoder"` (with its heads), of the `"decoder"`, or of `"both"`?

# %%
predict("06.kl-forgotten", ...)

# %%
def right_and_wrong(name):
    ratios = examine(name)
    print("right:", *(block for block in ORDER if ratios[block] == 1))
    print("wrong:", *(block for block in ORDER if ratios[block] != 1))


right_and_wrong("kl-gradient-lost")

# %%
reveal("06.kl-forgotten")

# %% [markdown]
# **Predict again.** The backward pass draws its own `eps`, in place of the one that made $z$.
# Which gradients are wrong: `"all"`, `"logvar's head and enc1"`, or `"none"`, as fresh noise has the same distribution?

# %%
predict("06.fresh-noise", ...)

# %%
right_and_wrong("reparam-fresh-noise")

# %%
reveal("06.fresh-noise")

# %% [markdown]
# It is not a small error, either: the average of `dz * eps` over *fresh* `eps` is zero, so that the whole path
# from the reconstruction to `logvar` is lost, and noise put in its place.
#
# Both mistakes were in the backward pass. Here is one in the *forward* pass: every layer forgets to add its `b`.

# %%
print(mistakes.find("dense-bias-forgotten").sentence)
right_and_wrong("dense-bias-forgotten")

# %% [markdown]
# Every value from the first layer on is another one, and yet all weights are right, in the first layer as in the last: the
# backward pass still differentiates the loss that this forward pass computes. Only the biases are wrong, since that loss does not
# depend on them any more. So for a forward mistake, do not look for what comes after it; ask where the two passes disagree.
#
# Now a whole room of exhibits: a short name for the picture, and what was done.

# %%
ROOM = ("bernoulli-gradient-sign", "bernoulli-gradient-mean-over-pixels",
        "elbo-likelihood-summed-over-batch", "dense-bias-gradient-averaged",
        "dense-weight-gradient-before-activation", "dense-tanh-derivative-lost",
        "reparam-half-lost", "reparam-fresh-noise", "kl-gradient-mu-doubled", "elbo-path-through-z-lost",
        "kl-gradient-lost", "elbo-one-head-into-h", "kl-half-lost")
for number, name in enumerate(ROOM, start=1):
    print(f"{number:2d}  {mistakes.find(name).sentence}")

# %% [markdown]
# For each exhibit and each block, in the order in which the way back meets them: is it right (pale), wrong by one and the
# same ratio in all entries (the ratio is written in), or wrong without one (×)?

# %%
exhibits = [examine(name) for name in ROOM]
fig, ax = plots.figure(7.2, 3.9)
for row, ratios in enumerate(exhibits):
    for column, block in enumerate(ORDER):
        r = ratios[block]
        color = "#eeeeee" if r == 1 else plots.RED if r is None else plots.ORANGE
        text = "" if r == 1 else "×" if r is None else str(Fraction(r).limit_denominator(50))
        ax.add_patch(plots.plt.Rectangle((column, row), 0.94, 0.9, color=color))
        ax.text(column + 0.47, row + 0.45, text, ha="center", va="center", fontsize=9)
ax.set(xlim=(0, len(ORDER)), ylim=(len(ROOM), 0))
ax.set_title("wrong is what the two passes disagree on")
ax.set_xticks(np.arange(len(ORDER)) + 0.47, ORDER, fontsize=7, family="monospace", rotation=25)
labels = [f"{name} {number:2d}" for number, name in enumerate(ROOM, start=1)]
ax.set_yticks(np.arange(len(ROOM)) + 0.45, labels, fontsize=7, family="monospace")
ax.grid(False)
fig

# %% [markdown]
# The way back runs from left to right. Read some rows as a doctor would:
#
# - 1 to 3, a constant ratio in the decoder names the factor: -1 is a sign turned; one over the seven pixels, a mean where a sum was
#   meant; three is the batch. From the heads on the ratio is gone, as the KL's share there is right.
# - 4 and 5, single blocks wrong and nothing after them: no other gradient is computed from a `db` or a `dW`, so a mistake
#   in it spoils that alone.
# - 7 to 9, one head right and the other wrong: the two passes disagree in eq. (7) or in eq. (8), or in what only one of them uses.
# - 12, both heads right and `enc1` wrong: eq. (9) is the line between them (or the derivative of tanh after it; the
#   package calls `y1` h).
#
# Several rows look alike. A pattern gives a *place*, and seldom the mistake. How seldom, over all of the collection that this net
# and loss can show?

# %%
patterns, with_both = Counter(), Counter()
for mistake in mistakes.MISTAKES:
    try:
        ratios = examine(mistake.name)
    except ValueError:                                  # one of them does not even run: the shapes do not fit
        continue
    if any(r != 1 for r in ratios.values()):
        patterns[tuple(ratios.values())] += 1
        with_both[(*ratios.values(), *examine(mistake.name, 0.0).values())] += 1
alone = sum(n == 1 for n in patterns.values())
print(f"{patterns.total()} mistakes show here, in {len(patterns)} different patterns;")
print(f"{alone} patterns belong to one mistake alone, and the commonest is shared by {max(patterns.values())}")

# %% [markdown]
# So a second question is needed, and a good one is: *what happens at `beta = 0`?* Then the KL is out of the loss, and if all is
# right, the mistake is in the KL's terms. If `logvar`'s head is still wrong, its ratio is no longer blurred by the KL. Here for
# 7 and 9, and for a mistake of the KL's terms that is *not* right at `beta = 0`: a backward pass that forgets to multiply by it.

# %%
def show(ratios):
    """One line for a report, under the names in ORDER: r is right, x is wrong without a ratio."""
    words = ("r" if r == 1 else "x" if r is None else f"{r:.3g}" for r in ratios.values())
    return " ".join(f"{word:{len(block)}s}" for word, block in zip(words, ORDER)).rstrip()


print(" " * 44, " ".join(ORDER))
for name in ("reparam-half-lost", "kl-gradient-mu-doubled", "elbo-beta-forgotten-in-gradient"):
    for weight in (1.5, 0.0):
        print(f"{name:31s} beta = {weight}:  {show(examine(name, weight))}")
alone = sum(n == 1 for n in with_both.values())
print(f"both questions together: {len(with_both)} patterns, of which {alone} belong to one mistake alone;")
print(f"the commonest is shared by {max(with_both.values())}")

# %% [markdown]
# The lost half shows itself as a 2, and the doubled KL term is gone. Another question is to ask twice: fresh noise
# gives another answer each time. And for a forward and backward pair alone there is a doctor to ask, which compares and looks
# for a pattern:

# %%
from minivae.gradcheck import diagnose

spoiled = mistakes.plant(mistakes.find("reparam-half-lost"))
inputs = {name: rng.standard_normal((4, 3)) for name in ("mu", "logvar", "eps")}
print(diagnose(spoiled.reparam_forward, spoiled.reparam_backward, inputs))

# %% [markdown]
# ## 6.10  What no gradient check can see
#
# The last row of the picture is pale from end to end. Its mistake:

# %%
blind = mistakes.find("kl-half-lost")
print(blind.sentence)
for edit in blind.edits:
    print(f"  {edit.function}:   {edit.right}   became   {edit.wrong}")

# %% [markdown]
# The KL lacks its half, and the backward pass was derived from that wrong KL, with care, and without a slip. A gradient check
# compares the two passes with *each other*, so all is well: it is the right gradient of the wrong formula. Whoever trains with it
# gets a $\beta$ of 2 without knowing, and reports an ELBO that is too low.
#
# What can see it is a statement about what the number should *be*. The KL is defined as an average, of
# $\log q(z) - \log p(z)$ over draws from $q$, and an average can be taken:

# %%
spoiled = mistakes.plant(blind)
noise = rng.standard_normal(200_000)
print(" mu  sigma   the average   right KL   planted KL")
for m1, s1 in ((0.0, 1.0), (0.8, 0.5), (-1.5, 2.0)):
    draws = m1 + s1 * noise
    each = (draws**2 - noise**2) / 2 - np.log(s1)       # log q - log p; both log 2 pi cancel
    at = np.full((1, 1), m1), np.full((1, 1), 2 * np.log(s1))
    right, planted = (module.gaussian_kl_forward(*at)[0].item() for module in (ops, spoiled))
    bar = 4 * each.std() / np.sqrt(each.size)
    print(f"{m1:4.1f} {s1:5.1f}   {each.mean():6.3f} +- {bar:.3f}   {right:7.3f}   {planted:9.3f}")

# %% [markdown]
# The bar is four standard errors: two are exceeded by chance once in 22 comparisons, and a test makes several, every time that it
# runs. The right KL lies within the bar, and the planted one does not, except in the first row: where $q$ is the
# prior both are 0. So this test needs an input with nothing special about it, too.
#
# Other mistakes pass as well: a formula wrong in both passes alike, or wrong only at inputs where nobody checks, or
# in what the gradient never sees, such as the step that uses it, or a report. The package's tests hold something for each that
# does catch it:

# %%
unseen = [m for m in mistakes.MISTAKES if m.witness != mistakes.GRADIENT]
by_draws = sum("Monte Carlo" in m.witness for m in unseen)
print(f"of {len(mistakes.MISTAKES)} planted mistakes, {len(unseen)} pass every gradient check;", end=" ")
print(f"{by_draws} of these are caught as here, by a Monte Carlo estimate of the KL")

# %% [markdown]
# So a gradient check is necessary, and not sufficient. (To walk through the whole collection, with a symptom shown and
# the mistake to be named: `python -m minivae museum`.)
#
# ## Recap
#
# - The loss is nats per example, a sum over pixels and latents, a mean over the batch: eqs. (1), (2), with one draw each: eq. (3).
# - $1/B$ enters once: eq. (4). Then down the decoder: eqs. (5), (6).
# - `mu`, `logvar`, `sigma` and `y1` are used twice, and their gradients are sums of two terms: eqs. (7), (8), (9).
# - The best Gaussian for one image can be searched for by raising the ELBO (*variational*); a network that
#   outputs it at once shares the price among all images (*amortized*).
# - The pattern of wrong blocks points at a place; a constant ratio, and the same at `beta = 0`, help to name the mistake.
# - A formula that is wrong in both passes alike passes every gradient check. Statistics and closed forms see it.
#
# ## Exercises
#
# Each stub below is yours to fill in; `check` says what is right, or shows the smallest input where it is
# not. `hint("06.loss")` gives a nudge, `solution("06.loss")` the reference. After `from minivae.exercises import progress,
# review`, `progress()` shows what is solved and what comes next, and `review()` asks again what you missed.

# %% [markdown]
# **What is minimised, and what is reported.** Eq. (2), from each example's terms.

# %%
def loss_terms(nll, kl, beta):    # (B,), (B, L), float
    ...                           # -> loss, elbo, nll, kl: floats, nats per example


check("06.loss", loss_terms)

# %% [markdown]
# **The whole gradient** (recall). Close sections 6.1 to 6.5 and write it from the graph alone: one hidden layer, tanh,
# Bernoulli, `beta` = 1. This is the summit of the first six notebooks; take your time.

# %%
def my_elbo_and_grads(params, x, eps):    # dict of arrays, (B, D), (B, L)
    ...      # encoder x -> y1 = tanh(x enc1_W + enc1_b) -> mu, logvar (mu_W, mu_b,
             # logvar_W, logvar_b), decoder z -> tanh(z dec1_W + dec1_b)
             # -> logits (out_W, out_b) -> loss = mean_B nll + mean_B kl (float),
             # gradients (dict, the same keys)


check("06.elbo-and-grads", my_elbo_and_grads)

# %% [markdown]
# Yours, if it passes, is checked here once more by the complex step; until then the reference is.

# %%
whole = use("06.elbo-and-grads", my_elbo_and_grads)
_, my_grads = whole(params, x, eps)
exact = complex_step(lambda flat: vae.elbo(vae.unpack(flat, spec), x, eps, spec).loss, flat)
worst = max(error(my_grads[n], block) for n, block in vae.unpack(exact, spec).items())
print("every block agrees with the complex step:", worst < 1e-12)

# %% [markdown]
# **K samples.** The nll is averaged over $K$ draws of $z$ for each image; the encoder runs once, the decoder $K$ times. The decoder's
# way back is the same with $K B$ examples, and arrives at `dz`, the gradient of the loss (`beta` = 1) with respect to each draw. From
# there: what is summed over $K$, and what is not?

# %%
def k_sample_q(dz, mu, logvar, eps):    # (K, B, L), (B, L), (B, L), (K, B, L)
    ...                                 # -> dmu (B, L), dlogvar (B, L)


check("06.k-samples", k_sample_q)

# %% [markdown]
# **A decoder that says how sure it is.** The likelihood is a Gaussian whose mean *and* log variance are outputs of the
# decoder, one of each for every pixel: a second output layer, `var_W` and `var_b`, beside `out_W` and `out_b`. The rest
# is as in 06.elbo-and-grads. The text shows no part of this; check it with the complex step as you go.

# %%
def variance_output_grads(params, x, eps):    # dict, (B, D), (B, L)
    ...      # y2 -> mean = y2 out_W + out_b and v = y2 var_W + var_b, both (B, D)
             # nll = sum_d ((x - mean)^2 exp(-v) + v + log 2 pi) / 2
             # -> loss = mean_B nll + mean_B kl (float), gradients (dict, the same keys)


check("06.variance-output", variance_output_grads)

# %% [markdown]
# **The best q, by a search.** Variational inference for one image, with any decoder: you are given a function that says what
# each draw of $z$ costs, and its gradient. Within 0.01 nats of the largest ELBO, please, for these draws.

# %%
def search_q(nll_and_dz, eps):    # nll_and_dz(z): (K, L) -> nll (K,), dz (K, L) of each
    ...                           # eps (K, L), fixed -> mu (L,), logvar (L,)


check("06.search-q", search_q)

# %% [markdown]
# **The best q, without a search.** For a linear decoder with Gaussian noise, $x \sim N(zW + b,\ s^2 I)$, the terms of
# `dmu` and `dlogvar` can be averaged over `eps` on paper. Set both sums to zero and solve for the best diagonal Gaussian.

# %%
def best_gaussian(x, W, b, s):    # (B, D), (L, D), (D,), the noise's standard deviation
    ...                           # -> mu (B, L), logvar (B, L) with the largest ELBO


check("06.best-q", best_gaussian)

# %% [markdown]
# **What is lost where?** Amortized inference with a simple family loses twice. (A search would mend the first loss.)

# %%
# One image, in nats. log p(x): -126.0. The ELBO of the encoder's q: -129.5. The largest
# ELBO of a diagonal Gaussian: -127.1, and of a Gaussian with a full covariance: -126.4.
gaps = ...    # lost because one network serves all images; lost because q is a diagonal
              # Gaussian, even the best one; KL(q || p(z|x)) of the encoder's q

check("06.gaps", gaps)

# %% [markdown]
# **Name the bug.** Four mistakes from the collection that the text did not show, and what a check says about them. Four of
# the eight names below are theirs.

# %%
from minivae.exercises.chapters.nb06.bugs import PATIENTS

print(" " * 15, " ".join(ORDER))
for letter, hidden in PATIENTS.items():
    for weight in (1.5, 0.0):
        print(f"{letter}, beta = {weight}:  {show(examine(hidden, weight))}")

# %%
# "dense-weight-gradient-averaged", "dense-input-gradient-before-activation",
# "reparam-dmu-lost", "reparam-eps-lost", "reparam-variance-as-sigma-forward",
# "elbo-kl-path-to-logvar-lost", "kl-gradient-sign" or "bernoulli-gradient-of-logits";
# in the order A, B, C, D
names = ...

check("06.name-the-bug", names)

# %% [markdown]
# **Repair.** This VAE has three mistakes at once. Two show in a gradient check, and the pattern of the one hides part of
# the other's; the third does not show. Mend them all. (Its forward pass can take complex numbers; the cell below it is your check.)

# %%
def repaired_vae(params, x, eps):
    # loss = mean_B nll + mean_B kl in nats per example, and its gradients
    p, (B, L), grads = params, eps.shape, {}
    # forward
    y1 = np.tanh(x @ p["enc1_W"] + p["enc1_b"])
    mu = y1 @ p["mu_W"] + p["mu_b"]
    logvar = y1 @ p["logvar_W"] + p["logvar_b"]
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps
    y2 = np.tanh(z @ p["dec1_W"] + p["dec1_b"])
    logits = y2 @ p["out_W"] + p["out_b"]
    lit = logits.real > 0
    nll = ((lit - x) * logits + np.log1p(np.exp(np.where(lit, -logits, logits)))).sum(axis=1).mean()
    kl = ((mu**2 + sigma**2 - 1 - logvar) / 2).mean()
    # backward, the decoder
    dlogits = (1 / (1 + np.exp(-logits)) - x) / B
    grads["out_W"] = y2.T @ dlogits
    grads["out_b"] = dlogits.sum(axis=0)
    dy2 = dlogits @ p["out_W"].T
    da2 = dy2 * (1 - np.tanh(y2) ** 2)
    grads["dec1_W"] = z.T @ da2
    grads["dec1_b"] = da2.sum(axis=0)
    dz = da2 @ p["dec1_W"].T
    # backward, q
    dkl = 1 / B / L
    dmu = dz + dkl * mu
    dlogvar = dz * eps * sigma**2 / 2 + dkl * (sigma**2 - 1) / 2
    grads["mu_W"] = y1.T @ dmu
    grads["mu_b"] = dmu.sum(axis=0)
    grads["logvar_W"] = y1.T @ dlogvar
    grads["logvar_b"] = dlogvar.sum(axis=0)
    # backward, the encoder
    dy1 = dmu @ p["mu_W"].T + dlogvar @ p["logvar_W"].T
    da1 = dy1 * (1 - y1**2)
    grads["enc1_W"] = x.T @ da1
    grads["enc1_b"] = da1.sum(axis=0)
    return nll + kl, grads


check("06.repair", repaired_vae)

# %%
numeric = vae.unpack(complex_step(lambda flat: repaired_vae(vae.unpack(flat, spec), x, eps)[0], flat), spec)
mended = repaired_vae(params, x, eps)[1]
print(" ".join(ORDER))
print(show({block: ratio_of(mended[block], numeric[block]) for block in ORDER}))

# %% [markdown]
# **See what the gradient check cannot.** Write the test of 6.10 so that it accepts every right KL and none of the wrong ones,
# whatever their gradients, also with other draws than yours. (The check runs it on a right KL with twenty seeds.)

# %%
def kl_is_right(kl):    # kl(mu, logvar): (B, L), (B, L) -> (B, L) nats, against N(0, 1)
    ...                 # -> True or False, by draws from q


check("06.kl-test", kl_is_right)

# %% [markdown]
# **Next:** notebook 07 takes this gradient, sixty thousand digits and an optimiser, and makes a model that draws.
