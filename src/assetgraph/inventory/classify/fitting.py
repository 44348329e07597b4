"""Whether the values of a column can be what its name says."""

from assetgraph.inventory.classify.facts import Facts, Kind
from assetgraph.inventory.classify.kinds import SemanticType as T

_IDS = frozenset({T.USER_ID, T.ITEM_ID, T.ORDER_ID, T.SESSION_ID})
_WORDS = frozenset({T.COUNTRY, T.LANGUAGE, T.CURRENCY, T.CITY, T.BRAND, T.CATEGORY, T.STATUS, T.DEVICE, T.EVENT_TYPE})
_CODED = frozenset({T.EVENT_TYPE, T.CATEGORY, T.BRAND, T.STATUS, T.DEVICE, T.COUNTRY, T.LANGUAGE, T.CITY})
_DATED = ("date", "moment")


def fits(type_: T, facts: Facts) -> float:
    """Return how well values fit a type that a name suggests: 0 they cannot be it, 1 nothing speaks against it."""
    if not facts.present:
        return 0.8 if facts.kind is Kind.NOTHING else 0.0  # nothing to see: the name is all there is
    if facts.kind is Kind.NESTED:
        return 0.0
    if type_ in _IDS:
        return _as_id(facts)
    if type_ in _FORMS:
        return _as_form(type_, facts)
    if type_ in (T.EVENT_TIME, T.BIRTH_DATE):
        return _as_time(type_, facts)
    if type_ in _NUMERIC:
        return _as_number(type_, facts)
    if type_ is T.BOOLEAN_FLAG:
        return 1.0 if facts.kind is Kind.TRUTH or facts.distinct <= 2 else (0.5 if facts.distinct == 3 else 0.0)
    return _as_words(type_, facts)


def _as_id(facts: Facts) -> float:
    if facts.kind in (Kind.TRUTH, Kind.DATE, Kind.MOMENT):
        return 0.0
    if facts.kind is Kind.NUMBER:
        return 0.9 if facts.whole else 0.0
    if facts.is_text:
        if max(facts.share("email"), facts.share("url"), facts.share("sentence")) > 0.5:
            return 0.3
        if facts.share("iban") > 0.9:
            return 0.5
        return 1.0 if facts.words < 1.2 else 0.35
    return 1.0


#: Forms of which some must be there, the least share, and how much is left of the name's word otherwise.
_FORMS: dict[T, tuple[tuple[str, ...], float, float]] = {
    T.EMAIL: (("email",), 0.3, 0.0),
    T.IP_ADDRESS: (("ipv4", "ipv6_valid", "ipv6"), 0.5, 0.0),
    T.MAC_ADDRESS: (("mac",), 0.5, 0.0),
    T.IBAN: (("iban", "iban_valid"), 0.4, 0.0),
    T.CARD_NUMBER: (("card",), 0.4, 0.0),
    T.PHONE: (("dialled", "digits"), 0.5, 0.0),
    T.URL: (("url",), 0.4, 0.0),
    T.IMAGE_URL: (("url", "image"), 0.4, 0.0),
    T.UUID: (("uuid",), 0.8, 0.0),
    T.GTIN: (("gtin",), 0.6, 0.0),
}


def _as_form(type_: T, facts: Facts) -> float:
    forms, least, otherwise = _FORMS[type_]
    if not (facts.is_text or facts.kind is Kind.WHOLE):
        return 0.0
    if type_ is T.PHONE and facts.kind is Kind.WHOLE:
        return 1.0 if (facts.low or 0) >= 1e6 and (facts.high or 0) < 1e15 else 0.0
    if type_ is T.PHONE and (facts.length < 6.5 or facts.length > 24):
        return 0.0
    return 1.0 if max(facts.share(form) for form in forms) >= least else otherwise


def _as_time(type_: T, facts: Facts) -> float:
    if facts.kind in (Kind.DATE, Kind.MOMENT):
        return 1.0
    if facts.is_text:
        return 1.0 if max(facts.share(form) for form in _DATED) >= 0.5 else 0.0
    if facts.kind is Kind.WHOLE and facts.low is not None and facts.high is not None:
        if type_ is T.BIRTH_DATE:
            return 0.9 if facts.low >= 1880 and facts.high <= 2035 else 0.0
        if facts.low >= 19_000_000 and facts.high < 22_000_000:
            return 0.95  # 20260131
        return 1.0 if facts.low >= 5e8 and facts.high < 4e18 else 0.0
    if facts.kind is Kind.NUMBER and (facts.low or 0) >= 5e8:
        return 0.9
    return 0.0


#: Numbers with their range, and whether they must be whole.
_NUMERIC: dict[T, tuple[float, float, bool]] = {
    T.PRICE: (-1e12, 1e12, False), T.QUANTITY: (-1e7, 1e9, True), T.DISCOUNT: (-1e6, 1e6, False),
    T.RATING: (-10, 100, False), T.SCORE: (-1e9, 1e9, False), T.POSITION: (0, 1e5, True),
    T.LATITUDE: (-90, 90, False), T.LONGITUDE: (-180, 180, False),
}  # fmt: skip


def _as_number(type_: T, facts: Facts) -> float:
    low, high, whole = _NUMERIC[type_]
    if facts.is_text:
        amounts = type_ in (T.PRICE, T.DISCOUNT) and (facts.share("money") > 0.5 or facts.share("quantity") > 0.5)
        return 0.95 if amounts or (facts.share("version") > 0.8 and facts.length < 10) else 0.0
    if not facts.is_numeric or facts.low is None or facts.high is None:
        return 0.0
    if facts.low < low or facts.high > high:
        return 0.0
    if whole and not facts.whole:
        return 0.7 if type_ is T.QUANTITY else 0.2
    return 1.0


def _as_words(type_: T, facts: Facts) -> float:
    if not facts.is_text:
        small = facts.kind is Kind.WHOLE and facts.distinct <= 5000 and type_ in _CODED
        if type_ is T.GENDER and facts.distinct <= 4:
            return 0.9
        if type_ is T.POSTAL_CODE and facts.kind is Kind.WHOLE:
            return 0.95 if (facts.low or 0) >= 100 and (facts.high or 0) < 1e9 else 0.0
        return 0.8 if small else 0.0
    if type_ is T.GENDER:
        return 1.0 if facts.distinct <= 10 and facts.length < 20 else 0.0
    if type_ is T.POSTAL_CODE:
        return 1.0 if 3 <= facts.length <= 11 and facts.share("digit") > 0.5 else 0.0
    if max(facts.share("uuid"), facts.share("email"), facts.share("url"), facts.share("moment")) > 0.6:
        return 0.0
    if type_ in _WORDS:
        if facts.share("hex") > 0.6:
            return 0.2
        limit = 400 if type_ in (T.DEVICE, T.CATEGORY) else 60
        return 1.0 if facts.length <= limit and facts.share("sentence") < 0.5 else (0.9 if type_ is T.DEVICE else 0.2)
    if type_ is T.PERSON_NAME:
        return 0.2 if facts.share("digit") > 0.4 or facts.length > 60 else (0.9 if facts.words > 5 else 1.0)
    if type_ is T.ADDRESS:
        return 1.0 if facts.length > 3 and max(facts.share("ipv4"), facts.share("hex")) < 0.5 else 0.0
    coded = facts.words < 1.2 and max(facts.share("code"), facts.share("hex")) > 0.85
    if type_ is T.FREE_TEXT:
        return 0.3 if coded else (0.95 if facts.words >= 4 or facts.length > 25 else 0.6)
    if type_ is T.TITLE:
        return 0.25 if coded else (0.7 if facts.length > 120 else 1.0)
    return 0.3 if coded else 1.0
