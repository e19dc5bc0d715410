"""Crops mirrored and turned in a batch, LR and HR alike.

Flips are kornia's, which are exact. Its rotations by 90 degrees are not (they resample: 4e-5 off, in three
times the time), so the third of the eight orientations' parts is a transposition.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from realdeg.arraytypes import Array
from realdeg.inputs import BadInput
from realdeg.seeds import stream
from realdeg.torch import checks
from realdeg.torch.steps import Stepped


class Augment(Stepped):
    """Each image of a batch in one of its eight orientations, drawn anew at each call.

    Args:
        seed: equal seeds and steps give equal draws on every device.

    Shape:
        any number of batches (B, C, H, W), float or uint8 -> the same shapes; image i of each is turned
        alike. Images that are not square are mirrored, but not transposed.

    Raises:
        BadInput: no batches of RGB images, or of different numbers.

    Example:
        >>> import torch, realdeg.torch
        >>> augment = realdeg.torch.Augment(seed=1)
        >>> hr = torch.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4) / 96
        >>> lr, same = augment(hr[..., ::2, ::2], hr)
        >>> lr.shape, same.shape
        (torch.Size([2, 3, 2, 2]), torch.Size([2, 3, 4, 4]))
        >>> int(augment.step)
        1
    """

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed)

    def forward(self, *batches: Tensor) -> tuple[Tensor, ...] | Tensor:
        """The batches, turned; one alone is returned as it is, several as a tuple."""
        for place, images in enumerate(batches):
            checks.batch(images, f"batch {place}")
            if len(images) != len(batches[0]):
                raise BadInput(
                    f"batch {place}",
                    f"has {len(images)} images, not {len(batches[0])}",
                    "give LR and HR alike",
                )
        if not batches:
            return ()
        turns = stream(self.seed, self.next_step(), "augment").random((len(batches[0]), 3)) < 0.5
        if any(images.shape[-1] != images.shape[-2] for images in batches):
            turns[:, 2] = False
        made = tuple(oriented(images, turns) for images in batches)
        return made if len(made) > 1 else made[0]


def oriented(images: Tensor, turns: Array) -> Tensor:
    """Images mirrored, turned upside down and transposed.

    Args:
        images: (B, C, H, W); square where any is transposed.
        turns: (B, 3) bool: which of the three happens to each, in this order.
    """
    from kornia.geometry.transform import hflip, vflip

    parts: tuple[Callable[[Tensor], Tensor], ...] = (hflip, vflip, lambda x: x.transpose(-1, -2))
    for part, chosen in zip(parts, turns.T, strict=True):
        if chosen.any():
            at = torch.from_numpy(np.flatnonzero(chosen)).to(images.device)
            images = images.index_copy(0, at, part(images.index_select(0, at)).contiguous())
    return images
