"""A matrix that records how it is read, so that an exercise can check the order of its loops."""

from collections.abc import Callable
from typing import Any

import numpy as np

REFUSAL = "this exercise is about loops: read the entries one by one or in slices"
PRODUCT = "@ is the product itself; write its loops"
READS_NOTHING = {
    np.zeros_like,
    np.empty_like,
    np.ones_like,
    np.full_like,
    np.shape,
    np.size,
    np.ndim,
}


class Piece(np.lib.mixins.NDArrayOperatorsMixin):
    """A part of a recorded matrix: a row, a column, a block.

    Asking for its size reads nothing. What reads it whole, such as arithmetic, counts once; its
    entries, taken one by one before that, count each time.
    """

    def __init__(self, source: "Traced", index: np.ndarray) -> None:
        self._source, self._index = source, index  # flat places in the matrix
        self.shape, self.ndim, self.size = index.shape, index.ndim, index.size
        self.dtype = source.dtype
        self._values: np.ndarray | None = None

    def _read(self) -> np.ndarray:
        if self._values is None:
            self._source.reads.append(self._index.ravel())
            self._values = self._source.array.ravel()[self._index]
        return self._values

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, key: Any) -> Any:
        if self._values is not None:
            return self._values[key]
        return self._source.part(self._index[key])

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self._read(), dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(*map(_plain, inputs), **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in READS_NOTHING:
            empty = np.empty(self.shape, self.dtype)
            return function(*(empty if isinstance(a, Piece) else a for a in args), **kwargs)
        return function(*map(_plain, args), **{k: _plain(v) for k, v in kwargs.items()})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._read(), name)  # .sum(), .T, .tolist(), ...


def _plain(value: Any) -> Any:
    """A value with all pieces in it read."""
    if isinstance(value, Piece):
        return value._read()
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value


class Traced:
    """A read-only matrix for loops: A[i, j], A[i], A[i, 2:4], A.shape, len(A). Records each read.

    `reads` holds one array for each access: the flat indices of the entries that it returned.
    Sizes are free: len(A[0]) reads nothing. Whatever reads the whole matrix at once, such as
    np.exp(A), raises TypeError.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype
        self.size = array.size
        self.reads: list[np.ndarray] = []
        self._index = np.arange(array.size).reshape(array.shape)

    def __array_ufunc__(self, ufunc: Any, *args: Any, **kwargs: Any) -> Any:
        """np.exp(A), A + B and the like are refused, not converted."""
        raise TypeError(PRODUCT if ufunc is np.matmul else REFUSAL)

    def part(self, index: Any) -> Any:
        """The entry at a flat place, read now, or a Piece of several."""
        if np.ndim(index):
            return Piece(self, index)
        self.reads.append(np.ravel(index))
        return self.array.ravel()[index]

    def __getitem__(self, key):
        return self.part(self._index[key])

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __matmul__(self, other):
        raise TypeError(PRODUCT)

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


def watched(answer: Callable, traced: tuple, plain: tuple) -> Any:
    """The result of an answer that is called with recording arrays.

    A numba function is called with plain arrays too, so that it is compiled, and that result
    counts; its reads are those of the Python function behind it. Lists of numbers become arrays.
    """
    python = getattr(answer, "py_func", None)
    result = (python or answer)(*traced)
    if python is not None:
        result = answer(*(a.copy() if isinstance(a, np.ndarray) else a for a in plain))
    if isinstance(result, tuple):
        return tuple(map(as_array, result))
    return as_array(result)


def as_array(value: Any) -> Any:
    """A list of numbers, or of lists of them, as an array; anything else as it is."""
    if isinstance(value, list) and value:
        try:
            array = np.array([list(v) if isinstance(v, list) else v for v in value], float)
        except (TypeError, ValueError):
            return value
        return array
    return value
