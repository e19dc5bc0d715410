"""Settings of looking at pairs of others; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.settings import check_limits, setting


@dataclass(frozen=True)
class CheckSettings:
    """From where on a pair is called wrong.

    The limits were chosen on RealSR, DRealSR, NTIRE 2019 and City100 (benchmarks/README.md): what they accuse
    there is off when one looks at it.
    """

    # p95 of the displacement beyond the measurement's own noise; for soft LR in units of its smallest detail.
    max_error: float = setting(
        0.4, "Residual (p95, beyond its noise) above which a pair is to be registered again, LR px.", above=0
    )
    max_beside: float = setting(
        0.1,
        "Share of the picture that moved on its own, above which a pair needs a mask.",
        low=0,
        high=1,
    )
    # Lower in flat pictures, whose noise is all there is: where little is to be seen no verdict hangs on it.
    min_correlation: float = setting(
        0.5, "Correlation of LR and reduced HR below which they show different things.", low=0, high=1
    )
    max_colour_rms: float = setting(
        10.0, "Difference of colours (rms at equal blur) above which a pair is off, 8-bit levels.", above=0
    )
    # JPEG of quality 50 has 1.4 to 3.5, of quality 80 up to 1.1; RealSR's HR up to 1.2, from its cameras.
    max_blocks: float = setting(
        1.3,
        "Steps across the borders of JPEG blocks of HR, beyond those beside them, 8-bit levels.",
        low=0,
    )
    # HR of RealSR has 2.6 and more, of DRealSR 1.9; enlarged or out of focus it has 0.7 to 1.4.
    min_resolved: float = setting(
        1.3, "Finest detail in HR against that in LR, below which HR shows no more than LR (not x1).", low=0
    )

    def __post_init__(self) -> None:
        check_limits(self)


@dataclass(frozen=True)
class AdoptSettings:
    """What is looked at in pairs that are taken in, and what is done about it."""

    look: bool = setting(
        True,
        "Measure each pair and write residual, shift and detail into the manifest (default), or take it as "
        "it is.",
    )
    # Known good sets have at most 0.4 by this measure; a displacement of 2 LR px has 2.
    max_error: float = setting(
        1.0,
        "Refuse pairs whose residual (p95, beyond its noise) is surely above, LR px; for soft LR in units "
        "of its smallest detail.",
        above=0,
    )
    regrid: bool = setting(
        False,
        "Where the whole set lies on another grid, or has one shift, draw HR anew where LR has it.",
    )

    def __post_init__(self) -> None:
        check_limits(self)
        if self.regrid and not self.look:
            raise UserError(
                "`regrid`", "needs pairs to be looked at", "leave `look` on", exit_code=EXIT_USAGE
            )
