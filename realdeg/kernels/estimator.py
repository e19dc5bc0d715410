"""The estimator of blur kernels: statistics of a photo in, a kernel and how far to trust it out.

A small network, trained on photos reduced by known kernels (`realdeg.kernels.estimator_training`). It is run
by NumPy alone; weights are 16-bit numbers in a .npz file that also says what they were trained on.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Required, TypedDict

import numpy as np
from scipy import ndimage, special

from realdeg.arraytypes import Array
from realdeg.atomic import write_bytes
from realdeg.errors import EXIT_USAGE, Unfit, UserError
from realdeg.imaging.kernels import centre_of_mass, in_middle
from realdeg.io.arrays import Npz, Unreadable
from realdeg.kernels import zoo
from realdeg.kernels.statistics import COUNT
from realdeg.typed import Json, Mistyped, parsed

SHIPPED = (2, 3, 4, 8)  # scales with weights of our own
LAYERS = ("first", "second", "last", "doubt")
FAR = 5.0  # standard deviations that a statistic is cut at
COARSEST = 32  # side of kernels; larger ones are learned at half the resolution
NOTHING = 2e-3  # of the largest weight
MOST_DOUBT = 100.0  # logarithm of a variance: nobody trusts a kernel so far before that
FILE = "realdeg_kernel_estimator"
VERSION = 1


@dataclass(frozen=True, eq=False)
class Estimate:
    """A kernel and its trust.

    Attributes:
        kernel: (n, n) float64, sum 1, centre of mass in the middle, where LR pixels sit.
        error: expected root mean square error of a weight.
        unusual: share of the photo's statistics beyond `FAR` standard deviations of those in training.
        moved: how far from the middle the network had put its centre of mass, HR px.
    """

    kernel: Array
    error: float
    unusual: float
    moved: float

    @property
    def confidence(self) -> float:
        """1 for a kernel without error, 1/2 where the error is as large as the kernel."""
        return float(1 / (1 + self.error**2 / np.square(self.kernel).mean()))

    @property
    def expected_db(self) -> float:
        """PSNR of the kernel, for a peak of 1, that its error stands for."""
        return float(-20 * np.log10(self.error))


@dataclass(frozen=True, eq=False)
class Estimator:
    """Weights of the network.

    Attributes:
        scale: HR size / LR size that its kernels are for.
        mean, spread: (f,) of the statistics in training.
        axes: (f, d) projection of what is left.
        layers: weight (inputs, outputs) and bias of each of `LAYERS`.
        basis, middle: (o, m, m) and (m, m): kernels are sums of these; see `finer`.
        about: what it was trained on; JSON values.
    """

    scale: int
    mean: Array
    spread: Array
    axes: Array
    layers: Mapping[str, tuple[Array, Array]]
    basis: Array
    middle: Array
    about: Mapping[str, Any]

    def __call__(self, seen: Array) -> Estimate:
        """The kernel of a photo.

        Args:
            seen: (f,) of `blur_statistics.statistics`.

        Raises:
            Unfit: weights that are no network's give no kernel.
        """
        z = (seen - self.mean) / self.spread
        unusual = float((np.abs(z) > FAR).mean())
        x = _gelu(self._layer("first", z.clip(-FAR, FAR) @ self.axes))
        x = x + _gelu(self._layer("second", x))
        weights = self._layer("last", x)
        doubt = float(self._layer("doubt", x)[0].clip(-MOST_DOUBT, MOST_DOUBT))
        kernel = np.tensordot(weights.astype(np.float64), self.basis, 1) + self.middle
        side = zoo.grid(self.scale)
        error = math.exp(doubt / 2) * (len(kernel) / side) ** 2  # of one of the weights that were summed
        if not (np.isfinite(kernel).all() and kernel.sum() > NOTHING and math.isfinite(doubt)):
            raise Unfit("weights", "give no kernel of it", "train the weights again, or leave `weights` out")
        kernel = without_specks(finer(kernel, side))
        moved = math.dist(centre_of_mass(kernel), [(len(kernel) - 1) / 2] * 2)
        return Estimate(in_middle(kernel, len(kernel)), error, unusual, moved)

    @property
    def digest(self) -> str:
        """Content hash."""
        total = hashlib.blake2b(digest_size=8)
        parts = [self.mean, self.spread, self.axes, self.basis, self.middle]
        for array in (*parts, *(part for name in LAYERS for part in self.layers[name])):
            total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()

    def _layer(self, name: str, x: Array) -> Array:
        weight, bias = self.layers[name]
        return x @ weight + bias

    @classmethod
    def read(cls, path: Path) -> Estimator:
        """Read weights.

        Raises:
            UserError: no such file, or not weights of this kind.
        """
        remedy = "give a file that `realdeg kernels --train` has written"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(path, error.strerror or "cannot be read", remedy) from None
        return _parsed(content, str(path))

    def save(self, path: Path) -> None:
        """Write weights, whole or not at all.

        Raises:
            UserError: it cannot be written.
        """
        head = {"kind": FILE, "version": VERSION, "scale": self.scale, "about": dict(self.about)}
        arrays = {"mean": self.mean, "spread": self.spread, "axes": self.axes}
        arrays |= {"basis": self.basis, "middle": self.middle}
        for name, (weight, bias) in self.layers.items():
            arrays |= {f"{name}_weight": weight, f"{name}_bias": bias}
        half = {
            name: array.astype(np.float16 if array.ndim > 1 else np.float32) for name, array in arrays.items()
        }
        whole = io.BytesIO()
        np.savez_compressed(
            whole, allow_pickle=False, head=np.array(json.dumps(head, sort_keys=True)), **half
        )
        write_bytes(path, whole.getvalue())


def shipped(scale: int) -> Estimator:
    """The estimator that comes with realdeg.

    Raises:
        UserError: there is none for this scale.
    """
    if scale not in SHIPPED:
        known = ", ".join(f"x{s}" for s in SHIPPED)
        problem = f"no weights come with realdeg for x{scale} ({known})"
        remedy = "train them: `realdeg kernels PHOTOS --train --scale N -o WEIGHTS.npz`, then `weights`"
        raise UserError("`scale`", problem, remedy, exit_code=EXIT_USAGE)
    name = f"weights/kernels_x{scale}.npz"
    return _parsed(resources.files("realdeg.kernels").joinpath(name).read_bytes(), name)


@lru_cache(maxsize=4)
def estimator(scale: int, path: Path | None = None) -> Estimator:
    """Weights by their file, or those shipped; read once a process.

    Raises:
        UserError: see `Estimator.read` and `shipped`, or weights for another scale.
    """
    if path is None:
        return shipped(scale)
    found = Estimator.read(path)
    if found.scale != scale:
        raise UserError(path, f"holds weights for x{found.scale}, not x{scale}", "give those of the scale")
    return found


def finer(kernel: Array, side: int) -> Array:
    """A kernel of sums over 2 x 2 weights as a smooth one of twice the side; others as they are."""
    if len(kernel) == side:
        return kernel
    return ndimage.zoom(kernel, side / len(kernel), order=3, mode="grid-constant", grid_mode=True)


def without_specks(kernel: Array) -> Array:
    """The kernel without weights so small that the network means none by them; sum 1."""
    kernel = np.where(np.abs(kernel) < NOTHING * kernel.max(), 0.0, kernel)
    return kernel / kernel.sum()


def _gelu(x: Array) -> Array:
    return x * special.ndtr(x)


class Head(TypedDict, total=False):
    """What a file of weights says of itself."""

    kind: Required[Literal["realdeg_kernel_estimator"]]
    version: Required[Literal[1]]
    scale: Required[int]
    about: Required[dict[str, Json]]


def _parsed(content: bytes, name: str) -> Estimator:
    remedy = "give a file that `realdeg kernels --train` has written"
    try:
        with Npz(content) as archive:
            head: Head = parsed(archive.text("head"), Head)
            arrays = {key: archive[key] for key in archive if key != "head"}
        return _fitted(head, arrays)
    except (Unreadable, Mistyped) as error:
        raise UserError(name, f"cannot be read as weights ({error})", remedy) from None


def _fitted(head: Head, arrays: Mapping[str, Array]) -> Estimator:
    """The network of its arrays, whose shapes have to fit each other.

    Raises:
        Unreadable: they do not, or one is missing or not finite.
    """
    side = zoo.grid(head["scale"]) if 2 <= head["scale"] <= 16 else 0
    if not side:
        raise Unreadable(f"is for the scale {head['scale']}, not 2 to 16")
    sizes = {"f": COUNT, "1": 1}

    def of(name: str, *shape: str) -> Array:
        """An array as float32; each letter of a shape means the same size everywhere."""
        if name not in arrays:
            raise Unreadable(f"holds no array {name!r}")
        array = arrays[name]
        known = [sizes.setdefault(axis, size) for axis, size in zip(shape, array.shape, strict=False)]
        if array.ndim != len(shape) or list(array.shape) != known or not array.size:
            raise Unreadable(f"its array {name!r} is {array.shape}, which does not fit the others")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise Unreadable(f"its array {name!r} holds other than finite numbers")
        return array.astype(np.float32)

    mean, spread, axes = of("mean", "f"), of("spread", "f"), of("axes", "f", "d")
    shapes = {"first": "dh", "second": "hh", "last": "ho", "doubt": "h1"}
    layers = {
        layer: (of(f"{layer}_weight", *shapes[layer]), of(f"{layer}_bias", shapes[layer][1]))
        for layer in LAYERS
    }
    basis, middle = of("basis", *"omm").astype(np.float64), of("middle", *"mm").astype(np.float64)
    if not (spread > 0).all() or sizes["m"] != (side if side <= COARSEST else side // 2):
        raise Unreadable("its arrays do not belong to each other")
    return Estimator(head["scale"], mean, spread, axes, layers, basis, middle, head["about"])
