"""The colours of a scene in a few clusters, so that each can be looked at for itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align.seen import Mask, Seen, View
from realdeg.arraytypes import Array, Image

MOST = 12
LEAST_SHARE = 0.01  # of the pixels
LEAST_PIXELS = 100
SOME = 4000  # pixels that clusters are found with
ROUNDS = 8
APART = 1.0  # CIE L*a*b* units, squared, within which colours are one


@dataclass(frozen=True)
class Cluster:
    """Pixels of about one colour, and how far HR and LR are apart in them.

    Attributes:
        colour: mean (r, g, b) of the image that is adjusted, as it was, 8-bit levels.
        share: of the pixels.
        before, after: root mean square over pixels and channels, without and with the correction, 8-bit
            levels.
    """

    colour: tuple[int, ...]
    share: float
    before: float
    after: float


def clusters_of(image: Image) -> npt.NDArray[np.int_]:
    """(h, w) number of each pixel's cluster, found by k-means in CIE L*a*b* from fixed starts.

    Args:
        image: (h, w, C) float32 in [0, 1], sRGB-encoded.
    """
    planes = image if image.shape[-1] == 3 else np.repeat(image, 3, axis=-1)
    lab = cv2.cvtColor(np.ascontiguousarray(planes, np.float32), cv2.COLOR_RGB2Lab).reshape(-1, 3)
    some = lab[:: max(1, len(lab) // SOME)].astype(np.float64)
    starts = [some.mean(0)]
    for _ in range(MOST - 1):  # the colour furthest from all that are there
        apart = np.min([((some - start) ** 2).sum(1) for start in starts], axis=0)
        if apart.max() < APART:
            break
        starts.append(some[int(apart.argmax())])
    first = _nearest(some, np.array(starts)).astype(np.int32)
    ends = cv2.TERM_CRITERIA_MAX_ITER, ROUNDS, 0.0
    _, _, centres = cv2.kmeans(
        some.astype(np.float32), len(starts), first[:, None], ends, 1, cv2.KMEANS_USE_INITIAL_LABELS
    )
    return _nearest(lab, centres).reshape(image.shape[:2])


def _nearest(points: Array, centres: Array) -> npt.NDArray[np.int_]:
    """(N,) index of the centre that is nearest to each point."""
    return np.stack([((points - centre) ** 2).sum(1) for centre in centres]).argmin(0)


def each(labels: npt.NDArray[np.int_], counts: Mask) -> Iterator[tuple[Mask, Mask]]:
    """(h, w) pixels of each cluster that is large enough, and (h, w, C) those of them that count."""
    for label in np.unique(labels):
        inside = labels == label
        counting = inside[..., None] & counts
        if counting.any(-1).sum() >= max(LEAST_PIXELS, LEAST_SHARE * labels.size):
            yield inside, counting


def table(photos: Seen, before: View, after: View, labels: npt.NDArray[np.int_]) -> tuple[Cluster, ...]:
    """The clusters, the largest first."""
    rows = []
    for inside, counts in each(labels, photos.telling):
        colour = tuple(round(255 * float(v)) for v in before.source[inside].mean(0))
        was, now = (rms(view.source - photos.target, counts) for view in (before, after))
        rows.append(Cluster(colour, float(inside.mean()), was, now))
    return tuple(sorted(rows, key=lambda row: -row.share))


def rms(off: Array, counts: Mask) -> float:
    """Root mean square of what counts, 8-bit levels; NaN where nothing does."""
    values = off[counts]
    return 255 * float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if len(values) else float("nan")
