"""Commands as on Windows, as far as a POSIX system can be made like it (tests/windows_like/sitecustomize.py)."""

from __future__ import annotations

import ast
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIKE = ROOT / "tests" / "windows_like"
GUARDED = {  # uses of what Windows lacks, each behind a question or for Linux alone
    "realdeg/cli/common.py": {"sched_getaffinity"},  # hasattr
    "realdeg/cli/doctor.py": {"sysconf"},  # suppress(AttributeError)
    "realdeg/memory.py": {"sysconf", "resource"},  # limits are Linux's: _has_limits
    "realdeg/io/complaints.py": {"memfd_create"},  # hasattr
    "realdeg/guard.py": {"SIGHUP"},  # hasattr
}


def like_windows(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(map(str, (LIKE, ROOT)))
    env = os.environ | {"PYTHONPATH": paths, "LOKY_MAX_CPU_COUNT": "2", "COLUMNS": "200"} | environment
    command = [sys.executable, *map(str, words)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=env,
        timeout=300,
        start_new_session=True,
    )


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see which files are open")
def test_it_is_like_windows_where_it_matters(tmp_path):
    """The harness itself: each line is something that a POSIX system would do."""
    program = f"""
import os, pathlib
folder = pathlib.Path({str(tmp_path)!r})
def refused(function, *arguments):
    try:
        function(*arguments)
    except (OSError, ImportError):
        return True
(folder / "Photo.png").write_text("ä")
held = (folder / "Photo.png").open("rb")
assert refused(__import__, "fcntl") and refused(__import__, "resource") and not hasattr(os, "fork")
assert (folder / "photo.PNG").is_file()
assert held.read() == b"\\xe4"  # the code page of old programs
(folder / "new").write_bytes(b"")
assert refused(os.unlink, folder / "Photo.png") and refused(os.replace, folder / "new", folder / "PHOTO.png")
held.close()
os.replace(folder / "new", folder / "PHOTO.png")
for name in ("a:b", "CON", "nul.png", "a?", "dot."):
    assert refused((folder / name).write_bytes, b""), name
"""
    done = like_windows("-c", program)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.iterdir())) == 1


def test_commands_do_what_they_do_elsewhere(tmp_path):
    done = like_windows(LIKE / "commands.py", tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert "warning" not in done.stderr.lower()
    for number in range(3):
        name = f"LR/Bild_é{number}.png"
        assert (tmp_path / "out1" / name).read_bytes() == (tmp_path / "out2" / name).read_bytes()
        assert (tmp_path / "large" / f"Bild_é{number}.png").is_file()
    leftover = [p for p in tmp_path.rglob("*") if p.name.endswith((".realdeg-tmp", ".lock"))]
    assert leftover == []


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "utf-8"])
def test_a_stream_that_lacks_letters_gets_them_escaped(encoding):
    """A name that old code pages do not have; as JSON it is the same text in all of them."""
    name = "Größe × 2…→\U0001f4f7"
    program = f"""
import click, json
from realdeg.cli.main import run
from realdeg.errors import UserError
@click.command()
def show():
    click.echo(json.dumps({name!a}, ensure_ascii=False))
    raise UserError({name!a}, 'is not there')
run(show, 'show')
"""
    env = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=env, cwd=ROOT)
    seen = "utf-8" if encoding == "ascii" else encoding  # click takes ASCII for a setting that is missing
    said = done.stderr.decode(seen).splitlines()
    assert done.returncode == 1, said
    assert json.loads(done.stdout.decode(seen)) == name
    assert len(said) == 1
    assert said[0].startswith("error: ")
    assert said[0].endswith(": is not there")


def test_what_windows_lacks_is_used_behind_a_question_alone():
    lists = runpy.run_path(str(LIKE / "lists.py"))
    lacking, modules = {*lists["FUNCTIONS"], *lists["SIGNALS"]}, lists["MODULES"]
    used: dict[str, set[str]] = {}
    for path in sorted(p for room in ("realdeg", "train", "pipelines") for p in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = set()
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                names = {node.attr} & lacking if node.value.id in ("os", "signal") else set()
            elif isinstance(node, ast.Import):
                names = {one.name for one in node.names} & modules
            elif isinstance(node, ast.ImportFrom):
                names = {node.module} & modules
            if names:
                used.setdefault(path.relative_to(ROOT).as_posix(), set()).update(names)
    assert used == GUARDED
