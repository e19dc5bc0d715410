"""The commands that `attack.py` attacks: photos for them under any name, how they are called, how killed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from claims import digest
from PIL import Image, PngImagePlugin
from simulated_pairs import Case, simulate

CLEAN = Path(__file__).resolve().parents[1] / "data" / "sample" / "clean"
KEYS = ("0001", "0002", "0003", "0004")
NEW = ("0005",)  # a name that may be added
EPOCH = 1_500_000_000  # s: the dates of photos
FUTURE = 4_000_000_000
LIMIT_SECONDS = 180.0  # of one command: longer counts as hanging
SCALE = 2
REGISTERED = (3, 3, 6, 3)  # seeds of captures that align keeps


class Library:
    """Four contents of each kind of photo, all of a kind of one size in bytes, each with its own date.

    Attributes:
        files: by kind: "photo" and its half "small"; two captures of one scene, "lr" and "hr"; and
            "inverted" and "small_inverted", for trainings.
    """

    def __init__(self, folder: Path) -> None:
        scenes = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(CLEAN.glob("*.png"))]
        pictures: dict[str, list[np.ndarray]] = {name: [] for name in ("photo", "small", "lr", "hr")}
        for number, scene in enumerate(scenes[: len(KEYS)]):
            scene = scene[30:230, 40:300]
            path = folder / "scenes" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(scene).save(path)
            pair = simulate(Case(path, path, SCALE, "good", REGISTERED[number]))
            pictures["lr"].append(pair.lr)
            pictures["hr"].append(pair.hr)
            photo = scene[:96, :128]
            pictures["photo"].append(photo)
            pictures["small"].append(
                np.asarray(Image.fromarray(photo).resize((64, 48), Image.Resampling.BICUBIC))
            )
        pictures["inverted"] = [255 - photo for photo in pictures["photo"]]
        pictures["small_inverted"] = [255 - small for small in pictures["small"]]
        self.files: dict[str, list[Path]] = {}
        for kind, images in pictures.items():
            size = max(len(_png(image)) for image in images) + 100
            self.files[kind] = []
            for number, image in enumerate(images):
                path = folder / kind / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(_png(image, size))
                date = EPOCH + number + (1000 if "inverted" in kind else 0)
                os.utime(path, (date, date))
                self.files[kind].append(path)


def _png(image: np.ndarray, size: int = 0) -> bytes:
    """A PNG, with a comment that brings it to a size in bytes."""
    plain = BytesIO()
    Image.fromarray(image).save(plain, "png")
    if not size:
        return plain.getvalue()
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", " " * (size - len(plain.getvalue()) - 20))
    padded = BytesIO()
    Image.fromarray(image).save(padded, "png", pnginfo=info)
    assert len(padded.getvalue()) == size
    return padded.getvalue()


@dataclass
class Inputs:
    """Folders that a command reads, in which any content may lie under any name.

    Attributes:
        root: of the folders.
        library: of contents.
        sides: folder and kind of content, of each.
        dataset: whether a manifest lies beside them, right for whatever they hold.
        placed: number of the content by key.
    """

    root: Path
    library: Library
    sides: Sequence[tuple[str, str]]
    dataset: bool
    placed: dict[str, int]

    def place(self, placed: Mapping[str, int], *, in_place: bool = False) -> None:
        """Put contents under names, with their own dates: as new files (mv, rsync) or in place (cp -p)."""
        for folder, kind in self.sides:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            for key in self.placed.keys() - placed.keys():
                self.path(folder, key).unlink(missing_ok=True)
            for key, number in placed.items():
                source, target = self.library.files[kind][number], self.path(folder, key)
                if not in_place or not target.exists():
                    new = self.root / ".new"
                    shutil.copy2(source, new)
                    new.replace(target)
                elif self.placed.get(key) != number:
                    shutil.copy2(source, target)
        self.placed = dict(placed)
        if self.dataset:
            self.vouch()

    def path(self, folder: str, key: str) -> Path:
        """Where a photo lies."""
        return self.root / folder / f"{key}.png"

    def paths(self) -> list[Path]:
        """Where all lie."""
        return [self.path(folder, key) for folder, _ in self.sides for key in self.placed]

    def rotated(self, by: int) -> dict[str, int]:
        """Contents in turn: with `by` from 0 to 3 each comes under each name once."""
        return {key: (number + by) % len(KEYS) for number, key in enumerate(KEYS)}

    def change(self, rng: random.Random) -> None:
        """One thing that people do to folders of photos: exchange names, overwrite one by another, touch."""
        a, b = rng.sample(sorted(self.placed), 2)
        placed = dict(self.placed)
        match rng.choice(("exchange", "exchange", "overwrite", "overwrite", "rotate", "touch")):
            case "exchange":
                placed[a], placed[b] = placed[b], placed[a]
            case "overwrite":
                placed[a] = placed[b]
            case "rotate":
                placed = self.rotated(rng.randrange(len(KEYS)))
            case "touch":
                os.utime(self.path(self.sides[0][0], a), (FUTURE, FUTURE))
                return
        self.place(placed)

    def vouch(self) -> None:
        """Write the manifest of what lies there."""
        head = "key,status,reason,lr,hr,scale,scene,split,how,source_lr,source_hr,lr_sha256,hr_sha256"
        lines = [head]
        for key in sorted(self.placed):
            lr, hr = (digest(self.path(folder, key)) for folder in ("LR", "HR"))
            split = "test" if key == KEYS[0] else "train"
            lines.append(f"{key},ok,,LR/{key}.png,HR/{key}.png,{SCALE},{key},{split},adopted,,,{lr},{hr}")
        new = self.root / ".new"
        new.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        new.replace(self.root / "manifest.csv")


@dataclass(frozen=True)
class Attacked:
    """A command under attack.

    Attributes:
        name: of the command.
        sides: folder and kind of content of what it reads.
        flags: before what it reads, one for each side; "" for an argument.
        options: beside inputs and output.
        pool: whether the output is a file with a folder NAME.job beside it.
        dataset: whether it reads a dataset rather than folders of photos.
        seeds: of draws that calm runs and attacks use; none: nothing is drawn.
    """

    name: str
    sides: tuple[tuple[str, str], ...]
    flags: tuple[str, ...] = ("",)
    options: tuple[str, ...] = ()
    pool: bool = False
    dataset: bool = False
    seeds: tuple[str, ...] = ("",)

    def inputs(self, root: Path, library: Library) -> Inputs:
        """Folders for it, empty yet."""
        return Inputs(root, library, self.sides, self.dataset, {})

    def output(self, folder: Path, name: str) -> Path:
        """What it is told to write."""
        return folder / (f"{name}.npz" if self.pool else name)

    def state(self, out: Path) -> Path:
        """Where table and journal lie."""
        return out.with_name(f"{out.stem}.job") if self.pool else out

    def command(self, root: Path, out: Path, *more: str, seed: str = "") -> list[str]:
        """The command as a user types it."""
        if self.name == "train":
            given = ["--data", str(root), "-o", str(out)]
            return [sys.executable, "-m", "train.d2c", *given, *self.options, *more]
        read = [root] if self.dataset else [root / folder for folder, _ in self.sides]
        given = [
            part for flag, path in zip(self.flags, read, strict=True) for part in (flag, str(path)) if part
        ]
        drawn = ["--seed", seed] if seed else []
        return [
            sys.executable,
            "-m",
            "realdeg",
            self.name,
            *given,
            "-o",
            str(out),
            *self.options,
            *drawn,
            *more,
        ]


PAIRS, PHOTOS = (("LR", "small"), ("HR", "photo")), (("photo", "photo"),)
X2 = ("--scale", "2")
DEGRADE = (*X2, "--recipe", "realesrgan")
ALIGN = (*X2, "--mask", "--max-error", "0.5")
TRAIN = (
    "--preset tiny --width 8 --fusion-width 8 --depth 1 --patch 12 --batch 2 --steps 120 --save-every 8 "
    "--check-every 40 --tensorboard off --log-every 4 --device cpu --precision fp32"
)
ALL = (
    Attacked("degrade", PHOTOS, options=DEGRADE, seeds=("1", "2")),
    Attacked("align", (("lr", "lr"), ("hr", "hr")), ("--lr", "--hr"), ALIGN),
    Attacked("adopt", PAIRS, ("--lr", "--hr"), X2),
    Attacked("kernels", PHOTOS, options=(*X2, "--min-confidence", "0"), pool=True),
    Attacked("noise", (("hr", "hr"),), options=("--size", "32"), pool=True),
    Attacked("tile", PAIRS, options=("--size", "64"), dataset=True),
    Attacked("train", PAIRS, options=tuple(TRAIN.split()), dataset=True),
)
COMMANDS = {one.name: one for one in ALL}


# Running


def environment(folder: Path) -> dict[str, str]:
    """One thread a process; nothing is remembered outside of `folder`."""
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    return {**os.environ, **one, "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "200"}


def run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A command to its end; one that takes too long has returncode 124."""
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment(folder),
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", "took too long")


@dataclass(frozen=True)
class Shot:
    """How a command that was to be killed ended: killed, or before that with a code and what it said."""

    killed: bool
    code: int
    said: str
    seconds: float


def shoot(command: Sequence[str], folder: Path, held: Path, delay: float | None, *, parent: bool) -> Shot:
    """Start a command, wait until it holds its folder, then for `delay`, and kill -9.

    Args:
        command: in a process group of its own.
        folder: for what is remembered.
        held: the folder that it will lock.
        delay: s from the lock on; None: do not kill.
        parent: kill the first process alone, whose workers go on until they see it.

    Returns:
        With the time from lock to end, s.
    """
    with (folder / "said.txt").open("w+", encoding="utf-8", errors="replace") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True, env=environment(folder)
        )
        begun = time.monotonic()
        while process.poll() is None and _holder(held) != process.pid:
            if time.monotonic() - begun > LIMIT_SECONDS:
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.002)
        locked = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay if delay is not None else LIMIT_SECONDS)
        killed = process.poll() is None
        if killed:
            if parent:
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(0)
        return Shot(killed, process.returncode, said.read(), time.monotonic() - locked)


def _holder(folder: Path) -> int | None:
    """Number of the process that says that it holds a folder."""
    try:
        return int(json.loads((folder / ".realdeg.lock").read_text())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
