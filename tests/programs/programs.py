"""Programs of ours, run in processes of their own that need not load numpy, OpenCV and torch again.

`python -m realdeg degrade` takes half a second to start and a training three, most of it imports; tests start
hundreds. Here a process that has imported everything forks for each of them: the program is one process as
always, with its own arguments, environment, folder, streams and exit code, and can be killed. Tests of the start
itself, of imports and shells, and the calm runs whose bytes others must have, start Python: two programs of here
have one hash seed.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

LIGHT = ("realdeg.degrade.folder", "realdeg.align.folder", "realdeg.dataset.tile", "realdeg.degrade.replay")
HEAVY = (*LIGHT, "torch", "torch._dynamo", "train.engine.session", "train.evaluate.command")
LEARNING = ("train", "upscale", "evaluate", "sample", "export-model", "kernels", "calibrate")
"""Commands of `realdeg` that load torch, or may."""
_loaded: dict[tuple[str, ...], socket.socket] = {}


class Program:
    """A running program, with what of `subprocess.Popen` tests use; its output goes into files."""

    def __init__(self, words: list[str], cwd: Path, env: Mapping[str, str], *, together: bool) -> None:
        self.words = words
        self.returncode: int | None = None
        self._out = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed when it was read
        self._err = self._out if together else tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._told, told = os.pipe()
        torch = words[0] != "realdeg" or (len(words) > 1 and words[1] in LEARNING)
        asked = json.dumps({"words": words, "cwd": str(cwd), "env": dict(env)}).encode()
        streams = [self._out.fileno(), self._err.fileno(), told]
        socket.send_fds(_zygote(HEAVY if torch else LIGHT), [asked], streams)
        os.close(told)
        self.pid = self._number()

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self.returncode = self._number()
            os.close(self._told)
        return self.returncode

    def wait(self, timeout: float = 120) -> int:
        """Its exit code, minus the signal that ended it.

        Raises:
            subprocess.TimeoutExpired: it runs on.
        """
        until = time.monotonic() + timeout
        while self.poll() is None:
            if not select.select([self._told], [], [], max(until - time.monotonic(), 0))[0]:
                raise subprocess.TimeoutExpired(self.words, timeout)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float = 120) -> tuple[str, str]:
        """Both outputs, once it has ended; the second is empty where both go together."""
        self.wait(timeout)
        said = []
        for stream in dict.fromkeys((self._out, self._err)):
            stream.seek(0)
            said.append(stream.read())
            stream.close()
        return said[0], said[1] if len(said) > 1 else ""

    def send_signal(self, number: int) -> None:
        """Send a signal to it, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """`kill -9`."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """`kill`."""
        self.send_signal(signal.SIGTERM)

    def _number(self) -> int:
        line = b""
        while not line.endswith(b"\n"):
            if not (more := os.read(self._told, 1)):
                raise ConnectionError("the process that starts programs has ended")
            line += more
        return int(line)


def start(
    *words: object,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    together: bool = False,
) -> Program | subprocess.Popen[str]:
    """`python -m WORDS`, running.

    Args:
        words: a module and its arguments.
        cwd: its folder.
        env: variables beyond ours. What Python or a library reads when it is loaded has no effect.
        together: standard error goes where standard output goes.
    """
    line, folder, variables = (
        [str(word) for word in words],
        Path(cwd or Path.cwd()),
        {**os.environ, **(env or {})},
    )
    if hasattr(os, "pidfd_open"):
        return Program(line, folder, variables, together=together)
    return subprocess.Popen(
        [sys.executable, "-m", *line], cwd=folder, env=variables, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if together else subprocess.PIPE, text=True,
    )  # fmt: skip


def run(
    *words: object,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """`python -m WORDS` to its end, as `subprocess.run` with its output captured as text.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
    """
    program = start(*words, cwd=cwd, env=env)
    try:
        said = program.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        program.kill()
        program.communicate()
        raise
    return subprocess.CompletedProcess(list(map(str, words)), program.wait(), *said)


def _zygote(modules: tuple[str, ...]) -> socket.socket:
    """The connection to a process that has loaded the modules; it ends with us."""
    if modules not in _loaded:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # a message is a request
        with its:
            subprocess.Popen(
                [sys.executable, Path(__file__).with_name("zygote.py"), str(its.fileno()), *modules],
                pass_fds=[its.fileno()], cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        _loaded[modules] = ours
    return _loaded[modules]
