"""Writes the labelled suite of the classifier: tables as Parquet files and labels.json, for tuning and held out.

Run by hand with `faker` (40.63) at hand: `python make_suite.py`. Names, addresses, telephone numbers, cards and accounts
are Faker's; words of goods and headers are in suite_words.py; none of them are the rules' lists. The held-out split has
other headers, other seeds, and languages that the split for tuning does not have.
"""
# mypy: ignore-errors

import hashlib
import json
import random
import shutil
import string
import uuid
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
from faker import Faker
from suite_decoys import decoy
from suite_words import BRANDS, CATEGORIES, DEVICES, EVENTS, GENDERS, GOODS, HEADERS, STATUSES

HERE = Path(__file__).parent
LOCALES = {
    "dev": {"en": ("en_US", "USD"), "de": ("de_DE", "EUR"), "fr": ("fr_FR", "EUR"), "zh": ("zh_CN", "CNY"), "es": ("es_ES", "EUR"), "pl": ("pl_PL", "PLN")},
    "heldout": {"en": ("en_GB", "GBP"), "de": ("de_AT", "EUR"), "fr": ("fr_CA", "CAD"), "it": ("it_IT", "EUR"), "pt": ("pt_BR", "BRL"), "nl": ("nl_NL", "EUR"),
                "tr": ("tr_TR", "TRY"), "ru": ("ru_RU", "RUB"), "zh": ("zh_TW", "TWD"), "ja": ("ja_JP", "JPY"), "es": ("es_MX", "MXN"), "us": ("en_US", "USD")},
}  # fmt: skip
PERSONAL = {"email", "phone", "person_name", "address", "ip_address", "mac_address", "card_number", "iban", "birth_date", "gender"}


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
        style = r.choice({
            "user_id": ["int", "prefix", "hexshort", "uuid", "bigint"], "item_id": ["int", "prefix", "sku", "asin", "digits"],
            "order_id": ["int", "prefix", "dated", "bigint"], "session_id": ["uuid", "hex", "token", "prefix"],
        }[kind])  # fmt: skip
        prefix = r.choice({"user_id": ["U", "C", "user_", "cust-", "M"], "item_id": ["P", "SKU-", "ITM", "B0", "A-"], "order_id": ["ORD-", "O", "INV", "R-"], "session_id": ["s_", "sess-", "S"]}[kind])
        start = r.randrange(1000, 90000)
        alphabet = string.ascii_uppercase + string.digits
        makers = {
            "int": lambda n: start + n * r.randint(1, 7) if n else start, "bigint": lambda n: r.randrange(10**9, 10**10),
            "prefix": lambda n: f"{prefix}{start + n:06d}", "hexshort": lambda n: f"{r.getrandbits(48):012x}", "uuid": lambda n: str(uuid.UUID(int=r.getrandbits(128), version=4)),
            "hex": lambda n: f"{r.getrandbits(128):032x}"[:26], "token": lambda n: "".join(r.choices(string.ascii_letters + string.digits, k=20)),
            "sku": lambda n: f"{''.join(r.choices(string.ascii_uppercase, k=3))}-{r.randrange(1000, 9999)}-{r.choice('SML')}", "asin": lambda n: "B0" + "".join(r.choices(alphabet, k=8)),
            "digits": lambda n: f"{r.randrange(10000, 99999)}{r.choice(['', '', 'A', 'B'])}", "dated": lambda n: f"{2020 + n % 5}-{start + n:05d}",
        }  # fmt: skip
        found: dict = {}
        n = 0
        while len(found) < count:
            found.setdefault(makers[style](n), None)
            n += 1
        return list(found)

    def name_of_goods(self) -> str:
        adjectives, nouns = GOODS[self.language]
        adjective, noun = self.r.choice(adjectives.split()), self.r.choice(nouns.split(","))
        tail = self.r.choice(["", f" {self.r.randint(2, 60)} cm", f" {self.r.choice(['XL', 'Pro', 'Set', 'II'])}", f" {self.r.randint(100, 990)}ml"])
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
            {"item_id": one, "title": self.name_of_goods(), "category": f"{groups[n % 3]} > {self.r.choice(groups)}" if paths else self.r.choice(groups),
             "brand": self.r.choice(brands), "price": round(self.r.lognormvariate(3, 1), 2)}
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
        return values[min(int(self.r.paretovariate(0.9)) - 1, len(values) - 1)] if self.r.random() < 0.7 else self.r.choice(values)


def column(w: World, key: str, values: list, type_: str | None = None) -> tuple:
    """Return (name, values, type, personal)."""
    type_ = type_ or key
    return w.header(key), values, type_, type_ if type_ in PERSONAL else None


def behaviour(w: World, rows: int):
    users, goods = w.ids("user_id", rows // 6), w.goods(rows // 8)
    sessions, out = w.ids("session_id", rows), []
    kinds = w.r.choice(EVENTS[w.language] if w.r.random() < 0.6 else EVENTS["en"]).split()
    weights = [2.5 ** -n for n in range(len(kinds))]
    moment = w.moments(1)[0]
    s = 0
    while len(out) < rows:
        user, session = w.zipf(users), sessions[s]
        s += 1
        moment += timedelta(seconds=w.r.randrange(20, 4000))
        at = moment
        device = w.r.randrange(3)
        for _ in range(w.r.randint(1, 7)):
            at += timedelta(seconds=w.r.randrange(3, 300))
            out.append((user, session, w.zipf(goods), w.r.choices(kinds, weights)[0], at, device))
    out = out[:rows]
    devices = w.r.choice([one for one in DEVICES if "|" not in one]).split()
    found = [column(w, "user_id", [one[0] for one in out])]
    if w.r.random() < 0.7:
        found.append(column(w, "session_id", [one[1] for one in out]))
    found.append(column(w, "item_id", [one[2]["item_id"] for one in out]))
    found.append(column(w, "event_type", [one[3] for one in out]))
    found.append(column(w, "event_time", w.written([one[4] for one in out])))
    for key in ("price", "category", "brand"):
        if w.r.random() < 0.5:
            found.append(column(w, key, [one[2][key] for one in out]))
    if w.r.random() < 0.5:
        found.append(column(w, "device", [devices[one[5]] for one in out]))
    if w.r.random() < 0.5:
        found.append(decoy(w, rows))
    return "USER_BEHAVIOUR", found


def catalogue(w: World, rows: int):
    goods = w.goods(rows)
    found = [column(w, key, [one[key] for one in goods]) for key in ("item_id", "title", "category", "price")]
    if w.r.random() < 0.7:
        found.append(column(w, "brand", [one["brand"] for one in goods]))
    if w.r.random() < 0.6:
        found.append(column(w, "free_text", [w.fake.paragraph(nb_sentences=2) for _ in goods]))
    if w.r.random() < 0.5:
        style = w.r.choice(["https://cdn.shop.example/p/{0}.jpg", "https://img.example.org/{0}/main.webp?w=400", "http://media.example.net/catalog/{0}_large.png"])
        found.append(column(w, "image_url", [style.format(one["item_id"]) for one in goods]))
    if w.r.random() < 0.4:
        found.append(column(w, "gtin", [w.plain.ean13() for _ in goods]))
    if w.r.random() < 0.5:
        found.append(column(w, "boolean_flag", truths(w, rows)))
    if w.r.random() < 0.4:
        found.append(column(w, "currency", [w.r.choice([w.currency, w.currency, "EUR", "USD"]) for _ in goods]))
    found.append(decoy(w, rows))
    return "ITEM_CATALOGUE", found


def truths(w: World, rows: int) -> list:
    pair = w.r.choice([(True, False), (True, False), (1, 0), ("Y", "N"), ("yes", "no")])
    return [w.r.choices(pair, (0.4, 0.6))[0] for _ in range(rows)]


def lines(w: World, rows: int):
    users, goods, orders = w.ids("user_id", rows // 5), w.goods(rows // 6), w.ids("order_id", rows)
    moments = w.moments(rows)
    out, n = [], 0
    while len(out) < rows:
        user = w.zipf(users)
        for one in w.r.sample(goods, min(len(goods), w.r.randint(1, 6))):
            out.append((orders[n], user, one, min(int(w.r.paretovariate(1.1)), 60), moments[n]))
        n += 1
    out = out[:rows]
    named = w.r.random() < 0.5
    found = [column(w, "order_id", [one[0] for one in out]), column(w, "item_id", [one[2]["item_id"] for one in out])]
    if named:
        found.append(column(w, "title", [one[2]["title"] for one in out]))
    found += [column(w, "quantity", [one[3] for one in out]), column(w, "price", [one[2]["price"] for one in out]),
              column(w, "event_time", w.written([one[4] for one in out])), column(w, "user_id", [one[1] for one in out])]  # fmt: skip
    if w.r.random() < 0.5:
        codes = w.r.choice([["GB", "DE", "FR", "NL", "US", "ES"], ["United Kingdom", "Germany", "France", "Spain", "EIRE", "Norway"]])
        found.append(column(w, "country", [codes[hash_of(one[1]) % len(codes)] for one in out]))
    if w.r.random() < 0.4:
        found.append(column(w, "discount", [w.r.choice([0.0, 0.05, 0.1, 0.15, 0.25]) for _ in out]))
    return "TRANSACTION", found


def hash_of(value) -> int:
    return int(hashlib.md5(str(value).encode()).hexdigest()[:8], 16)


def orders(w: World, rows: int):
    users = w.ids("user_id", rows // 2)
    states = w.r.choice(STATUSES[w.language] if w.language in STATUSES and w.r.random() < 0.7 else STATUSES["en"]).split()
    found = [column(w, "order_id", w.ids("order_id", rows)), column(w, "user_id", [w.zipf(users) for _ in range(rows)]),
             column(w, "event_time", w.written(w.moments(rows))), column(w, "status", [w.r.choice(states) for _ in range(rows)]),
             column(w, "price", [round(w.r.lognormvariate(4, 1), 2) for _ in range(rows)]), column(w, "currency", [w.r.choice([w.currency, "EUR", "USD"]) for _ in range(rows)])]  # fmt: skip
    if w.r.random() < 0.6:
        found.append(column(w, "phone", [w.fake.phone_number() for _ in range(rows)]))
    if w.r.random() < 0.6:
        found.append(column(w, "person_name", w.people(rows)))
        found.append(column(w, "address", [w.fake.street_address() for _ in range(rows)]))
    found.append(decoy(w, rows))
    return "TRANSACTION", found


def customers(w: World, rows: int):
    names = [(w.fake.first_name(), w.fake.last_name()) for _ in range(rows)]
    found = [column(w, "user_id", w.ids("user_id", rows))]
    if w.r.random() < 0.5 and w.language in HEADERS["first_name"]:
        found += [column(w, "first_name", [one for one, _ in names], "person_name"), column(w, "last_name", [two for _, two in names], "person_name")]
    else:
        found.append(column(w, "person_name", w.people(rows)))
    found.append(column(w, "email", [w.fake.email() if w.r.random() > 0.05 else None for _ in range(rows)]))
    if w.r.random() < 0.6:
        found.append(column(w, "phone", [w.fake.phone_number() for _ in range(rows)]))
    if w.r.random() < 0.6:
        born = [date(1945, 1, 1) + timedelta(days=w.r.randrange(365 * 60)) for _ in range(rows)]
        found.append(column(w, "birth_date", born if w.r.random() < 0.6 else [one.isoformat() for one in born]))
    if w.r.random() < 0.6:
        genders = w.r.choice(GENDERS.get(w.language, GENDERS["en"])).split()
        found.append(column(w, "gender", [w.r.choice(genders) for _ in range(rows)]))
    if w.r.random() < 0.7:
        found.append(column(w, "address", [w.fake.street_address() for _ in range(rows)]))
        found.append(column(w, "postal_code", [w.fake.postcode() for _ in range(rows)]))
        found.append(column(w, "city", [w.fake.city() for _ in range(rows)]))
    if w.r.random() < 0.6:
        found.append(column(w, "country", [w.plain.country() if w.split == "dev" else w.fake.country() for _ in range(rows)] if w.r.random() < 0.4 else [w.plain.country_code() for _ in range(rows)]))
    if w.r.random() < 0.4:
        found.append(column(w, "language", [w.r.choice(["en", "de", "fr", "es", "zh", "ja"]) for _ in range(rows)] if w.r.random() < 0.5 else [w.plain.locale() for _ in range(rows)]))
    if w.r.random() < 0.5:
        found.append(column(w, "boolean_flag", truths(w, rows)))
    if w.r.random() < 0.5:
        found.append(column(w, "event_time", w.written(w.moments(rows))))
    if w.r.random() < 0.4:
        found.append(decoy(w, rows))
    return "USER_PROFILE", found


def searches(w: World, rows: int):
    users = w.ids("user_id", rows // 5)
    found = [column(w, "event_time", w.written(w.moments(rows))), column(w, "user_id", [w.zipf(users) for _ in range(rows)]), column(w, "query_text", [w.query() for _ in range(rows)])]
    if w.r.random() < 0.5:
        found.append(decoy(w, rows, "result_count"))
    if w.r.random() < 0.5:
        found.append(column(w, "language", [w.r.choice(["en-US", "de-DE", "fr-FR", "pt-BR"]) for _ in range(rows)]))
    if w.r.random() < 0.4:
        found.append(column(w, "device", [w.r.choice(DEVICES[0].split()) for _ in range(rows)]))
    return "SEARCH_QUERY", found


def impressions(w: World, rows: int):
    users, goods, out = w.ids("user_id", rows // 20), w.ids("item_id", rows // 5), []
    moments, n = w.moments(rows), 0
    size = w.r.choice([5, 8, 10, 20])
    while len(out) < rows:
        user = w.zipf(users)
        out += [(user, one, place + 1, moments[n]) for place, one in enumerate(w.r.sample(goods, min(size, len(goods))))]
        n += 1
    out = out[:rows]
    found = [column(w, "user_id", [one[0] for one in out]), column(w, "item_id", [one[1] for one in out]), column(w, "position", [one[2] for one in out]), column(w, "event_time", w.written([one[3] for one in out]))]
    if w.r.random() < 0.6:
        found.append(column(w, "score", [round(w.r.random(), 6) for _ in out]))
    if w.r.random() < 0.5:
        found.append(column(w, "boolean_flag", truths(w, rows)))
    return "EXPOSURE", found


def reviews(w: World, rows: int):
    users, goods = w.ids("user_id", rows // 2), w.ids("item_id", rows // 6)
    stars = [w.r.choice([1, 2, 3, 4, 4, 5, 5, 5]) for _ in range(rows)] if w.r.random() < 0.6 else [w.r.choice([x / 2 for x in range(1, 11)]) for _ in range(rows)]
    found = [column(w, "user_id", [w.zipf(users) for _ in range(rows)]), column(w, "item_id", [w.zipf(goods) for _ in range(rows)]), column(w, "rating", stars)]
    if w.r.random() < 0.7:
        found.append(column(w, "free_text", [w.fake.paragraph(nb_sentences=w.r.randint(1, 4)) for _ in range(rows)]))
    found.append(column(w, "event_time", w.written(w.moments(rows))))
    return "FEEDBACK", found


def weblog(w: World, rows: int):
    v6 = w.r.random() < 0.25
    found = [column(w, "event_time", w.written(w.moments(rows))), column(w, "ip_address", [w.plain.ipv6() if v6 and n % 2 else w.plain.ipv4() for n in range(rows)]),
             column(w, "session_id", [w.zipf(s) for s in [w.ids("session_id", rows // 4)] for _ in range(rows)]),
             column(w, "url", [w.plain.uri() for _ in range(rows)]), column(w, "device", [w.plain.user_agent() for _ in range(rows)])]  # fmt: skip
    if w.r.random() < 0.5:
        found.append(column(w, "uuid", [str(uuid.UUID(int=w.r.getrandbits(128), version=4)) for _ in range(rows)]))
    if w.r.random() < 0.5:
        found.append(column(w, "country", [w.plain.country_code() for _ in range(rows)]))
    found.append(decoy(w, rows))
    return "USER_BEHAVIOUR", found


def payments(w: World, rows: int):
    found = [column(w, "order_id", w.ids("order_id", rows))]
    if w.r.random() < 0.6:
        cards = [w.plain.credit_card_number() for _ in range(rows)]
        if w.r.random() < 0.4:
            cards = [" ".join(one[n : n + 4] for n in range(0, len(one), 4)) for one in cards]
        found.append(column(w, "card_number", cards))
        found.append(column(w, "person_name", w.people(rows)))
    if w.r.random() < 0.7 or len(found) == 1:
        bank = Faker(w.locale if w.locale in ("de_DE", "fr_FR", "es_ES", "pl_PL", "it_IT", "nl_NL", "de_AT", "en_GB") else "en_GB")
        bank.seed_instance(w.r.randrange(1 << 30))
        found.append(column(w, "iban", [bank.iban() for _ in range(rows)]))
    found += [column(w, "price", [round(w.r.lognormvariate(4, 1), 2) for _ in range(rows)]), column(w, "currency", [w.r.choice([w.currency, "EUR", "USD"]) for _ in range(rows)]),
              column(w, "event_time", w.written(w.moments(rows))), decoy(w, rows)]  # fmt: skip
    return "TRANSACTION", found


def stores(w: World, rows: int):
    found = [decoy(w, rows, "store_id"), column(w, "address", [w.fake.street_address() for _ in range(rows)]), column(w, "city", [w.fake.city() for _ in range(rows)]), column(w, "postal_code", [w.fake.postcode() for _ in range(rows)]),
             column(w, "latitude", [float(w.plain.latitude()) for _ in range(rows)]), column(w, "longitude", [float(w.plain.longitude()) for _ in range(rows)]), column(w, "phone", [w.fake.phone_number() for _ in range(rows)])]  # fmt: skip
    return None, found


def machines(w: World, rows: int):
    return None, [decoy(w, rows) for _ in range(7)] + ([column(w, "mac_address", [w.plain.mac_address() for _ in range(rows)])] if w.r.random() < 0.5 else [])


def follows(w: World, rows: int):
    users = w.ids("user_id", rows // 2)
    pair = w.r.choice([("follower_id", "followee_id"), ("user_id", "friend_id")])
    return "SOCIAL_GRAPH", [(name, [w.zipf(users) for _ in range(rows)], "user_id", None) for name in pair] + [column(w, "event_time", w.written(w.moments(rows)))]


KINDS = (behaviour, catalogue, lines, orders, customers, searches, impressions, reviews, weblog, payments, stores, machines, customers, follows, behaviour, lines)
TABLES = {"dev": 72, "heldout": 120}


def main() -> None:
    """Write both splits."""
    for split, count in TABLES.items():
        folder = HERE / split
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        labels = {}
        languages = list(LOCALES[split])
        for number in range(count):
            w = World(split, languages[(number + number // len(KINDS)) % len(languages)], number)
            make = KINDS[number % len(KINDS)]
            rows = 480 if make in (behaviour, lines, impressions) else 220
            role, columns = make(w, rows)
            name = f"{number:03d}_{make.__name__}_{w.locale}"
            frame = pl.DataFrame({one[0]: one[1] for one in columns}, strict=False)
            frame.write_parquet(folder / f"{name}.parquet", compression="zstd", compression_level=19)
            labels[name] = {"role": role, "columns": {one[0]: [one[2], one[3]] for one in columns}}
        (folder / "labels.json").write_text(json.dumps(labels, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
