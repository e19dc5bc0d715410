"""Truth: each channel photographed through its own lens (`realdeg.imaging.capture`)."""

from dataclasses import replace

import numpy as np
import pytest

from realdeg.align.error import grid
from realdeg.align.pair import Registration, make_pair, register
from realdeg.align.settings import AlignSettings

RED, BLUE = 0.0045, -0.006  # of the LR lens, at the corner of its photo, in half diagonals


def grey_scene(scene):
    """A scene without colour, so that its channels have the same edges, and no lateral colour of its own."""
    return np.repeat(scene[..., 1, None], 3, axis=2)


@pytest.fixture(scope="module")
def photos(photograph, scene):
    """Red, green and blue captures of one scene; HR's own red lies elsewhere too."""
    picture = grey_scene(scene("coffee.png"))
    return [
        photograph(picture, 2, seed=c, lr={"distortion": lr}, hr={"distortion": hr})
        for c, (lr, hr) in enumerate(((RED, -0.001), (0.0, 0.0), (BLUE, 0.0)))
    ]


def joined(photos):
    lr, hr = (np.stack([getattr(photos[c], side)[..., c] for c in range(3)], -1) for side in ("lr", "hr"))
    return lr, hr


def p95(photos, found, channel):
    maps = found.lateral.maps(found.hr_from_lr)
    return photos[channel].p95(maps[channel % len(maps)], found.field)


@pytest.fixture(scope="module")
def matched(photos):
    found = register(*joined(photos), AlignSettings(scale=2))
    assert isinstance(found, Registration)
    return found


def test_each_channel_is_drawn_where_lr_has_it(photos, matched):
    assert matched.lateral.applied
    common = [photos[c].p95(matched.hr_from_lr, matched.field) for c in (0, 2)]
    assert min(common) > 0.15
    for channel, before in ((0, common[0]), (2, common[1])):
        assert p95(photos, matched, channel) < min(0.06, before / 3)
    assert matched.lateral.largest(matched.field) == pytest.approx(sum(common), rel=0.35)


def test_the_error_of_each_channel_is_stated(photos, matched):
    for channel in range(3):
        true = p95(photos, matched, channel)
        assert true / 2 < matched.channel_errors[channel] < 6 * true + 0.03


def test_kept_as_it_is_the_error_says_so(photos):
    found = register(*joined(photos), AlignSettings(scale=2, lateral_colour="keep"))
    assert not found.lateral.applied
    for channel in (0, 2):
        assert found.channel_errors[channel] == pytest.approx(p95(photos, found, channel), rel=0.4)


def test_lr_states_its_own_fringes(matched, photos):
    height, width = photos[0].lr.shape[:2]
    corner, field = np.hypot(height, width) / 2, matched.field.corners
    reach = np.hypot(*(field - [(width - 1) / 2, (height - 1) / 2]).T).mean() / corner
    # What the ideal picture has at p, the photo has at p (1 - distortion |p|^2).
    assert matched.lateral.own == pytest.approx(-np.array([RED, BLUE]) * corner * reach**3, rel=0.35)


def test_removed_hr_has_all_channels_where_lr_has_green(photos):
    """HR free of fringes: its red and blue lie on its green."""
    lr, hr = joined(photos)
    found = register(lr, hr, AlignSettings(scale=2, lateral_colour="remove"))
    points = grid(found.field)
    green = photos[1].truth(points)
    for channel, camera in ((0, photos[0].hr_camera), (2, photos[2].hr_camera)):
        # Where HR has the channel of what LR's green shows at these points.
        there = camera.real(photos[1].hr_camera.ideal(green))
        off = found.lateral.maps(found.hr_from_lr)[channel](points) - there
        assert np.percentile(np.hypot(*off.T), 95) / 2 < 0.09


def test_the_drawn_pair_follows_the_maps(photos, matched):
    """Red of the finished HR lies on red of LR, and on the common map it would not."""
    lr, hr = joined(photos)
    one, other, _ = make_pair(lr, hr, matched)
    _, plain, _ = make_pair(lr, hr, replace(matched, lateral=replace(matched.lateral, applied=())))
    assert not np.array_equal(other[..., 0], plain[..., 0])
    off = [np.abs(one[..., 2].astype(float) - two[1::2, 1::2, 2]).mean() for two in (other, plain)]
    assert off[0] < off[1]


def test_a_pair_without_lateral_colour_is_drawn_once(registered):
    *_, found = registered("coffee.png", 2)
    assert not found.lateral.applied
    assert found.lateral.channels is not None
    assert max(found.channel_errors) < 2.5 * found.error
