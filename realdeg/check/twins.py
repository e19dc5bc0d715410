"""Which pictures of a set may be there twice, by their prints: candidates, for `same` to look at.

No picture is compared with every other one by its places: codes are sorted by quarters of their bits, and
neighbours in these orders are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Array
from realdeg.check.prints import BITS, SAME, WAYS, Codes, Print

HASH_BITS = 8  # by which hashes of one picture differ at most; strangers by 10 and more
ROWS = 256  # hashes that are compared with all in one go
BANDS = 4
NEIGHBOURS = 64  # in each order
VOTES = 4  # places that agree
RARE = 2.0  # their weights: a place that is in n pictures has 1 / n
MOST_EACH = 4  # candidates of a picture, the likeliest ones


@dataclass(frozen=True, order=True)
class Candidate:
    """Two pictures, by their numbers, that may be one."""

    first: int
    second: int


def candidates(prints: Sequence[Print], asking: int) -> list[Candidate]:
    """Pairs of pictures that may show one thing.

    Args:
        prints: of all pictures.
        asking: how many of them, from the first on, are the set; the rest is what it is compared with, of
            which no two are compared.

    Returns:
        In order; each picture of the set has at most four that come later, beside copies of the whole.
    """
    found = {one for one in _by_hash(prints, asking)}
    found |= set(_by_places(prints, asking))
    return sorted(found)


def _by_hash(prints: Sequence[Print], asking: int) -> Iterator[Candidate]:
    usable = np.array([i for i, one in enumerate(prints) if not one.flat], int)
    if len(usable) == 0:
        return
    every = np.stack([prints[i].hashes for i in usable])  # (n, 8)
    for start in range(0, int((usable < asking).sum()), ROWS):
        rows = every[start : start + ROWS, 0]
        least = np.full((len(rows), len(every) - start), BITS, np.uint8)
        for way in range(WAYS):
            np.minimum(least, np.bitwise_count(rows[:, None] ^ every[None, start:, way]), out=least)
        for i, j in zip(*np.nonzero(least <= HASH_BITS), strict=True):
            if j > i and usable[start + i] < asking:
                yield Candidate(int(usable[start + i]), int(usable[start + j]))


def _by_places(prints: Sequence[Print], asking: int) -> Iterator[Candidate]:
    counts = [len(one.codes) for one in prints]
    owner = np.repeat(np.arange(len(prints)), counts)
    if len(owner) == 0:
        return
    plain = np.concatenate([one.codes for one in prints])
    for others, mirror in ((plain, False), (np.concatenate([one.mirrored for one in prints]), True)):
        left, right = _near(plain, others, owner, mirror)
        first, second = np.minimum(owner[left], owner[right]), np.maximum(owner[left], owner[right])
        told = first < asking
        left, right, first, second = left[told], right[told], first[told], second[told]
        often = np.bincount(left, minlength=len(owner)) + np.bincount(right, minlength=len(owner))
        weight = 1 / np.maximum(1, np.maximum(often[left], often[right]))
        pair, at = np.unique(first * len(prints) + second, return_inverse=True)
        votes, rare = np.bincount(at), np.bincount(at, weight)
        likely = (votes >= VOTES) & (rare >= RARE)
        yield from _most_likely(pair[likely], rare[likely], len(prints))


def _most_likely(pair: Array, rare: Array, count: int) -> Iterator[Candidate]:
    """The likeliest of each first picture."""
    taken: dict[int, int] = {}
    for i in np.lexsort((pair, -rare)):
        first, second = divmod(int(pair[i]), count)
        taken[first] = taken.get(first, 0) + 1
        if taken[first] <= MOST_EACH:
            yield Candidate(first, second)


def _near(plain: Codes, others: Codes, owner: Array, mirror: bool) -> tuple[Array, Array]:
    """Numbers of codes of different pictures that are near each other, each pair of codes once."""
    codes = np.concatenate([plain, others]) if mirror else plain
    number = np.concatenate([np.arange(len(plain))] * 2) if mirror else np.arange(len(plain))
    side = np.arange(len(codes)) >= len(plain)
    found: list[Array] = []
    for band in range(BANDS):
        turned = _turned(codes, band * (BITS // BANDS))
        order = np.argsort(turned, kind="stable")
        ordered, whose, which = codes[order], owner[number[order]], side[order]
        for step in range(1, min(NEIGHBOURS, len(codes) - 1) + 1):
            near = np.bitwise_count(ordered[step:] ^ ordered[:-step]) <= SAME
            near &= whose[step:] != whose[:-step]
            if mirror:
                near &= which[step:] != which[:-step]
            at = np.nonzero(near)[0]
            ends = number[order[at]], number[order[at + step]]
            found.append(np.stack([np.minimum(*ends), np.maximum(*ends)], -1))
    both = np.unique(np.concatenate(found), axis=0)
    return both[:, 0], both[:, 1]


def _turned(codes: Codes, by: int) -> npt.NDArray[np.uint64]:
    """Codes with their bits turned, so that others stand in front."""
    if not by:
        return codes
    return (codes << np.uint64(by)) | (codes >> np.uint64(BITS - by))
