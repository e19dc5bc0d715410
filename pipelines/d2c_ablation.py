"""The ablations of D2C-SR (Li et al., ECCV 2022, Tables 4 and 5) on a dataset of one's own.

realdeg run ablation --data PAIRS -o OUT [--preset tiny] [--variants 'width*']

Trees of width 1 to 4 and of depth 1 to 4; without the divergence loss; without the deep residual; the weight
of the divergence loss over decades; the host alone with as many parameters, once deeper and once wider. Each
is trained with the same steps, once a seed, and judged on the dataset's test scenes. Below OUT lie the runs,
which go on where they were stopped; OUT/ablation.csv and OUT/ablation.md are the table, OUT/report/ the page
with plots.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import click

from realdeg.atomic import write_text
from realdeg.cli.common import FOLDER, Choice
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.options import Option, command, resolve
from realdeg.output import Output
from realdeg.words import counted
from train.d2c.command import train_d2c
from train.d2c.settings import PRESETS, D2CSettings

ALPHAS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
WIDTHS = DEPTHS = (1, 2, 3, 4)
FIGURES = {
    "psnr_y": "PSNR-Y, dB",
    "gain": "above bicubic, dB",
    "ssim_y": "SSIM-Y",
    "psnr_y_branch_mean": "mean of branches, dB",
    "psnr_y_branch": "best branch, dB",
    "psnr_y_ideal": "ideal fusion, dB",
    "branch_rms_8bit": "between branches, levels",
    "active_triplets": "active triplets",
    "gradient_ratio": "gradient of divergence over L2",
}


def variants(base: D2CSettings) -> dict[str, D2CSettings]:
    """Settings by name; `base` is the full model that all others differ from in one thing.

    The sweep of alpha also keeps the divergence loss on all the time. The single paths are the host alone
    with the parameters of the full model: deeper by more blocks, or as deep as a path from root to leaf and
    wider.
    """
    even = replace(base, alpha_schedule="constant")
    return {
        "full": base,
        **{f"width-{c}": replace(base, children=c) for c in WIDTHS},
        **{f"depth-{n}": replace(base, depth=n) for n in DEPTHS},
        "without-divergence": replace(base, alpha=0.0),
        "without-deep-residual": replace(base, deep_residual=False),
        **{f"alpha-{alpha:g}": replace(even, alpha=alpha) for alpha in ALPHAS},
        "single-deep": _of_equal_size(base, lambda n: replace(base, depth=0, blocks=n)),
        "single-wide": _of_equal_size(
            base, lambda n: replace(base, depth=0, groups=base.groups * base.depth, width=n)
        ),
    }


def _of_equal_size(base: D2CSettings, make: Callable[[int], D2CSettings]) -> D2CSettings:
    """The setting of the family whose number of parameters is nearest to the full model's."""
    wanted, low, high = _parameters(base), 4, 8
    while _parameters(make(high)) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _parameters(make(middle)) < wanted else (low, middle)
    return min((make(n) for n in (low, high)), key=lambda s: abs(_parameters(s) - wanted))


def _parameters(s: D2CSettings) -> int:
    from train.d2c.build import build

    nets = build(replace(s, scale=s.scale or 4))
    return sum(p.numel() for net in nets if net is not None for p in net.parameters())


def ablate(
    data: Path,
    out: Path,
    base: D2CSettings,
    *,
    only: str = "*",
    seeds: int = 1,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Train and judge each variant; write table and page.

    Args:
        data: dataset with manifest.csv and a test split.
        out: receives everything.
        base: settings of the full model; data, out and seed are set here.
        only: shell pattern of the variants.
        seeds: runs of each.
        say: receives lines for the user.

    Returns:
        A row a variant: name, parameters, and of each of `FIGURES` mean and, with several seeds, deviation.

    Raises:
        UserError: no variant of such a name, or what `train_d2c` and `evaluate` raise.
    """
    from train.data.pairs import read_split

    base = replace(base, scale=read_split(data, scale=base.scale).scale)
    chosen = {name: made for name, made in variants(base).items() if fnmatchcase(name, only)}
    if not chosen:
        known = ", ".join(variants(base))
        raise UserError("`only`", f"no ablation is called {only}", f"known: {known}", exit_code=EXIT_USAGE)
    rows: list[dict[str, Any]] = []
    runs: dict[str, Path] = {}
    for name, settings in chosen.items():
        found = []
        for seed in range(base.seed, base.seed + seeds):
            # Equal settings under two names (full, width-2) are one run.
            run = out / _folder(settings, seed)
            say(f"{name}, seed {seed}: {run.name}")
            found.append(_judged(replace(settings, data=data, out=run, seed=seed), say))
        rows.append(_row(name, found))
        runs[name] = out / _folder(settings, base.seed)
        # Pictures are compared once all variants are there.
        _write(out, rows, replace(base, data=data), seeds, runs if len(rows) == len(chosen) else {})
    return rows


def _folder(s: D2CSettings, seed: int) -> str:
    deep = "" if s.deep_residual else "-shallow"
    if s.depth == 0:
        return f"single-w{s.width}-g{s.groups}-b{s.blocks}-seed{seed}"
    return f"c{s.children}-l{s.depth}-alpha{s.alpha:g}-{s.alpha_schedule}{deep}-seed{seed}"


def _judged(settings: D2CSettings, say: Callable[[str], None]) -> dict[str, float]:
    from train.evaluate.command import evaluate
    from train.restore.model import D2CSR
    from train.restore.models import load

    assert settings.data is not None
    assert settings.out is not None
    train_d2c(settings, quiet=True, say=lambda text: None)
    table = evaluate(settings.out, settings.data, page=False)
    model = load(settings.out, say=lambda text: None)
    assert isinstance(model, D2CSR)
    nets = [model.tree, *([model.fusion] if model.fusion else [])]
    found = {**table.means, "gain": table.gain_db or 0.0}
    if table.branches:
        found["psnr_y_branch"] = max(table.branches)  # of one branch for all images
    found["parameters"] = sum(p.numel() for net in nets for p in net.parameters())
    with (settings.out / "metrics.csv").open(newline="") as file:
        for row in csv.DictReader(file):  # the last that was diagnosed
            told = ("branch_rms_8bit", "active_triplets", "gradient_ratio")
            found |= {name: float(row[name]) for name in told if row.get(name)}
    say(f"  {found['psnr_y']:.3f} dB, {found['gain']:+.3f} against bicubic")
    return found


def _row(name: str, found: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "parameters": int(found[0]["parameters"])}
    for figure in FIGURES:
        values = [one[figure] for one in found if figure in one]
        if values:
            row[figure] = mean(values)
            if len(values) > 1:
                row[f"{figure}_sd"] = stdev(values)
    return row


def _write(
    out: Path,
    rows: Sequence[Mapping[str, Any]],
    base: D2CSettings,
    seeds: int,
    runs: Mapping[str, Path],
) -> None:
    from realdeg.report.folder import Folder
    from realdeg.report.listing import Cell
    from realdeg.report.overview import Figure
    from realdeg.report.study import build_study, pairs_of_results
    from train.data.pairs import read_pairs

    known = [name for name in FIGURES if any(name in row for row in rows)]
    columns = ["name", "parameters", *known, *(f"{name}_sd" for name in known if seeds > 1)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({n: f"{v:.6g}" if isinstance(v, float) else v for n, v in row.items()} for row in rows)
    write_text(out / "ablation.csv", text.getvalue())
    heads = ["parameters", *(FIGURES[name] for name in known)]
    cells = [(row["name"], [f"{row['parameters']:,}", *(_text(row, name) for name in known)]) for row in rows]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(values)} |" for name, values in cells]
    write_text(out / "ablation.md", "\n".join(lines) + "\n")
    length = f"{base.steps} steps" if base.steps else f"{base.epochs} epochs"
    lead = (
        f"{len(rows)} variants of a tree over {base.host} of {base.width} channels, {length}, "
        f"{seeds} run{'s' * (seeds > 1)} each, judged on test scenes."
    )
    assert base.data is not None
    folder = Folder(out / "report")
    scale, tested = read_pairs(base.data, scale=base.scale) if runs else (base.scale or 0, ())
    images = {name: run / "evaluation" / "SR" for name, run in runs.items()}
    build_study(
        folder,
        title="Ablations of D2C-SR",
        source=base.data.resolve().name,
        lead=lead,
        columns=heads,
        rows=[(name, [Cell(value, value.split(" ")[0].replace(",", "")) for value in values])
              for name, values in cells],
        figures=[Figure(svg, caption) for svg, caption in _plots(rows)],
        pairs=pairs_of_results(folder, [(pair.key, pair.lr, pair.hr) for pair in tested], images, scale),
        legend="Test pairs that the first variant does worst: the place with most detail, by each variant.",
    )  # fmt: skip


def _text(row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        return ""
    spread = f" ± {row[f'{name}_sd']:.2g}" if f"{name}_sd" in row else ""
    return f"{row[name]:.4g}{spread}" if name not in ("psnr_y", "gain") else f"{row[name]:.3f}{spread}"


def _plots(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    from math import log10

    from realdeg.report.charts import curves

    def points(kind: str, figure: str, place: Callable[[float], float]) -> list[tuple[float, float]]:
        return [
            (place(float(row["name"].removeprefix(f"{kind}-"))), row[figure])
            for row in rows
            if row["name"].startswith(f"{kind}-") and figure in row
        ]

    sizes = {kind: points(kind, "psnr_y", float) for kind in ("width", "depth")}
    fused, ideal = (points("alpha", name, log10) for name in ("psnr_y", "psnr_y_ideal"))
    apart = points("alpha", "branch_rms_8bit", log10)
    return [
        (curves(sizes, x_label="width or depth", y_label="PSNR-Y, dB"), "Width and depth of the tree."),
        (
            curves({"fused": fused, "ideal fusion": ideal}, x_label="log10 of alpha", y_label="PSNR-Y, dB"),
            "Weight of the divergence loss: what the fusion reaches, and what the best choice of branch at "
            "each pixel would.",
        ),
        (
            curves({"between branches": apart}, x_label="log10 of alpha", y_label="RMS, levels", log=True),
            "How far apart the branches are.",
        ),
    ]


@command(short_help="The ablations of D2C-SR on a dataset of one's own.")
@click.option("--data", type=FOLDER, required=True, help="Dataset folder with manifest.csv.")
@click.option("-o", "--out", type=FOLDER, required=True, help="Folder that receives runs, table and page.")
@click.option(
    "--preset", type=Choice(list(PRESETS)), default="tiny", help="Size and training of the full model."
)
@click.option("--steps", type=click.IntRange(1), default=None, help="Training steps; else the preset's.")
@click.option(
    "--variants",
    "only",
    cls=Option,
    was=("only",),
    default="*",
    help="Pattern of the variants to train, e.g. 'width-*'.",
)
@click.option(
    "--repeats",
    "seeds",
    cls=Option,
    was=("seeds",),
    type=click.IntRange(1),
    default=1,
    help="Runs of each variant, by seeds of their own.",
)
@click.option("--patch", type=click.IntRange(4), default=None, help="LR crop side, px; else the preset's.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps.")
def main(
    data: Path,
    out: Path,
    preset: str,
    steps: int | None,
    only: str,
    seeds: int,
    patch: int | None,
    device: str,
    output: Output,
) -> None:
    """Train the variants of D2C-SR's ablations, judge them, and write table and plots.

    Run it again to go on where it stopped: a finished run is not trained again.

    Examples:
      realdeg run ablation --data pairs -o study --variants 'width-*'
    """
    asked = {"steps": steps, "patch": patch, "device": device}
    given = {name: value for name, value in asked.items() if value is not None}
    base = resolve(D2CSettings, PRESETS, preset=preset, flags=given)
    if output.dry_run:
        names = [name for name in variants(base) if fnmatchcase(name, only)]
        lines = [f"would train {name}, {counted(seeds, 'times')}" for name in names]
        output.result({"dry_run": True, "out": str(out), "variants": names, "seeds": seeds}, *lines)
        return
    rows = ablate(data, out, base, only=only, seeds=seeds, say=output.say)
    table, page = out / "ablation.md", out / "report" / "index.html"
    told = {"table": str(table), "report": str(page), "rows": rows}
    output.result(told, f"{table}: table; {page}: plots")


if __name__ == "__main__":
    from realdeg.cli.main import run as run_program

    run_program(main, "python -m pipelines.d2c_ablation")
