"""Types of columns by the nearest described type or labelled name: from names and types alone, never from values.

The thresholds were chosen on tests/data/proposals/names.json, names that the rules do not read: on its halves `dev` and
`heldout`, of which the second was looked at before they were settled. Names written afterwards are `fresh`. What each
shows is in docs/howto/proposals.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.inventory.classify.kinds import PERSONAL, SemanticType
from assetgraph.inventory.classify.kinds import SemanticType as T
from assetgraph.inventory.classify.names import read_name
from assetgraph.inventory.classify.texts import parts_of
from assetgraph.inventory.propose.suggestions import Column, Suggestion

#: Cosine from which the nearest described type, and the nearest name that a steward gave a type, are proposed.
LEAST_TO_TYPE = 0.5
LEAST_TO_NAME = 0.6
#: What the neighbours' names count beside the column's own.
NEIGHBOURS_SHARE = 0.3
#: Columns on each side of one that count as its neighbours.
NEIGHBOURS = 2
#: Names that stewards gave types which are compared with.
MOST_LABELLED = 1_000

#: Vectors of length one of texts, one row each.
Vectors = Callable[[Sequence[str]], NDArray[np.float32]]

_NUMBERS = frozenset({T.PRICE, T.QUANTITY, T.DISCOUNT, T.RATING, T.SCORE, T.POSITION})
_FRACTIONS = _NUMBERS | {T.LATITUDE, T.LONGITUDE}
_WHOLES = _NUMBERS | {
    T.USER_ID, T.ITEM_ID, T.SESSION_ID, T.ORDER_ID, T.EVENT_TIME, T.CATEGORY, T.BOOLEAN_FLAG, T.PHONE, T.GTIN,
    T.CARD_NUMBER, T.POSTAL_CODE,
}  # fmt: skip
#: Types that values of a kind can have at all.
_FITTING: dict[str, frozenset[T]] = {
    "boolean": frozenset({T.BOOLEAN_FLAG}),
    "date": frozenset({T.EVENT_TIME, T.BIRTH_DATE}),
    "time": frozenset({T.EVENT_TIME}),
    "fraction": _FRACTIONS,
    "whole": _WHOLES,
    "text": frozenset(T) - {T.BOOLEAN_FLAG, T.QUANTITY, T.LATITUDE, T.LONGITUDE},
}
#: Beginnings of types' names, of Polars and of SQL, in the order in which they are looked for.
_KINDS = (
    ("bool", "boolean"), ("datetime", "time"), ("timestamp", "time"), ("date", "date"), ("float", "fraction"),
    ("double", "fraction"), ("real", "fraction"), ("decimal", "fraction"), ("numeric", "fraction"), ("int", "whole"),
    ("uint", "whole"), ("bigint", "whole"), ("smallint", "whole"), ("tinyint", "whole"), ("long", "whole"),
    ("string", "text"), ("utf8", "text"), ("varchar", "text"), ("char", "text"), ("text", "text"),
    ("categorical", "text"), ("enum", "text"), ("uuid", "text"),
)  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """A column of which a steward said what it means; an empty type: it has none."""

    name: str
    semantic_type: str
    personal_data: str | None = None


def kind_of(type_name: str) -> str | None:
    """Return what kind of values a type holds; None for what no semantic type fits: lists, structs, unknown ones."""
    low = type_name.lower()
    return next((kind for start, kind in _KINDS if low.startswith(start)), None)


def words_of(name: str) -> str:
    """Return a name as the words it is made of."""
    return " ".join(parts_of(name))


def described_types() -> list[tuple[T, str]]:
    """Return the texts that say what each type is."""
    return [
        (one, text)
        for one in SemanticType
        for text in (words_of(one.value), f"{words_of(one.value)}: {one.meaning}", one.meaning)
    ]


def texts_of(columns: Sequence[Column], place: int) -> tuple[str, str]:
    """Return a column's name as words, and the same with those of its neighbours."""
    name = words_of(columns[place].name)
    around = [*columns[max(place - NEIGHBOURS, 0) : place], *columns[place + 1 : place + 1 + NEIGHBOURS]]
    beside = ", ".join(words for one in around if (words := words_of(one.name)))
    return name, f"{name}, beside {beside}" if beside else name


def nearest(
    columns: Sequence[Column], labelled: Sequence[Labelled], vectors: Vectors, source: str
) -> dict[int, list[Suggestion]]:
    """Return suggestions for the columns that lack a type, by column, the surest first; most have none."""
    wanted = [
        place for place, one in enumerate(columns)
        if one.lacks_type and kind_of(one.type) and words_of(one.name) and not read_name(one.name).other
    ]  # fmt: skip
    if not wanted:
        return {}
    texts = [texts_of(columns, place) for place in wanted]
    alone, among = (vectors([one[part] for one in texts]) for part in (0, 1))
    types = described_types()
    known = vectors([text for _, text in types])
    to_types = (1 - NEIGHBOURS_SHARE) * alone @ known.T + NEIGHBOURS_SHARE * among @ known.T
    to_names = alone @ vectors([words_of(one.name) for one in labelled]).T if labelled else np.zeros((len(wanted), 0))
    found = {}
    for row, place in enumerate(wanted):
        column = columns[place]
        near = [*_by_types(column, types, to_types[row], source), *_by_name(column, labelled, to_names[row], source)]
        if near:
            found[column.id] = near
    return found


def _by_types(
    column: Column, types: Sequence[tuple[T, str]], cosines: NDArray[Any], source: str
) -> list[Suggestion]:  # fmt: skip
    fitting = _FITTING[kind_of(column.type) or ""]
    best: dict[T, tuple[float, str]] = {}
    for (one, text), cosine in zip(types, cosines, strict=True):
        if one in fitting and cosine >= max(LEAST_TO_TYPE, best.get(one, (0.0,))[0]):
            best[one] = (float(cosine), text)
    ordered = sorted(best.items(), key=lambda pair: (-pair[1][0], pair[0]))
    return [
        Suggestion(
            one.value, PERSONAL.get(one) and PERSONAL[one].value, _sure(cosine),
            (f"name and neighbours are like '{text}' (cosine {cosine:.2f})",), source,
        )
        for one, (cosine, text) in ordered
    ]  # fmt: skip


def _by_name(column: Column, labelled: Sequence[Labelled], cosines: NDArray[Any], source: str) -> list[Suggestion]:
    """Return what the nearest labelled name suggests: nothing where a steward said that that one has no type."""
    if not len(cosines):
        return []
    place = int(cosines.argmax())
    one, cosine = labelled[place], float(cosines[place])
    if cosine < LEAST_TO_NAME or not one.semantic_type or not _fits(one.semantic_type, column.type):
        return []
    said = f"name is like '{one.name[:80]}', which a steward calls {one.semantic_type} (cosine {cosine:.2f})"
    return [Suggestion(one.semantic_type, one.personal_data, _sure(cosine), (said,), source)]


def _fits(semantic_type: str, type_name: str) -> bool:
    """Tell whether a type can be that of a column; stewards' own words fit all."""
    return semantic_type not in set(SemanticType) or T(semantic_type) in _FITTING[kind_of(type_name) or ""]


def _sure(cosine: float) -> float:
    """Return the confidence of a cosine: less than the share that was right (18 of 21), because that is few."""
    return 0.7 if cosine >= 0.6 else 0.6
