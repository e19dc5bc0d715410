"""The page of a camera. Truth: the kernel, gains and noise that its photos were made with."""

from __future__ import annotations

import json
import math
import re
import shutil

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from realdeg.camera.folder import calibrate
from realdeg.camera.settings import CalibrateSettings
from realdeg.cli.main import cli
from realdeg.errors import UserError
from realdeg.imaging.blur import align_kernel, blur_subsample_reference
from realdeg.io.save import write_image
from realdeg.records import PairRecord, write_manifest
from realdeg.report.calibration import build_calibration_report, is_camera

SIGMA, OFFSET, SLOPE = 1.6, 2.0, 0.06
AXIS = np.exp(-0.5 * ((np.arange(12) - 5.5) / SIGMA) ** 2)
KERNEL = np.outer(AXIS, AXIS) / AXIS.sum() ** 2
STRANGE = "deep/b <i>, & ü"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(5)
    records = []
    for key in ("one", "two", STRANGE, "off"):
        hr = np.zeros((256, 320, 3))
        texture = cv2.GaussianBlur(rng.standard_normal((256, 160, 3)), (0, 0), 0.7)
        hr[:, :160] = np.clip(128 + 90 * texture, 10, 245)
        hr[:, 160:] = np.repeat(rng.permutation([50, 90, 130, 190]), 64)[:, None, None]
        hr = hr.round().astype(np.uint8)
        clean = blur_subsample_reference(hr, align_kernel(KERNEL, 2), 2)
        lr = clean + rng.standard_normal(clean.shape) * np.sqrt(OFFSET + SLOPE * clean)
        write_image(folder / f"LR/{key}.png", np.clip(lr, 0, 255).round().astype(np.uint8))
        write_image(folder / f"HR/{key}.png", hr)
        detail = {"error_lr_px": 0.7 if key == "off" else 0.01}
        paths = {"lr": f"LR/{key}.png", "hr": f"HR/{key}.png"}
        records.append(PairRecord(key, "ok", scale=2, scene=key, detail=detail, **paths))
    write_manifest(folder, records)
    return folder


@pytest.fixture(scope="module")
def camera(pairs, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "cam & co"
    calibrate(pairs, out, CalibrateSettings(2, size=12, grid=(2, 1)))
    return out


def text_of(page):
    html = page.read_text(encoding="utf-8")
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<svg.*?</svg>", " ", html)).split())


def test_it_states_what_was_measured(camera, tmp_path):
    page = build_calibration_report(camera, tmp_path / "r")
    figures, text = json.loads((camera / "camera.json").read_text()), text_of(page)
    assert "A camera measured from 3 pairs of x2, 1 more was refused." in text
    width = figures["kernels"]["width_x"]
    assert f"width along x, sigma, HR px {width['mean']:.4f} {width['sd']:.4f} {width['error']:.4f}" in text
    assert width["mean"] == pytest.approx(SIGMA, abs=0.15)
    noise = figures["noise"]
    assert f"{noise['offset'][1]:.4f}" in text
    assert f"{noise['slope'][2]:.4f}" in text
    sigma = np.mean([math.sqrt(a + 128 * b) for a, b in zip(noise["offset"], noise["slope"], strict=True)])
    assert f"{sigma:.2f} noise at mid grey" in text
    assert sigma == pytest.approx(math.sqrt(OFFSET + 128 * SLOPE), rel=0.2)
    assert "errors are themselves rough" in text
    assert "deep/b &lt;i&gt;, &amp; ü" in page.read_text(encoding="utf-8")
    assert "0.700 LR px is above 0.2" in text


def test_every_picture_is_there_and_the_same_folder_gives_the_same_bytes(camera, tmp_path):
    pages = [build_calibration_report(camera, tmp_path / name) for name in ("a", "b")]
    html = [page.read_bytes() for page in pages]
    assert html[0] == html[1]
    links = re.findall(r'src="(pictures/[^"]+)"', html[0].decode())
    assert all((pages[0].parent / link).is_file() for link in links)
    assert {f"pictures/{p.name}" for p in (pages[0].parent / "pictures").iterdir()} == set(links)
    assert html[0].decode().count('class="item"') == 3


def test_what_is_left_of_an_example_is_noise_not_edges(camera, pairs, tmp_path):
    from realdeg.io.photo import read

    page = build_calibration_report(camera, tmp_path / "r")
    html = page.read_text(encoding="utf-8")
    names = re.findall(r'src="(pictures/[^"]+)"[^>]*alt="([^"]*)"', html)
    left = [read(page.parent / file).pixels for file, what in names if what.startswith("what is left")]
    assert len(left) == 3
    for picture in left:
        levels = (picture.astype(float) - 128) / 8
        assert 2 < levels.std() < 4.5
        assert abs(levels.mean()) < 0.3


def test_without_measured_the_figures_stay(camera, tmp_path):
    copy = tmp_path / "cam"
    shutil.copytree(camera, copy)
    shutil.rmtree(copy / "measured")
    text = text_of(build_calibration_report(copy))
    assert "width along x" in text
    assert "Example pairs" not in text


def test_distances_stand_there_if_somebody_asked(camera, tmp_path):
    copy = tmp_path / "cam"
    shutil.copytree(camera, copy)
    found = {"dataset": "made", "distance": 1.234, "spectrum": 1, "images": 40, "photos": 60}
    (copy / "distance.json").write_text(json.dumps({"real": "photos", "ranked": [found], "left_out": {}}))
    assert "Distance from real photos From photos; 1 is" in text_of(build_calibration_report(copy))
    assert "made 1.23 40" in text_of(copy / "report" / "index.html")
    (copy / "distance.json").write_text("{}")
    with pytest.raises(UserError, match=r"distance\.json: cannot be used"):
        build_calibration_report(copy)


def test_a_damaged_camera_is_one_line(camera, tmp_path):
    copy = tmp_path / "cam"
    shutil.copytree(camera, copy)
    (copy / "camera.json").write_text('{"name": 3}')
    with pytest.raises(UserError, match=r"camera\.json: cannot be used"):
        build_calibration_report(copy)
    assert not is_camera(tmp_path)


def test_calibrate_ends_with_its_report_and_report_makes_it_again(pairs, tmp_path):
    words = ["calibrate", str(pairs), "--scale", "2", "-o", str(tmp_path / "cam"), "-j", "1", "--exit-zero"]
    result = CliRunner().invoke(cli, [*words, "--json"])
    assert result.exit_code == 0, result.output
    page = tmp_path / "cam" / "report" / "index.html"
    assert json.loads(result.stdout)["report"] == str(page)
    made = page.read_bytes()
    again = CliRunner().invoke(cli, ["report", str(tmp_path / "cam")])
    assert again.exit_code == 0, again.output
    assert str(page) in again.stdout
    assert page.read_bytes() == made
    refused = CliRunner().invoke(cli, ["report", str(tmp_path / "cam"), "--real", str(pairs)])
    assert "leave --real away" in str(refused.exception)


@pytest.mark.parametrize("width", [400, 1280])
def test_it_loads_whole_and_fits(tab, camera, tmp_path, width):
    page = build_calibration_report(camera, tmp_path / "r")
    tab.open(page.as_uri(), width)
    tab.until("document.querySelector('.viewer .layer.over img') !== null")
    assert tab.whole()
    assert tab.js("document.documentElement.scrollWidth") <= width
    tab.js("document.querySelector('.viewer').scrollIntoView()")
    tab.press("n")
    assert tab.js("document.querySelector('.viewer .count').textContent") == "2 of 3"
    assert tab.said == []
