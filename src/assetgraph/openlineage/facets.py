"""Facets of a batch: of two bodies in one place the one with the later event time stands, then the greater digest."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from assetgraph.db.engine import Session
from assetgraph.openlineage import facet_past, queries
from assetgraph.openlineage.facet_past import Stretch, Word
from assetgraph.openlineage.facet_past_queries import PastPlace
from assetgraph.openlineage.facts import By, FacetFact, Facts
from assetgraph.openlineage.names import Names
from assetgraph.openlineage.queries import FacetPlace
from assetgraph.openlineage.shapes import ErrorFacet, ParentFacet, VersionFacet, validated

RunPlace = tuple[int, int, str]

#: Facets that describe a dataset or a job by itself: all that was ever said is kept, not only what stands now.
DESCRIBING = frozenset({"documentation", "ownership", "tags", "lifecycleStateChange"})


class Said(NamedTuple):
    """A word about a dataset or job, whether it stands now or not."""

    asset: int
    name: str
    at: datetime
    digest: str
    body: dict[str, Any] | None


class _Best(NamedTuple):
    """The newest body of a batch at one place, also as JSON with sorted keys."""

    at: datetime
    digest: str
    canonical: bytes | None
    body: dict[str, Any] | None


@dataclass
class Winner:
    """A body that stands now."""

    id: int | None
    at: datetime
    digest: str
    body: dict[str, Any] | None


@dataclass
class Bodies:
    """The bodies that a batch changed, and what follows from them at once."""

    changed: dict[FacetPlace, Winner] = field(default_factory=dict)
    #: Places where the batch, alone or with what stood there, said more than one thing.
    contested: set[FacetPlace] = field(default_factory=set)
    said: list[Said] = field(default_factory=list)
    labels: dict[RunPlace, str | None] = field(default_factory=dict)
    schemas: dict[RunPlace, str | None] = field(default_factory=dict)

    def take(self, place: FacetPlace, winner: Winner) -> None:
        """Note a body that stands now."""
        self.changed[place] = winner
        asset, by, scope, name = place
        if scope in ("IN", "OUT") and name == "version":
            label = None if winner.body is None else validated(VersionFacet, winner.body, ()).label
            self.labels[(by, asset, scope)] = label
        elif scope in ("IN", "OUT") and name == "schema":
            shown = (winner.body or {}).get("fields")
            self.schemas[(by, asset, scope)] = digest_of(shown) if shown else None

    def of_run(self, run: int, names: Names) -> dict[str, Any]:
        """Return what changed facets say of a run itself: its parents and its error."""
        found: dict[str, Any] = {}
        error = self.changed.get((run, run, "RUN", "errorMessage"))
        if error is not None:
            found["error"] = None if error.body is None else validated(ErrorFacet, error.body, ()).message
        parent = self.changed.get((run, run, "RUN", "parent"))
        if parent is not None:
            found["parent_id"] = found["root_id"] = None
            if parent.body is not None:
                facet = validated(ParentFacet, parent.body, ())
                found["parent_id"] = names.runs[By("run", facet.job.key, facet.run.run_id)]
                if facet.root is not None:
                    found["root_id"] = names.runs[By("run", facet.root.job.key, facet.root.run.run_id)]
        return found


def digest_of(body: Any) -> str:
    """Return a digest of a facet's body or of a part of it."""
    return _digest(_canonical(body))


def _canonical(body: Any) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def _digest(canonical: bytes) -> str:
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


def merge_facets(session: Session, batch: Sequence[Facts], names: Names) -> Bodies:
    """Keep the facets of a batch that win, those that describe an asset with what they were, and say which changed."""
    bodies = Bodies()
    words: dict[PastPlace, set[Word]] = {}
    best = _best(batch, names, bodies, words)
    if not best:
        return bodies
    there = queries.facets_at(session, [place for place in best if place[1] not in names.fresh_runs])
    past = _past(session, words, there)
    fresh, changed, again = [], [], []
    for place, (at, digest, canonical, body) in best.items():
        row = there.get(place)
        if row is not None and row.digest != digest:
            bodies.contested.add(place)
        if row is not None and (row.event_time, row.digest) >= (at, digest):
            continue
        if row is not None and row.digest == digest:
            again.append({"facet": int(row.id), "at": at})
            continue
        text = None if canonical is None else canonical.decode()
        if row is None:
            asset, by, scope, name = place
            where = {"asset_id": asset, "by_id": by, "scope": scope, "name": name}
            since = min((word.at for word in words.get((asset, scope, name), ())), default=at)
            fresh.append({**where, "event_time": at, "digest": digest, "body": text, "since": since})
        else:
            changed.append({"facet": int(row.id), "at": at, "said": digest, "text": text})
        bodies.take(place, Winner(None if row is None else int(row.id), at, digest, body))
    queries.write_facets(session, fresh, changed, again)
    facet_past.write(session, past)
    return bodies


def _past(
    session: Session, words: dict[PastPlace, set[Word]], there: dict[FacetPlace, Any]
) -> dict[PastPlace, list[Stretch]]:
    """Return what facets come to that say something else than before, or said it earlier than is known."""
    other = []
    for (asset, scope, name), said in words.items():
        row = there.get((asset, asset, scope, name))
        had = next(iter(said)).digest if row is None else row.digest
        since = None if row is None else row.since or row.event_time
        if any(word.digest != had or (since is not None and word.at < since) for word in said):
            other.append((asset, scope, name))
    found = facet_past.known(session, other) if other else {}
    return {place: facet_past.fold(had, sorted(words[place], key=lambda word: word[:2]))
            for place, had in found.items()}  # fmt: skip


def _best(
    batch: Sequence[Facts], names: Names, bodies: Bodies, words: dict[PastPlace, set[Word]]
) -> dict[FacetPlace, _Best]:
    best: dict[FacetPlace, _Best] = {}
    for one in batch:
        for place, fact in _places(one, names):
            text = None if fact.body is None else _canonical(fact.body)
            digest = "" if text is None else _digest(text)
            if fact.name in DESCRIBING and fact.scope in ("DATASET", "JOB"):
                bodies.said.append(Said(place[0], fact.name, one.at, digest, fact.body))
            if fact.by is None:
                word = Word(one.at, digest, None if text is None else text.decode())
                words.setdefault((place[0], place[2], place[3]), set()).add(word)
            known = best.get(place)
            if known is not None and known[1] != digest:
                bodies.contested.add(place)
            if known is None or (one.at, digest) > known[:2]:
                best[place] = _Best(one.at, digest, text, fact.body)
    return best


def _places(one: Facts, names: Names) -> Iterator[tuple[FacetPlace, FacetFact]]:
    """Yield an event's facets with where they stand; facets of one subject follow each other."""
    subject, asset, own = None, 0, names.by(one.by)
    for fact in one.facets:
        if fact.subject is not subject:
            subject, asset = fact.subject, names.by(fact.subject)
        by = asset if fact.by is None else own if fact.by is one.by else names.by(fact.by)
        yield (asset, by, fact.scope, fact.name), fact
