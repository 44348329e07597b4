"""The inventory report in its forms: all say the same, names stay names, and the page needs nothing else."""

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
from stocked import stock

from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.service import RegisterDataset, RegisterVersion, register_dataset
from assetgraph.db.engine import Database
from assetgraph.inventory import report_gaps
from assetgraph.inventory.charts import Bar, Station, bars, ring
from assetgraph.inventory.report import inventory_report
from assetgraph.inventory.report_gaps import AGES, MISSING
from assetgraph.inventory.report_page import as_html
from assetgraph.inventory.report_shapes import InventoryReport
from assetgraph.inventory.report_text import (
    LISTED,
    age_text,
    as_json,
    as_markdown,
    as_parquet,
    bytes_text,
    share_text,
    table_of,
)  # fmt: skip
from assetgraph.lineage import service as lineage

#: Elements that HTML closes by themselves.
VOID = {"meta", "link", "br", "hr", "img", "input"}
HOSTILE = '<script>alert("x")</script> | [a](b) `c` \\ *d*'


class Page(HTMLParser):
    """A page taken apart: raises where an element is not closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of SVG that has nothing inside."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Check that the innermost open element ends."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


@pytest.fixture
def report(database: Database) -> InventoryReport:
    """The report of the stocked shop with a dataset, an owner and a tag of hostile names."""
    stock(database)
    with database.transaction("test") as session:
        described = RegisterDataset("shop", HOSTILE, role=DatasetRole.FEATURE, owners=("<i>o</i>",), tags=("pii:<u>",))
        register_dataset(session, described)
        lineage.register_version(session, RegisterVersion("shop", HOSTILE, row_count=3, size_bytes=10**12))
    with database.reading() as session:
        return inventory_report(session)


def test_the_page_is_whole_and_loads_nothing(report: InventoryReport) -> None:
    """Every element closed in turn; no script, link, address or handler; names are texts."""
    text = as_html(report)
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert names >= {"svg", "rect", "circle", "table", "title"}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "image", "use", "foreignobject", "a"}
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert not attributes & {"src", "href", "xlink:href", "srcset", "action", "style"}
    assert not [name for name in attributes if name.startswith("on")]
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", text)
    assert not re.search(r"url\(|@import|//", text)
    assert f"shop/{HOSTILE}" in page.texts
    assert "<i>o</i>" in page.texts
    assert {"color-scheme: light dark", "prefers-color-scheme: dark"} <= set(
        re.findall(r"color-scheme: light dark|prefers-color-scheme: dark", text)
    )
    for gap in report.gaps:
        assert gap.message + " " in page.texts
    assert sum(tag == "svg" for tag, _ in page.tags) == 8


def test_the_page_of_nothing_stands(database: Database) -> None:
    """No chart of no roles, and no division by zero."""
    with database.reading() as session:
        report = inventory_report(session, "nowhere")
    page = Page(as_html(report))
    assert sum(tag == "svg" for tag, _ in page.tags) == 1
    assert page.texts.count("missing") == 9
    assert "nothing is registered" in as_markdown(report)
    assert as_json(report)["datasets"] == []
    assert pl.read_parquet(BytesIO(as_parquet(report))).height == 0


def test_markdown_shows_names_as_they_are_written(report: InventoryReport) -> None:
    """Each row of a table has as many cells as its head, whatever the names hold."""
    text = as_markdown(report)
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        lines = [re.sub(r"\\.", "", line) for line in table.splitlines()]
        assert len({line.count("|") for line in lines}) == 1
        assert "<" not in "".join(lines)
    plain = re.sub(r"\\(.)", r"\1", text)
    assert plain.count(f"| shop/{HOSTILE} |") == 1
    assert plain.count("shop/items | <b>") == 2
    assert "no exposure log: feedback cannot be debiased" in text


def test_json_and_parquet_hold_the_same_rows(report: InventoryReport) -> None:
    """One row per dataset, by namespace and name; JSON has the rest of the report too, without inner ids."""
    table = pl.read_parquet(BytesIO(as_parquet(report)))
    packed = json.loads(json.dumps(as_json(report), default=str))
    assert table.height == report.total.dataset_count == len(packed["datasets"])
    assert table.columns[0] == "urn"
    assert set(table.columns) == set(packed["datasets"][0])
    assert not {"id", "key"} & set(table.columns)
    assert table.schema["updated_at"] == pl.Datetime("us", "UTC")
    assert table.schema["owners"] == pl.List(pl.String)
    events = table.row(by_predicate=pl.col("name") == "events", named=True)
    assert events["urn"] == "urn:assetgraph:dataset:shop:events"
    assert (events["row_count"], events["models"], events["personal_data_tags"]) == (1000, ["shop/m"], ["pii:user"])
    assert packed["total"]["row_count"] == report.total.row_count
    assert [gap["code"] for gap in packed["gaps"]] == [gap.code for gap in report.gaps]
    assert "dataset_ids" not in json.dumps(packed)
    assert {one["role"] for one in packed["roles"]} == set(DatasetRole)


def test_people_read_the_largest_datasets_and_programs_all(database: Database) -> None:
    """Of more than the bound."""
    with database.transaction("test") as session:
        for number in range(LISTED + 2):
            lineage.register_version(session, RegisterVersion("ns", f"d{number}", size_bytes=number))
    with database.reading() as session:
        report = inventory_report(session)
    text = as_markdown(report)
    assert text.count("| ns/d") == LISTED
    assert "| ns/d1 |" not in text
    assert f"The {LISTED} largest of {LISTED + 2}" in text
    assert f"The {LISTED} largest of {LISTED + 2}" in as_html(report)
    assert len(as_json(report)["datasets"]) == LISTED + 2


@pytest.mark.parametrize(
    ("size", "said"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_940, "99.9 kB"), (99_960, "100 kB"),
     (999_600, "1.0 MB"), (2**63 - 1, "9.2 EB")],
)  # fmt: skip
def test_sizes_read_well(size: int | None, said: str) -> None:
    """Three digits or so, and the unit grows before a fourth."""
    assert bytes_text(size) == said


def test_shares_and_ages_read_well() -> None:
    """What is not all never shows as all."""
    assert [share_text(one) for one in (None, 0, 0.00004, 0.5, 0.99996, 1)] == [
        "-", "0 %", "0.01 %", "50 %", "99.99 %", "100 %"
    ]  # fmt: skip
    assert [age_text(one) for one in (None, 0, 1, 5447)] == ["-", "today", "1 day ago", "5,447 days ago"]


def test_bars_are_drawn_to_scale() -> None:
    """The greatest is full, half of it half as long, nothing has no bar, a little is seen."""
    text = bars("B & C", [Bar("a", 10, "10"), Bar("b", 5, "5"), Bar("c", None, "-"), Bar("d", 0.001, "<")])
    widths = [float(one) for one in re.findall(r'<rect[^>]* width="([\d.]+)"', text)]
    assert widths == [320, 160, 2]
    assert "<figcaption>B &amp; C</figcaption>" in text
    logarithmic = bars("b", [Bar("a", 999, ""), Bar("b", 9, "")], logarithmic=True)
    lengths = [float(one) for one in re.findall(r'<rect[^>]* width="([\d.]+)"', logarithmic)]
    assert lengths == [320, pytest.approx(320 / 3, abs=0.1)]
    assert "<rect" not in bars("none", [])


def test_a_ring_has_a_station_and_an_arrow_each() -> None:
    """The first at the top."""
    text = ring("loop", [Station(str(number), "", "good") for number in range(4)])
    places = re.findall(r'class="station good" cx="([\d.]+)" cy="([\d.]+)"', text)
    assert places == [("320.0", "70.0"), ("460.0", "210.0"), ("320.0", "350.0"), ("180.0", "210.0")]
    assert text.count('class="arrow"') == 4


def test_the_manual_names_every_code_and_column(report: InventoryReport) -> None:
    """Codes as the source has them, or makes them of roles."""
    manual = (Path(__file__).parents[2] / "docs" / "howto" / "inventory.md").read_text()
    source = Path(report_gaps.__file__).read_text()
    written = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source))
    stale = {f"STALE_{MISSING[role][0][3:]}" for role in AGES if role in MISSING} | {"STALE_PROMOTION"}
    unused = {f"UNUSED_{role}" for role in ("USER_BEHAVIOUR", "TRANSACTION", "FEEDBACK")}
    assert len(written) >= 20
    assert {gap.code for gap in report.gaps} <= written | stale | unused
    named = set(re.findall(r"`([A-Za-z_]+)`", manual))
    assert (written | stale | unused | set(table_of(report).columns)) - named == set()


def test_ages_are_of_events_where_profiles_know_them(report: InventoryReport) -> None:
    """The moment of the report is in UTC and now."""
    assert datetime.now(UTC) - report.generated_at < timedelta(minutes=5)
    [line] = [line for line in as_markdown(report).splitlines() if line.startswith("| behaviour data")]
    assert "| 10 days ago |" in line
