"""Compiled breadth-first search over adjacency in compressed sparse rows (CSR); compiled on first use and cached."""

from typing import Any

import numpy as np
from numba import njit, types
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def order_by(near: NDArray[np.int64], starts: NDArray[np.int32]) -> Any:
    """Return the stable order of edges by their near end, int64 (m,): a counting sort.

    starts: (n,), the first place of each node's edges.
    """
    following = starts.copy()
    order = np.empty(len(near), np.int64)
    for edge in range(len(near)):
        node = near[edge]
        order[following[node]] = edge
        following[node] += 1
    return order


#: Mapped arrays cannot be written; others are taken as such, so that one compilation serves all.
_IDS = types.Array(types.int32, 1, "C", readonly=True)


_DISTANCES = types.Array(types.int16, 1, "C")


@njit([(_IDS, _IDS, _IDS, _IDS, types.int64, types.int64, types.int64, _DISTANCES)], cache=True, nogil=True)
def reach(
    offsets: NDArray[np.int32],
    neighbours: NDArray[np.int32],
    more_offsets: NDArray[np.int32],
    more_neighbours: NDArray[np.int32],
    root: int,
    depth: int,
    most: int,
    distance: NDArray[np.int16],
) -> Any:
    """Write the distance of every node met; return (nodes in the order met, whether nothing was left out by `most`).

    offsets: (n + 1,), the row of node i is neighbours[offsets[i]:offsets[i + 1]], a closed edge has neighbour -1;
    the second pair is the overlay of edges that came after, more_offsets (n + 1,) or empty when there are none.
    distance: (n,), all -1 before. A node is expanded while its distance is below `depth`; the walk stops after `most`
    nodes.
    """
    count = len(offsets) - 1
    order = np.empty(min(count, most + 1), np.int32)
    overlaid = len(more_offsets) > 0
    order[0] = root
    distance[root] = 0
    head, tail = 0, 1
    while head < tail:
        node = order[head]
        head += 1
        further = distance[node] + 1
        if further > depth:
            break
        for place in range(offsets[node], offsets[node + 1]):
            far = neighbours[place]
            if far >= 0 and distance[far] < 0:
                if tail > most:
                    return order[:tail], False
                distance[far] = further
                order[tail] = far
                tail += 1
        if overlaid:
            for place in range(more_offsets[node], more_offsets[node + 1]):
                far = more_neighbours[place]
                if far >= 0 and distance[far] < 0:
                    if tail > most:
                        return order[:tail], False
                    distance[far] = further
                    order[tail] = far
                    tail += 1
    return order[:tail], True


@njit(cache=True, nogil=True)
def reach_through(
    base: Any, more: Any, looks: NDArray[np.int8], root: int, depth: int, most: int, distance: NDArray[np.int16]
) -> Any:
    """Search as `reach` does, where nodes of look 1 cost no distance and nodes of look 2 are not entered.

    Returns (nodes, parent, whether nothing was left out): parent (n,) is, for each node met, the one that it was met
    from in the fewest steps, the smallest of them; -1 for the root, anything where none was met. looks: (n,) or empty:
    all shown; base and more: (offsets, neighbours).
    """
    count = len(base[0]) - 1
    parent = np.empty(count, np.int32)
    parent[root] = -1
    round_met = np.zeros(count, np.int32)
    order = np.empty(min(count, most + 1), np.int32)
    waiting = np.empty(min(count, most + 1), np.int32)
    order[0] = root
    distance[root] = 0
    head, tail, later, level, turn = 0, 1, 0, 0, 0
    while head < tail and level < depth:
        turn += 1
        end = tail
        for place in range(head, end):
            node = order[place]
            for side in range(2):
                starts, far_ends = base if side == 0 else more
                if len(starts) == 0:
                    continue
                for edge in range(starts[node], starts[node + 1]):
                    far = far_ends[edge]
                    if far < 0:
                        continue
                    if distance[far] >= 0:
                        if round_met[far] == turn and node < parent[far]:
                            parent[far] = node
                        continue
                    look = looks[far] if len(looks) > 0 else 0
                    if look == 2:
                        continue
                    if tail + later > most:
                        order[tail : tail + later] = waiting[:later]
                        return order[: tail + later], parent, False
                    parent[far] = node
                    round_met[far] = turn
                    if look == 1:
                        distance[far] = level
                        order[tail] = far
                        tail += 1
                    else:
                        distance[far] = level + 1
                        waiting[later] = far
                        later += 1
        head = end
        if head == tail:
            order[tail : tail + later] = waiting[:later]
            tail += later
            later = 0
            level += 1
    return order[:tail], parent, True
