"""Backends by name: an object with the names of `ops.py`."""

from minivae.errors import MinivaeError

BACKENDS = ("numba", "numpy")


def load_backend(name):
    """The backend called `name`; numba is imported only when it is asked for."""
    if name == "numpy":
        from minivae import ops

        return ops
    if name == "numba":
        try:
            from minivae import kernels
        except ImportError as error:
            raise MinivaeError(
                f"the numba backend is not available ({error}); use --backend numpy"
            ) from error
        except RuntimeError as error:
            raise MinivaeError(
                f"numba finds no folder for its compiled code ({error}); set NUMBA_CACHE_DIR to "
                "one that you may write to, or use --backend numpy"
            ) from error
        return kernels
    raise MinivaeError(f"backend is {name!r}; it must be one of {BACKENDS}")
