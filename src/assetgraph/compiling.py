"""From a function to machine code, with Numba: needed where `compiled` finds no code kept."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import compiler, cpu_options, registry, types
from numba.core.compiler_lock import global_compiler_lock
from numba.np import arrayobj

#: Numba's inner names have no types of their own.
_registry: Any = registry
_types: Any = types
_compile: Any = compiler.compile_extra
_Flags: Any = compiler.Flags
_FastMath: Any = cpu_options.FastMathOptions
_populate: Any = arrayobj.populate_array
_locked: Any = global_compiler_lock

#: Where a Python object ends its header, with its type as the last word; and what follows in NumPy's PyArrayObject and
#: in the PyArray_Descr of its type (numpy/ndarraytypes.h), whose beginnings are public and the same in NumPy 1 and 2.
_HEADER = object.__basicsize__
_DATA, _DIMENSION_COUNT, _DIMENSIONS, _DESCR, _FLAGS = (_HEADER + at for at in (0, 8, 16, 40, 48))
_LETTER, _BYTE_ORDER = _HEADER + 9, _HEADER + 10
_WORD, _BYTE = ir.IntType(64), ir.IntType(8)
_POINTER = _BYTE.as_pointer()


def typed(form: str) -> Any:
    """Return Numba's type of a part of a signature, as `uint64[:,:]`."""
    name, bracket, rest = form.partition("[")
    of = _types.boolean if name == "bool" else getattr(types, name)
    return _types.Array(of, rest.count(":"), "C") if bracket else of


def object_code(function: Any) -> bytes:
    """Return the object file of a function of `compiled`, with an entry of its name.

    The entry takes the address of NumPy's array type, the arguments (arrays as Python objects), and an int64 array for
    what the function returns; it returns 0, or the number of the first argument that has another form.
    """
    with _locked:
        return _made(function)


def _made(function: Any) -> bytes:
    target = _registry.cpu_target
    typing, context = target.typing_context, target.target_context
    arguments = [typed(one) for one in function.arguments]
    results = [typed(one) for one in function.results]
    returned = _types.none if not results else results[0] if len(results) == 1 else _types.Tuple(results)
    flags = _Flags()
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.enable_pyobject = flags.nrt = False
    flags.error_model = "numpy"
    if function.fastmath:
        flags.fastmath = _FastMath(set(function.fastmath))
    typing.refresh()
    context.refresh()
    inner = _compile(typing, context, function.resolved(), tuple(arguments), returned, flags, {})
    # The function's own library, still open: what it calls is optimised once, together with the entry.
    library = inner.library
    library.enable_object_caching()
    module = context.create_module(f"{function.__name__}_entry")
    _Entry(context, module, function.__name__, arguments).write(inner.fndesc.llvm_func_name, returned, results)
    library.add_ir_module(module)
    library.finalize()
    library.get_pointer_to_function(function.__name__)
    code: bytes = library._get_compiled_object()  # what Numba's own cache keeps
    return code


class _Entry:
    def __init__(self, context: Any, module: Any, name: str, arguments: list[Any]) -> None:
        self.context, self.module, self.arguments = context, module, arguments
        kinds = [_POINTER if isinstance(one, _types.Array) else context.get_value_type(one) for one in arguments]
        self.function = ir.Function(module, ir.FunctionType(_WORD, [_WORD, *kinds, _POINTER]), name)
        self.builder = ir.IRBuilder(self.function.append_basic_block())

    def write(self, called: str, returned: Any, results: list[Any]) -> None:
        """Write the entry's body: check and unpack the arguments, call, store what comes back."""
        array_type, *given, out = self.function.args
        values = [
            self._array(number, kind, value, array_type) if isinstance(kind, _types.Array) else value
            for number, (kind, value) in enumerate(zip(self.arguments, given, strict=True), 1)
        ]
        convention, builder = self.context.call_conv, self.builder
        inner = ir.Function(self.module, convention.get_function_type(returned, self.arguments), called)
        _, result = convention.call_function(builder, inner, returned, self.arguments, values)
        if results:
            room = builder.bitcast(self._word(out, _DATA, _POINTER), _WORD.as_pointer())
            for at, kind in enumerate(results):
                one = builder.extract_value(result, at) if len(results) > 1 else result
                if kind == _types.float64:
                    one = builder.bitcast(one, _WORD)
                elif kind == _types.boolean:
                    one = builder.zext(builder.trunc(one, ir.IntType(1)), _WORD)
                builder.store(one, builder.gep(room, [ir.Constant(_WORD, at)]))
        builder.ret(ir.Constant(_WORD, 0))

    def _word(self, at: Any, offset: int, kind: Any) -> Any:
        place = self.builder.gep(at, [ir.Constant(_WORD, offset)])
        return self.builder.load(self.builder.bitcast(place, kind.as_pointer()))

    def _array(self, number: int, kind: Any, value: Any, array_type: Any) -> Any:
        """Return an array's value for Numba; the entry ends with the argument's number where it is no such array."""
        builder = self.builder
        self._demand(number, builder.icmp_unsigned("==", self._word(value, _HEADER - 8, _WORD), array_type))
        descr = self._word(value, _DESCR, _POINTER)
        letter, order = self._word(descr, _LETTER, _BYTE), self._word(descr, _BYTE_ORDER, _BYTE)
        dtype = np.dtype(str(kind.dtype))
        fits = ir.Constant(ir.IntType(1), 0)
        for code in (one for one in np.typecodes["AllInteger"] + "?d" if np.dtype(one) == dtype):
            fits = builder.or_(fits, builder.icmp_unsigned("==", letter, ir.Constant(_BYTE, ord(code))))
        self._demand(number, builder.and_(fits, builder.icmp_unsigned("!=", order, ir.Constant(_BYTE, ord(">")))))
        # The lowest flag is NPY_ARRAY_C_CONTIGUOUS.
        flat = builder.trunc(self._word(value, _FLAGS, ir.IntType(32)), ir.IntType(1))
        count = self._word(value, _DIMENSION_COUNT, ir.IntType(32))
        right = builder.icmp_unsigned("==", count, ir.Constant(ir.IntType(32), kind.ndim))
        self._demand(number, builder.and_(flat, right))
        counts = self._word(value, _DIMENSIONS, _WORD.as_pointer())
        shape = [builder.load(builder.gep(counts, [ir.Constant(_WORD, at)])) for at in range(kind.ndim)]
        strides: list[Any] = []
        step: Any = ir.Constant(_WORD, dtype.itemsize)
        for count in reversed(shape):
            strides.insert(0, step)
            step = builder.mul(step, count)
        array = self.context.make_array(kind)(self.context, builder)
        of = self.context.get_data_type(kind.dtype).as_pointer()
        _populate(
            array, data=builder.bitcast(self._word(value, _DATA, _POINTER), of), shape=shape, strides=strides,
            itemsize=ir.Constant(_WORD, dtype.itemsize), meminfo=None,
        )  # fmt: skip
        return array._getvalue()

    def _demand(self, number: int, condition: Any) -> None:
        with self.builder.if_then(self.builder.not_(condition), likely=False):
            self.builder.ret(ir.Constant(_WORD, number))
