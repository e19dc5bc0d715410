"""Pools that show pictures. Truth: windows of the bundled photos, and what is known to be noise."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from realdeg.io.finding_settings import Finding
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.noise.folder import extract_noise_pool
from realdeg.noise.settings import NoiseSettings
from realdeg.noise.structure import coarseness, doubt, doubt_of
from realdeg.pools.noise_pool import NoisePool


def pool(patches: list[np.ndarray]) -> NoisePool:
    return NoisePool(tuple(str(i) for i in range(len(patches))), tuple(patches))


def windows(folder: Path, side: int, each: int = 8) -> list[np.ndarray]:
    """Places anywhere in the four photos of a folder."""
    rng = np.random.default_rng(0)
    found = []
    for path in sorted([*folder.glob("*.png"), *folder.glob("*.jpg")]):
        pixels = read(path).pixels
        for _ in range(each):
            y, x = (int(rng.integers(0, length - side + 1)) for length in pixels.shape[:2])
            found.append(pixels[y : y + side, x : x + side])
    return found


@pytest.mark.parametrize("side", [64, 256])
@pytest.mark.parametrize("folder", ["clean", "captures"])
def test_windows_of_photos_are_said_to_be_pictures(sample, folder, side):
    line = doubt(pool(windows(sample / folder, side)), Path("my noise"))
    assert int(re.match(r"my noise: (\d+) of 32 patches", line)[1]) >= 20
    assert re.search(
        r"patches look like pictures, not noise: \d+ times as coarse as the coarsest noise", line
    )
    command = re.search(r"look at them with: (.*?);", line)[1]
    assert shlex.split(command) == ["realdeg", "report", "my noise"]


@pytest.mark.parametrize("folder", ["clean", "captures"])
def test_what_realdeg_noise_takes_of_them_is_not(sample, tmp_path, folder):
    extract_noise_pool(sample / folder, tmp_path / "noise.npz", NoiseSettings())
    assert doubt_of(tmp_path / "noise.npz") == ""


@pytest.mark.parametrize(
    "name", ["noise_polyu", "noise_nam_cc", "city100/iphone_x", "handheld_ccby", "drealsr_val_x4/LR"]
)
def test_pools_of_real_cameras_are_not(shared_data, tmp_path, name):
    folder = shared_data(name)
    few = tmp_path / "photos"
    few.mkdir()
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".png"))
    for path in paths[:: max(1, len(paths) // 6)]:
        (few / path.name).symlink_to(path)
    extract_noise_pool(few, tmp_path / "noise.npz", NoiseSettings(), finding=Finding(follow_links=True))
    found = coarseness(NoisePool.read(tmp_path / "noise.npz"))
    assert len(found)
    assert (found > 3).mean() < 0.1
    assert doubt_of(tmp_path / "noise.npz") == ""


@pytest.mark.parametrize("blur", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("side", [32, 48, 64, 100])
def test_noise_of_any_colour_is_noise(blur, side):
    rng = np.random.default_rng(1)
    white = rng.normal(0, 8, (12, side, side, 3))
    shaded = gaussian_filter(white, (0, blur, blur, 0)) + np.linspace(0, 40, side)[:, None]
    assert doubt(pool(list((shaded / 255).astype(np.float32))), Path("noise.npz")) == ""


def test_a_few_pictures_among_noise_are_no_reason(sample):
    rng = np.random.default_rng(2)
    noise = [np.clip(rng.normal(128, 6, (64, 64, 3)), 0, 255).astype(np.uint8) for _ in range(24)]
    assert doubt(pool([*noise, *windows(sample / "clean", 64, 1)]), Path("pool")) == ""


def test_patches_too_small_to_tell_are_not_judged(sample):
    small = pool(windows(sample / "clean", 16))
    assert len(coarseness(small)) == 0
    assert doubt(small, Path("pool")) == ""


def test_a_pool_that_cannot_be_read_is_for_others_to_say(tmp_path):
    assert doubt_of(None) == ""
    assert doubt_of(tmp_path / "none") == ""
    write_image(tmp_path / "noise" / "a.png", np.zeros((64, 64, 3), np.uint8))
    assert doubt_of(tmp_path / "noise") == ""
