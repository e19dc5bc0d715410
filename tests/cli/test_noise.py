"""`realdeg noise` and the pipeline that uses it, as programs."""

from __future__ import annotations

import json

import numpy as np
import programs
import pytest

from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import read_manifest


def run(*args, code=0):
    done = programs.run(*args, timeout=240)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def src(tmp_path_factory, sample):
    """Photos with a flat, noisy part each."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name in ("chelsea", "coffee"):
        photo = read(sample / "clean" / f"{name}.png").pixels[:300, :400].copy()
        photo[:140, :140] = np.clip(rng.normal(130, 3, (140, 140, 3)), 0, 255)
        write_image(folder / f"{name}.png", photo)
    return folder


def test_it_counts_what_each_threshold_refused(src, tmp_path):
    out = tmp_path / "pool.npz"
    done = run("realdeg", "noise", src, "-o", out, "--method", "classic", "--size", 64, "--json")
    told = json.loads(done.stdout)
    assert told["ok"] == 2
    refused = told["variance of 20 or more"] + told["mean of 50 or less"]
    assert told["windows looked at"] == told["patches"] + refused
    assert len(NoisePool.read(out).names) == told["patches"] >= 8
    empty = run("realdeg", "noise", src, "-o", tmp_path / "none.npz", "--method", "classic", code=1)
    assert "no window passes, no pool is written; try --size 64" in empty.stderr


def test_dry_run_writes_nothing(src, tmp_path):
    done = run("realdeg", "noise", src, "-o", tmp_path / "p.npz", "--dry-run")
    assert "windows of 64 px from 2 photos" in done.stdout
    assert not list(tmp_path.iterdir())


def test_algorithm_1_makes_pairs_and_goes_on(src, sample, tmp_path):
    """Real photos in; kernels, noise, two datasets with reports out; a second run makes nothing anew."""
    out = tmp_path / "out"
    clean = tmp_path / "clean"
    write_image(clean / "rocket.png", read(next((sample / "clean").glob("*.png"))).pixels[:256, :256])
    command = ("pipelines.realsr", "--source", src, "--clean", clean, "-o", out, "--noise-size", 64, "-j", 1)
    command = (*command, "--min-confidence", 0.5)
    assert "learn kernels for x4 of 2 photos" in run(*command, "--dry-run").stdout
    assert not out.exists()
    run(*command)
    for name, count in (("source", 2), ("clean", 1)):
        records = read_manifest(out / name)
        assert [record.status for record in records] == ["ok"] * count
        plan = json.dumps(records[0].detail)
        assert "kernel_sha" in plan
        assert "noise_sha" in plan
        assert (out / name / "report" / "index.html").is_file()
    source = read(out / "source" / read_manifest(out / "source")[0].hr).pixels
    assert source.shape == (148, 200, 3)  # reduced by 2, and cut to a multiple of 4
    before = (out / "source" / "manifest.csv").read_bytes()
    run(*command)
    assert (out / "source" / "manifest.csv").read_bytes() == before
    none = run("pipelines.realsr", "--source", src, "-o", tmp_path / "none", "--track", "artefacts", code=1)
    assert "gives no noise patch of 256 px" in none.stderr


def test_it_warns_where_few_windows_show_noise_alone(sample, src, tmp_path):
    told = "only 0 windows show noise alone"
    done = run("realdeg", "noise", sample / "clean", "-o", tmp_path / "a.npz", "--limit", 1)
    assert told in done.stderr
    quiet = run("realdeg", "noise", sample / "clean", "-o", tmp_path / "b.npz", "--limit", 1, "--json")
    assert told in quiet.stderr  # a doubt is no progress: it is said beside the document too
    assert json.loads(quiet.stdout)["made for photos without one"] == 2


def test_damaged_photos_alone_are_not_called_without_noise(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"x")
    done = run("realdeg", "noise", tmp_path / "in", "-o", tmp_path / "p.npz", code=1)
    assert "a.png: " in done.stderr
    assert "no window passes" not in done.stderr
