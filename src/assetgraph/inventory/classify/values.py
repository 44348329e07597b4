"""What the values of a column say by themselves: candidates with a score from 0 to 1 and a sentence for people."""

from collections import Counter
from collections.abc import Callable

from assetgraph.inventory.classify.facts import Facts, Kind
from assetgraph.inventory.classify.kinds import SemanticType as T
from assetgraph.inventory.classify.people import names_of_people
from assetgraph.inventory.classify.streets import addresses
from assetgraph.inventory.classify.vocabulary import codes, words

#: Candidates by type: score, evidence.
Said = dict[T, tuple[float, str]]

#: Share of values that must have a form that proves a type.
PROOF = 0.9


def percent(share: float) -> str:
    """Return a share for people."""
    return f"{share * 100:.0f} %" if share in (0, 1) or share < 0.995 else f"{share * 100:.1f} %"


def said_by_values(facts: Facts) -> Said:
    """Return what the values say."""
    found: Said = {}
    if not facts.present:
        return found
    for rule in _RULES:
        for type_, score, evidence in rule(facts):
            if score > found.get(type_, (0.0, ""))[0]:
                found[type_] = (score, evidence)
    return found


Candidates = list[tuple[T, float, str]]


def _formats(facts: Facts) -> Candidates:
    """Forms that are proof, most of them with a check digit."""
    found: Candidates = []
    for form, type_, what in (
        ("email", T.EMAIL, "are e-mail addresses"),
        ("mac", T.MAC_ADDRESS, "are hardware addresses"),
        ("iban_valid", T.IBAN, "are IBANs by length and remainder 97"),
        ("agent", T.DEVICE, "are user agents"),
    ):
        share = facts.share(form)
        if share >= PROOF or (share >= 0.6 and form in ("email", "iban_valid")):
            found.append((type_, 0.6 + 0.39 * share if share < PROOF else 0.97, f"{percent(share)} of values {what}"))
    share = facts.share("uuid")
    if share >= 0.97:
        found.append((T.UUID, 0.9, f"{percent(share)} of values are UUIDs with version and variant"))
    share = facts.share("url")
    if share >= PROOF:
        pictures = facts.share("image")
        if pictures >= 0.8:
            found.append((T.IMAGE_URL, 0.96, f"{percent(pictures)} of values are addresses of pictures"))
        else:
            found.append((T.URL, 0.95, f"{percent(share)} of values are web addresses"))
    return found


def _networks(facts: Facts) -> Candidates:
    four, six = facts.share("ipv4"), facts.share("ipv6_valid")
    share = four + six
    if share < PROOF or (four > 0.3 and facts.share("ipv4_spread") < 0.6 and not six):
        return []
    return [(T.IP_ADDRESS, 0.96, f"{percent(min(share, 1))} of values are IP addresses")]


def _numbers_with_checks(facts: Facts) -> Candidates:
    card, gtin = facts.share("card"), facts.share("gtin")
    if card >= 0.95 and len(facts.values) >= 5:
        return [(T.CARD_NUMBER, 0.97, f"{percent(card)} of values pass Luhn and begin as payment cards do")]
    if gtin >= 0.95 and len(facts.values) >= 5:
        return [(T.GTIN, 0.93, f"{percent(gtin)} of values have the check digit of article numbers")]
    return []


def _phones(facts: Facts) -> Candidates:
    if not facts.is_text and facts.kind is not Kind.WHOLE:
        return []
    if facts.share("mobile_cn") >= 0.97 and facts.ratio > 0.2 and _random_ends(facts.values):
        return [(T.PHONE, 0.8, "values are like Chinese mobile numbers")]
    if facts.share("dialled") < 0.85 or facts.kind is Kind.WHOLE:
        return []
    if max(facts.share("date"), facts.share("ipv4")) > 0.2 or facts.share("zip_dash") > 0.7:
        return []
    digits = ["".join(filter(str.isdigit, value)) for value in facts.values]
    length = sum(map(len, digits)) / len(digits)
    plus = facts.share("plus")
    if plus >= 0.3:
        return [(T.PHONE, 0.92, f"{percent(plus)} of values begin with a country code, grouped as telephone numbers")]
    if length < 7.5 or (facts.share("long_digits") > 0.9 and facts.length > 15.5):
        return []
    return _national(facts, digits)


def _national(facts: Facts, digits: list[str]) -> Candidates:
    """Numbers as they are dialled within a country: with a trunk digit, an area in brackets, or in groups."""
    count = len(digits)
    trunk = sum(one.startswith("0") for one in digits) / count
    eight = sum(len(one) == 11 and one[0] == "8" and one[1] in "34789" for one in digits) / count
    chinese = sum(len(one) == 11 and one[0] == "1" and one[1] in "3456789" for one in digits) / count
    written = facts.share("digits") < 0.5
    if written and max(trunk, eight) >= 0.9 and sum(map(len, digits)) <= 12 * count:
        return [(T.PHONE, 0.85, f"{percent(max(trunk, eight))} of values begin with a trunk digit, in groups")]
    if written and chinese >= 0.97 and _random_ends(digits):
        return [(T.PHONE, 0.8, "values are like Chinese mobile numbers")]
    grouped = facts.share("grouped")
    if facts.share("extension") > 0.1 or grouped >= 0.5:
        if facts.share("three_three_four") >= 0.97 and facts.share("nanp") < 0.97:
            return []
        # No exchange begins with 0 or 1 where no trunk digit is written; numbers of parts and lots begin with any.
        odd = sum(one[0] in "01" for one in digits) / count
        if 0.03 < odd < 0.9 and not _in_brackets(facts) and _one_shape(facts.values):
            return []
        prefixes = {value[:4] for value in facts.values}
        if len(prefixes) < (3 if _in_brackets(facts) else max(3, count * 0.08)):
            return [(T.PHONE, 0.45, "values are grouped as telephone numbers")]
        return [(T.PHONE, 0.82, f"{percent(grouped)} of values are grouped as telephone numbers")]
    if facts.share("trunk") >= 0.85 and 9 <= facts.length <= 14:
        return [
            (T.PHONE, 0.7, f"{percent(facts.share('trunk'))} of values begin with a trunk 0 as telephone numbers do")
        ]
    return []


def _one_shape(values: list[str]) -> bool:
    """Tell values that are all written with the same groups of digits."""
    shapes = Counter("".join("9" if one.isdigit() else one for one in value) for value in values)
    return shapes.most_common(1)[0][1] > 0.9 * len(values)


def _in_brackets(facts: Facts) -> bool:
    return sum(value.startswith("(") for value in facts.values) > 0.2 * len(facts.values)


def _random_ends(values: list[str]) -> bool:
    """Tell numbers whose ends differ from those that are counted up."""
    return len({value[3:7] for value in values}) > len(values) * 0.5 and len(values) >= 10


def _codes_of_standards(facts: Facts) -> Candidates:
    found: Candidates = []
    if not facts.is_text:
        return found
    values = facts.values
    if facts.share("two") >= 0.97 or facts.share("three") >= 0.97:
        for name, type_, fold, what in (
            ("country_2", T.COUNTRY, str.upper, "ISO 3166 country codes"),
            ("country_3", T.COUNTRY, str, "ISO 3166 country codes"),
            ("language", T.LANGUAGE, str, "ISO 639 language codes"),
            ("currency", T.CURRENCY, str, "ISO 4217 currency codes"),
        ):
            known = sum(fold(value) in codes(name) for value in values) / len(values)
            if known >= 0.97 and not (name == "country_2" and len(values) < 2 and facts.present > 50):
                lower = facts.share("upper") < 0.5
                score = {"country_2": 0.62 if lower else 0.88, "language": 0.86}.get(name, 0.93)
                found.append((type_, min(score, 0.6 + 0.06 * len(values)), f"{percent(known)} of values are {what}"))
    if facts.share("locale") >= 0.9:
        found.append((T.LANGUAGE, 0.92, f"{percent(facts.share('locale'))} of values are language tags"))
    if facts.share("sign") >= 0.9:
        found.append((T.CURRENCY, 0.9, "values are signs of currencies"))
    for name, type_, least, score, what in (
        ("country_name", T.COUNTRY, 0.8, 0.95, "names of countries"),
        ("language_name", T.LANGUAGE, 0.8, 0.93, "names of languages"),
        ("currency_name", T.CURRENCY, 0.8, 0.92, "names of currencies"),
    ):
        known = facts.among(words(name)) if 2 < facts.length < 40 else 0.0
        if known >= least:
            found.append((type_, score, f"{percent(known)} of values are {what}"))
    return found


def _postal_codes(facts: Facts) -> Candidates:
    if not facts.is_text:
        return []
    for form, score, what in (
        ("zip_gb", 0.93, "British"),
        ("zip_nl", 0.9, "Dutch"),
        ("zip_ca", 0.93, "Canadian"),
        ("zip_dash", 0.72, "grouped"),
    ):
        if facts.share(form) >= 0.9 and facts.distinct > 3:
            return [
                (T.POSTAL_CODE, score, f"{percent(facts.share(form))} of values have the form of {what} postal codes")
            ]
    if facts.share("zip_digits") >= 0.95 and 4 <= facts.length <= 8.5 and facts.distinct > 10:
        padded = 0.01 < facts.share("padded") < 0.6
        return [(T.POSTAL_CODE, 0.5 if padded else 0.35, "values are as long as postal codes")]
    return []


def _times(facts: Facts) -> Candidates:
    if facts.kind is Kind.MOMENT:
        return [(T.EVENT_TIME, 0.9, "values are moments")]
    if facts.kind is Kind.DATE:
        return [(T.EVENT_TIME, 0.7, "values are dates")]
    if facts.is_text:
        if facts.share("moment") >= 0.9:
            return [(T.EVENT_TIME, 0.88, f"{percent(facts.share('moment'))} of values are moments as text")]
        if facts.share("date") >= 0.9:
            return [(T.EVENT_TIME, 0.68, f"{percent(facts.share('date'))} of values are dates as text")]
    if facts.kind is Kind.WHOLE and facts.distinct > 5 and facts.low is not None and facts.high is not None:
        for unit in (1, 1e3, 1e6, 1e9):
            if 8.5e8 * unit <= facts.low and facts.high <= 2.2e9 * unit and facts.high < facts.low * 1.6:
                return [(T.EVENT_TIME, 0.75, "values are seconds, or parts of them, since 1970")]
    return []


def _truths(facts: Facts) -> Candidates:
    if facts.kind is Kind.TRUTH:
        return [(T.BOOLEAN_FLAG, 0.92, "values are true and false")]
    said = set(facts.folded) if facts.is_text and 1 <= facts.distinct <= 2 else set()
    if said and said <= words("truth") and not said <= words("gender_core"):
        return [(T.BOOLEAN_FLAG, 0.88, "the only values are " + " and ".join(sorted(facts.values)))]
    if facts.is_numeric and facts.distinct == 2 and (facts.low, facts.high) == (0, 1):
        return [(T.BOOLEAN_FLAG, 0.82, "the only values are 0 and 1")]
    return []


def _vocabularies(facts: Facts) -> Candidates:
    """Lists of words: what was done, on what, by whom, how far."""
    found: Candidates = []
    if not facts.is_text or facts.length > 60:
        return found
    plain = frozenset(value.replace("_", " ").replace("-", " ") for value in facts.folded)
    few = facts.distinct <= 60
    for name, type_, least, score in (
        ("event", T.EVENT_TYPE, 0.6, 0.86),
        ("status", T.STATUS, 0.6, 0.84),
        ("device", T.DEVICE, 0.5, 0.87),
        ("category", T.CATEGORY, 0.5, 0.84),
        ("gender", T.GENDER, 0.99, 0.9),
    ):
        if not few and name != "category":
            continue
        known = sum(value in words(name) for value in plain) / len(plain)
        if name == "gender" and (not plain & words("gender_core") or len(plain) < 2 or len(plain) > 6):
            continue
        if name == "device":
            known = sum(any(word in words(name) for word in (value, *value.split())) for value in plain) / len(plain)
        if known >= least and len(plain) >= 2:
            found.append((type_, score * (0.75 + 0.25 * known), f"{percent(known)} of values are words for it"))
    known = facts.among(words("brand"))
    if known >= 0.25 and facts.words < 3.5:
        found.append((T.BRAND, min(0.92, 0.66 + 0.4 * known), f"{percent(known)} of values are known brands"))
    known = facts.among(words("city")) if facts.share("digit") < 0.05 and facts.words < 3.5 else 0.0
    if known >= 0.12:
        found.append((T.CITY, min(0.94, 0.62 + 0.45 * known), f"{percent(known)} of values are known towns"))
    if facts.share("cjk_town") >= 0.7:
        found.append((T.CITY, 0.86, f"{percent(facts.share('cjk_town'))} of values end as towns do"))
    if facts.share("path") >= 0.8 and facts.share("url") < 0.1 and facts.share("sentence") < 0.2:
        found.append((T.CATEGORY, 0.88, "values are paths of groups"))
    elif few and facts.share("digit") < 0.2:
        known = _holding_words(facts, words("category"))
        if known >= 0.4:
            found.append(
                (T.CATEGORY, 0.6 + 0.2 * known, f"{percent(known)} of values hold a word for a group of goods")
            )
    return found


def _holding_words(facts: Facts, entries: frozenset[str]) -> float:
    def holds(value: str) -> bool:
        return any(part.strip(",&/()") in entries for part in value.replace("/", " ").replace("-", " ").split())

    return sum(map(holds, facts.folded)) / len(facts.folded) if facts.folded else 0.0


def _texts(facts: Facts) -> Candidates:
    """Titles, queries and sentences, by their length and how they are written."""
    if not facts.is_text or facts.length < 2 or facts.distinct < 5:
        return []
    sentence, wide = facts.share("sentence"), facts.length
    long = wide > 60 or (wide > 25 and sentence > 0.6) or (facts.words < 3 and wide > 18 and sentence > 0.5)
    if (long and facts.words > 6) or (sentence > 0.4 and wide > 12 and facts.words <= 3 and facts.share("upper") < 0.5):
        return [(T.FREE_TEXT, 0.85, "values are sentences")]
    if (
        max(
            facts.share("code"),
            facts.share("dialled"),
            facts.share("url"),
            facts.share("email"),
            facts.share("hex"),
            facts.share("json"),
        )
        > 0.5
        or facts.share("company") > 0.25
    ):
        return []
    found: Candidates = []
    spaced = facts.words
    if facts.share("upper") < 0.12 and 1.25 <= spaced <= 6 and facts.distinct > 20 and facts.share("sentence") < 0.1:
        found.append((T.QUERY_TEXT, 0.68, "values are a few words in lower case"))
    if facts.share("capital") > 0.6 and 1.6 <= spaced <= 14 and facts.distinct > 20 and sentence < 0.35:
        score = 0.66 if spaced >= 2.2 or facts.share("digit") > 0.1 else 0.5
        found.append((T.TITLE, score, "values are a few words with capitals"))
    return found


def _amounts(facts: Facts) -> Candidates:
    """Numbers whose range and fineness speak."""
    if facts.is_text and facts.share("money") >= 0.9:
        return [(T.PRICE, 0.9, "values are amounts with a currency")]
    if not facts.is_numeric or facts.low is None or facts.high is None:
        return []
    low, high = facts.low, facts.high
    found: Candidates = []
    if facts.kind is Kind.NUMBER and not facts.whole:
        if facts.cents > 0.97 and high > 5 and facts.distinct > 20:
            found.append((T.PRICE, 0.72 if low >= 0 else 0.6, "values have two decimals, as money has"))
        if low >= 0 and high <= 1 and facts.cents < 0.6 and facts.distinct > 20:
            found.append((T.SCORE, 0.72, "values are from 0 to 1"))
        if low >= 0 and high <= 1 and facts.distinct <= 20 and facts.cents > 0.97:
            found.append((T.DISCOUNT, 0.55, "values are a few shares"))
    stars = 0.5 <= low <= 2 and high in (5, 10) and facts.distinct <= 2 * high
    if stars and (facts.whole or facts.cents > 0.97):
        found.append((T.RATING, 0.62 if high == 5 else 0.55, f"values are from {low:g} to {high:g}"))
    if facts.whole and low >= 1 and high <= 1000 and (facts.mean or 0) < 30 and not stars and facts.distinct < 400:
        found.append((T.QUANTITY, 0.5, "values are small whole numbers"))
    if facts.whole and low < 0 < high and facts.distinct > 10 and (facts.mean or 0) < 100:
        found.append((T.QUANTITY, 0.45, "values are whole numbers, some taken back"))
    return found


_RULES: tuple[Callable[[Facts], Candidates], ...] = (
    _formats,
    _networks,
    _numbers_with_checks,
    _phones,
    _codes_of_standards,
    _postal_codes,
    _times,
    _truths,
    _vocabularies,
    names_of_people,
    addresses,
    _texts,
    _amounts,
)
