"""What comes after a training: a command that runs as it is printed, on the user's own files."""

from __future__ import annotations

from pathlib import Path

from realdeg.words import command_line


def to_evaluate(out: Path, data: Path) -> str:
    """The command that measures a run on what it didn't learn from, for a shell.

    Args:
        out: run folder.
        data: dataset that it was trained on.

    Raises:
        UserError: as of `train.data.pairs.read_pairs`.
    """
    from train.data.pairs import split_to_evaluate

    split = split_to_evaluate(data, _scale(out))
    options = () if split == "test" else ("--split", split)
    return command_line("realdeg", "evaluate", "--run", out, "--data", data, *options)


def to_sample(out: Path, data: Path, *options: str | Path) -> str:
    """The command that draws samples of a photo that a run didn't learn from, for a shell.

    Args:
        out: run folder.
        data: dataset that it was trained on.
        options: further ones of `realdeg sample`.

    Raises:
        UserError: as of `train.data.pairs.read_pairs`.
    """
    from train.data.pairs import read_pairs, split_to_evaluate

    scale = _scale(out)
    _, pairs = read_pairs(data, split_to_evaluate(data, scale), scale=scale)
    return command_line("realdeg", "sample", pairs[0].lr, "--run", out, *options, "-o", Path("samples"))


def _scale(out: Path) -> int:
    from train.restore.models import opened

    return int(opened(out, None).about["scale"])
