"""`realdeg check` as a user meets it: one line for what is wrong, documented exit codes, nothing half done."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import programs
import pytest

from realdeg.imaging.resample import resize
from realdeg.io.photo import read
from realdeg.io.save import write_image

CLEAN = Path(__file__).parents[2] / "data" / "sample" / "clean"
NAMES = ("coffee.png", "chelsea.png", "u76c0g_bliznaca_srgb8.png")


def realdeg(*args):
    result = programs.run("realdeg", *args)
    assert "Traceback" not in result.stderr
    assert "internal error" not in result.stderr
    return result


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Pairs as RealSR names them, of one folder."""
    folder = tmp_path_factory.mktemp("RealSR")
    for i, name in enumerate(NAMES):
        hr = read(CLEAN / name).pixels[-288:, -288:]
        low = np.clip(np.rint(resize(hr.astype(np.float32), 0.25)), 0, 255).astype(np.uint8)
        write_image(folder / f"Canon_{i}_HR.png", np.ascontiguousarray(hr))
        write_image(folder / f"Canon_{i}_LR4.png", low)
    return folder


def test_a_set_is_planned_looked_at_and_looked_at_again(pairs, tmp_path):
    plan = json.loads(realdeg("check", pairs, "-o", tmp_path / "a", "--dry-run", "--json").stdout)
    assert plan["pairs"] == ["Canon_0", "Canon_1", "Canon_2"]
    assert not (tmp_path / "a").exists()
    first = realdeg("check", pairs, "-o", tmp_path / "a", "-j", 1)
    assert first.returncode == 0, first.stderr
    assert "keep: 3" in first.stdout
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["audit.csv", "drop.csv", "duplicates.csv", "mask.csv", "re-register.csv", "report", "run.yaml",
                     "summary.json", "work"]  # fmt: skip
    page = (tmp_path / "a" / "report" / "index.html").read_text()
    assert "Canon_2" in page
    assert page.count("<article") == 3
    told = json.loads(
        realdeg(
            "check", "--config", tmp_path / "a" / "run.yaml", "-o", tmp_path / "a", "-j1", "--json"
        ).stdout
    )
    assert (told["resumed"], told["audit"]["verdicts"]["keep"]) == (3, 3)


def test_broken_files_are_told_and_the_rest_is_looked_at(pairs, tmp_path):
    mine = tmp_path / "set"
    shutil.copytree(pairs, mine)
    (mine / "Canon_1_HR.png").write_bytes((mine / "Canon_1_HR.png").read_bytes()[:900])
    (mine / "Canon_9_LR4.png").write_bytes(b"")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "x.png").write_bytes(b"no image")
    result = realdeg("check", mine, "--against", tmp_path / "test", "-o", tmp_path / "a", "-j", 1)
    assert result.returncode == 1
    for name in ("Canon_1_HR.png: ", "Canon_9_LR4.png: has no partner", "x.png: "):
        assert sum(name in line for line in result.stderr.splitlines()) == 1, result.stderr
    with (tmp_path / "a" / "audit.csv").open(newline="") as file:
        assert {row["key"] for row in csv.DictReader(file)} == {"Canon_0", "Canon_2"}
    assert realdeg("check", mine, "-o", tmp_path / "b", "-j1", "--exit-zero", "-q").returncode == 0


def test_wrong_words_are_refused(pairs, tmp_path):
    for args, code, word in (
        ((), 2, "give a folder PAIRS, or two by --lr and --hr"),
        ((pairs, "--lr", pairs, "--hr", pairs), 2, "give a folder PAIRS"),
        ((tmp_path / "none",), 1, "none: does not exist"),
        ((pairs, "--against", tmp_path / "none"), 1, "none: does not exist"),
        ((pairs, "-o", pairs / "a"), 2, "a second run would read"),
    ):
        result = realdeg("check", *args, *(() if "-o" in args else ("-o", tmp_path / "a")))
        assert result.returncode == code, result.stderr
        lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
        assert len(lines) == 1, result.stderr
        assert word in lines[0]
    assert not (tmp_path / "a" / "audit.csv").exists()


def test_a_run_that_was_killed_goes_on(pairs, tmp_path):
    mine = tmp_path / "set"
    for i in range(6):
        for end in ("HR", "LR4"):
            image = read(pairs / f"Canon_{i % 3}_{end}.png").pixels
            step = (i // 3) * (20 if end == "LR4" else 80)
            write_image(mine / f"P_{i}_{end}.png", np.ascontiguousarray(np.roll(image, step, axis=1)))
    whole = realdeg("check", mine, "-o", tmp_path / "whole", "-j", 1)
    assert whole.returncode == 0
    running = programs.start("realdeg", "check", mine, "-o", tmp_path / "a", "-j", 1)
    ledger = tmp_path / "a" / "work" / "pairs" / "ledger.jsonl"
    end = time.monotonic() + 60
    while time.monotonic() < end and running.poll() is None:
        if ledger.exists() and ledger.read_bytes().count(b'"key": "P_') >= 2:
            running.send_signal(signal.SIGKILL)
            break
        time.sleep(0.01)
    running.wait()
    told = realdeg("check", mine, "-o", tmp_path / "a", "-j", 1)
    assert told.returncode == 0
    for name in ("audit.csv", "duplicates.csv", "drop.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_adopt_says_where_the_whole_set_lies_and_mends_it(tmp_path):
    import cv2

    for i, name in enumerate(NAMES):
        hr = np.ascontiguousarray(read(CLEAN / name).pixels[-288:, -288:])
        write_image(tmp_path / "hr" / f"{i}.png", hr)
        write_image(
            tmp_path / "lr" / f"{i}.png", np.ascontiguousarray(cv2.GaussianBlur(hr, (0, 0), 2)[::4, ::4])
        )
    args = ("adopt", "--lr", tmp_path / "lr", "--hr", tmp_path / "hr", "-j1")
    plain = realdeg(*args, "-o", tmp_path / "a")
    assert plain.returncode == 0
    assert "as on a top-left grid; --regrid mends it" in plain.stdout
    mended = realdeg(*args, "-o", tmp_path / "b", "--regrid")
    assert "as on the top-left grid: HR is moved" in mended.stdout
    assert "top-left grid; " not in mended.stdout
    strict = realdeg(*args, "-o", tmp_path / "c", "--max-error", "0.2")
    assert strict.returncode == 1
    assert strict.stderr.count("raise --max-error") == 3
    untouched = realdeg(*args, "-o", tmp_path / "d", "--no-look", "-q")
    assert untouched.returncode == 0
    assert "residual" not in (tmp_path / "d" / "manifest.csv").read_text()
