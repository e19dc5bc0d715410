"""Enlarge photos with a trained network.

python -m train.upscale PHOTO... --run RUN -o OUT
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, UserError
from realdeg.io.finding_settings import Finding
from realdeg.io.left_out import in_words
from realdeg.options import CONTEXT
from train.data.photos import Photos, finding_options, photos

if TYPE_CHECKING:
    import numpy as np

    from train.restore.model import Upscaler
    from train.upscale.enlarged import Enlarged

Progress = Callable[[int, int, str], None]


def upscale_folder(
    run: Path,
    source: Path,
    out: Path,
    *,
    device: str = "auto",
    on_progress: Progress = lambda done, total, name: None,
) -> list[Path]:
    """Enlarge every photo below `source` into `out/KEY.png`; these files, also those that were there.

    Raises:
        UserError: no such folder or model, or `out` lies in `source`; or, after all others are done, a photo
            failed.
    """
    from train.restore.models import load, opened
    from train.upscale.enlarged import Enlarged

    of_source, found = photos([source]), opened(run, None)
    pairs = targets([source], out, of_source)
    journal = Enlarged.of(out, made_with(found.weights))
    written, failed = upscale_files(load(run, device=device), pairs, journal=journal, on_progress=on_progress)
    if failed := [*of_source.failed, *failed]:
        raise UserError(source, f"{len(failed)} of its photos failed, first: {failed[0]}")
    return written


def targets(inputs: Sequence[Path], out: Path, found: Photos | None = None) -> list[tuple[Path, Path]]:
    """Photo and PNG for every photo named.

    Args:
        inputs: files and folders.
        out: folder.
        found: what `photos` finds in the inputs, where it is at hand.

    Raises:
        UserError: as of `photos`; or an output would replace an input, or lie in a folder of them.
    """
    from realdeg.layout import refuse_inside, refuse_replacing

    made = [(path, out / PurePosixPath(f"{key}.png")) for key, path in (found or photos(inputs)).found]
    refuse_inside(out, *(path for path in inputs if path.is_dir()))
    refuse_replacing((target for _, target in made), (path for path, _ in made))
    return made


def made_with(weights: Path | None, **options: object) -> str:
    """What an enlargement depends on beside the photo: the model's bytes and the options that matter.

    Args:
        weights: file of the model; None: bicubic.
        options: by name; false ones are as good as absent.
    """
    from realdeg.identity import file_hash
    from realdeg.records import fingerprint

    chosen = {name: value for name, value in sorted(options.items()) if value}
    return fingerprint("bicubic" if weights is None else file_hash(weights), chosen)


def upscale_files(
    model: Upscaler,
    pairs: Sequence[tuple[Path, Path]],
    *,
    journal: Enlarged | None = None,
    on_progress: Progress = lambda done, total, name: None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[list[Path], list[UserError]]:
    """Enlarge each photo into its PNG; these files, and what went wrong with the others.

    Photos without colours get none. `say` receives what reading changed in a photo, e.g. that it was
    transparent.

    Args:
        journal: knows what is done already, which is not done again, and which files are not ours.
    """
    from realdeg.degrade.folder import GREY
    from realdeg.errors import DiskFull
    from realdeg.identity import Reading
    from realdeg.io.photo import read
    from realdeg.io.save import write_image
    from train.memory import enough_memory

    written, failed = [], []
    for done, (source, target) in enumerate(pairs):
        on_progress(done, len(pairs), source.name)
        try:
            if journal is not None and journal.has(source, target):
                written.append(target)
                continue
            reading = Reading([source])
            photo = read(source)
            for note in photo.notes:
                say(f"{source}: {note}")
            with enough_memory(str(source), "lower --tile, or cut the photo into parts"):
                large = model(photo.pixels)
            if journal is not None:
                journal.begin(target)
            write_image(target, _without_colours(large) if GREY in photo.notes else large)
            if journal is not None:
                journal.end(target, source, reading)
            written.append(target)
        except DiskFull:
            raise  # which every other photo would meet as well
        except UserError as error:
            failed.append(error)
    on_progress(len(pairs), len(pairs), "")
    return written, failed


def _without_colours(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) with each pixel's mean in its three channels."""
    import numpy as np

    grey = np.rint(image.mean(-1, keepdims=True, dtype=np.float32)).astype(image.dtype)
    return np.repeat(grey, 3, axis=-1)


def model_options(function: Callable[..., int]) -> Callable[..., int]:
    """Options that say which model runs where."""
    for option in reversed(
        (
            click.option("--run", type=click.Path(path_type=Path), help="Run folder of a training."),
            click.option(
                "--checkpoint",
                type=click.Path(path_type=Path),
                help="One .safetensors file instead of a run.",
            ),
            click.option(
                "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps."
            ),
            click.option("--precision", default="fp32", show_default=True, help="fp32, bf16 or auto."),
            click.option(
                "--project/--no-project",
                default=False,
                help="Make images agree with LR: the closest one that MATLAB's bicubic reduces to it.",
            ),
            click.option(
                "--tile",
                default=512,
                show_default=True,
                type=click.IntRange(1),
                help="Side of a tile in HR pixels.",
            ),
            click.option("--debug", is_flag=True, expose_value=False, help="ProgressBar tracebacks."),
        )
    ):
        function = option(function)
    return function


@click.command(context_settings=CONTEXT)
@click.argument(
    "inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO_OR_FOLDER..."
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder that receives PNGs."
)
@click.option(
    "--ensemble/--no-ensemble", default=False, help="Mean over eight orientations; eight times as long."
)
@click.option("--bicubic", is_flag=True, help="No network: plain bicubic by --scale.")
@click.option("--scale", type=click.IntRange(2, 16), help="With --bicubic: by how much.")
@finding_options
@model_options
def main(
    inputs: tuple[Path, ...],
    out: Path,
    ensemble: bool,
    bicubic: bool,
    scale: int | None,
    prefer: str | None,
    follow_links: bool,
    run: Path | None,
    checkpoint: Path | None,
    device: str,
    precision: str,
    project: bool,
    tile: int,
) -> int:
    """Enlarge photos, or all photos of a folder, by the scale that the model was trained for.

    Run it again to go on: what is there of the same photo by the same model stays. Photos are never replaced.
    Without --run and --checkpoint, by the model for x4 that comes with realdeg. --project belongs to LR that
    MATLAB's bicubic made; on photos of a camera it is off by what that camera's blur differs.
    """
    from train.progress import ProgressBar
    from train.restore.model import Bicubic
    from train.restore.models import InferenceOptions, opened, restored
    from train.upscale.enlarged import Enlarged

    found_photos = photos(inputs, Finding(prefer, follow_links))
    pairs = targets(inputs, out, found_photos)
    weights: Path | None = None
    model: Upscaler
    if bicubic:
        if scale is None or run is not None or checkpoint is not None:
            remedy = "give --bicubic and --scale, and no model"
            raise UserError("--bicubic", "needs a scale alone", remedy, exit_code=EXIT_USAGE)
        model = Bicubic(scale, project)
    else:
        found = opened(run, checkpoint, click.echo)
        use = InferenceOptions(
            device=device, precision=precision, tile=tile, project=project, ensemble=ensemble
        )
        model = trained = restored(found, use)
        weights = found.weights
        click.echo(f"device: {trained.machine.why}")
        if scale not in (None, trained.scale):
            problem = f"is not the model's, which enlarges x{model.scale}"
            remedy = "leave it out, or give a model of that scale"
            raise UserError(f"--scale {scale}", problem, remedy, exit_code=EXIT_USAGE)
    lower = precision if precision != "fp32" else None
    how = made_with(
        weights, scale=scale if bicubic else None, project=project, ensemble=ensemble, precision=lower
    )
    journal = Enlarged.of(out, how)
    with ProgressBar("upscaling", len(pairs), 0) as show:
        written, failed = upscale_files(
            model, pairs, journal=journal, on_progress=lambda done, total, name: show.step(done, {}),
            say=show.line,
        )  # fmt: skip
    failed = [*found_photos.failed, *failed]
    for error in failed:
        click.echo(f"failed: {error}", err=True)
    click.echo(
        f"{out}: {len(written) - journal.there} photos enlarged x{model.scale}"
        + (f", {journal.there} were there" if journal.there else "")
        + (f", {len(failed)} failed" if failed else "")
    )
    if found_photos.left_out:
        click.echo(in_words(found_photos.left_out))
    return EXIT_SOME_FAILED if failed else EXIT_OK
