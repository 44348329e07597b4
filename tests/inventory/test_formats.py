"""Every format, good: what was written is what is read, with its types, however it is packed."""

import datetime as dt
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from assetgraph.inventory.discover import Access, BrokenFile, Candidate, discover
from assetgraph.inventory.fingerprint import content_fingerprint
from assetgraph.inventory.formats import open_dataset, parts_of
from assetgraph.inventory.profile import open_at, scan_candidate

FRAME = pl.DataFrame(
    {
        "user_id": [1, 2, 3, None],
        "price": [1.5, None, -2.25, 0.0],
        "title": ["Küche, groß", 'say "hi"', "", "two\nlines"],
        "on": [dt.date(2026, 1, 2), None, dt.date(2025, 12, 31), dt.date(2024, 2, 29)],
        "at": [
            dt.datetime.fromisoformat(one) if one else None
            for one in ("2026-01-02T03:04:05", None, "2025-12-31T00:00:00", "2024-02-29T23:59:00")
        ],
        "ok": [True, False, None, True],
    }
)
#: Text formats do not tell an empty text from a missing one.
TEXTS = FRAME.with_columns(pl.col("title").replace("", None))


def only(path: Path, access: Access | None = None) -> Candidate:
    """Return the one dataset of a file or folder."""
    (found,) = discover(path, path.parent, access=access)
    (part,) = parts_of(found)
    return part


def read(path: Path, access: Access | None = None) -> pl.DataFrame:
    """Read the one dataset of a file or folder by its batches, and check that its frame has the same rows."""
    with open_dataset(only(path, access)) as opened:
        frame = pl.concat(list(opened.batches(3)), how="vertical")
        assert frame.schema == opened.schema
        assert content_fingerprint(frame.lazy()) == content_fingerprint(opened.frame)
    return frame


def csv_bytes(frame: pl.DataFrame, **options: object) -> bytes:
    """Write CSV to bytes."""
    return frame.write_csv(**options).encode()  # type: ignore[call-overload,no-any-return]


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.parquet": FRAME.write_parquet,
    "a.arrow": FRAME.write_ipc,
    "a.feather": lambda path: FRAME.write_ipc(path, compression="zstd"),
    "a.arrows": FRAME.write_ipc_stream,
    "b.arrow": FRAME.write_ipc_stream,
    "a.ndjson": FRAME.write_ndjson,
    "a.jsonl.gz": lambda path: path.write_bytes(gzip.compress(FRAME.write_ndjson().encode())),
    "a.json": FRAME.write_json,
    "a.json.zst": lambda path: path.write_bytes(pa.compress(FRAME.write_json().encode(), "zstd", asbytes=True)),
    "b.ndjson": lambda path: path.write_bytes(b"\xef\xbb\xbf" + FRAME.write_ndjson().encode()),
    "b.json": lambda path: path.write_bytes(FRAME.write_json().encode("utf-16")),
}


@pytest.mark.parametrize("name", WRITERS)
def test_formats_with_types_give_back_what_was_written(tmp_path: Path, name: str) -> None:
    """Columns, types and values, in whatever order of rows."""
    WRITERS[name](tmp_path / name)
    assert_frame_equal(read(tmp_path / name), FRAME, check_row_order=False)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-32"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_delimited_text_is_read_however_it_is_written(tmp_path: Path, separator: str, encoding: str, ends: str) -> None:
    """Separator, encoding and line ends are told by the bytes; types by all values."""
    frame = TEXTS.with_columns(pl.col("title").str.replace("\n", " "))
    text = frame.write_csv(separator=separator, line_terminator=ends)
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    assert_frame_equal(read(tmp_path / "a.csv"), frame, check_row_order=False)


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_compressed_text_is_read_whatever_its_name_says(tmp_path: Path, pack: str) -> None:
    """By its first bytes; several members one after the other are one text."""
    head, tail = csv_bytes(TEXTS), csv_bytes(TEXTS, include_header=False)
    packed = pa.compress(head, pack, asbytes=True) + pa.compress(tail, pack, asbytes=True)
    for name in ("a.csv.gz", "b.csv.zst", "c.csv"):
        (tmp_path / name).write_bytes(packed)
        assert_frame_equal(read(tmp_path / name), pl.concat([TEXTS, TEXTS]), check_row_order=False)
    (tmp_path / "d.tsv.gz").write_bytes(csv_bytes(TEXTS, separator="\t"))
    assert_frame_equal(read(tmp_path / "d.tsv.gz"), TEXTS, check_row_order=False)


@pytest.mark.parametrize(
    ("text", "encoding", "value"),
    [
        ("名称,数量\n红色手机壳，防摔,1\n蓝色耳机（无线）,2\n", "gb18030", "蓝色耳机（无线）"),
        ("artículo,precio\nCafé con leche,2.5\npiñata,3\n", "latin-1", "piñata"),
        ("Größe,Preis\n”40 €”,1\nfür Süßes,2\n", "cp1252", "für Süßes"),
    ],
)
def test_old_encodings_are_told_by_their_bytes(tmp_path: Path, text: str, encoding: str, value: str) -> None:
    """Also where the first bytes that tell it come late."""
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    assert value in read(tmp_path / "a.csv").to_series(0).to_list()
    header, _, rest = text.partition("\n")
    late = "a,b\n" + "x,1\n" * 50_000 + rest
    (tmp_path / "late.csv").write_bytes(late.encode(encoding))
    found = read(tmp_path / "late.csv")
    assert value in found.to_series(0).to_list()
    assert found.height == 50_002
    assert header


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("1,2.5,x\n2,3.5,y\n", ["column_1", "column_2", "column_3"]),
        ("2026-01-01,shop\n2026-01-02,web\n", ["column_1", "column_2"]),
        ("mobile,de\ndesktop,fr\nmobile,fr\n", ["column_1", "column_2"]),
        ("device,country\nmobile,de\ndesktop,fr\n", ["device", "country"]),
        ("country,2019,2020\nde,1,2\nfr,3,4\n", ["country", "2019", "2020"]),
        ("2019,2020\n1.5,2\n3,4\n", ["2019", "2020"]),
        ("a\n1\n", ["a"]),
        ("id,id,,name\n1,2,3,x\n", ["id", "id_2", "column_3", "name"]),
        ("'a';'b'\n'x;y';'1'\n'z';'2'\n", ["a", "b"]),
        ('size,n\n5" disk,1\n3" disk,2\n', ["size", "n"]),
        ("only,header\n", ["only", "header"]),
    ],
)
def test_the_header_is_told_from_the_data(tmp_path: Path, text: str, columns: list[str]) -> None:
    """Names for columns that have none; of equal ones the later get a number, and a notice says so."""
    (tmp_path / "a.csv").write_text(text)
    with open_dataset(only(tmp_path / "a.csv")) as opened:
        assert opened.schema.names() == columns
        rows = opened.frame.collect().height
        assert rows == text.count("\n") - (not columns[0].startswith("column_"))
        assert [notice.reason for notice in opened.notices] == ["DUPLICATE_COLUMNS"] * ("id_2" in columns)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["31.12.2025", "1.2.2026"], "Date"),
        (["31.12.2025 23:59", "01.02.2026 0:00"], "Datetime"),
        (["12/31/2025", "1/2/2026"], "Date"),
        (["31/12/2025 10:00:01", "1/2/2026 9:00:00"], "Datetime"),
        (["1/2/2026", "3/4/2026"], "String"),
        (["12/31/2025", "31/12/2025"], "String"),
        (["6/26/11 10:59", "1/2/11 9:00"], "String"),
        (["2026/1/31", "2026/12/01"], "Date"),
    ],
)
def test_dates_are_read_by_explicit_forms(tmp_path: Path, values: list[str], kind: str) -> None:
    """Where the order of day and month cannot be told, the column stays text."""
    (tmp_path / "a.csv").write_text("key,v\n" + "".join(f"k{place},{one}\n" for place, one in enumerate(values)))
    column = read(tmp_path / "a.csv").get_column("v")
    assert type(column.dtype).__name__ == kind
    if kind != "String" and "31" in values[0]:
        assert column.dt.day().max() == 31


def test_records_have_all_columns_and_the_widest_types(tmp_path: Path) -> None:
    """A key that comes late, a number that becomes a fraction, nested records, and signs within texts."""
    records: list[dict[str, object]] = [{"n": 1, "s": 'a]},{["', "in": {"x": 1}} for _ in range(5_000)]
    records += [{"n": 2.5, "late": "\\", "in": {"x": 2, "y": ["é\n"]}, "void": None}]
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, records)))
    (tmp_path / "b.json").write_text(json.dumps(records, indent=2))
    (tmp_path / "c.json").write_text(json.dumps(records[0]))
    for name in ("a.ndjson", "b.json"):
        found = read(tmp_path / name)
        assert found.height == 5_001
        assert found.columns == ["n", "s", "in", "late", "void"]
        assert found.get_column("n").sum() == 5_002.5
        assert found.filter(pl.col("late") == "\\").select(pl.col("in").struct.field("y")).item().to_list() == ["é\n"]
    assert read(tmp_path / "c.json").row(0, named=True) == records[0]


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_an_array_is_cut_into_lines_at_any_place(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks may end within a string, an escape, a number or a sign."""
    monkeypatch.setattr("assetgraph.inventory.formats.json_lines.CHUNK_BYTES", size)
    source = random.Random(size)
    alphabet = '"\\[]{},: \né\t0'
    records = [
        {"k": "".join(source.choices(alphabet, k=source.randrange(9))), "n": source.randrange(99), "l": [[1], []]}
        for _ in range(60)
    ]
    (tmp_path / "a.json").write_text(json.dumps(records, indent=source.choice([None, 1]), ensure_ascii=False))
    assert read(tmp_path / "a.json").sort("k", "n").to_dicts() == sorted(records, key=lambda one: (one["k"], one["n"]))


def test_each_sheet_of_a_workbook_is_a_dataset(tmp_path: Path) -> None:
    """With the types that its cells have, over all rows."""
    import xlsxwriter

    mixed = pl.DataFrame({"v": ["1"] * 1_500 + ["late"]})
    with xlsxwriter.Workbook(tmp_path / "book.xlsx") as book:
        FRAME.drop("title").write_excel(book, "first")
        mixed.write_excel(book, "second one")
    (found,) = discover(tmp_path, tmp_path)
    parts = parts_of(found)
    assert [part.name for part in parts] == ["book/first", "book/second one"]
    first, second = (open_dataset(part).frame.collect() for part in parts)
    assert first.get_column("price").to_list() == FRAME.get_column("price").to_list()
    assert first.get_column("user_id").to_list() == FRAME.get_column("user_id").to_list()
    assert [one.date() if isinstance(one, dt.datetime) else one for one in first.get_column("on")] == FRAME.get_column(
        "on"
    ).to_list()
    assert second.get_column("v").to_list() == mixed.get_column("v").to_list()
    assert open_at(Path(parts[1].location)).frame.collect().height == 1_501


def test_parts_with_other_columns_are_one_dataset(tmp_path: Path) -> None:
    """New columns, missing ones, wider numbers and columns that were all null, in Parquet and in CSV."""
    frames = [
        pl.DataFrame({"a": pl.Series([1], dtype=pl.Int32), "b": ["x"], "n": pl.Series([None], dtype=pl.Null)}),
        pl.DataFrame({"b": ["y"], "a": [2**40], "c": [0.5], "n": [7]}),
        pl.DataFrame({"a": [3.5]}),
    ]
    for number, frame in enumerate(frames):
        frame.write_parquet(tmp_path / f"one-{number}.parquet")
        frame.write_csv(tmp_path / f"two-{number}.csv")
        frame.write_ndjson(tmp_path / f"three-{number}.ndjson")
        frame.write_ipc(tmp_path / f"four-{number}.arrow")
    datasets = discover(tmp_path, tmp_path)
    assert [one.name for one in datasets] == ["four", "one", "three", "two"]
    for candidate in datasets:
        found = open_dataset(candidate).frame.collect().sort("a")
        assert set(found.columns) == {"a", "b", "c", "n"}
        assert found.get_column("a").to_list() == [1.0, 3.5, float(2**40)]
        assert found.get_column("b").to_list() == ["x", None, "y"]
        assert found.get_column("n").to_list() == [None, None, 7]
        assert open_at(Path(candidate.location)).frame.collect().height == 3


@pytest.mark.parametrize("suffix", ["parquet", "csv", "csv.gz", "arrow"])
def test_partition_folders_give_typed_columns(tmp_path: Path, suffix: str) -> None:
    """Whole numbers, dates, texts with escapes, and missing values; in each format alike."""
    for year, day, text in ((2025, "2025-12-31", "a%20b"), (2026, "2026-01-01", "__HIVE_DEFAULT_PARTITION__")):
        folder = tmp_path / "events" / f"year={year}" / f"day={day}" / f"text={text}"
        folder.mkdir(parents=True)
        frame = pl.DataFrame({"v": [year, 0]})
        file = folder / f"x.{suffix}"
        if suffix == "parquet":
            frame.write_parquet(file)
        elif suffix == "arrow":
            frame.write_ipc(file)
        else:
            file.write_bytes(gzip.compress(csv_bytes(frame)) if suffix.endswith("gz") else csv_bytes(frame))
    found = read(tmp_path / "events").sort("v", "year")
    assert dict(found.schema) == {"v": pl.Int64, "year": pl.Int64, "day": pl.Date, "text": pl.String}
    assert found.rows()[2:] == [(2025, 2025, dt.date(2025, 12, 31), "a b"), (2026, 2026, dt.date(2026, 1, 1), None)]


def test_names_with_signs_of_patterns_are_read(tmp_path: Path) -> None:
    """Brackets and stars in names are no patterns."""
    TEXTS.write_csv(tmp_path / "a[1].csv")
    FRAME.write_ndjson(tmp_path / "b*.ndjson")
    FRAME.write_parquet(tmp_path / "c?.parquet")
    FRAME.write_ipc(tmp_path / "d[x].arrow")
    assert [read(path).height for path in sorted(tmp_path.iterdir())] == [4] * 4


def test_scratch_files_go_when_the_dataset_is_closed(tmp_path: Path) -> None:
    """And none is made for what can be read as it is."""
    scratch = tmp_path / "scratch"
    (tmp_path / "a.csv").write_bytes(csv_bytes(TEXTS).decode().encode("utf-16"))
    with open_dataset(only(tmp_path / "a.csv", Access(scratch=scratch))) as opened:
        assert opened.frame.collect().height == 4
        assert len(list(scratch.rglob("*.txt"))) == 1
    assert list(scratch.iterdir()) == []
    FRAME.write_csv(tmp_path / "b.csv")
    with open_dataset(only(tmp_path / "b.csv", Access(scratch=tmp_path / "other"))):
        assert not (tmp_path / "other").exists()


def test_a_bomb_is_stopped_by_the_budget(tmp_path: Path) -> None:
    """Inflated bytes are counted while they are written; the file's own size says nothing."""
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 3_000_000))
    scratch = tmp_path / "scratch"
    with pytest.raises(BrokenFile, match="ASSETGRAPH_SCAN_INFLATED_BYTES") as caught:
        scan_candidate(only(tmp_path / "a.csv.gz", Access(inflated_bytes=1_000_000, scratch=scratch)))
    assert caught.value.reason == "TOO_LARGE"
    assert list(scratch.iterdir()) == []
