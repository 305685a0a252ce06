"""The derivation of the ELBO, to be put in order."""

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

LINES = {
    "A": "E_q[log p(x|z)] + E_q[log p(z) - log q(z)]",
    "B": "log of the sum over z of p(x, z)",
    "C": "E_q[log p(x|z)] - KL(q || p(z))",
    "D": "log of E_q[p(x, z) / q(z)]",
    "E": "E_q[log(p(x, z) / q(z))]",
    "F": "E_q[log p(x|z) + log p(z) - log q(z)]",
}
REASONS = ("sum rule", "times q over q", "Jensen", "product rule", "linearity", "definition")
RIGHT_ORDER = (
    ("B", "sum rule"),
    ("D", "times q over q"),
    ("E", "Jensen"),
    ("F", "product rule"),
    ("A", "linearity"),
    ("C", "definition"),
)


def _judge_order(answer):
    if not isinstance(answer, list | tuple) or len(answer) != len(RIGHT_ORDER):
        return f"expected a list of {len(RIGHT_ORDER)} pairs, such as ('B', 'sum rule')"
    for i, (given, right) in enumerate(zip(answer, RIGHT_ORDER, strict=True), start=1):
        if not isinstance(given, list | tuple) or len(given) != 2:
            return f"entry {i} is {given!r}; expected a pair such as ('B', 'sum rule')"
        letter, reason = given
        if letter not in LINES:
            return f"entry {i}: {letter!r} is not one of the lines A to F"
        if reason not in REASONS:
            return f"entry {i}: {reason!r} is not one of {', '.join(REASONS)}"
        if letter != right[0]:
            return f"line {i}: {letter} does not follow from the line before it"
        if reason != right[1]:
            return f"line {i}: {letter} is in the right place, but for another reason"
    return None


def _swapped(*letters):
    """The right pairs of line and reason, in the order of these letters."""
    reasons = dict(RIGHT_ORDER)
    return tuple((letter, reasons[letter]) for letter in letters)


ORDER = Exercise(
    id="02.order",
    title="the steps that derive the ELBO, in order, each with its reason",
    stub=stub("""
        # log p(x) is:
        #   A   E_q[log p(x|z)] + E_q[log p(z) - log q(z)]
        #   B   log of the sum over z of p(x, z)
        #   C   E_q[log p(x|z)] - KL(q || p(z))
        #   D   log of E_q[p(x, z) / q(z)]
        #   E   E_q[log(p(x, z) / q(z))]                        (here = becomes >=)
        #   F   E_q[log p(x|z) + log p(z) - log q(z)]
        # Each step is justified by one of: "sum rule", "times q over q", "Jensen", "product rule",
        # "linearity", "definition". Put them in order: [("B", "sum rule"), ...]
        order = ...
    """),
    reference=RIGHT_ORDER,
    judge=_judge_order,
    mistakes=(
        WrongAnswer(
            "jensen-too-early",
            (
                ("B", "sum rule"),
                ("D", "Jensen"),
                ("E", "times q over q"),
                *RIGHT_ORDER[3:],
            ),
            "B to D is an equality: it multiplies and divides by q. The = becomes >= where the "
            "log moves inside the average, from D to E.",
        ),
        WrongAnswer(
            "log-inside-first",
            _swapped("B", "E", "D", "F", "A", "C"),
            "The log can move inside an average only once there is one: D comes before E.",
        ),
        WrongAnswer(
            "linearity-first",
            _swapped("B", "D", "E", "A", "F", "C"),
            "First the product rule splits log p(x, z) (F), then linearity splits the average (A).",
        ),
        WrongAnswer(
            "licences-swapped",
            (*RIGHT_ORDER[:3], ("F", "linearity"), ("A", "product rule"), RIGHT_ORDER[5]),
            "p(x, z) = p(x|z) p(z) is the product rule (F); E[a + b] = E[a] + E[b] is linearity "
            "(A).",
        ),
        WrongAnswer(
            "backwards",
            tuple(reversed(RIGHT_ORDER)),
            "This runs backwards, from the ELBO to log p(x): begin with log p(x) as a sum over z.",
        ),
    ),
    hints=(
        "Begin with p(x) as a sum over z; end with the form that a program computes.",
        "Only one step is not an equality: the one that moves the log inside an average.",
        "B, D, E, F, A, C. Jensen's inequality gives E.",
    ),
    solution_text=stub("""
        order = [
            ("B", "sum rule"),          # p(x) = sum_z p(x, z)
            ("D", "times q over q"),    # multiply and divide by q(z): a sum becomes an average
            ("E", "Jensen"),            # the log of an average >= the average of the log
            ("F", "product rule"),      # p(x, z) = p(x|z) p(z)
            ("A", "linearity"),         # E[a + b] = E[a] + E[b]
            ("C", "definition"),        # KL(q || p) = E_q[log q - log p]
        ]
    """),
)
