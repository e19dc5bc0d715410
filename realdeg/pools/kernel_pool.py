"""Pools of blur kernels, read from files and checked before the first image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from realdeg import inputs
from realdeg.arraytypes import Array
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.imaging.blur import AlignedKernel, align_kernel
from realdeg.imaging.kernels import centre_of_mass
from realdeg.inputs import PathLike
from realdeg.pools.entries import (
    MOST,
    add_entry,
    digest_of,
    entry_name,
    entry_names,
    given_arrays,
    index_of_entry,
)
from realdeg.pools.files import ARRAY_SUFFIXES, arrays, files, header, write_mat, write_pool

SUM_TOLERANCE = 0.01
LARGEST_KERNEL = 1024  # px a side
ALL_KERNELS = 128 << 20  # bytes of all kernels, which are kept as float64: 17,000 of 31 x 31 px
KERNELGAN_NAME = re.compile(r"_kernel_x(\d+)$")


@dataclass(frozen=True, eq=False)
class KernelPool:
    """Blur kernels by name: (h, w) float64, sum 1, to be applied as correlation.

    Attributes:
        names: unique, e.g. "kernels_12/3" for the fourth of a file.
        kernels: in the order of the names.
        about: where they come from, as the file says; JSON values.
    """

    names: tuple[str, ...]
    kernels: tuple[Array, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    _hashes: dict[int, str] = field(default_factory=dict, init=False, repr=False)
    _placed: dict[tuple[int, int], AlignedKernel] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def read(cls, path: Path, scale: int) -> KernelPool:
        """Read .npz, .npy or .mat, or a folder of them.

        KernelGAN's `NAME/NAME_kernel_x4.mat` (key `Kernel`) is understood; of its files only those for
        `scale` are taken. MATLAB cell arrays and (n, h, w) stacks give one kernel an entry.

        Raises:
            UserError: nothing there, unreadable, not 2-D, not finite, a sum more than 1 % from 1, a centre
                of mass outside of the kernel, or two kernels of one name.
        """
        if head := header(path, "kernel"):
            content = tuple(_checked(array, path) for _, array in arrays(path))
            _few(content, path)
            if not content:
                raise UserError(path, "holds no kernel", "give .mat, .npy or .npz files with kernels")
            return cls(tuple(head["names"]), content, head.get("about", {}))
        found: dict[str, Array] = {}
        others: set[int] = set()
        for file, name in files(path, ARRAY_SUFFIXES):
            made_for = KERNELGAN_NAME.search(file.stem)
            if made_for and int(made_for[1]) != scale:
                others.add(int(made_for[1]))
                continue
            for part, array in arrays(file):
                kernels = _stack(array, file)
                for index, kernel in enumerate(kernels):
                    add_entry(
                        found, entry_name(name, part, index, len(kernels)), _checked(kernel, file), file
                    )
                _few(tuple(found.values()), file)
        if not found:
            problem = "holds no kernel"
            if others:
                problem += f" for x{scale}, only for {', '.join(f'x{o}' for o in sorted(others))}"
            raise UserError(path, problem, "give .mat, .npy or .npz files with kernels for this scale")
        return cls(tuple(found), tuple(found.values()))

    @classmethod
    def load(cls, path: PathLike, scale: int) -> KernelPool:
        """The pool of a file or folder: `read`, for a path of any kind.

        Args:
            path: .npz, .npy or .mat, or a folder of them.
            scale: HR size / LR size; of KernelGAN's files only those for it are taken.

        Raises:
            BadInput: an argument that cannot be used.
            UserError: as `read`.

        Example:
            >>> import realdeg
            >>> pool = realdeg.KernelPool.load("data/sample/kernels/gaussians_x2.npz", scale=2)
            >>> len(pool.names), pool.kernels[0].shape, round(float(pool.kernels[0].sum()), 6)
            (8, (15, 15), 1.0)
        """
        return cls.read(inputs.path(path, "path"), inputs.scale(scale))

    @classmethod
    def from_arrays(cls, kernels: Iterable[Array], names: Iterable[str] | None = None) -> KernelPool:
        """A pool of kernels in memory.

        Args:
            kernels: (h, w) each, applied as correlation, its sum within 1 % of 1 (it is divided by it).
            names: unique; None: "kernel_0" and so on.

        Raises:
            BadInput: not arrays of numbers, or names that are not unique or not as many.
            UserError: a kernel that is not 2-D, not finite, of another sum, or centred outside of itself.

        Example:
            >>> import numpy as np, realdeg
            >>> realdeg.KernelPool.from_arrays([np.full((4, 4), 1 / 16)]).names
            ('kernel_0',)
        """
        checked = [_checked(array, where) for where, array in given_arrays(kernels, "kernel")]
        return cls(entry_names(names, "kernel", len(checked)), tuple(checked))

    def save(self, path: Path, scale: int | None = None) -> None:
        """Write the pool: .npz with names and origin, .mat (one cell array `kernels`), or KernelGAN's folder.

        Args:
            path: ends in .npz or .mat; anything else becomes a folder with `NAME/NAME_kernel_xS.mat`.
            scale: S, needed for a folder; there kernels lie as KernelGAN's imresize wants them, with the
                centre of mass at size // 2 + (S - size % 2) / 2 when they are placed for S.

        Raises:
            UserError: it cannot be written, a folder without a scale, or two of one file name.
        """
        if path.suffix.lower() == ".npz":
            write_pool(path, "kernel", self.names, self.kernels, self.about)
        elif path.suffix.lower() == ".mat":
            cells = np.empty((1, len(self.kernels)), object)
            cells[0, :] = [np.asarray(kernel) for kernel in self.kernels]
            write_mat(path, {"kernels": cells})
        elif path.suffix:
            raise UserError(
                path, f"pools are not written as {path.suffix}", "end it in .npz or .mat, or name a folder"
            )
        elif scale is None:
            raise UserError(
                path, "a folder of kernels is for one scale", "give `scale`", exit_code=EXIT_USAGE
            )
        else:
            plain = {name: KERNELGAN_NAME.sub("", name.split("/")[-1]) for name in self.names}
            if len(set(plain.values())) < len(plain):  # the last part alone does not tell them apart
                plain = {name: KERNELGAN_NAME.sub("", name).replace("/", "_") for name in self.names}
            if len(set(plain.values())) < len(plain):
                raise UserError(path, "two kernels would have one file name", "write .npz")
            for name, kernel in zip(self.names, self.kernels, strict=True):
                file = path / plain[name] / f"{plain[name]}_kernel_x{scale}.mat"
                write_mat(file, {"Kernel": kernelgans(kernel, scale)})

    @property
    def digest(self) -> str:
        """Content hash of the whole pool."""
        return digest_of(*self.kernels)

    def hash_of(self, index: int) -> str:
        """Content hash of one kernel."""
        if index not in self._hashes:
            self._hashes[index] = digest_of(self.kernels[index])
        return self._hashes[index]

    def index_of(self, name: str, sha: str) -> int:
        """Where the kernel of a plan is.

        Raises:
            UserError: no kernel has this name, or it has other content.
        """
        return index_of_entry(self.names, name, sha, self.hash_of, "kernel")

    def placed(self, index: int, scale: int) -> AlignedKernel:
        """A kernel at rest on the grid of a scale, worked out once."""
        if (index, scale) not in self._placed:
            self._placed[index, scale] = align_kernel(self.kernels[index], scale)
        return self._placed[index, scale]

    def facts(self, index: int) -> dict[str, Any]:
        """What is worth knowing of a kernel: size, centre, standard deviations of its two axes (px), hash."""
        kernel = self.kernels[index]
        x, y = centre_of_mass(kernel)
        axes = np.indices(kernel.shape)[::-1].reshape(2, -1) - np.array([[x], [y]])
        spread = np.linalg.eigvalsh((axes * kernel.ravel()) @ axes.T)[::-1]
        return {
            "name": self.names[index],
            "size": "x".join(str(n) for n in kernel.shape[::-1]),
            "centre": f"{x:.2f} {y:.2f}",
            "sigma": " ".join(f"{np.sqrt(max(value, 0)):.2f}" for value in spread),
            "sha": self.hash_of(index),
        }


def kernelgans(kernel: Array, scale: int) -> Array:
    """A kernel where KernelGAN's imresize expects it: odd, centre of mass at side // 2 + (scale - 1) / 2.

    Args:
        kernel: (h, w), its centre of mass anywhere in it.
        scale: of the subsampling.
    """
    at = align_kernel(kernel, scale)
    height, width = at.kernel.shape
    # It keeps HR pixels 0, s, 2s ... of the filtered image: the anchor has to lie (s - 1) // 2 off centre.
    first = (scale - 1) // 2
    centre = at.anchor[0] - first, at.anchor[1] - first
    reach = max(centre[0], centre[1], width - 1 - centre[0], height - 1 - centre[1])
    top, left = reach - centre[1], reach - centre[0]
    side = 2 * reach + 1
    return np.pad(at.kernel, ((top, side - height - top), (left, side - width - left)))


def _stack(array: Array, file: Path) -> list[Array]:
    """The kernels in one array: itself, a stack, or a MATLAB cell array of them."""
    if array.dtype == object:
        return [np.asarray(cell) for cell in array.ravel()]
    if array.ndim == 2:
        return [array]
    if array.ndim == 3 and array.dtype.kind in "fiu" and min(array.shape):
        if (count := max(array.shape[0], array.shape[2])) > MOST:
            raise UserError(file, f"holds {count:,} kernels", f"give at most {MOST:,}")
        # NumPy stacks along the first axis, MATLAB along the last: where the sums are 1.
        off = [np.abs(array.sum(axes, dtype=np.float64) - 1).max(initial=0.0) for axes in ((1, 2), (0, 1))]
        return list(array if off[0] <= off[1] else np.moveaxis(array, -1, 0))
    raise UserError(file, f"holds no kernel but an array of shape {array.shape}", "2-D kernels are meant")


def _few(kernels: tuple[Array, ...], file: Path) -> None:
    """Refuse more kernels than memory is meant for."""
    if len(kernels) > MOST:
        raise UserError(file, f"holds {len(kernels):,} kernels", f"give at most {MOST:,}")
    if (total := sum(one.nbytes for one in kernels)) > ALL_KERNELS:
        problem = f"holds kernels of {total >> 20} MB in all"
        raise UserError(file, problem, f"give some of them, {ALL_KERNELS >> 20} MB at most")


def _checked(kernel: Array, file: Path | str) -> Array:
    if kernel.ndim != 2 or kernel.dtype.kind not in "fiu" or min(kernel.shape) < 1:
        raise UserError(file, f"holds no kernel but {kernel.shape} {kernel.dtype}", "2-D kernels are meant")
    if max(kernel.shape) > LARGEST_KERNEL:
        problem = f"holds a kernel of {kernel.shape[1]}x{kernel.shape[0]} px"
        raise UserError(file, problem, f"kernels have at most {LARGEST_KERNEL} px a side")
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
    # What has been divided before stays as it is, to the bit: its hash is its name.
    return values if abs(total - 1) < 1e-12 else values / total
