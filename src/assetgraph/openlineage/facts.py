"""What an event claims, as plain facts: pure, so that the order in which events come cannot matter here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from assetgraph.errors import Invalid
from assetgraph.lineage.edges import Transformation
from assetgraph.openlineage import shapes
from assetgraph.openlineage.events import Dataset, Event, Job, Received, Run
from assetgraph.openlineage.shapes import validated

Key = tuple[str, str]

#: Facets that say something of a dataset as one run met it; the others describe the dataset whoever sends them.
OF_A_RUN = frozenset({
    "schema", "columnLineage", "lineage", "version", "dataQualityMetrics", "dataQualityAssertions",
    "outputStatistics", "inputStatistics", "subset",
})  # fmt: skip
#: Where entries of a job's lineage facet are kept: with the dataset that they are about.
JOB_LINEAGE = "lineage (job)"
MAX_COLUMN_EDGES = 200_000


class By(NamedTuple):
    """Who says so: a run (job and run id), a job by itself, or a dataset by itself."""

    kind: str
    key: Key
    run: str = ""


class Io(NamedTuple):
    """A dataset that a run or job reads (IN) or writes (OUT)."""

    by: By
    dataset: Key
    direction: str


class Link(NamedTuple):
    """A dependency without a job between: dataset or job to dataset or job."""

    by: By
    source: tuple[str, Key]
    target: tuple[str, Key]


class ColumnLink(NamedTuple):
    """A column made of another."""

    by: By
    source: tuple[Key, str]
    target: tuple[Key, str]
    transformations: frozenset[Transformation]


class FacetFact(NamedTuple):
    """A facet of a dataset, job or run; `by` is set where it is about one run's view. A body of None deletes it."""

    scope: str
    subject: By
    by: By | None
    name: str
    body: dict[str, Any] | None


class CheckFact(NamedTuple):
    """A test of a dataset in a run."""

    by: By
    dataset: Key
    assertion: shapes.Assertion


@dataclass
class Facts:
    """All that one event claims."""

    received: Received
    kind: str
    at: datetime
    by: By
    event_type: str | None = None
    datasets: dict[Key, None] = field(default_factory=dict)
    jobs: dict[Key, None] = field(default_factory=dict)
    runs: dict[By, None] = field(default_factory=dict)
    fields: dict[Key, dict[str, None]] = field(default_factory=dict)
    io: dict[Io, None] = field(default_factory=dict)
    links: dict[Link, None] = field(default_factory=dict)
    columns: list[ColumnLink] = field(default_factory=list)
    facets: list[FacetFact] = field(default_factory=list)
    checks: list[CheckFact] = field(default_factory=list)
    #: Names of one dataset: the one that stays, the other one, and when a rename said so.
    names: list[tuple[Key, Key, str]] = field(default_factory=list)
    parent: By | None = None
    root: By | None = None
    #: The job's type says that it never completes.
    streaming: bool = False

    def mention(self, dataset: Key, *paths: str) -> None:
        """Note that a dataset exists, with some columns."""
        self.datasets[dataset] = None
        if paths:
            self.fields.setdefault(dataset, {}).update(dict.fromkeys(paths))


def facts_of(received: Received) -> Facts:
    """Return what an event claims; raises Invalid with the path of a standard facet that is wrong."""
    event = received.event
    facts = _begin(received, event)
    if event.job is not None and facts.kind != "DATASET":
        facts.jobs[event.job.key] = None
        _job_facets(facts, event.job)
    if event.run is not None:
        facts.runs[facts.by] = None
        _run_facets(facts, event.run)
    if facts.kind == "DATASET" and event.dataset is not None:
        _dataset(facts, event.dataset, "DATASET", ("dataset",))
    else:
        for direction, name, datasets in (("IN", "inputs", event.inputs), ("OUT", "outputs", event.outputs)):
            for position, dataset in enumerate(datasets or ()):
                facts.io[Io(facts.by, dataset.key, direction)] = None
                _dataset(facts, dataset, direction, (name, str(position)))
    if len(facts.columns) > MAX_COLUMN_EDGES:
        raise Invalid(f"the event has {len(facts.columns)} column edges; at most {MAX_COLUMN_EDGES} are allowed")
    return facts


def _begin(received: Received, event: Event) -> Facts:
    if event.run is not None:
        assert event.job is not None  # noqa: S101 - check_event refuses a run without its job
        return Facts(received, "RUN", event.event_time, By("run", event.job.key, event.run.run_id), event.event_type)
    if event.dataset is not None:
        return Facts(received, "DATASET", event.event_time, By("dataset", event.dataset.key))
    assert event.job is not None  # noqa: S101 - check_event refuses events without all three
    return Facts(received, "JOB", event.event_time, By("job", event.job.key))


def _bodies(bodies: shapes.Bodies | None) -> Iterator[tuple[str, dict[str, Any] | None]]:
    for name, body in (bodies or {}).items():
        if len(name) > 200:
            raise Invalid(f"a facet's name has {len(name)} characters; at most 200 are allowed", path=("facets",))
        if body is not None:
            yield name, None if body.get("_deleted") is True else body


def _job_facets(facts: Facts, job: Job) -> None:
    path, subject = ("job", "facets"), By("job", job.key)
    for name, body in _bodies(job.facets):
        facts.facets.append(FacetFact("JOB", subject, None, name, body))
        model = shapes.JOB_FACETS.get(name)
        if body is None or model is None:
            continue
        found = validated(model, body, (*path, name))
        if isinstance(found, shapes.JobTypeFacet):
            facts.streaming = (found.processing or "").upper() in ("STREAMING", "SERVICE")
        elif isinstance(found, shapes.LineageJobFacet):
            for position, entry in enumerate(found.entries or ()):
                _entry(facts, entry, body["entries"][position], (*path, name, "entries", str(position)))


def _run_facets(facts: Facts, run: Run) -> None:
    for name, body in _bodies(run.facets):
        facts.facets.append(FacetFact("RUN", facts.by, None, name, body))
        model = shapes.RUN_FACETS.get(name)
        if body is None or model is None:
            continue
        found = validated(model, body, ("run", "facets", name))
        if isinstance(found, shapes.ParentFacet):
            facts.parent = By("run", found.job.key, found.run.run_id)
            if found.root is not None:
                facts.root = By("run", found.root.job.key, found.root.run.run_id)
    for other in (facts.parent, facts.root):
        if other is not None:
            facts.jobs[other.key] = None
            facts.runs[other] = None


def _dataset(facts: Facts, dataset: Dataset, direction: str, path: tuple[str, ...]) -> None:
    key = dataset.key
    facts.mention(key)
    more = {"IN": ("inputFacets", dataset.input_facets), "OUT": ("outputFacets", dataset.output_facets)}
    merged: dict[str, tuple[str, dict[str, Any] | None]] = {
        name: ("facets", body) for name, body in _bodies(dataset.facets)
    }
    if direction in more:
        # dbt writes assertions into both: one and the same, said twice.
        place, bodies = more[direction]
        merged |= {name: (place, body) for name, body in _bodies(bodies)}
    columns, subject = _columns_shown(merged), By("dataset", key)
    for name, (place, body) in merged.items():
        run_view = name in OF_A_RUN or place != "facets"
        by = facts.by if run_view else None
        facts.facets.append(FacetFact(direction if run_view else "DATASET", subject, by, name, body))
        model = shapes.DATASET_FACETS.get(name)
        if body is not None and model is not None:
            _land(facts, key, direction, validated(model, body, (*path, place, name)), columns, (*path, place, name))


def _columns_shown(merged: dict[str, tuple[str, dict[str, Any] | None]]) -> list[str]:
    """Return the columns that an event shows of a dataset: what dataset-wide lineage affects."""
    _, body = merged.get("schema", ("", None))
    fields = (body or {}).get("fields")
    names = [one.get("name") for one in fields if isinstance(one, dict)] if isinstance(fields, list) else []
    return [name for name in names if isinstance(name, str)]


def _land(
    facts: Facts, key: Key, direction: str, found: shapes.Part, columns: Sequence[str], path: tuple[str, ...]
) -> None:
    """Draw the facts out of one facet of a dataset."""
    if isinstance(found, shapes.SchemaFacet):
        facts.mention(key, *(one for one, _, _ in flat(found.fields or ())))
    elif isinstance(found, shapes.ColumnLineageFacet):
        _column_lineage(facts, key, direction, found, columns)
    elif isinstance(found, shapes.LineageDatasetFacet):
        _explicit(facts, facts.by, key, direction, found, columns, path)
    elif isinstance(found, shapes.SymlinksFacet):
        for other in found.identifiers or ():
            if other.key != key:
                facts.mention(key)
                facts.names.append((key, other.key, ""))
    elif isinstance(found, shapes.LifecycleFacet):
        if found.change == "RENAME" and found.previous is not None and found.previous.key != key:
            facts.names.append((key, found.previous.key, facts.at.isoformat()))
    elif isinstance(found, shapes.TagsFacet):
        facts.mention(key, *(one.field for one in found.tags or () if one.field is not None))
    elif isinstance(found, shapes.AssertionsFacet) and facts.by.kind == "run":
        for one in found.assertions or ():
            facts.checks.append(CheckFact(facts.by, key, one))
            if one.column is not None:
                facts.mention(key, one.column)


def flat(fields: Sequence[shapes.SchemaField], prefix: str = "") -> Iterator[tuple[str, str, str | None]]:
    """Yield (dotted path, type, description) of columns and the columns inside them, outer ones first."""
    for one in fields:
        path = prefix + one.name
        yield path, one.type or "unknown", one.description or None
        yield from flat(one.fields or (), f"{path}.")


def _done(parts: Sequence[shapes.TransformationPart] | None) -> frozenset[Transformation]:
    if not parts:
        return frozenset()
    return frozenset(
        Transformation(one.type or "DIRECT", one.subtype or "", one.description or "", bool(one.masking))
        for one in parts
    )


def _column_lineage(
    facts: Facts, key: Key, direction: str, found: shapes.ColumnLineageFacet, columns: Sequence[str]
) -> None:
    said = found.fields or {}
    for target, output in said.items():
        older: frozenset[Transformation] = frozenset()
        if output.transformation_type is not None or output.transformation_description:
            # The oldest shape: one for the whole output column. IDENTITY and MASKED were its types.
            kind, text = output.transformation_type or "", output.transformation_description or ""
            older = frozenset({Transformation("DIRECT", kind, text, kind == "MASKED")})
        for one in output.input_fields or ():
            _column(facts, facts.by, direction, one, (key, target), _done(one.transformations) or older)
    for one in found.dataset or ():
        facts.mention(one.key, one.field)
        _upstream(facts, facts.by, direction, one.key, key)
        for target in dict.fromkeys([*said, *columns]):
            _column(facts, facts.by, direction, one, (key, target), _done(one.transformations))


def _column(
    facts: Facts, by: By, direction: str, one: shapes.InputColumn, target: tuple[Key, str],
    done: frozenset[Transformation],
) -> None:  # fmt: skip
    source = (one.key, one.field)
    facts.mention(*source)
    facts.mention(*target)
    _upstream(facts, by, direction, one.key, target[0])
    if source != target:
        facts.columns.append(ColumnLink(by, source, target, done))


def _upstream(facts: Facts, by: By, direction: str, source: Key, target: Key) -> None:
    """Note that a dataset is made of another: through the job where one is known."""
    if by.kind != "dataset" and direction == "OUT":
        facts.io[Io(by, source, "IN")] = None
    elif source != target:
        facts.links[Link(by, ("dataset", source), ("dataset", target))] = None


def _entry(facts: Facts, entry: shapes.LineageEntry, raw: dict[str, Any], path: tuple[str, ...]) -> None:
    """Take one entry of a job's lineage facet: it is about a dataset that the job makes, or about a job."""
    if entry.type == "DATASET":
        key = _named(entry.namespace, entry.name, path)
        facts.mention(key)
        facts.io[Io(facts.by, key, "OUT")] = None
        facts.facets.append(FacetFact("OUT", By("dataset", key), facts.by, JOB_LINEAGE, raw))
        _explicit(facts, facts.by, key, "OUT", entry, (), path)
        return
    target = facts.by if entry.name is None else By("job", _named(entry.namespace, entry.name, path))
    run_id = raw.get("runId")
    if isinstance(run_id, str):
        run = validated(shapes.RunPart, {"runId": run_id}, path)
        target = By("run", target.key, run.run_id)
        facts.runs[target] = None
    facts.jobs[target.key] = None
    for position, one in enumerate(entry.inputs or ()):
        where = (*path, "inputs", str(position))
        if one.type == "DATASET":
            key = _named(one.namespace, one.name, where)
            facts.mention(key, *([] if one.field is None else [one.field]))
            facts.io[Io(target, key, "IN")] = None
        elif one.name is not None and (source := _named(one.namespace, one.name, where)) != target.key:
            facts.jobs[source] = None
            facts.links[Link(facts.by, ("job", source), ("job", target.key))] = None


def _explicit(
    facts: Facts, by: By, key: Key, direction: str, found: shapes.LineageDatasetFacet, columns: Sequence[str],
    path: tuple[str, ...],
) -> None:  # fmt: skip
    """Take explicit lineage of a dataset: whole datasets, columns that affect all of it, columns, and generators."""
    said = found.fields or {}
    whole = list(dict.fromkeys([*said, *columns]))
    told = [((*path, "inputs"), found.inputs, whole)]
    told += [((*path, "fields", target, "inputs"), entry.inputs, [target]) for target, entry in said.items()]
    for place, inputs, targets in told:
        for position, one in enumerate(inputs or ()):
            where = (*place, str(position))
            if one.type == "JOB":
                _generator(facts, by, one, key, where)
                continue
            source = _named(one.namespace, one.name, where)
            facts.mention(source)
            _upstream(facts, by, direction, source, key)
            if one.field is not None:
                column = shapes.InputColumn(namespace=source[0], name=source[1], field=one.field)
                for target in targets:
                    _column(facts, by, direction, column, (key, target), _done(one.transformations))


def _generator(facts: Facts, by: By, one: shapes.LineageInput, key: Key, path: tuple[str, ...]) -> None:
    """A job named as an input made the dataset."""
    if one.name is None:
        if by.kind != "dataset":
            facts.io[Io(by, key, "OUT")] = None
        return
    job = _named(one.namespace, one.name, path)
    facts.jobs[job] = None
    facts.io[Io(By("job", job), key, "OUT")] = None


def _named(namespace: str | None, name: str | None, path: tuple[str, ...]) -> Key:
    if namespace is None or name is None:
        raise Invalid(f"{'.'.join(path)[:300]}: needs namespace and name", path=path[:12])
    return namespace, name


def columns_of_facet(name: str, body: dict[str, Any], columns: Sequence[str]) -> list[ColumnLink]:
    """Return the column edges that a kept facet means; its own dataset stands there without a name."""
    facts = Facts(_NO_EVENT, "RUN", _NO_EVENT.event.event_time, By("run", ("", "")))
    if name == "columnLineage":
        _column_lineage(facts, ("", ""), "OUT", validated(shapes.ColumnLineageFacet, body, (name,)), columns)
    else:
        _explicit(
            facts, facts.by, ("", ""), "OUT", validated(shapes.LineageDatasetFacet, body, (name,)), columns, (name,)
        )  # fmt: skip
    return facts.columns


_NO_EVENT = Received(Event.model_validate({"eventTime": "1970-01-01T00:00:00Z"}), "", b"")
