"""Functions whose machine code is kept: what they take, what they refuse, and where the code lies."""

import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assetgraph.compiled import compiled, part

STEP = 3


@part
def _stepped(value: Any) -> Any:
    return value * STEP


@compiled("(int64[:], float64[:,:], int64, bool[:]) -> int64, float64, bool")
def summed(values: Any, table: Any, start: Any, marks: Any) -> Any:
    """Return (sum of the stepped values from `start`, sum of the table, whether any mark is set)."""
    total, whole, marked = 0, 0.0, False
    for at in range(start, len(values)):
        total += _stepped(values[at])
    for row in range(table.shape[0]):
        for column in range(table.shape[1]):
            whole += table[row, column]
    for at in range(len(marks)):
        marked |= marks[at]
    return total, whole, marked


VALUES, TABLE, MARKS = np.arange(10), np.arange(6.0).reshape(2, 3), np.array([False, True])
#: Prints what a compiled function returns and whether that needed Numba.
ALONE = """
import sys
import numpy as np
from assetgraph.inventory.sketch import kernel
print(kernel.present_ends(np.array([0b01101100], np.uint8), 0, 8), "numba" in sys.modules)
"""


@pytest.fixture(autouse=True)
def kept_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep machine code in a folder of the test."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def fresh(**used: Any) -> Any:
    """Return the function as a new process meets it, with other globals."""
    function = summed.function
    changed = type(function)(function.__code__, {**function.__globals__, **used}, function.__name__)
    return compiled("(int64[:], float64[:,:], int64, bool[:]) -> int64, float64, bool")(changed)


def alone(folder: Path, **more: str) -> str:
    """Run a compiled function in a new process; return what it prints."""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(folder), **more}
    done = subprocess.run([sys.executable, "-c", ALONE], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_answers_as_python_does() -> None:
    """Whole numbers, floats and truth values, of arrays of one and two dimensions; parts and globals are used."""
    told = summed(VALUES, TABLE, 4, MARKS)
    assert told == summed.function(VALUES, TABLE, 4, MARKS) == (117, 15.0, True)
    assert [type(one) for one in told] == [int, float, bool]
    assert summed(VALUES[:0], TABLE[:0], 0, MARKS[:1]) == (0, 0.0, False)


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (1, VALUES.astype(np.float64)), (1, VALUES.astype(np.int32)), (1, VALUES.astype(np.uint64)), (1, VALUES[::2]),
        (1, VALUES.reshape(2, 5)), (1, VALUES.astype(">i8")), (1, VALUES.tolist()), (1, None),
        (2, TABLE.T), (2, TABLE[0]), (2, TABLE.astype(np.float32)), (4, np.zeros(2, np.uint8)),
    ],
)  # fmt: skip
def test_refuses_arrays_of_another_form(place: int, wrong: Any) -> None:
    """What would be read as something else is an error that names the argument, before anything is read."""
    arguments = [VALUES, TABLE, 0, MARKS]
    arguments[place - 1] = wrong
    with pytest.raises(TypeError, match=rf"summed: argument {place} is no C-contiguous "):
        summed(*arguments)


def test_refuses_numbers_of_another_kind() -> None:
    """A whole number is none with a fraction."""
    with pytest.raises((TypeError, ctypes.ArgumentError)):
        summed(VALUES, TABLE, 0.5, MARKS)


def test_later_processes_need_no_numba(kept_here: Path) -> None:
    """The first one compiles, the next loads what it kept."""
    assert alone(kept_here) == "(2, 6) True"
    assert alone(kept_here) == "(2, 6) False"


def test_damaged_code_is_made_again(kept_here: Path) -> None:
    """A file that is cut off or changed is not loaded."""
    alone(kept_here)
    [file] = kept_here.glob("assetgraph.inventory.sketch.kernel.present_ends.*.o")
    whole = file.read_bytes()
    for damaged in (whole[:-9], whole[:200] + bytes([whole[200] ^ 1]) + whole[201:], b""):
        file.write_bytes(damaged)
        assert alone(kept_here) == "(2, 6) True"
        assert alone(kept_here) == "(2, 6) False"


def test_runs_where_nothing_can_be_kept(tmp_path: Path) -> None:
    """A folder that cannot be written to costs time and no answer."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    assert alone(blocked) == "(2, 6) True"
    assert alone(blocked) == "(2, 6) True"
    assert blocked.read_text() == "a file"


def test_code_is_of_all_that_it_uses() -> None:
    """A constant, a part, a part's constant, the signature and the flags each make other code."""

    @part
    def _doubled(value: Any) -> Any:
        return value * 2

    known = [
        fresh(), fresh(np=np.linalg), fresh(_stepped=_doubled),
        compiled("(int64[:], float64[:,:], int64, bool[:]) -> int64, float64, int64")(summed.function),
        compiled("(int64[:], float64[:,:], int64, bool[:]) -> int64, float64, bool", fastmath=frozenset({"nsz"}))(
            summed.function
        ),
    ]  # fmt: skip
    assert fresh().digest() == summed.digest()
    assert len({one.digest() for one in known}) == len(known) - 1  # NumPy's name is not used by it
    assert fresh(_stepped=_doubled)(VALUES, TABLE, 4, MARKS)[0] == 78


def test_what_cannot_be_told_apart_is_refused() -> None:
    """A global whose value leaves no mark in the key would be compiled in and go stale."""
    with pytest.raises(TypeError, match="compiled code cannot use _stepped, a list"):
        fresh(_stepped=[1])(VALUES, TABLE, 0, MARKS)


def test_first_calls_at_once() -> None:
    """Threads that call first together get one function."""
    function = fresh()
    told: list[Any] = []
    threads = [threading.Thread(target=lambda: told.append(function(VALUES, TABLE, 4, MARKS))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [(117, 15.0, True)] * 8
