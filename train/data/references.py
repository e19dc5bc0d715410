"""Batches of crops with a reference picture for each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from realdeg.imaging.square import fitted
from realdeg.seeds import stream

IMAGE, SELF, PRIOR = 0, 1, 2
KEPT = 256 << 20  # bytes of decoded pictures


@dataclass(frozen=True)
class Referred:
    """A batch with a reference for each crop.

    Attributes:
        keys, lr, hr: as of the batch.
        references: (B, side, side, 3) uint8; zeros where the kind is not IMAGE.
        kinds: (B,) IMAGE, SELF (LR is its own reference) or PRIOR (the code is drawn from N(0, I)).
    """

    keys: tuple[str, ...]
    lr: np.ndarray
    hr: np.ndarray
    references: np.ndarray
    kinds: np.ndarray


class WithReferences:
    """Batches of crops, with references that are a pure function of (seed, step, place in the batch).

    Args:
        crops: the batch of step i.
        pictures: references, read when they are needed; those used last are kept at twice their side, up to
            `kept` bytes.
        side: of a reference, px.
        itself: share of crops that are their own reference.
        prior: share of crops without one.
        seed: of the run.
        places: of the whole batch that are made here (`train.data.batches.Crops.places`).
        kept: bytes; a single picture may be larger.
    """

    def __init__(
        self,
        crops: Callable[[int], Any],
        pictures: Sequence[np.ndarray],
        *,
        side: int,
        itself: float,
        prior: float,
        seed: int,
        places: range,
        kept: int = KEPT,
    ) -> None:
        self.crops, self.pictures, self.side, self.seed = crops, pictures, side, seed
        self.itself, self.prior, self.places = itself, prior, places
        self.kept = kept
        self._known: OrderedDict[int, np.ndarray] = OrderedDict()  # the one used last at its end

    def __call__(self, step: int) -> Referred:
        """The batch of a step."""
        batch = self.crops(step)
        references = np.zeros((len(batch.lr), self.side, self.side, 3), np.uint8)
        kinds = np.zeros(len(batch.lr), np.int64)
        for at, place in enumerate(self.places):
            rng = stream(self.seed, f"{step}/{place}", "reference")
            kind, choice, along, mirror = rng.random(4)
            if kind < self.itself:
                kinds[at] = SELF
            elif kind < self.itself + self.prior:
                kinds[at] = PRIOR
            else:
                picture = self._picture(int(choice * len(self.pictures)))
                found = fitted(picture, self.side, (along, along))
                references[at] = cv2.flip(found, 1) if mirror < 0.5 else found
        return Referred(batch.keys, batch.lr, batch.hr, references, kinds)

    def _picture(self, i: int) -> np.ndarray:
        """Picture i, shrunk; read only where it is no longer known."""
        if i not in self._known:
            self._known[i] = self._shrunk(i)
            while len(self._known) > 1 and sum(one.nbytes for one in self._known.values()) > self.kept:
                self._known.popitem(last=False)
        self._known.move_to_end(i)
        return self._known[i]

    def _shrunk(self, i: int) -> np.ndarray:
        """A picture whose short side is at most twice a reference's: it need not be decoded again."""
        picture = self.pictures[i]
        height, width = picture.shape[:2]
        shrink = 2 * self.side / min(height, width)
        if shrink >= 1:
            return picture
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
