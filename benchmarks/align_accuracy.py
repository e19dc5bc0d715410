"""Accuracy of registration on simulated camera pairs with exact truth.

    python benchmarks/align_accuracy.py [--photos DIR] [--seeds N] [--workers N] [-v]

Good pairs and eight kinds of bad ones are simulated (`simulated_pairs.py`). The error of a pair is the 95th
percentile, over a 12 x 12 grid on its crop, of the distance between where a point is and where it was
delivered, in LR px: by the map, and again by finding each delivered patch in its own source photo. The
baseline in the same run is one-shot full-resolution SIFT with RANSAC and a homography, as people script it.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from simulated_pairs import BAD, Case, Pair, located, simulate

from realdeg.align.brightness import ColourMatch
from realdeg.align.crop import Box
from realdeg.align.error import grid
from realdeg.align.homography import Homography
from realdeg.align.pair import Registration, make_pair, register
from realdeg.align.settings import AlignSettings
from realdeg.align.tone import Tone
from realdeg.align.verdict import large_error
from realdeg.imaging.resample import resize
from realdeg.io.find import find_images

SCALES = (2, 4, 8)
TONE_PIXELS = 40_000
SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "clean"


def p95(off: np.ndarray) -> float:
    """95th percentile of the lengths of (N, 2) vectors, those that are known."""
    return float(np.nanpercentile(np.hypot(*off.T), 95))


def one_shot(lr: np.ndarray, hr: np.ndarray) -> Homography | None:
    """The script people use: full-resolution SIFT, ratio test, homography by RANSAC."""
    sift = cv2.SIFT_create()
    found = [sift.detectAndCompute(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), None) for image in (lr, hr)]
    (points_lr, a), (points_hr, b) = found
    if a is None or b is None or len(b) < 2:
        return None
    pairs = cv2.BFMatcher().knnMatch(a[: 2**18 - 1], b[: 2**18 - 1], k=2)
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < 0.75 * p[1].distance]
    if len(good) < 10:
        return None
    source = np.float32([points_lr[m.queryIdx].pt for m in good])
    target = np.float32([points_hr[m.trainIdx].pt for m in good])
    matrix, mask = cv2.findHomography(source, target, cv2.RANSAC, 3.0)
    return Homography(matrix) if matrix is not None and mask.sum() >= 10 else None


def photometric(pair_lr: np.ndarray, pair_hr: np.ndarray, scale: int, psf: float) -> tuple[float, float]:
    """RMS between LR and HR at LR's sharpness, 8-bit levels, as delivered and after the best fit.

    The best fit: per channel a free curve of 64 means times a quadratic gain, fitted to the pair itself.
    """
    seen = cv2.GaussianBlur(pair_hr.astype(np.float32), (0, 0), max(0.3, psf) * scale)
    seen = cv2.GaussianBlur(resize(seen, 1 / scale), (0, 0), 1.0)
    there = cv2.GaussianBlur(pair_lr.astype(np.float32), (0, 0), 1.0)
    slope = sum(np.hypot(cv2.Sobel(i, -1, 1, 0), cv2.Sobel(i, -1, 0, 1)).mean(-1) for i in (seen, there))
    flat = (slope <= np.median(slope)) & (seen.min(-1) > 4) & (seen.max(-1) < 250)
    flat &= (there.min(-1) > 4) & (there.max(-1) < 250)
    height, width = flat.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    now, best = 0.0, 0.0
    for c in range(3):
        a, b = seen[..., c][flat].astype(np.float64), there[..., c][flat].astype(np.float64)
        now += ((a - b) ** 2).mean()
        edges = np.quantile(a, np.linspace(0, 1, 65))
        knots = np.unique(edges)
        place = np.clip(np.searchsorted(knots, a) - 1, 0, len(knots) - 2)
        share = (a - knots[place]) / np.maximum(knots[place + 1] - knots[place], 1e-9)
        hats = np.zeros((len(a), len(knots)), np.float32)
        hats[np.arange(len(a)), place] = 1 - share
        hats[np.arange(len(a)), place + 1] += share
        fields = [(f[flat] * a)[:, None] for f in (x, y, x * x, x * y, y * y)]
        design = np.concatenate([hats, *fields], axis=1)
        solution = np.linalg.lstsq(design.T @ design, design.T @ b, rcond=None)[0]
        best += ((design @ solution - b) ** 2).mean()
    return float(np.sqrt(now / 3)), float(np.sqrt(best / 3))


def run(case: Case) -> dict:
    cv2.setNumThreads(1)
    pair = simulate(case)
    started = time.process_time()
    settings = AlignSettings(scale=case.scale)
    found = register(pair.lr, pair.hr, settings)
    row = {"case": case, "reason": "", "mp": (pair.lr.size + pair.hr.size) / 3e6}
    row |= dict.fromkeys(("error", "located", "residual", "stated", "naive", "photo", "tone"), np.nan)
    row["bias"] = np.full(2, np.nan)
    if isinstance(found, Registration):
        pair_lr, pair_hr, found = make_pair(pair.lr, pair.hr, found)
        row["seconds"] = time.process_time() - started
        refused = found.refused or large_error(
            found.error, found.residual, settings, found.zoom, found.softness
        )
        row["reason"] = refused.reason if refused else ""
        row["stated"], row["model"] = found.error, found.fit.model
        row["residual"] = found.residual.p95 if found.residual else np.nan
        if case.kind == "good":
            row |= score(pair, pair_lr, pair_hr, found)
    else:
        row["seconds"] = time.process_time() - started
        row["reason"] = found.reason
    naive = one_shot(pair.lr, pair.hr)
    row["naive_kept"] = naive is not None
    if naive is not None and case.kind == "good" and isinstance(found, Registration):
        row["naive"] = p95(pair.error(naive, grid(found.field)))
    return row


def tone_error(pair: Pair, raw: np.ndarray, pair_hr: np.ndarray, box: Box, scale: int) -> float:
    """RMS of delivered HR against what LR's camera would have made of its light, 8-bit levels, unclipped."""
    step = max(1, round(np.sqrt(raw.shape[0] * raw.shape[1] / TONE_PIXELS)))
    y, x = (
        some.ravel() for some in np.mgrid[step // 2 : raw.shape[0] : step, step // 2 : raw.shape[1] : step]
    )
    points = (np.stack([x, y], axis=-1) + 0.5) / scale - 0.5 + np.array([box.x, box.y])
    truth = 255 * pair.in_lr_colours(raw[y, x] / 255, points)
    before = raw[y, x]
    known = (before.min(-1) > 3) & (before.max(-1) < 250) & (truth.min(-1) > 3) & (truth.max(-1) < 252)
    return float(np.sqrt(((pair_hr[y, x] - truth)[known] ** 2).mean()))


def score(pair: Pair, pair_lr: np.ndarray, pair_hr: np.ndarray, found: Registration) -> dict:
    """How far the delivered pair is off."""
    box: Box = found.field
    assert np.array_equal(pair_lr, pair.lr[box.slices])
    points = grid(box)
    off = pair.error(found.hr_from_lr, points)
    seen = located(pair, pair_hr, box, found.scale, points)
    now, best = photometric(pair_lr, pair_hr, found.scale, found.psf.sigma)
    _, raw, _ = make_pair(pair.lr, pair.hr, replace(found, colours=ColourMatch(Tone.none())))
    return {
        "tone": tone_error(pair, raw, pair_hr, box, found.scale),
        "error": p95(off),
        "located": p95(seen),
        "bias": np.nanmean(seen, axis=0),
        "photo": now / best,
        "photo_rms": now,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=SAMPLE, help="folder of sharp photos, several MP each")
    parser.add_argument("--seeds", type=int, default=2, help="good pairs per photo and scale")
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--bad", type=int, default=1, help="bad pairs of each kind and scale")
    parser.add_argument("--limit", type=int, default=16, help="photos")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scales", type=int, nargs="+", default=SCALES)
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    photos = [found.path for found in find_images(options.photos)][: options.limit]
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    cases = [
        Case(photo, photos[i - 1], scale, "good", seed)
        for scale in options.scales
        for i, photo in enumerate(photos)
        for seed in seeds
    ]
    cases += [
        Case(photos[i % len(photos)], photos[(i + 1) % len(photos)], scale, kind, options.first_seed + n)
        for scale in options.scales
        for n in range(options.bad)
        for i, kind in enumerate(BAD, start=scale + n)
    ]
    with ProcessPoolExecutor(options.workers) as pool:
        rows = []
        for row in pool.map(run, cases):
            rows.append(row)
            if options.verbose:
                print(line(row), file=sys.stderr, flush=True)
    print(f"{len(photos)} photos from {options.photos.name}, {options.seeds} good pairs a photo and scale\n")
    print(table(rows, list(options.scales)))


def line(row: dict) -> str:
    case = row["case"]
    return (
        f"{case.photo.stem[:14]:14} x{case.scale} {case.kind:16} err {row['error']:.3f} "
        f"loc {row['located']:.3f} stated {row['stated']:.3f} res {row['residual']:.3f} "
        f"naive {row['naive']:.3f} photo {row['photo']:.2f} tone {row['tone']:.2f} "
        f"{row['seconds']:.1f} s {row.get('model', '')}  {row['reason']}"
    )


def table(rows: list[dict], scales: list[int]) -> str:
    head = (
        "scale | good | kept | median | worst | HR px | found again | worst | bias | stated within 1.5x "
        "| not above 1.5x | residual | photometric | tone | worst | SIFT median | worst | bad | kept "
        "| SIFT kept | CPU s | CPU s/MP"
    )
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    for scale in [*scales, "all"]:
        mine = [r for r in rows if scale in (r["case"].scale, "all")]
        good = [r for r in mine if r["case"].kind == "good"]
        bad = [r for r in mine if r["case"].kind != "good"]
        kept = [r for r in good if not r["reason"]]
        if not kept:
            continue
        errors, again = (np.array([r[name] for r in kept]) for name in ("error", "located"))
        ratio = np.array([r["stated"] for r in kept]) / errors
        inside = np.mean((ratio > 1 / 1.5) & (ratio < 1.5))
        bias = np.abs(np.mean([r["bias"] for r in kept], axis=0)).max()
        cells = [
            scale if scale == "all" else f"x{scale}",
            len(good),
            len(kept),
            f"{np.median(errors):.3f}",
            f"{errors.max():.3f}",
            f"{np.median([r['error'] * r['case'].scale for r in kept]):.3f}",
            f"{np.median(again):.3f}",
            f"{again.max():.3f}",
            f"{bias:.4f}",
            f"{inside:.0%}",
            f"{np.mean(ratio > 1 / 1.5):.0%}",
            f"{np.median([r['residual'] for r in kept]):.3f}",
            f"{np.median([r['photo'] for r in kept]):.3f}",
            f"{np.median([r['tone'] for r in kept]):.2f}",
            f"{max(r['tone'] for r in kept):.2f}",
            f"{np.nanmedian([r['naive'] for r in good]):.3f}",
            f"{np.nanmax([r['naive'] for r in good]):.3f}",
            len(bad),
            sum(not r["reason"] for r in bad),
            sum(r["naive_kept"] for r in bad),
            f"{np.mean([r['seconds'] for r in mine]):.1f}",
            f"{np.mean([r['seconds'] / r['mp'] for r in mine]):.2f}",
        ]
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
