"""What a table is to search and recommendation, from what its columns mean."""

from collections import Counter
from collections.abc import Sequence

from assetgraph.catalog.tables import DatasetRole
from assetgraph.inventory.classify.engine import Candidate
from assetgraph.inventory.classify.facts import Facts
from assetgraph.inventory.classify.kinds import SemanticType
from assetgraph.inventory.classify.names import read_name
from assetgraph.inventory.classify.texts import parts_of
from assetgraph.inventory.classify.words import Concept

T = SemanticType
Role = tuple[DatasetRole | None, float, tuple[str, ...]]

_SHOWN = frozenset({"impression", "impressions", "exposure", "exposures", "shown", "slate", "slot", "曝光", "einblendung"})
_OFFERS = frozenset({"promotion", "promotions", "promo", "campaign", "campaigns", "coupon", "coupons", "voucher", "vouchers", "offer",
                     "aktion", "kampagne", "promocion", "promocao", "优惠", "促销"})  # fmt: skip


def role_of(columns: Sequence[Candidate], name: str) -> Role:
    """Return role, confidence and evidence; None with what little was seen where nothing fits."""
    types = Counter(one.best for one in columns if one.best is not None)
    words = {part for one in columns for part in parts_of(one.name)} | set(parts_of(name))
    concepts = read_name(name).concepts if name else frozenset()
    for rule in _RULES:
        found = rule(types, columns, words, concepts)
        if found is not None:
            role, confidence, evidence = found
            return role, confidence, (evidence,)
    return None, 0.0, ()


Found = tuple[DatasetRole, float, str] | None
Types = Counter[T]


def _unique(columns: Sequence[Candidate], type_: T) -> bool:
    """Tell whether an id of a type is the table's key."""
    return any(one.best is type_ and one.facts.present and one.facts.ratio > 0.98 for one in columns)


def _social(types: Types, columns: Sequence[Candidate], words: set[str], concepts: frozenset[Concept]) -> Found:
    if types[T.USER_ID] >= 2 and not types[T.ITEM_ID]:
        return DatasetRole.SOCIAL_GRAPH, 0.85, "two columns of user ids and no items"
    return None


def _exposure(types: Types, columns: Sequence[Candidate], words: set[str], concepts: frozenset[Concept]) -> Found:
    who = types[T.USER_ID] or types[T.SESSION_ID]
    if not types[T.ITEM_ID] or types[T.RATING]:
        return None
    if types[T.POSITION] and not types[T.QUANTITY] and (who or types[T.SCORE]):
        return DatasetRole.EXPOSURE, 0.82, "items with their places in lists"
    if words & _SHOWN and not types[T.EVENT_TYPE]:
        return DatasetRole.EXPOSURE, 0.75, "names speak of what was shown"
    shown = [one for one in columns if one.best is T.EVENT_TYPE and _mostly(one.facts, _SHOWN)]
    if shown:
        return DatasetRole.EXPOSURE, 0.75, f"{shown[0].name} says that items were shown"
    return None


def _mostly(facts: Facts, entries: frozenset[str]) -> bool:
    return bool(facts.values) and facts.among(entries) > 0.5


def _search(types: Types, columns: Sequence[Candidate], words: set[str], concepts: frozenset[Concept]) -> Found:
    if types[T.QUERY_TEXT]:
        return DatasetRole.SEARCH_QUERY, 0.88, "a column of search queries"
    return None


def _feedback(types: Types, columns: Sequence[Candidate], words: set[str], concepts: frozenset[Concept]) -> Found:
    if types[T.RATING] and types[T.ITEM_ID] and (types[T.USER_ID] or types[T.FREE_TEXT]) and not types[T.ORDER_ID]:
        if not _unique(columns, T.ITEM_ID):
            return DatasetRole.FEEDBACK, 0.8, "ratings of items by users"
    return None


def _transaction(types: Types, columns: Sequence[Candidate], words: set[str], concepts: frozenset[Concept]) -> Found:
    money = types[T.PRICE] or types[T.QUANTITY]
    if types[T.ORDER_ID] and money and not _unique(columns, T.ITEM_ID):
        return DatasetRole.TRANSACTION, 0.88, "orders with amounts"
    if types[T.PRICE] and types[T.QUANTITY] and types[T.EVENT_TIME] and types[T.ITEM_ID] and not _unique(columns, T.ITEM_ID):
        return DatasetRole.TRANSACTION, 0.72, "items with prices, quantities and times"
    return None


def _promotion(types: Types, columns: Sequence[Candidate], words: set[str], concepts: frozenset[Concept]) -> Found:
    if words & _OFFERS and (types[T.DISCOUNT] or types[T.EVENT_TIME] >= 2) and not types[T.ORDER_ID]:
        return DatasetRole.PROMOTION, 0.78, "discounts or campaigns with their times"
    if types[T.DISCOUNT] and types[T.EVENT_TIME] >= 2 and not types[T.ORDER_ID] and not types[T.USER_ID]:
        return DatasetRole.PROMOTION, 0.7, "discounts with two times"
    return None


def _catalogue(types: Types, columns: Sequence[Candidate], words: set[str], concepts: frozenset[Concept]) -> Found:
    described = sum(bool(types[one]) for one in (T.TITLE, T.CATEGORY, T.BRAND, T.GTIN, T.IMAGE_URL, T.FREE_TEXT, T.PRICE))
    if types[T.ITEM_ID] and (_unique(columns, T.ITEM_ID) or not types[T.USER_ID]) and described >= 2 and not (
        types[T.USER_ID] or types[T.SESSION_ID] or types[T.EVENT_TYPE]
    ):
        return DatasetRole.ITEM_CATALOGUE, 0.86, "ids of items with what describes them"
    if types[T.TITLE] and described >= 3 and not types[T.USER_ID] and not types[T.EVENT_TYPE]:
        return DatasetRole.ITEM_CATALOGUE, 0.7, "titles with what describes items"
    return None


def _behaviour(types: Types, columns: Sequence[Candidate], words: set[str], concepts: frozenset[Concept]) -> Found:
    who = types[T.USER_ID] or types[T.SESSION_ID]
    what = types[T.ITEM_ID] or types[T.URL] or types[T.EVENT_TYPE]
    if who and what and (types[T.EVENT_TIME] or types[T.EVENT_TYPE]) and not _unique(columns, T.USER_ID):
        return DatasetRole.USER_BEHAVIOUR, 0.85 if types[T.ITEM_ID] else 0.7, "what users did, and when"
    if types[T.USER_ID] and types[T.ITEM_ID] and len(columns) <= 4:
        return DatasetRole.USER_BEHAVIOUR, 0.7, "users and items together"
    return None


def _profile(types: Types, columns: Sequence[Candidate], words: set[str], concepts: frozenset[Concept]) -> Found:
    about = sum(bool(types[one]) for one in (T.EMAIL, T.PERSON_NAME, T.GENDER, T.BIRTH_DATE, T.PHONE, T.CITY, T.COUNTRY, T.LANGUAGE))
    if types[T.ITEM_ID] or types[T.ORDER_ID]:
        return None
    if (_unique(columns, T.USER_ID) and about >= 1) or about >= 3 and types[T.EMAIL] + types[T.PERSON_NAME]:
        return DatasetRole.USER_PROFILE, 0.85, "one row for each person, with what is known of them"
    return None


def _feature(types: Types, columns: Sequence[Candidate], words: set[str], concepts: frozenset[Concept]) -> Found:
    numbers = sum(one.facts.is_numeric and one.best in (None, T.SCORE, T.BOOLEAN_FLAG, T.QUANTITY, T.RATING, T.PRICE) for one in columns)
    if len(columns) >= 6 and numbers >= 0.7 * len(columns) and (types[T.USER_ID] or types[T.ITEM_ID]):
        return DatasetRole.FEATURE, 0.7, f"{numbers} of {len(columns)} columns are plain numbers beside an id"
    return None


_RULES = (_social, _search, _exposure, _feature, _promotion, _feedback, _transaction, _profile, _catalogue, _behaviour)
