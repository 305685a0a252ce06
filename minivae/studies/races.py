"""Times that can be trusted: contestants race in turns, and a result must agree with its claims.

For notebooks 08a to 08c. `minivae.studies.bench` compares backends on all threads, in processes of
their own; this is for small functions on one thread, inside a notebook that other programs disturb.
"""

import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minivae.errors import MinivaeError

# Set by notebooks/build.py. "1": a contradiction ends the build. "0": the notebook only has to run,
# as in the tests, and nobody reads its times.
STRICT = "MINIVAE_STRICT"
SLACK = 1.03  # medians of one race that should be equal may differ by this factor
TRIES = 5


class Contradiction(MinivaeError):
    """Measured numbers contradict each other, or what is said about them."""


class Timing(float):
    """Seconds: the median over the rounds. `low` and `high` are the quartiles."""

    low: float
    high: float

    def __new__(cls, seconds: Any) -> "Timing":
        timing = super().__new__(cls, np.median(seconds))
        timing.low, timing.high = map(float, np.percentile(seconds, (25, 75)))
        return timing


def cpu_clock() -> float:
    """Seconds that this thread has computed: what other programs take from it does not count.

    Windows counts them in steps of 16 ms, so there it is the time on the clock.
    """
    return time.perf_counter() if sys.platform == "win32" else time.thread_time()


def race(
    contestants: dict[Any, Callable[[], object]],
    rounds: int = 7,
    turn: float = 0.02,
    clock: Callable[[], float] = cpu_clock,
) -> dict[Any, Timing]:
    """{name: seconds of one call}. In each round everybody has a turn of `turn` seconds.

    The fastest call of a turn counts, because others can only make a call slower; and the median
    over the rounds, because the machine itself is faster in some rounds than in others. What uses
    several threads needs `clock=time.perf_counter`.
    """
    rounds = rounds_needed(rounds)
    fastest: dict[Any, list[float]] = {name: [] for name in contestants}
    for function in contestants.values():
        function()  # compiled, and its data in the caches
    for _ in range(rounds):
        for name, function in contestants.items():
            best, end = math.inf, time.perf_counter() + turn
            while best == math.inf or time.perf_counter() < end:
                start = clock()
                function()
                best = min(best, clock() - start)
            fastest[name].append(best)
    return {name: Timing(seconds) for name, seconds in fastest.items()}


def checked(
    measure: Callable[[], Any], claims: Callable[[Any], dict[str, Any]], tries: int = TRIES
) -> Any:
    """measure() -> its result, measured again until everything that is claimed about it holds.

    claims(result): {sentence: whether it holds}. That it took several measurements is printed, and
    after `tries` of them the sentences that do not hold; while a notebook is built
    (MINIVAE_STRICT=1), Contradiction is raised. Where nobody reads the times, one must do.
    """
    false: list[str] = []
    tries = rounds_needed(tries)
    for i in range(tries):
        result = measure()
        before, false = false, [sentence for sentence, holds in claims(result).items() if not holds]
        if not false:
            if i:
                print(f"(measured {i + 1} times, as this did not hold before: {'; '.join(before)})")
            return result
    if os.environ.get(STRICT) == "1":
        raise Contradiction(
            f"measured {tries} times, and this did not hold: {'; '.join(false)}. Is the machine "
            "busy? Build again when it is quiet, or correct the sentence"
        )
    print("Not so on this machine, just now:", "; ".join(false))
    return result


def rounds_needed(rounds: int) -> int:
    """The same number; but 1 where nobody reads the times (MINIVAE_STRICT=0)."""
    return 1 if os.environ.get(STRICT) == "0" else rounds


# ---- what always holds -------------------------------------------------------------------------


def part_of(part: float, whole: float) -> bool:
    """Whether a part takes less time than the whole that contains it."""
    return bool(part < whole)


def below_roof(rate: float, roof: float) -> bool:
    """Whether no more is computed in a second than the machine can do, within SLACK."""
    return bool(rate <= roof * SLACK)


def within_threads(one: float, several: float, threads: int) -> bool:
    """Whether n threads are at most n times as fast as one, within SLACK. `one`, `several`: s."""
    return bool(one <= threads * several * SLACK)


# ---- helpers for the notebooks -----------------------------------------------------------------


def show(times: dict[Any, Timing], work: float, unit: str = "GFLOP/s") -> None:
    """One line for each contestant: work / seconds / 1e9, with its quartiles."""
    for name, seconds in times.items():
        rate, low, high = (work / s / 1e9 for s in (seconds, seconds.high, seconds.low))
        print(f"{name!s:26} {rate:7.2f} {unit}   ({low:.2f} to {high:.2f})")


def aligned(array: np.ndarray) -> np.ndarray:
    """A float32 copy whose first number begins a cache line of 64 bytes."""
    room = np.empty(array.size + 16, np.float32)
    start = -room.ctypes.data % 64 // 4
    copy = room[start : start + array.size].reshape(array.shape)
    copy[...] = array
    return copy


def cache_sizes(folder: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> dict[str, int]:
    """{"L1": bytes, ...} of the data caches, where Linux tells; else empty."""
    sizes = {}
    for index in sorted(folder.glob("index*")):
        try:
            level, kind, size = (
                (index / name).read_text(encoding="utf-8").strip()
                for name in ("level", "type", "size")
            )
            if kind in ("Data", "Unified"):
                sizes[f"L{level}"] = int(size.removesuffix("K")) * 1024
        except (OSError, ValueError):
            continue
    return sizes
