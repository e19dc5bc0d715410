"""A model of the SR space beside the published ones: a table, a chart, and how far they compare."""

from __future__ import annotations

from realdeg.report.charts import Point, named
from realdeg.report.evaluation import Beside
from realdeg.report.overview import Figure
from train.evaluate.gallery import cell
from train.evaluate.published_space import Published, published
from train.evaluate.score_table import Table, shown

COLUMNS = {"lpips": "LPIPS", "lr_psnr": "LR-PSNR, dB", "diversity": "diversity"}
OURS = "this model"


def rows(table: Table) -> list[Published]:
    """The model of a table and the published ones of its scale, the most diverse first; empty without.

    A model whose diversity is on another scale comes last.
    """
    others = published(table.scale)
    if not others:
        return []
    if by_squares(table):
        return [*others, ours(table)]
    return sorted([ours(table), *others], key=lambda row: -row.diversity)


def by_squares(table: Table) -> bool:
    """Whether the diversity at hand is that of squared errors, as LPIPS was not measured."""
    return "diversity" not in table.means


def ours(table: Table) -> Published:
    """The model of a table as a row."""
    means = table.means
    diversity = means.get("diversity", means["diversity_mse"])
    return Published(
        OURS, table.scale, means.get("lpips_sample"), means["lr_psnr_sample"], diversity, "measured here"
    )


def note(table: Table, samples: int, source: str) -> str:
    """What has to be known before figures of both sides are compared."""
    said = (
        "The published figures are means over DIV2K's 100 validation images, whose LR MATLAB's bicubic made: "
        f"ten samples each, LPIPS by AlexNet. Those of {OURS} are of {samples} samples of each of "
        f"{len(table.rows)} pairs from {source or 'the data'}: on other images, or of another number of "
        "samples, all three differ."
    )
    if by_squares(table):
        said += (
            " LPIPS, which needs published weights, was not measured, so that the diversity is that of "
            "squared errors: it is on a scale of its own and cannot be compared with the others' at all."
        )
    return said


def markdown(table: Table, samples: int, source: str) -> str:
    """A section for table.md; empty for a scale that nobody has published."""
    found = rows(table)
    if not found:
        return ""
    lines = ["", "## Beside published figures", "", note(table, samples, source), ""]
    lines.append("| method | " + " | ".join(COLUMNS.values()) + " | source |")
    lines.append("|---" * (2 + len(COLUMNS)) + "|")
    for row in found:
        name = f"**{row.name}**" if row.name == OURS else row.name
        cells = [_said(table, row, one) for one in COLUMNS]
        lines.append("| " + " | ".join([name, *cells, row.source]) + " |")
    return "\n".join(lines) + "\n"


def beside(table: Table, samples: int, source: str) -> Beside | None:
    """The same for the page, with a chart; None for a scale that nobody has published."""
    found = rows(table)
    if not found:
        return None
    lines = []
    for row in found:
        cells = [cell(name, getattr(row, name)) for name in COLUMNS]
        lines.append((f"{row.name} ({row.source})", cells))
    mine, said = ours(table), ", by squared errors" if by_squares(table) else ""
    chart = named(
        {
            "s0": [Point(row.lr_psnr, row.diversity, row.name) for row in found if row.name != OURS],
            "s1": [Point(mine.lr_psnr, mine.diversity, OURS + said)],
        },
        x_label=COLUMNS["lr_psnr"],
        y_label="diversity score",
    )
    caption = (
        f"x{table.scale}: right is true to LR, up is diverse. From 45 dB on the challenge sees no difference."
    )
    if by_squares(table):
        caption += f" The diversity of {OURS} is that of squared errors: not on the scale of the others."
    return Beside(note(table, samples, source), list(COLUMNS.values()), lines, [Figure(chart, caption)])


def _said(table: Table, row: Published, name: str) -> str:
    value = getattr(row, name)
    if value is None:
        return "-"
    other = name == "diversity" and row.name == OURS and by_squares(table)
    return shown(name, value) + (" (squared errors)" if other else "")
