"""What changed upstream between two moments in the whole graph, with the numbers that were measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from assetgraph.db.engine import Session
from assetgraph.factorization import queries as models
from assetgraph.feedback.walk import steps_of_all
from assetgraph.ids import AssetKind
from assetgraph.lineage.diff import DiffRequest, LineageDiff, diff_lineage
from assetgraph.quality import queries as quality

#: What is measured itself; datasets and models are measured by the version that they are.
MEASURED = (AssetKind.DATASET_VERSION, AssetKind.MODEL_VERSION, AssetKind.RUN)
#: The numbers of so many nodes are compared; the nearest to the root.
MAX_MEASURED = 1000


@dataclass(frozen=True)
class MetricChanged:
    """A number that differs; None where there was, or is, none."""

    asset: int
    name: str
    field: str | None
    before: float | None
    after: float | None


def diff_graph(session: Session, request: DiffRequest) -> tuple[LineageDiff, list[MetricChanged]]:
    """Compare the graph upstream of a root at two moments; numbers are those last measured by then."""
    found = diff_lineage(session, request, steps_of_all)
    pairs = _measured(session, found)
    if len(pairs) > MAX_MEASURED:
        found.reasons.append(f"numbers of the nearest {MAX_MEASURED} nodes of {len(pairs)} are compared")
        pairs = pairs[:MAX_MEASURED]
    before, after = (
        quality.last_measured(session, sorted({one for one in versions if one is not None}), at)
        for versions, at in (
            ([old for _, old, _ in pairs], request.start), ([new for _, _, new in pairs], request.end)
        )
    )  # fmt: skip
    changed = []
    for asset, old, new in pairs:
        then, now = before.get(old or 0, {}), after.get(new or 0, {})
        for name, field in sorted({*then, *now}, key=lambda key: (key[0], key[1] or "")):
            value, other = then.get((name, field)), now.get((name, field))
            if value != other:
                changed.append(MetricChanged(asset, name, field, value, other))
    return found, changed


def _measured(session: Session, found: LineageDiff) -> Sequence[tuple[int, int | None, int | None]]:
    """Return the measured nodes, each with what it was measured by at the start and at the end."""
    ids = [int(ref.key) for ref in found.nodes if ref.kind is AssetKind.MODEL]
    old, new = (
        {model: int(row.id) for model, row in models.production_of(session, ids, at).items()} if ids else {}
        for at in (found.request.start, found.request.end)
    )
    pairs: dict[int, tuple[int | None, int | None]] = dict(found.versions)
    for ref in found.nodes:
        if ref.kind is AssetKind.MODEL:
            pairs[int(ref.key)] = (old.get(int(ref.key)), new.get(int(ref.key)))
        elif ref.kind in MEASURED:
            pairs[int(ref.key)] = (int(ref.key), int(ref.key))
    return [(asset, *pair) for asset, pair in pairs.items()]
