"""Folding and splitting of names: case, accents, umlauts, snake and camel case, words run together."""

import re
import unicodedata

#: Letters that no accent can be taken off.
_LETTERS = {"ß": "ss", "ø": "o", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe", "đ": "d"}
#: Latin accents; the marks of Japanese letters, and the breve of Cyrillic ones, make other letters.
_ACCENTS = re.compile("[\u0300-\u0305\u0307-\u036f]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PARTS = re.compile(r"[^\W\d_]+|\d+")
#: Scripts that put no space between words.
_RUN_ON = re.compile(r"[\u3040-\u30ff\u3400-\u9fff々ー]+")


def folded(text: str, *, short: bool = False) -> str:
    """Return a text in lower case without accents; with `short` the German ae, oe, ue become a, o, u."""
    lower = text.lower()
    if short:
        lower = lower.replace("ae", "a").replace("oe", "o").replace("ue", "u")
    if lower.isascii():
        return lower
    for letter, plain in _LETTERS.items():
        lower = lower.replace(letter, plain)
    plain = unicodedata.normalize("NFKD", lower)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", plain))


def parts_of(name: str) -> list[str]:
    """Return the folded words that a name writes apart, by signs, digits or case; CJK runs stay whole."""
    spaced = _CAMEL.sub(" ", unicodedata.normalize("NFKC", name).replace("E-Mail", "email").replace("e-mail", "email"))
    found: list[str] = []
    for part in _PARTS.findall(spaced):
        at = 0
        for run in _RUN_ON.finditer(part):
            found += [folded(one) for one in (part[at : run.start()], run.group()) if one]
            at = run.end()
        if at < len(part):
            found.append(folded(part[at:]))
    return found


def is_run_on(word: str) -> bool:
    """Tell a word of a script without spaces."""
    return _RUN_ON.fullmatch(word) is not None
