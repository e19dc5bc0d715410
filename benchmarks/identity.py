"""What it costs that a job knows its files by content, against an earlier version in the same run.

    python benchmarks/identity.py [--baseline CHECKOUT] [--pairs 2000] [--images 24] [--rounds 7]

Commands are started as a user starts them, this version and the baseline by turns, each in a folder of its
own; the least of the rounds counts, since what else the machine does only adds.

- resume: `realdeg degrade` over so many finished pairs of 8x8 px, whole command and as it says itself;
- degrade: kernel and noise on a 2040x1356 PNG at x4, one worker: processor time of a run over some copies
  less that of a run over one, for each image.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from degrade import SCALE, pools, scene

from realdeg.io.save import write_image

HERE = Path(__file__).resolve().parents[1]


def run(checkout: Path, *args: object) -> tuple[float, float, str]:
    """Wall and processor seconds of a command, and what it printed."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "realdeg", *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(checkout)},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu, done.stdout


def resumed(checkout: Path, photos: Path, out: Path) -> tuple[float, float]:
    """Seconds of a resumed run: of the whole command, and of the job as it says itself."""
    wall, _, said = run(checkout, "degrade", photos, "--scale", 2, "-o", out, "-q", "-j", 1)
    found = re.search(r"in ([\d.]+) s", said)
    assert found, said
    return wall, float(found[1])


def each(checkout: Path, one: Path, several: Path, count: int, out: Path, pool: tuple[Path, Path]) -> float:
    """Processor ms of one more image."""
    took = []
    for photos in (one, several):
        shutil.rmtree(out, ignore_errors=True)
        kernels, noise = pool
        args = ("--scale", SCALE, "--kernel-pool", kernels, "--noise-pool", noise, "-j", 1, "-q")
        took.append(run(checkout, "degrade", photos, "-o", out, *args)[1])
    return 1000 * (took[1] - took[0]) / (count - 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--baseline", type=Path, help="checkout of an earlier version")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    versions = {"this version": HERE} | ({"baseline": args.baseline.resolve()} if args.baseline else {})
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for i in range(args.pairs):
            write_image(folder / "tiny" / f"{i:05d}.png", rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        image = scene(None)
        for i in range(args.images):
            shifted = np.ascontiguousarray(np.roll(image, 7 * i, 1))
            write_image(folder / "several" / f"{i:02d}.png", shifted)
        write_image(folder / "one" / "00.png", image)
        pool = pools(folder)
        walls: dict[str, list[float]] = {version: [] for version in versions}
        jobs: dict[str, list[float]] = {version: [] for version in versions}
        costs: dict[str, list[float]] = {version: [] for version in versions}
        for number in range(args.rounds + 1):
            for version, checkout in versions.items():
                out = folder / f"out {version}"
                wall, job = resumed(checkout, folder / "tiny", out)
                if not number:
                    continue  # the first one makes the pairs
                walls[version].append(wall)
                jobs[version].append(job)
                costs[version].append(
                    each(
                        checkout,
                        folder / "one",
                        folder / "several",
                        args.images,
                        folder / f"d {version}",
                        pool,
                    )
                )
    print(f"| | resume of {args.pairs} pairs, s | of it the job | degrade, ms an image | of the baseline |")
    print("|---|---|---|---|---|")
    base = min(costs["baseline"]) if args.baseline else float("nan")
    for version in versions:
        wall, job, cost = (min(taken[version]) for taken in (walls, jobs, costs))
        print(f"| {version} | {wall:.2f} | {job:.1f} | {cost:.1f} | {cost / base:.3f} |")


if __name__ == "__main__":
    main()
