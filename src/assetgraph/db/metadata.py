"""All tables in one metadata: the one module of `db` that looks upward, for migrations, exports and tests."""

from sqlalchemy import MetaData

import assetgraph.catalog.tables
import assetgraph.changes.tables
import assetgraph.factorization.tables
import assetgraph.feedback.tables
import assetgraph.inventory.classification_tables
import assetgraph.inventory.proposal_tables
import assetgraph.inventory.relation_tables
import assetgraph.inventory.scan_tables
import assetgraph.jobs.tables
import assetgraph.lineage.tables
import assetgraph.openlineage.tables
import assetgraph.quality.tables  # noqa: F401
from assetgraph.db.table import metadata


def all_tables() -> MetaData:
    """Return the metadata with every slice's tables in it."""
    return metadata
