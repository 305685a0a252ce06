"""All exercises, in the order of the notebooks."""

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType

from minivae.exercises import chapters
from minivae.exercises.exercise import Exercise

_PACKAGES = pkgutil.iter_modules(chapters.__path__)
CHAPTERS = tuple(sorted(package.name.removeprefix("nb") for package in _PACKAGES))  # "01", ...


def chapter_modules(name: str = "") -> list[ModuleType]:
    """The package of each chapter, or the module of that name in each ("questions")."""
    suffix = f".{name}" if name else ""
    return [
        importlib.import_module(f"minivae.exercises.chapters.nb{chapter}{suffix}")
        for chapter in CHAPTERS
    ]


@functools.cache
def exercises() -> dict[str, Exercise]:
    """{id: Exercise}; the chapters are imported at the first call."""
    return {exercise.id: exercise for module in chapter_modules() for exercise in module.EXERCISES}


def closest(id: object, known: Iterable[str]) -> str:
    """The known id that is most like this one, for "did you mean"."""
    text = id[:100] if isinstance(id, str) else ""
    return difflib.get_close_matches(text, known, n=1, cutoff=0.0)[0]
