"""Finished pairs are judged by what HR holds: half of it out of focus, and enlarged digitally."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realdeg.align.finished import finish
from realdeg.align.pair import register
from realdeg.align.settings import AlignSettings
from realdeg.metrics.enlargement import SOFT


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Discs of many sizes: texture everywhere, and all detail that pixels can show."""
    rng = np.random.default_rng(4)
    found = np.full((520, 640, 3), 120, np.uint8)
    for _ in range(500):
        centre = int(rng.integers(0, 640)), int(rng.integers(0, 520))
        cv2.circle(found, centre, int(rng.uniform(6, 30)), rng.uniform(30, 220, 3).tolist(), -1)
    return found


@pytest.fixture(scope="module")
def half_soft(picture):
    """The right half of what HR sees is as soft as LR, and softer."""
    blurred = picture.copy()
    blurred[:, 320:] = cv2.GaussianBlur(picture, (0, 0), 3.5)[:, 320:]
    return blurred


def test_hr_that_is_soft_on_half_of_the_field_is_refused_or_masked(photograph, picture, half_soft):
    photos = photograph(picture, 2, hr_picture=half_soft)
    masked = AlignSettings(scale=2, mask=True)
    found = register(photos.lr, photos.hr, masked)
    made = finish(photos.lr, photos.hr, found, AlignSettings(scale=2))
    assert "HR resolves no more than LR on" in made.refused.reason
    assert "`mask`" in made.refused.remedy
    kept = finish(photos.lr, photos.hr, found, masked)
    assert kept.refused is None
    x, y = np.meshgrid(
        np.arange(found.field.width) + found.field.x, np.arange(found.field.height) + found.field.y
    )
    at = photos.scene_from_lr(np.stack([x, y], -1).astype(float))[..., 0]
    assert (kept.valid[at > 340] == 0).mean() > 0.95
    assert (kept.valid[at < 320 - 120] > 0).mean() > 0.9
    assert kept.found.detail.detail > 1.4


def test_a_good_pair_says_what_hr_resolves(photograph, picture):
    photos = photograph(picture, 2)
    settings = AlignSettings(scale=2)
    found = register(photos.lr, photos.hr, settings)
    made = finish(photos.lr, photos.hr, found, settings)
    assert made.refused is None
    assert made.found.detail.detail > 1.5
    assert made.found.detail.soft < 0.02
    assert made.found.enlarged == 0
    made = finish(photos.lr, photos.hr, found, AlignSettings(scale=2, min_detail=2.1))
    assert "times LR's detail (`min_detail` 2.1)" in made.refused.reason


def test_hr_that_was_enlarged_digitally_is_refused(photograph, picture):
    photos = photograph(picture, 4, hr={"blur": 0.9})
    height, width = photos.hr.shape[:2]
    small = cv2.resize(photos.hr, (width * 2 // 3, height * 2 // 3), interpolation=cv2.INTER_AREA)
    hr = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    settings = AlignSettings(scale=4)
    found = register(photos.lr, hr, settings)
    made = finish(photos.lr, hr, found, settings)
    assert made.found.enlarged == pytest.approx(1.5, rel=0.02)
    assert made.found.detail.blur_hr * made.found.zoom > SOFT * 1.5
    assert "HR was enlarged digitally, by x1.5" in made.refused.reason
    made = finish(photos.lr, hr, found, AlignSettings(scale=4, digital_zoom="accept"))
    assert made.refused is None
