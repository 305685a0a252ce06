"""Threads that sleep: a job must not be lost when it comes at the wrong moment."""

import itertools
from typing import NamedTuple

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, stub

# ---- 08.asleep -----------------------------------------------------------------------------------

FINE = "every job is taken, and none is waited for without sleeping"
MOST_CALLS = 8  # without sleeping
CONCERNS = {"job": "store", "asleep": "look", "lock": "release"}  # which step of the leader


class Ending(Exception):
    """The story ends here; the text says how."""


class Shared(NamedTuple):
    """What the reader is shown of the words or of the lock, and how many jobs will come."""

    what: str
    jobs: int

    def __repr__(self) -> str:
        return f"<{self.what}>"


class Story:
    """One way in which the steps of a leader and of a helper may follow one another.

    The leader hands over a job when the one before is taken: it stores its number, looks whether
    the helper is asleep, and if so releases the lock, in three steps. choices: for each call of the
    helper, which of them come before it. Where a step has nothing to do with a call (CONCERNS), it
    makes no difference which comes first; so the leader acts up to a step that has, or not at all.
    """

    def __init__(self, jobs: int, choices: list[int]) -> None:
        self.values = {"job": 0, "asleep": 0}
        self.steps = [(s, n) for n in range(1, jobs + 1) for s in ("store", "look", "release")]
        self.choices = iter(choices)
        self.chosen: list[tuple[int, int]] = []  # at each call: which way, of how many
        self.awake = self.taken = self.seen = 0
        self.locked = True
        self.told: list[str] = []

    def load(self, name: str) -> int:
        self._begin_call(name)
        self._tell(f"you load {name}: {self.values[name]}")
        return self.values[name]

    def store(self, name: str, value: int) -> None:
        self._begin_call(name)
        self.values[name] = value
        self._tell(f"you store {name} = {value}")

    def acquire(self) -> None:
        self._begin_call("lock")
        self._tell("you acquire the lock" + ", and sleep" * self.locked)
        while self.locked:
            if not self._leader_acts():
                raise Ending(f"nobody wakes you: job {self.taken + 1} is lost")
        self.locked, self.awake = True, 0

    def take(self, job: object) -> None:
        """The helper has returned this job."""
        due = self.taken + 1
        if not isinstance(job, int | np.integer) or job != due:
            raise Ending(f"you return {job!r}; job {due} is to be done")
        if self.values["job"] != due:
            raise Ending(f"you return job {due} before it is there")
        if self.values["asleep"]:
            raise Ending(f"you return job {due}, and still say that you are asleep")
        self.taken, self.awake = due, 0

    def _begin_call(self, what):
        ready = itertools.takewhile(self._need_not_wait, self.steps)
        ways = [0, *(n for n, (step, _) in enumerate(ready, start=1) if step == CONCERNS[what])]
        way = next(self.choices, 0)
        self.chosen.append((way, len(ways)))
        for _ in range(ways[min(way, len(ways) - 1)]):
            self._leader_acts()
        self.awake += 1
        if self.awake > MOST_CALLS:
            raise Ending(f"there is no job, and after {MOST_CALLS} calls you are not asleep")

    def _need_not_wait(self, step):
        return step[0] != "store" or step[1] <= self.taken + 1

    def _leader_acts(self):
        """The leader's next step, if it has one and need not wait -> whether it has."""
        if not self.steps or not self._need_not_wait(self.steps[0]):
            return False
        step, job = self.steps.pop(0)
        if step == "store":
            self.values["job"] = job
            self._tell(f"leader stores job = {job}")
        elif step == "look":
            self.seen = self.values["asleep"]
            self._tell(f"leader loads asleep: {self.seen}")
        elif self.seen:
            self.locked = False
            self._tell("leader releases the lock")
        return True

    def _tell(self, what):
        self.told.append(what)


class Words:
    """The two words, as an answer sees them."""

    def __init__(self, story: Story) -> None:
        self.load, self.store = story.load, story.store


class Lock:
    """The lock, as an answer sees it."""

    def __init__(self, story: Story) -> None:
        self.acquire = story.acquire


def next_job(words, lock, last):
    """Say so first, then look, then sleep; and look again after each sleep"""
    words.store("asleep", 1)
    while (job := words.load("job")) == last:
        lock.acquire()
    words.store("asleep", 0)
    return job


def _stories(answer, jobs):
    """Every story of this answer, up to what makes no difference: (what went wrong or None, it)."""
    choices = []
    while True:
        story, wrong = Story(jobs, choices), None
        words, lock = Words(story), Lock(story)
        try:
            for last in range(jobs):
                story.take(answer(words, lock, last))
        except Ending as end:
            wrong = str(end)
        yield wrong, story
        chosen = story.chosen
        while chosen and chosen[-1][0] + 1 >= chosen[-1][1]:
            chosen.pop()
        if not chosen:
            return
        choices = [way for way, _ in chosen]
        choices[-1] += 1


def _observe_sleep(answer, words, lock, last):
    """The story that goes wrong with the fewest changes between the two threads, or FINE."""
    failed = [
        (sum(way > 0 for way, _ in story.chosen), "; ".join([*story.told, wrong]))
        for wrong, story in _stories(answer, words.jobs)
        if wrong
    ]
    return min(failed, key=lambda f: (f[0], len(f[1])))[1] if failed else FINE


def _sleep_cases():
    # After two, the lock may be free and the leader about to release it again: only the third job
    # shows an answer that can stand one waking too many, but not two.
    jobs = {
        1: "one job",
        2: "two jobs, one after the other",
        3: "three jobs, one after the other",
    }
    return [
        (Shared(f"two words that are 0; a leader with {text}", n), Shared("a taken lock", n), 0)
        for n, text in jobs.items()
    ]


def _marks_after_looking(words, lock, last):
    while (job := words.load("job")) == last:
        words.store("asleep", 1)
        lock.acquire()
        words.store("asleep", 0)
    return job


def _never_marks(words, lock, last):
    while (job := words.load("job")) == last:
        lock.acquire()
    return job


def _sleeps_first(words, lock, last):
    words.store("asleep", 1)
    lock.acquire()
    words.store("asleep", 0)
    return words.load("job")


def _looks_once_after_waking(words, lock, last):
    words.store("asleep", 1)
    if words.load("job") == last:
        lock.acquire()
    words.store("asleep", 0)
    return words.load("job")


def _stays_marked(words, lock, last):
    words.store("asleep", 1)
    while (job := words.load("job")) == last:
        lock.acquire()
    return job


def _spins(words, lock, last):
    while (job := words.load("job")) == last:
        pass
    return job


def _cleared_too_early(words, lock, last):
    while True:
        words.store("asleep", 1)
        job = words.load("job")
        words.store("asleep", 0)
        if job != last:
            return job
        lock.acquire()


def _zero_is_no_job(words, lock, last):
    return next_job(words, lock, 0)


def _marked_once(words, lock, last):
    words.store("asleep", 1)
    while (job := words.load("job")) == last:
        lock.acquire()
        words.store("asleep", 0)
    words.store("asleep", 0)
    return job


ASLEEP = Exercise(
    id="08.asleep",
    title="let a helper sleep without losing a job",
    stub=stub("""
        def next_job(words, lock, last):    # for the helper that has done job `last` -> the number
            ...      # of the next job; words.load(name) and words.store(name, value) for "job" and
                     # "asleep", which is to be 0 at the end; lock.acquire() sleeps until the lock
                     # is free, and takes it. At most a few calls before you sleep
    """),
    reference=next_job,
    cases=_sleep_cases,
    observe=_observe_sleep,
    returns=("what happens",),
    mistakes=(
        WrongAnswer(
            "marks-after-looking",
            _marks_after_looking,
            "The job may come between your look and your word that you are asleep. Look once more "
            "when the word is stored.",
        ),
        WrongAnswer(
            "never-marks",
            _never_marks,
            'The leader only wakes a helper whose word "asleep" is 1.',
        ),
        WrongAnswer(
            "sleeps-first",
            _sleeps_first,
            "The job may be there already: look before you sleep, after you have stored the word.",
        ),
        WrongAnswer(
            "looks-once-after-waking",
            _looks_once_after_waking,
            "Being woken does not mean that there is a job: the leader may release the lock late, "
            "for a job that you have seen yourself. Look again, in a loop.",
        ),
        WrongAnswer(
            "stays-marked",
            _stays_marked,
            'At the end the helper is awake: "asleep" is to be 0 again.',
        ),
        WrongAnswer("spins", _spins, "This keeps a core busy as long as there is no job: sleep."),
        WrongAnswer(
            "cleared-too-early",
            _cleared_too_early,
            '"asleep" is 0 again before you sleep: a leader that looks then does not wake you.',
        ),
        WrongAnswer(
            "zero-is-no-job",
            _zero_is_no_job,
            "The word keeps the number of the old job until the next one comes: compare it with "
            "`last`.",
        ),
        WrongAnswer(
            "marked-once",
            _marked_once,
            'Where you were woken and there is no job, you sleep again: then "asleep" must be 1 '
            "again.",
        ),
    ),
    hints=(
        "Two flags, as in 8.14: each thread raises its own, and then looks at the other's.",
        'Store "asleep" first, then load "job", and sleep only if it still is `last`. What if you '
        "are woken, and it is `last` again?",
        'words.store("asleep", 1); while (job := words.load("job")) == last: lock.acquire(); '
        'then words.store("asleep", 0).',
    ),
)
