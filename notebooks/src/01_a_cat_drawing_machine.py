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
#   from it;
# - run a story backwards: compute the evidence $p(x)$ and the posterior $p(z\mid x)$ by
#   enumeration, in logs;
# - score a picture under a model, and say which pictures a model without noise rules out.
#
# **Builds on** Bayes' rule and NumPy, nothing else. Reading time: 40 minutes.

# %%
import sys; sys.path[:0] = [".", ".."]

import time
from itertools import product

import numpy as np

from minivae import exact, plots
from minivae.data import cats
from minivae.exercises import check, hint, predict, reveal, solution

plots.notebook_style()
rng = np.random.default_rng(1)

# %% [markdown]
# First, where this is going. Six lines draw digits that nobody wrote and cats that nobody owns,
# from two small models that are shipped with this repository.

# %%
from minivae import VAE

fig, axes = plots.figure(8, 1.6, 1, 2)
for ax, name, colours in zip(axes, ("mnist", "cats"), ("gray_r", "gray"), strict=True):
    images = VAE.pretrained(name).sample(16, random_state=4)              # (16, 784)
    plots.show_grid(ax, images.reshape(-1, 28, 28), 8, f"drawn: {name}", cmap=colours)
fig

# %% [markdown]
# Each picture began as a handful of random numbers, and some are better than others. **By notebook
# 07 you will have written every line that made them**: the model, its gradients, the optimiser, and
# the loop, all in NumPy. The machine is called a *variational autoencoder*, VAE for short.
#
# This notebook asks what it means for a machine to know what cats look like. No network is needed
# to find out.

# %% [markdown]
# ## 1.1  Can a classifier draw?
#
# The first networks that most people train are classifiers: they take a picture $x$ and return
# $p(y\mid x)$, the probability of a label $y$. Such a machine has learned something about cats. Let
# us make one and ask it to draw.
#
# The pictures come from `minivae.data.cats`, a small program that draws cats of 28 by 28 pixels. The
# question for the classifier: is this cat heavy, above 6 kg? The smallest classifier is a weighted
# sum of the pixels, squeezed into a probability by the sigmoid function, and trained by following a
# gradient. (How such a gradient is derived is the subject of notebook 05; here only the trained
# result matters.)

# %%
pictures, factors = cats.draw(600, rng)                   # (600, 28, 28) in [0, 1], (600, 6)
flat = pictures.reshape(600, -1)
heavy = (factors[:, 0] > 6).astype(np.float32)            # the first factor is the weight, in kg
train, test = slice(0, 400), slice(400, 600)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


# %%
def train_classifier(flat):
    """Weights W (784,) and b of p(heavy | x) = sigmoid(x @ W + b), from the first 400 pictures."""
    W, b = np.zeros(784, np.float32), np.float32(0)
    for _ in range(150):
        error = sigmoid(flat[train] @ W + b) - heavy[train]
        W -= 0.1 * error @ flat[train] / 400
        b -= np.float32(0.1) * error.mean()
    return W, b


W, b = train_classifier(flat)
correct = (sigmoid(flat[test] @ W + b) > 0.5) == (heavy[test] > 0.5)
print(f"correct for {correct.mean():.0%} of {correct.size} cats that it was not trained on")

# %% [markdown]
# It is a good classifier. What will it say about a picture of white noise, in which every pixel is
# black or white with equal probability?
#
# **Predict first.** Questions like this one come before the cell that answers them. Put one of
# the words, in quotes, in place of the `...`, run the cell, and only then read on: an answer that
# you have committed to teaches more, above all when it is wrong. `reveal` shows your answer beside
# the truth. A wrong one costs nothing.

# %%
predict("01.noise", ...)          # "light", "unsure" or "heavy"

# %%
light_cat = flat[test][factors[test, 0].argmin()]
noise = (rng.random(784) < 0.5).astype(np.float32)
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
# The classifier is right about the cat, confident about noise, and the picture that it finds the
# heaviest of all is no cat.
#
# Why heavy? A heavy cat has more white fur than a light one, and noise has more white than either.
# Is that the reason? Take it away: dim the heavy cats to 0.7 of their brightness, so that their
# pixels add up to *less* white than those of the light ones, and train again.
#
# **Predict first.** What does the new classifier say about noise? (The words are the same.)

# %%
predict("01.dimmed", ...)

# %%
shades = np.where(heavy == 1, 0.7, 1).astype(np.float32)
dimmed = flat * shades[:, None]
W_dim, b_dim = train_classifier(dimmed)
many = (rng.random((1000, 784)) < 0.5).astype(np.float32)             # 1000 pictures of noise
extra = flat[heavy == 1].mean(axis=0) > flat[heavy == 0].mean(axis=0) + 0.1
black_there = np.where(extra, 0, many)
black_elsewhere = np.where(rng.permutation(extra), 0, many)           # as many pixels, anywhere
for name, data, weights, bias in (("as drawn", flat, W, b), ("dimmed", dimmed, W_dim, b_dim)):
    white = [data[heavy == k].sum(axis=1).mean() for k in (0, 1)]
    right = ((data[test] @ weights + bias > 0) == (heavy[test] == 1)).mean()
    print(f"{name}: sum of the pixels, light cats {white[0]:.0f}, heavy {white[1]:.0f}; "
          f"correct for {right:.0%}")
    for what, batch in (("noise", many), (f"black at {extra.sum()} random pixels", black_elsewhere),
                        (f"black at the {extra.sum()} where heavy cats, as drawn, are whiter",
                         black_there)):
        print(f"    {what}: called heavy {np.mean(batch @ weights + bias > 0):.0%}")
    print(f"    weights at these {extra.sum()}: {weights[extra].sum():+.1f} in all, elsewhere: "
          f"{weights[~extra].sum():+.1f}; b + half of all weights: {bias + weights.sum() / 2:+.1f}")

# %%
reveal("01.dimmed")

# %% [markdown]
# So it is not that heavy cats are whiter as a whole. What counts is *where* a picture is white: at
# places with a positive weight that speaks for a heavy cat, at places with a negative weight for a
# light one. Noise is white at half of the places of each kind, and the positive weights are larger in
# all, so noise ends on the heavy side. Kept black where heavy cats, as drawn, are whiter, it has
# little but negative weights left, and both classifiers see a light cat.
#
# Nothing is broken. $p(y\mid x)$ answers one question: *given* that this is the picture, which
# label? Its probabilities sum to one over the labels, for every $x$, cat or not. It was never asked
# how probable $x$ itself is, and it has no distribution to sample an $x$ from. To draw, we need
# one: a distribution over pictures.

# %% [markdown]
# ## 1.2  What does a machine that draws look like?
#
# Think of how a picture of a cat comes about. First there is a cat, of some weight, with ears of
# some height, holding its head and its tail in some way. Then there is light and a camera, and
# pixels. Write the causes as a list of numbers $z$ and the pixels as $x$. The story has two
# sentences:
#
# $$
# z \sim p(z), \qquad x \sim p(x \mid z) \tag{1}
# $$
#
# $p(z)$ is called the *prior*: what is true of cats before we look at one. We see $x$ and never
# $z$, so $z$ is called *latent*, hidden. Six factors make one of our cats, each uniform on a range:

# %%
for factor in cats.FACTORS:
    print(f"{factor.name:13} {factor.low:6.2f} to {factor.high:6.2f}  {factor.unit}")

# %% [markdown]
# The second sentence needs a drawing and an accident. The drawing is a program: `cats.render(z)`
# gives a grey value between 0 and 1 for each pixel. The accident is a coin for each pixel: it comes
# out white with the probability that the grey value names. To leave no pixel certain, the
# probabilities stay a little away from 0 and 1, by `cats.P_MIN`. Causes first, then effects: that
# is *ancestral sampling*.

# %%
def sample_cats(n, rng):
    """z ~ p(z), then x ~ p(x|z): -> z (n, 6), p (n, 28, 28), x (n, 28, 28) of 0 and 1."""
    z = rng.uniform(cats.LOW, cats.HIGH, (n, 6))
    p = np.clip(cats.render(z), cats.P_MIN, 1 - cats.P_MIN)
    x = (rng.random(p.shape) < p).astype(np.float32)
    return z, p, x


z, p, x = sample_cats(12, np.random.default_rng(7))
print(f"every p lies between {cats.P_MIN} and {1 - cats.P_MIN}")

# %%
fig, (top, bottom) = plots.figure(8, 2, 2, 1)
plots.show_grid(top, p, 12, "z ~ p(z), drawn: the probability of white", cmap="gray")
plots.show_grid(bottom, x, 12, "x ~ p(x | z): a coin thrown for each pixel", cmap="gray")
fig

# %% [markdown]
# Each column is one run of the story: a cat, and one photograph of it in bad light. The three lines
# of `sample_cats` are a cat-drawing machine.

# %% [markdown]
# Somebody had to decide how grey a coat is and how wide a cat of 6 kg: the renderer is full of such
# numbers. All that can be set in the second sentence is called $\theta$, the *parameters*, and one
# writes $p_\theta(x\mid z)$. Here is the whole model as a drawing. (Papers often make $\theta$ a
# node of its own, and put $z$ and $x$ in a box marked $N$, for $N$ pictures.)

# %%
def node(ax, x, text, shade, note):
    """One circle of the drawing: a random variable, shaded if it is seen."""
    ax.scatter(x, 0, s=1500, color=shade, edgecolor=plots.INK, zorder=2)
    ax.text(x, 0, text, ha="center", va="center", fontsize=15)
    ax.text(x, -0.62, note, ha="center", va="top", fontsize=9)


fig, ax = plots.figure(5.4, 1.7)
ax.annotate("", (2.6, 0), (0.4, 0), arrowprops={"arrowstyle": "-|>", "color": plots.INK, "lw": 1.5})
node(ax, 0, "$z$", "white", "the causes, not seen\n$z \\sim p(z)$")
node(ax, 3, "$x$", "#d9d9d9", "the pixels, seen\n$x \\sim p_\\theta(x\\mid z)$")
ax.text(1.5, 0.18, r"$\theta$", ha="center", fontsize=15)
ax.set(xlim=(-1.2, 4.2), ylim=(-1.3, 0.6))
ax.axis("off")
fig

# %% [markdown]
# The arrow says that $x$ is made from $z$, by a program with the parameters $\theta$. In this
# notebook $\theta$ was chosen by hand and stays as it is, so we leave the index away until it is
# needed. The paper that this course follows, *Auto-Encoding Variational Bayes* [Kingma and Welling
# 2014], uses the same letters.

# %% [markdown]
# ## 1.3  Can the story be run backwards?
#
# Running forwards, from causes to effects, is easy. The interesting direction is back: here is the
# effect, what was the cause? For cats this will take some arithmetic. A smaller story shows the
# principle: a doctor sees symptoms $x$ and wonders about diseases $z$.
#
# Five diseases, each present or not, independently of the others; six symptoms. (The numbers are
# made up.)

# %%
model = exact.diagnosis()
for disease, probability in zip(model.diseases, model.prior, strict=True):
    print(f"p({disease}) = {probability:.2f}")
print("symptoms:", ", ".join(model.symptoms))

# %% [markdown]
# Disease $i$, where present, tries to cause symptom $j$, and succeeds with the probability
# $\text{cause}_{ij}$. Now and then a symptom comes from nowhere: the *leak*. A symptom is absent
# only if all of these attempts have failed. They are independent, so their failures multiply:
#
# $$
# p(x_j = 0 \mid z) = (1 - \text{leak}_j) \prod_{i \,:\, z_i = 1} (1 - \text{cause}_{ij}) \tag{2}
# $$

# %%
def p_symptoms(z):
    """eq. (2) for one patient: z, five 0s and 1s -> p(x_j = 1 | z) for the six symptoms."""
    absent = 1 - model.leak
    for i, present in enumerate(z):
        if present:
            absent = absent * (1 - model.cause[i])
    return 1 - absent


flu_only = (0, 1, 0, 0, 0)
for symptom, chance in zip(model.symptoms, p_symptoms(flu_only), strict=True):
    print(f"p({symptom} | flu alone) = {chance:.3f}")

# %% [markdown]
# A patient comes in with cough and fever; the other symptoms were not looked at. What share of all
# patients is like that? Cough and fever can come about through every combination of diseases, and
# there are few enough to list. Once the diseases are given, the symptoms of this model come
# independently of each other, so $p(x\mid z)$ is the product for cough and fever; a symptom that
# nobody looked at drops out, since its two possibilities add up to one. The probability of *this $z$
# and this $x$ together* is the *joint*, $p(x, z) = p(z)\,p(x\mid z)$. Add it up over all $z$ and you
# have the *evidence*:
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
# The evidence is a promise about the story run forwards: among many simulated patients, that share
# should have both symptoms. Ancestral sampling can check it, from the story alone: throw a coin for
# each disease, each leak and each attempt, and do no arithmetic. The share $s$ among $n$ random
# patients scatters around the true one by about $\sqrt{s(1-s)/n}$, its *standard error*: to be off by
# one or two of them is luck, by five a mistake.

# %%
n, coins = 200_000, np.random.default_rng(8)
ill = coins.random((n, 5)) < model.prior                                   # z ~ p(z)
leaks = coins.random((n, 2)) < model.leak[:2]                              # cough, fever
attempts = coins.random((n, 5, 2)) < model.cause[:, :2]                    # by each disease, if there
symptoms = leaks | (attempts & ill[:, :, None]).any(axis=1)                # x ~ p(x|z), (n, 2)
share = symptoms.all(axis=1).mean()
error = np.sqrt(share * (1 - share) / n)
print(f"among {n:,} simulated patients: {share:.6f}, standard error {error:.6f}")
print(f"the promise was {abs(share - evidence) / error:.1f} standard errors away")

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
package = exact.disease_probabilities(model, {"cough": 1, "fever": 1})
print("our posterior and the package's agree:", np.allclose(after, list(package.values())))

# %%
fig, ax = plots.figure(6.6, 3)
places = np.arange(5)
ax.bar(places - 0.2, model.prior, 0.38, color=plots.GREY, label="prior")
ax.bar(places + 0.2, after, 0.38, color=plots.BLUE, hatch="//", edgecolor="white",
       label="posterior, given cough and fever")
ax.set(xticks=places, xticklabels=model.diseases, ylabel="probability of being present")
ax.set_title("two symptoms point at the flu")
ax.legend()
fig

# %% [markdown]
# Cough and fever lift cold, flu and pneumonia. Hay fever and migraine stay nearly where they were,
# since in this model fever hardly ever comes from either.

# %% [markdown]
# ## 1.4  What does one cause know of another?
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
    "cough, fever,\nflu confirmed": {"cough": 1, "fever": 1, "flu": 1},
}
pneumonia = [exact.disease_probabilities(model, found)["pneumonia"] for found in stages.values()]
for name, value in zip(stages, pneumonia, strict=True):
    print(f"p(pneumonia | {' '.join(name.split())}) = {value:.4f}")

# %%
fig, ax = plots.figure(5.4, 2.8)
ax.bar(list(stages), pneumonia, 0.55, color=[plots.GREY, plots.BLUE, plots.ORANGE])
ax.set(ylabel="p(pneumonia | what is known)", title="the flu explains the symptoms away")
fig

# %%
reveal("01.explaining-away")

# %% [markdown]
# Pneumonia falls back most of the way: once the flu accounts for the symptoms, they say much less
# about anything else. This is called *explaining away*. **Causes that are independent before we
# look can be dependent after.** They need not be: where a symptom is *absent*, every cause of it
# must have failed, and the failures of eq. (2) multiply, one factor for each disease.

# %%
for words, found in (("no fever", {"fever": 0}), ("no fever, flu", {"fever": 0, "flu": 1})):
    value = exact.disease_probabilities(model, found)["pneumonia"]
    print(f"p(pneumonia | {words}) = {value:.6f}")

# %% [markdown]
# Without fever the flu tells nothing about pneumonia. So a posterior can be a more tangled thing
# than its prior, and mostly is: notebook 02 will have to approximate one with something less
# tangled.

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
# `float32`, the numbers that networks are trained in? (`"tiny"`, `"zero"` or `"nan"`)

# %%
predict("01.underflow", ...)

# %%
pixels = np.full(784, 0.5, np.float32)
print("float32, one picture: ", np.prod(pixels))
print("float64, one picture: ", np.prod(pixels.astype(np.float64)))
print("float64, two pictures:", np.prod(pixels.astype(np.float64)) ** 2)
print(f"log of one: {784 * np.log(0.5):.2f} nats, log of two: {2 * 784 * np.log(0.5):.2f} nats")

# %%
reveal("01.underflow")

# %% [markdown]
# The product is a positive number smaller than any that `float32` can write (and with two pictures,
# than any that `float64` can): it *underflows* to zero. Its logarithm is a number of ordinary size,
# and turns the product into a sum:
#
# $$
# \log p(x \mid z) = \sum_{d=1}^{D} x_d \log p_d(z) + (1 - x_d) \log\big(1 - p_d(z)\big) \tag{6}
# $$
#
# With the natural logarithm the unit is called the *nat*. From here on the probability of a picture
# is kept as its log, in nats.

# %%
def log_likelihood(x, z):
    """eq. (6), nats: one picture x (S, S) of 0 and 1, many cats z (B, 6) -> (B,)."""
    p = np.clip(cats.render(z, len(x)), cats.P_MIN, 1 - cats.P_MIN).astype(np.float64)
    return np.log(np.where(x == 1, p, 1 - p)).sum(axis=(1, 2))


this_z = np.array([[6.5, 0.3, 140.0, 8.0, 0.8, 0.0]])      # 6.5 kg, tail 140 degrees, awake
this_cat = cats.sample_pixels(this_z, np.random.default_rng(2))[0]
log_p = log_likelihood(this_cat, this_z)[0]
print(f"log p(x|z) at the z that made x: {log_p:.2f} nats")
print(f"so p(x|z) itself is about 10^{log_p / np.log(10):.0f}; float32 ends at 10^-45")
print("the package agrees:", np.allclose(log_p, cats.log_likelihood(this_cat, this_z)))

# %% [markdown]
# Even the right $z$ gives this picture a probability that `float32` cannot write. That is no sign of
# a bad model: there are very many photographs of one cat, and each gets a small share.
#
# One trap is left. Evidence and posterior need a *sum over z of probabilities*, and the log of a
# sum is not a sum of logs. Going back through `exp` underflows again. Here is a larger photograph of
# this cat, 128 by 128 pixels, and three guesses at its weight, the true one among them:

# %%
large = cats.sample_pixels(this_z, np.random.default_rng(2), size=128)[0]
three = np.repeat(this_z, 3, axis=0)
three[:, 0] = 6.4, 6.5, 6.6                                # three guesses at the weight, kg
a = log_likelihood(large, three)
print("log p(x|z), nats:", a.round(2))
print("p(x|z), float64: ", np.exp(a))
with np.errstate(divide="ignore"):
    print("log of their sum:", np.log(np.exp(a).sum()))

# %% [markdown]
# The answer should lie close to the largest of the three. The way out: pull the largest,
# $m = \max_k a_k$, out of the sum *before* exponentiating. Since $e^{a_k} = e^{m} e^{a_k - m}$,
#
# $$
# \log \sum_k e^{a_k} = m + \log \sum_k e^{a_k - m} \tag{7}
# $$
#
# Now the largest term is $e^0 = 1$: nothing overflows, and whatever underflows was too small to
# count. With the log of the sum in hand, Bayes' rule works in logs too: subtract it, and only then
# exponentiate.

# %%
m = a.max()
print(f"eq. (7):              {m + np.log(np.exp(a - m).sum()):.4f} nats")
print(f"exact.log_sum_exp(a): {exact.log_sum_exp(a):.4f} nats")
print("posterior of each:    ", np.exp(a - exact.log_sum_exp(a)).round(6))

# %% [markdown]
# ## 1.6  How heavy is this cat?
#
# Everything is ready for the question that a cat-owner would ask. Here is one photograph. Suppose
# we know its ears, tail, head, eyes and position, and want its weight, called *chonk*. There are
# not 32 values of chonk but infinitely many, so lay a grid of 121 cells over its range, and apply
# eqs. (3) and (4) as before, with the middle of each cell for the whole cell. The prior is uniform:
# every cell weighs the same, and the weight cancels.

# %%
step = (9.0 - 3.0) / 121
chonk = 3.0 + step * (np.arange(121) + 0.5)                # the middles of 121 cells, kg
candidates = np.repeat(this_z, 121, axis=0)
candidates[:, 0] = chonk
of_chonk = log_likelihood(this_cat, candidates)            # log p(x|z), (121,)
posterior_chonk = np.exp(of_chonk - exact.log_sum_exp(of_chonk))     # p(chonk | x), sums to 1
mean = posterior_chonk @ chonk
sd = np.sqrt(posterior_chonk @ (chonk - mean) ** 2)
print(f"posterior: {mean:.2f} kg, give or take {sd:.2f}; the truth is {this_z[0, 0]} kg")

# %% [markdown]
# Now cover the lower half of the picture. As with the symptoms that nobody looked at, the covered
# pixels drop out: only those of the upper half enter the sum of eq. (6).
#
# **Predict first.** What happens to the posterior? (`"narrower"`, `"the same"` or `"wider"`)

# %%
predict("01.half-covered", ...)

# %%
def chonk_given(x, seen):
    """p(chonk | the seen pixels) on the 121 cells, and its standard deviation."""
    found = cats.chonk_posterior(x, this_z[0], seen=seen, cells=(121, 1))     # one tail: the true one
    mean = found.probability @ chonk
    return found.probability, mean, np.sqrt(found.probability @ (chonk - mean) ** 2)


everywhere, seen = np.ones((2, 28, 28), bool)
seen[14:] = False                                          # the lower half is covered
whole, _, _ = chonk_given(this_cat, everywhere)
covered, mean, sd = chonk_given(this_cat, seen)
print("our posterior and the package's agree:", np.allclose(posterior_chonk, whole))
print(f"half covered: {mean:.2f} kg, give or take {sd:.2f}")

# %%
fig, (photo, half, ax) = plots.figure(8, 2.5, 1, 3, width_ratios=(1, 1, 2))
plots.show_grid(photo, this_cat[None], 1, "the whole cat", cmap="gray")
plots.show_grid(half, np.where(seen, this_cat, 0.5)[None], 1, "half covered", cmap="gray")
ax.plot(chonk, posterior_chonk / step, color=plots.BLUE, label="whole")
ax.plot(chonk, covered / step, color=plots.RED, ls="--", label="half covered")
ax.axhline(1 / 6, color=plots.GREY, ls=":", label="prior")
ax.axvline(this_z[0, 0], color=plots.INK, lw=0.8)
ax.set(xlabel="chonk, kg (line: the truth)", ylabel="density per kg", title="less seen, less known")
ax.legend(fontsize=8)
fig

# %%
reveal("01.half-covered")

# %% [markdown]
# With the body covered, the width of the head and the cheeks still say something about weight, and
# the posterior says how much: it is wider, and not as wide as the prior. Its middle is too light
# this time. Is that a fault of covering, or an accident of the coins? And is less seen always less
# known? Take 100 other photographs of the same cat, and cover the upper half too, in its turn.
#
# **Predict first.** In how many of the 100 is the posterior wider with the *upper* half covered than
# with nothing covered? (`"half"`, `"most"` or `"all"`)

# %%
predict("01.upper-half", ...)

# %%
photographs = cats.sample_pixels(np.repeat(this_z, 100, axis=0), np.random.default_rng(11))
middles = [chonk_given(x, seen)[1] for x in photographs]
print(f"lower half covered: {np.mean(middles):.2f} kg on average, "
      f"from {min(middles):.1f} to {max(middles):.1f}")
widths = {name: np.array([chonk_given(x, where)[2] for x in photographs])
          for name, where in (("nothing", everywhere), ("upper", ~seen), ("lower", seen))}
for half in ("upper", "lower"):
    wider = np.sum(widths[half] > widths["nothing"])
    print(f"{half} half covered: wider in {wider} of 100; give or take {widths[half].mean():.3f} "
          f"on average, {widths['nothing'].mean():.3f} with nothing covered")

# %%
reveal("01.upper-half")

# %% [markdown]
# The light middle was an accident: the coins fell so that this head resembles a lighter cat's. The
# posterior is wide enough to allow for such accidents. A latent variable model does not make one
# guess; it returns every $z$, weighted by its prior and by how well it explains $x$.
#
# The solid curve has a corner near 6.3 kg. Is that a bug in the renderer? Compare the cats just
# below and just above, pixel by pixel:

# %%
two = np.repeat(this_z, 2, axis=0)
two[:, 0] = 6.3, 6.35
below, above = np.clip(cats.render(two), cats.P_MIN, 1 - cats.P_MIN).astype(float)
white = this_cat == 1
change = np.log(np.where(white, above, 1 - above)) - np.log(np.where(white, below, 1 - below))
at = np.unravel_index(abs(change).argmax(), change.shape)
print(f"from 6.30 to 6.35 kg log p(x|z) rises by {change.sum():.2f} nats, "
      f"{change[at]:.2f} of them at row {at[0]}, column {at[1]}")
print(f"that pixel is {'white' if white[at] else 'black'} in the photograph, "
      f"and p goes from {below[at]:.3f} to {above[at]:.3f}")

# %% [markdown]
# A cat below 6.3 kg does not reach this pixel, which is white in the photograph, and $p$ lies at its
# floor, `cats.P_MIN`. From 6.3 kg on the edge of the body moves into the pixel, and the logarithm of
# a rising $p$ is steep near zero. The corner belongs to the model: one pixel can be a strong witness.

# %% [markdown]
# ## 1.7  Which pictures are cats?
#
# The posterior was a share of a sum, and that sum, the evidence, is worth having for itself. For a
# continuous $z$ eq. (3) becomes an integral:
#
# $$
# p(x) = \int p(x \mid z)\, p(z)\, dz = \mathbb{E}_{z \sim p(z)}\big[\,p(x \mid z)\,\big] \tag{8}
# $$
#
# Read it from the right: draw causes from the prior, ask each how probable it makes $x$, average.
# With a uniform prior and a grid of equal cells, the integral is about the mean over the cells.
# Take two factors free, chonk and tail curl, and the other four given. What comes out is then
# $p(x \mid \text{those four})$, the evidence among cats with these ears, this tilt, these eyes and
# this place. (All six wait in 1.10.) How fine does the grid have to be?

# %%
def grid_of_cats(chonks, tails):
    """The middles of equal cells of chonk and tail curl, the other four as in this_z."""
    z = np.repeat(this_z, chonks * tails, axis=0)
    z[:, 0] = np.repeat(3 + 6 * (np.arange(chonks) + 0.5) / chonks, tails)         # 3 to 9 kg
    z[:, 2] = np.tile(10 + 260 * (np.arange(tails) + 0.5) / tails, chonks)         # 10 to 270 degrees
    return z


def log_evidence_given_four(x, chonks, tails):
    """The log of eq. (8), nats: the mean of p(x|z) over the grid, by eq. (7)."""
    log_p = log_likelihood(x, grid_of_cats(chonks, tails))
    return exact.log_sum_exp(log_p) - np.log(len(log_p))


# %%
for chonks, tails in ((41, 14), (41, 15), (41, 40), (41, 41), (41, 160), (41, 161), (81, 161)):
    value = log_evidence_given_four(this_cat, chonks, tails)
    print(f"{chonks} chonks, {tails:3} tails, {260 / tails:4.1f} degrees apart: {value:.3f} nats")
package = cats.chonk_posterior(this_cat, this_z[0], cells=(41, 161))
ours = log_evidence_given_four(this_cat, 41, 161)
print("ours and the package's agree:", np.isclose(package.log_evidence, ours))
tail, share = package.other, package.joint.sum(axis=0)                       # p(tail | x)
sd = np.sqrt(share @ (tail - share @ tail) ** 2)
print(f"the posterior of the tail: give or take {sd:.1f} degrees")

# %% [markdown]
# Fifteen tails are too few: their cells are several times as wide as the posterior, so the answer
# depends on where the cells happen to lie, and with fourteen it is another. With 40 or 41 it still
# does, though a cell is less than two standard deviations wide. (An odd number puts the middle of a
# cell on the true tail.) With 160 or 161 only the second decimal moves, as it does with more chonks.
# The sum over 32 combinations of diseases was the exact
# answer; a grid approximates an integral, and refining it is how to see whether it does so well.
#
# Now score four pictures, one of them the noise that the classifier was so sure about.

# %%
four = {
    "this cat": this_cat,
    "upside down": this_cat[::-1],
    "an empty picture": np.zeros((28, 28)),
    "noise": noise.reshape(28, 28),
}
scores = {name: log_evidence_given_four(picture, 41, 81) for name, picture in four.items()}
for name, value in scores.items():
    behind = scores["this cat"] - value
    print(f"{name:17} log p(x | the four) = {value:9.1f} nats, {behind:7.1f} behind")

# %%
fig, axes = plots.figure(7, 2.2, 1, 4)
for ax, (name, picture) in zip(axes, four.items(), strict=True):
    behind = scores["this cat"] - scores[name]
    title = name if name == "this cat" else f"{name}\n{behind:.0f} nats behind"
    plots.show_grid(ax, picture[None], 1, title, cmap="gray")
fig

# %% [markdown]
# The cat is ahead of the others by hundreds of nats, and a nat is a factor of $e$ in probability.
# This is the question that the classifier could not even be asked. It is also what we will train
# on: a good model of cats is one that gives high $\log p(x)$ to photographs of cats.

# %% [markdown]
# ## 1.8  Is a probable picture a typical one?
#
# Look at the order of the others once more. With the four factors given, an *empty* picture is far
# more probable than a cat upside down. Now take a single $z$, the true one, and split eq. (6) by what
# the model expected of each pixel:

# %%
ahead = scores["an empty picture"] - scores["upside down"]
print(f"log p(x | the four): the empty picture is {ahead:.0f} nats ahead of the cat upside down")
p_true = np.clip(cats.render(this_z)[0], cats.P_MIN, 1 - cats.P_MIN).astype(float)
for name in ("this cat", "upside down", "an empty picture"):
    picture = four[name]
    surprised = {"white where black was sure": (picture == 1) & (p_true < 0.05),
                 "black where white was sure": (picture == 0) & (p_true > 0.95)}
    for what, where in surprised.items():
        cost = np.log(1 / np.where(picture == 1, p_true, 1 - p_true)[where]).sum()
        print(f"{name:17} {where.sum():3} pixels {what}, cost {cost:5.1f} nats")

# %% [markdown]
# The empty picture is wrong only where the cat should be. The cat upside down misses part of that
# too, and besides is white in many places where the model was sure of black. The score adds up
# pixels; it does not ask how much a picture looks like a cat.
#
# There is a picture that scores even better than our photograph. Take the renderer's drawing and
# round each pixel to the likelier colour, so that no coin goes against the odds:

# %%
smooth = (p_true > 0.5).astype(float)
thousand = cats.sample_pixels(np.repeat(this_z, 1000, axis=0), np.random.default_rng(4))
at_true_z = np.log(np.where(thousand == 1, p_true, 1 - p_true)).sum(axis=(1, 2))
print(f"log p(x | true z): 1000 photographs {at_true_z.mean():.0f} +- {at_true_z.std():.0f} nats, "
      f"the best {at_true_z.max():.0f}; the rounded drawing {log_likelihood(smooth, this_z)[0]:.0f}")
print(f"log p(x | the four): this cat {scores['this cat']:.0f} nats, "
      f"the rounded drawing {log_evidence_given_four(smooth, 41, 81):.0f}")

# %% [markdown]
# No photograph comes near it, although each was drawn from the model. Any one noisy picture is less
# probable than the smooth one; there are just vastly more noisy ones. So a high $\log p(x)$ is no
# certificate that $x$ is typical of the model, and simple pictures can score above real data. This
# happens with learned models too: several that were trained on photographs of objects gave higher
# likelihoods to photographs of house numbers, which vary less [*Do Deep Generative Models Know
# What They Don't Know?*, Nalisnick et al. 2019].

# %% [markdown]
# ## 1.9  What does a GAN throw away?
#
# There is a famous way to have samples and never face the integral. A *generative adversarial
# network*, GAN [*Generative Adversarial Nets*, Goodfellow et al. 2014], keeps $z \sim p(z)$ and a
# program $G$ that turns it into a picture, $x = G(z)$, with no noise on the pixels. A second network
# is trained to tell $G$'s pictures from real ones, and $G$ is trained to fool it. The probability of
# a picture appears nowhere.
#
# We can make such a generator without training: render, and round each pixel to black or white.
# Then $p(x\mid z)$ is 1 for the picture that $G(z)$ is, and 0 for every other. What is the evidence
# of our photograph under that story? Draw many $z$ and count in how many pixels $G(z)$ differs from
# it.

# %%
generated = cats.render(cats.sample_factors(3000, np.random.default_rng(3))) > 0.5     # G(z)
differing = (generated != (this_cat == 1)).sum(axis=(1, 2))                            # (3000,)
print(f"of {differing.size} generated cats, {np.sum(differing == 0)} are this picture")
print(f"the nearest differs in {differing.min()} pixels of 784")
of_true_z = ((cats.render(this_z)[0] > 0.5) != (this_cat == 1)).sum()
print(f"G(the true z) differs in {of_true_z}: so many coins fell against the odds")

# %%
fig, ax = plots.figure(6.4, 2.7)
ax.hist(differing, bins=np.arange(0, 300, 4), color=plots.GREY)
ax.axvline(0, color=plots.RED, lw=2.5, label="what p(x|z) > 0 would need")
ax.set(xlabel="pixels in which G(z) differs from the photograph", ylabel="of 3000 cats")
ax.set_title("without pixel noise, none of these z explains x")
ax.legend()
fig

# %% [markdown]
# No $G(z)$ comes near the line, among three thousand, and the true $z$ does not either: its drawing
# is kept away by the coins alone. Is there any, among all $z$? One pixel settles it: row 23, column
# 9, where the coins made a hole in the fur. The head does not reach so low, and the tail lies behind
# the body, so this pixel depends on two factors alone, chonk and position, and two factors can be
# gone through on a fine grid.

# %%
row, column = 23, 9
others = np.repeat(this_z, 1000, axis=0)
others[:, 1:5] = cats.sample_factors(1000, np.random.default_rng(5))[:, 1:5]   # ears to eyes
grey = cats.render(others)[:, row, column]
print(f"in the photograph: {this_cat[row, column]:.0f}")
print(f"its grey value with any ears, tail, tilt and eyes: {grey.min():.4f} to {grey.max():.4f}")
fine = np.repeat(this_z, 101 * 101, axis=0)
fine[:, 0] = np.repeat(np.linspace(cats.LOW[0], cats.HIGH[0], 101), 101)       # chonk
fine[:, 5] = np.tile(np.linspace(cats.LOW[5], cats.HIGH[5], 101), 101)         # position
print(f"the darkest, over chonk and position: {cats.render(fine)[:, row, column].min():.3f}")

# %% [markdown]
# Every cat of this machine has fur there, so every $G(z)$ is white where the photograph is black.
# Hence $p(x\mid z) = 0$ for every $z$, and so is their average, the evidence. A generator without
# noise can draw, and gives no score to a picture that it would not draw itself, to the last pixel:
# its log-evidence is $-\infty$, and there is no posterior, since eq. (4) divides zero by zero. The
# coin at each pixel is what makes every picture possible and comparable.
#
# | | draws an $x$ | $p(x)$, how probable is this $x$ | $p(z\mid x)$, what made this $x$ |
# |---|---|---|---|
# | classifier $p(y\mid x)$ | no | no | no |
# | GAN: eq. (1) without the coins | yes, and often sharp | no: 0 for every $x$ that $G$ does not draw | no |
# | eq. (1) with coins, as here and in a VAE | yes | yes, by an integral | yes, by an integral |
# | flow: $x = G(z)$, and $G$ can be inverted | yes | yes, exactly | one $z$, exactly |
# | autoregressive: pixel after pixel, no $z$ | yes | yes, exactly | there is no $z$ |
#
# The last two rows show that noise is one way to a score, not the only one. What the GAN keeps is
# worth having: its training asks that pictures pass for real, and they often do. What it throws away
# is the ability to score a picture it has not made, and so to be compared by likelihood with another
# model on pictures that neither has seen. A VAE keeps the whole of eq. (1), and pays with an integral
# that in general it can only bound or estimate.

# %% [markdown]
# ## 1.10  What is missing?
#
# First, the integral. We integrated over two factors and were told the other four. What if all six
# are free, with a grid of 40 cells for each, which was too coarse for the tail in 1.7?

# %% tags=["timing"]
start = time.perf_counter()
cats.render(cats.sample_factors(2000, rng))
rate = 10 ** round(np.log10(2000 / (time.perf_counter() - start)))       # to a power of ten
print(f"this machine renders about {rate:,} cats a second")
for L in (1, 2, 6, 50):
    days = 40.0**L / rate / (24 * 3600)
    print(f"latents: {L:2}, cats to render: {40.0**L:.1e}, which takes {days:.1g} days")

# %% [markdown]
# The grid grows exponentially with the number of latents, for a single picture. Eq. (8) as an
# expectation suggests a way around the grid, averaging over random draws. Notebook 02 begins by
# trying that.
#
# Second, for these cats we wrote the renderer ourselves. For handwritten digits we have none. So
# $p_\theta(x\mid z)$ will be a network, the *decoder*, and $\theta$ its weights, which start as
# noise; $z$ will be a few numbers without a meaning given in advance, independent standard
# Gaussians, each of mean 0 and variance 1, which is written $z \sim N(0, I)$. We change $\theta$
# until the data have high evidence. Three things are needed for that:
#
# - $\log p(x)$, or something computable that stands in for it (notebooks 02 and 03);
# - its gradient (04, 05 and 06);
# - a loop, a data set, and patience (07), then speed (08), honest measurement (09), and a use for
#   it (10).

# %% [markdown]
# ## Recap
#
# - A classifier models $y$ given $x$; it has no distribution over $x$, so it cannot draw, and it
#   answers for noise as it does for cats.
# - A latent variable model is a story that runs: $z \sim p(z)$, $x \sim p_\theta(x\mid z)$, eq. (1).
# - The evidence adds up all ways in which $x$ can come about, eqs. (3) and (8); the posterior says
#   through which it came, eq. (4).
# - Causes that are independent at first can become dependent once their effect is seen: explaining
#   away.
# - Probabilities of pictures underflow. Work in logs, and sum with eq. (7).
# - With noise at every pixel, the evidence of such a story scores every picture. A high score does
#   not make a picture typical: a drawing without noise beats each of a thousand photographs.
# - Enumeration is exact; a grid is good where its cells are small beside the posterior. Both are out
#   of reach beyond a few latents.
#
# ## Exercises
#
# Each stub is yours to fill in. `check` says what is right, or shows the smallest input where it is
# not; `hint("01.evidence")` gives a nudge, `solution("01.evidence")` the reference. After
# `from minivae.exercises import progress, review`, `progress()` lists what you have done and what is
# next, and `review()` asks some of the questions again, days later.

# %% [markdown]
# **The evidence, by enumeration.** Any story with finitely many $z$ and $x$ is two tables:
# `prior[z]` and `likelihood[z, x]`. Eq. (3) for every $x$ at once.

# %%
def my_evidence(prior, likelihood):    # p(z) (Z,), p(x|z) (Z, X) -> p(x) (X,)
    ...


check("01.evidence", my_evidence)

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
# **Ancestral sampling.** Two tables again, and the randomness is given: one uniform number to
# choose $z$ with, and one to choose $x$. A uniform number falls between two running sums of the
# probabilities; `np.cumsum` makes them.

# %%
def ancestral_sample(prior, likelihood, u):    # (Z,), (Z, X), uniforms in [0, 1) (N, 2)
    ...                                        # -> z (N,), x (N,), whole numbers:
                                               # z from u[:, 0], then x from u[:, 1]


check("01.ancestral", ancestral_sample)

# %% [markdown]
# **Refine until it settles.** Eq. (8) for one latent, uniform on a range, with cells as in 1.6 and
# 1.7. Go through growing grids, and stop where the evidence no longer moves.

# %%
def settled_log_evidence(log_p, low, high, counts, tolerance):
    ...    # log_p: z (B,) -> log p(x|z) (B,), nats; z is uniform from low to high
           # counts: numbers of cells, growing. -> log p(x), nats, and the number of cells,
           # at the first count within tolerance of the one before; if there is none,
           # the last value and 0


check("01.settled", settled_log_evidence)

# %% [markdown]
# **Every picture under every cause.** `p[b]` holds the pixels' probabilities of white under $z_b$,
# and here they may be 0 or 1 exactly, as in 1.9. A picture that cannot occur has the log likelihood
# $-\infty$; nothing may come out as NaN.

# %%
def picture_log_likelihoods(x, p):    # x (N, D) of 0 and 1, p (B, D) in [0, 1] for B z
    ...                               # -> log p(x_n|z_b) (N, B), nats; impossible: -inf


check("01.log-likelihood", picture_log_likelihoods)

# %% [markdown]
# **Bayes' rule where everything underflows.** The whole of 1.6, for a prior that need not be uniform:
# no step may leave the logs before it is safe.

# %%
def posterior_from_logs(log_prior, log_likelihood):    # log p(z) (Z,), log p(x|z) (Z, X)
    ...                                                # -> log p(x) (X,), p(z|x) (Z, X);
                                                       # an impossible x: -inf, nan


check("01.log-posterior", posterior_from_logs)

# %% [markdown]
# **A story of your own.** Doctors are warned of it: the cause that would explain a finding best need
# not be the cause that the finding makes most probable. Invent a story in which that happens; what
# its $z$ and $x$ mean is up to you.

# %%
# p(z) with Z >= 2 entries, and p(x|z) with one row for each z. For at least one x, the z
# under which x is likeliest must not be the likeliest z once x has been seen.
my_story = ...    # (p_z, p_x_given_z): lists or arrays

check("01.story", my_story)

# %% [markdown]
# **Next:** notebook 02 tries to average its way through the integral, sees when that fails, and
# finds a bound.
