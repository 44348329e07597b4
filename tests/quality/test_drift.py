"""Drift of stored distributions against the formulas on the data itself."""

import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

from assetgraph.inventory.discover import discover
from assetgraph.inventory.profile import profile
from assetgraph.quality.drift import LEAST_SHARE, Distribution, Drift, drift, profile_drift

RNG = np.random.default_rng(3)


def field_of(values: Any, folder: Path) -> dict[str, Any]:
    """Return type and profile of a column as a scan stores them."""
    path = folder / "a.parquet"
    pl.DataFrame({"a": values}).write_parquet(path)
    [found] = discover(path, folder)
    seen = profile(found)
    return {"type": seen.fields[0].type, "profile": seen.as_json()["fields"][0]}


def kolmogorov_smirnov(one: list[float], other: list[float]) -> float:
    """Return the statistic by its definition."""
    return max(abs(sum(a <= at for a in one) / len(one) - sum(b <= at for b in other) / len(other))
               for at in (*one, *other))  # fmt: skip


@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=60), st.lists(st.floats(-50, 50), min_size=1, max_size=60)
)  # fmt: skip
@hypothesis_settings(max_examples=100, deadline=None)
def test_kolmogorov_smirnov_is_what_its_definition_says(one: list[float], other: list[float]) -> None:
    """Where both sides are known value by value it is exact."""
    sides = [Distribution.of_weighted(values, [1.0] * len(values), exact=True) for values in (one, other)]
    found = drift(*sides)
    assert found is not None
    assert found.exact
    assert found.kolmogorov_smirnov == pytest.approx(kolmogorov_smirnov(one, other), abs=1e-12)
    same = drift(sides[0], sides[0])
    assert same is not None
    assert (same.psi, same.jensen_shannon, same.kolmogorov_smirnov) == (0, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), min_size=1, max_size=12))
@hypothesis_settings(max_examples=100, deadline=None)
def test_categories_follow_the_formulas(counts: list[tuple[int, int]]) -> None:
    """PSI with its smallest share, Jensen-Shannon as SciPy computes it."""
    sides = [{f"c{i}": float(pair[side]) for i, pair in enumerate(counts)} for side in (0, 1)]
    found = drift(Distribution.of_counts(sides[0]), Distribution.of_counts(sides[1]))
    totals = [sum(side.values()) for side in sides]
    if 0 in totals:
        assert found is None
        return
    p, q = (np.array(list(side.values())) / total for side, total in zip(sides, totals, strict=True))
    assert found is not None
    floors = [np.maximum(share, LEAST_SHARE) for share in (p, q)]
    assert found.psi == pytest.approx(float(np.sum((floors[1] - floors[0]) * np.log(floors[1] / floors[0]))), abs=1e-9)
    assert found.jensen_shannon == pytest.approx(float(jensenshannon(p, q, 2)), abs=1e-7)
    assert found.kolmogorov_smirnov is None


def test_categories_that_one_side_may_hide_are_put_together() -> None:
    """A value that is in one list only may be among the others of the other side: that alone is no drift."""
    before = Distribution.of_counts({"a": 50, "b": 20}, other=30)
    after = Distribution.of_counts({"a": 50, "c": 21}, other=29)
    found = drift(before, after)
    assert found is not None
    assert found.psi == pytest.approx(0, abs=1e-12)
    assert not found.exact


def test_a_value_below_a_constant_is_seen() -> None:
    """A baseline of one value has no deciles that would show it."""
    before = Distribution.of_weighted([5.0], [100], exact=True)
    after = Distribution.of_weighted([4.0, 5.0], [50, 50], exact=True)
    found = drift(before, after)
    assert found is not None
    assert found.psi > 3
    assert found.kolmogorov_smirnov == 0.5


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("kind", ["normal", "lognormal", "exponential"])
def test_profiles_tell_drift_as_the_data_does(shift: float, kind: str, tmp_path: Path) -> None:
    """Of 20,000 numbers, from quantiles and histogram alone: Kolmogorov-Smirnov within 0.03, the index near."""
    one = getattr(RNG, kind)(size=20_000)
    other = getattr(RNG, kind)(size=20_000) + shift
    found = profile_drift(field_of(one, tmp_path), field_of(other, tmp_path))
    assert found is not None
    assert found.kolmogorov_smirnov == pytest.approx(ks_2samp(one, other, method="asymp").statistic, abs=0.03)
    edges = np.quantile(one, np.arange(1, 10) / 10)
    shares = [np.maximum(np.bincount(np.digitize(side, edges), minlength=10) / len(side), LEAST_SHARE)
              for side in (one, other)]  # fmt: skip
    true = float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))
    assert found.psi == pytest.approx(true, rel=0.25, abs=0.03)


def test_profiles_of_texts_few_numbers_and_moments(tmp_path: Path) -> None:
    """Few values are told exactly; a list that is the same everywhere has no drift; other kinds cannot be compared."""
    few = field_of([1, 2, 2, 3] * 25, tmp_path)
    more = field_of([1, 2, 3, 3] * 25, tmp_path)
    found = profile_drift(few, more)
    assert found is not None
    assert found.exact
    assert found.kolmogorov_smirnov == pytest.approx(0.25)
    moments = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 3), "1m", eager=True)
    days = [field_of(some, tmp_path) for some in (moments[:8], moments[4:12])]
    shifted = profile_drift(*days)
    assert shifted is not None
    assert shifted.kolmogorov_smirnov == pytest.approx(0.5)
    words = field_of(["a", "b"], tmp_path)
    assert profile_drift(few, words) is None
    assert profile_drift(few, {"type": "Int64", "profile": None}) is None
    assert profile_drift(field_of([None, None], tmp_path), few) is None
    lists = field_of([[1], [2]], tmp_path)
    assert profile_drift(lists, lists) is None


def test_a_column_costs_less_than_a_millisecond(tmp_path: Path) -> None:
    """Processor time of two stored profiles, numbers and texts, and of two sketches of 2,000 points."""
    numbers = [field_of(RNG.normal(size=5_000) + shift, tmp_path) for shift in (0.0, 0.2)]
    words = [field_of([f"w{one}" for one in RNG.zipf(1.5, 5_000) % 500], tmp_path) for _ in range(2)]
    sketches = [Distribution.of_weighted(RNG.normal(size=2_000), np.ones(2_000)) for _ in range(2)]
    asked: list[Callable[[], Drift | None]] = [
        partial(profile_drift, *numbers), partial(profile_drift, *words), partial(drift, *sketches)
    ]  # fmt: skip
    for ask in asked:
        found = ask()
        assert found is not None
        assert math.isfinite(found.psi)
        best = math.inf
        for _ in range(5):
            began = time.process_time()
            for _ in range(20):
                ask()
            best = min(best, (time.process_time() - began) / 20)
        assert best <= 0.001
