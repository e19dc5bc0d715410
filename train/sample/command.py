"""Draw many explanations of a photo from a model of the SR space.

realdeg sample PHOTO... --run RUN -o OUT --n 10      (or python -m train.sample)
"""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath

import click

from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, UserError
from realdeg.io.finding_settings import Finding
from realdeg.io.left_out import in_words
from realdeg.options import PATH, Option, command, in_flags, settings_options
from realdeg.output import Output
from realdeg.terminal import write_line
from realdeg.words import counted
from train.data.photos import photos as photos_of
from train.restore.inference_settings import InferenceOptions, WhichModel
from train.sample.settings import SampleSettings


@command(short_help="Draw many explanations of a photo from a trained model.")
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="PHOTO_OR_FOLDER...")
@settings_options(WhichModel, "which")
@click.option(
    "-o", "--out", type=PATH, required=True, cls=Option, help="Folder that receives a folder for each photo."
)
@settings_options(SampleSettings)
@settings_options(InferenceOptions, "use", leave=("tile", "project", "ensemble"))
@settings_options(Finding, "finding")
def main(
    inputs: tuple[Path, ...],
    which: WhichModel,
    out: Path,
    settings: SampleSettings,
    use: InferenceOptions,
    finding: Finding,
    output: Output,
) -> int:
    """Draw samples of photos, or of all photos of a folder, from a VSpSR or RefVAE.

    Each photo gets a folder: the samples by their seeds, their mean, the mode and the deviation, a sheet to
    look at, and samples.json, from which any of them is drawn again, bit for bit on the same machine. Run it
    again to go on after Ctrl-C.

    Examples:
      realdeg sample photo.png --run run -o samples --n 10
      realdeg sample photos --run run -o samples --walk 0:1
    """
    from realdeg.identity import file_hash
    from realdeg.layout import refuse_inside, refuse_replacing
    from train.machine import hold_memory
    from train.progress import ProgressBar
    from train.restore.guides import Pictures, guide
    from train.restore.models import opened, restored, sampled
    from train.sample.sampling import SampleRequest, files, sample_photo

    if which == WhichModel():
        remedy = "give --run or --checkpoint of a VSpSR or RefVAE"
        raise UserError("train.sample", "needs a model", remedy, exit_code=EXIT_USAGE)
    s, chosen, reference = settings, settings.chosen, settings.reference
    wish = SampleRequest(chosen, s.how, s.ends, s.frames)
    leaning = guide(reference, finding)
    named = photos_of(inputs, finding)
    photos = [(photo, out / PurePosixPath(key)) for key, photo in named.found]
    pictures = leaning.paths if isinstance(leaning, Pictures) else ()
    refuse_inside(out, *(path for path in (*inputs, Path(reference or "self")) if path.is_dir()))
    made = [folder / name for _, folder in photos for name in files(wish)]
    refuse_replacing(made, [*(path for path, _ in photos), *pictures])
    found = opened(which.run, which.checkpoint, output.say)
    if output.dry_run:
        for photo, folder in photos:
            output.more(f"{photo}: {folder}")
        told = {"dry_run": True, "out": str(out), "model": str(found.weights), "seeds": list(chosen),
                "photos": len(photos), "would_fail": len(named.failed)}  # fmt: skip
        each = counted(len(chosen), "samples")
        output.result(told, f"would draw {each} of each of {counted(len(photos), 'photos')} into {out}")
        return EXIT_OK
    model = sampled(restored(found, use))
    output.say(f"device: {model.machine.why}")
    if model.machine.device.type == "cpu":
        hold_memory()
    about: dict[str, object] = {
        "model": str(found.weights),
        "model_sha256": file_hash(found.weights),
        "reference": reference,
        "precision": use.precision,
    }
    if pictures:
        about["reference_sha256"] = [file_hash(pictures[k % len(pictures)]) for k in wish.seeds]
    failed: list[UserError] = list(named.failed)
    done = 0
    with ProgressBar("sampling", len(photos), 0) as show:
        for number, (photo, folder) in enumerate(photos):
            show.step(number, {})
            show.more(f"{photo}: {folder}")
            try:
                done += sample_photo(model, photo, folder, wish, leaning, about)
            except UserError as error:
                if error.exit_code == EXIT_USAGE:
                    raise
                failed.append(error)
        show.step(len(photos), {})
    for problem in failed:
        write_line(sys.stderr, in_flags(f"failed: {problem}"))
    old = len(photos) + len(named.failed) - len(failed) - done
    line = (
        f"{out}: {counted(len(chosen), 'samples')} x{model.scale} of each of {counted(done, 'photos')}"
        + (f", {old} were there" if old else "")
        + (f", {len(failed)} failed" if failed else "")
    )
    left = [in_flags(in_words(named.left_out))] if named.left_out else []
    result = {
        "out": str(out), "scale": model.scale, "seeds": list(chosen), "photos": done, "there": old,
        "failed": [str(problem) for problem in failed], "left_out": dict(named.left_out),
    }  # fmt: skip
    output.result(result, line, *left)
    return EXIT_SOME_FAILED if failed else EXIT_OK
