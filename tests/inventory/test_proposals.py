"""What models propose, kept: beside scans and stewards, over time, and when columns turn out to be one."""

from dataclasses import replace
from typing import Any

import pytest

from assetgraph.catalog import describing, service
from assetgraph.catalog import queries as catalog
from assetgraph.catalog.describing import DescribeField
from assetgraph.catalog.service import FieldSpec, RegisterVersion
from assetgraph.catalog.tables import ProposalStatus
from assetgraph.clock import now
from assetgraph.db.engine import Database, Session
from assetgraph.errors import Conflict, NotFound
from assetgraph.ids import AssetKind
from assetgraph.inventory import classification_queries as meanings
from assetgraph.inventory import proposal_queries as queries
from assetgraph.inventory.classification import DecideProposal, classify_version, decide_proposal
from assetgraph.inventory.classify.kinds import ColumnFound, Proposal, SemanticType, TableFound
from assetgraph.inventory.proposals import DecideDescription, decide_description, keep_descriptions, keep_types
from assetgraph.inventory.propose.suggestions import Suggestion, ranked
from assetgraph.lineage import service as lineage
from assetgraph.openlineage import merging_queries

PRICE = Suggestion("price", None, 0.6, ("like a price",), "embeddings:m")
SCORE = Suggestion("score", None, 0.7, ("a model says so",), "endpoint:e")


def scan(session: Session, *proposals: Proposal, fingerprint: str = "1", name: str = "a") -> tuple[int, int]:
    """Register a version with one column as a scan does; returns the dataset and the column."""
    fields = (FieldSpec("x", "Float64", description="of the producer"),)
    version, created = lineage.register_version(session, RegisterVersion("ns", name, fields, fingerprint=fingerprint))
    classify_version(session, version, TableFound((ColumnFound("x", proposals),)), fresh=created)
    dataset = service.find_asset(session, AssetKind.DATASET, "ns", name)
    assert dataset is not None
    [field] = catalog.fields_of_versions(session, [version])[version]
    return dataset, int(field.id)


def shown(session: Session, field: int) -> Any:
    """Return (type, source, status) of what a column shows."""
    row = meanings.shown(session, [field]).get(field)
    return None if row is None else (row.semantic_type, row.source, row.status)


def test_a_scan_that_finds_nothing_leaves_what_a_model_proposes(database: Database) -> None:
    """One that finds something takes its place; what is shown has a history."""
    with database.transaction("t") as session:
        dataset, field = scan(session)
        before = now()
        assert keep_types(session, dataset, {field: [PRICE, SCORE]}) == 1
        assert keep_types(session, dataset, {field: [SCORE]}) == 0
    with database.transaction("scan") as session:
        scan(session, fingerprint="2")
        assert shown(session, field) == ("price", "embeddings:m", ProposalStatus.PROPOSED)
        assert meanings.semantic_types(session, [field], before)[field] is None
        assert meanings.semantic_types(session, [field], now())[field] == "price"
        scan(session, Proposal(SemanticType.RATING, 0.8, ("short scale",)), fingerprint="3")
        assert shown(session, field) == ("rating", "scan", ProposalStatus.PROPOSED)
        assert len(meanings.of_fields(session, [field])[field]) == 1


def test_what_was_rejected_is_not_proposed_again_by_anyone(database: Database) -> None:
    """The next best stands in; what is accepted or found by a scan is left alone."""
    with database.transaction("ann") as session:
        dataset, field = scan(session)
        keep_types(session, dataset, {field: [PRICE]})
        decide_proposal(session, DecideProposal(field, accept=False))
        assert keep_types(session, dataset, {field: [replace(PRICE, source="endpoint:e")]}) == 0
        assert keep_types(session, dataset, {field: [PRICE, SCORE]}) == 1
        assert shown(session, field)[0] == "score"
        decide_proposal(session, DecideProposal(field, accept=True))
        assert keep_types(session, dataset, {field: [PRICE]}) == keep_types(session, dataset, {}) == 0
        assert shown(session, field) == ("score", "endpoint:e", ProposalStatus.ACCEPTED)


def test_sources_that_agree_are_told_together() -> None:
    """The surest counts, with the evidence of both."""
    other = replace(PRICE, confidence=0.7, source="endpoint:e", evidence=("a model says so",))
    assert ranked([PRICE, other, SCORE]) == [replace(other, evidence=("a model says so", "like a price")), SCORE]


def test_descriptions_are_written_once_accepted_and_have_a_past(database: Database) -> None:
    """A column's is a steward's word over all versions, before the producer's; a source that was refused is silent."""
    with database.transaction("ann") as session:
        dataset, field = scan(session)
        assert keep_descriptions(session, dataset, {None: "A.", field: "B."}, "endpoint:e", "why") == 2
        assert keep_descriptions(session, dataset, {None: "C.", field: "D."}, "endpoint:f", "why") == 0
    before = now()
    with database.transaction("ann") as session:
        for asset in (dataset, field):
            decide_description(session, DecideDescription(asset, accept=True))
        scan(session, fingerprint="2")
        assert catalog.datasets_by_ids(session, [dataset])[dataset].description == "A."
        assert catalog.datasets_by_ids(session, [dataset], before)[dataset].description is None
        assert describing.said_of_fields(session, [field]) == {field: "B."}
        assert describing.said_of_fields(session, [field], before) == {field: None}
        describing.describe_field(session, DescribeField(field, "better"))
        assert describing.said_of_fields(session, [field], now()) == {field: "better"}
        with pytest.raises(Conflict):
            decide_description(session, DecideDescription(field, accept=True))
        with pytest.raises(NotFound):
            decide_description(session, DecideDescription(10**6, accept=True))
        with pytest.raises(NotFound):
            describing.describe_field(session, DescribeField(dataset, "x"))


def test_a_source_that_was_refused_is_silent_another_may_speak(database: Database) -> None:
    """But not with the same words."""
    with database.transaction("ann") as session:
        dataset, field = scan(session)
        keep_descriptions(session, dataset, {field: "A."}, "endpoint:e", "why")
        decide_description(session, DecideDescription(field, accept=False))
        assert queries.waiting(session, [field]) == {}
        assert keep_descriptions(session, dataset, {field: "B."}, "endpoint:e", "why") == 0
        assert keep_descriptions(session, dataset, {field: "A."}, "endpoint:f", "why") == 0
        assert keep_descriptions(session, dataset, {field: "B."}, "endpoint:f", "why") == 1
        assert queries.waiting(session, [field])[field].text == "B."


def test_a_column_that_turns_out_to_be_another_brings_its_proposals(database: Database) -> None:
    """Refusals add up, and one at most waits."""
    with database.transaction("ann") as session:
        (first, stays), (second, goes) = (scan(session, name=name) for name in ("a", "b"))
        keep_descriptions(session, second, {goes: "A."}, "endpoint:e", "why")
        decide_description(session, DecideDescription(goes, accept=False))
        keep_descriptions(session, second, {goes: "B."}, "endpoint:f", "why")
        keep_descriptions(session, first, {stays: "C."}, "endpoint:f", "why")
        merging_queries.move_description_proposals(session, {goes: stays})
        assert queries.of_assets(session, [goes])[goes] == []
        known = {row.text: row.status for row in queries.of_assets(session, [stays])[stays]}
        assert known == {"A.": ProposalStatus.REJECTED, "C.": ProposalStatus.PROPOSED}


def test_answers_are_kept_by_model_and_text(database: Database) -> None:
    """Many at once; asked again they are replaced."""
    many = {f"{n:064}": b"%d" % n for n in range(1_200)}
    with database.transaction("t") as session:
        queries.keep_answers(session, "m", dict(list(many.items())[:600]))
        queries.keep_answers(session, "m", dict(list(many.items())[500:]))
        queries.replace_answers(session, "m", {f"{3:064}": b"new"})
        queries.keep_answers(session, "m", {f"{4:064}": b"ignored"})
    with database.reading() as session:
        assert queries.answers(session, "m", list(many)) == many | {f"{3:064}": b"new"}
        assert queries.answers(session, "other", list(many)) == {}
