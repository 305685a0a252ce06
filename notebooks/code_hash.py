"""The code of a Python source as text, without comments, docstrings and layout.

Equal code gives equal text on each version of Python. `stale.py` hashes it. Standard library only.
"""

import ast
from functools import cache


@cache
def code(text):
    """The syntax tree of Python source as text: equal for equal code, on each Python.

    `ast.dump` and `ast.unparse` will not do: what they print differs between versions. Here an
    empty field counts as absent, as later versions add fields that are empty for older code.
    """
    return _serialised(parsed(text))


@cache
def parsed(text):
    """The syntax tree of Python source."""
    return ast.parse(text)


@cache
def nodes(tree):
    """All nodes of a syntax tree."""
    return tuple(ast.walk(tree))


def _serialised(node):
    if isinstance(node, list):
        return f"[{' '.join(map(_serialised, node))}]"
    if isinstance(node, ast.Constant):  # its `kind`, the u of u"", is layout
        value = node.value.hex() if isinstance(node.value, float) else ascii(node.value)
        return f"{type(node.value).__name__}:{value}"
    if isinstance(node, ast.MatchSingleton):  # None, True or False: nothing that is absent
        return f"match:{node.value}"
    if not isinstance(node, ast.AST):
        return ascii(node)
    fields = []
    for name in sorted(node._fields):
        value = getattr(node, name, None)
        if isinstance(node, ast.JoinedStr):
            value = _joined(value)
        elif isinstance(value, list):
            value = [item for item in value if not _is_bare_string(item)]
        elif name == "format_spec" and value is not None and not _joined(value.values):
            value = None  # f"{x:}" is f"{x}"
        if value is not None and value != [] and value != 0:
            fields.append(f" {name}={_serialised(value)}")
    return f"({type(node).__name__}{''.join(fields)})"


def _is_bare_string(node):
    """A docstring, or a string that stands as a statement elsewhere: nothing computes with it."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _joined(values):
    """The parts of an f-string, with neighbouring texts as one: versions split them differently."""
    parts = []
    for part in values:
        if isinstance(part, ast.Constant) and parts and isinstance(parts[-1], ast.Constant):
            part = ast.Constant(parts.pop().value + part.value)
        parts.append(part)
    return [part for part in parts if not (isinstance(part, ast.Constant) and not part.value)]
