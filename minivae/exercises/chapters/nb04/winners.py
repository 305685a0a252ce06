"""Which gradient estimate scatters less: where a rule says so, and where one has to compute."""

from minivae.exercises.exercise import Exercise, WrongAnswer, stub
from minivae.exercises.words import changed, judge_words

# ---- 04.winners ----------------------------------------------------------------------------------

RULE, PATH, SCORE = ANSWERS = ("rule", "pathwise", "score function")
RIGHT = [RULE, PATH, SCORE, RULE, PATH, SCORE, SCORE]


def _with(changes):
    return changed(RIGHT, changes)


WINNERS = Exercise(
    id="04.winners",
    title="say which estimate scatters less, and whether the slope alone decides",
    stub=stub("""
        winners = ...    # ["rule", ...], seven words
    """),
    reference=RIGHT,
    judge=judge_words(ANSWERS, RIGHT),
    mistakes=(
        WrongAnswer(
            "jump-by-the-rule",
            _with({7: RULE}),
            "In 7 the slope is 3 at every draw, but f jumps at 0: the rule asks for a continuous "
            "f, and the pathwise estimate is wrong on average.",
        ),
        WrongAnswer(
            "jump-by-path",
            _with({7: PATH}),
            "In 7 f jumps at 0, which no slope sees: the pathwise estimate is wrong on average.",
        ),
        WrongAnswer(
            "silent-means-lost",
            _with({2: SCORE, 5: SCORE}),
            "Where the rule is silent, pathwise may win all the same: compute both for 2 and 5.",
        ),
        WrongAnswer(
            "parabola-lost",
            _with({2: SCORE}),
            "In 2 the rule is silent, and that is all it says: compute both scatters.",
        ),
        WrongAnswer(
            "cube-lost",
            _with({5: SCORE}),
            "In 5 the slope scatters by more than its mean, but f eps / sigma by still more: "
            "compute both.",
        ),
        WrongAnswer(
            "not-the-best-constant",
            _with({3: PATH}),
            "In 3 pathwise wins against the score function without a constant, or with the mean of "
            "f subtracted, but not with the best constant.",
        ),
        WrongAnswer(
            "kinks-forbidden",
            _with({3: SCORE, 4: SCORE}),
            "A kink is no jump: in 4 f is continuous, so the rule may be used.",
        ),
        WrongAnswer(
            "kink-outside-the-rule",
            _with({4: PATH}),
            "A kink is no jump: in 4 the rule may be used, and nearly all draws have the slope 1.",
        ),
        WrongAnswer(
            "rule-not-used",
            _with({1: PATH, 4: PATH}),
            "In 1 and 4 the slope scatters by less than 0.7 of its mean: the rule says so.",
        ),
        WrongAnswer(
            "parabola-outside-the-rule",
            _with({1: PATH}),
            "In 1 the slope 2 z has the mean 4 and scatters by 1, less than 0.7 of it: the rule "
            "says so.",
        ),
        WrongAnswer(
            "mean-size-only",
            _with({2: RULE}),
            "In 2 the slope's mean is 1, and its scatter is 2.",
        ),
        WrongAnswer(
            "cube-by-the-rule",
            _with({5: RULE}),
            "In 5 the slope 3 z^2 has the mean 3, and scatters by 3 sqrt(2) = 4.2.",
        ),
        WrongAnswer(
            "pathwise-always",
            _with({3: PATH, 6: PATH, 7: PATH}),
            "Compute both scatters for 3 and 6, and look for a jump in 7.",
        ),
    ),
    hints=(
        "For each: is f continuous? The mean of its slope under q, and the slope's scatter?",
        "The rule is silent for 2, 3, 5, 6 and 7. For the continuous ones draw eps, and compare "
        "the scatter of f'(z) with that of (f(z) - c) eps / sigma, c = E[f eps^2]; E[eps^2] is 1.",
        "The rule decides 1 and 4; pathwise wins 2 and 5 (2.0 against 2.8, 4.2 against 9.8); the "
        "score function wins 3 and 6 (0.74 against 0.92, 0.7 against 3.5), and 7 has a jump.",
    ),
    solution_text=stub("""
        winners = [
            "rule",              # slope: mean 4, scatter 1
            "pathwise",          # slope: mean 1, scatter 2; score function 2.8
            "score function",    # slope: mean 0.38, scatter 0.92; score function 0.74
            "rule",              # slope: mean 0.98, scatter 0.15; a kink is no jump
            "pathwise",          # slope: mean 3, scatter 4.2; score function 9.8
            "score function",    # slope: mean 0, scatter 3.5; score function 0.71
            "score function",    # f jumps: the slope's mean is 3, dmu is 3 + the density at 0
        ]
    """),
)
