"""Kernels that an item of a job has found, kept in a file until the job writes its pool."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg.atomic import write_bytes
from realdeg.errors import UserError
from realdeg.records import PairRecord

Array = npt.NDArray[Any]
KERNELS = "kernels"  # folder of a job


def with_kernels(
    job: Path, record: PairRecord, kernels: Sequence[Array], names: Sequence[str] = ("",)
) -> PairRecord:
    """Write the kernels of an item; the record names the file in its column `lr`, which resuming checks.

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
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    return replace(record, lr=path, detail={**record.detail, "cells": " ".join(names), "lr_sha256": digest})


def told(path: Path, reason: str) -> str:
    """The line of a `UserError` about a file, of "what is wrong; what to do"."""
    problem, _, remedy = reason.partition("; ")
    return str(UserError(path, problem, remedy))


def cell(number: int, count: int, size: int) -> slice:
    """One of `count` equal parts of `size` px."""
    return slice(number * size // count, (number + 1) * size // count)
