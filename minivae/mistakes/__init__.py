"""Common mistakes in a VAE, each stored as an edit of the real source.

    find(name)          the mistake of that name, one of MISTAKES
    plant(mistake)      the module `ops`, `vae`, `conditional` or `gan` with that mistake in it
    sources(mistake)    the functions that it changes, as they are and with the mistake

A mistake names a function, the right text in it and the wrong one; `plant` compiles the module with
that edit and nothing else changed. So the list cannot go out of date: if the right text is no
longer there, planting fails, and so does a test.

The tests, the bug museum, the exercises and `gradcheck --plant NAME` all use this list. Its rows
are in the other files of this package, one file for each formula.
"""

import ast
import difflib
import linecache
from functools import cache
from pathlib import Path
from types import ModuleType

from minivae.errors import MinivaeError
from minivae.mistakes.adam import ADAM_MISTAKES
from minivae.mistakes.conditional import CONDITIONAL_MISTAKES
from minivae.mistakes.dense import DENSE_MISTAKES
from minivae.mistakes.elbo import ELBO_MISTAKES
from minivae.mistakes.gan import GAN_MISTAKES
from minivae.mistakes.iwae import IWAE_MISTAKES
from minivae.mistakes.kl import KL_MISTAKES
from minivae.mistakes.likelihoods import LIKELIHOOD_MISTAKES
from minivae.mistakes.mistake import Edit, Mistake
from minivae.mistakes.reparam import REPARAM_MISTAKES
from minivae.mistakes.witnesses import GRADIENT

__all__ = [
    "GRADIENT", "MISTAKES", "VAE_MISTAKES", "Edit", "Mistake", "find", "plant", "sources",
]  # fmt: skip

VAE_MISTAKES = (
    *DENSE_MISTAKES,
    *REPARAM_MISTAKES,
    *KL_MISTAKES,
    *LIKELIHOOD_MISTAKES,
    *ADAM_MISTAKES,
    *ELBO_MISTAKES,
    *IWAE_MISTAKES,
)
MISTAKES = (*VAE_MISTAKES, *CONDITIONAL_MISTAKES, *GAN_MISTAKES)


def find(name: str) -> Mistake:
    """The mistake called `name`, or MinivaeError with the closest names."""
    for mistake in MISTAKES:
        if mistake.name == name:
            return mistake
    close = difflib.get_close_matches(name, [m.name for m in MISTAKES], n=3, cutoff=0.4)
    known = f"did you mean {' or '.join(close)}?" if close else "`list` names them all"
    raise MinivaeError(f"there is no planted mistake called {name!r}; {known}")


@cache
def plant(mistake: Mistake) -> ModuleType:
    """The whole module (`minivae.ops`, `vae`, ...) with that mistake in it, freshly compiled.

    The real module stays as it is. Raises MinivaeError if the right text is no longer there.
    """
    source = _module_source(mistake.module)
    for _, right, wrong in sources(mistake):
        source = source.replace(right, wrong)
    module = ModuleType(f"minivae.{mistake.module}")
    file = f"<minivae/{mistake.module}.py with {mistake.name}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    exec(compile(source, file, "exec"), module.__dict__)  # tracebacks show the planted lines
    return module


def sources(mistake: Mistake) -> tuple[tuple[str, str, str], ...]:
    """((function, right source, wrong source), ...) of the functions that the mistake changes.

    Raises MinivaeError if the right text is no longer there.
    """
    functions = _function_sources(mistake.module)
    wrong: dict[str, str] = {}
    for edit in mistake.edits:
        if edit.function not in functions:
            raise MinivaeError(f"there is no function {edit.function} to plant a mistake in")
        text = wrong.get(edit.function, functions[edit.function])
        wrong[edit.function] = _apply(edit, text, mistake.name)
    return tuple((function, functions[function], text) for function, text in wrong.items())


@cache
def _module_source(module: str) -> str:
    return (Path(__file__).parents[1] / f"{module}.py").read_text(encoding="utf-8")


@cache
def _function_sources(module: str) -> dict[str, str]:
    """{function: its source} of the real module."""
    source = _module_source(module)
    lines = source.splitlines(keepends=True)
    return {
        node.name: "".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    }


def _apply(edit: Edit, text: str, name: str) -> str:
    if text.count(edit.right) != 1:
        raise MinivaeError(
            f"mistake {name}: {edit.right!r} stands {text.count(edit.right)} times in "
            f"{edit.function}; it must stand there once"
        )
    return text.replace(edit.right, edit.wrong)
