"""A served application with tokens, for tests that talk OpenLineage to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from assetgraph_server.app import create_app
from serving import serving

from assetgraph.catalog import tokens
from assetgraph.db.engine import Database
from assetgraph.settings import Settings


@dataclass(frozen=True)
class Service:
    """Where it is, and who may call it as what."""

    url: str
    tokens: dict[str, str]

    def client(self, role: str = "producer") -> httpx.Client:
        """Return an HTTP client with a role's token."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


@contextmanager
def running(settings: Settings, database: Database) -> Iterator[Service]:
    """Serve the application on a database."""
    given = {}
    with database.transaction("test") as session:
        for role in tokens.Role:
            given[role.value] = tokens.create(session, role.value, role)[1]
    with serving(create_app(settings, database)) as address:
        yield Service(f"http://{address}", given)
