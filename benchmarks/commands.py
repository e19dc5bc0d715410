"""`realdeg degrade` as a process, the files it leaves, and pictures to give it; for `accept_degrade.py`."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

KERNELS = Path(__file__).resolve().parents[1] / "data" / "sample" / "kernels" / "kernels_12.mat"
POOLS = {"realsr": ("kernel", "noise"), "bicubic_noise": ("noise",)}
PEAK = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
Done = subprocess.CompletedProcess[str]


def realdeg(*args: object, **options: Any) -> Done:
    command = [sys.executable, "-m", "realdeg", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def arguments(hr: Path, out: Path, recipe: object, *more: object, scale: int = 4) -> list[object]:
    noise = next((folder / "noise" for folder in hr.parents if (folder / "noise").is_dir()), None)
    files = {"kernel": KERNELS, "noise": noise}
    pools = [part for kind in POOLS.get(str(recipe), ()) for part in (f"--{kind}-pool", files[kind])]
    return ["degrade", hr, "-o", out, "--scale", scale, "--recipe", recipe, "--seed", 7, "-q", *pools, *more]


def degrade(*args: Any, **options: Any) -> Done:
    scale = options.pop("scale", 4)
    return realdeg(*arguments(*args, scale=scale), **options)


def peak_mb(*args: Any) -> float:
    """Most memory that a degradation of one worker took at any time."""
    command = [sys.executable, "-c", PEAK, sys.executable, "-m", "realdeg", *map(str, arguments(*args))]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(told.splitlines()[-1]) / 1024


def lines(done: Done) -> list[str]:
    return [line for line in done.stderr.splitlines() if line]


def one_line(done: Done, code: int, *words: str) -> bool:
    return done.returncode == code and len(lines(done)) == 1 and all(w in done.stderr for w in words)


def contents(out: Path) -> dict[str, bytes]:
    files = (p for p in out.rglob("*") if p.is_file() and p.name != "ledger.jsonl")
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in files}


def rows(out: Path, status: str = "ok") -> list[dict[str, str]]:
    with (out / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["status"] == status]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def crops(photos: list[np.ndarray], height: int, width: int, count: int) -> Iterable[np.ndarray]:
    """Parts of the photos in turn, mirrored on where a photo is too small."""
    for i in range(count):
        photo = photos[i % len(photos)]
        more = [(0, max(0, n - m)) for n, m in zip((height, width, 3), photo.shape, strict=True)]
        large = np.pad(photo, more, "symmetric")
        y, x = (
            (n - m) * (i // len(photos) % 4) // 3 for n, m in zip(large.shape, (height, width), strict=False)
        )
        yield large[y : y + height, x : x + width]


def write(folder: Path, images: Iterable[np.ndarray], name: str = "{}") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{name.format(i)}.png")
    return folder
