"""What a loop waits for: its own additions, or the pipes that do them."""

import math

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 08.latency ----------------------------------------------------------------------------------


def ticks_of_sums(n, sums, latency, pipes):
    """Each sum waits for itself: n / sums latencies; and the pipes start `pipes` in a tick"""
    ticks = max(n / sums * latency, n / pipes)
    return ticks, latency * pipes


def _latency_cases():
    return [(12, 1, 3, 2), (24, 4, 3, 2), (120, 12, 4, 2), (480, 8, 4, 2), (480, 10, 5, 1)]


def _ticks(ticks, enough=lambda latency, pipes: latency * pipes):
    return lambda n, sums, latency, pipes: (
        ticks(n, sums, latency, pipes),
        enough(latency, pipes),
    )


def _right_ticks(n, sums, latency, pipes):
    return ticks_of_sums(n, sums, latency, pipes)[0]


LATENCY = Exercise(
    id="08.latency",
    title="how long a loop takes that keeps several sums",
    stub=stub("""
        def ticks_of_sums(n, sums, latency, pipes):    # n additions in `sums` equal sums, side by
            ...      # side; each takes `latency` ticks, and `pipes` of them can start in a tick
                     # -> ticks for all n, without the moments of starting and ending;
                     #    and how many sums are enough for the fewest ticks
    """),
    reference=ticks_of_sums,
    cases=_latency_cases,
    returns=("ticks", "sums that are enough"),
    mistakes=(
        WrongAnswer(
            "one-chain",
            _ticks(lambda n, sums, latency, pipes: n * latency),
            "This is one sum alone. Several sums do not wait for one another.",
        ),
        WrongAnswer(
            "waiting-alone",
            _ticks(lambda n, sums, latency, pipes: n / sums * latency),
            "However many sums there are, no more than `pipes` additions can start in a tick.",
        ),
        WrongAnswer(
            "pipes-alone",
            _ticks(lambda n, sums, latency, pipes: n / pipes),
            "This takes the pipes as full; with few sums the additions wait for one another.",
        ),
        WrongAnswer(
            "in-turn",
            _ticks(lambda n, sums, latency, pipes: n / sums * latency + n / pipes),
            "The two limits are added. While one sum waits, the pipes work at the others: the "
            "larger time counts.",
        ),
        WrongAnswer(
            "divided-again",
            _ticks(lambda n, sums, latency, pipes: max(n * latency / (sums * pipes), n / pipes)),
            "More pipes do not shorten a sum that waits for itself: its limit is n / sums "
            "latencies.",
        ),
        WrongAnswer(
            "enough-for-one-pipe",
            _ticks(_right_ticks, lambda latency, pipes: latency),
            "These sums fill one pipe. There are `pipes` of them to fill.",
        ),
        WrongAnswer(
            "one-for-each-pipe",
            _ticks(_right_ticks, lambda latency, pipes: pipes),
            "With one sum for each pipe, every pipe is idle while its addition is on its way.",
        ),
        WrongAnswer(
            "latency-by-pipes",
            _ticks(_right_ticks, lambda latency, pipes: math.ceil(latency / pipes)),
            "More pipes need more sums, not fewer: when are n / sums latencies as short as the "
            "time of the pipes?",
        ),
    ),
    hints=(
        "There are two limits: one of a sum by itself, and one of the pipes.",
        "One sum has n / sums additions, one after another. All sums together have n, and `pipes` "
        "start in a tick.",
        "max(n / sums * latency, n / pipes); the two are equal at latency * pipes sums.",
    ),
)
