"""Which nodes an answer shows, which it goes through without showing them, and which it does not enter."""

from dataclasses import dataclass
from enum import IntFlag

from assetgraph.catalog.roles import DatasetRole
from assetgraph.errors import Invalid
from assetgraph.ids import AssetKind
from assetgraph.lineage.tables import Level

MAX_VALUES = 100


class Standing(IntFlag):
    """What is special about a node: of a version, a column or a run, what holds for its dataset or job."""

    #: A dataset that only passes through: contracted.
    TRANSIENT = 1
    #: A job that is one statement of another: contracted.
    STATEMENT = 2
    #: A dropped dataset: not entered, but by walks of what happened.
    RETIRED = 4
    #: Merged into another or found never to have been: not entered, and not there.
    DELETED = 8


@dataclass(frozen=True)
class Filter:
    """Show only what matches all that is given (None: anything does); the rest is contracted, jobs too."""

    kinds: frozenset[AssetKind] | None = None
    namespaces: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    owners: tuple[str, ...] | None = None
    roles: tuple[DatasetRole, ...] | None = None
    include_transient: bool = False
    include_child_runs: bool = False
    include_retired: bool = False

    @property
    def asks_rows(self) -> bool:
        """Whether the kind of a node does not tell if it matches."""
        return any(one is not None for one in (self.namespaces, self.tags, self.owners, self.roles))

    @property
    def contracted(self) -> Standing:
        """The standings that are gone through without being shown."""
        found = Standing(0)
        if not self.include_transient:
            found |= Standing.TRANSIENT
        if not self.include_child_runs:
            found |= Standing.STATEMENT
        return found

    def closed(self, level: Level, *, past: bool) -> Standing:
        """Return the standings that are not entered: what happened, and the past, know no retired datasets."""
        open_ones = self.include_retired or past or level is Level.VERSION
        return Standing.DELETED if open_ones else Standing.DELETED | Standing.RETIRED

    def check(self) -> None:
        """Refuse lists that are too long."""
        for name in ("namespaces", "tags", "owners", "roles"):
            given = getattr(self, name)
            if given is not None and len(given) > MAX_VALUES:
                message = f"{len(given)} {name}; at most {MAX_VALUES} are allowed"
                raise Invalid(message, path=("filter", name))


#: Shows all but what is contracted or closed by default.
EVERYTHING = Filter()
#: Shows what only passes through too; what was dropped stays closed.
ALL_OPEN = Filter(include_transient=True, include_child_runs=True)
