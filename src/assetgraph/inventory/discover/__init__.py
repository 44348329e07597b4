"""Finding the datasets of a source: what is listed, which files make one dataset, and what it is called."""

import os
from collections.abc import Sequence
from pathlib import Path

from assetgraph.catalog.grouping import GroupingRule
from assetgraph.errors import Invalid
from assetgraph.inventory.discover.candidates import REASONS, Access, BrokenFile, Candidate, Entry
from assetgraph.inventory.discover.grouping import Grouping
from assetgraph.inventory.discover.listing import Folder, list_folder
from assetgraph.inventory.discover.names import split_name

__all__ = ["REASONS", "Access", "BrokenFile", "Candidate", "Entry", "discover"]


def discover(
    folder: Path | str, root: Path | str, rules: Sequence[GroupingRule] = (), access: Access | None = None
) -> list[Candidate]:
    """Return the datasets of a folder (or of one file), in the order of their names, which start at `root`."""
    base, top = os.path.realpath(root), os.path.realpath(folder)
    if top != base and not top.startswith(base.rstrip("/") + "/"):
        raise Invalid(f"'{folder}' does not lie below the source's root '{root}'")
    if Path(top).is_file():
        parent, _, name = top.rpartition("/")
        known = split_name(name)
        if known is None:
            return []
        status = Path(top).stat()
        base = parent if top == base else base
        grouping = Grouping(parent, _below(parent, base), rules, access or Access(), base)
        grouping.add(Folder("", parent, [(*known, Entry(top, status.st_size, status.st_mtime_ns))]))
        return grouping.datasets()
    grouping = Grouping(top, _below(top, base), rules, access or Access(), base)
    for found in list_folder(top, base):
        grouping.add(found)
    return grouping.datasets()


def _below(path: str, root: str) -> str:
    return "" if path == root else path[len(root.rstrip("/")) + 1 :]
