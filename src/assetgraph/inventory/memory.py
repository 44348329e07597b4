"""What a scan remembers of the one before it, so that what did not change is not read again."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import polars as pl

from assetgraph.clock import now
from assetgraph.db.engine import Database, Session
from assetgraph.inventory import identity
from assetgraph.inventory import scan_queries as queries
from assetgraph.inventory.discover import Candidate
from assetgraph.inventory.formats.schemas import Agreed
from assetgraph.inventory.identity import Mark
from assetgraph.inventory.kept import Kept, KeptPart
from assetgraph.inventory.profile import ScannedDataset
from assetgraph.inventory.sketch import packing
from assetgraph.inventory.sketch.states import TableState
from assetgraph.quality import check_queries


@dataclass(frozen=True)
class Seen:
    """What the last scan saw of a dataset."""

    id: int
    name: str
    signature: str
    version_id: int
    dataset_id: int
    #: Whether nobody registered a newer version since.
    is_newest: bool
    #: Whether checks are to be judged whenever it is scanned.
    has_checks: bool
    notices: Sequence[Sequence[str]]

    @property
    def stands(self) -> bool:
        """Whether nothing need be done about it while its data is what it was."""
        return self.is_newest and not self.has_checks

    def is_same(self, candidate: Candidate) -> bool:
        """Tell whether nothing need be done about a dataset, by what its listing shows."""
        if not self.signature or not self.stands or candidate.problem:
            return False
        return self.signature == identity.signature(candidate)


def seen_of(session: Session, source: int) -> dict[str, Seen]:
    """Return what the last scan saw of each of a source's datasets, by the source's names for them."""
    judged = check_queries.judged_at_scans(session)
    return {
        str(row.name): Seen(
            int(row.id), str(row.name), str(row.signature), int(row.version_id), int(row.dataset_id),
            bool(row.is_newest), int(row.dataset_id) in judged, row.notices,
        )
        for row in queries.scanned_of(session, source)
    }  # fmt: skip


def kept_of(database: Database, seen: Seen) -> Kept | None:
    """Return what is kept of a dataset's parts; None where another version of the program wrote it."""
    with database.reading() as session:
        row = queries.columns_of(session, seen.id)
        parts = queries.parts_of(session, seen.id)
    if row is None:
        return None
    try:
        types = dict(pl.read_ipc_schema(io.BytesIO(row.columns)))
    except (pl.exceptions.PolarsError, OSError, ValueError):
        return None

    def state(key: int) -> TableState:
        with database.reading() as session:
            return packing.from_bytes(queries.state_of(session, seen.id, key))

    def span(key: int) -> TableState | None:
        with database.reading() as session:
            packed = queries.span_of(session, seen.id, key)
        return None if packed is None else packing.from_bytes(packed)

    if not all(packing.is_readable(bytes(part.beginning)) for part in parts):
        return None
    marks = {int(part.key): [Mark(*one) for one in part.marks] for part in parts}
    own = {int(part.key): str(part.own) for part in parts}
    return Kept(str(row.how), Agreed(types, row.forms), frozenset(row.required), own, marks, state, span)


def keep(session: Session, source: int, version: int, candidate: Candidate, scanned: ScannedDataset) -> None:
    """Keep what a scan saw of a dataset for the next one, in the transaction that registers it."""
    if not candidate.entries:
        return
    reading = scanned.reading
    buffer = io.BytesIO()
    pl.DataFrame(schema=reading.columns.types).write_ipc(buffer)
    trusted = all(mark.stamp for part in reading.parts for mark in part.marks)
    kept = queries.keep(session, {
        "source_id": source, "name": candidate.name, "version_id": version, "columns": buffer.getvalue(),
        "signature": identity.signature(candidate) if trusted else "", "forms": dict(reading.columns.forms),
        "how": identity.how_read(candidate),
        "required": sorted(reading.required), "scanned_at": now(),
        "notices": [[str(one.file), one.reason, one.message] for one in scanned.notices],
    })  # fmt: skip
    fresh = {part.key for part in reading.parts if part.packed is not None}
    there = queries.part_keys(session, kept)
    queries.drop_parts(session, kept, sorted(there - {part.key for part in reading.parts} | (there & fresh)))
    queries.insert_parts(session, [
        {"scanned_id": kept, "key": part.key, "own": part.own, "marks": _rows(part.marks), "state": part.packed}
        for part in reading.parts if part.packed is not None
    ])  # fmt: skip
    queries.keep_spans(session, kept, {span.key for span in reading.spans}, [
        {"scanned_id": kept, "key": span.key, "state": span.packed}
        for span in reading.spans if span.packed is not None
    ])  # fmt: skip
    for part in reading.parts:
        if part.packed is None and part.is_moved:
            queries.remark(session, kept, part.key, _rows(part.marks))


def touch(session: Session, seen: Seen, candidate: Candidate, parts: Sequence[KeptPart]) -> None:
    """Keep by what the files of a dataset are known now that they were touched, their content being what it was."""
    trusted = all(mark.stamp for part in parts for mark in part.marks)
    queries.sign(session, seen.id, identity.signature(candidate) if trusted else "")
    for part in parts:
        if part.is_moved:
            queries.remark(session, seen.id, part.key, _rows(part.marks))


def _rows(marks: Sequence[Mark]) -> list[list[Any]]:
    return [list(astuple(mark)) for mark in marks]


def gone(seen: Mapping[str, Seen], candidates: Sequence[Candidate]) -> list[Seen]:
    """Return what was seen of datasets that a scan of the whole source does not find any more.

    Nothing, where a folder could not be listed: what lies in it may well be there.
    """
    if any(candidate.problem for candidate in candidates):
        return []
    found = {candidate.name for candidate in candidates}
    return [one for name, one in seen.items() if name not in found]
