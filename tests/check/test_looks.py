"""Truth: casts, compression and blur that were made here."""

import cv2
import numpy as np
import pytest

from realdeg.check import colour
from realdeg.check.geometry import grey
from realdeg.check.judge import Fault, judge
from realdeg.check.pair import examine
from realdeg.check.seams import blocks
from realdeg.check.settings import CheckSettings


def test_a_cast_is_told_by_channel(photo, taken):
    hr = photo()
    lr = taken(hr, 4).astype(float)
    plain = colour.compare(taken(hr, 4), hr, 4)
    assert plain.rms < 2.5
    warm = colour.compare(np.clip(lr * (1.15, 1, 0.85), 0, 255).astype(np.uint8), hr, 4)
    np.testing.assert_allclose(warm.gain, (1.15, 1, 0.85), atol=0.04)
    assert warm.rms > 10 > 3 > warm.left
    assert warm.told().startswith("a cast (R +")


def test_contrast_brightness_and_saturation_have_their_names(photo, taken):
    hr = photo()
    lr = taken(hr, 4).astype(float)
    grey_lr = lr.mean(-1, keepdims=True)

    def told(image):
        return colour.compare(np.clip(image, 0, 255).astype(np.uint8), hr, 4)

    assert told(lr + 12).told() == "12 levels brighter"
    assert told(128 + 0.8 * (lr - 128)).contrast == pytest.approx(0.8, abs=0.03)
    assert told(grey_lr + 0.6 * (lr - grey_lr)).saturation == pytest.approx(0.6, abs=0.05)


def test_blocks_are_found_where_they_begin(photo):
    hr = photo()
    assert blocks(grey(hr)).levels < 0.3
    coded = cv2.imdecode(cv2.imencode(".jpg", hr, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)
    found = blocks(grey(coded[3:, 5:]))
    assert found.first == (3, 5)  # 8 - 5, 8 - 3
    assert found.levels > 1.3
    assert blocks(grey(hr[:40, :40])) is None


def enlarged(hr):
    """HR as a digital zoom of 1.5 would have it."""
    small = cv2.resize(hr, None, fx=2 / 3, fy=2 / 3, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, hr.shape[1::-1], interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        (lambda lr, hr: (lr, hr), "keep", ""),
        (lambda lr, hr: (lr[:, ::-1], hr), "drop", "mirrored or turned: it fits HR left to right"),
        (lambda lr, hr: (255 - lr, hr), "drop", "negative"),
        (lambda lr, hr: (lr, cv2.GaussianBlur(hr, (0, 0), 3)), "drop", "HR shows no more than LR"),
        (lambda lr, hr: (lr, enlarged(hr)), "drop", "HR was enlarged digitally, by x1.5"),
        (lambda lr, hr: (lr, np.roll(hr, 8, axis=1)), "re-register", "HR px beside LR"),
    ],
)
def test_pairs_are_called_what_they_are(photo, taken, change, verdict, words):
    hr = photo("chelsea.png")
    lr, hr = (np.ascontiguousarray(one) for one in change(taken(hr, 4), hr))
    found = judge(examine(lr, hr, 4).figures, 4, CheckSettings())
    assert found.verdict == verdict, found
    assert words in found.reason


def test_another_scene_is_no_pair(photo, taken):
    lr = taken(photo("chelsea.png"), 4)
    hr = photo("coffee.png")[: 4 * lr.shape[0], : 4 * lr.shape[1]]
    found = judge(examine(lr[: len(hr) // 4], hr, 4).figures, 4, CheckSettings())
    assert found.verdict == "drop"
    assert "show different things" in found.reason


def test_the_worst_comes_first_and_all_is_told():
    figures = {"colour_rms": 20.0, "colour_left": 2.0, "colour_words": "a cast"}
    found = judge(figures, 4, CheckSettings(), [Fault("drop", "the same picture as x", 2.0)])
    assert found.verdict == "drop"
    assert found.reason == "the same picture as x; colours are 20 levels apart: LR has a cast"
    assert (
        found.severity > judge(figures, 4, CheckSettings()).severity > judge({}, 4, CheckSettings()).severity
    )


def test_depths_may_differ(photo, taken):
    hr = photo()
    deep = examine(taken(hr, 4), hr * np.uint16(257), 4).figures
    assert deep == examine(taken(hr, 4), hr, 4).figures
