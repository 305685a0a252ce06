"""Pack the four IDX files of MNIST into mnist.npz, the copy that minivae ships.

    python -m minivae.data.shipped.make_mnist FOLDER

FOLDER holds the four .gz files, from any mirror: the checksums are those of the unzipped files.
Nothing is changed on the way: the same 70,000 images and labels, in the same order.
"""

import gzip
import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

from minivae.data import read_idx
from minivae.data.loading import MNIST
from minivae.files import atomic_write

FILES = {  # member: (file, SHA-256 once unzipped)
    "x_train": (
        "train-images-idx3-ubyte.gz",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "y_train": (
        "train-labels-idx1-ubyte.gz",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "x_test": (
        "t10k-images-idx3-ubyte.gz",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "y_test": (
        "t10k-labels-idx1-ubyte.gz",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}


def main(folder: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, (file, checksum) in FILES.items():
            unzipped = gzip.decompress((folder / file).read_bytes())
            if hashlib.sha256(unzipped).hexdigest() != checksum:
                sys.exit(f"{folder / file} is not the original file of MNIST")
            array = io.BytesIO()
            np.save(array, read_idx(folder / file))
            member = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: the same bytes at any time
            archive.writestr(member, array.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)
    atomic_write(MNIST, buffer.getvalue())
    print(f"{MNIST}: {len(buffer.getvalue())} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
