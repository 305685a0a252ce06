"""What can be found out about a reader's function without running it."""

import ast
import inspect
import textwrap
import tokenize
import types
from collections.abc import Callable


def definition(
    function: Callable | types.CodeType, name: str
) -> tuple[str, ast.FunctionDef | ast.AsyncFunctionDef] | None:
    """(source, syntax tree) of the `def` of that name.

    function: a function, or its code object.
    Returns None for a lambda, where there is no source, and where the file has changed since.
    """
    try:
        text = textwrap.dedent(inspect.getsource(function))
        body = ast.parse(text).body
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):
        return None
    for node in body[:1]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return text, node
    return None


def is_empty(function: object, stub: str) -> bool:
    """Whether the body is only `...`, `pass` or a docstring, or still has a blank in it.

    A blank is `name = ...` or `return ...`. This is read from the source. Without source, as after
    `exec`, the function counts as empty if it compiles to the same code as an empty function or as
    `stub`, the text of the exercise.
    """
    function = getattr(function, "py_func", function)
    code = getattr(function, "__code__", None)
    if code is None or code.co_name == "<lambda>":
        return False
    found = definition(code, code.co_name)
    if found is None:
        return _compiles_to_nothing(code, function.__doc__, stub)
    _, tree = found
    return all(map(_does_nothing, tree.body)) or any(map(_is_blank, ast.walk(tree)))


def is_untouched(function: object, given: Callable, stub: str) -> bool:
    """Whether the body is that of the code handed out, or cannot be read (no source)."""
    code = getattr(getattr(function, "py_func", function), "__code__", None)
    found = definition(code, code.co_name) if code else None
    if found is None:
        return True
    trees: list[ast.AST] = list(ast.parse(stub).body)
    own = definition(given, given.__name__)
    if own is not None:
        trees.append(own[1])
    handed_out = [t for t in trees if isinstance(t, ast.FunctionDef | ast.AsyncFunctionDef)]
    return _body(found[1]) in map(_body, handed_out)


def _body(tree):
    """The statements as text, without a docstring."""
    return [ast.dump(s) for s in tree.body if not _does_nothing(s)]


def _does_nothing(statement):
    expression = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return expression or isinstance(statement, ast.Pass)


def _is_blank(node):
    """`name = ...` and `return ...`: a blank of the stub that is not filled in."""
    if not isinstance(node, ast.Assign | ast.AnnAssign | ast.Return):
        return False
    return isinstance(node.value, ast.Constant) and node.value.value is Ellipsis


def _compiles_to_nothing(code, docstring, stub):
    """Compares with what this interpreter compiles an empty function to.

    `return None` compiles to the same code as `...`, so without source both count as empty.
    """
    empty = f"def answer():\n    {docstring!r}"
    return any(
        isinstance(constant, types.CodeType) and _same_code(constant, code)
        for text in (empty, stub)
        for constant in compile(text, "<stub>", "exec").co_consts
    )


def _same_code(a, b):
    parts = ("co_code", "co_consts", "co_names")
    return all(getattr(a, part) == getattr(b, part) for part in parts)


def signature_if_unfit(answer: Callable, n: int) -> str | None:
    """The answer's own signature as text if it cannot take n arguments, else None."""
    try:
        signature = inspect.signature(getattr(answer, "py_func", answer))
    except (TypeError, ValueError):  # some built-in functions have none
        return None
    try:
        signature.bind(*[None] * n)
    except TypeError:
        return str(signature)
    return None
