"""Whether this process is a notebook's kernel."""

import sys


def in_notebook() -> bool:
    """True in a Jupyter kernel. It asks the running shell, because IPython and ipykernel may have
    been imported for another purpose; and it imports neither."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None
