"""Notebook 08c: answers to `08.same-bits` and `08.amdahl`."""

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 08.same-bits --------------------------------------------------------------------------------


@right("08.same-bits")
def every_nth_column(B, D, threads):
    return [(slice(None), slice(t, None, threads)) for t in range(threads)]


@right("08.same-bits")
def rounded_up(B, D, threads):
    width = (D + threads - 1) // threads
    return tuple((slice(B), slice(start, min(start + width, D))) for start in range(0, D, width))


@right("08.same-bits")
def array_split(B, D, threads):
    parts = [part for part in np.array_split(np.arange(D), threads) if len(part)]
    return [[slice(0, B), slice(part[0], part[-1] + 1)] for part in parts]


@right("08.same-bits")
def rest_to_the_first_few(B, D, threads):
    width, rest = divmod(D, threads)
    pieces, start = [], 0
    for t in range(threads):
        stop = start + width + (t < rest)
        pieces.append((slice(0, B), slice(start, stop)))
        start = stop
    return pieces


@wrong("08.same-bits")
def every_nth_row(B, D, threads):
    return [(slice(t, B, threads), slice(0, D)) for t in range(threads)]


@wrong("08.same-bits")
def columns_first(B, D, threads):
    return [(columns, rows) for rows, columns in rounded_up(B, D, threads)]


@wrong("08.same-bits")
def leader_does_nothing(B, D, threads):
    helpers = max(threads - 1, 1)
    return [(slice(0, B), slice(t * D // helpers, (t + 1) * D // helpers)) for t in range(helpers)]


@wrong("08.same-bits")
def one_helper_more(B, D, threads):
    n = threads + 1
    return [(slice(0, B), slice(t * D // n, (t + 1) * D // n)) for t in range(n)]


@wrong("08.same-bits")
def stops_one_early(B, D, threads):
    edges = [t * D // threads for t in range(threads + 1)]
    return [(slice(0, B), slice(edges[t], edges[t + 1] - 1)) for t in range(threads)]


@wrong("08.same-bits", clue="one-thread")
def whole_lines_of_columns(B, D, threads):
    lines = -(-D // 16)
    edges = [min(16 * (t * lines // threads), D) for t in range(threads)] + [D]
    return [(slice(0, B), slice(edges[t], edges[t + 1])) for t in range(threads)]


@wrong("08.same-bits", clue="rest-to-the-last")
def rest_to_the_first(B, D, threads):
    width, rest = divmod(D, threads)
    edges = [0] + [rest + (t + 1) * width for t in range(threads)]
    return [(slice(0, B), slice(edges[t], edges[t + 1])) for t in range(threads)]


@wrong("08.same-bits")
def index_lists(B, D, threads):
    return [(list(range(B)), list(range(t, D, threads))) for t in range(threads)]


@wrong("08.same-bits")
def columns_alone(B, D, threads):
    return [slice(t * D // threads, (t + 1) * D // threads) for t in range(threads)]


@wrong("08.same-bits")
def start_and_stop(B, D, threads):
    return [(t * D // threads, (t + 1) * D // threads) for t in range(threads)]


@wrong("08.same-bits")
def two_threads(B, D, threads):
    return [(slice(0, B), slice(0, D // 2)), (slice(0, B), slice(D // 2, D))]


@wrong("08.same-bits")
def width_rounded(B, D, threads):
    width = max(round(D / threads), 1)
    return [(slice(0, B), slice(t * width, (t + 1) * width)) for t in range(threads)]


@wrong("08.same-bits")
def last_row_left_out(B, D, threads):
    return [
        (slice(0, B - 1), slice(t * D // threads, (t + 1) * D // threads)) for t in range(threads)
    ]


# ---- 08.amdahl -----------------------------------------------------------------------------------


@right("08.amdahl")
def by_the_gain(one, several, threads):
    gain = one / several
    s = (1 / gain - 1 / threads) / (1 - 1 / threads)
    return s, 1 / s


@right("08.amdahl")
def by_two_equations(one, several, threads):
    serial, _divided = np.linalg.solve([[1, 1], [1, 1 / threads]], [one, several])
    return [serial / one, one / serial]


@right("08.amdahl")
def what_was_saved(one, several, threads):
    divided = (one - several) * threads / (threads - 1)
    return 1 - divided / one, one / (one - divided)


def share(one, several, threads):
    return (threads * several / one - 1) / (threads - 1)


@wrong("08.amdahl")
def gain_of_these_threads(one, several, threads):
    s = share(one, several, threads)
    return s, 1 / (s + (1 - s) * several / one)


@wrong("08.amdahl")
def gain_first(one, several, threads):
    s = share(one, several, threads)
    return 1 / s, s


@wrong("08.amdahl")
def in_percent(one, several, threads):
    s = 100 * share(one, several, threads)
    return s, 1 / s


@wrong("08.amdahl")
def one_thread_more(one, several, threads):
    s = share(one, several, threads + 1)
    return s, 1 / s


@wrong("08.amdahl", clue="by-n")
def not_divided_by_the_rest(one, several, threads):
    s = several / one - 1 / threads
    return s, 1 / s


@wrong("08.amdahl")
def two_threads_written_in(one, several, threads):
    s = share(one, several, 2)
    return s, 1 / s


@wrong("08.amdahl")
def seconds_for_gain(one, several, threads):
    s = share(one, several, threads)
    return s, one * s


@wrong("08.amdahl")
def gain_over_several(one, several, threads):
    s = share(one, several, threads)
    return s, several / (one * s)


@wrong("08.amdahl")
def gain_less_one(one, several, threads):
    s = share(one, several, threads)
    return s, 1 / s - 1


@wrong("08.amdahl")
def by_gustafson(one, several, threads):
    s = (threads - one / several) / (threads - 1)
    return s, 1 / s


@wrong("08.amdahl")
def share_alone(one, several, threads):
    return share(one, several, threads)


@wrong("08.amdahl")
def gain_without_end(one, several, threads):
    return share(one, several, threads), float("inf")


@wrong("08.amdahl")
def rounded(one, several, threads):
    s = round(share(one, several, threads), 2)
    return s, round(1 / s, 1)
