"""Tags and owners as the history writes them: JSON of pairs, sorted, so that equal sets are equal texts."""

from collections.abc import Iterable

import orjson


def tags_text(names: Iterable[str]) -> str:
    """Return an asset's own tags as its history holds them."""
    return pairs_text(("", name) for name in names)


def owners_text(principals: Iterable[str]) -> str:
    """Return owners that a command named as the history holds them."""
    return pairs_text((principal, "OWNER") for principal in principals)


def pairs_text(pairs: Iterable[tuple[str, str]]) -> str:
    """Return pairs as JSON, each once, sorted."""
    return orjson.dumps(sorted(set(pairs))).decode()


def pairs_of(text: str | None) -> list[tuple[str, str]]:
    """Return what `pairs_text` packed."""
    return [] if text is None else [(one, other) for one, other in orjson.loads(text)]


def owners_needle(principal: str) -> str:
    """Return what the text of owners holds exactly when someone is among them."""
    return orjson.dumps([principal]).decode()[:-1] + ","
