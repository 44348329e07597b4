"""Which column of the data each column of a result was made of, and what was done to its values."""

from collections.abc import Sequence

from assetgraph.inventory.prepare.rules import MADE, Case, Rules
from assetgraph.lineage.support import Transformation

#: Columns that decide which rows stay are told for each column of the result, up to so many pairs in all.
MOST_FILTERS = 2000

#: Column of the data, column of the result, what was done.
Derivation = tuple[str, str, Transformation]


def columns_of(rules: Rules, part: str, columns: Sequence[str]) -> list[Derivation]:
    """Return how the columns of a part (clean, train ..., users, items) were made."""
    if part in ("users", "items"):
        field = rules.user_field if part == "users" else rules.item_field
        assert field is not None  # noqa: S101 - a mapping is written where its rule asks for it
        one = part.removesuffix("s")
        index = Transformation("DIRECT", "TRANSFORMATION", "dense index")
        return [(field, f"{one}_index", index), (field, f"{one}_id", Transformation("DIRECT", "TRANSFORMATION"))]
    done = _changes(rules)
    made = {column: field for column, rule in MADE.items() if (field := getattr(rules, rule)) is not None}
    found = [
        (made[column], column, Transformation("DIRECT", "TRANSFORMATION", "dense index")) if column in made
        else (column, column, Transformation("DIRECT", "TRANSFORMATION" if done.get(column) else "IDENTITY",
                                             ", ".join(done.get(column, ()))))
        for column in columns
    ]  # fmt: skip
    deciding = _deciding(rules)
    if len(deciding) * len(columns) <= MOST_FILTERS:
        found += [(field, column, Transformation("INDIRECT", "FILTER")) for field in deciding for column in columns]
    return found


def _changes(rules: Rules) -> dict[str, list[str]]:
    done: dict[str, list[str]] = {}
    for text in rules.text:
        case = "" if text.case is Case.KEEP else f", {text.case.lower()} case"
        done.setdefault(text.field, []).append(f"NFC, trimmed, single spaces{case}")
    for time in rules.times:
        done.setdefault(time.field, []).append("parsed as time")
    for scale in rules.scaled:
        done.setdefault(scale.field, []).append(scale.method.lower().replace("_", "-"))
    return done


def _deciding(rules: Rules) -> list[str]:
    named = [*rules.required, *rules.positive]
    named += [rule.field for rule in rules.excluded]
    named += [rule.field for rule in rules.outliers]
    named += [rule.field for rule in rules.times]
    named += [field for field in (rules.user_field, rules.item_field) if field is not None]
    named += rules.duplicates.fields if rules.duplicates is not None else ()
    if rules.split is not None:
        named.append(rules.split.field)
    return list(dict.fromkeys(named))
