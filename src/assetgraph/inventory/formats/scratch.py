"""Files that must be rewritten to be read: inflated, decoded, fetched; all within one budget of bytes."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from assetgraph.inventory.discover.candidates import BrokenFile, Candidate
from assetgraph.inventory.formats.failures import called

CHUNK_BYTES = 1 << 20
#: What compressed files start with, and what inflates them.
MAGICS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


class Scratch:
    """A folder of temporary files of one dataset, made when it is needed; `resources` takes it away."""

    def __init__(self, candidate: Candidate, resources: ExitStack) -> None:
        self.candidate = candidate
        self._resources = resources
        self._left = candidate.access.inflated_bytes
        self._folder: Path | None = None
        self._count = 0

    def path(self, suffix: str = "") -> Path:
        """Return a name for a new file."""
        if self._folder is None:
            where = self.candidate.access.scratch
            if where is not None:
                where.mkdir(parents=True, exist_ok=True)
            made = tempfile.TemporaryDirectory(prefix="assetgraph-", dir=where, ignore_cleanup_errors=True)
            self._folder = Path(self._resources.enter_context(made))
        self._count += 1
        return self._folder / f"{self._count}{suffix}"

    def spend(self, size: int) -> None:
        """Take bytes from the budget; raises BrokenFile TOO_LARGE when it is used up."""
        self._left -= size
        if self._left < 0:
            most = self.candidate.access.inflated_bytes
            message = (
                f"'{called(self.candidate)}' inflates to more than {most} bytes; raise ASSETGRAPH_SCAN_INFLATED_BYTES"
            )
            raise BrokenFile(self.candidate.location, "TOO_LARGE", message)


def compression_of(start: bytes) -> str | None:
    """Return how a file is compressed by its first bytes, whatever it is called."""
    return next((name for magic, name in MAGICS.items() if start.startswith(magic)), None)


def open_inflated(file: Path) -> tuple[BinaryIO, bool]:
    """Open a file for reading, inflated where it is compressed; returns (stream, is compressed)."""
    with file.open("rb") as opened:
        compression = compression_of(opened.read(4))
    if compression is None:
        return file.open("rb"), False
    return pa.input_stream(os.fspath(file), compression=compression), True
