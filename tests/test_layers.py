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
        "realdeg.seeds",
        "realdeg.atomic",
        "realdeg.settings",
        "realdeg.typed",
        "realdeg.identity",
        "realdeg.terminal",
        "realdeg.ipp",
        "realdeg.memory",
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
        "realdeg.layout",
        "realdeg.vouching",
        "realdeg.io",
        "realdeg.imaging",
    },
    {
        "realdeg.align",
        "realdeg.pools",
        "realdeg.kernels",
        "realdeg.noise",
        "realdeg.calibrate",
        "realdeg.degrade",
        "realdeg.dataset",
    },
    {"realdeg.report", "realdeg.metrics"},
    {"realdeg.cli"},
    {"train"},
    {"pipelines"},
)
TOGETHER = (
    LEVELS[0] | LEVELS[2] | LEVELS[3] - {"realdeg.align", "realdeg.dataset"}
)  # rooms of these levels may use their neighbours: atomic <- settings, io <- jobs
TRAIN = ("nets", "losses", "restore")


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


def test_train_programs_use_networks_and_not_the_other_way():
    order = {"nets": 0, "machine": 0, "memory": 0, "restore": 1, "losses": 2}
    wrong = []
    for module, name, line in arrows():
        if module.startswith("train.") and name.startswith("train."):
            inner, outer = name.split(".")[1], module.split(".")[1]
            if inner != outer and order.get(inner, 2) > order.get(outer, 2):
                wrong.append(f"{module}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


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
