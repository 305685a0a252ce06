"""The predictions of notebook 05, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "05.used-twice",
        "mu is used twice: z and the KL are computed from it. Its gradient is:",
        ("the one through z", "their sum", "their mean"),
        "their sum",
        "A change of mu changes the loss in both ways at once, and the changes add up.",
    ),
    Prediction(
        "05.backward-cost",
        "A backward pass through a VAE with seven weight matrices, 423,600 weights together, "
        "all their gradients included, costs how many forward passes?",
        ("less than two", "about seven", "about 423,600"),
        "less than two",
        "Each layer has one product forward and at most two backward: for its weights and its "
        "input. It serves all weights at once.",
    ),
    Prediction(
        "05.at-twenty",
        "In float32, p = sigmoid(20), and the pixel is 0. The computed loss -log(1 - p) is:",
        ("about 20", "0", "infinite"),
        "infinite",
        "p has rounded to 1, and the log of 0 is minus infinity. The loss should be 20.",
    ),
    Prediction(
        "05.what-it-spoils",
        "dW2 is divided by the number of examples by mistake. Which other gradients are wrong?",
        ("none", "those of W1 and b1", "all"),
        "none",
        "Nothing is computed from dW2: what goes on to the layer before is dy1.",
    ),
    Prediction(
        "05.wrong-loss",
        "The Gaussian nll has lost its logvar, and its gradient was derived with care from what is "
        "left. A gradient check calls dlogvar:",
        ("right", "wrong"),
        "right",
        "It is the right gradient of the wrong loss, and the check compares only the two.",
    ),
    Prediction(
        "05.smaller-h",
        "The entry (0, 4) of the small decoder's dW1, by central differences in float64: h goes "
        "from 1e-5 down to 1e-10. The error:",
        ("falls", "stays", "rises"),
        "rises",
        "Below about 1e-5, the subtraction loses more digits here than the smaller h gains. So the "
        "curve of the error is a V.",
    ),
    Prediction(
        "05.float32",
        "A right gradient is checked by central differences in float32 with h = 1e-5. The error, "
        "as a part of the largest entry, is about:",
        ("1e-7", "1e-4", "1e-2 or more"),
        "1e-2 or more",
        "float32 has seven digits, and few of them are left in f(x + h) - f(x - h).",
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
        "The part of dlogvar that comes through z is",
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
        "The mean is 1/L of the sum, so the KL counts 1/L as much against the likelihood.",
    ),
)
