"""Column lineage: which column a run made of which, with what was done to the values."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from assetgraph.catalog import queries as catalog_queries
from assetgraph.catalog import service as catalog
from assetgraph.catalog.service import AssetRef
from assetgraph.db.engine import Session
from assetgraph.ids import normalised
from assetgraph.lineage import queries
from assetgraph.lineage.edges import Link, Transformation, connect
from assetgraph.lineage.tables import EdgeKind, Level


@dataclass(frozen=True)
class ColumnEdge:
    """A column that a run made of another; the fields are made when nothing else names them yet."""

    source: AssetRef
    source_field: str
    target: AssetRef
    target_field: str
    transformation: Transformation | None = None


def resolve_columns(
    session: Session, columns: Sequence[ColumnEdge], inputs: list[int], outputs: list[int]
) -> list[Link]:
    """Return the links of column edges, their fields made where they are new.

    A column of a dataset that the run does not name yet makes that dataset an input or output too: both lists grow.
    """
    datasets: dict[tuple[str, AssetRef], int] = {}
    paths: dict[int, set[str]] = {}

    def end(position: int, name: str, ref: AssetRef, field: str) -> tuple[int, str]:
        if (name, ref) not in datasets:
            versions = inputs if name == "from" else outputs
            datasets[(name, ref)] = _dataset_of(session, ref, versions, ("columns", str(position), name))
        path = normalised(field, what=f"{name}Field", path=("columns", str(position), f"{name}Field"))
        paths.setdefault(datasets[(name, ref)], set()).add(path)
        return datasets[(name, ref)], path

    ends = [
        (end(i, "from", edge.source, edge.source_field), end(i, "to", edge.target, edge.target_field))
        for i, edge in enumerate(columns)
    ]
    ids = {dataset: catalog.ensure_fields(session, dataset, sorted(named)) for dataset, named in paths.items()}
    return [
        Link(
            ids[source[0]][source[1]], ids[target[0]][target[1]], EdgeKind.DERIVED, Level.FIELD,
            () if edge.transformation is None else (edge.transformation,),
        )
        for edge, (source, target) in zip(columns, ends, strict=True)
    ]  # fmt: skip


def _dataset_of(session: Session, ref: AssetRef, versions: list[int], path: tuple[str, ...]) -> int:
    version = catalog.resolve_version(session, ref, path=path)
    rows = catalog_queries.versions_by_ids(session, [version, *versions])
    dataset = int(rows[version].dataset_id)
    if all(int(rows[one].dataset_id) != dataset for one in versions):
        versions.append(version)
    return dataset


def connect_columns(session: Session, run: int, links: Sequence[Link], at: datetime | None) -> None:
    """Open a run's column edges that are new, or that say more than the run said before; transformations add up."""
    had = queries.supported(session, run, Level.FIELD)
    new = [
        link for link in links
        if (known := had.get((link.source, link.target))) is None
        or any(asdict(one) not in known for one in link.transformations)
    ]  # fmt: skip
    if not new:
        return
    sources, targets = sorted({link.source for link in new}), sorted({link.target for link in new})
    before = queries.transformations_between(session, sources, targets)
    merged = [
        replace(link, transformations=(
            *link.transformations, *(Transformation(**one) for one in before.get((link.source, link.target), ()))
        ))
        for link in new
    ]  # fmt: skip
    connect(session, merged, run=run, at=at)
