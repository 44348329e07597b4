"""From a table's columns to what they mean: names and values first, then what stands beside, then the table's role."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from assetgraph.inventory.classify.facts import Facts, facts_of
from assetgraph.inventory.classify.fitting import fits
from assetgraph.inventory.classify.kinds import (
    PERSONAL,
    ColumnFound,
    PersonalData,
    Proposal,
    SemanticType,
    Table,
    TableFound,
)  # fmt: skip
from assetgraph.inventory.classify.names import Reading, read_name
from assetgraph.inventory.classify.values import said_by_values

T = SemanticType

#: Proposals below this confidence are not made; a column keeps at most this many.
LEAST_CONFIDENCE, MOST_PROPOSALS = 0.5, 4
#: Types whose values prove them, whatever the name says.
PROVEN = frozenset({T.EMAIL, T.IBAN, T.CARD_NUMBER, T.UUID, T.URL, T.IMAGE_URL, T.MAC_ADDRESS, T.IP_ADDRESS})
#: What remains of the values' word where the name clearly says another type, or that it is none.
CONTRADICTED, NAMED_OTHER = 0.5, 0.45


@dataclass
class Candidate:
    """A column while it is judged: its candidates with score and evidence."""

    facts: Facts
    reading: Reading
    scores: dict[T, float] = field(default_factory=dict)
    why: dict[T, list[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The column's name."""
        return self.facts.name

    @property
    def best(self) -> T | None:
        """The likeliest type so far."""
        likely = max(self.scores, key=lambda one: (self.scores[one], one), default=None)
        return likely if likely is not None and self.scores[likely] >= LEAST_CONFIDENCE else None

    @property
    def named(self) -> bool:
        """Whether its name says what it is, or that it is something else."""
        return self.reading.other or bool(self.reading.types and self.reading.types[0][1] >= 0.6 and self.scores)

    def more(self, type_: T, score: float, evidence: str) -> None:
        """Add evidence for a type."""
        self.scores[type_] = 1 - (1 - self.scores.get(type_, 0.0)) * (1 - score)
        self.why.setdefault(type_, []).append(evidence)

    def only(self, type_: T, score: float, evidence: str) -> None:
        """Say that it is this one, whatever was thought before."""
        for other in self.scores:
            self.scores[other] *= 0.5
        self.scores[type_] = max(score, self.scores.get(type_, 0.0))
        self.why.setdefault(type_, []).append(evidence)


def judged(facts: Facts) -> Candidate:
    """Judge a column by its name and its values."""
    reading = read_name(facts.name)
    one = Candidate(facts, reading)
    agreed = 0.0
    for type_, strength in reading.types:
        fitting = fits(type_, facts)
        if strength * fitting >= 0.2:
            one.more(type_, strength * fitting, reading.why())
            agreed = max(agreed, strength * fitting)
    for type_, (score, evidence) in said_by_values(facts).items():
        weight = 1.0
        if type_ not in one.scores and type_ not in PROVEN:
            weight = CONTRADICTED if agreed >= 0.6 else (NAMED_OTHER if reading.other else 1.0)
        elif type_ not in one.scores and agreed >= 0.7 and type_ in (T.UUID, T.URL):
            weight = 0.6  # a user's id may be a UUID
        one.more(type_, score * weight, evidence)
    return one


def classify(table: Table) -> TableFound:
    """Say what the columns of a table mean, which hold personal data, and what the table is."""
    from assetgraph.inventory.classify.neighbours import look_around
    from assetgraph.inventory.classify.roles import role_of

    columns = [judged(facts) for facts in facts_of(table)]
    look_around(columns, table.sample)
    found = tuple(ColumnFound(one.name, proposals_of(one, columns)) for one in columns)
    role, confidence, evidence = role_of(columns, table.name)
    return TableFound(found, role, confidence, evidence)


def proposals_of(one: Candidate, columns: Sequence[Candidate]) -> tuple[Proposal, ...]:
    """Return what is likely enough of a column, the likeliest first."""
    ranked = sorted(one.scores.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(
        Proposal(type_, round(min(score, 0.99), 2), tuple(dict.fromkeys(one.why[type_])), personal_of(type_, columns))
        for type_, score in ranked[:MOST_PROPOSALS] if score >= LEAST_CONFIDENCE
    )  # fmt: skip


def personal_of(type_: T, columns: Sequence[Candidate]) -> PersonalData | None:
    """Return which personal data a type is; coordinates only beside who was there."""
    if type_ in (T.LATITUDE, T.LONGITUDE):
        beside = {one.best for one in columns}
        return PersonalData.LOCATION if beside & {T.USER_ID, T.EMAIL, T.PHONE, T.PERSON_NAME} else None
    return PERSONAL.get(type_)
