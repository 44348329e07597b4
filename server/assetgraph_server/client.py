"""A small GraphQL client over HTTP, for the demo and for those who script the service."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from assetgraph.errors import AssetgraphError, Invalid, Unavailable

FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")

RUN_QUERY = """
query Run($id: ID!) { node(id: $id) { ... on Run { id name state progress message error type } } }
"""


class Client:
    """Speaks to one server with one token."""

    def __init__(self, url: str, token: str) -> None:
        """Open a connection pool; `url` is the server's address without a path."""
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/graphql-response+json"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=60)

    def execute(self, query: str, **variables: Any) -> dict[str, Any]:
        """Run an operation and return its data; a top-level error raises with the server's message."""
        try:
            answer = self._http.post("/graphql", json={"query": query, "variables": variables})
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"the server does not answer: {error}") from error
        if body.get("errors"):
            raise Invalid("; ".join(str(error.get("message")) for error in body["errors"]))
        data: dict[str, Any] = body["data"]
        return data

    def mutate(self, query: str, **variables: Any) -> dict[str, Any]:
        """Run a mutation of one field and return its payload; userErrors raise."""
        payload: dict[str, Any] = next(iter(self.execute(query, **variables).values()))
        if payload["userErrors"]:
            raise Invalid("; ".join(f"{error['code']}: {error['message']}" for error in payload["userErrors"]))
        return payload

    def wait(self, run: str, on_progress: Callable[[float, str], None]) -> dict[str, Any]:
        """Wait until a run is final; one that does not succeed raises with its error."""
        while True:
            state: dict[str, Any] = self.execute(RUN_QUERY, id=run)["node"]
            on_progress(state["progress"] or 0.0, state["message"] or state["state"].lower())
            if state["state"] in FINAL:
                break
            time.sleep(0.2)
        if state["state"] != "SUCCEEDED":
            raise AssetgraphError(f"{state['name']} {state['state'].lower()}: {state['error'] or 'no reason given'}")
        return state

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
