"""Where a wrong "ELBO" ends, if a slip stands in the forward and the backward pass."""

from minivae.exercises.exercise import Exercise, WrongAnswer, stub
from minivae.exercises.words import changed, judge_words

# ---- 04.ends -------------------------------------------------------------------------------------

BELOW, AT, ABOVE = ANSWERS = ("below", "at", "above")
RIGHT = [ABOVE, BELOW, AT, AT, ABOVE, AT, AT, BELOW]


def _with(changes):
    return changed(RIGHT, changes)


ENDS = Exercise(
    id="04.ends",
    title="where the ELBO of a wrong code ends, beside the highest log p(x)",
    stub=stub("""
        ends = ...    # ["below", ...], eight words
    """),
    reference=RIGHT,
    judge=judge_words(ANSWERS, RIGHT),
    mistakes=(
        WrongAnswer(
            "encoder-takes-it-up",
            _with({1: AT, 2: AT}),
            "The encoder can indeed take up the factor in 1 and 2, and the draws are then as "
            "before. But the KL is charged for its sigma, which is now another one.",
        ),
        WrongAnswer(
            "every-slip-is-above",
            _with({2: ABOVE, 8: ABOVE}),
            'The "ELBO" is too high by the KL that is owed minus the KL that is charged. In 2 and '
            "8, can this difference ever help?",
        ),
        WrongAnswer(
            "wide-is-above",
            _with({2: ABOVE}),
            "In 2 too much is charged as long as the draws have a sigma below 1.36. For wider ones "
            "too little is, but never by more than the gap that they open below log p(x).",
        ),
        WrongAnswer(
            "narrow-is-below",
            _with({1: BELOW, 2: ABOVE}),
            "The other way round: draws with less noise than the KL is charged for come too cheap.",
        ),
        WrongAnswer(
            "shift-costs",
            _with({3: BELOW}),
            "In 3, what can the decoder's out_b do about the 1?",
        ),
        WrongAnswer(
            "shift-pays",
            _with({3: ABOVE}),
            "In 3, what can the decoder's out_b do about the 1? Then this is the right ELBO, of "
            "another decoder.",
        ),
        WrongAnswer(
            "minus-eps",
            _with({4: BELOW}),
            "In 4 -eps is a standard normal number too: the draws have the same distribution.",
        ),
        WrongAnswer(
            "no-noise-below",
            _with({5: BELOW}),
            "In 5 a small mu costs nearly no KL, and a large out_W makes up for the smallness: "
            "with no noise nothing is lost.",
        ),
        WrongAnswer(
            "no-noise-at",
            _with({5: AT}),
            "In 5 the q that is drawn from has the sigma 0, and an infinite KL: much more is owed "
            "than charged.",
        ),
        WrongAnswer(
            "uniform-above",
            _with({6: ABOVE}),
            "In 6 the KL of the q that is drawn from is larger indeed. But what of eps does the "
            "average of the squares need, if the decoder is linear?",
        ),
        WrongAnswer(
            "uniform-below",
            _with({6: BELOW}),
            "In 6, what of eps does the average of the squares need, if the decoder is linear?",
        ),
        WrongAnswer(
            "half-kl-at",
            _with({8: AT}),
            "In 8 the KL is charged twice: the result is at most log p(x) minus the KL, which is 0 "
            "only for an encoder that tells nothing.",
        ),
        WrongAnswer(
            "shared-below",
            _with({7: BELOW}),
            "In 7 the estimate scatters more, but each example's average over the noise is what it "
            "was.",
        ),
    ),
    hints=(
        'The "ELBO" is the ELBO of the q that is drawn from, plus the KL that is owed minus the KL '
        "that is charged. Where can this difference be made positive, and does it pay?",
        "3: what can out_b do? 4, 6 and 7: the squares are quadratic in eps, so only its mean and "
        "variance matter, example by example. 5: make mu small and out_W large.",
        "For 1 and 2, let the draws have the variance t. Up to constants, an example earns "
        "-a t / 2 from its squares and pays (t / r^2 - log t + log r^2) / 2 of KL, r = 0.5 or 2. "
        "At the best t the difference to r = 1 is log((1 + a) / (1 + r^2 a)) / 2.",
    ),
    solution_text=stub("""
        ends = [
            "above",    # less noise than is charged
            "below",    # more noise than is charged
            "at",       # out_b takes up the shift: the ELBO of another decoder
            "at",       # -eps has the distribution of eps
            "above",    # no noise at all; a small mu costs nothing, if out_W is large
            "at",       # the squares need only the mean and the variance of eps
            "at",       # the same average for each example; only the scatter grows
            "below",    # charged twice what is owed
        ]
    """),
)
