"""One table's language, random numbers and fakers, for the labelled suite."""
# mypy: ignore-errors
# ruff: noqa: ARG005, D102, DTZ001, RET504

import json
import random
import string
import uuid
from datetime import datetime, timedelta
from pathlib import Path

from faker import Faker

HERE = Path(__file__).parent
_WORDS = json.loads((HERE / "suite_words.json").read_text(encoding="utf-8"))
HEADERS, GOODS, EVENTS, CATEGORIES, BRANDS, STATUSES, DEVICES, GENDERS = (
    _WORDS[name] for name in ("headers", "goods", "events", "categories", "brands", "statuses", "devices", "genders")
)
LOCALES = {
    "dev": {
        "en": ("en_US", "USD"),
        "de": ("de_DE", "EUR"),
        "fr": ("fr_FR", "EUR"),
        "zh": ("zh_CN", "CNY"),
        "es": ("es_ES", "EUR"),
        "pl": ("pl_PL", "PLN"),
    },
    "heldout": {
        "en": ("en_GB", "GBP"),
        "de": ("de_AT", "EUR"),
        "fr": ("fr_CA", "CAD"),
        "it": ("it_IT", "EUR"),
        "pt": ("pt_BR", "BRL"),
        "nl": ("nl_NL", "EUR"),
        "tr": ("tr_TR", "TRY"),
        "ru": ("ru_RU", "RUB"),
        "zh": ("zh_TW", "TWD"),
        "ja": ("ja_JP", "JPY"),
        "es": ("es_MX", "MXN"),
        "us": ("en_US", "USD"),
    },
}


class World:
    """One table's language, random numbers and fakers."""

    def __init__(self, split: str, language: str, seed: int) -> None:
        self.split, self.language = split, "en" if language == "us" else language
        self.locale, self.currency = LOCALES[split][language]
        self.r = random.Random(f"{split}{language}{seed}")
        self.fake = Faker(self.locale)
        self.fake.seed_instance(self.r.randrange(1 << 30))
        self.plain = Faker("en_US")
        self.plain.seed_instance(self.r.randrange(1 << 30))
        self.used: set[str] = set()

    def header(self, key: str) -> str:
        """Return a name of a column, in the table's language where there is one."""
        by_language = HEADERS[key]
        language = self.language if self.language in by_language and self.r.random() < 0.8 else "en"
        words = by_language[language].split()
        mine = words[0::2] if self.split == "dev" else words[1::2] or words
        name = self.r.choice(mine)
        while name in self.used:
            name += "_2"
        self.used.add(name)
        return name

    def ids(self, kind: str, count: int) -> list:
        """Return distinct ids in one of many styles."""
        r = self.r
        style = r.choice(
            {
                "user_id": ["int", "prefix", "hexshort", "uuid", "bigint"],
                "item_id": ["int", "prefix", "sku", "asin", "digits"],
                "order_id": ["int", "prefix", "dated", "bigint"],
                "session_id": ["uuid", "hex", "token", "prefix"],
            }[kind]
        )
        prefix = r.choice(
            {
                "user_id": ["U", "C", "user_", "cust-", "M"],
                "item_id": ["P", "SKU-", "ITM", "B0", "A-"],
                "order_id": ["ORD-", "O", "INV", "R-"],
                "session_id": ["s_", "sess-", "S"],
            }[kind]
        )
        start = r.randrange(1000, 90000)
        alphabet = string.ascii_uppercase + string.digits
        makers = {
            "int": lambda n: start + n * r.randint(1, 7) if n else start,
            "bigint": lambda n: r.randrange(10**9, 10**10),
            "prefix": lambda n: f"{prefix}{start + n:06d}",
            "hexshort": lambda n: f"{r.getrandbits(48):012x}",
            "uuid": lambda n: str(uuid.UUID(int=r.getrandbits(128), version=4)),
            "hex": lambda n: f"{r.getrandbits(128):032x}"[:26],
            "token": lambda n: "".join(r.choices(string.ascii_letters + string.digits, k=20)),
            "sku": lambda n: (
                f"{''.join(r.choices(string.ascii_uppercase, k=3))}-{r.randrange(1000, 9999)}-{r.choice('SML')}"
            ),
            "asin": lambda n: "B0" + "".join(r.choices(alphabet, k=8)),
            "digits": lambda n: f"{r.randrange(10000, 99999)}{r.choice(['', '', 'A', 'B'])}",
            "dated": lambda n: f"{2020 + n % 5}-{start + n:05d}",
        }
        found: dict = {}
        n = 0
        while len(found) < count:
            found.setdefault(makers[style](n), None)
            n += 1
        return list(found)

    def name_of_goods(self) -> str:
        adjectives, nouns = GOODS[self.language]
        adjective, noun = self.r.choice(adjectives.split()), self.r.choice(nouns.split(","))
        tail = self.r.choice(
            [
                "",
                f" {self.r.randint(2, 60)} cm",
                f" {self.r.choice(['XL', 'Pro', 'Set', 'II'])}",
                f" {self.r.randint(100, 990)}ml",
            ]
        )
        if self.language in ("zh", "ja"):
            return f"{self.r.choice(['', self.r.choice(BRANDS.split(','))])}{adjective}{noun}{tail}"
        return f"{adjective} {noun}{tail}" if self.r.random() < 0.7 else f"{noun} {adjective}{tail}"

    def moments(self, count: int) -> list:
        """Return moments in order, in one of several types."""
        start = datetime(2024, 1, 1) + timedelta(days=self.r.randrange(400))
        found = sorted(start + timedelta(seconds=self.r.randrange(60 * 86400)) for _ in range(count))
        return found

    def written(self, moments: list) -> list:
        style = self.r.choice(["datetime", "datetime", "iso", "epoch", "millis", "spaced"])
        if style == "datetime":
            return moments
        if style == "epoch":
            return [int((one - datetime(1970, 1, 1)).total_seconds()) for one in moments]
        if style == "millis":
            return [int((one - datetime(1970, 1, 1)).total_seconds() * 1000) for one in moments]
        return [one.isoformat() + "Z" if style == "iso" else one.strftime("%Y-%m-%d %H:%M:%S") for one in moments]

    def goods(self, count: int) -> list[dict]:
        groups = CATEGORIES[self.language].split(",")
        brands = self.r.sample(BRANDS.split(","), 22)
        paths = self.r.random() < 0.2
        return [
            {
                "item_id": one,
                "title": self.name_of_goods(),
                "category": f"{groups[n % 3]} > {self.r.choice(groups)}" if paths else self.r.choice(groups),
                "brand": self.r.choice(brands),
                "price": round(self.r.lognormvariate(3, 1), 2),
            }
            for n, one in enumerate(self.ids("item_id", count))
        ]

    def people(self, count: int) -> list[str]:
        return [self.fake.name() for _ in range(count)]

    def query(self) -> str:
        adjectives, nouns = GOODS[self.language]
        noun = self.r.choice(nouns.split(",")).lower()
        if self.language in ("zh", "ja"):
            return f"{self.r.choice(adjectives.split())}{'' if self.r.random() < 0.4 else ' '}{noun}"
        words = [noun] if self.r.random() < 0.35 else [self.r.choice(adjectives.split()).lower(), noun]
        if self.r.random() < 0.3:
            words.append(self.r.choice(["cheap", "red", "2024", "xl", "sale", "kids", "best"]))
        return " ".join(words)

    def zipf(self, values: list):
        return (
            values[min(int(self.r.paretovariate(0.9)) - 1, len(values) - 1)]
            if self.r.random() < 0.7
            else self.r.choice(values)
        )
