"""SQL of bodies that facets had before the one that stands now."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, func, insert, select, update

from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids, rows
from assetgraph.openlineage.tables import FACET, FACET_PAST

#: Asset, scope and name of a facet that describes the asset itself.
PastPlace = tuple[int, str, str]


def _same(table: Any, wanted: Any) -> Any:
    return and_(table.c.asset_id == wanted.c.k0, table.c.scope == wanted.c.k1, table.c.name == wanted.c.k2)


def before(session: Session, places: Sequence[PastPlace]) -> Sequence[Row[Any]]:
    """Return the bodies that facets had before, oldest first."""
    wanted = given(session.dialect, int, str, str)
    mine = select(FACET_PAST).select_from(wanted.join(FACET_PAST, _same(FACET_PAST, wanted)))
    return session.execute(mine.order_by(FACET_PAST.c.since), {"given": rows(places)}).all()


def standing(session: Session, places: Sequence[PastPlace]) -> Sequence[Row[Any]]:
    """Return the bodies that facets have now, as `before` returns those of before, with the facet's id."""
    wanted = given(session.dialect, int, str, str)
    same = and_(_same(FACET, wanted), FACET.c.by_id == FACET.c.asset_id)
    since = func.coalesce(FACET.c.since, FACET.c.event_time, type_=FACET.c.since.type).label("since")
    named = [FACET.c[name] for name in ("id", "asset_id", "scope", "name", "digest", "body")]
    mine = select(*named, since, FACET.c.event_time.label("last_at")).select_from(wanted.join(FACET, same))
    return session.execute(mine, {"given": rows(places)}).all()


def places_of(session: Session, assets: Sequence[int]) -> list[tuple[str, str]]:
    """Return (scope, name) of the facets that describe assets themselves."""
    wanted = given(session.dialect, int)
    mine = and_(FACET.c.asset_id == wanted.c.k0, FACET.c.by_id == FACET.c.asset_id)
    found = select(FACET.c.scope, FACET.c.name).select_from(wanted.join(FACET, mine)).distinct()
    return sorted((str(row.scope), str(row.name)) for row in session.execute(found, {"given": ids(assets)}).all())


_FORGET = delete(FACET_PAST).where(
    FACET_PAST.c.asset_id == bindparam("asset"), FACET_PAST.c.scope == bindparam("of"),
    FACET_PAST.c.name == bindparam("called"),
)  # fmt: skip
_BEGIN = update(FACET).where(FACET.c.id == bindparam("facet")).values(since=bindparam("begin"))


def replace(session: Session, places: Sequence[PastPlace], past: Sequence[dict[str, Any]]) -> None:
    """Set which bodies facets had before."""
    if places:
        session.execute(_FORGET, [{"asset": one[0], "of": one[1], "called": one[2]} for one in places])
    if past:
        session.execute(insert(FACET_PAST), list(past))


def begin(session: Session, told: Sequence[dict[str, Any]]) -> None:
    """Set since when bodies stand: facet, begin."""
    if told:
        session.execute(_BEGIN, list(told))
