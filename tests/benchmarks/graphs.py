"""Generated graphs, written straight into the tables: layers of nodes, fan-out three, some edges skipping layers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.clock import now
from assetgraph.db.engine import Database

BATCH = 50_000


def layered(nodes: int, layers: int, fan_out: int, *, skipping: float, seed: int = 0) -> NDArray[np.int64]:
    """Return edges (2, m) over nodes 1 to `nodes`; a share skips two to five layers."""
    generator = np.random.default_rng(seed)
    width = nodes // layers
    source = np.repeat(np.arange(nodes - width), fan_out)
    steps = np.where(generator.random(len(source)) < skipping, generator.integers(2, 6, len(source)), 1)
    layer = np.minimum(source // width + steps, layers - 1)
    target = layer * width + generator.integers(0, width, len(source))
    return np.unique(np.stack([source + 1, target + 1]), axis=1)


def fill(database: Database, nodes: int, edges: NDArray[np.int64]) -> None:
    """Write datasets and DERIVED edges at level DATASET."""
    moment = now()
    at = moment.isoformat(sep=" ") if database.engine.dialect.name == "postgresql" else f"{moment:%Y-%m-%d %H:%M:%S.%f}"
    assets = ((i, "DATASET", "bench", f"n{i}", f"n{i}", at) for i in range(1, nodes + 1))
    rows = (
        (i, int(a), int(b), "DERIVED", "DATASET", at, at, 1, "")
        for i, (a, b) in enumerate(edges.T.tolist(), start=1)
    )  # fmt: skip
    tables: dict[str, tuple[str, Any]] = {
        "asset": ("id, kind, namespace, key, name, created_at", assets),
        "dataset": ("id, lifecycle", ((i, "ACTIVE") for i in range(1, nodes + 1))),
        "edge": ("id, source_id, target_id, kind, level, valid_from, last_seen, run_count, producer", rows),
    }
    with database.transaction("bench") as session:
        driver: Any = session.connection.connection.driver_connection
        for table, (columns, values) in tables.items():
            if session.dialect == "postgresql":
                with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                    for row in values:
                        copy.write_row(row)
            else:
                marks = ", ".join("?" * (columns.count(",") + 1))
                driver.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)
        if session.dialect == "postgresql":
            for table in ("asset", "edge"):
                session.connection.exec_driver_sql(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))")
                session.connection.exec_driver_sql(f"ANALYZE {table}")
