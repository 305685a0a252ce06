"""Tables of images as other packages hold them: data frames and sparse matrices -> arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minivae.checks.values import printable
from minivae.errors import MinivaeError

LABEL_NAMES = ("label", "labels", "target", "targets", "class", "y")  # no name of a pixel


def is_label_name(name: Any) -> bool:
    """Whether a column of this name holds labels and not a pixel."""
    return isinstance(name, str) and name.strip().lower() in LABEL_NAMES


def frame_columns(X: Any) -> tuple[Any, ...] | None:
    """The names of a data frame's columns, in pandas or polars; None for anything else."""
    if not (hasattr(X, "columns") and hasattr(X, "to_numpy") and hasattr(X, "dtypes")):
        return None
    return tuple(X.columns)


def plain_array(X: Any, where: str, columns: Sequence[Any] | None = None) -> Any:
    """X, or the array in it: of a data frame, with its columns in the order of `columns` where that
    is given; of a sparse matrix, with its zeros.

    Raises MinivaeError, which names the column, for labels, words and missing values, and if the
    columns are not those in `columns`.
    """
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        return X.toarray()
    there = frame_columns(X)
    if there is None:
        return X
    order: slice | list[int] = slice(None)
    if columns is not None and there != tuple(columns):
        order = _order(there, columns, where)
    for name in there:
        if is_label_name(name):
            raise MinivaeError(
                f"{where} has a column {printable(name)}, which is no pixel; leave it out: "
                f"X.drop(columns={name!r})"
            )
    if hasattr(X, "isna"):
        return _pandas_array(X, there, where)[:, order]
    return np.asarray(X.to_numpy())[:, order]


def _pandas_array(X: Any, there: tuple[Any, ...], where: str) -> np.ndarray:
    """A pandas frame of numbers, (N, D) bool, int64 or float64; its nullable types too."""
    kinds = [getattr(dtype, "kind", "?") for dtype in X.dtypes]
    wordy = [name for name, kind in zip(there, kinds, strict=True) if kind not in "biuf"]
    if wordy:
        raise MinivaeError(
            f"{where} has a column {printable(wordy[0])} that holds no numbers; leave it out, or "
            "convert it"
        )
    missing = X.isna().to_numpy()
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise MinivaeError(
            f"{where}: {int(missing.sum())} values are missing, the first in row {row} of column "
            f"{printable(there[column])}; fill them, for instance with X.fillna(0), or leave those "
            "rows out"
        )
    used = set(kinds)
    dtype = bool if used == {"b"} else np.int64 if used <= set("biu") else np.float64
    return np.asarray(X.to_numpy(dtype=dtype))


def _order(there: tuple[Any, ...], columns: Sequence[Any], where: str) -> list[int]:
    """The places of `columns` in a frame, after a check that it has these and no others, once."""
    missing = [name for name in columns if name not in there]
    new = [name for name in there if name not in columns]
    if missing or new or len(there) != len(columns) or len(set(there)) != len(there):
        parts = [f"{printable(missing[0])} is missing"] if missing else []
        parts += [f"{printable(new[0])} is new"] if new else []
        what = ", ".join(parts) or "some are there twice"
        raise MinivaeError(
            f"{where} has other columns than the data of fit ({what}); give the same ones, in any "
            "order"
        )
    place = {name: i for i, name in enumerate(there)}
    return [place[name] for name in columns]
