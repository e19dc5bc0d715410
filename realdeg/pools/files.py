"""Files that hold arrays of kernels and noise: .npz, .npy, .mat and folders of them, read and written.

Nothing in a file is ever executed. A .npz written here holds a header (JSON) under `realdeg_pool` with the
kind of pool, the names in order, and where it comes from.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Required, TypedDict

import numpy as np

from realdeg.arraytypes import Array
from realdeg.atomic import write_bytes
from realdeg.errors import UserError
from realdeg.io.arrays import Npz, Unreadable, read_npy
from realdeg.io.find import natural
from realdeg.io.header import Unsupported
from realdeg.io.matlab import read_mat
from realdeg.typed import Json, Mistyped, parsed

ARRAY_SUFFIXES = (".npz", ".npy", ".mat")
HEADER = "realdeg_pool"
REMEDY = "restore it or remove it"
SAME_DAY = (1980, 1, 1, 0, 0, 0)  # in the zip archive: equal pools give equal bytes


def files(path: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Files of a pool with their names, in natural order.

    Raises:
        UserError: `path` does not exist.
    """
    if path.is_file():
        yield path, path.stem
        return
    if not path.is_dir():
        raise UserError(path, "does not exist", "give a pool file or folder")
    found = [p for p in path.rglob("*") if p.suffix.lower() in suffixes and not _hidden(p.relative_to(path))]
    for file in sorted(found, key=lambda p: natural(p.relative_to(path).as_posix())):
        yield file, file.relative_to(path).with_suffix("").as_posix()


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def is_written_pool(path: Path) -> bool:
    """Whether a file is a pool as it is written here, which names its patches whatever it is called."""
    try:
        with zipfile.ZipFile(path) as archive:
            return f"{HEADER}.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def is_place(name: str) -> bool:
    """Whether a name is a path inside of a folder, which it becomes where the pool is written as one."""
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts and "\0" not in name
    return inside and str(path) == name and name != "."


def arrays(file: Path) -> list[tuple[str, Array]]:
    """Numeric arrays of a file by name, without a pool's header.

    Raises:
        UserError: it cannot be read.
    """
    try:
        if file.suffix.lower() == ".npy":
            return [("", read_npy(file))]
        if file.suffix.lower() == ".npz":
            with Npz(file) as archive:
                names = [name for name in archive if name != HEADER]
                return [(name if len(names) > 1 else "", archive[name]) for name in names]
        content = read_mat(file)
    except Unsupported as error:
        raise UserError(file, str(error), "save it with -v7, or as .npz") from None
    except (Unreadable, OSError) as error:
        raise _unreadable(file, error) from None
    if "Kernel" in content:
        content = {"": content["Kernel"]}
    return [("" if len(content) == 1 else name, value) for name, value in content.items()]


class Head(TypedDict, total=False):
    """Header of a pool that is written here."""

    kind: Required[str]
    names: Required[list[str]]
    about: dict[str, Json]


def header(file: Path, kind: str) -> Head | None:
    """The header of a pool written here; None for any other file.

    Raises:
        UserError: a pool of the other kind, or a header that is damaged.
    """
    if file.suffix.lower() != ".npz" or not file.is_file():
        return None
    try:
        with Npz(file) as archive:
            if HEADER not in archive:
                return None
            head: Head = parsed(archive.text(HEADER), Head)
            count = len(archive) - 1
    except (Unreadable, OSError) as error:
        raise _unreadable(file, error) from None
    except Mistyped as error:
        raise _unreadable(file, f"its header is damaged: {error}") from None
    if len(head["names"]) != count or len(set(head["names"])) < count:
        raise _unreadable(file, "its header lists other arrays than it holds")
    if not all(map(is_place, head["names"])):
        raise _unreadable(file, "its header holds names that lead out of it")
    if head["kind"] != kind:
        raise UserError(file, f"is a pool of {head['kind']}s, not of {kind}s", "give the other pool")
    return head


def kind_of(file: Path) -> str | None:
    """What a pool written here says that it holds; None for any other file.

    Raises:
        UserError: it cannot be read.
    """
    try:
        with Npz(file) as archive:
            return parsed(archive.text(HEADER), Head)["kind"] if HEADER in archive else None
    except (Unreadable, Mistyped, OSError) as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, why: str | Exception) -> UserError:
    text = getattr(why, "strerror", None) or str(why)
    return UserError(file, f"cannot be read as a pool ({text})", REMEDY)


def write_pool(
    path: Path, kind: str, names: Sequence[str], content: Sequence[Array], about: Mapping[str, Any]
) -> None:
    """Write a pool as .npz, whole or not at all; equal content gives equal bytes.

    Args:
        path: ends in .npz.
        kind: "kernel" or "noise".
        names: of the arrays.
        content: one array a name.
        about: where the pool comes from; JSON values.

    Raises:
        UserError: it cannot be written.
    """
    head = {"kind": kind, "names": list(names), "about": dict(about)}
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        text = np.array(json.dumps(head, ensure_ascii=False, sort_keys=True))
        for name, array in ((HEADER, text), *((f"a{i:06d}", a) for i, a in enumerate(content))):
            entry = zipfile.ZipInfo(f"{name}.npy", SAME_DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(entry, data.getvalue())
    write_bytes(path, whole.getvalue())


def write_mat(path: Path, content: Mapping[str, Any]) -> None:
    """Write a MATLAB 5 file, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    from scipy.io import savemat

    whole = io.BytesIO()
    savemat(whole, dict(content))
    write_bytes(path, whole.getvalue())
