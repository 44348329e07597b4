"""What columns mean over GraphQL: shown, accepted, rejected, said; by stewards only; statements stay few."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from serving import serving
from sqlalchemy import event

from assetgraph.catalog import tokens
from assetgraph.db.engine import Database
from assetgraph.inventory.discover import discover
from assetgraph.inventory.profile import scan_candidate
from assetgraph.inventory.service import register_scanned, version_command
from assetgraph.settings import Settings

SHOWN = """query($name: String!) { dataset(namespace: "ns", name: $name) { role tags { name } fields {
  id name semanticType tags { name } classification {
    semanticType personalData confidence evidence status decidedBy } } } }"""
PARTS = """{ field { semanticType tags { name } classification { status decidedBy personalData } }
  userErrors { code message } }"""
DECIDE = "mutation($input: DecideSemanticTypeInput!) { %s(input: $input) " + PARTS + " }"
SAY = "mutation($input: SetSemanticTypeInput!) { setSemanticType(input: $input) " + PARTS + " }"


@pytest.fixture
def service(database: Database, settings: Settings, incoming: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A service with two scanned files of people, one of them wide; gives its address and a token of each role."""
    people = {
        "customer_id": [f"C{n:04d}" for n in range(60)], "contact": [f"p{n}@example.org" for n in range(60)],
        "birthday": [f"19{n % 60 + 30}-03-{n % 28 + 1:02d}" for n in range(60)],
    }  # fmt: skip
    pl.DataFrame(people).write_parquet(incoming / "people.parquet")
    more = {f"mail_{n}": people["contact"] for n in range(30)}
    pl.DataFrame(people | more).write_parquet(incoming / "wide.parquet")
    given: dict[str, str] = {}
    for candidate in discover(incoming, incoming):
        scanned = scan_candidate(candidate)
        with database.transaction("scan") as session:
            register_scanned(session, version_command("ns", candidate.name, "x", scanned), scanned)
    with database.transaction("test") as session:
        for role in (tokens.Role.STEWARD, tokens.Role.PRODUCER):
            given[role.value] = tokens.create(session, role.value, role)[1]
    with serving(create_app(settings, database)) as address:
        yield f"http://{address}", given


def test_a_scan_shows_what_columns_mean(service: tuple[str, dict[str, str]]) -> None:
    """Types with their evidence, tags that reach the dataset, and its role."""
    address, given = service
    client = Client(address, given["steward"])
    found = client.execute(SHOWN, name="people")["dataset"]
    client.close()
    assert [one["semanticType"] for one in found["fields"]] == ["user_id", "email", "birth_date"]
    assert found["role"] == "USER_PROFILE"
    assert [one["name"] for one in found["tags"]] == ["personal-data", "pii:birth_date", "pii:email"]
    mail = found["fields"][1]["classification"]
    assert (mail["personalData"], mail["status"], mail["decidedBy"]) == ("EMAIL", "PROPOSED", None)
    assert mail["confidence"] > 0.9
    assert any("e-mail addresses" in one for one in mail["evidence"])


def test_stewards_decide_and_others_may_not(service: tuple[str, dict[str, str]]) -> None:
    """Accept, reject, say; a producer is refused and nothing changes."""
    address, given = service
    steward, producer = Client(address, given["steward"]), Client(address, given["producer"])
    ids = {one["name"]: one["id"] for one in steward.execute(SHOWN, name="people")["dataset"]["fields"]}

    def run(client: Client, mutation: str, **given: Any) -> Any:
        [answer] = client.execute(mutation, input=given).values()
        return answer

    refused = run(producer, DECIDE % "acceptSemanticType", field=ids["contact"])
    assert [one["code"] for one in refused["userErrors"]] == ["FORBIDDEN"]
    accepted = run(steward, DECIDE % "acceptSemanticType", field=ids["contact"])["field"]
    assert accepted["classification"] == {"status": "ACCEPTED", "decidedBy": "steward", "personalData": "EMAIL"}
    again = run(steward, DECIDE % "acceptSemanticType", field=ids["contact"])
    assert [one["code"] for one in again["userErrors"]] == ["CONFLICT"]
    rejected = run(steward, DECIDE % "rejectSemanticType", field=ids["birthday"])["field"]
    assert (rejected["semanticType"], rejected["tags"]) == (None, [])
    said = run(steward, SAY, field=ids["birthday"], semanticType="name_day", personalData="BIRTH_DATE")["field"]
    assert said["semanticType"] == "name_day"
    assert [one["name"] for one in said["tags"]] == ["personal-data", "pii:birth_date"]
    unknown = run(steward, SAY, field="bm90aGluZw==", semanticType="email")
    assert unknown["userErrors"]
    steward.close()
    producer.close()


def test_statements_do_not_grow_with_the_columns(service: tuple[str, dict[str, str]], database: Database) -> None:
    """Three columns or thirty-three: as many statements."""
    address, given = service
    client = Client(address, given["steward"])
    counts = []
    for name in ("people", "wide"):
        seen: list[str] = []

        def note(_c: Any, _k: Any, statement: str, *_: Any, seen: list[str] = seen) -> None:
            seen.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        assert client.execute(SHOWN, name=name)["dataset"]
        event.remove(database.engine, "before_cursor_execute", note)
        counts.append(len(seen))
    client.close()
    assert counts[1] <= counts[0] + 2, counts
