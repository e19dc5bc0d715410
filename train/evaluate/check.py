"""How good networks are, while they learn and afterwards: the one protocol for both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from realdeg.imaging.resample import resize
from realdeg.metrics.psnr import Convention, psnr_y
from realdeg.metrics.ssim import ssim_y
from train.data.cache import check_measurable, check_sizes, decoded
from train.data.pairs import Pair
from train.restore.model import Upscaler


def scores(sr: np.ndarray, hr: np.ndarray, scale: int, convention: str = "standard") -> dict[str, float]:
    """PSNR-Y (dB) and SSIM-Y of two (H, W, 3) uint8 images.

    Args:
        scale: HR / LR size.
        convention: "standard" shaves `scale` pixels off each side; "d2c" is D2C-SR's official code in RGB
            order (`realdeg.metrics`), whose SSIM shaves nothing; "no-border" is the standard without
            shaving, as benchmarks of real pairs have it.
    """
    form: Convention = "d2c" if convention == "d2c" else "standard"
    shave = 0 if convention == "no-border" else scale
    return {
        "psnr_y": psnr_y(sr, hr, shave=shave, convention=form),
        "ssim_y": ssim_y(sr, hr, shave=0 if form == "d2c" else shave, convention=form),
    }


def bicubic_scores(
    lr: np.ndarray, hr: np.ndarray, scale: int, convention: str = "standard"
) -> dict[str, float]:
    """The same for LR enlarged by MATLAB's bicubic."""
    found = scores(resize(lr, scale), hr, scale, convention)
    return {f"{name}_bicubic": value for name, value in found.items()}


def spread(pairs: Sequence[Pair], count: int) -> Sequence[Pair]:
    """`count` of the pairs at even distances, so that every camera or folder is seen; 0 = all."""
    if not 0 < count < len(pairs):
        return pairs
    return [pairs[i * len(pairs) // count] for i in range(count)]


def checker(pairs: Sequence[Pair], model: Upscaler, folder: Path) -> Checker:
    """Judge of a model on pairs of a dataset, whose decoded images lie in `folder`.

    Raises:
        UserError: HR is not `scale` times LR, or too small to be measured.
    """
    lr = decoded([pair.lr for pair in pairs], folder, hashes=[pair.lr_sha256 for pair in pairs])
    hr = decoded([pair.hr for pair in pairs], folder, hashes=[pair.hr_sha256 for pair in pairs])
    check_sizes([pair.key for pair in pairs], lr, hr, scale=model.scale)
    for pair, large in zip(pairs, hr, strict=True):
        check_measurable(pair.key, large, model.scale)
    return Checker(model, lr, hr)


class Checker:
    """Judge of a model on whole images.

    Args:
        model: whose networks go on learning between calls.
        lr, hr: pairs, (h, w, 3) and (s h, s w, 3) uint8.
    """

    def __init__(self, model: Upscaler, lr: Sequence[np.ndarray], hr: Sequence[np.ndarray]) -> None:
        self.model, self.lr, self.hr = model, lr, hr
        self.bicubic: list[dict[str, float]] = []

    def __call__(self, done: int) -> dict[str, float]:
        """PSNR-Y and SSIM-Y beside those of bicubic, means over the pairs."""
        s, pairs = self.model.scale, list(zip(self.lr, self.hr, strict=True))
        if not self.bicubic:
            self.bicubic = [bicubic_scores(small, large, s) for small, large in pairs]
        found = [scores(self.model(small), large, s) for small, large in pairs]
        rows = [{**mine, **theirs} for mine, theirs in zip(found, self.bicubic, strict=True)]
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}

    def picture(self) -> np.ndarray:
        """A crop of the first pair: LR, bicubic, branches, fusion, HR, and the weights below them."""
        from train.evaluate.look import look, montage

        seen = look(self.model, self.lr[0], self.hr[0], self.model.predict(self.lr[0]))
        return montage([list(seen.crops.values()), *(list(row.values()) for row in seen.heat_maps())])
