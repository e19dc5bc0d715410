"""`realdeg degrade` as a user meets it: subprocesses on tiny real files."""

import csv
import os
import re
import signal
import time

import numpy as np
import programs
import pytest
from scipy.io import savemat

from realdeg.imaging.kernels import gaussian
from realdeg.io.save import write_image
from realdeg.records import read_manifest


def degrade(*args, ok):
    result = programs.run("realdeg", "degrade", *args)
    assert "Traceback" not in result.stderr
    assert result.returncode == ok, result.stderr
    return result


def only_line(result):
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1, result.stderr
    return lines[0]


def noise(seed, height, width):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.fixture
def clean(tmp_path):
    for i in range(3):
        write_image(tmp_path / "hr" / f"{i}.png", noise(i, 50, 61))
    return tmp_path / "hr"


@pytest.fixture
def pools(tmp_path):
    (tmp_path / "kernels" / "a").mkdir(parents=True)
    savemat(tmp_path / "kernels" / "a" / "a_kernel_x4.mat", {"Kernel": gaussian(15, 2.0)})
    savemat(tmp_path / "kernels" / "a" / "a_kernel_x2.mat", {"Kernel": gaussian(9, 1.0)})
    for i in range(2):
        write_image(tmp_path / "noise" / f"img_{i:03d}.png", noise(i, 20, 20) // 10 + 120)
    return tmp_path / "kernels", tmp_path / "noise"


def test_kernelgan_and_noise_folders(clean, pools, tmp_path):
    out, args = tmp_path / "out", ("--kernel-pool", pools[0], "--noise-pool", pools[1], "--scale", 4)
    plan = degrade(clean, "-o", out, *args, "--dry-run", ok=0).stdout
    assert "would make 3 pairs by x4" in plan
    assert "1 kernel from" in plan
    assert "2 patches of noise from" in plan
    assert not out.exists()
    degrade(clean, "-o", out, *args, "--seed", 5, "-q", ok=0)
    for record in read_manifest(out):
        assert record.detail["seed"] == "5"
        assert record.detail["kernel"] == "a/a_kernel_x4"
        assert re.fullmatch(r"img_00[01]", record.detail["noise"])
        assert re.fullmatch(r"[0-9a-f]{16}", record.detail["kernel_sha"])
    rows = list(csv.DictReader((out / "metadata.csv").open()))
    assert [(r["lr_file_name"], r["hr_file_name"], r["scale"]) for r in rows] == [
        (f"LR/{i}.png", f"HR/{i}.png", "4") for i in range(3)
    ]
    again = degrade("--config", out / "run.yaml", "-o", tmp_path / "again", "-q", ok=0)
    assert again.stderr == ""
    for i in range(3):
        assert (out / f"LR/{i}.png").read_bytes() == (tmp_path / f"again/LR/{i}.png").read_bytes()


def test_every_bad_image_is_named_and_the_rest_is_done(clean, pools, tmp_path):
    (clean / "text.jpg").write_text("this is no photo")
    (clean / "empty.png").write_bytes(b"")
    write_image(clean / "dot.png", noise(0, 1, 1))
    write_image(clean / "tiny.png", noise(0, 8, 9))
    result = degrade(clean, "--scale", 4, "--kernel-pool", pools[0], "-o", tmp_path / "out", ok=1)
    expected = {
        "text.jpg": "is not an image",
        "empty.png": "is empty",
        "dot.png": "is 1x1 px, too small for x4",
        "tiny.png": "kernel of 15x15 px is larger than the image of 8x8 px",
    }
    for name, words in expected.items():
        lines = [line for line in result.stderr.splitlines() if name in line]
        assert len(lines) == 1
        assert words in lines[0]
    assert sum(record.ok for record in read_manifest(tmp_path / "out")) == 3


@pytest.mark.parametrize("option", ["--kernel-pool", "--noise-pool"])
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_pools_are_checked_before_the_first_image(clean, tmp_path, option, dry):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.npz").write_bytes(b"PK\3\4 not quite")
    for name, words in (
        ("none", "does not exist"),
        ("empty", "holds no"),
        ("broken.npz", "cannot be read as a pool"),
    ):
        result = degrade(clean, "--scale", 2, option, tmp_path / name, "-o", tmp_path / "out", *dry, ok=1)
        assert only_line(result).startswith(f"error: {tmp_path / name}: {words}")
    assert not (tmp_path / "out").exists()


def test_inputs_and_outputs_are_kept_apart(clean, tmp_path):
    """Outputs would be the next run's inputs, or replace this one's."""
    for out in (clean, clean / "deeper"):
        line = only_line(degrade(clean, "--scale", 2, "-o", out, ok=2))
        assert "or lies in it, so a second run would read" in line
    clean.rename(tmp_path / "HR")
    before = (tmp_path / "HR" / "0.png").read_bytes()
    line = only_line(degrade(tmp_path / "HR", "--scale", 4, "-o", tmp_path, ok=2))
    assert "where outputs would replace it" in line
    assert (tmp_path / "HR" / "0.png").read_bytes() == before


def test_folders_and_options_that_will_not_do(clean, tmp_path):
    assert "does not exist" in only_line(degrade(tmp_path / "none", "--scale", 2, "-o", tmp_path / "o", ok=1))
    (tmp_path / "file").write_text("")
    line = only_line(degrade(clean, "--scale", 2, "-o", tmp_path / "file" / "o", ok=1))
    assert "cannot be made" in line
    assert "choose another output" in line
    misspelt = degrade(clean, "--scale", 2, "--kernel-pol", "k", "-o", tmp_path / "o", ok=2)
    assert "Did you mean" in misspelt.stderr
    assert "--kernel-pool" in misspelt.stderr
    degrade(clean, "--scale", 1, "-o", tmp_path / "o", ok=2)


def test_a_killed_run_goes_on_to_the_same_bytes(pools, tmp_path):
    """`kill -9` on the parent in the middle; against a run that nobody disturbed."""
    for i in range(30):
        write_image(tmp_path / "hr" / f"{i:02d}.png", noise(i, 400, 400))
    out = tmp_path / "out"
    args = [tmp_path / "hr", "--scale", 2, "--kernel-pool", pools[0], "--noise-pool", pools[1], "--seed", 3]
    process = programs.start("realdeg", "degrade", *args, "-o", out, "-q", "-j", 1)
    while not list(out.glob("LR/*.png")):
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert len(list(out.glob("LR/*.png"))) < 30
    assert not (out / "manifest.csv").exists()
    degrade(*args, "-o", out, "-q", "-j", 2, ok=0)
    degrade(*args, "-o", tmp_path / "calm", "-q", "-j", 1, ok=0)
    calm = sorted(p.relative_to(tmp_path / "calm") for p in (tmp_path / "calm").rglob("*.png"))
    assert len(calm) == 60
    assert sorted(p.relative_to(out) for p in out.rglob("*.png")) == calm
    for file in [*calm, "manifest.csv", "metadata.csv"]:
        assert (out / file).read_bytes() == (tmp_path / "calm" / file).read_bytes()
    assert not list(out.rglob(".*tmp*"))  # nothing half-written is left
