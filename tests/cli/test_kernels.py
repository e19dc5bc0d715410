"""`realdeg kernels` as a program: what it says, its exit codes, killed and resumed."""

from __future__ import annotations

import json
import signal
import time

import numpy as np
import programs
import pytest

from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.pools.kernel_pool import KernelPool


def run(*args, code=0):
    done = programs.run("realdeg", "kernels", *args)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def src(tmp_path_factory, sample):
    folder = tmp_path_factory.mktemp("photos")
    photo = read(sample / "clean" / "chelsea.png").pixels
    for i in range(4):
        write_image(folder / f"{i}.png", photo[40 * i : 40 * i + 130, 100:240])
    write_image(folder / "flat.png", np.full((140, 150, 3), 90, np.uint8))
    return folder


def test_says_what_it_did(src, tmp_path):
    out = tmp_path / "pool.npz"
    done = run(
        src, "--scale", 4, "-o", out, "--method", "kernelgan", "--iterations", 40, "-j", 1, "--json", code=1
    )
    result = json.loads(done.stdout)
    assert (result["ok"], result["rejected"]) == (4, 1)
    assert "flat" in result["problems"]["flat"]
    assert result["kernels"]["0"]["confidence"] > 0
    assert done.stderr.count("flat.png") == 1  # one line a bad photo
    assert len(KernelPool.read(out, 4).names) == 4
    again = run(
        src, "--scale", 4, "-o", out, "--method", "kernelgan", "--iterations", 40, "-q", "--exit-zero"
    )
    assert "4 photos with kernels (5 from an earlier run)" in again.stdout
    assert "pool.job/manifest.csv" in again.stdout


def test_it_names_a_manifest_that_is_there(src, tmp_path):
    """Also where OUT is relative."""
    args = (src, "--scale", 2, "-o", "pool.npz", "--min-confidence", 0, "-q", "--exit-zero")
    told = programs.run("realdeg", "kernels", *args, cwd=tmp_path).stdout
    assert (tmp_path / told.split("every reason: ")[1].strip()).is_file()


def test_dry_run_writes_nothing(src, tmp_path):
    done = run(src, "--scale", 2, "-o", tmp_path / "pool.npz", "--dry-run", "--limit", 3)
    assert "kernels for x2 from 3 photos" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--scale", 3, "--method", "kernelgan"), "KernelGAN knows x2 and x4"),
        (("--scale", 2, "--method", "kernelgam"), "Did you mean 'kernelgan'?"),
        (("--scale", 5), "no weights come with realdeg for x5"),
        (("--scale", 2, "--train", "--examples", 10), "10 examples are too few"),
        (("--scale", 2, "--grid", 0, 1), "0 is not in the range"),
    ],
)
def test_wrong_usage(src, tmp_path, args, words):
    assert words in run(src, *args, "-o", tmp_path / "p.npz", code=2).stderr


def test_pairs_need_a_dataset(src, tmp_path):
    assert "manifest.csv" in run(src, "--from-pairs", "--scale", 2, "-o", tmp_path / "p.npz", code=1).stderr


def test_killed_and_resumed(src, tmp_path):
    args = (src, "--scale", 2, "--method", "kernelgan", "--iterations", 20, "-j", 1, "-q", "--limit", 3)
    run(*args, "-o", tmp_path / "whole.npz")
    job = programs.start("realdeg", "kernels", *args, "-o", tmp_path / "pool.npz")
    kernels = tmp_path / "pool.job" / "kernels"
    deadline = time.monotonic() + 60
    while not list(kernels.glob("*.npy")) and time.monotonic() < deadline:
        time.sleep(0.02)
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert not (tmp_path / "pool.npz").exists()
    run(*args, "-o", tmp_path / "pool.npz")
    assert (tmp_path / "pool.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
