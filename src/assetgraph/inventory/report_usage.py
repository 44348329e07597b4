"""Which models the data of each dataset reached: sets of models as bits of whole numbers, passed up along edges."""

from collections import deque
from collections.abc import Iterable, Sequence


def reaching(edges: Iterable[tuple[int, int]], models: Sequence[int]) -> dict[int, int]:
    """Return for each node upstream of a model the set of models that it reaches: bit i stands for `models[i]`.

    Edges are (source, target) and may form cycles; none comes out of a model.
    """
    above: dict[int, list[int]] = {}
    for source, target in edges:
        above.setdefault(target, []).append(source)
    found = {model: 1 << place for place, model in enumerate(models)}
    waiting, queued = deque(models), set(models)
    while waiting:
        node = waiting.popleft()
        queued.discard(node)
        mask = found[node]
        for source in above.get(node, ()):
            known = found.get(source, 0)
            if known | mask != known:
                found[source] = known | mask
                if source not in queued:
                    queued.add(source)
                    waiting.append(source)
    for model in models:
        del found[model]
    return found


def union(masks: Iterable[int]) -> int:
    """Return the models that any of some sets has."""
    every = 0
    for mask in masks:
        every |= mask
    return every


def members(mask: int, most: int) -> list[int]:
    """Return the places of the first models of a set, at most so many."""
    found: list[int] = []
    while mask and len(found) < most:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found
