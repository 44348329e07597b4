"""What columns mean, kept: scans and models propose, stewards decide, and what they decided outlives every scan."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assetgraph.catalog import history
from assetgraph.catalog import queries as catalog
from assetgraph.catalog.history import Reworded
from assetgraph.catalog.tables import SCANS, Aspect, ProposalStatus
from assetgraph.catalog.texts import tags_text
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import Conflict, Invalid, NotFound
from assetgraph.ids import AssetKind
from assetgraph.inventory import classification_queries as queries
from assetgraph.inventory.classification_tables import SCAN, STEWARD
from assetgraph.inventory.classify.kinds import PERSONAL, PersonalData, Proposal, SemanticType, TableFound

#: A dataset gets the role that a scan proposes from this confidence on.
LEAST_ROLE_CONFIDENCE = 0.6
#: The tag of every column with personal data; beside it stands `pii:<kind>`.
PERSONAL_TAG = "personal-data"
_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class SetSemanticType:
    """Say what a column means, or (None) that it means nothing that has a name.

    Personal data follows from the type, unless it is given or denied.
    """

    field_id: int
    semantic_type: str | None
    personal_data: PersonalData | None = None
    not_personal: bool = False


@dataclass(frozen=True)
class DecideProposal:
    """Accept or reject what a scan or a model proposes of a column."""

    field_id: int
    accept: bool


def classify_version(session: Session, version: int, found: TableFound | None, *, fresh: bool) -> None:
    """Keep what a scan proposes of a version's columns and of its dataset; `fresh`: this transaction made the version.

    A column of which a steward accepted or said something stays as it is; what was rejected is not proposed again.
    Where nothing was read, nothing new was found. What a model proposes stays where the scan itself finds nothing.
    """
    if found is None:
        return
    row = catalog.versions_by_ids(session, [version])[version]
    fields = catalog.fields_of_versions(session, [version])[version]
    ids = [int(field.id) for field in fields]
    known = queries.of_fields(session, ids)
    proposals = {column.name.strip(): column.proposals for column in found.columns}
    chosen: dict[int, Proposal | None] = {}
    for field in fields:
        said = known[int(field.id)]
        if not any(one.status is ProposalStatus.ACCEPTED for one in said):
            rejected = {one.semantic_type for one in said if one.status is ProposalStatus.REJECTED}
            left = [one for one in proposals.get(str(field.path), ()) if one.type.value not in rejected]
            if left or not any(one.status is ProposalStatus.PROPOSED and one.source != SCAN for one in said):
                chosen[int(field.id)] = left[0] if left else None
    before = {field: _proposed(known[field]) for field in chosen}
    after = {field: None if one is None else one.as_json() for field, one in chosen.items()}
    changed = [field for field in chosen if before[field] != after[field]]
    paths = {int(field.id): str(field.path) for field in fields}
    # A column that this transaction made was never anything else: nothing need be kept of its past.
    made = {int(field.id) for field in fields if fresh and field.created_at >= row.effective_at}
    since = {int(field.id): field.created_at for field in fields if int(field.id) not in made}
    if changed:
        _propose(session, {field: chosen[field] for field in changed})
        _remember(session, since, {field: (_type(before[field]), _type(after[field])) for field in changed})
        _tag(session, since, {field: _personal(after[field]) for field in changed})
        told = [{paths[field]: said[field] for field in changed} for said in (before, after)]
        changes.record_asset(session, AssetKind.DATASET_VERSION, version, "classified", *({"fields": t} for t in told))
    _set_role(session, int(row.dataset_id), found)


def _proposed(rows: Sequence[Any]) -> dict[str, Any] | None:
    """Return what is proposed of a column, as Proposal.as_json writes it."""
    for row in rows:
        if row.status is ProposalStatus.PROPOSED:
            return {name: row._mapping[name] for name in ("semantic_type", "personal_data", "confidence", "evidence")}
    return None


def _type(said: Mapping[str, Any] | None) -> str | None:
    return None if said is None else said["semantic_type"] or None


def _personal(said: Mapping[str, Any] | None) -> str | None:
    return None if said is None else said["personal_data"]


def _propose(session: Session, chosen: Mapping[int, Proposal | None]) -> None:
    at = now()
    queries.delete_proposed(session, chosen)
    queries.insert_rows(session, [
        {"field_id": field, **one.as_json(), "source": SCAN, "status": ProposalStatus.PROPOSED, "proposed_at": at,
         "decided_by": None, "decided_at": None}
        for field, one in chosen.items() if one is not None
    ])  # fmt: skip


def _remember(
    session: Session, since: Mapping[int, datetime], types: Mapping[int, tuple[str | None, str | None]]
) -> None:
    """Keep the types that columns showed."""
    history.reworded(session, [
        Reworded(field, since[field], Aspect.SEMANTIC_TYPE, before, after)
        for field, (before, after) in types.items() if field in since and before != after
    ])  # fmt: skip


def _tag(session: Session, since: Mapping[int, datetime], personal: Mapping[int, str | None]) -> None:
    """Set the tags of personal data, with those that were there before kept."""
    had = queries.scanned_tags(session, list(personal))
    tags = {field: {PERSONAL_TAG, f"pii:{kind}"} if kind else set[str]() for field, kind in personal.items()}
    changed = {field: names for field, names in tags.items() if names != had[field]}
    history.reworded(session, [
        Reworded(field, since[field], Aspect.TAGS, tags_text(had[field]), tags_text(names), SCANS)
        for field, names in changed.items() if field in since
    ])  # fmt: skip
    queries.replace_scanned_tags(session, changed)


def _set_role(session: Session, dataset: int, found: TableFound) -> None:
    """Give a dataset the role that was seen, where nobody has said one."""
    row = catalog.datasets_by_ids(session, [dataset])[dataset]
    if row.role is not None or found.role is None or found.confidence < LEAST_ROLE_CONFIDENCE:
        return
    before, after = {"role": None}, {"role": found.role}
    catalog.update_dataset(session, dataset, after)
    history.changed(session, dataset, row.created_at, before, after)
    told = {**after, "confidence": found.confidence, "evidence": list(found.evidence)}
    changes.record_asset(session, AssetKind.DATASET, dataset, "classified", before, told)


def set_semantic_type(session: Session, command: SetSemanticType) -> None:
    """Say what a column means; every other type of it, proposed or accepted before, is rejected thereby."""
    wanted = _checked(command.semantic_type)
    personal = _said_personal(command, wanted)
    field, said = _field(session, command.field_id)
    before = _shown(said)
    at = now()
    queries.decide(session, command.field_id, ProposalStatus.REJECTED, by=session.actor, at=at)
    queries.delete_one(session, command.field_id, wanted)
    after = {"semantic_type": wanted, "personal_data": personal, "confidence": 1.0, "evidence": ["a steward says so"]}
    queries.insert_rows(session, [
        {"field_id": command.field_id, **after, "source": STEWARD, "status": ProposalStatus.ACCEPTED, "proposed_at": at,
         "decided_by": session.actor, "decided_at": at}
    ])  # fmt: skip
    _settle(session, field, before, {**after, "status": ProposalStatus.ACCEPTED})


def decide_proposal(session: Session, command: DecideProposal) -> None:
    """Accept or reject what a column shows; Conflict when nothing is proposed."""
    field, said = _field(session, command.field_id)
    before = _shown(said)
    if before is None or before["status"] is not ProposalStatus.PROPOSED:
        message = "nothing is proposed of this column; say what it means with setSemanticType"
        raise Conflict(message, path=("field",))
    status = ProposalStatus.ACCEPTED if command.accept else ProposalStatus.REJECTED
    wanted = str(before["semantic_type"])
    queries.decide(session, command.field_id, status, by=session.actor, at=now(), semantic_type=wanted)
    _settle(session, field, before, {**before, "status": status})


def _checked(semantic_type: str | None) -> str:
    if semantic_type is None:
        return ""
    wanted = semantic_type.strip().lower()
    if not _WORD.fullmatch(wanted):
        known = ", ".join(SemanticType)
        raise Invalid(
            f"semanticType is one of {known}, or a word of your own like loyalty_tier", path=("semanticType",)
        )
    return wanted


def _said_personal(command: SetSemanticType, wanted: str) -> str | None:
    if command.not_personal:
        if command.personal_data is not None:
            raise Invalid("give personalData or notPersonal, not both", path=("notPersonal",))
        return None
    if command.personal_data is not None:
        return command.personal_data.value
    kind = PERSONAL.get(SemanticType(wanted)) if wanted in set(SemanticType) else None
    return None if kind is None else kind.value


def _field(session: Session, field_id: int) -> tuple[Any, list[Any]]:
    """Return a column with all that is known of it, its dataset locked against scans."""
    row = catalog.fields_by_ids(session, [field_id]).get(field_id)
    if row is None:
        raise NotFound("no column has this id", path=("field",))
    catalog.lock_dataset(session, int(row.dataset_id))
    return row, list(queries.of_fields(session, [field_id])[field_id])


def _shown(rows: Sequence[Any]) -> dict[str, Any] | None:
    """Return what a column shows, with its status."""
    kept = [row for row in rows if row.status is not ProposalStatus.REJECTED]
    if not kept:
        return None
    row = min(kept, key=lambda one: one.status.value)
    names = ("semantic_type", "personal_data", "confidence", "evidence", "status")
    return {name: row._mapping[name] for name in names}


def _settle(session: Session, field: Any, before: dict[str, Any] | None, after: dict[str, Any]) -> None:
    """Let history, tags and the log follow a steward's decision."""
    key = int(field.id)
    stays = after if after["status"] is not ProposalStatus.REJECTED else None
    _remember(session, {key: field.created_at}, {key: (_type(before), _type(stays))})
    _tag(session, {key: field.created_at}, {key: _personal(stays)})
    changes.record_asset(session, AssetKind.FIELD, key, "classified", before, after)
