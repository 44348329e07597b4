"""Every format, broken: a finding with a stable code, no folder of the server in it, and never a lost scan."""

import gzip
import io
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from assetgraph.inventory.discover import REASONS, BrokenFile, discover
from assetgraph.inventory.formats import parts_of
from assetgraph.inventory.profile import scan_candidate

FRAME = pl.DataFrame({"n": range(2_000), "s": [f"text {one * 7919}" for one in range(2_000)]})


def packed(write: Callable[[io.BytesIO], object]) -> bytes:
    """Return what is written."""
    target = io.BytesIO()
    write(target)
    return target.getvalue()


def workbook() -> bytes:
    """Return a workbook of one sheet."""
    return packed(FRAME.write_excel)


GOOD: dict[str, Callable[[], bytes]] = {
    "a.parquet": lambda: packed(FRAME.write_parquet),
    "a.arrow": lambda: packed(FRAME.write_ipc),
    "a.arrows": lambda: packed(FRAME.write_ipc_stream),
    "a.csv": lambda: FRAME.write_csv().encode(),
    "a.tsv": lambda: FRAME.write_csv(separator="\t").encode(),
    "a.csv.gz": lambda: gzip.compress(FRAME.write_csv().encode()),
    "a.csv.zst": lambda: pa.compress(FRAME.write_csv().encode(), "zstd", asbytes=True),
    "a.ndjson": lambda: FRAME.write_ndjson().encode(),
    "a.json": lambda: FRAME.write_json().encode(),
    "a.xlsx": workbook,
}


def found_in(folder: Path) -> list[BrokenFile | int]:
    """Scan a folder and return each dataset's finding or rows; whatever else is raised is a lost scan."""
    results: list[BrokenFile | int] = []
    for candidate in discover(folder, folder):
        try:
            results += [scan_candidate(part).profile.row_count for part in parts_of(candidate)]
        except BrokenFile as error:
            assert error.reason in REASONS
            assert str(folder) not in error.message
            results.append(error)
    return results


def reason(folder: Path) -> str:
    """Return the code of the one finding in a folder."""
    [found] = found_in(folder)
    assert isinstance(found, BrokenFile), found
    return found.reason


@pytest.mark.parametrize("name", GOOD)
def test_empty_files_are_findings(tmp_path: Path, name: str) -> None:
    """Of no bytes."""
    (tmp_path / name).write_bytes(b"")
    assert reason(tmp_path) == "EMPTY_FILE"


@pytest.mark.parametrize("name", [name for name in GOOD if name not in ("a.csv", "a.tsv")])
def test_files_that_are_cut_off_are_findings(tmp_path: Path, name: str) -> None:
    """Cut in the middle of a record or page; text that is just shorter is whole again, and cannot be told."""
    whole = GOOD[name]()
    (tmp_path / name).write_bytes(whole[: len(whole) * 3 // 5 + 3])
    assert reason(tmp_path) == "MALFORMED"


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.arrows", "a.csv.gz", "a.csv.zst", "a.xlsx", "a.json"])
def test_another_format_under_the_name_is_a_finding(tmp_path: Path, name: str) -> None:
    """Random bytes, and text where none is expected."""
    source = random.Random(3)
    (tmp_path / name).write_bytes(bytes(source.randrange(256) for _ in range(4_000)))
    assert reason(tmp_path) in ("MALFORMED", "ENCODING")
    if name not in ("a.csv.gz", "a.csv.zst"):  # text by a wrong name is read as text
        (tmp_path / name).write_bytes(b"user,item\n1,2\n")
        assert reason(tmp_path) == "MALFORMED"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"a,b\n1,2\n3,4,5,6\n", "MALFORMED"),
        ("a.csv", b"a,b\n1,2\n\x00\x01,4\n", "ENCODING"),
        ("a.csv", b"\x01\x02\x03\xff\xfe\xfd" * 100, "ENCODING"),
        ("a.csv", "имя,цена\nкнига для всех,1\nхорошая погода,2\n".encode("cp1251"), "ENCODING"),
        ("a.csv", b"\n\n", "EMPTY_FILE"),
        ("a.csv", b'a,b\n"never closed,1\n2,3\n', "MALFORMED"),
        ("a.tsv", b"a\tb\n1\t2\t3\n", "MALFORMED"),
        ("a.tsv", "a\tb\n1\t2\n".encode("utf-16")[:-1], "MALFORMED"),
        ("a.tsv", b"\xff\xfe", "EMPTY_FILE"),
        ("a.ndjson", b'{"a": 1}\n{"a": 2\n', "MALFORMED"),
        ("a.ndjson", b"1\n2\n", "MALFORMED"),
        ("a.ndjson", b"\n \n", "EMPTY_FILE"),
        ("a.json", b'[{"a": 1}, {"a": 2}', "MALFORMED"),
        ("a.json", b'[{"a": 1}] tail', "MALFORMED"),
        ("a.json", b"[1, 2]", "MALFORMED"),
        ("a.json", b"[]", "EMPTY_FILE"),
        ("a.json", b'"text"', "MALFORMED"),
        ("a.json", b'[{"a": 1},, {"a": 2}]', "MALFORMED"),
        ("a.json", b'[{"a": 1},]', "MALFORMED"),
        ("a.json", b'[{"a": 1]]', "MALFORMED"),
        ("a.feather", b"FEA1" + bytes(100), "UNSUPPORTED"),
    ],
)
def test_text_that_is_broken_is_a_finding(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    """Ragged, binary, in an encoding that cannot be told, without an end, of the wrong shape."""
    (tmp_path / name).write_bytes(content)
    assert reason(tmp_path) == code


def test_columns_of_one_name_are_a_finding(tmp_path: Path) -> None:
    """Parquet and Arrow that cannot be read by name."""
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    assert reason(tmp_path) == "DUPLICATE_COLUMNS"


def test_parts_that_do_not_fit_together_are_a_finding(tmp_path: Path) -> None:
    """A number here and a text there, in files that are one dataset."""
    for suffix in ("parquet", "arrow"):
        folder = tmp_path / suffix
        folder.mkdir()
        for number, value in enumerate((1, "x")):
            frame = pl.DataFrame({"a": [value]})
            (frame.write_parquet if suffix == "parquet" else frame.write_ipc)(folder / f"part-{number}.{suffix}")
        assert reason(folder) == "SCHEMA_MISMATCH"


def test_a_broken_file_among_many_loses_no_other(tmp_path: Path) -> None:
    """Good and broken side by side: each good one is read, each broken one is named."""
    for name, content in GOOD.items():
        whole = content()
        (tmp_path / f"good_{name}").write_bytes(whole)
        (tmp_path / f"bad_{name}").write_bytes(b"")
    results = found_in(tmp_path)
    assert sum(isinstance(one, BrokenFile) for one in results) == len(GOOD)
    assert [one for one in results if isinstance(one, int)] == [2_000] * len(GOOD)


@pytest.mark.parametrize("name", GOOD)
def test_damaged_bytes_end_in_rows_or_a_finding(tmp_path: Path, name: str) -> None:
    """A hundred files of each format (or MUTATED_FILES) with a few bytes changed anywhere."""
    source = random.Random(name)
    whole = GOOD[name]()
    for _ in range(int(os.environ.get("MUTATED_FILES", "100"))):
        damaged = bytearray(whole)
        for _ in range(source.randrange(1, 6)):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        if source.random() < 0.2:
            del damaged[source.randrange(len(damaged)) :]
        (tmp_path / name).write_bytes(damaged)
        assert len(found_in(tmp_path)) == 1


def test_a_missing_package_says_which_extra_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot import it, as where the extra was not installed."""
    import sys

    (tmp_path / "t" / "_delta_log").mkdir(parents=True)
    (tmp_path / "t" / "_delta_log" / f"{0:020}.json").write_text(json.dumps({"protocol": {}}))
    (tmp_path / "i" / "metadata").mkdir(parents=True)
    (tmp_path / "i" / "metadata" / "v1.metadata.json").write_text("{}")
    for name in ("deltalake", "deltalake.exceptions", "pyiceberg", "pyiceberg.table"):
        monkeypatch.setitem(sys.modules, name, None)
    found = [one for one in found_in(tmp_path) if isinstance(one, BrokenFile)]
    assert [one.reason for one in found] == ["MISSING_EXTRA"] * 2
    assert ["assetgraph[pyiceberg]" in found[0].message, "assetgraph[deltalake]" in found[1].message] == [True, True]
