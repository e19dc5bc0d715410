"""What a training prints at its end runs as printed. Truth: a shell's splitting, and the commands themselves."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from realdeg.cli.main import cli

QUICK = ("--preset", "tiny", "--steps", 2, "--patch", 16, "--batch", 2, "--check-every", 2, "--save-every", 2,
         "--device", "cpu", "--tensorboard", "off")  # fmt: skip


def realdeg(words: list[object]) -> str:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    ("name", "more", "splits", "following"),
    [
        ("d2c", (), "ttte", ["realdeg", "evaluate", "--run", "./-my run", "--data", "./-my pairs"]),
        (
            "d2c", (), "tttv",
            ["realdeg", "evaluate", "--run", "./-my run", "--data", "./-my pairs", "--split", "val"],
        ),
        (
            "vspsr", (), "ttte",
            ["realdeg", "sample", "./-my pairs/LR/p3.png", "--run", "./-my run", "-o", "samples"],
        ),
        (
            "refvae", ("--references", "my pictures", "--side", 32, "--width", 16, "--latent", 8), "ttte",
            ["realdeg", "sample", "./-my pairs/LR/p3.png", "--run", "./-my run", "--reference", "my pictures",
             "-o", "samples"],
        ),
    ],
)  # fmt: skip
def test_the_line_at_the_end_runs(make_dataset, tmp_path, monkeypatch, name, more, splits, following):
    monkeypatch.chdir(tmp_path)
    data = make_dataset("-my pairs", splits=splits)
    shutil.copytree(data / "HR", tmp_path / "my pictures")
    told = realdeg(["train", name, "--data", "-my pairs", "-o", "-my run", *QUICK, *more])
    last = told.strip().splitlines()[-1]
    lead, line = last.split(": done; next: ")
    assert lead == "-my run"
    assert shlex.split(line) == following
    realdeg(shlex.split(line)[1:])
    if name != "d2c":
        assert list(Path("samples").rglob("*.png"))
