"""A plan applied in float64 by SciPy, Pillow and formulas written anew; nothing here comes from realdeg.

From a plan's numbers and the documented conventions (docs/dataset.md) alone: correlation, LR pixel i at HR
s i + (s - 1) / 2, kernels of a pool at their centre of mass, output pixel k of a resize at (k + 1/2) / factor
- 1/2, noise from 16-bit pieces of a Philox stream through the inverse of its distribution.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import interpolate, linalg, ndimage, optimize, special, stats

Array = npt.NDArray[Any]
Step = Mapping[str, Any]
Arrays = Mapping[str, Array]

SCIPY = {"symmetric": "reflect", "reflect": "mirror", "replicate": "nearest"}
NUMPY = {"symmetric": "symmetric", "reflect": "reflect", "replicate": "edge"}
SUBSAMPLING = {"444": 0, "422": 1, "420": 2}  # Pillow's numbers
BT601 = np.array([0.299, 0.587, 0.114])


def degrade(
    plan: Sequence[Step], hr: Array, kernels: Arrays | None = None, noises: Arrays | None = None
) -> Array:
    """LR of HR, (h, w, 3) float64 in HR's levels, neither rounded nor clipped."""
    peak = np.iinfo(hr.dtype).max
    image = hr / peak
    for step in plan:
        image = once(image, step, kernels, noises, peak)
    return image * peak


def once(
    image: Array, step: Step, kernels: Arrays | None = None, noises: Arrays | None = None, peak: int = 255
) -> Array:
    """One step on (H, W, 3) float64 in [0, 1]."""
    op = step["op"]
    if op == "blur":
        return _correlated(image, kernel(step, 1, kernels), step)
    if op == "reduce":
        factor = step["factor"]
        first = (factor - 1) // 2
        return _correlated(image, kernel(step, factor, kernels), step)[first::factor, first::factor]
    if op == "resize":
        return _resized(image, step, peak)
    if op == "noise":
        return image + noise(image, step)
    if op == "inject":
        return image + step.get("amount", 1) * _window(noises or {}, step, image.shape[:2])
    if op == "codec":
        return through_jpeg(image, step["quality"], step["subsampling"]) / 255
    if op == "sharpen":
        return _sharpened(image, step)
    if op == "tone":
        curves = [interpolate.make_interp_spline(step["levels"], one, k=1) for one in step["shift"]]
        at = np.clip(255 * image, step["levels"][0], step["levels"][-1])
        return image + np.stack([curve(at[..., c]) for c, curve in enumerate(curves)], -1) / 255
    if op == "clip":
        return image.clip(0, 1)
    if op == "light":
        return decoded(image) if step["to"] == "linear" else encoded(image)
    if op == "grey":
        return np.repeat((image @ BT601)[..., None], 3, axis=2)
    raise AssertionError(f"no independent {op}")


# Kernels. Each is an odd array; its middle lies on HR pixel s i + (s - 1) // 2 of LR pixel i.


def kernel(step: Step, factor: int, kernels: Arrays | None = None) -> Array:
    """The kernel of a "blur" (factor 1) or "reduce" step."""
    half = 0.5 if factor % 2 == 0 else 0.0  # LR pixels of even scales lie half a pixel further
    if step["kind"] == "pool":
        return _of_pool((kernels or {})[step["kernel"]], step["kernel_moved"], half)
    side = step.get("size") or 2 * int(step.get("length", 0) / 2 + step.get("radius", 0)) + 5
    position = np.arange(-(side // 2 + 1), side // 2 + 2) - half
    x, y = np.meshgrid(position, position)
    made = _formula(step, x, y)
    if "size" in step:
        made = made * (np.maximum(abs(x), abs(y)) <= side // 2 + half)
    return made / made.sum()


def _formula(step: Step, x: Array, y: Array) -> Array:
    kind, turn = step["kind"], np.deg2rad(step.get("angle", 0))
    if kind == "sinc":
        r = np.hypot(x, y) + 1e-9
        return step["cutoff"] * special.jv(1, step["cutoff"] * r) / (2 * np.pi * r)
    if kind == "motion":  # 1 - distance from a segment
        reach = max(step["length"] - 1, 0) / 2
        along = np.clip(x * np.cos(turn) + y * np.sin(turn), -reach, reach)
        return np.maximum(1 - np.hypot(x - along * np.cos(turn), y - along * np.sin(turn)), 0)
    if kind == "defocus":
        r = step["radius"]
        corners = [(dx, dy, 4 * dx * dy) for dx in (-0.5, 0.5) for dy in (-0.5, 0.5)]
        return sum(sign * _disk(x + dx, y + dy, r) for dx, dy, sign in corners)
    sigma_x = step["sigma"]
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    covariance = axes @ np.diag([sigma_x**2, step.get("sigma_y", sigma_x) ** 2]) @ axes.T
    place = np.stack([x, y], axis=-1)
    distance = np.einsum("...i,ij,...j", place, linalg.inv(covariance), place)
    if kind.startswith("generalised"):
        return np.exp(-0.5 * distance ** step["beta"])
    if kind.startswith("plateau"):
        return 1 / (1 + distance ** step["beta"])
    return np.exp(-0.5 * distance)


def _disk(x: Array, y: Array, r: float) -> Array:
    """Area of the part of a disk with u <= x and v <= y, in closed form."""
    x, y = x.clip(-r, r), y.clip(-r, r)

    def strip(t: Array) -> Array:  # of the half disk 0 <= v, from u = 0 to t
        return (t * np.sqrt(np.maximum(r * r - t * t, 0)) + r * r * np.arcsin(t / r)) / 2

    left, below = 2 * strip(x) + np.pi * r * r / 2, 2 * strip(y) + np.pi * r * r / 2
    inside = x * y + strip(x) + strip(y) + np.pi * r * r / 4
    # A corner outside of the disk cuts off one cap, the other, both, or all but nothing.
    both = left + below - np.pi * r * r
    outside = np.where(x > 0, np.where(y > 0, both, below), np.where(y > 0, left, 0.0))
    return np.where(x * x + y * y < r * r, inside, outside)


def _of_pool(given: Array, moved: Sequence[float], half: float) -> Array:
    """A kernel at its centre of mass, by cubic spline where the manifest says that it was moved."""
    padded = np.pad(given / given.sum(), 2)
    centre = np.array(ndimage.center_of_mass(padded))  # (y, x)
    place = np.rint(centre + np.array(moved)[::-1] - half)
    assert np.abs(place + half - centre - np.array(moved)[::-1]).max() < 5.1e-4
    if np.any(moved):

        def off(by: Array) -> Array:
            shifted = ndimage.shift(padded, by, order=3, mode="constant")
            return np.array(ndimage.center_of_mass(shifted)) - place - half

        by = optimize.root(off, place + half - centre, tol=1e-11).x
        padded = ndimage.shift(padded, by, order=3, mode="constant")
    y, x = place.astype(int)
    reach = max(abs(y), abs(x), abs(padded.shape[0] - 1 - y), abs(padded.shape[1] - 1 - x))
    whole = np.zeros((2 * reach + 1, 2 * reach + 1))
    top, left = reach - y, reach - x
    whole[top : top + padded.shape[0], left : left + padded.shape[1]] = padded
    return whole / whole.sum()


def _correlated(image: Array, made: Array, step: Step) -> Array:
    return ndimage.correlate(image, made[..., None], mode=SCIPY[step.get("border", "symmetric")])


# Resizing: a dense matrix for each axis.


def _resized(image: Array, step: Step, peak: int) -> Array:
    (height, width), border = step["size"], step.get("border", "symmetric")
    wide = step.get("antialias", True)
    rows = matrix(image.shape[0], height, step["method"], wide, border)
    columns = matrix(image.shape[1], width, step["method"], wide, border)
    if not step.get("integers"):
        return np.einsum("ij,jkc,lk->ilc", rows, image, columns, optimize=True)
    tall = np.rint(np.tensordot(rows, np.rint(image * peak), 1)).clip(0, peak)
    return np.rint(np.einsum("ijc,lj->ilc", tall, columns)).clip(0, peak) / peak


@cache
def matrix(n_in: int, n_out: int, method: str, antialias: bool = True, border: str = "symmetric") -> Array:
    """(n_out, n_in) weights of a resize, straight from the definitions."""
    weights = np.zeros((n_out, n_in))
    pixels, factor = np.arange(n_in), n_out / n_in
    if method == "matlab_bicubic":
        antialias = True
    squeeze = min(factor, 1.0) if antialias else 1.0
    beyond = int(4 / squeeze) + 4
    stands_for = np.pad(pixels, beyond, mode=NUMPY[border])
    for k in range(n_out):
        centre = (k + 0.5) / factor - 0.5
        if method == "nearest":
            weights[k, np.argmin(np.round(abs(pixels - centre), 6))] = 1  # the left one of two
        elif method == "area":
            begin, end = k / factor, (k + 1) / factor
            weights[k] = np.clip(np.minimum(pixels + 1, end) - np.maximum(pixels, begin), 0, None)
        else:
            all_pixels = np.arange(-beyond, n_in + beyond)
            np.add.at(weights[k], stands_for, WEIGHT[method](squeeze * (all_pixels - centre)))
    return weights / weights.sum(1, keepdims=True)


def _keys(a: float) -> Any:
    """Keys, Cubic Convolution Interpolation, 1981, Eq. 15, with a in place of -1/2."""

    def weight(x: Array) -> Array:
        x = np.abs(x)
        near, far = ((a + 2) * x - (a + 3)) * x * x + 1, (((x - 5) * x + 8) * x - 4) * a
        return np.select([x < 1, x < 2], [near, far], 0.0)

    return weight


WEIGHT = {
    "bilinear": lambda x: np.clip(1 - np.abs(x), 0, None),
    "bicubic": _keys(-0.75),
    "matlab_bicubic": _keys(-0.5),
    "lanczos": lambda x: np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0),
}


# Noise.


def uniform16(key: int, count: int) -> Array:
    """16-bit pieces of a Philox stream, lowest first."""
    raw = np.random.Philox(key=key).random_raw(count // 4 + 1)
    return (
        ((raw[:, None] >> np.array([0, 16, 32, 48], np.uint64)) & np.uint64(0xFFFF))
        .ravel()[:count]
        .astype(int)
    )


def quantiles(key: int, shape: tuple[int, ...]) -> Array:
    """Middles of 65536 equal parts of (0, 1)."""
    return ((uniform16(key, int(np.prod(shape))) + 0.5) / 65536).reshape(shape)


def noise(image: Array, step: Step) -> Array:
    """What a "noise" step adds."""
    grey = step["channels"] == "grey"
    u = quantiles(int(step["key"], 16), (*image.shape[:2], 1 if grey else 3))
    if step["law"] == "poisson":
        signal = (image @ BT601)[..., None] if grey else image
        photons = _basicsrs(signal) if step["photons"] == "levels" else step["photons"]
        mean = signal.clip(0, None) * photons
        return step.get("amount", 1) * (stats.poisson.ppf(u, mean) - mean) / photons
    z = stats.norm.ppf(u)
    if step["channels"] == "correlated":
        root = linalg.sqrtm(np.reshape(step["covariance"], (3, 3))).real
        z = np.einsum("ij,...j", root, z) / 255
    else:
        z = z * step["sigma_8bit"] / 255
    return z * image if step["law"] == "speckle" else z


def _basicsrs(signal: Array) -> float:
    """BasicSR's number of photons: from the levels of what is counted, grey where that is grey."""
    levels = np.unique(np.rint(signal.clip(0, 1) * 255))
    return float(2 ** np.ceil(np.log2(len(levels))))


def _window(noises: Arrays, step: Step, size: tuple[int, ...]) -> Array:
    patch = noises[step["noise"]]
    patch = patch / (1.0 if patch.dtype.kind == "f" else np.iinfo(patch.dtype).max)
    patch = patch - patch.mean((0, 1), dtype=np.float64)
    y, x = step["noise_y"], step["noise_x"]
    rows = np.pad(np.arange(patch.shape[0]), (0, y + size[0]), mode="symmetric")[y : y + size[0]]
    columns = np.pad(np.arange(patch.shape[1]), (0, x + size[1]), mode="symmetric")[x : x + size[1]]
    return patch[np.ix_(rows, columns)]


# Sharpening, JPEG, light.


def _sharpened(image: Array, step: Step) -> Array:
    """Real-ESRGAN's unsharp mask; the Gaussian is OpenCV's for a window of this side."""
    side, border = step["radius"], SCIPY[step.get("border", "symmetric")]
    sigma = 0.3 * ((side - 1) / 2 - 1) + 0.8
    line = np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * sigma**2))

    def smooth(values: Array) -> Array:
        rows = ndimage.correlate1d(values, line / line.sum(), axis=0, mode=border)
        return ndimage.correlate1d(rows, line / line.sum(), axis=1, mode=border)

    residual = image - smooth(image)
    soft = smooth((np.abs(residual) * 255 > step["threshold"]).astype(float))
    return soft * (image + step["weight"] * residual).clip(0, 1) + (1 - soft) * image


def through_jpeg(image: Array, quality: int, subsampling: str) -> Array:
    """(H, W, 3) uint8 that Pillow reads from the JPEG that Pillow wrote."""
    whole = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(whole).save(stream, "JPEG", quality=quality, subsampling=SUBSAMPLING[subsampling])
    return np.asarray(Image.open(stream).convert("RGB"))


def decoded(image: Array) -> Array:
    """IEC 61966-2-1, sRGB to linear light."""
    return np.where(image <= 0.04045, image / 12.92, ((image.clip(0) + 0.055) / 1.055) ** 2.4)


def encoded(image: Array) -> Array:
    """IEC 61966-2-1, linear light to sRGB."""
    return np.where(image <= 0.0031308, 12.92 * image, 1.055 * image.clip(0) ** (1 / 2.4) - 0.055)
