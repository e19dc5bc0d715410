"""Whether a path is a pool, of which kind, and for which scale."""

from __future__ import annotations

from pathlib import Path

from realdeg.pools.files import ARRAY_SUFFIXES, arrays, files, kind_of
from realdeg.pools.kernel_pool import KERNELGAN_NAME, KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import MANIFEST

DEFAULT_SCALE = 4


def is_pool(path: Path) -> bool:
    """Whether a path is a pool file, or a folder that is no dataset."""
    if path.is_dir():
        return not (path / MANIFEST).exists() and any(path.iterdir())
    return path.suffix.lower() in ARRAY_SUFFIXES


def read_pool(path: Path) -> KernelPool | NoisePool:
    """Read a pool of either kind: as its header says, else by what is in it.

    A folder with arrays holds kernels, one with pictures noise; an array with three channels in its last
    axis is noise. Of KernelGAN's kernels for several scales those for the smallest are read.

    Raises:
        UserError: it cannot be read, or holds neither.
    """
    found = list(files(path, ARRAY_SUFFIXES))
    if not found:
        return NoisePool.read(path)
    first = found[0][0]
    scales = [int(match[1]) for file, _ in found if (match := KERNELGAN_NAME.search(file.stem))]
    scale = min(scales, default=DEFAULT_SCALE)
    kind = _kind(first)
    return NoisePool.read(path) if kind == "noise" else KernelPool.read(path, scale)


def _kind(file: Path) -> str:
    if file.suffix.lower() == ".npz" and (told := kind_of(file)) is not None:
        return told
    shapes = [array.shape for _, array in arrays(file)]
    return "noise" if shapes and len(shapes[0]) in (3, 4) and shapes[0][-1] == 3 else "kernel"
