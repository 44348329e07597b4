"""What columns mean, kept: proposals of scans, decisions of stewards, tags that flow, history."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from assetgraph.catalog import history, service
from assetgraph.catalog import queries as catalog
from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.service import FieldSpec, RegisterDataset, RegisterVersion
from assetgraph.catalog.tables import ProposalStatus
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Database, Session
from assetgraph.db.page import PageRequest
from assetgraph.errors import Conflict, Invalid, NotFound
from assetgraph.ids import AssetKind
from assetgraph.inventory import classification_queries as queries
from assetgraph.inventory.classification import (
    DecideProposal,
    SetSemanticType,
    classify_version,
    decide_proposal,
    set_semantic_type,
)
from assetgraph.inventory.classify.kinds import ColumnFound, PersonalData, Proposal, SemanticType, TableFound
from assetgraph.lineage import service as lineage
from assetgraph.lineage.propagation import tags_of_datasets
from assetgraph.openlineage import merging_queries

MAIL = Proposal(SemanticType.EMAIL, 0.97, ("99 % of values are e-mail addresses",), PersonalData.EMAIL)
TEXT = Proposal(SemanticType.FREE_TEXT, 0.6, ("values are sentences",))
FOUND = TableFound(
    (ColumnFound("contact", (MAIL, TEXT)), ColumnFound("x", ())), DatasetRole.USER_PROFILE, 0.8, ("people",)
)
FIELDS = (FieldSpec("contact", "String"), FieldSpec("x", "Int64"))


def scan(session: Session, found: TableFound = FOUND, fingerprint: str = "1", name: str = "a") -> dict[str, int]:
    """Register a version as a scan does; returns its columns."""
    command = RegisterVersion("ns", name, FIELDS, fingerprint=fingerprint)
    version, created = lineage.register_version(session, command)
    classify_version(session, version, found, fresh=created)
    return {str(row.path): int(row.id) for row in catalog.fields_of_versions(session, [version])[version]}


def seen(session: Session, field: int) -> Any:
    """Return what a column shows."""
    return queries.shown(session, [field]).get(field)


def log(session: Session, action: str) -> list[Any]:
    """Return the changes of one kind."""
    return [row for row in changes.follow(session, 0) if row.action == action]


def test_a_scan_proposes_tags_and_sets_the_role(database: Database) -> None:
    """Type, evidence and tags of personal data; the dataset shows the tag of its column."""
    with database.transaction("scan") as session:
        fields = scan(session)
    with database.reading() as session:
        row = seen(session, fields["contact"])
        dataset = service.find_asset(session, AssetKind.DATASET, "ns", "a")
        assert dataset is not None
        assert (row.semantic_type, row.personal_data, row.status) == ("email", "email", ProposalStatus.PROPOSED)
        assert (row.confidence, row.evidence) == (0.97, ["99 % of values are e-mail addresses"])
        assert seen(session, fields["x"]) is None
        assert catalog.tags_of(session, [fields["contact"]])[fields["contact"]] == ["personal-data", "pii:email"]
        assert catalog.stewards_tags(session, fields["contact"]) == []
        assert [tag.name for tag in tags_of_datasets(session, [dataset])[dataset]] == ["personal-data", "pii:email"]
        assert catalog.datasets_by_ids(session, [dataset])[dataset].role is DatasetRole.USER_PROFILE
        kinds = {(row.entity_type, row.action) for row in log(session, "classified")}
        assert kinds == {("DatasetVersion", "classified"), ("Dataset", "classified")}
        assert changes.verify(session).broken_at is None


def test_the_same_again_changes_nothing(database: Database) -> None:
    """A scan that sees what it saw writes no change."""
    with database.transaction("scan") as session:
        scan(session)
    with database.reading() as session:
        before = changes.newest(session)
    with database.transaction("scan") as session:
        scan(session)
    with database.reading() as session:
        assert changes.newest(session) == before


def test_a_role_that_someone_said_stays(database: Database) -> None:
    """Only where nobody has said one is it set, and not by a weak guess."""
    with database.transaction("ann") as session:
        dataset, _ = service.register_dataset(session, RegisterDataset("ns", "a", role=DatasetRole.OTHER))
        other, _ = service.register_dataset(session, RegisterDataset("ns", "b"))
        scan(session)
        scan(session, replace(FOUND, confidence=0.5), name="b")
        rows = catalog.datasets_by_ids(session, [dataset, other])
        assert (rows[dataset].role, rows[other].role) == (DatasetRole.OTHER, None)


def test_what_was_rejected_never_comes_back_and_the_next_best_stands_in(database: Database) -> None:
    """Not in the same version, not in the next; its tags go at once."""
    with database.transaction("scan") as session:
        contact = scan(session)["contact"]
    with database.transaction("ann") as session:
        decide_proposal(session, DecideProposal(contact, accept=False))
        assert seen(session, contact) is None
        assert catalog.tags_of(session, [contact])[contact] == []
    for fingerprint in ("1", "2"):
        with database.transaction("scan") as session:
            scan(session, fingerprint=fingerprint)
            row = seen(session, contact)
            assert (row.semantic_type, row.personal_data) == ("free_text", None)
            assert catalog.tags_of(session, [contact])[contact] == []
    with database.transaction("ann") as session:
        decide_proposal(session, DecideProposal(contact, accept=False))
    with database.transaction("scan") as session:
        scan(session, fingerprint="3")
        assert seen(session, contact) is None
        assert len(queries.of_fields(session, [contact])[contact]) == 2


def test_what_a_steward_accepted_or_said_outlives_scans(database: Database) -> None:
    """A later scan that sees something else changes neither type nor tags."""
    phone = Proposal(SemanticType.PHONE, 0.9, ("grouped",), PersonalData.PHONE)
    other = TableFound((ColumnFound("contact", (phone,)), ColumnFound("x", (phone,))))
    with database.transaction("scan") as session:
        fields = scan(session)
    with database.transaction("ann") as session:
        decide_proposal(session, DecideProposal(fields["contact"], accept=True))
        set_semantic_type(session, SetSemanticType(fields["x"], "loyalty_tier"))
    with database.transaction("scan") as session:
        scan(session, other, "2")
        contact, x = (seen(session, fields[name]) for name in ("contact", "x"))
        assert (contact.semantic_type, contact.status, contact.decided_by) == ("email", ProposalStatus.ACCEPTED, "ann")
        assert (x.semantic_type, x.confidence, x.personal_data) == ("loyalty_tier", 1.0, None)
        assert catalog.tags_of(session, list(fields.values())) == {
            fields["contact"]: ["personal-data", "pii:email"], fields["x"]: [],
        }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "personal"),
    [
        ({"semantic_type": "phone"}, "phone"),
        ({"semantic_type": "phone", "not_personal": True}, None),
        ({"semantic_type": "club_card", "personal_data": PersonalData.CARD_NUMBER}, "card_number"),
        ({"semantic_type": None}, None),
    ],
)
def test_personal_data_follows_from_the_type_unless_it_is_said(
    database: Database, said: dict[str, Any], personal: str | None
) -> None:
    """And the tags follow from that; those that people set stay beside."""
    with database.transaction("scan") as session:
        contact = scan(session)["contact"]
        catalog.add_tags(session, [(contact, "mine")])
    with database.transaction("ann") as session:
        set_semantic_type(session, SetSemanticType(contact, **said))
        row = seen(session, contact)
        assert (row.semantic_type or None, row.personal_data) == (said["semantic_type"], personal)
        tags = catalog.tags_of(session, [contact])[contact]
        assert tags == sorted(["mine", *(["personal-data", f"pii:{personal}"] if personal else [])])
        rejected = [row for row in queries.of_fields(session, [contact])[contact] if row.semantic_type == "email"]
        assert [row.status for row in rejected] == [ProposalStatus.REJECTED]


def test_bad_decisions_are_refused(database: Database) -> None:
    """Each error says what to do."""
    with database.transaction("scan") as session:
        fields = scan(session)
        with pytest.raises(Conflict, match="setSemanticType"):
            decide_proposal(session, DecideProposal(fields["x"], accept=True))
        with pytest.raises(NotFound, match="no column"):
            set_semantic_type(session, SetSemanticType(10**6, "email"))
        with pytest.raises(Invalid, match="user_id"):
            set_semantic_type(session, SetSemanticType(fields["x"], "No Type!"))
        with pytest.raises(Invalid, match="not both"):
            set_semantic_type(session, SetSemanticType(fields["x"], "email", PersonalData.EMAIL, not_personal=True))


def test_the_past_shows_what_was_shown(database: Database) -> None:
    """Types and tags of a moment, before and after a steward's word."""
    with database.transaction("scan") as session:
        contact = scan(session)["contact"]
    first = now()
    with database.transaction("ann") as session:
        set_semantic_type(session, SetSemanticType(contact, "phone"))
    second = now()
    with database.transaction("ann") as session:
        set_semantic_type(session, SetSemanticType(contact, None))
    with database.reading() as session:
        types = [queries.semantic_types(session, [contact], at).get(contact) for at in (first, second, None)]
        assert types == ["email", "phone", None]
        tags = [catalog.tags_of(session, [contact], at)[contact] for at in (first, second, now() + timedelta(1))]
        assert tags == [["personal-data", "pii:email"], ["personal-data", "pii:phone"], []]


def test_a_column_that_was_known_before_shows_nothing_for_the_time_before(database: Database) -> None:
    """The first proposal for a column that is there has a past without one."""
    with database.transaction("p") as session:
        lineage.register_version(session, RegisterVersion("ns", "a", FIELDS, fingerprint="0"))
    before = now()
    with database.transaction("scan") as session:
        contact = scan(session)["contact"]
    with database.reading() as session:
        assert queries.semantic_types(session, [contact], before)[contact] is None
        assert queries.semantic_types(session, [contact], now())[contact] == "email"
        assert catalog.tags_of(session, [contact], before)[contact] == []
        page = catalog.datasets_page(session, {"tag": "personal-data"}, PageRequest(9), before)
        assert page.total == 0


def test_a_column_that_turns_out_to_be_another_brings_what_is_known_of_it(database: Database) -> None:
    """Rejections add up; the accepted type of the column that stays counts, else that of the one that goes."""
    with database.transaction("scan") as session:
        stays, goes = (scan(session, name=name)["contact"] for name in ("a", "b"))
    with database.transaction("ann") as session:
        decide_proposal(session, DecideProposal(goes, accept=False))
        set_semantic_type(session, SetSemanticType(goes, "phone"))
        merging_queries.move_classifications(session, {goes: stays})
        assert queries.of_fields(session, [goes])[goes] == []
        known = {row.semantic_type: row.status for row in queries.of_fields(session, [stays])[stays]}
        assert known == {"email": ProposalStatus.PROPOSED, "phone": ProposalStatus.ACCEPTED}
        assert queries.semantic_types(session, [stays]) == {stays: "phone"}


def test_tags_of_scans_are_merged_at_every_moment(database: Database) -> None:
    """As those of people are: together, each since its time."""
    with database.transaction("scan") as session:
        stays, goes = (scan(session, name=name)["contact"] for name in ("a", "b"))
    both = now()
    with database.transaction("ann") as session:
        set_semantic_type(session, SetSemanticType(goes, "phone"))
    later = now()
    with database.transaction("events") as session:
        history.merge(session, {goes: stays})
        merging_queries.move_labels(session, {goes: stays})
        assert catalog.tags_of(session, [stays], both)[stays] == ["personal-data", "pii:email"]
        assert catalog.tags_of(session, [stays], later)[stays] == ["personal-data", "pii:email", "pii:phone"]
        assert catalog.tags_of(session, [stays])[stays] == ["personal-data", "pii:email", "pii:phone"]
