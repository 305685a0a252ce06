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
    """The names of a data frame's columns; None for anything else."""
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
    if columns is not None and there != tuple(columns):
        X = X[_in_order(there, columns, where)]
    for name in there:
        if is_label_name(name):
            raise MinivaeError(
                f"{where} has a column {printable(name)}, which is no pixel; leave it out: "
                f"X.drop(columns={name!r})"
            )
    kinds = {getattr(dtype, "kind", "?") for dtype in X.dtypes}
    if not kinds <= set("biuf"):
        name = next(
            name
            for name, dtype in zip(X.columns, X.dtypes, strict=True)
            if getattr(dtype, "kind", "?") not in "biuf"
        )
        raise MinivaeError(
            f"{where} has a column {printable(name)} that holds no numbers; leave it out, or "
            "convert it"
        )
    missing = X.isna().to_numpy()
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise MinivaeError(
            f"{where}: {int(missing.sum())} values are missing, the first in row {row} of column "
            f"{printable(X.columns[column])}; fill them, for instance with X.fillna(0), or leave "
            "those rows out"
        )
    kind = bool if kinds == {"b"} else np.int64 if kinds <= set("biu") else np.float64
    return X.to_numpy(dtype=kind)


def _in_order(there: tuple[Any, ...], columns: Sequence[Any], where: str) -> list[Any]:
    """The names in `columns`, after a check that a frame has these and no others, once each."""
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
    return list(columns)
