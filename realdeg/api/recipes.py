"""`realdeg.Recipe`, `realdeg.Plan` and `realdeg.replay`: degradations as values."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from realdeg import inputs, ipp
from realdeg.arraytypes import Image
from realdeg.degrade.apply.image import apply
from realdeg.degrade.ops.step import PlanError
from realdeg.degrade.plan import Plan
from realdeg.degrade.recipe.recipe import Degraded, Recipe
from realdeg.degrade.resolved import with_camera
from realdeg.degrade.settings import DegradeSettings
from realdeg.imaging.depth import to_float
from realdeg.inputs import BadInput, ImageLike, PathLike
from realdeg.io.save import to_uint
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool

__all__ = ["Degraded", "Plan", "Recipe", "replay"]
RecipeLike: TypeAlias = Recipe | PathLike


@ipp.without()  # as in jobs: the same pixels on every processor
def replay(
    hr: ImageLike, plan: Plan | str, *, kernels: KernelPool | None = None, noises: NoisePool | None = None
) -> Image:
    """Make the LR image of a plan again.

    Args:
        hr: (H, W, 3) that the plan was drawn for, uint8, uint16, or float in [0, 1]; RGB, sRGB-encoded. Grey,
            `realdeg.Photo`, pictures of Pillow and paths are taken as well.
        plan: of a recipe, or its JSON, as it stands in the column `plan` of a manifest.
        kernels, noises: the pools that the plan was drawn from, where it was drawn from any.

    Returns:
        (h, w, 3) of HR's type: equal to the byte on the same versions of libraries. Floats are degraded with
        16 bits.

    Raises:
        BadInput: an argument that cannot be used, or no plan.
        UserError: HR has another size than the plan was drawn for, or a pool lacks what the plan names.

    Source:
        docs/dataset.md says what stands in a plan.

    Example:
        >>> import realdeg
        >>> hr = realdeg.read("data/sample/clean/chelsea.png").pixels[:96, :128]
        >>> lr, plan = realdeg.Recipe.load("realesrgan")(hr, scale=4, seed=1, key="chelsea")
        >>> again = realdeg.replay(hr, plan.to_json())
        >>> lr.shape, bool((again == lr).all())
        ((24, 32, 3), True)
    """
    pixels = inputs.image(hr, "hr")
    if isinstance(plan, str):
        try:
            plan = Plan.from_json(plan)
        except PlanError as error:
            raise BadInput("plan", f"is no plan ({error})", "give what Plan.to_json has written") from None
    if not isinstance(plan, Plan):
        raise BadInput("plan", f"is of type {type(plan).__name__}", "give a realdeg.Plan, or its JSON")
    check_pools(kernels, noises)
    if pixels.dtype == np.float32:
        return to_float(apply(plan, to_uint(pixels, np.uint16), kernels=kernels, noises=noises))
    return apply(plan, pixels, kernels=kernels, noises=noises)


def check_pools(kernels: object, noises: object) -> None:
    """Refuse what is no pool.

    Raises:
        BadInput: says what is meant.
    """
    for pool, kind, what in ((kernels, KernelPool, "kernels"), (noises, NoisePool, "noises")):
        if pool is not None and not isinstance(pool, kind):
            remedy = f"give a realdeg.{kind.__name__}: .load(path) or .from_arrays(arrays)"
            raise BadInput(what, f"is of type {type(pool).__name__}", remedy)


@dataclass(frozen=True, eq=False)
class Resolved:
    """A recipe that can be drawn from, with the pools that it draws from."""

    recipe: Recipe
    kernels: KernelPool | None
    noises: NoisePool | None


def resolve(
    recipe: Any, scale: int, kernels: KernelPool | PathLike | None, noises: NoisePool | PathLike | None
) -> Resolved:
    """A recipe with its pools, checked against each other.

    Args:
        recipe: a recipe, a preset's name, a recipe's file, or a camera's folder, whose own pools are taken
            where none are given.
        scale: HR size / LR size.
        kernels, noises: pools, or their paths.

    Raises:
        BadInput: of another type.
        UserError: the recipe is wrong at this scale, or a pool is missing, broken, or not drawn from.
    """
    if isinstance(recipe, (str, os.PathLike)):
        found = with_camera(DegradeSettings(scale, recipe=str(inputs.path(recipe, "recipe"))))
        kernels = found.kernel_pool if kernels is None else kernels
        noises = found.noise_pool if noises is None else noises
        recipe = Recipe.load(found.recipe or "")
    if not isinstance(recipe, Recipe):
        problem = f"is of type {type(recipe).__name__}"
        raise BadInput("recipe", problem, "give a realdeg.Recipe, a preset's name, or the path of a file")
    if isinstance(kernels, (str, os.PathLike)):
        kernels = KernelPool.load(kernels, scale)
    if isinstance(noises, (str, os.PathLike)):
        noises = NoisePool.load(noises)
    check_pools(kernels, noises)
    recipe.check(scale)
    for what, name, pool in (("kernel", "kernels", kernels), ("noise", "noises", noises)):
        if what in recipe.pools() and pool is None:
            raise BadInput(name, f"the recipe {recipe.name} draws from a {what} pool", "give one")
        if what not in recipe.pools() and pool is not None:
            raise BadInput(name, f"the recipe {recipe.name} draws from no {what} pool", "leave it out")
    return Resolved(recipe, kernels, noises)
