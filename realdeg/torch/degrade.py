"""A recipe as a module: HR of a batch in, LR out, on any device, drawn anew at each call."""

from __future__ import annotations

import torch
from torch import Tensor

from realdeg import inputs, ipp
from realdeg.api.recipes import RecipeLike, resolve
from realdeg.degrade.apply.batch import CodecGradient, apply
from realdeg.degrade.apply.image import apply as apply_to_image
from realdeg.degrade.plan import Plan
from realdeg.errors import UserError
from realdeg.inputs import PathLike
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.torch import checks
from realdeg.torch.steps import Stepped

GRADIENTS: tuple[CodecGradient, ...] = ("refuse", "straight-through", "none")


class Degrade(Stepped):
    """LR images of a batch of HR images, by a recipe.

    Draws depend on the seed, the step and the place in the batch alone: not on the device, nor on how many
    images a batch has. `state_dict` holds the step. In workers of a DataLoader (in `collate_fn`, say) what
    torch draws for each worker and epoch comes in too, in a distributed run the rank, so that no two of them
    draw alike.

    On a processor images go one by one through the same code as in `realdeg degrade`, 5 to 8 times faster
    than by tensors; on a GPU, or where HR needs a gradient, the batch is degraded by tensors. Both agree
    within one 8-bit level.

    Args:
        recipe: a `realdeg.Recipe`, a preset's name, a recipe's file, or a folder of `realdeg calibrate`.
        scale: HR size / LR size.
        kernels: the `realdeg.KernelPool` that the recipe draws from, or its path.
        noises: likewise a `realdeg.NoisePool`.
        seed: of the run.
        grouped: the images of a batch share order and sizes of operations, as Real-ESRGAN's do; False: each
            draws its own, which is slower on a GPU.
        codec_gradient: where HR needs a gradient, what a real codec does with it: "refuse" it,
            "straight-through", or "none" passes.

    Shape:
        hr (B, 3, H, W), RGB, uint8, or float in [0, 1]; H and W multiples of the scale.
        lr (B, 3, H / scale, W / scale), float32 in [0, 1], rounded to 8 bits, on HR's device.

    Raises:
        BadInput: an argument that cannot be used, or HR of another shape, type or range.
        UserError: the recipe is wrong at this scale, reduces HR first (`[hr] cleanup`), or a pool is broken.

    Source:
        docs/recipes.md names the paper of each preset.

    Example:
        >>> import torch, realdeg.torch
        >>> degrade = realdeg.torch.Degrade("realesrgan", scale=4, seed=7)
        >>> hr = torch.rand(2, 3, 64, 64)
        >>> lr = degrade(hr)
        >>> lr.shape, int(degrade.step)
        (torch.Size([2, 3, 16, 16]), 1)
        >>> bool((degrade(hr) == lr).all())  # new draws
        False
        >>> resumed = realdeg.torch.Degrade("realesrgan", scale=4, seed=7)
        >>> bool((resumed(hr) == lr).all())  # the same seed and step
        True
    """

    def __init__(
        self,
        recipe: RecipeLike,
        *,
        scale: int = 4,
        kernels: KernelPool | PathLike | None = None,
        noises: NoisePool | PathLike | None = None,
        seed: int = 0,
        grouped: bool = True,
        codec_gradient: CodecGradient = "refuse",
    ) -> None:
        super().__init__(seed)
        self.scale = inputs.scale(scale)
        found = resolve(recipe, self.scale, kernels, noises)
        self.recipe, self.kernels, self.noises = found.recipe, found.kernels, found.noises
        if self.recipe.cleanup > 1:
            problem = (
                f"reduces HR by {self.recipe.cleanup} first ([hr] cleanup), and a batch's HR stays as it is"
            )
            raise UserError(self.recipe.name, problem, "reduce HR before, and take recipe.cleaned_up(1)")
        self.grouped = bool(grouped)
        inputs.choice(codec_gradient, "codec_gradient", GRADIENTS)
        self.codec_gradient: CodecGradient = codec_gradient

    def plans(self, count: int, size_hw: tuple[int, int]) -> list[Plan]:
        """What the next call does to each of `count` images of HR's size; counts as a call."""
        step = self.next_step()
        return [
            self.recipe.draw(
                self.seed,
                f"{step}/{place}",
                size_hw,
                self.scale,
                kernels=self.kernels,
                noises=self.noises,
                group=f"step {step}" if self.grouped else "",
            )
            for place in range(count)
        ]

    def forward(self, hr: Tensor) -> Tensor:
        """LR of HR; see the class for shapes and errors."""
        checks.batch(hr, "hr", self.scale)
        plans = self.plans(len(hr), (hr.shape[2], hr.shape[3]))
        with torch.autocast(hr.device.type, enabled=False):
            wanted = torch.is_grad_enabled() and hr.requires_grad
            if not wanted and hr.device.type == "cpu" and (whole := _levels(hr)) is not None:
                return self._one_by_one(plans, whole)
            return apply(
                plans, hr, kernels=self.kernels, noises=self.noises, codec_gradient=self.codec_gradient
            )

    @ipp.without()  # as in jobs: the same pixels on every processor
    def _one_by_one(self, plans: list[Plan], hr: Tensor) -> Tensor:
        pixels = hr.permute(0, 2, 3, 1).contiguous().numpy()
        made = [
            apply_to_image(plan, image, kernels=self.kernels, noises=self.noises)
            for plan, image in zip(plans, pixels, strict=True)
        ]
        lr = torch.stack([torch.from_numpy(image) for image in made])
        return lr.permute(0, 3, 1, 2).contiguous().float() / 255

    def extra_repr(self) -> str:
        """For `print(model)`."""
        return f"{self.recipe.name}, scale={self.scale}, seed={self.seed}"


def _levels(hr: Tensor) -> Tensor | None:
    """The 8-bit levels that images of files hold, or None where there are others."""
    if hr.dtype == torch.uint8:
        return hr
    levels = hr.detach().float() * 255
    whole = levels.round()
    return whole.byte() if bool(((levels - whole).abs() < 1e-3).all()) else None
