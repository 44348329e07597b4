"""Preparations: the rules as typed inputs, and the mutation that queues one."""

from datetime import datetime
from typing import Any

import strawberry

from assetgraph.inventory import prepare_service as service
from assetgraph.inventory.prepare import rules
from assetgraph_server.schema.base import Info, many
from assetgraph_server.schema.runs import AssetRefInput, RunPayload, run_payload

for _enum, _name in (
    (rules.Case, "TextCase"), (rules.OutlierMethod, "OutlierMethod"), (rules.Keep, "KeptDuplicate"),
    (rules.ScaleMethod, "ScaleMethod"), (rules.SplitBy, "SplitBy"),
):  # fmt: skip
    strawberry.enum(_enum, name=_name, description=_enum.__doc__)


def _described(description: str, **more: Any) -> Any:
    return strawberry.field(description=description, **more)


COLUMN = "Name of the column."


@strawberry.input(description="Text becomes NFC, trimmed, with single spaces; what is empty then is null.")
class TextRuleInput:
    """A text rule."""

    field: str = _described(COLUMN)
    case: rules.Case = _described("What becomes of letters.", default=rules.Case.KEEP)


@strawberry.input(description="Text becomes a time by the first format that fits; rows that fit none are dropped.")
class TimeRuleInput:
    """A time rule."""

    field: str = _described(COLUMN)
    formats: list[str] = _described(
        "As of strftime (`%m/%d/%y %H:%M` reads 6/26/11 10:59), or epoch, epoch_ms, epoch_us for numbers since 1970; "
        "not needed for a column of times.",
        default_factory=list,
    )


@strawberry.input(description="Rows whose text matches are dropped: cancelled invoices, test orders.")
class PatternRuleInput:
    """A pattern rule."""

    field: str = _described(COLUMN)
    pattern: str = _described("Regular expression, found anywhere in the text unless anchored: `^C`.")


@strawberry.input(description="Rows beyond bounds are dropped: quantiles, or so many deviations off the median.")
class OutlierRuleInput:
    """An outlier rule."""

    field: str = _described(COLUMN)
    method: rules.OutlierMethod = _described("How bounds are found.", default=rules.OutlierMethod.QUANTILE)
    low: float = _described("QUANTILE: rows below this quantile go; 0 lets all stay.", default=0.0)
    high: float = _described("QUANTILE: rows above this quantile go; 1 lets all stay.", default=1.0)
    bound: float = _described("MAD: deviations (1.4826 times the MAD) from the median.", default=10.0)


@strawberry.input(description="Of rows that agree in columns one stays.")
class DuplicateRuleInput:
    """A duplicate rule."""

    fields: list[str] = _described("The columns; all when left out.", default_factory=list)
    keep: rules.Keep = _described("Which stays, in the order of the data.", default=rules.Keep.FIRST)


@strawberry.input(description="A number is normalised in place, by what the training part alone shows.")
class ScaleRuleInput:
    """A scale rule."""

    field: str = _described(COLUMN)
    method: rules.ScaleMethod = _described("How.", default=rules.ScaleMethod.MIN_MAX)


@strawberry.input(description="Every row goes to train, validation or test.")
class SplitRuleInput:
    """A split rule."""

    by: rules.SplitBy = _described("TIME: the newest rows are the test; USER: whole users, by a seeded hash.")
    field: str = _described("Column of the times, or of the users.")
    validation: float = _described("Share to choose parameters by, 0 to less than 1.", default=0.1)
    test: float = _described("Share to judge by, 0 to less than 1.", default=0.1)
    seed: int = _described("Seed of the hash of users.", default=42)


@strawberry.input(description="Rules in the order in which they are applied; a row counts for the first that drops it.")
class PreparationRulesInput:
    """All rules."""

    text: list[TextRuleInput] | None = _described("Text to normalise.", default=None)
    times: list[TimeRuleInput] | None = _described("Text to parse as times.", default=None)
    required: list[str] | None = _described("Columns without which a row is dropped.", default=None)
    excluded: list[PatternRuleInput] | None = _described("Text whose rows are dropped.", default=None)
    positive: list[str] | None = _described("Columns that must be a number above 0.", default=None)
    outliers: list[OutlierRuleInput] | None = _described("Numbers that must lie within bounds.", default=None)
    duplicates: DuplicateRuleInput | None = _described("Which rows are one; left out, all stay.", default=None)
    scaled: list[ScaleRuleInput] | None = _described("Numbers to normalise.", default=None)
    user_field: str | None = _described("Column of users, made `user_index`; written as `/users`.", default=None)
    item_field: str | None = _described("Column of items, made `item_index`; written as `/items`.", default=None)
    split: SplitRuleInput | None = _described("Parts, written as `/train`, `/validation`, `/test`.", default=None)

    def command(self) -> rules.Rules:
        """Return the rules."""
        kinds: dict[str, Any] = {
            "text": rules.TextRule, "excluded": rules.PatternRule, "outliers": rules.OutlierRule,
            "scaled": rules.ScaleRule,
        }  # fmt: skip
        lists = {
            name: tuple(kind(**vars(one)) for one in getattr(self, name) or ()) for name, kind in kinds.items()
        }  # fmt: skip
        again, split = self.duplicates, self.split
        return rules.Rules(
            **lists,
            times=tuple(rules.TimeRule(one.field, tuple(one.formats)) for one in self.times or ()),
            required=many(self.required) or (),
            positive=many(self.positive) or (),
            duplicates=None if again is None else rules.DuplicateRule(tuple(again.fields), again.keep),
            user_field=self.user_field,
            item_field=self.item_field,
            split=None if split is None else rules.SplitRule(**vars(split)),
        )


@strawberry.input(description="Clean a dataset version for training: `<name>/clean`, its parts and its mappings.")
class StartPreparationInput:
    """Input of startPreparation."""

    dataset: AssetRefInput = _described("The version to prepare; of a dataset the latest.")
    rules: PreparationRulesInput = _described("What is done.")
    namespace: str | None = _described("Namespace of what is made; that of the dataset when left out.", default=None)
    name: str | None = _described("What `/clean` is added to; the dataset's name when left out.", default=None)
    idempotency_key: str | None = None
    nominal_time: datetime | None = None

    def command(self) -> service.StartPreparation:
        """Return the command."""
        return service.StartPreparation(
            self.dataset.ref("dataset"), self.rules.command(), self.namespace, self.name, self.idempotency_key,
            self.nominal_time,
        )  # fmt: skip


@strawberry.type
class PreparationMutation:
    """Mutations of preparations."""

    @strawberry.mutation
    async def start_preparation(self, info: Info, input: StartPreparationInput) -> RunPayload:  # noqa: A002
        """Queue a preparation: a dataset version becomes a cleaned one by rules, with counts, mappings and parts."""
        settings = info.context.settings
        return await run_payload(
            info, "produce", lambda session: service.start_preparation(session, settings, input.command())[0]
        )
