"""Where a pair is valid: everything but the tiles that contradict the common map, and changed light."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align.pair import Registration
from realdeg.atomic import write_bytes

MASKS = "MASK"


def validity(found: Registration) -> npt.NDArray[np.uint8]:
    """(h, w) uint8 over the LR crop: 255 where the pair is valid, 0 where parts moved or the light changed.

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
    return valid


def write_mask(path: Path, found: Registration) -> float:
    """Write the mask as a grey PNG of LR's size; the share of LR that is valid."""
    mask = validity(found)
    _, data = cv2.imencode(".png", mask)
    write_bytes(path, data.tobytes())
    return float((mask > 0).mean())
