"""The predictions of notebook 05, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "05.smaller-h",
        "Central differences in float64: h goes from 1e-5 down to 1e-10. The error:",
        ("falls", "stays", "rises"),
        "rises",
        "Below 1e-5 the subtraction loses more digits than the smaller h gains: the V.",
    ),
    Prediction(
        "05.float32",
        "A right gradient, checked by central differences in float32 with h = 1e-5. The "
        "relative error is about:",
        ("1e-7", "1e-4", "1e-2 or more"),
        "1e-2 or more",
        "float32 has seven digits, and f(x + h) - f(x - h) keeps hardly any of them.",
    ),
)

RECALL = (
    Recall(
        "05.r1",
        "04",
        "sigma is",
        ("exp(logvar / 2)", "exp(logvar)", "exp(logvar) / 2"),
        "a",
        "logvar is log sigma squared, so sigma is the exponential of its half.",
    ),
    Recall(
        "05.r2",
        "04",
        "dlogvar, through z, is",
        ("dz eps", "dz eps sigma", "dz eps sigma / 2"),
        "c",
        "d sigma / d logvar = sigma / 2.",
    ),
    Recall(
        "05.r3",
        "03",
        "A KL averaged over L latents instead of summed is the summed KL with the weight",
        ("L", "1/L", "1"),
        "b",
        "It is 1/L of its size, so it weighs 1/L against the likelihood.",
    ),
)
