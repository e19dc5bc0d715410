"""Truth: corrections that the tests put in, and harm that they make."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from realdeg.align.brightness import match
from realdeg.align.clusters import clusters_of, rms
from realdeg.align.harm import harm
from realdeg.align.seen import Seen
from realdeg.align.tone import LEVELS, Tone
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear
from realdeg.imaging.resample import resize


def textured(seed=0, size=(160, 200)):
    """Colours with detail at all sizes, from about 0.1 to 0.9."""
    rng = np.random.default_rng(seed)
    total = np.zeros((*size, 3), np.float32)
    for sigma, share in ((1, 0.1), (4, 0.3), (12, 1.0)):
        layer = cv2.GaussianBlur(rng.standard_normal((*size, 3)).astype(np.float32), (0, 0), sigma)
        total += share * layer / layer.std()
    return np.clip(0.5 + 0.15 * total, 0.08, 0.92).astype(np.float32)


def lit(image, gain):
    return np.asarray(linear_to_srgb(srgb_to_linear(image) * np.asarray(gain, np.float32)), np.float32)


def photos(fine, corrected, noise=1.0, clipped=None):
    """What `seen` makes of HR and of an LR that shows `corrected`, twice as coarse."""
    height, width = fine.shape[0] // 2, fine.shape[1] // 2
    size = width, height
    rng = np.random.default_rng(3)
    there = linear_to_srgb(cv2.resize(srgb_to_linear(corrected), size, interpolation=cv2.INTER_AREA))
    there = np.clip(there + noise / 255 * rng.standard_normal(there.shape), 0, 1).astype(np.float32)
    none = np.zeros(there.shape, bool) if clipped is None else clipped
    return Seen(fine, 0.0, 2.5, there, cv2.GaussianBlur(there, (0, 0), 2.5), none)


def error(found, fine, truth):
    return 255 * float(np.sqrt(np.mean((found.tone(fine) - truth) ** 2)))


@pytest.mark.parametrize("gain", [0.7, 1.0, 1.2])
def test_hr_gets_lrs_exposure(gain):
    fine = textured(size=(320, 400))
    found = match(photos(fine, lit(fine, gain)))
    assert error(found, fine, np.clip(lit(fine, gain), 0, 1)) < 1.0
    assert found.model == ("none" if gain == 1 else "gain")
    assert found.after < 0.3
    assert found.changed_share == 0


def test_what_is_allowed_is_a_limit():
    fine = textured(size=(320, 400))
    lr = np.clip(0.9 * fine**1.4, 0, 1)
    left = {
        method: match(photos(fine, lr), method) for method in ("none", "linear", "matrix", "curve", "auto")
    }
    assert left["none"].model == "none"
    assert not left["none"].tone.changes
    assert left["linear"].model in {"gain", "gain and offset"}
    assert "curve" not in left["matrix"].model
    assert left["curve"].model == "curve"
    assert left["auto"].after < 0.5 < left["linear"].after < left["none"].after


def test_a_moved_shadow_is_found_and_not_painted():
    """The shadow lies elsewhere on LR: a gain for all would be wrong, and one over the field would paint it."""
    fine = textured(size=(320, 400))
    light = np.ones((320, 400, 1), np.float32)
    cv2.ellipse(light, (130, 120), (70, 50), 20, 0, 360, 0.5, -1)
    light = cv2.GaussianBlur(light, (0, 0), 4)[..., None]
    found = match(photos(fine, lit(fine, light)))
    inside = cv2.resize(light, (200, 160), interpolation=cv2.INTER_AREA) < 0.6
    assert found.changed[inside].mean() > 0.9
    assert found.changed[cv2.erode((~inside).astype(np.uint8), np.ones((25, 25))) > 0].mean() < 0.01
    far = np.s_[240:, 300:]
    assert 255 * np.abs(found.tone(fine) - fine)[far].mean() < 2.0


def test_highlights_cut_off_in_hr_alone_are_not_the_same_light():
    dark = lit(textured(size=(320, 400)), 0.6)
    dark[40:120, 60:200] = 0.93
    bright = np.clip(lit(dark, 1.6), 0, 1)
    clipped = cv2.resize((bright >= 0.99).astype(np.float32), (200, 160), interpolation=cv2.INTER_AREA) > 0.05
    assert 0.08 < clipped.mean() < 0.3
    assert match(photos(bright, dark, clipped=clipped)).changed[25:55, 35:95].mean() > 0.9
    # Cut off in LR alone: HR is bright there as well, that is all that can be said.
    assert match(photos(dark, bright, clipped=clipped)).changed_share < 0.01


def test_fine_contrast_is_no_tone():
    """LR was sharpened as encoded values, as cameras do: its means are HR's, its contrast is not."""
    fine = textured(size=(320, 400))
    low = cv2.resize(fine, (200, 160), interpolation=cv2.INTER_AREA)
    sharpened = np.clip(low + 1.0 * (low - cv2.GaussianBlur(low, (0, 0), 1.0)), 0, 1).astype(np.float32)
    some = replace(
        photos(fine, fine), sharp_target=sharpened, target=cv2.GaussianBlur(sharpened, (0, 0), 2.5)
    )
    found = match(some)
    assert error(found, fine, fine) < 1.0


def test_what_would_do_harm_is_refused_with_its_reason():
    fine = (0.3 + 0.5 * textured(size=(320, 400))).astype(np.float32)
    fine[40:80, 60:140] = 0.12
    some = photos(fine, lit(fine, 0.9))
    labels = clusters_of(some.untouched.source)

    def judged(curve):
        levels = np.linspace(0, 1, LEVELS)
        tone = Tone(np.tile(np.clip(curve(levels), 0, 1), (3, 1)).astype(np.float32))
        return harm(some, some.view(tone(some.fine)), labels, np.zeros(labels.shape, bool))

    truth = lit(np.linspace(0, 1, LEVELS, dtype=np.float32), 0.9)
    assert judged(lambda v: truth) == ""
    assert judged(lambda v: 0.6 * v) == "worse as a whole"
    assert judged(lambda v: truth - np.where(v < 0.4, 0.4, 0)) == "cuts off blacks or whites"
    # Right for nearly all, wrong for the patch.
    dark = judged(lambda v: truth + np.where(v < 0.25, 0.08, 0))
    assert dark.startswith("worse where colours are about (4")  # the patch and its rim


def test_a_preferred_correction_that_does_harm_is_passed_over(monkeypatch):
    fine = textured(size=(320, 400))
    some = photos(fine, lit(fine, 0.8))
    first = match(some)
    asked = []

    def once(*args):
        asked.append(args)
        return "worse as a whole" if len(asked) == 1 else harm(*args)

    monkeypatch.setattr("realdeg.align.brightness.harm", once)
    second = match(some)
    assert second.refused == ((first.model, "worse as a whole"),)
    assert second.model != first.model
    monkeypatch.setattr("realdeg.align.brightness.harm", lambda *_: "worse as a whole")
    none = match(some)
    assert (none.model, none.after) == ("none", none.before)
    assert not none.tone.changes


def test_the_table_tells_each_colour_before_and_after():
    fine = textured(size=(320, 400))
    some = photos(fine, lit(fine, (0.7, 0.8, 0.9)))
    found = match(some)
    assert len(found.clusters) >= 6
    assert [one.share for one in found.clusters] == sorted((o.share for o in found.clusters), reverse=True)
    assert 0.9 < sum(one.share for one in found.clusters) <= 1.0001
    assert all(one.after < 0.2 * one.before for one in found.clusters)
    whole = np.sqrt(sum(one.share * one.before**2 for one in found.clusters))
    assert whole == pytest.approx(found.before, rel=0.1)


def test_walls_are_left_as_they_are():
    wall = np.full((120, 120, 3), 0.4, np.float32)
    found = match(photos(wall, wall))
    assert_allclose(found.tone(wall), wall, atol=1e-3)


def test_what_lies_beyond_the_measured_range_is_stated():
    fine = textured(size=(320, 400))
    found = match(photos(fine, fine))
    assert found.measured.shape == (3, 2)
    assert (found.measured[:, 0] > 0.05).all()
    assert (found.measured[:, 1] < 0.95).all()
    assert found.untouched.shape == (160, 200, 3)
    assert_allclose(found.untouched, 255 * resize(fine, 0.5), atol=30)


def test_clusters_are_the_same_each_time_and_cover_all():
    image = textured()
    labels = clusters_of(image)
    assert_array_equal(labels, clusters_of(image.copy()))
    assert len(np.unique(labels)) > 6
    one = np.full((20, 20, 3), 0.3, np.float32)
    assert not clusters_of(one).any()


def test_of_nothing_there_is_no_figure():
    off = np.array([[0.3, -0.4], [9.0, 9.0]]) / 255
    assert rms(off, np.array([[True, True], [False, False]])) == pytest.approx(np.sqrt(0.125))
    assert np.isnan(rms(off, np.zeros((2, 2), bool)))
