"""`assetgraph prepare`: clean a dataset version for training, from the shell."""

from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from assetgraph.catalog import service as catalog
from assetgraph.errors import Invalid
from assetgraph.inventory import prepare_service as service
from assetgraph.inventory.prepare.rules import (
    Case,
    DuplicateRule,
    Keep,
    OutlierMethod,
    OutlierRule,
    PatternRule,
    Rules,
    ScaleMethod,
    ScaleRule,
    SplitBy,
    SplitRule,
    TextRule,
    TimeRule,
)
from assetgraph_server.console import AsJson, DatabaseUrl, Namespace, NominalTime, open_database, settings_of, show
from assetgraph_server.working import with_sources, work_through

Many = list[str] | None
E = TypeVar("E", bound=StrEnum)


def prepare(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset to prepare.")],
    namespace: Namespace,
    version: Annotated[int | None, typer.Option(help="Number of its version; default: the latest.")] = None,
    name: Annotated[str | None, typer.Option(help="What /clean is added to; default: the dataset's name.")] = None,
    text: Annotated[Many, typer.Option(help="COLUMN or COLUMN=LOWER|UPPER: text to normalise.")] = None,
    time: Annotated[Many, typer.Option(help="COLUMN=FORMAT: text to parse, '%m/%d/%y %H:%M'; again for more.")] = None,
    required: Annotated[Many, typer.Option(help="COLUMN without which a row is dropped.")] = None,
    exclude: Annotated[Many, typer.Option(help="COLUMN=PATTERN: rows that match are dropped.")] = None,
    positive: Annotated[Many, typer.Option(help="COLUMN that must be above 0.")] = None,
    outlier: Annotated[Many, typer.Option(help="COLUMN=LOW:HIGH (quantiles) or COLUMN=MAD:BOUND.")] = None,
    unique: Annotated[bool, typer.Option("--unique", help="Drop rows that agree in all columns.")] = False,
    unique_by: Annotated[Many, typer.Option(help="COLUMN of the key of which one row stays.")] = None,
    keep: Annotated[Keep, typer.Option(help="Which duplicate stays.")] = Keep.FIRST,
    scale: Annotated[Many, typer.Option(help="COLUMN or COLUMN=Z_SCORE: number to normalise.")] = None,
    user: Annotated[str | None, typer.Option(help="Column of users to map to indexes.")] = None,
    item: Annotated[str | None, typer.Option(help="Column of items to map to indexes.")] = None,
    split: Annotated[str | None, typer.Option(help="TIME=COLUMN or USER=COLUMN.")] = None,
    validation: Annotated[float, typer.Option(help="Share of the validation part.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of the test part.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of the split by user.")] = 42,
    nominal_time: NominalTime = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Clean a dataset version for training here, and show what each rule did."""
    parts = None
    if split is not None:
        by, column = _pair(split, "--split")
        parts = SplitRule(_one_of(SplitBy, by, "--split"), column, validation, test, seed)
    rules = Rules(
        text=tuple(TextRule(column, _one_of(Case, case or "KEEP", "--text")) for column, case in _said(text)),
        times=_times(time),
        required=tuple(required or ()),
        excluded=tuple(PatternRule(*_pair(one, "--exclude")) for one in exclude or ()),
        positive=tuple(positive or ()),
        outliers=tuple(_outlier(one) for one in outlier or ()),
        duplicates=DuplicateRule(tuple(unique_by or ()), keep) if unique or unique_by else None,
        scaled=tuple(
            ScaleRule(column, _one_of(ScaleMethod, how or "MIN_MAX", "--scale")) for column, how in _said(scale)
        ),
        user_field=user,
        item_field=item,
        split=parts,
    )
    command = service.StartPreparation(
        catalog.AssetRef(namespace=namespace, name=dataset, version=version), rules, name=name, nominal_at=nominal_time
    )
    settings = settings_of(database_url)
    with open_database(settings) as database:
        settings = with_sources(settings, database)
        with database.transaction(actor="cli") as session:
            run, _ = service.start_preparation(session, settings, command)
        done = work_through(settings, database, run)
        with database.reading() as session:
            from assetgraph.quality import queries as quality

            metrics = quality.metrics_of(session, [run])[run]
    rows = [{"metric": row.name, "field": row.field, "value": round(row.value, 6)} for row in metrics]
    show(rows, as_json=as_json, title=f"{namespace}/{name or dataset}: {done['message']}")


def _said(given: Many) -> list[tuple[str, str]]:
    """Return what was said of each column; empty where it was only named."""
    parts = (text.partition("=") for text in given or ())
    return [(column, said) for column, _, said in parts]


def _pair(text: str, option: str) -> tuple[str, str]:
    column, equals, said = text.partition("=")
    if not (column and equals and said):
        raise Invalid(f"{option} takes NAME=VALUE, not '{text}'")
    return column, said


def _one_of(kind: type[E], text: str, option: str) -> E:
    try:
        return kind(text.upper().replace("-", "_"))
    except ValueError as error:
        raise Invalid(f"{option} does not know '{text}'", known=[one.value for one in kind]) from error


def _times(given: Many) -> tuple[TimeRule, ...]:
    formats: dict[str, list[str]] = {}
    for column, form in _said(given):
        formats.setdefault(column, []).extend([form] if form else [])
    return tuple(TimeRule(column, tuple(some)) for column, some in formats.items())


def _outlier(text: str) -> OutlierRule:
    column, said = _pair(text, "--outlier")
    first, _, second = said.partition(":")
    try:
        if first.upper() == OutlierMethod.MAD:
            return OutlierRule(column, OutlierMethod.MAD, bound=float(second))
        return OutlierRule(column, low=float(first), high=float(second))
    except ValueError as error:
        raise Invalid(f"--outlier takes COLUMN=LOW:HIGH or COLUMN=MAD:BOUND, not '{text}'") from error
