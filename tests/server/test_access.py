"""Who may do what: every route and every root field, with the real checks on."""

from collections.abc import Iterator

import httpx
import pytest
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from assetgraph_server.context import PERMISSIONS
from assetgraph_server.schema import schema
from graphql import GraphQLInputObjectType, GraphQLNonNull, GraphQLObjectType, GraphQLScalarType, get_named_type
from serving import serving
from starlette.routing import Route
from trained import train_nothing

from assetgraph.catalog import tokens
from assetgraph.catalog.tokens import Role
from assetgraph.db.engine import Database
from assetgraph.feedback.service import FeedbackSpec, RecordFeedback, record
from assetgraph.feedback.tables import FeedbackEvent
from assetgraph.ids import AssetKind, asset_global_id, recommendation_key
from assetgraph.settings import Settings

NEEDS = {
    "node": "read", "nodes": "read", "asset": "read", "lineage": "read", "lineagePaths": "read", "impact": "read",
    "lineageDiff": "read", "inventory": "read",
    "changes": "read", "viewer": "self",
    "dataset": "read", "datasets": "read", "job": "read", "runs": "read", "model": "read",
    "recommendations": "recommend", "registerDataset": "produce", "registerDatasetVersion": "produce",
    "registerDatasetVersions": "produce", "registerSource": "produce", "startScan": "produce",
    "cancelRun": "produce", "recordRun": "produce", "recordRuns": "produce", "declareLineage": "produce",
    "recordMetrics": "produce", "startTraining": "produce",
    "incidents": "read", "declareChecks": "produce", "removeCheck": "steward", "acknowledgeIncident": "steward",
    "pinBaseline": "steward", "schedules": "read", "setSchedule": "produce", "removeSchedule": "produce",
    "startPreparation": "produce", "startRelating": "produce", "decideRelation": "steward",
    "startProposing": "produce", "acceptDescription": "steward", "rejectDescription": "steward",
    "acceptSemanticType": "steward", "rejectSemanticType": "steward", "setSemanticType": "steward",
    "exportFeedback": "produce", "promoteModelVersion": "steward", "recordFeedback": "feedback",
}  # fmt: skip


@pytest.fixture
def address(database: Database, settings: Settings) -> Iterator[str]:
    """Run the real application."""
    with serving(create_app(settings, database)) as found:
        yield f"http://{found}"


def trained_version(database: Database) -> int:
    """Register a model version as a training does, with what it learnt from."""
    with database.transaction("test") as session:
        return train_nothing(session)[1]


def placeholder(kind: object) -> str:
    """Return a literal of an input type that is well formed, whatever it means."""
    named = get_named_type(kind)  # type: ignore[call-overload]
    if str(kind).removesuffix("!").startswith("["):
        return '["RGF0YXNldDo5OTk="]' if get_named_type(kind).name == "ID" else "[]"  # type: ignore[call-overload]
    if isinstance(named, GraphQLInputObjectType):
        parts = [
            f"{name}: {placeholder(field.type)}"
            for name, field in named.fields.items()
            if isinstance(field.type, GraphQLNonNull)
        ]
        return "{" + ", ".join(parts) + "}"
    if isinstance(named, GraphQLScalarType):
        return {"Int": "1", "Float": "1.0", "Boolean": "true", "DateTime": '"2020-01-01T00:00:00Z"'}.get(
            named.name, '"RGF0YXNldDo5OTk="'
        )
    return str(next(iter(named.values)))  # an enumeration


def operation(root: GraphQLObjectType, verb: str, name: str) -> str:
    """Return a small operation on one root field."""
    field = root.fields[name]
    given = [
        f"{key}: {placeholder(one.type)}" for key, one in field.args.items() if isinstance(one.type, GraphQLNonNull)
    ]
    arguments = f"({', '.join(given)})" if given else ""
    errors = " userErrors { message }" if verb == "mutation" else ""
    return f"{verb} {{ {name}{arguments} {{ __typename{errors} }} }}"


def operations() -> dict[str, str]:
    """Return an operation for every query and mutation that the schema has."""
    core = schema._schema
    found: dict[str, str] = {}
    for verb, root in (("query", core.query_type), ("mutation", core.mutation_type)):
        assert root is not None
        found |= {name: operation(root, verb, name) for name in root.fields}
    return found


def test_anonymous_gets_no_field_and_no_route(address: str, database: Database, settings: Settings) -> None:
    """Only the health probe, the page and its files are public."""
    for name, query in operations().items():
        answer = httpx.post(f"{address}/graphql", json={"query": query})
        assert answer.status_code == 401, name
        assert "data" not in answer.json()
    public = {"/", "/healthz"}
    app = create_app(settings, database)
    inner = app
    while not hasattr(inner, "routes"):
        inner = inner._app  # type: ignore[attr-defined]
    paths = {route.path for route in inner.routes if isinstance(route, Route)}
    assert paths >= {"/graphql", "/healthz", "/readyz", "/metrics", "/"}
    for path in paths:
        for method in ("GET", "POST", "PUT", "DELETE"):
            allowed = method == "GET" and path in public
            status = httpx.request(method, address + path, headers={"Accept": "application/json"}).status_code
            assert (status < 300) if allowed else status == 401, (method, path, status)


def test_a_token_that_is_unknown_revoked_or_expired_is_nobody(address: str, database: Database) -> None:
    """The answer is the same for all."""
    with database.transaction("test") as session:
        revoked_id, revoked = tokens.create(session, "r", Role.ADMIN)
        tokens.revoke(session, revoked_id)
    for token in ("ag_nothing", revoked, revoked.upper()):
        answer = httpx.post(
            f"{address}/graphql", json={"query": "{ viewer { name } }"}, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 401


@pytest.mark.parametrize("role", list(Role))
def test_each_role_gets_its_own_and_no_more(address: str, database: Database, role: Role) -> None:
    """Every root field is allowed or forbidden exactly as the role's permissions say."""
    with database.transaction("test") as session:
        _, token = tokens.create(session, "t", role)
    asked = operations()
    assert set(asked) == set(NEEDS)
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}) as http:
        for name, query in asked.items():
            body = http.post("/graphql", json={"query": query}).json()
            said = [error["message"] for error in body.get("errors", [])]
            value = (body.get("data") or {}).get(name)
            if isinstance(value, dict):
                said += [error["message"] for error in value.get("userErrors", [])]
            denied = any(f"role {role.value} may not do this" in one for one in said)
            assert denied is (NEEDS[name] not in PERMISSIONS[role]), (name, body)


def test_statements_do_not_grow_with_the_page(address: str, database: Database) -> None:
    """A page of one and a page of twenty datasets, with children, cost the same number of statements."""
    from sqlalchemy import event

    with database.transaction("test") as session:
        _, token = tokens.create(session, "t", Role.PRODUCER)
    client = Client(address, token)
    register = """mutation($input: RegisterDatasetVersionsInput!) { registerDatasetVersions(input: $input) {
      results { created userErrors { message } } userErrors { code message } } }"""
    fields = [{"name": "a", "type": "Int64", "tags": ["t"]}, {"name": "b", "type": "String"}]
    versions = [{"namespace": "ns", "name": f"d{i}", "fields": fields} for i in range(20)]
    results = client.mutate(register, input={"versions": [*versions, {**versions[0], "name": " "}]})["results"]
    assert [one["created"] for one in results] == [True] * 20 + [False]
    assert results[-1]["userErrors"][0]["message"] == "name must not be empty"
    query = """query($first: Int) { datasets(first: $first) { totalCount nodes { name tags { name } owners { role }
      latestVersion { number dataset { name } fields { name tags { name } } producedBy { name } }
      fields { name type } } } }"""
    counted: list[int] = []
    for first in (1, 20):
        seen: list[str] = []
        event.listen(database.engine, "before_cursor_execute", lambda *args, seen=seen: seen.append(args[2]))
        answer = client.execute(query, first=first)["datasets"]
        assert (len(answer["nodes"]), answer["totalCount"]) == (first, 20)
        counted.append(len(seen))
    client.close()
    assert counted[0] == counted[1] <= 30


def test_a_frontend_cannot_hop_from_its_answer_into_the_catalog(address: str, database: Database) -> None:
    """Authorization sits at the data: what the answer names is seen, what lies behind it is not."""
    version = trained_version(database)
    with database.transaction("test") as session:
        _, frontend = tokens.create(session, "shop window", Role.FRONTEND)
        _, reader = tokens.create(session, "reader", Role.READER)
    identity = asset_global_id(AssetKind.MODEL_VERSION, version)
    query = "query($id: ID!) { node(id: $id) { ... on ModelVersion { name number %s } } }"
    hops = ("model { name }", "metrics { value }", "trainedBy { name }", "trainedOn { name }")
    asked = {"query": query % "", "variables": {"id": identity}}
    for token, allowed in ((frontend, False), (reader, True)):
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}) as http:
            seen = http.post("/graphql", json=asked).json()
            assert seen["data"]["node"] == {"name": "m@1", "number": 1}
            for hop in hops:
                body = http.post("/graphql", json={**asked, "query": query % hop}).json()
                codes = [error["extensions"]["code"] for error in body.get("errors", [])]
                assert codes == ([] if allowed else ["FORBIDDEN"]), (hop, body)


def test_every_asset_is_found_by_its_urn(address: str, database: Database) -> None:
    """Stored and computed nodes alike answer to the urn that they show; another namespace's urn finds nothing."""
    version = trained_version(database)
    key = recommendation_key(version, "u", "i", 0.5, 1)
    with database.transaction("test") as session:
        _, token = tokens.create(session, "t", Role.PRODUCER)
        event = FeedbackSpec(FeedbackEvent.CLICK, recommendation=key)
        [feedback] = record(session, RecordFeedback((event,))).feedback_ids
    client = Client(address, token)
    for kind, node in (
        (AssetKind.MODEL_VERSION, version), (AssetKind.RECOMMENDATION, key), (AssetKind.FEEDBACK, feedback)
    ):  # fmt: skip
        identity = asset_global_id(kind, node)
        urn = client.execute("query($id: ID!) { node(id: $id) { ... on Asset { urn } } }", id=identity)["node"]["urn"]
        query = "query($urn: String!) { asset(urn: $urn) { id } }"
        assert client.execute(query, urn=urn)["asset"] == {"id": identity}
        *_, namespace, name = urn.split(":")
        other = urn.removesuffix(f"{namespace}:{name}") + f"elsewhere:{name}"
        assert client.execute(query, urn=other)["asset"] is None
    client.close()
