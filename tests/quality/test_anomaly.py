"""Anomalies: random series raise few, broken ones are seen and explained."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from assetgraph.quality.anomaly import SHARE, Scale, judge

Series = NDArray[np.float64]
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
BARE = Scale()


def days(count: int, first: int = 0) -> list[datetime]:
    """Return one moment a day."""
    return [MONDAY + timedelta(days=first + one) for one in range(count)]


def wandering(rng: np.random.Generator, count: int) -> Series:
    """Return a random walk."""
    return np.cumsum(rng.normal(0, 1, count))


def weekly(rng: np.random.Generator, count: int, first: int) -> Series:
    """Return working days of 100 and weekends of 20."""
    return np.array([100.0 if (one + first) % 7 < 5 else 20.0 for one in range(count)]) + rng.normal(0, 1, count)


#: Kind of series, and the largest share of its values that may be taken for anomalies.
RANDOM: dict[str, tuple[Callable[[np.random.Generator, int], Series], float]] = {
    "normal": (lambda rng, count: rng.normal(100, 3, count), 0.001),
    "uniform": (lambda rng, count: rng.uniform(0, 1, count), 0.001),
    "poisson": (lambda rng, count: rng.poisson(300, count).astype(float), 0.001),
    "trend": (lambda rng, count: np.arange(count) * 50 + rng.normal(0, 9, count), 0.0015),
    "lognormal": (lambda rng, count: rng.lognormal(8, 0.3, count), 0.004),
    "laplace": (lambda rng, count: rng.laplace(0, 1, count), 0.007),
    "walk": (wandering, 0.01),
}


@pytest.mark.parametrize("kind", list(RANDOM))
def test_random_series_are_ordinary(kind: str) -> None:
    """Without any least spread, over histories of 8 to 60 versions."""
    rng = np.random.default_rng(20261)
    make, most = RANDOM[kind]
    trials = [(size, trial) for size in (8, 10, 14, 21, 30, 60) for trial in range(500)]
    found = sum(judge("x", make(rng, size + 1), days(size + 1, trial % 7), BARE) is not None for size, trial in trials)
    assert found <= most * len(trials)


def test_weekends_are_ordinary_from_the_first_week_on() -> None:
    """With and without enough history to know the week."""
    rng = np.random.default_rng(4)
    trials = [(size, first) for size in (8, 13, 21, 30, 45, 60) for first in range(7) for _ in range(20)]
    found = sum(judge("x", weekly(rng, size + 1, first), days(size + 1, first), BARE) is not None
                for size, first in trials)  # fmt: skip
    assert found <= 0.002 * len(trials)


def test_an_anomaly_says_what_it_is_held_to() -> None:
    """The number, how far away it is, what was expected, of how many versions."""
    history = [10_450.0 + one for one in (-310, 120, 0, 44, -90, 260, -180, 75, 0, -20, 130, -240, 310, 10)]
    found = judge("row_count", [*history, 12.0], days(15))
    assert found is not None
    assert found.picture == "level"
    assert found.expected == 10_455.0
    wanted = f"row count 12 is {found.deviations:,.1f} deviations below the median 10,455 of the last 14 versions"
    assert found.message == wanted
    assert judge("row_count", [*history, 10_900.0], days(15)) is None


def test_trend_and_week_are_seen_through() -> None:
    """What is within the whole range is out of the ordinary where the trend, or the weekday, wants something else."""
    rng = np.random.default_rng(8)
    growing = [1_000.0 + 500 * one + float(rng.normal(0, 20)) for one in range(30)]
    assert judge("row_count", [*growing, 16_000.0], days(31)) is None
    fallen = judge("row_count", [*growing, 9_000.0], days(31))
    assert fallen is not None
    assert fallen.picture == "trend"
    assert "follows from the trend" in fallen.message
    workdays = [float(one) for one in weekly(rng, 35, 0)]
    assert judge("x", [*workdays, 100.0], days(36), BARE) is None
    quiet = judge("x", [*workdays, 20.0], days(36), BARE)
    assert quiet is not None
    assert (quiet.picture, round(quiet.expected)) == ("week", 100)


def test_one_anomaly_neither_hides_nor_makes_another() -> None:
    """After an empty delivery the usual is usual, and the next empty one is seen."""
    rng = np.random.default_rng(2)
    history = [float(one) for one in rng.normal(5_000, 30, 20)]
    history[18] = 0.0
    assert judge("row_count", [*history, 5_020.0], days(21)) is None
    assert judge("row_count", [*history, 0.0], days(21)) is not None


def test_quiet_histories_and_short_ones() -> None:
    """No spread at all is not no tolerance; few versions say nothing; a lost column is seen."""
    assert judge("row_count", [500.0] * 20 + [501.0]) is None
    assert judge("row_count", [500.0] * 20 + [5.0]) is not None
    assert judge("row_count", [500.0] * 7 + [5.0]) is None
    assert judge("completeness", [1.0] * 20 + [0.99], scale=SHARE) is None
    found = judge("completeness", [1.0] * 20 + [0.5], scale=SHARE)
    assert found is not None
    assert "completeness 0.5000 is" in found.message
