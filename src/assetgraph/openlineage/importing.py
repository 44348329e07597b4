"""Import: replay events, and put back what an export of this service holds beside them.

Into an empty service an export goes exactly as it was: raw events are kept, and the graph is what the export says it
came to. Where something is already, raw events are applied as if they had just come, and the rest is added. Only the
header of a file decides that its rows are believed, and never within the raw events that it counts: what a client once
sent stays a client's word.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy.exc import StatementError

from assetgraph.changes import service as changes
from assetgraph.db.engine import Database, Session
from assetgraph.errors import Invalid
from assetgraph.openlineage import restore_queries
from assetgraph.openlineage.events import parse_event, parse_json
from assetgraph.openlineage.export import FORMAT
from assetgraph.openlineage.facts import Facts, facts_of
from assetgraph.openlineage.restore import Restorer, Told, told_of
from assetgraph.openlineage.service import ingest, keep

#: Lines of one transaction.
BATCH = 200


@dataclass
class Imported:
    """What an import did so far; errors are (line, message)."""

    lines: int = 0
    events: int = 0
    known: int = 0
    added: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class _File:
    """What the header says: how many raw events follow it, and whether the graph follows those."""

    export: str | None = None
    #: Raw events that are still to come.
    left: int = 0
    restorer: Restorer | None = None
    ended: bool = False


def import_lines(
    database: Database, lines: Iterable[bytes], *, actor: str, on_progress: Callable[[Imported], None] | None = None
) -> Imported:
    """Import events, a line each, batch by batch; a line that is wrong is reported and left out, whole."""
    done, file = Imported(), _File()
    numbered: Iterator[tuple[int, bytes]] = (
        (number, line) for number, line in enumerate(lines, start=1) if line.strip()
    )
    first = next(numbered, None)
    if first is None:
        return done
    header = _header(first[1])
    if header is None:
        numbered = _again(first, numbered)
    else:
        done.lines = 1
        file = _begin(database, header, actor)
    while batch := list(islice(numbered, BATCH)):
        _import(database, batch, file, done, actor)
        done.lines = batch[-1][0]
        if on_progress is not None:
            on_progress(done)
    if file.export is not None and not file.ended:
        done.errors.append((done.lines, "the export ends early: its last line is missing; what there is was imported"))
    return done


def _again(first: tuple[int, bytes], rest: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    yield first
    yield from rest


def _part(data: Any, name: str) -> Any:
    """Return one of this service's own facets, wherever it stands in an event."""
    for where in ("job", "run", "dataset"):
        found = data.get(where) if isinstance(data, dict) else None
        facets = found.get("facets") if isinstance(found, dict) else None
        if isinstance(facets, dict) and f"assetgraph_{name}" in facets:
            return facets[f"assetgraph_{name}"]
    return None


def _header(line: bytes) -> dict[str, Any] | None:
    try:
        found = _part(parse_json(line), "export")
    except Invalid:
        return None
    return found if isinstance(found, dict) else None


def _begin(database: Database, header: dict[str, Any], actor: str) -> _File:
    """Read the header; whether the service was empty is noted in the log, for an import that is begun again."""
    if header.get("format") != FORMAT:
        raise Invalid(f"the export has format {header.get('format')!r}; this version reads format {FORMAT}")
    export, events = str(header.get("id")), header.get("events")
    if not isinstance(events, int):
        raise Invalid("the export's header does not say how many events it has")
    file = _File(export, events)
    if header.get("graph"):
        with database.transaction(actor=actor) as session:
            known = restore_queries.began(session, export)
            if known is None:
                known = {"merging": not restore_queries.is_empty(session)}
                changes.record(session, "Import", export, "began", None, known)
        file.restorer = Restorer(export, bool(known["merging"]))
    return file


def _import(database: Database, batch: list[tuple[int, bytes]], file: _File, done: Imported, actor: str) -> None:
    events: list[tuple[int, Facts]] = []
    told: list[tuple[int, Told]] = []
    restorer = file.restorer
    for number, line in batch:
        try:
            if file.export is None or file.left:
                file.left -= 1
                events.append((number, facts_of(parse_event(line))))
                continue
            data = parse_json(line)
            if restorer is not None and (rows := _part(data, "rows")) is not None:
                told.append((number, told_of(rows)))
            elif _part(data, "end") is not None:
                file.ended = True
            else:
                raise Invalid("the line holds neither rows nor the end of the export")
        except Invalid as error:
            done.errors.append((number, error.message))
    keeping = restorer is not None and not restorer.merging

    def take_events(session: Session, some: list[Facts]) -> int:
        return sum((keep if keeping else ingest)(session, some))

    new = _each(database, actor, events, take_events, done)
    done.events, done.known = done.events + new, done.known + len(events) - new
    if restorer is not None:
        done.added += _each(database, actor, told, restorer.restore, done)


def _each(
    database: Database, actor: str, items: list[tuple[int, Any]], write: Callable[[Session, list[Any]], int],
    done: Imported,
) -> int:  # fmt: skip
    """Write items in one transaction; when one of them is wrong, each in its own, so that only that one is left out."""
    if not items:
        return 0
    try:
        with database.transaction(actor=actor) as session:
            return write(session, [one for _, one in items])
    except (Invalid, StatementError, LookupError, TypeError, ValueError) as error:
        if len(items) == 1:
            said = error.message if isinstance(error, Invalid) else f"the line cannot be read: {error!r:.300}"
            done.errors.append((items[0][0], said))
            return 0
    return sum(_each(database, actor, [item], write, done) for item in items)
