"""Where a run was made: machine, packages and the state of the code."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import train
from realdeg.atomic import write_text
from realdeg.typed import Json, Mistyped, read_json
from train.machine import Machine

FILE = "environment.json"
PACKAGES = ("realdeg", "torch", "numpy", "opencv-contrib-python", "pillow", "safetensors", "scipy", "kornia")


def note_surroundings(out: Path, machine: Machine, processes: int, step: int) -> None:
    """Add this start to `out/environment.json`, a list with one entry for each start of the run.

    Args:
        machine: where it trains.
        processes: that learn together.
        step: at which this start goes on.
    """
    starts: list[Any] = []
    with suppress(OSError, Mistyped):
        starts = read_json(out / FILE, list[Json])
    starts.append({"step": step, "processes": processes, **surroundings(machine)})
    write_text(out / FILE, json.dumps(starts, indent=2) + "\n")


def surroundings(machine: Machine) -> dict[str, Any]:
    """Time, command, machine, packages and git state, as JSON values."""
    packages = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            packages[name] = metadata.version(name)
    gpu = machine.device.type == "cuda"
    return {
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "device": machine.why,
        "threads": torch.get_num_threads(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "cuda": torch.version.cuda if gpu else None,
        "cudnn": torch.backends.cudnn.version() if gpu else None,
        "packages": packages,
        "git": git_state(Path(train.__file__).parent),
    }


def processor() -> str:
    """Name of the processor, where the system tells."""
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of the checkout that holds `folder`, and the files that differ from it; None: not a checkout."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None or _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None  # installed into an environment that lies in some other repository
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no") or ""
    return {"commit": commit.strip(), "changed": [line[3:] for line in changed.splitlines()]}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
