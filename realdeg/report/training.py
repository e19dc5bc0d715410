"""What a training run adds to the page: verdict, table, curves, comparisons."""

from __future__ import annotations

from typing import Any

import numpy as np

from realdeg.records import PairRecord
from realdeg.report.charts import curves
from realdeg.report.run_folder import Evaluated, Run

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


def gain(run: Run) -> float | None:
    """PSNR-Y of the model above bicubic over the evaluated pairs, dB; None where not evaluated."""
    model, bicubic = run.mean("psnr_y"), run.mean("psnr_y_bicubic")
    return None if model is None or bicubic is None else model - bicubic


def to_compare(run: Run, kept: list[PairRecord]) -> list[tuple[PairRecord, Evaluated]]:
    """Evaluated pairs to show: the largest gain, the smallest, and some between."""
    by_key = {record.key: record for record in kept}
    ranked = sorted((e for e in run.evaluation if e.key in by_key), key=lambda e: -e.gain)
    places = np.linspace(0, len(ranked) - 1, MAX_COMPARED).round().astype(int)
    return [(by_key[ranked[i].key], ranked[i]) for i in np.unique(places)] if ranked else []


def section(run: Run) -> dict[str, Any]:
    """What the template shows of a run, except its comparisons."""
    verdict, good = _verdict(run)
    return {
        "verdict": verdict,
        "good": good,
        "columns": [label for name, label in FIGURES.items() if run.mean(name) is not None] + ["gain"],
        "evaluation": _table(run),
        "loss_chart": _losses(run),
        "validation_chart": _validation(run),
    }


def _verdict(run: Run) -> tuple[str, bool]:
    above = gain(run)
    if above is None:
        return "", False
    which = f" of the {run.split} split" if run.split else ""
    word = "above" if above >= 0 else "below"
    text = (
        f"The model is {abs(above):.2f} dB {word} bicubic over {len(run.evaluation)} pairs{which}: "
        f"{run.mean('psnr_y'):.2f} dB against {run.mean('psnr_y_bicubic'):.2f} dB PSNR-Y."
    )
    return text, above > 0


def _table(run: Run) -> list[dict[str, Any]]:
    if not run.evaluation:
        return []
    names = [name for name in FIGURES if run.mean(name) is not None]

    def cells(figures: dict[str, float], above: float, kind: str) -> list[dict[str, str]]:
        found = [
            {"kind": kind, "text": f"{figures[n]:.4f}" if "ssim" in n else f"{figures[n]:.2f}"}
            if n in figures
            else {"kind": kind, "text": ""}
            for n in names
        ]
        if np.isfinite(above):
            found.append({"kind": "good" if above > 0 else "bad", "text": f"{above:+.2f}"})
        return found

    rows = [{"key": e.key, "cells": cells(e.figures, e.gain, "")} for e in run.evaluation]
    means = {name: value for name in names if (value := run.mean(name)) is not None}
    above = gain(run)
    return [*rows, {"key": "mean", "cells": cells(means, np.nan if above is None else above, "mean")}]


def _losses(run: Run) -> str:
    wanted = {name: points for name, points in run.losses.items() if name.startswith(("L2", "T_", "loss"))}
    return curves(wanted, x_label="step", y_label="loss", log=True)


def _validation(run: Run) -> str:
    names = {"psnr_y": "model", "psnr_y_bicubic": "bicubic"}
    wanted = {label: run.validation[name] for name, label in names.items() if name in run.validation}
    return curves(wanted, x_label="step", y_label="PSNR-Y, dB")
