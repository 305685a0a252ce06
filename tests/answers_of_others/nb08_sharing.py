"""Notebook 08c: answers to `08.ticket` and `08.false-sharing`."""

import itertools
from collections import Counter

import numpy as np
from answers_of_others.registry import right, wrong

# ---- 08.ticket -----------------------------------------------------------------------------------


@right("08.ticket")
def asks_itself_again(word, chunks, most):
    begin = word.load()
    end = min(chunks, begin + most)
    if begin >= chunks or word.swap(begin, end):
        return begin, max(begin, end)
    return asks_itself_again(word, chunks, most)


@right("08.ticket")
def until_it_succeeds(word, chunks, most):
    taken = False
    while not taken:
        first = word.load()
        count = max(min(most, chunks - first), 0)
        taken = word.swap(first, first + count)
    return [first, first + count]


@right("08.ticket")
def nothing_left_is_zero_to_zero(word, chunks, most):
    while (first := word.load()) < chunks:
        end = first + most if first + most < chunks else chunks
        if word.swap(first, end):
            return first, end
    return 0, 0


@wrong("08.ticket")
def loads_again_for_the_result(word, chunks, most):
    while True:
        first = word.load()
        end = min(first + most, chunks)
        if first >= chunks or word.swap(first, end):
            return word.load(), end


@wrong("08.ticket")
def moves_the_word_by_one(word, chunks, most):
    while True:
        first = word.load()
        if first >= chunks:
            return first, first
        if word.swap(first, first + 1):
            return first, min(first + most, chunks)


@wrong("08.ticket")
def first_and_number(word, chunks, most):
    while True:
        first = word.load()
        end = min(first + most, chunks)
        if first >= chunks or word.swap(first, end):
            return first, end - first


@wrong("08.ticket")
def nothing_where_all_are_gone(word, chunks, most):
    while (first := word.load()) < chunks:
        end = min(first + most, chunks)
        if word.swap(first, end):
            return first, end


@wrong("08.ticket")
def arguments_of_swap_exchanged(word, chunks, most):
    for _ in range(5):
        first = word.load()
        end = min(first + most, chunks)
        if first >= chunks:
            break
        if word.swap(end, first):
            return first, end
    return chunks, chunks


@wrong("08.ticket")
def three_attempts(word, chunks, most):
    for _ in range(3):
        first = word.load()
        end = min(first + most, chunks)
        if first >= chunks or word.swap(first, end):
            return first, end
    return chunks, chunks


@wrong("08.ticket")
def old_end(word, chunks, most):
    first = word.load()
    end = min(first + most, chunks)
    while first < chunks and not word.swap(first, end):
        first = word.load()
    return first, end


@wrong("08.ticket")
def takes_all_the_rest(word, chunks, most):
    while True:
        first = word.load()
        if first >= chunks or word.swap(first, chunks):
            return first, chunks


@wrong("08.ticket")
def takes_one(word, chunks, most):
    while True:
        first = word.load()
        if first >= chunks:
            return first, first
        if word.swap(first, first + 1):
            return first, first + 1


@wrong("08.ticket")
def two_loads(word, chunks, most):
    first = word.load()
    if first >= chunks:
        return first, first
    end = min(first + most, chunks)
    word.swap(word.load(), end)
    return first, end


@wrong("08.ticket")
def list_of_chunks(word, chunks, most):
    while True:
        first = word.load()
        end = min(first + most, chunks)
        if first >= chunks or word.swap(first, end):
            return list(range(first, end))


@wrong("08.ticket")
def end_is_most(word, chunks, most):
    while True:
        first = word.load()
        end = min(most, chunks)
        if first >= chunks or word.swap(first, end):
            return first, end


@wrong("08.ticket")
def too_far_and_cut_afterwards(word, chunks, most):
    while True:
        first = word.load()
        if first >= chunks:
            return chunks, chunks
        if word.swap(first, first + most):
            return first, min(first + most, chunks)


# ---- 08.false-sharing ----------------------------------------------------------------------------


@right("08.false-sharing")
def pairs_in_loops(address, places):
    lines = [(address + 8 * p) // 64 for p in places]
    return sum(
        lines[s] == lines[t] and places[s] != places[t]
        for s in range(len(places))
        for t in range(s + 1, len(places))
    )


@right("08.false-sharing")
def by_counting(address, places):
    def pairs(numbers):
        return sum(n * (n - 1) // 2 for n in Counter(numbers).values())

    return pairs((address + 8 * p) >> 6 for p in places) - pairs(places)


@right("08.false-sharing")
def in_a_square(address, places):
    words = np.array(places) + address // 8
    one_line = words[:, None] // 8 == words // 8
    return int((one_line & (words[:, None] != words)).sum()) // 2


@wrong("08.false-sharing")
def each_word_once(address, places):
    return pairs_in_loops(address, sorted(set(places)))


@wrong("08.false-sharing")
def same_offset(address, places):
    pairs = itertools.combinations(places, 2)
    return sum((address + 8 * s) % 64 == (address + 8 * t) % 64 and s != t for s, t in pairs)


@wrong("08.false-sharing")
def at_most_eight_words(address, places):
    return sum(0 < abs(s - t) <= 8 for s, t in itertools.combinations(places, 2))


@wrong("08.false-sharing")
def lines_of_128(address, places):
    pairs = itertools.combinations(places, 2)
    return sum((address + 8 * s) // 128 == (address + 8 * t) // 128 and s != t for s, t in pairs)


@wrong("08.false-sharing")
def lines_of_32(address, places):
    pairs = itertools.combinations(places, 2)
    return sum((address + 8 * s) // 32 == (address + 8 * t) // 32 and s != t for s, t in pairs)


@wrong("08.false-sharing")
def lines_with_more_than_one_word(address, places):
    lines = Counter((address + 8 * p) // 64 for p in set(places))
    return sum(n > 1 for n in lines.values())


@wrong("08.false-sharing")
def numbers_of_threads_for_places(address, places):
    pairs = itertools.combinations(range(len(places)), 2)
    return sum((address + 8 * s) // 64 == (address + 8 * t) // 64 for s, t in pairs)


@wrong("08.false-sharing", clue="array-begins-a-line")
def address_in_words(address, places):
    pairs = itertools.combinations(places, 2)
    return sum((address + s) // 8 == (address + t) // 8 and s != t for s, t in pairs)


@wrong("08.false-sharing")
def only_whether(address, places):
    return pairs_in_loops(address, places) > 0


@wrong("08.false-sharing")
def list_of_pairs(address, places):
    pairs = itertools.combinations(places, 2)
    return [(s, t) for s, t in pairs if (address + 8 * s) // 64 == (address + 8 * t) // 64]


@wrong("08.false-sharing")
def with_the_first_thread(address, places):
    first = (address + 8 * places[0]) // 64
    return sum((address + 8 * p) // 64 == first and p != places[0] for p in places[1:])


@wrong("08.false-sharing")
def all_pairs_of_a_line_once(address, places):
    lines = Counter((address + 8 * p) // 64 for p in places)
    return sum(n - 1 for n in lines.values())
