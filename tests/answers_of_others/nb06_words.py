"""Notebook 06: answers to `06.loss`, `.which-inference`, `.name-the-bug`, `.next-question`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 06.loss -------------------------------------------------------------------------------------

WEIGHTS = ["beta", "beta / L", "beta * D", "beta * B", "beta / D", "none"]

right("06.loss", WEIGHTS, tuple(WEIGHTS), np.array(WEIGHTS))

wrong(
    "06.loss",
    ["beta * B", "beta / L", "beta * D", "beta * B", "beta / D", "beta"],  # B for every sum
    ["beta", "beta", "beta", "beta", "beta", "beta"],  # as it is written
    ["beta", "beta / L", "beta", "beta * B", "beta / D", "none"],  # a mean is a mean
    ["beta", "beta / L", "beta * D", "beta / B", "beta / D", "none"],  # the batch upside down
    ["beta", "beta * L", "beta / D", "beta / B", "beta * D", "none"],  # every one upside down
    ["beta", "beta / L", "beta * D", "beta * B", "beta / B", "none"],  # only 1/B seen
    ["beta", "beta / L", "beta * D", "beta * B", "beta / D", "beta * B"],  # largest: B times
    ["none", "beta / L", "beta * D", "beta * B", "beta / D", "none"],  # B times the loss
    ["beta", "beta / B", "beta * D", "beta * B", "beta / D", "none"],  # the mean's first axis
    ["beta", "beta / L", "beta * D", "beta * L", "beta / D", "none"],  # the sum's second axis
    ["beta", "beta/L", "beta*D", "beta*B", "beta/D", "none"],  # without spaces
    ["beta", "beta / L", "beta * D", "beta * B", "beta / D"],
    "none",
    [1, 1 / 2, 7, 3, 1 / 7, None],  # with numbers for B, L and D
    {"1": "beta", "2": "beta / L", "3": "beta * D", "4": "beta * B", "5": "beta / D", "6": "none"},
)
wrong(
    "06.loss",
    ["beta", "beta * L", "beta * D", "beta * B", "beta / D", "none"],
    clue="mean-over-latents-turned",
)

# ---- 06.which-inference --------------------------------------------------------------------------

INFERENCE = ("neither", "both", "variational", "amortized", "neither")

right("06.which-inference", INFERENCE, list(INFERENCE), np.array(INFERENCE))

wrong(
    "06.which-inference",
    ("neither", "amortized", "variational", "both", "neither"),
    ("neither", "both", "variational", "variational", "neither"),  # log q is raised
    ("neither", "both", "variational", "neither", "neither"),  # no ELBO, so neither
    ("neither", "both", "amortized", "amortized", "neither"),  # one table serves all
    ("amortized", "both", "variational", "amortized", "neither"),  # one grid serves all
    ("both", "both", "variational", "amortized", "neither"),
    ("neither", "both", "neither", "amortized", "neither"),  # a table is no network
    ("neither", "neither", "variational", "amortized", "neither"),  # a mixture is neither
    ("neither", "both", "variational", "amortized", "both"),
    ("neither", "both", "variational", "amortized", "amortized"),
    ("variational", "both", "variational", "both", "variational"),  # all that is inference
    ("neither", "neither", "both", "variational", "amortized"),  # moved by one
    ("neither", "Both", "Variational", "Amortized", "neither"),
    ("both", "variational", "amortized"),
    "neither both variational amortized neither",
)

# ---- 06.name-the-bug -----------------------------------------------------------------------------

NAMES = ["dx-before-tanh", "variance-as-sigma", "dlogvar-without-KL", "KL-sign"]

right(
    "06.name-the-bug", NAMES, tuple(NAMES), np.array(NAMES), dict(zip("ABCD", NAMES, strict=True))
)

wrong(
    "06.name-the-bug",
    ["dx-before-tanh", "variance-as-sigma", "KL-sign", "dlogvar-without-KL"],
    ["dmu-without-dz", "variance-as-sigma", "dlogvar-without-KL", "KL-sign"],
    ["dx-before-tanh", "dlogvar-without-KL", "variance-as-sigma", "KL-sign"],
    ["dx-before-tanh", "KL-sign", "dlogvar-without-KL", "variance-as-sigma"],
    ["dx-before-tanh", "variance-as-sigma", "dlogvar-without-KL", "dlogvar-without-KL"],
    ["dx-before-tanh", "dlogvar-without-KL", "dlogvar-without-KL", "KL-sign"],
    ["dx-before-tanh", "variance-as-sigma", "variance-as-sigma", "KL-sign"],
    ["dW-over-B", "dlogvar-without-eps", "dlogvar-without-KL", "dmu-without-dz"],
    ["dout-without-sigmoid", "dlogvar-without-eps", "KL-sign", "dmu-without-dz"],
    ["dx-before-tanh", "variance-as-sigma", "dlogvar-without-KL", "dW-over-B"],
    ["A", "B", "C", "D"],
    ["dx-before-tanh", "variance-as-sigma", "dlogvar-without-KL", "kl-sign"],
    [2, 5, 6, 7],
    {"A": "dx-before-tanh", "B": "variance-as-sigma", "C": "dlogvar-without-KL"},
    "dx-before-tanh",
)

# ---- 06.next-question ----------------------------------------------------------------------------

QUESTIONS = ["beta = 0", "twice", "B = 1", "none"]

right("06.next-question", QUESTIONS, tuple(QUESTIONS), np.array(QUESTIONS))

wrong(
    "06.next-question",
    ["beta = 0", "twice", "B = 1", "twice"],
    ["none", "twice", "B = 1", "none"],
    ["twice", "twice", "B = 1", "none"],
    ["beta = 0", "twice", "none", "none"],
    ["beta = 0", "twice", "twice", "none"],
    ["beta = 0", "B = 1", "B = 1", "none"],
    ["B = 1", "twice", "beta = 0", "none"],
    ["beta = 0", "beta = 0", "beta = 0", "beta = 0"],
    ["beta = 0", "twice", "beta = 0", "B = 1"],
    ["none", "none", "none", "none"],
    ["beta = 0", "twice", "B = 1"],
    ["beta=0", "twice", "B=1", "none"],
    [0, 2, 1, None],
    ("beta = 0", "twice", "B = 1", ""),
)
