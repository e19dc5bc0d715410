"""Blur by a kernel, and blur and subsample: what a lens and a coarser sensor do to an image.

Correlation; the border is symmetric (edge pixel repeated) unless told otherwise. LR pixel i sits at HR
s i + (s - 1) / 2 whatever the kernel's size: the kernel's centre of mass is brought to that point
(`align_kernel`). Three conventions for it are in use (KernelGAN and DIV2KRK, FKP, KAIR), up to seven HR px
apart; the centre of mass fits all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Image
from realdeg.imaging.border import OPENCV, Border, padded
from realdeg.imaging.kernels import centre_of_mass, shifted, trimmed

NEGLIGIBLE_PX = 5e-4
NEGLIGIBLE_8BIT = 4e-5  # of a kernel's sum: 0.01 levels of 255 at most
NEGLIGIBLE = 1e-6  # of a kernel's sum: 0.07 levels of 65535 at most
BITS = 16  # weights are multiples of 2**-16: 8 bits of the image and 16 of the weight fit float32's 24


@dataclass(frozen=True, eq=False)
class AlignedKernel:
    """A kernel at rest on the grid of a scale.

    Attributes:
        kernel: (h, w) float64, sum 1.
        anchor: (x, y) kernel pixel that lies on HR pixel s i + (s - 1) // 2 of LR pixel i.
        moved: by how much the kernel had to be moved, (x, y) HR px.
    """

    kernel: npt.NDArray[Any]
    anchor: tuple[int, int]
    moved: tuple[float, float]


def align_kernel(kernel: npt.NDArray[Any], scale: int) -> AlignedKernel:
    """Move a kernel by less than a pixel so that its centre of mass lies where LR pixels sit.

    Args:
        kernel: (h, w), sum about 1.
        scale: HR size / LR size; 1 for a blur without subsampling.
    """
    part = ((scale - 1) % 2) / 2  # LR pixels of even scales sit between HR pixels
    kernel = np.ascontiguousarray(kernel, np.float64)
    kernel = kernel / kernel.sum()
    centre = np.array(centre_of_mass(kernel))
    whole = np.ceil(centre - part - 0.5 - 1e-6)  # a half goes down, whatever its last bit
    move = whole + part - centre
    if np.abs(move).max() > NEGLIGIBLE_PX:
        kernel = shifted(kernel, *move)
        whole += 2  # `shifted` adds two pixels on each side
    else:
        move = np.zeros(2)
    return AlignedKernel(kernel, (int(whole[0]), int(whole[1])), (float(move[0]), float(move[1])))


def blur(image: Image, at: AlignedKernel, border: Border = "symmetric") -> Image:
    """An image blurred at its own size, fast (OpenCV).

    Args:
        image: (H, W, C) float32.
        at: kernel, from `align_kernel` for scale 1.
        border: what lies beyond the edge.

    Returns:
        (H, W, C) float32, not clipped.
    """
    kernel, (x, y) = _enclosing(_without_tails(at, NEGLIGIBLE))
    if kernel.shape == (1, 1):
        return image
    border_type = OPENCV[border]
    parts = _separated(kernel)
    if parts:
        made = cv2.sepFilter2D(image, -1, parts[1], parts[0], anchor=(x, y), borderType=border_type)
    else:
        made = cv2.filter2D(image, -1, kernel, anchor=(x, y), borderType=border_type)
    return made.reshape(image.shape)  # OpenCV drops a single channel's axis


def blur_subsample(image: Image, at: AlignedKernel, scale: int, border: Border = "symmetric") -> Image:
    """LR image of an HR image, fast; parity-tested with `blur_subsample_reference`.

    8-bit images go through one matrix product of image blocks and kernel (`_by_blocks`), with weights
    rounded to 2**-16: every product and sum is then exact in float32, so the result does not depend on the
    machine, the library or the number of threads. Others go through OpenCV's filter.

    Args:
        image: (H, W, C) uint8, or float32 in any unit; H and W multiples of scale.
        at: kernel, from `align_kernel` for the same scale.
        scale: HR size / LR size.
        border: what lies beyond the edge.

    Returns:
        (H / scale, W / scale, C) float32 in [0, 1] for uint8, else in the image's unit; not clipped.
    """
    if image.dtype == np.uint8:
        return _by_blocks(image, at, scale, border) * np.float32(1 / 255)
    blurred = blur(image, at, border)
    first = (scale - 1) // 2
    return np.ascontiguousarray(blurred[first::scale, first::scale])


def blur_subsample_reference(
    image: Image, at: AlignedKernel, scale: int, border: Border = "symmetric"
) -> Image:
    """The definition, in float64: each LR pixel is the weighted sum of the HR pixels under the kernel."""
    kernel, (x, y) = _enclosing(at)
    height, width = kernel.shape
    first = (scale - 1) // 2
    rows, columns = image.shape[0] // scale, image.shape[1] // scale
    around = padded(image.astype(np.float64), y, height - 1 - y, x, width - 1 - x, border)
    result = np.zeros((rows, columns, image.shape[2]))
    for v in range(height):
        for u in range(width):
            part = around[first + v :: scale, first + u :: scale][:rows, :columns]
            result += kernel[v, u] * part
    return result


def _enclosing(at: AlignedKernel) -> tuple[npt.NDArray[Any], tuple[int, int]]:
    """The kernel, padded where its anchor lies outside of it (a kernel stored in a corner)."""
    (x, y), (height, width) = at.anchor, at.kernel.shape
    left, top = max(0, -x), max(0, -y)
    right, bottom = max(0, x - width + 1), max(0, y - height + 1)
    return np.pad(at.kernel, ((top, bottom), (left, right))), (x + left, y + top)


def _without_tails(at: AlignedKernel, negligible: float) -> AlignedKernel:
    kernel, left, top = trimmed(at.kernel, negligible)
    return AlignedKernel(kernel, (at.anchor[0] - left, at.anchor[1] - top), at.moved)


def _separated(kernel: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]] | None:
    """(column, row) whose product is the kernel, to float32's precision, or None."""
    column, row = kernel.sum(1), kernel.sum(0) / kernel.sum()
    if min(kernel.shape) == 1 or np.abs(np.outer(column, row) - kernel).max() > 1e-8 * np.abs(kernel).max():
        return None
    return column, row


def in_steps(
    kernel: npt.NDArray[Any], bits: int = BITS, centre: tuple[float, float] | None = None
) -> npt.NDArray[Any]:
    """The kernel in multiples of 2**-bits; its sum is kept, and its centre of mass to 1e-4 px.

    A kernel whose |weights| sum up to more than 1 (negative lobes) gets so many bits fewer that sums stay
    below 2**24.

    Args:
        kernel: (h, w), sum 1.
        bits: of the weights.
        centre: (x, y) where its centre of mass is to be; default where it is.
    """
    exact = np.ascontiguousarray(kernel, np.float64)
    bits -= max(0, int(np.ceil(np.log2(np.abs(exact).sum() * (1 - 2.0**-bits)))))
    exact = exact * 2.0**bits
    steps = np.rint(exact)
    missing = round(float(exact.sum() - steps.sum()))
    # The largest weights take a step each, in an order that ties cannot change.
    order = np.argsort(-np.abs(exact).ravel(), kind="stable")
    for i in range(abs(missing)):
        steps.ravel()[order[i % order.size]] += np.sign(missing)
    for axis, (turned, wanted) in enumerate(((steps, exact), (steps.T, exact.T))):
        places = np.arange(turned.shape[1])
        moment = float(wanted.sum(0) @ places) if centre is None else centre[axis] * float(steps.sum())
        _balance(turned, wanted, places, moment)
    return steps * 2.0**-bits


def _balance(
    steps: npt.NDArray[Any], exact: npt.NDArray[Any], places: npt.NDArray[Any], moment: float
) -> None:
    """Move single steps along the rows until the first moment is right, where rounding loses least."""
    while by := round(float(steps.sum(0) @ places) - moment):
        apart = min(abs(by), steps.shape[1] - 1)
        if apart == 0:
            return
        gain = (exact - steps) * np.sign(by)
        gain = gain[:, :-apart] - gain[:, apart:]
        row, column = np.unravel_index(int(np.argmax(gain)), gain.shape)
        steps[row, column] += np.sign(by)
        steps[row, column + apart] -= np.sign(by)


def _by_blocks(image: Image, at: AlignedKernel, scale: int, border: Border) -> Image:
    """Blur and subsample as one matrix product: (blocks, B^2) pixels times (B^2, taps^2 b^2) weights.

    The image is cut into blocks of B = b s pixels a side; each gives b x b LR pixels, which see
    taps x taps blocks. Each block is multiplied with all of their weights at once, and the products are
    added where they belong. A strided convolution computes as much, in shapes that fill no vector unit.
    """
    kernel, (x, y), b = _steps_of(at, scale)
    height, width = kernel.shape
    rows, columns, channels = image.shape[0] // scale, image.shape[1] // scale, image.shape[2]
    block = b * scale
    first = (scale - 1) // 2
    up, down = (-(-(extent + (b - 1) * scale) // block) for extent in (height, width))
    tall, wide = -(-rows // b), -(-columns // b)
    # The grid of blocks begins where the first LR pixel's window begins, so that windows fill whole blocks.
    top, left = y - first, x - first
    around = padded(
        image,
        top,
        (tall + up - 1) * block - top - image.shape[0],
        left,
        (wide + down - 1) * block - left - image.shape[1],
        border,
    )
    tall_all, wide_all = tall + up - 1, wide + down - 1
    weights = _block_weights(at, scale, up, down)
    result = np.zeros((tall, wide, channels, b, b), np.float32)
    # A few rows of blocks at a time, so that their products stay in the cache until they are added.
    step = max(up, int(2.5e5 / (wide_all * channels * weights.shape[1])))
    for start in range(0, tall_all, step):
        stop = min(start + step, tall_all)
        pixels = around[start * block : stop * block].reshape(stop - start, block, wide_all, block, channels)
        cut = np.empty((stop - start, wide_all, channels, block, block), np.float32)
        cut[:] = pixels.transpose(0, 2, 4, 1, 3)
        products = cut.reshape(-1, block * block) @ weights
        products = products.reshape(stop - start, wide_all, channels, up, down, b, b)
        for v in range(up):
            # Block row r is the v-th that LR block row r - v sees.
            begin, end = max(start - v, 0), min(stop - v, tall)
            if begin < end:
                for u in range(down):
                    part = products[begin + v - start : end + v - start, u : u + wide, :, v, u]
                    result[begin:end] += part
    whole = result.transpose(0, 3, 1, 4, 2).reshape(tall * b, wide * b, channels)
    return np.ascontiguousarray(whole[:rows, :columns])


def _side(extents: tuple[int, ...], scale: int) -> int:
    """LR pixels a side of a block, for the least work: products, and the additions after them."""

    def work(b: int) -> int:
        up, down = (-(-(extent + (b - 1) * scale) // (b * scale)) for extent in extents)
        return up * down * (b * b + 10)

    return min(range(1, max(2, 32 // scale + 1)), key=work)


@lru_cache(maxsize=32)
def _steps_of(at: AlignedKernel, scale: int) -> tuple[npt.NDArray[Any], tuple[int, int], int]:
    """The kernel in steps, its anchor, and the side of a block in LR pixels."""
    kernel, anchor = _enclosing(_without_tails(at, NEGLIGIBLE_8BIT))
    x, y = centre_of_mass(at.kernel)
    centre = x - at.anchor[0] + anchor[0], y - at.anchor[1] + anchor[1]
    return in_steps(kernel, centre=centre), anchor, _side(kernel.shape, scale)


@lru_cache(maxsize=32)
def _block_weights(at: AlignedKernel, scale: int, up: int, down: int) -> npt.NDArray[np.float32]:
    """(B^2, up * down * b^2) weights of each pixel of a block for each LR pixel that sees it."""
    kernel, _, b = _steps_of(at, scale)
    height, width = kernel.shape
    block = b * scale
    window = np.zeros((b, b, up * block, down * block), np.float32)
    for i in range(b):
        for j in range(b):
            window[i, j, i * scale : i * scale + height, j * scale : j * scale + width] = kernel
    split = window.reshape(b, b, up, block, down, block).transpose(3, 5, 2, 4, 0, 1)
    return np.ascontiguousarray(split.reshape(block * block, -1))
