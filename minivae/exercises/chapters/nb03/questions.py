"""The predictions of notebook 03, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "03.direction",
        "The best q for KL(q || p), where p has two hills and q one: does it cover both, or sit "
        "on one?",
        ("both", "one"),
        "one",
        "Where q draws, p must not be small: q on one hill pays little, over the valley much.",
    ),
    Prediction(
        "03.zero-check",
        "Thirteen wrong KLs are compared with the right one at mu = 0, logvar = 0. How many "
        "give the right value there?",
        ("none", "a few", "most"),
        "most",
        "At 0 nearly every term vanishes, and the mistakes with it. Check at generic numbers.",
    ),
)

RECALL = (
    Recall(
        "03.r1",
        "02",
        "log p(x) - ELBO is",
        ("KL(p(z) || q)", "KL(q || p(z|x))", "the entropy of q"),
        "b",
        "The gap is the KL from q to the true posterior, which is never negative.",
    ),
    Recall(
        "03.r2",
        "02",
        "Where in the derivation of the ELBO does = become >= ?",
        (
            "where the log moves inside the average",
            "where q is multiplied in and divided out",
            "where the product rule splits p(x, z)",
        ),
        "a",
        "That is Jensen's inequality; all else is equality.",
    ),
    Recall(
        "03.r3",
        "01",
        "The evidence p(x) is",
        ("the largest p(x|z)", "p(z|x) summed over z", "p(x|z) averaged over the prior"),
        "c",
        "p(x) = E over p(z) of p(x|z); the last sum is 1.",
    ),
)
