"""Merged states of neighbouring parts: what is kept of them saves reading, and changes nothing."""

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from assetgraph.inventory.formats.schemas import NO_FORMS, Agreed
from assetgraph.inventory.kept import SMALLEST_SPAN, Kept, Merging, span_key
from assetgraph.inventory.sketch.packing import from_bytes, to_bytes
from assetgraph.inventory.sketch.reading import table_state
from assetgraph.inventory.sketch.states import TableState


def part_state(key: int, content: int) -> TableState:
    """Return the state of a part of that content."""
    rows = [content * 0.1 + number for number in range(3)]
    return table_state(pl.LazyFrame({"a": rows, "b": [f"t{content}", None, str(key)]}), first_row=key << 8)


class Store:
    """What is kept from scan to scan, and how often it is asked for."""

    def __init__(self) -> None:
        self.parts: dict[int, tuple[int, bytes]] = {}
        self.spans: dict[int, bytes] = {}
        self.read: list[str] = []

    def _state(self, key: int) -> TableState:
        self.read.append("part")
        return from_bytes(self.parts[key][1])

    def _span(self, key: int) -> TableState | None:
        if key not in self.spans:
            return None
        self.read.append("span")
        return from_bytes(self.spans[key])

    def scan(self, found: dict[int, int]) -> TableState:
        """Merge parts of these contents by key, as a scan does; and keep what it would."""
        same = {key for key, content in found.items() if key in self.parts and self.parts[key][0] == content}
        kept = Kept("", Agreed({}, NO_FORMS), frozenset(), {}, {}, self._state, self._span)
        keys = sorted(found)
        merging = Merging(keys, same, kept)
        self.read = []
        for key in keys:
            if key in same:
                merging.add_kept()
            else:
                merging.add(part_state(key, found[key]))
        state = merging.result()
        for key in keys:
            if key not in same:
                self.parts[key] = (found[key], to_bytes(part_state(key, found[key])))
        spans = {span.key: span.packed for span in merging.spans}
        assert len(spans) == len(merging.spans)
        self.spans = {key: self.spans[key] if packed is None else packed for key, packed in spans.items()}
        return state


def whole(found: dict[int, int]) -> bytes:
    """Return the packed state of parts of which nothing is kept."""
    return to_bytes(Store().scan(found))


def test_one_changed_part_costs_a_logarithm_of_states() -> None:
    """Of 64 parts the last one changes, then one in the middle, then one comes; each time few states are read."""
    store = Store()
    found: dict[int, int] = dict.fromkeys(range(64), 1)
    store.scan(found)
    assert store.read == []
    found[63] = 2
    assert to_bytes(store.scan(found)) == whole(found)
    assert store.read == ["span", "span", "span", "span", "part", "part", "part"]  # 32, 16, 8, 4, and three parts
    found[21] = 2
    assert to_bytes(store.scan(found)) == whole(found)
    assert sorted(store.read) == ["part"] * 3 + ["span"] * 4
    found[64] = 1
    assert to_bytes(store.scan(found)) == whole(found)
    assert store.read == ["span"]
    assert to_bytes(store.scan(found)) == whole(found)
    assert store.read == ["span", "part"]


def test_few_parts_have_no_spans() -> None:
    """What saves nothing is not kept."""
    store = Store()
    store.scan(dict.fromkeys(range(SMALLEST_SPAN - 1), 1))
    assert store.spans == {}
    store.scan(dict.fromkeys(range(SMALLEST_SPAN), 1))
    assert set(store.spans) == {span_key(range(SMALLEST_SPAN))}


@given(st.lists(st.dictionaries(st.integers(0, 30), st.integers(0, 2), min_size=1), min_size=2, max_size=5), st.data())
@settings(max_examples=60, deadline=None)
def test_any_changes_give_the_state_of_reading_all(scans: list[dict[int, int]], data: Any) -> None:
    """Parts come, go and change at random from scan to scan, many or few; the bytes are those of a first scan."""
    store = Store()
    found: dict[int, int] = {}
    for drawn in scans:
        if data.draw(st.booleans()):
            found |= drawn
        else:
            found = {key: content for key, content in found.items() if key not in drawn} or drawn
        assert to_bytes(store.scan(found)) == whole(found)
