"""The cache holds what the PNGs hold; OpenCV's decoder is the truth."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from realdeg.errors import UserError
from train.cache import INDEX, cache_folder, check_sizes, decoded


@pytest.fixture
def photos(make_dataset):
    return sorted((make_dataset() / "HR").glob("*.png"))


def arrays_in(folder):
    return sorted(path for path in folder.iterdir() if path.name != INDEX)


def test_arrays_equal_the_files(photos, tmp_path):
    for path, array in zip(photos, decoded(photos, tmp_path / "c"), strict=True):
        np.testing.assert_array_equal(array, cv2.imread(str(path))[..., ::-1])


def test_a_second_opening_decodes_nothing(photos, tmp_path):
    decoded(photos, tmp_path / "c")
    stamps = {path: path.stat().st_mtime_ns for path in arrays_in(tmp_path / "c")}
    said = []
    decoded(photos, tmp_path / "c", said.append)
    assert not said
    assert stamps == {path: path.stat().st_mtime_ns for path in arrays_in(tmp_path / "c")}


def test_a_changed_file_is_decoded_again_and_its_old_array_goes(photos, tmp_path):
    decoded(photos, tmp_path / "c")
    cv2.imwrite(str(photos[1]), np.full((8, 8, 3), 7, np.uint8))
    assert decoded(photos, tmp_path / "c")[1].shape == (8, 8, 3)
    assert len(arrays_in(tmp_path / "c")) == len(photos)


def test_files_of_one_content_share_an_array_that_is_written_once(photos, tmp_path, monkeypatch):
    import train.cache

    copies = [tmp_path / f"{i}.png" for i in range(8)]
    for copy in copies:
        copy.write_bytes(photos[0].read_bytes())
    decodings = []
    real = train.cache.as_uint8
    monkeypatch.setattr(train.cache, "as_uint8", lambda path: decodings.append(path) or real(path))
    arrays = decoded(copies, tmp_path / "c")
    assert len(decodings) == len(arrays_in(tmp_path / "c")) == 1
    assert all(np.array_equal(array, real(copies[0])) for array in arrays)


@pytest.mark.parametrize("damage", ["cut", "gone", "index"])
def test_a_damaged_cache_heals(photos, tmp_path, damage):
    expected = [array.copy() for array in decoded(photos, tmp_path / "c")]
    victim = arrays_in(tmp_path / "c")[0]
    if damage == "cut":
        victim.write_bytes(victim.read_bytes()[:200])
    elif damage == "gone":
        victim.unlink()
    else:
        (tmp_path / "c" / INDEX).write_text('{"torn')
    for array, truth in zip(decoded(photos, tmp_path / "c"), expected, strict=True):
        np.testing.assert_array_equal(array, truth)


def test_sixteen_bits_are_rounded_to_eight(tmp_path):
    deep = np.array([[[0, 127, 128], [129, 65535, 32896]]], np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    [array] = decoded([tmp_path / "deep.png"], tmp_path / "c")
    np.testing.assert_array_equal(array, np.rint(deep[..., ::-1] / 257).astype(np.uint8))


def test_a_broken_image_is_named(tmp_path):
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(UserError, match=r"text\.png"):
        decoded([tmp_path / "text.png"], tmp_path / "c")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_dataset_is_cached_elsewhere(tmp_path, monkeypatch):
    data = tmp_path / "data"
    data.mkdir(mode=0o555)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert cache_folder(data).is_relative_to(tmp_path / "home")
    assert cache_folder(data, tmp_path / "mine") == tmp_path / "mine"


@pytest.mark.parametrize(
    ("hr_hw", "patch", "words"),
    [((39, 48), 4, "not x2 of its LR"), ((40, 48), 21, "smaller than the patch of 21")],
)
def test_pairs_that_cannot_be_cut_are_named(hr_hw, patch, words):
    lr, hr = np.zeros((20, 24, 3), np.uint8), np.zeros((*hr_hw, 3), np.uint8)
    with pytest.raises(UserError, match=f"p7: .*{words}"):
        check_sizes(["p7"], [lr], [hr], scale=2, patch=patch)
