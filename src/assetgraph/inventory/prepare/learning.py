"""What is learnt of the rows that stay, in one pass: ids, where the parts begin, and how numbers are scaled."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assetgraph.inventory.prepare import splitting
from assetgraph.inventory.prepare.mapping import Ids, index_of, write_ids
from assetgraph.inventory.prepare.passes import Pieces, Waiting
from assetgraph.inventory.prepare.plan import ITEM, PART, SPLIT_USER, USER
from assetgraph.inventory.prepare.rules import Rules, ScaleRule, SplitBy
from assetgraph.inventory.prepare.scaling import Scale
from assetgraph.inventory.prepare.scaling import learn as learn_scale


@dataclass(frozen=True)
class Count:
    """How often a rule did something (rows that it dropped, texts that it changed), or what it learnt."""

    name: str
    field: str | None
    value: float


@dataclass
class Learnt:
    """What the rows that stay say of the columns that are made."""

    #: The ids of users and items, by what the indexes are called after, sorted.
    ids: dict[str, pl.Series] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    part: pl.Expr | None = None
    scales: list[Scale] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """The names of the indexes, in the order in which they are written."""
        return [f"{name}_index" for name in self.ids]

    def applied(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Return the table with parts, indexes and scaled numbers."""
        made = [index_of(_COLUMNS[name], known).alias(f"{name}_index") for name, known in self.ids.items()]
        made += [] if self.part is None else [self.part.alias(PART)]
        # Parts are by times and ids as they are: scaling comes after.
        return frame.with_columns(made).with_columns([one.expression() for one in self.scales])

    def counts(self) -> list[Count]:
        """Return how many users and items there are."""
        return [Count(f"{name}s_count", None, len(known)) for name, known in self.ids.items()]

    def scaled(self) -> list[Count]:
        """Return the numbers that undo the scales."""
        return [Count(name, one.field, value) for one in self.scales for name, value in one.named()]


_COLUMNS = {"user": USER, "item": ITEM}


def learn(kept: Pieces, rules: Rules, left: int, folder: Path) -> Learnt:
    """Read the rows that stay, `left` of them, and write the mappings of ids into `folder`."""
    found = Learnt()
    named = {"user": rules.user_field, "item": rules.item_field}
    ids = {name: Ids() for name, column in named.items() if column is not None}
    timed = rules.split is not None and rules.split.by is SplitBy.TIME
    if rules.split is not None and not timed:
        found.part = splitting.by_user(rules.split, SPLIT_USER)
    if not (ids or timed or rules.scaled):
        return found
    waiting = _Numbers(rules, folder, timed=timed)
    try:
        for batch in kept.read(*(_COLUMNS[name] for name in ids), *waiting.columns(found.part)):
            for name, one in ids.items():
                one.add(batch.get_column(_COLUMNS[name]))
            waiting.add(batch)
        if timed:
            assert rules.split is not None  # noqa: S101 - that is what timed says
            found.part, waiting.end = splitting.by_time(waiting.times, rules.split, left)
        found.scales = [
            learn_scale(lambda place=place: waiting.training(place), rule)  # type: ignore[misc]
            for place, rule in enumerate(rules.scaled)
        ]
    finally:
        waiting.remove()
    for name, one in ids.items():
        found.ids[name], found.files[f"{name}s"] = one.ordered(), folder / f"{name}s.parquet"
        write_ids(found.files[f"{name}s"], name, found.ids[name])
    return found


class _Numbers:
    """Times and numbers to scale of the rows that stay, waiting in files: what trains is known after the last time."""

    def __init__(self, rules: Rules, folder: Path, *, timed: bool) -> None:
        self._rules: tuple[ScaleRule, ...] = rules.scaled
        self._time = rules.split.field if timed and rules.split is not None else None
        self._times = Waiting(folder / "times", np.int64) if timed else None
        self._scaled = [Waiting(folder / f"scaled-{place}", np.float64) for place in range(len(rules.scaled))]
        #: The time at which training ends, where it does.
        self.end: int | None = None

    def columns(self, part: pl.Expr | None) -> Iterator[pl.Expr]:
        """Yield what is read for it; numbers of rows that do not train, by a part known already, are no numbers."""
        if self._time is not None:
            yield splitting.as_number(self._time).alias("\0time")
        for place, rule in enumerate(self._rules):
            number = pl.col(rule.field).cast(pl.Float64)
            number = number if part is None else pl.when(part == 0).then(number)
            yield number.fill_null(np.nan).alias(f"\0scaled {place}")

    def add(self, batch: pl.DataFrame) -> None:
        """Keep the numbers of some rows."""
        if self._times is not None:
            self._times.add(batch.get_column("\0time").to_numpy())
        for place, one in enumerate(self._scaled):
            one.add(batch.get_column(f"\0scaled {place}").to_numpy())

    def times(self) -> Iterator[NDArray[np.int64]]:
        """Yield all times."""
        assert self._times is not None  # noqa: S101 - asked for where a split is by time
        yield from self._times.read()

    def training(self, place: int) -> Iterator[NDArray[np.float64]]:
        """Yield the finite numbers of a rule in the training part."""
        end, times = self.end, self.times() if self.end is not None else iter(())
        for numbers in self._scaled[place].read():
            trains = np.isfinite(numbers)
            if end is not None:
                trains &= next(times) < end
            yield numbers[trains]

    def remove(self) -> None:
        """Forget all."""
        for one in self._scaled:
            one.remove()
        if self._times is not None:
            self._times.remove()
