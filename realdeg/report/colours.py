"""The colour scale of error maps: from near black through violet and orange to pale yellow.

Lightness rises evenly, so a larger error always looks brighter, also in grey and to colour-blind eyes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

LIGHTNESS = (0.13, 0.96)  # OKLab L at both ends
HUE = (275.0, 455.0)  # degrees: blue-violet, over red, to yellow (95)
CHROMA = 0.19
TOPS = (4, 8, 16, 32, 64, 128, 255)

# OKLab (B. Ottosson, 2020): Lab -> cube roots of cone responses -> linear sRGB.
ROOTS_FROM_LAB = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
RGB_FROM_CONES = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@lru_cache(maxsize=1)
def table() -> npt.NDArray[np.uint8]:
    """(256, 3) sRGB colours; entry 0 means no error."""
    place = np.linspace(0, 1, 256)
    lightness = LIGHTNESS[0] + place * (LIGHTNESS[1] - LIGHTNESS[0])
    hue = np.radians(HUE[0] + place * (HUE[1] - HUE[0]))
    chroma = CHROMA * np.sin(np.pi * (0.12 + 0.76 * place))
    for _ in range(60):  # out of sRGB's gamut: less chroma, same lightness
        rgb = _linear_rgb(lightness, chroma, hue)
        outside = ((rgb < 0) | (rgb > 1)).any(1)
        if not outside.any():
            break
        chroma = np.where(outside, 0.96 * chroma, chroma)
    rgb = rgb.clip(0, 1)
    encoded = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    result = np.rint(255 * encoded).astype(np.uint8)
    result.setflags(write=False)
    return result


def paint(levels: npt.NDArray[Any], top: float) -> npt.NDArray[np.uint8]:
    """Colours of values; `top` and all above it get the last one.

    Args:
        levels: (H, W), >= 0.
        top: value of the last colour, > 0.
    """
    return table()[np.minimum(levels * np.float32(255 / top), 255).astype(np.uint8)]


def top_for(levels: npt.NDArray[Any]) -> int:
    """A round end of the scale that 99.5 % of the values stay below."""
    high = float(np.quantile(levels, 0.995))
    return next((top for top in TOPS if top >= high), TOPS[-1])


def legend_stops(count: int = 17) -> list[tuple[float, str]]:
    """(place in %, CSS colour) along the scale."""
    places = np.linspace(0, 255, count).round().astype(int)
    return [(round(float(i) / 2.55, 2), "#" + bytes(table()[i]).hex()) for i in places]


def _linear_rgb(
    lightness: npt.NDArray[Any], chroma: npt.NDArray[Any], hue: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], 1)
    return (lab @ ROOTS_FROM_LAB.T) ** 3 @ RGB_FROM_CONES.T
