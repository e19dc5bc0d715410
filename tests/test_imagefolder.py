"""What Hugging Face's imagefolder takes of a dataset. Truth: that library, where it is installed; else its rules.

The rules, of datasets 5.2 (`data_files.py`, `folder_based_builder.py`): folders named train, validation or test
decide on splits before names of files do, and names in a metadata file may not lead out of its folder.
"""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from realdeg.dataset.adopt import adopt_folders
from realdeg.dataset.settings import SplitSettings
from realdeg.dataset.split import split_dataset
from realdeg.imagefolder import LINES, VIEW, withdraw_metadata, write_metadata
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.records import read_manifest

# Keys that mislead: numbers, words for splits, folders named by them.
KEYS = ("001", "2", "test_3", "val/4", "train/test/5", "a b", "ä", "8", "9", "training")


def picture(seed: int, side: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)


@pytest.fixture
def folders(tmp_path):
    for i, key in enumerate(KEYS):
        write_image(tmp_path / "lr" / f"{key}.png", picture(i, 12))
        write_image(tmp_path / "hr" / f"{key}.png", picture(100 + i, 24))
    return tmp_path / "lr", tmp_path / "hr"


@pytest.fixture
def dataset(folders, tmp_path):
    out = tmp_path / "data"
    adopt_folders(*folders, out)
    return out


def by_rules(out: Path) -> dict[str, dict[str, tuple[bytes, bytes]]]:
    """Pairs of each split by key, as the library's rules find them; {"train": ...} of root where there are none."""
    words = {"train": "train", "validation": "val", "test": "test"}
    found = {}
    for folder, split in words.items():
        for table in sorted(out.rglob(f"{folder}/{LINES}")):
            assert found.get(split) is None
            found[split] = {}
            for line in table.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                names = row["lr_file_name"], row["hr_file_name"]
                assert not any(Path(name).is_absolute() or ".." in Path(name).parts for name in names)
                found[split][row["key"]] = tuple((table.parent / name).read_bytes() for name in names)
    return found


def by_manifest(out: Path) -> dict[str, dict[str, tuple[bytes, bytes]]]:
    found: dict[str, dict[str, tuple[bytes, bytes]]] = {}
    for row in read_manifest(out):
        if row.ok and row.split:
            pair = (out / row.lr).read_bytes(), (out / row.hr).read_bytes()
            found.setdefault(row.split, {})[row.key] = pair
    return found


def listed(out: Path) -> set[str]:
    with (out / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return {row["key"] for row in csv.DictReader(file)}


def test_without_splits_all_pairs_are_listed_and_there_is_no_view(dataset):
    assert listed(dataset) == set(KEYS)
    assert not (dataset / VIEW).exists()


def test_a_split_makes_the_view_and_leaves_only_train_in_the_table(dataset):
    split_dataset(dataset, SplitSettings(test=3, val=2))
    assert {name: len(pairs) for name, pairs in by_rules(dataset).items()} == {
        "train": 5,
        "val": 2,
        "test": 3,
    }
    assert by_rules(dataset) == by_manifest(dataset)
    assert listed(dataset) == set(by_manifest(dataset)["train"])


def test_images_are_not_doubled(dataset):
    split_dataset(dataset, SplitSettings(test=3))
    for image in (dataset / VIEW).rglob("*.png"):
        side = "LR" if "LR" in image.relative_to(dataset / VIEW).parts else "HR"
        key = str(image.relative_to(dataset / VIEW)).split(f"{side}{os.sep}", 1)[1]
        assert image.samefile(dataset / side / key)


def test_another_split_leaves_nothing_of_the_one_before(dataset):
    for seed in range(3):
        split_dataset(dataset, SplitSettings(test=4, val=1, seed=seed))
        assert by_rules(dataset) == by_manifest(dataset)
        assert len(list((dataset / VIEW).rglob("*.png"))) == 2 * len(KEYS)
    split_dataset(dataset, SplitSettings(test=1))
    assert set(by_rules(dataset)) == {"train", "test"}
    assert not (dataset / VIEW / "validation").exists()


def test_a_later_run_of_the_job_brings_the_view_up_to_date(folders, dataset):
    split_dataset(dataset, SplitSettings(test=3))
    write_image(folders[0] / "new.png", picture(50, 12))
    write_image(folders[1] / "new.png", picture(51, 24))
    write_image(folders[0] / "2.png", picture(52, 12))
    adopt_folders(*folders, dataset)
    assert by_rules(dataset) == by_manifest(dataset)
    assert "new" not in listed(dataset)
    assert not any("new" in pairs for pairs in by_rules(dataset).values())
    (folders[1] / "001.png").unlink()
    adopt_folders(*folders, dataset, running=Running(prune=True))
    assert by_rules(dataset) == by_manifest(dataset)
    assert not list((dataset / VIEW).rglob("001.png"))


def test_what_is_withdrawn_is_not_read(dataset):
    split_dataset(dataset, SplitSettings(test=3))
    withdraw_metadata(dataset)
    assert not (dataset / VIEW).exists()
    assert not (dataset / "metadata.csv").exists()
    assert len(list((dataset / "HR").rglob("*.png"))) == len(KEYS)


def test_what_others_keep_in_a_folder_of_this_name_stays(dataset):
    (dataset / VIEW / "mine").mkdir(parents=True)
    (dataset / VIEW / "mine" / "notes.txt").write_text("mine")
    split_dataset(dataset, SplitSettings(test=3))
    split_dataset(dataset, SplitSettings(test=2, seed=1))
    withdraw_metadata(dataset)
    assert [path.name for path in (dataset / VIEW).rglob("*")] == ["mine", "notes.txt"]


def test_without_hard_links_there_are_symbolic_ones_that_move_with_the_folder(dataset, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    assert write_metadata(dataset, [r.with_split("train") for r in read_manifest(dataset)])
    moved = dataset.rename(tmp_path / "elsewhere")
    assert len(by_rules(moved)["train"]) == len(KEYS)
    assert all(path.is_symlink() for path in (moved / VIEW).rglob("*.png"))


def test_without_links_the_table_names_only_what_may_be_learned_from(dataset, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    said = []
    split_dataset(dataset, SplitSettings(test=3), say=said.append)
    assert not (dataset / VIEW).exists()
    assert listed(dataset) == set(by_manifest(dataset)["train"])
    assert re.search("no links.*only train", said[0])


def test_the_library_gives_the_splits(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    split_dataset(dataset, SplitSettings(test=3, val=2))
    found = datasets.load_dataset("imagefolder", data_dir=str(dataset), cache_dir=str(tmp_path / "cache"))
    names = {"train": "train", "validation": "val", "test": "test"}
    expected = by_manifest(dataset)
    assert set(found) == set(names)
    for name, rows in found.items():
        assert sorted(rows["key"]) == sorted(expected[names[name]])
        for row in rows:
            record = next(r for r in read_manifest(dataset) if r.key == row["key"])
            for side in ("lr", "hr"):
                image = np.asarray(row[side].convert("RGB"))
                np.testing.assert_array_equal(image, read(dataset / getattr(record, side)).pixels)
