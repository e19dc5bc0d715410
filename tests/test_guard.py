"""Who holds a folder, where nothing can be held, and which signals stop a job."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys

import filelock
import pytest

from realdeg import guard
from realdeg.errors import UserError
from realdeg.guard import LOCK, NOTE_AT, locked, stop_signals

HOLD = """
import sys; from pathlib import Path; from realdeg.guard import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True); sys.stdin.read()
"""


def hold(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_holder_is_named_and_its_lock_ends_with_it(tmp_path):
    process = hold(tmp_path)
    for _ in range(2):  # being refused must not spoil the holder's note
        with (
            pytest.raises(UserError, match=rf"in use by process {process.pid} since 20.*; wait for it"),
            locked(tmp_path),
        ):
            pass
    process.kill()
    process.communicate()
    assert (tmp_path / LOCK).exists()  # a killed process removes nothing, but the kernel lets go
    with locked(tmp_path):
        note = json.loads((tmp_path / LOCK).read_bytes()[NOTE_AT:])
        assert note["pid"] == os.getpid()
        with pytest.raises(UserError, match=f"in use by process {os.getpid()}"), locked(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


def test_it_is_the_lock_that_filelock_knows(tmp_path):
    """Against the library's own class: other tools that use it are kept out, and keep out."""
    with locked(tmp_path), pytest.raises(filelock.Timeout):
        filelock.FileLock(tmp_path / LOCK, timeout=0).acquire()
    with (
        filelock.FileLock(tmp_path / LOCK),
        pytest.raises(UserError, match="in use by another process"),
        locked(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSYS, "Function not implemented"),
        OSError(errno.ENOTSUP, "Operation not supported"),
        OSError(errno.ENOLCK, "No locks available"),
        NotImplementedError(),
    ],
)
def test_where_nothing_can_be_locked_it_is_said_and_the_work_is_done(tmp_path, monkeypatch, capsys, error):
    def refuse(handle, *, blocking):
        raise error

    monkeypatch.setattr(filelock, "lock_descriptor", refuse)
    with locked(tmp_path):
        said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"warning: {tmp_path}: cannot be locked (")
    assert said.endswith("so nothing keeps two jobs apart here; run one job at a time\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_in_place_of_the_lock_is_not_written_through(tmp_path):
    (tmp_path / "treasure").write_text("mine")
    (tmp_path / LOCK).symlink_to(tmp_path / "treasure")
    with pytest.raises(UserError, match="cannot be written"), locked(tmp_path):
        pass
    assert (tmp_path / "treasure").read_text() == "mine"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_a_terminal_that_is_closed_stops_a_job_as_sigterm_does():
    with stop_signals() as stop:
        signal.raise_signal(signal.SIGHUP)
        assert stop.is_set()
        assert stop.by_signal
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_under_nohup_it_goes_on():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop.is_set()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_that_a_platform_lacks_are_left_out(monkeypatch):
    monkeypatch.setattr(guard, "STOPPING", ("SIGINT", "SIGTERM", "SIGNOSUCH"))
    with stop_signals() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()


def test_nothing_is_loaded_that_windows_lacks():
    """Every module of the package, in a Python without fcntl, resource, termios, pwd and grp."""
    code = """
import sys, pkgutil, importlib
for name in ("fcntl", "resource", "termios", "pwd", "grp"):
    sys.modules.pop(name, None)
class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "resource", "termios", "pwd", "grp") and mine():
            raise ModuleNotFoundError(name)
def mine():
    frame = sys._getframe(1)
    while frame:
        file = frame.f_code.co_filename
        if "importlib" not in file and file != "<string>":
            return "/realdeg/" in file and "site-packages" not in file
        frame = frame.f_back
    return False
sys.meta_path.insert(0, Lacking())
import realdeg
for module in pkgutil.walk_packages(realdeg.__path__, "realdeg."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print("loaded")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "loaded\n", done.stderr[-600:]
