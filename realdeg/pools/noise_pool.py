"""Pools of noise patches, read from files and checked before the first image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from realdeg import inputs
from realdeg.arraytypes import Array
from realdeg.errors import UserError
from realdeg.inputs import PathLike
from realdeg.io.find import IMAGE_SUFFIXES
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.pools.entries import (
    MOST,
    add_entry,
    digest_of,
    entry_name,
    entry_names,
    given_arrays,
    index_of_entry,
)
from realdeg.pools.files import ARRAY_SUFFIXES, arrays, files, header, write_pool


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
                        add_entry(found, entry_name(name, part, index, len(stack)), _noise(patch, file), file)
            else:
                add_entry(found, name, _noise(read(file).pixels, file), file)
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
        checked = [_noise(array, where) for where, array in given_arrays(patches, "noise")]
        return cls(entry_names(names, "noise", len(checked)), tuple(checked))

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
        return digest_of(*self.patches)

    def hash_of(self, index: int) -> str:
        """Content hash of one patch."""
        if index not in self._hashes:
            self._hashes[index] = digest_of(self.patches[index])
        return self._hashes[index]

    def index_of(self, name: str, sha: str) -> int:
        """Where the patch of a plan is.

        Raises:
            UserError: no patch has this name, or it has other content.
        """
        return index_of_entry(self.names, name, sha, self.hash_of, "noise patch")

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
