"""Types of text columns, by all their values: the narrowest that every value has, else text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from assetgraph.inventory.formats.schemas import NO_VALUES

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
    #: What it is called where files of one dataset are compared: the form of a date, the name of a type.
    form: str
    kind: str = ""
    rival: str = ""


def typed(
    texts: pl.LazyFrame, columns: Sequence[str] | None = None, *, iso_only: bool = False,
    forms: dict[str, str] | None = None,
) -> pl.LazyFrame:  # fmt: skip
    """Return the frame with its text columns (or some of them) cast; reads it once, and its first rows before.

    With `iso_only` just dates and times are looked for: where the format has numbers of its own. `forms` is filled with
    what each of these columns turned out to be: the form of its values, "text", or NO_VALUES.
    """
    forms = {} if forms is None else forms
    names = [name for name, dtype in texts.collect_schema().items() if dtype == pl.String]
    names = [name for name in names if columns is None or name in columns]
    if not names:
        return texts
    tried = {name: _attempts(pl.col(name), iso_only=iso_only) for name in names}
    everything = {name: list(range(len(attempts))) for name, attempts in tried.items()}
    hopeful, _ = _fitting(texts.head(FIRST_ROWS), tried, everything, empty_fits=True)
    if any(hopeful.values()):
        hopeful, counts = _fitting(texts, tried, hopeful, empty_fits=False)
    else:
        # The pass that finds what is broken is owed all the same.
        counts = texts.select(pl.col(names).count()).collect(engine="streaming").row(0, named=True)
    chosen = []
    for name in names:
        fitting = [tried[name][place] for place in hopeful[name]]
        kinds = {attempt.kind for attempt in fitting}
        fitting = [attempt for attempt in fitting if not attempt.rival or attempt.rival not in kinds]
        forms[name] = fitting[0].form if fitting else "text" if counts[name] else NO_VALUES
        if fitting:
            chosen.append(fitting[0].cast.alias(name))
    return texts.with_columns(chosen)


def _fitting(
    texts: pl.LazyFrame, tried: dict[str, list[_Attempt]], hopeful: dict[str, list[int]], *, empty_fits: bool
) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Return the places of the attempts that fit all values of each column, and how many values it has."""
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
    return found, {name: seen[f"{number}"] for number, name in enumerate(hopeful)}


def _attempts(text: pl.Expr, *, iso_only: bool) -> list[_Attempt]:
    """Return what to try, the narrowest first."""
    iso = [
        _Attempt(text.str.to_date("%Y-%m-%d", strict=False), "%Y-%m-%d"),
        *(_Attempt(text.str.to_datetime(form, strict=False, time_unit="us"), form) for form in _ISO),
    ]
    if iso_only:
        return iso
    truth = text.str.to_lowercase()
    return [
        _Attempt(text.cast(pl.Int64, strict=False), "integer", "integer"),
        _Attempt(text.cast(pl.Float64, strict=False), "float", "float"),
        _Attempt(pl.when(truth.is_in(["true", "false"])).then(truth == "true"), "truth"),
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
        yield _Attempt(cast, form + clock_form, f"{first}{form[-1]}{clock_form}" if rival else "", unlike)
