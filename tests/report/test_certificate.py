"""Truth: what the fixture wrote; and no JSON, however odd, may stop a page."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realdeg.records import PairRecord
from realdeg.report.certificate import Certificate, finite, read_certificate
from realdeg.report.facts import groups, photos
from realdeg.report.pair_page import _cut
from realdeg.report.quiver import quiver
from realdeg.report.tone import Cluster, chart, clusters

NAMES = [
    *("lr", "hr", "lr_crop", "map", "homography", "lens", "terms", "zoom", "measured", "error", "p95_lr_px"),
    *("tiles", "blind", "x", "y", "dx", "dy", "sd", "state", "grid_hw", "brightness", "levels", "curves"),
    *("model", "matrix", "refused_models", "before_8bit", "used", "corner_gain", "clusters", "rgb", "share"),
    *("vignetting", "psf", "mask", "valid", "versions", "size_hw", "field", "scale", "path", "iso"),
]
leaves = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.just(10**400)
odd = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8),
    max_leaves=40,
)


@given(odd)
@settings(max_examples=300, deadline=None)
def test_nothing_in_a_certificate_stops_its_page(data):
    certificate = Certificate(data if isinstance(data, dict) else {"tiles": data, "brightness": data})
    record = PairRecord("a", "ok", scale=2)
    for group in groups(certificate, record):
        assert all(isinstance(text, str) and text for _, text in group.rows)
    photos(certificate)
    chart(certificate)
    for cluster in clusters(certificate):
        assert all(0 <= value <= 255 for value in cluster.rgb)
    quiver(certificate.arrows("tiles"), certificate.arrows("blind"), (30, 40))


number_lists = st.lists(st.none() | st.floats() | st.integers(-5, 50), min_size=3, max_size=3)


@given(number_lists, number_lists, number_lists, number_lists)
@settings(max_examples=200, deadline=None)
def test_every_tile_with_a_place_is_an_arrow(x, y, dx, dy):
    certificate = Certificate({"tiles": {"x": x, "y": y, "dx": dx, "dy": dy, "state": ["ok", 3, "weak"]}})
    placed = all(finite(value) is not None for value in [*x, *y])
    assert len(certificate.arrows("tiles")) == (3 if placed else 0)
    drawn = quiver(certificate.arrows("tiles"), [], (30, 40))
    assert (drawn.svg.count('class="arrow ') if drawn else 0) == (3 if placed else 0)
    assert not drawn or "nan" not in drawn.svg.replace("inf", "nan")


def test_lists_of_other_lengths_are_left_out():
    tiles = {"x": [1.0, 2.0], "y": [1.0, 2.0], "dx": [0.1], "dy": [0.1, 0.2]}
    arrows = Certificate({"tiles": tiles}).arrows("tiles")
    assert [(a.dx, a.dy, a.length) for a in arrows] == [(None, 0.1, None), (None, 0.2, None)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1', r"certificates/deep/a\.json is damaged \(line 1"),
        ("[1, 2]", "holds no JSON object"),
        ("[" * 100_000, "is damaged"),
        (b"\xff\xfe\xfd", "is damaged"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, text, says):
    path = tmp_path / "certificates" / "deep" / "a.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    certificate = read_certificate(tmp_path, "deep/a")
    assert not certificate
    assert re.search(says, certificate.damage)


def test_none_is_no_damage(tmp_path):
    certificate = read_certificate(tmp_path, "a")
    assert (bool(certificate), certificate.damage) == (False, "")
    (tmp_path / "certificates" / "a.json").mkdir(parents=True)
    assert "cannot be read" in read_certificate(tmp_path, "a").damage


def test_figures_come_with_their_units(certified):
    record = PairRecord("plain", "ok", scale=4)
    certificate = read_certificate(certified, "plain")
    rows = {group.title: dict(group.rows) for group in groups(certificate, record)}
    assert rows["Accuracy"]["stated error, 95 % of the field below"] == "0.0120 LR px = 0.0480 HR px"
    assert rows["Accuracy"]["tiles"] == "22 agree, 1 weak, 1 disagree"
    assert rows["Geometry"]["LR crop"] == "233 x 175 LR px at x 120, y 90"
    assert rows["Geometry"]["HR photo kept"] == "91.3 %"
    assert rows["Brightness"]["adjusted"] == "HR follows LR"
    photo = {name: (left, right) for name, left, right in photos(certificate)}
    assert photo["focal length"] == ("28 mm", "112 mm")
    assert photo["focal length as on 35 mm film"] == ("28 mm", "-")
    assert photo["size"][0] == "4000 x 3000 px (12.0 MP)"


def test_the_correction_of_colours_is_told(certified):
    record = PairRecord("plain", "ok", scale=4)
    certificate = read_certificate(certified, "plain")
    rows = {group.title: dict(group.rows) for group in groups(certificate, record)}["Brightness"]
    assert rows == {
        "method": "auto",
        "model": "curve and matrix",
        "not used: curve, vignetting": "worse where colours are about (9, 8, 7) <b>",
        "adjusted": "HR follows LR",
        "difference before, rms": "6.44 of 255 levels",
        "difference left, rms": "2.10 of 255 levels",
        "left by the model that fits best": "1.84 of 255 levels",
        "colour matrix, linear light": (
            "  1.1000  -0.0500   0.0000\n  0.0200   0.9000   0.0400\n  0.0000  -0.2000   1.2500"
        ),
        "values beyond the measured range": "3.4 %",
        "pixels clipped in HR or LR": "3.9 %",
        "light changed between the photos": "0.4 %",
    }
    assert clusters(certificate) == [
        Cluster((152, 112, 83), "18.1 %", "6.55", "0.22"),
        Cluster((9, 8, 7), "1.2 %", "", ""),
    ]


@pytest.mark.parametrize("vignetting", [{"used": True, "corner_gain": 1.04}, {"corner_gain": 1.04}])
def test_vignetting_is_told_where_it_was_corrected(vignetting):
    certificate = Certificate({"brightness": {"vignetting": vignetting}})
    assert groups(certificate, PairRecord("a", "ok"))[0].rows == [
        ("vignetting, gain in the corners", "x1.040")
    ]


def test_where_nothing_was_changed_it_says_so():
    brightness = {"model": "none", "adjusted": "hr", "levels": [0, 1], "curves": [[0, 1]] * 3}
    brightness |= {"rms_8bit": 3, "unexplained_8bit": 3, "beyond_range": 0.1}
    certificate = Certificate({"brightness": brightness})
    told = [("model", "none"), ("adjusted", "nothing"), ("difference left, rms", "3.00 of 255 levels")]
    assert groups(certificate, PairRecord("a", "ok"))[0].rows == told
    assert not chart(certificate)


def test_the_crop_of_a_refused_photo_must_lie_inside(certified):
    import numpy as np

    image = np.zeros((20, 30, 3), np.uint8)
    assert _cut(image, []).shape == (20, 30, 3)
    assert _cut(image, [5, 2, 25, 18]).shape == (18, 25, 3)
    assert _cut(image, [6, 2, 25, 18]) is None
    assert _cut(image, [-1, 0, 5, 5]) is None


def test_certificates_are_plain_json(certified):
    data = json.loads((certified / "certificates" / "plain.json").read_text())
    assert read_certificate(certified, "plain").data == data
