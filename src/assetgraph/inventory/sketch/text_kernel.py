"""The compiled profile of texts and bytes in Arrow's view layout: 16 bytes a text, the short ones whole.

views: uint64 (n, 2); buffers: int64, the addresses of the data buffers; places: rows from `start`, or empty for all.
"""

from typing import Any

import numpy as np

from assetgraph.compiled import compiled, part
from assetgraph.inventory.sketch.hashing import FOLD, TEXT_SALT, TEXT_SALT_2, TURN
from assetgraph.inventory.sketch.intrinsics import fetch, folded, load, swapped
from assetgraph.inventory.sketch.kernel import U, is_present, mix, risen, slot_of

#: Texts to ask for before they are hashed.
_AHEAD = 24
#: Rows of the cache of short texts: head, tail, what its row's lanes get, its slot in the table of counts and one.
CACHED, CACHE_COLUMNS = 256, 5


@part
def _hashed(views: Any, buffers: Any, place: int) -> Any:
    """Return a text's hash and the second word that goes into its row's lanes."""
    head, tail = views[place, 0], views[place, 1]
    length = np.int64(head & U(0xFFFFFFFF))
    one = folded(TEXT_SALT ^ head, FOLD)
    two = (TEXT_SALT_2 ^ head) * TURN
    two = (two << U(31)) | (two >> U(33))
    left = 1
    if length > 12:
        address = buffers[np.int64(tail & U(0xFFFFFFFF))] + np.int64(tail >> U(32))
        end = address + length
        address += 4
        while address + 8 <= end:
            word = load(address)
            one = folded(one ^ word, FOLD)
            two = (two ^ word) * TURN
            two = (two << U(31)) | (two >> U(33))
            address += 8
        left = end - address
        tail = load(end - 8) >> U(8 * (8 - left)) if left > 0 else U(0)
    if left > 0:
        one = folded(one ^ tail, FOLD)
        two = (two ^ tail) * TURN
        two = (two << U(31)) | (two >> U(33))
    return mix(one + two), two ^ (two >> U(32))


@part
def _fetch_ahead(views: Any, buffers: Any, place: int) -> None:
    """Ask for a long text: what it consists of lies elsewhere, mostly far from the processor."""
    ahead = min(place + _AHEAD, len(views) - 1)
    tail = views[ahead, 1]
    if (views[ahead, 0] & U(0xFFFFFFFF)) > U(12):
        fetch(buffers[np.int64(tail & U(0xFFFFFFFF))] + np.int64(tail >> U(32)))


@compiled("(uint64[:,:], int64[:], int64[:], uint64[:])")
def hash_texts(views: Any, buffers: Any, rows: Any, hashes: Any) -> None:
    """Write the hashes of the texts of some rows."""
    for at in range(len(rows)):
        hashes[at], _ = _hashed(views, buffers, rows[at])


@compiled(
    "(uint64[:,:], int64[:], int64, int32[:], int64, int64, uint64[:], uint64[:], uint64[:], uint64[:,:], uint64[:,:],"
    " int64, int64, int64[:], uint64[:]) -> int64, int64"
)
def count_texts(
    views: Any, buffers: Any, start: int, places: Any, begin: int, count: int, keys: Any, first: Any, second: Any,
    cache: Any, table: Any, used: int, limit: int, fresh: Any, hashes: Any,
) -> Any:  # fmt: skip
    """Count texts in a table (a power of two, 2) of hash and count, and add them to their rows' lanes.

    Stops before the text that would be the `limit`+1st; returns (texts done, hashes in the table). fresh, hashes: rows
    and hashes of texts met for the first time. cache: (CACHED, CACHE_COLUMNS) of short texts met of late, zeros for a
    new table: most columns with few texts are told by it.
    """
    key, other, added, other_added = keys[0], keys[1], keys[2], keys[3]
    dense = len(places) == 0
    before = used
    for at in range(begin, count):
        row = at if dense else np.int64(places[at])
        head, tail = views[start + row, 0], views[start + row, 1]
        short = (head & U(0xFFFFFFFF)) <= U(12)
        index = np.int64(((head ^ (tail << U(1))) * FOLD) >> U(56))
        if short and cache[index, 0] == head and cache[index, 1] == tail and cache[index, 4] != U(0):
            first[row] += cache[index, 2]
            second[row] += cache[index, 3]
            table[np.int64(cache[index, 4]) - 1, 1] += U(1)
            continue
        word, two = _hashed(views, buffers, start + row)
        known = word if word != U(0) else U(1)
        slot = slot_of(table, known)
        if table[slot, 0] == U(0):
            if used == limit:
                return at, used
            table[slot, 0] = known
            fresh[used - before], hashes[used - before] = start + row, word
            used += 1
        table[slot, 1] += U(1)
        one, two = word * key + added, two * other + other_added
        first[row] += one
        second[row] += two
        if short:
            cache[index, 0], cache[index, 1], cache[index, 2], cache[index, 3] = head, tail, one, two
            cache[index, 4] = U(slot + 1)
    return count, used


@compiled("(uint64[:,:], int64[:], int64[:], int64, uint8[:], int64[:])")
def copy_texts(views: Any, buffers: Any, rows: Any, most: int, copied: Any, ends: Any) -> None:
    """Copy the first `most` bytes of the texts of some rows one behind the other; `ends` gets where each ends."""
    place = 0
    for at in range(len(rows)):
        head, tail = views[rows[at], 0], views[rows[at], 1]
        length = np.int64(head & U(0xFFFFFFFF))
        address = buffers[np.int64(tail & U(0xFFFFFFFF))] + np.int64(tail >> U(32)) if length > 12 else 0
        size: Any = min(length, most)
        for byte in range(size):
            if length > 12:
                first: Any = min(byte, length - 8)
                word = load(address + first) >> U(8 * (byte - first))
            else:
                word = head >> U(8 * (byte + 4)) if byte < 4 else tail >> U(8 * (byte - 4))
            copied[place] = np.uint8(word & U(0xFF))
            place += 1
        ends[at] = place


@part
def _tail(views: Any, buffers: Any, row: Any) -> Any:
    """Return the address from the fifth byte of a text of more than twelve bytes, else 0."""
    if (views[row, 0] & U(0xFFFFFFFF)) <= U(12):
        return 0
    tail = views[row, 1]
    return buffers[np.int64(tail & U(0xFFFFFFFF))] + np.int64(tail >> U(32)) + 4


@part
def _head(views: Any, row: Any) -> Any:
    """Return the first four bytes of a text, comparable."""
    return swapped(views[row, 0] & U(0xFFFFFFFF00000000))


@part
def _next(views: Any, buffers: Any, row: Any) -> Any:
    """Return the fifth to twelfth byte of a text, comparable; zeros where it is shorter."""
    address = _tail(views, buffers, row)
    return swapped(load(address) if address else views[row, 1])


@part
def _less(views: Any, buffers: Any, one: Any, two: Any) -> bool:
    """Say whether the text at one place comes before that at another, compared as bytes."""
    head_1, head_2 = _head(views, one), _head(views, two)
    if head_1 != head_2:
        return bool(head_1 < head_2)
    length_1: Any = np.int64(views[one, 0] & U(0xFFFFFFFF))
    length_2: Any = np.int64(views[two, 0] & U(0xFFFFFFFF))
    address_1, address_2 = _tail(views, buffers, one), _tail(views, buffers, two)
    left: Any = max(min(length_1, length_2) - 4, 0)
    place = 0
    while place < left:
        # A text of more than twelve bytes has eight bytes after its fourth; of a later word the eight bytes are read
        # that end with it, so that nothing beyond the text is touched.
        size = min(left - place, 8)
        back = 8 - size if place else 0
        word_1 = load(address_1 + place - back) >> U(8 * back) if address_1 else views[one, 1]
        word_2 = load(address_2 + place - back) >> U(8 * back) if address_2 else views[two, 1]
        if size < 8:
            kept = U(0xFFFFFFFFFFFFFFFF) >> U(8 * (8 - size))
            word_1 &= kept
            word_2 &= kept
        if word_1 != word_2:
            return bool(swapped(word_1) < swapped(word_2))
        place += 8
    return bool(length_1 < length_2)


@compiled("(uint64[:,:], int64[:], uint8[:], int64) -> bool, bool, bool")
def ordered_texts(views: Any, buffers: Any, validity: Any, offset: int) -> Any:
    """Return whether texts never fall, never rise, and whether no two neighbours are equal, nulls left out."""
    falls, rises, equal = False, False, False
    before = -1
    for row in range(len(views)):
        if not is_present(validity, row + offset):
            continue
        if before >= 0:
            if _less(views, buffers, row, before):
                falls = True
            elif _less(views, buffers, before, row):
                rises = True
            else:
                equal = True
            if falls and rises:
                break
        before = row
    return not falls, not rises, not equal


@compiled(
    "(uint64[:,:], int64[:], int64, int32[:], int64, uint64[:], uint64[:], uint64[:], uint8[:], uint32[:], int64,"
    " int64, int64) -> int64, int64, int64, int64, int64, int64, int64"
)
def add_texts(
    views: Any, buffers: Any, start: int, places: Any, count: int, keys: Any, first: Any, second: Any, registers: Any,
    counters: Any, floor: int, low: int, high: int,
) -> Any:  # fmt: skip
    """Add texts to their rows' lanes, to registers and counters, and measure them; there is one at least.

    low, high: the rows of the least and the greatest so far, or -1. Returns (registers that rose, row of the least, of
    the greatest, shortest, longest, sum of lengths, empties), lengths in bytes.
    """
    key, other, added, other_added = keys[0], keys[1], keys[2], keys[3]
    threshold = U(0xFFFFFFFFFFFFFFFF) >> U(floor)
    dense = len(places) == 0
    row: Any = start if dense else start + np.int64(places[0])
    low, high = (row, row) if low < 0 else (low, high)
    low_head, low_next = _head(views, low), _next(views, buffers, low)
    high_head, high_next = _head(views, high), _next(views, buffers, high)
    shortest = longest = np.int64(views[row, 0] & U(0xFFFFFFFF))
    rose, empties, total = 0, 0, np.int64(0)
    for at in range(count):
        lane: Any = at if dense else np.int64(places[at])
        row = start + lane
        _fetch_ahead(views, buffers, row)
        word, two = _hashed(views, buffers, row)
        first[lane] += word * key + added
        second[lane] += two * other + other_added
        rose += risen(word, registers, counters, threshold)
        length = np.int64(views[row, 0] & U(0xFFFFFFFF))
        shortest = min(shortest, length)
        longest = max(longest, length)
        total += length
        empties += length == 0
        head = _head(views, row)
        if head <= low_head:
            following = _next(views, buffers, row)
            if head < low_head or following < low_next or (following == low_next and _less(views, buffers, row, low)):
                low, low_head, low_next = row, head, following
        if head >= high_head:
            following = _next(views, buffers, row)
            if (
                head > high_head
                or following > high_next
                or (following == high_next and _less(views, buffers, high, row))
            ):
                high, high_head, high_next = row, head, following
    return rose, low, high, shortest, longest, total, empties
