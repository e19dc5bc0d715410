"""The report of a dataset, and of a model trained on it: one HTML file and its pictures, for any browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.atomic import write_text
from realdeg.errors import UserError
from realdeg.records import PairRecord, read_manifest
from realdeg.report.charts import curves, histogram
from realdeg.report.pictures import CROP, Views, pair_views, thumbnail
from realdeg.report.run_folder import Run, read_run
from realdeg.settings import RUN_FILE, versions

MAX_PROBLEMS = 60
MAX_COMPARED = 4
FIGURES = {
    "psnr_y_bicubic": "bicubic PSNR-Y",
    "psnr_y": "model PSNR-Y",
    "ssim_y_bicubic": "bicubic SSIM-Y",
    "ssim_y": "model SSIM-Y",
    "lr_psnr": "LR-PSNR",
    "psnr_y_branch_mean": "branch mean",
    "psnr_y_ideal": "ideal fusion",
}


@dataclass(frozen=True)
class Shown:
    """A pair on the page: a picture on each side, what else the right side can show, one line of facts."""

    key: str
    views: Views
    left: dict[str, str]
    right: dict[str, str]
    facts: str
    rights: Sequence[dict[str, Any]] = ()


def build_report(
    dataset: Path,
    out: Path | None = None,
    run: Path | None = None,
    *,
    title: str = "",
    limit: int = 60,
) -> Path:
    """Write the report of a dataset.

    The page is written last and in one step; it holds no date, so the same input gives the same bytes.

    Args:
        dataset: folder with manifest.csv.
        out: folder of the page; default `dataset/report`.
        run: run folder of `python -m train.d2c`; adds curves, the evaluation table and comparisons.
        title: heading; default the dataset's name.
        limit: at most so many pairs in the gallery, spread over the dataset.

    Returns:
        Path of index.html.

    Raises:
        UserError: no dataset, no run folder, no pair can be shown, or `out` cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    records = read_manifest(dataset)
    out = out or dataset / "report"
    trained = read_run(run) if run else None
    kept = [record for record in records if record.ok]
    refused = [record for record in records if not record.ok]
    lost: list[PairRecord] = []
    gallery = [_pair(dataset, out, record, lost) for record in _spread(kept, limit)]
    compared = _compared(dataset, out, trained, kept, lost) if trained else []
    errors = [float(r.detail["error_lr_px"]) for r in kept if r.detail.get("error_lr_px")]
    environment = Environment(
        loader=PackageLoader("realdeg.report", "."), autoescape=True, undefined=StrictUndefined
    )
    pair = environment.get_template("pair.html.j2")
    asset = files("realdeg.report")
    verdict, good = _verdict(trained)
    html = environment.get_template("page.html.j2").render(
        title=title or dataset.resolve().name,
        lead=_lead(records, kept),
        cards=_cards(records, errors, trained),
        run=trained is not None,
        verdict=verdict,
        verdict_good=good,
        columns=_columns(trained),
        evaluation=_table(trained),
        compared=compared,
        loss_chart=Markup(_losses(trained)),
        validation_chart=Markup(_validation(trained)),
        histogram=Markup(histogram(errors, x_label="residual, LR px (p95)", y_label="pairs"))
        if errors
        else "",
        problems=[_problem(out, record) for record in [*lost, *refused][:MAX_PROBLEMS]],
        more_problems=max(0, len(lost) + len(refused) - MAX_PROBLEMS),
        gallery=[one for one in gallery if one],
        more_pairs=max(0, len(kept) - len(gallery)),
        crop=CROP,
        settings=_settings(dataset, run),
        version=versions().split(",")[0].removeprefix("realdeg "),
        source=dataset.resolve().name,
        css=Markup((asset / "report.css").read_text(encoding="utf-8")),
        js=Markup((asset / "report.js").read_text(encoding="utf-8")),
        pair=lambda one: Markup(pair.render(one=one)),
    )
    write_text(out / "index.html", html)
    return out / "index.html"


def _residuals(errors: list[float]) -> str:
    return histogram(errors, x_label="residual, LR px (p95)", y_label="pairs") if errors else ""


def _spread(records: list[PairRecord], limit: int) -> list[PairRecord]:
    if len(records) <= limit:
        return records
    places = np.unique(np.linspace(0, len(records) - 1, limit).round().astype(int))
    return [records[i] for i in places]


def _pair(dataset: Path, out: Path, record: PairRecord, lost: list[PairRecord]) -> Shown | None:
    views = _views(dataset, out, record, lost, None)
    if views is None:
        return None
    left = {"file": views.lr, "name": "LR, bicubic", "pixels": views.pixels}
    return Shown(record.key, views, left, {"file": views.hr, "name": "HR"}, _facts(record))


def _compared(
    dataset: Path, out: Path, run: Run, kept: list[PairRecord], lost: list[PairRecord]
) -> list[Shown]:
    """Pairs that were evaluated: bicubic, model and HR; the largest gain, the smallest, and some between."""
    by_key = {record.key: record for record in kept}
    ranked = sorted((e for e in run.evaluation if e.key in by_key), key=lambda e: -e.gain)
    places = np.linspace(0, len(ranked) - 1, MAX_COMPARED).round().astype(int)
    shown = []
    for entry in [ranked[place] for place in np.unique(places)] if ranked else []:
        views = _views(dataset, out, by_key[entry.key], lost, run.sr_path(entry.key))
        if views is None or not views.sr:
            continue
        bicubic, model = entry.figures.get("psnr_y_bicubic", 0), entry.figures.get("psnr_y", 0)
        rights = [
            {"file": views.sr, "name": "model", "shown": True},
            {"file": views.hr, "name": "HR", "shown": False},
        ]
        facts = f"bicubic {bicubic:.2f} dB, model {model:.2f} dB ({entry.gain:+.2f} dB)"
        left = {"file": views.lr, "name": "bicubic", "pixels": views.pixels}
        shown.append(Shown(entry.key, views, left, {"file": views.sr, "name": "model"}, facts, rights))
    return shown


def _views(
    dataset: Path, out: Path, record: PairRecord, lost: list[PairRecord], sr: Path | None
) -> Views | None:
    try:
        return pair_views(dataset / record.lr, dataset / record.hr, record.scale, out, record.key, sr)
    except UserError as error:
        if str(out) in error.subject:
            raise
        if all(record.key != one.key for one in lost):
            lost.append(PairRecord(record.key, "failed", str(error)))
        return None


def _facts(record: PairRecord) -> str:
    detail, parts = record.detail, [f"x{record.scale}"]
    if detail.get("error_lr_px"):
        parts.append(f"residual {float(detail['error_lr_px']):.3f} LR px")
    if detail.get("zoom"):
        parts.append(f"zoom {float(detail['zoom']):.3f}")
    if detail.get("brightness_rms_8bit"):
        parts.append(f"brightness {float(detail['brightness_rms_8bit']):.1f} levels")
    for name in ("kernel", "noise"):
        if detail.get(name):
            parts.append(f"{name} {detail[name]}")
    if record.split:
        parts.append(record.split)
    return ", ".join(parts)


def _problem(out: Path, record: PairRecord) -> dict[str, Any]:
    sides = []
    for name, source in (("LR", record.source_lr), ("HR", record.source_hr)):
        side = {"file": "", "alt": "no photo" if not source else f"{name} photo cannot be shown"}
        if source and Path(source).is_file():
            try:
                side = {"file": thumbnail(Path(source), out), "alt": f"{name} photo of {record.key}"}
            except UserError as error:
                if str(out) in error.subject:
                    raise
        sides.append(side)
    return {"key": record.key, "status": record.status, "reason": record.reason, "thumbnails": sides}


def _lead(records: list[PairRecord], kept: list[PairRecord]) -> str:
    how = sorted({record.how for record in kept if record.how})
    names = {
        "registration": "registered from photos",
        "degradation": "degraded from clean images",
        "adopted": "adopted from existing pairs",
        "tile": "cut into tiles",
    }
    made = " and ".join(names.get(name, name) for name in how) or "no pair was made"
    return f"{len(kept)} of {len(records)} inputs became LR/HR pairs, {made}."


def _cards(records: list[PairRecord], errors: list[float], run: Run | None) -> list[dict[str, str]]:
    count = {status: sum(r.status == status for r in records) for status in ("ok", "rejected", "failed")}
    cards = [{"kind": "", "value": f"{count['ok']:,}", "what": "pairs kept"}]
    cards += [
        {"kind": kind, "value": f"{count[status]:,}", "what": status}
        for status, kind in (("rejected", "warn"), ("failed", "bad"))
        if count[status]
    ]
    scales = sorted({record.scale for record in records if record.ok})
    cards.append({"kind": "", "value": ", ".join(f"x{s}" for s in scales) or "-", "what": "scale"})
    if errors:
        cards.append({"kind": "", "value": f"{np.median(errors):.3f}", "what": "median residual, LR px"})
        cards.append({"kind": "", "value": f"{max(errors):.3f}", "what": "largest residual, LR px"})
    gain = _gain(run)
    if gain is not None:
        kind = "good" if gain > 0 else "bad"
        cards.append({"kind": kind, "value": f"{gain:+.2f} dB", "what": "model over bicubic, PSNR-Y"})
    return cards


def _gain(run: Run | None) -> float | None:
    if run is None:
        return None
    model, bicubic = run.mean("psnr_y"), run.mean("psnr_y_bicubic")
    return None if model is None or bicubic is None else model - bicubic


def _verdict(run: Run | None) -> tuple[str, bool]:
    gain = _gain(run)
    if run is None or gain is None:
        return "", False
    which = f" of the {run.split} split" if run.split else ""
    word = "above" if gain >= 0 else "below"
    text = (
        f"The model is {abs(gain):.2f} dB {word} bicubic over {len(run.evaluation)} pairs{which}: "
        f"{run.mean('psnr_y'):.2f} dB against {run.mean('psnr_y_bicubic'):.2f} dB PSNR-Y."
    )
    return text, gain > 0


def _columns(run: Run | None) -> list[str]:
    if run is None:
        return []
    return [label for name, label in FIGURES.items() if run.mean(name) is not None] + ["gain"]


def _table(run: Run | None) -> list[dict[str, Any]]:
    if run is None or not run.evaluation:
        return []
    names = [name for name in FIGURES if run.mean(name) is not None]

    def cells(figures: dict[str, float], gain: float, kind: str) -> list[dict[str, str]]:
        found = [
            {"kind": kind, "text": f"{figures[n]:.4f}" if "ssim" in n else f"{figures[n]:.2f}"}
            if n in figures
            else {"kind": kind, "text": ""}
            for n in names
        ]
        if np.isfinite(gain):
            found.append({"kind": "good" if gain > 0 else "bad", "text": f"{gain:+.2f}"})
        return found

    rows = [{"key": e.key, "cells": cells(e.figures, e.gain, "")} for e in run.evaluation]
    means = {name: value for name in names if (value := run.mean(name)) is not None}
    gain = _gain(run)
    return [*rows, {"key": "mean", "cells": cells(means, np.nan if gain is None else gain, "mean")}]


def _losses(run: Run | None) -> str:
    if run is None:
        return ""
    wanted = {name: points for name, points in run.losses.items() if name.startswith(("L2", "T_", "loss"))}
    return curves(wanted, x_label="step", y_label="loss", log=True)


def _validation(run: Run | None) -> str:
    if run is None:
        return ""
    names = {"psnr_y": "model", "psnr_y_bicubic": "bicubic"}
    wanted = {label: run.validation[name] for name, label in names.items() if name in run.validation}
    return curves(wanted, x_label="step", y_label="PSNR-Y, dB")


def _settings(dataset: Path, run: Path | None) -> list[tuple[str, str]]:
    found = []
    for name, folder in (("dataset", dataset), ("training", run)):
        if folder and (folder / RUN_FILE).is_file():
            text = (folder / RUN_FILE).read_text(encoding="utf-8", errors="replace")
            found.append((f"{name}: {RUN_FILE}", text))
    return found
