"""Folders and zips of PNG or JPEG images: names say what is a label and what is a test set."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from minivae.checks import printable
from minivae.data.found import FORMATS, Found, Part
from minivae.data.idx import read_family, training_files
from minivae.data.labels import key
from minivae.data.pictures import (
    ENDINGS,
    MAX_PICTURE_BYTES,
    OTHER_ENDINGS,
    Picture,
    read_pictures,
)
from minivae.errors import MinivaeError
from minivae.files import reading

MAX_DEPTH = 3  # folders: train/, a class, and one more, to say that it is one too many
TRAIN_FOLDERS = ("train", "training")
TEST_FOLDERS = ("test", "testing", "val", "valid", "validation")  # the first that is there

Tree = dict[tuple[str, ...], Picture]  # by the parts of a file's path


def read_folder(folder: Path, max_value: float | None, labels: bool) -> Found:
    """IDX files (as torchvision keeps them), or images, in classes and in train/ and test/ where
    folders are so called. Raises MinivaeError if there are none."""
    idx = training_files(folder)
    if len(idx) > 1:
        names = printable(", ".join(path.name for path in idx))
        raise MinivaeError(
            f"{printable(folder)} holds several data sets, {names}; give one of them"
        )
    if idx:
        return read_family(idx[0], labels)
    files: Tree = {}
    _walk(folder, (), files)
    return read_tree(files, folder, max_value, labels)


def _walk(folder: Path, parts: tuple[str, ...], files: Tree) -> None:
    """Every file in a folder, by name, without hidden ones (macOS leaves ._x.png behind)."""
    try:
        with os.scandir(folder.joinpath(*parts)) as entries:
            visible = sorted(e.name for e in entries if not e.name.startswith("."))
    except OSError as exc:
        message = f"cannot read the folder {printable(folder.joinpath(*parts))}: {exc.strerror}"
        raise MinivaeError(f"{message}; check that you may read it") from None
    for name in visible:
        path = folder.joinpath(*parts, name)
        if os.path.isdir(path):
            if len(parts) < MAX_DEPTH:
                _walk(folder, (*parts, name), files)
        elif name.lower().endswith(ENDINGS + OTHER_ENDINGS):
            place = (*parts, name)
            files[place] = path.as_posix(), partial(_file, path)


def _file(path: Path) -> bytes:
    with reading(path) as (file, _):
        return file.read(MAX_PICTURE_BYTES + 1)


def read_zip(
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    path: Path,
    max_value: float | None,
    labels: bool,
) -> Found:
    """The images in an open zip, whose members are as in a folder."""
    files: Tree = {}
    for name, info in sorted(members.items()):
        parts = tuple(part for part in re.split(r"[/\\]", name) if part)
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if not hidden and name.lower().endswith(ENDINGS + OTHER_ENDINGS):
            files[parts] = f"{path.as_posix()}/{name}", partial(archive.read, info)
    while files and len({parts[0] for parts in files}) == 1 and min(map(len, files)) > 1:
        only = next(iter(files))[0].lower()
        if only in TRAIN_FOLDERS + TEST_FOLDERS:
            break
        # the folder that was zipped
        files = {parts[1:]: files[parts] for parts in files}
    return read_tree(files, path, max_value, labels)


def read_tree(files: Tree, path: Path, max_value: float | None, labels: bool) -> Found:
    """Images by their place: in classes, which are the labels, in train/ and test/, or in neither.

    path: of the folder or zip. Raises MinivaeError if there are no images, or in no such order.
    """
    where = printable(path)
    notes = []
    others = [parts[-1] for parts in files if parts[-1].lower().endswith(OTHER_ENDINGS)]
    files = {parts: files[parts] for parts in files if parts[-1].lower().endswith(ENDINGS)}
    if not files:
        other = f" (it holds {printable(others[0])}; convert such images)" if others else ""
        raise MinivaeError(f"{where} holds no PNG images or JPEG images{other}; give {FORMATS}")
    if others:
        notes.append(f"not used: {len(others)} images of other formats, as {printable(others[0])}")
    train, test, unused = _split(files)
    notes += [f"not used: the folder {printable(name)}" for name in unused]
    depths = {len(parts) for parts in (*train, *test)}
    if len(depths) > 1:
        raise MinivaeError(f"{where} holds images and subfolders of images; keep one of the two")
    if depths != {1} and depths != {2}:
        raise MinivaeError(
            f"{where} holds images in folders of folders; keep one folder for each class, inside "
            "train/ and test/ where there is a test set"
        )
    pictures = [*train.values(), *test.values()]
    kinds = sorted({"PNG" if parts[-1].lower().endswith(".png") else "JPEG" for parts in files})
    images, white, done = read_pictures(pictures, max_value)
    notes = [f"{' and '.join(kinds)} images", *done, *notes]
    n = len(train)
    if depths == {1} or not labels:
        second = Part(images[n:]) if test else None
        return Found(Part(images[:n]), second, white=white, notes=tuple(notes))
    names = [parts[0] for parts in (*train, *test)]
    number = _label_numbers(sorted(set(names)))
    numbers = np.array([number[name] for name in names], np.int64)
    classes = tuple(number) if list(number.values()) == list(range(len(number))) else None
    notes.append(key(classes) or _key(number))
    second = Part(images[n:], numbers[n:]) if test else None
    return Found(Part(images[:n], numbers[:n]), second, classes, white=white, notes=tuple(notes))


def _split(files: Tree) -> tuple[Tree, Tree, list[str]]:
    """The images of train/ and of test/, without the name of that folder, and folders not used; all
    images and none, where there is no train/."""
    tops = {parts[0].lower(): parts[0] for parts in files if len(parts) > 1}
    train = [tops[name] for name in TRAIN_FOLDERS if name in tops]
    test = [tops[name] for name in TEST_FOLDERS if name in tops]
    if not train or len(tops) > len(train) + len(test):  # other folders: these are classes
        return files, {}, []
    inside: list[Tree] = [
        {parts[1:]: files[parts] for parts in files if len(parts) > 1 and parts[0] == top}
        for top in (train[0], *test[:1])
    ]
    inside[0] |= {parts: files[parts] for parts in files if len(parts) == 1}
    return inside[0], (inside[1] if test else {}), test[1:]


def _label_numbers(names: list[str]) -> dict[str, int]:
    """{folder: label}: the name itself if all are different numbers, else the place by name."""
    if all(re.fullmatch(r"[0-9]{1,9}", name) for name in names):
        numbers = {name: int(name) for name in names}
        if len(set(numbers.values())) == len(names):  # 1 and 01 are two folders
            return numbers
    return {name: i for i, name in enumerate(names)}


def _key(number: Mapping[str, int]) -> str:
    return printable(f"labels {', '.join(f'{i} = {name}' for name, i in number.items())}"[:280])
