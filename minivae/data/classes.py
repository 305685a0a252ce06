"""The labels of a data set as classes 0 to C - 1, for a model that is conditioned on them."""

from collections.abc import Sequence

import numpy as np

from minivae.checks import printable
from minivae.data.loading import Dataset
from minivae.errors import MinivaeError

MOST_SHOWN = 12  # labels in a message
Label = int | str  # a name, where the data have names, or the number that stands in the file


def class_labels(dataset: Dataset) -> tuple[Label, ...]:
    """The labels of the training images, each once, in the order of their numbers: (C,).

    The place of a label here is its class. Empty where the data have no labels.
    """
    if dataset.train_labels is None:
        return ()
    return tuple(_named(number, dataset) for number in np.unique(dataset.train_labels).tolist())


def classes_of(labels: np.ndarray, dataset: Dataset, known: Sequence[Label]) -> np.ndarray:
    """Labels of `dataset`, (N,), as places in `known`, the labels of a model: (N,) int64.

    They are compared by name where they have names. Raises MinivaeError for a label that is not
    known.
    """
    numbers, where = np.unique(labels, return_inverse=True)
    place = {label: i for i, label in enumerate(known)}
    names = [_named(number, dataset) for number in numbers.tolist()]
    for name in names:
        if name not in place:
            raise MinivaeError(
                f"the model was not trained on the label {printable(name)}; it knows {shown(known)}"
            )
    return np.array([place[name] for name in names], np.int64)[where]


def shown(labels: Sequence[Label]) -> str:
    """The labels in words, for a message."""
    more = ", ..." if len(labels) > MOST_SHOWN else ""
    return ", ".join(printable(label) for label in labels[:MOST_SHOWN]) + more


def _named(number, dataset):
    return number if dataset.classes is None else dataset.classes[number]
