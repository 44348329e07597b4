"""The commands: serve, worker, db, scan, inventory, checks, prepare, relate, train, recommend, lineage, demo ..."""

import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from assetgraph import __version__
from assetgraph.catalog import queries as catalog_queries
from assetgraph.catalog import service as catalog
from assetgraph.catalog import tokens
from assetgraph.catalog.grouping import GroupingKind, GroupingRule
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db import migrate
from assetgraph.errors import AssetgraphError, NotFound
from assetgraph.factorization import service as factorization
from assetgraph.ids import AssetKind
from assetgraph.inventory import service as inventory
from assetgraph.inventory.located import check_readable
from assetgraph.inventory.places import check_location
from assetgraph.jobs.worker import Worker
from assetgraph.lineage import queries as lineage_queries
from assetgraph.lineage.tables import EdgeKind, Level
from assetgraph.openlineage.emission import emitting
from assetgraph.quality import queries as quality_queries
from assetgraph.recommendations.service import Recommend, Recommender
from assetgraph_server.console import AsJson, DatabaseUrl, Namespace, NominalTime, err, open_database, settings_of, show
from assetgraph_server.inventory_commands import report
from assetgraph_server.lineage_commands import lineage_app
from assetgraph_server.prepare_command import prepare
from assetgraph_server.propose_command import propose
from assetgraph_server.quality_commands import checks_app, incidents_app
from assetgraph_server.relate_command import relate
from assetgraph_server.working import with_sources, work_through

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
db_app = typer.Typer(no_args_is_help=True, help="Migrate the database, or say where it stands.")
token_app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API tokens.")
changes_app = typer.Typer(no_args_is_help=True, help="Check the change log.")
app.add_typer(db_app, name="db")
app.add_typer(token_app, name="token")
app.add_typer(changes_app, name="changes")
app.add_typer(lineage_app, name="lineage")
app.command()(prepare)
app.command("inventory")(report)
app.command()(relate)
app.command()(propose)
app.add_typer(checks_app, name="checks")
app.add_typer(incidents_app, name="incidents")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind.")] = None,
    database_url: DatabaseUrl = None,
    workers: Annotated[int | None, typer.Option(help="Workers beside the server; default 1 on SQLite, else 0.")] = None,
) -> None:
    """Start the API and, on the embedded default, a worker beside it."""
    from assetgraph_server.launch import serve as run

    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = settings_of(database_url, **given)
    run(settings, workers=(1 if settings.embedded else 0) if workers is None else workers)


@app.command()
def worker(
    database_url: DatabaseUrl = None,
    gpu: Annotated[bool, typer.Option("--gpu/--no-gpu", help="Also take jobs that demand a GPU.")] = False,
    with_parent: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run jobs until stopped; SIGTERM gives a running job back."""
    settings = settings_of(database_url)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if with_parent:
        threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    migrate.upgrade(settings.url)
    with emitting(settings):
        Worker(settings, gpu=gpu).run(stop)


def _stop_at_end_of_input(stop: threading.Event) -> None:
    sys.stdin.buffer.read()
    stop.set()


@db_app.command("upgrade")
def db_upgrade(database_url: DatabaseUrl = None) -> None:
    """Bring the database to the newest revision; safe to run twice and at once."""
    print(migrate.upgrade(settings_of(database_url).url))


@db_app.command("current")
def db_current(database_url: DatabaseUrl = None) -> None:
    """Print the revision of the database, and the newest that this program knows."""
    print(f"{migrate.current(settings_of(database_url).url) or 'empty'} (newest: {migrate.head()})")


@token_app.command("create")
def token_create(
    name: Annotated[str, typer.Argument(help="Who or what uses the token.")],
    role: Annotated[tokens.Role, typer.Option(help="What it may do.")],
    expires_days: Annotated[float | None, typer.Option(help="Days until it expires; default: never.")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a token and print it, alone and once."""
    expires_at = None if expires_days is None else now() + timedelta(days=expires_days)
    with open_database(settings_of(database_url)) as database, database.transaction(actor="cli") as session:
        _, token = tokens.create(session, name, role, expires_at=expires_at)
    print(token)


@token_app.command("list")
def token_list(as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """List tokens, without what would let anyone use them."""
    with open_database(settings_of(database_url)) as database, database.reading() as session:
        named = ("id", "name", "role", "created_at", "expires_at", "revoked_at")
        rows = [{name: row._mapping[name] for name in named} for row in tokens.every(session)]
    show(rows, as_json=as_json, title="Tokens")


@token_app.command("revoke")
def token_revoke(
    token_id: Annotated[int, typer.Argument(help="Id from `token list`.")], database_url: DatabaseUrl = None
) -> None:
    """End a token at once."""
    with open_database(settings_of(database_url)) as database, database.transaction(actor="cli") as session:
        tokens.revoke(session, token_id)
    err.print(f"token {token_id} is revoked")


@changes_app.command("verify")
def changes_verify(as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Compute the hash chain of the change log again; exit 1 when it is broken."""
    with open_database(settings_of(database_url)) as database, database.reading() as session:
        found = changes.verify(session)
    row = {"checked": found.checked, "head": found.head, "broken_at": found.broken_at, "reason": found.reason}
    show([row], as_json=as_json, title="Change log")
    if found.broken_at is not None:
        raise typer.Exit(1)


def _rules(group: list[str] | None, split: list[str] | None, skip: list[str] | None) -> tuple[GroupingRule, ...] | None:
    """Return the rules that are given, those that leave out first; None when none is, so that known ones stay."""
    rules = [GroupingRule(GroupingKind.SKIP, pattern) for pattern in skip or ()]
    rules += [GroupingRule(GroupingKind.SPLIT, pattern) for pattern in split or ()]
    for given in group or ():
        name, equals, pattern = given.partition("=")
        named = bool(equals) and "/" not in name
        rules.append(GroupingRule(GroupingKind.GROUP, pattern if named else given, name if named else None))
    return tuple(rules) or None


@app.command()
def scan(
    place: Annotated[
        str, typer.Argument(help="Folder (or file), bucket URL or database://name to scan.", metavar="PATH")
    ],
    namespace: Namespace,
    name: Annotated[str | None, typer.Option(help="Name of the source; default: the folder's.")] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="Pattern of files that are one dataset: [NAME=]PATTERN.")
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="Pattern of files that are a dataset each.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Pattern of files that are left out.")] = None,
    nominal_time: NominalTime = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Register a folder, bucket or database as a source, scan it here and list what was found."""
    settings = settings_of(database_url)
    # Who may run commands on this machine may read what they can read: the place joins the allow-list for this run.
    if "://" not in place:
        place = str(Path(place).expanduser().resolve())
        settings = settings.model_copy(update={"scan_roots": (*settings.scan_roots, Path(place))})
    elif not place.startswith("database://") and not any(place.startswith(url) for url in settings.scan_urls):
        settings = settings.model_copy(update={"scan_urls": {**settings.scan_urls, place: ""}})
    rules = _rules(group, split, skip)
    with open_database(settings) as database:
        with database.transaction(actor="cli") as session:
            location = check_location(settings, place)
            known_as = name or location.rstrip("/").rpartition("/")[2]
            command = catalog.RegisterSource(namespace, known_as, location, rules)
            source = catalog.register_source(session, command)
            run, _ = inventory.start_scan(session, settings, inventory.StartScan(source, nominal_at=nominal_time))
        work_through(settings, database, run)
        with database.reading() as session:
            made = lineage_queries.neighbours_by_kind(
                session,
                [source],
                [EdgeKind.CONTAINS],
                upstream=False,
                level=Level.DATASET,
            )[source]
            latest = catalog_queries.latest_versions(session, made)
            rows = [
                {"dataset": row.name, "rows": row.row_count, "bytes": row.size_bytes, "fingerprint": row.fingerprint}
                for row in latest.values()
            ]
            findings = lineage_queries.findings_of(session, [run])[run]
            counted = {one.name: int(one.value) for one in quality_queries.metrics_of(session, [run])[run]}
    show(rows, as_json=as_json, title=f"Datasets in {place}")
    if counted.get("datasets_unchanged"):
        err.print(f"{counted['datasets_unchanged']} of {counted['datasets']} datasets are as they were before")
    for finding in findings:
        err.print(f"[yellow]{escape(finding.subject)}: {escape(finding.message)}")


@app.command()
def train(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset to learn from.")],
    namespace: Namespace,
    model: Annotated[str, typer.Option(help="Name of the model.")],
    user: Annotated[str, typer.Option(help="Column of user ids.")],
    item: Annotated[str, typer.Option(help="Column of item ids.")],
    value: Annotated[str | None, typer.Option(help="Column of amounts or ratings.")] = None,
    factors: Annotated[int, typer.Option(help="Number of factors.")] = 64,
    iterations: Annotated[int, typer.Option(help="Number of iterations.")] = 15,
    nominal_time: NominalTime = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Train a new version of a model here and show its metrics."""
    settings = settings_of(database_url)
    command = factorization.StartTraining(
        namespace, model, catalog.AssetRef(namespace=namespace, name=dataset), user, item, value,
        parameters=factorization.TrainingParameters(factors=factors, iterations=iterations), nominal_at=nominal_time,
    )  # fmt: skip
    with open_database(settings) as database:
        settings = with_sources(settings, database)
        with database.transaction(actor="cli") as session:
            run, _ = factorization.start_training(session, settings, command, check_readable=check_readable)
        work_through(settings, database, run)
        with database.reading() as session:
            from assetgraph.quality import queries as quality

            metrics = quality.metrics_of(session, [run])[run]
    rows = [{"metric": row.name, "value": round(row.value, 4)} for row in metrics]
    show(rows, as_json=as_json, title=f"{namespace}/{model}")


@app.command()
def recommend(
    model: Annotated[str, typer.Argument(help="Name of the model; its production version answers.")],
    namespace: Namespace,
    user: Annotated[str | None, typer.Option(help="User id; unknown or none: what is popular.")] = None,
    first: Annotated[int, typer.Option(help="How many items.")] = 10,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show what a model recommends to a user."""
    settings = settings_of(database_url)
    with open_database(settings) as database, database.reading() as session:
        found = catalog.find_asset(session, AssetKind.MODEL, namespace, model)
        if found is None:
            from assetgraph.factorization.queries import model_names

            raise NotFound(f"no model '{model}' in namespace '{namespace}'", known=model_names(session, namespace))
        answer = Recommender(settings).recommend(session, Recommend(found, user, first))
    rows = [{"rank": one.rank, "item": one.item, "score": round(one.score, 4)} for one in answer.items]
    show(rows, as_json=as_json, title=f"{answer.version.name} for {user or 'anyone'} (fallback: {answer.fallback})")


@app.command()
def schema() -> None:
    """Print the GraphQL schema."""
    from assetgraph_server.schema import schema as graphql

    print(graphql.as_str())


@app.command()
def demo(once: Annotated[bool, typer.Option("--once", help="Stop at the end instead of serving on.")] = False) -> None:
    """Run the main loop on real sample data: scan, train, recommend, feedback, export, train again, lineage."""
    from assetgraph_server.demo import run_demo

    run_demo(once=once)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """Run the command line; expected errors are one line and exit code 1."""
    try:
        app()
    except AssetgraphError as error:
        _fail(error.code, error.message)
    except OSError as error:
        _fail("UNAVAILABLE", str(error))
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _fail(code: str, message: str) -> None:
    line = " ".join(message.split())
    err.print(f"[red]error[/] ({code}): {escape(line)}", highlight=False, soft_wrap=True)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
