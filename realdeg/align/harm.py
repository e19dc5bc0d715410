"""Whether a correction of colours would make HR worse than it is untouched."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realdeg.align.clusters import each, rms
from realdeg.align.seen import HIGH, LOW, Mask, Seen, View
from realdeg.arraytypes import Array

# By so much a cluster may be further off by chance: a factor and levels of its root mean square, and levels
# of its mean colour.
WORSE, WORSE_RMS, WORSE_MEAN = 1.02, 0.15, 1.0
NEWLY_CLIPPED = 0.001  # share of the values


def harm(photos: Seen, after: View, labels: npt.NDArray[np.int_], changed: Mask) -> str:
    """What a correction would make worse, in words; "" where it does no harm.

    HR is compared with LR three times: blurred alike, as sharp as LR is, and reduced as encoded values in
    place of as light, since what cameras do is not known to the last; then in each cluster of colours.

    Args:
        photos: both.
        after: the view of the corrected image.
        labels: (h, w) clusters of colours.
        changed: (h, w) where the photos do not show the same light, which has no say.
    """
    before, same = photos.untouched, ~changed[..., None]
    telling = photos.telling & same
    if not telling.any():
        return "nothing to judge it by"
    ends = before.sharp, photos.sharp_target
    unclipped = (np.minimum(*ends) > LOW) & (np.maximum(*ends) < HIGH) & same
    if (unclipped & ((after.sharp <= 0) | (after.sharp >= 1))).mean() > NEWLY_CLIPPED:
        return "cuts off blacks or whites"
    looks = (
        (before.source, after.source, photos.target, telling),
        (before.sharp, after.sharp, photos.sharp_target, unclipped),
        (before.encoded, after.encoded, photos.target, ~photos.clipped & same),
    )
    if any(rms(now - there, counts) > rms(was - there, counts) for was, now, there, counts in looks):
        return "worse as a whole"
    was, now = before.source - photos.target, after.source - photos.target
    for inside, counts in each(labels, telling):
        further = rms(now, counts) > WORSE * rms(was, counts) + WORSE_RMS
        if further or _mean_colour(now, counts) > _mean_colour(was, counts) + WORSE_MEAN:
            red_green_blue = ", ".join(str(round(255 * float(v))) for v in before.source[inside].mean(0))
            return f"worse where colours are about ({red_green_blue})"
    return ""


def _mean_colour(off: Array, counts: Mask) -> float:
    """Length of the median difference over channels, 8-bit levels."""
    medians = [np.median(off[..., c][counts[..., c]]) for c in range(off.shape[-1]) if counts[..., c].any()]
    return 255 * float(np.linalg.norm(medians))
