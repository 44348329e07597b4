"""Events of OpenLineage 2-0-2 as real producers send them: checked, named in errors, and lenient where they are.

Facets that the service does not know are kept as they are. Standard ones are checked when something is read from them.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from isal import isal_zlib
from pydantic import Field

from assetgraph.errors import Invalid
from assetgraph.openlineage.shapes import Bodies, Many, Moment, Named, Part, RunPart, validated

#: An event larger than this, unpacked, is refused: Spark's largest known are some hundred kilobytes.
MAX_EVENT_BYTES = 16 * 1024 * 1024
_NUL = b"\\u0000"


class Dataset(Named):
    """A dataset as an event names it; the facets are raw."""

    facets: Bodies | None = None
    input_facets: Bodies | None = Field(default=None, alias="inputFacets")
    output_facets: Bodies | None = Field(default=None, alias="outputFacets")


class Job(Named):
    """A job as an event names it."""

    facets: Bodies | None = None


class Run(RunPart):
    """A run as an event names it."""

    facets: Bodies | None = None


EventType = Literal["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]


class Event(Part):
    """Any of the three kinds; which one it is follows from what it holds."""

    event_time: Moment = Field(alias="eventTime")
    producer: str | None = None
    event_type: EventType | None = Field(default=None, alias="eventType")
    run: Run | None = None
    job: Job | None = None
    dataset: Dataset | None = None
    inputs: Many[Dataset] = None
    outputs: Many[Dataset] = None


@dataclass(frozen=True)
class Received:
    """An event with the text it came as (deflated) and the digest that tells it from others."""

    event: Event
    digest: str
    packed: bytes


def parse_event(body: bytes) -> Received:
    """Read one event; raises Invalid with the path of the field that is wrong."""
    return check_event(parse_json(body), body)


def parse_json(body: bytes) -> Any:
    """Read JSON; lone surrogates, bad UTF-8 and nesting beyond 1,024 levels are errors as broken text is."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the body is not valid JSON: {error}") from None


def check_event(data: Any, body: bytes | None = None) -> Received:
    """Check a decoded event; `body` is its text, when it stood alone."""
    if not isinstance(data, dict):
        raise Invalid("an event must be a JSON object")
    try:
        canonical = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:  # deeper than it writes, though not deeper than it reads
        raise Invalid(f"the event nests too deeply: {error}") from None
    raw = body if body is not None else canonical
    if len(raw) > MAX_EVENT_BYTES:
        raise Invalid(f"the event has {len(raw)} bytes; at most {MAX_EVENT_BYTES} are allowed")
    if _NUL in raw:
        _refuse_nul(data, ())
    event = validated(Event, data, ())
    if event.run is None and event.job is None and event.dataset is None:
        raise Invalid("an event needs run and job, or dataset, or job", path=("run",))
    if event.run is not None and event.job is None:
        raise Invalid("an event with a run names its job: namespace and name", path=("job",))
    return Received(event, hashlib.sha256(canonical).hexdigest(), isal_zlib.compress(raw, 1))


def _refuse_nul(value: Any, path: tuple[str, ...]) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise Invalid(f"{'.'.join(path)[:300]}: holds the character NUL; remove it", path=path[:12])
    elif isinstance(value, dict):
        for name, part in value.items():
            _refuse_nul(name, (*path, name.replace("\0", "\\0")))
            _refuse_nul(part, (*path, name))
    elif isinstance(value, list):
        for position, part in enumerate(value):
            _refuse_nul(part, (*path, str(position)))
