"""Pairing and several scales, through the command line, on small photos."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from PIL import Image

from realdeg.cli.main import cli
from realdeg.errors import UserError
from realdeg.io.save import write_image
from realdeg.records import read_manifest

SCENES = ("coffee", "chelsea")


def align(*args: object) -> Result:
    return CliRunner().invoke(cli, ["align", *map(str, args), "-j", "1"])


def done(result: Result, code: int = 0) -> Result:
    assert result.exit_code == code, (result.output, result.exception)
    return result


def refused(result: Result, *words: object) -> str:
    """The one line that the command would end with."""
    assert isinstance(result.exception, UserError), (result.output, result.exception)
    text = str(result.exception)
    assert "\n" not in text
    assert all(str(word) in text for word in words), text
    return text


@pytest.fixture(scope="module")
def scenes(sample) -> dict[str, tuple[np.ndarray, dict[int, np.ndarray]]]:
    """HR, cut by a few pixels, and LR at x2 and x3, of two bundled photos."""
    found = {}
    for name in SCENES:
        image = cv2.imread(str(sample / "clean" / f"{name}.png"))[..., ::-1]
        image = np.ascontiguousarray(image[:300, :450])
        lrs = {s: cv2.resize(image, None, fx=1 / s, fy=1 / s, interpolation=cv2.INTER_AREA) for s in (2, 3)}
        found[name] = np.ascontiguousarray(image[5:-4, 7:-6]), lrs
    return found


@pytest.fixture
def realsr(scenes, tmp_path) -> Path:
    """One folder in RealSR's names: coffee at x2 and x3, chelsea at x2 only."""
    folder = tmp_path / "photos"
    for name, (hr, lrs) in scenes.items():
        write_image(folder / f"{name}_HR.png", hr)
        for scale, lr in lrs.items():
            if (name, scale) != ("chelsea", 3):
                write_image(folder / f"{name}_LR{scale}.png", lr)
    write_image(folder / "cover.png", np.zeros((9, 9, 3), np.uint8))
    return folder


@pytest.fixture
def folders(scenes, tmp_path) -> tuple[Path, Path]:
    """LR at x2 and HR of equal stems."""
    for name, (hr, lrs) in scenes.items():
        write_image(tmp_path / "lr" / f"{name}.png", lrs[2])
        write_image(tmp_path / "hr" / f"{name}.png", hr)
    return tmp_path / "lr", tmp_path / "hr"


def test_all_scales_in_one_go(realsr, tmp_path):
    out = tmp_path / "out"
    args = ("--lr", realsr, "--hr", realsr, "--naming", "realsr", "-o", out)
    result = done(align(*args), 1)
    assert "left out: 1 photo that no rule or suffix means" in result.stderr
    assert "pairs registered 3/3" in result.stderr
    assert "failed: x3/chelsea: chelsea_HR.png: has no partner" in result.stderr
    assert f"{out}: 3 pairs" in result.stdout
    assert "scale: 2, ok: 2, rejected: 0, failed: 0, median error" in result.stdout
    assert "scale: 3, ok: 1, rejected: 0, failed: 1, median error" in result.stdout
    assert str(out / "x*" / "manifest.csv") in result.stdout
    assert not (out / "manifest.csv").exists()
    keys = {scale: [r.key for r in read_manifest(out / f"x{scale}") if r.ok] for scale in (2, 3)}
    assert keys == {2: ["chelsea", "coffee"], 3: ["coffee"]}
    for scale in (2, 3):
        small, large = (cv2.imread(str(out / f"x{scale}" / side / "coffee.png")) for side in ("LR", "HR"))
        assert large.shape == (scale * small.shape[0], scale * small.shape[1], 3)
    told = json.loads(done(align(*args, "--json", "--exit-zero")).stdout)
    assert (told["ok"], told["failed"], told["resumed"]) == (3, 1, 3)
    assert [(one["scale"], one["ok"], one["failed"]) for one in told["sets"]] == [(2, 2, 0), (3, 1, 1)]
    assert list(told["problems"]) == ["x3/chelsea"]
    # One dataset's own options make it again, and it alone.
    again = done(align("--config", out / "x2" / "run.yaml", "-o", out, "--json"))
    assert [one["scale"] for one in json.loads(again.stdout)["sets"]] == [2]


def test_the_same_scenes_are_tested_at_all_scales(realsr, tmp_path, scenes):
    write_image(realsr / "chelsea_LR3.png", scenes["chelsea"][1][3])
    done(align("--lr", realsr, "--hr", realsr, "--naming", "realsr", "-o", tmp_path / "out", "-q"))
    splits = []
    for scale in (2, 3):
        done(CliRunner().invoke(cli, ["split", str(tmp_path / "out" / f"x{scale}"), "--test", "1"]))
        splits.append({r.key: r.split for r in read_manifest(tmp_path / "out" / f"x{scale}")})
    assert splits[0] == splits[1]
    assert sorted(splits[0].values()) == ["test", "train"]


def test_a_failure_limit_holds_over_all_scales(realsr, tmp_path):
    (realsr / "chelsea_LR2.png").write_bytes(b"no photo")
    result = align(
        "--lr", realsr, "--hr", realsr, "--naming", "realsr", "-o", tmp_path / "out", "--fail-fast"
    )
    done(result, 1)
    assert [r.status for r in read_manifest(tmp_path / "out" / "x2")] == ["failed"]
    assert not (tmp_path / "out" / "x3").exists()
    assert "not done" in result.stdout


def test_dry_run_lists_pairs_and_the_lonely(realsr, tmp_path):
    args = ("--lr", realsr, "--hr", realsr, "--naming", "realsr", "-o", tmp_path / "out", "--dry-run")
    result = done(align(*args))
    assert f"would register 2 pairs into {tmp_path / 'out' / 'x2'}, scale x2" in result.stdout
    assert f"would register 1 pair into {tmp_path / 'out' / 'x3'}, scale x3" in result.stdout
    assert "paired by rule: LR {stem}_LR{scale}, HR {stem}_HR" in result.stdout
    assert f"coffee: {realsr / 'coffee_LR3.png'} + {realsr / 'coffee_HR.png'}" in result.stdout
    assert "chelsea_HR.png: has no partner" in result.stderr
    assert not (tmp_path / "out").exists()
    only = done(align(*args, "--scale", "3"))
    assert "x2" not in only.stdout
    refused(align(*args, "--scale", "4"), "--scale: x4 is not there, only x2, x3")


def test_dry_run_shows_ten_pairs(tmp_path):
    for i in range(12):
        for side in ("lr", "hr"):
            write_image(tmp_path / side / f"{i}.png", np.full((4, 4 + (side == "hr"), 3), i, np.uint8))
    result = done(
        align("--lr", tmp_path / "lr", "--hr", tmp_path / "hr", "-o", tmp_path / "out", "--dry-run")
    )
    assert result.stdout.count(" + ") == 10
    assert "and 2 more" in result.stdout
    assert "paired by stem" in result.stdout


def test_several_folders_get_the_scale_that_they_show(folders, scenes, tmp_path):
    lr, hr = folders
    for name, (_, lrs) in scenes.items():
        write_image(tmp_path / "lr3" / f"{name}.png", lrs[3].astype(np.uint16) * 257)
    out = tmp_path / "out"
    args = ("--lr", tmp_path / "lr3", "--lr", lr, "--hr", hr, "-o", out)
    told = json.loads(done(align(*args, "--json")).stdout)
    assert [(Path(one["out"]).name, one["ok"]) for one in told["sets"]] == [("x2", 2), ("x3", 2)]
    settings = yaml.safe_load((out / "x3" / "run.yaml").read_text())
    assert (settings["lr"], settings["scale"]) == (str(tmp_path / "lr3"), 3)
    refused(align(*args, "--scale", "2"), "--scale: 2 cannot hold for 2 folders in --lr")
    (tmp_path / "again").mkdir()
    for photo in lr.iterdir():
        (tmp_path / "again" / photo.name).write_bytes(photo.read_bytes())
    result = align("--lr", lr, "--lr", tmp_path / "again", "--hr", hr, "-o", tmp_path / "o")
    refused(result, tmp_path / "again", f"has the scale of {lr}, x2; make two runs")


def test_a_table_of_pairs(folders, tmp_path):
    lines = ["lr;hr;key;scene", "lr/coffee.png;hr/coffee.png;a;table", "lr/chelsea.png;hr/none.png;b;cat"]
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    args = ("--pairs", tmp_path / "pairs.csv", "-o", tmp_path / "out", "--scale", "2")
    done(align(*args), 1)
    records = {record.key: record for record in read_manifest(tmp_path / "out")}
    assert (records["a"].status, records["a"].scene) == ("ok", "table")
    assert records["b"].reason.startswith("pairs.csv, line 3: hr 'hr/none.png' does not exist")
    assert yaml.safe_load((tmp_path / "out" / "run.yaml").read_text())["pair_by"] == "csv"
    # The same key with another photo is another pair: nothing old is kept.
    lines[1] = "lr/chelsea.png;hr/chelsea.png;a;cat"
    (tmp_path / "pairs.csv").write_text("\n".join(lines[:2]))
    assert json.loads(done(align(*args, "--json")).stdout)["resumed"] == 0
    assert read_manifest(tmp_path / "out")[0].source_lr.endswith("chelsea.png")


def test_pairs_by_capture_time(folders, tmp_path):
    lr, hr = folders
    exif = Image.Exif()
    for folder, names in ((lr, ("w1", "w2")), (hr, ("t5", "t4"))):
        for second, (scene, name) in enumerate(zip(SCENES, names, strict=True)):
            exif.get_ifd(0x8769)[36867] = f"2026:05:17 12:{second:02}:0{3 * (folder == hr)}"
            photo = folder / f"{scene}.png"
            Image.open(photo).save(folder / f"{name}.jpg", quality=95, exif=exif)
            photo.unlink()
    args = ("--lr", lr, "--hr", hr, "--pair-by", "time", "-o", tmp_path / "out")
    done(align(*args))
    records = read_manifest(tmp_path / "out")
    assert [(r.key, Path(r.source_lr).stem, r.status) for r in records] == [
        ("t4", "w2", "ok"),
        ("t5", "w1", "ok"),
    ]
    refused(align(*args, "--max-seconds", "2"), "no photo was taken with one of", "raise --max-seconds")


def test_pairs_by_content(folders, tmp_path):
    lr, hr = folders
    (hr / "coffee.png").rename(hr / "x.png")
    (hr / "chelsea.png").rename(hr / "coffee.png")
    args = ("--lr", lr, "--hr", hr, "--pair-by", "content", "-o", tmp_path / "out")
    plan = done(align(*args, "--dry-run"))
    assert f"x: {lr / 'coffee.png'} + {hr / 'x.png'}" in plan.stdout
    assert "photos compared 6/6" in plan.stderr
    result = done(align(*args))
    assert "2 pairs" in result.stdout


def test_swapped_folders_are_recognised(folders, tmp_path):
    lr, hr = folders
    result = align("--lr", hr, "--hr", lr, "-o", tmp_path / "out")
    refused(result, "HR photos are smaller than the LR photos", "swap --lr and --hr")


def test_orientations_may_differ_within_a_pair(folders, tmp_path):
    lr, hr = folders
    for folder, turn, orientation in ((lr, Image.Transpose.ROTATE_90, 6), (hr, None, 1)):
        exif = Image.Exif()
        exif[274] = orientation
        for photo in folder.iterdir():
            image = Image.open(photo).convert("RGB")
            (image.transpose(turn) if turn is not None else image).save(
                photo.with_suffix(".jpg"), quality=95, exif=exif.tobytes()
            )
            photo.unlink()
    done(align("--lr", lr, "--hr", hr, "-o", tmp_path / "out", "--scale", "2"))
    records = read_manifest(tmp_path / "out")
    assert [record.status for record in records] == ["ok", "ok"]
    assert {(r.detail["lr_orientation"], r.detail["hr_orientation"]) for r in records} == {("6", "1")}
    small = cv2.imread(str(tmp_path / "out" / records[0].lr))
    assert small.shape[1] > small.shape[0]


def test_outputs_never_replace_inputs(folders, tmp_path):
    lr, hr = folders
    lr.rename(tmp_path / "LR")
    hr.rename(tmp_path / "HR")
    result = align("--lr", tmp_path / "LR", "--hr", tmp_path / "HR", "-o", tmp_path, "--scale", "2")
    refused(result, "chelsea.png", f"lies in {tmp_path}, where outputs would replace it", "choose another")
    result = align("--lr", tmp_path / "LR", "--hr", tmp_path / "HR", "-o", tmp_path / "HR" / "x")
    refused(result, "a second run would read what this one writes")


def test_options_that_do_not_go_together(folders, tmp_path):
    lr, hr = folders
    out = ("-o", tmp_path / "out")
    refused(align("--hr", hr, *out), "--lr: is missing; name the folder of photos")
    refused(align("--lr", lr, *out), "--hr: is missing")
    refused(
        align("--lr", lr, "--hr", hr, *out, "--pair-by", "csv"), "csv needs a table; name it with --pairs"
    )
    refused(align("--lr", lr, "--hr", hr, *out, "--lr-rule", "LR{scale}"), "put {stem} there")
    result = align("--lr", lr, "--hr", hr, *out, "--pair-by", "time", "--naming", "realsr")
    refused(result, "--pair-by: time does not go with --lr-rule, --hr-rule and --naming")
