"""A matrix that records how it is read, so that an exercise can check the order of its loops."""

from collections.abc import Callable

import numpy as np

REFUSAL = "this exercise is about loops: read the entries one by one or in slices"
READS_NOTHING = {np.zeros_like, np.empty_like, np.ones_like, np.full_like, np.shape, np.size}


class Traced:
    """A read-only matrix for loops: A[i, j], A[i], A[i, 2:4], A.shape, len(A). Records each read.

    `reads` holds one array for each access: the flat indices of the entries that it returned.
    Whatever reads the whole matrix at once, such as np.exp(A), raises TypeError.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype
        self.size = array.size
        self.reads: list[np.ndarray] = []
        self._index = np.arange(array.size).reshape(array.shape)

    __array_ufunc__ = None  # so that np.exp(A), A + B and the like are refused, not converted

    def __getitem__(self, key):
        self.reads.append(np.ravel(self._index[key]))
        value = self.array[key]
        return value.copy() if isinstance(value, np.ndarray) else value

    def __len__(self) -> int:
        return len(self.array)

    def __matmul__(self, other):
        raise TypeError("@ is the product itself; write its loops")

    __rmatmul__ = __matmul__

    def __array_function__(self, function, types, args, kwargs):
        if function in READS_NOTHING:
            plain = [a.array if isinstance(a, Traced) else a for a in args]
            return function(*plain, **kwargs)
        raise TypeError(REFUSAL)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(REFUSAL)

    def visits(self, block: int) -> int:
        """How many block x block pieces were visited; one that is left and read again counts again.

        Entries are taken in the order in which they were read.
        """
        row, column = np.divmod(self.order(), max(self.shape[1], 1))
        piece = row // block * self.shape[1] + column // block
        return 1 + np.count_nonzero(np.diff(piece))

    def order(self) -> np.ndarray:
        """The flat index of every entry read, in order."""
        return np.concatenate(self.reads) if self.reads else np.zeros(0, int)


def python_function(answer: Callable) -> Callable:
    """The Python function behind a numba function, whose reads can be recorded."""
    return getattr(answer, "py_func", answer)
