"""One schema for files whose columns evolved: missing ones are null, narrow types are widened."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

import polars as pl
import xxhash

#: The form of a column that has no values, which fits every other.
NO_VALUES = "none"
NO_FORMS: Mapping[str, str] = MappingProxyType({})


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


@dataclass(frozen=True)
class Agreed:
    """Columns with their types; `forms` say, of those that are typed by their text, in which form the values are."""

    types: dict[str, pl.DataType]
    forms: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Equal for equal columns, whatever their order: xxh3-64 in hexadecimal."""
        said = [(name, repr(dtype), self.forms.get(name, "")) for name, dtype in sorted(self.types.items())]
        return xxhash.xxh3_64_hexdigest(repr(said).encode("utf-8", "surrogatepass"))


def agreed(parts: Sequence[Agreed]) -> Agreed | None:
    """Return the columns of texts that were typed by parts, as all of them together would be; None: unlike them.

    A column is the same type in the same form in all parts that have values of it, or whole numbers in some and
    fractions in others.
    """
    types: dict[str, pl.DataType] = {}
    forms: dict[str, str] = {}
    for name in dict.fromkeys(name for part in parts for name in part.types):
        told = [(part.types[name], part.forms.get(name, "")) for part in parts if name in part.types]
        told = [one for one in told if one[1] != NO_VALUES] or told[:1]
        if any(one != told[0] for one in told):
            numbers = all(form in ("integer", "float") for _, form in told)
            if not numbers and not (all(kind in (pl.Int64, pl.Float64) and not form for kind, form in told)):
                return None
            told = [(pl.Float64(), "float" if numbers else "")]
        types[name] = told[0][0]
        if told[0][1]:
            forms[name] = told[0][1]
    return Agreed(types, forms)


def fitted(
    frame: pl.LazyFrame, schema: pl.Schema, whole: dict[str, pl.DataType], forms: Mapping[str, str] = NO_FORMS
) -> pl.LazyFrame:
    """Return a frame with the columns and types of the whole; what has no values is null in any type."""
    if list(schema.items()) == list(whole.items()):
        return frame
    return frame.select(
        pl.lit(None, dtype=dtype).alias(name) if name not in schema
        else pl.col(name) if schema[name] == dtype
        else pl.lit(None, dtype=dtype).alias(name) if forms.get(name) == NO_VALUES
        else pl.col(name).cast(dtype)
        for name, dtype in whole.items()
    )  # fmt: skip
