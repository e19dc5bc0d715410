"""Detail of HR against LR: known blurs of a scene, seen again in the figures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realdeg.metrics.detail import resolution

SIDE = 160  # LR px


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """(8 * SIDE, 8 * SIDE) float32 levels: discs, eight px an LR px."""
    rng = np.random.default_rng(3)
    picture = np.full((8 * SIDE, 8 * SIDE), 110, np.float32)
    for _ in range(400):
        x, y = rng.integers(0, 8 * SIDE, 2)
        cv2.circle(picture, (int(x), int(y)), int(rng.uniform(24, 90)), rng.uniform(30, 220), -1)
    return picture


def photo(scene: np.ndarray, step: int, sigma: float, noise: float = 1.0, seed: int = 0) -> np.ndarray:
    """(n, n, 3) uint8: the scene under a blur of `sigma` LR px, every `step`-th pixel's mean."""
    soft = cv2.GaussianBlur(scene, (0, 0), 8 * sigma)
    small = cv2.resize(soft, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    small = small + np.random.default_rng(seed).normal(0, noise, small.shape)
    return np.repeat(np.clip(np.rint(small), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def blur(sigma: float, step: int) -> float:
    """Of a photo, LR px, the mean over its pixels included."""
    return float(np.hypot(sigma, step / 8 / np.sqrt(12)))


@pytest.mark.parametrize(("scale", "sigma"), [(4, 0.12), (4, 0.3), (2, 0.25)])
def test_blurs_are_what_they_were_made_with(scene, scale, sigma):
    found = resolution(photo(scene, 8, 0.5, seed=1), photo(scene, 8 // scale, sigma), scale)
    assert found is not None
    assert found.blur_lr == pytest.approx(blur(0.5, 8), rel=0.12)
    assert found.blur_hr == pytest.approx(blur(sigma, 8 // scale), abs=0.25 / scale)
    assert found.detail == pytest.approx(min(scale, blur(0.5, 8) / blur(sigma, 8 // scale)), rel=0.25)
    assert found.soft == 0


def test_noise_is_no_detail(scene):
    lr = photo(scene, 8, 0.5, seed=1)
    found = resolution(lr, photo(scene, 2, 0.52, noise=6), 4)
    assert found is not None
    assert found.detail < 1.25


def test_what_is_out_of_focus_in_hr_alone_is_found_where_it_is(scene):
    lr, hr = photo(scene, 8, 0.5, seed=1), photo(scene, 2, 0.12)
    hr[:, 2 * SIDE :] = photo(scene, 2, 0.8)[:, 2 * SIDE :]
    found = resolution(lr, hr, 4)
    assert found is not None
    left, right = found.is_soft[:, found.x < SIDE / 2 - 40], found.is_soft[:, found.x > SIDE / 2 + 40]
    assert not left.any()
    assert right.mean() > 0.9
    assert 0.3 < found.soft < 0.6
    valid = np.ones((SIDE, SIDE), bool)
    valid[:, SIDE // 2 - 40 :] = False
    kept = resolution(lr, hr, 4, valid)
    assert kept is not None
    assert kept.soft == 0


def test_what_is_out_of_focus_in_both_is_not_hrs_fault(scene):
    half = scene.copy()
    half[:, 4 * SIDE :] = cv2.GaussianBlur(scene, (0, 0), 8 * 0.8)[:, 4 * SIDE :]
    found = resolution(photo(half, 8, 0.5, seed=1), photo(half, 2, 0.12), 4)
    assert found is not None
    assert found.soft < 0.05
    assert found.detail > 1.8


def test_an_lr_that_was_sharpened_does_not_make_hr_soft(scene):
    lr = photo(scene, 8, 0.4, seed=1).astype(np.float32)
    lr = np.clip(np.rint(lr + 1.0 * (lr - cv2.GaussianBlur(lr, (0, 0), 0.8))), 0, 255).astype(np.uint8)
    found = resolution(lr, photo(scene, 2, 0.12), 4)
    assert found is not None
    assert found.detail > 1.7
    assert found.soft < 0.05


def test_where_nothing_shows_nothing_is_said(scene):
    flat = np.full_like(scene, 120)
    assert resolution(photo(flat, 8, 0.5, seed=1), photo(flat, 2, 0.12), 4) is None
    small = photo(scene, 8, 0.5)[:24, :24]
    assert resolution(small, np.repeat(np.repeat(small, 2, 0), 2, 1), 2) is None
    with pytest.raises(ValueError, match="not x4"):
        resolution(small, small, 4)
