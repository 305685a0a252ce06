"""Pack the four IDX files of MNIST into mnist.npz, the copy that minivae ships.

    python -m minivae.datasets.make_mnist FOLDER

FOLDER holds the four .gz files and their checksums (SHA256SUMS). Nothing is changed on the way:
the same 70,000 images and labels, in the same order.
"""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

from minivae.data import MNIST, read_idx
from minivae.files import atomic_write

FILES = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}


def main(folder: Path) -> None:
    listed = dict(line.split()[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, file in FILES.items():
            if hashlib.sha256((folder / file).read_bytes()).hexdigest() != listed[file]:
                sys.exit(f"{folder / file} is not the file whose checksum SHA256SUMS gives")
            array = io.BytesIO()
            np.save(array, read_idx(folder / file))
            member = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: the same bytes at any time
            archive.writestr(member, array.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)
    atomic_write(MNIST, buffer.getvalue())
    print(f"{MNIST}: {len(buffer.getvalue())} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
