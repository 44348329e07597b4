"""`assetgraph relate`: look for keys and relations among the datasets of a namespace, from the shell."""

from assetgraph.catalog import queries as catalog
from assetgraph.inventory import relate_service as service
from assetgraph.inventory import relation_queries as queries
from assetgraph_server.console import AsJson, DatabaseUrl, Namespace, open_database, settings_of, show
from assetgraph_server.working import with_sources, work_through


def relate(namespace: Namespace, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Look for keys and relations among the datasets of a namespace, and list the relations."""
    settings = settings_of(database_url)
    with open_database(settings) as database:
        settings = with_sources(settings, database)
        with database.transaction(actor="cli") as session:
            run, _ = service.start_relating(session, service.StartRelating(namespace))
        done = work_through(settings, database, run)
        with database.reading() as session:
            datasets = [int(row.id) for row in queries.datasets_of(session, namespace, service.MOST_DATASETS)]
            found = queries.relations_among(session, datasets)
            names = catalog.datasets_by_ids(session, datasets)
            ends = [end for row in found for end in (int(row.from_field_id), int(row.to_field_id))]
            fields = catalog.fields_by_ids(session, ends)
            rows = [
                {
                    "kind": row.kind.value,
                    "from": f"{names[int(row.from_dataset_id)].name}.{fields[int(row.from_field_id)].path}",
                    "to": f"{names[int(row.to_dataset_id)].name}.{fields[int(row.to_field_id)].path}",
                    "confidence": round(row.confidence, 3), "status": row.status.value,
                }
                for row in sorted(found, key=lambda row: -row.confidence)
            ]  # fmt: skip
    show(rows, as_json=as_json, title=str(done["message"]))
