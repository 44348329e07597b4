"""Street addresses among values: words for streets, their endings, and how houses and towns are written after them."""

import re
from collections.abc import Sequence

from assetgraph.inventory.classify.facts import Facts
from assetgraph.inventory.classify.kinds import SemanticType as T
from assetgraph.inventory.classify.letters import likeness
from assetgraph.inventory.classify.vocabulary import words

_SIGNS = re.compile(r"[,./\n]")
#: A street with its house, then a postal code or a town: in one line or in several.
_WHOLE = re.compile(
    r"^(?=.*[^\W\d_]{3}).*\d{1,5}[a-z]?(?:[/-]\d+)?\s*[,\n]\s*"
    r"(?:[a-z]{1,2}-)?\d{2,6}[ -]?\d{0,4}\s*[a-z]{0,2}\s+[^\W\d_]{2}"
    r"|^\d{1,5}[a-z]? [^\W\d_].*[,\n]\s*[^\W\d_].*",
    re.IGNORECASE | re.DOTALL,
)
_HOUSE_LAST = re.compile(r"^(?:[^\W\d_][^\d,]*?),? (?:n[or°º]?\.? ?)?(\d{1,5})[a-z]?(?:[/-]\d+[a-z]?)?$")
_HOUSE_FIRST = re.compile(r"^(\d{1,5})[a-z]?(?:[/-]\d+)?,? ([^\W\d_][^\d]*)$")
_UNIT = re.compile(r"^(?:flat|studio|apt\.?|apartment|suite|unit|\d)", re.IGNORECASE)


def _is_street(part: str) -> bool:
    return not part.isdigit() and (part in words("street") or part.endswith(_ends()))


def _ends() -> tuple[str, ...]:
    return tuple(words("street_end"))


def addresses(facts: Facts) -> list[tuple[T, float, str]]:
    """Return whether values are addresses, as a candidate."""
    if not facts.is_text or facts.length < 4 or facts.distinct < 5:
        return []
    if facts.share("cjk_street") >= 0.7 and facts.share("sentence") < 0.3 and facts.length < 50:
        return [(T.ADDRESS, 0.88, f"{facts.share('cjk_street') * 100:.0f} % of values hold a sign for a street")]
    if facts.share("digit") < 0.6 or facts.length < 7 or facts.length > 90 or facts.share("code") > 0.5:
        return []
    if max(facts.share(form) for form in ("url", "email", "dialled", "hex", "json", "agent")) > 0.5:
        return []
    count = len(facts.folded)
    if facts.share("sentence") > 0.5 and facts.words > 6:  # short ones end abbreviations: "ul. Długa"
        return []
    whole = sum(_WHOLE.match(value) is not None for value in facts.folded) / count
    street = sum(any(map(_is_street, _SIGNS.sub(" ", value).split())) for value in facts.folded) / count
    if whole >= 0.8 and _varied(facts) and (street >= 0.1 or facts.length > 20):
        return [(T.ADDRESS, 0.9, f"{whole * 100:.0f} % of values are a street with a house and a town")]
    if facts.share("house") >= 0.6 and street >= 0.4 and _varied(facts, 0.05):
        return [(T.ADDRESS, min(0.95, 0.66 + 0.3 * street), f"{street * 100:.0f} % of values hold a word for a street")]
    housed = sum(_housed(value) for value in facts.folded) / count
    if housed >= 0.85 and _varied(facts):
        wide = sum(any(part in words("street_wide") for part in value.split()) for value in facts.folded) / count
        called = wide >= 0.6 or street >= 0.2 or _called_after(facts.folded)
        return [(T.ADDRESS, 0.8 if called else 0.5, f"{housed * 100:.0f} % of values are names with a house number")]
    return []


def _called_after(values: Sequence[str]) -> bool:
    """Tell names of streets by what streets are called after: people and places more than things."""
    parts = [part for value in values for part in re.findall(r"[^\W\d_]{3,}", value)]
    if not parts:
        return False
    word, *others = likeness(parts).mean(axis=0)
    return float(word) < 0.45 and float(sum(others)) > 0.55


def _housed(value: str) -> bool:
    return bool(_HOUSE_LAST.match(value) or _HOUSE_FIRST.match(value) or _UNIT.match(value))


def _varied(facts: Facts, least: float = 0.8) -> bool:
    """Tell names of streets, of which a town has many, from names of things, of which a list has few."""
    names = {re.sub(r"[\d,]+", "", value).strip() for value in facts.folded}
    numbers = {found for value in facts.folded for found in re.findall(r"\d+", value)[:1]}
    return len(names) > max(2, least * len(facts.folded)) and len(numbers) > 0.1 * len(facts.folded)
