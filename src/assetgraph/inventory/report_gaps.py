"""Gaps: what is missing or wrong in the data of a search and recommendation business, and what that costs."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import polars as pl

from assetgraph.catalog.roles import DatasetRole
from assetgraph.inventory.report_shapes import WORDS, Coverage, Gap, InventoryReport
from assetgraph.quality.tables import Severity

#: Datasets and models that a gap names, of those that it counts.
EXAMPLES = 10
ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

#: Roles that the loop wants: code of the gap, how bad it is, and what it costs to have none.
MISSING = {
    DatasetRole.USER_BEHAVIOUR: ("NO_BEHAVIOUR", ERROR, "models have nothing to learn from"),
    DatasetRole.ITEM_CATALOGUE: ("NO_ITEM_CATALOGUE", WARNING, "new items have no attributes"),
    DatasetRole.TRANSACTION: ("NO_TRANSACTIONS", WARNING, "what recommendations earn cannot be measured"),
    DatasetRole.SEARCH_QUERY: ("NO_SEARCH_QUERIES", WARNING, "search cannot learn what people look for"),
    DatasetRole.EXPOSURE: ("NO_EXPOSURES", WARNING, "feedback cannot be debiased"),
    DatasetRole.FEEDBACK: ("NO_FEEDBACK", WARNING, "nobody learns which recommendations worked"),
    DatasetRole.USER_PROFILE: ("NO_USER_PROFILES", INFO, "new users get what is popular"),
    DatasetRole.FEATURE: ("NO_FEATURES", INFO, "every training makes its own from raw data"),
}
#: Days after which data of a role is old (four times as many: an error), and what that costs.
AGES = {
    DatasetRole.USER_BEHAVIOUR: (7, "models do not see what people want now"),
    DatasetRole.TRANSACTION: (7, "what sells now is not known"),
    DatasetRole.SEARCH_QUERY: (7, "new words that people search for are not known"),
    DatasetRole.EXPOSURE: (7, "recent feedback cannot be debiased"),
    DatasetRole.FEEDBACK: (7, "what people did with recent recommendations is not learnt from"),
    DatasetRole.ITEM_CATALOGUE: (30, "items that came since are not recommended by what they are"),
    DatasetRole.PROMOTION: (30, "promotions may be over"),
    DatasetRole.FEATURE: (30, "models are fed with what was true then"),
    DatasetRole.USER_PROFILE: (90, "people are treated as who they were"),
}
MODEL_DAYS = 30


def gaps_of(
    report: InventoryReport, unowned_models: Sequence[str], unexplained_models: Sequence[str]
) -> tuple[Gap, ...]:
    """Return the gaps of a report, the worst first; the lists name models without owner and without known data."""
    if not report.total.dataset_count and not report.models.model_count:
        where = "" if report.namespace is None else f" in namespace '{report.namespace}'"
        return (_gap("NOTHING_REGISTERED", WARNING, f"nothing is registered{where}", "there is nothing to report on"),)
    found = [
        *_missing(report), *_old(report), *_of_quality(report), *_of_ownership(report), *_of_personal_data(report),
        *_of_models(report, unowned_models, unexplained_models),
    ]  # fmt: skip
    order = [ERROR, WARNING, INFO]
    return tuple(sorted(found, key=lambda gap: order.index(gap.severity)))


def _gap(code: str, severity: Severity, what: str, cost: str, role: DatasetRole | None = None) -> Gap:
    return Gap(code, severity, role, f"{what}: {cost}", cost)


def _about(
    datasets: pl.DataFrame, code: str, severity: Severity, what: str, cost: str, role: DatasetRole | None = None
) -> Iterator[Gap]:
    """Yield a gap about some datasets, unless there are none; `what` follows their number."""
    if datasets.height:
        first = datasets.head(EXAMPLES)
        names = tuple(f"{space}/{name}" for space, name in first.select("namespace", "name").iter_rows())
        message = f"{datasets.height} dataset{'s' if datasets.height > 1 else ''} {what}: {cost}"
        ids = tuple(first.get_column("id").to_list())
        yield Gap(code, severity, role, message, cost, datasets.height, ids, names)


def _missing(report: InventoryReport) -> Iterator[Gap]:
    counts = {one.role: one.dataset_count for one in report.roles}
    for role, (code, severity, cost) in MISSING.items():
        if counts[role]:
            continue
        if role is DatasetRole.USER_BEHAVIOUR:
            severity, cost = _without_behaviour(report, counts[DatasetRole.TRANSACTION])  # noqa: PLW2901
        yield _gap(code, severity, f"no {WORDS[role]}", cost, role)
    nameless = report.datasets.filter(pl.col("role").is_null())
    cost = "such data counts for no part of the loop"
    yield from _about(nameless, "WITHOUT_ROLE", INFO, "without a role", cost)
    unseen = report.datasets.filter(pl.col("version").is_null())
    yield from _about(unseen, "WITHOUT_VERSION", INFO, "without a version", "nothing is known of the content")


def _without_behaviour(report: InventoryReport, transactions: int) -> tuple[Severity, str]:
    if transactions:
        return WARNING, "models learn from purchases alone, not from what people look at"
    if report.total.used_by_models:
        return WARNING, "whether models learn from what people did is not known"
    return MISSING[DatasetRole.USER_BEHAVIOUR][1:]


def age_in_days(coverage: Coverage, moment: datetime) -> int | None:
    """Return how old the newest data is: by its newest event if one is known, else by its newest version."""
    newest = coverage.newest_event_at or coverage.freshest_at
    return None if newest is None else max((moment - newest).days, 0)


def _old(report: InventoryReport) -> Iterator[Gap]:
    for coverage in report.roles:
        age, (most, cost) = age_in_days(coverage, report.generated_at), AGES.get(coverage.role, (0, ""))
        if most and age is not None and age > most:
            code = "STALE_" + MISSING.get(coverage.role, (f"NO_{coverage.role.value}",))[0].removeprefix("NO_")
            severity = ERROR if age > 4 * most else WARNING
            yield _gap(code, severity, f"{WORDS[coverage.role]}: the newest is {age:,} days old", cost, coverage.role)


def _of_quality(report: InventoryReport) -> Iterator[Gap]:
    frame = report.datasets
    failing = frame.filter(pl.col("checks_failing_error") > 0)
    cost = "what is made of such data is wrong"
    yield from _about(failing, "CHECKS_FAILING", ERROR, "with failing checks of severity ERROR", cost)
    doubtful = frame.filter(pl.col("checks_failing_warning") > 0, pl.col("checks_failing_error") == 0)
    cost = "what is made of such data may be wrong"
    yield from _about(doubtful, "CHECKS_WARNING", WARNING, "with failing checks of severity WARNING", cost)
    bare = frame.filter(pl.col("model_count") > 0, pl.col("check_count") == 0)
    cost = "a broken delivery trains a broken model"
    yield from _about(bare, "WITHOUT_CHECKS", WARNING, "that models learn from without any check", cost)


def _of_ownership(report: InventoryReport) -> Iterator[Gap]:
    nobody = report.datasets.filter(pl.col("owners").list.len() == 0)
    yield from _about(nobody, "WITHOUT_OWNER", WARNING, "without owner", "nobody is told when one breaks")


def _of_personal_data(report: InventoryReport) -> Iterator[Gap]:
    personal = pl.col("personal_data_tags").list.len() > 0
    nobody = report.datasets.filter(personal, pl.col("owners").list.len() == 0)
    cost = "nobody answers when someone asks for their data, or wants it deleted"
    yield from _about(nobody, "PERSONAL_DATA_WITHOUT_OWNER", ERROR, "with personal data and no owner", cost)
    untagged = report.datasets.filter(~personal, role=DatasetRole.USER_PROFILE.value)
    cost = "what must be masked or deleted is not known"
    role = DatasetRole.USER_PROFILE
    what = "of user profiles without a tag of personal data"
    yield from _about(untagged, "PERSONAL_DATA_WITHOUT_TAG", WARNING, what, cost, role)
    learnt = report.datasets.filter(personal, pl.col("model_count") > 0)
    cost = "who is deleted from such data must be forgotten by the models too"
    yield from _about(learnt, "PERSONAL_DATA_IN_MODELS", INFO, "with personal data that models learn from", cost)


def _of_models(report: InventoryReport, unowned: Sequence[str], unexplained: Sequence[str]) -> Iterator[Gap]:
    models = report.models
    if not models.model_count:
        if not report.total.used_by_models:
            yield _gap("NO_MODEL", WARNING, "no model", "nothing is recommended yet")
        return
    for names, code, what, cost in (
        (unowned, "MODEL_WITHOUT_OWNER", "without owner", "nobody is told when one goes wrong"),
        (unexplained, "MODEL_WITHOUT_LINEAGE", "of unknown data", "nobody can say what such a model learnt from"),
    ):
        if names:
            message = f"{len(names)} model{'s' if len(names) > 1 else ''} {what}: {cost}"
            yield Gap(code, WARNING, None, message, cost, len(names), examples=tuple(names[:EXAMPLES]))
    if models.newest_version_at is not None:
        age = (report.generated_at - models.newest_version_at).days
        if age > MODEL_DAYS:
            cost = "what people did since is not learnt from"
            yield _gap("STALE_MODEL", WARNING, f"the newest model version is {age:,} days old", cost)
    learning = (DatasetRole.USER_BEHAVIOUR, DatasetRole.TRANSACTION, DatasetRole.FEEDBACK)
    for role in learning:
        idle = report.datasets.filter(pl.col("model_count") == 0, role=role.value)
        what = f"of {WORDS[role]} that no model uses"
        yield from _about(idle, f"UNUSED_{role.value}", INFO, what, "such data is kept and teaches nothing", role)
