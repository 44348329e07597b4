"""Table formats: the newest state is what was written, and a table's log leads nowhere else."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from assetgraph.inventory.discover import BrokenFile, Candidate, discover
from assetgraph.inventory.formats import open_dataset
from assetgraph.inventory.profile import open_at, scan_candidate

FIRST = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
SECOND = pl.DataFrame({"a": [3], "b": ["z"], "c": [0.5]})
BOTH = pl.concat([FIRST, SECOND], how="diagonal")


def only(folder: Path) -> Candidate:
    """Return the one dataset of a folder."""
    [found] = discover(folder, folder)
    return found


def reason(folder: Path) -> str:
    """Return the code of the finding that a folder's dataset gives."""
    with pytest.raises(BrokenFile) as caught:
        scan_candidate(only(folder))
    return caught.value.reason


@pytest.fixture
def delta(tmp_path: Path) -> Path:
    """A partitioned Delta table of two versions, below a source's folder."""
    table = tmp_path / "lake" / "shop" / "events"
    FIRST.write_delta(str(table), delta_write_options={"partition_by": ["b"]})
    SECOND.write_delta(str(table), mode="append", delta_write_options={"schema_mode": "merge"})
    return table


@pytest.fixture
def iceberg(tmp_path: Path) -> Path:
    """An Iceberg table of two snapshots, below a source's folder."""
    from pyiceberg.catalog.memory import InMemoryCatalog

    catalog = InMemoryCatalog("test", warehouse=f"file://{tmp_path / 'lake'}")
    catalog.create_namespace("shop")
    table: Any = catalog.create_table("shop.events", schema=FIRST.to_arrow().schema)
    table.append(FIRST.to_arrow())
    with table.update_schema() as update:
        update.union_by_name(SECOND.to_arrow().schema)
    table.append(SECOND.to_arrow())
    return tmp_path / "lake" / "shop" / "events"


@pytest.mark.parametrize("form", ["delta", "iceberg"])
def test_a_table_is_one_dataset_at_its_newest_state(form: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """With its columns of all states; the data files below it are no datasets, and their bytes are its size."""
    table: Path = request.getfixturevalue(form)
    found = only(tmp_path / "lake")
    assert (found.name, found.format, found.location) == ("shop/events", form, str(table))
    with open_dataset(found) as opened:
        assert_frame_equal(opened.frame.collect(), BOTH, check_row_order=False, check_column_order=False)
        data = sum(file.stat().st_size for file in table.rglob("*.parquet") if "_delta_log" not in file.parts)
        assert opened.candidate.size_bytes == data
    assert scan_candidate(found).profile.row_count == 3
    assert open_at(table).frame.collect().height == 3


def test_another_commit_is_another_state(delta: Path) -> None:
    """Its signature is its log: deleted rows are gone, and rewriting them gives the same content."""
    before, content = only(delta).modified, scan_candidate(only(delta)).fingerprint
    import deltalake

    table = deltalake.DeltaTable(str(delta))
    table.delete("a = 2")
    assert open_dataset(only(delta)).frame.collect().get_column("a").sort().to_list() == [1, 3]
    FIRST.tail(1).write_delta(str(delta), mode="append", delta_write_options={"schema_mode": "merge"})
    assert only(delta).modified != before
    assert scan_candidate(only(delta)).fingerprint == content


def test_a_delta_log_may_not_lead_out_of_its_folder(delta: Path, tmp_path: Path) -> None:
    """Neither by an absolute path nor by dots nor by a link."""
    FIRST.write_parquet(tmp_path / "secret.parquet")
    log = max((delta / "_delta_log").glob("*.json"))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    [add] = [line["add"] for line in lines if "add" in line]
    inside = add["path"]
    for path in (f"file://{tmp_path}/secret.parquet", "../../../secret.parquet", "%2E%2E/%2E%2E/%2E%2E/secret.parquet"):
        add["path"] = path
        log.write_text("\n".join(map(json.dumps, lines)))
        assert reason(delta) == "OUTSIDE"
    add["path"] = inside
    log.write_text("\n".join(map(json.dumps, lines)))
    (delta / inside).unlink()
    (delta / inside).symlink_to(tmp_path / "secret.parquet")
    assert reason(delta) == "OUTSIDE"


def test_an_iceberg_table_may_not_lead_out_of_its_folder(iceberg: Path, tmp_path: Path) -> None:
    """A copy refers to the files of the original, and is a finding; so is an address in its state."""
    copy = Path(shutil.copytree(iceberg, tmp_path / "copy" / "events"))
    assert reason(copy) == "OUTSIDE"
    state = max((iceberg / "metadata").glob("*.metadata.json"))
    told = json.loads(state.read_text())
    for snapshot in told["snapshots"]:
        snapshot["manifest-list"] = "http://127.0.0.1:1/list.avro"
    state.write_text(json.dumps(told))
    assert reason(iceberg) == "OUTSIDE"


def test_broken_delta_tables_are_findings(delta: Path) -> None:
    """A log that is no JSON, a log without its beginning, a data file that is gone."""
    log = max((delta / "_delta_log").glob("*.json"))
    whole = log.read_bytes()
    log.write_bytes(whole[: len(whole) // 2])
    assert reason(delta) == "MALFORMED"
    log.write_bytes(whole)
    next(file for file in delta.rglob("*.parquet")).unlink()
    assert reason(delta) == "UNREADABLE"
    (delta / "_delta_log" / f"{0:020}.json").unlink()
    assert reason(delta) == "MALFORMED"


def test_broken_iceberg_tables_are_findings(iceberg: Path) -> None:
    """A data file that is gone, a manifest that is damaged, a state that is no JSON."""
    next(iceberg.rglob("*.parquet")).unlink()
    assert reason(iceberg) == "UNREADABLE"
    for manifest in (iceberg / "metadata").glob("*.avro"):
        manifest.write_bytes(manifest.read_bytes()[:100])
    assert reason(iceberg) == "MALFORMED"
    max((iceberg / "metadata").glob("*.metadata.json")).write_text("{")
    assert reason(iceberg) == "MALFORMED"
