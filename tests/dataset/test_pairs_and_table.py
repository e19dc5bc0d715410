"""A dataset as pairs and as a table. Truth: the files as written, pandas, and the values that rows were made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from realdeg.dataset.pairs import Pair, open_dataset
from realdeg.dataset.table import load_manifest, markdown_of, table_of
from realdeg.errors import UserError
from realdeg.io.save import write_image
from realdeg.records import PairRecord, read_manifest, write_manifest


@pytest.fixture
def folder(tmp_path, photos):
    rows = []
    for key, split in (("b/one", "train"), ("a", "test"), ("c", "train")):
        write_image(tmp_path / f"LR/{key}.png", photos[0][:20, :30])
        write_image(tmp_path / f"HR/{key}.png", photos[0][:40, :60])
        paths = {"lr": f"LR/{key}.png", "hr": f"HR/{key}.png"}
        rows.append(PairRecord(key, "ok", scale=2, scene=key, split=split, **paths))
    rows.insert(1, PairRecord("bad", "failed", "cannot be read"))
    write_manifest(tmp_path, rows)
    return tmp_path


def test_pairs_come_in_order_by_place_key_and_split(folder, photos):
    dataset = open_dataset(folder)
    assert len(dataset) == 3
    assert dataset.keys == ("b/one", "a", "c")
    assert [pair.key for pair in dataset] == list(dataset.keys)
    assert dataset[1].key == dataset["a"].key == dataset[-2].key == "a"
    assert dataset[1:].keys == ("a", "c")
    assert dataset.split("train").keys == ("b/one", "c")
    assert dataset.splits == ("train", "test")
    assert dataset.scales == (2,)
    assert "a" in dataset
    assert dataset[0] in dataset
    assert "bad" not in dataset
    assert len(dataset.rows) == 4
    pair = dataset["b/one"]
    assert_array_equal(pair.lr, photos[0][:20, :30])
    assert_array_equal(pair.hr, photos[0][:40, :60])
    assert pair.mask.all()
    assert pair.mask.shape == (20, 30)
    assert (pair.scene, pair.split, pair.scale) == ("b/one", "train", 2)
    with pytest.raises(KeyError, match="no pair is called 'x'"):
        dataset["x"]
    with pytest.raises(IndexError):
        dataset[3]


def test_files_are_read_when_they_are_asked_for(folder):
    dataset = open_dataset(folder)
    (folder / "HR/c.png").unlink()
    assert [pair.lr.shape for pair in dataset] == [(20, 30, 3)] * 3
    with pytest.raises(UserError, match="does not exist"):
        _ = dataset["c"].hr
    with pytest.raises(UserError, match=r"named by manifest\.csv but missing"):
        open_dataset(folder, verify=True)


def test_hr_and_masks_of_another_size_are_refused(folder, photos):
    write_image(folder / "HR/a.png", photos[0][:40, :50])
    with pytest.raises(UserError, match="is 50x40 px, not 2 times the 30x20 px of LR"):
        _ = open_dataset(folder)["a"].hr
    write_image(folder / "MASK/a.png", photos[0][:10, :10])
    record = PairRecord("a", "ok", lr="LR/a.png", hr="HR/a.png", scale=2, detail={"mask": "MASK/a.png"})
    with pytest.raises(UserError, match="has another size than LR"):
        _ = Pair("a", record, folder).mask


def test_a_split_that_is_not_there_is_said(folder, tmp_path):
    with pytest.raises(UserError, match="no row of split 'val'; it has train, test"):
        open_dataset(folder).split("val")
    write_manifest(folder, [row.with_split("") for row in read_manifest(folder)])
    with pytest.raises(UserError, match="never split"):
        open_dataset(folder).split("test")


def test_columns_have_the_types_of_what_they_hold(tmp_path):
    details = [
        {
            "error_lr_px": 0.125,
            "rounds": 3,
            "lr_crop": [4, 4, 20, 30],
            "kernel": "12",
            "recipe_sha": "12345678",
        },
        {"error_lr_px": 1e-05, "lr_crop": [0, 0, 1, 2], "kernel": "a b", "lens_model": "two radial"},
        {"rounds": 4, "plan": '[{"op":"blur"}]', "shift": [0.5, -1]},
    ]
    rows = [
        PairRecord(f"{i}", "ok", lr="LR/a", hr="HR/a", scale=2 + i, detail=detail)
        for i, detail in enumerate(details)
    ]
    rows.append(PairRecord("x", "failed", "no"))
    write_manifest(tmp_path, rows)
    for table in (load_manifest(tmp_path), table_of(rows)):
        assert table["key"].tolist() == ["0", "1", "2", "x"]
        assert table["scale"].dtype == "int64"
        assert table["scale"].tolist() == [2, 3, 4, 0]
        assert isinstance(table["status"].dtype, pd.CategoricalDtype)
        assert table["error_lr_px"].dtype == "float64"
        assert table["error_lr_px"].tolist()[:2] == [0.125, 1e-05]
        assert table["error_lr_px"].isna().tolist() == [False, False, True, True]
        assert table["rounds"].dtype == "Int64"
        assert table["rounds"].dropna().tolist() == [3, 4]
        assert table["lr_crop"].tolist()[:2] == [(4, 4, 20, 30), (0, 0, 1, 2)]
        assert table["shift"].tolist()[2] == (0.5, -1)
        assert table["kernel"].tolist()[:2] == ["12", "a b"]
        assert table["recipe_sha"].tolist()[0] == "12345678"
        assert table["plan"].tolist()[2] == '[{"op":"blur"}]'
        assert table["split"].isna().all()


NUMBERS = st.one_of(st.integers(-(10**12), 10**12), st.floats(allow_nan=False))


@given(st.lists(st.one_of(st.none(), NUMBERS), min_size=1, max_size=6))
def test_numbers_survive_the_manifest(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("numbers")
    rows = [
        PairRecord(f"{i}", "failed", detail={} if value is None else {"figure": value})
        for i, value in enumerate(values)
    ]
    write_manifest(folder, rows)
    table = load_manifest(folder)
    known = [value for value in values if value is not None]
    found = table["figure"].dropna().tolist() if "figure" in table else []
    assert found == known
    if known and all(isinstance(value, int) for value in known):
        assert table["figure"].dtype == "Int64"


def test_an_empty_dataset_has_an_empty_table():
    table = table_of([])
    assert len(table) == 0
    assert "key" in table


def test_markdown_is_a_table_of_the_values():
    table = pd.DataFrame({"key": ["a|b", None], "dB": [27.123456, np.nan], "n": pd.array([3, None], "Int64")})
    assert markdown_of(table) == (
        "| key | dB | n |\n| --- | ---: | ---: |\n| a\\|b | 27.12 | 3 |\n|  |  |  |\n"
    )
    assert markdown_of(table[["n"]], index=True).splitlines()[2] == "| 0 | 3 |"
