"""Kernels that an item of a job has found, kept in a file until the job writes its pool."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.arraytypes import Array
from realdeg.atomic import write_bytes
from realdeg.errors import UserError
from realdeg.names import file_name
from realdeg.records import PairRecord, with_files
from realdeg.refusal import Refusal

Kernel = tuple[Array, dict[str, float]] | Refusal  # with figures; or why there is none
KERNEL_FILES, NOISE_FILES, PATCH_FILES, EXAMPLE_FILES = "kernels", "noise", "patches", "examples"
"""Folders of a job, for what its items find (`with_arrays`)."""


def job_folder(out: Path) -> Path:
    """Where the state of the job for a pool lies."""
    return out.with_name(f"{out.stem}.job")


def with_kernels(
    job: Path, record: PairRecord, kernels: Sequence[Array], names: Sequence[str] = ("",)
) -> PairRecord:
    """Write the kernels of an item; `arrays_file` of `KERNEL_FILES` finds the file again.

    Its `energy` is the sum of squared weights: 1 where nothing is blurred, the smaller the wider the kernel.

    Args:
        job: folder of the job.
        record: of the item.
        kernels: (h, w) each, all of one shape.
        names: of the parts of the photo that they are of; "" for the whole.
    """
    return with_arrays(job, _described(record, kernels, names), KERNEL_FILES, np.stack(kernels))


def _described(record: PairRecord, kernels: Sequence[Array], names: Sequence[str]) -> PairRecord:
    energy = [round(float(np.square(kernel).sum()), 6) for kernel in kernels]
    detail = {
        **record.detail,
        "energy": energy[0] if len(energy) == 1 else energy,
        "cells": " ".join(names),
    }
    return replace(record, detail=detail)


def with_arrays(
    job: Path, record: PairRecord, folder: str, arrays: Array | Mapping[str, Array]
) -> PairRecord:
    """Write arrays that an item has found to a file of its own, which the record then vouches for.

    Args:
        job: folder of the job.
        record: of the item.
        folder: inside of the job's, for files of this kind.
        arrays: one (.npy), or several by name (.npz).
    """
    content = io.BytesIO()
    if isinstance(arrays, Mapping):
        np.savez(content, allow_pickle=False, **arrays)
    else:
        np.save(content, arrays, allow_pickle=False)
    path = f"{folder}/{file_name(record.key)}.{'npz' if isinstance(arrays, Mapping) else 'npy'}"
    write_bytes(job / path, content.getvalue())
    return with_files(job, record, path)


def arrays_file(job: Path, record: PairRecord, folder: str) -> Path:
    """The file of `with_arrays`.

    Raises:
        KeyError: the item has found nothing of this kind.
    """
    for path in record.files:
        if path.startswith(f"{folder}/"):
            return job / path
    raise KeyError(folder)


@dataclass(frozen=True)
class OfCell:
    """The kernel of one part of a photo, and its figures by name."""

    name: str
    kernel: Array
    figures: Mapping[str, float]


def cells(
    grid: tuple[int, int], size_hw: tuple[int, int], kernel_of: Callable[[tuple[slice, slice]], Kernel]
) -> tuple[list[OfCell], list[Refusal]]:
    """Ask for the kernel of each part of a photo.

    Args:
        grid: parts down and across.
        size_hw: of the photo, px.
        kernel_of: gives a part's kernel and figures, or why there is none.

    Returns:
        What was found, in order, and why the others gave none.
    """
    found: list[OfCell] = []
    refused: list[Refusal] = []
    for row, column in np.ndindex(*grid):
        part = cell(row, grid[0], size_hw[0]), cell(column, grid[1], size_hw[1])
        kernel = kernel_of(part)
        if isinstance(kernel, Refusal):
            refused.append(kernel)
        else:
            found.append(OfCell(f"r{row}c{column}" if grid != (1, 1) else "", *kernel))
    return found, refused


def with_cells(
    job: Path, record: PairRecord, found: Sequence[OfCell], refused: Sequence[Refusal]
) -> PairRecord:
    """The record of a photo with its kernels written, or the first reason where no part has one.

    Args:
        job: folder of the job.
        record: of the photo; its `source_lr` is named in the reason.
        found, refused: of `cells`.
    """
    record, kernels = of_cells(record, found, refused)
    return with_arrays(job, record, KERNEL_FILES, kernels) if record.ok else record


def of_cells(
    record: PairRecord, found: Sequence[OfCell], refused: Sequence[Refusal]
) -> tuple[PairRecord, Array]:
    """The record of a photo with the figures of its kernels, and the kernels, (n, h, w).

    Args:
        record, found, refused: as of `with_cells`.
    """
    if not found:
        return replace(record, reason=told(Path(record.source_lr), refused[0])), np.zeros((0, 1, 1))
    detail: dict[str, Any] = {**record.detail, "refused_cells": len(refused)}
    for name in found[0].figures:
        values = [one.figures[name] for one in found]
        detail[name] = values[0] if len(values) == 1 else values
    kernels, names = [one.kernel for one in found], [one.name for one in found]
    return _described(replace(record, status="ok", detail=detail), kernels, names), np.stack(kernels)


def told(path: Path, refused: Refusal) -> str:
    """The line of a `UserError` about a file, of why it is not used."""
    return str(UserError(path, refused.reason, refused.remedy))


def cell(number: int, count: int, size: int) -> slice:
    """One of `count` equal parts of `size` px."""
    return slice(number * size // count, (number + 1) * size // count)
