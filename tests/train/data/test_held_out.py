"""Nothing that is held out is learned from; truth: which pictures the test put where."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from realdeg.dataset.adopt import adopt_folders
from realdeg.dataset.settings import TileSettings
from realdeg.dataset.tile import tile_dataset
from realdeg.degrade.folder import degrade_folder, find_sources
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import UserError
from realdeg.io.left_out import in_words
from realdeg.records import PairRecord, read_manifest, write_manifest
from train.d2c.command import train_d2c
from train.d2c.settings import D2CSettings
from train.data.alike import like_any, thumbnails
from train.data.learning_set import learning_set
from train.data.pairs import counted, read_pairs, read_split, split_to_evaluate
from train.evaluate.command import evaluate

from ..conftest import picture


def keys(pairs):
    return [pair.key for pair in pairs]


def train(tiny, data, out, say=lambda text: None, **more):
    return train_d2c(D2CSettings(**{**tiny, "data": data, "out": out, **more}), quiet=True, say=say)


def renamed(data, extra, scene="other"):
    """A copy under other keys and scenes, never split."""
    shutil.copytree(data, extra)
    rows = read_manifest(extra)
    write_manifest(
        extra, [replace(row, key=f"x{row.key}", scene=f"{scene}{row.key}", split="") for row in rows]
    )
    return extra


def test_test_scenes_are_held_out_beside_val(make_dataset, tmp_path):
    data = make_dataset(count=4, splits="ttve")
    extra = tmp_path / "extra"
    shutil.copytree(data, extra)
    write_manifest(extra, [replace(row, split="") for row in read_manifest(extra)])
    split = read_split(data, extra=extra)
    assert keys(split.train) == ["p0", "p1", "extra/p0", "extra/p1"]
    assert keys(split.val) == ["p2"]
    assert keys(split.held) == ["p2", "p3"]
    assert counted(split.left_out) == "2 of a scene held out"


@pytest.mark.parametrize(
    "change", [{"detail": {"valid": 0.7}}, {"status": "failed", "lr": "", "hr": ""}, {"scale": 4}]
)
def test_a_test_pair_that_cannot_be_used_is_held_out_all_the_same(make_dataset, tmp_path, change):
    data = make_dataset(count=4, splits="ttve")
    extra = tmp_path / "extra"
    shutil.copytree(data, extra)
    write_manifest(extra, [replace(row, split="") for row in read_manifest(extra)])
    rows = read_manifest(data)
    write_manifest(data, [replace(row, **change) if row.split == "test" else row for row in rows])
    split = read_split(data, scale=rows[0].scale, extra=extra)
    assert keys(split.train) == ["p0", "p1", "extra/p0", "extra/p1"]


def test_what_the_second_set_holds_out_is_not_learned_from_the_first(make_dataset, tmp_path):
    data = make_dataset(count=4, splits="t")
    extra = tmp_path / "extra"
    shutil.copytree(data, extra)
    write_manifest(
        extra, [replace(row, split="test" if row.key == "p1" else "train") for row in read_manifest(extra)]
    )
    split = read_split(data, extra=extra)
    assert keys(split.train) == ["p0", "p2", "p3", "extra/p0", "extra/p2", "extra/p3"]


def test_a_copy_under_other_names_is_known_by_its_content(make_dataset, tmp_path):
    data = make_dataset(count=4, splits="ttve")
    split = read_split(data, extra=renamed(data, tmp_path / "extra"))
    assert keys(split.train) == ["p0", "p1", "extra/xp0", "extra/xp1"]
    assert counted(split.left_out) == "2 made of a picture held out"


def test_tiles_and_degraded_copies_of_a_picture_are_known_by_their_source(make_dataset, tmp_path):
    data = make_dataset(count=4, splits="ttve", lr_hw=(40, 48))
    write_manifest(tmp_path / "data", read_manifest(data))
    adopt_folders(data / "LR", data / "HR", tmp_path / "pairs")
    rows = [
        replace(row, split="ttve"[i], scene=f"a{i}")
        for i, row in enumerate(read_manifest(tmp_path / "pairs"))
    ]
    words = {"t": "train", "v": "val", "e": "test"}
    write_manifest(tmp_path / "pairs", [replace(row, split=words[row.split]) for row in rows])
    degrade_folder(data / "HR", tmp_path / "degraded", DegradeSettings(2))
    renamed_rows = [replace(row, scene=f"z{row.key}") for row in read_manifest(tmp_path / "degraded")]
    write_manifest(tmp_path / "degraded", renamed_rows)
    split = read_split(tmp_path / "pairs", extra=tmp_path / "degraded")
    assert keys(split.train) == ["p0", "p1", "degraded/p0", "degraded/p1"]
    tile_dataset(tmp_path / "degraded", tmp_path / "tiles", TileSettings(size=48))
    tiles = [replace(row, scene=f"t{row.key}", split="") for row in read_manifest(tmp_path / "tiles")]
    write_manifest(tmp_path / "tiles", tiles)
    split = read_split(tmp_path / "degraded", extra=None)
    held = set(keys(split.held))
    assert len(held) == 1
    split = read_split(tmp_path / "degraded", extra=tmp_path / "tiles")
    learned = {key.removeprefix("tiles/").split("_y")[0] for key in keys(split.train)}
    assert learned == {"p0", "p1", "p2", "p3"} - held


@pytest.mark.parametrize("how", ["jpeg", "cut", "half"])
def test_a_look_alike_is_left_out(make_dataset, tmp_path, how):
    data = make_dataset(count=4, splits="tttv", lr_hw=(50, 53))
    extra = tmp_path / "extra"
    for side in ("LR", "HR"):
        (extra / side).mkdir(parents=True)
    rows = []
    for i in range(4):
        hr = cv2.imread(str(data / f"HR/p{i}.png"))
        if how == "jpeg":
            hr = cv2.imdecode(cv2.imencode(".jpg", hr, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
        elif how == "cut":
            hr = hr[: hr.shape[0] // 4 * 4, : hr.shape[1] // 4 * 4]
        else:
            hr = cv2.resize(hr, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            hr = hr[: hr.shape[0] // 2 * 2, : hr.shape[1] // 2 * 2]
        cv2.imwrite(str(extra / f"HR/q{i}.png"), hr)
        cv2.imwrite(str(extra / f"LR/q{i}.png"), hr[::2, ::2])
        rows.append(PairRecord(f"q{i}", "ok", "", f"LR/q{i}.png", f"HR/q{i}.png", 2))
    write_manifest(extra, rows)
    found = learning_set(read_split(data, extra=extra), tmp_path / "cache", 12)
    assert keys(found.pairs) == ["p0", "p1", "p2", "extra/q0", "extra/q1", "extra/q2"]
    assert found.left_out == {"like a picture held out": 1}
    assert found.lr[5].shape[:2] == found.hr[5][::2, ::2].shape[:2]


def test_twins_in_t91_and_not_one_false_match(shared_data):
    """T91's t36 is its t65. Photos of BSD200 and T91, cut, compressed and halved, are known; no others are."""
    files = [p for name in ("BSD200", "T91") for p in sorted(shared_data(name).glob("*.webp"))]
    images = [cv2.imread(str(path))[..., ::-1] for path in files]
    assert len(images) == 291
    small = np.stack([thumbnails(image) for image in images])
    alike = [i for i in range(291) if like_any(small[i : i + 1], np.delete(small, i, 0))[0]]
    assert [files[i].stem for i in alike] == ["t36", "t65"]

    def compressed(image, quality):
        return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)

    for scale in (2, 3, 4, 8):
        for image, known in zip(images, small, strict=True):
            h, w = (side // scale * scale for side in image.shape[:2])
            assert like_any(thumbnails(image[:h, :w])[None], known[None])[0]
    for image, known in zip(images, small, strict=True):
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        cut = half[: half.shape[0] // 4 * 4, : half.shape[1] // 4 * 4]
        for other in (compressed(image, 30), half, compressed(cut, 50)):
            assert like_any(thumbnails(other)[None], known[None])[0]


def test_flat_pictures_of_unlike_brightness_are_two(tmp_path):
    grey = np.stack([thumbnails(np.full((60, 60, 3), level, np.uint8)) for level in (20, 120, 121)])
    assert like_any(grey, grey[:1]).tolist() == [True, False, False]
    assert like_any(grey, grey[1:2]).tolist() == [False, True, True]
    assert like_any(grey, grey[:0]).tolist() == [False, False, False]


def test_a_dataset_is_degraded_from_its_hr_alone(make_dataset, tmp_path):
    data = make_dataset(count=4, splits="ttve", lr_hw=(40, 48))
    sources, refused, left_out = find_sources([data])
    assert [(one.key, one.scene, one.path) for one in sources] == [
        (f"p{i}", f"s{i}", data / f"HR/p{i}.png") for i in range(4)
    ]
    assert not refused
    assert in_words(left_out) == "left out: 4 LR images of a dataset, of which HR is taken"
    report = degrade_folder(data, tmp_path / "again", DegradeSettings(2))
    assert [(row.key, row.scene) for row in report.records] == [(f"p{i}", f"s{i}") for i in range(4)]
    split = read_split(data, extra=tmp_path / "again")
    assert keys(split.train) == ["p0", "p1", "again/p0", "again/p1"]


def test_damaged_hr_of_a_dataset_is_not_degraded(make_dataset, tmp_path):
    data = make_dataset(lr_hw=(40, 48))
    adopt_folders(data / "LR", data / "HR", tmp_path / "pairs")
    shutil.copyfile(data / "HR/p0.png", tmp_path / "copy.png")
    (tmp_path / "pairs/HR/p1.png").unlink()
    shutil.copyfile(tmp_path / "copy.png", tmp_path / "pairs/HR/p1.png")
    sources, refused, _ = find_sources([tmp_path / "pairs"])
    assert [one.key for one in sources] == ["p0", "p2", "p3"]
    assert "is not the file that manifest.csv vouches for" in refused[0].reason


def test_files_that_are_not_what_the_manifest_says_are_not_learned_from(make_dataset, tiny, tmp_path):
    data = make_dataset()
    adopt_folders(data / "LR", data / "HR", tmp_path / "pairs")
    image = cv2.imread(str(data / "LR/p0.png"))
    (tmp_path / "pairs/LR/p0.png").unlink()
    cv2.imwrite(str(tmp_path / "pairs/LR/p0.png"), 255 - image)
    for go in (
        lambda: train(tiny, tmp_path / "pairs", tmp_path / "run"),
        lambda: evaluate(None, tmp_path / "pairs", split="all"),
    ):
        with pytest.raises(UserError, match=r"LR/p0\.png: is not the file that manifest\.csv vouches for"):
            go()


def test_evaluating_names_what_training_held_out(make_dataset):
    data = make_dataset(count=10, splits="-")
    split = read_split(data)
    assert len(split.val) == 1
    assert keys(read_pairs(data, "heldout")[1]) == keys(split.val)
    assert split_to_evaluate(data, 2) == "heldout"
    for splits, name in (("tv", "val"), ("tve", "test"), ("t", "all")):
        other = make_dataset(f"data{splits}", count=6, splits=splits)
        assert split_to_evaluate(other, 2) == name
    assert keys(read_pairs(make_dataset("both", count=3, splits="tve"), "heldout")[1]) == ["p1"]
    with pytest.raises(UserError, match="holds nothing out"):
        read_pairs(make_dataset("one", count=3, splits="t"), "heldout")


def test_evaluating_warns_of_what_was_learned_from(make_dataset, tiny, tmp_path, program):
    data = make_dataset(lr_hw=(24, 26))
    run = train(tiny, data, tmp_path / "run")
    ended = program("evaluate", "--run", run, "--data", data, "--split", "all", "--lpips", "off")
    assert "warning: 3 of 4 pairs were learned from by this model (p0, p1, p2)" in ended.err
    summary = json.loads((run / "evaluation/summary.json").read_text())
    assert summary["learned_from"] == ["p0", "p1", "p2"]
    ended = program("evaluate", "--run", run, "--data", data, "--lpips", "off")
    assert "warning" not in ended.err
    assert json.loads((run / "evaluation/summary.json").read_text())["learned_from"] == []
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "new.png"), picture(77, (48, 52))[..., ::-1])
    seen = cv2.imread(str(data / "HR/p1.png"))
    cv2.imwrite(str(photos / "seen.jpg"), seen, [cv2.IMWRITE_JPEG_QUALITY, 70])
    table = evaluate(run, hr=photos, out=tmp_path / "scores")
    assert table.seen == ("seen",)
    (run / "learned.npz").write_bytes(b"torn")
    assert evaluate(run, data, out=tmp_path / "scores").seen is None


@pytest.mark.parametrize("splits", ["-", "tv", "t", "tte"])
def test_the_next_line_runs_as_printed(make_dataset, tiny, tmp_path, program, splits):
    import shlex

    data = make_dataset("a set", count=4, splits=splits, lr_hw=(24, 26))
    flags = [w for name, value in tiny.items() for w in (f"--{name.replace('_', '-')}", str(value))]
    ended = program("d2c", "--data", data, "-o", tmp_path / "my run", *flags)
    assert ended.code == 0, ended.err
    name, command, *words = shlex.split(ended.out.splitlines()[-1].partition("next: ")[2])
    assert (name, command) == ("realdeg", "evaluate")
    ended = program("evaluate", *words)
    assert ended.code == 0, ended.err
    assert ("were learned from" in ended.err) == (splits == "t")


def test_pairs_that_cannot_be_used_are_counted_and_cost_nothing(make_dataset, tiny, tmp_path):
    """T91 has an image of 19x19: it is left out, and so is what a mask says is valid in part."""
    data = make_dataset(count=8, splits="tttttttv", lr_hw=(24, 26))
    for i, side in ((1, 11), (2, 5)):
        hr = picture(40 + i, (2 * side, 2 * side))
        cv2.imwrite(str(data / f"HR/p{i}.png"), hr)
        cv2.imwrite(str(data / f"LR/p{i}.png"), hr[::2, ::2])
    rows = [replace(row, detail={"valid": 0.9}) if row.key == "p3" else row for row in read_manifest(data)]
    write_manifest(data, rows)
    said = []
    train(tiny, data, tmp_path / "run", said.append)
    assert "pairs: 4 x2 to learn from; validation: 1 (split val)" in said
    assert "left out: 1 valid in part, 2 with LR smaller than the patch of 12" in said


def test_validation_goes_on_without_a_picture_too_small_to_measure(make_dataset, tiny, tmp_path):
    data = make_dataset(count=4, splits="ttvv", lr_hw=(24, 26))
    hr = picture(40, (14, 16))
    cv2.imwrite(str(data / "HR/p3.png"), hr)
    cv2.imwrite(str(data / "LR/p3.png"), hr[::2, ::2])
    said = []
    train(tiny, data, tmp_path / "run", said.append)
    assert "validation: 1 pairs are too small to be checked on" in said
