"""One image degraded: a plan of plain numbers applied to it, step by step.

All in float between steps that are defined on 8 bits (codecs); rounded half to even and clipped once, at
the end. `realdeg.degrade.apply.batch` does the same to tensors; a parity test covers every operation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from realdeg.arraytypes import Image
from realdeg.degrade.ops.context import Plan, Step
from realdeg.degrade.ops.blur import kernel_of
from realdeg.degrade.ops.level_noise import matched
from realdeg.errors import UserError
from realdeg.imaging import noise
from realdeg.imaging.blur import blur, blur_subsample
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear
from realdeg.imaging.depth import to_8bit, to_float
from realdeg.imaging.resample import resample, resize_to
from realdeg.imaging.sharpen import unsharp
from realdeg.io.save import to_uint
from realdeg.pools.pools import KernelPool, NoisePool


def mod_crop(hr: Image, scale: int) -> Image:
    """HR cut at the right and bottom to multiples of the scale."""
    height, width = (n // scale * scale for n in hr.shape[:2])
    return hr[:height, :width]


def apply(
    plan: Plan, hr: Image, *, kernels: KernelPool | None = None, noises: NoisePool | None = None
) -> Image:
    """LR of an HR image, as the plan says.

    Args:
        plan: from `Recipe.draw`, or a manifest row.
        hr: (H, W, 3) uint8 or uint16, of the size the plan was drawn for.
        kernels: the pool that the plan was drawn from.
        noises: likewise.

    Returns:
        (h, w, 3) of HR's type.

    Raises:
        UserError: the plan names a kernel or patch that the pool does not have, a kernel is larger than the
            image, or a codec is not installed.
    """
    image = hr
    for step in plan:
        image = APPLY[step["op"]](image, step, Pools(kernels, noises))
    if image.dtype == hr.dtype:
        return np.ascontiguousarray(image)
    return to_uint(to_float(image), hr.dtype.type)


class Pools:
    """The pools a plan was drawn from."""

    def __init__(self, kernels: KernelPool | None, noises: NoisePool | None) -> None:
        self.kernels = kernels
        self.noises = noises


def _blur(image: Image, step: Step, pools: Pools) -> Image:
    at = kernel_of(step, pools.kernels, 1)
    _refuse_large(step, image, pools)
    return blur(to_float(image), at, step.get("border", "symmetric"))


def _reduce(image: Image, step: Step, pools: Pools) -> Image:
    at = kernel_of(step, pools.kernels, step["factor"])
    _refuse_large(step, image, pools)
    ready = image if image.dtype == np.uint8 else to_float(image)
    return blur_subsample(ready, at, step["factor"], step.get("border", "symmetric"))


def _refuse_large(step: Step, image: Image, pools: Pools) -> None:
    """A camera's kernel says nothing of an image that it is larger than; formulas see mirrored borders."""
    if step["kind"] != "pool" or pools.kernels is None:
        return
    kernel = pools.kernels.kernels[pools.kernels.names.index(step["kernel"])]
    if max(kernel.shape) > min(image.shape[:2]):
        sizes = ("x".join(str(n) for n in array.shape[1::-1]) for array in (kernel, image))
        problem = "kernel of {} px is larger than the image of {} px".format(*sizes)
        raise UserError(step["kernel"], problem, "use larger images or smaller kernels")


def _resize(image: Image, step: Step, pools: Pools) -> Image:
    height, width = step["size"]
    if step.get("integers"):
        whole = image if image.dtype != np.float32 else to_8bit(image)
        return resize_to(whole, (height, width))
    options = {"antialias": step.get("antialias", True), "border": step.get("border", "symmetric")}
    return resample(to_float(image), (height, width), step["method"], **options)


def _noise(image: Image, step: Step, pools: Pools) -> Image:
    image, key = to_float(image), int(step["key"], 16)
    if step["law"] == "poisson":
        photons = step["photons"]
        if photons == "levels":
            photons = noise.distinct_levels(noise.luma(image) if step["channels"] == "grey" else image)
        return noise.poisson(image, key, photons, step["channels"], step.get("amount", 1))
    sigma, covariance = step.get("sigma_8bit", 0), step.get("covariance", ())
    speckle = step["law"] == "speckle"
    return noise.gaussian(image, key, sigma, step["channels"], covariance, speckle=speckle)


def _inject(image: Image, step: Step, pools: Pools) -> Image:
    amount = step.get("amount", 1)
    if "match" in step:
        image = to_float(image)
        return image + matched(image, step, pools.noises)
    patch = window(step, image.shape[:2], pools.noises)
    return to_float(image) + (patch if amount == 1 else patch * np.float32(amount))


def window(step: Step, size_hw: tuple[int, ...], noises: NoisePool | None) -> Image:
    """The part of a noise patch that a step adds to an image of this size, (h, w, 3) float32.

    Raises:
        UserError: the pool lacks the patch, or has another of its name.
    """
    if noises is None:
        raise UserError(step["noise"], "noise patch is not in the pool", "give the noise pool")
    index, y, x = noises.index_of(step["noise"], step["noise_sha"]), step["noise_y"], step["noise_x"]
    patch = noises.residual(index, np.s_[y : y + size_hw[0], x : x + size_hw[1]])
    short = [n - p for n, p in zip(size_hw, patch.shape[:2], strict=True)]
    if any(short):  # it starts at the patch's corner then, and all of it is here
        patch = np.pad(patch, ((0, short[0]), (0, short[1]), (0, 0)), mode="symmetric")
    return patch


def _codec(image: Image, step: Step, pools: Pools) -> Image:
    if step["format"] == "jpeg_differentiable":
        from realdeg.imaging.batched import jpeg_model_of_image

        return jpeg_model_of_image(to_float(image), step["quality"])
    from realdeg.imaging.codec import roundtrip

    subsampling = step.get("subsampling", "420")
    return roundtrip(to_8bit(image), step["format"], step["quality"], subsampling=subsampling)


def _video(image: Image, step: Step, pools: Pools) -> Image:
    from realdeg.imaging.video import roundtrip

    dx, dy = step["pan"]
    return roundtrip(to_8bit(image), step["codec"], step["crf"], frames=step["frames"], pan=(dx, dy))


def _camera(image: Image, step: Step, pools: Pools) -> Image:
    from realdeg.imaging import isp

    made = isp.of_numbers(step)
    raw = isp.mosaic(isp.unprocess(to_float(image), made), step["pattern"])
    z = noise.normal(int(step["key"], 16), raw.shape)
    noisy = raw + z * np.sqrt(np.maximum(raw, 0) * np.float32(step["shot"]) + np.float32(step["read"]))
    return isp.process(isp.demosaic(noisy, step["pattern"], step["demosaic"]), made)


def _sharpen(image: Image, step: Step, pools: Pools) -> Image:
    settings = step["weight"], step["radius"], step["threshold"]
    return unsharp(to_float(image), *settings, step.get("border", "symmetric"))


def _tone(image: Image, step: Step, pools: Pools) -> Image:
    image, levels = to_float(image), step["levels"]
    shifts = [np.interp(255 * image[..., c], levels, step["shift"][c]) for c in range(3)]
    return image + np.stack(shifts, -1).astype(np.float32) * np.float32(1 / 255)


def _clip(image: Image, step: Step, pools: Pools) -> Image:
    return np.clip(image, 0, 1) if image.dtype == np.float32 else image


def _light(image: Image, step: Step, pools: Pools) -> Image:
    change = srgb_to_linear if step["to"] == "linear" else linear_to_srgb
    if image.dtype == np.uint8:
        table = change(np.arange(256, dtype=np.float32) / 255)
        return np.take(table, image)
    return change(to_float(image))


def _grey(image: Image, step: Step, pools: Pools) -> Image:
    if image.dtype != np.float32 and (image == image[..., :1]).all():
        return image
    return np.repeat(noise.luma(to_float(image))[..., None], 3, axis=2)


APPLY: dict[str, Callable[[Image, Step, Pools], Image]] = {
    "blur": _blur,
    "reduce": _reduce,
    "resize": _resize,
    "noise": _noise,
    "inject": _inject,
    "codec": _codec,
    "video": _video,
    "camera": _camera,
    "sharpen": _sharpen,
    "tone": _tone,
    "clip": _clip,
    "light": _light,
    "grey": _grey,
}
