"""The two directions of the KL: the best Gaussian for a target with two hills."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 03.moment-matching --------------------------------------------------------------------------


def moment_matching(shares, mus, logvars):
    """The Gaussian with the least KL(p || q): it has p's mean and p's variance"""
    mean = shares @ mus
    variance = shares @ (np.exp(logvars) + (mus - mean) ** 2)
    return mean, np.log(variance)


def _mixture_cases():
    return [
        (np.array([0.5, 0.5]), np.array([-1.0, 2.0]), np.array([0.3, -0.8])),
        (np.array([0.7, 0.3]), np.array([0.4, -1.1]), np.array([-0.5, 0.9])),
        (np.array([0.2, 0.0, 0.8]), np.array([1.3, 40.0, -0.6]), np.array([-2.1, 0.4, 0.7])),
    ]


MOMENTS = Exercise(
    id="03.moment-matching",
    title="the best q in the other direction",
    stub=stub("""
        def moment_matching(shares, mus, logvars):    # p: K hills, each (K,); the shares sum to 1
            ...                                       # -> mu, logvar of the q with least KL(p || q)
    """),
    reference=moment_matching,
    cases=_mixture_cases,
    returns=("mu", "logvar"),
    mistakes=(
        WrongAnswer(
            "within-only",
            lambda shares, mus, logvars: (shares @ mus, np.log(shares @ np.exp(logvars))),
            "The hills lie apart, and that adds to the variance of p: average (z - mean)^2 over p.",
        ),
        WrongAnswer(
            "between-only",
            lambda shares, mus, logvars: (
                shares @ mus,
                np.log(shares @ (mus - shares @ mus) ** 2),
            ),
            "Each hill has a variance of its own, which is missing.",
        ),
        WrongAnswer(
            "mean-not-subtracted",
            lambda shares, mus, logvars: (
                shares @ mus,
                np.log(shares @ (np.exp(logvars) + mus**2)),
            ),
            "This is the mean of z^2; the variance is what is left after subtracting mean^2.",
        ),
        WrongAnswer(
            "mean-of-logvars",
            lambda shares, mus, logvars: (
                shares @ mus,
                shares @ (logvars + np.log1p((mus - shares @ mus) ** 2 * np.exp(-logvars))),
            ),
            "Average the variances, and take the log of the result: the log of an average is not "
            "the average of the logs.",
        ),
        WrongAnswer(
            "shares-forgotten",
            lambda shares, mus, logvars: moment_matching(
                np.full(len(shares), 1 / len(shares)), mus, logvars
            ),
            "The hills do not have equal shares: weight each by its own.",
        ),
        WrongAnswer(
            "shares-squared",
            lambda shares, mus, logvars: (shares @ mus, np.log(shares**2 @ np.exp(logvars))),
            "That is the variance of a weighted sum of independent variables; p is a mixture: each "
            "z comes from one hill.",
        ),
        WrongAnswer(
            "variance",
            lambda shares, mus, logvars: (
                shares @ mus,
                np.exp(moment_matching(shares, mus, logvars)[1]),
            ),
            "The second result is the variance; the exercise asks for its log.",
        ),
        WrongAnswer(
            "log-sigma",
            lambda shares, mus, logvars: (
                shares @ mus,
                moment_matching(shares, mus, logvars)[1] / 2,
            ),
            "This is log sigma; logvar is log sigma^2.",
        ),
        WrongAnswer(
            "one-hill",
            lambda shares, mus, logvars: (mus[shares.argmax()], logvars[shares.argmax()]),
            "This sits on the largest hill, as KL(q || p) may want it; KL(p || q) covers p.",
        ),
    ),
    hints=(
        "In KL(p || q) only -log q, averaged over p, depends on q: what does it need of p?",
        "The mean of p and its variance are enough. The mean of (z - mean)^2 over one hill is its "
        "variance plus (mus[k] - mean)^2.",
        "mean = shares @ mus; variance = shares @ (np.exp(logvars) + (mus - mean) ** 2).",
    ),
)

# ---- 03.parting ----------------------------------------------------------------------------------

PARTING = 2.511  # tests/test_parting.py computes it


_NEAR = (  # (where, how near, what was probably done)
    (2 * PARTING, 0.04, "that is the distance between the two hills; d is half of it"),
    (PARTING / 2, 0.02, "that is for hills half as wide; these have width 1, so d is twice that"),
    (  # 2.487 with mu = 0
        2.48,
        0.012,
        "close, and too small: is the q that covers sought at every mu, not only at 0? It leans to "
        "the larger hill",
    ),
    (  # 2.540 with -log 0.6
        2.54,
        0.01,
        "close, and too large: -log 0.6 is a bound, and the best q on the hill costs less",
    ),
)


def _judge_parting(answer):
    if isinstance(answer, bool) or not isinstance(answer, int | float | np.number | np.ndarray):
        return "expected one number"
    if np.size(answer) != 1 or np.asarray(answer).dtype.kind not in "iuf":
        return "expected one number"
    d = float(np.ravel(answer)[0])
    if abs(d - PARTING) <= 0.02:
        return None
    for where, near, what in _NEAR:
        if abs(d - where) <= near:
            return what
    return "within 0.02 of this d, the q with the least KL(q || p) does not jump"


PARTS = Exercise(
    id="03.parting",
    title="where uneven hills part",
    stub=stub("""
        # p has a hill N(-d, 1) with a share of 0.4 and a hill N(d, 1) with a share of 0.6. Up to
        # which d does the q with the least KL(q || p) cover both? Within 0.02.
        parting = ...
    """),
    reference=PARTING,
    judge=_judge_parting,
    mistakes=(
        WrongAnswer(
            "even-hills",
            2.8,
            "That is where even hills part (twice the 1.4 of the notebook, since these are twice "
            "as wide). With uneven ones, choosing costs less than log 2.",
        ),
        WrongAnswer(
            "the-notebooks-hills",
            1.4,
            "That is the notebook's case: even hills, half as wide as these.",
        ),
        WrongAnswer(
            "between-the-hills",
            5.02,
            "That is the distance between the two hills; d is half of it.",
        ),
        WrongAnswer(
            "valley",
            1.0,
            "From d = 1 on two even hills of width 1 have a valley between them, but q covers both "
            "for a good while longer.",
        ),
    ),
    hints=(
        "What counts is d in widths of a hill: a hill of width 1 at d is the notebook's of width "
        "0.5 at d / 2. So in its search only the share and the list of distances change.",
        "A q on one hill costs a little less than -log 0.6 = 0.51 nats. Where does covering cost "
        "as much?",
        "Step d by 0.01 and look at least(q_to_p(log_two_hills(z_grid, d / 2, 0.6))): its mu jumps "
        "where d is between 2.5 and 2.52.",
    ),
    solution_text=stub("""
        z = np.linspace(-12, 12, 961)[:, None, None]
        mus, sigmas = np.linspace(0, 3, 61), np.linspace(0.8, 3, 111)[:, None]
        log_q = -0.5 * ((z - mus) / sigmas) ** 2 - np.log(sigmas * np.sqrt(2 * np.pi))
        for d in np.arange(2.40, 2.60, 0.01):
            low, high = np.log(0.4) - 0.5 * (z + d) ** 2, np.log(0.6) - 0.5 * (z - d) ** 2
            log_p = np.logaddexp(low, high) - 0.5 * np.log(2 * np.pi)
            kl = (np.exp(log_q) * (log_q - log_p)).sum(axis=0) * 0.025
            i, j = np.unravel_index(kl.argmin(), kl.shape)
            if mus[j] < d / 2:                 # this q still covers both hills
                parting = d
    """),
)

# ---- 03.turns ------------------------------------------------------------------------------------

TURNS = ("jump", "jump", "slide", "jump", "slide")  # tests/test_parting.py computes them


def _judge_turns(answer):
    if not isinstance(answer, tuple | list) or len(answer) != len(TURNS):
        return f'expected {len(TURNS)} words, "jump" or "slide"'
    if not all(isinstance(word, str) and word in ("jump", "slide") for word in answer):
        return 'each of them is "jump" or "slide"'
    right = sum(word == true for word, true in zip(answer, TURNS, strict=True))
    return None if right == len(TURNS) else f"{right} of {len(TURNS)} are right"


TURN = Exercise(
    id="03.turns",
    title="when the best q jumps, and when it slides",
    stub=stub("""
        # As d grows, does the mu of the q with the least KL(q || p) jump or slide? p has hills at
        # -d and d, with these shares and widths (left, right):
        #   0.5, 0.5 and 1.0, 1.0    0.3, 0.7 and 0.5, 0.5    0.15, 0.85 and 0.5, 0.5
        #   0.5, 0.5 and 0.5, 1.0    0.3, 0.7 and 1.0, 0.5
        turns = ...    # five words, "jump" or "slide", in this order (row by row)
    """),
    reference=TURNS,
    judge=_judge_turns,
    mistakes=(
        WrongAnswer(
            "always",
            ("jump",) * 5,
            "Choosing is no law: where one hill is much larger, q leans to it from the start.",
        ),
        WrongAnswer(
            "only-even-shares",
            ("jump", "slide", "slide", "jump", "slide"),
            "Uneven shares alone do not make a slide: at 0.3 and 0.7 a q that leans still covers "
            "both for a while.",
        ),
        WrongAnswer(
            "only-even-hills",
            ("jump", "slide", "slide", "slide", "slide"),
            "A little unevenness does not remove the jump: q leans, and still has to leave the "
            "smaller hill at once.",
        ),
        WrongAnswer(
            "never",
            ("slide",) * 5,
            "For even hills the best q stays in the middle and then is on one of them: a jump.",
        ),
    ),
    hints=(
        "A jump needs two q that cost the same, one that covers and one on a hill. When is there "
        "only ever one?",
        "Give log_two_hills of 3.4 two widths, step d by 0.02, and print the mu of the best q. Let "
        "sigma go up to 3.5, and mu down to -3: its sign does not matter where two q are equally "
        "good.",
        "Where both widths are 0.5: at shares of 0.15 and 0.85 no step of 0.02 in d moves mu by "
        "more than 0.1; at 0.3 and 0.7 one moves it by more than 0.5.",
    ),
    solution_text=stub("""
        turns = ("jump", "jump", "slide", "jump", "slide")
        # With the shares 0.3, 0.7 a q that leans and a q on the larger hill cost the same at one d,
        # and mu jumps. In the last target the smaller hill is also twice as wide, and mu moves in
        # small steps only.
    """),
)
