"""Functions that Numba compiles once and whose machine code is kept, so that later processes need no Numba.

To import Numba and to make it ready costs a process 0.7 s of CPU; llvmlite, which loads machine code, 0.04 s, and each
function 1 ms. Jobs run in processes of their own, so that each would pay. What is kept is an object file and nothing
that runs when it is read (Numba's own cache unpickles).

A compiled function takes C-contiguous arrays and numbers as its signature says, `(uint64[:], int64) -> int64, float64`;
it allocates nothing, raises nothing and releases the GIL. It may use functions marked `part` or `instruction`, NumPy's
types, and global numbers: a change of any of these makes another key, and so another file.
"""

import ctypes
import hashlib
import os
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, ClassVar

import numpy as np

__all__ = ["compiled", "instruction", "part"]

_BINDING = threading.RLock()
#: Engines own the code that they loaded.
_ENGINES: list[Any] = []
_ARRAY_TYPE = id(np.ndarray)


class _Source(ABC):
    """A function that others may use in compiled code."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function: Any = function
        self.__name__ = self.function.__name__
        self.__doc__ = function.__doc__
        self._made: Any = None

    def digest(self) -> bytes:
        """Return what tells this function, with all it uses, from every other."""
        code = self.function.__code__
        seen = hashlib.sha256(repr((type(self).__name__, *_described(code))).encode())
        for name in sorted(_names(code)):
            if name in self.function.__globals__:
                seen.update(_used(name, self.function.__globals__[name]))
        return seen.digest()

    def made(self) -> Any:
        """Return what Numba takes for it."""
        if self._made is None:
            self._made = self._make()
        return self._made

    @abstractmethod
    def _make(self) -> Any:
        """Make what Numba takes for it."""

    def resolved(self) -> FunctionType:
        """Return the function with what it uses as Numba takes it."""
        known = dict(self.function.__globals__)
        for name in _names(self.function.__code__):
            if isinstance(known.get(name), _Source):
                known[name] = known[name].made()
        return FunctionType(self.function.__code__, known, self.__name__, self.function.__defaults__)


class _Part(_Source):
    def __call__(self, *arguments: Any) -> Any:
        """Run it as Python does."""
        return self.function(*arguments)

    def _make(self) -> Any:
        import numba

        njit: Any = numba.njit
        return njit(_nrt=False, error_model="numpy", no_cpython_wrapper=True)(self.resolved())


class _Instruction(_Source):
    def digest(self) -> bytes:
        """Return what tells this instruction from every other; it uses nothing of ours."""
        return hashlib.sha256(repr(tuple(_described(self.function.__code__))).encode()).digest()

    def _make(self) -> Any:
        from numba import extending

        intrinsic: Any = extending.intrinsic
        return intrinsic(prefer_literal=True)(self.function())


def part(function: Callable[..., Any]) -> Any:
    """Mark a function that compiled functions call; Numba finds its types, LLVM inlines it."""
    return _Part(function)


def instruction(function: Callable[[], Callable[..., Any]]) -> Any:
    """Mark a function without arguments that returns a typing function for `numba.extending.intrinsic`."""
    return _Instruction(function)


class Compiled(_Part):
    """A function that runs as machine code from its first call on; raises TypeError for arrays of another form."""

    def __init__(self, function: Callable[..., Any], signature: str, fastmath: frozenset[str]) -> None:
        super().__init__(function)
        arguments, _, results = signature.partition("->")
        self.arguments = _split(arguments.strip()[1:-1])
        self.results = _split(results)
        self._whole = set(self.results) <= {"int64"}
        self.fastmath = fastmath
        self._entry: Any = None

    def digest(self) -> bytes:
        """Return what tells this function, with all it uses, from every other."""
        form = repr((self.arguments, self.results, sorted(self.fastmath))).encode()
        return hashlib.sha256(super().digest() + form).digest()

    def __call__(self, *arguments: Any) -> Any:
        """Run the function."""
        entry = self._entry or self._bound()
        if not self.results:
            wrong = entry(_ARRAY_TYPE, *arguments, None)
        else:
            out = np.empty(len(self.results), np.int64)
            wrong = entry(_ARRAY_TYPE, *arguments, out)
        if wrong:
            form, given = self.arguments[wrong - 1], arguments[wrong - 1]
            raise TypeError(f"{self.__name__}: argument {wrong} is no C-contiguous {form}: {type(given)}")
        return self._told(out) if self.results else None

    def _told(self, out: Any) -> Any:
        if self._whole:
            numbers = out.tolist()
            return numbers[0] if len(numbers) == 1 else tuple(numbers)
        told = [
            number if kind == "int64" else bool(number) if kind == "bool" else real
            for kind, number, real in zip(self.results, out.tolist(), out.view(np.float64).tolist(), strict=True)
        ]
        return told[0] if len(told) == 1 else tuple(told)

    def _bound(self) -> Any:
        with _BINDING:
            if self._entry is None:
                address = _loaded(self._code(), self.__name__)
                kinds = [_ctype(one) for one in self.arguments]
                self._entry = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, *kinds, ctypes.py_object)(address)
        return self._entry

    def _code(self) -> bytes:
        key = hashlib.sha256(self.digest() + _machine()).hexdigest()
        name = f"{self.function.__module__}.{self.__name__}.{key[:32]}.o"
        folders = _folders(self.function.__code__.co_filename)
        for folder in folders:
            code = _kept(folder / name)
            if code is not None:
                return code
        from assetgraph.compiling import object_code

        made: bytes = object_code(self)
        for folder in folders:
            if _keep(folder / name, made):
                break
        return made


def compiled(signature: str, *, fastmath: frozenset[str] = frozenset()) -> Callable[[Callable[..., Any]], Compiled]:
    """Have a function compiled on its first call; fastmath: LLVM's flags for its arithmetic.

    signature: the types of the arguments, in parentheses, and after `->` those of what it returns (int64, float64,
    bool): `(float64[:], int64) -> float64, bool`.
    """
    return lambda function: Compiled(function, signature, fastmath)


def _split(types: str) -> list[str]:
    found: list[str] = []
    for one in types.split(","):
        if found and found[-1].count("[") > found[-1].count("]"):
            found[-1] += "," + one.strip()
        elif one.strip():
            found.append(one.strip())
    return found


def _ctype(form: str) -> Any:
    if "[" in form:
        return ctypes.py_object
    return {"int64": ctypes.c_int64, "uint64": ctypes.c_uint64, "float64": ctypes.c_double}[form]


def _names(code: CodeType) -> set[str]:
    inner = (one for one in code.co_consts if isinstance(one, CodeType))
    return set(code.co_names).union(*(_names(one) for one in inner))


def _described(code: CodeType) -> Iterator[Any]:
    yield from (code.co_name, code.co_code, code.co_names, code.co_varnames, code.co_freevars)
    for one in code.co_consts:
        yield from _described(one) if isinstance(one, CodeType) else [one]


def _used(name: str, value: Any) -> bytes:
    """Return what tells a global that compiled code may use from any other."""
    if isinstance(value, _Source):
        return name.encode() + value.digest()
    if isinstance(value, ModuleType | type):
        return f"{name}={value.__name__};".encode()
    if isinstance(value, int | float | np.generic | FunctionType):
        told = value.__qualname__ if isinstance(value, FunctionType) else repr(value)
        return f"{name}={told};".encode()
    raise TypeError(f"compiled code cannot use {name}, a {type(value).__name__}")


class _Machine:
    """What machine code depends on beside its source."""

    known: ClassVar[bytes] = b""


def _machine() -> bytes:
    if not _Machine.known:
        import llvmlite
        from llvmlite import binding

        numba = find_spec("numba")
        assert numba is not None and numba.origin is not None  # noqa: S101
        version = Path(numba.origin).with_name("_version.py").read_bytes()
        parts = (
            llvmlite.__version__, hashlib.sha256(version).hexdigest(), np.__version__, sys.version,
            binding.get_process_triple(), binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten(),
        )  # fmt: skip
        own = b"".join(Path(__file__).with_name(name).read_bytes() for name in ("compiled.py", "compiling.py"))
        _Machine.known = hashlib.sha256(repr(parts).encode() + own).digest()
    return _Machine.known


def _folders(source: str) -> list[Path]:
    """Return where code may be kept: nobody else may write there."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "assetgraph"
    return [Path(chosen)] if chosen else [Path(source).parent / "__pycache__", own]


def _kept(file: Path) -> bytes | None:
    try:
        held = file.read_bytes()
    except OSError:
        return None
    return held[32:] if hashlib.sha256(held[32:]).digest() == held[:32] else None


def _keep(file: Path, code: bytes) -> bool:
    """Write code so that no other process reads half of it; returns whether that could be done."""
    fresh = file.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(hashlib.sha256(code).digest() + code)
        fresh.replace(file)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        return False
    return True


def _loaded(code: bytes, name: str) -> int:
    """Load machine code; return the address of its function."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _ENGINES.append(engine)
    address: int = engine.get_function_address(name)
    return address
