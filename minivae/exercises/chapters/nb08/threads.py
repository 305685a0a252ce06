"""Taking a share of the work without losing any, and what threads can gain at most."""

from typing import NamedTuple

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 08.ticket -----------------------------------------------------------------------------------

MOST_CALLS = 50


class Word:
    """A number that several threads share. The others act between any two calls: `others` says
    how many chunks they take between the first two, the next two, and so on."""

    def __init__(self, value: int, others: list[int]) -> None:
        self.value, self.others, self.calls = value, list(others), 0
        self.stored = False  # written without comparing
        self.moved = False  # by a swap

    def load(self) -> int:
        self._count()
        return self.value

    def swap(self, expected: int, value: int) -> bool:
        self._count()
        if self.value != expected:
            return False
        self.moved |= value != expected
        self.value = value
        return True

    def store(self, value: int) -> None:
        self._count()
        self.value, self.stored = value, True

    def _count(self):
        if self.calls and self.others:
            self.value += self.others.pop(0)
        self.calls += 1
        if self.calls > MOST_CALLS:
            raise RuntimeError(f"the word was asked {MOST_CALLS} times: an endless loop?")


class Shared(NamedTuple):
    """A word before the call: its value, and what others do meanwhile."""

    value: int
    others: list[int]

    def __repr__(self) -> str:
        others = f"; others take {self.others} meanwhile" if self.others else ""
        return f"<a word that holds {self.value}{others}>"


def take_chunks(word, chunks, most):
    """Several with one swap: from the number that was loaded, until nobody else was faster"""
    while True:
        first = word.load()
        if first >= chunks:
            return first, first
        end = min(first + most, chunks)
        if word.swap(first, end):
            return first, end


def _ticket_cases():
    cases = [
        (0, [], 3, 1),
        (1, [], 7, 3),
        (1, [1], 5, 2),
        (1, [0, 1], 9, 3),
        (5, [], 7, 4),
        (2, [1, 2], 9, 2),
        (2, [1, 0, 2], 12, 2),
        (0, [0, 0, 1], 9, 2),
        (3, [], 3, 2),
        (3, [1], 4, 3),
        (0, [2, 0], 2, 2),
        (0, [1] * 12, 20, 3),
    ]
    return [(Shared(value, others), chunks, most) for value, others, chunks, most in cases]


def _observe_ticket(answer, shared, chunks, most):
    word = Word(shared.value, shared.others)
    taken = answer(word, chunks, most)
    if not (isinstance(taken, tuple | list) and len(taken) == 2):
        raise TypeError("two numbers are asked for: (first, end)")
    first, end = taken
    all_gone = word.value >= chunks and not word.moved
    if all_gone and first == end:  # any two equal numbers say so
        first = end = chunks
    return first, end, word.value, not word.stored


def _ticket(*, retry=True, use=True, last=min, write=Word.swap):
    """take_chunks with some other step."""

    def wrong(word, chunks, most):
        while True:
            first = word.load()
            if first >= chunks:
                return first, first
            end = last(first + most, chunks)
            if write(word, first, end) or not use:
                return first, end
            if not retry:
                return chunks, chunks

    return wrong


def _write_anyway(word, first, end):
    word.store(end)
    return True


def _swap_blind(word, first, end):
    return word.swap(word.load(), end)


def _one_by_one(word, chunks, most):
    first = end = None
    for _ in range(most):
        chunk, after = take_chunks(word, chunks, 1)
        if chunk == after:
            break
        first, end = chunk if first is None else first, after
    return (chunks, chunks) if first is None else (first, end)


def _all_or_none(word, chunks, most):
    while True:
        first = word.load()
        if first + most > chunks:
            return chunks, chunks
        if word.swap(first, first + most):
            return first, first + most


def _loads_once(word, chunks, most):
    first = word.load()
    if first >= chunks:
        return first, first
    end = min(first + most, chunks)
    while not word.swap(first, end):
        pass
    return first, end


def _end_from_the_word(word, chunks, most):
    first, end = take_chunks(word, chunks, most)
    return first, (word.load() if first < end else end)


def _last_included(word, chunks, most):
    first, end = take_chunks(word, chunks, most)
    return first, end - (end > first)


TICKET = Exercise(
    id="08.ticket",
    title="take several chunks of a job at once, while others do the same",
    stub=stub("""
        def take_chunks(word, chunks, most):    # word.load() -> the next chunk, `chunks` if none;
            ...      # word.swap(expected, value) -> True if the word was `expected` and now is
                     # `value`, else False. -> (first, end): the chunks range(first, end) are
                     # yours alone, as many as there are up to `most`; first == end if all are gone
    """),
    reference=take_chunks,
    cases=_ticket_cases,
    observe=_observe_ticket,
    returns=("first", "end", "the word afterwards", "written only by swap"),
    mistakes=(
        WrongAnswer(
            "no-retry",
            _ticket(use=False),
            "The result of swap is not used: if somebody was faster, the chunks are theirs.",
        ),
        WrongAnswer(
            "gives-up",
            _ticket(retry=False),
            "If somebody was faster there may be other chunks: ask again before giving up.",
        ),
        WrongAnswer(
            "stores",
            _ticket(write=_write_anyway),
            "The word is written without comparing: what others took in between is taken again.",
        ),
        WrongAnswer(
            "too-far",
            _ticket(last=lambda end, chunks: end),
            "Fewer than `most` chunks may be left: the end is at most `chunks`.",
        ),
        WrongAnswer(
            "last-chunk-lost",
            _ticket(last=lambda end, chunks: min(end, chunks - 1)),
            "The last chunk is never taken: `end` is one past it, so it may be `chunks`.",
        ),
        WrongAnswer(
            "all-or-none",
            _all_or_none,
            "Where fewer than `most` chunks are left, take those.",
        ),
        WrongAnswer(
            "one-by-one",
            _one_by_one,
            "With a swap for each chunk, others take some in between: range(first, end) is then "
            "not yours alone. Move the word by all of them in one swap.",
        ),
        WrongAnswer(
            "last-included",
            _last_included,
            "`end` is the chunk after your last one, as in range(first, end).",
        ),
        WrongAnswer(
            "end-from-the-word",
            _end_from_the_word,
            "After your swap others may have moved the word: `end` is the number you swapped in.",
        ),
        WrongAnswer(
            "swap-blind",
            _ticket(write=_swap_blind),
            "swap must compare with the number that your chunks begin at: since that was loaded, "
            "others may have taken some.",
        ),
        WrongAnswer(
            "loads-once",
            _loads_once,
            "The word has changed, so this swap never succeeds: load it again in the loop.",
        ),
    ),
    hints=(
        "The word tells where the next thread begins. Where is that if you take several?",
        "end = min(first + most, chunks), and one swap from first to end. If it fails, load again.",
        "while True: n = load(); (n, n) if n >= chunks; e = min(n + most, chunks); "
        "(n, e) if swap(n, e).",
    ),
)

# ---- 08.amdahl -----------------------------------------------------------------------------------


def serial_share(one, several, threads):
    """From t_n = t_1 (s + (1 - s) / n): s, and the gain 1 / s of endlessly many threads"""
    s = (threads * several / one - 1) / (threads - 1)
    return s, 1 / s


def _amdahl_cases():
    return [(10.0, 6.0, 2), (8.0, 3.5, 4), (100.0, 31.25, 8)]


def _amdahl(share, gain=lambda s, one, several: 1 / s):
    def wrong(one, several, threads):
        s = share(one, several, threads)
        return s, gain(s, one, several)

    return wrong


def _right_share(one, several, threads):
    return serial_share(one, several, threads)[0]


AMDAHL = Exercise(
    id="08.amdahl",
    title="the part that threads cannot divide, from two times",
    stub=stub("""
        def serial_share(one, several, threads):    # seconds with one thread, with several threads
            ...      # -> the share of the work that is not divided, by Amdahl's law, and how many
                     # times as fast as one thread it could be with endlessly many
    """),
    reference=serial_share,
    cases=_amdahl_cases,
    returns=("share", "gain"),
    mistakes=(
        WrongAnswer(
            "ratio",
            _amdahl(lambda one, several, n: several / one),
            "several / one is what is left of the time, of which a part is divided work.",
        ),
        WrongAnswer(
            "parallel-share",
            _amdahl(lambda one, several, n: 1 - _right_share(one, several, n)),
            "This is the share that is divided; the other one is asked for.",
        ),
        WrongAnswer(
            "measured-gain",
            _amdahl(_right_share, lambda s, one, several: one / several),
            "one / several is the gain that was measured; with endlessly many threads it is 1 / s.",
        ),
        WrongAnswer(
            "gain-from-the-divided-part",
            _amdahl(_right_share, lambda s, one, several: 1 / (1 - s)),
            "The serial part limits the gain: 1 / s, not 1 / (1 - s).",
        ),
        WrongAnswer(
            "by-n",
            _amdahl(lambda one, several, n: (n * several / one - 1) / n),
            "Solve t_n = t_1 (s + (1 - s) / n) for s: the divisor is n - 1.",
        ),
        WrongAnswer(
            "seconds",
            _amdahl(lambda one, several, n: (n * several - one) / (n - 1)),
            "This is the serial time in seconds; divide it by the time with one thread.",
        ),
    ),
    hints=(
        "Amdahl: t_n = t_1 (s + (1 - s) / n). Two times and n are known, s is not.",
        "Multiply by n / t_1 and collect s.",
        "s = (n t_n / t_1 - 1) / (n - 1); the gain with endlessly many threads is 1 / s.",
    ),
)
