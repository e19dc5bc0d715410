"""A dataset on disk for torch's DataLoader: the same crop for the same seed, epoch and pair."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np
import torch
import torch.utils.data
from torch import Tensor

from realdeg.arraytypes import Array
from realdeg.dataset.pairs import Dataset, Pair, open_dataset
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.imaging.depth import to_float
from realdeg.inputs import path, whole
from realdeg.records import MANIFEST
from realdeg.seeds import stream


class Sample(TypedDict):
    """What `PairDataset` gives for a pair.

    Attributes:
        lr: (3, h, w) float32 in [0, 1].
        hr: (3, scale h, scale w), likewise.
        mask: (1, h, w) float32, 1 where the pair is valid; with `partly=True` alone.
        key: name of the pair.
    """

    lr: Tensor
    hr: Tensor
    mask: NotRequired[Tensor]
    key: str


class PairDataset(torch.utils.data.Dataset[Sample]):
    """Pairs of a folder that `realdeg` has written, whole or as random crops.

    A crop is a function of (seed, epoch, the pair's key): neither workers nor their order change it. Call
    `set_epoch` before each epoch to get other crops; workers that live on see it.

    Args:
        out: folder of the dataset, or a `realdeg.Dataset`.
        split: "train", "val" or "test"; None: all pairs.
        patch: side of the LR crop, px; None: whole images.
        augment: draw one of the eight orientations for each crop (whole images that are not square are
            mirrored, but not transposed).
        seed: of the run.
        partly: take pairs that are valid in part, too (`realdeg align --mask`), and give masks; by default
            they are left out, as in our own training. `realdeg tile` cuts out what is valid.
        verify: hash the files first and stop where one is not what the manifest says.

    Attributes:
        pairs: that samples are made of.
        scale: HR size / LR size.

    Raises:
        UserError: no dataset, no such split, pairs of several scales, or no pair at all.

    Example:
        >>> import realdeg.torch
        >>> realdeg.torch.PairDataset("missing")
        Traceback (most recent call last):
        ...
        realdeg.errors.UserError: missing: is not a dataset: it has no manifest.csv; ...
    """

    def __init__(
        self,
        out: str | os.PathLike[str] | Dataset,
        *,
        split: str | None = None,
        patch: int | None = None,
        augment: bool = False,
        seed: int = 0,
        partly: bool = False,
        verify: bool = False,
    ) -> None:
        found = out if isinstance(out, Dataset) else open_dataset(path(out, "out"))
        if split is not None:
            found = found.split(split)
        if verify:
            found.verify()
        self.pairs = found.only(lambda pair: partly or _valid(pair))
        if not self.pairs:
            problem = "holds only pairs that are valid in part" if len(found) else "has no pair of status ok"
            remedy = "cut out what is valid with `realdeg tile`" if len(found) else "its reasons say why"
            raise UserError(found.folder / MANIFEST, problem, remedy, exit_code=EXIT_USAGE)
        if len(found.scales) > 1:
            names = ", ".join(f"x{scale}" for scale in found.scales)
            raise UserError(found.folder, f"holds pairs of {names}", "keep one scale in a folder")
        self.scale = found.scales[0]
        self.patch = None if patch is None else whole(patch, "patch", least=1)
        self.augment = bool(augment)
        self.seed = whole(seed, "seed")
        self.partly = bool(partly)
        # Shared memory: workers that live on from epoch to epoch read what the training loop writes.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def epoch(self) -> int:
        """Which epoch's crops are drawn."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Draw the crops of another epoch, in workers, too."""
        self._epoch.fill_(whole(epoch, "epoch", least=0))

    def __getitem__(self, index: int) -> Sample:
        pair = self.pairs[index]
        parts = [(pair.lr, 1), (pair.hr, self.scale)]
        if self.partly:
            parts.append((pair.mask[..., None].astype(np.float32), 1))
        rng = stream(self.seed, f"{self.epoch}/{pair.key}", "crop")
        spot, turns = rng.random(2), rng.random(3) < 0.5
        box = self._box(pair, pair.lr.shape[:2], spot)
        turns[2] &= box[2] == box[3]
        cuts = [cut(image, box, scale) for image, scale in parts]
        made = [tensor(turned(image, turns) if self.augment else image) for image in cuts]
        sample = Sample(lr=made[0], hr=made[1], key=pair.key)
        if self.partly:
            sample["mask"] = made[2]
        return sample

    def _box(self, pair: Pair, size_hw: tuple[int, ...], spot: Array) -> tuple[int, int, int, int]:
        """Rows and columns of LR: the patch, or all."""
        height, width = size_hw
        if self.patch is None:
            return 0, 0, height, width
        if min(height, width) < self.patch:
            problem = f"is {width}x{height} px, smaller than a patch of {self.patch} px"
            raise UserError(pair.lr_path, problem, "choose a smaller patch, or take the pair out")
        y, x = (int(at * (n - self.patch + 1)) for at, n in zip(spot, size_hw, strict=True))
        return y, x, self.patch, self.patch


def _valid(pair: Pair) -> bool:
    return float(pair.record.detail.get("valid") or 1) >= 1


def cut(image: Array, box: tuple[int, int, int, int], scale: int) -> Array:
    """Part of an image: a box of LR, as seen at a scale."""
    y, x, height, width = (scale * n for n in box)
    return image[y : y + height, x : x + width]


def turned(image: Array, turns: Sequence[Any] | Array) -> Array:
    """(H, W, C) mirrored, turned upside down and transposed, where `turns` says so."""
    mirror, upside, transpose = turns
    image = image[:: -1 if upside else 1, :: -1 if mirror else 1]
    return image.transpose(1, 0, 2) if transpose else image


def tensor(image: Array) -> Tensor:
    """(H, W, C) uint8, uint16 or float32 -> (C, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(to_float(image).transpose(2, 0, 1)))
