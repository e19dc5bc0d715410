"""Acceptance of degradation: one line for each promise, as a user meets it, on your photographs or ours.

    python benchmarks/accept_degrade.py [--photos FOLDER] [--out FOLDER]

Commands run as processes. LR is made again by `tests/degrade/independent.py`: plans of manifest.csv, HR and
pools through SciPy, Pillow and formulas of its own. Ranges, shares and power of noise are those of
`published.py`. Ends with "N passed, N failed"; exit code 1 if any failed. Takes some minutes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from commands import (
    KERNELS,
    arguments,
    contents,
    crops,
    degrade,
    lines,
    one_line,
    peak_mb,
    pixels,
    realdeg,
    rows,
    write,
)
from published import RANGES, SHARES, noises, numbers, off_by
from scipy.io import loadmat

from realdeg.degrade.ops.registry import read_step
from realdeg.degrade.ops.step import Pools
from realdeg.degrade.recipe.presets import PRESETS
from realdeg.imaging.depth import to_float

ROOT = Path(__file__).resolve().parents[1]
NAMES = ('caf\u00e9|a,b|"|two\nlines| spaces |\u65e5\u672c/\u8a9e|100%#?&<b>|-o|' + "x" * 200).split("|")
POWER = """
steps = [{ op = "resize" }, { op = "noise", law = ["gaussian", "poisson", "speckle"], sigma = [1, 20], \
photons = [50, 1000], channels = ["colour", "grey", "correlated"] }]"""
COSTLY = """
steps = [{ op = "blur", size = 21 }, { op = "resize", factor = 1.5, method = "bicubic" }, { op = "noise" }, \
{ op = "codec" }, { op = "blur", size = 21 }, { op = "resize" }]"""


class Checks:
    """Counts what passed, and says so."""

    passed = failed = 0

    def __call__(self, what: str, fine: bool, figure: str = "") -> None:
        """One line for one promise."""
        self.passed, self.failed = self.passed + bool(fine), self.failed + (not fine)
        print(f"{'ok    ' if fine else 'FAILED'} {what}{f': {figure}' * bool(figure)}", flush=True)


def determinism(check: Checks, photos: list[np.ndarray], work: Path) -> None:
    hr = write(work / "hr", (crop[: 150 - i % 3] for i, crop in enumerate(crops(photos, 150, 200, 24))))
    for recipe in ("realesrgan", "realsr"):
        one = work / recipe
        degrade(hr, one, recipe, "-j", 1)
        before = contents(one)
        for workers in (2, 4):
            degrade(hr, work / f"{recipe} {workers}", recipe, "-j", workers)
            same = len(rows(one)) == 24 and contents(work / f"{recipe} {workers}") == before
            check(f"{recipe}: {workers} workers write the bytes of one, manifest.csv too", same)
        same = "24 from an earlier run" in degrade(hr, one, recipe).stdout and contents(one) == before
        degrade(hr, one, recipe, "--overwrite")
        check(f"{recipe}: run again, and anew", same and contents(one) == before)
        some = Path(shutil.copytree(hr, work / f"some of {recipe}"))
        for name in ("0", "7", "20"):
            (some / f"{name}.png").rename(some / f"new {name}.png")
        degrade(some, work / f"made of some {recipe}", recipe)
        parts = contents(work / f"made of some {recipe}")
        common = [n for n in parts if n in before and n.endswith(".png")]
        same = len(common) == 42 and all(parts[n] == before[n] for n in common)
        check(f"{recipe}: inputs removed and added change no other", same)
        replay = realdeg("replay", one, "-q")
        check(f"{recipe}: replay", "24 of 24" in replay.stdout, replay.stdout.splitlines()[-1].strip())
        killed_twice(check, hr, work / f"killed {recipe}", recipe)
    done = degrade(hr, one, "realesrgan")
    fine = one_line(done, 1, "was made with other settings", "recipe was realsr") and contents(one) == before
    check("resuming under another recipe is refused", fine)


def killed_twice(check: Checks, hr: Path, out: Path, recipe: str) -> None:
    calm, left = out.with_name(f"calm {recipe}"), []
    degrade(hr, calm, recipe, "--draws", 6)
    command = [sys.executable, "-m", "realdeg", *map(str, arguments(hr, out, recipe, "--draws", 6))]
    for count in (1, 50):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and len(list(out.glob("LR/*.png"))) < count:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(1)  # workers look for their parent twice a second
        left.append(len(list(out.glob("LR/*.png"))))
    degrade(hr, out, recipe, "--draws", 6)
    same = left[1] < 144 and contents(out) == contents(calm)
    check(f"{recipe}: kill -9 twice, resumed", same, f"killed at {left[0]} and {left[1]} of 144")


def independently(check: Checks, photos: list[np.ndarray], work: Path) -> None:
    """LR again from manifest.csv, HR and pools by code that is not ours."""
    path = ROOT / "tests" / "degrade" / "independent.py"
    spec = importlib.util.spec_from_file_location("independent", path)
    independent = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(independent)  # type: ignore[union-attr]
    odd = (crop[: 96 + i % 5, : 120 + i % 7] for i, crop in enumerate(crops(photos, 102, 128, 12)))
    hr_folder = write(work / "again" / "hr", odd)
    cells = loadmat(KERNELS)["kernels"].ravel()
    kernels = {f"kernels_12/{i}": np.asarray(cell, float) for i, cell in enumerate(cells)}
    patches = {path.stem: pixels(path) for path in (work / "noise").iterdir()}
    for preset in PRESETS:
        away, fit = [], True
        for scale in (2, 3, 4, 8):
            out = work / "again" / f"{preset} x{scale}"
            degrade(hr_folder, out, preset, scale=scale)
            for row in rows(out):
                hr, lr = pixels(out / row["hr"]), pixels(out / row["lr"])
                fit &= hr.shape == (lr.shape[0] * scale, lr.shape[1] * scale, 3)
                exact = independent.degrade(json.loads(row["plan"])["steps"], hr, kernels, patches)
                away.append(np.abs(lr - exact.clip(0, 255)).ravel())
        levels = np.concatenate(away)
        rms, more, most = np.sqrt(np.mean(levels**2)), np.mean(levels > 1), levels.max()
        # A last bit turns JPEG coefficients and photon counts; all else is right to rounding, 0.29 rms.
        fine = rms < 1 and more < 0.05 if preset in RANGES else most < 0.6
        figure = f"rms {rms:.3f} levels, {100 * more:.2f} % off by more than 1, at most {most:.2f}"
        check(
            f"{preset}: independent code agrees at x2, x3, x4, x8", fine and fit and len(away) == 48, figure
        )


def laws(check: Checks, photos: list[np.ndarray], work: Path) -> None:
    hr, drawn = write(work / "small", crops(photos, 64, 64, 4)), {}
    for preset in ("realsr", *RANGES):
        degrade(hr, work / f"drawn {preset}", preset, "--draws", 200)
        drawn[preset] = [json.loads(row["plan"])["steps"] for row in rows(work / f"drawn {preset}")]
    for preset, ranges in RANGES.items():
        found = {name: numbers(drawn[preset], name) for name in ranges}
        fine = all(a - 1e-6 <= min(found[n]) and max(found[n]) <= b + 1e-6 for n, (a, b) in ranges.items())
        figure = ", ".join(f"{name} {min(all_):.4g} to {max(all_):.4g}" for name, all_ in found.items())
        check(f"{preset}: what is drawn lies in the published ranges", fine, figure)
    for preset, what, share, true in SHARES:
        seen, count = np.mean([true(plan) for plan in drawn[preset]]), len(drawn[preset])
        off = (seen - share) / math.sqrt(share * (1 - share) / count)
        figure = f"{seen:.3f} of {count}, meant {share:.3f}, {off:+.1f} standard deviations"
        check(f"{preset}: {what}", abs(off) < 4, figure)
    photo = to_float(next(iter(crops(photos, 512, 512, 1))))
    for preset in RANGES:
        steps = [step for plan in drawn[preset][:40] for step in noises(plan)]
        off = max(off_by(step, read_step(step).apply(photo, Pools()), photo) for step in steps)
        check(f"{preset}: power of noise within 2 % of its law", off < 0.02, f"{100 * off:.2f} % at most")
    flat = write(work / "flat", [np.full((1024, 1024, 3), 128, np.uint8)])
    (work / "power.toml").write_text(POWER)
    out, grey = work / "flat out", np.full((1, 1, 3), 128 / 255)
    degrade(flat, out, work / "power.toml", "--draws", 60, scale=2)
    last = [(json.loads(row["plan"])["steps"][-1], pixels(out / row["lr"]) / 255) for row in rows(out)]
    off = max(off_by(step, lr, grey, 1 / 12) for step, lr in last)
    check("files: power of noise within 2 % of the recorded law", off < 0.02, f"{100 * off:.2f} % at most")


def troubles(check: Checks, photos: list[np.ndarray], work: Path) -> None:
    """Odd names, bad inputs, broken pools, a full disk: a line each, and the rest is done."""
    image = next(iter(crops(photos, 64, 80, 1)))
    for name in NAMES:
        write((work / "odd" / name).parent, [image], Path(name).name)
    degrade(work / "odd", work / "odd out", "realesrgan")
    fine = {row["key"] for row in rows(work / "odd out")} == set(NAMES)
    fine &= "9 of 9" in realdeg("replay", work / "odd out", "-q").stdout
    fine &= realdeg("report", work / "odd out", "-q").returncode == 0
    check("odd names survive manifest, replay and report", fine)
    bad = write(work / "bad", [image, image[:30, :41]], "good{}")
    good = (bad / "good0.png").read_bytes()
    files = {
        "cut.png": good[:2000],
        "text.png": b"hello",
        "empty.jpg": b"",
        "twin.png": good,
        "twin.bmp": good,
    }
    for name, data in files.items():
        (bad / name).write_bytes(data)
    write(bad, [image[:1, :1]], "dot")
    before, done = contents(bad), degrade(bad, work / "bad out", "samsung")
    failed = [row["reason"] for row in rows(work / "bad out", "failed")]
    fine = done.returncode == 1 and sorted(lines(done)) == sorted(failed) and len(rows(work / "bad out")) == 2
    check("bad images are a line each and listed", fine and len(failed) == 6 and contents(bad) == before)
    arrays = {"nan": np.full((5, 5), np.nan), "sum": np.ones((5, 5)), "line": np.ones(5) / 5}
    for name, array in {**arrays, "objects": np.array([{}])}.items():
        np.save(work / f"{name}.npy", array)
    (work / "nothing").mkdir()
    broken = [("kernel", f"{name}.npy") for name in (*arrays, "objects")]
    fine = True
    for kind, name in (*broken, ("kernel", "nothing"), ("noise", "nothing")):
        done = realdeg("degrade", bad, "--scale", 4, "-o", work / "none", f"--{kind}-pool", work / name)
        fine &= one_line(done, 1, f"{work / name}: ")
    check("broken and empty pools are a line each", fine and not (work / "none").exists())
    (work / "typo.toml").write_text('steps = [{ op = "resiz" }]')
    fine = one_line(degrade(bad, work / "none", work / "typo.toml"), 2, "did you mean 'resize'?")
    check("a typo in a recipe is a line", fine)
    check(
        "output inside of input is refused", one_line(degrade(bad, bad / "out", "samsung"), 2, "lies in it")
    )

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    done = degrade(work / "hr", work / "full", "realsr", "-j", 1, preexec_fn=no_room)
    failed = [row["reason"] for row in rows(work / "full", "failed")]
    fine = done.returncode == 1 and lines(done) == failed and 0 < len(failed) < 24
    degrade(work / "hr", work / "full", "realsr")
    fine &= contents(work / "full") == contents(work / "realsr")
    check("a full disk is a line an image, and is gone on from", fine, f"{len(failed)} of 24 had no room")


def costs(check: Checks, photos: list[np.ndarray], work: Path) -> None:
    """Peak memory and processor time of one worker; speed is told, not judged."""
    (work / "costly.toml").write_text(COSTLY)  # the same work for each image
    peak = {}
    for height, width, count in ((600, 900, 4), (600, 900, 40), (1200, 1800, 2), (2400, 3600, 2)):
        hr = write(work / f"cost {height} {count}", crops(photos, height, width, count))
        peak[height, count] = peak_mb(hr, work / f"peak {height} {count}", work / "costly.toml", "-j", 1)
    few, many, large = (peak[of] for of in ((600, 4), (600, 40), (2400, 2)))
    check("memory is flat over 40 images", many < 1.05 * few, f"{few:.0f} MB after 4, {many:.0f} MB after 40")
    slope = (large - few) / (2400 * 3600 - 600 * 900) * 2**20
    print(f"       peak {few:.0f} MB at 0.5 MP, {peak[1200, 2]:.0f} at 2.2, {large:.0f} at 8.6", end="")
    print(f" (enlarged 1.5 times in between): {slope:.0f} bytes a pixel")
    hr, out = work / "cost 600 40", work / "peak 600 40"
    both = [(row["source_hr"], pixels(out / row["lr"])) for row in rows(out)]
    before = time.process_time()
    for source, lr in both:
        cv2.imread(source)
        cv2.imencode(".png", lr)
    plain = time.process_time() - before
    for preset in PRESETS:
        spent = -resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        assert degrade(hr, work / f"timed {preset}", preset, "-j", 1).returncode == 0
        spent += resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        told = f"{spent / 40 * 1000:.0f} ms an image of 0.5 MP, starting and hashes included"
        print(f"       {preset}: {told}; {spent / plain:.1f} times reading HR and writing LR")


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=ROOT / "data" / "sample" / "clean")
    parser.add_argument("--out", type=Path, default=None, help="new folder; keeps what was made")
    o = parser.parse_args()
    files = [path for path in sorted(o.photos.iterdir()) if path.suffix.lower() in (".png", ".jpg", ".jpeg")]
    if not files or (o.out and o.out.exists()):
        parser.error("--photos holds PNG or JPEG files, --out is new")
    photos, check, rng = [pixels(path) for path in files[:8]], Checks(), np.random.default_rng(1)
    work = o.out or Path(tempfile.mkdtemp(prefix="accept_degrade_"))
    patches = (rng.normal(128, 4 + 3 * i, (40 + 40 * i, 70, 3)) for i in range(3))
    write(work / "noise", (patch.clip(0, 255).astype(np.uint8) for patch in patches), "n{}")
    try:
        for part in (determinism, independently, laws, troubles, costs):
            part(check, photos, work)
    finally:
        if o.out is None:
            shutil.rmtree(work)
    print(f"{check.passed} passed, {check.failed} failed")
    raise SystemExit(1 if check.failed else 0)


if __name__ == "__main__":
    main()
