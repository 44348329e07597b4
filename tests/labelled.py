"""Scores the classifier on the labelled suite: personal data, semantic types, roles, by column and by table."""

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import polars as pl

from assetgraph.inventory.classify.engine import classify
from assetgraph.inventory.classify.kinds import Table, TableFound

SUITE = Path(__file__).parent / "data" / "classification"


@dataclass
class Score:
    """Counts of what was found rightly, wrongly and not at all; by type, and of personal data as a whole."""

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    mistakes: list[str] = field(default_factory=list)

    def add(self, expected: str | None, found: str | None, where: str) -> None:
        """Count one column."""
        if expected == found:
            self.right.update([expected] if expected else [])
            return
        self.missed.update([expected] if expected else [])
        self.wrong.update([found] if found else [])
        self.mistakes.append(f"{where}: {expected} was found as {found}")

    def f1_of(self, label: str) -> float:
        """Return F1 of one label."""
        return 2 * self.right[label] / max(1, 2 * self.right[label] + self.wrong[label] + self.missed[label])

    @property
    def labels(self) -> list[str]:
        """All labels that were expected."""
        return sorted({*self.right, *self.missed})

    @property
    def macro(self) -> float:
        """Mean F1 of the labels that were expected."""
        return sum(map(self.f1_of, self.labels)) / len(self.labels)

    @property
    def recall(self) -> float:
        """Share of what was expected that was found."""
        return self.right.total() / (self.right.total() + self.missed.total())

    @property
    def micro(self) -> float:
        """F1 over all columns together."""
        return 2 * self.right.total() / (2 * self.right.total() + self.wrong.total() + self.missed.total())


@cache
def tables(split: str) -> list[tuple[str, pl.DataFrame, dict[str, Any]]]:
    """Return the tables of a split with their labels."""
    labels: dict[str, Any] = json.loads((SUITE / split / "labels.json").read_text(encoding="utf-8"))
    return [(name, pl.read_parquet(SUITE / split / f"{name}.parquet"), label) for name, label in labels.items()]


def bare(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table whose headers say nothing."""
    return frame.rename({name: f"col_{number}" for number, name in enumerate(frame.columns)})


def scored(split: str, *, headers: bool, shuffled: bool = False, told: bool = False) -> tuple[Score, Score, Score]:
    """Return the scores of semantic types, personal data and roles.

    With `told` columns are left out of which the label says why values alone cannot tell.
    """
    chance = Random(1)
    types, personal, roles = Score(), Score(), Score()
    for name, frame, label in tables(split):
        order = list(frame.columns)
        if shuffled:
            chance.shuffle(order)
        seen = frame.select(order)
        found: TableFound = classify(Table(seen if headers else bare(seen)))
        for column, header in zip(found.columns, order, strict=True):
            type_, kind, *why = label["columns"][header]
            if told and why:
                continue
            best = column.best
            types.add(type_, best.type.value if best else None, f"{name}.{header}")
            held = best.personal.value if best and best.personal else None
            personal.add(kind, None if held == "location" and kind is None else held, f"{name}.{header}")
        if "role" in label:
            roles.add(label["role"], found.role.value if found.role else None, name)
    return types, personal, roles
