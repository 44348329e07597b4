"""A preparation as a pure function: a table and rules in, Parquet files and counts out.

Several passes over the table, each reading only the columns that it needs, none holding more than batches, one bit per
row, and the distinct users and items. What is written depends on the data and the rules alone: quantiles are exact,
sums are rounded once, splits are hashed with a seed, and the rows keep their order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from assetgraph.errors import Invalid
from assetgraph.inventory.prepare import plan, scaling, splitting
from assetgraph.inventory.prepare.duplicates import RowSet, duplicates
from assetgraph.inventory.prepare.plan import CODE, ITEM, PART, ROW, SPLIT_USER, USER, AsId, Bounds, Drop
from assetgraph.inventory.prepare.ranks import median_and_deviation, quantiles
from assetgraph.inventory.prepare.rules import OutlierMethod, OutlierRule, Rules, SplitBy, check_fields, check_rules
from assetgraph.inventory.prepare.splitting import PARTS
from assetgraph.inventory.prepare.writing import BLOCK_ROWS, PartFile, blocks
from assetgraph.inventory.profile import shown_type

#: One deviation of normally distributed numbers, in median absolute deviations.
DEVIATIONS_PER_MAD = 1.4826

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Count:
    """How often a rule did something: rows that it dropped, or texts that it changed."""

    name: str
    field: str | None
    value: float


@dataclass(frozen=True)
class Prepared:
    """What a preparation wrote (files and their rows by the part's name) and did; `rows` = `kept` + all dropped."""

    rows: int
    kept: int
    files: dict[str, Path]
    parts: dict[str, int]
    counts: tuple[Count, ...]


def prepare(frame: pl.LazyFrame, rules: Rules, folder: Path, as_id: AsId, on_progress: Progress) -> Prepared:
    """Prepare a table into `folder`, which is there and empty; raises NotFound and Invalid for what rules cannot do."""
    schema = frame.collect_schema()
    check_rules(rules)
    check_fields(rules, {name: shown_type(dtype) for name, dtype in schema.items()})
    table = plan.normalised(frame, rules, as_id)
    kinds = table.collect_schema()
    on_progress(0.0, "looking for outliers" if rules.outliers else "counting rows")
    first = plan.coded(table, plan.drops(rules, kinds, ()))
    bounds = [_bounds(plan.staying(first, rules), rule) for rule in rules.outliers]
    dropping = plan.drops(rules, kinds, bounds)
    coded = plan.coded(table, dropping)
    on_progress(0.1, "counting rows")
    rows, counts = _counted(coded, rules, dropping)
    kept = plan.staying(coded, rules)
    if rules.duplicates is not None:
        on_progress(0.2, "looking for duplicates")
        again = _duplicates(kept, rules, schema.names(), rows, folder)
        counts.append(Count("dropped_duplicate", None, again.count))
        kept = kept.filter(_not_in(again))
    left = rows - int(sum(one.value for one in counts if one.name.startswith("dropped_")))
    if not left:
        raise Invalid(_nothing_left(rows, counts), path=("rules",))
    on_progress(0.3, f"{left} of {rows} rows stay")
    names, kept, maps, scales = _finished(kept, rules, schema.names(), left, folder)
    for name, path in maps.items():
        counts.append(Count(f"{name}_count", None, pl.scan_parquet(path).select(pl.len()).collect().item()))
    written = _write(kept, names, rules, folder, left, on_progress)
    bounded = [
        Count(f"outlier_{end}", one.field, getattr(one, end))
        for one in bounds for end in ("low", "high") if np.isfinite(getattr(one, end))
    ]  # fmt: skip
    files = {**{name: folder / f"{name}.parquet" for name in written}, **maps}
    return Prepared(rows, left, files, written, (*counts, *bounded, *scales))


def _bounds(kept: pl.LazyFrame, rule: OutlierRule) -> Bounds:
    """Return the bounds of an outlier rule, of the rows that the rules before outliers leave."""
    column = pl.col(rule.field).cast(pl.Float64)
    finite = kept.select(column).filter(pl.col(rule.field).is_finite())

    def read() -> Iterator[splitting.Floats]:
        for batch in finite.collect_batches(chunk_size=BLOCK_ROWS, maintain_order=False):
            yield batch.to_series().to_numpy()

    if rule.method is OutlierMethod.QUANTILE:
        found = quantiles(read, [rule.low, rule.high]) or [-np.inf, np.inf]
        return Bounds(rule.field, found[0] if rule.low > 0 else -np.inf, found[1] if rule.high < 1 else np.inf)
    spread = median_and_deviation(read)
    if spread is None:
        return Bounds(rule.field, -np.inf, np.inf)
    median, deviation = spread
    if deviation == 0:
        message = f"more than half of column '{rule.field}' is {median:g}, so that its MAD is 0; use QUANTILE"
        raise Invalid(message, path=("rules", "outliers"))
    reach = rule.bound * DEVIATIONS_PER_MAD * deviation
    return Bounds(rule.field, median - reach, median + reach)


def _counted(coded: pl.LazyFrame, rules: Rules, dropping: Sequence[Drop]) -> tuple[int, list[Count]]:
    """Return the number of rows, and what each rule did."""
    changes = [pl.col(plan.changed(rule.field)).sum() for rule in rules.text]
    found = coded.group_by(CODE).agg(pl.len().alias(ROW), *changes).collect()
    dropped = dict(zip(found[CODE].to_list(), found[ROW].to_list(), strict=True))
    counts = [Count(one.name, one.field, dropped.get(number, 0)) for number, one in enumerate(dropping, start=1)]
    counts += [
        Count("changed_text", rule.field, int(found[plan.changed(rule.field)].sum())) for rule in rules.text
    ]  # fmt: skip
    return int(found[ROW].sum()), _together(counts)


def _together(counts: Sequence[Count]) -> list[Count]:
    """Add up counts of one name and column, such as those of several patterns."""
    totals: dict[tuple[str, str | None], float] = {}
    for one in counts:
        totals[(one.name, one.field)] = totals.get((one.name, one.field), 0) + one.value
    return [Count(name, field, value) for (name, field), value in totals.items()]


def _duplicates(kept: pl.LazyFrame, rules: Rules, names: Sequence[str], rows: int, folder: Path) -> RowSet:
    assert rules.duplicates is not None  # noqa: S101 - asked for by the caller
    keys = list(dict.fromkeys(rules.duplicates.fields)) or list(names)
    batches = kept.select(ROW, *keys).collect_batches(chunk_size=BLOCK_ROWS, maintain_order=False)
    return duplicates(batches, ROW, rows, rules.duplicates.keep, folder)


def _not_in(rows: RowSet) -> pl.Expr:
    def stays(numbers: pl.Series) -> pl.Series:
        return pl.Series(~rows.holds(numbers.cast(pl.UInt64).to_numpy()))

    return pl.col(ROW).map_batches(stays, return_dtype=pl.Boolean, is_elementwise=True)


def _nothing_left(rows: int, counts: Sequence[Count]) -> str:
    if not rows:
        return "the dataset version has no rows"
    said = [f"{one.name} {one.field or ''} {one.value:.0f}".replace("  ", " ") for one in counts if one.value]
    return f"no row is left of {rows}: {', '.join(said)}"


def _finished(
    kept: pl.LazyFrame, rules: Rules, names: Sequence[str], left: int, folder: Path
) -> tuple[list[str], pl.LazyFrame, dict[str, Path], list[Count]]:
    """Return the columns to write, the table with parts, indexes and scaled numbers, the mappings, and the scales."""
    written, maps = list(names), {}
    for name, column, field in (("user", USER, rules.user_field), ("item", ITEM, rules.item_field)):
        if field is not None:
            known = kept.select(column).unique().collect().to_series().sort()
            maps[f"{name}s"] = folder / f"{name}s.parquet"
            index = pl.Series(f"{name}_index", range(len(known)), dtype=pl.Int64)
            pl.DataFrame([index, known.alias(f"{name}_id")]).write_parquet(maps[f"{name}s"])
            kept = kept.with_columns(_index(column, known).alias(f"{name}_index"))
            written.append(f"{name}_index")
    if rules.split is not None:
        by_user = rules.split.by is SplitBy.USER
        part = splitting.by_user(rules.split, SPLIT_USER) if by_user else splitting.by_time(kept, rules.split, left)
        kept = kept.with_columns(part.alias(PART))
    learnt = kept if rules.split is None else kept.filter(pl.col(PART) == 0)
    scales = [scaling.learn(learnt, rule) for rule in rules.scaled]
    counts = [Count(name, one.field, value) for one in scales for name, value in one.named()]
    return written, kept.with_columns([one.expression() for one in scales]), maps, counts


def _index(column: str, known: pl.Series) -> pl.Expr:
    def place(ids: pl.Series) -> pl.Series:
        return known.search_sorted(ids).cast(pl.Int64)

    return pl.col(column).map_batches(place, return_dtype=pl.Int64, is_elementwise=True)


def _write(
    kept: pl.LazyFrame, names: Sequence[str], rules: Rules, folder: Path, left: int, on_progress: Progress
) -> dict[str, int]:
    """Write all parts in one pass over the rows that stay; returns their rows."""
    chosen = kept.select(*names, *([PART] if rules.split else []))
    schema = pl.Schema({name: dtype for name, dtype in chosen.collect_schema().items() if name != PART})
    parts = [
        (number, name) for number, name in enumerate(PARTS) if rules.split and (number == 0 or rules.split.share(name))
    ]  # fmt: skip
    files = {name: PartFile(folder / f"{name}.parquet", schema) for name in ("clean", *(name for _, name in parts))}
    try:
        for block in blocks(chosen):
            rows = block.drop(PART, strict=False)
            files["clean"].add(rows)
            for number, name in parts:
                files[name].add(rows.filter(block.get_column(PART) == number))
            on_progress(0.4 + 0.4 * files["clean"].rows / left, f"{files['clean'].rows} of {left} rows written")
    finally:
        for file in files.values():
            file.close()
    for name, file in files.items():
        if not file.rows:
            raise Invalid(f"the {name} part has no rows; change the shares", path=("rules", "split"))
    return {name: file.rows for name, file in files.items()}
