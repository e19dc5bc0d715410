"""What a training tells with -v, and that --dry-run leaves no trace."""

from __future__ import annotations

import re

import pytest
import yaml
from click.testing import CliRunner

from realdeg.vouching import REMEMBERED
from train.d2c.command import main as d2c
from train.restore.checkpoint import FOLDER
from train.vspsr.command import main as vspsr


@pytest.fixture
def words(make_dataset, tiny, tmp_path):
    """Options of a training of six steps, by a file beside a preset."""
    data = make_dataset(lr_hw=(20, 24))
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    paths = {"--data": data, "-o": tmp_path / "run", "--config": tmp_path / "tiny.yaml"}
    return [*(str(word) for pair in paths.items() for word in pair), "--preset", "tiny"]


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("program", [d2c, vspsr])
def test_a_dry_run_writes_nothing(program, make_dataset, tmp_path, monkeypatch):
    """Neither hashes of images that no ledger knows: beside them, or with the user where they cannot lie there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    data = make_dataset()
    before = files(tmp_path)
    words = ["--data", str(data), "-o", str(tmp_path / "run"), "--preset", "tiny"]
    told = CliRunner().invoke(program, [*words, "--dry-run", "-v"])
    assert told.exit_code == 0, told.output
    assert "would learn from 3 pairs x2" in told.output
    assert files(tmp_path) == before


def test_a_training_remembers_the_hashes_that_a_dry_run_does_not(words, tmp_path):
    done = CliRunner().invoke(d2c, words)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "data" / REMEMBERED).is_file()


def test_verbose_tells_what_is_trained_where_and_how_long(words, tmp_path):
    first = CliRunner().invoke(d2c, [*words, "-v"])
    assert first.exit_code == 0, first.output
    lines = first.stderr.splitlines()
    told = {line.split(":")[0]: line for line in lines}
    assert told["settings"].startswith("settings: preset tiny; not the defaults: data ")
    assert "steps 6" in told["settings"]
    assert "3 pairs x2 of 3 scenes to learn from, LR 24x20 px" in told["dataset"]
    assert "1 pair to check on" in told["dataset"]
    assert re.search(r"parameters: tree [\d,]+, fusion [\d,]+$", told["model"])
    assert re.search(r"cpu, \d+ threads of \d+ cores, 1 process, networks in fp32", told["machine"])
    assert "training to step 6; 1 step an epoch, 6 epochs; 2 crops of 12 LR px a step" in told["schedule"]
    assert "learning rate 0.001, cosine, 50 steps of warmup" in told["schedule"]
    assert told["written"].endswith("a validation of 1 pair each 3, a checkpoint each 3")
    saved = [line for line in lines if line.startswith("checkpoint of step ")]
    assert [line.split()[3] for line in saved] == ["3:", "6:"]
    assert str(tmp_path / "run" / FOLDER / "00000006.safetensors") in saved[-1]
    assert f"run: {tmp_path / 'run'}: begins anew" in lines

    again = CliRunner().invoke(d2c, [*words, "--steps", "8", "-v"])
    assert again.exit_code == 0, again.output
    found = tmp_path / "run" / FOLDER / "00000006.safetensors"
    assert f"run: {tmp_path / 'run'}: goes on from {found}, step 6\n" in again.stderr
    assert f"restored {found} and tree, fusion, " in again.stderr
    assert "checkpoint of step 8: " in again.stderr


@pytest.mark.parametrize("more", [(), ("-q", "-v")])
def test_without_verbose_none_of_it_is_told(words, more):
    done = CliRunner().invoke(d2c, [*words, *more])
    assert done.exit_code == 0, done.output
    heads = ("settings:", "dataset:", "model:", "machine:", "schedule:", "run:", "checkpoint of step")
    assert not [line for line in done.output.splitlines() if line.startswith(heads)]
