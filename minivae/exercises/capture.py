"""A reader's answer as text, with everything it needs, so that another session can run it."""

import ast
import builtins
import dis
import functools
import linecache
import math
import sys
import sysconfig
import textwrap
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minivae.exercises.inspection import definition

INSTALLED = [
    *{Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    Path(__file__).parents[1],
]
MAX_NUMBERS = 10_000  # of an array that is kept
LAST = "answer"  # what the kept source calls an answer that has no name of its own


class CannotKeep(Exception):
    """Why an answer cannot be kept, in words that continue "it cannot be kept: "."""


class UnknownValue(CannotKeep):
    """A value that has no text."""


def source_of(answer: object) -> str:
    """Self-contained source of an answer that can be called.

    It holds the imports, the global values and the other functions that the answer needs, with the
    values of now. A function, a lambda, a closure, a method of an object with plain attributes, a
    `functools.partial` and a compiled function are kept. Raises CannotKeep for anything else.
    """
    parts = _Parts()
    last = parts.expression(answer)
    source = parts.source()
    body = ast.parse(source).body
    if not (body and isinstance(body[-1], ast.FunctionDef) and body[-1].name == last):
        source += f"{LAST} = {last}\n"
    try:
        function_from(source, "answer")
    except Exception as error:
        raise CannotKeep(f"run on its own, it ends with {type(error).__name__}: {error}") from None
    return source


def function_from(source: str, id: str) -> Callable:
    """Run the source of a kept answer and return what its last statement defines.

    Raises whatever the source raises.
    """
    filename = f"<your {id}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    namespace: dict = {"__name__": "your_answer"}
    exec(compile(source, filename, "exec"), namespace)
    last = ast.parse(source).body[-1]
    if isinstance(last, ast.FunctionDef):
        return namespace[last.name]
    if isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
        return namespace[last.targets[0].id]
    raise ValueError("a kept answer ends with what it defines")


class _Parts:
    """The pieces of a source, in the order in which they are needed."""

    def __init__(self) -> None:
        self.imports: dict[str, str] = {}  # {name: line}
        self.defined: dict[str, Any] = {}  # {name: what it is}, in order
        self.lines: list[str] = []

    def source(self) -> str:
        return "\n".join([*self.imports.values(), *self.lines, ""])

    # ---- things that have a name in the source -------------------------------------------------

    def name(self, name: str, value: Any) -> None:
        """Make the source define `name` as `value`."""
        if name in self.defined:
            if self.defined[name] is not value:
                raise CannotKeep(f"it uses two different things called {name}")
            return
        self.defined[name] = value
        plain = getattr(value, "py_func", value)
        if isinstance(plain, types.FunctionType) and not _is_installed(plain):
            if plain.__name__ == name and plain.__name__ != "<lambda>":
                self._define(name, plain)
                return
        if isinstance(value, types.ModuleType):
            self.imports[name] = f"import {value.__name__} as {name}"
        elif _is_installed(value):
            self.imports[name] = f"from {value.__module__} import {value.__qualname__} as {name}"
        else:
            try:
                text = self.expression(value)
            except UnknownValue:
                raise CannotKeep(f"it needs {name}, a {type(value).__name__}") from None
            self.lines.append(f"{name} = {text}")

    def _define(self, name, function):
        """The `def` of a function, after all that it needs."""
        found = definition(function, name)
        if found is None or not isinstance(found[1], ast.FunctionDef):
            raise CannotKeep(f"the source of {name} cannot be found, or has changed since")
        text, tree = found
        if any(isinstance(node, ast.Nonlocal) for node in ast.walk(tree)):
            raise CannotKeep(f"{name} changes a variable of the function around it")
        outside = [*tree.decorator_list, *tree.args.defaults, *tree.args.kw_defaults]
        outside += [arg.annotation for arg in ast.walk(tree) if isinstance(arg, ast.arg)]
        self._needed(function, [*outside, tree.returns])
        self.lines.append(text.rstrip())

    def _needed(self, function, expressions=()):
        """What a function reads from outside, and what expressions at its definition read."""
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        around = {}
        for name, cell in cells:
            if name == "__class__":  # of a method that calls super()
                continue
            try:
                around[name] = cell.cell_contents
            except ValueError:  # not bound yet
                raise CannotKeep(f"it needs {name}, which has no value yet") from None
        names = _read_names(function.__code__) | set(around)
        for expression in filter(None, expressions):
            names |= {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
        for name in sorted(names):
            if name in around:
                if around[name] is not function:  # a closure that calls itself
                    self.name(name, around[name])
            elif name in function.__globals__:
                self.name(name, function.__globals__[name])
            elif not hasattr(builtins, name):
                raise CannotKeep(f"it needs {name}, which is not defined")

    # ---- values --------------------------------------------------------------------------------

    def expression(self, value: Any) -> str:
        """An expression for a value, after the definitions that it needs."""
        literal = self._literal(value)
        if literal is not None:
            return literal
        if isinstance(value, functools.partial):
            self.imports["functools"] = "import functools"
            given = [self.expression(part) for part in (value.func, *value.args)]
            given += [f"{name}={self.expression(part)}" for name, part in value.keywords.items()]
            return f"functools.partial({', '.join(given)})"
        if isinstance(value, types.MethodType):
            return f"{self._object(value.__self__)}.{value.__func__.__name__}"
        plain = getattr(value, "py_func", value)
        if isinstance(plain, types.FunctionType) and not _is_installed(plain):
            if plain.__name__ == "<lambda>":
                self._needed(plain)
                return f"({_lambda_text(plain)})"
            self.name(plain.__name__, value)
            return plain.__name__
        if _is_installed(value):
            name = value.__qualname__
            self.name(name, value)
            return name
        if callable(value):
            return self._object(value)
        raise UnknownValue(f"it needs a {type(value).__name__}")

    def _literal(self, value):
        """Plain values and arrays as an expression, or None."""
        if value is None or value is ... or type(value) in (bool, int, str, bytes):
            return repr(value)
        if type(value) is float:
            return repr(value) if math.isfinite(value) else f"float({str(value)!r})"
        if type(value) is complex and math.isfinite(abs(value)):
            return repr(value)
        if isinstance(value, np.generic) and value.dtype.kind in "biuf":
            self.imports["numpy"] = "import numpy"
            return (
                f"numpy.{value.dtype.name.replace('bool', 'bool_')}({self._literal(value.item())})"
            )
        if isinstance(value, np.ufunc) and getattr(np, value.__name__, None) is value:
            self.imports["numpy"] = "import numpy"
            return f"numpy.{value.__name__}"
        if type(value) is np.ndarray and value.dtype.kind in "biuf":
            if value.size > MAX_NUMBERS:
                raise CannotKeep(f"it needs an array of {value.size} numbers, which is large")
            self.imports["numpy"] = "import numpy"
            numbers = ", ".join(self._literal(number) for number in value.ravel().tolist())
            return f"numpy.array([{numbers}], {value.dtype.name!r}).reshape({value.shape})"
        if type(value) in (list, tuple, set, frozenset):
            inside = "".join(f"{self.expression(part)}, " for part in value)
            return {
                list: f"[{inside}]",
                tuple: f"({inside})" if inside else "()",
                set: f"{{{inside}}}" if inside else "set()",
                frozenset: f"frozenset([{inside}])",
            }[type(value)]
        if type(value) is dict:
            items = (f"{self.expression(k)}: {self.expression(v)}" for k, v in value.items())
            return f"{{{', '.join(items)}}}"
        return None

    def _object(self, value):
        """An object of a class from the notebook, made anew with the attributes that it has."""
        kind = type(value)
        if _is_installed(kind):
            raise CannotKeep(f"it needs an object of the class {kind.__name__}")
        name = f"{kind.__name__}_{len(self.defined)}"
        if kind.__name__ not in self.defined:
            self._define_class(kind)
        attributes = {
            key: self.expression(part) for key, part in getattr(value, "__dict__", {}).items()
        }
        self.defined[name] = value
        self.lines.append(f"{name} = {kind.__name__}.__new__({kind.__name__})")
        for key, text in attributes.items():
            self.lines.append(f"{name}.{key} = {text}")
        return name

    def _define_class(self, kind):
        methods = [part for part in vars(kind).values() if isinstance(part, types.FunctionType)]
        own = [m for m in methods if not m.__code__.co_filename.startswith("<frozen")]
        if kind.__bases__ != (object,) or not own:
            raise CannotKeep(f"it is a method of {kind.__name__}, a class with parents")
        text = _class_text(own[0].__code__, kind.__name__)
        self.defined[kind.__name__] = kind
        for method in own:
            self._needed(method)
        self.lines.append(text)


def _is_installed(value):
    """Whether every session can import it: from Python itself or an installed package. The
    reader's own files may be elsewhere, or say something else, the next time."""
    name, module = getattr(value, "__qualname__", ""), getattr(value, "__module__", None)
    if not isinstance(name, str) or not name.isidentifier() or not isinstance(module, str):
        return False
    loaded = sys.modules.get(module)
    if loaded is None or getattr(loaded, name, None) is not value:
        return False
    file = getattr(loaded, "__file__", None)
    return (file is None and module != "__main__") or any(
        Path(file).is_relative_to(folder) for folder in INSTALLED if file is not None
    )


def _read_names(code):
    """The global names that a code object and those inside it read."""
    names = {
        i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _read_names(constant)
    return names


def _parsed(code):
    """(text, tree) of the file or cell that the code comes from."""
    text = "".join(linecache.getlines(code.co_filename))
    try:
        return text, ast.parse(text)
    except SyntaxError:  # a cell with a line of IPython's own, such as %time
        return text, ast.Module([], [])


def _lambda_text(function):
    """The text of a lambda: the only one on its line, or the only one that compiles to its code."""
    code = function.__code__
    text, tree = _parsed(code)
    there = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno
    ]
    if len(there) > 1:
        there = [node for node in there if _compiles_to(node, code)]
    if not there or len({ast.dump(node) for node in there}) > 1:
        raise CannotKeep("it is a lambda whose text cannot be found; write it with def")
    return ast.get_source_segment(text, there[0])


def _compiles_to(node, code):
    made = compile(ast.Expression(node), "<lambda>", "eval").co_consts[0]
    return (made.co_code, made.co_consts) == (code.co_code, code.co_consts)


def _class_text(code, name):
    """The text of the class whose method has this code."""
    text, tree = _parsed(code)
    for node in ast.walk(tree):
        inside = isinstance(node, ast.ClassDef) and node.name == name
        if inside and node.lineno <= code.co_firstlineno <= (node.end_lineno or 0):
            return textwrap.dedent(ast.get_source_segment(text, node, padded=True) or "")
    raise CannotKeep(f"the source of the class {name} cannot be found")
