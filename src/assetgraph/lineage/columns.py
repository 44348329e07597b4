"""Column lineage as commands say it: which column was made of which, with what was done to the values."""

from dataclasses import dataclass

from assetgraph.catalog.service import AssetRef
from assetgraph.ids import normalised
from assetgraph.lineage.support import Transformation


@dataclass(frozen=True)
class ColumnEdge:
    """A column that a run made of another; the fields are made when nothing else names them yet."""

    source: AssetRef
    source_field: str
    target: AssetRef
    target_field: str
    transformation: Transformation | None = None

    def paths(self, position: int) -> tuple[str, str]:
        """Return the normalised paths of both columns; `position` is the edge's place in the input."""
        source, target = (
            normalised(field, what=f"{name}Field", path=("columns", str(position), f"{name}Field"))
            for name, field in (("from", self.source_field), ("to", self.target_field))
        )
        return source, target
