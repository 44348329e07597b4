"""Which files make one dataset, and what it is called: the same rules for folders and for object stores.

1. A rule of the source that matches counts first.
2. A folder in a table format (Delta, Iceberg) is one dataset.
3. What lies below folders named `key=value` is one dataset of the folder above the first of them.
4. Two or more files whose paths differ only in dates, UUIDs and a number at the end are one dataset: a series.
5. Every other file is a dataset, named by its path from the source's root without the suffix.

Where two datasets would get one name, Parquet files come before folders and series before CSV before TSV before the
rest, and the later ones keep their suffix (a folder: a trailing `/`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from assetgraph.catalog.grouping import GroupingKind, GroupingRule
from assetgraph.inventory.discover.candidates import Access, Candidate, Entry
from assetgraph.inventory.discover.listing import Folder
from assetgraph.inventory.discover.names import PARTITION, TOGETHER, series_of, undated

_RANKS = {"parquet": 0, "folder": 1, "csv": 2, "tsv": 3}


@dataclass
class _Group:
    """Files that make one dataset when there are enough of them; `alone` is what one by itself is."""

    name: str
    location: str
    format: str
    partitioned_below: str | None = None
    needs_two: bool = False
    suffix: str = ""
    alone: list[tuple[str, str]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


class Grouping:
    """Takes listed folders and gives their datasets."""

    def __init__(self, top: str, prefix: str, rules: Sequence[GroupingRule], access: Access, base: str) -> None:
        """Group what lies below `top`, whose own path from the source's root (`base`) is `prefix`."""
        self._top, self._prefix, self._base, self._access = top, f"{prefix}/" if prefix else "", base, access
        self._root_name = prefix or top.rstrip("/").rpartition("/")[2]
        self._rules = [(rule, rule.expression()) for rule in rules]
        self._groups: dict[tuple[str, ...], _Group] = {}
        self._found: list[tuple[Candidate, str]] = []

    def add(self, folder: Folder) -> None:
        """Add what a folder holds."""
        if folder.problem or folder.table:
            if folder.table and self._rule(folder.relative) is GroupingKind.SKIP:
                return
            form = folder.table or "folder"
            self._single(self._named(folder.relative), form, folder.entries, folder.path, "/", folder.problem)
            return
        parts = folder.relative.split("/") if folder.relative else []
        first = next((place for place, part in enumerate(parts) if PARTITION.fullmatch(part)), None)
        above = None if first is None else "/".join(parts[:first])
        name, pattern = undated(folder.relative)
        start = f"{self._prefix}{folder.relative}/" if folder.relative else self._prefix
        for stem, suffix, form, entry in folder.files:
            kind = self._rule(f"{folder.relative}/{stem}.{suffix}".lstrip("/"), entry, form) if self._rules else None
            if kind is GroupingKind.SKIP or kind is GroupingKind.GROUP:
                continue
            if kind is None and above is not None and form in TOGETHER:
                self._partition(above, form, entry)
                continue
            series = series_of(stem) if form in TOGETHER and kind is None else None
            if series is None and (name == folder.relative or form not in TOGETHER or kind is not None):
                self._single(start + stem, form, [entry], entry.path, f".{suffix}", "")
                continue
            whole, shape = series or (stem, stem)
            self._series((name, whole), (pattern, shape), suffix, form, entry, start + stem)

    def _rule(self, relative: str, entry: Entry | None = None, form: str = "") -> GroupingKind | None:
        path = self._prefix + relative
        for rule, expression in self._rules:
            if not expression.fullmatch(path):
                continue
            if rule.kind is GroupingKind.GROUP and entry is not None:
                location = f"{self._base.rstrip('/')}/{rule.pattern}"
                self._join(("rule", rule.pattern, form), _Group(rule.dataset, location, form), entry)
            return rule.kind
        return None

    def _partition(self, above: str, form: str, entry: Entry) -> None:
        location = f"{self._top}/{above}" if above else self._top
        group = _Group(self._named(above), location, form, partitioned_below=location)
        self._join(("partition", above, form), group, entry)

    def _series(
        self, names: tuple[str, str], patterns: tuple[str, str], suffix: str, form: str, entry: Entry, alone: str
    ) -> None:
        key = ("series", *patterns, form)
        known = self._groups.get(key)
        if known is None:
            name = "/".join(part for part in names if part)
            folder, shape = patterns
            location = f"{self._top}/{folder}" if folder else self._top
            # A folder that is a series by itself is called by its own name.
            location += "" if shape == "*" and "*" not in folder else f"/{shape}.{suffix}"
            known = self._groups[key] = _Group(self._named(name), location, form, needs_two=True, suffix=f".{suffix}")
        known.entries.append(entry)
        if len(known.entries) == 1:
            known.alone.append((alone, f".{suffix}"))

    def _join(self, key: tuple[str, ...], group: _Group, entry: Entry) -> None:
        self._groups.setdefault(key, group).entries.append(entry)

    def _named(self, relative: str) -> str:
        return f"{self._prefix}{relative}" if relative else self._root_name

    def _single(self, name: str, form: str, entries: Iterable[Entry], location: str, suffix: str, problem: str) -> None:
        found = Candidate(
            name, form, tuple(entries), location, self._base, problem=problem, access=self._access
        )  # fmt: skip
        self._found.append((found, suffix))

    def datasets(self) -> list[Candidate]:
        """Return the datasets of all that was added, in the order of their names, no two of which are equal."""
        for group in self._groups.values():
            if group.needs_two and len(group.entries) == 1:
                [(name, suffix)] = group.alone
                self._single(name, group.format, group.entries, group.entries[0].path, suffix, "")
                continue
            found = Candidate(
                group.name, group.format, tuple(sorted(group.entries)), group.location, self._base,
                partitioned_below=group.partitioned_below, access=self._access,
            )  # fmt: skip
            self._found.append((found, "/"))
        return _with_distinct_names(self._found)


def _with_distinct_names(found: list[tuple[Candidate, str]]) -> list[Candidate]:
    taken: set[str] = set()
    named = []
    for candidate, suffix in sorted(found, key=_order):
        name = candidate.name
        for more in (suffix, f".{candidate.format}", *("+" * 1000)):
            if name not in taken:
                break
            name += more
        taken.add(name)
        named.append(candidate if name == candidate.name else replace(candidate, name=name))
    return sorted(named, key=lambda one: one.name)


def _order(pair: tuple[Candidate, str]) -> tuple[str, int, str]:
    candidate, suffix = pair
    rank = _RANKS.get("folder" if suffix == "/" else candidate.format, 4)
    return candidate.name, rank, candidate.location
