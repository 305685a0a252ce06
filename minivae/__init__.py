"""minivae: a variational autoencoder from scratch, every gradient derived by hand.

    the mathematics   ops, vae, spec, train, settings, estimator (the class VAE), exact
    the speed         kernels, backend
    the checking      gradcheck, mistakes
    the measuring     evaluate, studies
    the teaching      exercises
    the tooling       data, runs, checks, files, errors, jupyter, plots, bridge, cli

README.md says what each of them is; .github/CONTRIBUTING.md, which may import which.
"""

import sys

# This file has to compile on any older Python, 2.7 included.
if sys.version_info < (3, 10):  # noqa: UP036 - the check is for the older ones
    sys.stderr.write(
        "minivae: error: this is Python " + sys.version.split()[0] + "; minivae needs "
        "Python 3.10 or newer (see README.md)\n"
    )
    sys.exit(2)

from minivae.errors import MinivaeError

__version__ = "0.1.0"
__all__ = ["VAE", "MinivaeError", "__version__"]


def __getattr__(name):
    if name == "VAE":  # imported when used: `python -m minivae --help` needs no NumPy
        from minivae.estimator import VAE

        return VAE
    raise AttributeError("module 'minivae' has no attribute " + repr(name))


def __dir__():
    return sorted(set(globals()) | set(__all__))
