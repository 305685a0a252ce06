"""What raising the ELBO does not promise: measured from weights, and an example to be found."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, call_for_results, stub

# ---- 02.step -------------------------------------------------------------------------------------


def what_a_step_did(before, after):
    """Changes of mean(log w), of log mean(w), and of their difference"""

    def log_mean_exp(log_w):
        top = log_w.max()
        return top + np.log(np.exp(log_w - top).mean())

    elbo = float(after.mean() - before.mean())
    evidence = float(log_mean_exp(after) - log_mean_exp(before))
    return elbo, evidence, evidence - elbo


def _step_cases():
    return [
        (np.array([-1.2, -3.1]), np.array([-1.6, -2.3])),
        (np.array([-4.1, -2.2, -6.3, -3.7]), np.array([-3.3, -2.9, -4.8, -3.2])),
        (np.array([-1004.1, -1002.2, -1007.5]), np.array([-1003.2, -1002.6, -1003.9])),
        (np.array([-1001.3, -2.4, -3.1]), np.array([-3.2, -2.6, -1002.9])),
        (np.array([-1004.0, -1002.0]), np.array([-3.0, -2.0])),
    ]


def _lme(log_w):
    return np.logaddexp.reduce(log_w) - np.log(len(log_w))


def _evidence(change):
    """A wrong answer: this change of log p(x), and the gap that follows."""

    def wrong(before, after):
        elbo = float(after.mean() - before.mean())
        with np.errstate(all="ignore"):
            evidence = float(change(before, after))
        return elbo, evidence, evidence - elbo

    return wrong


def _turned(before, after):
    elbo, evidence, gap = what_a_step_did(before, after)
    return elbo, evidence, -gap


STEP = Exercise(
    id="02.step",
    title="what a step of theta did, from the log weights alone",
    stub=stub("""
        def what_a_step_did(before, after):    # log w of the same z_k ~ q, two thetas: (K,), (K,)
            ...    # -> changes of the ELBO, log p(x) and the gap, estimated: three floats, nats
    """),
    reference=what_a_step_did,
    cases=_step_cases,
    observe=call_for_results(3),
    returns=("change of the ELBO", "change of log p(x)", "change of the gap"),
    mistakes=(
        WrongAnswer(
            "gap-turned",
            _turned,
            "The first two are right. The gap is log p(x) - ELBO, in this order.",
        ),
        WrongAnswer(
            "swapped",
            lambda before, after: (
                float(_lme(after) - _lme(before)),
                float(after.mean() - before.mean()),
                float(_lme(after) - _lme(before) - after.mean() + before.mean()),
            ),
            "The mean of log w estimates the ELBO, and the log of the mean w estimates log p(x).",
        ),
        WrongAnswer(
            "backwards",
            lambda before, after: what_a_step_did(after, before),
            "A change is after minus before.",
        ),
        WrongAnswer(
            "naive",
            _evidence(
                lambda before, after: np.log(np.exp(after).mean()) - np.log(np.exp(before).mean())
            ),
            "exp(-1000) is 0.0: subtract the largest log weight before exp.",
        ),
        WrongAnswer(
            "first-weight",
            _evidence(
                lambda before, after: (
                    after[0]
                    + np.log(np.exp(after - after[0]).mean())
                    - before[0]
                    - np.log(np.exp(before - before[0]).mean())
                )
            ),
            "What you subtract is not the largest log weight: another one is larger by nearly 1000 "
            "nats, and exp overflows.",
        ),
        WrongAnswer(
            "shared-maximum",
            _evidence(
                lambda before, after: (
                    np.log(np.exp(after - max(before.max(), after.max())).mean())
                    - np.log(np.exp(before - max(before.max(), after.max())).mean())
                )
            ),
            "You subtract one maximum from both sets. Where they lie 1000 nats apart, exp of "
            "the other set is 0.0 or infinite: subtract from each its own maximum.",
        ),
        WrongAnswer(
            "ratio-under-q",
            _evidence(lambda before, after: _lme(after - before)),
            "You average the ratio of the new weights to the old ones with equal shares. Average "
            "each set of weights by itself, and then take the difference of the logs.",
        ),
        WrongAnswer(
            "log-forgotten",
            _evidence(lambda before, after: np.exp(after).mean() - np.exp(before).mean()),
            "This is the change of p(x); the change of its log is asked for.",
        ),
        WrongAnswer(
            "largest-weight",
            _evidence(lambda before, after: after.max() - before.max()),
            "The largest weight alone is not their mean: what is left after subtracting it counts.",
        ),
        WrongAnswer(
            "elbo-summed",
            lambda before, after: (
                float(after.sum() - before.sum()),
                what_a_step_did(before, after)[1],
                what_a_step_did(before, after)[1] - float(after.sum() - before.sum()),
            ),
            "The ELBO is the mean of the log weights, not their sum.",
        ),
    ),
    hints=(
        "Eq. (3): p(x) is the mean of w under q. Eq. (4): the ELBO is the mean of log w.",
        "ELBO: mean of the log weights. log p(x): log of the mean weight, by log-sum-exp.",
        "log_sum_exp(log_w) - np.log(K); in a difference of two of them log K cancels.",
    ),
)

# ---- 02.rise-and-fall ----------------------------------------------------------------------------

PRIOR = np.array([0.5, 0.5])


def _judge(answer):
    try:
        q, before, after = (np.asarray(part, float) for part in answer)
    except (TypeError, ValueError):
        return "expected three pairs of numbers: q, p(x|z) before, p(x|z) after"
    if not q.shape == before.shape == after.shape == (2,):
        return "expected three pairs of numbers: q, p(x|z) before, p(x|z) after"
    if not ((q >= 0).all() and abs(q.sum() - 1) < 1e-9):
        return "q must be two probabilities that sum to one"
    for likelihood in (before, after):
        if not ((likelihood > 0) & (likelihood <= 1)).all():
            return "each p(x|z) must lie above 0 and at most at 1"
    log_q = np.log(np.where(q > 0, q, 1))  # where q is zero, nothing is averaged
    elbos = [q @ (np.log(likelihood * PRIOR) - log_q) for likelihood in (before, after)]
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
