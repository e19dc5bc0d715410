"""The job of `realdeg degrade`: folders of clean images in, a dataset of LR/HR pairs out."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from realdeg.arraytypes import Image
from realdeg.atomic import write_text
from realdeg.degrade.apply.image import apply
from realdeg.degrade.apply.prepare import prepare_hr
from realdeg.degrade.plan import Plan
from realdeg.degrade.resolved import ResolvedRecipe, resolve
from realdeg.degrade.settings import DegradeSettings
from realdeg.degrade.stored_pools import pool_places, store_pools
from realdeg.errors import EXIT_USAGE, Unfit, UserError
from realdeg.imagefolder import write_metadata
from realdeg.io import left_out
from realdeg.io.find import Found, Listing, look, named, refused, twin_record
from realdeg.io.finding_settings import Finding
from realdeg.io.photo import Photo, read
from realdeg.io.save import write_image
from realdeg.jobs import Ended, JobReport, Running, run_job
from realdeg.layout import keep_or_encode, pair_paths, refuse_holding, refuse_inside
from realdeg.names import caseless
from realdeg.records import MANIFEST, PairRecord, read_manifest, with_files
from realdeg.settings import versions, write_run
from realdeg.vouching import unvouched

RECIPE = "recipe.toml"
GREY = "grey expanded to RGB"  # what reading notes of an image without colours


def degrade_folder(
    hr: Path | Sequence[Path],
    out: Path,
    settings: DegradeSettings,
    *,
    finding: Finding = Finding(),
    running: Running = Running(),
) -> JobReport:
    """Make LR images of clean images (docs/dataset.md).

    Args:
        hr: folder of clean images; of several, each image's key begins with its folder's name.
        out: receives LR/, HR/, manifest.csv, recipe.toml, kernels.npz and the rest.
        settings: scale, recipe, pools and seed.
        finding: which files of the folders are images.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: no images, an unusable recipe or pool, or `out` cannot be used or overlaps with `hr`.
    """
    folders = [hr] if isinstance(hr, Path) else list(hr)
    refuse_inside(out, *folders)
    refuse_holding(out, folders)
    made_with = resolve(settings)
    sources = find_sources(folders, settings.draws, finding)

    def also(ended: Ended) -> None:
        # All that is needed to make the LR images again lies with them.
        write_text(out / RECIPE, made_with.recipe.text)
        store_pools(out, made_with)
        told = {"hr": folders, **finding.told(), **asdict(settings), **pool_places(made_with)}
        write_run(out, "realdeg degrade", told)
        write_metadata(out, ended.rows)

    return run_job(
        partial(degrade_image, out=out, settings=settings, made_with=made_with, versions=versions()),
        sources.images,
        out,
        settings={
            "how": "degradation",
            "scale": settings.scale,
            "seed": settings.seed,
            "alpha": settings.background,
            "draws": settings.draws,
            **made_with.identity(),
        },
        given=sources.refused,
        left_out=sources.left_out,
        also=also,
        running=running,
    )


@dataclass(frozen=True)
class Source(Found):
    """An image to degrade: its key, its file, and the scene it shows, which several draws share."""

    scene: str


class Sources(NamedTuple):
    """What is degraded, a failed record for each image that is not, and what else was left out, by why."""

    images: list[Source]
    refused: list[PairRecord]
    left_out: dict[str, int]


def find_sources(folders: Sequence[Path], draws: int = 1, finding: Finding = Finding()) -> Sources:
    """Images of the folders; those whose name is not their own, or not UTF-8, are refused.

    Of a dataset (a folder with manifest.csv) HR of its pairs is taken, under their keys and with their
    scenes: a scene that is held out of the one is then held out of the other.

    Args:
        folders: of images; with several, keys begin with the folder's name.
        draws: how often each image is degraded.
        finding: which files are images.

    Raises:
        UserError: a folder is unusable, or two folders have one name.
    """
    names = [unicodedata.normalize("NFC", folder.resolve().name) for folder in folders]
    if len(set(names)) < len(names):
        twin = next(folder for i, folder in enumerate(folders) if names[i] in names[:i])
        problem = "has the same name as another of the folders, and keys begin with it"
        raise UserError(twin, problem, "rename it", exit_code=EXIT_USAGE)
    groups: dict[str, list[Found]] = {}
    unclear: list[PairRecord] = []
    scenes: dict[Path, str] = {}
    listings = []
    for folder in folders:
        if (folder / MANIFEST).is_file():
            listing, wrong, of_rows = _hr_of(folder)
            unclear += wrong
            scenes |= of_rows
        else:
            listing = look(folder, finding)
        listings.append(listing)
    for listing, name in zip(listings, names, strict=True):
        for one in listing.found:
            key = f"{name}/{one.key}" if len(folders) > 1 else one.key
            if named(str(one.path)) == str(one.path):
                groups.setdefault(caseless(key), []).append(Found(key, one.path))
            else:
                unreadable = UserError(named(str(one.path)), "has a name that is not UTF-8", "rename it")
                unclear.append(refused(Found(key, one.path), unreadable, "hr"))
    single = [group[0] for group in groups.values() if len(group) == 1]
    sources = [
        Source(f"{one.key}_draw{draw}" if draws > 1 else one.key, one.path, scenes.get(one.path, one.key))
        for one in single
        for draw in range(draws)
    ]
    for group in groups.values():
        unclear += [twin_record(one, group, "hr") for one in (group if len(group) > 1 else ())]
    return Sources(sources, unclear, left_out.together(listing.left_out for listing in listings))


def _hr_of(dataset: Path) -> tuple[Listing, list[PairRecord], dict[Path, str]]:
    """HR of a dataset's pairs; failed records of those that are not vouched for; scenes by file."""
    rows = [row for row in read_manifest(dataset) if row.ok]
    if not rows:
        raise UserError(dataset, "is a dataset without pairs", "its manifest.csv says why")
    wrong = unvouched(dataset, rows)
    images = [Found(row.key, dataset / row.hr) for row in rows]
    lost = [refused(one, wrong[one.key], "hr") for one in images if one.key in wrong]
    kept = tuple(one for one in images if one.key not in wrong)
    scenes = {dataset / row.hr: row.scene or row.key for row in rows}
    return Listing(dataset, kept, {left_out.LR: len(rows)}), lost, scenes


def degrade_image(
    found: Source, out: Path, settings: DegradeSettings, made_with: ResolvedRecipe, versions: str = ""
) -> PairRecord:
    """Degrade one image and write the pair: the work of one item."""
    photo, scale = read(found.path, alpha=settings.background), settings.scale
    pixels = prepared(photo, made_with.recipe.cleanup, scale)
    kernels, noises = made_with.kernels, made_with.noises
    grey = GREY in photo.notes
    try:
        plan = made_with.recipe.draw(
            settings.seed, found.key, pixels.shape[:2], scale, kernels=kernels, noises=noises, grey=grey
        )
        lr = apply(plan, pixels, kernels=kernels, noises=noises)
    except UserError as error:
        raise UserError(
            found.path, f"{error.subject}: {error.problem}", error.remedy, exit_code=error.exit_code
        ) from None
    to_lr, to_hr = pair_paths(found.key)
    if pixels.shape == photo.pixels.shape:
        keep_or_encode(photo, out / to_hr)
    else:
        write_image(out / to_hr, pixels)
    write_image(out / to_lr, lr)
    record = PairRecord(
        found.key,
        "ok",
        lr=to_lr,
        hr=to_hr,
        scale=scale,
        scene=found.scene,
        how="degradation",
        source_hr=str(found.path),
        detail={
            **columns(plan, settings.seed, made_with, photo.notes, versions),
            "source_profile": photo.profile,
        },
    )
    return with_files(out, record)


def prepared(photo: Photo, cleanup: int, scale: int) -> Image:
    """HR of a photo: reduced by `cleanup`, cut to multiples of the scale.

    Raises:
        UserError: nothing is left of it.
    """
    try:
        return prepare_hr(photo.pixels, scale, cleanup)
    except Unfit as error:
        raise error.named_as(photo.path) from None


def columns(
    plan: Plan, seed: int, made_with: ResolvedRecipe, notes: Sequence[str], versions: str
) -> dict[str, Any]:
    """Columns of the manifest: the plan whole, and what people look for in it by name."""
    recipe = made_with.recipe
    made: dict[str, Any] = {"seed": seed, "recipe": recipe.name, "recipe_sha": recipe.digest}
    for step in plan.steps:
        made |= step.manifest()
    if "noise" not in made and "kernel" not in made and [step.op for step in plan.steps] == ["resize"]:
        made["kernel"] = "bicubic"
    if plan.cleanup > 1:
        made["cleanup"] = plan.cleanup
    if notes:
        made["source_notes"] = "; ".join(notes)
    return {**made, "plan": plan.to_json(), "versions": versions}
