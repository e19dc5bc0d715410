"""Lists for trainers. Truth: their readers' rules, written down here from what those programs do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realdeg.atomic import TEMPORARY
from realdeg.dataset.export import export_lists
from realdeg.dataset.settings import ExportSettings
from realdeg.errors import UserError
from realdeg.io.photo import read_size
from realdeg.io.save import write_image
from realdeg.records import PairRecord, read_manifest, write_manifest


def make(folder: Path, keys: dict[str, str]) -> Path:
    """A dataset with pairs of the given splits and one rejected photo."""
    records = [PairRecord("bad", "rejected", "too dark")]
    for i, (key, split) in enumerate(keys.items()):
        write_image(folder / f"LR/{key}.png", np.full((6 + i, 9, 3), i, np.uint8))
        write_image(folder / f"HR/{key}.png", np.full((2 * (6 + i), 18, 3), i, np.uint8))
        records.append(PairRecord(key, "ok", lr=f"LR/{key}.png", hr=f"HR/{key}.png", scale=2, split=split))
    write_manifest(folder, records)
    return folder


@pytest.fixture
def plain(tmp_path):
    return make(tmp_path / "data", {"img2": "", "img10": "", "a,b": ""})


@pytest.fixture
def divided(tmp_path):
    return make(tmp_path / "data", {"a": "train", "b": "test", "c": "train", "d": "val", "new": ""})


def d2c_pairs(text: str, start: Path) -> list[tuple[Path, Path]]:
    """D2C-SR: lines split at the blank, LR first; paths are opened as they stand."""
    return [(start / lr, start / hr) for lr, hr in (line.split(" ") for line in text.splitlines())]


def basicsr_pairs(text: str, dataset: Path) -> list[tuple[Path, Path]]:
    """BasicSR: the first word is HR below dataroot_gt; LR is dataroot_lq and the last part of it."""
    names = [line.split(" ")[0] for line in text.splitlines()]
    return [(dataset / "LR" / Path(name).name, dataset / "HR" / name) for name in names]


def files_of(dataset: Path, split: str | None = None) -> list[tuple[Path, Path]]:
    records = [r for r in read_manifest(dataset) if r.ok and (split is None or r.split == split)]
    return [(dataset / r.lr, dataset / r.hr) for r in records]


def test_d2c_sr_opens_every_pair(plain, tmp_path):
    out = tmp_path / "pairs.txt"
    assert export_lists(plain, out, ExportSettings(style="d2c-sr")) == {out: 3}
    assert out.read_text().splitlines()[0] == "LR/img2.png HR/img2.png"
    assert d2c_pairs(out.read_text(), plain) == files_of(plain)


def test_d2c_sr_from_another_folder(plain, tmp_path):
    out = tmp_path / "pairs.txt"
    export_lists(plain, out, ExportSettings(style="d2c-sr", root=tmp_path))
    assert out.read_text().startswith("data/LR/img2.png data/HR/img2.png\n")
    export_lists(plain, out, ExportSettings(style="d2c-sr", absolute=True))
    assert d2c_pairs(out.read_text(), Path("/nowhere")) == files_of(plain)
    with pytest.raises(UserError, match="does not contain"):
        export_lists(plain, out, ExportSettings(style="d2c-sr", root=tmp_path / "elsewhere"))


def test_a_relative_dataset(plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    export_lists(Path("data"), Path("a.txt"), ExportSettings(style="d2c-sr", root=Path()))
    assert Path("a.txt").read_text().startswith("data/LR/img2.png data/HR/img2.png\n")


def test_basicsr_opens_every_pair(plain, tmp_path):
    out = tmp_path / "lists"
    assert export_lists(plain, out, ExportSettings(style="basicsr")) == {out / "meta_info_all.txt": 3}
    text = (out / "meta_info_all.txt").read_text()
    assert text.splitlines()[1] == "img10.png (14,18,3)"
    assert basicsr_pairs(text, plain) == files_of(plain)
    for line, (_, hr) in zip(text.splitlines(), files_of(plain), strict=True):
        assert line.split(" ")[1] == "({},{},3)".format(*read_size(hr))


@pytest.mark.parametrize(("style", "prefix"), [("d2c-sr", ""), ("basicsr", "meta_info_")])
def test_one_list_for_each_split(divided, tmp_path, style, prefix):
    """The pair that has no split yet is in none of them."""
    out = tmp_path / "lists"
    found = export_lists(divided, out, ExportSettings(style=style))
    assert found == {out / f"{prefix}train.txt": 2, out / f"{prefix}val.txt": 1, out / f"{prefix}test.txt": 1}
    for split in ("train", "val", "test"):
        text = (out / f"{prefix}{split}.txt").read_text()
        pairs = d2c_pairs(text, divided) if style == "d2c-sr" else basicsr_pairs(text, divided)
        assert pairs == files_of(divided, split)


def test_one_split_into_one_file(divided, tmp_path):
    with pytest.raises(UserError, match=r"one\.txt: is one file, but .* has the splits train, val, test; "):
        export_lists(divided, tmp_path / "one.txt", ExportSettings(style="d2c-sr"))
    export_lists(divided, tmp_path / "one.txt", ExportSettings(style="d2c-sr", split="train"))
    assert d2c_pairs((tmp_path / "one.txt").read_text(), divided) == files_of(divided, "train")
    export_lists(divided, tmp_path / "lists", ExportSettings(style="d2c-sr", split="val"))
    assert [path.name for path in (tmp_path / "lists").iterdir()] == ["val.txt"]


@pytest.mark.parametrize("style", ["d2c-sr", "basicsr"])
def test_blanks_are_refused_and_nothing_is_written(tmp_path, style):
    for i, key in enumerate(("img 1", "img\t1")):
        dataset = make(tmp_path / str(i), {"a": "", key: ""})
        with pytest.raises(UserError, match=r"HR.*LR/img|LR/img|HR/img") as caught:
            export_lists(dataset, tmp_path / "lists", ExportSettings(style=style))
        assert "has a blank in its path, which the list cannot hold; rename" in str(caught.value)
    assert not (tmp_path / "lists").exists()


def test_a_blank_above_the_dataset_matters_only_in_full_paths(tmp_path):
    dataset = make(tmp_path / "my data", {"a": ""})
    export_lists(dataset, tmp_path / "a.txt", ExportSettings(style="d2c-sr"))
    with pytest.raises(UserError, match="has a blank in its path"):
        export_lists(dataset, tmp_path / "a.txt", ExportSettings(style="d2c-sr", absolute=True))
    assert (tmp_path / "a.txt").read_text() == "LR/a.png HR/a.png\n"


def test_folders_below_hr_are_for_d2c_sr_alone(tmp_path):
    dataset = make(tmp_path / "data", {"day1/a": "", "day2/a": ""})
    export_lists(dataset, tmp_path / "a.txt", ExportSettings(style="d2c-sr"))
    assert d2c_pairs((tmp_path / "a.txt").read_text(), dataset) == files_of(dataset)
    with pytest.raises(UserError, match=r"HR/day1/a\.png: is not directly in HR/ .+; "):
        export_lists(dataset, tmp_path / "b.txt", ExportSettings(style="basicsr"))


@pytest.mark.parametrize("style", ["d2c-sr", "basicsr"])
@pytest.mark.parametrize("side", ["LR", "HR"])
def test_images_that_are_gone(plain, tmp_path, style, side):
    (plain / side / "img10.png").unlink()
    with pytest.raises(UserError, match=rf"{side}/img10\.png: is named by manifest.csv but missing; "):
        export_lists(plain, tmp_path / "lists", ExportSettings(style=style))
    assert not (tmp_path / "lists").exists()


def test_nothing_to_list(tmp_path):
    with pytest.raises(UserError, match="has no pairs; "):
        export_lists(make(tmp_path / "data", {}), tmp_path / "a.txt", ExportSettings(style="d2c-sr"))
    with pytest.raises(UserError, match="is not a dataset"):
        export_lists(tmp_path / "no", tmp_path / "a.txt", ExportSettings(style="d2c-sr"))


def test_only_text_files_are_written(plain):
    """`-o manifest.csv` would name a folder, and there is a file: nothing is overwritten."""
    before = (plain / "manifest.csv").read_bytes()
    with pytest.raises(UserError, match="cannot be written"):
        export_lists(plain, plain / "manifest.csv", ExportSettings(style="d2c-sr"))
    assert (plain / "manifest.csv").read_bytes() == before
    assert not list(plain.rglob(f"*{TEMPORARY}"))
