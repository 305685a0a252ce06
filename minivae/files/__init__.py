"""Files: written atomically, and read without trusting their content.

The ground layer under models, checkpoints and data sets. No pickle is ever read or written, sizes
are checked before memory is taken, and names found inside a file never become paths. For any file,
a reader here returns its content or raises one `MinivaeError`.
"""

from minivae.files.archives import ARCHIVE_DTYPES, read_archive, write_archive
from minivae.files.locking import lock_folder, one_writer
from minivae.files.npy import read_member, read_npy, read_numbers
from minivae.files.opening import (
    MAX_BYTES,
    damaged_error,
    most_unpacked,
    parsing,
    reading,
    unpacked_size_error,
    zip_members,
)
from minivae.files.writing import atomic_write, make_folders

__all__ = [
    "ARCHIVE_DTYPES",
    "MAX_BYTES",
    "atomic_write",
    "damaged_error",
    "lock_folder",
    "make_folders",
    "most_unpacked",
    "one_writer",
    "parsing",
    "read_archive",
    "read_member",
    "read_npy",
    "read_numbers",
    "reading",
    "unpacked_size_error",
    "write_archive",
    "zip_members",
]
