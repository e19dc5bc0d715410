"""Pairs that are valid in part: tiles keep to what is valid, training leaves the whole pair out."""

import cv2
import numpy as np
import pytest

from realdeg.dataset.settings import TileSettings
from realdeg.dataset.tile import tile_dataset
from realdeg.errors import UserError
from realdeg.io.save import write_image
from realdeg.records import PairRecord, write_manifest
from train.data.pairs import read_split


@pytest.fixture
def dataset(tmp_path):
    """Two x2 pairs of 40 x 40 LR px; the left half of the second is not valid."""
    rng, out = np.random.default_rng(0), tmp_path / "pairs"
    records = []
    for key in ("a", "b"):
        write_image(out / "LR" / f"{key}.png", rng.integers(0, 256, (40, 40, 3), np.uint8))
        write_image(out / "HR" / f"{key}.png", rng.integers(0, 256, (80, 80, 3), np.uint8))
        records.append(PairRecord(key, "ok", lr=f"LR/{key}.png", hr=f"HR/{key}.png", scale=2, scene=key))
    mask = np.full((40, 40), 255, np.uint8)
    mask[:, :20] = 0
    (out / "MASK").mkdir()
    cv2.imwrite(str(out / "MASK" / "b.png"), mask)
    detail = {"mask": "MASK/b.png", "valid": 0.5}
    records[1] = PairRecord("b", "ok", lr="LR/b.png", hr="HR/b.png", scale=2, scene="b", detail=detail)
    write_manifest(out, records)
    return out


def keys(report):
    return {record.key for record in report.records if record.ok}


def test_tiles_keep_to_what_is_valid(dataset, tmp_path):
    found = keys(tile_dataset(dataset, tmp_path / "tiles", TileSettings(size=40)))
    assert found == {f"a_y{y:05d}_x{x:05d}" for y in (0, 20) for x in (0, 20)} | {
        "b_y00000_x00020",
        "b_y00020_x00020",
    }
    everything = keys(tile_dataset(dataset, tmp_path / "all", TileSettings(size=40, min_valid=0)))
    assert len(everything) == 8


def test_a_mask_of_another_size_is_one_failed_pair(dataset, tmp_path):
    cv2.imwrite(str(dataset / "MASK" / "b.png"), np.full((30, 40), 255, np.uint8))
    report = tile_dataset(dataset, tmp_path / "tiles", TileSettings(size=40))
    assert [record.key for record in report.records if record.status == "failed"] == ["b"]
    assert len(keys(report)) == 4


def test_training_leaves_pairs_out_that_are_valid_in_part(dataset):
    split = read_split(dataset)
    assert {pair.key for pair in (*split.train, *split.val)} == {"a"}


def test_nothing_but_such_pairs_is_one_clear_line(dataset):
    row = PairRecord("b", "ok", lr="LR/b.png", hr="HR/b.png", scale=2, detail={"valid": 0.5})
    write_manifest(dataset, [row])
    with pytest.raises(UserError, match="realdeg tile"):
        read_split(dataset)
