"""How good the samples of a photo are: near to HR, true to LR, and different where it matters.

As in the toolkit of the NTIRE 2021 challenge "Learning the Super-Resolution Space", images are rounded to 8
bits first, and LPIPS, diversity and LR-PSNR are of HR cropped to multiples of 8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from realdeg.imaging.resample import resize
from realdeg.metrics.blockiness import blockiness
from realdeg.metrics.diversity import Diversity, squared_error_map
from realdeg.metrics.lr_psnr import lr_psnr
from realdeg.report.evaluation import heat
from train.evaluate.check import bicubic_scores, scores
from train.evaluate.distance import Distance
from train.evaluate.look import Look, window
from train.evaluate.pair_evaluation import PairScores
from train.evaluate.settings import EvaluateSettings
from train.losses.perceptual import LPIPS
from train.restore.enforced import How, enforced
from train.restore.model import to_uint8
from train.restore.moments import Moments
from train.restore.space import Guide, Space

MULTIPLE = 8  # of px that the toolkit crops HR to
SHOWN = 4  # samples on the page
LEGEND = (
    "The crop with most detail of each pair. The mode is the image at the posterior's mean, where nothing is "
    "drawn; the mean is that of all samples. The deviation is that of the samples at each pixel, from blue, "
    "none, to red, the level named and above."
)


@dataclass(frozen=True)
class Sampling:
    """What is drawn of each photo.

    Attributes:
        samples: how many.
        seed: of the first; the others follow.
        guide: what samples lean on, see `train.restore.space`; "hr": each photo's own HR.
        how: what makes every image agree with LR: "none", "project" or "cem".
    """

    samples: int = EvaluateSettings.samples
    seed: int = EvaluateSettings.sample_seed
    guide: Guide | None = None
    how: How = "none"


def measure(
    space: Space,
    lr: np.ndarray,
    hr: np.ndarray,
    sampling: Sampling,
    *,
    convention: str = "standard",
    lpips: LPIPS | None = None,
) -> PairScores:
    """Draw samples of one photo, one after the other, and judge them; memory doesn't depend on their number.

    Args:
        space: the model.
        lr: (h, w, 3) uint8.
        hr: (s h, s w, 3) uint8.
        sampling: what is drawn.
        convention: of PSNR-Y and SSIM-Y, see `train.evaluate.check.scores`.
        lpips: measures LPIPS too; on the device where it is to run.

    Returns:
        Figures by the names of `train.evaluate.score_table.SPACE_COLUMNS`, and the mode as the image.

    Raises:
        UserError: the model cannot open the photo, or HR is too small for LPIPS.
    """
    scale = space.scale
    truth = _cropped(hr)
    distance = Distance(lpips, truth) if lpips is not None else None
    place = window(lr, scale)
    sampler = space.sampler(lr, [hr] if sampling.guide == "hr" else sampling.guide)
    crops = place.first(lr)
    mode = to_uint8(enforced(sampler.mode(), lr, scale, sampling.how))
    crops["mode"] = crops["mean"] = place.crop(mode)  # the mean comes last and stands here
    by_lpips, by_squares, moments = Diversity(), Diversity(), Moments()
    consistent, seams, fidelity = [], [], []
    for k in range(sampling.samples):
        image = enforced(sampler.draw(sampling.seed + k), lr, scale, sampling.how).clamp(0, 1)
        sr = to_uint8(image)
        moments.add(image)
        by_squares.add(squared_error_map(_cropped(sr), truth))
        if distance:
            by_lpips.add(distance.map(_cropped(sr)))
        consistent.append(lr_psnr(sr, hr, scale=scale))
        fidelity.append(scores(sr, hr, scale, convention))
        seams.append(blockiness(sr, scale))
        if k < SHOWN:
            crops[f"sample {k + 1}"] = place.crop(sr)
    mean = to_uint8(moments.mean)
    crops["mean"] = place.crop(mean)
    deviation = 255 * moments.std.square().mean(0).sqrt().numpy().astype(np.float32)
    red = max(1.0, float(np.quantile(deviation, 0.995)))
    crops[f"deviation, red {red:.1f} levels"] = np.ascontiguousarray(heat(deviation[place.large] / red))
    crops["HR"] = place.crop(hr)
    best = max(fidelity, key=lambda one: one["psnr_y"])
    row: dict[str, float] = {
        **bicubic_scores(lr, hr, scale, convention),
        **scores(mode, hr, scale, convention),
        **_named(scores(mean, hr, scale, convention), "mean"),
        **_named({name: _mean([one[name] for one in fidelity]) for name in best}, "sample"),
        **_named(best, "best"),
        "lr_psnr": lr_psnr(mode, hr, scale=scale),
        "lr_psnr_sample": _mean(consistent),
        "lr_psnr_worst": min(consistent),
        "diversity_mse": by_squares.score,
        "std_8bit": float(deviation.mean(dtype=np.float64)),
        "seams": _mean(seams),
        "clipped_percent": 100 * float(np.isin(hr, (0, 255)).mean()),
    }
    if distance:
        row |= {
            "lpips_bicubic": distance(_cropped(np.asarray(resize(lr, scale)))),
            "lpips": distance(_cropped(mode)),
            "lpips_sample": by_lpips.mean,
            "diversity": by_lpips.score,
        }
    return PairScores(row, mode, Look(crops))


def _cropped(image: np.ndarray) -> np.ndarray:
    height, width = (n // MULTIPLE * MULTIPLE for n in image.shape[:2])
    return np.ascontiguousarray(image[:height, :width])


def _named(found: dict[str, float], of: str) -> dict[str, float]:
    return {f"{name}_{of}": value for name, value in found.items()}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
