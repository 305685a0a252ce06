"""The only error class that a user of minivae needs to catch."""


class MinivaeError(ValueError):
    """An error that the caller can fix. The message is one line: what is wrong, and what would be
    right.

    The command line prints it as `minivae: error: ...` and exits with status 2.
    """
