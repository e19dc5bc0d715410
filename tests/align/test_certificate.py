"""Truth: the registration that a certificate is of, worked out by hand, and what the report reads."""

import ast
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from realdeg.align.certificate import exif_zoom, figures, kept, write_certificate
from realdeg.align.homography import Homography
from realdeg.align.lens import Lens
from realdeg.align.settings import AlignSettings
from realdeg.align.warp import Warp
from realdeg.io.photo import Photo
from realdeg.metrics.detail import resolution
from realdeg.report.certificate import STATES, read_certificate

REPORT = Path(__file__).parents[2] / "realdeg" / "report"
NAME = "tmshre_riaphotographs_srgb8.png"


def photo(size_hw=(30, 40), **facts):
    return Photo(np.zeros((*size_hw, 3), np.uint8), Path("photo.jpg"), **facts)


@pytest.fixture(scope="module")
def pair(registered):
    photos, small, large, found = registered(NAME, 3)
    found = replace(found, detail=resolution(small, large, 3))
    taken = datetime(2024, 5, 6, 7, 8, 9)
    lr = Photo(photos.lr, Path("wide/é.jpg"), focal_35mm_mm=28.0, camera="Maker X", iso=200, taken=taken)
    hr = Photo(photos.hr, Path("tele/é.jpg"), focal_35mm_mm=85.0, orientation=6, notes=("turned",))
    return photos, lr, hr, found


@pytest.fixture(scope="module")
def told(pair, tmp_path_factory):
    """The certificate of a kept pair, as its file says it."""
    out = tmp_path_factory.mktemp("certificate")
    _, lr, hr, found = pair
    path = write_certificate(
        out, "deep/é", lr, hr, AlignSettings(scale=3), found=found, mask=("MASK/deep/é.png", 0.98765)
    )
    assert path == out / "certificates" / "deep" / "é.json"
    return json.loads(path.read_text("utf-8")), read_certificate(out, "deep/é")


def entries_of_the_report():
    """Paths of entries that the report asks certificates for, read off its source."""
    for file in sorted(REPORT.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            asked = node.func.attr in ("number", "text", "numbers", "at", "arrows")
            of = isinstance(node.func.value, ast.Name) and node.func.value.id in ("c", "certificate")
            if asked and of and node.args and all(isinstance(a, ast.Constant) for a in node.args):
                yield tuple(a.value for a in node.args)


def test_everything_that_the_report_reads_is_written(told):
    read = set(entries_of_the_report())
    assert len(read) > 25
    assert {("error", "p95_lr_px"), ("tiles",), ("map", "lens", "terms")} <= read
    missing = [path for path in sorted(read) if told[1].at(*path) is None]
    assert missing == []


def test_it_says_what_the_registration_found(told, pair):
    data, certificate = told
    *_, found = pair
    assert not certificate.damage
    assert (data["schema"], data["key"], data["status"], data["reason"]) == (1, "deep/é", "ok", "")
    assert (data["scale"], data["recipe"]) == (3, "realdeg")
    assert data["error"]["p95_lr_px"] == pytest.approx(found.error)
    assert data["error"]["p95_hr_px"] == pytest.approx(3 * found.error)
    assert data["error"]["sd_hr_px"] == pytest.approx(3 * found.sd)
    assert data["zoom"]["measured"] == pytest.approx(found.zoom)
    assert data["zoom"]["nominal"] == 3
    assert data["mask"] == {"path": "MASK/deep/é.png", "valid": 0.9877}
    assert data["lr_crop"] == [found.field.x, found.field.y, found.field.width, found.field.height]
    assert data["psf"]["sigma_major_lr_px"] >= data["psf"]["sigma_minor_lr_px"] > 0.2
    detail = found.detail
    assert data["detail"]["detail"] == pytest.approx(detail.detail)
    assert (data["detail"]["soft"], data["detail"]["enlarged"]) == (detail.soft, None)
    assert_allclose(data["detail"]["tiles"], detail.tiles, atol=6e-4)
    assert (len(data["detail"]["x"]), len(data["detail"]["y"])) == detail.tiles.shape[::-1]
    assert {"realdeg", "numpy"} <= set(data["versions"])
    lr, hr = data["lr"], data["hr"]
    assert (lr["path"], lr["focal_35mm"], lr["camera"], lr["iso"]) == ("wide/é.jpg", 28.0, "Maker X", 200)
    assert (lr["taken"], hr["taken"]) == ("2024-05-06T07:08:09", "")
    assert (hr["orientation"], hr["notes"], lr["bit_depth"]) == (6, ["turned"], 8)
    assert lr["size_hw"] == list(pair[0].lr.shape[:2])


def test_the_map_can_be_made_again_from_it(told, pair):
    """A stranger with the certificate alone, and docs/dataset.md, gets the same positions."""
    data, (_, _, _, found) = told[0], pair
    lens = data["map"]["lens"]
    assert lens["model"] == found.fit.model != "homography"
    terms = lens["terms"]
    again = Lens(tuple(lens["centre"]), lens["radius"], tuple(lens["centre_hr"]), lens["radius_hr"], terms)
    outer = Homography(np.reshape(data["map"]["homography"], (3, 3)))
    points = found.field.corners
    assert_allclose(Warp(outer, again, Homography.identity())(points), found.hr_from_lr(points), atol=1e-4)


def test_tiles_and_windows_lie_on_the_crop(told, pair):
    data, certificate = told
    *_, found = pair
    rows, columns = data["tiles"]["grid_hw"]
    arrows = certificate.arrows("tiles")
    assert len(arrows) == rows * columns == len(found.tiles.shift)
    assert {arrow.state for arrow in arrows} <= set(STATES)
    assert (
        sum(arrow.state != "weak" for arrow in arrows) == np.isfinite(found.fit.residual_shift).all(-1).sum()
    )
    assert all((arrow.dx is None) == (arrow.state == "weak") for arrow in arrows)
    # The first tile begins where the polished field does: `edge` px outside of the crop.
    side = found.tiles.side
    first = found.polished_field.x - found.field.x + (side - 1) / 2
    assert arrows[0].x == pytest.approx(first)
    assert -8 < first - (side - 1) / 2 < 0
    blind = certificate.arrows("blind")
    assert len(blind) == len(found.residual.sd)
    for arrow in blind:
        assert 0 < arrow.x < found.field.width
        assert 0 < arrow.y < found.field.height
    assert data["blind"]["p95_lr_px"] == pytest.approx(found.residual.p95)


def test_the_curves_are_the_tones(told, pair):
    data, (*_, found) = told[0], pair
    levels, curves = np.array(data["brightness"]["levels"]), np.array(data["brightness"]["curves"])
    assert curves.shape == (3, len(levels))
    tone = found.colours.tone
    full = np.linspace(0, 1, tone.curves.shape[1])
    for told_curve, curve in zip(curves, tone.of_greys(), strict=True):
        assert_allclose(told_curve, np.interp(levels, full, curve), atol=2e-3)
    assert_allclose(data["brightness"]["vignetting"]["log_gain"], tone.gain)


def test_hr_crop_holds_the_pair_and_little_more(told, pair):
    data, (photos, *_, found) = told[0], pair
    x, y, width, height = data["hr_crop"]
    outer = found.field.corners + 0.5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    at = photos.truth(outer)
    assert (at > [x - 0.6, y - 0.6]).all()
    assert (at < [x + width - 0.4, y + height - 0.4]).all()
    assert width <= np.ptp(at[:, 0]) + 3
    assert height <= np.ptp(at[:, 1]) + 3


def test_the_share_that_is_kept():
    """A crop of 20 x 10 LR px at zoom 2 out of 100 x 50 HR px: corner pixels' centres span 19 x 9."""
    from types import SimpleNamespace

    from realdeg.align.crop import Box

    found = SimpleNamespace(hr_from_lr=Warp.plain(Homography.zoom(2)), field=Box(3, 4, 20, 10))
    assert kept(photo((50, 100)), found) == pytest.approx(20 * 10 * 4 / (50 * 100), rel=0.2)


@pytest.mark.parametrize(
    ("lr", "hr", "zoom"),
    [
        # Same sensor size, 28 mm against 112 mm: every HR pixel sees a quarter of the angle.
        (dict(focal_35mm_mm=28.0), dict(focal_35mm_mm=112.0), 4.0),
        # HR has half the pixels across the same frame.
        (dict(focal_35mm_mm=28.0), dict(focal_35mm_mm=112.0, size_hw=(15, 20)), 2.0),
        (dict(focal_length_mm=18.0, camera="A"), dict(focal_length_mm=55.0, camera="A"), 3.0556),
        # The 35-mm values win; without them, two cameras cannot be compared.
        (
            dict(focal_length_mm=5.0, focal_35mm_mm=26.0, camera="A"),
            dict(focal_length_mm=5.0, focal_35mm_mm=52.0, camera="A"),
            2.0,
        ),
        (dict(focal_length_mm=18.0, camera="A"), dict(focal_length_mm=55.0, camera="B"), None),
        (dict(focal_length_mm=18.0), dict(focal_length_mm=55.0), None),
        (dict(focal_35mm_mm=28.0), dict(), None),
    ],
)
def test_the_zoom_that_exif_promises(lr, hr, zoom):
    assert exif_zoom(photo(**lr), photo(**hr)) == zoom


def test_a_rejected_pair_has_one_as_far_as_it_came(tmp_path, pair):
    _, lr, hr, found = pair
    write_certificate(tmp_path, "a", lr, hr, AlignSettings(), found=None, reason="no common scene found")
    data = read_certificate(tmp_path, "a").data
    assert (data["status"], data["reason"]) == ("rejected", "no common scene found")
    assert "map" not in data
    assert data["lr"]["path"] == "wide/é.jpg"
    write_certificate(
        tmp_path, "b", lr, hr, AlignSettings(), found=replace(found, residual=None), reason="parallax"
    )
    data = read_certificate(tmp_path, "b").data
    assert data["status"] == "rejected"
    assert "map" in data
    assert "blind" not in data


def test_what_is_not_known_is_null_and_never_nan(tmp_path, pair):
    """JSON knows no NaN: readers in other languages would stop."""
    _, lr, hr, found = pair
    colours = replace(found.colours, after=float("nan"))
    path = write_certificate(tmp_path, "a", lr, hr, AlignSettings(), found=replace(found, colours=colours))

    def strict(name):
        raise AssertionError(name)

    data = json.loads(path.read_text("utf-8"), parse_constant=strict)
    assert data["brightness"]["rms_8bit"] is None


def test_the_manifests_figures_are_the_certificates(told, pair):
    data, (_, lr, hr, found) = told[0], pair
    row = figures(lr, hr, found)
    assert row["error_lr_px"] == pytest.approx(data["error"]["p95_lr_px"], abs=1e-4)
    assert row["residual_lr_px"] == pytest.approx(data["blind"]["p95_lr_px"], abs=1e-4)
    assert row["lens_model"] == data["map"]["lens"]["model"]
    assert row["zoom_exif"] == data["zoom"]["exif"]
    assert row["hr_crop"] == data["hr_crop"]
    assert row["hr_from_lr"] == data["map"]["homography"]
    documented = (REPORT.parents[1] / "docs" / "dataset.md").read_text("utf-8")
    assert [name for name in row if name not in documented] == []
