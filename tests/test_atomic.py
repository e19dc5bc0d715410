"""Temporary files: whose they are, which are swept, and that nothing planted at their place is followed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from realdeg import atomic
from realdeg.io.save import link_or_copy

HOLD = """
import sys; from pathlib import Path; from realdeg import atomic
with atomic.whole_file(Path(sys.argv[1])) as temporary:
    temporary.write_text("half"); print(temporary, flush=True); sys.stdin.read()
"""


def hold(path, **more):
    """A process that writes `path` and doesn't come to an end; with its temporary file."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **more,
    )
    return process, process.stdout.readline().strip()


def test_a_living_process_keeps_its_temporary_file(tmp_path):
    """Two jobs in nested folders sweep each other's; each must be able to finish."""
    process, name = hold(tmp_path / "a.png")
    assert atomic.sweep(tmp_path) == 0
    process.communicate("", timeout=30)
    assert process.returncode == 0
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.png", "half")]


def test_a_dead_process_and_only_one_of_this_machine_leaves_nothing(tmp_path):
    process, name = hold(tmp_path / "a.png")
    process.kill()
    process.communicate()
    short, host, pid, random = Path(name).name[1:].split(".")[:4]
    assert pid == str(process.pid)
    elsewhere = tmp_path / f".{short}.{'0' * 8}.{pid}.{random}.realdeg-tmp"
    elsewhere.write_text("of another machine")
    other = tmp_path / ".a-users-own.realdeg-tmp"
    other.write_text("not ours")
    assert atomic.sweep(tmp_path) == 1
    assert sorted(tmp_path.iterdir()) == sorted([elsewhere, other])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see how processes ended")
def test_a_process_that_ended_and_whose_end_nobody_asked_for_is_dead():
    """As the workers of a killed job are in a container whose first process buries nobody."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert atomic.is_alive(process.pid)
    process.kill()
    until = time.monotonic() + 30
    while atomic.is_alive(process.pid) and time.monotonic() < until:
        time.sleep(0.005)
    assert not atomic.is_alive(process.pid)
    os.kill(process.pid, 0)  # the system still knows it
    process.communicate()


def test_files_of_earlier_versions_go_after_a_day_if_their_process_is_dead(tmp_path):
    """They name no host: a living job elsewhere may be writing a young one."""
    process, _ = hold(tmp_path / "x")
    process.kill()
    process.communicate()
    atomic.sweep(tmp_path)
    old, young, living = (
        tmp_path / f".{'ab' * 6}.{pid}.realdeg-tmp" for pid in (process.pid, f"0{process.pid}", os.getpid())
    )
    day_ago = time.time() - 90_000
    for path in (old, young, living):
        path.write_text("")
    for path in (old, living):
        os.utime(path, (day_ago, day_ago))
    assert atomic.sweep(tmp_path) == 1
    assert sorted(tmp_path.iterdir()) == sorted([young, living])


def test_a_number_that_comes_again_is_no_life(tmp_path):
    """In a container every run may be process 1: what this process doesn't write itself is stale."""
    with atomic.whole_file(tmp_path / "a") as mine:
        before = mine.name.split(".")
        twin = mine.with_name(".".join([*before[:4], "00000000", before[5]]))
        twin.write_text("of the last run")
        assert atomic.sweep(tmp_path) == 1
        assert mine.exists()


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_outputs_have_the_permissions_of_any_new_file(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        atomic.write_text(tmp_path / "a", "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_are_not_followed_when_writing(tmp_path, monkeypatch):
    """One at the output is replaced, one at the temporary name refused: what it leads to stays."""
    treasure = tmp_path / "treasure"
    treasure.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").symlink_to(treasure)
    atomic.write_text(out / "a", "new")
    link_or_copy(out / "a", out / "b")
    assert (treasure.read_text(), (out / "a").read_text(), (out / "a").is_symlink()) == ("mine", "new", False)

    monkeypatch.setattr(atomic.secrets, "token_hex", lambda n: "00" * n)
    with atomic.temporary_name(out / "c") as name:
        pass
    name.symlink_to(treasure)
    with pytest.raises(atomic.UserError, match="c: cannot be written"):
        atomic.write_text(out / "c", "new")
    assert treasure.read_text() == "mine"
    assert not (out / "c").exists()


def test_names_as_long_as_they_may_be(tmp_path):
    atomic.write_text(tmp_path / ("n" * 255), "long")
    assert (tmp_path / ("n" * 255)).read_text() == "long"
