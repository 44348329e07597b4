"""A preparation as a pure function: a table and rules in, Parquet files and counts out.

Up to four passes over the table, each reading only the columns that it needs: outliers' numbers, what each rule drops
and the hashes of what stays, what is learnt of the rows that stay (ids, times, numbers to scale), and writing. Memory
holds a few pieces, one bit per row, and the distinct users and items; numbers and hashes wait in files. What is written
depends on the data and the rules alone, not on the pieces: quantiles are exact, sums are exact and rounded once, splits
are hashed with a seed, and the rows keep their order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from assetgraph.errors import Invalid
from assetgraph.inventory.prepare import plan
from assetgraph.inventory.prepare.duplicates import Hashes, RowSet
from assetgraph.inventory.prepare.learning import Count, learn
from assetgraph.inventory.prepare.passes import Pieces, Waiting
from assetgraph.inventory.prepare.plan import CODE, PART, ROW, AsId, Bounds, Drop
from assetgraph.inventory.prepare.ranks import Read, median_and_deviation, quantiles
from assetgraph.inventory.prepare.rules import OutlierMethod, OutlierRule, Rules, check_fields, check_rules
from assetgraph.inventory.prepare.splitting import PARTS
from assetgraph.inventory.prepare.writing import PartFile
from assetgraph.inventory.profile import shown_type

#: One deviation of normally distributed numbers, in median absolute deviations.
DEVIATIONS_PER_MAD = 1.4826

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Prepared:
    """What a preparation wrote (files and their rows by the part's name) and did; `rows` = `kept` + all dropped."""

    rows: int
    kept: int
    files: dict[str, Path]
    parts: dict[str, int]
    counts: tuple[Count, ...]


def prepare(pieces: Pieces, rules: Rules, folder: Path, as_id: AsId, on_progress: Progress) -> Prepared:
    """Prepare a table into `folder`, which is there; raises NotFound and Invalid for what rules cannot do."""
    schema = pieces.frame.collect_schema()
    check_rules(rules)
    check_fields(rules, {name: shown_type(dtype) for name, dtype in schema.items()})
    table = pieces.then(lambda frame: plan.normalised(frame, rules, as_id))
    kinds = table.schema
    on_progress(0.0, "looking for outliers" if rules.outliers else "counting rows")
    bounds = _bounds(table, rules, kinds, folder)
    dropping = plan.drops(rules, kinds, bounds)
    on_progress(0.1, "counting rows" if rules.duplicates is None else "counting rows and looking for duplicates")
    gone, counts = _dropped(table, rules, dropping, schema.names(), folder)
    left = table.rows - gone.count
    if not left:
        raise Invalid(_nothing_left(table.rows, counts), path=("rules",))
    on_progress(0.3, f"{left} of {table.rows} rows stay")
    kept = table.then(lambda frame: plan.replaced(frame.filter(_not_in(gone)), rules))
    learnt = learn(kept, rules, left, folder)
    written = _write(kept.then(learnt.applied), [*schema.names(), *learnt.columns], rules, folder, left, on_progress)
    bounded = [
        Count(f"outlier_{end}", one.field, getattr(one, end))
        for one in bounds for end in ("low", "high") if np.isfinite(getattr(one, end))
    ]  # fmt: skip
    files = {**{name: folder / f"{name}.parquet" for name in written}, **learnt.files}
    return Prepared(table.rows, left, files, written, (*counts, *learnt.counts(), *bounded, *learnt.scaled()))


def _bounds(table: Pieces, rules: Rules, kinds: pl.Schema, folder: Path) -> list[Bounds]:
    """Return the bounds of the outlier rules, of the rows that the rules before outliers leave; one pass for all."""
    if not rules.outliers:
        return []
    dropping = plan.drops(rules, kinds, ())
    kept = table.then(lambda frame: plan.replaced(plan.coded(frame, dropping).filter(pl.col(CODE) == 0), rules))
    waiting = [Waiting(folder / f"outliers-{place}", np.float64) for place in range(len(rules.outliers))]
    columns = [pl.col(rule.field).cast(pl.Float64) for rule in rules.outliers]
    try:
        for batch in kept.read(*columns):
            for column, one in zip(batch, waiting, strict=True):
                numbers = column.drop_nulls().to_numpy()
                one.add(numbers[np.isfinite(numbers)])
        return [_bound(one.read, rule) for one, rule in zip(waiting, rules.outliers, strict=True)]
    finally:
        for one in waiting:
            one.remove()


def _bound(read: Read, rule: OutlierRule) -> Bounds:
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


def _dropped(
    table: Pieces, rules: Rules, dropping: Sequence[Drop], names: Sequence[str], folder: Path
) -> tuple[RowSet, list[Count]]:
    """Return the rows that do not stay, and what each rule did."""
    gone = RowSet(table.rows)
    dropped = np.zeros(len(dropping) + 1, dtype=np.int64)
    changed = np.zeros(len(rules.text), dtype=np.int64)
    hashes = None if rules.duplicates is None else Hashes(folder, table.rows)
    keys = _keys(rules, names) if hashes is not None else {}
    coded = table.then(lambda frame: plan.coded(frame, dropping))
    texts = [plan.changed(rule.field) for rule in rules.text]
    for batch in coded.read(ROW, CODE, *texts, *keys.values()):
        codes = batch.get_column(CODE).to_numpy()
        dropped += np.bincount(codes, minlength=len(dropped))
        changed += np.array([int(batch.get_column(name).sum()) for name in texts], dtype=np.int64)
        gone.add(batch.get_column(ROW).cast(pl.UInt64).to_numpy()[codes != 0])
        if hashes is not None:
            hashes.add(batch.filter(pl.col(CODE) == 0).select(ROW, *keys), ROW)
    counts = [Count(one.name, one.field, int(rows)) for one, rows in zip(dropping, dropped[1:], strict=True)]
    counts += [Count("changed_text", rule.field, int(rows)) for rule, rows in zip(rules.text, changed, strict=True)]
    counts = _together(counts)
    if hashes is not None and rules.duplicates is not None:
        before = gone.count
        for rows in hashes.repeated(rules.duplicates.keep):
            gone.add(rows)
        counts.append(Count("dropped_duplicate", None, gone.count - before))
    return gone, counts


def _keys(rules: Rules, names: Sequence[str]) -> dict[str, pl.Expr]:
    """Return what tells duplicates, under names of its own: the named columns or all, times as they were parsed."""
    assert rules.duplicates is not None  # noqa: S101 - asked for by the caller
    timed = {rule.field for rule in rules.times}
    chosen = list(dict.fromkeys(rules.duplicates.fields)) or list(names)
    return {
        f"\0key {name}": pl.col(plan.parsed(name) if name in timed else name).alias(f"\0key {name}") for name in chosen
    }


def _together(counts: Sequence[Count]) -> list[Count]:
    """Add up counts of one name and column, such as those of several patterns."""
    totals: dict[tuple[str, str | None], float] = {}
    for one in counts:
        totals[(one.name, one.field)] = totals.get((one.name, one.field), 0) + one.value
    return [Count(name, field, value) for (name, field), value in totals.items()]


def _not_in(rows: RowSet) -> pl.Expr:
    def stays(numbers: pl.Series) -> pl.Series:
        return pl.Series(~rows.holds(numbers.cast(pl.UInt64).to_numpy()))

    return pl.col(ROW).map_batches(stays, return_dtype=pl.Boolean, is_elementwise=True)


def _nothing_left(rows: int, counts: Sequence[Count]) -> str:
    if not rows:
        return "the dataset version has no rows"
    said = [f"{one.name} {one.field or ''} {one.value:.0f}".replace("  ", " ") for one in counts if one.value]
    return f"no row is left of {rows}: {', '.join(said)}"


def _write(
    kept: Pieces, names: Sequence[str], rules: Rules, folder: Path, left: int, on_progress: Progress
) -> dict[str, int]:
    """Write all parts in one pass over the rows that stay; returns their rows."""
    chosen = [*names, *([PART] if rules.split else [])]
    kinds = kept.schema
    schema = pl.Schema({name: kinds[name] for name in names})
    parts = [
        (number, name) for number, name in enumerate(PARTS) if rules.split and (number == 0 or rules.split.share(name))
    ]  # fmt: skip
    files = {name: PartFile(folder / f"{name}.parquet", schema) for name in ("clean", *(name for _, name in parts))}
    try:
        for piece in kept.read(*chosen):
            rows = piece.drop(PART, strict=False)
            files["clean"].add(rows)
            for number, name in parts:
                files[name].add(rows.filter(piece.get_column(PART) == number))
            on_progress(0.4 + 0.4 * files["clean"].rows / left, f"{files['clean'].rows} of {left} rows written")
    finally:
        for file in files.values():
            file.close()
    for name, file in files.items():
        if not file.rows:
            raise Invalid(f"the {name} part has no rows; change the shares", path=("rules", "split"))
    return {name: file.rows for name, file in files.items()}
