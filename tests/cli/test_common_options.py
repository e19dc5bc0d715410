"""--json, --dry-run, -v and --log-file of every command, on a few tiny images."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from realdeg.cli.main import COMMANDS, cli
from realdeg.cli.programs import RECIPES, TRAINING, USES
from realdeg.io.save import write_image
from train.restore.models import SHIPPED

ALL = {name for names in COMMANDS.values() for name in names} - {"train", "run", "completion"}
ALL |= {f"train {name}" for name in TRAINING} | {f"run {name}" for name in RECIPES} | set(USES)

TINY = "--steps 2 --patch 12 --batch 2 --check-every 2 --save-every 2 --device cpu --tensorboard off"
NET = "--width 8 --groups 1 --blocks 1 --fusion-width 8"

WORK = {
    "align": "--lr LR --hr HR -o OUT --scale 2 -j1",
    "degrade": "HR --scale 2 -o OUT -j1",
    "adopt": "--lr LR --hr HR -o OUT -j1",
    "check": "PAIRS -o OUT -j1",
    "kernels": "HR --scale 2 -o OUT.npz -j1 --min-confidence 0",
    "noise": "HR -o OUT.npz -j1 --size 32",
    "calibrate": "PAIRS --scale 2 -o OUT -j1",
    "pool": "KERNELS --kind kernel --scale 2 -o OUT.npz",
    "replay": "PAIRS -o OUT -j1",
    "recipes": "",
    "verify": "PAIRS",
    "split": "PAIRS --test 1",
    "tile": "PAIRS -o OUT --size 32 -j1",
    "export": "PAIRS --format basicsr -o OUT",
    "report": "PAIRS -o OUT",
    "compare": "--real HR HR",
    "doctor": "--quick",
    "train d2c": f"--data PAIRS -o OUT --preset tiny {TINY} {NET}",
    "train vspsr": f"--data PAIRS -o OUT --preset tiny {TINY} --patch 16 --basis 4",
    "train refvae": f"--data PAIRS --references HR -o OUT --preset tiny {TINY}",
    "evaluate": "--data PAIRS --split all --lpips off -o OUT",
    "upscale": "LR -o OUT --bicubic --scale 2",
    "sample": "LR --checkpoint SHIPPED -o OUT --n 2",
    "export-model": "--checkpoint SHIPPED -o OUT.safetensors",
    "run d2crealsr": "--lr LR --hr HR -o OUT --preset tiny --scale 2",
    "run realsr": "--source HR -o OUT --scale 2",
    "run samsung": "--clean HR -o OUT --scale 2",
    "run ablation": "--data PAIRS -o OUT --variants 'width*'",
    "run demo": "-o OUT",
}
QUICK = (  # of which the work itself takes little
    *("degrade", "adopt", "pool", "replay", "recipes", "verify", "split", "tile", "export", "report"),
    *("check", "compare", "upscale", "export-model", "evaluate"),
)
WRITING = sorted(set(WORK) - {"recipes", "compare", "doctor"})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders HR and LR, and the dataset PAIRS."""
    root = tmp_path_factory.mktemp("world")
    for number in range(4):
        rng = np.random.default_rng(number)
        coarse = rng.integers(40, 215, (8, 8, 3)).astype(np.float32).repeat(12, 0).repeat(12, 1)
        image = np.clip(coarse + rng.normal(0, 4, coarse.shape), 0, 255).astype(np.uint8)
        write_image(root / "HR" / f"{number}.png", image)
    made = run("degrade", root / "HR", "--scale", 2, "-o", root / "PAIRS", "-j1", "-q")
    assert made.exit_code == 0, made.output
    shutil.copytree(root / "PAIRS" / "LR", root / "LR")
    for path in (root / "PAIRS").rglob("*.png"):  # dates that no ledger knows, as after a copy
        os.utime(path, (0, 0))
    return root


def run(*words):
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="realdeg")


def words_of(name: str, world: Path, out: Path) -> list[str]:
    import shlex

    sample = Path(__file__).parents[2] / "data" / "sample"
    places = {"HR": world / "HR", "LR": world / "LR", "PAIRS": world / "PAIRS", "SHIPPED": SHIPPED,
              "KERNELS": sample / "kernels" / "gaussians_x2.npz"}  # fmt: skip
    words = [*name.split(), *shlex.split(WORK[name])]
    words = [str(places.get(word, word)) for word in words]
    return [word.replace("OUT", str(out)) if word.startswith("OUT") else word for word in words]


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_command_is_tried():
    assert set(WORK) == ALL


@pytest.mark.parametrize("name", WRITING)
def test_a_dry_run_writes_nothing_and_counts(name, world, tmp_path):
    out = tmp_path / "out"
    before = tree(world)
    told = run(*words_of(name, world, out), "--dry-run", "--json", "-v", "--log-file", tmp_path / "log")
    assert told.exit_code == 0, told.output
    document = json.loads(told.stdout)
    assert any(isinstance(value, int | list) for value in document.values()), document
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log"]
    assert tree(world) == before
    lines = run(*words_of(name, world, out), "--dry-run")
    assert lines.exit_code == 0
    assert any(letter.isdigit() for letter in lines.stdout)
    log = (tmp_path / "log").read_text().splitlines()
    assert log[0].split(" ", 1)[1].startswith(f"realdeg {name}")
    assert json.loads(log[-1].split(" ", 1)[1]) == document


@pytest.mark.parametrize("name", QUICK)
def test_work_told_as_json_is_one_document(name, world, tmp_path):
    mine = tmp_path / "world"
    shutil.copytree(world, mine)
    told = run(*words_of(name, mine, tmp_path / "out"), "--json", "-v")
    assert told.exit_code == 0, told.output
    assert isinstance(json.loads(told.stdout), dict)
    assert told.stdout.count("\n") == 1
    plain = run(*words_of(name, mine, tmp_path / "out2"), "-q")
    assert plain.exit_code == 0, plain.output


@pytest.mark.parametrize(
    "name", ["degrade", "adopt", "tile", "replay", "split", "upscale", "evaluate", "compare"]
)
def test_verbose_says_a_line_for_each_item(name, world, tmp_path):
    mine = tmp_path / "world"
    shutil.copytree(world, mine)
    told = run(*words_of(name, mine, tmp_path / "out"), "-v")
    assert told.exit_code == 0, told.output
    for number in range(4):
        assert any(str(number) in line.split("/")[-1].split(":")[0] or f": {number}" in line
                   for line in told.stderr.splitlines()), told.stderr  # fmt: skip
    quiet = run(*words_of(name, mine, tmp_path / "out2"))
    assert len(told.stderr.splitlines()) > len(quiet.stderr.splitlines())


def test_the_log_of_a_job_holds_its_problems_and_its_end(world, tmp_path):
    mine, log = tmp_path / "world", tmp_path / "log"
    shutil.copytree(world, mine)
    (mine / "HR" / "broken.png").write_bytes(b"no image")
    told = run("degrade", mine / "HR", "--scale", 2, "-o", tmp_path / "o", "-j1", "--log-file", log)
    assert told.exit_code == 1
    lines = [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
    assert any("broken.png: " in line for line in lines)
    assert any("4 pairs in" in line for line in lines)
    failed = run("degrade", tmp_path / "none", "--scale", 2, "-o", tmp_path / "p", "--log-file", log)
    assert failed.exit_code != 0
    assert log.read_text().splitlines()[-1].split(" ", 1)[1].startswith("error: ")
