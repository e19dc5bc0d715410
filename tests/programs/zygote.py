"""A process that has loaded what programs need, and forks into one for each request.

Started by `programs.py`, with the descriptor of a socket and the names of modules as its arguments. It does
nothing but import: no thread is running and no library has begun to work when it forks.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import socket
import sys
import threading
import traceback
from pathlib import Path


def requests(end: socket.socket) -> list[str]:
    """Fork for each request and tell its process's number and exit code; the program's words, in the child."""
    running: dict[int, tuple[int, int]] = {}
    selector = selectors.DefaultSelector()
    selector.register(end, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fd in running:
                child, told = running.pop(key.fd)
                selector.unregister(key.fd)
                os.close(key.fd)
                tell(told, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                os.close(told)
                continue
            message, descriptors, _, _ = socket.recv_fds(end, 1 << 20, 3)
            if not message:
                os._exit(0)
            child = os.fork()
            if child == 0:
                selector.close()
                for mine in (end.detach(), *(n for two in running.items() for n in (two[0], two[1][1]))):
                    os.close(mine)
                return prepared(json.loads(message), *descriptors)
            *streams, told = descriptors
            for stream in streams:
                os.close(stream)
            tell(told, child)
            ended = os.pidfd_open(child)
            running[ended] = child, told
            selector.register(ended, selectors.EVENT_READ)


def tell(descriptor: int, number: int) -> None:
    """A line for whoever started the program; that one may be gone."""
    with contextlib.suppress(OSError):
        os.write(descriptor, b"%d\n" % number)


def prepared(asked: dict, out: int, err: int, told: int) -> list[str]:
    """Make this process what was asked for: streams, folder, environment; its words."""
    os.dup2(out, 1)
    os.dup2(err, 2)
    for descriptor in (out, err, told):
        os.close(descriptor)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    return asked["words"]


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
