"""Which source text of the package a notebook shows, comments included. Standard library only."""

import ast
import inspect
from functools import cache

from notebooks.code_hash import nodes, parsed

SHOW_TEXT = {"getsource", "getsourcelines", "getdoc", "help", "solution", "sources"}
ANY = "*"  # stands for the name of every function and class


@cache
def shown_text(script, text):
    """The part of a module's text that a notebook shows; mostly none.

    script: the syntax tree of the notebook's source.
    """
    names = _shows(script)
    if not names or ANY in names:
        return text if names else ""
    lines = text.splitlines(keepends=True)
    shown = []
    for node in nodes(parsed(text)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in names:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            shown += inspect.getblock(lines[first - 1 :])
    return "".join(shown)


@cache
def _shows(script):
    """The names of the functions and classes whose source text a notebook shows; ANY if it may
    show any text."""
    names = set()
    for node in nodes(script):
        if isinstance(node, ast.Attribute) and node.attr == "__doc__":
            names.add(ANY)
        if isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            if called == "getsource" and node.args and isinstance(node.args[0], ast.Attribute):
                names.add(node.args[0].attr)  # as in getsource(vae.elbo)
            elif called in SHOW_TEXT:
                names.add(ANY)
    return names
