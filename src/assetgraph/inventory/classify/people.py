"""Names of people among values: known ones, how words are built, and how full names are written."""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from assetgraph.inventory.classify.facts import Facts
from assetgraph.inventory.classify.kinds import SemanticType as T
from assetgraph.inventory.classify.letters import latin, likeness
from assetgraph.inventory.classify.vocabulary import words

_DOTTED = re.compile(r"[^\W\d_]{2}\.[^\W_]{2}")
_WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
#: A name: words of letters with initials, maybe one comma after the family name.
_PART = r"[^\W\d_][^\W\d_'’.\- ]*(?:[ .'’\-]{1,2}[^\W\d_]+)*\.?"
_WRITTEN = re.compile(rf"^{_PART}(?:, ?{_PART})?$")
#: Likeness from which one word, and several, are names by themselves; and where people stand beside.
ALONE, TOGETHER, BESIDE = 0.56, 0.5, 0.5
#: How much less of it is needed where a fifth of the values hold a known name.
HELPED = 0.07
#: Fewest distinct values at all, and for a likeness that is not high.
FEWEST, FEW, HIGH = 12, 20, 0.6


@dataclass(frozen=True)
class People:
    """How much the values of a column are like names of people: shares and means over its values, from 0 to 1."""

    #: Mean likeness of their words to names of people, of places.
    like: float
    place: float
    #: Values written as names are; with a word that towns have; mean number of words that count.
    written: float
    town: float
    words: float
    #: Values with a known given name, a known family name.
    given: float
    family: float


NOBODY = People(0, 0, 0, 0, 0, 0, 0)


def people_in(facts: Facts) -> People:
    """Return how much the values of a column are like names of people; NOBODY where their writing excludes it."""
    if not facts.is_text or facts.share("digit") > 0.05 or facts.distinct < 5:
        return NOBODY
    if facts.share("cjk_name") >= 0.85 and facts.length <= 6.5:
        return _people_in_signs(facts)
    if not 1.5 < facts.length <= 45 or facts.words > 5 or not (facts.share("letters") >= 0.4 or _inverted(facts)):
        return NOBODY
    values = facts.folded
    titles, links, of_towns = words("title"), words("link"), words("of_towns")
    apart = [[part for part in _WORDS.findall(value) if part not in titles] for value in values]
    plain = [[part for part in parts if len(part) > 1 and part not in links] for parts in apart]
    flat = [part for parts in plain for part in parts]
    dotted = sum(_DOTTED.search(value) is not None for value in values)
    if len(flat) < 5 or dotted > 0.3 * len(values) or not _spelt(flat):
        return NOBODY
    found = likeness(flat)
    people = found[:, 2] + found[:, 3]
    given, family = words("given"), words("family")
    count = len(values)
    ends = np.cumsum([0, *(len(parts) for parts in plain)])
    means = [float(people[a:b].mean()) for a, b in pairwise(ends) if b > a]
    return People(
        like=sum(means) / count,
        place=float(found[:, 1].mean()),
        written=sum(_WRITTEN.match(value) is not None for value in values) / count,
        town=sum(len(parts) > 1 and not of_towns.isdisjoint(parts) for parts in apart) / count,
        words=len(flat) / count,
        given=sum(any(part in given for part in parts) for parts in plain) / count,
        family=sum(any(part in family for part in parts) for parts in plain) / count,
    )


def _spelt(found: list[str]) -> bool:
    """Tell words of alphabets that the model knows."""
    return sum(latin(one).isascii() for one in found[:60]) > 0.7 * len(found[:60])


def _inverted(facts: Facts) -> bool:
    """Tell family names before a comma."""
    return sum(value.count(",") == 1 for value in facts.values) >= 0.8 * len(facts.values)


def names_of_people(facts: Facts) -> list[tuple[T, float, str]]:
    """Return whether values are names of people, as a candidate."""
    signs = _in_signs(facts)
    if signs:
        return signs
    seen = facts.people
    if seen.written < 0.75 or facts.share("company") > 0.1 or seen.town > 0.12:
        return []
    if facts.share("sentence") > 0.3 or seen.words > 4.2 or facts.distinct < FEWEST or _makers(facts):
        return []
    several = seen.words >= 1.6
    capitals = facts.share("capital")
    if seen.like < (TOGETHER if several else ALONE - _help(seen)) + (0.07 if capitals < 0.8 else 0):
        return []
    if (seen.like < HIGH or capitals < 0.8) and facts.distinct < FEW:
        return []
    if not several and (seen.place > seen.like - 0.1 or facts.length < 3.2 or _all_capitals(facts)):
        return []
    score = min(0.95, 0.62 + 1.1 * (seen.like - 0.5) + (0.06 if several else 0))
    known = max(seen.given, seen.family)
    if known >= 0.5:
        score = max(score, 0.62 + 0.3 * known)
    return [(T.PERSON_NAME, score, _evidence(seen))]


def _help(seen: People) -> float:
    return HELPED * min(1.0, max(seen.given, seen.family) * 5)


def _evidence(seen: People) -> str:
    known = max(seen.given, seen.family)
    if known >= 0.35:
        return f"{known * 100:.0f} % of values hold a known name of a person"
    return f"words are built as names of people are, at {seen.like * 100:.0f} %"


def _makers(facts: Facts) -> bool:
    """Tell brands and things, many of which are called as people are."""
    return max(facts.among(words("brand")), facts.among(words("thing"))) >= 0.25


def _all_capitals(facts: Facts) -> bool:
    """Tell short words in capitals only: codes and abbreviations."""
    return facts.length < 5 and all(value.isupper() for value in facts.values)


def like_names(facts: Facts) -> bool:
    """Tell values that are names of people where others of people stand beside."""
    seen = facts.people
    if seen.written < 0.75 or seen.town > 0.12 or facts.share("company") > 0.1 or facts.distinct < FEW:
        return False
    if facts.share("sentence") > 0.3 or seen.words > 4.2 or _makers(facts):
        return False
    return seen.like >= BESIDE - _help(seen) and seen.like > seen.place + 0.05 and not _all_capitals(facts)


def _people_in_signs(facts: Facts) -> People:
    """Return the same of Chinese, Japanese and Korean signs: `like` is the share written with signs of names."""
    known, given, family = words("family"), words("given_sign"), words("family_sign")
    values = facts.folded
    count = len(values)
    names = sum(all(sign in given for sign in value) for value in values) / count
    families = sum(value in known or all(sign in family for sign in value) for value in values) / count
    heads = [next((size for size in (4, 3, 2, 1) if value[:size] in known and len(value) > size), 0)
             for value in values]  # fmt: skip
    tails = [value[size:].strip() for value, size in zip(values, heads, strict=True) if size]
    varied = len(set(tails)) > 0.15 * min(count, facts.distinct)
    like = max(names, families, (sum(all(sign in given for sign in tail) for tail in tails) / count) if varied else 0)
    alone, led = sum(value in known for value in values) / count, len(tails) / count if varied else 0.0
    town = sum(value[-1] in "市县縣区區町村郡省県府都州시군구도" for value in values) / count
    return People(like=like, place=0.0, written=1.0, town=town, words=1.0, given=led, family=alone)


def _in_signs(facts: Facts) -> list[tuple[T, float, str]]:
    """Names in Chinese, Japanese and Korean signs: a known family name before one or more others, or either alone."""
    if not facts.is_text or facts.share("cjk_name") < 0.85 or facts.distinct < 5:
        return []
    seen = facts.people
    if seen.town > 0.3:
        return []
    if seen.family >= 0.6 or (seen.family >= 0.3 and seen.like >= 0.75 and facts.distinct >= FEW):
        return [(T.PERSON_NAME, 0.85, f"{seen.family * 100:.0f} % of values are family names")]
    apart = sum(" " in value for value in facts.folded) > 0.9 * len(facts.folded)
    if seen.given >= (0.25 if apart else 0.6) and facts.length > 2.05 and (seen.like >= 0.25 or apart):
        return [(T.PERSON_NAME, 0.88, f"{seen.given * 100:.0f} % of values begin with a family name")]
    if seen.given >= 0.4 and seen.like >= 0.4 and 2.7 <= facts.length <= 3.3 and seen.town < 0.1:
        return [(T.PERSON_NAME, 0.75, f"{seen.given * 100:.0f} % of values begin with a family name")]
    if seen.like >= 0.5 and facts.length <= 3.2 and facts.distinct >= FEW:
        share = f"{seen.like * 100:.0f} % of values are written with signs of names"
        return [(T.PERSON_NAME, 0.6 + 0.4 * (seen.like - 0.5), share)]
    return []
