"""A trained D2C-SR as a function of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from train.machine import Machine
from train.nets.host import SinglePath
from train.nets.tree import TreeNet
from train.restore.tiling import upscale_tiled


@dataclass(frozen=True)
class Model:
    """Networks, their scale and the machine they run on.

    Attributes:
        tree: lr (B, 3, h, w) -> predictions (B, P, 3, s h, s w).
        fusion: predictions -> fused image (B, 3, s h, s w) and weights; None = plain mean of the branches.
        scale: s.
        tile: side of a tile in LR pixels; larger images are cut, so that memory stays bounded.
        project: make the fused image agree with LR (`realdeg.imaging.consistency`).
    """

    tree: TreeNet | SinglePath
    fusion: nn.Module | None
    scale: int
    machine: Machine
    tile: int = 256
    project: bool = False

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 or uint16 RGB -> (s h, s w, 3) uint8 RGB."""
        return to_uint8(self.predict(lr)[0])

    def predict(self, lr: np.ndarray) -> Tensor:
        """Fused image, then the P predictions of the branches.

        Args:
            lr: (h, w, 3) uint8 or uint16 RGB.

        Returns:
            (1 + P, 3, s h, s w) float32 in about [0, 1], on the CPU, not clamped.
        """
        whole = torch.from_numpy(lr.astype(np.float32) / np.iinfo(lr.dtype).max).permute(2, 0, 1)[None]
        was_training = self.tree.training
        self.tree.eval()
        with torch.inference_mode():
            lr_image = self.machine.bring(whole)
            with self.machine.autocast():
                out = upscale_tiled(self.tree, self.fusion, lr_image, scale=self.scale, tile=self.tile)
            if self.project:
                out[0] = _projected(out[0].permute(1, 2, 0).numpy(), lr, self.scale)
        self.tree.train(was_training)
        return out


@dataclass(frozen=True)
class Bicubic:
    """MATLAB's bicubic as a model: what needs no training.

    Attributes:
        scale: s.
        project: make the image agree with LR.
    """

    scale: int
    project: bool = False

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 or uint16 RGB -> (s h, s w, 3) uint8 RGB."""
        return to_uint8(self.predict(lr)[0])

    def predict(self, lr: np.ndarray) -> Tensor:
        """The image alone, (1, 3, s h, s w) float32 in about [0, 1]; arguments as `Model.predict`."""
        from realdeg.imaging.resample import resize

        image = resize(lr.astype(np.float32) / np.iinfo(lr.dtype).max, self.scale)
        if self.project:
            return _projected(image, lr, self.scale)[None]
        return torch.from_numpy(image).permute(2, 0, 1)[None]


def _projected(image: np.ndarray, lr: np.ndarray, scale: int) -> Tensor:
    from realdeg.imaging.consistency import project

    closest = project(image, lr.astype(np.float32) / np.iinfo(lr.dtype).max, scale)
    return torch.from_numpy(closest).permute(2, 0, 1)


def to_uint8(image: Tensor) -> np.ndarray:
    """(3, H, W) float in [0, 1] -> (H, W, 3) uint8, rounded once."""
    from realdeg.io.save import to_uint

    return to_uint(np.ascontiguousarray(image.permute(1, 2, 0).numpy()))
