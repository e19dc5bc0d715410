"""How much better than bicubic a trained network is, on pairs it has not seen.

python -m train.evaluate --run RUN --data PAIRS
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, UserError
from train.score_table import COLUMNS, Table, shown, tabulate
from train.settings import CONTEXT
from train.upscale import model_options

if TYPE_CHECKING:
    import numpy as np

    from train.losses.perceptual import LPIPS
    from train.restore.model import Enlarger
    from train.sources import Source

    Distance = Callable[[np.ndarray, np.ndarray], float]


def evaluate(
    run: Path | None,
    data: Path | None = None,
    *,
    split: str = "test",
    hr: Path | None = None,
    downscale: str = "matlab_bicubic",
    convention: str = "standard",
    out: Path | None = None,
    model: Enlarger | None = None,
    device: str = "auto",
    scale: int | None = None,
    project: bool = False,
    page: bool = True,
    lpips: LPIPS | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """Measure bicubic and, where a run is given, its model on the pairs of a split.

    Writes `out/table.csv`, `table.md`, `summary.json`, `SR/KEY.png` and a page `index.html`. Images are
    8-bit RGB; LR-PSNR compares with the reduced HR over RGB.

    Args:
        run: run folder; None measures bicubic alone (or `model`, where one is at hand).
        data: dataset folder with manifest.csv.
        split: "train", "val", "test" or "all".
        hr: in place of `data`: folder of HR images, which are reduced by `downscale`.
        downscale: method of `realdeg.imaging.resample`.
        convention: of PSNR-Y and SSIM-Y, see `train.check.scores`.
        out: default `run/evaluation`; without run and out nothing is written.
        scale: wanted, where the dataset has several or there is no model.
        project: make images agree with LR first; without a model, the bicubic ones.
        page: write the page.
        lpips: measures LPIPS too; it is moved to the model's device.

    Raises:
        UserError: no dataset, model or pairs; the model is of another scale; no pair could be measured.
    """
    from train.models import load
    from train.restore.model import Bicubic
    from train.sources import from_dataset, from_hr

    if run is not None and model is None:
        model = load(run, device=device, project=project)
    shave = 0 if convention == "no-border" else None
    if data is not None and hr is None:
        if model is not None and scale is None:
            scale = _common_scale(model, data, split)
        scale, sources = from_dataset(data, split, scale, shave)
        if model is not None and model.scale != scale:
            raise _other_scale(model, data, f"x{scale}")
    elif hr is not None and data is None:
        scale = scale or (model.scale if model is not None else None)
        if scale is None:
            raise UserError("--hr", "needs a model or --scale", "give one", exit_code=EXIT_USAGE)
        if model is not None and model.scale != scale:
            raise _other_scale(model, hr, f"x{scale}")
        sources = from_hr(hr, downscale, scale, shave)
    else:
        raise UserError("evaluate", "needs one set of images", "give --data or --hr", exit_code=EXIT_USAGE)
    if model is None and project:
        model = Bicubic(scale, project=True)
    out = out or (run / "evaluation" if run else None)
    gallery = Gallery(out, run, data or hr) if out and page and model is not None else None
    distance = _distance(lpips, model) if lpips is not None else None
    rows, branches, failed = [], [], []
    for done, source in enumerate(sources):
        on_progress(done, len(sources))
        try:
            row, by_branch = _measure(source, model, scale, convention, out, gallery, distance)
        except UserError as error:
            failed.append(str(error))
            continue
        rows.append(row)
        branches.append(by_branch)
    on_progress(len(sources), len(sources))
    if not rows:
        raise UserError(data or hr or "evaluate", "no pair could be measured", failed[0])
    table = tabulate(scale, rows, branches, failed)
    if out:
        made = {"split": split} if data else {"downscale": downscale}
        table.write(
            out, {"run": str(run) if run else None, "data": str(data or hr), **made, "convention": convention}
        )
    if gallery:
        gallery.write(table)
    return table


def _common_scale(model: Enlarger, data: Path, split: str) -> int | None:
    """The model's scale if a dataset of several scales holds it; else what the dataset has."""
    from realdeg.records import read_manifest

    scales = sorted({row.scale for row in read_manifest(data) if row.ok})
    if scales and model.scale not in scales:
        raise _other_scale(model, data, ", ".join(f"x{s}" for s in scales))
    return model.scale if scales else None


def _other_scale(model: Enlarger, data: Path, have: str) -> UserError:
    return UserError(
        data,
        f"holds {have} pairs, the model was trained for x{model.scale}",
        f"evaluate it on x{model.scale} pairs, or train on these",
        exit_code=EXIT_USAGE,
    )


def _measure(
    source: Source,
    model: Enlarger | None,
    scale: int,
    convention: str,
    out: Path | None,
    gallery: Gallery | None,
    distance: Distance | None,
) -> tuple[dict[str, Any], list[float]]:
    """Figures of one pair, and PSNR-Y of each branch."""
    from realdeg.imaging.resample import resize
    from realdeg.io.save import write_image
    from realdeg.metrics.lr_psnr import lr_psnr
    from train.check import bicubic_scores, scores
    from train.losses.divergence import ideal_fusion
    from train.memory import enough_memory
    from train.restore.model import to_uint8

    lr, hr = source.read()
    row: dict[str, Any] = {"key": source.key, **bicubic_scores(lr, hr, scale, convention)}
    by_branch: list[float] = []
    if distance:
        row["lpips_bicubic"] = distance(resize(lr, scale), hr)
    if model is not None:
        with enough_memory(source.key, "lower --tile"):
            images = model.predict(lr)
        sr, leaves = to_uint8(images[0]), images[1:]
        row |= scores(sr, hr, scale, convention)
        row["lr_psnr"] = lr_psnr(sr, hr, scale=scale)
        if distance:
            row["lpips"] = distance(sr, hr)
        if len(leaves) > 1:
            ideal = ideal_fusion(leaves[None], _tensor(hr)[None])[0]
            by_branch = [_psnr(to_uint8(leaf), hr, scale, convention) for leaf in leaves]
            row["psnr_y_branch_mean"] = _psnr(to_uint8(leaves.mean(0)), hr, scale, convention)
            row["psnr_y_branch_best"] = max(by_branch)
            row["psnr_y_ideal"] = _psnr(to_uint8(ideal), hr, scale, convention)
        if out:
            write_image(out / "SR" / PurePosixPath(f"{source.key}.png"), sr)
        if gallery:
            best = max(range(len(by_branch)), key=by_branch.__getitem__) if by_branch else None
            gallery.add(source.key, model, lr, hr, images, best)
    return row, by_branch


def _distance(lpips: LPIPS, model: Enlarger | None) -> Distance:
    """LPIPS of two (H, W, 3) uint8 images, on the model's device."""
    import torch

    device = getattr(getattr(model, "machine", None), "device", torch.device("cpu"))
    net = lpips.to(device)

    def measure(sr: np.ndarray, hr: np.ndarray) -> float:
        with torch.inference_mode():
            return float(net(_tensor(sr)[None].to(device), _tensor(hr)[None].to(device)).mean())

    return measure


def _psnr(sr: np.ndarray, hr: np.ndarray, scale: int, convention: str) -> float:
    from realdeg.metrics.psnr import psnr_y

    form: Any = "d2c" if convention == "d2c" else "standard"
    return psnr_y(sr, hr, shave=0 if convention == "no-border" else scale, convention=form)


def _tensor(image: np.ndarray) -> Any:
    import torch

    return torch.tensor(image).permute(2, 0, 1).float() / 255


class Gallery:
    """The page of an evaluation while it is made: pictures are written as they come.

    Args:
        out: folder of the evaluation.
        run: run folder, or None.
        data: where the images are from.
    """

    def __init__(self, out: Path, run: Path | None, data: Path | None) -> None:
        from realdeg.report.folder import Folder

        self.folder = Folder(out)
        self.run, self.data = run, data
        self.pairs: list[Any] = []

    def add(
        self, key: str, model: Enlarger, lr: np.ndarray, hr: np.ndarray, images: Any, best: int | None
    ) -> None:
        """Write the pictures of a pair."""
        from realdeg.report.evaluation import Shown, plate
        from train.look import look

        seen = look(model, lr, hr, images, best=best)
        crops = tuple(plate(self.folder, key, name, picture) for name, picture in seen.crops.items())
        maps = tuple(
            tuple(plate(self.folder, key, name, picture) for name, picture in row.items())
            for row in seen.heat_maps()
        )
        self.pairs.append(Shown(key, crops, maps))

    def write(self, table: Table) -> None:
        """Write the page."""
        from realdeg.report.evaluation import build_evaluation
        from realdeg.report.listing import Cell

        gain = table.gain_db or 0.0
        word = "above" if gain >= 0 else "below"
        rows = [
            (row["key"], [Cell(shown(n, row[n]), str(row[n])) for n in table.names])
            for row in ({"key": "mean", **table.means}, *table.rows)
        ]
        build_evaluation(
            self.folder,
            title=f"x{table.scale} evaluated",
            source=self.data.name if self.data else "",
            lead=f"{abs(gain):.2f} dB PSNR-Y {word} bicubic, mean of {len(table.rows)} pairs.",
            columns=[COLUMNS[n] for n in table.names],
            rows=rows,
            pairs=self.pairs,
        )


@click.command(context_settings=CONTEXT)
@click.option("--data", type=click.Path(path_type=Path), help="Dataset folder with manifest.csv.")
@click.option(
    "--hr", type=click.Path(path_type=Path), help="In place of --data: HR images, reduced by --downscale."
)
@click.option(
    "--downscale",
    default="matlab_bicubic",
    show_default=True,
    help="nearest, bilinear, bicubic, lanczos, area or matlab_bicubic.",
)
@click.option(
    "--convention",
    type=click.Choice(["standard", "d2c", "no-border"]),
    default="standard",
    show_default=True,
    help="Of PSNR-Y and SSIM-Y: SCALE px shaved off; D2C-SR's code; nothing shaved off.",
)
@click.option("--split", default="test", show_default=True, help="train, val, test or all.")
@click.option("--scale", type=int, help="Which pairs of a dataset of several scales.")
@click.option("--shipped", is_flag=True, help="Measure the model that comes with realdeg.")
@click.option(
    "--lpips",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    show_default=True,
    help="LPIPS: where its weights lie in torch's cache; fetched once; not.",
)
@click.option("--alexnet", type=click.Path(path_type=Path), help="torchvision's AlexNet, for LPIPS.")
@click.option("--lpips-heads", type=click.Path(path_type=Path), help="alex.pth of LPIPS 0.1.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Default: RUN/evaluation.")
@model_options
def main(
    data: Path | None,
    hr: Path | None,
    downscale: str,
    convention: str,
    split: str,
    scale: int | None,
    shipped: bool,
    lpips: str,
    alexnet: Path | None,
    lpips_heads: Path | None,
    out: Path | None,
    run: Path | None,
    checkpoint: Path | None,
    device: str,
    precision: str,
    project: bool,
    tile: int,
) -> int:
    """Measure PSNR-Y, SSIM-Y and LR-PSNR of a model and of bicubic; without a model, bicubic alone.

    --project belongs to LR that MATLAB's bicubic made.
    """
    from train.log import Show
    from train.models import load

    model = None
    if run is not None or checkpoint is not None or shipped:
        if shipped and not (run is None and checkpoint is None):
            raise UserError("--shipped", "is a model too", "give one model", exit_code=EXIT_USAGE)
        model = load(
            run, checkpoint=checkpoint, device=device, precision=precision, tile=tile, project=project,
            say=click.echo,
        )  # fmt: skip
    net = None
    if lpips != "off":
        from train.losses.perceptual import LPIPS, LPIPS_FILES
        from train.pretrained import at_hand

        if lpips == "on" or alexnet or lpips_heads or at_hand(*LPIPS_FILES):
            net = LPIPS(alexnet, lpips_heads)
    with Show("evaluating", 1, 0) as show:
        table = evaluate(
            run, data, split=split, hr=hr, downscale=downscale, convention=convention, out=out,
            model=model, scale=scale, project=project, lpips=net, on_progress=_shown(show),
        )  # fmt: skip
    click.echo(str(table))
    for line in table.failed:
        click.echo(f"failed: {line}", err=True)
    if table.gain_db is not None:
        word = "above" if table.gain_db >= 0 else "below"
        click.echo(f"{abs(table.gain_db):.2f} dB {word} bicubic over {len(table.rows)} pairs x{table.scale}")
    folder = out or (run / "evaluation" if run else None)
    if folder:
        click.echo(f"{folder}: table.csv, table.md, summary.json" + (", SR/, index.html" if model else ""))
    return EXIT_SOME_FAILED if table.failed else EXIT_OK


def _shown(show: Any) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        show.total = total
        if show.bar:
            show.bar.update(show.task, total=total)
        show.step(done, {})

    return tell


if __name__ == "__main__":
    from realdeg.cli.main import run as run_program

    run_program(main, "python -m train.evaluate")
