"""Instructions that Numba has no name for, as functions for compiled code."""

from collections.abc import Callable
from typing import Any

from assetgraph.compiled import instruction

Typing = Callable[..., Any]


@instruction
def folded() -> Typing:
    """Give the upper xor the lower half of the product of two words."""
    from llvmlite import ir
    from numba import types

    def typing(_context: Any, _word: Any, _by: Any) -> Any:
        def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            wide = ir.IntType(128)
            product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
            upper = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))
            return builder.xor(upper, builder.trunc(product, ir.IntType(64)))

        return types.uint64(types.uint64, types.uint64), generate

    return typing


@instruction
def load() -> Typing:
    """Give the eight bytes at an address, which need not be aligned."""
    from llvmlite import ir
    from numba import types

    def typing(_context: Any, _address: Any) -> Any:
        def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            word = ir.IntType(64)
            loaded = builder.load(builder.inttoptr(arguments[0], word.as_pointer()))
            loaded.align = 1
            return loaded

        return types.uint64(types.int64), generate

    return typing


@instruction
def fetch() -> Typing:
    """Ask for the memory at an address before it is needed; any address is allowed."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils

    def typing(_context: Any, _address: Any) -> Any:
        def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
            number = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
            insert: Any = cgutils.get_or_insert_function
            function = insert(builder.module, kind, "llvm.prefetch.p0")
            builder.call(function, [pointer, number(0), number(3), number(1)])
            return ir.Constant(ir.IntType(64), 0)

        return types.int64(types.int64), generate

    return typing


@instruction
def swapped() -> Typing:
    """Give a word with its bytes in the other order: as big-endian numbers, texts compare as bytes do."""
    from numba import types

    def typing(_context: Any, _word: Any) -> Any:
        def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.bswap(arguments[0])

        return types.uint64(types.uint64), generate

    return typing


@instruction
def leading_zeros() -> Typing:
    """Give how many bits of a word are zero before the first one."""
    from llvmlite import ir
    from numba import types

    def typing(_context: Any, _word: Any) -> Any:
        def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

        return types.int64(types.uint64), generate

    return typing


@instruction
def words() -> Typing:
    """Give an int64 array of a constant length, zeros, on the stack: it lives until its function returns."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.np import arrayobj

    alloca: Any = cgutils.alloca_once
    fill: Any = cgutils.memset
    populate: Any = arrayobj.populate_array

    def typing(_context: Any, count: Any) -> Any:
        made = types.Array(types.int64, 1, "C")

        def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
            word = ir.IntType(64)
            room = alloca(builder, word, ir.Constant(word, count.literal_value))
            fill(builder, room, ir.Constant(word, 8 * count.literal_value), 0)
            array = context.make_array(made)(context, builder)
            eight = ir.Constant(word, 8)
            shape = [ir.Constant(word, count.literal_value)]
            populate(array, data=room, shape=shape, strides=[eight], itemsize=eight, meminfo=None)
            return array._getvalue()

        return made(count), generate

    return typing
