"""What events ever said of datasets and jobs, by the events' own times: any order of arrival gives the same history."""

from collections.abc import Callable, Sequence
from typing import Any

from assetgraph.catalog import history_queries
from assetgraph.catalog.tables import EVENTS, Aspect, Lifecycle
from assetgraph.catalog.texts import pairs_text
from assetgraph.db.engine import Session
from assetgraph.openlineage import shapes
from assetgraph.openlineage.facets import Said
from assetgraph.openlineage.shapes import validated

Body = dict[str, Any] | None


def owners_of(body: Body) -> dict[str, str]:
    """Return the owners that a facet names, with what they are."""
    owners = [] if body is None else validated(shapes.OwnershipFacet, body, ()).owners or []
    return {one.name: (one.type or "OWNER")[:40] for one in owners}


def description_of(body: Body) -> str | None:
    """Return what a facet says that something is."""
    return None if body is None else validated(shapes.DocumentationFacet, body, ()).description


def lifecycle_of(body: Body) -> Lifecycle:
    """Return how far a dataset may be relied on after a change."""
    change = None if body is None else validated(shapes.LifecycleFacet, body, ()).change
    return Lifecycle.RETIRED if change == "DROP" else Lifecycle.ACTIVE


def tags_of(body: Body) -> list[shapes.TagPart]:
    """Return the tags that a facet gives."""
    return [] if body is None else list(validated(shapes.TagsFacet, body, ()).tags or [])


def tag_name(tag: shapes.TagPart) -> str:
    """Return a tag as one name: the key alone when it is only set, else key=value."""
    value = (tag.value or "").strip()
    return tag.key if value.lower() in ("", "true") else f"{tag.key}={value}"[:200]


#: Which aspect a facet is about, and its value as the history holds it.
_ASPECTS: dict[str, tuple[Aspect, Callable[[Body], str | None]]] = {
    "documentation": (Aspect.DESCRIPTION, description_of),
    "ownership": (Aspect.OWNERS, lambda body: pairs_text(owners_of(body).items())),
    "tags": (Aspect.TAGS, lambda body: pairs_text((one.field or "", tag_name(one)) for one in tags_of(body))),
    "lifecycleStateChange": (Aspect.LIFECYCLE, lambda body: lifecycle_of(body).value),
}


def remember(session: Session, said: Sequence[Said]) -> None:
    """Keep all that a batch says of datasets and jobs, in one statement."""
    values: dict[tuple[str, str], str | None] = {}
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in said:
        aspect, value = _ASPECTS[one.name]
        content = (one.name, one.digest)
        if content not in values:
            values[content] = value(one.body)
        place = (one.asset, aspect, one.at)
        if place not in rows or one.digest > rows[place]["digest"]:
            rows[place] = {"asset_id": one.asset, "aspect": aspect, "origin": EVENTS, "at": one.at,
                           "digest": one.digest, "value": values[content]}  # fmt: skip
    history_queries.note(session, list(rows.values()))
