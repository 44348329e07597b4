"""From rules to Polars expressions: how columns are normalised, and which rule drops a row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from assetgraph.inventory.prepare.rules import EPOCHS, Case, Rules, SplitBy, TimeRule

#: Columns of ours begin with a NUL, which no column of a file does.
ROW, CODE, PART = "\0row", "\0code", "\0part"
USER, ITEM, SPLIT_USER = "\0user", "\0item", "\0split"

#: Gives a column's values as text that tells users or items apart; null where there is none.
AsId = Callable[[str, pl.DataType], pl.Expr]


@dataclass(frozen=True)
class Drop:
    """Rows that a rule drops, unless a rule before it did; `name` is that of the metric."""

    name: str
    field: str | None
    condition: pl.Expr


@dataclass(frozen=True)
class Bounds:
    """The numbers from low to high that an outlier rule lets stay."""

    field: str
    low: float
    high: float


def normalised(frame: pl.LazyFrame, rules: Rules, as_id: AsId) -> pl.LazyFrame:
    """Return the table with its text normalised, its times parsed beside the text, and ids as text.

    Beside each text column that a rule changes stands whether it did (`changed`), beside each time what was read of it
    (`parsed`).
    """
    texts = [expression for rule in rules.text for expression in _text(rule.field, rule.case)]
    with_text = frame.with_columns(texts)
    schema = with_text.collect_schema()
    times = [_parsed(rule, schema[rule.field]).alias(parsed(rule.field)) for rule in rules.times]
    named = {USER: rules.user_field, ITEM: rules.item_field}
    if rules.split is not None and rules.split.by is SplitBy.USER:
        named[SPLIT_USER] = rules.split.field
    ids = [as_id(field, schema[field]).alias(column) for column, field in named.items() if field is not None]
    return with_text.with_columns(times + ids)


def changed(field: str) -> str:
    """Return the name of the column that says whether a text was changed."""
    return f"\0changed {field}"


def parsed(field: str) -> str:
    """Return the name of the column that holds a parsed time."""
    return f"\0parsed {field}"


def _text(field: str, case: Case) -> list[pl.Expr]:
    raw = pl.col(field).cast(pl.String)
    text = raw.str.normalize("NFC").str.replace_all(r"\s+", " ").str.strip_chars()
    if case is not Case.KEEP:
        text = text.str.to_lowercase() if case is Case.LOWER else text.str.to_uppercase()
    text = pl.when(text == "").then(None).otherwise(text)
    return [text.alias(field), raw.ne_missing(text).alias(changed(field))]


def _parsed(rule: TimeRule, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(rule.field)
    if dtype.is_temporal():
        if isinstance(dtype, pl.Datetime):
            return column.dt.cast_time_unit("us")
        return column.cast(pl.Datetime("us")) if isinstance(dtype, pl.Date) else column
    attempts = []
    for form in rule.formats:
        if form in EPOCHS:
            number = column.cast(pl.Float64, strict=False)
            factor = {"s": 1_000_000, "ms": 1_000, "us": 1}[EPOCHS[form]]
            micros = (number * factor).round().cast(pl.Int64, strict=False)
            attempts.append(micros.cast(pl.Datetime("us")))
        elif not dtype.is_numeric():
            text = column.cast(pl.String)
            zoned = "%z" in form or "%#z" in form or "%:z" in form
            time = text.str.to_datetime(form, strict=False, time_unit="us")
            # Times with offsets are kept in UTC without saying so, so that they stand beside those of other formats.
            attempts.append(time.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zoned else time)
    return pl.coalesce(attempts)


def drops(rules: Rules, schema: pl.Schema, bounds: Sequence[Bounds]) -> list[Drop]:
    """Return what drops rows of a normalised table, in the order of the rules."""
    found = [Drop("dropped_null", field, _missing(field, schema[field])) for field in rules.required]
    ids = {USER: rules.user_field, ITEM: rules.item_field}
    if rules.split is not None:
        ids[SPLIT_USER] = rules.split.field if rules.split.by is SplitBy.USER else None
    known = set(rules.required)
    for column, field in ids.items():
        if field is not None:
            found.append(Drop("dropped_null", field, pl.col(column).is_null()))
            known.add(field)
    if rules.split is not None and rules.split.by is SplitBy.TIME and rules.split.field not in known:
        found.append(Drop("dropped_null", rules.split.field, pl.col(rules.split.field).is_null()))
    for rule in rules.times:
        unread = pl.col(rule.field).is_not_null() & pl.col(parsed(rule.field)).is_null()
        found.append(Drop("dropped_time", rule.field, unread))
    for one in rules.excluded:
        matches = pl.col(one.field).cast(pl.String).str.contains(one.pattern)
        found.append(Drop("dropped_pattern", one.field, matches))
    for name in rules.positive:
        number = pl.col(name).fill_nan(None) if schema[name].is_float() else pl.col(name)
        found.append(Drop("dropped_not_positive", name, (number > 0).fill_null(value=False).not_()))
    for bound in bounds:
        number = pl.col(bound.field).cast(pl.Float64)
        outside = number.is_between(bound.low, bound.high).not_() | number.is_finite().not_()
        found.append(Drop("dropped_outlier", bound.field, outside))
    return found


def _missing(field: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(field)
    return column.is_null() | column.is_nan() if dtype.is_float() else column.is_null()


def coded(frame: pl.LazyFrame, dropping: Sequence[Drop]) -> pl.LazyFrame:
    """Return the table with the number of the rule that drops each row, from 1; 0 for those that stay."""
    code = pl.lit(0, dtype=pl.UInt16)
    for number, one in reversed(list(enumerate(dropping, start=1))):
        condition = one.condition.fill_null(value=False)
        code = pl.when(condition).then(pl.lit(number, dtype=pl.UInt16)).otherwise(code)
    return frame.with_columns(code.alias(CODE))


def replaced(frame: pl.LazyFrame, rules: Rules) -> pl.LazyFrame:
    """Return a table with parsed times in the place of their text."""
    return frame.with_columns([pl.col(parsed(rule.field)).alias(rule.field) for rule in rules.times])
