"""The predictions of notebook 11, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "11.start",
        "The discriminator is nearly sure that every generated picture is false: D(G(z)) is near "
        "0. Which loss still moves the generator?",
        ("log(1 - D)", "-log D", "both, equally"),
        "-log D",
        "By the score their slopes are -D and -(1 - D): the first vanishes where D is near 0.",
    ),
    Prediction(
        "11.sharpened",
        "Real cats, and the same cats with more contrast than any real cat has: every logit times "
        "1.3. Whose draws are nearer to the real renders?",
        ("those of the real cats", "those with too much contrast"),
        "those with too much contrast",
        "A draw of a grey pixel is often wrong. With more contrast pixels are less grey, so the "
        "draws are nearer, although the pictures are not.",
    ),
    Prediction(
        "11.cats",
        "Same network, same number of updates: of whose draws does the renderer accept more?",
        ("the VAE's", "the GAN's"),
        None,
        "",
    ),
)

RECALL = (
    Recall(
        "11.r1",
        "05",
        "Which of these is the derivative of the Bernoulli -log p by the logit?",
        ("sigmoid(logit) - x", "x - sigmoid(logit)", "(sigmoid(logit) - x) / x"),
        "a",
        "It needs no clipping, because no logarithm of a probability is taken.",
    ),
    Recall(
        "11.r2",
        "02",
        "Maximum likelihood makes which divergence small?",
        ("KL(model || data)", "KL(data || model)", "their mean"),
        "b",
        "-E_data log model is the KL from the data to the model, plus a constant.",
    ),
    Recall(
        "11.r3",
        "10",
        "Real cats that no model has seen are measured too. Why?",
        (
            "they train the metric",
            "they make the models comparable with other papers",
            "a perfect model would score as they do, which is seldom 1",
        ),
        "c",
        "A finite sample of the truth itself covers only a part of the truth.",
    ),
)
