"""Commands whose output is closed, full or read by nobody, as a shell leads it: no traceback, documented codes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from realdeg.io.save import write_image

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full and a POSIX shell")

REALDEG = (sys.executable, "-m", "realdeg")
UPSCALE = (sys.executable, "-m", "train.upscale")


def shell(words, redirection, **more):
    """A command with a redirection, by the shell; the environment's TERM is that of a terminal."""
    line = f"{shlex.join(str(word) for word in words)} {redirection}"
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "200"} | more
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=env, timeout=120)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i in range(2):
        write_image(folder / f"{i}.png", np.random.default_rng(i).integers(0, 256, (32, 32, 3), np.uint8))
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def jobs(photos, out):
    return {
        "degrade": [*REALDEG, "degrade", photos, "-o", out, "--scale", 2, "-j", 1, "--exit-zero"],
        "workers": [*REALDEG, "degrade", photos, "-o", out, "--scale", 2, "-j", 2, "--exit-zero"],
        "upscale": [*UPSCALE, "--bicubic", "--scale", 2, photos / "0.png", "-o", out],
    }


@pytest.fixture(scope="module")
def calm(photos, tmp_path_factory):
    """What each job makes where everything is heard, and whether it prints a result."""
    found = {}
    for job in ("degrade", "workers", "upscale"):
        out = tmp_path_factory.mktemp(job)
        done = shell(jobs(photos, out)[job], "")
        assert done.returncode == 0, done.stderr
        found[job] = made(out), bool(done.stdout)
    return found


def made(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*.png"))}


@pytest.mark.parametrize(
    ("job", "redirection"),
    [
        ("degrade", ">&-"),
        ("degrade", "2>&-"),
        ("degrade", "2>/dev/full"),
        ("degrade", ">/dev/full"),
        ("degrade", ">/dev/full 2>&1"),
        ("workers", "<&- >&- 2>&-"),
        ("workers", ">/dev/full"),
        ("upscale", "<&- >&- 2>&-"),
        ("upscale", "2>/dev/full"),
        ("upscale", ">/dev/full"),
    ],
)
def test_what_a_job_makes_does_not_depend_on_who_listens(photos, calm, tmp_path, job, redirection):
    done = shell(jobs(photos, tmp_path / "out")[job], redirection)
    images, prints = calm[job]
    code = int(prints and redirection.startswith(">/dev/full"))
    assert done.returncode == code, done.stderr
    for said in ("Traceback", "Exception ignored", "internal error"):
        assert said not in done.stderr
    assert made(tmp_path / "out") == images != {}
    if redirection == ">/dev/full" and code:
        line = "error: standard output: cannot be written (No space left on device); lead it to another place"
        assert done.stderr.splitlines()[-1] == line


def test_lines_for_people_get_into_no_file(photos, tmp_path):
    """Python opens the next file on the lowest free number: a photo or journal must not become standard output."""
    done = shell(jobs(photos, tmp_path / "out")["degrade"], "<&- >&- 2>&-")
    assert done.returncode == 0
    for file in (tmp_path / "out").rglob("*"):
        if file.suffix in (".csv", ".jsonl", ".yaml", ".toml"):
            assert b"degrade 1/" not in file.read_bytes()
            assert b" pairs in " not in file.read_bytes()


@pytest.mark.parametrize("words", [["--help"], ["recipes"], ["nothing"]])
@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">/dev/full", "2>/dev/full", ">&- 2>&-", "| true"])
def test_short_commands(words, redirection):
    done = shell([*REALDEG, *words], f"{redirection}; exit ${{PIPESTATUS[0]}}")
    usage = words == ["nothing"]
    full = redirection == ">/dev/full"
    assert done.returncode in (
        (2,) if usage else (1,) if full else (0, 1) if redirection == "| true" else (0,)
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if full and not usage:
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("term", "bar"), [("xterm-256color", True), ("dumb", False), (None, False)])
def test_a_bar_only_where_a_terminal_can_draw_it(photos, tmp_path, term, bar):
    """On a terminal of the system's own (a pty)."""
    import pty

    env = {name: value for name, value in os.environ.items() if name != "TERM"}
    if term:
        env["TERM"] = term
    ours, theirs = pty.openpty()
    command = [str(word) for word in jobs(photos, tmp_path / "out")["degrade"]]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=env)
    os.close(theirs)
    said = b""
    while True:
        try:
            said += (part := os.read(ours, 4096))
        except OSError:  # how Linux says that the other side is closed
            break
        if not part:
            break
    os.close(ours)
    assert process.wait(60) == 0
    assert (b"\x1b[" in said) == bar
    assert (b"images degraded 3/3  " in said) != bar  # a whole line of its own


def test_a_terminal_that_goes_away_does_not_stop_a_job_that_ignores_it(photos, tmp_path):
    """As after a logout under nohup: writing to the terminal fails with EIO."""
    import pty

    ours, theirs = pty.openpty()
    os.close(ours)
    command = [str(word) for word in jobs(photos, tmp_path / "out")["degrade"]]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    assert process.wait(60) == 0
    assert len(list((tmp_path / "out" / "LR").iterdir())) == 2
