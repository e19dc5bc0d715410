"""A camera's processing and its inverse, for degradation in the raw domain.

After Brooks et al., "Unprocessing Images for Learned Raw Denoising", CVPR 2019, Sec. 3. `unprocess` leads
from a finished picture back to what the sensor would have seen, `process` forward again:
`process(demosaic(mosaic(unprocess(x)) + noise))`. The mosaic lies between the two, and so does the noise,
which is the caller's. The same steps for batches of tensors: `realdeg.imaging.isp_batched`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

Pattern = Literal["rggb", "grbg", "gbrg", "bggr"]  # in order of where red lies: 2 * row + column
Method = Literal["bilinear", "malvar"]
Image = npt.NDArray[np.float32]

GAMMA = 2.2
DARKEST = 1e-8  # the paper's epsilon: below it a power of 1 / 2.2 has no usable slope
HIGHLIGHT = 0.9  # the paper's t: above it inverse gains fade out

# XYZ to camera of the four cameras whose raw noise the paper models (those of the Darmstadt Noise Dataset):
# Sony A7R, Olympus E-M10, Sony RX100 IV, Huawei Nexus 6P. The first three are ColorMatrix2 of Adobe's DNG
# Converter for D65, as in dcraw's table; the fourth is the phone's own, as published with the paper.
CAMERA_FROM_XYZ = np.array(
    [
        [[0.4913, -0.0541, -0.0202], [-0.6130, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.8380, -0.2630, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.0970, 0.1581, 0.5181]],
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
    ]
)
XYZ_FROM_RGB = np.array(  # IEC 61966-2-1, D65
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def _filters(corrected: bool) -> npt.NDArray[np.float32]:
    """(4, 5, 5): `cross`, `across`, `down`, `diagonal`, as `FILTERS` describes them."""
    cross, across, diagonal = np.zeros((3, 5, 5))
    if corrected:
        # Fig. 2 of Malvar, He and Cutler, in eighths: the bilinear estimate plus a gain (1/2, 5/8, 3/4) times
        # the Laplacian of the colour that was measured there.
        cross[2], cross[:, 2] = [-1, 2, 4, 2, -1], [-1, 2, 4, 2, -1]
        across[1], across[2], across[3] = [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0]
        across[[0, 4], 2] = 0.5
        diagonal[2], diagonal[:, 2] = [-1.5, 0, 6, 0, -1.5], [-1.5, 0, 6, 0, -1.5]
        diagonal[1::2, 1::2] = 2
    else:
        cross[[1, 2, 2, 3], [2, 1, 3, 2]] = 2
        across[2, [1, 3]] = 4
        diagonal[1::2, 1::2] = 2
    return (np.stack([cross, across, across.T, diagonal]) / 8).astype(np.float32)


# What is missing at a pixel, from its surroundings: `cross` green at red and blue; `across` the colour that
# lies left and right of a green pixel, `down` the one above and below; `diagonal` red at blue, blue at red.
FILTERS: dict[Method, npt.NDArray[np.float32]] = {"bilinear": _filters(False), "malvar": _filters(True)}


@dataclass(frozen=True)
class Isp:
    """One camera's settings for one picture: plain numbers, `dataclasses.asdict` of it can be stored as JSON.

    Attributes:
        red_gain, blue_gain: white balance, relative to green (paper: uniform in 1.9..2.4 and 1.5..1.9).
        gain: digital gain of all channels (paper: 1 / normal(0.8, 0.1)).
        ccm: linear sRGB from white-balanced camera RGB, row by row, each row of sum 1 (`camera_ccm`).
        pattern: the colours of the first 2 x 2 pixels of the mosaic, row by row.
        demosaic: how the missing colours are filled in.

    Raises:
        ValueError: a gain that is not positive, nine numbers that are no such matrix, an unknown name.
    """

    red_gain: float
    blue_gain: float
    gain: float
    ccm: tuple[float, ...]
    pattern: Pattern = "rggb"
    demosaic: Method = "malvar"

    def __post_init__(self) -> None:
        object.__setattr__(self, "ccm", tuple(float(value) for value in self.ccm))  # JSON gives a list
        if not all(0 < gain < np.inf for gain in (self.red_gain, self.blue_gain, self.gain)):
            raise ValueError(f"gains {self.red_gain}, {self.blue_gain}, {self.gain}: not all positive")
        if len(self.ccm) != 9 or np.abs(self.matrix.sum(axis=1) - 1).max() > 1e-6:
            raise ValueError(f"no 3 x 3 matrix with rows of sum 1: {self.ccm}")
        if abs(np.linalg.det(self.matrix)) < 1e-3:
            raise ValueError(f"a colour matrix that cannot be inverted: {self.ccm}")
        if self.pattern not in get_args(Pattern) or self.demosaic not in get_args(Method):
            raise ValueError(f"no pattern {self.pattern!r} with demosaicing {self.demosaic!r}")

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """(3, 3) linear sRGB from camera RGB."""
        return np.array(self.ccm).reshape(3, 3)

    @property
    def gains(self) -> Image:
        """(3,) what red, green and blue of the raw picture are multiplied by."""
        return np.array([self.red_gain, 1, self.blue_gain], dtype=np.float32) * np.float32(self.gain)


def of_numbers(numbers: Mapping[str, Any]) -> Isp:
    """Settings from a mapping that may hold more, e.g. a step of a plan.

    Args:
        numbers: the attributes of `Isp`; those with a default may be missing. `ccm` is nine numbers, or
            one: a strength s for (1 - s) identity + s `camera_ccm` of all four cameras.

    Raises:
        KeyError: an attribute without a default is missing.
        ValueError: as in `Isp`.
    """
    given = {field.name: numbers[field.name] for field in fields(Isp) if field.name in numbers}
    if missing := {"red_gain", "blue_gain", "gain", "ccm"} - set(given):
        raise KeyError(*sorted(missing))
    if isinstance(given["ccm"], int | float):
        mean = np.array(camera_ccm((1, 1, 1, 1)))
        given["ccm"] = np.eye(3).ravel() + given["ccm"] * (mean - np.eye(3).ravel())
    return Isp(**given)


def camera_ccm(weights: Sequence[float]) -> tuple[float, ...]:
    """Colour matrix of a mixture of the four real cameras (paper, "Color Correction").

    Args:
        weights: one per camera of `CAMERA_FROM_XYZ`, not negative, any sum above 0 (paper: uniform).

    Returns:
        Nine numbers for `Isp.ccm`: rows of sum 1, white stays white.
    """
    camera_from_xyz = np.average(CAMERA_FROM_XYZ, axis=0, weights=np.asarray(weights, dtype=np.float64))
    camera_from_rgb = camera_from_xyz @ XYZ_FROM_RGB
    camera_from_rgb /= camera_from_rgb.sum(axis=1, keepdims=True)
    return tuple(np.linalg.inv(camera_from_rgb).ravel().tolist())


def unprocess(image: Image, isp: Isp) -> Image:
    """What the sensor would have seen, all three colours at each pixel.

    Undoes tone curve, gamma, colour matrix and gains. Inverse gains alone would leave no raw value near 1, so
    highlights fade to the value itself (paper, "White Balance": alpha(x) and f(x, g), on each channel): 1
    stays 1, and `process` returns to it. Colours outside of the camera's gamut are clipped.

    Args:
        image: (H, W, 3), RGB, sRGB-encoded, [0, 1].
        isp: settings.

    Returns:
        (H, W, 3) float32 linear camera RGB in [0, 1].
    """
    encoded = np.clip(image, 0, 1).astype(np.float32, copy=False)
    tone = 0.5 - np.sin(np.arcsin(1 - 2 * encoded) / 3)  # inverse of 3 x^2 - 2 x^3
    linear = np.maximum(tone, np.float32(DARKEST)) ** np.float32(GAMMA)
    camera = np.clip(cv2.transform(linear, np.linalg.inv(isp.matrix)), 0, 1)
    alpha = (np.maximum(camera - np.float32(HIGHLIGHT), 0) / np.float32(1 - HIGHLIGHT)) ** 2
    dimmed = camera / isp.gains
    return np.minimum(np.maximum(dimmed, (1 - alpha) * dimmed + alpha * camera), 1)


def process(rgb: Image, isp: Isp) -> Image:
    """The finished picture of demosaiced raw: gains, colour matrix, gamma and tone curve.

    Args:
        rgb: (H, W, 3) linear camera RGB, nominally [0, 1]; noise and demosaicing may lead outside.
        isp: settings.

    Returns:
        (H, W, 3) float32 RGB, sRGB-encoded, [0, 1]. Clipped after the gains, or saturated pixels would come
        out magenta, and after the colour matrix.
    """
    balanced = np.clip(rgb * isp.gains, 0, 1).astype(np.float32, copy=False)
    linear = np.clip(cv2.transform(balanced, isp.matrix), 0, 1)
    encoded = np.maximum(linear, np.float32(DARKEST)) ** np.float32(1 / GAMMA)
    return encoded * encoded * (3 - 2 * encoded)


def mosaic(rgb: Image, pattern: Pattern) -> Image:
    """The one colour that each pixel's filter lets through.

    Args:
        rgb: (H, W, 3), any size.
        pattern: colours of the first 2 x 2 pixels.

    Returns:
        (H, W) float32.
    """
    row, column = divmod(pattern.index("r"), 2)
    raw = rgb[..., 1].astype(np.float32)
    raw[row::2, column::2] = rgb[row::2, column::2, 0]
    raw[1 - row :: 2, 1 - column :: 2] = rgb[1 - row :: 2, 1 - column :: 2, 2]
    return raw


def demosaic(raw: Image, pattern: Pattern, method: Method = "malvar") -> Image:
    """Fill in the two colours that each pixel lacks; measured values stay as they are.

    Bilinear, or Malvar, He and Cutler, "High-Quality Linear Interpolation for Demosaicing of Bayer-Patterned
    Color Images", ICASSP 2004. The border is mirrored without repeating the edge, which keeps the pattern.

    Args:
        raw: (H, W) float32, at least 2 x 2.
        pattern: colours of the first 2 x 2 pixels.
        method: filters.

    Returns:
        (H, W, 3) float32, not clipped.

    Raises:
        ValueError: a mosaic that lacks a colour altogether.
    """
    if min(raw.shape) < 2:
        raise ValueError(f"a mosaic of {raw.shape} lacks a colour")
    cross, across, down, diagonal = (
        cv2.filter2D(raw, -1, kernel, borderType=cv2.BORDER_REFLECT_101) for kernel in FILTERS[method]
    )
    row, column = divmod(pattern.index("r"), 2)
    red, blue = np.s_[row::2, column::2], np.s_[1 - row :: 2, 1 - column :: 2]
    green_by_red, green_by_blue = np.s_[row::2, 1 - column :: 2], np.s_[1 - row :: 2, column::2]  # in a row
    planes = np.stack([raw, raw, raw])
    planes[0][blue], planes[2][red] = diagonal[blue], diagonal[red]
    planes[0][green_by_red], planes[2][green_by_red] = across[green_by_red], down[green_by_red]
    planes[0][green_by_blue], planes[2][green_by_blue] = down[green_by_blue], across[green_by_blue]
    planes[1][red], planes[1][blue] = cross[red], cross[blue]
    return cv2.merge(list(planes))
