"""`assetgraph inventory`: the inventory report in whatever form."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from assetgraph.errors import Invalid
from assetgraph.inventory.report import inventory_report
from assetgraph.inventory.report_page import as_html
from assetgraph.inventory.report_shapes import InventoryReport
from assetgraph.inventory.report_text import (
    ROLE_COLUMNS,
    as_json,
    as_markdown,
    as_parquet,
    left_out_text,
    model_text,
    role_rows,
    title_of,
)  # fmt: skip
from assetgraph.quality.tables import Severity
from assetgraph_server.console import AsJson, DatabaseUrl, err, open_database, settings_of, written

COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}


class Format(StrEnum):
    """Forms of the report."""

    TABLE = "table"
    JSON = "json"
    PARQUET = "parquet"
    MARKDOWN = "markdown"
    HTML = "html"


def report(
    namespace: Annotated[str | None, typer.Option(help="Only datasets and models of this namespace.")] = None,
    form: Annotated[Format, typer.Option("--format", help="Parquet has one row per dataset.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; default: stdout.")] = None,
    as_json_too: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Say what data there is for search and recommendation, how good it is, and what is missing at what cost."""
    form = Format.JSON if as_json_too else form
    if form is Format.PARQUET and output is None and sys.stdout.isatty():
        raise Invalid("Parquet is not for the screen: pass --output FILE, or redirect it", path=("output",))
    with open_database(settings_of(database_url)) as database, database.reading() as session:
        found = inventory_report(session, namespace)
    with written(output) as stream:
        stream.write(rendered(found, form, to_file=output is not None))
        stream.flush()
    if output is not None:
        err.print(f"{output} was written", markup=False, highlight=False, soft_wrap=True)


def rendered(found: InventoryReport, form: Format, *, to_file: bool = False) -> bytes:
    """Return the report as bytes of a form; a table has colours when it goes to a terminal."""
    if form is Format.PARQUET:
        return as_parquet(found)
    if form is Format.JSON:
        return orjson.dumps(as_json(found), option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z) + b"\n"
    if form is Format.MARKDOWN:
        return as_markdown(found).encode()
    if form is Format.HTML:
        return as_html(found).encode()
    console = Console(width=140) if to_file or not sys.stdout.isatty() else Console()
    with console.capture() as capture:
        print_report(console, found)
    return capture.get().encode()


def print_report(console: Console, found: InventoryReport) -> None:
    """Print the table of roles, the models and the gaps."""
    table = Table(title=Text(title_of(found)), title_justify="left")
    for place, name in enumerate(ROLE_COLUMNS):
        table.add_column(name, justify="right" if place else "left")
    rows = role_rows(found)
    for row in rows:
        table.add_row(*row, end_section=row is rows[-2])
    console.print(table)
    console.print(f"Models: {model_text(found)}.", markup=False, highlight=False)
    if left_out_text(found):
        console.print(left_out_text(found), markup=False, highlight=False)
    for gap in found.gaps:
        console.print(Text(f"{gap.severity.value:<8}", style=COLOURS[gap.severity]) + Text(gap.message))
