"""Multiple degradations, the data half of Samsung-SLSI-MSL (Ren et al., CVPRW 2020): HR folders to pairs.

realdeg run samsung --clean CLEAN --source PHONE -o OUT

The paper's generic model learns from both clean images and images of the source domain as HR. LR is made by
x = N(D(y * k)), drawn for each image:

    k   Gaussian, 15 x 15, sigma uniform in [0.2, 3]
    D   nearest, bilinear, bicubic or Lanczos, equally often
    N   Gaussian noise of sigma in [0, 5], Poisson noise of 50 to 150 photons at white, or both

as the preset `samsung` says (`realdeg recipes samsung`), with what the slides leave open filled in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realdeg.cli.common import FOLDER, Teller, cores
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED
from realdeg.io.finding_settings import Finding
from realdeg.options import command, settings_options
from realdeg.output import Output
from realdeg.words import counted

if TYPE_CHECKING:
    from realdeg.jobs import JobReport


def samsung(
    clean: Path,
    source: Path | None,
    out: Path,
    *,
    scale: int = 4,
    draws: int = 1,
    test: float | str = 0.1,
    seed: int = 0,
    finding: Finding = Finding(),
    workers: int = 1,
    say: Callable[[str], None] = print,
) -> JobReport:
    """Degrade both domains, keep scenes apart, report.

    Args:
        clean: HR images of the target domain.
        source: images of the source domain, whose artefacts HR shall have too; None: clean ones only.
        out: receives the dataset and its report.
        scale: HR size / LR size (paper: 4).
        draws: LR images of each HR image.
        test: scenes kept for testing: a number, a share below 1, or "15%".
        seed: of every draw and of the split.
        finding: which files of the folders are images.
        workers: processes.
        say: receives lines for the user.
    """
    from realdeg.dataset.settings import SplitSettings
    from realdeg.dataset.split import split_dataset
    from realdeg.degrade.folder import degrade_folder
    from realdeg.jobs import Running
    from realdeg.report.page import build_report

    folders = [clean, source] if source else [clean]
    settings = DegradeSettings(scale=scale, seed=seed, recipe="samsung", draws=draws)
    with Teller("images degraded") as teller:
        running = Running(workers=workers, on_progress=teller)
        made = degrade_folder(folders, out, settings, finding=finding, running=running).or_stop()
    say(f"{out}: {made.count('ok')} pairs, {made.problems} images that gave none")
    split_dataset(out, SplitSettings(test=test, seed=seed))
    say(f"{build_report(out, title='Multiple degradations')}: report")
    return made


@command(short_help="HR images to pairs of many degradations.")
@click.option("--clean", type=FOLDER, required=True, help="Clean HR images of the target domain.")
@click.option("--source", type=FOLDER, default=None, help="Images of the source domain (phone photos).")
@click.option(
    "-o", "--out", type=FOLDER, required=True, help="Folder that receives the dataset and its report/."
)
@click.option("--scale", type=click.IntRange(2, 16), default=4, help="HR size / LR size.")
@click.option("--draws", type=click.IntRange(1), default=1, help="LR images of each HR image.")
@click.option("--test", default="10%", metavar="SCENES", help="Test scenes: a number, or 15%, or 0.15.")
@click.option("--seed", type=int, default=0, help="Of every draw and of the split.")
@settings_options(Finding, "finding")
@click.option("-j", "--workers", type=click.IntRange(0), default=0, help="Processes; 0 = one per core.")
def main(
    clean: Path,
    source: Path | None,
    out: Path,
    scale: int,
    draws: int,
    test: str,
    seed: int,
    finding: Finding,
    workers: int,
    output: Output,
) -> int:
    """Two folders of images in; a multi-degradation set of LR/HR pairs and its report out.

    Run it again to go on where it stopped. Then: realdeg train d2c --data OUT, or any trainer of pairs.

    Examples:
      realdeg run samsung --clean clean --source phone -o out
    """
    if output.dry_run:
        from realdeg.degrade.folder import find_sources

        images, *_ = find_sources([clean, source] if source else [clean], draws, finding)
        for image in images:
            output.more(f"{image.key}: {image.path}")
        output.result(
            {"dry_run": True, "out": str(out), "images": len(images), "scale": scale},
            f"1. degrade {counted(len(images), 'images')} by x{scale} with the recipe samsung into {out}",
            f"2. keep {test} scenes for testing, by a hash of their names and seed {seed}",
            f"3. write the report {out / 'report' / 'index.html'}",
        )
        return EXIT_OK
    made = samsung(
        clean,
        source,
        out,
        scale=scale,
        draws=draws,
        test=test,
        seed=seed,
        finding=finding,
        workers=workers or cores(),
        say=output.say,
    )
    output.result({"out": str(out), "ok": made.count("ok"), "problems": made.problems})
    return EXIT_SOME_FAILED if made.problems else EXIT_OK


if __name__ == "__main__":
    from realdeg.cli.main import run

    run(main, "python -m pipelines.samsung")
