"""Numbers that are out of the ordinary, judged by the history of the same number: robust, and explained.

Of four pictures of the history the one that leaves the least spread counts, a richer one only where it is clearly
better: a level (the median), the last values (for what wanders), a straight trend (Theil and Sen), a week (a median for
each weekday). The spread is the median absolute deviation of what the picture leaves over, or what a fifth of the
history lies beyond where that is more: earlier anomalies neither hide later ones nor make false ones, and what happens
one day in five is no anomaly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Versions that are looked back at, and the fewest that say anything.
MOST_HISTORY, LEAST_HISTORY = 60, 8
#: Deviations that are too many where the least spread counts, which needs no history to be known.
PLAIN_THRESHOLD = 5.0
#: A picture with more in it must leave at most this share of the spread that the plainer one leaves.
CLEARLY_BETTER = 0.65
#: Normal deviations per median absolute deviation, and per the deviation that a fifth lies beyond.
PER_MAD, PER_FIFTH = 1.4826, 0.7803
#: Values of a weekday that say what is usual for it.
LEAST_WEEKS = 4


@dataclass(frozen=True)
class Scale:
    """The least spread that a number is given, however quiet its history was."""

    #: Of its usual size.
    relative: float = 0.0
    absolute: float = 0.0
    #: How a value is written.
    form: str = "{:,.4g}"
    #: Counts scatter by their root even where nothing happens.
    counted: bool = False


COUNTED = Scale(relative=0.02, absolute=1.0, form="{:,.0f}", counted=True)
SHARE = Scale(absolute=0.005, form="{:.4f}")
#: Which metrics are watched.
WATCHED: dict[str, Scale] = {
    "row_count": COUNTED, "completeness": SHARE, "validity": SHARE, "referential_integrity": SHARE,
    "type_consistency": SHARE,
}  # fmt: skip


@dataclass(frozen=True)
class Anomaly:
    """A value that its history does not explain."""

    value: float
    expected: float
    #: How many (robust) deviations away, without a sign.
    deviations: float
    #: Which picture of the history it was held to.
    picture: str
    message: str


def threshold(history: int) -> float:
    """Return how many deviations are too many: few values tell the spread badly, so that it takes more then.

    Found by simulation: at most one in a thousand normal values is taken for an anomaly (see the tests).
    """
    return 4.0 + 30.0 / history + 300.0 / history**2


def judge(
    name: str, values: Sequence[float] | Floats, times: Sequence[datetime] | None = None, scale: Scale | None = None
) -> Anomaly | None:
    """Hold the last value to those before it, oldest first; None where it is as usual, or too little is known."""
    limits = scale or WATCHED.get(name, Scale(relative=0.01))
    known = np.asarray(values[-MOST_HISTORY - 1 :], dtype=np.float64)
    past, value = known[:-1], float(known[-1])
    if len(past) < LEAST_HISTORY or not np.all(np.isfinite(known)):
        return None
    days = None if times is None else [one.weekday() for one in times[-MOST_HISTORY - 1 :]]
    picture, expected, spread = _best(past, days)
    floor = max(limits.absolute, limits.relative * abs(float(np.median(past))))
    if limits.counted:
        floor = max(floor, math.sqrt(abs(expected)))
    away = abs(value - expected)
    if away <= threshold(len(past)) * spread or away <= PLAIN_THRESHOLD * floor or away == 0:
        return None
    deviations = away / max(spread, floor, 1e-12)
    shown, usual = limits.form.format(value), limits.form.format(expected)
    side = "above" if value > expected else "below"
    what = _PICTURES[picture].format(usual=usual, count=len(past))
    label = name.replace("_", " ")
    message = f"{label} {shown} is {deviations:,.1f} deviations {side} {what} of the last {len(past)} versions"
    return Anomaly(value, expected, deviations, picture, message)


_PICTURES = {
    "level": "the median {usual}", "last": "the recent {usual}", "trend": "the {usual} that follows from the trend",
    "week": "the {usual} usual for the weekday",
}  # fmt: skip


#: A picture: its name, what it expects next, and what it leaves over of the history.
_Picture = tuple[str, float, Floats]


def _best(past: Floats, days: Sequence[int] | None) -> tuple[str, float, float]:
    """Return the picture that fits, what it expects next, and the spread around it."""
    middle = float(np.median(past))
    found = ("level", middle, past - middle)
    for one in (_trend(past), _last(past), None if days is None else _week(past, days)):
        if one is not None and _remainder(one[2]) < CLEARLY_BETTER * _remainder(found[2]):
            found = one
    name, expected, left = found
    far = np.abs(left)
    return name, expected, max(PER_MAD * float(np.median(far)), PER_FIFTH * float(np.quantile(far, 0.8)))


def _remainder(left: Floats) -> float:
    """Return what a picture leaves over, but for the worst tenth."""
    far = np.sort(np.abs(left))
    return float(np.mean(far[: max(len(far) * 9 // 10, 1)]))


def _trend(past: Floats) -> _Picture | None:
    if len(past) < LEAST_HISTORY + 2:
        return None
    at = np.arange(len(past), dtype=np.float64)
    above = np.triu_indices(len(past), 1)
    slope = float(np.median((past[above[1]] - past[above[0]]) / (at[above[1]] - at[above[0]])))
    base = float(np.median(past - slope * at))
    return "trend", base + slope * len(past), past - base - slope * at


def _last(past: Floats) -> _Picture:
    # Of three, so that one anomaly just before is not what is usual.
    windows = np.lib.stride_tricks.sliding_window_view(past, 3)
    recent = np.median(windows, axis=1)
    return "last", float(recent[-1]), past[3:] - recent[:-1]


def _week(past: Floats, days: Sequence[int]) -> _Picture | None:
    """Return the picture of a week, where each weekday was there often enough."""
    before, today = np.asarray(days[:-1]), days[-1]
    seen = {day: past[before == day] for day in set(days)}
    if len(seen) < 2 or any(len(values) < LEAST_WEEKS for values in seen.values()):
        return None
    usual = {day: float(np.median(values)) for day, values in seen.items()}
    left = past - np.array([usual[int(day)] for day in before])
    # Each median is of a few values and lies among them: what is left over looks smaller than it is.
    fewest = min(len(values) for values in seen.values())
    return "week", usual[today], left * math.sqrt(fewest / (fewest - 1.5))
