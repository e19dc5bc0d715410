"""Truth: BasicSR, scikit-image and the NTIRE 2021 toolkit on 63 image pairs (tests/golden/README.md)."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from realdeg.imaging.resample import resize
from realdeg.metrics.lr_psnr import lr_psnr
from realdeg.metrics.psnr import psnr_rgb, psnr_y
from realdeg.metrics.ssim import ssim_rgb, ssim_y

GOLDEN = Path(__file__).parents[1] / "golden"
RECORDS = json.loads((GOLDEN / "psnr_ssim_lrpsnr.json").read_text())


@pytest.fixture(scope="module")
def images():
    return dict(np.load(GOLDEN / "images.npz"))


def number(value):
    return float(value) if value == "inf" else value


@pytest.mark.parametrize("record", RECORDS, ids=[r["sr"] for r in RECORDS])
def test_metrics_equal_independent_code(images, record):
    gt, sr = images[record["gt"]], images[record["sr"]]
    compared = 0
    for crop in (0, 2, 4, 8):
        if f"psnr_y_crop{crop}" in record:
            assert psnr_y(sr, gt, shave=crop) == pytest.approx(number(record[f"psnr_y_crop{crop}"]), abs=1e-3)
            assert psnr_rgb(sr, gt, shave=crop) == pytest.approx(
                number(record[f"psnr_rgb_crop{crop}"]), abs=1e-3
            )
            compared += 1
        if f"ssim_y_crop{crop}" in record:
            assert ssim_y(sr, gt, shave=crop) == pytest.approx(record[f"ssim_y_crop{crop}"], abs=1e-6)
            assert ssim_rgb(sr, gt, shave=crop) == pytest.approx(record[f"ssim_rgb_crop{crop}"], abs=1e-6)
    assert compared
    if "d2c_psnr_rgbcoef_shave4" in record:
        expected = number(record["d2c_psnr_rgbcoef_shave4"])
        assert psnr_y(sr, gt, shave=4, convention="d2c") == pytest.approx(expected, abs=1e-3)
        expected = record["d2c_ssim_rgbcoef"]
        assert ssim_y(sr, gt, shave=0, convention="d2c") == pytest.approx(expected, abs=1e-6)
    for scale in (4, 8):
        if f"lrpsnr_ntire_x{scale}" in record:
            expected = number(record[f"lrpsnr_ntire_x{scale}"])
            assert lr_psnr(sr, gt, scale=scale) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("scale", "psnr", "ssim"), [(2, 33.68, 0.9304), (3, 30.41, 0.8690), (4, 28.43, 0.8113)]
)
def test_bicubic_on_set5_is_what_is_published(shared_data, scale, psnr, ssim):
    """Published: 33.66/.9299, 30.39/.8682, 28.42/.8104; exact here: the same protocol on the same files."""
    folder = shared_data("Set5")
    scores = []
    hr_paths, lr_paths = (sorted((folder / name).iterdir()) for name in ("HR", f"LRbicx{scale}"))
    for hr_path, lr_path in zip(hr_paths, lr_paths, strict=True):  # baby, bird, butterfly, head, woman
        hr = cv2.imread(str(hr_path))[..., ::-1]
        sr = resize(np.ascontiguousarray(cv2.imread(str(lr_path))[..., ::-1]), scale)
        hr = np.ascontiguousarray(hr[: sr.shape[0], : sr.shape[1]])
        scores.append((psnr_y(sr, hr, shave=scale), ssim_y(sr, hr, shave=scale)))
    assert np.mean(scores, axis=0) == pytest.approx([psnr, ssim], abs=0.01)


def test_nonsense_is_refused():
    a = np.zeros((20, 20, 3), np.uint8)
    for call in (
        lambda: psnr_y(a, a[:10], shave=0),
        lambda: psnr_y(a, a, shave=10),
        lambda: psnr_y(a.astype(float), a, shave=0),
        lambda: ssim_y(a, a, shave=5),
        lambda: lr_psnr(a, a[:10], scale=2),
    ):
        with pytest.raises(ValueError, match=r"sizes|left|uint8|needs"):
            call()
