"""What threads may share: sums that keep their bits, and cache lines."""

import itertools

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 08.same-bits --------------------------------------------------------------------------------


def divide_sums(B, D, threads):
    """Split the columns, which are results, and never the rows, which are summed"""
    edges = [t * D // threads for t in range(threads + 1)]
    return [(slice(0, B), slice(edges[t], edges[t + 1])) for t in range(threads)]


def _bits_cases():
    return [(3, 4, 2), (9, 7, 3), (8, 10, 1), (20, 5, 4), (5, 2, 3)]


def _observe_bits(answer, B, D, threads):
    pieces = answer(B, D, threads)
    if not _are_pieces(pieces):
        raise TypeError("a list of pairs of slices is asked for: [(rows, columns), ...]")
    rng = np.random.default_rng(B * D)
    da = rng.standard_normal((B, D)).astype(np.float32)
    alone, together = (np.zeros(D, np.float32) for _ in range(2))
    for row in da:
        alone += row
    work = []
    for rows, columns in reversed(pieces):  # which thread is ready first is not known
        piece = da[rows, columns]
        total = np.zeros(piece.shape[1], np.float32)
        for row in piece:
            total += row
        together[columns] += total
        work.append(piece.size)
    return (
        np.round(together.astype(float), 4),
        bool(np.array_equal(alone, together)),
        len(pieces) <= threads,
        max(work),
    )


def _are_pieces(pieces):
    return (
        isinstance(pieces, list | tuple)
        and len(pieces) > 0
        and all(
            isinstance(piece, list | tuple)
            and len(piece) == 2
            and all(isinstance(part, slice) for part in piece)
            for piece in pieces
        )
    )


def _by_rows(B, D, threads):
    return [(rows, columns) for columns, rows in divide_sums(D, B, threads)]


def _in_tiles(B, D, threads):
    edges = [t * D // threads for t in range(threads + 1)]
    halves = (slice(0, B // 2), slice(B // 2, B))
    return [(h, slice(a, b)) for a, b in itertools.pairwise(edges) for h in halves]


def _rest_lost(B, D, threads):
    n = D // threads
    return [(slice(0, B), slice(t * n, (t + 1) * n)) for t in range(threads)]


def _rest_to_the_last(B, D, threads):
    n = D // threads
    ends = [*((t + 1) * n for t in range(threads - 1)), D]
    return [(slice(0, B), slice(t * n, end)) for t, end in enumerate(ends)]


def _overlap(B, D, threads):
    pieces = divide_sums(B, D, threads)
    return [(rows, slice(c.start, c.stop + 1)) for rows, c in pieces]


def _one_for_all(B, D, threads):
    return [(slice(0, B), slice(0, D))]


def _all_of_it(B, D, threads):
    return [(slice(0, B), slice(0, D))] * threads


def _one_column_each(B, D, threads):
    return [(slice(0, B), slice(d, d + 1)) for d in range(D)]


SAME_BITS = Exercise(
    id="08.same-bits",
    title="divide a bias gradient among threads and keep its bits",
    stub=stub("""
        def divide_sums(B, D, threads):    # for db = da.sum(axis=0), da (B, D):
            ...      # -> a list of at most `threads` pieces (rows, columns), two slices each. A
                     # thread adds up da[rows, columns], row by row, and adds that to db[columns].
                     # db must have one thread's bits; make the largest piece as small as you can
    """),
    reference=divide_sums,
    cases=_bits_cases,
    observe=_observe_bits,
    returns=("db", "the same bits as one thread", "no more pieces than threads", "largest piece"),
    mistakes=(
        WrongAnswer(
            "rows",
            _by_rows,
            "This splits the rows, which is the direction of the sum: parts of a sum are added in "
            "another order.",
        ),
        WrongAnswer(
            "tiles",
            _in_tiles,
            "Each sum is cut in two as well; split only the columns, and into `threads` pieces.",
        ),
        WrongAnswer(
            "rest-lost",
            _rest_lost,
            "D // threads columns for each thread leave out the rest of the division.",
        ),
        WrongAnswer(
            "rest-to-the-last",
            _rest_to_the_last,
            "One thread gets the whole rest of the division; spread it: sizes need not differ by "
            "more than one column.",
        ),
        WrongAnswer(
            "overlap",
            _overlap,
            "A slice ends before its stop: with stop + 1 columns at the edges count twice.",
        ),
        WrongAnswer("one-thread", _one_for_all, "One thread does all of it: divide the columns."),
        WrongAnswer(
            "all-of-it",
            _all_of_it,
            "Each thread does all of it, so each sum is added as often as there are threads.",
        ),
        WrongAnswer(
            "a-column-each",
            _one_column_each,
            "One piece for each column is more than there are threads.",
        ),
    ),
    hints=(
        "Which of the two axes is summed, and which one numbers the results?",
        "All rows for everybody; thread t gets the columns from t D // threads on.",
        "[(slice(0, B), slice(t * D // threads, (t + 1) * D // threads)) for t in range(threads)].",
    ),
)

# ---- 08.false-sharing ----------------------------------------------------------------------------

LINE = 64  # bytes
WORD = 8


def false_sharing(address, places):
    """Pairs in one line of 64 bytes, counted from address 0, but not at one word"""
    count = 0
    for i in range(len(places)):
        for j in range(i):
            s, t = address + 8 * places[i], address + 8 * places[j]
            if s != t and s // 64 == t // 64:
                count += 1
    return count


def _sharing_cases():
    return [
        (6400, [0, 1]),
        (6400, [0, 8]),
        (6424, [4, 5]),
        (6424, [0, 4, 5, 12, 12, 13, 21]),
        (6448, [3, 1, 0, 2, 9, 17]),
        (12808, [6, 7, 7, 20, 22, 22, 40]),
        (6400, [0, 1, 2, 9]),  # three threads in a line: three pairs
    ]


def _sharing(test, pairs=itertools.combinations):
    def wrong(address, places):
        return sum(bool(test(address, s, t)) for s, t in pairs(places, 2))

    return wrong


def _line(address, place):
    return (address + WORD * place) // LINE


def _in_one_line(address, s, t):
    return _line(address, s) == _line(address, t) and s != t


def _both_ways(address, places):
    return 2 * false_sharing(address, places)


def _neighbours(address, places):
    return sum(_in_one_line(address, s, t) for s, t in itertools.pairwise(places))


def _threads_not_pairs(address, places):
    return sum(any(_in_one_line(address, s, t) for t in places) for s in places)


FALSE_SHARING = Exercise(
    id="08.false-sharing",
    title="find the threads that share a line without sharing a word",
    stub=stub("""
        def false_sharing(address, places):    # thread t writes the word of 8 bytes that begins at
            ...      # address + 8 * places[t]; lines have 64 bytes, the first one begins at 0.
                     # -> how many pairs of threads suffer from false sharing, as an int
    """),
    reference=false_sharing,
    cases=_sharing_cases,
    mistakes=(
        WrongAnswer(
            "distance",
            _sharing(lambda address, s, t: s != t and WORD * abs(s - t) < LINE),
            "Less than 64 bytes apart is not enough: an edge between two lines may lie between "
            "them.",
        ),
        WrongAnswer(
            "array-begins-a-line",
            _sharing(lambda address, s, t: s != t and s // 8 == t // 8),
            "Here the lines begin where the array does. They are counted from byte 0; address and "
            "8 * places[t] are both in bytes.",
        ),
        WrongAnswer(
            "same-word-too",
            _sharing(lambda address, s, t: _line(address, s) == _line(address, t)),
            "Two threads that write the same word share it truly; that is not false sharing.",
        ),
        WrongAnswer(
            "places-as-bytes",
            _sharing(lambda address, s, t: s != t and (address + s) // 64 == (address + t) // 64),
            "places count words; a word has 8 bytes.",
        ),
        WrongAnswer("both-ways", _both_ways, "Each pair is counted twice, as (s, t) and (t, s)."),
        WrongAnswer(
            "neighbours-only",
            _neighbours,
            "Threads that do not follow one another in the list can share a line as well.",
        ),
        WrongAnswer(
            "threads",
            _threads_not_pairs,
            "This counts threads; pairs of threads are asked for.",
        ),
        WrongAnswer(
            "same-word-only",
            _sharing(lambda address, s, t: s == t),
            "These write the same word. False sharing: different words, one line.",
        ),
    ),
    hints=(
        "Which line holds the byte at an address a?",
        "Line a // 64. Compare the lines of each pair once, and leave out pairs with one word.",
        "(address + 8 * s) // 64 == (address + 8 * t) // 64 and s != t, for each pair s, t.",
    ),
)
