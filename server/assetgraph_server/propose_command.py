"""`assetgraph propose`: ask models about the datasets of a namespace, from the shell."""

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.tables import ProposalStatus
from assetgraph.inventory import classification_queries as meanings
from assetgraph.inventory import proposal_queries as queries
from assetgraph.inventory import propose_service as service
from assetgraph.inventory.classification_tables import SCAN
from assetgraph.inventory.relation_queries import datasets_of
from assetgraph_server.console import AsJson, DatabaseUrl, Namespace, open_database, settings_of, show
from assetgraph_server.working import work_through


def propose(namespace: Namespace, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Ask models what columns mean and what datasets are, and list what waits for a steward."""
    settings = settings_of(database_url)
    with open_database(settings) as database:
        with database.transaction(actor="cli") as session:
            run, _ = service.start_proposing(session, service.StartProposing(namespace))
        done = work_through(settings, database, run)
        with database.reading() as session:
            datasets = {int(row.id): str(row.name) for row in datasets_of(session, namespace, service.MOST_DATASETS)}
            fields = catalog.current_fields(session, list(datasets))
            columns = [field for many in fields.values() for field in many]
            named = {key: f"{datasets[int(row.dataset_id)]}.{row.path}"
                     for key, row in catalog.fields_by_ids(session, columns).items()}  # fmt: skip
            rows = [
                {"asset": named[key], "proposes": row.semantic_type, "confidence": round(row.confidence, 2),
                 "source": row.source}
                for key, row in meanings.shown(session, columns).items()
                if row.status is ProposalStatus.PROPOSED and row.source != SCAN
            ]  # fmt: skip
            rows += [
                {"asset": (datasets | named)[key], "proposes": row.text, "confidence": None, "source": row.source}
                for key, row in queries.waiting(session, [*datasets, *columns]).items()
            ]  # fmt: skip
    show(sorted(rows, key=lambda row: str(row["asset"])), as_json=as_json, title=str(done["message"]))
