"""Plans applied to batches of tensors, for training: the same operations as `realdeg.degrade.apply.image`.

Plans of one structure (order of operations, sizes, methods) are applied together; a batch of several
structures is taken apart and put together again. `Recipe.draw(group=...)` gives all samples of a batch
one structure. Real codecs work on the processor, one image after the other; a recipe with
"jpeg_differentiable" stays on the device.

On a processor, `realdeg.degrade.apply.image.apply` is several times faster than this, image by image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from realdeg.degrade.apply.image import APPLY, Pools, window
from realdeg.degrade.ops.context import Plan, Step
from realdeg.degrade.ops.blur import kernel_of
from realdeg.degrade.ops.level_noise import TONES, checked
from realdeg.imaging import batched, noise
from realdeg.pools.level_function import INTENSITY_BIN, KNOTS
from realdeg.pools.pools import KernelPool, NoisePool

STRUCTURE: dict[str, tuple[str, ...]] = {
    "blur": ("border",),
    "reduce": ("factor", "border"),
    "resize": ("size", "method", "antialias", "integers", "border"),
    "noise": ("law",),
    "inject": ("match",),
    "codec": ("format",),
    "video": (),
    "camera": (),
    "sharpen": ("radius", "border"),
    "tone": ("levels",),
    "clip": (),
    "light": ("to",),
    "grey": (),
}


def apply(
    plans: Sequence[Plan],
    hr: Tensor,
    *,
    kernels: KernelPool | None = None,
    noises: NoisePool | None = None,
    levels: int | None = 255,
) -> Tensor:
    """LR images of a batch of HR images, each as its plan says.

    Args:
        plans: B plans, drawn for HR's size.
        hr: (B, 3, H, W) uint8, or float in [0, 1].
        kernels, noises: the pools that the plans were drawn from.
        levels: the result is rounded to so many steps between 0 and 1, as a file would be; None = not.

    Returns:
        (B, 3, h, w) float32 in [0, 1], on HR's device.

    Raises:
        UserError: as `realdeg.degrade.apply.image.apply`.
        ValueError: another number of plans than of images.
    """
    if len(plans) != len(hr):
        raise ValueError(f"{len(plans)} plans for {len(hr)} images")
    images = hr.float() / 255 if hr.dtype == torch.uint8 else hr.float()
    pools = Pools(kernels, noises)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, plan in enumerate(plans):
        groups.setdefault(tuple(_structure(step) for step in plan), []).append(index)
    parts = []
    for members in groups.values():
        part = images if len(groups) == 1 else images[members]
        for steps in zip(*(plans[index] for index in members), strict=True):
            part = TENSORS[steps[0]["op"]](part, steps, pools)
        parts.append(part)
    result = parts[0]
    if len(groups) > 1:
        order = [index for members in groups.values() for index in members]
        result = torch.cat(parts)[torch.tensor(np.argsort(order), device=images.device)]
    result = result.clamp(0, 1)
    return result if levels is None else _rounded(result, levels)


def _structure(step: Step) -> tuple[Any, ...]:
    """What has to be equal for steps to be applied together."""
    parts = [str(step[name]) for name in STRUCTURE[step["op"]] if name in step]
    if step["op"] == "noise" and step["law"] == "poisson":
        parts.append(str(step["photons"] == "levels"))
    return (step["op"], *parts)


def _rounded(images: Tensor, levels: int) -> Tensor:
    """Rounded forwards; backwards as if it had not been."""
    return images + ((images * levels).round() / levels - images).detach()


def _numbers(steps: Sequence[Step], name: str, images: Tensor, default: float = 1.0) -> Tensor:
    return torch.tensor([float(step.get(name, default)) for step in steps], device=images.device)


def _blur(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    factor = steps[0].get("factor", 1)
    placed = [kernel_of(step, pools.kernels, factor) for step in steps]
    return batched.blur(images, placed, factor, steps[0].get("border", "symmetric"))


def _resize(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    step = steps[0]
    height, width = step["size"]
    return batched.resample(
        images,
        (height, width),
        step["method"],
        antialias=step.get("antialias", True),
        border=step.get("border", "symmetric"),
        integers=step.get("integers", False),
    )


def _noise(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    first, size = steps[0], (images.shape[-2], images.shape[-1])
    grey = [step["channels"] == "grey" for step in steps]
    drawn = batched.bits([int(step["key"], 16) for step in steps], size, grey, images.device)
    if first["law"] == "poisson":
        counted = first["photons"] == "levels"
        which = torch.tensor(grey, device=images.device)
        photons = batched.distinct_levels(images, which) if counted else _numbers(steps, "photons", images)
        return batched.poisson(images, drawn, photons, _numbers(steps, "amount", images), which)
    mixing = [
        noise.mixing(step["covariance"]) if "covariance" in step else step["sigma_8bit"] * np.eye(3)
        for step in steps
    ]
    matrix = torch.from_numpy(np.stack(mixing) / 255).to(images)
    return batched.gaussian(images, drawn, matrix, speckle=first["law"] == "speckle")


def _inject(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    if "match" in steps[0]:
        return _inject_matched(images, steps, pools)
    size = images.shape[-2:]
    patches = np.stack(
        [window(step, size, pools.noises) * np.float32(step.get("amount", 1)) for step in steps]
    )
    return images + torch.from_numpy(patches).to(images.device).permute(0, 3, 1, 2)


def _inject_matched(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    levels, size = checked(steps[0], pools.noises), (images.shape[-2], images.shape[-1])
    place = (images.mean(1, keepdim=True) * (255 / INTENSITY_BIN) - 0.5).clamp(0, TONES - 1)
    noise = torch.zeros_like(images)
    for tone in range(TONES):
        fields = np.stack([levels.field(step, size, tone) for step in steps])
        weight = ((place - tone).abs().clamp(max=1) * (np.pi / 2)).cos()
        noise = noise + weight * torch.from_numpy(fields).to(images.device).permute(0, 3, 1, 2)
    law = torch.from_numpy(levels.law.variance).to(images).expand(len(images), 3, -1)
    variance = batched.interpolated(255 * images, KNOTS.tolist(), law)
    amount = _numbers(steps, "amount", images)[:, None, None, None] / 255
    return images + noise * variance.sqrt() * amount


def _codec(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    if steps[0]["format"] == "jpeg_differentiable":
        return batched.jpeg_model(images, _numbers(steps, "quality", images))
    return _one_by_one(images, steps, pools)


def _one_by_one(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    """Real codecs: 8-bit pictures on the processor; no gradient passes."""
    whole = (images.detach().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()
    made = [APPLY[step["op"]](image, step, pools) for image, step in zip(whole, steps, strict=True)]
    return torch.from_numpy(np.stack(made)).to(images.device).permute(0, 3, 1, 2).float() / 255


def _camera(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    from realdeg.imaging import isp, isp_batched

    made = isp_batched.stacked([isp.of_numbers(step) for step in steps], device=images.device)
    raw = isp_batched.mosaic(isp_batched.unprocess(images, made), made.pattern)
    size = (raw.shape[-2], raw.shape[-1])
    keys = [int(step["key"], 16) for step in steps]
    z = batched.normal(batched.bits(keys, size, [True] * len(keys), images.device)[:, :1])
    shot, read = (_numbers(steps, name, images)[:, None, None, None] for name in ("shot", "read"))
    raw = raw.reshape(len(images), 1, *size)
    raw = raw + z * (raw.clamp(min=0) * shot + read).sqrt()
    return isp_batched.process(isp_batched.demosaic(raw, made.pattern, made.demosaic), made)


def _sharpen(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    weight, threshold = (_numbers(steps, name, images) for name in ("weight", "threshold"))
    border = steps[0].get("border", "symmetric")
    return batched.unsharp(images, weight, steps[0]["radius"], threshold, border)


def _tone(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    shifts = torch.tensor([step["shift"] for step in steps], dtype=images.dtype, device=images.device)
    return images + batched.interpolated(255 * images, steps[0]["levels"], shifts) / 255


def _clip(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    return images.clamp(0, 1)


def _light(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    to_linear = steps[0]["to"] == "linear"
    return batched.srgb_to_linear(images) if to_linear else batched.linear_to_srgb(images)


def _grey(images: Tensor, steps: Sequence[Step], pools: Pools) -> Tensor:
    return batched.luma(images).expand_as(images)


TENSORS: dict[str, Callable[[Tensor, Sequence[Step], Pools], Tensor]] = {
    "blur": _blur,
    "reduce": _blur,
    "resize": _resize,
    "noise": _noise,
    "inject": _inject,
    "codec": _codec,
    "video": _one_by_one,
    "camera": _camera,
    "sharpen": _sharpen,
    "tone": _tone,
    "clip": _clip,
    "light": _light,
    "grey": _grey,
}
