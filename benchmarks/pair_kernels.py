"""Do the kernels of a camera's pairs differ, or is it the error of fitting them?

    python benchmarks/pair_kernels.py --pairs FOLDER [--prefix TEXT ...]

FOLDER holds registered x4 pairs in LR/ and HR/. A kernel is fitted to one half of each photo, and the other
half predicted by m + b (kernel - m), m the mean kernel of all other pairs. Mean squared residual after gain
and offset, in dB against b = 0; below 0: what the kernel has of its own is the photo's, not noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from realdeg.imaging.blur import AlignedKernel, blur_subsample
from realdeg.io.find import find_images
from realdeg.io.photo import read
from realdeg.kernels.from_pairs import PairKernel, kernel_of_pair

SCALE, BORDER, PIXELS = 4, 6, 8_000
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def residual(lr: np.ndarray, hr: np.ndarray, kernel: np.ndarray, part: tuple[slice, slice]) -> float:
    """Mean squared residual of a part of LR, after gain and offset."""
    middle = (len(kernel) - 1) // 2
    made = blur_subsample(
        np.ascontiguousarray(hr, np.float32), AlignedKernel(kernel, (middle, middle), (0.0, 0.0)), SCALE
    )
    total = 0.0
    for c in range(3):
        x, y = made[part][..., c].ravel(), lr[part][..., c].ravel()
        total += np.square(y - np.polyval(np.polyfit(x, y, 1), x)).mean() / 3
    return float(total)


def compare(name: str, folder: Path, prefix: str) -> None:
    """A row of the table."""
    items = []
    for one in find_images(folder / "LR"):
        if not one.path.name.startswith(prefix):
            continue
        lr, hr = read(one.path).as_float(), read(folder / "HR" / one.path.name).as_float()
        if hr.shape[0] != SCALE * lr.shape[0]:
            continue
        middle, end, across = lr.shape[0] // 2, lr.shape[0] - BORDER, slice(BORDER, lr.shape[1] - BORDER)
        parts = ((slice(BORDER, middle), across), (slice(middle, end), across))
        found = [
            kernel_of_pair(lr, hr, SCALE, part=part, max_pixels=PIXELS)
            for part in (*parts, (slice(None), slice(None)))
        ]
        if all(isinstance(kernel, PairKernel) for kernel in found):
            items.append((lr, hr, parts, [kernel.kernel for kernel in found]))
    whole = np.array([item[3][2] for item in items])
    ratios = []
    for i, (lr, hr, parts, kernels) in enumerate(items):
        mean = np.delete(whole, i, 0).mean(0)
        for half in (0, 1):
            left = [residual(lr, hr, mean + b * (kernels[half] - mean), parts[1 - half]) for b in SHARES]
            ratios.append(10 * np.log10(np.array(left) / left[0]))
    print(
        f"| {name} ({len(items)}) |",
        " | ".join(f"{value:+.2f}" for value in np.mean(ratios, 0)),
        "|",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--prefix", action="append", default=[])
    options = parser.parse_args()
    print("| pairs |", " | ".join(f"b = {b:g}" for b in SHARES), "|")
    print("|---" * (len(SHARES) + 1) + "|")
    for prefix in options.prefix or [""]:
        compare(prefix or options.pairs.name, options.pairs, prefix)


if __name__ == "__main__":
    main()
