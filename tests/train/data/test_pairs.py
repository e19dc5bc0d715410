"""Which rows are learned from: truth is the manifest written by the test."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from realdeg.errors import UserError
from realdeg.records import read_manifest, write_manifest
from train.data.pairs import read_pairs, read_split


def keys(pairs):
    return [pair.key for pair in pairs]


def test_rows_of_split_train_are_learned_from_and_test_checked(make_dataset):
    split = read_split(make_dataset(splits="ttte"))
    assert keys(split.train) == ["p0", "p1", "p2"]
    assert keys(split.val) == ["p3"]
    assert split.scale == 2


def test_val_is_preferred_to_test_and_foreign_rows_are_left_alone(make_dataset):
    split = read_split(make_dataset(count=4, splits="tve-"))
    assert keys(split.train) == ["p0"]
    assert keys(split.val) == ["p1"]


def test_a_dataset_never_split_holds_out_whole_scenes(make_dataset):
    data = make_dataset(count=10, splits="-")
    rows = [row for row in read_manifest(data) if row.ok]
    # Two pairs of each scene: they must never be parted.
    paired = [row.__class__(**{**row.__dict__, "scene": f"s{i // 2}"}) for i, row in enumerate(rows)]
    write_manifest(data, paired)
    split = read_split(data)
    scenes = {pair.scene for pair in split.train}, {pair.scene for pair in split.val}
    assert not scenes[0] & scenes[1]
    assert len(split.val) == 2
    assert len(split.train) == 8
    assert "held out" in split.note
    assert read_split(data) == split


@pytest.mark.parametrize(
    ("splits", "scale", "words"),
    [("e", None, "no row of split train"), ("t", 4, "holds x2 pairs, not x4")],
)
def test_one_line_says_why_a_dataset_cannot_be_trained_on(make_dataset, splits, scale, words):
    with pytest.raises(UserError, match=words):
        read_split(make_dataset(splits=splits), scale=scale)


def test_a_folder_without_manifest(tmp_path):
    with pytest.raises(UserError, match=r"no manifest\.csv"):
        read_split(tmp_path)


def test_a_file_that_vanished_is_named(make_dataset):
    data = make_dataset()
    (data / "HR" / "p1.png").unlink()
    with pytest.raises(UserError, match=r"HR/p1\.png"):
        read_split(data)


def test_evaluation_asks_for_a_split_by_name(make_dataset):
    data = make_dataset(splits="-")
    with pytest.raises(UserError, match="never split"):
        read_pairs(data, "test")
    assert len(read_pairs(data, "all")[1]) == 4


def test_a_second_dataset_adds_no_scene_that_is_checked_on(make_dataset, tmp_path):
    data = make_dataset(count=4, splits="ttte")
    extra = tmp_path / "extra"
    shutil.copytree(data, extra)
    rows = read_manifest(extra)
    write_manifest(extra, [replace(row, split="") for row in rows])
    split = read_split(data, extra=extra)
    assert keys(split.train) == ["p0", "p1", "p2", "extra/p0", "extra/p1", "extra/p2"]
    assert keys(split.val) == ["p3"]
    assert {pair.scene for pair in split.train}.isdisjoint(pair.scene for pair in split.val)
