# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 10 · Chonky cats
#
# **What you will be able to do**
# - work out what a picture tells about a factor, and measure a code against that ceiling
#   (`10.information`, `10.needed-r2`, `10.how-many`);
# - tell "not in the code" from "in the code, but not along an axis", and build codes that fool a
#   metric (`10.hide`, `10.fool-the-gap`);
# - say which axes a diagonal $q$ prefers, and what a turn of the latents costs
#   (`10.turning-price`);
# - derive the gradient of the total correlation (`10.tc-gradient`).
#
# **Builds on** notebook 01 (the cats), 03 (KL), 07 (beta). Reading time: 40 minutes.
# The exercises take two hours more. Sections 10.11 to 10.13 are an appendix, 10 minutes; notebook
# 11 does not need it.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]

from pathlib import Path

import numpy as np

from minivae import data, plots, vae
from minivae.data import cats
from minivae.evaluate import dci, decoder_metric, interpretability, ladder, renderer_fit
from minivae.estimator import VAE
from minivae.exercises import check, hint, predict, recall, reveal, solution
from minivae.plots import latents as draw
from minivae.studies import cat_study
from minivae.evaluate.total_correlation import total_correlation_backward, total_correlation_forward

plots.notebook_style()
rng = np.random.default_rng(10)

# %% [markdown]
# Three questions from earlier notebooks first. Replace each `...` by `"a"`, `"b"` or `"c"`.

# %%
recall("10", ..., ..., ...)

# %% [markdown]
# ## 10.1  What are the true factors?
#
# The question that draws people to VAEs: is there a latent that makes the cat chonkier? On
# photographs nobody can check the answer, because nobody knows the true chonk of each cat. Ours
# are drawn by a program from six numbers, independent of each other:

# %%
for factor in cats.FACTORS:
    span = f"{factor.low:g} to {factor.high:g} {factor.unit}"
    print(f"{factor.name:<13} {span:<30} {factor.meaning}")

# %%
middle = (cats.LOW + cats.HIGH) / 2
swept = np.repeat(middle[None, None], 6, axis=0).repeat(7, axis=1)               # (6, 7, 6)
for f in range(6):
    swept[f, :, f] = np.linspace(cats.LOW[f], cats.HIGH[f], 7)


def show_rows(images, columns, labels, title, width=5.6):
    """Rows of 28 x 28 pictures, a label before each; few grey levels keep the file small."""
    h = len(images) // columns
    fig, ax = plots.figure(width, 0.64 * h + 0.6)
    grey = np.round(np.clip(images, 0, 1).reshape(-1, 28, 28) * 9) / 9
    ax.imshow(plots.image_grid(grey, columns, background=0.5), cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=30 * np.arange(h) + 14, title=title)
    ax.set_yticklabels(labels, fontsize=8)
    ax.grid(False)
    return fig


show_rows(cats.render(swept.reshape(-1, 6)), 7, cats.NAMES, "each true factor, from low to high")

# %% [markdown]
# Each row changes one thing, and you can name it. A VAE that had found these six would show six
# such rows. Let us look at what it shows.

# %% [markdown]
# ## 10.2  What does a traversal show?
#
# The shipped cat model has eight latents and saw pictures only, never the factors. Take one
# test cat's code, move one latent from -2 to 2, leave the others, decode: a *traversal*.

# %%
model = VAE.pretrained("cats").model_
params, spec = model.params, model.spec
made = cats.dataset(10_000, 10_000)                # cats to fit on, and test cats, with their factors
factors, seen_factors = made.test_factors, made.train_factors                     # (N, 6)
x = data.fixed_binarization(made.test.reshape(10_000, -1), data.BINARIZATION_SEED)
seen = data.fixed_binarization(made.train.reshape(10_000, -1), 1)
mu, logvar = vae.encode(params, x, spec)                                          # (N, L)
L = spec.latent_dim


def sweep(z, direction, steps=7):
    """z (L,) moved along a direction of length 1, from -2 to 2: (steps, L)."""
    return z + (np.linspace(-2, 2, steps) - z @ direction)[:, None] * direction


axes = np.eye(L)
z = np.concatenate([sweep(mu[0], axis) for axis in axes])
show_rows(vae.mean_image(params, z, spec), 7, [f"latent {j}" for j in range(L)],
          "one cat, one latent at a time")

# %% [markdown]
# Something happens in most rows, and with a little good will one finds the chonk row and the tail
# row. In the last row, on the left, the cat falls apart: nothing keeps a traversal among the codes
# that the encoder gives.
#
# It is tempting to stop here. But we *searched* for names after looking at the rows, and another
# cat might change otherwise. So ask the other way round: if I tell you this latent's value, do you
# know how chonky the cat is? That can be measured. But first: how well could *anybody* know it?

# %% [markdown]
# ## 10.3  The ceiling: what does the picture itself say?
#
# The pictures are noisy: each pixel is a coin flip with probability $p_d(v)$, where $v$ are the
# factors. So even the best reader, who knows the renderer by heart, cannot read a factor exactly.
# How precisely can she? Let one factor $v$ be unknown. The log-likelihood is
#
# $$
# \log p(x\mid v) = \sum_d x_d \log p_d + (1 - x_d)\log(1 - p_d), \qquad
# \frac{d}{dv}\log p(x\mid v) = \sum_d \frac{x_d - p_d}{p_d(1-p_d)}\, \frac{dp_d}{dv}
# $$
#
# and the variance of that slope (a pixel's $x_d - p_d$ has variance $p_d (1 - p_d)$, and pixels are
# independent) is the *Fisher information*:
#
# $$
# \mathcal I(v) = \sum_d \frac{(dp_d/dv)^2}{p_d(1-p_d)}, \qquad
# \text{sd of an unbiased estimate} \ge \mathcal I(v)^{-1/2} \tag{1}
# $$
#
# (Cramér and Rao.) A pixel tells much if it changes much with $v$ and is nearly certain. With six
# unknown factors $\mathcal I$ is a matrix, and the squares of the bounds are the diagonal of its inverse.
# To differentiate, draw the cat a little chonkier and a little less chonky:

# %%
cat = (0.45 * cats.LOW + 0.55 * cats.HIGH)[None]
step = 0.004 * (cats.HIGH - cats.LOW)[0]
up, down = cat.copy(), cat.copy()
up[0, 0] += step
down[0, 0] -= step
p, p_up, p_down = (cats.pixel_probabilities(v)[0].astype(float) for v in (cat, up, down))
fisher = (((p_up - p_down) / (2 * step)) ** 2 / (p * (1 - p))).sum()                # eq. (1)
every = renderer_fit.fisher_information(cat)[0]                                    # (6, 6)
print(f"chonk's information by eq. (1): {fisher:.1f}, by the package {every[0, 0]:.1f} per kg squared")
bound = np.sqrt(np.diag(np.linalg.inv(every)))
print(f"sd of chonk: {fisher**-0.5:.3f} kg if the rest is known, {bound[0]:.3f} kg if it is not")

# %% [markdown]
# Can it be reached? Turn the renderer's six knobs until the drawing is the most likely one, for 100
# noisy pictures of this one cat.

# %%
noisy = cats.sample_pixels(np.repeat(cat, 100, axis=0), rng)
fits = renderer_fit.fit(noisy, start=np.repeat(cat, 100, axis=0)).factors
for f, name in enumerate(cats.NAMES):
    scatter = fits[:, f].std(ddof=1)
    print(f"{name:<13} bound {bound[f]:8.2g}   scatter of 100 fits {scatter:8.2g} {cats.FACTORS[f].unit:<15}"
          f" ratio {scatter / bound[f]:.2f}")

# %% [markdown]
# (Each fit starts at the true factors.) Most scatter by about the bound or a little more; the ears are
# farthest from it. The bound knows only the slopes at the true factors: it is nearly reached where the
# errors are so small that those slopes hold for all of them, and may be far off for larger ones.
#
# From it we make an *ideal observer*: she sees $v$ with a Gaussian error of that size, and answers with
# the mean of her posterior. What she knows is our **ceiling**. It is an approximation, so compare it
# with real fits of real noisy pictures. $R^2$ is the share of a factor's variance that is explained
# (both are stored with the study of 10.7):

# %%
folder = next(f for f in (Path("figures"), Path("..") / "figures") if f.is_dir())
study = cat_study.read(folder / "cat_study.json")
top = study["ceiling"]["bernoulli"]
for f, name in enumerate(cats.NAMES):
    print(f"{name:<13} R^2 of the ideal observer {top['r2 of the same cats'][f]:.3f}, of fits {top['r2 of fits'][f]:.3f}")

# %% [markdown]
# They nearly agree for four factors. For ear and eye, which are a few pixels large, the ceiling is generous.
# Counted in nats, as from 10.4 on, a small difference near $R^2 = 1$ weighs more: so a share of the ceiling
# may come out a little too low for every factor, and most for these two.

# %% [markdown]
# ## 10.4  How much does a latent know?
#
# $R^2$ belongs to an estimate. For a latent, which need not be one, we count in nats. Two quantities
# $v$ (a factor) and $c$ (a latent, or anybody's answer) share *mutual information*, the KL between their
# joint distribution and the product of the two:
#
# $$
# I(v; c) = \sum_{a, b} p(a, b) \log \frac{p(a, b)}{p(a)\,p(b)} \tag{2}
# $$
#
# It is 0 if they are independent, and no form of the relation is assumed. To count, cut both
# into 20 bins that hold equally many examples each. Then it is at most $\log 20$, the entropy of a
# factor *in these bins*; so the number of bins belongs to each result. The code of an image is a
# *draw* $z\sim q(z\mid x)$, since that is what the decoder gets.

# %%
BINS = 20


def into_bins(v):
    """Bin numbers 0..19 with equally many examples in each: (N,) -> (N,)."""
    rank = v.argsort().argsort()
    return rank * BINS // len(v)


def mutual_information(v, c):
    """eq. (2) by counting, nats: (N,), (N,) -> float."""
    joint = np.bincount(into_bins(v) * BINS + into_bins(c), minlength=BINS**2)
    joint = joint.reshape(BINS, BINS) / len(v)
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    there = joint > 0                                       # 0 log 0 = 0
    return (joint[there] * np.log(joint[there] / apart[there])).sum()


def draws(pictures):
    """z ~ q(z|x), one for each picture: (N, D) -> (N, L)."""
    m, l = vae.encode(params, pictures, spec)
    return m + np.exp(l / 2) * rng.standard_normal(m.shape)


codes, seen_codes = draws(x), draws(seen)
known = np.array([[mutual_information(v, c) for c in codes.T] for v in factors.T])  # (6, L) nats
package = interpretability.mutual_information_matrix(factors, codes)
print("our table and the package's agree:", np.allclose(known, package, atol=1e-6))
shuffled = rng.permutation(factors[:, 0])
print(f"nothing to know (shuffled factors): {mutual_information(shuffled, codes[:, 0]):.3f} nats, by chance")

# %% [markdown]
# Counting finds a little where nothing is (last line). Now divide by what could be known.

# %%
ceiling = np.array(top["nats"])
print(f"{'':<13} ceiling                  best latent")
for f, name in enumerate(cats.NAMES):
    best = known[f].max()
    print(f"{name:<13} {ceiling[f]:.2f} nats, {ceiling[f] / np.log(BINS):.2f} of log 20   "
          f"{best:.2f} nats, {best / np.log(BINS):.2f} of log 20, {best / ceiling[f]:.2f} of the ceiling")
for bins in (5, 20, 40):
    best = interpretability.mutual_information_matrix(factors[:, [0]], codes, bins).max()
    print(f"chonk with {bins:2d} bins: {best / np.log(bins):.2f} of log {bins}, "
          f"{best / top[f'nats at {bins} bins'][0]:.2f} of the ceiling")

# %% [markdown]
# Look at the column of ceilings first. Had we asked for "half of the entropy", ear and eye would have
# failed before any training: not even the ideal observer has that much. So from here on, a share is a
# share of the ceiling, at 20 bins. (Last lines: for chonk, few bins flatter the latent.)
#
# There is a second limit, from the code. Everything known about the picture goes through $z$, and
# $I(v; z) \le I(x; z) \le \mathbb E\,\mathrm{KL}(q(z\mid x)\Vert p(z))$, because the KL is $I(x; z)$
# plus the KL of the aggregate of all codes from the prior. So a code that costs 1 nat cannot tell 1.5.

# %% [markdown]
# ## 10.5  The ladder
#
# "The best latent knows little" has two very different reasons. Either the code does not hold the
# factor, or it does, but not along an axis. To tell the two apart, ask four readers:
#
# 1. the ideal observer, who reads the picture: the ceiling;
# 2. a *probe* of the whole code: ridge regression on all $z_i$ and $z_i z_j$. It finds *at least* part of
#    what is there; a richer probe may find more;
# 3. the *best single latent*;
# 4. *fifty labels*: a weighted sum of the latents, fitted to fifty cats that somebody has weighed.
#
# Every reader is judged on cats that she has not learned from. Why does the probe have products?
# Because a weighted sum may miss what is there:

# %%
def linear(inputs, targets, new):
    """A least-squares sum fitted to (inputs, targets), and its answers for new inputs."""
    A, B = (np.column_stack([i, np.ones(len(i))]) for i in (inputs, new))
    return B @ np.linalg.lstsq(A, targets, rcond=None)[0]


def r2(answers):
    return 1 - ((factors - answers) ** 2).mean(axis=0) / factors.var(axis=0)


line = r2(linear(seen_codes, seen_factors, codes))
curved = r2(ladder.fit_probe(seen_codes, seen_factors)(codes))
for f, name in enumerate(cats.NAMES):
    print(f"{name:<13} R^2 of a weighted sum {line[f]:5.2f}, with squares and products {curved[f]:5.2f}, "
          f"ceiling {top['r2'][f]:.2f}")

# %%
rungs = ladder.climb(seen_codes, seen_factors, codes, factors, rng)
fig, ax = plots.figure(7, 3)
place = np.arange(6)
for k, (name, values) in enumerate((("ceiling", top["r2"]),
                                    ("whole code", rungs.whole.r2), ("best latent", rungs.best.r2),
                                    ("fifty labels", np.maximum(rungs.fifty.r2, 0)))):
    ax.bar(place + 0.2 * k - 0.3, values, 0.2, label=name,
           color=(plots.GREY, plots.ORANGE, plots.BLUE, plots.GREEN)[k], hatch=("", "//", "", "..")[k])
ax.set(xticks=place, ylim=(0, 1.3), yticks=np.linspace(0, 1, 6), ylabel="$R^2$ on new cats",
       title="the shipped model: what is lost, and on which rung")
ax.set_xticklabels(cats.NAMES, fontsize=8)
ax.legend(ncols=4, fontsize=8)
fig

# %% [markdown]
# From grey to hatched: what the code lost, or this probe cannot read. From hatched to blue: what the
# code holds, but no axis does. Green is the surprise: for chonk and tilt the direction that fifty labels
# find is clearly better than the best axis. (Ear and eye are below 0 there and drawn as 0: a weighted
# sum of these latents finds almost nothing of them. Green bars are means over several draws of fifty.)
#
# What does that direction *do*? Move 50 cats along it, from -1.5 to 1.5, and let the renderer fit
# read all six factors off both pictures. A factor that goes up in one cat and down in the next has a
# mean near 0, so look at the mean *size* of the moves, too.

# %%
knob = rungs.knobs[[0]]                                              # chonk's, (1, L)
axis = axes[[rungs.chosen[0]]]                                       # chonk's best latent
draw_rng = np.random.default_rng(50)
others = []                                                       # from twenty more draws of fifty
for _ in range(20):
    few = draw_rng.choice(len(seen_codes), ladder.LABELS, replace=False)
    weights = ladder.few_labels(seen_codes[few], seen_factors[few])[:-1, 0]
    others.append(weights / np.linalg.norm(weights))
turned = decoder_metric.responses(params, codes[:50], np.concatenate([knob, axis, others]), spec)
others = turned.size[2:]                                                                    # (20, 6)
print("from -1.5 to 1.5, in standard deviations of each factor: mean (mean size), over 50 cats")
print(f"{'':<13} knob of fifty labels   best latent   twenty other draws: mean size, and range")
for f, name in enumerate(cats.NAMES):
    print(f"{name:<13}" + "".join(f"{turned.mean[k, f]:+12.2f} ({turned.size[k, f]:.2f})" for k in (0, 1))
          + f"{others[:, f].mean():16.2f}, {others[:, f].min():.2f} to {others[:, f].max():.2f}")

# %%
show_rows(vae.mean_image(params, np.concatenate([sweep(mu[n], knob[0]) for n in range(3)]), spec), 7,
          ["cat 0", "cat 1", "cat 2"], "chonk's knob, from -2 to 2")

# %% [markdown]
# Each of these directions moves chonk further than the best latent does, and the ears and the tilt less.
# The eyes are not cured: a typical draw moves them about as far as the best latent does (the one in the
# picture is a lucky draw). That is not yet "z controls the weight of the cat", but nearer to it than the
# best latent. Can an *axis* do it, without labels?

# %% [markdown]
# ## 10.6  One number for a table, and how it is fooled
#
# Two common metrics. The *mutual information gap* (Chen et al. 2018) asks, for each factor, how far
# the best latent is ahead of the second best:
#
# $$
# \mathrm{MIG} = \frac1F \sum_{f}
# \frac{I(v_f; c_{\text{best}}) - I(v_f; c_{\text{second}})}{\mathrm{H}(v_f)} \tag{3}
# $$
#
# (In our bins $\mathrm H(v_f) = \log 20$.) *DCI* (Eastwood and Williams 2018) starts from a probe and asks
# how much it leans on latent $l$ for factor $f$ (here: how much worse it gets when that latent's values are
# shuffled). D, disentanglement: is each latent for one factor? C, completeness: has each factor one latent?
# I, informativeness: the probe's $R^2$. Try both on codes whose answer we know.

# %%
standard = (made.train_factors - factors.mean(axis=0)) / factors.std(axis=0)      # (N, 6), to fit
standard_test = (factors - factors.mean(axis=0)) / factors.std(axis=0)
c = np.cos(np.pi / 4)
pairs = np.kron(np.eye(3), [[c, -c], [c, c]])                        # turns (0, 1), (2, 3), (4, 5)


def both(name, code):
    """Print the metrics of a code, a function from factors (N, 6) to codes (N, L)."""
    a, b = code(standard), code(standard_test)
    gap = interpretability.mutual_information_gap(factors, b).mig
    d = dci.dci(a, standard, b, standard_test, rng)
    print(f"{name:<28} gap {gap:.2f}   D {d.disentanglement:.2f}  C {d.completeness:.2f}  "
          f"I {d.informativeness:.2f}")


both("the factors", lambda v: v)
both("rotated by 45 degrees", lambda v: v @ pairs.T)
both("noise", lambda v: rng.standard_normal(v.shape))

# %% [markdown]
# Both say what they should: a turned code holds exactly as much (I stays 1), and the gap, D and C fall
# because they ask about axes. But look at the D and C of noise: not nearly 0.
#
# **Predict first.** In the turned code, bury every second latent under noise, so that much of the
# knowledge is gone. Its gap: `"falls"`, `"stays"` or `"rises"`?

# %%
predict("10.buried", ...)

# %%
bury = np.tile([0.0, 3.0], 3)
both("turned, half of it buried", lambda v: v @ pairs.T + bury * rng.standard_normal(v.shape))
both("a faint trace of each", lambda v: 0.1 * v + rng.standard_normal(v.shape))

# %% [markdown]
# - *Forgetting pays*: the buried code knows less, and its gap is larger, since the rival is gone. A
#   large beta forgets, so a gap that rises with beta need not mean better axes.
# - *Faint traces score*: D and C are shares of an importance, and shares of almost nothing may be
#   large, even for noise. Only I shows that this code is nearly empty.
#
# So no single number. The ladder keeps "how much" and "along an axis" apart, and keeps the
# factors apart too.

# %%
reveal("10.buried")

# %% [markdown]
# ## 10.7  Which VAEs are interpretable?
#
# Higgins et al. (2017) report that a large $\beta$ makes latents more interpretable. Our study
# (`python -m minivae cat-study`) trains $\beta$ = 1, 2, 4, 8 with *both* likelihoods, five seeds each,
# everything else equal. Both, because the likelihood decides what can be known: a Bernoulli model
# sees black and white coin flips, a Gaussian model the grey pictures. We take the rounding to 8 bits as
# the only noise of those, so their ceiling is almost the whole entropy: a hard bar.
#
# The bar was committed before the first run (`cat_study.py`): half of the ceiling in nats, in at least
# four of five seeds. A factor is **aligned** if the best single latent passes, **encoded** if only the
# probe of the whole code does, else **missing**. So "missing" means below this bar with this probe, not
# "no trace".
#
# **Predict first.** Chonk, in the Gaussian models at $\beta = 1$: `"missing"`, `"encoded"` or
# `"aligned"`?

# %%
predict("10.chonk", ...)

# %%
names, short = [family.name for family in cat_study.FAMILIES], draw.short_names(cats.NAMES)
counts = {name: len(cat_study.of_family(study, name)) for name in names}
ready = [name for name in names if counts[name]]
plain = [name for name in ready if not cat_study.of_family(study, name)[0]["cure"]]
cured = [name for name in ready if name not in plain]
print(f"{'':<19}seeds" + "".join(f"{f:>10}" for f in short) + "   KL, nats")
for name in plain:
    rows = cat_study.of_family(study, name)
    print(f"{name:<19}{counts[name]:5d}" + "".join(f"{v:>10}" for v in cat_study.verdicts(study, name))
          + f"{np.mean([row['kl'] for row in rows]):10.1f}")
for likelihood in ("bernoulli", "gaussian"):
    bars = cat_study.BAR * np.array(study["ceiling"][likelihood]["nats"])
    print(f"{likelihood}: the largest bar is {bars.max():.1f} nats; all six together are {bars.sum():.1f}")

# %%
reveal("10.chonk", cat_study.verdicts(study, "gaussian 1")[0])

# %%
fig, (left, right) = plots.figure(9, 3.6, 1, 2)
draw.share_map(left, study, plain, "whole", "what the probe reads from the whole code")
draw.share_map(right, study, plain, "best", "what its best latent knows")
right.set_yticklabels([])
for rung in ("whole", "best"):
    largest = max(cat_study.shares(study, name, rung).std(axis=0, ddof=1).max() for name in plain)
    print(f"{rung}: standard deviation over the seeds at most {largest:.2f} in any cell")
    for name in plain:
        passing = (cat_study.shares(study, name, rung) >= cat_study.BAR).sum(axis=0)
        for f in np.flatnonzero((passing > 0) & (passing < 5)):
            print(f"    {name}: {short[f]} passes in {passing[f]} of 5 seeds")
fig

# %% [markdown]
# Means over the seeds. Left, what the probe finds in the code: within a likelihood it falls as $\beta$
# makes nats dearer. Right, what one latent holds: pale everywhere, and no $\beta$ makes a factor pass.
# The step from left to right is the finding: *encoded, but not aligned*. The cells printed above lie at
# the bar: another bar, or other seeds, could turn them.
#
# Was any verdict settled by the price of the code alone? The table says no for each factor taken alone:
# every KL is above the largest bar. But the factors are independent, so what a code tells of them one by
# one adds up to at most its KL, and the Bernoulli models at $\beta = 8$ have too few nats for all six to
# pass *at once*.

# %% [markdown]
# And the metrics of 10.6, on the same models:

# %%
def spread(values):
    return f"{np.mean(values):.2f} +- {np.std(values, ddof=1):.2f}"


print(f"{'':<19}{'gap':>12}{'D':>7}{'C':>7}{'I':>7}   gap of position, of the rest   position's best two latents")
for name in ready:
    rows = cat_study.of_family(study, name)
    gaps = np.array([row["gaps"] for row in rows]).mean(axis=0)
    two = np.sort([row["information"][5] for row in rows], axis=1)[:, :-3:-1].mean(axis=0)
    scores = "".join(f"{np.mean([row[key] for row in rows]):7.2f}" for key in
                     ("disentanglement", "completeness", "informativeness"))
    print(f"{name:<19}{spread([row['mig'] for row in rows])}{scores}{gaps[5]:12.2f}{gaps[:5].mean():14.2f}"
          f"{two[0]:20.2f}, {two[1]:.2f} nats")

# %% [markdown]
# In the Bernoulli models D and C rise with $\beta$ while I falls; the gap rises too, by not much more than
# its spread over the seeds. A paper that prints the gap alone would call these codes better. For position
# the axis is: at $\beta = 8$ its best latent knows more, and the second best less. But the gap of the other
# five stays where it was, and the codes hold less of all six (the left map above).

# %% [markdown]
# ## 10.8  Why would a latent line up with a factor at all?
#
# Take a trained VAE and a rotation $R$ (any matrix with $R^\top R = I$). Build a new model that
# turns all codes by $R$: its decoder turns back first, $p'(x\mid z) = p(x\mid R^\top z)$.
#
# **Predict first.** The new model's $\log p(x)$: does it fall, stay or rise?

# %%
predict("10.rotation", ...)

# %% [markdown]
# Substitute $z = Ru$. A rotation changes no volume, and $N(0, I)$ depends on the length of $z$ alone:
#
# $$
# p'(x) = \int p(x\mid R^\top z)\, N(z; 0, I)\, dz
# = \int p(x\mid u)\, N(Ru; 0, I)\, du = \int p(x\mid u)\, N(u; 0, I)\, du = p(x) \tag{4}
# $$
#
# For *every* image and *every* rotation: the likelihood cannot tell axes that are factors from axes that
# mix them all. (Locatello et al. 2019 prove a more general form.) The *ELBO* can, because $q$ is diagonal:
# if $z$ has the covariance $\Sigma$, then $Rz$ has $R\Sigma R^\top$, in general with correlations, which a
# diagonal $q$ cannot follow.

# %%
reveal("10.rotation")

# %% [markdown]
# Which axes are cheap? Near its top, the log posterior of $z$ has the curvature of the log prior plus
# that of the log-likelihood. Let $J = d\,\text{output}/dz$, and let $W$ be diagonal: $p(1-p)$ for the
# logits of a Bernoulli, $1/s^2$ for the means of a Gaussian. Then the precision that the loss with weight
# $\beta$ asks for is about
#
# $$
# \Lambda = I + J^\top W J / \beta . \tag{5}
# $$
#
# The best diagonal $q$ has the variances $1/\Lambda_{jj}$. Its KL from the full Gaussian is the *price*
# of these axes, $\frac12(\sum_j \log\Lambda_{jj} - \log\det\Lambda) \ge 0$, and that is 0 only where $\Lambda$
# is diagonal: where the columns of $\sqrt W J$ are orthogonal (Rolinek et al. 2019). Does the trained encoder follow
# eq. (5)? $J$ is the chain rule through the decoder; the encoder says $1/\sigma_j^2$.

# %%
G = decoder_metric.curvature(params, mu[:200], spec)                               # J'WJ, (200, L, L)
lengths = np.einsum("nll->nl", G)                               # squared lengths of the columns, (200, L)
asked, awake = 1 + lengths, np.flatnonzero(lengths.mean(axis=0) > 0.1)
G_awake = G[:, awake][:, :, awake]
given = np.exp(-logvar[:200].astype(float))
fig, (left, right) = plots.figure(8, 3, 1, 2)
left.loglog(asked.ravel(), given.ravel(), ".", ms=2, color=plots.BLUE)
left.loglog([1, 300], [1, 300], color=plots.GREY, lw=1)
left.set(xlabel="precision asked for, eq. (5)", ylabel="the encoder's $1/\\sigma^2$",
         title="what J'WJ asks for, and what q has")
draw.cosine_map(right, decoder_metric.cosines(G_awake), [str(j) for j in awake],
                r"|cos| between columns of $\sqrt{W}J$")
fig

# %% [markdown]
# Each dot is a latent of one cat: most widths of $q$ are close to what the decoder's Jacobian asks for
# (on the left, where it asks for little, $q$ is narrower). The dots at (1, 1) are latent 6: it is asleep,
# moves nothing, and so has no direction. It is left out on the right and in the next cell.
#
# So eq. (5) describes this model. Do its axes have a low price? And would *our factors* have one, as
# axes? The renderer can answer for them: its Fisher information, in standard deviations of each factor,
# takes the place of $J^\top W J$.

# %%
def price(curvature):
    """What a diagonal q loses against a full one, nats, mean over the cats: (N, L, L) -> float."""
    precision = np.eye(curvature.shape[1]) + curvature
    each = np.log(np.einsum("nll->nl", precision)).sum(axis=1)
    return ((each - np.linalg.slogdet(precision)[1]) / 2).mean()


unit = (cats.HIGH - cats.LOW) / 12**0.5                    # the standard deviation of each factor
renderer = renderer_fit.fisher_information(factors[:200]) * unit * unit[:, None]
for name, curvature in (("the model's latents", G_awake), ("the true factors", renderer)):
    n = curvature.shape[1]
    turns = [np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(20)]
    prices = [price(turn @ curvature @ turn.T) for turn in turns]
    print(f"{name:<20} {price(curvature):.2f} nats; turned at random {np.mean(prices):.2f} +- {np.std(prices):.2f}")

# %% [markdown]
# Two answers. The shipped model's axes are cheaper than random ones. But as axes, our factors would be
# cheaper still. So the pressure on $q$ does not explain why the latents are not our factors: by this
# local measure, with the renderer as the decoder, it speaks for them. Training found cheap axes, not the
# cheapest ones. What led it there, these measurements do not tell.

# %%
def off_axis(cosines):
    """The mean |cos| of different columns: (L, L) -> float."""
    return cosines[~np.eye(len(cosines), dtype=bool)].mean()


for likelihood in ("bernoulli", "gaussian"):
    own, random = [], []
    for row in cat_study.of_family(study, f"{likelihood} 1"):
        up = np.diag(row["metric"]) > 0.1                        # those that are awake
        own.append(off_axis(np.array(row["cosines"])[up][:, up]))
        random.append(off_axis(np.array(row["cosines_turned"])))
    ours = decoder_metric.cosines(renderer_fit.fisher_information(factors[:200], likelihood))
    print(f"{likelihood} 1: mean |cos| between columns {spread(own)}, turned at random {spread(random)}; "
          f"the true factors {off_axis(ours):.2f}")

# %% [markdown]
# The five seeds of the study agree: the Bernoulli axes are nearer to orthogonal than random ones, and
# farther from it than our factors. The Gaussian axes are no nearer than random ones; we do not know why.
# (One turn, the same for all models; `+-` is over the seeds. Only $\beta = 1$, with at most one latent of
# ten asleep: a turn mixes the sleeping ones in, and that alone raises the cosines.)
#
# Last, what do the shipped model's axes move?

# %%
own = decoder_metric.cosines(renderer)
fig, (left, right) = plots.figure(8.6, 3, 1, 2)
draw.cosine_map(left, own, short, "|cos| between true factors")
moved = decoder_metric.responses(params, codes[:50], axes, spec)
draw.leak_map(right, moved.size, cats.NAMES, "what moving a latent does")
fig

# %% [markdown]
# Left: most true factors are nearly orthogonal in pixels; the pair that overlaps most is tilt and
# position. Right, the *leak*: from -1.5 to 1.5 along each latent, how far the six factors move, in
# standard deviations (mean sizes, as in 10.5). A row with one dark square would be a knob: latent 1
# comes close, for the tail; chonk's and position's latents drag others along; latent 6 moves nothing; the
# rest are mixtures.

# %% [markdown]
# ## 10.9  Two cures
#
# **The total correlation.** Let $q(z) = \frac1N\sum_n q(z\mid x_n)$ be the *aggregate* of all codes.
# Insert it, and the product of its marginals, into the KL:
#
# $$
# \mathbb E\log\frac{q(z\mid x)}{p(z)} =
# \underbrace{\mathbb E\log\frac{q(z\mid x)}{q(z)}}_{I(x;\,z)} +
# \underbrace{\mathbb E\log\frac{q(z)}{\prod_l q(z_l)}}_{\text{total correlation}} +
# \underbrace{\sum_l \mathbb E\log\frac{q(z_l)}{p(z_l)}}_{\text{shape of each latent}} \tag{6}
# $$
#
# (Each fraction cancels against its neighbour; $p(z)$ is a product already.) A weight $\beta$ presses
# on all three, on the information too. Chen et al. (2018) press on the middle one alone, which is 0 if
# the latents are independent. But $q(z)$ is a sum over all $N$ pictures, and a step has only a batch
# of $B$. With $A_{ijl} = \log N(z_{il}; \mu_{jl}, \sigma_{jl}^2)$, the log density of picture $i$'s latent
# $l$ under picture $j$'s posterior, $A_{ij} = \sum_l A_{ijl}$, and the weight $1/(NB)$ for each pair, the
# penalty of picture $i$ is
#
# $$
# \mathrm{tc}_i = \log\sum_j e^{A_{ij}} - \sum_l\log\sum_j e^{A_{ijl}} + (L-1)\log(NB). \tag{7}
# $$
#
# The first log-sum stands for $\log q(z_i)$, the others for $\log q(z_{il})$.
# Its gradient is yours to derive (`10.tc-gradient`; the appendix checks it). Its *value* is no good
# estimate: 10.12 shows how far off it is, and why the gradient does not mind.
#
# **Labels.** The other cure gives up on "without labels": for a hundred cats all six factors are
# measured, and the loss gets $\frac{w}{2n}\sum_{n,f}(\mu_{nf} - v_{nf})^2$, which asks the first six
# latents to be the factors ($v$ in standard deviations from the mean). Both cures start from the Gaussian
# at $\beta = 1$. Their weights (`cat_study.py`) were tried on a seed that is not in the study, and kept;
# the total correlation was tried there at $\beta = 8$ and with the Bernoulli likelihood, too.

# %%
fig, (left, right) = plots.figure(9, 2.6, 1, 2)
compared = [name for name in ("gaussian 1", "gaussian 4", *cured) if name in ready]
draw.share_map(left, study, compared, "best", "best latent: share of the ceiling")
draw.r2_map(right, study, compared, "best", "best latent: $R^2$")
right.set_yticklabels([])
fig

# %%
for name in compared:
    rows = cat_study.of_family(study, name)
    chonk, moves = cat_study.shares(study, name, "best")[:, 0], np.array([row["leak_size"] for row in rows])
    own = np.mean([m[row["chosen"][0], 0] for m, row in zip(moves, rows, strict=True)])
    leak = np.mean([m[row["chosen"][0], 1:].max() for m, row in zip(moves, rows, strict=True)])
    print(f"{name:<19} KL {np.mean([r['kl'] for r in rows]):.1f}, total correlation "
          f"{np.mean([r['total_correlation'] for r in rows]):5.1f} nats, of a Gaussian "
          f"{np.mean([r['total_correlation_gaussian'] for r in rows]):.2f}; chonk's latent "
          f"{chonk.mean():.2f} +- {chonk.std(ddof=1):.2f}, moves chonk by {own:.2f} sd, another factor by up to {leak:.2f}")
later = np.mean([row["fifty"]["r2"] for row in cat_study.of_family(study, "gaussian 1")], axis=0)
print("gaussian 1, R^2 of fifty labels afterwards: " + ", ".join(f"{n} {v:.2f}" for n, v in zip(short, later)))

# %% [markdown]
# (The total correlation is that of 1,000 posteriors, summed exactly. It depends on that number, see 10.12:
# compare the rows only. Next to it, that of a Gaussian with the correlations of these codes.) A cheaper
# code has less of both, so compare the penalty with `gaussian 4`, whose KL is about as large: the penalty
# lowers both further, and the best latents of chonk, tail and position know more, though no factor reaches
# the bar. A hundred labels do more for chonk, tail and tilt; for position
# they are ahead in $R^2$ and behind in nats. Neither brings ear or eye to an axis. Labelled chonk has an
# $R^2$ of nearly 1 and still misses about half of what the grey picture tells in nats. Both numbers are
# true (`10.needed-r2` says how they are related): for a readout look at $R^2$, for what is left to know at
# nats.
#
# (Last line: for chonk and position, fifty labels *afterwards* find a direction that is read as well as
# that. What labels in the training add for these two is that the direction is an axis.)
#
# And a readout is no knob: moved alone, the labelled latent still drags another factor along (last
# column, mean sizes as in 10.5).

# %% [markdown]
# ## 10.10  So: are the latents interpretable?

# %%
print(f"{'':<19}{'passes: latent, code':>21}{'latent, share':>16}{'ELBO, nats':>19}{'distance':>14}"
      f"{'coverage':>14}   knob: chonk, other")
for name in ready:
    rows, words = cat_study.of_family(study, name), cat_study.verdicts(study, name)
    passes = f"{words.count('aligned')}, {words.count('aligned') + words.count('encoded')} of 6"
    knobs = np.array([row["knob_size"][0] for row in rows])                                     # (seeds, 6)
    print(f"{name:<19}{passes:>21}{spread(cat_study.shares(study, name, 'best').mean(axis=1)):>16}"
          f"{spread([r['elbo'] for r in rows]):>19}{spread([r['sample_distance'] for r in rows]):>14}"
          f"{spread([r['coverage'] for r in rows]):>14}   {knobs[:, 0].mean():.2f}, {knobs[:, 1:].max(axis=1).mean():.2f}")
print(f"coverage of a perfect model, with these numbers of cats: {study['references']['coverage']:.2f}")

# %% [markdown]
# *Share* is the best latent's, mean over the factors. The ELBO compares models of one likelihood only.
# *Distance* is from 40 samples to the nearest drawing that a renderer fit finds for each; samples are
# mean images, so a blurred cat counts as one that no drawing matches. *Coverage* is the share of real
# cats with a sample nearby; real cats themselves reach the number in the last line, not 1. *Knob* is
# chonk's direction of fifty labels: how far it moves chonk, and the factor that it moves most besides.
#
# The answer, for these cats and these small networks. **No best latent passes the bar**, in any family,
# also where the whole code does. **Fifty labels** find a direction for some factors afterwards: in the
# shipped model for chonk, tail and position, a weaker one for tilt, none for ear and eye (10.5). **A
# hundred labels in the training** bring four factors closer to axes by $R^2$, for some nats of ELBO (the
# total correlation penalty costs more nats, and does less for chonk, tail and tilt); the samples are about
# as good as those of `gaussian 1` by these two measures. And those are poor: the Gaussian models hold the
# most about a cat, and cover the fewest cats when they draw from the prior.
#
# The explorer page (`figures/explorer_cats.html`, or `python -m minivae explore RUN` for your own
# model) lets you drag through the latents; each slider carries the name of the factor it knows
# best, *and how well*.

# %% [markdown]
# ## Recap
#
# - A ceiling first: the Fisher information of the picture, eq. (1), a local approximation. A share without
#   a ceiling says as much about the noise as about the model.
# - The ladder tells "missing" from "encoded" from "aligned"; fifty labels find a direction, for some factors.
# - Gap and DCI each have a code that fools them.
# - $\log p(x)$ has no axes, eq. (4); a diagonal $q$ prefers axes along which $J^\top W J$ is diagonal,
#   eq. (5). Our factors are nearly such axes, and training still found others.
# - The penalty of eq. (7) lowers the total correlation; a hundred labels bring more factors closer to axes.

# %% [markdown]
# ## Exercises
#
# `hint("10.tc-gradient")` gives a nudge, `solution("10.tc-gradient")` the reference.
# `progress()` and `review()`, from `minivae.exercises`, list what is done and ask old questions again.

# %% [markdown]
# **When the noise tells, too.** Grey pixels, independent: pixel $d$ is $N(m_d(v), s_d(v)^2)$, so both its
# brightness and its noise depend on the factor. Derive the Fisher information about $v$, as 10.3 does for
# coin flips.

# %%
def information(dm, ds, s):    # dm/dv, ds/dv and s of each pixel, at v: (D,) each
    ...                        # -> the Fisher information of the picture about v
check("10.information", information)

# %% [markdown]
# **How many factors can pass?** Before any training: the code will cost so many nats, and a factor
# passes with that share of its ceiling. The factors are independent.

# %%
def how_many(kl, ceilings, share):    # nats of the code; nats of each factor (F,)
    ...    # -> how many factors, at most, can all have that share of their ceiling, an int
check("10.how-many", how_many)

# %% [markdown]
# **How hard is the bar?** Let a factor and an estimate of it be jointly Gaussian, so that the estimate
# explains the share $R^2$ of the variance. Which $R^2$ has a given share of the ceiling in nats? Then
# try the Gaussian models' ceiling of chonk, about 3 nats, with a share of a half, and look at the two
# maps of 10.9 again. (Bins make it only roughly comparable.)

# %%
def needed_r2(share, ceiling):    # ceiling: nats, before any bins
    ...                           # -> the R^2 whose nats are that share of the ceiling
check("10.needed-r2", needed_r2)

# %% [markdown]
# **A code that holds a factor, but along no axis.** Build one that the probe of 10.5 reads ($R^2$ above
# 0.9 for both factors), while a weighted sum of all latents explains less than 0.1, and so does each
# single latent together with its square.

# %%
def hide(v, sign):    # factors (N, 2), mean 0; sign (N,), coin flips, -1 or 1, free to use
    ...               # -> codes (N, L), L at most 6
check("10.hide", hide)

# %% [markdown]
# **A code that fools the gap.** Build a code of at least six latents for which the gap is below 0.1, although
# every latent is a strictly increasing function of one single factor, and every factor has a latent.

# %%
def fool_the_gap(v):    # factors (N, 6), independent -> codes (N, L)
    ...
check("10.fool-the-gap", fool_the_gap)

# %% [markdown]
# **What a turn costs.** A picture's posterior is exactly $N(m, \mathrm{diag}(\texttt{variances}))$, and $q$
# equals it. Now all codes are turned by $R$, as in 10.8, and $q$ becomes the best diagonal Gaussian for
# the turned posterior. How much ELBO is lost?

# %%
def turning_price(variances, R):    # of the posterior before the turn (L,); R (L, L)
    ...                             # -> the nats of ELBO that are lost, a float
check("10.turning-price", turning_price)

# %% [markdown]
# **The gradient of the total correlation.** Derive it from eq. (7): $\mu$'s part. Each $\mu_j$ is met by
# all $z_i$, in the joint sum and in the sums of single latents. (10.11 derives all parts: look there
# afterwards.)

# %%
def tc_gradient(z, mu, logvar):    # (B, L) each -> d (sum_i tc_i) / d mu, (B, L);
    ...                            # z is held fixed
check("10.tc-gradient", tc_gradient)

# %% [markdown]
# **Next:** notebook 11 asks the other question about these cats: who draws them better, a VAE or a
# GAN?

# %% [markdown]
# # Appendix (optional)
#
# ## 10.11  The gradient of the total correlation
#
# A log-sum-exp has the softmax as its slope. $A_{ijl}$ enters the first sum
# through $A_{ij}$ and the second one directly, so with $S$ for softmax over $j$,
#
# $$
# G_{ijl} = \frac{\partial\,\mathrm{tc}_i}{\partial A_{ijl}} = S_j(A_{i\cdot}) - S_j(A_{i\cdot l}),
# \qquad \frac{\partial A}{\partial z} = -u,\quad \frac{\partial A}{\partial \mu} = u,\quad
# \frac{\partial A}{\partial\log\sigma^2} = \tfrac12(u^2\sigma^2 - 1), \tag{8}
# $$
#
# with $u = (z_{il} - \mu_{jl})/\sigma_{jl}^2$. $z_i$ meets all $j$, $\mu_j$ meets all $i$: sum over the
# other index. Where both softmaxes agree, the gradient is 0: the neighbour explains $z_i$ as
# well in each latent as in all together.

# %%
def tc(z, m, l, N):
    """eq. (7): z, m, l (B, L) -> (B,) nats."""
    A = -((z[:, None] - m) ** 2 * np.exp(-l) + l + np.log(2 * np.pi)) / 2           # (B, B, L)
    joint = np.logaddexp.reduce(A.sum(axis=2), axis=1)
    each = np.logaddexp.reduce(A, axis=1)
    return joint - each.sum(axis=1) + (z.shape[1] - 1) * np.log(N * len(z))


m, l, e = mu[:6].astype(float), logvar[:6].astype(float), rng.standard_normal((6, L))
z = m + np.exp(l / 2) * e
value, cache = total_correlation_forward(z, m, l, 10_000)
print("our eq. (7) and the package's agree:", np.allclose(value, tc(z, m, l, 10_000)))
dm = total_correlation_backward(np.ones(6), cache)[1]
step = np.zeros_like(m)
step[2, 1] = 1e-5
difference = (tc(z, m + step, l, 10_000) - tc(z, m - step, l, 10_000)).sum() / 2e-5
print(f"d tc / d mu of one latent: by hand {dm[2, 1]:.6f}, by differences {difference:.6f}")

# %% [markdown]
# ## 10.12  How good is the estimate?
#
# Readers of such code ask why it prints impossible values. How good is eq. (7) as an *estimate*? Take
# 2,000 posteriors as the whole data set, so that $q(z)$ can be summed exactly, and compare the ways to
# weigh a batch.

# %%
def with_weights(z, m, l, own, other):
    """mean tc with weight `own` for j = i and `other` for the rest: q(z_i) = sum_j w_ij q(z_i|x_j)."""
    A = -((z[:, None] - m) ** 2 * np.exp(-l) + l + np.log(2 * np.pi)) / 2
    w = np.where(np.eye(len(z), dtype=bool), np.log(own), np.log(other))
    joint = np.logaddexp.reduce(A.sum(axis=2) + w, axis=1)
    each = np.logaddexp.reduce(A + w[..., None], axis=1)
    return (joint - each.sum(axis=1)).mean()


N = 2000
z_all, m_all, l_all = codes[:N], mu[:N].astype(float), logvar[:N].astype(float)
truth = with_weights(z_all, m_all, l_all, 1 / N, 1 / N)
for n in (200, 600):
    print(f"exact, of {n} pictures: {with_weights(z_all[:n], m_all[:n], l_all[:n], 1 / n, 1 / n):.2f} nats")
print(f"exact, of all {N}: {truth:.2f} nats")
print("   B    weights 1/NB   without the constant   weights 1/B   own 1/N, others (N-1)/N(B-1)   (L-1) log N + log N/B")
for B in (50, 200, 800):
    few = [rng.choice(N, B, replace=False) for _ in range(800 // B)]
    kinds = ((1 / (N * B), 1 / (N * B)), (1, 1), (1 / B, 1 / B), (1 / N, (N - 1) / (N * (B - 1))))
    mean = [np.mean([with_weights(z_all[b], m_all[b], l_all[b], *k) for b in few]) for k in kinds]
    print(f"{B:4d} {mean[0]:13.2f} {mean[1]:22.2f} {mean[2]:13.2f} {mean[3]:20.2f} "
          f"{(L - 1) * np.log(N) + np.log(N / B):36.2f}")

# %% [markdown]
# Even the exact value depends on how many pictures make up $q(z)$: of $N$ pictures, a code can tell at most
# $\log N$ nats, so with few of them more of the KL of eq. (6) is left for the other two parts.
#
# The weights of eq. (7) give a value that is far too large, by about the last column: $z_i$'s own
# posterior is most of $q(z_i)$, and its weight should be $1/N$; each marginal is a mean over many, whose
# weights should be $1/B$. Without its constant the value is far below 0, which no total correlation can be.
# The *gradient* is the same in the first three columns: a common factor of all weights moves out of
# the logs. So train with it, and do not report it. The fourth column weighs $z_i$'s own posterior and the
# others so that $q(z_i)$ and each $q(z_{il})$ are right on average. A log of a mean that is right on
# average is too low (Jensen), and here that hits the $L$ marginals, which depend on who is in the
# batch, more than the joint: with a small batch the estimate is still too high.

# %% [markdown]
# ## 10.13  Where to go from here
#
# What this project left out, and papers for each step:
#
# - *The beginnings*: Kingma and Welling 2014; Rezende, Mohamed and Wierstra 2014.
# - *A better q*: normalizing flows (Rezende and Mohamed 2015; Kingma et al. 2016), for the
#   approximation gap; inference suboptimality (Cremer et al. 2018), for the gap as in notebook
#   09; and tighter is not always better (Rainforth et al. 2018), on the encoder's gradient in the
#   IWAE.
# - *A better prior*: ELBO surgery (Hoffman and Johnson 2016); VampPrior (Tomczak and Welling 2018).
# - *What the ELBO buys*: Fixing a broken ELBO (Alemi et al. 2018).
# - *Many layers of latents*: Sonderby et al. 2016; NVAE (Vahdat and Kautz 2020); Child 2021.
# - *Discrete latents*: VQ-VAE (van den Oord et al. 2017).
# - *Interpretability*: beta-VAE (Higgins et al. 2017), the gap (Chen et al. 2018), the
#   impossibility result (Locatello et al. 2019), PCA directions (Rolinek et al. 2019).
# - *Diffusion*: a VAE with very many layers and an encoder that is fixed (Ho et al. 2020; Kingma
#   et al. 2021); latent diffusion (Rombach et al. 2022) puts one inside a VAE like yours.
# - Also left out here: convolutions, GPUs, text and sound. The gradient of a convolution is
#   notebook 05 once more, with shared weights.
#
# ## When you outgrow this
#
# This project stops where one machine does. Your model does not have to: `minivae.bridge` carries
# it to an engine made for more, and an autodiff there finds the gradients that you derived.
#
# ```python
# from minivae import bridge, runs
#
# module = bridge.to_torch(runs.load_run("runs/cats"))    # an ordinary nn.Module
# model = bridge.from_torch(module)                       # and back, bit for bit
# ```
#
# With PyTorch installed, a run goes on training on two processes, from the loss it had:
#
# ```sh
# torchrun --standalone --nproc-per-node 2 -m minivae.bridge.torch_distributed runs/cats
# ```
