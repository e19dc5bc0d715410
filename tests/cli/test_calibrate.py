"""`realdeg calibrate` as a program: what it says, its exit codes, killed and resumed."""

from __future__ import annotations

import signal
import time

import numpy as np
import programs
import pytest

from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.records import PairRecord, write_manifest


def run(*args, code=0):
    done = programs.run("realdeg", "calibrate", *args)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, sample):
    folder = tmp_path_factory.mktemp("pairs")
    photo = read(sample / "clean" / "coffee.png").pixels[:200, :400]
    records = []
    for i in range(3):
        hr = np.ascontiguousarray(photo[:, 40 * i : 40 * i + 240])
        lr = hr.reshape(100, 2, 120, 2, 3).mean((1, 3)).round().astype(np.uint8)
        paths = {"lr": f"LR/{i}.png", "hr": f"HR/{i}.png"}
        write_image(folder / paths["lr"], lr)
        write_image(folder / paths["hr"], hr)
        records.append(PairRecord(str(i), "ok", scale=2, scene=str(i), **paths))
    write_manifest(folder, records)
    return folder


def test_killed_and_resumed(dataset, tmp_path):
    args = (dataset, "--scale", 2, "-j", 1, "-q")
    assert "3 pairs measured" in run(*args, "-o", tmp_path / "a" / "cam").stdout
    job = programs.start("realdeg", "calibrate", *args, "-o", tmp_path / "b" / "cam")
    noise = tmp_path / "b" / "cam" / "measured" / "noise"
    deadline = time.monotonic() + 60
    while not list(noise.glob("*.npz")) and time.monotonic() < deadline:
        time.sleep(0.02)
    job.send_signal(signal.SIGKILL)
    job.wait()
    run(*args, "-o", tmp_path / "b" / "cam")
    for name in ("kernels.npz", "camera.json", "camera.toml"):
        one, other = (tmp_path / run_ / "cam" / name for run_ in "ab")
        assert one.read_bytes() == other.read_bytes()


def test_dry_run_writes_nothing(dataset, tmp_path):
    done = run(dataset, "--scale", 2, "--only", "[01]", "-o", tmp_path / "cam", "--dry-run")
    assert "would measure 2 pairs of x2" in done.stdout
    assert not list(tmp_path.iterdir())


def test_says_which_pairs_there_are(dataset, tmp_path):
    assert "no pair of x4 (x2)" in run(dataset, "--scale", 4, "-o", tmp_path / "c", code=1).stderr
    assert "keys are like 0" in run(dataset, "--scale", 2, "--only", "z", "-o", tmp_path / "c", code=1).stderr
