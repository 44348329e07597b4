"""A trained model on disk: safetensors plus a JSON manifest with checksums, renamed into place, then mapped."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from assetgraph.errors import Unavailable
from assetgraph.factorization.als import Factors
from assetgraph.factorization.interactions import Interactions

FORMAT = "assetgraph-model/1"
TENSORS, VOCABULARIES, MANIFEST = "factors.safetensors", "vocabularies.json", "manifest.json"


@dataclass(frozen=True)
class Artifact:
    """A loaded model: users (U, k), items (I, k) float32; what each user had (CSR); how often each item occurs."""

    users: NDArray[np.float32]
    items: NDArray[np.float32]
    seen_starts: NDArray[np.int64]
    seen_items: NDArray[np.int32]
    popularity: NDArray[np.float32]
    user_names: list[str] = field(repr=False)
    item_names: list[str] = field(repr=False)
    manifest: dict[str, Any]

    @cached_property
    def user_at(self) -> dict[str, int]:
        """Row of each user."""
        return {name: row for row, name in enumerate(self.user_names)}

    @cached_property
    def item_at(self) -> dict[str, int]:
        """Row of each item."""
        return {name: row for row, name in enumerate(self.item_names)}

    def seen(self, user: int) -> NDArray[np.int32]:
        """Rows of the items that a user had in training."""
        return self.seen_items[self.seen_starts[user] : self.seen_starts[user + 1]]


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write(folder: Path, factors: Factors, interactions: Interactions, manifest: dict[str, Any]) -> dict[str, Any]:
    """Write an artifact to a temporary folder beside `folder` and rename it: there whole, or not there.

    Writing the same artifact again, after a kill, replaces it.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    matrix = interactions.matrix
    popularity = np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float32)
    tensors: dict[str, NDArray[Any]] = {
        "users": np.ascontiguousarray(factors.users), "items": np.ascontiguousarray(factors.items),
        "seen_starts": matrix.indptr.astype(np.int64), "seen_items": matrix.indices.astype(np.int32),
        "popularity": popularity,
    }  # fmt: skip
    save_file(tensors, temporary / TENSORS)
    names = {"users": interactions.users, "items": interactions.items}
    (temporary / VOCABULARIES).write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
    checksums = {name: _sha256(temporary / name) for name in (TENSORS, VOCABULARIES)}
    whole = {**manifest, "format": FORMAT, "mean": factors.mean, "sha256": checksums}
    (temporary / MANIFEST).write_text(json.dumps(whole, indent=2, ensure_ascii=False), encoding="utf-8")
    for path in temporary.iterdir():
        _sync(path)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    _sync(folder.parent)
    return whole


def files_of(folder: Path) -> dict[str, Any]:
    """Return the SHA-256 and the size in bytes of each file of an artifact."""
    return {
        name: {"sha256": _sha256(folder / name), "bytes": (folder / name).stat().st_size}
        for name in (TENSORS, VOCABULARIES, MANIFEST)
    }


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load(folder: Path, files: dict[str, Any] | None = None) -> Artifact:
    """Open an artifact memory-mapped after checking its checksums; Unavailable when it is missing or damaged.

    `files` are those of `files_of` when it was written: another model's files in its place are refused.
    """
    try:
        if files is not None and _sha256(folder / MANIFEST) != files[MANIFEST]["sha256"]:
            raise Unavailable("the model's folder holds the files of another model; copy those that belong to it there")
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        for name, checksum in manifest["sha256"].items():
            if _sha256(folder / name) != checksum:
                raise Unavailable(f"the model's file {name} does not match its checksum; train the model again")
        names = json.loads((folder / VOCABULARIES).read_text(encoding="utf-8"))
        with safe_open(folder / TENSORS, framework="numpy") as tensors:
            arrays = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118 - not a dict
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise Unavailable(f"the model's artifact cannot be read ({error}); train the model again") from error
    return Artifact(**arrays, user_names=names["users"], item_names=names["items"], manifest=manifest)
