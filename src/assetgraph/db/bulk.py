"""Whole tables of integers as arrays: no Python object per row."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.db.engine import Session

#: Ids whose rows PostgreSQL packs into one value.
PACKED_IDS = 50_000


def integer_columns(session: Session, columns: Sequence[str], source: str) -> NDArray[np.int64]:
    """Return non-null integer expressions over a table (and maybe WHERE), int64 of shape (columns, rows).

    `columns` and `source` are SQL of this program, never a caller's text; `id` is a column of the table. The rows
    are of the session's snapshot.
    """
    if session.dialect == "postgresql":
        return _packed(session, columns, source)
    return _rows(session, f"SELECT {', '.join(columns)} FROM {source}", len(columns))


def _packed(session: Session, columns: Sequence[str], source: str) -> NDArray[np.int64]:
    # The server concatenates rows to large values: a message per row costs the client several times the query.
    row = " || ".join(f"int8send(({column})::int8)" for column in columns)
    statement = f"SELECT string_agg({row}, ''::bytea) FROM {source} GROUP BY id / {PACKED_IDS}"
    driver: Any = session.connection.connection.driver_connection
    with driver.cursor(binary=True) as cursor:
        raw = b"".join(part for (part,) in cursor.execute(statement))
    return np.frombuffer(raw, dtype=">i8").reshape(-1, len(columns)).T.astype(np.int64)


def _rows(session: Session, statement: str, columns: int) -> NDArray[np.int64]:
    # By the connection's own SQLite, though a driver that fills arrays takes half as long: that brings a second copy of
    # the library, and what one of them closes takes the other's locks away (sqlite.org/howtocorrupt.html, 2.2.1).
    driver: Any = session.connection.connection.driver_connection
    found = np.fromiter(chain.from_iterable(driver.execute(statement)), dtype=np.int64)
    return np.ascontiguousarray(found.reshape(-1, columns).T)
