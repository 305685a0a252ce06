"""Which gradient estimate is right on average: a question about kinks, jumps and edges."""

from minivae.exercises.exercise import Exercise, WrongAnswer, stub
from minivae.exercises.words import changed, judge_words

# ---- 04.allowed ----------------------------------------------------------------------------------

BOTH, SCORE, PATH, NEITHER = ANSWERS = ("both", "score function", "pathwise", "neither")
RIGHT = [BOTH, SCORE, PATH, BOTH, PATH, NEITHER, SCORE, SCORE]


def _with(changes):
    return changed(RIGHT, changes)


ALLOWED = Exercise(
    id="04.allowed",
    title="say when each gradient estimate is right on average",
    stub=stub("""
        allowed = ...    # ["both", ...], eight words
    """),
    reference=RIGHT,
    judge=judge_words(ANSWERS, RIGHT),
    mistakes=(
        WrongAnswer(
            "kinks-forbidden",
            _with({1: SCORE, 4: SCORE}),
            "A kink is no obstacle: f stays continuous, and a draw hits the kink with probability "
            "0 (1 and 4).",
        ),
        WrongAnswer(
            "kink-forbidden",
            _with({1: SCORE}),
            "In 1 f has a kink, no jump: f stays continuous, and a draw hits the kink with "
            "probability 0.",
        ),
        WrongAnswer(
            "other-kink-forbidden",
            _with({4: SCORE}),
            "In 4 f has a kink, no jump: f stays continuous, and a draw hits the kink with "
            "probability 0.",
        ),
        WrongAnswer(
            "edge-forgotten",
            _with({3: BOTH}),
            "In 3 q jumps at theta, an edge that moves with the parameter, and f is not 0 there: "
            "the score function misses what enters.",
        ),
        WrongAnswer(
            "edge-harms-both",
            _with({3: NEITHER}),
            "In 3 the edge harms the score function only: f is smooth, and so is z = theta u, so "
            "each draw may be followed.",
        ),
        WrongAnswer(
            "jumps-kept-apart",
            _with({6: SCORE, 8: BOTH}),
            "In 6 q jumps at theta, an edge that moves. In 8 it does not, but f jumps, which no "
            "slope sees.",
        ),
        WrongAnswer(
            "left-edge-forgotten",
            _with({5: BOTH}),
            "In 5 q jumps at theta, its left edge, which moves with the parameter, and f is not 0 "
            "there.",
        ),
        WrongAnswer(
            "score-always",
            _with({3: BOTH, 5: BOTH, 6: SCORE}),
            "In 3, 5 and 6 q has a jump that moves with the parameter, and f is not 0 there.",
        ),
        WrongAnswer(
            "score-never-with-an-edge",
            _with({4: PATH, 8: NEITHER}),
            "An edge does harm only if it moves, and only if the density jumps there: in 4 it "
            "stays at 0, in 8 the density goes to 0 before the edge.",
        ),
        WrongAnswer(
            "edge-that-stays",
            _with({4: PATH}),
            "In 4 the density jumps at 0, but that edge does not move with tau.",
        ),
        WrongAnswer(
            "edge-without-a-jump",
            _with({8: NEITHER}),
            "In 8 the edge moves, but the density is 0 there: nothing enters at the edge. The "
            "estimate is right on average, though its scatter is infinite.",
        ),
        WrongAnswer(
            "pathwise-always",
            _with({2: BOTH, 6: PATH, 7: BOTH, 8: BOTH}),
            "In 2, 6 and 8 draws cross a jump of f as the parameter changes, and in 7 z itself "
            "jumps.",
        ),
        WrongAnswer(
            "discrete-by-path",
            _with({7: BOTH}),
            "f is smooth in 7, but z is not a smooth function of p for fixed noise: it jumps.",
        ),
        WrongAnswer(
            "one-always-works",
            _with({6: PATH}),
            "In 6 f jumps and so does q, at an edge that moves: there the pathwise estimate is 0, "
            "and the score function misses what enters at the edge.",
        ),
    ),
    hints=(
        "Ask two questions of each: does f jump, or z for fixed noise? And does q jump at a place "
        "that moves with the parameter?",
        "A kink is not a jump. An edge that stays where it is does not move. A density that goes "
        "to 0 before its edge does not jump.",
        "Both in 1 and 4; 3 and 5 have a moving edge, 2, 7 and 8 a jump in f or z, and 6 has both.",
    ),
    solution_text=stub("""
        allowed = [
            "both",              # a kink
            "score function",    # f jumps
            "pathwise",          # q jumps at theta, which moves
            "both",              # a kink; the edge of q at 0 stays
            "pathwise",          # q jumps at theta, its left edge, which moves
            "neither",           # f jumps, and q jumps at theta
            "score function",    # z jumps as p moves
            "score function",    # f jumps; the edge moves, but the density is 0 there. (The
                                 # scatter is infinite: the mean of score^2 is.)
        ]
    """),
)
