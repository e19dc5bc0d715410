"""A deck of pairs: pictures of one place each, which the page's viewer lays over and beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from realdeg.arraytypes import Image
from realdeg.report.folder import Folder


@dataclass(frozen=True)
class Plate:
    """A picture that lies in the report's folder, and what it is."""

    file: str
    what: str
    size_hw: tuple[int, int]


@dataclass(frozen=True)
class DeckPair:
    """A pair in the deck.

    Attributes:
        key: of the pair.
        crops: the same place in every image, or like places.
        maps: further pictures of that place, row by row.
        line: figures of the pair, in words.
        left, right: numbers of the crops that are compared at first.
        badness: the larger, the earlier the pair is shown; None: after all that have one.
    """

    key: str
    crops: tuple[Plate, ...]
    maps: tuple[tuple[Plate, ...], ...] = ()
    line: str = ""
    left: int = 0
    right: int = 1
    badness: float | None = None


def plate(folder: Folder, key: str, what: str, image: Image) -> Plate:
    """Write a picture for the page, without loss.

    Args:
        folder: the report's.
        key: of the pair.
        what: it shows; no two of a pair are the same.
        image: (H, W, 3) uint8 RGB.

    Raises:
        UserError: the folder cannot be written.
    """
    return Plate(folder.picture(image, f"{what} of {key}", quality=None), what, image.shape[:2])


def worst_first(pairs: Sequence[DeckPair]) -> list[DeckPair]:
    """The pairs by falling badness; those without one come last, all else in the order given."""
    return sorted(pairs, key=lambda pair: (pair.badness is None, -(pair.badness or 0.0)))


def compared(pair: DeckPair, left: str, right: str) -> DeckPair:
    """The pair, opened with the crops of these names, as far as it has them; else the first and the last."""
    names = [one.what for one in pair.crops]
    return replace(
        pair,
        left=names.index(left) if left in names else 0,
        right=names.index(right) if right in names else len(names) - 1,
    )
