"""Accuracy of registration on simulated captures with exact truth.

    python benchmarks/align_accuracy.py [--photos DIR] [--seeds N] [--workers N] [-o TABLE.md]

Each good pair is two captures of one photo through random homographies, lenses, exposures, tone curves
and noise (`realdeg.imaging.capture`). The error of a pair is the 95th percentile, over a 12 x 12 grid on
its crop, of the distance between where a point is and where registration says it is, in LR px. The
bad pairs are ones that must not be kept: another scene, a scene with parallax, something that moved,
HR out of focus, a wrong zoom, a flat wall. The baseline in the same run is one-shot full-resolution SIFT
with RANSAC and a homography, as people script it today.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from realdeg.align.homography import Homography
from realdeg.align.pair import Registration, make_pair, register, softness
from realdeg.align.settings import AlignSettings
from realdeg.align.verdict import large_residual
from realdeg.imaging.capture import Camera, capture
from realdeg.io.find import find_images
from realdeg.io.photo import read
from realdeg.seeds import stream

SCALES = (2, 4, 8)
BAD = ("other scene", "parallax", "moved", "defocus", "wrong zoom", "flat")
SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "clean"
HR_HW = (1200, 1600)


@dataclass(frozen=True)
class Case:
    """One simulated pair."""

    photo: Path
    other: Path
    scale: int
    kind: str
    seed: int


def look(rng: np.random.Generator, size_hw, scene_hw, pitch: float) -> Homography:
    """Random `scene_from_photo`: pitch, up to 1.5 degrees, a shift, a slight perspective."""
    turn, (height, width) = np.radians(rng.uniform(-1.5, 1.5)), size_hw
    half = np.hypot(width, height) / 2
    middle = Homography.translation(-(width - 1) / 2, -(height - 1) / 2)
    tilt = rng.uniform(-0.006, 0.006, 2) / half
    view = np.array(
        [
            [pitch * np.cos(turn), -pitch * np.sin(turn), 0],
            [pitch * np.sin(turn), pitch * np.cos(turn), 0],
            [*tilt, 1],
        ]
    )
    room = np.maximum((np.array(scene_hw[::-1]) - pitch * np.array([width, height])) / 2, 0) * 0.2
    shift = rng.uniform(-1, 1, 2) * np.minimum(room, 0.03 * pitch * width)
    place = Homography.translation(*((np.array(scene_hw[::-1]) - 1) / 2 + shift))
    return place @ Homography(view) @ middle


def simulate(case: Case):
    """LR, HR and the true `hr_from_lr` of a case."""
    rng = stream(case.seed, case.photo.name, f"{case.scale} {case.kind}")
    scene = read(case.photo).pixels
    height, width = scene.shape[:2]
    hr_hw = tuple(int(min(a, b)) for a, b in zip(HR_HW, (height / 1.05, width / 1.05), strict=True))
    pitch = min(height / hr_hw[0], width / hr_hw[1]) / 1.1
    if case.kind == "flat":
        scene = np.full_like(scene, 128)
    zoom = case.scale * (0.6 if case.kind == "wrong zoom" else rng.uniform(0.95, 1.05))
    lr_hw = tuple(int(1.3 * side / case.scale) for side in hr_hw)
    scene_from_hr = look(rng, hr_hw, scene.shape[:2], max(pitch, 0.6))
    scene_from_lr = look(rng, lr_hw, scene.shape[:2], max(pitch, 0.6) * zoom)

    def camera(size_hw, blur):
        return Camera(size_hw, blur, rng.uniform(0.8, 1.2), rng.uniform(0.92, 1.08), rng.uniform(0.7, 2.5))

    lr_camera = camera(lr_hw, rng.uniform(0.4, 0.65))
    hr_camera = camera(hr_hw, 1.5 * case.scale if case.kind == "defocus" else rng.uniform(0.45, 0.75))
    lr = capture(scene, scene_from_lr.matrix, lr_camera, rng)
    if case.kind == "other scene":
        scene = cv2.resize(read(case.other).pixels, (width, height), interpolation=cv2.INTER_AREA)
    hr = capture(scene, scene_from_hr.matrix, hr_camera, rng)
    if case.kind in ("parallax", "moved"):
        shift = Homography.translation(*(rng.uniform(2.0, 4.0) * case.scale * pitch * _direction(rng)))
        moved = capture(scene, (shift @ scene_from_hr).matrix, hr_camera, rng)
        y, x = np.mgrid[: hr_hw[0], : hr_hw[1]]
        if case.kind == "parallax":
            where = x > hr_hw[1] * rng.uniform(0.4, 0.6)
        else:
            cx, cy = rng.uniform(0.35, 0.65, 2) * np.array(hr_hw[::-1])
            where = (np.abs(x - cx) < 0.18 * hr_hw[1]) & (np.abs(y - cy) < 0.25 * hr_hw[0])
        hr = np.where(where[..., None], moved, hr)
    return lr, hr, scene_from_hr.inverse() @ scene_from_lr


def _direction(rng):
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def error_of(hr_from_lr: Homography, truth: Homography, box) -> float:
    """p95 over a 12 x 12 grid of the box, LR px."""
    xs = np.linspace(box.x, box.x + box.width - 1, 12)
    ys = np.linspace(box.y, box.y + box.height - 1, 12)
    points = np.array(list(itertools.product(xs, ys)))
    return float(np.percentile(np.hypot(*(truth.inverse()(hr_from_lr(points)) - points).T), 95))


def one_shot(lr, hr):
    """The script people use: full-resolution SIFT, ratio test, homography by RANSAC."""
    sift = cv2.SIFT_create()
    found = [sift.detectAndCompute(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), None) for image in (lr, hr)]
    (points_lr, a), (points_hr, b) = found
    if a is None or b is None or len(b) < 2:
        return None
    pairs = cv2.BFMatcher().knnMatch(a, b, k=2)
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < 0.75 * p[1].distance]
    if len(good) < 10:
        return None
    source = np.float32([points_lr[m.queryIdx].pt for m in good])
    target = np.float32([points_hr[m.trainIdx].pt for m in good])
    matrix, mask = cv2.findHomography(source, target, cv2.RANSAC, 3.0)
    return Homography(matrix) if matrix is not None and mask.sum() >= 10 else None


def run(case: Case) -> dict:
    cv2.setNumThreads(1)
    lr, hr, truth = simulate(case)
    started = time.process_time()
    found = register(lr, hr, AlignSettings(scale=case.scale))
    row = {"case": case, "reason": "", "error": np.nan, "residual": np.nan, "sd": np.nan}
    if isinstance(found, Registration):
        _, _, found = make_pair(lr, hr, found)
        row["error"] = error_of(found.hr_from_lr, truth, found.field)
        row["sd"] = found.motion.sd
        if found.residual:
            row["residual"] = found.residual.p95
        refused = large_residual(
            found.residual, AlignSettings(scale=case.scale), found.zoom, softness(found.blur)
        )
        row["reason"] = refused.reason if refused else ""
    else:
        row["reason"] = found.reason
    row["seconds"] = time.process_time() - started
    naive = one_shot(lr, hr) if case.kind in ("good", "other scene", "parallax", "moved") else None
    row["naive"] = np.nan
    row["naive_kept"] = naive is not None
    if naive is not None and case.kind == "good":
        field = found.field if isinstance(found, Registration) else None
        row["naive"] = error_of(naive, truth, field) if field else np.nan
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=SAMPLE, help="folder of sharp photos, several MP each")
    parser.add_argument("--seeds", type=int, default=2, help="good pairs per photo and scale")
    parser.add_argument("--limit", type=int, default=8, help="photos")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scales", type=int, nargs="+", default=SCALES)
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    photos = [found.path for found in find_images(options.photos)][: options.limit]
    cases = [
        Case(photo, photos[i - 1], scale, kind, seed)
        for scale in options.scales
        for i, photo in enumerate(photos)
        for kind, seed in [("good", s) for s in range(options.seeds)] + [(BAD[(i + scale) % len(BAD)], 0)]
    ]
    if len(photos) < len(BAD):
        extra = [Case(photos[0], photos[-1], s, kind, 1) for s in options.scales for kind in BAD]
        cases += extra
    with ProcessPoolExecutor(options.workers) as pool:
        rows = list(pool.map(run, cases))
    if options.verbose:
        for row in rows:
            case = row["case"]
            print(
                f"{case.photo.stem[:18]:18} x{case.scale} {case.kind:11} err {row['error']:.3f} "
                f"res {row['residual']:.3f} sd {row['sd']:.3f} naive {row['naive']:.3f} "
                f"{row['seconds']:.1f} s  {row['reason']}",
                file=sys.stderr,
            )
    print(
        f"{len(photos)} photos from {options.photos.name}, {options.seeds} good pairs per photo and scale\n"
    )
    print("| scale | good | kept | median | worst | SIFT median | worst | bad | kept | SIFT kept | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for scale in [*options.scales, "all"]:
        mine = [r for r in rows if scale in (r["case"].scale, "all")]
        good = [r for r in mine if r["case"].kind == "good"]
        bad = [r for r in mine if r["case"].kind != "good"]
        kept = [r for r in good if not r["reason"]]
        errors, naive = [r["error"] for r in kept], [r["naive"] for r in good]
        tested = [r for r in bad if r["case"].kind in ("other scene", "parallax", "moved")]
        cells = [
            scale if scale == "all" else f"x{scale}",
            len(good),
            len(kept),
            f"{np.median(errors):.3f}",
            f"{np.max(errors):.3f}",
            f"{np.nanmedian(naive):.3f}",
            f"{np.nanmax(naive):.3f}",
            len(bad),
            sum(not r["reason"] for r in bad),
            f"{sum(r['naive_kept'] for r in tested)} of {len(tested)}",
            f"{np.mean([r['seconds'] for r in mine]):.1f}",
        ]
        print(f"| {' | '.join(str(cell) for cell in cells)} |")


if __name__ == "__main__":
    main()
