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
# - measure what a latent knows about a factor, and say when a metric fools you;
# - explain why the likelihood cannot prefer interpretable axes, and why the ELBO can;
# - answer "are the latents interpretable?" with error bars, for a criterion fixed beforehand.
#
# **Builds on** notebook 01 (the cats), 07 (beta), 09 (importance weights, $q^*$). Reading time:
# 35 minutes.

# %%
import sys; sys.path[:0] = [".", "..", "minivae", "../minivae"]

from pathlib import Path

import numpy as np

from minivae import data, exact, plots, vae
from minivae.data import cats
from minivae.studies import cat_study
from minivae.evaluate import interpretability as measure
from minivae.estimator import VAE
from minivae.exercises import check, hint, predict, recall, reveal, solution

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


def show_rows(images, columns, labels, title, width=4.4):
    """Rows of 28 x 28 pictures, a label before each; few grey levels keep the file small."""
    h = len(images) // columns
    fig, ax = plots.figure(width, 0.5 * h + 0.6)
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
made = cats.dataset(1, 10_000)                     # the test cats, with their factors
x = data.fixed_binarization(made.test.reshape(10_000, -1), data.BINARIZATION_SEED)
mu, logvar = vae.encode(params, x, spec)           # (N, L)
L = spec.latent_dim


def sweep(z, latent, steps=7):
    """Copies of z (L,) in which one latent goes from -2 to 2: (steps, L)."""
    rows = np.repeat(z[None], steps, axis=0)
    rows[:, latent] = np.linspace(-2, 2, steps)
    return rows


z = np.concatenate([sweep(mu[0], latent) for latent in range(L)])
show_rows(vae.mean_image(params, z, spec), 7, [f"latent {j}" for j in range(L)],
          "one cat, one latent at a time")

# %% [markdown]
# Something happens in most rows, and with a little good will one finds the chonk row, the tail
# row, the row that moves the whole cat. It is tempting to stop here.
#
# Three reasons for doubt. We *searched* for names after looking at the rows, and found them.
# We saw one cat: another cat might change otherwise. And we did not ask the question the other way
# round: if I tell you this latent's value, do you know how chonky the cat is? That one can
# be measured.

# %% [markdown]
# ## 10.3  How much does a latent know?
#
# Two quantities $v$ (a factor) and $c$ (a latent) share *mutual information*: how much better, in
# nats, the pair is described jointly than as two strangers. It is a KL, the one between the joint
# distribution and the product of the two:
#
# $$
# I(v; c) = \sum_{a, b} p(a, b) \log \frac{p(a, b)}{p(a)\,p(b)} \tag{1}
# $$
#
# It is 0 for strangers, and it is the whole entropy $\mathrm{H}(v)$ if $c$ decides $v$. So
# $I / \mathrm{H}(v)$ is the share of the factor that the latent knows. Nothing is assumed about
# the form of the relation: a curve counts as much as a line.
#
# To count, cut both into 20 bins. The bins hold equally many examples each, so that it does
# not matter how a latent is scaled or bent: only the order of its values is used. And the code
# of an image is a *draw* $z \sim q(z\mid x)$, since that is what the decoder gets.

# %%
BINS = 20


def into_bins(v):
    """Bin numbers 0..19 with equally many examples in each: (N,) -> (N,)."""
    rank = v.argsort().argsort()
    return rank * BINS // len(v)


def mutual_information(v, c):
    """eq. (1) by counting, nats: (N,), (N,) -> float."""
    joint = np.bincount(into_bins(v) * BINS + into_bins(c), minlength=BINS**2)
    joint = joint.reshape(BINS, BINS) / len(v)
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    there = joint > 0                                       # 0 log 0 = 0
    return (joint[there] * np.log(joint[there] / apart[there])).sum()


codes = mu + np.exp(logvar / 2) * rng.standard_normal(mu.shape)
factors = made.test_factors                                               # (N, 6)
known = np.array([[mutual_information(v, c) for c in codes.T] for v in factors.T])
known /= np.log(BINS)                                                     # H(v) of equal bins
package = measure.normalised_information(factors, codes)
print("our table and the package's agree:", np.allclose(known, package, atol=1e-6))

# %%
fig, (left, right) = plots.figure(8, 2.7, 1, 2)
plots.information_map(left, measure.normalised_information(factors, factors), cats.NAMES)
left.set(title="a perfect code", xlabel="factor")
plots.information_map(right, known, cats.NAMES, "the shipped model")
fig

# %%
for f, name in enumerate(cats.NAMES):
    print(f"{name:<13} best: latent {known[f].argmax()}, which knows {known[f].max():.0%} of it")

# %% [markdown]
# Left, the factors measured against themselves: one dark square in each row and nothing else.
# Right, our model: pale squares, and rows with none. Go back to 10.2 and look at the row of
# chonk's best latent: the picture was convincing, the number is small.
#
# Is the number too strict? Look at the cats themselves, 1500 of them.

# %%
best = known[0].argmax()
chonk = factors[:, 0]
r2 = np.corrcoef(codes[:, best], chonk)[0, 1] ** 2
left_over = np.sqrt(1 - r2) * chonk.std()
fig, ax = plots.figure(5, 3)
ax.plot(codes[:1500, best], chonk[:1500], ".", ms=2, color=plots.BLUE)
ax.set(xlabel=f"latent {best}", ylabel="chonk, kg", title="a trend, and a wide cloud around it")
fig

# %%
print(f"not knowing the latent, chonk is uncertain by {chonk.std():.2f} kg (standard deviation);")
print(f"knowing it, by {left_over:.2f} kg: a line explains {r2:.0%} of the variance")
print(f"in nats: {known[0].max() * np.log(BINS):.2f} of log {BINS} = {np.log(BINS):.2f}, "
      f"or {known[0].max():.0%}")
for share in (0.2, 0.5, 0.8):
    print(f"for a share of {share:.0%} two Gaussians need r^2 = {1 - np.exp(-2 * share * np.log(BINS)):.3f}")

# %% [markdown]
# A trend that anybody sees, and yet most of the uncertainty is left. Shares of information count
# digits, and count them honestly. Since $p(a, b) = p(a \mid b)\,p(b)$, eq. (1) is the entropy of $v$
# minus what is left of it, on average, once $c$ is known. For two Gaussians with correlation $r$,
# knowing $c$ leaves the share $1 - r^2$ of $v$'s variance, and the entropy of a Gaussian is half the
# log of its variance plus a constant (notebook 02), so
#
# $$
# I(v; c) = -\tfrac12 \log(1 - r^2),
# $$
#
# and each halving of the uncertainty counts the same $\log 2$. The last lines say how much
# correlation a given share asks for: half the information in 20 bins is a *tight* relation. Keep
# this in mind when the verdict comes: it will be about tight relations.
#
# Two checks before believing the table. First, counting itself: with $N$ examples and $20 \times
# 20$ cells, chance alone fills cells unevenly, and strangers seem acquainted. Shuffle the factors
# against the codes, and whatever is left is chance. (The rule of thumb printed with it: for
# strangers, $2N$ times the counted sum is the statistic of the usual test of independence, whose
# mean is its number of degrees of freedom, $(\text{bins} - 1)^2$.)

# %%
shuffled = rng.permutation(factors)
chance = [[mutual_information(v, c) for c in codes.T] for v in shuffled.T]
print(f"strangers, by counting: {np.mean(chance):.4f} nats")
print(f"the rule of thumb (bins - 1)^2 / 2N: {(BINS - 1) ** 2 / (2 * len(codes)):.4f} nats")

# %% [markdown]
# Second, does the number do what it should where the answer is known? One number for the whole
# table is the *mutual information gap*, MIG (Chen et al. 2018): for each factor, the best
# latent's share minus the second best's. If two latents share the work, it is small, however much
# they know.
#
# $$
# \mathrm{MIG} = \frac1F \sum_{f=1}^{F}
# \frac{I(v_f; c_{\text{best}}) - I(v_f; c_{\text{second}})}{\mathrm{H}(v_f)} \tag{2}
# $$
#
# (Notebook 09's gap was another one: from here to the end, "the gap" is eq. (2).) Three codes with
# known answers: the factors themselves, the same factors rotated by 45 degrees in pairs, and noise.

# %%
standard = (factors - factors.mean(axis=0)) / factors.std(axis=0)
c, s = np.cos(np.pi / 4), np.sin(np.pi / 4)
pairs = np.kron(np.eye(3), [[c, -s], [s, c]])                             # turns (0, 1), (2, 3), (4, 5)
for name, code in (("the factors", standard), ("rotated by 45 degrees", standard @ pairs.T),
                   ("noise", rng.standard_normal((10_000, 6))), ("the shipped model", codes)):
    print(f"MIG of {name:<22} {measure.mutual_information_gap(factors, code).mig:.3f}")

# %% [markdown]
# The rotated code holds exactly as much information as the factors (turn it back, and there they
# are), and its gap is close to that of noise. (The factors themselves miss 1 by what chance gives to
# the second best.) So the metric is not about what a code knows. It is
# about whether single latents are lined up with single factors. Hold on to that for 10.5.
#
# And the shipped model: does it not know chonk, or does it know it and keep it in several latents
# at once? Ask all latents together: the weighted sum of the codes that comes closest to the factor,
# by least squares.

# %%
def explained(inputs, v):
    """Share of v's variance that the best weighted sum of the inputs explains."""
    A = np.column_stack([inputs, np.ones(len(v))])
    residual = v - A @ np.linalg.lstsq(A, v, rcond=None)[0]
    return 1 - residual.var() / v.var()


together = [explained(codes, v) for v in factors.T]
alone = [max(explained(codes[:, [j]], v) for j in range(L)) for v in factors.T]
fig, ax = plots.figure(6.4, 3)
place = np.arange(6)
ax.bar(place - 0.2, alone, 0.4, color=plots.BLUE, label="the best latent alone")
ax.bar(place + 0.2, together, 0.4, color=plots.ORANGE, hatch="//", label="all latents together")
ax.set(xticks=place, ylim=(0, 1.2), yticks=np.linspace(0, 1, 6), ylabel="share of the variance")
ax.set_xticklabels(cats.NAMES, fontsize=8)
ax.set_title("together the latents know more than the best one")
ax.legend(ncols=2, fontsize=8)
fig

# %%
print(f"chonk: {alone[0]:.0%} by its best latent, {together[0]:.0%} by all together")
lost = [name for name, share in zip(cats.NAMES, together, strict=True) if share < 0.1]
print("factors that even all together explain by less than a tenth:", ", ".join(lost) or "none")

# %% [markdown]
# Where the hatched bar stands well above the plain one, the factor is in the code, in a *direction*
# that is no axis. Where both are low, the factor is a matter of a few pixels, which a weighted sum
# cannot find or the code does not spend nats on.

# %% [markdown]
# ## 10.4  Does a larger beta help?
#
# Notebook 07 had a weight $\beta$ on the KL. Higgins et al. (2017) claim that a large one makes
# latents interpretable. One model with one seed proves nothing either way, so: five betas, five
# seeds each, everything else equal (`python -m minivae cat-study` trains the 25; here we read its
# results). They are other models than the shipped one, with ten latents in place of eight, and below
# stand means over the seeds; a single model, such as the shipped one, may lie above them.
#
# The criterion was written down before the first run, in `interpretability.py`: *a latent tracks
# a factor* if it knows at least half of it, and a model family does so if that holds in four of
# five seeds.
#
# **Predict first.** Is there a beta at which one latent tracks chonk? `"no"` or `"yes"`?

# %%
predict("10.chonk", ...)

# %%
folder = next(f for f in (Path("figures"), Path("..") / "figures") if f.is_dir())
study = cat_study.read(folder / "cat_study.json")
groups = plots.by_beta(study["models"])
print(f"{len(study['models'])} models; a latent tracks a factor from a share of {measure.TRACKS:g} on")
print("beta  seeds   MIG (+- sd)        chonk's best latent (+- sd)")
for beta, rows in groups.items():
    gaps = [row["mig"] for row in rows]
    best = [max(row["information"][0]) for row in rows]
    print(f"{beta:4g}  {len(rows):5d}   {np.mean(gaps):.3f} +- {np.std(gaps, ddof=1):.3f}     "
          f"{np.mean(best):.2f} +- {np.std(best, ddof=1):.2f}")
print(f"by chance (shuffled factors) the MIG would be {study['baseline_mig']:.4f}")

# %%
fig, (left, right) = plots.figure(7.2, 3, 1, 2)
plots.tracked_against_beta(left, study["models"], study["factors"], measure.TRACKS)
left.set_title("what one latent knows (dotted: enough)", fontsize=10)
plots.against_beta(right, study["models"], [row["mig"] for row in study["models"]],
                   color=plots.BLUE, marker="o")
right.axhline(study["baseline_mig"], color=plots.GREY, ls=":", lw=1)
right.set(ylim=(-0.04 * right.get_ylim()[1], None), ylabel="MIG, eq. (2)")
right.set_title("the gap (dotted: by chance)", fontsize=10)
fig

# %% [markdown]
# Left: for each factor, the share known by its best latent; a latent *tracks* a factor above the
# dotted line. Right: the gap. Marks and bars are mean and standard deviation over the seeds. The
# verdict by the criterion:

# %%
def verdict(rows, factor):
    """Does some latent track the factor: "yes", "no", or the seeds done so far?"""
    shares = np.array([row["information"] for row in rows])               # (S, F, L)
    if len(rows) < len(cat_study.SEEDS):
        return f"({len(rows)}/{len(cat_study.SEEDS)})"
    return "yes" if measure.tracks(shares)[factor] else "no"


print(f"{'beta':<14}" + "".join(f"{beta:>8g}" for beta in groups))
for f, name in enumerate(study["factors"]):
    print(f"{name:<14}" + "".join(f"{verdict(rows, f):>8}" for rows in groups.values()))
tracked = [f"{beta:g}" for beta, rows in groups.items() if verdict(rows, 0) == "yes"]
judged = {beta: rows for beta, rows in groups.items() if len(rows) == len(cat_study.SEEDS)}
print(f"A latent tracks chonk at {len(tracked)} of the {len(judged)} betas with all seeds done.")

# %%
reveal("10.chonk", "yes" if tracked else "no")

# %%
first = {beta: min(rows, key=lambda row: row["seed"]) for beta, rows in groups.items()}
chosen = list(first)[:: max(1, len(first) - 1)]                            # the two ends
fig, axes = plots.figure(7.8, 2.7, 1, len(chosen), squeeze=False)
for ax, beta in zip(axes[0], chosen, strict=True):
    title = f"beta {beta:g}, seed {first[beta]['seed']}"
    plots.information_map(ax, np.array(first[beta]["information"]), study["factors"], title)
fig

# %%
for beta, rows in groups.items():
    active, kl = np.mean([row["active_units"] for row in rows]), np.mean([row["kl"] for row in rows])
    print(f"beta {beta:4g}: {active:4.1f} of 10 latents active, {kl:5.1f} nats spent on the code")

# %% [markdown]
# Each square is one pair of latent and factor, at the two ends of the study. From the top line to
# the bottom one nats become dearer, fewer of them are spent on the code, and fewer latents are
# active (9.8): that is what a large beta buys for certain. Whether those that stay know more about *one*
# factor, the left curves above show, factor by factor; whether it is worth its price is the question
# of 10.6. First: why should *any* axis mean anything?

# %% [markdown]
# ## 10.5  Why would a latent line up with a factor at all?
#
# Take a trained VAE and a rotation $R$ (any matrix with $R^\top R = I$). Build a new model that
# turns all codes by $R$: its decoder turns back first, $p'(x\mid z) = p(x\mid R^\top z)$.
#
# **Predict first.** The new model's $\log p(x)$: does it fall, stay or rise?

# %%
predict("10.rotation", ...)

# %% [markdown]
# Substitute $z = Ru$ in the new model's evidence. A rotation changes no volume, so $dz = du$, and
# $N(0, I)$ depends on the length of $z$ alone, which $R$ keeps:
#
# $$
# p'(x) = \int p(x\mid R^\top z)\, N(z; 0, I)\, dz
# = \int p(x\mid u)\, N(Ru; 0, I)\, du = \int p(x\mid u)\, N(u; 0, I)\, du = p(x) \tag{3}
# $$
#
# The same for *every* image and *every* rotation. So take a perfect model, with one latent for each
# factor, and turn it until every latent is a mixture of all factors: the likelihood cannot tell the
# one from the other. No amount of data helps. That is the first half of the argument, and it is why
# "maximum likelihood finds the factors" is wrong.
#
# Let us watch it, with importance weights (notebook 09). If $z \sim N(\mu, \Sigma)$ with $\Sigma$ diagonal,
# then $Rz$ is Gaussian with
#
# $$
# Rz \sim N\big(R\mu,\; R\,\Sigma R^\top\big) \tag{4}
# $$
#
# because means go through linear maps, and $\mathbb{E}[R(z-\mu)(z-\mu)^\top R^\top] = R\Sigma
# R^\top$. That covariance is *full*: it has entries off its diagonal.

# %%
def log_weights(x, mean, covariance, R, eps):
    """log p'(x, z) - log q'(z) of the model turned by R, for q' = N(mean, covariance).

    mean (B, L), covariance (B, L, L), eps (K, B, L) -> (K, B)
    """
    half = np.linalg.cholesky(covariance)
    z = mean + np.einsum("bij,kbj->kbi", half, eps)
    out = vae.decode(params, (z @ R).reshape(-1, L).astype(np.float32), spec)      # R' z, row by row
    nll = vae.nll_forward(params, out.reshape(*z.shape[:2], -1), x, spec)[0]
    log_det = np.log(np.einsum("bii->bi", half)).sum(axis=1)
    return -nll - (z**2).sum(axis=-1) / 2 + (eps**2).sum(axis=-1) / 2 + log_det


def turn(i, j, degrees):
    """The rotation in the plane of latents i and j: (L, L)."""
    R, angle = np.eye(L), np.deg2rad(degrees)
    R[i, i] = R[j, j] = np.cos(angle)
    R[i, j], R[j, i] = -np.sin(angle), np.sin(angle)
    return R


some, m, variances = x[:60], mu[:60].astype(float), np.exp(logvar[:60].astype(float))
width = np.exp(logvar / 2).mean(axis=0)
i, j = width.argmin(), width.argmax()
print(f"narrowest q on average: latent {i} (sigma {width[i]:.2f}), widest: latent {j} ({width[j]:.2f})")

# %% [markdown]
# The second half. A VAE's encoder may not return a full covariance: its $q$ is diagonal. If the
# posterior of the turned model is $N(R\mu, S)$ with $S = R\Sigma R^\top$, which diagonal $D$
# serves best, and at what price? Both Gaussians have the same mean; call the distance from it $u$.
# With $\Lambda = S^{-1}$ the log ratio of the two densities is
#
# $$
# \log\frac{N(u; 0, D)}{N(u; 0, S)}
# = \tfrac12\left(u^\top \Lambda u - u^\top D^{-1} u + \log\det S - \sum_i \log D_{ii}\right).
# $$
#
# Average it over $u \sim N(0, D)$, where $\mathbb{E}[u_i u_j]$ is $D_{ii}$ for $i = j$ and else 0:
# the first term becomes $\sum_i \Lambda_{ii} D_{ii}$, the second $L$. So
#
# $$
# \mathrm{KL}\big(N(0, D) \,\Vert\, N(0, S)\big)
# = \tfrac12\left(\sum_i \Lambda_{ii} D_{ii} - L + \log\det S - \sum_i \log D_{ii}\right),
# $$
#
# and its slope by $D_{ii}$ is $\frac12(\Lambda_{ii} - 1/D_{ii})$. It vanishes at
#
# $$
# D_{ii} = \frac{1}{\Lambda_{ii}}, \qquad
# \mathrm{KL} = \tfrac12\left(\sum_i \log \Lambda_{ii} - \log\det\Lambda\right) \ge 0 \tag{5}
# $$
#
# It is a KL, so it is zero only if the two are equal, that is if $S$ is diagonal. So every turn that
# mixes a narrow latent with a wide one costs ELBO (two equally wide ones may be turned for free).
# Turn this model in the plane of its narrowest and widest latent, step by step, and estimate
# both: $\log p(x)$ from 60 samples of the $q'$ with the full covariance, the ELBO with the best
# diagonal.

# %%
angles = np.arange(0, 91, 15)
log_p, elbo = [], []
for degrees in angles:
    R = turn(i, j, degrees)
    S = np.einsum("ij,bj,kj->bik", R, variances, R)                                # eq. (4)
    precision = np.einsum("ij,bj,ij->bi", R, 1 / variances, R)                     # of eq. (5)
    D = np.einsum("bi,ij->bij", 1 / precision, np.eye(L))
    eps = rng.standard_normal((60, 60, L))
    full, diagonal = (log_weights(some, m @ R.T, cov, R, eps) for cov in (S, D))
    log_p.append(exact.log_sum_exp(full, axis=0) - np.log(60))
    elbo.append(diagonal.mean(axis=0))
log_p, elbo = np.array(log_p), np.array(elbo)                                      # (angles, 60)

# %%
fig, ax = plots.figure(6.4, 3.2)
around = log_p - log_p.mean(axis=0)                              # each image around its own mean
bars = around.std(ddof=1) / np.sqrt(60)                          # Monte Carlo noise at one angle
ax.errorbar(angles, around.mean(axis=1), 2 * bars, color=plots.INK, marker="o", ls="-",
            capsize=3, label="log p(x), from q' with its full covariance")
ax.plot(angles, (elbo - elbo[0]).mean(axis=1), color=plots.BLUE, marker="s", ls="--",
        label="ELBO, best diagonal q'")
ax.set(xlabel=f"rotation in the plane of latents {i} and {j}, degrees", xticks=angles)
ax.set(ylabel="change, nats", title="the likelihood sees no rotation, the ELBO does")
ax.legend(loc="center", bbox_to_anchor=(0.5, 0.68))
fig

# %%
drift = np.abs(around.mean(axis=1)).max()
print(f"log p(x): at most {drift:.2f} nats from its mean at any angle (standard error {bars:.2f})")
down = (elbo[0] - elbo).mean(axis=1)
print(f"ELBO: down by {down[3]:.2f} nats at {angles[3]} degrees; within {abs(down[-1]):.2f} of its start "
      f"at {angles[-1]}, where the axes have changed places")

# %%
reveal("10.rotation")

# %% [markdown]
# The evidence stays (bars: two standard errors); the ELBO dips in between, and is back where each
# axis has become another axis. So the *bound* prefers axes along which the posteriors are
# uncorrelated, and training climbs the bound. Rolinek et al. (2019) showed that this makes VAEs
# pursue the directions of PCA (the principal axes of notebook 04), locally: directions sorted by how
# much the pixels change, not by what we would call them. Chonk and position both move the outline of the cat, and a direction
# that mixes them may be the better axis for the pixels.
#
# Whether axes line up with factors is thus an accident of the data, the architecture and the
# noise in $q$, which can be had but is not asked for. Locatello et al. (2019) prove the general
# form: without labels or assumptions on model and data, no method can be relied on to find the
# factors.

# %% [markdown]
# ## 10.6  What does interpretability cost?
#
# Higgins et al. report a trade-off: a larger beta buys interpretable latents and pays with quality.
# We have both numbers for each model of the study: the gap, and how far samples are, on average,
# from the nearest of many real cats (real: drawn by the program; the distance is Euclidean, over
# pixels). Real cats that no model saw have such a distance too: no sample can be asked for less.
# The third number is *coverage*, the share of real cats that are reached: some sample is at least as
# near as the real cat's own fifth nearest neighbour (Naeem et al. 2020).

# %%
fig, (left, right) = plots.figure(7.2, 3, 1, 2)
plots.quality_against_gap(left, study["models"], study["held_out_distance"])
left.set_title("lower is better (dotted: real cats)")
plots.against_beta(right, study["models"], [row["coverage"] for row in study["models"]],
                   color=plots.GREEN, marker="D")
right.set(ylim=(0, None), ylabel="share of real cats reached", title="coverage")
fig

# %%
gap_of, distance_of, elbo_of = (np.array([row[name] for row in study["models"]])
                                for name in ("mig", "sample_distance", "elbo"))
if len(gap_of) > 2:
    r = np.corrcoef(gap_of, distance_of)[0, 1]
    kind = "more gap, worse samples" if r > 0.4 else "more gap, better samples" if r < -0.4 else "no clear relation"
    print(f"correlation of gap and distance over {len(gap_of)} models: {r:+.2f}, {kind}")
for name, best in (("nearest samples", distance_of.argmin()), ("highest ELBO", elbo_of.argmax()),
                   ("largest gap", gap_of.argmax())):
    row = study["models"][best]
    print(f"{name}: beta {row['beta']:g}, seed {row['seed']} (distance {row['sample_distance']:.2f}, "
          f"ELBO {row['elbo']:.1f}, MIG {row['mig']:.3f})")

# %% [markdown]
# Each mark on the left is a model. A trade-off would be a cloud that rises to the right: more
# gap, samples farther from real cats. Compare with the printed correlation, and with which beta
# is best at what. Note that the ELBO (always reported at beta = 1) and the sample distance need
# not agree on the best model: the ELBO asks for all of the data's probability, the distance only
# for samples that look like something real, and coverage (right) whether all kinds of real cats
# are reached.

# %% [markdown]
# ## 10.7  So: are the latents interpretable?

# %%
count = sum(verdict(rows, f) == "yes" for rows in judged.values() for f in range(6))
print(f"{count} of {6 * len(judged)} pairs of factor and beta (with all seeds done) pass the criterion.")
peak = max(groups, key=lambda beta: np.mean([row["mig"] for row in groups[beta]]))
gaps = [row["mig"] for row in groups[peak]]
print(f"The largest mean gap is {np.mean(gaps):.3f} +- {np.std(gaps, ddof=1):.3f}, at beta {peak:g}; "
      f"a perfect code has 1, chance {study['baseline_mig']:.4f}.")
best = {beta: np.mean([max(row["information"][0]) for row in rows]) for beta, rows in groups.items()}
top = max(best, key=best.get)
print(f"Chonk: in the study its best latent knows {best[top]:.0%} of it at beta {top:g}, the best of the "
      f"betas (mean over seeds).")
answer = "Yes" if tracked else "No" if len(judged) == len(cat_study.BETAS) else "Not known yet"
print(f"Is there a latent that tracks chonk? {answer}, by the criterion fixed beforehand.")

# %% [markdown]
# That is the answer, for these cats, this architecture and this criterion. The bars are over
# seeds; other data are another experiment, and `cat_study.py` is short.
#
# And if you want chonk as a knob, the chart in 10.3 says how: the *direction* is in the code, and a
# few labelled cats point it out. Weigh fifty, and fit the weighted sum to those alone.

# %%
n = 50
A = np.column_stack([codes, np.ones(len(codes))])
weights = np.linalg.lstsq(A[:n], chonk[:n], rcond=None)[0]
missed = chonk[n:] - A[n:] @ weights                                    # on the cats not weighed
print(f"fifty labels: the sum explains {1 - missed.var() / chonk[n:].var():.0%} of the other cats' chonk,")
print(f"the best latent alone {alone[0]:.0%}")

knob = weights[:L] / np.linalg.norm(weights[:L])                        # a direction of length one
turned = mu[0] + (np.linspace(-2, 2, 7) - mu[0] @ knob)[:, None] * knob
show_rows(vae.mean_image(params, turned, spec), 7, ["chonk"], "the knob, from -2 to 2")

# %% [markdown]
# In the shipped model no single latent is this knob, and the model holds it all the same. Labels
# found it; nothing in the likelihood has to.
#
# The explorer page (`figures/explorer_cats.html`, or `python -m minivae explore RUN` for your own
# model) lets you drag through these latents; each slider carries the name of the factor it knows
# best, *and how well*.
#
# ## 10.8  Where to go from here
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
# - A traversal shows what a latent *does* to one cat. Mutual information, eq. (1), says what it
#   *knows* about all of them.
# - The gap, eq. (2), asks whether single latents line up with single factors, not whether the
#   code knows them.
# - Every rotation of the latents has the same $\log p(x)$: eq. (3). A diagonal $q$ breaks the
#   tie, eq. (5), in favour of axes that need not be ours.
# - A criterion fixed beforehand, several seeds, a chance level: then a "no" is a result.
#
# ## Exercises
#
# `hint("10.rotate")` gives a nudge, `solution("10.rotate")` the reference.

# %% [markdown]
# **A traversal:** one latent moves, the others stay.

# %%
def traversal(z, latent, values):    # (L,), int, (n,) -> (n, L)
    ...
check("10.traversal", traversal)

# %% [markdown]
# **What a latent tells about a factor,** eq. (1), from a table of counts.

# %%
def my_mutual_information(counts):    # how often bin a of a latent met bin b of a factor:
    ...                               # (a, b), zeros allowed -> nats, one float
check("10.mutual-information", my_mutual_information)

# %% [markdown]
# **The mutual information gap,** eq. (2). (Here latents are rows and factors columns, the other way
# round than in the pictures above.)

# %%
def information_gap(information, entropy):    # latents by factors (L, F), of factors (F,)
    ...      # -> float: for each factor the best latent's information minus the second
             # best's, over the factor's entropy; then the mean over the factors
check("10.information-gap", information_gap)

# %% [markdown]
# **Bins that hold equally many.**

# %%
def equal_mass_bins(v, n):    # (N,), all different -> bin numbers 0..n-1 (N,):
    ...                       # the value with r values below it goes into bin r n // N
check("10.equal-mass-bins", equal_mass_bins)

# %% [markdown]
# **A rotated posterior,** eq. (4).

# %%
def rotate_q(mean, variances, R):    # z ~ N(mean (L,), diag(variances (L,))), R (L, L)
    ...                              # -> mean (L,) and covariance (L, L) of R z
check("10.rotate", rotate_q)

# %% [markdown]
# **Next:** there is no notebook 11. You can derive a VAE, write its gradients, check them, train
# it, speed it up, measure it, and doubt it. The next one is yours.
