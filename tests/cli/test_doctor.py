"""`realdeg doctor`, as a person runs it: once where all is well, once where a library is broken."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from realdeg.align.verdict import Rejection
from realdeg.cli import doctor
from realdeg.cli.trial_run import JOBS, QUICK, Wrong, _program

ROOT = Path(__file__).resolve().parents[2]


WORK = {
    "write": "a file is whole or as it was",
    "lock": "a second job on a folder is refused",
    "align": r"a simulated pair registered to 0\.0\d\d LR px",
    "degrade": "2 images by 2 processes, resumed, and made again to the byte",
    "kernels": "a kernel of 16x16 px of one photo",
    "noise": r"noise of 4\.0 levels found as (3\.[5-9]|4\.[0-5])",
    "tile": "2 pairs cut into 12 tiles",
    "report": "3 pages of 2 pairs",
    "train": r"2 steps of D2C-SR on the processor",
    "upscale": "48x32 px became 96x64",
}
"""What is run, and what it says where all is well."""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "realdeg", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=120)


def test_all_is_well_here(tmp_path):
    (tmp_path / "vgg19-dcbb9e9d.pth").write_bytes(b"weights")
    (tmp_path / "scratch").mkdir()
    done = run(REALDEG_WEIGHTS=str(tmp_path), TMPDIR=str(tmp_path / "scratch"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for name in ("Python", "torch", "processors", "memory", "disk, here", "PNG 16 bit", "TIFF 16 bit"):
        assert re.search(rf"^  ok +{name} ", done.stdout, re.MULTILINE)
    assert re.search(r"^  ok +camera RAW +LibRaw .* a DNG developed$", done.stdout, re.MULTILINE)
    assert re.search(r"^  ok +AVIF +read at 10 bits$", done.stdout, re.MULTILINE)
    assert re.search(
        rf"^  ok +vgg19-dcbb9e9d\.pth +found in {re.escape(str(tmp_path))}$", done.stdout, re.MULTILINE
    )
    for name, what in WORK.items():
        assert re.search(rf"^  ok +{name} +{what} \(\d+\.\d s\)$", done.stdout, re.MULTILINE), done.stdout
    last = rf"run here in \d+\.\d s, with the results that were due: {', '.join(WORK)}"
    assert re.fullmatch(last, done.stdout.splitlines()[-1])
    assert list((tmp_path / "scratch").glob("realdeg*")) == []  # nothing is left behind


def test_quick_leaves_the_jobs_out(monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda: iter(()))
    done = CliRunner().invoke(doctor.doctor, ["--quick", "--json"])
    assert done.exit_code == 0
    findings = json.loads(done.stdout)["findings"]
    assert [one["name"] for one in findings] == ["write", "lock"]
    assert all(one["seconds"] >= 0 for one in findings)


def test_a_broken_and_a_missing_library_are_said_and_the_exit_code_is_3(tmp_path):
    """A rawpy that fails on import (as binaries of another build do), and a tifffile that is not there."""
    (tmp_path / "rawpy.py").write_text("raise RuntimeError('operator torchvision::nms\\ndoes not exist')")
    (tmp_path / "tifffile.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'tifffile'\", name='tifffile')"
    )
    (tmp_path / "pillow_heif.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'pillow_heif'\", name='pillow_heif')"
    )
    done = run("--json", PYTHONPATH=str(tmp_path))
    assert done.returncode == 3, done.stderr
    result = json.loads(done.stdout)
    assert result["ok"] is False
    state = {one["name"]: one for one in result["findings"]}
    assert state["rawpy"]["state"] == state["tifffile"]["state"] == "missing"
    assert state["rawpy"]["detail"] == "is broken (operator torchvision::nms does not exist)"
    assert state["rawpy"]["remedy"] == "pip install --force-reinstall rawpy"
    assert state["tifffile"]["detail"] == "is not installed"
    assert state["tifffile"]["remedy"] == "pip install tifffile"
    assert state["camera RAW"]["state"] == state["TIFF 16 bit"]["state"] == "missing"
    assert (state["HEIF"]["state"], state["HEIF"]["remedy"]) == ("note", "pip install 'realdeg[heif]'")
    assert state["PNG 16 bit"]["state"] == state["JPEG"]["state"] == "ok"
    assert not WORK.keys() & state.keys()  # nothing is run with what is known to be broken


@pytest.mark.parametrize(
    ("place", "change", "trial", "said"),
    [
        # Each a fault of the machine or of ours that looking at versions does not show.
        (
            "realdeg.degrade.replay.apply",
            lambda plan, hr, **pools: hr[::2, ::2],
            "degrade",
            "equal to the byte",
        ),
        ("realdeg.guard._open_locked", lambda folder, path: os.open(os.devnull, 0), "lock", "held twice"),
        ("realdeg.atomic.os.replace", lambda a, b: None, "write", "file.txt"),
        (
            "realdeg.align.item.register",
            lambda *a, **more: Rejection("too dark"),
            "align",
            "too dark",
        ),
        (
            "realdeg.pools.kernel_pool.KernelPool.read",
            lambda *a: types.SimpleNamespace(kernels=(np.full((3, 3), 2 / 9),)),
            "kernels",
            "sum is 2.000",
        ),
        (
            "realdeg.pools.noise_pool.NoisePool.read",
            lambda *a: types.SimpleNamespace(patches=(np.zeros((8, 8, 3)),)),
            "noise",
            "taken as 0.0",
        ),
        ("realdeg.dataset.tile.cut", None, "tile", "needs what degrade makes"),
        ("realdeg.report.page.build_report", None, "report", "needs what degrade makes"),
        ("subprocess.run", None, "upscale", "needs what train makes"),
    ],
)
def test_work_that_goes_wrong_is_named_with_its_remedy(tmp_path, monkeypatch, place, change, trial, said):
    monkeypatch.setattr(place, change)
    monkeypatch.setattr("realdeg.cli.trial_run.QUICK", {trial: (QUICK | JOBS)[trial]})
    (found,) = doctor._work(quick=True)
    assert (found.state, found.name) == ("failed", trial)
    assert said in found.detail
    assert found.remedy


def test_a_program_that_fails_says_why_in_its_last_line(tmp_path):
    with pytest.raises(Wrong, match=r"^\S*nowhere: does not exist; check the path$"):
        _program("train.upscale", tmp_path / "nowhere", "-o", tmp_path / "out")


def test_the_exit_code_of_failed_work_is_1(monkeypatch):
    def wrong(folder):
        raise Wrong("the sky is green")

    monkeypatch.setattr("realdeg.cli.trial_run.QUICK", {"look": (wrong, "look again")})
    monkeypatch.setattr(doctor, "examine", lambda: iter(()))
    done = CliRunner().invoke(doctor.doctor, ["--quick"])
    assert done.exit_code == 1
    assert re.search(
        r"^  failed  look  the sky is green; look again \(\d\.\d s\)$", done.stdout, re.MULTILINE
    )
    assert re.fullmatch(r"run here in \d\.\d s: look; failed: look, see above", done.stdout.splitlines()[-1])


def test_it_looks_for_exactly_what_the_package_depends_on():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sorted(re.match(r"[\w-]+", line)[0] for line in project["dependencies"]) == sorted(doctor.CORE)
    assert set(doctor.EXTRAS) <= set(project["optional-dependencies"])


@pytest.mark.parametrize(
    ("files", "cores", "memory"),
    [
        (
            {"cpu.max": "150000 100000\n", "memory.max": "2147483648\n"},
            1.5,
            "a container limits it to 2.0 GiB",
        ),
        ({"cpu.max": "max 100000\n", "memory.max": "max\n"}, None, None),
        (
            {
                "cpu/cpu.cfs_quota_us": "200000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            2.0,
            None,
        ),
        ({}, None, None),
    ],
)
def test_limits_of_a_container(tmp_path, monkeypatch, files, cores, memory):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(doctor, "CGROUP", tmp_path)
    assert doctor._cgroup_cores() == cores
    assert ("container" in doctor._memory()) == (memory is not None)
    assert memory is None or memory in doctor._memory()


def test_the_command_is_cheap_to_import():
    heavy = {"numpy", "cv2", "torch", "PIL", "rich", "pydantic"}
    program = f"import sys, realdeg.cli.doctor; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
