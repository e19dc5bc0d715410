"""Truth: simulated captures, and chance counted by brute force."""

import cv2
import numpy as np
import pytest

from realdeg.align import start as module
from realdeg.align.coarse import MIN_INLIERS, PLENTY, Start, rough
from realdeg.align.correlation import bettered, correlate
from realdeg.align.crop import Box
from realdeg.align.homography import Homography
from realdeg.align.settings import AlignSettings
from realdeg.align.start import as_another, begin
from realdeg.align.verdict import Rejection
from realdeg.align.votes import chance


def grey(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


@pytest.fixture(scope="module")
def weak(photograph, texture):
    """Two noisy photos of soft clouds of a few levels, of which SIFT makes nothing."""
    clouds = cv2.GaussianBlur(texture(340, 440, seed=4), (0, 0), 6)
    clouds = np.uint8(np.clip(120 + 60 * (clouds - clouds.mean()) / clouds.std() / 15, 0, 255))
    return photograph(np.repeat(clouds[..., None], 3, axis=2), 2, lr={"noise_8bit": 3.0})


def off(photos, hr_from_lr):
    """Largest error at the corners of the middle of LR, LR px."""
    height, width = photos.lr.shape[:2]
    x, y = np.meshgrid([0.25 * width, 0.75 * width], [0.25 * height, 0.75 * height])
    return np.hypot(*photos.error(hr_from_lr, np.stack([x, y], -1).reshape(-1, 2)).T).max()


def test_weak_texture_starts_without_features(weak):
    lr, hr = grey(weak.lr), grey(weak.hr)
    assert rough(lr, hr, 2.0).inliers < MIN_INLIERS
    found = begin(lr, hr, AlignSettings(scale=2))
    assert isinstance(found, Start), found.reason
    assert found.inliers < MIN_INLIERS
    assert off(weak, found.hr_from_lr) < 1.0


def test_without_a_scale_the_usual_ones_are_tried(weak):
    found = begin(grey(weak.lr), grey(weak.hr), AlignSettings())
    assert isinstance(found, Start), found.reason
    assert off(weak, found.hr_from_lr) < 1.0


@pytest.mark.parametrize(("turn", "zoom"), [(0.0, 2.0), (5.5, 2.0), (-4.5, 2.12), (1.5, 1.88)])
def test_correlation_finds_zooms_and_turns(photograph, scene, turn, zoom):
    photos = photograph(scene("coffee.png"), 2, turn=turn, zoom=zoom, keystone=0.0)
    found = correlate(grey(photos.lr), grey(photos.hr), 2.0)
    assert found is not None
    assert off(photos, found.hr_from_lr) < 1.0


@pytest.mark.parametrize("scale", [2, 4])
def test_correlation_believes_no_other_scene(photograph, scene, scale):
    names = ("chelsea.png", "coffee.png", "tmshre_riaphotographs_srgb8.png", "u76c0g_bliznaca_srgb8.png")
    photos = [photograph(scene(name), scale) for name in names]
    for i, one in enumerate(photos):
        for j, other in enumerate(photos):
            found = correlate(grey(one.lr), grey(other.hr), float(scale))
            assert (found is not None) == (i == j), (names[i], names[j])


def test_tiles_better_a_start_and_doubt_a_wrong_one(photograph, scene):
    photos = photograph(scene("coffee.png"), 2, keystone=0.0)
    lr, hr = grey(photos.lr), grey(photos.hr)
    good = rough(lr, hr, 2.0).hr_from_lr
    height, width = lr.shape
    field = Box(width // 5, height // 5, width // 2, height // 2)
    moved = bettered(lr, hr, good @ Homography.translation(2.0, -1.5), field)
    assert moved.votes.certain
    assert off(photos, moved.hr_from_lr) < 0.5
    assert not bettered(lr, hr, good @ Homography.translation(30.0, -20.0), field).votes.certain


def test_chance_counts_what_wrong_maps_reach():
    """Tiles that agree at random with one of the similarities that two of them make."""
    assert chance(2, 40) == 1.0
    assert chance(8, 40) == 1.0
    assert chance(16, 16) < 1e-9
    assert chance(40, 40) < chance(30, 40) < chance(20, 40)
    rng, n, reach = np.random.default_rng(0), 16, 4
    x, y = np.meshgrid(range(0, 64, 16), range(0, 64, 16))
    places = np.stack([x, y], -1).reshape(-1, 2).astype(float)
    best = []
    for _ in range(200):
        target = places + rng.uniform(-reach, reach, (n, 2))
        _, keep = cv2.estimateAffinePartial2D(places, target, method=cv2.RANSAC, ransacReprojThreshold=1.0)
        best.append(int(keep.sum()))
    worst = max(best)
    assert chance(worst + 1, n) > 1e-3  # of 200 trials none may have been called next to impossible


def test_enough_matches_are_not_looked_for_again(photograph, scene, monkeypatch):
    photos = photograph(scene("coffee.png"), 2)
    calls = []

    def counted(*args):
        calls.append(args)
        return rough(*args)

    monkeypatch.setattr(module, "rough", counted)
    monkeypatch.setattr(module, "correlate", None)
    found = begin(grey(photos.lr), grey(photos.hr), AlignSettings(scale=2))
    assert found.inliers >= PLENTY
    assert len(calls) == 1
    assert off(photos, found.hr_from_lr) < 1.0
    assert as_another(grey(photos.lr), grey(photos.hr), found, AlignSettings(scale=2)) is None
    assert len(calls) == 1


def test_a_start_knows_how_far_it_may_be_off():
    """1 px of scatter over 100 matches: 0.1 px in their middle, 0.1 sqrt(1 + 3^2) px at three radii."""
    start = Start(Homography.identity(), 100, 100, 1.0, (50.0, 50.0), 20.0)
    assert start.sd(np.array([[50.0, 50.0]])) == pytest.approx(0.1)
    assert start.sd(np.array([[50.0, 50.0], [50.0, 110.0]])) == pytest.approx(0.1 * np.sqrt(10))
    assert Start(Homography.identity(), 0, 0).sd(np.zeros((1, 2))) == np.inf


# Why there is none.


def reason(lr, hr, **asked):
    found = begin(lr, hr, AlignSettings(**{"scale": 2, **asked}))
    assert isinstance(found, Rejection)
    return found.reason


def test_reasons_are_true(photograph, scene, weak):
    one, other = (grey(photograph(scene(name), 2).lr) for name in ("coffee.png", "chelsea.png"))
    assert "no common scene" in reason(one, cv2.resize(other, None, fx=2, fy=2))
    assert "too small: LR has 40x30 px, and 48 a side" in reason(one[:30, :40], other)
    assert "too small: HR has 90x90 px, and 96 a side" in reason(one, other[:90, :90])
    wall = np.clip(120 + 2 * np.random.default_rng(0).standard_normal((200, 260)), 0, 255).astype(np.uint8)
    assert "too little texture: detail in LR" in reason(wall, cv2.resize(one, None, fx=2, fy=2))
    assert "mirrored" in reason(np.ascontiguousarray(grey(weak.lr)[:, ::-1]), grey(weak.hr))
    assert "contrast is inverted" in reason(255 - grey(weak.lr), grey(weak.hr))


def test_unlike_wallpapers_repeat(scene):
    walls = []
    for name, rows in (("coffee.png", 300), ("chelsea.png", 260)):
        tile = grey(scene(name))[100:124, 200:224]
        walls.append(np.tile(tile, (rows // 24, rows // 24)))
    assert "repeated texture: moved by a period" in reason(
        walls[0][:192, :240], cv2.resize(walls[1], None, fx=2, fy=2)
    )
