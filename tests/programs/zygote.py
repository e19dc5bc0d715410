"""A process that has loaded what programs need, and forks into one for each request.

Started by `programs.py` with a socket as its only argument's descriptor. It does nothing but import: no thread
is running and no library has begun to work when it forks.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import socket
import sys
import threading
import traceback
from pathlib import Path


def requests(end: socket.socket) -> list[str]:
    """Fork for each request and tell its process's number and exit status; the words, in the child alone."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(end, 1 << 20, 2)
        if not message:
            os._exit(0)
        child = os.fork()
        if child == 0:
            asked = json.loads(message)
            end.close()
            for number, descriptor in enumerate(descriptors, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            os.chdir(asked["cwd"])
            os.environ.clear()
            os.environ.update(asked["env"])
            return asked["words"]
        for descriptor in descriptors:
            os.close(descriptor)
        end.sendall(b"%d\n" % child)
        status = os.waitpid(child, 0)[1]
        end.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def run(module: str, words: list[str]) -> int:
    """The program to its end, as `python -m` has it; its exit code."""
    sys.argv, sys.path[0] = [module, *words], str(Path.cwd())
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    connection = socket.socket(fileno=int(sys.argv[1]))
    sys.path[0] = str(Path.cwd())  # as `python -m` has it
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is loaded is shared by all, as long as nobody looks at it
    module, *words = requests(connection)
    code = run(module, words)
    # What Python does at its end, but for taking all modules apart, which costs as much as loading them.
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
