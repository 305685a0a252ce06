"""Docstrings of this project, which are plain text, as the reStructuredText that Sphinx reads."""

import re

SPECIAL = re.compile(r"([*|\\])")
ROLE = re.compile(r"(`[^`]*`)")


def as_restructured_text(app, what, name, obj, options, lines):
    """Change the lines of a docstring in place: formulas and drawings keep their layout."""
    if any(set(line.strip()) == {"-"} for line in lines):  # numpydoc: napoleon reads it
        return
    paragraphs = [part for part in re.split(r"\n\s*\n", "\n".join(lines)) if part.strip()]
    lines[:] = [line for part in paragraphs for line in paragraph(part.split("\n"))]


def paragraph(lines):
    """A paragraph of text, or a literal block where its lines are laid out by hand."""
    laid_out = any(re.search(r"^\s|\S\s{3,}\S", line) for line in lines if line.strip())
    if laid_out:
        return ["::", "", *(f"    {line}" for line in lines), ""]
    return [*("".join(escaped(line)) for line in lines), ""]


def escaped(line):
    """The line without markup, except for `code`."""
    for part in ROLE.split(line):
        yield part if part.startswith("`") else re.sub(r"(\w)_(?!\w)", r"\1\\_", plain(part))


def plain(text):
    return SPECIAL.sub(r"\\\1", text)
