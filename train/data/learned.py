"""What a run has learned from, kept beside its checkpoints: whoever measures a model can ask it.

`learned.npz` holds hashes of HR and of what it was made of, and thumbnails of HR (`train.data.alike`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from realdeg.atomic import write_bytes
from realdeg.io.arrays import Npz, Unreadable
from train.data.alike import Thumbnails, hashes, like_any, load, packed, stacked, thumbnails
from train.data.pairs import Pair

FILE = "learned.npz"


@dataclass(frozen=True)
class LearnedImages:
    """Pictures that a model has seen.

    Attributes:
        marks: hashes of them and of their sources.
        small: their thumbnails, (N, 3, 16, 16).
    """

    marks: frozenset[str]
    small: Thumbnails

    def knows(self, marks: frozenset[str], hr: npt.NDArray[np.uint8]) -> bool:
        """Whether a picture was learned from.

        Args:
            marks: hashes of it and of its sources.
            hr: (H, W, 3) uint8.
        """
        if marks & self.marks:
            return True
        return len(self.small) > 0 and bool(like_any(thumbnails(hr)[None], self.small)[0])


def note_learned(out: Path, pairs: Sequence[Pair], small: Mapping[str, Thumbnails]) -> None:
    """Add to `out/learned.npz` what is learned from; what earlier starts have learned from stays.

    Args:
        out: run folder.
        pairs: to learn from.
        small: thumbnails of their HR, by its hash.

    Raises:
        UserError: the file cannot be written, or the disk is full.
    """
    path = out / FILE
    before, marks = load(path), read_marks(path)
    now = {pair.hr_sha256: small[pair.hr_sha256] for pair in pairs if pair.hr_sha256 in small}
    more = marks.union(*(pair.marks for pair in pairs))
    data = packed({**before, **now}, more)
    if not path.is_file() or path.read_bytes() != data:
        write_bytes(path, data)


def read_learned(run: Path) -> LearnedImages | None:
    """What a run has learned from; None where it does not say (an older version's, or weights alone)."""
    path = run / FILE
    small, marks = load(path), read_marks(path)
    if not small or not marks:
        return None
    return LearnedImages(marks, stacked(list(small.values())))


def read_marks(path: Path) -> frozenset[str]:
    """Hashes in a file of this module; none where it is absent or damaged."""
    try:
        with Npz(path) as stored:
            return frozenset(hashes(stored["marks"]))
    except (OSError, Unreadable):
        return frozenset()
