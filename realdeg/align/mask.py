"""Where a pair is valid: not where tiles contradict the common map, the light changed, or HR is soft."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align.pair import Registration
from realdeg.arraytypes import Array
from realdeg.atomic import write_bytes

MASKS = "MASK"


def validity(found: Registration) -> npt.NDArray[np.uint8]:
    """(h, w) uint8 over the LR crop: 255 where the pair is valid, 0 where parts moved, the light changed
    or, once the pair's detail is known, HR resolves no more than LR.

    A contradicting tile takes its neighbours with it: where the motion ends inside them is not known.
    """
    rows, columns = found.tiles.grid_hw
    against = found.contradicting.reshape(rows, columns).astype(np.uint8)
    against = cv2.dilate(against, np.ones((3, 3), np.uint8))
    area, field = found.polished_field, found.field
    side = found.tiles.side
    y = np.clip((np.arange(field.height) + field.y - area.y) // side, 0, rows - 1)
    x = np.clip((np.arange(field.width) + field.x - area.x) // side, 0, columns - 1)
    valid = (255 * (1 - against[y[:, None], x[None]])).astype(np.uint8)
    changed = found.colours.doubtful.astype(np.uint8)
    valid[cv2.resize(changed, (field.width, field.height), interpolation=cv2.INTER_NEAREST) > 0] = 0
    if found.detail is not None and found.scale > 1 and found.detail.is_soft.any():
        soft = cv2.dilate(found.detail.is_soft.astype(np.uint8), np.ones((3, 3), np.uint8))
        valid[
            soft[_nearest(found.detail.y, field.height)[:, None], _nearest(found.detail.x, field.width)] > 0
        ] = 0
    return valid


def _nearest(middles: Array, length: int) -> Array:
    """(length,) which of ascending places is nearest to each pixel."""
    return np.searchsorted((middles[1:] + middles[:-1]) / 2, np.arange(length))


def write_mask(path: Path, found: Registration) -> float:
    """Write the mask as a grey PNG of LR's size; the share of LR that is valid."""
    mask = validity(found)
    _, data = cv2.imencode(".png", mask)
    write_bytes(path, data.tobytes())
    return float((mask > 0).mean())
