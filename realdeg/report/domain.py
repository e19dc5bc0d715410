"""The section on domain distance: how far LR is from real photos, part by part, and the curves of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from realdeg.report.charts import curves
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


@dataclass(frozen=True)
class DomainSection:
    """What the template shows."""

    verdict: str
    kind: str
    lead: str
    rows: Sequence[tuple[str, str, str, str]]
    gradients: Sequence[tuple[str, str, str, str]]
    figures: Sequence[Figure]


def domain_section(found: DomainFigures) -> DomainSection:
    """Words, tables and charts of a distance."""
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
    )
