"""Mistakes that people make in these very formulas, each one an edit of the real source.

A mistake names the function, the right text in it and the wrong one; `plant` compiles the
module with that edit and nothing else changed. So a mistake cannot drift from the code it
spoils: where the right text is no longer there, planting fails, and a test says so.

One list for the tests, the bug museum, the exercises and `gradcheck --plant NAME`. The `witness`
is what catches it: the gradient check, or a test by name, for the gradient check is blind to a
wrong formula whose gradient is right.
"""

import ast
import difflib
import linecache
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from minivae.errors import MinivaeError

GRADIENT = "gradient check"
Z_MOMENTS = "test_statistics.test_sampled_z_has_mean_mu_and_covariance_exp_logvar"
KL_MONTE_CARLO = "test_statistics.test_kl_equals_its_monte_carlo_estimate"
BERNOULLI_SUM = "test_statistics.test_bernoulli_sums_to_one_over_all_images"
GAUSSIAN_INTEGRAL = "test_statistics.test_gaussian_integrates_to_one"
IWAE_COPIES = "test_statistics.test_copies_of_one_noise_give_the_bound_of_one_sample"
EVIDENCE = "test_statistics.test_importance_weights_average_to_the_evidence"
ADAM = "test_ops.test_adam_is_the_published_algorithm"
EXTREMES = "test_ops.test_extreme_inputs_stay_finite"
DRAWN = "test_statistics.test_the_gradient_of_drawn_samples_averages_to_that_of_all"
TERMS = "test_vae.test_loss_is_nll_plus_beta_times_what_the_kl_costs"

BLIND = "It passes: the gradient is right, for the wrong formula."


class Edit(NamedTuple):
    """In this function, `right` (which stands there once) becomes `wrong`."""

    function: str
    right: str
    wrong: str


class Mistake(NamedTuple):
    name: str
    module: str  # "ops" or "vae"
    edits: tuple[Edit, ...]
    sentence: str  # what is wrong
    symptom: str  # what a gradient check of the whole VAE says
    witness: str  # what catches it: GRADIENT, or "test_module.test_name"

    @property
    def target(self):
        """The function that it spoils first, as "ops.dense_backward"."""
        return f"{self.module}.{self.edits[0].function}"


def find(name):
    """The mistake called `name`, or MinivaeError with the closest names."""
    for mistake in MISTAKES:
        if mistake.name == name:
            return mistake
    close = difflib.get_close_matches(name, [m.name for m in MISTAKES], n=3, cutoff=0.4)
    known = f"did you mean {' or '.join(close)}?" if close else "`list` names them all"
    raise MinivaeError(f"there is no planted mistake called {name!r}; {known}")


@cache
def plant(mistake):
    """The whole module (`minivae.ops` or `minivae.vae`) with that mistake in it, freshly compiled.

    The real module stays as it is. Raises MinivaeError where the right text is gone.
    """
    source = _module_source(mistake.module)
    for _, right, wrong in sources(mistake):
        source = source.replace(right, wrong)
    module = ModuleType(f"minivae.{mistake.module}")
    file = f"<minivae/{mistake.module}.py with {mistake.name}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    exec(compile(source, file, "exec"), module.__dict__)  # tracebacks show the planted lines
    return module


def sources(mistake):
    """((function, right source, wrong source), ...): what a reader is shown."""
    functions = _function_sources(mistake.module)
    wrong = {}
    for edit in mistake.edits:
        if edit.function not in functions:
            raise MinivaeError(f"there is no function {edit.function} to plant a mistake in")
        text = wrong.get(edit.function, functions[edit.function])
        wrong[edit.function] = _apply(edit, text, mistake.name)
    return tuple((function, functions[function], text) for function, text in wrong.items())


@cache
def _module_source(module):
    return (Path(__file__).parents[1] / f"{module}.py").read_text(encoding="utf-8")


@cache
def _function_sources(module):
    """{function: its source} of the real module."""
    source = _module_source(module)
    lines = source.splitlines(keepends=True)
    return {
        node.name: "".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    }


def _apply(edit, text, name):
    if text.count(edit.right) != 1:
        raise MinivaeError(
            f"mistake {name}: {edit.right!r} stands {text.count(edit.right)} times in "
            f"{edit.function}; it must stand there once"
        )
    return text.replace(edit.right, edit.wrong)


def _ops(name, *edits, sentence, symptom, witness=GRADIENT):
    return Mistake(name, "ops", tuple(Edit(*e) for e in edits), sentence, symptom, witness)


def _vae(name, *edits, sentence, symptom, witness=GRADIENT):
    return Mistake(name, "vae", tuple(Edit(*e) for e in edits), sentence, symptom, witness)


MISTAKES = (
    # ---- dense ----
    _ops(
        "dense-bias-forgotten",
        ("dense_forward", "    y += b\n", ""),
        sentence="The forward pass never adds the bias.",
        symptom="Every bias is wrong: by hand it has a gradient, but the loss ignores it.",
    ),
    _ops(
        "dense-bias-gradient-averaged",
        ("dense_backward", "np.sum(da, axis=0, out=db)", "np.mean(da, axis=0, out=db)"),
        sentence="The bias gradient is the mean over the batch; the 1/B is already in dy.",
        symptom="Every bias is wrong, and exactly B times too small.",
    ),
    _ops(
        "dense-weight-gradient-averaged",
        ("dense_backward", "np.matmul(x.T, da, out=dW)", "np.matmul(x.T, da / len(x), out=dW)"),
        sentence="dW is divided by B once more; the 1/B is already in dy.",
        symptom="Every weight matrix is wrong, and exactly B times too small; biases are right.",
    ),
    _ops(
        "dense-tanh-derivative-lost",
        ("dense_backward", "da = dy * (1 - y * y)", "da = dy"),
        sentence="The derivative of tanh is not multiplied in.",
        symptom="With tanh, hidden layers are wrong and so is all before them; heads are right.",
    ),
    _ops(
        "dense-tanh-derivative-of-sigmoid",
        ("dense_backward", "da = dy * (1 - y * y)", "da = dy * y * (1 - y)"),
        sentence="The derivative of the sigmoid, y (1 - y), stands in for tanh's, 1 - y^2.",
        symptom="With tanh, hidden layers are wrong and so is all before them.",
    ),
    _ops(
        "dense-tanh-derivative-twice-activated",
        ("dense_backward", "da = dy * (1 - y * y)", "da = dy * (1 - np.tanh(y) ** 2)"),
        sentence="The derivative of tanh is taken at its output y, not at its input.",
        symptom="With tanh, hidden layers are wrong and so is all before them.",
    ),
    _ops(
        "dense-relu-derivative-lost",
        ("dense_backward", "da = dy * np.where(y > 0, 1, y)", "da = dy"),
        sentence="The gradient flows back through units that relu had switched off.",
        symptom="With relu, hidden layers are wrong; with tanh all is right.",
    ),
    _ops(
        "dense-weight-gradient-before-activation",
        ("dense_backward", "np.matmul(x.T, da, out=dW)", "np.matmul(x.T, dy, out=dW)"),
        sentence="dW is taken from dy, before the activation's derivative is multiplied in.",
        symptom="The hidden layers' W are wrong while their b, and all before them, are right.",
    ),
    _ops(
        "dense-input-gradient-before-activation",
        ("dense_backward", "(da @ W.T if", "(dy @ W.T if"),
        sentence="dx is taken from dy, before the activation's derivative is multiplied in.",
        symptom="Each hidden layer is right itself, and everything before it is wrong.",
    ),
    _ops(
        "dense-weights-not-transposed",
        ("dense_backward", "(da @ W.T if", "(da @ W if"),
        sentence="dx = da W, without the transpose.",
        symptom="The shapes do not fit, so it raises (with square layers it would be silent).",
    ),
    # ---- reparam ----
    _ops(
        "reparam-variance-as-sigma",
        ("reparam_forward", "sigma = np.exp(logvar / 2)", "sigma = np.exp(logvar)"),
        ("reparam_backward", "cache.sigma / 2", "cache.sigma"),
        sentence="exp(logvar), the variance, is used as the standard deviation.",
        symptom=BLIND,
        witness=Z_MOMENTS,
    ),
    _ops(
        "reparam-variance-as-sigma-forward",
        ("reparam_forward", "sigma = np.exp(logvar / 2)", "sigma = np.exp(logvar)"),
        sentence="exp(logvar) is used as the standard deviation; the backward still halves.",
        symptom="logvar's head and the encoder are wrong; the pair's dlogvar is exactly half.",
    ),
    _ops(
        "reparam-noise-shared",
        ("reparam_forward", "    sigma =", "    eps = eps[..., :1, :] + 0 * eps\n    sigma ="),
        sentence="All examples of a batch get the first one's noise.",
        symptom=BLIND,
        witness=Z_MOMENTS,
    ),
    _ops(
        "reparam-half-lost",
        ("reparam_backward", "cache.sigma / 2", "cache.sigma"),
        sentence="sigma = exp(logvar / 2) is differentiated without the half.",
        symptom="logvar's head and the encoder are wrong; the pair's dlogvar is exactly double.",
    ),
    _ops(
        "reparam-sigma-lost",
        ("reparam_backward", "dz * cache.eps * cache.sigma / 2", "dz * cache.eps / 2"),
        sentence="dlogvar lacks the factor sigma.",
        symptom="logvar's head and the encoder are wrong; at logvar = 0 nothing shows.",
    ),
    _ops(
        "reparam-eps-lost",
        ("reparam_backward", "dz * cache.eps * cache.sigma / 2", "dz * cache.sigma / 2"),
        sentence="dlogvar lacks the noise.",
        symptom="logvar's head and the encoder are wrong, with no constant ratio.",
    ),
    _ops(
        "reparam-fresh-noise",
        (
            "reparam_backward",
            "dz * cache.eps *",
            "dz * np.random.default_rng().standard_normal(dz.shape) *",
        ),
        sentence="The backward pass draws its own noise; it needs the noise that made z.",
        symptom="logvar's head and the encoder are wrong, by another number at each call.",
    ),
    _ops(
        "reparam-dmu-lost",
        ("reparam_backward", "dmu, dlogvar = dz,", "dmu, dlogvar = 0 * dz,"),
        sentence="dmu = dz is forgotten: the mean learns nothing from the reconstruction.",
        symptom="mu's head and the encoder are wrong; logvar's head is right.",
    ),
    _ops(
        "reparam-mean-over-samples",
        (
            "reparam_backward",
            "dmu.sum(axis=0), dlogvar.sum(axis=0)",
            "dmu.mean(axis=0), dlogvar.mean(axis=0)",
        ),
        sentence="The K samples' gradients are averaged; they share mu and logvar, so they add up.",
        symptom="Right for the ELBO; for the IWAE bound the heads and the encoder are wrong.",
    ),
    # ---- gaussian_kl ----
    _ops(
        "kl-sign-of-logvar",
        ("gaussian_kl_forward", "np.expm1(logvar) - logvar", "np.expm1(logvar) + logvar"),
        (
            "gaussian_kl_backward",
            "dkl * np.expm1(cache.logvar) / 2",
            "dkl * (np.exp(cache.logvar) + 1) / 2",
        ),
        sentence="The KL adds logvar where it must subtract it (both passes).",
        symptom=BLIND,
        witness=KL_MONTE_CARLO,
    ),
    _ops(
        "kl-half-lost",
        ("gaussian_kl_forward", "- logvar) / 2", "- logvar)"),
        (
            "gaussian_kl_backward",
            "dkl * cache.mu, dkl * np.expm1(cache.logvar) / 2",
            "2 * dkl * cache.mu, dkl * np.expm1(cache.logvar)",
        ),
        sentence="The KL lacks its half in both passes: a silent beta of 2.",
        symptom=BLIND,
        witness=KL_MONTE_CARLO,
    ),
    _ops(
        "kl-constant-lost",
        ("gaussian_kl_forward", "np.expm1(logvar)", "np.exp(logvar)"),
        sentence="The KL lacks its -1, so that it is 1/2 where the posterior is the prior.",
        symptom=BLIND,
        witness=KL_MONTE_CARLO,
    ),
    _ops(
        "kl-logvar-as-log-sigma",
        ("gaussian_kl_forward", "np.expm1(logvar) - logvar", "np.expm1(2 * logvar) - 2 * logvar"),
        ("gaussian_kl_backward", "np.expm1(cache.logvar) / 2", "np.expm1(2 * cache.logvar)"),
        sentence="The KL takes logvar for log sigma (both passes).",
        symptom=BLIND,
        witness=KL_MONTE_CARLO,
    ),
    _ops(
        "kl-mean-over-latents",
        ("gaussian_kl_forward", "- logvar) / 2", "- logvar) / 2 / mu.shape[-1]"),
        ("gaussian_kl_backward", "    return", "    dkl = dkl / cache.mu.shape[-1]\n    return"),
        sentence="The KL is averaged over latents, not summed (both passes): a silent beta of 1/L.",
        symptom=BLIND,
        witness=KL_MONTE_CARLO,
    ),
    _ops(
        "kl-gradient-half-lost",
        ("gaussian_kl_backward", "np.expm1(cache.logvar) / 2", "np.expm1(cache.logvar)"),
        sentence="The KL's dlogvar lacks its half.",
        symptom="logvar's head and the encoder are wrong; the pair's dlogvar is exactly double.",
    ),
    _ops(
        "kl-gradient-sigma-as-variance",
        ("gaussian_kl_backward", "np.expm1(cache.logvar)", "np.expm1(cache.logvar / 2)"),
        sentence="The KL's dlogvar has sigma where sigma^2 belongs.",
        symptom="logvar's head and the encoder are wrong, except at logvar = 0.",
    ),
    _ops(
        "kl-gradient-one-lost",
        ("gaussian_kl_backward", "np.expm1(cache.logvar)", "np.exp(cache.logvar)"),
        sentence="The KL's dlogvar lacks its -1: nothing keeps the variance from vanishing.",
        symptom="logvar's head and the encoder are wrong; the pair's dlogvar is off by dkl / 2.",
    ),
    _ops(
        "kl-gradient-one-sign",
        ("gaussian_kl_backward", "np.expm1(cache.logvar)", "(np.exp(cache.logvar) + 1)"),
        sentence="The KL's dlogvar has sigma^2 + 1 in place of sigma^2 - 1.",
        symptom="logvar's head and the encoder are wrong; the pair's dlogvar is off by dkl.",
    ),
    _ops(
        "kl-gradient-mu-doubled",
        ("gaussian_kl_backward", "return dkl * cache.mu", "return dkl * 2 * cache.mu"),
        sentence="The KL's dmu is 2 mu: the half in front of mu^2 was forgotten.",
        symptom="mu's head and the encoder are wrong; the pair's dmu is exactly double.",
    ),
    _ops(
        "kl-gradient-mu-lost",
        ("gaussian_kl_backward", "return dkl * cache.mu", "return 0 * cache.mu"),
        sentence="The KL does not pull mu towards 0.",
        symptom="mu's head and the encoder are wrong; the pair's dmu is zero.",
    ),
    _ops(
        "kl-gradient-logvar-lost",
        ("gaussian_kl_backward", "dkl * np.expm1(cache.logvar) / 2", "0 * cache.logvar"),
        sentence="The KL does not pull the variance towards 1.",
        symptom="logvar's head and the encoder are wrong; the pair's dlogvar is zero.",
    ),
    _ops(
        "kl-gradient-lost",
        ("gaussian_kl_backward", "    return", "    dkl = 0 * dkl\n    return"),
        sentence="The KL has no gradient: an autoencoder with noise.",
        symptom="Both heads and the encoder are wrong; at beta = 0 all is right.",
    ),
    _ops(
        "kl-gradient-sign",
        ("gaussian_kl_backward", "    return", "    dkl = -dkl\n    return"),
        sentence="The KL is pushed up, not down.",
        symptom="Both heads and the encoder are wrong; the pair's ratio is exactly -1.",
    ),
    # ---- bernoulli_nll ----
    _ops(
        "bernoulli-mean-over-pixels",
        ("bernoulli_nll_forward", "nll.sum(axis=-1)", "nll.mean(axis=-1)"),
        ("bernoulli_nll_backward", "return dnll", "return 1 / cache.residual.shape[-1] * dnll"),
        sentence="The likelihood is averaged over pixels (both passes): a silent beta of D.",
        symptom=BLIND,
        witness=BERNOULLI_SUM,
    ),
    _ops(
        "bernoulli-black-pixels-forgotten",
        ("bernoulli_nll_forward", "factor = positive - x", "factor = np.where(positive, 0, -x)"),
        ("bernoulli_nll_forward", "* factor + np.log1p(e)", "* factor + x * np.log1p(e)"),
        ("bernoulli_nll_forward", "(1 + e) - x", "(1 + e) * x - x"),
        sentence="The cross-entropy has only its x log p half; pixels that are 0 cost nothing.",
        symptom=BLIND,
        witness=BERNOULLI_SUM,
    ),
    _ops(
        "bernoulli-gradient-mean-over-pixels",
        ("bernoulli_nll_backward", "cache.residual", "cache.residual / cache.residual.shape[-1]"),
        sentence="The gradient is averaged over pixels; the loss is their sum.",
        symptom="The decoder is exactly D times too small; the encoder is wrong too.",
    ),
    _ops(
        "bernoulli-gradient-sign",
        ("bernoulli_nll_backward", "* cache.residual", "* -cache.residual"),
        sentence="dlogits = x - sigmoid(logits): the wrong way round.",
        symptom="The decoder has the right size and the wrong sign; the encoder is wrong too.",
    ),
    _ops(
        "bernoulli-gradient-image-lost",
        ("bernoulli_nll_forward", "(1 + e) - x", "(1 + e)"),
        sentence="dlogits = sigmoid(logits), without - x: the image is not in it.",
        symptom="Decoder and encoder are wrong; the pair's dlogits has dnll * x too much.",
    ),
    _ops(
        "bernoulli-gradient-of-logits",
        ("bernoulli_nll_forward", "np.where(positive, 1, e) / (1 + e) - x", "logits - x"),
        sentence="dlogits = logits - x: the sigmoid is missing.",
        symptom="Decoder and encoder are wrong, with no constant ratio.",
    ),
    _ops(
        "bernoulli-gradient-sigmoid-twice",
        (
            "bernoulli_nll_forward",
            "np.where(positive, 1, e) / (1 + e) - x",
            "(np.where(positive, 1, e) / (1 + e) - x) * e / (1 + e) ** 2",
        ),
        sentence="The sigmoid's derivative is multiplied in, though it cancels in the logits.",
        symptom="Decoder and encoder are wrong; the pair's ratio is sigmoid'(logits).",
    ),
    _ops(
        "bernoulli-overflows",
        (
            "bernoulli_nll_forward",
            "nll = np.where(factor == 0, 0, logits) * factor + np.log1p(e)",
            "nll = np.log(1 + np.exp(logits)) - x * logits",
        ),
        sentence="log(1 + exp(logits)), written as it reads, is infinite at a logit of 1000.",
        symptom=BLIND,
        witness=EXTREMES,
    ),
    _ops(
        "sigmoid-overflows",
        ("sigmoid", "np.exp(np.where(positive, -logits, logits))", "np.exp(-logits)"),
        ("sigmoid", "np.where(positive, 1, e)", "1"),
        sentence="1 / (1 + exp(-logits)), written as it reads, overflows at a logit of -1000.",
        symptom=BLIND,
        witness=EXTREMES,
    ),
    # ---- gaussian_nll ----
    _ops(
        "gaussian-normaliser-lost",
        (
            "gaussian_nll_forward",
            "squares * precision + D * (logvar + log(2 * pi))",
            "squares * precision",
        ),
        sentence="Only the squares are counted: a learned variance would grow without end.",
        symptom="out_logvar is wrong; with a fixed variance it passes.",
    ),
    _ops(
        "gaussian-two-pi-lost",
        ("gaussian_nll_forward", "logvar + log(2 * pi)", "logvar"),
        sentence="The density lacks its 2 pi: it does not integrate to one.",
        symptom=BLIND,
        witness=GAUSSIAN_INTEGRAL,
    ),
    _ops(
        "gaussian-normaliser-once",
        ("gaussian_nll_forward", "+ D * (", "+ ("),
        ("gaussian_nll_backward", "residual.shape[-1] - squares", "1 - squares"),
        sentence="The normaliser is counted once, not once for each pixel (both passes).",
        symptom=BLIND,
        witness=GAUSSIAN_INTEGRAL,
    ),
    _ops(
        "gaussian-variance-as-sigma",
        ("gaussian_nll_forward", "precision = np.exp(-logvar)", "precision = np.exp(-logvar / 2)"),
        ("gaussian_nll_backward", "- squares * precision)", "- squares * precision / 2)"),
        sentence="The squares are divided by sigma, not by sigma^2 (both passes).",
        symptom=BLIND,
        witness=GAUSSIAN_INTEGRAL,
    ),
    _ops(
        "gaussian-gradient-doubled",
        ("gaussian_nll_backward", "* residual * precision", "* 2 * residual * precision"),
        sentence="dmean has the 2 of the square, without the half of the Gaussian.",
        symptom="The decoder is exactly twice too large; the encoder is wrong too.",
    ),
    _ops(
        "gaussian-gradient-precision-lost",
        ("gaussian_nll_backward", "* residual * precision", "* residual"),
        sentence="dmean is not divided by the variance.",
        symptom="The decoder is off by one constant, the variance; the encoder is wrong too.",
    ),
    _ops(
        "gaussian-gradient-sign",
        ("gaussian_nll_backward", "* residual * precision", "* -residual * precision"),
        sentence="dmean = (x - mean) / sigma^2: the wrong way round.",
        symptom="The decoder has the right size and the wrong sign; the encoder is wrong too.",
    ),
    _ops(
        "gaussian-logvar-gradient-once",
        ("gaussian_nll_backward", "residual.shape[-1] - squares", "1 - squares"),
        sentence="out_logvar's gradient has 1 where D belongs: all pixels share it.",
        symptom="Only out_logvar is wrong.",
    ),
    _ops(
        "gaussian-logvar-gradient-averaged",
        ("gaussian_nll_backward", "precision) / 2).sum()", "precision) / 2).mean()"),
        sentence="out_logvar's gradient is a mean over the batch; the 1/B is already in dnll.",
        symptom="Only out_logvar is wrong, and exactly B times too small.",
    ),
    # ---- adam ----
    _ops(
        "adam-bias-correction-lost",
        ("adam_step", "m_hat_scale = 1 / (1 - beta1**step)", "m_hat_scale = 1"),
        ("adam_step", "v_hat_scale = 1 / (1 - beta2**step)", "v_hat_scale = 1"),
        sentence="Adam's moments are not corrected for starting at zero.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    _ops(
        "adam-bias-correction-of-v-lost",
        ("adam_step", "v_hat_scale = 1 / (1 - beta2**step)", "v_hat_scale = 1"),
        sentence="Only m is corrected: the first steps are 30 times too long.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    _ops(
        "adam-eps-inside-the-root",
        (
            "adam_step",
            "(np.sqrt(v * v_hat_scale) + adam_eps)",
            "np.sqrt(v * v_hat_scale + adam_eps)",
        ),
        sentence="adam_eps is added under the root, where it is 10,000 times as strong.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    _ops(
        "adam-gradient-not-squared",
        ("adam_step", "(1 - beta2) * grad * grad", "(1 - beta2) * np.abs(grad)"),
        sentence="The second moment averages |g|, not g^2.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    _ops(
        "adam-betas-swapped",
        ("adam_step", "m *= beta1", "m *= beta2"),
        ("adam_step", "v *= beta2", "v *= beta1"),
        sentence="beta1 and beta2 decay the wrong moments.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    _ops(
        "adam-climbs",
        ("adam_step", "flat -= (lr", "flat += (lr"),
        sentence="The step goes up the loss.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    _ops(
        "adam-not-in-place",
        ("adam_step", "flat -= (lr", "flat = flat - (lr"),
        sentence="The name `flat` is rebound; the caller's parameters never move.",
        symptom="It passes: the optimiser is not part of the gradient.",
        witness=ADAM,
    ),
    # ---- the whole model ----
    _vae(
        "elbo-likelihood-summed-over-batch",
        (
            "elbo_and_grads",
            "dnll = np.full(len(x), 1 / len(x), x.dtype)",
            "dnll = np.full(len(x), 1.0, x.dtype)",
        ),
        sentence="The likelihood's gradient is a sum over the batch, the loss and the KL a mean.",
        symptom="The decoder is exactly B times too large; the encoder is wrong too.",
    ),
    _vae(
        "elbo-kl-path-to-mu-lost",
        ("elbo_and_grads", "    dmu = dmu + dmu_kl\n", ""),
        sentence="mu is fed from two sides, and the KL's is forgotten.",
        symptom="mu's head and the encoder are wrong; at beta = 0 all is right.",
    ),
    _vae(
        "elbo-kl-path-to-logvar-lost",
        ("elbo_and_grads", "    dlogvar = dlogvar + dlogvar_kl\n", ""),
        sentence="logvar is fed from two sides, and the KL's is forgotten.",
        symptom="logvar's head and the encoder are wrong; at beta = 0 all is right.",
    ),
    _vae(
        "elbo-path-through-z-lost",
        (
            "elbo_and_grads",
            "    dmu = dmu + dmu_kl\n    dlogvar = dlogvar + dlogvar_kl\n",
            "    dmu, dlogvar = dmu_kl, dlogvar_kl\n",
        ),
        sentence="The encoder learns from the KL alone; nothing comes back through z.",
        symptom="The decoder is right; both heads and the encoder are wrong.",
    ),
    _vae(
        "elbo-one-head-into-h",
        ("encoder_backward", "    dh = dh + _dense_backward(", "    _dense_backward("),
        sentence="Both heads lead into one h, and logvar's share is forgotten.",
        symptom="Decoder and both heads are right; the encoder's hidden layers are wrong.",
    ),
    _vae(
        "elbo-heads-swapped",
        ("elbo_and_grads", "encoder_backward(dmu, dlogvar,", "encoder_backward(dlogvar, dmu,"),
        sentence="mu's head receives logvar's gradient, and the other way round.",
        symptom="The decoder is right; both heads and the encoder are wrong.",
    ),
    _vae(
        "elbo-decoder-delta-reused",
        (
            "elbo_and_grads",
            "    encoder_backward(dmu, dlogvar, c_encoder, grads, ops)\n",
            "    encoder_backward(dmu, dlogvar, c_encoder, grads, ops)\n"
            '    dh = _dense_backward("out", dout, c_decoder.out, grads, ops)\n'
            '    _hidden_backward("enc", dh, c_encoder.hidden, grads, ops, need_dx=False)\n',
        ),
        sentence="The encoder's hidden layers are given the decoder's delta.",
        symptom="Decoder and both heads are right; the encoder's hidden layers are wrong. With "
        "hidden layers of different sizes it raises.",
    ),
    _vae(
        "elbo-noise-forgotten",
        (
            "elbo_forward",
            "reparam_forward(mu, logvar, eps)",
            "reparam_forward(mu, logvar, 0 * eps)",
        ),
        sentence="The bound is evaluated at the posterior's mean, not at a sample.",
        symptom="Every block is wrong, with no constant ratio.",
    ),
    _vae(
        "elbo-kl-subtracted",
        ("elbo_loss", "nll + beta * paid", "nll - beta * paid"),
        sentence="The loss subtracts the KL: minimised, it drives the posterior from the prior.",
        symptom="The decoder is right; both heads and the encoder are wrong.",
    ),
    _vae(
        "elbo-sign-of-the-report",
        ("elbo_loss", "-(nll + kl)", "-nll + kl"),
        sentence="The reported elbo adds the KL, and exceeds what any bound may.",
        symptom="It passes: the loss is right, the report is not.",
        witness=TERMS,
    ),
    _vae(
        "elbo-beta-forgotten-in-gradient",
        ("elbo_loss", "type(beta / B)", "type(1 / B)"),
        sentence="The loss is weighted by beta, its gradient is not.",
        symptom="At beta = 1 all is right; at 4 the heads and the encoder are wrong.",
    ),
    _vae(
        "elbo-beta-on-the-report",
        ("elbo_loss", "-(nll + kl), nll, kl)", "-(nll + beta * kl), nll, kl)"),
        sentence="beta also weights the reported elbo, which is then no bound.",
        symptom="It passes: the loss is right, the report is not.",
        witness=TERMS,
    ),
    _vae(
        "elbo-kl-summed-over-batch",
        ("elbo_loss", "kl_each.sum(axis=0) / B", "kl_each.sum(axis=0)"),
        sentence="The KL is a sum over the batch, the likelihood a mean: a silent beta of B.",
        symptom="The decoder is right; both heads and the encoder are wrong.",
    ),
    _vae(
        "free-bits-gradient-not-gated",
        ("elbo_loss", "dkl = above *", "dkl = np.ones_like(above) *"),
        sentence="Latents below their free bits still feel the KL.",
        symptom="Without free bits all is right; with them the heads and the encoder are wrong.",
    ),
    _vae(
        "free-bits-gate-inverted",
        ("elbo_loss", "dkl = above *", "dkl = ~above *"),
        sentence="The latents that pay for their KL are the ones let off.",
        symptom="Both heads and the encoder are wrong.",
    ),
    _vae(
        "free-bits-for-all-latents",
        (
            "elbo_loss",
            "np.where(above, kl_per_latent, spec.free_bits).sum()",
            "kl_per_latent.sum()\n"
            "    paid = paid if paid.real > spec.free_bits else spec.free_bits",
        ),
        sentence="One allowance for the sum of the latents, where each has its own.",
        symptom="Without free bits all is right; with them the heads and the encoder are wrong.",
    ),
    # ---- the importance-weighted bound ----
    _vae(
        "iwae-log-k-lost",
        ("iwae_loss", " - log(len(log_w))", ""),
        sentence="The weights are summed, not averaged: the bound is log K too high.",
        symptom=BLIND,
        witness=IWAE_COPIES,
    ),
    _vae(
        "iwae-mean-of-logs",
        ("iwae_loss", "(np.log(total) + top - log(len(log_w))).mean()", "log_w.mean()"),
        sentence="The mean of the logs, not the log of the mean: that is the ELBO again.",
        symptom="Every block of the IWAE bound is wrong.",
    ),
    _vae(
        "iwae-plain-average-of-gradients",
        ("iwae_loss", "w / total", "np.full_like(w, 1 / len(w))"),
        sentence="Every sample has the weight 1/K: the ELBO's gradient under the IWAE's loss.",
        symptom="Every block of the IWAE bound is wrong.",
    ),
    _vae(
        "iwae-softmax-over-batch",
        ("iwae_loss", "w / total", "w / w.sum(axis=1, keepdims=True)"),
        sentence="The weights are normalised over the images, not over an image's samples.",
        symptom="Every block of the IWAE bound is wrong.",
    ),
    _vae(
        "iwae-softmax-sign",
        ("iwae_loss", "w / total", "(1 / w) / (1 / w).sum(axis=0)"),
        sentence="The softmax has the wrong sign: the worst sample counts most.",
        symptom="Every block of the IWAE bound is wrong.",
    ),
    _vae(
        "iwae-weights-not-normalised",
        ("iwae_loss", "w / total", "w"),
        sentence="The weights of an image do not sum to one.",
        symptom="Every block of the IWAE bound is wrong.",
    ),
    _vae(
        "iwae-prior-lost",
        ("iwae_and_grads", "    dz = dz + dnll[..., None] * z  # the prior's share\n", ""),
        sentence="The prior's pull on z is forgotten in the gradient.",
        symptom="The decoder is right; both heads and the encoder of the IWAE bound are wrong.",
    ),
    _vae(
        "iwae-posterior-lost",
        ("iwae_and_grads", "dlogvar - np.asarray(1 / (2 * B), x.dtype)", "dlogvar"),
        sentence="q's density depends on logvar too, and that share is forgotten.",
        symptom="logvar's head and the encoder of the IWAE bound are wrong; mu's head is right.",
    ),
    _vae(
        "iwae-posterior-density-logvar-lost",
        ("log_q_over_p", "z * z - eps * eps - logvar", "z * z - eps * eps"),
        sentence="log q(z|x) lacks its normaliser, -logvar / 2.",
        symptom="logvar's head and the encoder of the IWAE bound are wrong.",
    ),
    _vae(
        "iwae-drawn-and-weighted",
        (
            "iwae_and_grads",
            "np.full_like(nll, 1 / K) +",
            "iwae_loss(nll, log_q_over_p(z, eps, logvar))[1] +",
        ),
        sentence="Samples drawn by their weights are weighted once more.",
        symptom="It passes: the check draws no samples.",
        witness=DRAWN,
    ),
    _vae(
        "iwae-drawn-by-luck",
        ("resample", "(at[:, None] >= heights).sum(axis=1)", "(len(weights) * at).astype(int)"),
        sentence="The samples for the backward pass are drawn without regard to their weights.",
        symptom="It passes: the check draws no samples.",
        witness=DRAWN,
    ),
    _vae(
        "log-weights-density-sign",
        ("log_weights_of_q", "-nll - log_q_over_p", "-nll + log_q_over_p"),
        sentence="log w = log p(x|z) + log q - log p(z): the ratio is upside down.",
        symptom="It passes: the evaluation's weights are not part of the loss.",
        witness=EVIDENCE,
    ),
    _vae(
        "log-weights-prior-lost",
        (
            "log_weights_of_q",
            "log_q_over_p(z, eps, logvar)",
            "(log_q_over_p(z, eps, logvar) - (z * z / 2).sum(axis=-1))",
        ),
        sentence="log w = log p(x|z) - log q(z|x): the prior is forgotten.",
        symptom="It passes: the evaluation's weights are not part of the loss.",
        witness=EVIDENCE,
    ),
)
