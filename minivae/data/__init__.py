"""Data sets: the shipped MNIST, the generated cats, and images from the reader's own files.

Images are kept flat, N x D, as uint8 (0..255) or float32 (0..1), and each batch is prepared for the
model when it is drawn: `binarize` draws x ~ Bernoulli(pixel), `scale` maps to [0, 1].

The format of a file is recognised by its first bytes, not by its name:

    .npy             images (N, D) or (N, h, w)
    .npz             images under one of IMAGE_NAMES (or the only array there is), and, where
                     present, labels and a test set under LABEL_NAMES, TEST_NAMES, TEST_LABEL_NAMES
    IDX, IDX.gz      images; labels from the file beside it, named the MNIST way
                     (...images-idx3... and ...labels-idx1...)
    folder of PNGs   converted to grey (16 bit to 8 bit, transparent pixels to white);
                     labels from the names of the subfolders, if the PNGs lie in subfolders

    loading.py    load, the split into training and test set, the fingerprint
    readers.py    .npy, .npz and IDX files; png.py reads folders of PNGs
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
from minivae.data.loading import NAMES, Dataset, fingerprint, load, plain_name, true_factors
from minivae.data.readers import (
    IMAGE_NAMES,
    LABEL_NAMES,
    TEST_LABEL_NAMES,
    TEST_NAMES,
    read_idx,
)

__all__ = [
    "BINARIZATION_SEED",
    "IMAGE_NAMES",
    "LABEL_NAMES",
    "NAMES",
    "TEST_LABEL_NAMES",
    "TEST_NAMES",
    "Dataset",
    "are_grey",
    "binarize",
    "draw_batch",
    "fingerprint",
    "fixed_binarization",
    "grey_note",
    "load",
    "plain_name",
    "read_idx",
    "scale",
    "test_images",
    "true_factors",
]
