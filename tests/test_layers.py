"""Imports point one way (docs/architecture.md); read from the source, also inside functions."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEVELS = (
    {
        "realdeg.errors",
        "realdeg.refusal",
        "realdeg.arraytypes",
        "realdeg.seeds",
        "realdeg.atomic",
        "realdeg.settings",
        "realdeg.typed",
        "realdeg.identity",
        "realdeg.terminal",
        "realdeg.output",
        "realdeg.words",
        "realdeg.ipp",
        "realdeg.memory",
        "realdeg.marked",
        "realdeg.names",
        "realdeg.overtime",
    },
    {"realdeg.records"},
    {
        "realdeg.guard",
        "realdeg.ledger",
        "realdeg.earlier",
        "realdeg.leftover",
        "realdeg.workers",
        "realdeg.jobs",
        "realdeg.options",
        "realdeg.layout",
        "realdeg.imagefolder",
        "realdeg.vouching",
        "realdeg.io",
        "realdeg.inputs",
        "realdeg.imaging",
    },
    {"realdeg.pools", "realdeg.metrics"},
    {"realdeg.align", "realdeg.kernels", "realdeg.noise", "realdeg.degrade", "realdeg.dataset"},
    {"realdeg.camera", "realdeg.check"},
    {"realdeg.report"},
    {"realdeg.api"},
    {"realdeg.torch"},
    {"realdeg.cli"},
    {"train"},
    {"pipelines"},
)
TOGETHER = (
    LEVELS[0] | LEVELS[2]
)  # rooms of these levels may use their neighbours: atomic <- settings, io <- jobs
FLOORS = {  # rooms within a package, from the ground up; a room that is not named stands above them
    "realdeg.degrade": ({"ops"}, {"plan"}, {"apply"}, {"recipe"}),
    "train": (
        {"nets", "machine", "memory", "progress"},
        {"restore"},
        {"losses"},
        {"data"},
        {"upscale"},
        {"evaluate"},
        {"engine"},
    ),
}


def room(module: str) -> str:
    if module == "realdeg.__main__":
        return "realdeg.cli"
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "realdeg" else parts[0]


def level(module: str) -> int:
    for number, rooms in enumerate(LEVELS):
        if room(module) in rooms:
            return number
    raise AssertionError(f"{module} stands in no room of tests/test_layers.py")


def arrows() -> list[tuple[str, str, int]]:
    found = []
    for top in ("realdeg", "train", "pipelines"):
        for path in sorted((ROOT / top).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    assert not node.level, f"{path}: relative import"
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                for name in names:
                    if name.split(".")[0] in ("realdeg", "train", "pipelines"):
                        found.append((module, name, node.lineno))
    return found


def test_imports_point_down():
    wrong = []
    for module, name, line in arrows():
        if module == "realdeg" or room(module) == room(name):
            continue
        if room(module) in TOGETHER and level(module) == level(name):
            continue
        to_cli = room(name) == "realdeg.cli"
        if to_cli and level(module) > level(name) and name.startswith("realdeg.cli.main"):
            continue  # a program's way out: one line for each error, documented exit codes
        if level(name) >= level(module) or (to_cli and module.startswith("train")):
            wrong.append(f"{module}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", FLOORS)
def test_rooms_of_a_package_stand_on_floors(package):
    def floor(inner: str) -> int:
        return next((i for i, rooms in enumerate(FLOORS[package]) if inner in rooms), len(FLOORS[package]))

    wrong = []
    for module, name, line in arrows():
        if module.startswith(f"{package}.") and name.startswith(f"{package}."):
            outer, inner = (one[len(package) + 1 :].split(".")[0] for one in (module, name))
            if inner != outer and floor(inner) > floor(outer):
                wrong.append(f"{module}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_no_two_modules_import_each_other_in_a_circle():
    """Of arrows at any place in a file: a circle that a late import hides is one."""
    known = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for top in ("realdeg", "train", "pipelines")
        for path in (ROOT / top).rglob("*.py")
    }
    below: dict[str, set[str]] = {}
    for module, name, _ in arrows():
        target = name if name in known else name.rpartition(".")[0]
        if target in known and target != module:
            below.setdefault(module, set()).add(target)
    settled: set[str] = set()
    while free := {
        module
        for module in below
        if module not in settled and below[module] <= settled | (known - set(below))
    }:
        settled |= free
    assert not set(below) - settled, sorted(set(below) - settled)


@pytest.mark.parametrize(
    "module",
    ["realdeg.align.folder", "realdeg.degrade.folder", "realdeg.report.page", "realdeg.dataset.split"],
)
def test_the_library_does_not_load_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["realdeg.cli.main", "realdeg.align.settings", "realdeg.errors"])
def test_what_help_needs_is_light(module):
    heavy = ("numpy", "cv2", "torch", "pydantic", "rich")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
