"""Alembic's entry: runs on the connection that assetgraph.db.migrate hands over."""

from alembic import context

from assetgraph.db.metadata import all_tables

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=all_tables(),
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
