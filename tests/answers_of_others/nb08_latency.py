"""Notebook 08a: answers to `08.latency`."""

import math

from answers_of_others.registry import right, wrong


@right("08.latency")
def by_the_case(n, sums, latency, pipes):
    full = sums >= latency * pipes
    return n / pipes if full else n * latency / sums, latency * pipes


@right("08.latency")
def starts_in_a_tick(n, sums, latency, pipes):
    rate = min(pipes, sums / latency)
    return [n / rate, pipes * latency]


@right("08.latency")
def sorted_limits(n, sums, latency, pipes):
    return sorted([latency * n / sums, n / pipes])[-1], math.prod([latency, pipes])


def by(ticks, enough=lambda latency, pipes: latency * pipes):
    """An answer from its two results."""
    return lambda n, sums, latency, pipes: (
        ticks(n, sums, latency, pipes),
        enough(latency, pipes),
    )


def true_ticks(n, sums, latency, pipes):
    return max(n / sums * latency, n / pipes)


wrong(
    "08.latency",
    by(lambda n, sums, latency, pipes: min(n / sums * latency, n / pipes)),
    by(lambda n, sums, latency, pipes: n / sums),
    by(lambda n, sums, latency, pipes: n * latency / pipes),
    by(lambda n, sums, latency, pipes: max(n / sums * latency, n * latency / pipes)),
    by(lambda n, sums, latency, pipes: true_ticks(n, sums, latency, pipes) + latency),
    by(lambda n, sums, latency, pipes: max(n / sums * latency, n / 2)),
    by(lambda n, sums, latency, pipes: n / min(sums, pipes)),
    by(lambda n, sums, latency, pipes: max(n / sums * 4, n / pipes)),
    by(true_ticks, lambda latency, pipes: latency + pipes),
    by(true_ticks, lambda latency, pipes: latency * pipes + 1),
    by(true_ticks, lambda latency, pipes: 8),
    true_ticks,
    lambda n, sums, latency, pipes: (latency * pipes, true_ticks(n, sums, latency, pipes)),
)
