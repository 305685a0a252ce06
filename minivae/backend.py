"""What a backend is: the protocol, a backend by its name, and sums that are reproducible."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from minivae.errors import MinivaeError

BACKENDS = ("numba", "numpy")
USE_NUMPY = 'use the numpy backend (--backend numpy, or backend="numpy")'


class Backend(Protocol):
    """Any object with these functions, such as the module `ops.py`, whose docstrings define them.

    `minivae.kernels` is the fast one; a reader's own exercise answers can be another. Each backend
    has its own caches: a backward function takes the cache that its forward returned.
    """

    def dense_forward(
        self, x: np.ndarray, W: np.ndarray, b: np.ndarray, activation: str
    ) -> tuple[np.ndarray, Any]: ...

    def dense_backward(
        self,
        dy: np.ndarray,
        cache: Any,
        *,
        out: tuple[np.ndarray, np.ndarray] | None = None,
        need_dx: bool = True,
    ) -> tuple[Any, np.ndarray, np.ndarray]: ...

    def reparam_forward(
        self, mu: np.ndarray, logvar: np.ndarray, eps: np.ndarray
    ) -> tuple[np.ndarray, Any]: ...

    def reparam_backward(self, dz: np.ndarray, cache: Any) -> tuple[np.ndarray, np.ndarray]: ...

    def gaussian_kl_forward(self, mu: np.ndarray, logvar: np.ndarray) -> tuple[np.ndarray, Any]: ...

    def gaussian_kl_backward(
        self, dkl: np.ndarray, cache: Any
    ) -> tuple[np.ndarray, np.ndarray]: ...

    def sigmoid(self, logits: np.ndarray) -> np.ndarray: ...

    def bernoulli_nll_forward(
        self, logits: np.ndarray, x: np.ndarray
    ) -> tuple[np.ndarray, Any]: ...

    def bernoulli_nll_backward(self, dnll: np.ndarray, cache: Any) -> np.ndarray: ...

    def gaussian_nll_forward(
        self, mean: np.ndarray, logvar: np.ndarray, x: np.ndarray
    ) -> tuple[np.ndarray, Any]: ...

    def gaussian_nll_backward(
        self, dnll: np.ndarray, cache: Any
    ) -> tuple[np.ndarray, np.ndarray]: ...

    def adam_step(
        self,
        flat: np.ndarray,
        grad: np.ndarray,
        m: np.ndarray,
        v: np.ndarray,
        step: int,
        lr: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        adam_eps: float = 1e-8,
    ) -> None: ...


def load_backend(name: str) -> Backend:
    """The backend called `name`; numba is imported only for the numba backend."""
    if name == "numpy":
        from minivae import ops

        return ops
    if name == "numba":
        try:
            from minivae import kernels
            from minivae.kernels.cores import thread_count
        except ImportError as error:
            raise MinivaeError(
                f"the numba backend is not available ({error}); {USE_NUMPY}"
            ) from error
        except RuntimeError as error:
            raise MinivaeError(
                f"numba has no writable folder for its compiled code ({error}); set "
                f"NUMBA_CACHE_DIR to one, or {USE_NUMPY}"
            ) from error
        thread_count()  # a wrong MINIVAE_NUM_THREADS is refused before anything begins
        return kernels
    raise MinivaeError(f"backend is {name!r}; it must be one of {BACKENDS}")


@contextmanager
def reproducible_sums(ops: Backend) -> Iterator[None]:
    """Within it, what `ops` computes does not depend on the number of threads.

    The numba backend sees to that itself. For any other, BLAS gets one thread, because it cuts the
    sums of a product by its number of threads. threadpoolctl can do this for OpenBLAS, MKL and
    BLIS; with another BLAS, results may depend on the number of threads.
    """
    if getattr(ops, "__name__", "") == "minivae.kernels":
        yield
    else:
        with threadpool_limits(limits=1, user_api="blas"):
            yield
