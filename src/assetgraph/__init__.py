"""assetgraph: a data catalog and lineage service for search and recommendation; this package is the library."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """Return the version when it is asked for: to read it takes longer than importing most of the library."""
    if name != "__version__":
        raise AttributeError(f"module 'assetgraph' has no attribute '{name}'")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("assetgraph")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0.0.0"
