"""One pair of files through `align_pair`: what is written, what is said, and that it is always the same."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from realdeg.align.item import align_pair
from realdeg.align.settings import AlignSettings
from realdeg.identity import file_hash
from realdeg.io.find import Match
from realdeg.io.save import write_image
from realdeg.report.certificate import read_certificate

SETTINGS = {"scale": 2}


@pytest.fixture(scope="module")
def files(tmp_path_factory, registered):
    """A good pair as PNG."""
    photos, *_ = registered("coffee.png", 2)
    root = tmp_path_factory.mktemp("files")
    write_image(root / "lr" / "a.png", photos.lr)
    write_image(root / "hr" / "a.png", photos.hr)
    return Match("day/a", root / "lr" / "a.png", root / "hr" / "a.png", "kitchen")


@pytest.fixture(scope="module")
def moving(tmp_path_factory, photograph, scene):
    """A pair in whose middle something moved by 2 LR px."""
    picture = scene()
    other = picture.copy()
    height, width = picture.shape[:2]
    part = np.s_[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
    other[part] = np.roll(picture, 4, axis=1)[part]
    photos = photograph(picture, 2, hr_picture=other)
    root = tmp_path_factory.mktemp("moving")
    write_image(root / "lr.png", photos.lr)
    write_image(root / "hr.png", photos.hr)
    return Match("b", root / "lr.png", root / "hr.png")


def zoomed(folder, match, side, ratio):
    """The same pair with a photo that says DigitalZoomRatio."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA404] = ratio
    exif.get_ifd(0x8769)[0xA405] = 28
    path = folder / f"{side}.jpg"
    Image.open(getattr(match, side)).save(path, quality=97, exif=exif)
    return Match("z", path if side == "lr" else match.lr, path if side == "hr" else match.hr)


def tree(out):
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def test_a_good_pair(files, tmp_path, registered):
    _, pair_lr, pair_hr, found = registered("coffee.png", 2)
    record = align_pair(files, tmp_path, AlignSettings(**SETTINGS))
    assert (record.status, record.reason, record.how, record.scale) == ("ok", "", "registration", 2)
    assert (record.key, record.scene) == ("day/a", "kitchen")
    assert (record.lr, record.hr) == ("LR/day/a.png", "HR/day/a.png")
    assert record.source_lr.endswith("lr/a.png")
    certificates = {"certificates/day/a.json", "certificates/day/a.webp"}
    assert set(tree(tmp_path)) == {"LR/day/a.png", "HR/day/a.png", *certificates}
    for path, pixels in ((record.lr, pair_lr), (record.hr, pair_hr)):
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / path))[..., ::-1], pixels)
    detail = record.detail
    assert detail["error_lr_px"] == pytest.approx(found.error, abs=1e-4)
    assert detail["error_hr_px"] == pytest.approx(2 * found.error, abs=1e-4)
    assert detail["lr_crop"] == [found.field.x, found.field.y, found.field.width, found.field.height]
    assert len(detail["hr_from_lr"]) == 9
    assert detail["lens_model"] != "homography"
    assert record.sha256("lr") == file_hash(tmp_path / record.lr)
    assert set(record.files) == set(tree(tmp_path))
    assert "mask" not in detail
    certificate = read_certificate(tmp_path, "day/a")
    assert (certificate.text("key"), certificate.text("status")) == ("day/a", "ok")


def test_the_same_bytes_twice(files, tmp_path):
    one, two = (align_pair(files, tmp_path / n, AlignSettings(**SETTINGS, mask=True)) for n in "12")
    held = [{path: state.sha256 for path, state in record.files.items()} for record in (one, two)]
    assert held[0] == held[1]
    assert replace(one, files={}) == replace(two, files={})
    first = tree(tmp_path / "1")
    assert len(first) == 5
    assert first == tree(tmp_path / "2")


def test_a_rejected_pair_writes_no_images(moving, tmp_path):
    record = align_pair(moving, tmp_path, AlignSettings(**SETTINGS))
    assert (record.status, record.lr, record.hr) == ("rejected", "", "")
    assert "contradicts the common motion" in record.reason
    assert record.detail["zoom"] == pytest.approx(2.02, abs=0.01)
    assert record.detail["disagreeing"] > 0.06
    assert record.scene == "b"
    assert set(tree(tmp_path)) == {"certificates/b.json"}
    certificate = read_certificate(tmp_path, "b")
    assert certificate.text("reason") == record.reason
    assert sum(arrow.state == "disagrees" for arrow in certificate.arrows("tiles")) > 10


def test_rejects_are_kept_on_request(moving, tmp_path):
    record = align_pair(moving, tmp_path, AlignSettings(**SETTINGS, keep_rejects=True))
    assert (record.status, record.lr) == ("rejected", "")
    assert set(tree(tmp_path)) == {"certificates/b.json", "rejected/LR/b.png", "rejected/HR/b.png"}
    small, large = (cv2.imread(str(tmp_path / "rejected" / side / "b.png")) for side in ("LR", "HR"))
    assert large.shape == (2 * small.shape[0], 2 * small.shape[1], 3)
    assert record.detail["residual_lr_px"] > 0.3


def test_keeping_rejects_leaves_good_pairs_alone(files, tmp_path):
    record = align_pair(files, tmp_path, AlignSettings(**SETTINGS, keep_rejects=True))
    assert record.ok
    assert not (tmp_path / "rejected").exists()


def test_a_pair_too_inexact_is_kept_for_study_only(files, tmp_path):
    settings = AlignSettings(**SETTINGS, max_error=0.004, keep_rejects=True)
    record = align_pair(files, tmp_path, settings)
    assert record.status == "rejected"
    assert "expected error is 0." in record.reason
    assert set(tree(tmp_path)) == {
        "certificates/day/a.json",
        "rejected/LR/day/a.png",
        "rejected/HR/day/a.png",
    }


def test_a_mask_says_where_the_pair_is_valid(moving, tmp_path):
    record = align_pair(moving, tmp_path, AlignSettings(**SETTINGS, mask=True, max_error=9.0))
    assert record.ok, record.reason
    assert record.detail["mask"] == "MASK/b.png"
    mask = cv2.imread(str(tmp_path / "MASK" / "b.png"), cv2.IMREAD_UNCHANGED)
    small = cv2.imread(str(tmp_path / record.lr))
    assert mask.shape == small.shape[:2]
    assert record.detail["valid"] == pytest.approx((mask == 255).mean(), abs=1e-4)
    assert 0.5 < record.detail["valid"] < 0.9
    assert read_certificate(tmp_path, "b").number("mask", "valid") == record.detail["valid"]


def test_a_masked_pair_is_not_judged_by_what_is_masked(moving, tmp_path):
    """Where the mask is 0 the blind measurement sees the motion that the mask is for."""
    record = align_pair(moving, tmp_path, AlignSettings(**SETTINGS, mask=True))
    assert record.ok, record.reason


@pytest.mark.parametrize("side", ["lr", "hr"])
def test_digital_zoom_is_refused_and_accepted_on_request(files, tmp_path, side):
    match = zoomed(tmp_path, files, side, 1.7)
    record = align_pair(match, tmp_path / "out", AlignSettings(**SETTINGS))
    assert record.status == "rejected"
    assert f"{side.upper()} was zoomed digitally by x1.70" in record.reason
    assert "`digital_zoom=accept`" in record.reason
    assert record.detail[f"{side}_digital_zoom"] == pytest.approx(1.7)
    assert set(tree(tmp_path / "out")) == {"certificates/z.json"}
    settings = AlignSettings(**SETTINGS, digital_zoom="accept")
    accepted = align_pair(match, tmp_path / "accepted", settings)
    assert accepted.ok, accepted.reason
    assert accepted.detail[f"{side}_digital_zoom"] == pytest.approx(1.7)


def test_a_ratio_of_one_is_no_zoom(files, tmp_path):
    record = align_pair(zoomed(tmp_path, files, "hr", 1.0), tmp_path / "out", AlignSettings(**SETTINGS))
    assert record.ok, record.reason
    assert "hr_digital_zoom" not in record.detail


def test_no_common_scene_is_said_without_a_map(files, tmp_path, photograph, scene):
    write_image(tmp_path / "other.png", photograph(scene("chelsea.png"), 2).hr)
    match = Match("c", files.lr, tmp_path / "other.png")
    record = align_pair(match, tmp_path / "out", AlignSettings(**SETTINGS, keep_rejects=True))
    assert record.status == "rejected"
    assert "no common scene" in record.reason
    assert "zoom" not in record.detail
    assert set(tree(tmp_path / "out")) == {"certificates/c.json"}
    assert read_certificate(tmp_path / "out", "c").at("map") is None


def test_the_scale_may_be_left_to_the_photos(files, tmp_path):
    record = align_pair(files, tmp_path, AlignSettings())
    assert (record.status, record.scale) == ("ok", 2)


def test_sixteen_bits_go_through(files, tmp_path):
    for side in ("lr", "hr"):
        image = cv2.imread(str(getattr(files, side)))[..., ::-1].astype(np.uint16) * 257
        write_image(tmp_path / f"{side}.png", image)
    match = Match("d", tmp_path / "lr.png", tmp_path / "hr.png")
    record = align_pair(match, tmp_path / "out", AlignSettings(**SETTINGS))
    for path in (record.lr, record.hr):
        assert cv2.imread(str(tmp_path / "out" / path), cv2.IMREAD_UNCHANGED).dtype == np.uint16
