"""Questions to a process of their own, which may crash, hang or print; for programs in this folder."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

WAITING = 6
"""Other work on the machine may slow a process by this much before it counts as hung."""


class Worker:
    """A process that answers one JSON line for each JSON line, and is begun anew when it ends or hangs."""

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self.command = [sys.executable, *command]
        self.seconds = seconds
        self.process: subprocess.Popen[bytes] | None = None
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker

    def ask(self, **what: Any) -> dict[str, Any]:
        """Answer, or {"status": "crash" | "hang"}; with "said", what appeared on descriptor 2."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said
            )
            self._line(60)  # ready
        assert self.process.stdin
        before, began = os.fstat(self.said.fileno()).st_size, time.perf_counter()
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()
        line = self._line(self.seconds)
        took = time.perf_counter() - began
        if line:
            answer = json.loads(line)
        else:
            answer = {"status": "hang" if self.process.poll() is None else f"crash {self.process.returncode}"}
            self.close()
        size = os.fstat(self.said.fileno()).st_size
        answer["said"] = os.pread(self.said.fileno(), min(size - before, 2000), before).decode(
            errors="replace"
        )
        return {**answer, "seconds": round(took, 3)}

    def _line(self, seconds: float) -> bytes:
        """Next line; nothing once so many processor seconds are used, or six times as many have passed."""
        assert self.process
        assert self.process.stdout
        began, used = time.perf_counter(), self._used()
        while self._used() - used < seconds and time.perf_counter() - began < WAITING * seconds:
            ready, _, _ = select.select([self.process.stdout], [], [], 0.5)
            if ready:
                line = self.process.stdout.readline()
                if not line:
                    self.process.wait()
                return line
        return b""

    def _used(self) -> float:
        """Processor seconds of the process so far; 0 where the system does not tell."""
        assert self.process
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            with contextlib.suppress(OSError):
                self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


def serve(answer: Callable[..., dict[str, Any]], most_bytes: int | None = None) -> None:
    """Answer the lines of standard input until it ends, within so much address space."""
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints there is no answer
    print(json.dumps({"status": "ready"}), file=out, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), file=out, flush=True)
