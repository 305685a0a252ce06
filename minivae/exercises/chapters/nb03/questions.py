"""The predictions of notebook 03, and the recall questions that open it."""

from minivae.exercises.questions import Prediction, Recall

PREDICTIONS = (
    Prediction(
        "03.direction",
        "p has two hills, N(-1.5, 0.5^2) and N(1.5, 0.5^2) in equal shares; q is one Gaussian. "
        "Does the q with the smallest KL(q || p) cover both hills, or only one?",
        ("both", "one"),
        "one",
        "A q that covers both draws from the deep valley between them, where log q/p is large. On "
        "one hill q pays about log 2 nats, and here that is less.",
    ),
    Prediction(
        "03.zero-check",
        "Thirteen wrong KLs are compared with the right one at mu = 0, logvar = 0. How many "
        "give the right value there?",
        ("none", "a few", "most"),
        "most",
        "There mu^2 and logvar are 0, and exp(logvar) - 1 cancels, so most mistakes do not "
        "show. Check at numbers with nothing special about them.",
    ),
    Prediction(
        "03.wall",
        "Gradient descent on the KL starts at mu = 0, logvar = 6, where dlogvar is about 200, with "
        "steps of 0.15. Where is logvar after 100 steps?",
        ("at 0", "far below", "far above"),
        "far below",
        "The first step is 0.15 times about 200 and throws logvar down to about -24. There dlogvar "
        "is nearly -1/2, and each step brings it back by 0.075 only. Where the KL grows "
        "exponentially, a step that is right elsewhere is far too long.",
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
            "where we multiply and divide by q",
            "where the product rule splits p(x, z)",
        ),
        "a",
        "That is Jensen's inequality; all other steps are equalities.",
    ),
    Recall(
        "03.r3",
        "01",
        "The evidence p(x) is",
        ("the largest p(x|z)", "p(z|x) summed over z", "p(x|z) averaged over the prior"),
        "c",
        "p(x) is the mean of p(x|z) over p(z); p(z|x) summed over z is 1.",
    ),
)
