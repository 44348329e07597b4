"""Plain parts of an answer, completed in one pass, are what graphql-core completes, errors included."""

from dataclasses import replace
from enum import Enum
from typing import Any

import pytest
import strawberry
from assetgraph_server.plain import Completions, PlainExecutor
from graphql import DocumentNode, ExecutionResult, execute, parse
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


@strawberry.enum
class Colour(Enum):
    """An enumeration."""

    RED = "red"
    BLUE = "blue"


@strawberry.interface
class Thing:
    """An interface."""

    id: strawberry.ID
    size: int


@strawberry.type
class Box(Thing):
    """A thing of plain fields."""

    colour: Colour
    inner: Thing | None = None


@strawberry.type
class Ball(Thing):
    """A thing with a resolver."""

    weight: float | None = None

    @strawberry.field
    def doubled(self) -> int:
        """Return twice the size."""
        return self.size * 2


@strawberry.type
class Shelf:
    """What holds things."""

    name: str
    things: list[Thing]
    gaps: list[str | None]
    tall: bool = True
    either: "Box | Ball | None" = None


class NoThing:
    """Not of the schema."""


BALL: Any = Ball(id=strawberry.ID("b"), size=3, weight=1.5)
BOX: Any = Box(id=strawberry.ID("x"), size=2, colour=Colour.RED, inner=BALL)
SHELF: Any = Shelf(name="s", things=[BOX, BALL, replace(BOX, inner=BOX)], gaps=["a", None], either=BALL)
SHELVES: dict[str, Any] = {
    "good": SHELF,
    "null where none may be": replace(SHELF, name=None),
    "null in a list of things": replace(SHELF, things=[BOX, None, BALL]),
    "too large an integer": replace(SHELF, things=[replace(BOX, size=2**31)]),
    "not an integer": replace(SHELF, things=[replace(BOX, size="many")]),
    "a float that is whole": replace(SHELF, things=[replace(BOX, size=4.0)]),
    "a boolean for an integer": replace(SHELF, things=[replace(BOX, size=True)]),
    "an unknown class": replace(SHELF, things=[NoThing()]),
    "an unknown member": replace(SHELF, things=[replace(BOX, colour="green")]),
    "a number for a text": replace(SHELF, name=5),
    "an error for a value": replace(SHELF, name=ValueError("no name")),
    "a tuple for a list": replace(SHELF, gaps=("a",)),
    "a generator for a list": "generator",
    "a text for a list": replace(SHELF, gaps="abc"),
    "nothing": None,
}


@strawberry.type
class Query:
    """The root."""

    @strawberry.field
    def shelf(self, info: strawberry.Info) -> Shelf | None:
        """Return the shelf of the operation."""
        shelf: Any = info.context["shelf"]
        found: Shelf | None = replace(SHELF, gaps=(text for text in "abc")) if shelf == "generator" else shelf
        return found

    @strawberry.field
    def shelves(self, info: strawberry.Info) -> list[Shelf | None]:
        """Return it twice."""
        return [info.context["shelf"], SHELF]


SCHEMA = strawberry.Schema(query=Query, types=[Box, Ball])
QUERIES = (
    "{ shelf { name tall gaps things { __typename id size } either { ... on Ball { weight } } } }",
    "{ shelf { __typename name things { ... on Box { colour inner { id ... on Box { colour } } } size } } }",
    "{ shelf { other: name things { id ... on Ball { doubled weight } } } }",
    "query($no: Boolean = false) { shelf { name @include(if: $no) gaps @skip(if: $no) } }",
    "{ shelf { ...F } } fragment F on Shelf { things { ...G } tall } fragment G on Thing { size ... on Box { size } }",
)


def run(query: str | DocumentNode, shelf: Any, executor: type[Any], **options: Any) -> ExecutionResult:
    """Execute without any thread or loop."""
    result = execute(
        SCHEMA._schema, parse(query) if isinstance(query, str) else query, context_value={"shelf": shelf},
        executor_class=executor, **options,
    )  # fmt: skip
    assert isinstance(result, ExecutionResult)
    return result


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("name", SHELVES)
def test_the_same_data_and_errors(query: str, name: str) -> None:
    """For good values and bad ones, whichever executor completes them."""
    expected = run(query, SHELVES[name], StrawberryGraphQLCoreExecutionContext)
    found = run(query, SHELVES[name], PlainExecutor)
    assert found.data == expected.data
    assert [one.formatted for one in found.errors or ()] == [one.formatted for one in expected.errors or ()]


def test_lists_keep_what_is_good() -> None:
    """A broken object of a list of nullable ones is null, the others are there."""
    query = "{ shelves { name tall } }"
    broken = replace(SHELF, name=None)
    expected = run(query, broken, StrawberryGraphQLCoreExecutionContext)
    found = run(query, broken, PlainExecutor)
    assert found.data == expected.data == {"shelves": [None, {"name": "s", "tall": True}]}
    assert [one.formatted for one in found.errors or ()] == [one.formatted for one in expected.errors or ()]


def test_plain_parts_are_composed_once_for_a_document() -> None:
    """What was composed serves the document's next operations."""
    document = parse(QUERIES[0])
    kept: Completions = {}
    first = run(document, SHELF, PlainExecutor, completions=kept)
    composed = dict(kept)
    assert any(complete is not None for complete in composed.values())
    assert run(document, replace(SHELF, name="t"), PlainExecutor, completions=kept).data != first.data
    assert {key: kept[key] for key in composed} == composed
