"""How good networks are, while they learn and afterwards: the one protocol for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from realdeg.errors import UserError
from realdeg.imaging.resample import resize
from realdeg.metrics.psnr import psnr_y
from realdeg.metrics.ssim import WINDOW, ssim_y
from train.cache import check_sizes, decoded
from train.machine import Machine
from train.pairs import Pair
from train.restore.model import Model


def check_measurable(key: str, hr: np.ndarray, scale: int) -> None:
    """Refuse an image that is smaller than the window of SSIM after shaving.

    Raises:
        UserError: names the pair.
    """
    h, w = hr.shape[:2]
    if min(h, w) - 2 * scale < WINDOW:
        problem = f"its HR is {w}x{h}, too small to measure SSIM with {scale} px shaved off"
        raise UserError(key, problem, "give it to split train, or remove its row from manifest.csv")


def scores(sr: np.ndarray, hr: np.ndarray, scale: int) -> dict[str, float]:
    """PSNR-Y (dB) and SSIM-Y of two (H, W, 3) uint8 images, `scale` pixels shaved off each side."""
    return {"psnr_y": psnr_y(sr, hr, shave=scale), "ssim_y": ssim_y(sr, hr, shave=scale)}


def bicubic_scores(lr: np.ndarray, hr: np.ndarray, scale: int) -> dict[str, float]:
    """The same for LR enlarged by MATLAB's bicubic."""
    return {f"{name}_bicubic": value for name, value in scores(resize(lr, scale), hr, scale).items()}


def spread(pairs: Sequence[Pair], count: int) -> Sequence[Pair]:
    """`count` of the pairs at even distances, so that every camera or folder is seen; 0 = all."""
    if not 0 < count < len(pairs):
        return pairs
    return [pairs[i * len(pairs) // count] for i in range(count)]


def checker(
    pairs: Sequence[Pair],
    machine: Machine,
    tree: nn.Module,
    fusion: nn.Module | None,
    scale: int,
    folder: Path,
) -> Callable[[int], dict[str, float]]:
    """Judge of the networks on whole images: PSNR-Y and SSIM-Y beside those of bicubic, means over pairs."""
    lr, hr = (decoded([getattr(pair, side) for pair in pairs], folder) for side in ("lr", "hr"))
    check_sizes([pair.key for pair in pairs], lr, hr, scale=scale)
    for pair, large in zip(pairs, hr, strict=True):
        check_measurable(pair.key, large, scale)
    model = Model(tree, fusion, scale, replace(machine, bf16=False))  # the figures that evaluate will print
    known: list[dict[str, float]] = []

    def check(done: int) -> dict[str, float]:
        if not known:
            known.extend(bicubic_scores(small, large, scale) for small, large in zip(lr, hr, strict=True))
        found = [scores(model(small), large, scale) for small, large in zip(lr, hr, strict=True)]
        rows = [{**mine, **theirs} for mine, theirs in zip(found, known, strict=True)]
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}

    return check
