"""Words of column names in twelve languages, by what they speak of."""

import tomllib
from enum import StrEnum
from functools import cache
from pathlib import Path

from assetgraph.inventory.classify.texts import folded


class Concept(StrEnum):
    """What a word of a name speaks of."""

    ID = "id"
    NAME = "name"
    TITLE = "title"
    TYPE = "type"
    TIME = "time"
    PERSON = "person"
    PEER = "peer"
    ITEM = "item"
    SESSION = "session"
    ORDER = "order"
    EVENT = "event"
    PRICE = "price"
    CURRENCY = "currency"
    QUANTITY = "quantity"
    DISCOUNT = "discount"
    RATING = "rating"
    SCORE = "score"
    POSITION = "position"
    QUERY = "query"
    CATEGORY = "category"
    BRAND = "brand"
    STATUS = "status"
    COUNTRY = "country"
    LANGUAGE = "language"
    CITY = "city"
    POSTAL = "postal"
    EMAIL = "email"
    PHONE = "phone"
    FIRST = "first"
    ADDRESS = "address"
    STREET = "street"
    LATITUDE = "latitude"
    LONGITUDE = "longitude"
    BIRTH = "birth"
    GENDER = "gender"
    IP = "ip"
    MAC = "mac"
    DEVICE = "device"
    URL = "url"
    IMAGE = "image"
    CARD = "card"
    IBAN = "iban"
    GTIN = "gtin"
    UUID = "uuid"
    FLAG = "flag"
    TEXT = "text"
    #: What makes a number of a thing: how many, how long, how big.
    MEASURE = "measure"
    #: What has a name, an address and a telephone of its own: a shop, a firm.
    PLACE = "place"
    #: Another thing that no type stands for.
    OTHER = "other"
    #: What shows that the value is not the thing itself.
    DIGEST = "digest"


_FILE = Path(__file__).parent / "data" / "words.toml"


@cache
def dictionary() -> dict[str, tuple[tuple[Concept, tuple[str, ...]], ...]]:
    """Return the concepts of each folded word, each with the languages that it is a word for it in."""
    found: dict[str, dict[Concept, list[str]]] = {}
    for concept, languages in tomllib.loads(_FILE.read_text(encoding="utf-8")).items():
        for language, words in languages.items():
            for word in words.split():
                for form in {folded(word), folded(word, short=True)} if language == "de" else {folded(word)}:
                    found.setdefault(form, {}).setdefault(Concept(concept), []).append(language)
    return {word: tuple((one, tuple(said)) for one, said in concepts.items()) for word, concepts in found.items()}
