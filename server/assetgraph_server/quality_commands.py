"""`assetgraph checks` and `assetgraph incidents`: declare and list checks, see and acknowledge what is wrong."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from assetgraph.catalog.service import AssetRef
from assetgraph.db.engine import Session
from assetgraph.db.page import MAX_FIRST, PageRequest
from assetgraph.errors import Invalid
from assetgraph.quality import declare, incident_queries, queries
from assetgraph.quality.checks import check_of
from assetgraph.quality.incidents import Acknowledge, acknowledge
from assetgraph_server.console import AsJson, DatabaseUrl, Namespace, err, open_database, settings_of, show

checks_app = typer.Typer(no_args_is_help=True, help="Declare, list and remove checks of a dataset.")
incidents_app = typer.Typer(no_args_is_help=True, help="List what is wrong with datasets, and say that it is known.")

DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="Name of the dataset.")]


@checks_app.command("declare")
def checks_declare(
    dataset: DatasetName,
    namespace: Namespace,
    file: Annotated[
        Path, typer.Option(help='JSON: a list of {"name": ..., "severity": ..., "rule": {...}}, as in GraphQL.')
    ],
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Let checks hold for a dataset, and list all that hold; the next scans evaluate them."""
    try:
        said = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise Invalid(f"'{file}' is not JSON: {error}") from error
    if not isinstance(said, list):
        raise Invalid(f"'{file}' must hold a list of checks")
    try:
        checks = tuple(check_of(one, ("checks", str(place))) for place, one in enumerate(said))
        with open_database(settings_of(database_url)) as database, database.transaction(actor="cli") as session:
            declare.declare(session, declare.DeclareChecks(AssetRef(namespace=namespace, name=dataset), checks))
            rows = _checks(session, namespace, dataset)
    except Invalid as error:
        # A file has no fields that a message could stand beside: the path says where.
        raise Invalid(f"{'.'.join(error.path)}: {error.message}", path=error.path) from None
    show(rows, as_json=as_json, title=f"Checks of {namespace}/{dataset}")


@checks_app.command("list")
def checks_list(
    dataset: DatasetName, namespace: Namespace, as_json: AsJson = False, database_url: DatabaseUrl = None
) -> None:
    """List the checks of a dataset that hold, with their last result."""
    with open_database(settings_of(database_url)) as database, database.reading() as session:
        rows = _checks(session, namespace, dataset)
    show(rows, as_json=as_json, title=f"Checks of {namespace}/{dataset}")


@checks_app.command("remove")
def checks_remove(
    check_id: Annotated[int, typer.Argument(help="Id from `checks list`.")], database_url: DatabaseUrl = None
) -> None:
    """Let a declared check hold no longer; its results stay."""
    with open_database(settings_of(database_url)) as database, database.transaction(actor="cli") as session:
        declare.remove(session, declare.RemoveCheck(check_id))
    err.print(f"check {check_id} is removed")


@incidents_app.command("list")
def incidents_list(
    namespace: Annotated[str | None, typer.Option(help="Only of datasets of this namespace.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """List the newest incidents, open ones only unless asked: at most 100."""
    from assetgraph.catalog.queries import datasets_by_ids

    wanted = {"namespace": namespace, "open": None if everything else True}
    with open_database(settings_of(database_url)) as database, database.reading() as session:
        page = incident_queries.incidents_page(session, wanted, PageRequest(MAX_FIRST))
        names = datasets_by_ids(session, [int(row.dataset_id) for row in page.rows])
    rows = [
        {
            "id": row.id, "dataset": names[int(row.dataset_id)].name, "severity": row.severity.value,
            "message": row.message, "opened_at": row.opened_at, "closed_at": row.closed_at,
            "acknowledged_by": row.acknowledged_by,
        }
        for row in page.rows
    ]  # fmt: skip
    show(rows, as_json=as_json, title="Incidents")
    if page.total > len(rows):
        err.print(f"[yellow]{page.total - len(rows)} more are not shown")


@incidents_app.command("acknowledge")
def incidents_acknowledge(
    incident_id: Annotated[int, typer.Argument(help="Id from `incidents list`.")],
    note: Annotated[str | None, typer.Option(help="What to tell others.")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Say that an incident is known; it stays open until what failed is fine again."""
    with open_database(settings_of(database_url)) as database, database.transaction(actor="cli") as session:
        acknowledge(session, Acknowledge(incident_id, note))
    err.print(f"incident {incident_id} is acknowledged")


def _checks(session: Session, namespace: str, dataset: str) -> list[dict[str, Any]]:
    found = declare.dataset_of(session, AssetRef(namespace=namespace, name=dataset))
    rows: list[Any] = []
    request, more = PageRequest(MAX_FIRST), True
    while more:
        page = queries.checks_page(session, found, request)
        rows += page.rows
        more, request = page.has_next, PageRequest(MAX_FIRST, page.cursors[-1] if page.cursors else None)
    last = queries.last_results(session, [int(row.id) for row in rows])
    return [
        {
            "id": row.id, "name": row.name, "severity": row.severity.value, "declared": row.declared,
            "rule": json.dumps(row.expression, ensure_ascii=False),
            "passed": last[int(row.id)].passed if int(row.id) in last else None,
            "message": last[int(row.id)].message if int(row.id) in last else None,
        }
        for row in rows
    ]  # fmt: skip
