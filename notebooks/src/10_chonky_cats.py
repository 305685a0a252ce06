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
# - compute what anybody could know of a factor, and measure a code against that ceiling;
# - tell "not in the code" from "in the code, but not along an axis", and build codes that fool a
#   metric;
# - derive the total correlation and its gradient, and say what a cure costs.
#
# **Builds on** notebook 01 (the cats), 03 (KL), 07 (beta). Reading time: 55 minutes.

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
from minivae.studies import cat_measures, cat_study
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
# Something happens in most rows, and with a little good will one finds the chonk row, the tail
# row, the row that moves the whole cat. In the last row, on the left, the cat falls apart: moving one
# latent can lead to codes that the encoder hardly ever gives.
#
# It is tempting to stop here. Three reasons for doubt: we *searched* for names after looking at
# the rows; another cat might change otherwise; and we did not ask the question the other way round.
# If I tell you this latent's value, do you know how chonky the cat is? That can be measured. But
# first: how well could *anybody* know it?

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
# unknown factors $\mathcal I$ is a matrix, and the bound is the diagonal of its inverse. All we
# need is the renderer, a little further and a little less far:

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
print(f"sd of chonk: {fisher**-0.5:.2f} kg if the rest is known, {bound[0]:.2f} kg if it is not")

# %% [markdown]
# A bound is a promise about estimates that we have not made yet. So make them: turn the renderer's
# six knobs until the drawing is the most likely one, for 100 noisy pictures of this one cat.

# %%
noisy = cats.sample_pixels(np.repeat(cat, 100, axis=0), rng)
fits = renderer_fit.fit(noisy, start=np.repeat(cat, 100, axis=0)).factors
for f, name in enumerate(cats.NAMES):
    scatter = fits[:, f].std(ddof=1)
    print(f"{name:<13} bound {bound[f]:8.2g}   scatter of 100 fits {scatter:8.2g} {cats.FACTORS[f].unit:<15}"
          f" ratio {scatter / bound[f]:.2f}")

# %% [markdown]
# The fits scatter by about the bound or somewhat more: it is a limit, and not far from what can be had.
# The ears are farthest from it. From the bound follows an *ideal observer*: she sees $v$ with that error, and answers
# with the mean of her posterior. Her answers for the 10,000 test cats are stored with the study
# below, in two units: $R^2$, the share of the variance that is explained, and nats, which come now.

# %% [markdown]
# ## 10.4  How much does a latent know?
#
# Two quantities $v$ (a factor) and $c$ (a latent, or anybody's answer) share *mutual information*:
# the KL between their joint distribution and the product of the two,
#
# $$
# I(v; c) = \sum_{a, b} p(a, b) \log \frac{p(a, b)}{p(a)\,p(b)} \tag{2}
# $$
#
# It is 0 for strangers and needs no assumption about the form of the relation. To count, cut both
# into 20 bins that hold equally many examples each. Then it is at most $\log 20$, the entropy of a
# factor *in these bins*; with other bins it is another number, so the number of bins belongs to
# each result. And the code of an image is a *draw* $z\sim q(z\mid x)$: that is what the decoder gets.

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
print(f"strangers (shuffled factors): {mutual_information(shuffled, codes[:, 0]):.3f} nats, the rule of "
      f"thumb (bins - 1)^2 / 2N: {(BINS - 1) ** 2 / (2 * len(codes)):.3f}")

# %% [markdown]
# (The rule of thumb: for strangers $2N$ times the counted sum is the statistic of the usual test of
# independence, whose mean is its number of degrees of freedom.) Now divide by what could be known.

# %%
folder = next(f for f in (Path("figures"), Path("..") / "figures") if f.is_dir())
study = cat_study.read(folder / "cat_study.json")
ceiling = np.array(study["ceiling"]["bernoulli"]["nats"])
print(f"{'':<13} ceiling                  best latent")
for f, name in enumerate(cats.NAMES):
    best = known[f].max()
    print(f"{name:<13} {ceiling[f]:.2f} nats, {ceiling[f] / np.log(BINS):.2f} of log 20   "
          f"{best:.2f} nats, {best / np.log(BINS):.2f} of log 20, {best / ceiling[f]:.2f} of the ceiling")
for bins in (5, 20, 40):
    best = interpretability.mutual_information_matrix(factors[:, [0]], codes, bins).max()
    top = study["ceiling"]["bernoulli"][f"nats at {bins} bins"][0]
    print(f"chonk with {bins:2d} bins: {best / np.log(bins):.2f} of log {bins}, {best / top:.2f} of the ceiling")

# %% [markdown]
# (The last lines: from 20 bins on, the share of the ceiling hardly depends on their number.) Look at the column of ceilings before the other. If the bar were "half of the entropy", ear and eye
# would have failed before any training: no reader of these pictures passes it. A measure
# without its ceiling says as much about the noise as about the model. From here on, a share is a
# share of the ceiling.
#
# There is a second ceiling, from the code. Everything known about the picture goes through $z$, and
# $I(v; z) \le I(x; z) \le \mathbb E\,\mathrm{KL}(q(z\mid x)\Vert p(z))$, because the KL is $I(x; z)$
# plus the KL of the aggregate of all codes from the prior. So a code that costs 1 nat cannot tell 1.5.

# %% [markdown]
# ## 10.5  The ladder
#
# "The best latent knows little" has two very different reasons. Either the code does not hold the
# factor, or it does, but not along an axis. To tell the two apart, ask four readers, from the one who
# may use everything to the one who may use one number:
#
# 1. the ideal observer, who reads the picture: the ceiling;
# 2. a *nonlinear probe*, who reads the whole code: ridge regression on all $z_i$ and $z_i z_j$. It finds
#    *at least* part of what is there; a richer probe may find more;
# 3. the *best single latent*;
# 4. *fifty labels*: a weighted sum of the latents, fitted to fifty cats that somebody has weighed.
#
# Every reader is judged on cats that she has not learned from. Why squares and products? Because
# a sum may miss what is there:

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
          f"ceiling {study['ceiling']['bernoulli']['r2'][f]:.2f}")

# %%
rungs = ladder.climb(seen_codes, seen_factors, codes, factors, rng)
fig, ax = plots.figure(7, 3)
place = np.arange(6)
for k, (name, values) in enumerate((("ceiling", study["ceiling"]["bernoulli"]["r2"]),
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
# From grey to hatched: what the code lost of the picture, or this probe cannot read. From hatched to
# blue: what no axis holds, though the code does. Green is the surprise: the direction that fifty labels
# find is about as good as the best axis for tail and position, and clearly better for chonk and tilt.
# (Ear and eye are below 0 there, drawn as 0: the code holds them in its squares and products, where a
# weighted sum finds almost nothing. Green bars are means over several draws of fifty cats.)
#
# What does that direction *do*? Do not judge by one cat's picture. Move twelve cats along it, from -1.5
# to 1.5, and let the renderer fit read all six factors off both pictures. A factor that goes up in one
# cat and down in the next has a mean near 0, so look at the mean *size* of the moves, too.

# %%
knob = rungs.knobs[[0]]                                              # chonk's, (1, L)
axis = axes[[rungs.chosen[0]]]                                       # chonk's best latent
turned = decoder_metric.responses(params, codes[:12], np.concatenate([knob, axis]), spec)
print("from -1.5 to 1.5, in standard deviations of each factor: mean (mean size), over 12 cats")
print(f"{'':<13} knob of fifty labels   best latent")
for f, name in enumerate(cats.NAMES):
    print(f"{name:<13}" + "".join(f"{turned.mean[k, f]:+12.2f} ({turned.size[k, f]:.2f})" for k in (0, 1)))
for k, name in enumerate(("knob", "latent")):
    print(f"the {name} moves chonk by {turned.size[k, 0]:.2f} standard deviations, another factor by up to "
          f"{turned.size[k, 1:].max():.2f} (mean size)")

# %%
show_rows(vae.mean_image(params, np.concatenate([sweep(mu[n], knob[0]) for n in range(3)]), spec), 7,
          ["cat 0", "cat 1", "cat 2"], "chonk's knob, from -2 to 2")

# %% [markdown]
# This is close to "z controls the weight of the cat": in this model, a direction that a few labels point
# out moves chonk further than the best latent does, and its largest side effect is smaller. The question
# that is left is whether an *axis* can be had, without labels.

# %% [markdown]
# ## 10.6  One number for a table, and how it is fooled
#
# Two metrics are in use. The *mutual information gap* (Chen et al. 2018) asks, for each factor, how far
# the best latent is ahead of the second best:
#
# $$
# \mathrm{MIG} = \frac1F \sum_{f}
# \frac{I(v_f; c_{\text{best}}) - I(v_f; c_{\text{second}})}{\mathrm{H}(v_f)} \tag{3}
# $$
#
# *DCI* (Eastwood and Williams 2018) starts from a probe and asks how much it leans on latent $l$ for
# factor $f$ (here: how much worse it gets when that latent's values are shuffled). D, disentanglement:
# is each latent for one factor? C, completeness: has each factor one latent? I, informativeness:
# the probe's $R^2$. Try both on codes whose answer we know.

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
# Both say what they should: a turned code holds exactly as much (turn it back: I stays 1), and the gap, D
# and C fall because they ask about axes. But look at the D and C of noise: not nearly 0. Now three
# codes built to fool them.
#
# **Predict first.** In the turned code, bury every second latent under noise, so that half the
# knowledge is gone. Does the gap fall or rise? And store each factor twice, in twelve latents: what
# is the gap now?

# %%
bury = np.tile([0.0, 3.0], 3)
both("turned, half of it buried", lambda v: v @ pairs.T + bury * rng.standard_normal(v.shape))
both("each factor stored twice", lambda v: np.concatenate([v, v + 0.01 * rng.standard_normal(v.shape)], 1))
both("a faint trace of each", lambda v: 0.1 * v + rng.standard_normal(v.shape))

# %% [markdown]
# - *Forgetting pays*: the buried code knows less, and its gap is larger, since the rival is gone. A
#   large beta forgets, so a gap that rises with beta need not mean better axes.
# - *Redundancy costs*: every latent of the doubled code is about one factor (D says so), and its gap
#   is nearly 0.
# - *Faint traces score*: D and C are shares of an importance, and shares of almost nothing may be
#   large, even for noise. Only I shows that this code is nearly empty.
#
# So no single number. The ladder keeps "how much" and "along an axis" apart, and keeps the
# factors apart too.

# %% [markdown]
# ## 10.7  Which VAEs are interpretable?
#
# Higgins et al. (2017) claim that a large $\beta$ makes latents interpretable. The study
# (`python -m minivae cat-study`): $\beta$ in 1, 2, 4, 8 and *both* likelihoods, with five seeds and
# everything else equal. Both, because the likelihood decides what can be known: a Bernoulli model
# sees black and white coin flips, a Gaussian model the grey pictures, whose only noise is the rounding
# to 8 bits. That is our choice for their ceiling, almost the whole entropy, and it sets a high bar.
# The bar was committed before the first run (`cat_study.py`): with half of the ceiling, in nats at 20 bins, in at least four of five seeds, a factor is **aligned** if the best single latent
# has it, **encoded** if only the probe of the whole code has it, else **missing**. So "missing" means
# below this bar with this probe, not "no trace". If the KL of the whole code is below the bar, the cell
# is marked *forced*.
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
fig

# %% [markdown]
# Shares of the ceiling, means over the seeds. Left, what the probe finds in the code: within a likelihood it
# falls as $\beta$ makes nats dearer. Right, what one latent holds: pale everywhere, and no $\beta$ makes a factor
# pass. The step from left to right is the finding: *encoded, but not aligned*. One caution: the factors
# are independent, so what the code tells of them one by one adds up to at most its KL. Compare the
# printed sums: the Bernoulli models at $\beta = 8$ have too few nats for all six factors to pass *at
# once*, though enough for each alone. The spread over the seeds, for chonk and position:

# %%
for name in plain:
    line = "  ".join(f"{f}: whole {w.mean():.2f} +- {w.std(ddof=1):.2f}, latent {b.mean():.2f} +- {b.std(ddof=1):.2f}"
                     if counts[name] > 1 else f"{f}: whole {w[0]:.2f}, latent {b[0]:.2f}"
                     for f, w, b in ((cats.NAMES[k], cat_study.shares(study, name, "whole")[:, k],
                                      cat_study.shares(study, name, "best")[:, k]) for k in (0, 5)))
    print(f"{name:<13}{line}")

# %% [markdown]
# And the metrics of 10.6, on the same models:

# %%
for name in ready:
    rows = cat_study.of_family(study, name)
    gaps = np.array([row["gaps"] for row in rows]).mean(axis=0)
    scores = "".join(f"{np.mean([row[key] for row in rows]):7.2f}" for key in
                     ("mig", "disentanglement", "completeness", "informativeness"))
    print(f"{name:<19} gap, D, C, I: {scores}   position's part of the gap {gaps[5] / gaps.sum():4.0%}")

# %% [markdown]
# Read this with 10.6 in mind. In the Bernoulli models D, C and the gap rise with $\beta$ while I falls:
# the codes forget, and position, the factor they forget last, in the end supplies most of the
# gap. In the Bernoulli rows of the map above only position's latent gets steadily better.

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
# For *every* image and *every* rotation. Turn a perfect model until every latent mixes all
# factors: the likelihood cannot tell. (Locatello et al. 2019 prove the general form.) But the *ELBO*
# can, because $q$ is diagonal: if $z\sim N(\mu,\Sigma)$, then $Rz \sim N(R\mu, R\Sigma R^\top)$,
# which has correlations that a diagonal $q$ cannot follow.

# %%
reveal("10.rotation")

# %% [markdown]
# Which axes are cheap? Near its top, the log posterior of $z$ has the curvature of the log prior plus
# that of the log-likelihood. With $J = d\,\text{output}/dz$ and $W$ as in eq. (1) (for logits
# $p(1-p)$, for Gaussian means $1/s^2$), the precision that the loss with $\beta$ asks for is about
#
# $$
# \Lambda = I + J^\top W J / \beta . \tag{5}
# $$
#
# The best diagonal $q$ has the variances $1/\Lambda_{jj}$, and loses
# $\frac12(\sum_j \log\Lambda_{jj} - \log\det\Lambda) \ge 0$, which is 0 only where $\Lambda$ is diagonal:
# where the columns of $J$ are orthogonal (Rolinek et al. 2019). That is a theory. Does the trained
# encoder follow it? $J$ is the chain rule through the decoder; the encoder says $1/\sigma_j^2$.

# %%
G = decoder_metric.curvature(params, mu[:200], spec)                               # J'WJ, (200, L, L)
asked = 1 + np.einsum("nll->nl", G)
given = np.exp(-logvar[:200].astype(float))
fig, (left, right) = plots.figure(8, 3, 1, 2)
left.loglog(asked.ravel(), given.ravel(), ".", ms=2, color=plots.BLUE)
left.loglog([1, 300], [1, 300], color=plots.GREY, lw=1)
left.set(xlabel="precision asked for, eq. (5)", ylabel="the encoder's $1/\\sigma^2$",
         title="what J'J asks for, and what q has")
draw.cosine_map(right, decoder_metric.cosines(G), [str(j) for j in range(L)],
                "|cos| between columns of J")
fig

# %%
R = np.linalg.qr(rng.standard_normal((L, L)))[0]
off = ~np.eye(L, dtype=bool)
print(f"mean |cos| off the diagonal: {decoder_metric.cosines(G)[off].mean():.2f}; "
      f"in axes turned at random {decoder_metric.cosines(R @ G @ R.T)[off].mean():.2f}")
for name in plain:
    rows = cat_study.of_family(study, name)
    off10 = ~np.eye(10, dtype=bool)
    own, random = (np.mean([np.array(row[key])[off10].mean() for row in rows])
                   for key in ("cosines", "cosines_turned"))
    given = np.array([row["precision_given"] for row in rows])
    ratio = np.mean(given.max(axis=1) / given.min(axis=1))
    print(f"{name:<13} the same, mean over its seeds: {own:.2f}, turned {random:.2f}; "
          f"narrowest over widest latent: {ratio:.1f} times the precision")

# %% [markdown]
# Each dot is a latent of one cat: most widths of $q$ are close to those that the decoder's Jacobian asks for
# (where it asks for little, left, $q$ is narrower than that). In the Bernoulli models the axes are nearer to orthogonal than random ones. In the Gaussian models
# they are not, and the last column says how that agrees with eq. (5): all their latents have nearly the
# same precision, so $\Lambda$ is nearer to a multiple of $I$, and a turn of that costs nothing.
#
# Where the bound does prefer axes, it prefers those that move the *pixels* independently. Do our
# factors do that? Ask the renderer the same question: the cosines between its own columns, from the
# Fisher information.

# %%
own = decoder_metric.cosines(renderer_fit.fisher_information(factors[:300]))
fig, (left, right) = plots.figure(8.6, 3, 1, 2)
draw.cosine_map(left, own, short, "|cos| between true factors")
moved = decoder_metric.responses(params, codes[:12], axes, spec)
draw.leak_map(right, moved.mean, cats.NAMES, "what moving a latent does")
fig

# %%
print(f"chonk and position {own[0, 5]:.2f}, tilt and position {own[3, 5]:.2f}")

# %% [markdown]
# Left: the true factors are not orthogonal in pixels either; the pair that overlaps most is tilt
# and position, not chonk and position. Right, the *leak*: from -1.5 to 1.5 along each latent, how far the
# six factors move on average (ups and downs cancel), in standard deviations. A row with one dark square
# would be a knob: latent 1 comes close, for the tail; chonk's and position's latents drag others along;
# latent 6 moves nothing; the rest are mixtures. The axes
# that the ELBO likes are not ours, and nothing in it says they should be.

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
# on all three, on the information too, and that is what made codes forget. Chen et al. (2018)
# press on the middle one alone, which is 0 if the latents are independent. A step has only a batch
# of $B$ of the $N$ codes, so each pair gets the weight $1/(NB)$. With
# $A_{ijl} = \log N(z_{il}; \mu_{jl}, \sigma_{jl}^2)$ and $A_{ij} = \sum_l A_{ijl}$,
#
# $$
# \mathrm{tc}_i = \log\sum_j e^{A_{ij}} - \sum_l\log\sum_j e^{A_{ijl}} + (L-1)\log(NB). \tag{7}
# $$
#
# The gradient: a log-sum-exp has the softmax as its slope. $A_{ijl}$ enters the first sum
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
# A caution before the results, which readers of such code ask about. How good is eq. (7) as an
# *estimate*? Take 2,000 posteriors as the whole data set, so that $q(z)$ can be summed exactly, and
# compare the ways to weigh a batch.

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
print(f"exact, all {N}: {truth:.2f} nats")
print("   B    weights 1/NB   without the constant   weights 1/B   own 1/N, others (N-1)/N(B-1)   (L-1) log N + log N/B")
for B in (50, 200, 800):
    few = [rng.choice(N, B, replace=False) for _ in range(800 // B)]
    kinds = ((1 / (N * B), 1 / (N * B)), (1, 1), (1 / B, 1 / B), (1 / N, (N - 1) / (N * (B - 1))))
    mean = [np.mean([with_weights(z_all[b], m_all[b], l_all[b], *k) for b in few]) for k in kinds]
    print(f"{B:4d} {mean[0]:13.2f} {mean[1]:22.2f} {mean[2]:13.2f} {mean[3]:20.2f} "
          f"{(L - 1) * np.log(N) + np.log(N / B):36.2f}")

# %% [markdown]
# The weights of eq. (7) give a value that is far too large, by about the last column: $z_i$'s own
# posterior is most of $q(z_i)$, and its weight should be $1/N$; each marginal is a mean over many, whose
# weights should be $1/B$. Without its constant the value is far below 0, which no total correlation can be.
# The *gradient* is the same in the first three columns: a common factor of all weights moves out of
# the logs. So train with it, and do not report it. The fourth column weighs $z_i$'s own posterior and the
# others so that $q(z_i)$ and each $q(z_{il})$ are right on average. A log of a mean that is right on
# average is too low (Jensen), and here that hits the $L$ marginals, which depend on who is in the
# batch, more than the joint: the estimate is still too high, and less so with a larger batch.
#
# **Labels.** The other cure gives up on "without labels": a hundred cats are weighed, and
# the loss gets $\frac{w}{2n}\sum_{n,f}(\mu_{nf} - v_{nf})^2$, which asks the first six latents to be the
# factors. Both cures start from the Gaussian at $\beta = 1$, the model that encodes and does
# not align. Their weights (`cat_study.py`) were tried on a seed that is not in the study, and kept; the
# total correlation was tried there at $\beta = 8$ and with the Bernoulli likelihood, too.

# %%
fig, (left, right) = plots.figure(9, 2.6, 1, 2)
compared = [name for name in ("gaussian 1", *cured) if name in ready]
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
    print(f"{name:<19} total correlation {np.mean([r['total_correlation'] for r in rows]):5.1f} nats; chonk's latent "
          f"{chonk.mean():.2f} +- {chonk.std(ddof=1):.2f}, moves chonk by {own:.2f} sd, another factor by up to {leak:.2f}")

# %% [markdown]
# (The total correlation is the exact sum over 1,000 posteriors.) Pressing on it lowers it, and the best
# latents of chonk, tail and position know more; no factor reaches the bar, and the whole code knows less
# (I in 10.7). By $R^2$ a hundred labels do better for chonk, tail, tilt and position; in nats the total
# correlation is ahead for position. Neither brings ear or eye to an axis. Chonk comes near the bar, half of
# what the grey picture tells in nats, and the right map says how hard that bar is: chonk's $R^2$ is nearly 1 there. Both numbers are true. For a readout look at $R^2$, for
# what is left to know at nats.
#
# And a readout is no knob: moved alone, the labelled latent still drags another factor along (last
# column, mean sizes as in 10.5).

# %%
def spread(values):
    values = np.array(values)
    return f"{values.mean():8.2f} +- {values.std(ddof=1) if len(values) > 1 else 0:.2f}"


print(f"{'':<19}{'aligned factors':<34}{'latent, mean share':>18}{'ELBO, nats':>19}{'distance':>15}{'coverage':>15}")
for name in ready:
    rows = cat_study.of_family(study, name)
    words = [f for f, v in zip(short, cat_study.verdicts(study, name), strict=True) if v == "aligned"]
    print(f"{name:<19}{', '.join(words) or 'none':<34}{spread(cat_study.shares(study, name, 'best').mean(axis=1))}"
          f"{spread([r['elbo'] for r in rows]):>19}{spread([r['sample_distance'] for r in rows]):>15}"
          f"{spread([r['coverage'] for r in rows]):>15}")
print(f"coverage of a perfect model, with these numbers of cats: {study['references']['coverage']:.2f}")

# %% [markdown]
# The price is in the last three columns. The ELBO compares models of one likelihood only. The *distance*
# is from 40 samples to the nearest drawing that a renderer fit finds for each: samples are mean images,
# so a blurred cat counts as one that no drawing matches. *Coverage* is the share of real cats with a
# sample nearby; real cats themselves reach the number in the last line, not 1.
#
# One more trap. Does a larger gap mean better samples? All models together, and family by family:

# %%
gap_of, distance_of = (np.array([row[key] for row in study["models"]]) for key in ("mig", "sample_distance"))
print(f"correlation of gap and distance over all {len(gap_of)} models: {np.corrcoef(gap_of, distance_of)[0, 1]:+.2f}")
family_of = np.array([row["family"] for row in study["models"]])
centred = [np.array(values, float) for values in (gap_of, distance_of)]
for name in ready:
    for values in centred:
        values[family_of == name] -= values[family_of == name].mean()
print(f"within families (each family's mean taken away):  {np.corrcoef(*centred)[0, 1]:+.2f}")

# %% [markdown]
# The two need not agree: the first mixes in the differences between families (which likelihood, which
# $\beta$). Pooling groups can even turn a sign: Simpson's paradox. But with five seeds a family, neither
# number here is clearly different from 0: these models do not show a relation.

# %% [markdown]
# ## 10.10  So: are the latents interpretable?

# %%
for name in ready:
    words = cat_study.verdicts(study, name)
    print(f"{name:<19}" + ", ".join(f"{words.count(w)} {w}" for w in ("aligned", "encoded", "missing")
                                    if words.count(w))
          + (f"   ({sum('forced' in w for w in words)} forced)" if any("forced" in w for w in words) else ""))
print("chonk's knob of fifty labels, from -1.5 to 1.5: mean sizes of the moves, in standard deviations")
for name in ready:
    moves = np.array([row["knob_size"][0] for row in cat_study.of_family(study, name)])     # (seeds, 6)
    print(f"{name:<19}chonk {moves[:, 0].mean():.2f}, another factor by up to {moves[:, 1:].max(axis=1).mean():.2f}")

# %% [markdown]
# Three sentences, for these cats and these small networks. What the code holds depends on the likelihood and
# on how dear nats are. No best latent passes the bar, in any family, also where the whole code does. If you
# want to read off a factor, fifty labels find a direction for some of them afterwards (10.5: chonk, tail
# and position, not ear and eye; in the Gaussian models it is a worse knob: for the same change of
# chonk the side effects are larger, see the last table), and a hundred during training bring four factors
# closer to axes (by $R^2$; none passes the bar), for some nats of ELBO and samples that are about as good by these two measures.
#
# The explorer page (`figures/explorer_cats.html`, or `python -m minivae explore RUN` for your own
# model) lets you drag through the latents; each slider carries the name of the factor it knows
# best, *and how well*.
#
# ## 10.11  Where to go from here
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
#
# ## Recap
#
# - A ceiling first: the Fisher information of the picture, eq. (1). A share without it is half a number.
# - The ladder tells "missing" from "encoded" from "aligned"; fifty labels find a direction, for some factors.
# - Gap and DCI each have a code that fools them.
# - $\log p(x)$ has no axes, eq. (4); a diagonal $q$ prefers axes along which $J^\top W J$ is diagonal,
#   eq. (5), and those need not be ours.
# - The total correlation, eq. (7), has an easy gradient and a biased value.
#
# ## Exercises
#
# `hint("10.tc-gradient")` gives a nudge, `solution("10.tc-gradient")` the reference.

# %% [markdown]
# **The ideal observer for one factor.** Eq. (1) for black and white pixels that are clipped as in
# 10.3, from two drawings.

# %%
def ideal_observer(up, down, step):    # p(x = 1) of each pixel at v + step, v - step: (D,)
    ...                                # -> the smallest sd of an unbiased estimate of v
check("10.ideal-observer", ideal_observer)

# %% [markdown]
# **Which cells are forced?** Before any training: what is the largest share of its entropy that a
# factor can reach? Three limits hold at once.

# %%
def largest_share(kl, ceiling, bins):    # nats: of the code, of the ideal observer; bins
    ...                                  # of equal mass -> the largest I(v; c) / H(v)
check("10.largest-share", largest_share)

# %% [markdown]
# **Fool the gap.** Build a code of at least six latents for which the gap is below 0.1, although
# every latent is a strictly increasing function of one single factor, and every factor has a latent.

# %%
def fool_the_gap(v):    # factors (N, 6), independent -> codes (N, L)
    ...
check("10.fool-the-gap", fool_the_gap)

# %% [markdown]
# **The gradient of the total correlation,** eq. (8), for one step: $\mu$'s part.

# %%
def tc_gradient(z, mu, logvar):    # (B, L) each -> d (sum_i tc_i) / d mu, (B, L);
    ...                            # z is held fixed
check("10.tc-gradient", tc_gradient)

# %% [markdown]
# **What a latent tells about a factor,** eq. (2), from a table of counts.

# %%
def my_mutual_information(counts):    # how often bin a of a latent met bin b of a factor:
    ...                               # (a, b), zeros allowed -> nats, one float
check("10.mutual-information", my_mutual_information)

# %% [markdown]
# **A rotated posterior,** as in 10.8.

# %%
def rotate_q(mean, variances, R):    # z ~ N(mean (L,), diag(variances (L,))), R (L, L)
    ...                              # -> mean (L,) and covariance (L, L) of R z
check("10.rotate", rotate_q)

# %% [markdown]
# **Next:** notebook 11 asks the other question about these cats: who draws them better, a VAE or a
# GAN?
