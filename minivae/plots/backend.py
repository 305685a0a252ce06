"""Matplotlib, imported so that it can write files wherever it runs."""

import os
import sys

try:
    import matplotlib
except ValueError:  # the environment variable names no backend; files need none
    del os.environ["MPLBACKEND"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        del sys.modules[name]  # what was imported before it failed
    import matplotlib

matplotlib.use("agg", force=False)

import matplotlib.pyplot as plt

__all__ = ["matplotlib", "plt"]
