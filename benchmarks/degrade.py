"""Time and memory of degradation, against the ways it is usually done, in the same run.

    python benchmarks/degrade.py [--photo FILE] [--repeat 5] [--device cuda]

One core (processor time), one 2040x1356 image, x4. Baselines:

- reading and writing alone: OpenCV decodes the HR PNG and encodes the LR PNG;
- RealSR's way: SciPy's correlate over the 8-bit image, channel by channel, each fourth pixel kept, noise
  added, HR and LR encoded by Pillow, as its script does;
- for the other recipes, the same reading and writing.

Then crops of 256 px on the way (draw and apply) for each preset, `realdeg degrade` as a command with one and
two workers, and its peak memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy import ndimage

from realdeg.degrade.apply.image import apply
from realdeg.degrade.folder import degrade_image, find_sources
from realdeg.degrade.recipe.presets import PRESETS
from realdeg.degrade.recipe.recipe import read_recipe
from realdeg.degrade.resolved import resolve
from realdeg.degrade.settings import DegradeSettings
from realdeg.imaging.kernels import gaussian
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample" / "clean"
HEIGHT, WIDTH, SCALE = 1356, 2040, 4
PEAK = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def cpu_ms(function, repeat: int) -> float:
    """Median processor time of a call, ms."""
    function()
    times = []
    for _ in range(repeat):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return 1000 * float(np.median(times))


def scene(photo: Path | None) -> np.ndarray:
    """(1356, 2040, 3) uint8: a photo, or the bundled ones side by side at their own size."""
    if photo:
        whole = read(photo).pixels
        return np.ascontiguousarray(whole[:HEIGHT, :WIDTH])
    tiles = [read(path).pixels for path in sorted(SAMPLE.glob("*.png"))]
    rows = [np.hstack([tiles[(i + j) % len(tiles)][:300, :450] for j in range(5)]) for i in range(5)]
    return np.ascontiguousarray(np.vstack(rows)[:HEIGHT, :WIDTH])


def pools(folder: Path) -> tuple[Path, Path]:
    """Eight 33-px kernels, and 60 noise patches of 512 px."""
    kernels = tuple(gaussian(33, 3 + 0.2 * i, 2 + 0.3 * i, 0.5 * i) for i in range(8))
    KernelPool(tuple(f"k{i}" for i in range(8)), kernels).save(folder / "kernels.npz")
    rng = np.random.default_rng(0)
    patches = tuple(rng.integers(118, 138, (512, 512, 3)).astype(np.uint8) for _ in range(60))
    NoisePool(tuple(f"n{i}" for i in range(60)), patches).save(folder / "noise.npz")
    return folder / "kernels.npz", folder / "noise.npz"


BY_LEVEL = '[[steps]]\nop = "reduce"\nkind = "pool"\n[[steps]]\nop = "inject"\nmatch = "level"\n'


def by_level(folder: Path) -> tuple[Path, Path]:
    """A recipe that injects noise by brightness, and 200 patches of 64 px as `realdeg noise` writes them."""
    (folder / "by_level.toml").write_text(BY_LEVEL)
    rng = np.random.default_rng(1)
    levels = rng.uniform(10, 245, 200)
    patches = tuple(
        (rng.normal(0, 1 + level / 100, (64, 64, 3)) / 255).astype(np.float16) for level in levels
    )
    names = tuple(f"n{i}" for i in range(200))
    about = {name: {"level": [float(level)] * 3} for name, level in zip(names, levels, strict=True)}
    NoisePool(names, patches, {"patches": about}).save(folder / "levels.npz")
    return folder / "by_level.toml", folder / "levels.npz"


def realsrs_way(path: Path, kernel: np.ndarray, patch: np.ndarray, out: Path) -> None:
    """What RealSR's script does with one image."""
    image = np.array(Image.open(path))
    blurred = np.stack([ndimage.correlate(image[..., c], kernel, mode="mirror") for c in range(3)], -1)
    lr = blurred[::SCALE, ::SCALE]
    noise = patch[: lr.shape[0], : lr.shape[1]] - patch.mean((0, 1))
    noise = np.pad(
        noise, [(0, max(0, n - m)) for n, m in zip(lr.shape[:2], noise.shape[:2], strict=True)] + [(0, 0)]
    )
    lr = np.clip(lr + noise, 0, 255).astype(np.uint8)
    Image.fromarray(image).save(out / "hr.png")
    Image.fromarray(lr).save(out / "lr.png")


def whole_image(hr: Path, out: Path, kernel_pool: Path, noise_pool: Path, repeat: int) -> None:
    """Kernel and noise end to end; the other presets too."""
    found = find_sources([hr])[0][0]
    settings = DegradeSettings(SCALE, kernel_pool, noise_pool)
    made = resolve(settings)
    ours = cpu_ms(lambda: degrade_image(found, out=out, settings=settings, made_with=made), repeat)
    small = read(out / "LR" / f"{found.key}.png").pixels
    bgr = np.ascontiguousarray(small[..., ::-1])
    codecs = cpu_ms(lambda: (cv2.imread(str(found.path)), cv2.imwrite(str(out / "x.png"), bgr)), repeat)
    patch = NoisePool.read(noise_pool).patches[0].astype(float)
    realsr = cpu_ms(lambda: realsrs_way(found.path, gaussian(33, 4.0), patch, out), 1)
    print(f"\n## {WIDTH}x{HEIGHT} PNG to x{SCALE} pair on disk, 33 px kernel, noise: processor ms\n")
    print("| way | ms | of reading and writing | times faster than RealSR's way |\n|---|---|---|---|")
    print(f"| OpenCV: decode HR, encode LR (baseline) | {codecs:.0f} | 1 | {realsr / codecs:.0f} |")
    print(f"| RealSR's way (baseline) | {realsr:.0f} | {realsr / codecs:.0f} | 1 |")
    print(f"| realdeg degrade, kernel + noise | {ours:.0f} | {ours / codecs:.2f} | {realsr / ours:.0f} |")
    recipe_file, levels = by_level(out)
    settings = DegradeSettings(SCALE, kernel_pool, levels, recipe=str(recipe_file))
    made = resolve(settings)
    ours = cpu_ms(lambda: degrade_image(found, out=out, settings=settings, made_with=made), repeat)
    told = "realdeg degrade, kernel + noise by brightness"
    print(f"| {told} | {ours:.0f} | {ours / codecs:.2f} | {realsr / ours:.0f} |")
    for name in ("bicubic", "samsung", "bsrgan", "bsrgan_plus", "realesrgan"):
        settings = DegradeSettings(SCALE, recipe=name)
        made = resolve(settings)
        recipe, image = made.recipe, read(found.path).pixels
        plans = [recipe.draw(0, f"image {i}", image.shape[:2], SCALE) for i in range(8 * repeat)]
        start = time.process_time()
        for plan in plans:
            apply(plan, image)
        mean = 1000 * (time.process_time() - start) / len(plans)
        print(f"| {name}, applied alone, mean of {len(plans)} draws | {mean:.0f} | {mean / codecs:.2f} | |")


def crops(kernel_pool: Path, noise_pool: Path, image: np.ndarray, repeat: int) -> None:
    """Draw and apply, 256 px HR crops, one core."""
    kernels, noises = KernelPool.read(kernel_pool, SCALE), NoisePool.read(noise_pool)
    print("\n## Crops of 256 px on the way, x4: crops per core and second (drawing included)\n")
    print("| preset | crops/s/core |\n|---|---|")
    recipe_file, levels = by_level(noise_pool.parent)
    for name in (*PRESETS, recipe_file):
        recipe = read_recipe(name)
        pool = NoisePool.read(levels) if name == recipe_file else noises
        given = {
            "kernels": kernels if "kernel" in recipe.pools() else None,
            "noises": pool if "noise" in recipe.pools() else None,
        }

        def one(i: int, recipe=recipe, given=given) -> None:
            y, x = 40 * i % 1000, 70 * i % 1700
            crop = np.ascontiguousarray(image[y : y + 256, x : x + 256])
            apply(recipe.draw(0, str(i), (256, 256), SCALE, **given), crop, **given)

        for i in range(60):  # kernels are placed and patches hashed once
            one(i)
        count = 40 * repeat
        start = time.process_time()
        for i in range(count):
            one(i)
        print(f"| {getattr(name, 'stem', name)} | {count / (time.process_time() - start):.0f} |")


def on_device(name: str, image: np.ndarray, repeat: int) -> None:
    """Batches of tensors on a device: pairs a second, 256 px HR crops, x4, JPEG by its model."""
    import torch

    from realdeg.degrade.apply.batch import apply as apply_batch
    from train.data.degraded import with_jpeg_model

    recipe, size = read_recipe("realesrgan"), 64
    crops = [image[i * 7 % 1000 :, i * 13 % 1700 :][:256, :256] for i in range(size)]
    hr = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).to(name)
    plans = [
        [
            with_jpeg_model(recipe.draw(0, f"{step}/{i}", (256, 256), SCALE, group=str(step)))
            for i in range(size)
        ]
        for step in range(4 * repeat)
    ]

    def run() -> float:
        start = time.perf_counter()
        for batch in plans:
            apply_batch(batch, hr)
        if hr.is_cuda:
            torch.cuda.synchronize()
        return size * len(plans) / (time.perf_counter() - start)

    run()
    print(f"\nSecond order on {name}, batches of {size}: {run():.0f} pairs/s (plans drawn before).")


def command(image: np.ndarray, folder: Path, kernel_pool: Path, noise_pool: Path) -> None:
    """The command over 48 images with one and two workers, and its memory."""
    (folder / "many").mkdir()
    for i in range(48):
        write_image(folder / "many" / f"{i:02d}.png", np.roll(image, 50 * i, 1))
    print("\n## realdeg degrade, 36 such images after the first 12, wall seconds\n")
    print("| workers | s | images/s |\n|---|---|---|")
    rates, peak = [], 0.0
    for workers in (1, 2):
        seconds = []
        for limit in (12, 48):
            out = folder / f"out{workers}{limit}"
            words = f"degrade {folder / 'many'} -o {out} --scale {SCALE} -q -j {workers} --limit {limit} "
            words += f"--kernel-pool {kernel_pool} --noise-pool {noise_pool}"
            start = time.monotonic()
            told = subprocess.run(
                [sys.executable, "-c", PEAK, sys.executable, "-m", "realdeg", *words.split()],
                check=True,
                capture_output=True,
                text=True,
            )
            peak = max(peak, int(told.stdout.split()[-1]) / 1024)
            seconds.append(time.monotonic() - start)
        took = seconds[1] - seconds[0]
        rates.append(36 / took)
        print(f"| {workers} | {took:.2f} | {rates[-1]:.1f} |")
    print(f"\nTwo workers are {rates[1] / rates[0]:.2f} times one.")
    print(f"Peak memory of a process: {peak:.0f} MB.")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photo", type=Path, default=None)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--device", default=None, help="also time batches of tensors there, e.g. cuda")
    o = parser.parse_args()
    cv2.setNumThreads(1)
    if any(os.environ.get(f"{name}_NUM_THREADS") != "1" for name in ("OMP", "OPENBLAS")):
        # BLAS reads it once, when NumPy is loaded.
        one = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        os.execve(sys.executable, [sys.executable, *sys.argv], one)
    image = scene(o.photo)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kernel_pool, noise_pool = pools(folder)
        # Written by Pillow, as most PNG files are: harder to decode than OpenCV's own.
        (folder / "hr").mkdir()
        Image.fromarray(image).save(folder / "hr" / "image.png")
        whole_image(folder / "hr", folder / "out", kernel_pool, noise_pool, o.repeat)
        crops(kernel_pool, noise_pool, image, o.repeat)
        command(image, folder, kernel_pool, noise_pool)
        if o.device:
            on_device(o.device, image, o.repeat)


if __name__ == "__main__":
    main()
