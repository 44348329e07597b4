"""What all commands share: settings, the database, tables for people and JSON for programs."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.errors import Invalid
from assetgraph.settings import Settings
from assetgraph_server.logs import configure_logs

# Names are data: what looks like markup in them is printed as it is.
out = Console(markup=False)
err = Console(stderr=True)

DatabaseUrl = Annotated[str | None, typer.Option("--database-url", help="SQLAlchemy URL; default: the setting.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
Namespace = Annotated[str, typer.Option("--namespace", help="Namespace of the assets.")]
NominalTime = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"],
        help="When it was planned for, where a schedule starts it; UTC unless said otherwise.",
    ),
]


def settings_of(database_url: str | None = None, **changed: Any) -> Settings:
    """Return the settings in force, and set this process up by them."""
    if database_url:
        changed["database_url"] = database_url
    try:
        settings = Settings(**changed)
    except ValidationError as error:
        found = [f"ASSETGRAPH_{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors()]
        raise Invalid("a setting is wrong: " + "; ".join(found)) from None
    configure_logs(settings)
    # Compiled kernels are kept where the service may write, also when it is installed read-only.
    os.environ.setdefault("NUMBA_CACHE_DIR", str(settings.home / "kernels"))
    return settings


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the database, migrated."""
    migrate.upgrade(settings.url)
    database = Database(settings.url)
    try:
        yield database
    finally:
        database.close()


def show(rows: Sequence[dict[str, Any]], *, as_json: bool, title: str) -> None:
    """Print rows as a table for people, or as JSON."""
    if as_json:
        print(json.dumps(list(rows), ensure_ascii=False, indent=2, default=str))
        return
    table = Table(title=title)
    for name in rows[0] if rows else ["nothing"]:
        table.add_column(name)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    out.print(table)


@contextmanager
def written(output: Path | None) -> Iterator[BinaryIO]:
    """Give stdout, or a file that has its name only once it is whole."""
    if output is None:
        yield sys.stdout.buffer
        return
    temporary = output.with_name(output.name + ".part")
    with temporary.open("wb") as stream:
        yield stream
    temporary.replace(output)
