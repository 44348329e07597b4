"""Types of text columns, by all their values: the narrowest that every value has, else text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

#: Rows that are looked at first: a type that does not fit them is not tried on the rest.
FIRST_ROWS = 10_000

_ISO = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%.f%#z")
_DOTTED = r"^\d{1,2}\.\d{1,2}\.\d{4}"
_SLASHED = r"^\d{1,2}/\d{1,2}/\d{4}"
_CLOCK, _SECONDS = r" \d{1,2}:\d{2}$", r" \d{1,2}:\d{2}:\d{2}$"


@dataclass(frozen=True)
class _Attempt:
    """A type that a column may have; null where a value does not fit. Of one `rival` pair only one may fit."""

    cast: pl.Expr
    kind: str = ""
    rival: str = ""


def typed(texts: pl.LazyFrame, columns: Sequence[str] | None = None, *, iso_only: bool = False) -> pl.LazyFrame:
    """Return the frame with its text columns (or some of them) cast; reads it once, and its first rows before.

    With `iso_only` just dates and times are looked for: where the format has numbers of its own.
    """
    names = [name for name, dtype in texts.collect_schema().items() if dtype == pl.String]
    names = [name for name in names if columns is None or name in columns]
    if not names:
        return texts
    tried = {name: _attempts(pl.col(name), iso_only=iso_only) for name in names}
    everything = {name: list(range(len(attempts))) for name, attempts in tried.items()}
    hopeful = _fitting(texts.head(FIRST_ROWS), tried, everything, empty_fits=True)
    if any(hopeful.values()):
        hopeful = _fitting(texts, tried, hopeful, empty_fits=False)
    else:
        # The pass that finds what is broken is owed all the same.
        texts.select(pl.col(names).count()).collect(engine="streaming")
    chosen = []
    for name in names:
        fitting = [tried[name][place] for place in hopeful[name]]
        kinds = {attempt.kind for attempt in fitting}
        fitting = [attempt for attempt in fitting if not attempt.rival or attempt.rival not in kinds]
        if fitting:
            chosen.append(fitting[0].cast.alias(name))
    return texts.with_columns(chosen)


def _fitting(
    texts: pl.LazyFrame, tried: dict[str, list[_Attempt]], hopeful: dict[str, list[int]], *, empty_fits: bool
) -> dict[str, list[int]]:
    """Return the places of the attempts that fit all values of each column."""
    checks = []
    for number, (name, places) in enumerate(hopeful.items()):
        column = pl.col(name)
        checks.append(column.count().alias(f"{number}"))
        checks += [tried[name][place].cast.count().alias(f"{number}:{place}") for place in places]
        if any(tried[name][place].kind in ("integer", "float") for place in places):
            # A leading zero or plus: a code (a postcode, a telephone number), not a quantity.
            checks.append(column.str.contains(r"^\+|^-?0\d").sum().alias(f"{number}:codes"))
            # More digits than a float keeps.
            checks.append(column.str.contains(r"^-?\d{16,}$").sum().alias(f"{number}:long"))
    seen = texts.select(checks).collect(engine="streaming").row(0, named=True)
    found: dict[str, list[int]] = {}
    for number, (name, places) in enumerate(hopeful.items()):
        total = seen[f"{number}"]
        fits = [place for place in places if seen[f"{number}:{place}"] == total and (total or empty_fits)]
        if seen.get(f"{number}:codes"):
            fits = [place for place in fits if tried[name][place].kind not in ("integer", "float")]
        elif seen.get(f"{number}:long"):
            fits = [place for place in fits if tried[name][place].kind != "float"]
        found[name] = fits
    return found


def _attempts(text: pl.Expr, *, iso_only: bool) -> list[_Attempt]:
    """Return what to try, the narrowest first."""
    iso = [
        _Attempt(text.str.to_date("%Y-%m-%d", strict=False)),
        *(_Attempt(text.str.to_datetime(form, strict=False, time_unit="us")) for form in _ISO),
    ]
    if iso_only:
        return iso
    truth = text.str.to_lowercase()
    return [
        _Attempt(text.cast(pl.Int64, strict=False), "integer"),
        _Attempt(text.cast(pl.Float64, strict=False), "float"),
        _Attempt(pl.when(truth.is_in(["true", "false"])).then(truth == "true")),
        *iso,
        *_dates(text, _DOTTED, "%d.%m.%Y", "day", ""),
        *_dates(text, r"^\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d", "day", ""),
        # Whether the month or the day comes first is told by a value above 12, or not at all. Years of two digits do
        # not even tell the century: such a column stays text.
        *_dates(text, _SLASHED, "%m/%d/%Y", "month", "day"),
        *_dates(text, _SLASHED, "%d/%m/%Y", "day", "month"),
    ]


def _dates(text: pl.Expr, shape: str, form: str, first: str, rival: str) -> Iterable[_Attempt]:
    """Return a date, and a moment to the minute and to the second, in one order of its parts."""
    for clock, clock_form in (("$", ""), (_CLOCK, " %H:%M"), (_SECONDS, " %H:%M:%S")):
        shaped = pl.when(text.str.contains(shape + clock)).then(text)
        cast = (
            shaped.str.to_datetime(form + clock_form, strict=False, time_unit="us")
            if clock_form
            else shaped.str.to_date(form, strict=False)
        )
        unlike = f"{rival}{form[-1]}{clock_form}" if rival else ""
        yield _Attempt(cast, f"{first}{form[-1]}{clock_form}" if rival else "", unlike)
