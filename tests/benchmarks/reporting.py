"""Prints a benchmark's table for people and as JSON, so that docs/benchmarks.md can be checked against it."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def report(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print rows that have the same keys."""
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    out = Console(width=120)
    out.print(table)
    out.print(json.dumps({"title": title, "rows": list(rows)}), highlight=False, markup=False, soft_wrap=True)
