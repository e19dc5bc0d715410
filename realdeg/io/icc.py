"""Embedded colour profiles to sRGB.

8-bit pixels go through LittleCMS (Pillow). Pillow's binding has no 16-bit RGB, so 16-bit pixels of
matrix profiles (all camera and display profiles in common use) are converted here in float; the rare
table profiles go through 8 bits, and the photo's notes say so.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from realdeg.imaging.depth import to_8bit

Array = np.ndarray[Any, Any]
D50_FROM_SRGB = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
"""Linear sRGB to the D50 connection space (Bradford), IEC 61966-2-1 / ICC."""
BAND_ROWS = 256


class BadProfile(Exception):
    """The profile cannot be used on these pixels."""


def to_srgb(pixels: Array, icc: bytes) -> tuple[Array, str, tuple[str, ...]]:
    """Convert grey, RGB or CMYK pixels by their embedded profile.

    Relative colorimetric; colours outside sRGB are clipped. A profile that is sRGB itself (it moves no
    colour by more than one 8-bit level) leaves the pixels as they are.

    Args:
        pixels: (H, W, 1), (H, W, 3) or (H, W, 4 = CMYK, uint8 only), uint8 or uint16.
        icc: the profile.

    Returns:
        Pixels (H, W, 3) of the same dtype (grey stays (H, W, 1) when the profile is the sRGB curve), the
        profile's name, and notes.

    Raises:
        BadProfile: damaged, or made for another number of channels.
    """
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        name = " ".join((ImageCms.getProfileDescription(profile) or "unnamed").split())
        space = profile.profile.xcolor_space.strip()
    except Exception as error:  # PyCMSError, OSError, and others on mutilated profiles
        raise BadProfile(f"embedded colour profile is damaged ({error})") from None
    channels = pixels.shape[2]
    notes: tuple[str, ...] = ()
    if space == "RGB" and channels == 1:
        pixels, channels = np.repeat(pixels, 3, axis=2), 3
        notes = (f"profile {name} for colours applied to grey",)
    mode = {("GRAY", 1): "L", ("RGB", 3): "RGB", ("CMYK", 4): "CMYK"}.get((space, channels))
    if mode is None:
        raise BadProfile(f"embedded {space} profile does not fit {channels}-channel pixels")
    try:
        transform = ImageCms.buildTransform(
            profile, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except ImageCms.PyCMSError as error:
        raise BadProfile(f"embedded colour profile is damaged ({error})") from None
    if mode != "CMYK" and _is_identity(transform, channels):
        return pixels, "sRGB", ()
    if pixels.dtype == np.uint8:
        return _by_lcms(pixels, transform, mode), name, notes
    try:
        return _in_float(pixels, icc), name, notes
    except BadProfile:
        converted = _by_lcms(to_8bit(pixels), transform, mode).astype(np.uint16) * 257
        return converted, name, (*notes, f"profile {name} converted at 8 bits")


def _is_identity(transform: Any, channels: int) -> bool:
    grey = np.arange(0, 256, 3, dtype=np.uint8)
    if channels == 1:
        grid = grey.reshape(1, -1, 1)
    else:
        axis = np.arange(0, 256, 51, dtype=np.uint8)
        cube = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(1, -1, 3)
        grid = np.concatenate([cube, np.repeat(grey.reshape(1, -1, 1), 3, axis=2)], axis=1)
    out = _by_lcms(grid, transform, "L" if channels == 1 else "RGB")
    return int(np.abs(out.astype(int) - grid).max()) <= 1


def _by_lcms(pixels: Array, transform: Any, mode: str) -> Array:
    flat = pixels[..., 0] if mode == "L" else pixels
    image = (
        Image.fromarray(np.ascontiguousarray(flat), mode=mode)
        if mode == "CMYK"
        else Image.fromarray(np.ascontiguousarray(flat))
    )
    converted = ImageCms.applyTransform(image, transform)
    return np.array(converted)


def _in_float(pixels: Array, icc: bytes) -> Array:
    """16-bit conversion by a matrix profile (ICC.1:2022, 8.3.3 and F.3), or by a grey curve."""
    tags = _tags(icc)
    channels = pixels.shape[2]
    if channels == 1:
        curves, matrix = [_curve(tags, b"kTRC")], None
    else:
        if b"A2B0" in tags or b"A2B1" in tags:
            raise BadProfile("the profile is a table")
        curves = [_curve(tags, name) for name in (b"rTRC", b"gTRC", b"bTRC")]
        d50 = np.stack([_xyz(tags, name) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
        matrix = np.linalg.solve(D50_FROM_SRGB, d50)
        white = matrix.sum(axis=1, keepdims=True)
        if np.abs(white - 1).max() < 2e-3:  # profiles round D50 differently; greys shall stay grey
            matrix = matrix / white
    out = np.empty((*pixels.shape[:2], 3), np.uint16)
    for top in range(0, len(pixels), BAND_ROWS):  # a 24-megapixel photo in float would take 600 MB
        band = pixels[top : top + BAND_ROWS]
        linear = np.stack([curve[band[..., i]] for i, curve in enumerate(curves)], axis=-1)
        if matrix is not None:
            linear = linear @ matrix.T
        linear = linear.clip(0, 1)
        encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        out[top : top + BAND_ROWS] = np.rint(encoded * 65535)
    return out


def _tags(icc: bytes) -> dict[bytes, bytes]:
    try:
        (count,) = struct.unpack_from(">I", icc, 128)
        rows = [struct.unpack_from(">4sII", icc, 132 + 12 * i) for i in range(min(count, 256))]
    except struct.error:
        raise BadProfile("the profile's tags are damaged") from None
    return {name: icc[at : at + size] for name, at, size in rows}


def _xyz(tags: dict[bytes, bytes], name: bytes) -> Array:
    try:
        return np.array(struct.unpack_from(">3i", tags[name], 8)) / 65536
    except (KeyError, struct.error):
        raise BadProfile("the profile has no matrix") from None


def _curve(tags: dict[bytes, bytes], name: bytes) -> Array:
    """Tone curve as a table: (65536,) float64, linear light by 16-bit value (ICC.1:2022, 10.6, 10.18)."""
    x: Array = np.arange(65536) / 65535
    data = tags.get(name, b"")
    try:
        if data[:4] == b"curv":
            (count,) = struct.unpack_from(">I", data, 8)
            values = np.array(struct.unpack_from(f">{count}H", data, 12))
            if count == 0:
                return x
            table: Array = np.interp(x, np.linspace(0, 1, count), values / 65535)
            return x ** float(values[0] / 256) if count == 1 else table
        if data[:4] == b"para":
            (form,) = struct.unpack_from(">H", data, 8)
            n = (1, 3, 4, 5, 7)[form]
            numbers = np.zeros(7)
            numbers[:n] = struct.unpack_from(f">{n}i", data, 12)
            return _parametric(x, form, *(numbers / 65536).tolist())
    except (struct.error, IndexError):
        pass
    raise BadProfile(f"the profile has no curve {name.decode()}")


def _parametric(
    x: Array, form: int, g: float, a: float, b: float, c: float, d: float, e: float, f: float
) -> Array:
    if form == 0:
        return x**g
    power = np.maximum(a * x + b, 0) ** g
    if form == 1:
        return np.where(a * x + b >= 0, power, 0)
    if form == 2:
        return np.where(a * x + b >= 0, power + c, c)
    if form == 3:
        return np.where(x >= d, power, c * x)
    return np.where(x >= d, power + e, c * x + f)
