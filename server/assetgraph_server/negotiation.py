"""Content negotiation of GraphQL over HTTP: which media type answers an Accept header."""

GRAPHQL_JSON = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"


def _ranges(accept: str) -> list[tuple[float, str]]:
    """Media ranges of an Accept header with their weights, best first, in the order given among equals."""
    found = []
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        if name and 0.0 < weight <= 1.0:
            found.append((weight, name))
    found.sort(key=lambda item: -item[0])
    return found


def negotiate(accept: str, *, page: bool = False) -> str | None:
    """Choose the media type to answer with, or None when nothing fits; `page` says that HTML may be had as well."""
    if not accept.strip():
        return JSON
    for _, name in _ranges(accept):
        if name in (GRAPHQL_JSON, JSON) or (page and name == HTML):
            return name
        if name in ("*/*", "application/*"):
            return JSON
        if page and name == "text/*":
            return HTML
    return None
