"""What a table is to search and recommendation, from what its columns mean."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from assetgraph.catalog.roles import DatasetRole
from assetgraph.inventory.classify.engine import Candidate
from assetgraph.inventory.classify.facts import Facts
from assetgraph.inventory.classify.kinds import SemanticType
from assetgraph.inventory.classify.texts import parts_of

T = SemanticType
Role = tuple[DatasetRole | None, float, tuple[str, ...]]

_SHOWN = frozenset(
    {"impression", "impressions", "exposure", "exposures", "shown", "slate", "slot", "曝光", "einblendung"}
)
_OFFERS = frozenset(
    {"promotion", "promotions", "promo", "campaign", "campaigns", "coupon", "coupons", "voucher", "vouchers", "offer"}
    | {"aktion", "kampagne", "promocion", "promocao", "优惠", "促销"}
)


@dataclass(frozen=True)
class Seen:
    """A table as its columns were judged: how many of each type, and the words of all names."""

    types: Counter[T]
    columns: Sequence[Candidate]
    words: frozenset[str]


Found = tuple[DatasetRole, float, str] | None


def role_of(columns: Sequence[Candidate], name: str) -> Role:
    """Return role, confidence and evidence; None where nothing fits."""
    words = frozenset(part for one in (*(one.name for one in columns), name) for part in parts_of(one))
    seen = Seen(Counter(one.best for one in columns if one.best is not None), columns, words)
    for rule in _RULES:
        found = rule(seen)
        if found is not None:
            return found[0], found[1], (found[2],)
    return None, 0.0, ()


def _unique(columns: Sequence[Candidate], type_: T) -> bool:
    """Tell whether an id of a type is the table's key."""
    return any(one.best is type_ and one.facts.present and one.facts.ratio > 0.98 for one in columns)


def _social(seen: Seen) -> Found:
    if seen.types[T.USER_ID] >= 2 and not seen.types[T.ITEM_ID]:
        return DatasetRole.SOCIAL_GRAPH, 0.85, "two columns of user ids and no items"
    return None


def _exposure(seen: Seen) -> Found:
    who = seen.types[T.USER_ID] or seen.types[T.SESSION_ID]
    if not seen.types[T.ITEM_ID] or seen.types[T.RATING]:
        return None
    if seen.types[T.POSITION] and not seen.types[T.QUANTITY] and (who or seen.types[T.SCORE]):
        return DatasetRole.EXPOSURE, 0.82, "items with their places in lists"
    if seen.words & _SHOWN and not seen.types[T.EVENT_TYPE]:
        return DatasetRole.EXPOSURE, 0.75, "names speak of what was shown"
    shown = [one for one in seen.columns if one.best is T.EVENT_TYPE and _mostly(one.facts, _SHOWN)]
    if shown:
        return DatasetRole.EXPOSURE, 0.75, f"{shown[0].name} says that items were shown"
    return None


def _mostly(facts: Facts, entries: frozenset[str]) -> bool:
    return bool(facts.values) and facts.among(entries) > 0.5


def _search(seen: Seen) -> Found:
    if seen.types[T.QUERY_TEXT]:
        return DatasetRole.SEARCH_QUERY, 0.88, "a column of search queries"
    return None


def _feedback(seen: Seen) -> Found:
    if (
        seen.types[T.RATING]
        and seen.types[T.ITEM_ID]
        and (seen.types[T.USER_ID] or seen.types[T.FREE_TEXT])
        and not seen.types[T.ORDER_ID]
    ):
        return None if _unique(seen.columns, T.ITEM_ID) else (DatasetRole.FEEDBACK, 0.8, "ratings of items by users")
    return None


def _transaction(seen: Seen) -> Found:
    money = seen.types[T.PRICE] or seen.types[T.QUANTITY]
    if seen.types[T.ORDER_ID] and money and not _unique(seen.columns, T.ITEM_ID):
        return DatasetRole.TRANSACTION, 0.88, "orders with amounts"
    if (
        seen.types[T.PRICE]
        and seen.types[T.QUANTITY]
        and seen.types[T.EVENT_TIME]
        and (seen.types[T.ITEM_ID] or seen.types[T.TITLE])
        and not _unique(seen.columns, T.ITEM_ID)
    ):
        return DatasetRole.TRANSACTION, 0.72, "items with prices, quantities and times"
    return None


def _promotion(seen: Seen) -> Found:
    if (
        seen.words & _OFFERS
        and (seen.types[T.DISCOUNT] or seen.types[T.EVENT_TIME] >= 2)
        and not seen.types[T.ORDER_ID]
    ):
        return DatasetRole.PROMOTION, 0.78, "discounts or campaigns with their times"
    if (
        seen.types[T.DISCOUNT]
        and seen.types[T.EVENT_TIME] >= 2
        and not seen.types[T.ORDER_ID]
        and not seen.types[T.USER_ID]
    ):
        return DatasetRole.PROMOTION, 0.7, "discounts with two times"
    return None


def _catalogue(seen: Seen) -> Found:
    described = sum(
        bool(seen.types[one]) for one in (T.TITLE, T.CATEGORY, T.BRAND, T.GTIN, T.IMAGE_URL, T.FREE_TEXT, T.PRICE)
    )
    if (
        seen.types[T.ITEM_ID]
        and (_unique(seen.columns, T.ITEM_ID) or not seen.types[T.USER_ID])
        and described >= 2
        and not (seen.types[T.USER_ID] or seen.types[T.SESSION_ID] or seen.types[T.EVENT_TYPE])
    ):
        return DatasetRole.ITEM_CATALOGUE, 0.86, "ids of items with what describes them"
    if seen.types[T.TITLE] and described >= 3 and not seen.types[T.USER_ID] and not seen.types[T.EVENT_TYPE]:
        return DatasetRole.ITEM_CATALOGUE, 0.7, "titles with what describes items"
    return None


def _behaviour(seen: Seen) -> Found:
    who = seen.types[T.USER_ID] or seen.types[T.SESSION_ID]
    what = seen.types[T.ITEM_ID] or seen.types[T.URL] or seen.types[T.EVENT_TYPE]
    if who and what and (seen.types[T.EVENT_TIME] or seen.types[T.EVENT_TYPE]) and not _unique(seen.columns, T.USER_ID):
        return DatasetRole.USER_BEHAVIOUR, 0.85 if seen.types[T.ITEM_ID] else 0.7, "what users did, and when"
    if seen.types[T.USER_ID] and seen.types[T.ITEM_ID] and len(seen.columns) <= 4:
        return DatasetRole.USER_BEHAVIOUR, 0.7, "users and items together"
    return None


def _profile(seen: Seen) -> Found:
    about = sum(
        bool(seen.types[one])
        for one in (T.EMAIL, T.PERSON_NAME, T.GENDER, T.BIRTH_DATE, T.PHONE, T.CITY, T.COUNTRY, T.LANGUAGE)
    )
    if seen.types[T.ITEM_ID] or seen.types[T.ORDER_ID]:
        return None
    if (_unique(seen.columns, T.USER_ID) and about >= 1) or (
        about >= 3 and seen.types[T.EMAIL] + seen.types[T.PERSON_NAME]
    ):
        return DatasetRole.USER_PROFILE, 0.85, "one row for each person, with what is known of them"
    return None


def _feature(seen: Seen) -> Found:
    numbers = sum(
        one.facts.is_numeric and one.best in (None, T.SCORE, T.BOOLEAN_FLAG, T.QUANTITY, T.RATING, T.PRICE)
        for one in seen.columns
    )
    if (
        len(seen.columns) >= 6
        and numbers >= 0.7 * len(seen.columns)
        and (seen.types[T.USER_ID] or seen.types[T.ITEM_ID])
    ):
        return DatasetRole.FEATURE, 0.7, f"{numbers} of {len(seen.columns)} columns are plain numbers beside an id"
    return None


_RULES = (_social, _search, _exposure, _feature, _promotion, _feedback, _transaction, _profile, _catalogue, _behaviour)
