"""Draw many explanations of a photo from a model of the SR space.

realdeg sample PHOTO... --run RUN -o OUT --n 10      (or python -m train.sample)
"""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

import click

from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, UserError
from realdeg.io.finding_settings import Finding
from realdeg.io.left_out import in_words
from realdeg.options import PATH, command, in_flags, settings_options
from realdeg.output import Output
from realdeg.terminal import write_line
from realdeg.words import counted
from train.data.photos import photos as photos_of
from train.restore.inference_settings import InferenceOptions, WhichModel

if TYPE_CHECKING:
    from train.restore.enforced import How


@command(short_help="Draw many explanations of a photo from a trained model.")
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="PHOTO_OR_FOLDER...")
@settings_options(WhichModel, "which")
@click.option("-o", "--out", type=PATH, required=True, help="Folder that receives a folder for each photo.")
@click.option("--n", "count", default=10, type=click.IntRange(1), help="Samples of each photo.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Number of the first sample.")
@click.option("--seeds", help="These samples alone, e.g. 3,7,12.")
@click.option(
    "--reference",
    help="RefVAE: a picture, a folder (seed k takes picture k), or self, noise, prior; default: self.",
)
@click.option("--project", "how", flag_value="project", help="Samples agree with LR: the closest that do.")
@click.option("--cem", "how", flag_value="cem", help="The same by the published module, for comparison.")
@click.option("--walk", metavar="A:B", help="An animated picture on the way from seed A to seed B.")
@click.option("--frames", default=16, type=click.IntRange(2, 200), help="Of the walk, each way.")
@settings_options(InferenceOptions, "use", leave=("tile", "project", "ensemble"))
@settings_options(Finding, "finding")
def main(
    inputs: tuple[Path, ...],
    which: WhichModel,
    out: Path,
    count: int,
    seed: int,
    seeds: str | None,
    reference: str | None,
    how: str | None,
    walk: str | None,
    frames: int,
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
    chosen = _numbers("--seeds", seeds, ",") if seeds else tuple(range(seed, seed + count))
    ends = _numbers("--walk", walk, ":") if walk else None
    if ends is not None and len(ends) != 2:
        raise UserError(f"--walk {walk}", "is not a pair of seeds", "e.g. 0:1", exit_code=EXIT_USAGE)
    wish = SampleRequest(chosen, cast("How", how or "none"), ends, frames)
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


def _numbers(option: str, text: str, between: str) -> tuple[int, ...]:
    """Different numbers from 0 on, in their order."""
    words = text.split(between)
    if not all(word.strip().isdigit() for word in words):
        problem = f"holds something else than numbers with {between!r} between them"
        raise UserError(f"{option} {text}", problem, "numbers from 0 on", exit_code=EXIT_USAGE)
    return tuple(dict.fromkeys(int(word) for word in words)) if between == "," else tuple(map(int, words))
