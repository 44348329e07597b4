"""What every slice of the schema shares: nodes, scalars, connections, user errors, and how a mutation runs."""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, NewType, TypeVar

import strawberry
from strawberry.types import Info as StrawberryInfo

from assetgraph.catalog.grouping import GroupingKind
from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.schema_diff import Compatibility, SchemaChangeKind
from assetgraph.catalog.tables import Lifecycle
from assetgraph.clock import as_utc, now
from assetgraph.db.engine import Session
from assetgraph.db.page import Page
from assetgraph.errors import AssetgraphError
from assetgraph.factorization.tables import ModelStage
from assetgraph.feedback.tables import FeedbackEvent
from assetgraph.ids import AssetKind, asset_global_id, integer_key, parse_global_id, urn
from assetgraph.lineage.tables import EdgeKind, Level, RunState, RunType
from assetgraph.lineage.walk import Direction
from assetgraph_server.context import Context

Info = StrawberryInfo[Context, None]
T = TypeVar("T")

BigInt = NewType("BigInt", int)

for _enum, _name in (
    (AssetKind, "AssetKind"), (DatasetRole, "DatasetRole"), (GroupingKind, "GroupingKind"),
    (Lifecycle, "Lifecycle"), (Level, "LineageLevel"),
    (Direction, "LineageDirection"), (EdgeKind, "LineageEdgeKind"), (RunState, "RunState"), (RunType, "RunType"),
    (ModelStage, "ModelStage"), (FeedbackEvent, "FeedbackEvent"), (Compatibility, "Compatibility"),
    (SchemaChangeKind, "SchemaChangeKind"),
):  # fmt: skip
    strawberry.enum(_enum, name=_name, description=_enum.__doc__)

First = Annotated[int | None, strawberry.argument(description="How many, 0 to 100; 20 when left out.")]
After = Annotated[str | None, strawberry.argument(description="Cursor of the last one seen.")]
AsOf = Annotated[
    datetime | None,
    strawberry.argument(description="As it was then, with all below it; now when left out, or when it lies ahead."),
]


def past(as_of: datetime | None) -> datetime | None:
    """Return the moment that is asked about, in UTC; None for now: nothing is known of the future."""
    return None if as_of is None else min(as_utc(as_of), now())


@strawberry.interface(description="Anything with a global id.")
class Node:
    """Relay's node."""

    id: strawberry.ID


@strawberry.interface(description="Anything that stands in the graph and has edges.")
class Asset(Node):
    """A node of the graph."""

    urn: str
    kind: AssetKind
    name: str
    created_at: datetime
    #: The past that this is shown of, with all below it; None: as it is now.
    at: strawberry.Private[datetime | None] = None

    @strawberry.field
    def as_of(self, info: Info) -> datetime:
        """The instant that this answer is about."""
        return self.at or info.context.began


def asset_columns(row: Any, at: datetime | None = None) -> dict[str, Any]:
    """Return the fields that every asset has, of a row that joins `asset`."""
    kind = row.kind
    return {
        "at": at, "id": asset_global_id(kind, row.id), "urn": urn(kind, row.namespace, row.key), "kind": kind,
        "name": row.name, "created_at": row.created_at,
    }  # fmt: skip


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """Relay's page info."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="A node in a list, with its cursor.")
class Edge(Generic[T]):
    """Relay's edge."""

    node: T
    cursor: str


@strawberry.type(description="A page of a list, with keyset cursors that stay right while rows come and go.")
class Connection(Generic[T]):
    """Relay's connection."""

    edges: list[Edge[T]]
    nodes: list[T]
    page_info: PageInfo
    total_count: int


def connection(page: Page[Any], view: Callable[[Any], T]) -> Connection[T]:
    """Return a page of rows as a connection of views."""
    nodes = [view(row) for row in page.rows]
    cursors = list(page.cursors)
    info = PageInfo(
        has_next_page=page.has_next, has_previous_page=page.has_previous,
        start_cursor=cursors[0] if cursors else None, end_cursor=cursors[-1] if cursors else None,
    )  # fmt: skip
    edges = [Edge(node=node, cursor=cursor) for node, cursor in zip(nodes, cursors, strict=True)]
    return Connection(edges=edges, nodes=nodes, page_info=info, total_count=page.total)


@strawberry.enum(description="What kind of mistake a user error is.")
class UserErrorCode(StrEnum):
    """Codes of the errors that the caller can mend."""

    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    FORBIDDEN = "FORBIDDEN"
    LIMIT = "LIMIT"
    UNAVAILABLE = "UNAVAILABLE"


@strawberry.interface(description="What the caller can mend: a stable code, and a message that says what to do.")
class UserError:
    """Base of the user errors."""

    code: UserErrorCode
    message: str
    path: list[str] | None


@strawberry.type(description="The input is malformed, forbidden, or contradicts what is stored.")
class InputError(UserError):
    """Every user error without more to say."""


@strawberry.type(description="What the input names does not exist.")
class NotFoundError(UserError):
    """Names what exists."""

    known: list[str]


def user_error(error: AssetgraphError) -> UserError:
    """Return the view of an expected failure."""
    code = UserErrorCode.__members__.get(error.code, UserErrorCode.INVALID)
    path = list(error.path) or None
    if code is UserErrorCode.NOT_FOUND:
        return NotFoundError(code=code, message=error.message, path=path, known=list(error.known))
    return InputError(code=code, message=error.message, path=path)


async def mutate(info: Info, permission: str, command: Callable[[Session], T]) -> tuple[T | None, list[UserError]]:
    """Run a command; an expected failure becomes a user error, and the database stays as it was."""
    try:
        info.context.require(permission)
        return await info.context.write(command), []
    except AssetgraphError as error:
        return None, [user_error(error)]


def key_of_id(value: str, *types: str, path: str) -> int:
    """Return the row key of a global id of one of the named types; NotFound-like ids give 0, which no row has."""
    type_name, key = parse_global_id(value, path=(path,))
    return (integer_key(key) or 0) if type_name in types else 0


def many(values: Sequence[T] | None) -> tuple[T, ...] | None:
    """Return an optional list as an optional tuple."""
    return None if values is None else tuple(values)
