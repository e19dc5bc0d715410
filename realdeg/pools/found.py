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
from realdeg.records import PairRecord, with_files

Kernel = tuple[Array, dict[str, float]] | str  # with figures; or why there is none
KERNELS = "kernels"  # folder of a job


def job_folder(out: Path) -> Path:
    """Where the state of the job for a pool lies."""
    return out.with_name(f"{out.stem}.job")


def with_kernels(
    job: Path, record: PairRecord, kernels: Sequence[Array], names: Sequence[str] = ("",)
) -> PairRecord:
    """Write the kernels of an item; the record names the file in its column `lr`.

    Its `energy` is the sum of squared weights: 1 where nothing is blurred, the smaller the wider the kernel.

    Args:
        job: folder of the job.
        record: of the item.
        kernels: (h, w) each, all of one shape.
        names: of the parts of the photo that they are of; "" for the whole.
    """
    path = f"{KERNELS}/{record.key}.npy"
    content = io.BytesIO()
    np.save(content, np.stack(kernels))
    write_bytes(job / path, content.getvalue())
    energy = [round(float(np.square(kernel).sum()), 6) for kernel in kernels]
    detail = {
        **record.detail,
        "energy": energy[0] if len(energy) == 1 else energy,
        "cells": " ".join(names),
    }
    return with_files(job, replace(record, lr=path, detail=detail))


@dataclass(frozen=True)
class OfCell:
    """The kernel of one part of a photo, and its figures by name."""

    name: str
    kernel: Array
    figures: Mapping[str, float]


def cells(
    grid: tuple[int, int], size_hw: tuple[int, int], kernel_of: Callable[[tuple[slice, slice]], Kernel]
) -> tuple[list[OfCell], list[str]]:
    """Ask for the kernel of each part of a photo.

    Args:
        grid: parts down and across.
        size_hw: of the photo, px.
        kernel_of: gives a part's kernel and figures, or the reason why there is none.

    Returns:
        What was found, in order, and the reasons of the others.
    """
    found: list[OfCell] = []
    refused: list[str] = []
    for row, column in np.ndindex(*grid):
        part = cell(row, grid[0], size_hw[0]), cell(column, grid[1], size_hw[1])
        kernel = kernel_of(part)
        if isinstance(kernel, str):
            refused.append(kernel)
        else:
            found.append(OfCell(f"r{row}c{column}" if grid != (1, 1) else "", *kernel))
    return found, refused


def with_cells(job: Path, record: PairRecord, found: Sequence[OfCell], refused: Sequence[str]) -> PairRecord:
    """The record of a photo with its kernels written, or the first reason where no part has one.

    Args:
        job: folder of the job.
        record: of the photo; its `source_lr` is named in the reason.
        found, refused: of `cells`.
    """
    if not found:
        return replace(record, reason=told(Path(record.source_lr), refused[0]))
    detail: dict[str, Any] = {**record.detail, "refused_cells": len(refused)}
    for name in found[0].figures:
        values = [one.figures[name] for one in found]
        detail[name] = values[0] if len(values) == 1 else values
    kernels, names = [one.kernel for one in found], [one.name for one in found]
    return with_kernels(job, replace(record, status="ok", detail=detail), kernels, names)


def told(path: Path, reason: str) -> str:
    """The line of a `UserError` about a file, of "what is wrong; what to do"."""
    problem, _, remedy = reason.partition("; ")
    return str(UserError(path, problem, remedy))


def cell(number: int, count: int, size: int) -> slice:
    """One of `count` equal parts of `size` px."""
    return slice(number * size // count, (number + 1) * size // count)
