"""Patches a second and core of the training loader, against decoding the PNG for each crop.

    python benchmarks/loader.py [--images 12] [--seconds 3]

Makes pairs of 375x250 / 1500x1000 pixels in a temporary folder and cuts 96 -> 384 patches (x4) from them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from train.data.batches import Crops, to_device
from train.data.cache import decoded

BATCH = 16


def main() -> None:
    """Measure and print one line for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()

    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        lr, hr = make_pairs(Path(folder), args.images)
        keys = tuple(path.stem for path in lr)
        crops = Crops(
            keys, tuple(decoded(lr, Path(folder, "c"))), tuple(decoded(hr, Path(folder, "c"))), 4, 96, BATCH
        )
        device = torch.device("cpu")
        baseline = rate(lambda i: decode_each(lr, hr, i), 1, args.seconds)
        print(f"{'way':<44}{'patches/s/core':>16}{'times':>8}")
        for name, one, count in (
            ("decode the PNG for each crop (cv2)", None, 1),
            ("memory map, uint8 HWC, turned", crops, BATCH),
            ("memory map, float32 channels last (to_device)", lambda i: to_device(crops(i), device), BATCH),
            ("memory map, float CHW contiguous", lambda i: planar(to_device(crops(i), device)), BATCH),
        ):
            value = rate(one, count, args.seconds) if one else baseline
            print(f"{name:<44}{value:>16,.0f}{value / baseline:>8.0f}")


def rate(one: Callable[[int], object], patches: int, seconds: float) -> float:
    """Patches per processor second of this process."""
    one(0)
    steps, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        steps += 1
        one(steps)
    return steps * patches / (time.process_time() - start)


def decode_each(lr: list[Path], hr: list[Path], step: int) -> tuple[np.ndarray, np.ndarray]:
    """What loaders on plain folders do: decode both files, keep one crop."""
    rng = np.random.default_rng(step)
    i = step % len(lr)
    small, large = cv2.imread(os.fspath(lr[i])), cv2.imread(os.fspath(hr[i]))
    y, x = (int(rng.integers(0, side - 95)) for side in small.shape[:2])
    return small[y : y + 96, x : x + 96].copy(), large[4 * y : 4 * y + 384, 4 * x : 4 * x + 384].copy()


def planar(pair: tuple) -> tuple:
    """(B, 3, H, W) with each colour contiguous."""
    return tuple(tensor.contiguous() for tensor in pair)


def make_pairs(folder: Path, count: int) -> tuple[list[Path], list[Path]]:
    """Pairs with the entropy of a photo: smooth shapes and a little noise."""
    rng = np.random.default_rng(0)
    lr, hr = [], []
    for i in range(count):
        coarse = rng.integers(0, 256, (40, 60, 3)).astype(np.uint8)
        large = cv2.resize(coarse, (1500, 1000), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        large = np.clip(large + rng.normal(0, 3, large.shape), 0, 255).astype(np.uint8)
        small = cv2.resize(large, (375, 250), interpolation=cv2.INTER_AREA)
        for image, name, paths in ((small, "lr", lr), (large, "hr", hr)):
            path = folder / f"{name}{i:03}.png"
            cv2.imwrite(os.fspath(path), image)
            paths.append(path)
    return lr, hr


if __name__ == "__main__":
    main()
