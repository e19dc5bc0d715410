"""Colours of real pairs: is corrected HR ever further from LR than HR as it was?

    python benchmarks/real_colours.py --pairs DIR [--pairs DIR ...] [--scale N] [--workers N] [--sheet FILE]

Each DIR holds LR/ and HR/ with equal names (RealSR, DRealSR). Every pair is registered again and finished
twice, with the correction of colours and without. Both are compared with LR on the finished files, reduced
by the fitted blur and MATLAB's bicubic as encoded values, which is not how the correction was found. The
same pairs with a shadow on LR alone (half the light, an ellipse of 5 to 25 % of the image) must be refused.
`--sheet` writes LR, untouched HR and delivered HR of all pairs side by side, to look at.
"""

from __future__ import annotations

import argparse
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from realdeg.align.brightness import ColourMatch, match
from realdeg.align.clusters import clusters_of
from realdeg.align.pair import Registration, make_pair, register
from realdeg.align.seen import seen
from realdeg.align.settings import AlignSettings
from realdeg.align.tone import Tone
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear
from realdeg.imaging.resample import resize
from realdeg.io.find import find_images
from realdeg.io.photo import read
from realdeg.seeds import stream

BLURS = (0.0, 2.0)  # of both on top, LR px
THUMB = 200


def compared(lr: np.ndarray, hr: np.ndarray, raw: np.ndarray, scale: int, blur: float) -> dict[str, float]:
    """RMS to LR of untouched and of corrected HR, 8-bit levels, and the worst ratio of a cluster."""
    found = {}
    for extra in BLURS:
        there, corrected, before = (image.astype(np.float32) for image in (lr, hr, raw))
        corrected, before = (
            resize(cv2.GaussianBlur(i, (0, 0), scale * max(0.3, blur)), 1 / scale).astype(np.float32)
            for i in (corrected, before)
        )
        if extra:
            there, corrected, before = (
                cv2.GaussianBlur(i, (0, 0), extra) for i in (there, corrected, before)
            )
        counts = (lr.min(-1) > 2) & (lr.max(-1) < 252) & (before.min(-1) > 2) & (before.max(-1) < 252)
        found[f"before {extra:g}"] = rms((before - there)[counts])
        found[f"after {extra:g}"] = rms((corrected - there)[counts])
        labels = clusters_of(np.clip(before / 255, 0, 1))
        ratios = [
            rms((corrected - there)[inside]) / max(rms((before - there)[inside]), 1.0)
            for inside in (counts & (labels == label) for label in np.unique(labels))
            if inside.sum() >= max(100, 0.01 * inside.size)
        ]
        found[f"cluster {extra:g}"] = max(ratios, default=1.0)
    return found


def rms(off: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(off, dtype=np.float64))))


def shaded(image: np.ndarray, name: str) -> tuple[np.ndarray, float]:
    """The image with a shadow on it, and the shadow's share."""
    rng = stream(0, name, "shadow")
    height, width = image.shape[:2]
    share = np.zeros((height, width), np.float32)
    centre = int(rng.uniform(0.2, 0.8) * width), int(rng.uniform(0.2, 0.8) * height)
    axes = int(rng.uniform(0.12, 0.3) * width), int(rng.uniform(0.12, 0.3) * height)
    cv2.ellipse(share, centre, axes, rng.uniform(0, 180), 0, 360, 1, -1)
    light = 1 - 0.5 * cv2.GaussianBlur(share, (0, 0), width / 60)[..., None]
    encoded = linear_to_srgb(srgb_to_linear(image / np.float32(255)) * light)
    return np.rint(255 * encoded).astype(np.uint8), float(share.mean())


def run(paths: tuple[Path, Path], scale: int) -> dict:
    """One pair."""
    cv2.setNumThreads(1)
    lr, hr = (read(path).pixels for path in paths)
    found = register(lr, hr, AlignSettings(scale=scale))
    row: dict = {"name": paths[0].stem}
    if not isinstance(found, Registration):
        return row | {"refused": str(found), "made": False}
    pair_lr, pair_hr, _ = make_pair(lr, hr, found)
    _, raw, _ = make_pair(lr, hr, replace(found, colours=ColourMatch(Tone.none())))
    colours = found.colours
    shadow, share = shaded(lr, paths[0].stem)
    moved = match(seen(shadow, hr, found.hr_from_lr, found.field, found.psf.sigma))
    thumbs = [cv2.resize(i, (THUMB, THUMB), interpolation=cv2.INTER_AREA) for i in (raw, pair_hr)]
    thumbs.insert(0, cv2.resize(pair_lr, (THUMB, THUMB), interpolation=cv2.INTER_CUBIC))
    return row | {
        "made": True,
        "refused": str(found.refused or ""),
        "model": f"{colours.model}{', vignetting' if colours.vignetting else ''}",
        "flat": bool((np.diff(colours.tone.of_greys(), axis=1) <= 0).any()),
        "black": float((pair_hr.max(-1) == 0).mean() - (raw.max(-1) == 0).mean()),
        "changed": colours.changed_share,
        "shadow": share,
        "shadow found": moved.changed_share,
        "thumbs": np.hstack(thumbs),
        **compared(pair_lr, pair_hr, raw, scale, found.psf.sigma),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=Path, action="append", required=True, help="folder with LR/ and HR/")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sheet", type=Path, help="picture of all pairs: LR, untouched HR, delivered HR")
    options = parser.parse_args()
    paths = [
        (found.path, folder / "HR" / found.path.name)
        for folder in options.pairs
        for found in find_images(folder / "LR")
    ]
    with ProcessPoolExecutor(options.workers) as pool:
        rows = list(pool.map(partial(run, scale=options.scale), paths))
    made = [row for row in rows if row["made"]]
    kept = [row for row in made if not row["refused"]]
    print(f"{len(rows)} pairs, {len(made)} registered, {len(kept)} kept\n")
    print("| of the kept pairs | blurred by the fitted PSF | and by 2 LR px |\n|---|---|---|")

    def line(name: str, of) -> None:
        print(f"| {name} | " + " | ".join(of(f"{extra:g}") for extra in BLURS) + " |")

    def ratio(row: dict, extra: str) -> float:
        return row[f"after {extra}"] / row[f"before {extra}"]

    for name in ("before", "after"):
        line(
            f"RMS to LR, {name}, mean, levels",
            lambda e, n=name: f"{np.mean([r[f'{n} {e}'] for r in kept]):.2f}",
        )
    line("further from LR than untouched", lambda e: str(sum(ratio(r, e) > 1 for r in kept)))
    line("by more than 10 %", lambda e: str(sum(ratio(r, e) > 1.1 for r in kept)))
    line("worst ratio", lambda e: f"{max(ratio(r, e) for r in kept):.3f}")
    line("worst cluster's ratio, median", lambda e: f"{np.median([r[f'cluster {e}'] for r in kept]):.2f}")
    print()
    print("models:", ", ".join(f"{n} {name}" for name, n in Counter(r["model"] for r in kept).most_common()))
    print("curves with a flat stretch:", sum(r["flat"] for r in kept))
    print(f"newly black, worst: {max(r['black'] for r in kept):.4f} of the pixels")
    limit = AlignSettings().max_changed
    print("refused for light that did not change:", sum("the light changed" in r["refused"] for r in made))
    missed = [r["name"] for r in kept if r["shadow found"] <= limit]
    print(f"a moved shadow not found: {len(missed)} of {len(kept)} {' '.join(missed)}")
    if options.sheet:
        sheets = [r["thumbs"] for r in kept]
        blank = np.full_like(sheets[0], 255)
        sheets += [blank] * (-len(sheets) % 3)
        sheet = np.vstack([np.hstack(sheets[i : i + 3]) for i in range(0, len(sheets), 3)])
        cv2.imwrite(str(options.sheet), sheet[..., ::-1])


if __name__ == "__main__":
    main()
