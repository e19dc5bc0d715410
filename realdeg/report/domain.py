"""The section on domain distance: how far LR is from real photos, part by part, and the curves of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realdeg.arraytypes import Image
from realdeg.errors import UserError
from realdeg.imaging.depth import to_8bit
from realdeg.imaging.detail import busiest
from realdeg.io.photo import read
from realdeg.report.charts import curves
from realdeg.report.deck import DeckPair, plate, worst_first
from realdeg.report.folder import Folder
from realdeg.report.overview import Figure

Curve = Sequence[tuple[float, float]]
MEANING = {
    "spectrum": "radial power spectrum, against that at 0.09 to 0.16 cycles/px: blur, sharpening, noise",
    "noise": "noise level at flat places by brightness, at full and half size",
    "gradients": "gradients over 1, 2 and 4 px against each other, and how heavy their tails are",
    "patches": "two-sample test on the fine structure of 8 x 8 patches",
}
NEAR, FAR = 1.5, 3.0
SET, PHOTOS = "this set", "real photos"
CROP = 256  # px a side of what is shown of an image, at its own pixels


@dataclass(frozen=True)
class Strange:
    """An LR image, and how far its spectrum is from the photos' mean, in their standard deviations."""

    key: str
    path: Path
    off: float


@dataclass(frozen=True)
class DomainFigures:
    """What was measured elsewhere, as values.

    Attributes:
        distance: of all parts together.
        parts: distance of each part of `MEANING`; 1 = as between two halves of the real photos.
        weights: of each part in the whole.
        p_value: of the two-sample test.
        images, photos: how many were compared.
        real: name of the folder of photos.
        spectra: (frequency in cycles/px, dB), "this set" and "real photos".
        noise: (mean level, sigma in levels) likewise.
        gradients: name, and log2 of the ratio of this set and of the photos.
        shown: LR images to look at.
        beside: photos to look at beside them.
        doubts: what is implausible of the distance, a line each (`realdeg.metrics.domain.doubts`).
    """

    distance: float
    parts: Mapping[str, float]
    weights: Mapping[str, float]
    p_value: float
    images: int
    photos: int
    real: str
    spectra: Mapping[str, Curve]
    noise: Mapping[str, Curve]
    gradients: Sequence[tuple[str, float, float]]
    shown: Sequence[Strange] = ()
    beside: Sequence[Path] = ()
    doubts: Sequence[str] = ()


@dataclass(frozen=True)
class DomainSection:
    """What the template shows."""

    verdict: str
    kind: str
    lead: str
    rows: Sequence[tuple[str, str, str, str]]
    gradients: Sequence[tuple[str, str, str, str]]
    figures: Sequence[Figure]
    pairs: Sequence[DeckPair] = ()
    doubts: Sequence[str] = ()


def domain_section(found: DomainFigures, folder: Folder | None = None) -> DomainSection:
    """Words, tables and charts of a distance.

    Args:
        found: what was measured.
        folder: receives pictures of LR and of photos; None: there are none.

    Raises:
        UserError: the folder cannot be written.
    """
    kind = "good" if found.distance <= NEAR else "" if found.distance <= FAR else "bad"
    parts = [
        (name, f"{found.parts[name]:.2f}", f"{found.weights[name]:.1%}", meaning)
        for name, meaning in MEANING.items()
    ]
    chance = f"Two sets drawn at random from all of these images are as far apart in {found.p_value:.1%} of "
    figures = [
        Figure(
            curves(found.spectra, x_label="frequency, cycles/px", y_label="power, dB", reach=0.5),
            "Power spectra of luma, means over the images, 0 dB at the reference.",
        ),
        Figure(
            curves(found.noise, x_label="mean level", y_label="sigma, levels", log=True, reach=255),
            "Noise in the flattest quarter of the blocks of each level, full size (logarithmic).",
        ),
    ]
    return DomainSection(
        f"Distance {found.distance:.2f} from {found.photos:,} photos of {found.real}.",
        kind,
        f"1 is the distance between two halves of the photos. {found.images:,} LR images were compared. "
        f"{chance}the draws (patches).",
        parts,
        [(name, f"{a:+.2f}", f"{b:+.2f}", f"{a - b:+.2f}") for name, a, b in found.gradients],
        [one for one in figures if one.svg],
        _side_by_side(found, folder) if folder else (),
        found.doubts,
    )


def _side_by_side(found: DomainFigures, folder: Folder) -> list[DeckPair]:
    """Each LR image beside a photo of like brightness, both at their own pixels; the strangest first."""
    photos = [(path, crop) for path in found.beside if (crop := _crop(path)) is not None]
    pairs, left = [], list(photos)
    for one in found.shown:
        crop = _crop(one.path)
        if crop is None or not photos:
            continue
        left = left or list(photos)  # each photo once, as long as there are others
        level = float(crop.mean())
        nearest = min(range(len(left)), key=lambda i: abs(float(left[i][1].mean()) - level))
        path, photo = left.pop(nearest)
        plates = (
            plate(folder, f"{one.key}, domain", SET, crop),
            plate(folder, f"{one.key}, domain", f"real photo {path.name}", photo),
        )
        line = f"Spectrum {one.off:.2f} standard deviations of the photos from their mean."
        pairs.append(DeckPair(one.key, plates, line=line, badness=one.off))
    return worst_first(pairs)


def _crop(path: Path) -> Image | None:
    """The part with most detail at its own pixels; None where it cannot be read any more."""
    try:
        pixels = to_8bit(read(path).pixels)
    except UserError:
        return None
    height, width = (min(CROP, side) for side in pixels.shape[:2])
    top, left = busiest(pixels, height, width)
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])
