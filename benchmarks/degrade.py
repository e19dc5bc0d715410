"""Time of one image through the degradation, against the ways it is usually done.

    python benchmarks/degrade.py [--height 1356 --width 2040 --scale 4 --kernel 33]

Baseline, in the same run: blur the whole image with SciPy's correlate channel by channel, then keep each
scale-th pixel, as KernelGAN's and RealSR's imresize do; bicubic against cv2.INTER_CUBIC (which is neither
antialiased nor MATLAB's, but what people call). One thread.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np
from scipy import ndimage

from realdeg.imaging.blur import blur_subsample, placed
from realdeg.imaging.kernels import gaussian
from realdeg.imaging.resample import resize


def cpu_ms(function, repeat=5):
    """Median processor time of a call, ms."""
    function()
    times = []
    for _ in range(repeat):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return 1000 * float(np.median(times))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("height", 1356), ("width", 2040), ("scale", 4), ("kernel", 33)):
        parser.add_argument(f"--{name}", type=int, default=default)
    o = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 256, (o.height, o.width, 3)).astype(np.uint8)
    image = whole.astype(np.float32) / 255
    at = placed(gaussian(o.kernel, o.kernel / 8), o.scale)

    def scipy_way():
        channels = [ndimage.correlate(image[..., c], at.kernel, mode="mirror") for c in range(3)]
        return np.stack(channels, -1)[:: o.scale, :: o.scale]

    slow = cpu_ms(scipy_way, repeat=1)
    ours = cpu_ms(lambda: blur_subsample(image, at, o.scale))
    cubic = cpu_ms(lambda: resize(whole, 1 / o.scale))
    size = (o.width // o.scale, o.height // o.scale)
    linear = cpu_ms(lambda: cv2.resize(whole, size, interpolation=cv2.INTER_CUBIC))
    print(f"{o.width}x{o.height}, x{o.scale}, kernel {o.kernel}: processor ms, and ratio to the baseline\n")
    print("| way | ms | times faster |\n|---|---|---|")
    print(f"| blur: SciPy correlate, then subsample (baseline) | {slow:.0f} | 1 |")
    print(f"| blur: realdeg | {ours:.0f} | {slow / ours:.0f} |")
    print(f"| bicubic: cv2.INTER_CUBIC, no antialiasing (baseline) | {linear:.1f} | 1 |")
    print(f"| bicubic: realdeg, MATLAB's bytes | {cubic:.1f} | {linear / cubic:.2f} |")


if __name__ == "__main__":
    main()
