"""Plans applied to batches of tensors, for training: the same operations as `realdeg.degrade.apply.image`.

Plans of one structure (order of operations, sizes, methods) are applied together; a batch of several
structures is taken apart and put together again. `Recipe.draw(group=...)` gives all samples of a batch
one structure. Real codecs work on the processor, one image after the other; a recipe with
"jpeg_differentiable" stays on the device.

On a processor, `realdeg.degrade.apply.image.apply` is several times faster than this, image by image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from realdeg.degrade.apply.image import refuse_other_size
from realdeg.degrade.ops.step import Pools, Step
from realdeg.degrade.plan import Plan
from realdeg.errors import UserError
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool

CodecGradient = Literal["refuse", "straight-through", "none"]


def apply(
    plans: Sequence[Plan],
    hr: Tensor,
    *,
    kernels: KernelPool | None = None,
    noises: NoisePool | None = None,
    levels: int | None = 255,
    codec_gradient: CodecGradient = "refuse",
) -> Tensor:
    """LR images of a batch of HR images, each as its plan says.

    Args:
        plans: B plans, drawn for HR's size.
        hr: (B, 3, H, W) uint8, or float in [0, 1].
        kernels, noises: the pools that the plans were drawn from.
        levels: the result is rounded to so many steps between 0 and 1, as a file would be; None = not.
        codec_gradient: what becomes of a gradient at a real codec (and at a resize in whole numbers), which
            has none: "refuse" it, where HR needs one; "straight-through": as if the step were not there;
            "none": none passes. Without a gradient to compute this changes nothing.

    Returns:
        (B, 3, h, w) float32 in [0, 1], on HR's device.

    Raises:
        UserError: as `realdeg.degrade.apply.image.apply`; or a gradient is wanted that a step has not.
        ValueError: another number of plans than of images, or `codec_gradient` is none of these.
    """
    if len(plans) != len(hr):
        raise ValueError(f"{len(plans)} plans for {len(hr)} images")
    if codec_gradient not in ("refuse", "straight-through", "none"):
        raise ValueError(f"codec_gradient {codec_gradient!r}: refuse, straight-through or none is meant")
    for plan in plans:
        refuse_other_size(plan, (hr.shape[-2], hr.shape[-1]))
    images = hr.float() / 255 if hr.dtype == torch.uint8 else hr.float()
    pools = Pools(kernels, noises)
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, plan in enumerate(plans):
        groups.setdefault(structure(plan), []).append(index)
    parts = []
    for members in groups.values():
        part = images if len(groups) == 1 else images[members]
        for steps in zip(*(plans[index].steps for index in members), strict=True):
            part = _applied(part, steps, pools, codec_gradient)
        parts.append(part)
    result = parts[0]
    if len(groups) > 1:
        order = [index for members in groups.values() for index in members]
        result = torch.cat(parts)[torch.tensor(np.argsort(order), device=images.device)]
    result = result.clamp(0, 1)
    return result if levels is None else _rounded(result, levels)


def structure(plan: Plan) -> tuple[object, ...]:
    """What has to be equal for plans to be applied together."""
    return tuple((type(step), *step.together()) for step in plan.steps)


def _applied(images: Tensor, steps: Sequence[Step], pools: Pools, codec_gradient: CodecGradient) -> Tensor:
    """One step of each image; a gradient that would be lost is refused, or led past it."""
    cut = steps[0].cuts_gradient()
    wanted = bool(cut) and torch.is_grad_enabled() and images.requires_grad
    if wanted and codec_gradient == "refuse":
        remedy = (
            'use "jpeg_differentiable" in the recipe, or ask for codec_gradient="straight-through" or "none"'
        )
        raise UserError("plan", f"HR needs a gradient, and {cut} lets none through", remedy)
    made = type(steps[0]).apply_batch(images.detach() if wanted else images, steps, pools)
    if wanted and codec_gradient == "straight-through":
        if made.shape != images.shape:
            size = (made.shape[-2], made.shape[-1])
            past = torch.nn.functional.interpolate(images, size, mode="bilinear", antialias=True)
        else:
            past = images
        made = made + (past - past.detach())  # exactly `made` forwards
    return made


def _rounded(images: Tensor, levels: int) -> Tensor:
    """Rounded forwards; backwards as if it had not been."""
    return images + ((images * levels).round() / levels - images).detach()
