"""Real commands, one after another in one process of Python: `python commands.py FOLDER`; exit code 0 if all did.

Data are those that `realdeg doctor` makes; sitecustomize.py beside this file has made the process what it is.
"""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

import click

FORBIDDEN = ("fcntl", "resource", "pwd", "termios")


def main(folder: Path) -> None:
    import numpy as np

    from realdeg import guard, names
    from realdeg.cli import trial_run
    from realdeg.cli.main import cli
    from realdeg.io.save import write_image

    guard.OPEN_FILES_STAY = names.WINDOWS = True  # what `os.name` says there
    trial_run.align(folder)  # makes the photos, and registers them
    photos = folder / "photos"
    noise = 128 + 4 * np.random.default_rng(5).standard_normal((256, 256, 3))
    write_image(folder / "grainy" / "Größe 1.png", np.rint(noise).astype(np.uint8))
    for number in range(3):
        write_image(folder / "clean" / f"Bild_é{number}.png", trial_run._scene(96 + 2 * number))

    def realdeg(*words: object) -> None:
        run(cli, *words)

    realdeg(
        "align", "--lr", photos / "lr", "--hr", photos / "hr", "-o", folder / "again", "--scale", 2, "-j", 1
    )
    for workers in (1, 2):
        out = folder / f"out{workers}"
        realdeg("degrade", folder / "clean", "-o", out, "--scale", 2, "--recipe", "realesrgan", "-j", workers)
    realdeg(
        "degrade",
        folder / "clean",
        "-o",
        folder / "out1",
        "--scale",
        2,
        "--recipe",
        "mild",
        "-j",
        1,
        "--overwrite",
    )
    realdeg(
        "degrade",
        folder / "clean",
        "-o",
        folder / "out1",
        "--scale",
        2,
        "--recipe",
        "realesrgan",
        "--overwrite",
    )
    realdeg(
        "kernels",
        "--from-pairs",
        "--scale",
        2,
        folder / "again",
        "-o",
        folder / "kernels.npz",
        "-j",
        1,
        "--exit-zero",
    )
    realdeg("noise", folder / "grainy", "-o", folder / "noise.npz", "-j", 1)
    realdeg("verify", folder / "out1")
    realdeg("replay", folder / "out1")
    realdeg("split", folder / "out1", "--test", 1, "--val", 0)
    realdeg("tile", folder / "out1", "-o", folder / "tiles", "--size", 96, "-j", 1)
    realdeg("report", folder / "out1")
    realdeg("report", folder / "out1")  # over the first
    for _ in range(2):  # a whole training, and one that goes on
        program("train.d2c", "--data", folder / "out1", "-o", folder / "run", *trial_run.TRAINING)
    program("train.d2c", "--data", folder / "out1", "-o", folder / "run", *trial_run.TRAINING, "--overwrite")
    program("train.upscale", folder / "out1" / "LR", "--run", folder / "run", "-o", folder / "large")
    for name in FORBIDDEN:
        assert name not in sys.modules or name == "fcntl", name


def run(command: click.Command, *words: object) -> None:
    """A command as a program runs it; its exit code must be 0."""
    said = " ".join(map(str, words))
    try:
        code = command.main([str(word) for word in words], standalone_mode=False)
    except SystemExit as error:
        code = error.code
    except click.exceptions.Exit as error:
        code = error.exit_code
    if code:
        sys.exit(f"{said}: exit code {code}")


def program(module: str, *words: object) -> None:
    """A program of training, by the command that its package has."""
    import importlib

    run(importlib.import_module(f"{module}.command").main, *words)


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main(Path(sys.argv[1]))
