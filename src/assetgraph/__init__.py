"""assetgraph: a data catalog and lineage service for search and recommendation; this package is the library."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("assetgraph")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"

__all__ = ["__version__"]
