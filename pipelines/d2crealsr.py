"""The D2CRealSR recipe (Li et al., ECCV 2022, Sec. 4.1): two captured folders to a trained, measured model.

realdeg run d2crealsr --lr WIDE --hr TELE --scale 8 -o OUT
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realdeg.align.settings import AlignSettings
from realdeg.cli.common import FOLDER, Choice, Teller, cores
from realdeg.io.finding_settings import Finding
from realdeg.options import command, resolve, settings_options
from realdeg.output import Output
from realdeg.words import counted
from train.d2c.settings import PRESETS, D2CSettings

if TYPE_CHECKING:
    from train.evaluate.score_table import Table

TEST_SCENES = 15  # D2CRealSR: 115 pairs, 100 to train and 15 to test


@dataclass(frozen=True)
class Stages:
    """Folders of the recipe's stages; each is skipped where it is already whole."""

    pairs: Path
    run: Path

    @classmethod
    def under(cls, out: Path) -> Stages:
        """The stages of a pipeline that writes below `out`."""
        return cls(out / "pairs", out / "run")


def d2crealsr(
    lr: Path,
    hr: Path,
    out: Path,
    *,
    align: AlignSettings,
    train: D2CSettings,
    test: float | str = TEST_SCENES,
    group: str | None = None,
    title: str = "",
    finding: Finding = Finding(),
    workers: int = 1,
    say: Callable[[str], None] = print,
) -> Table:
    """Register, split by scene, train, evaluate on unseen scenes, report.

    Args:
        lr: photos of the short focal length.
        hr: photos of the long focal length, same stems.
        out: receives `pairs/` (the dataset and its report) and `run/` (the model).
        align: limits of registration.
        train: settings of D2C-SR; its data, out and scale are set here.
        test: scenes to test on: a number, a share below 1, or "15%".
        group: regular expression whose first group of a pair's key names its scene.
        title: heading of the report.
        finding: which files of the folders are photos.
        workers: processes of the registration.
        say: receives lines for the user.

    Returns:
        The evaluation table on the test scenes.
    """
    from realdeg.align.folder import align_folders
    from realdeg.dataset.settings import SplitSettings
    from realdeg.dataset.split import split_dataset
    from realdeg.jobs import Running
    from realdeg.report.page import build_report
    from train.d2c.command import train_d2c
    from train.evaluate.command import evaluate

    stage = Stages.under(out)
    with Teller("pairs registered") as teller:
        running = Running(workers=workers, on_progress=teller)
        aligned = align_folders(lr, hr, stage.pairs, align, finding=finding, running=running).or_stop()
    say(f"{stage.pairs}: {aligned.count('ok')} pairs kept, {aligned.problems} refused")
    split_dataset(stage.pairs, SplitSettings(test=test, seed=train.seed, group=group))
    train_d2c(replace(train, data=stage.pairs, out=stage.run), say=say)
    table = evaluate(stage.run, stage.pairs, split="test")
    say(f"{stage.pairs / 'report' / 'index.html'}: report")
    build_report(stage.pairs, run=stage.run, title=title)
    return table


@command(short_help="Two folders of photos to pairs, a trained D2C-SR and a report.")
@click.option("--lr", type=FOLDER, required=True, help="Photos of the short focal length.")
@click.option("--hr", type=FOLDER, required=True, help="Photos of the long focal length, same stems.")
@click.option(
    "--scale", type=click.IntRange(2, 16), default=None, help="HR size / LR size of the pairs; else inferred."
)
@click.option("-o", "--out", type=FOLDER, required=True, help="Folder that receives pairs/ and run/.")
@click.option("--test", default="15", metavar="SCENES", help="Test scenes: a number, or 15%, or 0.15.")
@click.option("--group", default=None, help="Regular expression; its first group in a key names the scene.")
@click.option("--preset", type=Choice(list(PRESETS)), default="paper", help="Size and training of D2C-SR.")
@click.option("--steps", type=click.IntRange(1), default=None, help="Training steps; else the preset's.")
@click.option("--seed", type=int, default=0, help="Of the split, the initial weights and the crops.")
@settings_options(Finding, "finding")
@click.option("-j", "--workers", type=click.IntRange(0), default=0, help="Processes; 0 = one per core.")
def main(
    lr: Path,
    hr: Path,
    scale: int | None,
    out: Path,
    test: str,
    group: str | None,
    preset: str,
    steps: int | None,
    seed: int,
    finding: Finding,
    workers: int,
    output: Output,
) -> None:
    """Two folders of photos in; registered pairs, a trained D2C-SR, a table and a report out.

    Run it again to go on where it stopped: every stage skips what it has finished.

    Examples:
      realdeg run d2crealsr --lr wide --hr tele --scale 8 -o out
      realdeg run d2crealsr --lr wide --hr tele -o out --preset tiny --dry-run
    """
    align = AlignSettings(scale=scale)
    chosen = {"seed": seed, "scale": scale, **({"steps": steps} if steps else {})}
    train = resolve(D2CSettings, PRESETS, preset=preset, flags=chosen)
    stage = Stages.under(out)
    if output.dry_run:
        from realdeg.io.pairing import pair_by_stem
        from realdeg.io.pairing_settings import PairingSettings

        pairs = pair_by_stem(lr, hr, PairingSettings(), finding)
        matches, lonely = pairs.matches, pairs.failed
        size = f"x{scale}" if scale else "of the scale they show"
        length = f"{train.steps} steps" if train.steps else f"{train.epochs} epochs"
        branches = train.children**train.depth
        for match in matches:
            output.more(f"{match.key}: {match.lr} + {match.hr}")
        told = {"dry_run": True, "out": str(out), "pairs": len(matches), "without_partner": len(lonely)}
        output.result(
            told,
            f"1. register {counted(len(matches), 'pairs')} {size} into {stage.pairs}",
            f"   {counted(len(lonely), 'photos')} without a partner",
            f"2. keep {test} scenes for testing, by a hash of their names and seed {seed}",
            f"3. train D2C-SR ({preset}: {branches} branches, {length}) into {stage.run}",
            f"4. measure it and bicubic on the test scenes: {stage.run / 'evaluation'}",
            f"5. write the report {stage.pairs / 'report' / 'index.html'}",
        )
        return
    table = d2crealsr(
        lr,
        hr,
        out,
        align=align,
        train=train,
        finding=finding,
        test=test,
        group=group,
        workers=workers or cores(),
        say=output.say,
    )
    told = {"pairs": str(stage.pairs), "run": str(stage.run), "means": table.means, "gain_db": table.gain_db}
    output.result(told, str(table))


if __name__ == "__main__":
    from realdeg.cli.main import run

    run(main, "python -m pipelines.d2crealsr")
