"""REST for existing tools: OpenLineage in, and the Marquez read API."""
