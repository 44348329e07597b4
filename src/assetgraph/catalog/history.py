"""What was said of assets over time: whole values, each since a moment, so that the order of their arrival is nothing.

Of an aspect that never changed there is nothing here, and the asset's own row holds for all times. At the first change
the value before it is kept since the asset's registration, so that nothing need be written when assets are made.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from assetgraph.catalog import history_queries
from assetgraph.catalog.tables import EVENTS, PEOPLE, SCANS, Aspect
from assetgraph.catalog.texts import owners_text, pairs_of, pairs_text, tags_text
from assetgraph.clock import now
from assetgraph.db.engine import Session

#: Since when a dataset had the name that its first rename took from it.
ALWAYS = datetime(1, 1, 2, tzinfo=UTC)
#: Of two assets that turn out to be one, these are joined; of the others those of the one that stays count.
JOINED = (Aspect.TAGS, Aspect.OWNERS)
#: Who says tags and owners of an asset itself, each apart.
TELLERS = (PEOPLE, SCANS)


@dataclass(frozen=True)
class Reworded:
    """An aspect of an asset that a command changed; `since` is when the asset was registered."""

    asset: int
    since: datetime
    aspect: Aspect
    before: str | None
    after: str | None
    origin: str = PEOPLE


_TEXTS: Mapping[Aspect, Any] = {Aspect.TAGS: tags_text, Aspect.OWNERS: owners_text}


def changed(session: Session, asset: int, since: datetime, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Keep what a command changed of an asset: values by name, as the change log has them."""
    words = []
    for name, value in after.items():
        aspect = Aspect(name.upper())
        text = _TEXTS.get(aspect, lambda one: None if one is None else str(one))
        words.append(Reworded(asset, since, aspect, text(before[name]), text(value)))
    reworded(session, words)


def reworded(session: Session, words: Sequence[Reworded]) -> None:
    """Keep what a command changed, set-wise."""
    at = now()
    rows = [
        {"asset_id": word.asset, "aspect": word.aspect, "origin": word.origin, "at": moment, "digest": "",
         "value": value}
        for word in words for moment, value in ((word.since, word.before), (at, word.after))
    ]  # fmt: skip
    history_queries.note(session, rows)


def named(session: Session, dataset: int, names: Sequence[tuple[datetime, str, str]]) -> None:
    """Keep what a dataset was called: (since, namespace, name), all that is known of it."""
    history_queries.rename(session, dataset, [
        {"asset_id": dataset, "aspect": aspect, "origin": EVENTS, "at": at, "digest": "", "value": value}
        for at, namespace, name in names
        for aspect, value in ((Aspect.NAMESPACE, namespace), (Aspect.NAME, name))
    ])  # fmt: skip


def merge(session: Session, moved: Mapping[int, int]) -> None:
    """Give the history of assets to others that they turned out to be; before their labels are moved.

    What events said is one story by their own times. People spoke of two assets: their tags and owners are joined at
    every moment, as they are joined now; the other words about the one that goes are dropped with it.
    """
    assets = sorted({*moved, *moved.values()})
    words: dict[int, list[Any]] = defaultdict(list)
    for row in history_queries.histories(session, assets):
        words[int(row.asset_id)].append(row)
    pairs = {goes: stays for goes, stays in moved.items() if words[goes] or words[stays]}
    if not pairs:
        return
    assets = sorted({*pairs, *pairs.values()})
    labels = {teller: history_queries.labels_of(session, assets, teller) for teller in TELLERS}
    kept: list[dict[str, Any]] = []
    for goes, stays in pairs.items():
        kept += [_row(stays, row) for row in words[goes] if row.origin == EVENTS]
        both = [*words[stays], *words[goes]]
        for teller in TELLERS:
            said = [row for row in both if row.origin == teller]
            for aspect in JOINED:
                kept += _joined(stays, goes, aspect, said, labels[teller])
    history_queries.forget(session, list(pairs), JOINED, list(pairs.values()))
    history_queries.note(session, kept)


def _row(asset: int, row: Any) -> dict[str, Any]:
    return {"asset_id": asset, **{name: row._mapping[name] for name in ("aspect", "origin", "at", "digest", "value")}}


def _joined(
    stays: int, goes: int, aspect: Aspect, words: Sequence[Any], labels: Mapping[tuple[int, Aspect], Any]
) -> list[dict[str, Any]]:
    """Return what was said of two assets as if it had been one; who was never reworded has what it has now."""
    said = sorted((row for row in words if row.aspect is aspect), key=lambda row: row.at)
    reworded = {int(row.asset_id) for row in said}
    latest = {one: labels.get((one, aspect), []) for one in (stays, goes) if one not in reworded}
    rows = []
    for row in said:
        latest[int(row.asset_id)] = pairs_of(row.value)
        both = pairs_text(pair for pairs in latest.values() for pair in pairs)
        rows.append({**_row(stays, row), "value": both})
    return rows
