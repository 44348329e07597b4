"""Rows that the program holds, as something to join with: one bound value, whatever their number.

An IN list or VALUES is compiled again for each number of values, and a list of pairs is not looked up by index on
SQLite; this joins row by row over an index. Statements over it are built once (`functools.cache` by dialect): building
one costs more than running it.
"""

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import BigInteger, Subquery, Text, bindparam, cast, column, func, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB


def given(dialect: str, *types: type[int] | type[str], name: str = "given") -> Subquery:
    """Return a subquery with columns k0, k1, ... of whole numbers or texts; its rows are the parameter `name`."""
    packed = bindparam(name, type_=Text())
    if dialect == "postgresql":
        each = func.jsonb_array_elements(cast(packed, JSONB)).table_valued(column("value", JSONB)).alias()
        parts: list[Any] = [
            cast(each.c.value.op("->>")(place), BigInteger if kind is int else Text)
            for place, kind in enumerate(types)
        ]  # fmt: skip
    else:
        each = func.json_each(packed).table_valued("value").alias()
        parts = [
            type_coerce(func.json_extract(each.c.value, f"$[{place}]"), BigInteger if kind is int else Text)
            for place, kind in enumerate(types)
        ]
    return select(*(part.label(f"k{place}") for place, part in enumerate(parts))).subquery()


def rows(many: Iterable[Iterable[int | str]]) -> str:
    """Return rows as the parameter of `given`."""
    return orjson.dumps([tuple(one) for one in many]).decode()


def ids(many: Iterable[int]) -> str:
    """Return ids as the parameter of `given(dialect, int)`."""
    return orjson.dumps([(one,) for one in many]).decode()
