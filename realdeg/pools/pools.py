"""Pools of blur kernels and of noise patches, read from files and checked before the first image."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import numpy as np

from realdeg import inputs
from realdeg.arraytypes import Array
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.imaging.blur import AlignedKernel, align_kernel
from realdeg.imaging.kernels import centre_of_mass
from realdeg.inputs import PathLike
from realdeg.io.find import IMAGE_SUFFIXES
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.pools.files import ARRAY_SUFFIXES, arrays, files, header, is_place, write_mat, write_pool
from realdeg.records import fingerprint

Pool = TypeVar("Pool", "KernelPool", "NoisePool")

SUM_TOLERANCE = 0.01
LARGEST_KERNEL = 1024  # px a side
MOST = 100_000  # kernels or patches of a pool: every one is an object, and has a name
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
                    _add(found, _name(name, part, index, len(kernels)), _checked(kernel, file), file)
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
        checked = [_checked(array, where) for where, array in _given(kernels, "kernel")]
        return cls(_named(names, "kernel", len(checked)), tuple(checked))

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
        return _digest(*self.kernels)

    def hash_of(self, index: int) -> str:
        """Content hash of one kernel."""
        if index not in self._hashes:
            self._hashes[index] = _digest(self.kernels[index])
        return self._hashes[index]

    def index_of(self, name: str, sha: str) -> int:
        """Where the kernel of a plan is.

        Raises:
            UserError: no kernel has this name, or it has other content.
        """
        return _index(self.names, name, sha, self.hash_of, "kernel")

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


@dataclass(frozen=True, eq=False)
class NoisePool:
    """Noise patches by name, as stored: a pool of thousands has to fit into every worker's memory.

    Attributes:
        names: unique, e.g. "iphone/img_007".
        patches: in the order of the names; (h, w, 3), pixel values (uint8, uint16) or residuals (float).
        about: where they come from, as the file says; JSON values.
    """

    names: tuple[str, ...]
    patches: tuple[Array, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    _hashes: dict[int, str] = field(default_factory=dict, init=False, repr=False)
    _means: dict[int, Array] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def read(cls, path: Path) -> NoisePool:
        """Read a folder of patch images (RealSR's NAME_000.png), or .npz or .npy with (n, h, w, 3).

        uint8, uint16 and images are pixel values, float arrays residuals in units of [0, 1]; the mean of
        each channel is taken away in `residual`.

        Raises:
            UserError: nothing there, unreadable, of another shape, not finite, or floats in other units.
        """
        if head := header(path, "noise"):
            content = tuple(_noise(array, path) for _, array in arrays(path))
            if not content:
                raise UserError(path, "holds no noise patch", "give another pool")
            return cls(tuple(head["names"]), content, head.get("about", {}))
        found: dict[str, Array] = {}
        for file, name in files(path, (*IMAGE_SUFFIXES, ".npz", ".npy")):
            if file.suffix.lower() in ARRAY_SUFFIXES:
                for part, array in arrays(file):
                    stack = array if array.ndim == 4 else array[None]
                    if stack.ndim != 4 or stack.shape[-1] != 3:
                        raise UserError(
                            file, f"holds no noise patches but {array.shape}", "(n, h, w, 3) is meant"
                        )
                    if len(stack) > MOST:
                        raise UserError(file, f"holds {len(stack):,} patches", f"give at most {MOST:,}")
                    for index, patch in enumerate(stack):
                        _add(found, _name(name, part, index, len(stack)), _noise(patch, file), file)
            else:
                _add(found, name, _noise(read(file).pixels, file), file)
        if not found:
            raise UserError(path, "holds no noise patch", "give a folder of patch images, or .npz or .npy")
        return cls(tuple(found), tuple(found.values()))

    @classmethod
    def load(cls, path: PathLike) -> NoisePool:
        """The pool of a file or folder: `read`, for a path of any kind.

        Args:
            path: folder of patch images, .npz or .npy.

        Raises:
            BadInput: `path` is no path.
            UserError: as `read`.

        Example:
            >>> import realdeg
            >>> realdeg.NoisePool.load("missing.npz")
            Traceback (most recent call last):
            ...
            realdeg.errors.UserError: missing.npz: does not exist; give a pool file or folder
        """
        return cls.read(inputs.path(path, "path"))

    @classmethod
    def from_arrays(cls, patches: Iterable[Array], names: Iterable[str] | None = None) -> NoisePool:
        """A pool of noise patches in memory.

        Args:
            patches: (h, w, 3) each, pixel values (uint8, uint16) or residuals in units of [0, 1] (float); the
                mean of each channel is taken away when a patch is used.
            names: unique; None: "noise_0" and so on.

        Raises:
            BadInput: not arrays of numbers, or names that are not unique or not as many.
            UserError: a patch of another shape or type, not finite, or beyond 1.

        Example:
            >>> import numpy as np, realdeg
            >>> noise = 0.02 * np.random.default_rng(0).standard_normal((2, 32, 32, 3))
            >>> realdeg.NoisePool.from_arrays(noise, ["low", "high"]).names
            ('low', 'high')
        """
        checked = [_noise(array, where) for where, array in _given(patches, "noise")]
        return cls(_named(names, "noise", len(checked)), tuple(checked))

    @classmethod
    def of_pairs(cls, path: Path, noisy: str, clean: str) -> NoisePool:
        """Differences of noisy photos and clean ones of the same view (the mean of many shots).

        Args:
            path: folder of both.
            noisy: end of the noisy photos' stems, e.g. "_real".
            clean: end of the clean ones', e.g. "_mean".

        Returns:
            Residuals, float32 in units of [0, 1].

        Raises:
            UserError: no pair, a photo that cannot be read, or two of different size.
        """
        found = {name: file for file, name in files(path, IMAGE_SUFFIXES)}
        names = [name.removesuffix(noisy) for name in found if name.endswith(noisy)]
        names = [name for name in names if f"{name}{clean}" in found]
        if not names:
            problem = f"holds no two photos NAME{noisy} and NAME{clean}"
            raise UserError(path, problem, "check the ends of the names")
        patches = []
        for name in names:
            one, other = (read(found[name + end]).as_float() for end in (noisy, clean))
            if one.shape != other.shape:
                problem = (
                    f"is {one.shape[1]}x{one.shape[0]}, its clean photo {other.shape[1]}x{other.shape[0]}"
                )
                raise UserError(found[name + noisy], problem, "take both out")
            patches.append(one - other)
        return cls(tuple(names), tuple(patches), {"from": path.name, "noisy": noisy, "clean": clean})

    def save(self, path: Path) -> None:
        """Write the pool: .npz with names and origin, or a folder of PNG files where it holds pixel values.

        Raises:
            UserError: it cannot be written, or residuals would have to become a folder of pictures.
        """
        if path.suffix.lower() == ".npz":
            write_pool(path, "noise", self.names, self.patches, self.about)
        elif path.suffix:
            raise UserError(
                path, f"pools are not written as {path.suffix}", "end it in .npz, or name a folder"
            )
        elif any(patch.dtype.kind == "f" for patch in self.patches):
            raise UserError(path, "residuals are no pictures", "end it in .npz")
        else:
            for name, patch in zip(self.names, self.patches, strict=True):
                write_image(path / f"{name}.png", patch)

    @property
    def digest(self) -> str:
        """Content hash of the whole pool."""
        return _digest(*self.patches)

    def hash_of(self, index: int) -> str:
        """Content hash of one patch."""
        if index not in self._hashes:
            self._hashes[index] = _digest(self.patches[index])
        return self._hashes[index]

    def index_of(self, name: str, sha: str) -> int:
        """Where the patch of a plan is.

        Raises:
            UserError: no patch has this name, or it has other content.
        """
        return _index(self.names, name, sha, self.hash_of, "noise patch")

    def facts(self, index: int) -> dict[str, Any]:
        """What is worth knowing of a patch: size, mean level and standard deviation (8-bit levels), hash."""
        patch = self.patches[index]
        unit = 255.0 if patch.dtype.kind == "f" else 255.0 / np.iinfo(patch.dtype).max
        mean = "" if patch.dtype.kind == "f" else f"{patch.mean(dtype=np.float64) * unit:.1f}"
        return {
            "name": self.names[index],
            "size": "x".join(str(n) for n in patch.shape[1::-1]),
            **({"level": mean} if mean else {}),
            "sigma": f"{self.residual(index).std(dtype=np.float64) * 255:.2f}",
            "sha": self.hash_of(index),
        }

    def level(self, index: int) -> Array:
        """How bright the place was that a patch comes from.

        Args:
            index: of the patch.

        Returns:
            (3,) mean of red, green and blue, 8-bit levels, as the header says or else by pixel values; NaN:
            not known.
        """
        patch, told = self.patches[index], self.about.get("patches")
        facts = told.get(self.names[index]) if isinstance(told, Mapping) else None
        try:  # a header may have been written by anyone
            stored = facts["level"] if isinstance(facts, Mapping) else None
            found = np.broadcast_to(np.asarray(stored, np.float64), 3)
        except (KeyError, TypeError, ValueError):
            found = np.full(3, np.nan)
        if patch.dtype.kind != "f" and not np.isfinite(found).all():
            found = patch.mean((0, 1), dtype=np.float64) * (255 / np.iinfo(patch.dtype).max)
        return found if np.isfinite(found).all() else np.full(3, np.nan)

    def residual(self, index: int, part: tuple[slice, slice] = (slice(None), slice(None))) -> Array:
        """One patch, or a part of it, as what is added to an image.

        Args:
            index: of the patch.
            part: rows and columns.

        Returns:
            (h, w, 3) float32, units of [0, 1]; the means of the whole patch's channels are 0.
        """
        patch = self.patches[index]
        peak = 1.0 if patch.dtype.kind == "f" else float(np.iinfo(patch.dtype).max)
        if index not in self._means:
            self._means[index] = (patch.mean((0, 1), dtype=np.float64) / peak).astype(np.float32)
        result: Array = np.multiply(patch[part], np.float32(1 / peak), dtype=np.float32)
        result -= self._means[index]
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
        # Injection by brightness depends on what a noise pool tells of its patches, too.
        told = dict(pool.about) if isinstance(pool, NoisePool) else None
        file = cls(kind, path, arguments, fingerprint(pool.names, pool.digest, told))
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
                raise UserError(self.path, "was changed while the job was running", "run with `overwrite`")
        return cast(Pool, pool)


_held: dict[str, tuple[PoolFile[Any], Any]] = {}
"""The last pool of each kind that this process has read."""


def _index(names: tuple[str, ...], name: str, sha: str, hash_of: Callable[[int], str], what: str) -> int:
    remedy = "give the pool that the plan was drawn from"
    if name not in names:
        raise UserError(name, f"{what} is not in the pool", remedy)
    index = names.index(name)
    if hash_of(index) != sha:
        raise UserError(name, f"{what} of this name has other content than the one that was drawn", remedy)
    return index


def _add(found: dict[str, Array], name: str, array: Array, file: Path) -> None:
    if name in found:
        raise UserError(file, f"is the second to hold {name!r}", "rename or remove one of the files")
    if not is_place(name):
        raise UserError(file, f"holds an array named {name!r}", "rename it; names are paths in a folder")
    found[name] = array


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


def _noise(patch: Array, file: Path | str) -> Array:
    if patch.ndim != 3 or patch.shape[2] != 3 or patch.dtype.kind not in "fiu" or not patch.size:
        raise UserError(file, f"holds no noise patch but {patch.shape} {patch.dtype}", "(h, w, 3) is meant")
    if patch.dtype.kind != "f" and patch.dtype not in (np.uint8, np.uint16):
        # The type says what white is: 200 is all but black in int64, NumPy's type of whole numbers.
        raise UserError(file, f"holds {patch.dtype}", "pixel values are uint8 or uint16, residuals float")
    if patch.dtype.kind == "f" and not (patch.min() >= -1 and patch.max() <= 1):  # also where it is no number
        what = "a patch that is not finite" if not np.isfinite(patch).all() else "floats beyond 1"
        raise UserError(file, f"holds {what}", "floats are residuals of images in [0, 1]; divide by 255")
    return patch


def _given(arrays: Any, what: str) -> list[tuple[str, Array]]:
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


def _named(names: Any, what: str, count: int) -> tuple[str, ...]:
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


def _name(file: str, part: str, index: int, count: int) -> str:
    return "/".join([file, *([part] if part else []), *([str(index)] if count > 1 else [])])


def _digest(*arrays: Array) -> str:
    total = hashlib.blake2b(digest_size=8)
    for array in arrays:
        total.update(f"{array.shape}{array.dtype}".encode())
        total.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return total.hexdigest()
