"""The walk of a source's folder: names, folders that are one dataset, what is skipped and what is refused."""

import os
from pathlib import Path

import polars as pl
import pytest

from assetgraph.db.paths import allowed_path
from assetgraph.errors import Forbidden, Invalid
from assetgraph.inventory.discover import discover

FRAME = pl.DataFrame({"a": [1, 2]})


def written(file: Path) -> Path:
    """Write a small table in the format of the name's suffix, making its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".parquet":
        FRAME.write_parquet(file)
    else:
        FRAME.write_csv(file, separator="\t" if file.suffix == ".tsv" else ",")
    return file


def test_a_file_is_a_dataset_named_by_its_path_without_the_suffix(tmp_path: Path) -> None:
    """Names are relative to the source's root, sorted, and keep other dots."""
    for name in ("online_retail.parquet", "sales/orders.v2.csv", "sales/b.TSV"):
        written(tmp_path / name)
    found = discover(tmp_path, tmp_path)
    assert [(one.name, one.format) for one in found] == [
        ("online_retail", "parquet"),
        ("sales/b", "tsv"),
        ("sales/orders.v2", "csv"),
    ]
    assert all(one.size_bytes == one.files[0].stat().st_size for one in found)


def test_a_part_of_the_source_keeps_the_names_of_the_whole(tmp_path: Path) -> None:
    """Scanning a subfolder or one file gives the names that the scan of the root gives."""
    file = written(tmp_path / "sales" / "orders.csv")
    for part in (tmp_path / "sales", file):
        assert [one.name for one in discover(part, tmp_path)] == ["sales/orders"]
    assert [one.name for one in discover(file, file)] == ["orders"]


@pytest.mark.parametrize("names", [("part-0.parquet", "part-1.parquet"), ("0001.parquet", "0002.parquet")])
def test_a_folder_of_numbered_files_is_one_dataset(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Files named part-* or by numbers alone are parts of their folder's dataset."""
    for name in names:
        written(tmp_path / "events" / name)
    (found,) = discover(tmp_path, tmp_path)
    assert (found.name, [file.name for file in found.files]) == ("events", list(names))
    assert found.location == str(tmp_path / "events")


def test_a_folder_of_hive_partitions_is_one_dataset(tmp_path: Path) -> None:
    """Subfolders named key=value are one dataset, at every depth."""
    for day in ("01", "02"):
        written(tmp_path / "events" / "month=12" / f"day={day}" / "data.parquet")
    (found,) = discover(tmp_path, tmp_path)
    assert found.name == "events"
    assert found.partitioned_below == found.location == str(tmp_path / "events")
    assert len(found.files) == 2


def test_a_folder_of_named_files_is_one_dataset_each(tmp_path: Path) -> None:
    """Without numbers or partitions each file stands for itself."""
    for name in ("users.parquet", "items.parquet"):
        written(tmp_path / "shop" / name)
    assert [one.name for one in discover(tmp_path, tmp_path)] == ["shop/items", "shop/users"]


def test_equal_names_are_told_apart_by_suffix(tmp_path: Path) -> None:
    """Parquet keeps the bare name; the others are named with their suffix."""
    for name in ("orders.parquet", "orders.csv", "orders/part-0.parquet", "orders/part-1.parquet"):
        written(tmp_path / name)
    assert [one.name for one in discover(tmp_path, tmp_path)] == ["orders", "orders.csv", "orders/"]


def test_hidden_bookkeeping_and_temporary_files_are_skipped(tmp_path: Path) -> None:
    """Names that start with a dot, an underscore or a tilde, and other suffixes, are no datasets."""
    for name in (".a.csv", "_b.parquet", "~$c.csv", "_delta_log/d.parquet", ".git/e.csv"):
        written(tmp_path / name)
    for name in ("readme.md", "f.parquet.tmp"):
        (tmp_path / name).write_text("x")
    assert discover(tmp_path, tmp_path) == []


def test_the_signature_changes_with_the_file(tmp_path: Path) -> None:
    """An untouched file has an equal signature; another time of change gives another one."""
    file = written(tmp_path / "a.csv")
    first = discover(tmp_path, tmp_path)[0].modified
    assert first == discover(tmp_path, tmp_path)[0].modified
    os.utime(file, ns=(1, 1))
    assert discover(tmp_path, tmp_path)[0].modified != first


def test_symlinks_out_of_the_root_and_loops_are_not_followed(tmp_path: Path) -> None:
    """A link to a file below the root counts; one that leads out, in a circle or nowhere does not."""
    outside = written(tmp_path / "outside" / "secret.csv")
    root = tmp_path / "root"
    inside = written(root / "a.csv")
    (root / "b.csv").symlink_to(inside)
    (root / "c.csv").symlink_to(outside)
    (root / "d").symlink_to(outside.parent)
    (root / "e").symlink_to(root)
    (root / "f.csv").symlink_to(root / "missing.csv")
    assert [one.name for one in discover(root, root)] == ["a", "b"]


def test_a_pipe_named_like_data_is_skipped(tmp_path: Path) -> None:
    """Opening a named pipe would wait for ever."""
    os.mkfifo(tmp_path / "a.csv")
    assert discover(tmp_path, tmp_path) == []


def test_a_path_below_a_root_is_allowed(tmp_path: Path) -> None:
    """The root itself, what lies below it, and what is not there yet have their real path returned."""
    assert allowed_path(str(tmp_path), [tmp_path]) == tmp_path
    assert allowed_path(str(tmp_path / "x" / ".." / "y"), [tmp_path]) == tmp_path / "y"


def test_a_path_outside_every_root_is_refused(tmp_path: Path) -> None:
    """Dots, symlinks and look-alike prefixes do not lead out; the message names the setting and the roots."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "rootless").mkdir()
    (root / "link").symlink_to(tmp_path)
    for location in (root / "..", root / "link", root / "link" / "rootless", tmp_path / "rootless"):
        with pytest.raises(Forbidden, match="ASSETGRAPH_SCAN_ROOTS") as caught:
            allowed_path(str(location), [root])
        assert str(root) in caught.value.message
        assert caught.value.path == ("location",)


def test_without_roots_every_path_is_refused(tmp_path: Path) -> None:
    """An unset allow-list allows nothing and says which setting to set."""
    with pytest.raises(Forbidden, match="ASSETGRAPH_SCAN_ROOTS"):
        allowed_path(str(tmp_path), [])


@pytest.mark.parametrize("location", ["", "/tmp/\0x", "s3://bucket/data"])
def test_a_location_that_is_no_path_is_invalid(tmp_path: Path, location: str) -> None:
    """Nothing, URLs and zero bytes are refused as malformed."""
    with pytest.raises(Invalid):
        allowed_path(location, [tmp_path])


def test_a_folder_outside_the_source_is_refused(tmp_path: Path) -> None:
    """The walk itself also refuses a folder that is not below the root it names by."""
    with pytest.raises(Invalid, match="does not lie below"):
        discover(tmp_path, tmp_path / "root")
