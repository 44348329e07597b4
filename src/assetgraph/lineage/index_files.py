"""The base of the in-memory graph as files that processes of one machine map and so share.

Never needed for correctness: a file is named by a place in the change log and the hash there, so that another or a
restored database never matches; what is damaged is thrown away; and whoever maps one catches up with the log.
"""

import os
import secrets
import shutil
import time
from pathlib import Path

import numpy as np
import orjson
import structlog
import xxhash
from numpy.typing import NDArray

from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.lineage.index import KINDS, LEVELS, NONE, Adjacency, Side, Snapshot

#: What the files mean; files of another meaning are built anew.
MEANING = {"format": 2, "kinds": [kind.value for kind in KINDS], "levels": [level.value for level in LEVELS]}
#: A smaller graph is as quick to read from the database.
LEAST_EDGES = 10_000
#: What a process that was killed while it wrote leaves behind is removed after this time.
LEFTOVER_SECONDS = 3600
PARTS = ("offsets", "neighbours", "edges")
MANIFEST = "manifest.json"

log = structlog.get_logger("assetgraph.index")


class IndexFiles:
    """A folder of bases, the newest of which is in use."""

    def __init__(self, folder: Path, *, least_edges: int = LEAST_EDGES) -> None:
        """Read and write nothing yet."""
        self.folder = folder
        self.least_edges = least_edges

    def open(self, session: Session) -> Snapshot | None:
        """Map the newest base that is of this database and no newer than the session sees; None when there is none."""
        newest = changes.newest(session)
        for sequence, digest, path in self._bases():
            if sequence <= newest and changes.hash_at(session, sequence) == digest:
                try:
                    return _mapped(path, sequence)
                except (OSError, ValueError, KeyError, TypeError) as error:
                    log.warning("index file thrown away", path=str(path), error=str(error))
                    shutil.rmtree(path, ignore_errors=True)
        return None

    def keep(self, session: Session, snapshot: Snapshot) -> Snapshot:
        """Write a snapshot without overlay and return it mapped; as it is when it is small or cannot be written."""
        digest = changes.hash_at(session, snapshot.sequence)
        if snapshot.base_edges < self.least_edges or digest is None:
            return snapshot
        final = self.folder / f"{snapshot.sequence}-{digest}"
        temporary = self.folder / f".{os.getpid()}-{secrets.token_hex(4)}"
        try:
            temporary.mkdir(parents=True)
            _write(temporary, snapshot)
            if not final.exists():
                temporary.rename(final)
            found = _mapped(final, snapshot.sequence)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("index stays in this process alone", error=str(error))
            return snapshot
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._tidy(final)
        return found

    def _bases(self) -> list[tuple[int, str, Path]]:
        found = []
        for path in self.folder.glob("[0-9]*-*"):
            sequence, _, digest = path.name.partition("-")
            if sequence.isdigit():
                found.append((int(sequence), digest, path))
        return sorted(found, reverse=True)

    def _tidy(self, final: Path) -> None:
        """Remove other bases; who has mapped one keeps it until it maps another."""
        for path in self.folder.iterdir():
            try:
                fresh = path.name.startswith(".") and path.stat().st_mtime > time.time() - LEFTOVER_SECONDS
            except OSError:
                continue
            if path != final and not fresh:
                shutil.rmtree(path, ignore_errors=True)


def _arrays(snapshot: Snapshot) -> dict[str, NDArray[np.generic]]:
    found: dict[str, NDArray[np.generic]] = {"kinds": snapshot.kinds, "standings": snapshot.standings}
    for level, adjacency in snapshot.levels.items():
        for way, side in (("out", adjacency.out), ("into", adjacency.into)):
            found |= {f"{level.value}-{way}-{part}": getattr(side, part) for part in PARTS}
    return found


def _write(folder: Path, snapshot: Snapshot) -> None:
    sums = {}
    for name, array in _arrays(snapshot).items():
        path = folder / f"{name}.npy"
        np.save(path, array, allow_pickle=False)
        sums[name] = _sum(path)
    said = {**MEANING, "base_edges": snapshot.base_edges, "newest": snapshot.newest, "sums": sums}
    (folder / MANIFEST).write_bytes(orjson.dumps(said))


def _sum(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def _mapped(folder: Path, sequence: int) -> Snapshot:
    said = orjson.loads((folder / MANIFEST).read_bytes())
    if {name: said[name] for name in MEANING} != MEANING:
        raise ValueError("written by another version")

    def mapped(name: str) -> NDArray[np.generic]:
        path = folder / f"{name}.npy"
        if _sum(path) != said["sums"][name]:
            raise ValueError(f"{name} is damaged")
        # A plain array over the mapped pages: kernels know no subclass.
        array: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
        return array

    def side(level: str, way: str) -> Side:
        offsets, neighbours, edges = (mapped(f"{level}-{way}-{part}") for part in PARTS)
        return Side(offsets.astype(np.int32, copy=False), neighbours.astype(np.int32, copy=False),
                    edges.astype(np.int64, copy=False))  # fmt: skip

    levels = {level: Adjacency(side(level.value, "out"), side(level.value, "into"), NONE, NONE) for level in LEVELS}
    kinds = mapped("kinds").astype(np.int8, copy=False)
    standings = mapped("standings").astype(np.int8, copy=False)
    base_edges, newest = int(said["base_edges"]), int(said["newest"])
    return Snapshot(sequence, kinds, standings, levels, base_edges=base_edges, newest=newest)
