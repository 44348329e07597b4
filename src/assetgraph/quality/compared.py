"""Drift between two stored versions, a page of columns at a time; no data is read."""

from dataclasses import dataclass
from typing import Any

from assetgraph.catalog import queries as catalog
from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest, cursor_of, key_of
from assetgraph.errors import Invalid, NotFound
from assetgraph.quality import check_queries as queries
from assetgraph.quality.drift import Drift, profile_drift


@dataclass(frozen=True)
class FieldDrift:
    """How far a column of a version is from the same one of the baseline; None where that cannot be told."""

    field: str
    ordinal: int
    drift: Drift | None
    baseline: int


def baseline_of(session: Session, version: int) -> int | None:
    """Return the version that a version's drift is measured against: the pinned one, or the one before."""
    row = catalog.versions_by_ids(session, [version])[version]
    pinned = queries.baselines(session, [int(row.dataset_id)]).get(int(row.dataset_id))
    return queries.version_before(session, version) if pinned is None else int(pinned.version_id)


def drift_page(session: Session, version: int, against: int | None, request: PageRequest) -> Page[FieldDrift]:
    """Return the drift of the columns that both versions have, in the version's order.

    Only what a page shows is worked out. Raises NotFound for a baseline that is none, Invalid for another dataset's.
    """
    baseline = _baseline(session, version, against)
    if baseline is None:
        return Page([], [], has_next=False, total=0)
    fields = catalog.fields_of_versions(session, sorted({version, baseline}))
    before = {str(row.path): row for row in fields[baseline]}
    both = [row for row in fields[version] if str(row.path) in before]
    after = -1 if request.after is None else _place(request.after)
    left = [row for row in both if row.ordinal > after]
    found = [_compared(row, before[str(row.path)], baseline) for row in left[: request.first]]
    cursors = [cursor_of(one.ordinal) for one in found]
    return Page(found, cursors, len(left) > request.first, len(both), request.after is not None)


def _baseline(session: Session, version: int, against: int | None) -> int | None:
    if against is None:
        return baseline_of(session, version)
    rows = catalog.versions_by_ids(session, [version, against])
    if against not in rows:
        raise NotFound("no dataset version has this id", path=("against",))
    if rows[against].dataset_id != rows[version].dataset_id:
        raise Invalid("drift is between versions of one dataset", path=("against",))
    return against


def _place(cursor: str) -> int:
    [ordinal] = key_of(cursor, 1)
    if not isinstance(ordinal, int):
        raise Invalid("the cursor is not one that this list gave out; start again without `after`", path=("after",))
    return ordinal


def _compared(row: Any, before: Any, baseline: int) -> FieldDrift:
    sides = ({"type": str(side.type), "profile": side.profile} for side in (before, row))
    return FieldDrift(str(row.path), int(row.ordinal), profile_drift(*sides), baseline)
