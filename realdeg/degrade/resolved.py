"""What a degradation is made with: the recipe and its pools, found, checked and fit to each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from realdeg.degrade.ops.level_noise import level_noise
from realdeg.degrade.recipe.presets import PRESETS
from realdeg.degrade.recipe.recipe import Recipe, read_recipe
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.pools.on_disk import PoolFile

CAMERA = "camera.toml"  # the recipe in a folder of `realdeg calibrate`


@dataclass(frozen=True)
class ResolvedRecipe:
    """A recipe and its pools; small enough to be sent to a worker with each image."""

    recipe: Recipe
    kernel_file: PoolFile[KernelPool] | None = None
    noise_file: PoolFile[NoisePool] | None = None

    @property
    def kernels(self) -> KernelPool | None:
        """The kernel pool, read once a process."""
        return self.kernel_file.pool() if self.kernel_file else None

    @property
    def noises(self) -> NoisePool | None:
        """The noise pool, read once a process."""
        return self.noise_file.pool() if self.noise_file else None

    def identity(self) -> dict[str, Any]:
        """Hashes of all that an image and its plan depend on (plans name kernels), for the ledger."""
        return {
            "recipe": f"{self.recipe.name} {self.recipe.digest}",
            "kernel_pool": self.kernel_file.stamp if self.kernel_file else None,
            "noise_pool": self.noise_file.stamp if self.noise_file else None,
        }


def resolve(settings: DegradeSettings) -> ResolvedRecipe:
    """Read and check recipe and pools.

    Raises:
        UserError: the recipe is wrong at this scale, a pool is missing, broken, not drawn from, or tells no
            brightness where it has to.
    """
    settings = with_camera(settings)
    kernel_file = noise_file = None
    if settings.kernel_pool:
        kernel_file, _ = PoolFile.read(KernelPool, settings.kernel_pool, settings.scale)
    if settings.noise_pool:
        noise_file, _ = PoolFile.read(NoisePool, settings.noise_pool)
    recipe = _recipe(settings)
    if settings.cleanup is not None:
        recipe = recipe.cleaned_up(settings.cleanup)
    recipe.check(settings.scale)
    for what, pool in (("kernel", settings.kernel_pool), ("noise", settings.noise_pool)):
        if what in recipe.pools() and pool is None:
            remedy = f"give `{what}_pool`"
            if settings.recipe in ("realsr", "bicubic_noise"):
                remedy += ", or leave `recipe` out to use the pools there are"
            raise UserError(recipe.name, f"the recipe draws from a {what} pool", remedy, exit_code=EXIT_USAGE)
        if what not in recipe.pools() and pool is not None:
            problem = f"is not drawn from by the recipe {recipe.name}"
            raise UserError(pool, problem, f"leave `{what}_pool` out", exit_code=EXIT_USAGE)
    if noise_file and recipe.by_level():
        level_noise(noise_file.pool())
    return ResolvedRecipe(recipe, kernel_file, noise_file)


def with_camera(settings: DegradeSettings) -> DegradeSettings:
    """Settings with the pools beside a recipe that is a camera's folder, or its camera.toml.

    Pools that are given win over the camera's.

    Raises:
        UserError: the recipe is wrong, or a folder that is no camera's.
    """
    if not settings.recipe or settings.recipe in PRESETS:
        return settings
    path = Path(settings.recipe)
    file = path / CAMERA if path.is_dir() else path
    if path.is_dir() and not file.is_file():
        remedy = "give a preset, a recipe file, or a folder that `realdeg calibrate` has written"
        raise UserError(path, f"is no camera's folder: it has no {CAMERA}", remedy, exit_code=EXIT_USAGE)
    if file.name != CAMERA or not file.is_file():
        return settings
    drawn = read_recipe(file).pools()

    def beside(what: str, asked: Path | None) -> Path | None:
        pool = file.with_name(f"{what}.npz")
        return pool if asked is None and pool.is_file() else asked

    return replace(
        settings,
        recipe=str(file),
        kernel_pool=beside("kernels", settings.kernel_pool) if "kernel" in drawn else settings.kernel_pool,
        noise_pool=beside("noise", settings.noise_pool) if "noise" in drawn else settings.noise_pool,
    )


def _recipe(settings: DegradeSettings) -> Recipe:
    if settings.recipe:
        return read_recipe(settings.recipe)
    if settings.kernel_pool:
        whole = read_recipe("realsr")
        return whole if settings.noise_pool else whole.without("inject")
    return read_recipe("bicubic_noise" if settings.noise_pool else "bicubic")
