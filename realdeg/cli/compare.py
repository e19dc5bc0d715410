"""`realdeg compare`: which synthetic dataset is nearest to real photos, before anything is trained."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realdeg.cli.common import FOLDER
from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, UserError
from realdeg.io.finding_settings import Finding
from realdeg.io.left_out import in_words, together
from realdeg.options import command, in_flags, settings_options
from realdeg.output import Output
from realdeg.terminal import write_line

if TYPE_CHECKING:
    from realdeg.metrics.domain import DomainDistance
    from realdeg.metrics.photo_statistics import PhotoStatistics

MOST = 200  # images of a set that are looked at, by default
PARTS = ("spectrum", "noise", "gradients", "patches")
Tell = Callable[[str], None]


@command(dry_run=False, short_help="Which dataset is nearest to real photos: rank them.")
@click.argument("datasets", metavar="DATASET...", type=FOLDER, nargs=-1, required=True)
@click.option("--real", type=FOLDER, required=True, help="Photos of the camera that LR is to look like.")
@click.option(
    "--limit", type=click.IntRange(4), default=MOST, help="Most images of each set, spread over it."
)
@settings_options(Finding, "finding")
def compare(output: Output, datasets: tuple[Path, ...], real: Path, limit: int, finding: Finding) -> int:
    """Rank datasets by how near their LR images are to real photos: choose a recipe before training.

    The photos show other scenes; spectra, noise, gradients and patches are compared, not pixels. A DATASET
    is a folder with manifest.csv, whose LR images are used, or any folder of images. 1 is the distance
    between two halves of the photos.

    Examples:
      realdeg compare --real photos bicubic synthetic
    """
    from realdeg.metrics.domain import doubts

    def tell(text: str) -> None:
        write_line(sys.stderr, " ".join(in_flags(text).split()))

    def see(path: Path, one: PhotoStatistics) -> None:
        output.more(f"{path}: looked at")

    left_out: list[Mapping[str, int]] = []
    photos, lost = statistics(real, limit, tell, finding, left_out.append, see)
    ranked, refused = [], 0
    sets: dict[str, list[PhotoStatistics]] = {}
    for dataset in datasets:
        try:
            images, bad = statistics(dataset, limit, tell, finding, left_out.append, see)
            ranked.append((dataset, distance(real, photos, dataset, images)))
            sets[str(dataset)] = images
            lost += bad
        except UserError as error:
            if str(real) == error.subject:
                raise
            refused += 1
            tell(f"error: {error}")
    ranked.sort(key=lambda one: one[1].distance)
    made = [{"dataset": str(d), **figures(one)} for d, one in ranked]
    doubted = doubts(photos, sets, str(real)) if ranked else []
    result = {"real": str(real), "ranked": made, "doubts": doubted, "left_out": together(left_out)}
    lines = []
    if ranked:
        lines.append(f"distance from {len(photos)} photos of {real}; 1 = as between two halves of them")
        lines.append("  distance  spectrum  noise  gradients  patches      p  images  dataset")
        lines += [
            f"  {one.distance:8.2f}  {one.spectrum:8.2f}  {one.noise:5.2f}  {one.gradients:9.2f}  "
            f"{one.patches:7.2f}  {one.p_value:5.3f}  {one.images:6}  {dataset}"
            for dataset, one in ranked
        ]
        lines += [f"  {line}" for line in doubted]
    if any(left_out):
        lines.append(in_flags(in_words(together(left_out))))
    output.result(result, *lines)
    return EXIT_SOME_FAILED if refused or lost else EXIT_OK


def statistics(
    folder: Path,
    limit: int,
    tell: Tell,
    finding: Finding = Finding(),
    leave: Callable[[Mapping[str, int]], None] = lambda left_out: None,
    see: Callable[[Path, PhotoStatistics], None] = lambda path, one: None,
) -> tuple[list[PhotoStatistics], int]:
    """Figures of the images of a set, one image in memory at a time; and how many had none.

    Args:
        folder: a dataset, of which LR is taken, or a folder of images.
        limit: at most so many images, spread over the set.
        tell: gets one line for each image that cannot be used.
        finding: which files of a folder without manifest are images.
        leave: gets what was left out of such a folder, by why: how many.
        see: gets each image that was used, and its figures.

    Raises:
        UserError: nothing there, or no image can be used.
    """
    from realdeg.io.find import look
    from realdeg.io.photo import read
    from realdeg.metrics.photo_statistics import describe
    from realdeg.records import read_manifest
    from realdeg.vouching import unvouched

    problems: list[str] = []
    if (folder / "manifest.csv").is_file():
        records = [record for record in read_manifest(folder) if record.ok]
        wrong = unvouched(folder, records)
        problems += [str(problem) for problem in wrong.values()]
        paths = [folder / record.lr for record in records if record.key not in wrong]
        if not paths:
            raise UserError(folder, "holds no pairs", "give a dataset that has some")
    else:
        listing = look(folder, finding)
        leave(listing.left_out)
        problems += [record.reason for record in listing.refused("lr")]
        paths = [found.path for found in listing.single]
    found, lost = [], len(problems)
    for problem in problems:
        tell(problem)
    count = min(limit, len(paths))
    for path in (paths[i * len(paths) // count] for i in range(count)):
        try:
            pixels = read(path).as_float()
            found.append(describe(pixels))
            see(path, found[-1])
        except UserError as error:
            lost += 1
            tell(str(error))
        except ValueError as error:
            lost += 1
            tell(str(UserError(path, str(error), "leave it out or give larger ones")))
    return found, lost


def distance(
    real: Path, photos: list[PhotoStatistics], dataset: Path, images: list[PhotoStatistics]
) -> DomainDistance:
    """Distance of a set from photos.

    Raises:
        UserError: too few usable images in one of them.
    """
    from realdeg.metrics.domain import FEWEST, domain_distance

    for folder, many in ((real, photos), (dataset, images)):
        if len(many) < FEWEST:
            problem = f"{len(many)} usable image{'s' * (len(many) != 1)}, {FEWEST} are needed"
            raise UserError(folder, problem, "add more, or cut large ones into several")
    return domain_distance(photos, images)


def figures(one: DomainDistance) -> dict[str, float]:
    """Of a distance, for JSON."""
    names = ("distance", *PARTS, "p_value", "images", "photos")
    return {name: round(getattr(one, name), 4) for name in names}
