"""Schedules: when jobs are queued by themselves."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import strawberry

from assetgraph.db.engine import Session
from assetgraph.db.page import PageRequest
from assetgraph.errors import Invalid
from assetgraph.ids import global_id
from assetgraph.jobs import schedule_queries as queries
from assetgraph.jobs import schedules
from assetgraph_server.schema.base import (
    After,
    Asset,
    Connection,
    First,
    Info,
    Node,
    UserError,
    connection,
    key_of_id,
    mutate,
)
from assetgraph_server.schema.runs import Run


@strawberry.type(description="When jobs of a kind are queued for an asset.")
class Schedule(Node):
    """A schedule."""

    row: strawberry.Private[Any]
    job_kind: str = strawberry.field(description="Kind of job: scan or propose.")
    cron: str = strawberry.field(description="Minute, hour, day of the month, month and day of the week.")
    time_zone: str = strawberry.field(description="Time zone of the cron expression.")
    enabled: bool = strawberry.field(description="Whether it queues runs.")
    next_at: datetime | None = strawberry.field(description="The next planned time; null while paused.")
    problem: str | None = strawberry.field(description="Why the last planned time queued nothing; null when it did.")

    @staticmethod
    def of(row: Any) -> "Schedule":
        """View a row."""
        return Schedule(
            id=strawberry.ID(global_id("Schedule", int(row.id))), row=row, job_kind=row.kind, cron=row.cron,
            time_zone=row.time_zone, enabled=row.next_at is not None, next_at=row.next_at, problem=row.problem,
        )  # fmt: skip

    @strawberry.field
    async def asset(self, info: Info) -> Asset | None:
        """What it is for; null once it was removed."""
        from assetgraph_server.schema.nodes import asset_by_id  # which shows schedules by their ids

        return await asset_by_id(info, int(self.row.asset_id))

    @strawberry.field
    async def last_run(self, info: Info) -> Run | None:
        """The run that it queued last."""
        from assetgraph_server.schema.nodes import asset_by_id

        found = None if self.row.last_run_id is None else await asset_by_id(info, int(self.row.last_run_id))
        return found if isinstance(found, Run) else None


class ScheduledJob(StrEnum):
    """What a schedule of a source queues."""

    SCAN = "scan"
    #: Models are asked about the datasets of the source's namespace.
    PROPOSE = "propose"


strawberry.enum(ScheduledJob, name="ScheduledJob", description=ScheduledJob.__doc__)


@strawberry.input(description="Scan a source at the times of a cron expression; replaces its schedule of this kind.")
class SetScheduleInput:
    """Input of setSchedule."""

    source: strawberry.ID
    cron: str = strawberry.field(description="Minute, hour, day of the month, month, weekday: '30 2 * * *'.")
    time_zone: str = strawberry.field(default="UTC", description="Such as Europe/Berlin; UTC when left out.")
    enabled: bool = strawberry.field(default=True, description="False pauses it.")
    path: str | None = strawberry.field(default=None, description="Scan only what lies under this path of the source.")
    job: ScheduledJob = strawberry.field(
        default=ScheduledJob.SCAN, description="SCAN, or PROPOSE: ask models about the source's namespace."
    )


@strawberry.input(description="Delete a schedule; runs that it queued stay.")
class RemoveScheduleInput:
    """Input of removeSchedule."""

    schedule: strawberry.ID = strawberry.field(description="The schedule.")


@strawberry.type(description="The schedule as it is now; null after it was removed.")
class SchedulePayload:
    """Payload of setSchedule and removeSchedule."""

    schedule: Schedule | None = strawberry.field(description="The schedule.")
    user_errors: list[UserError]


@strawberry.type
class ScheduleQuery:
    """Queries of schedules."""

    @strawberry.field
    async def schedules(self, info: Info, first: First = None, after: After = None) -> Connection[Schedule]:
        """All schedules, the oldest first."""
        info.context.require("read")
        return connection(await info.context.read(queries.page, PageRequest.of(first, after)), Schedule.of)


@strawberry.type
class ScheduleMutation:
    """Mutations of schedules."""

    @strawberry.mutation
    async def set_schedule(self, info: Info, input: SetScheduleInput) -> SchedulePayload:  # noqa: A002
        """Scan a source by itself; what was missed while no worker ran is made up for once."""

        def command(session: Session) -> Any:
            source = key_of_id(input.source, "Source", path="source")
            parameters = {} if input.path is None else {"path": input.path}
            if parameters and input.job is not ScheduledJob.SCAN:
                raise Invalid("only scans have a path", path=("path",))
            given = schedules.SetSchedule(
                source, input.job.value, input.cron, input.time_zone, input.enabled, parameters
            )
            made = schedules.set_schedule(session, given)
            return queries.by_ids(session, [made])[made]

        row, errors = await mutate(info, "produce", command)
        return SchedulePayload(schedule=None if row is None else Schedule.of(row), user_errors=errors)

    @strawberry.mutation
    async def remove_schedule(self, info: Info, input: RemoveScheduleInput) -> SchedulePayload:  # noqa: A002
        """Delete a schedule."""

        def command(session: Session) -> None:
            schedules.remove_schedule(session, key_of_id(input.schedule, "Schedule", path="schedule"))

        _, errors = await mutate(info, "produce", command)
        return SchedulePayload(schedule=None, user_errors=errors)
