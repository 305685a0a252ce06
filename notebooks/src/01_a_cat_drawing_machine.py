# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # 01 · A cat-drawing machine
#
# **What you will be able to do**
# - write a model as a story that can be run, $z \sim p(z)$ and then $x \sim p(x\mid z)$, and sample
#   from it (`01.machine`, `01.ancestral`, `01.forwards`);
# - run a story backwards: compute the evidence $p(x)$ and the posterior $p(z\mid x)$, in logs
#   (`01.evidence`, `01.log-posterior`, `01.settled`);
# - say when learning of one cause makes another less probable, or more, and why the cause that
#   explains a finding best need not be the likeliest (`01.helping`, `01.story`);
# - score a picture under a model, and say which scores are typical
#   (`01.log-likelihood`, `01.typical`);
# - say which pictures a model without noise rules out (`01.without-noise`).
#
# **Builds on** calculus, Bayes' rule and NumPy, nothing else. Reading time: 40 minutes. The
# exercises take two hours or more. Sections 1.11 to 1.16 are an appendix, 25 minutes; no later
# notebook needs it.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]

import time
from itertools import product

import numpy as np

from minivae import exact, plots
from minivae.data import cats
from minivae.exercises import check, hint, predict, reveal, solution

plots.notebook_style()

# %% [markdown]
# First, where this is going: digits that nobody wrote and cats that nobody owns, from two small
# models that are shipped with this repository.

# %%
from minivae import VAE

fig, axes = plots.figure(8, 1.6, 1, 2)
for ax, name, colours in zip(axes, ("mnist", "cats"), ("gray_r", "gray"), strict=True):
    images = VAE.pretrained(name).sample(16, random_state=4)              # (16, 784)
    plots.show_grid(ax, images.reshape(-1, 28, 28), 8, f"drawn: {name}", cmap=colours)
fig

# %% [markdown]
# Each picture began as a handful of random numbers. By the end of notebook 07 you will have seen
# every step that makes such pictures. The machine is called a *variational autoencoder*, VAE for
# short.

# %% [markdown]
# ## 1.1  Can a classifier draw?
#
# The first networks that most people train are classifiers: they take a picture $x$ and return
# $p(y\mid x)$, the probability of a label $y$. Let us make one and ask it to draw.
#
# `minivae.data.cats` is a small program that draws cats of 28 by 28 pixels. The label: is this cat
# heavy, above 6 kg? Our classifier is a weighted sum of the pixels, squeezed into a probability by
# the sigmoid function and trained by following a gradient. (Notebook 05 derives such gradients.)

# %%
pictures, factors = cats.draw(600, np.random.default_rng(1))   # (600, 28, 28) in [0, 1], (600, 6)
flat = pictures.reshape(600, -1)
heavy = (factors[:, 0] > 6).astype(np.float32)            # the first factor is the weight, in kg
train, test = slice(0, 400), slice(400, 600)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def train_classifier(flat, labels):
    """Weights W (784,) and b of p(label 1 | x) = sigmoid(x @ W + b), from the first 400 pictures."""
    W, b = np.zeros(784, np.float32), np.float32(0)
    for _ in range(150):
        error = sigmoid(flat[train] @ W + b) - labels[train]
        W -= 0.1 * error @ flat[train] / 400
        b -= np.float32(0.1) * error.mean()
    return W, b


W, b = train_classifier(flat, heavy)
correct = (sigmoid(flat[test] @ W + b) > 0.5) == (heavy[test] > 0.5)
print(f"correct for {correct.mean():.0%} of {correct.size} cats that it was not trained on")

# %% [markdown]
# Now let it draw the cat that it would call heavy with the most confidence: white at every pixel
# with a positive weight, black at all others. And show it noise: each pixel black or white with
# equal probability.
#
# **Predict first: what does it say about noise?** Put one of the words, in quotes, in place of the
# `...`, run the cell, and only then read on; a wrong answer costs nothing.

# %%
predict("01.noise", ...)          # "light", "unsure" or "heavy"

# %%
light_cat = flat[test][factors[test, 0].argmin()]
noise = (np.random.default_rng(0).random(784) < 0.5).astype(np.float32)
heaviest = (W > 0).astype(np.float32)                     # white wherever white speaks for "heavy"
fig, axes = plots.figure(6.6, 2.5, 1, 3)
shown = {"a light cat": light_cat, "noise": noise, "white where W > 0": heaviest}
for ax, (name, picture) in zip(axes, shown.items(), strict=True):
    title = f"{name}\np(heavy | x) = {sigmoid(picture @ W + b):.3f}"
    plots.show_grid(ax, picture.reshape(1, 28, 28), 1, title, cmap="gray")
fig

# %%
reveal("01.noise")

# %% [markdown]
# This classifier is right about the cat and confident about noise. (Trained for other labels it may
# be unsure about noise: 1.11.) No picture gets a higher $p(\text{heavy}\mid x)$ than the third, and
# it is no cat.
#
# $p(y\mid x)$ answers one question: *given* that this is the picture, which label? It does not say
# how probable the picture is. To draw, we need a distribution over pictures.

# %% [markdown]
# ## 1.2  What does a machine that draws look like?
#
# First there is a cat, of some weight, its tail at some angle; then a camera, and pixels. Write the
# causes as a list of numbers $z$ and the pixels as $x$. The story has two sentences:
#
# $$
# z \sim p(z), \qquad x \sim p(x \mid z) \tag{1}
# $$
#
# $p(z)$ is called the *prior*: what is true of cats before we look at one. We see $x$ and never
# $z$, so $z$ is called *latent*, hidden. Six factors make one of our cats, independent, each
# uniform on a range.
#
# The second sentence needs a drawing and noise. The drawing is a program: `cats.render(z)` gives a
# grey value between 0 and 1 for each pixel. The noise is a coin for each pixel: it comes out white
# with the probability that the grey value names, kept away from 0 and 1 by `cats.P_MIN`. Causes
# first, then effects: that is *ancestral sampling*.

# %%
def sample_cats(n, rng):
    """z ~ p(z), then x ~ p(x|z): -> z (n, 6), p (n, 28, 28), x (n, 28, 28) of 0 and 1."""
    z = rng.uniform(cats.LOW, cats.HIGH, (n, 6))
    p = np.clip(cats.render(z), cats.P_MIN, 1 - cats.P_MIN)
    x = (rng.random(p.shape) < p).astype(np.float32)
    return z, p, x


for factor in cats.FACTORS:
    print(f"{factor.name:13} {factor.low:6.2f} to {factor.high:6.2f}  {factor.unit}")
print(f"p(white) is at least {cats.P_MIN} and at most {1 - cats.P_MIN}")
z, p, x = sample_cats(12, np.random.default_rng(7))
fig, (top, bottom) = plots.figure(8, 2, 2, 1)
plots.show_grid(top, p, 12, "z ~ p(z), drawn: the probability of white", cmap="gray")
plots.show_grid(bottom, x, 12, "x ~ p(x | z): a coin thrown for each pixel", cmap="gray")
fig

# %% [markdown]
# Each column is one run of the story: a cat, and one noisy photograph of it. The three lines of
# `sample_cats` are a cat-drawing machine. (The pictures at the top of the notebook are
# probabilities, as in the upper row.) Independent coins, once $z$ is known, are an assumption.
#
# All that can be set in the second sentence, such as the grey of a coat, is called $\theta$, the
# *parameters*, and one writes $p_\theta(x\mid z)$. Here $\theta$ was chosen by hand and stays as it
# is, so we leave the index out. (The letters are those of *Auto-Encoding Variational Bayes*
# [Kingma and Welling 2014], one of the two papers that introduced the VAE.)

# %% [markdown]
# ## 1.3  Can the story be run backwards?
#
# Here is the effect: what was the cause? A smaller story shows the principle: a doctor sees
# symptoms $x$ and wonders about diseases $z$. Such models have been built by hand for medicine: an
# expert names the causes and estimates the numbers. Ours has five diseases, each present or not,
# independently of the others, and six symptoms. (The numbers are made up.)
#
# Disease $i$, where present, tries to cause symptom $j$, and succeeds with the probability
# $\text{cause}_{ij}$. Now and then a symptom comes from nowhere: the *leak*. A symptom is absent
# only if all of these attempts have failed. They are independent, so their failures multiply:
#
# $$
# p(x_j = 0 \mid z) = (1 - \text{leak}_j) \prod_{i \,:\, z_i = 1} (1 - \text{cause}_{ij}) \tag{2}
# $$

# %%
model = exact.diagnosis()


def p_symptoms(z):
    """eq. (2) for one patient: z, five 0s and 1s -> p(x_j = 1 | z) for the six symptoms."""
    absent = 1 - model.leak
    for i, present in enumerate(z):
        if present:
            absent = absent * (1 - model.cause[i])
    return 1 - absent


print("flu alone:", *(f"p({symptom}) = {chance:.3f}" for symptom, chance in
                     zip(model.symptoms, p_symptoms((0, 1, 0, 0, 0)), strict=True)), sep="\n  ")

# %%
fig, ax = plots.figure(6.4, 2.9)
rows = [f"{name} (p = {p:.2f})" for name, p in zip(model.diseases, model.prior, strict=True)]
table = np.vstack([model.cause, model.leak])
ax.imshow(table, cmap="Blues", vmin=0, vmax=1.2, aspect="auto")
for (i, j), chance in np.ndenumerate(table):
    ax.text(j, i, f"{chance:.2f}", ha="center", va="center", fontsize=8)
ax.set_xticks(range(6), model.symptoms)
ax.set_yticks(range(6), [*rows, "leak"])
ax.grid(False)
ax.set_title("how probably an attempt succeeds")
fig

# %% [markdown]
# Flu and pneumonia mostly cause both cough and fever; a cold seldom causes fever. A doctor looks at
# these two symptoms only, whoever comes, and finds both. How probable was that? Given the diseases,
# the symptoms of this model are independent, so $p(x\mid z)$ is the product for cough and fever; a
# symptom that nobody looks at drops out, since its two possibilities add up to one. The probability
# of *this $z$ and this $x$ together* is the *joint*, $p(x, z) = p(z)\,p(x\mid z)$. Add it up over
# all $z$ and you have the *evidence*:
#
# $$
# p(x) = \sum_z p(z)\, p(x \mid z) \tag{3}
# $$

# %%
all_z = np.array(list(product((0, 1), repeat=5)))                          # (32, 5): every patient
p_z = np.where(all_z == 1, model.prior, 1 - model.prior).prod(axis=1)      # p(z), (32,)
present = np.array([p_symptoms(z) for z in all_z])                         # p(x_j = 1|z), (32, 6)
p_cough, p_fever = present[:, 0], present[:, 1]                            # the first two symptoms
joint = p_z * p_cough * p_fever                                            # p(x, z), (32,)
evidence = joint.sum()                                                     # eq. (3), one number
print(f"the prior sums to {p_z.sum():.6f}")
print(f"p(cough, fever) = {evidence:.6f}")

# %% [markdown]
# And now backwards. Bayes' rule says which share of that evidence came through each $z$:
#
# $$
# p(z \mid x) = \frac{p(z)\,p(x\mid z)}{p(x)} \tag{4}
# $$
#
# This is the *posterior*: what we believe about the causes after looking. It has 32 entries. For a
# picture, ask about one disease at a time: add up the posterior of all $z$ in which it is present.

# %%
posterior = joint / evidence                                # eq. (4), (32,)
after = posterior @ all_z                                   # p(z_i = 1 | x): one per disease, (5,)
fig, ax = plots.figure(6.6, 2.6)
places = np.arange(5)
ax.bar(places - 0.2, model.prior, 0.38, color=plots.GREY, label="prior")
ax.bar(places + 0.2, after, 0.38, color=plots.BLUE, hatch="//", edgecolor="white",
       label="posterior, given cough and fever")
ax.set(xticks=places, xticklabels=model.diseases, ylabel="probability of being present")
ax.set_title("two symptoms point at the flu")
ax.legend()
fig

# %% [markdown]
# Cough and fever lift cold, flu and pneumonia. Hay fever and migraine stay nearly where they were.

# %% [markdown]
# ## 1.4  Does one cause tell us about another?
#
# In the prior the diseases are independent: having the flu says nothing about having pneumonia. The
# patient with cough and fever now takes a test, and it confirms the flu.
#
# **Predict first.** Compared with just before the test, is pneumonia now more probable, as
# probable, or less? (`"more"`, `"as much"` or `"less"`)

# %%
predict("01.explaining-away", ...)

# %%
stages = {
    "nothing known": {},
    "cough, fever": {"cough": 1, "fever": 1},
    "cough, fever, flu confirmed": {"cough": 1, "fever": 1, "flu": 1},
    "no fever": {"fever": 0},
    "no fever, flu confirmed": {"fever": 0, "flu": 1},
}
for name, found in stages.items():                          # the sums of 1.3, for any findings
    value = exact.disease_probabilities(model, found)["pneumonia"]
    print(f"p(pneumonia | {name}) = {value:.4f}")

# %%
reveal("01.explaining-away")

# %% [markdown]
# Pneumonia falls back most of the way: once the flu accounts for the symptoms, they say much less
# about pneumonia. This is called *explaining away*. **Causes that are independent before we look
# can be dependent after.** They need not be: with the fever *absent* (the last two lines), the flu
# tells nothing about pneumonia, since the failures of eq. (2) multiply, one factor a disease.

# %% [markdown]
# ## 1.5  How probable is one picture?
#
# Back to cats. To run their story backwards we need $p(x\mid z)$ as a number. The pixels are
# independent coins once $z$ is known, so their probabilities multiply: $p_d$ where pixel $d$ is
# white, $1 - p_d$ where it is black, over all $D = 784$ pixels:
#
# $$
# p(x \mid z) = \prod_{d=1}^{D} p_d(z)^{x_d}\,\big(1 - p_d(z)\big)^{1 - x_d} \tag{5}
# $$
#
# **Predict first.** If every pixel had probability one half, what would this product be in
# `float32`, the numbers that networks are usually trained in? (`"tiny"`, `"zero"` or `"nan"`)

# %%
predict("01.underflow", ...)

# %%
pixels = np.full(784, 0.5, np.float32)
print("float32, one picture: ", np.prod(pixels))
print("float64, two pictures:", np.prod(pixels.astype(np.float64)) ** 2)
print(f"log of one: {784 * np.log(0.5):.2f}, log of two: {2 * 784 * np.log(0.5):.2f}")

# %%
reveal("01.underflow")

# %% [markdown]
# The product is smaller than any positive number that `float32` can write (and with two pictures,
# `float64`): it *underflows* to zero. Its logarithm is of ordinary size, and a sum:
#
# $$
# \log p(x \mid z) = \sum_{d=1}^{D} \Big[ x_d \log p_d(z) + (1 - x_d) \log\big(1 - p_d(z)\big) \Big] \tag{6}
# $$
#
# With the natural logarithm the unit is called the *nat*.

# %%
def of_each_pixel(x, z):
    """The terms of eq. (6), nats: a picture x (S, S) of 0 and 1, cats z (B, 6) -> (B, S, S)."""
    p = np.clip(cats.render(z, len(x)), cats.P_MIN, 1 - cats.P_MIN).astype(np.float64)
    return np.log(np.where(x == 1, p, 1 - p))


def log_likelihood(x, z):
    """eq. (6), nats: one picture x (S, S) of 0 and 1, many cats z (B, 6) -> (B,)."""
    return of_each_pixel(x, z).sum(axis=(1, 2))


this_z = np.array([[6.5, 0.3, 140.0, 8.0, 0.8, 0.0]])      # 6.5 kg, tail 140 degrees, awake
this_cat = cats.sample_pixels(this_z, np.random.default_rng(2))[0]
log_p = log_likelihood(this_cat, this_z)[0]
print(f"log p(x|z) at the z that made x: {log_p:.2f} nats")
print(f"so p(x|z) itself is about 10^{log_p / np.log(10):.0f}; float32 ends at 10^-45")

# %% [markdown]
# One trap is left. Evidence and posterior need a *sum over z of probabilities*, and going back
# through `exp` underflows again. The way out: pull the largest, $m = \max_k a_k$, out of the sum
# *before* exponentiating. Since $e^{a_k} = e^{m} e^{a_k - m}$,
#
# $$
# \log \sum_k e^{a_k} = m + \log \sum_k e^{a_k - m} \tag{7}
# $$
#
# Now the largest term is $e^0 = 1$ (unless every $a_k$ is $-\infty$): nothing overflows, and
# whatever underflows was too small to count. Bayes' rule then works in logs too: subtract the log
# of the sum, and only then exponentiate. Here is a larger photograph of this cat, 128 by 128
# pixels, and three guesses at its weight, equally likely beforehand:

# %%
large = cats.sample_pixels(this_z, np.random.default_rng(2), size=128)[0]
three = np.repeat(this_z, 3, axis=0)
three[:, 0] = 6.4, 6.5, 6.6                                # kg; the second is true
a = log_likelihood(large, three)
m = a.max()
print("log p(x|z), nats:     ", a.round(2))
with np.errstate(divide="ignore"):
    print("log of the sum of exp:", np.log(np.exp(a).sum()))
print(f"eq. (7):               {m + np.log(np.exp(a - m).sum()):.4f}")
print(f"exact.log_sum_exp(a):  {exact.log_sum_exp(a):.4f}")
print("posterior of each:    ", np.exp(a - exact.log_sum_exp(a)).round(6))

# %% [markdown]
# ## 1.6  How heavy is this cat?
#
# Suppose we know all about the cat in a photograph but its weight, called *chonk*. It can take
# infinitely many values, so lay a grid of 121 cells over its range, and apply eqs. (3) and (4) as
# before, with the middle of each cell for the whole cell. The prior is uniform: it is the same for
# every cell, and cancels.

# %%
step = (9.0 - 3.0) / 121
chonk = 3.0 + step * (np.arange(121) + 0.5)                # the middles of 121 cells, kg
candidates = np.repeat(this_z, 121, axis=0)
candidates[:, 0] = chonk


def normalised(a):
    """Posterior from log p(x|z) on equally likely cells: (Z,) -> p(z|x) (Z,), sums to 1."""
    return np.exp(a - exact.log_sum_exp(a))


whole = normalised(log_likelihood(this_cat, candidates))   # p(chonk | x), (121,)
mean = whole @ chonk
sd = np.sqrt(whole @ (chonk - mean) ** 2)
print(f"posterior: mean {mean:.2f} kg, standard deviation {sd:.2f}; the truth is {this_z[0, 0]} kg")

# %% [markdown]
# Now cover the lower half of the picture. As with the symptoms that nobody looked at, the covered
# pixels drop out of the sum of eq. (6).

# %%
seen = np.ones((28, 28), bool)
seen[14:] = False                                          # the lower half is covered
covered = normalised(of_each_pixel(this_cat, candidates)[:, seen].sum(axis=1))     # (121,)
fig, (photo, half, ax) = plots.figure(8, 2.5, 1, 3, width_ratios=(1, 1, 2))
plots.show_grid(photo, this_cat[None], 1, "the whole cat", cmap="gray")
plots.show_grid(half, np.where(seen, this_cat, 0.5)[None], 1, "half covered", cmap="gray")
ax.plot(chonk, whole / step, color=plots.BLUE, label="whole")       # a density: share / width
ax.plot(chonk, covered / step, color=plots.RED, ls="--", label="half covered")
ax.axhline(1 / 6, color=plots.GREY, ls=":", label="prior")
ax.axvline(this_z[0, 0], color=plots.INK, lw=0.8)
ax.set(xlabel="chonk, kg (line: the truth)", ylabel="density per kg", title="half covered: wider here")
ax.legend(fontsize=8)
fig

# %% [markdown]
# The posterior is wider, and not as wide as the prior: the upper half says something too. (It lies
# too far left, which is chance: see 1.12, and 1.13 for the corner of the solid curve.)

# %% [markdown]
# ## 1.7  Which pictures are like this cat?
#
# The evidence is worth having for itself. For a continuous $z$ eq. (3) becomes an integral:
#
# $$
# p(x) = \int p(x \mid z)\, p(z)\, dz = \mathbb{E}_{z \sim p(z)}\big[\,p(x \mid z)\,\big] \tag{8}
# $$
#
# The second form, an expectation, reads: draw causes from the prior, ask each how probable it makes
# $x$, average. With a uniform prior and equal cells, the integral is about the mean over the cells.
# Take two factors free, chonk and position. The other four are given, those of our cat: this is a
# model of cats with *these* ears, tail, tilt and eyes, of any weight and position. Its evidence is
# $p(x \mid \text{four})$, and the log of that will be our score.

# %%
def grid_of_cats(n):
    """The middles of n x n equal cells of chonk and position, the other four as in this_z."""
    middles = (np.arange(n) + 0.5) / n
    z = np.repeat(this_z, n * n, axis=0)
    z[:, 0] = 3.0 + 6.0 * np.repeat(middles, n)            # kg
    z[:, 5] = -0.08 + 0.16 * np.tile(middles, n)           # picture widths
    return z


def log_evidence_given_four(x, n):
    """The log of eq. (8), nats: pictures (N, 28, 28) -> (N,), the mean over a grid by eq. (7)."""
    p = np.clip(cats.render(grid_of_cats(n)), cats.P_MIN, 1 - cats.P_MIN).astype(float)
    p, x = p.reshape(n * n, 784), x.reshape(len(x), 784)
    a = np.log(p) @ x.T + np.log(1 - p) @ (1 - x).T        # eq. (6) for all pairs, (n * n, N)
    return exact.log_sum_exp(a, axis=0) - np.log(n * n)


for n in (10, 20, 40, 43, 80):
    print(f"{n:2} cells each: {log_evidence_given_four(this_cat[None], n)[0]:8.2f} nats")

# %% [markdown]
# A grid only approximates the integral. Ten cells each are too coarse; between 40, 43 and 80 the
# value moves by a quarter of a nat, and we take 40. (1.14 shows why 10 fail, and that two grids that
# agree can both be wrong.)
#
# Now score this cat, and the noise that the classifier was so sure about. And two other pictures:
# this photograph upside down, and an empty picture, all black.
#
# **Predict first.** Which of these two gets the higher score? (`"upside down"`, `"alike"` or
# `"empty"`)

# %%
predict("01.empty", ...)

# %%
four = {
    "this cat": this_cat,
    "noise": noise.reshape(28, 28),
    "upside down": this_cat[::-1],
    "an empty picture": np.zeros((28, 28)),
}
scores = dict(zip(four, log_evidence_given_four(np.stack(list(four.values())), 40), strict=True))
fig, axes = plots.figure(7.4, 2.2, 1, 4)
for ax, (name, picture) in zip(axes, four.items(), strict=True):
    plots.show_grid(ax, picture[None], 1, f"{name}\n{scores[name]:.0f} nats", cmap="gray")
fig.suptitle("the score, log p(x | four)")
z_others, _, others = sample_cats(300, np.random.default_rng(8))       # 300 random cats
of_others = log_evidence_given_four(others, 40)
print(f"300 random cats: {of_others.mean():.0f} on average, {of_others.min():.0f} to "
      f"{of_others.max():.0f}")
for name in ("an empty picture", "this cat"):
    above = of_others > scores[name]
    tails = z_others[above, 2]
    print(f"of these 300 above {name}: {above.sum()}, with tails curled by {tails.min():.0f} to "
          f"{tails.max():.0f} degrees")
fig

# %%
reveal("01.empty")

# %% [markdown]
# This cat is ahead of the other three by hundreds of nats, and a nat is a factor of $e$ in
# probability. This is the question that the classifier could not be asked. The 300 random cats,
# with other ears, tails, tilts and eyes, score lower on average. The 5 that score higher than this
# one have tails much like its own, 140 degrees. All 300 score higher than the empty picture. (1.15
# counts the pixels that put the empty picture above the cat upside down.)

# %% [markdown]
# ## 1.8  Is a probable picture a typical one?
#
# Take a single $z$, the true one, and score 1000 photographs of it. Beside them, the drawing with
# each pixel rounded to its likelier colour.
#
# **Predict first.** Where does the rounded drawing score: `"below"`, `"among"` or `"above"` the
# photographs?

# %%
predict("01.rounded", ...)

# %%
p_true = np.clip(cats.render(this_z)[0], cats.P_MIN, 1 - cats.P_MIN).astype(float)
thousand = cats.sample_pixels(np.repeat(this_z, 1000, axis=0), np.random.default_rng(4))
of_photographs = np.log(np.where(thousand == 1, p_true, 1 - p_true)).sum(axis=(1, 2))
expected = np.sum(p_true * np.log(p_true) + (1 - p_true) * np.log(1 - p_true))
rounded = (p_true > 0.5) * 1.0                            # the likelier side of every coin
fig, ax = plots.figure(6, 2.3)
ax.hist(of_photographs, bins=25, color=plots.BLUE, label="1000 photographs")
ax.axvline(expected, color=plots.INK, ls="--", lw=1, label=f"their expected score, {expected:.1f}")
best = log_likelihood(rounded, this_z)[0]
ax.axvline(best, color=plots.RED, lw=1.5, label=f"the rounded drawing, {best:.0f}")
ax.set(xlabel="log p(x | the true z), nats", ylabel="photographs", xlim=(-200, -60))
ax.set_title("no photograph is as probable as the rounded drawing")
ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0.5, 1))
print(f"photographs: mean {of_photographs.mean():.1f}, standard deviation {of_photographs.std():.1f}, "
      f"the best {of_photographs.max():.0f}")
print(f"log p(x | four): the best photograph {log_evidence_given_four(thousand, 40).max():.0f}, "
      f"the rounded drawing {log_evidence_given_four(rounded[None], 40)[0]:.0f}")
fig

# %%
reveal("01.rounded")

# %% [markdown]
# No photograph comes near the rounded drawing, although each was drawn from the model. A pixel is
# white with probability $p_d$ and then adds $\log p_d$; else it adds $\log(1 - p_d)$. On average
# that is $p_d \log p_d + (1 - p_d)\log(1 - p_d)$, and over all pixels $-145$, the dashed line. The
# pixels are independent, so their sum scatters around it by 12 only. Nearly every draw has a score
# near that average; such draws are called *typical*. Each has a probability of about $e^{-145}$,
# and together nearly all of the probability: so there are about $e^{145}$ of them (both exponents
# to within the scatter). The rounded drawing is more probable than any, but it is a single picture.
#
# By $p(x\mid\text{four})$, too, it is ahead of all 1000 photographs. So a high $\log p(x)$ does not
# make a picture typical. (Learned models show similar things: *Do Deep Generative Models Know What
# They Don't Know?*, Nalisnick et al. 2019.)

# %% [markdown]
# ## 1.9  What does a story without noise rule out?
#
# A *generative adversarial network*, GAN [*Generative Adversarial Nets*, Goodfellow et al. 2014],
# draws without facing the integral. It keeps $z \sim p(z)$ and a program $G$ that turns it into a
# picture, $x = G(z)$, with no noise on the pixels. A second network is trained to tell $G$'s
# pictures from real ones, and $G$ is trained to fool it.
#
# We can make such a generator without training: render, and round each pixel to black or white.
# Then $p(x\mid z)$ is 1 for the picture $G(z)$, and 0 for every other. No $z$ gives our photograph
# (1.16 checks it), not even the true one: some coins fell against the odds. So its evidence is 0,
# and eq. (4) divides zero by zero. A coin for each pixel, never quite certain, makes every black
# and white picture possible.
#
# | | draws an $x$ | $p(x)$, how probable is this $x$ | $p(z\mid x)$, what made this $x$ |
# |---|---|---|---|
# | classifier $p(y\mid x)$ | no: $x$ is given | no | no |
# | $x = G(z)$, rounded as above | yes | 0 unless $x$ is some $G(z)$ | only if $x$ is some $G(z)$ |
# | eq. (1) with noise, as here and in a VAE | yes | yes, by an integral | yes, by an integral |
#
# A VAE keeps the whole of eq. (1), and pays with an integral that in general it can only bound or
# estimate.

# %% [markdown]
# ## 1.10  What is missing?
#
# First, the integral. What if all six factors are free, with a grid of 40 cells for each?

# %% tags=["timing"]
start = time.perf_counter()
cats.render(cats.sample_factors(2000, np.random.default_rng(9)))
rate = 10 ** round(np.log10(2000 / (time.perf_counter() - start)))       # to a power of ten
print(f"this machine renders about {rate:,} cats a second")
units = {"years": 3.2e7, "days": 86400, "hours": 3600, "seconds": 1}
for L in (1, 2, 6, 50):
    seconds = 40.0**L / rate
    unit = next((name for name, length in units.items() if seconds > length), "seconds")
    print(f"latents: {L:2}, cats to render: {40.0**L:.0e}: {seconds / units[unit]:.2g} {unit}")

# %% [markdown]
# The grid grows exponentially with the number of latents. Eq. (8) as an expectation suggests a way
# around it, averaging over random draws. Notebook 02 begins there.
#
# Second, both our stories were built by hand. The doctor's diseases and the cat's factors have
# names, and somebody wrote down what each of them does. For handwritten digits we have no such
# story. So $p_\theta(x\mid z)$ will be a network, the *decoder*, with weights $\theta$ that are
# *learned* from pictures alone; $z$ will be a few numbers without names, independent standard
# Gaussians, which is written $z \sim N(0, I)$. What do such numbers come to mean? Here is one of
# the eight latents of the cat model from the top of this notebook, which was never told the chonk
# of a cat:

# %%
learned = VAE.pretrained("cats")
codes = learned.encode(flat)[0]      # for each cat of 1.1, where the model expects its z, (600, 8)
follows = np.corrcoef(codes.T, factors[:, 0])[-1, :-1]     # with chonk: one for each latent, (8,)
j = abs(follows).argmax()
print(f"latent {j}: its correlation with chonk is {follows[j]:+.2f}")
walk = np.repeat(codes[:1], 9, axis=0)                     # one cat, nine times
walk[:, j] = np.sign(follows[j]) * np.linspace(-2, 2, 9)
fig, ax = plots.figure(7, 1.2)
plots.show_grid(ax, learned.inverse_transform(walk).reshape(-1, 28, 28), 9,
                "one cat, one learned latent changed", cmap="gray")
fig

# %% [markdown]
# The cat grows chonkier, and other things change with it: a learned latent need not be one cause.
# And to find this latent we had to know the chonk of 600 cats. Notebook 10 measures what such a
# latent knows.
#
# To learn $\theta$ we change it until the data have high evidence. That takes $\log p(x)$, or
# something computable that stands in for it (notebooks 02 and 03); its gradient (04, 05 and 06);
# and a loop, a data set, and patience (07).

# %% [markdown]
# ## Recap
#
# - A classifier models $y$ given $x$; it has no distribution over $x$ to draw from.
# - A latent variable model is a story that runs: $z \sim p(z)$, $x \sim p_\theta(x\mid z)$, eq. (1).
# - The evidence adds up all ways in which $x$ can come about, eqs. (3) and (8); the posterior says
#   through which it came, eq. (4).
# - Causes that are independent at first can become dependent once their effect is seen.
# - Probabilities of pictures underflow. Work in logs, and sum with eq. (7).
# - With a coin of its own for each pixel, never certain, every black and white picture has a score. A
#   high one does not make it typical: typical pictures score near the average, and are many.
# - Enumeration is exact; a grid approximates. The cost of both grows exponentially with the number
#   of latents.
#
# ## Exercises
# `check` says what is right, or shows the smallest input where it is not; `hint("01.evidence")`
# gives a nudge, `solution("01.evidence")` the reference. After `from minivae.exercises import
# progress, review`, `progress()` lists what you have done and what is next, and `review()` asks
# some of the questions again, days later.

# %% [markdown]
# **The same cat twice.** Any story with finitely many $z$ and $x$ is two tables: `prior[z]` and
# `likelihood[z, x]`. Draw one $z$, and from it two pictures, each with coins of its own. What is
# the evidence of the pair? It is not $p(x)\,p(x')$.

# %%
def pair_evidence(prior, likelihood):    # p(z) (Z,), p(x|z) (Z, X)
    ...                                  # -> p(first is x, second is x') (X, X)


check("01.evidence", pair_evidence)

# %% [markdown]
# **Causes that help each other.** In 1.4 the flu made pneumonia less probable. Invent a symptom of
# two causes for which it is the other way round: once the symptom is seen, learning of the second
# cause makes the first *more* probable.

# %%
# Two causes, each present with probability 0.1, independently, and a symptom. Choose its
# probability for each pair: p(symptom | z1, z2) = my_symptom[z1][z2]. Once the symptom is
# seen, z1 = 1 must be more probable if z2 = 1 is known as well.
my_symptom = ...    # [[., .], [., .]]

check("01.helping", my_symptom)

# %% [markdown]
# **A rare cause.** Doctors are warned of a mistake: the cause under which a finding would be
# likeliest need not be the likeliest cause once it is found. Invent two tables in which that
# happens; what $z$ and $x$ mean is up to you.

# %%
# p(z) with Z >= 2 entries, and p(x|z) with one row for each z. For at least one x, the z
# under which x is likeliest must not be the likeliest z once x has been seen.
my_story = ...    # (p_z, p_x_given_z): lists or arrays

check("01.story", my_story)

# %% [markdown]
# **Ancestral sampling.** Two tables again, and the randomness is given: one uniform number to
# choose $z$ with, and one to choose $x$.

# %%
def ancestral_sample(prior, likelihood, u):    # (Z,), (Z, X), uniforms in [0, 1) (N, 2)
    ...                                        # -> z (N,), x (N,), whole numbers:
                                               # z from u[:, 0], then x from u[:, 1]


check("01.ancestral", ancestral_sample)

# %% [markdown]
# **Forwards and backwards disagree.** A colleague simulates the patients of 1.3. A share $s$ among
# $n$ of them scatters around the true one by about $\sqrt{s(1-s)/n}$, its *standard error*: to be
# off by one or two of these is luck, by five a mistake. Compare the shares of cough, of fever and
# of both with the evidence, in standard errors, and mend the function.

# %%
def simulate_symptoms(prior, cause, leak, n, seed):  # p(z_i = 1) (I,), eq. (2): (I, S), (S,)
    # n patients, and the symptoms that each of them has: -> (n, S) of 0 and 1
    coins = np.random.default_rng(seed)
    ill = coins.random((n, len(prior))) < prior
    leaks = coins.random((n, len(leak))) < leak
    attempts = coins.random((n, len(prior), 1)) < cause
    return leaks | (attempts & ill[:, :, None]).any(axis=1)


check("01.forwards", simulate_symptoms)

# %% [markdown]
# **A machine of your own.** Invent a cause that nobody sees and an effect that one does: a cat's
# mood and its purr, a fault and a noise. Write it as a program that throws coins; draw from it; and
# write its joint and its evidence as formulas. Add up `np.exp(log_joint(z, x))` over all $z$ and
# $x$ (one?), and compare `np.exp(score(x))` with the shares among your samples. `check` then
# follows every way in which your coins can fall, so that it knows your story exactly.

# %%
# run(coin) -> z, x       your story, causes first. coin(p) is 1 with probability p, else 0,
#                         and all chance comes from it. z and x: numbers, words, or tuples.
# sample(n, rng) -> [x]   the x of n runs of your story, with coins made from rng
# log_joint(z, x)         log p(z, x), nats; -np.inf for a pair that run cannot return
# score(x)                log p(x), nats
my_machine = ...    # (run, sample, log_joint, score)

check("01.machine", my_machine)

# %% [markdown]
# **Every picture under every cause.** `p[b]` holds the pixels' probabilities of white under $z_b$,
# and here they may be 0 or 1 exactly, as in 1.9. A picture that cannot occur has the log likelihood
# $-\infty$; nothing may come out as NaN.

# %%
def picture_log_likelihoods(x, p):    # x (N, D) of 0 and 1, p (B, D) in [0, 1] for B z
    ...                               # -> log p(x_n|z_b) (N, B), nats; impossible: -inf


check("01.log-likelihood", picture_log_likelihoods)

# %% [markdown]
# **Bayes' rule where everything underflows.** As in 1.6, for a prior that need not be uniform, and
# with causes that may be impossible: no step may leave the logs before it is safe.

# %%
def posterior_from_logs(log_prior, log_likelihood):    # log p(z) (Z,), log p(x|z) (Z, X)
    ...                                                # -> log p(x) (X,), p(z|x) (Z, X);
                                                       # an impossible x: -inf, nan


check("01.log-posterior", posterior_from_logs)

# %% [markdown]
# **Refine until it settles.** Eq. (8) for one latent, uniform on a range, with cells as in 1.6 and
# 1.7. Try finer and finer grids, and stop where log p(x) moves by less than the tolerance. (That is
# no proof, see 1.14: in the last test it stops before the grid that would find a narrow peak.)

# %%
def settled_log_evidence(log_p, low, high, counts, tolerance):
    ...    # log_p: z (B,) -> log p(x|z) (B,), nats; z is uniform from low to high
           # counts: numbers of cells, growing. -> log p(x), nats, and the number of cells,
           # at the first count within tolerance of the one before; if there is none,
           # the last value and 0


check("01.settled", settled_log_evidence)

# %% [markdown]
# **The wrong cat.** In 1.8 photographs are scored under the $z$ that they were thrown with. Score
# those of one cat under another: what comes out on average, and how much does it scatter? Compute
# both without drawing a photograph.

# %%
def score_under_another(p, q):    # p(white) of each pixel (D,): p throws the pictures, q
    ...                           # scores them. -> mean and standard deviation of
                                  # log q(x) over these pictures x, nats


check("01.typical", score_under_another)

# %% [markdown]
# **A story without noise.** For 1.9: which of these pictures does it rule out, and what explains
# the others? Several $z$ may draw the same picture.

# %%
def without_noise(x, drawn):    # pictures x (N, D); drawn (Z, D): G(z) of Z equally likely
    ...                         # z; all are 0 and 1. -> p(x) (N,), p(z|x) (N, Z),
                                # nan in the row of an x that no z draws


check("01.without-noise", without_noise)

# %% [markdown]
# **Next:** notebook 02 tries to average its way through the integral, sees when that fails, and
# finds a bound.

# %% [markdown]
# # Appendix (optional)
#
# Experiments behind some sentences above.
#
# ## 1.11  Why does noise count as heavy?
#
# The training cats differ in where they are white. Mark the pixels at which heavy cats are whiter
# than light ones, by 0.1 or more on average. Now make a thousand pictures of noise, and black out
# these pixels in each. As a control, black out as many pixels at random places instead.

# %%
def called_heavy(pictures, W, b):
    """The share of pictures (N, 784) that a classifier calls heavy."""
    return np.mean(pictures @ W + b > 0)


many = (np.random.default_rng(12).random((1000, 784)) < 0.5).astype(np.float32)
seen_heavy, seen_light = (flat[train][heavy[train] == label] for label in (1, 0))
extra = seen_heavy.mean(axis=0) > seen_light.mean(axis=0) + 0.1       # marked pixels (784,)
elsewhere = np.random.default_rng(13).permutation(extra)              # as many pixels, anywhere
noises = {"noise": many, "black at the marked": np.where(extra, 0, many),
          "black at random": np.where(elsewhere, 0, many)}
fig, axes = plots.figure(7.4, 2.4, 1, 4)
plots.show_grid(axes[0], extra.reshape(1, 28, 28), 1, f"{extra.sum()} marked\npixels", cmap="gray")
for ax, (name, batch) in zip(axes[1:], noises.items(), strict=True):
    title = f"{name}\n{called_heavy(batch, W, b):.0%} called heavy"
    plots.show_grid(ax, batch[0].reshape(1, 28, 28), 1, title, cmap="gray")
for name, part in (("at the marked pixels", W[extra]), ("at the others", W[~extra])):
    print(f"weights {name}: {part[part > 0].sum():+.1f} and {part[part < 0].sum():+.1f}")
print(f"b + half of all weights, noise on average: {b + W.sum() / 2:+.1f}")
fig

# %% [markdown]
# Black at the marked pixels, noise is hardly ever called heavy; black at as many random ones, it
# nearly always is. But a heavy cat also has more white fur in all than a light one. Could the
# classifier have learned that? Dim the heavy cats to 0.7 of their brightness, so that their pixels
# add up to *less* white than those of the light ones, and train again. And make a noise that is as
# white as a light cat.
#
# **Predict first.** What does the new classifier say about noise? (`"light"`, `"unsure"` or
# `"heavy"`)

# %%
predict("01.dimmed", ...)

# %%
dimmed = flat * np.where(heavy == 1, np.float32(0.7), np.float32(1))[:, None]
W_dim, b_dim = train_classifier(dimmed, heavy)
groups = {"light cats": flat[heavy == 0], "heavy cats": flat[heavy == 1],
          "dimmed heavy cats": dimmed[heavy == 1], "noise": many}
for name, batch in groups.items():
    print(f"sum of the pixels, {name}: {batch.sum(axis=1).mean():.0f} on average")
print(f"the new weights: {W_dim[W_dim > 0].sum():+.1f} and {W_dim[W_dim < 0].sum():+.1f}")
as_light = flat[heavy == 0].mean()                         # the share of white in a light cat
sparse = (np.random.default_rng(14).random((1000, 784)) < as_light).astype(np.float32)
for name, batch in {**noises, "noise as white as a light cat": sparse}.items():
    sure = np.mean(sigmoid(batch @ W_dim + b_dim) > 0.9)
    print(f"{name}: {called_heavy(batch, W_dim, b_dim):.0%} called heavy, {sure:.0%} with p above 0.9")

# %%
reveal("01.dimmed")

# %% [markdown]
# So noise is called heavy even if heavy cats have less white in all. Noise is white at half of the
# places that speak for a heavy cat and at half of those that speak for a light one, and the first
# have the larger weights in all. Noise as white as a light cat is nearly always called heavy too,
# with less confidence.
#
# The same code for each factor, with "above the middle of its range" as the label:

# %%
for k, factor in enumerate(cats.FACTORS):
    labels = (factors[:, k] > (factor.low + factor.high) / 2).astype(np.float32)
    W_k, b_k = train_classifier(flat, labels)
    right = np.mean((flat[test] @ W_k + b_k > 0) == (labels[test] == 1))
    p_noise = sigmoid(many @ W_k + b_k)
    sure = np.mean((p_noise < 0.1) | (p_noise > 0.9))
    print(f"{factor.name:13} right for {right:.0%} of the test cats; sure about {sure:4.0%} of the noise "
          "(p below 0.1 or above 0.9)")

# %% [markdown]
# For tail, tilt and position it is right about nearly all cats and seldom sure about noise; for ear
# height it is hardly better than a guess about cats, and sure about all the noise.

# %% [markdown]
# ## 1.12  Is less seen always less known?
#
# In 1.6 the posterior with the lower half covered had its middle at too light a weight, and was
# wider than with nothing covered. Take 100 other photographs of the same cat, and cover the upper
# half too, in its turn.
#
# **Predict first.** In how many of the 100 is the posterior wider with the *upper* half covered
# than with nothing covered? (`"half"`, `"most"` or `"all"`)

# %%
predict("01.upper-half", ...)

# %%
p_candidates = np.clip(cats.render(candidates), cats.P_MIN, 1 - cats.P_MIN).astype(float)
hundred = cats.sample_pixels(np.repeat(this_z, 100, axis=0), np.random.default_rng(11))
everywhere = np.ones((28, 28), bool)
means, sds = {}, {}
for name, where in (("nothing", everywhere), ("upper half", ~seen), ("lower half", seen)):
    beliefs_100 = np.array([normalised(np.log(np.where(x == 1, p_candidates, 1 - p_candidates))
                                       [:, where].sum(axis=1)) for x in hundred])    # (100, 121)
    means[name] = beliefs_100 @ chonk
    sds[name] = np.sqrt((beliefs_100 * (chonk - means[name][:, None]) ** 2).sum(axis=1))
    wider = np.sum(sds[name] > sds["nothing"])
    print(f"{name} covered: mean {means[name].mean():.2f} kg on average, from "
          f"{means[name].min():.1f} to {means[name].max():.1f}; standard deviation "
          f"{sds[name].mean():.3f} on average, wider than with nothing covered in {wider} of 100")

# %%
reveal("01.upper-half")

# %% [markdown]
# No, not always: in 14 of the 100, seeing the upper half as well made the posterior *wider*. Over
# all cats and photographs of the model, the mean variance of a posterior cannot grow by seeing
# more. The light middle of 1.6 was an accident: over these photographs the middle is near the truth
# on average.

# %% [markdown]
# ## 1.13  Why does the posterior have a corner?
#
# The solid curve in 1.6 has a corner near 6.3 kg. Compare the cats just below and just above, pixel
# by pixel:

# %%
two = np.repeat(this_z, 2, axis=0)
two[:, 0] = 6.3, 6.35
below, above = of_each_pixel(this_cat, two)
change = above - below
at = np.unravel_index(abs(change).argmax(), change.shape)
p_below, p_above = np.clip(cats.render(two), cats.P_MIN, 1 - cats.P_MIN)[:, at[0], at[1]]
print(f"from 6.30 to 6.35 kg log p(x|z) rises by {change.sum():.2f} nats, "
      f"{change[at]:.2f} of them at row {at[0]}, column {at[1]}")
print(f"that pixel is {'white' if this_cat[at] else 'black'} in the photograph, "
      f"and p goes from {p_below:.3f} to {p_above:.3f}")

# %% [markdown]
# A cat below 6.3 kg does not reach this pixel, which is white in the photograph, and $p$ lies at
# its floor, `cats.P_MIN`. From 6.3 kg on the edge of the body moves into the pixel, and the
# logarithm of a rising $p$ is steep near zero. The corner belongs to the model: one pixel can be a
# strong witness.

# %% [markdown]
# ## 1.14  When is a grid fine enough?
#
# In 1.7 the grid of 10 was 6 nats below the fine ones. Its neighbours, 9 and 11:

# %%
for n in (9, 10, 11):
    print(f"{n:2} cells each: {log_evidence_given_four(this_cat[None], n)[0]:8.2f} nats")

# %% [markdown]
# With 9 and with 11 cells the value is the same to 0.02 nats, and yet a nat above those of the fine
# grids. Where is the posterior, and where do the coarse grids have their middles?

# %%
fine = grid_of_cats(80)
together = normalised(log_likelihood(this_cat, fine))      # p(chonk, position | x), (6400,)
for k, name, width in ((0, "chonk", 6.0), (5, "position", 0.16)):
    mean = together @ fine[:, k]
    sd = np.sqrt(together @ (fine[:, k] - mean) ** 2)
    cells = ", ".join(f"{width / n / sd:.1f} of {n}" for n in (9, 11, 40, 80))
    print(f"{name}: posterior mean {mean:.4f}, sd {sd:.4f}; a cell in units of sd: {cells}")

# %%
fig, ax = plots.figure(5.2, 3)
ax.imshow(together.reshape(80, 80).T, cmap="Blues", origin="lower", aspect="auto",
          extent=(3, 9, -0.08, 0.08))
for n, marker, color in ((9, "o", plots.ORANGE), (10, "x", plots.RED)):
    ax.plot(*grid_of_cats(n)[:, (0, 5)].T, marker, ls="none", color=color, ms=6, mfc="none",
            label=f"middles of {n} by {n} cells")
ax.set(xlabel="chonk, kg", ylabel="position, picture widths", xlim=(5, 8.2), ylim=(-0.03, 0.04))
ax.set_title("a grid knows the posterior (blue) at its middles only")
ax.legend(fontsize=8, loc="upper left", frameon=True)
fig

# %% [markdown]
# The posterior is narrow in position. The grid of 9 (like that of 11) has middles at position 0,
# within a standard deviation of its mean, and each stands for a cell 7 to 9 of them wide: too much.
# The grid of 10 has no middle so near: too little. **Two grids that agree can both be wrong.** To
# trust a grid, compare its cells with the width of the posterior. At 40 they are about 1 and 2
# standard deviations wide.

# %% [markdown]
# ## 1.15  Why does an empty picture beat a cat upside down?
#
# Split eq. (6) by whether the coin fell against the odds: at the true $z$, and at the cell of the
# grid that explains the picture best.

# %%
cells = grid_of_cats(40)
for name in ("upside down", "an empty picture"):
    best = cells[[log_likelihood(four[name], cells).argmax()]]
    for where, one in (("the true z", this_z), ("the best cell", best)):
        p_one = np.clip(cats.render(one)[0], cats.P_MIN, 1 - cats.P_MIN)
        white_wrong = np.sum((four[name] == 1) & (p_one < 0.5))
        black_wrong = np.sum((four[name] == 0) & (p_one > 0.5))
        print(f"{name}, {where} ({one[0, 0]:.2f} kg, position {one[0, 5]:+.3f}): "
              f"{log_likelihood(four[name], one)[0]:.0f} nats; against the odds {white_wrong} white "
              f"pixels, {black_wrong} black")

# %% [markdown]
# At the true $z$ the empty picture is wrong only where the cat should be. The cat upside down
# misses about half of these pixels, and is white in many places where the model expected black.
# Over the grid the empty picture gains more: its best cell is the lightest cat, far to the right,
# with fewer pixels to miss.

# %% [markdown]
# ## 1.16  Does any $z$ give this photograph without noise?
#
# First 3000 random ones and the true one: in how many pixels is the photograph impossible, if $G$
# rounds?

# %%
greys = cats.render(np.concatenate([this_z, cats.sample_factors(3000, np.random.default_rng(3))]))
count = ((greys > 0.5) != (this_cat == 1)).sum(axis=(1, 2))                    # (3001,)
print(f"impossible pixels at the true z {count[0]}, at the best of 3000 {count[1:].min()}")

# %% [markdown]
# One impossible pixel is enough for $p(x\mid z) = 0$. For all $z$ one pixel decides: row 23, column
# 9, where the coins made a hole in the fur. Which factors does it depend on? Change the four from
# ears to eyes at random, for random chonks and positions; then go through chonk and position on a
# fine grid.

# %%
row, column = 23, 9
any_z = cats.sample_factors(3000, np.random.default_rng(5))
same_four = any_z.copy()
same_four[:, 1:5] = this_z[0, 1:5]                         # ears, tail, tilt and eyes as in this_z
change = cats.render(any_z)[:, row, column] - cats.render(same_four)[:, row, column]
print(f"the four factors change its grey value by at most {abs(change).max():.4f}")
grid = np.repeat(this_z, 101 * 101, axis=0)
grid[:, 0] = np.repeat(np.linspace(cats.LOW[0], cats.HIGH[0], 101), 101)       # chonk
grid[:, 5] = np.tile(np.linspace(cats.LOW[5], cats.HIGH[5], 101), 101)         # position
grey = cats.render(grid)[:, row, column].reshape(101, 101)
jump = max(abs(np.diff(grey, axis=k)).max() for k in (0, 1))
print(f"over chonk and position: {grey.min():.3f} at the darkest, neighbours differ by {jump:.3f}")
fig, ax = plots.figure(2.6, 2.6)
plots.show_grid(ax, this_cat[None], 1, "a hole in the fur", cmap="gray")
ax.plot(column, row, "o", mfc="none", color=plots.RED, ms=12)
fig

# %% [markdown]
# The head does not reach so low, and the tail lies behind the body, so chonk and position alone
# matter here. On their grid this pixel is everywhere lighter than 0.5, by several times the most
# that neighbours differ. So every $G(z)$ is white where the photograph is black, and
# $p(x\mid z) = 0$.
