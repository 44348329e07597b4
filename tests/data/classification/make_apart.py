"""Writes the suite apart: tables of personal data and its decoys, by another generator than make_suite.py.

Run by hand with `mimesis` (22.2) at hand: `python make_apart.py`. Names, streets, towns, firms, dishes are of mimesis,
drawn evenly from its long lists, so that rare ones are as frequent as common ones; the rules' lists were made without
them. A label is [type, personal data] and, where values alone cannot tell, why: those are counted apart, too.
"""
# mypy: ignore-errors
# ruff: noqa: D103

import json
import random
import shutil
import sys
from datetime import date, timedelta
from pathlib import Path

import polars as pl
from apart_decoys import decoy
from apart_world import LOCALES, Place

HERE = Path(__file__).parent
TABLES = {"tuning": 72, "apart": 160}
HEADERS = {
    "name": ["customer_name", "full_name", "contact", "recipient", "Name des Kunden", "nom_complet", "nombre_cliente",
             "收件人姓名", "氏名"],
    "first": ["first_name", "given_name", "Vorname", "prenom", "名"],
    "last": ["last_name", "surname", "Nachname", "nom_de_famille", "姓"],
    "email": ["email", "e_mail", "contact_email", "E-Mail-Adresse", "邮箱"],
    "phone": ["phone", "mobile_phone", "tel", "Telefonnummer", "telefono", "手机号码"],
    "address": ["address", "street_address", "Anschrift", "adresse_livraison", "收货地址"],
    "iban": ["iban", "bank_account_iban", "IBAN"], "card": ["card_number", "credit_card", "Kreditkartennummer"],
    "born": ["birth_date", "date_of_birth", "Geburtsdatum", "出生日期"],
    "gender": ["gender", "sex", "Geschlecht", "性别"], "ip": ["ip_address", "client_ip", "IP-Adresse"],
    "mac": ["mac_address", "wifi_mac"],
}  # fmt: skip
KINDS = {"name": "person_name", "first": "person_name", "last": "person_name", "born": "birth_date",
         "ip": "ip_address", "mac": "mac_address", "card": "card_number"}  # fmt: skip
#: What stands in tables of one sort; "?" is a decoy of any sort, "#" an id.
SORTS = (
    "# name email phone ?", "# first last email born gender ?", "# first last address zip city", "# name ? ?",
    "# name address zip city phone", "# time ip ?", "? mac ip ?", "# iban name amount ?", "# card name amount",
    "# last ? ? time", "# first ? ? amount", "# address ? ?", "# phone ? time", "# email ? ?", "# born gender ? ?",
    "# name born ? ?", "? address city zip ?", "film director ? ?", "# name job amount time", "# ? ? ?", "? ? ? ?",
    "# ? city zip ?", "# ? ? amount time", "dish amount ? ?", "# born ? ?", "# last first phone",
)  # fmt: skip


def values_of(w: Place, key: str, rows: int) -> tuple[list, str | None]:
    """Return values of personal data, and why they do not tell what they are, if so."""
    if key == "phone":
        return w.phones(rows)
    made = {"name": w.people, "address": w.addresses, "email": w.emails, "iban": w.ibans, "card": w.cards,
            "born": w.born, "gender": w.genders, "ip": w.networks, "mac": w.hardware}.get(key)  # fmt: skip
    if made is not None:
        return made(rows), None
    return [w.first() if key == "first" else w.last() for _ in range(rows)], None


def plain_of(w: Place, key: str, rows: int) -> tuple[str, list]:
    """Return header and values of what is not personal."""
    start = w.r.randrange(1000, 90000)
    days = [date(2023, 1, 1) + timedelta(days=w.r.randrange(900)) for _ in range(rows)]
    made = {
        "#": ("id", lambda n: start + n), "zip": ("postal_code", lambda _: w.g.address.postal_code()),
        "city": ("city", lambda _: w.g.address.city()),
        "amount": ("amount", lambda _: round(w.r.lognormvariate(4, 1), 2)),
        "time": ("created_at", lambda n: days[n]), "job": ("occupation", lambda _: w.g.person.occupation()),
        "film": ("film", lambda _: w.g.text.title()), "dish": ("dish", lambda _: w.g.food.dish()),
    }  # fmt: skip
    name, make = made[key]
    return name, [make(n) for n in range(rows)]


def why_not(key: str, sort: str, values: list, why: str | None) -> str | None:
    """Return why values alone cannot tell: what only neighbours say, where they are silent."""
    people = set(sort.split()) & {"name", "first", "last", "email", "iban", "card"}
    if key == "born" and not people:
        return "dates far back, beside nothing of people: contracts and films have them too"
    if key in ("first", "last") and len(set(values)) < 8:
        return "fewer than eight values"
    return why


def table(w: Place, sort: str, rows: int) -> tuple[pl.DataFrame, dict]:
    columns: dict[str, list] = {}
    labels: dict[str, list] = {}

    def keep(name: str, values: list, label: list) -> None:
        while name in columns:
            name += "_2"
        columns[name], labels[name] = values, label

    for key in sort.split():
        if key == "director":
            keep("director", [w.person("plain") for _ in range(rows)], ["person_name", "person_name"])
        elif key == "?":
            keep(*decoy(w, rows))
        elif key in HEADERS:
            values, why = values_of(w, key, rows)
            kind, why = KINDS.get(key, key), why_not(key, sort, values, why)
            keep(w.r.choice(HEADERS[key]), values, [kind, kind, why] if why else [kind, kind])
        else:
            name, values = plain_of(w, key, rows)
            keep(name, values, [None, None])
    return pl.DataFrame(columns, strict=False), labels


def main() -> None:
    """Write both parts, or others by another seed into another folder: `make_apart.py SEED FOLDER`."""
    seed, where = (sys.argv[1], Path(sys.argv[2])) if len(sys.argv) > 2 else ("", HERE)
    for split, count in TABLES.items():
        folder = where / split
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        labels = {}
        chance = random.Random(f"{split}{seed}")
        for number in range(count):
            locale = LOCALES[split][number % len(LOCALES[split])]
            sort = SORTS[number % len(SORTS)]
            frame, label = table(Place(locale, f"{split}{seed}{number}"), sort, chance.choice([60, 120, 200]))
            if chance.random() < 0.25:
                frame = frame.select(chance.sample(frame.columns, len(frame.columns)))
            name = f"{number:03d}_{locale}"
            frame.write_parquet(folder / f"{name}.parquet", compression="zstd", compression_level=19)
            labels[name] = {"columns": label}
        (folder / "labels.json").write_text(json.dumps(labels, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
