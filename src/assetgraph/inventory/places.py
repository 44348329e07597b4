"""Where sources lie: which folders, buckets and databases may be scanned, and what is found there.

Credentials are never part of a location. A setting names an environment variable (`env:NAME`) or a file (`file:/path`)
that holds them, and they are read when they are needed.
"""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from assetgraph.catalog.grouping import GroupingRule
from assetgraph.db.paths import allowed_path
from assetgraph.errors import Forbidden, Invalid, NotFound, Unavailable
from assetgraph.inventory.discover import Access, Candidate, discover
from assetgraph.inventory.discover.cloud import list_bucket
from assetgraph.inventory.discover.grouping import Grouping
from assetgraph.settings import Settings

BUCKETS = ("s3", "gs", "az")
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9]*)://(?P<rest>[^\x00-\x20\\?#@%*]+)")


def check_location(settings: Settings, location: str) -> str:
    """Return a source's location as it is stored; refuses what the settings do not allow, and folders not there."""
    scheme = location.partition("://")[0] if "://" in location else ""
    if scheme in BUCKETS:
        return allowed_url(settings, location)
    if scheme == "database":
        _database(settings, location)
        return location.rstrip("/")
    found = allowed_path(location, settings.scan_roots)
    if not found.exists():
        raise NotFound(f"'{location}' does not exist", path=("location",))
    return str(found)


def allowed_url(settings: Settings, location: str) -> str:
    """Return a bucket's URL when it lies below an allowed one; nothing is asked of the store."""
    found = _URL.fullmatch(location)
    rest = found.group("rest").rstrip("/") if found else ""
    parts = rest.split("/")
    if found is None or not rest or any(part in ("", ".", "..") for part in parts):
        raise Invalid("write a bucket's URL like s3://bucket/folder, without credentials", path=("location",))
    url = f"{found.group('scheme')}://{rest}"
    if _prefix_of(settings, url) is None:
        message = f"'{location}' lies outside the URLs that ASSETGRAPH_SCAN_URLS allows"
        known = list(settings.scan_urls) or ["(none is set)"]
        raise Forbidden(message, path=("location",), known=known)
    return url


def _prefix_of(settings: Settings, url: str) -> str | None:
    fitting = [one for one in settings.scan_urls if url == one.rstrip("/") or url.startswith(one.rstrip("/") + "/")]
    return max(fitting, key=len, default=None)


def _database(settings: Settings, location: str) -> tuple[str, str | None]:
    """Return the name and the schema of `database://name/schema`."""
    name, _, schema = location.removeprefix("database://").rstrip("/").partition("/")
    if name not in settings.scan_databases:
        message = f"no database '{name}' is named in ASSETGRAPH_SCAN_DATABASES"
        raise Forbidden(message, path=("location",), known=sorted(settings.scan_databases) or ["(none is set)"])
    if "/" in schema:
        raise Invalid("write a database's location as database://name or database://name/schema", path=("location",))
    return name, schema or None


def referenced(reference: str) -> str:
    """Return what a reference (`env:NAME` or `file:/path`) holds; raises Unavailable, and never shows it."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        if name not in os.environ:
            raise Unavailable(f"the environment variable {name} that the settings refer to is not set")
        return os.environ[name]
    try:
        return Path(name).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"the file '{name}' that the settings refer to cannot be read") from error


def access_to(settings: Settings, location: str, scratch: Path | None = None) -> Access:
    """Return how a source's files are reached, with the credentials that the settings refer to.

    Files that must be rewritten to be read lie in `scratch` meanwhile, by default below ASSETGRAPH_HOME.
    """
    storage, database = None, ""
    if location.startswith("database://"):
        database = referenced(settings.scan_databases[_database(settings, location)[0]])
    elif "://" in location:
        reference = settings.scan_urls.get(_prefix_of(settings, location) or "", "")
        storage = _options(reference) if reference else None
    return Access(settings.scan_inflated_bytes, scratch or settings.home / "scratch", storage, database)


def _options(reference: str) -> dict[str, str]:
    try:
        found = json.loads(referenced(reference))
    except json.JSONDecodeError:
        found = None  # and no trace of the text in the error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Unavailable(f"{reference} is no JSON object of texts; write the store's options there")
    return found


def folder_of(settings: Settings, location: str, path: str | None) -> Path:
    """Return the folder or file to scan: below the source, which is below an allow-listed root."""
    root = allowed_path(location, settings.scan_roots)
    if not path:
        return root
    wanted = allowed_path(str(root / path), [root])
    if not wanted.exists():
        names = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
        raise NotFound(f"'{path}' does not exist in the source", path=("path",), known=names)
    return wanted


def check_path(settings: Settings, location: str, path: str | None) -> str:
    """Return what is scanned of a source: a folder or file, a URL, or a database's location; refuses as above."""
    if path and path.startswith("/"):
        raise Invalid("path is relative to the source; write it without a leading '/'", path=("path",))
    if "://" not in location:
        return str(folder_of(settings, location, path))
    if location.startswith("database://"):
        if path:
            raise Invalid("a database is scanned whole; register database://name/schema for one schema", path=("path",))
        _database(settings, location)
        return location
    return allowed_url(settings, f"{location}/{path.strip('/')}" if path else location)


def candidates_at(
    settings: Settings, location: str, path: str | None = None, rules: Sequence[GroupingRule] = (),
    scratch: Path | None = None,
) -> list[Candidate]:  # fmt: skip
    """Return the datasets of a source, or of a part of it; raises BrokenFile when a store or database refuses."""
    wanted = check_path(settings, location, path)
    access = access_to(settings, location, scratch)
    if location.startswith("database://"):
        from assetgraph.inventory.formats.database_queries import list_tables

        return list_tables(location, _database(settings, location)[1], access)
    if "://" not in location:
        return discover(wanted, allowed_path(location, settings.scan_roots), rules, access)
    grouping = Grouping(wanted, wanted[len(location) :].strip("/"), rules, access, location)
    for folder in list_bucket(wanted, access):
        grouping.add(folder)
    return grouping.datasets()
