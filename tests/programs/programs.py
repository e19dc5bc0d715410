"""Programs of ours, run in processes of their own that need not load numpy, OpenCV and torch again.

`python -m realdeg degrade` takes half a second to start and a training three, most of it imports; tests start
hundreds. Here a process that has imported everything forks for each of them: the program is one process as
always, with its own arguments, environment, folder, streams and exit code. Tests of the start itself, of
imports, signals and shells, and those that compare bytes between processes of unlike hash seeds, start Python.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

LIGHT = ("realdeg.degrade.folder", "realdeg.align.folder", "realdeg.dataset.tile", "realdeg.degrade.replay")
HEAVY = (*LIGHT, "torch", "torch._dynamo", "train.engine.session", "train.evaluate.command")
LEARNING = ("train", "upscale", "evaluate", "sample", "export-model", "kernels", "calibrate", "noise")
"""Commands of `realdeg` that load torch, or may."""
_loaded: dict[tuple[str, ...], socket.socket] = {}


def run(
    *words: object,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """`python -m WORDS`, as `subprocess.run` with its output captured as text.

    Args:
        words: a module and its arguments.
        cwd: its folder.
        env: variables beyond ours. What Python or a library reads when it is loaded has no effect.
        timeout: seconds.
    """
    line = [str(word) for word in words]
    if not hasattr(os, "fork"):
        return subprocess.run(
            [sys.executable, "-m", *line], cwd=cwd, env={**os.environ, **(env or {})},
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
    torch = line[0] != "realdeg" or (len(line) > 1 and line[1] in LEARNING)
    end = _zygote(HEAVY if torch else LIGHT)
    asked = {"words": line, "cwd": str(cwd or Path.cwd()), "env": {**os.environ, **(env or {})}}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        end.settimeout(timeout)
        socket.send_fds(end, [json.dumps(asked).encode()], [out.fileno(), err.fileno()])
        process = _number(end)
        try:
            code = _number(end)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            _number(end)
            raise subprocess.TimeoutExpired(line, timeout) from None
        for stream in (out, err):
            stream.seek(0)
        return subprocess.CompletedProcess(line, code, out.read(), err.read())


def _zygote(modules: tuple[str, ...]) -> socket.socket:
    """The connection to a process that has loaded the modules; it ends with us."""
    if modules not in _loaded:
        ours, its = socket.socketpair()
        with its:
            subprocess.Popen(
                [sys.executable, Path(__file__).with_name("zygote.py"), str(its.fileno()), *modules],
                pass_fds=[its.fileno()], cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        _loaded[modules] = ours
    return _loaded[modules]


def _number(end: socket.socket) -> int:
    """The next line, which is one."""
    line = b""
    while not line.endswith(b"\n"):
        if not (more := end.recv(1)):
            raise ConnectionError("the process that starts programs has ended")
        line += more
    return int(line)
