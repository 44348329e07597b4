"""What a listing finds: datasets that nobody has opened yet, and the finding for what cannot be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from assetgraph.errors import AssetgraphError

#: Stable codes of findings, and what each says.
REASONS = {
    "EMPTY_FILE": "it has no bytes, or no row and no header",
    "MALFORMED": "its bytes are not of its format: cut off, damaged, or another format under this name",
    "ENCODING": "its text is in no encoding that can be told for sure, or it is binary",
    "SCHEMA_MISMATCH": "the files of one dataset have columns of types that do not fit together",
    "DUPLICATE_COLUMNS": "two of its columns have one name",
    "TOO_LARGE": "it inflates to more bytes than ASSETGRAPH_SCAN_INFLATED_BYTES allows",
    "MISSING_EXTRA": "its format needs a package that is not installed; the message says which extra brings it",
    "OUTSIDE": "its table format refers to files that lie outside the table's folder",
    "UNSUPPORTED": "its format has a feature that cannot be read",
    "UNREADABLE": "it cannot be opened: gone, no permission, not a regular file, or its store does not answer",
    "CHANGED": "it changed while it was read",
    "TOO_MUCH_MEMORY": "reading it took more memory than ASSETGRAPH_SCAN_MEMORY_BYTES allows",
    "STALLED": "reading it made no progress for ASSETGRAPH_SCAN_STALL_SECONDS",
    "CRASHED": "the process that read it ended: the system had no memory left, or its bytes crash what reads them",
    "GONE": "a dataset that the scan before found is not there any more",
}


class Entry(NamedTuple):
    """A file as its listing shows it; `stamp` changes with its content: mtime in ns, an object's etag or version."""

    path: str
    size: int
    stamp: int | str


@dataclass(frozen=True)
class Access:
    """How the files of a source are reached, and what reading them may cost. Secrets are never shown."""

    #: What a compressed file, or one that must be rewritten to be read, may come to in bytes.
    inflated_bytes: int = 8 << 30
    #: Where rewritten files lie while they are read; None: the system's folder for temporary files.
    scratch: Path | None = None
    #: Options of the object store's client.
    storage: Mapping[str, str] | None = field(default=None, repr=False)
    #: URL of the database.
    database: str = field(default="", repr=False)


@dataclass(frozen=True)
class Candidate:
    """A dataset that a listing found and nobody has opened yet."""

    name: str
    format: str
    entries: tuple[Entry, ...]
    #: The file, the folder, or the pattern of paths (with `*`) whose files it is made of; a URL in an object store.
    location: str
    #: What names in `modified` are relative to.
    root: str = ""
    #: The folder whose `key=value` subfolders give columns.
    partitioned_below: str | None = None
    #: A sheet of a workbook, a table of a database.
    part: str | None = None
    #: Where this is a part of a dataset, all its files: they tell together which columns the folders' names give.
    siblings: tuple[Entry, ...] = field(default=(), repr=False)
    #: Bytes of its data where these are not the entries themselves (a table format's log is not its data).
    data_bytes: int | None = None
    #: Why it cannot even be listed; empty for a readable one.
    problem: str = ""
    access: Access = field(default=Access(), compare=False)

    @staticmethod
    def of_file(path: Path, *, name: str | None = None, format: str = "parquet") -> "Candidate":  # noqa: A002
        """Return the dataset of one file that is known to be there."""
        status = path.stat()
        entry = Entry(str(path), status.st_size, status.st_mtime_ns)
        return Candidate(name or path.stem, format, (entry,), str(path), str(path.parent))

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of a dataset in folders."""
        return tuple(Path(entry.path) for entry in self.entries)

    @property
    def is_local(self) -> bool:
        """Whether its files lie in folders of this machine."""
        return "://" not in self.location

    @property
    def size_bytes(self) -> int:
        """The size of its files."""
        return sum(entry.size for entry in self.entries) if self.data_bytes is None else self.data_bytes

    @property
    def modified(self) -> str:
        """One line `path<TAB>size<TAB>stamp` per file: equal text, very probably unchanged content."""
        start = len(self.root.rstrip("/")) + 1
        return "\n".join(f"{path[start:]}\t{size}\t{stamp}" for path, size, stamp in self.entries)


class BrokenFile(AssetgraphError):
    """A data file that cannot be read; `reason` is one of REASONS, `file` the file, folder or URL."""

    code = "BROKEN_FILE"

    def __init__(self, file: Path | str, reason: str, message: str) -> None:
        super().__init__(message)
        self.file = file
        self.reason = reason
