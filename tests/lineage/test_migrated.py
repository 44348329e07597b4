"""Migration 0007 on a filled database: closed column edges know why, and supporters know when."""

from alembic import command
from alembic.script import ScriptDirectory
from test_columns import Shop

from assetgraph.catalog.tables import VERSION
from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.lineage.tables import EDGE, EDGE_RUN, Ending, Level


def test_old_rows_say_what_new_ones_would(database: Database) -> None:
    """Taken back and applied again, the rows are as they were."""
    shop = Shop(database)
    for fields in (("mail", "city"), ("city",)):
        shop.version("raw", *fields)
        shop.version("clean", *fields)
        if len(fields) == 2:
            shop.run("r", "raw.mail>clean.mail", "raw.city>clean.city")

    def seen() -> list[object]:
        with database.reading() as session:
            return [
                [tuple(row) for row in session.execute(EDGE.select().order_by(EDGE.c.id))],
                sorted(tuple(row) for row in session.execute(EDGE_RUN.select())),
                [(row.id, row.described) for row in session.execute(VERSION.select().order_by(VERSION.c.id))],
            ]

    before = seen()
    with database.transaction("test") as session:
        config = migrate._config(session.connection)
        below = ScriptDirectory.from_config(config).get_revision("0007").down_revision
        command.downgrade(config, str(below))
        session.execute(EDGE_RUN.update().values(first_at=None, last_at=None))
    migrate.upgrade(database.url)
    assert seen() == before
    with database.reading() as session:
        dropped = session.execute(EDGE.select().where(EDGE.c.ending == Ending.DROPPED)).all()
    assert [row.level for row in dropped] == [Level.FIELD]
