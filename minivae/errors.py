"""The one error class that a user of minivae ever has to catch."""


class MinivaeError(ValueError):
    """A mistake that the caller can mend: one line that says what is wrong and what is right.

    The command line prints it as `minivae: error: ...` and exits with status 2.
    """
