"""Truth: RealSR's rule written down again from its description, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from realdeg.errors import UserError
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.noise.classic import classic
from realdeg.noise.folder import counts, extract_noise_pool
from realdeg.noise.settings import NoiseSettings
from realdeg.pools.noise_pool import NoisePool

SMALL = NoiseSettings("classic", 32)


def by_hand(pixels, size, max_variance, min_mean):
    """Grid of `size` that ends before side - size; grey by Pillow."""
    grey = np.asarray(Image.fromarray(pixels).convert("L"), np.float64)
    height, width = grey.shape
    found = []
    for y in range(0, height - size, size):
        for x in range(0, width - size, size):
            values = [grey[y + i, x + j] for i in range(size) for j in range(size)]
            mean = sum(values) / len(values)
            variance = sum((value - mean) ** 2 for value in values) / len(values)
            if variance < max_variance and mean > min_mean:
                found.append((y, x))
    return found


@given(st.integers(0, 2**32 - 1), st.integers(17, 70), st.integers(17, 70))
@settings(max_examples=25, deadline=None)
def test_the_rule_is_the_published_one(seed, height, width):
    rng = np.random.default_rng(seed)
    level = rng.uniform(20, 200, (height // 16 + 1, width // 16 + 1)).repeat(16, 0).repeat(16, 1)
    noise = rng.normal(0, rng.uniform(1, 6), (height, width, 3))
    pixels = np.clip(level[:height, :width, None] + noise, 0, 255).astype(np.uint8)
    found = classic(pixels, 16, 20.0, 50.0)
    assert [(y, x) for y, x, _, _ in found.windows] == by_hand(pixels, 16, 20.0, 50.0)
    assert found.looked_at == len(range(0, height - 16, 16)) * len(range(0, width - 16, 16))
    assert found.looked_at == found.uneven + found.dark + len(found.windows)


def test_as_published_512_px_give_one_window_and_256_none():
    flat = np.full((512, 512, 3), 100, np.uint8)
    assert classic(flat).looked_at == 1
    assert classic(flat[:256, :256]).looked_at == 0


def test_sixteen_bits_are_judged_as_eight():
    rng = np.random.default_rng(0)
    eight = np.clip(rng.normal(120, 3, (70, 70, 3)), 0, 255).astype(np.uint8)
    assert classic(eight.astype(np.uint16) * 257, 32) == classic(eight, 32)


@pytest.fixture(scope="module")
def src(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(1)
    flat = np.clip(rng.normal(120, 3, (100, 100, 3)), 0, 255).astype(np.uint8)
    write_image(folder / "a.png", flat)
    write_image(folder / "again.png", flat)
    write_image(folder / "deep" / "b.png", flat.astype(np.uint16) * 257)
    write_image(folder / "dark.png", flat // 4)
    write_image(folder / "noisy.png", rng.integers(0, 256, (100, 100, 3), dtype=np.uint8))
    write_image(folder / "tiny.png", flat[:32])
    (folder / "broken.png").write_bytes(b"x")
    return folder


def test_the_pool_holds_pixels_and_where_they_come_from(src, tmp_path):
    out = tmp_path / "pool.npz"
    report = extract_noise_pool(src, out, SMALL)
    reasons = {record.key: record.reason for record in report.records if not record.ok}
    assert set(reasons) == {"dark", "noisy", "tiny", "broken"}
    assert "9 a mean of 50 or less" in reasons["dark"]
    assert "9 of 9 have a variance of 20 or more" in reasons["noisy"]
    assert "100x32 px, more than 32 a side" in reasons["tiny"]
    pool = NoisePool.read(out)
    assert [name.rsplit("_", 1)[0] for name in pool.names] == ["a"] * 9 + ["deep/b"] * 9  # `again` is `a`
    assert pool.patches[-1].dtype == np.uint16
    about = pool.about["patches"]["a_000"]
    assert about["how"] == "classic"
    assert about["variance"] == pytest.approx(pool.patches[0].mean(2).var(), abs=2)
    assert np.allclose(about["level"], pool.patches[0].mean((0, 1)), atol=0.01)
    assert counts(report.records, None, SMALL) == {
        "patches": 27,
        "windows looked at": 45,
        "variance of 20 or more": 9,
        "mean of 50 or less": 9,
    }
    again = tmp_path / "two.npz"
    extract_noise_pool(src, again, SMALL, running=Running(workers=2))
    assert again.read_bytes() == out.read_bytes()


def test_it_goes_on_where_it_stopped(src, tmp_path):
    out = tmp_path / "pool.npz"
    extract_noise_pool(src, out, SMALL, running=Running(limit=1))
    report = extract_noise_pool(src, out, SMALL)
    assert report.resumed == 1
    whole = tmp_path / "whole.npz"
    extract_noise_pool(src, whole, SMALL)
    assert out.read_bytes() == whole.read_bytes()
    with pytest.raises(UserError, match="other settings"):
        extract_noise_pool(src, out, NoiseSettings("classic", 16))


def test_a_folder_of_pictures(src, tmp_path):
    extract_noise_pool(src, tmp_path / "pool", SMALL)
    assert (tmp_path / "pool" / "deep" / "b_008.png").is_file()
    assert len(NoisePool.read(tmp_path / "pool").names) == 18


def test_no_pool_where_nothing_passes(src, tmp_path):
    extract_noise_pool(src, tmp_path / "pool.npz", SMALL)
    strict = NoiseSettings("classic", 32, max_variance=0.1)
    extract_noise_pool(src, tmp_path / "pool.npz", strict, running=Running(overwrite=True))
    assert len(NoisePool.read(tmp_path / "pool.npz").names) == 18  # that of the earlier run is not lost
    extract_noise_pool(src, tmp_path / "none.npz", strict)
    assert not (tmp_path / "none.npz").exists()
    with pytest.raises(UserError, match=r"not written as \.mat"):
        extract_noise_pool(src, tmp_path / "pool.mat", SMALL)
