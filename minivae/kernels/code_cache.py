"""numba's cache of machine code, with a checksum at the end of each file.

numba trusts what it finds in its cache: an empty or truncated file is an error at every start,
and machine code with a flipped bit can end the process. Here a file that does not match its
checksum counts as missing, so that its function is compiled again and the file replaced. If nothing
can be written, because the disk is full, functions are compiled at each start, with one line.

The classes override private methods of numba, which has no public way to do this.
"""

import contextlib
import hashlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from numba.core.caching import FunctionCache, IndexDataCacheFile

DIGEST_BYTES = hashlib.sha256().digest_size


class SealedCache(FunctionCache):
    """The cache of one function. stamp: what numba's own stamp, of the file with the function,
    leaves out; when it changes, the function is compiled again."""

    said = False

    def __init__(self, function: Any, stamp: Any) -> None:
        super().__init__(function)
        self._cache_file = SealedFiles(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=(self._impl.locator.get_source_stamp(), stamp),
        )

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            if not SealedCache.said:
                SealedCache.said = True
                print(
                    f"minivae: note: the compiled kernels cannot be kept ({error.strerror}: "
                    f"{self._cache_path}), so that each start compiles them again",
                    file=sys.stderr,
                )


class SealedFiles(IndexDataCacheFile):
    """The index and the machine code of one function, each file followed by its SHA-256."""

    def _load_index(self) -> Any:
        return super()._load_index() if _is_intact(self._index_path) else {}

    def _load_data(self, name: str) -> Any:
        path = self._data_path(name)
        if not _is_intact(path):
            raise FileNotFoundError(f"{path} is damaged")  # numba compiles what it does not find
        return super()._load_data(name)

    @contextlib.contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[BinaryIO]:
        with super()._open_for_write(filepath) as file:
            content = io.BytesIO()
            yield content
            file.write(content.getvalue() + hashlib.sha256(content.getvalue()).digest())


def _is_intact(path: str) -> bool:
    try:
        data = Path(path).read_bytes()
    except OSError:
        return False
    return hashlib.sha256(data[:-DIGEST_BYTES]).digest() == data[-DIGEST_BYTES:]
