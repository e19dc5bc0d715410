"""The README: short, its links lead somewhere, and its journeys run in the order printed, on the bundled sample."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
MOST_WORDS = 900
# Training is as printed but for its length: what is tested here is the way, not the figures.
STEPS, FEW = ("--steps", "100"), ("--steps", "12")
JOURNEYS = {"hobby": 4, "paper": 4, "camera": 3}  # commands, those in the text below a block among them


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


def commands() -> list[list[str]]:
    """Commands of shell blocks, and `realdeg ...` in the text with all its arguments, in the order printed."""
    found = re.findall(r"^(realdeg .+)$|`(realdeg [a-z-]+ [^`]*/[^`]*)`", TEXT, re.M)
    return [(line or inline).split("#")[0].split() for line, inline in found if "doctor" not in line]


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    shorter = " ".join(words).replace(" ".join(STEPS), " ".join(FEW)).split()
    program = [sys.executable, "-m", "realdeg", *shorter[1:]]
    # One thread: on a machine that does other things, more would wait for each other.
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(program, cwd=folder, env=env, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done


def test_it_can_be_finished():
    assert len(TEXT.split()) <= MOST_WORDS


def test_its_first_screen_says_what_why_and_how_to_install():
    screen = "\n".join(TEXT.splitlines()[:40])
    for needed in (
        "**aligns**",
        "**degrades**",
        "**trains**",
        "python3-venv",
        "make demo",
        "make test",
        "pip install",
    ):
        assert needed in screen


def test_its_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)", TEXT)
    assert len(links) > 15
    assert not [link for link in links if not link.startswith("http") and not (ROOT / link).is_file()]


def test_three_journeys_of_three_commands_each():
    journeys = blocks("sh")
    assert [len(block.splitlines()) for block in journeys] == [3, 3, 3]
    assert len(commands()) == sum(JOURNEYS.values())
    # What is said on the site's first page is the same.
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert all(block in index for block in journeys)


def test_its_python_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    found: dict[str, object] = {}
    exec(compile("\n".join(blocks("python")), str(README), "exec"), found)
    assert re.fullmatch(r"0\.0\d\d LR px\n", capsys.readouterr().out)
    assert found["lr"].shape == (100, 150, 3)


def journey(name: str, folder: Path) -> dict[str, str]:
    """Run a journey's commands in the order printed; what each said, by its name."""
    (folder / "data").symlink_to(ROOT / "data")
    first = sum(list(JOURNEYS.values())[: list(JOURNEYS).index(name)])
    return {words[1]: run(words, folder).stdout for words in commands()[first : first + JOURNEYS[name]]}


@pytest.mark.slow
def test_a_model_of_ones_own(tmp_path):
    """The goal: enlarged pictures, and a file for other programs."""
    said = journey("hobby", tmp_path)
    assert list(said) == ["degrade", "train", "upscale", "export-model"]
    for photo in (ROOT / "data" / "sample" / "wide").glob("*.jpg"):
        with Image.open(photo) as small, Image.open(tmp_path / f"hobby/enlarged/{photo.stem}.png") as large:
            assert large.size == (4 * small.width, 4 * small.height)
    assert (tmp_path / "hobby/model.onnx").stat().st_size > 100_000


@pytest.mark.slow
def test_a_table_for_a_paper(tmp_path):
    """The goal: pairs, one refused with its reason, and figures of a scene that was held out."""
    said = journey("paper", tmp_path)
    assert list(said) == ["align", "train", "evaluate", "report"]
    assert "4 pairs" in said["align"]
    assert "36% of the image contradicts the common motion" in said["align"]
    assert re.search(r"^key +psnr_y_bicubic +psnr_y", said["evaluate"], re.M)
    summary = json.loads((tmp_path / "paper/run/evaluation/summary.json").read_text(encoding="utf-8"))
    assert summary["means"]["psnr_y_bicubic"] == pytest.approx(35.08, abs=0.1)  # as printed
    assert (tmp_path / "paper/pairs/report/index.html").is_file()


@pytest.mark.slow
def test_a_camera_is_imitated(tmp_path):
    """The goal: a distance, by which the camera's imitation is nearer to its photos than a recipe for all cameras."""
    said = journey("camera", tmp_path)
    assert list(said) == ["run", "degrade", "compare"]
    ranked = re.findall(r"^ +([0-9.]+) .* (camera/clean|bsrgan)$", said["compare"], re.M)
    assert [name for _, name in ranked] == ["camera/clean", "bsrgan"]
    assert float(ranked[0][0]) < 0.6 * float(ranked[1][0])
    printed = re.search(r"^ +([0-9.]+) .* camera/clean$", TEXT, re.M)
    assert float(printed[1]) == pytest.approx(float(ranked[0][0]), abs=0.1)
