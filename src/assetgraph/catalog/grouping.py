"""Which files of a source make one dataset, where its owner knows better than the rules that hold everywhere."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from assetgraph.errors import Invalid

MAX_RULES = 100
MAX_PATTERN_CHARS = 500


class GroupingKind(StrEnum):
    """What a rule does with the files that its pattern matches."""

    GROUP = "GROUP"
    SPLIT = "SPLIT"
    SKIP = "SKIP"


@dataclass(frozen=True)
class GroupingRule:
    """A pattern of paths below the source, and what becomes of the files it matches; the first that matches counts.

    `*` stands for any characters of one name, `?` for one, `**` for any folders. GROUP makes all of them one dataset
    called `name` (empty: the pattern's part before the first wildcard), SPLIT each a dataset of its own, SKIP none.
    """

    kind: GroupingKind
    pattern: str
    name: str | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.pattern) <= MAX_PATTERN_CHARS:
            raise Invalid(f"a pattern has 1 to {MAX_PATTERN_CHARS} characters", path=("grouping", "pattern"))
        parts = self.pattern.split("/")
        if "" in parts or ".." in parts or "." in parts or any("**" in part and part != "**" for part in parts):
            message = f"'{self.pattern}' is no pattern of paths below the source; write it like events/*/day-*.csv"
            raise Invalid(message, path=("grouping", "pattern"))
        if self.name is not None and (self.kind is not GroupingKind.GROUP or not self.name.strip()):
            raise Invalid("only a rule that groups has a name, and it is not empty", path=("grouping", "name"))

    @property
    def dataset(self) -> str:
        """The name of the one dataset that a GROUP rule makes."""
        if self.name is not None:
            return self.name.strip()
        fixed = re.split(r"[*?]", self.pattern, maxsplit=1)[0]
        return fixed.rstrip("/-_. ") or "files"

    def expression(self) -> re.Pattern[str]:
        """Return the pattern as a regular expression over whole paths; its cost grows with their length only."""
        parts = []
        for place, part in enumerate(self.pattern.split("/")):
            last = place == self.pattern.count("/")
            if part == "**":
                parts.append(".*" if last else "(?:[^/]+/)*")
            else:
                one = re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
                parts.append(one if last else one + "/")
        return re.compile("".join(parts))

    def as_json(self) -> dict[str, Any]:
        """Return the rule as it is stored."""
        return {"kind": self.kind.value, "pattern": self.pattern, "name": self.name}


def stored_rules(rules: Iterable[GroupingRule]) -> list[dict[str, Any]]:
    """Return rules as they are stored; raises Invalid for too many."""
    found = [rule.as_json() for rule in rules]
    if len(found) > MAX_RULES:
        raise Invalid(f"{len(found)} rules; at most {MAX_RULES} are allowed", path=("grouping",))
    return found


def rules_of(stored: Iterable[Mapping[str, Any]] | None) -> tuple[GroupingRule, ...]:
    """Return the rules that a source's row holds."""
    return tuple(GroupingRule(GroupingKind(one["kind"]), one["pattern"], one.get("name")) for one in stored or ())
