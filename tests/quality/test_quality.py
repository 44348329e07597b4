"""Metrics: numbers that were measured of versions, runs and models."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from assetgraph.catalog.service import RegisterVersion, ensure_dataset
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.db.page import PageRequest
from assetgraph.errors import AssetgraphError, Invalid, NotFound
from assetgraph.lineage.service import register_version
from assetgraph.quality import queries, service
from assetgraph.quality.service import MetricSpec


@pytest.fixture
def version(database: Database) -> int:
    """A dataset version to measure."""
    with database.transaction("test") as session:
        return register_version(session, RegisterVersion("ns", "a"))[0]


def test_metrics_come_newest_first_and_in_pages(database: Database, version: int) -> None:
    """By name when asked; moments are kept in UTC."""
    at = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    for value in (0.1, 0.2, 0.3):
        with database.transaction("test") as session:
            specs = [MetricSpec("completeness", value, "user", at), MetricSpec("rows", value * 10, is_exact=False)]
            assert len(service.record_metrics(session, version, specs)) == 2
    with database.reading() as session:
        page = queries.metrics_page(session, version, "completeness", PageRequest.of(2, None))
        assert ([row.value for row in page.rows], page.total, page.has_next) == ([0.3, 0.2], 3, True)
        rest = queries.metrics_page(session, version, "completeness", PageRequest.of(2, page.cursors[-1]))
        [last] = rest.rows
        assert (last.value, last.field, last.is_exact) == (0.1, "user", True)
        assert last.measured_at == datetime(2026, 1, 1, 10, tzinfo=UTC)
        listed = queries.metrics_of(session, [version])[version]
        assert [row.value for row in listed] == [3.0, 0.3, 2.0, 0.2, 1.0, 0.1]


@pytest.mark.parametrize(
    ("specs", "error", "path"),
    [
        ([MetricSpec("a", float("nan"))], Invalid, ("metrics", "0", "value")),
        ([MetricSpec("a", 1), MetricSpec("b", float("inf"))], Invalid, ("metrics", "1", "value")),
        ([MetricSpec(" ", 1)], Invalid, ("metrics", "0", "name")),
        ([MetricSpec("a", 1)] * 10_001, Invalid, ("metrics",)),
    ],
)
def test_a_bad_metric_spoils_the_batch(
    database: Database, version: int, specs: list[MetricSpec], error: type[AssetgraphError], path: tuple[str, ...]
) -> None:
    """Nothing of it is stored."""
    with database.reading() as session:
        before = changes.newest(session)
    with pytest.raises(error) as refused, database.transaction("test") as session:
        service.record_metrics(session, version, specs)
    assert refused.value.path == path
    with database.reading() as session:
        assert changes.newest(session) == before
        assert queries.metrics_of(session, [version])[version] == []


def test_only_what_can_be_measured_has_metrics(database: Database) -> None:
    """A dataset has none, its versions have."""
    with database.transaction("test") as session:
        dataset, _ = ensure_dataset(session, "ns", "a")
        for wrong in (dataset, 99_999):
            with pytest.raises(NotFound, match="a dataset version, a model version or a run"):
                service.record_metrics(session, wrong, [MetricSpec("a", 1)])
