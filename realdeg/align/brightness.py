"""The correction of colours that a pair gets: the one that evidence asks for, if it does no harm.

HR is ground truth. So whatever `tone_fit` prefers is looked at in all ways and in every cluster of colours,
and the next is taken where it would make HR worse than untouched.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from realdeg.align import tone_fit
from realdeg.align.clusters import Cluster, clusters_of, rms, table
from realdeg.align.harm import harm
from realdeg.align.seen import HIGH, Mask, Seen, View
from realdeg.align.settings import Brightness
from realdeg.align.tone import Tone
from realdeg.align.tone_fit import MODELS, Fitted, Samples
from realdeg.arraytypes import Array, Image
from realdeg.imaging.depth import to_8bit

ALLOWED: dict[Brightness, tuple[str, ...]] = {
    "auto": tuple(model.name for model in MODELS),
    "curve": ("none", "gain", "gain and offset", "curve"),
    "matrix": ("none", "gain", "gain and offset", "matrix"),
    "linear": ("none", "gain", "gain and offset"),
    "none": ("none",),
}
"""Models that each setting chooses among."""

# A pixel has changed between the photos when it is off by more than five medians, within these levels, and so
# are those around it: a moved shadow is a patch, what sharpness and registration leave are lines.
CHANGED = 5.0, 8 / 255, 14 / 255
PATCH_PX = 9
BRIGHT = 0.85
DARK = 16 / 255
FAINT = 0.35  # of the brightest channel, encoded: a tenth of its light
RANGE = 0.001, 0.999  # quantiles between which values were measured


@dataclass(frozen=True, eq=False)
class ColourMatch:
    """The correction, and what is known of it.

    Attributes:
        tone: the correction.
        model: what it may do: "none", "gain", "gain and offset", "matrix", "curve", "curve and matrix".
        vignetting: whether it has a gain over the field.
        refused: corrections that evidence preferred, and the harm that each would have done.
        before, after: root mean square of what is between HR and LR at one sharpness, without and with it,
            over pixels and channels that are not clipped and have not changed, 8-bit levels.
        unexplained: what the correction would leave that evidence prefers, whether it was allowed or not.
        measured: (C, 2) least and greatest value that was measured, in [0, 1], of the image that is adjusted.
        beyond: share of its values that lie outside of that.
        clipped: share of the pixels with a clipped channel in HR or LR.
        clusters: by colour, the largest first.
        changed: (h, w) over the field: where the photos do not show the same light whatever the correction:
            moved shadows and things, highlights clipped in one of them.
        untouched: (h, w, C) uint8, the image that is adjusted as it was, on LR's grid or a coarser one.
    """

    tone: Tone
    model: str = "none"
    vignetting: bool = False
    refused: tuple[tuple[str, str], ...] = ()
    before: float = float("nan")
    after: float = float("nan")
    unexplained: float = float("nan")
    measured: Array = field(default_factory=lambda: np.tile([0.0, 1.0], (3, 1)))
    beyond: float = 0.0
    clipped: float = 0.0
    clusters: tuple[Cluster, ...] = ()
    changed: Mask = field(default_factory=lambda: np.zeros((1, 1), bool))
    untouched: Array = field(default_factory=lambda: np.zeros((1, 1, 3), np.uint8))

    @property
    def doubtful(self) -> Mask:
        """(h, w) what has changed, and what is around it: the penumbra of a shadow."""
        return _with_rim(self.changed)

    @property
    def changed_share(self) -> float:
        """Share of the field on which the photos do not show the same light."""
        return float(self.changed.mean())


def match(photos: Seen, method: Brightness = "auto", *, vignetting: bool = True) -> ColourMatch:
    """The correction that brings one photo to the colours of the other, and what it does.

    Args:
        photos: both.
        method: which models are allowed (`ALLOWED`).
        vignetting: allow a gain over the field, common to all channels, with each of them but "linear".
    """
    before = photos.untouched
    labels = clusters_of(before.source)
    samples = samples_of(photos)
    every = tone_fit.candidates(samples, MODELS, vignetting=True)
    best = tone_fit.ranked(samples, every)[0]
    tone, explained = _seen_through(best, samples, photos)
    changed = _changed(explained.source, photos.target)
    rim = _with_rim(changed)
    refused: list[tuple[str, str]] = []
    even = not vignetting or method == "linear"  # the paper's recipe knows no vignetting
    allowed = [one for one in every if one.model.name in ALLOWED[method] and not (even and one.field)]
    for one in tone_fit.ranked(samples, allowed):
        after = explained
        if one is not best:
            tone, after = _seen_through(one, samples, photos)
        why = harm(photos, after, labels, rim) if one.model.gain else ""
        if not why:
            break
        refused.append((f"{one.model.name}, vignetting" if one.field else one.model.name, why))
    counts = ~photos.clipped & ~rim[..., None]
    left = [rms(view.source - photos.target, counts) for view in (before, after, explained)]
    return ColourMatch(
        tone,
        one.model.name,
        one.field,
        tuple(refused),
        before=left[0],
        after=left[1],
        unexplained=left[2],
        measured=_measured(before.source, counts),
        clipped=float(photos.clipped.any(-1).mean()),
        clusters=table(photos, before, after, labels),
        changed=changed,
        untouched=to_8bit(before.sharp),
    )


def samples_of(photos: Seen) -> Samples:
    """The pixels to fit to."""
    return Samples.of(photos.untouched.source, photos.target, photos.clipped, photos.doubt)


def _seen_through(one: Fitted, samples: Samples, photos: Seen) -> tuple[Tone, View]:
    """The correction to apply to HR itself, so that LR sees of it what was fitted.

    Curves and sums over pixels do not commute. The difference is taken from the target, once.
    """
    if not one.model.gain:
        return one.tone, photos.untouched
    after = photos.view(one.tone(photos.fine))
    by = after.source - one.tone(photos.untouched.source)
    tone = tone_fit.fit(samples.with_target(photos.target - by), one.model, one.field).tone
    return tone, photos.view(tone(photos.fine))


def _changed(corrected: Image, target: Image) -> Mask:
    """(h, w) where the photos do not show the same light."""
    off = np.abs(corrected - target)
    off[(target > HIGH) & (corrected > BRIGHT)] = 0  # bright where LR is cut off
    # The blue of a yellow: hardly any light, many levels.
    off[np.minimum(target, corrected) < np.maximum(DARK, FAINT * target.max(-1, keepdims=True))] = 0
    off = off.max(-1)
    factor, least, most = CHANGED
    found = (off > np.clip(factor * np.median(off), least, most)).astype(np.uint8)
    patch = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (PATCH_PX, PATCH_PX))
    return cv2.morphologyEx(found, cv2.MORPH_OPEN, patch).astype(bool)


def _with_rim(changed: Mask) -> Mask:
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (PATCH_PX, PATCH_PX))
    return cv2.dilate(changed.astype(np.uint8), around).astype(bool)


def _measured(source: Image, counts: Mask) -> Array:
    """(C, 2) the values between which nearly all of what counts lies."""
    values = [source[..., c][counts[..., c]] for c in range(source.shape[-1])]
    return np.array([np.quantile(some, RANGE) if len(some) else [0.0, 0.0] for some in values], np.float64)
