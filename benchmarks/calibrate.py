"""Does a calibrated camera imitate the camera? Against presets, on pairs held aside, in the same run.

    python benchmarks/calibrate.py --pairs FOLDER [--prefix TEXT ...] [--swap] [--seeds 2]

FOLDER holds registered pairs in LR/ and HR/, x4 (RealSR); with --prefix, files that begin with TEXT are a
camera of their own (Canon, Nikon). Every second pair is held aside. `realdeg calibrate` sees the others; LR
is then made of the HR held aside by its recipe, by each preset, and by kernels that `realdeg kernels` learns
from the LR photos of the first half alone.

PSNR is to the real LR of the same scene, after the best gain and offset of each channel, four pixels of
border left out. The domain distance is to the real LR of the first half, other scenes. Means over seeds.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
from matched import matched_psnr

from realdeg.camera.folder import calibrate
from realdeg.camera.settings import CalibrateSettings
from realdeg.dataset.adopt import adopt_folders
from realdeg.degrade.folder import degrade_folder
from realdeg.degrade.settings import DegradeSettings
from realdeg.io.find import find_images
from realdeg.io.photo import read
from realdeg.kernels.folder import estimate_photos
from realdeg.kernels.settings import KernelSettings
from realdeg.layout import pair_paths
from realdeg.metrics.domain import domain_distance
from realdeg.metrics.photo_statistics import describe
from realdeg.pools.kernel_pool import KernelPool

SCALE = 4


def halves(pairs: Path, prefix: str, out: Path, swap: bool) -> None:
    """Every second pair of a camera into out/seen, the others into out/aside; or the other way round."""
    names = [one.path.name for one in find_images(pairs / "LR") if one.path.name.startswith(prefix)]
    for number, name in enumerate(names):
        for side in ("LR", "HR"):
            target = out / ("aside" if number % 2 != swap else "seen") / side / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(pairs / side / name, target)


def compare(name: str, work: Path, seeds: int) -> None:
    """The table of one camera."""
    adopt_folders(work / "seen" / "LR", work / "seen" / "HR", work / "pairs", scale=SCALE)
    calibrate(work / "pairs", work / "camera", CalibrateSettings(SCALE))
    alone = work / "alone.npz"
    estimate_photos(work / "seen" / "LR", alone, KernelSettings(SCALE))
    noise, fitted = work / "camera" / "noise.npz", work / "camera" / "kernels.npz"
    pool = KernelPool.read(fitted, SCALE)
    mean = KernelPool(("mean",), (np.mean(pool.kernels, axis=0),))
    mean.save(work / "mean.npz")
    ways = {
        "calibrated": DegradeSettings(SCALE, recipe=str(work / "camera")),
        "its kernels, no noise": DegradeSettings(SCALE, fitted),
        "the mean of its kernels, no noise": DegradeSettings(SCALE, work / "mean.npz"),
        "kernels of LR alone": DegradeSettings(SCALE, alone),
        "likewise, with the camera's noise": DegradeSettings(SCALE, alone, noise),
        "bicubic_noise, with the camera's noise": DegradeSettings(SCALE, noise_pool=noise),
        **{
            preset: DegradeSettings(SCALE, recipe=preset)
            for preset in ("bicubic", "samsung", "bsrgan", "bsrgan_plus", "realesrgan")
        },
    }
    seen = [describe(read(one.path).as_float()) for one in find_images(work / "seen" / "LR")]
    photos = find_images(work / "aside" / "LR")
    real = [read(one.path).as_float() for one in photos]
    held = domain_distance(seen, [describe(one) for one in real]).distance
    print(
        f"\n## {name}: {len(seen)} pairs seen, {len(real)} held aside; real LR at a distance of {held:.2f}\n"
    )
    print("| LR made by | PSNR, dB | distance |\n|---|---|---|")
    for number, (way, settings) in enumerate(ways.items()):
        scores, distances = [], []
        for seed in range(seeds):
            out = work / f"made{number}_{seed}"
            chosen = {**vars(settings), "seed": seed}
            degrade_folder(work / "aside" / "HR", out, DegradeSettings(**chosen))
            images = [read(out / pair_paths(one.key)[0]).as_float() for one in photos]
            scores += [matched_psnr(a, b) for a, b in zip(images, real, strict=True)]
            distances.append(domain_distance(seen, [describe(one) for one in images]).distance)
        print(f"| {way} | {np.mean(scores):.2f} | {np.mean(distances):.2f} |", flush=True)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--prefix", action="append", default=[])
    parser.add_argument("--swap", action="store_true", help="Calibrate on the other half.")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    for prefix in options.prefix or [""]:
        with tempfile.TemporaryDirectory() as folder:
            halves(options.pairs, prefix, Path(folder), options.swap)
            compare(prefix or options.pairs.name, Path(folder), options.seeds)


if __name__ == "__main__":
    main()
