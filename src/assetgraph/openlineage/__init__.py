"""OpenLineage: events in and out, and the answers of the Marquez read API."""
