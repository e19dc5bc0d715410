"""Truth: kernels whose centroid is known."""

import cv2
import numpy as np
import pytest

from realdeg.align.pair import Registration, register
from realdeg.align.settings import AlignSettings

TAIL = np.array([0.0, 0.0, 0.0, 0.62, 0.2, 0.12, 0.06])


def blurred(photos, kernel):
    """The photos with LR's rows convolved by a kernel."""
    return cv2.sepFilter2D(photos.lr, -1, kernel[::-1].copy(), np.ones(1), borderType=cv2.BORDER_REFLECT)


@pytest.mark.parametrize("name", ["coffee.png", "chelsea.png"])
def test_a_tail_is_registered_by_its_centroid(photograph, scene, name):
    photos = photograph(scene(name), 2)
    centroid = float(TAIL @ (np.arange(len(TAIL)) - 3))
    found = register(blurred(photos, TAIL), photos.hr, AlignSettings(scale=2))
    assert isinstance(found, Registration)
    assert found.fit.asymmetry.shift[0] != 0
    # What LR has at p was at p - centroid.
    x, y = found.field.centre
    points = np.array([[x, y]])
    off = photos.error(lambda p: found.hr_from_lr(p + np.array([centroid, 0.0])), points)[0]
    before = off[0] - found.fit.asymmetry.shift[0]
    assert abs(off[0]) < 0.65 * abs(before)
    assert abs(off[1]) < 0.03


def test_a_symmetric_blur_shifts_nothing(registered):
    for name in ("coffee.png", "chelsea.png", "tmshre_riaphotographs_srgb8.png"):
        *_, found = registered(name, 2)
        assert np.abs(found.fit.asymmetry.shift).max() == 0
        assert not found.fit.asymmetry.covariance.any()
