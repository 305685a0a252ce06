"""Memory for NumPy's arrays that borders on pages which must not be accessed.

Used by `guarded.py`. The guard needs `mmap` and `mprotect` of the C library.
"""

import contextlib
import ctypes
import faulthandler
import mmap
import os
from collections import defaultdict, deque

import numpy as np

FREED = 50  # freed arrays of a size that stay inaccessible before their memory is used again

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
NO_ACCESS = 0


class _Allocator(ctypes.Structure):
    """NumPy's PyDataMem_Handler (NEP 49): a name, a version and four functions."""

    malloc_type = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    calloc_type = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_size_t] * 2)
    realloc_type = ctypes.CFUNCTYPE(
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
    )
    free_type = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("malloc", malloc_type),
        ("calloc", calloc_type),
        ("realloc", realloc_type),
        ("free", free_type),
    )


class Guard:
    """Memory for NumPy's arrays. `side`: which end of an array borders on a forbidden page."""

    def __init__(self):
        self.side = "end"
        self.sizes = {}  # address of an array: its bytes, and those of the pages that hold it
        self.freed = defaultdict(deque)  # bytes of pages: the addresses of freed ones, oldest first
        self.allocator = _Allocator(
            b"guarded", 1, None,
            _Allocator.malloc_type(lambda _, size: self.take(size, 0xFF)),
            _Allocator.calloc_type(lambda _, count, size: self.take(count * size, 0)),
            _Allocator.realloc_type(self.resize),
            _Allocator.free_type(lambda _, address, size: self.give_back(address)),
        )  # fmt: skip
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        self.handler = new(ctypes.addressof(self.allocator), b"mem_handler", None)

    @contextlib.contextmanager
    def on(self):
        """Within the block, in this thread, NumPy gets the memory of its arrays from the guard."""
        earlier = _set_handler()(self.handler)
        try:
            yield
        finally:
            _set_handler()(earlier)

    def take(self, size, fill):
        room = -(-max(size, 1) // mmap.PAGESIZE) * mmap.PAGESIZE
        pages = self.freed[room].popleft() if len(self.freed[room]) > FREED else self.map(room)
        self.allow(pages, room, mmap.PROT_READ | mmap.PROT_WRITE)
        address = pages + (room - size if self.side == "end" else 0)
        ctypes.memset(address, fill, size)
        self.sizes[address] = size, pages, room
        return address

    def map(self, room):
        """Fresh pages, with an inaccessible page before and after them."""
        whole = room + 2 * mmap.PAGESIZE
        kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        return libc.mmap(None, whole, NO_ACCESS, kind, -1, 0) + mmap.PAGESIZE

    def allow(self, pages, room, access):
        if libc.mprotect(pages, room, access):
            raise MemoryError(os.strerror(ctypes.get_errno()))

    def give_back(self, address):
        if address is not None:
            _, pages, room = self.sizes.pop(address)
            self.allow(pages, room, NO_ACCESS)
            self.freed[room].append(pages)

    def resize(self, _, old, size):
        new = self.take(size, 0xFF)
        if old is not None:
            ctypes.memmove(new, old, min(size, self.sizes[old][0]))
            self.give_back(old)
        return new


def _set_handler():
    """NumPy's PyDataMem_SetHandler, number 304 in its table of C functions since NumPy 1.22."""
    core = np._core if hasattr(np, "_core") else np.core
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = pointer(core._multiarray_umath._ARRAY_API, None)
    address = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))[304]
    return ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(address)


def ending(work):
    """`work` in a forked child -> the signal that ended it, or 0."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    faulthandler.disable()  # a fault is expected here
    code = 1
    with contextlib.suppress(Exception):
        work()
        code = 0
    os._exit(code)


guard = Guard()
