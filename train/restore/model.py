"""A trained D2C-SR as a function of images."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from realdeg.imaging.depth import to_float
from train.machine import Machine
from train.nets.host import SinglePath
from train.nets.tree import TreeNet
from train.restore.tiling import upscale_tiled


class Upscaler(Protocol):
    """What makes HR images of LR images."""

    @property
    def scale(self) -> int:
        """HR / LR size."""
        ...

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 or uint16 RGB -> (s h, s w, 3) of the same type."""
        ...

    def predict(self, lr: np.ndarray) -> Tensor:
        """The image, then those that it was made of, if any.

        Args:
            lr: (h, w, 3) uint8 or uint16 RGB.

        Returns:
            (1 + P, 3, s h, s w) float32 in about [0, 1], on the CPU, not clamped.
        """
        ...


class Trained(Upscaler, Protocol):
    """An enlarger with networks."""

    @property
    def machine(self) -> Machine:
        """Where they run."""
        ...


@runtime_checkable
class Base(Protocol):
    """A trained model that another one can be built on."""

    @property
    def nets(self) -> Mapping[str, nn.Module]:
        """Its networks by their names in a checkpoint."""
        ...

    def enlarge(self, lr: Tensor) -> Tensor:
        """(B, 3, h, w) in [0, 1] -> (B, 3, s h, s w) float32, both on the device, without history."""
        ...


@dataclass(frozen=True)
class D2CSR:
    """Networks, their scale and the machine they run on.

    Attributes:
        tree: lr (B, 3, h, w) -> predictions (B, P, 3, s h, s w).
        fusion: predictions -> fused image (B, 3, s h, s w) and weights; None = plain mean of the branches.
        scale: s.
        tile: side of a tile in HR pixels; larger images are cut, so that memory stays bounded.
        project: make the fused image agree with LR (`realdeg.imaging.consistency`).
        ensemble: mean over the eight ways to turn and mirror the image (self-ensemble; Lim et al., 2017).
    """

    tree: TreeNet | SinglePath
    fusion: nn.Module | None
    scale: int
    machine: Machine
    tile: int = 512
    project: bool = False
    ensemble: bool = False

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 or uint16 RGB -> (s h, s w, 3) of the same type."""
        return like(lr, self._made(lr, branches=False)[0])

    def predict(self, lr: np.ndarray) -> Tensor:
        """Fused image, then the P predictions of the branches.

        Args:
            lr: (h, w, 3) uint8 or uint16 RGB.

        Returns:
            (1 + P, 3, s h, s w) float32 in about [0, 1], on the CPU, not clamped.
        """
        return self._made(lr, branches=True)

    @property
    def nets(self) -> dict[str, nn.Module]:
        """Its networks by their names in a checkpoint."""
        return {"tree": self.tree} if self.fusion is None else {"tree": self.tree, "fusion": self.fusion}

    def enlarge(self, lr: Tensor) -> Tensor:
        """(B, 3, h, w) in [0, 1] -> the fused images (B, 3, s h, s w) float32, in one piece."""
        with torch.no_grad(), self.machine.autocast():
            pred = self.tree(lr)
            image: Tensor = self.fusion(pred)[0] if self.fusion is not None else pred.mean(1)
        return image.float()

    def weigh(self, predictions: Tensor) -> Tensor | None:
        """How much the fusion takes of each prediction: (P, H, W) from (P, 3, H, W); None without fusion."""
        if self.fusion is None:
            return None
        with torch.inference_mode(), self.machine.autocast():
            weights: Tensor = self.fusion(predictions[None].to(self.machine.device))[1]
        return weights[0].float().cpu()

    def _made(self, lr: np.ndarray, *, branches: bool) -> Tensor:
        """(1 + P, 3, s h, s w), or without branches (1, 3, s h, s w): a fifth of the memory at P = 4."""

        def once(whole: Tensor) -> Tensor:
            lr_image = self.machine.bring(whole)
            with self.machine.autocast():
                return upscale_tiled(
                    self.tree, self.fusion, lr_image, scale=self.scale, tile=self.tile, branches=branches
                )

        was_training = self.tree.training
        self.tree.eval()
        with torch.inference_mode():
            out = self_ensemble(once, tensor(lr)) if self.ensemble else once(tensor(lr))
            if self.project:
                out[0] = projected(out[0].permute(1, 2, 0).numpy(), lr, self.scale)
        self.tree.train(was_training)
        return out


def tensor(lr: np.ndarray) -> Tensor:
    """(h, w, 3) uint8 or uint16 -> (1, 3, h, w) float32 in [0, 1], on the CPU."""
    return torch.from_numpy(to_float(lr)).permute(2, 0, 1)[None]


def self_ensemble(enlarge: Callable[[Tensor], Tensor], whole: Tensor) -> Tensor:
    """Mean over the eight ways to turn and mirror LR, turned back (self-ensemble; Lim et al., 2017).

    Args:
        enlarge: LR (1, 3, h, w) -> images (K, 3, s h, s w).
        whole: LR.
    """
    seen = (_turned_back(enlarge(_turned(whole, i)), i) for i in range(8))
    return functools.reduce(torch.add, seen) / 8


def _turned(images: Tensor, i: int) -> Tensor:
    """One of the eight: mirrored where bit 0 is set, upside down by bit 1, transposed by bit 2."""
    flipped = images.flip([axis for bit, axis in ((1, -1), (2, -2)) if i & bit])
    return flipped.transpose(-1, -2) if i & 4 else flipped


def _turned_back(images: Tensor, i: int) -> Tensor:
    upright = images.transpose(-1, -2) if i & 4 else images
    return upright.flip([axis for bit, axis in ((1, -1), (2, -2)) if i & bit])


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
        """(h, w, 3) uint8 or uint16 RGB -> (s h, s w, 3) of the same type."""
        return like(lr, self.predict(lr)[0])

    def predict(self, lr: np.ndarray) -> Tensor:
        """The image alone, (1, 3, s h, s w) float32 in about [0, 1]; arguments as `Model.predict`."""
        from realdeg.imaging.resample import resize

        image = resize(to_float(lr), self.scale)
        if self.project:
            return projected(image, lr, self.scale)[None]
        return torch.from_numpy(image).permute(2, 0, 1)[None]


def projected(image: np.ndarray, lr: np.ndarray, scale: int) -> Tensor:
    """The closest image that agrees with LR.

    Args:
        image: (s h, s w, 3) float.
        lr: (h, w, 3) uint8 or uint16.

    Returns:
        (3, s h, s w) float32 in [0, 1].
    """
    from realdeg.imaging.consistency import project

    closest = project(image, to_float(lr), scale)
    return torch.from_numpy(closest).permute(2, 0, 1)


def like(lr: np.ndarray, image: Tensor) -> np.ndarray:
    """(3, s h, s w) float in [0, 1] -> (s h, s w, 3) of LR's type, rounded once."""
    from realdeg.io.save import to_uint

    return to_uint(np.ascontiguousarray(image.permute(1, 2, 0).numpy()), lr.dtype.type)


def to_uint8(image: Tensor) -> np.ndarray:
    """(3, H, W) float in [0, 1] -> (H, W, 3) uint8, rounded once."""
    from realdeg.io.save import to_uint

    return to_uint(np.ascontiguousarray(image.permute(1, 2, 0).numpy()))
