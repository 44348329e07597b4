"""Training: from a dataset version to a model version with its factors, metrics and lineage."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from assetgraph.catalog import history
from assetgraph.catalog import queries as catalog
from assetgraph.catalog import service as catalog_service
from assetgraph.catalog.contents import require_content
from assetgraph.catalog.service import AssetRef, Identity
from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid, NotFound
from assetgraph.factorization import als, artifact, closed_form, queries
from assetgraph.factorization.arrays import resolve_backend
from assetgraph.factorization.evaluate import evaluate
from assetgraph.factorization.interactions import Interactions, read_interactions, split_holdout
from assetgraph.factorization.tables import ModelStage
from assetgraph.ids import AssetKind
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.lineage import edges
from assetgraph.lineage import service as lineage
from assetgraph.lineage.tables import RunType
from assetgraph.quality import service as quality
from assetgraph.quality.service import MetricSpec
from assetgraph.settings import Settings

#: Share of the whole that reading, evaluation and the final fit take, for progress.
READ_SHARE, EVALUATE_SHARE = 0.05, 0.5


class OpenedTable(Protocol):
    """A table unread, and the fingerprint of its content."""

    @property
    def frame(self) -> pl.LazyFrame:
        """The table."""

    def fingerprint(self) -> str:
        """Read it once and return its fingerprint."""


class CheckReadable(Protocol):
    """Raises AssetgraphError, with the path of the argument, where a location may not be read."""

    def __call__(self, settings: Settings, location: str, *, path: tuple[str, ...]) -> None:
        """Refuse it or return."""


@dataclass(frozen=True)
class TrainingParameters:
    """Hyper-parameters; the defaults are the contract's."""

    factors: int = 64
    iterations: int = 15
    regularization: float = 0.01
    alpha: float = 1.0
    feedback: str = "IMPLICIT"
    backend: str = "AUTO"
    seed: int = 42
    holdout: float = 0.1
    evaluate_at: int = 10


@dataclass(frozen=True)
class StartTraining:
    """Learn a new version of a model from a dataset version."""

    model_namespace: str
    model_name: str
    dataset: AssetRef
    user_field: str
    item_field: str
    value_field: str | None = None
    time_field: str | None = None
    parameters: TrainingParameters = field(default_factory=TrainingParameters)
    idempotency_key: str | None = None
    #: When it was planned for, where a schedule starts it.
    nominal_at: datetime | None = None


def start_training(
    session: Session, settings: Settings, command: StartTraining, *, check_readable: CheckReadable
) -> tuple[int, bool]:
    """Check the request against the data's fields, queue it and return (run, created).

    check_readable refuses a location that the settings do not let jobs read.
    """
    check_parameters(command.parameters)
    Identity.of(AssetKind.MODEL, command.model_namespace, command.model_name)
    version = catalog_service.resolve_version(session, command.dataset, path=("dataset",))
    _check_fields(session, version, command)
    row = catalog.versions_by_ids(session, [version])[version]
    if not row.location:
        raise Invalid("this dataset version has no location to read from; scan it first", path=("dataset",))
    check_readable(settings, str(row.location), path=("dataset",))
    if command.parameters.backend == "GPU":
        resolve_backend("GPU")
    parameters = {
        "model": [command.model_namespace, command.model_name], "version_id": version,
        "user_field": command.user_field, "item_field": command.item_field,
        "value_field": command.value_field, "time_field": command.time_field,
        "parameters": asdict(command.parameters),
    }  # fmt: skip
    return jobs.enqueue(
        session,
        kind="train",
        type=RunType.TRAINING,
        namespace=command.model_namespace,
        job=f"train {command.model_name}",
        parameters=parameters,
        idempotency_key=command.idempotency_key,
        nominal_at=command.nominal_at,
        needs_gpu=command.parameters.backend == "GPU",
    )


def check_parameters(parameters: TrainingParameters) -> None:
    """Refuse hyper-parameters out of range; the message names the range."""
    ranges: dict[str, tuple[float, float]] = {
        "factors": (1, 1024), "iterations": (1, 500), "regularization": (0, 1e6), "alpha": (0, 1e6),
        "holdout": (0, 0.5), "evaluate_at": (1, 1000), "seed": (0, 2**31 - 1),
    }  # fmt: skip
    for name, (low, high) in ranges.items():
        value = getattr(parameters, name)
        if not low <= value <= high:
            shown = "evaluateAt" if name == "evaluate_at" else name
            raise Invalid(f"{shown} must be from {low:g} to {high:g}, not {value}", path=("parameters", shown))


def _check_fields(session: Session, version: int, command: StartTraining) -> None:
    types = {str(row.path): str(row.type) for row in catalog.fields_of_versions(session, [version])[version]}
    named = {
        "userField": command.user_field, "itemField": command.item_field,
        "valueField": command.value_field, "timeField": command.time_field,
    }  # fmt: skip
    for argument, name in named.items():
        if name is not None and name not in types:
            raise NotFound(f"the dataset has no column '{name}'", path=(argument,), known=types)
    value = command.value_field
    if value is not None and not _numeric(types[value]):
        known = [name for name, type_name in types.items() if _numeric(type_name)]
        message = f"column '{value}' is {types[value]}, not a number; valueField must be numeric"
        raise Invalid(message, path=("valueField",), known=known or ["(no numeric column)"])


def _numeric(type_name: str) -> bool:
    return type_name.lower().lstrip("u").startswith(("int", "float", "decimal", "double", "bigint", "real", "numeric"))


def run_training(
    context: JobContext, open_for: Callable[[JobContext, str], AbstractContextManager[OpenedTable]]
) -> None:
    """Train: read, evaluate on a held-out part, fit on all, write the artifact, register the version.

    `open_for` opens the data at a location as scans do, so that training sees the types that the catalog shows, and
    gives its fingerprint: lineage may not say "learnt from version 1" of a file that was overwritten since.
    """
    asked = context.claim.parameters
    parameters = TrainingParameters(**asked["parameters"])
    version = int(asked["version_id"])
    with context.database.reading() as session:
        row = catalog.versions_by_ids(session, [version])[version]
    context.progress(0.0, "reading interactions")
    with open_for(context, str(row.location)) as table:
        interactions = read_interactions(
            table.frame,
            user_field=asked["user_field"],
            item_field=asked["item_field"],
            value_field=asked["value_field"],
            feedback=parameters.feedback,
        )
        found = table.fingerprint()
    with context.database.reading() as session:
        require_content(session, row, found, what="train on")
    backend = resolve_backend(parameters.backend)
    metrics = _evaluated(context, interactions, parameters, backend)
    share = EVALUATE_SHARE if metrics else READ_SHARE
    factors = _fit(context, interactions.matrix, parameters, backend, (share, 0.98), "training")
    context.progress(0.98, "writing the artifact")
    folder = f"model-run-{context.claim.run_id}"
    manifest = {**asked, "backend": backend, "metrics": metrics}
    artifact.write(context.settings.artifacts / folder, factors, interactions, manifest)
    files = artifact.files_of(context.settings.artifacts / folder)
    with context.completing(message=f"{len(interactions.users)} users, {len(interactions.items)} items") as session:
        register_model_version(session, context.claim.run_id, asked, interactions, folder, metrics, backend, files)


def _fit(
    context: JobContext,
    matrix: Any,
    parameters: TrainingParameters,
    backend: str,
    span: tuple[float, float],
    what: str,
) -> als.Factors:
    def on_iteration(iteration: int, _factors: als.Factors) -> None:
        low, high = span
        share = low + (high - low) * iteration / parameters.iterations
        context.progress(share, f"{what}: iteration {iteration} of {parameters.iterations} on {backend}")

    return als.fit(
        matrix,
        factors=parameters.factors,
        iterations=parameters.iterations,
        regularization=parameters.regularization,
        alpha=parameters.alpha,
        feedback=parameters.feedback,
        backend=backend,
        seed=parameters.seed,
        on_iteration=on_iteration,
    )


def _evaluated(
    context: JobContext, interactions: Interactions, parameters: TrainingParameters, backend: str
) -> dict[str, float]:
    """Return ranking metrics on a held-out part; empty when nothing is held out."""
    if not parameters.holdout:
        return {}
    train, test = split_holdout(interactions.matrix, parameters.holdout, parameters.seed)
    if not test.nnz:
        return {}
    factors = _fit(context, train, parameters, backend, (READ_SHARE, EVALUATE_SHARE), "evaluating")
    return evaluate(train, test, factors, parameters.evaluate_at)


def register_model_version(
    session: Session,
    run: int,
    asked: dict[str, Any],
    interactions: Interactions,
    folder: str,
    metrics: dict[str, float],
    backend: str,
    files: dict[str, Any] | None = None,
) -> int:
    """Register what a training made; the first version of a model serves at once. Returns its number."""
    model = ensure_model(session, *asked["model"])
    queries.lock_model(session, model)
    row = queries.models_by_ids(session, [model])[model]
    number = queries.newest_number(session, model) + 1
    serves = not queries.production_of(session, [model])
    columns: dict[str, Any] = {
        "model_id": model, "number": number,
        "stage": ModelStage.PRODUCTION if serves else ModelStage.CANDIDATE,
        "parameters": {**asked["parameters"], "backend": backend, "solver": _solver(asked, interactions),
                       "userField": asked["user_field"], "itemField": asked["item_field"],
                       "valueField": asked["value_field"]},
        "artifact": folder, "files": files, "user_count": len(interactions.users),
        "item_count": len(interactions.items), "interaction_count": int(interactions.matrix.nnz),
    }  # fmt: skip
    named = (f"{row.key}@{number}", f"{row.name}@{number}")
    identity = Identity(AssetKind.MODEL_VERSION, str(row.namespace), *named)
    version = catalog_service.create_asset(session, identity, columns)
    assert version is not None  # noqa: S101 - numbers are handed out under the model's lock
    queries.insert_version(session, {"id": version, **columns})
    edges.version_of(session, model, version)
    trained_on = int(asked["version_id"])
    dataset = int(catalog.versions_by_ids(session, [trained_on])[trained_on].dataset_id)
    lineage.consumed(session, run, [trained_on], definitions=[dataset])
    lineage.produced(session, run, [version], definitions=[model])
    quality.record_metrics(session, version, [MetricSpec(name, value) for name, value in metrics.items()])
    quality.record_metrics(session, run, [MetricSpec(name, value) for name, value in metrics.items()])
    return number


def _solver(asked: dict[str, Any], interactions: Interactions) -> str:
    """Return how the factors were found: iterated, or at once where every user rated every item."""
    explicit = TrainingParameters(**asked["parameters"]).feedback == "EXPLICIT"
    return "CLOSED_FORM" if explicit and closed_form.is_full(interactions.matrix) else "ALS"


def ensure_model(session: Session, namespace: str, name: str) -> int:
    """Return the id of a model, made when it is new."""
    identity = Identity.of(AssetKind.MODEL, namespace, name)
    made = catalog_service.create_asset(session, identity)
    if made is not None:
        queries.insert_model(session, {"id": made})
        return made
    found = catalog_service.find_asset(session, AssetKind.MODEL, namespace, name)
    assert found is not None  # noqa: S101 - the insert met this identity
    return found


def promote(session: Session, version: int, stage: ModelStage) -> None:
    """Change the stage of a model version; a new PRODUCTION version archives the one before it."""
    row = queries.model_versions_by_ids(session, [version]).get(version)
    if row is None:
        raise NotFound("no model version has this id", path=("modelVersion",))
    queries.lock_model(session, int(row.model_id))
    serving = queries.production_of(session, [int(row.model_id)]).get(int(row.model_id))
    if stage is ModelStage.PRODUCTION and serving is not None and int(serving.id) != version:
        _set_stage(session, serving, ModelStage.ARCHIVED)
    if row.stage is not stage:
        _set_stage(session, row, stage)


def _set_stage(session: Session, row: Any, stage: ModelStage) -> None:
    queries.set_stage(session, int(row.id), stage)
    before, after = {"stage": row.stage}, {"stage": stage}
    history.changed(session, int(row.id), row.created_at, before, after)
    changes.record_asset(session, AssetKind.MODEL_VERSION, int(row.id), "promoted", before, after)


def artifact_folder(settings: Settings, row: Any) -> Path:
    """Return the folder of a model version's artifact; its name came from this service, never from a client."""
    return settings.artifacts / str(row.artifact)
