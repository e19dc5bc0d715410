"""Truth: captures simulated through known maps and lenses (`realdeg.imaging.capture`)."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from realdeg.align.pair import Registration, make_pair, nearest_scale, register
from realdeg.align.settings import AlignSettings
from realdeg.align.verdict import Rejection, large_error


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_registers_to_a_twentieth_of_a_pixel(registered, photo, scale):
    """Lenses, keystone, vignetting, colours, two-axis blur, noise and JPEG together."""
    photos, *_, found = registered(photo, scale)
    assert found.refused is None
    assert photos.p95(found.hr_from_lr, found.field) < 0.05
    assert found.zoom == pytest.approx(_zoom(photos, found.field.centre), rel=1e-3)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_stated_error_is_of_the_true_ones_size(registered, photo, scale):
    photos, *_, found = registered(photo, scale)
    true = photos.p95(found.hr_from_lr, found.field)
    assert true / 4 < found.error < 4 * true + 0.03


def test_stated_errors_are_calibrated_on_the_whole(registered):
    """Half of the pairs should be better than stated, half worse; far from it, the statement is worth nothing."""
    ratios = []
    for name in ("chelsea.png", "coffee.png", "tmshre_riaphotographs_srgb8.png", "u76c0g_bliznaca_srgb8.png"):
        for scale in (2, 3, 4, 8):
            photos, *_, found = registered(name, scale)
            ratios.append(photos.p95(found.hr_from_lr, found.field) / found.error)
    assert 0.4 < np.median(ratios) < 1.5


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_hr_is_exactly_scaled_and_lr_is_untouched(registered, scale):
    photos, pair_lr, pair_hr, found = registered("u76c0g_bliznaca_srgb8.png", scale)
    assert pair_hr.shape == (scale * pair_lr.shape[0], scale * pair_lr.shape[1], 3)
    np.testing.assert_array_equal(pair_lr, photos.lr[found.field.slices])
    assert pair_lr.dtype == pair_hr.dtype == np.uint8
    # What is left is seen from outside: no global shift, and LR looks like reduced HR.
    assert abs(found.residual.mean_x) < 0.04
    assert abs(found.residual.mean_y) < 0.04
    assert found.residual.zncc > 0.96


def test_the_delivered_pixels_lie_where_the_map_says(photograph, scene):
    """A marked HR pixel turns up in the pair where the truth puts it."""
    photos = photograph(scene("chelsea.png"), 2)
    found = register(photos.lr, photos.hr, AlignSettings(scale=2, brightness="none"))
    dots = np.zeros_like(photos.hr)
    dots[60:-60:40, 60:-60:40] = 255
    _, drawn, _ = make_pair(photos.lr, cv2.GaussianBlur(dots, (0, 0), 1.5), found)
    y, x = np.mgrid[: drawn.shape[0], : drawn.shape[1]]
    grid = np.stack([x, y], -1).reshape(-1, 2).astype(float)
    lr_points = (grid + 0.5) / 2 - 0.5 + [found.field.x, found.field.y]
    hr_points = photos.truth(lr_points)
    count = 0
    for dot in np.argwhere(dots[..., 0])[:, ::-1]:
        near = np.hypot(*(hr_points - dot).T) < 8
        light = drawn[..., 1].reshape(-1)[near].astype(float)
        if near.sum() < 190:  # cut by the border
            continue
        seen = (hr_points[near] * light[:, None]).sum(0) / light.sum()
        assert np.hypot(*(seen - dot)) < 0.15
        count += 1
    assert count > 15


def test_the_scale_is_inferred(photograph, scene):
    photos = photograph(scene(), 2)
    found = register(photos.lr, photos.hr, AlignSettings())
    assert isinstance(found, Registration)
    assert found.scale == 2
    assert [nearest_scale(z) for z in (1.49, 1.9, 2.1, 3.75, 7.4, 8.3)] == [2, 2, 2, 4, 7, 8]


def test_brightness_follows_lr_or_hr(photograph, scene):
    photos = photograph(scene(), 2, lr={"exposure": 0.75, "vignetting": 0.25})
    off = {}
    for name, asked in {
        "hr": {},
        "lr": {"adjust": "lr"},
        "none": {"brightness": "none"},
        "linear": {"brightness": "linear"},
    }.items():
        found = register(photos.lr, photos.hr, AlignSettings(scale=2, **asked))
        pair_lr, pair_hr, _ = make_pair(photos.lr, photos.hr, found)
        seen = cv2.resize(pair_hr, pair_lr.shape[1::-1], interpolation=cv2.INTER_AREA).astype(float)
        blurred = [cv2.GaussianBlur(i.astype(float), (0, 0), 6) for i in (seen, pair_lr)]
        off[name] = float(np.abs(blurred[0] - blurred[1]).mean())
        untouched = np.array_equal(pair_lr, photos.lr[found.field.slices])
        assert untouched == (name != "lr")
    assert off["hr"] < 1.0
    assert off["lr"] < 1.2
    assert off["hr"] < off["linear"] < off["none"]
    assert off["none"] > 10


def test_lr_at_hrs_brightness_leaves_hr_as_it_is(photograph, scene):
    photos = photograph(scene(), 2, lr={"exposure": 0.75})
    pairs = []
    for asked in ({"adjust": "lr"}, {"brightness": "none"}):
        found = register(photos.lr, photos.hr, AlignSettings(scale=2, **asked))
        pairs.append(make_pair(photos.lr, photos.hr, found)[1])
    np.testing.assert_array_equal(*pairs)


def test_sixteen_bit_stays_sixteen_bit(photograph, scene):
    photos = photograph(scene("chelsea.png"), 2)
    lr, hr = (image.astype(np.uint16) * 257 for image in (photos.lr, photos.hr))
    eight = register(photos.lr, photos.hr, AlignSettings(scale=2))
    found = register(lr, hr, AlignSettings(scale=2))
    corners = found.field.corners
    np.testing.assert_allclose(found.hr_from_lr(corners), eight.hr_from_lr(corners), atol=5e-3)
    pair_lr, pair_hr, _ = make_pair(lr, hr, found)
    _, pair_hr8, _ = make_pair(photos.lr, photos.hr, eight)
    assert pair_lr.dtype == pair_hr.dtype == np.uint16
    assert len(np.unique(pair_hr)) > 1000
    assert np.abs(pair_hr / 257 - pair_hr8).max() < 2


def test_the_sharpest_lr_there_is_does_not_pass_for_a_soft_hr(photo, scene):
    """LR made of exact means of 2 x 2 HR pixels: a blur of 0.25 LR px."""
    image = scene(photo)[:300, :450]
    hr = np.ascontiguousarray(image[5:-4, 7:-6])
    lr = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    found = register(lr, hr, AlignSettings(scale=2))
    assert found.refused is None
    assert found.psf.sigma == pytest.approx(0.25, abs=0.07)


@pytest.mark.parametrize("name", ["tmshre_riaphotographs_srgb8.png", "coffee.png"])
def test_a_sky_over_half_of_the_photo_does_no_harm(photograph, scene, name):
    """Windows that show noise only must not pass for a lack of sharpness."""
    picture = scene(name).copy()
    picture[: len(picture) // 2] = 150
    photos = photograph(picture, 2)
    found = register(photos.lr, photos.hr, AlignSettings(scale=2))
    assert found.refused is None
    assert found.psf.sigma == pytest.approx(0.41, abs=0.05)
    assert photos.p95(found.hr_from_lr, found.field) < 0.08
    assert found.error < 0.15


def test_a_stronger_zoom_is_reduced_without_aliases(photograph, scene):
    """Zoom 2.9 at x2: HR shrinks by 1.45; a pattern that its new grid cannot hold is weakened.

    Drawn as they are, stripes of black and white would have a standard deviation of 90.
    """
    photos = photograph(scene("coffee.png"), 2, zoom=2.9)
    found = register(photos.lr, photos.hr, AlignSettings(scale=2, brightness="none"))
    assert isinstance(found, Registration), found.reason
    stripes = np.zeros_like(photos.hr)
    stripes[:, ::2] = 255
    _, drawn, _ = make_pair(photos.lr, stripes, found)
    assert drawn.std() < 65


# What is refused, and why.


def reason(lr, hr, **asked):
    settings = AlignSettings(**asked)
    found = register(lr, hr, settings)
    if isinstance(found, Registration):
        refused = found.refused
        if refused is None:
            *_, found = make_pair(lr, hr, found)
            refused = large_error(found.error, found.residual, settings, found.zoom, found.softness)
        found = refused
    assert isinstance(found, Rejection)
    assert "\n" not in str(found)
    return str(found)


def test_refuses_other_scenes_and_walls(photograph, scene):
    lr = photograph(scene("coffee.png"), 2).lr
    hr = photograph(scene("chelsea.png"), 2).hr
    assert "no common scene" in reason(lr, hr, scale=2)
    wall = np.full((300, 400, 3), 120, np.uint8)
    assert "too little texture" in reason(wall, cv2.resize(wall, (800, 600)), scale=2)


def test_refuses_swapped_folders_and_wrong_scales(photograph, scene):
    photos = photograph(scene(), 2)
    assert "HR is smaller than LR" in reason(photos.hr, photos.lr)
    assert "no larger" in reason(photos.hr, photos.hr)
    assert "use a smaller `scale`" in reason(photos.lr, photos.hr, scale=4)
    four = photograph(scene(), 4)
    assert "use a larger `scale`" in reason(four.lr, four.hr, scale=2)


def moved(picture):
    """The picture with its middle ninth shifted by 4 px: 2 LR px at x2."""
    other = picture.copy()
    height, width = picture.shape[:2]
    part = np.s_[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
    other[part] = np.roll(picture, 4, axis=1)[part]
    return other


def test_refuses_what_moved_unless_a_mask_is_asked_for(photograph, scene):
    picture = scene()
    photos = photograph(picture, 2, hr_picture=moved(picture))
    assert "contradicts the common motion" in reason(photos.lr, photos.hr, scale=2)
    assert "`mask` keeps the rest" in reason(photos.lr, photos.hr, scale=2)
    found = register(photos.lr, photos.hr, AlignSettings(scale=2, mask=True))
    assert found.refused is None
    assert 0.06 < found.disagreeing < 0.2  # the patch is a ninth of the scene, 15 % of the field
    still = photograph(picture, 2)
    assert photos.p95(found.hr_from_lr, found.field) < 0.05
    assert register(still.lr, still.hr, AlignSettings(scale=2)).disagreeing == 0


def test_refuses_what_moved_far(photograph, scene):
    """15 % of the field shows something else."""
    picture = scene()
    other = picture.copy()
    height, width = picture.shape[:2]
    part = np.s_[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
    other[part] = np.roll(picture, 24, axis=1)[part]
    photos = photograph(picture, 2, hr_picture=other)
    assert "moved" in reason(photos.lr, photos.hr, scale=2)


def test_refuses_an_hr_photo_out_of_focus(photograph, scene):
    photos = photograph(scene(), 4, hr={"blur": 6.0})
    assert "not sharper" in reason(photos.lr, photos.hr, scale=4)


def test_refuses_an_lr_photo_out_of_focus(photograph, scene):
    photos = photograph(scene(enlarge=2), 3, lr={"blur": 2.5})
    assert "LR is blurred by" in reason(photos.lr, photos.hr, scale=3)
    kept = register(photos.lr, photos.hr, AlignSettings(scale=3, max_blur=4.0))
    assert kept.refused is None
    assert kept.softness == pytest.approx(2.5 / 0.6, rel=0.15)


def test_refuses_repeated_texture(scene, photograph):
    """A wallpaper with a faint shadow on it: SIFT finds its way, but a period further HR fits as well."""
    unique = scene("coffee.png").astype(float)
    wallpaper = np.tile(scene("chelsea.png")[100:148, 200:248], (9, 13, 1))[:400, :600]
    photos = photograph(np.uint8(0.9 * wallpaper + 0.1 * unique), 2)
    assert "repeated texture" in reason(photos.lr, photos.hr, scale=2)


def test_refuses_a_sliver(photograph, scene):
    photos = photograph(scene(), 2)
    assert "share only" in reason(photos.lr[:60], photos.hr, scale=2, min_side=100)


def test_refuses_a_scene_with_too_little_texture(photograph, scene):
    """One textured patch on a wall: enough for SIFT, not for the edges of the field."""
    picture = np.full_like(scene(), 128)
    picture[125:265, 200:350] = scene()[125:265, 200:350]
    photos = photograph(picture, 2)
    assert "weak texture" in reason(photos.lr, photos.hr, scale=2)


def test_refuses_an_error_above_the_limit(photograph, scene):
    photos = photograph(scene(), 2)
    assert "expected error is 0." in reason(photos.lr, photos.hr, scale=2, max_error=0.004)
    assert "raise `max_error`" in reason(photos.lr, photos.hr, scale=2, max_error=0.004)


def test_refuses_a_pair_that_looks_different(registered):
    *_, found = registered("coffee.png", 2)
    residual = replace(found.residual, zncc=0.5)
    assert "look different" in large_error(found.error, residual, AlignSettings(), found.zoom).reason
    assert "too little texture" in large_error(found.error, None, AlignSettings(), found.zoom).reason
    residual = replace(found.residual, p95=0.16, noise=0.0)
    assert "residual is 0.160" in large_error(found.error, residual, AlignSettings(), found.zoom).reason
    assert large_error(found.error, residual, AlignSettings(), found.zoom, softness=2.0) is None


def _zoom(photos, centre):
    at = np.array(centre)
    columns = [photos.truth(at + e) - photos.truth(at - e) for e in 0.5 * np.eye(2)]
    return np.sqrt(abs(np.linalg.det(np.stack(columns, -1))))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda lr: np.ascontiguousarray(lr[:, ::-1]), "mirrored"),
        (lambda lr: 255 - lr, "contrast is inverted"),
    ],
)
def test_a_mirrored_photo_or_a_negative_is_called_what_it_is(photograph, scene, change, reason):
    photos = photograph(scene("coffee.png"), 2)
    refused = register(change(photos.lr), photos.hr, AlignSettings(scale=2))
    assert isinstance(refused, Rejection)
    assert reason in refused.reason
