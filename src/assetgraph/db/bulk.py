"""Whole tables of integers as arrays: no Python object per row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.db.engine import Session

#: Ids whose rows PostgreSQL packs into one value.
PACKED_IDS = 50_000


def integer_columns(session: Session, columns: Sequence[str], source: str) -> NDArray[np.int64]:
    """Return non-null integer expressions over a table (and maybe WHERE), int64 of shape (columns, rows).

    `columns` and `source` are SQL of this program, never a caller's text; `id` is a column of the table. On PostgreSQL
    the rows are of the session's snapshot. SQLite reads through a connection of its own and may see commits that came
    after the snapshot began.
    """
    if session.dialect == "postgresql":
        return _packed(session, columns, source)
    path = session.connection.engine.url.database
    return _through_adbc(str(path), f"SELECT {', '.join(columns)} FROM {source}", len(columns))


def _packed(session: Session, columns: Sequence[str], source: str) -> NDArray[np.int64]:
    # The server concatenates rows to large values: a message per row costs the client several times the query.
    row = " || ".join(f"int8send(({column})::int8)" for column in columns)
    statement = f"SELECT string_agg({row}, ''::bytea) FROM {source} GROUP BY id / {PACKED_IDS}"
    driver: Any = session.connection.connection.driver_connection
    with driver.cursor(binary=True) as cursor:
        raw = b"".join(part for (part,) in cursor.execute(statement))
    return np.frombuffer(raw, dtype=">i8").reshape(-1, len(columns)).T.astype(np.int64)


def _through_adbc(path: str, statement: str, columns: int) -> NDArray[np.int64]:
    from adbc_driver_sqlite import dbapi

    with dbapi.connect(f"file:{path}?mode=ro") as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        table = cursor.fetch_arrow_table()
    if not table.num_rows:
        return np.empty((columns, 0), dtype=np.int64)
    return np.stack([column.to_numpy().astype(np.int64, copy=False) for column in table.columns])
