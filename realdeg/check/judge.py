"""From figures to what is to be done with a pair, with a reason each, and what comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from realdeg.check.settings import CheckSettings

Verdict = Literal["keep", "mask", "re-register", "drop"]
ORDER: tuple[Verdict, ...] = ("drop", "re-register", "mask", "keep")
STEP = 100.0  # of severity between verdicts
MOST = 99.0
LEAST_BESIDE = 4  # windows that moved on their own: of few one is chance
LITTLE = 0.5  # of the pictures' windows; a picture that is off by more is no case for a mask
LEAST_TEXTURE = 2.0  # 8-bit levels; below, two pictures of one thing differ by their noise
MOST_BESIDE = 0.5  # LR px
MOST_SOFT = 0.5  # share of the places with texture
NO_PLACE = "too little texture to measure where HR lies"


@dataclass(frozen=True)
class Fault:
    """What is wrong with a pair.

    Attributes:
        verdict: what it asks for.
        reason: in words.
        times: by how much it is beyond its limit, 1 at the limit.
    """

    verdict: Verdict
    reason: str
    times: float


@dataclass(frozen=True)
class Judged:
    """What is to be done with a pair.

    Attributes:
        verdict: of its worst fault.
        reason: of all faults, the worst first, or what could not be looked at.
        severity: 0 of good pairs; the larger, the worse.
    """

    verdict: Verdict
    reason: str
    severity: float


def judge(
    figures: Mapping[str, Any], scale: int, settings: CheckSettings, others: Sequence[Fault] = ()
) -> Judged:
    """Judge a pair by its figures.

    Args:
        figures: of `realdeg.check.pair.examine`.
        scale: HR size / LR size.
        settings: limits.
        others: faults that the whole set shows: the pair's picture is there twice.
    """
    found = [
        *_of_sizes(figures),
        *_of_content(figures, settings),
        *_of_place(figures, scale, settings),
        *_of_colour(figures, settings),
        *_of_blocks(figures, settings),
        *_of_detail(figures, scale, settings),
        *others,
    ]
    faults = sorted(found, key=lambda one: (ORDER.index(one.verdict), -one.times))
    if not faults:
        unknown = "residual_lr_px" not in figures
        nearest = float(figures.get("residual_sure_px") or 0) / settings.max_error
        return Judged("keep", NO_PLACE if unknown else "", round(nearest, 3))
    first = faults[0]
    severity = STEP * (len(ORDER) - 1 - ORDER.index(first.verdict)) + min(first.times, MOST)
    return Judged(first.verdict, "; ".join(one.reason for one in faults), round(severity, 3))


def _of_sizes(figures: Mapping[str, Any]) -> list[Fault]:
    return [Fault("re-register", str(figures["sizes"]), 2.0)] if figures.get("sizes") else []


def _of_content(figures: Mapping[str, Any], settings: CheckSettings) -> list[Fault]:
    if flipped := figures.get("flipped"):
        how = f"LR is mirrored or turned: it fits HR {flipped}"
        return [Fault("drop", how if "negative" not in flipped else "LR is HR's negative", 3.0)]
    value = float(figures.get("zncc", 1))
    # A flat picture's correlation is that of its noise.
    if value < settings.min_correlation and "residual_lr_px" not in figures and _shows(figures):
        reason = f"LR and HR show different things (correlation {value:.2f})"
        return [Fault("drop", reason, 1 + settings.min_correlation - value)]
    return []


def _shows(figures: Mapping[str, Any]) -> bool:
    return float(figures.get("texture", MOST)) >= LEAST_TEXTURE


def _of_place(figures: Mapping[str, Any], scale: int, settings: CheckSettings) -> list[Fault]:
    if "residual_lr_px" not in figures:
        return []
    found = []
    x, y = (float(figures[f"shift_{axis}_lr_px"]) for axis in "xy")
    sd, share = float(figures["shift_sd_lr_px"]), float(figures["beside"])
    error = float(figures["residual_sure_px"])
    grid = str(figures["grid"])
    shifted = f"HR's content lies ({scale * x:+.2f}, {scale * y:+.2f}) HR px beside LR's, +- {scale * sd:.2f}"
    if grid not in ("", "centre"):
        where = (
            f"made on a {grid} grid: {shifted}" if grid != "align_corners" else "reduced with align_corners"
        )
        found.append(Fault("re-register", where, 1 + max(abs(x), abs(y)) / settings.max_error))
    elif error > settings.max_error:
        p95 = float(figures["residual_lr_px"])
        what = f"residual {p95:.2f} LR px (noise {float(figures['residual_noise_lr_px']):.2f})"
        far = max(abs(x), abs(y)) > max(4 * sd, 0.5 * p95)
        found.append(Fault("re-register", f"{shifted}; {what}" if far else what, error / settings.max_error))
    windows = int(figures["residual_windows"])
    if share > settings.max_beside and share * windows >= LEAST_BESIDE:
        reason = f"{share:.0%} of the picture moved on its own: parallax, or something moved"
        verdict: Verdict = "mask" if share < LITTLE else "drop"
        if found and found[0].verdict == "re-register" and share < LITTLE:
            # One residual, told by what makes it.
            found = [one for one in found if "grid" in one.reason or "beside" in one.reason]
        found.append(Fault(verdict, reason, share / settings.max_beside))
    return found


def _of_colour(figures: Mapping[str, Any], settings: CheckSettings) -> list[Fault]:
    if float(figures.get("colour_rms", 0)) <= settings.max_colour_rms:
        return []
    rms, left = float(figures["colour_rms"]), float(figures["colour_left"])
    words = f"colours are {rms:.0f} levels apart: LR has {figures['colour_words']}"
    if left > settings.max_colour_rms:
        words = f"colours are {rms:.0f} levels apart, {left:.0f} after gain and offset: the light changed"
        return [Fault("drop", words, left / settings.max_colour_rms)]
    return [Fault("re-register", words, rms / settings.max_colour_rms)]


def _of_blocks(figures: Mapping[str, Any], settings: CheckSettings) -> list[Fault]:
    value = float(figures.get("hr_block_levels", 0))
    if value <= settings.max_blocks:
        return []
    reason = f"HR shows JPEG blocks: steps of {value:.1f} levels across their borders"
    return [Fault("drop", reason, value / max(settings.max_blocks, 0.1))]


def _of_detail(figures: Mapping[str, Any], scale: int, settings: CheckSettings) -> list[Fault]:
    if "enlarged" in figures:
        factor = float(figures["enlarged"])
        return [Fault("drop", f"HR was enlarged digitally, by x{factor:.1f} or more", factor)]
    # Where HR lies beside LR, windows do not show the same, and what they resolve is not known.
    if "detail" not in figures or float(figures.get("residual_sure_px") or 0) > MOST_BESIDE:
        return []
    value, soft = float(figures["detail"]), float(figures["detail_soft"])
    if scale > 1 and value < settings.min_resolved:
        reason = f"HR shows no more than LR (detail x{value:.2f}): out of focus, or enlarged"
        return [Fault("drop", reason, settings.min_resolved / max(value, 0.1))]
    if scale > 1 and soft > MOST_SOFT:
        return [
            Fault("mask", f"HR shows no more than LR on {soft:.0%} of its texture: out of focus", 1 + soft)
        ]
    return []
