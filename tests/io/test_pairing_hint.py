"""What is advised where names do not match. Truth: names and times written here, and the command itself."""

from __future__ import annotations

import re
import shlex
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from realdeg.align.plan import doubts, plan
from realdeg.cli.main import cli
from realdeg.dataset.adopt import adopt_folders
from realdeg.errors import UserError
from realdeg.io.find import look
from realdeg.io.pairing_hint import Guess, advice, best, doubt

NOON = datetime(2024, 5, 1, 12)


def shoot(folder: Path, name: str, seconds: float | None = None) -> None:
    """A small JPEG, perhaps with a capture time."""
    folder.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if seconds is not None:
        exif.get_ifd(0x8769)[0x9003] = (NOON + timedelta(seconds=seconds)).strftime("%Y:%m:%d %H:%M:%S")
    seed = sum(map(ord, f"{folder.name}{name}"))
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / name, exif=exif)


@pytest.fixture
def cameras(tmp_path):
    """Two cameras that count for themselves; 6 of 8 scenes were shot within a few seconds."""
    lr, hr = tmp_path / "my wide", tmp_path / "-tele"
    for i in range(8):
        shoot(lr, f"IMG_{100 + i:04d}.jpg", 60 * i)
        shoot(hr, f"DSC0{2000 + i}.jpg", 60 * i + (3 if i < 6 else 20))
    return lr, hr


def commands(text: str) -> list[list[str]]:
    """The command lines in a message, as a shell splits them."""
    return [shlex.split(one) for one in re.findall(r"realdeg align .*?(?=; |$)", text)]


def run(words: list[str]) -> list[str]:
    """Keys that a command as printed would pair."""
    assert words[0] == "realdeg"
    result = CliRunner().invoke(cli, [*words[1:], "--dry-run"])
    assert result.exit_code == 0, result.output
    return re.findall(r"^  (\S+): .+ \+ ", result.output, re.M)


def test_two_cameras_are_paired_by_time_with_the_users_own_folders(cameras, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        plan([Path("my wide")], Path("-tele"), Path("my pairs"), scale=2)
    assert str(error.value) == (
        "my wide: no photo has a partner of the same name in -tele (e.g. IMG_0100.jpg and DSC02000.jpg); "
        "6 of 8 would match with: realdeg align --lr 'my wide' --hr ./-tele --pair-by time --scale 2 -o 'my pairs'; "
        "or compare them by content: realdeg align --lr 'my wide' --hr ./-tele --pair-by content --scale 2 "
        "-o 'my pairs'"
    )
    by_time, by_content = commands(str(error.value))
    assert run(by_time) == [f"DSC0{2000 + i}" for i in range(6)]
    assert by_content[by_content.index("--pair-by") + 1] == "content"


@pytest.mark.parametrize(
    ("lr", "hr", "options"),
    [
        ("{}L", "{}H", ("--lr-suffix=L", "--hr-suffix=H")),
        ("{}-lr", "{}", ("--lr-suffix=-lr",)),
        ("Canon_{}_LR4", "Canon_{}_HR", ("--lr-suffix=_LR4", "--hr-suffix=_HR")),
        ("{}", "{} (tele)", ("--hr-suffix= (tele)",)),
    ],
)
def test_ends_of_names(tmp_path, monkeypatch, lr, hr, options):
    monkeypatch.chdir(tmp_path)
    for i in range(4):
        shoot(Path("lr"), f"{lr.format(f'00{i}')}.jpg")
        shoot(Path("hr"), f"{hr.format(f'00{i}')}.jpg")
    assert best(look(Path("lr")), look(Path("hr"))) == Guess(options, 4)
    said = advice(Path("lr"), Path("hr"), Path("out"))
    assert said.startswith("4 of 4 would match with: ")
    assert len(run(commands(said)[0])) == 4


def test_published_names_of_several_scales(tmp_path):
    for i in range(6):
        shoot(tmp_path / "lr", f"Canon_{i}_LR{2 + i % 3}.jpg")
        shoot(tmp_path / "hr", f"Canon_{i}_HR.jpg")
    assert best(look(tmp_path / "lr"), look(tmp_path / "hr")) == Guess(("--naming", "realsr"), 6)


def test_counters_of_two_cameras_are_no_pairs(tmp_path):
    """IMG_1 and DSC_1 share a number, not a scene; 12 and 22 are not 1 and 2 with an end."""
    for i in range(5):
        shoot(tmp_path / "lr", f"IMG_{i}.jpg")
        shoot(tmp_path / "hr", f"DSC_{i}.jpg")
        shoot(tmp_path / "tens", f"{i + 1}2.jpg")
        shoot(tmp_path / "ones", f"{i + 1}.jpg")
        shoot(tmp_path / "even", f"DFM_42{i}0_cut.jpg")
        shoot(tmp_path / "odd", f"DFM_42{i}1_cut.jpg")
    assert best(look(tmp_path / "lr"), look(tmp_path / "hr")) is None
    assert best(look(tmp_path / "tens"), look(tmp_path / "ones")) is None
    assert best(look(tmp_path / "even"), look(tmp_path / "odd")) is None
    assert advice(tmp_path / "lr", tmp_path / "hr", tmp_path / "o").startswith("compare them by content: ")


def test_few_pairs_by_name_are_said(cameras, tmp_path):
    lr, hr = cameras
    shutil.copy(lr / "IMG_0107.jpg", hr / "IMG_0107.jpg")
    shoot(hr, "IMG_0107.jpg", 60 * 7)
    parts = plan([lr], hr, tmp_path / "out", scale=2)
    (line,) = doubts(parts, hr, tmp_path / "out", scale=2)
    assert f"{lr}: only 1 of 8 photos found a partner by name; 7 of 8 would match with: realdeg align" in line
    assert "--pair-by time" in line


@pytest.mark.parametrize(
    ("found", "lonely", "silent"),
    [(8, (0, 0), True), (4, (4, 4), True), (3, (4, 4), False), (3, (97, 0), True), (1, (0, 0), True)],
)
def test_a_folder_with_more_photos_than_the_other_is_no_reason_to_doubt(found, lonely, silent):
    assert (doubt(found, lonely) == "") == silent


def test_matching_names_need_no_word(tmp_path):
    for name in ("a", "b", "c"):
        shoot(tmp_path / "lr", f"{name}.jpg")
        shoot(tmp_path / "hr", f"{name}.jpg")
    parts = plan([tmp_path / "lr"], tmp_path / "hr", tmp_path / "out", scale=2)
    assert doubts(parts, tmp_path / "hr", tmp_path / "out", scale=2) == []


def test_adopting_names_the_ends(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(3):
        shoot(Path("lr"), f"{i}_LR4.jpg")
        shoot(Path("hr"), f"{i}_HR.jpg")
        shoot(Path("other"), f"scene {i}.jpg")
    with pytest.raises(UserError) as error:
        adopt_folders(Path("lr"), Path("hr"), Path("out"))
    said = "3 of 3 would match with: realdeg adopt --lr lr --hr hr --lr-suffix=_LR4 --hr-suffix=_HR -o out"
    assert error.value.remedy == said
    with pytest.raises(UserError, match="give the two photos of a scene the same name"):
        adopt_folders(Path("lr"), Path("other"), Path("out"))
