"""How much words are built like names of people: a linear model over groups of letters, learnt from public lists.

Lists of names end; how names are built does not: "Wiśniewska" is like other family names though no list has it. Other
alphabets are written in Latin letters first, so that what was learnt of names helps there too. The model is made by
tests/data/classification/make_letters.py from the US Census of 1990 and French registers (public domain), most popular
names by country (CC0), towns of GeoNames (CC BY 4.0), and lists of words: BIP 39 (MIT), EFF (CC BY 3.0), Norsk Ordbank
(CC BY 4.0), Kotus (CC BY 3.0) and others named there.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assetgraph.inventory.classify.texts import folded

#: What a word may be, in the order of the model's columns.
CLASSES = ("word", "place", "given", "family")
#: Groups of this many letters are looked at, word ends included; each falls into one of 2**BITS rows of the model.
GROUPS = (2, 3, 4, 5)
BITS = 15
#: What a stored weight of 1 stands for.
SCALE = 1 / 24
_BASE, _MIX = np.uint64(1_000_003), np.uint64(0x9E3779B97F4A7C15)
_LATIN = str.maketrans(
    dict(zip("абвгґдеєзиіїйклмнопрстуфцыэ", "abvggdeeziiiyklmnoprstufcye", strict=True))
    | {"ё": "yo", "ж": "zh", "х": "kh", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ь": "", "ю": "yu", "я": "ya",
       "ә": "a", "ғ": "g", "қ": "k", "ң": "n", "ө": "o", "ұ": "u", "ү": "u", "һ": "h", "ў": "u", "ј": "j", "љ": "lj"}
    | dict(zip("αβγδεζηικλμνξοπρσςτυφχω", "avgdeziiklmnxoprsstyfho", strict=True))
    | {"θ": "th", "ψ": "ps"}
)  # fmt: skip


def latin(word: str) -> str:
    """Return a folded word in Latin letters where its alphabet has a way of writing them."""
    return word if word.isascii() else folded(word).translate(_LATIN)


def rows_of(words: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the model's rows of all groups of letters of Latin words, and for each the place of its word."""
    text = "".join(f"^{word}$" for word in words)
    letters = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    place = np.repeat(np.arange(len(words)), [len(word) + 2 for word in words])
    mixed, rows, places = np.zeros(len(letters), dtype=np.uint64), [], []
    for size in range(1, max(GROUPS) + 1):
        mixed = mixed[: len(letters) - size + 1] * _BASE + letters[size - 1 :]
        if size in GROUPS:
            inside = place[: len(mixed)] == place[size - 1 :]
            spread = (mixed[inside] + np.uint64(size)) * _MIX
            rows.append((spread >> np.uint64(64 - BITS)).astype(np.int64))
            places.append(place[: len(mixed)][inside])
    return np.concatenate(rows), np.concatenate(places)


@cache
def _model() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the weights of each row, and of none."""
    stored = np.load(Path(__file__).parent / "data" / "letters.npy")
    weights = stored.astype(np.float32) * np.float32(SCALE)
    return weights[:-1], weights[-1]


def likeness(words: Sequence[str]) -> NDArray[np.float64]:
    """Return for each folded word the probabilities of CLASSES: an array of words by four."""
    weights, bias = _model()
    rows, places = rows_of([latin(word)[:24] for word in words])
    count = np.maximum(np.bincount(places, minlength=len(words)), 1)
    sums = np.stack([np.bincount(places, weights[rows, one], len(words)) for one in range(len(CLASSES))], axis=1)
    scores = sums / np.sqrt(count)[:, None] + bias
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: NDArray[np.float64] = scores / scores.sum(axis=1, keepdims=True)
    return found
