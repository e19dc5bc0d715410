"""Whole pairs whose colours differ: of simulated cameras with exact truth, and of real ones where they are here."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from realdeg.align.brightness import ColourMatch
from realdeg.align.finished import finish
from realdeg.align.pair import Registration, make_pair, register
from realdeg.align.settings import AlignSettings
from realdeg.align.tone import Tone
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear
from realdeg.imaging.resample import resize
from realdeg.io.photo import read

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def shaded(picture, centre, axes, light=0.5):
    """A picture on which a shadow with a soft edge lies."""
    share = np.zeros(picture.shape[:2], np.float32)
    cv2.ellipse(share, centre, axes, 25, 0, 360, 1, -1)
    share = cv2.GaussianBlur(share, (0, 0), 5)[..., None]
    lit = srgb_to_linear(picture / np.float32(255)) * (1 - (1 - light) * share)
    return np.rint(255 * linear_to_srgb(lit)).astype(np.uint8)


def untouched(found):
    return replace(found, colours=ColourMatch(Tone.none()))


@pytest.fixture(scope="module")
def moved_shadow(photograph, scene):
    picture = scene("coffee.png")
    return photograph(
        shaded(picture, (200, 150), (90, 60)), 2, hr_picture=shaded(picture, (380, 240), (90, 60))
    )


def test_a_moved_shadow_is_refused_for_what_it_is(moved_shadow):
    found = register(moved_shadow.lr, moved_shadow.hr, AlignSettings(scale=2))
    assert isinstance(found, Registration)
    assert found.refused is not None
    assert "the light changed between the photos" in str(found.refused)
    assert "`mask` keeps the rest" in str(found.refused)


def test_or_masked_and_never_painted(moved_shadow):
    settings = AlignSettings(scale=2, mask=True)
    found = register(moved_shadow.lr, moved_shadow.hr, settings)
    made = finish(moved_shadow.lr, moved_shadow.hr, found, settings)
    assert made.refused is None
    assert 0.05 < 1 - (made.valid > 0).mean() < 0.45
    seen = cv2.resize(made.hr, made.lr.shape[1::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    both = [cv2.GaussianBlur(i, (0, 0), 3) for i in (seen, made.lr.astype(np.float32))]
    off = np.abs(both[0] - both[1]).max(-1)
    assert np.percentile(off[made.valid > 0], 99) < 15
    assert np.median(off[made.valid == 0]) > 15
    # What is valid is corrected as if there were no shadow at all.
    assert np.median(off[made.valid > 0]) < 1.5


def test_equal_shadows_are_no_change(photograph, scene):
    picture = shaded(scene("coffee.png"), (200, 150), (90, 60))
    photos = photograph(picture, 2)
    assert register(photos.lr, photos.hr, AlignSettings(scale=2)).refused is None


def test_another_cameras_saturation_is_brought_over(photograph, scene):
    photos = photograph(scene("chelsea.png"), 2)
    light = srgb_to_linear(photos.lr / np.float32(255))
    grey = (light @ LUMA)[..., None]
    lr = np.rint(255 * np.clip(linear_to_srgb(np.maximum(grey + 1.8 * (light - grey), 0)), 0, 1)).astype(
        np.uint8
    )
    left = {}
    for brightness in ("auto", "matrix", "curve", "none"):
        found = register(lr, photos.hr, AlignSettings(scale=2, brightness=brightness))
        left[brightness] = found.colours.after
        assert found.colours.after <= found.colours.before
    assert left["auto"] < 1.0
    assert left["matrix"] < 1.5
    assert left["curve"] > 3 * left["auto"]


def test_the_tone_of_lrs_camera_is_met_on_hr_itself(photograph, scene):
    """Truth: HR taken once more with LR's exposure and curve."""
    photos = photograph(scene("coffee.png"), 2, lr={"exposure": 0.8, "gamma": 1.12})
    found = register(photos.lr, photos.hr, AlignSettings(scale=2))
    _, corrected, _ = make_pair(photos.lr, photos.hr, found)
    _, raw, _ = make_pair(photos.lr, photos.hr, untouched(found))
    light = 0.8 * srgb_to_linear(raw / np.float32(255))
    truth = 255 * linear_to_srgb(light) ** np.float32(1.12)
    counts = (raw.min(-1) > 3) & (raw.max(-1) < 250)
    assert np.sqrt(((corrected - truth)[counts] ** 2).mean()) < 0.8
    assert np.sqrt(((raw - truth)[counts] ** 2).mean()) > 10


def worse(lr, hr, raw, scale, blur):
    """By what factor corrected HR is further from LR than untouched HR is, reduced as people do."""
    there = lr.astype(np.float32)
    seen = []
    for image in (hr, raw):
        soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), scale * max(0.3, blur))
        seen.append(resize(soft, 1 / scale).astype(np.float32))
    counts = (lr.min(-1) > 2) & (lr.max(-1) < 252) & (seen[1].min(-1) > 2) & (seen[1].max(-1) < 252)
    corrected, before = (np.sqrt(((s - there)[counts] ** 2).mean()) for s in seen)
    return corrected / before


@pytest.mark.parametrize(("name", "first"), [("realsr_v3_val_x4", 6), ("drealsr_val_x4", 6)])
def test_real_hr_is_never_worse_than_untouched(shared_data, name, first):
    """Every eighth pair; benchmarks/real_colours.py does all of them."""
    folder = shared_data(name)
    kept = 0
    for path in sorted((folder / "HR").iterdir())[1 : 8 * first : 8]:
        lr, hr = (read(folder / side / path.name).pixels for side in ("LR", "HR"))
        settings = AlignSettings(scale=4)
        found = register(lr, hr, settings)
        if not isinstance(found, Registration):
            continue
        pair_lr, pair_hr, _ = make_pair(lr, hr, found)
        _, raw, _ = make_pair(lr, hr, untouched(found))
        assert worse(pair_lr, pair_hr, raw, 4, found.psf.sigma) < 1.02
        assert found.colours.after <= found.colours.before
        assert (np.diff(found.colours.tone.of_greys(), axis=1) > 0).all()
        kept += 1
    assert kept >= first / 2
