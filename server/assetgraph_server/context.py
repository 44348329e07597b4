"""What the resolvers of one operation see: the caller, the database, and loaders that batch."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread
from sqlalchemy.exc import IntegrityError
from strawberry.dataloader import DataLoader

from assetgraph.catalog.tokens import Role
from assetgraph.clock import now
from assetgraph.db.engine import Database, Session
from assetgraph.errors import Contended, Forbidden
from assetgraph.factorization.queries import model_versions_by_ids
from assetgraph.feedback.queries import feedback_by_ids
from assetgraph.lineage.index import GraphIndex
from assetgraph.recommendations.service import Recommender
from assetgraph.settings import Settings
from assetgraph_server.auth import Principal

T = TypeVar("T")

#: What each role may do; an operation's root field asks for exactly one of these.
PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.ADMIN: frozenset({"self", "read", "produce", "steward", "recommend", "feedback", "administer"}),
    Role.STEWARD: frozenset({"self", "read", "produce", "steward", "recommend", "feedback"}),
    Role.PRODUCER: frozenset({"self", "read", "produce", "recommend", "feedback"}),
    Role.FRONTEND: frozenset({"self", "recommend", "feedback"}),
    Role.READER: frozenset({"self", "read", "recommend"}),
}

#: Rows that frontends see too: what answers them, and what they sent. All else needs "read".
SHOWN_TO_FRONTENDS: frozenset[Callable[..., Any]] = frozenset({model_versions_by_ids, feedback_by_ids})


def require(principal: Principal, permission: str) -> None:
    """Raise Forbidden when the caller's role does not have a permission."""
    if permission not in PERMISSIONS[Role(principal.role)]:
        able = ", ".join(role.value for role, given in PERMISSIONS.items() if permission in given)
        raise Forbidden(f"role {principal.role} may not do this; it needs one of: {able}")


class Context:
    """One operation's context; reads and writes run in threads, each in one transaction."""

    def __init__(
        self, database: Database, settings: Settings, recommender: Recommender, index: GraphIndex, principal: Principal
    ) -> None:
        """Keep what the operation works with; loaders are made on first use."""
        self.database = database
        self.index = index
        self.settings = settings
        self.recommender = recommender
        self.principal = principal
        self.began = now()
        self._loaders: dict[Any, DataLoader[Any, Any]] = {}

    def allows(self, permission: str) -> bool:
        """Tell whether the caller's role has a permission."""
        return permission in PERMISSIONS[Role(self.principal.role)]

    def require(self, permission: str) -> None:
        """Raise Forbidden when the caller's role does not have a permission."""
        require(self.principal, permission)

    async def read(self, query: Callable[..., T], *args: Any, permission: str = "read") -> T:
        """Run `query(session, *args)` on one snapshot; here, at the data, reading is allowed or forbidden."""
        self.require(permission)

        def run() -> T:
            with self.database.reading() as session:
                return query(session, *args)

        return await anyio.to_thread.run_sync(run)

    async def write(self, command: Callable[[Session], T]) -> T:
        """Run a command in a transaction as the caller; what it wrote is rolled back when it raises."""

        def run() -> T:
            with self.database.transaction(actor=self.principal.name) as session:
                return command(session)

        try:
            return await anyio.to_thread.run_sync(run)
        except (IntegrityError, Contended):
            # A twin of this request (same idempotency key, same new name) won: seen now, it is what there is.
            return await anyio.to_thread.run_sync(run)
        finally:
            self.began = now()  # the payload shows what was just written

    async def load(self, query: Callable[..., dict[Any, Any]], key: Any, at: datetime | None = None) -> Any:
        """Return one key's value of a `*_by_ids` query, maybe of a past; keys asked for together are read together."""
        permission = "recommend" if query in SHOWN_TO_FRONTENDS else "read"
        self.require(permission)
        loader = self._loaders.get((query, at))
        if loader is None:
            asked = query if at is None else partial(query, at=at)

            async def batch(keys: list[Any]) -> list[Any]:
                found = await self.read(asked, keys, permission=permission)
                return [found.get(one) for one in keys]

            loader = self._loaders[(query, at)] = DataLoader(load_fn=batch)
        return await loader.load(key)

    def forget(self) -> None:
        """Drop what was loaded: each event of a subscription sees the data as it is then."""
        self.began = now()
        self._loaders.clear()
