"""Twins, links and what is left out, in every command that reads folders of photos, as a user meets them.

Truth: what was laid into the folders.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from realdeg.cli.main import cli
from realdeg.errors import UserError
from realdeg.io.save import write_image
from realdeg.kernels import training_folder

SCALE = 2
posix = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need rights")


def realdeg(*args: object, code: int = 0) -> Result:
    jobs = ("align", "degrade", "adopt", "kernels", "noise")
    workers = ["-j", "1"] if args[0] in jobs else []
    result = CliRunner().invoke(cli, [*map(str, args), *workers])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def told(*args: object, code: int = 0) -> dict:
    return json.loads(realdeg(*args, "--json", code=code).stdout)


def rows(out: Path) -> dict[str, dict[str, str]]:
    with (out / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def photo(sample) -> np.ndarray:
    """A noisy photo with flat places and edges."""
    image = cv2.imread(str(sample / "clean" / "coffee.png"))[..., ::-1]
    image = np.ascontiguousarray(image[:300, :400]).astype(float)
    image[:140, :140] = 130
    return np.clip(image + np.random.default_rng(0).normal(0, 3, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def photos(photo, tmp_path) -> Path:
    """One photo of its own name, one that is there as JPEG and as PNG, and things that are no photos."""
    folder = tmp_path / "photos"
    write_image(folder / "one.png", photo)
    write_image(folder / "two.png", np.ascontiguousarray(photo[::-1]))
    cv2.imwrite(str(folder / "two.jpg"), photo[::-1, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    (folder / "film.gif").write_bytes(b"GIF89a")
    return folder


@pytest.fixture
def linked(photo, tmp_path) -> Path:
    """A folder with a photo, a link to one elsewhere, and one to nothing."""
    folder = tmp_path / "linked"
    write_image(folder / "one.png", photo)
    write_image(tmp_path / "store" / "far.png", np.ascontiguousarray(photo[:, ::-1]))
    (folder / "far.png").symlink_to(tmp_path / "store" / "far.png")
    (folder / "gone.png").symlink_to(tmp_path / "nothing.png")
    return folder


def reduced(folder: Path, out: Path) -> Path:
    """LR of the photos of a folder, as PNG."""
    for name in ("one", "two"):
        image = cv2.imread(str(folder / f"{name}.png"))
        small = cv2.resize(image, None, fx=1 / SCALE, fy=1 / SCALE, interpolation=cv2.INTER_AREA)
        write_image(out / f"{name}.png", np.ascontiguousarray(small[..., ::-1]))
    return out


TWIN = "has the same name as two.jpg, so both would be two.png; rename one, or choose by --prefer jpeg or png"


def test_degrade(photos, tmp_path):
    out = tmp_path / "out"
    found = told("degrade", photos, "--scale", SCALE, "-o", out, code=1)
    assert (found["ok"], found["failed"], found["left_out"]) == (1, 2, {".gif": 1})
    assert rows(out)["two.png"]["reason"] == f"{photos}/two.png: {TWIN}"
    assert "prefer" not in yaml.safe_load((out / "run.yaml").read_text())
    found = told("degrade", photos, "--scale", SCALE, "-o", out, "--prefer", "jpeg")
    assert (found["ok"], found["resumed"]) == (2, 1)
    assert found["left_out"] == {".gif": 1, "twin of another kind": 1}
    assert rows(out)["two"]["source_hr"] == str(photos / "two.jpg")
    again = told("degrade", "--config", out / "run.yaml", photos, "-o", tmp_path / "again")
    assert rows(tmp_path / "again")["two"]["source_hr"] == str(photos / "two.jpg")
    assert again["left_out"] == found["left_out"]
    # Another choice is another input of the same name: it is made anew, the other photo stays.
    found = told("degrade", photos, "--scale", SCALE, "-o", out, "--prefer", "png")
    assert (found["ok"], found["resumed"]) == (2, 1)
    assert rows(out)["two"]["source_hr"] == str(photos / "two.png")


def test_the_last_line_tells_what_was_left_out(photos, tmp_path):
    result = realdeg("degrade", photos, "--scale", SCALE, "-o", tmp_path / "out", "--prefer", "png", "-q")
    assert result.stdout.split("\n")[-2] == "  left out: 1 .gif, 1 twin that --prefer leaves out"
    planned = realdeg("degrade", photos, "--scale", SCALE, "-o", tmp_path / "o", "--dry-run")
    assert "would make 1 pair by" in planned.stdout
    assert f"would fail: {photos}/two.png: {TWIN}" in planned.stdout
    assert "left out: 1 .gif\n" in planned.stdout


def test_preview_of_degrade_takes_the_options(photos, tmp_path):
    (photos / "one.png").unlink()
    words = ("degrade", photos, "--scale", SCALE, "-o", tmp_path / "look", "--preview", 1)
    refused = CliRunner().invoke(cli, list(map(str, words)))
    assert isinstance(refused.exception, UserError)
    assert "choose by --prefer jpeg or png" in str(refused.exception)
    assert "preview.png" in CliRunner().invoke(cli, [*map(str, words), "--prefer", "png"]).stdout


def test_an_unknown_kind_is_refused_with_the_nearest(photos, tmp_path):
    result = realdeg("degrade", photos, "--scale", SCALE, "-o", tmp_path / "o", "--prefer", "jpg", code=2)
    assert "'jpg' is not one of raw, jpeg, heif, png" in result.output
    assert "Did you mean 'jpeg'?" in result.output


def test_adopt(photos, tmp_path):
    lr, out = reduced(photos, tmp_path / "lr"), tmp_path / "out"
    found = told("adopt", "--lr", lr, "--hr", photos, "-o", out, code=1)
    assert (found["ok"], found["failed"], found["left_out"]) == (1, 1, {".gif": 1})
    assert "two.jpg and two.png could each be its HR photo" in found["problems"]["two"]
    assert "--prefer jpeg or png" in found["problems"]["two"]
    found = told("adopt", "--lr", lr, "--hr", photos, "-o", out, "--prefer", "png")
    assert (found["ok"], found["resumed"], found["failed"]) == (2, 1, 0)
    assert told("adopt", "--config", out / "run.yaml", "-o", out)["resumed"] == 2
    planned = realdeg("adopt", "--lr", lr, "--hr", photos, "-o", out, "--dry-run")
    assert "would adopt 1 pair into" in planned.stdout
    assert "left out: 1 .gif\n" in planned.stdout


@pytest.mark.parametrize(
    ("way", "failed"),
    [((), 1), (("--lr-rule", "{stem}"), 1), (("--pair-by", "content"), 3)],
    ids=["stem", "rule", "content"],
)
def test_align_in_every_way_of_pairing(photos, tmp_path, way, failed):
    """By content, two.png of LR finds no partner while both files of two fail."""
    lr, out = reduced(photos, tmp_path / "lr"), tmp_path / "out"
    words = ("align", "--lr", lr, "--hr", photos, "--scale", SCALE, "-o", out, *way)
    found = told(*words, code=1)
    assert (found["ok"], found["failed"], found["left_out"]) == (1, failed, {".gif": 1})
    assert any("--prefer jpeg or png" in reason for reason in found["problems"].values())
    assert "left out: 1 .gif\n" in realdeg(*words, "--dry-run").stdout
    found = told(*words, "--prefer", "png")
    assert (found["ok"], found["resumed"], found["failed"]) == (2, 1, 0)
    assert yaml.safe_load((out / "run.yaml").read_text())["prefer"] == "png"
    assert told("align", "--config", out / "run.yaml", "-o", out)["resumed"] == 2


def test_align_of_several_scales_counts_a_shared_folder_once(photos, tmp_path):
    for folder in ("x2", "x2too"):
        (reduced(photos, tmp_path / folder) / "lr.jxl").touch()
    (tmp_path / "x2too").rename(tmp_path / "x4")
    for name in ("one", "two"):
        image = cv2.imread(str(tmp_path / "x2" / f"{name}.png"))
        cv2.imwrite(str(tmp_path / "x4" / f"{name}.png"), cv2.resize(image, None, fx=0.5, fy=0.5))
    words = ("--hr", photos, "-o", tmp_path / "out", "--prefer", "png", "--exit-zero")
    found = told("align", "--lr", tmp_path / "x2", "--lr", tmp_path / "x4", *words)
    assert found["left_out"] == {".gif": 1, ".jxl": 2, "twin of another kind": 1}


@pytest.mark.parametrize("command", ["kernels", "noise"])
def test_kernels_and_noise(photos, tmp_path, command):
    out = tmp_path / "pool.npz"
    more = ("--scale", SCALE, "--min-confidence", 0) if command == "kernels" else ("--method", "classic",
            "--size", 64)  # fmt: skip
    found = told(command, photos, "-o", out, *more, code=1)
    assert (found["ok"] + found["rejected"], found["failed"], found["left_out"]) == (1, 2, {".gif": 1})
    assert found["problems"]["two.png"] == f"{photos}/two.png: {TWIN}"
    planned = realdeg(command, photos, "-o", out, *more, "--dry-run")
    assert "1 photo " in planned.stdout
    assert TWIN in planned.stdout
    found = told(command, photos, "-o", out, *more, "--prefer", "jpeg")
    assert (found["ok"], found["failed"]) == (2, 0)
    job = rows(tmp_path / "pool.job")
    assert job["two"]["source_lr"] == str(photos / "two.jpg")
    assert yaml.safe_load((tmp_path / "pool.job" / "run.yaml").read_text())["prefer"] == "jpeg"
    again = told(command, "--config", tmp_path / "pool.job" / "run.yaml", photos, "-o", out)
    assert again["resumed"] == 2


def test_weights_of_kernels_are_trained_on_the_others(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(training_folder, "FEWEST", 250)  # for the time it takes
    words = ("kernels", photos, "--scale", SCALE, "--train", "--examples", 250, "-o", tmp_path / "w.npz")
    planned = realdeg(*words, "--dry-run")
    assert "of 1 photo in" in planned.stdout
    assert TWIN in planned.stdout
    found = told(*words, code=1)
    assert found["kernel_db"], "it goes on with the others"
    assert found["broken"] == [f"{photos}/two.{kind}: " + TWIN.replace("two.jpg", f"two.{other}")
                               for kind, other in (("jpg", "png"), ("png", "jpg"))]  # fmt: skip
    assert found["left_out"] == {".gif": 1}


def test_compare(photo, tmp_path):
    for folder in ("real", "made"):
        for i in range(6):
            part = np.ascontiguousarray(photo[i * 8 : i * 8 + 200, i * 16 : i * 16 + 240])
            write_image(tmp_path / folder / f"{i}.png", part)
    write_image(tmp_path / "real" / "5.tif", photo[:200, :240])
    (tmp_path / "made" / "x.gif").touch()
    words = ("compare", tmp_path / "made", "--real", tmp_path / "real")
    result = realdeg(*words, code=1)
    assert f"{tmp_path}/real/5.tif: has the same name as 5.png" in result.stderr
    assert "from 5 photos" in result.stdout
    assert result.stdout.split("\n")[-2] == "left out: 1 .gif"
    result = realdeg(*words, "--prefer", "png")
    assert "from 6 photos" in result.stdout
    assert told(*words, "--prefer", "png")["left_out"] == {".gif": 1, "twin of another kind": 1}


@posix
def test_links_are_followed_on_request_and_run_yaml_remembers_it(linked, tmp_path):
    out = tmp_path / "out"
    os.mkfifo(linked / "pipe")
    found = told("degrade", linked, "--scale", SCALE, "-o", out)
    assert (found["ok"], found["left_out"]) == (1, {"link outside": 1, "dangling link": 1, "FIFO": 1})
    found = told("degrade", linked, "--scale", SCALE, "-o", out, "--follow-links")
    assert (found["ok"], found["resumed"]) == (2, 1)
    assert found["left_out"] == {"dangling link": 1, "FIFO": 1}
    assert yaml.safe_load((out / "run.yaml").read_text())["follow_links"] is True
    assert told("degrade", "--config", out / "run.yaml", linked, "-o", tmp_path / "b")["ok"] == 2


@posix
@pytest.mark.parametrize("command", ["kernels", "noise"])
def test_pools_of_linked_photos(linked, tmp_path, command):
    more = ("--scale", SCALE) if command == "kernels" else ()
    planned = realdeg(command, linked, "-o", tmp_path / "p.npz", *more, "--dry-run")
    assert "1 photo " in planned.stdout
    planned = realdeg(command, linked, "-o", tmp_path / "p.npz", *more, "--dry-run", "--follow-links")
    assert "2 photos" in planned.stdout
    assert "left out: 1 link to nothing" in planned.stdout


def test_settings_are_shown_with_the_options(photos, tmp_path):
    words = ("degrade", photos, "--scale", SCALE, "-o", tmp_path / "o", "--prefer", "raw", "--show-settings")
    shown = yaml.safe_load(realdeg(*words).stdout)
    assert (shown["prefer"], shown["follow_links"]) == ("raw", False)
