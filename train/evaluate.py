"""How much better than bicubic a trained network is, on pairs it has not seen.

python -m train.evaluate --run RUN --data PAIRS
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, UserError
from train.settings import CONTEXT
from train.upscale import model_options

if TYPE_CHECKING:
    import numpy as np

    from train.pairs import Pair
    from train.restore.model import Bicubic, Model

COLUMNS = (
    "key",
    "psnr_y_bicubic",
    "psnr_y",
    "ssim_y_bicubic",
    "ssim_y",
    "lr_psnr",
    "psnr_y_branch_mean",
    "psnr_y_ideal",
)


@dataclass(frozen=True)
class Table:
    """Figures of each pair, in dB and SSIM, with `COLUMNS` as far as they were measured.

    Attributes:
        rows: by pair, in manifest order.
        means: arithmetic mean of each column over the pairs.
        failed: what went wrong with pairs that are not in the table.
    """

    scale: int
    rows: tuple[dict[str, Any], ...]
    means: dict[str, float]
    failed: tuple[str, ...] = ()

    @property
    def gain_db(self) -> float | None:
        """Mean PSNR-Y above bicubic, or None without a model."""
        return self.means["psnr_y"] - self.means["psnr_y_bicubic"] if "psnr_y" in self.means else None

    def __str__(self) -> str:
        names = [name for name in COLUMNS if name != "key" and name in self.means]
        width = max(len(row["key"]) for row in (*self.rows, {"key": "mean"}))
        lines = ["  ".join([f"{'key':<{width}}", *names])]
        for row in (*self.rows, {"key": f"{'mean':<{width}}", **self.means}):
            cells = (f"{row[n]:>{len(n)}.{4 if 'ssim' in n else 2}f}" for n in names)
            lines.append("  ".join([f"{row['key']:<{width}}", *cells]))
        return "\n".join(lines)


def evaluate(
    run: Path | None,
    data: Path,
    *,
    split: str = "test",
    out: Path | None = None,
    model: Model | Bicubic | None = None,
    device: str = "auto",
    scale: int | None = None,
    project: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """Measure bicubic and, where a run is given, its model on the pairs of a split.

    Writes `out/table.csv`, `out/summary.json` and `out/SR/KEY.png`. Both images are 8-bit RGB; luma is
    BT.601, `scale` pixels are shaved off each side; LR-PSNR compares with the reduced HR over RGB.

    Args:
        run: run folder; None measures bicubic alone (or `model`, where one is at hand).
        data: dataset folder with manifest.csv.
        split: "train", "val", "test" or "all".
        project: make images agree with LR first; without a model, the bicubic ones.
        out: default `run/evaluation`; without run and out nothing is written.

    Raises:
        UserError: no dataset, model or pairs; the model is of another scale; no pair could be measured.
    """
    from train.pairs import read_pairs
    from train.restore.model import Bicubic
    from train.upscale import load

    if run is not None and model is None:
        model = load(run, device=device, project=project)
    if model is not None and scale is None:
        scale = _common_scale(model, data, split)
    scale, pairs = read_pairs(data, split, scale=scale)
    if model is not None and model.scale != scale:
        raise _other_scale(model, data, f"x{scale}")
    if model is None and project:
        model = Bicubic(scale, project=True)
    out = out or (run / "evaluation" if run else None)
    rows, failed = [], []
    for done, pair in enumerate(pairs):
        on_progress(done, len(pairs))
        try:
            rows.append(_measure(pair, model, scale, out))
        except UserError as error:
            failed.append(str(error))
    on_progress(len(pairs), len(pairs))
    if not rows:
        raise UserError(data, "no pair could be measured", failed[0])
    means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0] if name != "key"}
    table = Table(scale, tuple(rows), means, tuple(failed))
    if out:
        _write(table, out, {"run": str(run) if run else None, "data": str(data), "split": split})
    return table


def _common_scale(model: Model | Bicubic, data: Path, split: str) -> int | None:
    """The model's scale if a dataset of several scales holds it; else what the dataset has."""
    from realdeg.records import read_manifest

    scales = sorted({row.scale for row in read_manifest(data) if row.ok})
    if scales and model.scale not in scales:
        raise _other_scale(model, data, ", ".join(f"x{s}" for s in scales))
    return model.scale if scales else None


def _other_scale(model: Model | Bicubic, data: Path, have: str) -> UserError:
    return UserError(
        data,
        f"holds {have} pairs, the model was trained for x{model.scale}",
        f"evaluate it on x{model.scale} pairs, or train on these",
        exit_code=EXIT_USAGE,
    )


def _measure(pair: Pair, model: Model | Bicubic | None, scale: int, out: Path | None) -> dict[str, Any]:
    from realdeg.io.save import write_image
    from realdeg.metrics.lr_psnr import lr_psnr
    from realdeg.metrics.psnr import psnr_y
    from train.cache import as_uint8, check_sizes
    from train.check import bicubic_scores, check_measurable, scores
    from train.losses.divergence import ideal_fusion
    from train.restore.model import to_uint8

    lr, hr = as_uint8(pair.lr), as_uint8(pair.hr)
    check_sizes([pair.key], [lr], [hr], scale=scale)
    check_measurable(pair.key, hr, scale)
    row: dict[str, Any] = {"key": pair.key, **bicubic_scores(lr, hr, scale)}
    if model is not None:
        images = model.predict(lr)
        sr, leaves = to_uint8(images[0]), images[1:]
        row |= scores(sr, hr, scale)
        row["lr_psnr"] = lr_psnr(sr, hr, scale=scale)
        if len(leaves) > 1:
            ideal = ideal_fusion(leaves[None], _tensor(hr)[None])[0]
            row["psnr_y_branch_mean"] = psnr_y(to_uint8(leaves.mean(0)), hr, shave=scale)
            row["psnr_y_ideal"] = psnr_y(to_uint8(ideal), hr, shave=scale)
        if out:
            write_image(out / "SR" / PurePosixPath(f"{pair.key}.png"), sr)
    return {name: row[name] for name in COLUMNS if name in row}


def _tensor(image: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(image).permute(2, 0, 1).float() / 255


def _write(table: Table, out: Path, about: dict[str, Any]) -> None:
    from realdeg.atomic import write_text

    text = io.StringIO()
    writer = csv.DictWriter(text, [n for n in COLUMNS if n in table.rows[0]], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {n: f"{v:.6f}" if isinstance(v, float) else v for n, v in row.items()} for row in table.rows
    )
    write_text(out / "table.csv", text.getvalue())
    summary = {
        **about,
        "scale": table.scale,
        "pairs": len(table.rows),
        "failed": list(table.failed),
        "means": {name: value if math.isfinite(value) else str(value) for name, value in table.means.items()},
    }
    write_text(out / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")


@click.command(context_settings=CONTEXT)
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Dataset folder with manifest.csv."
)
@click.option("--split", default="test", show_default=True, help="train, val, test or all.")
@click.option("--scale", type=int, help="Which pairs of a dataset of several scales.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Default: RUN/evaluation.")
@model_options
def main(
    data: Path,
    split: str,
    scale: int | None,
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
    from train.upscale import load

    model = None
    if run is not None or checkpoint is not None:
        model = load(
            run, checkpoint=checkpoint, device=device, precision=precision, tile=tile, project=project,
            say=click.echo,
        )  # fmt: skip
    with Show("evaluating", 1, 0) as show:
        table = evaluate(
            run, data, split=split, out=out, model=model, scale=scale, project=project,
            on_progress=_shown(show),
        )  # fmt: skip
    click.echo(str(table))
    for line in table.failed:
        click.echo(f"failed: {line}", err=True)
    if table.gain_db is not None:
        word = "above" if table.gain_db >= 0 else "below"
        click.echo(f"{abs(table.gain_db):.2f} dB {word} bicubic over {len(table.rows)} pairs x{table.scale}")
    folder = out or (run / "evaluation" if run else None)
    if folder:
        click.echo(f"{folder}: table.csv, summary.json" + (", SR/" if model else ""))
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
