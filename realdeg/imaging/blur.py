"""Blur by a kernel and subsample: what a lens and a coarser sensor do to an image.

Correlation, symmetric border (edge pixel repeated). LR pixel i sits at HR s i + (s - 1) / 2 whatever the
kernel's size: the kernel's centre of mass is brought to that point (`placed`). Three conventions for it
are in use (KernelGAN and DIV2KRK, FKP, KAIR), up to seven HR px apart; the centre of mass fits all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.imaging.kernels import centre_of_mass, shifted

Image = npt.NDArray[Any]
NEGLIGIBLE_PX = 5e-4


@dataclass(frozen=True, eq=False)
class Placed:
    """A kernel at rest on the grid of a scale.

    Attributes:
        kernel: (h, w) float64, sum 1.
        anchor: (x, y) kernel pixel that lies on HR pixel s i + (s - 1) // 2 of LR pixel i.
        moved: by how much the kernel had to be moved, (x, y) HR px.
    """

    kernel: npt.NDArray[Any]
    anchor: tuple[int, int]
    moved: tuple[float, float]


def placed(kernel: npt.NDArray[Any], scale: int) -> Placed:
    """Move a kernel by less than a pixel so that its centre of mass lies where LR pixels sit.

    Args:
        kernel: (h, w), sum about 1.
        scale: HR size / LR size.
    """
    part = ((scale - 1) % 2) / 2  # LR pixels of even scales sit between HR pixels
    kernel = kernel / kernel.sum()
    centre = np.array(centre_of_mass(kernel))
    whole = np.rint(centre - part)
    move = whole + part - centre
    if np.abs(move).max() > NEGLIGIBLE_PX:
        kernel = shifted(kernel, *move)
        whole += 2  # `shifted` adds two pixels on each side
    else:
        move = np.zeros(2)
    return Placed(kernel, (int(whole[0]), int(whole[1])), (float(move[0]), float(move[1])))


def blur_subsample(image: Image, at: Placed, scale: int) -> Image:
    """LR image of an HR image, fast (OpenCV); parity-tested with `blur_subsample_reference`.

    Args:
        image: (H, W, C) float32, H and W multiples of scale.
        at: kernel, from `placed` for the same scale.
        scale: HR size / LR size.

    Returns:
        (H / scale, W / scale, C) float32, not clipped.
    """
    kernel, (x, y) = _enclosing(at)
    blurred = cv2.filter2D(image, -1, kernel, anchor=(x, y), borderType=cv2.BORDER_REFLECT)
    first = (scale - 1) // 2
    result: Image = np.ascontiguousarray(blurred[first::scale, first::scale])
    return result


def blur_subsample_reference(image: Image, at: Placed, scale: int) -> Image:
    """The definition, in float64: each LR pixel is the weighted sum of the HR pixels under the kernel."""
    kernel, (x, y) = _enclosing(at)
    height, width = kernel.shape
    first = (scale - 1) // 2
    rows, columns = image.shape[0] // scale, image.shape[1] // scale
    border = ((y, height - 1 - y), (x, width - 1 - x), (0, 0))
    padded = np.pad(image.astype(np.float64), border, mode="symmetric")
    result = np.zeros((rows, columns, image.shape[2]))
    for v in range(height):
        for u in range(width):
            part = padded[first + v :: scale, first + u :: scale][:rows, :columns]
            result += kernel[v, u] * part
    return result


def _enclosing(at: Placed) -> tuple[npt.NDArray[Any], tuple[int, int]]:
    """The kernel, padded where its anchor lies outside of it (a kernel stored in a corner)."""
    (x, y), (height, width) = at.anchor, at.kernel.shape
    left, top = max(0, -x), max(0, -y)
    right, bottom = max(0, x - width + 1), max(0, y - height + 1)
    return np.pad(at.kernel, ((top, bottom), (left, right))), (x + left, y + top)
