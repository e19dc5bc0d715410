"""Pools kept with the dataset that was made from them, so that it can be made again anywhere."""

from __future__ import annotations

from pathlib import Path

from realdeg.degrade.resolved import ResolvedRecipe
from realdeg.errors import UserError
from realdeg.io.save import link_or_copy
from realdeg.pools.files import is_written_pool
from realdeg.pools.noise_pool import NoisePool

KERNELS, NOISES = "kernels.npz", "noise.npz"
LARGEST = 256 << 20  # bytes of noise patches, which hardly compress: 1,300 of 256 x 256 px at 8 bits


def store_pools(out: Path, made_with: ResolvedRecipe) -> None:
    """Write the pools that images are made from to `out`, whole: noise by brightness draws from all patches.

    A noise pool of more than `LARGEST` bytes stays where it is; run.yaml names its place (`pool_places`).

    Raises:
        UserError: a file cannot be written, or a pool was changed since it was read.
    """
    if made_with.kernels:
        made_with.kernels.save(out / KERNELS)
    noises = made_with.noises
    if made_with.noise_file is None or not noises or sum(one.nbytes for one in noises.patches) > LARGEST:
        return
    if is_written_pool(made_with.noise_file.path):
        link_or_copy(
            made_with.noise_file.path, out / NOISES
        )  # packing it anew would take longer than many images
    elif not _holds(out, noises):
        noises.save(out / NOISES)


def pool_places(made_with: ResolvedRecipe) -> dict[str, Path]:
    """Where the noise pool lies, for run.yaml: absolute, as a dataset is read from anywhere."""
    return {"noise_pool": made_with.noise_file.path.resolve()} if made_with.noise_file else {}


def _holds(out: Path, noises: NoisePool) -> bool:
    """Whether an earlier run stored the same: reading takes a third of the time of writing."""
    try:
        stored = NoisePool.read(out / NOISES)
    except UserError:
        return False
    return (stored.names, stored.about, stored.digest) == (noises.names, noises.about, noises.digest)
