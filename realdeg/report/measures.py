"""How well each pair is registered, out of the manifest's text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from realdeg.records import PairRecord
from realdeg.report.certificate import finite


@dataclass(frozen=True)
class Measures:
    """Figures of one row of the manifest; None where it has none.

    Attributes:
        stated_lr, stated_hr: accuracy predicted by the registration, 95th percentile, LR and HR px.
        blind: residual measured on the finished files by another method, 95th percentile, LR px.
        disagreeing: share of the tiles that contradict the common map, 0 to 1.
        zoom: HR px per LR px.
        brightness: difference left after the brightness was matched, rms, 8-bit levels.
    """

    stated_lr: float | None
    stated_hr: float | None
    blind: float | None
    disagreeing: float | None
    zoom: float | None
    brightness: float | None


def measures(records: Sequence[PairRecord]) -> list[Measures]:
    """Figures of each record.

    Datasets made before accuracy was stated have the measured residual in `error_lr_px`; they are
    known by the columns that came with it.
    """
    states = any({"error_hr_px", "residual_lr_px"} & record.detail.keys() for record in records)
    return [_of(record, states) for record in records]


def _of(record: PairRecord, states: bool) -> Measures:
    def cell(name: str) -> float | None:
        return finite(record.detail.get(name))

    error = cell("error_lr_px")
    return Measures(
        stated_lr=error if states else None,
        stated_hr=cell("error_hr_px"),
        blind=cell("residual_lr_px") if states else error,
        disagreeing=cell("disagreeing"),
        zoom=cell("zoom"),
        brightness=cell("brightness_rms_8bit"),
    )


def facts(record: PairRecord, m: Measures, *, told: bool = False) -> str:
    """One line for a person; without kernel and noise where what was drawn is told beside it."""
    parts = [f"x{record.scale}"]
    if m.stated_lr is not None:
        parts.append(f"error {m.stated_lr:.3f} LR px")
    if m.blind is not None:
        parts.append(f"{'blind ' if m.stated_lr is not None else ''}residual {m.blind:.3f} LR px")
    if m.zoom is not None:
        parts.append(f"zoom {m.zoom:.3f}")
    if m.brightness is not None:
        parts.append(f"brightness {m.brightness:.1f} levels")
    if not told:
        parts += [f"{name} {record.detail[name]}" for name in ("kernel", "noise") if record.detail.get(name)]
    if record.split:
        parts.append(record.split)
    return ", ".join(parts)
