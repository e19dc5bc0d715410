"""What batches of images have to be, said in one line."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from realdeg.inputs import ROUNDING, BadInput


def batch(images: Any, what: str, scale: int = 1) -> None:
    """Refuse what is no batch of RGB images.

    Args:
        images: (B, 3, H, W) uint8, or float in [0, 1]; H and W multiples of the scale.
        what: the argument's name.
        scale: HR size / LR size.

    Raises:
        BadInput: of another type, shape or range, empty, or not finite.
    """
    if not isinstance(images, Tensor):
        kind = type(images).__name__
        raise BadInput(
            what, f"is of type {kind}, not a tensor", "give (B, 3, H, W), torch.stack(...) of images"
        )
    shape = tuple(images.shape)
    if images.ndim != 4 or shape[1] != 3:
        remedy = "give (B, 3, H, W) RGB"
        if images.ndim == 3 and shape[0] == 3:
            remedy = "give a batch of one: x[None]"
        elif images.ndim == 4 and shape[3] == 3:
            remedy = "channels come before height: x.permute(0, 3, 1, 2)"
        elif images.ndim == 4 and shape[1] == 1:
            remedy = "repeat the grey channel: x.expand(-1, 3, -1, -1)"
        elif images.ndim == 4 and shape[1] == 4:
            remedy = "leave alpha out, x[:, :3], or lay it on a background first"
        raise BadInput(what, f"is a tensor of shape {shape}", remedy)
    if not images.numel():
        raise BadInput(what, f"is empty, of shape {shape}", "give at least one image")
    if shape[2] % scale or shape[3] % scale:
        problem = f"is {shape[3]}x{shape[2]} px, no multiple of the scale {scale}"
        raise BadInput(what, problem, f"cut it to {shape[3] // scale * scale}x{shape[2] // scale * scale} px")
    if images.dtype == torch.uint8:
        return
    if not images.is_floating_point():
        raise BadInput(what, f"is a tensor of {images.dtype}", "uint8, or float in [0, 1] is meant")
    low, high = (float(value) for value in images.detach().aminmax())
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # also where it is no number
        found = "holds NaN" if low != low else f"is float from {low:.4g} to {high:.4g}, and [0, 1] is meant"
        raise BadInput(what, found, "clamp it, x.clamp(0, 1), or divide by 255")
