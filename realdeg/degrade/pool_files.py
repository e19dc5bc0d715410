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
from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg.atomic import write_bytes
from realdeg.errors import UserError
from realdeg.io.find import natural

Array = npt.NDArray[Any]
ARRAY_SUFFIXES = (".npz", ".npy", ".mat")
HEADER = "realdeg_pool"
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
            return [("", np.load(file, allow_pickle=False))]
        if file.suffix.lower() == ".npz":
            with np.load(file, allow_pickle=False) as archive:
                names = [name for name in archive.files if name != HEADER]
                return [(name if len(names) > 1 else "", archive[name]) for name in names]
        from scipy.io import loadmat

        content = {k: v for k, v in loadmat(file).items() if not k.startswith("__")}
    except NotImplementedError:
        raise UserError(file, "is a MATLAB 7.3 file", "save it with -v7, or as .npz") from None
    except Exception as error:  # loadmat and np.load raise anything at all on broken files
        text = " ".join(str(error).split())[:100]
        if "pickle" in text:  # so NumPy calls whatever it does not know
            text = "no array of numbers"
        raise UserError(file, f"cannot be read as a pool ({text})", "restore it or remove it") from None
    if "Kernel" in content:
        content = {"": content["Kernel"]}
    return [("" if len(content) == 1 else name, value) for name, value in content.items()]


def header(file: Path, kind: str) -> dict[str, Any] | None:
    """The header of a pool written here; None for any other file.

    Raises:
        UserError: a pool of the other kind, or a header that is damaged.
    """
    if file.suffix.lower() != ".npz" or not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as archive:
            if HEADER not in archive.files:
                return None
            head = json.loads(str(archive[HEADER]))
            names = head["names"]
            if len(names) != len(archive.files) - 1 or len(set(names)) < len(names):
                raise ValueError("its header lists other arrays than it holds")
            if not all(isinstance(name, str) and is_place(name) for name in names):
                raise ValueError("its header holds names that lead out of it")
            if not isinstance(head.get("about", {}), dict):
                raise ValueError("its header is damaged")
    except Exception as error:
        text = " ".join(str(error).split())[:100]
        raise UserError(file, f"cannot be read as a pool ({text})", "restore it or remove it") from None
    if head.get("kind") != kind:
        raise UserError(file, f"is a pool of {head.get('kind')}s, not of {kind}s", "give the other pool")
    return dict(head)


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
