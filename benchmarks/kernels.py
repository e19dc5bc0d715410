"""Accuracy and time of kernel estimation on photos of known blur, against fixed kernels, in the same run.

    python benchmarks/kernels.py --scale 2 [--photos FOLDER ...] [--kernelgan 2] [--pairs DATASET]

Photos that the estimator was not trained on are reduced by random kernels of DIV2KRK's protocol (three
seeds), rounded to 8 bits, and estimated from alone: as they are, with noise of sigma 5, through JPEG of
quality 85, and by kernels of each family of the zoo, four of which are kept from training. A kernel's PSNR
has a peak of 1 and counts all of its 8s x 8s weights, centred; re-degradation is the PSNR of the LR image
that the estimated kernel makes, not moved, against that of the true one, before rounding.

Baselines: MATLAB's bicubic; the one isotropic Gaussian that fits all true kernels best. With --kernelgan N,
KernelGAN on N photos. With --pairs, real LR photos: the PSNR of LR made from HR by the kernel estimated from
LR alone, after the best gain and offset of each channel, against bicubic and least squares that see both.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from matched import matched_psnr

from realdeg.imaging.blur import align_kernel, blur_subsample
from realdeg.imaging.codec import roundtrip
from realdeg.imaging.kernels import in_middle
from realdeg.imaging.resample import cubic, resize
from realdeg.io.find import find_images
from realdeg.io.photo import read
from realdeg.kernels import kernelgan, zoo
from realdeg.kernels.estimator import Estimator, shipped
from realdeg.kernels.folder import find_pairs
from realdeg.kernels.from_pairs import PairKernel, kernel_of_pair
from realdeg.kernels.from_photo import one_thread, worth_seeing
from realdeg.kernels.statistics import MIN_SIDE, grey_of, statistics
from realdeg.seeds import stream

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample" / "clean"
SEEDS = (1000, 1001, 1002)


def psnr(wrong):
    """PSNR of an error, peak 1."""
    return -10 * np.log10(np.square(wrong).mean() + 1e-14)


def gaussian(n, variance):
    """(n, n) Gaussian of a variance."""
    axis = np.arange(n) - (n - 1) / 2
    line = np.exp(-axis * axis / (2 * variance))
    return np.outer(line, line) / line.sum() ** 2


def bicubic(n, scale):
    """(n, n) of MATLAB's reduction."""
    line = cubic((np.arange(n) - (n - 1) / 2) / scale)
    return np.outer(line, line) / line.sum() ** 2


def reduced(hr, kernel, scale):
    """LR, float in [0, 1]."""
    return blur_subsample(hr, align_kernel(kernel, scale), scale)


def photographed(hr, kernel, scale, spoilt, rng):
    """LR as 8-bit pixels, and before that."""
    lr = reduced(hr, kernel, scale)
    seen = 255 * lr
    if spoilt == "noise 5":
        seen = seen + rng.normal(0, 5, lr.shape)
    seen = np.clip(np.rint(seen), 0, 255).astype(np.uint8)
    return (roundtrip(seen, "jpeg", 85) if spoilt == "JPEG 85" else seen), lr


def cases(photos, scale, family, spoilt):
    """Kernel, LR pixels, LR and HR of each photo and seed."""
    for seed in SEEDS:
        for number, hr in enumerate(photos):
            rng = stream(seed, f"benchmark {number}", family)
            kernel = zoo.draw(rng, scale, family)
            yield (kernel, *photographed(hr, kernel, scale, spoilt, rng), hr)


def line(name, figures):
    """One row: mean and worst of both PSNRs."""
    rows = np.array(figures)
    kernel, image = rows[:, 0], rows[:, 1]
    told = f"{kernel.mean():6.2f} {kernel.min():6.2f}   {image.mean():6.2f} {image.min():6.2f}"
    print(f"  {name:<26} {told}", flush=True)


def judged(photos, scale, estimator, family, spoilt):
    """(kernel PSNR, re-degradation PSNR, confidence) of the estimator for all cases."""
    rows = []
    for kernel, pixels, lr, hr in cases(photos, scale, family, spoilt):
        found = estimator(statistics(grey_of(pixels)))
        wrong = reduced(hr, found.kernel, scale) - lr
        rows.append((psnr(found.kernel - kernel), psnr(wrong), found.confidence, found.expected_db))
    return rows


def known_blur(photos, scale, estimator, kernelgans):
    """The table of photos of known blur."""
    print(f"x{scale}, {len(photos)} photos, {len(SEEDS)} kernels each: PSNR of kernels, of re-degradation")
    print(f"  {'':<26} {'mean':>6} {'worst':>6}   {'mean':>6} {'worst':>6}")
    n = zoo.grid(scale)
    whole = list(cases(photos, scale, "div2krk", ""))
    variances = np.linspace(0.1, 1.2, 45) * scale**2
    best = max(variances, key=lambda v: np.mean([psnr(gaussian(n, v) - case[0]) for case in whole]))
    for name, kernel in (("bicubic", bicubic(n, scale)), ("best fixed Gaussian", gaussian(n, best))):
        line(name, [(psnr(kernel - k), psnr(reduced(hr, kernel, scale) - lr)) for k, _, lr, hr in whole])
    if kernelgans and scale in (2, 4):
        start, rows = time.process_time(), []
        for number, (true, pixels, lr, hr) in enumerate(whole[:kernelgans]):
            with one_thread():
                made = kernelgan.estimate_kernels([pixels / np.float32(255)], [str(number)])[0]
            kernel = kernelgan.centred(kernelgan.pruned(made.kernel), 2)
            kernel = kernelgan.analytic_x4(kernel) if scale == 4 else kernel
            kernel = in_middle(kernel, n)
            rows.append((psnr(kernel - true), psnr(reduced(hr, kernel, scale) - lr)))
        line(f"KernelGAN, {kernelgans} photos", rows)
        print(f"    {(time.process_time() - start) / kernelgans:.1f} CPU s a photo")
    for spoilt in ("", "noise 5", "JPEG 85"):
        rows = judged(photos, scale, estimator, "div2krk", spoilt)
        line(f"estimator {spoilt}", rows)
        if not spoilt:
            rows.sort(key=lambda row: row[3])
            line("  without 20 % unsurest", rows[len(rows) // 5 :])
            expected = [row[3] - row[0] for row in rows]
            print(f"    expected less true PSNR: {np.mean(expected):+.2f} +- {np.std(expected):.2f} dB")
    print("  families in training:")
    for family in list(zoo.SHARES)[1:]:
        line(f"  {family}", judged(photos, scale, estimator, family, ""))
    print("  families kept from it:")
    unseen = []
    for family in zoo.UNSEEN:
        rows = judged(photos, scale, estimator, family, "")
        unseen += rows
        line(f"  {family}", rows)
    line("  these four", unseen)


def real_pairs(dataset, scale, estimator):
    """Real pairs: the mean PSNR of LR made by each kernel."""
    names = ("bicubic", "estimator", "best Gaussian of each", "least squares of both")
    totals, sure = [], []
    for pair in find_pairs(dataset, scale):
        lr, hr = read(pair.lr), read(pair.hr).as_float()
        both = kernel_of_pair(lr.as_float(), hr, scale, 8 * scale)
        if not isinstance(both, PairKernel):
            continue
        found = estimator(statistics(grey_of(lr.pixels)))
        made = [
            resize(hr.astype(np.float64), 1 / scale),
            reduced(hr, found.kernel, scale),
            reduced(hr, both.kernel, scale),
        ]
        scores = [matched_psnr(one, lr.as_float()) for one in made]
        n = zoo.grid(scale)
        gauss = max(
            matched_psnr(reduced(hr, gaussian(n, (v * scale) ** 2), scale), lr.as_float())
            for v in np.linspace(0.2, 1, 17)
        )
        totals.append([scores[0], scores[1], gauss, scores[2]])
        sure.append(found.confidence)
    rows, sure = np.array(totals), np.array(sure)
    print(f"real pairs, x{scale}, {len(rows)}: PSNR after gain and offset")
    for name, values in zip(names, rows.T, strict=True):
        kept = values[sure >= np.quantile(sure, 0.2)]
        print(f"  {name:<26} {values.mean():6.2f}   without the 20 % unsurest {kept.mean():6.2f}")


def seconds(estimator):
    """Processor time of a 512 x 384 photo, ms, decoding not counted."""
    photo = cv2.resize(read(find_images(SAMPLE)[0].path).pixels, (512, 384), interpolation=cv2.INTER_AREA)
    times = []
    for _ in range(9):
        start = time.process_time()
        estimator(statistics(grey_of(worth_seeing(photo))))
        times.append(time.process_time() - start)
    print(f"512 x 384: {1000 * np.median(times):.0f} CPU ms a photo")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--photos", type=Path, nargs="*", default=[SAMPLE])
    parser.add_argument("--weights", type=Path, default=None)
    parser.add_argument("--kernelgan", type=int, default=0)
    parser.add_argument("--pairs", type=Path, default=None)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    estimator = Estimator.read(options.weights) if options.weights else shipped(options.scale)
    photos = []
    for folder in options.photos:
        for found in find_images(folder):
            pixels = read(found.path).as_float()
            height, width = (n // options.scale * options.scale for n in pixels.shape[:2])
            if min(height, width) >= MIN_SIDE * options.scale:
                photos.append(pixels[:height, :width])
    seconds(estimator)
    known_blur(photos, options.scale, estimator, options.kernelgan)
    if options.pairs:
        real_pairs(options.pairs, options.scale, estimator)


if __name__ == "__main__":
    main()
