"""Domain distance: how far a set of synthetic LR images is from a set of real photos of other scenes.

Each image gives a few figures (`realdeg.metrics.photo_statistics`). Two sets are compared by the mean and
the spread of each figure over their images, as Gaussians are by Frechet's distance: a recipe that is right
on average, but blurs one image too much and the next too little, is not near. The unit is the same distance
between two halves of the real photos, so 1 means: as different as two halves of the real set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from realdeg.arraytypes import Array
from realdeg.metrics.photo_statistics import PhotoStatistics
from realdeg.seeds import stream
from realdeg.words import counted

FEWEST = 4  # photos: two halves of two
FEW = 40  # of fewer, halves differ by chance, and so do distances in their units
HALVINGS = 32
PERMUTATIONS = 999
# Chosen by rank correlation on Canon's pairs (benchmarks/README.md). Spectra and patches differ least between
# halves of the real photos, so their figures are the largest and would speak alone.
WEIGHTS = {"spectrum": 0.05, "noise": 0.2, "gradients": 0.7, "patches": 0.05}
SMALLEST = 0.02  # octaves: photos that are equal to such a degree leave no smaller unit
SMALLEST_PATCHES = 0.002


class Curves(NamedTuple):
    """Means over the images of a set: what `DomainDistance` compares, for charts; as in PhotoStatistics."""

    spectrum: Array
    noise: Array
    gradients: Array


@dataclass(frozen=True, eq=False)
class DomainDistance:
    """How far a set is from real photos.

    Attributes:
        distance: weighted mean (`WEIGHTS`) of the next four.
        spectrum, noise, gradients, patches: distances, 1 = as between two halves of the real photos.
        p_value: of the two-sample test on patches: how often two sets, drawn from all images at random, are
            as far apart; images of one recipe that was right would give each value equally often.
        images, photos: how many were compared.
        made, real: curves of both.
    """

    distance: float
    spectrum: float
    noise: float
    gradients: float
    patches: float
    p_value: float
    images: int
    photos: int
    made: Curves
    real: Curves


def domain_distance(real: Sequence[PhotoStatistics], made: Sequence[PhotoStatistics]) -> DomainDistance:
    """Compare a set of images with real photos.

    Args:
        real: of photos, at least `FEWEST`.
        made: of the images, at least `FEWEST`.

    Raises:
        ValueError: too few of either.
    """
    if min(len(real), len(made)) < FEWEST:
        raise ValueError(f"{len(real)} photos and {len(made)} images; {FEWEST} of each are needed")
    parts = {
        name: _in_units(*(np.stack([getattr(one, name).ravel() for one in many]) for many in (real, made)))
        for name in ("spectrum", "noise", "gradients")
    }
    a, b = (np.stack([one.patches for one in many]) for many in (real, made))
    parts["patches"] = float(np.sqrt(_discrepancy(a, b)) / max(_patch_unit(a), SMALLEST_PATCHES))
    total = sum(WEIGHTS[name] * part for name, part in parts.items())
    return DomainDistance(
        total, **parts, p_value=_permuted(a, b), images=len(made), photos=len(real),
        made=_curves(made), real=_curves(real),
    )  # fmt: skip


def doubts(
    real: Sequence[PhotoStatistics], sets: Mapping[str, Sequence[PhotoStatistics]], name: str = "the photos"
) -> list[str]:
    """What is implausible of distances, a line each: few photos or images, and images that are photos.

    Args:
        real: of photos.
        sets: of the images of each set, by its name.
        name: of the photos.
    """
    few = [f"{counted(len(real), 'photos')} of {name}"] if len(real) < FEW else []
    few += [f"{counted(len(made), 'images')} of {of}" for of, made in sets.items() if len(made) < FEW]
    said = [f"rough distances: {', '.join(few)}; {FEW} or more of each make them reliable"] if few else []
    known = {_likeness(one) for one in real}
    for of, made in sets.items():
        if both := sum(_likeness(one) in known for one in made):
            share = f"{both} of {counted(len(made), 'images')}" if both < len(made) else "all images"
            said.append(
                f"{of}: {share} are photos of {name}, so the distance is from itself; take other photos"
            )
    return said


def _likeness(one: PhotoStatistics) -> bytes:
    """What two images share that are one: a hash of figures of all their pixels."""
    figures = (one.spectrum, one.noise, one.gradients, one.patches)
    return hashlib.blake2b(b"".join(np.ascontiguousarray(part).tobytes() for part in figures)).digest()


def frechet2(a: Array, b: Array) -> float:
    """Squared Frechet distance of two sets as independent Gaussians, mean over their figures.

    Args:
        a: (n, figures); NaN where a photo does not have a figure.
        b: (m, figures).

    Returns:
        Mean of (difference of means)^2 + (difference of standard deviations)^2 over the figures that at
        least a quarter of both sets have, and no fewer than two; NaN where there is none.

    Source:
        Dowson and Landau, J. Multivariate Analysis 12 (1982), for diagonal covariances.
    """
    there = np.ones(a.shape[1], bool)
    for many in (a, b):
        there &= np.isfinite(many).sum(0) >= max(2, len(many) / 4)
    if not there.any():
        return float("nan")
    (mean_a, sd_a), (mean_b, sd_b) = (
        (np.nanmean(many[:, there], 0), np.nanstd(many[:, there], 0, ddof=1)) for many in (a, b)
    )
    return float((np.square(mean_a - mean_b) + np.square(sd_a - sd_b)).mean())


def _in_units(real: Array, made: Array) -> float:
    """Frechet distance in units of that between halves of the real photos; 0 where nothing compares."""
    halves = [frechet2(real[one], real[other]) for one, other in _halvings(len(real))]
    unit2 = np.nanmean(halves) if np.isfinite(halves).any() else 0.0
    found = frechet2(real, made)
    return float(np.sqrt(found / max(unit2, SMALLEST**2))) if np.isfinite(found) else 0.0


def _halvings(count: int) -> list[tuple[Array, Array]]:
    rng = stream(0, "domain", f"halves of {count}")
    orders = [rng.permutation(count) for _ in range(HALVINGS)]
    return [(order[: count // 2], order[count // 2 :]) for order in orders]


def _discrepancy(a: Array, b: Array) -> float:
    """Squared maximum mean discrepancy of two sets of mean embeddings."""
    return float(np.square(a.mean(0) - b.mean(0)).mean())


def _patch_unit(real: Array) -> float:
    found = [_discrepancy(real[one], real[other]) for one, other in _halvings(len(real))]
    return float(np.sqrt(np.mean(found)))


def _permuted(real: Array, made: Array) -> float:
    """p-value by permutation of whole images: patches of one image are not independent."""
    both, count = np.concatenate([real, made]), len(real)
    rng = stream(0, "domain", "permutations")
    found = _discrepancy(real, made)
    as_far = 0
    for _ in range(PERMUTATIONS):
        order = rng.permutation(len(both))
        as_far += _discrepancy(both[order[:count]], both[order[count:]]) >= found * (1 - 1e-12)
    return (1 + as_far) / (1 + PERMUTATIONS)


def _curves(many: Sequence[PhotoStatistics]) -> Curves:
    noise = np.stack([one.noise for one in many])
    there = np.isfinite(noise)
    count = there.sum(0)
    level = np.where(count > 0, np.where(there, noise, 0).sum(0) / np.maximum(count, 1), np.nan)
    return Curves(
        np.mean([one.spectrum for one in many], 0), level, np.mean([one.gradients for one in many], 0)
    )
