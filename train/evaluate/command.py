"""How much better than bicubic a trained network is, on pairs it has not seen.

realdeg evaluate --run RUN --data PAIRS      (or python -m train.evaluate)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

import click

from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, UserError
from realdeg.io.finding_settings import Finding
from realdeg.io.left_out import in_words
from realdeg.names import file_name
from realdeg.options import PATH, command, in_flags, settings_options
from realdeg.output import Output
from realdeg.terminal import write_line
from realdeg.words import counted
from train.evaluate.score_table import COLUMNS, SPACE_COLUMNS, Table, tabulate
from train.evaluate.settings import EvaluateSettings
from train.restore.inference_settings import InferenceOptions, WhichModel, agreement

if TYPE_CHECKING:
    import numpy as np

    from train.data.sources import TestImage
    from train.evaluate.gallery import Gallery
    from train.evaluate.pair_evaluation import PairScores
    from train.evaluate.space_evaluation import Sampling
    from train.losses.perceptual import LPIPS
    from train.restore.model import Trained, Upscaler


def evaluate(
    run: Path | None,
    data: Path | None = None,
    *,
    split: str = EvaluateSettings.split,
    hr: Path | None = None,
    downscale: str = EvaluateSettings.downscale,
    convention: str = EvaluateSettings.convention,
    out: Path | None = None,
    model: Upscaler | None = None,
    device: str = "auto",
    scale: int | None = None,
    project: bool = False,
    page: bool = True,
    lpips: LPIPS | None = None,
    sampling: Sampling | None = None,
    finding: Finding = Finding(),
    leave: Callable[[Mapping[str, int]], None] = lambda left_out: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """Measure bicubic and, where a run is given, its model on the pairs of a split.

    Writes `out/table.csv`, `table.md`, `table.tex`, `summary.json`, `SR/KEY.png` (of samples: the mode) and a
    page `index.html`. Images are 8-bit RGB; LR-PSNR compares with the reduced HR over RGB.

    Args:
        run: run folder; None measures bicubic alone (or `model`, where one is at hand). It also says which
            pairs were learned from: `seen` of the table.
        data: dataset folder with manifest.csv.
        split: "train", "val", "test", "heldout" or "all", see `train.data.pairs.read_pairs`.
        hr: in place of `data`: folder of HR images, which are reduced by `downscale`.
        downscale: method of `realdeg.imaging.resample`.
        convention: of PSNR-Y and SSIM-Y, see `train.evaluate.check.scores`.
        out: default `run/evaluation`; without run and out nothing is written.
        scale: wanted, where the dataset has several or there is no model.
        project: make images agree with LR first; without a model, the bicubic ones; of samples,
            `sampling.how` says it.
        page: write the page.
        lpips: measures LPIPS too; it is moved to the model's device.
        sampling: what to draw from a model of the SR space; None: one image of each photo.
        finding: which files of `hr` are images.
        leave: gets what was left out of `hr`, by why: how many.

    Raises:
        UserError: no dataset, model or pairs; the model is of another scale, or cannot be sampled; no pair
            could be measured; or `out` lies among the images.
    """
    from realdeg.io.save import write_image
    from train.data.learned import read_learned
    from train.evaluate.gallery import Gallery
    from train.memory import enough_memory
    from train.restore.model import Bicubic
    from train.restore.models import load, sampled

    if run is not None and model is None:
        model = load(run, device=device, project=project and sampling is None)
    if sampling is not None:
        if model is None:
            remedy = "give --run or --checkpoint of a VSpSR or RefVAE"
            raise UserError("--space", "needs a model", remedy, exit_code=EXIT_USAGE)
        sampled(cast("Trained", model))
    scale, sources = _chosen(model, data, split, hr, downscale, scale, convention, finding, leave)
    if model is None and project:
        model = Bicubic(scale, project=True)
    out = out or (run / "evaluation" if run else None)
    if out is not None:
        _refuse_overlap(out, data, hr, sources)
    source = (data or hr or Path()).name
    gallery = Gallery(out, source) if out and page and model is not None else None
    if lpips is not None:
        lpips = _moved(lpips, model)
    measure = _measurer(model, scale, convention, lpips, sampling)
    remedy = "lower `tile`" if sampling is None else "cut the photo into parts"
    learned = read_learned(run) if run is not None else None
    rows, branches, failed, seen = [], [], [], []
    for done, one in enumerate(sources):
        on_progress(done, len(sources))
        try:
            lr, large = one.read()
            with enough_memory(one.key, remedy):
                found = measure(lr, large)
            if out and found.image is not None:
                write_image(_sr(out, one), found.image)
            if gallery and found.seen is not None:
                gallery.add(one.key, found.seen)
        except UserError as error:
            if sampling is not None and error.exit_code == EXIT_USAGE:
                raise  # a model that cannot be guided: no other pair will do
            failed.append(str(error))
            continue
        rows.append({"key": one.key, **found.row})
        if learned is not None and learned.knows(one.marks, large):
            seen.append(one.key)
        branches.append(list(found.branches))
    on_progress(len(sources), len(sources))
    if not rows:
        raise UserError(data or hr or "evaluate", "no pair could be measured", failed[0])
    table = tabulate(scale, rows, branches, failed, COLUMNS if sampling is None else SPACE_COLUMNS)
    if learned is not None:
        table = replace(table, seen=tuple(seen))
    if out:
        made = {"split": split} if data else {"downscale": downscale}
        about = {"run": str(run) if run else None, "data": str(data or hr), **made, "convention": convention}
        _write(out, table, about, gallery, sampling, source)
    return table


def _refuse_overlap(out: Path, data: Path | None, hr: Path | None, sources: Sequence[TestImage]) -> None:
    """Images must not land among those that are measured, nor replace one."""
    from realdeg.layout import PAIR_FOLDERS, refuse_inside, refuse_replacing

    refuse_inside(out, *([hr] if hr else []), *(data / part for part in PAIR_FOLDERS if data))
    refuse_replacing((_sr(out, one) for one in sources), (path for one in sources for path in one.files))


def _sr(out: Path, source: TestImage) -> Path:
    return out / "SR" / PurePosixPath(f"{file_name(source.key)}.png")


def _chosen(
    model: Upscaler | None,
    data: Path | None,
    split: str,
    hr: Path | None,
    downscale: str,
    scale: int | None,
    convention: str,
    finding: Finding,
    leave: Callable[[Mapping[str, int]], None],
) -> tuple[int, list[TestImage]]:
    """Scale and pairs of what is named."""
    from train.data.sources import from_dataset, from_hr

    shave = 0 if convention == "no-border" else None
    if data is not None and hr is None:
        if model is not None and scale is None:
            scale = _common_scale(model, data, split)
        scale, sources = from_dataset(data, split, scale, shave)
        if model is not None and model.scale != scale:
            raise _other_scale(model, data, f"x{scale}")
        return scale, sources
    if hr is not None and data is None:
        scale = scale or (model.scale if model is not None else None)
        if scale is None:
            raise UserError("--hr", "needs a model or --scale", "give one", exit_code=EXIT_USAGE)
        if model is not None and model.scale != scale:
            raise _other_scale(model, hr, f"x{scale}")
        return scale, from_hr(hr, downscale, scale, shave, finding, leave)
    raise UserError("evaluate", "needs one set of images", "give --data or --hr", exit_code=EXIT_USAGE)


def _common_scale(model: Upscaler, data: Path, split: str) -> int | None:
    """The model's scale if a dataset of several scales holds it; else what the dataset has."""
    from realdeg.records import read_manifest

    scales = sorted({row.scale for row in read_manifest(data) if row.ok})
    if scales and model.scale not in scales:
        raise _other_scale(model, data, ", ".join(f"x{s}" for s in scales))
    return model.scale if scales else None


def _other_scale(model: Upscaler, data: Path, have: str) -> UserError:
    return UserError(
        data,
        f"holds {have} pairs, the model was trained for x{model.scale}",
        f"evaluate it on x{model.scale} pairs, or train on these",
        exit_code=EXIT_USAGE,
    )


def _measurer(
    model: Any, scale: int, convention: str, lpips: LPIPS | None, sampling: Sampling | None
) -> Callable[[np.ndarray, np.ndarray], PairScores]:
    """What is done with LR and HR of each pair."""
    if sampling is None:
        from train.evaluate.pair_evaluation import measure

        return lambda lr, hr: measure(model, lr, hr, scale, convention=convention, lpips=lpips)
    from train.evaluate.space_evaluation import measure as measure_samples

    return lambda lr, hr: measure_samples(model, lr, hr, sampling, convention=convention, lpips=lpips)


def _write(
    out: Path,
    table: Table,
    about: dict[str, Any],
    gallery: Gallery | None,
    sampling: Sampling | None,
    source: str,
) -> None:
    """Tables, summary and page."""
    gain = table.gain_db or 0.0
    word = "above" if gain >= 0 else "below"
    lead = f"{abs(gain):.2f} dB PSNR-Y {word} bicubic, mean of {counted(len(table.rows), 'pairs')}."
    if sampling is None:
        from train.evaluate.pair_evaluation import LEGEND

        table.write(out, about)
        if gallery:
            gallery.write(table, lead=lead, legend=LEGEND)
        return
    from train.evaluate.space_comparison import beside, markdown
    from train.evaluate.space_evaluation import LEGEND as OF_SAMPLES

    about |= {"samples": sampling.samples, "sample_seed": sampling.seed, "consistency": sampling.how}
    table.write(out, about, markdown(table, sampling.samples, source))
    if gallery:
        lead = f"{_found(table, sampling.samples)} The mode is {lead}"
        gallery.write(table, lead=lead, legend=OF_SAMPLES, beside=beside(table, sampling.samples, source))


def _found(table: Table, samples: int) -> str:
    """The challenge's figures in a sentence."""
    means = table.means
    said = [f"LR-PSNR {means['lr_psnr_sample']:.2f} dB"]
    if "diversity" in means:
        said = [f"LPIPS {means['lpips_sample']:.4f}", *said, f"diversity {means['diversity']:.2f}"]
    else:
        said.append(f"diversity by squared errors {means['diversity_mse']:.2f}")
    drawn = f"{counted(samples, 'samples')} of each of {counted(len(table.rows), 'pairs')}"
    return f"{drawn} x{table.scale}: {', '.join(said)}."


def _moved(lpips: LPIPS, model: Upscaler | None) -> LPIPS:
    """LPIPS on the model's device."""
    import torch

    return lpips.to(getattr(getattr(model, "machine", None), "device", torch.device("cpu")))


@command(short_help="Measure a trained model, and bicubic, on pairs it has not seen.")
@settings_options(WhichModel, "which")
@click.option("--shipped", is_flag=True, help="Measure the model that comes with realdeg.")
@click.option("--data", type=PATH, help="Dataset folder with manifest.csv.")
@click.option("--hr", type=PATH, help="In place of --data: HR images, reduced by --downscale.")
@settings_options(EvaluateSettings)
@click.option(
    "-o",
    "--out",
    type=PATH,
    help="Folder that receives table.csv, summary.json, SR/; default RUN/evaluation.",
)
@settings_options(InferenceOptions, "use", leave=("ensemble",))
@settings_options(Finding, "finding")
def main(
    which: WhichModel,
    shipped: bool,
    data: Path | None,
    hr: Path | None,
    settings: EvaluateSettings,
    out: Path | None,
    use: InferenceOptions,
    finding: Finding,
    output: Output,
) -> int:
    """Measure PSNR-Y, SSIM-Y and LR-PSNR of a model and of bicubic; without a model, bicubic alone.

    With --space, of samples: LPIPS, LR-PSNR and diversity score as the NTIRE 2021 challenge measures them,
    the score by squared errors, PSNR-Y and SSIM-Y of mode, mean, samples and the best of them, beside
    published figures. --project belongs to LR that MATLAB's bicubic made.

    Examples:
      realdeg evaluate --run run --data pairs
      realdeg evaluate --shipped --hr images --scale 4 -o figures
      realdeg evaluate --run run --data pairs --space --samples 10
    """
    from train.progress import ProgressBar
    from train.restore.models import opened, restored

    left_out: dict[str, int] = {}
    s, project = settings, use.project
    sampling = _sampling(s, project, finding) if s.space else None
    if shipped and which != WhichModel():
        raise UserError("--shipped", "is a model too", "give one model", exit_code=EXIT_USAGE)
    model = None
    if shipped or which != WhichModel():
        found = opened(which.run, which.checkpoint, output.say)
        model = restored(found, replace(use, project=project and not s.space))
    if output.dry_run:
        scale, sources = _chosen(
            model, data, s.split, hr, s.downscale, s.scale, s.convention, finding, left_out.update
        )
        _plan(output, sources, scale, data or hr, out or (which.run / "evaluation" if which.run else None))
        return EXIT_OK
    net = None
    if s.lpips != "off":
        from train.losses.perceptual import LPIPS, LPIPS_FILES
        from train.restore.pretrained import at_hand

        if s.lpips == "on" or s.alexnet or s.lpips_heads or at_hand(*LPIPS_FILES):
            net = LPIPS(s.alexnet, s.lpips_heads, trust=use.trust_weights)
    with ProgressBar("evaluating", 1, 0) as show:
        table = evaluate(
            which.run, data, split=s.split, hr=hr, downscale=s.downscale, convention=s.convention, out=out,
            model=model, scale=s.scale, project=project, lpips=net, sampling=sampling, finding=finding,
            leave=left_out.update, on_progress=_shown(show),
        )  # fmt: skip
    for row in table.rows:
        output.more(f"{row['key']}: {', '.join(f'{n} {v:.4g}' for n, v in row.items() if n != 'key')}")
    lines = [table.listed() if s.space else str(table)]
    if table.seen:
        from train.data.cache import first_of

        told = f"{len(table.seen)} of {len(table.rows)} pairs were learned from by this model"
        write_line(sys.stderr, f"warning: {told} ({first_of(table.seen)}); figures of these say little")
    for line in table.failed:
        write_line(sys.stderr, in_flags(f"failed: {line}"))
    if table.gain_db is not None:
        word = "above" if table.gain_db >= 0 else "below"
        pairs = f"{counted(len(table.rows), 'pairs')} x{table.scale}"
        lines.append(f"{abs(table.gain_db):.2f} dB {word} bicubic over {pairs}")
    folder = out or (which.run / "evaluation" if which.run else None)
    if folder:
        lines.append(
            f"{folder}: table.csv, table.md, table.tex, summary.json" + (", SR/, index.html" if model else "")
        )
    if left_out:
        lines.append(in_flags(in_words(left_out)))
    result = {
        "out": str(folder) if folder else None, "scale": table.scale, "pairs": len(table.rows),
        "means": table.means, "gain_db": table.gain_db, "rows": list(table.rows),
        "failed": list(table.failed), "learned_from": list(table.seen or ()), "left_out": left_out,
    }  # fmt: skip
    output.result(result, *lines)
    return EXIT_SOME_FAILED if table.failed else EXIT_OK


def _plan(
    output: Output, sources: Sequence[TestImage], scale: int, of: Path | None, out: Path | None
) -> None:
    """Which pairs would be measured."""
    for one in sources:
        output.more(one.key)
    pairs = counted(len(sources), "pairs")
    told = {"dry_run": True, "out": str(out) if out else None, "scale": scale, "pairs": len(sources)}
    output.result(told, f"would measure {pairs} x{scale} of {of}" + (f" into {out}" if out else ""))


def _sampling(s: EvaluateSettings, project: bool, finding: Finding) -> Sampling:
    from train.evaluate.space_evaluation import Sampling
    from train.restore.guides import guide

    leaning = s.reference if s.reference == "hr" else guide(s.reference, finding)
    return Sampling(s.samples, s.sample_seed, leaning, agreement(project=project, cem=s.cem))


def _shown(show: Any) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        show.total = total
        if show.bar:
            show.bar.update(show.task, total=total)
        show.step(done, {})

    return tell
