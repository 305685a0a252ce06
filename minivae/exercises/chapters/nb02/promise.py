"""What raising the ELBO does not promise: an example to be found."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

PRIOR = np.array([0.5, 0.5])


def _judge(answer):
    try:
        q, before, after = (np.asarray(part, float) for part in answer)
    except (TypeError, ValueError):
        return "expected three pairs of numbers: q, p(x|z) before, p(x|z) after"
    if not q.shape == before.shape == after.shape == (2,):
        return "expected three pairs of numbers: q, p(x|z) before, p(x|z) after"
    if not ((q > 0).all() and abs(q.sum() - 1) < 1e-9):
        return "q must be two probabilities above 0 that sum to one"
    for likelihood in (before, after):
        if not ((likelihood > 0) & (likelihood <= 1)).all():
            return "each p(x|z) must lie above 0 and at most at 1"
    elbos = [q @ (np.log(likelihood * PRIOR) - np.log(q)) for likelihood in (before, after)]
    evidences = [np.log(likelihood @ PRIOR) for likelihood in (before, after)]
    if not elbos[1] > elbos[0] + 1e-9:
        return f"the ELBO goes from {elbos[0]:.3f} to {elbos[1]:.3f} nats: it does not rise"
    if not evidences[1] < evidences[0] - 1e-9:
        return f"log p(x) goes from {evidences[0]:.3f} to {evidences[1]:.3f} nats: it does not fall"
    return None


RISE_AND_FALL = Exercise(
    id="02.rise-and-fall",
    title="an ELBO that rises while log p(x) falls",
    stub=stub("""
        # Two z, each with the prior 1/2. Give q(z), and p(x|z) before and after a step of theta:
        # [(q_0, q_1), (before_0, before_1), (after_0, after_1)]
        rise_and_fall = ...
    """),
    reference=((0.5, 0.5), (0.9, 0.01), (0.3, 0.3)),
    judge=_judge,
    mistakes=(
        WrongAnswer(
            "both-rise",
            ((0.5, 0.5), (0.2, 0.4), (0.4, 0.8)),
            "Here the step helps every z, so both rise. Take from the z that explains x, and give "
            "to the other.",
        ),
        WrongAnswer(
            "other-way-round",
            ((0.5, 0.5), (0.3, 0.3), (0.9, 0.01)),
            "Before and after are the wrong way round: this step raises log p(x) and lowers the "
            "ELBO.",
        ),
        WrongAnswer(
            "gap-closed",
            ((0.9, 0.1), (0.9, 0.1), (0.5, 0.4)),
            "This q is the posterior before the step. From there log p(x) rises by at least as "
            "much as the ELBO: choose a q with a gap.",
        ),
    ),
    hints=(
        "The ELBO must start well below log p(x): choose a q that is far from the posterior.",
        "An ignorant q, (1/2, 1/2), and an x that only one z explains: the other z drags the "
        "average of the logs down.",
        "Let the good explanation become worse, and the bad one much better: both at 0.3, say.",
    ),
    solution_text=stub("""
        rise_and_fall = [
            (0.5, 0.5),     # q knows nothing of x
            (0.9, 0.01),    # before: z = 0 explains x. log p(x) = log 0.455; ELBO = -2.36
            (0.3, 0.3),     # after: log p(x) = log 0.3, less; ELBO = log 0.3 = -1.20, more
        ]
    """),
)
