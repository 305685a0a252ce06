"""Taking a share of the work without losing any, and what threads can gain at most."""

from typing import NamedTuple

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 08.ticket -----------------------------------------------------------------------------------

MOST_CALLS = 50


class Word:
    """A number that several threads share. The others act between any two calls: `others` says
    for each call of `load` how often they take a chunk right after it."""

    def __init__(self, value: int, others: list[int]) -> None:
        self.value, self.others, self.calls = value, list(others), 0
        self.stored = False  # written without comparing

    def load(self) -> int:
        self._count()
        value = self.value
        self.value += self.others.pop(0) if self.others else 0
        return value

    def swap(self, expected: int, value: int) -> bool:
        self._count()
        if self.value != expected:
            return False
        self.value = value
        return True

    def store(self, value: int) -> None:
        self._count()
        self.value, self.stored = value, True

    def _count(self):
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


def take_chunk(word, chunks):
    """Ask for the next number until nobody else was faster"""
    while True:
        chunk = word.load()
        if chunk >= chunks:
            return -1
        if word.swap(chunk, chunk + 1):
            return chunk


def _ticket_cases():
    words = [(0, [], 3), (1, [1], 5), (2, [1, 2], 9), (3, [], 3), (3, [1], 4), (0, [2, 0], 2)]
    words.append((0, [1] * 12, 20))
    return [(Shared(value, others), chunks) for value, others, chunks in words]


def _observe_ticket(answer, shared, chunks):
    word = Word(shared.value, shared.others)
    chunk = answer(word, chunks)
    return chunk, word.value, not word.stored


def _no_retry(word, chunks):
    chunk = word.load()
    if chunk >= chunks:
        return -1
    word.swap(chunk, chunk + 1)
    return chunk


def _gives_up(word, chunks):
    chunk = word.load()
    if chunk < chunks and word.swap(chunk, chunk + 1):
        return chunk
    return -1


def _stores(word, chunks):
    chunk = word.load()
    if chunk >= chunks:
        return -1
    word.store(chunk + 1)
    return chunk


def _beyond(word, chunks):
    while True:
        chunk = word.load()
        if chunk > chunks:
            return -1
        if word.swap(chunk, chunk + 1):
            return chunk


def _new_number(word, chunks):
    chunk = take_chunk(word, chunks)
    return chunk + 1 if chunk >= 0 else -1


def _swap_blind(word, chunks):
    while True:
        chunk = word.load()
        if chunk >= chunks:
            return -1
        if word.swap(word.value, chunk + 1):
            return chunk


def _asks_once(word, chunks):
    chunk = word.load()
    if chunk >= chunks:
        return -1
    while not word.swap(chunk, chunk + 1):
        pass
    return chunk


TICKET = Exercise(
    id="08.ticket",
    title="take the next chunk of a job, while others do the same",
    stub=stub("""
        def take_chunk(word, chunks):    # word.load() -> the number of the next chunk;
            ...      # word.swap(expected, value) -> True if the word was `expected` and now is
                     # `value`, else False. -> the chunk taken, or -1 if all `chunks` are gone
    """),
    reference=take_chunk,
    cases=_ticket_cases,
    observe=_observe_ticket,
    returns=("chunk", "the word afterwards", "written only by swap"),
    mistakes=(
        WrongAnswer(
            "no-retry",
            _no_retry,
            "The result of swap is not used: if somebody was faster, the chunk is theirs.",
        ),
        WrongAnswer(
            "gives-up",
            _gives_up,
            "If somebody was faster there may be other chunks: ask again before saying -1.",
        ),
        WrongAnswer(
            "stores",
            _stores,
            "The word is written without comparing: what others took in between is taken again.",
        ),
        WrongAnswer(
            "beyond-the-end",
            _beyond,
            "Chunks are numbered from 0: the number `chunks` itself is no chunk.",
        ),
        WrongAnswer(
            "next-number",
            _new_number,
            "This returns the number of the chunk after the one taken.",
        ),
        WrongAnswer(
            "swap-blind",
            _swap_blind,
            "swap must compare with the number that was loaded; here it cannot fail.",
        ),
        WrongAnswer(
            "loads-once",
            _asks_once,
            "The word has changed, so this swap never succeeds: load it again in the loop.",
        ),
    ),
    hints=(
        "Between load and swap somebody else may take a chunk. How do you notice?",
        "If swap returns False, begin again with load.",
        "while True: n = word.load(); -1 if n >= chunks; return n if word.swap(n, n + 1).",
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
