"""The cache holds what the PNGs hold; OpenCV's decoder is the truth."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from realdeg.errors import UserError
from train.data.cache import INDEX, cache_folder, check_sizes, decoded, large_enough


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
    import train.data.cache

    copies = [tmp_path / f"{i}.png" for i in range(8)]
    for copy in copies:
        copy.write_bytes(photos[0].read_bytes())
    decodings = []
    real = train.data.cache.as_uint8
    monkeypatch.setattr(train.data.cache, "as_uint8", lambda path: decodings.append(path) or real(path))
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


def test_damaged_pairs_are_named_all_at_once():
    lr, hr = np.zeros((20, 24, 3), np.uint8), np.zeros((39, 48, 3), np.uint8)
    whole = np.zeros((40, 48, 3), np.uint8)
    check_sizes(["p1"], [lr], [whole], scale=2)
    with pytest.raises(UserError, match="p7: its HR is 48x39, not x2 of its LR 24x20"):
        check_sizes(["p1", "p7"], [lr] * 2, [whole, hr], scale=2)
    keys = [f"p{i}" for i in range(9)]
    with pytest.raises(UserError, match="p1, p2, p3, p4, p5 and 3 more: of 8 pairs HR is not x2 of LR"):
        check_sizes(keys, [lr] * 9, [whole] + [hr] * 8, scale=2)


def test_images_that_hold_a_patch():
    sizes = [(20, 24), (24, 19), (30, 30)]
    assert large_enough([np.zeros((*size, 3), np.uint8) for size in sizes], 20) == [0, 2]


def test_a_file_replaced_while_it_is_decoded_is_not_taken_for_the_one_that_was_hashed(
    photos, tmp_path, monkeypatch
):
    import train.data.cache

    real = train.data.cache.as_uint8

    def swap(path):
        photos[0].write_bytes(photos[1].read_bytes())
        return real(path)

    monkeypatch.setattr(train.data.cache, "as_uint8", swap)
    with pytest.raises(UserError, match="was replaced while it was read"):
        decoded(photos[:1], tmp_path / "c")
    assert not [path for path in (tmp_path / "c").glob("*.npy")]
