"""Bodies that facets had before: for each the time from when it was said first to when it was said last.

Kept of facets that describe an asset itself, and only where a body ever changed. Told in another order the times are
the same, except where a body comes late that lies between two equal ones: of these only the outer times are known.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from assetgraph.db.engine import Session
from assetgraph.openlineage import facet_past_queries as queries
from assetgraph.openlineage.facet_past_queries import PastPlace


class Word(NamedTuple):
    """A body that was said at a moment; the text is JSON, None when it deletes the facet."""

    at: datetime
    digest: str
    text: str | None


class Stretch(NamedTuple):
    """A body that was said from a moment to another."""

    since: datetime
    last: datetime
    digest: str
    text: str | None


def fold(stretches: Sequence[Stretch], words: Iterable[Word]) -> list[Stretch]:
    """Return the stretches that some and more words come to, oldest first."""
    found = list(stretches)
    for at, digest, text in words:
        point = Stretch(at, at, digest, text)
        place = next((n for n, one in enumerate(found) if one.last >= at), len(found))
        inside = found[place] if place < len(found) and found[place].since <= at else None
        if inside is None:
            found.insert(place, point)
        elif inside.digest != digest:
            if at in (inside.since, inside.last) and digest < inside.digest:
                continue  # of two at one time the greater counts
            left = [inside._replace(last=inside.since)] if inside.since < at else []
            right = [inside._replace(since=inside.last)] if at < inside.last else []
            found[place : place + 1] = [*left, point, *right]
        found = _joined(found)
    return found


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    found: list[Stretch] = []
    for one in stretches:
        if found and found[-1].digest == one.digest:
            found[-1] = found[-1]._replace(last=one.last)
        else:
            found.append(one)
    return found


def known(session: Session, places: Sequence[PastPlace]) -> dict[PastPlace, list[Stretch]]:
    """Return what is known of facets: what they were, and last what they are."""
    found: dict[PastPlace, list[Stretch]] = {place: [] for place in places}
    for row in (*queries.before(session, places), *queries.standing(session, places)):
        place = int(row.asset_id), str(row.scope), str(row.name)
        found[place].append(Stretch(row.since, row.last_at, str(row.digest), row.body))
    return found


def write(session: Session, told: Mapping[PastPlace, Sequence[Stretch]]) -> None:
    """Keep what facets were, and since when they are what they are; their bodies of now are written before."""
    if not told:
        return
    queries.replace(session, list(told), [
        {"asset_id": place[0], "scope": place[1], "name": place[2], "since": one.since, "last_at": one.last,
         "digest": one.digest, "body": one.text}
        for place, stretches in told.items() for one in stretches[:-1]
    ])  # fmt: skip
    queries.begin(session, [
        {"facet": int(row.id), "begin": told[(int(row.asset_id), str(row.scope), str(row.name))][-1].since}
        for row in queries.standing(session, list(told))
    ])  # fmt: skip


def both(session: Session, stays: int, goes: int) -> dict[PastPlace, list[Stretch]]:
    """Return what the facets of a dataset come to that takes over another's; written when these are moved."""
    names = queries.places_of(session, [goes])
    found = known(session, [(asset, *name) for asset in (stays, goes) for name in names]) if names else {}
    told = {}
    for name in names:
        words = {
            Word(at, one.digest, one.text) for one in found[(goes, *name)] for at in (one.since, one.last)
        }  # fmt: skip
        told[(stays, *name)] = fold(found[(stays, *name)], sorted(words, key=lambda word: word[:2]))
    queries.replace(session, [(goes, *name) for name in names], [])
    return told
