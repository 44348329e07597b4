"""One schema for files whose columns evolved: missing ones are null, narrow types are widened."""

from collections.abc import Iterable, Sequence
from typing import cast

import polars as pl


class Unfit(ValueError):
    """Types of one column that no wider type holds without loss."""


def merged(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    """Return the narrowest type that holds both without loss; raises Unfit."""
    if one == other or isinstance(other, pl.Null):
        return one
    if isinstance(one, pl.Null):
        return other
    if one.is_integer() and other.is_integer():
        return _integer(one, other)
    if one.is_numeric() and other.is_numeric() and not {type(one), type(other)} & {pl.Decimal, pl.Int128, pl.UInt128}:
        return pl.Float64()
    if isinstance(one, pl.Decimal) and isinstance(other, pl.Decimal):
        return pl.Decimal(38, max(one.scale, other.scale))
    if isinstance(one, pl.Date | pl.Datetime) and isinstance(other, pl.Date | pl.Datetime):
        return _moment(one, other)
    texts = (pl.String, pl.Categorical, pl.Enum)
    if isinstance(one, texts) and isinstance(other, texts):
        return pl.String()
    if isinstance(one, pl.List | pl.Array) and isinstance(other, pl.List | pl.Array):
        return pl.List(merged(cast("pl.DataType", one.inner), cast("pl.DataType", other.inner)))
    if isinstance(one, pl.Struct) and isinstance(other, pl.Struct):
        both = [{field.name: cast("pl.DataType", field.dtype) for field in struct.fields} for struct in (one, other)]
        return pl.Struct(union(both))
    raise Unfit(f"{one} and {other} do not fit together")


def _integer(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    for kind in (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Int128):
        wide = kind()
        if all(_holds(wide, narrow) for narrow in (one, other)):
            return wide
    raise Unfit(f"{one} and {other} do not fit together")


def _holds(wide: pl.DataType, narrow: pl.DataType) -> bool:
    bits = {one: int(str(one).lstrip("UInt")) for one in (wide, narrow)}
    if wide.is_signed_integer():
        return bits[wide] >= bits[narrow] if narrow.is_signed_integer() else bits[wide] > bits[narrow]
    return not narrow.is_signed_integer() and bits[wide] >= bits[narrow]


def _moment(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    zones = {kind.time_zone for kind in (one, other) if isinstance(kind, pl.Datetime)}
    units = {kind.time_unit for kind in (one, other) if isinstance(kind, pl.Datetime)}
    if len(zones) > 1:
        raise Unfit("moments with and without an offset do not fit together")
    return pl.Datetime("ns" if "ns" in units else "us" if "us" in units else "ms", zones.pop())


def union(schemas: Iterable[dict[str, pl.DataType]] | Iterable[pl.Schema]) -> dict[str, pl.DataType]:
    """Return all columns in the order they first appear, each as the narrowest type that holds all of it."""
    whole: dict[str, pl.DataType] = {}
    for schema in schemas:
        for name, dtype in schema.items():
            try:
                whole[name] = merged(whole[name], dtype) if name in whole else dtype
            except Unfit as error:
                raise Unfit(f"column '{name}': {error}") from error
    return whole


def unified(frames: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    """Return the rows of all frames under one schema; raises Unfit where their types do not fit together."""
    if len(frames) == 1:
        return frames[0]
    schemas = [frame.collect_schema() for frame in frames]
    whole = union(schemas)
    return pl.concat([fitted(frame, schema, whole) for frame, schema in zip(frames, schemas, strict=True)])


def fitted(frame: pl.LazyFrame, schema: pl.Schema, whole: dict[str, pl.DataType]) -> pl.LazyFrame:
    """Return a frame with the columns and types of the whole."""
    if list(schema.items()) == list(whole.items()):
        return frame
    return frame.select(
        pl.lit(None, dtype=dtype).alias(name) if name not in schema
        else pl.col(name) if schema[name] == dtype
        else pl.col(name).cast(dtype)
        for name, dtype in whole.items()
    )  # fmt: skip
