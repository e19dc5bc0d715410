"""What is put into a wheel and an sdist, as the build backend says; and that metadata say what is true."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path, PurePosixPath

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("realdeg", "train", "pipelines")


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    """Files of the packages that git knows."""
    done = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True)
    if done.returncode or not done.stdout:
        pytest.skip("no checkout")
    return {name for name in done.stdout.splitlines() if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def wheel() -> set[str]:
    return {one.distribution_path for one in WheelBuilder(str(ROOT)).recurse_included_files()}


def test_the_wheel_holds_every_file_of_the_packages(tracked, wheel):
    assert sorted(tracked - wheel) == []


@pytest.mark.parametrize(
    "pattern",
    [
        *(f"{package}/py.typed" for package in PACKAGES),
        "realdeg/degrade/recipe/shipped/*.toml",
        "realdeg/kernels/weights/*.npz",
        "realdeg/report/templates/*.j2",
        "realdeg/report/assets/*.css",
        "realdeg/report/assets/*.js",
        "train/weights/*.safetensors",
    ],
)
def test_the_wheel_holds_what_programs_read_beside_code(wheel, pattern):
    assert [name for name in wheel if PurePosixPath(name).match(pattern)]


def test_the_wheel_holds_nothing_else(wheel):
    kinds = {PurePosixPath(name).suffix for name in wheel}
    assert kinds <= {".py", ".typed", ".toml", ".npz", ".j2", ".css", ".js", ".safetensors"}
    assert {name.split("/")[0] for name in wheel} == set(PACKAGES)


def test_the_sdist_holds_what_its_tests_need():
    sdist = {one.distribution_path for one in SdistBuilder(str(ROOT)).recurse_included_files()}
    for name in ("tests/conftest.py", "tests/golden/README.md", "data/sample/MANIFEST.csv", "docs/cli.md"):
        assert name in sdist
    assert not [name for name in sdist if ".venv" in name or "__pycache__" in name]


def test_versions_and_systems_are_those_that_are_tested():
    """Classifiers, the range and the matrix of the public runners say the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yaml = pytest.importorskip("yaml")
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    matrix = jobs["tests"]["strategy"]["matrix"]
    prefix = "Programming Language :: Python :: 3."
    said = [one.removeprefix(prefix[:-2]) for one in project["classifiers"] if one.startswith(prefix)]
    assert said == matrix["python"]
    assert project["requires-python"] == f">={said[0]}"
    assert {one.split("-")[0] for one in matrix["os"]} == {"ubuntu", "windows", "macos"}
    systems = [one for one in project["classifiers"] if one.startswith("Operating System")]
    assert len(systems) == len(matrix["os"])


def test_steps_of_the_runners_need_no_make_and_their_actions_are_pinned():
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert not [step for step in steps if step.get("run", "").lstrip().startswith("make")]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert all(name.partition("@")[2].count(".") == 2 for name in used)


def test_the_tests_that_are_called_slow_are_there():
    """One a line, with more than five seconds of one core; a test that is renamed is renamed there."""
    lines = (ROOT / "tests" / "slow.txt").read_text(encoding="utf-8").splitlines()
    assert lines == sorted(set(lines))
    for line in lines:
        file, _, name = line.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), line
