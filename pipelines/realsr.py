"""RealSR's training data (Ji et al., "Impressionism", CVPRW 2020, Algorithm 1): real photos to LR/HR pairs.

python -m pipelines.realsr --source PHONE [--clean CLEAN] --track smartphone -o OUT

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
from realdeg.cli.finding import finding_options
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import UserError
from realdeg.io.finding_settings import Finding
from realdeg.kernels.settings import METHODS, KernelSettings
from realdeg.noise.settings import METHODS as NOISE_METHODS
from realdeg.noise.settings import NoiseSettings

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
    test: float = 0.1,
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
        test: scenes kept for testing: a number, or a share below 1.
        seed: of every draw and of the splits.
        finding: which files of the folders are photos.
        workers: processes.
        say: receives lines for the user.

    Raises:
        UserError: no photos, no kernel, or no window of noise.
    """
    from realdeg.dataset.split import split_dataset
    from realdeg.degrade.folder import degrade_folder
    from realdeg.jobs import Running
    from realdeg.kernels.folder import estimate_photos
    from realdeg.noise.folder import harvest
    from realdeg.pools.pools import NoisePool
    from realdeg.report.page import build_report

    pool, patches = None, out / "noise.npz"
    if track == "smartphone":
        pool = out / "kernels.npz"
        with Teller("kernels learned", quiet=False) as teller:
            running = Running(workers=workers, on_progress=teller)
            learned = estimate_photos(
                source, pool, kernels or KernelSettings(scale, seed=seed), finding=finding, running=running
            ).or_stop()
        say(f"{pool}: kernels of {learned.count('ok')} of {len(learned.records)} photos")
        if not learned.count("ok"):
            raise UserError(source, "no photo gives a kernel", f"see {out}/kernels.job/manifest.csv")
    with Teller("photos searched for noise", quiet=False) as teller:
        running = Running(workers=workers, on_progress=teller)
        rule = noise or NoiseSettings("classic", min_mean=TRACKS[track])
        found = harvest(source, patches, rule, finding=finding, running=running).or_stop()
    if not found.count("ok"):
        problem = f"gives no noise patch of {rule.side} px"
        remedy = "give --noise flat, --noise-size 64, or a larger --max-variance"
        raise UserError(source, problem, remedy)
    say(f"{patches}: {len(NoisePool.read(patches).names)} patches of {found.count('ok')} photos")
    made = []
    for name, folder, reduced in (("source", source, cleanup), ("clean", clean, 1)):
        if folder is None:
            continue
        settings = DegradeSettings(scale, pool, patches, seed=seed, cleanup=reduced)
        with Teller(f"{name} images degraded", quiet=False) as teller:
            running = Running(workers=workers, on_progress=teller)
            degraded = degrade_folder(folder, out / name, settings, finding=finding, running=running)
        made.append(degraded.or_stop())
        say(f"{out / name}: {made[-1].count('ok')} pairs, {made[-1].problems} images that gave none")
        if made[-1].count("ok") > 1:  # a single image is one to train on
            split_dataset(out / name, test=test, seed=seed)
        say(f"{build_report(out / name, title=f'RealSR, {track}: {name}')}: report")
    return made


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--source", type=FOLDER, required=True, help="Photos of the camera to imitate.")
@click.option("--clean", type=FOLDER, default=None, help="Clean HR images of the target domain.")
@click.option("-o", "--out", type=FOLDER, required=True, help="Receives pools, datasets and reports.")
@click.option(
    "--track", type=Choice(list(TRACKS)), default="smartphone", help="Kernels + noise, or bicubic + noise."
)
@click.option("--scale", type=click.IntRange(2, 16), default=4, help="HR size / LR size.")
@click.option(
    "--method", type=Choice(METHODS), default="amortised", help="Of learning kernels; paper: kernelgan."
)
@click.option(
    "--noise", type=Choice(NOISE_METHODS), default="classic", help="Of taking noise; paper: classic."
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
    help="classic: of noise windows, 8-bit.",
)
@click.option(
    "--cleanup", type=click.IntRange(1), default=2, help="Source photos are reduced so to become HR."
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=KernelSettings.min_confidence,
    help="Photos whose kernel is less sure give none.",
)
@click.option(
    "--test", type=click.FloatRange(0), default=0.1, help="Test scenes: a number, or a share below 1."
)
@click.option("--seed", type=int, default=0, help="Of every draw and of the splits.")
@finding_options
@click.option("-j", "--workers", type=click.IntRange(0), default=0, help="Processes; 0 = one per core.")
@click.option("--dry-run", is_flag=True, help="Print the plan, write nothing.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")
@click.pass_context
def main(
    ctx: click.Context,
    source: Path,
    clean: Path | None,
    out: Path,
    track: str,
    scale: int,
    method: str,
    noise: str,
    noise_size: int | None,
    max_variance: float,
    cleanup: int,
    min_confidence: float,
    test: float,
    seed: int,
    prefer: str | None,
    follow_links: bool,
    workers: int,
    dry_run: bool,
) -> None:
    """Photos of a camera, and clean images if there are any, in; its blur and noise on LR/HR pairs out.

    Run it again to go on where it stopped. Then: python -m train.d2c --data OUT/source --extra OUT/clean.
    """
    rule = NoiseSettings(noise, noise_size, max_variance=max_variance, min_mean=TRACKS[track])  # type: ignore[arg-type]
    finding = Finding(prefer, follow_links)
    if dry_run:
        from realdeg.io.find import look

        photos, images = (len(look(one, finding).single) if one else 0 for one in (source, clean))
        learned = f"learn kernels for x{scale} of {photos} photos ({method})"
        click.echo(f"1. {learned if track == 'smartphone' else 'no kernels: bicubic'}")
        limit = f", variance below {max_variance:g}" if noise == "classic" else ""
        click.echo(f"2. take noise windows of {rule.side} px ({noise}{limit})")
        click.echo(f"3. degrade {photos} photos, reduced by {cleanup}, and {images} clean images into {out}")
        click.echo("4. keep scenes for testing, write reports")
        return
    made = realsr(
        source,
        clean,
        out,
        track=track,
        scale=scale,
        kernels=KernelSettings(scale, method, seed=seed, min_confidence=min_confidence),  # type: ignore[arg-type]
        noise=rule,
        cleanup=cleanup,
        test=test,
        seed=seed,
        finding=finding,
        workers=workers or cores(),
        say=click.echo,
    )
    ctx.exit(1 if any(report.problems for report in made) else 0)


if __name__ == "__main__":
    from realdeg.cli.main import run

    run(main, "python -m pipelines.realsr")
