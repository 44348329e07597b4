"""All SQL of descriptions that models propose, and of what they answered before."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, insert, select, update

from assetgraph.catalog.queries import insert_ignoring
from assetgraph.catalog.tables import ASSET, FIELD, ProposalStatus
from assetgraph.db.engine import Session
from assetgraph.inventory.classification_tables import CLASSIFICATION
from assetgraph.inventory.proposal_tables import DESCRIPTION_PROPOSAL, MODEL_ANSWER

#: Digests that one statement asks for.
_AT_ONCE = 500


def waiting(session: Session, assets: Sequence[int]) -> dict[int, Row[Any]]:
    """Return the description of each asset that waits for a steward."""
    mine = and_(
        DESCRIPTION_PROPOSAL.c.asset_id.in_(list(assets)), DESCRIPTION_PROPOSAL.c.status == ProposalStatus.PROPOSED
    )
    rows = session.execute(select(DESCRIPTION_PROPOSAL).where(mine)).all()
    return {int(row.asset_id): row for row in rows}


def of_assets(session: Session, assets: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return all descriptions that were ever proposed of assets."""
    found: dict[int, list[Row[Any]]] = {asset: [] for asset in assets}
    mine = DESCRIPTION_PROPOSAL.c.asset_id.in_(list(assets))
    for row in session.execute(select(DESCRIPTION_PROPOSAL).where(mine)).all():
        found[int(row.asset_id)].append(row)
    return found


def insert_proposals(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert proposed descriptions."""
    if rows:
        session.execute(insert(DESCRIPTION_PROPOSAL), list(rows))


def decide(session: Session, asset: int, status: ProposalStatus, *, by: str, at: datetime) -> None:
    """Set what became of the description that waits."""
    mine = and_(DESCRIPTION_PROPOSAL.c.asset_id == asset, DESCRIPTION_PROPOSAL.c.status == ProposalStatus.PROPOSED)
    decided = {"status": status, "decided_by": by, "decided_at": at}
    session.execute(update(DESCRIPTION_PROPOSAL).where(mine).values(decided))


def answers(session: Session, model: str, digests: Sequence[str]) -> dict[str, bytes]:
    """Return what a model answered before, by the digest of the text."""
    found: dict[str, bytes] = {}
    for start in range(0, len(digests), _AT_ONCE):
        mine = and_(MODEL_ANSWER.c.model == model, MODEL_ANSWER.c.digest.in_(digests[start : start + _AT_ONCE]))
        rows = session.execute(select(MODEL_ANSWER.c.digest, MODEL_ANSWER.c.answer).where(mine)).all()
        found |= {str(row.digest): bytes(row.answer) for row in rows}
    return found


def keep_answers(session: Session, model: str, found: Mapping[str, bytes]) -> None:
    """Keep what a model answered."""
    rows = [{"model": model, "digest": digest, "answer": answer} for digest, answer in found.items()]
    insert_ignoring(session, MODEL_ANSWER, rows)


def replace_answers(session: Session, model: str, found: Mapping[str, bytes]) -> None:
    """Keep what a model answered in place of what it answered before."""
    old = and_(MODEL_ANSWER.c.model == model, MODEL_ANSWER.c.digest.in_(list(found)))
    session.execute(delete(MODEL_ANSWER).where(old))
    keep_answers(session, model, found)


def labelled(session: Session, namespace: str, most: int) -> list[Row[Any]]:
    """Return (path, semantic_type, personal_data) of columns of a namespace whose type stewards decided."""
    joined = select(FIELD.c.path, CLASSIFICATION.c.semantic_type, CLASSIFICATION.c.personal_data).select_from(
        CLASSIFICATION.join(FIELD, FIELD.c.id == CLASSIFICATION.c.field_id).join(ASSET, ASSET.c.id == FIELD.c.id)
    )
    mine = joined.where(ASSET.c.namespace == namespace, CLASSIFICATION.c.status == ProposalStatus.ACCEPTED)
    # The newest decisions, in an order that is the same twice.
    order = (CLASSIFICATION.c.decided_at.desc(), CLASSIFICATION.c.field_id)
    return list(session.execute(mine.order_by(*order).limit(most)).all())


def personal(session: Session, fields: Sequence[int]) -> set[int]:
    """Return the columns that are, or are proposed to be, personal data, whoever says so."""
    said = and_(
        CLASSIFICATION.c.field_id.in_(list(fields)), CLASSIFICATION.c.status != ProposalStatus.REJECTED,
        CLASSIFICATION.c.personal_data.is_not(None),
    )  # fmt: skip
    return {int(one) for one in session.execute(select(CLASSIFICATION.c.field_id).where(said)).scalars()}
