"""One image degraded: a plan applied to it, step by step.

All in float between steps that are defined on 8 bits (codecs); rounded half to even and clipped once, at
the end. `realdeg.degrade.apply.batch` does the same to tensors; a parity test covers every operation.
"""

from __future__ import annotations

import numpy as np

from realdeg.arraytypes import Image
from realdeg.degrade.ops.step import Pools, Size
from realdeg.degrade.plan import Plan, size_in_words
from realdeg.errors import UserError
from realdeg.imaging.depth import to_float
from realdeg.io.save import to_uint
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool


def apply(
    plan: Plan, hr: Image, *, kernels: KernelPool | None = None, noises: NoisePool | None = None
) -> Image:
    """LR of an HR image, as the plan says.

    Args:
        plan: from `Recipe.draw`, or `Plan.from_json` of a manifest's row.
        hr: (H, W, 3) uint8 or uint16, of the size that the plan was drawn for: HR, not its source
            (`realdeg.degrade.apply.prepare.prepare_hr`).
        kernels: the pool that the plan was drawn from.
        noises: likewise.

    Returns:
        (h, w, 3) of HR's type.

    Raises:
        UserError: HR is no such image, or of another size; the plan names a kernel or patch that the pool
            does not have, a kernel is larger than the image, or a codec is not installed.
    """
    refuse_other_arrays(hr)
    refuse_other_size(plan, hr.shape[:2])
    pools = Pools(kernels, noises)
    image = hr
    for step in plan.steps:
        image = step.apply(image, pools)
    if image.dtype == hr.dtype:
        return np.ascontiguousarray(image)
    return to_uint(to_float(image), hr.dtype.type)


def refuse_other_arrays(image: Image) -> None:
    """Refuse what is no image as readers give it.

    Raises:
        UserError: not (H, W, 3) of uint8 or uint16; says what it is.
    """
    if image.dtype not in (np.uint8, np.uint16) or image.ndim != 3 or image.shape[2] != 3:
        problem = f"is an array of {image.dtype} and shape {image.shape}"
        raise UserError("the image", problem, "give (H, W, 3) RGB of uint8 or uint16")


def refuse_other_size(plan: Plan, size_hw: Size) -> None:
    """Refuse an HR image of another size than the plan was drawn for: it would become another LR, silently.

    Args:
        plan: any.
        size_hw: of HR.

    Raises:
        UserError: names both sizes.
    """
    if plan.hr_size is not None and tuple(size_hw) != plan.hr_size:
        problem = (
            f"is {size_in_words(size_hw)}, but the plan was drawn for HR of {size_in_words(plan.hr_size)}"
        )
        remedy = "draw a plan for this size, or give the HR image of the plan"
        if plan.cleanup > 1:
            remedy += f" (its source reduced by {plan.cleanup}, see prepare_hr)"
        raise UserError("HR", problem, remedy)
