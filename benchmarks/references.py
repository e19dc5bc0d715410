"""Whether a RefVAE uses its references: style distances to the given picture and to others.

python benchmarks/references.py --run RUN --references PICTURES --hr IMAGES [--vgg-weights FILE]

HR images are reduced by MATLAB's bicubic and enlarged with each reference, as the mode of its code, without
and with the consistency projection. Style distance is the training's (mean and variance of features at
relu1_2, 2_2, 3_4, 4_1), through the network that the model looks through, mean over images and references.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from realdeg.imaging.square import fitted
from realdeg.metrics.lr_psnr import lr_psnr
from realdeg.metrics.psnr import psnr_y
from realdeg.settings import from_mapping
from train.data.sources import from_hr
from train.losses.style import STYLE, statistics, style_distance
from train.refvae.build import seen_through
from train.refvae.settings import RefVAESettings
from train.restore.enforced import How, enforced
from train.restore.guides import Pictures, guide
from train.restore.inference_settings import InferenceOptions
from train.restore.model import tensor, to_uint8
from train.restore.models import opened, restored
from train.restore.refvae import RefVAE


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--references", type=Path, required=True)
    parser.add_argument("--hr", type=Path, required=True)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--vgg-weights", type=Path)
    given = parser.parse_args()
    found = opened(given.run, None)
    model = restored(found, InferenceOptions(device="cpu", vgg_weights=given.vgg_weights))
    assert isinstance(model, RefVAE)
    settings = from_mapping(RefVAESettings, dict(found.about["settings"]), str(found.weights))
    features = seen_through(settings, STYLE, given.vgg_weights).eval()
    everything = guide(str(given.references))
    assert isinstance(everything, Pictures)
    some = everything.paths[:: max(1, len(everything) // given.count)][: given.count]
    references = Pictures(some)
    images = [source.read() for source in from_hr(given.hr, "matlab_bicubic", model.scale)]

    def style(image: Tensor) -> list[tuple[Tensor, Tensor]]:
        with torch.inference_mode():
            return statistics(features(image))

    def apart(one: list[tuple[Tensor, Tensor]], other: list[tuple[Tensor, Tensor]]) -> float:
        return float(style_distance(one, other))

    wanted = [style(tensor(fitted(picture, model.side))) for picture in references]
    print(f"{len(images)} images, {len(some)} references")
    print("| image | style to its reference | to another | between references, levels | PSNR-Y | LR-PSNR |")
    print("|---|---|---|---|---|---|")
    ways: list[tuple[str, How | None]] = [("bicubic", None), ("RefVAE", "none"), ("projected", "project")]
    for name, how in ways:
        own, other, levels, psnr, reduced = [], [], [], [], []
        for lr, hr in images:
            samplers = [model.sampler(lr, [picture]) for picture in (references if how else references[:1])]
            made = [
                s.large.clamp(0, 1) if how is None else enforced(s.mode(), lr, model.scale, how).clamp(0, 1)
                for s in samplers
            ]
            made *= len(some) // len(made)
            for i, image in enumerate(made):
                mine = style(image[None])
                own.append(apart(mine, wanted[i]))
                other += [apart(mine, theirs) for k, theirs in enumerate(wanted) if k != i]
                psnr.append(psnr_y(to_uint8(image), hr, shave=model.scale))
                reduced.append(lr_psnr(to_uint8(image), hr, scale=model.scale))
            levels += [255 * float((a - b).abs().mean()) for a, b in pairwise(made)]
        row = (np.mean(own), np.mean(other), np.mean(levels), np.mean(psnr), np.mean(reduced))
        print("| " + " | ".join([name, *(f"{value:.3f}" for value in row)]) + " |", flush=True)


if __name__ == "__main__":
    main()
