"""Notebook 08c: answers to `08.asleep`."""

from answers_of_others.registry import right, wrong


@right("08.asleep")
def looks_twice(words, lock, last):
    while True:
        job = words.load("job")
        if job == last:
            words.store("asleep", 1)
            job = words.load("job")
            if job == last:
                lock.acquire()
            words.store("asleep", 0)
        if job != last:
            return job


@right("08.asleep")
def asks_itself_again(words, lock, last):
    words.store("asleep", True)
    job = words.load("job")
    if job == last:
        lock.acquire()
        return asks_itself_again(words, lock, last)
    words.store("asleep", False)
    return job


@right("08.asleep")
def marks_before_each_look(words, lock, last):
    job = last
    while job == last:
        words.store("asleep", 1)
        job = words.load("job")
        if job == last:
            lock.acquire()
        words.store("asleep", 0)
    return job


@right("08.asleep")
def compares_for_more(words, lock, last):
    for _ in range(3):
        if words.load("job") > last:
            return last + 1
    words.store("asleep", 1)
    while words.load("job") <= last:
        lock.acquire()
    words.store("asleep", 0)
    return last + 1


@wrong("08.asleep")  # the leader can be late twice, which takes three jobs
def sleeps_twice_at_most(words, lock, last):
    words.store("asleep", 1)
    for _ in range(2):
        if words.load("job") == last:
            lock.acquire()
    words.store("asleep", 0)
    return words.load("job")


@wrong("08.asleep")
def looks_three_times_then_marks(words, lock, last):
    while True:
        for _ in range(3):
            job = words.load("job")
            if job != last:
                return job
        words.store("asleep", 1)
        lock.acquire()
        words.store("asleep", 0)


@wrong("08.asleep", clue="never-marks")
def marks_when_it_is_too_late(words, lock, last):
    while (job := words.load("job")) == last:
        lock.acquire()
        words.store("asleep", 1)
    words.store("asleep", 0)
    return job


@wrong("08.asleep")
def next_number_after_waking(words, lock, last):
    words.store("asleep", 1)
    if words.load("job") == last:
        lock.acquire()
    words.store("asleep", 0)
    return last + 1


@wrong("08.asleep")
def job_of_the_first_look(words, lock, last):
    words.store("asleep", 1)
    job = words.load("job")
    while job == last:
        lock.acquire()
        words.store("asleep", 0)
        return job
    words.store("asleep", 0)
    return job


@wrong("08.asleep")
def names_exchanged(words, lock, last):
    words.store("job", 1)
    while (job := words.load("asleep")) == last:
        lock.acquire()
    words.store("job", 0)
    return job


@wrong("08.asleep")
def marks_with_zero(words, lock, last):
    words.store("asleep", 0)
    while (job := words.load("job")) == last:
        lock.acquire()
    words.store("asleep", 1)
    return job


@wrong("08.asleep")
def does_not_wait(words, lock, last):
    return words.load("job")


@wrong("08.asleep")
def gives_up(words, lock, last):
    words.store("asleep", 1)
    job = words.load("job")
    words.store("asleep", 0)
    return None if job == last else job


@wrong("08.asleep")
def no_result(words, lock, last):
    words.store("asleep", 1)
    while words.load("job") == last:
        lock.acquire()
    words.store("asleep", 0)


@wrong("08.asleep")
def marks_and_spins(words, lock, last):
    words.store("asleep", 1)
    while (job := words.load("job")) == last:
        pass
    words.store("asleep", 0)
    return job


@wrong("08.asleep", clue="marked-once")
def clears_although_it_sleeps_again(words, lock, last):
    words.store("asleep", 1)
    job = words.load("job")
    while job == last:
        lock.acquire()
        words.store("asleep", 0)
        job = words.load("job")
    words.store("asleep", 0)
    return job


@wrong("08.asleep")
def sleeps_even_with_a_job(words, lock, last):
    words.store("asleep", 1)
    while True:
        job = words.load("job")
        lock.acquire()
        if job != last:
            words.store("asleep", 0)
            return job


@wrong("08.asleep")
def stays_marked_where_it_slept(words, lock, last):
    words.store("asleep", 1)
    while (job := words.load("job")) == last:
        lock.acquire()
        if words.load("job") != last:
            return words.load("job")
    words.store("asleep", 0)
    return job
