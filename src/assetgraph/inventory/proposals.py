"""What models propose, kept until a steward decides: types where rules found none, and descriptions.

A proposed type sets no tags before it is accepted: no model has seen a value, and tags flow on as facts do.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assetgraph.catalog import describing, history
from assetgraph.catalog import queries as catalog
from assetgraph.catalog.describing import DescribeField
from assetgraph.catalog.history import Reworded
from assetgraph.catalog.service import RegisterDataset, register_dataset
from assetgraph.catalog.tables import Aspect, ProposalStatus
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import Conflict, NotFound
from assetgraph.ids import AssetKind
from assetgraph.inventory import classification_queries as meanings
from assetgraph.inventory import proposal_queries as queries
from assetgraph.inventory.propose.suggestions import Suggestion


@dataclass(frozen=True)
class DecideDescription:
    """Accept or reject the description that waits of a dataset or column."""

    asset_id: int
    accept: bool


def keep_types(session: Session, dataset: int, suggested: Mapping[int, Sequence[Suggestion]]) -> int:
    """Keep the best suggestion of each column that was not rejected; returns how many columns have one now.

    Columns that a scan, a steward or a run before has given a type meanwhile stay as they are.
    """
    if not suggested:
        return 0
    catalog.lock_dataset(session, dataset)
    known = meanings.of_fields(session, list(suggested))
    chosen: dict[int, Suggestion] = {}
    for field, ranked in suggested.items():
        if any(row.status is not ProposalStatus.REJECTED for row in known[field]):
            continue
        rejected = {row.semantic_type for row in known[field]}
        left = [one for one in ranked if one.semantic_type not in rejected]
        if left:
            chosen[field] = left[0]
    if not chosen:
        return 0
    rows = catalog.fields_by_ids(session, list(chosen))
    at = now()
    meanings.insert_rows(session, [
        {"field_id": field, "semantic_type": one.semantic_type, "personal_data": one.personal_data,
         "confidence": one.confidence, "evidence": list(one.evidence), "source": one.source,
         "status": ProposalStatus.PROPOSED, "proposed_at": at, "decided_by": None, "decided_at": None}
        for field, one in chosen.items()
    ])  # fmt: skip
    history.reworded(session, [
        Reworded(field, rows[field].created_at, Aspect.SEMANTIC_TYPE, None, one.semantic_type)
        for field, one in chosen.items()
    ])  # fmt: skip
    told = {
        str(rows[field].path): {"semantic_type": one.semantic_type, "confidence": one.confidence, "source": one.source}
        for field, one in chosen.items()
    }  # fmt: skip
    changes.record_asset(session, AssetKind.DATASET, dataset, "proposed", None, {"fields": told})
    return len(chosen)


def may_describe(rows: Sequence[Any], source: str) -> bool:
    """Tell whether a source may propose a description: none waits or was accepted, and none of its own rejected."""
    return all(row.status is ProposalStatus.REJECTED and row.source != source for row in rows)


def keep_descriptions(
    session: Session, dataset: int, texts: Mapping[int | None, str], source: str, evidence: str
) -> int:  # fmt: skip
    """Keep descriptions of a dataset's columns, under None that of itself; returns how many are new."""
    if not texts:
        return 0
    catalog.lock_dataset(session, dataset)
    by_asset = {dataset if asset is None else asset: text for asset, text in texts.items()}
    known = queries.of_assets(session, list(by_asset))
    digests = {asset: hashlib.sha256(text.encode()).hexdigest() for asset, text in by_asset.items()}
    new = {
        asset: text for asset, text in by_asset.items()
        if may_describe(known[asset], source) and digests[asset] not in {str(row.digest) for row in known[asset]}
    }  # fmt: skip
    if not new:
        return 0
    at = now()
    queries.insert_proposals(session, [
        {"asset_id": asset, "digest": digests[asset], "text": text, "source": source, "evidence": [evidence],
         "status": ProposalStatus.PROPOSED, "proposed_at": at, "decided_by": None, "decided_at": None}
        for asset, text in new.items()
    ])  # fmt: skip
    paths = {asset: str(row.path) for asset, row in catalog.fields_by_ids(session, list(new)).items()}
    told = {paths.get(asset, ""): text for asset, text in new.items()}
    changes.record_asset(session, AssetKind.DATASET, dataset, "proposed", None, {"source": source, "texts": told})
    return len(new)


def decide_description(session: Session, command: DecideDescription) -> None:
    """Write the description that waits, as the steward's own words, or reject it: its source proposes none again."""
    asset = command.asset_id
    kind = catalog.asset_kinds(session, [asset]).get(asset)
    if kind is AssetKind.FIELD:
        dataset = catalog.datasets_of_fields(session, [asset])[asset]
    elif kind is AssetKind.DATASET:
        dataset = asset
    else:
        raise NotFound("no dataset or column has this id", path=("asset",))
    catalog.lock_dataset(session, dataset)
    row = queries.waiting(session, [asset]).get(asset)
    if row is None:
        raise Conflict("no description is proposed of this asset", path=("asset",))
    status = ProposalStatus.ACCEPTED if command.accept else ProposalStatus.REJECTED
    queries.decide(session, asset, status, by=session.actor, at=now())
    before = {"status": ProposalStatus.PROPOSED, "description": row.text, "source": row.source}
    changes.record_asset(session, kind, asset, status.value.lower(), before, {**before, "status": status})
    if not command.accept:
        return
    if kind is AssetKind.FIELD:
        describing.describe_field(session, DescribeField(asset, row.text))
        return
    named = catalog.datasets_by_ids(session, [asset])[asset]
    register_dataset(session, RegisterDataset(str(named.namespace), str(named.name), description=row.text))
