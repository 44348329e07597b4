"""Whose ids these are, where no name says it: by what they begin with, what they determine, how often they repeat."""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assetgraph.inventory.classify.engine import Candidate
from assetgraph.inventory.classify.facts import Facts, Kind
from assetgraph.inventory.classify.kinds import SemanticType
from assetgraph.inventory.classify.names import read_name
from assetgraph.inventory.classify.texts import folded

T = SemanticType

#: A column determines another when at most this share of rows say otherwise.
TOLERATED = 0.01
IDS = (T.USER_ID, T.ITEM_ID, T.ORDER_ID, T.SESSION_ID)
#: What items have, and what an id determines only when it is that of an item.
_OF_ITEMS = (T.PRICE, T.TITLE, T.BRAND, T.CATEGORY, T.IMAGE_URL, T.GTIN, T.URL, T.FREE_TEXT)
_OF_PEOPLE = (T.EMAIL, T.PERSON_NAME, T.PHONE, T.BIRTH_DATE, T.GENDER, T.ADDRESS)
_LETTERS = {"u": T.USER_ID, "c": T.USER_ID, "p": T.ITEM_ID, "i": T.ITEM_ID, "o": T.ORDER_ID, "s": T.SESSION_ID}
_PREFIX = re.compile(r"^([^\W\d_]+)[-_:#]?\d")


def name_ids(columns: Sequence[Candidate], sample: pl.DataFrame) -> None:
    """Say of each column of unnamed ids whose they are."""
    for one in columns:
        if not one.named and _like_an_id(one):
            _by_prefix(one)
    unknown = [one for one in columns if not one.named and _like_an_id(one) and one.best not in IDS]
    if not unknown:
        return
    codes = _codes(sample, [one.name for one in columns if _worth_coding(one)])
    for one in unknown:
        if one.facts.ratio < 0.999:
            _by_what_it_determines(one, columns, codes)
    _same_values(unknown, sample, columns)
    known: set[T | None] = {one.best for one in columns if one.best in IDS}
    rest = [one for one in unknown if one.best not in IDS]
    _keys(columns, rest, known)
    known |= {one.best for one in columns if one.best in IDS}
    _by_order(columns, [one for one in rest if one.best not in IDS], known)


def _like_an_id(one: Candidate) -> bool:
    facts = one.facts
    if facts.kind is Kind.WHOLE or (facts.kind is Kind.NUMBER and facts.whole):
        likely = one.best
        if likely in (T.PHONE, T.CARD_NUMBER, T.GTIN, T.EVENT_TIME, T.POSITION) and one.scores[likely] >= 0.7:
            return False
        return _like_whole_ids(facts)
    if not facts.is_text or facts.distinct < 8 or facts.words > 1.2:
        return False
    if one.best in (T.GTIN, T.PHONE, T.EMAIL, T.IP_ADDRESS, T.EVENT_TIME, T.CARD_NUMBER, T.IBAN, T.URL, T.IMAGE_URL,
                    T.MAC_ADDRESS, T.PRICE, T.BIRTH_DATE, T.PERSON_NAME, T.ADDRESS):  # fmt: skip
        return False
    if one.best is T.POSTAL_CODE and one.scores[T.POSTAL_CODE] >= 0.7:
        return False
    if (facts.share("version") > 0.8 and facts.share("digits") < 0.1) or facts.share("clock") > 0.8:
        return False
    if facts.share("json") > 0.5 or (facts.share("hex") > 0.95 and round(facts.length, 2) in (32, 40, 64)):
        return False
    return max(facts.share("code"), facts.share("uuid"), facts.share("hex")) >= 0.9 and facts.length >= 3


def _like_whole_ids(facts: Facts) -> bool:
    """Tell numbers that are handed out from those that measure: they begin high, or leave few out."""
    low, high = facts.low or 0, facts.high or 0
    if facts.distinct < 20 or low < 0 or high < 200 or (low >= 1900 and high <= 2100):
        return False
    return (low >= 100 and high >= 1000) or facts.distinct > 0.3 * (high - low + 1)


def _by_prefix(one: Candidate) -> None:
    """Ids that begin with one word are of what it names."""
    found = [_PREFIX.match(value) for value in one.facts.values[:50]]
    prefixes = {folded(match.group(1)) for match in found if match}
    if len(prefixes) != 1 or not all(found):
        return
    prefix = prefixes.pop()
    if len(prefix) == 1:
        letter = _LETTERS.get(prefix)
        if letter is not None:
            one.more(letter, 0.45, f"values begin with '{prefix}'")
        return
    for type_, strength in read_name(f"{prefix} id").types[:1]:
        if type_ in IDS:
            one.only(type_, 0.85 * strength, f"values begin with '{prefix}'")


def _worth_coding(one: Candidate) -> bool:
    facts = one.facts
    if facts.kind in (Kind.NESTED, Kind.NOTHING, Kind.TRUTH) or facts.distinct < 2:
        return False
    return _like_an_id(one) or one.best in (*_OF_ITEMS, *_OF_PEOPLE, T.EVENT_TIME, T.PRICE, T.COUNTRY, T.DEVICE, *IDS)


def _codes(sample: pl.DataFrame, names: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Return a number for each distinct value of some columns, in one call; -1 for null."""
    columns = [sample.get_column(name).alias(str(at)) for at, name in enumerate(names)]
    ranked = [
        pl.col(one.name).cast(pl.Categorical).to_physical()
        if one.dtype == pl.String
        else pl.col(one.name).rank("dense")
        for one in columns
    ]
    coded = pl.DataFrame(columns).select(one.cast(pl.Int64).fill_null(-1) for one in ranked)
    return {name: coded.to_series(at).to_numpy() for at, name in enumerate(names)}


def _determines(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    """Tell whether equal values of one column mean equal values of the other, where they repeat at all."""
    there = (one >= 0) & (other >= 0)
    key, value = one[there], other[there]
    if len(key) < 20:
        return False
    first = np.zeros(int(key.max()) + 1, dtype=np.int64)
    first[key[::-1]] = value[::-1]
    differ = first[key] != value
    repeated = len(key) - int(np.count_nonzero(np.bincount(key)))
    return repeated >= max(5, len(key) * 0.02) and float(differ.sum()) <= TOLERATED * repeated


def _by_what_it_determines(one: Candidate, columns: Sequence[Candidate], codes: dict[str, NDArray[np.int64]]) -> None:
    mine = codes[one.name]
    found: dict[str, bool] = {}

    def fixes(other: Candidate) -> bool:
        if other.name not in found:
            found[other.name] = _determines(mine, codes[other.name])
        return found[other.name]

    others = [other for other in columns if other is not one and other.name in codes]
    things = [other for other in others if other.best in _OF_ITEMS and other.facts.distinct > 5 and fixes(other)]
    if (len(things) >= 1 and T.TITLE in {other.best for other in things}) or len(things) >= 2:
        one.only(T.ITEM_ID, 0.8, f"determines {', '.join(other.name for other in things[:3])}")
        return
    people = [other for other in others if other.best in _OF_PEOPLE and fixes(other)]
    ids = [
        other for other in others if _like_an_id(other) and other.facts.distinct < one.facts.distinct and fixes(other)
    ]
    times = [other for other in others if other.best is T.EVENT_TIME and fixes(other)]
    if times and (ids or people):
        one.only(T.ORDER_ID, 0.76, f"determines {times[0].name} and {(ids or people)[0].name}")
    elif ids:
        moments = [other for other in others if other.best is T.EVENT_TIME]
        if things:
            one.only(T.ITEM_ID, 0.65, f"determines {things[0].name}")
        else:
            one.only(T.SESSION_ID if moments else T.ORDER_ID, 0.7, f"determines {ids[0].name}")
            if ids[0].best not in IDS and not ids[0].named:
                ids[0].only(T.USER_ID, 0.72, f"determined by {one.name}")
    elif people:
        one.only(T.USER_ID, 0.78, f"determines {people[0].name}")
    elif things:
        one.only(T.ITEM_ID, 0.62, f"determines {things[0].name}")


def _same_values(unknown: Sequence[Candidate], sample: pl.DataFrame, columns: Sequence[Candidate]) -> None:
    """Two columns of ids with the same values are of users who know each other."""
    left = [one for one in unknown if one.best not in IDS]
    plain = {one.best for one in columns} <= {T.EVENT_TIME, T.UUID, T.BOOLEAN_FLAG, T.SCORE, None, T.PHONE}
    for one, two in pairwise(left):
        if one.facts.kind is not two.facts.kind or not (one.facts.is_text or plain):
            continue
        values = sample.get_column(one.name).unique()
        common = int(values.is_in(sample.get_column(two.name).unique().implode()).sum())
        if common > 0.3 * min(one.facts.distinct, two.facts.distinct):
            one.only(T.USER_ID, 0.7, f"has {common} values in common with {two.name}")
            two.only(T.USER_ID, 0.7, f"has {common} values in common with {one.name}")


def _keys(columns: Sequence[Candidate], rest: Sequence[Candidate], known: set[T | None]) -> None:
    """The key of a table is the id of what the table is about."""
    bests = {one.best for one in columns}
    for one in rest:
        if one.facts.ratio < 0.999 or one.facts.distinct < 10:
            continue
        first = columns[0] is one
        if (
            bests & {T.EMAIL, T.PERSON_NAME, T.BIRTH_DATE}
            and T.PRICE not in bests
            and T.USER_ID not in known
            and T.ITEM_ID not in known
        ):
            one.only(T.USER_ID, 0.74 if first else 0.66, "key of a table about people")
            known.add(T.USER_ID)
        elif bests & {T.TITLE, T.BRAND, T.GTIN} and T.ITEM_ID not in known and T.QUERY_TEXT not in bests:
            one.only(T.ITEM_ID, 0.74 if first else 0.66, "key of a table about goods")
            known.add(T.ITEM_ID)
        elif bests & {T.STATUS, T.CURRENCY, T.IBAN, T.CARD_NUMBER} and T.PRICE in bests and T.ORDER_ID not in known:
            one.only(T.ORDER_ID, 0.7, "key of a table of amounts")
            known.add(T.ORDER_ID)


def _by_order(columns: Sequence[Candidate], rest: Sequence[Candidate], known: set[T | None]) -> None:
    """Of ids that repeat and of which nothing else is known, who acted usually stands before what was acted on."""
    left = [one for one in rest if one.facts.ratio < 0.98 and one.facts.distinct >= 8]
    bests = {one.best for one in columns}
    acted = bests & {
        T.URL,
        T.IP_ADDRESS,
        T.EVENT_TYPE,
        T.RATING,
        T.EVENT_TIME,
        T.QUANTITY,
        T.POSITION,
        T.QUERY_TEXT,
        T.PRICE,
    }
    if not acted:
        return
    wanted = [one for one in (T.USER_ID, T.ITEM_ID) if one not in known]
    if bests & {T.IP_ADDRESS, T.URL} and not known:
        wanted = [T.SESSION_ID, T.USER_ID]
    if T.QUERY_TEXT in bests and T.ITEM_ID not in known:
        wanted = [one for one in (T.SESSION_ID, T.USER_ID) if one not in known] if len(left) > 1 else [T.USER_ID]
    for one, type_ in zip(left, wanted, strict=False):
        if not _codes_of_groups(one.facts):
            one.only(type_, 0.6, "ids that repeat, in the usual order")


def _codes_of_groups(facts: Facts) -> bool:
    return facts.kind is Kind.TEXT and facts.length < 3.5
