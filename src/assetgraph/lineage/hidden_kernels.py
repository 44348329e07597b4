"""Compiled searches through hidden nodes (looks: 0 shown, 1 hidden, 2 closed); see contraction.py for what they mean.

Adjacency comes as in kernels.py, base and overlay; `distance` is what a walk left, -1 where it did not come.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def leading_to(
    offsets: NDArray[np.int32],
    neighbours: NDArray[np.int32],
    more_offsets: NDArray[np.int32],
    more_neighbours: NDArray[np.int32],
    looks: NDArray[np.int8],
    distance: NDArray[np.int16],
    nodes: NDArray[np.int32],
) -> Any:
    """Return the shown nodes that a walk met and that lead to some nodes over hidden ones; goes against the walk."""
    count = len(looks)
    seen = np.zeros(count, np.uint8)
    stack = np.empty(len(nodes) + count, np.int32)
    stack[: len(nodes)] = nodes
    top, found, begins = len(nodes), 0, True
    leading = np.empty(count, np.int32)
    left = len(nodes)
    while top > 0:
        top -= 1
        node = stack[top]
        begins = top < left
        if begins:
            left = top
        for side in range(2):
            starts, ends = (offsets, neighbours) if side == 0 else (more_offsets, more_neighbours)
            if len(starts) == 0:
                continue
            for place in range(starts[node], starts[node + 1]):
                far = ends[place]
                if far < 0 or seen[far] or distance[far] < 0 or looks[far] == 2:
                    continue
                if looks[far] == 1:
                    seen[far] = 1
                    stack[top] = far
                    top += 1
                elif not begins:
                    seen[far] = 1
                    leading[found] = far
                    found += 1
    return leading[:found]


@njit(cache=True, nogil=True)
def _grow(
    base: Any, more: Any, looks: Any, distance: Any, wanted: Any, some: Any, group: int, left: int, tree: Any
) -> Any:  # fmt: skip
    """Search on from some sorted hidden nodes, level by level, smaller ids first; returns (rows, steps left)."""
    stamp, slot, node_at, parent_at, edge_at, frontier, following = tree
    rows = len(some)
    for place in range(rows):
        stamp[some[place]], slot[some[place]] = group, place
        node_at[place], parent_at[place], edge_at[place] = some[place], -1, -1
        frontier[place] = some[place]
    width = rows
    while width > 0 and left >= 0:
        further = 0
        for near in np.sort(frontier[:width]):
            row = slot[near]
            for side in range(2):
                starts, ends, ids = base if side == 0 else more
                if len(starts) == 0:
                    continue
                for place in range(starts[near], starts[near + 1]):
                    left -= 1
                    far = ends[place]
                    if far < 0 or distance[far] < 0 or looks[far] == 2 or (looks[far] == 0 and not wanted[far]):
                        continue
                    if stamp[far] == group:
                        if parent_at[slot[far]] == row:
                            edge_at[slot[far]] = min(edge_at[slot[far]], ids[place])
                        continue
                    stamp[far], slot[far] = group, rows
                    node_at[rows], parent_at[rows], edge_at[rows] = far, row, ids[place]
                    rows += 1
                    if looks[far] == 1:
                        following[further] = far
                        further += 1
        frontier[:further] = following[:further]
        width = further
    return rows, left


@njit(cache=True, nogil=True)
def _mark(rows: int, looks: Any, node_at: Any, parent_at: Any, needed: Any) -> int:
    """Mark the rows on ways to shown nodes; returns how many."""
    needed[:rows] = 0
    kept = 0
    for row in range(rows - 1, -1, -1):
        if looks[node_at[row]] == 0 or needed[row]:
            needed[row] = 1
            kept += 1
            if parent_at[row] >= 0:
                needed[parent_at[row]] = 1
    return kept


@njit(cache=True, nogil=True)
def search_hidden(
    base: Any,
    more: Any,
    looks: NDArray[np.int8],
    distance: NDArray[np.int16],
    wanted: NDArray[np.uint8],
    group_starts: NDArray[np.int64],
    entries: NDArray[np.int32],
    most: int,
) -> Any:
    """Search on from groups of hidden nodes, each sorted; returns trees and whether `most` steps were enough.

    `base` and `more` are (offsets, neighbours, edges). A tree is rows (node, row of its parent or -1, edge to it or
    -1), cut down to the ways to wanted shown nodes; the fourth array has the end of each group's rows.
    """
    count, groups = len(looks), len(group_starts) - 1
    node_at, parent_at, edge_at = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.int64)
    frontier, following = np.empty(count, np.int32), np.empty(count, np.int32)
    tree = np.zeros(count, np.int32), np.empty(count, np.int32), node_at, parent_at, edge_at, frontier, following
    place_of, needed = np.empty(count, np.int32), np.empty(count, np.uint8)
    nodes, parents, ways = np.empty(1024, np.int32), np.empty(1024, np.int32), np.empty(1024, np.int64)
    ends = np.zeros(groups, np.int64)
    total, left = 0, most
    for group in range(groups):
        some = entries[group_starts[group] : group_starts[group + 1]]
        rows, left = _grow(base, more, looks, distance, wanted, some, group + 1, left, tree)
        kept = _mark(rows, looks, node_at, parent_at, needed)
        if total + kept > len(nodes):
            size = 2 * (total + kept)
            longer, above, along = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int64)
            longer[:total], above[:total], along[:total] = nodes[:total], parents[:total], ways[:total]
            nodes, parents, ways = longer, above, along
        for row in range(rows):
            if needed[row]:
                place_of[row] = total
                nodes[total], ways[total] = node_at[row], edge_at[row]
                parents[total] = place_of[parent_at[row]] if parent_at[row] >= 0 else -1
                total += 1
        ends[group] = total
        if left < 0:
            ends[group:] = total
            break
    return nodes[:total], parents[:total], ways[:total], ends, left >= 0
