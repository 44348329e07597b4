"""Identities as Marquez writes them: times, UUIDs, node ids.

Marquez knows versions by UUIDs. Here a UUID of a version or a run holds the id of its row (so that it leads back
without an index of its own); one of a job's version or of a schema is a digest of what it stands for.
"""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson

from assetgraph.clock import as_utc

#: What a UUID with a row's id in it stands for.
DATASET_VERSION, JOB, RUN = 1, 2, 3

_VERSION, _VARIANT = 0x8 << 76, 0b10 << 62
_MOST = (1 << 62) - 1


def moment(value: datetime | None) -> str | None:
    """Return a moment in UTC as ISO 8601 with Z."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def instant(text: str | None) -> str | None:
    """Return a producer's time in UTC; None where it is none."""
    try:
        return None if text is None else moment(as_utc(datetime.fromisoformat(text)))
    except (ValueError, OverflowError):
        return None


def row_uuid(kind: int, row_id: int) -> str:
    """Return the UUID (version 8) of a row."""
    return str(uuid.UUID(int=kind << 80 | _VERSION | _VARIANT | row_id))


def row_of(kind: int, text: str) -> int | None:
    """Return the row that a UUID of a kind stands for; None for any other text."""
    value = parsed(text)
    if value is None:
        return None
    row_id = value.int & _MOST
    return row_id if value.int == kind << 80 | _VERSION | _VARIANT | row_id else None


def parsed(text: str) -> uuid.UUID | None:
    """Return a UUID in its usual form, None for any other text."""
    if len(text) != 36:
        return None
    try:
        value = uuid.UUID(text)
    except ValueError:
        return None
    return value if str(value) == text.lower() else None


def run_uuid(row_id: int, run_id: str) -> str:
    """Return a run's id: the producer's where it is a UUID, as the protocol wants it."""
    return run_id if parsed(run_id) is not None else row_uuid(RUN, row_id)


def content_uuid(*parts: Any) -> str:
    """Return a UUID (version 8) that follows from content alone."""
    digest = hashlib.blake2b(orjson.dumps(parts), digest_size=16).digest()
    value = int.from_bytes(digest) & ~(0xF << 76 | 0b11 << 62)
    return str(uuid.UUID(int=value | _VERSION | _VARIANT))


def job_version(job: int, io: Iterable[str]) -> str:
    """Return the UUID of a job's version: what it reads (IN7) and writes (OUT9), in no order."""
    return content_uuid(job, sorted(set(io)))


def io_tokens(packed: str) -> list[str]:
    """Return what a job's version reads and writes, unpacked: IN7, OUT9."""
    return [one for one in packed.split(",") if one]


def named(namespace: str, name: str) -> dict[str, str]:
    """Return the identity of a dataset or job."""
    return {"namespace": namespace, "name": name}


def node_id(kind: str, *parts: str, version: str | None = None) -> str:
    """Return a node's id, which nothing in it is escaped in: names may hold the `:` and `#` that separate them."""
    joined = ":".join((kind, *parts))
    return joined if version is None else f"{joined}#{version}"


def version_suffix(text: str) -> tuple[str, str | None]:
    """Return a node id and the version behind its last `#`, where that is a UUID."""
    head, separator, tail = text.rpartition("#")
    return (head, tail) if separator and parsed(tail) is not None else (text, None)


def cuts(text: str, parts: int) -> list[Sequence[str]]:
    """Return the ways to cut a text at its colons into two or three parts, those with the longest first part first."""
    places = [place for place, char in enumerate(text) if char == ":"]
    found: list[Sequence[str]] = []
    for place in reversed(places):
        head, tail = text[:place], text[place + 1 :]
        if parts == 2:
            found.append((head, tail))
        else:
            found += [(head, *rest) for rest in cuts(tail, 2)]
    return found
