"""The predictions of notebook 06, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "06.used-twice",
        "From which values of the forward pass do two arrows or more leave?",
        ("mu, logvar", "y1, mu, logvar", "y1, mu, logvar, sigma"),
        "y1, mu, logvar, sigma",
        "y1 feeds both heads; mu feeds z and the KL; logvar feeds sigma and the KL; sigma feeds z "
        "and the KL.",
    ),
    Prediction(
        "06.kl-forgotten",
        "The backward pass leaves out the gradient of the KL. Which part of the network gets a "
        "wrong gradient?",
        ("encoder", "decoder", "both"),
        "encoder",
        "The KL depends only on mu and logvar, and these do not depend on the decoder's weights.",
    ),
    Prediction(
        "06.fresh-noise",
        "The backward pass draws its own eps, instead of reusing that of the forward pass. Which "
        "gradients are wrong?",
        ("all", "logvar's head and enc1", "none"),
        "logvar's head and enc1",
        "Of the backward pass only the line for dlogvar has eps in it, in its term through z. The "
        "decoder's gradients use the z that was made before.",
    ),
    Prediction(
        "06.bias-forgotten",
        "In the forward pass, no layer adds its bias; the backward pass is as ever. Which "
        "gradients are wrong?",
        ("all", "all but enc1's", "the biases"),
        "the biases",
        "The loss does not depend on the biases any more. The backward pass differentiates the "
        "loss that this forward pass computes, so every weight is right.",
    ),
)

RECALL = (
    Recall(
        "06.r1",
        "05",
        "The gradient of the Bernoulli nll with respect to the logits is",
        ("x - sigmoid(logits)", "sigmoid(logits) - x", "logits - x"),
        "b",
        "The derivative of log(1 + exp(l)) is the sigmoid of l, and that of -x l is -x.",
    ),
    Recall(
        "06.r2",
        "05",
        "For a = x W + b, dW is",
        ("x.T @ da", "da @ x.T", "da @ W.T"),
        "a",
        "Each W[i, o] reaches a[n, o] in every example, with the factor x[n, i]: a sum over n.",
    ),
    Recall(
        "06.r3",
        "04",
        "Why does the noise stay the same in forward and backward pass?",
        (
            "to save time",
            "because fresh noise would have another variance",
            "because the gradient belongs to the z at which the loss was computed",
        ),
        "c",
        "z = mu + sigma eps, so dz/dsigma is the eps that made z: dz times another draw is not the "
        "gradient of this loss.",
    ),
)
