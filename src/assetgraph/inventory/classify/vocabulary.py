"""Lists that values are looked up in: read once, on first use, from the files beside this module."""

import json
import tomllib
from functools import cache
from pathlib import Path

from assetgraph.inventory.classify.texts import folded

_DATA = Path(__file__).parent / "data"


@cache
def _lists() -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads((_DATA / "lists.json").read_text(encoding="utf-8"))
    return found


@cache
def _vocabulary() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = tomllib.loads((_DATA / "vocabulary.toml").read_text(encoding="utf-8"))
    return found


@cache
def _people() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = tomllib.loads((_DATA / "people.toml").read_text(encoding="utf-8"))
    return found


@cache
def codes(name: str) -> frozenset[str]:
    """Return codes as the standards write them: country_2, country_3, currency (upper case), language (lower)."""
    return frozenset(_lists()[name])


@cache
def words(name: str) -> frozenset[str]:
    """Return the folded entries of a list: a section of the vocabularies, or names out of lists.json."""
    entries: list[str] = list(_lists().get(name, ()))
    for line in (*_vocabulary().get(name, {}).values(), *_people().get(name, {}).values()):
        entries += [entry.strip() for entry in line.split(",")]
    if not entries:
        return frozenset()
    # Folding is by the letter, so that all entries fold at once.
    lines = "\n".join(entries)
    return frozenset(folded(lines).split("\n")) | frozenset(folded(lines, short=True).split("\n"))
