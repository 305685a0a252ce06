"""Data sets: the shipped MNIST, the generated cats, and images from the reader's own files.

Images are kept flat, N x D, as uint8 (0..255) or float32 (0..1), and each batch is prepared for the
model when it is drawn: `binarize` draws x ~ Bernoulli(pixel), `scale` maps to [0, 1].

The format of a file is recognised by its first bytes, not by its name. Each may be zipped by gzip:

    .npy             images (N, D), (N, h, w) or with colour channels
    .npz             images under one of IMAGE_NAMES (or the only array there is, or arr_0), and,
                     where present, labels, factors and a test set (the names are in named.py)
    IDX              images; labels and a test set from the files beside it, named the MNIST way
    CSV              one image a line; labels from a column so called, or from the one column that
                     is more than a square
    .mat             MATLAB's format up to version 7
    folder or zip    PNG and JPEG images; labels from the names of subfolders, a test set from
                     subfolders train/ and test/. Or a folder of IDX files

Pixels become grey (colour by its luminance, transparent pixels white). Which number is white comes
from the type and the brightest pixel of a whole file (ranges.py), or from the user. What was done
is said in the note of the data set.

    loading.py    load, and the fingerprint; splits.py holds out a test set
    readers.py    the format of a file; idx.py, named.py (.npz), tables.py (CSV), matlab.py, and for
                  images trees.py (folders and zips), pictures.py, png.py
    found.py      what a reader finds; ranges.py and labels.py make sense of it
    classes.py    labels as the classes of a conditional model
    batches.py    what the model sees: binarized or scaled pixels
    cats/         the generated cats
    shipped/      MNIST, and the script that packs it
"""

from minivae.data.batches import (
    BINARIZATION_SEED,
    are_grey,
    binarize,
    draw_batch,
    fixed_binarization,
    grey_note,
    scale,
    test_images,
)
from minivae.data.classes import Label, class_labels, classes_of, shown
from minivae.data.found import Reading
from minivae.data.idx import read_idx
from minivae.data.loading import NAMES, Dataset, fingerprint, load, plain_name, true_factors

__all__ = [
    "BINARIZATION_SEED",
    "NAMES",
    "Dataset",
    "Label",
    "Reading",
    "are_grey",
    "binarize",
    "class_labels",
    "classes_of",
    "draw_batch",
    "fingerprint",
    "fixed_binarization",
    "grey_note",
    "load",
    "plain_name",
    "read_idx",
    "scale",
    "shown",
    "test_images",
    "true_factors",
]
