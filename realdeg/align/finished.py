"""A registration becomes a finished pair, is measured again on it, and is judged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from realdeg.align import verdict
from realdeg.align.mask import validity
from realdeg.align.pair import Registration, make_pair
from realdeg.align.residual import measure
from realdeg.align.settings import AlignSettings
from realdeg.align.verdict import Rejection
from realdeg.arraytypes import Image
from realdeg.metrics.detail import Detail, resolution
from realdeg.metrics.enlargement import enlargement


@dataclass(frozen=True, eq=False)
class Finished:
    """A pair that was made.

    Attributes:
        lr: (h, w, 3), the LR photo's crop.
        hr: (scale h, scale w, 3).
        valid: (h, w) uint8, 255 where the pair is valid; None where that was not asked for.
        found: the registration, with the residual that is left in the pair.
        refused: why the pair is not good enough; None: it is.
    """

    lr: Image
    hr: Image
    valid: npt.NDArray[np.uint8] | None
    found: Registration
    refused: Rejection | None


def finish(lr: Image, hr: Image, found: Registration, settings: AlignSettings) -> Finished:
    """Make the pair of a registration and judge it.

    Args:
        lr, hr: the photos that were registered.
        found: of `realdeg.align.pair.register`.
        settings: limits; with `mask` a pair is judged where it is valid.
    """
    pair_lr, pair_hr, found = make_pair(lr, hr, found)
    valid = validity(found) if settings.mask else None
    detail = resolution(pair_lr, pair_hr, found.scale, None if valid is None else valid > 0)
    found = replace(found, detail=detail, enlarged=_enlarged(hr, detail, found.zoom))
    if valid is not None:
        valid = validity(found)
        found = replace(found, residual=measure(pair_lr, pair_hr, found.scale, valid))
    refused = (
        found.refused
        or verdict.enlarged(found.enlarged, settings, found.zoom)
        or verdict.little_detail(detail, found.scale, settings, found.zoom)
        or verdict.large_error(found.error, found.residual, settings, found.zoom, found.softness)
    )
    return Finished(pair_lr, pair_hr, valid, found, refused)


def _enlarged(hr: Image, detail: Detail | None, zoom: float) -> float:
    """By how much the HR photo was enlarged at least, 0 for one that is too sharp for that."""
    if detail is None:
        return 0.0
    traces = enlargement(hr)
    return traces.factor if traces is not None and traces.fits(detail.blur_hr * zoom) else 0.0
