"""Registering sources, datasets and versions: inputs, payloads and mutations."""

from typing import Any

import strawberry

from assetgraph.catalog import queries, service
from assetgraph.catalog.grouping import GroupingKind, GroupingRule
from assetgraph.catalog.roles import DatasetRole
from assetgraph.db.engine import Session
from assetgraph.errors import AssetgraphError, Limit
from assetgraph.inventory.places import check_location
from assetgraph.lineage import service as lineage
from assetgraph_server.schema.base import BigInt, Info, UserError, many, mutate, user_error
from assetgraph_server.schema.catalog import Dataset, DatasetVersion, Source

MAX_VERSIONS_AT_ONCE = 1000


@strawberry.input(description="A column as a producer describes it.")
class FieldInput:
    """A field."""

    name: str
    type: str
    nullable: bool | None = None
    description: str | None = None
    tags: list[str] | None = None


@strawberry.input(description="Make a dataset, or change what is given of one.")
class RegisterDatasetInput:
    """Input of registerDataset."""

    namespace: str
    name: str
    description: str | None = None
    role: DatasetRole | None = None
    tags: list[str] | None = None
    owners: list[str] | None = None
    transient: bool | None = None


@strawberry.type(description="What registerDataset made or changed.")
class RegisterDatasetPayload:
    """Payload of registerDataset."""

    dataset: Dataset | None
    created: bool
    user_errors: list[UserError]


@strawberry.input(description="Add a version of a dataset; the dataset is made when it is new.")
class RegisterDatasetVersionInput:
    """Input of registerDatasetVersion."""

    namespace: str
    name: str
    location: str | None = None
    fingerprint: str | None = None
    external_version: str | None = None
    row_count: BigInt | None = None
    size_bytes: BigInt | None = None
    fields: list[FieldInput]
    idempotency_key: str | None = None

    def command(self) -> service.RegisterVersion:
        """Return the command."""
        fields = tuple(
            service.FieldSpec(one.name, one.type, one.nullable, one.description, tuple(one.tags or ()))
            for one in self.fields
        )
        named = ("namespace", "name", "location", "fingerprint", "external_version", "row_count", "size_bytes",
                 "idempotency_key")  # fmt: skip
        return service.RegisterVersion(fields=fields, **{name: getattr(self, name) for name in named})


@strawberry.type(description="The version that was added, or that exists with this content.")
class RegisterDatasetVersionPayload:
    """Payload of registerDatasetVersion."""

    version: DatasetVersion | None
    created: bool
    user_errors: list[UserError]


@strawberry.input(description="Up to 1,000 versions.")
class RegisterDatasetVersionsInput:
    """Input of registerDatasetVersions."""

    versions: list[RegisterDatasetVersionInput]


@strawberry.type(description="One result for each version given, in order.")
class RegisterDatasetVersionsPayload:
    """Payload of registerDatasetVersions."""

    results: list[RegisterDatasetVersionPayload]
    user_errors: list[UserError]


@strawberry.input(description="What becomes of the files that a pattern matches.")
class GroupingRuleInput:
    """A rule."""

    kind: GroupingKind = strawberry.field(description="What becomes of the files: one dataset, one each, or none.")
    pattern: str
    name: str | None = strawberry.field(
        default=None, description="Name of the one dataset; left out: the pattern's fixed beginning."
    )


@strawberry.input(description="Name a folder, bucket or database that scans may read, or change its rules.")
class RegisterSourceInput:
    """Input of registerSource."""

    namespace: str
    name: str
    location: str = strawberry.field(
        description="A folder, s3://bucket/folder (gs, az alike), or database://name of one that the settings name."
    )
    grouping: list[GroupingRuleInput] | None = None

    def command(self, location: str) -> service.RegisterSource:
        """Return the command, with the location that was checked."""
        given = self.grouping
        rules = None if given is None else tuple(GroupingRule(one.kind, one.pattern, one.name) for one in given)
        return service.RegisterSource(self.namespace, self.name, location, rules)


@strawberry.type(description="The source.")
class RegisterSourcePayload:
    """Payload of registerSource."""

    source: Source | None
    user_errors: list[UserError]


def _registered(session: Session, command: service.RegisterVersion) -> tuple[Any, bool]:
    version, created = lineage.register_version(session, command)
    return queries.versions_by_ids(session, [version])[version], created


def _one_of_many(session: Session, given: RegisterDatasetVersionInput) -> RegisterDatasetVersionPayload:
    """Register one of a batch in a savepoint: a bad one is undone alone, with what it wanted to log."""
    marked = session.mark()
    savepoint = session.connection.begin_nested()
    try:
        row, created = _registered(session, given.command())
    except AssetgraphError as error:
        savepoint.rollback()
        session.undo(marked)
        return RegisterDatasetVersionPayload(version=None, created=False, user_errors=[user_error(error)])
    savepoint.commit()
    return RegisterDatasetVersionPayload(version=DatasetVersion.of(row), created=created, user_errors=[])


@strawberry.type
class CatalogMutation:
    """Mutations of the catalog."""

    @strawberry.mutation
    async def register_dataset(self, info: Info, input: RegisterDatasetInput) -> RegisterDatasetPayload:  # noqa: A002
        """Make a dataset, or change what is given of one."""
        command = service.RegisterDataset(
            input.namespace,
            input.name,
            input.description,
            input.role,
            many(input.tags),
            many(input.owners),
            input.transient,
        )

        def run(session: Session) -> tuple[Any, bool]:
            dataset, created = service.register_dataset(session, command)
            return queries.datasets_by_ids(session, [dataset])[dataset], created

        made, errors = await mutate(info, "produce", run)
        dataset = None if made is None else Dataset.of(made[0])
        return RegisterDatasetPayload(dataset=dataset, created=bool(made and made[1]), user_errors=errors)

    @strawberry.mutation
    async def register_dataset_version(
        self,
        info: Info,
        input: RegisterDatasetVersionInput,  # noqa: A002
    ) -> RegisterDatasetVersionPayload:
        """Add a version of a dataset; equal content gives the version that exists."""
        made, errors = await mutate(info, "produce", lambda session: _registered(session, input.command()))
        version = None if made is None else DatasetVersion.of(made[0])
        return RegisterDatasetVersionPayload(version=version, created=bool(made and made[1]), user_errors=errors)

    @strawberry.mutation
    async def register_dataset_versions(
        self,
        info: Info,
        input: RegisterDatasetVersionsInput,  # noqa: A002
    ) -> RegisterDatasetVersionsPayload:
        """Add up to 1,000 versions in one transaction; each has its own result, a bad one spoils no other."""

        def run(session: Session) -> list[RegisterDatasetVersionPayload]:
            if len(input.versions) > MAX_VERSIONS_AT_ONCE:
                message = f"{len(input.versions)} versions; at most {MAX_VERSIONS_AT_ONCE} are allowed at once"
                raise Limit(message, path=("versions",))
            return [_one_of_many(session, given) for given in input.versions]

        made, errors = await mutate(info, "produce", run)
        return RegisterDatasetVersionsPayload(results=made or [], user_errors=errors)

    @strawberry.mutation
    async def register_source(self, info: Info, input: RegisterSourceInput) -> RegisterSourcePayload:  # noqa: A002
        """Name a folder, bucket or database that the settings allow scans to read."""
        settings = info.context.settings

        def run(session: Session) -> Any:
            location = check_location(settings, input.location)
            source = service.register_source(session, input.command(location))
            return queries.sources_by_ids(session, [source])[source]

        made, errors = await mutate(info, "produce", run)
        return RegisterSourcePayload(source=None if made is None else Source.of(made), user_errors=errors)
