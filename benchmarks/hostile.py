"""Hostile files through the commands: memory and time of the whole command, workers included (Linux).

    python benchmarks/hostile.py [--kind FILE ...] [--workers 1 --workers 2]

Each file lies in a folder with one good photo, which must come out. Exit code 1 if a command takes more than
the limits, ends otherwise than by a documented exit code, prints a traceback, or loses the good photo.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from hostile_files import CAUSES, write

SAMPLE_SECONDS = 0.01
GIVE_UP = 6  # times the limit, then the command is killed


@dataclass(frozen=True)
class Taken:
    """What a command took and how it ended."""

    peak_bytes: int
    seconds: float
    code: int
    text: str


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def resident(pid: int) -> int:
    """Bytes in memory now, less what it shares with files."""
    with contextlib.suppress(OSError, IndexError):
        pages = Path(f"/proc/{pid}/statm").read_text().split()
        return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")
    return 0


def highest(pid: int) -> int:
    """The most that one process ever had in memory, which samples might miss."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0


def measured(command: list[str], seconds: float) -> Taken:
    """Run a command, looking at its processes all the while."""
    with tempfile.TemporaryFile() as text:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=text, stderr=text, start_new_session=True)
        peak = 0
        while process.poll() is None:
            everybody = tree(process.pid)
            peak = max(peak, sum(map(resident, everybody)), *map(highest, everybody))
            if time.monotonic() - started > seconds * GIVE_UP:
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(SAMPLE_SECONDS)
        took = time.monotonic() - started
        text.seek(0)
        return Taken(peak, took, process.returncode, text.read().decode(errors="replace"))


def command_for(path: Path, out: Path, workers: int) -> list[str]:
    """The command that meets a file: as a photo among others, as a pool, or as settings."""
    photos = path.parent / "photos"
    command = [sys.executable, "-m", "realdeg", "degrade", str(photos), "-o", str(out), "--scale", "2"]
    if path.suffix in (".npz", ".mat"):
        command += ["--kernel-pool", str(path)]
    elif path.suffix == ".yaml":
        command += ["--config", str(path)]
    else:
        path.rename(photos / path.name)
    return [*command, "-j", str(workers), "-q"]


def good_photo(folder: Path) -> None:
    """A small true photo."""
    from PIL import Image

    folder.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(
        folder / "good.png"
    )


def problems(taken: Taken, most_bytes: float, most_seconds: float, lost: bool) -> list[str]:
    """What is wrong with how a command ended."""
    return [
        *(["memory"] if taken.peak_bytes > most_bytes else []),
        *(["time"] if taken.seconds > most_seconds else []),
        *([f"exit code {taken.code}"] if taken.code not in (0, 1, 2, 3) else []),
        *(["traceback"] if "Traceback" in taken.text or "internal error" in taken.text else []),
        *(["the good photo is lost"] if lost else []),
    ]


@click.command()
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(CAUSES)), help="Only these files.")
@click.option("--workers", multiple=True, default=(1, 2), type=click.IntRange(1), show_default=True)
@click.option("--gigabytes", default=1.5, show_default=True, help="Most memory of a command, GB.")
@click.option("--seconds", default=20.0, show_default=True, help="Most time of a command.")
def main(kinds: tuple[str, ...], workers: tuple[int, ...], gigabytes: float, seconds: float) -> None:
    """Try the hostile files."""
    bad = 0
    click.echo("| file | kB | workers | GB | s | what is wrong | it says |\n|---|---|---|---|---|---|---|")
    for name in kinds or CAUSES:
        for number in workers:
            folder = Path(tempfile.mkdtemp(prefix="hostile"))
            try:
                good_photo(folder / "photos")
                path = write(name, folder)
                size = path.stat().st_size
                taken = measured(command_for(path, folder / "out", number), seconds)
                photo = path.suffix not in (".npz", ".mat", ".yaml")
                lost = photo and not (folder / "out" / "LR" / "good.png").exists()
                wrong = problems(taken, gigabytes * 1e9, seconds, lost)
                bad += bool(wrong)
                lines = [line for line in taken.text.splitlines() if path.name in line] or [""]
                says = lines[0].replace(f"{folder}/", "").replace("photos/", "")[:110]
                figures = f"{taken.peak_bytes / 1e9:.2f} | {taken.seconds:.1f}"
                click.echo(
                    f"| {CAUSES[name][0]} | {size / 1000:,.0f} | {number} | {figures} "
                    f"| {', '.join(wrong) or '-'} | {says} |"
                )
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
