"""Do noise pools hold noise, or content? On photos whose noise is known; RealSR's rule beside it.

    python benchmarks/noise_pool.py --clean FOLDER ... [--reduce 2] [--real FOLDER ...] [--photos FOLDER]

Clean images, reduced and cut to 512 px at most, get noise that we make: white of sigma 3 and 6; a camera's
(mosaic, photon and read noise, demosaicing, tone curve), before and after JPEG 90. --real: photos NAME_real.*
with the mean of many shots, NAME_mean.* (PolyU, Nam). Each set goes through `realdeg noise` by the default
method and by the rule at 64 px / variance 20, 128 / 100 and 256 / 20, its own numbers.

leak: content energy / noise energy, of what gets injected: the clean window through the same steps as the
patch. acf, psd: mean difference of the autocorrelation at lags up to 3 px, and of the spectrum by bands, of
patches and of the true noise at their places. level: |log2| of the level function against the true noise of
all windows that were looked at closely, mean over brightness. photos: share that gives noise. Rescaled
patches leak as those they come from.

--photos: megapixels a second over a folder of JPEG photos, against decoding alone.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from realdeg.imaging.isp import Isp, camera_ccm, demosaic, mosaic, process, unprocess
from realdeg.io.find import find_images
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.noise.folder import extract_noise_pool
from realdeg.noise.settings import NoiseSettings
from realdeg.noise.spectrum import (
    BANDS,
    LOWEST,
    back,
    band_of,
    coefficients,
    covariance,
    transform,
    variance,
    without_shading,
)
from realdeg.pools.found import job_folder
from realdeg.pools.level_function import level_function
from realdeg.pools.noise_pool import NoisePool

TILE = 512
CAMERA = Isp(2.1, 1.7, 1.25, camera_ccm((1, 2, 1, 0.5)))
SHOT, READ = 0.0006, 0.00002  # of raw in [0, 1]
WAYS = {
    "default": NoiseSettings(),
    "classic 64 / 20": NoiseSettings("classic", 64),
    "classic 128 / 100": NoiseSettings("classic", 128, max_variance=100.0),
    "classic 256 / 20": NoiseSettings("classic"),
}


def tiles(folders: list[Path], reduce: int) -> Iterator[np.ndarray]:
    """Clean images, uint8."""
    for folder in folders:
        for found in find_images(folder):
            pixels = read(found.path).pixels
            if pixels.dtype != np.uint8:
                pixels = np.rint(pixels / np.float32(257)).astype(np.uint8)
            size = (pixels.shape[1] // reduce, pixels.shape[0] // reduce)
            small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
            for y in range(0, max(1, small.shape[0] - TILE // 2), TILE):
                for x in range(0, max(1, small.shape[1] - TILE // 2), TILE):
                    yield small[y : y + TILE, x : x + TILE]


def made_set(name: str, clean: list[np.ndarray], out: Path) -> dict[str, np.ndarray]:
    """Noisy photos in a folder; the clean ones by name, float 8-bit levels."""
    truth = {}
    for number, image in enumerate(clean):
        rng = np.random.default_rng(number)
        base = image.astype(np.float64)
        if name.startswith("white"):
            noisy = base + rng.normal(0, float(name.split()[1]), image.shape)
        else:
            raw = mosaic(unprocess(image / np.float32(255), CAMERA), "rggb")
            sensed = raw + rng.normal(0, 1, raw.shape) * np.sqrt(np.maximum(raw, 0) * SHOT + READ)
            base, noisy = (
                255.0 * process(demosaic(one.astype(np.float32), "rggb"), CAMERA) for one in (raw, sensed)
            )
        pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        if "JPEG" in name:
            pixels = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1], 1)
        write_image(out / f"{number:04d}.png", pixels)
        truth[f"{number:04d}.png"] = base
    return truth


def real_set(folder: Path, out: Path) -> dict[str, np.ndarray]:
    """Noisy photos copied into a folder of their own; their means by name."""
    truth = {}
    for found in find_images(folder):
        if found.path.stem.endswith("_real"):
            out.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found.path, out / found.path.name)
            mean = found.path.with_name(found.path.name.replace("_real", "_mean"))
            truth[found.path.name] = read(mean).pixels.astype(np.float64)
    return truth


def correlations(patches: list[np.ndarray]) -> np.ndarray:
    """(4, 7) mean autocorrelation at lags of 0..3 down and -3..3 across."""
    total = np.zeros((4, 7))
    for patch in patches:
        one = patch - patch.mean((0, 1))
        one = one / np.maximum(one.std((0, 1)), 1e-9)
        h, w = one.shape[:2]
        for dy in range(4):
            for dx in range(-3, 4):
                a = one[: h - dy, max(0, -dx) : w - max(0, dx)]
                b = one[dy:, max(0, dx) : w - max(0, -dx)]
                total[dy, dx + 3] += (a * b).mean()
    return total / len(patches)


def spectrum(patches: list[np.ndarray]) -> np.ndarray:
    """(BANDS,) share of energy in each band, patches of any one size."""
    total = np.zeros(BANDS)
    for patch in patches:
        bands = covariance(transform((patch - patch.mean((0, 1)))[None].astype(np.float32)))[0]
        energy = np.trace(bands, axis1=1, axis2=2) * coefficients(patch.shape[0])
        total += energy / max(energy.sum(), 1e-9)
    return total / len(patches)


def leaked(clean: np.ndarray, settings: NoiseSettings) -> np.ndarray:
    """What a patch of this window holds of its content."""
    if settings.method == "classic":
        return clean - clean.mean((0, 1))
    content = transform(without_shading(clean[None]))
    content[0, :, band_of(clean.shape[0]) < LOWEST] = 0
    return back(content)[0]


def judge(src: Path, truth: dict[str, np.ndarray], settings: NoiseSettings, work: Path) -> str:
    """A row of the table."""
    out = work / f"{src.name}, {settings.method} {settings.side}.npz"
    report = extract_noise_pool(src, out, settings, running=Running(workers=2, overwrite=True))
    if not report.count("ok"):
        return "none | | | | | 0"
    pool, side = NoisePool.read(out), settings.side
    told = pool.about["patches"]
    patches, noises, content, energy = [], [], [], []
    for index, name in enumerate(pool.names):
        facts = told[name]
        if facts["how"] not in ("flat", "classic"):
            continue
        at = np.s_[int(facts["y"]) : int(facts["y"]) + side, int(facts["x"]) : int(facts["x"]) + side]
        noise = read(src / facts["source"]).pixels[at].astype(np.float64) - truth[facts["source"]][at]
        noise -= noise.mean((0, 1))
        patches.append(255.0 * pool.residual(index))
        noises.append(noise)
        content.append(np.square(leaked(truth[facts["source"]][at], settings)).sum())
        energy.append(np.square(noise).sum())
    share = np.array(content) / np.array(energy)
    acf = np.abs(correlations(patches) - correlations(noises)).sum() / 27  # lag 0 is 1
    psd = np.abs(spectrum(patches) - spectrum(noises)).sum()
    level = level_error(src, truth, pool, job_folder(out)) if settings.method == "flat" else ""
    photos = len({facts["source"] for facts in told.values()}) / len(report.records)
    leak = sum(content) / sum(energy)
    return (
        f"{len(patches)} of {len(pool.names)} | {leak:.3f} ({np.quantile(share, 0.9):.2f}) | {acf:.3f} | "
        f"{psd:.3f} | {level} | {photos:.0%}"
    )


def level_error(src: Path, truth: dict[str, np.ndarray], pool: NoisePool, job: Path) -> str:
    """|log2| of the pool's level function against the true noise of the windows in the job."""
    level, values = [], []
    for file in sorted((job / "patches").glob("*.npz")):
        name = next(one for one in truth if Path(one).stem == file.stem)
        noisy, clean = read(src / name).pixels.astype(np.float64), truth[name]
        with np.load(file) as taken:
            side = taken["pixels"].shape[1]
            for y, x in zip(taken["y"], taken["x"], strict=True):
                at = np.s_[y : y + side, x : x + side]
                noise = noisy[at] - clean[at]
                noise -= noise.mean((0, 1))
                level.append(noisy[at].mean((0, 1)))
                bands = covariance(transform(noise[None].astype(np.float32)))
                values.append(variance(bands, side)[0])
    true = level_function(np.array(level), np.array(values))
    found = np.array(pool.about["level_function"]["variance"])
    known = true.counts >= 3
    return f"{np.abs(np.log2(found / true.variance))[known].mean():.2f}"


def speed(photos: Path, work: Path) -> None:
    """Megapixels a second with two workers, and of decoding alone."""
    found = find_images(photos)
    start = time.perf_counter()
    pixels = sum(read(one.path).pixels.size / 3e6 for one in found)
    decode = pixels / (time.perf_counter() - start)
    for workers in (1, 2):
        start = time.perf_counter()
        extract_noise_pool(
            photos, work / "speed.npz", NoiseSettings(), running=Running(workers=workers, overwrite=True)
        )
        rate = pixels / (time.perf_counter() - start)
        print(f"{len(found)} photos, {pixels:.0f} MP: {rate:.0f} MP/s with {workers} workers "
              f"({rate / decode:.2f} of decoding alone, {decode:.0f} MP/s on one core)")  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clean", type=Path, nargs="*", default=[])
    parser.add_argument("--reduce", type=int, default=2)
    parser.add_argument("--real", type=Path, nargs="*", default=[])
    parser.add_argument("--photos", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sets: list[tuple[str, Path, dict[str, np.ndarray]]] = []
        clean = list(tiles(given.clean, given.reduce))
        for name in ("white 3", "white 6", "camera", "camera, JPEG 90") if clean else ():
            sets.append((name, work / name, made_set(name, clean, work / name)))
        for real in given.real:
            sets.append((real.name, work / real.name, real_set(real, work / real.name)))
        print("| set (photos) | way | patches | leak (90th pct) | acf | psd | level | photos |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for name, src, truth in sets:
            for way, settings in WAYS.items():
                print(f"| {name} ({len(truth)}) | {way} | {judge(src, truth, settings, work)} |", flush=True)
        if given.photos:
            speed(given.photos, work)


if __name__ == "__main__":
    main()
