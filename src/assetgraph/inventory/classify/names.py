"""What the name of a column says: its words, what they speak of, and the types that this suggests."""

from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache

from assetgraph.inventory.classify.kinds import SemanticType as T
from assetgraph.inventory.classify.texts import is_run_on, parts_of
from assetgraph.inventory.classify.words import Concept, dictionary

#: Shortest word that may be a part of one that is written together.
SHORTEST_PART = 3
_LINKS = ("", "s", "n", "en", "es", "e")
#: Shorter ones, that stand at the end only.
_ENDS = frozenset({"id", "nr", "no"})
#: Words that make a name of a person only beside another word for a name.
_ORDINALS = frozenset({"first", "last", "given", "middle"})

#: Words for a family, which a name of a person has, and for a group of goods.
_FAMILIES = frozenset({"family", "famille", "familia", "famiglia", "familie", "rodzina"})


@dataclass(frozen=True)
class Reading:
    """What a name says; `said` are the words that were understood, as (concept, word, language)."""

    said: tuple[tuple[Concept, str, str], ...]
    types: tuple[tuple[T, float], ...]
    #: It says that the column is something else: a measure, a digest, a thing without a type.
    other: bool

    @property
    def concepts(self) -> frozenset[Concept]:
        """All concepts."""
        return frozenset(concept for concept, _, _ in self.said)

    def why(self) -> str:
        """Return what was read, for people."""
        words = dict.fromkeys(f"'{word}' ({language})" for _, word, language in self.said)
        return f"name says {' + '.join(words)}"


@lru_cache(maxsize=20_000)
def read_name(name: str) -> Reading:
    """Read a column's name; nothing is said by one without a known word."""
    whole = parts_of(name)
    # A letter beside others, or beside a number, is a placeholder: only alone does q mean a query.
    parts = _joined(
        [part for part in whole if not part.isdigit() and (len(whole) == 1 or len(part) > 1 or is_run_on(part))]
    )
    said = _meant([word for part in parts for word in _words_in(part)])
    concepts = frozenset(concept for concept, _, _ in said)
    ordinal = {word for concept, word, _ in said if concept is Concept.FIRST} <= _ORDINALS
    if Concept.FIRST in concepts and ordinal and Concept.NAME not in concepts:
        concepts -= {Concept.FIRST}
    if Concept.NAME in concepts and any(word in _FAMILIES for _, word, _ in said):
        concepts = (concepts - {Concept.CATEGORY, Concept.NAME}) | {Concept.FIRST}
    first = next((concept for concept, word, _ in said if word == parts[0]), None) if parts else None
    types = _suggested(concepts, first)
    if said:
        last = _last_concepts(parts)
        types = {
            one: min(0.97, score + (0.03 if one.value in {c.value for c in last} else 0))
            for one, score in types.items()
        }
    other = bool(concepts) and not types
    return Reading(tuple(said), tuple(sorted(types.items(), key=lambda pair: (-pair[1], pair[0]))), other)


def _meant(words: list[str]) -> list[tuple[Concept, str, str]]:
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


def _last_concepts(parts: list[str]) -> frozenset[Concept]:
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
    """Return the known words that a part is, or is written together from; none when some of it is unknown."""
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
_ATTRIBUTES: tuple[tuple[Concept, T, float], ...] = (
    (Concept.EMAIL, T.EMAIL, 0.95),
    (Concept.IBAN, T.IBAN, 0.95),
    (Concept.MAC, T.MAC_ADDRESS, 0.8),
    (Concept.GTIN, T.GTIN, 0.85),
    (Concept.LATITUDE, T.LATITUDE, 0.9),
    (Concept.LONGITUDE, T.LONGITUDE, 0.9),
    (Concept.COUNTRY, T.COUNTRY, 0.92),
    (Concept.LANGUAGE, T.LANGUAGE, 0.9),
    (Concept.CITY, T.CITY, 0.88),
    (Concept.POSTAL, T.POSTAL_CODE, 0.92),
    (Concept.GENDER, T.GENDER, 0.92),
    (Concept.CURRENCY, T.CURRENCY, 0.93),
    (Concept.IP, T.IP_ADDRESS, 0.9),
    (Concept.IMAGE, T.IMAGE_URL, 0.88),
    (Concept.URL, T.URL, 0.88),
    (Concept.PHONE, T.PHONE, 0.92),
    (Concept.BRAND, T.BRAND, 0.88),
    (Concept.DEVICE, T.DEVICE, 0.85),
    (Concept.STATUS, T.STATUS, 0.82),
    (Concept.DISCOUNT, T.DISCOUNT, 0.86),
    (Concept.RATING, T.RATING, 0.84),
    (Concept.POSITION, T.POSITION, 0.8),
    (Concept.SCORE, T.SCORE, 0.8),
    (Concept.CATEGORY, T.CATEGORY, 0.86),
    (Concept.PRICE, T.PRICE, 0.84),
    (Concept.QUANTITY, T.QUANTITY, 0.84),
    (Concept.TEXT, T.FREE_TEXT, 0.8),
    (Concept.QUERY, T.QUERY_TEXT, 0.86),
)
#: Attributes that beat others: what is said of a price in a currency is the currency, and so on.
_ABOVE: dict[Concept, frozenset[Concept]] = {
    Concept.EMAIL: frozenset({Concept.URL, Concept.ADDRESS, Concept.STREET, Concept.TEXT}),
    Concept.CURRENCY: frozenset({Concept.PRICE}),
    Concept.DISCOUNT: frozenset({Concept.PRICE}),
    Concept.IMAGE: frozenset({Concept.URL}),
    Concept.LANGUAGE: frozenset({Concept.TEXT, Concept.QUERY}),
    Concept.COUNTRY: frozenset({Concept.IP, Concept.PHONE, Concept.BRAND}),
    Concept.CITY: frozenset({Concept.IP}),
    Concept.POSTAL: frozenset({Concept.EMAIL}),
    Concept.RATING: frozenset({Concept.TEXT}),
    Concept.SCORE: frozenset({Concept.QUERY, Concept.RATING, Concept.CATEGORY}),
}


def _suggested(concepts: frozenset[Concept], first: Concept | None) -> dict[T, float]:
    """Return types with how strongly a set of concepts suggests each."""
    if not concepts:
        return {}
    found = _special(concepts, first)
    if found is not None:
        return found
    found = {}
    hidden: set[Concept] = set()
    for concept in concepts:
        hidden |= _ABOVE.get(concept, frozenset())
    if {Concept.DISCOUNT} <= concepts and concepts & {Concept.ID, Concept.NAME}:
        return {}  # a coupon's code
    for concept, type_, strength in _ATTRIBUTES:
        if concept in concepts and concept not in hidden:
            found[type_] = strength
    counted = Concept.MEASURE in concepts or (Concept.QUANTITY in concepts and Concept.NAME not in concepts)
    if (
        Concept.ID in concepts
        and concepts
        & {Concept.QUERY, Concept.TEXT, Concept.IMAGE, Concept.SCORE, Concept.STATUS, Concept.RATING, Concept.PRICE}
        and not (concepts & {Concept.ITEM, Concept.PERSON, Concept.ORDER, Concept.SESSION})
    ):
        for one in (T.QUERY_TEXT, T.FREE_TEXT, T.IMAGE_URL, T.STATUS, T.RATING):
            found.pop(one, None)
    if Concept.MEASURE in concepts:
        found = {one: score * (0.75 if one in _MEASURABLE else 0.3) for one, score in found.items()}
    if not counted:
        found |= {one: score for one, score in _entities(concepts).items() if score > found.get(one, 0)}
    if Concept.PLACE in concepts:
        found = {one: score * (0.75 if one in _OWNED else 0.45) for one, score in found.items()}
    elif Concept.OTHER in concepts:
        found = {one: score * 0.5 for one, score in found.items()}
    return {one: score for one, score in found.items() if score >= 0.25}


#: Numbers that stay what they are when they are summed, averaged or bounded.
_MEASURABLE = frozenset({T.PRICE, T.QUANTITY, T.DISCOUNT, T.RATING, T.SCORE, T.BIRTH_DATE, T.CATEGORY})
#: What a shop, a plant or a branch has too.
_OWNED = frozenset(
    {T.EMAIL, T.PHONE, T.CITY, T.COUNTRY, T.POSTAL_CODE, T.ADDRESS, T.LATITUDE, T.LONGITUDE, T.URL, T.IMAGE_URL, T.IBAN}
)


def _special(concepts: frozenset[Concept], first: Concept | None) -> dict[T, float] | None:
    """Return what combinations say that no single word does; None where the general rules hold."""
    if Concept.DIGEST in concepts:
        return {T.SESSION_ID: 0.5} if Concept.SESSION in concepts else {}
    if Concept.BIRTH in concepts and not concepts & {Concept.CITY, Concept.COUNTRY}:
        return {T.BIRTH_DATE: 0.93}
    if first is Concept.FLAG and Concept.TIME not in concepts:
        return {T.BOOLEAN_FLAG: 0.9, **({T.QUANTITY: 0.5} if Concept.QUANTITY in concepts else {})}
    if Concept.TIME in concepts and Concept.MEASURE not in concepts:
        return {T.EVENT_TIME: 0.9}
    if Concept.FLAG in concepts and Concept.ID not in concepts and not concepts & {Concept.QUANTITY, Concept.PRICE}:
        return {T.BOOLEAN_FLAG: 0.85} | ({T.STATUS: 0.4} if Concept.STATUS in concepts else {})
    if Concept.CARD in concepts:
        if concepts & {Concept.NAME, Concept.FIRST, Concept.PERSON} and Concept.ID not in concepts:
            return {T.PERSON_NAME: 0.85}
        return (
            {} if concepts & {Concept.TYPE, Concept.BRAND, Concept.STATUS, Concept.MEASURE} else {T.CARD_NUMBER: 0.88}
        )
    if Concept.UUID in concepts and not concepts & {Concept.PERSON, Concept.ITEM, Concept.ORDER, Concept.SESSION}:
        return {T.UUID: 0.6}
    if concepts & {Concept.IP, Concept.MAC} and Concept.ADDRESS in concepts:
        return {T.IP_ADDRESS: 0.93} if Concept.IP in concepts else {T.MAC_ADDRESS: 0.93}
    if concepts & {Concept.ADDRESS, Concept.STREET} and not concepts & {
        Concept.EMAIL,
        Concept.URL,
        Concept.CITY,
        Concept.POSTAL,
        Concept.COUNTRY,
        Concept.ID,
        Concept.TYPE,
    }:
        return {T.ADDRESS: 0.7 if concepts & {Concept.OTHER, Concept.PLACE} else 0.9}
    if concepts & {Concept.ADDRESS, Concept.STREET} and Concept.ID in concepts and concepts & {Concept.STREET}:
        return {T.ADDRESS: 0.6}
    return None


def _entities(concepts: frozenset[Concept]) -> dict[T, float]:
    """Return what words for things say, alone or with a word for an id or a name."""
    attributes = concepts & {one for one, _, _ in _ATTRIBUTES} - {Concept.IP}
    named = concepts & {Concept.NAME, Concept.TITLE}
    found: dict[T, float] = {}
    if Concept.FIRST in concepts:
        found[T.PERSON_NAME] = 0.92
    if Concept.EVENT in concepts and not attributes:
        found[T.EVENT_TYPE] = 0.3 if Concept.ID in concepts else 0.9
    if concepts & {Concept.PERSON, Concept.PEER} and not attributes and Concept.EVENT not in concepts:
        if named:
            found[T.PERSON_NAME] = 0.9
        elif Concept.TYPE not in concepts:
            found[T.USER_ID] = 0.94 if Concept.ID in concepts else 0.75
            if Concept.ID not in concepts:
                found[T.PERSON_NAME] = 0.55
    if Concept.ITEM in concepts and Concept.PERSON not in concepts:
        if named:
            found[T.TITLE] = 0.92
        elif Concept.TYPE in concepts:
            found[T.CATEGORY] = 0.7
        elif not attributes and Concept.ORDER not in concepts:
            found[T.ITEM_ID] = 0.94 if Concept.ID in concepts else 0.72
            if Concept.ID not in concepts:
                found[T.TITLE] = 0.6
        if Concept.TEXT in concepts:
            found[T.TITLE] = 0.6
    if (
        Concept.ORDER in concepts
        and not attributes
        and not concepts & {Concept.ITEM, Concept.PERSON, Concept.EVENT, Concept.TYPE}
    ):
        found[T.ORDER_ID] = 0.93 if Concept.ID in concepts else 0.65
    if Concept.SESSION in concepts and not attributes and not concepts & {Concept.TYPE, Concept.TIME}:
        found[T.SESSION_ID] = 0.93
    if (
        Concept.NAME in concepts
        and not found
        and not attributes - {Concept.QUANTITY}
        and not concepts & {Concept.OTHER, Concept.PLACE}
    ):
        found |= {T.TITLE: 0.5, T.PERSON_NAME: 0.5}
    elif Concept.TITLE in concepts and not found and not attributes:
        found[T.TITLE] = 0.85
    if Concept.TYPE in concepts and concepts <= {Concept.TYPE}:
        found |= {T.EVENT_TYPE: 0.45, T.CATEGORY: 0.45}
    if Concept.TEXT in concepts and concepts <= {Concept.TEXT, Concept.TITLE}:
        found[T.TITLE] = max(0.5, found.get(T.TITLE, 0))
    return found
