"""Listing buckets through obstore, as the folders that their keys spell, and fetching what is read as a file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from assetgraph.inventory.discover.candidates import Access, BrokenFile, Entry
from assetgraph.inventory.discover.listing import (
    DELTA_COMMIT,
    DELTA_LOG,
    ICEBERG_METADATA,
    ICEBERG_STATE,
    SKIPPED_PREFIXES,
    Folder,
)
from assetgraph.inventory.discover.names import split_name


def store_of(url: str, storage: Mapping[str, str] | None) -> tuple[Any, str]:
    """Return the client of a URL's bucket, and the key in it; raises BrokenFile without the extra."""
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        message = "reading buckets needs a package: install assetgraph[obstore]"
        raise BrokenFile(url, "MISSING_EXTRA", message) from error
    options = dict(storage or {})
    # A setting of the client, not of the store, by the names that Polars knows it by.
    plain = [name for name in options if name.endswith("allow_http")]
    client = {"allow_http": any(options.pop(name).lower() == "true" for name in plain)}
    try:
        return from_url(f"{scheme}://{bucket}", config=cast("Any", options), client_options=cast("Any", client)), key
    except (BaseError, ValueError, TypeError) as error:
        # Without its text, which may hold the options.
        raise BrokenFile(url, "UNREADABLE", f"the options of the store of '{url}' cannot be used") from error


def list_bucket(url: str, access: Access) -> Iterator[Folder]:
    """Yield the folders below a URL that hold data files; raises BrokenFile when the store does not answer."""
    store, prefix = store_of(url, access.storage)
    import obstore
    from obstore.exceptions import BaseError

    found: dict[str, Folder] = {}
    bucket = url[: len(url) - len(prefix)].rstrip("/")
    try:
        for chunk in obstore.list(store, prefix or None):
            for one in chunk:
                _file(found, url, bucket, prefix, one)
    except BaseError as error:
        raise _refused(url, error) from error
    tables = tuple(f"{folder.relative}/" if folder.relative else "" for folder in found.values() if folder.table)
    for folder in found.values():
        if folder.table or not folder.relative.startswith(tables or ("\0",)):
            yield folder


def _file(found: dict[str, Folder], url: str, bucket: str, prefix: str, one: Mapping[str, Any]) -> None:
    key = str(one["path"])
    relative = key[len(prefix.rstrip("/")) :].lstrip("/") if prefix else key
    above, _, name = relative.rpartition("/")
    entry = Entry(f"{bucket}/{key}", int(one["size"]), str(one["version"] or one["e_tag"] or one["last_modified"]))
    table_above, _, last = above.rpartition("/")
    for folder, names, form in ((DELTA_LOG, DELTA_COMMIT, "delta"), (ICEBERG_METADATA, ICEBERG_STATE, "iceberg")):
        if last == folder and names.fullmatch(name):
            table = _folder(found, url, table_above)
            table.table = table.table or form
            table.entries.append(entry)
            return
    if any(part.startswith(SKIPPED_PREFIXES) for part in relative.split("/")):
        return
    known = split_name(name)
    if known is not None:
        _folder(found, url, above).files.append((*known, entry))


def _folder(found: dict[str, Folder], url: str, relative: str) -> Folder:
    if relative not in found:
        found[relative] = Folder(relative, f"{url.rstrip('/')}/{relative}" if relative else url.rstrip("/"))
    return found[relative]


def fetch(url: str, target: Path, access: Access) -> None:
    """Copy an object to a file; raises BrokenFile when the store does not give it."""
    store, key = store_of(url, access.storage)
    import obstore
    from obstore.exceptions import BaseError

    try:
        with target.open("wb") as written:
            for chunk in obstore.get(store, key).stream():
                written.write(chunk)
    except BaseError as error:
        raise _refused(url, error) from error


def _refused(url: str, error: Exception) -> BrokenFile:
    # The text of such an error shows requests and their headers: only its kind is told.
    return BrokenFile(url, "UNREADABLE", f"'{url}' cannot be read: the store answers {type(error).__name__}")
