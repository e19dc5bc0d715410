"""Draw many explanations of a photo from a model of the SR space.

python -m train.sample PHOTO... --run RUN -o OUT --n 10
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

import click

from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, UserError
from realdeg.io.finding_settings import Finding
from realdeg.io.left_out import in_words
from realdeg.options import CONTEXT
from train.data.photos import finding_options
from train.data.photos import photos as photos_of

if TYPE_CHECKING:
    from train.restore.enforced import How


@click.command(context_settings=CONTEXT)
@click.argument(
    "inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO_OR_FOLDER..."
)
@click.option("--run", type=click.Path(path_type=Path), help="Run folder of a training.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="One .safetensors file instead of a run.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Receives a folder for each photo."
)
@click.option("--n", "count", default=10, show_default=True, type=click.IntRange(1), help="Samples a photo.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the first sample.")
@click.option("--seeds", help="These samples alone, e.g. 3,7,12.")
@click.option(
    "--reference",
    help="RefVAE: a picture, a folder (seed k takes picture k), or self, noise, prior; default: self.",
)
@click.option("--project", "how", flag_value="project", help="Samples agree with LR: the closest that do.")
@click.option("--cem", "how", flag_value="cem", help="The same by the published module, for comparison.")
@click.option("--walk", metavar="A:B", help="An animated picture on the way from seed A to seed B.")
@click.option(
    "--frames", default=16, show_default=True, type=click.IntRange(2, 200), help="Of the walk, each way."
)
@finding_options
@click.option("--vgg-weights", type=click.Path(path_type=Path), help="torchvision's VGG-19, for RefVAE.")
@click.option("--trust-weights", is_flag=True, help="Also weights that are not the published ones.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
@click.option("--precision", default="fp32", show_default=True, help="fp32, bf16 or auto.")
@click.option("--debug", is_flag=True, expose_value=False, help="ProgressBar tracebacks.")
def main(
    inputs: tuple[Path, ...],
    run: Path | None,
    checkpoint: Path | None,
    out: Path,
    count: int,
    seed: int,
    seeds: str | None,
    reference: str | None,
    how: str | None,
    walk: str | None,
    frames: int,
    prefer: str | None,
    follow_links: bool,
    vgg_weights: Path | None,
    trust_weights: bool,
    device: str,
    precision: str,
) -> int:
    """Draw samples of photos, or of all photos of a folder, from a VSpSR or RefVAE.

    Each photo gets a folder: the samples by their seeds, their mean, the mode and the deviation, a sheet to
    look at, and samples.json, from which any of them is drawn again, bit for bit on the same machine. Run it
    again to go on after Ctrl-C.
    """
    from realdeg.identity import file_hash
    from realdeg.layout import refuse_inside, refuse_replacing
    from train.machine import hold_memory
    from train.progress import ProgressBar
    from train.restore.guides import Pictures, guide
    from train.restore.models import InferenceOptions, opened, restored, sampled
    from train.sample.sampling import SampleRequest, files, sample_photo

    if run is None and checkpoint is None:
        remedy = "give --run or --checkpoint of a VSpSR or RefVAE"
        raise UserError("train.sample", "needs a model", remedy, exit_code=EXIT_USAGE)
    chosen = _numbers("--seeds", seeds, ",") if seeds else tuple(range(seed, seed + count))
    ends = _numbers("--walk", walk, ":") if walk else None
    if ends is not None and len(ends) != 2:
        raise UserError(f"--walk {walk}", "is not a pair of seeds", "e.g. 0:1", exit_code=EXIT_USAGE)
    wish = SampleRequest(chosen, cast("How", how or "none"), ends, frames)
    finding = Finding(prefer, follow_links)
    leaning = guide(reference, finding)
    named = photos_of(inputs, finding)
    photos = [(photo, out / PurePosixPath(key)) for key, photo in named.found]
    pictures = leaning.paths if isinstance(leaning, Pictures) else ()
    refuse_inside(out, *(path for path in (*inputs, Path(reference or "self")) if path.is_dir()))
    made = [folder / name for _, folder in photos for name in files(wish)]
    refuse_replacing(made, [*(path for path, _ in photos), *pictures])
    found = opened(run, checkpoint, click.echo)
    use = InferenceOptions(
        device=device, precision=precision, vgg_weights=vgg_weights, trust_weights=trust_weights
    )
    model = sampled(restored(found, use))
    click.echo(f"device: {model.machine.why}")
    if model.machine.device.type == "cpu":
        hold_memory()
    about: dict[str, object] = {
        "model": str(found.weights),
        "model_sha256": file_hash(found.weights),
        "reference": reference,
        "precision": precision,
    }
    if pictures:
        about["reference_sha256"] = [file_hash(pictures[k % len(pictures)]) for k in wish.seeds]
    failed: list[UserError] = list(named.failed)
    done = 0
    with ProgressBar("sampling", len(photos), 0) as show:
        for number, (photo, folder) in enumerate(photos):
            show.step(number, {})
            try:
                done += sample_photo(model, photo, folder, wish, leaning, about)
            except UserError as error:
                if error.exit_code == EXIT_USAGE:
                    raise
                failed.append(error)
        show.step(len(photos), {})
    for problem in failed:
        click.echo(f"failed: {problem}", err=True)
    old = len(photos) + len(named.failed) - len(failed) - done
    click.echo(
        f"{out}: {len(chosen)} samples x{model.scale} of each of {done} photos"
        + (f", {old} were there" if old else "")
        + (f", {len(failed)} failed" if failed else "")
    )
    if named.left_out:
        click.echo(in_words(named.left_out))
    return EXIT_SOME_FAILED if failed else EXIT_OK


def _numbers(option: str, text: str, between: str) -> tuple[int, ...]:
    """Different numbers from 0 on, in their order."""
    words = text.split(between)
    if not all(word.strip().isdigit() for word in words):
        problem = f"holds something else than numbers with {between!r} between them"
        raise UserError(f"{option} {text}", problem, "numbers from 0 on", exit_code=EXIT_USAGE)
    return tuple(dict.fromkeys(int(word) for word in words)) if between == "," else tuple(map(int, words))
