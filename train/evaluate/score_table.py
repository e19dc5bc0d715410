"""The figures of an evaluation as a table: text, CSV, JSON, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realdeg.atomic import write_text

# Name in table.csv, and in words.
COLUMNS = {
    "key": "pair",
    "psnr_y_bicubic": "bicubic PSNR-Y",
    "psnr_y": "PSNR-Y",
    "ssim_y_bicubic": "bicubic SSIM-Y",
    "ssim_y": "SSIM-Y",
    "lpips_bicubic": "bicubic LPIPS",
    "lpips": "LPIPS",
    "lr_psnr": "LR-PSNR",
    "psnr_y_branch_mean": "branch mean",
    "psnr_y_branch_best": "best branch",
    "psnr_y_ideal": "ideal fusion",
}

# The same of samples of the SR space.
SPACE_COLUMNS = {
    "key": "pair",
    "psnr_y_bicubic": "bicubic PSNR-Y",
    "psnr_y": "PSNR-Y, mode",
    "psnr_y_mean": "PSNR-Y, mean image",
    "psnr_y_sample": "PSNR-Y, samples",
    "psnr_y_best": "PSNR-Y, best sample",
    "ssim_y_bicubic": "bicubic SSIM-Y",
    "ssim_y": "SSIM-Y, mode",
    "ssim_y_mean": "SSIM-Y, mean image",
    "ssim_y_sample": "SSIM-Y, samples",
    "ssim_y_best": "SSIM-Y, best sample",
    "lpips_bicubic": "bicubic LPIPS",
    "lpips": "LPIPS, mode",
    "lpips_sample": "LPIPS, samples",
    "lr_psnr": "LR-PSNR, mode",
    "lr_psnr_sample": "LR-PSNR, samples",
    "lr_psnr_worst": "LR-PSNR, worst sample",
    "diversity": "diversity",
    "diversity_mse": "diversity, squared errors",
    "std_8bit": "deviation, levels",
    "seams": "seams",
    "clipped_percent": "HR at 0 or 255, %",
}


@dataclass(frozen=True)
class Table:
    """Figures of each pair, in dB, SSIM and LPIPS, as far as they were measured.

    Attributes:
        rows: by pair, in the order of the dataset.
        means: arithmetic mean of each column over the pairs.
        branches: mean PSNR-Y of each branch over the pairs, dB.
        failed: what went wrong with pairs that are not in the table.
        seen: keys of pairs that the model has learned from; None: its run does not say.
        columns: names of what can be measured, in order, and in words.
    """

    scale: int
    rows: tuple[dict[str, Any], ...]
    means: dict[str, float]
    branches: tuple[float, ...] = ()
    failed: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=lambda: COLUMNS)
    seen: tuple[str, ...] | None = None

    @property
    def gain_db(self) -> float | None:
        """Mean PSNR-Y above bicubic, or None without a model."""
        return self.means["psnr_y"] - self.means["psnr_y_bicubic"] if "psnr_y" in self.means else None

    @property
    def names(self) -> list[str]:
        """Columns that were measured, without the key."""
        return [name for name in self.columns if name in self.means]

    def __str__(self) -> str:
        width = max(len(row["key"]) for row in (*self.rows, {"key": "mean"}))
        lines = ["  ".join([f"{'key':<{width}}", *self.names])]
        for row in (*self.rows, {"key": f"{'mean':<{width}}", **self.means}):
            cells = (f"{shown(n, row[n]):>{len(n)}}" for n in self.names)
            lines.append("  ".join([f"{row['key']:<{width}}", *cells]))
        return "\n".join(lines)

    def listed(self) -> str:
        """The means alone, a line each: for more columns than a terminal is wide."""
        width = max(len(name) for name in self.names)
        return "\n".join(f"{name:<{width}}  {shown(name, self.means[name])}" for name in self.names)

    def markdown(self) -> str:
        """A table for a README, the mean last."""
        lines = [
            "| " + " | ".join(["pair", *(self.columns[name] for name in self.names)]) + " |",
            "|---" * (1 + len(self.names)) + "|",
        ]
        for row in (*self.rows, {"key": "**mean**", **self.means}):
            key = str(row["key"]).replace("|", "\\|")
            lines.append("| " + " | ".join([key, *(shown(n, row[n]) for n in self.names)]) + " |")
        return "\n".join(lines) + "\n"

    def latex(self) -> str:
        """A table for a paper (package booktabs), the mean last."""
        import pandas as pd

        rows = [
            [str(row["key"]), *(shown(name, row[name]) for name in self.names)]
            for row in (*self.rows, {"key": "mean", **self.means})
        ]
        frame = pd.DataFrame(rows, columns=["pair", *(self.columns[name] for name in self.names)])
        return str(frame.to_latex(index=False, escape=True, column_format="l" + "r" * len(self.names)))

    def write(self, out: Path, about: Mapping[str, Any], beside: str = "") -> None:
        """Write table.csv, table.md, with what stands beside it, table.tex and summary.json into `out`."""
        text = io.StringIO()
        writer = csv.DictWriter(text, ["key", *self.names], lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            numbers = {n: f"{row[n]:.6f}" for n in self.names}
            writer.writerow({"key": row["key"], **numbers})
        write_text(out / "table.csv", text.getvalue())
        write_text(out / "table.md", self.markdown() + beside)
        write_text(out / "table.tex", self.latex())
        summary = {
            **about,
            "scale": self.scale,
            "pairs": len(self.rows),
            "failed": list(self.failed),
            "learned_from": None if self.seen is None else list(self.seen),
            "means": {n: v if math.isfinite(v) else str(v) for n, v in self.means.items()},
            "branches": list(self.branches),
        }
        write_text(out / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")


def shown(name: str, value: float) -> str:
    """A figure with the digits that mean something."""
    return f"{value:.4f}" if "ssim" in name or "lpips" in name else f"{value:.2f}"


def tabulate(
    scale: int,
    rows: list[dict[str, Any]],
    branches: list[list[float]],
    failed: list[str],
    columns: Mapping[str, str] = COLUMNS,
) -> Table:
    """A table with its means.

    Args:
        rows: not empty, all with the same figures.
        branches: PSNR-Y of each branch, a list a pair.
        failed: what went wrong with others.
        columns: names and words of the figures.
    """
    means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0] if name != "key"}
    by_branch = tuple(sum(column) / len(column) for column in zip(*branches, strict=True))
    return Table(scale, tuple(rows), means, by_branch, tuple(failed), columns)
