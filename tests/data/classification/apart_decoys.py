"""Columns of the suite apart that hold no personal data; many are written as personal data is."""
# mypy: ignore-errors

import string


def _digits(w, count: int) -> str:
    return "".join(str(w.r.randrange(10)) for _ in range(count))


def _letters(w, count: int) -> str:
    return "".join(w.r.choices(string.ascii_uppercase, k=count))


def _imei(w) -> str:
    """An IMEI has the check digit of cards."""
    return w.en.code.imei()


def _version(w) -> str:
    return ".".join(str(w.r.randrange(0, 12)) for _ in range(4))


DECOYS = {
    "employer": lambda w: w.g.finance.company(),
    "occupation": lambda w: w.g.person.occupation(),
    "university": lambda w: w.g.person.university(),
    "dish": lambda w: w.g.food.dish(),
    "fruit": lambda w: w.g.food.fruit(),
    "vegetable": lambda w: w.g.food.vegetable(),
    "drink": lambda w: w.g.food.drink(),
    "spices": lambda w: w.g.food.spices(),
    "colour": lambda w: w.g.text.color(),
    "language_spoken": lambda w: w.g.person.language(),
    "birthplace": lambda w: w.g.address.city(),
    "destination": lambda w: w.g.address.city(),
    "region": lambda w: w.g.address.state(),
    "country": lambda w: w.g.address.country(),
    "continent": lambda w: w.g.address.continent(),
    "headline": lambda w: w.g.text.title(),
    "word": lambda w: w.g.text.word(),
    "sentence": lambda w: w.g.text.sentence(),
    "car": lambda w: w.en.transport.car(),
    "aeroplane": lambda w: w.en.transport.airplane(),
    "manufacturer": lambda w: w.en.transport.manufacturer(),
    "cpu": lambda w: w.en.hardware.cpu(),
    "graphics": lambda w: w.en.hardware.graphics(),
    "handset": lambda w: w.en.hardware.phone_model(),
    "os": lambda w: w.en.development.os(),
    "programming_language": lambda w: w.en.development.programming_language(),
    "licence": lambda w: w.en.development.software_license(),
    "imei": _imei,
    "isbn": lambda w: w.en.code.isbn(),
    "ean": lambda w: w.en.code.ean(),
    "issn": lambda w: w.en.code.issn(),
    "build": _version,
    "part_number": lambda w: f"{_digits(w, 3)}-{_digits(w, 3)}-{_digits(w, 3)}",
    "lot": lambda w: f"{_digits(w, 4)}/{_digits(w, 4)}",
    "policy_no": lambda w: f"{_digits(w, 3)} {_digits(w, 3)} {_digits(w, 2)}",
    "meter": lambda w: _digits(w, 16),
    "tax_id": lambda w: f"{_letters(w, 2)}{_digits(w, 9)}",
    "bank_reference": lambda w: f"{w.r.choice(['DE', 'FR', 'PL'])}{_digits(w, 20)}",
    "swift": lambda w: f"{_letters(w, 6)}{_digits(w, 2)}",
    "coordinates": lambda w: f"{w.r.uniform(-80, 80):.4f}, {w.r.uniform(-170, 170):.4f}",
    "rack": lambda w: f"Hall {w.r.randint(1, 9)}, Row {w.r.randint(1, 40)}, Shelf {w.r.randint(1, 9)}",
    "room": lambda w: f"Room {w.r.randint(1, 400)}",
    "chapter": lambda w: f"{w.g.text.word().title()} {w.r.randint(1, 60)}",
    "model_name": lambda w: f"{w.en.transport.manufacturer()} {w.r.randint(100, 990)}",
    "recipe_step": lambda w: f"{w.r.randint(2, 90)} {w.g.food.vegetable()}",
    "file": lambda w: w.en.file.file_name(),
    "host": lambda w: w.en.internet.hostname(),
    "url": lambda w: w.en.internet.url(),
    "user_handle": lambda w: w.en.person.username(),
    "shift": lambda w: f"{w.r.randrange(24):02d}:{w.r.randrange(60):02d}",
    "gene": lambda w: f"{_letters(w, 4)}{w.r.randint(1, 20)}",
    "dna": lambda w: w.en.science.dna_sequence(12),
    "measure": lambda w: f"{w.r.randint(2, 90)} {w.r.choice(['mm', 'cm', 'kg', 'l'])}",
    "ticker": lambda w: w.en.finance.stock_ticker(),
    "firm_with_name": lambda w: f"{w.last()} {w.r.choice(['GmbH', '& Co. KG', 'Ltd', 'S.A.', 'AG', 'Inc.', 'OHG'])}",
    "flight": lambda w: f"{_letters(w, 2)}{w.r.randint(100, 9999)}",
    "founded": lambda w: w.r.randint(1850, 2024),
    "level": lambda w: w.r.choice(["gold", "silver", "bronze"]),
    "answer": lambda w: w.r.choice(["A", "B", "C", "D"]),
    "shirt": lambda w: w.r.choice(["F", "M", "L"]),
    "score_line": lambda w: f"{w.r.randint(0, 5)}:{w.r.randint(0, 5)}",
    "seat": lambda w: f"{w.r.randint(1, 40)}{w.r.choice('ABCDEF')}",
    "storm": lambda w: w.first(),
    "street_only": lambda w: w.g.address.street_name(),
}
#: Sorts that are written as personal data is, and why nobody could tell from values.
ALIKE = {
    "storm": "given names that things are called by",
    "chapter": "a word and a number, as houses are written in many lands",
    "street_only": "names of streets, many of them names of people, without a number",
}
#: What those are that are personal data all the same: a street is a part of an address.
HELD = {"street_only": "address"}


def decoy(w, rows: int) -> tuple[str, list, list]:
    """Return header, values and label of a random sort."""
    name = w.r.choice(sorted(DECOYS))
    label = [HELD.get(name), HELD.get(name), *([ALIKE[name]] if name in ALIKE else [])]
    return name, [DECOYS[name](w) for _ in range(rows)], label
