"""One image degraded: what is drawn (a plan of plain numbers), and what is done with it.

Algorithm 1 of RealSR (Ji et al., CVPRW 2020) in its order: blur by a kernel of the pool, subsample, add a
noise patch of the pool. All in float; rounded and clipped once, at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg.degrade.pools import KernelPool, NoisePool
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import UserError
from realdeg.imaging.blur import blur_subsample, placed
from realdeg.imaging.resample import resize
from realdeg.io.save import to_uint
from realdeg.seeds import stream

Image = npt.NDArray[Any]
Plan = dict[str, Any]


def mod_crop(hr: Image, scale: int) -> Image:
    """HR cut at the right and bottom to multiples of the scale."""
    height, width = (n // scale * scale for n in hr.shape[:2])
    return hr[:height, :width]


def draw(
    settings: DegradeSettings,
    key: str,
    lr_size_hw: tuple[int, int],
    kernels: KernelPool | None,
    noises: NoisePool | None,
) -> Plan:
    """Draw what happens to one image; a function of (seed, key, pools, size) alone.

    Args:
        settings: the seed and the scale.
        key: the image's key.
        lr_size_hw: size of LR.
        kernels: pool to draw the kernel from, or None for MATLAB's bicubic.
        noises: pool to draw the noise from, or None.

    Returns:
        Names, content hashes and offsets: manifest columns, all that `apply` needs.
    """
    plan: Plan = {"seed": settings.seed, "kernel": "bicubic"}
    if kernels:
        index = int(stream(settings.seed, key, "kernel").integers(len(kernels.names)))
        at = placed(kernels.kernels[index], settings.scale)
        plan |= {"kernel": kernels.names[index], "kernel_sha": kernels.hash_of(index)}
        plan["kernel_moved"] = [round(part, 4) for part in at.moved]
    if noises:
        rng = stream(settings.seed, key, "noise")
        index = int(rng.integers(len(noises.names)))
        patch = noises.patches[index].shape[:2]
        # A patch larger than LR gives a random window; a smaller one is mirrored on from its corner.
        y, x = (int(rng.integers(max(1, p - n + 1))) for p, n in zip(patch, lr_size_hw, strict=True))
        plan |= {"noise": noises.names[index], "noise_sha": noises.hash_of(index), "noise_y": y, "noise_x": x}
        plan["noise_mirrored"] = any(p < n for p, n in zip(patch, lr_size_hw, strict=True))
    return plan


def apply(
    plan: Plan, hr: Image, scale: int, kernels: KernelPool | None = None, noises: NoisePool | None = None
) -> Image:
    """LR of an HR image, as the plan says.

    Args:
        plan: from `draw`, or a manifest row.
        hr: (H, W, 3) uint8 or uint16, H and W multiples of scale.
        scale: HR size / LR size.
        kernels: the pool that the plan was drawn from.
        noises: likewise.

    Returns:
        (H / scale, W / scale, 3) of HR's type. Without pools: MATLAB's bicubic, byte for byte.

    Raises:
        UserError: the plan names a kernel or patch that the pool does not have, or the kernel is larger
            than the image.
    """
    dtype, bicubic = hr.dtype, plan["kernel"] == "bicubic"
    if bicubic and not plan.get("noise"):
        return resize(hr, 1 / scale)
    image = hr.astype(np.float32) / np.float32(np.iinfo(dtype).max)
    if bicubic:
        lr = resize(image, 1 / scale)
    else:
        kernel = _find(plan["kernel"], kernels.names if kernels else (), "kernel")
        assert kernels is not None
        at = placed(kernels.kernels[kernel], scale)
        if max(at.kernel.shape) > min(hr.shape[:2]):
            sizes = ("x".join(str(n) for n in a.shape[1::-1]) for a in (kernels.kernels[kernel], hr))
            problem = "kernel of {} px is larger than the image of {} px".format(*sizes)
            raise UserError(plan["kernel"], problem, "use larger images or smaller kernels")
        lr = blur_subsample(image, at, scale)
    if plan.get("noise"):
        index = _find(plan["noise"], noises.names if noises else (), "noise patch")
        assert noises is not None
        lr = lr + _window(noises.residual(index), int(plan["noise_y"]), int(plan["noise_x"]), lr.shape[:2])
    return to_uint(lr, dtype.type)


def _find(name: str, names: tuple[str, ...], what: str) -> int:
    if name not in names:
        raise UserError(name, f"{what} is not in the pool", "give the pool that the plan was drawn from")
    return names.index(name)


def _window(patch: Image, y: int, x: int, size_hw: tuple[int, ...]) -> Image:
    short = [max(0, start + n - p) for start, n, p in zip((y, x), size_hw, patch.shape[:2], strict=True)]
    if any(short):
        patch = np.pad(patch, ((0, short[0]), (0, short[1]), (0, 0)), mode="symmetric")
    return patch[y : y + size_hw[0], x : x + size_hw[1]]
