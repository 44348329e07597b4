"""The inventory report as one HTML page that needs nothing else: no script, no request, light and dark, printable."""

from collections.abc import Iterable, Sequence
from html import escape

from assetgraph.catalog.roles import DatasetRole
from assetgraph.inventory.charts import Bar, Station, bars, ring
from assetgraph.inventory.report_gaps import age_in_days
from assetgraph.inventory.report_shapes import WORDS, Gap, InventoryReport, RoleCoverage
from assetgraph.inventory.report_text import (
    DATASET_COLUMNS,
    LISTED,
    ROLE_COLUMNS,
    age_text,
    bytes_text,
    count_text,
    dataset_rows,
    left_out_text,
    model_text,
    role_rows,
    share_text,
    title_of,
)  # fmt: skip
from assetgraph.quality.tables import Severity

#: The way around: what people do and what is known becomes features, models, exposures, feedback, and begins again.
LOOP = (
    DatasetRole.USER_BEHAVIOUR, DatasetRole.TRANSACTION, DatasetRole.SEARCH_QUERY, DatasetRole.ITEM_CATALOGUE,
    DatasetRole.USER_PROFILE, DatasetRole.FEATURE, None, DatasetRole.EXPOSURE, DatasetRole.FEEDBACK,
)  # fmt: skip
STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2330; --dim: #5d6675; --line: #dfe3ea; --card: #f6f7f9;
  --good: #2a7f62; --warn: #b26a00; --bad: #b3261e; --info: #3767b1; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --ink: #e7eaf0; --dim: #9aa4b2; --line: #2d333d;
  --card: #1c2128; --good: #57b894; --warn: #e0a141; --bad: #ef7a70; --info: #84aaf0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 75rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
p { margin: .25rem 0; } .dim, .value { color: var(--dim); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: .75rem; margin: 1.5rem 0; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .9rem; }
.tiles b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
th { color: var(--dim); font-weight: 600; } .n { text-align: right; white-space: nowrap; }
tr.all td { font-weight: 600; } td:first-child { overflow-wrap: anywhere; min-width: 9rem; }
.gaps { list-style: none; margin: 0; padding: 0; }
.gaps li { border-left: 4px solid var(--info); background: var(--card); margin: .5rem 0; padding: .5rem .9rem;
  border-radius: 0 .4rem .4rem 0; overflow-wrap: anywhere; }
.gaps .ERROR { border-color: var(--bad); } .gaps .WARNING { border-color: var(--warn); }
.gaps b { font-size: .8rem; margin-right: .5rem; } code { font: .85em ui-monospace, monospace; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1.5rem;
  margin-top: 1.5rem; }
figure { margin: 0; max-width: 44rem; } figcaption { font-weight: 600; margin-bottom: .4rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--ink); font-size: 13px; }
svg .value { fill: var(--dim); } svg .name { text-anchor: end; }
.good { fill: var(--good); } .warn { fill: var(--warn); } .bad { fill: var(--bad); } .info { fill: var(--info); }
.track { fill: none; stroke: var(--line); stroke-width: 3; } .arrow { fill: var(--dim); }
.station { stroke: var(--paper); stroke-width: 3; }
.station.missing { fill: var(--paper); stroke: var(--bad); stroke-width: 2; stroke-dasharray: 4 3; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def as_html(report: InventoryReport) -> str:
    """Return the page; every name in it is escaped."""
    title = escape(title_of(report))
    when = f"As of {report.generated_at:%Y-%m-%d %H:%M} UTC."
    parts = [
        "<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">', f"<title>{title}</title>",
        f"<style>{STYLE}</style>", "</head>", "<body>", "<main>", f"<h1>{title}</h1>", f'<p class="dim">{when}</p>',
        _tiles(report), "<h2>The loop</h2>", _loop(report), "<h2>Gaps</h2>", _gaps(report.gaps),
        "<h2>Coverage</h2>", _table(ROLE_COLUMNS, role_rows(report), right=range(1, len(ROLE_COLUMNS)), total=True),
        f"<p>{escape(f'Models: {model_text(report)}. {left_out_text(report)}'.rstrip())}</p>",
        '<div class="charts">', *_charts(report), "</div>", *_personal(report), *_datasets(report),
        "</main>", "</body>", "</html>",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _tiles(report: InventoryReport) -> str:
    total = report.total
    severe = sum(gap.severity is not Severity.INFO for gap in report.gaps)
    tiles = (
        ("datasets", count_text(total.dataset_count)), ("rows", count_text(total.row_count)),
        ("of data", bytes_text(total.size_bytes)), ("models", count_text(report.models.model_count)),
        ("mean quality", share_text(total.mean_quality)), ("with owners", _part(total.owned_datasets, report)),
        ("personal columns", count_text(total.personal_data_fields)), ("gaps that matter", str(severe)),
    )  # fmt: skip
    return '<div class="tiles">' + "".join(f"<div><b>{escape(b)}</b>{escape(a)}</div>" for a, b in tiles) + "</div>"


def _part(count: int, report: InventoryReport) -> str:
    every = report.total.dataset_count
    return share_text(count / every) if every else "-"


def _tone(report: InventoryReport, role: DatasetRole) -> str:
    """Return how the data of a role stands, by the worst gap that is about how old it is."""
    severities = [gap.severity for gap in report.gaps if gap.role is role and gap.code.startswith("STALE_")]
    return "bad" if Severity.ERROR in severities else "warn" if severities else "good"


def _loop(report: InventoryReport) -> str:
    roles = {one.role: one for one in report.roles}
    return ring("What the loop has, clockwise", [
        _models_station(report) if role is None else _station(report, roles[role]) for role in LOOP
    ])  # fmt: skip


def _models_station(report: InventoryReport) -> Station:
    count = report.models.model_count
    old = any(gap.code == "STALE_MODEL" for gap in report.gaps)
    if not count:
        return Station("models", "missing", "missing")
    return Station("models", f"{count:,}{', old' if old else ''}", "warn" if old else "good")


def _station(report: InventoryReport, coverage: RoleCoverage) -> Station:
    label = WORDS[coverage.role]
    if not coverage.dataset_count:
        return Station(label, "missing", "missing")
    tone = _tone(report, coverage.role)
    count = f"{coverage.dataset_count:,} dataset{'s' if coverage.dataset_count > 1 else ''}"
    return Station(label, f"{count}{'' if tone == 'good' else ', old'}", tone)


def _gaps(gaps: Sequence[Gap]) -> str:
    if not gaps:
        return "<p>None.</p>"
    lines = []
    for gap in gaps:
        more = ", ..." if gap.count > len(gap.examples) else ""
        named = f'<p class="dim">{escape(", ".join(gap.examples))}{more}</p>' if gap.examples else ""
        head = f"<b>{gap.severity}</b>{escape(gap.message)} <code>{escape(gap.code)}</code>"
        lines.append(f'<li class="{gap.severity}">{head}{named}</li>')
    return f'<ul class="gaps">{"".join(lines)}</ul>'


def _charts(report: InventoryReport) -> Iterable[str]:
    shown = [one for one in report.roles if one.dataset_count]
    if not shown:
        return
    name, moment = WORDS, report.generated_at
    yield bars("Rows, logarithmic", [
        Bar(name[one.role], one.row_count, count_text(one.row_count or None), "info") for one in shown
    ], logarithmic=True)  # fmt: skip
    yield bars("Bytes, logarithmic", [
        Bar(name[one.role], one.size_bytes, bytes_text(one.size_bytes or None), "info") for one in shown
    ], logarithmic=True)  # fmt: skip
    aged = [(one, age_in_days(one, moment)) for one in shown]
    yield bars("Age of the newest data in days, logarithmic", [
        Bar(name[one.role], age, age_text(age), _tone(report, one.role)) for one, age in aged
    ], logarithmic=True)  # fmt: skip
    yield bars("Quality: checks that pass, else completeness", [
        Bar(name[one.role], one.mean_quality, share_text(one.mean_quality), _quality_tone(one.mean_quality))
        for one in shown
    ], most=1)  # fmt: skip
    yield bars("Datasets with owners", [
        Bar(name[one.role], one.owned_datasets / one.dataset_count, f"{one.owned_datasets:,} of {one.dataset_count:,}")
        for one in shown
    ], most=1)  # fmt: skip
    yield bars("Columns with personal data", [
        Bar(name[one.role], one.personal_data_fields, count_text(one.personal_data_fields), "warn") for one in shown
    ])  # fmt: skip
    yield bars("Models that learnt from it", [
        Bar(name[one.role], one.used_by_models, count_text(one.used_by_models)) for one in shown
    ])  # fmt: skip


def _quality_tone(quality: float | None) -> str:
    return "good" if quality is None or quality >= 0.95 else "warn" if quality >= 0.8 else "bad"


def _personal(report: InventoryReport) -> Iterable[str]:
    if report.personal_data:
        yield "<h2>Personal data</h2>"
        kinds = [(one.tag, count_text(one.field_count), count_text(one.dataset_count)) for one in report.personal_data]
        yield _table(("tag, own or come along columns", "columns", "datasets"), kinds, right=(1, 2))


def _datasets(report: InventoryReport) -> Iterable[str]:
    if report.datasets.height:
        yield "<h2>Datasets</h2>"
        if report.datasets.height > LISTED:
            yield f"<p>The {LISTED} largest of {report.datasets.height:,}; Parquet and JSON have all.</p>"
        yield _table(DATASET_COLUMNS, dataset_rows(report), right=(2, 3, 4, 5, 6, 9))


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], *, right: Iterable[int], total: bool = False) -> str:
    aligned = ["n" if place in set(right) else "" for place in range(len(names))]
    head = "".join(f'<th class="{way}">{escape(name)}</th>' for way, name in zip(aligned, names, strict=True))
    body = []
    for place, row in enumerate(rows):
        cells = "".join(f'<td class="{way}">{escape(cell)}</td>' for way, cell in zip(aligned, row, strict=True))
        last = ' class="all"' if total and place == len(rows) - 1 else ""
        body.append(f"<tr{last}>{cells}</tr>")
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
