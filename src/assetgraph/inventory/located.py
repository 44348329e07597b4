"""Opening the data of a version wherever its scan found it: folders, buckets, databases, and what the service wrote."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assetgraph.catalog.grouping import GroupingKind, GroupingRule
from assetgraph.db.paths import readable_path
from assetgraph.errors import AssetgraphError
from assetgraph.inventory.discover import Access, BrokenFile, Candidate
from assetgraph.inventory.discover.cloud import list_bucket
from assetgraph.inventory.discover.grouping import Grouping
from assetgraph.inventory.formats import open_dataset, parts_of
from assetgraph.inventory.leftovers import scratch_of
from assetgraph.inventory.places import access_to, allowed_url, check_location
from assetgraph.inventory.profile import OpenedDataset, find_at
from assetgraph.jobs.context import JobContext
from assetgraph.settings import Settings


def check_readable(settings: Settings, location: str, *, path: tuple[str, ...] = ("location",)) -> None:
    """Refuse a version's location that the settings do not allow (any more); no store and no database is asked."""
    try:
        if location.startswith("database://"):
            check_location(settings, _database(location))
        elif "://" in location:
            allowed_url(settings, _before_pattern(location))
        else:
            readable_path(location, settings)
    except AssetgraphError as error:
        error.path = path
        raise


def open_version(settings: Settings, location: str, scratch: Path) -> OpenedDataset:
    """Open the data of a version; raises BrokenFile when it is not there any more, and what the settings forbid.

    Files that must be rewritten to be read lie in `scratch` until it is closed.
    """
    found = located(settings, location, scratch)
    if found is None:
        raise BrokenFile(location, "UNREADABLE", f"'{location}' is gone or no longer one dataset; scan it again")
    return OpenedDataset(found, open_dataset(found))


@contextmanager
def open_for(context: JobContext, location: str) -> Iterator[OpenedDataset]:
    """Open the data of a version for a job; the files that were written to read it go at the end."""
    scratch = scratch_of(context.settings.home, context.claim.run_id)
    try:
        with open_version(context.settings, location, scratch) as opened:
            yield opened
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def located(settings: Settings, location: str, scratch: Path) -> Candidate | None:
    """Return the dataset whose location this is; None where there is none, or more than one."""
    check_readable(settings, location)
    if "://" not in location:
        return find_at(str(readable_path(location, settings)))
    if location.startswith("database://"):
        from assetgraph.inventory.formats.database_queries import list_tables

        database = _database(location)
        named = list_tables(database, None, access_to(settings, database, scratch))
        return _only([one for one in named if one.location == location])
    return _in_bucket(settings, location, scratch)


def _in_bucket(settings: Settings, location: str, scratch: Path) -> Candidate | None:
    """Look in the folder that the location names, then in the one that it lies in."""
    file = location.partition("#")[0]
    top = allowed_url(settings, _before_pattern(location))
    access = access_to(settings, top, scratch)
    tops = [top] if "*" in file else [top, top.rpartition("/")[0]]
    for one in tops:
        if one.endswith(":/") or not _is_allowed(settings, one):
            continue
        found = _only(_named(one, location, access, ()))
        if found is None and "*" in file:
            # A rule of the source put these together.
            rule = GroupingRule(GroupingKind.GROUP, file.removeprefix(f"{one}/"))
            found = _only(_named(one, location, access, (rule,)))
        if found is not None:
            return found
    return None


def _named(top: str, location: str, access: Access, rules: tuple[GroupingRule, ...]) -> list[Candidate]:
    grouping = Grouping(top, "", rules, access, top)
    for folder in list_bucket(top, access):
        grouping.add(folder)
    found = grouping.datasets()
    if "#" in location:
        found = [part for one in found if one.location == location.partition("#")[0] for part in parts_of(one)]
    return [one for one in found if one.location == location]


def _only(found: list[Candidate]) -> Candidate | None:
    return found[0] if len(found) == 1 else None


def _is_allowed(settings: Settings, url: str) -> bool:
    try:
        allowed_url(settings, url)
    except AssetgraphError:
        return False
    return True


def _before_pattern(location: str) -> str:
    """Return a URL without a sheet; of a pattern the folder above its first `*`."""
    file = location.partition("#")[0]
    start, star, _ = file.partition("*")
    return start.rpartition("/")[0] if star else file


def _database(location: str) -> str:
    """Return the location of the whole database that a table's location names."""
    return "/".join(location.split("/")[:3])
