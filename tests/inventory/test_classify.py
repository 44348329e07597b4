"""The classifier's parts: check digits, words of names, evidence, and that no table makes it fail."""

from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assetgraph.inventory.classify.checks import gs1, is_iban, luhn
from assetgraph.inventory.classify.engine import classify
from assetgraph.inventory.classify.facts import facts_of, wide_forms
from assetgraph.inventory.classify.kinds import MEANINGS, ColumnFound, PersonalData, SemanticType, Table
from assetgraph.inventory.classify.letters import likeness
from assetgraph.inventory.classify.names import read_name
from assetgraph.inventory.classify.texts import folded
from assetgraph.inventory.classify.vocabulary import words


def best(**columns: Sequence[object]) -> dict[str, str | None]:
    """Return what columns are found to be."""
    found = classify(Table(pl.DataFrame(columns, strict=False)))
    return {one.name: one.best.type.value if one.best else None for one in found.columns}


def test_check_digits_against_published_numbers() -> None:
    """Test cards of the schemes, the ISBN and IBAN examples of their standards, each also with one digit wrong."""
    cards = ["4111111111111111", "5555555555554444", "378282246310005", "6011111111111117", "79927398713"]
    assert luhn(cards).tolist() == [True] * 5
    assert luhn([one[:-1] + str((int(one[-1]) + 1) % 10) for one in cards]).tolist() == [False] * 5
    articles = ["9783161484100", "4006381333931", "036000291452", "73513537"]
    assert gs1(articles).tolist() == [True] * 4
    assert gs1([one[:-1] + str((int(one[-1]) + 1) % 10) for one in articles]).tolist() == [False] * 4
    accounts = ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "FR1420041010050500013M02606"]
    assert all(map(is_iban, accounts))
    assert not any(is_iban(one.replace("3", "4", 1)) for one in accounts)
    assert not is_iban("DE8937040044053201300")


@given(st.text("0123456789", min_size=1, max_size=20))
def test_luhn_is_the_textbook_s(number: str) -> None:
    """The vectorised sum equals the one by hand."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    assert luhn([number]).tolist() == [total % 10 == 0]


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("userId", "user_id"), ("Kundennummer", "user_id"), ("用户编号", "user_id"), ("id_klienta", "user_id"),
        ("ArtikelNr", "item_id"), ("ürün_adı", "title"), ("Название_товара", "title"), ("商品名", "title"),
        ("e-mail", "email"), ("email_verified", "boolean_flag"), ("PLZ", "postal_code"),
        ("date_de_naissance", "birth_date"),
        ("ip_country", "country"), ("user_agent", "device"), ("order_date", "event_time"),
        ("price_currency", "currency"),
        ("email_hash", None), ("store_id", None), ("session_duration", None), ("col_7", None), ("x1q", None),
    ],
)  # fmt: skip
def test_names_are_read_in_many_languages(name: str, type_: str | None) -> None:
    """The strongest suggestion of a name; none where it says something else or nothing."""
    types = read_name(name).types
    assert (types[0][0].value if types else None) == type_


def test_values_prove_what_the_name_does_not_say_and_names_do_not_override_them() -> None:
    """Decoys beside the real thing."""
    found = best(
        a=[f"person{n}@example.org" for n in range(30)],
        b=[f"10.2.{n}.4" for n in range(30)],
        email=[n % 2 == 0 for n in range(30)],
        card_number=["4111111111111111", "5555555555554444", "6011111111111117", "5105105105105100",
                     "4012888888881881"] * 6,
        sku_no=[f"41111111111111{n:02d}" for n in range(30)],
    )  # fmt: skip
    assert found["a"] == "email"
    assert found["b"] != "ip_address"
    assert found["email"] == "boolean_flag"
    assert found["card_number"] == "card_number"
    assert found["sku_no"] == "item_id"


def test_evidence_is_for_people_and_places_are_personal_beside_people_only() -> None:
    """Words, language and shares; coordinates of shops are no personal data."""
    places = {"lat": [48.1234 + n / 977 for n in range(30)], "lon": [11.4321 + n / 977 for n in range(30)]}
    shops = classify(Table(pl.DataFrame({"filiale": list(range(30)), **places})))
    people = classify(Table(pl.DataFrame({"Kundennummer": list(range(30)), **places})))

    def kinds(columns: tuple[ColumnFound, ...]) -> set[PersonalData | None]:
        return {one.best.personal for one in columns if one.best and one.name in places}

    assert kinds(shops.columns) == {None}
    assert kinds(people.columns) == {PersonalData.LOCATION}
    assert people.columns[0].best is not None
    assert people.columns[0].best.evidence == ("name says 'kunden' (de) + 'nummer' (de)",)


def test_names_are_known_by_how_they_are_built() -> None:
    """Names that no list holds, in two alphabets, are more like people than words that are as rare, taken together."""
    people = ["Wróbliszewska", "Bergströmsson", "Ковальчукевич", "Papadimitropoulos", "Hakkarinen", "Teodorescu"]
    things = ["Waschmaschine", "Schraubenzieher", "computadoras", "lighthouse", "стиральный", "imprimantes"]
    known = words("given") | words("family")
    assert not known & {folded(one) for one in people}
    named, called = (likeness([folded(one) for one in some])[:, 2:].sum(axis=1).mean() for some in (people, things))
    assert named > 0.6
    assert called < 0.35


def test_names_addresses_and_what_is_like_them() -> None:
    """Without a header: the real thing beside a firm, a model, a lot and a shelf that are written alike."""
    given, family = ["Ana", "Bruno", "Carla", "Dario", "Elena"], ["Moretti", "Lindholm", "Kowalczyk", "Nakamura"]
    streets = ["Lindenweg", "Hauptstraße", "Gartenallee", "Mühlgasse", "Seeufer", "Kirchplatz", "Ringstraße"]
    found = best(
        a=[f"{family[n % 4]}, {given[n % 5]} {'MJR'[n % 3]}." for n in range(60)],
        b=[f"{streets[n % 7]} {n % 50 + 1}{'ab'[n % 2]}, {10115 + n * 37} Neustadt" for n in range(60)],
        c=[f"{family[n % 4]} {('GmbH', 'Ltd', 'S.A.')[n % 3]}" for n in range(60)],
        d=[f"Lumix {n * 10 + 100}" for n in range(60)],
        e=[f"{100 + n * 13:03d}-{n * 7 % 1000:03d}-{n * 31 % 1000:03d}" for n in range(60)],
        f=[f"Hall {n % 5}, Row {n % 7}, Shelf {n % 3}" for n in range(60)],
        g=[f"0{611 + n % 40} / {n * 7919 % 9000000 + 1000000}" for n in range(60)],
    )  # fmt: skip
    assert (found["a"], found["b"], found["g"]) == ("person_name", "address", "phone")
    assert not {found[name] for name in "cdef"} & {kind.value for kind in PersonalData}


def test_names_in_chinese_japanese_and_korean_signs() -> None:
    """Whole names, and either part alone; towns in the same signs are not people."""
    chinese = [one + two for one in "王李张刘陈杨" for two in ("伟", "秀英", "志强", "晓明", "建国")]
    japanese = [
        f"{one} {two}" for one in ("佐藤", "鈴木", "高橋") for two in ("美咲", "健太", "由美子", "直樹", "花子")
    ]
    korean = [one + two for one in "김이박최정" for two in ("민준", "서연", "지훈", "수빈", "영희", "하은")]
    towns = [f"{one}{two}市" for one in "东西南北中上" for two in "山海州阳江"]
    found = best(a=chinese, b=japanese * 2, c=korean, d=towns)
    assert [found[name] for name in "abc"] == ["person_name"] * 3
    assert found["d"] != "person_name"


def test_no_more_patterns_than_polars_keeps() -> None:
    """Polars keeps 32 compiled patterns for each thread; one more, used in turn, and all are compiled every time."""
    assert len(wide_forms()) <= 28


def test_the_largest_numbers_are_measured() -> None:
    """Beside infinity and none: no warning, no failure."""
    found = facts_of(Table(pl.DataFrame({"a": [1.797e308, -1.797e308, float("inf"), float("nan"), None]})))[0]
    assert (found.present, found.distinct, found.low, found.high) == (4, 4, -1.797e308, 1.797e308)


def test_names_that_polars_takes_for_patterns_are_only_names() -> None:
    """A column called ^.*$ beside others."""
    columns: dict[str, Sequence[object]] = {"^.*$": ["a@example.org", "b@example.org"], "x": [1, 2]}
    assert best(**columns)["^.*$"] == "email"


def test_every_type_has_a_meaning() -> None:
    """More than thirty, each with a line for people."""
    assert set(MEANINGS) == set(SemanticType)
    assert len(SemanticType) >= 30


_VALUES = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.datetimes(),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.text(max_size=12), st.lists(_VALUES, min_size=3, max_size=3)), max_size=5), st.data())
def test_no_table_makes_it_fail(columns: list[tuple[str, list[object]]], data: st.DataObject) -> None:
    """Any names, types, nulls and infinities, also without rows or columns."""
    made: dict[str, pl.Series] = {}
    for name, values in columns:
        first = next((type(one) for one in values if one is not None), None)
        made[name] = pl.Series(name, [one if type(one) is first else None for one in values])
    frame = pl.DataFrame(list(made.values()))
    for table in (frame, frame.clear(), pl.concat([frame] * 10) if made else frame):
        assert [one.name for one in classify(Table(table)).columns] == frame.columns


def test_nested_and_odd_types_are_passed_over() -> None:
    """Lists, structs, bytes, decimals, categories, durations."""
    frame = pl.DataFrame({
        "tags": [["a"], ["b"]], "s": [{"a": 1}, {"a": 2}], "b": [b"1", b"2"], "none": [None, None],
    }).with_columns(
        pl.Series("city", ["Paris", "Rome"], dtype=pl.Categorical),
        pl.Series("price", ["1.20", "3.50"]).cast(pl.Decimal(10, 2)),
        pl.Series("took", [1, 2]).cast(pl.Duration("ms")),
    )  # fmt: skip
    found = {one.name: one.best.type.value if one.best else None for one in classify(Table(frame)).columns}
    assert found["city"] == "city"
    assert found["price"] == "price"
    assert [found[name] for name in ("tags", "s", "b", "took")] == [None] * 4
