"""Pools of blur kernels and of noise patches, read from files and checked before the first image."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import numpy as np
import numpy.typing as npt

from realdeg.errors import UserError
from realdeg.imaging.kernels import centre_of_mass
from realdeg.io.find import IMAGE_SUFFIXES, natural
from realdeg.io.photo import read
from realdeg.records import fingerprint

Array = npt.NDArray[Any]
Pool = TypeVar("Pool", "KernelPool", "NoisePool")

ARRAY_SUFFIXES = (".npz", ".npy", ".mat")
SUM_TOLERANCE = 0.01
KERNELGAN_NAME = re.compile(r"_kernel_x(\d+)$")


@dataclass(frozen=True, eq=False)
class KernelPool:
    """Blur kernels by name: (h, w) float64, sum 1, to be applied as correlation.

    Attributes:
        names: unique, e.g. "kernels_12/3" for the fourth of a file.
        kernels: in the order of the names.
    """

    names: tuple[str, ...]
    kernels: tuple[Array, ...]

    @classmethod
    def read(cls, path: Path, scale: int) -> KernelPool:
        """Read .npz, .npy or .mat, or a folder of them.

        KernelGAN's `NAME/NAME_kernel_x4.mat` (key `Kernel`) is understood; of its files only those for
        `scale` are taken. MATLAB cell arrays and (n, h, w) stacks give one kernel an entry.

        Raises:
            UserError: nothing there, unreadable, not 2-D, not finite, a sum more than 1 % from 1, a centre
                of mass outside of the kernel, or two kernels of one name.
        """
        found: dict[str, Array] = {}
        others: set[int] = set()
        for file, name in _files(path, ARRAY_SUFFIXES):
            made_for = KERNELGAN_NAME.search(file.stem)
            if made_for and int(made_for[1]) != scale:
                others.add(int(made_for[1]))
                continue
            for part, array in _arrays(file):
                kernels = _stack(array, file)
                for index, kernel in enumerate(kernels):
                    _add(found, _name(name, part, index, len(kernels)), _checked(kernel, file), file)
        if not found:
            problem = "holds no kernel"
            if others:
                problem += f" for x{scale}, only for {', '.join(f'x{o}' for o in sorted(others))}"
            raise UserError(path, problem, "give .mat, .npy or .npz files with kernels for this scale")
        return cls(tuple(found), tuple(found.values()))

    @property
    def digest(self) -> str:
        """Content hash of the whole pool."""
        return _digest(*self.kernels)

    def hash_of(self, index: int) -> str:
        """Content hash of one kernel."""
        return _digest(self.kernels[index])


@dataclass(frozen=True, eq=False)
class NoisePool:
    """Noise patches by name, as stored: a pool of thousands has to fit into every worker's memory.

    Attributes:
        names: unique, e.g. "iphone/img_007".
        patches: in the order of the names; (h, w, 3), pixel values (uint8, uint16) or residuals (float).
    """

    names: tuple[str, ...]
    patches: tuple[Array, ...]

    @classmethod
    def read(cls, path: Path) -> NoisePool:
        """Read a folder of patch images (RealSR's NAME_000.png), or .npz or .npy with (n, h, w, 3).

        Integer arrays and images are pixel values, float arrays residuals in units of [0, 1]; the mean of
        each channel is taken away in `residual`.

        Raises:
            UserError: nothing there, unreadable, of another shape, not finite, or floats in other units.
        """
        found: dict[str, Array] = {}
        for file, name in _files(path, (*IMAGE_SUFFIXES, ".npz", ".npy")):
            if file.suffix.lower() in ARRAY_SUFFIXES:
                for part, array in _arrays(file):
                    stack = array if array.ndim == 4 else array[None]
                    if stack.ndim != 4 or stack.shape[-1] != 3:
                        raise UserError(
                            file, f"holds no noise patches but {array.shape}", "(n, h, w, 3) is meant"
                        )
                    for index, patch in enumerate(stack):
                        _add(found, _name(name, part, index, len(stack)), _noise(patch, file), file)
            else:
                _add(found, name, _noise(read(file).pixels, file), file)
        if not found:
            raise UserError(path, "holds no noise patch", "give a folder of patch images, or .npz or .npy")
        return cls(tuple(found), tuple(found.values()))

    @property
    def digest(self) -> str:
        """Content hash of the whole pool."""
        return _digest(*self.patches)

    def hash_of(self, index: int) -> str:
        """Content hash of one patch."""
        return _digest(self.patches[index])

    def residual(self, index: int) -> Array:
        """One patch as what is added to an image: (h, w, 3) float32, units of [0, 1], channel means 0."""
        patch = self.patches[index]
        peak = 1.0 if patch.dtype.kind == "f" else float(np.iinfo(patch.dtype).max)
        values = patch.astype(np.float64) / peak
        result: Array = (values - values.mean((0, 1))).astype(np.float32)
        return result


@dataclass(frozen=True)
class PoolFile(Generic[Pool]):
    """A pool by its place on disk, which is all that is sent to worker processes with each image.

    Each process reads the pool once; sending 300 noise patches along took 100 times as long as the work.
    """

    kind: type[Pool]
    path: Path
    arguments: tuple[int, ...]
    stamp: str

    @classmethod
    def read(cls, kind: type[Pool], path: Path, *arguments: int) -> tuple[PoolFile[Pool], Pool]:
        """Read and check a pool, and keep it in this process."""
        pool = kind.read(path, *arguments)
        file = cls(kind, path, arguments, fingerprint(pool.names, pool.digest))
        _held[kind.__name__] = (file, pool)
        return file, pool

    def pool(self) -> Pool:
        """The pool that was read.

        Raises:
            UserError: its files have changed since.
        """
        held, pool = _held.get(self.kind.__name__, (None, None))
        if held != self:
            now, pool = self.read(self.kind, self.path, *self.arguments)
            if now != self:
                raise UserError(self.path, "was changed while the job was running", "run with --overwrite")
        return cast(Pool, pool)


_held: dict[str, tuple[PoolFile[Any], Any]] = {}
"""The last pool of each kind that this process has read."""


def _add(found: dict[str, Array], name: str, array: Array, file: Path) -> None:
    if name in found:
        raise UserError(file, f"is the second to hold {name!r}", "rename or remove one of the files")
    found[name] = array


def _files(path: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Files of a pool with their names, in natural order."""
    if path.is_file():
        yield path, path.stem
        return
    if not path.is_dir():
        raise UserError(path, "does not exist", "give a pool file or folder")
    files = [p for p in path.rglob("*") if p.suffix.lower() in suffixes and not _hidden(p.relative_to(path))]
    for file in sorted(files, key=lambda p: natural(p.relative_to(path).as_posix())):
        yield file, file.relative_to(path).with_suffix("").as_posix()


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _arrays(file: Path) -> list[tuple[str, Array]]:
    """Numeric arrays of a file by name; nothing in it is ever executed."""
    try:
        if file.suffix.lower() == ".npy":
            return [("", np.load(file, allow_pickle=False))]
        if file.suffix.lower() == ".npz":
            with np.load(file, allow_pickle=False) as archive:
                return [(name if len(archive.files) > 1 else "", archive[name]) for name in archive.files]
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


def _stack(array: Array, file: Path) -> list[Array]:
    """The kernels in one array: itself, a stack, or a MATLAB cell array of them."""
    if array.dtype == object:
        return [np.asarray(cell) for cell in array.ravel()]
    if array.ndim == 2:
        return [array]
    if array.ndim == 3 and array.dtype.kind in "fiu":
        # NumPy stacks along the first axis, MATLAB along the last: where the sums are 1.
        off = [np.abs(array.sum(axes, dtype=np.float64) - 1).max(initial=0.0) for axes in ((1, 2), (0, 1))]
        return list(array if off[0] <= off[1] else np.moveaxis(array, -1, 0))
    raise UserError(file, f"holds no kernel but an array of shape {array.shape}", "2-D kernels are meant")


def _checked(kernel: Array, file: Path) -> Array:
    if kernel.ndim != 2 or kernel.dtype.kind not in "fiu" or min(kernel.shape) < 1:
        raise UserError(file, f"holds no kernel but {kernel.shape} {kernel.dtype}", "2-D kernels are meant")
    values = kernel.astype(np.float64)
    if not np.isfinite(values).all():
        raise UserError(file, "holds a kernel that is not finite", "estimate it again or remove it")
    total = float(values.sum())
    if abs(total - 1) > SUM_TOLERANCE:
        raise UserError(file, f"holds a kernel whose sum is {total:.4g}, not 1", "divide it by its sum")
    x, y = centre_of_mass(values)
    if not (0 <= x <= values.shape[1] - 1 and 0 <= y <= values.shape[0] - 1):
        problem = f"holds a kernel whose centre of mass ({x:.4g}, {y:.4g}) lies outside of it"
        raise UserError(file, problem, "estimate it again or remove it")
    result: Array = values / total
    return result


def _noise(patch: Array, file: Path) -> Array:
    if patch.ndim != 3 or patch.shape[2] != 3 or patch.dtype.kind not in "fiu" or not patch.size:
        raise UserError(file, f"holds no noise patch but {patch.shape} {patch.dtype}", "(h, w, 3) is meant")
    if patch.dtype.kind == "f" and not np.abs(patch).max() <= 1:  # also where it is not a number
        what = "a patch that is not finite" if not np.isfinite(patch).all() else "floats beyond 1"
        raise UserError(file, f"holds {what}", "floats are residuals of images in [0, 1]; divide by 255")
    return patch


def _name(file: str, part: str, index: int, count: int) -> str:
    return "/".join([file, *([part] if part else []), *([str(index)] if count > 1 else [])])


def _digest(*arrays: Array) -> str:
    total = hashlib.blake2b(digest_size=8)
    for array in arrays:
        total.update(f"{array.shape}{array.dtype}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()
