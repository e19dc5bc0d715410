"""Colours named by code points instead of a profile (ITU-T H.273), as HEIF and AVIF may state them."""

from __future__ import annotations

import struct

import numpy as np

from realdeg.io.header import Unsupported

D65, D50 = np.array([0.95047, 1, 1.08883]), np.array([0.96422, 1, 0.82521])
"""XYZ of the white points, as in `icc.D50_FROM_SRGB`."""
PRIMARIES = {
    1: ("BT.709", ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))),
    5: ("BT.601 625", ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06))),
    6: ("BT.601 525", ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07))),
    7: ("SMPTE 240M", ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07))),
    9: ("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    12: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
}
"""Name and (x, y) of red, green and blue; white is D65 (H.273, table 2)."""
SRGB_CURVE = (3, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
CURVES = {4: (0, (2.2,)), 5: (0, (2.8,)), 8: (0, (1.0,))}
"""ICC's parametric curve by transfer characteristic (H.273, table 3); all others are taken as sRGB's.

BT.709 (1), BT.601 (6) and BT.2020 (14, 15) state the curve of a video camera, but still pictures that
carry these numbers were made for a display, as those that carry sRGB (13) or nothing (2).
"""
HDR = {16: "PQ", 18: "HLG"}
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def profile_of(primaries: int, transfer: int) -> tuple[bytes | None, tuple[str, ...]]:
    """ICC profile of colours stated by code points.

    Args:
        primaries: colour primaries; 2 = not stated.
        transfer: transfer characteristics, likewise.

    Returns:
        A matrix profile, None for sRGB itself, and notes.

    Raises:
        Unsupported: coded for HDR displays, whose brightness has no counterpart in sRGB.
    """
    if transfer in HDR:
        raise Unsupported(f"is coded for HDR displays ({HDR[transfer]}), which is not read")
    notes: tuple[str, ...] = ()
    if primaries not in PRIMARIES:
        if primaries != 2:
            notes = (f"colour primaries {primaries} are not known, sRGB's assumed",)
        primaries = 1
    if primaries == 1 and transfer not in CURVES:
        return None, notes
    name, corners = PRIMARIES[primaries]
    form, numbers = CURVES.get(transfer, SRGB_CURVE)
    return _matrix_profile(name, corners, form, numbers), notes


def _matrix_profile(
    name: str, corners: tuple[tuple[float, float], ...], form: int, numbers: tuple[float, ...]
) -> bytes:
    """A display profile laid out by hand (ICC.1:2022, 7, 8.3.3, 10.15, 10.18, 10.31)."""
    text = name.encode("utf-16-be")
    words = struct.pack(">4s4xII4sII", b"mluc", 1, 12, b"enUS", len(text), 28) + text
    curve = struct.pack(f">4s4xHxx{len(numbers)}i", b"para", form, *_fixed(numbers))
    columns = _to_d50(corners).T
    tags = {
        b"desc": words,
        b"cprt": words,
        b"wtpt": _xyz(D50),
        **{b"%cXYZ" % letter: _xyz(column) for letter, column in zip(b"rgb", columns, strict=True)},
        **{b"%cTRC" % letter: curve for letter in b"rgb"},
    }
    table, bodies, at = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, body in tags.items():
        table += struct.pack(">4sII", tag, at + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    size = at + len(bodies)
    head = struct.pack(">I4xI4s4s4s12x4s28x", size, 0x04400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    head += struct.pack(">3i", *_fixed(D50))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies


def _to_d50(corners: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Linear RGB to the D50 connection space: columns are the XYZ of red, green and blue."""
    rgb = np.stack([_light(xy) for xy in corners], axis=1)
    rgb = rgb * np.linalg.solve(rgb, D65)
    gain = (BRADFORD @ D50) / (BRADFORD @ D65)
    return np.linalg.inv(BRADFORD) @ (gain[:, None] * BRADFORD) @ rgb


def _light(xy: tuple[float, float]) -> np.ndarray:
    """XYZ of a chromaticity at Y = 1."""
    x, y = xy
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _xyz(values: np.ndarray) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *_fixed(values))


def _fixed(values: np.ndarray | tuple[float, ...]) -> list[int]:
    """ICC's s15Fixed16 numbers."""
    return [round(float(value) * 65536) for value in values]
