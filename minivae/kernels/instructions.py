"""LLVM instructions that numba does not offer: memory by its address, atomics, a pause.

Addresses are plain integers, because the threads exchange them in records of integers.
With NUMBA_DISABLE_JIT=1, plain Python stands in for those that a single thread needs, so that one
can step through the kernels.
"""

import ctypes
import platform
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from minivae.kernels.compilation import JIT, compiled


@intrinsic
def _pointer(context, kind, address):
    """The address as a pointer to numbers of this kind."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[1], context.get_value_type(signature.return_type))

    return types.CPointer(kind.dtype)(kind, types.intp), codegen


def _word_pointer(builder, address):
    return builder.inttoptr(address, ir.IntType(64).as_pointer())


@intrinsic
def atomic_load(context, address):
    """The 64-bit word at the address."""

    def codegen(context, builder, signature, args):
        return builder.load_atomic(_word_pointer(builder, args[0]), "seq_cst", 8)

    return types.intp(types.intp), codegen


@intrinsic
def atomic_store(context, address, value):
    """Writes the 64-bit word at the address."""

    def codegen(context, builder, signature, args):
        builder.store_atomic(args[1], _word_pointer(builder, args[0]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), codegen


@intrinsic
def atomic_add(context, address, value):
    """Adds to the word, and returns what was there before."""

    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("add", _word_pointer(builder, args[0]), args[1], "seq_cst")

    return types.intp(types.intp, types.intp), codegen


@intrinsic
def compare_and_swap(context, address, expected, value):
    """Writes `value` if the word is `expected`; returns whether it was."""

    def codegen(context, builder, signature, args):
        where = _word_pointer(builder, args[0])
        pair = builder.cmpxchg(where, args[1], args[2], "seq_cst", "seq_cst")
        return builder.extract_value(pair, 1)

    return types.boolean(types.intp, types.intp, types.intp), codegen


@intrinsic
def pause(context):
    """Tells the core that this is a waiting loop: it saves power and lets a sibling thread run."""

    def codegen(context, builder, signature, args):
        machine = platform.machine()
        if machine in ("x86_64", "AMD64"):
            hint, inputs = "llvm.x86.sse2.pause", ()
        elif machine in ("aarch64", "arm64"):
            hint, inputs = "llvm.aarch64.hint", (ir.Constant(ir.IntType(32), 1),)  # 1 is YIELD
        else:
            return context.get_dummy_value()
        function = ir.FunctionType(ir.VoidType(), [i.type for i in inputs])
        builder.call(cgutils.get_or_insert_function(builder.module, function, hint), inputs)
        return context.get_dummy_value()

    return types.void(), codegen


def _lowest_bit_instructions(context, word):
    """The place of the lowest bit that is set, in a word that is not 0."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), codegen


def _lowest_bit_in_python(word):
    return np.uint64((int(word) & -int(word)).bit_length() - 1)


lowest_bit: Any = intrinsic(_lowest_bit_instructions) if JIT else _lowest_bit_in_python


@intrinsic
def fetch_to_write(context, address):
    """Asks for the cache line at an address that will be written: no other core keeps it then."""

    def codegen(context, builder, signature, args):
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, function, "llvm.prefetch.p0i8")
        write, keep, data = (ir.Constant(number, n) for n in (1, 3, 1))
        builder.call(prefetch, [builder.inttoptr(args[0], byte), write, keep, data])
        return context.get_dummy_value()

    return types.void(types.intp), codegen


if JIT:

    @compiled
    def numbers_at(address, n, kind):
        """The n numbers that start at an address, as an array of the dtype of `kind`."""
        return carray(_pointer(kind, address), (n,))

else:

    def numbers_at(address: int, n: int, kind: np.ndarray) -> np.ndarray:
        if n == 0:
            return np.empty(0, kind.dtype)
        return np.frombuffer(memoryview(memory_at(address, n * kind.itemsize)), kind.dtype)


def memory_at(address: int, n_bytes: int) -> ctypes.Array:
    """For plain Python: the bytes that start at an address, as a buffer for NumPy."""
    return (ctypes.c_byte * int(n_bytes)).from_address(int(address))
