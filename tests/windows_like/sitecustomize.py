"""Makes this process, and those it starts, as much like one on Windows as a POSIX system can be made.

A folder with this file goes first on PYTHONPATH; Python runs it before anything else. Then

- the modules and functions that Windows lacks are gone,
- a file that is open or mapped into memory, here or in a process of the same session, can be neither removed
  nor replaced nor renamed (Linux alone: by /proc),
- names that Windows cannot hold are refused, and names differ by more than their case,
- text is written in cp1252 by whoever names no encoding, and a line ends with two bytes.

`sys.platform`, `os.name` and "\\" are left: the standard library would break with them.
"""

import builtins
import contextlib
import errno
import functools
import io
import os
import re
import signal
import sys

from lists import FUNCTIONS, MODULES, SIGNALS

FORBIDDEN = re.compile(r'[<>:"|?*\\\x01-\x1f]')
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9]) *(\..*)?", re.I)
OTHERS = (sys.prefix, sys.base_prefix, "/proc", "/sys", "/dev")
"""Places of the system and of libraries, which are as they are."""


def _drop():
    for name in FUNCTIONS:
        if hasattr(os, name):
            delattr(os, name)
    for name in SIGNALS:
        if hasattr(signal, name):
            delattr(signal, name)


class _Missing:
    """First of the finders of modules: some are not there."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in MODULES and not (
            name == "fcntl" and _asks("filelock._unix")
        ):  # on Windows it has another way
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _asks(module):
    frame = sys._getframe()
    while frame and frame.f_globals.get("__name__") != module:
        frame = frame.f_back
    return frame is not None


def _is_text(path):
    return isinstance(path, (str, bytes, os.PathLike))


def _ours(path):
    whole = os.path.abspath(os.fsdecode(path))
    return None if whole.startswith(OTHERS) else whole


def _checked(path, function):
    """The path as it is on a disk without letter case, if every part of it is a name that Windows can hold."""
    whole = _ours(path)
    if whole is None or len(whole) > 4096:
        return path
    parts = whole.split("/")[1:]
    for part in parts:
        if FORBIDDEN.search(part) or RESERVED.fullmatch(part) or (part and part[-1] in ". "):
            raise OSError(
                errno.EINVAL, "The filename, directory name, or volume label syntax is incorrect", whole
            )
    place = ""
    for i, part in enumerate(parts):
        here = f"{place}/{part}"
        if not _lexists(here):
            with contextlib.suppress(OSError):
                known = {name.casefold(): name for name in _listdir(place or "/")}
                here = f"{place}/{known.get(part.casefold(), part)}"
            if not _lexists(here):
                found = "/".join([here, *parts[i + 1 :]])
                return found if found.casefold() == whole.casefold() and found != whole else path
        place = here
    return path if place == whole else place


_listdir, _readlink, _lstat = os.listdir, os.readlink, os.lstat


def _lexists(path):
    try:
        _lstat(path)
    except (OSError, ValueError):
        return False
    return True


def _in_use(path):
    """Whether a process of this session has the file open, or mapped."""
    whole = os.path.realpath(path)
    for pid in _pids():
        with contextlib.suppress(OSError):
            for number in _listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if _readlink(f"/proc/{pid}/fd/{number}") == whole:
                        return True
            with _open(f"/proc/{pid}/maps") as maps:
                if any(line.rstrip("\n").endswith(whole) for line in maps):
                    return True
    return False


def _pids():
    for name in _listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if _session(int(name)) == _our_session:
                    yield name


_session, _our_session, _open = os.getsid, os.getsid(0), io.open


def _refuse_in_use(path, dir_fd):
    if dir_fd is not None:
        path = os.path.join(_readlink(f"/proc/self/fd/{dir_fd}"), os.fsdecode(path))
    if _ours(path) and os.path.isfile(path) and not os.path.islink(path) and _in_use(path):
        raise PermissionError(
            errno.EACCES, "The process cannot access the file because it is being used", path
        )


def _by_name(name, paths, uses=0):
    """The function of `os`, its first arguments checked as paths; `uses` of them must not be open."""
    inner = getattr(os, name)

    @functools.wraps(inner)
    def outer(*args, **kwargs):
        if sys._getframe(1).f_globals.get("__name__") == "tempfile":  # deletes on close, by flags, on Windows
            return inner(*args, **kwargs)
        dir_fd = kwargs.get("dir_fd")
        if dir_fd is None:
            args = tuple(_checked(a, name) if i < paths and _is_text(a) else a for i, a in enumerate(args))
        for one in args[:uses]:
            _refuse_in_use(one, dir_fd)
        return inner(*args, **kwargs)

    setattr(os, name, outer)
    return outer


def _opening(inner):
    @functools.wraps(inner)
    def outer(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, *more, **kwargs):
        if _is_text(file):
            file = _checked(file, "open")
            importer = sys._getframe(1).f_globals.get("__name__", "")
            ours = importer.partition(".")[0] in ("realdeg", "train", "pipelines", "pathlib")
            if "b" not in mode and ours and _ours(file):
                encoding = "cp1252" if encoding in (None, "locale") else encoding
                newline = "\r\n" if newline is None and "r" not in mode else newline
        return inner(file, mode, buffering, encoding, errors, newline, *more, **kwargs)

    return outer


def _begin():
    _drop()
    sys.meta_path.insert(0, _Missing)
    for module in MODULES & set(sys.modules):
        del sys.modules[module]
    for name in ("open", "stat", "lstat", "mkdir", "rmdir", "scandir", "listdir", "access", "utime", "chmod"):
        _by_name(name, 1)
    for name in ("unlink", "remove"):
        _by_name(name, 1, uses=1)
    for name in ("rename", "replace"):
        _by_name(name, 2, uses=2)
    _by_name("link", 2)
    io.open = builtins.open = _opening(io.open)


_begin()
