"""Declared checks in a scan: what must be known before, the evaluation, and what is written with the version."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import polars as pl

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.service import find_asset
from assetgraph.clock import now
from assetgraph.db.engine import Database, Session
from assetgraph.errors import AssetgraphError
from assetgraph.ids import AssetKind
from assetgraph.inventory.discover import Candidate
from assetgraph.inventory.formats import open_dataset, told_as_findings
from assetgraph.inventory.located import open_version
from assetgraph.inventory.profile import ScannedDataset
from assetgraph.quality import check_queries as queries
from assetgraph.quality import declare, incident_queries, incidents, measures
from assetgraph.quality import service as quality
from assetgraph.quality.checks import Check, DriftBelow, ForeignKey, Fresh, Reference, Unique, ValueRule
from assetgraph.quality.evaluate import BATCH_ROWS, CheckPass, evaluate
from assetgraph.quality.keys import KeyCollector, KeySet
from assetgraph.quality.outcomes import Described, Outcome
from assetgraph.settings import Settings

#: Rules that a profile may leave open.
_BY_VALUES = (ValueRule, Unique, ForeignKey)


@dataclass
class _Known:
    """What the graph says before a dataset is judged."""

    dataset: int | None = None
    #: The version with this content, when there is one already, and what was seen of each check in it.
    version: int | None = None
    seen: dict[int, dict[str, Any]] = field(default_factory=dict)
    #: Whether this content came back after another one that incidents are open about: it is judged as if it were new.
    is_back: bool = False
    checks: list[Check] = field(default_factory=list)
    #: Own columns that others refer to, with their ids, whose keys are to be collected.
    wanted: dict[str, int] = field(default_factory=dict)
    baseline: str | None = None
    baseline_fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: dict[str, str] | None = None
    keys: dict[Reference, KeySet] = field(default_factory=dict)
    #: What a foreign key refers to: a name of the version, and, where its keys are not stored, where it lies.
    referred: dict[Reference, str] = field(default_factory=dict)
    unread: dict[Reference, Any] = field(default_factory=dict)


@dataclass
class Judged:
    """What came of the checks of a scanned dataset, to be written with its version."""

    known: Described
    outcomes: list[Outcome]
    before: dict[str, str] | None
    is_back: bool = False
    #: Keys of columns by the columns' names; those of other datasets' versions as (field, version, keys).
    keys: dict[str, KeySet] = field(default_factory=dict)
    others: list[tuple[int, int, KeySet]] = field(default_factory=list)

    @property
    def unanswered(self) -> list[Outcome]:
        """Checks that could not be evaluated."""
        return [one for one in self.outcomes if one.passed is None]


def in_order(session: Session, namespace: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return candidates with those last that refer to others, so that they meet the others' newest keys."""
    last = queries.referring(session, namespace)
    return sorted(candidates, key=lambda one: one.name in last)


class Watch:
    """Looks at a dataset's rows while a scan reads them, for what its profile may not decide; to be closed."""

    def __init__(self, known: "_Known", others: list[tuple[int, int, KeySet]]) -> None:
        """Take what the graph says before the dataset is read, and the keys that were read of other datasets."""
        self.keys, self.others = known.keys, others
        self.at = now()
        self._checks = [check for check in known.checks if isinstance(check.rule, _BY_VALUES)]
        self._collectors = {name: KeyCollector() for name in known.wanted}
        self._pass: CheckPass | None = None
        # Parts of a dataset are read by several threads.
        self._lock = threading.Lock()

    @property
    def looks(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._checks or self._collectors)

    def add(self, batch: pl.DataFrame) -> None:
        """Take rows, in any order."""
        with self._lock:
            if self._checks:
                self._pass = self._pass or CheckPass(self._checks, batch.schema, keys=self.keys, at=self.at)
                for piece in batch.iter_slices(BATCH_ROWS):
                    self._pass.add(piece)
            for name, collector in self._collectors.items():
                if name in batch.columns:
                    collector.add(batch.get_column(name))

    def outcomes(self) -> dict[int, Outcome]:
        """Return what each check that was looked at comes to, where all rows were seen."""
        return {} if self._pass is None else {one.check.id: one for one in self._pass.results()}

    def collected(self) -> dict[str, KeySet]:
        """Return the keys of columns that other datasets refer to, where all rows were seen."""
        return {name: one.found() for name, one in self._collectors.items()}

    def __enter__(self) -> "Watch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pass is not None:
            self._pass.close()


def watch(database: Database, settings: Settings, namespace: str, name: str) -> Watch:
    """Return what looks at a dataset's rows while it is read."""
    known = _Known()
    with database.reading() as session:
        known.dataset = find_asset(session, AssetKind.DATASET, namespace, name)
        if known.dataset is not None:
            known.checks = declare.declared_checks(queries.in_force(session, known.dataset))
            known.wanted = _wanted_keys(session, known)
            for check in known.checks:
                if isinstance(check.rule, ForeignKey):
                    _refer(session, check.rule.references, known)
    return Watch(known, _read_referred(known, settings))


def judge(
    database: Database, settings: Settings, namespace: str, candidate: Candidate, scanned: ScannedDataset,
    watched: Watch,
) -> Judged:  # fmt: skip
    """Evaluate a dataset's checks: by its profile, else by what was seen while it was read.

    Where only parts of it were read, that is not all of it, and some columns are read once more. Content that has a
    version was judged already: only what time or another dataset may have changed is asked again,
    and checks that are new. Raises BrokenFile when the data cannot be read again.
    """
    with database.reading() as session:
        known = _before(session, namespace, candidate.name, scanned.fingerprint)
    known.unread = {said: one for said, one in known.unread.items() if said not in watched.keys}
    known.keys = {**watched.keys, **known.keys}
    others = [*watched.others, *_read_referred(known, settings)]
    fields = {str(one["field"]): one for one in scanned.profile.as_json()["fields"]}
    described = Described(
        scanned.profile.row_count, {one.name: one.type for one in scanned.profile.fields}, fields, now(),
        _changed_at(candidate), known.baseline, known.baseline_fields, known.keys,
    )  # fmt: skip
    wanted = [name for name in known.wanted if name in described.types]
    if scanned.reading.is_whole:
        collected = watched.collected()
        keys = {name: collected[name] for name in wanted if name in collected}
    else:
        keys = {}
    reading = _Reading(candidate, {name: KeyCollector() for name in wanted if name not in keys})
    passed = watched.outcomes() if scanned.reading.is_whole else {}
    outcomes = [_labelled(one, known) for one in evaluate(known.checks, described, reading.batches, passed)]
    reading.finish()
    keys |= reading.collected()
    return Judged(described, outcomes, known.before, known.is_back, keys, others)


def conclude(session: Session, run: int, version: int, judged: Judged, *, created: bool) -> None:
    """Write results, keys and metrics of a version, and open and close incidents; the dataset's lock is held."""
    dataset = int(catalog.versions_by_ids(session, [version])[version].dataset_id)
    at = judged.known.at
    answered = [one for one in judged.outcomes if one.passed is not None]
    queries.record_results(session, [
        {
            "check_id": one.check.id, "run_id": run, "version_id": version, "passed": one.passed,
            "observed": one.observed or None, "message": one.message, "checked_at": at, "said_digest": "",
            "counted": True,
        }
        for one in answered
    ])  # fmt: skip
    _keep_keys(session, dataset, version, judged)
    verdicts = measures.check_verdicts(answered)
    if created:
        quality.record_metrics(session, version, measures.measures(judged.known, judged.outcomes, judged.before))
    if created or judged.is_back:
        verdicts += measures.verdicts(session, dataset, version)
    incidents.observe(session, dataset, version, verdicts, at)


def _before(session: Session, namespace: str, name: str, fingerprint: str) -> _Known:
    known = _Known()
    known.dataset = find_asset(session, AssetKind.DATASET, namespace, name)
    if known.dataset is None:
        return known
    same = catalog.version_by_fingerprint(session, known.dataset, fingerprint)
    known.version = None if same is None else int(same.id)
    if same is not None:
        newest = catalog.newest_number(session, known.dataset)
        known.is_back = same.number < newest and bool(incident_queries.open_incidents(session, known.dataset))
        known.seen = {} if known.is_back else queries.observed_of(session, int(same.id))
    known.checks = declare.declared_checks(queries.in_force(session, known.dataset))
    known.wanted = _wanted_keys(session, known)
    for check in known.checks:
        if isinstance(check.rule, ForeignKey):
            _refer(session, check.rule.references, known)
    known.checks = [check for check in known.checks if _is_due(check, known)]
    if known.version is None or any(isinstance(check.rule, DriftBelow) for check in known.checks):
        _compare(session, known)
    return known


def _is_due(check: Check, known: _Known) -> bool:
    if check.id not in known.seen or isinstance(check.rule, Fresh):
        return True
    if not isinstance(check.rule, ForeignKey):
        return False
    return bool(known.seen[check.id].get("references") != known.referred.get(check.rule.references))


def _wanted_keys(session: Session, known: _Known) -> dict[str, int]:
    """Return the columns that others refer to and whose keys are not stored of this content yet."""
    assert known.dataset is not None  # noqa: S101 - the caller looked
    fields = queries.referred(session, known.dataset)
    stored = queries.keys_of(session, list(fields.values())) if fields else {}
    return {
        name: key for name, key in fields.items()
        if known.version is None or key not in stored or stored[key].version_id != known.version
    }  # fmt: skip


def _refer(session: Session, said: Reference, known: _Known) -> None:
    """Find the keys that a foreign key is held to; what it refers to may be gone since, and then there are none."""
    try:
        dataset, row = declare.resolve(session, said)
    except AssetgraphError:
        return
    latest = catalog.latest_versions(session, [dataset])[dataset]
    known.referred[said] = f"{latest.name}"
    stored = queries.keys_of(session, [int(row.id)]).get(int(row.id))
    if stored is not None and stored.version_id == latest.id:
        known.keys[said] = KeySet.of_bytes(float(stored.share), bytes(stored.hashes))
    elif latest.location and dataset != known.dataset:
        known.unread[said] = (int(row.id), latest)


def _compare(session: Session, known: _Known) -> None:
    """Find the version before, and the one that drift is measured against."""
    assert known.dataset is not None  # noqa: S101 - the caller looked
    if known.version is not None:
        before = queries.version_before(session, known.version)
    else:
        number = catalog.newest_number(session, known.dataset)
        row = catalog.version_by_number(session, known.dataset, number)
        before = None if row is None else int(row.id)
    pinned = queries.baselines(session, [known.dataset]).get(known.dataset)
    baseline = before if pinned is None else int(pinned.version_id)
    versions = sorted({one for one in (before, baseline) if one is not None})
    fields = catalog.fields_of_versions(session, versions)
    if before is not None:
        known.before = {str(row.path): str(row.type) for row in fields[before]}
    if baseline is not None:
        known.baseline = str(catalog.versions_by_ids(session, [baseline])[baseline].name)
        known.baseline_fields = {str(row.path): {"type": row.type, "profile": row.profile} for row in fields[baseline]}


def _read_referred(known: _Known, settings: Settings) -> list[tuple[int, int, KeySet]]:
    """Read the columns that foreign keys refer to and that nobody collected; what has changed since is not taken."""
    found = []
    for said, (column, version) in known.unread.items():
        try:
            rows, collector = 0, KeyCollector()
            with open_version(settings, str(version.location), settings.home / "scratch") as opened:
                for batch in opened.frame.select(said.field).collect_batches(chunk_size=BATCH_ROWS):
                    rows += batch.height
                    collector.add(batch.get_column(said.field))
        except (AssetgraphError, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            continue
        if rows == version.row_count:
            known.keys[said] = collector.found()
            found.append((column, int(version.id), known.keys[said]))
    return found


class _Reading:
    """Reads a dataset's columns once, for checks and for keys."""

    def __init__(self, candidate: Candidate, collectors: dict[str, KeyCollector]) -> None:
        self._candidate = candidate
        self._collectors = collectors
        self._is_read = False

    def batches(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        """Yield batches of columns; what others refer to is collected as it passes."""
        self._is_read = True
        wanted = sorted({*columns, *self._collectors})
        with open_dataset(self._candidate) as opened, told_as_findings(self._candidate):
            for batch in opened.frame.select(wanted or pl.all()).collect_batches(chunk_size=BATCH_ROWS):
                for name, collector in self._collectors.items():
                    collector.add(batch.get_column(name))
                yield batch

    def collected(self) -> dict[str, KeySet]:
        """Return the keys that were collected."""
        return {name: one.found() for name, one in self._collectors.items()}

    def finish(self) -> None:
        """Read what is to be collected where no check asked for data."""
        if self._collectors and not self._is_read:
            for _ in self.batches([]):
                pass


def _labelled(outcome: Outcome, known: _Known) -> Outcome:
    rule = outcome.check.rule
    if isinstance(rule, ForeignKey) and rule.references in known.referred:
        outcome.observed["references"] = known.referred[rule.references]
    return outcome


def _keep_keys(session: Session, dataset: int, version: int, judged: Judged) -> None:
    fields = catalog.field_ids(session, dataset) if judged.keys else {}
    mine = [(fields[name], version, keys) for name, keys in judged.keys.items() if name in fields]
    queries.keep_keys(session, [
        {"field_id": column, "version_id": of, "share": keys.share, "hashes": keys.to_bytes()}
        for column, of, keys in {one[0]: one for one in (*judged.others, *mine)}.values()
    ])  # fmt: skip


def _changed_at(candidate: Candidate) -> datetime | None:
    """Return when a file of a dataset changed last, by the file system; None of what is no file here."""
    stamps = [entry.stamp for entry in candidate.entries if isinstance(entry.stamp, int)]
    try:
        return datetime.fromtimestamp(max(stamps) / 1e9, UTC) if candidate.is_local and stamps else None
    except (OSError, OverflowError, ValueError):
        return None
