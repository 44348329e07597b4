"""Instructions that Numba has no name for, as functions for compiled code."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _folded(_context: Any, _word: Any, _by: Any) -> Any:
    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        upper = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))
        return builder.xor(upper, builder.trunc(product, ir.IntType(64)))

    return types.uint64(types.uint64, types.uint64), generate


def _load(_context: Any, _address: Any) -> Any:
    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        loaded = builder.load(builder.inttoptr(arguments[0], word.as_pointer()))
        loaded.align = 1
        return loaded

    return types.uint64(types.int64), generate


def _fetch(_context: Any, _address: Any) -> Any:
    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        insert: Any = cgutils.get_or_insert_function
        function = insert(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, number(0), number(3), number(1)])
        return ir.Constant(ir.IntType(64), 0)

    return types.int64(types.int64), generate


def _swapped(_context: Any, _word: Any) -> Any:
    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bswap(arguments[0])

    return types.uint64(types.uint64), generate


def _leading_zeros(_context: Any, _word: Any) -> Any:
    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


#: The upper xor the lower half of the product of two words.
folded: Any = intrinsic(_folded)
#: The eight bytes at an address, which need not be aligned.
load: Any = intrinsic(_load)
#: Asks for the memory at an address before it is needed; any address is allowed.
fetch: Any = intrinsic(_fetch)
#: A word with its bytes in the other order: as big-endian numbers, texts compare as bytes do.
swapped: Any = intrinsic(_swapped)
#: How many bits of a word are zero before the first one.
leading_zeros: Any = intrinsic(_leading_zeros)
