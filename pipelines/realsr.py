"""RealSR's training data (Ji et al., "Impressionism", CVPRW 2020, Algorithm 1): real photos to LR/HR pairs.

realdeg run realsr --source PHONE [--clean CLEAN] --track smartphone -o OUT

    K, N = {}, {}
    for each real photo:   its kernel goes to K; its windows of little variance go to N
    for each HR image:     LR = (HR * k) subsampled by 4 + n,   k of K and n of N drawn at random

HR images are the real photos themselves, reduced by 2 so that their noise and artefacts are gone, and clean
images as they are. Track "artefacts" reduces by bicubic in place of k, and takes dark windows too, as the
paper's first track does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realdeg.cli.common import FOLDER, Choice, Teller, cores
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, UserError
from realdeg.io.finding_settings import Finding
from realdeg.kernels.settings import KernelSettings
from realdeg.noise.settings import METHODS as NOISE_METHODS
from realdeg.noise.settings import Method, NoiseSettings
from realdeg.options import command, settings_options
from realdeg.output import Output
from realdeg.words import counted

if TYPE_CHECKING:
    from realdeg.jobs import JobReport

TRACKS = {"artefacts": 0.0, "smartphone": 50.0}
"""Name of a track, and how bright its noise windows have to be."""


def realsr(
    source: Path,
    clean: Path | None,
    out: Path,
    *,
    track: str = "smartphone",
    scale: int = 4,
    kernels: KernelSettings | None = None,
    noise: NoiseSettings | None = None,
    cleanup: int = 2,
    test: float | str = 0.1,
    seed: int = 0,
    finding: Finding = Finding(),
    workers: int = 1,
    say: Callable[[str], None] = print,
) -> list[JobReport]:
    """Kernels, noise, pairs, reports; run again, it goes on where it stopped.

    Args:
        source: photos of the camera whose pictures shall be enlarged.
        clean: images of the target domain; None: only source photos become HR.
        out: receives kernels.npz, noise.npz, and the datasets source/ and clean/.
        track: one of `TRACKS`.
        scale: HR size / LR size (paper: 4).
        kernels: how they are learned; None: the amortised estimator (paper: KernelGAN).
        noise: how patches are taken; None: the paper's rule with its numbers for the track.
        cleanup: by how much source photos are reduced to become HR.
        test: scenes kept for testing: a number, a share below 1, or "15%".
        seed: of every draw and of the splits.
        finding: which files of the folders are photos.
        workers: processes.
        say: receives lines for the user.

    Raises:
        UserError: no photos, no kernel, or no window of noise.
    """
    from realdeg.dataset.settings import SplitSettings
    from realdeg.dataset.split import split_dataset
    from realdeg.degrade.folder import degrade_folder
    from realdeg.jobs import Running
    from realdeg.kernels.folder import estimate_photos
    from realdeg.noise.folder import extract_noise_pool
    from realdeg.pools.noise_pool import NoisePool
    from realdeg.report.page import build_report

    pool, patches = None, out / "noise.npz"
    if track == "smartphone":
        pool = out / "kernels.npz"
        with Teller("kernels learned") as teller:
            running = Running(workers=workers, on_progress=teller)
            learned = estimate_photos(
                source,
                pool,
                kernels or KernelSettings(scale=scale, seed=seed),
                finding=finding,
                running=running,
            ).or_stop()
        say(f"{pool}: kernels of {learned.count('ok')} of {len(learned.records)} photos")
        if not learned.count("ok"):
            raise UserError(source, "no photo gives a kernel", f"see {out}/kernels.job/manifest.csv")
    with Teller("photos searched for noise") as teller:
        running = Running(workers=workers, on_progress=teller)
        rule = noise or NoiseSettings(method="classic", min_mean=TRACKS[track])
        found = extract_noise_pool(source, patches, rule, finding=finding, running=running).or_stop()
    if not found.count("ok"):
        problem = f"gives no noise patch of {rule.side} px"
        remedy = "give --noise flat, --noise-size 64, or a larger --max-variance"
        raise UserError(source, problem, remedy)
    say(f"{patches}: {len(NoisePool.read(patches).names)} patches of {found.count('ok')} photos")
    made = []
    for name, folder, reduced in (("source", source, cleanup), ("clean", clean, 1)):
        if folder is None:
            continue
        settings = DegradeSettings(
            scale=scale, kernel_pool=pool, noise_pool=patches, seed=seed, cleanup=reduced
        )
        with Teller(f"{name} images degraded") as teller:
            running = Running(workers=workers, on_progress=teller)
            degraded = degrade_folder(folder, out / name, settings, finding=finding, running=running)
        made.append(degraded.or_stop())
        say(f"{out / name}: {made[-1].count('ok')} pairs, {made[-1].problems} images that gave none")
        if made[-1].count("ok") > 1:  # a single image is one to train on
            split_dataset(out / name, SplitSettings(test=test, seed=seed))
        say(f"{build_report(out / name, title=f'RealSR, {track}: {name}')}: report")
    return made


@command(short_help="Photos of a camera to its blur and noise on LR/HR pairs.")
@click.option("--source", type=FOLDER, required=True, help="Photos of the camera to imitate.")
@click.option("--clean", type=FOLDER, default=None, help="Clean HR images of the target domain.")
@click.option(
    "-o", "--out", type=FOLDER, required=True, help="Folder that receives pools, datasets and reports."
)
@click.option(
    "--track", type=Choice(list(TRACKS)), default="smartphone", help="Kernels + noise, or bicubic + noise."
)
@settings_options(
    KernelSettings,
    "kernels",
    leave=("iterations", "size", "grid", "weights", "max_error"),
    scale={"default": 4},
    method={"help": "How kernels are learned from photos alone; paper: kernelgan."},
)
@click.option(
    "--noise", type=Choice(NOISE_METHODS), default="classic", help="How noise is taken; paper: classic."
)
@click.option(
    "--noise-size",
    type=click.IntRange(8),
    default=None,
    show_default="256; flat: 64",
    help="Side of noise windows, px.",
)
@click.option(
    "--max-variance",
    type=click.FloatRange(0),
    default=NoiseSettings.max_variance,
    help="classic: windows whose grey varies less are taken (8-bit levels squared).",
)
@click.option(
    "--cleanup", type=click.IntRange(1), default=2, help="Source photos are reduced so to become HR."
)
@click.option("--test", default="10%", metavar="SCENES", help="Test scenes: a number, or 15%, or 0.15.")
@settings_options(Finding, "finding")
@click.option("-j", "--workers", type=click.IntRange(0), default=0, help="Processes; 0 = one per core.")
def main(
    source: Path,
    clean: Path | None,
    out: Path,
    track: str,
    kernels: KernelSettings,
    noise: Method,
    noise_size: int | None,
    max_variance: float,
    cleanup: int,
    test: str,
    finding: Finding,
    workers: int,
    output: Output,
) -> int:
    """Photos of a camera, and clean images if there are any, in; its blur and noise on LR/HR pairs out.

    Run it again to go on where it stopped. Then: realdeg train d2c --data OUT/source --extra OUT/clean.

    Examples:
      realdeg run realsr --source phone --clean clean -o out
      realdeg run realsr --source phone --track artefacts -o out --dry-run
    """
    rule = NoiseSettings(method=noise, size=noise_size, max_variance=max_variance, min_mean=TRACKS[track])
    if output.dry_run:
        from realdeg.io.find import look

        photos, images = (len(look(one, finding).single) if one else 0 for one in (source, clean))
        learned = f"learn kernels for x{kernels.scale} of {counted(photos, 'photos')} ({kernels.method})"
        limit = f", variance below {max_variance:g}" if noise == "classic" else ""
        reduced = f"{counted(photos, 'photos')}, reduced by {cleanup}, and {counted(images, 'clean images')}"
        output.result(
            {"dry_run": True, "out": str(out), "photos": photos, "clean": images, "scale": kernels.scale},
            f"1. {learned if track == 'smartphone' else 'no kernels: bicubic'}",
            f"2. take noise windows of {rule.side} px ({noise}{limit})",
            f"3. degrade {reduced} into {out}",
            "4. keep scenes for testing, write reports",
        )
        return EXIT_OK
    made = realsr(
        source,
        clean,
        out,
        track=track,
        scale=kernels.scale,
        kernels=kernels,
        noise=rule,
        cleanup=cleanup,
        test=test,
        seed=kernels.seed,
        finding=finding,
        workers=workers or cores(),
        say=output.say,
    )
    problems = sum(report.problems for report in made)
    output.result({"out": str(out), "ok": [report.count("ok") for report in made], "problems": problems})
    return EXIT_SOME_FAILED if problems else EXIT_OK


if __name__ == "__main__":
    from realdeg.cli.main import run

    run(main, "python -m pipelines.realsr")
