"""What pools of either kind share: names of their arrays, where they come from, and hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from realdeg import inputs
from realdeg.arraytypes import Array
from realdeg.errors import UserError
from realdeg.pools.files import is_place

MOST = 100_000  # kernels or patches of a pool: every one is an object, and has a name


def index_of_entry(
    names: tuple[str, ...], name: str, sha: str, hash_of: Callable[[int], str], what: str
) -> int:
    """Place of an entry that a plan names.

    Raises:
        UserError: the pool lacks it, or has another of its name.
    """
    remedy = "give the pool that the plan was drawn from"
    if name not in names:
        raise UserError(name, f"{what} is not in the pool", remedy)
    index = names.index(name)
    if hash_of(index) != sha:
        raise UserError(name, f"{what} of this name has other content than the one that was drawn", remedy)
    return index


def add_entry(found: dict[str, Array], name: str, array: Array, file: Path) -> None:
    """Take in an array of a file.

    Raises:
        UserError: its name is taken, or is no place in a folder.
    """
    if name in found:
        raise UserError(file, f"is the second to hold {name!r}", "rename or remove one of the files")
    if not is_place(name):
        raise UserError(file, f"holds an array named {name!r}", "rename it; names are paths in a folder")
    found[name] = array


def given_arrays(arrays: Any, what: str) -> list[tuple[str, Array]]:
    """Arrays of a caller, each with the words that name it."""
    if not isinstance(arrays, Iterable) or isinstance(arrays, (str, bytes)):
        raise inputs.BadInput(f"{what} pool", f"{str(arrays)[:60]!r} are no arrays", "give a list of arrays")
    found = [(f"{what} {place}", array) for place, array in enumerate(arrays)]
    for where, array in found:
        if not isinstance(array, np.ndarray):
            problem = f"is of type {type(array).__name__}"
            raise inputs.BadInput(where, problem, "give a list of NumPy arrays")
    if not found:
        raise inputs.BadInput(f"{what} pool", "holds nothing", "give at least one array")
    if len(found) > MOST:
        raise inputs.BadInput(f"{what} pool", f"holds {len(found):,} arrays", f"give at most {MOST:,}")
    return found


def entry_names(names: Any, what: str, count: int) -> tuple[str, ...]:
    """Names of so many arrays."""
    if names is None:
        return tuple(f"{what}_{place}" for place in range(count))
    if not isinstance(names, Iterable) or isinstance(names, (str, bytes)):
        raise inputs.BadInput("names", f"{str(names)[:60]!r} are no names", "give a list of texts")
    found = tuple(names)
    if (
        len(found) != count
        or len(set(found)) < count
        or not all(isinstance(n, str) and is_place(n) for n in found)
    ):
        problem = f"{count} arrays have {len(found)} names ({len(set(found))} of them different)"
        raise inputs.BadInput("names", problem, "give each a name of its own, a path without '..'")
    return found


def entry_name(file: str, part: str, index: int, count: int) -> str:
    """Name of an array: its file, its part, and its number where a part holds several."""
    return "/".join([file, *([part] if part else []), *([str(index)] if count > 1 else [])])


def digest_of(*arrays: Array) -> str:
    """Content hash of arrays, in order."""
    total = hashlib.blake2b(digest_size=8)
    for array in arrays:
        total.update(f"{array.shape}{array.dtype}".encode())
        total.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return total.hexdigest()
