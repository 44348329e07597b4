"""Compiled: the edges of one page of a walk, and the neighbours that it does not show; compiled on first use, cached.

A side is (offsets, neighbours, edges) of index.Side; a direction is its base and its overlay, whose arrays are empty
when nothing was added. A walk of twenty nodes costs a few microseconds here, where numpy's calls cost hundreds.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

# Mapped arrays cannot be written; others are taken as such, so that one compilation serves all.
_IDS = types.Array(types.int32, 1, "C", readonly=True)
_LONGS = types.Array(types.int64, 1, "C", readonly=True)
_SIDE = types.Tuple((_IDS, _IDS, _LONGS))  # type: ignore[no-untyped-call]
_SIDES = types.UniTuple(_SIDE, 2)  # type: ignore[no-untyped-call]
_DISTANCES = types.Array(types.int16, 1, "C", readonly=True)
_STANDINGS = types.Array(types.int8, 1, "C", readonly=True)


@njit(cache=True, nogil=True)
def _holds(among: NDArray[Any], value: int) -> bool:
    place = np.searchsorted(among, value)
    return bool(place < len(among) and among[place] == value)


@njit([(_SIDES, _SIDES, _IDS, _IDS, _DISTANCES, types.int64)], cache=True, nogil=True)
def walked_edges(
    onward: Any, back: Any, page: NDArray[np.int32], upto: NDArray[np.int32], distance: NDArray[np.int16], depth: int
) -> Any:
    """Return the ids of the edges that a way walked, between a page's nodes and those up to its end; (m,) int64.

    onward, back: two sides each, with and against the way; page: (p,) node ids; upto: sorted node ids; distance:
    (n,), -1 where the way did not come. An edge was walked when its near end was met closer than `depth`. An edge
    within the page comes twice.
    """
    most = 0
    for node in page:
        if distance[node] >= 0:
            for offsets, _, _ in (onward[0], onward[1], back[0], back[1]):
                if len(offsets) > 0:
                    most += offsets[node + 1] - offsets[node]
    found = np.empty(most, np.int64)
    count = 0
    for node in page:
        if distance[node] < 0:
            continue
        for against in range(2):
            if not against and distance[node] >= depth:
                continue
            for overlay in range(2):
                offsets, neighbours, edges = back[overlay] if against else onward[overlay]
                if len(offsets) == 0:
                    continue
                for place in range(offsets[node], offsets[node + 1]):
                    far = neighbours[place]
                    if far < 0 or (against and (distance[far] < 0 or distance[far] >= depth)):
                        continue
                    if _holds(upto, far):
                        found[count] = edges[place]
                        count += 1
    return found[:count]


@njit([(_SIDES, _SIDES, _IDS, _STANDINGS, types.int64, _LONGS)], cache=True, nogil=True)
def count_unseen(
    out: Any, into: Any, page: NDArray[np.int32], standings: NDArray[np.int8], deleted: int, seen: NDArray[np.int64]
) -> Any:
    """Return for each node of a page how many neighbours the answer does not show; (p,) int64.

    out, into: two sides each; standings: (n,), nodes with the bit `deleted` are no neighbours; seen: sorted pairs
    node << 32 | neighbour that are shown.
    """
    counts = np.zeros(len(page), np.int64)
    for row in range(len(page)):
        node = np.int64(page[row])
        most = 0
        for offsets, _, _ in (out[0], out[1], into[0], into[1]):
            if len(offsets) > 0:
                most += offsets[node + 1] - offsets[node]
        around = np.empty(most, np.int64)
        count = 0
        for offsets, neighbours, _ in (out[0], out[1], into[0], into[1]):
            if len(offsets) == 0:
                continue
            for place in range(offsets[node], offsets[node + 1]):
                far = neighbours[place]
                if far >= 0 and standings[far] & deleted == 0:
                    around[count] = far
                    count += 1
        around = np.sort(around[:count])
        for place in range(count):
            far = around[place]
            if (place == 0 or far != around[place - 1]) and not _holds(seen, node << 32 | far):
                counts[row] += 1
    return counts
