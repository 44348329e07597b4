"""What the name of a column says: its words, what they speak of, and the types that this suggests."""

from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache

from assetgraph.inventory.classify.kinds import SemanticType as T
from assetgraph.inventory.classify.texts import is_run_on, parts_of
from assetgraph.inventory.classify.words import Concept as C
from assetgraph.inventory.classify.words import dictionary

#: Shortest word that may be a part of one that is written together.
SHORTEST_PART = 3
_LINKS = ("", "s", "n", "en", "es", "e")
#: Shorter ones, that stand at the end only.
_ENDS = frozenset({"id", "nr", "no"})
#: Words that make a name of a person only beside another word for a name.
_ORDINALS = frozenset({"first", "last", "given", "middle"})


@dataclass(frozen=True)
class Reading:
    """What a name says; `said` are the words that were understood, as (concept, word, language)."""

    said: tuple[tuple[C, str, str], ...]
    types: tuple[tuple[T, float], ...]
    #: It says that the column is something else: a measure, a digest, a thing without a type.
    other: bool

    @property
    def concepts(self) -> frozenset[C]:
        """All concepts."""
        return frozenset(concept for concept, _, _ in self.said)

    def why(self) -> str:
        """Return what was read, for people."""
        words = dict.fromkeys(f"'{word}' ({language})" for _, word, language in self.said)
        return f"name says {' + '.join(words)}"


@lru_cache(maxsize=20_000)
def read_name(name: str) -> Reading:
    """Read a column's name; nothing is said by one without a known word."""
    parts = _joined([part for part in parts_of(name) if not part.isdigit()])
    said = _meant([word for part in parts for word in _words_in(part)])
    concepts = frozenset(concept for concept, _, _ in said)
    ordinal = {word for concept, word, _ in said if concept is C.FIRST} <= _ORDINALS
    if C.FIRST in concepts and ordinal and C.NAME not in concepts:
        concepts -= {C.FIRST}
    first = next((concept for concept, word, _ in said if word == parts[0]), None) if parts else None
    types = _suggested(concepts, first)
    if said:
        last = _last_concepts(parts)
        types = {one: min(0.97, score + (0.03 if one.value in {c.value for c in last} else 0)) for one, score in types.items()}
    other = bool(concepts) and not types
    return Reading(tuple(said), tuple(sorted(types.items(), key=lambda pair: (-pair[1], pair[0]))), other)


def _meant(words: list[str]) -> list[tuple[C, str, str]]:
    """Return what words mean; of a word that means different things in several languages, in that of the others."""
    spoken = Counter(
        language for word in words if len(dictionary()[word]) == 1 for language in set(dictionary()[word][0][1])
    )
    said = []
    for word in words:
        meanings = dictionary()[word]
        best = max((spoken[one] for _, languages in meanings for one in languages), default=0)
        for concept, languages in meanings:
            fitting = [one for one in languages if spoken[one] == best]
            if fitting or len(meanings) == 1:
                said.append((concept, word, (fitting or languages)[0]))
    return said


def _last_concepts(parts: list[str]) -> frozenset[C]:
    words = _words_in(parts[-1])
    return frozenset(concept for concept, _ in dictionary()[words[-1]]) if words else frozenset()


def _joined(parts: list[str]) -> list[str]:
    """Join neighbours that are one word written apart: post code, e mail, time stamp."""
    found: list[str] = []
    at = 0
    while at < len(parts):
        pair = "".join(parts[at : at + 2])
        known = all(part in dictionary() for part in parts[at : at + 2])
        if len(parts) - at >= 2 and pair in dictionary() and not known:
            found.append(pair)
            at += 2
        else:
            found.append(parts[at])
            at += 1
    return found


@cache
def _shapes() -> int:
    return max(len(word) for word in dictionary())


def _words_in(part: str) -> list[str]:
    """Return the known words of a part: itself, or those it is written together from; none when some of it is unknown."""
    if part in dictionary():
        return [part]
    if part.endswith("s") and part[:-1] in dictionary():
        return [part[:-1]]
    run_on = is_run_on(part)
    split = _split(part, 1 if run_on else SHORTEST_PART, run_on)
    return split or []


def _split(part: str, shortest: int, lenient: bool) -> list[str] | None:
    """Split greedily, the longest word first; with `lenient` unknown signs are passed over."""
    if not part:
        return []
    if part in _ENDS:
        return [part]
    for length in range(min(len(part), _shapes()), shortest - 1, -1):
        word = part[:length]
        if word not in dictionary():
            continue
        for link in _LINKS if not lenient else ("",):
            rest = part[length:]
            if not rest.startswith(link):
                continue
            below = _split(rest[len(link) :], shortest, lenient)
            if below is not None:
                return [word, *below]
    return _split(part[1:], shortest, lenient) if lenient else None


#: A concept that alone names a type, unless a stronger word stands beside it.
_ATTRIBUTES: tuple[tuple[C, T, float], ...] = (
    (C.EMAIL, T.EMAIL, 0.95), (C.IBAN, T.IBAN, 0.95), (C.MAC, T.MAC_ADDRESS, 0.8), (C.GTIN, T.GTIN, 0.85),
    (C.LATITUDE, T.LATITUDE, 0.9), (C.LONGITUDE, T.LONGITUDE, 0.9), (C.COUNTRY, T.COUNTRY, 0.92),
    (C.LANGUAGE, T.LANGUAGE, 0.9), (C.CITY, T.CITY, 0.88), (C.POSTAL, T.POSTAL_CODE, 0.92),
    (C.GENDER, T.GENDER, 0.92), (C.CURRENCY, T.CURRENCY, 0.93), (C.IP, T.IP_ADDRESS, 0.9), (C.IMAGE, T.IMAGE_URL, 0.88),
    (C.URL, T.URL, 0.88), (C.PHONE, T.PHONE, 0.92), (C.BRAND, T.BRAND, 0.88), (C.DEVICE, T.DEVICE, 0.85),
    (C.STATUS, T.STATUS, 0.82), (C.DISCOUNT, T.DISCOUNT, 0.86), (C.RATING, T.RATING, 0.84), (C.POSITION, T.POSITION, 0.8),
    (C.SCORE, T.SCORE, 0.8), (C.CATEGORY, T.CATEGORY, 0.86), (C.PRICE, T.PRICE, 0.84), (C.QUANTITY, T.QUANTITY, 0.84),
    (C.TEXT, T.FREE_TEXT, 0.8), (C.QUERY, T.QUERY_TEXT, 0.86),
)  # fmt: skip
#: Attributes that beat others: what is said of a price in a currency is the currency, and so on.
_ABOVE: dict[C, frozenset[C]] = {
    C.EMAIL: frozenset({C.URL, C.ADDRESS, C.STREET, C.TEXT}),
    C.CURRENCY: frozenset({C.PRICE}),
    C.DISCOUNT: frozenset({C.PRICE}),
    C.IMAGE: frozenset({C.URL}),
    C.LANGUAGE: frozenset({C.TEXT, C.QUERY}),
    C.COUNTRY: frozenset({C.IP, C.PHONE, C.BRAND}),
    C.CITY: frozenset({C.IP}),
    C.POSTAL: frozenset({C.EMAIL}),
    C.RATING: frozenset({C.TEXT}),
    C.SCORE: frozenset({C.QUERY, C.RATING, C.CATEGORY}),
}


def _suggested(concepts: frozenset[C], first: C | None) -> dict[T, float]:
    """Return types with how strongly a set of concepts suggests each."""
    if not concepts:
        return {}
    found = _special(concepts, first)
    if found is not None:
        return found
    found = {}
    hidden: set[C] = set()
    for concept in concepts:
        hidden |= _ABOVE.get(concept, frozenset())
    if {C.DISCOUNT} <= concepts and concepts & {C.ID, C.NAME}:
        return {}  # a coupon's code
    for concept, type_, strength in _ATTRIBUTES:
        if concept in concepts and concept not in hidden:
            found[type_] = strength
    counted = C.MEASURE in concepts or (C.QUANTITY in concepts and C.NAME not in concepts)
    if C.ID in concepts and concepts & {C.QUERY, C.TEXT, C.IMAGE, C.SCORE, C.STATUS, C.RATING, C.PRICE} and not (
        concepts & {C.ITEM, C.PERSON, C.ORDER, C.SESSION}
    ):
        for one in (T.QUERY_TEXT, T.FREE_TEXT, T.IMAGE_URL, T.STATUS, T.RATING):
            found.pop(one, None)
    if C.MEASURE in concepts:
        found = {one: score * (0.75 if one in _MEASURABLE else 0.3) for one, score in found.items()}
    if not counted:
        found |= {one: score for one, score in _entities(concepts).items() if score > found.get(one, 0)}
    if C.PLACE in concepts:
        found = {one: score * (0.75 if one in _OWNED else 0.45) for one, score in found.items()}
    elif C.OTHER in concepts:
        found = {one: score * 0.5 for one, score in found.items()}
    return {one: score for one, score in found.items() if score >= 0.25}


#: Numbers that stay what they are when they are summed, averaged or bounded.
_MEASURABLE = frozenset({T.PRICE, T.QUANTITY, T.DISCOUNT, T.RATING, T.SCORE, T.BIRTH_DATE, T.CATEGORY})
#: What a shop, a plant or a branch has too.
_OWNED = frozenset({T.EMAIL, T.PHONE, T.CITY, T.COUNTRY, T.POSTAL_CODE, T.ADDRESS, T.LATITUDE, T.LONGITUDE, T.URL, T.IMAGE_URL, T.IBAN})


def _special(concepts: frozenset[C], first: C | None) -> dict[T, float] | None:
    """Return what combinations say that no single word does; None where the general rules hold."""
    if C.DIGEST in concepts:
        return {T.SESSION_ID: 0.5} if C.SESSION in concepts else {}
    if C.BIRTH in concepts and not concepts & {C.CITY, C.COUNTRY}:
        return {T.BIRTH_DATE: 0.93}
    if first is C.FLAG and C.TIME not in concepts:
        return {T.BOOLEAN_FLAG: 0.9, **({T.QUANTITY: 0.5} if C.QUANTITY in concepts else {})}
    if C.TIME in concepts and C.MEASURE not in concepts:
        return {T.EVENT_TIME: 0.9}
    if C.FLAG in concepts and C.ID not in concepts and not concepts & {C.QUANTITY, C.PRICE}:
        return {T.BOOLEAN_FLAG: 0.85} | ({T.STATUS: 0.4} if C.STATUS in concepts else {})
    if C.CARD in concepts:
        if concepts & {C.NAME, C.FIRST, C.PERSON} and C.ID not in concepts:
            return {T.PERSON_NAME: 0.85}
        return {} if concepts & {C.TYPE, C.BRAND, C.STATUS, C.MEASURE} else {T.CARD_NUMBER: 0.88}
    if C.UUID in concepts and not concepts & {C.PERSON, C.ITEM, C.ORDER, C.SESSION}:
        return {T.UUID: 0.6}
    if concepts & {C.IP, C.MAC} and C.ADDRESS in concepts:
        return {T.IP_ADDRESS: 0.93} if C.IP in concepts else {T.MAC_ADDRESS: 0.93}
    if concepts & {C.ADDRESS, C.STREET} and not concepts & {C.EMAIL, C.URL, C.CITY, C.POSTAL, C.COUNTRY, C.ID, C.TYPE}:
        return {T.ADDRESS: 0.7 if concepts & {C.OTHER, C.PLACE} else 0.9}
    if concepts & {C.ADDRESS, C.STREET} and C.ID in concepts and concepts & {C.STREET}:
        return {T.ADDRESS: 0.6}
    return None


def _entities(concepts: frozenset[C]) -> dict[T, float]:
    """Return what words for things say, alone or with a word for an id or a name."""
    attributes = concepts & {one for one, _, _ in _ATTRIBUTES} - {C.IP}
    named = concepts & {C.NAME, C.TITLE}
    found: dict[T, float] = {}
    if C.FIRST in concepts:
        found[T.PERSON_NAME] = 0.92
    if C.EVENT in concepts and not attributes:
        found[T.EVENT_TYPE] = 0.3 if C.ID in concepts else 0.9
    if concepts & {C.PERSON, C.PEER} and not attributes and C.EVENT not in concepts:
        if named:
            found[T.PERSON_NAME] = 0.9
        elif C.TYPE not in concepts:
            found[T.USER_ID] = 0.94 if C.ID in concepts else 0.75
            if C.ID not in concepts:
                found[T.PERSON_NAME] = 0.55
    if C.ITEM in concepts and C.PERSON not in concepts:
        if named:
            found[T.TITLE] = 0.92
        elif C.TYPE in concepts:
            found[T.CATEGORY] = 0.7
        elif not attributes and C.ORDER not in concepts:
            found[T.ITEM_ID] = 0.94 if C.ID in concepts else 0.72
            if C.ID not in concepts:
                found[T.TITLE] = 0.6
        if C.TEXT in concepts:
            found[T.TITLE] = 0.6
    if C.ORDER in concepts and not attributes and not concepts & {C.ITEM, C.PERSON, C.EVENT, C.TYPE}:
        found[T.ORDER_ID] = 0.93 if C.ID in concepts else 0.65
    if C.SESSION in concepts and not attributes and not concepts & {C.TYPE, C.TIME}:
        found[T.SESSION_ID] = 0.93
    if C.NAME in concepts and not found and not attributes - {C.QUANTITY} and not concepts & {C.OTHER, C.PLACE}:
        found |= {T.TITLE: 0.5, T.PERSON_NAME: 0.5}
    elif C.TITLE in concepts and not found and not attributes:
        found[T.TITLE] = 0.85
    if C.TYPE in concepts and concepts <= {C.TYPE}:
        found |= {T.EVENT_TYPE: 0.45, T.CATEGORY: 0.45}
    if C.TEXT in concepts and concepts <= {C.TEXT, C.TITLE}:
        found[T.TITLE] = max(0.5, found.get(T.TITLE, 0))
    return found
