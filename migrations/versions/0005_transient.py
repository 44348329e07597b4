"""Transient datasets and the jobs of single statements: walks go through them without showing them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

#: As catalog/temporary.py has it when this was written.
_PASSING = (
    "key LIKE '%dbt\\_test\\_\\_audit.%' ESCAPE '\\' OR key LIKE '%\\_\\_dbt\\_tmp%' ESCAPE '\\' "
    "OR key LIKE '%\\_\\_dbt\\_backup%' ESCAPE '\\'"
)
_STATEMENTS = """
    SELECT DISTINCT run.job_id, mine.key AS name, above.key AS parent FROM run
    JOIN asset AS mine ON mine.id = run.job_id
    JOIN run AS caller ON caller.id = run.parent_id
    JOIN asset AS above ON above.id = caller.job_id
    WHERE mine.key LIKE '%.sql.%'
"""


def upgrade() -> None:
    """Apply, and mark what is there."""
    op.add_column("dataset", sa.Column("transient", sa.Boolean(), nullable=True))
    op.add_column("dataset", sa.Column("temporary", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("job", sa.Column("statement", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(
        sa.text(f"UPDATE dataset SET temporary = :yes WHERE id IN (SELECT id FROM asset WHERE {_PASSING})")
        .bindparams(yes=True)
    )
    rows = op.get_bind().execute(sa.text(_STATEMENTS)).all()
    jobs = [
        row.job_id for row in rows
        if row.name.startswith(f"{row.parent}.sql.") and row.name.removeprefix(f"{row.parent}.sql.").isdigit()
    ]
    mark = sa.text("UPDATE job SET statement = :yes WHERE id = :job")
    for job in jobs:
        op.execute(mark.bindparams(yes=True, job=job))


def downgrade() -> None:
    """Take back."""
    op.drop_column("job", "statement")
    op.drop_column("dataset", "temporary")
    op.drop_column("dataset", "transient")
