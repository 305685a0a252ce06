"""Writes notebooks/map.md, the whole VAE on one page: `python notebooks/make_map.py`.

The formulas are written here; the file and line of each are looked up, so that they stay true.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "notebooks" / "map.md"

# (what, formula, derivative, where it is derived, file, forward, backward)
ROWS = (
    (
        "Layer", r"a = xW + b,\; y = \mathrm{act}(a)",
        r"da = dy\, \mathrm{act}'(a),\; dW = x^\top da,\; db = \textstyle\sum_n da_n,\; dx = da\, W^\top",
        "05", "ops.py", "dense_forward", "dense_backward",
    ),
    (
        "Sample", r"z = \mu + \sigma\varepsilon,\; \sigma = e^{\mathrm{logvar}/2}",
        r"d\mu = dz,\; d\mathrm{logvar} = \tfrac12\, dz\, \varepsilon\, \sigma",
        "04", "ops.py", "reparam_forward", "reparam_backward",
    ),
    (
        "KL of one latent", r"\tfrac12(\mu^2 + \sigma^2 - 1 - \mathrm{logvar})",
        r"d\mu = dkl\; \mu,\; d\mathrm{logvar} = \tfrac12\, dkl\, (\sigma^2 - 1)",
        "03", "ops.py", "gaussian_kl_forward", "gaussian_kl_backward",
    ),
    (
        "Bernoulli nll, logits l", r"\textstyle\sum_d \log(1 + e^{l_d}) - x_d l_d",
        r"dl = dnll\,(\mathrm{sigmoid}(l) - x)",
        "05", "ops.py", "bernoulli_nll_forward", "bernoulli_nll_backward",
    ),
    (
        "Gaussian nll, mean m", r"\tfrac12 \textstyle\sum_d \big((x_d - m_d)^2 / s^2 + \log s^2 + \log 2\pi\big)",
        r"dm = dnll\,(m - x)/s^2,\; d\log s^2 = \tfrac12 \textstyle\sum_n dnll_n\big(D - \lVert m_n - x_n\rVert^2/s^2\big)",
        "05", "ops.py", "gaussian_nll_forward", "gaussian_nll_backward",
    ),
    (
        "The loss", r"\overline{nll} + \beta \textstyle\sum_j \max(\mathrm{free\ bits}, \overline{kl_j}),\; elbo = -(\overline{nll} + \overline{kl})",
        r"d\mu \text{ and } d\mathrm{logvar} \text{ are sums of two terms: through } z \text{ and from the KL}",
        "06", "vae.py", "elbo", "elbo_and_grads",
    ),
    (
        "K samples", r"-\log \tfrac1K \textstyle\sum_k w_k,\; \log w = \log p(x, z) - \log q(z \mid x)",
        r"d\log w_k = -\mathrm{softmax}_k(\log w)",
        "09", "vae.py", "iwae", "iwae_and_grads",
    ),
    (
        "A GAN's discriminator, scores s", r"\overline{\log(1 + e^{-s(x)})} + \overline{\log(1 + e^{s(G(z))})}",
        r"ds = (\mathrm{sigmoid}(s) - \mathrm{label}) / B",
        "11", "gan.py", "discriminator_loss", "discriminator_loss_and_grads",
    ),
    (
        "Its generator, pictures g", r"\overline{\log(1 + e^{-s(g)})},\; g = G(z) = \mathrm{sigmoid}(l)",
        r"dg = ds\; \partial s / \partial g,\; dl = dg\; g\, (1 - g)",
        "11", "gan.py", "generator_loss", "generator_loss_and_grads",
    ),
    (
        "Adam", r"\theta \leftarrow \theta - \mathrm{lr}\; \hat m / (\sqrt{\hat v} + \epsilon)",
        r"m, v:\ \text{running means of the gradient and of its square}",
        "07", "ops.py", "adam_step", "adam_step",
    ),
)  # fmt: skip


def page():
    """The Markdown of the page."""
    lines = [
        "# The whole VAE on one page",
        "",
        "x (B, D) goes through the encoder to mu and logvar (B, L), with noise eps to z, through the",
        "decoder to logits (B, D). Each row is one step: its formula, its derivative (dW means d loss /",
        "d W), the notebook that derives it, and the lines of code.",
        "",
        "| step | formula | derivative | derived in | forward | backward |",
        "|---|---|---|---|---|---|",
    ]
    for what, formula, derivative, notebook, file, forward, backward in ROWS:
        links = " | ".join(link(file, name) for name in (forward, backward))
        lines.append(f"| {what} | ${formula}$ | ${derivative}$ | {chapter(notebook)} | {links} |")
    lines += ["", "Written by `python notebooks/make_map.py`.", ""]
    return "\n".join(lines)


def chapter(number):
    source = next((ROOT / "notebooks" / "src").glob(f"{number}_*.py"))
    return f"[{number}]({source.stem}.ipynb)"


def link(file, name):
    line = line_of(file, name)
    return f"[{file}:{line}](../minivae/{file}#L{line})"


def line_of(file, name):
    """The line on which `name` is defined."""
    tree = ast.parse((ROOT / "minivae" / file).read_text(encoding="utf-8"))
    return next(n.lineno for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
