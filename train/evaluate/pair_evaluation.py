"""How good the image of a photo is, and the branches it was made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from realdeg.imaging.resample import resize
from realdeg.metrics.lr_psnr import lr_psnr
from realdeg.metrics.psnr import Convention, psnr_y
from train.evaluate.check import bicubic_scores, scores
from train.evaluate.distance import Distance
from train.evaluate.look import Look, look
from train.losses.divergence import ideal_fusion
from train.losses.perceptual import LPIPS
from train.restore.model import Upscaler, to_uint8

LEGEND = (
    "The crop with most detail of each pair. The ideal fusion takes at each pixel the branch that is nearest "
    "to HR. Weights run from blue, 0, to red, 1; branches of one parent share a row."
)


@dataclass(frozen=True)
class PairScores:
    """What was found of a pair.

    Attributes:
        row: figures, by the names of `train.evaluate.score_table`.
        image: of the model, (s h, s w, 3) uint8; None without a model.
        seen: pictures of one place; None without a model.
        branches: PSNR-Y of each, dB.
    """

    row: dict[str, float]
    image: np.ndarray | None = None
    seen: Look | None = None
    branches: tuple[float, ...] = ()


def measure(
    model: Upscaler | None,
    lr: np.ndarray,
    hr: np.ndarray,
    scale: int,
    *,
    convention: str = "standard",
    lpips: LPIPS | None = None,
) -> PairScores:
    """Figures of one pair.

    Args:
        model: None: of bicubic alone.
        lr: (h, w, 3) uint8.
        hr: (s h, s w, 3) uint8.
        scale: s.
        convention: of PSNR-Y and SSIM-Y, see `train.evaluate.check.scores`.
        lpips: measures LPIPS too; on the device where it is to run.

    Raises:
        UserError: HR is too small for LPIPS.
    """
    distance = Distance(lpips, hr) if lpips is not None else None
    row = bicubic_scores(lr, hr, scale, convention)
    if distance:
        row["lpips_bicubic"] = distance(np.asarray(resize(lr, scale)))
    if model is None:
        return PairScores(row)
    images = model.predict(lr)
    sr, leaves = to_uint8(images[0]), images[1:]
    row |= scores(sr, hr, scale, convention)
    row["lr_psnr"] = lr_psnr(sr, hr, scale=scale)
    if distance:
        row["lpips"] = distance(sr)
    branches: tuple[float, ...] = ()
    if len(leaves) > 1:
        ideal = ideal_fusion(leaves[None], _tensor(hr)[None])[0]
        branches = tuple(_psnr(leaf, hr, scale, convention) for leaf in leaves)
        row["psnr_y_branch_mean"] = _psnr(leaves.mean(0), hr, scale, convention)
        row["psnr_y_branch_best"] = max(branches)
        row["psnr_y_ideal"] = _psnr(ideal, hr, scale, convention)
    best = max(range(len(branches)), key=branches.__getitem__) if branches else None
    return PairScores(row, sr, look(model, lr, hr, images, best=best), branches)


def _psnr(image: Tensor, hr: np.ndarray, scale: int, convention: str) -> float:
    form: Convention = "d2c" if convention == "d2c" else "standard"
    return psnr_y(to_uint8(image), hr, shave=0 if convention == "no-border" else scale, convention=form)


def _tensor(image: np.ndarray) -> Tensor:
    return torch.tensor(image).permute(2, 0, 1).float() / 255
