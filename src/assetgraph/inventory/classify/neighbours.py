"""What columns say of each other: places beside places, people beside people, and which id determines what."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assetgraph.inventory.classify.engine import Candidate
from assetgraph.inventory.classify.facts import Facts, Kind
from assetgraph.inventory.classify.identities import name_ids
from assetgraph.inventory.classify.kinds import SemanticType
from assetgraph.inventory.classify.people import ALONE, BESIDE, like_names
from assetgraph.inventory.classify.values import percent

T = SemanticType

_PEOPLE = frozenset({T.EMAIL, T.PHONE, T.PERSON_NAME, T.ADDRESS, T.GENDER, T.BIRTH_DATE, T.IBAN, T.CARD_NUMBER})
_PLACES = frozenset({T.CITY, T.ADDRESS, T.COUNTRY})
_GOODS = frozenset({T.ITEM_ID, T.PRICE, T.CATEGORY, T.BRAND, T.GTIN, T.IMAGE_URL, T.QUANTITY})


def look_around(columns: Sequence[Candidate], sample: pl.DataFrame) -> None:
    """Let what stands beside a column change what it is thought to be."""
    _coordinates(columns)
    _places(columns)
    _people(columns)
    _names(columns)
    name_ids(columns, sample)
    _goods(columns)
    _positions(columns, sample)


def _bests(columns: Sequence[Candidate]) -> set[T]:
    return {one.best for one in columns if one.best is not None}


def _coordinates(columns: Sequence[Candidate]) -> None:
    """Two neighbours with many decimals in the ranges of degrees."""
    for one, two in pairwise(columns):
        if one.named or two.named or not (_fine(one.facts, 90) and _fine(two.facts, 180)):
            continue
        if one.best in (None, T.SCORE) and two.best in (None, T.SCORE):
            one.only(T.LATITUDE, 0.8, f"in range, neighbour of {two.name}")
            two.only(T.LONGITUDE, 0.8, f"in range, neighbour of {one.name}")


def _fine(facts: Facts, limit: float) -> bool:
    if facts.kind is not Kind.NUMBER or facts.low is None or facts.high is None or facts.whole:
        return False
    return (
        facts.cents < 0.3
        and -limit <= facts.low
        and facts.high <= limit
        and facts.high - facts.low > 0.01
        and (max(abs(facts.low), abs(facts.high)) > 1.5)
    )


def _places(columns: Sequence[Candidate]) -> None:
    """Postal codes, towns and streets stand together."""
    for place, one in enumerate(columns):
        around = [other for other in columns[max(0, place - 2) : place + 3] if other is not one]
        beside = [other for other in around if other.best in _PLACES and other.scores[other.best] >= 0.7]
        if T.POSTAL_CODE in one.scores and not one.named and beside:
            one.more(T.POSTAL_CODE, 0.55, f"neighbour of {beside[0].name}")
        cities = [other for other in around if other.best in (T.POSTAL_CODE, T.ADDRESS)]
        coded = [other for other in columns[max(0, place - 1) : place + 2] if other.best is T.POSTAL_CODE]
        sure = 0.9 if coded and one.facts.people.words < 1.6 else 0.75
        person = one.best is T.PERSON_NAME and one.scores[T.PERSON_NAME] >= sure
        open_ = one.best in (None, T.TITLE, T.CITY, T.PERSON_NAME) and not person and not one.named
        if cities and open_ and _like_a_town(one.facts):
            one.only(T.CITY, 0.7, f"words with capitals, neighbour of {cities[0].name}")


def _like_a_town(facts: Facts) -> bool:
    if not facts.is_text or facts.share("digit") > 0.1 or not 1.5 <= facts.length <= 25 or facts.words > 2.5:
        return False
    if facts.share("cjk_name") > 0.8 and facts.people.like >= BESIDE and facts.people.town < 0.1:
        return False
    return facts.distinct > 10 and (facts.share("capital") > 0.9 or facts.words < 1.1)


def _people(columns: Sequence[Candidate]) -> None:
    """Dates of birth, single names and genders stand beside other data of people."""
    beside = _known_people(columns)
    for place, one in enumerate(columns):
        if one.named or one.best not in (None, T.CITY, T.TITLE, T.BRAND, T.QUERY_TEXT):
            continue
        near = columns[max(0, place - 1) : place + 2]
        names = [other for other in near if other is not one and _surely(other, T.PERSON_NAME)]
        others = names or [other for other in beside if other is not one]
        if others and (one.best is not T.CITY or one.scores[T.CITY] < 0.75) and like_names(one.facts):
            one.only(T.PERSON_NAME, 0.75, f"words are built as names of people are, beside {others[0].name}")
    beside = _known_people(columns)
    for one in columns:
        others = [other for other in beside if other is not one]
        facts = one.facts
        dated = facts.kind is Kind.DATE or facts.share("date") > 0.95
        if not (dated and others and facts.low and facts.high) or one.named:
            continue
        years = facts.high - facts.low
        if facts.low < 1990 and years >= 25:
            one.only(T.BIRTH_DATE, 0.85, f"dates over {years:.0f} years, beside {others[0].name}")


def _known_people(columns: Sequence[Candidate]) -> list[Candidate]:
    return [one for one in columns if one.best in _PEOPLE and one.scores[one.best] >= 0.64]


def _surely(one: Candidate, type_: T) -> bool:
    return one.best is type_ and one.scores[type_] >= 0.7


def _names(columns: Sequence[Candidate]) -> None:
    """A column that is called no more than "name" is the name of what the table is about."""
    for one in columns:
        titles, people = one.scores.get(T.TITLE, 0), one.scores.get(T.PERSON_NAME, 0)
        if not titles or not people or not one.reading.types or one.reading.types[0][1] > 0.8:
            continue
        around = _bests([other for other in columns if other is not one])
        goods = around & _GOODS and not around & {T.EMAIL, T.PHONE, T.GENDER, T.BIRTH_DATE}
        if goods and one.facts.people.like < ALONE:
            one.more(T.TITLE, 0.5, "the table is about goods")
        elif around & _PEOPLE:
            one.more(T.PERSON_NAME, 0.5, "the table is about people")


def _goods(columns: Sequence[Candidate]) -> None:
    """Few words that repeat, in a table about goods: groups when they are very few, else brands."""
    around = _bests(columns)
    if not around & {T.ITEM_ID, T.TITLE, T.PRICE, T.ORDER_ID}:
        return
    brands = T.BRAND in around
    for one in columns:
        facts = one.facts
        if one.named or not facts.is_text or one.best not in (None, T.TITLE, T.PERSON_NAME, T.CITY):
            continue
        if one.best is not None and (one.scores[one.best] >= 0.7 or facts.ratio > 0.5):
            continue
        if (
            facts.share("digit") > 0.3
            or facts.words > 4
            or facts.length > 40
            or facts.ratio > 0.5
            or facts.distinct < 3
        ):
            continue
        if (
            max(facts.share("two"), facts.share("three"), facts.share("code"), facts.share("company")) > 0.5
            or facts.length < 3
        ):
            continue
        if facts.distinct <= 15 and T.CATEGORY not in around:
            one.only(T.CATEGORY, 0.6, f"{facts.distinct} groups beside goods")
        elif not brands and facts.distinct > 5 and facts.words < 3 and facts.share("capital") > 0.7:
            one.only(T.BRAND, 0.6, f"{facts.distinct} names beside goods")


def _positions(columns: Sequence[Candidate], sample: pl.DataFrame) -> None:
    """Whole numbers that count up row by row and begin again are places in lists."""
    for one in columns:
        facts = one.facts
        if one.named or facts.kind is not Kind.WHOLE or facts.low not in (0, 1) or not facts.high or facts.high > 200:
            continue
        if facts.distinct < 3 or facts.distinct != facts.high - facts.low + 1:
            continue
        values: NDArray[np.float64] = sample.get_column(one.name).drop_nulls().head(10_000).cast(pl.Float64).to_numpy()
        steps = np.diff(values)
        up = float((steps == 1).mean()) if len(steps) else 0.0
        if up > 0.6:
            one.only(T.POSITION, 0.82, f"{percent(up)} of values are one more than the row before")
