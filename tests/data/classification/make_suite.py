"""Writes the labelled suite of the classifier: tables as Parquet files and labels.json, for tuning and held out.

Run by hand with `faker` (40.63) at hand: `PYTHONHASHSEED=0 python make_suite.py`. Names, addresses, telephone
numbers, cards and accounts are Faker's; words of goods and headers are in suite_words.json; none of them are the
rules' lists. The held-out split has other headers, other seeds, and languages that the split for tuning does not have.
"""
# mypy: ignore-errors
# ruff: noqa: D103, PERF401

import hashlib
import json
import os
import shutil
import uuid
from datetime import date, timedelta

import polars as pl
from faker import Faker
from suite_decoys import decoy
from suite_world import DEVICES, EVENTS, GENDERS, HEADERS, HERE, LOCALES, STATUSES, World

PERSONAL = {
    "email",
    "phone",
    "person_name",
    "address",
    "ip_address",
    "mac_address",
    "card_number",
    "iban",
    "birth_date",
    "gender",
}


def column(w: World, key: str, values: list, type_: str | None = None) -> tuple:
    """Return (name, values, type, personal)."""
    type_ = type_ or key
    return w.header(key), values, type_, type_ if type_ in PERSONAL else None


def behaviour(w: World, rows: int):
    users, goods = w.ids("user_id", rows // 6), w.goods(rows // 8)
    sessions, out = w.ids("session_id", rows), []
    kinds = w.r.choice(EVENTS[w.language] if w.r.random() < 0.6 else EVENTS["en"]).split()
    weights = [2.5**-n for n in range(len(kinds))]
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
        style = w.r.choice(
            [
                "https://cdn.shop.example/p/{0}.jpg",
                "https://img.example.org/{0}/main.webp?w=400",
                "http://media.example.net/catalog/{0}_large.png",
            ]
        )
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
    found += [
        column(w, "quantity", [one[3] for one in out]),
        column(w, "price", [one[2]["price"] for one in out]),
        column(w, "event_time", w.written([one[4] for one in out])),
        column(w, "user_id", [one[1] for one in out]),
    ]
    if w.r.random() < 0.5:
        codes = w.r.choice(
            [["GB", "DE", "FR", "NL", "US", "ES"], ["United Kingdom", "Germany", "France", "Spain", "EIRE", "Norway"]]
        )
        found.append(column(w, "country", [codes[hash_of(one[1]) % len(codes)] for one in out]))
    if w.r.random() < 0.4:
        found.append(column(w, "discount", [w.r.choice([0.0, 0.05, 0.1, 0.15, 0.25]) for _ in out]))
    return "TRANSACTION", found


def hash_of(value) -> int:
    return int(hashlib.md5(str(value).encode()).hexdigest()[:8], 16)


def orders(w: World, rows: int):
    users = w.ids("user_id", rows // 2)
    states = w.r.choice(
        STATUSES[w.language] if w.language in STATUSES and w.r.random() < 0.7 else STATUSES["en"]
    ).split()
    found = [
        column(w, "order_id", w.ids("order_id", rows)),
        column(w, "user_id", [w.zipf(users) for _ in range(rows)]),
        column(w, "event_time", w.written(w.moments(rows))),
        column(w, "status", [w.r.choice(states) for _ in range(rows)]),
        column(w, "price", [round(w.r.lognormvariate(4, 1), 2) for _ in range(rows)]),
        column(w, "currency", [w.r.choice([w.currency, "EUR", "USD"]) for _ in range(rows)]),
    ]
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
        found += [
            column(w, "first_name", [one for one, _ in names], "person_name"),
            column(w, "last_name", [two for _, two in names], "person_name"),
        ]
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
        found.append(
            column(
                w,
                "country",
                [w.plain.country() if w.split == "dev" else w.fake.country() for _ in range(rows)]
                if w.r.random() < 0.4
                else [w.plain.country_code() for _ in range(rows)],
            )
        )
    if w.r.random() < 0.4:
        found.append(
            column(
                w,
                "language",
                [w.r.choice(["en", "de", "fr", "es", "zh", "ja"]) for _ in range(rows)]
                if w.r.random() < 0.5
                else [w.plain.locale() for _ in range(rows)],
            )
        )
    if w.r.random() < 0.5:
        found.append(column(w, "boolean_flag", truths(w, rows)))
    if w.r.random() < 0.5:
        found.append(column(w, "event_time", w.written(w.moments(rows))))
    if w.r.random() < 0.4:
        found.append(decoy(w, rows))
    return "USER_PROFILE", found


def searches(w: World, rows: int):
    users = w.ids("user_id", rows // 5)
    found = [
        column(w, "event_time", w.written(w.moments(rows))),
        column(w, "user_id", [w.zipf(users) for _ in range(rows)]),
        column(w, "query_text", [w.query() for _ in range(rows)]),
    ]
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
        out += [
            (user, one, place + 1, moments[n]) for place, one in enumerate(w.r.sample(goods, min(size, len(goods))))
        ]
        n += 1
    out = out[:rows]
    found = [
        column(w, "user_id", [one[0] for one in out]),
        column(w, "item_id", [one[1] for one in out]),
        column(w, "position", [one[2] for one in out]),
        column(w, "event_time", w.written([one[3] for one in out])),
    ]
    if w.r.random() < 0.6:
        found.append(column(w, "score", [round(w.r.random(), 6) for _ in out]))
    if w.r.random() < 0.5:
        found.append(column(w, "boolean_flag", truths(w, rows)))
    return "EXPOSURE", found


def reviews(w: World, rows: int):
    users, goods = w.ids("user_id", rows // 2), w.ids("item_id", rows // 6)
    stars = (
        [w.r.choice([1, 2, 3, 4, 4, 5, 5, 5]) for _ in range(rows)]
        if w.r.random() < 0.6
        else [w.r.choice([x / 2 for x in range(1, 11)]) for _ in range(rows)]
    )
    found = [
        column(w, "user_id", [w.zipf(users) for _ in range(rows)]),
        column(w, "item_id", [w.zipf(goods) for _ in range(rows)]),
        column(w, "rating", stars),
    ]
    if w.r.random() < 0.7:
        found.append(column(w, "free_text", [w.fake.paragraph(nb_sentences=w.r.randint(1, 4)) for _ in range(rows)]))
    found.append(column(w, "event_time", w.written(w.moments(rows))))
    return "FEEDBACK", found


def weblog(w: World, rows: int):
    v6 = w.r.random() < 0.25
    found = [
        column(w, "event_time", w.written(w.moments(rows))),
        column(w, "ip_address", [w.plain.ipv6() if v6 and n % 2 else w.plain.ipv4() for n in range(rows)]),
        column(w, "session_id", [w.zipf(s) for s in [w.ids("session_id", rows // 4)] for _ in range(rows)]),
        column(w, "url", [w.plain.uri() for _ in range(rows)]),
        column(w, "device", [w.plain.user_agent() for _ in range(rows)]),
    ]
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
        bank = Faker(
            w.locale
            if w.locale in ("de_DE", "fr_FR", "es_ES", "pl_PL", "it_IT", "nl_NL", "de_AT", "en_GB")
            else "en_GB"
        )
        bank.seed_instance(w.r.randrange(1 << 30))
        found.append(column(w, "iban", [bank.iban() for _ in range(rows)]))
    found += [
        column(w, "price", [round(w.r.lognormvariate(4, 1), 2) for _ in range(rows)]),
        column(w, "currency", [w.r.choice([w.currency, "EUR", "USD"]) for _ in range(rows)]),
        column(w, "event_time", w.written(w.moments(rows))),
        decoy(w, rows),
    ]
    return "TRANSACTION", found


def stores(w: World, rows: int):
    found = [
        decoy(w, rows, "store_id"),
        column(w, "address", [w.fake.street_address() for _ in range(rows)]),
        column(w, "city", [w.fake.city() for _ in range(rows)]),
        column(w, "postal_code", [w.fake.postcode() for _ in range(rows)]),
        column(w, "latitude", [float(w.plain.latitude()) for _ in range(rows)]),
        column(w, "longitude", [float(w.plain.longitude()) for _ in range(rows)]),
        column(w, "phone", [w.fake.phone_number() for _ in range(rows)]),
    ]
    return None, found


def machines(w: World, rows: int):
    return None, [decoy(w, rows) for _ in range(7)] + (
        [column(w, "mac_address", [w.plain.mac_address() for _ in range(rows)])] if w.r.random() < 0.5 else []
    )


def follows(w: World, rows: int):
    users = w.ids("user_id", rows // 2)
    pair = w.r.choice([("follower_id", "followee_id"), ("user_id", "friend_id")])
    return "SOCIAL_GRAPH", [(name, [w.zipf(users) for _ in range(rows)], "user_id", None) for name in pair] + [
        column(w, "event_time", w.written(w.moments(rows)))
    ]


KINDS = (
    behaviour,
    catalogue,
    lines,
    orders,
    customers,
    searches,
    impressions,
    reviews,
    weblog,
    payments,
    stores,
    machines,
    customers,
    follows,
    behaviour,
    lines,
)
TABLES = {"dev": 72, "heldout": 120}


def main() -> None:
    """Write both splits."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        raise SystemExit("set PYTHONHASHSEED=0: some of Faker's lists are sets")
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
