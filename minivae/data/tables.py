"""CSV files: one image in each line, with or without a header line and a column of labels."""

from __future__ import annotations

import csv
import io
import math
import re
from os import PathLike

import numpy as np

from minivae.checks import is_label_name, printable
from minivae.data.found import FORMATS, Found, Part
from minivae.errors import MinivaeError

DELIMITERS = (",", ";", "\t", " ")
ROW_NUMBERS = ("", "id", "index", "unnamed: 0")  # names of columns that only count the rows


def looks_like_text(start: bytes) -> bool:
    """Whether the first bytes of a file can be those of a table: printable text."""
    text = start.removeprefix(b"\xef\xbb\xbf")
    return bool(text) and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in text)


def read_table(data: bytes, path: str | PathLike[str], labels: bool) -> Found:
    """A table of numbers, one image in each line. Raises MinivaeError, which names the file, for
    other text, and where it is not clear which column is the label."""
    where = printable(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MinivaeError(f"{where} is not text in UTF-8; save the table again in it") from None
    lines = text.splitlines()
    delimiter = next((d for d in DELIMITERS if lines and d in lines[0].strip()), "")
    first = _cells(lines[0], delimiter) if delimiter else []
    header = _header(first) if first else None
    rows = [line for line in lines[1 if header else 0 :] if line.strip()]
    sample = _cells(rows[0], delimiter) if rows and first else []
    if not sample or sum(not _is_number(cell) for cell in sample) > len(sample) / 2:
        raise MinivaeError(
            f"{where} is in an unknown format, text that is not a table of numbers; give {FORMATS}"
        )
    notes = []
    left_out = [i for i, name in enumerate(header or ()) if name.lower() in ROW_NUMBERS]
    if header and left_out:
        names = ", ".join(header[i] or "without a name" for i in left_out)
        notes.append(f"not used: the column {printable(names)}")
    label = _label_column(header, first, rows, delimiter, where)
    columns = [i for i in range(len(first)) if i != label and i not in left_out]
    if not columns:
        raise MinivaeError(f"{where} has no columns of pixels; give one image in each line")
    pixels = _numbers(rows, columns, delimiter, header, where)
    if label is None:
        return Found(Part(pixels), notes=tuple(notes))
    name = f"column {printable(header[label])}" if header else _end(label)
    notes.append(f"labels from the {name}" if labels else f"not used: the {name}, of labels")
    words = [_cell(row, label, len(first), delimiter) for row in rows] if labels else None
    return Found(Part(pixels, _label_values(words)), notes=tuple(notes))


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _cell(line: str, place: int, n: int, delimiter: str) -> str:
    """One cell of a line of n; the first and the last without looking at the others."""
    if '"' in line or delimiter == " " or place not in (0, n - 1):
        cells = _cells(line, delimiter)
        return cells[place] if place < len(cells) else ""
    return line.partition(delimiter)[0] if place == 0 else line.rpartition(delimiter)[2]


def _end(label: int) -> str:
    return "first column" if label == 0 else "last column"


def _header(first: list[str]) -> list[str] | None:
    """The first line if it names the columns: no number, or a known name and then anything."""
    names = [cell.strip() for cell in first]
    named = any(is_label_name(name) or (name and name.lower() in ROW_NUMBERS) for name in names)
    if named or sum(not _is_number(name) for name in names) > 1:
        return names
    # numbers in order, after the empty name that pandas gives to its row numbers
    return (
        names if names[0] == "" and names[1:] == [str(i) for i in range(len(names) - 1)] else None
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _label_column(header, first, rows, delimiter, where):
    """The place of the column of labels; None if there is none."""
    if header:
        places = [i for i, name in enumerate(header) if is_label_name(name)]
        if len(places) > 1:
            names = printable(", ".join(header[i] for i in places))
            raise MinivaeError(f"{where} has several columns of labels, {names}; keep one of them")
        return places[0] if places else None
    n = len(first)
    words = [i for i, cell in enumerate(first) if not _is_number(cell)]
    if words in ([0], [n - 1]):
        return words[0]
    if math.isqrt(n) ** 2 == n or math.isqrt(n - 1) ** 2 != n - 1:
        return None
    like = [
        place
        for place in (0, n - 1)
        if _like_labels({_cell(row, place, n, delimiter).strip() for row in rows})
    ]
    if len(like) == 1:
        return like[0]
    side = math.isqrt(n - 1)
    raise MinivaeError(
        f"{where} has {n} columns, {side} x {side} pixels and one more, and it is not clear "
        "whether the first or the last is the label; add a header line that names it label"
    )


def _like_labels(values: set[str]) -> bool:
    """Whether these are classes: two or more whole numbers from 0 or 1 on, without a gap."""
    if not all(re.fullmatch(r"\d{1,4}(\.0*)?", value, re.ASCII) for value in values):
        return False
    numbers = sorted({int(value.partition(".")[0]) for value in values})
    return len(numbers) > 1 and numbers[0] <= 1 and numbers[-1] - numbers[0] == len(numbers) - 1


def _numbers(rows, columns, delimiter, header, where):
    """The cells as numbers, (N, D): integers where all of them are whole, else float64."""
    try:
        table = np.loadtxt(
            io.StringIO("\n".join(rows)),
            delimiter=None if delimiter == " " else delimiter,
            usecols=columns,
            comments=None,
            quotechar='"',
            ndmin=2,
        )
    except (ValueError, IndexError) as error:
        reason = printable(" ".join(str(error).split()).partition(";")[0])
        raise MinivaeError(
            f"{where}: {reason} (rows are counted from 0, without the header); give a number in "
            "each cell"
        ) from None
    whole = (
        np.isfinite(table).all() and (table == np.rint(table)).all() and abs(table).max() < 2**31
    )
    if not whole:
        return table
    return table.astype(np.uint8 if 0 <= table.min() and table.max() <= 255 else np.int64)


def _label_values(words: list[str] | None) -> np.ndarray | None:
    if words is None:
        return None
    if all(_is_number(word) for word in words):
        return np.array([float(word) for word in words])
    return np.array([word.strip() for word in words])
