"""What a column can mean, which personal data it can hold, and what the engine takes and gives back."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import polars as pl

from assetgraph.catalog.roles import DatasetRole


class SemanticType(StrEnum):
    """What the values of a column mean to search and recommendation."""

    USER_ID = "user_id"
    ITEM_ID = "item_id"
    SESSION_ID = "session_id"
    ORDER_ID = "order_id"
    EVENT_TYPE = "event_type"
    EVENT_TIME = "event_time"
    PRICE = "price"
    CURRENCY = "currency"
    QUANTITY = "quantity"
    DISCOUNT = "discount"
    RATING = "rating"
    SCORE = "score"
    POSITION = "position"
    QUERY_TEXT = "query_text"
    TITLE = "title"
    CATEGORY = "category"
    BRAND = "brand"
    STATUS = "status"
    COUNTRY = "country"
    LANGUAGE = "language"
    CITY = "city"
    POSTAL_CODE = "postal_code"
    ADDRESS = "address"
    LATITUDE = "latitude"
    LONGITUDE = "longitude"
    EMAIL = "email"
    PHONE = "phone"
    PERSON_NAME = "person_name"
    BIRTH_DATE = "birth_date"
    GENDER = "gender"
    IP_ADDRESS = "ip_address"
    MAC_ADDRESS = "mac_address"
    DEVICE = "device"
    URL = "url"
    IMAGE_URL = "image_url"
    CARD_NUMBER = "card_number"
    IBAN = "iban"
    GTIN = "gtin"
    UUID = "uuid"
    BOOLEAN_FLAG = "boolean_flag"
    FREE_TEXT = "free_text"

    @property
    def meaning(self) -> str:
        """One line for people."""
        return MEANINGS[self]


MEANINGS: dict[SemanticType, str] = {
    SemanticType.USER_ID: "who acted: a user, customer, visitor or member, by id",
    SemanticType.ITEM_ID: "what was acted on: a product, article, film or page, by id",
    SemanticType.SESSION_ID: "one visit of a user",
    SemanticType.ORDER_ID: "an order, invoice, basket or transaction",
    SemanticType.EVENT_TYPE: "what was done: view, click, purchase and so on",
    SemanticType.EVENT_TIME: "when something happened or was written",
    SemanticType.PRICE: "an amount of money",
    SemanticType.CURRENCY: "a currency, by ISO 4217 code, sign or name",
    SemanticType.QUANTITY: "how many pieces",
    SemanticType.DISCOUNT: "what is taken off a price, as a share or an amount",
    SemanticType.RATING: "what a person thinks of something, on a short scale",
    SemanticType.SCORE: "a number that a model or a rule gave",
    SemanticType.POSITION: "the place in a list that was shown",
    SemanticType.QUERY_TEXT: "what a user searched for",
    SemanticType.TITLE: "name of an item",
    SemanticType.CATEGORY: "group of items, maybe a path of groups",
    SemanticType.BRAND: "brand or maker",
    SemanticType.STATUS: "how far something has come",
    SemanticType.COUNTRY: "a country, by ISO 3166 code or name",
    SemanticType.LANGUAGE: "a language or locale, by ISO 639 code, tag or name",
    SemanticType.CITY: "a town",
    SemanticType.POSTAL_CODE: "a postal code",
    SemanticType.ADDRESS: "a street address, or a whole one",
    SemanticType.LATITUDE: "degrees north",
    SemanticType.LONGITUDE: "degrees east",
    SemanticType.EMAIL: "an e-mail address",
    SemanticType.PHONE: "a telephone number",
    SemanticType.PERSON_NAME: "name of a person, or a part of it",
    SemanticType.BIRTH_DATE: "date of birth",
    SemanticType.GENDER: "gender of a person",
    SemanticType.IP_ADDRESS: "an IP address, version 4 or 6",
    SemanticType.MAC_ADDRESS: "hardware address of a network device",
    SemanticType.DEVICE: "a device, operating system, browser or user agent",
    SemanticType.URL: "an address on the web",
    SemanticType.IMAGE_URL: "an address of a picture",
    SemanticType.CARD_NUMBER: "number of a payment card",
    SemanticType.IBAN: "an international bank account number",
    SemanticType.GTIN: "an article number with a check digit: EAN, UPC, ISBN-13",
    SemanticType.UUID: "a UUID of which nothing says whose",
    SemanticType.BOOLEAN_FLAG: "yes or no",
    SemanticType.FREE_TEXT: "sentences that people wrote",
}


class PersonalData(StrEnum):
    """Which personal data a column holds."""

    EMAIL = "email"
    PHONE = "phone"
    PERSON_NAME = "person_name"
    ADDRESS = "address"
    IP_ADDRESS = "ip_address"
    MAC_ADDRESS = "mac_address"
    CARD_NUMBER = "card_number"
    IBAN = "iban"
    BIRTH_DATE = "birth_date"
    GENDER = "gender"
    #: Precise coordinates beside who was there.
    LOCATION = "location"


#: Types whose values are personal data wherever they stand.
PERSONAL: dict[SemanticType, PersonalData] = {
    SemanticType(kind.value): kind for kind in PersonalData if kind is not PersonalData.LOCATION
}


@dataclass(frozen=True)
class Counts:
    """What a profile knows of a whole column; `distinct` is of the values that are not null."""

    rows: int
    nulls: int
    distinct: int


@dataclass(frozen=True)
class Table:
    """What the engine is given: some rows (10,000 at most are looked at), and counts of whole columns where known."""

    sample: pl.DataFrame
    counts: dict[str, Counts] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Proposal:
    """A type that a column may have; confidence is from 0 to 1, evidence are short sentences for people."""

    type: SemanticType
    confidence: float
    evidence: tuple[str, ...]
    personal: PersonalData | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {
            "semantic_type": self.type.value, "personal_data": self.personal and self.personal.value,
            "confidence": self.confidence, "evidence": list(self.evidence),
        }  # fmt: skip


@dataclass(frozen=True)
class ColumnFound:
    """What a column seems to be: the best proposal first, then those that stand in when a steward rejects it."""

    name: str
    proposals: tuple[Proposal, ...] = ()

    @property
    def best(self) -> Proposal | None:
        """The proposal that counts."""
        return self.proposals[0] if self.proposals else None


@dataclass(frozen=True)
class TableFound:
    """What a table seems to be; `role` is None where nothing says so."""

    columns: tuple[ColumnFound, ...]
    role: DatasetRole | None = None
    confidence: float = 0.0
    evidence: tuple[str, ...] = ()
