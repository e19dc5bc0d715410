"""Truth: counts worked out by hand, the pixels that went in, and the readers of two other projects."""

import hashlib
import os
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realdeg.dataset.adopt import adopt_folders
from realdeg.dataset.settings import SplitSettings, TileSettings
from realdeg.dataset.split import split_dataset, split_scenes
from realdeg.dataset.tile import Tile, _starts, cut, tile_dataset
from realdeg.errors import UserError
from realdeg.identity import FileState
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.records import PairRecord, read_manifest
from realdeg.vouching import require_vouched


def photo(seed, height, width):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.fixture
def folders(tmp_path):
    for i, (h, w) in enumerate([(30, 40), (33, 47), (25, 25)]):
        write_image(tmp_path / "lr" / f"img {i}.png", photo(i, h, w))
        write_image(tmp_path / "hr" / f"img {i}.png", photo(10 + i, 4 * h, 4 * w))
    return tmp_path / "lr", tmp_path / "hr"


@pytest.fixture
def dataset(folders, tmp_path):
    adopt_folders(*folders, tmp_path / "data")
    return tmp_path / "data"


def test_adopting_leaves_pixels_alone(folders, dataset):
    records = read_manifest(dataset)
    assert [r.scale for r in records] == [4, 4, 4]
    for record in records:
        assert (dataset / record.lr).read_bytes() == (folders[0] / f"{record.key}.png").read_bytes()
        assert (dataset / record.hr).read_bytes() == (folders[1] / f"{record.key}.png").read_bytes()


def test_adopting_refuses_what_is_not_registered(folders, tmp_path):
    lr, hr = folders
    write_image(lr / "off.png", photo(5, 20, 20))
    write_image(hr / "off.png", photo(6, 79, 80))
    write_image(lr / "alone.png", photo(7, 20, 20))
    report = adopt_folders(lr, hr, tmp_path / "out")
    reasons = {r.key: r.reason for r in report.records if not r.ok}
    assert "HR is 80x79, not x4 of LR 20x20; register them with `realdeg align`" in reasons["off"]
    assert "has no partner" in reasons["alone"]
    assert report.count("ok") == 3


def test_adopting_needs_one_whole_multiple(tmp_path):
    write_image(tmp_path / "lr" / "a.png", photo(0, 20, 20))
    write_image(tmp_path / "hr" / "a.png", photo(0, 50, 50))
    with pytest.raises(UserError, match="no HR image is a whole multiple"):
        adopt_folders(tmp_path / "lr", tmp_path / "hr", tmp_path / "out")


@given(st.integers(2, 40), st.integers(1, 5), st.integers(0, 3), st.integers(0, 100))
def test_scenes_never_fall_on_both_sides(scenes, views, test, seed):
    records = [PairRecord(f"s{s}_v{v}", "ok", scene=f"s{s}") for s in range(scenes) for v in range(views)]
    if test >= scenes:
        return
    split = split_scenes(records, SplitSettings(test=test, val=0, seed=seed))
    by_scene = {r.scene: set() for r in split}
    for r in split:
        by_scene[r.scene].add(r.split)
    assert all(len(found) == 1 for found in by_scene.values())
    assert sum(found == {"test"} for found in by_scene.values()) == test
    assert [r.key for r in split] == [r.key for r in records]
    assert split == split_scenes(records, SplitSettings(test=test, val=0, seed=seed))


def test_a_new_scene_moves_at_most_one():
    names = [f"s{i}" for i in range(30)]

    def tested(which):
        split = split_scenes([PairRecord(n, "ok") for n in which], SplitSettings(test=6))
        return {r.key for r in split if r.split == "test"}

    assert len(tested(names) - tested([*names, "new"])) <= 1


def test_shares_groups_and_what_was_refused():
    records = [PairRecord(f"s{i % 10}_{i}", "ok") for i in range(40)] + [PairRecord("bad", "rejected")]
    split = split_scenes(records, SplitSettings(test=0.2, val=1, group=r"(s\d+)_"))
    assert sum(r.split == "test" for r in split) == 8
    assert sum(r.split == "val" for r in split) == 4
    assert split[-1].split == ""
    assert split[0].scene == "s0"
    for group, message in (("(", "is no regular expression"), ("x(.)", "does not match the key")):
        with pytest.raises(UserError, match=message):
            split_scenes(records, SplitSettings(test=1, group=group))
    with pytest.raises(UserError, match="leave none of 10 to train on"):
        split_scenes(records, SplitSettings(test=10, group=r"(s\d+)_"))
    for count in (1.5, -1, float("nan"), float("inf")):
        with pytest.raises(UserError, match="whole number"):
            split_scenes(records, SplitSettings(test=count))


def test_the_split_is_written(dataset):
    assert split_dataset(dataset, SplitSettings(test=1)) == {"train": 2, "test": 1}
    assert sorted(r.split for r in read_manifest(dataset)) == ["test", "train", "train"]


@given(st.integers(1, 300), st.integers(1, 80), st.integers(1, 80))
def test_tiles_cover_everything(length, side, step):
    step = min(step, side)
    starts = _starts(length, side, step)
    covered = np.zeros(length, bool)
    for start in starts:
        assert start + min(side, length) <= length
        covered[start : start + side] = True
    assert covered.all()


def test_tiles_are_the_pixels_of_the_pair(dataset, tmp_path):
    split_dataset(dataset, SplitSettings(test=1))
    report = tile_dataset(
        dataset, tmp_path / "tiles", TileSettings(size=67, overlap=8), running=Running(workers=2)
    )
    originals = {r.key: r for r in read_manifest(dataset)}
    assert report.count("ok") == len(report.records) == 6 + 12 + 4  # side 16, step 14: 2x3, 3x4 (33x47), 2x2
    for tile in read_manifest(tmp_path / "tiles"):
        source = originals[tile.scene]
        assert tile.split == source.split
        x, y, w, h = (int(n) for n in tile.detail["lr_crop"].split())
        lr, hr = read(tmp_path / "tiles" / tile.lr).pixels, read(tmp_path / "tiles" / tile.hr).pixels
        np.testing.assert_array_equal(lr, read(dataset / source.lr).pixels[y : y + h, x : x + w])
        whole = read(dataset / source.hr).pixels
        np.testing.assert_array_equal(hr, whole[4 * y : 4 * (y + h), 4 * x : 4 * (x + w)])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": 7}, "`size`: 7 is too small; at least 8"),
        ({"overlap": -1}, "`overlap`: -1 is too small; at least 0"),
        ({"min_valid": 1.5}, "`min_valid`: 1.5 is too large; at most 1"),
    ],
)
def test_settings_of_tiles_have_limits_in_the_library_too(wrong, words):
    with pytest.raises(UserError) as error:
        TileSettings(**wrong)
    assert str(error.value) == words


def test_tiles_follow_a_new_split_of_their_pairs(dataset, tmp_path):
    """Else tiles of a pair that is tested on now would still be trained on."""
    tiles = tmp_path / "tiles"
    split_dataset(dataset, SplitSettings(test=1))
    tile_dataset(dataset, tiles, TileSettings(size=64))
    tested = {r.scene for r in read_manifest(tiles) if r.split == "test"}
    seed = next(
        s
        for s in range(100)
        if _tested(split_scenes(read_manifest(dataset), SplitSettings(test=1, seed=s))) != tested
    )
    split_dataset(dataset, SplitSettings(test=1, seed=seed))
    assert tile_dataset(dataset, tiles, TileSettings(size=64)).resumed > 0
    expected = {r.key: r.split for r in read_manifest(dataset)}
    assert all(r.split == expected[r.scene] for r in read_manifest(tiles))


def _tested(records):
    return {r.scene for r in records if r.split == "test"}


def test_tiles_keep_a_split_of_their_own(dataset, tmp_path):
    tile_dataset(dataset, tmp_path / "t", TileSettings(size=64))
    split_dataset(tmp_path / "t", SplitSettings(test=1))
    before = read_manifest(tmp_path / "t")
    tile_dataset(dataset, tmp_path / "t", TileSettings(size=64))
    assert read_manifest(tmp_path / "t") == before


def test_a_pair_made_anew_is_cut_anew(dataset, folders, tmp_path):
    tile_dataset(dataset, tmp_path / "t", TileSettings(size=64))
    source = folders[0] / "img 0.png"
    write_image(source, photo(99, 30, 40))
    os.utime(source, (1e9, 1e9))  # older than what it replaces, as `cp -p` leaves it
    again = tile_dataset(dataset, tmp_path / "t", TileSettings(size=64))
    assert again.problems == 0  # the dataset is as it was
    adopt_folders(*folders, dataset)
    report = tile_dataset(dataset, tmp_path / "t", TileSettings(size=64))
    assert 0 < report.resumed < len(report.records)
    corner = next(r for r in report.records if r.key == "img 0_y00000_x00000")
    np.testing.assert_array_equal(read(tmp_path / "t" / corner.lr).pixels, photo(99, 30, 40)[:16, :16])


def test_a_pair_that_is_replaced_while_tiles_are_cut_is_not_cut(dataset, tmp_path):
    """Neither the old pixels under the new hash, nor the new ones that no manifest vouched for."""
    records = [record for record in read_manifest(dataset) if record.ok]
    tiles = [Tile(f"t{i}", dataset, records[0], 0, 0, 8, 8) for i in range(3)]
    path, before = dataset / records[0].lr, (dataset / records[0].lr).read_bytes()
    first = cut(tiles[0], tmp_path / "t")
    write_image(path, photo(99, 30, 40))
    with pytest.raises(UserError, match=r"is not the file that manifest\.csv vouched for when this began"):
        cut(tiles[1], tmp_path / "t")
    path.write_bytes(before)
    assert cut(tiles[2], tmp_path / "t").sha256("lr") == first.sha256("lr")


def test_files_and_table_replaced_together_are_believed(dataset):
    """With sizes and dates as they were, so that what was remembered of them contradicts the table."""
    records = read_manifest(dataset)
    require_vouched(dataset, records)
    path = dataset / records[0].lr
    status, content = path.stat(), bytearray(path.read_bytes())
    content[-20] ^= 1
    path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    digest = hashlib.sha256(content).hexdigest()
    now = replace(records[0], files={**records[0].files, records[0].lr: FileState(digest)})
    require_vouched(dataset, [now, *records[1:]])
    with pytest.raises(UserError, match=r"is not the file that manifest\.csv vouches for"):
        require_vouched(dataset, records)


def test_scenes_named_by_a_group_outlive_a_second_run(tmp_path):
    for key in ("s1_a", "s1_b", "s2_a"):
        write_image(tmp_path / "lr" / f"{key}.png", photo(0, 20, 20))
        write_image(tmp_path / "hr" / f"{key}.png", photo(1, 40, 40))
    for _ in range(2):
        adopt_folders(tmp_path / "lr", tmp_path / "hr", tmp_path / "out")
        if not any(r.split for r in read_manifest(tmp_path / "out")):
            split_dataset(tmp_path / "out", SplitSettings(test=1, group="(s.)_"))
    assert [r.scene for r in read_manifest(tmp_path / "out")] == ["s1", "s1", "s2"]
    assert next(r.split for r in read_manifest(tmp_path / "out")) != ""


def test_the_scale_is_the_one_that_most_pairs_have(folders, tmp_path):
    write_image(folders[0] / "a first.png", photo(5, 20, 20))
    write_image(folders[1] / "a first.png", photo(6, 40, 40))
    report = adopt_folders(*folders, tmp_path / "out")
    assert [r.key for r in report.records if not r.ok] == ["a first"]
    assert {r.scale for r in report.records} == {4}


def test_what_is_no_plain_png_is_decoded(tmp_path):
    """Grey, JPEG and 16 bits: RGB PNG of the same pixels as any reader sees them."""
    grey = photo(0, 20, 24)[..., 0]
    (tmp_path / "lr").mkdir()
    cv2.imwrite(str(tmp_path / "lr" / "grey.png"), grey)
    cv2.imwrite(str(tmp_path / "lr" / "jpeg.jpg"), photo(1, 20, 24))
    deep = photo(2, 40, 48).astype(np.uint16) * 257
    for name in ("grey", "jpeg"):
        write_image(tmp_path / "hr" / f"{name}.png", deep)
    report = adopt_folders(tmp_path / "lr", tmp_path / "hr", tmp_path / "out")
    assert report.count("ok") == 2
    wanted = {"grey": np.dstack([grey] * 3), "jpeg": cv2.imread(str(tmp_path / "lr" / "jpeg.jpg"))[..., ::-1]}
    for name, pixels in wanted.items():
        stored = cv2.imread(str(tmp_path / "out" / "LR" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(stored[..., ::-1], pixels)
        hr = cv2.imread(str(tmp_path / "out" / "HR" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(hr[..., ::-1], deep)


def test_realsr_is_adopted_whole(shared_data, tmp_path):
    """50 registered x4 pairs of RealSR V3; truth: their sizes and bytes."""
    source = shared_data("realsr_v3_val_x4")
    report = adopt_folders(source / "LR", source / "HR", tmp_path / "out", running=Running(limit=8))
    assert {(r.status, r.scale) for r in report.records} == {("ok", 4)}
    for r in report.records:
        assert (tmp_path / "out" / r.hr).read_bytes() == (source / "HR" / f"{r.key}.png").read_bytes()
    split = split_scenes(report.records, SplitSettings(test=2, group=r"(.*)_LR4"))
    assert sum(r.split == "test" for r in split) == 2
    assert all(r.scene == r.key.removesuffix("_LR4") for r in split)


def test_tiles_that_cannot_be_are_refused(dataset, tmp_path):
    with pytest.raises(UserError, match="leave no step"):
        tile_dataset(dataset, tmp_path / "t", TileSettings(size=16, overlap=16))
    with pytest.raises(UserError, match="is the dataset itself"):
        tile_dataset(dataset, dataset, TileSettings())
    (dataset / "LR" / "img 0.png").unlink()
    report = tile_dataset(dataset, tmp_path / "t", TileSettings(size=64))
    assert report.count("failed") == 1


def test_basicsrs_paired_folder_opens_it(dataset):
    """Its rule: as many files on both sides, and each HR name, through '{}', is found among the LR files."""
    hr = sorted(p.relative_to(dataset / "HR").as_posix() for p in (dataset / "HR").rglob("*"))
    lr = sorted(p.relative_to(dataset / "LR").as_posix() for p in (dataset / "LR").rglob("*"))
    assert len(hr) == len(lr) == 3
    assert all("{}.png".format(name.removesuffix(".png")) in lr for name in hr)


def test_hugging_faces_imagefolder_opens_it(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    opened = datasets.load_dataset(
        "imagefolder", data_dir=str(dataset), split="train", cache_dir=str(tmp_path / "hf")
    )
    assert {"lr", "hr", "scale"} <= set(opened.column_names)
    assert len(opened) == 3
    sizes = sorted((row["lr"].size, row["hr"].size) for row in opened)
    assert sizes == [((25, 25), (100, 100)), ((40, 30), (160, 120)), ((47, 33), (188, 132))]
