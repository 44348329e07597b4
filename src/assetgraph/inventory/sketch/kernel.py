"""The compiled half of a profile: hashes, counters and moments over Arrow buffers; bit for bit what `hashing` says.

Compiled on first use and cached. Every function works on a piece of some ten thousand values that stays in the
processor's cache; `start` is the piece's place in the column's buffer.
"""

from typing import Any

import numpy as np

from assetgraph.compiled import compiled, part
from assetgraph.inventory.sketch.hashing import (
    CANONICAL_NAN,
    MULTIPLY_1,
    MULTIPLY_2,
    WORD_SALT,
)
from assetgraph.inventory.sketch.intrinsics import leading_zeros, words
from assetgraph.inventory.sketch.sampling import LEVEL_SALT, TOP_LEVEL

U = np.uint64
_SHIFT_INDEX, _INDEX_BITS = np.uint64(50), np.uint64(14)
_COUNTER_MASK = np.uint64(8191)
_MAGNITUDE = np.uint64(0x7FFFFFFFFFFFFFFF)
_INFINITE, _NEGATIVE_ZERO = np.uint64(0x7FF0000000000000), np.uint64(0x8000000000000000)


@part
def mix(word: Any) -> Any:
    """Return what a bijection makes of a word (the finaliser of SplitMix64)."""
    word = (word ^ (word >> U(30))) * MULTIPLY_1
    word = (word ^ (word >> U(27))) * MULTIPLY_2
    return word ^ (word >> U(31))


@part
def is_present(validity: Any, bit: int) -> Any:
    """Tell whether a value is not null; an empty bitmap says so of all."""
    return len(validity) == 0 or (validity[bit >> 3] >> (bit & 7)) & 1 != 0


@compiled("(uint8[:], int64, int64) -> int64, int64")
def present_ends(validity: Any, offset: int, count: int) -> Any:
    """Return the first and the last place of a value that is not null, or -1 twice."""
    first, last = 0, count - 1
    while first < count and not is_present(validity, first + offset):
        first += 1
    while last >= first and not is_present(validity, last + offset):
        last -= 1
    return (first, last) if first <= last else (-1, -1)


@compiled("(uint8[:], int64, int64, int64, int32[:]) -> int64")
def valid_places(validity: Any, offset: int, start: int, end: int, places: Any) -> int:
    """Write the places, from `start`, of the values that are not null; return how many."""
    count = 0
    for row in range(start, end):
        bit = row + offset
        places[count] = row - start
        count += (validity[bit >> 3] >> (bit & 7)) & 1
    return count


@compiled("(uint64[:], float64[:], int64, int64, uint64[:])")
def canonical_floats(bits: Any, values: Any, start: int, count: int, canonical: Any) -> None:
    """Write the bits of floats where 0.0 is -0.0 and all NaN are one."""
    part_values, part_bits = values[start : start + count], bits[start : start + count]
    for at in range(count):
        value = part_values[at]
        word = part_bits[at]
        if value == 0.0:
            word = U(0)
        if value != value:
            word = CANONICAL_NAN
        canonical[at] = word


@compiled("(uint64[:], int64, int64, uint64[:], uint64[:], uint64[:], uint64[:])")
def mix_words(bits: Any, start: int, count: int, keys: Any, first: Any, second: Any, hashes: Any) -> None:
    """Hash values of 64 bits without nulls, and add them to their rows' lanes."""
    key, other, added, other_added = keys[0], keys[1], keys[2], keys[3]
    # Of a place below zero Numba counts from the end: where none can be, several values are mixed at once.
    values = bits[start : start + count]
    for at in range(count):
        word = mix(values[at] ^ WORD_SALT)
        hashes[at] = word
        first[at] += word * key + added
        second[at] += word * other + other_added


@compiled(
    "(uint64[:], uint8[:], int64, int64, int64, int64, uint64[:], uint64[:], uint64[:], uint64[:], uint64[:]) -> int64"
)
def mix_present(
    bits: Any, validity: Any, offset: int, start: int, end: int, floats: int, keys: Any, first: Any, second: Any,
    taken: Any, hashes: Any,
) -> int:  # fmt: skip
    """Take those values together that are not null, and do with them what `mix_words` does; return how many.

    floats: not 0 where they are floats, of which 0.0 is -0.0 and all NaN are one.
    """
    key, other, added, other_added = keys[0], keys[1], keys[2], keys[3]
    count = 0
    for at in range(end - start):
        if not is_present(validity, start + at + offset):
            continue
        word = bits[start + at]
        if floats != 0:
            if word == _NEGATIVE_ZERO:
                word = U(0)
            if (word & _MAGNITUDE) > _INFINITE:
                word = CANONICAL_NAN
        taken[count] = word
        word = mix(word ^ WORD_SALT)
        hashes[count] = word
        first[at] += word * key + added
        second[at] += word * other + other_added
        count += 1
    return count


@part
def slot_of(table: Any, word: Any) -> Any:
    """Return where a hash is in a table of hashes and counts, whose length is a power of two, or where it would be."""
    last = len(table) - 1
    slot = np.int64(word >> U(leading_zeros(U(last))))
    while table[slot, 0] != word and table[slot, 0] != U(0):
        slot = (slot + 1) & last
    return slot


@compiled("(uint64[:], int64, int64, uint64[:,:], int64, int64, int32[:]) -> int64, int64")
def count_values(hashes: Any, begin: int, count: int, table: Any, used: int, limit: int, fresh: Any) -> Any:
    """Count values by hash in a table (a power of two, 2) of hash and count; return (values done, hashes in the table).

    Stops before the value that would be the `limit`+1st; `fresh` gets the places of values met for the first time.
    """
    before = used
    for at in range(begin, count):
        word = hashes[at]
        if word == U(0):
            word = U(1)
        slot = slot_of(table, word)
        if table[slot, 0] == U(0):
            if used == limit:
                return at, used
            table[slot, 0] = word
            fresh[used - before] = at
            used += 1
        table[slot, 1] += U(1)
    return count, used


@compiled("(uint64[:,:], uint64[:,:])")
def move_counts(table: Any, larger: Any) -> None:
    """Write hashes and counts into a larger table."""
    for at in range(len(table)):
        if table[at, 0] != U(0):
            slot = slot_of(larger, table[at, 0])
            larger[slot, 0], larger[slot, 1] = table[at, 0], table[at, 1]


@part
def risen(word: Any, registers: Any, counters: Any, threshold: Any) -> Any:
    """Update HyperLogLog registers and counters by a hash; return 1 where a register rose."""
    counters[np.int64(word & _COUNTER_MASK)] += np.uint32(1)
    rest = word << _INDEX_BITS
    if rest <= threshold:
        rank = np.uint8(min(leading_zeros(rest), 50) + 1)
        index = np.int64(word >> _SHIFT_INDEX)
        if registers[index] < rank:
            registers[index] = rank
            return 1
    return 0


@compiled("(uint64[:], int64, int64, uint8[:], uint32[:], int64) -> int64")
def spread(hashes: Any, begin: int, count: int, registers: Any, counters: Any, floor: int) -> int:
    """Update HyperLogLog registers (16384) and counters (8192) by hashes; return how many registers rose.

    floor: no register is lower; most hashes of a long column are told by it that they change nothing.
    """
    rose = 0
    threshold = U(0xFFFFFFFFFFFFFFFF) >> U(floor)
    for at in range(begin, count):
        rose += risen(hashes[at], registers, counters, threshold)
    return rose


@compiled("(uint64[:], uint64[:], int64, uint64[:])")
def sum_rows(first: Any, second: Any, count: int, sums: Any) -> None:
    """Add the mixed lanes of the rows to the table's sums (2,), and clear the lanes."""
    one, two = U(0), U(0)
    for row in range(count):
        lane = first[row]
        one += mix(lane + WORD_SALT)
        two += mix(second[row] ^ ((lane << U(32)) | (lane >> U(32))))
        first[row] = U(0)
        second[row] = U(0)
    sums[0] += one
    sums[1] += two


@part
def _coin(level: Any, node: Any, seed: Any) -> Any:
    return mix(node ^ (seed + U(level) * LEVEL_SALT)) & U(1)


@compiled("(int64, int64, int64, uint64, int64[:], uint8[:]) -> int64")
def survivors(first: int, count: int, floor: int, seed: Any, rows: Any, levels: Any) -> int:
    """Write rows (from `first`) and levels of the rows that reach level `floor`, as `sampling.sampled_rows` does."""
    found = 0
    for node in range(first >> floor, ((first + count - 1) >> floor) + 1):
        row = U(node)
        for level in range(floor, 0, -1):
            row = row * U(2) + _coin(level, row, seed)
        place = np.int64(row) - first
        if place < 0 or place >= count:
            continue
        level, at = floor, U(node)
        while level < TOP_LEVEL and (at & U(1)) == _coin(level + 1, at >> U(1), seed):
            at >>= U(1)
            level += 1
        rows[found] = place
        levels[found] = level
        found += 1
    return found


@part
def _fitted(kept: Any, reached: Any, used: int, floor: int, limit: int) -> Any:
    """Keep the lowest level that fits the limit, in place; return (entries, level)."""
    counts = words(64)
    for at in range(used):
        counts[reached[at]] += 1
    left = used
    while left > limit:
        left -= counts[floor]
        floor += 1
    found = 0
    for at in range(used):
        kept[found], reached[found] = kept[at], reached[at]
        found += reached[found] >= floor
    return found, floor


@compiled(
    "(uint64[:], uint8[:], int64, int64[:], uint8[:], int64, int64, int64, int64, uint64[:], uint8[:], int64)"
    " -> int64, int64"
)
def sample(
    bits: Any, validity: Any, offset: int, rows: Any, levels: Any, count: int, what: int, floor: int, limit: int,
    kept: Any, reached: Any, used: int,
) -> Any:  # fmt: skip
    """Add those of the sampled rows that reach a level and are not null to a sample, and fit it into its limit.

    what: 0 keeps words as they are, 1 finite floats without a sign of zero, and from 2 on the rows' places plus `what`
    minus 2. kept, reached: words and levels, in the order of rows; `used` are taken, and twice the limit or all that
    comes has room. Returns (how many are taken, the level).
    """
    nullable = len(validity) > 0
    for at in range(count):
        if levels[at] < floor:
            continue
        row = rows[at]
        if nullable:
            bit = row + offset
            if (validity[bit >> 3] >> (bit & 7)) & 1 == 0:
                continue
        if what >= 2:
            word = U(row + what - 2)
        else:
            word = bits[row]
            if what == 1:
                if (word & _INFINITE) == _INFINITE:
                    continue
                word = U(0) if word == _NEGATIVE_ZERO else word
        if used == len(kept):
            used, floor = _fitted(kept, reached, used, floor, limit)
            if levels[at] < floor:
                continue
        kept[used] = word
        reached[used] = levels[at]
        used += 1
    if used > limit:
        used, floor = _fitted(kept, reached, used, floor, limit)
    return used, floor
