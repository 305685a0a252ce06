"""A reader's function as text, with what it needs, so that another notebook can run it."""

import ast
import inspect
import linecache
import textwrap
import tokenize
import types


def source_of(function):
    """Self-contained source: the function, its helpers from the same notebook, its imports.

    None where there is no source, or where it is no plain `def`.
    """
    function = getattr(function, "py_func", function)
    if not isinstance(function, types.FunctionType) or function.__closure__:
        return None
    lines = {}
    if not _collect(function, lines):
        return None
    return "\n".join([*lines.values(), ""])


def definition(function, name):
    """(source, syntax tree) of the `def` of that name, or None without one.

    function: a function, or its code object.
    """
    try:
        text = textwrap.dedent(inspect.getsource(function))
        body = ast.parse(text).body
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):
        return None
    for node in body[:1]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return text, node
    return None  # a lambda; or the file has changed since


def _collect(function, lines):
    """Puts the source of `function` into `lines`, after all that it needs; False without one."""
    found = definition(function, function.__name__)
    if found is None or not isinstance(found[1], ast.FunctionDef):
        return False
    text, tree = found
    name = tree.name
    lines[name] = ""  # in work: a recursive function needs itself
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


def function_from(source, id):
    """Run the source of a kept answer and return its last function."""
    filename = f"<your {id}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    namespace = {"__name__": "your_answer"}
    exec(compile(source, filename, "exec"), namespace)
    last = ast.parse(source).body[-1]
    return namespace[last.name]
