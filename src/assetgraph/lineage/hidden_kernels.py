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
def search_hidden(
    offsets: NDArray[np.int32],
    neighbours: NDArray[np.int32],
    edges: NDArray[np.int64],
    more_offsets: NDArray[np.int32],
    more_neighbours: NDArray[np.int32],
    more_edges: NDArray[np.int64],
    looks: NDArray[np.int8],
    distance: NDArray[np.int16],
    wanted: NDArray[np.uint8],
    group_starts: NDArray[np.int64],
    entries: NDArray[np.int32],
    most: int,
) -> Any:
    """Search on from groups of hidden nodes, each sorted; returns trees and whether `most` steps were enough.

    A tree is rows (node, row of its parent or -1, edge to it or -1), cut down to the ways to wanted shown nodes; the
    fourth array has the end of each group's rows.
    """
    count, groups = len(looks), len(group_starts) - 1
    stamp, slot = np.zeros(count, np.int32), np.empty(count, np.int32)
    node_at, parent_at, edge_at = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.int64)
    place_of, needed = np.empty(count, np.int32), np.empty(count, np.uint8)
    frontier, following = np.empty(count, np.int32), np.empty(count, np.int32)
    nodes, parents, ways = np.empty(1024, np.int32), np.empty(1024, np.int32), np.empty(1024, np.int64)
    ends = np.zeros(groups, np.int64)
    total, left = 0, most
    for group in range(groups):
        rows, width = 0, 0
        for place in range(group_starts[group], group_starts[group + 1]):
            entry = entries[place]
            stamp[entry], slot[entry] = group + 1, rows
            node_at[rows], parent_at[rows], edge_at[rows] = entry, -1, -1
            frontier[width] = entry
            rows += 1
            width += 1
        while width > 0 and left >= 0:
            further = 0
            for near in np.sort(frontier[:width]):
                row = slot[near]
                for side in range(2):
                    starts, far_ends = (offsets, neighbours) if side == 0 else (more_offsets, more_neighbours)
                    ids = edges if side == 0 else more_edges
                    if len(starts) == 0:
                        continue
                    for place in range(starts[near], starts[near + 1]):
                        left -= 1
                        far = far_ends[place]
                        if far < 0 or distance[far] < 0 or looks[far] == 2 or (looks[far] == 0 and not wanted[far]):
                            continue
                        if stamp[far] == group + 1:
                            if parent_at[slot[far]] == row:
                                edge_at[slot[far]] = min(edge_at[slot[far]], ids[place])
                            continue
                        stamp[far], slot[far] = group + 1, rows
                        node_at[rows], parent_at[rows], edge_at[rows] = far, row, ids[place]
                        rows += 1
                        if looks[far] == 1:
                            following[further] = far
                            further += 1
            frontier, following = following, frontier
            width = further
        needed[:rows] = 0
        kept = 0
        for row in range(rows - 1, -1, -1):
            if looks[node_at[row]] == 0 or needed[row]:
                needed[row] = 1
                kept += 1
                if parent_at[row] >= 0:
                    needed[parent_at[row]] = 1
        if total + kept > len(nodes):
            size = 2 * (total + kept)
            longer, above, along = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int64)
            longer[:total], above[:total], along[:total] = nodes[:total], parents[:total], ways[:total]
            nodes, parents, ways = longer, above, along
        for row in range(rows):
            if needed[row]:
                place_of[row] = total
                nodes[total] = node_at[row]
                parents[total] = place_of[parent_at[row]] if parent_at[row] >= 0 else -1
                ways[total] = edge_at[row]
                total += 1
        ends[group] = total
        if left < 0:
            ends[group:] = total
            break
    return nodes[:total], parents[:total], ways[:total], ends, left >= 0
