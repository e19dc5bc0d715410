"""`realdeg align` as a job: killed, resumed, on one core or several, with bad photos among the good."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import programs
import pytest

from realdeg.io.save import write_image
from realdeg.records import read_manifest


@pytest.fixture(scope="module")
def photos(sample, tmp_path_factory) -> Path:
    """Six pairs cut from bundled photos, LR by area means, and one HR file that was cut short."""
    root = tmp_path_factory.mktemp("photos")
    for i, name in enumerate(("coffee", "chelsea") * 3):
        image = cv2.imread(str(sample / "clean" / f"{name}.png"))[..., ::-1]
        image = np.ascontiguousarray(image[4 * i : 4 * i + 260, 8 * i : 8 * i + 340])
        write_image(root / "hr" / f"{i}.png", np.ascontiguousarray(image[3:-2, 5:-4]))
        write_image(root / "lr" / f"{i}.png", cv2.resize(image, (170, 130), interpolation=cv2.INTER_AREA))
    whole = (root / "hr" / "5.png").read_bytes()
    (root / "hr" / "5.png").write_bytes(whole[: len(whole) // 2])
    return root


def command(photos: Path, out: Path, *args: object) -> list[str]:
    folders = ["--lr", photos / "lr", "--hr", photos / "hr", "-o", out, "--scale", 2, "-q"]
    return [sys.executable, "-m", "realdeg", "align", *map(str, (*folders, *args))]


def run(photos: Path, out: Path, *args: object) -> subprocess.CompletedProcess[str]:
    return programs.run(*command(photos, out, *args)[2:])


def contents(out: Path) -> dict[str, bytes]:
    kept = [*out.rglob("*.png"), *out.rglob("*.json"), out / "manifest.csv", out / "metadata.csv"]
    return {str(path.relative_to(out)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")
def calm(photos, tmp_path_factory) -> dict[str, bytes]:
    """What a run on one core makes that nobody disturbs."""
    out = tmp_path_factory.mktemp("calm") / "out"
    done = run(photos, out, "-j", 1)
    assert done.returncode == 1, done.stderr  # one photo is broken
    assert sum(record.ok for record in read_manifest(out)) == 5, done.stderr
    return contents(out)


def test_a_broken_photo_is_one_line_and_the_rest_goes_on(photos, tmp_path):
    done = run(photos, tmp_path / "out", "-j", 1, "--limit", 6)
    assert [line for line in done.stderr.splitlines() if "5.png" in line and "cut short" in line]
    assert "Traceback" not in done.stderr
    failed = [r for r in read_manifest(tmp_path / "out") if r.status == "failed"]
    assert [record.key for record in failed] == ["5"]


def test_the_number_of_workers_changes_nothing(photos, calm, tmp_path):
    run(photos, tmp_path / "out", "-j", 3)
    assert contents(tmp_path / "out") == calm


def test_a_killed_run_goes_on_to_the_same_bytes(photos, calm, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(command(photos, out, "-j", 1), stderr=subprocess.DEVNULL)
    while not list(out.glob("LR/*.png")):
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "manifest.csv").exists()
    assert run(photos, out, "-j", 2).returncode == 1
    assert contents(out) == calm
    assert not list(out.rglob(".*tmp*"))


def test_a_full_disk_is_one_line_a_pair(photos, tmp_path):
    """No file above 40 kB can be written, which stands for a disk that has no room for HR images."""

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    args = command(photos, tmp_path / "out", "-j", 1, "--limit", 2)
    done = subprocess.run(args, capture_output=True, text=True, timeout=120, preexec_fn=small)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    failed = [record for record in read_manifest(tmp_path / "out") if record.status == "failed"]
    assert len(failed) == 2
    assert all("cannot be written" in record.reason for record in failed), failed
    assert not list((tmp_path / "out").rglob("*.png"))
