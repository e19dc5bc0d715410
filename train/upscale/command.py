"""Enlarge photos with a trained network.

realdeg upscale PHOTO... --run RUN -o OUT      (or python -m train.upscale)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, UserError
from realdeg.io.finding_settings import Finding
from realdeg.io.left_out import in_words
from realdeg.options import PATH, command, in_flags, settings_options
from realdeg.output import Output
from realdeg.terminal import write_line
from realdeg.words import counted
from train.data.photos import Photos, photos
from train.restore.inference_settings import InferenceOptions, WhichModel

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
            with enough_memory(str(source), "lower `tile`, or cut the photo into parts"):
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


@command(short_help="Enlarge photos with a trained model.")
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="PHOTO_OR_FOLDER...")
@click.option("-o", "--out", type=PATH, required=True, help="Folder that receives a PNG for each photo.")
@settings_options(WhichModel, "which")
@click.option("--bicubic", is_flag=True, help="No network: plain bicubic by --scale.")
@click.option("--scale", type=click.IntRange(2, 16), help="HR size / LR size, with --bicubic.")
@settings_options(InferenceOptions, "use", leave=("vgg_weights", "trust_weights"))
@settings_options(Finding, "finding")
def main(
    inputs: tuple[Path, ...],
    out: Path,
    which: WhichModel,
    bicubic: bool,
    scale: int | None,
    use: InferenceOptions,
    finding: Finding,
    output: Output,
) -> int:
    """Enlarge photos, or all photos of a folder, by the scale that the model was trained for.

    Run it again to go on: what is there of the same photo by the same model stays. Photos are never replaced.
    Without --run and --checkpoint, by the model for x4 that comes with realdeg. --project belongs to LR that
    MATLAB's bicubic made; on photos of a camera it is off by what that camera's blur differs.

    Examples:
      realdeg upscale photos -o large
      realdeg upscale photo.jpg --run run -o large --ensemble
      realdeg upscale photos --bicubic --scale 2 -o bicubic
    """
    from train.progress import ProgressBar
    from train.restore.model import Bicubic
    from train.restore.models import opened, restored
    from train.upscale.enlarged import Enlarged

    found_photos = photos(inputs, finding)
    pairs = targets(inputs, out, found_photos)
    weights: Path | None = None
    model: Upscaler
    if bicubic and (scale is None or which != WhichModel()):
        remedy = "give --bicubic and --scale, and no model"
        raise UserError("--bicubic", "needs a scale alone", remedy, exit_code=EXIT_USAGE)
    found = None if bicubic else opened(which.run, which.checkpoint, output.say)
    of_model = scale if found is None else int(found.about["scale"])
    if scale not in (None, of_model):
        problem = f"is not the model's, which enlarges x{of_model}"
        remedy = "leave it out, or give a model of that scale"
        raise UserError(f"--scale {scale}", problem, remedy, exit_code=EXIT_USAGE)
    if output.dry_run:
        for source, target in pairs:
            output.more(f"{source}: {target}")
        told = {"dry_run": True, "out": str(out), "scale": of_model, "photos": len(pairs),
                "would_fail": len(found_photos.failed), "left_out": dict(found_photos.left_out)}  # fmt: skip
        by = "plain bicubic" if found is None else str(found.weights)
        lines = [f"would enlarge {counted(len(pairs), 'photos')} x{of_model} into {out}, by {by}"]
        lines += [in_flags(f"  would fail: {error}") for error in found_photos.failed]
        if found_photos.left_out:
            lines.append(f"  {in_flags(in_words(found_photos.left_out))}")
        output.result(told, *lines)
        return EXIT_OK
    if found is None:
        assert scale is not None
        model = Bicubic(scale, use.project)
    else:
        model = trained = restored(found, use)
        weights = found.weights
        output.say(f"device: {trained.machine.why}")
    lower = use.precision if use.precision != "fp32" else None
    how = made_with(
        weights,
        scale=scale if bicubic else None,
        project=use.project,
        ensemble=use.ensemble,
        precision=lower,
    )
    journal = Enlarged.of(out, how)
    with ProgressBar("upscaling", len(pairs), 0) as show:

        def tell(done: int, total: int, name: str) -> None:
            show.step(done, {})
            if name:
                show.more(f"{name}: {done + 1} of {total}")

        written, failed = upscale_files(model, pairs, journal=journal, on_progress=tell, say=show.line)
    failed = [*found_photos.failed, *failed]
    for error in failed:
        write_line(sys.stderr, in_flags(f"failed: {error}"))
    line = (
        f"{out}: {counted(len(written) - journal.there, 'photos')} enlarged x{model.scale}"
        + (f", {journal.there} were there" if journal.there else "")
        + (f", {len(failed)} failed" if failed else "")
    )
    left = [in_flags(in_words(found_photos.left_out))] if found_photos.left_out else []
    told = {
        "out": str(out), "scale": model.scale, "enlarged": len(written) - journal.there,
        "there": journal.there, "failed": [str(error) for error in failed],
        "left_out": dict(found_photos.left_out),
    }  # fmt: skip
    output.result(told, line, *left)
    return EXIT_SOME_FAILED if failed else EXIT_OK
