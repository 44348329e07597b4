"""Identity: integer keys, Relay global ids, urns, and the ids that encode a computed recommendation."""

import base64
import binascii
import hashlib
import json
import re
import unicodedata
from enum import StrEnum
from typing import NewType
from urllib.parse import quote, unquote

from assetgraph.errors import Invalid

AssetId = NewType("AssetId", int)

#: Names are index keys: PostgreSQL's B-tree takes 2,704 bytes for namespace, name and path together.
MAX_NAME_BYTES = 900
MAX_NAMESPACE_BYTES = 400


class AssetKind(StrEnum):
    """What a node of the graph is."""

    SOURCE = "SOURCE"
    DATASET = "DATASET"
    DATASET_VERSION = "DATASET_VERSION"
    FIELD = "FIELD"
    JOB = "JOB"
    RUN = "RUN"
    MODEL = "MODEL"
    MODEL_VERSION = "MODEL_VERSION"
    RECOMMENDATION = "RECOMMENDATION"
    FEEDBACK = "FEEDBACK"


#: GraphQL type name of each kind: what a global id carries.
TYPE_NAMES: dict[AssetKind, str] = {
    kind: "".join(part.capitalize() for part in kind.value.split("_")) for kind in AssetKind
}
KINDS: dict[str, AssetKind] = {name: kind for kind, name in TYPE_NAMES.items()}


def global_id(type_name: str, key: int | str) -> str:
    """Return the opaque Relay id of a node: base64 of `Type:key`."""
    return base64.b64encode(f"{type_name}:{key}".encode()).decode("ascii")


def asset_global_id(kind: AssetKind, key: int | str) -> str:
    """Return the opaque Relay id of an asset of `kind`."""
    return global_id(TYPE_NAMES[kind], key)


def parse_global_id(value: str, *, path: tuple[str, ...] = ()) -> tuple[str, str]:
    """Return (type name, key) of an opaque id; raises Invalid when it is not one of ours."""
    try:
        type_name, separator, key = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError, ValueError):
        separator = ""
        type_name = key = ""
    if not separator or not type_name or not key:
        raise Invalid(f"'{value[:80]}' is not an id of this service; pass an id that it gave out", path=path)
    return type_name, key


def integer_key(key: str) -> int | None:
    """Return the integer of an id's key, or None when it cannot be a 64-bit row key."""
    if key.isascii() and key.isdigit() and len(key) < 19:
        return int(key)
    return None


def normalised(name: str, *, what: str, path: tuple[str, ...] = (), most: int = MAX_NAME_BYTES) -> str:
    """Return the identity of a name: Unicode NFC, surrounding space trimmed, case kept (sources differ by case)."""
    # Most names are ASCII, and those cost a twentieth.
    plain = name.isascii() and name.isprintable()
    key = (name if plain else unicodedata.normalize("NFC", name)).strip()
    if not key:
        raise Invalid(f"{what} must not be empty", path=path)
    if not plain and any(unicodedata.category(char) in ("Cc", "Cs") for char in key):
        raise Invalid(f"{what} holds a control character; remove it", path=path)
    if len(key.encode()) > most:
        raise Invalid(f"{what} has {len(key.encode())} bytes; at most {most} are allowed", path=path)
    return key


def field_key(dataset_key: str, path: str) -> str:
    """Return the identity of a column within its dataset's namespace; a digest stands in for what no index takes."""
    prefix = dataset_key.replace("%", "%25").replace("#", "%23")
    if len(prefix.encode()) > MAX_NAME_BYTES:
        prefix = "%" + hashlib.blake2b(prefix.encode(), digest_size=16).hexdigest()
    return f"{prefix}#{path}"


_URN_KINDS = {kind: kind.value.lower() for kind in AssetKind}
#: Most names need no encoding, and every asset shown has a urn.
_PLAIN = re.compile(r"[A-Za-z0-9_.~/@#+-]*", re.ASCII).fullmatch


def urn(kind: AssetKind, namespace: str, key: str) -> str:
    """Return the stable, readable name of an asset: urn:assetgraph:<kind>:<namespace>:<name>, parts percent-encoded."""
    parts = (part if _PLAIN(part) else quote(part, safe="/@#.+~") for part in (namespace, key))
    return ":".join(("urn:assetgraph", _URN_KINDS[kind], *parts))


def parse_urn(value: str) -> tuple[AssetKind, str, str]:
    """Return (kind, namespace, key) of a urn; raises Invalid when it is malformed."""
    parts = value.split(":")
    if len(parts) == 5 and parts[:2] == ["urn", "assetgraph"] and parts[2].upper() in AssetKind.__members__:
        return AssetKind[parts[2].upper()], unquote(parts[3]), unquote(parts[4])
    raise Invalid(f"'{value[:120]}' is not a urn; write urn:assetgraph:<kind>:<namespace>:<name>", path=("urn",))


def recommendation_key(model_version: int, user: str | None, item: str, score: float, rank: int) -> str:
    """Return the key of a recommendation: it says all that the node holds, so serving writes nothing."""
    said = [model_version, user, item, round(float(score), 6), rank]
    packed = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).decode("ascii").rstrip("=")


def parse_recommendation_key(key: str) -> tuple[int, str | None, str, float, int] | None:
    """Return (model version, user, item, score, rank) of a recommendation's key, or None when it is malformed."""
    try:
        version, user, item, score, rank = json.loads(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)))
        # No number that is none, and no half of a character.
        json.dumps([user, item, number := float(score)], ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in (version, rank)):
        return None
    typed = isinstance(item, str) and (user is None or isinstance(user, str)) and isinstance(score, int | float)
    if not typed or isinstance(score, bool) or not 0 < version < 2**62 or not 0 <= rank < 2**62:
        return None
    return version, user, item, number, rank


def id_text(value: str) -> str:
    """Return a user or item id as text the way training reads it: trimmed, whole numbers without a fraction."""
    text = value.strip()
    head, dot, tail = text.partition(".")
    if dot and tail and not tail.strip("0") and head.lstrip("-").isdigit():
        return head
    return text
