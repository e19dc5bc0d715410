"""One image under several draws of a recipe, side by side: what a recipe does before a whole run does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from realdeg.arraytypes import Image
from realdeg.degrade.apply.image import apply
from realdeg.degrade.folder import GREY, find_sources, prepared
from realdeg.degrade.resolved import ResolvedRecipe, resolve
from realdeg.degrade.settings import DegradeSettings
from realdeg.degrade.sheet import Cell, contact_sheet
from realdeg.errors import UserError
from realdeg.imaging.depth import to_8bit
from realdeg.imaging.detail import busiest
from realdeg.io.finding_settings import Finding
from realdeg.io.photo import Photo, read
from realdeg.io.save import write_image
from realdeg.layout import refuse_inside

NAME = "preview.png"
SIDE = 384  # px of a cell's picture: as many HR px at 100 %, or fewer HR px enlarged


def write_preview(
    hr: Sequence[Path], out: Path, settings: DegradeSettings, draws: int, finding: Finding = Finding()
) -> Path:
    """Write a contact sheet: the first image of the folders that reads, and LR of it under each draw.

    The first draw is the one that a run makes of this image, or the first ones, where a run makes several;
    further ones have the keys "KEY#1", "KEY#2" and so on.
    All pictures show one field, the part of HR with most detail, LR enlarged without interpolation.

    Args:
        hr: folders of clean images, as for a run.
        out: folder, made where it is missing.
        settings: scale, recipe, pools and seed.
        draws: how many, 1 or more.
        finding: which files of the folders are images.

    Returns:
        Path of the sheet, `out`/preview.png.

    Raises:
        UserError: no image reads, the recipe or a pool is unusable or does not fit the image, or `out`
            cannot be written or lies in one of the folders.
    """
    refuse_inside(out, *hr)
    made_with = resolve(settings)
    photo, pixels, keys = _first(hr, settings, made_with.recipe.cleanup, finding)
    titles = {key: "LR as a run makes it" for key in keys}
    titles |= {f"{keys[0]}#{i}": f"LR, draw {i + 1}" for i in range(len(keys), draws)}
    drawn = dict(list(titles.items())[:draws])
    cells = _cells(photo, pixels, drawn, settings, made_with)
    recipe = made_with.recipe
    heading = [
        photo.path.name,
        f"{recipe.name} ({recipe.digest})",
        f"x{settings.scale}",
        f"seed {settings.seed}",
    ]
    path = out / NAME
    write_image(path, contact_sheet(cells, heading), level=6)
    return path


def _first(
    hr: Sequence[Path], settings: DegradeSettings, cleanup: int, finding: Finding
) -> tuple[Photo, Image, list[str]]:
    """The first image that reads and is large enough, HR of it, and its keys in a run."""
    images, twins, _ = find_sources(hr, settings.draws, finding)
    problems = []
    for found in images:
        try:
            photo = read(found.path, alpha=settings.background)
            pixels = prepared(photo, cleanup, settings.scale)
            return photo, pixels, [one.key for one in images if one.path == found.path]
        except UserError as error:
            problems.append(str(error))
    reason = (problems or [twin.reason for twin in twins])[0]
    raise UserError(hr[0], f"none of its images can be used ({reason})", "give clean images")


def _cells(
    photo: Photo,
    pixels: Image,
    titles: Mapping[str, str],
    settings: DegradeSettings,
    made_with: ResolvedRecipe,
) -> list[Cell]:
    """HR, and LR under the draw of each key, with its title."""
    scale, kernels, noises = settings.scale, made_with.kernels, made_with.noises
    size_hw, grey = pixels.shape[:2], GREY in photo.notes
    height, width = (min(max(1, SIDE // scale), n // scale) for n in size_hw)
    # HR's detail, to whole LR pixels: noise must not decide where to look.
    top, left = (n // scale for n in busiest(to_8bit(pixels), height * scale, width * scale))
    zoom = max(1, SIDE // (width * scale))

    def crop(image: Image, s: int) -> Image:
        part = to_8bit(image[s * top : s * (top + height), s * left : s * (left + width)])
        times = scale // s * zoom
        return np.repeat(np.repeat(part, times, 0), times, 1)

    enlarged = f", enlarged {zoom} times" if zoom > 1 else ""
    cells = [Cell(crop(pixels, scale), f"HR, {width * scale}x{height * scale} px{enlarged}")]
    for key, title in titles.items():
        plan = made_with.recipe.draw(
            settings.seed, key, size_hw, scale, kernels=kernels, noises=noises, grey=grey
        )
        try:
            lr = apply(plan, pixels, kernels=kernels, noises=noises)
        except UserError as error:
            problem = f"{error.subject}: {error.problem}"
            raise UserError(photo.path, problem, error.remedy, exit_code=error.exit_code) from None
        cells.append(Cell(crop(lr, 1), title, plan.describe()))
    return cells
