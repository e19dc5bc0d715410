"""Twins, links and what is left out, in the programs that enlarge, sample and evaluate.

Truth: what was laid into the folders.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from realdeg.errors import UserError
from realdeg.io.finding_settings import Finding
from train.data.photos import photos
from train.evaluate.command import evaluate
from train.evaluate.command import main as evaluate_program
from train.restore.guides import Pictures, guide
from train.sample.command import main as sample_program
from train.upscale.command import main as upscale_program

posix = pytest.mark.skipif(sys.platform == "win32", reason="links need rights")
TWIN = "has the same name as two.jpg, so both would be two.png; rename one, or choose by --prefer jpeg or png"


def ran(program, *words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(program, [str(word) for word in words], standalone_mode=False)
    assert result.exception is None, result.exception
    assert result.return_value == code, result.output
    return result


@pytest.fixture
def folder(tmp_path) -> Path:
    """One photo of its own name, one that is there as JPEG and as PNG, a film, and a link."""
    made = tmp_path / "photos"
    made.mkdir()
    (tmp_path / "store").mkdir()
    rng = np.random.default_rng(0)
    for path in (
        *(made / name for name in ("one.png", "two.png", "two.jpg")),
        tmp_path / "store" / "far.png",
    ):
        small = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
        cv2.imwrite(str(path), cv2.resize(small, (64, 48), interpolation=cv2.INTER_CUBIC))
    (made / "film.gif").write_bytes(b"GIF89a")
    return made


def test_upscale_goes_on_and_names_the_twins(folder, tmp_path):
    words = (folder, "-o", tmp_path / "up", "--bicubic", "--scale", 2)
    result = ran(upscale_program, *words, code=1)
    assert f"failed: {folder}/two.png: {TWIN}" in result.stderr
    assert "1 photo enlarged x2, 2 failed\nleft out: 1 .gif\n" in result.stdout
    assert [path.name for path in sorted((tmp_path / "up").glob("*.png"))] == ["one.png"]
    result = ran(upscale_program, *words, "--prefer", "png")
    assert "left out: 1 .gif, 1 twin that --prefer leaves out\n" in result.stdout
    assert [path.name for path in sorted((tmp_path / "up").glob("*.png"))] == ["one.png", "two.png"]


def test_files_named_one_by_one_are_chosen_from_too(folder):
    """As a shell writes `*.png *.jpg`."""
    named = [folder / "two.png", folder / "two.jpg", folder / "one.png"]
    found = photos(named)
    assert (found.found, len(found.failed)) == ((("one", folder / "one.png"),), 2)
    found = photos(named, Finding("jpeg"))
    assert found.found == (("two", folder / "two.jpg"), ("one", folder / "one.png"))
    assert found.left_out == {"twin of another kind": 1}


def test_a_photo_named_twice_is_one(folder):
    assert photos([folder / "one.png", folder / "one.png"]).found == (("one", folder / "one.png"),)


def test_photos_of_two_places_are_never_chosen_from_silently(folder, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "one.png").write_bytes((folder / "one.png").read_bytes())
    with pytest.raises(UserError, match=r"would be written over .*one\.png as one\.png; do them apart"):
        photos([folder, tmp_path / "other"], Finding("png"))


@posix
def test_upscale_follows_links_on_request(folder, tmp_path):
    (folder / "far.png").symlink_to(tmp_path / "store" / "far.png")
    words = (folder, "-o", tmp_path / "up", "--bicubic", "--scale", 2, "--prefer", "png")
    assert "1 link that leads outside (--follow-links)" in ran(upscale_program, *words).stdout
    assert not (tmp_path / "up" / "far.png").exists()
    assert "1 photo enlarged x2, 2 were there" in ran(upscale_program, *words, "--follow-links").stdout
    assert (tmp_path / "up" / "far.png").exists()


def test_evaluate_measures_the_others_and_names_the_twins(folder, tmp_path):
    words = ("--hr", folder, "--scale", 2, "-o", tmp_path / "out", "--lpips", "off")
    result = ran(evaluate_program, *words, code=1)
    assert f"failed: {folder}/two.jpg: {TWIN.replace('two.jpg', 'two.png')}" in result.stderr
    assert result.stderr.count("failed: ") == 2
    assert "left out: 1 .gif\n" in result.stdout
    result = ran(evaluate_program, *words, "--prefer", "jpeg")
    assert "failed" not in result.stderr
    assert "left out: 1 .gif, 1 twin that --prefer leaves out\n" in result.stdout
    counts: dict[str, int] = {}
    table = evaluate(None, hr=folder, scale=2, finding=Finding("png"), leave=counts.update)
    assert [row["key"] for row in table.rows] == ["one", "two"]
    assert counts == {".gif": 1, "twin of another kind": 1}


def test_sample_takes_the_options(folder, tmp_path, monkeypatch):
    """Photos are found before a model is opened; the drawing itself stands aside."""
    drawn = []

    class Machine:
        why = "none"
        device = type("Device", (), {"type": "none"})

    class Model:
        machine, scale = Machine, 2

    opened = type("Opened", (), {"weights": folder / "one.png"})
    monkeypatch.setattr("train.restore.models.opened", lambda *_: opened)
    monkeypatch.setattr("train.restore.models.restored", lambda *_: Model)
    monkeypatch.setattr("train.restore.models.sampled", lambda model: model)
    monkeypatch.setattr(
        "train.sample.sampling.sample_photo", lambda model, photo, *_: drawn.append(photo.name) or 1
    )
    words = (folder, "-o", tmp_path / "out", "--run", tmp_path)
    result = ran(sample_program, *words, code=1)
    assert drawn == ["one.png"]
    assert f"failed: {folder}/two.png: {TWIN}" in result.stderr
    assert "of each of 1 photo, 2 failed\nleft out: 1 .gif\n" in result.stdout
    drawn.clear()
    result = ran(sample_program, *words, "--prefer", "jpeg")
    assert drawn == ["one.png", "two.jpg"]
    assert "of each of 2 photos\nleft out: 1 .gif, 1 twin that --prefer leaves out\n" in result.stdout


def test_a_folder_of_references_may_hold_twins(folder):
    """Nothing is named by them, so each is a picture; a preference chooses all the same."""
    every = guide(str(folder))
    assert isinstance(every, Pictures)
    assert [path.name for path in every.paths] == ["one.png", "two.jpg", "two.png"]
    some = guide(str(folder), Finding("png"))
    assert isinstance(some, Pictures)
    assert [path.name for path in some.paths] == ["one.png", "two.png"]
