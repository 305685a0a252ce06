"""A reader's function as text, with everything it needs, so that another notebook can run it."""

import ast
import linecache
import types
from collections.abc import Callable

from minivae.exercises.inspection import definition


def source_of(function: object) -> str | None:
    """Self-contained source: the function, its helpers from the same notebook, its imports.

    Returns None where there is no source, or where it is not a plain `def`.
    """
    function = getattr(function, "py_func", function)
    if not isinstance(function, types.FunctionType) or function.__closure__:
        return None
    lines: dict[str, str] = {}
    if not _collect(function, lines):
        return None
    return "\n".join([*lines.values(), ""])


def _collect(function, lines):
    """Puts the source of `function` into `lines`, after all that it needs; False without one."""
    found = definition(function, function.__name__)
    if found is None or not isinstance(found[1], ast.FunctionDef):
        return False
    text, tree = found
    name = tree.name
    lines[name] = ""  # marks it as in progress: a recursive function uses itself
    used = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
    for other in used:
        if other in function.__globals__ and other not in lines:
            _collect_value(other, function.__globals__, lines)
    del lines[name]
    lines[name] = text.rstrip()
    return True


def _collect_value(name, namespace, lines):
    value = namespace[name]
    if isinstance(value, types.ModuleType):
        lines[name] = f"import {value.__name__} as {name}"
    elif isinstance(value, bool | int | float | str):
        lines[name] = f"{name} = {value!r}"
    elif isinstance(value, types.FunctionType) and value.__globals__ is namespace:
        _collect(value, lines)
    elif getattr(value, "__module__", None) and getattr(value, "__qualname__", "").isidentifier():
        lines[name] = f"from {value.__module__} import {value.__qualname__} as {name}"


def function_from(source: str, id: str) -> Callable:
    """Run the source of a kept answer and return the function that it defines last.

    Raises whatever the source raises.
    """
    filename = f"<your {id}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    namespace: dict = {"__name__": "your_answer"}
    exec(compile(source, filename, "exec"), namespace)
    last = ast.parse(source).body[-1]
    if not isinstance(last, ast.FunctionDef):
        raise ValueError("a kept answer ends with its function")
    return namespace[last.name]
