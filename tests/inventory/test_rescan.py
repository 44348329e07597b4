"""Scanning again: what did not change is not read, and what comes of it is what reading all of it would give."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from assetgraph.catalog import queries as catalog
from assetgraph.catalog import service as catalog_service
from assetgraph.catalog.service import RegisterSource
from assetgraph.db.engine import Database
from assetgraph.db.page import PageRequest
from assetgraph.inventory import identity
from assetgraph.inventory.discover import REASONS, Candidate, discover
from assetgraph.inventory.kept import Kept
from assetgraph.inventory.profile import scan_candidate
from assetgraph.inventory.reading import Reading, read_dataset
from assetgraph.inventory.scan_tables import PART
from assetgraph.inventory.service import StartScan, run_scan, start_scan
from assetgraph.inventory.sketch.packing import from_bytes, to_bytes
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.lineage import queries as lineage
from assetgraph.lineage.tables import RunState
from assetgraph.quality import queries as quality
from assetgraph.settings import Settings

WRITE: dict[str, Callable[[pl.DataFrame, Path], Any]] = {
    "parquet": pl.DataFrame.write_parquet,
    "csv": pl.DataFrame.write_csv,
    "ndjson": pl.DataFrame.write_ndjson,
}


def age(*files: Path, seconds: float = 3600) -> None:
    """Set files back: their stamps can be trusted."""
    for file in files:
        status = file.stat()
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns - int(seconds * 1e9)))


def garble(file: Path) -> None:
    """Overwrite a file with what cannot be read, and let it look as it was."""
    status = file.stat()
    file.write_bytes(b"\0" * status.st_size)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def kept_of(reading: Reading, before: Kept | None, how: str = "") -> Kept:
    """Return what the next scan would find."""
    states = {part.key: part.packed for part in reading.parts}
    spans = {span.key: span.packed for span in reading.spans}

    def state(key: int) -> Any:
        packed = states[key]
        if packed is None:
            assert before is not None
            return before.state(key)
        return from_bytes(packed)

    def span(key: int) -> Any:
        if key not in spans:
            return None
        packed = spans[key]
        if packed is None:
            assert before is not None
            return before.span(key)
        return from_bytes(packed)

    marks, own = ({part.key: getattr(part, name) for part in reading.parts} for name in ("marks", "own"))
    return Kept(how or identity.how_read(reading.candidate), reading.columns, reading.required, own, marks, state, span)


def only(folder: Path) -> Candidate:
    """Return the one dataset of a folder."""
    [found] = discover(folder, folder)
    return found


class Source:
    """A source that is scanned in this process, job by job."""

    def __init__(self, database: Database, settings: Settings, folder: Path) -> None:
        self.database, self.settings = database, settings
        with database.transaction("test") as session:
            self.id = catalog_service.register_source(session, RegisterSource("shop", "s", str(folder.resolve())))

    def scan(self, path: str | None = None) -> dict[str, Any]:
        """Scan; returns the run's metrics, and its findings as (subject, code)."""
        with self.database.transaction("test") as session:
            run, _ = start_scan(session, self.settings, StartScan(self.id, path))
        [claim] = jobs.claim(self.database, "w", lease_seconds=600, max_attempts=1)
        run_scan(JobContext(self.database, self.settings, claim))
        with self.database.reading() as session:
            assert lineage.runs_by_ids(session, [run])[run].state is RunState.SUCCEEDED
            metrics = {row.name: row.value for row in quality.metrics_of(session, [run])[run]}
            found = lineage.findings_of(session, [run])[run]
        return {**metrics, "found": [(row.subject, row.code) for row in found]}

    def versions(self) -> dict[str, list[int]]:
        """Return the rows of each version of each dataset."""
        with self.database.reading() as session:
            rows = catalog.datasets_page(session, {}, PageRequest.of(100, None)).rows
            pages = {row.name: catalog.versions_page(session, row.id, PageRequest.of(100, None)) for row in rows}
        return {name: sorted(int(row.row_count) for row in page.rows) for name, page in pages.items()}


@pytest.fixture
def source(database: Database, settings: Settings, incoming: Path) -> Source:
    """A source on an empty folder."""
    return Source(database, settings, incoming)


def test_what_looks_as_it_did_is_not_opened(source: Source, incoming: Path) -> None:
    """Path, size and time of change are as they were; even garbage is not noticed then. Gone files are."""
    for form, write in WRITE.items():
        write(pl.DataFrame({"a": [1, 2], "b": ["x", None]}), incoming / f"{form}_data.{form}")
    pl.DataFrame({"a": [1]}).write_excel(incoming / "sheet.xlsx", "s")
    pl.DataFrame({"a": [1]}).write_delta(str(incoming / "table"))
    age(*(file for file in incoming.rglob("*") if file.is_file()))
    first = source.scan()
    assert (first["datasets"], first["datasets_unchanged"], first["found"]) == (5, 0, [])
    before = source.versions()
    for form in WRITE:
        garble(incoming / f"{form}_data.{form}")
    again = source.scan()
    assert (again["datasets"], again["datasets_unchanged"], again["found"]) == (5, 5, [])
    assert source.versions() == before

    (incoming / "csv_data.csv").unlink()
    assert source.scan()["found"] == [("csv_data", "GONE")]
    assert source.scan()["found"] == []


def test_touched_and_rewritten_files_make_no_version_and_changed_ones_do(source: Source, incoming: Path) -> None:
    """Rung by rung: bytes as before, content as before, other content at the old size and time."""
    file = incoming / "d.parquet"
    frame = pl.DataFrame({"a": range(1000), "b": [f"t{n % 7}" for n in range(1000)]})
    frame.write_parquet(file)
    age(file)
    source.scan()
    age(file, seconds=-60)
    assert source.scan()["datasets_unchanged"] == 1  # its bytes are
    frame.sample(fraction=1, shuffle=True, seed=1).write_parquet(file, compression="gzip", row_group_size=100)
    age(file)
    again = source.scan()
    assert (again["datasets_unchanged"], source.versions()) == (0, {"d": [1000]})

    plain = incoming / "plain.parquet"
    values = [5, *range(1000, 1999), 5000]
    pl.DataFrame({"a": values}).write_parquet(plain, compression="uncompressed", use_pyarrow=False)
    age(plain)
    source.scan()
    body, other = plain.read_bytes(), (1500).to_bytes(8, "little")
    assert body.count(other) == 1
    plain.write_bytes(body.replace(other, (1501).to_bytes(8, "little")))  # its footer is what it was
    age(plain, seconds=1800)
    source.scan()
    assert source.versions()["plain"] == [1001, 1001]


def test_a_file_as_young_as_the_scan_is_read_again(source: Source, incoming: Path) -> None:
    """Within one tick of the clock a file may change and look the same; what is known of it then is worth nothing."""
    file = incoming / "d.csv"
    stamp = time.time_ns() + 30_000_000_000
    for text in ("a\n1\n", "a\n2\n"):
        file.write_text(text)
        os.utime(file, ns=(stamp, stamp))
        source.scan()
    assert source.versions() == {"d": [1, 1]}


def test_one_changed_file_of_many_is_all_that_is_read(source: Source, incoming: Path) -> None:
    """Every other one is garbage meanwhile, which nobody sees; and the numbers are those of all of them."""
    sizes = {n: 30_000 + n for n in range(8)}
    rng = random.Random(4)
    for n, rows in sizes.items():
        frame = pl.DataFrame({"id": [rng.getrandbits(60) for _ in range(rows)],
                              "noise": [rng.getrandbits(62) for _ in range(rows)]})  # fmt: skip
        frame.write_parquet(incoming / f"e_{n}.parquet", compression="uncompressed")
    files = sorted(incoming.iterdir())
    whole = pl.concat(pl.read_parquet(file) for file in files)
    age(*files)
    assert source.scan()["found"] == []
    extra = pl.DataFrame({"id": [1, 2], "noise": [None, 4]}, schema=whole.schema)
    extra.write_parquet(incoming / "e_8.parquet")
    touched = next(part for part in identity.parts_of(only(incoming)) if part.entries[-1].path.endswith("e_8.parquet"))
    for file in files:
        if str(file) not in {entry.path for entry in touched.entries}:
            garble(file)
    again = source.scan()
    assert (again["found"], again["datasets"]) == ([], 1)
    assert source.versions() == {"e": [whole.height, whole.height + 2]}


@pytest.mark.parametrize("form", WRITE)
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_incremental_and_whole_reading_agree(
    form: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Files come, go, change, and change their columns' types; the state is that of reading all anew."""
    folder = tmp_path_factory.mktemp("lake")
    columns = st.fixed_dictionaries({
        "more": st.sampled_from([None, None, None, "m"]),
        "n": st.sampled_from([[1, 2, None], [1.5, 2.0], [None, None], [7]]),
        "s": st.sampled_from([["x", "y"], ["2026-01-02", None], ["1", "2"], [None], ["03/04/2026"], ["13/04/2026"]]),
    })  # fmt: skip
    kept: Kept | None = None
    for step in range(data.draw(st.integers(2, 4))):
        for number in range(6):
            action = data.draw(st.sampled_from(["write", "leave", "leave", "remove"])) if step else "write"
            file = folder / f"d_{number}.{form}"
            if action == "remove" and number:
                file.unlink(missing_ok=True)
            elif action == "write":
                drawn: dict[str, Any] = data.draw(columns)
                rows = max(len(drawn["n"]), len(drawn["s"]))
                number_type = pl.Float64 if any(isinstance(one, float) for one in drawn["n"]) else pl.Int64
                frame = pl.DataFrame({"n": (drawn["n"] * 3)[:rows], "s": (drawn["s"] * 3)[:rows]},
                                     schema={"n": number_type, "s": pl.String})  # fmt: skip
                frame = frame.with_columns(more=pl.lit(drawn["more"])) if drawn["more"] else frame
                WRITE[form](frame, file)
                age(file, seconds=1000 - step)
        found = only(folder)
        now = time.time_ns()
        whole, part_by_part = read_dataset(found, None, now), read_dataset(found, kept, now, parallel=3)
        assert to_bytes(part_by_part.state) == to_bytes(whole.state)
        assert part_by_part.columns == whole.columns
        assert {part.key for part in part_by_part.parts} == {part.key for part in whole.parts}
        kept = kept_of(part_by_part, kept)
        assert read_dataset(found, kept, now).read_parts == 0


def test_a_damaged_state_is_read_anew(source: Source, incoming: Path) -> None:
    """Kept bytes that are no state cost reading all files again, and no scan after that meets them."""
    for day in (1, 2):
        (incoming / "d" / f"day={day}").mkdir(parents=True)
        pl.DataFrame({"a": range(day * 10)}).write_parquet(incoming / "d" / f"day={day}" / "x.parquet")
    age(*incoming.rglob("*.parquet"))
    source.scan()
    with source.database.transaction("test") as session:
        kept = session.execute(select(PART.c.key, PART.c.state)).all()
        assert len(kept) == 2
        for row in kept:
            damaged = row.state[:20] + bytes([row.state[20] ^ 1]) + row.state[21:]
            session.execute(update(PART).where(PART.c.key == row.key).values(state=damaged))
    for rows in (50, 60):
        pl.DataFrame({"a": range(rows)}).write_parquet(incoming / "d" / "day=2" / "x.parquet")
        age(incoming / "d" / "day=2" / "x.parquet")
        assert source.scan()["found"] == []
    assert source.versions() == {"d": [30, 60, 70]}


def test_what_ended_an_attempt_is_left_out_of_the_next(source: Source, incoming: Path) -> None:
    """The worker noted it; the other dataset is scanned, and the run says both."""
    for name in ("bad", "good"):
        pl.DataFrame({"a": [1]}).write_csv(incoming / f"{name}.csv")
    with source.database.transaction("test") as session:
        start_scan(session, source.settings, StartScan(source.id, idempotency_key="k"))
    [claim] = jobs.claim(source.database, "w", lease_seconds=600, max_attempts=1)
    jobs.blame(source.database, claim, "bad", jobs.STALLED)
    [claim] = jobs.claim(source.database, "w", lease_seconds=600, max_attempts=1)
    run_scan(JobContext(source.database, source.settings, claim))
    assert source.versions() == {"good": [1]}
    with source.database.reading() as session:
        assert [(row.subject, row.code) for row in lineage.findings_of(session, [claim.run_id])[claim.run_id]] == [
            ("bad", "STALLED")
        ]
        assert lineage.runs_by_ids(session, [claim.run_id])[claim.run_id].message == "1 datasets, 1 findings"
    assert {jobs.TOO_MUCH_MEMORY, jobs.STALLED, jobs.CRASHED} == set(jobs.BLAMES) <= set(REASONS)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_folders_that_change_a_partition_s_type_have_all_read_again(form: str, tmp_path: Path) -> None:
    """Whole numbers, then a word among them, then numbers again; and nothing that was read otherwise is kept."""
    for number in range(4):
        (tmp_path / f"part={number}").mkdir()
        WRITE[form](pl.DataFrame({"a": [number]}), tmp_path / f"part={number}" / f"x.{form}")
    age(*tmp_path.rglob(f"*.{form}"))
    now = time.time_ns()
    kept = kept_of(read_dataset(only(tmp_path), None, now), None)
    assert (kept.columns.types["part"], len(kept.marks)) == (pl.Int64(), 4)
    (tmp_path / "part=word").mkdir()
    WRITE[form](pl.DataFrame({"a": [9]}), tmp_path / "part=word" / f"x.{form}")
    age(*(tmp_path / "part=word").iterdir())
    words = read_dataset(only(tmp_path), kept, now)
    assert (words.columns.types["part"], words.read_parts) == (pl.String(), 5)
    assert to_bytes(words.state) == to_bytes(read_dataset(only(tmp_path), None, now).state)
    for file in (tmp_path / "part=word").iterdir():
        file.unlink()
    again = read_dataset(only(tmp_path), kept_of(words, kept), now)
    assert (again.columns.types["part"], again.read_parts) == (pl.Int64(), 4)
    assert read_dataset(only(tmp_path), kept_of(again, kept), now).read_parts == 0
    assert read_dataset(only(tmp_path), kept_of(again, kept, how="as before the upgrade"), now).read_parts == 4


@pytest.mark.parametrize("form", WRITE)
def test_columns_go_with_the_last_file_that_has_them(form: str, tmp_path: Path) -> None:
    """Also those of a file of its own part, none of whose neighbours is read for it."""
    write = WRITE[form]
    for number in range(120):
        write(pl.DataFrame({"a": [number, 2]}), tmp_path / f"d_{number:03}.{form}")
    parts = identity.parts_of(only(tmp_path))
    last = Path(parts[-1].entries[-1].path)
    assert len(parts) > 2
    for path in [entry.path for entry in parts[-1].entries]:
        write(pl.DataFrame({"a": [1], "extra": ["x"]}), Path(path))
    age(*tmp_path.iterdir())
    now = time.time_ns()
    first = read_dataset(only(tmp_path), None, now)
    assert list(first.columns.types) == ["a", "extra"]
    for path in [entry.path for entry in parts[-1].entries]:
        Path(path).unlink()
    again = read_dataset(only(tmp_path), kept_of(first, None), now)
    assert list(again.columns.types) == ["a"]
    assert to_bytes(again.state) == to_bytes(read_dataset(only(tmp_path), None, now).state)
    write(pl.DataFrame({"a": [1]}), last)
    third = read_dataset(only(tmp_path), kept_of(again, None), now)
    assert (third.read_parts, len(third.parts)) == (1, len(again.parts) + 1)


def test_parts_stay_when_files_come_and_go(tmp_path: Path) -> None:
    """A file in the middle changes the part it is in, and at most the one it divides; large ones are parts."""
    for n in range(0, 600, 2):
        (tmp_path / f"e_{n:04}.csv").write_text("a\n1\n")
    (tmp_path / "e_0601.csv").write_bytes(b"a\n" + b"1\n" * (identity.LARGE_BYTES // 2))
    before = {part.key: part.entries for part in identity.parts_of(only(tmp_path))}
    assert 10 < len(before) < 40
    assert [len(entries) for entries in before.values() if entries[0].size >= identity.LARGE_BYTES] == [1]
    (tmp_path / "e_0301.csv").write_text("a\n1\n")
    after = {part.key: part.entries for part in identity.parts_of(only(tmp_path))}
    assert sum(before.get(key) != entries for key, entries in after.items()) <= 2
    assert sum(len(entries) for entries in after.values()) == 302


def test_progress_is_by_bytes(tmp_path: Path) -> None:
    """A file of most of the bytes is most of the work, whatever their number."""
    for n, rows in enumerate((10, 10, 200_000)):
        pl.DataFrame({"a": range(rows)}).write_csv(tmp_path / f"e_{n}.csv")
    shares: list[float] = []
    scan_candidate(only(tmp_path), shares.append)
    assert shares == sorted(shares)
    assert (shares[0] < 0.01 or len(shares) == 1, shares[-1]) == (True, 1.0)
