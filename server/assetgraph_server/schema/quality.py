"""Declaring checks, knowing of incidents, pinning baselines: inputs, payloads and mutations."""

import dataclasses
from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from strawberry.utils.str_converters import to_camel_case

from assetgraph.catalog import queries as catalog
from assetgraph.db.engine import Session
from assetgraph.quality import declare, incident_queries
from assetgraph.quality.checks import Check, DriftMeasure, check_of
from assetgraph.quality.incidents import Acknowledge, acknowledge
from assetgraph.quality.queries import checks_by_ids
from assetgraph.quality.tables import Severity
from assetgraph_server.schema.base import BigInt, Info, UserError, key_of_id, mutate
from assetgraph_server.schema.catalog import Dataset
from assetgraph_server.schema.checks import QualityCheck
from assetgraph_server.schema.incidents import Incident
from assetgraph_server.schema.runs import AssetRefInput

strawberry.enum(DriftMeasure, name="DriftMeasure", description=DriftMeasure.__doc__)

_SHARE = "Share of the values, 0 to 1, that may fail; none when left out."
_FIELD = "Path of the column."


def _share() -> Any:
    return strawberry.field(default=None, description=_SHARE)


@strawberry.input(description="No value is null.")
class NotNullRule:
    """Rule."""

    field: str = strawberry.field(description=_FIELD)
    max_failing_share: float | None = _share()


@strawberry.input(description="No value, or combination of several columns' values, comes twice; rows with null aside.")
class UniqueRule:
    """Rule."""

    fields: list[str] = strawberry.field(description="1 to 8 columns.")
    max_failing_share: float | None = _share()


@strawberry.input(description="Each value is one of some.")
class InSetRule:
    """Rule."""

    field: str = strawberry.field(description=_FIELD)
    values: list[str] = strawberry.field(description="1 to 10,000 values, written as profiles write them.")
    max_failing_share: float | None = _share()


@strawberry.input(description="Each number lies in a range; NaN is not judged.")
class InRangeRule:
    """Rule."""

    field: str = strawberry.field(description=_FIELD)
    min: float | None = strawberry.field(default=None, description="The smallest that holds.")
    max: float | None = strawberry.field(default=None, description="The largest that holds.")
    max_failing_share: float | None = _share()


@strawberry.input(description="Each moment lies in a range; those without an offset count as UTC.")
class InTimeRangeRule:
    """Rule."""

    field: str = strawberry.field(description=_FIELD)
    not_before: datetime | None = strawberry.field(default=None, description="The earliest that holds.")
    not_after: datetime | None = strawberry.field(default=None, description="The latest that holds.")
    max_failing_share: float | None = _share()


@strawberry.input(description="Each text matches a pattern as a whole.")
class MatchesPatternRule:
    """Rule."""

    field: str = strawberry.field(description=_FIELD)
    pattern: str = strawberry.field(
        description="A regular expression in Rust's syntax, of at most 1,000 characters; it takes linear time."
    )
    max_failing_share: float | None = _share()


@strawberry.input(description="The number of rows lies in a range.")
class RowCountRule:
    """Rule."""

    min: BigInt | None = strawberry.field(default=None, description="The fewest that hold.")
    max: BigInt | None = strawberry.field(default=None, description="The most that hold.")


@strawberry.input(description="The data is fresh: the newest moment of a column, or else the last change of the files.")
class FreshRule:
    """Rule."""

    within_seconds: BigInt = strawberry.field(description="How old it may be, in seconds.")
    field: str | None = strawberry.field(default=None, description="A column of moments; the files when left out.")


@strawberry.input(description="A column of another dataset.")
class ReferenceInput:
    """A reference."""

    namespace: str = strawberry.field(description="Namespace of the other dataset.")
    name: str = strawberry.field(description="Name of the other dataset.")
    field: str = strawberry.field(description="Path of its column.")


@strawberry.input(description="Each value is one of another dataset's column, in its newest version.")
class ForeignKeyRule:
    """Rule."""

    field: str = strawberry.field(description=_FIELD)
    references: ReferenceInput = strawberry.field(description="The column that the values refer to.")
    max_failing_share: float | None = _share()


@strawberry.input(description="The distribution is near that of the pinned version, or of the version before.")
class DriftBelowRule:
    """Rule."""

    field: str = strawberry.field(description=_FIELD)
    limit: float = strawberry.field(description="The distance that is too much.")
    measure: DriftMeasure = strawberry.field(default=DriftMeasure.PSI, description="How the distance is measured.")


@strawberry.input(one_of=True, description="What a check asks: exactly one kind of rule.")
class RuleInput:
    """A rule."""

    not_null: NotNullRule | None = strawberry.field(default=strawberry.UNSET, description="No value is null.")
    unique: UniqueRule | None = strawberry.field(default=strawberry.UNSET, description="No value comes twice.")
    in_set: InSetRule | None = strawberry.field(default=strawberry.UNSET, description="Each value is one of some.")
    in_range: InRangeRule | None = strawberry.field(default=strawberry.UNSET, description="Numbers are in a range.")
    in_time_range: InTimeRangeRule | None = strawberry.field(
        default=strawberry.UNSET, description="Moments are in a range."
    )
    matches_pattern: MatchesPatternRule | None = strawberry.field(
        default=strawberry.UNSET, description="Texts match a pattern."
    )
    row_count: RowCountRule | None = strawberry.field(
        default=strawberry.UNSET, description="The number of rows is in a range."
    )
    fresh: FreshRule | None = strawberry.field(default=strawberry.UNSET, description="The data is fresh.")
    foreign_key: ForeignKeyRule | None = strawberry.field(
        default=strawberry.UNSET, description="Each value is one of another dataset's."
    )
    drift_below: DriftBelowRule | None = strawberry.field(
        default=strawberry.UNSET, description="The distribution is near the baseline's."
    )


@strawberry.input(description="A check by its name in the dataset.")
class CheckInput:
    """A check."""

    name: str = strawberry.field(description="Its name; another rule under a name takes the place of the one before.")
    rule: RuleInput = strawberry.field(description="What is asked.")
    severity: Severity = strawberry.field(
        default=Severity.ERROR, description="What a failure means; INFO opens no incident."
    )

    def check(self, place: int) -> Check:
        """Return the check."""
        return check_of(_plain(self), ("checks", str(place)))


def _plain(value: Any) -> Any:
    """Return an input as the JSON that the library reads; what was left out is left out."""
    if dataclasses.is_dataclass(value):
        named = ((to_camel_case(one.name), getattr(value, one.name)) for one in dataclasses.fields(value))
        return {name: _plain(one) for name, one in named if one is not None and one is not strawberry.UNSET}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.value if isinstance(value, Enum) else value


@strawberry.input(description="Up to 200 checks of a dataset; those that are there and not named stay.")
class DeclareChecksInput:
    """Input of declareChecks."""

    dataset: AssetRefInput = strawberry.field(
        description="The dataset; it has a version, so that its columns are known."
    )
    checks: list[CheckInput] = strawberry.field(description="The checks; all are stored, or none when one is wrong.")

    def command(self) -> declare.DeclareChecks:
        """Return the command."""
        checks = tuple(one.check(place) for place, one in enumerate(self.checks))
        return declare.DeclareChecks(self.dataset.ref("dataset"), checks)


@strawberry.type(description="The checks, in the order given.")
class DeclareChecksPayload:
    """Payload of declareChecks."""

    checks: list[QualityCheck] = strawberry.field(description="The checks as they hold now.")
    user_errors: list[UserError]


@strawberry.input(description="A declared check.")
class RemoveCheckInput:
    """Input of removeCheck."""

    check: strawberry.ID = strawberry.field(description="Id of a check that was declared.")


@strawberry.type(description="The check that holds no longer; its results stay.")
class RemoveCheckPayload:
    """Payload of removeCheck."""

    check: QualityCheck | None = strawberry.field(description="The check.")
    user_errors: list[UserError]


@strawberry.input(description="An incident that somebody knows of.")
class AcknowledgeIncidentInput:
    """Input of acknowledgeIncident."""

    incident: strawberry.ID = strawberry.field(description="Id of the incident.")
    note: str | None = strawberry.field(default=None, description="What to tell others; up to 4,000 characters.")


@strawberry.type(description="The incident.")
class AcknowledgeIncidentPayload:
    """Payload of acknowledgeIncident."""

    incident: Incident | None = strawberry.field(description="The incident as it is now.")
    user_errors: list[UserError]


@strawberry.input(description="The version that drift is measured against from now on.")
class PinBaselineInput:
    """Input of pinBaseline."""

    dataset: AssetRefInput = strawberry.field(
        description="A version by its id, or a dataset: its latest version, or the one with the number."
    )
    pinned: bool = strawberry.field(default=True, description="False: each version against the one before it again.")


@strawberry.type(description="The dataset.")
class PinBaselinePayload:
    """Payload of pinBaseline."""

    dataset: Dataset | None
    user_errors: list[UserError]


def _declared(session: Session, given: DeclareChecksInput) -> list[Any]:
    ids = declare.declare(session, given.command())
    rows = checks_by_ids(session, ids)
    return [rows[one] for one in ids]


@strawberry.type
class QualityMutation:
    """Mutations of quality."""

    @strawberry.mutation
    async def declare_checks(self, info: Info, input: DeclareChecksInput) -> DeclareChecksPayload:  # noqa: A002
        """Let checks hold for a dataset; scans evaluate them with each version that they find."""
        made, errors = await mutate(info, "produce", lambda session: _declared(session, input))
        return DeclareChecksPayload(checks=[QualityCheck.of(row) for row in made or ()], user_errors=errors)

    @strawberry.mutation
    async def remove_check(self, info: Info, input: RemoveCheckInput) -> RemoveCheckPayload:  # noqa: A002
        """Let a declared check hold no longer; its open incident is closed, its results stay."""

        def run(session: Session) -> Any:
            command = declare.RemoveCheck(key_of_id(input.check, "QualityCheck", path="check"))
            return checks_by_ids(session, [declare.remove(session, command)])[command.check_id]

        made, errors = await mutate(info, "steward", run)
        return RemoveCheckPayload(check=None if made is None else QualityCheck.of(made), user_errors=errors)

    @strawberry.mutation
    async def acknowledge_incident(
        self,
        info: Info,
        input: AcknowledgeIncidentInput,  # noqa: A002
    ) -> AcknowledgeIncidentPayload:
        """Say that an incident is known; it stays open until what failed is fine again."""

        def run(session: Session) -> Any:
            key = key_of_id(input.incident, "Incident", path="incident")
            done = acknowledge(session, Acknowledge(key, input.note))
            return incident_queries.incidents_by_ids(session, [done])[done]

        made, errors = await mutate(info, "steward", run)
        return AcknowledgeIncidentPayload(incident=None if made is None else Incident.of(made), user_errors=errors)

    @strawberry.mutation
    async def pin_baseline(self, info: Info, input: PinBaselineInput) -> PinBaselinePayload:  # noqa: A002
        """Measure drift against one version from now on, or against the one before each again."""

        def run(session: Session) -> Any:
            done = declare.pin_baseline(session, declare.PinBaseline(input.dataset.ref("dataset"), input.pinned))
            return catalog.datasets_by_ids(session, [done])[done]

        made, errors = await mutate(info, "steward", run)
        return PinBaselinePayload(dataset=None if made is None else Dataset.of(made), user_errors=errors)
