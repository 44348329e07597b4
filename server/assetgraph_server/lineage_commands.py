"""`assetgraph lineage`: a walk as a tree, a check of the in-memory graph against SQL, export, import and hash."""

import json
import random
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from assetgraph.catalog import queries as catalog_queries
from assetgraph.errors import Invalid, NotFound
from assetgraph.feedback.walk import walk_graph
from assetgraph.ids import AssetKind, parse_urn
from assetgraph.lineage import queries as lineage_queries
from assetgraph.lineage.expiry import expire
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.indexed import walk_in_memory
from assetgraph.lineage.tables import Level
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, walk
from assetgraph.openlineage.canonical import graph_hash
from assetgraph.openlineage.export import export_lines
from assetgraph.openlineage.importing import import_lines
from assetgraph_server.console import AsJson, DatabaseUrl, err, open_database, out, settings_of, show, written
from assetgraph_server.drawing import as_json_walk, as_tree, names_of


class UrnFirst(TyperGroup):
    """A group whose first word may be a urn: `lineage URN` means `lineage show URN`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in where a urn stands in its place."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


lineage_app = typer.Typer(
    cls=UrnFirst, no_args_is_help=True, help="Show what is up- or downstream of an asset (lineage URN), or check."
)


@lineage_app.command("show", hidden=True)
def lineage_show(
    urn_text: Annotated[str, typer.Argument(metavar="URN", help="urn:assetgraph:<kind>:<namespace>:<name>")],
    direction: Annotated[Direction, typer.Option(case_sensitive=False, help="Which way to walk.")] = Direction.UPSTREAM,
    depth: Annotated[int, typer.Option(help="How far to walk.")] = 20,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show what is up- or downstream of an asset, as a tree."""
    with open_database(settings_of(database_url)) as database, database.reading() as session:
        kind, namespace, key = parse_urn(urn_text)
        found = catalog_queries.asset_id(session, kind, namespace, key)
        if found is None:
            raise NotFound(f"nothing is registered as {urn_text}")
        definition = kind in (AssetKind.SOURCE, AssetKind.DATASET, AssetKind.JOB, AssetKind.MODEL)
        level = Level.DATASET if definition else Level.VERSION
        request = WalkRequest(NodeRef(kind, str(found)), direction, depth, level)
        result = walk_graph(session, request)
        names = names_of(session, result)
    if as_json:
        print(json.dumps(as_json_walk(result, names), ensure_ascii=False, indent=2))
    else:
        out.print(as_tree(result, names, upstream=direction is not Direction.DOWNSTREAM))
        if result.truncated:
            err.print(f"[yellow]truncated: {result.reason}")


@lineage_app.command("expire")
def lineage_expire(
    days: Annotated[
        int | None, typer.Option(min=1, help="Days since an edge was seen; ASSETGRAPH_EDGE_TTL_DAYS when left out.")
    ] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Close edges that nobody has said for long; workers do so when ASSETGRAPH_EDGE_TTL_DAYS is set."""
    settings = settings_of(database_url)
    ttl = days or settings.edge_ttl_days
    if not ttl:
        raise Invalid("no time to live is set; pass --days or set ASSETGRAPH_EDGE_TTL_DAYS", path=("days",))
    with open_database(settings) as database:
        closed = expire(database, ttl, actor="cli")
    show([{"closed": closed}], as_json=as_json, title="Edges past their time to live")


@lineage_app.command("check")
def lineage_check(
    sample: Annotated[int, typer.Option(min=1, help="How many assets to walk from, chosen by chance.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the choice.")] = 0,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Walk from a sample of assets in SQL and in memory; exit 1 when any answer differs."""
    index, differing, walked = GraphIndex(), [], 0
    with open_database(settings_of(database_url)) as database, database.reading() as session:
        index.at(session)
        ends = lineage_queries.edge_ends(session)
        chosen = random.Random(seed).sample(ends, min(sample, len(ends)))  # noqa: S311 - no secret
        for asset, kind, level in chosen:
            for depth in (1, 20):
                request = WalkRequest(NodeRef(kind, str(asset)), Direction.BOTH, depth, level)
                expected, found = walk(session, request), walk_in_memory(session, request, index)
                if found is None or (expected.reason and expected.reason.startswith("budget")):
                    continue
                walked += 1
                if found.nodes != expected.nodes or {*map(repr, found.edges)} != {*map(repr, expected.edges)}:
                    differing.append(f"{kind.value} {asset} at depth {depth}")
    show([{"walked": walked, "differing": len(differing)}], as_json=as_json, title="Index against SQL")
    for one in differing[:20]:
        err.print(f"differs: {one}")
    if differing:
        raise typer.Exit(1)


@lineage_app.command("export")
def lineage_export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; default: stdout.")] = None,
    events_only: Annotated[
        bool, typer.Option("--events-only", help="Only the events that came, as they came.")
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Write the whole graph as OpenLineage events, one JSON object a line."""
    with open_database(settings_of(database_url)) as database, written(output) as stream:
        with database.reading() as session, err.status("exporting") as status:
            for count, line in enumerate(export_lines(session, events_only=events_only), start=1):
                stream.write(line)
                if count % 1000 == 0:
                    status.update(f"{count} lines")
        stream.flush()
    err.print(f"{count} lines were written")


@lineage_app.command("import")
def lineage_import(
    file: Annotated[str, typer.Argument(help="File of events, one JSON object a line; - is stdin.")],
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Replay events, and put back what an export holds beside them; exit 1 when a line is wrong.

    An export is believed as a backup is: import only files that you trust.
    """
    with open_database(settings_of(database_url)) as database, ExitStack() as stack:
        stream = sys.stdin.buffer if file == "-" else stack.enter_context(Path(file).open("rb"))
        status = stack.enter_context(err.status("importing"))
        done = import_lines(
            database, stream, actor="cli", on_progress=lambda so_far: status.update(f"{so_far.lines} lines")
        )
    row = {"lines": done.lines, "new_events": done.events, "known_events": done.known, "rows_added": done.added,
           "errors": len(done.errors)}  # fmt: skip
    show([row], as_json=as_json, title="Import")
    for number, message in done.errors[:100]:
        err.print(f"line {number}: {message}", markup=False, soft_wrap=True)
    if done.errors:
        raise typer.Exit(1)


@lineage_app.command("hash")
def lineage_hash(database_url: DatabaseUrl = None) -> None:
    """Print the graph's hash: equal graphs have the same, in whatever database and order they were made."""
    with open_database(settings_of(database_url)) as database, database.reading() as session:
        print(graph_hash(session))
