"""Nobody's picture is written over, and what is done is done once; truth: the bytes before and after."""

from __future__ import annotations

import json
import os

import cv2
import numpy as np
import pytest

from realdeg.errors import EXIT_USAGE
from realdeg.identity import file_hash
from train.upscale.command import upscale_folder
from train.upscale.enlarged import JOURNAL


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, name in enumerate("abc"):
        pixels = np.random.default_rng(i).integers(0, 256, (9, 11, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
    return folder


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def bicubic(program, *words, scale=2):
    return program("upscale", *words, "--bicubic", "--scale", scale)


@pytest.mark.parametrize("where", [".", "enlarged", "../link", "x/../enlarged/deep"])
def test_a_folder_is_not_enlarged_into_itself(program, photos, where):
    before = contents(photos)
    (photos.parent / "link").symlink_to(photos)
    (photos / "x").mkdir()
    ended = bicubic(program, photos, "-o", photos / where)
    assert ended.code == EXIT_USAGE
    assert "a second run would read what this one writes" in ended.line
    assert contents(photos) == before


def test_a_photo_is_not_replaced_by_its_enlargement(program, photos, monkeypatch):
    before = contents(photos)
    monkeypatch.chdir(photos)
    ended = bicubic(program, "a.png", "-o", ".")
    assert ended.code == EXIT_USAGE
    assert ended.line == "error: a.png: would be replaced by the output a.png; choose another output folder"
    (photos / "other").mkdir()
    os.link("a.png", "other/a.png")
    assert bicubic(program, "a.png", "-o", "other").code == EXIT_USAGE
    assert contents(photos) == {**before, "other/a.png": before["a.png"]}


def test_a_photo_of_another_ending_may_lie_beside_its_enlargement(program, photos, monkeypatch):
    monkeypatch.chdir(photos)
    cv2.imwrite("d.jpg", cv2.imread("a.png"))
    before = contents(photos)
    assert bicubic(program, "d.jpg", "-o", ".").code == 0
    after = contents(photos)
    assert after.keys() - before.keys() == {"d.png"}
    assert {name: after[name] for name in before} == before
    assert cv2.imread("d.png").shape == (18, 22, 3)
    assert "1 were there" in bicubic(program, "d.jpg", "-o", ".").out


def test_somebodys_picture_in_the_output_folder_is_left_alone(program, photos, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b.png").write_bytes((photos / "c.png").read_bytes())
    ended = bicubic(program, photos, "-o", tmp_path / "out")
    assert ended.code == 1
    assert "b.png: is there already, and no run of train.upscale has written it" in ended.err
    assert (tmp_path / "out/b.png").read_bytes() == (photos / "c.png").read_bytes()
    assert sorted(contents(tmp_path / "out")) == ["a.png", "b.png", "c.png"]


def test_a_second_run_makes_what_is_not_there(program, photos, tmp_path):
    out = tmp_path / "out"
    assert "3 photos enlarged x2" in bicubic(program, photos, "-o", out).out
    first = contents(out)
    stamps = {name: (out / name).stat().st_mtime_ns for name in first}
    assert "0 photos enlarged x2, 3 were there" in bicubic(program, photos, "-o", out).out
    assert stamps == {name: (out / name).stat().st_mtime_ns for name in first}
    (out / "b.png").write_bytes(b"damaged")
    (out / "c.png").unlink()
    assert "2 photos enlarged x2, 1 were there" in bicubic(program, photos, "-o", out).out
    assert contents(out) == first


def test_another_photo_under_the_same_name_is_enlarged(program, photos, tmp_path):
    """Also of equal size and date; and a photo that was moved is known again."""
    other, out = tmp_path / "other", tmp_path / "out"
    bicubic(program, photos, "-o", out)
    photos.rename(other)
    assert "0 photos enlarged x2, 3 were there" in bicubic(program, other, "-o", out).out
    a, b = (cv2.imread(str(other / name)) for name in ("a.png", "b.png"))
    (other / "a.png").rename(other / "t")
    (other / "b.png").rename(other / "a.png")
    (other / "t").rename(other / "b.png")
    assert "2 photos enlarged x2, 1 were there" in bicubic(program, other, "-o", out).out
    fresh = tmp_path / "fresh"
    bicubic(program, other, "-o", fresh)
    assert contents(out) == contents(fresh)
    assert not np.array_equal(a, b)


def test_another_model_makes_them_again(program, photos, tmp_path):
    out = tmp_path / "out"
    bicubic(program, photos, "-o", out)
    assert "3 photos enlarged x3" in bicubic(program, photos, "-o", out, scale=3).out
    assert cv2.imread(str(out / "a.png")).shape == (27, 33, 3)


@pytest.mark.parametrize("lines", [1, 3, 5])
def test_a_kill_costs_the_photo_in_hand(program, photos, tmp_path, lines):
    """The journal is cut where a kill may have cut it, in the middle of a line, with or without the file."""
    out = tmp_path / "out"
    bicubic(program, photos, "-o", out)
    whole = contents(out)
    text = (out / JOURNAL).read_text().splitlines(True)
    assert [json.loads(line)["output"] for line in text] == [
        "a.png",
        "a.png",
        "b.png",
        "b.png",
        "c.png",
        "c.png",
    ]
    (out / JOURNAL).write_text("".join(text[:lines]) + text[lines][: len(text[lines]) // 2])
    for name in "abc"[(lines + 1) // 2 :]:
        (out / f"{name}.png").unlink()
    ended = bicubic(program, photos, "-o", out)
    assert ended.code == 0, ended.err
    assert f"{3 - lines // 2} photo" in ended.out
    assert contents(out) == whole
    assert "3 were there" in bicubic(program, photos, "-o", out).out


def test_the_function_knows_what_the_program_made(program, make_dataset, tiny, photos, tmp_path):
    from train.d2c.command import train_d2c
    from train.d2c.settings import D2CSettings

    data = make_dataset()
    run = train_d2c(
        D2CSettings(**{**tiny, "data": data, "out": tmp_path / "run"}), quiet=True, say=lambda text: None
    )
    out = tmp_path / "out"
    made = upscale_folder(run, photos, out, device="cpu")
    stamps = [path.stat().st_mtime_ns for path in made]
    assert "3 were there" in program("upscale", photos, "--run", run, "-o", out, "--device", "cpu").out
    assert [path.stat().st_mtime_ns for path in upscale_folder(run, photos, out, device="cpu")] == stamps
    ended = program("evaluate", "--run", run, "--data", data, "-o", data / "HR")
    assert ended.code == EXIT_USAGE
    assert "a second run would read" in ended.line
    ended = program("evaluate", "--hr", photos, "--scale", 2, "-o", photos / "scores")
    assert ended.code == EXIT_USAGE
    weights = run / "checkpoints/00000006.safetensors"
    before = file_hash(weights)
    ended = program("export", "--run", run, "-o", weights)
    assert ended.code == EXIT_USAGE
    assert "would be replaced" in ended.line
    assert file_hash(weights) == before


def test_samples_do_not_land_among_photos_or_references(program, photos, tmp_path):
    run = tmp_path / "no-run"  # what is asked for is looked at first
    ended = program("sample", photos, "--run", run, "-o", photos / "samples")
    assert ended.code == EXIT_USAGE
    assert "a second run would read" in ended.line
    one = photos / "seed_1" / "seed_1.png"
    one.parent.mkdir()
    (photos / "a.png").rename(one)
    ended = program("sample", one, "--run", run, "-o", photos)
    assert ended.code == EXIT_USAGE
    assert "would be replaced" in ended.line
    ended = program("sample", one, "--run", run, "--reference", photos, "-o", photos / "out")
    assert "a second run would read" in ended.line
