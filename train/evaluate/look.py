"""What a network made of a pair, for the eye: crops of the same place, and the weights of its branches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from realdeg.imaging.detail import busiest
from realdeg.imaging.resample import resize
from realdeg.report.evaluation import heat
from train.losses.divergence import ideal_fusion
from train.restore.model import D2CSR, Upscaler, to_uint8

SIDE = 192  # HR px
REACH = 4  # px beyond a crop that its weights depend on: the fusion has three 3x3 convolutions


@dataclass(frozen=True)
class Look:
    """Pictures of one place of a pair, (H, W, 3) uint8 each.

    Attributes:
        crops: by what they are: LR's pixels, bicubic, branches, fusion, HR.
        maps: weights of the branches in [0, 1], (H, W) float32, by name, one row a parent.
    """

    crops: dict[str, np.ndarray]
    maps: tuple[dict[str, np.ndarray], ...] = ()

    def heat_maps(self) -> list[dict[str, np.ndarray]]:
        """The maps in colours, blue at 0, red at 1."""
        return [{name: heat(map_) for name, map_ in row.items()} for row in self.maps]


@dataclass(frozen=True)
class CropWindow:
    """One place of a pair, the same in every image of it.

    Attributes:
        scale: HR / LR size.
        small: the place in LR.
    """

    scale: int
    small: tuple[slice, slice]

    @property
    def large(self) -> tuple[slice, slice]:
        """The place in HR."""
        rows, columns = (slice(self.scale * part.start, self.scale * part.stop) for part in self.small)
        return rows, columns

    def crop(self, image: np.ndarray | Tensor) -> np.ndarray:
        """The place in (H, W, 3) uint8, or in (3, H, W) float of [0, 1], as uint8."""
        if isinstance(image, Tensor):
            return to_uint8(image[(..., *self.large)])
        return np.ascontiguousarray(image[self.large])

    def first(self, lr: np.ndarray) -> dict[str, np.ndarray]:
        """What every look begins with: LR's pixels, and bicubic."""
        pixels = np.repeat(np.repeat(lr[self.small], self.scale, 0), self.scale, 1)
        return {"LR": pixels, "bicubic": self.crop(np.asarray(resize(lr, self.scale)))}


def window(lr: np.ndarray, scale: int) -> CropWindow:
    """The place with most detail of (h, w, 3) uint8, at most `SIDE` HR px a side."""
    height, width = (max(1, min(SIDE // scale, side)) for side in lr.shape[:2])
    top, left = busiest(lr, height, width)
    return CropWindow(scale, (slice(top, top + height), slice(left, left + width)))


def look(model: Upscaler, lr: np.ndarray, hr: np.ndarray, images: Tensor, *, best: int | None = None) -> Look:
    """The crop with most detail of a pair.

    Args:
        model: that made the images.
        lr: (h, w, 3) uint8.
        hr: (s h, s w, 3) uint8.
        images: fused image and P predictions, (1 + P, 3, s h, s w), of `model.predict`.
        best: shows this branch alone; None: all.
    """
    place = window(lr, model.scale)
    crops = place.first(lr)
    leaves = images[1:]
    if len(leaves) > 1:
        for i in range(len(leaves)) if best is None else [best]:
            name = f"branch {i + 1}" if best is None else f"best branch ({i + 1})"
            crops[name] = place.crop(leaves[i])
    crops["fusion" if len(leaves) > 1 else "model"] = place.crop(images[0])
    truth = place.crop(hr)
    if len(leaves) > 1:
        wanted = torch.tensor(truth).permute(2, 0, 1)[None].float() / 255
        crops["ideal fusion"] = to_uint8(ideal_fusion(leaves[(..., *place.large)][None], wanted)[0])
    crops["HR"] = truth
    return Look(crops, _maps(model, leaves, place.large))


def _maps(model: Upscaler, leaves: Tensor, there: tuple[slice, slice]) -> tuple[dict[str, np.ndarray], ...]:
    if not isinstance(model, D2CSR) or len(leaves) < 2:
        return ()
    starts = [max(0, part.start - REACH) for part in there]
    around = tuple(slice(start, part.stop + REACH) for start, part in zip(starts, there, strict=True))
    inner = tuple(
        slice(part.start - start, part.stop - start) for start, part in zip(starts, there, strict=True)
    )
    weights = model.weigh(leaves[..., around[0], around[1]])
    if weights is None:
        return ()
    maps = weights[..., inner[0], inner[1]].numpy()
    arity = getattr(model.tree, "arity", 2)
    return tuple(
        {f"weight {i + 1}": maps[i] for i in range(first, min(first + arity, len(maps)))}
        for first in range(0, len(maps), arity)
    )


def montage(rows: list[list[np.ndarray]], gap: int = 4) -> np.ndarray:
    """Pictures of one size in rows, white between them: (H, W, 3) uint8."""
    height, width = rows[0][0].shape[:2]
    columns = max(len(row) for row in rows)
    sheet = np.full((len(rows) * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            top, left = y * (height + gap), x * (width + gap)
            sheet[top : top + height, left : left + width] = picture
    return sheet
