"""All exercises, in the order of the notebooks."""

import difflib
import functools
import importlib

CHAPTERS = tuple(f"{n:02d}" for n in range(1, 11))


@functools.cache
def exercises():
    """{id: Exercise}; the chapters are imported when they are first asked for."""
    found = {}
    for chapter in CHAPTERS:
        module = importlib.import_module(f"minivae.exercises.chapters.nb{chapter}")
        found.update({exercise.id: exercise for exercise in module.EXERCISES})
    return found


def closest(id, known):
    """Of the known ids, the one most like this one, for "did you mean"."""
    text = id[:100] if isinstance(id, str) else ""
    return difflib.get_close_matches(text, known, n=1, cutoff=0.0)[0]
