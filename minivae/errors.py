"""The only error class that a user of minivae needs to catch, and its text made printable."""


class MinivaeError(ValueError):
    """An error that the caller can fix. The message is one line: what is wrong, and what would be
    right.

    The command line prints it as `minivae: error: ...` and exits with status 2.
    """


def escaped(line: str) -> str:
    """A line with its control characters and lone surrogates escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
