"""Notebook 07: answers to `07.first-losses`, `07.weights` and `07.first-tests`."""

import math

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 07.first-losses -----------------------------------------------------------------------------

TAU = 2 * math.pi
A = 200 * math.log(2)
B = 250 + 50 * math.log(TAU)
C = 50 * (1 + math.log(4 * TAU))
D = 784 * math.log(2) + 10 * (math.log(4) - 0.75)

right(
    "07.first-losses",
    (A, B, C, D),
    [138.63, 341.9, 211.2, 549.8],
    np.array([-100 * np.log(1 / 4), B, C, D]),
    {"A": A, "B": B, "C": C, "D": D},
)

wrong(
    "07.first-losses",
    (100 * math.log2(4), B / math.log(2), C / math.log(2), D / math.log(2)),
    (math.log(4), B / 100, C / 100, D / 784),
    (400 * math.log(4), B, C, D),
    (A, B + 100 * math.log(4) / 2, C, D),
    (A, 100 * (2 + math.log(TAU)) / 2, C, D),
    (A, 100 * (5 + math.log(TAU)), C, D),
    (A, 100 * (5 - math.log(TAU)) / 2, C, D),
    (A, B, 100 * (0.25 + math.log(4 * TAU)) / 2, D),
    (A, B, 100 * (1 + math.log(2) + math.log(TAU)) / 2, D),
    (A, B, 50 * math.log(4 * TAU), D),
    (A, B, C, 784 * math.log(2) - 10 * (math.log(4) - 0.75)),
    (A, B, C, 784 * math.log(2) + 20 * (math.log(4) - 0.75)),
    (A, B, C, 784 * math.log(2) + 10 * (0.25 - 1 + math.log(0.25))),
    (A, B, C, 784 * math.log(2) + 10 * (math.exp(0.25) - 1.25)),
    (-A, -B, -C, -D),
    (D, C, B, A),
    (A, B, C),
    A,
)

# ---- 07.weights ----------------------------------------------------------------------------------

right(
    "07.weights",
    [1, 39.2, 784, 0.05],
    np.array([20 / 20, 784 / 20, 784, 0.05]),
    ("1", "39.2", "784", "0.05"),
    {"A": 1, "B": 39.2, "C": 784, "D": 1 / 20},
)

wrong(
    "07.weights",
    (1, 20 / 784, 1 / 784, 20),
    (784 / 20, 1, 1, 1),
    (1, 1, 784 / 20, 1),
    (1, 784 * 20, 784, 20),
    (1, 39.2, 784 * 20, 0.05),
    (1, 40, 784, 0.05),
    (1, 39.2, 28, 0.05),
    (1 / 784, 1 / 20, 1, 1 / 20),
    (100, 39.2, 78400, 5),
    (0, 39.2, 784, 0.05),
    (1, -39.2, -784, -0.05),
    (1, 39.2, 784),
    39.2,
    "1, 39.2, 784, 0.05",
)
wrong("07.weights", (1, 1, 784, 0.05), clue="B-one")
wrong("07.weights", (1, 39.2, 784, 39.2), clue="D-pixels")

# ---- 07.first-tests ------------------------------------------------------------------------------

NOTHING, LOST, FORGOTTEN = "nothing", "path through z lost", "KL forgotten"
SUMMED, SUBTRACTED = "KL summed over the batch", "KL subtracted in the loss"
MU, HEADS, RATE = "no KL gradient for mu", "heads swapped", "rate too low"

right(
    "07.first-tests",
    (MU, RATE, SUMMED, HEADS, SUBTRACTED),
    [np.str_(word) for word in (MU, RATE, SUMMED, HEADS, SUBTRACTED)],
    [MU, RATE, SUMMED, HEADS, SUBTRACTED],
)

wrong(
    "07.first-tests",
    [HEADS, RATE, SUMMED, MU, SUBTRACTED],
    [FORGOTTEN, RATE, SUMMED, HEADS, SUBTRACTED][::-1],
    [SUMMED, RATE, MU, HEADS, SUBTRACTED],
    [MU, NOTHING, SUMMED, HEADS, FORGOTTEN],
    [MU, LOST, SUMMED, SUBTRACTED, NOTHING],
    [FORGOTTEN, NOTHING, SUMMED, HEADS, SUBTRACTED],
    [MU, RATE, SUMMED, SUBTRACTED, HEADS],
    [MU, RATE, SUMMED, LOST, SUBTRACTED],
    [MU, SUMMED, RATE, HEADS, SUBTRACTED],
    [MU, RATE, SUMMED, HEADS],
    ["mu", "rate", "sum", "heads", "sign"],
    [RATE] * 5,
    RATE,
    {"A": MU, "B": RATE, "C": SUMMED, "D": HEADS},
)
